"""Probes for networks whose weights the student chooses: each network is run and judged by its outputs alone.

All have one feature and one output. The answer returns (W_xh, W_hh, b_h, W_hy, b_y) for any number of units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import COUNTS_ONES, DELAYS_BY_TWO, KEEPS_COUNT, OFF_BEFORE_FIRST_1, ON_FROM_FIRST_1
from rnn_helpers.checks.comparison import as_array, describe
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.properties import UngradableAnswerError

NAMES = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")
DELAY = 2
DELAY_TOLERANCE = 0.05
COUNT_TOLERANCE = 0.4
MOST_ONES, COUNTED_STEPS = 20, 60
HALF = 0.5
SMALL = 1e-3  # inputs of this size stay where tanh is the identity, if the weights are of any usual size

Weights = list[np.ndarray]


def delay_line(answer: Callable, seed: int) -> dict[str, str]:
    """Probe a network whose output should be the input of two steps before."""
    weights = _weights(answer())
    xs = np.random.default_rng(seed).uniform(-1, 1, size=(8, 24))
    ys, want = run(weights, xs), _delayed(xs, DELAY)
    error = _first_error(ys, want, DELAY_TOLERANCE)
    if not error:
        return {DELAYS_BY_TWO: ""}
    row, t = error
    arrived = f"x_{t - 1} was {xs[row, t - 2]:.2f}" if t >= DELAY else "no input is two steps old yet"
    observed = f"y_{t + 1} is {ys[row, t]:.2f}, and {arrived}"
    return {DELAYS_BY_TWO: observed, FINDING: _delay_fault(weights, xs, ys)}


def latch(answer: Callable, seed: int) -> dict[str, str]:
    """Probe a network that should switch on at the first 1, and stay on."""
    weights = _weights(answer())
    rng = np.random.default_rng(seed)
    xs = np.zeros((6, 160))
    starts = rng.integers(3, 30, size=len(xs))
    xs[np.arange(len(xs)), starts] = 1.0
    xs[3:] = np.maximum(xs[3:], (rng.random((3, 160)) < 0.2) * (np.arange(160) > starts[3:, None]))
    ys, after_first_one = run(weights, xs), xs.cumsum(axis=1) > 0
    early, late = np.argwhere(~after_first_one & ~(ys < HALF)), np.argwhere(after_first_one & ~(ys > HALF))
    off = _at(ys, early, "before any 1") if len(early) else ""
    on = _at(ys, late, "after the first 1") if len(late) else ""
    results = {OFF_BEFORE_FIRST_1: off, ON_FROM_FIRST_1: on}
    return results | {FINDING: _latch_fault(xs, ys, after_first_one)} if off or on else results


def counter(answer: Callable, seed: int) -> dict[str, str]:
    """Probe a network whose output should be the number of ones so far."""
    weights = _weights(answer())
    rng = np.random.default_rng(seed)
    xs = np.zeros((8, COUNTED_STEPS))
    for row in xs:
        row[rng.choice(COUNTED_STEPS - 10, size=MOST_ONES, replace=False)] = 1.0
    xs[0] = np.arange(COUNTED_STEPS) < MOST_ONES  # all at the start: the count has to be kept for the longest time
    ys, counts = run(weights, xs), xs.cumsum(axis=1)
    at_ones = np.where(xs > 0, ys, counts)
    between_ones = np.where(xs > 0, counts, ys)
    results = {COUNTS_ONES: _count_text(at_ones, counts), KEEPS_COUNT: _count_text(between_ones, counts)}
    if any(results.values()):
        results[FINDING] = _count_fault(weights, xs, ys, counts)
    return results


def run(weights: Weights, xs: np.ndarray) -> np.ndarray:
    """Return the outputs of a tanh network, shape (batch, steps), for xs (batch, steps)."""
    W_xh, W_hh, b_h, W_hy, b_y = weights
    h, ys = np.zeros((len(xs), len(b_h))), np.empty(xs.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(xs.shape[1]):
            h = np.tanh(xs[:, t, None] @ W_xh + h @ W_hh + b_h)
            ys[:, t] = (h @ W_hy + b_y)[:, 0]
    return ys


def _weights(result: Any) -> Weights:
    """Return the five arrays as floats. Raises UngradableAnswerError if they are no network."""
    if not isinstance(result, (tuple, list)) or len(result) != len(NAMES):
        raise UngradableAnswerError(f"expected the tuple (W_xh, W_hh, b_h, W_hy, b_y), got {describe(result)}")
    weights = [as_array(array) for array in result]
    for name, array in zip(NAMES, weights, strict=True):
        if array is None or array.dtype.kind not in "biuf" or not np.all(np.isfinite(array)):
            raise UngradableAnswerError(f"{name} should be an array of finite numbers")
    bias: Any = weights[NAMES.index("b_h")]
    units = bias.size
    shapes = ((1, units), (units, units), (units,), (units, 1), (1,))
    for name, array, shape in zip(NAMES, weights, shapes, strict=True):
        if array is not None and array.shape != shape:
            raise UngradableAnswerError(
                f"{name} has shape {array.shape}; with the {units} entries of b_h it should be {shape}"
            )
    return [np.asarray(array, dtype=float) for array in weights]


def _delayed(xs: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(xs, ((0, 0), (steps, 0)))[:, : xs.shape[1]]


def _first_error(ys: np.ndarray, want: np.ndarray, tolerance: float) -> tuple[int, int] | None:
    """Return (row, step) of an output that is off by more than the tolerance: an early one, or None."""
    wrong = np.argwhere(~(np.abs(ys - want) <= tolerance))
    return tuple(wrong[np.argmin(wrong[:, 1])]) if len(wrong) else None


def _delay_fault(weights: Weights, xs: np.ndarray, ys: np.ndarray) -> str:
    if not ys.any():
        return findings.DELAY_ZERO
    for lag in (0, 1, 3, 4):
        if np.abs(ys - _delayed(xs, lag)).max() <= DELAY_TOLERANCE:
            return findings.WRONG_DELAY.format(actual=_steps(lag))
    if np.abs(run(weights, SMALL * xs) / SMALL - _delayed(xs, DELAY)).max() <= DELAY_TOLERANCE:
        return findings.DELAY_SATURATES
    factor = _factor(ys, _delayed(xs, DELAY))
    return findings.SCALED_DELAY.format(factor=f"{factor:.2g}") if factor is not None else ""


def _steps(count: int) -> str:
    return "at once" if count == 0 else "one step later" if count == 1 else f"{count} steps later"


def _factor(ys: np.ndarray, want: np.ndarray) -> float | None:
    """Return the factor by which the outputs differ from those wanted, or None when it is not one factor."""
    if not np.all(np.isfinite(ys)):
        return None
    factor = float((ys * want).sum() / (want * want).sum())
    fits = np.abs(ys - factor * want).max() <= DELAY_TOLERANCE * abs(factor)
    return factor if fits and factor else None


def _at(ys: np.ndarray, positions: np.ndarray, when: str) -> str:
    row, t = positions[np.argmin(positions[:, 1])]
    return f"at step {t + 1}, {when}, it is {ys[row, t]:.2f}"


def _latch_fault(xs: np.ndarray, ys: np.ndarray, after_first_one: np.ndarray) -> str:
    on = ys > HALF
    if on[~after_first_one].any():
        return findings.LATCH_ALWAYS_ON if on[~after_first_one].all() else ""
    if not on.any():
        return findings.LATCH_NEVER_ON
    if np.array_equal(on, xs > 0):
        return findings.LATCH_REPEATS
    once = xs.sum(axis=1) == 1
    if not on[xs > 0].all():
        return findings.LATCH_TOGGLES if on[once][after_first_one[once]].all() else ""
    return _forgetting(xs[once], on[once])


def _forgetting(xs: np.ndarray, on: np.ndarray) -> str:
    """Return after how many steps a single 1 is forgotten, if it is the same in each sequence."""
    starts = xs.argmax(axis=1)
    lengths = {_length_of_run(row[start:]) for row, start in zip(on, starts, strict=True)}
    shortest = xs.shape[1] - int(starts.max())
    if len(lengths) > 1 or min(lengths) >= shortest:
        return ""
    return findings.LATCH_FORGETS.format(steps=lengths.pop())


def _length_of_run(on: np.ndarray) -> int:
    """Return for how many steps from the first one the output is on."""
    return int(np.argmin(on)) if not on.all() else len(on)


def _count_text(ys: np.ndarray, counts: np.ndarray) -> str:
    error = _first_error(ys, counts, COUNT_TOLERANCE)
    if not error:
        return ""
    row, t = error
    return f"after {_ones(counts[row, t])} it is {ys[row, t]:.2f}"


def _ones(count: float) -> str:
    return "one 1" if count == 1 else f"{int(count)} ones"


def _count_fault(weights: Weights, xs: np.ndarray, ys: np.ndarray, counts: np.ndarray) -> str:
    if np.abs(ys - xs).max() <= COUNT_TOLERANCE:
        return findings.COUNTER_REPEATS
    if np.abs(ys - np.minimum(counts, 1)).max() <= COUNT_TOLERANCE:
        return findings.COUNTER_LATCHES
    if np.abs(ys - counts % 2).max() <= COUNT_TOLERANCE:
        return findings.COUNTER_TOGGLES
    factor = _factor(ys, counts)
    if factor is not None:
        return findings.SCALED_COUNT.format(factor=f"{factor:.2g}")
    if np.abs(run(weights, SMALL * xs) / SMALL - counts).max() <= COUNT_TOLERANCE:
        within_tolerance = np.abs(ys[0, :MOST_ONES] - counts[0, :MOST_ONES]) <= COUNT_TOLERANCE  # all ones at the start
        count = _length_of_run(within_tolerance)
        return findings.COUNTER_FLATTENS.format(count=count) if count < MOST_ONES else findings.COUNTER_DRIFTS
    after_one = run(weights, np.eye(1, COUNTED_STEPS))[0]
    leaks = abs(after_one[0] - 1) <= COUNT_TOLERANCE and np.all(np.diff(after_one) < 0)
    return findings.COUNTER_LEAKS if leaks else ""


DESIGNED_NETWORKS: dict[str, Callable] = {"delay_line": delay_line, "latch": latch, "counter": counter}
