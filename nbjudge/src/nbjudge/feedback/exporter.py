"""Export a graded notebook as a feedback page: bounded, without hidden tests, scripts or external resources.

Set `c.GenerateFeedback.exporter_class = "nbjudge.FeedbackExporter"` to have nbgrader use it.
The page is one file without scripts; docs/threat_model.md describes the threats it withstands.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert.exporters import Exporter
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from traitlets import Integer, default

from nbjudge.feedback.math_font import font_face
from nbjudge.feedback.redaction import HiddenTests
from nbjudge.feedback.rendering import Limits, Renderer
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.text import with_code

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_UNGRADED_CELLS = 1000  # cells without points on one page
_LONGEST_SENTENCE = 1000


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
    template = environment.get_template("feedback.html")
    return template.render(
        about=summary,
        cells=cells,
        left_out=omitted,
        notices=notices(notebook, {cell["name"]: cell["anchor"] for cell in cells if cell["name"]}),
        # The only style sheet besides the template's own: syntax highlighting.
        colours=Markup(HtmlFormatter(style="default").get_style_defs(".highlight")),
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
    events = [
        {"sentence": _sentence_html(event.get("sentence", "")), "anchor": anchors.get(str(event.get("cell")), "")}
        for event in record.get("events") or []
    ]
    return {
        "refused": _sentence_html(refusal),
        "repairs": [_sentence_html(repair) for repair in record.get("repairs") or []],
        "events": events[:100],
    }


def _view(cell: NotebookNode, anchor: str, renderer: Renderer) -> dict[str, Any]:
    label = CellLabel.of(cell)
    comment = label.fields.get("comment") or ""
    view: dict[str, Any] = {
        "anchor": anchor,
        "kind": cell.cell_type,
        "name": label.grade_id[:200],
        "label": _caption(cell, label),
        "graded": label.is_graded,
        "score": label.fields.get("score"),
        "points": label.fields.get("points"),
        # Rendered before the cell's content, so that a student's content cannot exhaust the limits first.
        "comment": renderer.markdown(comment) if comment else "",
        "outputs": [],
    }
    if cell.cell_type == "markdown":
        return {**view, "body": renderer.markdown(cell.source, cell.get("attachments"))}
    return {**view, "body": renderer.source(cell.source), "outputs": renderer.outputs(cell.outputs)}


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
    texts = {name: _text(content) for name, content in data.items()} if isinstance(data, dict) else {}
    return NotebookNode(output_type="display_data", data=NotebookNode(texts), metadata=NotebookNode())


def _text(content: Any, separator: str = "") -> str:
    return separator.join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _sentence_html(sentence: Any) -> Markup:
    """Return a sentence of the grader as safe HTML: it may quote a submission."""
    return with_code(str(sentence)[:_LONGEST_SENTENCE])
