"""Lesson 08: weights into Keras and back, the overview's and the tutorial's models, a stateful layer, a trained one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autograde_tests.exercise import Challenge, Claims, ClaimsExercise, Exercise, Mistake
from autograde_tests.loops import TOO_FEW, counted
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    ADAM,
    BETWEEN_0_AND_1,
    CLASSIFIER_PARAMETERS,
    COMPILED,
    CONFIG_HAS_SIZES,
    CROSS_ENTROPY,
    CUSTOM_SIZES,
    CUSTOM_SIZES_SURVIVE_SAVING,
    INPUT_SHAPE,
    LOSS_FALLS,
    LOSS_TAKES_PROBABILITIES,
    MODEL_TRAINED,
    NETWORK_PARAMETERS,
    NEW_MODEL_PER_CALL,
    NOT_INVERTED,
    ONE_OUTPUT_PER_SEQUENCE,
    OUTPUT_SHAPE,
    OUTPUTS_VARY,
    RECURRENT_WITH_32_UNITS,
    RELU_SOFTMAX_EQUATIONS,
    REPORTS_ACCURACY,
    ROWS_SUM_TO_1,
    SURVIVES_SAVING,
    TANH_SIGMOID_EQUATIONS,
    TEST_ACCURACY,
    TRAINED_FOR_10_EPOCHS,
    TRAINING_ACCURACY,
)
from rnn_helpers.checks.evaluator import Case, Task
from rnn_helpers.checks.keras_probes.classifiers import UNITS
from rnn_helpers.checks.keras_probes.layers import VARIABLES, fixed_inputs


def _keras() -> Any:
    """Import Keras on demand: the other lessons are graded without it."""
    from rnn_helpers.quietly import keras

    return keras


def _cell(rng: Rng, features: int, units: int) -> tuple:
    return (
        numbers(rng, features, units, scale=0.5),
        numbers(rng, units, units, scale=0.5),
        numbers(rng, units, scale=0.8),
    )


@dataclass(frozen=True)
class LayerExercise(Exercise):
    """An exercise about a Keras layer, whose cost is mostly Keras: hidden checks use it for the answer only.

    in_numpy: works out what the oracle gives from the probe's arguments, with no layer. Visible checks have it from the
        oracle, which is Keras itself: whatever passes both holds the two together. Known mistakes are run where an
        answer is wrong, and no more of them than it takes to name it.
    """

    in_numpy: Callable | None = None

    def task(self, rng: Rng, *, hidden: bool, draws: int = 1) -> Task:
        """Return the Task. One draw per challenge is enough: no mistake matches random numbers to ten digits."""
        return Exercise.task(self if hidden else replace(self, in_numpy=None), rng, hidden=hidden, draws=1)

    def _case(self, challenge: Challenge, args: tuple) -> Case:
        if self.in_numpy is None:
            return super()._case(challenge, args)
        return Case(challenge.title, args, self.in_numpy(*args), self._mistake_outcomes(args))


SCALAR: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
}


def _read(spec, xs, mask=None, initial_state=None):
    """Return the outputs of a layer with this description, from the equations, one number at a time."""
    (U, W, b), options = spec["weights"], spec["options"]
    curve = SCALAR[options.get("activation", "tanh")]
    batch, steps, features = xs.shape
    units, hs = len(b), np.zeros((batch, steps, len(b)))
    for row in range(batch):
        h = np.zeros(units) if initial_state is None else initial_state[row]
        for read in range(steps):
            t = steps - 1 - read if options.get("go_backwards") else read
            if mask is None or mask[row, t]:
                fed = [sum(xs[row, t, d] * U[d, u] for d in range(features)) for u in range(units)]
                h = np.array([curve(fed[u] + sum(h[v] * W[v, u] for v in range(units)) + b[u]) for u in range(units)])
            hs[row, read] = h
    out = hs if options.get("return_sequences") else hs[:, -1]
    return (out, hs[:, -1]) if options.get("return_state") else out


# ------------------------------------------------------------------------------------ weights_to_keras


def _put_in(look, spec, W_xh, W_hh, b_h):
    """Return the result of `into_layer` for a layer with these weights."""
    if look != "states":
        return dict(zip(VARIABLES, (W_xh, W_hh, b_h), strict=True))[look]
    return _read({"weights": (W_xh, W_hh, b_h), "options": {}}, fixed_inputs(len(W_xh)))


def _variables(layer):
    return layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias


def _built(layer, W_xh):
    if not layer.built:
        layer.build((None, None, len(W_xh)))


def _by_assign(layer, W_xh, W_hh, b_h, *, skip=(), add=False):
    _built(layer, W_xh)
    for variable, values in zip(_variables(layer), (W_xh, W_hh, b_h), strict=True):
        if variable.name not in skip:
            (variable.assign_add if add else variable.assign)(values)


def _by_set_weights(layer, W_xh, W_hh, b_h):
    _built(layer, W_xh)
    layer.set_weights([W_xh, W_hh, b_h])


def _by_calling_first(layer, W_xh, W_hh, b_h):
    layer(np.zeros((1, 1, W_xh.shape[0])))
    layer.cell.set_weights([W_xh, W_hh, b_h])


def _by_weights(layer, W_xh, W_hh, b_h):
    layer.build((1, 2, np.shape(W_xh)[0]))
    for variable, values in zip(layer.weights, [W_xh, W_hh, b_h], strict=True):
        variable.assign(values)


def _into(look: str, features: int, units: int, **spec):
    def draw(rng: Rng) -> tuple:
        return look, {"weights": _cell(rng, features, units), **spec}, *_cell(rng, features, units)

    return draw


def _any_cell(rng: Rng) -> tuple:
    return _into("states", int(rng.integers(1, 6)), int(rng.integers(1, 6)))(rng)


ONES = {"kernel_initializer": "ones", "recurrent_initializer": "ones", "bias_initializer": "ones"}

weights_to_keras = LayerExercise(
    name="weights_to_keras",
    challenges=(
        Challenge("the kernel", 0.5, _into("kernel", 2, 3)),
        Challenge("the recurrent kernel", 0.5, _into("recurrent_kernel", 2, 3)),
        Challenge("the bias", 0.5, _into("bias", 2, 3)),
        Challenge("a layer without weights yet", 0.5, _into("states", 2, 4, built=False, options=ONES)),
        Challenge("a layer of other sizes", 0.5, _any_cell, hidden=True),
    ),
    oracle=lambda layer, W_xh, W_hh, b_h: _by_assign(layer, W_xh, W_hh, b_h),
    in_numpy=_put_in,
    mistakes=(
        Mistake(
            "You store W_hh transposed: Keras uses the same layout as this course, so copy it unchanged.",
            lambda layer, U, W, b: _by_assign(layer, U, W.T, b),
        ),
        Mistake("The bias of the layer is not replaced.", lambda *a: _by_assign(*a, skip=("bias",))),
        Mistake(
            "The recurrent kernel of the layer is not replaced.", lambda *a: _by_assign(*a, skip=("recurrent_kernel",))
        ),
        Mistake("The kernel of the layer is not replaced.", lambda *a: _by_assign(*a, skip=("kernel",))),
        Mistake(
            "The layer keeps the weights that it had: get_weights() returns copies, so pass your arrays to layer.set_weights.",
            lambda layer, U, W, b: _built(layer, U),
        ),
        Mistake(
            "Your weights are added to the old ones: they should replace them.", lambda *a: _by_assign(*a, add=True)
        ),
    ),
    styles=(_by_set_weights, _by_calling_first, _by_weights),
    hints=(
        "Which three arrays does layer.get_weights() return, in which order and with which shapes?",
        "layer.set_weights([...]) takes the same three arrays in the same order. A layer that has not been built has none yet.",
        "If not layer.built: layer.build((None, None, len(W_xh))). Then layer.set_weights([W_xh, W_hh, b_h]).",
    ),
    probe="into_layer",
    unchanged=0.5,
    promised=(
        ("layer[built] is always the same", "the check for layers without weights says so, and the others have them"),
    ),
)

# ------------------------------------------------------------------------------------ numpy_from_keras


def _keras_itself(layer, xs, mask=None, initial_state=None):
    from rnn_helpers.checks.keras_probes.inspection import as_numpy

    result = layer(xs, mask=mask, initial_state=initial_state)
    return tuple(as_numpy(part) for part in result) if isinstance(result, (tuple, list)) else as_numpy(result)


CURVES: dict[str, Callable] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


def _walk(
    layer,
    xs,
    mask=None,
    initial_state=None,
    *,
    curve=None,
    turn="no",
    zero=False,
    return_all=None,
    state=True,
    turned=True,
    steps=lambda xs: xs.shape[1],
    shown=lambda new, h, real: h,
):
    U, W, b = layer.get_weights()
    f = CURVES[curve or layer.get_config()["activation"]]
    if layer.go_backwards and turn != "never":
        xs, mask = xs[:, ::-1], mask if mask is None or not turned else mask[:, ::-1]
    h = np.zeros((len(xs), len(W))) if initial_state is None else np.array(initial_state)
    states = []
    for t in range(steps(xs)):
        new = f(xs[:, t] @ U + h @ W + b)
        real = np.ones((len(xs), 1), dtype=bool) if mask is None else mask[:, t, None].astype(bool)
        h = np.where(real, new, 0.0 if zero else h)
        states.append(shown(new, h, real))
    hs = np.stack(states, axis=1)
    if turn == "back" and layer.go_backwards:
        hs = hs[:, ::-1]
    out = hs if (layer.return_sequences if return_all is None else return_all) else hs[:, -1]
    return (out, h) if layer.return_state and state else out


def _with_einsum(layer, xs, mask=None, initial_state=None):
    W_xh, W_hh, b_h = (np.asarray(w) for w in layer.get_weights())
    f: dict[str, Callable] = {
        "tanh": np.tanh,
        "relu": lambda a: a * (a > 0),
        "sigmoid": lambda a: 0.5 + 0.5 * np.tanh(a / 2),
    }
    steps = range(xs.shape[1])[:: -1 if layer.go_backwards else 1]
    h = np.zeros((xs.shape[0], b_h.size)) if initial_state is None else initial_state
    hs = []
    for t in steps:
        new = f[layer.activation.__name__](
            np.einsum("bd,dh->bh", xs[:, t], W_xh) + np.einsum("bi,ij->bj", h, W_hh) + b_h
        )
        h = new if mask is None else np.where(mask[:, t : t + 1], new, h)
        hs.append(h)
    out = np.array(hs).transpose(1, 0, 2) if layer.return_sequences else h
    return [out, h] if layer.return_state else out


def _row_by_row(layer, xs, mask=None, initial_state=None):
    batch, steps, _ = xs.shape
    mask = np.ones((batch, steps)) if mask is None else mask
    kernel, recurrent_kernel, bias = layer.cell.get_weights()
    hs = np.zeros((batch, steps, layer.units))
    last = np.zeros((batch, layer.units))
    for row in range(batch):
        h = np.zeros(layer.units) if initial_state is None else initial_state[row].copy()
        order = list(range(steps))
        if layer.go_backwards:
            order.reverse()
        for column, t in enumerate(order):
            if mask[row, t]:
                h = CURVES[layer.get_config()["activation"]](xs[row, t] @ kernel + h @ recurrent_kernel + bias)
            hs[row, column] = h
        last[row] = h
    result = hs if layer.return_sequences else last
    return (result, last) if layer.return_state else result


def _mask(rng: Rng, batch: int, steps: int, started: bool) -> np.ndarray:
    """Draw masks with gaps anywhere; in one row only two steps are real.

    started: the first step is real, because Keras shows zeros and not the initial state before it
    """
    mask = rng.random((batch, steps)) < 0.6
    mask[0] = np.arange(steps) < 2
    mask[np.arange(batch), rng.integers(1, steps, size=batch)] = True
    mask[:, 0] |= started
    return mask


def _reading(options: dict, *, masked: bool = False, started: bool = False):
    def draw(rng: Rng) -> tuple:
        features, units = sizes(rng, 2, low=2, high=8)
        batch, steps = int(rng.integers(3, 10)), int(rng.integers(5, 7))
        xs = numbers(rng, batch, steps, features)
        mask = _mask(rng, batch, steps, started) if masked else None
        state = numbers(rng, batch, units, scale=0.5) if started else None
        return {"weights": _cell(rng, features, units), "options": options}, xs, mask, state

    return draw


ALL_STATES = {"return_sequences": True}

numpy_from_keras = LayerExercise(
    name="numpy_from_keras",
    challenges=(
        Challenge("all states", 0.5, _reading(ALL_STATES)),
        Challenge("the last state only", 0.5, _reading({})),
        Challenge("ReLU in place of tanh", 0.25, _reading({"activation": "relu", **ALL_STATES})),
        Challenge("sigmoid in place of tanh", 0.25, _reading({"activation": "sigmoid", **ALL_STATES})),
        Challenge("a mask", 0.5, _reading(ALL_STATES, masked=True)),
        Challenge("an initial state", 0.5, _reading(ALL_STATES, started=True)),
        Challenge("go_backwards without a mask", 0.5, _reading({"go_backwards": True, **ALL_STATES})),
        Challenge("go_backwards with a mask", 0.25, _reading({"go_backwards": True, **ALL_STATES}, masked=True)),
        Challenge("the switch return_state", 0.25, _reading({"return_state": True, **ALL_STATES})),
        Challenge(
            "sigmoid, a mask and an initial state",
            0.5,
            _reading({"activation": "sigmoid"}, masked=True, started=True),
            hidden=True,
        ),
        Challenge(
            "backwards, with initial and last state",
            0.5,
            _reading({"go_backwards": True, "return_state": True}, started=True),
            hidden=True,
        ),
    ),
    oracle=_keras_itself,
    in_numpy=_read,
    mistakes=(
        Mistake(
            "You always use tanh: read the activation from layer.get_config().", lambda *a: _walk(*a, curve="tanh")
        ),
        Mistake(TOO_FEW, lambda *a: _walk(*a, steps=counted)),
        Mistake(
            "You ignore the mask: where it is False, the state should be carried over unchanged.",
            lambda layer, xs, mask=None, initial_state=None: _walk(layer, xs, None, initial_state),
        ),
        Mistake(
            "Your mask is inverted: it is True where a step is real.",
            lambda layer, xs, mask=None, initial_state=None: _walk(
                layer, xs, None if mask is None else ~mask, initial_state
            ),
        ),
        Mistake("With go_backwards you reverse the inputs but not the mask.", lambda *a: _walk(*a, turned=False)),
        Mistake(
            "You set the state to zero at masked steps: it should be carried over unchanged.",
            lambda *a: _walk(*a, zero=True),
        ),
        Mistake(
            "At masked steps you output the new state, although it is not carried over: output the state that is kept.",
            lambda *a: _walk(*a, shown=lambda new, h, real: new),
        ),
        Mistake(
            "You output zeros at masked steps: output the state that is carried over.",
            lambda *a: _walk(*a, shown=lambda new, h, real: h * real),
        ),
        Mistake(
            "You ignore initial_state: every sequence starts from zeros.",
            lambda layer, xs, mask=None, initial_state=None: _walk(layer, xs, mask),
        ),
        Mistake(
            "You ignore go_backwards: the steps are always read from the first to the last.",
            lambda *a: _walk(*a, turn="never"),
        ),
        Mistake(
            "With go_backwards you reverse the states again at the end: Keras leaves them in the order in which it reads the steps.",
            lambda *a: _walk(*a, turn="back"),
        ),
        Mistake("You return all states whatever return_sequences says.", lambda *a: _walk(*a, return_all=True)),
        Mistake(
            "You return only the last state whatever return_sequences says.", lambda *a: _walk(*a, return_all=False)
        ),
        Mistake(
            "You ignore return_state: with it, Keras returns a pair, the outputs and the last state.",
            lambda *a: _walk(*a, state=False),
        ),
    ),
    styles=(_walk, _with_einsum, _row_by_row),
    hints=(
        "Which of the layer's settings change its output? layer.get_config() lists them.",
        "It is rnn_forward_masked with three questions: which activation, which order of the steps, and which states are returned?",
        "Reverse xs and mask when layer.go_backwards; keep h where the mask is False; hs or hs[:, -1]; a pair if layer.return_state.",
    ),
    probe="with_layer",
    unchanged=0.5,
    not_allowed=(
        "keras.src.layers.layer.Layer.__call__",
        "keras.src.layers.rnn.simple_rnn.SimpleRNN.call",
        "keras.src.layers.rnn.simple_rnn.SimpleRNNCell.call",
        "keras.src.layers.rnn.rnn.RNN.call",
        "rnn_helpers.cells",
    ),
    promised=(
        ("layer[options][go_backwards] is always the same", "the other checks leave out the switch"),
        ("layer[options][return_sequences] is always the same", "the other checks leave out the switch"),
        ("layer[options][return_state] is always the same", "the other checks leave out the switch"),
        ("mask is True somewhere in each row", "before the first real step Keras shows zeros, which no check asks for"),
    ),
)

# ------------------------------------------------------------------------------ build_binary_classifier


def _binary(
    *,
    steps=10,
    features=1,
    units=UNITS,
    inside="tanh",
    on_top="sigmoid",
    sequences=False,
    bias=True,
    optimizer="adam",
    loss="binary_crossentropy",
    metrics=("accuracy",),
):
    keras = _keras()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((steps, features)),
            layers.SimpleRNN(units, activation=inside, return_sequences=sequences, use_bias=bias),
            layers.Dense(1, activation=on_top),
        ]
    )
    if optimizer:
        model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


def _binary_functional():
    keras = _keras()
    xs = keras.Input(shape=(10, 1))
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.SimpleRNN(32)(xs))
    model = keras.Model(xs, output)
    model.compile(keras.optimizers.Adam(), keras.losses.BinaryCrossentropy(), metrics=["accuracy"])
    return model


def _binary_in_parts():
    keras = _keras()
    model = keras.Sequential(name="any_name")
    for layer in (
        keras.Input(shape=(None, 1)),
        keras.layers.RNN(keras.layers.SimpleRNNCell(32), name="memory"),
        keras.layers.Dense(1),
        keras.layers.Activation("sigmoid"),
    ):
        model.add(layer)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="binary_crossentropy", metrics=["accuracy"])
    return model


def _binary_from_logits():
    return _binary(loss=_keras().losses.BinaryCrossentropy(from_logits=True))


build_binary_classifier = ClaimsExercise(
    name="build_binary_classifier",
    challenges=(
        Claims("sizes", 1.0, (INPUT_SHAPE, CLASSIFIER_PARAMETERS, ONE_OUTPUT_PER_SEQUENCE)),
        Claims("what it computes", 1.5, (BETWEEN_0_AND_1, OUTPUTS_VARY, TANH_SIGMOID_EQUATIONS)),
        Claims("how it will learn", 1.0, (COMPILED, ADAM, CROSS_ENTROPY, LOSS_TAKES_PROBABILITIES, REPORTS_ACCURACY)),
        Claims("a new one each time", 0.5, (NEW_MODEL_PER_CALL,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda: _binary(),
    threshold="outputs agree with NumPy's to 1e-5: float32 on Keras' side; no training is involved",
    mistakes=(
        Mistake(findings.SOFTMAX_OF_ONE, lambda: _binary(on_top="softmax")),
        Mistake(findings.NO_TOP_ACTIVATION.format(expected="sigmoid"), lambda: _binary(on_top=None)),
        Mistake(findings.RETURNS_SEQUENCES, lambda: _binary(sequences=True)),
        Mistake(findings.STEPS_AND_FEATURES, lambda: _binary(steps=1, features=10)),
        Mistake(findings.HIDDEN_ACTIVATION.format(actual="ReLU", expected="tanh"), lambda: _binary(inside="relu")),
        Mistake(findings.WRONG_UNITS.format(actual=10, expected=UNITS), lambda: _binary(units=10)),
        Mistake(findings.NO_HIDDEN_BIAS, lambda: _binary(bias=False)),
        Mistake(
            findings.OTHER_LOSS.format(actual="MeanSquaredError", expected="the binary cross-entropy"),
            lambda: _binary(loss="mse"),
        ),
        Mistake(findings.LOGITS_FOR_SIGMOID, _binary_from_logits),
        Mistake(findings.NOT_COMPILED, lambda: _binary(optimizer=None)),
        Mistake(findings.NO_METRICS, lambda: _binary(metrics=())),
        Mistake(findings.OTHER_OPTIMIZER.format(actual="SGD"), lambda: _binary(optimizer="sgd")),
    ),
    styles=(_binary, _binary_functional, _binary_in_parts),
    hints=(
        "Which three things does every Sequential model of this lesson begin with, contain and end with?",
        "keras.Input of shape (10, 1), SimpleRNN(32), Dense(1) with a sigmoid; then compile with optimizer, loss and metrics.",
        'model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"]), and return the model.',
    ),
    probe="binary_classifier",
)

# ------------------------------------------------------------------------------------ RecurrentNetwork


def _network(*, inside="relu", on_top="softmax", sequences=False, names=True, keep=True, fixed=False, late=False):
    """Return a class called RecurrentNetwork, correct or with one mistake."""
    keras = _keras()
    parent: Any = keras.Model

    class RecurrentNetwork(parent):
        def __init__(self, units=50, classes=10, **kwargs):
            super().__init__(**kwargs)
            self.units, self.classes = units, classes
            if not late:
                self.layers_of(50 if fixed else units, 10 if fixed else classes)

        def layers_of(self, units, classes):
            self.rnn = keras.layers.SimpleRNN(units, activation=inside, return_sequences=sequences)
            self.readout = keras.layers.Dense(classes, activation=on_top)
            return self.rnn, self.readout

        def call(self, xs):
            if late:
                rnn = keras.layers.SimpleRNN(self.units, activation=inside)
                readout = keras.layers.Dense(self.classes, activation=on_top)
                return readout(rnn(xs))
            return self.readout(self.rnn(xs))

        def get_config(self):
            sizes = {"units": self.units, "classes": self.classes} if names else {}
            return {**super().get_config(), **sizes} if keep else sizes

    return RecurrentNetwork


def _tutorial():
    keras = _keras()
    parent: Any = keras.Sequential

    class RecurrentNetwork(parent):
        def __init__(self, units=50, classes=10):
            super().__init__()
            self.add(keras.Input((20, 100)))
            self.add(keras.layers.SimpleRNN(units, activation="relu"))
            self.add(keras.layers.Dense(classes, activation="softmax"))

    return RecurrentNetwork


def _registered():
    """Return a class that is registered under its own name, takes no **kwargs and builds its whole configuration."""
    keras = _keras()
    parent: Any = keras.Model

    class RecurrentNetwork(parent):
        def __init__(self, units=50, classes=10, name=None, trainable=True, dtype=None):
            super().__init__(name=name, trainable=trainable, dtype=dtype)
            self.sizes = (units, classes)
            self.steps = [
                keras.layers.SimpleRNN(units, activation=keras.activations.relu),
                keras.layers.Dense(classes),
                keras.layers.Softmax(),
            ]

        def call(self, xs):
            for layer in self.steps:
                xs = layer(xs)
            return xs

        def build(self, shape):
            for layer in self.steps[:2]:
                layer.build(shape)
                shape = layer.compute_output_shape(shape)
            self.built = True

        def get_config(self):
            return {"units": self.sizes[0], "classes": self.sizes[1], "name": self.name}

    return RecurrentNetwork


def _factory_of(factory, **options):
    """Return a function that is called like the class and creates an instance, because the class needs Keras."""
    return lambda *sizes, **named: factory(**options)(*sizes, **named)


recurrent_network = ClaimsExercise(
    name="RecurrentNetwork",
    challenges=(
        Claims("its outputs", 1.5, (OUTPUT_SHAPE, ROWS_SUM_TO_1, NETWORK_PARAMETERS, RELU_SOFTMAX_EQUATIONS)),
        Claims("its sizes", 0.5, (CUSTOM_SIZES,)),
        Claims("its configuration", 0.5, (CONFIG_HAS_SIZES,)),
        Claims("saved and loaded", 1.0, (SURVIVES_SAVING, CUSTOM_SIZES_SURVIVE_SAVING)),
        Claims("it learns", 0.5, (LOSS_FALLS,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda units=50, classes=10: _network()(units, classes),
    threshold="outputs agree with NumPy's to 1e-5: float32; one step of Adam on six sequences takes 11 % of the loss or more",
    mistakes=(
        Mistake(findings.INHERITS_SEQUENTIAL, _factory_of(_tutorial)),
        Mistake(findings.CONFIG_WITHOUT_SIZES, _factory_of(_network, names=False)),
        Mistake(findings.NO_TOP_ACTIVATION.format(expected="softmax"), _factory_of(_network, on_top=None)),
        Mistake(
            findings.HIDDEN_ACTIVATION.format(actual="tanh", expected="ReLU"), _factory_of(_network, inside="tanh")
        ),
        Mistake(findings.FIXED_SIZES, _factory_of(_network, fixed=True)),
        Mistake(findings.RETURNS_SEQUENCES, _factory_of(_network, sequences=True)),
        Mistake(findings.LAYERS_MADE_IN_CALL, _factory_of(_network, late=True)),
    ),
    styles=(_factory_of(_network), _factory_of(_registered), _factory_of(_network, keep=False)),
    hints=(
        "Which two layers does it own, and what must Keras be told to build the same object again?",
        "Make the layers in __init__, use them in call, and let get_config return what __init__ takes.",
        'get_config returns {**super().get_config(), "units": self.units, "classes": self.classes}; __init__ passes **kwargs on.',
    ),
    probe="sequence_network",
)

# ---------------------------------------------------------------------------------------- stateful_run


def _all_at_once(spec, chunks):
    return _read(spec, np.concatenate(chunks, axis=1))


def _in_keras(layer, chunks, *, before=True, each=False, only_last=False, order=1, twice=False, after=False):
    from rnn_helpers.checks.keras_probes.inspection import as_numpy

    if before:
        layer.reset_state()
    out = []
    for number, chunk in enumerate(chunks[::order]):
        if each:
            layer.reset_state()
        if twice:
            layer(chunk)
        out.append(as_numpy(layer(chunk)))
        if after and number == 0:
            layer.reset_state()
    return out[-1] if only_last else np.concatenate(out, axis=1)


def _in_one_piece(layer, chunks):
    layer.reset_state()
    return layer(np.concatenate(chunks, axis=1)).numpy()


def _into_a_buffer(layer, chunks):
    lengths = [chunk.shape[1] for chunk in chunks]
    hs = np.empty((len(chunks[0]), sum(lengths), layer.units))
    layer.reset_state()
    start = 0
    for chunk, length in zip(chunks, lengths, strict=True):
        hs[:, start : start + length] = layer(chunk)
        start += length
    return hs


def _chunked(lengths: tuple[int, ...], batch: int, *, used: bool, features: int = 2, units: int = 3):
    def draw(rng: Rng) -> tuple:
        options = {"stateful": True, "return_sequences": True}
        spec = {"weights": _cell(rng, features, units), "options": options, "batch": batch, "used": used}
        return spec, tuple(numbers(rng, batch, length, features) for length in lengths)

    return draw


def _any_chunks(rng: Rng) -> tuple:
    features, units = sizes(rng, 2, 2, 8)
    return _chunked((2, 1, 9), int(rng.integers(1, 9)), used=True, features=features, units=units)(rng)


stateful_run = LayerExercise(
    name="stateful_run",
    challenges=(
        Challenge("two chunks", 0.5, _chunked((3, 3), 5, used=False, features=4, units=2)),
        Challenge("a layer that has read before", 0.5, _chunked((4, 5, 1), 2, used=True, features=3, units=6)),
        Challenge("chunks of other lengths", 0.5, _any_chunks, hidden=True),
    ),
    oracle=_in_one_piece,
    in_numpy=_all_at_once,
    mistakes=(
        Mistake(
            "You do not reset the layer before the first chunk: it starts from the state that an earlier call left behind.",
            lambda *a: _in_keras(*a, before=False),
        ),
        Mistake(
            "You reset the state before every chunk, so nothing is carried over from chunk to chunk.",
            lambda *a: _in_keras(*a, each=True),
        ),
        Mistake("You return the states of the last chunk only.", lambda *a: _in_keras(*a, only_last=True)),
        Mistake("You read the chunks from the last to the first.", lambda *a: _in_keras(*a, order=-1)),
        Mistake(
            "You call the layer twice on every chunk, and each call advances the state.",
            lambda *a: _in_keras(*a, twice=True),
        ),
        Mistake("You reset the state after the first chunk as well.", lambda *a: _in_keras(*a, after=True)),
    ),
    styles=(_in_keras, _in_one_piece, _into_a_buffer),
    hints=(
        "What does the layer still remember when your function begins?",
        "Reset it once, then call it on one chunk after another: it carries its state over by itself.",
        "layer.reset_state(); then np.concatenate([layer(chunk).numpy() for chunk in chunks], axis=1).",
    ),
    probe="with_layer",
    unchanged=0.5,
    promised=(
        ("layer[options][stateful] is always the same", "the task says so"),
        ("layer[options][return_sequences] is always the same", "the task says so"),
    ),
)

# ------------------------------------------------------------------------------------ train_classifier


def _train(xs, labels, *, model=None, epochs=10, batch_size=32, change=lambda xs, labels: (xs, labels)):
    model = model or _binary()
    if epochs:
        model.fit(*change(xs, labels), epochs=epochs, batch_size=batch_size, verbose=0)
    return model


def _no_recurrence():
    keras = _keras()
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((10, 1)),
            layers.Flatten(),
            layers.Dense(32, activation="tanh"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


train_classifier = ClaimsExercise(
    name="train_classifier",
    challenges=(
        Claims("the model", 0.5, (ONE_OUTPUT_PER_SEQUENCE, BETWEEN_0_AND_1, RECURRENT_WITH_32_UNITS)),
        # The first two are reported by the model itself.
        Claims("it was trained", 0.5, (MODEL_TRAINED, TRAINED_FOR_10_EPOCHS, NOT_INVERTED, TEST_ACCURACY)),
        Claims("on what it was given", 0.5, (TRAINING_ACCURACY,)),
        Claims("on what it has not seen", 0.5, (TEST_ACCURACY,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)), 480, 500),  # 15 batches per epoch
    oracle=lambda xs, labels: _train(xs, labels),
    threshold="80 % on 500 new sequences: on 20 seeds the reference reaches 89 to 95 %, labels shuffled apart 39 to 61 %",
    mistakes=(
        Mistake(findings.NEVER_TRAINED, lambda *a: _train(*a, epochs=0)),
        Mistake(findings.NUMBER_OF_EPOCHS.format(actual="1 epoch"), lambda *a: _train(*a, epochs=1)),
        Mistake(
            findings.STEPS_PER_EPOCH.format(actual="1 training step", sequences=480, expected=15),
            lambda *a: _train(*a, batch_size=480),
        ),
        Mistake(findings.OPPOSITE_ANSWERS, lambda *a: _train(*a, change=lambda xs, labels: (xs, 1 - labels))),
        Mistake(findings.NO_RECURRENT_LAYER, lambda *a: _train(*a, model=_no_recurrence())),
        Mistake(
            findings.NO_TOP_ACTIVATION.format(expected="sigmoid"),
            lambda *a: _train(*a, model=_binary(on_top=None, loss="mse")),
        ),
    ),
    styles=(
        _train,
        lambda xs, labels: _train(xs, labels, model=_binary_functional(), epochs=12),
        lambda xs, labels: _train(xs, labels, change=lambda xs, labels: (xs, labels[:, None].astype("float32"))),
    ),
    hints=(
        "Which function of this lesson gives you a compiled model, and which method trains it?",
        "model.fit takes sequences, labels, the number of epochs and the size of a batch. It returns a History, not the model.",
        "model.fit(xs, labels, epochs=10, batch_size=32, verbose=0), then return model.",
    ),
    probe="trained_classifier",
    seconds=4,
)

EXERCISES = [
    weights_to_keras,
    numpy_from_keras,
    build_binary_classifier,
    train_classifier,
    recurrent_network,
    stateful_run,
]
