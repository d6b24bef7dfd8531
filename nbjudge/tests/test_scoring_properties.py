"""No object but the right one earns a point, in no test cell that compares: drawn at random, thousands of pairs.

SCORING_EXAMPLES says how many are drawn for each property, where it is not the day's or the night's number (tiers.py).
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from judged_cells import JudgedCells, judged_cells
from tiers import NIGHT

EXAMPLES = int(os.environ.get("SCORING_EXAMPLES", "2000" if NIGHT else "50"))
drawn = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Each of these says of f that it halves its argument: {call} is f called, {number} a number, {half} half of it.
COMPARISONS = (
    "assert {call} == {half}",
    "assert {half} == {call}",
    "assert abs({call} - {half}) < 1e-9",
    "assert not {call} != {half}",
    "assert math.isclose({call}, {half})",
    "assert np.isclose({call}, {half})",
    "assert np.isclose({half}, {call}).all()",
    "assert np.allclose({call}, {half})",
    "assert np.array_equal({call}, {half})",
    "assert {call} in [{half}]",
    "assert [{call}] == [{half}]",
    "assert {{'f': {call}}} == {{'f': {half}}}",
    "assert round({call}, 6) == {half}",
    "assert str({call}) == '{half}'",
    "assert f'{{{call}:.4f}}' == f'{{{half}:.4f}}'",
    "assert type({call}) in (float, np.float64) and {call} == {half}",
    "assert isinstance({call}, (float, np.floating))\nassert {call} == {half}",
    "np.testing.assert_allclose({call}, {half})",
    "np.testing.assert_equal({call}, {half})",
    "np.testing.assert_array_equal({call}, {half})",
    "np.testing.assert_almost_equal({call}, {half})",
    "unittest.TestCase().assertEqual({call}, {half})",
    "unittest.TestCase().assertAlmostEqual({call}, {half})",
    "assert all(map(lambda x: f(x) == x / 2, [{number}, {number} + 1]))",
    "assert [f(x) for x in [{number}]] == [{half}]",
    "assert sum(f(x) == x / 2 for x in [{number}]) == 1",
    "np.testing.assert_allclose([f(x) for x in [{number}, 4.0]], [{half}, 2.0])",
    "got = {call}\nwant = {half}\nassert got == want, f'{{got}} is not {{want}}'",
    "if {call} != {half}:\n    raise AssertionError('wrong')",
    "for x in [{number}]:\n    assert f(x) == x / 2",
    "try:\n    assert {call} == {half}\nexcept ZeroDivisionError:\n    pass",
)
CREDITS = (
    "2.0 * ({call} == {half})",
    "2 * int({call} == {half})",
    "2.0 if {call} == {half} else 0",
    "2 * float(np.allclose({call}, {half}))",
    "points = 0\nif {call} == {half}:\n    points += 2\npoints",
    "2 * sum(f(x) == x / 2 for x in [{number}]) / 1",
)
# Expressions that are no number near to what is asked for (see `numbers`), or that raise.
ODD_VALUES = (
    *("None", "True", "False", "...", "NotImplemented", "'0.5'", "b''", "''", "x", "f", "type(x)", "math", "object()"),
    *("[]", "()", "{}", "set()", "[x + 9]", "(x + 9,)", "{x / 2}", "{'f': x / 2}", "range(3)", "iter([])"),
    *("math.nan", "math.inf", "-math.inf", "complex('nan')", "1j", "10**400", "np.nan", "np.float32('nan')"),
    *("np.empty(0)", "np.empty((0, 3))", "np.zeros(3)", "np.full(3, np.nan)", "np.array(None)", "np.ma.masked"),
    *("np.ma.masked_all(2)", "np.array(['0.5'])", "np.datetime64('NaT')", "np.array([Equal()], dtype=object)"),
    *("Equal()", "EqualFloat(0)", "EqualArray()", "Empty()", "Changing()", "MagicMock()", "ANY", "Raises()", "Str()"),
    *("1 / 0", "[][1]", "{}[1]", "x.missing", "int('x')", "missing", "raises(StopIteration)", "raises(bdb.BdbQuit)"),
    *("raises(unittest.SkipTest)", "raises(SystemExit)", "raises(KeyboardInterrupt)", "raises(GeneratorExit)"),
    *("raises(ValueError, '\\ud800')", "raises(ValueError, 'x' * 2_000_000)", "raises(AssertionError)", "raises(Odd)"),
    *("'x' * 100_000", "print('\\ud800')", "(y for y in [x / 2])", "lambda: x / 2", "np.float64", "np.add"),
)
ODD_CLASSES = """
import bdb
from unittest.mock import ANY, MagicMock
def raises(kind, *message): raise kind(*message)
class Odd(Exception):
    __str__ = __repr__ = lambda s: raises(SystemExit)
class Equal:
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = __bool__ = lambda s, *a: True
    __ne__ = lambda s, o: False
    __hash__ = lambda s: 0
    __getattr__ = __call__ = __sub__ = __rsub__ = __abs__ = __round__ = lambda s, *a, **k: s
    __format__ = lambda s, spec: '0.5000'
class EqualFloat(float):
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda s, o: True
    __ne__ = lambda s, o: False
    __hash__ = float.__hash__
    __sub__ = __rsub__ = __abs__ = __round__ = lambda s, *a: s
class EqualArray(np.ndarray):
    def __new__(cls): return np.zeros(1).view(cls)
    __array_ufunc__ = __array_function__ = lambda s, *a, **k: np.True_
    __eq__ = __lt__ = lambda s, o: np.True_
class Empty:
    __len__ = lambda s: 0
    __getitem__ = lambda s, i: raises(IndexError)
    __array__ = lambda s, *a, **k: np.empty(0)
class Changing:
    n = 0
    def __array__(s, *a, **k):
        s.n += 1
        return np.array(float(s.n) + 100)
    __float__ = lambda s: float(s.__array__())
class Raises:
    __getattr__ = lambda s, n: raises(bdb.BdbQuit)
    __eq__ = __array__ = __float__ = __bool__ = __len__ = __iter__ = lambda s, *a, **k: raises(bdb.BdbQuit)
    __hash__ = None
class Str(str):
    __eq__ = lambda s, o: True
    __hash__ = str.__hash__
"""
numbers = st.integers(-1000, 1000).filter(bool).map(lambda n: n * 0.25)
wrong_numbers = st.floats(allow_nan=True).map(lambda off: f"(x / 2 + 0.1 + abs({off!r}))".replace("nan", "math.nan"))
wrong_numbers = wrong_numbers.map(lambda text: text.replace("inf", "math.inf"))
arrays = st.lists(st.integers(0, 3), max_size=3).map(lambda shape: f"np.full({tuple(shape)}, x + 1000.0)")
wrappers = st.sampled_from(["{}", "[{}]", "({},)", "np.array([{}, 1e6])", "{{0: {}}}", "(lambda: {})", "Equal() or {}"])
odd_values = st.sampled_from(ODD_VALUES)
before = st.sampled_from(
    ["", "print('x' * 1000)", "print('\\ud800')", "x = 5000.0", "import gc; gc.collect()", "globals().clear()"]
)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory):
    with judged_cells(tmp_path_factory.mktemp("j")) as judged:
        yield judged


def answer(value: str, first: str = "") -> str:
    return f"{ODD_CLASSES}\ndef f(x):\n    {first or 'pass'}\n    return {value}\n"


def written(test: str, number: float) -> str:
    return test.format(call=f"f({number!r})", number=repr(number), half=repr(number / 2))


@pytest.mark.parametrize("test", [*COMPARISONS, *CREDITS])
def test_the_right_answer_has_all_points_in_every_cell(cells: JudgedCells, test):
    for number in (1.0, -3.5, 250.25):
        score = cells.score(answer("x / 2"), written(test, number))
        assert score.points == 2.0, (number, score)


@pytest.mark.slow
@drawn
@given(value=odd_values, test=st.sampled_from([*COMPARISONS, *CREDITS]), number=numbers, first=before)
@example(value="raises(bdb.BdbQuit)", test=COMPARISONS[0], number=1.0, first="")
@example(value="np.empty(0)", test="np.testing.assert_allclose({call}, {half})", number=1.0, first="")
def test_an_odd_object_earns_nothing(cells: JudgedCells, value, test, number, first):
    score = cells.score(answer(value, first), written(test, number))
    assert score.points == 0.0, score


@pytest.mark.slow
@drawn
@given(value=wrong_numbers | arrays, wrapper=wrappers, test=st.sampled_from([*COMPARISONS, *CREDITS]), number=numbers)
def test_a_wrong_number_earns_nothing_however_it_is_wrapped(cells: JudgedCells, value, wrapper, test, number):
    score = cells.score(answer(wrapper.format(value)), written(test, number))
    assert score.points == 0.0, score


EXPECTED_AFTER = (
    "x = np.array({numbers})\nassert np.allclose(g(x), {right})",
    "x = np.array({numbers})\nnp.testing.assert_allclose(g(x), {right})",
    "x = np.array({numbers})\ngot = g(x)\nwant = {right}\nassert np.array_equal(got, want)",
    "x = np.array({numbers})\nassert all(a == b for a, b in zip(g(x).tolist(), ({right}).tolist(), strict=True))",
    "x = np.array({numbers})\n2.0 * bool(np.allclose(g(x), {right}))",
)
RIGHTS = ("2 * x", "x + 1", "np.sort(x)[::-1] + 0.5", "np.cumsum(x) + 3", "np.tanh(x) - x + 5")
CHANGES = ("x[...] = 0", "x *= 0", "x.fill(0)", "x[:] = x[::-1]", "np.copyto(x, 1)", "x += 100", "x.sort()")


@pytest.mark.slow
@drawn
@given(
    values=st.lists(st.integers(1, 50), min_size=2, max_size=5, unique=True),
    right=st.sampled_from(RIGHTS),
    change=st.sampled_from(CHANGES),
    test=st.sampled_from(EXPECTED_AFTER),
    returned=st.sampled_from(["{right}", "{right} + 0", "np.array({right})"]),
)
def test_an_answer_that_changes_its_argument_first_earns_nothing(cells, values, right, change, test, returned):
    """What it returns is right for what it has made of its argument, and wrong for what it was given."""
    numbers = [float(value) for value in values]
    lies = f"def g(x):\n    before = x.copy()\n    {change}\n    return {returned.format(right=right)}"
    honest = f"def g(x): return {right}"
    cell = test.format(numbers=numbers, right=right)
    scope: dict = {}
    exec(
        f"import numpy as np\n{lies}\n{honest.replace('def g', 'def h')}\nx = np.array({numbers})\ny = x.copy()", scope
    )
    same = bool(eval("np.allclose(g(x), h(y))", scope))  # a change that makes no difference deserves its points
    assert cells.score(lies, cell, solution=honest).points == (2.0 if same else 0.0)
