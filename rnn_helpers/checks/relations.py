"""Describe how wrong results relate to the right ones, as in "your result is the transpose of the right one".

A relation is an observation, not a guess about the code. It is stated only if it holds in every check whose result is
wrong, on outputs on which it could have failed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_helpers.checks.comparison import ORDINALS, as_array, find_problem
from rnn_helpers.checks.evaluator import Case
from rnn_helpers.checks.execution import Outcome

CLOSE = 1e-6  # relative; looser than any exercise's tolerance, far tighter than a coincidence
VARIED = 1e-3  # entries that differ by less than this say too little about a relation
MOST_RESULTS = 5  # whose orders are all tried
MOST_FACTORS = 6  # that a sentence lists
FEWEST_ENTRIES = 3  # different numbers in all wrong results together, from which a function can be told

CONSTANTS: dict[str, float] = {
    "1 / ln 2: natural and base-2 logarithms differ by this factor": 1 / np.log(2),
    "ln 2: natural and base-2 logarithms differ by this factor": np.log(2),
    "1 / ln 10: natural and base-10 logarithms differ by this factor": 1 / np.log(10),
    "ln 10: natural and base-10 logarithms differ by this factor": np.log(10),
}
FRACTIONS = {2.0: "twice", 0.5: "half", -2.0: "minus twice", -0.5: "minus half", 3.0: "three times"}


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# What turns the result into the right one, or the right one into the result.
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "exponential": np.exp,
    "logarithm": np.log,
    "square root": np.sqrt,
    "square": np.square,
    "sigmoid": _sigmoid,
    "softmax over the last axis": _softmax,
    "absolute value": np.abs,
    "reciprocal": np.reciprocal,
}


@dataclass(frozen=True)
class Pair:
    """One wrong result and the right one, as floats, with the inputs. tolerance: within which they count as equal."""

    got: np.ndarray
    want: np.ndarray
    args: tuple
    tolerance: float

    def close(self, first: np.ndarray, second: np.ndarray) -> bool:
        """Return whether two arrays are equal up to rounding."""
        if np.shape(first) != np.shape(second):
            return False
        margin = max(CLOSE, self.tolerance)
        return bool(np.all(np.abs(first - second) <= margin * (1e-2 + np.abs(second))))

    @property
    def is_sequence(self) -> bool:
        """Return whether the right result has the axes (batch, steps, ...) of an input."""
        return self.want.ndim >= 2 and self.want.shape[:2] in [a.shape[:2] for a in _arrays(self.args) if a.ndim >= 3]

    @property
    def mask(self) -> np.ndarray | None:
        """Return the input that says which steps are real, or None."""
        masks = [a for a in _arrays(self.args) if a.dtype == bool and a.shape == self.want.shape[:2]]
        return masks[0] if len(masks) == 1 and self.want.ndim >= 2 else None


def describe_relation(
    cases: Sequence[Case], outcomes: Sequence[Outcome], tolerance: float, names: Sequence[str] = ()
) -> str:
    """Return a sentence about how the wrong results relate to the right ones, or "".

    names: the student's names of the inputs
    """
    wrong = [
        (case, outcome)
        for case, outcome in zip(cases, outcomes, strict=True)
        if outcome.error or find_problem(case.expected, outcome.value, tolerance)
    ]
    if not wrong or any(outcome.error or outcome.observed for _, outcome in wrong):
        return ""
    finite = [(case.expected, outcome.value, case.args) for case, outcome in wrong if _is_finite(outcome.value)]
    sentence = _describe(finite, tolerance, names) if finite else ""
    if not sentence or len(finite) == len(cases):
        return sentence
    which = "In the check that fails" if len(wrong) == 1 else "In each check that fails"
    without = "" if len(finite) == len(wrong) else " without nan or inf in your result"
    return f"{which}{without}, {_continued(sentence)}"


def _is_finite(value: Any) -> bool:
    """Return whether a result has no nan or inf among its numbers."""
    arrays: list[np.ndarray | None] = [*_arrays(value)] or [as_array(value)]
    return all(array is None or array.dtype.kind != "f" or bool(np.all(np.isfinite(array))) for array in arrays)


def _continued(sentence: str) -> str:
    """Return a sentence as the second part of another; a name such as dW_xh keeps its capitals."""
    begins_with_word = sentence.startswith(("Your ", "The ", "Each ", "Summed ", "At "))
    return f"{sentence[0].lower()}{sentence[1:]}" if begins_with_word else sentence


def _describe(wrong: list[tuple[Any, Any, tuple]], tolerance: float, names: Sequence[str]) -> str:
    """Return the relation of [(right, result, inputs)], of which each may be an array, a tuple or a dict."""
    want = wrong[0][0]
    if isinstance(want, (tuple, list, dict)):
        return _describe_parts(wrong, tolerance, names)
    pairs = [pair for items in wrong if (pair := _pair(*items, tolerance)) is not None]
    if len(pairs) < len(wrong):
        return ""
    return next(filter(None, (relation(pairs, names) for relation in RELATIONS)), "")


def _describe_parts(wrong: list[tuple[Any, Any, tuple]], tolerance: float, names: Sequence[str]) -> str:
    """Return which parts of a tuple or dict are correct, and how the only wrong one relates to the right one."""
    keys = _keys(wrong[0][0])
    if any(_keys(want) != keys or _keys(got) != keys for want, got, _ in wrong):
        return ""
    bad = [key for key in keys if any(find_problem(want[key], got[key], tolerance) for want, got, _ in wrong)]
    if not isinstance(wrong[0][0], dict) and (sentence := _order_of_results(wrong, tolerance)):
        return sentence
    good = [key for key in keys if key not in bad]
    if len(bad) != 1 or not good or any(isinstance(want[good[0]], bool) for want, _, _ in wrong):
        return ""
    listed = _join([_part_name(key) for key in good])
    start = f"{listed[0].upper()}{listed[1:]}" if listed.startswith("the ") else listed
    start += f" {'is' if len(good) == 1 else 'are'} correct; only {_part_name(bad[0])} is wrong"
    parts = [(want[bad[0]], got[bad[0]], args) for want, got, args in wrong]
    wrong_parts = [part for part in parts if find_problem(part[0], part[1], tolerance)]
    detail = "" if isinstance(parts[0][0], (tuple, list, dict)) else _describe(wrong_parts, tolerance, names)
    for words in ("Your result", "your result", "Your numbers are"):
        detail = detail.replace(words, "its numbers are" if words.endswith("are") else "it")
    return f"{start}: {_continued(detail)}" if detail else f"{start}."


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _keys(value: Any) -> list:
    return (
        sorted(value)
        if isinstance(value, dict)
        else list(range(len(value)))
        if isinstance(value, (tuple, list))
        else []
    )


def _part_name(key: Any) -> str:
    return f"the {ORDINALS[key]} value" if isinstance(key, int) and key < len(ORDINALS) else str(key)


def _order_of_results(wrong: list[tuple[Any, Any, tuple]], tolerance: float) -> str:
    """Describe a tuple of correct results in another order, or return ""."""
    count = len(wrong[0][0])
    orders = [
        order
        for order in (itertools.permutations(range(count)) if 2 <= count <= MOST_RESULTS else ())
        if all(find_problem(want[i], got[j], tolerance) is None for want, got, _ in wrong for i, j in enumerate(order))
    ]
    if not orders:
        return ""
    moved = [key for key, position in enumerate(orders[0]) if key != position]
    if count > 2 and len(moved) == 2 and len(orders) == 1:
        return f"Your results are correct, but {_join([_part_name(key) for key in moved])} have changed places."
    return f"Your {'two ' if count == 2 else ''}results are correct, but in the wrong order."


def _pair(want: Any, got: Any, args: tuple, tolerance: float) -> Pair | None:
    """Return two results as arrays of finite floats, or None if they are not both numbers."""
    arrays = as_array(want), as_array(got)
    if any(array is None or array.dtype.kind not in "iuf" for array in arrays):
        return None
    first, second = (np.asarray(array, dtype=float) for array in arrays)
    if not (np.all(np.isfinite(first)) and np.all(np.isfinite(second))) or not first.size:
        return None
    return Pair(second, first, args, tolerance)


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _arrays(item)


def _varies(values: np.ndarray, axis: int | None = None) -> bool:
    """Return whether entries differ, so that a rearrangement of them would be noticed."""
    return values.size > 1 and bool(np.any(np.ptp(values, axis=axis) > VARIED))


def _is_informative(pairs: list[Pair], fewest: int = FEWEST_ENTRIES) -> bool:
    """Return whether the right results have enough different numbers, so that nothing fits by accident."""
    entries = np.concatenate([pair.want.ravel() for pair in pairs])
    return len(np.unique(np.round(entries[np.abs(entries) > VARIED], 6))) >= fewest


def _same_shapes(pairs: list[Pair]) -> bool:
    return all(pair.got.shape == pair.want.shape for pair in pairs)


def all_zeros(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that are zero everywhere."""
    zero = all(pair.got.size and not np.any(pair.got) for pair in pairs) and _same_shapes(pairs)
    return "Your result is zero everywhere." if zero and _is_informative(pairs) else ""


def an_input(pairs: list[Pair], names: Sequence[str]) -> str:
    """Describe results that equal one of the inputs."""
    for position, name in enumerate(names):
        if not name:
            continue
        values = [pair.args[position] if position < len(pair.args) else None for pair in pairs]
        if all(
            isinstance(value, np.ndarray)
            and value.dtype.kind == "f"
            and value.size > 1
            and _varies(value)
            and pair.close(pair.got, value)
            for pair, value in zip(pairs, values, strict=True)
        ):
            return f"Your result equals the input {name.partition('=')[0]}."
    return ""


def constant_factor(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that are the right ones times a number, the same everywhere in each of them."""
    if not _same_shapes(pairs) or not _is_informative(pairs, fewest=2):
        return ""
    factors = [factor for pair in pairs if (factor := _factor(pair)) is not None]
    if len(factors) < len(pairs) or any(abs(factor) < CLOSE or abs(factor - 1) < CLOSE for factor in factors):
        return ""
    if np.ptp(factors) < CLOSE * abs(factors[0]):
        return _factor_sentence(factors[0])
    quantities = _quantities_of(pairs, factors)
    return f"Your result is the right one {quantities[0]}." if len(quantities) == 1 else ""


def _factor(pair: Pair) -> float | None:
    """Return the number by which the result differs from the right one, or None."""
    largest = np.argmax(np.abs(pair.want))
    if abs(pair.want.flat[largest]) < VARIED:
        return None
    factor = float(pair.got.flat[largest] / pair.want.flat[largest])
    return factor if pair.close(pair.got, factor * pair.want) else None


def _factor_sentence(factor: float) -> str:
    if abs(factor + 1) < CLOSE:
        return "Your result has the wrong sign: it is minus the right one."
    for name, value in CONSTANTS.items():
        if abs(factor - value) < CLOSE:
            return f"Your result is the right one times {value:.4f}, which is {name}."
    for value, word in FRACTIONS.items():
        if abs(factor - value) < CLOSE:
            return f"Your result is {word} the right one."
    return f"Your result is the right one times {factor:.6g}."


def _quantities_of(pairs: list[Pair], factors: list[float]) -> list[str]:
    """Return which sizes of the inputs the factors equal in every pair, such as "times the number of steps"."""
    sizes = [_sizes(pair) for pair in pairs]
    quantities = []
    for name in sizes[0]:
        values = [size.get(name, np.nan) for size in sizes]
        pairs_of_numbers = list(zip(factors, values, strict=True))
        if all(abs(factor - value) < CLOSE * value for factor, value in pairs_of_numbers):
            quantities.append(f"times {name}")
        if all(abs(factor * value - 1) < CLOSE for factor, value in pairs_of_numbers):
            quantities.append(f"divided by {name}")
    return quantities


def _sizes(pair: Pair) -> dict[str, float]:
    """Return what can be counted in the inputs and the right result."""
    sizes: dict[str, float] = {}
    sequences = [array for array in _arrays(pair.args) if array.ndim == 3]
    if sequences:
        sizes = {"the number of sequences": sequences[0].shape[0], "the number of steps": sequences[0].shape[1]}
        sizes["the size of the last axis"] = sequences[0].shape[2]
        sizes["the number of sequences times the number of steps"] = sequences[0].shape[0] * sequences[0].shape[1]
    else:
        tables = [array for array in _arrays(pair.args) if array.ndim == 2 and array.dtype.kind == "f"]
        sizes = (
            {"the number of rows": tables[0].shape[0], "the number of columns": tables[0].shape[1]} if tables else {}
        )
    masks = [array for array in _arrays(pair.args) if array.dtype == bool]
    if len(masks) == 1:
        sizes["the number of real steps"] = int(masks[0].sum())
    vectors = [array for array in _arrays(pair.args) if array.ndim == 1]
    if not sizes and vectors:
        sizes["the number of entries"] = vectors[0].size
    return {name: value for name, value in sizes.items() if value > 1}


def constant_offset(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that are the right ones plus a number, the same everywhere."""
    if not _same_shapes(pairs) or not all(_varies(pair.want) for pair in pairs):
        return ""
    offsets = [float(np.mean(pair.got - pair.want)) for pair in pairs]
    fits = all(np.allclose(p.got, p.want + offset, rtol=0, atol=1e-7) for p, offset in zip(pairs, offsets, strict=True))
    if not fits or np.ptp(offsets) > CLOSE or abs(offsets[0]) < VARIED:
        return ""
    return f"Your result is the right one {'plus' if offsets[0] > 0 else 'minus'} {abs(offsets[0]):.6g} everywhere."


def other_axes(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results whose axes have changed places, or that have the right numbers in another shape."""
    if all(pair.want.ndim == 2 and _varies(pair.want) and pair.close(pair.got, pair.want.T) for pair in pairs):
        return "Your result is the transpose of the right one."
    for first, second in ((0, 1), (1, 2), (0, 2)):
        if all(
            pair.want.ndim == 3 and _varies(pair.want) and pair.close(pair.got, np.swapaxes(pair.want, first, second))
            for pair in pairs
        ):
            return f"Your result is the right one with axes {first} and {second} exchanged."
    flat = all(
        pair.got.shape != pair.want.shape and pair.got.size == pair.want.size and _varies(pair.want)
        and pair.close(pair.got.ravel(), pair.want.ravel())
        for pair in pairs
    )  # fmt: skip
    return f"Your numbers are correct, but in the shape {pairs[0].got.shape}." if flat else ""


def too_many_axes(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that become right when they are summed or averaged over one axis."""
    if not all(pair.got.ndim == pair.want.ndim + 1 for pair in pairs):
        return ""
    for axis in range(min(pair.got.ndim for pair in pairs)):
        if all(_varies(p.got, axis) and p.close(p.got.sum(axis=axis), p.want) for p in pairs):
            return f"Summed over axis {axis}, your result is the right one."
        if all(_varies(p.got, axis) and p.close(p.got.mean(axis=axis), p.want) for p in pairs):
            return f"The mean of your result over axis {axis} is the right one."
    return ""


def number_of_steps(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that have a step too many or too few, or only the last one."""
    if not all(pair.is_sequence and pair.want.shape[1] > 1 and _varies(pair.want, 1) for pair in pairs):
        return ""
    if all(pair.close(pair.got, pair.want[:, -1]) for pair in pairs):
        return "Your result is the last step of the right one; all steps are asked for."
    if all(pair.close(pair.got, pair.want[:, :-1]) for pair in pairs):
        return "Your result lacks the last step; the others are correct."
    if all(pair.close(pair.got, pair.want[:, 1:]) for pair in pairs):
        return "Your result lacks the first step; the others are correct."
    if all(pair.got.ndim > 1 and pair.close(pair.got[:, 1:], pair.want) for pair in pairs):
        return "Your result begins with one step too many; after it, all steps are correct."
    return ""


def order_of_steps(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results whose steps, positions or rows are shifted or reversed."""
    if not _same_shapes(pairs):
        return ""
    for axis, noun in ((1, "time step"), (0, "position")):
        if not all(_has_order(pair, axis) for pair in pairs):
            continue
        got, want = (
            [np.moveaxis(values, axis, 0) for values in arrays]
            for arrays in zip(*map(_got_and_want, pairs), strict=True)
        )
        if all(p.close(g[1:], w[:-1]) for p, g, w in zip(pairs, got, want, strict=True)):
            return f"Your result is the right one, one {noun} too late."
        if all(p.close(g[:-1], w[1:]) for p, g, w in zip(pairs, got, want, strict=True)):
            return f"Your result is the right one, one {noun} too early."
        if all(p.close(g, w[::-1]) for p, g, w in zip(pairs, got, want, strict=True)):
            return f"Your result is the right one with its {noun}s in reverse order."
    rows = all(p.want.ndim > 1 and len(p.want) > 1 and _varies(p.want, 0) for p in pairs)
    if rows and all(p.close(p.got, p.want[::-1]) for p in pairs):
        return "Your result is the right one with its rows in reverse order."
    return ""


def _got_and_want(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    return pair.got, pair.want


def _has_order(pair: Pair, axis: int) -> bool:
    """Return whether an axis is one of time steps (1), or the only one (0), and a shift along it would be noticed."""
    if (axis == 1 and not pair.is_sequence) or (axis == 0 and pair.want.ndim != 1) or pair.want.shape[axis] < 4 - axis:
        return False
    inner = np.moveaxis(pair.want, axis, 0)
    return _varies(inner[:-1], 0) and _varies(inner[1:], 0)


def part_that_is_right(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that are correct in some rows or steps and wrong in all others."""
    if not _same_shapes(pairs):
        return _only_real_steps(pairs)
    wrong = [np.abs(p.got - p.want) > max(CLOSE, p.tolerance) * (1 + np.abs(p.want)) for p in pairs]
    return _padded_steps(pairs, wrong) or _right_steps(pairs, wrong) or _right_rows(pairs, wrong)


def _right_steps(pairs: list[Pair], wrong: list[np.ndarray]) -> str:
    if not all(pair.is_sequence and pair.want.shape[1] > 2 for pair in pairs):
        return ""
    steps = [np.any(w, axis=tuple(i for i in range(w.ndim) if i != 1)) for w in wrong]
    for position, name in ((0, "first"), (-1, "last")):
        if all(step[position] and step.sum() == 1 for step in steps):
            return f"Your result is right except at the {name} time step."
    if all(not step[0] and np.all(step[1:]) for step in steps):
        return "Your result is right at the first time step and wrong from the second on."
    return ""


def _right_rows(pairs: list[Pair], wrong: list[np.ndarray]) -> str:
    if not all(pair.want.ndim > 1 and len(pair.want) > 1 for pair in pairs):
        return ""
    rows = [np.any(w, axis=tuple(range(1, w.ndim))) for w in wrong]
    noun = "sequence" if all(pair.is_sequence for pair in pairs) else "row"
    if all(not row[0] and np.all(row[1:]) for row in rows):
        return f"Your result is right for the first {noun} only."
    if all(row[0] and not np.any(row[1:]) for row in rows):
        return f"Your result is right except for the first {noun}."
    return ""


def _only_real_steps(pairs: list[Pair]) -> str:
    masks = [mask for pair in pairs if (mask := pair.mask) is not None]
    if len(masks) < len(pairs) or all(map(np.all, masks)):
        return ""
    if all(pair.close(pair.got, pair.want[mask]) for pair, mask in zip(pairs, masks, strict=True)):
        return "Your result has only the real steps, one below the other; the padded ones are asked for, too."
    return ""


def _padded_steps(pairs: list[Pair], wrong: list[np.ndarray]) -> str:
    masks = [mask for pair in pairs if (mask := pair.mask) is not None and not np.all(mask)]
    if len(masks) < len(pairs):
        return ""
    if all(not np.any(w[mask]) for w, mask in zip(wrong, masks, strict=True)):
        return "Your result is right at all real steps and wrong at padded ones, where the mask is False."
    rows = [np.any(w, axis=tuple(range(1, w.ndim))) for w in wrong]
    if all(np.array_equal(row, ~mask.all(axis=1)) and not row.all() for row, mask in zip(rows, masks, strict=True)):
        return "Your result is right for the sequences without padding and wrong for those with padding."
    return ""


def scale_of_rows(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results each of whose rows is the right one times a factor of its own."""
    if not _same_shapes(pairs) or not all(pair.want.ndim > 1 for pair in pairs):
        return ""
    for pair in pairs:
        got, want = (values.reshape(-1, values.shape[-1]) for values in (pair.got, pair.want))
        if len(got) < 2 or np.any(np.sum(np.abs(want) > VARIED, axis=1) < 3) or not _varies(want, 1):
            return ""
        factors = np.sum(got * want, axis=1, keepdims=True) / np.sum(want * want, axis=1, keepdims=True)
        if not pair.close(got, factors * want) or np.ptp(factors) < VARIED or np.any(np.abs(factors) < VARIED):
            return ""
    return "Each row of your result is the right row times a factor of its own."


def scale_of_slices(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that are the right ones times a factor for each index of the first axis."""
    if not _same_shapes(pairs) or not all(pair.want.ndim > 2 and len(pair.want) > 1 for pair in pairs):
        return ""
    factors = []
    for pair in pairs:
        got, want = (values.reshape(len(values), -1) for values in (pair.got, pair.want))
        if np.any(np.sum(np.abs(want) > VARIED, axis=1) < FEWEST_ENTRIES) or not _varies(want, 1):
            return ""
        factors.append(np.sum(got * want, axis=1) / np.sum(want * want, axis=1))
        fits = pair.close(got, factors[-1][:, None] * want)
        if not fits or np.ptp(factors[-1]) < VARIED or np.any(np.abs(factors[-1]) < VARIED):
            return ""
    listed = f": {', '.join(f'{factor:.3g}' for factor in factors[0])}" if len(factors[0]) <= MOST_FACTORS else ""
    return f"At each index of the first axis, your result is the right one times a factor of its own{listed}."


def element_wise_function(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that a function turns into the right ones, or that are a function of the right ones."""
    if not _same_shapes(pairs) or not _is_informative(pairs):
        return ""
    for name, function in FUNCTIONS.items():
        if _maps(function, [(pair, pair.got, pair.want) for pair in pairs]):
            return f"The {name} of your result is the right one."
    for name, function in FUNCTIONS.items():
        if name not in ("logarithm", "square root", "reciprocal") and _maps(
            function, [(pair, pair.want, pair.got) for pair in pairs]
        ):
            return f"Your result is the {name} of the right one."
    if all(pair.close(pair.got, 1 - pair.want) for pair in pairs):
        return "Your result is 1 minus the right one."
    return ""


def _maps(function: Callable[[np.ndarray], np.ndarray], items: list[tuple[Pair, np.ndarray, np.ndarray]]) -> bool:
    with np.errstate(all="ignore"):
        return all(source.ndim > 0 and pair.close(function(source), target) for pair, source, target in items)


def other_places(pairs: list[Pair], _names: Sequence[str]) -> str:
    """Describe results that have the right numbers in another order, as after a reshape instead of a transpose."""
    for pair in pairs:
        distinct = np.unique(np.round(pair.want, 6)).size
        if distinct < 2 * FEWEST_ENTRIES or not pair.close(np.sort(pair.got, axis=None), np.sort(pair.want, axis=None)):
            return ""
    where = "not in the right places" if _same_shapes(pairs) else "neither in the right shape nor in the right order"
    return f"Your result has the right numbers, but {where}."


RELATIONS: tuple[Callable[[list[Pair], Sequence[str]], str], ...] = (
    all_zeros,
    an_input,
    constant_factor,
    constant_offset,
    other_axes,
    too_many_axes,
    number_of_steps,
    order_of_steps,
    part_that_is_right,
    element_wise_function,
    scale_of_slices,
    scale_of_rows,
    other_places,
)
