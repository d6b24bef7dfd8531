"""What goes wrong in one exercise costs that exercise: the others are judged, in a class graded in one run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from graded_class import rnn_course, said
from nbgrader.api import Gradebook
from tiny_course import LESSON, cell, release, submit

pytestmark = pytest.mark.nbgrader
EXERCISES = ("first", "second", "third")
SECONDS = 6  # for one cell, in this course

# What stands in the answer to `second`, and where it strikes: while the cell runs, or when the test calls.
TROUBLES = {
    "quits": "quit()",
    "exits": "import os; os._exit(0)",
    "crashes": "import ctypes; ctypes.string_at(0)",
    "overflows": "import sys; sys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
    "never ends": "while True: pass",
    "ignores interrupts": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "bombs memory": "hold = []\nwhile True: hold.append(bytearray(1 << 26))",
    "bombs threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
    "floods": "for i in range(3000): print('x' * 10_000)",
    "fills the disk": "for i in range(10**6): open(f'f{i}', 'wb').write(bytes(1 << 24))",
    "raises": "1 / 0",
    "ends the next cell": "import os\nget_ipython().events.register('pre_run_cell', lambda *_: os._exit(0))",
}
IN_CALLS = ("quits", "exits", "crashes", "never ends", "ignores interrupts", "bombs memory", "floods", "raises")
HARMLESS = (
    "floods",
    "floods in call",
    "quits",
    "quits in call",
    "ends the next cell",
)  # the answer is there, and right
SILENT = (
    "raises",
    "raises in call",
    "bombs threads",
    "bombs memory in call",
    "floods in call",
    "quits",
    "quits in call",
    "ends the next cell",
)


def called(body: str) -> str:
    inside = "\n".join("    " + line for line in body.splitlines())
    return f"def second(x):\n{inside}\n    return 2 * x"


ANSWERS = {name: f"{body}\ndef second(x): return 2 * x" for name, body in TROUBLES.items()}
ANSWERS |= {f"{name} in call": called(TROUBLES[name]) for name in IN_CALLS}
RIGHT = {name: f"def {name}(x): return 2 * x" for name in EXERCISES}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade a class in which each student has a trouble of their own."""
    cells = [cell("given", "import numpy as np\nsteps = np.arange(3)", locked=True)]
    for name in EXERCISES:
        cells.append(
            cell(name, f"def {name}(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION", solution=True)
        )
        hidden = f"### BEGIN HIDDEN TESTS\nassert np.array_equal({name}(steps), [0, 2, 4])\n### END HIDDEN TESTS"
        cells.append(cell(f"{name}_test", f"assert {name}(3) == 6\n{hidden}", grade=True, locked=True, points=2))
    course = release(tmp_path_factory.mktemp("faults") / "course", cells)
    settings = course / "nbgrader_config.py"
    limits = (
        f"c.Execute.timeout = {SECONDS}\nc.SandboxProvisioner.memory_mb = 1500\nc.SandboxProvisioner.processes = 400\n"
    )
    settings.write_text(settings.read_text() + limits)
    for student, answer in ANSWERS.items():
        submit(course, student.replace(" ", "_"), **{**RIGHT, "second": answer})
    said(rnn_course(course, "grade", LESSON, "--jobs", "4"))
    return course


@pytest.mark.parametrize("trouble", ANSWERS)
def test_the_other_exercises_are_judged(graded, trouble):
    student = trouble.replace(" ", "_")
    with Gradebook(f"sqlite:///{graded}/gradebook.db") as gradebook:
        [notebook] = gradebook.find_submission(LESSON, student).notebooks
        earned = {grade.name: grade.auto_score for grade in notebook.grades}
    wanted = 2 if trouble in HARMLESS else 0
    assert earned == {"first_test": 2, "second_test": wanted, "third_test": 2}


@pytest.mark.parametrize("trouble", [name for name in ANSWERS if name not in SILENT])
def test_a_sentence_says_what_happened(graded, trouble):
    notebook = nbformat.read(graded / "autograded" / trouble.replace(" ", "_") / LESSON / f"{LESSON}.ipynb", 4)
    [event, *_] = notebook.metadata.grading.events
    assert event.cell in ("second", "second_test")
    assert event.sentence.endswith(".")
