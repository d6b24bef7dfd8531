"""The course in a real browser: lessons open in JupyterLab, run, answer, and their sliders move."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browser import LabPage, chromium, lab
from nbgrader_course import copy_course, solve
from selenium.webdriver.common.keys import Keys
from tiers import NIGHT

from autograde_tests import exercises

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

WITHOUT_BIAS = """\
def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(x_t @ W_xh + h_prev @ W_hh)"""
END_OF_LESSON = "table[aria-label='The course, and your progress']"
START_PAGE = ".jp-MarkdownViewer h1"
ERROR = "[data-mime-type='application/vnd.jupyter.stderr']"
POP_UP = ".Toastify__toast, .jp-Dialog"
SLIDER = ".noUi-handle[role='slider']"
TEXT_BOX = ".widget-text input"
TRAINING_S = 400  # a lesson that trains networks: 30 to 90 s when nothing else runs


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    return copy_course(tmp_path_factory.mktemp("browser") / "course")


@pytest.fixture(scope="module")
def page(course) -> Iterator[LabPage]:
    """JupyterLab as `make lab` starts it. Its screenshots go to $RNN_SCREENSHOTS, or beside the copy of the course."""
    screenshots = Path(os.environ.get("RNN_SCREENSHOTS", course.parent / "screenshots"))
    screenshots.mkdir(parents=True, exist_ok=True)
    print(f"Screenshots: {screenshots}")
    with chromium(course.parent / "profile") as driver, lab(course) as address:
        yield LabPage(driver, address, screenshots)


def run_solved(page: LabPage, course: Path, lesson: str, **answers: str) -> None:
    """Paste the solutions into the student's copy of a lesson, except where `answers` has another; open and run it."""
    solved = nbformat.read(course / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    marked = [cell for cell in solved.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    copy = f"work/{lesson}/{lesson}.ipynb"
    solve(course / copy, {cell.metadata.nbgrader.grade_id: cell.source for cell in marked} | answers)
    page.open(copy)
    page.run_all()


def tab(name: str) -> str:
    return f".lm-DockPanel-tabBar .lm-mod-current[title*='Name: {name}']"


def card(name: str) -> str:
    return f".rnn-card[aria-label^='{name}: ']"


def test_the_first_start_opens_the_start_page_and_asks_nothing(page):
    page.start()
    assert page.see(START_PAGE, picture="first_start").text == "Recurrent neural networks, step by step"
    assert [pop_up.text for pop_up in page.all(POP_UP)] == []
    assert page.all(".jp-Notebook") == []


def test_students_see_no_tools_of_instructors(page):
    page.start()
    page.see(START_PAGE)
    assert "Help" in [item.text for item in page.all(".lm-MenuBar-item")]
    shown = page.see("body").get_attribute("innerHTML")
    assert re.findall("Nbgrader|Formgrader|Create Assignment|Course List|Assignment List", shown) == []


def test_links_lead_from_the_start_page_to_the_lessons_and_back(page):
    page.start()
    page.follow("00 · Start here")
    assert page.see(".jp-NotebookPanel h1", picture="00_by_link").text.startswith("00 · ")
    page.see("a[href*='01_recurrence.ipynb']")
    page.follow("01 · The recurrence", within=".jp-NotebookPanel")
    page.see(tab("01_recurrence.ipynb"), picture="01_by_link")


def test_a_mistake_gets_its_sentence_and_no_page_of_traceback(page, course):
    run_solved(page, course, "01_recurrence", rnn_step=WITHOUT_BIAS)
    sentence = "You leave out the bias b_h."
    assert sentence in page.see(card("rnn_step"), picture="01_mistake").text
    page.see(ERROR)
    (error,) = [error.text for error in page.all(ERROR)]
    assert re.fullmatch(r"CheckFailed: rnn_step: .*", error), "more than this one line is shown"


def test_lesson_01_solved_passes_shows_its_states_and_validates(page, course):
    run_solved(page, course, "01_recurrence")
    page.see(END_OF_LESSON, picture="01_end")
    assert "passed" in page.see(card("rnn_step"), picture="01_pass").text
    states = [shown.get_attribute("aria-label") for shown in page.all(".rnn-card")]
    assert states == [f"{name}: passed" for name in exercises()["01_recurrence"]]
    assert page.all(ERROR) == []

    heat_map = page.see("img[alt^='Heat map of the states']", picture="01_heat_map")
    assert heat_map.get_property("naturalWidth") > 0
    page.see("img[alt*='At step 1 ']", picture="01_slider_1")
    page.see(SLIDER).send_keys(Keys.ARROW_RIGHT)
    page.see("img[alt*='At step 2 ']", picture="01_slider_2")

    page.press("Validate")
    assert "Success! Your notebook passes all the tests." in page.see(".jp-Dialog", picture="01_validate").text


def test_lesson_02_unrolls_as_far_as_its_slider_says(page, course):
    run_solved(page, course, "02_unrolling")
    page.see(END_OF_LESSON)
    assert page.all(ERROR) == []
    page.see("img[alt^='4 copies of one cell']", picture="02_slider_4")
    page.see(SLIDER).send_keys(Keys.ARROW_RIGHT)
    page.see("img[alt^='5 copies of one cell']", picture="02_slider_5")


def test_lesson_00_runs_to_its_end(page, course):
    run_solved(page, course, "00_start_here")
    page.see(END_OF_LESSON, picture="00_end")
    assert page.all(ERROR) == []
    assert "passed" in page.see(card("leaky_memory"), picture="00_pass").text
    page.follow("All lessons", within=".jp-NotebookPanel:not(.lm-mod-hidden)")
    page.see(START_PAGE)


def test_lesson_08_solved_passes_and_shows_nothing_of_tensorflows_log(page, course):
    run_solved(page, course, "08_keras")
    page.see(END_OF_LESSON, picture="08_end", within=TRAINING_S)
    states = [shown.get_attribute("aria-label") for shown in page.all(".rnn-card")]
    assert states == [f"{name}: passed" for name in exercises()["08_keras"]]
    assert [shown.text for shown in page.all(ERROR)] == []
    equation = page.see("img[alt^='h_t = tanh']", picture="08_weights")
    assert equation.get_property("naturalWidth") > 0


def read_once(lesson: Path) -> None:
    """Shorten the training of lesson 10, of which only the page is looked at here."""
    text = lesson.read_text(encoding="utf-8")
    assert "epochs = 20" in text
    lesson.write_text(text.replace("epochs = 20", "epochs = 1"), encoding="utf-8")


def test_lesson_10_guesses_after_the_word_that_is_typed_as_boldly_as_its_slider_says(page, course):
    if not NIGHT:
        read_once(course / "work/10_language_model/10_language_model.ipynb")
    run_solved(page, course, "10_language_model")
    page.see(END_OF_LESSON, within=TRAINING_S)
    assert [shown.text for shown in page.all(ERROR)] == []
    page.see("img[alt^=\"After 'the s' at temperature 0.5: \"]")
    page.see(TEXT_BOX, picture="10_start").send_keys(Keys.CONTROL + "a", Keys.NULL, "import", Keys.ENTER)
    page.see("img[alt^=\"After 'import' at temperature 0.5: \"]", picture="10_word")
    page.see(SLIDER).send_keys(Keys.ARROW_RIGHT)
    page.see("img[alt^=\"After 'import' at temperature 0.6: \"]", picture="10_slider")
