"""Empty arrays, which to NumPy are equal to, close to and smaller than any array they can be broadcast with.

In a test, an empty answer would pass that way. The judge is notified of each such comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy._core import numeric
from numpy.testing._private import utils as testing


class EmptyArray(np.ndarray):
    """An array without elements from a submission.

    on_comparison: called when it is combined with something that has elements
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
    """Have NumPy's comparisons, which assert_allclose and the like use, report operands empty on one side only.

    Lists and tuples, which become arrays only there, are covered too.
    """
    numeric.isclose = np.isclose = _wrap_comparison(numeric.isclose, 0, on_comparison)
    testing.assert_array_compare = _wrap_comparison(testing.assert_array_compare, 1, on_comparison)


def _wrap_comparison(compare: Callable[..., Any], first: int, on_comparison: Callable[[], None]) -> Callable[..., Any]:
    @wraps(compare)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if len(args) > first + 1 and _is_empty(args[first]) != _is_empty(args[first + 1]):
            on_comparison()
        return compare(*args, **kwargs)

    return wrapper


def _is_empty(value: Any) -> bool:
    if type(value) in (int, float, complex, bool) or isinstance(value, np.generic):
        return False
    try:
        return np.size(value) == 0
    except Exception:  # a ragged list, or an object that is not an array: the comparison itself raises
        return False
