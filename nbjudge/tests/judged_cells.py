"""Score single test cells in a real judge, with answers in a thread of this process: no kernel, no gradebook."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbjudge.judge.process import Judge
from nbjudge.judge.rpc_server import RpcServer
from nbjudge.judge.scoring import CellScore, Expected, score_cell

SECONDS = 60
GIVEN = """
import math
import unittest
import numpy as np
class Scaler:
    def __init__(self, factor): self.factor = factor
    def apply(self, x): return self.factor * x
"""


class JudgedCells:
    """A judge that is asked about one answer after the other."""

    def __init__(self, judge: Judge, folder: Path, loop: asyncio.AbstractEventLoop):
        self.judge, self.folder, self.loop = judge, folder, loop
        self.number = 0

    def score(self, answer: str, test: str, *, possible: float = 2.0, solution: str = "") -> CellScore:
        """Return what a test cell says of an answer.

        answer, solution: source text that defines names; test: the cell; with a solution, its run comes first
        """
        expected = Expected()
        if solution:
            first = self._score(solution, test, possible, Expected(None, empty_arrays=True))
            assert first.points == possible, first
            expected = Expected(first.changes, first.empty_arrays)
        return self._score(answer, test, possible, expected)

    def _score(self, answer: str, test: str, possible: float, expected: Expected) -> CellScore:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(GIVEN + answer, names)
        self.number += 1
        path = str(self.folder / f"s{self.number}")
        service = RpcServer(path, names)
        thread = threading.Thread(target=service.serve)
        thread.start()
        try:
            return self.loop.run_until_complete(self._asked(path, sorted(names), test, possible, expected))
        finally:
            thread.join()
            service.waiting.close()

    async def _asked(self, path: str, names: list[str], test: str, possible: float, expected: Expected) -> CellScore:
        if not await self.judge.alive():
            await self.judge.start()
        ours = ["math", "np", "unittest", "Scaler"]
        students = [name for name in names if name not in ours and not name.startswith("__")]
        assert not await self.judge.do("prepare", SECONDS, folder=str(self.folder), statements=[GIVEN])
        begun = await self.judge.do(
            "begin", SECONDS, path=path, requested_classes=[], ours=ours, students=students, unbound=[], bound=[]
        )
        assert not begun
        score = await score_cell(self.judge, test, possible, expected, lambda: SECONDS)
        if await self.judge.alive():
            await self.judge.do("end", SECONDS)
        return score


@contextmanager
def judged_cells(folder: Path) -> Iterator[JudgedCells]:
    """Start a judge, and end it."""
    loop = asyncio.new_event_loop()
    judge = Judge("", {}, 1 << 20, SECONDS)
    try:
        loop.run_until_complete(judge.start())
        yield JudgedCells(judge, folder, loop)
    finally:
        loop.run_until_complete(judge.stop())
        loop.close()
