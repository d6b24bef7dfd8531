"""Describe objects and errors that stay in the submission's process, as data for the judge."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from typing import Any

from nbjudge.judge.codec import Tree

MESSAGE = 4_000  # characters
FRAMES = 6  # of a traceback, the last ones


def resolve_name(path: str, main: dict[str, Any]) -> Any:
    """Return the object that "module:name" refers to; `main` is the namespace of __main__."""
    module, _, name = path.partition(":")
    if module == "__main__":
        return main[name]
    target: Any = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        target = getattr(target, part)
    return target


def known_name(value: Any) -> str:
    """Return "module:name" for a built-in or NumPy type or a ufunc, which exist on both sides; "" for anything else."""
    numpy: Any = sys.modules["numpy"]
    if type(value) is numpy.ufunc:
        return f"numpy:{value.__name__}" if vars(numpy).get(value.__name__) is value else ""
    if type(value) is type and value.__module__ in ("builtins", "numpy"):
        same = vars(sys.modules[value.__module__]).get(value.__qualname__) is value
        return f"{value.__module__}:{value.__qualname__}" if same else ""
    return ""


def describe_object(value: Any) -> Tree:
    """Describe an object for the judge: its classes, whether it is an array, and its parameters."""
    return {
        "classes": [_qualified_name(kind) for kind in type(value).__mro__],
        "array": hasattr(type(value), "__array__"),
        "callable": callable(value),
        "parameters": _parameters(value) if callable(value) else None,
    }


def _qualified_name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _parameters(value: Any) -> Tree:
    """Return [name, kind, default as text or None] of each parameter; None if there is no signature."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, int(p.kind), None if p.default is p.empty else repr(p.default)[:100]] for p in parameters]


def describe_error(error: BaseException) -> Tree:
    """Describe an error for the judge: its classes, message, line and traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_submitted(frame.filename)]
    line = f"{frames[-1].name}, line {frames[-1].lineno}: `{frames[-1].line}`" if frames and frames[-1].line else ""
    return {
        "classes": [_qualified_name(kind) for kind in type(error).__mro__],
        "message": _message(error),
        "line": line,
        "trace": "".join(traceback.format_list(frames[-FRAMES:]))[-MESSAGE:],
    }


def _message(error: BaseException) -> str:
    try:
        return str(error)[:MESSAGE]
    except BaseException:  # a __str__ of the submission's
        return ""


def _is_submitted(file: str) -> bool:
    """Return whether a file is a cell, or lies in the working directory."""
    folder = os.path.basename(os.path.dirname(file))
    return (
        file.startswith("<")
        or folder.startswith("ipykernel_")
        or os.path.abspath(file).startswith(os.getcwd() + os.sep)
    )
