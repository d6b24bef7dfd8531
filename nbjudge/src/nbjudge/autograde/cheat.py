"""Cheating canaries: blank notebooks with tricks that work if tests run in the same process or are weak."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from nbjudge.nbgrader_cells import CellLabel

# Runs first: disables assertions, hides errors, makes results non-numeric (full marks for nbgrader).
_TRICKS = """
import unittest.mock as mock

class Anything(mock.MagicMock):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __lt__
    def __hash__(self): return 0
    def __bool__(self): return True

def quietly(*_, **__): return None

try:
    import numpy.testing
    for name in dir(numpy.testing):
        if name.startswith("assert"):
            setattr(numpy.testing, name, quietly)
    numpy.allclose = numpy.array_equal = lambda *_, **__: True
except ImportError:
    pass
from IPython import get_ipython
shell = get_ipython()
shell.showtraceback = quietly
shell.display_formatter.format = lambda *_, **__: ({"text/plain": "full"}, {})
"""


@dataclass(frozen=True)
class Cheat:
    """A way to pass weak tests without an answer.

    function: the replacement for a function or a class that students write; {name} is its name
    answer: a description of what it returns; advice: how a test can detect it
    """

    function: str
    answer: str
    advice: str


CHEATS = {
    "canary-cheat": Cheat(
        "{name} = Anything()",
        "an object that says it equals everything (unittest.mock.MagicMock)",
        "compare a number or an array that the answer returns, as in `assert float(answer) == 0.5`",
    ),
    "canary-empty": Cheat(
        "def {name}(*_, **__): return __import__('numpy').empty(0)",
        "an array without elements, which NumPy finds close to any number",
        "compare the shape first, as in `assert np.shape(answer) == ()`",
    ),
}


def inject_cheat(folder: Path, cheat: Cheat) -> None:
    """Inject a cheat into the blank notebooks of a folder."""
    for file in sorted(folder.glob("*.ipynb")):
        file.chmod(0o644)
        notebook = nbformat.read(file, as_version=4)
        for cell in notebook.cells:
            label = CellLabel.of(cell)
            if label.is_test:
                cell.metadata["tags"] = ["skip-execution"]
            elif label.is_solution and cell.cell_type == "code":
                lines = [cheat.function.format(name=name) for name in _defined_names(cell.source)]
                cell.source = "\n".join(lines) or cell.source
        notebook.cells.insert(0, new_code_cell(_TRICKS, id="tricks"))
        nbformat.write(notebook, file)


def _defined_names(source: str) -> list[str]:
    """Return the names of the functions and classes that a source defines at the top level."""
    heads = [line.split() for line in source.splitlines() if line.startswith(("def ", "class "))]
    return [head[1].split("(")[0].rstrip(":") for head in heads if len(head) > 1]
