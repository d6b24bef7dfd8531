"""LaTeX formulas as MathML, which browsers show by themselves: the page needs no script and loads nothing.

latex2mathml understands the LaTeX; its result is rebuilt element by element, because it copies the text of \\text{}
into the page as it stands, and the target of \\href{} too.
"""

from __future__ import annotations

import re
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

LONGEST = 2000
_ELEMENTS = """
    math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup mtable mtd
    mtext mtr munder munderover mmultiscripts mprescripts none
"""
ELEMENTS = frozenset(_ELEMENTS.split())
_ATTRIBUTES = """
    accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height largeop
    linebreak linethickness lspace mathcolor mathsize mathvariant maxsize minsize movablelimits notation rowlines
    rowspacing rspace scriptlevel separator stretchy symmetric voffset width
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
VALUE = re.compile(r"[A-Za-z0-9#.%+ -]{0,60}")
# What the course writes and latex2mathml knows under another name only.
OTHER_NAMES = [(name, "‖") for name in (r"\|", r"\lVert", r"\rVert", r"\Vert")]
OTHER_NAMES += [(rf"\{edge}{{aligned}}", rf"\{edge}{{align*}}") for edge in ("begin", "end")]


def mathml(latex: str, display: bool = False) -> str:
    """Return the formula as MathML; as its escaped LaTeX in <code> where it cannot be read or is longer than LONGEST.

    display: a formula of its own line instead of one within the text
    """
    source = latex.strip()
    for name, known in OTHER_NAMES:
        source = source.replace(name, known)
    try:
        if len(source) > LONGEST:
            raise ValueError(f"The formula has {len(source)} characters; expected at most {LONGEST}.")
        return _rebuilt(convert_to_element(source, display="block" if display else "inline"))
    except Exception:  # whatever the library stumbles over, the reader is shown what was written
        return f"<code>{escape(latex.strip()[:LONGEST])}</code>"


def _rebuilt(element: Element) -> str:
    """Return the element as text, made of nothing but ELEMENTS and ATTRIBUTES.

    Raises ValueError for a macro that was not understood: its name would stand in the formula.
    """
    text = unescape(element.text or "")
    if "\\" in text:
        raise ValueError(f"The formula holds {text}; expected a macro that is known.")
    inside = escape(text) + "".join(_rebuilt(child) for child in element)
    if element.tag not in ELEMENTS:
        return inside
    attributes = "".join(
        f' {name}="{escape(value)}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and VALUE.fullmatch(value)
    )
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"
