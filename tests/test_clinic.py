"""The clinic's patients: what is seen of each is what its fault does, on machines that nobody has met."""

import numpy as np
import pytest

from autograde_tests.lesson_14_clinic import diagnose_oracle
from rnn_helpers import clinic

SOUND = [
    fault for fault in clinic.FAULTS if fault not in ("learning rate too large", "wrong sign", "exploding gradient")
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", clinic.FAULTS)
def test_each_patient_shows_the_signs_of_its_own_fault(fault):
    found = {diagnose_oracle(clinic.patient(fault, seed, steps)) for seed in (0, 1, 7) for steps in (6, 7)}
    assert found == {fault}


def test_the_ward_holds_two_of_each_and_all_can_be_told():
    patients = clinic.ward()
    assert [fault for fault, _ in patients] == 2 * list(clinic.FAULTS)
    assert [diagnose_oracle(seen) for _, seen in patients] == [fault for fault, _ in patients]


@pytest.mark.parametrize("fault", SOUND)
def test_the_ward_is_what_the_training_gives(fault):
    """Rounding grows with every round, and most in a network that jumps about: only the first points are compared."""
    stored = dict(clinic.ward()[:10])[fault]
    trained = clinic.patient(fault, seed=0)
    assert trained.keys() == stored.keys()
    np.testing.assert_allclose(stored["by_lag"][0], trained["by_lag"][0], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(stored["train"][:3], trained["train"][:3], rtol=1e-6)


def test_a_patient_says_what_it_is_given_when_it_is_healthy():
    seen = clinic.patient("healthy", seed=3)
    np.testing.assert_array_equal(seen["said"], seen["right"])
    assert seen["baseline"] == pytest.approx(np.log(4))
    assert {name: np.shape(seen[name]) for name in ("train", "by_lag", "said")} == {
        "train": (40,),
        "by_lag": (8, 7),
        "said": (12,),
    }


def test_an_unknown_fault_is_named():
    with pytest.raises(KeyError, match="hay fever"):
        clinic.patient("hay fever", seed=0)
