"""What the inputs of an exercise have in common: an answer may rely on it, so the task must promise it.

The draws of all challenges are pooled, because an answer must pass them all: what one fixes, another may vary.
Structure that holds for all the draws of a grading run, in many runs, is found. Two things hold everywhere and are not
looked for: `sampling.numbers` draws no exact zero, since a term that is zero hides a mistake; and sizes often differ
from each other, so that a wrong axis shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations, groupby
from typing import Any

import numpy as np

from autograde_tests.exercise import Exercise
from autograde_tests.grade_answer import DRAWS
from rnn_helpers.checks.execution import function_arguments

RUNS = 16
SOME = 2 * DRAWS  # values without which a run says nothing
MANY = 0.2  # the share of the runs in which an answer that relies on structure may earn full marks by luck
Draw = dict[str, list]  # path such as "cache[0]" -> its values; the items of a list share one path, such as "cells[]"
Sizes = dict[str, int]


def common_structure(exercise: Exercise) -> list[str]:
    """Return sentences about what the inputs of an exercise have in common in many grading runs."""
    counts = Counter(sentence for run in range(RUNS) for sentence in _structure(_inputs(exercise, run)))
    return [sentence for sentence, count in counts.items() if count > MANY * RUNS]


def independent_sizes(exercise: Exercise) -> list[str]:
    """Return one name for each group of sizes that are equal in every draw, constant ones left out."""
    return _leaders([_sizes(draw) for run in range(RUNS) for draw in _inputs(exercise, run)])


def _inputs(exercise: Exercise, run: int) -> list[Draw]:
    """Return the inputs of all the challenges in one grading run."""
    rng = np.random.default_rng(run)
    return [
        _draw(exercise, (challenge.fresh or challenge.draw)(rng))
        for challenge in exercise.challenges
        for _ in range(DRAWS)
    ]


def _structure(draws: list[Draw]) -> list[str]:
    """Return sentences about what all these draws have in common."""
    pooled: dict[str, list] = defaultdict(list)
    for draw in draws:
        for path, values in draw.items():
            pooled[path] += values
    return [sentence for path, values in pooled.items() for sentence in _about(path, values)] + _about_sizes(draws)


def _draw(exercise: Exercise, args: tuple) -> Draw:
    arguments = function_arguments(exercise.probe, args)
    names = [name.partition("=")[0] for name in exercise.parameters]
    if not arguments:  # the probe passes them on in its own way
        arguments, names = args, [f"input {number}" for number in range(len(args))]
    draw: Draw = defaultdict(list)
    for name, argument in zip(names, arguments, strict=False):
        for path, value in _flatten(name, argument):
            draw[path].append(value)
    return draw


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, array, number or text) for everything in an argument."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flatten(f"{path}[{key}]", item)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _flatten(f"{path}[{number}]", item)
    elif isinstance(value, list) and not all(isinstance(item, (int, float)) for item in value):
        yield f"len({path})", len(value)
        for item in value:
            yield from _flatten(f"{path}[]", item)
    elif isinstance(value, (str, list)):
        yield path, np.array(value) if isinstance(value, list) else value
    elif isinstance(value, (int, float, np.ndarray, np.generic)):
        yield path, np.asarray(value)


def _about(path: str, values: list) -> Iterator[str]:
    """Yield sentences about the values that one input has in all draws."""
    if isinstance(values[0], str):
        if len(set(values)) == 1 and "[" not in path:
            yield f"{path} is always the same"
        return
    arrays = [array for array in map(np.asarray, values) if array.size]
    if arrays and all(np.array_equal(arrays[0], array) for array in arrays):
        yield f"{path} is always the same"
        return
    for sentence, (applies, holds) in PROPERTIES.items():
        judged = [array for array in arrays if applies(array)]
        if (
            len(judged) >= SOME
            and (applies is not _is_square or len(judged) == len(arrays))
            and all(map(holds, judged))
        ):
            yield f"{path} {sentence}"


def _is_real(array: np.ndarray) -> bool:
    return array.dtype.kind == "f"


def _is_row(array: np.ndarray) -> bool:
    return _is_real(array) and array.ndim > 0 and array.shape[-1] > 2


def _is_square(array: np.ndarray) -> bool:
    return _is_real(array) and array.ndim == 2 and array.shape[0] == array.shape[1] > 1


def _is_mask(array: np.ndarray) -> bool:
    return array.dtype == bool and array.ndim > 0 and array.shape[-1] > 1


def _is_classes(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu" and array.ndim > 0 and array.size > 1


def _eigenvalues(array: np.ndarray) -> np.ndarray:
    return np.abs(np.linalg.eigvals(array))


def _runs(array: np.ndarray) -> list[int]:
    return [len(list(run)) for _, run in groupby(array.ravel().tolist())]


PROPERTIES: dict[str, tuple[Callable, Callable]] = {
    "is never negative": (_is_real, lambda a: a.min() >= 0),
    "is never positive": (_is_real, lambda a: a.max() <= 0),
    "is always between -1 and 1": (_is_real, lambda a: np.abs(a).max() <= 1),
    "holds whole numbers": (_is_real, lambda a: np.all(a == np.round(a))),
    "is sorted along its last axis": (_is_row, lambda a: np.all(np.diff(a) >= 0)),
    "is sorted from large to small": (_is_row, lambda a: np.all(np.diff(a) <= 0)),
    "has its largest entry first": (_is_row, lambda a: np.all(a.argmax(-1) == 0)),
    "has its largest entry last": (_is_row, lambda a: np.all(a.argmax(-1) == a.shape[-1] - 1)),
    "is symmetric": (_is_square, lambda a: np.allclose(a, a.T)),
    "has its largest eigenvalue first": (_is_square, lambda a: _eigenvalues(a).argmax() == 0),
    "has a spectral radius below 1": (_is_square, lambda a: _eigenvalues(a).max() < 1),
    "has a spectral radius above 1": (_is_square, lambda a: _eigenvalues(a).max() > 1),
    "has a norm below 1": (_is_square, lambda a: np.linalg.norm(a, 2) < 1),
    "is True at every first step": (_is_mask, lambda a: np.all(a[..., 0])),
    "has no gaps": (_is_mask, lambda a: np.all(np.diff(a.astype(int), axis=-1) <= 0)),
    "has a full row": (_is_mask, lambda a: np.any(np.all(a, axis=-1))),
    "is True somewhere in each row": (_is_mask, lambda a: np.all(np.any(a, axis=-1))),
    "never repeats an entry": (_is_classes, lambda a: max(_runs(a)) == 1),
    "has only runs of two and more": (_is_classes, lambda a: min(_runs(a)) > 1),
    "is never 0": (_is_classes, lambda a: a.all()),
    "always begins with 0": (_is_classes, lambda a: a.flat[0] == 0),
    "always ends with 0": (_is_classes, lambda a: a.flat[-1] == 0),
}

ORDERS: dict[str, Callable] = {
    "smaller than": lambda a, b: a < b,
    "larger than": lambda a, b: a > b,
    "at most": lambda a, b: a <= b,
    "at least": lambda a, b: a >= b,
}


def _about_sizes(draws: list[Draw]) -> list[str]:
    sizes = [_sizes(draw) for draw in draws]
    items = [size for draw in draws for size in _item_sizes(draw)]
    constant = [f"{name} is always {number}" for name, number in _constants(sizes) | _constants(items)]
    orders = [
        f"{first} is always {order} {second}"
        for first, second in combinations(_leaders(sizes), 2)
        if (order := _order(sizes, first, second))
    ]
    return sorted(constant) + orders


def _order(sizes: list[Sizes], first: str, second: str) -> str:
    """Return how two sizes compare in all draws, or ""."""
    return next((text for text, holds in ORDERS.items() if _always(sizes, first, second, holds)), "")


def _constants(sizes: list[Sizes]) -> set[tuple[str, int]]:
    seen: dict[str, list[int]] = defaultdict(list)
    for size in sizes:
        for name, number in size.items():
            seen[name].append(number)
    return {(name, numbers[0]) for name, numbers in seen.items() if len(numbers) >= SOME and len(set(numbers)) == 1}


def _leaders(sizes: list[Sizes]) -> list[str]:
    constant = {name for name, _ in _constants(sizes)}
    leaders: list[str] = []
    for name in dict.fromkeys(name for size in sizes for name in size if name not in constant):
        if not any(_always(sizes, other, name, lambda a, b: a == b) for other in leaders):
            leaders.append(name)
    return leaders


def _sizes(draw: Draw) -> Sizes:
    """Return the sizes of the arrays of a draw that occur once, and the whole numbers themselves."""
    single = {
        path: np.asarray(values[0]) for path, values in draw.items() if "[]" not in path and _has_shape(values[0])
    }
    whole = {path: int(array) for path, array in single.items() if array.ndim == 0 and array.dtype.kind in "iu"}
    return whole | {f"axis {axis} of {path}": n for path, array in single.items() for axis, n in enumerate(array.shape)}


def _item_sizes(draw: Draw) -> list[Sizes]:
    """Return the sizes of the items of lists."""
    return [
        {f"axis {axis} of {path}": size}
        for path, values in draw.items()
        for value in values
        if "[]" in path and _has_shape(value)
        for axis, size in enumerate(np.shape(value))
    ]


def _has_shape(value: Any) -> bool:
    return not isinstance(value, str)


def _always(sizes: list[Sizes], first: str, second: str, holds: Callable) -> bool:
    pairs = [(size[first], size[second]) for size in sizes if first in size and second in size]
    return len(pairs) >= SOME and all(holds(a, b) for a, b in pairs)
