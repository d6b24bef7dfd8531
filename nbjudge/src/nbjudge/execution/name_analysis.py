"""Determine from the instructor's notebook which code the judge may run, and which names each test cell needs.

The judge itself runs the instructor's text that defines imports, data and helper functions; names that a student
defines become proxies. What a submission contains in place of the instructor's text has no effect.
"""

from __future__ import annotations

import ast
import builtins
import dis
import re
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from IPython.core.inputtransformer2 import TransformerManager

ALWAYS = frozenset({*dir(builtins), "get_ipython", "display", "__name__", "__file__", "__doc__"})
LOOK_AROUND = {"globals", "locals", "vars", "dir", "eval", "exec", "get_ipython"}  # these can read any name
AROUND_A_CELL = re.compile(r"\s*%%(time|timeit|capture|prun)\b.*")  # magics that run the rest of the cell as Python
GIVEN, ANSWER, TEST = "given", "answer", "test"
OUTSIDE, INSIDE, BY_HAND = "outside", "inside", "by hand"  # how a test cell is judged


@dataclass(frozen=True)
class Source:
    """A code cell of the instructor's notebook: its grade id ("" for none), kind, text and tags.

    from_scratch: a test whose answers run without the modules that Run.withheld lists
    judging: OUTSIDE or INSIDE the submission's process, or BY_HAND, for a test; "" is OUTSIDE by default
    """

    name: str
    kind: str
    text: str
    demonstration: bool = False
    from_scratch: bool = False
    judging: str = ""


@dataclass(frozen=True)
class Statement:
    """One statement at the top of a cell.

    needs: names it reads when it runs; later: names that functions in it read when called
    sets: names it binds; touches: names whose objects it may change
    """

    text: str
    needs: frozenset[str]
    later: frozenset[str]
    sets: frozenset[str]
    touches: frozenset[str]
    imports: bool
    defines_class: str = ""


@dataclass(frozen=True)
class TestDependencies:
    """Dependencies of a test cell: code to run first, and names to bind.

    statements: texts to run, in order; instructor_names: the names that they bind or have bound before
    names: names to fetch from the submission
    unbound: names that no instructor cell binds explicitly: from an import of *, or the student's own
    bound: names that an earlier test cell has bound again
    """

    statements: list[str] = field(default_factory=list)
    instructor_names: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    unbound: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)


class Plan:
    """Dependencies of each test cell of a notebook. Built once for each notebook; holds no text of a submission.

    sources: the code cells of the instructor's notebook, in order
    """

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, sources: tuple[Source, ...]) -> Plan:
        """Return the plan of these cells, the same one each time."""
        return cls(sources)

    def __init__(self, sources: Iterable[Source]):
        self.sources = tuple(sources)
        self._cells = [statements(source.text) for source in self.sources]
        self._trusted = self._find_trusted()

    @property
    def requested_classes(self) -> list[str]:
        """Return the names of the classes that students write."""
        cells = zip(self.sources, self._cells, strict=True)
        return sorted({s.defines_class for source, cell in cells if source.kind == ANSWER for s in cell} - {""})

    def needs(self, test: str, executed: set[int]) -> TestDependencies:
        """Return the dependencies of the test cell `test`.

        executed: indices of the statements that the judge has already run; the returned ones are added
        """
        position = next(i for i, source in enumerate(self.sources) if source.kind == TEST and source.name == test)
        chosen: dict[int, str] = {}
        names: dict[str, list[str]] = {"ours": [], "students": [], "unbound": [], "bound": []}
        pending = ["*", *sorted(_read_first(self._cells[position]))]
        if any(LOOK_AROUND & (statement.needs | statement.later) for statement in self._cells[position]):
            pending += sorted(self._answers(position))
        queued = set(pending)
        while pending:
            name = pending.pop()
            cell = next((c for c in range(position - 1, -1, -1) if self._sets(name, c)), None)
            if cell is None:
                names["unbound"].append(name)
            elif self.sources[cell].kind == TEST:
                names["bound"].append(name)  # since that cell ran
            elif not all(self._trusted[cell][row] for row in self._sets(name, cell)):
                names["students"].append(name)
            else:
                names["ours"].append(name)
                for number, statement in self._building(name, cell, position):
                    chosen[number] = statement.text
                    pending += sorted(_all_reads([statement]) - queued)
                    queued |= _all_reads([statement])
        new = [number for number in sorted(chosen) if number not in executed]
        executed.update(new)
        groups = (sorted(set(group) - {"*"}) for group in names.values())
        return TestDependencies([chosen[number] for number in new], *groups)

    def _answers(self, end: int) -> set[str]:
        """Return the names that students bind before a cell."""
        cells = zip(self.sources[:end], self._cells, strict=False)
        return {name for source, cell in cells if source.kind == ANSWER for s in cell for name in s.sets}

    def _sets(self, name: str, cell: int) -> list[int]:
        return [row for row, statement in enumerate(self._cells[cell]) if name in statement.sets]

    def _building(self, name: str, start: int, end: int) -> Iterable[tuple[int, Statement]]:
        """Yield (index, statement) of the trusted statements in some cells that bind a name or touch its object."""
        for cell in range(start, end):
            for row, statement in enumerate(self._cells[cell]):
                if self._trusted[cell][row] and name in statement.sets | statement.touches:
                    yield cell * 10_000 + row, statement

    def _find_trusted(self) -> list[list[bool]]:
        """Return for each statement whether it is the instructor's and reads nothing of the student's when it runs.

        Imports are trusted, even at the top of a cell that students fill in.
        """
        trust: dict[str, bool] = {}
        trusted: list[list[bool]] = []
        for source, cell in zip(self.sources, self._cells, strict=True):
            trusted.append([])
            for s in cell:
                reads_ours = all(trust.get(name, name in s.sets) for name in s.needs - ALWAYS)
                is_ours = s.imports or (source.kind == GIVEN and reads_ours)
                trusted[-1].append(is_ours)
                trust.update((name, is_ours) for name in s.sets)
        return trusted


def _all_reads(cell: Iterable[Statement]) -> set[str]:
    return set().union(*(statement.needs | statement.later for statement in cell)) - ALWAYS


def _read_first(cell: Iterable[Statement]) -> set[str]:
    """Return the names that a cell reads before it binds them."""
    names: set[str] = set()
    bound: set[str] = set()
    for statement in cell:
        names |= _all_reads([statement]) - bound
        bound |= statement.sets
    return names


@lru_cache(maxsize=4096)  # most cells of a class are the same
def statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of an instructor's cell; none if it is not Python, such as a `%%bash` cell.

    Not for a student's text, with which Python's parser may use unbounded time and memory.
    """
    plain = to_python(text)
    try:
        tree = ast.parse(plain)
        return tuple(_statement(node, ast.get_source_segment(plain, node) or "", plain) for node in tree.body)
    except (SyntaxError, ValueError):
        return ()


def to_python(text: str) -> str:
    """Return a cell in plain Python, with calls in place of its magics."""
    python = AROUND_A_CELL.sub("", text, count=1) if text.lstrip()[:2] == "%%" else text
    return TransformerManager().transform_cell(python)


def imports(sources: Iterable[Source]) -> list[str]:
    """Return the modules that cells import at their top."""
    modules: list[str] = []
    for statement in (s for source in sources for s in statements(source.text) if s.imports):
        (node,) = ast.parse(statement.text).body
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.append(node.module)
    return list(dict.fromkeys(modules))


def _statement(node: ast.stmt, text: str, plain: str) -> Statement:
    code = compile(ast.Module([node], []), "cell", "exec", dont_inherit=True)
    needs, later = _reads(code)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        lines = plain.splitlines()[_first_line(node) - 1 : node.end_lineno]
        text = "\n".join(lines)  # with its decorators, which the source segment lacks
    else:
        needs, later = needs | later, set()
    sets, touches = _binds(node)
    return Statement(
        text,
        frozenset(needs),
        frozenset(later),
        frozenset(sets),
        frozenset(touches - sets),
        isinstance(node, (ast.Import, ast.ImportFrom)),
        node.name if isinstance(node, ast.ClassDef) else "",
    )


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _reads(code: types.CodeType) -> tuple[set[str], set[str]]:
    """Return the global names that code reads when it runs, and those that functions in it read when called."""
    now = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_NAME", "LOAD_GLOBAL")}
    later: set[str] = set()
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            reads, after = _reads(inner)
            if is_class(inner):
                reads -= {i.argval for i in dis.get_instructions(inner) if i.opname == "STORE_NAME"}
            runs_now = inner.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>") or is_class(inner)
            (now if runs_now else later).update(reads)
            later |= after
    return now, later


def is_class(code: types.CodeType) -> bool:
    """Return whether code is the body of a class."""
    return not code.co_flags & 0x2  # CO_NEWLOCALS: functions have it, the bodies of classes do not


def _binds(node: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds, and those whose objects it stores into or calls a method of."""
    sets: set[str] = set()
    touches: set[str] = set()
    for part in _outside_functions(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
            sets.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            sets.add(part.name)
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            sets |= imported_names(part)
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and isinstance(part.ctx, (ast.Store, ast.Del)):
            touches |= _root(part)
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            touches |= _root(part.value.func)
    return sets, touches


def imported_names(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Return the names that an import binds."""
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    """Yield a node and its descendants, except inside functions and classes, which have scopes of their own."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _root(node: ast.AST) -> set[str]:
    """Return {"a"} for `a.b[c].d`; an empty set for a plain name."""
    inner = node
    while isinstance(inner, (ast.Attribute, ast.Subscript, ast.Call)):
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return {inner.id} if isinstance(inner, ast.Name) and inner is not node else set()
