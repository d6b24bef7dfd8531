"""Submissions whose cells say more than their text: tags, flags, points, ids, outputs that were there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .corpus import Attack, honest
from .course import POINTS, WRONG

Cell = dict[str, Any]


def labelled(notebook: dict[str, Any]) -> dict[str, Cell]:
    """Return {grade_id: cell}."""
    named = [(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell) for cell in notebook["cells"]]
    return {name: cell for name, cell in named if name}


def of_tests(change: Callable[[Cell], object]) -> Callable[[dict[str, Any]], None]:
    def edit(notebook: dict[str, Any]) -> None:
        for name, cell in labelled(notebook).items():
            if name in POINTS:
                change(cell)

    return edit


def flags(**changed: object) -> Callable[[dict[str, Any]], None]:
    return of_tests(lambda cell: cell["metadata"]["nbgrader"].update(changed))


def meta(**changed: object) -> Callable[[dict[str, Any]], None]:
    return of_tests(lambda cell: cell["metadata"].update(changed))


def outputs_before(cell: Cell) -> None:
    cell["outputs"] = [
        {"output_type": "execute_result", "data": {"text/plain": "4"}, "metadata": {}, "execution_count": 1}
    ]


def cheats(name: str, edit: Callable[[dict[str, Any]], object]) -> Attack:
    return Attack(name, dict(WRONG), edit=edit)


def swap_ids(notebook: dict[str, Any]) -> None:
    cells = labelled(notebook)
    for name in POINTS:
        cells[name]["metadata"]["nbgrader"]["grade_id"], cells[name]["id"] = f"{name}_old", f"{name}_old"
        notebook["cells"].append(
            {
                **cells[name],
                "id": f"{name}-new",
                "source": "pass",
                "outputs": [],
                "metadata": {"nbgrader": {**cells[name]["metadata"]["nbgrader"], "grade_id": name}},
            }
        )


def kernelspec(**named: str) -> Callable[[dict[str, Any]], None]:
    return lambda notebook: notebook["metadata"].update(kernelspec=named)


ATTACKS = [
    cheats("tag skip-execution", meta(tags=["skip-execution"])),
    cheats("tag raises-exception", meta(tags=["raises-exception"])),
    cheats("tags of nbconvert", meta(tags=["remove_cell", "hide", "nbval-skip", "papermill-error-cell-tag"])),
    cheats(
        "tests as markdown",
        of_tests(lambda cell: [cell.update(cell_type="markdown"), cell.pop("outputs"), cell.pop("execution_count")]),
    ),
    cheats(
        "tests as raw",
        of_tests(lambda cell: [cell.update(cell_type="raw"), cell.pop("outputs"), cell.pop("execution_count")]),
    ),
    cheats("tests emptied", of_tests(lambda cell: cell.update(source=""))),
    cheats("tests replaced", of_tests(lambda cell: cell.update(source="4"))),
    cheats("tests are comments", of_tests(lambda cell: cell.update(source=f"%%script true\n{cell['source']}"))),
    cheats("tests are answers", flags(solution=True, locked=False)),
    cheats("tests are tasks", flags(task=True)),
    cheats("tests not graded", flags(grade=False)),
    cheats("tests unlocked", flags(locked=False)),
    cheats("many points", flags(points=1000)),
    cheats("negative points", flags(points=-1)),
    cheats("points not a number", flags(points=float("nan"))),
    cheats("points as text", flags(points="4")),
    cheats("points by checksum", flags(checksum="0" * 32)),
    cheats("wrong cell type", flags(cell_type="markdown")),
    cheats("outputs that were there", of_tests(outputs_before)),
    cheats("ids swapped", swap_ids),
    cheats("tests first", lambda notebook: notebook["cells"].sort(key=lambda cell: cell["id"] not in POINTS)),
    cheats(
        "tests deleted",
        lambda notebook: notebook.update(cells=[cell for cell in notebook["cells"] if cell["id"] not in POINTS]),
    ),
    cheats("all deleted", lambda notebook: notebook.update(cells=[])),
    cheats(
        "engine's metadata",
        lambda notebook: notebook["metadata"].update(
            grading={"refused": False, "repairs": ["4"], "events": [], "score": 14}
        ),
    ),
    cheats("kernel of another language", kernelspec(name="bash", display_name="Bash", language="bash")),
    cheats("kernel by path", kernelspec(name="../../@DROP@", display_name="x", language="python")),
    cheats(
        "kernel provisioner",
        lambda notebook: notebook["metadata"].update(
            kernelspec={
                "name": "python3",
                "display_name": "x",
                "language": "python",
                "metadata": {"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
            }
        ),
    ),
    cheats(
        "nbgrader's settings",
        lambda notebook: notebook["metadata"].update(
            nbgrader={"timeout": 1, "points": 14}, execution={"timeout": -1, "allow_errors": True}
        ),
    ),
    cheats(
        "task cell with points",
        lambda notebook: notebook["cells"].append(
            {
                "cell_type": "markdown",
                "id": "extra",
                "source": "I did it.",
                "metadata": {
                    "nbgrader": {
                        "grade_id": "extra",
                        "grade": True,
                        "solution": True,
                        "locked": False,
                        "task": False,
                        "points": 100,
                        "schema_version": 3,
                    }
                },
            }
        ),
    ),
    Attack(
        "by hand becomes automatic",
        dict(WRONG),
        edit=lambda notebook: labelled(notebook)["plot"]["metadata"]["nbgrader"].update(solution=False, locked=True),
    ),
    Attack(
        "data changed",
        WRONG | {"mean": "heights = np.zeros(4)\n" + WRONG["mean"]},
        edit=lambda notebook: labelled(notebook)["data"].update(source="heights = np.array([])"),
    ),
    honest("tests reordered", edit=lambda notebook: notebook["cells"].append(notebook["cells"].pop(4))),
]
