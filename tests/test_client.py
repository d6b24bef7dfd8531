"""The client of a submission's kernel: when it begins, and what it says when a kernel does not come up."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec

from grading.judge.client import Ended, Kernel, SwiftManager

PYTHON = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def manager_of(argv: list[str]) -> type[SwiftManager]:
    """Return the manager of kernels that are started with a command, whatever is installed."""

    class Manager(SwiftManager):
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


@pytest.mark.parametrize("slow", ["", "import time; time.sleep(2); "])
def test_of_the_first_cell_nothing_is_lost_however_long_the_kernel_took(slow):
    launch = f"{slow}from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
    cell, ended = started(kernel([sys.executable, "-c", launch, "-f", "{connection_file}"]))
    assert [output.text for output in cell.outputs] == ["42\n"]
    assert ended == Ended()


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
