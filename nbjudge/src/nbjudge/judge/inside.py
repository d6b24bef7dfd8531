"""The part of a test inside the submission's process that runs there: it takes the keys that the test hands over.

nbjudge.execution.inside_test runs such a test, and says what the keys prove.
"""

from __future__ import annotations

import builtins
from typing import Any

from nbjudge.judge.credit import describe_credit

HAND_OVER = "__nbjudge_statement_done__"  # a built-in function of the process while a test runs

_keys: list[str] = []
_credit: dict[str, Any] = {}


def begin() -> None:
    """Forget the last test, and let the next one hand over its keys."""
    _keys.clear()
    _credit.clear()
    setattr(builtins, HAND_OVER, _take)


def _take(key: str, value: Any = None) -> None:
    _keys.append(key)
    _credit.clear()
    _credit.update(describe_credit(value))


def proof() -> dict[str, Any]:
    """Return the keys that were handed over, and the credit."""
    return {"keys": list(_keys), "credit": dict(_credit)}
