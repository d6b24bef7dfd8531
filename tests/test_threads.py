"""NumPy's matrix library uses one thread in the course's kernels, unless the user has set another number."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rnn_helpers.threads import OTHERS, OWN, use_one_thread

COUNT_THREADS = """
import os, rnn_helpers, numpy
numpy.ones((300, 300)) @ numpy.ones((300, 300))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core, one thread")
@pytest.mark.parametrize(
    ("own", "threads"), [({}, 1), ({"OPENBLAS_NUM_THREADS": "2"}, 2), ({"OMP_NUM_THREADS": "2"}, 2)]
)
def test_a_product_runs_on_one_thread_or_as_many_as_the_user_says(own: dict[str, str], threads: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (*OWN, *OTHERS)}
    command = [sys.executable, "-c", COUNT_THREADS]
    done = subprocess.run(command, env=environment | own, capture_output=True, text=True, check=True)
    assert int(done.stdout) == threads


def test_one_setting_of_the_user_keeps_all_others_as_they_are() -> None:
    environ = {"MKL_NUM_THREADS": "4"}
    use_one_thread(environ)
    assert environ == {"MKL_NUM_THREADS": "4"}
