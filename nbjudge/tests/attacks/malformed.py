"""Files that are no notebook, or an odd one. Answers are right where they can be found: what matters is that the class
is graded, and that nobody gets more than full marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .corpus import Attack, honest
from .course import LESSON, POINTS, RIGHT

Notebook = dict[str, Any]
BOM = b"\xef\xbb\xbf"


def odd(name: str, **how: Any) -> Attack:
    """Return a submission that may get anything up to full marks."""
    return Attack(name, dict(RIGHT), most=POINTS, **how)


def repaired(name: str, **how: Any) -> Attack:
    """Return a submission whose oddity should not cost a point."""
    return honest(name, **how)


def lost(name: str, **how: Any) -> Attack:
    """Return a submission in which no answer can be found."""
    return Attack(name, dict(RIGHT), **how)


def changed(**fields: object) -> Callable[[Notebook], None]:
    return lambda notebook: notebook.update(fields)


def every_cell(change: Callable[[dict], object]) -> Callable[[Notebook], None]:
    def edit(notebook: Notebook) -> None:
        for cell in notebook["cells"]:
            change(cell)

    return edit


def twice(place: int) -> Callable[[Notebook], None]:
    return lambda notebook: notebook["cells"].insert(place, json.loads(json.dumps(notebook["cells"][place])))


def version_3(notebook: Notebook) -> None:
    cells = notebook.pop("cells")
    for cell in cells:
        cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell.pop("execution_count", None)
            cell.update(input=cell.pop("source"), language="python", collapsed=False)
    notebook.update(nbformat=3, nbformat_minor=0, worksheets=[{"cells": cells, "metadata": {}}])


def schema(number: object) -> Callable[[Notebook], None]:
    return every_cell(lambda cell: cell["metadata"].get("nbgrader", {}).update(schema_version=number))


def renamed(folder: Any, _course: Any) -> None:
    (folder / f"{LESSON}.ipynb").rename(folder / f"{LESSON} (1).ipynb")


def removed(folder: Any, _course: Any) -> None:
    (folder / f"{LESSON}.ipynb").unlink()


def a_folder(folder: Any, _course: Any) -> None:
    removed(folder, _course)
    (folder / f"{LESSON}.ipynb").mkdir()


ATTACKS = [
    lost("empty file", raw=lambda raw: b""),
    lost("not JSON", raw=lambda raw: b"dear grader"),
    lost("half a file", raw=lambda raw: raw[: len(raw) // 3]),
    lost("a list", raw=lambda raw: b"[]"),
    lost("null", raw=lambda raw: b"null"),
    lost("binary", raw=lambda raw: bytes(range(256)) * 40),
    lost("deeply nested", raw=lambda raw: b"[" * 100_000 + b"]" * 100_000),
    lost("long number", raw=lambda raw: b'{"nbformat": ' + b"9" * 100_000 + b"}"),
    lost("zip", raw=lambda raw: b"PK\x03\x04" + bytes(100)),
    lost("no notebook", folder=removed),
    lost("a folder in its place", folder=a_folder),
    lost("huge file", raw=lambda raw: raw + b" " * (120 << 20)),
    lost("cells missing", edit=lambda notebook: notebook.pop("cells")),
    lost("cells a number", edit=changed(cells=4)),
    repaired("byte order mark", raw=lambda raw: BOM + raw),
    repaired("windows line ends", raw=lambda raw: raw.replace(b"\n", b"\r\n")),
    repaired("other name", folder=renamed),
    repaired("heading twice", edit=twice(0)),
    repaired("ids the same", edit=every_cell(lambda cell: cell.update(id="same"))),
    repaired("no ids", edit=every_cell(lambda cell: cell.pop("id"))),
    repaired("old minor version", edit=changed(nbformat_minor=2)),
    repaired("answer twice", edit=twice(3)),
    repaired("no language", edit=lambda notebook: notebook.update(metadata={})),
    odd("UTF-16", raw=lambda raw: raw.decode().encode("utf-16")),
    odd("latin-1", raw=lambda raw: raw.replace(b"Measuring", "Größe".encode("latin-1"))),
    odd("version 3", edit=version_3),
    odd("future version", edit=changed(nbformat=5)),
    odd("future minor version", edit=changed(nbformat_minor=99)),
    odd("version as text", edit=changed(nbformat="4")),
    odd("old schema", edit=schema(1)),
    odd("schema 2", edit=schema(2)),
    odd("future schema", edit=schema(99)),
    odd("schema as text", edit=schema("three")),
    odd("test twice", edit=twice(4)),
    odd("NaN in JSON", raw=lambda raw: raw.replace(b'"nbformat": 4', b'"nbformat": 4, "x": NaN')),
    odd("keys twice", raw=lambda raw: raw.replace(b'"cells":', b'"cells": [], "cells":', 1)),
    odd("sources a list of numbers", edit=every_cell(lambda cell: cell.update(source=[1, 2]))),
    odd("source null", edit=lambda notebook: notebook["cells"][1].update(source=None)),
    odd("metadata a list", edit=lambda notebook: notebook["cells"][1].update(metadata=[])),
    odd("nbgrader a text", edit=lambda notebook: notebook["cells"][1]["metadata"].update(nbgrader="x")),
    odd("grade id a list", edit=lambda notebook: notebook["cells"][3]["metadata"]["nbgrader"].update(grade_id=["x"])),
    odd("outputs broken", edit=lambda notebook: notebook["cells"][1].update(outputs=[{"output_type": "x"}])),
    odd("surrogates", edit=lambda notebook: notebook["cells"][0].update(source="\ud800")),
    odd("zero bytes", edit=lambda notebook: notebook["cells"][1].update(source="x = '\x00'")),
    odd(
        "many cells",
        edit=lambda notebook: notebook["cells"].extend(
            {"cell_type": "code", "id": f"n{n}", "metadata": {}, "source": "", "outputs": [], "execution_count": None}
            for n in range(20_000)
        ),
    ),
    odd(
        "cell of unknown type",
        edit=lambda notebook: notebook["cells"].append(
            {"cell_type": "heading", "id": "h", "metadata": {}, "source": "x", "level": 1}
        ),
    ),
    odd("id as path", edit=lambda notebook: notebook["cells"][1].update(id="../../x")),
    odd(
        "large output",
        edit=lambda notebook: notebook["cells"][1].update(
            outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * (20 << 20)}]
        ),
    ),
    odd(
        "huge attachment",
        edit=lambda notebook: notebook["cells"][0].update(attachments={"a.png": {"image/png": "A" * (5 << 20)}}),
    ),
]
