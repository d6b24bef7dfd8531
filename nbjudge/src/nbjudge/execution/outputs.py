"""Sanitize outputs for a notebook file: encodable text, data of bounded depth and size.

A kernel may send anything that JSON can express: lone surrogates, endlessly nested lists, numbers that no JSON reader
accepts. Its output passes through `Outputs` before anything else reads it.
"""

from __future__ import annotations

import math
import re
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

DEEPEST = 30  # nested lists and objects
_LARGEST_NUMBER = 1 << 64
_SHORT_ERROR = 2000  # characters; a shorter error is always kept, such as why a cell was stopped
TOO_DEEP = "(Data nested too deeply to be kept.)"
_HALVES = re.compile("[\ud800-\udfff]")


class Outputs:
    """Cleans the outputs of a notebook's cells, one cell after the other, up to a size limit.

    most: limit in characters for all outputs together
    """

    def __init__(self, most: int) -> None:
        self.most = self.remaining = most

    def keep(self, cell: NotebookNode, is_test: bool) -> str:
        """Clean a cell's outputs in place; return "" or a sentence about the omitted part.

        is_test: keep all of them: the judge's outputs are few and bounded, and students need them
        """
        accepted, dropped = [], 0
        for output in map(clean, cell.outputs):
            size = size_of(output)
            is_short_error = output.output_type == "error" and size <= _SHORT_ERROR
            if is_test or is_short_error or size <= self.remaining:
                self.remaining -= 0 if is_test else min(size, self.remaining)
                accepted.append(output)
            else:
                dropped += size
        cell.outputs = accepted
        if not dropped:
            return ""
        sentence = (
            f"The outputs of a notebook may have {self.most / 1e6:.1f} MB together, so {dropped / 1e6:.1f} MB of this "
            "cell are left out."
        )
        cell.outputs.append(new_output("stream", name="stdout", text=f"\n{sentence}\n"))
        return sentence


def clean(output: NotebookNode) -> NotebookNode:
    """Return a copy of an output that a notebook file can hold."""
    cleaned = {key: _clean(value, DEEPEST) for key, value in output.items() if key not in ("data", "metadata")}
    if "data" in output:
        cleaned["data"] = {encodable(str(kind)): _mime(value) for kind, value in output.data.items()}
    if "metadata" in output:
        try:
            cleaned["metadata"] = _clean(output.metadata, DEEPEST)
        except ValueError:
            cleaned["metadata"] = {}
    node: NotebookNode = _node(cleaned)
    return node


def encodable(text: str) -> str:
    """Join surrogate pairs in a text and replace lone surrogates by \N{REPLACEMENT CHARACTER}."""
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def size_of(value: Any) -> int:
    """Return the approximate size of a JSON value of any depth, in characters."""
    total, parts = 0, [value]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            total += 8
            parts += part
        else:
            total += len(part) if isinstance(part, str) else 8
    return total


def _mime(value: Any) -> Any:
    try:
        return _clean(value, DEEPEST)
    except ValueError:
        return TOO_DEEP


def _clean(value: Any, depth: int) -> Any:
    """Return a cleaned JSON value. Raises ValueError if it is nested more than `depth` deep."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict | list | tuple) and depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {encodable(str(key)): _clean(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part, depth - 1) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or value is None:
        return value
    return value if isinstance(value, int) and abs(value) < _LARGEST_NUMBER else None


def _node(value: Any) -> Any:
    if isinstance(value, dict):
        return NotebookNode({key: _node(part) for key, part in value.items()})
    return [_node(part) for part in value] if isinstance(value, list) else value
