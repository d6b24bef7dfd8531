"""Fingerprints of outputs: enough to recognise an output, too little to compute it.

A fingerprint has the structure of a value (shapes of arrays, keys, texts) and a few projections of its numbers onto
fixed vectors. Two outputs with the same fingerprint are equal up to rounding, except with negligible probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_helpers.checks.comparison import as_array

PROJECTIONS = 2
DIGITS = 8  # significant digits that are kept
NEGLIGIBLE = 1e-12  # below it, a projection is the rounding error of one machine
CLOSE = 1e-6  # two projections are equal if they differ by at most this, relative to their size

Fingerprint = tuple[str, tuple[float, ...]]


def fingerprint(value: Any) -> Fingerprint:
    """Return (structure, projections) of an output: arrays, numbers, texts, and tuples, lists or dicts of them."""
    structure, parts = _flatten(value)
    numbers = np.concatenate(parts) if parts else np.zeros(0)
    finite = np.isfinite(numbers)
    if not finite.all():
        places = "".join("n" if np.isnan(number) else "+-"[int(number < 0)] for number in numbers[~finite])
        structure += f" {np.flatnonzero(~finite).tolist()}{places}"
    numbers = np.where(finite, numbers, 0.0)
    return structure, tuple(_rounded(float(numbers @ _vector(k, len(numbers)))) for k in range(PROJECTIONS))


def same_fingerprint(first: Fingerprint, second: Fingerprint, tolerance: float) -> bool:
    """Return whether two outputs are equal within a tolerance, relative to the size of the projections."""
    allowed = max(CLOSE, 10 * tolerance)
    pairs = zip(first[1], second[1], strict=False)
    return first[0] == second[0] and all(abs(a - b) <= allowed * (1 + abs(b)) for a, b in pairs)


def _flatten(value: Any) -> tuple[str, list[np.ndarray]]:
    """Return the structure of a value and its numbers."""
    if isinstance(value, str):
        return f"text {value}", []
    if isinstance(value, dict):
        items = [(f"{key}: ", *_flatten(value[key])) for key in sorted(value, key=str)]
        return "{" + ", ".join(key + inner for key, inner, _ in items) + "}", [n for *_, part in items for n in part]
    array = None if isinstance(value, tuple) else as_array(value)
    if array is not None and array.dtype.kind in "biufc":
        numbers = np.abs(array) if array.dtype.kind == "c" else array
        return str(array.shape), [np.ravel(numbers).astype(float)]
    if isinstance(value, (tuple, list)):
        inner = [_flatten(item) for item in value]
        return "(" + ", ".join(text for text, _ in inner) + ")", [n for _, part in inner for n in part]
    return type(value).__name__, []


def _vector(number: int, size: int) -> np.ndarray:
    """Return a fixed vector whose entries look random, the same on every machine."""
    return np.sin(1.0 + 12.9898 * (number + 1) * np.arange(1, size + 1))


def _rounded(number: float) -> float:
    return 0.0 if abs(number) < NEGLIGIBLE else float(f"{number:.{DIGITS}g}")
