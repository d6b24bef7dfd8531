"""Values that lie about what they are: equal to everything, never a number, endless or of no size."""

from .corpus import Attack, cheat, liar
from .course import WRONG

EVERYTHING = """class Everything:
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __bool__ = lambda self, *a: True
    __ne__ = lambda self, *a: False
    __call__ = __getattr__ = __getitem__ = __sub__ = __rsub__ = __abs__ = __add__ = lambda self, *a, **k: self
    __len__ = lambda self: 7
    __iter__ = lambda self: iter([self])
    __next__ = lambda self: self
    __hash__ = lambda self: 0
    __float__ = lambda self: 0.0
    __array_ufunc__ = __array_function__ = lambda self, *a, **k: np.True_
    shape = property(lambda self: self)
"""
FLOAT = """class Liar(float):
    __eq__ = __lt__ = __le__ = __ge__ = __gt__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = __abs__ = __round__ = lambda self, *a: self
    __hash__ = float.__hash__
"""
ARRAY = """class Liar(np.ndarray):
    def __array_ufunc__(self, *a, **k):
        return np.True_
    def __array_function__(self, function, types, args, kwargs):
        return True
    __eq__ = __lt__ = lambda self, other: np.True_
    shape = property(lambda self: (4,))
    def mean(self, *a, **k):
        return 0.0
"""
SUBCLASSES = """class List(list):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
class Text(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__
class Int(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__
"""
META = """class Meta(type):
    __instancecheck__ = __subclasscheck__ = __eq__ = lambda cls, other: True
    __hash__ = type.__hash__
class Same(metaclass=Meta):
    balance, owner = 5, 'Ada'
    deposit = lambda self, amount: 12
    __eq__ = lambda self, other: True
"""

# What is worth 0 or 1 as a number gets the part of the credit that a plain 0 or 1 deserves.
ATTACKS = [
    liar("equal to everything", "Everything()", EVERYTHING),
    liar("equal float", "Liar(1)", FLOAT),
    liar("equal array", "np.zeros(4).view(Liar)", ARRAY),
    liar("equal list", "List([Text(), Int()])", SUBCLASSES),
    liar("equal int", "Int(3)", SUBCLASSES),
    liar("equal text", "Text('4')", SUBCLASSES),
    liar("equal class", "Same()", META),
    liar("mock", "MagicMock()", "from unittest.mock import MagicMock, ANY"),
    liar("any", "ANY", "from unittest.mock import MagicMock, ANY"),
    liar("not a number", "float('nan')"),
    liar("array not a number", "np.full(4, np.nan)"),
    liar("complex not a number", "complex('nan+nanj')"),
    liar("infinite", "np.inf"),
    liar("decimal not a number", "Decimal('NaN')", "from decimal import Decimal"),
    liar("masked array", "np.ma.masked_all(4)"),
    liar("masked", "np.ma.masked"),
    liar("not a time", "np.full(4, np.datetime64('NaT'))"),
    liar("object array", "np.array([Everything()] * 4, dtype=object)", EVERYTHING),
    liar("true", "True", most={"largest_test": 1.0}),
    liar("not implemented", "NotImplemented"),
    liar("ellipsis", "..."),
    liar("the arguments", "given[0]"),
    liar("huge array", "np.broadcast_to(np.float64(0), (100_000, 100_000))"),
    liar("huge strides", "np.lib.stride_tricks.as_strided(np.zeros(1), (2**34,), (0,))"),
    liar("zero size shape", "np.empty((0, 2**40))"),
    liar("many axes", "np.zeros((1,) * 60)"),
    liar("zero itemsize", "np.zeros(2**40, dtype='V0')"),
    liar("huge range", "range(10**18)"),
    liar("huge integer", "1 << (1 << 24)"),
    liar("long text", "'4' * (300 << 20)"),
    liar("structured", "np.zeros(4, dtype=[('shape', 'O'), ('mean', 'f8')])"),
    liar("memory view", "memoryview(bytearray(8))"),
    liar(
        "deep list",
        "deep()",
        "def deep():\n    inner = []\n    for _ in range(100_000):\n        inner = [inner]\n    return inner",
    ),
    liar("list of itself", "itself", "itself = []\nitself.append(itself)"),
    liar("deep tuple", "chain", "from functools import reduce\nchain = reduce(lambda t, _: (t,), range(5000), ())"),
    liar("endless generator", "endless()", "import itertools\ndef endless():\n    yield from itertools.repeat([1, 2])"),
    liar(
        "endless iterator",
        "Endless()",
        "class Endless:\n    __iter__ = lambda self: self\n"
        "    __next__ = lambda self: 0\n    __getitem__ = lambda self, place: 0\n    __len__ = lambda self: 7",
    ),
    liar("recursion", "mean(*given)"),
    liar(
        "lazy",
        "Lazy()",
        EVERYTHING + "class Lazy(Everything):\n    import gc\n    def __eq__(self, other):\n"
        "        self.__dict__['seen'] = other\n        return True",
    ),
    liar("coroutine", "wait()", "import asyncio\nasync def wait():\n    await asyncio.sleep(0)"),
    liar("exception as value", "AssertionError()"),
    liar(
        "changes its arguments",
        "forget(*given)",
        "def forget(*values):\n    for value in values:\n        try:\n"
        "            value.clear()\n        except AttributeError:\n            pass\n"
        "    heights.flags.writeable = True\n"
        "    heights[:] = 0\n    return heights",
    ),
    liar(
        "evil repr",
        "Evil()",
        "class Evil:\n    def __repr__(self):\n        raise SystemExit(0)\n"
        "    __str__ = __format__ = __dir__ = __repr__",
    ),
    liar(
        "evil class",
        "Evil()",
        "class Evil:\n    @property\n    def __class__(self):\n        return bool\n"
        "    def __bool__(self):\n        return True\n    def __getattribute__(self, name):\n"
        "        if name == '__class__':\n            return float\n        raise KeyboardInterrupt",
    ),
    liar(
        "evil reduce",
        "Evil()",
        "class Evil:\n    def __reduce__(self):\n"
        "        return (exec, (\"open('@DROP@/unpickled', 'w').write('unde' 'served')\",))\n"
        "    def __array__(self, *a, **k):\n        return np.array([self], dtype=object)",
    ),
    cheat(
        "evil exception",
        "class Evil(AssertionError):\n    def __str__(self):\n        raise SystemExit(0)\n"
        "    __repr__ = __str__\n    __traceback__ = property(lambda self: 1 / 0)\n"
        "def mean(values):\n    raise Evil",
    ),
    cheat(
        "exception that passes",
        "class Passed(BaseException):\n    __class__ = None\ndef mean(values):\n    raise Passed\n",
    ),
    cheat("StopIteration", "def mean(values):\n    raise StopIteration(4)"),
    cheat("GeneratorExit", "def mean(values):\n    raise GeneratorExit"),
    cheat("KeyboardInterrupt", "def mean(values):\n    raise KeyboardInterrupt"),
    cheat("SystemExit", "def mean(values):\n    raise SystemExit(0)"),
    cheat("unittest skip", "import unittest\ndef mean(values):\n    raise unittest.SkipTest('done')"),
    cheat("grader's own error", "def mean(values):\n    raise type('SubmissionError', (ValueError,), {})('passed')"),
    Attack(
        "account from thin air",
        WRONG
        | {"account": "Account = type('Account', (), {'__getattr__': lambda s, n: 5, '__init__': lambda s, *a: None})"},
    ),
    Attack(
        "account equal to all",
        WRONG
        | {
            "account": EVERYTHING + "class Account(Everything):\n"
            "    def __init__(self, owner):\n        pass\n    balance = owner = property(lambda self: Everything())\n"
            "    def deposit(self, amount):\n        if amount == -1:\n            raise ValueError\n"
            "        return Everything()"
        },
    ),
    Attack(
        "credit that lies",
        WRONG
        | {
            "largest": "class Many(int):\n    __eq__ = lambda self, other: True\n"
            "    __hash__ = int.__hash__\ndef largest(values):\n    return Many()"
        },
    ),
    Attack(
        "credit of numpy",
        WRONG | {"largest": "def largest(values):\n    return np.ma.masked"},
    ),
    Attack("credit of everything", WRONG | {"largest": EVERYTHING + "def largest(values):\n    return Everything()"}),
]
