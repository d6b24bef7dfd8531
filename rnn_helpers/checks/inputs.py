"""Describe the inputs of a failing check: their values where these are short, else their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

LONGEST_VALUE = 48  # characters of one value
LONGEST_TEXT = 240  # characters of the whole description
MOST_ITEMS = 6  # of a list or dict
FEWEST_ZEROS = 3  # of an array that are called zeros and not written out


def describe_inputs(arguments: tuple, names: list[str], *, values: bool = True, shapes: bool = False) -> str:
    """Return the inputs as text, such as "xs = [1, 0, 0], decay = 0.8", or "" if there is nothing to say.

    values: whether values may be shown; without, only the shapes of arrays are
    shapes: whether arrays are shown by their shapes even if they are short
    """
    parts = []
    for name, value in zip((name.partition("=")[0] for name in names), arguments, strict=False):
        is_array = isinstance(value, np.ndarray)
        parts.append(_describe_item(name, value, values and not (is_array and shapes)))
    parts = [part for part in parts if part]
    text = ", ".join(parts)
    if len(text) <= LONGEST_TEXT:
        return text
    while len(", ".join(parts)) > LONGEST_TEXT and len(parts) > 1:
        parts.pop()
    return f"{', '.join(parts)}, …"


def describe_network_inputs(sizes: tuple, weights: dict, calls: dict[str, tuple]) -> str:
    """Return the weights of a network and the calls of its methods, with shapes."""
    described = [f"{method}{_describe_collection(args, False) or '()'}" for method, *arguments in calls.values()
                 for args in [tuple(arguments)]]  # fmt: skip
    return ", ".join([describe_inputs(tuple(weights.values()), list(weights), values=False), *dict.fromkeys(described)])


def _describe_item(name: str, value: Any, values: bool) -> str:
    """Return "name = value", "name (2, 3)" for an array that is too long, or "" if it may not be shown."""
    if isinstance(value, np.ndarray):
        short = _short_array(value) if values else ""
        return f"{name} = {short}" if short else f"{name} {value.shape}"
    if isinstance(value, (tuple, list, dict)):
        text = _describe_collection(value, values)
        return f"{name} = {text}" if text else ""
    return f"{name} = {_describe_value(value)}" if values else ""


def _describe_collection(value: tuple | list | dict, values: bool) -> str:
    """Return a tuple, list or dict with the shapes of its arrays, or "" if it holds nothing that may be shown."""
    if isinstance(value, dict):
        items = [_describe_item(str(key), item, values) for key, item in value.items()]
    else:
        items = [_describe_nested(item, values) for item in value]
    descriptions = [item for item in items if item]
    if items and not descriptions:
        return ""
    text = ", ".join(descriptions[:MOST_ITEMS] + ["…"] * (len(descriptions) > MOST_ITEMS))
    if len(descriptions) > 2 and set(descriptions) == {descriptions[0]}:
        text = f"{len(descriptions)} × {descriptions[0]}"
    opening, closing = "{}" if isinstance(value, dict) else "()" if isinstance(value, tuple) else "[]"
    return f"{opening}{text}{closing}"


def _describe_nested(value: Any, values: bool) -> str:
    """Return an item of a list, which has no name, or "" if it may not be shown."""
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if isinstance(value, (tuple, list, dict)):
        return _describe_collection(value, values)
    return _describe_value(value) if values else ""


def _describe_value(value: Any) -> str:
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _short_array(array: np.ndarray) -> str:
    """Return an array's exact values if they are short, else ""."""
    if array.size > FEWEST_ZEROS and array.dtype.kind == "f" and not np.any(array):
        return f"zeros {array.shape}"
    if array.size > LONGEST_VALUE // 3 or array.dtype.kind not in "biuf" or not array.size:
        return ""
    text = _format_nested(array.tolist())
    return text if len(text) <= LONGEST_VALUE else ""


def _format_nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_format_nested, value))}]"
    if not isinstance(value, float):
        return str(value)
    short = f"{value + 0.0:.6g}"  # without the sign of -0.0
    return short if float(short) == value else repr(value)
