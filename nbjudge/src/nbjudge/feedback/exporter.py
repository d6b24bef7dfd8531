"""The feedback page of a graded notebook, fit to hand out: no hidden test, nothing that runs or loads, bounded.

Set `c.GenerateFeedback.exporter_class = "nbjudge.feedback.exporter.FeedbackExporter"` to have nbgrader use it.
The page is one file without a script; docs/threat_model.md says what it keeps out.
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

from nbjudge.feedback.redaction import HiddenTests
from nbjudge.feedback.rendering import Limits, Renderer
from nbjudge.nbgrader_cells import CellLabel
from nbjudge.text import with_code

TEMPLATES = Path(__file__).parent / "templates"
MOST_CELLS = 1000  # cells that carry no points; a page of a hundred thousand empty ones helps nobody
LONGEST_SENTENCE = 1000


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

    def from_notebook_node(  # type: ignore[override]  # every exporter of nbconvert that writes text does this
        self, nb: NotebookNode, resources: Any | None = None, **kwargs: Any
    ) -> tuple[str, dict[str, Any]]:
        """Return the page, and the resources that nbgrader's writer expects."""
        whole = copy.deepcopy(nb)
        for cell in whole.cells:
            if cell.cell_type == "code":
                cell.outputs = [_whole(output) for output in cell.get("outputs", [])]
        notebook, resources = super().from_notebook_node(whole, resources, **kwargs)
        delimiters = ClearHiddenTests(parent=self)
        HiddenTests(delimiters.begin_test_delimeter, delimiters.end_test_delimeter).remove_from(notebook)
        limits = Limits(self.output_text, self.outputs_per_cell, self.page_html, self.page_images)
        html = page(notebook, resources.get("nbgrader", {}), limits)
        # Half a character, which a notebook can hold, cannot be written to a file.
        return html.encode("utf-8", "replace").decode("utf-8"), resources


def page(notebook: NotebookNode, about: dict[str, Any], limits: Limits) -> str:
    """Return the HTML page of a notebook whose hidden tests are gone.

    about: {"notebook", "student", "score", "max_score", "late_penalty"}, as nbgrader's GetGrades leaves them
    """
    renderer = Renderer(limits)
    cells, left_out = [], 0
    for number, cell in enumerate(notebook.cells):
        if number >= MOST_CELLS and not CellLabel.of(cell).fields:
            left_out += 1
        elif cell.cell_type in ("code", "markdown"):
            cells.append(_view(cell, f"cell-{number}", renderer))
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["points"] = lambda number: f"{round(float(number or 0), 2):g}"
    template = environment.get_template("feedback.html")
    return template.render(
        about=about,
        cells=cells,
        left_out=left_out,
        notices=notices(notebook, {cell["name"]: cell["anchor"] for cell in cells if cell["name"]}),
        # The one style sheet besides the template's own: colours of the code.
        colours=Markup(HtmlFormatter(style="default").get_style_defs(".highlight")),
    )


def notices(notebook: NotebookNode, anchors: dict[str, str]) -> dict[str, Any]:
    """Return what the grading has to say about the notebook: {"refused": HTML, "repairs": [HTML], "events": [...]}.

    anchors: {grade_id: anchor in the page}
    """
    told = notebook.metadata.get("grading")
    if not isinstance(told, dict):
        told = {}
    refused = (told.get("refused") or {}).get("student", "")
    events = [
        {"sentence": _sentence(event.get("sentence", "")), "anchor": anchors.get(str(event.get("cell")), "")}
        for event in told.get("events") or []
    ]
    return {
        "refused": _sentence(refused),
        "repairs": [_sentence(repair) for repair in told.get("repairs") or []],
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
        # Before the cell's own content, so that no student's content can use up the room for it.
        "comment": renderer.markdown(comment) if comment else "",
        "outputs": [],
    }
    if cell.cell_type == "markdown":
        return {**view, "body": renderer.markdown(cell.source, cell.get("attachments"))}
    return {**view, "body": renderer.source(cell.source), "outputs": renderer.outputs(cell.outputs)}


def _caption(cell: NotebookNode, label: CellLabel) -> str:
    if label.is_test:
        return "Test"
    if label.is_task:
        return "Task"
    if label.is_solution:
        return "Written answer" if cell.cell_type == "markdown" else "Your answer"
    return ""


def _whole(output: NotebookNode) -> NotebookNode:
    """Return an output that has all that its type has, as text: a notebook file can hold anything."""
    kind = output.get("output_type")
    if kind == "stream":
        return NotebookNode(output_type=kind, name=str(output.get("name", "stdout")), text=_text(output.get("text")))
    if kind == "error":
        named = {name: str(output.get(name, "")) for name in ("ename", "evalue")}
        return NotebookNode(output_type=kind, traceback=[_text(output.get("traceback"), "\n")], **named)
    data = output.get("data")
    texts = {name: _text(content) for name, content in data.items()} if isinstance(data, dict) else {}
    return NotebookNode(output_type="display_data", data=NotebookNode(texts), metadata=NotebookNode())


def _text(content: Any, between: str = "") -> str:
    return between.join(map(str, content)) if isinstance(content, list) else "" if content is None else str(content)


def _sentence(sentence: Any) -> Markup:
    """Return a sentence of the grader, which may quote a submission, as HTML."""
    return with_code(str(sentence)[:LONGEST_SENTENCE])
