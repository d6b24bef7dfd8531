"""How a cell ended, and what a notebook keeps of one that has run, wherever it ran."""

from __future__ import annotations

from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

GRACE = 5  # seconds that a kernel has for coming back after an interrupt


@dataclass(frozen=True)
class CellStatus:
    """How a cell ended: "well" (an error of the cell's own is well), "timeout", "died" or "flood"; and in words."""

    how: str = "well"
    words: str = ""


@dataclass(frozen=True)
class CellResult:
    """What a notebook keeps of a cell that has run."""

    outputs: list[NotebookNode] = field(default_factory=list)
    execution_count: int | None = None


def late(seconds: float) -> CellStatus:
    return CellStatus("timeout", f"it was still running after {seconds:.0f} s")


def flood(outputs: list[NotebookNode], dropped: int) -> CellStatus:
    """Say at the end of a cell's outputs how many characters of them are left out."""
    more = left_out(dropped)
    outputs.append(new_output("stream", name="stdout", text=f"\n{more}\n"))
    return CellStatus("flood", more)


def left_out(dropped: int) -> str:
    return f"It printed {dropped / 1e6:.1f} MB more, which are left out here."


def is_valid(output: NotebookNode) -> bool:
    """Tell whether an output is one that a notebook may hold."""
    if output.keys() == {"output_type", "name", "text"} and output.output_type == "stream":
        return output.name in ("stdout", "stderr") and isinstance(output.text, str)  # most are; validating takes long
    try:
        nbformat.validate(output, ref="output", version=4)
    except Exception:  # also what validation itself does not expect
        return False
    return True
