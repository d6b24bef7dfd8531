"""The page of feedback in a real browser: nothing of it runs, nothing of it loads, and it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import brightness, chromium, contrast
from feedback_pages import ABOUT, HOSTILE_HTML, honest_notebook, hostile_notebook
from selenium import webdriver

from nbjudge.feedback.exporter import page
from nbjudge.feedback.rendering import Limits

LIMITS = Limits(text=20_000, outputs=40, html=2_000_000, images=3_000_000)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
]
POLICY = '<meta http-equiv="Content-Security-Policy"'


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def open_page(driver: webdriver.Chrome, html: str, folder: Path) -> list[str]:
    """Open the page, click all that can be clicked, and return what it asked for beyond itself."""
    file = folder / "feedback.html"
    file.write_text(html, encoding="utf-8")
    driver.get(file.as_uri())
    # An ordinary link is harmless, but a click on it would leave the page that is looked at.
    links = "a[href]:not([href^='http']), summary, main img"
    driver.execute_script(f'document.querySelectorAll("{links}").forEach(it => it.click())')
    driver.execute_script("document.querySelectorAll('*').forEach(it => it.dispatchEvent(new Event('mouseover')))")
    names = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    return [name for name in names if not name.startswith("data:")]


@pytest.mark.parametrize("policy", [True, False], ids=["with its policy", "sanitised only"])
def test_nothing_in_a_hostile_notebook_runs_or_loads(driver: webdriver.Chrome, tmp_path: Path, policy: bool) -> None:
    html = page(hostile_notebook(), ABOUT, LIMITS)
    assert POLICY in html
    if not policy:
        html = html.replace(POLICY, '<meta name="nothing"')
    asked = open_page(driver, html, tmp_path)
    assert driver.title == "Feedback: 01_tiny"
    assert driver.execute_script("return window.pwned") is None
    assert asked == []
    assert driver.execute_script("return document.scripts.length") == 0
    allowed = "a[href^='javascript:'], a[href^='data:'], iframe, object, embed, form, input, link, base, svg, video"
    assert driver.execute_script(f'return document.querySelectorAll("{allowed}").length') == 0
    assert driver.execute_script("return document.querySelectorAll('[id=cell-0]').length") == 1


def test_the_policy_alone_stops_what_would_run(driver: webdriver.Chrome, tmp_path: Path) -> None:
    html = page(hostile_notebook(), ABOUT, LIMITS).replace("</main>", "".join(HOSTILE_HTML[:8]) + "</main>")
    open_page(driver, html, tmp_path)
    assert driver.execute_script("return document.scripts.length") > 0  # they are there
    assert driver.execute_script("return window.pwned") is None


def test_without_either_the_attacks_do_run(driver: webdriver.Chrome, tmp_path: Path) -> None:
    attacks = "".join(HOSTILE_HTML[:3])
    open_page(driver, f"<!DOCTYPE html><html><body>{attacks}</body></html>", tmp_path)
    assert driver.execute_script("return window.pwned") >= 1


def test_formulas_are_set_in_the_embedded_font(driver: webdriver.Chrome, tmp_path: Path) -> None:
    states = "document.fonts.ready.then(fonts => arguments[0]([...fonts].map(font => font.status)))"
    html = page(honest_notebook(), ABOUT, LIMITS)
    assert open_page(driver, html, tmp_path) == []
    assert driver.execute_async_script(states) == ["loaded"]  # a font that no text needs stays unloaded
    open_page(driver, html.replace(" font-src data:;", ""), tmp_path)
    assert driver.execute_async_script(states) == ["error"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways_and_text_in_contrast(
    driver: webdriver.Chrome, tmp_path: Path, theme: str
) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    notebook = honest_notebook()
    notebook.cells[3].metadata.nbgrader.grade_id = f"{'a_long_name_' * 8}test"
    open_page(driver, page(notebook, ABOUT, LIMITS), tmp_path)
    assert driver.execute_script("return document.documentElement.scrollWidth") == 390
    assert driver.execute_script("return document.querySelector('.output img').getBoundingClientRect().right") <= 390
    colours = "const it = getComputedStyle(document.querySelector(arguments[0])); return [it.color, it.backgroundColor]"
    page_colour = driver.execute_script(colours, "body")[1]
    assert (brightness(page_colour) < 0.05) == (theme == "dark")
    for text in (
        "body",
        ".contents a",
        ".limit, .contents thead th",
        ".contents .lost .score",
        ".rnn-card code",
        "math",
    ):
        assert contrast(brightness(driver.execute_script(colours, text)[0]), brightness(page_colour)) > 4.5, text
    for text, box in (
        (".highlight .k", ".highlight"),
        (".told", ".told"),
        (".bar", ".bar"),
        ("pre.error", "pre.error"),
    ):
        shown, behind = driver.execute_script(colours, text)[0], driver.execute_script(colours, box)[1]
        assert contrast(brightness(shown), brightness(behind)) > 4.5, text


def test_formulas_cards_and_tables_are_shown_without_a_script(driver: webdriver.Chrome, tmp_path: Path) -> None:
    assert open_page(driver, page(honest_notebook(), ABOUT, LIMITS), tmp_path) == []
    heights = (
        "return [...document.querySelectorAll('math, .rnn-card, .dataframe, .output img')].map(it => it.offsetHeight"
    )
    assert len(driver.execute_script(f"{heights} || it.getBoundingClientRect().height)")) == 6
    assert min(driver.execute_script(f"{heights} || it.getBoundingClientRect().height)")) > 10
    edge = "return getComputedStyle(document.querySelector('.rnn-card')).borderLeftWidth"
    assert driver.execute_script(edge) == "5px"
    driver.save_screenshot(str(tmp_path / "honest.png"))
