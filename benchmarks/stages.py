"""Measure the stages of grading: wall time, and processor time of the grader and of the processes that it forks.

`python -m benchmarks.stages LESSON`, in the folder of a course, grades the lesson's submissions one at a time in one
process, so that every second belongs to one stage, then writes their feedback, and prints the costs as JSON.
`rnn-course grade` goes through the same stages, with several submissions at once.
"""

from __future__ import annotations

import functools
import gc
import inspect
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

CLOCKS = ("wall", "grader", "fork servers", "kernels", "judges")
CANARIES, ONCE = "canaries: ", "once: "  # beginnings of the stages that are not repeated for each submission
JUDGE, OTHER = "judge", "other"

Costs = dict[str, dict[str, float]]  # {stage: {clock: seconds}}


class Stages:
    """Attributes time to the innermost active stage."""

    def __init__(self) -> None:
        self.costs: Costs = defaultdict(lambda: dict.fromkeys(CLOCKS, 0.0))
        self.prefix = ONCE
        self._active = [OTHER]
        self._forked: dict[tuple[str, int], float] = {}  # {(clock, process): seconds}, also of those that have ended
        self._last = self._read_clocks()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Attribute the time in this context to a stage, except that in inner stages."""
        self.advance()
        if JUDGE in self._active and name != JUDGE:
            name = f"second kernel: {name}"
        self._active.append(name)
        try:
            yield
        finally:
            self.advance()
            self._active.remove(name)  # stages that are active at the same time have the same name

    def advance(self) -> None:
        """Attribute the time since the last call to the active stage."""
        now = self._read_clocks()
        for clock in CLOCKS:
            self.costs[self.prefix + self._active[-1]][clock] += now[clock] - self._last[clock]
        self._last = now

    def time(self, owner: Any, method: str, name: str, prefix: str | None = None) -> None:
        """Replace a function, method or coroutine by one that is a stage; prefix: for the stages in it."""
        original: Callable[..., Any] = getattr(owner, method)

        @functools.wraps(original)
        async def timed_coroutine(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return await original(*args, **kwargs)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.advance()
            outer = self.prefix
            if prefix is not None and outer != CANARIES:
                self.prefix = prefix
            try:
                with self.stage(name):
                    return original(*args, **kwargs)
            finally:
                self.prefix = outer

        setattr(owner, method, timed_coroutine if inspect.iscoroutinefunction(original) else timed)

    def _read_clocks(self) -> dict[str, float]:
        """Return the wall time and the processor time so far of each kind of process, in seconds."""
        from nbjudge.forkserver import client
        from nbjudge.judge.process import PURPOSE

        for purpose, (_, zygote) in list(client._current.items()):
            kind = "judges" if purpose == PURPOSE else "kernels"
            with suppress(psutil.NoSuchProcess):
                times = psutil.Process(zygote.pid).cpu_times()
                children = times.children_user + times.children_system
                for pid in list(zygote._children):
                    with suppress(psutil.NoSuchProcess):
                        child = psutil.Process(pid).cpu_times()
                        children += child.user + child.system
                self._forked["fork servers", zygote.pid] = times.user + times.system
                self._forked[kind, zygote.pid] = children
        forked = {name: sum(s for (clock, _), s in self._forked.items() if clock == name) for name in CLOCKS[2:]}
        return {"wall": time.monotonic(), "grader": time.process_time(), **forked}


def main() -> None:
    """Grade and write feedback, and print the costs."""
    from nbjudge.patches import skip_rfc3987

    skip_rfc3987()
    stages = Stages()
    with stages.stage("imports and settings"):
        from nbgrader.converters import GenerateFeedback
        from nbgrader.coursedir import CourseDirectory

        import nbjudge

        settings = nbjudge.load_settings(Path.cwd())
        course = CourseDirectory(config=settings, assignment_id=sys.argv[1])
        grading = nbjudge.Grading(coursedir=course, config=settings)
        gc.freeze()
    _instrument(stages)
    stages.prefix = ""
    grading.force, grading.cache_canaries = True, False
    grading.start()
    with stages.stage("feedback"):
        GenerateFeedback(coursedir=course, config=settings).start()
    print(json.dumps(stages.costs))


def _instrument(stages: Stages) -> None:
    from nbjudge.autograde import canaries
    from nbjudge.autograde.converter import Grading
    from nbjudge.autograde.pipeline import SubmissionPipeline
    from nbjudge.execution.session import Session
    from nbjudge.execution.student_kernel import StudentKernel
    from nbjudge.judge.process import Judge

    stages.time(Grading, "init_notebooks", "list of submissions", prefix=ONCE)
    stages.time(canaries, "run_canaries", "copies", prefix=CANARIES)
    stages.time(canaries, "require_canaries", "fingerprint", prefix=CANARIES)
    for method, name in (("intake", "intake"), ("stage", "clean copy"), ("score", "score"), ("publish", "gradebook")):
        stages.time(SubmissionPipeline, method, name)
    stages.time(Session, "run", "session")
    stages.time(Session, "stop", "end of kernel and judge")
    stages.time(Session, "_find_skippable", "names that cells read")
    stages.time(Session, "_judge", JUDGE)
    stages.time(StudentKernel, "start", "start of kernel and judge")
    stages.time(StudentKernel, "run", "student's cells")
    stages.time(Judge, "start", "start of kernel and judge")


def table(costs: Costs, submissions: int) -> list[str]:
    """Return a table in Markdown: the costs once and for the canaries, and then for each submission."""
    titles = ("wall", "CPU", *(f"of it {clock}" for clock in CLOCKS[1:]))
    lines = [f"| stage, seconds | {' | '.join(titles)} |", f"|---|{'---:|' * len(titles)}"]
    for title, number, once in (("before the first submission", 1, True), ("for each submission", submissions, False)):
        group = {
            stage: {clock: seconds / number for clock, seconds in clocks.items()}
            for stage, clocks in costs.items()
            if stage.startswith((ONCE, CANARIES)) == once
        }
        total = {clock: sum(clocks[clock] for clocks in group.values()) for clock in CLOCKS}
        rows = [(f"**{title}**", total), *sorted(group.items(), key=lambda item: -_cpu(item[1]))]
        for stage, clocks in rows:
            cells = (clocks["wall"], _cpu(clocks), *(clocks[clock] for clock in CLOCKS[1:]))
            if max(cells) >= 0.0005:
                lines.append(f"| {stage} | {' | '.join(f'{seconds:.3f}' for seconds in cells)} |")
    return lines


def _cpu(clocks: dict[str, float]) -> float:
    return sum(clocks[clock] for clock in CLOCKS[1:])


if __name__ == "__main__":
    main()
