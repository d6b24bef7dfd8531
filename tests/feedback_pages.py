"""Notebooks that a page of feedback is made of: an honest one, and one in which every part attacks the reader."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib.figure
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

RUN = "window.pwned = (window.pwned || 0) + 1; document.title = 'pwned'; fetch('http://127.0.0.1:9/pwned')"
LOAD = "http://127.0.0.1:9/pwned"
ALWAYS = f'<img src=x onerror="{RUN}">'

ABOUT = {"notebook": "01_tiny", "student": "ann", "score": 3.0, "max_score": 6.0, "late_penalty": 0}

ESCAPED = f'<p style="background: \\75\\72\\6c({LOAD})">url() in another spelling</p>'
HOSTILE_HTML = [
    f"<script>{RUN}</script>",
    f"<ScRiPt >{RUN}</sCrIpT >",
    ALWAYS,
    f"<img src='{LOAD}.png'>",
    f'<svg onload="{RUN}"><script>{RUN}</script></svg>',
    f'<iframe srcdoc="<script>parent.pwned = 1</script>" src="javascript:{RUN}"></iframe>',
    f'<object data="{LOAD}"></object><embed src="{LOAD}"><applet code="{LOAD}"></applet>',
    f"<style>@import '{LOAD}.css'; body {{ background: url({LOAD}) }}</style>",
    f'<p style="background: url({LOAD}); position: fixed; inset: 0; z-index: 9">over</p>',
    ESCAPED,
    f'<link rel="stylesheet" href="{LOAD}.css"><link rel="prefetch" href="{LOAD}">',
    f'<meta http-equiv="refresh" content="0; url=javascript:{RUN}">',
    f'<base href="{LOAD}/"><a href="javascript:{RUN}" id="link">click</a>',
    f'<form action="{LOAD}"><input autofocus onfocus="{RUN}"><button formaction="javascript:{RUN}">go</button></form>',
    f'<details open ontoggle="{RUN}"><summary>more</summary></details>',
    f'<video src="{LOAD}" onerror="{RUN}" autoplay></video><audio src="x" onerror="{RUN}"></audio>',
    f'<math><mtext><table><mglyph><style><img src=x onerror="{RUN}">',
    f'<noscript><p title="</noscript><img src=x onerror={RUN!r}>"></noscript>',
    f'<a name="top" id="cell-0" href="data:text/html,<script>{RUN}</script>">data</a>',
    f'</div></section></main></body></html><script>{RUN}</script><body onload="{RUN}">',
    f'<table background="{LOAD}"><td background="{LOAD}">cell</td></table><marquee onstart="{RUN}">m</marquee>',
    f'<img srcset="{LOAD} 1x" src="data:image/svg+xml,<svg onload=1>"><picture><source srcset="{LOAD}"></picture>',
    f'<div style="animation: x" onanimationstart="{RUN}" class="score told refused">Score: 10 / 10</div>',
    f"<!--[if IE]><script>{RUN}</script><![endif]--><![CDATA[<script>{RUN}</script>]]>",
]
HOSTILE_DATA = [
    {"application/javascript": RUN, "text/plain": "js"},
    {"image/svg+xml": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{RUN}"><script>{RUN}</script></svg>'},
    {"image/png": f'"><script>{RUN}</script>'},
    {"image/jpeg": f'AAAA" onerror="{RUN}'},
    {"text/latex": rf"$\href{{javascript:{RUN}}}{{x}} \text{{{ALWAYS}}}$"},
    {"text/latex": f"$</script>{ALWAYS}$"},
    {"text/markdown": f"[x](javascript:{RUN})\n\n{ALWAYS}\n\n```mermaid\n</pre>{ALWAYS}\n```"},
    {"text/plain": f"\x1b[31m{ALWAYS}\x1b[38;2;1;2;3m<script>{RUN}</script>"},
    {"application/vnd.jupyter.widget-view+json": {"model_id": "</script>", "version_major": 2}, "text/plain": ALWAYS},
    {"application/vnd.vegalite.v5+json": {"data": {"url": LOAD}}},
    {f"application/{ALWAYS}": "x"},
]
HOSTILE_MARKDOWN = [
    *HOSTILE_HTML[:6],
    f'[click](javascript:{RUN}) ![x]({LOAD}.png) ![$x$ " onerror="{RUN}](x) <{LOAD}>',
    f"$\\text{{{ALWAYS}}}$ and $$\\href{{javascript:{RUN}}}{{x}}$$",
    f"<a title=\"\n\n$x$\n\n\" onmouseover='{RUN}'>x</a>",
    f"# Heading {ALWAYS}\n\n```html\n<script>{RUN}</script>\n```",
    "![a](attachment:a.svg) ![b](attachment:missing.png)",
]


# What pandas writes for a DataFrame.
TABLE = """<div>
<style scoped>
    .dataframe tbody tr th { vertical-align: top; }
</style>
<table border="1" class="dataframe">
  <thead><tr style="text-align: right;"><th></th><th>step</th><th>loss</th></tr></thead>
  <tbody><tr><th>0</th><td>1</td><td>0.50</td></tr><tr><th>1</th><td>2</td><td>0.25</td></tr></tbody>
</table>
</div>"""


def settings(name: str, **flags: Any) -> dict[str, Any]:
    return {"schema_version": 3, "grade_id": name, "grade": False, "solution": False, "locked": False, **flags}


def shown(data: dict[str, Any]) -> nbformat.NotebookNode:
    """Return an output as `display` leaves it; nbformat's own function would refuse some of these."""
    output = new_output("display_data")
    output["data"] = nbformat.from_dict(data)
    return output


def hostile_notebook() -> nbformat.NotebookNode:
    """Return a notebook that attacks whoever opens it: in outputs, in text, in names and in metadata."""
    outputs = [shown({"text/html": html}) for html in HOSTILE_HTML] + [shown(data) for data in HOSTILE_DATA]
    outputs += [
        new_output("stream", name="stdout", text=f"{ALWAYS}</pre><script>{RUN}</script>"),
        new_output("error", ename=ALWAYS, evalue=ALWAYS, traceback=[ALWAYS]),
    ]
    attached = {"a.svg": {"image/svg+xml": "PHN2Zz4="}, "b": {"image/png": f'"><script>{RUN}</script>'}}
    cells = [new_markdown_cell(text, attachments=attached) for text in HOSTILE_MARKDOWN]
    cells += [new_code_cell(f"</pre>{ALWAYS}<script>{RUN}</script>", outputs=[output]) for output in outputs]
    cells += [new_code_cell("x", metadata={"nbgrader": settings(f'"><script>{RUN}</script>', solution=True)})]
    metadata = {
        "title": f"</title><script>{RUN}</script>",
        "language_info": {"name": f'"><script>{RUN}</script>', "pygments_lexer": ALWAYS},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"</script>": ALWAYS}}},
        "grading": {"repairs": [ALWAYS], "events": [{"cell": ALWAYS, "what": ALWAYS, "sentence": ALWAYS}]},
    }
    return new_notebook(cells=cells, metadata=metadata)


def honest_notebook() -> nbformat.NotebookNode:
    """Return a graded notebook as this course makes them: prose, formulas, cards, a plot, a table, an error."""
    from rnn_helpers.cards import Card
    from rnn_helpers.checks.evaluator import Problem, Report

    problem = Problem("shape", "`step` returns shape (3,); expected (3, 2).")
    report = Report("rnn_step", {"shapes": True, "values": False}, {"values": problem})
    plot = shown({"image/png": png(), "text/plain": "<Figure size 400x200>"})
    hidden = "assert double(2) == 4\n### BEGIN HIDDEN TESTS\nassert double(1234) == 2468\n### END HIDDEN TESTS"
    return new_notebook(
        metadata={
            "grading": {
                "repairs": ["Two cells had the name `double`; the second was left out."],
                "events": [{"cell": "double_test", "what": "died", "sentence": "The kernel ended in `double_test`."}],
            }
        },
        cells=[
            new_markdown_cell(
                "# A simple RNN\n\nWith $h_0 = 0$ and **row vectors**:\n\n$$h_t = \\tanh(x_t W_{xh} + b_h)$$"
            ),
            new_markdown_cell(
                "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nfor x in xs:\n    print(x)\n```\n\n- [link](https://example.org)"
            ),
            new_code_cell(
                "def double(x):\n    return x + x  # twice",
                metadata={"nbgrader": settings("double", solution=True, comment="Well done, $2x$ it is.")},
            ),
            new_code_cell(
                hidden,
                outputs=[
                    shown({"text/html": Card(report)._repr_html_(), "text/plain": repr(Card(report))}),
                    new_output("error", ename="AssertionError", evalue="the second value is off", traceback=[hidden]),
                ],
                metadata={"nbgrader": settings("double_test", grade=True, locked=True, score=2.0, points=4.0)},
            ),
            new_code_cell("plot(xs)", outputs=[plot]),
            new_code_cell("table", outputs=[shown({"text/html": TABLE, "text/plain": "step loss"})]),
            new_code_cell(
                "1 / 0",
                outputs=[
                    new_output("stream", name="stdout", text="epoch 1 \x1b[32mdone\x1b[0m\n"),
                    new_output(
                        "error",
                        ename="ZeroDivisionError",
                        evalue="division by zero",
                        traceback=["\x1b[31mZeroDivisionError\x1b[39m: division by zero"],
                    ),
                    new_output("error", ename="NotGraded", evalue="This cell took longer than 120 s.", traceback=["."]),
                ],
            ),
            new_markdown_cell(
                "Because.", metadata={"nbgrader": settings("why", grade=True, solution=True, score=1, points=2)}
            ),
        ],
    )


def png(width: int = 4, height: int = 2) -> str:
    figure = matplotlib.figure.Figure(figsize=(width, height))
    figure.subplots().plot([1, 3, 2])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()
