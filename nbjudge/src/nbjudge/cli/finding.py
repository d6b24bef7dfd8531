"""The result of a health check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check; way_out is empty when no action is needed."""

    check: str
    mark: Mark
    sentence: str
    way_out: str = ""


Check = Callable[[], Finding]
