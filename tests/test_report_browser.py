"""The class report in a real browser: nothing runs or loads; it is read on a phone, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import brightness, chromium, contrast
from feedback_pages import HOSTILE_HTML
from selenium import webdriver
from test_report import a_class, hostile_class, random_class

from nbjudge.report.model import Event, Finding
from nbjudge.report.page import page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
]
POLICY = '<meta http-equiv="Content-Security-Policy"'


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def driver(chrome: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    yield chrome
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def a_full_class(number: int) -> Any:
    """Return a class in which every part of the page has something to show."""
    room = random_class(number)
    for place, student in enumerate(room.students):
        student.seconds, student.isolation = 1.0 + place % 7, ["sandbox: landlock v4, seccomp; not in force: nothing"]
        student.findings = {room.exercises[place % 6]: Finding(f"a sentence {'that goes on ' * 20}{place % 9}", True)}
        student.repairs = ["The notebook began with a byte order mark; it was left out."] if place % 5 == 0 else []
        student.events = [Event("task_1_test", "died", "x" * 250)] if place % 4 == 0 else []
    return room


def open_page(driver: webdriver.Chrome, html: str, folder: Path, **screen: Any) -> list[str]:
    """Open the page and all that is folded on it, click its links, and return what it asked for beyond itself.

    screen: width in pixels, or what is emulated: media="print", features=[{"name": ..., "value": ...}]
    """
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    if "width" in screen:
        metrics = {"width": screen.pop("width"), "height": 800, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    if screen:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", screen)
    driver.get(file.as_uri())
    driver.execute_script("document.querySelectorAll('details').forEach(it => it.open = true)")
    driver.execute_script(
        "document.querySelectorAll('a[href], svg, td').forEach(it => it.dispatchEvent(new Event('click')))"
    )
    driver.execute_script("document.querySelectorAll('*').forEach(it => it.dispatchEvent(new Event('mouseover')))")
    names = driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    return [name for name in names if not name.startswith("data:")]


def style(driver: webdriver.Chrome, css: str, name: str) -> str:
    return str(driver.execute_script(f"return getComputedStyle(document.querySelector({css!r}))[{name!r}]"))


@pytest.mark.parametrize("policy", [True, False], ids=["with its policy", "escaped only"])
def test_nothing_of_a_hostile_class_runs_or_loads(driver: webdriver.Chrome, tmp_path: Path, policy: bool) -> None:
    html = page(hostile_class())
    assert POLICY in html
    if not policy:
        html = html.replace(POLICY, '<meta name="nothing"')
    assert open_page(driver, html, tmp_path) == []
    assert driver.title.startswith("Class report: ")
    assert driver.execute_script("return window.pwned") is None
    assert driver.execute_script("return document.scripts.length") == 0
    strangers = (
        "a[href^='javascript:'], a[href^='data:'], a[href^='http'], iframe, object, embed, form, input, link, base"
    )
    assert driver.execute_script(f'return document.querySelectorAll("{strangers}, video, img").length') == 0
    driver.save_screenshot(str(tmp_path / "hostile.png"))


def test_the_policy_alone_stops_what_would_run(driver: webdriver.Chrome, tmp_path: Path) -> None:
    open_page(driver, page(random_class(3)).replace("</main>", "".join(HOSTILE_HTML[:8]) + "</main>"), tmp_path)
    assert driver.execute_script("return document.scripts.length") > 0  # they are there
    assert driver.execute_script("return window.pwned") is None


@pytest.mark.parametrize("number", [1, 30, 130, 2000])
def test_on_a_phone_only_boxes_scroll_sideways(driver: webdriver.Chrome, tmp_path: Path, number: int) -> None:
    assert open_page(driver, page(a_full_class(number)), tmp_path, width=375) == []
    assert driver.execute_script("return innerWidth") == 375
    assert driver.execute_script("return document.documentElement.scrollWidth") == 375
    # What is wider than the page lies in a box that scrolls.
    wide = "[...document.querySelectorAll('main *')].filter(it => it.getBoundingClientRect().right > 376)"
    assert driver.execute_script(f"return {wide}.filter(it => !it.closest('.box')).length") == 0
    driver.save_screenshot(str(tmp_path / "phone.png"))


@pytest.mark.parametrize("width", [375, 900, 1300])
@pytest.mark.parametrize("exercises", [1, 6, 16])
def test_a_sign_says_that_the_map_scrolls_if_it_does(
    driver: webdriver.Chrome, tmp_path: Path, width: int, exercises: int
) -> None:
    open_page(driver, page(a_class([[1.0] * exercises] * 3, *[4.0] * exercises)), tmp_path, width=width)
    hidden = driver.execute_script("const it = document.querySelector('.wide'); return it.scrollWidth - it.clientWidth")
    assert (style(driver, ".sideways", "display") == "block") == (hidden > 0)


def test_a_hostile_class_stays_inside_a_phone_too(driver: webdriver.Chrome, tmp_path: Path) -> None:
    open_page(driver, page(hostile_class()), tmp_path, width=375)
    assert driver.execute_script("return document.documentElement.scrollWidth") == 375


def test_every_plot_is_seen_and_named(driver: webdriver.Chrome, tmp_path: Path) -> None:
    open_page(driver, page(a_full_class(30)), tmp_path)
    boxes = "[...document.querySelectorAll('svg')].map(it => it.getBoundingClientRect())"
    found = driver.execute_script(f"return {boxes}.map(it => [it.width, it.height])")
    assert len(found) == 4
    assert min(width for width, _ in found) > 350
    assert min(height for _, height in found) > 120
    roles = [it.aria_role for it in driver.find_elements("css selector", "svg")]
    assert set(roles) <= {"img", "image"}
    names = [it.accessible_name for it in driver.find_elements("css selector", "svg")]
    assert all(any(letter.isdigit() for letter in name) for name in names)


def test_in_the_dark_text_and_plots_are_light(driver: webdriver.Chrome, tmp_path: Path) -> None:
    html = page(a_full_class(30))
    seen = {}
    for theme in ("light", "dark"):
        open_page(driver, html, tmp_path, features=[{"name": "prefers-color-scheme", "value": theme}])
        seen[theme] = {
            "page": brightness(style(driver, "body", "background-color")),
            "text": brightness(style(driver, "body", "color")),
            "plot": brightness(style(driver, "svg text", "fill")),
            "link": brightness(style(driver, "nav a", "color")),
            "muted": brightness(style(driver, ".muted", "color")),
        }
    for part in ("text", "plot", "link", "muted"):
        assert contrast(seen["light"][part], seen["light"]["page"]) > 4.5, part
        assert contrast(seen["dark"][part], seen["dark"]["page"]) > 4.5, part
    assert seen["dark"]["page"] < 0.05 < 0.9 < seen["light"]["page"]


def test_numbers_in_the_map_can_be_read_on_their_colour(driver: webdriver.Chrome, tmp_path: Path) -> None:
    open_page(driver, page(a_class([[float(points)] for points in range(0, 101, 4)], 100)), tmp_path)
    read = """
        const cells = [...document.querySelectorAll('#map-QuadMesh_1 path, #map-QuadMesh_1 use')];
        const colours = cells.map(it => [getComputedStyle(it).fill, it.getBoundingClientRect()]);
        const texts = [...document.querySelectorAll('.wide svg text')].filter(it => /^[0-9]+$/.test(it.textContent));
        return texts.map(it => {
            const box = it.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
            const holds = r => r.x <= x && x <= r.right && r.y <= y && y <= r.bottom && r.height < 60;
            const under = colours.filter(([_, r]) => holds(r));
            return [it.textContent, getComputedStyle(it).fill, under.map(([colour, _]) => colour)];
        });
    """
    found = [(number, text, under) for number, text, under in driver.execute_script(read) if under]
    assert len(found) >= 26
    for number, text, under in found:
        assert max(contrast(brightness(text), brightness(colour)) for colour in under) > 4.0, number


def test_on_paper_nothing_is_cut_and_nothing_dark(driver: webdriver.Chrome, tmp_path: Path) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    open_page(driver, page(a_full_class(130)), tmp_path, media="print", features=features)
    assert style(driver, "nav", "display") == "none"
    assert style(driver, ".tall", "max-height") == "none"
    assert brightness(style(driver, "body", "color")) < 0.01
    assert brightness(style(driver, "body", "background-color")) > 0.95
    pdf = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(pdf["data"]) > 10_000
