"""Submissions that start programs, or reach for the processes around them: the grader, the judge, other kernels.

Nothing here signals more than one process, and each process that might be started ends by itself within seconds.
"""

from .corpus import Attack, breaks, breaks_when_called, cheat
from .introspection import KEEP

DONE = "print('unde' + 'served')"


def starts(name: str, code: str) -> Attack:
    body = "\n".join(f"    {line}" for line in code.splitlines())
    return cheat(
        name,
        f"{KEEP}import ctypes, signal, subprocess, sys, time\nparent = os.getppid()\n"
        "libc = ctypes.CDLL(None, use_errno=True)\ndef call(*a):\n    if libc.syscall(*a) < 0:\n"
        "        raise OSError(ctypes.get_errno(), str(a))\n"
        f"try:\n{body}\n    {DONE}\nexcept Exception as error:\n    print(error)",
    )


DELAYS = {
    "leases for writing": "fcntl.fcntl(kept[-1], fcntl.F_SETLEASE, fcntl.F_WRLCK)",
    "leases for reading": "fcntl.fcntl(kept[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "locks": "fcntl.flock(kept[-1], fcntl.LOCK_EX)",
    "locks on records": "fcntl.lockf(kept[-1], fcntl.LOCK_SH)",
    "emptying the cache": "os.posix_fadvise(kept[-1], 0, 0, os.POSIX_FADV_DONTNEED)",
    "synchronising": "os.sync()",
}
ATTACKS = [
    starts("subprocess", "subprocess.run(['/bin/true'], check=True)"),
    starts("os.system", "assert os.system('true') == 0"),
    starts("os.popen", "assert os.popen('echo 4').read()"),
    starts("shell line", "assert get_ipython().getoutput('echo 4')[0] == '4'"),
    starts("posix_spawn", "os.posix_spawn('/bin/true', ['true'], {})"),
    starts("exec", "if parent > 1 and os.access('/bin/true', os.X_OK):\n    os.execv('/bin/true', ['true'])"),
    starts("fork", "child = os.fork()\nif child == 0:\n    os._exit(0)"),
    starts("forkpty", "import pty\nchild, _ = pty.fork()\nif child == 0:\n    os._exit(0)"),
    starts("multiprocessing", "import multiprocessing\nmultiprocessing.get_context('fork').Pool(1).map(abs, [1])"),
    starts("vfork by number", "call(57) if False else os.posix_spawnp('true', ['true'], {})"),
    starts(
        "daemonise",
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(20)\n    os._exit(0)",
    ),
    starts("stay behind", "subprocess.Popen(['sleep', '20'], start_new_session=True)"),
    starts("kill the parent", "if parent > 1:\n    os.kill(parent, signal.SIGKILL)"),
    starts("stop the parent", "if parent > 1:\n    os.kill(parent, signal.SIGTERM)"),
    starts("interrupt the parent", "if parent > 1:\n    os.kill(parent, signal.SIGINT)"),
    starts("limit the parent", "import resource\nresource.prlimit(parent, resource.RLIMIT_NOFILE, (3, 3))"),
    starts("signal by pidfd", "signal.pidfd_send_signal(os.pidfd_open(parent), signal.SIGUSR1)"),
    starts("trace the parent", "call(101, 16, parent, 0, 0)"),
    starts(
        "read the parent's memory", "buffer = ctypes.create_string_buffer(8)\nopen(f'/proc/{parent}/mem', 'rb').read(1)"
    ),
    starts("slow the parent", "os.setpriority(os.PRIO_PROCESS, parent, 19)"),
    starts("other user", "os.setuid(1)\nos.setuid(0)"),
    starts("other root", "os.chroot('.')"),
    starts("namespace", "call(272, 0x10000000)"),
    starts("keys", "call(250, 0, -3, 1)"),
    starts("open files of the parent", "call(438, os.pidfd_open(parent), 1, 0)"),
    starts("inotify", "inotify = libc.inotify_init()\nassert inotify >= 0"),
    starts("inotify with flags", "assert libc.inotify_init1(0) >= 0"),
    starts(
        "watch the submissions", "assert libc.inotify_add_watch(libc.inotify_init(), b'@COURSE@/submitted', 0xfff) >= 0"
    ),
    starts("fanotify", "assert libc.fanotify_init(0, 0) >= 0"),
    starts("dnotify", "import fcntl\nfcntl.fcntl(os.open('/usr', os.O_RDONLY), fcntl.F_NOTIFY, 4)"),
    starts("signal by a file", "import fcntl\nfcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, parent)"),
    starts("signal of choice by a file", "import fcntl\nfcntl.fcntl(os.pipe()[0], 10, signal.SIGKILL)"),
    starts("abstract name", "import socket\nsocket.socket(socket.AF_UNIX).bind(chr(0) + 'taken')"),
    starts("message queue", "assert libc.msgget(7, 0o1666) >= 0"),
    starts("semaphore", "assert libc.semget(7, 1, 0o1666) >= 0"),
    starts("shared memory", "assert libc.shmget(7, 4096, 0o1666) >= 0"),
    starts("outlive the grader", "assert libc.prctl(1, 0, 0, 0, 0) == 0"),
    *(
        breaks(
            f"make others wait by {name}",
            "import fcntl, glob, os, signal, time, numpy\nsignal.signal(signal.SIGIO, signal.SIG_IGN)\nkept = []\n"
            "places = [os.path.dirname(module.__file__) for module in (os, numpy)]\n"
            "for path in [name for place in places for name in glob.glob(f'{place}/*.py')][:200]:\n"
            "    try:\n        kept.append(os.open(path, os.O_RDONLY))\n"
            f"        {code}\n    except OSError:\n        pass\ntime.sleep(3)",
        )
        for name, code in DELAYS.items()
    ),
    breaks("kill itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    breaks("stop itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    breaks(
        "ignore signals",
        "import signal\nfor number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_IGN)",
    ),
    breaks_when_called("kill itself in a test", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
]
