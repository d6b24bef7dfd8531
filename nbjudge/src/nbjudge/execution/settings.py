"""Limits and references for the execution of a notebook, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ExecutionSettings:
    """Limits of a notebook: seconds for all of it and for one cell, and the others as in Run's settings.

    total_output_bytes: limit for the outputs of all cells together; judge_memory_mb: memory of the judge
    withheld: modules that code judged by a test tagged FROM_SCRATCH cannot import
    course: folder of the course; sandbox: settings of SandboxProvisioner
    """

    total_seconds: int
    timeout: int | None
    startup_timeout: int
    output_bytes: int
    restarts: int
    demonstrations: bool = False
    total_output_bytes: int = 1 << 30
    judge_memory_mb: int = 0
    withheld: tuple[str, ...] = ()
    course: str = ""
    sandbox: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReferenceRun:
    """Result of running the instructor's own solution, by which submissions are judged.

    changes: {test cell: the arguments that calls changed, as (called, index)}
    empty_arrays: test cells in which a call returned an array without elements
    needs_withheld: whether its cells fail without the modules withheld from exercises written from scratch
    """

    changes: Mapping[str, list[tuple[str, int]]] = field(default_factory=dict)
    empty_arrays: tuple[str, ...] = ()
    needs_withheld: bool = True

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ReferenceRun:
        """Restore an instance from the result of `dataclasses.asdict` after a round trip through JSON."""
        changes = {cell: [(called, index) for called, index in pairs] for cell, pairs in data["changes"].items()}
        return cls(changes, tuple(data["empty_arrays"]), data["needs_withheld"])
