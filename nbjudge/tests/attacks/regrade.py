"""Two submissions of one student: a good one first. What is graded last is what counts."""

from __future__ import annotations

from typing import Any

from .corpus import Attack, breaks, cheat, honest
from .course import POINTS, RIGHT, WRONG
from .files import link
from .malformed import removed
from .metadata import labelled, meta, of_tests


def again(name: str, then: Attack) -> Attack:
    """Return an honest submission that is followed by another."""
    return honest(f"again: {name}", then=then)


def second(**how: Any) -> Attack:
    return Attack("second", dict(WRONG), **how)


ATTACKS = [
    again("worse", second()),
    again(
        "tests deleted",
        second(
            edit=lambda notebook: notebook.update(
                cells=[cell for cell in notebook["cells"] if cell["id"] not in POINTS]
            )
        ),
    ),
    again("everything deleted", second(edit=lambda notebook: notebook.update(cells=[]))),
    again("tests skipped", second(edit=meta(tags=["skip-execution"]))),
    again(
        "tests as markdown",
        second(
            edit=of_tests(
                lambda cell: [cell.update(cell_type="markdown"), cell.pop("outputs"), cell.pop("execution_count")]
            )
        ),
    ),
    again(
        "ids changed",
        second(
            edit=lambda notebook: [
                cell["metadata"]["nbgrader"].update(grade_id=f"{name}-2") for name, cell in labelled(notebook).items()
            ]
        ),
    ),
    again("not JSON", second(raw=lambda raw: b"no notebook")),
    again("empty", second(raw=lambda raw: b"")),
    again("no notebook", second(folder=removed)),
    again("link", second(folder=link("measuring.ipynb", "solutions/measuring/measuring.ipynb"))),
    again("quit", breaks("second", "import os\nos._exit(0)")),
    again(
        "quit in every test",
        Attack(
            "second",
            {
                name: f"def {function}(*a):\n    import os\n    os._exit(0)"
                for name, function in zip(RIGHT, ("mean", "normalise", "Account", "windows", "largest"), strict=True)
            },
        ),
    ),
    again("segfault", breaks("second", "import ctypes\nctypes.string_at(8)")),
    again("hang", breaks("second", "import time\ntime.sleep(60)")),
    again(
        "kernel killed and no tests",
        cheat(
            "second",
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            edit=of_tests(lambda cell: cell.update(source="")),
        ),
    ),
    again(
        "unknown kernel",
        second(
            edit=lambda notebook: notebook["metadata"].update(
                kernelspec={"name": "nowhere", "display_name": "x", "language": "x"}
            )
        ),
    ),
    again("as good", honest("second")),
    Attack("again: better", dict(WRONG), then=honest("second")),
]
