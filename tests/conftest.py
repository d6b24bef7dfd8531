"""What several test files share: a tiny course to build, and an environment without leftovers."""

import os
from pathlib import Path

import pytest
from process_state import *  # noqa: F403  (pytest finds fixtures by their names here)

from tools.build import build, lesson_names

TINY_LESSON = '''\
# %% [markdown]
# # Doubling
#
# Twice as much.

# %% nbgrader={"grade_id": "double", "solution": true}
def double(x):
    """Return 2 x."""
    ### BEGIN SOLUTION
    twice = 2 * x
    return twice
    ### END SOLUTION


# %% nbgrader={"grade_id": "double_test", "grade": true, "locked": true, "points": 15}
assert double(2) == 4
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(double)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "why", "grade": true, "solution": true, "points": 5}
# Because two is one and one.
'''


class TinyCourse:
    """A course of one lesson in a folder of its own, and how to change it."""

    exercises = {"01_tiny": {"double": 15.0}}

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write_source(TINY_LESSON)

    def write_source(self, text: str, lesson: str = "01_tiny") -> None:
        (self.root / "source").mkdir(exist_ok=True)
        (self.root / "source" / f"{lesson}.py").write_text(text, encoding="utf-8")

    def build(self) -> list[str]:
        return [name for lesson in lesson_names(self.root) for name in build(self.root, lesson, self.fixture)]

    def fixture(self, lesson: str) -> dict[str, str]:
        return {f"{lesson}.json": f'{{"lesson": "{lesson}"}}\n'}

    def file(self, folder: str, lesson: str = "01_tiny") -> Path:
        return self.root / folder / lesson / f"{lesson}.ipynb"

    def replace(self, folder: str, old: str, new: str) -> None:
        """Change the text of the built notebook in `folder`, which must hold `old`."""
        text = self.file(folder).read_text(encoding="utf-8")
        assert old in text
        self.file(folder).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path) -> TinyCourse:
    return TinyCourse(tmp_path)


@pytest.fixture
def clean_environ() -> dict[str, str]:
    """The environment for a command that must find only what is installed beside it."""
    left_out = ("PYTHONPATH", "JUPYTER", "NBGRADER", "RNN_COURSE", "VIRTUAL_ENV", "MAKE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


@pytest.hookimpl(trylast=True)  # after the tests that -m leaves out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long first: each runs on one worker, and the last one should keep nobody waiting."""
    marks = {"slow", "nbgrader", "browser", "install", "hub"}
    long = {item.path for item in items if any(mark.name in marks for mark in item.iter_markers())}
    items.sort(key=lambda item: item.path not in long)
