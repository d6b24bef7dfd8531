"""Lesson 14: diagnosis of training runs, input dependence, a script with three faults, attention and its gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake, Tolerance
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers import clinic
from rnn_helpers.checks.fixtures import DIGITS, PREDICTORS

# ------------------------------------------------------------------------------------------- diagnose

ROUND = (
    "dead units",
    "exploding gradient",
    "vanishing gradient",
    "wrong sign",
    "learning rate too large",
    "learning rate too small",
    "wrong labels",
    "overfitting",
    "leak",
    "healthy",
)
FREQUENT = ("leak", "overfitting")  # in practice
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
            "wrong labels": lambda: _ending(half, above=True),
            **dict.fromkeys(("leak", "overfitting", "healthy"), lambda: _ending(half, above=False)),
        }.get(fault, lambda: _ending(worse, above=False))()
        norms = rng.uniform(1e-6, 1e-4, size=40)  # small, and some are exactly zero, except for a leak
        norms *= (rng.random(40) < 0.7) | (fault == "leak")
        updates = rng.uniform(1e-5, 0.99e-4, size=40)
        if fault != "learning rate too small":
            # among small ones; a large one makes their mean large as well
            updates[rng.integers(40)] = 1.02e-4 if fault == "wrong labels" else 0.02
        return (
            {
                "baseline": baseline,
                "train_loss": np.round(train, 5),
                "val_loss": _ending(half, above=fault not in ("leak", "healthy")),
                "deploy_loss": _ending(half, above=fault != "healthy"),
                "norms": np.round(norms * (fault != "dead units"), 6),
                "updates": np.round(updates, 6),
                "by_lag": np.round(inner * 10 ** rng.uniform(0, 3), 7),
            },
        )

    return draw


def _end(symptoms, name):
    return math.fsum(symptoms[name][-8:]) / 8


def _rises(symptoms):
    curve = list(symptoms["train_loss"])
    first, second, third = (math.fsum(part) / len(part) for part in (curve[:14], curve[14:27], curve[27:]))
    return second > 1.3 * first and third > 1.3 * second


def diagnose_oracle(symptoms):
    """Return the first of ten diagnoses whose condition holds."""
    first = list(symptoms["by_lag"][0])
    half = symptoms["baseline"] / 2
    worse = _end(symptoms, "train_loss") > 1.2 * symptoms["baseline"]
    answers = (
        all(norm == 0 for norm in symptoms["norms"]),
        first[-1] > 30 * first[0],
        first[-1] < first[0] / 10_000,
        worse and _rises(symptoms),
        worse,
        all(size < 1e-4 for size in symptoms["updates"]),
        _end(symptoms, "train_loss") > half,
        _end(symptoms, "val_loss") > half,
        _end(symptoms, "deploy_loss") > half,
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
    train, validation, alone = (end(symptoms[name]) for name in ("train_loss", "val_loss", "deploy_loss"))
    if dead(symptoms["norms"]):
        return "dead units"
    if lag > 30 or lag < 1e-4:
        return "exploding gradient" if lag > 1 else "vanishing gradient"
    if train > 1.2 * base:
        a, b, c = (part.mean() for part in np.array_split(symptoms["train_loss"], 3))
        return "wrong sign" if rises(a, b, c) else "learning rate too large"
    if slow(symptoms["updates"]) < 1e-4:
        return "learning rate too small"
    for name, loss in (("wrong labels", train), ("overfitting", validation), ("leak", alone)):
        if loss > base / 2:
            return name
    return "healthy"


def _first_of_a_table(symptoms):
    near, far = symptoms["by_lag"][0][[0, -1]]
    ends = {
        name: np.mean(symptoms[name][-8:]) / symptoms["baseline"] for name in ("train_loss", "val_loss", "deploy_loss")
    }
    thirds = [np.mean(part) for part in np.array_split(symptoms["train_loss"], 3)]
    steady = all(later > 1.3 * earlier for earlier, later in itertools.pairwise(thirds))
    small = np.all(symptoms["updates"] < 1e-4)
    first = [np.all(symptoms["norms"] == 0), far > 30 * near, far < 1e-4 * near]
    then = [
        ends["train_loss"] > 1.2 and steady,
        ends["train_loss"] > 1.2,
        small,
        *(end > 0.5 for end in ends.values()),
        True,
    ]
    return ROUND[int(np.argmax(first + then))]


diagnose = Exercise(
    name="diagnose",
    challenges=(
        *(Challenge(f"ward: {fault}", 0.0625, _from_ward(fault), fresh=_unseen(fault)) for fault in clinic.FAULTS),
        *(Challenge(f"borderline: {fault}", 0.0625, _borderline(fault)) for fault in clinic.FAULTS),
        *(Challenge(f"new patient: {fault}", 0.125, _unseen(fault), hidden=True) for fault in clinic.FAULTS),
        *(
            Challenge(f"new borderline: {fault}", 0.25 if fault in FREQUENT else 0.125, _borderline(fault), hidden=True)
            for fault in clinic.FAULTS
        ),
    ),
    oracle=diagnose_oracle,
    mistakes=(
        Mistake(
            "You look at the training loss only, so that a leak and overfitting pass for healthy.",
            _instead(leak="healthy", overfitting="healthy"),
        ),
        Mistake(
            "You never look at `deploy_loss`: a leak has a low loss on data that were prepared in the same way.",
            _instead(leak="healthy"),
        ),
        Mistake(
            "Leak and overfitting are interchanged: overfitting fails on all new sequences, a leak only in `deploy_loss`.",
            _instead(leak="overfitting", overfitting="leak"),
        ),
        Mistake(
            "You check `deploy_loss` before `val_loss`: overfitting fails in both, so check `val_loss` first.",
            _instead(overfitting="leak"),
        ),
        Mistake(
            "You read the map from the wrong end: column 0 is the end of the sequence, and the last column is its beginning.",
            _map_backwards,
        ),
        Mistake("You read the last row of the map: row 0 is from before the training.", _map_late),
        Mistake(
            "You report wrong labels for a vanishing gradient: check the gradient map first.",
            _instead(vanishing_gradient="wrong labels"),
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
            "You report wrong labels for a learning rate too small: check the size of the updates first.",
            _instead(learning_rate_too_small="wrong labels"),
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
        "Which patients can you diagnose before the training has begun? For which do you need `deploy_loss`?",
        "Ask the ten questions in their order; the first that is answered yes decides. Only one of them needs more than two comparisons.",
        'Compute symptoms["by_lag"][0] and the three means of [-8:] first; then one `if` for each question, with `return` in it.',
    ),
    unchanged=0.0,
    promised=(
        ("axis 0 of symptoms[deploy_loss] is always 40", "the task says so"),
        ("axis 0 of symptoms[val_loss] is always 40", "the task says so"),
        ("axis 0 of symptoms[norms] is always 40", "the task says so"),
        ("axis 0 of symptoms[train_loss] is always 40", "the task says so"),
        ("axis 0 of symptoms[updates] is always 40", "the task says so"),
        ("axis 0 of symptoms[by_lag] is always 8", "the task says so"),
        ("symptoms[deploy_loss] is never negative", "losses and norms are not"),
        ("symptoms[baseline] is never negative", "losses and norms are not"),
        ("symptoms[by_lag] is never negative", "losses and norms are not"),
        ("symptoms[val_loss] is never negative", "losses and norms are not"),
        ("symptoms[norms] is never negative", "losses and norms are not"),
        ("symptoms[train_loss] is never negative", "losses and norms are not"),
        ("symptoms[updates] is never negative", "losses and norms are not"),
        ("symptoms[updates] is always between -1 and 1", "an update is small beside the weights"),
    ),
)

# ----------------------------------------------------------------------------------- input_dependence


def input_dependence_oracle(predict, xs, row, eps):
    """Perturb one number at a time, up and down, and take the norm over the features."""
    batch, steps, features = xs.shape
    norms = np.zeros((batch, steps))
    for i in range(batch):
        for t in range(steps):
            slopes = []
            for f in range(features):
                shift = np.zeros_like(xs)
                shift[i, t, f] = eps
                slopes.append((float(predict(xs + shift)[row]) - float(predict(xs - shift)[row])) / (2 * eps))
            norms[i, t] = math.hypot(*slopes)
    return norms


def _dependence_inputs(*predictors):
    def draw(rng: Rng) -> tuple:
        batch, (steps, features) = int(rng.integers(2, 8)), sizes(rng, 2, 2, 5)
        predict = predictors[int(rng.integers(len(predictors)))]
        eps = float(rng.choice([0.05, 0.01, 0.002]))
        row = int(rng.integers(batch))
        return predict, numbers(rng, batch, steps, features, scale=0.6), row, eps

    return draw


def _slopes(predict, xs, row, eps, *, forward=False, output=None, inside=None):
    """Return the slopes (batch, steps, features); output: (outputs, sequence) -> the number that is differentiated."""
    read = output or (lambda outputs, _: outputs[row])
    slopes = np.zeros_like(xs)
    for index in np.ndindex(*xs.shape):
        shift = np.zeros_like(xs)
        shift[index if inside is None else inside(index)] = eps
        above, below = read(predict(xs + shift), index[0]), read(predict(xs if forward else xs - shift), index[0])
        slopes[index] = (above - below) / (eps if forward else 2 * eps)
    return slopes


def _dependence(*args, reduce=lambda slopes: np.linalg.norm(slopes, axis=-1), **options):
    return reduce(_slopes(*args, **options))


def _dependence_alone(predict, xs, row, eps):
    """Hand one sequence at a time to the predictor."""
    dependence = _dependence(predict, xs[row : row + 1], 0, eps)
    norms = np.zeros(xs.shape[:2])
    norms[row] = dependence[0]
    return norms


def _dependence_own_rows(predict, xs, row, eps):
    norms = _dependence(predict, xs, row, eps)
    return norms * (np.arange(len(xs)) == row)[:, None]


def _dependence_kept(predict, xs, row, eps):
    """Perturb the same array again and again, and never undo it."""
    moved, slopes = xs.copy(), np.zeros_like(xs)
    for index in np.ndindex(*xs.shape):
        moved[index] += eps
        above = predict(moved)[row]
        moved[index] -= 2 * eps
        slopes[index] = (above - predict(moved)[row]) / (2 * eps)
    return np.linalg.norm(slopes, axis=-1)


def _dependence_in_xs(predict, xs, row, eps):
    """Perturb xs itself upwards, because the copy was forgotten there."""
    slopes = np.zeros(xs.shape)
    for index in np.ndindex(*xs.shape):
        down = xs.copy()
        xs[index] += eps
        down[index] -= eps
        slopes[index] = (predict(xs)[row] - predict(down)[row]) / (2 * eps)
    return np.linalg.norm(slopes, axis=-1)


def _dependence_of_first_number(*args):
    slopes = _slopes(*args)
    slopes.flat[1:] = 0
    return np.linalg.norm(slopes, axis=-1)


def _dependence_many_at_once(predict, xs, row, eps):
    slopes = []
    for shift in np.eye(xs.size).reshape(-1, *xs.shape):
        slopes.append((predict(xs + eps * shift)[row] - predict(xs - eps * shift)[row]) / (2 * eps))
    return np.sqrt(np.sum(np.reshape(slopes, xs.shape) ** 2, axis=2))


def _dependence_undone(predict, xs, row, eps):
    x, squares = xs.copy(), np.zeros(xs.shape[:2])
    for i, t, f in np.ndindex(*xs.shape):
        original = x[i, t, f]
        x[i, t, f] = original + eps
        above = predict(x)[row]
        x[i, t, f] = original - eps
        below = predict(x)[row]
        x[i, t, f] = original
        squares[i, t] += ((above - below) / eps / 2) ** 2
    return squares**0.5


_OF_FEATURES = {
    "You add the slopes of the features: take the norm, the square root of the sum of their squares.": lambda s: s.sum(
        axis=-1
    ),
    "You add the absolute values of the slopes: take the norm, the square root of the sum of their squares.": (
        lambda s: np.abs(s).sum(axis=-1)
    ),
    "You take the largest slope of the features: take their norm.": lambda s: np.abs(s).max(axis=-1),
    "You return the sum of the squares: the norm is its square root.": lambda s: (s**2).sum(axis=-1),
    "You average over the features: the norm is the square root of the sum of the squares.": (
        lambda s: np.sqrt((s**2).mean(axis=-1))
    ),
    "You average the absolute values of the slopes: the norm is the square root of the sum of the squares.": (
        lambda s: np.abs(s).mean(axis=-1)
    ),
    "You keep the slope of the first feature only: take the norm over all features.": lambda s: np.abs(s[..., 0]),
    "You take the norm over the steps: take it over the features, so that the result is (batch, steps).": (
        lambda s: np.linalg.norm(s, axis=1)
    ),
    "You return the slope of every feature: take the norm over the features.": lambda s: s,
    "Your slopes are twice as large as they should be: the two inputs are 2 eps apart.": (
        lambda s: 2 * np.linalg.norm(s, axis=-1)
    ),
}

input_dependence = Exercise(
    name="input_dependence",
    challenges=(
        Challenge("a predictor that uses its own sequence", 0.5, _dependence_inputs(PREDICTORS[0])),
        Challenge("a predictor that also uses a neighbour", 0.5, _dependence_inputs(PREDICTORS[1])),
        Challenge("a predictor that mixes the sequences", 0.5, _dependence_inputs(PREDICTORS[2])),
        Challenge("other predictors", 1.0, _dependence_inputs(*PREDICTORS[2:]), hidden=True),
    ),
    oracle=input_dependence_oracle,
    mistakes=(
        *(
            Mistake(sentence, lambda *a, reduce=reduce: _dependence(*a, reduce=reduce))
            for sentence, reduce in _OF_FEATURES.items()
        ),
        Mistake(
            "You take a one-sided difference: perturb the input up and down, and divide by 2 eps.",
            lambda *a: _dependence(*a, forward=True),
        ),
        Mistake(
            "You differentiate the output of the sequence that is perturbed: use the output of `row` for all inputs.",
            lambda *a: _dependence(*a, output=lambda outputs, i: outputs[i]),
        ),
        Mistake(
            "You differentiate the sum of all outputs: use the output of `row` alone.",
            lambda *a: _dependence(*a, output=lambda outputs, _: outputs.sum()),
        ),
        Mistake(
            "You always differentiate the first output: use the output of `row`.",
            lambda *a: _dependence(*a, output=lambda outputs, _: outputs[0]),
        ),
        Mistake(
            "You perturb all features of a step at once: perturb one number at a time, and take the norm over the features.",
            lambda *a: _dependence(*a, inside=lambda index: index[:2], reduce=lambda s: np.abs(s[..., 0])),
        ),
        Mistake(
            "You perturb a step in all sequences at once: perturb one sequence at a time.",
            lambda *a: _dependence(*a, inside=lambda index: (slice(None), *index[1:])),
        ),
        Mistake(
            "You predict one sequence without the others: pass the whole batch, since the others are what you ask about.",
            _dependence_alone,
        ),
        Mistake(
            "You measure the inputs of `row` only: the inputs of the other sequences are what you ask about.",
            _dependence_own_rows,
        ),
        Mistake("You do not undo a perturbation before the next one: start from xs each time.", _dependence_kept),
        Mistake("You perturb xs itself: perturb a copy of it, and a new one for each number.", _dependence_in_xs),
        Mistake(
            "You stop after the first number of xs: is the `return` inside the loop?",
            _dependence_of_first_number,
        ),
    ),
    styles=(_dependence, _dependence_many_at_once, _dependence_undone),
    hints=(
        "How did lesson 05 measure the slope of a function with respect to one number? How many numbers has xs?",
        "For each sequence i, step t and feature f: perturb a copy of xs at [i, t, f] by eps up and down, and look at output `row` both times.",
        "slopes[i, t, f] = (predict(up)[row] - predict(down)[row]) / (2 * eps); return the square root of the sum of the squares over the last axis.",
    ),
    promised=(
        ("eps is never negative", "the task says so"),
        ("eps is always between -1 and 1", "a small number"),
        ("row is always smaller than axis 0 of xs", "a sequence of the batch"),
    ),
)

# ----------------------------------------------------------------------------------- repaired_train

MIXED, TWICE, LATE = "the sequences are mixed", "averaged twice", "clipped too late"
FAULTS = {
    MIXED: "`reshape` mixes the sequences of a batch, and `transpose(1, 0, 2)` would not",
    TWICE: "the gradient is divided by the batch size twice",
    LATE: "the clipping does not affect the update, since it comes after it (or is missing)",
}


def repaired_train_oracle(xs, targets, params, order, lr, clip):
    """Train one sequence at a time, and add up their gradients."""
    W_xh, W_hh, b_h, W_hy, b_y = params
    losses, forecasts = [], []
    for rows in order:
        total = [np.zeros_like(p) for p in params]
        batch_forecasts, squares = [], []
        for row in rows:
            hs = [np.zeros(len(b_h))]
            for x_t in xs[row]:
                hs.append(np.tanh(x_t @ W_xh + hs[-1] @ W_hh + b_h))
            batch_forecasts.append(float(hs[-1] @ W_hy[:, 0] + b_y[0]))
            squares.append((batch_forecasts[-1] - targets[row]) ** 2)
            dy = 2 * (batch_forecasts[-1] - targets[row]) / len(rows)
            total[3] = total[3] + dy * hs[-1][:, None]
            total[4] = total[4] + dy
            dh = dy * W_hy[:, 0]
            for t in range(len(hs) - 1, 0, -1):
                da = dh * (1 - hs[t] ** 2)
                total[0] = total[0] + np.outer(xs[row, t - 1], da)
                total[1] = total[1] + np.outer(hs[t - 1], da)
                total[2] = total[2] + da
                dh = W_hh @ da
        norm = math.sqrt(math.fsum(float(np.sum(g * g)) for g in total))
        share = clip / norm if norm > clip else 1.0
        W_xh, W_hh, b_h, W_hy, b_y = (
            p - lr * share * g for p, g in zip((W_xh, W_hh, b_h, W_hy, b_y), total, strict=True)
        )
        losses.append(math.fsum(squares) / len(rows))
        forecasts.append(batch_forecasts)
    return (W_xh, W_hh, b_h, W_hy, b_y), np.array(losses), np.array(forecasts)


def _transposed(x):
    return x.transpose(1, 0, 2)


def _reshaped(x):
    return x.reshape(x.shape[1], x.shape[0], -1)


def _clipped(grads, clip):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    return [g * min(1, clip / norm) for g in grads]


def _forecaster(
    xs,
    targets,
    params,
    order,
    lr,
    clip,
    *,
    read=_transposed,
    divisor=lambda n, steps: 1,
    limit=_clipped,
    per_sequence=lambda n: n,
    keep_state=False,
    dh_extra=1.0,
):
    losses, forecasts, h_last = [], [], None
    for rows in order:
        x, target, n = read(xs[rows]), targets[rows], len(rows)
        W_xh, W_hh, b_h, W_hy, b_y = params
        first = np.zeros((x.shape[1], len(b_h))) if h_last is None or not keep_state else h_last
        hs = [first]
        for x_t in x:
            hs.append(np.tanh(x_t @ W_xh + hs[-1] @ W_hh + b_h))
        h_last = hs[-1]
        forecast = (hs[-1] @ W_hy + b_y)[:, 0]
        off = forecast - target
        losses.append(np.mean(off**2))
        forecasts.append(forecast)
        dy = 2 * off[:, None] / per_sequence(n)
        dW_xh, dW_hh, db_h = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h)
        dh = dy @ W_hy.T
        for t in reversed(range(len(x))):
            da = dh * (1 - hs[t + 1] ** 2)
            dW_xh, dW_hh, db_h = dW_xh + x[t].T @ da, dW_hh + hs[t].T @ da, db_h + da.sum(axis=0)
            dh = dh_extra * da @ W_hh.T
        grads = [g / divisor(n, len(x)) for g in (dW_xh, dW_hh, db_h, hs[-1].T @ dy, dy.sum(axis=0))]
        params = [p - lr * g for p, g in zip(params, limit(grads, clip), strict=True)]
    return params, np.array(losses), np.array(forecasts)


def script_with(*faults: str):
    """Return the script in which these faults are still there."""
    options: dict[str, dict[str, Callable]] = {
        MIXED: {"read": _reshaped},
        TWICE: {"divisor": lambda n, steps: n},
        LATE: {"limit": lambda grads, clip: grads},
    }
    chosen = {key: value for fault in faults for key, value in options[fault].items()}
    return lambda *args: _forecaster(*args, **chosen)


def _unrepaired():
    """Yield (sentence, script) for each set of faults that are still there."""
    for count in (3, 2, 1):
        for faults in itertools.combinations(FAULTS, count):
            what = "; ".join(FAULTS[fault] for fault in faults)
            start = {
                3: "All three faults are still there",
                2: "Two faults are still there",
                1: "One fault is still there",
            }
            yield f"{start[count]}: {what}.", script_with(*faults)


def _each_by_itself(grads, clip):
    return [g * min(1, clip / np.linalg.norm(g)) for g in grads]


def _forecast_inputs(*, updates: int = 0, strong: bool = False, weak: bool = False):
    """Draw a small training run in which the faults show, each by itself and any two of them."""

    def draw(rng: Rng) -> tuple:
        while True:
            steps, features, units = (int(rng.integers(low, 8)) for low in (3, 2, 2))
            batch, count = int(rng.integers(3, 7)), updates or int(rng.integers(2, 9))
            n = int(rng.integers(3, 9))
            params = (
                numbers(rng, features, units, scale=0.5),
                numbers(rng, units, units, scale=0.6),
                numbers(rng, units, scale=0.8),
                numbers(rng, units, 1, scale=0.6),
                numbers(rng, 1, scale=0.9),
            )
            order = rng.integers(n, size=(count, batch))
            data = numbers(rng, n, steps, features), numbers(rng, n)
            lr = float(rng.choice([0.1, 0.25, 0.3, 1.1]))
            norms = _gradient_norms(*data, params, order, lr)
            clip = float(np.round(norms.min() * 0.08 if strong else norms.max() * 8 if weak else np.median(norms), 2))
            args = (*data, params, order, lr, clip)
            if clip >= 0.05 and (strong or weak or _all_differ(args)):
                return args

    return draw


def _gradient_norms(xs, targets, params, order, lr):
    """Return the norm of the gradient of each update, unclipped."""
    norms = []

    def note(grads, _clip):
        norms.append(float(np.sqrt(sum(np.sum(g**2) for g in grads))))
        return grads

    _forecaster(xs, targets, params, order, lr, 1.0, limit=note)
    return np.array(norms)


def _all_differ(args: tuple) -> bool:
    """Return whether each set of faults gives weights of its own."""
    ends = [solve(*args)[0] for _, solve in _unrepaired()] + [_forecaster(*args)[0]]
    return all(
        any(np.abs(a - b).max() > 1e-3 for a, b in zip(first, second, strict=True))
        for first, second in itertools.combinations(ends, 2)
    )


def _forecaster_by_sequence_axis(xs, targets, params, order, lr, clip):
    """Keep the batch first: no transposition at all."""
    losses, forecasts = [], []
    for rows in order:
        x, target = xs[rows], targets[rows]
        W_xh, W_hh, b_h, W_hy, b_y = params
        hs = np.zeros((len(rows), x.shape[1] + 1, len(b_h)))
        for t in range(x.shape[1]):
            hs[:, t + 1] = np.tanh(x[:, t] @ W_xh + hs[:, t] @ W_hh + b_h)
        forecast = hs[:, -1] @ W_hy[:, 0] + b_y
        dy = 2 * (forecast - target)[:, None]
        das, dh = np.zeros_like(hs[:, 1:]), dy @ W_hy.T
        for t in range(x.shape[1] - 1, -1, -1):
            das[:, t] = dh * (1 - hs[:, t + 1] ** 2)
            dh = das[:, t] @ W_hh.T
        grads = [
            np.einsum("btf,btu->fu", x, das) / len(rows),
            np.einsum("bti,btj->ij", hs[:, :-1], das) / len(rows),
            das.sum(axis=(0, 1)) / len(rows),
            hs[:, -1].T @ dy / len(rows),
            dy.mean(axis=0),
        ]
        norm = np.linalg.norm(np.concatenate([g.ravel() for g in grads]))
        if norm > clip:
            grads = [g * clip / norm for g in grads]
        params = [p - lr * g for p, g in zip(params, grads, strict=True)]
        losses.append(((forecast - target) ** 2).mean())
        forecasts.append(forecast)
    return params, np.array(losses), np.stack(forecasts)


def _forecaster_sum_then_mean(xs, targets, params, order, lr, clip):
    """Sum the gradients of the batch, and divide once, at the end."""

    def limit(grads, clip):
        grads = [g / order.shape[1] for g in grads]
        norm = np.linalg.norm([np.linalg.norm(g) for g in grads])
        return [g * (clip / max(clip, norm)) for g in grads]

    return _forecaster(xs, targets, params, order, lr, clip, per_sequence=lambda n: 1, limit=limit)


repaired_train = Exercise(
    name="repaired_train",
    challenges=(
        Challenge("one update, a small gradient", 0.75, _forecast_inputs(updates=1, weak=True)),
        Challenge("one update, a large gradient", 0.75, _forecast_inputs(updates=1, strong=True)),
        Challenge("several updates", 1.0, _forecast_inputs()),
        Challenge("other sizes", 1.0, _forecast_inputs(), hidden=True),
    ),
    oracle=repaired_train_oracle,
    mistakes=(
        *(Mistake(sentence, solve) for sentence, solve in _unrepaired()),
        Mistake(
            "You have removed both divisions by the batch size: the gradient of a mean needs one of them.",
            lambda *a: _forecaster(*a, per_sequence=lambda n: 1),
        ),
        Mistake(
            "You divide by the number of steps: the loss is a mean over the sequences of the batch only.",
            lambda *a: _forecaster(*a, divisor=lambda n, steps: steps),
        ),
        Mistake(
            "You have removed both divisions by the batch size, and `reshape` still mixes the sequences.",
            lambda *a: _forecaster(*a, per_sequence=lambda n: 1, read=_reshaped),
        ),
        Mistake(
            "You clip each gradient by its own norm: the limit applies to the norm of all gradients together.",
            lambda *a: _forecaster(*a, limit=_each_by_itself),
        ),
        Mistake(
            "You clip every entry by itself: scale all gradients by the same factor, so that their direction stays.",
            lambda *a: _forecaster(*a, limit=lambda grads, c: [np.clip(g, -c, c) for g in grads]),
        ),
        Mistake(
            "You scale every gradient to the norm `clip`: a smaller one should stay as it is.",
            lambda *a: _forecaster(
                *a, limit=lambda grads, c: [g * c / np.sqrt(sum(np.sum(q**2) for q in grads)) for g in grads]
            ),
        ),
        Mistake(
            "You limit the length of the update: `clip` is a limit for the gradient, before the learning rate.",
            lambda xs, ys, params, order, lr, clip: _forecaster(xs, ys, params, order, lr, clip / lr),
        ),
        Mistake(
            "You clip before you divide by the batch size a second time: one division is enough.",
            lambda *a: _forecaster(*a, limit=lambda grads, c: [g / len(a[3][0]) for g in _clipped(grads, c)]),
        ),
        Mistake(
            "You reshape in Fortran order, which still mixes the sequences: swap the first two axes with `transpose(1, 0, 2)`.",
            lambda *a: _forecaster(*a, read=lambda x: x.reshape(x.shape[1], x.shape[0], -1, order="F")),
        ),
        Mistake(
            "You read the sequences from their last step to their first: keep the order of the steps.",
            lambda *a: _forecaster(*a, read=lambda x: x.transpose(1, 0, 2)[::-1]),
        ),
        Mistake(
            "You carry the state of one batch into the next, whose sequences have nothing to do with it.",
            lambda *a: _forecaster(*a, keep_state=True),
        ),
        Mistake(
            "You have dropped the factor 2 of the square's derivative.",
            lambda *a: _forecaster(*a, per_sequence=lambda n: 2 * n),
        ),
    ),
    styles=(_forecaster, _forecaster_by_sequence_axis, _forecaster_sum_then_mean),
    hints=(
        "Which measurement is wrong: how fast one batch is learnt, the gradient check, or the map of the input dependence? Each points to one line.",
        "The gradient is 1/batch of what it should be; the limit `clip` is applied to gradients that are not used afterwards; and a reshape does not swap axes.",
        "x.transpose(1, 0, 2) in place of the reshape; no division in the line that makes the list of gradients; and the two lines about the norm move above the update.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("lr is never negative", "a learning rate"),
        ("clip is never negative", "a limit"),
        ("axis 1 of params[3] is always 1", "one forecast for each sequence"),
        ("axis 0 of params[4] is always 1", "one forecast for each sequence"),
    ),
)

# ------------------------------------------------------------------------------------------ attention


def attention_oracle(queries, keys, values, mask):
    """Return (context, weights), one query and one key at a time."""
    batch, outs, d = queries.shape
    steps, size = values.shape[1:]
    context, weights = np.zeros((batch, outs, size)), np.zeros((batch, outs, steps))
    for row in range(batch):
        real = [s for s in range(steps) if mask[row, s]]
        for t in range(outs):
            scores = {s: math.fsum(queries[row, t, j] * keys[row, s, j] for j in range(d)) / math.sqrt(d) for s in real}
            largest = max(scores.values())
            total = math.fsum(math.exp(score - largest) for score in scores.values())
            for s in real:
                weights[row, t, s] = math.exp(scores[s] - largest) / total
                context[row, t] += weights[row, t, s] * values[row, s]
    return context, weights


def _attention_inputs(rows: list[str] | None = None, *, scale: float = 1.0):
    """Return a draw; rows: the mask, a text of 0 and 1 for each sequence."""

    def draw(rng: Rng) -> tuple:
        batch, steps = (len(rows), len(rows[0])) if rows else (int(rng.integers(2, 8)), int(rng.integers(2, 7)))
        outs, d, size = sizes(rng, 3, 2, 7)
        mask = np.array([[mark == "1" for mark in row] for row in rows or []])
        if not rows:
            mask = rng.random((batch, steps)) < 0.7
            mask[np.arange(batch), rng.integers(steps, size=batch)] = True
        shapes = (batch, outs, d), (batch, steps, d), (batch, steps, size)
        queries, keys, values = (numbers(rng, *shape) for shape in shapes)
        return np.round(scale * queries, 2), keys, values, mask

    return draw


def _large_scores(rng: Rng) -> tuple:
    """Draw scores around 1000 at which np.exp overflows, and underflows if the largest of all is subtracted.

    In each row the two largest scores are within 2 of each other, so that both weights matter.
    """
    queries, keys, values, mask = _attention_inputs(["11101", "01111"])(rng)
    d = queries.shape[2]
    keys[0, 2], keys[1, 3] = keys[0, 0], keys[1, 1]
    for row, (first, second, size) in enumerate(((0, 2, 1000.0), (1, 3, 2200.0))):
        for t in range(queries.shape[1]):
            key = keys[row, first]
            queries[row, t] = key * size * np.sqrt(d) / (key @ key) * (1 + 0.1 * rng.random())
        keys[row, second] = np.round(key * (1 + rng.uniform(0.0003, 0.001)), 6)
        other_keys = [s for s in range(mask.shape[1]) if s not in (first, second)]
        keys[row, other_keys] *= np.where(keys[row, other_keys] @ key > 0, -1, 1)[:, None]
    return np.round(queries, 2), keys, values, mask


def _softmax(scores, axis=-1):
    e = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _attend(queries, keys, values, mask, *, divisor=lambda q, k, v: np.sqrt(q.shape[2]), hide=-np.inf, soft=_softmax):
    scores = queries @ keys.transpose(0, 2, 1) / divisor(queries, keys, values)
    if hide is not None:
        scores = np.where(mask[:, None], scores, hide)
    with np.errstate(all="ignore"):
        weights = soft(scores)
    return weights @ values, weights


def _unnormalised(scores):
    return np.exp(scores - scores.max(axis=-1, keepdims=True))


def _unshifted(scores):
    e = np.exp(scores)
    return e / e.sum(axis=-1, keepdims=True)


def _shifted_by_all(scores):
    return _unshifted(scores - scores.max())


def _only_the_largest(scores):
    return np.eye(scores.shape[-1])[scores.argmax(axis=-1)]


def _masked_after(queries, keys, values, mask, *, renormalise=False):
    weights = _attend(queries, keys, values, mask, hide=None)[1] * mask[:, None]
    if renormalise:
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ values, weights


def _attend_with_einsum(queries, keys, values, mask):
    scores = np.einsum("btd,bsd->bts", queries, keys) / queries.shape[-1] ** 0.5
    e = np.exp(scores - np.max(scores, axis=2, keepdims=True, where=mask[:, None], initial=-np.inf), where=mask[:, None],
               out=np.zeros_like(scores))  # fmt: skip
    weights = e / e.sum(axis=2, keepdims=True)
    return np.einsum("bts,bsv->btv", weights, values), weights


def _attend_row_by_row(queries, keys, values, mask):
    contexts, rows = [], []
    for q, k, v, real in zip(queries, keys, values, mask, strict=True):
        weights = np.zeros((len(q), len(k)))
        weights[:, real] = _softmax(q @ k[real].T / np.sqrt(k.shape[1]))
        rows.append(weights)
        contexts.append(weights @ v)
    return np.stack(contexts), np.stack(rows)


def _attend_with_large_negative(queries, keys, values, mask):
    return _attend(queries, keys, values, mask, hide=-1e30)


attention = Exercise(
    name="attention",
    challenges=(
        Challenge("no padding", 0.75, _attention_inputs(["1111", "1111", "1111"])),
        Challenge("padding in different places", 0.75, _attention_inputs(["11110", "00111", "01101"])),
        Challenge("scores of 1000 and more", 0.75, _large_scores),
        Challenge("other sizes", 1.25, _attention_inputs(), hidden=True),
    ),
    oracle=attention_oracle,
    tolerance=Tolerance(1e-6, "scores of 1000 lose three digits in a sum whose order is free"),
    mistakes=(
        Mistake(
            "You do not divide the scores by the square root of d, the size of queries and keys.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: 1.0),
        ),
        Mistake(
            "You divide the scores by d: divide them by its square root.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: q.shape[2]),
        ),
        Mistake(
            "You divide the scores by the square root of the number of steps: use d, the size of queries and keys.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: np.sqrt(k.shape[1])),
        ),
        Mistake(
            "You divide the scores by the square root of the size of the values: use d, the size of queries and keys.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: np.sqrt(v.shape[2])),
        ),
        Mistake(
            "You divide by the square root of the number of queries: use d, the size of queries and keys.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: np.sqrt(q.shape[1])),
        ),
        Mistake(
            "You multiply the scores by the square root of d: divide them by it.",
            lambda *a: _attend(*a, divisor=lambda q, k, v: 1 / np.sqrt(q.shape[2])),
        ),
        Mistake(
            "You do not use the mask, so that padding gets an attention weight.", lambda *a: _attend(*a, hide=None)
        ),
        Mistake(
            "You set the scores of padding to 0, which still gets a weight, because exp(0) is 1: use minus infinity.",
            lambda *a: _attend(*a, hide=0.0),
        ),
        Mistake(
            "You set the weights of padding to 0 after the softmax, so that they no longer sum to 1.", _masked_after
        ),
        Mistake(
            "Your mask is inverted: it is True where a step is real.",
            lambda q, k, v, mask: _attend(q, k, v, ~mask),
        ),
        Mistake(
            "Your softmax runs over the queries: it should run over the steps, the last axis of the scores.",
            lambda *a: _attend(*a, soft=lambda scores: _softmax(scores, axis=1)),
        ),
        Mistake(
            "Your softmax runs over the batch: it should run over the steps, the last axis of the scores.",
            lambda *a: _attend(*a, soft=lambda scores: _softmax(scores, axis=0)),
        ),
        Mistake(
            "You divide by the sum of all weights: those of each query should sum to 1.",
            lambda *a: _attend(*a, soft=lambda s: (e := _unnormalised(s)) / e.sum()),
        ),
        Mistake(
            "You do not divide the weights by their sum.",
            lambda *a: _attend(*a, soft=_unnormalised),
        ),
        Mistake(
            "np.exp overflows for large scores: subtract the largest score of each query first.",
            lambda *a: _attend(*a, soft=_unshifted),
        ),
        Mistake(
            "You subtract the largest of all scores: subtract the largest of each query.",
            lambda *a: _attend(*a, soft=_shifted_by_all),
        ),
        Mistake(
            "You use the scores themselves as weights: apply softmax over the steps.",
            lambda *a: _attend(*a, hide=0.0, soft=lambda scores: scores),
        ),
        Mistake(
            "You take the step with the largest score alone: every real step gets a weight.",
            lambda *a: _attend(*a, soft=_only_the_largest),
        ),
        Mistake(
            "Your weights do not depend on the queries: every real step gets the same one.",
            lambda *a: _attend(
                *a,
                soft=lambda scores: (
                    _softmax(0 * np.maximum(scores, -1e9) + np.minimum(0, scores + 1e9))
                    if np.isneginf(scores).any()
                    else np.full_like(scores, 1 / scores.shape[-1])
                ),
            ),
        ),
        Mistake(
            "You use the first query of each sequence for all outputs.",
            lambda q, k, v, mask: _attend(np.repeat(q[:, :1], q.shape[1], axis=1), k, v, mask),
        ),
        Mistake("The two results are interchanged: return the context first.", lambda *a: _attend(*a)[::-1]),
        Mistake(
            "Your context is the weighted mean of the keys: use the values.",
            lambda q, k, v, mask: (_attend(q, k, v, mask)[1] @ k, _attend(q, k, v, mask)[1]),
        ),
        Mistake(
            "Your context is the plain mean of the values: weight them with the attention weights.",
            lambda q, k, v, mask: (
                np.repeat(v.mean(axis=1, keepdims=True), q.shape[1], axis=1),
                _attend(q, k, v, mask)[1],
            ),
        ),
        Mistake(
            "You divide the context by the number of steps: the weights sum to 1 already.",
            lambda *a: (_attend(*a)[0] / a[1].shape[1], _attend(*a)[1]),
        ),
        Mistake(
            "You return the weights as (batch, steps, out_steps): a row for each query is expected.",
            lambda *a: (_attend(*a)[0], _attend(*a)[1].transpose(0, 2, 1)),
        ),
        Mistake(
            "You return the scores in place of the weights.",
            lambda q, k, v, mask: (
                _attend(q, k, v, mask)[0],
                np.where(mask[:, None], q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]), -np.inf),
            ),
        ),
        Mistake(
            "You return the unmasked scores in place of the weights.",
            lambda q, k, v, mask: (_attend(q, k, v, mask)[0], q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])),
        ),
    ),
    styles=(
        _attend,
        _attend_with_einsum,
        _attend_row_by_row,
        _attend_with_large_negative,
        lambda *a: _masked_after(*a, renormalise=True) if np.abs(a[0]).max() < 20 else _attend(*a),
    ),
    hints=(
        "Over which axis do the attention weights sum to 1? Which score gives a weight of exactly 0?",
        "Compute the scores (batch, out_steps, steps), set those of the padding to minus infinity, take a softmax over the last axis, then the weighted sum of the values.",
        "scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(d); np.where(mask[:, None], scores, -np.inf); minus the maximum of the last axis, np.exp, divided by the sum; weights @ values.",
    ),
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(("mask is True somewhere in each row", "the task says so"),),
)

# --------------------------------------------------------------------------------- attention_backward


def attention_backward_oracle(dcontext, queries, keys, values, weights):
    """Return (dqueries, dkeys, dvalues) with the Jacobian of softmax written out, one query at a time."""
    dqueries, dkeys, dvalues = (np.zeros_like(array) for array in (queries, keys, values))
    root = math.sqrt(queries.shape[2])
    for row, t in np.ndindex(*queries.shape[:2]):
        w = weights[row, t]
        jacobian = np.diag(w) - np.outer(w, w)
        for s in range(len(w)):
            dvalues[row, s] += w[s] * dcontext[row, t]
        dscores = jacobian @ [float(np.dot(values[row, s], dcontext[row, t])) for s in range(len(w))]
        for s in range(len(w)):
            dqueries[row, t] += dscores[s] * keys[row, s] / root
            dkeys[row, s] += dscores[s] * queries[row, t] / root
    return dqueries, dkeys, dvalues


def _backward_inputs(*, outs: int = 0, mask: bool = False):
    def draw(rng: Rng) -> tuple:
        rows = ["11101", "01111", "11011"][: int(rng.integers(2, 4))] if mask else None
        queries, keys, values, real = _attention_inputs(rows)(rng)
        if not mask:
            real = np.ones_like(real)
        queries = queries[:, : outs or None]
        weights = np.round(attention_oracle(queries, keys, values, real)[1], DIGITS)
        return numbers(rng, *queries.shape[:2], values.shape[2]), queries, keys, values, weights

    return draw


def _through_softmax(weights, dweights):
    return weights * (dweights - (weights * dweights).sum(axis=-1, keepdims=True))


def _attention_back(dcontext, queries, keys, values, weights, *, softmax=_through_softmax, divisor=np.sqrt):
    dweights = dcontext @ values.transpose(0, 2, 1)
    dscores = softmax(weights, dweights) / divisor(queries.shape[2])
    return dscores @ keys, dscores.transpose(0, 2, 1) @ queries, weights.transpose(0, 2, 1) @ dcontext


def _replaced(index: int, new):
    """Return a backward pass in which one of the three gradients is new(arguments, dscores)."""

    def solve(*args):
        results = list(_attention_back(*args))
        dcontext, queries, _keys, values, weights = args
        dscores = _through_softmax(weights, dcontext @ values.transpose(0, 2, 1)) / np.sqrt(queries.shape[2])
        results[index] = new(args, dscores)
        return tuple(results)

    return solve


def _attention_back_with_einsum(dcontext, queries, keys, values, weights):
    dweights = np.einsum("btv,bsv->bts", dcontext, values)
    mean = np.einsum("bts,bts->bt", weights, dweights)
    dscores = weights * dweights - weights * mean[:, :, None]
    scale = 1 / np.sqrt(keys.shape[-1])
    return (
        scale * np.einsum("bts,bsd->btd", dscores, keys),
        scale * np.einsum("bts,btd->bsd", dscores, queries),
        np.einsum("bts,btv->bsv", weights, dcontext),
    )


def _attention_back_with_jacobians(dcontext, queries, keys, values, weights):
    jacobians = weights[..., None] * np.eye(weights.shape[2]) - weights[..., None] * weights[:, :, None]
    dscores = (jacobians @ (dcontext @ values.swapaxes(1, 2))[..., None])[..., 0] / np.sqrt(queries.shape[2])
    return dscores @ keys, dscores.swapaxes(1, 2) @ queries, weights.swapaxes(1, 2) @ dcontext


attention_backward = Exercise(
    name="attention_backward",
    challenges=(
        Challenge("one query for each sequence", 0.5, _backward_inputs(outs=1)),
        Challenge("several queries", 0.75, _backward_inputs()),
        Challenge("some weights are 0, because of padding", 0.5, _backward_inputs(mask=True)),
        Challenge("other sizes", 0.75, _backward_inputs(), hidden=True),
    ),
    oracle=attention_backward_oracle,
    mistakes=(
        Mistake(
            "You leave the softmax out of the backward pass: the gradient of the weights is not yet that of the scores.",
            lambda *a: _attention_back(*a, softmax=lambda weights, dweights: dweights),
        ),
        Mistake(
            "You use the diagonal of softmax's Jacobian alone, w (1 - w): each score changes all weights of its query.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (1 - w) * d),
        ),
        Mistake(
            "You do not subtract the mean: dscores is weights * (dweights - the mean of dweights under the weights).",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * d),
        ),
        Mistake(
            "You subtract the sum of dweights: subtract the sum of weights * dweights.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (d - d.sum(axis=-1, keepdims=True))),
        ),
        Mistake(
            "You subtract the plain mean of dweights: the mean is weighted with the attention weights.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (d - d.mean(axis=-1, keepdims=True))),
        ),
        Mistake(
            "You subtract the weighted mean without multiplying it by the weights.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * d - (w * d).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "You add the weighted mean of dweights: it is subtracted.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (d + (w * d).sum(axis=-1, keepdims=True))),
        ),
        Mistake(
            "You sum weights * dweights over the queries: sum over the steps, the last axis.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (d - (w * d).sum(axis=1, keepdims=True))),
        ),
        Mistake(
            "You average weights * dweights over the steps: the weights sum to 1 already, so take the sum.",
            lambda *a: _attention_back(*a, softmax=lambda w, d: w * (d - (w * d).mean(axis=-1, keepdims=True))),
        ),
        Mistake(
            "You do not divide by the square root of d, as the forward pass does.",
            lambda *a: _attention_back(*a, divisor=lambda d: 1.0),
        ),
        Mistake(
            "You divide by d: the forward pass divides by its square root.",
            lambda *a: _attention_back(*a, divisor=lambda d: d),
        ),
        Mistake(
            "You multiply by the square root of d: divide, as the forward pass does.",
            lambda *a: _attention_back(*a, divisor=lambda d: 1 / np.sqrt(d)),
        ),
        Mistake(
            "You divide by the square root of the size of the values: use d, the size of queries and keys.",
            lambda *a: tuple(
                part * (np.sqrt(a[1].shape[2] / a[3].shape[2]) if index < 2 else 1)
                for index, part in enumerate(_attention_back(*a))
            ),
        ),
        Mistake(
            "dqueries lacks the division by the square root of d; dkeys has it.",
            lambda *a: (_attention_back(*a)[0] * np.sqrt(a[1].shape[2]), *_attention_back(*a)[1:]),
        ),
        Mistake(
            "dkeys lacks the division by the square root of d; dqueries has it.",
            lambda *a: (
                _attention_back(*a)[0],
                _attention_back(*a)[1] * np.sqrt(a[1].shape[2]),
                _attention_back(*a)[2],
            ),
        ),
        Mistake(
            "dvalues should not be divided by the square root of d: the values come after the scores.",
            lambda *a: (*_attention_back(*a)[:2], _attention_back(*a)[2] / np.sqrt(a[1].shape[2])),
        ),
        Mistake(
            "dqueries and dkeys are interchanged: return (dqueries, dkeys, dvalues).",
            lambda *a: (_attention_back(*a)[1], _attention_back(*a)[0], _attention_back(*a)[2]),
        ),
        Mistake(
            "The three results are in the wrong order: return (dqueries, dkeys, dvalues).",
            lambda *a: _attention_back(*a)[::-1],
        ),
        Mistake(
            "You compute dvalues with dscores: the values are weighted with the weights themselves.",
            _replaced(2, lambda args, dscores: dscores.transpose(0, 2, 1) @ args[0]),
        ),
        Mistake(
            "Your dkeys are those of one query: add up the contributions of all queries.",
            _replaced(1, lambda args, dscores: dscores[:, :1].transpose(0, 2, 1) @ args[1][:, :1]),
        ),
        Mistake(
            "Your dvalues are those of one query: add up the contributions of all queries.",
            _replaced(2, lambda args, dscores: args[4][:, :1].transpose(0, 2, 1) @ args[0][:, :1]),
        ),
        Mistake(
            "You average over the queries: each key and each value gets the sum of all contributions.",
            lambda *a: tuple(part / (a[1].shape[1] if index else 1) for index, part in enumerate(_attention_back(*a))),
        ),
        Mistake(
            "Your gradients have the wrong sign.",
            lambda *a: tuple(-part for part in _attention_back(*a)),
        ),
    ),
    styles=(_attention_back, _attention_back_with_einsum, _attention_back_with_jacobians),
    hints=(
        "Go backwards through context = weights @ values, weights = softmax(scores), scores = queries @ keys^T / sqrt(d). Which two gradients come out of the first line?",
        "dvalues = weights^T @ dcontext and dweights = dcontext @ values^T. Then through softmax: weights * (dweights - their mean under the weights). Then through the dot product.",
        "dscores = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) / np.sqrt(d); dqueries = dscores @ keys; dkeys = dscores.transpose(0, 2, 1) @ queries.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("weights is never negative", "they are attention weights"),
        ("weights is always between -1 and 1", "they are attention weights"),
    ),
)

EXERCISES = [diagnose, input_dependence, repaired_train, attention, attention_backward]
