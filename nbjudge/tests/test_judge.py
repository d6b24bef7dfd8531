"""The judge: what it runs, what it keeps out, what it survives, and what is left of it."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
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
from processes import eventually, gone

from nbjudge.cell_result import CellStatus
from nbjudge.forkserver import client, preload
from nbjudge.judge.process import Judge

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes have groups and signals here")
only_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")

THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
GRADER = """
import asyncio, os, sys
from types import SimpleNamespace
from nbjudge.forkserver import preload, client
from nbjudge.judge.process import Judge
async def main():
    one = Judge("", {}, 1 << 20, 60)
    await one.start()
    print(one.process.pid, *(one.pid for _, one in client._current.values()), flush=True)
    os.kill(os.getpid(), 9)
if "ordinary" in sys.argv:
    preload.sys = SimpleNamespace(platform="darwin")
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _default_list(monkeypatch):
    monkeypatch.setitem(preload._lists, "judge", ("numpy",))
    preload._warn_once.cache_clear()


@pytest.fixture(params=["forked", pytest.param("ordinary", marks=pytest.mark.slow)])
def either(request, monkeypatch):
    """Run a test with a forked judge, and with one started as on a system that cannot fork it."""
    if request.param == "ordinary":
        monkeypatch.setattr(preload, "sys", SimpleNamespace(platform="darwin"))
    elif not sys.platform.startswith("linux"):
        pytest.skip("processes are forked on Linux only")
    return request.param


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """A short folder for temporary files, to look into afterwards; pytest makes its own before."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@asynccontextmanager
async def judge(cwd: str = "", **variables: str) -> AsyncIterator[Judge]:
    one = Judge(cwd, variables, 1 << 20, 60)
    try:
        await one.start()
        yield one
    finally:
        await one.stop()


async def ran(one: Judge, code: str) -> str:
    """Return what a cell printed, and the name of the error that it met."""
    finished, ended = await one.run(code, 60)
    assert ended == CellStatus()
    return "".join(output.get("text", output.get("ename", "")) for output in finished.outputs).strip()


def said(code: str, **options: Any) -> str:
    """Return what one cell printed in a new judge."""

    async def main() -> str:
        async with judge(**options) as one:
            return await ran(one, code)

    return asyncio.run(main())


def outputs(*cells: str) -> list[Any]:
    """Return the outputs of cells that ran in one judge."""

    async def main() -> list[Any]:
        async with judge() as one:
            return [(await one.run(cell, 60))[0].outputs for cell in cells]

    return asyncio.run(main())


def current() -> client.Zygote:
    return client._current["judge"][1]


# --- what it runs, and what it keeps of it


def test_values_and_errors_come_back_as_a_notebook_has_them(either):
    (value,), (failed,), (wrong,), last = outputs("40 + 2", "1 / 0", "1 +", "print(_); None")
    assert value == {
        "output_type": "execute_result",
        "execution_count": 1,
        "data": {"text/plain": "42"},
        "metadata": {},
    }
    assert (failed.ename, failed.evalue) == ("ZeroDivisionError", "division by zero")
    assert any("1" in line and "0" in line for line in failed.traceback)
    assert wrong.ename == "SyntaxError"
    assert last == [{"output_type": "stream", "name": "stdout", "text": "42\n"}]


def test_what_is_printed_and_shown_stays_in_its_order():
    code = "import sys\nprint('a'); print('b', file=sys.stderr); display(1); print('c'); print('d'); 5"
    (kept,) = outputs(code)
    assert [(one.output_type, one.get("text")) for one in kept] == [
        ("stream", "a\n"),
        ("stream", "b\n"),
        ("display_data", None),
        ("stream", "c\nd\n"),
        ("execute_result", None),
    ]


def test_a_display_can_be_changed_and_taken_back():
    changed, cleared = outputs(
        "handle = display(1, display_id=True)\nhandle.update(2)",
        "from IPython.display import clear_output\nprint('gone'); clear_output(); print('there')",
    )
    assert [one.data["text/plain"] for one in changed] == ["2"]
    assert [one.text for one in cleared] == ["there\n"]


def test_of_a_flood_a_part_is_kept_and_the_rest_is_counted():
    async def main() -> tuple[str, CellStatus, str]:
        async with judge() as one:
            finished, ended = await one.run("for _ in range(3000): print('x' * 999)", 60)
            return "".join(output.text for output in finished.outputs), ended, await ran(one, "print(2)")

    text, ended, after = asyncio.run(main())
    assert (1 << 20) - 5000 < text.count("x") <= 1 << 20
    assert ended == CellStatus("flood", "It printed 2.0 MB more, which are left out here.")
    assert text.endswith(f"\n{ended.reason}\n")
    assert after == "2"


def test_it_runs_inside_a_running_loop_and_waits_for_what_is_awaited(either):
    assert said("import asyncio\nprint(await asyncio.sleep(0, 'slept'))") == "slept"


@pytest.mark.parametrize("modules", [["numpy"], ["matplotlib.pyplot", "matplotlib_inline.backend_inline"]])
def test_a_plot_comes_back_as_an_image(either, modules):
    preload.preload("judge", modules)
    assert "image/png" in outputs("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")[0][-1].data


def test_the_judge_knows_that_it_grades_and_keeps_no_history(either):
    code = "import os; print(os.environ['NBGRADER_EXECUTION'], get_ipython().history_manager.enabled, len(In))"
    assert said(code) == "autograde False 2"


def test_names_of_its_cells_are_those_of_the_program(either):
    code = "class Mine: pass\nimport sys, pickle\nprint(sys.modules['__main__'].Mine is Mine, pickle.dumps(Mine)[:1])"
    assert said(code) == "True b'\\x80'"


def test_the_grader_s_environment_and_the_caller_s_reach_the_judge(either, monkeypatch):
    monkeypatch.setenv("SALT", "one")
    assert said("import os; print(os.environ['SALT'])") == "one"
    monkeypatch.setenv("SALT", "two")
    assert said("import os; print(os.environ['SALT'])") == "two"
    assert said("import os; print(os.environ['SALT'])", SALT="three") == "three"


@only_linux
def test_modules_are_there_before_the_first_cell():
    preload.preload("judge", ["colorsys"])
    assert said("import sys; print('colorsys' in sys.modules, 'numpy' in sys.modules)") == "True True"
    preload.preload("judge", [])
    assert said("import sys; print('colorsys' in sys.modules)") == "False"


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
    preload.preload(
        "judge",
        ["no_such_module", "numpy.no_such_part", "..", "", "a b", "this", "antigravity", "__main__", "colorsys"],
    )
    assert said("import sys; print('colorsys' in sys.modules, 'this' in sys.modules)") == "True False"
    assert "one by one" not in caplog.text


@only_linux
def test_the_course_s_own_modules_are_read_anew_by_each_judge(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    preload.preload("judge", ["tests_of_the_course"])
    for text in ("first", "as mended"):
        (tmp_path / "tests_of_the_course.py").write_text(f"text = {text!r}")
        assert said("import tests_of_the_course as tests; print(tests.text)") == text


@only_linux
def test_two_judges_draw_different_numbers():
    preload.preload("judge", ["numpy.random"])
    code = "import random, numpy; print(random.random(), numpy.random.random())"
    assert not set(said(code).split()) & set(said(code).split())


# --- what it keeps out


def test_the_working_directory_is_not_importable(either, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep)  # each empty entry would stand for the working directory
    for name in ("json", "numpy", "nbjudge", "IPython", "sitecustomize", "helper"):
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w')")
    code = "import os, sys, json, numpy, nbjudge; print(os.getcwd() in sys.path, '' in sys.path); import helper"
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
    assert said("input()") == "EOFError"


def test_nobody_else_speaks_on_its_line(either):
    code = "import os, subprocess, sys\nos.write(1, b'{}\\n'); subprocess.run([sys.executable, '-c', 'print(1)']); 7"
    (kept,) = outputs(code)
    assert [one.output_type for one in kept] == ["execute_result"]


# --- what it survives


@pytest.mark.slow
def test_a_cell_that_takes_too_long_is_interrupted_and_the_judge_goes_on(either):
    async def main() -> tuple[Any, CellStatus, str]:
        async with judge() as one:
            finished, ended = await one.run("import time\nprint('began')\ntime.sleep(600)", 1)
            return finished, ended, await ran(one, "print('still here')")

    finished, ended, after = asyncio.run(main())
    assert [one.get("text", one.get("ename")) for one in finished.outputs] == ["began\n", "KeyboardInterrupt"]
    assert ended == CellStatus("timeout", "it was still running after 1 s")
    assert after == "still here"


@pytest.mark.slow
def test_a_cell_that_does_not_listen_is_ended_and_the_judge_can_be_started_again(either, monkeypatch):
    monkeypatch.setattr("nbjudge.judge.process.GRACE", 0.5)
    deaf = "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        continue"

    async def main() -> tuple[CellStatus, bool, str]:
        async with judge() as one:
            _, ended = await one.run(deaf, 1)
            alive = await one.alive()
            await one.start()
            return ended, alive, await ran(one, "print(2)")

    assert asyncio.run(main()) == (CellStatus("timeout", "it was still running after 1 s"), False, "2")


def test_an_interrupt_between_two_cells_is_not_heard(either):
    async def main() -> str:
        async with judge() as one:
            os.kill(one.process.pid, signal.SIGINT)
            return await ran(one, "print('still here')")

    assert asyncio.run(main()) == "still here"


@pytest.mark.parametrize("how", ["import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_judge_that_ends_in_a_cell_says_so_and_the_next_one_works(either, how):
    async def main() -> tuple[CellStatus, bool]:
        async with judge() as one:
            _, ended = await one.run(how, 60)
            return ended, await one.alive()

    assert asyncio.run(main()) == (CellStatus("died", "the process that it runs in ended"), False)
    assert said("print(2)") == "2"


@pytest.mark.slow
def test_a_child_that_outlives_the_judge_does_not_keep_the_grader_waiting(either, tmp_path):
    code = "import os, time\nif os.fork(): os._exit(0)\nos.setsid(); open('pid', 'w').write(str(os.getpid()))\n"

    async def main() -> CellStatus:
        async with judge(str(tmp_path)) as one:
            return (await one.run(f"{code}time.sleep(600)", 1))[1]

    try:
        assert asyncio.run(main()) == CellStatus("timeout", "it was still running after 1 s")
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_what_is_asked_in_vain_is_said(either, tmp_path):
    async def main() -> str:
        async with judge() as one:
            nowhere = {
                "path": str(tmp_path / "nobody"),
                "requested_classes": [],
                "ours": [],
                "students": [],
                "unbound": [],
                "bound": [],
            }
            return await one.do("begin", 60, **nowhere)

    assert asyncio.run(main()).startswith("FileNotFoundError")


@only_linux
def test_a_judge_that_ends_at_its_start_is_reported_with_what_it_printed(caplog, tmp_path):
    with pytest.raises(RuntimeError, match="ended"):
        said("print(2)", cwd=str(tmp_path / "nowhere"))
    assert "A process for the tests ended with status 70." in caplog.text
    assert "FileNotFoundError" in caplog.text


@only_linux
def test_when_the_zygote_is_killed_its_judges_end_and_the_next_one_works():
    async def main() -> int:
        async with judge() as one:
            old = current().pid
            os.kill(old, signal.SIGKILL)
            while await one.alive():
                await asyncio.sleep(0.01)
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
def test_with_a_second_thread_judges_start_the_ordinary_way_and_one_warning_says_so(tmp_path, monkeypatch, caplog):
    (tmp_path / "sitecustomize.py").write_text(THREAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert [said("print(2)"), said("print(3)")] == ["2", "3"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "one by one" in caplog.text
    assert "threads (2 in all, expected 1)" in caplog.text


@only_linux
def test_when_no_zygote_starts_judges_start_the_ordinary_way(monkeypatch, caplog):
    monkeypatch.setattr(client, "sys", SimpleNamespace(executable="/no/such/python"))
    assert said("print(2)") == "2"
    assert "No such file" in caplog.text


# --- what is left


def test_nothing_is_left_behind(either, temporary, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import tempfile; tempfile.gettempdir()")  # it remembers the answer
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said("print(2)")
    before = len(os.listdir("/proc/self/fd")) if sys.platform.startswith("linux") else 0
    folder = said("import tempfile; print(tempfile.mkdtemp())")
    assert Path(folder).is_relative_to(temporary)
    assert [path.name for path in temporary.glob("box-*/*")] == ["owner"]  # of what goes with this process
    if sys.platform.startswith("linux"):
        assert len(os.listdir("/proc/self/fd")) == before
    left = [one.pid for one in psutil.Process().children(recursive=True)]
    assert left == ([current().pid] if either == "forked" else [])
    client.close_all()
    assert psutil.Process().children(recursive=True) == []


@only_linux
def test_a_package_of_the_course_is_imported_ahead_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    preload.preload("judge", ["tests_of_a_course"])
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
        preload.preload("judge", [*preload.preloaded_modules("judge"), "colorsys"])
        async with judge() as one:
            assert current().pid == old.pid
            return await ran(one, "import sys; print('colorsys' in sys.modules)")

    assert asyncio.run(main()) == "True"


@only_linux
def test_threads_that_a_longer_list_brings_end_the_zygote_and_judges_start_the_ordinary_way(tmp_path, monkeypatch):
    (tmp_path / "threading_at_import").mkdir()
    (tmp_path / "threading_at_import" / "__init__.py").write_text(THREAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main() -> str:
        async with judge():
            old = current()
        preload.preload("judge", [*preload.preloaded_modules("judge"), "threading_at_import"])
        async with judge() as one:
            assert not old.alive
            return await ran(one, "print(2)")

    assert asyncio.run(main()) == "2"


@only_linux
def test_another_list_starts_a_new_zygote_and_the_old_one_ends_after_its_judges():
    async def main() -> tuple[client.Zygote, bool]:
        async with judge() as one:
            old = current()
            preload.preload("judge", ["colorsys"])
            async with judge():
                assert current().pid != old.pid
            return old, await ran(one, "print(2)") == "2" and old.alive

    old, worked = asyncio.run(main())
    assert worked
    assert not old.alive


@pytest.mark.slow
def test_judge_and_zygote_end_with_the_grader(either, temporary):
    root, environment = Path(__file__).parents[2], {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", GRADER, either]
    grader = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)
    pids = [int(pid) for pid in grader.stdout.split()]
    assert len(pids) == (2 if either == "forked" else 1), grader.stderr
    assert eventually(lambda: all(map(gone, pids)))


# --- memory

LARGE = {
    "a list": "items = list(range(60_000_000))",
    "an array": "import numpy\nitems = numpy.ones(300_000_000)",
    "a text": "items = 'x' * (2 << 30)",
}


@pytest.mark.slow
@only_linux
@pytest.mark.parametrize("what", LARGE)
def test_a_test_that_takes_too_much_memory_costs_itself_and_the_next_has_all_of_it(what, either, tmp_path):
    async def main() -> list[Any]:
        async with judge(JUDGE_MEMORY_MB="1500") as one:
            said = []
            for source in (LARGE[what], "print(len(bytes(600 << 20)))"):
                if not await one.alive():
                    await one.stop()
                    await one.start()
                await one.do("prepare", 60, folder=str(tmp_path), statements=[])
                finished, ended = await one.run(source, 60)
                said += [*finished.outputs, ended]
                await one.do("end", 60)  # in which one that is spent is found to have ended
            return said

    error, ended, printed, ended_too = asyncio.run(main())
    assert (error.ename, ended) == ("MemoryError", CellStatus())
    assert (printed.text, ended_too) == (f"{600 << 20}\n", CellStatus())


@only_linux
def test_what_a_test_keeps_does_not_count_against_the_next(tmp_path):
    async def main() -> list[str]:
        async with judge(JUDGE_MEMORY_MB="1500") as one:
            said = []
            for _ in range(3):
                if not await one.alive():
                    await one.stop()
                    await one.start()
                await one.do("prepare", 60, folder=str(tmp_path), statements=[])
                finished, _ = await one.run(
                    "kept = [*globals().get('kept', []), bytes(900 << 20)]\nprint(len(kept))", 60
                )
                said += [output.get("text", output.get("ename")) for output in finished.outputs]
                await one.do("end", 60)
            return said

    assert asyncio.run(main()) == ["1\n"] * 3


def test_without_a_limit_none_is_set():
    async def main() -> list[str]:
        async with judge() as one:
            await one.do("prepare", 60, folder="/", statements=[])
            finished, _ = await one.run("import resource\nprint(resource.getrlimit(resource.RLIMIT_DATA)[0])", 60)
            return [output.text for output in finished.outputs]

    assert asyncio.run(main()) == [f"{resource.getrlimit(resource.RLIMIT_DATA)[0]}\n"]
