"""Find the cells that need not run while a notebook is graded: demonstrations that an instructor has tagged.

A demonstration is there to be read and explored. It runs after all if a student has changed it, or if a cell that runs
may use a name that it binds or an object that it changes. The canaries confirm in each run that the solution earns
full marks without it. Only the instructor's cells are parsed here; the student's are parsed in their kernel.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache

from nbformat import NotebookNode

from nbjudge.execution.free_names import free_names
from nbjudge.execution.name_analysis import Source, imported_names, statements

TAG = "demonstration"  # of a cell in the instructor's notebook; tags in a submission are ignored
_MOST_CHARACTERS = 1_000_000  # of code in a notebook; in a longer one every demonstration is run


def demonstrations_in(notebook: NotebookNode, sources: Iterable[Source]) -> set[int]:
    """Return the indices of the cells with the text of a demonstration; none in a notebook with too much code.

    sources: the code cells of the instructor's notebook
    """
    marked = {source.text.strip() for source in sources if source.demonstration}
    code = _code_of(notebook)
    indices = {number for number, text in code.items() if text.strip() in marked}
    return indices if sum(map(len, code.values())) <= _MOST_CHARACTERS else set()


def students_texts(notebook: NotebookNode, sources: Iterable[Source]) -> list[str]:
    """Return the texts of the code cells that are not the instructor's."""
    return sorted({*_code_of(notebook).values()} - {source.text for source in sources})


def skippable_cells(notebook: NotebookNode, sources: Iterable[Source], names: Mapping[str, Iterable[str]]) -> set[int]:
    """Return the indices of the cells that need not run.

    names: {text: the names that it may read} of the student's texts
    """
    sources = list(sources)
    code = _code_of(notebook)
    skippable = demonstrations_in(notebook, sources)
    modules: frozenset[str] = frozenset().union(*(_imported(source.text) for source in sources))
    changes = {number: _changes(code[number].strip(), modules) for number in skippable}
    runs = code.keys() - skippable if skippable else set()
    while runs:
        texts = [code[number] for number in runs]
        read: frozenset[str] = frozenset().union(
            *(names[text] if text in names else _instructors_names(text) for text in texts)
        )
        runs = {number for number in skippable if changes[number] & read}
        skippable -= runs
    return skippable


_instructors_names = lru_cache(maxsize=1024)(free_names)


def _code_of(notebook: NotebookNode) -> dict[int, str]:
    return {number: cell.source for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"}


def _changes(text: str, modules: frozenset[str]) -> frozenset[str]:
    """Return the names that a cell binds and those of objects it changes; calling a module changes nothing."""
    cell = statements(text)
    binds: frozenset[str] = frozenset().union(*(statement.sets for statement in cell))
    return binds | (frozenset().union(*(statement.touches for statement in cell)) - modules)


@lru_cache(maxsize=1024)
def _imported(text: str) -> frozenset[str]:
    """Return the names that the imports of a cell bind, at any depth."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return frozenset()  # not Python, such as magics
    nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return frozenset().union(*map(imported_names, nodes))
