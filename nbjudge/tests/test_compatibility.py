"""Tests of other courses score as in stock nbgrader, or the instructor is asked before anybody is graded.

By day some groups of idioms are graded, by night all (tiers.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from compatibility import ASSIGNMENT, FINDS_ALEMBIC, NBJUDGE, POINTS, Scores, cell_name, graded, scores, write_course
from idioms import GROUPS, INSIDE, OUTSIDE, Idiom
from nbgrader_course import nbgrader, solve
from tiers import NIGHT

from nbjudge.execution.side_effects import side_effects
from nbjudge.judge.credit import describe_credit

IDIOMS = [idiom for idioms in GROUPS.values() for idiom in idioms]
BY_DAY = ("credit", "errors", "files", "modules", "names")
TRIED = {name: idioms for name, idioms in GROUPS.items() if NIGHT or name in BY_DAY}
JUDGING = "c.Run.judging = {%r: 'inside'}"
# Its test asserts nothing on purpose: everybody who hands in has the point.
TAKING_PART = Idiom("taking part", "x = 1", "assert True", "x = 0")
FORBIDS = Idiom(
    "forbids",
    "import numpy as np\ndef total(a): return sum(a)",
    "import numpy as np\nnp.sum = None\nassert total([1, 2]) == 3",
    "import numpy as np\ndef total(a): return np.sum(a)",
)


def test_the_idioms_are_many_and_have_names_of_their_own():
    assert len(IDIOMS) >= 120
    assert len({cell_name(idiom) for idiom in IDIOMS}) == len(IDIOMS)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scores, Scores]:
    return graded(tmp_path_factory.mktemp("idioms"), TRIED)


def tried() -> list[Idiom]:
    return [idiom for idioms in TRIED.values() for idiom in idioms]


@pytest.mark.nbgrader
def test_a_right_answer_scores_as_in_stock_nbgrader(both):
    stock, ours = both
    assert ours["right"] == {cell_name(idiom): POINTS for idiom in tried()}
    assert stock["right"] == ours["right"]


@pytest.mark.nbgrader
def test_a_wrong_answer_scores_as_in_stock_nbgrader_but_for_what_is_listed(both):
    stock, ours = both
    assert ours["wrong"] == {cell_name(idiom): idiom.earned for idiom in tried()}
    listed = {cell_name(idiom): idiom.stock for idiom in tried() if idiom.stock is not None}
    assert {name: points for name, points in stock["wrong"].items() if points != ours["wrong"][name]} == listed


def test_each_difference_has_a_reason():
    assert [idiom.name for idiom in IDIOMS if (idiom.stock is None) != (not idiom.reason)] == []


# --- the instructor decides


def course_of(folder: Path, idiom: Idiom, settings: str = "") -> Path:
    write_course(folder / "course", {"one": [idiom]}, NBJUDGE + settings)
    return folder / "course"


@pytest.mark.nbgrader
def test_a_test_that_changes_a_module_is_graded_once_the_instructor_has_chosen(tmp_path):
    course = course_of(tmp_path, FORBIDS)
    said = refusal(course)
    assert "one_test__forbids, line 2: np.sum = None" in said
    assert "c.Run.judging = {'idioms/one_test__forbids': 'inside'}" in said
    (course / "nbgrader_config.py").write_text(f"{NBJUDGE}{JUDGING}\n" % "idioms/one_test__forbids")
    said = nbgrader(course, "autograde", ASSIGNMENT)
    assert "Judged inside the sandbox" in said
    assert "one_test__forbids" in said
    assert scores(course) == {"right": {"forbids": POINTS}, "wrong": {"forbids": 0.0}}


@pytest.mark.nbgrader
def test_a_point_for_taking_part_is_believed_once_it_has_a_reason(tmp_path):
    course = course_of(tmp_path, TAKING_PART)
    assert "c.Grading.accepted = {'idioms/one_test__taking_part': 'for taking part'}" in refusal(course)
    setting = "c.Grading.accepted = {'idioms/one_test__taking_part': 'it is for taking part'}\n"
    (course / "nbgrader_config.py").write_text(NBJUDGE + setting)
    assert "may give points to a blank answer: it is for taking part." in nbgrader(course, "autograde", ASSIGNMENT)
    assert scores(course) == {"right": {"taking_part": POINTS}, "wrong": {"taking_part": POINTS}}


@pytest.mark.nbgrader
@pytest.mark.parametrize("setting", ["c.Grading.accepted = {'idioms/tset': 'x'}", JUDGING % "idioms/tset"])
def test_a_name_that_is_no_test_is_an_error(tmp_path, setting):
    course = course_of(tmp_path, TAKING_PART, f"{setting}\n")
    assert "names 'idioms/tset', but idioms has no such test. It has" in refusal(course)


@pytest.mark.nbgrader
def test_a_cell_judged_by_hand_waits_for_a_person(tmp_path):
    course = course_of(tmp_path, TAKING_PART, "c.Run.judging = {'idioms': 'by hand'}\n")
    assert "Left to a person: `one_test__taking_part`." in nbgrader(course, "autograde", ASSIGNMENT)
    assert scores(course) == {"right": {"taking_part": None}, "wrong": {"taking_part": None}}


def refusal(course: Path) -> str:
    """Return what autograde prints; assert that it grades nobody."""
    said = nbgrader(course, "autograde", ASSIGNMENT, fails=True)
    assert "Nothing was graded." in said
    assert not list((course / "autograded").glob("*/*"))
    return said


# --- nbgrader's own example


@pytest.mark.nbgrader
def test_the_course_that_nbgrader_creates_scores_as_in_stock_nbgrader(tmp_path):
    stock = quickstart(tmp_path / "stock", "")
    ours = quickstart(tmp_path / "nbjudge", "import nbjudge\nnbjudge.configure(c)\nc.Run.judging = {'ps1': 'inside'}\n")
    assert sum(points or 0 for points in stock["right"].values()) > 0
    assert ours == stock


def quickstart(folder: Path, settings: str) -> Scores:
    """Return the scores of the solution and of the blank assignment in the course that `nbgrader quickstart` makes."""
    folder.mkdir()
    nbgrader(folder, "quickstart", "example")
    course = folder / "example"
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(f"{FINDS_ALEMBIC}c = get_config()\n{settings}")
    nbgrader(course, "generate_assignment", "ps1")
    for student in ("right", "wrong"):
        handed_in = course / "submitted" / student / "ps1"
        shutil.copytree(course / "release" / "ps1", handed_in)
        for file in handed_in.glob("*.ipynb") if student == "right" else ():
            solution = nbformat.read(course / "source" / "ps1" / file.name, as_version=4)
            labelled = [cell for cell in solution.cells if cell.metadata.get("nbgrader", {}).get("solution")]
            solve(file, {cell.metadata.nbgrader.grade_id: cell.source for cell in labelled})
    nbgrader(course, "autograde", "ps1")
    return scores(course, "ps1")


# --- what is a side effect, and what is a number


@pytest.mark.parametrize(
    ("test", "lines"),
    [
        ("np.linalg.inv = None", [1]),
        ("keep = np.dot\nnp.dot = None\nassert f()\nnp.dot = keep", [2, 4]),
        ("import builtins\nkeep, builtins.sum = builtins.sum, None", [2]),
        ("with mock.patch('random.random'):\n    f()", [1]),
        ("setattr(np, 'dot', None)", [1]),
        ("del np.dot", [1]),
        ("import os\nos.environ['MODE'] = 'on'", [2]),
        ("import sys, io\nsys.stdout = io.StringIO()", []),
        ("model.weights = 3", []),
        ("np.random.seed(3)", []),
        ("x = np.dot", []),
        ("%matplotlib inline\nassert f() == 1", []),
        ("not Python", []),
    ],
)
def test_a_side_effect_is_a_change_of_a_module(test, lines):
    found = side_effects(test, ["%%bash\nls", "import numpy as np\nfrom unittest import mock"])
    assert [effect.line for effect in found] == lines


def test_no_idiom_judged_outside_has_a_side_effect():
    outside = [idiom for idiom in IDIOMS if idiom.judging == OUTSIDE]
    assert [idiom.name for idiom in outside if side_effects(idiom.test, [idiom.given, idiom.answer])] == []
    assert [idiom for idiom in IDIOMS if idiom.judging == INSIDE]


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, {}),
        (1, {"points": 1.0}),
        (0.5, {"points": 0.5}),
        ("1.5", {"points": 1.5}),
        (" 2 ", {"points": 2.0}),
        ("two", {"kind": "str"}),
        ("inf", {"kind": "str"}),
        (True, {"kind": "bool"}),
        ([1], {"kind": "list"}),
        (10**400, {"points": float("inf")}),
    ],
)
def test_credit_is_a_number(value, described):
    assert describe_credit(value) == described


def test_credit_of_libraries_is_a_number():
    import decimal
    import fractions

    import numpy as np

    numbers = [np.float64(1), np.int8(1), np.array(1.0), fractions.Fraction(2, 2), decimal.Decimal("1.0")]
    assert [describe_credit(number) for number in numbers] == [{"points": 1.0}] * len(numbers)
    assert describe_credit(np.ones(1)) == {"kind": "ndarray"}
    assert describe_credit(np.array(True)) == {"kind": "ndarray"}
