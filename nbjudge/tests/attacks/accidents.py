"""Honest submissions that look odd, or do more than they were asked: each deserves full marks."""

from __future__ import annotations

from typing import Any

from .corpus import Attack, honest
from .course import LESSON, RIGHT
from .metadata import labelled

MEAN = RIGHT["mean"]


def noisy(name: str, code: str) -> Attack:
    """Return right answers, and `code` in the function that is tested."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    return honest(name, mean=f"def mean(values):\n{body}\n    return float(np.sum(values)) / len(values)")


def before(name: str, code: str) -> Attack:
    """Return right answers, and `code` before them."""
    return honest(name, mean=f"{code}\n{MEAN}")


def extra(source: str, place: int = 2) -> dict[str, Any]:
    def edit(notebook: dict[str, Any]) -> None:
        cell = {"cell_type": "code", "id": "own", "metadata": {}, "source": source, "outputs": [], "execution_count": 7}
        notebook["cells"].insert(place, cell)

    return {"edit": edit}


def moved(notebook: dict[str, Any]) -> None:
    cells = notebook["cells"]
    places = {cell["id"]: place for place, cell in enumerate(cells)}
    cells.insert(places["mean"], cells.pop(places["largest"]))


ATTACKS = [
    noisy("prints to stderr", "import sys\nprint('working', file=sys.stderr)"),
    noisy("warns", "import warnings\nwarnings.warn('careful')"),
    noisy("divides by zero", "np.array([1.0]) / np.array([0.0])"),
    noisy("logs", "import logging\nlogging.basicConfig(level=10)\nlogging.warning('careful')"),
    noisy(
        "progress bar",
        "import sys\nfor place in range(50):\n    sys.stderr.write(f'\\r{place * 2} %')\n    sys.stderr.flush()",
    ),
    noisy("prints much", "for place in range(3000):\n    print(place, 'of', 3000)"),
    noisy("writes to stderr in C", "import os\nos.write(2, b'W0000 from C\\n')\nos.write(1, b'from C\\n')"),
    noisy("TensorFlow in the function", "import tensorflow"),
    noisy("plots", "import matplotlib.pyplot as plt\nplt.plot(values)\nplt.show()"),
    noisy("takes a while", "import time\ntime.sleep(0.5)"),
    noisy("collects garbage", "import gc\ngc.collect()"),
    noisy("prints a number last", "print(0)"),
    noisy("displays", "from IPython.display import display, Markdown\ndisplay(Markdown('**0**'))"),
    noisy("changes directory", "import os\nos.makedirs('sub', exist_ok=True)"),
    noisy("seeds", "import random\nrandom.seed(0)\nnp.random.seed(0)"),
    noisy("asserts", "assert len(values) > 0, 'nothing to average'"),
    before("prints much in a cell", "for place in range(20_000):\n    print('step', place)"),
    before("warns as errors", "import warnings\nwarnings.simplefilter('error')"),
    before("matplotlib magic", "%matplotlib inline\n%config InlineBackend.figure_format = 'png'"),
    before("other magics", "%load_ext autoreload\n%autoreload 2\n%precision 3\n%time 1 + 1"),
    before("shell line", "!ls\nfiles = !ls"),
    before("guarded input", "try:\n    name = input('Your name? ')\nexcept Exception:\n    name = 'nobody'"),
    before("async helper", "import asyncio\nasync def wait():\n    await asyncio.sleep(0)\n    return 1\nawait wait()"),
    before("thread", "import threading\nthreading.Thread(target=print, args=('hello',)).start()"),
    before(
        "temporary file",
        "import tempfile, pathlib\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    pathlib.Path(folder, 'x').write_text('x')",
    ),
    before("writes a file", "np.savetxt('own.csv', heights)\nassert len(np.loadtxt('own.csv')) == 4"),
    before("question mark", "np.mean?"),
    before("print options", "np.set_printoptions(precision=2)\nnp.seterr(all='raise')"),
    before("type hints", "from __future__ import annotations\nfrom collections.abc import Sequence"),
    before("error in a cell of one's own", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    print('as expected')"),
    before(
        "own test functions", "def check(*a):\n    return a\ndef grade(*a):\n    return 0\ncredit = expected = z = None"
    ),
    before("recursion limit", "import sys\nsys.setrecursionlimit(5000)"),
    honest("lambda", mean="mean = lambda values: float(np.mean(values))"),
    honest(
        "partial",
        mean="from functools import partial\ndef power(p, values):\n    return float(np.mean(np.array(values) "
        "** p))\nmean = partial(power, 1)",
    ),
    honest(
        "callable object",
        mean="class Mean:\n    calls = 0\n    def __call__(self, values):\n        self.calls += 1\n"
        "        return float(np.mean(values))\nmean = Mean()",
    ),
    honest(
        "bound method",
        mean="class Tools:\n    def mean(self, values):\n        return float(np.mean(values))\nmean = Tools().mean",
    ),
    honest("NumPy's own", mean="mean = np.mean", largest="largest = np.argmax"),
    honest("standard library's own", mean="from statistics import fmean as mean"),
    honest(
        "decorator",
        mean="import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n"
        "        return f(*a, **k)\n    return inner\n@logged\n" + MEAN,
    ),
    honest(
        "cache",
        mean="import functools\n@functools.lru_cache\ndef cached(values):\n    return sum(values) / len(values)\n"
        "def mean(values):\n    return cached(tuple(values))",
    ),
    honest(
        "closure with a counter",
        mean="def counting():\n    calls = 0\n    def mean(values):\n        nonlocal calls\n"
        "        calls += 1\n        return sum(values) / len(values)\n    return mean\nmean = counting()",
    ),
    honest(
        "global counter",
        mean="count = 0\ndef mean(values):\n    global count\n    count += 1\n    return sum(values) / len(values)",
    ),
    honest(
        "recursive",
        mean="def total(values):\n    return values[0] + total(values[1:]) if len(values) else 0\n"
        "def mean(values):\n    return total(values) / len(values)",
    ),
    honest(
        "float32",
        mean="def mean(values):\n    return np.float64(np.mean(values))",
        normalise="def normalise(values):\n    wide = np.asarray(values, dtype=np.longdouble)\n"
        "    return (wide - wide.mean()) / wide.std()",
    ),
    honest("array of no axes", mean="def mean(values):\n    return np.array(np.mean(values))"),
    honest(
        "fraction",
        mean="from fractions import Fraction\ndef mean(values):\n    return float(sum(map(Fraction, values)) / "
        "len(values))",
    ),
    honest(
        "Fortran order",
        normalise="def normalise(values):\n    return np.asfortranarray((values - values.mean()) / values.std())",
    ),
    honest(
        "view",
        normalise="def normalise(values):\n    z = np.repeat((values - values.mean()) / values.std(), 2)\n"
        "    return z[::2]",
    ),
    honest(
        "reversed view",
        normalise="def normalise(values):\n    z = (values - values.mean()) / values.std()\n"
        "    return z[::-1].copy()[::-1]",
    ),
    honest(
        "read-only",
        normalise="def normalise(values):\n    z = (values - values.mean()) / values.std()\n"
        "    z.flags.writeable = False\n    return z",
    ),
    honest(
        "keyword arguments",
        mean="def mean(values, *, weights=None):\n    return float(np.average(values, weights=weights))",
    ),
    honest(
        "iterator class",
        windows="class Windows:\n    def __init__(self, values, size):\n        self.values, self.size "
        "= values, size\n        self.start = -1\n    def __iter__(self):\n        return self\n"
        "    def __next__(self):\n"
        "        self.start += 1\n        if self.start + self.size > len(self.values):\n"
        "            raise StopIteration\n"
        "        return self.values[self.start : self.start + self.size]\nwindows = Windows",
    ),
    honest(
        "generator expression",
        windows="def windows(values, size):\n    return (values[i : i + size] for i in range(len(values) - size + 1))",
    ),
    honest(
        "map",
        windows="def windows(values, size):\n    return map(lambda i: values[i : i + size], "
        "range(len(values) - size + 1))",
    ),
    honest(
        "sliding view",
        windows="def windows(values, size):\n    return iter(np.lib.stride_tricks.sliding_window_view("
        "np.asarray(values), size))",
    ),
    honest(
        "dataclass",
        account="from dataclasses import dataclass\n@dataclass\nclass Account:\n    owner: str\n"
        "    balance: float = 0\n    def deposit(self, amount):\n        if amount < 0:\n"
        "            raise ValueError(amount)\n        self.balance += amount\n        return self.balance",
    ),
    honest(
        "inherited",
        account="class Base:\n    def __init__(self, owner):\n        self.owner, self.balance = owner, 0\n"
        "class Account(Base):\n    def deposit(self, amount):\n        if amount < 0:\n            raise ValueError\n"
        "        self.balance += amount\n        return self.balance",
    ),
    honest(
        "properties",
        account="class Account:\n    __slots__ = ('owner', '_parts')\n    def __init__(self, owner):\n"
        "        self.owner, self._parts = owner, []\n    @property\n    def balance(self):\n"
        "        return sum(self._parts)\n    def deposit(self, amount):\n        if amount < 0:\n"
        "            raise ValueError\n        self._parts.append(amount)\n        return self.balance",
    ),
    honest(
        "error of one's own",
        account="class TooLittle(ValueError):\n    def __init__(self, amount):\n"
        "        super().__init__(f'{amount} is too little')\n" + RIGHT["account"].replace("ValueError(", "TooLittle("),
    ),
    honest(
        "helper module",
        files={"helpers.py": "def average(values):\n    return sum(values) / len(values)\n"},
        mean="from helpers import average as mean",
    ),
    honest("data file", files={"own.csv": "1,2\n"}, mean=f"assert open('own.csv').read()\n{MEAN}"),
    honest("folder beside", files={"notes/today.md": "# Today", "notes/.DS_Store": b"\0\1", "Thumbs.db": b"\0"}),
    honest("checkpoints", files={f".ipynb_checkpoints/{LESSON}-checkpoint.ipynb": "{}"}),
    honest(
        "other notebook", files={"scratch.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'}
    ),
    honest("extra cell", **extra("x = 1\nx + 1")),
    honest("extra cell that fails", **extra("1 / 0")),
    honest("extra cell that does not parse", **extra("def broken(:")),
    honest("extra cell at the end", **extra("mean = None", 99)),
    honest("cell in another language", **extra("%%html\n<b>hello</b>")),
    honest("latex cell", **extra("%%latex\n$x$")),
    honest("tests run by hand before", **extra("# heights = 3\nprint(heights if 'heights' in dir() else '')")),
    honest("cells moved", edit=moved),
    honest(
        "locked cell edited", edit=lambda notebook: labelled(notebook)["mean_test"].update(source="# my notes\n1 / 0")
    ),
    honest(
        "data cell edited", edit=lambda notebook: labelled(notebook)["data"].update(source="heights = np.array([1.5])")
    ),
    honest(
        "imports doubled",
        edit=lambda notebook: notebook["cells"][1].update(
            source="import numpy as np, math\nimport matplotlib.pyplot as plt"
        ),
    ),
    honest(
        "answer split over two cells",
        largest="def helper(values):\n    return int(np.argmax(values))\n"
        "def largest(values):\n    return helper(values)",
    ),
    honest(
        "metadata of other tools",
        edit=lambda notebook: notebook["metadata"].update(colab={"provenance": []}, vscode={"x": 1}, widgets={}),
    ),
    honest(
        "slow but within the limit",
        largest="def largest(values):\n    import time\n    time.sleep(0.6)\n    return int(np.argmax(values))",
    ),
    honest("whole numbers of NumPy", largest="def largest(values):\n    return np.int64(np.argmax(values))"),
]
