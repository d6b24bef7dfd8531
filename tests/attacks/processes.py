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
    breaks("kill itself", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    breaks("stop itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    breaks(
        "ignore signals",
        "import signal\nfor number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"
        "    signal.signal(number, signal.SIG_IGN)",
    ),
    breaks_when_called("kill itself in a test", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
]
