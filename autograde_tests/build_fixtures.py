"""Write the fixture file behind `check`: the visible challenges of one lesson, with readable inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograde_tests.exercise import VISIBLE_SEED
from autograde_tests.registry import AnyExercise, exercises
from rnn_helpers.checks.fixtures import encode_task
from rnn_helpers.checks.written import encode_answer

LINE_DEPTH = 5  # lesson, exercise, case: deeper levels are written on one line


def lesson_fixture(lesson: str, written: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return the JSON text of one lesson's fixture file. Raises KeyError when there is no such lesson.

    written: the written questions: name -> {"criteria": [...], "answer": ...}
    """
    data: dict[str, Any] = {"lesson": lesson}
    data["exercises"] = {name: _exercise_data(exercise) for name, exercise in exercises()[lesson].items()}
    if written:
        data["written"] = {name: {**item, "answer": encode_answer(item["answer"])} for name, item in written.items()}
    return _text(data) + "\n"


def _exercise_data(exercise: AnyExercise) -> dict:
    task = exercise.task(np.random.default_rng(VISIBLE_SEED), hidden=False)
    return {"hints": list(exercise.hints), **encode_task(task)}


def _text(data: object, depth: int = 0) -> str:
    """Return JSON text with one line for each input and output, not for each number."""
    if depth == LINE_DEPTH or not isinstance(data, (dict, list)) or not data:
        return json.dumps(data, ensure_ascii=False)
    indent = " " * (depth + 1)
    if isinstance(data, dict):
        items = [f"{json.dumps(key)}: {_text(value, depth + 1)}" for key, value in data.items()]
    else:
        items = [_text(value, depth + 1) for value in data]
    opening, closing = "{}" if isinstance(data, dict) else "[]"
    return opening + "\n" + ",\n".join(indent + item for item in items) + "\n" + " " * depth + closing
