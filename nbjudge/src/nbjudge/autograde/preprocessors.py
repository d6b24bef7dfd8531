"""Preprocessors of autograde, except the one that executes notebooks."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor

from nbjudge.autograde.gradebook import write_scores
from nbjudge.autograde.scoring import NotebookScore
from nbjudge.cell_result import NOT_GRADED
from nbjudge.execution.context import CONTEXT, GradingContext


class StderrAsStdout(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Turns stderr into stdout after Execute: feedback still shows it, but it does not affect the grade.

    nbgrader gives a test cell zero points if it wrote anything to stderr, even a library's warning or the messages of
    a first `import tensorflow`. Only an exception should count.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                output.name = "stdout"
        return cell, resources


class Record(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Replaces nbgrader's SaveAutoGrades and AssignLatePenalties.

    Hands the notebook to the grading context, which writes its scores at the end; without a context, writes them now.
    """

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        ids = resources["nbgrader"]
        context: GradingContext | None = resources.get(CONTEXT)
        if context is not None and context.receive is not None:
            context.receive(ids["notebook"], nb)
        else:
            score = NotebookScore(ids["notebook"], nb)
            write_scores(ids["db_url"], ids["assignment"], ids["student"], [score], self.parent)
        return nb, resources


class NotRun(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader is untyped
    """Replaces Execute for a notebook that is not run: each test reports that it was not run."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        label = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and label.get("grade") and not label.get("solution"):
            sentence = "This was not run, because the notebook could not be graded."
            cell.outputs = [new_output("error", ename=NOT_GRADED, evalue=sentence, traceback=[sentence])]
        return cell, resources
