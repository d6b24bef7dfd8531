"""Embed the glyphs of a page's formulas: without a font made for mathematics, browsers set subscripts on the baseline.

The font is STIX Two Math, under the SIL Open Font License (fonts/OFL.txt).
"""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from functools import lru_cache
from html import unescape
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

_FILE = Path(__file__).parent / "fonts" / "STIXTwoMath.woff"
_FORMULA = re.compile(r"<math\b.*?</math>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
# Browsers display a variable of one letter in italics, which Unicode encodes as characters of their own.
_CODES = [0x210E, *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)]
_UPRIGHT = {chr(code): unicodedata.decomposition(chr(code)).removeprefix("<font> ") for code in _CODES}
_ITALICS = {chr(int(code, 16)): italic for italic, code in _UPRIGHT.items() if code}  # not all codes are assigned
_KEPT_NAMES = [0, 1, 2, 14]  # copyright, family, style, address of the licence
_RULE = """/* STIX Two Math, (c) 2001-2021 The STIX Fonts Project Authors, SIL Open Font License 1.1 */
@font-face {{ font-family: "page math"; src: url(data:font/woff;base64,{data}) format("woff"); }}
math {{ font-family: "page math", math; }}"""


def font_face(html: str) -> str:
    """Return a CSS rule @font-face with the glyphs of all formulas in `html`, "" if it has none."""
    formulas = " ".join(_FORMULA.findall(html))
    if not formulas:
        return ""
    characters = {*unescape(_TAG.sub("", formulas)), "√"}  # the root sign stands in no text
    italics = {_ITALICS[character] for character in characters & _ITALICS.keys()}
    data = base64.b64encode(_subset(frozenset(characters | italics))).decode()
    return _RULE.format(data=data)


@lru_cache(maxsize=32)  # most pages of an assignment have the same formulas
def _subset(characters: frozenset[str]) -> bytes:
    """Return the font as WOFF, reduced to these characters, their larger variants and script forms."""
    options = subset.Options(
        layout_features=["ssty"], hinting=False, notdef_outline=True, glyph_names=False, name_IDs=_KEPT_NAMES
    )
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=map(ord, characters))
    with TTFont(_FILE) as font:
        subsetter.subset(font)
        font.flavor = "woff"
        buffer = io.BytesIO()
        font.save(buffer)
    return buffer.getvalue()
