"""Find the names that a cell may read from the cells around it.

Python's compiler takes memory, stack and time out of proportion to hostile text. A student's cells are therefore given
to this module in the submission's kernel, in its sandbox, before any of them runs. No name that a cell can read at run
time is missed; where that cannot be told, every word of the text is returned.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import re
import types
import unicodedata
import warnings
from collections.abc import Iterable

from nbjudge.execution.name_analysis import LOOK_AROUND, is_class, to_python

# A cell that inspects a namespace may read any name that its text holds, in strings too.
INSPECTS = LOOK_AROUND | {"user_ns", "f_globals", "f_locals", "currentframe", "_getframe", "__dict__", "__globals__"}
INSPECTS |= {"__import__", "__builtins__", "query"}  # pandas reads "@name"
JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME", "DELETE_GLOBAL"})
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})  # they run where they stand


def free_names_of(texts: Iterable[str]) -> list[list[str]]:
    """Return the free names of several cells, as data."""
    return [sorted(free_names(text)) for text in texts]


def free_names(text: str) -> frozenset[str]:
    """Return the names that a cell may read, at once or in functions called later, without having bound them before."""
    with warnings.catch_warnings(), contextlib.suppress(*UNREADABLE):
        warnings.simplefilter("ignore")
        code = compile(to_python(text), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if "__main__" not in text and not INSPECTS & _all_names(code):
            return frozenset().union(*_reads(code))
    return frozenset(re.findall(r"\w+", unicodedata.normalize("NFKC", text)))


def _all_names(code: types.CodeType) -> frozenset[str]:
    """Return the names of all variables, attributes and imports."""
    return frozenset(code.co_names).union(*map(_all_names, _inner(code)))


def _inner(code: types.CodeType) -> list[types.CodeType]:
    return [const for const in code.co_consts if isinstance(const, types.CodeType)]


def _reads(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the global names that code reads when it runs and has not certainly bound, and those read when called.

    A name is certainly bound where every path through the code has bound it.
    """
    now: set[str] = set()
    later: set[str] = set()
    bound_at = _bound_at_targets(code)
    bound: set[str] = set()
    for step in dis.get_instructions(code):
        if step.offset in bound_at:
            bound &= bound_at[step.offset]
        if step.opname in READS and step.argval not in bound:
            now.add(step.argval)
        elif step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif isinstance(step.argval, types.CodeType):
            inner_now, inner_later = _reads(step.argval)
            if is_class(step.argval) or step.argval.co_name in COMPREHENSIONS:
                now |= inner_now - bound
                later |= inner_later
            else:
                later |= inner_now | inner_later
    return now, later


def _bound_at_targets(code: types.CodeType) -> dict[int, set[str]]:
    """Return {offset of the target of a jump or an exception: the names bound on each way there}."""
    entries = dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]  # unknown to typeshed
    handlers = [(entry.start, entry.target) for entry in entries]
    bound_at: dict[int, set[str]] = {}
    before = None
    while bound_at != before:  # until jumps back have changed nothing
        before, bound = dict(bound_at), set[str]()
        for step in dis.get_instructions(code):
            if step.offset in bound_at:
                bound &= bound_at[step.offset]
            targets = [target for start, target in handlers if start == step.offset]
            if step.opcode in JUMPS:
                targets.append(step.argval)
            for target in targets:
                bound_at[target] = bound & bound_at.get(target, bound)
            if step.opname == "STORE_NAME":
                bound.add(step.argval)
    return bound_at
