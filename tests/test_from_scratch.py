"""Exercises that are written from scratch are tagged so, and need nothing that is not there when they are graded."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from lesson_code import ROOT, notebook

from autograde_tests import exercises, find
from autograde_tests.exercise import FROM_SCRATCH
from autograde_tests.grade_answer import SALT, report_on
from rnn_helpers.checks.evaluator import judge
from rnn_helpers.checks.keras_probes import MODEL_PROBES

TAG = "from-scratch"  # of a test cell: nbjudge runs it against a kernel in which FROM_SCRATCH cannot be imported
STATED = "Write it with NumPy only: no Keras, no `rnn_helpers.cells`."  # in the task of each of them
TAGGED = {
    lesson: [e.name for e in found.values() if e.not_allowed == FROM_SCRATCH] for lesson, found in exercises().items()
}

# Run lessons as kernels do, where the modules are missing: a cell that fails ends, and the next one begins.
RUN = """
import contextlib, io, json, sys
import rnn_helpers
from autograde_tests.grade_answer import prepare, report_on
from lesson_code import notebook

tagged = json.loads(sys.argv[1])
for lesson in tagged:
    prepare(lesson)  # the judge has every module; it works out inputs and expected outputs before
vars(rnn_helpers).pop("cells", None)
sys.modules |= dict.fromkeys(("keras", "tensorflow", "torch", "rnn_helpers.cells"))
for lesson, names in tagged.items():
    namespace = {"__name__": "__main__"}
    for cell in notebook("solutions", lesson).cells:
        graded = cell.metadata.get("nbgrader", {}).get("grade")
        if cell.cell_type == "code" and "demonstration" not in cell.metadata.get("tags", []) and not graded:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(cell.source, namespace)
            except ImportError:
                print(f"{lesson}: {cell.source.splitlines()[0]}")
    for name in names:
        report = report_on(namespace[name], name)
        assert report.passed, (lesson, name, report.problems)
"""
KERAS = "from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log"
IMPORTS = {  # the first lines of the cells that may fail: they bring in what is missing, and nothing else
    "05_training": "from rnn_helpers import cells",
    "07_remedies": "from rnn_helpers import cells",
    "11_speech": KERAS,
    "12_sequence_to_sequence": KERAS,
    "13_gates": "from rnn_helpers import cells",
    "14_clinic": "from rnn_helpers import cells",
    "15_recurrence_returns": "from rnn_helpers import cells",
}


PREPARE = """
import sys
from autograde_tests import exercises
from autograde_tests.grade_answer import prepare

for lesson in exercises():
    prepare(lesson)
print(*{"keras", "tensorflow"} & sys.modules.keys())
"""


def in_new_process(code: str, *arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests"), "MPLBACKEND": "Agg", SALT: "pepper"},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("folder", ["solutions", "lessons"])
@pytest.mark.parametrize("lesson", exercises())
def test_exactly_the_tests_of_exercises_from_scratch_are_tagged(folder: str, lesson: str) -> None:
    cells = notebook(folder, lesson).cells
    tagged = [cell.metadata.nbgrader.grade_id for cell in cells if TAG in cell.metadata.get("tags", [])]
    assert sorted(tagged) == sorted(f"{name}_test" for name in TAGGED[lesson])


@pytest.mark.parametrize("lesson", exercises())
def test_exactly_the_tasks_of_exercises_from_scratch_say_so(lesson: str) -> None:
    cells = notebook("lessons", lesson).cells
    stated = [cell.metadata.nbgrader.grade_id for cell in cells if STATED in " ".join(cell.source.split())]
    assert sorted(stated) == sorted(f"{name}_task" for name in TAGGED[lesson])


def test_nothing_else_is_banned_but_the_methods_of_a_given_layer() -> None:
    banned = {e.name for found in exercises().values() for e in found.values() if e.not_allowed}
    assert banned - {name for names in TAGGED.values() for name in names} == {"numpy_from_keras"}


def test_no_exercise_from_scratch_is_asked_for_a_keras_object() -> None:
    probes = {find(name).probe for names in TAGGED.values() for name in names}
    assert not probes & MODEL_PROBES.keys()


@pytest.mark.slow
def test_the_solutions_need_nothing_that_is_missing() -> None:
    tagged = {lesson: names for lesson, names in TAGGED.items() if names}
    assert tagged
    failed = in_new_process(RUN, json.dumps(tagged)).splitlines()
    assert failed == [f"{lesson}: {cell}" for lesson, cell in IMPORTS.items()]


@pytest.mark.slow
def test_what_is_prepared_before_a_fork_imports_no_keras() -> None:
    assert in_new_process(PREPARE) == ""


def test_lessons_import_nothing_from_checks() -> None:
    for master in (ROOT / "source").glob("*.py"):
        assert "rnn_helpers.checks" not in master.read_text(encoding="utf-8"), master.name


def test_what_lessons_import_needs_no_cells() -> None:
    code = (
        "import sys\nsys.modules['rnn_helpers.cells'] = sys.modules['keras'] = None\n"
        "import rnn_helpers\nfrom rnn_helpers import bugs, cards, clinic, data, environment, explorers, graphs\n"
        "from rnn_helpers import ngrams, plots, speech\n"
        "from rnn_helpers.checks import keras_probes, properties\nprint(len(clinic.ward()))"
    )
    assert in_new_process(code) == "20"


def by_keras(xs, h_0, W_xh, W_hh, b_h):
    raise ModuleNotFoundError("No module named 'keras'")


def by_cells(xs, h_0, W_xh, W_hh, b_h):
    raise ImportError("cannot import name 'cells' from 'rnn_helpers' (rnn_helpers/__init__.py)")


def by_a_name_that_was_not_imported(xs, h_0, W_xh, W_hh, b_h):
    return keras.layers.SimpleRNN(4)(xs)  # noqa: F821


@pytest.mark.parametrize(
    ("answer", "missing"),
    [(by_keras, "keras"), (by_cells, "rnn_helpers.cells"), (by_a_name_that_was_not_imported, "keras")],
)
def test_the_card_says_that_it_is_written_from_scratch(answer, missing: str) -> None:
    report = report_on(answer, "rnn_forward")
    assert report.points == 0
    assert report.problems[report.first_wrong].sentence == (
        f"this exercise is written from scratch with NumPy: {missing} is not available here"
    )


def test_another_missing_module_is_an_error_like_any_other() -> None:
    def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
        raise ModuleNotFoundError("No module named 'kerras'")

    report = report_on(rnn_forward, "rnn_forward")
    assert "No module named 'kerras'" in report.problems[report.first_wrong].sentence


def test_a_method_that_is_missing_is_not_taken_for_a_module() -> None:
    """What is not allowed in numpy_from_keras are methods, such as `call`, and not modules."""
    task = find("numpy_from_keras").task(np.random.default_rng(0), hidden=False)

    def answer(layer, xs, mask=None, initial_state=None):
        return layer.call_it(xs)

    report = judge(answer, task)
    assert "from scratch" not in report.problems[report.first_wrong].sentence
