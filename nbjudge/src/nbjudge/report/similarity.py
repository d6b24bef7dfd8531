"""Find answers that are equal up to names, comments and layout.

Two code answers are equal when their syntax trees are, after local names were numbered in order of appearance and
comments, docstrings and layout were dropped; two written answers when their words are. Equal answers prove nothing:
where an exercise leaves little room, honest people write the same. So the comparison excludes blank answers, the
reference solution, short answers and answers shared by many, and ranks students who share several answers first.
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

_LONGEST_SOURCE = 20_000  # characters; longer answers are not compared
_LONG_NAME = re.compile(r"[^\x00-\x7f]{1000}")  # Python normalises such names in quadratic time
LEAST_NODES = 50  # of a syntax tree: about four lines of code
LEAST_WORDS = 15  # of a written answer
_MOST_SHARED, _MOST_STUDENTS = (
    0.1,
    10,
)  # share of the class, and students; answers that more students share are widespread
Location = tuple[str, str]  # (notebook, cell)


@dataclass(frozen=True)
class Group:
    """Students who gave the same answers. cells: the names of the answered cells."""

    students: tuple[str, ...]
    cells: tuple[str, ...]


class Comparison:
    """Prepares answers for comparison, excluding the blank notebook and the reference solution."""

    def __init__(self, blank: dict[Location, ExpectedCell], reference: dict[Location, str]) -> None:
        self.kinds = {location: cell.cell_type for location, cell in blank.items()}
        self.names = {cell for _, cell in blank}
        self._answers: dict[tuple[str, str], Answer | None] = {}
        released = [(location, cell.released) for location, cell in blank.items()]
        solutions = [(location, source) for location, source in reference.items() if location in blank]
        self.excluded = {(location, self._key(location, source)) for location, source in [*released, *solutions]}

    def answer(self, notebook: str, name: str, source: str) -> Answer | None:
        """Return an answer to compare; None when it is excluded, too short or cannot be parsed."""
        location = (notebook, name)
        if location not in self.kinds or len(source) > _LONGEST_SOURCE:
            return None
        answer = self._read(location, source)
        minimum = LEAST_NODES if self.kinds[location] == "code" else LEAST_WORDS
        if answer is None or answer.size < minimum or (location, answer.key) in self.excluded:
            return None
        return answer

    def _key(self, location: Location, source: str) -> str:
        answer = self._read(location, source)
        return answer.key if answer else ""

    def _read(self, location: Location, source: str) -> Answer | None:
        kind = self.kinds[location]
        if (kind, source) not in self._answers:
            self._answers[kind, source] = _normalised_code(source) if kind == "code" else _normalised_words(source)
        return self._answers[kind, source]


def groups(students: list[Student]) -> tuple[list[Group], int]:
    """Return the groups, the most conspicuous first, and the number of answers excluded as widespread."""
    holders: dict[tuple[Location, str], list[str]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    for student in students:
        for location, answer in student.answers.items():
            holders[location, answer.key].append(student.id)
            sizes[answer.key] = answer.size
    limit = max(3, min(_MOST_STUDENTS, int(_MOST_SHARED * len(students))))
    widespread = sum(len(sharers) > limit for sharers in holders.values())
    shared: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for ((_, cell), key), sharers in holders.items():
        if 1 < len(sharers) <= limit:
            shared[tuple(sharers)].append((cell, sizes[key]))
    _add_pairs(shared)
    ranked = sorted(shared.items(), key=lambda item: (-len(item[1]), -sum(size for _, size in item[1]), item[0]))
    return [Group(students, tuple(cell for cell, _ in cells)) for students, cells in ranked], widespread


def _add_pairs(shared: dict[tuple[str, ...], list[tuple[str, int]]]) -> None:
    """Add pairs of students who share more answers than any group of which both are members."""
    pairs: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for students, cells in shared.items():
        for first, second in combinations(students, 2):
            pairs[first, second] += cells
    for pair, cells in pairs.items():
        if len(cells) > max(
            (len(own_cells) for students, own_cells in shared.items() if set(pair) <= set(students)), default=0
        ):
            shared[pair] = sorted(cells)


def _normalised_words(source: str) -> Answer:
    """Return a written answer reduced to its words."""
    tokens = "".join(character if character.isalnum() else " " for character in source.casefold()).split()
    return Answer(_digest(" ".join(tokens)), len(tokens))


def _normalised_code(source: str) -> Answer | None:
    """Return a code answer reduced to its syntax tree; None when it cannot be parsed."""
    if _LONG_NAME.search(source):
        return None
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in a student's strings do not concern the instructor
            tree = ast.parse("\n".join(lines))
        local_names = _local_names(tree)
        _Normaliser(local_names).visit(tree)
        size = sum(1 for _ in ast.walk(tree))
        return Answer(_digest(ast.dump(tree)), size)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _local_names(tree: ast.Module) -> set[str]:
    """Return the names that the answer chooses itself: parameters and variables, not the requested definitions."""
    requested = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
    return names - requested


class _Normaliser(ast.NodeTransformer):
    """Renames local names canonically and drops docstrings and type hints."""

    def __init__(self, local_names: set[str]) -> None:
        self.local_names, self.numbers = local_names, dict[str, str]()

    def _canonical(self, name: str) -> str:
        return self.numbers.setdefault(name, f"_{len(self.numbers)}") if name in self.local_names else name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._canonical(node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg, node.annotation = self._canonical(node.arg), None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.name, node.returns = self._canonical(node.name), None
        self._transform_body(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._transform_body(node)
        return node

    def _transform_body(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        self.generic_visit(node)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
