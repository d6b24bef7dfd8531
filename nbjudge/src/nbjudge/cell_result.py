"""Status and result of an executed cell, for any kernel."""

from __future__ import annotations

from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

NOT_GRADED = "NotGraded"  # the name of an error with which the engine says why a cell was not graded
# The output of a cell that was left out (execution/demonstrations.py).
SKIPPED = "(A demonstration, which nothing that is graded depends on: not run while grading.)\n"
GRACE = 5  # seconds in which a kernel must respond after an interrupt


@dataclass(frozen=True)
class CellStatus:
    """How a cell ended: "well" (even with an error in the cell), "timeout", "died" or "flood"; with a sentence."""

    kind: str = "well"
    reason: str = ""


@dataclass(frozen=True)
class CellResult:
    """Outputs and execution count of an executed cell."""

    outputs: list[NotebookNode] = field(default_factory=list)
    execution_count: int | None = None


def timeout_status(seconds: float) -> CellStatus:
    """Return the status of a cell that exceeded its time limit."""
    return CellStatus("timeout", f"it was still running after {seconds:.0f} s")


def flood_status(outputs: list[NotebookNode], dropped: int) -> CellStatus:
    """Append the number of omitted characters to a cell's outputs, and return the status."""
    more = omission_notice(dropped)
    outputs.append(new_output("stream", name="stdout", text=f"\n{more}\n"))
    return CellStatus("flood", more)


def omission_notice(dropped: int) -> str:
    """Return the sentence about omitted output, for students."""
    return f"It printed {dropped / 1e6:.1f} MB more, which are left out here."


def is_valid(output: NotebookNode) -> bool:
    """Return whether an output is valid in a notebook."""
    # The usual case first, as validation is slow.
    if output.keys() == {"output_type", "name", "text"} and output.output_type == "stream":
        return output.name in ("stdout", "stderr") and isinstance(output.text, str)
    try:
        nbformat.validate(output, ref="output", version=4)
    except Exception:  # also errors within validation itself
        return False
    return True
