"""Kernels of submissions are forked, in their box: how often, from what, when not, and what is left of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbgrader_course import ROOT
from processes import eventually, gone
from tiers import NIGHT
from traitlets.config import Config

from nbjudge.execution.workers import usable_cores
from nbjudge.forkserver import client, preload
from nbjudge.sandbox import kernel_env, uid_pool
from nbjudge.sandbox.provisioner import PURPOSE, use_sandbox
from nbjudge.sandbox.sandbox import missing_layers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernels are forked on Linux only"),
]
whole_box = pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}")

FORKS = int(os.environ.get("FORKS", "50" if NIGHT else "5"))
SECONDS_FOR_ONE = 120  # to start and to fit: a hundred times what it takes
FIT = """
import keras, numpy as np
model = keras.Sequential([keras.Input((6, 2)), keras.layers.GRU(4), keras.layers.Dense(1)])
model.compile("adam", "mse")
xs = np.random.normal(size=(32, 6, 2))
print(*model.fit(xs, xs.sum(axis=(1, 2)), epochs=2, batch_size=8, verbose=0).history["loss"])
"""
BOXED = "import socket, os; socket.socket()"
# In the zygote alone: a kernel that is started the ordinary way has no other thread when it enters its box.
THREAD = """
import sys, threading, time
if "nbjudge.forkserver.server" in sys.orig_argv:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""
GRADER = """
import os, sys
from jupyter_client.manager import KernelManager
from nbjudge.sandbox.provisioner import use_sandbox
from nbjudge.forkserver.client import _current
use_sandbox()
manager = KernelManager(kernel_name="python3")
manager.start_kernel(cwd=sys.argv[1])
client = manager.blocking_client()
client.start_channels()
client.wait_for_ready(timeout=60)
print(manager.provisioner.pid, *(one.pid for _, one in _current.values()), flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def _boxed(monkeypatch: pytest.MonkeyPatch, kernels_as_before: None) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setitem(preload._lists, PURPOSE, ("numpy",))
    preload._warn_once.cache_clear()
    use_sandbox()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder for temporary files, to look into afterwards, that every user comes through."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        kernel_env._shared_folder.cache_clear()  # or the one made before would be used
        yield Path(folder)
        client.close_all()
        kernel_env._shared_folder.cache_clear()


class Running:
    """A kernel and a client of it."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager, self.client = manager, manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=SECONDS_FOR_ONE)

    @property
    def process(self) -> Any:
        return self.manager.provisioner.process

    @property
    def parent(self) -> int:
        return psutil.Process(self.process.pid).ppid()

    def run(self, source: str) -> str:
        """Return what a cell printed, or the name of its error. Raises TimeoutError when it hangs."""
        printed: list[str] = []
        reply = self.client.execute_interactive(
            source,
            timeout=SECONDS_FOR_ONE,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )["content"]
        return "".join(printed).strip() if reply["status"] == "ok" else reply["ename"]


@contextmanager
def kernel(**settings: Any) -> Iterator[Running]:
    """Start a kernel as grading does, with these settings of the box; it is gone afterwards."""
    config = Config()
    config.SandboxProvisioner.update(settings)
    with tempfile.TemporaryDirectory(prefix="work-") as work:
        manager = KernelManager(kernel_name="python3", config=config)
        manager.start_kernel(cwd=work)
        running = None
        try:
            running = Running(manager)
            yield running
        finally:
            if running:
                running.client.stop_channels()
            manager.shutdown_kernel(now=True)


def said(source: str, **settings: Any) -> str:
    """Return what one cell printed in a new kernel."""
    with kernel(**settings) as one:
        return one.run(source)


def current() -> client.Zygote:
    return client._current[PURPOSE][1]


# --- forked, and how often


def test_kernels_are_forked_from_one_process_unless_somebody_says_otherwise():
    with kernel() as one, kernel() as two:
        assert isinstance(one.process, client.Child)
        assert one.parent == two.parent == current().pid
        assert one.process.pid != two.process.pid
        assert one.run("import sys, os; print(os.getpid(), 'numpy' in sys.modules)") == f"{one.process.pid} True"


@pytest.mark.timeout(300 + 20 * FORKS)
def test_many_forks_fit_a_real_model_and_none_hangs():
    """Run by hand with FORKS=500 in the environment: a fork that can hang does so once in a while only."""
    preload.preload(PURPOSE, ["numpy", "tensorflow", "keras"])
    parents = set()

    def fit(_: int) -> str:
        try:
            with kernel() as one:
                parents.add(one.parent)
                return one.run(FIT).splitlines()[-1]  # TensorFlow complains about graphics cards above it
        finally:
            asyncio.get_event_loop().close()  # it was made for this thread, which may end

    with ThreadPoolExecutor(usable_cores() + 1) as threads:
        losses = list(threads.map(fit, range(FORKS)))
    assert [text for text in losses if not all(0 < float(number) < 100 for number in text.split())] == []
    assert len(set(losses)) == FORKS, "two forks drew the same numbers"
    assert len(parents) == 1
    assert parents == {current().pid}


def test_what_one_kernel_does_the_next_does_not_see():
    with kernel() as one:
        one.run("import numpy, builtins, os\nnumpy.pi = builtins.planted = 3\nos.environ['PLANTED'] = 'x'")
    assert said("import numpy, os; print(numpy.pi > 3, 'planted' in dir(__builtins__), 'PLANTED' in os.environ)") == (
        "True False False"
    )


@pytest.mark.parametrize("draw", ["random.random()", "numpy.random.random()", "numpy.random.default_rng().random()"])
def test_two_kernels_draw_different_numbers(draw):
    preload.preload(PURPOSE, ["numpy.random"])  # or each kernel would import it anew
    code = f"import random, numpy; print({draw})"
    assert said(code) != said(code)


@whole_box
@pytest.mark.parametrize("forked", [True, False])
def test_forked_or_not_it_is_in_the_box(forked):
    with kernel(forked=forked) as one:
        assert one.run(BOXED) == "PermissionError"
        assert one.run("open('/etc/shadow')") == "PermissionError"
        assert one.run("print(open('/proc/self/environ').read().count('RNN_COURSE'))") == "0"
        assert one.run("import os; print(os.getuid() != 0)") == "True"
        assert one.manager.provisioner.in_force.endswith("not in force: nothing")


def test_forked_or_not_the_environment_and_the_path_are_the_same():
    code = "import os, signal, sys\nos.environ.pop('JPY_PARENT_PID', 0)  # whom an ordinary one ends with\n"
    code += "print(*sorted(os.environ), *sys.path, *sys.flags, __name__)\n"
    code += "print(signal.getsignal(2), signal.getsignal(13), os.umask(0), 'numpy.random' in dir())"
    ours, ordinary = said(code), said(code, forked=False)
    assert ours.split() == ordinary.split()


# --- not forked


def test_a_course_can_have_ordinary_kernels():
    client.close_all()
    with kernel(forked=False) as one:
        assert isinstance(one.process, subprocess.Popen)
        assert one.parent == os.getpid()
        assert one.run("print(2)") == "2"
    assert PURPOSE not in client._current


@whole_box
def test_where_the_process_to_fork_from_has_threads_kernels_are_ordinary_and_one_warning_says_so(caplog):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        package = Path(folder, "sitecustomize")
        package.mkdir()
        (package / "__init__.py").write_text(THREAD)
        for _ in range(2):
            with kernel(packages=[str(package)]) as one:
                assert isinstance(one.process, subprocess.Popen)
                assert one.run("import sitecustomize; print(sitecustomize.sys.version_info[0])") == "3"
                assert one.run(BOXED) == "PermissionError"
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "one by one" in warnings[0]
    assert "threads (2 in all, expected 1)" in warnings[0]


def test_where_no_process_to_fork_from_starts_kernels_are_ordinary(monkeypatch, caplog):
    client.close_all()
    monkeypatch.setattr(client, "sys", SimpleNamespace(executable="/no/such/python"))
    assert said("print(2)") == "2"
    client.close_all()  # which forgets that it was hopeless
    assert "one by one" in caplog.text
    assert "No such file" in caplog.text


# --- ends


def test_when_the_process_to_fork_from_is_killed_its_kernels_end_and_the_next_one_works():
    with kernel() as one:
        old = current().pid
        os.kill(old, signal.SIGKILL)
        assert eventually(lambda: one.process.poll() is not None)
    with kernel() as two:
        assert two.run("print(2)") == "2"
        assert two.parent == current().pid != old


def test_a_killed_kernel_is_told_apart_from_a_stopped_one():
    with kernel() as one:
        one.client.execute("import os; os._exit(3)")
        assert eventually(lambda: one.process.poll() is not None)
        assert one.manager.provisioner.exit_reason() == "ended itself with exit code 3"
    with kernel() as two:
        os.kill(two.process.pid, signal.SIGKILL)
        assert eventually(lambda: two.process.poll() is not None)
        assert two.process.poll() == -signal.SIGKILL
    assert two.manager.provisioner.process is None


def test_an_interrupt_reaches_a_forked_kernel(tmp_path):
    with kernel() as one:
        # A kernel aborts what arrives just after an error, unless it is told not to.
        endless = "open('started', 'w').close()\nwhile True: pass"
        message = one.client.execute(endless, stop_on_error=False)
        work = Path(psutil.Process(one.process.pid).cwd())
        assert eventually((work / "started").exists)
        one.manager.interrupt_kernel()
        replies = [one.client.get_shell_msg(timeout=60)]
        while replies[-1]["parent_header"].get("msg_id") != message:
            replies.append(one.client.get_shell_msg(timeout=60))
        assert replies[-1]["content"]["ename"] == "KeyboardInterrupt"
        assert one.run("print(2)") == "2"


def test_a_restarted_kernel_is_forked_again_and_has_forgotten():
    with kernel() as one:
        one.run("x = 1")
        first = one.process.pid
        one.manager.restart_kernel(now=True)
        one.client.wait_for_ready(timeout=SECONDS_FOR_ONE)
        assert one.run("print('x' in globals())") == "False"
        assert isinstance(one.process, client.Child)
        assert one.process.pid != first


def test_kernels_die_with_a_killed_grader_though_they_changed_user(temporary):
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    (temporary / "work").mkdir()
    command = [sys.executable, "-c", GRADER, str(temporary / "work")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as grader:
        assert grader.stdin
        assert grader.stdout
        pids = [int(pid) for pid in grader.stdout.readline().split()]
        assert len(pids) == 2
        kernels_user, zygotes_user = (psutil.Process(pid).uids().real for pid in pids)
        if uid_pool.runs_as_root() and "user" not in missing_layers():
            assert kernels_user in uid_pool.USERS
        assert zygotes_user == os.getuid()
        grader.stdin.write("\n")
        grader.stdin.flush()
        assert grader.wait(timeout=60) == -signal.SIGKILL
    assert eventually(lambda: all(map(gone, pids)))


def test_nothing_of_a_kernel_is_left(temporary):
    said("print(2)")  # the process to fork from stays, and so does the folder that it shares with its kernels
    zygotes, users_in_use = [current().pid], set(uid_pool._in_use)
    folders, open_files = set(temporary.rglob("*")), len(os.listdir("/proc/self/fd"))
    with kernel() as one:
        pid, user = one.process.pid, psutil.Process(one.process.pid).uids().real
        places = one.run("import os, tempfile; print(os.getcwd(), os.environ['HOME'], tempfile.mkdtemp())").split()
        assert all(Path(place).is_relative_to(temporary) for place in places)
        assert Path(places[1]) == one.manager.provisioner.home
        one.run("open('left', 'w').write('x'); import threading; threading.Timer(600, print).start()")
        if user != os.getuid():
            assert user in uid_pool._in_use
    assert gone(pid)
    assert uid_pool._in_use == users_in_use
    assert set(temporary.rglob("*")) == folders
    assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= open_files)
    assert [child.pid for child in psutil.Process().children(recursive=True)] == zygotes
    client.close_all()
    assert psutil.Process().children(recursive=True) == []
