"""What students add without an effect on the result: a comment, an additional cell, an answer that says nothing."""

from __future__ import annotations

from typing import Any

COMMENTS = (
    "# my second try",
    "# checked with the example above",
    "# TODO: ask about the shapes",
    "# same result as on paper",
    "# this took me an hour",
)
UNSURE = (
    "I am not sure. It depends on the numbers, I think.",
    "It should be fine, because all the checks above passed.",
    "I would try it both ways and compare the two.",
    "Yes, but I cannot say why.",
)


def _cell(kind: str, number: int, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": f"my-own-cell-{number}", "metadata": {}, "source": source}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


PLOT = """import matplotlib.pyplot as plt

my_figure, my_axes = plt.subplots(figsize=(3, 2))
my_axes.plot([0, 1, 2, 3], [0.0, 0.5, 0.25, 0.125])
my_axes.set_title("my own plot")"""

EXTRA_CELLS = (
    _cell("code", 0, 'print("so far it runs")'),
    _cell("code", 1, PLOT),
    _cell("code", 2, "my_numbers = [1, 2, 3]\nsum(my_numbers)"),
    _cell("markdown", 3, "*My notes:* read this part again before the exam."),
)
