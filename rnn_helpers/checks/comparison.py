"""Compare an answer with the expected output and describe the first difference.

The order is always the same: type, shape, dtype, finite, value. A message about a wrong
shape does not mention digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FLOAT32_TOLERANCE = 1e-5  # float32 carries about 7 digits; a few sums cost two of them


FORGOTTEN_RETURN = " (did the function forget its return?)"


@dataclass(frozen=True)
class Problem:
    """One defect of an answer: its kind (type, shape, dtype, finite, value) and a sentence that describes it."""

    kind: str
    sentence: str


def find_problem(  # noqa: PLR0911 (one return for each kind of value)
    expected: Any, got: Any, tolerance: float, *, lists: bool = False
) -> Problem | None:
    """Return the first thing wrong with `got`, or None when it is right.

    expected: an array, a number, a bool, a text, or a tuple or dict of these
    tolerance: largest accepted |got - expected| / (1 + |expected|); NaN is never accepted
    lists: whether a list of numbers may stand for an array
    """
    if isinstance(expected, (tuple, list)):
        return _sequence_problem(expected, got, tolerance, lists)
    if isinstance(expected, dict):
        return _dict_problem(expected, got, tolerance, lists)
    if isinstance(expected, str):
        return (
            Problem("type", _collection_sentence(got, "a text"))
            if _is_collection(got)
            else _text_problem(expected, got)
        )
    if isinstance(expected, np.ndarray):
        if isinstance(got, (list, tuple)) and not lists and (advice := _suggest_conversion(expected.shape, got)):
            return Problem("type", f"expected an array, got {describe(got)}; {advice} makes one of it")
        if isinstance(got, (list, tuple, dict)) and (as_array(got) is None or not lists):
            return Problem("type", _collection_sentence(got, "an array"))
        return _array_problem(expected, got, tolerance, f"an array of numbers, shape {expected.shape}")
    return (
        Problem("type", _collection_sentence(got, "a number"))
        if _is_collection(got)
        else _number_problem(expected, got, tolerance)
    )


def _is_collection(got: Any) -> bool:
    return isinstance(got, (tuple, list, dict))


def _collection_sentence(got: Any, noun: str) -> str:
    """Return the sentence for a collection returned in place of a single value."""
    if isinstance(got, dict):
        return f"expected {noun}, got {describe(got)}: return the value itself"
    if isinstance(got, list):
        return f"expected {noun}, got {describe(got)}{_first_item_text(got)}"
    if len(got) == 1:
        return f"expected {noun}, got {describe(got)}: a comma behind the result makes a tuple of it"
    return f"{len(got)} results came back ({_list_items(got)}); only one is asked for: {noun}"


def _first_item_text(got: list) -> str:
    return f", the first of which is {describe(got[0])}" if got else ""


def _list_items(got: tuple) -> str:
    most = 3  # of a longer tuple the beginning is enough
    names = [describe(item).replace(FORGOTTEN_RETURN, "") for item in got[:most]] + ["..."] * (len(got) > most)
    return ", ".join(names)


def _suggest_conversion(shape: tuple[int, ...], got: Any) -> str:
    """Return the call that converts a list or tuple to an array of the expected shape, or "" if there is none."""
    array = as_array(got)
    if array is None or array.dtype.kind not in "biuf":
        return ""
    if array.shape == shape:
        return "np.array(...)"
    if array.ndim > 1 and np.swapaxes(array, 0, 1).shape == shape:
        return "np.stack(..., axis=1)"
    return ""


def _sequence_problem(expected: tuple | list, got: Any, tolerance: float, lists: bool) -> Problem | None:
    if not isinstance(got, (tuple, list)):
        return Problem("type", f"expected {len(expected)} results, separated by commas, got {describe(got)}")
    if len(got) != len(expected):
        return Problem("type", f"expected {len(expected)} results, got {len(got)}")
    for position, (want, have) in enumerate(zip(expected, got, strict=True)):
        problem = find_problem(want, have, tolerance, lists=lists)
        if problem:
            return _locate(f"result {position + 1} of {len(expected)}", problem)
    return None


def _dict_problem(expected: dict, got: Any, tolerance: float, lists: bool) -> Problem | None:
    if not isinstance(got, dict):
        return Problem("type", f"expected a dict with the keys {sorted(expected)}, got {describe(got)}")
    if set(got) != set(expected):
        return Problem("type", f"expected the keys {sorted(expected)}, got {sorted(map(str, got))}")
    for key, want in expected.items():
        problem = find_problem(want, got[key], tolerance, lists=lists)
        if problem:
            return _locate(str(key), problem)
    return None


def _locate(position: str, problem: Problem) -> Problem:
    """Return the problem with its position in a tuple or dict, without the guess that `return` is missing."""
    return Problem(problem.kind, f"{position}: {problem.sentence.replace(FORGOTTEN_RETURN, '')}")


def _text_problem(expected: str, got: Any) -> Problem | None:
    if not isinstance(got, str):
        return Problem("type", f"expected a text, got {describe(got)}")
    return None if got == expected else Problem("value", f"expected {expected!r}, got {got[:60]!r}")


def _number_problem(expected: Any, got: Any, tolerance: float) -> Problem | None:
    is_integer = isinstance(expected, (int, np.integer)) and not isinstance(expected, bool)
    problem = _array_problem(np.asarray(expected), got, tolerance, "one whole number" if is_integer else "one number")
    if problem is None and is_integer and not isinstance(np.asarray(got).item(), int):
        return Problem("dtype", f"a count is a whole number; got the {type(got).__name__} {got!r}. Is there a / in it?")
    return problem


def _array_problem(  # noqa: PLR0911 (one return for each kind of problem)
    expected: np.ndarray, got: Any, tolerance: float, noun: str
) -> Problem | None:
    array = as_array(got)
    if array is None:
        return Problem("type", f"expected {noun}, got {describe(got)}")
    if array.shape != expected.shape:
        sentence = _shape_sentence(expected.shape, array.shape)
        return Problem("shape", sentence if expected.shape else f"expected {noun}, got {describe(got)}")
    if expected.dtype == bool and array.dtype != bool:
        return Problem("dtype", f"expected True and False, got {array.dtype}; dtype=bool makes an array of them")
    if expected.ndim and expected.dtype.kind in "iu" and array.dtype.kind == "f":
        return Problem("dtype", f"these are whole numbers, yours are {array.dtype}; dtype=int makes such an array")
    if array.dtype.kind not in "biuf":
        return Problem("dtype", f"expected real numbers, got {array.dtype} ({describe(got)})")
    if not np.all(np.isfinite(array)):
        where = _as_index(np.argwhere(~np.isfinite(array))[0])
        return Problem("finite", f"{_entry_text(array, where)} is not a finite number{_index_text(where)}")
    return _value_problem(expected, array, tolerance)


def _value_problem(expected: np.ndarray, array: np.ndarray, tolerance: float) -> Problem | None:
    if expected.size == 0:
        return None
    want, have = expected.astype(float), array.astype(float)
    excess = np.abs(have - want) / (1 + np.abs(want))
    if np.all(excess <= tolerance):
        return None
    if array.dtype in (np.float32, np.float16) and np.all(excess <= FLOAT32_TOLERANCE):
        return Problem(
            "dtype", f"right up to rounding, but {array.dtype}: the inputs are float64, keep their precision"
        )
    if expected.dtype.kind == "f" and array.dtype.kind in "iu" and np.all(have == np.trunc(want)):
        return Problem("dtype", f"the digits after the point are cut off: your array holds {array.dtype}")
    where = _as_index(np.unravel_index(np.argmax(excess), excess.shape))
    if expected.dtype == bool:
        sentence = f"expected {bool(want[where])}{_index_text(where)}, got {bool(have[where])}"
        return Problem("value", sentence if want.size > 1 or not expected else "this does not hold")
    largest = f" (largest difference {np.max(np.abs(have - want)):.2g})" if want.size > 1 else ""
    digits = 4 if f"{want[where]:.4g}" != f"{have[where]:.4g}" else 12
    expected_entry, actual_entry = (_entry_text(values, where, digits) for values in (want, have))
    return Problem("value", f"expected {expected_entry}{_index_text(where)}, got {actual_entry}{largest}")


def as_array(value: Any) -> np.ndarray | None:
    """Return `value` as an array of numbers, or None when it is not one (None, text, ragged lists, objects)."""
    if value is None or isinstance(value, (str, bytes, dict, set)) or callable(value):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        return None
    return None if array.dtype.kind in "OUSV" else array


def describe(value: Any) -> str:  # noqa: PLR0911 (one return for each kind of value)
    """Describe `value` to a student in a few words."""
    if value is None:
        return f"None{FORGOTTEN_RETURN}"
    if isinstance(value, str):
        return f"the text {value[:30]!r}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself, not an instance: call it with ()"
    if callable(value):
        return f"a function, not its result: {getattr(value, '__name__', 'call it')}(...) calls it"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, dict):
        return f"a dict with the keys {sorted(map(str, value))}" if value else "an empty dict"
    if isinstance(value, (tuple, list)):
        return f"a {value.__class__.__name__} of {len(value)}"
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return f"the {type(value).__name__} {value}"
    return f"an object of type {value.__class__.__name__}"


def same_output(first: Any, second: Any, tolerance: float) -> bool:
    """Return whether two outputs are equal, correct or not; non-finite numbers must be at the same positions."""
    if isinstance(first, (tuple, list)) and isinstance(second, (tuple, list)):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(same_output(a, b, tolerance) for a, b in pairs)
    if isinstance(first, dict) and isinstance(second, dict):
        return set(first) == set(second) and all(same_output(first[key], second[key], tolerance) for key in first)
    if isinstance(first, str) and isinstance(second, str):
        return first == second
    a, b = as_array(first), as_array(second)
    if a is None or b is None:
        return a is None and b is None and type(first) is type(second)
    if a.shape != b.shape or a.dtype.kind not in "biuf" or b.dtype.kind not in "biuf":
        return a.shape == b.shape and a.dtype == b.dtype and bool(np.all(a == b))
    return np.allclose(a.astype(float), b.astype(float), rtol=tolerance, atol=tolerance, equal_nan=True)


def _shape_sentence(expected: tuple, got: tuple) -> str:
    sentence = f"expected shape {expected}, got {got}"
    if got == expected[::-1] and len(expected) == 2:
        return sentence + ": it looks transposed"
    if len(expected) == 3 and got == (expected[1], expected[0], expected[2]):
        return sentence + ": batch and steps have changed places"
    return sentence


def _as_index(index: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in index)


def _index_text(where: tuple[int, ...]) -> str:
    return f" at {list(where)}" if where else ""


def _entry_text(array: np.ndarray, where: tuple[int, ...], digits: int = 4) -> str:
    value = array[where]
    return f"{value:.{digits}g}" if array.dtype.kind == "f" else str(value)
