"""JupyterLab as a student sees it: `python -m tools.lab` in a copy of the course, and its page in headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from nbgrader_course import surroundings
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_S = 120  # far more than anything here needs, on a busy machine too
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --window-size=1400,1000"
)


@contextmanager
def lab(course: Path) -> Iterator[str]:
    """Run `python -m tools.lab` in `course`, where all that it writes stays; yield the address that it prints."""
    home, log = course / ".home", course / ".lab.log"
    places = {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "IPYTHONDIR": str(home / "ipython")}
    environment = surroundings(course, **places, PYTHONPATH=str(course), BROWSER="none", JUPYTER_PORT="0")
    command = [sys.executable, "-m", "tools.lab"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd=course, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        address = next((line.strip() for line in process.stdout if line.startswith("http")), None)
        assert address, f"JupyterLab ended without an address:\n{log.read_text()}"
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


@contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """Run the system's Chromium, headless, with a new profile in the folder `profile`; without one, skip the test."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        # CI installs Chromium: a skip there would hide that nobody looked.
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("no Chromium with its driver on the PATH; on Debian: sudo apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    # The driver is named, so that selenium does not look for one on the network.
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def brightness(colour: str) -> float:
    """Return the relative luminance of rgb(...), as WCAG 2 defines it."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : colour.index(")")].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, two: float) -> float:
    """Return the contrast ratio of two luminances, as WCAG 2 defines it."""
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)


class LabPage:
    """A page of JupyterLab: what a student does on it, and what can be seen on it."""

    def __init__(self, driver: webdriver.Chrome, address: str, screenshots: Path):
        self.driver, self.address, self.screenshots = driver, address, screenshots
        self.workspaces = count(1)

    def start(self) -> None:
        """Open the address that `make lab` printed."""
        self.driver.get(self.address)

    def follow(self, text: str, within: str = ".jp-MarkdownViewer") -> None:
        """Click the link with this text, which is inside of an element."""
        path = (By.XPATH, f".//a[normalize-space()='{text}']")

        def clicked(driver: webdriver.Chrome) -> bool:
            link = driver.find_element(By.CSS_SELECTOR, within).find_element(*path)
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
            link.click()
            return True

        self._wait(clicked, f"the link {text!r}")

    def open(self, notebook: str) -> None:
        """Open a notebook, named as the server sees it, in a workspace of its own: without the tabs of the last."""
        server, _, rest = self.address.partition("/lab/")
        workspace = next(self.workspaces)
        self._get(f"{server}/lab/workspaces/{workspace}/tree/{notebook}?{rest.partition('?')[2]}")

    def _get(self, address: str) -> None:
        """Open an address, and wait for the notebook's kernel."""
        self.driver.get(address)
        notebook = (By.CSS_SELECTOR, ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell .jp-InputArea-prompt")
        # The status bar tells it; the circle beside the kernel's name is idle before there is a kernel, too.
        idle = (By.XPATH, "//*[contains(@class, 'jp-StatusBar-TextItem') and contains(., '| Idle')]")

        def ready(driver: webdriver.Chrome) -> bool:
            # A headless page may have no focus, and JupyterLab tells nothing of a notebook that has none: click it,
            # again if it is drawn anew.
            driver.find_element(*notebook).click()
            return bool(driver.find_elements(*idle))

        self._wait(ready, "a notebook with an idle kernel")

    def run_all(self) -> None:
        """Choose Run > Run All Cells."""
        next(item for item in self.all(".lm-MenuBar-item") if item.text == "Run").click()
        entry = (By.CSS_SELECTOR, ".lm-Menu-item[data-command='runmenu:run-all']")

        def chosen(driver: webdriver.Chrome) -> bool:
            driver.find_element(*entry).click()
            return True

        self._wait(chosen, "Run All Cells")

    def press(self, label: str) -> None:
        """Press the button of the notebook's toolbar that has this label."""
        next(item for item in self.all(".jp-ToolbarButtonComponent-label") if item.text == label).click()

    def see(self, css: str, picture: str = "", within: float = PATIENCE_S) -> WebElement:
        """Wait for the element, bring it into view, save its picture under that name, and return it."""

        def in_view(driver: webdriver.Chrome) -> WebElement:
            element = presence_of_element_located((By.CSS_SELECTOR, css))(driver)
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
            return element

        element = self._wait(in_view, css, within)
        if picture:
            self._save(picture)
        return element

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def _wait(self, condition: Callable[[webdriver.Chrome], Any], wanted: str, within: float = PATIENCE_S) -> Any:
        # JupyterLab may draw an element anew between being seen and being used.
        passing = (StaleElementReferenceException, ElementClickInterceptedException, ElementNotInteractableException)
        try:
            return WebDriverWait(self.driver, within, ignored_exceptions=passing).until(condition)
        except TimeoutException:
            self._save("not_seen")
            raise AssertionError(f"{wanted} is not on the page; see {self.screenshots / 'not_seen.png'}") from None

    def _save(self, picture: str) -> None:
        self.driver.save_screenshot(str(self.screenshots / f"{picture}.png"))
