"""Prepare the text of *Alice in Wonderland* for rnn_helpers/texts/alice.txt: `python -m tools.alice alice29.txt`.

The result is in the repository; rnn_helpers/texts/README.md names the source of `alice29.txt`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rnn_helpers.data import TEXTS

FIRST, LAST = "  Alice was beginning to get very tired", "THE END"
HEADING = r"\n\s*CHAPTER [IVX]+\n\s*\n[^\n]*\n"
ASTERISKS = r"\n[ *]+\*[ *]*\n"
OTHER = r"[^A-Za-z ,.!?;:'()“”—-]"


def main() -> None:
    """Write the prepared text and print its size."""
    if len(sys.argv) != 2:
        raise SystemExit("expected one argument, the path of alice29.txt")
    text = prepare_text(Path(sys.argv[1]).read_text(encoding="latin-1"))
    (TEXTS / "alice.txt").write_text(text, encoding="utf-8")
    print(f"{len(text)} characters, {len(set(text))} of them different")


def prepare_text(raw: str) -> str:
    """Return the book as one paragraph a line, with directed quotation marks."""
    body = raw[raw.index(FIRST) : raw.rindex(LAST)]
    body = re.sub(ASTERISKS, "\n\n", re.sub(HEADING, "\n\n", body))
    return "\n".join(_prepare_paragraph(part) for part in _paragraphs(body))


def _paragraphs(body: str) -> Iterator[str]:
    for part in re.split(r"\n[ \t]*\n", body):
        paragraph = re.sub(r"\s+", " ", part).strip()
        if paragraph:
            yield paragraph


def _prepare_paragraph(paragraph: str) -> str:
    joined = re.sub(r"([a-z])- ([a-z])", r"\1-\2", _direct_quotes(paragraph))  # a line had ended at the hyphen
    plain = joined.replace("--", "—").replace('"', "'")
    lowered = re.sub(r"\b[A-Z]{2,}\b", lambda word: word[0].lower(), plain)
    return re.sub(r" +", " ", re.sub(OTHER, "", lowered))


def _direct_quotes(paragraph: str) -> str:
    """Return the paragraph with “ for ` and ” for the apostrophe that closes a quotation."""
    result, inside = [], False
    for char, following in zip(paragraph, [*paragraph[1:], " "], strict=True):
        closes = char == "'" and inside and not following.isalpha()
        inside = (inside or char == "`") and not closes
        result.append("“" if char == "`" else "”" if closes else char)
    return "".join(result)


if __name__ == "__main__":
    main()
