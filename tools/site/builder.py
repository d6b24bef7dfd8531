"""Build the site: prepare the pages, let Sphinx render them, add JupyterLite, search for solutions, publish."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools.lint import Lesson, read_lessons
from tools.site.accessibility import correct_pages
from tools.site.browser_lessons import build_browser_lessons
from tools.site.colab import write_colab_notebooks
from tools.site.execution import OutputCache
from tools.site.leaks import require_no_leak, secret_lines
from tools.site.pages import (
    COLAB,
    equations_page,
    further_reading,
    lesson_page,
    list_of_lessons,
    number_ranges,
    runs_in_browser,
    table_of_lessons,
    write_page,
)

BROWSER = "browser"  # the folder of JupyterLite on the site
EQUATIONS = "rnn_helpers/checks/equations.md"


class SiteError(Exception):
    """Raised when the site cannot be built; the message says why and what to do."""


def build_site(root: Path, lessons: list[Lesson], build: Path, site: Path, *, book_only: bool = False) -> None:
    """Write the website of these lessons to `site`; `build` keeps outputs and what Sphinx has read.

    book_only: leave out the lessons that run in the browser
    Raises ExecutionError, SiteError, BrowserLessonsError or LeakError; then `site` is what it was before.
    """
    pages, html = build / "pages", build / "html"
    in_browser = [] if book_only else [lesson for lesson in lessons if runs_in_browser(lesson)]
    write_pages(root, lessons, in_browser, OutputCache(root, build / "outputs"), pages)
    render(pages, html, build / "doctrees")
    write_colab_notebooks(root, lessons, html / COLAB)
    if in_browser:
        build_browser_lessons(root, in_browser, build / "jupyterlite", html / BROWSER)
    print("Searching the pages for solutions and hidden tests.", flush=True)
    require_no_leak(html, secret_lines(read_lessons(root)))
    publish(html, site)


def write_pages(root: Path, lessons: list[Lesson], in_browser: list[Lesson], cache: OutputCache, folder: Path) -> None:
    """Write the Sphinx project: the pages of website/ with their lists filled in, and one notebook for each lesson."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(root / "website", folder, ignore=shutil.ignore_patterns("__pycache__"))
    _fill_in(folder / "index.md", {"TABLE_OF_LESSONS": table_of_lessons(lessons), "LESSONS": list_of_lessons(lessons)})
    browser_notes = (root / "website" / "browser" / "about.md").read_text(encoding="utf-8") if in_browser else ""
    _fill_in(
        folder / "running.md", {"IN_BROWSER": browser_notes.replace("% LESSONS_IN_BROWSER", number_ranges(in_browser))}
    )
    (folder / "further_reading.md").write_text(further_reading(lessons), encoding="utf-8")
    equations = (root / EQUATIONS).read_text(encoding="utf-8")
    (folder / "equations.md").write_text(equations_page(equations, lessons), encoding="utf-8")
    names = [lesson.name for lesson in lessons]
    for number, lesson in enumerate(lessons, start=1):
        begin, is_new = time.monotonic(), not cache.is_cached(lesson)
        where = f"[{number}/{len(lessons)}] {lesson.name}"
        if is_new:
            print(f"{where}: executing", flush=True)
        address = f"../{BROWSER}/lab/index.html?path={lesson.name}/{lesson.name}.ipynb" if lesson in in_browser else ""
        page = lesson_page(lesson, cache.outputs(lesson), names, address)
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
