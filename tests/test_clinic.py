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
    np.testing.assert_allclose(stored["train_loss"][:3], trained["train_loss"][:3], rtol=1e-6)


def test_a_healthy_patient_learns_and_has_all_symptoms():
    seen = clinic.patient("healthy", seed=3)
    assert seen["baseline"] == pytest.approx(np.log(4))
    assert max(seen[name][-1] for name in clinic.LOSSES) < seen["baseline"] / 10
    assert {name: np.shape(value) for name, value in seen.items()} == {
        "baseline": (),
        **dict.fromkeys((*clinic.LOSSES, "norms", "updates"), (40,)),
        "by_lag": (8, 7),
    }


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch):
    """Return a function that reviews a diagnosis and returns the card."""
    shown: list = []
    monkeypatch.setattr(clinic.cards, "show", shown.append)

    def review(diagnosis):
        clinic.review(diagnosis)
        return shown.pop()

    return review


def in_order() -> list[str]:
    return [diagnose_oracle(symptoms) for symptoms in clinic.patients()]


def test_the_lesson_shows_each_fault_once():
    assert sorted(in_order()) == sorted(clinic.FAULTS)


def test_the_right_diagnosis_is_marked_with_what_shows_it(card):
    right = card(dict(enumerate(in_order(), start=1)))
    assert "10 of 10 right" in right._repr_html_()
    assert {row.word for row in right.rows} == {"right"}
    assert len({row.problem for row in right.rows}) == 10


def test_a_wrong_diagnosis_is_excluded_without_the_name_of_the_right_one(card):
    for guess in clinic.FAULTS:
        marked = card(dict.fromkeys(range(1, 11), guess))
        assert marked.state == "1 of 10 right"
        for row, fault in zip(marked.rows, in_order(), strict=True):
            assert row.word == ("right" if fault == guess else "excluded")
            assert row.problem
            assert fault == guess or fault not in row.problem


def test_an_incomplete_diagnosis_is_marked_as_far_as_it_goes(card):
    marked = card({2: in_order()[1], 3: ""})
    assert [row.word for row in marked.rows] == ["no entry", "right", *["no entry"] * 8]
    assert repr(marked).startswith("diagnosis  1 of 10 right")


def test_an_unknown_name_or_patient_is_named(card):
    with pytest.raises(ValueError, match="invalid diagnosis 'leek' of patient 4. Did you mean 'leak'"):
        card({4: "leek"})
    with pytest.raises(ValueError, match="invalid patient 11: expected a number from 1 to 10"):
        card({11: "leak"})


def test_an_unknown_fault_is_named():
    with pytest.raises(KeyError, match="hay fever"):
        clinic.patient("hay fever", seed=0)
