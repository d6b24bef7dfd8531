"""Read the value of a test's last line as partial credit."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

NUMBER = re.compile(r"\s*[-+]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})([eE][-+]?\d{1,3})?\s*")


def describe_credit(value: Any) -> dict[str, Any]:
    """Return {} for None, {"points": number} for anything that is one number, or {"kind": name of its type}.

    One number is an int, a float, a NumPy scalar, an array or a tensor of no dimension, a Fraction, a Decimal, or a
    text that is a number. True and False are not: a comparison is no credit.
    """
    if value is None:
        return {}
    kind = type(value)
    try:
        number = _number(value, kind)
    except OverflowError:
        number = float("inf")
    return {"kind": kind.__name__} if number is None else {"points": number}


def _number(value: Any, kind: type) -> float | None:
    if kind in (int, float, Fraction, Decimal):
        return float(value)
    if kind is str:
        return float(value) if NUMBER.fullmatch(value) else None
    if kind.__module__.partition(".")[0] in ("numpy", "tensorflow", "torch", "jax", "jaxlib"):
        import numpy as np  # late: the grader imports this module, and has no arrays

        if issubclass(kind, (np.integer, np.floating)) and kind.__module__ == "numpy":
            return float(value)
        array = np.asarray(value)
        return float(array) if array.ndim == 0 and array.dtype.kind in "iuf" else None
    return None
