"""Attacks on lesson 01 of this repository, whose hidden tests are a package and draw their inputs from a salt."""

from __future__ import annotations

from typing import Any

from .corpus import Attack
from .introspection import KEEP
from .real_course import POINTS, RIGHT

NAMES = ("rnn_step", "rnn_forward", "delay_line", "latch", "counter", "count_parameters", "SimpleRNN")
COURSE = "real_course"


def lies(name: str, value: str, code: str = "") -> Attack:
    functions = "".join(f"def {n}(*given, **named):\n    return {value}\n" for n in (*NAMES, "readout"))
    cells = dict.fromkeys(RIGHT, "pass") | {"rnn_step": code + functions}
    return Attack(name, cells, course=COURSE)


def right(name: str, code: str = "", **more: Any) -> Attack:
    cells = RIGHT | {"rnn_step": f"{code}\n{RIGHT['rnn_step']}"}
    return Attack(name, cells, least=POINTS, most=POINTS, course=COURSE, **more)


ORACLE = "from autograde_tests import exercises, find\n" + "".join(f"{n} = find({n!r}).solve\n" for n in NAMES)
ALONE = {f"{name}_test": 2.0 for name in ("delay_line", "latch", "counter", "count_parameters")}  # call no other answer
WITHOUT_FIRST = {test: points for test, points in POINTS.items() if test != "rnn_step_test"}
ATTACKS = [
    lies(
        "grade replaced",
        "0",
        "import sys, types\nmodule = types.ModuleType('autograde_tests')\n"
        "module.grade = lambda function: 5\nsys.modules['autograde_tests'] = module\n",
    ),
    lies(
        "grade replaced in the package",
        "0",
        "import autograde_tests.grade_answer as g\ng.grade = lambda function: 5\n"
        "import autograde_tests\nautograde_tests.grade = g.grade\n",
    ),
    Attack("the oracle as answer", dict.fromkeys(RIGHT, "pass") | {"rnn_step": ORACLE}, course=COURSE),
    Attack(
        "the oracle by path",
        dict.fromkeys(RIGHT, "pass") | {"rnn_step": f"import sys\nsys.path.insert(0, '@COURSE@')\n{ORACLE}"},
        course=COURSE,
    ),
    Attack(
        "read the tests",
        dict.fromkeys(RIGHT, "pass")
        | {
            "rnn_step": KEEP + "import glob\nfor path in glob.glob('@COURSE@/autograde_tests/*.py') + "
            "glob.glob('@COURSE@/.course_salt'):\n    keep(open(path).read())"
        },
        course=COURSE,
    ),
    lies("salt", "keep(dict(os.environ))", KEEP),
    lies("check replaced", "0", "check = lambda *a: 5\nimport rnn_helpers\nrnn_helpers.check = check\n"),
    lies(
        "caller's frames",
        "look()",
        KEEP + "import sys\ndef look():\n    frame = sys._getframe(1)\n    while frame:\n"
        "        keep(frame.f_locals)\n        frame = frame.f_back\n",
    ),
    lies("arguments back", "given[0]"),
    lies("not a number", "np.full((2, 3), np.nan)"),
    lies("equal to everything", "ANY", "from unittest.mock import ANY\n"),
    lies(
        "own class",
        "SimpleRNN()",
        "class Liar:\n    __eq__ = __lt__ = lambda self, other: True\n"
        "    __getattr__ = lambda self, name: self\n    __call__ = lambda self, *a, **k: self\n",
    ),
    Attack(
        "quits",
        RIGHT | {"rnn_step": "def rnn_step(*a, **k):\n    import os\n    os._exit(0)"},
        least=ALONE,
        most=WITHOUT_FIRST,
        course=COURSE,
    ),
    right("plain"),
    right("noisy", "import sys, warnings\nprint('on stderr', file=sys.stderr)\nwarnings.warn('careful')"),
    right(
        "Fortran order and float32", "np.set_printoptions(precision=1)\nxs = np.zeros(3, dtype='float32', order='F')"
    ),
]
