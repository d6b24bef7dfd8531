"""Text that parsers, encoders and readers stumble over: in cells, in what they print and show, and in names.

All answers are right, so everybody deserves full marks, unless the text stands in the cell of an answer.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .corpus import breaks, honest
from .course import LESSON, RIGHT

Notebook = dict[str, Any]

# Python's parser and compiler take memory, stack or time for these that is out of proportion; some are no Python.
SOURCES = {
    "minus signs": "x = " + "-" * 10_000 + "1",
    "sums": "1+" * 200_000 + "1",
    "lines": "b=1\n" * 30_000,
    "brackets": "(" * 5_000 + ")" * 5_000,
    "brackets that open": "[" * 100_000,
    "nots": "not " * 20_000 + "1",
    "lambdas": "lambda: " * 5_000 + "1",
    "conditions": "1 if 1 else " * 5_000 + "1",
    "attributes": "a" + ".b" * 100_000,
    "branches": "if 0: pass\n" + "elif 0: pass\n" * 3_000,
    "targets": "a=" * 50_000 + "1",
    "one string": "x = '" + "a" * 900_000 + "'",
    "a string without an end": "x = '''" + "\\'''" * 100_000,
    "a number": "x = " + "9" * 100_000,
    "magics": "%pwd\n" * 20_000,
    "question marks": "a?\n" * 20_000,
    "backslashes": "\\\n" * 20_000,
    "NUL": "x = '\0'",
    "accents": "a" + "\u0301\u0323" * 100_000,
    "half of a character": "x = '\ud800'",
}
# What a function that is right may do on its way.
DISPLAY = "from IPython.display import HTML, display\n"
SHOWN = {
    "half of a character": "print('\\ud800')",
    "half of a character on stderr": "import sys; print('\\udfff', file=sys.stderr)",
    "halves that are no pair": "print('\\ude00\\ud83d' * 100)",
    "control characters": "print(''.join(map(chr, range(32))) + '\\x7f\\x9b2J\\x1b]0;title\\x07')",
    "half of a character in a table": f"{DISPLAY}display(HTML('<p>\\ud800</p>'))",
    "half of a character as a key": f"{DISPLAY}display({{'\\ud800': 'x'}}, raw=True)",
    "half of a character in metadata": f"{DISPLAY}display(1, metadata={{'a': '\\ud800'}})",
    "JSON within JSON": f"{DISPLAY}value = 'x'\nfor _ in range(400):\n    value = [value]\n"
    "display({'application/json': value}, raw=True)",
    "JSON without end": f"import sys\n{DISPLAY}sys.setrecursionlimit(20_000)\nvalue = 'x'\n"
    "for _ in range(5_000):\n    value = {'x': value}\ndisplay({'application/json': value}, raw=True)",
    "no number": f"{DISPLAY}display({{'application/json': {{'a': float('nan')}}}}, raw=True)",
    "a number without an end": f"{DISPLAY}display({{'application/json': {{'b': 10**4000}}}}, raw=True)",
    "a line without an end": "print('x' * 500_000)",
}
# Jupyter's own kernel refuses to send some of this, and says so with an error where it is shown.
SHOWN = {
    name: "try:\n"
    + "".join(f"    {line}\n" for line in code.splitlines())
    + "except (ValueError, RecursionError):\n    pass"
    for name, code in SHOWN.items()
}
# Names of folders beside the others; nobody else is to be left out, or graded in their place.
NAMES = [
    "[abc]",
    "a?00",
    "[!b]*",
    "x;=1+1",
    "=cmd()",
    "-force",
    "{student_id}",
    "(?P<x>.)",
    "%s%n",
    "\u0430dmin",
    "e\u0301",
]


def own_cell(source: str, last: bool) -> Callable[[Notebook], None]:
    """Return what adds a cell of the student's own, as the first or the last one."""

    def edit(notebook: Notebook) -> None:
        cell = {"cell_type": "code", "id": "own", "metadata": {}, "outputs": [], "execution_count": None}
        notebook["cells"].insert(len(notebook["cells"]) if last else 0, {**cell, "source": source})

    return edit


def many_cells(number: int, code: str) -> Callable[[Notebook], None]:
    def edit(notebook: Notebook) -> None:
        for place in range(number):
            cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
            notebook["cells"].append({**cell, "id": f"own-{place}", "source": code})

    return edit


def shows(code: str) -> str:
    """Return the right answer to the first exercise, with something done in its function before it returns."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    return f"def mean(values):\n{lines}\n    return float(np.sum(values)) / len(values)"


def neighbour(name: str) -> Callable[[Path, Path], None]:
    """Return what puts the submission of one more student beside this one's."""

    def add(folder: Path, course: Path) -> None:
        shutil.copytree(folder, course / "submitted" / name / LESSON)

    return add


def broken(names: str, content: bytes) -> Callable[[Path, Path], None]:
    """Return what puts thirty notebooks beside the one with the answers, which moves one folder down."""

    def add(folder: Path, _course: Path) -> None:
        (folder / "inner").mkdir()
        (folder / f"{LESSON}.ipynb").rename(folder / "inner" / f"{LESSON}.ipynb")
        for number in range(30):
            (folder / names.format(number)).write_bytes(content)

    return add


OTHER_LESSON = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}).encode()
ATTACKS = [
    *(honest(f"{name} in a cell below", edit=own_cell(text, last=True)) for name, text in SOURCES.items()),
    *(honest(f"{name} in a cell above", edit=own_cell(text, last=False)) for name, text in list(SOURCES.items())[::3]),
    *(breaks(f"{name} in an answer", text) for name, text in SOURCES.items()),
    *(honest(f"{name}, in a test", mean=shows(code)) for name, code in SHOWN.items()),
    *(
        honest(f"{name}, in a cell", mean=f"{code}\n{RIGHT['mean']}", edit=own_cell(code, last=True))
        for name, code in SHOWN.items()
    ),
    *(honest(f"beside {name}", folder=neighbour(name)) for name in NAMES),
    honest("beside broken notebooks", folder=broken("{:02}.ipynb", b"no notebook")),
    honest("beside broken copies", folder=broken(f"{LESSON}-Copy{{}}.ipynb", b'{"cells": 3}')),
    honest("beside other notebooks", folder=broken("a{}.ipynb", OTHER_LESSON)),
    honest("many large outputs", edit=many_cells(60, "print('x' * 1_000_000)")),
    honest("many large pictures", edit=many_cells(30, "from IPython.display import HTML; HTML('<b>' * 300_000)")),
    honest("many errors", edit=many_cells(60, "raise ValueError('x' * 400_000)")),
]
