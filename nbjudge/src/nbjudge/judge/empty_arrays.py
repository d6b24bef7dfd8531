"""Arrays without elements, which to NumPy are equal to, close to and smaller than whatever they can be broadcast with.

In a test that is how nothing at all passes for an answer. The judge hears of each such comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy._core import numeric
from numpy.testing._private import utils as testing


class EmptyArray(np.ndarray):
    """An array without elements that came from a submission.

    on_comparison: called when it meets something that has elements
    """

    on_comparison: Callable[[], None] | None = None

    def __array_finalize__(self, source: Any) -> None:
        self.on_comparison = getattr(source, "on_comparison", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self.on_comparison and any(np.size(value) for value in inputs):
            self.on_comparison()
        return getattr(ufunc, method)(*map(_as_plain, inputs), **kwargs)


def _as_plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, EmptyArray) else value


def watch_comparisons(on_comparison: Callable[[], None]) -> None:
    """Have NumPy's own comparisons, which assert_allclose and its kin rest on, tell of what is empty on one side only.

    Lists and tuples are nothing but themselves, and become arrays only there.
    """
    numeric.isclose = np.isclose = _watched(numeric.isclose, 0, on_comparison)
    testing.assert_array_compare = _watched(testing.assert_array_compare, 1, on_comparison)


def _watched(compare: Callable, first: int, on_comparison: Callable[[], None]) -> Callable:
    @wraps(compare)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if len(args) > first + 1 and _is_empty(args[first]) != _is_empty(args[first + 1]):
            on_comparison()
        return compare(*args, **kwargs)

    return watched


def _is_empty(value: Any) -> bool:
    if type(value) in (int, float, complex, bool) or isinstance(value, np.generic):
        return False
    try:
        return np.size(value) == 0
    except Exception:  # a ragged list, or an object that is no array: the comparison says so itself
        return False
