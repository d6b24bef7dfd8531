"""What a kernel that grades may use up, whose user it runs as, what is said of its end, and what is left behind."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import KernelManager
from nbgrader_course import ROOT
from traitlets.config import Config

from nbjudge.forkserver import ENDS_WITH_PARENT
from nbjudge.sandbox import kernel_launcher, scratch, seccomp, uid_pool
from nbjudge.sandbox.provisioner import use_sandbox
from nbjudge.sandbox.resource_monitor import deleted_file_bytes, describe_exit
from nbjudge.sandbox.sandbox import missing_layers, python_folders
from nbjudge.sandbox.scratch import PrivateFolder, TooDeepError

whole_box = pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}")
as_root = pytest.mark.skipif(
    not uid_pool.runs_as_root() or bool(uid_pool.missing(python_folders(), caged=not missing_layers())),
    reason="only root can have another user run a kernel",
)
UNTIL_THE_END = "\nimport time; time.sleep(300)"


@pytest.fixture(autouse=True)
def _boxed(monkeypatch, kernels_as_before):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    use_sandbox()


@contextmanager
def kernel(work: Path, **settings: int):
    """Start a kernel in the box with these settings, in a new folder; it is gone afterwards."""
    work.mkdir()
    config = Config()
    config.SandboxProvisioner.update(settings)
    manager = KernelManager(kernel_name="python3", config=config)
    manager.start_kernel(cwd=str(work))
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def run(manager: KernelManager, source: str) -> str:
    """Return what a cell printed, or the name of its error."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        printed: list[str] = []
        reply = client.execute_interactive(
            source, timeout=60, output_hook=lambda message: printed.append(message["content"].get("text", ""))
        )["content"]
        return "".join(printed) if reply["status"] == "ok" else reply["ename"]
    finally:
        client.stop_channels()


def exit_reason(manager: KernelManager, source: str) -> str:
    """Run a cell that ends the kernel, and return how."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute(source)
        for _ in range(600):
            if words := manager.provisioner.exit_reason():
                return words
            time.sleep(0.1)
        raise Empty("The kernel was expected to end within a minute.")
    finally:
        client.stop_channels()


# --- what it may use up

REMOVED = "import os, mmap\nkept = []\nfor number in range(20):\n    file = open(f'{number}', 'wb+', 0)\n"
REMOVED += "    file.write(bytes(4 << 20))\n    os.unlink(f'{number}')\n"
ENDS = {
    "processor time": ("while True: pass", {"cpu_seconds": 2}, "used more than 2 s of processor time"),
    "many files": (
        "for n in range(20): open(f'{n}', 'wb').write(bytes(4 << 20))",
        {"disk_mb": 20},
        "wrote more than 20 MB",
    ),
    "files in its home": (
        "import os\nos.chdir(os.environ['HOME'])\nfor n in range(20): open(f'{n}', 'wb').write(bytes(4 << 20))",
        {"disk_mb": 20},
        "wrote more than 20 MB",
    ),
    "removed files that are open": (f"{REMOVED}    kept.append(file)", {"disk_mb": 20}, "wrote more than 20 MB"),
    "removed files that are mapped": (
        f"{REMOVED}    kept.append(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE)); file.close()",
        {"disk_mb": 20, "file_mb": 8},
        "wrote more than 20 MB",
    ),
    "small files": ("import os\nfor n in range(300): os.mkdir(f'{n}')", {"files": 200}, "made more than 200 files"),
    "deep folders": (
        "import os\nfor n in range(3000): os.mkdir('d'); os.chdir('d')",
        {},
        "made folders inside of folders, too deep to look into",
    ),
    "memory as a stack": (
        "import mmap\nstack = mmap.mmap(-1, 1 << 30, flags=0x122)\n"
        "for place in range(0, 1 << 30, 1 << 20): stack[place] = 1; stack[place : place + (1 << 20)] = bytes(1 << 20)",
        {"memory_mb": 600},
        "used more than 600 MB of memory",
    ),
    "page tables": (
        "import mmap\nkept = []\nfor _ in range(16):\n    kept.append(mmap.mmap(-1, 64 << 30, flags=0x4022, prot=1))\n"
        "    for place in range(0, 64 << 30, 2 << 20): kept[-1][place]",
        {"memory_mb": 600},
        "used more than 600 MB of memory",
    ),
    "an exit": ("import os; os._exit(3)", {}, "ended itself with exit code 3"),
    "a crash": ("import ctypes; ctypes.string_at(0)", {}, "crashed (SIGSEGV)"),
}


@whole_box
@pytest.mark.nbgrader
@pytest.mark.parametrize("what", ENDS)
def test_a_kernel_ends_and_why_is_said_after(what, tmp_path):
    source, settings, words = ENDS[what]
    with kernel(tmp_path / "work", **settings) as manager:
        assert exit_reason(manager, source + UNTIL_THE_END) == words
        home = Path(manager.connection_file).parent
    assert manager.provisioner.exit_reason() == words
    assert not home.parent.exists()


@whole_box
@pytest.mark.nbgrader
def test_a_kernel_that_is_stopped_did_nothing_wrong(tmp_path):
    with kernel(tmp_path / "work") as manager:
        assert run(manager, "print('alive')") == "alive\n"
        assert manager.provisioner.exit_reason() == ""
    assert manager.provisioner.reason == ""
    assert manager.provisioner.exit_reason() == "was stopped by the grader"


@whole_box
@pytest.mark.nbgrader
def test_a_restarted_kernel_has_what_is_left_of_the_processor_time_and_the_same_user(tmp_path):
    limit_and_user = "import os, resource\nprint(resource.getrlimit(resource.RLIMIT_CPU)[0], os.getuid())"
    use_up = "import time\nend = time.process_time() + 4\nwhile time.process_time() < end: pass\ntime.sleep(1)"
    with kernel(tmp_path / "work", cpu_seconds=100) as manager:
        before, user = map(int, run(manager, f"{limit_and_user}\n{use_up}").split())
        assert exit_reason(manager, "import os; os._exit(0)") == "ended itself with exit code 0"
        manager.restart_kernel(now=True)
        assert manager.provisioner.exit_reason() == ""
        after, same_user = map(int, run(manager, limit_and_user).split())
    assert before == 100
    assert 80 < after < 97
    assert same_user == user


@whole_box
@as_root
@pytest.mark.nbgrader
def test_threads_are_limited_for_each_submission(tmp_path):
    threads = "import threading, time\nfor _ in range(90):\n"
    threads += "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    with kernel(tmp_path / "one", processes=120) as one, kernel(tmp_path / "other", processes=120) as other:
        assert run(one, threads) == ""
        assert run(other, threads) == ""
        assert run(one, threads) == "RuntimeError"


SOCKETS = """
import socket
kept, total = [], 0
try:
    while True:
        kept += socket.socketpair()
        kept[-2].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
        kept[-2].setblocking(False)
        try:
            while True: total += kept[-2].send(bytes(1 << 16))
        except BlockingIOError: pass
except OSError: kept.clear()  # what is printed goes through a socket, too
print(total)
"""
PIPES = """
import fcntl, os
kept, total = [], 0
try:
    while True:
        kept += os.pipe()
        os.set_blocking(kept[-1], False)
        try: fcntl.fcntl(kept[-1], fcntl.F_SETPIPE_SZ, 1 << 20)
        except PermissionError: pass
        try:
            while True: total += os.write(kept[-1], bytes(4096))
        except BlockingIOError: pass
except OSError:
    for number in kept: os.close(number)
print(total)
"""
TIMERS = """
import ctypes
total, timer = 0, ctypes.create_string_buffer(8)
while total < 50_000 and ctypes.CDLL(None).timer_create(1, None, timer) == 0: total += 1
print(total)
"""
# {what Linux itself keeps for a kernel: (how to have it keep as much as it will, what is too much)}
KEPT_BY_LINUX = {
    "bytes in sockets": (SOCKETS, 150 << 20),
    "bytes in pipes": (PIPES, 40 << 20),
    "timers": (TIMERS, 2000),
}


@whole_box
@pytest.mark.nbgrader
@pytest.mark.parametrize("what", KEPT_BY_LINUX)
def test_what_linux_itself_keeps_for_a_kernel_is_bounded(what, tmp_path):
    code, too_much = KEPT_BY_LINUX[what]
    with kernel(tmp_path / "work") as manager:
        assert int(run(manager, code)) < too_much


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended itself with exit code 0"),
        (-6, "crashed (SIGABRT)"),
        (-9, "was killed (SIGKILL), as happens when the machine runs out of memory"),
        (-24, "used more than 7 s of processor time"),
        (-31, "made a system call that is forbidden (SIGSYS)"),
        (-60, "crashed (signal 60)"),
    ],
)
def test_an_exit_code_becomes_words(code, words):
    assert describe_exit(code, cpu_seconds=7) == words


def test_a_file_without_a_name_counts_with_its_size(tmp_path):
    with (tmp_path / "removed").open("wb", buffering=0) as file:
        file.write(bytes(1 << 20))
        before = deleted_file_bytes(os.getpid(), [tmp_path], charge=0)
        (tmp_path / "removed").unlink()
        assert deleted_file_bytes(os.getpid(), [tmp_path], charge=0) - before == 1 << 20


def answer(column: int, number: int, *arguments: int) -> int:
    """Run the filter of a machine by hand, as Linux does, and return what it answers."""
    audit = next(audit for audit, of_machine, _ in seccomp.MACHINES.values() if of_machine == column)
    call = struct.pack("=IIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    program, place, loaded = seccomp._filter(audit, column, own_pid=7), 0, 0
    while True:
        code, if_true, if_false, value = program[place]
        if code == seccomp.RETURN:
            return value
        if code == seccomp.LOAD:
            (loaded,) = struct.unpack_from("=I", call, value)
            place += 1
            continue
        holds = {
            seccomp.IF_EQUAL: loaded == value,
            seccomp.IF_AT_LEAST: loaded >= value,
            seccomp.IF_ANY_BIT: bool(loaded & value),
        }[code]
        place += 1 + (if_true if holds else if_false)


@pytest.mark.parametrize("column", [0, 1], ids=["x86_64", "aarch64"])
def test_the_filter_decides_by_what_a_call_is_about(column):
    allow, forbid, pretend = (instruction[3] for instruction in (seccomp.ALLOW, seccomp.FORBID, seccomp.PRETEND))
    thread = 0x10000 | 0x100 | 0x200 | 0x400 | 0x800  # what a thread of the C library shares
    decisions = {
        (seccomp.CLONE, thread): allow,
        (seccomp.CLONE, thread & ~0x400): forbid,  # files of its own
        (seccomp.CLONE, 0x400): forbid,  # a process
        (seccomp.MMAP, 0, 4096, 3, 0x22): allow,
        (seccomp.MMAP, 0, 4096, 3, 0x01): allow,
        (seccomp.MMAP, 0, 4096, 3, 0x21): forbid,
        (seccomp.PRCTL, 15): allow,
        (seccomp.PRCTL, 4): forbid,
        (seccomp.CLOSE_RANGE, 3, 9, 4): allow,
        (seccomp.CLOSE_RANGE, 3, 9, 2): forbid,
        (seccomp.KILL, 7): allow,
        (seccomp.KILL, 8): forbid,
        (seccomp.SOCKET, 1): allow,
        (seccomp.SOCKET, 2): forbid,
        (seccomp.PRETENDED["fchmod"], 3): pretend,
        (seccomp.FORBIDDEN["memfd_create"], 0): forbid,
        (seccomp.FORBIDDEN["execve"], 0): forbid,
        (seccomp.FORBIDDEN["inotify_init1"], 0): forbid,
        (seccomp.FORBIDDEN["bind"], 3): forbid,
        (seccomp.FORBIDDEN["io_setup"], 9): forbid,
        (seccomp.FORBIDDEN["statmount"], 9): forbid,
        (seccomp.PRETENDED["flock"], 3, 2): pretend,
        (seccomp.PRETENDED["sched_setaffinity"], 8): pretend,
        (seccomp.PRCTL, 1): forbid,  # to outlive its parent
        (seccomp.PRCTL, 62): forbid,
        (seccomp.FCNTL, 3, 4): allow,  # F_SETFL
        (seccomp.FCNTL, 3, 1030): allow,  # F_DUPFD_CLOEXEC
        (seccomp.FCNTL, 3, 6): pretend,  # F_SETLK
        (seccomp.FCNTL, 3, 38): pretend,  # F_OFD_SETLKW
        (seccomp.FCNTL, 3, 1 << 32 | 1024): forbid,  # F_SETLEASE, as Linux reads it
        (seccomp.FCNTL, 3, 1026): forbid,  # F_NOTIFY
        (seccomp.FCNTL, 3, 8): forbid,  # F_SETOWN
        (seccomp.FCNTL, 3, 10): forbid,  # F_SETSIG
        (seccomp.FCNTL, 3, 1031): forbid,  # F_SETPIPE_SZ
        (seccomp.FCNTL, 3, 1040): forbid,  # F_SETDELEG
        (seccomp.IOCTL, 1, 0x5401): allow,  # TCGETS: isatty
        (seccomp.IOCTL, 1, 0x8901): seccomp.UNKNOWN_TO_THE_FILE[3],  # FIOSETOWN
        (seccomp.IOCTL, 1, 0x5412): seccomp.UNKNOWN_TO_THE_FILE[3],  # TIOCSTI
        (seccomp.MADVISE, 0, 4096, 4): allow,  # MADV_DONTNEED
        (seccomp.MADVISE, 0, 4096, 21): pretend,  # MADV_PAGEOUT
        (seccomp.SETSOCKOPT, 3, 1, 7): pretend,  # SO_SNDBUF
        (seccomp.SETSOCKOPT, 3, 1, 2): allow,
    }
    for (numbers, *arguments), expected in decisions.items():
        assert answer(column, numbers[column], *arguments) == expected, (numbers, arguments)


# --- whose user it is

WHO = """
import os
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(os.getuid(), os.geteuid(), os.getgid(), os.getgroups(), os.stat('.').st_uid, os.stat('/proc/self').st_uid)
print(*(int(status[name], 16) for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')))
"""


@whole_box
@as_root
@pytest.mark.nbgrader
def test_each_kernel_of_root_is_another_user_without_power_and_the_folder_is_roots_again(tmp_path):
    with kernel(tmp_path / "one") as one, kernel(tmp_path / "other") as other:
        (who, may), (who_else, _) = (run(manager, WHO).splitlines() for manager in (one, other))
        assert run(one, "open('left', 'w').write('1')") == ""
        assert (tmp_path / "one" / "left").stat().st_uid == int(who.split()[0])
    user = int(who.split()[0])
    assert user in uid_pool.USERS
    assert who == f"{user} {user} {user} [] {user} {user}"
    inheritable, permitted, effective, bounding, ambient = map(int, may.split())
    assert (inheritable, bounding, ambient) == (0, 0, 0)
    assert permitted == effective
    assert effective in (0, 1 << uid_pool.READ_ANYTHING)
    assert who_else.split()[0] != who.split()[0]
    assert {(tmp_path / "one").stat().st_uid, (tmp_path / "one" / "left").stat().st_uid} == {0}


@whole_box
@as_root
@pytest.mark.nbgrader
def test_power_to_read_is_kept_only_where_something_is_closed(tmp_path):
    with kernel(tmp_path / "work") as manager:
        effective = int(run(manager, WHO).splitlines()[1].split()[2])
    assert bool(effective) == bool(
        uid_pool.first_private_ancestor([*python_folders(), str(ROOT / "nbjudge"), str(tmp_path)])
    )


def test_a_folder_closed_to_others_is_named(tmp_path):
    tmp_path.chmod(0o711)
    inner = tmp_path / "private" / "python"
    inner.mkdir(parents=True)
    for folder in (tmp_path / "private", inner):
        folder.chmod(0o755)
    closed_above = uid_pool.first_private_ancestor([str(tmp_path)])
    if closed_above and closed_above != str(tmp_path):
        assert uid_pool.first_private_ancestor([str(inner)]) == closed_above
    else:
        assert uid_pool.first_private_ancestor([str(inner)]) == ""
        (tmp_path / "private").chmod(0o700)
        assert uid_pool.first_private_ancestor([str(inner)]) == str(tmp_path / "private")


def test_root_keeps_its_user_where_python_is_closed_and_nothing_else_guards_it(monkeypatch):
    monkeypatch.setattr(uid_pool.os, "geteuid", lambda: 0)
    monkeypatch.setattr(uid_pool, "_capabilities", lambda: (1 << 41) - 1)
    monkeypatch.setattr(uid_pool, "_has_users", lambda: True)
    monkeypatch.setattr(uid_pool, "first_private_ancestor", lambda paths: "/root")
    assert uid_pool.missing([], caged=False).startswith("/root is closed to other users; install Python")
    assert uid_pool.missing([], caged=True) == ""
    monkeypatch.setattr(uid_pool, "_capabilities", lambda: (1 << 41) - 1 - (1 << uid_pool.READ_ANYTHING))
    assert uid_pool.missing([], caged=True).startswith("/root is closed to other users")
    monkeypatch.setattr(uid_pool, "_has_users", lambda: False)
    assert uid_pool.missing([], caged=True) == "this container has no users 61184 to 65519"
    monkeypatch.setattr(uid_pool, "_capabilities", lambda: (1 << 41) - 1 - (1 << uid_pool.NEEDED["SETUID"]))
    assert uid_pool.missing([], caged=True) == "root has no CAP_SETUID here"


def test_an_ordinary_grader_misses_nothing(monkeypatch):
    monkeypatch.setattr(uid_pool.os, "geteuid", lambda: 1000)
    assert uid_pool.missing(["/root"], caged=False) == ""


def test_users_in_use_are_not_taken_again(monkeypatch):
    monkeypatch.setattr(uid_pool, "USERS", range(61184, 61187))
    monkeypatch.setattr(uid_pool, "_users_of_processes", lambda: {61184})
    taken = [uid_pool.take_user(), uid_pool.take_user()]
    assert sorted(taken) == [61185, 61186]
    with pytest.raises(RuntimeError, match="expected a free one"):
        uid_pool.take_user()
    uid_pool.return_user(taken[0])
    assert uid_pool.take_user() == taken[0]
    for user in taken:
        uid_pool.return_user(user)


# --- what is left behind


def deep_folder(top: Path, depth: int) -> Path:
    top.mkdir()
    code = f"import os\nfor n in range({depth}): os.mkdir('d'); os.chdir('d')\nopen('bottom', 'w').write('1')"
    subprocess.run([sys.executable, "-c", code], cwd=top, check=True)
    return top


def test_a_folder_deeper_than_any_path_is_removed(tmp_path):
    folder = deep_folder(tmp_path / "deep", 3000)
    with pytest.raises(TooDeepError):
        scratch.measure([folder], 10_000)
    scratch.remove(folder)
    assert not folder.exists()


def test_a_folder_handed_over_is_open_and_nowhere_too_deep(tmp_path):
    folder = deep_folder(tmp_path / "deep", 3000)
    (folder / "closed").mkdir(mode=0)
    (folder / "file").write_text("1")
    scratch.chown_tree(folder, None)
    held, number = scratch.measure([folder], 10_000)
    assert held >= 1
    assert number == scratch.DEEPEST + 2
    assert (folder / "file").read_text() == "1"


def test_removing_follows_no_link_and_opens_closed_folders(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("1")
    folder = tmp_path / "removed"
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "link").symlink_to(kept)
    (folder / "closed" / "link").symlink_to(kept)
    (folder / "closed").chmod(0)
    scratch.remove(folder)
    assert not folder.exists()
    assert (kept / "file").read_text() == "1"


def test_measuring_counts_no_more_than_asked_and_follows_no_link(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(8192))
    (tmp_path / "link").symlink_to(ROOT)
    assert scratch.measure([tmp_path], 100)[1] == 4
    assert 3 * 8192 <= scratch.measure([tmp_path], 100)[0] <= 4 * 8192
    assert scratch.measure([tmp_path], 2)[1] == 2


def test_what_a_killed_grader_left_is_removed_and_nothing_that_is_in_use(request, monkeypatch):
    made = tempfile.TemporaryDirectory()  # pytest's own folders have names that are too long for sockets
    request.addfinalizer(made.cleanup)
    tmp_path = Path(made.name)
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    code = "import os\nfrom nbjudge.sandbox.scratch import PrivateFolder\nPrivateFolder.make()\nos._exit(9)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    (left,) = tmp_path.glob("box-*")
    (tmp_path / "box-of-somebody").mkdir()
    scratch.remove_abandoned.cache_clear()
    in_use = PrivateFolder.make()
    scratch.remove_abandoned.cache_clear()
    scratch.remove_abandoned(str(tmp_path))
    assert not left.exists()
    assert (tmp_path / "box-of-somebody").exists()
    assert in_use.home.exists()
    in_use.remove()
    assert not in_use.path.exists()


def test_a_folder_whose_removal_is_broken_off_still_says_whose_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = PrivateFolder.make()
    with monkeypatch.context() as patch:
        patch.setattr(scratch.os, "rmdir", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            scratch.remove(folder.path)
    assert [path.name for path in folder.path.iterdir() if path.is_file()] == [scratch.OWNER]
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_whose_grader_ends_while_it_becomes_another_user_ends_too(monkeypatch):
    pids = iter([7, 1])
    monkeypatch.setattr(kernel_launcher.os, "getppid", lambda: next(pids))
    monkeypatch.setattr(kernel_launcher.Sandbox, "load", lambda _: None)
    for name in ("enter", "prctl"):
        monkeypatch.setattr(kernel_launcher, name, lambda *_: None)
    monkeypatch.setattr("ipykernel.kernelapp.IPKernelApp.instance", lambda: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["kernel_launcher", "sandbox.json", ENDS_WITH_PARENT])
    kernel_launcher.main()
    assert list(pids) == []


def test_a_kernel_that_outlived_its_grader_is_ended(tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (tmp_path / "box-1").mkdir()
    (tmp_path / "box-1" / scratch.OWNER).write_text(scratch.identity(sleeper.pid))
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    (tmp_path / "box-2").mkdir()
    (tmp_path / "box-2" / scratch.OWNER).write_text(f"{bystander.pid} 1")  # an earlier process of the same number
    scratch.remove_abandoned.cache_clear()
    scratch.remove_abandoned(str(tmp_path))
    assert sleeper.wait(timeout=60) == -9
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_private_folder_is_locked_as_long_as_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = PrivateFolder.make()
    with (folder.path / scratch.OWNER).open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder.remove()
