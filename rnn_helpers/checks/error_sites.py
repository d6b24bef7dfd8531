"""Find where a student's code raised an exception: the line, the expression, and the values of its operands.

Values are read from the frame, never computed by running the student's code again: `evaluate` knows names, attributes,
indices, arithmetic and NumPy functions without side effects, and raises UnknownValueError for everything else.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import operator
import os
import sysconfig
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import numpy as np

PACKAGE = os.path.dirname(os.path.dirname(__file__))  # all of rnn_helpers
STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
LONGEST_TEXT = 40  # characters of an expression that a sentence repeats

PLAIN_TYPES = (np.ndarray, np.generic, bool, int, float, complex)
ARRAY_ATTRIBUTES = ("T", "shape", "size", "ndim", "dtype")
ARRAY_METHODS = ("sum", "mean", "max", "min", "reshape", "transpose", "astype", "copy", "argmax", "squeeze", "ravel")
PURE_FUNCTIONS: tuple[Callable, ...] = (
    len, range, int, float, abs, np.sum, np.mean, np.max, np.min, np.stack, np.concatenate, np.transpose, np.dot,
    np.zeros, np.ones, np.zeros_like, np.ones_like, np.where, np.array, np.asarray, np.arange, np.argmax, np.swapaxes,
    np.reshape, np.squeeze, np.atleast_2d, np.expand_dims, np.flip, np.outer, np.linalg.norm,
)  # fmt: skip
OPERATIONS: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.MatMult: operator.matmul, ast.Pow: np.power,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


class UnknownValueError(Exception):
    """Raised when a value cannot be known without running the student's code again."""


@dataclass(frozen=True)
class Site:
    """One frame of the student's code in a traceback: what it was about to do when the exception came."""

    frame: types.FrameType
    number: int  # of the line
    last_instruction: int

    @property
    def code(self) -> types.CodeType:
        """Return the code object that ran."""
        return self.frame.f_code

    @property
    def function(self) -> str:
        """Return the name of the function, "Net.step" for a method; a comprehension counts as its function's code."""
        parts = [part for part in self.code.co_qualname.split(".") if not part.startswith("<")]
        return ".".join(parts[-2:] if "self" in self.frame.f_locals else parts[-1:]) or self.code.co_name

    @property
    def source_line(self) -> str:
        """Return the text of the line, or ""."""
        return linecache.getline(self.code.co_filename, self.number, self.frame.f_globals).strip()

    @property
    def description(self) -> str:
        """Return the function and its line, for the card."""
        return f"{self.function}, line {self.number}: `{self.source_line}`" if self.source_line else ""

    @cached_property
    def _span(self) -> tuple[tuple, tuple]:
        """Return where what failed begins and ends in the source, as (line, column); a line if no more is known."""
        first, last, start, end = next(islice(self.code.co_positions(), self.last_instruction // 2, None), (None,) * 4)
        if None in (first, last, start, end):
            return (self.number, 0), (self.number, 0)
        return (first, start), (last, end)

    @cached_property
    def statement(self) -> ast.stmt | None:
        """Return the innermost statement that contains what failed, or None if the source is not available."""
        start, end = self._span
        around = [
            node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.stmt) and _span_of(node)[0] <= start and end <= _span_of(node)[1]
        ]
        return max(around, key=lambda node: _span_of(node)[0], default=None)

    @cached_property
    def node(self) -> ast.AST | None:
        """Return the expression or statement that failed, or None."""
        matching = [node for node in ast.walk(self._tree) if hasattr(node, "lineno") and _span_of(node) == self._span]
        return matching[-1] if matching else None

    @cached_property
    def _tree(self) -> ast.AST:
        return _parse("".join(linecache.getlines(self.code.co_filename, self.frame.f_globals)))

    @cached_property
    def function_node(self) -> ast.AST | None:
        """Return the definition of the function, or None."""
        functions = [node for node in ast.walk(self._tree) if isinstance(node, (ast.FunctionDef, ast.Lambda))]
        around = [node for node in functions if node.lineno <= self.number <= (node.end_lineno or node.lineno)]
        return around[-1] if around else None

    @property
    def owner(self) -> Any:
        """Return the object whose method this is, or None."""
        return self.frame.f_locals.get("self")

    def is_global(self, name: str) -> bool:
        """Return whether a name stands for a variable of the notebook here."""
        return name not in self.frame.f_locals and name in self.frame.f_globals

    def evaluate(self, node: ast.AST) -> Any:
        """Return the value of an expression in this frame. Raises UnknownValueError if running it could do anything."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _evaluate(node, self.frame)
        except Exception as error:
            raise UnknownValueError from error

    def value(self, node: ast.AST, default: Any = ...) -> Any:
        """Return the value of an expression, or `default` if it is not known."""
        try:
            return self.evaluate(node)
        except UnknownValueError:
            return default

    def shape(self, node: ast.AST) -> tuple[int, ...] | None:
        """Return the shape of an expression's value, () for a number, or None if it has none or is not known."""
        return shape_of(self.value(node))


@lru_cache(maxsize=4)  # each case of an exercise fails in the same cell
def _parse(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _span_of(node: Any) -> tuple[tuple, tuple]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def student_sites(error: BaseException) -> list[Site]:
    """Return the frames of the student's own code in the traceback, the innermost last."""
    return [
        Site(frame.tb_frame, frame.tb_lineno, frame.tb_lasti)
        for frame in _walk(error.__traceback__)
        if _is_students(frame.tb_frame.f_code.co_filename)
    ]


def belongs_to(site: Site, answer: Any) -> bool:
    """Return whether a frame runs the answer itself, one of its methods or a function inside it."""
    name, code = getattr(answer, "__qualname__", ""), site.code.co_qualname
    return bool(name) and (code == name or code.startswith(f"{name}."))


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array, a number or a tensor, or None for anything else."""
    if isinstance(value, PLAIN_TYPES):
        return np.shape(value)
    shape = getattr(value, "shape", None) if hasattr(type(value), "shape") else None
    try:
        return tuple(shape) if shape is not None else None
    except (TypeError, ValueError):
        return None


def text_of(node: ast.AST) -> str:
    """Return an expression as the student could have written it, or "" if it is too long to repeat."""
    text = ast.unparse(node)
    return text if len(text) <= LONGEST_TEXT and "\n" not in text else ""


def _walk(trace: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_students(file: str) -> bool:
    libraries = ("site-packages", "dist-packages", "<frozen", "<__array_function__")
    return not (any(name in file for name in libraries) or file.startswith((PACKAGE, STANDARD_LIBRARY)))


def _evaluate(node: ast.AST, frame: types.FrameType) -> Any:  # noqa: PLR0911, C901 (one return for each kind of node)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _look_up(node.id, frame)
    if isinstance(node, ast.Attribute):
        return _attribute(_evaluate(node.value, frame), node.attr)
    if isinstance(node, (ast.Tuple, ast.List)):
        items = [_evaluate(item, frame) for item in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    if isinstance(node, ast.Slice):
        return slice(*(part and _evaluate(part, frame) for part in (node.lower, node.upper, node.step)))
    if isinstance(node, ast.Subscript):
        container = _evaluate(node.value, frame)
        if type(container) in (np.ndarray, list, tuple, dict):
            return container[_evaluate(node.slice, frame)]
    if isinstance(node, ast.UnaryOp):
        return OPERATIONS[type(node.op)](_plain(_evaluate(node.operand, frame)))
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](_plain(_evaluate(node.left, frame)), _plain(_evaluate(node.right, frame)))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        sides = (_plain(_evaluate(side, frame)) for side in (node.left, node.comparators[0]))
        return OPERATIONS[type(node.ops[0])](*sides)
    if isinstance(node, ast.Call):
        return _call(node, frame)
    raise UnknownValueError


def _look_up(name: str, frame: types.FrameType) -> Any:
    for names in (frame.f_locals, frame.f_globals, vars(builtins)):
        if name in names:
            return names[name]
    raise UnknownValueError


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, types.ModuleType) or (type(owner) is np.ndarray and name in ARRAY_ATTRIBUTES):
        return getattr(owner, name)
    if type(owner) is np.ndarray and name in ARRAY_METHODS:
        return getattr(owner, name)
    return vars(owner)[name]  # an instance's own: no property runs


def _call(node: ast.Call, frame: types.FrameType) -> Any:
    function = _evaluate(node.func, frame)
    method = type(getattr(function, "__self__", None)) is np.ndarray
    if not (method or isinstance(function, np.ufunc) or any(function is pure for pure in PURE_FUNCTIONS)):
        raise UnknownValueError
    if any(keyword.arg in (None, "out") for keyword in node.keywords):
        raise UnknownValueError
    keywords = {str(keyword.arg): _evaluate(keyword.value, frame) for keyword in node.keywords}
    return function(*(_evaluate(argument, frame) for argument in node.args), **keywords)


def _plain(value: Any) -> Any:
    """Return a number or an array as it is; operators of any other type could do anything."""
    if type(value) is np.ndarray or isinstance(value, PLAIN_TYPES[1:]) or value is None:
        return value
    raise UnknownValueError


def last_line(error: BaseException) -> str:
    """Return the description of the innermost line of the student's code, also where only its text is known."""
    if hasattr(error, "submitted_line"):  # it was raised in the submission's process, where the line is known
        return str(error.submitted_line)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_students(frame.filename)]
    return f"{frames[-1].name}, line {frames[-1].lineno}: `{frames[-1].line}`" if frames and frames[-1].line else ""
