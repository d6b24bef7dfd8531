"""A check that trains a model says so at once, shows progress in a notebook and prints one line elsewhere."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise
from rnn_helpers import cards
from rnn_helpers.checks import fixtures, training_notice
from rnn_helpers.checks.training_notice import Blank, Notice, announce_training


class RecordingScreen:
    """A screen that keeps what it shows, and lets a test wait for the second thing."""

    shown: list
    updated: threading.Event

    def show(self, thing):
        self.shown.append(thing)
        if len(self.shown) > 1:
            self.updated.set()


@pytest.fixture
def screen(monkeypatch):
    RecordingScreen.shown, RecordingScreen.updated = [], threading.Event()
    monkeypatch.setattr(cards, "Screen", RecordingScreen)
    monkeypatch.setattr(cards, "running_shell", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(training_notice, "TICK", 0.001)
    return RecordingScreen


def test_a_notebook_shows_a_bar_that_moves_and_leaves_nothing(screen):
    with announce_training(8):
        assert isinstance(screen.shown[0], Notice)
        assert screen.updated.wait(timeout=60)
    assert screen.shown[1].elapsed > 0
    assert "takes about 8 seconds" in screen.shown[0]._repr_html_()
    assert "<progress max='8'" in screen.shown[0]._repr_html_()
    assert isinstance(screen.shown[-1], Blank)


def test_the_notice_goes_when_the_check_is_interrupted(screen):
    with pytest.raises(KeyboardInterrupt), announce_training(8):
        raise KeyboardInterrupt
    assert isinstance(screen.shown[-1], Blank)


def test_elsewhere_one_line_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(cards, "running_shell", lambda: None)
    with announce_training(8):
        assert capsys.readouterr().out == "This check trains a model, which takes about 8 seconds ...\n"
    assert capsys.readouterr().out == ""


def test_a_check_that_does_not_train_says_nothing(screen, capsys):
    with announce_training(0):
        pass
    assert screen.shown == []
    assert capsys.readouterr().out == ""


def test_the_fixtures_say_which_checks_train():
    known = {name: exercise for found in exercises().values() for name, exercise in found.items()}
    announced = {name: fixtures.decode_task(name, fixtures.find(name)[1]).seconds for name in known}
    assert {name for name, seconds in announced.items() if seconds} == {
        name for name, exercise in known.items() if isinstance(exercise, ClaimsExercise) and exercise.trains
    }
