"""Correct what screen readers stumble over in rendered pages: each replacement answers one rule of axe-core."""

from __future__ import annotations

import re
from pathlib import Path

# pattern, replacement
CORRECTIONS = [
    # empty-table-header: the corner of a table, or a column that only separates
    (re.compile(r"<th\b[^>]*>\s*(<p>\s*</p>)?\s*</th>"), "<td></td>"),
    # label-content-name-mismatch: the name of a control contains its visible text
    (re.compile(r'(<summary\b[^>]*?) aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'(<button\b[^>]*search-button-field[^>]*?) aria-label="Search"'), r'\1 aria-label="Search Ctrl+K"'),
]


def correct_pages(folder: Path) -> None:
    """Apply the corrections to every page below a folder."""
    for path in sorted(folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        corrected = correct(text)
        if corrected != text:
            path.write_text(corrected, encoding="utf-8")


def correct(page: str) -> str:
    """Return the HTML of a page with the corrections applied."""
    for pattern, replacement in CORRECTIONS:
        page = pattern.sub(replacement, page)
    return page
