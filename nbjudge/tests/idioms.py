"""Idioms of test cells as instructors write them, each with a right and a wrong answer.

Each group is one notebook of a generated course, which stock nbgrader and nbjudge grade; see test_compatibility.py.
An idiom whose test shares more than data with the answer is judged inside the submission's process.
"""

from __future__ import annotations

from dataclasses import dataclass

OUTSIDE, INSIDE = "outside", "inside"


@dataclass(frozen=True)
class Idiom:
    """One exercise.

    answer, wrong: the student's cell; test: the test cell, worth 2 points
    given: a locked cell before them
    judging: how nbjudge judges the test
    earned: points of the wrong answer
    stock: points of the wrong answer in stock nbgrader, where they differ; reason: why they do
    """

    name: str
    answer: str
    test: str
    wrong: str
    given: str = ""
    judging: str = OUTSIDE
    earned: float = 0.0
    stock: float | None = None
    reason: str = ""


def I(name: str, answer: str, test: str, wrong: str, **more: object) -> Idiom:  # noqa: E743, N802  (a table's column)
    """Return an idiom, with the lines of its cells separated by newlines."""
    return Idiom(name, answer, test, wrong, **more)  # type: ignore[arg-type]


FUNCTIONS = [
    I("equality", "def f1(x): return x * x", "assert f1(3) == 9", "def f1(x): return x"),
    I("message", "def f2(x): return -x", "assert f2(3) == -3, 'negate it'", "def f2(x): return x"),
    I("loop", "def f3(x): return x + 1", "for i in range(20):\n    assert f3(i) == i + 1", "def f3(x): return x"),
    I(
        "table of cases",
        "def f4(a, b): return a + b",
        "cases = [((1, 2), 3), ((0, 0), 0)]\nfor args, want in cases:\n    assert f4(*args) == want, args",
        "def f4(a, b): return a",
    ),
    I("lambda passed", "def f5(g, x): return g(g(x))", "assert f5(lambda x: x + 1, 2) == 4", "def f5(g, x): return g(x)"),
    I(
        "own function passed",
        "def f6(g, x): return g(x)",
        "def helper(x):\n    return x + 1\nassert f6(helper, 1) == 2",
        "def f6(g, x): return x",
    ),
    I(
        "own class passed",
        "def f7(kind): return kind(3).value",
        "class Box:\n    def __init__(self, value):\n        self.value = value\nassert f7(Box) == 3",
        "def f7(kind): return 0",
        judging=INSIDE,
    ),
    I(
        "own instance passed",
        "def f8(point): return point.x + point.y",
        "class Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\nassert f8(Point(1, 2)) == 3",
        "def f8(point): return 0",
        judging=INSIDE,
    ),
    I(
        "counting callback",
        "def f9(g): return [g(i) for i in range(3)]",
        "calls = []\ndef spy(i):\n    calls.append(i)\n    return i\nf9(spy)\nassert calls == [0, 1, 2]",
        "def f9(g): return [0, 1, 2]",
    ),
    I("default argument", "def f10(x, n=2): return x**n", "assert f10(3) == 9 and f10(2, n=3) == 8", "def f10(x, n=1): return x"),
    I("keywords", "def f11(*, a, b): return a - b", "assert f11(b=1, a=3) == 2", "def f11(*, a, b): return b - a"),
    I("star arguments", "def f12(*xs): return max(xs)", "assert f12(1, 5, 2) == 5", "def f12(*xs): return xs[0]"),
    I("closure", "def f13(n):\n    def add(x): return x + n\n    return add", "assert f13(2)(3) == 5", "def f13(n): return lambda x: x"),
    I(
        "decorator",
        "def f14(g):\n    def twice(x): return g(g(x))\n    return twice",
        "assert f14(lambda x: 2 * x)(3) == 12",
        "def f14(g): return g",
    ),
    I("generator", "def f15(n):\n    for i in range(n): yield i * i", "assert list(f15(4)) == [0, 1, 4, 9]", "def f15(n): yield 0"),
    I("next", "def f16():\n    yield 1\n    yield 2", "g = f16()\nassert next(g) == 1 and next(g) == 2", "def f16():\n    yield 1\n    yield 1"),
    I("recursion", "def f17(n): return 1 if n < 2 else n * f17(n - 1)", "assert f17(5) == 120", "def f17(n): return n"),
    I("docstring", 'def f18(x):\n    """Double x."""\n    return 2 * x', "assert 'Double' in f18.__doc__ and f18(2) == 4", "def f18(x): return 2 * x"),
    I(
        "signature",
        "def f19(a, b=1): return a",
        "import inspect\nassert list(inspect.signature(f19).parameters) == ['a', 'b']",
        "def f19(x): return x",
    ),
    I(
        "source",
        "def f20(n):\n    return sum(range(n))",
        "import inspect\nassert 'for' not in inspect.getsource(f20)\nassert f20(4) == 6",
        "def f20(n):\n    s = 0\n    for i in range(n): s += i\n    return s",
        judging=INSIDE,
    ),
    I("callable", "def f21(): return 1", "assert callable(f21)\nassert f21() == 1", "f21 = 1"),
    I("name", "def f22(): pass", "assert f22.__name__ == 'f22'", "f22 = lambda: None"),
    I("vectorize", "def f23(x): return x + 1", "import numpy as np\nassert (np.vectorize(f23)(np.arange(3)) == [1, 2, 3]).all()", "def f23(x): return x", judging=INSIDE),
    I("map and filter", "def f24(x): return x % 2 == 0", "assert list(filter(f24, range(5))) == [0, 2, 4]", "def f24(x): return True"),
    I("sort key", "def f25(word): return word[::-1]", "assert sorted(['ab', 'ba'], key=f25) == ['ba', 'ab']", "def f25(word): return word"),
    I("partial", "def f26(a, b): return a - b", "from functools import partial\nassert partial(f26, 5)(2) == 3", "def f26(a, b): return b - a"),
    I("await", "async def f27(): return 7", "assert await f27() == 7", "async def f27(): return 0", judging=INSIDE),
    I("asyncio", "async def f28(x): return 2 * x", "import asyncio\nassert await asyncio.gather(f28(1), f28(2)) == [2, 4]", "async def f28(x): return x", judging=INSIDE),
]
CLASSES = [
    I("attribute", "class A1:\n    def __init__(self): self.n = 3", "assert A1().n == 3", "class A1:\n    n = 0"),
    I(
        "method and state",
        "class A2:\n    def __init__(self): self.n = 0\n    def up(self): self.n += 1",
        "a = A2()\na.up()\na.up()\nassert a.n == 2",
        "class A2:\n    n = 0\n    def up(self): pass",
    ),
    I("isinstance", "class A3: pass\ndef make3(): return A3()", "assert isinstance(make3(), A3)", "class A3: pass\ndef make3(): return 3"),
    I("type is", "class A4: pass\ndef make4(): return A4()", "assert type(make4()) is A4", "class A4: pass\nclass B4(A4): pass\ndef make4(): return B4()", judging=INSIDE),
    I("equality of objects", "class A5:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return self.x == o.x", "assert A5(1) == A5(1)\nassert not A5(1) == A5(2)", "class A5:\n    def __init__(self, x): pass"),
    I("repr", "class A6:\n    def __repr__(self): return 'A6()'", "assert repr(A6()) == 'A6()'", "class A6: pass"),
    I("len and getitem", "class A7:\n    def __len__(self): return 2\n    def __getitem__(self, i): return [5, 6][i]", "a = A7()\nassert len(a) == 2 and a[1] == 6", "class A7:\n    def __len__(self): return 0"),
    I("iteration", "class A8:\n    def __iter__(self): return iter([1, 2])", "assert [x for x in A8()] == [1, 2]", "class A8:\n    def __iter__(self): return iter([])"),
    I("inheritance", "class A9(list):\n    def top(self): return self[-1]", "a = A9()\na.append(4)\nassert a.top() == 4 and issubclass(A9, list)", "class A9(list):\n    def top(self): return 0"),
    I("subclass in the test", "class A10:\n    def hello(self): return self.name() + '!'", "class Sub(A10):\n    def name(self): return 'x'\nassert Sub().hello() == 'x!'", "class A10:\n    def hello(self): return '!'", judging=INSIDE),
    I("property", "class A11:\n    def __init__(self, r): self.r = r\n    @property\n    def d(self): return 2 * self.r", "assert A11(2).d == 4", "class A11:\n    def __init__(self, r): self.d = r"),
    I("static method", "class A12:\n    @staticmethod\n    def f(x): return x + 1", "assert A12.f(1) == 2", "class A12:\n    @staticmethod\n    def f(x): return x"),
    I("class attribute", "class A13:\n    count = 0\n    def __init__(self): A13.count += 1", "A13()\nA13()\nassert A13.count == 2", "class A13:\n    count = 0"),
    I("list attribute", "class A14:\n    def __init__(self): self.items = []\n    def total(self): return sum(self.items)", "a = A14()\na.items.append(3)\na.items.append(4)\nassert a.total() == 7", "class A14:\n    def __init__(self): self.items = []\n    def total(self): return 0", judging=INSIDE),
    I("setattr", "class A15:\n    def __init__(self): self.x = 1\n    def double(self): return 2 * self.x", "a = A15()\na.x = 5\nassert a.double() == 10", "class A15:\n    def double(self): return 2"),
    I("operator", "class A16:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return A16(self.x + o.x)", "assert (A16(1) + A16(2)).x == 3", "class A16:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return self"),
    I("dataclass", "from dataclasses import dataclass\n@dataclass\nclass A17:\n    x: int = 0", "assert A17(3).x == 3 and A17(1) == A17(1)", "class A17:\n    def __init__(self, x=0): self.x = 0"),
    I("namedtuple", "from collections import namedtuple\nA18 = namedtuple('A18', 'x y')", "p = A18(1, 2)\nassert p.x == 1 and tuple(p) == (1, 2)", "from collections import namedtuple\nA18 = namedtuple('A18', 'y x')"),
    I("context manager", "class A19:\n    def __enter__(self): return 5\n    def __exit__(self, *a): return False", "with A19() as v:\n    assert v == 5", "class A19:\n    def __enter__(self): return 0\n    def __exit__(self, *a): return False"),
    I("context manager and a list of the test", "class A20:\n    def __init__(self, log): self.log = log\n    def __enter__(self): self.log.append('in')\n    def __exit__(self, *a): self.log.append('out')", "log = []\nwith A20(log):\n    log.append('body')\nassert log == ['in', 'body', 'out']", "class A20:\n    def __init__(self, log): pass\n    def __enter__(self): pass\n    def __exit__(self, *a): pass", judging=INSIDE),
    I("hasattr", "class A21:\n    def run(self): return 1", "assert hasattr(A21(), 'run') and not hasattr(A21(), 'walk')", "class A21: pass"),
    I("comparison", "class A22:\n    def __init__(self, x): self.x = x\n    def __lt__(self, o): return self.x < o.x", "assert sorted([A22(2), A22(1)])[0].x == 1", "class A22:\n    def __init__(self, x): self.x = x\n    def __lt__(self, o): return False"),
    I("callable object", "class A23:\n    def __call__(self, x): return 2 * x", "assert A23()(4) == 8", "class A23:\n    def __call__(self, x): return x"),
    I("abstract", "from abc import ABC, abstractmethod\nclass A24(ABC):\n    @abstractmethod\n    def f(self): ...", "try:\n    A24()\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError", "class A24: pass"),
    I("enum", "from enum import Enum\nclass A25(Enum):\n    RED = 1", "assert A25.RED.value == 1 and A25['RED'].name == 'RED'", "class A25:\n    RED = 1"),
    I("nested attributes", "class A26:\n    class Inner:\n        v = 4\n    def __init__(self): self.inner = A26.Inner()", "assert A26().inner.v == 4", "class A26:\n    inner = None"),
]
NAMES = [
    I("variable", "v1 = 42", "assert v1 == 42", "v1 = 41"),
    I("rebound in the test", "v2 = 5", "v2 = v2 + 1\nassert v2 == 6", "v2 = 4"),
    I("rebound in an earlier test", "v3 = 0", "assert v2 == 6 and v3 == 0", "v3 = 1"),
    I("given name", "def v4(x): return x + offset", "assert v4(1) == 11", "def v4(x): return x", given="offset = 10"),
    I("global set by the test", "def v5(a): return factor * a", "factor = 3\nassert v5(2) == 6", "def v5(a): return a", judging=INSIDE),
    I("helper taken away", "def square(x): return x * x\ndef v6(n): return sum(square(i) for i in range(n))", "keep = square\ndel square\ntry:\n    v6(3)\nexcept NameError:\n    pass\nelse:\n    raise AssertionError('v6 should use square')\nfinally:\n    square = keep", "def square(x): return x * x\ndef v6(n): return sum(i * i for i in range(n))", judging=INSIDE),
    I("helper replaced", "def pick(): return 1\ndef v7(): return pick() + 1", "keep = pick\npick = lambda: 10\nassert v7() == 11\npick = keep", "def pick(): return 1\ndef v7(): return 2", judging=INSIDE),
    I("globals", "v8 = 3", "assert 'v8' in globals() and globals()['v8'] == 3", "v8 = 2"),
    I("name missing", "v9 = 1", "try:\n    v9\nexcept NameError:\n    raise AssertionError('define v9')\nassert v9 == 1", "w9 = 1"),
    I("identity of an argument", "def v10(xs):\n    xs.sort()\n    return xs", "xs = [2, 1]\nassert v10(xs) is xs and xs == [1, 2]", "def v10(xs): return sorted(xs)", judging=INSIDE),
    I("argument changed in place", "def v11(xs): xs.append(1)", "xs = []\nv11(xs)\nassert xs == [1]", "def v11(xs): pass"),
    I("argument not changed", "def v12(xs): return xs + [1]", "xs = [0]\nassert v12(xs) == [0, 1] and xs == [0]", "def v12(xs):\n    xs.append(1)\n    return xs"),
    I("alias", "def v13(d):\n    d['k'].append(1)", "inner = []\nd = {'k': inner}\nv13(d)\nassert inner == [1]", "def v13(d): pass"),
    I("loop variable of the student", "for m in [1, 2]:\n    last = m\ndef v14(): return last", "assert v14() == 2\nfor m in range(3):\n    pass\nassert m == 2", "last = 1\ndef v14(): return last"),
    I("deleted in the test", "v15 = [1, 2]", "assert v15[0] == 1\ndel v15[0]\nassert v15 == [2]", "v15 = [1]"),
    I("unpacking", "v16 = (1, 2, 3)", "a, *b = v16\nassert a == 1 and b == [2, 3]", "v16 = (1, 2)"),
    I("exec", "v17 = 2", "exec('w17 = v17 + 1')\nassert w17 == 3", "v17 = 1"),
    I("eval", "v18 = '3 * 4'", "assert eval(v18) == 12", "v18 = '3'"),
    I("type of a variable", "v19 = 3.0", "assert type(v19) is float and isinstance(v19, float)", "v19 = 3"),
    I("dir", "class v20:\n    def run(self): pass", "assert 'run' in dir(v20)", "class v20: pass"),
]
NUMPY = [
    I("allclose", "import numpy as np\ndef n1(a): return np.mean(a)", "assert np.allclose(n1([1., 2.]), 1.5)", "import numpy as np\ndef n1(a): return 0"),
    I("assert_allclose", "def n2(a): return a / a.sum()", "import numpy as np\nnp.testing.assert_allclose(n2(np.array([1., 3.])), [.25, .75])", "def n2(a): return a"),
    I("array_equal", "def n3(n): return np.eye(n)", "assert np.array_equal(n3(2), [[1, 0], [0, 1]])", "def n3(n): return np.ones((n, n))"),
    I("shape and dtype", "n4 = np.zeros((2, 3))", "assert n4.shape == (2, 3) and n4.dtype == float", "n4 = np.zeros((3, 2))"),
    I("all", "def n5(a): return a > 0", "assert (n5(np.array([1, -1])) == np.array([True, False])).all()", "def n5(a): return a < 0"),
    I("slices", "n6 = np.arange(12).reshape(3, 4)", "assert (n6[:, 1] == [1, 5, 9]).all() and n6[-1, -1] == 11", "n6 = np.arange(12).reshape(4, 3)"),
    I("in place", "def n7(a): a *= 2", "a = np.ones(2)\nn7(a)\nassert (a == 2).all()", "def n7(a): return 2 * a"),
    I("view", "def n8(a): return a[::2]", "a = np.arange(4)\nn8(a)[0] = 9\nassert a[0] == 9", "def n8(a): return a[::2].copy()", judging=INSIDE),
    I("seed before the call", "def n9(): return np.random.rand(2)", "np.random.seed(3)\nwant = np.random.rand(2)\nnp.random.seed(3)\nassert np.allclose(n9(), want)", "def n9(): return np.zeros(2)", judging=INSIDE),
    I("generator passed", "def n10(rng): return rng.normal(size=2)", "a = n10(np.random.default_rng(0))\nb = np.random.default_rng(0).normal(size=2)\nassert np.allclose(a, b)", "def n10(rng): return np.zeros(2)"),
    I("masked array", "def n11(a): return np.ma.masked_less(a, 0)", "m = n11(np.array([-1, 2]))\nassert m.mask.tolist() == [True, False] and m.sum() == 2", "def n11(a): return np.ma.masked_less(a, 9)"),
    I("structured", "n12 = np.array([(1, 2.)], dtype=[('a', int), ('b', float)])", "assert n12['a'][0] == 1 and n12.dtype.names == ('a', 'b')", "n12 = np.array([(1, 2.)], dtype=[('b', int), ('a', float)])"),
    I("poly1d", "def n13(): return np.poly1d([1, 0, -1])", "p = n13()\nassert p(2) == 3 and list(p.coeffs) == [1, 0, -1]", "def n13(): return np.poly1d([1, 0, 1])", judging=INSIDE),
    I("complex", "def n14(): return 1 + 2j", "assert n14().real == 1 and abs(n14()) > 2", "def n14(): return 1"),
    I("nan", "def n15(): return np.nan", "assert np.isnan(n15())", "def n15(): return 0.0"),
    I("isclose of scalars", "import math\ndef n16(x): return math.sqrt(x)", "import math\nassert math.isclose(n16(2), 2 ** 0.5)", "def n16(x): return x"),
    I("broadcast", "def n17(a, b): return a[:, None] * b", "assert n17(np.arange(2), np.arange(3)).shape == (2, 3)", "def n17(a, b): return a"),
    I("raises for shapes", "def n18(a, b):\n    if a.shape != b.shape: raise ValueError('shapes')\n    return a + b", "try:\n    n18(np.ones(2), np.ones(3))\n    assert False\nexcept ValueError:\n    pass", "def n18(a, b): return 0"),
    I("object array", "def n19(): return np.array([1, 'a'], dtype=object)", "assert n19()[1] == 'a'", "def n19(): return np.array([1, 2])"),
    I("linear algebra", "def n20(A, b): return np.linalg.solve(A, b)", "A = np.array([[2., 0], [0, 4]])\nassert np.allclose(A @ n20(A, np.ones(2)), 1)", "def n20(A, b): return b"),
]
ERRORS = [
    I("built-in error", "def e1(x):\n    if x < 0: raise ValueError('negative')\n    return x", "try:\n    e1(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError", "def e1(x): return x"),
    I("message of an error", "def e2(): raise KeyError('lost')", "try:\n    e2()\nexcept KeyError as error:\n    assert 'lost' in str(error)\nelse:\n    raise AssertionError", "def e2(): raise KeyError('found')"),
    I("own error of the student", "class E3(Exception): pass\ndef e3(): raise E3('x')", "try:\n    e3()\nexcept E3:\n    pass\nelse:\n    raise AssertionError", "class E3(Exception): pass\ndef e3(): pass", judging=INSIDE),
    I("assertRaises", "def e4(): return 1 / 0", "import unittest\nt = unittest.TestCase()\nwith t.assertRaises(ZeroDivisionError):\n    e4()", "def e4(): return 0"),
    I("unittest suite", "def e5(x): return x + 1", "import unittest\nimport io\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(e5(1), 2)\nr = unittest.TextTestRunner(io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))\nassert r.wasSuccessful()", "def e5(x): return x"),
    I("doctest", 'def e6(x):\n    """\n    >>> e6(2)\n    4\n    """\n    return 2 * x', "import doctest\nassert e6(2) == 4", "def e6(x): return x"),
    I("error with attributes", "class E7(Exception):\n    def __init__(self, code): self.code = code\ndef e7(): raise E7(3)", "try:\n    e7()\n    assert False\nexcept Exception as error:\n    assert error.code == 3", "def e7(): raise Exception", judging=INSIDE),
    I("finally", "def e8(log):\n    try: raise ValueError\n    except ValueError: log.append('caught')\n    finally: log.append('end')", "log = []\ne8(log)\nassert log == ['caught', 'end']", "def e8(log): log.append('end')"),
    I("stop iteration", "def e9(): return iter([1])", "it = e9()\nnext(it)\ntry:\n    next(it)\n    assert False\nexcept StopIteration:\n    pass", "def e9(): return iter([1, 2])"),
    I("warning", "import warnings\ndef e10(): warnings.warn('old', DeprecationWarning)", "import warnings\nwith warnings.catch_warnings(record=True) as seen:\n    warnings.simplefilter('always')\n    e10()\nassert len(seen) == 1", "def e10(): pass", judging=INSIDE),
]
MODULES = [
    I("forbidden function", "import numpy as np\ndef m1(a): return np.array([[a[1, 1], -a[0, 1]], [-a[1, 0], a[0, 0]]]) / (a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0])", "import numpy as np\nkeep = np.linalg.inv\nnp.linalg.inv = None\ntry:\n    assert np.allclose(m1(np.array([[2., 0], [0, 4]])), [[.5, 0], [0, .25]])\nfinally:\n    np.linalg.inv = keep", "import numpy as np\ndef m1(a): return np.linalg.inv(a)", judging=INSIDE),
    I("mock.patch", "import random\ndef m2(): return random.random() + 1", "from unittest import mock\nwith mock.patch('random.random', return_value=0.5):\n    assert m2() == 1.5", "def m2(): return 1.25", judging=INSIDE),
    I("input replaced", "def m3(): return 'hi ' + input()", "import builtins\nkeep, builtins.input = builtins.input, lambda *a: 'you'\ntry:\n    assert m3() == 'hi you'\nfinally:\n    builtins.input = keep", "def m3(): return 'hi'", judging=INSIDE),
    I("built-in forbidden", "def m4(xs):\n    t = 0\n    for x in xs: t += x\n    return t", "import builtins\nkeep, builtins.sum = builtins.sum, None\ntry:\n    assert m4([1, 2]) == 3\nfinally:\n    builtins.sum = keep", "def m4(xs): return sum(xs)", judging=INSIDE),
    I("time replaced", "import time\ndef m5(): return time.time()", "import time\nkeep, time.time = time.time, lambda: 5.0\ntry:\n    assert m5() == 5.0\nfinally:\n    time.time = keep", "def m5(): return 0.0", judging=INSIDE),
    I("environment", "import os\ndef m6(): return os.environ.get('MODE_6', '')", "import os\nos.environ['MODE_6'] = 'on'\nassert m6() == 'on'", "def m6(): return ''", judging=INSIDE),
    I("random seed", "import random\ndef m7(): return random.randint(0, 9)", "import random\nrandom.seed(1)\nwant = random.randint(0, 9)\nrandom.seed(1)\nassert m7() == want", "def m7(): return -1", judging=INSIDE),
    I("module in sys.modules", "import json\ndef m8(x): return json.dumps(x)", "import sys\nassert 'json' in sys.modules and m8([1]) == '[1]'", "def m8(x): return ''"),
]
FILES = [
    I("test writes and student reads", "def w1(path): return open(path).read().split()", "with open('d1.txt', 'w') as f:\n    f.write('a b')\nassert w1('d1.txt') == ['a', 'b']", "def w1(path): return []", judging=INSIDE),
    I("student writes and test reads", "def w2(path):\n    with open(path, 'w') as f: f.write('done')", "w2('d2.txt')\nassert open('d2.txt').read() == 'done'", "def w2(path): pass", judging=INSIDE),
    I("temporary file", "def w3(path): return len(open(path).read())", "import os, tempfile\nwith tempfile.NamedTemporaryFile('w', suffix='.txt', delete=False) as f:\n    f.write('abc')\nassert w3(f.name) == 3\nos.remove(f.name)", "def w3(path): return 0", judging=INSIDE),
    I("string file", "def w4(file): return file.read().upper()", "import io\nassert w4(io.StringIO('ab')) == 'AB'", "def w4(file): return ''", judging=INSIDE),
    I("written at the top", "with open('d5.txt', 'w') as f:\n    f.write('1,2')", "assert open('d5.txt').read() == '1,2'", "open('d5.txt', 'w').close()", judging=INSIDE),
    I("csv", "import csv\ndef w6(path): return list(csv.reader(open(path)))", "with open('d6.csv', 'w') as f:\n    f.write('a,b\\n1,2\\n')\nassert w6('d6.csv')[1] == ['1', '2']", "def w6(path): return [[], []]", judging=INSIDE),
    I("path exists", "import pathlib\npathlib.Path('d7').mkdir(exist_ok=True)", "import os\nassert os.path.isdir('d7')", "pass", judging=INSIDE),
]
DATA = [
    I("nested", "def d1(): return {'a': [1, (2, 3)], 'b': {4}}", "assert d1() == {'a': [1, (2, 3)], 'b': {4}}", "def d1(): return {}"),
    I("set", "def d2(xs): return set(xs)", "assert d2([1, 1, 2]) == {1, 2}", "def d2(xs): return set()"),
    I("frozenset", "def d3(): return frozenset([1])", "assert d3() == frozenset({1})", "def d3(): return frozenset()"),
    I("defaultdict", "from collections import defaultdict\ndef d4():\n    d = defaultdict(int)\n    d['a'] += 1\n    return d", "r = d4()\nassert r['a'] == 1 and r['zz'] == 0", "def d4(): return {'a': 1}", judging=INSIDE),
    I("Counter", "from collections import Counter\ndef d5(s): return Counter(s)", "assert d5('aab').most_common(1) == [('a', 2)]", "from collections import Counter\ndef d5(s): return Counter()"),
    I("deque", "from collections import deque\ndef d6(): return deque([1, 2], maxlen=2)", "assert list(d6()) == [1, 2]", "def d6(): return []"),
    I("text", "def d7(s): return s.title()", "assert d7('ab cd') == 'Ab Cd' and len(d7('x')) == 1", "def d7(s): return s"),
    I("bytes", "def d8(): return b'ab'", "assert d8()[0] == 97", "def d8(): return b''"),
    I("range", "def d9(): return range(3)", "assert list(d9()) == [0, 1, 2]", "def d9(): return range(2)"),
    I("fraction", "from fractions import Fraction\ndef d10(): return Fraction(1, 3)", "from fractions import Fraction\nassert d10() * 3 == 1", "def d10(): return 0"),
    I("decimal", "from decimal import Decimal\ndef d11(): return Decimal('0.1')", "from decimal import Decimal\nassert d11() + d11() == Decimal('0.2')", "def d11(): return 0"),
    I("date", "import datetime\ndef d12(): return datetime.date(2024, 2, 29)", "assert d12().year == 2024 and d12().isoformat() == '2024-02-29'", "import datetime\ndef d12(): return datetime.date(2023, 1, 1)"),
    I("list of arrays", "import numpy as np\ndef d13(): return [np.ones(2), np.zeros(3)]", "a, b = d13()\nassert a.sum() == 2 and b.shape == (3,)", "import numpy as np\ndef d13(): return [np.ones(2), np.zeros(2)]"),
    I("subclass of list", "class Bag(list): pass\ndef d14(): return Bag([1])", "assert d14() == [1] and isinstance(d14(), list)", "def d14(): return []", judging=INSIDE),
    I("subclass of str", "class Word(str): pass\ndef d15(): return Word('a')", "assert d15() == 'a'", "def d15(): return ''", judging=INSIDE),
    I("subclass of float", "class Metres(float): pass\ndef d16(): return Metres(2)", "assert d16() == 2.0", "def d16(): return 0.0", judging=INSIDE),
    I("cycle", "def d17(node): return node['self'] is node", "node = {}\nnode['self'] = node\nassert d17(node)", "def d17(node): return False", judging=INSIDE),
    I("deep list", "def d18(x):\n    n = 0\n    while x: x, n = x[0], n + 1\n    return n", "deep = []\nfor _ in range(100):\n    deep = [deep]\nassert d18(deep) == 100", "def d18(x): return 0", judging=INSIDE),
    I("json", "import json\ndef d19(): return json.dumps({'a': 1})", "import json\nassert json.loads(d19())['a'] == 1", "def d19(): return '{}'"),
    I("hash", "import hashlib\nd20 = 17", "import hashlib\nassert hashlib.md5(str(d20).encode()).hexdigest() == '70efdf2ec9b086079795c442636b55fb'", "d20 = 18"),
    I("regular expression", "d21 = r'\\d+'", "import re\nassert re.findall(d21, 'a1b22') == ['1', '22']", "d21 = 'x'"),
    I("sorted dictionary", "def d22(d): return dict(sorted(d.items()))", "assert list(d22({'b': 1, 'a': 2})) == ['a', 'b']", "def d22(d): return d"),
]
OUTPUT = [
    I("printed", "def o1(): print('hello')", "import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    o1()\nassert out.getvalue() == 'hello\\n'", "def o1(): print('bye')"),
    I("plot", "import matplotlib.pyplot as plt\ndef o2():\n    fig, ax = plt.subplots()\n    ax.plot([1, 2])\n    return ax", "ax = o2()\nassert len(ax.lines) == 1", "import matplotlib.pyplot as plt\ndef o2():\n    return plt.subplots()[1]"),
    I("axes passed", "def o3(ax): ax.set_title('t')", "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\no3(ax)\nassert ax.get_title() == 't'", "def o3(ax): pass", judging=INSIDE),
    I("magic", "def o4(): return 1", "%matplotlib inline\nassert o4() == 1", "def o4(): return 0"),
    I("time magic", "def o5(): return 1", "%%time\nassert o5() == 1", "def o5(): return 0"),
    I("stderr", "import sys\ndef o6():\n    return 2", "assert o6() == 2", "def o6(): return 0"),
    I("capsys by hand", "def o7(n):\n    for i in range(n): print(i, end=' ')", "import io, sys\nkeep, sys.stdout = sys.stdout, io.StringIO()\ntry:\n    o7(3)\n    text = sys.stdout.getvalue()\nfinally:\n    sys.stdout = keep\nassert text == '0 1 2 '", "def o7(n): pass"),
]
CREDIT = [
    I("number", "def c1(x): return x", "points = 0\nif c1(1) == 1:\n    points += 1\nif c1(2) == 2:\n    points += 1\npoints", "def c1(x): return 1", earned=1.0),
    I("float", "def c2(x): return x", "2.0 if c2(5) == 5 else 0.5", "def c2(x): return 0", earned=0.5),
    I("NumPy scalar", "def c3(x): return x", "import numpy as np\nnp.float64(sum(c3(i) == i for i in (0, 1)))", "def c3(x): return 0", earned=1.0, stock=2.0, reason="nbgrader reads `np.float64(1.0)` as no number, and gives full marks"),
    I("zero-dimensional array", "def c4(x): return x", "import numpy as np\nnp.array(sum(c4(i) == i for i in (0, 1))).astype(float)", "def c4(x): return 7", stock=2.0, reason="nbgrader reads `array(0.)` as no number, and gives full marks"),
    I("last line is None", "def c5(x): return x", "assert c5(1) == 1\nprint('well done')", "def c5(x): return 0"),
    I("no expression", "def c6(x): return x", "assert c6(2) == 2\nresult = 3", "def c6(x): return 0"),
]
GROUPS = {
    "functions": FUNCTIONS,
    "classes": CLASSES,
    "names": NAMES,
    "arrays": NUMPY,
    "errors": ERRORS,
    "modules": MODULES,
    "files": FILES,
    "data": DATA,
    "outputs": OUTPUT,
    "credit": CREDIT,
}
