"""Read and write the fixture files behind `check`: inputs, expected outputs and the outputs of known mistakes.

The build writes one JSON file per lesson from `autograde_tests`, so that a student's machine can recognise a mistake
without containing the solution. Numbers are rounded to DIGITS decimals, so that the files are identical on every
machine and readable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rnn_helpers.bugs import CANDIDATES
from rnn_helpers.checks.evaluator import Case, Task
from rnn_helpers.checks.execution import Outcome

FOLDER = Path(__file__).parents[1] / "fixtures"
GENERATED = "generated"  # the folder in FOLDER with the fingerprints of generated mistakes
DIGITS = 9


def relu(a: np.ndarray) -> np.ndarray:
    """Return max(a, 0), element-wise."""
    return np.maximum(a, 0.0)


def sum_of_squares(x: np.ndarray) -> float:
    """Return sum x^2."""
    return float(np.sum(x**2))


def sum_of_cubes(x: np.ndarray) -> float:
    """Return sum x^3."""
    return float(np.sum(x**3))


def products(x: np.ndarray) -> float:
    """Return x_1 x_2 + x_2 x_3 + ..., in row-major order: each derivative depends on the neighbouring entries."""
    flat = x.ravel()
    return float(flat[:-1] @ flat[1:])


def swing_on(window: np.ndarray) -> float:
    """Forecast the next value of an oscillation from the last two."""
    return float(1.6 * window[-1] - 0.9 * window[-2])


def mean_of_all(window: np.ndarray) -> float:
    """Forecast the mean of the window."""
    return float(np.mean(window))


def oldest_first(window: np.ndarray) -> float:
    """Forecast with a weighted sum that favours the oldest value, so that the length and the first value matter."""
    return float(np.sum(window * 0.6 ** np.arange(1, len(window) + 1)))


def read_character(number: int, state: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Read one of nine characters with a small recurrent network: return (logits, new state), each (9,)."""
    h = np.zeros(9) if state is None else state
    places = np.arange(9)
    h = np.tanh(np.cos(np.outer(places + 1, places + 2)) @ h + np.sin((places + 2) * (number + 1)))
    return np.sin(3 * np.cos(np.outer(places + 1, 2 * places + 1)) @ h), h


def most_likely(logits: np.ndarray) -> int:
    """Return the index of the largest logit."""
    return int(np.argmax(logits))


def least_likely(logits: np.ndarray) -> int:
    """Return the index of the smallest logit."""
    return int(np.argmin(logits))


def text_model(number: int) -> Callable[[list[int]], np.ndarray]:
    """Return a function from a text, symbols from 0 to 4, to the probabilities of the next symbol, (5,)."""

    def next_probabilities(text: list[int]) -> np.ndarray:
        code = number + sum((position + 2) * (int(symbol) + 3) for position, symbol in enumerate(text))
        powers = np.exp(1.5 * np.cos(np.arange(1.0, 6.0) * (code + 1) + code * code))
        return powers / powers.sum()

    return next_probabilities


def predict_alone(xs: np.ndarray) -> np.ndarray:
    """Predict each sequence from its own inputs: (batch, steps, features) -> (batch,)."""
    steps, features = np.arange(1, xs.shape[1] + 1), np.arange(1, xs.shape[2] + 1)
    return np.tanh(0.5 * np.einsum("btf,t,f->b", xs, np.cos(steps), features) + xs[:, 0, 0] * xs[:, -1, -1])


def predict_from_neighbour(xs: np.ndarray) -> np.ndarray:
    """Predict each sequence from its own inputs and those of the sequence before it in the batch."""
    return predict_alone(xs) + np.sin(np.roll(xs, 1, axis=0)[:, -1, 0]) * xs[:, 0, -1]


def predict_from_reshaped(xs: np.ndarray) -> np.ndarray:
    """Predict after a reshape in place of a transposition, so that the sequences of a batch are mixed."""
    batch, steps, features = xs.shape
    return predict_alone(xs.reshape(steps, batch, features).transpose(1, 0, 2))


def predict_normalised(xs: np.ndarray) -> np.ndarray:
    """Predict after subtracting the mean of the batch, so that every output depends on all sequences."""
    return predict_alone(xs - xs.mean(axis=0)) + 0.1 * xs.sum(axis=(1, 2)) ** 2


def predict_from_first_step(xs: np.ndarray) -> np.ndarray:
    """Predict each sequence from its first step, and from nothing else."""
    features = np.arange(1, xs.shape[2] + 1)
    return np.sin(xs[:, 0] @ features) + (xs[:, 0] ** 2).sum(axis=1)


PREDICTORS = (predict_alone, predict_from_neighbour, predict_from_reshaped, predict_normalised, predict_from_first_step)
TEXT_MODELS = {f"text_model_{number}": text_model(number) for number in range(60)}

# Functions that fixture files refer to by name.
FUNCTIONS: dict[str, Callable] = {
    "tanh": np.tanh,
    "relu": relu,
    "sum_of_squares": sum_of_squares,
    "sum_of_cubes": sum_of_cubes,
    "products": products,
    "swing_on": swing_on,
    "mean_of_all": mean_of_all,
    "oldest_first": oldest_first,
    "read_character": read_character,
    "most_likely": most_likely,
    "least_likely": least_likely,
    **{predict.__name__: predict for predict in PREDICTORS},
    **TEXT_MODELS,
    **CANDIDATES,
}


class FixtureError(RuntimeError):
    """Raised when a fixture file is missing or damaged; the message names it and says how to restore it."""


class UnknownExerciseError(KeyError):
    """Raised when there is no exercise of a name; the message suggests the closest names."""


def encode(value: Any) -> Any:  # noqa: PLR0911 (one return for each kind of value)
    """Return `value` (arrays, tuples, dicts, numbers, text, FUNCTIONS) as JSON data, rounded to DIGITS decimals."""
    if isinstance(value, np.ndarray):
        return {"array": encode(value.tolist()), "dtype": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    if callable(value):
        return {"function": next(name for name, function in FUNCTIONS.items() if function is value)}
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0 if math.isfinite(value) else {"float": str(value)}
    return value


def decode(data: Any) -> Any:  # noqa: PLR0911 (one return for each kind of value)
    """Return the value that `encode` turned into `data`."""
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    ((kind, content), *_) = data.items()
    if kind == "array":
        return np.array(decode(content), dtype=data["dtype"]).reshape(data["shape"])
    if kind == "tuple":
        return tuple(decode(item) for item in content)
    if kind == "dict":
        return {key: decode(item) for key, item in content.items()}
    if kind == "function":
        return FUNCTIONS[content]
    return float(content)


def encode_task(task: Task) -> dict:
    """Return a Task as JSON data."""
    return {
        "points": task.points,
        "parameters": task.parameters,
        "tolerance": task.tolerance,
        "probe": task.probe,
        "not_allowed": list(task.not_allowed),
        "lists": task.lists,
        **({"edges": list(task.edges)} if task.edges else {}),
        **({"least": task.least} if task.least > 1 else {}),
        **({"together": True} if task.together else {}),
        **({"seconds": task.seconds} if task.seconds else {}),
        "sentences": task.sentences,
        "cases": [_encode_case(case) for case in task.cases],
    }


def _encode_case(case: Case) -> dict:
    mistakes = [
        {"error": outcome.error}
        if outcome.error
        else {"value": encode(outcome.value), "changed": list(outcome.changed)}
        for outcome in case.mistakes
    ]
    return {"title": case.title, "args": encode(case.args), "expected": encode(case.expected), "mistakes": mistakes}


def decode_task(name: str, data: dict) -> Task:
    """Return the Task that `encode_task` turned into `data`."""
    cases = [
        Case(
            case["title"],
            decode(case["args"]),
            decode(case["expected"]),
            [_decode_outcome(m) for m in case["mistakes"]],
        )
        for case in data["cases"]
    ]
    return Task(
        name=name,
        points=data["points"],
        cases=cases,
        sentences=data["sentences"],
        parameters=data["parameters"],
        tolerance=data["tolerance"],
        probe=data["probe"],
        not_allowed=tuple(data["not_allowed"]),
        lists=data["lists"],
        edges=tuple(data.get("edges", ())),
        least=data.get("least", 1),
        together=data.get("together", False),
        seconds=data.get("seconds", 0),
        visible=True,
    )


def _decode_outcome(data: dict) -> Outcome:
    return Outcome(value=decode(data.get("value")), error=data.get("error", ""), changed=tuple(data.get("changed", ())))


@cache
def _read_text(path: Path, _modified: int) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def _read_exercises(path: Path, modified: int) -> dict:
    data = _read_fixture(path, modified)
    return {name: data["exercises"][name] for name in data["exercises"]}


@cache
def _read_fixture(path: Path, modified: int) -> dict[str, dict]:
    try:
        data = json.loads(_read_text(path, modified))
        return {"exercises": dict(data["exercises"]), "written": dict(data.get("written", {}))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FixtureError(
            f"The file {path} cannot be read ({type(error).__name__}: {error}). "
            "Put it back with `git checkout -- rnn_helpers/fixtures`, or install the course again."
        ) from error


def lessons() -> dict[str, dict[str, dict]]:
    """Return {lesson: {exercise: its JSON data}} in course order. Raises FixtureError naming a damaged file."""
    return {path.stem: _read_exercises(path, modified) for path, modified in _fixture_files()}


def _fixture_files() -> list[tuple[Path, int]]:
    """Return the fixture files of all lessons with their modification times."""
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        raise FixtureError(
            f"There are no fixture files in {FOLDER}. `make build` writes them; or install the course again."
        )
    return [(path, path.stat().st_mtime_ns) for path in files]


def find(name: str) -> tuple[str, dict]:
    """Return (lesson, data) of one exercise. Raises UnknownExerciseError when there is none."""
    for path, modified in _fixture_files():
        # Searching the text is much faster than decoding it.
        if f'"{name}"' in _read_text(path, modified) and name in _read_exercises(path, modified):
            return path.stem, _read_exercises(path, modified)[name]
    names = [exercise for exercises in lessons().values() for exercise in exercises]
    raise UnknownExerciseError(_unknown_exercise(name, names))


def find_written(name: str) -> tuple[str, str, dict] | None:
    """Return (lesson, name, criteria and model answer) of a written question, or None if there is none."""
    for path, modified in _fixture_files():
        if f'"{name}"' in _read_text(path, modified) and name in (written := _read_fixture(path, modified)["written"]):
            return path.stem, name, written[name]
    return None


def find_generated(name: str) -> dict:
    """Return the generated mistakes of an exercise, or {} if there are none or their file cannot be read."""
    try:
        lesson, _ = find(name)
        return dict(_generated(FOLDER / GENERATED / f"{lesson}.json").get(name, {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # the checks work without them


@cache
def _generated(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))["exercises"] if path.exists() else {}


def _unknown_exercise(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=2, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}?" if near else "progress() lists the exercises of every lesson."
    return f"There is no exercise called {name!r}. {advice}"
