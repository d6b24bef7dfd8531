"""Build the book: prepare its pages, let Sphinx render them, search the result for solutions, publish it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.lint import Lesson, read_lessons
from tools.site.accessibility import correct_pages
from tools.site.execution import OutputCache
from tools.site.leaks import require_no_leak
from tools.site.pages import (
    equations_page,
    further_reading,
    lesson_page,
    list_of_lessons,
    table_of_lessons,
    write_page,
)

EQUATIONS = "rnn_helpers/checks/equations.md"


class SiteError(Exception):
    """Raised when the site cannot be built; the message says why and what to do."""


def build_book(root: Path, lessons: list[Lesson], build: Path, site: Path) -> None:
    """Write the book of these lessons to `site`; `build` keeps outputs and what Sphinx has read.

    Raises ExecutionError, LeakError or SiteError; then `site` is what it was before.
    """
    pages, html = build / "pages", build / "html"
    write_pages(root, lessons, OutputCache(root, build / "outputs"), pages)
    render(pages, html, build / "doctrees")
    print("Searching the pages for solutions and hidden tests.", flush=True)
    require_no_leak(html, read_lessons(root))
    publish(html, site)


def write_pages(root: Path, lessons: list[Lesson], cache: OutputCache, folder: Path) -> None:
    """Write the Sphinx project: the pages of website/ with their lists filled in, and one notebook for each lesson."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(root / "website", folder, ignore=shutil.ignore_patterns("__pycache__"))
    _fill_in(folder / "index.md", {"TABLE_OF_LESSONS": table_of_lessons(lessons), "LESSONS": list_of_lessons(lessons)})
    (folder / "further_reading.md").write_text(further_reading(lessons), encoding="utf-8")
    equations = (root / EQUATIONS).read_text(encoding="utf-8")
    (folder / "equations.md").write_text(equations_page(equations, lessons), encoding="utf-8")
    names = [lesson.name for lesson in lessons]
    for number, lesson in enumerate(lessons, start=1):
        begin, is_new = time.monotonic(), not cache.is_cached(lesson)
        where = f"[{number}/{len(lessons)}] {lesson.name}"
        if is_new:
            print(f"{where}: executing", flush=True)
        page = lesson_page(lesson, cache.outputs(lesson), names)
        write_page(page, folder / "lessons", folder / "static" / "figures", lesson.name)
        how = f"executed in {time.monotonic() - begin:.0f} s" if is_new else "unchanged"
        print(f"{where}: {how}", flush=True)


def render(pages: Path, html: Path, doctrees: Path) -> None:
    """Let Sphinx render the pages; every warning is an error. Raises SiteError."""
    print("Rendering the pages with Sphinx.", flush=True)
    if html.exists():
        shutil.rmtree(html)
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--quiet", "--fail-on-warning"]
    if subprocess.call([*command, "--doctree-dir", str(doctrees), str(pages), str(html)]) != 0:
        raise SiteError("Sphinx could not render the pages, see above. Their sources are in source/ and website/.")
    for name in (".buildinfo", "objects.inv"):
        (html / name).unlink(missing_ok=True)
    correct_pages(html)


def publish(html: Path, site: Path) -> None:
    """Replace the site by the new one."""
    if site.exists():
        shutil.rmtree(site)
    site.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(html, site)
    (site / ".nojekyll").touch()  # GitHub Pages would leave out folders such as _static


def _fill_in(page: Path, texts: dict[str, str]) -> None:
    """Replace each placeholder of a page, a comment such as `% LESSONS`, by its text."""
    text = page.read_text(encoding="utf-8")
    for name, content in texts.items():
        if f"% {name}\n" not in text:
            raise SiteError(f"website/{page.name}: has no line `% {name}`; the list of lessons goes there.")
        text = text.replace(f"% {name}\n", f"{content}\n")
    page.write_text(text, encoding="utf-8")
