"""The judge's kernel: what it runs, what it keeps out, what it survives, and what is left of it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.preprocessors import Execute
from processes import eventually, gone

from grading.forking import kernels, zygote
from grading.judge.judge_kernel import JudgeManager

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kernels speak through files in a folder here")
only_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernels are forked on Linux only")

THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
GRADER = """
import asyncio, os
from grading.judge.judge_kernel import JudgeManager
from grading.forking import zygote
async def main():
    manager = JudgeManager()
    await manager.start_kernel()
    print(manager.provisioner.pid, *(one.pid for _, one in zygote._current.values()), flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _default_list(monkeypatch):
    monkeypatch.setitem(kernels._lists, "judge", ("numpy",))
    kernels._warn.cache_clear()


@pytest.fixture(params=["forked", "ordinary"])
def either(request, monkeypatch):
    """Run a test with a forked kernel, and with one started as on a system that cannot fork it."""
    if request.param == "ordinary":
        monkeypatch.setattr(kernels, "sys", SimpleNamespace(platform="darwin"))
    elif not sys.platform.startswith("linux"):
        pytest.skip("kernels are forked on Linux only")
    return request.param


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """A short folder for temporary files, to look into afterwards; pytest makes its own before."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


class Judge:
    """A judge's kernel and a client of it."""

    def __init__(self) -> None:
        self.manager = JudgeManager()

    async def start(self, **options: Any) -> None:
        await self.manager.start_kernel(**options)
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=60)

    async def run(self, code: str) -> str:
        """Return what a cell printed, and the name of the error that it met."""
        printed: list[str] = []

        def keep(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text", content.get("ename", "")))

        await self.client.execute_interactive(code, output_hook=keep, timeout=60)
        return "".join(printed).strip()

    async def ended(self) -> None:
        while await self.manager.is_alive():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def judge(**options: Any) -> AsyncIterator[Judge]:
    one = Judge()
    await one.start(**options)
    try:
        yield one
    finally:
        one.client.stop_channels()
        await one.manager.shutdown_kernel()


def said(code: str, **options: Any) -> str:
    """Return what one cell printed in a new judge."""

    async def main() -> str:
        async with judge(**options) as one:
            return await one.run(code)

    return asyncio.run(main())


def outputs(*cells: str, **options: Any) -> list[Any]:
    """Return the outputs of a notebook that nbclient ran in a judge."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "of-a-student", "display_name": "Mine", "language": "python"}
    NotebookClient(notebook, kernel_manager_class=JudgeManager, allow_errors=True, **options).execute()
    return [cell.outputs for cell in notebook.cells]


def current() -> zygote.Zygote:
    return zygote._current["judge"][1]


# --- what it runs


def test_nbclient_runs_a_notebook_whatever_kernel_it_names(either):
    shown, failed = outputs("40 + 2", "1 / 0")
    assert shown[0].data["text/plain"] == "42"
    assert failed[0].ename == "ZeroDivisionError"


def test_nbclient_runs_a_notebook_inside_a_running_loop():
    async def server() -> list[Any]:
        return outputs("40 + 2")

    assert asyncio.run(server())[0][0].data["text/plain"] == "42"


def test_nbgrader_s_execute_runs_a_notebook_in_the_folder_it_is_given(either, tmp_path):
    notebook = new_notebook(cells=[new_code_cell("import os; print(os.getcwd())")])
    execute = Execute(kernel_manager_class=JudgeManager)
    execute.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    assert notebook.cells[0].outputs[0].text.strip() == str(tmp_path)


@pytest.mark.parametrize("modules", [["numpy"], ["matplotlib.pyplot", "matplotlib_inline.backend_inline"]])
def test_a_plot_comes_back_as_an_image(modules):
    kernels.preload("judge", modules)
    assert "image/png" in outputs("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")[0][-1].data


def test_the_kernel_knows_that_it_grades_and_keeps_no_history(either):
    code = "import os; print(os.environ['NBGRADER_EXECUTION'], get_ipython().history_manager.enabled, len(In))"
    assert said(code) == "autograde False 2"


def test_the_grader_s_environment_and_the_caller_s_reach_the_kernel(either, monkeypatch):
    monkeypatch.setenv("SALT", "one")
    assert said("import os; print(os.environ['SALT'])") == "one"
    monkeypatch.setenv("SALT", "two")
    assert said("import os; print(os.environ['SALT'])") == "two"
    assert said("import os; print(os.environ['SALT'])", env={**os.environ, "SALT": "three"}) == "three"


@only_linux
def test_modules_are_there_before_the_first_cell():
    kernels.preload("judge", ["colorsys"])
    assert said("import sys; print('colorsys' in sys.modules, 'numpy' in sys.modules)") == "True False"


@only_linux
def test_what_an_import_leaves_in_the_environment_stays_there(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['LEFT_BY_AN_IMPORT'] = 'yes'")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert said("import os; print(os.environ['LEFT_BY_AN_IMPORT'])") == "yes"


@only_linux
def test_several_threads_can_ask_for_judges_at_once():
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(said, [f"print({n})" for n in range(8)])) == [str(n) for n in range(8)]


@only_linux
def test_names_that_cannot_be_imported_are_skipped(caplog):
    kernels.preload(
        "judge",
        ["no_such_module", "numpy.no_such_part", "..", "", "a b", "this", "antigravity", "__main__", "colorsys"],
    )
    assert said("import sys; print('colorsys' in sys.modules, 'this' in sys.modules)") == "True False"
    assert "one by one" not in caplog.text


@only_linux
def test_the_course_s_own_modules_are_read_anew_by_each_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kernels.preload("judge", ["tests_of_the_course"])
    for text in ("first", "as mended"):
        (tmp_path / "tests_of_the_course.py").write_text(f"text = {text!r}")
        assert said("import tests_of_the_course as tests; print(tests.text)") == text


@only_linux
def test_two_judges_draw_different_numbers():
    kernels.preload("judge", ["numpy.random"])
    code = "import random, numpy; print(random.random(), numpy.random.random())"
    assert not set(said(code).split()) & set(said(code).split())


# --- what it keeps out


def test_the_working_directory_is_not_importable(either, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep)  # each empty entry would stand for the working directory
    for name in ("json", "numpy", "grading", "ipykernel", "sitecustomize", "helper"):
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w')")
    code = "import os, sys, json, numpy, grading; print(os.getcwd() in sys.path, '' in sys.path); import helper"
    assert said(code, cwd=str(tmp_path)) == "False False\nModuleNotFoundError"
    assert not list(tmp_path.glob("ran-*"))


def test_it_works_in_the_folder_that_the_caller_names_or_in_its_own(either, tmp_path):
    assert said("import os; print(os.getcwd())", cwd=str(tmp_path)) == str(tmp_path)
    assert Path(said("import os; print(os.getcwd())")).name.startswith("judge-")


def test_start_up_files_and_settings_of_the_grader_do_not_run(either, tmp_path, monkeypatch):
    profile = tmp_path / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "first.py").write_text("planted = 'start-up file'")
    (profile / "ipython_config.py").write_text("c.InteractiveShellApp.exec_lines = ['planted = \"settings\"']")
    (tmp_path / "startup.py").write_text("planted = 'PYTHONSTARTUP'")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    assert said("print(planted)") == "NameError"


def test_nothing_waits_for_the_grader_s_keyboard(either):
    assert said("import os; print(os.read(0, 1))") == "b''"


# --- what it survives


def test_an_interrupt_stops_a_cell_and_not_the_kernel(either, tmp_path):
    async def main() -> tuple[str, str]:
        async with judge(cwd=str(tmp_path)) as one:
            waiting = asyncio.ensure_future(one.run("import time\nopen('running', 'w').close()\ntime.sleep(600)"))
            while not (tmp_path / "running").exists():
                await asyncio.sleep(0.01)
            await one.manager.interrupt_kernel()
            return await waiting, await one.run("print('still here')")

    assert asyncio.run(main()) == ("KeyboardInterrupt", "still here")


def test_a_restarted_kernel_has_forgotten(either):
    async def main() -> tuple[str, str]:
        async with judge() as one:
            await one.run("x = 1")
            await one.manager.restart_kernel()
            await one.client.wait_for_ready(timeout=60)
            return await one.run("print('x' in globals())"), await one.run("print(2)")

    assert asyncio.run(main()) == ("False", "2")


def test_a_killed_judge_is_dead_and_the_next_one_works(either):
    async def main() -> None:
        async with judge() as one:
            os.kill(one.manager.provisioner.pid, signal.SIGKILL)
            await one.ended()

    asyncio.run(main())
    assert said("print(2)") == "2"


@only_linux
def test_a_kernel_that_ends_at_its_start_is_reported_with_what_it_printed(caplog, tmp_path):
    async def main() -> None:
        one = Judge()
        await one.manager.start_kernel(cwd=str(tmp_path / "nowhere"))
        await one.ended()
        await one.manager.cleanup_resources()

    asyncio.run(main())
    assert "A kernel for the tests ended with status 70." in caplog.text
    assert "FileNotFoundError" in caplog.text


@only_linux
def test_when_the_zygote_is_killed_its_judges_end_and_the_next_one_works():
    async def main() -> int:
        async with judge() as one:
            old = current().pid
            os.kill(old, signal.SIGKILL)
            await one.ended()
            return old

    old = asyncio.run(main())
    assert said("print(2)") == "2"
    assert current().pid != old


@only_linux
def test_ctrl_c_does_not_reach_the_zygote():
    said("1")
    before = current().pid
    assert os.getsid(before) == before
    os.kill(before, signal.SIGINT)
    assert said("print(2)") == "2"
    assert current().pid == before


@only_linux
def test_with_a_second_thread_kernels_start_the_ordinary_way_and_one_warning_says_so(tmp_path, monkeypatch, caplog):
    (tmp_path / "sitecustomize.py").write_text(THREAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert [said("print(2)"), said("print(3)")] == ["2", "3"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "one by one" in caplog.text
    assert "threads (2 in all, expected 1)" in caplog.text


@only_linux
def test_when_no_zygote_starts_kernels_start_the_ordinary_way(monkeypatch, caplog):
    monkeypatch.setattr(zygote.sys, "executable", "/no/such/python")
    assert said("print(2)") == "2"
    assert "No such file" in caplog.text


# --- what is left


def test_nothing_is_left_behind(either, temporary, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import tempfile; tempfile.gettempdir()")  # it remembers the answer
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said("print(2)")
    before = len(os.listdir("/proc/self/fd")) if either == "forked" else 0
    folder = said("import tempfile; print(tempfile.mkdtemp())")
    assert Path(folder).is_relative_to(temporary)
    assert list(temporary.iterdir()) == []
    if either == "forked":
        assert len(os.listdir("/proc/self/fd")) == before
        assert [one.pid for one in psutil.Process().children(recursive=True)] == [current().pid]
    zygote.close_all()
    assert psutil.Process().children(recursive=True) == []


@only_linux
def test_a_package_of_the_course_is_imported_ahead_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kernels.preload("judge", ["tests_of_a_course"])
    (tmp_path / "tests_of_a_course").mkdir()
    for text in ("first", "as mended"):
        (tmp_path / "tests_of_a_course" / "__init__.py").write_text(f"text = {text!r}")
        code = "import sys; print('tests_of_a_course' in sys.modules)\nimport tests_of_a_course as t; print(t.text)"
        assert said(code) == f"True\n{text}"


@only_linux
def test_a_longer_list_is_imported_by_the_zygote_that_is_there():
    async def main() -> str:
        async with judge():
            old = current()
        kernels.preload("judge", [*kernels.preloaded("judge"), "colorsys"])
        async with judge() as one:
            assert current().pid == old.pid
            return await one.run("import sys; print('colorsys' in sys.modules)")

    assert asyncio.run(main()) == "True"


@only_linux
def test_threads_that_a_longer_list_brings_end_the_zygote_and_kernels_start_the_ordinary_way(tmp_path, monkeypatch):
    (tmp_path / "threading_at_import").mkdir()
    (tmp_path / "threading_at_import" / "__init__.py").write_text(THREAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main() -> str:
        async with judge():
            old = current()
        kernels.preload("judge", [*kernels.preloaded("judge"), "threading_at_import"])
        async with judge() as one:
            assert not old.alive
            return await one.run("print(2)")

    assert asyncio.run(main()) == "2"


@only_linux
def test_another_list_starts_a_new_zygote_and_the_old_one_ends_after_its_judges():
    async def main() -> tuple[zygote.Zygote, bool]:
        async with judge() as one:
            old = current()
            kernels.preload("judge", ["colorsys"])
            async with judge():
                assert current().pid != old.pid
            return old, await one.run("print(2)") == "2" and old.alive

    old, worked = asyncio.run(main())
    assert worked
    assert not old.alive


@only_linux
def test_judges_and_zygote_die_with_the_grader(temporary):
    root, environment = Path(__file__).parents[1], {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", GRADER]
    grader = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    pids = [int(pid) for pid in grader.stdout.split()]
    assert len(pids) == 2, grader.stderr
    assert eventually(lambda: all(map(gone, pids)))
