"""Convert LaTeX formulas to MathML, which browsers render natively: the page needs no script and loads nothing.

latex2mathml parses the LaTeX; its result is rebuilt element by element, because it copies the text of \\text{} and
the target of \\href{} verbatim into the page.
"""

from __future__ import annotations

import re
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

LONGEST = 2000
_ELEMENT_NAMES = """
    math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup mtable mtd
    mtext mtr munder munderover mmultiscripts mprescripts none
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_ATTRIBUTE_NAMES = """
    accent accentunder columnalign columnlines columnspacing depth display displaystyle fence form height largeop
    linebreak linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation rowlines
    rowspacing rspace scriptlevel separator stretchy symmetric voffset width
"""
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_VALUE = re.compile(r"[A-Za-z0-9#.%+ -]{0,60}")
# Macros that latex2mathml supports only under another name.
_OTHER_NAMES = [(name, "‖") for name in (r"\|", r"\lVert", r"\rVert", r"\Vert")]
_OTHER_NAMES += [(rf"\{edge}{{aligned}}", rf"\{edge}{{align*}}") for edge in ("begin", "end")]


def mathml(latex: str, display: bool = False) -> str:
    """Return the formula as MathML, or as escaped LaTeX in <code> if it cannot be parsed or is longer than LONGEST.

    display: whether it is a display formula instead of an inline one
    """
    source = latex.strip()
    for name, supported in _OTHER_NAMES:
        source = source.replace(name, supported)
    try:
        if len(source) > LONGEST:
            raise ValueError(f"The formula has {len(source)} characters; expected at most {LONGEST}.")
        return _rebuild(convert_to_element(source, display="block" if display else "inline"))
    except Exception:  # whatever makes the library fail, show the source
        return f"<code>{escape(latex.strip()[:LONGEST])}</code>"


def _rebuild(element: Element) -> str:
    """Serialise the element, restricted to _ELEMENTS and _ATTRIBUTES.

    Raises ValueError for an unknown macro, whose name would appear in the formula.
    """
    text = unescape(element.text or "")
    if "\\" in text:
        raise ValueError(f"The formula contains {text}; expected a known macro.")
    content = escape(text) + "".join(_rebuild(child) for child in element)
    if element.tag not in _ELEMENTS:
        return content
    allowed = {name: value for name, value in element.attrib.items() if _VALUE.fullmatch(value)}
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in allowed.items() if name in _ATTRIBUTES)
    if "mathcolor" in allowed:  # the page's style sheet sets it, lighter in the dark
        attributes += f' style="--colour: {escape(allowed["mathcolor"])}"'
    html = f"<{element.tag}{attributes}>{content}</{element.tag}>"
    # The base of a script keeps the size that \big asks for only inside a row of its own.
    return f"<mrow>{html}</mrow>" if element.tag == "mo" and "minsize" in element.attrib else html
