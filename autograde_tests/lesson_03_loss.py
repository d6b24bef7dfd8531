"""Lesson 03: log-softmax, cross-entropy over time with its gradient, base rates, binary cross-entropy.

The oracles work on one step at a time with Python's math module.
"""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake
from autograde_tests.sampling import Rng, numbers, sizes

HUGE = 1000.0  # exp(HUGE) overflows float64

# ---------------------------------------------------------------------------------------- log_softmax


def log_softmax_oracle(logits):
    """Return log(e^z_c / sum_k e^z_k) for each row, as z_c - m - log(sum of e^(z_k - m))."""
    rows = logits.reshape(-1, logits.shape[-1])
    result = []
    for row in rows:
        top = max(row)
        total = math.log(math.fsum(math.exp(z - top) for z in row))
        result.append([z - top - total for z in row])
    return np.array(result).reshape(logits.shape)


def _huge(rng: Rng) -> tuple:
    logits = numbers(rng, 2, 3)
    logits[0, 0], logits[1, 2] = HUGE, -HUGE
    return (logits,)


def _shifted(logits):
    return logits - logits.max(axis=-1, keepdims=True)


def _softmax(logits, axis=-1):
    weights = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def _log_softmax(logits, axis=-1):
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _with_logaddexp(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1)[..., None]


def _row_by_row(logits):
    flat = logits.reshape(-1, logits.shape[-1])
    return np.array([row - row.max() - np.log(np.sum(np.exp(row - row.max()))) for row in flat]).reshape(logits.shape)


def _into_a_copy(logits):
    z = logits.copy()
    z -= z.max(axis=-1, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return z


log_softmax = Exercise(
    name="log_softmax",
    challenges=(
        Challenge(
            "equal logits", 0.5, lambda rng: (np.zeros((2, 4)),), fresh=lambda rng: (np.zeros(sizes(rng, 2, 2, 9)),)
        ),
        Challenge("a single row", 0.5, lambda rng: (numbers(rng, 4),)),
        Challenge("batch and steps", 1.0, lambda rng: (numbers(rng, *sizes(rng, 3)),)),
        Challenge("logits of 1000 and -1000", 1.0, _huge),
        Challenge(
            "four axes, logits near 500", 0.5, lambda rng: (numbers(rng, *sizes(rng, 4, 1, 5)) + 500.0,), hidden=True
        ),
    ),
    oracle=log_softmax_oracle,
    mistakes=(
        Mistake(
            "Your exponentials overflow: subtract the largest logit of each row first.",
            lambda z: np.log(np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "You take the logarithm of a probability that has rounded to 0: compute log-probabilities directly from the logits.",
            lambda z: np.log(_softmax(z)),
        ),
        Mistake("You leave out the logarithm: this is softmax.", _softmax),
        Mistake("You subtract only the largest logit; the logarithm of the sum of exponentials is missing.", _shifted),
        Mistake(
            "Your sum runs over all entries; it should run over the classes of each row.",
            lambda z: z - z.max() - np.log(np.exp(z - z.max()).sum()),
        ),
        Mistake(
            "Your sum runs over the axis before the classes; it should run over the last axis.",
            lambda z: _log_softmax(z, axis=-2),
        ),
        Mistake(
            "You use the logarithm to base 2; here it should be the natural logarithm.",
            lambda z: _log_softmax(z) / np.log(2),
        ),
        Mistake("Your result has the opposite sign.", lambda z: -_log_softmax(z)),
        Mistake(
            "You subtract the largest logit inside the sum, but not from the logits themselves.",
            lambda z: z - np.log(np.exp(_shifted(z)).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "Your sum of exponentials overflows: subtract the largest logit of each row first.",
            lambda z: z - np.log(np.exp(z).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "You add 1e-12 to the probability before the logarithm, which hides a log(0): compute log-probabilities directly.",
            lambda z: np.log(_softmax(z) + 1e-12),
        ),
        Mistake(
            "You subtract the largest of all logits; subtract the largest of each row.",
            lambda z: z - z.max() - np.log(np.exp(z - z.max()).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "You mix np.log2 with powers of e; use np.log.",
            lambda z: _shifted(z) - np.log2(np.exp(_shifted(z)).sum(axis=-1, keepdims=True)),
        ),
        Mistake(
            "You mix np.log10 with powers of e; use np.log.",
            lambda z: _shifted(z) - np.log10(np.exp(_shifted(z)).sum(axis=-1, keepdims=True)),
        ),
    ),
    styles=(_with_logaddexp, _row_by_row, _into_a_copy),
    hints=(
        "What is log(a / b) in terms of log a and log b?",
        "log softmax is the logit minus the log of the sum of exponentials. Subtracting one number from all logits changes nothing.",
        "Subtract the row's max (axis=-1, keepdims=True); call it z. Return z minus np.log of the sum of np.exp(z) over axis -1, again with keepdims=True.",
    ),
    not_allowed=FROM_SCRATCH,
)

# ----------------------------------------------------------------------------- sequence_cross_entropy


def sequence_cross_entropy_oracle(logits, targets, mask):
    """Return the mean over the real steps of -log p(target), one step after the other."""
    losses = []
    for row in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if mask[row, t]:
                losses.append(-log_softmax_oracle(logits[row, t : t + 1])[0, targets[row, t]])
    return math.fsum(losses) / len(losses)


def _targets_inputs(rng: Rng, rows: list[str], classes: int) -> tuple:
    """Draw (logits, targets, mask); a row of the mask is a string such as "1101"."""
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    targets = rng.integers(0, classes, size=mask.shape)
    logits = 2 * numbers(rng, *mask.shape, classes)
    return logits, np.where(mask, targets, 0), mask


def _loud_padding(rng: Rng) -> tuple:
    """Draw more sequences than steps, one of them padding only, with large logits in the padding."""
    rows = rng.permutation(["110", "000", "011", "101", "100"]).tolist()
    logits, targets, mask = _targets_inputs(rng, rows, 3)
    logits[~mask] = [90.0, -90.0, 50.0]
    return logits, np.where(mask, targets, 1), mask


def _losses(logits, targets):
    return -np.take_along_axis(_log_softmax(logits), targets[..., None], axis=-1)[..., 0]


def _with_one_hot(logits, targets, mask):
    chosen = (_log_softmax(logits) * np.eye(logits.shape[-1])[targets]).sum(axis=-1)
    return -chosen[mask].mean()


def _with_fancy_index(logits, targets, mask):
    rows, steps = np.nonzero(mask)
    return np.mean(-_log_softmax(logits)[rows, steps, targets[rows, steps]])


def _with_weights(logits, targets, mask):
    return np.average(_losses(logits, targets), weights=mask)


def _mean_of_means(logits, targets, mask):
    return np.mean((_losses(logits, targets) * mask).sum(axis=1) / mask.sum(axis=1))


sequence_cross_entropy = Exercise(
    name="sequence_cross_entropy",
    challenges=(
        Challenge("one step", 1.0, lambda rng: _targets_inputs(rng, ["1"], 3)),
        Challenge("two sequences of equal length", 1.0, lambda rng: _targets_inputs(rng, ["111", "111"], 4)),
        Challenge("different lengths", 1.0, lambda rng: _targets_inputs(rng, ["11111", "11000"], 3)),
        Challenge("a gap in the middle", 0.5, lambda rng: _targets_inputs(rng, ["1011", "0110"], 3)),
        Challenge("arbitrary values in the padding", 1.0, _loud_padding, hidden=True),
    ),
    oracle=sequence_cross_entropy_oracle,
    mistakes=(
        Mistake("You ignore the mask.", lambda z, y, m: _losses(z, y).mean()),
        Mistake(
            "You divide by the number of all steps, padding included; divide by the number of real steps.",
            lambda z, y, m: (_losses(z, y) * m).mean(),
        ),
        Mistake(
            "You return the sum of the losses; it should be their mean.", lambda z, y, m: (_losses(z, y) * m).sum()
        ),
        Mistake(
            "You average each sequence first, so that each step of a short sequence counts more; take one mean over all real steps.",
            _mean_of_means,
        ),
        Mistake("You leave out the minus sign.", lambda z, y, m: -_losses(z, y)[m].mean()),
        Mistake(
            "You use the logit of the target itself; apply log_softmax first.",
            lambda z, y, m: -np.take_along_axis(z, y[..., None], axis=-1)[..., 0][m].mean(),
        ),
        Mistake(
            "You use the probability of the target without its logarithm.",
            lambda z, y, m: -np.exp(-_losses(z, y))[m].mean(),
        ),
        Mistake(
            "You average over the batch but sum over the steps; divide by the number of real steps.",
            lambda z, y, m: (_losses(z, y) * m).sum() / len(z),
        ),
        Mistake(
            "You measure the loss in bits, with the logarithm to base 2; here it should be the natural logarithm.",
            lambda z, y, m: _losses(z, y)[m].mean() / np.log(2),
        ),
        Mistake(
            "Your mean also runs over the classes; divide by the number of real steps.",
            lambda z, y, m: _losses(z, y)[m].mean() / z.shape[-1],
        ),
        Mistake(
            "You pick the targets of all steps at every step; pick each step's own, with np.take_along_axis.",
            lambda z, y, m: -_log_softmax(z)[:, :, y][m].mean(),
        ),
        Mistake(
            "You use the largest log-probability of each step; it should be that of the target.",
            lambda z, y, m: -_log_softmax(z).max(axis=-1)[m].mean(),
        ),
    ),
    styles=(_with_one_hot, _with_fancy_index, _with_weights),
    hints=(
        "For one step: which of the log-probabilities matters, and with which sign?",
        "np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0] picks one number for each step.",
        "Pick the target's log-probability at every step, keep the real steps with [mask], and return minus their mean.",
    ),
    not_allowed=FROM_SCRATCH,
)

# ----------------------------------------------------------------------------- cross_entropy_gradient


def cross_entropy_gradient_oracle(logits, targets, mask):
    """Return d loss / d logits: at each real step (softmax - one-hot) / number of real steps, one entry at a time."""
    gradient, real = np.zeros(logits.shape), int(mask.sum())
    for row, t in zip(*np.nonzero(mask), strict=True):
        for c, log_p in enumerate(log_softmax_oracle(logits[row, t : t + 1])[0]):
            gradient[row, t, c] = (math.exp(log_p) - (c == targets[row, t])) / real
    return gradient


def _one_hot(logits, targets):
    return np.eye(logits.shape[-1])[targets]


def _gradient(logits, targets, mask):
    return (_softmax(logits) - _one_hot(logits, targets)) * mask[..., None] / mask.sum()


def _gradient_by_subtracting(logits, targets, mask):
    gradient = _softmax(logits)
    np.put_along_axis(gradient, targets[..., None], np.take_along_axis(gradient, targets[..., None], -1) - 1, -1)
    gradient[~mask] = 0.0
    return gradient / np.count_nonzero(mask)


def _gradient_only_where_real(logits, targets, mask):
    gradient = np.zeros_like(logits)
    gradient[mask] = (np.exp(_log_softmax(logits[mask])) - _one_hot(logits, targets[mask])) / mask.sum()
    return gradient


cross_entropy_gradient = Exercise(
    name="cross_entropy_gradient",
    challenges=(
        Challenge("one step", 1.0, lambda rng: _targets_inputs(rng, ["1"], 3)),
        Challenge("equal lengths", 1.0, lambda rng: _targets_inputs(rng, ["111", "111"], 4)),
        Challenge("different lengths", 1.0, lambda rng: _targets_inputs(rng, ["1111", "1100", "1000"], 3)),
        Challenge("a gap in the middle", 0.5, lambda rng: _targets_inputs(rng, ["1011", "0110"], 3)),
        Challenge("arbitrary values in the padding", 1.0, _loud_padding, hidden=True),
    ),
    oracle=cross_entropy_gradient_oracle,
    mistakes=(
        Mistake(
            "You do not subtract 1 at the target; the gradient is softmax minus one-hot.",
            lambda z, y, m: _softmax(z) * m[..., None] / m.sum(),
        ),
        Mistake(
            "Your gradient has the opposite sign; it is softmax minus one-hot.", lambda z, y, m: -_gradient(z, y, m)
        ),
        Mistake(
            "You do not divide by the number of real steps: this is the gradient of the sum.",
            lambda z, y, m: _gradient(z, y, m) * m.sum(),
        ),
        Mistake(
            "You divide by the number of all steps, padding included; divide by the number of real steps.",
            lambda z, y, m: _gradient(z, y, m) * m.mean(),
        ),
        Mistake(
            "You divide by the number of sequences; divide by the number of real steps.",
            lambda z, y, m: _gradient(z, y, m) * m.sum() / len(z),
        ),
        Mistake("Your gradient is not zero in the padding.", lambda z, y, m: (_softmax(z) - _one_hot(z, y)) / m.sum()),
        Mistake(
            "You use log-softmax; the gradient is softmax minus one-hot.",
            lambda z, y, m: (_log_softmax(z) - _one_hot(z, y)) * m[..., None] / m.sum(),
        ),
        Mistake(
            "You subtract the one-hot targets from the logits; subtract them from softmax.",
            lambda z, y, m: (z - _one_hot(z, y)) * m[..., None] / m.sum(),
        ),
        Mistake(
            "You subtract the class numbers; subtract the one-hot targets.",
            lambda z, y, m: (_softmax(z) - y[..., None]) * m[..., None] / m.sum(),
        ),
        Mistake(
            "Your gradient is zero except at the target; the other classes have one too, their probability.",
            lambda z, y, m: _gradient(z, y, m) * _one_hot(z, y),
        ),
        Mistake(
            "You divide by the steps of each sequence and by the batch; divide by the number of real steps of the whole batch.",
            lambda z, y, m: (
                (_softmax(z) - _one_hot(z, y)) * m[..., None] / np.maximum(m.sum(axis=1), 1)[:, None, None] / len(z)
            ),
        ),
        Mistake(
            "You subtract 1 at the targets of all steps; subtract it at each step's own target.",
            lambda z, y, m: (_softmax(z) - np.isin(np.arange(z.shape[-1]), y)) * m[..., None] / m.sum(),
        ),
    ),
    styles=(_gradient, _gradient_by_subtracting, _gradient_only_where_real),
    hints=(
        "The loss of one step is log(sum of e^z) - z_target. What is the derivative of each of the two parts?",
        "The first part gives softmax, the second a 1 at the target: softmax minus one-hot. The mean divides by the real steps.",
        "np.exp(log_softmax(logits)) minus np.eye(classes)[targets], times mask[..., None], divided by mask.sum().",
    ),
    not_allowed=FROM_SCRATCH,
)

# ------------------------------------------------------------------------------- binary_cross_entropy


def binary_cross_entropy_oracle(logits, targets):
    """Return the mean of log(1 + e^z) - y z, written so that the exponential never overflows."""
    losses = []
    for z, y in zip(logits.ravel(), targets.ravel(), strict=True):
        losses.append(math.log1p(math.exp(-abs(z))) + max(z, 0.0) - y * z)
    return math.fsum(losses) / len(losses)


def _binary_inputs(rng: Rng, *shape: int) -> tuple:
    targets = rng.integers(0, 2, size=shape)
    targets.flat[0] = 1 - targets.flat[-1] if targets.size > 1 else targets.flat[0]
    return 2 * numbers(rng, *shape), targets.astype(float)


def _binary_huge(rng: Rng) -> tuple:
    return np.array([HUGE, -HUGE, HUGE, 0.5]), np.array([1.0, 0.0, 0.0, 1.0])


def _binary_huge_drawn(rng: Rng) -> tuple:
    """Draw a correct and a wrong extreme forecast of each class, and a few moderate ones."""
    logits, targets = np.array([HUGE, -HUGE, HUGE, -HUGE]), np.array([1.0, 0.0, 0.0, 1.0])
    more, more_targets = _binary_inputs(rng, int(rng.integers(1, 5)))
    order = rng.permutation(4 + len(more))
    return np.append(logits, more)[order], np.append(targets, more_targets)[order]


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _clipped(z, y, least):
    p = np.clip(_sigmoid(z), least, 1 - least)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


binary_cross_entropy = Exercise(
    name="binary_cross_entropy",
    challenges=(
        Challenge(
            "logits of zero",
            0.5,
            lambda rng: (np.zeros(4), np.array([0.0, 1.0, 1.0, 0.0])),
            edge=True,
        ),
        Challenge("a matrix of logits", 0.5, lambda rng: _binary_inputs(rng, *sizes(rng, 2))),
        Challenge("logits of 1000 and -1000", 1.0, _binary_huge, fresh=_binary_huge_drawn),
        Challenge("any shape", 0.5, lambda rng: _binary_inputs(rng, *sizes(rng, 3)), hidden=True),
    ),
    oracle=binary_cross_entropy_oracle,
    mistakes=(
        Mistake(
            "You take the logarithm of a sigmoid that has rounded to 0: compute the loss from the logit itself.",
            lambda z, y: -np.mean(y * np.log(_sigmoid(z)) + (1 - y) * np.log(1 - _sigmoid(z))),
        ),
        Mistake(
            "Your np.exp overflows inside log(1 + e^z); np.logaddexp(0, z) does not.",
            lambda z, y: np.mean(np.log(1 + np.exp(z)) - y * z),
        ),
        Mistake(
            "Only the items with target 1 contribute to your loss; those with target 0 need -log(1 - p).",
            lambda z, y: np.mean(y * np.logaddexp(0, -z)),
        ),
        Mistake(
            "Only the items with target 0 contribute to your loss; those with target 1 need -log p.",
            lambda z, y: np.mean((1 - y) * np.logaddexp(0, z)),
        ),
        Mistake("You swap the targets 0 and 1.", lambda z, y: np.mean(np.logaddexp(0, z) - (1 - y) * z)),
        Mistake(
            "You return the sum of the losses; it should be their mean.",
            lambda z, y: np.sum(np.logaddexp(0, z) - y * z),
        ),
        Mistake("Your result has the opposite sign.", lambda z, y: -np.mean(np.logaddexp(0, z) - y * z)),
        Mistake(
            "You measure the loss in bits, with the logarithm to base 2; here it should be the natural logarithm.",
            lambda z, y: np.mean(np.logaddexp(0, z) - y * z) / np.log(2),
        ),
        Mistake(
            "You clip the probability at 1e-12, which limits the loss of a confident mistake; compute it from the logit.",
            lambda z, y: _clipped(z, y, 1e-12),
        ),
        Mistake(
            "You clip the probability at 1e-7, which limits the loss of a confident mistake; compute it from the logit.",
            lambda z, y: _clipped(z, y, 1e-7),
        ),
        Mistake("You return the squared error of the probabilities.", lambda z, y: np.mean((_sigmoid(z) - y) ** 2)),
    ),
    styles=(
        lambda logits, targets: np.mean(np.logaddexp(0, logits) - targets * logits),
        lambda logits, targets: float(
            np.mean(np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits))))
        ),
        lambda logits, targets: np.mean(np.where(targets == 1, np.logaddexp(0, -logits), np.logaddexp(0, logits))),
    ),
    hints=(
        "What is -log(sigmoid(z)) when you write the sigmoid out? And -log(1 - sigmoid(z))?",
        "Both have the form log(1 + e^something). np.logaddexp(0, a) is log(e^0 + e^a), and never overflows.",
        "The loss of one item is np.logaddexp(0, z) minus c times z, where c is its target. Return the mean.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("targets is never negative", "the classes are 0 and 1"),
        ("targets is always between -1 and 1", "the classes are 0 and 1"),
        ("targets holds whole numbers", "the classes are 0 and 1"),
    ),
)

# ------------------------------------------------------------------------------------- base_rate_loss


def base_rate_loss_oracle(targets, mask):
    """Return the mean over the real steps of -log(frequency of the target), one step after the other."""
    real = targets[mask].tolist()
    return math.fsum(-math.log(real.count(target) / len(real)) for target in real) / len(real)


def _class_inputs(rng: Rng, rows: list[str], classes: list[int]) -> tuple:
    """Draw (targets, mask) in which each class occurs at a real step, more often the earlier it is in `classes`."""
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    weights = np.arange(len(classes), 0, -1) ** 2.0
    real = rng.choice(classes, size=mask.sum(), p=weights / weights.sum())
    real[: len(classes)] = classes
    targets = np.zeros(mask.shape, dtype=int)
    targets[mask] = rng.permutation(real)
    return targets, mask


def _drawn_lengths(rng: Rng, classes: list[int]) -> tuple:
    """Draw inputs of any shape with padding, some of them with a gap or with padding in front."""
    steps, batch = (int(size) for size in rng.integers(3, 8, size=2))
    lengths = rng.integers(0, steps, size=batch)
    lengths[:2] = steps, steps - 1  # at least one full row, at least one with padding
    rows = ["1" * length + "0" * (steps - length) for length in lengths]
    if rng.random() < 0.5:
        rows[0] = f"1{'0' * int(rng.integers(1, steps - 1))}".ljust(steps, "1")
        rows[1] = rows[1][::-1]
    return _class_inputs(rng, rng.permutation(rows).tolist(), classes)


def _other_padding(rng: Rng) -> tuple:
    """Draw inputs with a class in the padding that no real step has."""
    targets, mask = _drawn_lengths(rng, [2, 0, 1])
    return np.where(mask, targets, 4), mask


def _frequencies(targets, mask):
    counts = np.bincount(targets[mask])
    return counts[counts > 0] / counts.sum()


def _entropy(p):
    return -(p * np.log(p)).sum()


def _base_rate_from_logits(targets, mask):
    counts = np.bincount(targets[mask], minlength=targets.max() + 1)
    logits = np.log(np.maximum(counts, 1e-300))
    steps = np.broadcast_to(logits, (*targets.shape, len(logits)))
    return -np.take_along_axis(_log_softmax(steps), targets[..., None], axis=-1)[..., 0][mask].mean()


def _base_rate_by_counting(targets, mask):
    real = list(targets[mask])
    return sum(-math.log(real.count(c) / len(real)) * real.count(c) / len(real) for c in set(real))


def _base_rate_with_zeros(targets, mask):
    p = np.bincount(targets[mask]) / mask.sum()
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)))


def _with_nan(targets, mask):
    p = np.bincount(targets[mask], minlength=targets.max() + 1) / mask.sum()
    return -np.sum(p * np.log(p))


base_rate_loss = Exercise(
    name="base_rate_loss",
    challenges=(
        Challenge(
            "one sequence, two classes",
            0.5,
            lambda rng: _class_inputs(rng, ["11111"], [1, 0]),
            fresh=lambda rng: _class_inputs(rng, ["1" * int(rng.integers(6, 14))], [1, 0]),
        ),
        Challenge(
            "different lengths",
            1.0,
            lambda rng: _class_inputs(rng, ["11111", "11100"], [1, 0, 2]),
            fresh=lambda rng: _drawn_lengths(rng, [1, 0, 2]),
        ),
        Challenge(
            "a class that never occurs",
            0.5,
            lambda rng: _class_inputs(rng, ["1111", "1110"], [3, 0, 1]),
            fresh=lambda rng: _drawn_lengths(rng, [3, 0, 1]),
        ),
        Challenge("arbitrary classes in the padding", 0.5, _other_padding, hidden=True),
    ),
    oracle=base_rate_loss_oracle,
    mistakes=(
        Mistake("You count the padded steps too.", lambda y, m: _entropy(_frequencies(y, np.ones_like(m)))),
        Mistake(
            "You divide by the number of all steps, padding included; divide by the number of real steps.",
            lambda y, m: _entropy(_frequencies(y, m) * m.mean()),
        ),
        Mistake(
            "You average the surprise over the classes; weight each class by its frequency.",
            lambda y, m: -np.log(_frequencies(y, m)).mean(),
        ),
        Mistake(
            "You add up the surprise of each class once; weight each class by its frequency.",
            lambda y, m: -np.log(_frequencies(y, m)).sum(),
        ),
        Mistake(
            "You weight each class by its count: this is the sum over the steps; it should be their mean.",
            lambda y, m: _entropy(_frequencies(y, m)) * m.sum(),
        ),
        Mistake(
            "Your sum over the classes is divided by their number; the frequencies are weights already.",
            lambda y, m: _entropy(_frequencies(y, m)) / len(_frequencies(y, m)),
        ),
        Mistake("You leave out the minus sign.", lambda y, m: -_entropy(_frequencies(y, m))),
        Mistake("You leave out the logarithm.", lambda y, m: np.sum(_frequencies(y, m) ** 2)),
        Mistake(
            "You return the Gini impurity, 1 minus the sum of the squared frequencies; take the mean of -log p.",
            lambda y, m: 1 - np.sum(_frequencies(y, m) ** 2),
        ),
        Mistake(
            "You use the logarithm to base 2; here it should be the natural logarithm.",
            lambda y, m: _entropy(_frequencies(y, m)) / np.log(2),
        ),
        Mistake(
            "You return the loss of equal probabilities; use the frequency of each class.",
            lambda y, m: np.log(len(_frequencies(y, m))),
        ),
        Mistake(
            "You return the surprise at the most frequent class alone; take the mean over all steps.",
            lambda y, m: -np.log(_frequencies(y, m).max()),
        ),
        Mistake(
            "You return the perplexity; return the loss itself, its logarithm.",
            lambda y, m: np.exp(_entropy(_frequencies(y, m))),
        ),
        Mistake(
            "You multiply a frequency of 0 by log 0, which gives nan; leave out the classes that never occur.",
            _with_nan,
        ),
        Mistake(
            "You compute frequencies for each sequence; count over the whole batch.",
            lambda y, m: np.mean([_entropy(_frequencies(row, real)) for row, real in zip(y, m, strict=True)]),
        ),
    ),
    styles=(
        lambda targets, mask: _entropy(_frequencies(targets, mask)),
        _base_rate_from_logits,
        _base_rate_by_counting,
        _base_rate_with_zeros,
    ),
    hints=(
        "If a class has the frequency p, how surprised is the model each time it occurs? And how often does it occur?",
        "The loss is the sum over the classes of p times -log p, where p is a frequency among targets[mask].",
        "np.unique(targets[mask], return_counts=True) gives the counts; divide them by their sum to get p, and return -(p * np.log(p)).sum().",
    ),
)

EXERCISES = [log_softmax, sequence_cross_entropy, base_rate_loss, cross_entropy_gradient, binary_cross_entropy]
