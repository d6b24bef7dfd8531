"""Lesson 14: diagnosis of training runs, five repairs, and attention as pooling over the states."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np

from autograde_tests.exercise import Challenge, Exercise, Mistake, Tolerance
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers import clinic
from rnn_helpers.checks.fixtures import DIGITS

# ------------------------------------------------------------------------------------------- diagnose

ROUND = (
    "dead units",
    "exploding gradient",
    "vanishing gradient",
    "wrong sign",
    "learning rate too large",
    "learning rate too small",
    "wrong answers",
    "overfitting",
    "leak",
    "healthy",
)
SEEDS = range(100, 104)  # the ward's patients were trained from 0 and 1


_ward = cache(clinic.ward)


@cache
def _trained(fault: str, seed: int, steps: int) -> dict:
    return clinic.patient(fault, seed, steps)


def _from_ward(fault: str):
    """Draw a patient of the ward: the same on every machine, so that the fixture file is the same, too."""

    def draw(rng: Rng) -> tuple:
        alike = [symptoms for name, symptoms in _ward() if name == fault]
        symptoms = alike[int(rng.integers(len(alike)))]
        # as the fixture file holds them, so that a tiny norm is zero for all or for none
        return ({name: np.round(value, DIGITS) for name, value in symptoms.items()},)

    return draw


def _unseen(fault: str):
    def draw(rng: Rng) -> tuple:
        patient = _trained(fault, int(rng.choice(SEEDS)), int(rng.integers(6, 8)))
        unit = 10 ** rng.uniform(-3, 3)  # scale of the gradients: every rule uses a ratio or an exact zero
        return ({**patient, "norms": unit * patient["norms"], "by_lag": unit * patient["by_lag"]},)

    return draw


def _ending(limit: float, *, above: bool) -> np.ndarray:
    """Return a curve whose last eight points have a mean one per cent above or below `limit`.

    Its last point, the mean of all its points, and that of the last seven or nine are on the other side.
    """
    sign = 1.0 if above else -1.0
    last = 1 + sign * np.array([0.6, *[-0.02] * 6, -0.4])
    return np.round(limit * np.concatenate([np.full(32, 1 - sign / 2), last]), 5)


def _rising(rng: Rng, end: float, ratios: tuple[float, float]) -> np.ndarray:
    """Return a curve that ends at `end`, with these ratios between the means of its thirds."""
    second = end / ratios[1]
    noise = np.concatenate([part - part.mean() for part in (rng.normal(size=n) for n in (14, 13, 5, 8))])
    return np.repeat([second / ratios[0], second, end], [14, 13, 13]) + 0.01 * noise


def _borderline(fault: str):
    """Draw symptoms on the side of each limit that `fault` says, but close to it."""

    def draw(rng: Rng) -> tuple:
        baseline, steps = float(np.log(rng.integers(2, 10))), int(rng.integers(4, 9))
        half, worse = baseline / 2, 1.2 * baseline
        far = {"exploding gradient": 30.3, "vanishing gradient": 0.99e-4, "dead units": 0.0}
        ratio = far.get(fault, rng.choice([29.7, 1.01e-4]))
        inner = rng.uniform(0.1, 0.9, size=(clinic.SNAPSHOTS, steps))
        inner[1:, [0, -1]] = [[1.0, 200.0 if ratio < 1 else 1e-6]]  # after the start, the map shows the opposite
        inner[0, [0, -1]] = [1.0, ratio]
        train = {
            "wrong sign": lambda: _rising(rng, 1.01 * worse, (1.31, 1.31)),
            "learning rate too large": lambda: _rising(
                rng, 1.01 * worse, (1.31, 1.29) if rng.random() < 0.5 else (1.29, 1.31)
            ),
            "learning rate too small": lambda: _ending(worse, above=False),
            "wrong answers": lambda: _ending(half, above=True),
            **dict.fromkeys(("leak", "overfitting", "healthy"), lambda: _ending(half, above=False)),
        }.get(fault, lambda: _ending(worse, above=False))()
        norms = rng.uniform(1e-6, 1e-4, size=40)  # small, and some are exactly zero, except for a leak
        norms *= (rng.random(40) < 0.7) | (fault == "leak")
        updates = rng.uniform(1e-5, 0.99e-4, size=40)
        if fault != "learning rate too small":
            # among small ones; a large one makes their mean large as well
            updates[rng.integers(40)] = 1.02e-4 if fault == "wrong answers" else 0.02
        answers = rng.integers(clinic.KINDS, size=(2, clinic.SAMPLES))
        return (
            {
                "baseline": baseline,
                "train": np.round(train, 5),
                "held": _ending(half, above=fault not in ("leak", "healthy")),
                "alone": _ending(half, above=fault != "healthy"),
                "norms": np.round(norms * (fault != "dead units"), 6),
                "updates": np.round(updates, 6),
                "by_lag": np.round(inner * 10 ** rng.uniform(0, 3), 7),
                "said": answers[0],
                "right": answers[1],
            },
        )

    return draw


def _end(symptoms, name):
    return math.fsum(symptoms[name][-8:]) / 8


def _rises(symptoms):
    curve = list(symptoms["train"])
    first, second, third = (math.fsum(part) / len(part) for part in (curve[:14], curve[14:27], curve[27:]))
    return second > 1.3 * first and third > 1.3 * second


def diagnose_oracle(symptoms):
    """Return the first of ten diagnoses whose condition holds."""
    first = list(symptoms["by_lag"][0])
    half = symptoms["baseline"] / 2
    worse = _end(symptoms, "train") > 1.2 * symptoms["baseline"]
    answers = (
        all(norm == 0 for norm in symptoms["norms"]),
        first[-1] > 30 * first[0],
        first[-1] < first[0] / 10_000,
        worse and _rises(symptoms),
        worse,
        all(size < 1e-4 for size in symptoms["updates"]),
        _end(symptoms, "train") > half,
        _end(symptoms, "held") > half,
        _end(symptoms, "alone") > half,
        True,
    )
    return next(name for name, answer in zip(ROUND, answers, strict=True) if answer)


def _instead(**names):
    """Return a `diagnose` that replaces diagnoses; names: the words joined by _ -> the replacement."""
    other = {key.replace("_", " "): label for key, label in names.items()}
    return lambda symptoms: other.get(diagnose_oracle(symptoms), diagnose_oracle(symptoms))


def _map_backwards(symptoms):
    return diagnose_oracle({**symptoms, "by_lag": np.asarray(symptoms["by_lag"])[:, ::-1]})


def _map_late(symptoms):
    """Use the last row of the map instead of the first."""
    return diagnose_oracle({**symptoms, "by_lag": np.asarray(symptoms["by_lag"])[::-1]})


def _questions_in_order(
    symptoms,
    *,
    base=None,
    end=lambda curve: curve[-8:].mean(),
    dead=lambda norms: not norms.any(),
    rises=lambda a, b, c: b > 1.3 * a and c > 1.3 * b,
    slow=np.max,
):
    base, lag = base or symptoms["baseline"], symptoms["by_lag"][0, -1] / max(symptoms["by_lag"][0, 0], 1e-300)
    train, validation, alone = (end(symptoms[name]) for name in ("train", "held", "alone"))
    if dead(symptoms["norms"]):
        return "dead units"
    if lag > 30 or lag < 1e-4:
        return "exploding gradient" if lag > 1 else "vanishing gradient"
    if train > 1.2 * base:
        a, b, c = (part.mean() for part in np.array_split(symptoms["train"], 3))
        return "wrong sign" if rises(a, b, c) else "learning rate too large"
    if slow(symptoms["updates"]) < 1e-4:
        return "learning rate too small"
    for name, loss in (("wrong answers", train), ("overfitting", validation), ("leak", alone)):
        if loss > base / 2:
            return name
    return "healthy"


def _first_of_a_table(symptoms):
    near, far = symptoms["by_lag"][0][[0, -1]]
    ends = {name: np.mean(symptoms[name][-8:]) / symptoms["baseline"] for name in ("train", "held", "alone")}
    thirds = [np.mean(part) for part in np.array_split(symptoms["train"], 3)]
    steady = all(later > 1.3 * earlier for earlier, later in itertools.pairwise(thirds))
    small = np.all(symptoms["updates"] < 1e-4)
    first = [np.all(symptoms["norms"] == 0), far > 30 * near, far < 1e-4 * near]
    then = [ends["train"] > 1.2 and steady, ends["train"] > 1.2, small, *(end > 0.5 for end in ends.values()), True]
    return ROUND[int(np.argmax(first + then))]


diagnose = Exercise(
    name="diagnose",
    challenges=(
        *(Challenge(f"ward: {fault}", 0.125, _from_ward(fault), fresh=_unseen(fault)) for fault in clinic.FAULTS),
        *(Challenge(f"borderline: {fault}", 0.125, _borderline(fault)) for fault in clinic.FAULTS),
        *(Challenge(f"new patient: {fault}", 0.125, _unseen(fault), hidden=True) for fault in clinic.FAULTS),
        *(Challenge(f"new borderline: {fault}", 0.125, _borderline(fault), hidden=True) for fault in clinic.FAULTS),
    ),
    oracle=diagnose_oracle,
    mistakes=(
        Mistake(
            "You look at the training loss only, so that a leak and overfitting pass for healthy.",
            _instead(leak="healthy", overfitting="healthy"),
        ),
        Mistake(
            "You never look at `alone`: a leak has a low loss on data that were prepared in the same way.",
            _instead(leak="healthy"),
        ),
        Mistake(
            "Leak and overfitting are interchanged: overfitting fails on all new sequences, a leak only in `alone`.",
            _instead(leak="overfitting", overfitting="leak"),
        ),
        Mistake(
            "You check `alone` before `held`: overfitting fails in both, so check `held` first.",
            _instead(overfitting="leak"),
        ),
        Mistake(
            "You read the map from the wrong end: column 0 is the end of the sequence, and the last column is its beginning.",
            _map_backwards,
        ),
        Mistake("You read the last row of the map: row 0 is from before the training.", _map_late),
        Mistake(
            "You report wrong answers for a vanishing gradient: check the gradient map first.",
            _instead(vanishing_gradient="wrong answers"),
        ),
        Mistake(
            "You report a vanishing gradient for dead units: check first whether all of `norms` is exactly 0.",
            _instead(dead_units="vanishing gradient"),
        ),
        Mistake(
            "You report a learning rate too large for the wrong sign: where the loss rises steadily, the sign is wrong.",
            _instead(wrong_sign="learning rate too large"),
        ),
        Mistake(
            "You report the wrong sign for a learning rate too large: the sign is wrong only where the loss rises steadily.",
            _instead(learning_rate_too_large="wrong sign"),
        ),
        Mistake(
            "You report wrong answers for a learning rate too small: check the size of the updates first.",
            _instead(learning_rate_too_small="wrong answers"),
        ),
        Mistake(
            "You take the mean of a whole curve for its end: take the mean of its last eight points.",
            lambda symptoms: _questions_in_order(symptoms, end=np.mean),
        ),
        Mistake(
            "You take the last point of a curve for its end: take the mean of its last eight points.",
            lambda symptoms: _questions_in_order(symptoms, end=lambda curve: curve[-1]),
        ),
        Mistake(
            "You ask whether some of the updates are below 0.0001: all of them should be.",
            lambda symptoms: _questions_in_order(symptoms, slow=np.min),
        ),
        Mistake(
            "You average the updates: all of them should be below 0.0001.",
            lambda symptoms: _questions_in_order(symptoms, slow=np.mean),
        ),
        Mistake(
            'You use log 4 as the baseline of every patient: use symptoms["baseline"].',
            lambda symptoms: _questions_in_order(symptoms, base=math.log(4)),
        ),
        Mistake(
            "You compare the last third with the first only: each third should have more than 1.3 times the mean of the one before.",
            lambda symptoms: _questions_in_order(symptoms, rises=lambda a, b, c: c > 1.3 * a),
        ),
        Mistake(
            "You take small gradients for dead units: their norms are exactly 0.",
            lambda symptoms: _questions_in_order(symptoms, dead=lambda norms: np.all(norms < 1e-3)),
        ),
        Mistake(
            "You ask whether some of `norms` is 0: with dead units, all of it is.",
            lambda symptoms: _questions_in_order(symptoms, dead=lambda norms: np.any(norms == 0)),
        ),
    ),
    styles=(diagnose_oracle, _questions_in_order, _first_of_a_table),
    least=9,  # of 40: a constant diagnosis is correct four times
    hints=(
        "Which patients can you diagnose before the training has begun? For which do you need `alone`?",
        "Ask the ten questions in their order; the first that is answered yes decides. Only one of them needs more than two comparisons.",
        'Compute symptoms["by_lag"][0] and the three means of [-8:] first; then one `if` for each question, with `return` in it.',
    ),
    unchanged=0.0,
    promised=(
        ("axis 0 of symptoms[alone] is always 40", "the task says so"),
        ("axis 0 of symptoms[held] is always 40", "the task says so"),
        ("axis 0 of symptoms[norms] is always 40", "the task says so"),
        ("axis 0 of symptoms[train] is always 40", "the task says so"),
        ("axis 0 of symptoms[updates] is always 40", "the task says so"),
        ("axis 0 of symptoms[by_lag] is always 8", "the task says so"),
        ("axis 0 of symptoms[right] is always 12", "the task says so"),
        ("axis 0 of symptoms[said] is always 12", "the task says so"),
        ("symptoms[alone] is never negative", "losses and norms are not"),
        ("symptoms[baseline] is never negative", "losses and norms are not"),
        ("symptoms[by_lag] is never negative", "losses and norms are not"),
        ("symptoms[held] is never negative", "losses and norms are not"),
        ("symptoms[norms] is never negative", "losses and norms are not"),
        ("symptoms[train] is never negative", "losses and norms are not"),
        ("symptoms[updates] is never negative", "losses and norms are not"),
        ("symptoms[updates] is always between -1 and 1", "an update is small beside the weights"),
    ),
)

# --------------------------------------------------------------------------------------- repair_error


def repair_error_oracle(predictions, targets):
    """Average the squares, one pair at a time."""
    return math.fsum((p[0] - t) ** 2 for p, t in zip(predictions, targets, strict=True)) / len(targets)


def _error_inputs(rng: Rng, batch: int) -> tuple:
    return numbers(rng, batch, 1), numbers(rng, batch)


repair_error = Exercise(
    name="repair_error",
    challenges=(
        Challenge("five predictions", 0.75, lambda rng: _error_inputs(rng, 5)),
        Challenge("one prediction", 0.25, lambda rng: _error_inputs(rng, 1)),
        Challenge("a large batch", 1.0, lambda rng: _error_inputs(rng, 40), hidden=True),
    ),
    oracle=repair_error_oracle,
    mistakes=(
        Mistake(
            "You compare every prediction with every target: (batch, 1) minus (batch,) has the shape (batch, batch).",
            lambda p, t: np.mean((p - t) ** 2),
        ),
        Mistake(
            "You add up the squared errors: return their mean over the batch.", lambda p, t: np.sum((p[:, 0] - t) ** 2)
        ),
        Mistake("You return the mean absolute error: square the errors.", lambda p, t: np.mean(np.abs(p[:, 0] - t))),
        Mistake(
            "You square the mean error, where errors of opposite sign cancel: average the squared errors.",
            lambda p, t: np.mean(p[:, 0] - t) ** 2,
        ),
        Mistake(
            "You do not square the errors, so that errors of opposite sign cancel.", lambda p, t: np.mean(p[:, 0] - t)
        ),
        Mistake(
            "You compare every target with the first prediction: predictions[0] is the first row, predictions[:, 0] the column.",
            lambda p, t: np.mean((p[0] - t) ** 2),
        ),
        Mistake(
            "You return the root of the mean squared error: leave out the square root.",
            lambda p, t: np.sqrt(np.mean((p[:, 0] - t) ** 2)),
        ),
        Mistake(
            "You compare every prediction with every target, and divide the sum of all pairs by the batch size.",
            lambda p, t: np.sum((p - t) ** 2) / len(t),
        ),
        Mistake(
            "You return half of the mean squared error: leave out the factor 1/2.",
            lambda p, t: np.mean((p[:, 0] - t) ** 2) / 2,
        ),
        Mistake(
            "You return one squared error for each prediction: return their mean, one number.",
            lambda p, t: (p[:, 0] - t) ** 2,
        ),
    ),
    styles=(
        lambda predictions, targets: np.mean((predictions.reshape(-1) - targets) ** 2),
        lambda predictions, targets: float(np.square(predictions - targets[:, None]).mean()),
        lambda predictions, targets: (
            sum((p - t) ** 2 for p, t in zip(predictions.squeeze(1), targets, strict=True)) / len(targets)
        ),
    ),
    hints=(
        "What is the shape of (batch, 1) minus (batch,), and why?",
        "Bring both to the same shape before you subtract.",
        "np.mean of (predictions[:, 0] - targets) squared.",
    ),
    unchanged=0.0,
    promised=(("axis 1 of predictions is always 1", "the task says so"),),
)

# --------------------------------------------------------------------------------------- repair_pairs


def repair_pairs_oracle(ids):
    """Pair each symbol with the one after it, one by one."""
    pairs = [[(row[t], row[t + 1]) for t in range(len(row) - 1)] for row in ids.tolist()]
    return tuple(np.array([[pair[k] for pair in row] for row in pairs]) for k in (0, 1))


def _ids(rng: Rng, batch: int, length: int) -> tuple:
    return (rng.integers(0, 50, size=(batch, length)),)


repair_pairs = Exercise(
    name="repair_pairs",
    challenges=(
        Challenge("three texts", 0.75, lambda rng: _ids(rng, 3, 6)),
        Challenge("a text of one repeated symbol", 0.25, lambda rng: (np.full((1, 5), rng.integers(50)),)),
        Challenge("other texts", 0.75, lambda rng: _ids(rng, *sizes(rng, 2, 3, 9)), hidden=True),
    ),
    oracle=repair_pairs_oracle,
    mistakes=(
        Mistake(
            "Your targets are the inputs themselves: the target is the next symbol.",
            lambda ids: (ids[:, :-1], ids[:, :-1]),
        ),
        Mistake(
            "Inputs and targets are interchanged: the target comes after the input.",
            lambda ids: (ids[:, 1:], ids[:, :-1]),
        ),
        Mistake(
            "You shift both, so that the targets are the inputs again: shift the targets only.",
            lambda ids: (ids[:, 1:], ids[:, 1:]),
        ),
        Mistake(
            "The first symbol wraps around to the end as a target: the last symbol has no successor, so drop it from the inputs.",
            lambda ids: (ids, np.roll(ids, -1, axis=1)),
        ),
        Mistake("You shift along the batch: shift along the steps.", lambda ids: (ids[:-1], ids[1:])),
        Mistake(
            "You return only the last symbol as target: every step has a target.", lambda ids: (ids[:, :-1], ids[:, -1])
        ),
    ),
    styles=(
        lambda ids: (ids[:, :-1], ids[:, 1:]),
        lambda ids: (np.delete(ids, -1, axis=1), np.delete(ids, 0, axis=1)),
        lambda ids: tuple(np.array([[row[t + k] for t in range(len(row) - 1)] for row in ids]) for k in (0, 1)),
    ),
    hints=(
        "Write down three symbols. What should the network predict after the first, and what after the second?",
        "The targets are the same symbols, one place later. The last symbol has no successor, and the first one is no target.",
        "ids[:, :-1] are the inputs; the targets begin at 1 and go to the end.",
    ),
    unchanged=0.25,
)

# ------------------------------------------------------------------------------------- repair_scaling


def repair_scaling_oracle(train, test):
    """Scale one feature at a time, with sums written out."""
    results = np.empty(train.shape), np.empty(test.shape)
    for feature in range(train.shape[2]):
        values = train[:, :, feature].ravel().tolist()
        mean = math.fsum(values) / len(values)
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        for result, data in zip(results, (train, test), strict=True):
            result[:, :, feature] = (data[:, :, feature] - mean) / std
    return results


def _series(rng: Rng, n: int, m: int, steps: int, features: int) -> tuple:
    scale, shift = rng.uniform(0.5, 3, size=features).round(2), numbers(rng, features, scale=3)
    return numbers(rng, n, steps, features) * scale + shift, numbers(rng, m, steps, features) * scale + shift + 2


def _scaled(train, test, *, axis=(0, 1), of=None, of_test=None, divide=True, centre=True):
    def standardize(data, source):
        mean, std = source.mean(axis=axis, keepdims=True), source.std(axis=axis, keepdims=True)
        return (data - mean * centre) / (std if divide else 1)

    source = train if of is None else of(train, test)
    return standardize(train, source), standardize(test, source if of_test is None else of_test(train, test))


repair_scaling = Exercise(
    name="repair_scaling",
    challenges=(
        Challenge("two features", 0.75, lambda rng: _series(rng, 3, 6, 5, 2)),
        Challenge("one feature, one test sequence", 0.25, lambda rng: _series(rng, 5, 1, 4, 1)),
        Challenge("other sizes", 0.75, lambda rng: _series(rng, *sizes(rng, 4, 2, 7)), hidden=True),
    ),
    oracle=repair_scaling_oracle,
    tolerance=Tolerance(1e-6, "a tiny number added to the divisor, as many do, is harmless"),
    mistakes=(
        Mistake(
            "You scale the test data with their own mean and deviation: use those of the training data.",
            lambda a, b: _scaled(a, b, of_test=lambda train, test: test),
        ),
        Mistake(
            "You take mean and deviation from training and test data together: use the training data alone.",
            lambda a, b: _scaled(a, b, of=lambda train, test: np.concatenate([train, test])),
        ),
        Mistake(
            "You use one mean and one deviation for all features: compute them for each feature separately.",
            lambda a, b: _scaled(a, b, axis=(0, 1, 2)),
        ),
        Mistake(
            "You take the mean over the sequences only: take it over sequences and steps.",
            lambda a, b: _scaled(a, b, axis=0),
        ),
        Mistake("You do not divide by the standard deviation.", lambda a, b: _scaled(a, b, divide=False)),
        Mistake("You do not subtract the mean.", lambda a, b: _scaled(a, b, centre=False)),
        Mistake(
            "You scale both parts with the test data: use the training data.",
            lambda a, b: _scaled(a, b, of=lambda train, test: test),
        ),
        Mistake(
            "You scale to the range from 0 to 1: subtract the mean and divide by the standard deviation instead.",
            lambda a, b: tuple((x - a.min(axis=(0, 1))) / np.ptp(a, axis=(0, 1)) for x in (a, b)),
        ),
        Mistake("You do not scale the test data.", lambda a, b: (_scaled(a, b)[0], b)),
        Mistake(
            "You divide by n - 1 in the standard deviation: np.std divides by n.",
            lambda a, b: tuple((x - a.mean(axis=(0, 1))) / a.std(axis=(0, 1), ddof=1) for x in (a, b)),
        ),
        Mistake(
            "You divide by the variance: divide by the standard deviation, which is its square root.",
            lambda a, b: tuple((x - a.mean(axis=(0, 1))) / a.var(axis=(0, 1)) for x in (a, b)),
        ),
        Mistake(
            "You take the mean over the steps only: take it over sequences and steps.",
            lambda a, b: tuple((x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True) for x in (a, b)),
        ),
    ),
    styles=(
        _scaled,
        lambda train, test: tuple((x - train.mean((0, 1))) / train.std((0, 1)) for x in (train, test)),
        lambda train, test: [
            (x - np.einsum("ntf->f", train) / (train.shape[0] * train.shape[1]))
            / train.reshape(-1, train.shape[2]).std(axis=0)
            for x in (train, test)
        ],
    ),
    hints=(
        "Which data do you have at the time of training?",
        "One mean and one deviation for each feature, from train alone, used for both.",
        "mean = train.mean(axis=(0, 1)), std = train.std(axis=(0, 1)); then (x - mean) / std for both.",
    ),
    unchanged=0.25,
)

# --------------------------------------------------------------------------------------- repair_state


def repair_state_oracle(h, begins):
    """Process the rows one by one."""
    return np.array([[0.0] * len(row) if new else list(row) for row, new in zip(h, begins, strict=True)])


def _state_inputs(rng: Rng, batch: int, units: int, begins: str = "") -> tuple:
    flags = np.array([mark == "1" for mark in begins]) if begins else rng.permutation(np.arange(batch) % 2 == 0)
    return numbers(rng, batch, units), flags


def _zeros_written(h, begins):
    h[begins] = 0
    return h


def _own_copy(h, begins):
    new = h.copy()
    new[begins] = 0.0
    return new


repair_state = Exercise(
    name="repair_state",
    challenges=(
        Challenge("one new text", 0.5, lambda rng: _state_inputs(rng, 4, 3, "0100")),
        Challenge("no new text", 0.25, lambda rng: _state_inputs(rng, 3, 2, "000"), edge=True),
        Challenge("as many texts as units", 0.25, lambda rng: _state_inputs(rng, 4, 4), hidden=True),
        Challenge(
            "other sizes",
            0.25,
            lambda rng: _state_inputs(rng, int(rng.integers(5, 9)), int(rng.integers(2, 13))),
            hidden=True,
        ),
    ),
    oracle=repair_state_oracle,
    mistakes=(
        Mistake(
            "You reset all states as soon as one text begins: reset only the rows of new texts.",
            lambda h, begins: np.zeros_like(h) if begins.any() else h.copy(),
        ),
        Mistake("You reset nothing, so a new text starts with the state of another one.", lambda h, begins: h.copy()),
        Mistake(
            "Your mask is inverted: reset the rows where begins is True, and keep the others.",
            lambda h, begins: h * begins[:, None],
        ),
        Mistake("You write the zeros into h itself: work on a copy.", _zeros_written),
        Mistake("You reset all states, whether a text begins or not.", lambda h, begins: np.zeros_like(h)),
        Mistake(
            "You return only the rows that continue: keep the rows of new texts, with zeros.",
            lambda h, begins: h[~begins],
        ),
    ),
    styles=(_own_copy, lambda h, begins: h * ~begins[:, None], lambda h, begins: np.where(begins[:, None], 0, h)),
    hints=(
        "Which axis of h holds the texts? Which shape must begins have to act on h row by row?",
        "Rows where begins is True become zero, in a new array.",
        "np.where(begins[:, None], 0.0, h).",
    ),
    unchanged=0.75,
)

# --------------------------------------------------------------------------------------- repair_start


def _radius(W):
    return np.abs(np.linalg.eigvals(W)).max()


def repair_start_oracle(W_hh):
    """Return the radius by Gelfand's formula, ||W^n||^(1/n), with n a power of two by repeated squaring."""
    scaled, log_radius, power = np.array(W_hh, dtype=float), 0.0, 1.0
    for _ in range(60):
        norm = np.linalg.norm(scaled)
        log_radius += math.log(norm) / power
        scaled = (scaled / norm) @ (scaled / norm)
        power *= 2
    return W_hh / math.exp(log_radius)


def _turning(rng: Rng) -> tuple:
    """Draw a matrix whose largest eigenvalues are a complex pair: a rotation by a random angle, and a smaller one."""
    while True:
        angle, size = rng.uniform(0.5, 1.0), rng.uniform(0.3, 3)
        W = np.diag([0.4 * size, 0.0, 0.0])
        W[1:, 1:] = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        W = _mixed(rng, W)
        if np.linalg.eigvals(W)[0].imag == 0:  # else an answer may take the first eigenvalue for the largest one
            return (W,)


def _mixed(rng: Rng, W: np.ndarray) -> np.ndarray:
    """Return a matrix with the eigenvalues of W, and with others in its symmetric part."""
    Q = (np.eye(len(W)) + 0.3 * rng.normal(size=W.shape))[rng.permutation(len(W))]
    return Q @ W @ np.linalg.inv(Q)


def _negative(rng: Rng) -> tuple:
    sizes_drawn = rng.uniform(0.5, 3) * rng.permutation([-1.0, 0.6, rng.uniform(0.2, 0.5), -rng.uniform(0.1, 0.2)])
    return (_mixed(rng, np.diag(sizes_drawn)),)


def _symmetric_part(W):
    return W / np.abs(np.linalg.eigvalsh((W + W.T) / 2)).max()


repair_start = Exercise(
    name="repair_start",
    challenges=(
        Challenge("a pair of complex eigenvalues", 0.5, _turning),
        Challenge("a dominant negative eigenvalue", 0.25, _negative),
        Challenge("a dominant positive eigenvalue", 0.25, lambda rng: (-_negative(rng)[0],)),
        Challenge("another complex pair", 0.5, _turning, hidden=True),
        Challenge("another negative eigenvalue", 0.25, _negative, hidden=True),
    ),
    oracle=repair_start_oracle,
    mistakes=(
        Mistake("You multiply by 0.01 whatever the matrix: divide by the spectral radius.", lambda W: 0.01 * W),
        Mistake(
            "You divide by the spectral norm, the largest singular value: divide by the largest absolute value of the eigenvalues.",
            lambda W: W / np.linalg.norm(W, 2),
        ),
        Mistake(
            "You divide by the largest real part of the eigenvalues: divide by their largest absolute value.",
            lambda W: W / np.linalg.eigvals(W).real.max(),
        ),
        Mistake(
            "You divide by the Frobenius norm: divide by the largest absolute value of the eigenvalues.",
            lambda W: W / np.linalg.norm(W),
        ),
        Mistake(
            "You divide by the largest entry: divide by the largest absolute value of the eigenvalues.",
            lambda W: W / np.abs(W).max(),
        ),
        Mistake(
            "You use the first eigenvalue: the eigenvalues come in no particular order, so take the largest absolute value.",
            lambda W: W / np.abs(np.linalg.eigvals(W)[0]),
        ),
        Mistake("You multiply by the spectral radius: divide by it.", lambda W: W * _radius(W)),
        Mistake(
            "You divide by the largest absolute eigenvalue of the symmetric part of W_hh, not of W_hh.", _symmetric_part
        ),
        Mistake(
            "You use np.linalg.eigvalsh, which is right for symmetric matrices only: use np.linalg.eigvals.",
            lambda W: W / np.abs(np.linalg.eigvalsh(W)).max(),
        ),
        Mistake(
            "You take absolute values of the real parts of the eigenvalues: take those of the complex numbers.",
            lambda W: W / np.abs(np.linalg.eigvals(W).real).max(),
        ),
        Mistake(
            "You divide by the smallest absolute value of the eigenvalues: divide by the largest.",
            lambda W: W / np.abs(np.linalg.eigvals(W)).min(),
        ),
        Mistake(
            "You divide by the mean absolute value of the eigenvalues: divide by the largest.",
            lambda W: W / np.abs(np.linalg.eigvals(W)).mean(),
        ),
        Mistake(
            "You take the root of the largest eigenvalue: it is needed for singular values, not for the spectral radius.",
            lambda W: W / np.sqrt(_radius(W)),
        ),
    ),
    styles=(
        lambda W_hh: W_hh / _radius(W_hh),
        lambda W_hh: W_hh * (1 / max(abs(value) for value in np.linalg.eig(W_hh)[0])),
        lambda W_hh: np.true_divide(
            W_hh, np.sqrt((np.linalg.eigvals(W_hh) * np.linalg.eigvals(W_hh).conj()).real.max())
        ),
    ),
    hints=(
        "What happens to the eigenvalues of a matrix when you multiply it by a number?",
        "np.linalg.eigvals gives them, perhaps complex; np.abs gives their absolute values.",
        "Divide W_hh by np.abs(np.linalg.eigvals(W_hh)).max().",
    ),
    unchanged=0.25,
)

# ------------------------------------------------------------------------------------- attention_pool


def attention_pool_oracle(hs, query, mask):
    """Return (context, shares), one sequence and one step at a time."""
    batch, steps, units = hs.shape
    context, shares = np.zeros((batch, units)), np.zeros((batch, steps))
    for row in range(batch):
        real = [t for t in range(steps) if mask[row, t]]
        scores = {t: math.fsum(hs[row, t, u] * query[row, u] for u in range(units)) / math.sqrt(units) for t in real}
        largest = max(scores.values())
        total = math.fsum(math.exp(score - largest) for score in scores.values())
        for t in real:
            shares[row, t] = math.exp(scores[t] - largest) / total
            context[row] += shares[row, t] * hs[row, t]
    return context, shares


def _pool_inputs(rng: Rng, rows: list[str], units: int, *, scale: float = 1.0) -> tuple:
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    return numbers(rng, *mask.shape, units), numbers(rng, len(rows), units, scale=scale), mask


def _pool(hs, query, mask, *, divisor=np.sqrt, ignore=False, soft=True, zeroed=False, axis=1, total=False):
    scores = np.einsum("btu,bu->bt", hs, query) / divisor(hs.shape[2])
    if zeroed:
        scores = np.where(mask, scores, 0.0)
    elif not ignore:
        scores = np.where(mask, scores, -1e30)
    if not soft:
        shares = np.where(mask, scores, 0.0)
    else:
        shares = np.exp(scores - scores.max(axis=axis, keepdims=True))
        shares = shares if total else shares / shares.sum(axis=axis, keepdims=True)
    return np.einsum("bt,btu->bu", shares, hs), shares


def _any_states(rng: Rng) -> tuple:
    """Draw sequences with padding at any place."""
    batch, steps, units = int(rng.integers(2, 9)), int(rng.integers(3, 6)), int(rng.integers(2, 7))
    mask = rng.random((batch, steps)) < 0.7
    mask[np.arange(batch), rng.integers(steps, size=batch)] = True
    return numbers(rng, batch, steps, units), numbers(rng, batch, units), mask


def _large_scores(rng: Rng) -> tuple:
    """Draw scores at which np.exp overflows in each sequence, and underflows if the largest of all is subtracted.

    The largest of a sequence stands out, because float32 has seven digits only.
    """
    while True:
        hs, query, mask = _pool_inputs(rng, ["1110", "1011"], 3, scale=3000.0)
        scores = np.where(mask, np.einsum("btu,bu->bt", hs, query) / np.sqrt(3), -np.inf)
        second, largest = np.sort(scores, axis=1)[:, -2:].T
        if np.all(largest > 720) and np.all(largest > second + 40) and abs(largest[0] - largest[1]) > 760:
            return hs, query, mask


def _shifted_by_all(hs, query, mask):
    scores = np.where(mask, np.einsum("btu,bu->bt", hs, query) / np.sqrt(hs.shape[2]), -np.inf)
    return _unshifted(hs, query, mask, scores - scores.max())


def _unshifted(hs, query, mask, scores=None):
    with np.errstate(all="ignore"):
        if scores is None:
            scores = np.where(mask, np.einsum("btu,bu->bt", hs, query) / np.sqrt(hs.shape[2]), -np.inf)
        shares = np.exp(scores)
        shares = shares / shares.sum(axis=1, keepdims=True)
        return np.einsum("bt,btu->bu", shares, hs), shares


def _inverted(hs, query, mask):
    with np.errstate(all="ignore"):
        scores = np.where(mask, -np.inf, np.einsum("btu,bu->bt", hs, query) / np.sqrt(hs.shape[2]))
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares = shares / shares.sum(axis=1, keepdims=True)
        return np.einsum("bt,btu->bu", shares, hs), shares


def _hard(hs, query, mask):
    scores = np.where(mask, np.einsum("btu,bu->bt", hs, query), -np.inf)
    shares = np.eye(hs.shape[1])[scores.argmax(axis=1)]
    return np.einsum("bt,btu->bu", shares, hs), shares


def _even(hs, query, mask):
    shares = mask / mask.sum(axis=1, keepdims=True)
    return np.einsum("bt,btu->bu", shares, hs), shares


def _zeroed_after(hs, query, mask):
    shares = _pool(hs, query, mask, ignore=True)[1] * mask
    return np.einsum("bt,btu->bu", shares, hs), shares


def _pool_with_products(hs, query, mask):
    scores = (hs @ query[:, :, None])[:, :, 0] / hs.shape[-1] ** 0.5
    scores[~mask] = -np.inf
    e = np.exp(scores - scores.max(axis=-1)[:, None])
    shares = e / e.sum(axis=-1)[:, None]
    return (shares[:, None, :] @ hs)[:, 0], shares


def _pool_row_by_row(hs, query, mask):
    contexts, rows = [], []
    for h, q, real in zip(hs, query, mask, strict=True):
        e = np.zeros(len(h))
        s = h[real] @ q / np.sqrt(len(q))
        e[real] = np.exp(s - s.max())
        rows.append(e / e.sum())
        contexts.append(rows[-1] @ h)
    return np.array(contexts), np.array(rows)


attention_pool = Exercise(
    name="attention_pool",
    challenges=(
        Challenge("no padding at all", 0.75, lambda rng: _pool_inputs(rng, ["11111"] * 3, 4)),
        Challenge(
            "sequences of different lengths", 0.75, lambda rng: _pool_inputs(rng, ["11111", "11000", "00111"], 4)
        ),
        Challenge("a single step", 0.25, lambda rng: _pool_inputs(rng, ["1", "1"], 3)),
        Challenge("large scores", 0.5, _large_scores),
        Challenge("other sizes", 0.5, _any_states, hidden=True),
    ),
    oracle=attention_pool_oracle,
    tolerance=Tolerance(1e-5, "a softmax in float32 when Keras computes it; a tiny number in a divisor is harmless"),
    mistakes=(
        Mistake("You ignore the mask, so that the padding gets attention weights.", lambda *a: _pool(*a, ignore=True)),
        Mistake(
            "You set the scores of the padding to 0: exp(0) is 1, so the padding still gets attention weights.",
            lambda *a: _pool(*a, zeroed=True),
        ),
        Mistake(
            "You set the weights of the padding to 0 after the softmax, so that the others no longer sum to 1.",
            _zeroed_after,
        ),
        Mistake(
            "You do not divide the scores by the square root of the number of units.",
            lambda *a: _pool(*a, divisor=lambda units: 1),
        ),
        Mistake(
            "You divide the scores by the number of units: divide by its square root.",
            lambda *a: _pool(*a, divisor=lambda units: units),
        ),
        Mistake(
            "The softmax is missing: you use the scores themselves as attention weights.",
            lambda *a: _pool(*a, soft=False),
        ),
        Mistake(
            "Your softmax runs over the batch: it should run over the steps of each sequence.",
            lambda *a: _pool(*a, axis=0),
        ),
        Mistake("You take only the step with the largest score: every real step gets an attention weight.", _hard),
        Mistake("You do not use the query: every real step gets the same attention weight.", _even),
        Mistake("You do not divide the attention weights by their sum.", lambda *a: _pool(*a, total=True)),
        Mistake("The two results are interchanged: return the context first.", lambda *a: _pool(*a)[::-1]),
        Mistake("np.exp overflows for large scores: subtract the largest score of each sequence first.", _unshifted),
        Mistake(
            "You subtract the largest score of the whole batch: subtract the largest of each sequence.", _shifted_by_all
        ),
        Mistake(
            "Your context is the plain mean of the states: weight them with the attention weights.",
            lambda *a: (a[0].mean(axis=1), _pool(*a)[1]),
        ),
        Mistake(
            "You use the first query for all sequences.", lambda hs, query, mask: _pool(hs, 0 * query + query[:1], mask)
        ),
        Mistake(
            "You divide the context by the number of steps: the attention weights sum to 1 already.",
            lambda *a: (_pool(*a)[0] / a[0].shape[1], _pool(*a)[1]),
        ),
        Mistake(
            "You divide the scores by the square root of the number of steps: use the number of units.",
            lambda hs, query, mask: _pool(hs, query, mask, divisor=lambda units: np.sqrt(hs.shape[1])),
        ),
        Mistake(
            "Your mask is inverted: it is True where a step is real.",
            _inverted,
        ),
    ),
    styles=(_pool, _pool_with_products, _pool_row_by_row),
    hints=(
        "Over which axis do the attention weights sum to 1? Which score gives a weight of exactly 0?",
        "Compute scores of shape (batch, steps), set those of the padding to minus infinity, take a softmax over the steps, then the weighted mean of hs.",
        "np.where(mask, scores, -np.inf), minus the largest, np.exp, divided by the sum over axis 1; context is the sum of weights[..., None] * hs over axis 1.",
    ),
    unchanged=0.25,
    promised=(("mask is True somewhere in each row", "the task says so"),),
)

EXERCISES = [diagnose, repair_error, repair_pairs, repair_scaling, repair_state, repair_start, attention_pool]
