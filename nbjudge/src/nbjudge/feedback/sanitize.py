"""Turn HTML that nobody vouches for into HTML that is safe to show: no script, nothing loaded, no foreign anchors.

What is allowed is listed; all else goes. bleach has the last word. What is done before it keeps its work in
proportion (its parser takes quadratic time on deep nesting) and keeps the text of styles and scripts off the page.
"""

from __future__ import annotations

import re
import secrets
from html import escape

from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]

_TAGS = """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6
    hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u
    ul var
"""
TAGS = frozenset(_TAGS.split())
EVERYWHERE = frozenset(["title", "role", "aria-label", "aria-hidden", "lang", "dir", "align"])
OF_TAG = {
    "col": {"span"},
    "details": {"open"},
    "img": {"alt", "width", "height"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "table": {"border"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
# Of position, z-index, transform, filter, animation and the like, which lay one thing over another, there is none.
_PROPERTIES = """
    background background-color border border-bottom border-collapse border-color border-left border-radius
    border-right border-spacing border-style border-top border-width color direction display font font-family
    font-size font-style font-variant font-weight height line-height list-style-type margin margin-bottom margin-left
    margin-right margin-top max-height max-width min-height min-width opacity overflow padding padding-bottom
    padding-left padding-right padding-top text-align text-decoration text-indent vertical-align white-space width
    word-break
"""
PROPERTIES = frozenset(_PROPERTIES.split())
CLASSES = re.compile(r"dataframe|rnn-card|highlight|ansi-[a-z-]{1,40}|[a-z]{1,2}[0-9]?")  # the last: Pygments' names
LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
LOADS = re.compile(r"url|image|src|import|expression|element|\\|@|-moz-binding", re.IGNORECASE)
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
UNSEEN = re.compile(
    r"<(script|style|iframe|object|noscript|template|title|textarea|svg|math|select|noembed|noframes|xmp)\b"
    r".*?(?:</\1\b[^<>]*>?|\Z)",
    re.IGNORECASE | re.DOTALL,
)
OPENING = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
VOID = frozenset(["br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
DEEPEST = 200
LONGEST = 60_000
TOO_MUCH = "This holds {what}; expected at most {limit}. It is shown as text."


def clean(html: str, longest: int = LONGEST, held: str = "") -> str:
    """Return `html` with everything but harmless elements and attributes removed, and every element closed.

    longest: how many characters are taken, not counting embedded images; of more, the first 1000 are shown as text
    held: a word that the caller will replace with HTML; attributes that hold it are removed
    An `id` or `name` never stays, so no anchor can stand in for one of the page's own.
    """
    token = secrets.token_hex(8)
    images: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        images.append(match.group())
        return f"{token}-{len(images) - 1}-"

    text = UNSEEN.sub("", IMAGE.sub(put_aside, html.replace("\0", "")))
    problem = _too_much(text, longest)
    if problem:
        return f"<p><em>{escape(problem)}</em></p><pre>{escape(text[:1000])}</pre>"
    cleaner = Cleaner(
        tags=TAGS,
        attributes=lambda tag, name, value: not (held and held in value) and _keeps(tag, name, value, token),
        protocols=["http", "https", "mailto"],
        strip=True,
        css_sanitizer=_Styles(allowed_css_properties=PROPERTIES, allowed_svg_properties=[]),
    )
    return re.sub(rf"{token}-([0-9]+)-", lambda match: images[int(match.group(1))], cleaner.clean(text))


def clean_for_formgrader(html: str | bytes) -> str:
    """Return what nbconvert's filter clean_html returns, cleaned as here: nbconvert's own loses tables and styles.

    Formgrader shows submissions to the instructor, in the session of whoever may change everybody's marks.
    """
    text = html.decode("utf-8", errors="replace") if isinstance(html, bytes) else html
    cleaned = clean(text)
    return f'<div class="highlight hl-ipython3">{cleaned}</div>' if text.startswith('<div class="highlight') else cleaned



def _too_much(text: str, longest: int) -> str:
    if len(text) > longest:
        return TOO_MUCH.format(what=f"{len(text)} characters of HTML", limit=longest)
    depth, open_tags = 0, dict[str, int]()
    for closing, name in OPENING.findall(text):
        name = name.lower()
        change = -1 if closing else 1
        if name in VOID or (closing and not open_tags.get(name)):
            continue
        open_tags[name] = open_tags.get(name, 0) + change
        # Without an end tag these close the one before, and that is common: they say nothing about depth.
        depth += 0 if name in ("li", "p", "td", "th", "tr", "dd", "dt") else change
        if depth > DEEPEST:
            return TOO_MUCH.format(what="elements nested too deep", limit=f"{DEEPEST} inside one another")
    return ""


def _keeps(tag: str, name: str, value: str, token: str) -> bool:
    if name == "src":
        return tag == "img" and re.fullmatch(rf"{token}-[0-9]+-", value) is not None
    if name == "href":
        return tag == "a" and LINK.match(value) is not None
    if name == "class":
        return all(CLASSES.fullmatch(word) for word in value.split())
    return name == "style" or name in EVERYWHERE or name in OF_TAG.get(tag, ())


class _Styles(CSSSanitizer):
    """bleach's own lets every value of an allowed property through, url() too; here one of those takes all with it."""

    def sanitize_css(self, style: str) -> str:
        return "" if LOADS.search(style) else super().sanitize_css(style)
