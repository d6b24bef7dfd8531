"""Sanitise untrusted HTML: no scripts, no external resources, no foreign anchors.

Everything but the listed elements and attributes is removed. nh3 parses and filters; a guard bounds its input first,
because its parser takes quadratic time on deep nesting.
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
# Elements that are removed with their text, which is meant for programs or not displayed as text.
_REMOVED_NAMES = "iframe math noembed noframes noscript object script select style svg template textarea title xmp"
_REMOVED_WITH_TEXT = set(_REMOVED_NAMES.split())
# `id` and `name` are always removed, so that no anchor can shadow one of the page's own.
_ATTRIBUTES = {
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
# Excludes position, z-index, transform, filter, animation and the like, which can overlay other content.
_PROPERTIES = """
    background background-color border border-bottom border-collapse border-color border-left border-radius
    border-right border-spacing border-style border-top border-width color direction display font font-family
    font-size font-style font-variant font-weight height line-height list-style-type margin margin-bottom margin-left
    margin-right margin-top max-height max-width min-height min-width opacity overflow padding padding-bottom
    padding-left padding-right padding-top text-align text-decoration text-indent vertical-align white-space width
    word-break
"""
PROPERTIES = set(_PROPERTIES.split())
_CLASSES = re.compile(
    r"dataframe|[a-z]{1,20}-card|highlight|ansi-[a-z-]{1,40}|[a-z]{1,2}[0-9]?"
)  # the last: Pygments' names
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_LOADS = re.compile(r"url|image|src|import|expression|element|\\|/\*|@|-moz-binding", re.IGNORECASE)
TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_VOID = frozenset(["br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
# A header cell without a text heads nothing: screen readers announce it all the same.
_EMPTY_HEADER = re.compile(r'<th((?: [a-z-]+="[^"<>]*")*)>\s*</th>')
_SCOPE = re.compile(r' scope="[^"]*"')
DEEPEST = 200
LONGEST = 60_000
_TOO_LARGE = "This holds {what}; expected at most {limit}. It is shown as text."


def clean(html: str, longest: int = LONGEST, placeholder: str = "") -> str:
    """Return `html` with everything but harmless elements and attributes removed, and every element closed.

    longest: most characters, not counting embedded images; of longer HTML, the first 1000 are shown as text
    placeholder: a word that the caller will replace with HTML; attributes that contain it are removed
    """
    html = html.encode("utf-8", "replace").decode("utf-8")  # replace unpaired surrogates
    if problem := _size_problem(IMAGE.sub("", html), longest):
        return f"<p><em>{escape(problem)}</em></p><pre>{escape(html[:1000])}</pre>"
    cleaned = nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=_REMOVED_WITH_TEXT,
        attributes=_ATTRIBUTES,
        attribute_filter=partial(_filter_attribute, placeholder),
        filter_style_properties=PROPERTIES,
        url_schemes={"http", "https", "mailto", "data"},  # `_filter_attribute` decides which attribute may use which
        link_rel=None,
    )
    return _EMPTY_HEADER.sub(lambda header: f"<td{_SCOPE.sub('', header[1])}></td>", cleaned)


def clean_for_formgrader(html: str | bytes) -> str:
    """Replace nbconvert's filter clean_html, which loses tables and styles.

    Formgrader shows submissions in the session of an instructor, who may change every student's marks.
    """
    text = html.decode("utf-8", errors="replace") if isinstance(html, bytes) else html
    cleaned = clean(text)
    return (
        f'<div class="highlight hl-ipython3">{cleaned}</div>' if text.startswith('<div class="highlight') else cleaned
    )


def _size_problem(text: str, longest: int) -> str:
    if len(text) > longest:
        return _TOO_LARGE.format(what=f"{len(text)} characters of HTML", limit=longest)
    depth, open_tags = 0, dict[str, int]()
    for closing, tag in TAG.findall(text):
        name = tag.lower()
        change = -1 if closing else 1
        if name in _VOID or (closing and not open_tags.get(name)):
            continue
        open_tags[name] = open_tags.get(name, 0) + change
        # These often lack an end tag and close the previous one, so they do not count as depth.
        depth += 0 if name in ("li", "p", "td", "th", "tr", "dd", "dt") else change
        if depth > DEEPEST:
            return _TOO_LARGE.format(what="elements nested too deep", limit=f"{DEEPEST} inside one another")
    return ""


def _filter_attribute(placeholder: str, tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute to keep; None removes it."""
    is_allowed = {
        "class": all(_CLASSES.fullmatch(word) for word in value.split()),
        "href": LINK.match(value),
        "src": IMAGE.fullmatch(value),
        "style": not _LOADS.search(value),
    }
    return value if is_allowed.get(name, True) and not (placeholder and placeholder in value) else None
