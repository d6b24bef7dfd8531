"""Tests that are tagged from-scratch ask a kernel from which modules are withheld: no answer can use them."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from graded_class import rnn_course, said
from nbgrader.api import Gradebook
from nbgrader_course import nbgrader
from tiny_course import LESSON, cell, release, submit

from nbjudge.forkserver.preload import preload, preloaded_modules
from nbjudge.sandbox.provisioner import PURPOSE, PURPOSE_FROM_SCRATCH, zygote_purpose
from nbjudge.sandbox.sandbox import missing_layers
from nbjudge.sandbox.withheld import WithheldFinder, readable_without, withheld_files

POINTS = 2
CORE = "def mean(values):\n    return sum(values) / len(values)\n"
MEAN = "def mean(values):\n    total = 0.0\n    for v in values:\n        total += v\n    return total / len(values)"
SPREAD = "def spread(values):\n    from helpers.core import mean\n    return max(values) - mean(values)"
BODY = "def mean(values):\n    {}\n    return core.mean(values)"
WITH_CORE = {
    "plainly": "from helpers import core\n" + BODY.format("pass"),
    "when it is called": BODY.format("from helpers import core"),
    "as a whole": "import helpers.core\ndef mean(values): return helpers.core.mean(values)",
    "without a profiler": BODY.format("import sys; sys.setprofile(None); from helpers import core"),
    "in a thread": """import threading
def mean(values):
    seen = []
    def work():
        from helpers.core import mean as m
        seen.append(m(values))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return seen[0]""",
    "without the finder": BODY.format(
        "import sys; sys.meta_path.pop(0); sys.modules.pop('helpers.core', None)\n    from helpers import core"
    ),
    "from its file": (
        "def mean(values):\n    import helpers, os\n    names = {}\n"
        "    exec(open(os.path.join(os.path.dirname(helpers.__file__), 'core.py')).read(), names)\n"
        "    return names['mean'](values)"
    ),
    "from its compiled file": (
        "def mean(values):\n    import glob, helpers, marshal, os\n    names = {}\n"
        "    [file] = glob.glob(os.path.dirname(helpers.__file__) + '/__pycache__/core.*.pyc')\n"
        "    exec(marshal.loads(open(file, 'rb').read()[16:]), names)\n    return names['mean'](values)"
    ),
    "from the memory": (
        "import gc\ndef mean(values):\n    known = [o for o in gc.get_objects() if callable(o)]\n"
        "    [f] = [o for o in known if getattr(o, '__module__', '') == 'helpers.core']\n    return f(values)"
    ),
}
UNUSED = "import helpers.core\nfrom helpers import core\n" + MEAN
SUBMISSIONS = {name: {"mean": code, "spread": SPREAD} for name, code in WITH_CORE.items()}
SUBMISSIONS |= {
    "right": {"mean": MEAN, "spread": SPREAD},
    "unused import": {"mean": UNUSED, "spread": SPREAD},
    "blank": {},
}


def course_with(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    """Release a course whose package `helpers` holds a module that would do the work."""
    (folder / "helpers").mkdir(parents=True)
    (folder / "helpers" / "__init__.py").write_text("")
    (folder / "helpers" / "plots.py").write_text("def plot(): pass\n")
    (folder / "helpers" / "core.py").write_text(CORE)
    release(folder, list(cells))
    with open(folder / "nbgrader_config.py", "a") as settings:
        settings.write("c.SandboxProvisioner.packages = [str(HERE / 'helpers')]\nc.Run.withheld = ['helpers.core']\n")
    return folder


def exercise(name: str, answer: str, test: str, tags: list[str]) -> list[nbformat.NotebookNode]:
    tested = cell(f"{name}_test", test, grade=True, locked=True, points=POINTS)
    tested.metadata["tags"] = tags
    return [cell(name, f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION", solution=True), tested]


def scores(course: Path, student: str) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        [notebook] = gradebook.find_submission(LESSON, student).notebooks
        return {grade.name: grade.auto_score for grade in notebook.grades}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cells = exercise("mean", MEAN, "assert mean([1, 2, 6]) == 3\nassert mean([4]) == 4", ["from-scratch"])
    cells += exercise("spread", SPREAD, "assert spread([1, 2, 6]) == 3", [])
    given = cell("given", "from helpers import plots\nplots.plot()", locked=True)
    course = course_with(tmp_path_factory.mktemp("scratch") / "course", given, *cells)
    for student, answers in SUBMISSIONS.items():
        submit(course, student.replace(" ", "_"), **answers)
    said(rnn_course(course, "grade", LESSON, "--jobs", "6"))
    return course


@pytest.mark.nbgrader
@pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}")
@pytest.mark.parametrize("how", WITH_CORE)
def test_an_answer_that_uses_what_is_withheld_earns_nothing(graded, how):
    assert scores(graded, how.replace(" ", "_")) == {"mean_test": 0, "spread_test": POINTS}


@pytest.mark.nbgrader
@pytest.mark.parametrize("student", ["right", "unused import"])
def test_an_answer_that_does_not_has_all_points(graded, student):
    assert scores(graded, student.replace(" ", "_")) == {"mean_test": POINTS, "spread_test": POINTS}


@pytest.mark.nbgrader
def test_the_student_reads_what_is_not_available(graded):
    notebook = nbformat.read(graded / "autograded" / "plainly" / LESSON / f"{LESSON}.ipynb", as_version=4)
    errors = [output for one in notebook.cells for output in one.get("outputs", []) if output.output_type == "error"]
    assert "helpers.core.mean is not available here" in errors[0].evalue


GIVEN = {"without it": "from helpers import plots", "with it": "from helpers import core\ncore.mean([1, 3])"}


@pytest.mark.nbgrader
@pytest.mark.parametrize("given", GIVEN)
def test_the_given_cells_of_a_lesson_that_is_all_from_scratch_run(tmp_path, given):
    cells = exercise("mean", MEAN, "assert mean([1, 2, 6]) == 3", ["from-scratch"])
    course = course_with(tmp_path / "course", cell("given", GIVEN[given], locked=True), *cells)
    submit(course, "right", mean=MEAN)
    submit(course, "with_core", mean=WITH_CORE["in a thread"])
    nbgrader(course, "autograde", LESSON)
    assert scores(course, "right") == {"mean_test": POINTS}
    assert scores(course, "with_core") == {"mean_test": 0}
    notebook = nbformat.read(course / "autograded" / "right" / LESSON / f"{LESSON}.ipynb", as_version=4)
    assert not [output for one in notebook.cells for output in one.get("outputs", []) if output.output_type == "error"]


def test_the_files_of_a_module_are_found_compiled_or_not(tmp_path):
    (tmp_path / "helpers" / "__pycache__").mkdir(parents=True)
    (tmp_path / "whole").mkdir()
    for name in ("helpers/core.py", "helpers/__pycache__/core.cpython-311.pyc", "helpers/corename.py", "whole/x.py"):
        (tmp_path / name).touch()
    found = list(withheld_files(("helpers.core", "whole", "missing"), (str(tmp_path),)))
    names = [str(Path(file).relative_to(tmp_path.resolve())) for file in found]
    assert names == ["helpers/__pycache__/core.cpython-311.pyc", "helpers/core.py", "whole"]


def test_all_but_the_withheld_stays_readable_through_links_too(tmp_path):
    for name in ("lib/keras/deep", "lib/numpy", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "lib64").symlink_to("lib")
    root = str(tmp_path.resolve())
    readable, listed = readable_without((root, "/proc/self"), (f"{root}/lib/keras",))
    assert readable == [f"{root}/lib/numpy", f"{root}/other", "/proc/self"]
    assert listed == [root, f"{root}/lib"]


def test_what_is_withheld_can_be_imported_and_not_used(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [WithheldFinder(["colorsys"]), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    import colorsys
    import colorsys.deep  # noqa: F401

    with pytest.raises(ImportError, match="colorsys.rgb_to_hsv is not available here"):
        colorsys.rgb_to_hsv(1, 1, 1)
    with pytest.raises(ImportError, match="not available here"):
        from colorsys import hsv_to_rgb  # noqa: F401
    assert not hasattr(colorsys, "__wrapped__")
    monkeypatch.delitem(sys.modules, "colorsys.deep")


@pytest.mark.parametrize(
    ("imported", "purpose"),
    [
        (["numpy", "kerasx"], PURPOSE),
        (["numpy", "keras"], PURPOSE_FROM_SCRATCH),
        (["numpy", "keras.layers"], PURPOSE_FROM_SCRATCH),
    ],
)
def test_a_kernel_from_scratch_never_has_a_parent_that_has_imported_what_is_withheld(imported, purpose):
    before = preloaded_modules(PURPOSE)
    try:
        preload(PURPOSE, imported)
        assert zygote_purpose(["keras"]) == purpose
        assert zygote_purpose([]) == PURPOSE
    finally:
        preload(PURPOSE, before)
