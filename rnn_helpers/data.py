"""Small real data sets, bundled with the course. Each docstring names the source and the licence."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np

TABLES = Path(__file__).parent / "tables"
TEXTS = Path(__file__).parent / "texts"


def nile() -> tuple[np.ndarray, np.ndarray]:
    """Return (years, flow): the Nile's flow at Aswan, 1871 to 1970, each of shape (100,).

    flow is in 10^8 cubic metres a year. Source: Cobb (1978), Biometrika 65(2), 243-251; public domain.
    """
    table = np.loadtxt(TABLES / "nile.csv", delimiter=",", skiprows=3)
    return table[:, 0].astype(int), table[:, 1]


def sunspots() -> tuple[np.ndarray, np.ndarray]:
    """Return (months, numbers): the monthly mean sunspot numbers, 1749 to 1983, each of shape (2820,).

    months are decimal years, at the middle of each month; numbers have no unit and are on the Zurich scale that was in
    use until 2015. Source: NOAA National Geophysical Data Center, as in statsmodels, which states public domain.
    """
    table = np.loadtxt(TABLES / "sunspots.csv", delimiter=",", skiprows=3)
    return table[:, 0] + (table[:, 1] - 0.5) / 12, table[:, 2]


def co2() -> tuple[np.ndarray, np.ndarray]:
    """Return (months, ppm): the monthly mean CO2 in the air at Mauna Loa, 1965 to 2001, each of shape (444,).

    months are decimal years, at the middle of each month; ppm are CO2 molecules per million molecules of dry air, means
    of the weekly values dated in the month. Source: C. D. Keeling and T. P. Whorf (2004), Scripps Institution of
    Oceanography, as in statsmodels, which states public domain; Scripps itself asks for credit (CC BY 4.0).
    """
    table = np.loadtxt(TABLES / "co2.csv", delimiter=",", skiprows=3)
    return table[:, 0] + (table[:, 1] - 0.5) / 12, table[:, 2]


def zen_lines() -> list[str]:
    """Return the lines of "The Zen of Python", which ships with Python, without title and blank line.

    Source: Tim Peters, PEP 20, placed in the public domain; read from the standard library's module `this`.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    text = "".join(this.d.get(char, char) for char in this.s)
    return text.splitlines()[2:]


def alice() -> str:
    """Return the text of *Alice's Adventures in Wonderland*, one paragraph a line, speech between “ and ”.

    Source: Lewis Carroll (1865), Project Gutenberg's edition 2.9; public domain. `texts/README.md` is its data card.
    """
    return (TEXTS / "alice.txt").read_text(encoding="utf-8")


def python_manual(characters: int) -> str:
    """Return the first characters of English prose from Python's own help texts: a-z, space, comma and full stop.

    Capitals become lower case, everything else a space, and runs of spaces one space. A paragraph that occurs under
    several topics is used once: held-out text must not be part of the training text. It has about 300 000 characters.
    Source: the module `pydoc_data.topics` of Python 3.11, PSF licence; `texts/README.md` is its data card.
    """
    paragraphs = (TEXTS / "python_manual.txt").read_text(encoding="utf-8").splitlines()
    return " ".join(paragraphs)[:characters]


def one_hot(text: str, alphabet: str) -> np.ndarray:
    """Return `text` as one-hot rows, one per character: (characters, len(alphabet)), a single 1 in each row.

    Raises ValueError naming the first character that the alphabet does not have.
    """
    unknown = [char for char in text if char not in alphabet]
    if unknown:
        raise ValueError(f"the alphabet {alphabet!r} has no {unknown[0]!r}. Add it, or leave it out of the text.")
    rows = np.zeros((len(text), len(alphabet)))
    rows[np.arange(len(text)), [alphabet.index(char) for char in text]] = 1.0
    return rows
