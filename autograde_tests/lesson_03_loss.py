"""Lesson 03: log-softmax, cross-entropy over time with its gradient, perplexity, binary cross-entropy.

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
        Challenge("different lengths", 0.5, lambda rng: _targets_inputs(rng, ["11111", "11000"], 3)),
        Challenge("a gap in the middle", 0.5, lambda rng: _targets_inputs(rng, ["1011", "0110"], 3)),
        Challenge("arbitrary values in the padding", 0.5, _loud_padding, hidden=True),
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


binary_cross_entropy = Exercise(
    name="binary_cross_entropy",
    challenges=(
        Challenge(
            "logits of zero",
            0.5,
            lambda rng: (np.zeros(4), np.array([0.0, 1.0, 1.0, 0.0])),
            edge=True,
        ),
        Challenge("a matrix of logits", 1.0, lambda rng: _binary_inputs(rng, *sizes(rng, 2))),
        Challenge("logits of 1000 and -1000", 1.0, _binary_huge, fresh=_binary_huge_drawn),
        Challenge("any shape", 1.0, lambda rng: _binary_inputs(rng, *sizes(rng, 3)), hidden=True),
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

# ----------------------------------------------------------------------------------------- perplexity

perplexity = Exercise(
    name="perplexity",
    challenges=(
        Challenge(
            "equal choices",
            1.0,
            lambda rng: (math.log(27),),
            fresh=lambda rng: (math.log(rng.integers(2, 100)),),
        ),
        Challenge("any loss", 1.0, lambda rng: (float(numbers(rng, 1)[0]) ** 2 + 0.5,)),
        Challenge("a loss of zero", 0.5, lambda rng: (0.0,), edge=True),
        Challenge("another loss", 0.5, lambda rng: (float(rng.uniform(0.1, 5)),), hidden=True),
    ),
    oracle=lambda mean_nll: math.exp(mean_nll),
    mistakes=(
        Mistake(
            "You raise 2 to the power of the loss; the loss is in natural logarithms, so the base is e.",
            lambda nll: 2.0**nll,
        ),
        Mistake(
            "You raise e to minus the loss, which is a probability; the perplexity is its inverse.",
            lambda nll: math.exp(-nll),
        ),
        Mistake("You return the loss itself.", lambda nll: float(nll)),
        Mistake("You subtract 1.", lambda nll: math.exp(nll) - 1),
        Mistake(
            "You convert the loss into bits; the perplexity is e to the power of the loss.",
            lambda nll: nll / math.log(2),
        ),
    ),
    styles=(
        lambda mean_nll: np.exp(mean_nll),
        lambda mean_nll: np.e**mean_nll,
        lambda mean_nll: 1 / np.exp(-np.float64(mean_nll)),
    ),
    hints=(
        "A model that chooses uniformly among V options has the loss log V. What turns log V back into V?",
        "The natural logarithm and e undo each other.",
        "np.exp of the loss.",
    ),
    unchanged=0.0,
    promised=(("mean_nll is never negative", "it is a mean of -log p"),),
)

EXERCISES = [log_softmax, sequence_cross_entropy, cross_entropy_gradient, binary_cross_entropy, perplexity]
