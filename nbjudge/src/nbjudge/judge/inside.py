"""Judge a test cell beside the student's code, where it cannot be split between two processes.

The cell runs in the sandbox, in a fresh copy of the submission's kernel that is not used again. After each statement at
its top, it hands over one key of a list that is drawn for this run. The keys that arrive show which statements ran to
their end, whatever the cell printed or swallowed.

The submission shares the process, so this proves less than a test outside: code that searches its own process for the
keys, or for the text of the test, can find both. docs/threat_model.md says what is not promised.
"""

from __future__ import annotations

import ast
import builtins
import re
import secrets
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from nbjudge.judge.credit import describe_credit

HAND_OVER = "__nbjudge_statement_done__"  # a built-in function of that process while a test runs
AROUND_A_CELL = re.compile(r"\s*%%(time|timeit|capture|prun)\b.*")  # magics that would run the statements elsewhere

_keys: list[str] = []
_credit: dict[str, Any] = {}


def instrument(source: str) -> tuple[str, list[str]]:
    """Return an instructor's test cell that hands over a key after each statement, and the keys in order.

    A last line that is an expression is handed over with its key, as the cell's credit.
    Raises SyntaxError if the cell is not Python.
    """
    text = AROUND_A_CELL.sub("", source, count=1) if source.lstrip()[:2] == "%%" else source
    plain = TransformerManager().transform_cell(text)
    tree = ast.parse(plain)
    keys = [secrets.token_hex(16) for _ in tree.body]
    lines = plain.splitlines()
    ends = [node.end_lineno or 0 for node in tree.body]
    if len(set(ends)) < len(ends):  # several statements on a line
        lines = []
        for node, key in zip(tree.body, keys, strict=True):
            lines += [ast.unparse(node), f"{HAND_OVER}({key!r})"]
    else:  # the lines stay as they are, for inspect.getsource
        for end, key in reversed(list(zip(ends, keys, strict=True))):
            lines.insert(end, f"{HAND_OVER}({key!r})")
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not plain.rstrip().endswith(";"):
        last = tree.body[-1]
        start = len(lines) - 1 - len((ast.get_source_segment(plain, last) or "").splitlines())
        del lines[start:]
        lines.append(f"{HAND_OVER}({keys[-1]!r}, {ast.unparse(last.value)})")
    return "\n".join(lines), keys


def begin() -> None:
    """Forget the last test, and let the next one hand over its keys. Runs in the submission's process."""
    _keys.clear()
    _credit.clear()
    setattr(builtins, HAND_OVER, _take)


def _take(key: str, value: Any = None) -> None:
    _keys.append(key)
    _credit.clear()
    _credit.update(describe_credit(value))


def proof() -> dict[str, Any]:
    """Return the keys that were handed over, and the credit. Runs in the submission's process."""
    return {"keys": list(_keys), "credit": dict(_credit)}
