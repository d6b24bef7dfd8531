"""Read the bytes of an untrusted notebook, and rebuild it from its usable parts.

Only the cells' types, sources, labels and attached images are kept; outputs and all other metadata are dropped, so
that nothing hidden in them is ever read again.
"""

from __future__ import annotations

import copy
import json
import math
import re
from typing import Any

import nbformat
from nbformat.v4 import new_notebook

from nbjudge.intake.file_survey import Limits
from nbjudge.intake.messages import Note, RefusedError

# Fields of each cell type; nbformat's constructors would validate each cell on its own and all of them once more.
_CELL_FIELDS: dict[str, dict[str, Any]] = {"code": {"execution_count": None, "outputs": []}, "markdown": {}, "raw": {}}
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}
_MOST_BRACKETS = 1_000_000  # each becomes a list or a dict, which takes far more memory than one byte
_LONGEST_NUMBER = 300
_TAGS_THAT_MATTER = ("raises-exception", "skip-execution")
_RESUBMIT = "Open it in JupyterLab, check that it is your work, save it and submit it again."

BYTE_ORDER_MARK = "The notebook began with a byte order mark; it was left out."
ENCODING = "The notebook was not written as UTF-8, as notebooks are; it was read as {}."
NO_NUMBERS = "NaN, infinite and endless numbers, which a notebook's file cannot hold, were left out."
TWICE = "Some fields in the notebook's file were given twice; the last one counts."
OLD_FORMAT = "The notebook was in the old format 3; it was brought to format 4."
FORMAT_NUMBERS = "The numbers of the notebook's format were missing or strange; it was read as format 4.5."
NOT_A_CELL = "Something in the list of cells was no cell; it was left out."
CELL_TYPE = "A cell had an unknown type; it was made a Markdown cell."
SOURCE = "The text of a cell was not text; what was not was left out."
CHARACTERS = "NUL characters and halves of characters in a cell's text were left out or replaced by \ufffd."
TAGS = "Tags that change how a cell runs have no effect in grading; taken off: {}."
LABEL = "A cell's nbgrader label was damaged; it was taken off."
LANGUAGE = "The notebook was set to another language than Python; it is run in Python instead of {}."
CELL_IDS = "Cell ids were missing, invalid or used twice; new ones were assigned."


def read_notebook(content: bytes, limits: Limits) -> tuple[nbformat.NotebookNode, list[Note]]:
    """Build a valid notebook of format 4.5 without outputs, and return it with notes on what was left out or changed.

    Each cell's metadata is {} or its raw nbgrader label. Raises RefusedError when the bytes are not a notebook.
    """
    notes: list[Note] = []
    tree = _parse(_decode(content, notes), notes)
    rebuilt = [_cell(cell, limits, notes) for cell in _cells(tree, limits, notes)]
    cells = [cell for cell in rebuilt if cell is not None]
    has_ids = tree.get("nbformat") == 4 and tree.get("nbformat_minor") == 5
    _assign_ids(cells, has_ids, notes)
    _note_language(tree.get("metadata"), notes)
    return new_notebook(cells=cells, metadata=copy.deepcopy(METADATA)), notes


def _decode(content: bytes, notes: list[Note]) -> str:
    if not content.strip(b" \t\r\n\0"):
        raise RefusedError(f"The notebook's file is empty. {_RESUBMIT}", f"The file is empty ({len(content)} bytes).")
    for encoding in (json.detect_encoding(content), "cp1252", "latin-1"):  # the last one accepts any byte
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    if encoding == "utf-8-sig":
        notes.append(Note(BYTE_ORDER_MARK))
    elif encoding != "utf-8":
        notes.append(Note(ENCODING, encoding))
    return text.removeprefix("\ufeff")


def _parse(text: str, notes: list[Note]) -> dict[str, Any]:
    """Parse a notebook's JSON. Raises RefusedError when that is not possible."""

    kinds: set[str] = set()  # a file can have millions of these

    def parse_constant(literal: str) -> None:
        kinds.add(NO_NUMBERS)

    def parse_float(literal: str) -> float | None:
        value = float(literal)
        if math.isfinite(value):
            return value
        kinds.add(NO_NUMBERS)
        return None

    def parse_int(literal: str) -> int | None:
        if len(literal) <= _LONGEST_NUMBER:
            return int(literal)
        kinds.add(NO_NUMBERS)
        return None

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        unique = dict(pairs)
        if len(unique) < len(pairs):
            kinds.add(TWICE)
        return unique

    brackets = text.count("[") + text.count("{")
    if brackets > _MOST_BRACKETS:
        raise RefusedError(
            "The notebook is too large to be read: clear all outputs, save it and submit it again.",
            f"The file has {brackets} brackets; expected at most {_MOST_BRACKETS}.",
        )
    try:
        tree = json.loads(
            text,
            parse_constant=parse_constant,
            parse_float=parse_float,
            parse_int=parse_int,
            object_pairs_hook=build_object,
        )
    except json.JSONDecodeError as error:
        raise RefusedError(
            f"The notebook's file is damaged: it is not the JSON that a notebook is saved as. {_RESUBMIT}",
            f"Not JSON: {error.msg} in line {error.lineno}, column {error.colno}.",
        ) from None
    except RecursionError:
        raise RefusedError(
            f"The notebook's file is damaged: its parts are nested too deeply. {_RESUBMIT}", "JSON nested too deeply."
        ) from None
    if not isinstance(tree, dict):
        raise RefusedError(
            f"The file is not a notebook. {_RESUBMIT}", f"The JSON is a {type(tree).__name__}; expected an object."
        )
    notes += [Note(sentence) for sentence in (NO_NUMBERS, TWICE) if sentence in kinds]
    return tree


def _cells(tree: dict[str, Any], limits: Limits, notes: list[Note]) -> list[Any]:
    """Return the raw cells of a notebook of format 3 or 4."""
    version = tree.get("nbformat")
    is_version = type(version) is int and 1 <= version <= 1000
    if is_version and version not in (3, 4):
        way_out = f"Save it as format 4, as JupyterLab does, and submit it again. {_RESUBMIT}"
        facts = f"nbformat is {version}; expected 3 or 4."
        raise RefusedError(f"The notebook is in format {version}, which cannot be graded. {way_out}", facts)
    worksheets = tree.get("worksheets")
    if isinstance(worksheets, list) and (version == 3 or not isinstance(tree.get("cells"), list)):
        cell_lists = [worksheet.get("cells") for worksheet in worksheets if isinstance(worksheet, dict)]
        cells = [cell for sheet_cells in cell_lists if isinstance(sheet_cells, list) for cell in sheet_cells]
        notes.append(Note(OLD_FORMAT))
    elif isinstance(tree.get("cells"), list):
        cells = tree["cells"]
        minor = tree.get("nbformat_minor")
        if version != 4 or type(minor) is not int or not 0 <= minor <= 100:
            notes.append(Note(FORMAT_NUMBERS))
    else:
        facts = f"cells is a {type(tree.get('cells')).__name__}; expected a list."
        raise RefusedError(f"The notebook has no cells that could be read. {_RESUBMIT}", facts)
    if len(cells) > limits.cells:
        raise RefusedError(
            f"The notebook has {len(cells)} cells, more than the {limits.cells} that are graded. Remove what is not "
            "needed, save it and submit it again.",
            f"{len(cells)} cells; expected at most {limits.cells}.",
        )
    return cells


def _cell(cell: Any, limits: Limits, notes: list[Note]) -> nbformat.NotebookNode | None:
    if not isinstance(cell, dict):
        notes.append(Note(NOT_A_CELL))
        return None
    cell_type, source = cell.get("cell_type"), _source(cell, notes)
    if len(source) > limits.cell_kb * 1000:
        raise RefusedError(
            f"A cell has {len(source)} characters, more than the {limits.cell_kb * 1000} that are graded. Keep large "
            "data in a file beside the notebook, save the notebook and submit it again.",
            f"A cell has {len(source)} characters; expected at most {limits.cell_kb * 1000}.",
        )
    if cell_type in ("heading", "html"):  # of format 3
        level = cell.get("level")
        cell_type = "markdown"
        source = "#" * level + " " + source if type(level) is int and 1 <= level <= 6 else source
    if not isinstance(cell_type, str) or cell_type not in _CELL_FIELDS:
        notes.append(Note(CELL_TYPE))
        cell_type = "markdown"
    cell_id = cell.get("id")
    fields = {"id": cell_id if isinstance(cell_id, str) or cell_id is None else "", "cell_type": cell_type}
    label = _label(cell.get("metadata"), notes)
    rebuilt: nbformat.NotebookNode = nbformat.from_dict(
        {**fields, "metadata": label, "source": source, **_CELL_FIELDS[cell_type]}
    )
    if cell_type == "markdown" and (pictures := _attachments(cell.get("attachments"))):
        rebuilt["attachments"] = nbformat.from_dict(pictures)
    return rebuilt


def _source(cell: dict[str, Any], notes: list[Note]) -> str:
    """Return a cell's source with Unix line ends, without characters that Python or UTF-8 cannot represent."""
    source = cell.get("source", cell.get("input", ""))
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        notes.append(Note(SOURCE))
    text = "".join(line for line in lines if isinstance(line, str))
    # Two halves of a surrogate pair in adjacent lines form one character.
    cleaned = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    if re.search("[\0\ud800-\udfff]", text):
        notes.append(Note(CHARACTERS))
    return cleaned.replace("\r\n", "\n").replace("\r", "\n")


def _label(metadata: Any, notes: list[Note]) -> dict[str, Any]:
    """Return a cell's metadata reduced to its nbgrader label, whose values are still unchecked."""
    if not isinstance(metadata, dict):
        return {}
    tags = metadata.get("tags")
    notes += [Note(TAGS, tag) for tag in _TAGS_THAT_MATTER if isinstance(tags, list) and tag in tags]
    label = metadata.get("nbgrader", {})
    if not isinstance(label, dict):
        notes.append(Note(LABEL))
        return {}
    simple = {field: value for field, value in label.items() if isinstance(value, str | int | float)}
    return {"nbgrader": simple} if simple else {}


def _attachments(attachments: Any) -> dict[str, dict[str, str]]:
    """Return the images attached to a text cell, {name: {"image/png": base64}}."""
    images: dict[str, dict[str, str]] = {}
    for name, bundle in attachments.items() if isinstance(attachments, dict) else []:
        for mime, data in bundle.items() if isinstance(bundle, dict) else []:
            lines = data if isinstance(data, list) else [data]
            is_image = mime.startswith("image/") and all(isinstance(line, str) for line in lines)
            if is_image and (text := "".join(lines)).isascii() and f"{name}{mime}".isprintable():
                images.setdefault(name, {})[mime] = text
    return images


def _note_language(metadata: Any, notes: list[Note]) -> None:
    for field, key in (("kernelspec", "language"), ("language_info", "name")):
        entry = metadata.get(field) if isinstance(metadata, dict) else None
        language = entry.get(key) if isinstance(entry, dict) else None
        if isinstance(language, str) and language.lower() not in ("", "python", "ipython", "python3"):
            notes.append(Note(LANGUAGE, language))


def _assign_ids(cells: list[nbformat.NotebookNode], expected: bool, notes: list[Note]) -> None:
    """Keep the valid ids of cells, and assign deterministic new ids to the others."""
    used_ids: set[str] = set()
    for number, cell in enumerate(cells):
        if (
            not isinstance(cell["id"], str)
            or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell["id"])
            or cell["id"] in used_ids
        ):
            if expected or cell["id"] is not None:
                notes.append(Note(CELL_IDS))
            cell["id"] = f"cell-{number}"
            while cell["id"] in used_ids:
                cell["id"] += "x"
        used_ids.add(cell["id"])
