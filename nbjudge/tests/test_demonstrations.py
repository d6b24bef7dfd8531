"""Which cells are left out while grading: unchanged demonstrations on which nothing that runs depends."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader_course import ROOT

from nbjudge.execution.demonstrations import TAG, skippable_cells, students_texts
from nbjudge.execution.free_names import free_names_of
from nbjudge.execution.name_analysis import GIVEN, Source
from nbjudge.execution.plan import _merge_cells

DEMONSTRATION = "losses = [1, 2]\nprint(losses)"


def left_out(*texts: str, demonstrations: tuple[str, ...] = (DEMONSTRATION,)) -> set[int]:
    """Return the numbers of the cells of a submission that need not run.

    texts: its code cells; demonstrations: what the instructor has tagged
    """
    sources = [Source("", GIVEN, "import numpy as np"), *(Source("", GIVEN, text, True) for text in demonstrations)]
    return skippable(new_notebook(cells=[new_code_cell(text) for text in texts]), sources)


def skippable(notebook: nbformat.NotebookNode, sources: list[Source]) -> set[int]:
    """Return the numbers of the cells that need not run, with names as the submission's kernel finds them."""
    texts = students_texts(notebook, sources)
    return skippable_cells(notebook, sources, dict(zip(texts, free_names_of(texts), strict=True)))


# --- what the submission did to the demonstration itself


def test_an_unchanged_demonstration_is_left_out():
    assert left_out("x = 1", DEMONSTRATION, "print(x)") == {1}


def test_white_space_around_it_is_no_change():
    assert left_out(f"\n{DEMONSTRATION}\n\n") == {0}


@pytest.mark.parametrize("changed", [DEMONSTRATION.replace("1", "3"), f"{DEMONSTRATION}\nmine = 1", ""])
def test_a_changed_demonstration_is_run(changed):
    assert left_out("x = 1", changed) == set()


def test_numbers_count_the_cells_between_and_text_is_no_demonstration():
    cells = [new_markdown_cell(DEMONSTRATION), new_code_cell("x = 1"), new_code_cell(DEMONSTRATION)]
    assert skippable(new_notebook(cells=cells), [Source("", GIVEN, DEMONSTRATION, True)]) == {2}


def test_a_tag_in_the_submission_says_nothing():
    tagged = new_code_cell(DEMONSTRATION, metadata={"tags": [TAG]})
    assert skippable(new_notebook(cells=[tagged]), [Source("", GIVEN, DEMONSTRATION)]) == set()


def test_where_the_instructor_has_marked_nothing_everything_runs():
    assert left_out("x = 1", DEMONSTRATION, demonstrations=()) == set()


# --- what the cells that run make of it


@pytest.mark.parametrize(
    "user",
    [
        "print(losses)",
        "def answer():\n    return losses[0]",  # read when it is called, which may be in a test
        "class Answer:\n    first = losses[0]",
        "answer = lambda: [loss for loss in losses]",
        "losses.append(3)",
        "losses += [3]",
        "@losses.append\ndef f(): pass",
        "try:\n    losses\nexcept NameError:\n    losses = []",
        "print(globals()['losses'])",
        "eval('losses')",
        "exec('print(losses)')",
        "def answer():\n    return vars(__import__('__main__'))['losses']",
        "%timeit sum(losses)",
        "%%time\nsum(losses)",
        "%%capture\nsum(losses)",
        "%%script python\nlosses",  # nobody can tell what that needs
        "print(losses",  # a student's cell that is no Python is not a reason to leave out more
    ],
)
def test_a_cell_that_uses_a_name_that_it_binds_has_it_run(user):
    assert left_out(DEMONSTRATION, user) == set()


@pytest.mark.parametrize(
    "stranger",
    [
        "print(1)",
        "losses = []\nprint(losses)",  # its own
        "def f(losses):\n    return losses",
        "[losses for losses in range(3)]",
        "print('losses')",
        "x.losses = f(losses=3).losses",
        "eval('loss')",
        "%%time\nlosses = 1\nsum(losses)",
        "%matplotlib inline",
    ],
)
def test_a_cell_that_has_the_name_for_itself_does_not(stranger):
    assert left_out(DEMONSTRATION, stranger) == {0}


def test_a_cell_before_it_may_hold_a_function_that_uses_it():
    assert left_out("def report():\n    print(losses)", DEMONSTRATION, "report()") == set()
    assert left_out("def report():\n    print(losses)", DEMONSTRATION, "print(1)") == set()  # a test may call it


@pytest.mark.parametrize(
    "binds", ["losses = 3", "[losses for losses in range(3)]", "if False:\n    losses = 3", "def f():\n    losses = 3"]
)
def test_that_another_cell_binds_a_name_too_does_not_stand_for_the_demonstration(binds):
    assert left_out(DEMONSTRATION, binds, "print(losses)") == set()
    assert left_out(DEMONSTRATION, f"{binds}\nlosses = 4\nprint(losses)") == {0}


def test_a_demonstration_that_is_run_has_run_what_it_uses_itself():
    first, second, third = "data = [1]", "model = sum(data)", "curve = [data]"
    assert left_out(first, second, third, "print(model)", demonstrations=(first, second, third)) == {2}


def test_and_so_on_through_any_number_of_demonstrations():
    chain = tuple(f"x{number} = x{number - 1}" for number in range(1, 6))
    assert left_out("x0 = 0", *chain, "print(x5)", demonstrations=chain) == set()
    assert left_out("x0 = 0", *chain, "print(x3)", demonstrations=chain) == {4, 5}


def test_through_a_function_too():
    first, second = "def area(r):\n    return pi * r * r", "pi = 3"
    assert left_out(first, second, "area(2)", demonstrations=(first, second)) == set()
    assert left_out(first, second, "print(2)", demonstrations=(first, second)) == {0, 1}


@pytest.mark.parametrize("change", ["weights[0] = 1", "weights.flat[0] = 1", "weights.sort()", "weights.T.sort()"])
def test_one_that_changes_an_object_is_run_for_who_uses_the_object(change):
    given = "weights = np.zeros(3)"
    assert left_out("import numpy as np", given, change, "print(weights)", demonstrations=(change,)) == set()
    assert left_out("import numpy as np", given, change, demonstrations=(change,)) == {2}


def test_what_it_asks_of_a_module_is_no_such_change():
    shown = "plt.plot([1, 2])\nplt.show()"
    cells = ["import numpy as np", shown.replace("plt", "np"), "np.title('mine')"]
    assert left_out(*cells, demonstrations=(cells[1],)) == {1}


@pytest.mark.parametrize("start", ["import time", "import time as t", "from time import sleep"])
def test_one_that_imports_what_a_cell_uses_is_run(start):
    name = start.split()[-1]
    assert left_out(f"{start}\nprint(1)", f"print({name})", demonstrations=(f"{start}\nprint(1)",)) == set()


@pytest.mark.parametrize("magic", ["%matplotlib inline\nprint(1)", "!ls", "%%time\nsum([1])", "%%bash\nls"])
def test_a_demonstration_may_hold_magics(magic):
    assert left_out("x = 1", magic, "print(x)", demonstrations=(magic,)) == {1}


def test_what_a_demonstration_binds_below_a_magic_is_seen():
    timed = "%%time\nlosses = [1]"
    assert left_out(timed, "print(losses)", demonstrations=(timed,)) == set()


@pytest.mark.parametrize(
    "hostile", ["x = " + "-" * 10_000 + "1", "1+" * 200_000 + "1", "(" * 10_000, "b=1\n" * 30_000, "\\" * 50_000, "'"]
)
def test_hostile_text_is_no_reason_to_leave_out_less_or_to_stop(hostile):
    assert left_out(DEMONSTRATION, hostile) == {0}
    assert left_out(DEMONSTRATION, f"{hostile}\nprint(losses)") == set()


def test_in_a_notebook_with_too_much_code_everything_is_run():
    assert left_out(DEMONSTRATION, "x = 1\n" * 200_000) == set()


# --- the lessons


LESSONS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())


@pytest.mark.parametrize("lesson", LESSONS)
@pytest.mark.parametrize("folder", ["solutions", "lessons"])
def test_of_a_lesson_exactly_the_tagged_cells_are_left_out(root: Path, folder: str, lesson: str):
    sources = list(_merge_cells(root / "solutions" / lesson / f"{lesson}.ipynb", {}))
    notebook = nbformat.read(root / folder / lesson / f"{lesson}.ipynb", as_version=4)
    tagged = {number for number, cell in enumerate(notebook.cells) if TAG in cell.metadata.get("tags", [])}
    assert tagged
    assert skippable(notebook, sources) == tagged
