"""Measure the time of `import rnn_helpers`, compared with `import numpy`, and of one `check`.

    python -m benchmarks.helpers

Imports are timed in new processes, alternately; a check is timed in this one. Medians with quartiles.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

IMPORT_ROUNDS = 15
CHECK_ROUNDS = 100
TIMED_IMPORT = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"


def import_time_s(module: str) -> float:
    """Return the time of `import module` in a new process, in seconds."""
    command = [sys.executable, "-c", TIMED_IMPORT.format(module=module)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def check_times_s() -> list[float]:
    """Return the time of each of CHECK_ROUNDS checks of a wrong rnn_step, the card included, in seconds."""
    import numpy as np

    from rnn_helpers import CheckFailed, check

    def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):  # type: ignore[no-untyped-def]
        return activation(x_t @ W_xh + h_prev @ W_hh)

    def once() -> None:
        with contextlib.suppress(CheckFailed), contextlib.redirect_stdout(io.StringIO()):
            check(rnn_step)

    return [_timed_s(once) for _ in range(CHECK_ROUNDS)]


def _timed_s(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _row(name: str, times_s: list[float]) -> str:
    low, middle, high = (1000 * quartile for quartile in statistics.quantiles(times_s, n=4))
    return f"{name:<28}{middle:9.2f} ms  ({low:.2f}-{high:.2f})"


def main() -> None:
    """Print the table."""
    pairs = [(import_time_s("numpy"), import_time_s("rnn_helpers")) for _ in range(IMPORT_ROUNDS)]
    ratio = statistics.median(course / numpys for numpys, course in pairs)
    print(_row("import numpy", [numpys for numpys, _ in pairs]))
    print(_row("import rnn_helpers", [course for _, course in pairs]))
    print(f"{'ratio (goal: <= 1.3)':<28}{ratio:9.2f}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RNN_COURSE_PROGRESS"] = os.path.join(folder, "progress.txt")
        times = check_times_s()
    print(_row("the first check", times[:1] * 2))
    print(_row("check (goal: < 200 ms)", times))
    print("TensorFlow imported:", "tensorflow" in sys.modules)


if __name__ == "__main__":
    main()
