"""Export a graded notebook as a feedback page: bounded, without hidden tests, scripts or external resources.

Set `c.GenerateFeedback.exporter_class = "nbjudge.FeedbackExporter"` to have nbgrader use it.
The page is one file without scripts; docs/threat_model.md describes the threats it withstands.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from traitlets import Integer, default

from nbjudge.cell_result import SKIPPED
from nbjudge.feedback.math_font import font_face
from nbjudge.feedback.redaction import HiddenTests
from nbjudge.feedback.rendering import Limits, Renderer
from nbjudge.feedback.results import RESULT_MIME_TYPE, displayed_result, reason, waits
from nbjudge.nbgrader_cells import CellLabel, exercise_name
from nbjudge.text import with_code

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_UNGRADED_CELLS = 1000  # cells without points on one page
_LONGEST_SENTENCE = 1000
_COLOURS = ("default", "github-dark")  # styles of Pygments
_NO_ANSWER = "No response."  # nbgrader's own comment on a cell that was not changed
_LONG = 25  # lines, above which a cell may be higher than the frame in which it scrolls


class FeedbackExporter(Exporter):
    """Exports an autograded notebook, to which GetGrades has added scores and comments, as one HTML page."""

    output_text = Integer(20_000, min=1, help="Characters shown of one text output, one source or one error.").tag(
        config=True
    )
    outputs_per_cell = Integer(40, min=1, help="Outputs shown of one cell.").tag(config=True)
    page_html = Integer(2_000_000, min=1, help="Characters of HTML in one page, not counting images.").tag(config=True)
    page_images = Integer(3_000_000, min=0, help="Characters that the images of one page take.").tag(config=True)

    output_mimetype = "text/html"

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    def from_notebook_node(  # type: ignore[override]  # as every text exporter of nbconvert does
        self, nb: NotebookNode, resources: Any | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page and the resources that nbgrader's writer expects."""
        normalised = copy.deepcopy(nb)
        for cell in normalised.cells:
            if cell.cell_type == "code":
                cell.outputs = [_normalise_output(output) for output in cell.get("outputs", [])]
        notebook, resources = super().from_notebook_node(normalised, resources, **kwargs)
        delimiters = ClearHiddenTests(parent=self)
        HiddenTests(delimiters.begin_test_delimeter, delimiters.end_test_delimeter).remove_from(notebook)
        limits = Limits(self.output_text, self.outputs_per_cell, self.page_html, self.page_images)
        html = page(notebook, resources.get("nbgrader", {}), limits)
        # A notebook can hold unpaired surrogates, which cannot be written to a file.
        return html.encode("utf-8", "replace").decode("utf-8"), resources


def page(notebook: NotebookNode, summary: dict[str, Any], limits: Limits) -> str:
    """Return the HTML page of a notebook from which the hidden tests were removed.

    summary: {"notebook", "student", "score", "max_score", "late_penalty"}, as nbgrader's GetGrades sets them
    """
    renderer = Renderer(limits)
    demonstrations = _remove_notes(notebook)
    cells, omitted = [], 0
    for number, cell in enumerate(notebook.cells):
        if number >= _MOST_UNGRADED_CELLS and not CellLabel.of(cell).fields:
            omitted += 1
        elif cell.cell_type in ("code", "markdown"):
            cells.append(_view(cell, f"cell-{number}", renderer))
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["points"] = lambda number: f"{round(float(number or 0), 2):g}"
    environment.filters["focusable"] = _focusable
    template = environment.get_template("feedback.html")
    return template.render(
        about=summary,
        cells=cells,
        demonstrations=demonstrations,
        left_out=omitted,
        notices=notices(notebook, {cell["name"]: cell["anchor"] for cell in cells if cell["name"]}),
        # The only style sheets besides the template's own: syntax highlighting, by day and by night.
        colours={name: Markup(HtmlFormatter(style=name).get_style_defs(".highlight")) for name in _COLOURS},
        math_font=Markup(font_face("".join(_html_of(cell) for cell in cells))),
    )


def notices(notebook: NotebookNode, anchors: dict[str, str]) -> dict[str, Any]:
    """Return the grader's notices about the notebook: {"refused": HTML, "repairs": [HTML], "events": [...]}.

    anchors: {grade_id: anchor on the page}
    """
    record = notebook.metadata.get("grading")
    if not isinstance(record, dict):
        record = {}
    refusal = (record.get("refused") or {}).get("student", "")
    events = [_event(event, anchors) for event in record.get("events") or []]
    return {
        "refused": _sentence_html(refusal),
        "repairs": [_sentence_html(repair) for repair in record.get("repairs") or []],
        "events": events[:100],
    }


def _event(event: dict[str, Any], anchors: dict[str, str]) -> dict[str, Any]:
    """Return an event with its sentence as HTML, in which a test cell has the name of its exercise."""
    name = str(event.get("cell"))
    sentence = str(event.get("sentence", "")).replace(f"`{name}`", f"`{exercise_name(name)}`")
    return {"sentence": _sentence_html(sentence), "anchor": anchors.get(name, "")}


def _remove_notes(notebook: NotebookNode) -> bool:
    """Remove outputs that are for the engine; return whether demonstrations were left out.

    They are the note under each demonstration that was not run, and the points that a test cell returns.
    """
    demonstrations = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            is_test = CellLabel.of(cell).is_test
            outputs = [output for output in cell.outputs if not (is_test and _is_number(output))]
            cell.outputs = [output for output in outputs if output.get("text") != SKIPPED]
            demonstrations |= len(cell.outputs) < len(outputs)
    return demonstrations


def _is_number(output: NotebookNode) -> bool:
    """Return whether an output is a bare number, such as the points that a test cell ends with."""
    data = output.get("data", {})
    return set(data) == {"text/plain"} and re.fullmatch(r"[\d.]+", str(data["text/plain"]).strip()) is not None


def _view(cell: NotebookNode, anchor: str, renderer: Renderer) -> dict[str, Any]:
    label = CellLabel.of(cell)
    comment = label.fields.get("comment") or ""
    view: dict[str, Any] = {
        "anchor": anchor,
        "kind": cell.cell_type,
        "name": label.grade_id[:200],
        "exercise": (exercise_name(label.grade_id) if label.is_test else label.grade_id)[:200],
        "label": _caption(cell, label),
        "graded": label.is_graded,
        "waits": waits(label),
        "why": _sentence_html(reason(cell)),
        "score": label.fields.get("score"),
        "points": label.points,
        # Rendered before the cell's content, so that a student's content cannot exhaust the limits first.
        "comment": renderer.markdown(comment) if comment else "",
        "listed": bool(comment) and comment != _NO_ANSWER,
        "outputs": [],
    }
    if cell.cell_type == "markdown":
        view["body"] = renderer.markdown(cell.source, cell.get("attachments"))
    else:
        for output in cell.outputs:
            output.get("data", {}).pop(RESULT_MIME_TYPE, None)
        view |= {"body": renderer.source(cell.source), "outputs": renderer.outputs(cell.outputs)}
    return view


def _focusable(html: str) -> Markup:
    """Return the attribute for the frame of a part that may be larger: a keyboard scrolls what has the focus."""
    may_scroll = "<table" in html or 'display="block"' in html or html.count("\n") > _LONG
    return Markup(' tabindex="0"') if may_scroll else Markup()


def _html_of(view: dict[str, Any]) -> str:
    return "".join([view["comment"], view["body"], *view["outputs"]])


def _caption(cell: NotebookNode, label: CellLabel) -> str:
    if label.is_test:
        return "Test"
    if label.is_task:
        return "Task"
    if label.is_solution:
        return "Written answer" if cell.cell_type == "markdown" else "Your answer"
    return ""


def _normalise_output(output: NotebookNode) -> NotebookNode:
    """Return an output with all fields of its type, as text: a notebook file may hold anything."""
    kind = output.get("output_type")
    if kind == "stream":
        return NotebookNode(output_type=kind, name=str(output.get("name", "stdout")), text=_text(output.get("text")))
    if kind == "error":
        fields = {name: str(output.get(name, "")) for name in ("ename", "evalue")}
        return NotebookNode(output_type=kind, traceback=[_text(output.get("traceback"), "\n")], **fields)
    data = output.get("data")
    result = {name: value for name, value in displayed_result(output).items() if isinstance(value, str | bool)}
    texts: dict[str, Any] = {name: _text(content) for name, content in data.items()} if isinstance(data, dict) else {}
    texts |= {RESULT_MIME_TYPE: result} if result else {}
    return NotebookNode(output_type="display_data", data=NotebookNode(texts), metadata=NotebookNode())


def _text(content: Any, separator: str = "") -> str:
    return separator.join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _sentence_html(sentence: Any) -> Markup:
    """Return a sentence of the grader as safe HTML: it may quote a submission."""
    return with_code(str(sentence)[:_LONGEST_SENTENCE])
