"""The website: pages show what a student gets, with figures, and nothing of the solutions or the hidden tests."""

from __future__ import annotations

import base64
import html
import json
import re
import zipfile
from pathlib import Path

import nbformat
import pytest
from lesson_code import LESSONS, ROOT

from rnn_helpers.checks import syllabus
from tools.lint import Lesson, answers, read_lessons
from tools.site import accessibility, execution, leaks, pages
from tools.site.builder import build_site
from tools.site.execution import ExecutionError, OutputCache

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (200).to_bytes(4, "big") + (100).to_bytes(4, "big")
FIGURE = f'<img width="100" alt="A &quot;curve&quot;" src="data:image/png;base64,{base64.b64encode(PNG).decode()}">'


@pytest.fixture(scope="module")
def lessons() -> dict[str, Lesson]:
    return {lesson.name: lesson for lesson in read_lessons(ROOT)}


@pytest.fixture(scope="module")
def secrets(lessons) -> dict[str, str]:
    return leaks.secret_lines(lessons.values())


def display(**data: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={kind.replace("_", "/", 1): text for kind, text in data.items()})


def page_with(lesson: Lesson, *outputs: nbformat.NotebookNode) -> pages.Page:
    """Return the page of a lesson whose first code cell has these outputs."""
    first = next(cell for cell in lesson.released.cells if cell.cell_type == "code")
    return pages.lesson_page(lesson, {first.id: list(outputs)}, [])


def shown(page: pages.Page) -> list[nbformat.NotebookNode]:
    return [output for cell in page.notebook.cells for output in cell.get("outputs", [])]


# Pages


@pytest.mark.parametrize("name", LESSONS)
def test_a_page_has_the_students_cells_and_no_line_of_a_solution(lessons, secrets, name):
    lesson = lessons[name]
    page = pages.lesson_page(lesson, {}, LESSONS)
    code = [cell.source for cell in page.notebook.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in lesson.released.cells if cell.cell_type == "code"]
    assert any("raise NotImplementedError()" in source for source in code)
    text = leaks.squeezed("\n".join(cell.source for cell in page.notebook.cells))
    assert [line for line in secrets if line in text] == []


def test_exercises_stand_out_and_the_cards_of_right_answers_are_folded(lessons):
    page = pages.lesson_page(lessons["01_recurrence"], {}, [])
    tags = {cell.id: cell.metadata.get("tags") for cell in page.notebook.cells}
    assert tags["rnn_step"] == ["your-turn"]
    assert tags["rnn_step_test"] == ["hide-output"]


def test_the_top_of_a_page_tells_the_minutes(lessons):
    first = pages.lesson_page(lessons["01_recurrence"], {}, []).notebook.cells[0].source
    assert first.startswith("# 01 · The recurrence")
    assert f"{syllabus.LESSONS['01_recurrence'].minutes} minutes" in first


def test_a_page_starts_its_lesson_in_the_browser_where_it_runs_there(lessons):
    first = pages.lesson_page(lessons["01_recurrence"], {}, [], "../browser/lab/index.html?path=a").notebook.cells[0]
    assert (
        '<a class="start-button in-browser" href="../browser/lab/index.html?path=a">Run in the browser</a>'
        in first.source
    )
    other = pages.lesson_page(lessons["08_keras"], {}, []).notebook.cells[0]
    assert '<a class="start-button" href="../running.html#on-your-machine">Run on your machine</a>' in other.source


def test_a_figure_becomes_a_file_and_keeps_its_alternative_text_and_its_place(lessons):
    page = page_with(lessons["01_recurrence"], display(text_html=FIGURE))
    assert list(page.figures.values()) == [PNG]
    assert pages.alternative_texts(page) == ['A "curve"']
    (output,) = shown(page)
    (name,) = page.figures
    assert f'src="../_static/figures/{name}"' in output.data["text/html"]
    assert 'width="100" alt="A &quot;curve&quot;" height="50" loading="lazy"' in output.data["text/html"]
    assert "base64" not in output.data["text/html"]


def test_a_slider_becomes_the_figure_that_stands_in_for_it(lessons):
    widget = nbformat.v4.new_output(
        "display_data", data={pages.WIDGET: {"model_id": "1"}, "text/html": FIGURE, "text/plain": "[picture]"}
    )
    (output,) = shown(page_with(lessons["01_recurrence"], widget))
    assert set(output.data) == {"text/html", "text/plain"}
    assert output.data["text/html"].startswith(pages.STILL)


def test_progress_warnings_and_data_for_reports_are_not_shown(lessons):
    progress = display(text_html=f"<table {pages.PROGRESS}></table>", text_plain="01 rnn_step")
    warning = nbformat.v4.new_output("stream", name="stderr", text="careful")
    printed = nbformat.v4.new_output("stream", name="stdout", text="0.5")
    card = nbformat.v4.new_output(
        "display_data", data={"text/html": "<div></div>", "application/vnd.nbjudge.result+json": {"solved": True}}
    )
    first, second = shown(page_with(lessons["01_recurrence"], progress, warning, printed, card))
    assert first.text == "0.5"
    assert dict(second.data) == {"text/html": "<div></div>"}


def test_each_lesson_links_to_the_next_where_the_book_has_it(lessons):
    last = pages.lesson_page(lessons["01_recurrence"], {}, LESSONS).notebook.cells[-1].source
    assert "*Next: [02 · Unrolling](02_unrolling.ipynb).*" in last
    alone = pages.lesson_page(lessons["01_recurrence"], {}, ["01_recurrence"]).notebook.cells[-1].source
    assert "*Next: 02 · Unrolling.*" in alone


def test_every_lesson_but_the_last_points_to_the_next(lessons):
    for name, following in zip(LESSONS, LESSONS[1:], strict=False):
        last = pages.lesson_page(lessons[name], {}, LESSONS).notebook.cells[-1].source
        assert f"]({following}.ipynb)" in last


def test_the_equations_link_to_the_lessons_of_the_book(lessons):
    page = pages.equations_page("| a | b | c | 01 |\n| a | b | c | 15 |\n", [lessons["01_recurrence"]])
    assert page == "| a | b | c | [01](lessons/01_recurrence.ipynb) |\n| a | b | c | 15 |\n"


def test_the_lists_name_every_lesson(lessons):
    everything = list(lessons.values())
    for text in (pages.table_of_lessons(everything), pages.list_of_lessons(everything)):
        assert [name for name in LESSONS if f"lessons/{name}" not in text] == []


def test_references_are_collected_from_the_lessons(lessons):
    page = pages.further_reading([lessons["01_recurrence"]])
    assert "## [01 · The recurrence](lessons/01_recurrence.ipynb)" in page
    assert 'J. L. Elman, "Finding structure in time" (1990)' in page
    assert "In three lines" not in page


def test_lessons_that_import_keras_do_not_run_in_a_browser(lessons):
    in_browser = [name[:2] for name, lesson in lessons.items() if pages.runs_in_browser(lesson)]
    assert in_browser == ["00", "01", "02", "03", "04", "05", "06", "07", "15"]


# Execution


def test_outputs_are_computed_once_for_each_content(lessons, tmp_path, monkeypatch):
    runs = []
    output = nbformat.v4.new_output("stream", name="stdout", text="1")

    def run(notebook, _root, name):
        runs.append(name)
        assert not [cell for cell in notebook.cells if "autograde_tests" in cell.source], "hidden tests are not run"
        return {"cell": [output]}

    monkeypatch.setattr(execution, "execute", run)
    lesson = lessons["01_recurrence"]
    for _ in range(2):
        cache = OutputCache(ROOT, tmp_path)
        assert cache.outputs(lesson) == {"cell": [output]}
        assert cache.is_cached(lesson)
    assert runs == ["01_recurrence"]

    changed = nbformat.from_dict(json.loads(json.dumps(lesson.released)))
    changed.cells[-1].cell_type = "code"
    other = Lesson(lesson.name, lesson.path, lesson.solution, changed)
    cache.outputs(other)
    assert len(runs) == 2
    assert len(list(tmp_path.iterdir())) == 1, "outputs of the former content are deleted"


@pytest.mark.slow  # starts a kernel
def test_a_cell_that_fails_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(source, id=name) for name, source in {"fine": "1", "bad": "1 / 0"}.items()
    ]
    with pytest.raises(ExecutionError, match=r"source/01_tiny\.py, cell bad of the solved lesson raises ZeroDivision"):
        execution.execute(notebook, tmp_path, "01_tiny")


# Leaks


@pytest.fixture
def leak(lessons) -> str:
    """One line of a solution."""
    (cell,) = [cell for cell in lessons["01_recurrence"].solution.cells if cell.id == "rnn_step"]
    (region,) = answers(cell)
    return region.strip()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("page.html", lambda line: f"<p>{html.escape(line)}</p>"),
        ("code.html", lambda line: re.sub(r"(\w+)", r'<span class="n">\1</span>', html.escape(line))),
        ("search.js", lambda line: f"Search.setIndex({json.dumps({'text': line})})"),
        ("lesson.ipynb", lambda line: json.dumps({"source": [f"    {line}\n", "pass"]})),
        ("any.txt", lambda line: line.replace(" ", "\t")),
    ],
)
def test_a_line_of_a_solution_is_found_however_it_is_written(tmp_path, secrets, leak, name, write):
    leaks.require_no_leak(tmp_path, secrets)
    (tmp_path / name).write_text(write(leak), encoding="utf-8")
    with pytest.raises(leaks.LeakError, match=rf"{name} contains .*01_recurrence, cell rnn_step"):
        leaks.require_no_leak(tmp_path, secrets)


def test_hidden_tests_are_found_in_archives_too(tmp_path, secrets):
    with zipfile.ZipFile(tmp_path / "helpers.whl", "w") as archive:
        archive.writestr("tests.py", "from autograde_tests import grade")
    with pytest.raises(leaks.LeakError, match=r"helpers\.whl/tests\.py contains"):
        leaks.require_no_leak(tmp_path, secrets)


# Accessibility


def test_empty_headers_and_labels_that_hide_the_visible_text_are_corrected():
    page = (
        '<th class="head"><p></p></th><th class="head"><p>shape</p></th><summary aria-label="Toggle hidden content">'
        '<button type="button" class="btn search-button-field" title="Search" aria-label="Search">'
    )
    assert accessibility.correct(page) == (
        '<td></td><th class="head"><p>shape</p></th><summary>'
        '<button type="button" class="btn search-button-field" title="Search" aria-label="Search Ctrl+K">'
    )


# The whole book


@pytest.fixture(scope="module")
def book(tmp_path_factory, lessons) -> Path:
    """A site of three lessons."""
    folder = tmp_path_factory.mktemp("site")
    chosen = [lessons[name] for name in ("00_start_here", "01_recurrence", "02_unrolling")]
    build_site(ROOT, chosen, folder / "build", folder / "site", book_only=True)
    return folder / "site"


@pytest.mark.slow  # executes three lessons and runs Sphinx
def test_the_book_has_its_pages_figures_and_ways_from_page_to_page(book):
    for name in ("index", "equations", "further_reading", "running", "search", "lessons/02_unrolling"):
        assert (book / f"{name}.html").exists()
    page = (book / "lessons/01_recurrence.html").read_text(encoding="utf-8")
    assert 'class="left-prev"' in page
    assert 'href="00_start_here.html"' in page
    assert 'class="right-next"' in page
    assert 'href="02_unrolling.html"' in page
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) > 8
    for image in images:
        assert re.search(r'alt="[^"]{20,}"', image), image
        assert (book / "lessons" / re.search(r'src="([^"]+)"', image)[1]).resolve().exists()
    assert "mathjax" in page
    assert "aria-label='rnn_step: passed'" in page


@pytest.mark.slow  # see above
def test_each_page_offers_a_notebook_for_colab(book, lessons):
    page = (book / "lessons/01_recurrence.html").read_text(encoding="utf-8")
    assert 'href="../colab/01_recurrence.ipynb"' in page
    notebook = nbformat.read(book / "colab/01_recurrence.ipynb", as_version=4)
    assert notebook.cells[1].source.startswith('%pip install --quiet "rnn-course~=')
    *cells, _ = lessons["01_recurrence"].released.cells  # the last one has a link, which leads nowhere in Colab
    assert [notebook.cells[0], *notebook.cells[2:-1]] == cells


@pytest.mark.slow  # see above
def test_no_file_of_the_book_holds_a_line_of_a_solution_or_a_hidden_test(book, secrets):
    leaks.require_no_leak(book, secrets)
    for path in book.rglob("*"):
        if path.suffix in {".html", ".js", ".json", ".txt"}:
            text = path.read_text(encoding="utf-8")
            assert "autograde_tests" not in text
            assert "HIDDEN TESTS" not in text
    assert 'raise</span> <span class="ne">NotImplementedError' in (book / "lessons/01_recurrence.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.slow  # see above
def test_the_address_of_every_script_is_on_the_site_or_on_the_one_public_host(book):
    for path in book.rglob("*.html"):
        for address in re.findall(
            r'<(?:script|link|img)\b[^>]*?(?:src|href)="(https?://[^"]+)"', path.read_text("utf-8")
        ):
            assert address.startswith("https://cdn.jsdelivr.net/npm/mathjax@"), f"{path.name}: {address}"
