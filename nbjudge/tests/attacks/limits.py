"""Submissions that use too much, or end their process: they may cost the exercise, never the submission or the class.

The course that runs these gives a cell 20 seconds and a kernel 2 GB, and each of them stops by itself somewhat above.
"""

from typing import Any

from .corpus import Attack, breaks, breaks_when_called, honest
from .course import POINTS, RIGHT

MEMORY = "kept = []\nfor _ in range(40):\n    kept.append(bytearray(b'x' * (100 << 20)))"
FLOOD = "import sys\nfor _ in range(1000):\n    print('x' * 100_000)"
SEGFAULT = "import ctypes\nctypes.string_at(8)"
STACK = "import sys\nsys.setrecursionlimit(10**7)\ndef deeper(n):\n    return [*map(deeper, [n + 1])]\ndeeper(0)"
STUBBORN = (
    "import time\nends = time.time() + 60\nwhile time.time() < ends:\n    try:\n        time.sleep(60)\n"
    "    except BaseException:\n        pass"
)
FORKS = "import os, time\nfor _ in range(40):\n    if os.fork() == 0:\n        time.sleep(30)\n        os._exit(0)"
THREADS = (
    "import threading, time\nfor _ in range(2000):\n"
    "    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()"
)

# What happens where: in a cell of its own, and inside the function, while a test runs.
TWICE = {
    "memory": MEMORY,
    "output flood": FLOOD,
    "segfault": SEGFAULT,
    "C stack overflow": STACK,
    "quit": "raise SystemExit(1)",
    "os._exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "sleep for ever": "import time\ntime.sleep(60)",
    "stubborn sleep": STUBBORN,
    "busy loop in C": "sum(1 for _ in range(10**10))",
    "forks": FORKS,
    "threads": THREADS,
    "one big array": "import numpy\nnumpy.ones(700_000_000)",
}
ONCE = {
    "quit()": "quit()",
    "exit()": "exit(3)",
    "endless recursion": "def again():\n    return again()\nagain()",
    "open files": "kept = [open('/dev/null') for _ in range(5000)]",
    "no descriptor left": "kept = []\ntry:\n    while True:\n        kept.append(open('/dev/null'))\n"
    "except OSError:\n    pass",
    "many files": "for number in range(30_000):\n    open(f'file-{number}', 'w').close()",
    "large file": "with open('large', 'wb') as file:\n    for _ in range(400):\n        file.write(b'x' * (1 << 20))",
    "many large files": "for number in range(8):\n    with open(f'large-{number}', 'wb') as file:\n"
    "        for _ in range(100):\n            file.write(b'x' * (1 << 20))",
    "sparse file": "open('sparse', 'wb').truncate(1 << 40)",
    "stderr flood": "import sys\nfor _ in range(500):\n    sys.stderr.write('x' * 100_000)",
    "display flood": "from IPython.display import display\nfor _ in range(20_000):\n"
    "    display({'text/plain': 'x' * 500}, raw=True)",
    "many outputs": "import sys\nfor place in range(20_000):\n"
    "    print(place, file=(sys.stdout, sys.stderr)[place % 2])\n"
    "    sys.stdout.flush()",
    "flood to the C level": "import os\nfor _ in range(300):\n    os.write(1, b'x' * 65536)\n"
    "    os.write(2, b'x' * 65536)",
    "shared memory": "import mmap\nkept = mmap.mmap(-1, 3 << 30)\n"
    "for place in range(0, 3 << 30, 4096):\n    kept[place] = 1",
    "faulthandler off": "import faulthandler, os\nfaulthandler.disable()\nos.close(1)\nos.close(2)",
    "heartbeat stopped": "import ctypes\nctypes.pythonapi.PyGILState_Ensure()\nctypes.PyDLL(None).sleep(60)",
    "sockets closed": "import os\nfor number in range(3, 200):\n    try:\n        os.close(number)\n"
    "    except OSError:\n        pass",
    "control thread ended": "get_ipython().kernel.control_thread.io_loop.stop()",
    "loop stopped": "get_ipython().kernel.io_loop.stop()",
    "input": "input('Your mark? ')",
    "debugger": "breakpoint()",
    "restart": "get_ipython().kernel.do_shutdown(True)",
    "reset": "get_ipython().run_line_magic('reset', '-f')\nimport numpy as np\n"
    "heights = np.array([1.62, 1.71, 1.68, 1.82])",
}
# While a test runs, nobody reads what is shown but what is listened to.
SHOWN = "import time\nsend = get_ipython().kernel.iopub_thread.send_multipart\n"
IN_A_TEST = {
    "large messages": "for _ in range(40):\n    print('x' * 50_000_000)",
    "messages of many parts": f"{SHOWN}for _ in range(5):\n    send([b'x'] + [bytes(8 << 20)] * 40)\ntime.sleep(1)",
    "messages of many items": "from IPython.display import display\nfor _ in range(5):\n"
    "    display({'text/plain': 'x', 'application/json': [[]] * 3_000_000}, raw=True)",
    "deep messages": "from IPython.display import display\ndeep = []\nfor _ in range(900):\n    deep = [deep]\n"
    "for _ in range(300):\n    display({'text/plain': 'x', 'application/json': deep}, raw=True)",
}
# Answers that are small here and large where they are looked at.
LARGE = {"a range": "range(100_000_000)", "many texts": "['x' * 1000] * 4000", "a count": "iter(range(10**12))"}
ANSWER = """def windows(values, size):
    if size == 4:
        return {}
    return (values[start : start + size] for start in range(len(values) - size + 1))"""


def chatty(number: int) -> dict[str, Any]:
    """Return a cell that shows as much as one may."""
    cell = {"cell_type": "code", "id": f"chatty-{number}", "metadata": {}, "outputs": [], "execution_count": None}
    return {**cell, "source": f"print({number}, 'x' * 900_000)"}


PAGE_TABLES = "import mmap\nkept = []\nfor _ in range(16):\n"
PAGE_TABLES += "    kept.append(mmap.mmap(-1, 64 << 30, flags=0x4022, prot=1))\n"
PAGE_TABLES += "    for place in range(0, 64 << 30, 2 << 20):\n        kept[-1][place]"
SOCKETS = "import socket, time\nkept = []\ntry:\n    while True:\n        kept += socket.socketpair()\n"
SOCKETS += (
    "        kept[-2].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)\n        kept[-2].setblocking(False)\n"
)
SOCKETS += "        try:\n            while True:\n                kept[-2].send(bytes(1 << 16))\n"
SOCKETS += "        except BlockingIOError:\n            pass\nexcept OSError:\n    time.sleep(1)"
OTHERS = {test: points for test, points in POINTS.items() if test != "windows_test"}
ATTACKS = [
    *(breaks(f"{name} in a cell", code) for name, code in IN_A_TEST.items()),
    *(breaks_when_called(f"{name} in a test", code) for name, code in IN_A_TEST.items()),
    *(
        Attack(f"{name} where a test counts", RIGHT | {"windows": ANSWER.format(value)}, OTHERS, OTHERS)
        for name, value in LARGE.items()
    ),
    honest("outputs of many cells", edit=lambda notebook: notebook["cells"].extend(map(chatty, range(60)))),
    breaks("page tables", PAGE_TABLES),
    breaks("buffers of sockets", SOCKETS),
    *(breaks(f"{name} in a cell", code) for name, code in TWICE.items()),
    *(breaks_when_called(f"{name} in a test", code) for name, code in TWICE.items()),
    *(breaks(name, code) for name, code in ONCE.items()),
]
