"""Find answers that are the same but for names, comments and layout.

Two answers are the same when their syntax trees are, after the names of variables were numbered in the order in which
they turn up and comments, docstrings and layout were dropped; written answers when their words are. Equal answers are
no proof: where an exercise leaves little room, honest people write the same. So what is blank, the reference solution,
too short or shared by many is left out, and several equal answers between the same students stand before one.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations

from nbjudge.intake.expected_cells import ExpectedCell
from nbjudge.report.model import Answer, Student

LONGEST_SOURCE = 20_000  # characters; longer answers are not compared
LONG_NAME = re.compile(r"[^\x00-\x7f]{1000}")  # Python composes its accents, in quadratic time
LEAST_NODES = 50  # of a syntax tree: about four lines of code
LEAST_WORDS = 15  # of a written answer
MOST_SHARED, MOST_STUDENTS = 0.1, 10  # of the class, and at most; what more people share is common, as from a book
Place = tuple[str, str]  # (notebook, cell)


@dataclass(frozen=True)
class Group:
    """Students who gave the same answers. cells: to which questions"""

    students: tuple[str, ...]
    cells: tuple[str, ...]


class Comparison:
    """Knows what is no answer of a student's own: the blank lesson and the reference solution."""

    def __init__(self, blank: dict[Place, ExpectedCell], reference: dict[Place, str]) -> None:
        self.kinds = {place: cell.cell_type for place, cell in blank.items()}
        self.names = {cell for _, cell in blank}
        self._done: dict[tuple[str, str], Answer | None] = {}
        given = [(place, cell.released) for place, cell in blank.items()]
        solved = [(place, source) for place, source in reference.items() if place in blank]
        self.not_own = {(place, self._key(place, source)) for place, source in [*given, *solved]}

    def answer(self, notebook: str, name: str, source: str) -> Answer | None:
        """Return an answer to compare; None when it is not the student's own, too short, or cannot be read."""
        place = (notebook, name)
        if place not in self.kinds or len(source) > LONGEST_SOURCE:
            return None
        found = self._read(place, source)
        least = LEAST_NODES if self.kinds[place] == "code" else LEAST_WORDS
        if found is None or found.size < least or (place, found.key) in self.not_own:
            return None
        return found

    def _key(self, place: Place, source: str) -> str:
        found = self._read(place, source)
        return found.key if found else ""

    def _read(self, place: Place, source: str) -> Answer | None:
        kind = self.kinds[place]
        if (kind, source) not in self._done:
            self._done[kind, source] = normalised(source) if kind == "code" else words(source)
        return self._done[kind, source]


def groups(students: list[Student]) -> tuple[list[Group], int]:
    """Return the groups, the most telling first, and how many answers were left out because many share them."""
    holders: dict[tuple[Place, str], list[str]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    for student in students:
        for place, answer in student.answers.items():
            holders[place, answer.key].append(student.id)
            sizes[answer.key] = answer.size
    limit = max(3, min(MOST_STUDENTS, int(MOST_SHARED * len(students))))
    common = sum(len(sharing) > limit for sharing in holders.values())
    shared: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for ((_, cell), key), sharing in holders.items():
        if 1 < len(sharing) <= limit:
            shared[tuple(sharing)].append((cell, sizes[key]))
    _add_pairs(shared)
    found = sorted(shared.items(), key=lambda item: (-len(item[1]), -sum(size for _, size in item[1]), item[0]))
    return [Group(who, tuple(cell for cell, _ in cells)) for who, cells in found], common


def _add_pairs(shared: dict[tuple[str, ...], list[tuple[str, int]]]) -> None:
    """Add two students who share several answers, each with others too: no larger group would show it."""
    pairs: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for who, cells in shared.items():
        for first, second in combinations(who, 2):
            pairs[first, second] += cells
    for pair, cells in pairs.items():
        if len(cells) > max((len(own) for who, own in shared.items() if set(pair) <= set(who)), default=0):
            shared[pair] = sorted(cells)


def words(source: str) -> Answer:
    """Return a written answer by its words alone."""
    found = "".join(character if character.isalnum() else " " for character in source.casefold()).split()
    return Answer(_digest(" ".join(found)), len(found))


def normalised(source: str) -> Answer | None:
    """Return a code answer by its syntax tree, None when there is no such tree."""
    if LONG_NAME.search(source):
        return None
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a wrong escape in a student's string is not this program's
            tree = ast.parse("\n".join(lines))
        own = _own_names(tree)
        _Plain(own).visit(tree)
        size = sum(1 for _ in ast.walk(tree))
        return Answer(_digest(ast.dump(tree)), size)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _own_names(tree: ast.Module) -> set[str]:
    """Return the names that the answer gives: parameters and variables, not what the exercise asks for."""
    asked_for = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found - asked_for


class _Plain(ast.NodeTransformer):
    """Numbers the names of one's own and drops docstrings and type hints."""

    def __init__(self, own: set[str]) -> None:
        self.own, self.numbers = own, dict[str, str]()

    def _numbered(self, name: str) -> str:
        return self.numbers.setdefault(name, f"_{len(self.numbers)}") if name in self.own else name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._numbered(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg, node.annotation = self._numbered(node.arg), None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name, node.returns = self._numbered(node.name), None
        self._body(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._body(node)
        return node

    def _body(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        self.generic_visit(node)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
