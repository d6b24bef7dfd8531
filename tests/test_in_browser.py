"""The helpers inside a browser, where Python runs on WebAssembly and JupyterLite keeps the files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rnn_helpers import environment
from rnn_helpers.checks import progress
from rnn_helpers.checks.evaluator import Report


@pytest.fixture
def browser(monkeypatch, tmp_path) -> Path:
    """Pretend to run in a browser; return the folder of the files that it keeps, which does not exist yet."""
    files = tmp_path / "drive"
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.delenv("RNN_COURSE_PROGRESS", raising=False)
    for module in (environment, progress):
        monkeypatch.setattr(module, "BROWSER_FILES", files)
    return files


REPORT = Report("rnn_step", results={"one step": True}, problems={}, points=3.0)


def test_check_environment_speaks_about_the_browser(browser, capsys):
    browser.mkdir()
    assert environment.check_environment()
    printed = capsys.readouterr().out
    assert f"Python      3.{sys.version_info[1]}, in your browser" in printed
    assert "Your work is kept in this browser" in printed
    for word in ("jupyterlab", "tensorflow", "make lab", "the course needs"):
        assert word not in printed


def test_a_browser_that_stores_nothing_says_so_at_the_start_and_below_a_card(browser, capsys):
    assert environment.check_environment()
    assert "This browser stores nothing for this site" in capsys.readouterr().out
    sentence = progress.record("01_recurrence", "rnn_step", REPORT)
    assert sentence.startswith("Your answer counts, but progress() cannot keep it in this browser")
    assert "private browsing" in sentence
    assert "RNN_COURSE_PROGRESS" not in sentence


def test_a_missing_package_is_loaded_by_loading_the_page_again(browser, capsys, monkeypatch):
    monkeypatch.setattr(environment, "REQUIRED", ("numpy", "no-such-package"))
    assert not environment.check_environment()
    assert "no-such-packagemissing" in capsys.readouterr().out.replace(" ", "")


def test_progress_is_among_the_files_that_survive_a_reload(browser):
    browser.mkdir()
    assert progress.record("01_recurrence", "rnn_step", REPORT) == ""
    assert progress.read_states(browser / progress.NAME) == {("01_recurrence", "rnn_step"): (1, 1)}


def test_importing_keras_says_in_one_sentence_that_it_needs_another_machine():
    code = "import sys; sys.platform = 'emscripten'; from rnn_helpers.quietly import keras"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "TensorFlow does not run in a browser. Skip this cell" in done.stderr.splitlines()[-1]
    sentence = "TensorFlow does not run in a browser."
    assert environment.UnavailableHereError(sentence)._render_traceback_() == [sentence]
