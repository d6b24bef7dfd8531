"""Which cells need not run while a notebook is graded: the demonstrations that an instructor has marked.

A demonstration is for reading and playing. It is run after all when a student has changed it, or when a cell that runs
uses a name that it binds. The canaries show at each run that the solution has full marks without it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import lru_cache

from nbformat import NotebookNode

from grading.judge.split import LOOK_AROUND, Source, imported_names, read_first, statements

TAG = "demonstration"  # of a cell in the instructor's notebook; a tag in a submission says nothing


def spared(notebook: NotebookNode, sources: Iterable[Source]) -> set[int]:
    """Return the numbers of the cells that need not run.

    sources: the code cells of the instructor's notebook
    """
    marked = {source.text.strip() for source in sources if source.demonstration}
    code = {number: cell.source for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"}
    demonstrations = {number for number, text in code.items() if text.strip() in marked}
    if not demonstrations:
        return set()
    modules = set().union(*map(_imported, code.values()))
    while True:
        kept = code.keys() - demonstrations
        needed = {place for number in kept for place in _needed(number, code, kept, modules)} & demonstrations
        if not needed:
            return demonstrations
        demonstrations -= needed


def _needed(number: int, code: Mapping[int, str], kept: Set[int], modules: set[str]) -> Iterator[int]:
    """Yield the cells that one needs, and some more: those that bind or change a name that it reads.

    What a function reads, it reads when it is called, so a cell further down may have bound it by then. Who may look
    around for names may mean any word.
    """
    cell, text = statements(code[number]), code[number]
    if not cell or any(LOOK_AROUND & (statement.needs | statement.later) for statement in cell):
        words = set(re.findall(r"\w+", text))
        yield from (place for place in code if words & _changes(code[place], modules))
    for name in read_first(cell):
        binding = [place for place in code if place < number and name in _surely_binds(code[place])]
        since = binding[-1] if binding else -1
        yield from (place for place in code if since <= place < number and name in _changes(code[place], modules))
    later = set().union(*(statement.later for statement in cell))
    for place in code:
        after = [reader for reader in kept if reader > place > number]
        if later & _changes(code[place], modules) and any(_binds(text) & _reads(code[reader]) for reader in after):
            yield place


@lru_cache(maxsize=4096)
def _binds(text: str) -> frozenset[str]:
    return frozenset().union(*(statement.sets for statement in statements(text)))


@lru_cache(maxsize=4096)
def _surely_binds(text: str) -> frozenset[str]:
    """Return the names that a cell binds whenever it runs to its end: not in a branch, a loop or a comprehension."""
    bound: set[str] = set()
    for node in _tree(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= imported_names(node)
        elif isinstance(node, ast.Assign):
            targets = [part for target in node.targets for part in ast.walk(target)]
            bound.update(part.id for part in targets if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return frozenset(bound)


@lru_cache(maxsize=4096)
def _reads(text: str) -> frozenset[str]:
    return frozenset().union(*(statement.needs | statement.later for statement in statements(text)))


@lru_cache(maxsize=4096)
def _touches(text: str) -> frozenset[str]:
    return frozenset().union(*(statement.touches for statement in statements(text)))


def _changes(text: str, modules: set[str]) -> frozenset[str]:
    """Return the names that a cell binds, and those of objects that it changes; to call a module changes nothing."""
    return _binds(text) | (_touches(text) - modules)


@lru_cache(maxsize=4096)
def _imported(text: str) -> frozenset[str]:
    """Return the names under which a cell imports modules and what is in them, wherever in it."""
    nodes = [node for node in ast.walk(_tree(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return frozenset().union(*map(imported_names, nodes))


def _tree(text: str) -> ast.Module:
    """Return the cell as Python; an empty module when it is not, as with magics."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])
