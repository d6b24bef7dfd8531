"""Find the lessons' exercises: each module `lesson_NN_topic` lists its own in EXERCISES."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import autograde_tests
from autograde_tests.exercise import ClaimsExercise, Exercise

AnyExercise = Exercise | ClaimsExercise


@cache
def exercises() -> dict[str, dict[str, AnyExercise]]:
    """Return {lesson: {name: Exercise}} in course order."""
    names = sorted(module.name for module in pkgutil.iter_modules(autograde_tests.__path__))
    lessons = [name for name in names if name.startswith("lesson_")]
    return {name.removeprefix("lesson_"): _of_module(name) for name in lessons}


def _of_module(module: str) -> dict[str, AnyExercise]:
    return {exercise.name: exercise for exercise in import_module(f"autograde_tests.{module}").EXERCISES}


def find(name: str) -> AnyExercise:
    """Return the exercise called `name`. Raises KeyError, which lists all names, when there is none."""
    by_name = {exercise.name: exercise for lesson in exercises().values() for exercise in lesson.values()}
    if name not in by_name:
        raise KeyError(f"There is no exercise called {name!r}. The exercises are: {', '.join(by_name)}.")
    return by_name[name]
