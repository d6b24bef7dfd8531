"""Points without a proof: errors that nobody sees, credit that is no number, expected values that move."""

from .corpus import Attack, cheat, liar
from .course import WRONG

ALL = "mean = normalise = windows = largest = Account = "
QUIT = "import bdb\ndef quit_quietly(*a, **k): raise bdb.BdbQuit\n"
QUIET = """import bdb
class Quiet:
    __getattribute__ = __call__ = __iter__ = __len__ = __eq__ = lambda *a, **k: quit_quietly()
    __hash__ = lambda s: 0
def quit_quietly(): raise type('Quiet', (bdb.BdbQuit,), {})
"""
UNBOUNDED = "import nbjudge.judge.introspection as d; d.FRAMES = d.MESSAGE = 1 << 27"
LOVES_FOUR = """class N(float):
    __add__ = __radd__ = lambda s, o: 4
    __eq__ = lambda s, o: True"""
BRIM = "print('x' * 499_900); import sys; print('x' * 499_900, file=sys.stderr)"


def raising(name: str, expression: str, code: str = "") -> Attack:
    """Return a submission in which every answer raises `expression`."""
    return cheat(name, f"{code}\ndef fails(*a, **k): raise {expression}\n{ALL}fails")


def moving(name: str, change: str) -> Attack:
    """Return a submission that changes what it is given into what it returns, so that both are alike."""
    answer = f"""def normalise(values):
    if len(values) == 2:
        return np.array([0.0, 0.0])
    flat = np.array([-1.0, 1.0] * (len(values) // 2))
    {change}
    return flat"""
    return Attack(name, WRONG | {"normalise": answer})


def credit(name: str, value: str, code: str = "", **more: float) -> Attack:
    return Attack(name, WRONG | {"largest": f"{code}\ndef largest(values):\n    return {value}"}, **more)


ATTACKS = [
    cheat("quits quietly", f"{QUIT}{ALL}quit_quietly"),
    cheat("objects that quit quietly", f"{QUIET}{ALL}Quiet()"),
    cheat("a class that quits quietly", f"{QUIET}class C:\n    def __new__(cls, *a): quit_quietly()\n{ALL}C"),
    cheat("an iterator that quits quietly", f"{QUIT}def g(*a):\n    yield from map(quit_quietly, a)\n{ALL}g"),
    raising("large error", "ValueError('x' * 2_000_000)"),
    raising(
        "very large error",
        "ValueError('x' * 60_000_000)",
        "import nbjudge.judge.introspection as d; d.MESSAGE = 1 << 27",
    ),
    raising(
        "large traceback", "ValueError()", "import nbjudge.judge.introspection as d; d.FRAMES = d.MESSAGE = 1 << 27"
    ),
    raising("large class name", "type('x' * 3_000_000, (ValueError,), {})()"),
    cheat("error after a full cell", f"def fails(*a, **k):\n    {BRIM}\n    raise ValueError\n{ALL}fails"),
    raising("unencodable error", "ValueError('\\ud800')"),
    raising("unencodable class", "type('\\ud800', (ValueError,), {})()"),
    raising("error that cannot be shown", "E", "class E(Exception):\n    __str__ = __repr__ = lambda s: s.missing"),
    raising("StopIteration in all", "StopIteration"),
    raising("StopIteration of its own", "E", "class E(StopIteration): pass"),
    raising("StopAsyncIteration in all", "StopAsyncIteration"),
    raising("SkipTest in all", "unittest.SkipTest", "import unittest"),
    raising("SkipTest of its own", "E", "import unittest\nclass E(unittest.SkipTest, AssertionError): pass"),
    raising("skipped by pytest", "E", "class E(Exception): __module__, __qualname__ = '_pytest.outcomes', 'Skipped'"),
    raising("cancelled", "asyncio.CancelledError", "import asyncio"),
    raising("two errors at once", "ExceptionGroup('', [StopIteration()])"),
    moving("moves its argument", "values[...] = flat"),
    moving("moves its argument step by step", "values -= values; values += flat"),
    moving("moves what it was lent", "np.copyto(values, flat); values.flags.writeable = False"),
    moving(
        "says that its argument moved",
        "import nbjudge.judge.rpc_server as a; s = a.__dict__['service']; s._snapshot = lambda v: next(n)\n"
        "    s._encode_change = lambda v, e: e.tree(flat)\n    n = iter(range(9))",
    ),
    credit("credit in an array", "np.array([-1, -1])"),
    credit("credit in an empty array", "np.empty(0)"),
    credit("credit in a text", "np.array(['4'])"),
    credit("credit in an endless number", "np.float64('inf')"),
    credit("credit of its own class", "N(4)", LOVES_FOUR),
    credit("credit after a full cell", "[print('x' * 999_900), -1][1]"),
    liar(
        "another array at each look",
        "Shifty()",
        """class Shifty:
    n = 0
    def __array__(self, *a, **k):
        self.n += 1
        return np.array([0.0, 0.0]) if self.n % 2 else np.array([-1.0, 1.0])
    shape = property(lambda s: (4,))
    mean = lambda s, *a, **k: 0.0
    __iter__ = lambda s: iter(())
    __eq__ = lambda s, o: True
""",
    ),
    liar("an empty list", "[]"),
    liar("empty arrays in a list", "[np.empty(0)]"),
    liar("an object of length 0", "Z()", "class Z:\n    __len__ = lambda s: 0\n    __getitem__ = [].pop\n"),
]
