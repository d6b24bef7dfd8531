"""The worked example of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbgrader_course import copy_course

from autograde_tests.exercise import Exercise
from rnn_helpers.checks.evaluator import judge

TEXT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def energy() -> Exercise:
    names: dict[str, Any] = {}
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(block, names)
    return names["energy"]


def test_the_example_tells_its_mistakes_apart(energy: Exercise) -> None:
    for seed in range(50):
        task = energy.task(np.random.default_rng(seed), hidden=True)
        assert [judge(m.solve, task).mistake for m in energy.mistakes] == [m.sentence for m in energy.mistakes]
        assert all(judge(style, task).passed for style in energy.styles)


def test_the_example_solution_is_right_and_worth_what_the_cell_says(energy: Exercise) -> None:
    solution = re.search(r"### BEGIN SOLUTION\n\s+return (.*)\n", TEXT)
    points = re.search(r'"energy_test".*"points": (\d+)', TEXT)
    assert solution
    assert points
    answer = eval(f"lambda hs: {solution[1]}")
    assert judge(answer, energy.task(np.random.default_rng(0), hidden=True)).points == float(points[1])


def insert(file: Path, text: str, *, above: str) -> None:
    """Insert text above the first line that starts with `above`."""
    content = file.read_text(encoding="utf-8")
    place = re.search(rf"^{re.escape(above)}", content, re.MULTILINE)
    assert place, f"{file.name} has no line {above!r}"
    file.write_text(content[: place.start()] + text + content[place.start() :], encoding="utf-8")


@pytest.mark.slow
def test_the_example_passes_the_checks_as_it_is_printed(tmp_path: Path) -> None:
    course = copy_course(tmp_path / "course")
    cells, points = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    source, tests = course / "source/01_recurrence.py", course / "autograde_tests/lesson_01_recurrence.py"
    insert(source, f"{cells}\n", above="# %% [markdown]\n# ## Further reading")
    insert(tests, f"\n{code[code.index('def ') :]}\n", above="EXERCISES = ")
    for file, before, after in (
        (tests, "SimpleRNN]\n", "SimpleRNN, energy]\n"),
        (course / "tools/lint.py", 'POINTS = {"00_start_here": 2}  # every other lesson: 20\n', points),
    ):
        content = file.read_text(encoding="utf-8")
        assert before in content
        file.write_text(content.replace(before, after), encoding="utf-8")
    environ = os.environ | {"PYTHONPATH": str(course)}
    for command in (["tools.build", "01_recurrence"], ["tools.check"]):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=course, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
