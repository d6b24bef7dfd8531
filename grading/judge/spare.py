"""Which cells need not run while a notebook is graded: the demonstrations that an instructor has marked.

A demonstration is for reading and playing. It is run after all when a student has changed it, or when a cell that runs
uses a name that it binds. The canaries show at each run that the solution has full marks without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbformat import NotebookNode

from grading.judge.split import LOOK_AROUND, Source, read_first, statements

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
    modules = {name for text in code.values() for s in statements(text) if s.imports for name in s.sets}
    wanted = list(code.keys() - demonstrations)
    used: set[str] = set()
    while wanted:
        used.update(*(_used(code[number]) for number in wanted))
        wanted = [number for number in demonstrations if used & (_changed(code[number]) - modules)]
        demonstrations -= set(wanted)
    return demonstrations


def _used(text: str) -> set[str]:
    """Return the names that a cell takes from the cells before it; any word, where it may look around for names."""
    cell = statements(text)
    read = read_first(cell)
    looks_around = any(LOOK_AROUND & (statement.needs | statement.later) for statement in cell)
    return set(re.findall(r"\w+", text)) if looks_around or not cell else read


def _changed(text: str) -> set[str]:
    """Return the names that a cell binds, and those whose objects it changes."""
    return set().union(*(statement.sets | statement.touches for statement in statements(text)))
