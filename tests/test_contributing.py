"""The worked example of CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
