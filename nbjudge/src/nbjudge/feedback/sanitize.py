"""Turn HTML that nobody vouches for into HTML that is safe to show: no script, nothing loaded, no foreign anchors.

What is allowed is listed; all else goes. nh3 parses and filters; a guard in front of it keeps its work in proportion,
as its parser takes quadratic time on deep nesting.
"""

from __future__ import annotations

import re
from functools import partial
from html import escape

import nh3

_TAGS = """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6
    hr i img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u
    ul var
"""
TAGS = set(_TAGS.split())
# Of these the text goes too: it is read by programs, or shown in some other way than as text.
_UNSEEN = "iframe math noembed noframes noscript object script select style svg template textarea title xmp"
UNSEEN = set(_UNSEEN.split())
# An `id` or `name` never stays, so no anchor can stand in for one of the page's own.
ATTRIBUTES = {
    "*": {"align", "aria-hidden", "aria-label", "class", "dir", "lang", "role", "style", "title"},
    "a": {"href"},
    "col": {"span"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "li": {"value"},
    "ol": {"reversed", "start", "type"},
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
PROPERTIES = set(_PROPERTIES.split())
CLASSES = re.compile(
    r"dataframe|[a-z]{1,20}-card|highlight|ansi-[a-z-]{1,40}|[a-z]{1,2}[0-9]?"
)  # the last: Pygments' names
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
LOADS = re.compile(r"url|image|src|import|expression|element|\\|/\*|@|-moz-binding", re.IGNORECASE)
OPENING = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
VOID = frozenset(["br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
DEEPEST = 200
LONGEST = 60_000
TOO_MUCH = "This holds {what}; expected at most {limit}. It is shown as text."


def clean(html: str, longest: int = LONGEST, held: str = "") -> str:
    """Return `html` with everything but harmless elements and attributes removed, and every element closed.

    longest: how many characters are taken, not counting embedded images; of more, the first 1000 are shown as text
    held: a word that the caller will replace with HTML; attributes that hold it are removed
    """
    html = html.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text
    if problem := _too_much(IMAGE.sub("", html), longest):
        return f"<p><em>{escape(problem)}</em></p><pre>{escape(html[:1000])}</pre>"
    return nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=UNSEEN,
        attributes=ATTRIBUTES,
        attribute_filter=partial(_filter, held),
        filter_style_properties=PROPERTIES,
        url_schemes={"http", "https", "mailto", "data"},  # `_filter` says where which may stand
        link_rel=None,
    )


def clean_for_formgrader(html: str | bytes) -> str:
    """Return what nbconvert's filter clean_html returns, cleaned as here: nbconvert's own loses tables and styles.

    Formgrader shows submissions to the instructor, in the session of whoever may change everybody's marks.
    """
    text = html.decode("utf-8", errors="replace") if isinstance(html, bytes) else html
    cleaned = clean(text)
    return (
        f'<div class="highlight hl-ipython3">{cleaned}</div>' if text.startswith('<div class="highlight') else cleaned
    )


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


def _filter(held: str, tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute that may stay; None removes it."""
    keeps = {
        "class": all(CLASSES.fullmatch(word) for word in value.split()),
        "href": LINK.match(value),
        "src": IMAGE.fullmatch(value),
        "style": not LOADS.search(value),
    }
    return value if keeps.get(name, True) and not (held and held in value) else None
