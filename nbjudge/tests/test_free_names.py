"""The names that a cell may read are all found, and none that it has certainly bound before."""

from __future__ import annotations

import contextlib
import textwrap
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbjudge.execution.free_names import free_names, free_names_of


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


@pytest.mark.parametrize(
    "text",
    [
        "if a: x = 1\nelse: b = 1\nx",
        "while a:\n    x = 1\nx",
        "while a:\n    if b: break\n    x = 1\nx",
        "try:\n    a()\n    x = 1\nexcept ValueError: pass\nx",
        "try:\n    x = a()\nfinally:\n    x",
        "try:\n    x = a()\nexcept ValueError as e:\n    b(x)",
        "with a:\n    x = b()\nx",  # it may suppress the error
        "a and (x := 1)\nx",
        "class A:\n    x = x",
        "match a:\n    case [x, 1]: pass\nx",
    ],
)
def test_a_name_that_is_bound_on_one_way_only_is_found(text):
    assert "x" in free_names(text), (text, sorted(free_names(text)))


@pytest.mark.parametrize(
    "text",
    [
        "if a: x = 1\nelse: x = 2\nx",
        "x = 1\nwhile a:\n    b = x\nx",
        "x = 1\ntry:\n    a(x)\nexcept ValueError:\n    b(x)\nx",
        "x = 1\nwith a:\n    x\nx",
        "match a:\n    case [x, 1]: x",
        "await (x := a)\nx",
    ],
)
def test_a_name_that_is_bound_on_each_way_is_not(text):
    assert "x" not in free_names(text), (text, sorted(free_names(text)))


# --- any text at all


@pytest.mark.parametrize("text", ["x = " + "-" * 10_000 + "1", "(" * 10_000 + "x", "x\0", "\ud800 x", "x = 01"])
def test_of_what_cannot_be_compiled_each_word_may_be_read(text):
    assert "x" in free_names(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="x=()[]{}'\\\n %!?:;,.\0\u0301\ud800"))
def test_no_text_raises_an_error(text):
    (names,) = free_names_of([text])
    assert all(isinstance(name, str) for name in names)


def test_a_warning_of_the_compiler_is_no_reason_to_read_less_exactly():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert free_names("x = 1if 1else 2\nx") == set()


# --- programs that run


class Names(dict):
    """A namespace that notes which names are read before the program binds them; another cell has bound all to 1."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def __missing__(self, name: str) -> int:
        if name not in ("x", "y", "z"):
            raise KeyError(name)
        self.read.add(name)
        return 1


def indented(*blocks: str) -> list[str]:
    return [textwrap.indent(block, "    ") for block in blocks]


SIMPLE = [
    "x = y",
    "y = 1",
    "z = x + y",
    "z -= 1",
    "1 / (y - 1)",
    "import math as x",
    "[x for y in (z,)]",
    "x and (z := y)",
]
COMPOUND = [
    "if coin():\n{}\nelse:\n{}",
    "while coin():\n{}\n    if coin(): break\n{}",
    "for x in range(2):\n{}\nelse:\n{}",
]
COMPOUND += ["try:\n{}\nexcept Exception as z:\n{}", "try:\n{}\nfinally:\n{}", "class y:\n{}\n{}"]
COMPOUND += ["with contextlib.suppress(Exception):\n{}\n{}"]
PROGRAMS = st.recursive(
    st.sampled_from(SIMPLE),
    lambda part: st.one_of(
        st.tuples(part, part).map("\n".join),
        st.tuples(st.sampled_from(COMPOUND), part, part).map(lambda one: one[0].format(*indented(*one[1:]))),
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(PROGRAMS, st.lists(st.booleans(), max_size=12))
def test_what_a_program_reads_before_it_has_bound_it_is_among_its_names(text, flips):
    names, flips_left = Names(), iter(flips)
    with contextlib.suppress(Exception):
        exec(text, {"coin": lambda: next(flips_left, False), "contextlib": contextlib}, names)
    assert names.read <= free_names(text), text
