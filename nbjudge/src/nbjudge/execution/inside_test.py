"""Judge a test cell beside the student's code, where it cannot be split between two processes.

The cell runs in the sandbox, in a fresh copy of the submission's kernel that is not used again. After each statement at
its top, it hands over one key of a list that is drawn for this run. The keys that arrive show which statements ran to
their end, whatever the cell printed or swallowed.

The submission shares the process, so this proves less than a test outside: code that searches its own process for the
keys, or for the text of the test, can find both. docs/threat_model.md says what is not promised.
"""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable

from nbformat.v4 import new_output

from nbjudge.cell_result import GRACE
from nbjudge.execution.name_analysis import to_python
from nbjudge.execution.student_kernel import SERVICE, StudentKernel
from nbjudge.judge.inside import HAND_OVER
from nbjudge.judge.process import Judge
from nbjudge.judge.scoring import CellScore, credit

_INSIDE = "__import__('nbjudge.judge.inside', fromlist=['x'])"
_LONGEST_REASON = 500  # characters of an error's message that are shown: it may quote the test
_UNFINISHED = "The tests of this exercise did not run to their end."


async def score_inside(
    kernel: StudentKernel, judge: Judge, source: str, possible: float, seconds: Callable[[], float]
) -> CellScore:
    """Run a test cell in a kernel that has run the cells before it, and return its score.

    judge: a running judge, which asks that kernel for the keys
    possible: the points of the cell; seconds: returns the remaining time
    The score's outputs hold nothing that the kernel has printed, except the name and the message of an error.
    """
    try:
        text, keys = instrument(source)
    except SyntaxError as error:
        return CellScore(problem=("not judged", f"The test is not valid Python: {error.msg}."))
    await kernel.kernel.run_silently(f"{_INSIDE}.begin()", GRACE)
    finished, status = await kernel.kernel.run(text, seconds())
    if status.kind in ("died", "timeout"):
        return CellScore(problem=(status.kind, f"The tests of this exercise were stopped: {status.reason}."))
    request = await kernel.kernel.send(f"{SERVICE}.service.serve()")
    handed_over, credit_data = await judge.proof(kernel.path, GRACE)
    await kernel.kernel.responds(request)
    if handed_over == keys:
        points, problem = credit(credit_data, possible)
        return CellScore(points, problem, execution_count=finished.execution_count)
    errors = [output for output in finished.outputs if output.output_type == "error"]
    if not errors:
        return CellScore(problem=("not judged", _UNFINISHED), execution_count=finished.execution_count)
    name, message = str(errors[-1].ename)[:100], str(errors[-1].evalue)[:_LONGEST_REASON]
    output = new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])
    return CellScore(outputs=[output], execution_count=finished.execution_count)


def instrument(source: str) -> tuple[str, list[str]]:
    """Return an instructor's test cell that hands over a key after each statement, and the keys in order.

    A last line that is an expression is handed over with its key, as the cell's credit.
    Raises SyntaxError if the cell is not Python.
    """
    plain = to_python(source)
    body = ast.parse(plain).body
    keys = [secrets.token_hex(16) for _ in body]
    texts, calls = _one_statement_each(body, plain), [f"{HAND_OVER}({key!r})" for key in keys]
    if body and isinstance(body[-1], ast.Expr) and not plain.rstrip().endswith(";"):  # that would show no value
        texts[-1], calls[-1] = "", f"{HAND_OVER}({keys[-1]!r}, {ast.unparse(body[-1].value)})"
    return "\n".join(f"{text}\n{call}" for text, call in zip(texts, calls, strict=True)), keys


def _one_statement_each(body: list[ast.stmt], plain: str) -> list[str]:
    """Return the text of each statement as it was written, with the lines before it, where each has its own lines."""
    ends = [node.end_lineno or 0 for node in body]
    if len(set(ends)) < len(ends):  # several on a line
        return [ast.unparse(node) for node in body]
    lines = plain.splitlines()
    return ["\n".join(lines[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
