"""Answers as students write them: what the checks must accept, and what they must name.

Each lesson has a file `lesson_NN.txt`. A line `=== NAME` begins an exercise. An attempt is a heading, remarks,
and code:

    === rnn_step
    --- right: the two products in one
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        return activation(np.hstack([x_t, h_prev]) @ np.vstack([W_xh, W_hh]) + b_h)

    --- wrong: W_hh is used transposed
    says: W_hh, transpose
    in place of: h_prev @ W_hh
    write: h_prev @ W_hh.T

    --- wrong: returns a_t and h_t
    says: 2 values | 2 results
    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
        a_t = x_t @ W_xh + h_prev @ W_hh + b_h
        return a_t, activation(a_t)

says: words that a correct diagnosis contains, in any case. A comma means "and", a bar means "or" and binds less. They
    may stand in the diagnosis or, if there is none, in the sentence of the first row that fails ("row suffices").
    Without `says`, no diagnosis is expected: any that is given is listed as suspicious.
in place of, write: an edit of the lesson's own solution, instead of code; several pairs may follow one another.
    The first text must occur there exactly once; the second may be missing, which deletes it.

The code sees what a student's kernel has: the imports and definitions of the solved notebook.
`python -m tests.natural_attempts [LESSON or EXERCISE]` prints how many wrong attempts are named.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from autograde_tests import exercises, find
from rnn_helpers.checks import fixtures
from rnn_helpers.checks.evaluator import Report, judge
from tests.lesson_code import LESSONS, definitions, notebook

FOLDER = Path(__file__).parent
GRADE_SEED = 7  # any: the hidden inputs of these tests
NAMED, OTHER, NOTHING = "named", "another sentence", "nothing"
EDIT = re.compile(r"^in place of: (?P<old>.*)\n(?:write: (?P<new>.*)\n?)?", flags=re.MULTILINE)
SAYS = re.compile(r"^says: (.*)\n", flags=re.MULTILINE)


@dataclass(frozen=True)
class Attempt:
    """One answer: the exercise, what it does, its code, whether it is right, and the words that name its mistake."""

    lesson: str
    exercise: str
    title: str
    code: str
    right: bool
    says: list[list[str]] = field(default_factory=list)

    def solve(self) -> Callable:
        """Return the answer that the code defines."""
        filename = f"<{self.exercise}: {self.title}>"
        linecache.cache[filename] = (len(self.code), None, self.code.splitlines(keepends=True), filename)
        names = dict(definitions("solutions", self.lesson))
        exec(compile(self.code, filename, "exec"), names)
        return names[self.exercise]

    def names(self, sentence: str) -> bool:
        """Return whether a sentence contains the expected words."""
        return any(all(word in sentence.lower() for word in words) for words in self.says)


def read_attempts(path: Path) -> list[Attempt]:
    """Return the attempts of one file. Raises ValueError for one that cannot be read."""
    lesson = next(name for name in LESSONS if name.startswith(path.stem.removeprefix("lesson_")))
    attempts = []
    for section in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        exercise, _, text = section.partition("\n")
        for part in re.split(r"^--- ", text, flags=re.MULTILINE)[1:]:
            attempts.append(_attempt(lesson, exercise.strip(), part.strip() + "\n"))
    return attempts


def _attempt(lesson: str, exercise: str, text: str) -> Attempt:
    heading, _, body = text.partition("\n")
    kind, _, title = heading.partition(": ")
    if kind not in ("right", "wrong") or not title:
        raise ValueError(f"{exercise}: expected '--- right: TITLE' or '--- wrong: TITLE', got {heading!r}")
    says = SAYS.search(body)
    code = SAYS.sub("", body, count=1)
    edits = list(EDIT.finditer(code))
    if edits:
        code = _edited(solution(lesson, exercise), [(e["old"], e["new"] or "") for e in edits], title)
    words = [[word.strip().lower() for word in choice.split(",")] for choice in says[1].split("|")] if says else []
    return Attempt(lesson, exercise, title, code, kind == "right", words)


def _edited(code: str, edits: list[tuple[str, str]], title: str) -> str:
    for old, new in edits:
        if code.count(old) != 1:
            raise ValueError(f"{title}: {old!r} occurs {code.count(old)} times in the solution, expected once")
        code = code.replace(old, new)
    return code


@cache
def solution(lesson: str, exercise: str) -> str:
    """Return the source of the lesson's own solution of an exercise, without docstrings and nbgrader's comments."""
    for cell in notebook("solutions", lesson).cells:
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == exercise:
                    return _code_alone(ast.get_source_segment(cell.source, node) or "")
    raise ValueError(f"{lesson} defines no {exercise}")


def _code_alone(text: str) -> str:
    return re.sub(r'^ *(""".*?"""|### (BEGIN|END) SOLUTION)\n?', "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def all_attempts() -> list[Attempt]:
    """Return the attempts of all files."""
    return [attempt for path in sorted(FOLDER.glob("lesson_*.txt")) for attempt in read_attempts(path)]


def check_report(attempt: Attempt) -> Report:
    """Return what `check` reports."""
    return judge(attempt.solve(), fixtures.decode_task(attempt.exercise, fixtures.find(attempt.exercise)[1]))


def grade_report(attempt: Attempt) -> Report:
    """Return what the hidden tests report on one set of inputs."""
    task = find(attempt.exercise).task(np.random.default_rng(GRADE_SEED), hidden=True, draws=3)
    return judge(attempt.solve(), task)


def diagnosis(report: Report) -> str:
    """Return the sentence that names the mistake, or "" if the card shows only the row that fails."""
    return report.mistake


def row(report: Report) -> str:
    """Return the sentence of the first row that fails."""
    return report.problems[report.first_wrong].sentence if report.first_wrong else ""


def verdict(attempt: Attempt, report: Report) -> str:
    """Return whether the card names the mistake: NAMED, OTHER (it names another one) or NOTHING."""
    named = diagnosis(report)
    if attempt.names(named or row(report)):
        return NAMED
    return OTHER if named else NOTHING


def exercise_names() -> list[str]:
    """Return all exercises in the order of the course."""
    return [name for found in exercises().values() for name in found]
