"""Render what a notebook holds as HTML: safe whoever wrote it, and never more of it than the limits allow."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import struct
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup
from nbconvert.filters import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from nbjudge.feedback.mathml import mathml
from nbjudge.feedback.redaction import NOT_GRADED
from nbjudge.feedback.sanitize import IMAGE, LONGEST, clean

# The first that an output has is shown; nothing else is: no script, no widget, no SVG outside of an image.
PREFERRED = ["text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml", "text/latex", "text/plain"]
MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
MOST_PIXELS = 50_000_000  # a picture of a few kilobytes can unpack to gigabytes in the reader's browser


@dataclass
class Limits:
    """How much is shown: characters of one text or source, outputs of one cell, characters of HTML and of images."""

    text: int
    outputs: int
    html: int
    images: int


class Renderer:
    """Renders the parts of one page and counts what they take; what would be too much becomes a sentence."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.html_left, self.images_left = limits.html, limits.images
        self.text_left = limits.html  # to be worked through, whatever becomes of it

    def source(self, text: str) -> Markup:
        """Return code with its words coloured."""
        shown, rest = self._cut(text, "were written")
        return self._counted(highlight(shown or " ", PythonLexer(), HtmlFormatter()) + rest)

    def markdown(self, text: str, attachments: dict[str, Any] | None = None) -> Markup:
        """Return Markdown as HTML, formulas as MathML."""
        shown, rest = self._cut(text, "were written")
        return self._counted(markdown(shown, attachments or {}) + rest)

    def outputs(self, outputs: list[NotebookNode]) -> list[Markup]:
        """Return the outputs of a cell, each in HTML."""
        joined = _joined(outputs)
        shown = [self._counted(self._output(output)) for output in joined[: self.limits.outputs]]
        more = len(joined) - len(shown)
        return [*shown, sentence(f"... {more} more outputs are left out.")] if more else shown

    def _output(self, output: NotebookNode) -> str:
        if output.output_type == "stream":
            return self._text(output.text, "were printed")
        if output.output_type == "error":
            if output.ename == NOT_GRADED:
                return f'<p class="notice">{escape(str(output.evalue))}</p>'
            shown, rest = self._cut("\n".join(output.traceback), "of this error")
            return f'<pre class="error">{ansi2html(shown)}</pre>{rest}'
        kind = next((kind for kind in PREFERRED if kind in output.data), None)
        if kind is None:
            return sentence(f"An output that this page cannot show ({', '.join(output.data)[:100] or 'nothing'}).")
        if kind == "text/html" and "text/plain" in output.data and len(IMAGE.sub("", output.data[kind])) > LONGEST:
            kind = "text/plain"  # a table of thousands of rows says of itself what it is
        return self._data(kind, output.data[kind], output)

    def _data(self, kind: str, content: str, output: NotebookNode) -> str:
        if kind == "text/html":
            if (without_images := len(IMAGE.sub("", content))) > self.text_left:
                return sentence(f"{size(without_images)} of HTML are left out: the page is full.")
            self.text_left -= without_images
            return f'<div class="html">{clean(content)}</div>'
        if kind == "text/markdown":
            shown, rest = self._cut(content, "were written")
            return markdown(shown, {}) + rest
        if kind == "text/latex":
            return mathml(content.strip().strip("$").removeprefix(r"\displaystyle"), display=True)
        if kind == "text/plain":
            return self._text(content, "were shown")
        return image(kind, content, alt=str(output.data.get("text/plain", ""))[:200])

    def _text(self, text: str, what: str) -> str:
        shown, rest = self._cut(text, what)
        return f"<pre>{ansi2html(shown)}</pre>{rest}"

    def _cut(self, text: str, what: str) -> tuple[str, str]:
        more = len(text) - self.limits.text
        self.text_left -= min(len(text), self.limits.text)
        if self.text_left < 0:
            self.text_left = 0
            return "", sentence(f"... {size(len(text))} {what}, and the page is full.") if text else ""
        return text[: self.limits.text], sentence(f"... {size(more)} more {what}.") if more > 0 else ""

    def _counted(self, html: str) -> Markup:
        images = sum(len(match) for match in IMAGE_DATA.findall(html))
        others = len(html) - images
        if images > self.images_left:
            return sentence(f"Images of {size(images)} are left out: a page holds {size(self.limits.images)} of them.")
        if others > self.html_left:
            return sentence(f"{size(others)} are left out: the page is limited to {size(self.limits.html)} of text.")
        self.images_left -= images
        self.html_left -= others
        return Markup(html)


IMAGE_DATA = re.compile(IMAGE.pattern.replace("webp", r"webp|svg\+xml"))


def markdown(text: str, attachments: dict[str, Any]) -> str:
    """Return Markdown as safe HTML; as text where it cannot be read."""
    renderer = _Renderer(attachments)
    try:
        html = MarkdownWithMath(renderer=renderer).render(text)
    except Exception:  # nesting without end, a broken table: the reader is shown what was written
        return f"<pre>{escape(text)}</pre>"
    safe = clean(html, held=renderer.token)
    return re.sub(rf"{renderer.token}-([0-9]+)-", lambda match: renderer.formulas[int(match.group(1))], safe)


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with formulas put aside until the rest is clean, and no image but attached ones."""

    def __init__(self, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.token, self.formulas = secrets.token_hex(8), list[str]()

    def _aside(self, latex: str, display: bool) -> str:
        self.formulas.append(mathml(latex, display))
        return f"{self.token}-{len(self.formulas) - 1}-"

    def inline_math(self, body: str) -> str:
        return self._aside(body, display=False)

    def block_math(self, body: str) -> str:
        return self._aside(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        return self._aside(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre><code>{escape(code)}</code></pre>"

    def _embed_image_or_attachment(self, src: str) -> str:
        attached = self.attachments.get(src.removeprefix("attachment:"), {})
        kind = next((kind for kind in MAGIC if kind in attached), None)
        return src if kind is None else f"data:{kind};base64,{''.join(str(attached[kind]).split())}"


def image(kind: str, content: str, alt: str) -> str:
    """Return an <img> that holds the picture; a sentence when it is none, or too many pixels."""
    if kind == "image/svg+xml":  # in an <img> no script of it runs, and it loads nothing
        data = base64.b64encode(content.encode("utf-8", "replace")).decode()
    else:
        data = "".join(content.split())
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not raw.startswith(MAGIC[kind]):
            return sentence(f"An output says that it is {kind}, and it is not.")
        width, height = struct.unpack(">II", raw[16:24]) if kind == "image/png" and len(raw) > 24 else (0, 0)
        if width * height > MOST_PIXELS:
            return sentence(f"An image of {width} x {height} pixels is left out; expected at most {MOST_PIXELS}.")
    return f'<img alt="{escape(alt)}" src="data:{kind};base64,{data}">'


def sentence(text: str) -> Markup:
    """Return a sentence of the page's own, in the place of what it does not show."""
    return Markup('<p class="limit">{}</p>').format(text)


def size(characters: int) -> str:
    """Return a number of characters in words: 950 characters, 12.3 kB, 48.2 MB."""
    if characters < 1000:
        return f"{characters} characters"
    return f"{characters / 1e3:.1f} kB" if characters < 1e6 else f"{characters / 1e6:.1f} MB"


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs with those of one stream that follow one another put together."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else NotebookNode()
        if output.output_type == "stream" and last.get("output_type") == "stream" and last.name == output.name:
            joined[-1] = NotebookNode({**last, "text": last.text + output.text})
        else:
            joined.append(output)
    return joined
