"""The names that a cell may read are all found, in any text, with work in proportion to its length."""

from __future__ import annotations

import dis
import subprocess
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader_course import ROOT

from nbjudge.execution.free_names import free_names


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "x()",
        "x.y = 1",
        "x[0] = 1",
        "x += 1",
        "a = x",
        "x = x + 1",
        "a = b = x",
        "(a, x[0]) = 1, 2",
        "for a in x: pass",
        "for x in []: pass\nx",
        "for x.y in []: pass",
        "if a: x = 1\nx",
        "print(x)",
        "f(y=x)",
        "a[x:1]",
        "{x: 1}",
        "lambda a: x",
        "lambda a=x: a",
        "[lambda x: x, x]",
        "(lambda x: x)(x)",
        "[a for a in x]",
        "[x for x in x]",
        "[x for a in b for x in c] + x",
        "{a: x for a in b}",
        "(b for a in b if x)",
        "f'{x}'",
        "f'{a:{x}}'",
        "f'{a!r:>{x}}'",
        "f'{d[\"a\"]} {x}'",
        "rf'''{\nx}'''",
        "def f(a, b=x): pass",
        "def f(a: x): pass",
        "def f(a) -> x: pass",
        "@x\ndef f(): pass",
        "def f():\n    return x",
        "def f(): return x",
        "def f():\n    global x\n    x = x + 1",
        "def f():\n    def g():\n        x = 1\n    return x",
        "def f():\n    class A:\n        x = 1\n    return x",
        "def f():\n    [x for x in a]\n    return x",
        "def f():\n    if a:\n        return 1\n    return x",
        "x = 1\ndef f():\n    return x",  # by the time of the call another cell may have bound it anew
        "class A(x): pass",
        "class A:\n    b = x",
        "class A:\n    x = 1\n    def f(self):\n        return x",
        "with x as a: pass",
        "with a as x.b: pass",
        "try: pass\nexcept x: pass",
        "async def f():\n    async for a in x: await a",
        "match x:\n    case 1: pass",
        "del x",
        "a = 1; x",
        "a\\\n= x",
        "# a\n\n  \nx",
        "'''a\n'''; x",
        "...\nx",
        "1 if x else 2",
        "1if x else 2",
        "(a :=\n x)",
        "globals()['x']",
        "a.query('@x')",
        "import __main__\n__main__.x",
        "%timeit x",
        "!ls {x}",
        "a = %time x",
        "a = !ls {x}",
        "%%time\nx",
        "%%bash\nx",
        ">>> x",
        "x?",
        "'x",
        "(x",
        "x)",
        "\N{FULLWIDTH LATIN SMALL LETTER X}",
    ],
)
def test_a_name_that_can_be_read_is_found(text):
    assert "x" in free_names(text), (text, sorted(free_names(text)))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\nx",
        "x, a = 1, 2\nx",
        "(x, a), b = c\nx",
        "a = x = 1\nx",
        "import x\nx.a",
        "import x.b\nx",
        "from a import (b, c as x)\nx",
        "def x(): pass\nx()",
        "for x in a:\n    x",
        "for a, (b, x) in c:\n    x",
        "with a as x:\n    x",
        "a.x",
        "a\\\n.x",
        "f(x=1)",
        "'x'",
        "'''\nx\n'''",
        "# x",
        "a = 'it''s x'",
        "'\\'x'",
        "f'x {a} x {b:x}'",
        "lambda x: x",
        "lambda *x, **y: x",
        "[x for x in a]",
        "{x: y for x, y in a}",
        "[x for y in a for x in y if x]",
        "f(x for x in a)",
        "def f(x): return x",
        "def f(*x): return [x for a in x]",
        "def f():\n    x = 1\n    return x",
        "def f():\n    x = 1\n    def g():\n        return x",
        "def f():\n    raise NotImplementedError()\n    return x",
        "def f():\n    for x in a:\n        pass\n    return x",
        "class A:\n    def f(self, x):\n        return x",
        "%matplotlib inline",
        "a = 5 % b",
        "",
    ],
)
def test_a_name_that_is_the_cells_own_is_not(text):
    assert "x" not in free_names(text), (text, sorted(free_names(text)))


def global_reads(code: types.CodeType) -> set[str]:
    """Return the global names that code reads, as far as the compiler knows."""
    loads = [(i.opname, i.argval) for i in dis.get_instructions(code)]
    own = {name for what, name in loads if what == "STORE_NAME"}
    reads = {name for what, name in loads if what == "LOAD_GLOBAL" or (what == "LOAD_NAME" and name not in own)}
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return reads.union(*map(global_reads, inner)) - {"__name__", "__annotations__", "AssertionError"}


def modules() -> list[Path]:
    return sorted(Path(sysconfig.get_path("purelib"), "numpy", "lib").rglob("_*impl.py"))


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.name)
def test_the_compiler_knows_of_no_name_that_is_missing(file):
    text = file.read_text(encoding="utf-8")
    missing = global_reads(compile(text, str(file), "exec", dont_inherit=True)) - free_names(text)
    assert missing == set()


# --- any text at all

WORDS = ["x", "def", "class", "lambda", "for", "in", "if", "else", "return", "global", "import", "from", "as", "with"]
SIGNS = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "=",
    "==",
    ":=",
    ",",
    ":",
    ";",
    ".",
    "...",
    "+",
    "**",
    "@",
    "%",
    "!",
    "?",
    "\\",
    "#",
]
QUOTES = ["'", '"', "'''", '"""', "f'", 'f"{', "rb'"]
ODD = ["1", "1.", "\n", "\n\t", "\n  ", "\0", "\u0301", "\ud800", "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"]
TOKENS = st.lists(st.sampled_from([*WORDS, *SIGNS, *QUOTES, *ODD]), max_size=60)
PYTHON = ["x", "y", " = ", "(", ")", "lambda x: ", " for y in ", "[", "]", "\n", "\n ", "def f(x):", "; ", ", ", " if "]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), TOKENS.map(" ".join), TOKENS.map("".join)))
def test_no_text_raises_an_error(text):
    assert isinstance(free_names(text), frozenset)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PYTHON), max_size=30).map("".join))
def test_what_is_python_loses_no_name(text):
    try:
        code = compile(text, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return
    assert global_reads(code) - free_names(text) - own_at_top(code) == set()


def own_at_top(code: types.CodeType) -> set[str]:
    """Return what a cell binds at its top: comprehensions there may read that, and are functions to the compiler."""
    return {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_NAME", "STORE_GLOBAL")}


LESSON_CODE = [
    cell.source
    for name in ("01_recurrence", "08_keras")
    for cell in nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4).cells
    if cell.cell_type == "code"
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Return a cell of a lesson with a few pieces removed, repeated, moved or replaced."""
    text = draw(st.sampled_from(LESSON_CODE))
    for _ in range(draw(st.integers(1, 5))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *SIGNS, *QUOTES, *ODD]))
        text = text[:start] + piece + text[end:]
    return text


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_code_with_mistakes_raises_no_error_and_loses_no_name_if_it_runs(text):
    found = free_names(text)
    try:
        code = compile(text, "cell", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return
    missing = global_reads(code) - found - own_at_top(code)
    assert missing == set(), text


REPEATED: dict[str, Callable[[int], str]] = {
    "minus signs": lambda n: "x = " + "-" * n + "1",
    "sums": lambda n: "1+" * (n // 2) + "1",
    "lines": lambda n: "b=1\n" * (n // 4),
    "opening brackets": lambda n: "(" * n,
    "nested pairs": lambda n: "(" * (n // 2) + ")" * (n // 2),
    "lambdas": lambda n: "lambda:" * (n // 7) + "1",
    "conditions": lambda n: "1 if 1 else " * (n // 12) + "1",
    "attributes": lambda n: "a" + ".b" * (n // 2),
    "targets": lambda n: "a," * (n // 2) + "=b",
    "assignments": lambda n: "a=" * (n // 2) + "1",
    "lines of targets": lambda n: "a,\n" * (n // 3),
    "one name": lambda n: "a" * n,
    "accents": lambda n: "a" + "\u0301\u0323" * (n // 2),
    "many accented names": lambda n: ("a" + "\u0301\u0323" * 99 + " ") * (n // 200),
    "one string": lambda n: "'" + "a" * n,
    "quotes": lambda n: "'" * n,
    "triple quotes that are escaped": lambda n: "'''" + "\\'''" * (n // 4),
    "strings without an end": lambda n: "'a\n" * (n // 3),
    "backslashes": lambda n: "\\" * n,
    "braces": lambda n: "f'" + "{" * (n // 2) + "}" * (n // 2) + "'",
    "percent signs": lambda n: "%\n" * (n // 2),
    "question marks": lambda n: "a?\n" * (n // 3),
    "blanks": lambda n: " " * n + "x",
    "blank lines": lambda n: " \n" * (n // 2) + "x",
    "comments": lambda n: "#\n" * (n // 2),
    "functions": lambda n: "".join(f"def f{i}(x{i}): return y{i}\n" for i in range(n // 30)),
    "functions within functions": lambda n: "".join(" " * (i % 90) + f"def f{i}(x{i}):\n" for i in range(n // 60)),
    "blocks": lambda n: "".join(" " * (i % 300) + "if a:\n" for i in range(n // 150)),
    "comprehensions": lambda n: "[" * 90 + "".join(f"x for x{i} in y{i} " for i in range(n // 20)) + "]" * 90,
    "semicolons": lambda n: "a;" * (n // 2),
    "colons": lambda n: "if a:" * (n // 5),
    "globals": lambda n: "".join(f"global a{i}\n" for i in range(n // 12)),
}


def steps(text: str) -> int:
    """Return how many calls and returns, of Python's functions and of C's, reading a text takes."""
    counted = 0

    def count(*_: Any) -> None:
        nonlocal counted
        counted += 1

    sys.setprofile(count)
    try:
        free_names(text)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.slow
@pytest.mark.parametrize("kind", REPEATED)
def test_the_work_grows_as_the_text_does(kind):
    few, many = steps(REPEATED[kind](5_000)), steps(REPEATED[kind](20_000))
    assert many <= 5 * few + 1000, (few, many)


WITHIN_LIMITS = """
import resource, sys
from nbjudge.execution.free_names import free_names
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
from test_free_names import REPEATED
for kind, text in REPEATED.items():
    print(kind, len(free_names(text(100_000))), flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space is Linux's")
def test_megabytes_of_anything_are_read_within_limits(root: Path):
    ended = subprocess.run(
        [sys.executable, "-c", WITHIN_LIMITS],
        cwd=root / "nbjudge" / "tests",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert len(ended.stdout.splitlines()) == len(REPEATED)
