"""The judge's stand-ins: whatever a plain test does to an answer works, and no answer can lie about what it equals."""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import operator
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbjudge.judge import namespace
from nbjudge.judge.proxies import RemoteProxy
from nbjudge.judge.rpc_client import SubmissionError
from nbjudge.judge.rpc_server import RpcServer

ANSWERS = '''
import collections
import numpy as np

def double(x): return 2 * x
def step(x, h=0, *rest, act=np.tanh, **more): return act(x + h)
def fails(n): return 1 / n
def shouts():
    print("hello")
    return 3
def add_one(x, options=None):
    x += 1
    if options is not None:
        options["count"] = options.get("count", 0) + 1
        options["inner"][0] += 1
def apply(f, *args): return f(*args)
def draw(rng): return rng.normal()
def count_to(n):
    for i in range(n):
        yield i
def adder(n): return lambda x: x + n
def swap(pair): pair.left, pair.right = pair.right, pair.left
def gives_up(): raise SystemExit(3)
def everything(): return Liar()
def lies_in_a_list(): return [Liar(), Liar(9)]
def masked(): return np.ma.masked_all(3)
def objects(): return np.array([Liar(), None], dtype=object)

told = []
def what_was_told(): return str(told)

class Liar:
    def __init__(self, *args): pass
    def _(self, *args):
        told.extend(args)
        return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _
    __hash__ = lambda self: hash(9)
    def __sub__(self, other):
        told.append(other)
        return self
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return self
    def __round__(self, n=0): return self

class FloatLiar(float):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = Liar._
    __hash__ = None
    def __sub__(self, other): return FloatLiar(0)
    __rsub__ = __sub__
    def __abs__(self): return FloatLiar(0)

class ArrayLiar(np.ndarray):
    def __array_function__(self, *args): return True
    def __array_ufunc__(self, *args, **kwargs): return np.True_
    def all(self): return True
    __eq__ = lambda self, other: np.True_

def float_liar(): return FloatLiar(3)
def array_liar(): return np.zeros(3).view(ArrayLiar)

class Vector:
    """A vector."""
    def __init__(self, *values): self.values = values
    def __add__(self, other): return Vector(*map(sum, zip(self.values, other.values)))
    def __eq__(self, other): return self.values == getattr(other, "values", other)
    def __len__(self): return len(self.values)
    def __getitem__(self, i): return self.values[i]
    def __contains__(self, x): return x in self.values
    def __repr__(self): return f"Vector{self.values}"
    def __enter__(self): return "in"
    def __exit__(self, *args): self.values = ()

class Sub(Vector): pass
vector = Vector(1, 2)
number = 4
'''


@dataclass
class Pair:
    left: int
    right: int


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcServer]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(ANSWERS, names)
    service = RpcServer(str(tmp_path_factory.mktemp("s") / "judge"), names)
    with service.waiting:
        yield service


@pytest.fixture
def names(service: RpcServer, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Return the judge's names, all answers among them, while the other side serves."""
    thread = threading.Thread(target=service.serve)
    thread.start()
    path = service.waiting.getsockname()
    found: dict[str, Any] = {}
    wanted = [name for name in service.objects[0] if not name.startswith("__")]
    namespace.begin(found, path, ["Vector"], [], wanted, [], [])
    yield found
    namespace.end()
    thread.join()


def test_functions_are_called_with_copies(names):
    x = np.arange(3.0)
    assert names["double"](3) == 6
    assert np.array_equal(names["double"](x), [0, 2, 4])
    assert names["double"](x=1.5) == 3.0
    assert names["step"](np.float64(1)) == np.tanh(1)
    assert names["number"] == 4


def test_a_signature_is_shown(names):
    signature = inspect.signature(names["step"])
    assert str(signature) == "(x, h=0, *rest, act=<ufunc 'tanh'>, **more)"
    assert names["step"].__name__ == "step"
    assert inspect.isfunction(names["step"])
    assert inspect.isclass(names["Vector"])


def test_what_a_call_changes_in_its_arguments_is_changed_here(names):
    x, inner = np.zeros(2), np.ones(1)
    options = {"inner": inner}
    names["add_one"](x, options=options)
    assert x.tolist() == [1, 1]
    assert options == {"inner": inner, "count": 1}
    assert options["inner"] is inner
    assert inner[0] == 2
    pair = Pair(1, 2)
    names["service_pair"] = pair
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        names["add_one"](frozen)


def test_a_random_generator_goes_on(names):
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    assert [names["draw"](rng) for _ in range(3)] == same.normal(size=3).tolist()


def test_functions_go_over_as_arguments_and_come_back_as_results(names):
    assert names["apply"](lambda a, b: a * b, 3, 4) == 12
    assert names["apply"](np.tanh, 0.0) == 0
    assert names["apply"](names["double"], 4) == 8
    assert names["apply"](lambda f: f(10), names["double"]) == 20  # there, here, and there again
    assert names["adder"](3)(4) == 7
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        names["apply"](lambda: 1 / 0)


def test_generators_give_their_values_one_by_one(names):
    assert list(names["count_to"](4)) == [0, 1, 2, 3]
    endless = names["count_to"](10**12)
    assert (next(endless), next(endless)) == (0, 1)
    assert inspect.isgenerator(endless)
    with pytest.raises(StopIteration):
        next(names["count_to"](0))


def test_classes_and_their_objects(names):
    Vector = names["Vector"]
    v = Vector(1, 2)
    assert v + Vector(3, 4) == Vector(4, 6)
    assert v != Vector(2, 2)
    assert v == (1, 2)  # a class that is asked for may say itself what it equals
    assert isinstance(v, Vector)
    assert isinstance(names["Sub"](1), Vector)
    assert issubclass(names["Sub"], Vector)
    assert not isinstance(3, Vector)
    assert (v.values, len(v), v[1], repr(v), 2 in v, list(v)) == ((1, 2), 2, 2, "Vector(1, 2)", True, [1, 2])
    with pytest.raises(TypeError, match="expected tuple, got an object of type Vector"):
        assert names["vector"] == (1, 2)  # it was not the test that made this one
    v.values = (5,)
    assert v[0] == 5
    with v as inside:
        assert inside == "in"
    assert v.values == ()
    assert not v
    assert names["vector"].__doc__ == "A vector."
    assert copy.deepcopy(names["vector"]) == names["vector"]
    assert hasattr(v, "values")
    assert not hasattr(v, "nothing")


def test_errors_keep_their_class_their_message_and_the_line(names):
    with pytest.raises(ZeroDivisionError, match="division by zero") as caught:
        names["fails"](0)
    assert isinstance(caught.value, SubmissionError)
    assert type(caught.value).__name__ == "ZeroDivisionError"
    with pytest.raises(TypeError):
        names["double"]()
    with pytest.raises(SubmissionError, match="3"):
        names["gives_up"]()
    assert names["double"](1) == 2  # and the conversation goes on


def test_what_is_printed_there_is_printed_here(names, capsys):
    assert names["shouts"]() == 3
    assert capsys.readouterr().out == "hello\n"


COMPARISONS: list[Callable[[Any], Any]] = [
    lambda x: x == 9,
    lambda x: x >= 9,
    lambda x: [x] > [9],
    lambda x: operator.eq(9, x),
    lambda x: not operator.ne(x, 9),
    lambda x: x in (9, 8),
    lambda x: x in {9: 1},
    lambda x: abs(x - 9) < 1e-6,
    lambda x: round(x) == 9,
    lambda x: np.allclose(x, 9),
    lambda x: np.isclose(9, x),
    lambda x: np.array_equal(x, [9]),
    lambda x: np.testing.assert_equal(x, 9) is None,
    lambda x: np.testing.assert_allclose(x, 9) is None,
    lambda x: float(x) == 9,
    lambda x: [x] == [9],
    lambda x: {"a": x} == {"a": 9},
    lambda x: x == pytest.approx(9),
    lambda x: str(x) == "9",
    lambda x: 9 in x,
    lambda x: x is True,
]


@pytest.mark.parametrize("name", ["everything", "float_liar", "array_liar"])
@pytest.mark.parametrize("compare", COMPARISONS)
def test_an_answer_that_says_it_equals_everything_equals_nothing(names, name, compare):
    holds = False
    with contextlib.suppress(Exception):
        holds = bool(compare(names[name]()))
    assert not holds
    assert names["what_was_told"]() == "[]"  # nor does it hear what is expected


def test_liars_inside_of_containers_equal_nothing_either(names):
    lies = names["lies_in_a_list"]()
    with pytest.raises(SubmissionError, match="expected int, got an object of type Liar"):
        assert lies == [9, 9]
    for name in ("objects", "masked"):
        with pytest.raises(TypeError):
            np.asarray(names[name]())


def test_data_in_a_class_of_its_own_is_compared_as_data(names):
    assert not np.array_equal(names["array_liar"](), [9, 9, 9])
    assert type(names["array_liar"]()) is np.ndarray


def test_a_type_that_is_claimed_is_believed_as_a_type_and_no_further(names):
    liar = names["float_liar"]()
    assert isinstance(liar, float)
    assert float(liar) == 3.0


def test_a_stand_in_outside_of_a_test_says_so(service, tmp_path, names):
    kept = names["double"]
    namespace.end()
    with pytest.raises(SubmissionError, match="outside of a test"):
        kept(1)


def test_they_meet_at_a_port_where_there_are_no_unix_sockets(tmp_path, monkeypatch):
    monkeypatch.setattr("nbjudge.transport.UNIX", False)
    service, found = RpcServer(str(tmp_path / "judge"), {"double": lambda x: 2 * x}), dict[str, Any]()
    with service.waiting:
        thread = threading.Thread(target=service.serve)
        thread.start()
        namespace.begin(found, str(tmp_path / "judge"), [], [], ["double"], [], [])
        assert found["double"](np.arange(3)).tolist() == [0, 2, 4]
        namespace.end()
        thread.join()


def test_nothing_of_a_stand_in_is_shown_richly(names):
    for name in ("_repr_html_", "_ipython_display_", "_repr_mimebundle_", "__array_interface__", "__wrapped__"):
        assert not hasattr(names["vector"], name)
    with pytest.raises(TypeError, match="pickled"):
        copy.copy(names["vector"]).__reduce_ex__(2)


def answer_once(path: Path, *frames: bytes) -> threading.Thread:
    """Play a submission's process that replies to each call with the bytes given for it, then hangs up."""
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(str(path))
    waiting.listen(1)

    def play() -> None:
        connection, _ = waiting.accept()
        with connection, waiting:
            for frame in frames:
                connection.recv(1 << 20)
                connection.sendall(frame)

    thread = threading.Thread(target=play)
    thread.start()
    return thread


def frame_of(text: str) -> bytes:
    return len(text).to_bytes(4, "little") + bytes(4) + text.encode()


def valued(tree: object, changed: object = ()) -> bytes:
    return frame_of(json.dumps({"value": tree, "printed": "", "complained": "", "changed": changed}))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xff" * 64,
        frame_of("null"),
        frame_of("[]"),
        frame_of("{}"),
        frame_of('{"value": 1}'),
        valued({"object": [-1, {}]}),
        valued({"object": ["os", {}]}),
        valued({"known": "os:system"}),
        valued({"known": "builtins:eval"}),
        valued({"instance": ["subprocess:Popen", {}]}),
        valued(1, [[7, 1]]),
        valued(1, 3),
        frame_of('{"error": null, "printed": "", "complained": ""}'),
        frame_of('{"error": {"classes": [], "message": ""}, "printed": "", "complained": ""}'),
        frame_of('{"back": 99, "arguments": {"list": [{"tuple": []}, {"dict": []}]}}'),
        frame_of('{"back": "x", "arguments": null}'),
        frame_of('{"call": "os:system", "arguments": {"list": [{"list": ["ls"]}, {"dict": []}]}}'),
    ],
)
def test_a_malicious_reply_is_an_error_of_the_submissions(tmp_path, reply):
    thread = answer_once(tmp_path / "judge", reply)
    try:
        with pytest.raises(SubmissionError):
            namespace.begin({}, str(tmp_path / "judge"), [], [], ["f"], [], [])
    finally:
        namespace.end()
        thread.join()


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (["builtins:KeyboardInterrupt", "builtins:BaseException"], Exception),
        (["builtins:SystemExit"], Exception),
        (["os:system", "builtins:ValueError"], ValueError),
        (["builtins:UnicodeDecodeError", "builtins:ValueError"], ValueError),
        (["x:not a name", "builtins:OSError"], OSError),
    ],
)
def test_a_claimed_class_of_error_is_taken_only_where_it_is_harmless(tmp_path, classes, kind):
    told = {"classes": classes, "message": "m", "line": "l", "trace": "t"}
    reply = {"error": told, "printed": "", "complained": ""}
    thread = answer_once(tmp_path / "judge", frame_of(json.dumps(reply)))
    try:
        with pytest.raises(kind) as caught:
            namespace.begin({}, str(tmp_path / "judge"), [], [], ["f"], [], [])
        assert isinstance(caught.value, SubmissionError)
        assert not isinstance(caught.value, (KeyboardInterrupt, SystemExit))  # which would end the judge
    finally:
        namespace.end()
        thread.join()


def test_a_stand_in_is_told_apart_without_asking():
    assert issubclass(type(RemoteProxy(None, 0, {})), RemoteProxy)  # type: ignore[arg-type]
