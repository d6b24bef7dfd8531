"""Operators on arguments: the right answer, called with one argument zeroed, reversed, inverted or swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autograde_tests.generated_mistakes.edits import COMMON, RARE, USUAL


@dataclass(frozen=True)
class Change:
    """A change of the arguments and its sentence.

    apply: returns the changed arguments
    """

    sentence: str
    apply: Callable[[tuple], tuple]
    rank: int = USUAL


def changes(parameters: list[str], examples: list[tuple]) -> Iterator[Change]:
    """Yield the changes that make sense for arguments like these. examples: the arguments of each visible case."""
    for position, name in enumerate(parameters):
        values = [args[position] for args in examples if position < len(args)]
        if values:
            yield from _of_parameter(position, name, values)
    for first in range(len(parameters)):
        for second in range(first + 1, len(parameters)):
            if all(_exchangeable(args, first, second) for args in examples):
                yield Change(
                    f"You swap `{parameters[first]}` and `{parameters[second]}`.", _swap(first, second), COMMON
                )


def _of_parameter(position: int, name: str, values: list[Any]) -> Iterator[Change]:
    if all(isinstance(value, np.ndarray) and value.dtype == bool for value in values):
        yield from _of_mask(position, name, values)
    elif all(isinstance(value, np.ndarray) and value.dtype.kind == "f" for value in values):
        yield from _of_array(position, name, values)
    elif all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        yield from _of_number(position, name, values)
    elif all(isinstance(value, list) for value in values):
        yield from _of_list(position, name)
    elif all(isinstance(value, dict) for value in values):
        yield from _of_dict(position, name, values)


def _of_mask(position: int, name: str, values: list[np.ndarray]) -> Iterator[Change]:
    yield Change(f"You do not use `{name}`.", _at(position, np.ones_like), COMMON)
    yield Change(f"You use `{name}` inverted.", _at(position, np.logical_not), COMMON)
    if all(value.ndim >= 2 for value in values):
        yield Change(f"You use the first row of `{name}` for all rows.", _at(position, _first_row), USUAL)


def _of_array(position: int, name: str, values: list[np.ndarray]) -> Iterator[Change]:
    yield Change(f"Your result does not depend on `{name}`.", _at(position, np.zeros_like), USUAL)
    is_weight = name.startswith(("W", "U", "b_", "dW", "db"))  # which has no sequences
    if not is_weight and all(value.ndim >= 2 for value in values):
        yield Change(f"You use the first row of `{name}` for all rows.", _at(position, _first_row), COMMON)
    if all(value.ndim == 1 or value.ndim >= 3 for value in values):
        yield Change(f"You read `{name}` from its end.", _at(position, _reversed_in_time), COMMON)
    if all(value.ndim >= 3 for value in values):
        yield Change(f"You are one time step late in reading `{name}`.", _at(position, _late), RARE)
    yield Change(f"You use `{name}` with the wrong sign.", _at(position, np.negative), RARE)
    if all(value.ndim == 2 and value.shape[0] == value.shape[1] for value in values):
        yield Change(f"You use `{name}` transposed.", _at(position, np.transpose), COMMON)


def _of_number(position: int, name: str, values: list[int | float]) -> Iterator[Change]:
    are_integers = all(isinstance(value, int) for value in values)
    for constant in (0, 0.5, 0.9, 1, 2):
        if constant == int(constant) or not are_integers:
            replace = partial(_constant, constant)
            yield Change(f"You use {constant} in place of the argument `{name}`.", _at(position, replace), USUAL)
    if are_integers:
        yield Change(f"You use `{name}` + 1 in place of `{name}`.", _at(position, lambda value: value + 1), RARE)
        yield Change(f"You use `{name}` - 1 in place of `{name}`.", _at(position, lambda value: value - 1), RARE)


def _of_list(position: int, name: str) -> Iterator[Change]:
    first_only = _at(position, lambda value: [value[0]] * len(value))
    yield Change(f"You go through `{name}` from its end.", _at(position, lambda value: value[::-1]), COMMON)
    yield Change(f"You use the first item of `{name}` only.", first_only, COMMON)
    yield Change(f"You leave out the last item of `{name}`.", _at(position, lambda value: value[:-1]), RARE)


def _of_dict(position: int, name: str, values: list[dict]) -> Iterator[Change]:
    for key in values[0]:
        if all(isinstance(value.get(key), np.ndarray) and value[key].dtype.kind == "f" for value in values):

            def zeroed(value: dict, key: str = key) -> dict:
                return {**value, key: np.zeros_like(value[key])}

            yield Change(f'Your result does not depend on `{name}["{key}"]`.', _at(position, zeroed), USUAL)


def _at(position: int, change: Callable[[Any], Any]) -> Callable[[tuple], tuple]:
    def apply(args: tuple) -> tuple:
        return args if position >= len(args) else (*args[:position], change(args[position]), *args[position + 1 :])

    return apply


def _swap(first: int, second: int) -> Callable[[tuple], tuple]:
    def apply(args: tuple) -> tuple:
        order = list(args)
        order[first], order[second] = order[second], order[first]
        return tuple(order)

    return apply


def _exchangeable(args: tuple, first: int, second: int) -> bool:
    if second >= len(args):
        return False
    first_value, second_value = args[first], args[second]
    if isinstance(first_value, np.ndarray) and isinstance(second_value, np.ndarray):
        return first_value.shape == second_value.shape and first_value.dtype == second_value.dtype
    return type(first_value) is type(second_value) and isinstance(first_value, (int, float))


def _constant(constant: float, value: Any) -> Any:
    return type(value)(constant)


def _first_row(value: np.ndarray) -> np.ndarray:
    return np.repeat(value[:1], len(value), axis=0)


def _reversed_in_time(value: np.ndarray) -> np.ndarray:
    return (value[::-1] if value.ndim == 1 else value[:, ::-1]).copy()


def _late(value: np.ndarray) -> np.ndarray:
    return np.roll(value, 1, axis=1)
