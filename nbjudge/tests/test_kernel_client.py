"""The client of a submission's kernel: when it begins, and what it says when a kernel does not come up."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec

from nbjudge.cell_result import CellStatus
from nbjudge.execution.kernel_client import FastStartKernelManager, Kernel

PYTHON = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def manager_of(argv: list[str]) -> type[FastStartKernelManager]:
    """Return the manager of kernels that are started with a command, whatever is installed."""

    class Manager(FastStartKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=argv, display_name="Python", language="python")

    return Manager


def kernel(argv: list[str], startup_timeout: int = 60) -> Kernel:
    return Kernel(manager_of(argv), "", os.getcwd(), {}, output_bytes=1 << 20, startup_timeout=startup_timeout)


def started(one: Kernel) -> Any:
    """Return what a first cell, sent as soon as the kernel is said to be ready, printed."""

    async def main() -> Any:
        try:
            await one.start()
            return await one.run("print(6 * 7)", 60)
        finally:
            await one.stop()

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["", "import time; time.sleep(2); "])
def test_of_the_first_cell_nothing_is_lost_however_long_the_kernel_took(slow):
    launch = f"{slow}from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    cell, ended = started(kernel([sys.executable, "-c", launch, "-f", "{connection_file}"]))
    assert [output.text for output in cell.outputs] == ["42\n"]
    assert ended == CellStatus()


def test_a_kernel_that_welcomes_nobody_is_asked_all_the_same():
    silent = "from ipykernel.iostream import IOPubThread; IOPubThread._send_welcome_message = lambda *_, **__: None"
    launch = f"{silent}; from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    cell, _ = started(kernel([sys.executable, "-c", launch, "-f", "{connection_file}"]))
    assert [output.text for output in cell.outputs] == ["42\n"]


def test_a_kernel_that_ends_at_its_start_is_not_waited_for():
    with pytest.raises(RuntimeError, match="ended before it was ready"):
        started(kernel([sys.executable, "-c", "raise SystemExit(3)"]))


def test_a_kernel_that_never_answers_is_given_up_in_time():
    with pytest.raises(RuntimeError, match="not ready after 1 s"):
        started(kernel([sys.executable, "-c", "import time; time.sleep(600)"], startup_timeout=1))


def test_many_kernels_at_once_are_all_heard():
    async def main() -> list[Any]:
        kernels = [kernel(PYTHON) for _ in range(2 * (os.cpu_count() or 1))]
        try:
            await asyncio.gather(*(one.start() for one in kernels))
            return [await one.run(f"print({number})", 60) for number, one in enumerate(kernels)]
        finally:
            await asyncio.gather(*(one.stop() for one in kernels))

    cells = asyncio.run(main())
    assert [cell.outputs[0].text for cell, _ in cells] == [f"{number}\n" for number in range(len(cells))]


# --- what a kernel that sends without end takes of the grader's memory

SEND = "import time\nsend = get_ipython().kernel.iopub_thread.send_multipart\n"
FLOODS = {
    "large messages": "print('x' * 60_000_000)",
    "many messages": f"{SEND}for _ in range(40): send([b'x', bytes(8 << 20)])\ntime.sleep(1)",
    "a message of many parts": f"{SEND}send([b'x'] + [bytes(8 << 20)] * 40)\ntime.sleep(1)",
    "a message of many items": "from IPython.display import display\n"
    "display({'text/plain': 'x', 'application/json': [[]] * 3_000_000}, raw=True)",
    "what nobody reads": f"{SEND}\nfor _ in range(3000): send([b'x', bytes(100_000)])\ntime.sleep(1)",
    "deep nesting": "deep = []\nfor _ in range(900): deep = [deep]\nfrom IPython.display import display\n"
    "for _ in range(200): display({'text/plain': 'x', 'application/json': deep}, raw=True)",
}


def highest_mb() -> int:
    """Return the most memory that this process had at once."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nobody says how much memory there was")
@pytest.mark.parametrize("what", FLOODS)
def test_the_memory_that_a_kernel_takes_here_is_bounded_in_a_cell_and_while_a_test_runs(what):
    async def main() -> tuple[Any, str, Any]:
        one = kernel(PYTHON)
        try:
            await one.start()
            _, ended = await one.run(FLOODS[what], 60)
            request = await one.send(FLOODS[what])
            await asyncio.sleep(3)  # the test
            assert await one.responds(request)
            text = await one.collect_output(request)
            return ended, text, await one.run("print(6 * 7)", 60)
        finally:
            await one.stop()

    Path("/proc/self/clear_refs").write_text("5")  # from here on the highest mark counts anew
    before = highest_mb()
    ended, text, (cell, after) = asyncio.run(main())
    grown = highest_mb() - before
    assert grown < 120, f"the grader grew by {grown} MB"
    assert len(text) < 2 << 20
    assert ended.kind in ("well", "flood")
    assert [output.text for output in cell.outputs] == ["42\n"]
    assert after == CellStatus()


def test_a_figure_of_five_megabytes_arrives_where_the_settings_allow_it():
    async def main() -> Any:
        one = Kernel(manager_of(PYTHON), "", os.getcwd(), {}, output_bytes=8 << 20, startup_timeout=60)
        try:
            await one.start()
            code = "from IPython.display import display\ndisplay({'image/png': 'iVBO' * 1_250_000}, raw=True)"
            return await one.run(code, 60)
        finally:
            await one.stop()

    cell, ended = asyncio.run(main())
    assert ended == CellStatus()
    assert [len(output.data["image/png"]) for output in cell.outputs] == [5_000_000]


def test_a_reply_that_is_too_large_ends_the_kernel_at_once():
    async def main() -> tuple[CellStatus, bool]:
        one = kernel(PYTHON)
        try:
            await one.start()
            payload = "get_ipython().payload_manager.write_payload({'source': 'x' * 20_000_000})"
            return (await one.run(payload, 600))[1], await one.alive()
        finally:
            await one.stop()

    assert asyncio.run(main()) == (CellStatus("died", "it did not reply as a kernel does"), False)
