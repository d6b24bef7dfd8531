"""Keep warnings, logs and progress bars from costing points.

nbgrader gives a test cell zero points when it wrote anything to stderr, be it a warning of a library or the
greeting of a first `import tensorflow`. What counts is whether the cell raised.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class StderrAsStdout(NbGraderPreprocessor):
    """Turn stderr into stdout, after Execute: feedback still shows every line, the grade no longer minds it."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                output.name = "stdout"
        return cell, resources
