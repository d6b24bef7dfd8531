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
RETURNS = "your function returns"
ORDINALS = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Problem:
    """One defect of an answer: its kind (type, shape, dtype, finite, value), a sentence, and the inputs, if known."""

    kind: str
    sentence: str
    inputs: str = ""


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
    if isinstance(got, (tuple, list, dict)) and not _stands_for_array(expected, got, lists):
        return Problem("type", _collection_sentence(expected, got, tolerance, lists))
    if isinstance(expected, str):
        return _text_problem(expected, got)
    if isinstance(expected, np.ndarray):
        return _array_problem(expected, got, tolerance, f"an array of numbers, shape {expected.shape}")
    return _number_problem(expected, got, tolerance)


def _stands_for_array(expected: Any, got: Any, lists: bool) -> bool:
    """Return whether a list of numbers is accepted in place of the array that is expected."""
    return lists and isinstance(expected, np.ndarray) and not isinstance(got, dict) and as_array(got) is not None


def _collection_sentence(expected: Any, got: Any, tolerance: float, lists: bool) -> str:
    """Return the sentence for a collection returned in place of a single value."""
    noun = "an array" if isinstance(expected, np.ndarray) else "a string" if isinstance(expected, str) else "a number"
    if isinstance(got, dict):
        return f"expected {noun}, got {describe(got)}: return the value itself"
    if advice := _suggest_conversion(expected, got, tolerance):
        return f"expected an array, got {describe(got)}; {advice} makes one of it"
    if isinstance(got, list):
        return f"expected {noun}, got {describe(got)}{_first_item_text(got)}"
    if len(got) == 1:
        return f"expected {noun}, got {describe(got)}: a comma behind the result makes a tuple of it"
    correct = [i for i, item in enumerate(got) if find_problem(expected, item, tolerance, lists=lists) is None]
    if len(correct) == 1 and correct[0] < len(ORDINALS):
        return (
            f"{RETURNS} {len(got)} values ({_list_items(got)}); return only the {ORDINALS[correct[0]]}, which is right"
        )
    return f"{RETURNS} {len(got)} values ({_list_items(got)}); only one is expected: {noun}"


def _first_item_text(got: list) -> str:
    return f", the first of which is {describe(got[0])}" if got else ""


def _list_items(got: tuple) -> str:
    most = 3  # of a longer tuple the beginning is enough
    names = [describe(item).replace(FORGOTTEN_RETURN, "") for item in got[:most]] + ["..."] * (len(got) > most)
    return ", ".join(names)


def _suggest_conversion(expected: Any, got: tuple | list, tolerance: float) -> str:
    """Return the call that makes the expected array of a list, or of a tuple if its numbers are correct, or ""."""
    array = as_array(got)
    if not isinstance(expected, np.ndarray) or array is None or array.dtype.kind not in "biuf":
        return ""
    options = [("np.array(...)", array)]
    if array.ndim > 1:
        options.append(("np.stack(..., axis=1)", np.swapaxes(array, 0, 1)))
    for advice, option in options:
        if option.shape == expected.shape and (isinstance(got, list) or same_output(expected, option, tolerance)):
            return advice
    return ""


def _sequence_problem(expected: tuple | list, got: Any, tolerance: float, lists: bool) -> Problem | None:
    expected_count = f"{len(expected)} {'value' if len(expected) == 1 else 'values'}"
    if not isinstance(got, (tuple, list)):
        separated = ", separated by commas" if len(expected) > 1 else ""
        return Problem("type", f"expected {expected_count}{separated}, got {describe(got)}")
    if len(got) != len(expected):
        return Problem("type", f"expected {expected_count}, got {len(got)}")
    for position, (want, have) in enumerate(zip(expected, got, strict=True)):
        problem = find_problem(want, have, tolerance, lists=lists)
        if problem:
            return _locate(f"value {position + 1} of {len(expected)}", problem)
    return None


def _dict_problem(expected: dict, got: Any, tolerance: float, lists: bool) -> Problem | None:
    if not isinstance(got, dict):
        return Problem("type", f"expected a dict with the keys {sorted(expected)}, got {describe(got)}")
    if set(got) != set(expected):
        return Problem("type", f"expected the keys {sorted(expected)}, got {sorted(map(str, got))}")
    for key, want in expected.items():
        problem = find_problem(want, got[key], tolerance, lists=lists)
        if problem and want is True and got[key] is False:  # a claim about the answer
            return Problem("value", f"this should be true and is not: {key}")
        if problem:
            return _locate(str(key), problem)
    return None


def _locate(position: str, problem: Problem) -> Problem:
    """Return the problem with its position in a tuple or dict, without the guess that `return` is missing."""
    sentence = problem.sentence.replace(FORGOTTEN_RETURN, "").replace(RETURNS, "this part is")
    return Problem(problem.kind, f"{position}: {sentence}")


def _text_problem(expected: str, got: Any) -> Problem | None:
    if not isinstance(got, str):
        return Problem("type", f"expected a string, got {describe(got)}")
    return None if got == expected else Problem("value", f"expected {expected!r}, got {got[:60]!r}")


def _number_problem(expected: Any, got: Any, tolerance: float) -> Problem | None:
    is_integer = isinstance(expected, (int, np.integer)) and not isinstance(expected, bool)
    problem = _array_problem(np.asarray(expected), got, tolerance, "an integer" if is_integer else "a number")
    if problem is None and is_integer and not isinstance(np.asarray(got).item(), int):
        return Problem("dtype", f"expected an integer, got {describe(got)}: `/` always gives a float, `//` an integer")
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
        return Problem("dtype", f"expected True and False, got {array.dtype}; .astype(bool) converts it")
    if expected.ndim and expected.dtype.kind in "iu" and array.dtype.kind == "f":
        return Problem("dtype", f"expected integers, got {array.dtype}; .astype(int) converts it")
    if array.dtype.kind not in "biuf":
        return Problem("dtype", f"expected real numbers, got {array.dtype}")
    if not np.all(np.isfinite(array)):
        where = _as_index(np.argwhere(~np.isfinite(array))[0])
        expected_entry, actual_entry = _entry_text(expected, where), _entry_text(array, where)
        return Problem(
            "finite", f"expected {expected_entry}{_index_text(where)}, got {actual_entry}, which is not a finite number"
        )
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
            "dtype", f"right up to rounding, but in {array.dtype}: the inputs are float64, keep their precision"
        )
    truncated = array.ndim > 0 and np.all(have == np.trunc(want))
    if expected.dtype.kind == "f" and array.dtype.kind in "iu" and truncated:
        return Problem(
            "dtype", f"right up to the digits after the decimal point, which are cut off: the array holds {array.dtype}"
        )
    where = _as_index(np.argwhere(excess > tolerance)[0])
    if expected.dtype == bool:
        sentence = f"expected {bool(want[where])}{_index_text(where)}, got {bool(have[where])}"
        return Problem("value", sentence)
    digits = 4 if f"{want[where]:.4g}" != f"{have[where]:.4g}" else 12
    expected_entry, actual_entry = (_entry_text(values, where, digits) for values in (want, have))
    extent = _extent_text(excess > tolerance, np.abs(have - want))
    return Problem("value", f"expected {expected_entry}{_index_text(where)}, got {actual_entry}{extent}")


def _extent_text(wrong: np.ndarray, difference: np.ndarray) -> str:
    """Return how many entries differ and by how much at most, for an array of several entries."""
    if wrong.size <= 1:
        return ""
    count = int(np.count_nonzero(wrong))
    entries = f"all {count} entries differ" if count == wrong.size else (
        f"{count} of {wrong.size} entries {'differs' if count == 1 else 'differ'}")  # fmt: skip
    return f" ({entries}, largest difference {np.max(difference):.2g})"


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
        return f"the string {value[:30]!r}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself, not an instance: call it with ()"
    if callable(value):
        return f"a function, not its result: {getattr(value, '__name__', 'call it')}(...) calls it"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, dict):
        return f"a dict with the keys {sorted(map(str, value))}" if value else "an empty dict"
    if isinstance(value, (tuple, list)):
        kind = value.__class__.__name__
        return f"a {kind} of {len(value)} item{'' if len(value) == 1 else 's'}" if value else f"an empty {kind}"
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
        return f"{sentence}: the two axes have changed places"
    if len(expected) == 3 and got == (expected[1], expected[0], expected[2]):
        return f"{sentence}: the first two axes have changed places"
    return sentence


def _as_index(index: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in index)


def _index_text(where: tuple[int, ...]) -> str:
    return f" at {list(where)}" if where else ""


def _entry_text(array: np.ndarray, where: tuple[int, ...], digits: int = 4) -> str:
    value = array[where]
    return f"{value + 0.0:.{digits}g}" if array.dtype.kind == "f" else str(value)  # without the sign of -0.0
