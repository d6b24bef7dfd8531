"""What a card says about an exception: a true explanation with shapes, Python's own words, and the student's line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_helpers.checks.error_sites import UnknownValueError, student_sites
from rnn_helpers.checks.evaluator import judge
from rnn_helpers.checks.execution import call_monitored
from rnn_helpers.checks.explanations import clean, explain
from rnn_helpers.checks.fixtures import decode_task, find

x_t, h_prev, xs = np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 5, 3))
mask, b_h = np.ones((2, 5), dtype=bool), np.ones(4)
W_xh, W_hh = np.ones((3, 4)), np.ones((4, 4))
cell = (W_xh, W_hh, b_h)
cache = {"xs": xs, "hs": xs}
three, texts = [1, 2, 3], ["a", "b"]


def rnn_step(x, h, W, U, b):
    return np.tanh(x @ W + h @ U + b)


def forgets_to_return(x):
    x + 1


def raised(code: str) -> tuple[Exception, Callable]:
    """Run a function with this body, which has a traceback as in a notebook, and return its exception and itself."""
    import linecache

    body = "".join(f"    {line}\n" for line in code.splitlines())
    source, file = f"def answer():\n{body}", f"<cell {abs(hash(code))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = dict(globals())
    exec(compile(source, file, "exec"), names)
    with pytest.raises(Exception) as error:  # noqa: PT011 (each case raises its own)
        names["answer"]()
    return error.value, names["answer"]


EXPLAINED = [
    # matrix products
    (
        "W_xh @ x_t",
        "You multiply `W_xh` (3, 4) by `x_t` (2, 3): the inner sizes 4 and 2 differ. "
        "This course puts rows first: `x_t @ W_xh`.",
    ),
    ("W_xh.T @ x_t", "This course puts rows first: `x_t @ W_xh`."),
    ("np.dot(W_xh, x_t)", "This course puts rows first: `x_t @ W_xh`."),
    ("W_xh.dot(x_t)", "This course puts rows first: `x_t @ W_xh`."),
    ("x_t @ h_prev", "the inner sizes 3 and 2 differ. The shapes of `x_t.T @ h_prev` would fit."),
    ("h_prev @ W_xh", "the inner sizes 4 and 3 differ. The shapes of `h_prev @ W_xh.T` would fit."),
    ("x_t @ (1 - x_t**2)", "the inner sizes 3 and 2 differ. For the element-wise product, write `*`."),
    ("(x_t + 1) @ h_prev", "the inner sizes 3 and 2 differ."),
    ("x_t @ (h_prev - 1)", "The shapes of `x_t.T @ (h_prev - 1)` would fit."),
    ("x_t @ 0.5", "`@` multiplies matrices, but `0.5` is a single number: `*` scales by a number."),
    ("np.ones((2, 5, 3)) @ np.ones((4, 3, 2))", "the sizes of their leading axes do not match."),
    # element-wise operations
    (
        "x_t * W_xh",
        "You multiply `x_t` (2, 3) by `W_xh` (3, 4), element-wise, and these shapes do not match: counted from the "
        "right, sizes must be equal or 1. The matrix product is written `@`: `x_t @ W_xh` has the shape (2, 4).",
    ),
    ("xs * mask", "`mask[..., None]` has the shape (2, 5, 1), which would match."),
    ("x_t - x_t.sum(axis=1)", "You subtract `x_t.sum(axis=1)` (2,) from `x_t` (2, 3), element-wise"),
    ("x_t / x_t.sum(axis=1)", "With keepdims=True, or [..., None] behind it, the shape (2,) becomes (2, 1)."),
    (
        "np.where(mask[:, 0], rnn_step(x_t, h_prev, *cell), h_prev)",
        "`mask[:, 0]` (2,), `rnn_step(x_t, h_prev, *cell)` (2, 4), `h_prev` (2, 4)",
    ),
    (
        "np.take_along_axis(xs, np.zeros((2, 5), dtype=int), axis=-1)",
        "The arrays need the same number of axes: `xs` (2, 5, 3), `np.zeros((2, 5), dtype=int)` (2, 5).",
    ),
    ("for x in xs:\n    x + np.ones((2, 3))", "`x` runs along the first axis of `xs`, whose shape is (2, 5, 3)."),
    (
        "for x, c in zip(xs, three):\n    x + np.ones((2, 3))",
        "`x` runs along the first axis of `xs`, whose shape is (2, 5, 3).",
    ),
    ("x_t + h_prev", "You add `x_t` (2, 3) to `h_prev` (2, 4), element-wise, and these shapes do not match"),
    ("h = np.zeros((2, 3))\nh += W_hh", "You add `h` (2, 3) to `W_hh` (4, 4), element-wise"),
    (
        "np.where(mask[:, 0], h_prev, h_prev)",
        "`np.where` combines its arguments element-wise, and these shapes do not match: `mask[:, 0]` (2,), "
        "`h_prev` (2, 4), `h_prev` (2, 4); counted from the right, sizes must be equal or 1. "
        "`mask[:, 0, None]` has the shape (2, 1), which would match.",
    ),
    ("x_t == x_t and x_t < h_prev", "Python needs a single True or False here, but"),
    ("x_t < h_prev", "You combine the shapes (2, 3) and (2, 4) element-wise"),
    # truth values
    ("if h_prev == None:\n    pass", "write `h_prev is None`, which asks about the variable itself."),
    ("if h_prev != None:\n    pass", "write `h_prev is not None`, which asks about the variable itself."),
    (
        "if mask[:, 0]:\n    pass",
        "Python needs a single True or False here, but `mask[:, 0]` is an array of shape (2,)",
    ),
    ("return 1 if x_t > 0 and x_t < 1 else 2", "but `x_t > 0` is an array of shape (2, 3)"),
    ("max(x_t)", "Python's `max` compares whole rows of an array; `np.max` looks at the entries."),
    # unpacking
    (
        "a, b, c = x_t",
        "You unpack `x_t` into 3 names, `a`, `b` and `c`, but it is an array of shape (2, 3): unpacking goes along "
        "its first axis, of size 2.",
    ),
    ("h, y, c = rnn_step(x_t, h_prev, *cell)", "You unpack `rnn_step(x_t, h_prev, *cell)` into 3 names"),
    ("a, b = cell", "You unpack `cell` into 2 names, `a` and `b`, but it has 3."),
    ("a, b = cell; c = 0", "You unpack `cell` into 2 names, `a` and `b`, but it has 3."),
    ("a, b = 3", "but it is a single value of type int."),
    ("for a, b in three:\n    pass", "The line takes several values apart, but gets a single one, of type int."),
    # None
    ("h = None\nreturn h @ W_hh", "`h` is None here, where a number or an array is needed."),
    ("h = None\nreturn np.tanh(h)", "`h` is None here"),
    ("h = None\nreturn h[0]", "`h` is None here"),
    ("hs = []\nhs = hs.append(1)\nreturn hs[0]", "`hs` is None here: `hs.append(...)` changes its object in place"),
    ("x_t @ forgets_to_return(x_t)", "`forgets_to_return(...)` gave a single number or None here, and no array."),
    ("forgets_to_return(x_t) + x_t", "`forgets_to_return(...)` returned None here: it may lack a return."),
    ("forgets_to_return(x_t).shape", "`forgets_to_return(...)` returned None here: it may lack a return."),
    ("def inner(h_0=None):\n    return h_0 + x_t\ninner()", "The argument `h_0` is None here; give it a value first"),
    ("None * forgets_to_return(3)", ""),
    # names
    ("for x in three:\n    total = total + x", "`total` has no value yet at this line."),
    ("return W_hx @ x_t", "There is no `W_hx` here. Did you mean `W_xh`?"),
    (
        "return nothing_like_it",
        "There is no `nothing_like_it` here. It has to be a parameter, or to get a value before this line.",
    ),
    # arguments
    ("rnn_step(x_t, h_prev, cell)", "`cell` is one argument, a tuple of 3; `*cell` passes its 3 items one by one."),
    ("rnn_step(x_t, h_prev, W_xh)", "The call of `rnn_step` does not pass `U` and `b`."),
    ("rnn_step(x_t, h_prev, *cell, 1)", "`rnn_step` takes 5 arguments here, and the call passes 6."),
    ("forgets_to_return()", "The call of `forgets_to_return` does not pass `x`."),
    ("forgets_to_return(1, 2)", "`forgets_to_return` takes 1 argument here, and the call passes 2."),
    ("np.tanh()", "The call of `tanh` passes too few arguments: 0."),
    ("rnn_step(x_t, h_prev, *cell, bias=1)", "`rnn_step` has no parameter called `bias`."),
    # indices
    (
        "for t in range(6):\n    xs[:, t]",
        "`xs[:, t]` asks for index 5 along axis 1 of `xs`, whose shape is (2, 5, 3); the last index there is 4.",
    ),
    ("np.zeros((2, 0))[:, 0]", "there are no entries along it."),
    ("np.float64(1.0)[0]", ""),
    ("np.array(1.0)[0]", "is a single value without axes."),
    ("b_h[0, 0]", "You use 2 indices, but `b_h` (4,) has 1 axis."),
    ("x_t[x_t.shape[1] / 2]", "An index must be an integer, and `x_t.shape[1] / 2` is the float 1.5"),
    ("x_t[mask.sum(axis=1) / 2]", "is an array of floats: `//` divides integers, `.astype(int)` converts an array."),
    ("xs['h']", "`xs` is an array, which has no key 'h'; only a dict has keys."),
    ("x_t.shape[2]", "`x_t.shape` is (2, 3) here: 2 axes, counted from 0, so it has no item 2."),
    ("three[3]", "You ask for item 3 of `three`, counted from 0, but it has 3 items here."),
    ("cell['W_xh']", "`cell` is a tuple, which has no key 'W_xh'; only a dict has keys."),
    ("three[0, 1]", "`three` is a list, which takes one index at a time"),
    ("three[1.0]", "An index must be an integer, and `1.0` is the float 1.0"),
    ("x_t[mask[0]]", "Along axis 0, the boolean array that you index with has the size 5, and the array itself 2."),
    ("xs[np.arange(2), np.arange(3)]", "You index with two arrays of shapes (2,) and (3,), which must match."),
    ("x_t.sum(axis=2)", "You ask for axis 2, but the array has 2 axes, numbered 0 to 1."),
    ("np.sum(b_h, axis=1)", "You ask for axis 1, but the array has 1 axis, axis 0."),
    ("cache['h']", "The dict `cache` has no key 'h'; its keys are 'xs', 'hs'."),
    # arrays that do not fit
    (
        "hs = xs.copy()\nhs[:, 0] = h_prev",
        "You assign an array of shape (2, 4) to `hs[:, 0]`, which has the shape (2, 3).",
    ),
    (
        "hs = xs.copy()\nhs[:, three] = h_prev",
        "You assign an array of shape (2, 4) to `hs[:, three]`, which has the shape (2, 3, 3).",
    ),
    ("hs = xs.copy()\nhs[0, 0, 0] = b_h", "You assign several numbers where `hs[0, 0, 0]` has room for one."),
    ("x_t.reshape(4, 4)", "`x_t` (2, 3) has 6 entries, and (4, 4) would have 16; reshape keeps the number of entries."),
    ("np.reshape(x_t, (4, 4))", "`x_t` (2, 3) has 6 entries, and (4, 4) would have 16"),
    ("x_t.reshape(-1, 4)", "`x_t` (2, 3) has 6 entries, and that is not a multiple of 4"),
    ("np.stack([x_t, h_prev])", "The arrays that you join must have matching shapes; theirs are (2, 3) and (2, 4)."),
    ("np.concatenate([x_t, b_h])", "The arrays that you join must have matching shapes; theirs are (2, 3) and (4,)."),
    ("np.concatenate(x_t, h_prev)", "`np.concatenate` takes the arrays as one list: `np.concatenate([a, b])`."),
    ("np.stack([])", "The list of arrays to join is empty."),
    ("np.array([[1, 2], [3]])", "Items of different shapes do not form one array"),
    # types
    ("range(b_h)", "`range` needs one integer, and gets an array of shape (4,)."),
    ("range(len(xs) / 2)", "An integer is needed here, and this is a float"),
    ("range(xs.shape)", "An integer is needed here, and this is a tuple"),
    ("np.zeros(2, 3)", "The shape goes in as one tuple: `np.zeros((rows, columns))`."),
    ("b_h(0)", "`b_h` is an array, not a function that can be called: brackets [] index it."),
    ("xs.shape()", "`xs.shape` is a tuple, not a function that can be called: leave out the parentheses."),
    ("three - [1]", "One side is a list, on which arithmetic works differently"),
    ("cache / 2", "`cache` is a dict, and `/` works on numbers and arrays."),
    ("x_t + cell", "Items of different shapes do not form one array"),
    ("3 @ 4", "`@` multiplies matrices, and these are single numbers: `*` multiplies numbers."),
    ("rnn_step * 2", "`rnn_step` is a function, and `*` works on numbers and arrays."),
    ("{b_h: 1}", "An array can be neither a key of a dict nor an item of a set."),
    ("len(3)", "`len` needs a list or an array, and gets a single number."),
    ("cell[0] = 1", "Items of a tuple cannot be set; those of a list or an array can."),
    ("np.random.default_rng(0).choice(2, p=[0.5, 0.6])", "The probabilities do not add up to 1."),
    ("np.einsum('btu,bu->bt', x_t, x_t)", "more letters for operand 0, counted from 0, than that array has axes."),
    ("np.split(b_h, 3)", "The array cannot be split into equal parts"),
    ("three.shape", "`three` is a list, not an array, so it has no `shape`."),
    ("x_t.append(1)", "`x_t` is an array, and arrays have no `append`."),
    ("h = np.zeros(3, dtype=int)\nh += 0.5", "`h` holds int64 and cannot take float64 in place"),
    ("-mask", "`-` does not work on booleans"),
    ("~x_t", "`~` needs booleans or integers, and these are floats"),
    ("np.broadcast_to(b_h, (2, 4))[0] = 1", "This array is read-only"),
    ("float(x_t)", "A single number is needed here, and this is an array with several entries."),
    ("np.linalg.eigvals(x_t)", "This function needs a square matrix."),
    (
        "np.einsum('bt,tu->bu', x_t, h_prev)",
        "The shapes of the arrays in this expression: `x_t` (2, 3), `h_prev` (2, 4).",
    ),
    ("1 / 0", ""),
    ("raise RuntimeError('no cake left')", ""),
]


@pytest.mark.parametrize(("code", "sentence"), EXPLAINED, ids=[code.replace("\n", "; ") for code, _ in EXPLAINED])
def test_an_exception_is_explained(code: str, sentence: str) -> None:
    error, answer = raised(code)
    explanation = explain(error, answer)
    assert sentence in explanation.sentence
    assert bool(explanation.sentence) == bool(sentence)
    assert re.fullmatch(r"(answer|inner), line \d: `.+`", explanation.line)


class Network:
    def __init__(self) -> None:
        self.W_xh, self.W = np.ones((3, 4)), np.ones((7, 7))

    def uses_a_global(self, x):
        return x @ W

    def passes_a_global(self, x):
        return rnn_step(x, h_prev, W, W_hh, b_h)

    def forgets_self(self, x):
        return x @ W_hx  # noqa: F821

    def calls_without_self(self, x):
        return uses_a_global(x)  # noqa: F821

    def misspells(self, x):
        return self.W_hx

    def needs_what_is_not_there(self, x):
        return self.bias

    def calls_a_method_without_self(self, x):
        return self.without_self(x, x)

    def without_self(x, h):  # noqa: N805
        return x


class SelfForgotten:
    def __init__(rng):  # noqa: N805
        pass


W = np.ones((6, 6))
IN_A_CLASS = [
    ("uses_a_global", "`W` here is a variable of the notebook, with shape (6, 6); the object's own is `self.W`."),
    ("passes_a_global", "`W` here is a variable of the notebook, with shape (6, 6); the object's own is `self.W`."),
    ("forgets_self", "There is no `W_hx` here. Did you mean `W_xh`?"),
    ("calls_without_self", "`uses_a_global` belongs to the object: inside the class it is `self.uses_a_global`."),
    ("misspells", "The object has no `self.W_hx`. Did you mean `self.W_xh`?"),
    ("needs_what_is_not_there", "The object has no `self.bias` here: `__init__` has to set it, under the same name."),
    (
        "calls_a_method_without_self",
        "The first parameter of a method is the object itself: write `def without_self(self, ...)`.",
    ),
]


@pytest.mark.parametrize(("method", "sentence"), IN_A_CLASS)
def test_a_missing_self_is_explained(method: str, sentence: str) -> None:
    with pytest.raises((ValueError, NameError, AttributeError, TypeError)) as error:
        getattr(Network(), method)(x_t)
    explanation = explain(error.value, Network)
    assert sentence in explanation.sentence
    assert explanation.line.startswith(f"Network.{method}, line ")


@pytest.mark.parametrize(
    ("call", "answer", "sentence"),
    [
        (lambda: SelfForgotten(1, 2), SelfForgotten, "write `def __init__(self, ...)`."),
        (lambda: Network(1, 2), Network, "`__init__` takes 0 arguments here, and the call passes 2."),
        (lambda: Network().step(x_t), Network, ""),
    ],
)
def test_a_class_that_a_check_cannot_use_is_explained(call: Callable, answer: type, sentence: str) -> None:
    with pytest.raises((TypeError, AttributeError)) as error:
        call()
    assert sentence in explain(error.value, answer).sentence


def test_the_line_is_the_answers_own_and_the_function_it_calls_is_named() -> None:
    with pytest.raises(ValueError, match="matmul") as error:
        Network().passes_a_global(x_t)
    explanation = explain(error.value, Network)
    assert "`return rnn_step(x, h_prev, W, W_hh, b_h)`" in explanation.line
    assert "You multiply `x` (2, 3) by `W` (6, 6): the inner sizes 3 and 6 differ." in explanation.sentence
    assert re.search(
        r"The error arises in rnn_step, line \d+: `return np.tanh\(.*\)`, which your", explanation.sentence
    )


def test_a_line_of_a_library_is_never_shown() -> None:
    with pytest.raises(np.linalg.LinAlgError) as error:
        np.linalg.inv(np.zeros((2, 2)))
    assert "np.linalg.inv(np.zeros((2, 2)))" in explain(error.value).line


def test_what_is_not_known_is_not_said() -> None:
    assert explain(ValueError("from elsewhere")) == explain(ValueError("from elsewhere"), rnn_step)
    assert explain(ValueError("operands could not be broadcast together with shapes (2,3) (4,) ")).sentence == (
        "You combine the shapes (2, 3) and (4,) element-wise, and they do not match: "
        "counted from the right, sizes must be equal or 1."
    )


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_without_a_text_is_no_obstacle() -> None:
    def rnn_step(*inputs):
        raise Unprintable

    report = judge(rnn_step, decode_task("rnn_step", find("rnn_step")[1]))
    assert "Unprintable: no message, in rnn_step, line" in report.problems[report.first_wrong].sentence


def test_the_explanation_is_made_where_the_answer_runs() -> None:
    """Another process gets it as text, and an exception that it passed on has no frames of the student's."""

    def rnn_step(*inputs):
        return W_xh @ x_t

    value, used, failure = call_monitored((), rnn_step, 1)
    assert (value, used) == (None, "")
    assert failure is not None
    kind, message, line, explanation = failure
    assert (kind, message[:7]) == ("ValueError", "matmul:")
    assert "`return W_xh @ x_t`" in line
    assert "This course puts rows first" in explanation

    class PassedOnError(ValueError):
        submitted_line = "rnn_step, line 2: `return W_xh @ x_t`"

    try:
        raise PassedOnError(message)
    except PassedOnError as error:
        passed_on = explain(error, rnn_step)
    assert passed_on.line == PassedOnError.submitted_line
    assert passed_on.sentence == "In a matrix product the inner sizes must be equal; here they are 4 and 2."


def test_looking_at_an_operand_never_runs_the_students_code() -> None:
    called = []

    def count(value):
        called.append(value)
        return value

    def answer():
        return count(x_t) @ count(b_h) * 2

    with pytest.raises(ValueError, match="matmul") as error:
        answer()
    before = len(called)
    explain(error.value, answer)
    assert len(called) == before
    site = student_sites(error.value)[-1]
    for node in (site.node, site.statement):
        with pytest.raises(UnknownValueError):
            site.evaluate(node)


KERAS_MESSAGES = [
    (
        "Exception encountered when calling Sequential.call().\n\n\x1b[1mInput 0 of layer 'dense' is incompatible with "
        "the layer: expected axis -1 of input shape to have value 3, but received input with shape (2, 5, 7)\x1b[0m\n\n"
        "Arguments received by Sequential.call():\n  • inputs=tf.Tensor(shape=(2, 5, 7), dtype=float32)",
        "in Sequential.call(): Input 0 of layer 'dense' is incompatible with the layer: expected axis -1 of input "
        "shape to have value 3, but received input with shape (2, 5, 7)",
    ),
    (
        "{{function_node __wrapped__GatherV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} indices[0,0] = 9 is "
        "not in [0, 4) [Op:GatherV2] name: ",
        "indices[0,0] = 9 is not in [0, 4)",
    ),
    (
        'Graph execution error:\n\nDetected at node loss defined at (most recent call last):\n  File "a.py", line 3\n\n'
        "Received a label value of 7 which is outside the valid range of [0, 2).  Label values: 7 7\n\t "
        "[[{{node compile_loss/loss}}]] [Op:__inference_multi_step_on_iterator_1]",
        "Received a label value of 7 which is outside the valid range of [0, 2).  Label values: 7 7",
    ),
    ("no cake left", "no cake left"),
]


@pytest.mark.parametrize(("message", "core"), KERAS_MESSAGES, ids=["layer", "operation", "graph", "plain"])
def test_the_reason_is_taken_out_of_what_keras_writes_around_it(message: str, core: str) -> None:
    assert clean(message) == core


@pytest.mark.slow
def test_errors_of_keras_and_tensorflow_are_explained() -> None:
    from rnn_helpers.quietly import keras

    layers = keras.layers

    def network(*rest: Any) -> Any:
        return keras.Sequential([keras.Input((None, 3)), *rest])

    def stacks() -> None:
        network(layers.SimpleRNN(4), layers.SimpleRNN(4))

    def embeds() -> None:
        layers.Embedding(4, 3)(np.full((2, 5), 9))

    def has_other_features() -> None:
        network(layers.Dense(4))(np.ones((2, 5, 7)))

    def has_too_few_outputs() -> None:
        model = network(layers.SimpleRNN(4), layers.Dense(2))
        model.compile(loss="sparse_categorical_crossentropy")
        model.fit(np.ones((8, 5, 3)), np.full(8, 7), verbose=0)

    def sets_a_transpose() -> None:
        layer = layers.SimpleRNN(4)
        layer.build((None, None, 3))
        layer.set_weights([np.ones((4, 3)), np.ones((4, 4)), np.ones(4)])

    def multiplies() -> None:
        keras.ops.matmul(np.ones((2, 3)), np.ones((2, 3)))

    def uses_numpy() -> None:
        np.tanh(keras.Input((3,)))

    sentences = {
        stacks: "needs (batch, steps, features) and gets (None, 4).",
        embeds: "The Embedding has 4 rows, so its indices must be below 4; one of them is 9.",
        has_other_features: "for 3 as the size of the last axis, and its input has the shape (2, 5, 7).",
        has_too_few_outputs: "One of the targets is 7, and the number of the model's outputs is 2",
        sets_a_transpose: "The layer's weight has the shape (3, 4), and yours has (4, 3).",
        multiplies: "You multiply",
        uses_numpy: "use a layer or keras.ops",
    }
    for function, sentence in sentences.items():
        with pytest.raises(Exception) as error:  # noqa: PT011 (each raises its own)
            function()
        explanation = explain(error.value, function)
        assert sentence in explanation.sentence, str(error.value)
        assert explanation.line.startswith(f"{function.__name__}, line "), explanation.line
        assert "site-packages" not in explanation.line
