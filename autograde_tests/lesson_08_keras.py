"""Lesson 08: weights into Keras and back, models that are built, saved and stopped in time, a stateful layer."""

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
    BEST_EPOCH_RETURNED,
    BEST_WEIGHTS_RESTORED,
    CLASSIFIER_PARAMETERS,
    COMPILED,
    CONFIG_HAS_SIZES,
    CROSS_ENTROPY,
    CUSTOM_SIZES,
    CUSTOM_SIZES_SURVIVE_SAVING,
    INPUT_SHAPE,
    LOSS_FALLS,
    LOSS_FITS_OUTPUTS,
    MODEL_TRAINED,
    NETWORK_PARAMETERS,
    NEW_MODEL_PER_CALL,
    ONE_OUTPUT_PER_SEQUENCE,
    OUTPUT_SHAPE,
    OUTPUTS_VARY,
    PROBABILITY_OR_LOGIT,
    RELU_SOFTMAX_EQUATIONS,
    REPORTS_ACCURACY,
    ROWS_SUM_TO_1,
    SURVIVES_SAVING,
    TANH_SIGMOID_EQUATIONS,
)
from rnn_helpers.checks.evaluator import Case, Task
from rnn_helpers.checks.keras_probes import early_stopping
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
        for t in range(steps):
            if mask is None or mask[row, t]:
                fed = [sum(xs[row, t, d] * U[d, u] for d in range(features)) for u in range(units)]
                h = np.array([curve(fed[u] + sum(h[v] * W[v, u] for v in range(units)) + b[u]) for u in range(units)])
            hs[row, t] = h
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
    zero=False,
    return_all=None,
    state=True,
    change=lambda U, W, b: (U, W, b),
    carry=True,
    steps=lambda xs: xs.shape[1],
    output=lambda new, h, real: h,
):
    U, W, b = change(*layer.get_weights())
    f = CURVES[curve or layer.get_config()["activation"]]
    h = first = np.zeros((len(xs), len(W))) if initial_state is None else np.array(initial_state)
    states = []
    for t in range(steps(xs)):
        new = f(xs[:, t] @ U + (h if carry else first) @ W + b)
        real = np.ones((len(xs), 1), dtype=bool) if mask is None else mask[:, t, None].astype(bool)
        h = np.where(real, new, 0.0 if zero else h)
        states.append(output(new, h, real))
    hs = np.stack(states, axis=1)
    out = hs if (layer.return_sequences if return_all is None else return_all) else hs[:, -1]
    return (out, h) if layer.return_state and state else out


def _with_einsum(layer, xs, mask=None, initial_state=None):
    W_xh, W_hh, b_h = (np.asarray(w) for w in layer.get_weights())
    f: dict[str, Callable] = {
        "tanh": np.tanh,
        "relu": lambda a: a * (a > 0),
        "sigmoid": lambda a: 0.5 + 0.5 * np.tanh(a / 2),
    }
    h = np.zeros((xs.shape[0], b_h.size)) if initial_state is None else initial_state
    hs = []
    for t in range(xs.shape[1]):
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
        for t in range(steps):
            if mask[row, t]:
                h = CURVES[layer.get_config()["activation"]](xs[row, t] @ kernel + h @ recurrent_kernel + bias)
            hs[row, t] = h
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
        Challenge("the switch return_state", 0.25, _reading({"return_state": True, **ALL_STATES})),
        Challenge(
            "sigmoid, a mask and an initial state",
            0.5,
            _reading({"activation": "sigmoid"}, masked=True, started=True),
            hidden=True,
        ),
        Challenge(
            "ReLU, a mask, and the last state too",
            0.25,
            _reading({"activation": "relu", "return_state": True, **ALL_STATES}, masked=True),
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
        Mistake(
            "You set the state to zero at masked steps: it should be carried over unchanged.",
            lambda *a: _walk(*a, zero=True),
        ),
        Mistake(
            "At masked steps you output the new state, although it is not carried over: output the state that is kept.",
            lambda *a: _walk(*a, output=lambda new, h, real: new),
        ),
        Mistake(
            "You output zeros at masked steps: output the state that is carried over.",
            lambda *a: _walk(*a, output=lambda new, h, real: h * real),
        ),
        Mistake(
            "You ignore initial_state: every sequence starts from zeros.",
            lambda layer, xs, mask=None, initial_state=None: _walk(layer, xs, mask),
        ),
        Mistake(
            "You use W_hh transposed: Keras computes h @ recurrent_kernel.",
            lambda *a: _walk(*a, change=lambda U, W, b: (U, W.T, b)),
        ),
        Mistake("You omit the bias.", lambda *a: _walk(*a, change=lambda U, W, b: (U, W, 0 * b))),
        Mistake(
            "Every step of yours starts from the initial state: carry the state from step to step.",
            lambda *a: _walk(*a, carry=False),
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
        "It is rnn_forward_masked with two more questions: which activation, and which states are returned?",
        "Loop over the steps; np.where keeps h where the mask is False; hs or the last h; a pair if layer.return_state.",
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


def _binary_from_logits(on_top=None):
    return _binary(on_top=on_top, loss=_keras().losses.BinaryCrossentropy(from_logits=True))


build_binary_classifier = ClaimsExercise(
    name="build_binary_classifier",
    challenges=(
        Claims("sizes", 0.5, (INPUT_SHAPE, CLASSIFIER_PARAMETERS, ONE_OUTPUT_PER_SEQUENCE)),
        Claims("what it computes", 1.0, (PROBABILITY_OR_LOGIT, OUTPUTS_VARY, TANH_SIGMOID_EQUATIONS)),
        Claims("how it will learn", 1.0, (COMPILED, ADAM, CROSS_ENTROPY, LOSS_FITS_OUTPUTS, REPORTS_ACCURACY)),
        Claims("a new one each time", 0.5, (NEW_MODEL_PER_CALL,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda: _binary(),
    threshold="outputs agree with NumPy's to 1e-5: float32 on Keras' side; no training is involved",
    mistakes=(
        Mistake(findings.SOFTMAX_OF_ONE, lambda: _binary(on_top="softmax")),
        Mistake(findings.LOGITS_FOR_PROBABILITY_LOSS, lambda: _binary(on_top=None)),
        Mistake(findings.NO_TOP_ACTIVATION.format(expected="sigmoid"), lambda: _binary(on_top=None, loss="mse")),
        Mistake(findings.RETURNS_SEQUENCES, lambda: _binary(sequences=True)),
        Mistake(findings.STEPS_AND_FEATURES, lambda: _binary(steps=1, features=10)),
        Mistake(findings.HIDDEN_ACTIVATION.format(actual="ReLU", expected="tanh"), lambda: _binary(inside="relu")),
        Mistake(findings.WRONG_UNITS.format(actual=10, expected=UNITS), lambda: _binary(units=10)),
        Mistake(findings.NO_HIDDEN_BIAS, lambda: _binary(bias=False)),
        Mistake(
            findings.OTHER_LOSS.format(actual="MeanSquaredError", expected="the binary cross-entropy"),
            lambda: _binary(loss="mse"),
        ),
        Mistake(findings.LOGITS_FOR_SIGMOID, lambda: _binary_from_logits("sigmoid")),
        Mistake(findings.NOT_COMPILED, lambda: _binary(optimizer=None)),
        Mistake(findings.NO_METRICS, lambda: _binary(metrics=())),
        Mistake(findings.OTHER_OPTIMIZER.format(actual="SGD"), lambda: _binary(optimizer="sgd")),
    ),
    styles=(_binary, _binary_functional, _binary_in_parts, _binary_from_logits),
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


def _all_at_once(spec, segments):
    return _read(spec, np.concatenate(segments, axis=1))


def _in_keras(layer, segments, *, before=True, each=False, only_last=False, order=1, twice=False, after=False):
    from rnn_helpers.checks.keras_probes.inspection import as_numpy

    if before:
        layer.reset_state()
    out = []
    for number, segment in enumerate(segments[::order]):
        if each:
            layer.reset_state()
        if twice:
            layer(segment)
        out.append(as_numpy(layer(segment)))
        if after and number == 0:
            layer.reset_state()
    return out[-1] if only_last else np.concatenate(out, axis=1)


def _in_one_piece(layer, segments):
    layer.reset_state()
    return layer(np.concatenate(segments, axis=1)).numpy()


def _into_a_buffer(layer, segments):
    lengths = [segment.shape[1] for segment in segments]
    hs = np.empty((len(segments[0]), sum(lengths), layer.units))
    layer.reset_state()
    start = 0
    for segment, length in zip(segments, lengths, strict=True):
        hs[:, start : start + length] = layer(segment)
        start += length
    return hs


def _segmented(lengths: tuple[int, ...], batch: int, *, used: bool, features: int = 2, units: int = 3):
    def draw(rng: Rng) -> tuple:
        options = {"stateful": True, "return_sequences": True}
        spec = {"weights": _cell(rng, features, units), "options": options, "batch": batch, "used": used}
        return spec, tuple(numbers(rng, batch, length, features) for length in lengths)

    return draw


def _any_segments(rng: Rng) -> tuple:
    features, units = sizes(rng, 2, 2, 8)
    return _segmented((2, 1, 9), int(rng.integers(1, 9)), used=True, features=features, units=units)(rng)


stateful_run = LayerExercise(
    name="stateful_run",
    challenges=(
        Challenge("two segments", 0.5, _segmented((3, 3), 5, used=False, features=4, units=2)),
        Challenge("a layer that has read before", 0.5, _segmented((4, 5, 1), 2, used=True, features=3, units=6)),
        Challenge("segments of other lengths", 0.5, _any_segments, hidden=True),
    ),
    oracle=_in_one_piece,
    in_numpy=_all_at_once,
    mistakes=(
        Mistake(
            "You do not reset the layer before the first segment: it starts from the state that an earlier call left behind.",
            lambda *a: _in_keras(*a, before=False),
        ),
        Mistake(
            "You reset the state before every segment, so nothing is carried over from segment to segment.",
            lambda *a: _in_keras(*a, each=True),
        ),
        Mistake("You return the states of the last segment only.", lambda *a: _in_keras(*a, only_last=True)),
        Mistake("You read the segments from the last to the first.", lambda *a: _in_keras(*a, order=-1)),
        Mistake(
            "You call the layer twice on every segment, and each call advances the state.",
            lambda *a: _in_keras(*a, twice=True),
        ),
        Mistake("You reset the state after the first segment as well.", lambda *a: _in_keras(*a, after=True)),
    ),
    styles=(_in_keras, _in_one_piece, _into_a_buffer),
    hints=(
        "What does the layer still remember when your function begins?",
        "Reset it once, then call it on one segment after another: it carries its state over by itself.",
        "layer.reset_state(); then np.concatenate([layer(segment).numpy() for segment in segments], axis=1).",
    ),
    probe="with_layer",
    unchanged=0.5,
    promised=(
        ("layer[options][stateful] is always the same", "the task says so"),
        ("layer[options][return_sequences] is always the same", "the task says so"),
    ),
)

# ---------------------------------------------------------------------------- fit_with_early_stopping


def _stop_early(
    model,
    xs,
    labels,
    xs_valid,
    labels_valid,
    *,
    change=lambda xs, labels, xs_valid, labels_valid: (xs, labels),
    epochs=early_stopping.MAX_EPOCHS,
    batch_size=None,
    patience=early_stopping.PATIENCE,
    monitor="val_loss",
    restore=True,
    answer=lambda losses: int(np.argmin(losses)) + 1,
):
    stop = _keras().callbacks.EarlyStopping(monitor=monitor, patience=patience, restore_best_weights=restore)
    history = model.fit(
        *change(xs, labels, xs_valid, labels_valid),
        validation_data=(xs_valid, labels_valid),
        epochs=epochs,
        batch_size=batch_size or 10 * len(xs),
        callbacks=[stop],
        verbose=0,
    )
    return answer(history.history["val_loss"])


def _all_sequences(xs, labels, xs_valid, labels_valid):
    return np.concatenate([xs, xs_valid]), np.concatenate([labels, labels_valid])


def _with_best_epoch(model, xs, labels, xs_valid, labels_valid):
    stop = _keras().callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    options = {"epochs": 100, "batch_size": len(xs), "callbacks": [stop], "verbose": 0}
    model.fit(xs, labels, validation_data=(xs_valid, labels_valid), **options)
    return stop.best_epoch + 1


def _epoch_by_epoch(model, xs, labels, xs_valid, labels_valid):
    best, best_epoch, best_weights = np.inf, 0, None
    for epoch in range(1, 101):
        model.train_on_batch(xs, labels)
        loss = model.evaluate(xs_valid, labels_valid, batch_size=len(xs_valid), verbose=0)[0]
        if loss < best:
            best, best_epoch, best_weights = loss, epoch, model.get_weights()
        elif epoch - best_epoch == 10:
            break
    model.set_weights(best_weights)
    return best_epoch


def _untrained(model, xs, labels, xs_valid, labels_valid):
    return 1


fit_with_early_stopping = ClaimsExercise(
    name="fit_with_early_stopping",
    challenges=(
        Claims("it trains", 0.5, (MODEL_TRAINED,)),
        Claims("the best weights", 2.0, (BEST_WEIGHTS_RESTORED,)),
        Claims("the best epoch", 1.5, (BEST_EPOCH_RETURNED,)),
    ),
    draw=lambda rng: (early_stopping.draw_seed(rng),),
    oracle=lambda model, xs, labels, xs_valid, labels_valid: _stop_early(model, xs, labels, xs_valid, labels_valid),
    threshold="1e-5 of the validation loss: Keras differs from NumPy by about 1e-6, the best epoch from the next by 1e-4",
    mistakes=(
        Mistake(findings.MODEL_UNCHANGED, _untrained),
        Mistake(
            findings.LAST_EPOCH_KEPT.format(epochs=early_stopping.MAX_EPOCHS),
            lambda *a: _stop_early(*a, patience=100, restore=False),
        ),
        Mistake(findings.STOPPED_WITHOUT_RESTORING, lambda *a: _stop_early(*a, restore=False)),
        Mistake(findings.TRAINING_TOO_SHORT, lambda *a: _stop_early(*a, epochs=3)),
        Mistake(findings.EPOCH_FROM_0, lambda *a: _stop_early(*a, answer=lambda losses: int(np.argmin(losses)))),
        Mistake(findings.STOPPING_EPOCH, lambda *a: _stop_early(*a, answer=len)),
        Mistake(
            findings.TRAINED_ON_VALIDATION,
            lambda *a: _stop_early(*a, change=_all_sequences),
        ),
        Mistake(findings.MANY_BATCHES, lambda *a: _stop_early(*a, batch_size=32)),
    ),
    styles=(_stop_early, _with_best_epoch, _epoch_by_epoch),
    hints=(
        "Which number tells that the network has begun to memorise, and who watches it while fit runs?",
        "Give fit the validation_data and a list of callbacks with one EarlyStopping: what to monitor, its patience, what to restore.",
        'history = model.fit(..., callbacks=[stop]); the best epoch is np.argmin(history.history["val_loss"]) + 1.',
    ),
    probe="trained_with_early_stopping",
    seconds=4,
)

EXERCISES = [
    weights_to_keras,
    numpy_from_keras,
    recurrent_network,
    build_binary_classifier,
    fit_with_early_stopping,
    stateful_run,
]
