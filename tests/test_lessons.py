"""Each lesson runs whole, says nothing on stderr, and describes its pictures; the stubs stop it kindly."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from lesson_code import LESSONS, notebook
from nbclient import NotebookClient
from tiers import NIGHT

COLUMNS = 88
WORDS_IN_A_CELL = 130  # style asks for 20 to 60; this holds the outliers


# Runs in the kernel. As many epochs as ever, for curves that expect them, but each of a single batch, and of a dataset:
# `fit` makes several iterators in each epoch, which takes 40 ms for arrays.
SHORTEN = """
def _shorten(training):
    import functools, sys
    if not (keras := sys.modules.get("keras")):
        return
    from tensorflow.data import Dataset
    fit = getattr(keras.Model.fit, "__wrapped__", keras.Model.fit)

    def one_batch(data, size):
        if isinstance(data, Dataset):
            return data.take(1).cache()
        parts = tuple(tuple(part) if isinstance(part, list) else part for part in data if part is not None)
        return Dataset.from_tensors(keras.tree.map_structure(lambda array: array[:size], parts))

    @functools.wraps(fit)
    def on_one_batch(self, x, y=None, *, batch_size=32, sample_weight=None, validation_data=None, **options):
        data = x if isinstance(x, Dataset) else (x, y, sample_weight)
        valid = None if validation_data is None else one_batch(validation_data, 1000)
        return fit(self, one_batch(data, batch_size), validation_data=valid, **options | {"shuffle": False})

    keras.Model.fit = on_one_batch if training else fit
"""


def run(nb: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options) -> nbformat.NotebookNode:
    """Execute a built notebook in a kernel of its own, far from the repository, and return it."""
    monkeypatch.setenv("RNN_COURSE_PROGRESS", str(tmp_path / "progress.txt"))
    NotebookClient(nb, timeout=120, resources={"metadata": {"path": str(tmp_path)}}, **options).execute()
    return nb


def shortened(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook with demonstrations that train Keras models on one batch; nothing graded depends on them."""
    code = nbformat.v4.new_code_cell
    cells = [code(SHORTEN)]
    for cell in nb.cells:
        is_demonstration = "demonstration" in cell.metadata.get("tags", [])
        cells += [code("_shorten(True)"), cell, code("_shorten(False)")] if is_demonstration else [cell]
    nb.cells = cells
    return nb


def outputs(executed: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]


def is_graded(cell: nbformat.NotebookNode) -> bool:
    return cell.metadata.get("nbgrader", {}).get("grade", False)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_solution_runs_whole_and_quietly(lesson: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solution = notebook("solutions", lesson)
    # A second time, as for somebody who goes back; by day without the checks, many of which train a model.
    solution.cells += [cell for cell in notebook("solutions", lesson).cells if NIGHT or not is_graded(cell)]
    executed = run(solution if NIGHT else shortened(solution), tmp_path, monkeypatch)
    assert [output.text for output in outputs(executed) if output.get("name") == "stderr"] == []
    pages = [output.data.get("text/html", "") for output in outputs(executed) if "data" in output]
    pictures = re.findall("<img [^>]*>", "".join(pages))
    assert pictures
    assert all(re.search('alt="[^"]{20,}"', picture) for picture in pictures)
    assert [o for o in outputs(executed) if "image/png" in o.get("data", {})] == []  # a figure without words


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_blank_lesson_stops_at_its_first_stub_and_each_check_says_not_solved_yet(
    lesson: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = notebook("lessons", lesson)
    executed = run(blank if NIGHT else shortened(blank), tmp_path, monkeypatch, allow_errors=True)
    first, *_ = [output for output in outputs(executed) if output.output_type == "error"]
    assert first.ename == "NotImplementedError"
    tests = [cell for cell in executed.cells if cell.cell_type == "code" and is_graded(cell)]
    assert tests
    for cell in tests:
        *_, card = cell.outputs  # before it, the notice of a check that trains
        assert "not solved yet" in card.data["text/html"]
        assert "error" not in {output.output_type for output in cell.outputs}  # it would be a red bar


@pytest.mark.slow
def test_to_nbgraders_validate_an_empty_stub_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    stub = "def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=None):\n    raise NotImplementedError()"
    (error,) = errors_of(["from rnn_helpers import check", stub, "check(rnn_step)"], tmp_path)
    assert error.ename == "CheckFailed"
    assert error.traceback == ["CheckFailed: rnn_step is not solved yet"]


def errors_of(cells: list[str], tmp_path: Path) -> list[nbformat.NotebookNode]:
    """Run code cells in a kernel and return the errors they end in."""
    scratch = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(scratch, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    return [output for output in outputs(scratch) if output.output_type == "error"]


@pytest.mark.slow
def test_an_error_that_every_learner_meets_is_one_sentence(tmp_path: Path) -> None:
    begin = "from rnn_helpers import check"
    too_early, empty, other = errors_of(
        [begin, "check(rnn_step)", "def f():\n    raise NotImplementedError()\nf()", "nowhere + 1"], tmp_path
    )
    assert "rnn_step is not defined yet. Run the cell" in " ".join(too_early.traceback)
    assert "A cell above is still waiting for your code" in " ".join(empty.traceback)
    assert "name 'nowhere' is not defined" in " ".join(other.traceback)
    assert [len(error.traceback) <= 3 for error in (too_early, empty, other)] == [True, True, False]


@pytest.mark.parametrize("lesson", LESSONS)
def test_prose_comes_in_pieces(lesson: str) -> None:
    for cell in notebook("lessons", lesson).cells:
        if cell.cell_type == "markdown":
            prose = [line for line in cell.source.splitlines() if not line.startswith("|")]
            assert len(" ".join(prose).split()) <= WORDS_IN_A_CELL, cell.source


@pytest.mark.parametrize("lesson", LESSONS)
def test_code_fits_beside_the_text(lesson: str) -> None:
    for cell in notebook("solutions", lesson).cells:
        if cell.cell_type == "code":
            assert [line for line in cell.source.splitlines() if len(line) > COLUMNS] == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_begins_with_what_for_and_ends_with_three_lines(lesson: str) -> None:
    first, *_, last = notebook("lessons", lesson).cells
    for word in ("# ", "After this lesson you can", "Time", "You need"):
        assert word in first.source
    assert len(re.findall("^- ", last.source, re.MULTILINE)) == 3


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_words_never_talk_down(lesson: str) -> None:
    text = " ".join(cell.source for cell in notebook("lessons", lesson).cells if cell.cell_type == "markdown").lower()
    assert not re.findall(r"\b(simply|obviously|trivial\w*)\b", text)
