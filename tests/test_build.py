"""The build and its rules, on a tiny course; and the real course held to the same rules."""

import json
import subprocess
import sys

import pytest

from tools.build import course_fixture, lesson_names
from tools.check import course_points, course_problems, stale_files
from tools.release import ReleaseError
from tools.sources import SourceError

BUILT = ["solutions/01_tiny/01_tiny.ipynb", "lessons/01_tiny/01_tiny.ipynb", "rnn_helpers/fixtures/01_tiny.json"]


def problems(tiny):
    return list(course_problems(tiny.root, tiny.fixture, tiny.exercises))


def cells(tiny, folder):
    return {cell["id"]: cell for cell in json.loads(tiny.file(folder).read_text(encoding="utf-8"))["cells"]}


def source(tiny, folder, cell):
    return "".join(cells(tiny, folder)[cell]["source"])


# What is built


def test_a_source_becomes_a_solution_a_lesson_and_a_fixture(tiny):
    assert tiny.build() == BUILT


def test_a_second_build_writes_nothing(tiny):
    tiny.build()
    assert tiny.build() == []


def test_two_builds_from_nothing_are_the_same_bytes(tiny):
    tiny.build()
    first = {name: (tiny.root / name).read_bytes() for name in BUILT}
    for name in BUILT:
        (tiny.root / name).unlink()
    tiny.build()
    assert {name: (tiny.root / name).read_bytes() for name in BUILT} == first


def test_a_change_rebuilds_only_its_own_lesson(tiny):
    tiny.write_source(TINY_OTHER, "02_other")
    tiny.build()
    tiny.write_source(TINY_OTHER.replace("Another", "A different"), "02_other")
    assert tiny.build() == ["solutions/02_other/02_other.ipynb", "lessons/02_other/02_other.ipynb"]


def test_the_lesson_has_the_stub_and_the_solution_has_the_answer(tiny):
    tiny.build()
    assert "return twice" in source(tiny, "solutions", "double")
    assert source(tiny, "lessons", "double") == (
        'def double(x):\n    """Return 2 x."""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )
    assert source(tiny, "lessons", "double_test") == "assert double(2) == 4"
    assert source(tiny, "lessons", "why") == "YOUR ANSWER HERE"


def test_the_stub_is_the_one_that_nbgrader_config_names(tiny):
    config = 'c = get_config()\nc.ClearSolutions.code_stub = {"python": "# your turn"}\n'
    (tiny.root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    tiny.build()
    assert source(tiny, "lessons", "double").endswith("# your turn")


def test_short_metadata_is_completed(tiny):
    tiny.build()
    assert cells(tiny, "solutions")["double"]["metadata"]["nbgrader"] == {
        "cell_type": "code",
        "grade": False,
        "grade_id": "double",
        "locked": False,
        "schema_version": 3,
        "solution": True,
        "task": False,
    }


def test_a_cell_keeps_its_id_when_another_one_is_added(tiny):
    tiny.build()
    before = list(cells(tiny, "solutions"))
    tiny.write_source("# %%\nx = 1\n\n" + (tiny.root / "source/01_tiny.py").read_text(encoding="utf-8"))
    tiny.build()
    assert list(cells(tiny, "solutions"))[1:] == before


def test_equal_cells_get_different_ids(tiny):
    tiny.write_source("# %%\nx = 1\n\n# %%\nx = 1\n")
    tiny.build()
    first, second = cells(tiny, "solutions")
    assert second == f"{first}-2"


def test_data_beside_the_source_goes_beside_the_notebooks(tiny):
    (tiny.root / "source/01_tiny").mkdir()
    (tiny.root / "source/01_tiny/table.csv").write_bytes(b"1,2\r\n")
    tiny.build()
    for folder in ("solutions", "lessons"):
        assert (tiny.root / folder / "01_tiny/table.csv").read_bytes() == b"1,2\r\n"


def test_a_build_never_touches_work(tiny):
    mine = tiny.file("work")
    mine.parent.mkdir(parents=True)
    mine.write_text("my answers", encoding="utf-8")
    tiny.build()
    assert mine.read_text(encoding="utf-8") == "my answers"
    assert [path.name for path in (tiny.root / "work").rglob("*")] == ["01_tiny", "01_tiny.ipynb"]


def test_a_task_cell_marked_by_hand_is_built(tiny):
    tiny.write_source(
        '# %% [markdown] nbgrader={"grade_id": "essay", "task": true, "locked": true, "points": 20}\n# Why?\n'
    )
    tiny.build()
    assert cells(tiny, "lessons")["essay"]["metadata"]["nbgrader"]["points"] == 20


TINY_OTHER = "# %% [markdown]\n# Another lesson, without exercises.\n"


# What no notebook can be made from


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('# %% nbgrader={"grade_id": "a", solution}', "as valid JSON"),
        ('# %% nbgrader={"solution": true}', "has no grade_id"),
        ('# %% nbgrader={"grade_id": "a", "point": 3}', "holds ['point']"),
        ('# %% nbgrader={"grade_id": "a", "grade": true, "locked": true}', "has points if and only if it is graded"),
        ('# %% nbgrader={"grade_id": "a", "solution": true, "points": 3}', "has points if and only if it is graded"),
        ('# %% nbgrader={"grade_id": "a", "task": true, "points": 3}', "a task is a markdown cell"),
        ('# %% [markdown] nbgrader={"grade_id": "a", "solution": true}', "is both graded and a solution"),
    ],
)
def test_a_source_that_is_wrong_is_named_with_its_cell(tiny, line, sentence):
    tiny.write_source(f"# %%\nx = 1\n\n{line}\n# text\n")
    with pytest.raises(SourceError) as error:
        tiny.build()
    assert "01_tiny.py, cell 2" in str(error.value)
    assert sentence in str(error.value)


def test_a_grade_id_used_twice_in_a_lesson_is_named(tiny):
    tiny.write_source(('# %% nbgrader={"grade_id": "a", "solution": true}\nx = 1\n\n') * 2)
    with pytest.raises(SourceError, match="'a' is used twice"):
        tiny.build()


def test_what_nbgrader_refuses_is_told_in_its_words(tiny):
    tiny.write_source("# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n")
    with pytest.raises(ReleaseError, match="nbgrader refuses 01_tiny: .*non-solution cell"):
        tiny.build()


@pytest.mark.slow
def test_an_unknown_lesson_is_answered_with_the_names(root):
    done = subprocess.run(
        [sys.executable, "-m", "tools.build", "99_nothing"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "No lesson is called 99_nothing" in done.stderr
    assert lesson_names(root)[0] in done.stderr


# What make check refuses


def test_a_freshly_built_course_has_no_problems(tiny):
    tiny.build()
    assert problems(tiny) == []


@pytest.mark.parametrize("name", BUILT)
def test_an_edited_file_is_not_what_the_build_gives(tiny, name):
    tiny.build()
    with (tiny.root / name).open("ab") as file:
        file.write(b"\n")
    assert f"{name}: differs from the build. Edit source/ or autograde_tests/, then run `make build`." in problems(tiny)


@pytest.mark.parametrize("name", BUILT)
def test_a_missing_file_is_named(tiny, name):
    tiny.build()
    (tiny.root / name).unlink()
    assert f"{name}: is missing. Run `make build`." in problems(tiny)


def test_a_notebook_without_a_source_is_named(tiny):
    tiny.build()
    (tiny.root / "lessons/01_tiny/extra.ipynb").write_bytes(tiny.file("lessons").read_bytes())
    assert "lessons/01_tiny/extra.ipynb: has no source in source/. Delete it." in problems(tiny)


def test_a_broken_source_is_a_problem_and_not_a_traceback(tiny):
    tiny.build()
    tiny.write_source('# %% nbgrader={"solution": true}\nx = 1\n')
    assert "has no grade_id" in problems(tiny)[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"outputs": []', '"outputs": [{"name": "stdout", "output_type": "stream", "text": "4"}]'),
        ('"execution_count": null', '"execution_count": 3'),
    ],
)
def test_results_in_a_notebook_are_named(tiny, old, new):
    tiny.build()
    tiny.replace("solutions", old, new)
    assert "solutions/01_tiny/01_tiny.ipynb, cell double: holds outputs or an execution count" in "\n".join(
        problems(tiny)
    )


@pytest.mark.parametrize("mark", ["### BEGIN SOLUTION", "### END HIDDEN TESTS", "from autograde_tests import grade"])
def test_a_mark_or_a_hidden_test_in_a_lesson_is_named(tiny, mark):
    tiny.build()
    tiny.replace("lessons", "assert double(2) == 4", mark)
    assert "lessons/01_tiny/01_tiny.ipynb, cell double_test: holds" in "\n".join(problems(tiny))


def test_a_line_of_a_solution_left_in_its_cell_is_named(tiny):
    tiny.build()
    tiny.replace("lessons", "raise NotImplementedError()", "return twice")
    assert "lessons/01_tiny/01_tiny.ipynb, cell double: shows a line of the solution, 'return twice'" in "\n".join(
        problems(tiny)
    )


def test_a_whole_solution_shown_in_another_cell_is_named(tiny):
    text = (tiny.root / "source/01_tiny.py").read_text(encoding="utf-8")
    tiny.write_source(text + "\n# %% [markdown]\n#     twice = 2 * x\n#     return twice\n")
    tiny.build()
    assert problems(tiny) == [
        "lessons/01_tiny/01_tiny.ipynb: shows the whole solution of double. Change the cell that reveals it."
    ]


def test_a_written_answer_left_in_a_lesson_is_named(tiny):
    tiny.build()
    tiny.replace("lessons", "YOUR ANSWER HERE", "Because two is one and one.")
    assert "lessons/01_tiny/01_tiny.ipynb: shows the whole solution of why." in "\n".join(problems(tiny))


def test_a_grade_id_used_in_two_lessons_is_named(tiny):
    tiny.write_source((tiny.root / "source/01_tiny.py").read_text(encoding="utf-8"), "02_other")
    tiny.build()
    assert "source/02_other.py: the grade_id 'double' is taken by source/01_tiny.py. Rename one." in problems(tiny)


def test_a_test_without_its_solution_cell_is_named(tiny):
    text = (tiny.root / "source/01_tiny.py").read_text(encoding="utf-8")
    tiny.write_source(text.replace('"double_test"', '"doubling_test"'))
    tiny.build()
    assert "source/01_tiny.py, cell doubling_test: it has no solution cell. Name the pair X and X_test." in problems(
        tiny
    )


@pytest.mark.parametrize(
    ("exercises", "sentence"),
    [
        ({}, "cell double_test: autograde_tests has no Exercise 'double' in lesson 01_tiny. Add it."),
        ({"double": 14.5}, "cell double_test: has 15 points, the Exercise 14.5. Make them equal."),
        ({"double": 15.0, "halve": 3.0}, "the Exercise 'halve' has no cell halve_test."),
    ],
)
def test_notebook_and_exercises_must_agree(tiny, exercises, sentence):
    tiny.build()
    found = list(course_problems(tiny.root, tiny.fixture, {"01_tiny": exercises}))
    assert sentence in "\n".join(found)


def test_points_that_do_not_add_up_are_named(tiny):
    text = (tiny.root / "source/01_tiny.py").read_text(encoding="utf-8")
    tiny.write_source(text.replace('"points": 5', '"points": 4'))
    tiny.build()
    assert problems(tiny) == ["source/01_tiny.py: its points sum to 19; expected 20. Change the points of a cell."]


# The real course


@pytest.mark.slow
def test_the_course_in_the_repository_has_no_problems(root):
    assert lesson_names(root)
    assert list(course_problems(root, course_fixture, course_points())) == []


def test_comparing_writes_nothing(tiny):
    list(stale_files(tiny.root, tiny.fixture))
    assert [path.name for path in tiny.root.iterdir()] == ["source"]
