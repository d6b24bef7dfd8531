"""Render untrusted notebook content as safe HTML within limits."""

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

from nbjudge.cell_result import NOT_GRADED
from nbjudge.feedback.mathml import mathml
from nbjudge.feedback.sanitize import IMAGE, LONGEST, clean

# The first available type is shown and nothing else: no script, no widget, no SVG outside an image.
_PREFERRED = ["text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml", "text/latex", "text/plain"]
_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_MOST_PIXELS = 50_000_000  # an image of a few kilobytes can decompress to gigabytes in the reader's browser


@dataclass
class Limits:
    """Limits of a page: characters per text or source, outputs per cell, characters of HTML and of images."""

    text: int
    outputs: int
    html: int
    images: int


class Renderer:
    """Renders the parts of one page and tracks their size; a sentence replaces what exceeds the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.html_left, self.images_left = limits.html, limits.images
        self.text_left = limits.html  # input to process, whatever its HTML will be

    def source(self, text: str) -> Markup:
        """Return Python source as highlighted HTML."""
        beginning, notice = self._truncate(text, "were written")
        return self._charge(highlight(beginning or " ", PythonLexer(), HtmlFormatter()) + notice)

    def markdown(self, text: str, attachments: dict[str, Any] | None = None) -> Markup:
        """Return Markdown as HTML with formulas as MathML."""
        beginning, notice = self._truncate(text, "were written")
        return self._charge(markdown(beginning, attachments or {}) + notice)

    def outputs(self, outputs: list[NotebookNode]) -> list[Markup]:
        """Return the outputs of a cell as HTML."""
        merged = _merge_streams(outputs)
        parts = [self._charge(self._output(output)) for output in merged[: self.limits.outputs]]
        omitted = len(merged) - len(parts)
        return [*parts, sentence(f"... {omitted} more outputs are left out.")] if omitted else parts

    def _output(self, output: NotebookNode) -> str:
        if output.output_type == "stream":
            return self._text(output.text, "were printed")
        if output.output_type == "error":
            if output.ename == NOT_GRADED:
                return f'<p class="notice">{escape(str(output.evalue))}</p>'
            beginning, notice = self._truncate("\n".join(output.traceback), "of this error")
            return f'<pre class="error">{ansi2html(beginning)}</pre>{notice}'
        kind = next((kind for kind in _PREFERRED if kind in output.data), None)
        if kind is None:
            return sentence(f"An output that this page cannot show ({', '.join(output.data)[:100] or 'nothing'}).")
        if kind == "text/html" and "text/plain" in output.data and len(IMAGE.sub("", output.data[kind])) > LONGEST:
            kind = "text/plain"  # a table of thousands of rows: its text form is a summary
        return self._data(kind, output.data[kind], output)

    def _data(self, kind: str, content: str, output: NotebookNode) -> str:
        if kind == "text/html":
            if (without_images := len(IMAGE.sub("", content))) > self.text_left:
                return sentence(f"{size(without_images)} of HTML are left out: the page is full.")
            self.text_left -= without_images
            return f'<div class="html">{clean(content)}</div>'
        if kind == "text/markdown":
            beginning, notice = self._truncate(content, "were written")
            return markdown(beginning, {}) + notice
        if kind == "text/latex":
            return mathml(content.strip().strip("$").removeprefix(r"\displaystyle"), display=True)
        if kind == "text/plain":
            return self._text(content, "were shown")
        return _image(kind, content, alt=str(output.data.get("text/plain", ""))[:200])

    def _text(self, text: str, what: str) -> str:
        beginning, notice = self._truncate(text, what)
        return f"<pre>{ansi2html(beginning)}</pre>{notice}"

    def _truncate(self, text: str, what: str) -> tuple[str, str]:
        excess = len(text) - self.limits.text
        self.text_left -= min(len(text), self.limits.text)
        if self.text_left < 0:
            self.text_left = 0
            return "", sentence(f"... {size(len(text))} {what}, and the page is full.") if text else ""
        return text[: self.limits.text], sentence(f"... {size(excess)} more {what}.") if excess > 0 else ""

    def _charge(self, html: str) -> Markup:
        images = sum(len(match) for match in _IMAGE_DATA.findall(html))
        characters = len(html) - images
        if images > self.images_left:
            return sentence(f"Images of {size(images)} are left out: a page holds {size(self.limits.images)} of them.")
        if characters > self.html_left:
            return sentence(
                f"{size(characters)} are left out: the page is limited to {size(self.limits.html)} of text."
            )
        self.images_left -= images
        self.html_left -= characters
        return Markup(html)


_IMAGE_DATA = re.compile(IMAGE.pattern.replace("webp", r"webp|svg\+xml"))


def markdown(text: str, attachments: dict[str, Any]) -> str:
    """Return Markdown as safe HTML, or as plain text if it cannot be parsed."""
    renderer = _Renderer(attachments)
    try:
        html = MarkdownWithMath(renderer=renderer).render(text)
    except Exception:  # endless nesting, a broken table: show the source
        return f"<pre>{escape(text)}</pre>"
    safe = clean(html, placeholder=renderer.token)
    return re.sub(rf"{renderer.token}-([0-9]+)-", lambda match: renderer.formulas[int(match.group(1))], safe)


class _Renderer(IPythonRenderer):
    """nbconvert's renderer that sets formulas aside until the HTML is sanitised, and embeds attached images only."""

    def __init__(self, attachments: dict[str, Any]) -> None:
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.token, self.formulas = secrets.token_hex(8), list[str]()

    def _set_aside(self, latex: str, display: bool) -> str:
        self.formulas.append(mathml(latex, display))
        return f"{self.token}-{len(self.formulas) - 1}-"

    def inline_math(self, body: str) -> str:
        return self._set_aside(body, display=False)

    def block_math(self, body: str) -> str:
        return self._set_aside(body, display=True)

    def latex_environment(self, name: str, body: str) -> str:
        return self._set_aside(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def block_mermaidjs(self, code: str) -> str:
        return f"<pre><code>{escape(code)}</code></pre>"

    def _embed_image_or_attachment(self, src: str) -> str:
        attached = self.attachments.get(src.removeprefix("attachment:"), {})
        kind = next((kind for kind in _MAGIC if kind in attached), None)
        return src if kind is None else f"data:{kind};base64,{''.join(str(attached[kind]).split())}"


def _image(kind: str, content: str, alt: str) -> str:
    """Return an <img> with embedded data, or a sentence when it is not an image or has too many pixels."""
    if kind == "image/svg+xml":  # inside an <img>, an SVG runs no script and loads nothing
        data = base64.b64encode(content.encode("utf-8", "replace")).decode()
    else:
        data = "".join(content.split())
        try:
            image_bytes = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            image_bytes = b""
        if not image_bytes.startswith(_MAGIC[kind]):
            return sentence(f"An output says that it is {kind}, and it is not.")
        width, height = (
            struct.unpack(">II", image_bytes[16:24]) if kind == "image/png" and len(image_bytes) > 24 else (0, 0)
        )
        if width * height > _MOST_PIXELS:
            return sentence(f"An image of {width} x {height} pixels is left out; expected at most {_MOST_PIXELS}.")
    return f'<img alt="{escape(alt)}" src="data:{kind};base64,{data}">'


def sentence(text: str) -> Markup:
    """Return a sentence of the page that replaces omitted content."""
    return Markup('<p class="limit">{}</p>').format(text)


def size(characters: int) -> str:
    """Return a number of characters with its unit: 950 characters, 12.3 kB, 48.2 MB."""
    if characters < 1000:
        return f"{characters} characters"
    return f"{characters / 1e3:.1f} kB" if characters < 1e6 else f"{characters / 1e6:.1f} MB"


def _merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs with consecutive outputs of the same stream merged."""
    merged: list[NotebookNode] = []
    for output in outputs:
        previous = merged[-1] if merged else NotebookNode()
        if output.output_type == "stream" and previous.get("output_type") == "stream" and previous.name == output.name:
            merged[-1] = NotebookNode({**previous, "text": previous.text + output.text})
        else:
            merged.append(output)
    return merged
