"""A plugin that names the tests which need a class, a browser or an installation, for test_tiers.py."""

import pytest

MARKS = {"nbgrader", "browser", "install"}
PREFIX = "expensive: "


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        if any(mark.name in MARKS for mark in item.iter_markers()):
            print(f"{PREFIX}{item.nodeid}")
