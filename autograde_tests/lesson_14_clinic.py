"""Lesson 14: diagnosis of training runs, five repairs, and attention as pooling over the states."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np

from autograde_tests.exercise import Challenge, Exercise, Mistake, Tolerance
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers import clinic

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
        return (alike[int(rng.integers(len(alike)))],)

    return draw


def _unseen(fault: str):
    def draw(rng: Rng) -> tuple:
        patient = _trained(fault, int(rng.choice(SEEDS)), int(rng.integers(6, 8)))
        unit = 10 ** rng.uniform(-3, 3)  # scale of the gradients: every rule uses a ratio or an exact zero
        return ({**patient, "norms": unit * patient["norms"], "by_lag": unit * patient["by_lag"]},)

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


def _questions_in_order(symptoms):
    base, lag = symptoms["baseline"], symptoms["by_lag"][0, -1] / max(symptoms["by_lag"][0, 0], 1e-300)
    train, validation, alone = (symptoms[name][-8:].mean() for name in ("train", "held", "alone"))
    if not symptoms["norms"].any():
        return "dead units"
    if lag > 30 or lag < 1e-4:
        return "exploding gradient" if lag > 1 else "vanishing gradient"
    if train > 1.2 * base:
        a, b, c = (part.mean() for part in np.array_split(symptoms["train"], 3))
        return "wrong sign" if b > 1.3 * a and c > 1.3 * b else "learning rate too large"
    if symptoms["updates"].max() < 1e-4:
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
        *(Challenge(fault, 0.25, _from_ward(fault), fresh=_unseen(fault)) for fault in clinic.FAULTS),
        *(Challenge(f"{fault}, a new patient", 0.25, _unseen(fault), hidden=True) for fault in clinic.FAULTS),
    ),
    oracle=diagnose_oracle,
    mistakes=(
        Mistake(
            "only the training loss is looked at, so that a leak and overfitting pass for healthy",
            _instead(leak="healthy", overfitting="healthy"),
        ),
        Mistake(
            "the exam is not looked at: a leak has a low loss on what was prepared in the same way",
            _instead(leak="healthy"),
        ),
        Mistake(
            "leak and overfitting are exchanged: who overfits fails on all new sequences, a leak only at the exam",
            _instead(leak="overfitting", overfitting="leak"),
        ),
        Mistake(
            "the exam is asked before the new sequences: overfitting fails there as well, so ask `held` first",
            _instead(overfitting="leak"),
        ),
        Mistake(
            "the map is read from its wrong end: column 0 is the end of the sequence, the last column its beginning",
            _map_backwards,
        ),
        Mistake("the map is read in its last row; row 0 is from before the training", _map_late),
        Mistake(
            "the gradient map is not looked at, so that a vanishing gradient passes for wrong answers",
            _instead(vanishing_gradient="wrong answers"),
        ),
        Mistake(
            "dead units pass for a vanishing gradient: theirs is exactly zero, and that is asked first",
            _instead(dead_units="vanishing gradient"),
        ),
        Mistake(
            "whoever is worse than guessing is said to take too large steps; if the loss rises steadily, it is the sign",
            _instead(wrong_sign="learning rate too large"),
        ),
        Mistake(
            "whoever is worse than guessing is said to have the wrong sign; if the loss jumps about, the steps are too large",
            _instead(learning_rate_too_large="wrong sign"),
        ),
        Mistake(
            "the size of the steps is not looked at, so that a tiny learning rate passes for wrong answers",
            _instead(learning_rate_too_small="wrong answers"),
        ),
    ),
    styles=(diagnose_oracle, _questions_in_order, _first_of_a_table),
    least=5,  # of 20: a constant diagnosis is correct twice
    hints=(
        "Which patients can you tell before the training has begun? Which need the exam?",
        "Ten questions in the order of the round; the first that is answered yes decides. Only two of them need more than one comparison.",
        'Work out symptoms["by_lag"][0] and the three means of [-8:] first; then one `if` for each question, with `return` in it.',
    ),
    unchanged=0.0,
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
            "every prediction is compared with every target: (batch, 1) minus (batch,) is (batch, batch)",
            lambda p, t: np.mean((p - t) ** 2),
        ),
        Mistake("it is the sum; take the mean over the batch", lambda p, t: np.sum((p[:, 0] - t) ** 2)),
        Mistake("it is the mean of the absolute errors; square them", lambda p, t: np.mean(np.abs(p[:, 0] - t))),
        Mistake("it is the root of the mean; leave it squared", lambda p, t: np.sqrt(np.mean((p[:, 0] - t) ** 2))),
        Mistake("the squares are added up over the batch of all pairs", lambda p, t: np.sum((p - t) ** 2) / len(t)),
        Mistake("it is half the mean; here there is no factor 1/2", lambda p, t: np.mean((p[:, 0] - t) ** 2) / 2),
        Mistake("the errors of each prediction are still apart; return one number", lambda p, t: (p[:, 0] - t) ** 2),
    ),
    styles=(
        lambda predictions, targets: np.mean((predictions.reshape(-1) - targets) ** 2),
        lambda predictions, targets: float(np.square(predictions - targets[:, None]).mean()),
        lambda predictions, targets: (
            sum((p - t) ** 2 for p, t in zip(predictions.squeeze(1), targets, strict=True)) / len(targets)
        ),
    ),
    hints=(
        "Which shape has (batch, 1) minus (batch,), and why?",
        "Both have to have the same shape before they are subtracted.",
        "np.mean of (predictions[:, 0] - targets) squared.",
    ),
    unchanged=0.0,
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
        Challenge("a text that says the same all the time", 0.25, lambda rng: (np.full((1, 5), rng.integers(50)),)),
        Challenge("other texts", 0.75, lambda rng: _ids(rng, *sizes(rng, 2, 3, 9)), hidden=True),
    ),
    oracle=repair_pairs_oracle,
    mistakes=(
        Mistake(
            "the targets are the inputs: the answer stands in the question", lambda ids: (ids[:, :-1], ids[:, :-1])
        ),
        Mistake(
            "inputs and targets are exchanged: it would learn to read backwards", lambda ids: (ids[:, 1:], ids[:, :-1])
        ),
        Mistake("both are moved: the targets are the inputs again", lambda ids: (ids[:, 1:], ids[:, 1:])),
        Mistake(
            "the first symbol comes round to the end as a target; it is not what comes after the last",
            lambda ids: (ids, np.roll(ids, -1, axis=1)),
        ),
        Mistake("the texts are shifted against each other, not the symbols", lambda ids: (ids[:-1], ids[1:])),
        Mistake("only the last symbol is a target; every step has one", lambda ids: (ids[:, :-1], ids[:, -1])),
    ),
    styles=(
        lambda ids: (ids[:, :-1], ids[:, 1:]),
        lambda ids: (np.delete(ids, -1, axis=1), np.delete(ids, 0, axis=1)),
        lambda ids: tuple(np.array([[row[t + k] for t in range(len(row) - 1)] for row in ids]) for k in (0, 1)),
    ),
    hints=(
        "Write down three symbols. What is to be said after the first, and what after the second?",
        "The targets are the same symbols, one place later; the last has no successor, the first is nobody's.",
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
        Challenge("two features", 0.75, lambda rng: _series(rng, 4, 3, 5, 2)),
        Challenge("one feature, one test sequence", 0.25, lambda rng: _series(rng, 5, 1, 4, 1)),
        Challenge("other sizes", 0.75, lambda rng: _series(rng, *sizes(rng, 4, 2, 7)), hidden=True),
    ),
    oracle=repair_scaling_oracle,
    tolerance=Tolerance(1e-6, "a tiny number added to the divisor, as many do, is harmless"),
    mistakes=(
        Mistake(
            "the test data are scaled with their own mean: what has changed since the training disappears",
            lambda a, b: _scaled(a, b, of_test=lambda train, test: test),
        ),
        Mistake(
            "mean and deviation are those of both together: the training has seen the test data",
            lambda a, b: _scaled(a, b, of=lambda train, test: np.concatenate([train, test])),
        ),
        Mistake("all features share one mean and one deviation", lambda a, b: _scaled(a, b, axis=(0, 1, 2))),
        Mistake(
            "every step has a mean of its own; take it over sequences and steps", lambda a, b: _scaled(a, b, axis=0)
        ),
        Mistake("the deviation is left out", lambda a, b: _scaled(a, b, divide=False)),
        Mistake("the mean is left out", lambda a, b: _scaled(a, b, centre=False)),
        Mistake("both are scaled with the test data", lambda a, b: _scaled(a, b, of=lambda train, test: test)),
        Mistake("the test data are returned as they came", lambda a, b: (_scaled(a, b)[0], b)),
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
        "At the time of training, which data are there?",
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
        Challenge("one text begins", 0.5, lambda rng: _state_inputs(rng, 4, 3, "0100")),
        Challenge("no text begins", 0.25, lambda rng: _state_inputs(rng, 3, 2, "000"), edge=True),
        Challenge(
            "as many texts as units, half of them begin", 0.25, lambda rng: _state_inputs(rng, 4, 4), hidden=True
        ),
        Challenge("other sizes", 0.25, lambda rng: _state_inputs(rng, int(rng.integers(5, 9)), 3), hidden=True),
    ),
    oracle=repair_state_oracle,
    mistakes=(
        Mistake(
            "as soon as one text begins, all lose their memory",
            lambda h, begins: np.zeros_like(h) if begins.any() else h.copy(),
        ),
        Mistake("nothing is reset: a new text begins with the memories of another", lambda h, begins: h.copy()),
        Mistake(
            "it is the wrong way round: those that begin keep, the others lose", lambda h, begins: h * begins[:, None]
        ),
        Mistake("the zeros are written into h itself, which is still needed", _zeros_written),
        Mistake("all states are reset, whether a text begins or not", lambda h, begins: np.zeros_like(h)),
        Mistake(
            "only the rows that go on are returned; each text of the batch keeps its place",
            lambda h, begins: h[~begins],
        ),
    ),
    styles=(_own_copy, lambda h, begins: h * ~begins[:, None], lambda h, begins: np.where(begins[:, None], 0, h)),
    hints=(
        "Which axis of h are the texts? Which shape must begins have to be compared with h row by row?",
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
    angle, size = rng.uniform(0.5, 2.5), rng.uniform(0.3, 3)
    W = np.diag([0.0, 0.0, 0.4 * size])
    W[:2, :2] = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    Q = np.eye(3) + 0.3 * rng.normal(size=(3, 3))
    return (Q @ W @ np.linalg.inv(Q),)


def _negative(rng: Rng) -> tuple:
    Q = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    return (Q @ np.diag([-2.5, 1.0, 0.5, 0.2]) @ np.linalg.inv(Q),)


def _symmetric_part(W):
    return W / np.abs(np.linalg.eigvalsh((W + W.T) / 2)).max()


repair_start = Exercise(
    name="repair_start",
    challenges=(
        Challenge("a matrix that turns: complex eigenvalues", 0.5, _turning),
        Challenge("a negative eigenvalue is the largest", 0.25, _negative),
        Challenge("a positive eigenvalue is the largest", 0.25, lambda rng: (-_negative(rng)[0],)),
        Challenge("another matrix that turns", 0.5, _turning, hidden=True),
        Challenge("another with a negative eigenvalue", 0.25, _negative, hidden=True),
    ),
    oracle=repair_start_oracle,
    mistakes=(
        Mistake("it is far too small still: multiply by one over the radius", lambda W: 0.01 * W),
        Mistake(
            "the spectral norm is 1, which is the largest singular value; the radius is the largest |eigenvalue|",
            lambda W: W / np.linalg.norm(W, 2),
        ),
        Mistake(
            "the largest real part is taken; an eigenvalue counts by its absolute value, as a complex number",
            lambda W: W / np.linalg.eigvals(W).real.max(),
        ),
        Mistake("the Frobenius norm is 1; the radius is the largest |eigenvalue|", lambda W: W / np.linalg.norm(W)),
        Mistake("the largest entry is 1; the radius is the largest |eigenvalue|", lambda W: W / np.abs(W).max()),
        Mistake("it is multiplied by the radius; divide by it", lambda W: W * _radius(W)),
        Mistake("the eigenvalues are those of the symmetric part of W_hh", _symmetric_part),
    ),
    styles=(
        lambda W_hh: W_hh / _radius(W_hh),
        lambda W_hh: W_hh * (1 / max(abs(value) for value in np.linalg.eig(W_hh)[0])),
        lambda W_hh: np.true_divide(
            W_hh, np.sqrt((np.linalg.eigvals(W_hh) * np.linalg.eigvals(W_hh).conj()).real.max())
        ),
    ),
    hints=(
        "What happens to all eigenvalues of a matrix when it is multiplied by a number?",
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
        Challenge("no padding", 0.75, lambda rng: _pool_inputs(rng, ["11111"] * 3, 4)),
        Challenge(
            "sequences of different lengths", 0.75, lambda rng: _pool_inputs(rng, ["11111", "11000", "00111"], 4)
        ),
        Challenge("one step", 0.25, lambda rng: _pool_inputs(rng, ["1", "1"], 3)),
        Challenge("large scores", 0.5, lambda rng: _pool_inputs(rng, ["1110", "1011"], 3, scale=3000.0), hidden=True),
        Challenge("as many steps as units", 0.5, lambda rng: _pool_inputs(rng, ["1110", "1111"], 4), hidden=True),
    ),
    oracle=attention_pool_oracle,
    mistakes=(
        Mistake("the mask is not looked at: padding gets a share", lambda *a: _pool(*a, ignore=True)),
        Mistake(
            "the scores of the padding are set to 0, and exp(0) is 1: it still gets a share",
            lambda *a: _pool(*a, zeroed=True),
        ),
        Mistake(
            "the shares of the padding are set to 0 after the softmax, so that the others no longer add up to 1",
            _zeroed_after,
        ),
        Mistake(
            "the scores are not divided by the root of the number of units",
            lambda *a: _pool(*a, divisor=lambda units: 1),
        ),
        Mistake(
            "the scores are divided by the number of units; take its root",
            lambda *a: _pool(*a, divisor=lambda units: units),
        ),
        Mistake("there is no softmax: the shares are the scores", lambda *a: _pool(*a, soft=False)),
        Mistake(
            "the softmax runs over the batch; the shares of each sequence add up to 1", lambda *a: _pool(*a, axis=0)
        ),
        Mistake("only the best step is taken; every real step has a share", _hard),
        Mistake("the query is not used: every step has the same share", _even),
        Mistake("the shares are not divided by their sum", lambda *a: _pool(*a, total=True)),
        Mistake("the two results are exchanged; the context comes first", lambda *a: _pool(*a)[::-1]),
    ),
    styles=(_pool, _pool_with_products, _pool_row_by_row),
    hints=(
        "Over which axis do the shares add up to 1? What score leads to a share of exactly 0?",
        "Scores (batch, steps); padding to minus infinity; a softmax over the steps; then a mean of hs with these shares.",
        "np.where(mask, scores, -np.inf), minus the largest, np.exp, divided by the sum over axis 1; context is the sum of shares[..., None] * hs over axis 1.",
    ),
    unchanged=0.25,
)

EXERCISES = [diagnose, repair_error, repair_pairs, repair_scaling, repair_state, repair_start, attention_pool]
