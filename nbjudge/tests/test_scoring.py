"""Points for a proven success and for nothing else: what a test cell that did not run to its end earns, and how."""

from __future__ import annotations

import pytest
from judged_cells import JudgedCells, judged_cells

RIGHT = "def f(x): return x / 2\n"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory):
    with judged_cells(tmp_path_factory.mktemp("j")) as judged:
        yield judged


def points(cells: JudgedCells, answer: str, test: str = "assert f(1.0) == 0.5", **how) -> float:
    return cells.score(answer, test, **how).points


def test_a_right_answer_has_all_points(cells):
    assert points(cells, RIGHT) == 2.0


# --- a cell that did not run to its end

ERRORS = {
    "swallowed by IPython": "import bdb\ndef f(x): raise bdb.BdbQuit",
    "a kind of it": "import bdb\nclass Quiet(bdb.BdbQuit): pass\ndef f(x): raise Quiet",
    "raised by an attribute": "import bdb\nclass F:\n    def __call__(self, x): raise bdb.BdbQuit\nf = F()",
    "larger than the output limit": "def f(x): raise ValueError('x' * 3_000_000)",
    "with text that is no text": "def f(x): raise ValueError('\\ud800')",
    "with a name that is no text": "def f(x): raise type('\\ud800', (ValueError,), {})",
    "that asks to leave": "def f(x): raise SystemExit(0)",
    "that leaves": "def f(x): exit()",
    "an interrupt": "def f(x): raise KeyboardInterrupt",
    "the end of a generator": "def f(x): raise GeneratorExit",
    "the end of a loop": "def f(x): raise StopIteration(0.5)",
    "the end of an asynchronous loop": "def f(x): raise StopAsyncIteration",
    "a skipped test": "import unittest\ndef f(x): raise unittest.SkipTest('later')",
    "a cancelled task": "import asyncio\ndef f(x): raise asyncio.CancelledError",
    "without a message": "class Mute(Exception):\n    def __str__(self): raise self\ndef f(x): raise Mute",
    "of the grader's own": (
        "from nbjudge.judge.rpc_client import SubmissionError\ndef f(x): raise SubmissionError('passed')"
    ),
}
CELLS = {
    "plain": "assert f(1.0) == 0.5",
    "in a map": "assert all(map(lambda x: f(x) == x / 2, [1.0, 2.0]))",
    "mapped": "assert all(a == b for a, b in zip(map(f, [1.0, 2.0]), [0.5, 1.0]))",
    "in a generator": "assert all(f(x) == x / 2 for x in [1.0, 2.0])",
    "in unittest": (
        "class T(unittest.TestCase):\n    def test_f(self): self.assertEqual(f(1.0), 0.5)\n"
        "suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)\n"
        "assert unittest.TextTestRunner().run(suite).wasSuccessful()"
    ),
    "timed": "%%time\nassert f(1.0) == 0.5",
    "captured": "%%capture\nassert f(1.0) == 0.5",
    "last of several": "g = f\nassert callable(g)\nassert g(1.0) == 0.5",
    "credit": "right = sum(f(x) == x / 2 for x in [1.0, 2.0])\n2 * right / 2",
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("cell", CELLS)
def test_an_error_of_any_kind_earns_nothing(cells, error, cell):
    assert points(cells, RIGHT, CELLS[cell]) == 2.0
    assert points(cells, ERRORS[error], CELLS[cell]) == 0.0


def test_an_error_is_shown_however_large_it_is_and_however_full_the_cell(cells):
    score = cells.score("def f(x):\n    print('x' * 2_000_000)\n    raise ValueError('y' * 2_000_000)", CELLS["plain"])
    [error] = [output for output in score.outputs if output.output_type == "error"]
    assert error.evalue.startswith("yyy")
    assert len(str(error)) < 100_000


@pytest.mark.parametrize(("name", "is_explained"), [("factor", True), ("facto", False)])
def test_an_answer_that_reads_a_name_of_the_test_is_told_so(cells, name, is_explained):
    score = cells.score(f"def f(x): return {name} * x", "factor = 0.5\nassert f(1.0) == 0.5")
    [error] = [output for output in score.outputs if output.output_type == "error"]
    assert score.points == 0.0
    assert ("reads `factor`, which only the test defines" in "\n".join(error.traceback)) == is_explained


@pytest.mark.parametrize("cell", ["assert f(1.0) == 0.5 and (", "assert f(1.0) == 0.5\nreturn", "1 +", "break"])
def test_a_cell_that_is_no_python_earns_nothing(cells, cell):
    assert points(cells, RIGHT, cell) == 0.0


def test_an_exception_that_a_test_asks_for_still_arrives(cells):
    ends = "def f(x): return next(iter(x))"
    assert points(cells, ends, "try:\n    f([])\nexcept StopIteration:\n    pass\nelse:\n    assert False") == 2.0
    assert points(cells, "def f(x): yield x", "g = f(1)\nassert next(g) == 1\nassert list(g) == []") == 2.0
    assert (
        points(cells, "def f(x): return {}[x]", "try:\n    f(1)\nexcept KeyError:\n    pass\nelse:\n    1 / 0") == 2.0
    )


def test_a_cell_without_a_statement_is_full_as_in_nbgrader(cells):
    assert points(cells, RIGHT, "# nothing yet") == 2.0


# --- partial credit


@pytest.mark.parametrize(
    ("line", "earned"),
    [
        ("1", 1.0),
        ("1.5", 1.5),
        ("np.float64(1.5)", 1.5),
        ("np.int64(2)", 2.0),
        ("0", 0.0),
        ("'2'", 2.0),
        ("np.array(2.0)", 2.0),
        ("1.5;", 2.0),
        ("None", 2.0),
    ],
)
def test_a_number_is_the_credit_and_no_value_is_all_of_it(cells, line, earned):
    assert points(cells, RIGHT, f"f(1.0)\n{line}") == earned


@pytest.mark.parametrize(
    "line",
    [
        *(
            "-1",
            "3",
            "np.nan",
            "np.inf",
            "1e400",
            "10**400",
            "1j",
            "True",
            "False",
            "'two'",
            "[2]",
            "f",
            "np.array([-1, -1])",
        ),
        *(
            "np.empty(0)",
            "np.array([2.0])",
            "np.bool_(True)",
            "f(2.0) == 1.0",
            "type('N', (float,), {})(1)",
            "{}",
            "b'2'",
        ),
    ],
)
def test_anything_else_is_no_credit_and_waits_for_a_person(cells, line):
    score = cells.score(RIGHT, f"f(1.0)\n{line}")
    assert score.points is None
    assert score.problem[0] == "no credit"


@pytest.mark.parametrize("answer", ["np.array([-1, -1])", "np.empty(0)", "np.array(['a'])", "'full'", "np.array('1')"])
def test_credit_that_an_answer_makes_no_number_is_none(cells, answer):
    part = "def part(n): return 2 * n"
    credit = "right = sum(part(n) == 2 * n for n in range(40))\n2 * right / 40"
    assert points(cells, part, credit) == 2.0
    assert not points(cells, f"def part(n): return {answer}", credit)  # 0, or None until a person has decided


def test_credit_does_not_pass_through_the_output_which_may_be_full(cells):
    noisy = "def f(x):\n    print('x' * 900_000)\n    return -1"
    test = "right = sum(f(n) == n / 2 for n in [1.0, 2.0, 3.0])\n2 * right / 3"
    assert points(cells, noisy, test) == 0.0
    assert points(cells, noisy.replace("-1", "x / 2"), test) == 2.0


# --- arguments that an answer changes

STEP = "def step(x, h): return np.tanh(x + h)"
ZEROED = "def step(x, h):\n    x[...] = 0\n    h[...] = 0\n    return np.zeros_like(x)"
EXPECTED_AFTER = [
    "x, h = np.ones((2, 3)), np.ones((2, 3))\nnp.testing.assert_allclose(step(x, h), np.tanh(x + h))",
    "x, h = np.ones((2, 3)), np.ones((2, 3))\ngot = step(x, h)\nwant = np.tanh(x + h)\nassert np.allclose(got, want)",
    "x, h = np.ones((2, 3)), np.ones((2, 3))\nassert (step(x=x, h=h) == np.tanh(x + h)).all()",
    "pair = [np.ones(3), np.ones(3)]\ngot = step(*pair)\nassert np.allclose(got, np.tanh(pair[0] + pair[1]))",
    "x, h = np.ones((2, 3)), np.ones((2, 3))\nright = np.allclose(step(x, h), np.tanh(x + h))\n2.0 * right",
]


@pytest.mark.parametrize("test", EXPECTED_AFTER)
def test_what_is_expected_is_not_worked_out_from_changed_arguments(cells, test):
    score = cells.score(ZEROED, test, solution=STEP)
    assert score.points == 0.0
    assert "argument 1 of step" in score.problem[1]


def test_an_instance_that_a_test_passes_stays_as_it_was(cells):
    test = "ref = Scaler(3.0)\nout = use(ref, np.ones(3))\nassert np.allclose(out, ref.apply(np.ones(3)))"
    use = "def use(scaler, x): return scaler.apply(x)"
    lies = ["scaler.factor = 0", "scaler.apply = lambda x: 0 * x", "scaler.__dict__.update(factor=0)"]
    for lie in lies:
        assert points(cells, f"def use(scaler, x):\n    {lie}\n    return np.zeros(3)", test, solution=use) == 0.0


def test_a_list_or_dict_of_the_tests_stays_as_it_was(cells):
    test = "bag = {'n': [1, 2]}\nassert total(bag) == sum(bag['n'])"
    total = "def total(bag): return sum(bag['n'])"
    assert points(cells, "def total(bag):\n    bag['n'].clear()\n    return 0", test, solution=total) == 0.0
    assert points(cells, "def total(bag):\n    bag['n'] = []\n    return 0", test, solution=total) == 0.0


def test_an_answer_that_changes_its_arguments_and_is_right_has_its_points(cells):
    centred = "def centre(x): return x - x.mean()"
    in_place = "def centre(x):\n    x -= x.mean()\n    return x"
    test = "x = np.array([1.0, 2.0, 6.0])\nassert np.allclose(centre(x), [-2, -1, 3])"
    assert points(cells, in_place, test, solution=centred) == 2.0
    untouched = f"{test}\nassert x.tolist() == [1, 2, 6]"
    assert points(cells, in_place, untouched, solution=centred) == 0.0


def test_an_exercise_in_changing_an_argument_is_judged_by_the_change(cells):
    double = "def double(x): x *= 2"
    test = "x = np.arange(3)\ndouble(x)\nassert x.tolist() == [0, 2, 4]"
    assert points(cells, double, test, solution=double) == 2.0
    assert points(cells, "def double(x): x += 1", test, solution=double) == 0.0
    assert points(cells, "def double(x): return 2 * x", test, solution=double) == 0.0


def test_given_data_is_put_back_for_the_cells_after_it(cells):
    spoils = "def double(x):\n    x[...] = 0\n    return x"
    test = "data = np.ones(3)\nassert np.allclose(double(data), 2 * data)"
    assert points(cells, spoils, test, solution="def double(x): return 2 * x") == 0.0


# --- what is an array, and stays one

SHIFTY = """
class Shifty:
    looks = 0
    def __array__(self, dtype=None, copy=None):
        self.looks += 1
        return np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]][self.looks > {looks}])
    def __getitem__(self, place): return np.zeros(3)[place]
    def __len__(self): return 3
    shape, dtype = (3,), np.dtype(float)
    def sum(self): return 6.0
def rank(x): return Shifty()
"""
SORTED = "def rank(x): return np.sort(x)"
RANKED = "x = np.array([3.0, 1.0, 2.0])\nr = rank(x)\nassert np.array_equal(np.sort(r), np.sort(x))\n"


@pytest.mark.parametrize("looks", [0, 1, 2])
@pytest.mark.parametrize("ordered", ["np.all(np.diff(r) >= 0)", "(r[1:] >= r[:-1]).all()", "list(r) == sorted(r)"])
def test_an_array_is_the_same_at_every_look(cells, looks, ordered):
    test = f"{RANKED}assert {ordered}"
    assert points(cells, SORTED, test) == 2.0
    assert points(cells, SHIFTY.format(looks=looks), test) == 0.0


EMPTY = {
    "an empty array": "def f(x): return np.empty(0)",
    "an empty matrix": "def f(x): return np.empty((0, 1))",
    "a mock": "from unittest.mock import MagicMock\nf = MagicMock()",
    "an empty list of its own": "class L(list): pass\ndef f(x): return L()",
    "an object of length 0": "class Z:\n    __len__ = lambda s: 0\n    __getitem__ = [].pop\ndef f(x): return Z()",
    "an empty list": "def f(x): return []",
    "an empty tuple in a list": "def f(x): return [()]",
    "an empty array in a list": "def f(x): return [np.empty(0)]",
    "an empty array of its own": "class A:\n    __array__ = lambda s, *a, **k: np.empty(0)\ndef f(x): return A()",
    "an empty part": "class Z:\n    def __array__(s, *a, **k): return np.empty((2, 0))\ndef f(x): return Z()",
}


@pytest.mark.parametrize("answer", EMPTY)
@pytest.mark.parametrize(
    "test",
    [
        "np.testing.assert_allclose(f(1.0), 0.5)",
        "np.testing.assert_array_equal(f(1.0), 0.5)",
        "np.testing.assert_array_almost_equal(f(1.0), 0.5)",
        "assert np.allclose(f(1.0), 0.5)",
        "assert np.all(f(1.0) == 0.5)",
        "assert np.all(abs(f(1.0) - 0.5) < 1e-9)",
        "assert np.isclose(f(1.0), [0.5]).all()",
        "2.0 * bool(np.allclose(f(1.0), 0.5))",
    ],
)
def test_an_array_without_elements_equals_no_number(cells, answer, test):
    assert points(cells, RIGHT, test) == 2.0
    assert points(cells, EMPTY[answer], test) == 0.0


def test_an_empty_array_is_right_where_the_solution_gives_one(cells):
    positive = "def positive(x): return x[x > 0]"
    test = "r = positive(np.array([-1.0]))\nassert r.shape == (0,)\nassert np.all(r > 0)\nassert (2 * r).shape == (0,)"
    assert points(cells, positive, test, solution=positive) == 2.0


def test_objects_of_classes_that_students_write_still_change(cells):
    vector = (
        "class Vector:\n    def __init__(self): self.x = np.ones(2)\n    def __array__(self, *a, **k): return self.x\n"
    )
    vector += "    def double(self): self.x = 2 * self.x\nv = Vector()"
    test = "before = np.asarray(v)\nv.double()\nassert np.array_equal(np.asarray(v), 2 * before)"
    assert points(cells, vector, test) == 2.0
