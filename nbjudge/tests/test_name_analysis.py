"""Which of the instructor's text the judge runs for a test, and which names are a student's."""

from __future__ import annotations

import pytest

from nbjudge.execution.name_analysis import ANSWER, GIVEN, TEST, Plan, Source


def needs(*cells: tuple[str, str]):
    """Return what the last cell, a test, needs; cells are (kind, text)."""
    sources = [Source(f"cell{i}", kind, text) for i, (kind, text) in enumerate(cells)]
    return Plan(sources).needs(f"cell{len(cells) - 1}", set())


def test_imports_are_the_judges_and_answers_are_stand_ins():
    found = needs(
        (GIVEN, "import numpy as np\nimport os"), (ANSWER, "def f(x): return x"), (TEST, "assert np.all(f(1))")
    )
    assert (found.statements, found.instructor_names, found.names, found.unbound) == (
        ["import numpy as np"],
        ["np"],
        ["f"],
        [],
    )


def test_an_import_at_the_top_of_an_answer_is_the_judges_too():
    found = needs((ANSWER, "import numpy as np\ndef f(): pass"), (TEST, "np.all(f())"))
    assert found.statements == ["import numpy as np"]
    assert found.names == ["f"]


def test_given_data_and_what_changes_it_are_run_in_order():
    given = "import numpy as np\nnp.random.seed(1)\nX = np.random.rand(3)\nX[0] = 2\nX.sort()\nY = 5\nprint(Y)"
    found = needs((GIVEN, given), (ANSWER, "f = 1"), (TEST, "f(X)"))
    assert found.statements == given.splitlines()[:5]


def test_a_value_that_a_students_function_made_is_a_students():
    found = needs((ANSWER, "def f(): return 1"), (GIVEN, "y = f()\nz = 2"), (TEST, "assert y == z"))
    assert (found.statements, found.names) == (["z = 2"], ["y"])


def test_a_given_function_that_calls_a_students_is_the_judges():
    helper = "def total(n):\n    return sum(f(i) for i in range(n))"
    found = needs((ANSWER, "def f(): return 1"), (GIVEN, helper), (TEST, "assert total(3) == 3"))
    assert (found.statements, found.names) == ([helper], ["f"])


def test_a_given_class_may_use_its_own_names_and_decorators():
    body = "    x = 1\n    y = x\n    def __lt__(self, other): return f(self)"
    given = f"import functools\n@functools.total_ordering\nclass A:\n{body}"
    found = needs((GIVEN, given), (ANSWER, "def f(a): return a"), (TEST, "A()"))
    assert found.statements[1].startswith("@functools")
    assert (found.instructor_names, found.names) == (["A", "functools"], ["f"])


def test_the_last_binding_before_the_test_decides():
    cells = [(GIVEN, "x = 1"), (ANSWER, "x = 2"), (TEST, "assert x == 2")]
    assert needs(*cells).names == ["x"]
    assert needs(*cells[:2], (GIVEN, "x = 3"), cells[2]).statements == ["x = 3"]
    assert needs(cells[0], (TEST, "x = 5"), (TEST, "assert x == 5")).instructor_names == []


def test_what_depends_on_a_students_name_further_back_is_a_students():
    found = needs((ANSWER, "a = 1"), (GIVEN, "b = a\nc = b + 1"), (GIVEN, "c = c + 1"), (TEST, "assert c == 3"))
    assert (found.statements, found.names) == ([], ["c"])


def test_statements_are_run_once():
    sources = [Source("a", GIVEN, "x = 1"), Source("t", TEST, "x"), Source("u", TEST, "x")]
    plan, done = Plan(sources), set[int]()
    assert plan.needs("t", done).statements == ["x = 1"]
    assert plan.needs("u", done).statements == []


def test_names_that_nobody_binds_are_looked_for_on_both_sides():
    found = needs((GIVEN, "from math import *"), (TEST, "assert sqrt(4) == f(2)"))
    assert (found.statements, found.unbound) == (["from math import *"], ["f", "sqrt"])


def test_what_the_test_binds_before_reading_it_is_nobodys():
    assert needs((ANSWER, "x = 1"), (TEST, "x = 2\nfor i in range(3): x += i\nassert x")).names == []


def test_magics_are_run_where_they_are_needed_and_other_languages_nowhere():
    found = needs((GIVEN, "%matplotlib inline\nfiles = %pwd\n!ls"), (GIVEN, "%%bash\nls"), (TEST, "files"))
    assert found.statements == ["files = get_ipython().run_line_magic('pwd', '')"]


def test_a_cell_that_is_timed_is_read_like_any_other():
    found = needs((GIVEN, "%%capture\nX = 3"), (ANSWER, "def f(x): return x"), (TEST, "%%time\nassert f(X) == 3"))
    assert (found.statements, found.names) == (["X = 3"], ["f"])


def test_a_test_that_looks_around_finds_all_that_students_define():
    cells = [(ANSWER, "def f(): pass\nx = 3"), (GIVEN, "y = 1")]
    assert needs(*cells, (TEST, "assert 'x' in globals()")).names == ["f", "x"]
    assert needs(*cells, (TEST, "assert eval('f')")).names == ["f", "x"]


@pytest.mark.parametrize("text", ["def f(:", "", "\0", "x = 1;" * 3])
def test_text_that_is_not_python_is_no_statement(text):
    assert needs((GIVEN, text), (TEST, "y")).unbound == ["y"]


def test_the_classes_that_students_write_are_asked_for():
    sources = [Source("a", ANSWER, "class A: pass\nclass B(A): pass"), Source("b", GIVEN, "class C: pass")]
    assert Plan(sources).requested_classes == ["A", "B"]
