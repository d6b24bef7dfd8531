"""Prepare the prose of Python's help texts for rnn_helpers/texts/python_manual.txt: `python -m tools.python_manual`.

The result is in the repository, because it differs from one release of Python to the next and is missing from the
Python that runs in browsers; rnn_helpers/texts/README.md names the release that it was made with.
"""

from __future__ import annotations

import re
from pydoc_data.topics import topics

from rnn_helpers.data import TEXTS


def main() -> None:
    """Write the prepared text and print its size."""
    text = "".join(f"{paragraph}\n" for paragraph in prepare_paragraphs(topics))
    (TEXTS / "python_manual.txt").write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(text)} characters")


def prepare_paragraphs(texts: dict[str, str]) -> list[str]:
    """Return the paragraphs of all topics, in alphabetical order of the topics, each paragraph once."""
    paragraphs = [part for name in sorted(texts) for part in re.split(r"\n\s*\n", texts[name])]
    plain = [re.sub(r"[^a-z,.]+", " ", part.lower()).strip() for part in paragraphs]
    return list(filter(None, dict.fromkeys(plain)))


if __name__ == "__main__":
    main()
