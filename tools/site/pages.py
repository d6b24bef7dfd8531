"""Turn a lesson into a page: what a student gets, with the outputs that the solved lesson has."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from rnn_helpers.checks.syllabus import LESSONS, short_title
from tools.lint import Lesson
from tools.next_lesson import change_link

WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWN = {"text/html", "text/plain", "text/markdown", "text/latex", "image/png", "image/svg+xml", "image/jpeg"}
PROGRESS = "aria-label='The course, and your progress'"  # of the solved lessons, not of who reads the page
STILL = '<p class="still-of-widget">In the notebook, controls change this figure.</p>'
FURTHER_READING = "## Further reading"
COLAB = "colab"  # the folder of the notebooks for Colab on the site
IMPORTS_KERAS = "from rnn_helpers.quietly import keras"
DENSITY = 2  # image pixels per CSS pixel of the course's figures

_IMAGE = re.compile(r'<img (?P<attributes>[^>]*?)src="data:image/png;base64,(?P<data>[^"]+)"(?P<rest>[^>]*)>')


@dataclass
class Page:
    """The notebook that Sphinx renders, and the figures that it refers to: file name -> PNG."""

    notebook: NotebookNode
    figures: dict[str, bytes] = field(default_factory=dict)


def lesson_page(
    lesson: Lesson, outputs: Mapping[str, list[NotebookNode]], book: Collection[str], in_browser: str = ""
) -> Page:
    """Return the page of a lesson: the student's cells with the outputs of the solved ones.

    outputs: cell id -> what the cell of the solved lesson displays; book: the names of the lessons that have a page
    in_browser: the address of the lesson in JupyterLite, or "" if it does not run there
    """
    page = Page(nbformat.v4.new_notebook(metadata=_page_metadata()))
    title, *cells = (_with_link(cell, book) for cell in lesson.released.cells)
    page.notebook.cells = [_title_cell(title, lesson, in_browser), *(_page_cell(cell, outputs, page) for cell in cells)]
    return page


def runs_in_browser(lesson: Lesson) -> bool:
    """Return whether the lesson can be solved without TensorFlow, which does not run in a browser."""
    return not any(IMPORTS_KERAS in cell.source for cell in lesson.released.cells)


def table_of_lessons(lessons: list[Lesson]) -> str:
    """Return the table of lessons in Markdown: number and title, what students build, minutes."""
    rows = ["| lesson | you build | minutes |", "|---|---|---|"]
    for lesson in lessons:
        info = LESSONS[lesson.name]
        rows.append(f"| [{short_title(lesson.name)}](lessons/{lesson.name}.ipynb) | {info.builds} | {info.minutes} |")
    return "\n".join(rows)


def number_ranges(lessons: list[Lesson]) -> str:
    """Return the numbers of lessons in words: "00 to 07 and 15"."""
    ranges: list[list[int]] = []
    for number in sorted(int(lesson.name[:2]) for lesson in lessons):
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    words = [f"{each[0]:02}" if len(each) == 1 else f"{each[0]:02} to {each[-1]:02}" for each in ranges]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def list_of_lessons(lessons: list[Lesson]) -> str:
    """Return the entries of the table of contents."""
    return "\n".join(f"{short_title(lesson.name)} <lessons/{lesson.name}>" for lesson in lessons)


def further_reading(lessons: list[Lesson]) -> str:
    """Return one page with the references of all lessons."""
    parts = ["# Further reading", "What each lesson recommends, in the order of the course."]
    for lesson in lessons:
        for cell in lesson.released.cells:
            if cell.cell_type == "markdown" and cell.source.startswith(FURTHER_READING):
                parts += [f"## [{short_title(lesson.name)}](lessons/{lesson.name}.ipynb)", _section(cell.source)]
    return "\n\n".join(parts) + "\n"


def equations_page(text: str, lessons: list[Lesson]) -> str:
    """Return the page of equations with a link to each lesson that it names."""
    numbers = {lesson.name[:2]: lesson.name for lesson in lessons}

    def linked(row: re.Match[str]) -> str:
        name = numbers.get(row["number"])
        return f"| [{row['number']}](lessons/{name}.ipynb) |" if name else row[0]

    return re.sub(r"\| (?P<number>\d\d) \|$", linked, text, flags=re.MULTILINE)


def _section(source: str) -> str:
    """Return the text below a cell's first heading, up to its next heading."""
    body = source.partition("\n")[2]
    return re.split(r"^#+ ", body, maxsplit=1, flags=re.MULTILINE)[0].strip()


def _page_metadata() -> dict:
    return {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def _title_cell(cell: NotebookNode, lesson: Lesson, in_browser: str) -> NotebookNode:
    """Return the first cell with the lesson's duration and the way to run it below its heading."""
    heading, _, body = cell.source.partition("\n")
    source = "\n\n".join([heading, _ways_to_start(lesson, in_browser), body.strip()])
    return nbformat.v4.new_markdown_cell(source, id=cell.id)


def _ways_to_start(lesson: Lesson, in_browser: str) -> str:
    minutes = f'<span class="minutes">{LESSONS[lesson.name].minutes} minutes</span>'
    button = '<a class="start-button" href="../running.html#on-your-machine">Run on your machine</a>'
    if in_browser:
        button = f'<a class="start-button in-browser" href="{html.escape(in_browser)}">Run in the browser</a>'
    colab = f'<a href="../{COLAB}/{lesson.name}.ipynb" download>Notebook for Colab</a>'
    more = '<a href="../running.html">How to run the lessons</a>'
    return f'<p class="ways-to-start">{minutes} {button} {colab} {more}</p>'


def _page_cell(cell: NotebookNode, outputs: Mapping[str, list[NotebookNode]], page: Page) -> NotebookNode:
    if cell.cell_type != "code":
        return nbformat.v4.new_markdown_cell(cell.source, id=cell.id)
    label = cell.metadata.get("nbgrader", {})
    tags = ["your-turn"] if label.get("solution") else ["hide-output"] if label.get("grade") else []
    page_outputs = [output for each in outputs.get(cell.id, []) for output in _page_outputs(each, page)]
    return nbformat.v4.new_code_cell(cell.source, id=cell.id, outputs=page_outputs, metadata={"tags": tags})


def _with_link(cell: NotebookNode, book: Collection[str]) -> NotebookNode:
    """Return a cell whose link to the next lesson leads to its page, or is plain text if it has none."""
    source = change_link(cell.source, lambda name: f"{name}.ipynb" if name in book else "")
    return nbformat.from_dict({**cell, "source": source})


def _page_outputs(output: NotebookNode, page: Page) -> Iterator[NotebookNode]:
    """Yield the output as a page can show it; nothing for progress, warnings and logs."""
    if output.output_type == "stream":
        if output.name == "stdout":
            yield output
        return
    if output.output_type == "error":
        return
    data = dict(output.data)
    is_widget = data.pop(WIDGET, None) is not None
    data = {kind: content for kind, content in data.items() if kind in SHOWN}
    if "text/html" in data:
        if PROGRESS in data["text/html"]:
            return
        data["text/html"] = (STILL if is_widget else "") + _with_files(data["text/html"], page)
    if data:
        yield nbformat.v4.new_output("display_data", data=data)


def _with_files(text: str, page: Page) -> str:
    """Return HTML whose figures are files of the page instead of part of the text."""

    def as_file(image: re.Match[str]) -> str:
        png = base64.b64decode(image["data"])
        name = f"{hashlib.sha256(png).hexdigest()[:16]}.png"
        page.figures[name] = png
        height = int.from_bytes(png[20:24], "big") // DENSITY  # keeps the place while the figure loads
        attributes = f"{image['attributes'].strip()} {image['rest'].strip()}".strip()
        return f'<img {attributes} height="{height}" loading="lazy" src="../_static/figures/{name}">'

    return _IMAGE.sub(as_file, text)


def alternative_texts(page: Page) -> list[str]:
    """Return the alternative texts of the figures on a page."""
    return [
        html.unescape(text)
        for cell in page.notebook.cells
        for output in cell.get("outputs", [])
        for text in re.findall(r'<img [^>]*?alt="([^"]*)"', output.get("data", {}).get("text/html", ""))
    ]


def write_page(page: Page, folder: Path, figures: Path, name: str) -> None:
    """Write a page's notebook and figures."""
    folder.mkdir(parents=True, exist_ok=True)
    figures.mkdir(parents=True, exist_ok=True)
    nbformat.write(page.notebook, folder / f"{name}.ipynb")
    for file, png in page.figures.items():
        (figures / file).write_bytes(png)
