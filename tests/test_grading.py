"""nbjudge and nbgrader_config.py on a tiny course: surroundings, stderr, canaries."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from graded_here import grade
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.converters import Autograde
from nbgrader.preprocessors import AssignLatePenalties, Execute, SaveAutoGrades
from nbgrader.utils import determine_grade
from nbgrader_course import ROOT, nbgrader, scores
from tiny_course import LESSON, make_course, submit
from traitlets.config import Config, PyFileConfigLoader
from traitlets.utils.importstring import import_item

from nbjudge.autograde import canaries
from nbjudge.autograde.canary_policy import CanaryPolicy
from nbjudge.autograde.canary_run import BLANK, SOLUTION, Score, canary_names
from nbjudge.autograde.cheat import CHEATS
from nbjudge.autograde.converter import grade_canaries
from nbjudge.autograde.preprocessors import Record, StderrAsStdout
from nbjudge.environment import prepend, usable_folder
from nbjudge.errors import CannotGrade
from nbjudge.execution.preprocessor import Run
from nbjudge.secrets import CourseSecret, read_or_create
from rnn_course.environment import SECRET


@pytest.fixture(autouse=True)
def _environment_as_before():
    """Reading nbgrader_config.py changes the environment of the process; no other test should see that."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


# --- surroundings


def test_a_folder_is_prepended_once_however_often_the_settings_are_read(monkeypatch):
    monkeypatch.setenv("COURSE_PATH", f"old{os.pathsep}new")
    for _ in range(2):
        prepend("COURSE_PATH", Path("new"))
    assert os.environ["COURSE_PATH"] == f"new{os.pathsep}old"


def test_a_folder_that_cannot_be_used_is_said_in_one_sentence(tmp_path, capsys):
    in_the_way = tmp_path / "exchange"
    in_the_way.write_text("a file")
    assert usable_folder(in_the_way, "collect") == str(in_the_way)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(in_the_way) in said
    assert "nbgrader's collect will not work" in said


def test_the_salt_is_made_once_and_only_its_owner_reads_it(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_COURSE_SALT", raising=False)
    file = tmp_path / ".course_salt"
    salt = read_or_create(file)
    assert len(salt) == 64
    assert read_or_create(file) == salt
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_many_that_start_at_once_agree_on_the_salt(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_COURSE_SALT", raising=False)
    with ThreadPoolExecutor(16) as pool:
        salts = set(pool.map(read_or_create, [tmp_path / ".course_salt"] * 64))
    assert len(salts) == 1
    assert [file.name for file in tmp_path.iterdir()] == [".course_salt"]  # no drafts are left behind


def test_a_salt_in_the_environment_wins_and_no_file_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("RNN_COURSE_SALT", "from outside")
    assert CourseSecret(*SECRET).load(tmp_path) == "from outside"
    assert not list(tmp_path.iterdir())


def test_an_empty_salt_file_is_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_COURSE_SALT", raising=False)
    file = tmp_path / ".course_salt"
    file.touch()
    with pytest.raises(CannotGrade, match="is empty.*Delete it"):
        read_or_create(file)


# --- stderr

NOISE = {
    "a warning": "import warnings; warnings.warn('noise')",
    "a log line": "import logging; logging.warning('noise')",
    "a progress bar": "import sys; [print(f'\\r{i} noise', end='', file=sys.stderr, flush=True) for i in range(9)]",
    "a write below Python": "import os; os.write(2, b'noise\\n')",
    "a first import of TensorFlow": "def build():\n    import tensorflow, sys\n    sys.stderr.write('noise')\nbuild()",
}


@pytest.fixture(scope="module")
def noisy_notebook():
    """Test cells that are right and noisy, executed by nbgrader; the write below Python needs a while to arrive."""
    mark = os.environ.pop(
        "PYTEST_CURRENT_TEST", None
    )  # while it is set, kernels do not watch what is written below Python
    settings = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False, "points": 3}
    cells = [
        new_code_cell(
            f"{source}\nimport time; time.sleep(0.5)\n3.0", metadata={"nbgrader": {**settings, "grade_id": name}}
        )
        for name, source in NOISE.items()
    ]
    notebook, _ = Execute(timeout=120).preprocess(new_notebook(cells=cells), {})
    if mark:
        os.environ["PYTEST_CURRENT_TEST"] = mark
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("name", NOISE)
def test_noise_on_stderr_costs_no_point_and_stays_visible(noisy_notebook, name):
    (cell,) = [cell for cell in noisy_notebook.cells if cell.metadata.nbgrader.grade_id == name]
    cell = cell.copy()
    assert determine_grade(cell) == (0, 3), "nbgrader no longer minds stderr: StderrAsStdout can go"
    cell, _ = StderrAsStdout().preprocess_cell(cell, {}, 0)
    assert determine_grade(cell) == (3, 3)
    assert "noise" in "".join(output.get("text", "") for output in cell.outputs)


def test_an_exception_still_scores_zero():
    cell = new_code_cell(metadata={"nbgrader": {"grade": True, "points": 3}})
    cell.outputs = [new_output("error", ename="AssertionError", evalue="", traceback=[])]
    cell, _ = StderrAsStdout().preprocess_cell(cell, {}, 0)
    assert determine_grade(cell) == (0, 3)


def test_autograde_runs_what_nbgrader_runs_but_for_the_running_the_noise_and_the_recording(tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(tmp_path)).load_config()
    stock = list(Autograde(coursedir=None).autograde_preprocessors)
    ours = [import_item(name) for name in settings.Autograde.autograde_preprocessors]
    kept = [step for step in stock if step not in (Execute, SaveAutoGrades, AssignLatePenalties)]
    assert ours == [Run, StderrAsStdout, *kept, Record]
    assert issubclass(Run, Execute)


# --- canaries


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("tiny") / "course")


NOISY_DOUBLE = "import logging\ndef double(x):\n    logging.warning('noise')\n    return x + x"


@pytest.fixture
def course(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "course")


@pytest.mark.nbgrader
def test_healthy_canaries_are_announced_and_leave_no_trace_and_noise_costs_nothing(course):
    submit(course, "ada", double=NOISY_DOUBLE, triple="def triple(x):\n    return x")
    said = nbgrader(course, "autograde", LESSON)
    assert f"canaries of {LESSON}: solution 6/6, blank 0/6, cheat 0/6, empty 0/6" in said
    assert scores(course) == {"ada": 4 + 2 / 2}


@pytest.mark.nbgrader
def test_sick_canaries_stop_the_grading_and_say_why(course):
    submit(course, "ada", double="def double(x):\n    return x + x", triple="def triple(x):\n    return 3 * x")
    broken = (
        "def grade(function, points, wanted):\n    if points == 2:\n        import nowhere\n    return float(points)\n"
    )
    (course / "tiny_tests" / "__init__.py").write_text(broken)
    said = nbgrader(course, "autograde", LESSON, fails=True)
    alarm = said[said.index("Nothing was graded. The canaries of 01_tiny failed") :]
    assert "canary-solution, triple_test: 0 of 2 points, expected 2. It printed:" in alarm
    assert "ModuleNotFoundError: No module named 'nowhere'" in alarm
    assert "canary-blank, double_test: 4 of 4 points, expected 0" in alarm
    assert "canary-cheat, double_test: 4 of 4 points, expected 0" in alarm
    assert alarm.count("expected") == 4
    assert scores(course) == {}


@pytest.mark.nbgrader
def test_a_lesson_that_was_never_released_stops_the_grading_with_the_way_out(course):
    submit(course, "ada")
    (course / "gradebook.db").unlink()
    said = nbgrader(course, "autograde", LESSON, fails=True)
    assert "Nothing was graded. There is no gradebook" in said.splitlines()[-1]
    assert "nbgrader generate_assignment" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("error", "sentence"), [(CannotGrade("Why."), "Nothing was graded. Why."), (ValueError("odd"), "ValueError: odd")]
)
def test_whatever_keeps_the_canaries_from_going_ahead_stops_the_grading(course, monkeypatch, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr("nbjudge.autograde.canaries.require_canaries", fail)
    submit(course, "ada")
    run = grade(course, rehearsing=False)
    assert not run.well
    assert sentence in run.said[-1]
    assert not (course / "autograded").exists()


def test_the_salt_is_set_before_the_canaries_go(tmp_path, monkeypatch):
    monkeypatch.delenv("RNN_COURSE_SALT", raising=False)
    seen = []
    monkeypatch.setattr(
        "nbjudge.autograde.canaries.require_canaries", lambda *_: seen.append(os.environ["RNN_COURSE_SALT"])
    )
    canaries.prepare_assignment(tmp_path, LESSON, logging.getLogger("canaries"), grade_canaries, CourseSecret(*SECRET))
    assert seen == [read_or_create(tmp_path / ".course_salt")]


def test_the_cheat_goes_ahead_only_where_tests_are_judged_from_outside():
    assert canary_names(Config(Autograde={"autograde_preprocessors": [Execute]})) == (SOLUTION, BLANK)
    assert canary_names(Config(Autograde={"autograde_preprocessors": ["nbjudge.Run"]})) == (
        SOLUTION,
        BLANK,
        *CHEATS,
    )


def test_healthy_canaries_are_sent_again_only_after_a_change(course, monkeypatch):
    sent = []
    monkeypatch.setattr(canaries, "run_canaries", lambda settings, assignment, grade: sent.append(assignment) or [])
    monkeypatch.setattr(canaries, "_healthy", set())
    log = logging.getLogger("canaries")
    for _ in range(3):
        canaries.require_canaries(course, LESSON, log, grade_canaries)
    assert sent == [LESSON]
    (course / "tiny_tests" / "__init__.py").write_text("# something else")
    canaries.require_canaries(course, LESSON, log, grade_canaries)
    assert sent == [LESSON] * 2


@pytest.mark.parametrize(("name", "earned"), [(SOLUTION, 3.5), (SOLUTION, None), (BLANK, 0.5), (BLANK, None)])
def test_one_cell_that_is_not_full_or_zero_stops_the_grading_every_time(course, monkeypatch, name, earned):
    monkeypatch.setattr(canaries, "run_canaries", lambda *_: [Score(name, "double_test", earned, 4.0, "")])
    for _ in range(2):
        with pytest.raises(CannotGrade, match=f"{name}, double_test"):
            canaries.require_canaries(course, LESSON, logging.getLogger("canaries"), grade_canaries)


@pytest.mark.parametrize("name", CHEATS)
def test_a_test_that_gives_points_to_a_cheat_is_reported_or_an_error(course, monkeypatch, caplog, name):
    monkeypatch.setattr(canaries, "run_canaries", lambda *_: [Score(name, "double_test", 1, 4.0, "")])
    monkeypatch.setattr(canaries, "_healthy", set())
    with pytest.raises(CannotGrade, match=f"{name}, double_test"):
        canaries.require_canaries(
            course, LESSON, logging.getLogger("canaries"), grade_canaries, CanaryPolicy(strict=True)
        )
    canaries.require_canaries(course, LESSON, logging.getLogger("canaries"), grade_canaries)
    assert "The test double_test of 01_tiny is weak: it gives 1 of 4 points to" in caplog.text
    assert CHEATS[name].advice in caplog.text
