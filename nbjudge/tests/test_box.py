"""The sandbox around a submission's kernel: what it keeps out, what still works in it, and when grading is refused."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbgrader_course import nbgrader, scores
from tiny_course import LESSON, make_course, submit

from nbjudge.errors import CannotGrade
from nbjudge.sandbox import landlock, sandbox, uid_pool
from nbjudge.sandbox.kernel_env import kernel_environment
from nbjudge.sandbox.provisioner import SandboxProvisioner, use_sandbox
from nbjudge.sandbox.sandbox import announcement, missing_layers

pytestmark = pytest.mark.usefixtures("kernels_as_before")
whole_box = pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}")

READABLE = "os.open(sandbox.__file__, os.O_RDONLY)"
OWN = "os.open('own', os.O_RDWR | os.O_CREAT)"
# {what is tried: (the code, the error it must meet)}; COURSE is the course's folder.
ATTEMPTS = {
    "read the gradebook": ("open(f'{COURSE}/gradebook.db', 'rb').read()", "PermissionError"),
    "read the salt": ("open(f'{COURSE}/.course_salt').read()", "PermissionError"),
    "read another submission": (f"open(f'{{COURSE}}/submitted/ada/{LESSON}/{LESSON}.ipynb').read()", "PermissionError"),
    "read the solution": (f"open(f'{{COURSE}}/solutions/{LESSON}/{LESSON}.ipynb').read()", "PermissionError"),
    "list the students": ("os.listdir(f'{COURSE}/submitted')", "PermissionError"),
    "read the grader's environment": ("open(f'/proc/{os.getppid()}/environ').read()", "PermissionError"),
    "write beside the gradebook": ("open(f'{COURSE}/planted', 'w')", "PermissionError"),
    "write into the tests": ("open(f'{COURSE}/tiny_tests/__init__.py', 'a')", "PermissionError"),
    "write into the temporary folder": ("open('/tmp/planted-by-a-submission', 'w')", "PermissionError"),
    "remove the gradebook": ("os.remove(f'{COURSE}/gradebook.db')", "PermissionError"),
    "lock the gradebook away": ("os.chmod(f'{COURSE}/gradebook.db', 0)", "succeeded: None"),  # see below
    "date it back": ("os.utime(f'{COURSE}/gradebook.db', (1, 1))", "succeeded: None"),
    "take the gradebook": ("os.chown(f'{COURSE}/gradebook.db', os.getuid(), -1)", "PermissionError"),
    "take what it may read": ("os.fchown(os.open(sandbox.__file__, os.O_RDONLY), os.getuid(), -1)", "PermissionError"),
    "leave a link for nbgrader to follow": ("os.symlink(f'{COURSE}/gradebook.db', 'link')", "PermissionError"),
    "leave a hard link": ("os.link(f'{COURSE}/gradebook.db', 'link')", "OSError"),
    "leave a pipe for nbgrader to wait at": ("os.mkfifo('pipe')", "PermissionError"),
    "open a network socket": ("socket.socket()", "PermissionError"),
    "connect out": ("socket.create_connection(('127.0.0.1', 9), timeout=5)", "PermissionError"),
    "connect to a local service": ("socket.socket(socket.AF_UNIX).connect('/run/service')", "PermissionError"),
    "run a program": ("subprocess.run(['/bin/true'])", "PermissionError"),
    "fork": ("os.fork()", "PermissionError"),
    "trace the grader": ("system_call('ptrace', 16, os.getppid(), 0, 0)", "PermissionError"),
    "leave for another namespace": ("system_call('unshare', 0x10000000)", "PermissionError"),
    "become able to do more": ("system_call('mount', b'none', b'/tmp', b'tmpfs', 0, None)", "PermissionError"),
    "signal the grader": ("os.kill(os.getppid(), 0)", "PermissionError"),
    "limit the grader": ("resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3))", "PermissionError"),
    "lift a limit": ("resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))", "ValueError"),
    "share memory that no limit counts": ("mmap.mmap(-1, 1 << 20)", "PermissionError"),
    "keep memory in a file without a name": ("os.memfd_create('hidden')", "PermissionError"),
    "hide from the watcher": ("system_call('prctl', 4, 0, 0, 0, 0)", "PermissionError"),
    "hide open files in a thread": ("system_call('syscall', 436, 3, 3, 2)", "PermissionError"),
    "read as root": ("open('/etc/shadow').read()", "PermissionError"),
    "watch a closed folder": ("system_call('inotify_init')", "PermissionError"),
    "watch it with flags": ("system_call('inotify_init1', 0o4000)", "PermissionError"),
    "add a folder to watch": ("system_call('inotify_add_watch', 0, COURSE.encode(), 0x100)", "PermissionError"),
    "watch the file system": ("system_call('fanotify_init', 0, 0)", "PermissionError"),
    "be told of new files": ("fcntl.fcntl(os.open('/usr', os.O_RDONLY), fcntl.F_NOTIFY, 4)", "PermissionError"),
    "have readers wait": (f"fcntl.fcntl({READABLE}, fcntl.F_SETLEASE, fcntl.F_WRLCK)", "PermissionError"),
    "have writers wait": (f"fcntl.fcntl({READABLE}, fcntl.F_SETLEASE, fcntl.F_RDLCK)", "PermissionError"),
    "have who takes its file wait": (f"fcntl.fcntl({OWN}, fcntl.F_SETLEASE, fcntl.F_WRLCK)", "PermissionError"),
    "delegate its file": (f"fcntl.fcntl({OWN}, 1040, bytes(8))", "PermissionError"),
    "have the grader signalled": (f"fcntl.fcntl({OWN}, fcntl.F_SETOWN, os.getppid())", "PermissionError"),
    "have it signalled by a structure": (f"fcntl.fcntl({OWN}, 15, bytes(8))", "PermissionError"),
    "choose the signal": (f"fcntl.fcntl({OWN}, 10, 9)", "PermissionError"),
    "have it signalled by ioctl": (f"fcntl.ioctl({OWN}, 0x8901, bytes(4))", "OSError"),
    "keep a hint with a file": (f"fcntl.fcntl({OWN}, 1036, bytes(8))", "PermissionError"),
    "change attributes of a file": (f"fcntl.ioctl({OWN}, 0x40086602, bytes(8))", "OSError"),
    "see what of a file is in memory": ("system_call('mincore', 0, 0, 0)", "PermissionError"),
    "list the connections": ("open('/proc/net/tcp').read()", "PermissionError"),
    "list the sockets": ("open('/proc/self/net/unix').read()", "PermissionError"),
    "list the interfaces": ("open('/proc/thread-self/net/dev').read()", "PermissionError"),
    "list them in a thread's folder": (
        "open(f'/proc/self/task/{threading.get_native_id()}/net/tcp').read()",
        "PermissionError",
    ),
    "list the mounts": ("open('/proc/self/mountinfo').read()", "PermissionError"),
    "list the mounts, as ever": ("open('/proc/mounts').read()", "PermissionError"),
    "name its control group": ("open('/proc/self/cgroup').read()", "PermissionError"),
    "list control groups": ("os.listdir('/sys/fs/cgroup')", "PermissionError"),
    "list the users": ("open('/etc/passwd').read()", "PermissionError"),
    "name the machine": ("open('/proc/sys/kernel/random/boot_id').read()", "PermissionError"),
    "list network cards": ("os.listdir('/sys/class/net')", "PermissionError"),
    "take a name that others see": ("socket.socket(socket.AF_UNIX).bind(chr(0) + 'taken')", "PermissionError"),
    "take any name": ("socket.socket(socket.AF_UNIX).bind('')", "PermissionError"),
    "make a queue": ("system_call('msgget', 7, 0o1666)", "PermissionError"),
    "remove somebody's queue": ("system_call('msgctl', 0, 0, None)", "PermissionError"),
    "make a semaphore": ("system_call('semget', 7, 1, 0o1666)", "PermissionError"),
    "remove somebody's shared memory": ("system_call('shmctl', 0, 0, None)", "PermissionError"),
    "outlive the grader": ("system_call('prctl', 1, 0, 0, 0, 0)", "PermissionError"),
    "leave its session": ("os.setsid()", "PermissionError"),
    "pin the grader to a processor": ("os.sched_setaffinity(os.getppid(), {0})", "succeeded: None"),
    "put files out of memory": (f"os.posix_fadvise({READABLE}, 0, 0, os.POSIX_FADV_DONTNEED)", "succeeded: None"),
    "make all wait for the disk": ("os.sync()", "succeeded: None"),
    "lock what all read": (f"fcntl.flock({READABLE}, fcntl.LOCK_EX)", "succeeded: None"),
    "lock a folder that all read": ("fcntl.flock(os.open('/usr', os.O_RDONLY), fcntl.LOCK_EX)", "succeeded: None"),
    "lock a record of it": (f"fcntl.lockf({READABLE}, fcntl.LOCK_SH)", "succeeded: None"),
    "lock a record for an open file": (f"fcntl.fcntl({READABLE}, 37, bytes(32))[:0]", "succeeded: b''"),
    "allocate too much": ("bytearray(64 << 30)", "MemoryError"),
    "write too large a file": ("open('large', 'wb').truncate(1 << 40)", "OSError"),
}
ATTACK = """
import ctypes, fcntl, json, mmap, os, resource, socket, subprocess, threading
from nbjudge.sandbox import sandbox
COURSE = {course!r}
def system_call(name, *arguments):
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
outcomes = {{}}
for attempt, code in {attempts!r}.items():
    try:
        outcomes[attempt] = "succeeded: " + repr(eval(code))
    except BaseException as error:
        outcomes[attempt] = type(error).__name__
json.dump(outcomes, open("outcomes.json", "w"))
json.dump(dict(os.environ), open("environment.json", "w"))
def double(x):
    return x + x
"""
DOUBLE, TRIPLE = "def double(x):\n    return x + x", "def triple(x):\n    return 3 * x"


def attack(course: Path) -> str:
    """Return a cell that tries everything and writes down what came of it in its working folder."""
    return ATTACK.format(course=str(course), attempts={attempt: code for attempt, (code, _) in ATTEMPTS.items()})


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A folder like a course's, and a kernel that attacked it; {file that the attack left: what is in it}."""
    course = tmp_path_factory.mktemp("attacked")
    for name in ("gradebook.db", ".course_salt", f"submitted/ada/{LESSON}/{LESSON}.ipynb", "tiny_tests/__init__.py"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("private")
    (course / f"solutions/{LESSON}").mkdir(parents=True)
    (course / f"solutions/{LESSON}/{LESSON}.ipynb").write_text("private")
    work = course / "work"
    work.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBGRADER_EXECUTION", "autograde")
        patch.setenv("GRADEBOOK_PASSWORD", "from outside")
        patch.setenv("RNN_COURSE_SALT", "from outside")
        use_sandbox()
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(work))
        try:
            reply = client.execute(attack(course), reply=True, timeout=60)
            assert reply["content"]["status"] == "ok", reply["content"]
        finally:
            manager.shutdown_kernel(now=True)
            client.stop_channels()
    return course, {file.stem: json.loads(file.read_text()) for file in work.glob("*.json")}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class of three, the attacker between the honest two; (the course's folder, what autograde said)."""
    course = make_course(tmp_path_factory.mktemp("boxed") / "course")
    submit(course, "ada", double=DOUBLE, triple=TRIPLE)
    submit(course, "mallory", double=attack(course), triple=TRIPLE)
    submit(course, "zoe", double=DOUBLE, triple=TRIPLE)
    said = nbgrader(course, "autograde", LESSON)
    return course, said


# --- what it keeps out


@whole_box
@pytest.mark.nbgrader
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_submission_cannot(attacked, attempt):
    outcome, expected = attacked[1]["outcomes"][attempt], ATTEMPTS[attempt][1]
    if attempt == "leave a hard link" and uid_pool.runs_as_root():
        expected = "PermissionError"  # it is another user's file; else Landlock says that it lies elsewhere
    assert outcome == expected


@whole_box
@pytest.mark.nbgrader
def test_nothing_is_planted_and_no_private_folder_is_left(attacked):
    course, left = attacked
    assert not (course / "planted").exists()
    assert not Path("/tmp/planted-by-a-submission").exists()
    assert not Path(left["environment"]["HOME"]).parent.exists()


@whole_box
@pytest.mark.nbgrader
def test_permissions_and_times_stay_though_changing_them_seems_to_work(attacked):
    course, left = attacked
    assert left["outcomes"]["lock the gradebook away"] == "succeeded: None"
    status = (course / "gradebook.db").stat()
    assert status.st_mode & 0o444
    assert status.st_mtime > 1


@whole_box
@pytest.mark.nbgrader
def test_a_lock_that_seems_to_hold_keeps_nobody_waiting(tmp_path, monkeypatch, kernels_as_before):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    use_sandbox()
    take = "import fcntl, os\nfrom nbjudge.sandbox import sandbox"
    take += "\nkept = [os.open(name, os.O_RDWR | os.O_CREAT) for name in 'ab']"
    take += f"\nkept.append({READABLE})\nfcntl.flock(kept[0], fcntl.LOCK_EX)\nfcntl.lockf(kept[1], fcntl.LOCK_EX)"
    take += "\nfcntl.flock(kept[2], fcntl.LOCK_EX)"
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    try:
        reply = client.execute(take, reply=True, timeout=60)["content"]
        assert reply["status"] == "ok", reply
        for path, lock in (
            (tmp_path / "a", fcntl.flock),
            (tmp_path / "b", fcntl.lockf),
            (sandbox.__file__, fcntl.flock),
        ):
            with open(path, "r+b") as file:
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # or BlockingIOError
    finally:
        manager.shutdown_kernel(now=True)
        client.stop_channels()


SECRETS = ["TF_TOKEN_app_terraform_io", "TF_VAR_password", "TF_CLI_CONFIG_FILE", "TF_CONFIG", "TF_WORKSPACE"]
SECRETS += ["CUDA_TOKEN", "XLA_SECRET", "OMP_PASSWORD", "MKL_LICENSE_FILE", "OPENBLAS_KEY", "LC_PASSWORD", "KERAS_KEY"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_variable_arrives_by_its_own_name_only(name, tmp_path):
    graders = {name: "secret", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "LC_ALL": "C.UTF-8"}
    child = kernel_environment(graders, [], tmp_path, tmp_path)
    assert name not in child
    assert {"OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL", "LC_ALL"} <= child.keys()
    assert kernel_environment(graders, [name], tmp_path, tmp_path)[name] == "secret"  # where a course asks for it


@whole_box
@pytest.mark.nbgrader
def test_of_the_graders_environment_only_what_was_named_arrives(attacked):
    course, left = attacked
    environment = left["environment"]
    assert "GRADEBOOK_PASSWORD" not in environment
    assert "RNN_COURSE_SALT" not in environment
    assert [name for name, text in environment.items() if str(course) in text] == []


@whole_box
@pytest.mark.nbgrader
def test_honest_submissions_get_full_marks_before_and_after_an_attack(graded):
    course, _ = graded
    assert scores(course) == {"ada": 6.0, "mallory": 6.0, "zoe": 6.0}


@whole_box
@pytest.mark.nbgrader
def test_what_is_in_force_is_said_once(graded):
    _, said = graded
    (line,) = [line for line in said.splitlines() if "sandbox: " in line]
    assert "limits (memory_mb 4096, " in line
    assert "landlock v" in line
    assert line.endswith("seccomp; not in force: nothing")


# --- what still works

LIBRARIES = {
    "numpy": "import numpy as np\ngood = float((np.ones((200, 200)) @ np.ones((200, 200)))[0, 0]) == 200.0",
    "matplotlib": (
        "import matplotlib.pyplot as plt\nfigure, axes = plt.subplots()\naxes.plot([1, 2], label='$x^2$')\n"
        "plt.show()\nfigure.savefig('plot.png')\nimport os\ngood = os.path.getsize('plot.png') > 0"
    ),
    "keras": (
        "import numpy as np, keras\nkeras.utils.set_random_seed(1)\n"
        "model = keras.Sequential([keras.layers.GRU(3), keras.layers.Dense(1)])\n"
        "model.compile('adam', 'mse')\nhistory = model.fit(np.ones((8, 4, 2)), np.ones((8, 1)), epochs=2)\n"
        "model.save('model.keras')\nagain = keras.models.load_model('model.keras')\n"
        "good = again.predict(np.ones((1, 4, 2))).shape == (1, 1)"
    ),
    "a module of one's own": "open('own.py', 'w').write('good = True')\nimport importlib\n"
    "importlib.invalidate_caches()\nfrom own import good",
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:\n"
        "    good = sum(pool.map(int, '11')) == 2"
    ),
    "asyncio": "import asyncio\nawait asyncio.sleep(0.01)\ngood = True",
    "more threads of ZMQ": (
        "import zmq\nwith zmq.Context() as context, context.socket(zmq.PUSH) as sender:\n"
        "    sender.bind('inproc://own')\ngood = True"
    ),
    "copies and archives": (
        "import shutil, zipfile\nopen('a', 'w').write('1')\nshutil.copy('a', 'b')\nshutil.copy2('a', 'c')\n"
        "archive = shutil.make_archive('all', 'gztar', '.', 'a')\nshutil.unpack_archive(archive, 'out')\n"
        "good = open('out/a').read() == open('c').read() == '1'"
    ),
    "a database": (
        "import sqlite3\nwith sqlite3.connect('own.db') as own:\n    own.execute('create table a (b)')\n"
        "    own.execute('insert into a values (4)')\n"
        "good = sqlite3.connect('own.db').execute('select b from a').fetchall() == [(4,)]"
    ),
    "HDF5, which locks": (
        "import h5py\nwith h5py.File('own.h5', 'w') as own:\n    own['a'] = [1, 2]\n"
        "with h5py.File('own.h5') as own:\n    good = own['a'][:].tolist() == [1, 2]"
    ),
    "a look at oneself": (
        "import os, psutil\nme = psutil.Process()\n"
        "good = me.memory_info().rss > 0 and me.num_threads() == len(os.listdir('/proc/self/task'))\n"
        "good = good and me.num_fds() > 0"
    ),
    "temporary files": "import tempfile\nwith tempfile.TemporaryFile() as f:\n    good = f.write(b'1') == 1",
}


@pytest.fixture(scope="module")
def boxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    """A kernel in the box."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBGRADER_EXECUTION", "autograde")
        use_sandbox()
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path_factory.mktemp("work")))
        try:
            yield client
        finally:
            manager.shutdown_kernel(now=True)
            client.stop_channels()


@pytest.mark.nbgrader
@pytest.mark.parametrize("library", LIBRARIES)
def test_numpy_matplotlib_keras_and_the_like_work_in_the_box(boxed, library):
    reply = boxed.execute_interactive(f"{LIBRARIES[library]}\nassert good", timeout=120, output_hook=print)
    assert reply["content"]["status"] == "ok", reply["content"]


# --- which kernels are boxed


def command_of_a_kernel() -> list[str]:
    use_sandbox()
    manager = KernelManager(kernel_name="python3")
    try:
        return manager.pre_start_kernel()[0]
    finally:
        manager.cleanup_resources()


def test_a_students_own_kernel_is_not_boxed(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    assert "ipykernel_launcher" in command_of_a_kernel()


def test_a_kernel_that_validates_is_not_boxed(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    assert "ipykernel_launcher" in command_of_a_kernel()


@whole_box
def test_a_kernel_that_grades_is_boxed_however_often_the_settings_are_read(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    use_sandbox()
    command = command_of_a_kernel()
    assert "nbjudge.sandbox.kernel_launcher" in command
    assert "ipykernel_launcher" not in command


# --- what is missing is said, or refused


def test_a_missing_layer_is_named_with_its_reason(monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    line = announcement({"memory_mb": 1}, missing_layers())
    assert "landlock v" not in line
    assert "not in force: landlock (this Linux kernel has none, or it was switched off)" in line


def test_elsewhere_than_on_linux_nothing_is_in_force(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    assert announcement({}, missing_layers()).startswith("sandbox: NONE; not in force: user (darwin has none)")


def test_a_course_inside_of_what_kernels_read_counts_as_open(tmp_path):
    manager = KernelManager()
    manager.config.CourseDirectory.root = str(tmp_path / "course")
    provisioner = SandboxProvisioner(parent=manager, readable=[str(tmp_path)])
    assert provisioner._missing()["landlock"].startswith(f"the course is inside {tmp_path}")


@pytest.mark.nbgrader
def test_a_required_box_with_a_gap_stops_the_grading_and_names_the_way_out(tmp_path):
    course = make_course(tmp_path / "course")
    submit(course, "ada", double=DOUBLE, triple=TRIPLE)
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write("\nimport nbjudge.sandbox.landlock\nnbjudge.sandbox.landlock.version = lambda: 0\n")
    said = nbgrader(course, "autograde", LESSON, fails=True, NBJUDGE_REQUIRE_ISOLATION="1")
    assert "Nothing was graded" in said
    assert "has gaps (landlock: this Linux kernel has none, or it was switched off" in said
    assert "c.SandboxProvisioner.required = False" in said
    assert scores(course) == {}
    assert f"canaries of {LESSON}: solution 6/6" in nbgrader(course, "autograde", LESSON)  # not required: graded


@pytest.mark.nbgrader
def test_hidden_tests_where_every_kernel_reads_stop_the_grading(tmp_path):
    course = make_course(tmp_path / "course")
    submit(course, "ada", double=DOUBLE, triple=TRIPLE)
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write('\nc.SandboxProvisioner.hidden = ["tiny_tests", "nbgrader"]\n')  # the second one is installed
    said = nbgrader(course, "autograde", LESSON, fails=True)
    assert "nbgrader, which holds hidden tests. Install the course so that" in said
    assert scores(course) == {}


@whole_box
def test_a_kernel_that_the_box_cannot_replace_is_refused_and_leaves_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    monkeypatch.setattr("nbjudge.sandbox.scratch.tempfile.mkdtemp", lambda **_: str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    use_sandbox()
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv = ["xeus", "-f", "{connection_file}"]
    with pytest.raises(CannotGrade, match="expected -m ipykernel_launcher"):
        manager.pre_start_kernel()
    assert not (tmp_path / "private").exists()
