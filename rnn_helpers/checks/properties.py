"""Probes for answers that are evaluated by their properties: a matrix, a random rotation, a random task, a sampler.

Each function calls the answer and returns {claim: whether it holds}; for a correct answer every claim holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    ANY_STEP_CAN_BE_MARKED,
    FROBENIUS_NORM_AT_LEAST_2,
    HIGHER_IS_NOT_SHARPER,
    MARKS_ARE_0_OR_1,
    MARKS_VARY,
    NORM_AT_LEAST_2,
    NORM_AT_LEAST_3,
    ONE_MARK_PER_HALF,
    ORTHOGONAL_COLUMNS,
    OTHER_GENERATOR_OTHER_DRAWS,
    OTHER_GENERATOR_OTHER_MATRIX,
    OTHER_GENERATOR_OTHER_TASK,
    POWER_VANISHES,
    RADIUS_AT_MOST_0_9,
    RADIUS_BELOW_1,
    SAME_GENERATOR_SAME_DRAWS,
    SAME_GENERATOR_SAME_MATRIX,
    SAME_GENERATOR_SAME_TASK,
    SHIFT_INVARIANT,
    SQUARE_HAS_NORM_10,
    TARGET_IS_MARKED_SUM,
    TARGETS_ARE_NOT_MEANS,
    TARGETS_ARE_NOT_PRODUCTS,
    TARGETS_AT_MOST_2,
    TEMPERATURE_0,
    TEMPERATURE_0_5,
    TEMPERATURE_1,
    TEMPERATURE_2,
    TWO_MARKS,
    UNIT_COLUMNS,
    UNIT_ROWS,
    VALUES_BETWEEN_0_AND_1,
    VALUES_DIFFER,
)
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.comparison import as_array, describe
from rnn_helpers.checks.findings import FINDING

LARGE = 100  # logits below this overflow nowhere
SAMPLES = 2000  # draws per frequency; a correct one is off by 5 standard deviations about once in a million times


class UngradableAnswerError(TypeError):
    """Raised when an answer's result cannot be graded; the message is a full sentence for the student."""


def vanishing(answer: Callable) -> dict[str, bool]:
    """Probe a function that builds a matrix; any matrix with these properties is correct."""
    W = _square_matrix(answer())
    with np.errstate(over="ignore", invalid="ignore"):
        power = np.linalg.norm(np.linalg.matrix_power(W, 50))
    return {
        NORM_AT_LEAST_2: bool(np.linalg.norm(W, 2) >= 2 - 1e-12),
        POWER_VANISHES: bool(power < 1e-6),
        RADIUS_BELOW_1: bool(_spectral_radius(W) < 1),
        FROBENIUS_NORM_AT_LEAST_2: bool(np.linalg.norm(W) >= 2 - 1e-12),
    }


def growing(answer: Callable) -> dict[str, bool]:
    """Probe a function that builds a matrix whose powers grow before they decay."""
    W = _square_matrix(answer())
    return {
        RADIUS_AT_MOST_0_9: bool(_spectral_radius(W) <= 0.9 + 1e-9),
        SQUARE_HAS_NORM_10: bool(np.linalg.norm(W @ W, 2) >= 10 - 1e-9),
        NORM_AT_LEAST_3: bool(np.linalg.norm(W, 2) >= 3),
        RADIUS_BELOW_1: bool(_spectral_radius(W) < 1),
    }


def _spectral_radius(W: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(W)).max())


def _square_matrix(result: Any) -> np.ndarray:
    W = as_array(result)
    if W is None or W.ndim != 2 or W.shape[0] != W.shape[1] or not W.size:
        raise UngradableAnswerError(f"expected a square matrix, got {describe(result)}")
    if W.dtype.kind not in "biuf":
        raise UngradableAnswerError(f"expected a matrix of real numbers, got {W.dtype}")
    if not np.all(np.isfinite(W)):
        raise UngradableAnswerError("expected finite numbers; there is nan or inf in the matrix")
    return W.astype(float)


def orthogonal(answer: Callable, units: int, seed: int) -> dict[str, bool]:
    """Probe a function that draws a random orthogonal matrix from a generator."""
    Q = _square_matrix(answer(units, np.random.default_rng(seed)))
    if Q.shape != (units, units):
        raise UngradableAnswerError(f"expected shape {(units, units)}, got {Q.shape}")
    angles = Q.T @ Q - np.diag(np.diag(Q.T @ Q))
    return {
        ORTHOGONAL_COLUMNS: _allclose(angles, 0.0),
        UNIT_COLUMNS: _allclose(np.linalg.norm(Q, axis=0), 1.0),
        UNIT_ROWS: _allclose(np.linalg.norm(Q, axis=1), 1.0),
        SAME_GENERATOR_SAME_MATRIX: _allclose(Q - answer(units, np.random.default_rng(seed)), 0.0),
        OTHER_GENERATOR_OTHER_MATRIX: not _allclose(Q - answer(units, np.random.default_rng(seed + 1)), 0.0),
    }


def adding(answer: Callable, claims: str, n: int, steps: int, seed: int) -> dict[str, bool]:
    """Probe a generator of the adding problem for one group of claims: "inputs", "marks", "targets" or "random"."""
    xs, targets = answer(n, steps, np.random.default_rng(seed))
    if np.shape(xs) != (n, steps, 2) or np.shape(targets) != (n,):
        raise UngradableAnswerError(
            f"expected shapes {(n, steps, 2)} and {(n,)}, got {np.shape(xs)} and {np.shape(targets)}"
        )
    values, marks = xs[..., 0], xs[..., 1]
    first, second = marks[:, : steps // 2].sum(axis=1), marks[:, steps // 2 :].sum(axis=1)
    if claims == "inputs":
        return {
            VALUES_BETWEEN_0_AND_1: bool(np.all((values >= 0) & (values <= 1))),
            VALUES_DIFFER: len(np.unique(values)) > 0.9 * values.size,
        }
    if claims == "marks":
        return {
            MARKS_ARE_0_OR_1: bool(np.all((marks == 0) | (marks == 1))),
            TWO_MARKS: _allclose(first + second, 2.0),
            ONE_MARK_PER_HALF: _allclose(first, 1.0) and _allclose(second, 1.0),
            MARKS_VARY: len(np.unique(marks, axis=0)) > 1,
            ANY_STEP_CAN_BE_MARKED: bool(np.all(marks.any(axis=0))),
        }
    if claims == "targets":
        return {
            TARGET_IS_MARKED_SUM: _allclose(targets - (values * marks).sum(axis=1), 0.0),
            TARGETS_AT_MOST_2: bool(np.all(np.asarray(targets) <= 2)),
            # These two tell common mistakes from each other; both hold whenever the targets are correct.
            TARGETS_ARE_NOT_MEANS: not _allclose(2 * np.asarray(targets) - (values * marks).sum(axis=1), 0.0),
            TARGETS_ARE_NOT_PRODUCTS: not _allclose(targets - np.where(marks == 1, values, 1.0).prod(axis=1), 0.0),
        }
    repeat, _ = answer(n, steps, np.random.default_rng(seed))
    other, _ = answer(n, steps, np.random.default_rng(seed + 1))
    return {
        SAME_GENERATOR_SAME_TASK: _allclose(xs - repeat, 0.0),
        OTHER_GENERATOR_OTHER_TASK: not _allclose(xs - other, 0.0),
    }


def sampling(answer: Callable, letters: int, seed: int) -> dict[str, str]:
    """Probe a sampler with many draws; return for each claim "" or what was observed instead, and a finding."""
    logits = np.random.default_rng(seed).permutation(np.linspace(-1.0, 1.5, letters))
    shares = {t: _frequencies(answer, logits, t, seed) for t in (1.0, 0.5, 2.0)}
    top = int(np.argmax(logits))
    zero = _valid_draws(answer, logits, 0.0, seed, 20)
    large = _frequencies(answer, logits + 1000.0, 1.0, seed)
    repeat, other = (_valid_draws(answer, logits, 1.0, number, 40) for number in (seed, seed + 1))
    repeated = bool(repeat) and _valid_draws(answer, logits, 1.0, seed, 40) == repeat
    hotter = f"number {top} came up in {shares[2.0][top]:.0%} of the draws at 2, and in {shares[0.5][top]:.0%} at 0.5"
    results = {
        TEMPERATURE_1: _deviation(shares[1.0], logits),
        TEMPERATURE_0_5: _deviation(shares[0.5], logits / 0.5),
        TEMPERATURE_2: _deviation(shares[2.0], logits / 2.0),
        HIGHER_IS_NOT_SHARPER: "" if shares[2.0][top] < shares[0.5][top] + 0.05 else hotter,
        TEMPERATURE_0: "" if zero == [top] * 20 else _zero_text(zero, top),
        SHIFT_INVARIANT: _deviation(large, logits),
        SAME_GENERATOR_SAME_DRAWS: "" if repeated else "two runs with the same seed differ",
        OTHER_GENERATOR_OTHER_DRAWS: "" if other and other != repeat else "two runs with different seeds are equal",
    }
    if any(results.values()):
        results[FINDING] = _sampling_fault(answer, logits, shares, results, seed)
    return results


def _zero_text(zero: list[int], top: int) -> str:
    other = next((index for index in zero if index != top), None)
    return "your function fails" if other is None else f"it picked number {other}, the largest is number {top}"


def _sampling_fault(
    answer: Callable, logits: np.ndarray, shares: dict[float, np.ndarray], results: dict[str, str], seed: int
) -> str:
    """Return what the draws single out about a wrong sampler, or ""."""
    drawn = list(shares.values())
    if all(share.max() == 1 for share in drawn):
        return _constant_fault(answer, logits, shares, seed)
    if all(share.any() for share in drawn):
        fitting = [finding for finding, law in DRAWING_LAWS if _fits(shares, logits, law)]
        if fitting:
            return fitting[0] if len(fitting) == 1 else ""
    if results[TEMPERATURE_1] or results[TEMPERATURE_0_5] or results[TEMPERATURE_2]:
        return ""
    if results[TEMPERATURE_0] and not _valid_draws(answer, logits, 0.0, seed, 20):
        return findings.ZERO_FAILS
    if results[SHIFT_INVARIANT] and not _valid_draws(answer, logits + 1000.0, 1.0, seed, 20):
        return findings.LARGE_LOGITS_FAIL
    return findings.OTHER_RANDOMNESS if results[SAME_GENERATOR_SAME_DRAWS] else ""


def _constant_fault(answer: Callable, logits: np.ndarray, shares: dict[float, np.ndarray], seed: int) -> str:
    """Tell a sampler that takes the largest logit from one that draws the same number at every call."""
    rolled = [np.roll(logits, shift) for shift in range(len(logits))]
    picks = [_valid_draws(answer, shifted, t, seed, 5) for shifted in rolled for t in (0.5, 1.0, 2.0)]
    tops = [int(np.argmax(shifted)) for shifted in rolled for _ in range(3)]
    if all(set(pick) == {top} for pick, top in zip(picks, tops, strict=True)):
        return findings.ALWAYS_LARGEST
    return findings.ALWAYS_THE_SAME if all(len(set(pick)) == 1 for pick in picks) else ""


def _fits(shares: dict[float, np.ndarray], logits: np.ndarray, law: Callable) -> bool:
    """Return whether a law of drawing explains all frequencies, and differs significantly from the right one."""
    return all(not _deviation(share, np.log(law(logits, t))) for t, share in shares.items())


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


DRAWING_LAWS: tuple[tuple[str, Callable[[np.ndarray, float], np.ndarray]], ...] = (
    (findings.IGNORES_TEMPERATURE, lambda z, t: _softmax(z)),
    (findings.DRAWS_LIKE.format(actual="multiplied by the temperature"), lambda z, t: _softmax(z * t)),
    (findings.DRAWS_LIKE.format(actual="divided by the square of the temperature"), lambda z, t: _softmax(z / t**2)),
    (
        findings.DRAWS_LIKE.format(actual="divided by the square root of the temperature"),
        lambda z, t: _softmax(z / t**0.5),
    ),
    (findings.DRAWS_LIKE.format(actual="divided by the temperature and doubled"), lambda z, t: _softmax(2 * z / t)),
    (findings.DRAWS_LIKE.format(actual="divided by the temperature and negated"), lambda z, t: _softmax(-z / t)),
    (findings.DRAWS_POWERS_OF_2, lambda z, t: _softmax(np.log(2) * z / t)),
    (findings.DRAWS_SOFTMAX_OF_SOFTMAX, lambda z, t: _softmax(_softmax(z / t))),
    (findings.DRAWS_UNIFORMLY, lambda z, t: np.full(len(z), 1 / len(z))),
)


def _valid_draws(answer: Callable, logits: np.ndarray, temperature: float, seed: int, count: int) -> list[int]:
    """Return `count` draws, or an empty list if a draw fails."""
    try:
        drawn = run_colocated(answer, f"{__name__}:draw_many", answer, logits, temperature, seed, count)
    except (ValueError, ZeroDivisionError, FloatingPointError):  # caused by nan, inf and 1 / 0
        return []
    except Exception as error:
        if isinstance(error, NotImplementedError) or (temperature == 1.0 and np.abs(logits).max() < LARGE):
            raise  # it fails where nothing is special
        return []
    strange = [d for d in drawn if not (isinstance(d, (int, np.integer)) and 0 <= d < len(logits))]
    if strange:
        raise UngradableAnswerError(f"expected a whole number from 0 to {len(logits) - 1}, got {describe(strange[0])}")
    return [int(index) for index in drawn]


def draw_many(answer: Callable, logits: np.ndarray, temperature: float, seed: int, count: int) -> list[Any]:
    """Call the answer `count` times with one generator: thousands of calls, but one round trip between processes."""
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        return [answer(logits.copy(), temperature, rng) for _ in range(count)]


def _frequencies(answer: Callable, logits: np.ndarray, temperature: float, seed: int) -> np.ndarray:
    drawn = _valid_draws(answer, logits, temperature, seed, SAMPLES)
    return np.bincount(np.array(drawn, dtype=int), minlength=len(logits)) / SAMPLES


def _deviation(shares: np.ndarray, logits: np.ndarray) -> str:
    """Return "" if the frequencies match the softmax, else a sentence about the largest deviation."""
    powers = np.exp(logits - logits.max())
    probabilities = powers / powers.sum()
    off = np.abs(shares - probabilities)
    if np.all(off <= 5 * np.sqrt(probabilities * (1 - probabilities) / SAMPLES) + 1e-3):
        return ""
    if not shares.any():
        return "your function fails"
    worst = int(np.argmax(off))
    return f"number {worst} came up in {shares[worst]:.0%} of the draws; its probability is {probabilities[worst]:.0%}"


def _allclose(array: Any, value: float) -> bool:
    return bool(np.all(np.abs(np.asarray(array) - value) < 1e-9))


PROPERTIES: dict[str, Callable] = {
    "vanishing": vanishing,
    "growing": growing,
    "orthogonal": orthogonal,
    "adding": adding,
    "sampling": sampling,
}
