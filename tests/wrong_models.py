"""Wrong models for the exercises that are judged by claims, each with the findings that are true of it.

They are built from the right answer by changing one thing, or two. A model of which no sentence in `true` is expected
must get none: what is wrong with it cannot be measured, or is not among the findings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_helpers.checks import findings as f
from rnn_helpers.quietly import keras

layers = keras.layers
ops = keras.ops


@dataclass(frozen=True)
class Wrong:
    """A wrong answer; true: the findings that describe it."""

    what: str
    answer: Callable
    true: tuple[str, ...] = ()


def hidden(actual: str, expected: str) -> str:
    return f.HIDDEN_ACTIVATION.format(actual=actual, expected=expected)


def other_loss(actual: str, expected: str) -> str:
    return f.OTHER_LOSS.format(actual=actual, expected=expected)


class OwnRNN(layers.SimpleRNN):
    """A SimpleRNN under another name."""


class HandMade(layers.Layer):
    """A recurrence written by hand, of no class that Keras knows."""

    def __init__(self, units: int, **options: Any):
        super().__init__(**options)
        self.units = units

    def build(self, shape: tuple) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], self.units))
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units))

    def call(self, xs: Any) -> Any:
        h = ops.zeros((ops.shape(xs)[0], self.units))
        for t in range(xs.shape[1]):
            h = ops.tanh(ops.matmul(xs[:, t], self.kernel) + ops.matmul(h, self.recurrent_kernel))
        return h


def read_out(how: str) -> list:
    """Return the layers that take one vector from all states."""
    return {
        "last": [],
        "first": [layers.Lambda(lambda hs: hs[:, 0], output_shape=lambda shape: (shape[0], shape[2]))],
        "mean": [layers.GlobalAveragePooling1D()],
        "max": [layers.GlobalMaxPooling1D()],
        "flat": [layers.Flatten()],
    }[how]


# ----------------------------------------------------------------------------- build_binary_classifier


def binary(
    middle: Callable[[], list] | None = None,
    *,
    how: str = "last",
    shape: tuple = (10, 1),
    top: Any = "sigmoid",
    more: tuple = (),
    outputs: int = 1,
    top_bias: bool = True,
    optimizer: Any = "adam",
    loss: Any = "binary_crossentropy",
    metrics: tuple = ("accuracy",),
    compiled: bool = True,
    **options: Any,
) -> Any:
    options = {"return_sequences": how != "last", **options}
    between = middle() if middle else [layers.SimpleRNN(**{"units": 32, **options})]
    readout = layers.Dense(outputs, activation=top, use_bias=top_bias)
    model = keras.Sequential([keras.Input(shape), *between, *read_out(how), readout, *(layer() for layer in more)])
    if compiled:
        model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


def always_the_same(build: Callable[[], Any]) -> Callable[[], Any]:
    made: list = []

    def answer() -> Any:
        made.extend([] if made else [build()])
        return made[0]

    return answer


def from_logits() -> Any:
    return keras.losses.BinaryCrossentropy(from_logits=True)


SIGMOID = f.NO_TOP_ACTIVATION.format(expected="sigmoid")
CROSS_ENTROPY = "the binary cross-entropy"
BINARY = [
    Wrong("a GRU", lambda: binary(lambda: [layers.GRU(32)]), (f.OTHER_CELL.format(actual="GRU"),)),
    Wrong("an LSTM", lambda: binary(lambda: [layers.LSTM(32)]), (f.OTHER_CELL.format(actual="LSTM"),)),
    Wrong("both ways", lambda: binary(lambda: [layers.Bidirectional(layers.SimpleRNN(32))])),
    Wrong("both ways, 16 units each", lambda: binary(lambda: [layers.Bidirectional(layers.SimpleRNN(16))])),
    Wrong("two layers", lambda: binary(lambda: [layers.SimpleRNN(32, return_sequences=True), layers.SimpleRNN(32)])),
    Wrong("the first state", lambda: binary(how="first"), (f.READS_OUT.format(actual="first state"),)),
    Wrong("the mean state", lambda: binary(how="mean"), (f.READS_OUT.format(actual="mean of all states"),)),
    Wrong("the largest state", lambda: binary(how="max"), (f.READS_OUT.format(actual="maximum of all states"),)),
    Wrong("all states at once", lambda: binary(how="flat")),
    Wrong("backwards", lambda: binary(go_backwards=True), (f.READS_BACKWARDS,)),
    Wrong(
        "backwards, with ReLU",
        lambda: binary(go_backwards=True, activation="relu"),
        (f.READS_BACKWARDS, hidden("ReLU", "tanh")),
    ),
    Wrong("sigmoid inside", lambda: binary(activation="sigmoid"), (hidden("sigmoid", "tanh"),)),
    Wrong("no activation inside", lambda: binary(activation=None), (hidden("linear", "tanh"),)),
    Wrong("gelu inside", lambda: binary(activation="gelu")),
    Wrong(
        "ReLU inside, softmax on top",
        lambda: binary(activation="relu", top="softmax"),
        (hidden("ReLU", "tanh"), f.SOFTMAX_OF_ONE),
    ),
    Wrong("tanh on top", lambda: binary(top="tanh"), (f.TOP_ACTIVATION.format(actual="tanh", expected="sigmoid"),)),
    Wrong("ReLU on top", lambda: binary(top="relu"), (f.TOP_ACTIVATION.format(actual="ReLU", expected="sigmoid"),)),
    Wrong("a hard sigmoid on top", lambda: binary(top="hard_sigmoid")),
    Wrong(
        "two sigmoids",
        lambda: binary(more=(lambda: layers.Activation("sigmoid"),)),
        (f.APPLIED_TWICE.format(name="sigmoid"),),
    ),
    Wrong(
        "two outputs",
        lambda: binary(outputs=2, top="softmax", loss="sparse_categorical_crossentropy"),
        (f.TOP_ACTIVATION.format(actual="softmax", expected="sigmoid"),),
    ),
    Wrong("logits and a loss of probabilities", lambda: binary(top=None), (f.LOGITS_FOR_PROBABILITY_LOSS,)),
    Wrong("logits and a hinge", lambda: binary(top=None, loss="hinge"), (SIGMOID, other_loss("Hinge", CROSS_ENTROPY))),
    Wrong(
        "a loss of logits, with tanh",
        lambda: binary(top="tanh", loss=from_logits()),
        (f.TOP_ACTIVATION.format(actual="tanh", expected="sigmoid"),),
    ),
    Wrong(
        "a loss of logits, with ReLU inside",
        lambda: binary(top=None, activation="relu", loss=from_logits()),
        (hidden("ReLU", "tanh"),),
    ),
    Wrong("no activation, and not compiled", lambda: binary(top=None, compiled=False), (SIGMOID, f.NOT_COMPILED)),
    Wrong("a mean absolute error", lambda: binary(loss="mae"), (other_loss("MeanAbsoluteError", CROSS_ENTROPY),)),
    Wrong("a hinge", lambda: binary(loss=keras.losses.Hinge()), (other_loss("Hinge", CROSS_ENTROPY),)),
    Wrong(
        "a categorical cross-entropy",
        lambda: binary(loss="categorical_crossentropy"),
        (other_loss("CategoricalCrossentropy", CROSS_ENTROPY),),
    ),
    Wrong(
        "a sparse cross-entropy",
        lambda: binary(loss="sparse_categorical_crossentropy"),
        (other_loss("SparseCategoricalCrossentropy", CROSS_ENTROPY),),
    ),
    Wrong("smoothed labels", lambda: binary(loss=keras.losses.BinaryCrossentropy(label_smoothing=0.3))),
    Wrong("RMSprop", lambda: binary(optimizer="rmsprop"), (f.OTHER_OPTIMIZER.format(actual="RMSprop"),)),
    Wrong("another metric", lambda: binary(metrics=("mae",))),
    Wrong("the same model each time", always_the_same(binary), (f.SAME_MODEL,)),
    Wrong(
        "no recurrent layer",
        lambda: binary(lambda: [layers.Flatten(), layers.Dense(32, activation="tanh")]),
        (f.NO_RECURRENT_LAYER,),
    ),
    Wrong("no bias on top", lambda: binary(top_bias=False), (f.NO_OUTPUT_BIAS,)),
    Wrong("no biases", lambda: binary(use_bias=False, top_bias=False), (f.NO_HIDDEN_BIAS, f.NO_OUTPUT_BIAS)),
    Wrong("64 units", lambda: binary(units=64), (f.WRONG_UNITS.format(actual=64, expected=32),)),
    Wrong("20 steps", lambda: binary(shape=(20, 1))),
    Wrong("two features", lambda: binary(shape=(10, 2))),
    Wrong(
        "a layer of its own name, with ReLU",
        lambda: binary(lambda: [OwnRNN(32, activation="relu")]),
        (hidden("ReLU", "tanh"),),
    ),
    Wrong("a recurrence by hand, without bias", lambda: binary(lambda: [HandMade(32)]), (f.NO_HIDDEN_BIAS,)),
]

# ------------------------------------------------------------------------------------ RecurrentNetwork


def network(
    *,
    how: str = "last",
    cell: str = "SimpleRNN",
    top: Any = "softmax",
    after: Callable[[Any], Any] = lambda outputs: outputs,
    sizes: Callable[[int, int], tuple[int, int]] = lambda units, classes: (units, classes),
    config: Callable[[Any], Any] = lambda self: {"units": self.units, "classes": self.classes},
    default_units: int = 50,
    default_classes: int = 10,
    top_bias: bool = True,
    keeps_kwargs: bool = True,
    late_readout: bool = False,
    **options: Any,
) -> Callable:
    """Return a class called RecurrentNetwork."""
    options = {"activation": "relu", "return_sequences": how != "last", **options}

    class RecurrentNetwork(keras.Model):
        def __init__(self, units=default_units, classes=default_classes, **kwargs):
            super().__init__(**(kwargs if keeps_kwargs else {}))
            self.units, self.classes = units, classes
            inside, on_top = sizes(units, classes)
            self.rnn = getattr(layers, cell)(inside, **options)
            self.between = read_out(how)
            self.readout = None if late_readout else layers.Dense(on_top, activation=top, use_bias=top_bias)

        def call(self, xs):
            states = self.rnn(xs)
            for layer in self.between:
                states = layer(states)
            readout = layers.Dense(self.classes, activation=top) if late_readout else self.readout
            return after(readout(states))

        def get_config(self):
            return config(self)

    return RecurrentNetwork


def with_relu(actual: str) -> str:
    return hidden(actual, "ReLU")


def on_top_of_network(actual: str) -> str:
    return f.TOP_ACTIVATION.format(actual=actual, expected="softmax")


NETWORK = [
    Wrong("softmax over the batch", network(top=lambda z: ops.softmax(z, axis=0)), (f.SOFTMAX_AXIS,)),
    Wrong("two softmaxes", network(after=ops.softmax), (f.APPLIED_TWICE.format(name="softmax"),)),
    Wrong("a sigmoid on top", network(top="sigmoid"), (on_top_of_network("sigmoid"),)),
    Wrong("ReLU on top", network(top="relu"), (on_top_of_network("ReLU"),)),
    Wrong("the first state", network(how="first"), (f.READS_OUT.format(actual="first state"),)),
    Wrong("the mean state", network(how="mean"), (f.READS_OUT.format(actual="mean of all states"),)),
    Wrong("the largest state", network(how="max"), (f.READS_OUT.format(actual="maximum of all states"),)),
    Wrong(
        "the first state, with tanh",
        network(how="first", activation="tanh"),
        (f.READS_OUT.format(actual="first state"), with_relu("tanh")),
    ),
    Wrong("a GRU", network(cell="GRU"), (f.OTHER_CELL.format(actual="GRU"),)),
    Wrong("an LSTM", network(cell="LSTM"), (f.OTHER_CELL.format(actual="LSTM"),)),
    Wrong("sigmoid inside", network(activation="sigmoid"), (with_relu("sigmoid"),)),
    Wrong("no activation inside", network(activation=None), (with_relu("linear"),)),
    Wrong("leaky ReLU inside", network(activation="leaky_relu")),
    Wrong("backwards", network(go_backwards=True), (f.READS_BACKWARDS,)),
    Wrong("64 units by default", network(default_units=64), (f.WRONG_UNITS.format(actual=64, expected=50),)),
    Wrong("12 classes by default", network(default_classes=12)),
    Wrong("no bias inside", network(use_bias=False), (f.NO_HIDDEN_BIAS,)),
    Wrong("no bias on top", network(top_bias=False), (f.NO_OUTPUT_BIAS,)),
    Wrong("outputs at every step", network(return_sequences=True), (f.RETURNS_SEQUENCES,)),
    Wrong(
        "units and classes swapped",
        network(sizes=lambda units, classes: (classes, units)),
        (f.WRONG_UNITS.format(actual=10, expected=50),),
    ),
    Wrong("fixed units", network(sizes=lambda units, classes: (50, classes))),
    Wrong("fixed classes", network(sizes=lambda units, classes: (units, 10))),
    Wrong("a configuration with units alone", network(config=lambda self: {"units": self.units})),
    Wrong("a fixed configuration", network(config=lambda self: {"units": 50, "classes": 10})),
    Wrong(
        "other names in the configuration",
        network(config=lambda self: {"hidden": self.units}),
        (f.CONFIG_WITHOUT_SIZES,),
    ),
    Wrong("no configuration", network(config=lambda self: None)),
    Wrong("an error in the configuration", network(config=lambda self: self.no_such_name)),
    Wrong("call returns nothing", network(after=lambda outputs: None)),
    Wrong("a readout that is made in call", network(late_readout=True)),
    Wrong(
        "no softmax, and a configuration without sizes",
        network(top=None, config=lambda self: {}),
        (f.NO_TOP_ACTIVATION.format(expected="softmax"), f.CONFIG_WITHOUT_SIZES),
    ),
]

# ---------------------------------------------------------------------------- fit_with_early_stopping


def stop_early(
    *,
    change: Callable = lambda xs, labels, xs_valid, labels_valid: (xs, labels),
    valid: Callable = lambda xs, labels, xs_valid, labels_valid: (xs_valid, labels_valid),
    answer: Callable = lambda losses: int(np.argmin(losses)) + 1,
    stop: dict | None = None,
    prepare: Callable = lambda model: None,
    **options: Any,
) -> Callable:
    """Return an answer that trains with EarlyStopping, with changes to its settings, its data or what it returns."""

    def train(model: Any, *data: np.ndarray) -> Any:
        prepare(model)
        watcher = keras.callbacks.EarlyStopping(
            **{"monitor": "val_loss", "patience": 10, "restore_best_weights": True} | (stop or {})
        )
        defaults = {"epochs": 100, "batch_size": len(data[0]), "callbacks": [watcher], "verbose": 0}
        history = model.fit(*change(*data), validation_data=valid(*data), **defaults | options)
        return answer(history.history["val_loss"])

    return train


def train_another(
    model: Any, xs: np.ndarray, labels: np.ndarray, xs_valid: np.ndarray, labels_valid: np.ndarray
) -> Any:
    return stop_early()(keras.models.clone_model(model), xs, labels, xs_valid, labels_valid)


def compiled_again(optimizer: Any) -> Callable:
    return stop_early(prepare=lambda model: model.compile(optimizer(), "binary_crossentropy", metrics=["accuracy"]))


def without_callback(
    model: Any, xs: np.ndarray, labels: np.ndarray, xs_valid: np.ndarray, labels_valid: np.ndarray
) -> int:
    options = {"validation_data": (xs_valid, labels_valid), "epochs": 100, "batch_size": len(xs), "verbose": 0}
    return int(np.argmin(model.fit(xs, labels, **options).history["val_loss"])) + 1


LAST = f.LAST_EPOCH_KEPT.format(epochs=100)
OTHER = f.WEIGHTS_OF_OTHER_EPOCH
EARLY_STOPPING = [
    Wrong("no callback", without_callback, (LAST,)),
    Wrong("nothing is restored", stop_early(stop={"restore_best_weights": False}), (f.STOPPED_WITHOUT_RESTORING,)),
    Wrong(
        "a patience of 3, and nothing restored",
        stop_early(stop={"patience": 3, "restore_best_weights": False}),
        (OTHER,),
    ),
    Wrong("the training loss is monitored", stop_early(stop={"monitor": "loss"}), (LAST,)),
    Wrong("the accuracy is monitored", stop_early(stop={"monitor": "val_accuracy", "mode": "max"}), (OTHER,)),
    Wrong("the highest loss is sought", stop_early(stop={"mode": "max"}), (OTHER, f.TRAINING_TOO_SHORT)),
    Wrong("five epochs", stop_early(epochs=5), (f.TRAINING_TOO_SHORT,)),
    Wrong("one epoch", stop_early(epochs=1), (f.TRAINING_TOO_SHORT,)),
    Wrong(
        "trained on the validation data",
        stop_early(change=lambda xs, y, xv, yv: (xv, yv), batch_size=200),
        (f.TRAINED_ON_VALIDATION,),
    ),
    Wrong("watched on the training data", stop_early(valid=lambda xs, y, xv, yv: (xs, y)), (LAST,)),
    Wrong("batches of 32", stop_early(batch_size=32), (f.MANY_BATCHES,)),
    Wrong("batches of 8", stop_early(batch_size=8), (f.MANY_BATCHES,)),
    Wrong("half of the data", stop_early(change=lambda xs, y, xv, yv: (xs[:32], y[:32]))),
    Wrong("labels inverted", stop_early(change=lambda xs, y, xv, yv: (xs, 1 - y))),
    Wrong("steps reversed", stop_early(change=lambda xs, y, xv, yv: (xs[:, ::-1], y))),
    Wrong("another model is trained", train_another, (f.MODEL_UNCHANGED,)),
    Wrong("plain descent", compiled_again(lambda: keras.optimizers.SGD(0.1))),
    Wrong("another rate", compiled_again(lambda: keras.optimizers.Adam(0.05))),
    Wrong("the epoch from 0", stop_early(answer=lambda losses: int(np.argmin(losses))), (f.EPOCH_FROM_0,)),
    Wrong("the last epoch", stop_early(answer=len), (f.STOPPING_EPOCH,)),
    Wrong("the lowest loss", stop_early(answer=min)),
    Wrong("the losses", stop_early(answer=list)),
    Wrong("nothing returned", stop_early(answer=lambda losses: None)),
]

# ------------------------------------------------------------------------------------ train_forecaster


def forecaster(
    middle: Callable[[], list] = lambda: [layers.SimpleRNN(32)],
    *,
    top: Any = None,
    outputs: int = 1,
    optimizer: Any = None,
    loss: Any = "mse",
) -> Any:
    model = keras.Sequential([keras.Input((22, 1)), *middle(), layers.Dense(outputs, activation=top)])
    model.compile(optimizer=optimizer or keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss=loss)
    return model


def fit_forecaster(
    build: Callable[[], Any] = forecaster, change: Callable = lambda xs, ys, xv, yv: (xs, ys), **options: Any
) -> Callable:
    def answer(xs, ys, xs_valid, ys_valid):
        model = build()
        given = change(xs, ys, xs_valid, ys_valid)
        model.fit(*given, **{"epochs": 15, "batch_size": 32, "verbose": 0, **options})
        return model

    return answer


def linear_forecaster(coefficients: np.ndarray) -> Any:
    model = forecaster(lambda: [layers.Flatten()])
    model.set_weights([coefficients[:, None], np.zeros(1)])
    return model


def least_squares_on_all(xs, ys, xs_valid, ys_valid):
    xs, ys = np.concatenate([xs, xs_valid]), np.concatenate([ys, ys_valid])
    return linear_forecaster(np.linalg.lstsq(xs[..., 0], ys, rcond=None)[0])


def persistence(xs, ys, xs_valid, ys_valid):
    return linear_forecaster(np.eye(22)[-1])


def fine_tuned(xs, ys, xs_valid, ys_valid):
    model = fit_forecaster(epochs=5)(xs, ys, xs_valid, ys_valid)
    model.fit(xs_valid, ys_valid, epochs=10, batch_size=32, verbose=0)
    return model


def both_parts(xs, ys, xs_valid, ys_valid):
    return np.concatenate([xs, xs_valid]), np.concatenate([ys, ys_valid])


def states_at_every_step() -> list:
    return [layers.SimpleRNN(32, return_sequences=True)]


def on_top_of_forecaster(actual: str) -> tuple[str, ...]:
    return (f.ACTIVATION_ON_TOP.format(actual=actual),)


LEAK = (f.LEARNS_FROM_VALIDATION,)
FORECASTER = [
    Wrong("not trained", lambda *_: forecaster(), (f.NEVER_TRAINED,)),
    Wrong(
        "a learning rate of 0",
        fit_forecaster(lambda: forecaster(optimizer=keras.optimizers.Adam(0.0))),
        (f.RATE_ZERO, f.NEVER_TRAINED),
    ),
    Wrong("a tiny learning rate", fit_forecaster(lambda: forecaster(optimizer=keras.optimizers.SGD(1e-6)))),
    Wrong("a sigmoid on top", fit_forecaster(lambda: forecaster(top="sigmoid")), on_top_of_forecaster("sigmoid")),
    Wrong("ReLU on top", fit_forecaster(lambda: forecaster(top="relu")), on_top_of_forecaster("relu")),
    Wrong("softplus on top", fit_forecaster(lambda: forecaster(top="softplus")), on_top_of_forecaster("softplus")),
    Wrong("softmax on top", fit_forecaster(lambda: forecaster(top="softmax")), on_top_of_forecaster("softmax")),
    Wrong("every step", lambda *_: forecaster(states_at_every_step), (f.RETURNS_SEQUENCES,)),
    Wrong(
        "every step of a GRU",
        lambda *_: forecaster(lambda: [layers.GRU(8, return_sequences=True)]),
        (f.RETURNS_SEQUENCES,),
    ),
    Wrong("two outputs", lambda *_: forecaster(outputs=2)),
    Wrong("no recurrence, every step", lambda *_: forecaster(lambda: [layers.Dense(8)])),
    Wrong(
        "targets shuffled", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, np.random.default_rng(0).permutation(ys)))
    ),
    Wrong("targets negated", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, -ys))),
    Wrong("targets doubled", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, 3 * ys))),
    Wrong("targets raised", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, ys + 1))),
    Wrong("targets all 0", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, 0 * ys))),
    Wrong("the last input is the target", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, xs[:, -1, 0]))),
    Wrong("the first input is the target", fit_forecaster(change=lambda xs, ys, xv, yv: (xs, xs[:, 0, 0]))),
    Wrong("windows reversed", fit_forecaster(change=lambda xs, ys, xv, yv: (xs[:, ::-1], ys))),
    Wrong("windows shifted by one", fit_forecaster(change=lambda xs, ys, xv, yv: (xs[8:], ys[:-8]))),
    Wrong("the validation windows", fit_forecaster(change=lambda xs, ys, xv, yv: (xv, yv)), LEAK),
    Wrong("both parts", fit_forecaster(change=both_parts), LEAK),
    Wrong("fine-tuned on the validation windows", fine_tuned, LEAK),
    Wrong("least squares on both parts", least_squares_on_all, LEAK),
    Wrong("persistence", persistence, (f.NEVER_TRAINED,)),
    Wrong("the mean", lambda *_: linear_forecaster(np.full(22, 1 / 22)), (f.NEVER_TRAINED,)),
]

# -------------------------------------------------------------------------------- build_language_model


def logits_loss(from_logits: bool = True) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def letters_model(
    middle: Callable[[], list] | None = None,
    *,
    rows: Callable[[int], int] = lambda letters: letters,
    width: Callable[[int], int] = lambda letters: 16,
    out: Callable[[int], int] = lambda letters: letters,
    top: Any = None,
    after: tuple = (),
    loss: Any = None,
    optimizer: Any = None,
    compiled: bool = True,
    trainable: bool = True,
    **options: Any,
) -> Callable:
    def answer(letters, batch):
        settings = {"units": 48, "return_sequences": True, "stateful": True, **options}
        between = middle() if middle else [layers.SimpleRNN(**settings)]
        table = layers.Embedding(rows(letters), width(letters))
        readout = layers.Dense(out(letters), activation=top)
        model = keras.Sequential(
            [keras.Input(batch_shape=(batch, None)), table, *between, readout, *(make() for make in after)]
        )
        model.trainable = trainable
        if compiled:
            own = optimizer() if optimizer else keras.optimizers.Adam(0.006, global_clipnorm=1.0)
            model.compile(optimizer=own, loss=loss() if loss else logits_loss())
        return model

    return answer


def ones(rate: float) -> Callable[[], Any]:
    return lambda: keras.optimizers.Adam(rate)


def gru() -> list:
    return [layers.GRU(32, return_sequences=True, stateful=True)]


def stacked() -> list:
    return [layers.SimpleRNN(32, return_sequences=True, stateful=True) for _ in range(2)]


def averaged() -> list:
    return [layers.SimpleRNN(32, return_sequences=True, stateful=True), layers.GlobalAveragePooling1D()]


def over_steps() -> Any:
    return layers.Softmax(axis=1)


SPARSE = "SparseCategoricalCrossentropy"


def wrong_outputs(make: Callable, places: str) -> list[Wrong]:
    """Return models with a wrong loss, or without logits, from a builder of models with one output per place."""
    return [
        Wrong(
            "one-hot targets",
            make(loss=lambda: keras.losses.CategoricalCrossentropy(from_logits=True)),
            (f.LOSS_TAKES_ONE_HOT,),
        ),
        Wrong("a squared error", make(loss=lambda: "mse"), (other_loss("MeanSquaredError", SPARSE),)),
        Wrong("the loss by name", make(loss=lambda: "sparse_categorical_crossentropy"), (f.FROM_LOGITS_MISSING,)),
        Wrong("a softmax layer", make(after=(layers.Softmax,)), (f.LOGITS_FOR_SOFTMAX,)),
        Wrong(f"a softmax over the {places}", make(after=(over_steps,)), (f.SOFTMAX_OVER_STEPS,)),
        Wrong("probabilities", make(top="softmax", loss=lambda: logits_loss(False)), (f.PROBABILITIES,)),
        Wrong("tanh on top", make(top="tanh"), (f.ACTIVATION_ON_TOP.format(actual="tanh"),)),
    ]


def untrained(make: Callable) -> list[Wrong]:
    """Return models from a builder that training does not change, or that cannot be trained."""
    return [
        Wrong("a learning rate of 0", make(optimizer=ones(0.0)), (f.RATE_ZERO,)),
        Wrong("nothing is trainable", make(trainable=False), (f.NOTHING_TRAINABLE,)),
        Wrong("not compiled", make(compiled=False), (f.NOT_COMPILED,)),
    ]


OTHER_LETTER_LAYERS = (f.OTHER_LAYERS.format(expected="one Embedding, one SimpleRNN and one Dense"),)
LANGUAGE_MODEL = [
    Wrong(
        "one-hot targets",
        letters_model(loss=lambda: keras.losses.CategoricalCrossentropy(from_logits=True)),
        (f.LOSS_TAKES_ONE_HOT,),
    ),
    Wrong("a squared error", letters_model(loss=lambda: "mse"), (other_loss("MeanSquaredError", SPARSE),)),
    Wrong(
        "a binary cross-entropy",
        letters_model(loss=lambda: "binary_crossentropy"),
        (other_loss("BinaryCrossentropy", SPARSE),),
    ),
    Wrong("the loss by name", letters_model(loss=lambda: "sparse_categorical_crossentropy"), (f.FROM_LOGITS_MISSING,)),
    Wrong(
        "softmax and loss by name",
        letters_model(top="softmax", loss=lambda: "sparse_categorical_crossentropy"),
        (f.PROBABILITIES,),
    ),
    Wrong("a softmax layer", letters_model(after=(layers.Softmax,)), (f.LOGITS_FOR_SOFTMAX,)),
    Wrong("a softmax over the steps", letters_model(after=(over_steps,)), (f.SOFTMAX_OVER_STEPS,)),
    Wrong("a sigmoid on top", letters_model(top="sigmoid"), (f.ACTIVATION_ON_TOP.format(actual="sigmoid"),)),
    Wrong("ReLU on top", letters_model(top="relu"), (f.ACTIVATION_ON_TOP.format(actual="relu"),)),
    Wrong("the mean over the steps", letters_model(averaged)),
    Wrong("the last state", letters_model(return_sequences=False), (f.RETURNS_LAST_STATE,)),
    Wrong("not stateful", letters_model(stateful=False), (f.NOT_STATEFUL,)),
    Wrong("backwards", letters_model(go_backwards=True), (f.READS_TEXT_BACKWARDS,)),
    Wrong(
        "backwards, not stateful",
        letters_model(go_backwards=True, stateful=False),
        (f.READS_TEXT_BACKWARDS, f.NOT_STATEFUL),
    ),
    Wrong(
        "both ways, not stateful",
        letters_model(lambda: [layers.Bidirectional(layers.SimpleRNN(16, return_sequences=True))]),
        (f.LOOKS_AHEAD, f.NOT_STATEFUL),
    ),
    Wrong("a convolution", letters_model(lambda: [layers.Conv1D(32, 3, padding="causal")]), OTHER_LETTER_LAYERS),
    Wrong(
        "a convolution that looks ahead",
        letters_model(lambda: [layers.Conv1D(32, 3, padding="same")]),
        OTHER_LETTER_LAYERS,
    ),
    Wrong("no recurrent layer", letters_model(lambda: [layers.Dense(32, activation="tanh")]), (f.NO_RECURRENT_LAYER,)),
    Wrong(
        "fixed outputs", letters_model(out=lambda letters: 9), (f.FIXED_OUTPUTS.format(actual=9, argument="letters"),)
    ),
    Wrong("one output too many", letters_model(out=lambda letters: letters + 1)),
    Wrong(
        "a table that is too small",
        letters_model(rows=lambda letters: letters // 2),
        (f.EMBEDDING_TOO_SMALL.format(actual=4, expected=9),),
    ),
    Wrong(
        "a table for nine letters",
        letters_model(rows=lambda letters: 9),
        (f.EMBEDDING_TOO_SMALL.format(actual=9, expected=60),),
    ),
    Wrong(
        "arguments of Embedding swapped",
        letters_model(rows=lambda letters: 20, width=lambda letters: letters),
        (f.EMBEDDING_SWAPPED,),
    ),
    Wrong("a learning rate of 0", letters_model(optimizer=ones(0.0)), (f.RATE_ZERO,)),
    Wrong("a huge learning rate", letters_model(optimizer=lambda: keras.optimizers.SGD(300.0))),
    Wrong("nothing is trainable", letters_model(trainable=False), (f.NOTHING_TRAINABLE,)),
    Wrong("not compiled", letters_model(compiled=False), (f.NOT_COMPILED,)),
    Wrong("not compiled, with a softmax", letters_model(compiled=False, top="softmax"), (f.NOT_COMPILED,)),
    Wrong("a GRU", letters_model(gru), OTHER_LETTER_LAYERS),
    Wrong("two recurrent layers", letters_model(stacked), OTHER_LETTER_LAYERS),
    Wrong("ReLU inside", letters_model(activation="relu"), (hidden("ReLU", "tanh"),)),
    Wrong("no bias inside", letters_model(use_bias=False)),
]

# ------------------------------------------------------------------------------------ build_recogniser


def recogniser(
    middle: Callable[[Any], Any] | None = None,
    *,
    out: Callable[[int], int] = lambda classes: classes,
    top: Any = None,
    after: tuple = (),
    loss: Any = None,
    optimizer: Any = None,
    compiled: bool = True,
    trainable: bool = True,
) -> Callable:
    def answer(features, classes):
        frames = keras.Input((None, features))
        states = middle(frames) if middle else layers.Bidirectional(rnn())(frames)
        outputs = layers.Dense(out(classes), activation=top)(states)
        for make in after:
            outputs = make()(outputs)
        model = keras.Model(frames, outputs)
        model.trainable = trainable
        if compiled:
            own = optimizer() if optimizer else keras.optimizers.Adam(0.003, global_clipnorm=1.0)
            model.compile(optimizer=own, loss=loss() if loss else logits_loss())
        return model

    return answer


def rnn(cell: str = "SimpleRNN", **options: Any) -> Any:
    return getattr(layers, cell)(24, **{"return_sequences": True, **options})


def mirrored(cell: str = "SimpleRNN", merge: Any = layers.Concatenate) -> Callable[[Any], Any]:
    return lambda frames: merge()([rnn(cell)(frames), rnn(cell, go_backwards=True)(frames)])


def flipped(states: Any) -> Any:
    return ops.flip(states, axis=1)


RECOGNISER = [
    Wrong("never reversed again", recogniser(mirrored()), (f.NEVER_REVERSED,)),
    Wrong("never reversed again, summed", recogniser(mirrored(merge=layers.Add)), (f.NEVER_REVERSED,)),
    Wrong("never reversed again, with GRUs", recogniser(mirrored("GRU")), (f.NEVER_REVERSED,)),
    Wrong(
        "the forward states are reversed",
        recogniser(lambda x: layers.Concatenate()([flipped(rnn()(x)), flipped(rnn(go_backwards=True)(x))])),
    ),
    Wrong(
        "both read forwards",
        recogniser(lambda x: layers.Concatenate()([rnn()(x), rnn()(x)])),
        (f.READS_FORWARDS_ONLY,),
    ),
    Wrong("forwards", recogniser(lambda x: rnn()(x)), (f.READS_FORWARDS_ONLY,)),
    Wrong("an LSTM forwards", recogniser(lambda x: rnn("LSTM")(x)), (f.READS_FORWARDS_ONLY,)),
    Wrong("two layers forwards", recogniser(lambda x: rnn()(rnn()(x))), (f.READS_FORWARDS_ONLY,)),
    Wrong("backwards, not reversed", recogniser(lambda x: rnn(go_backwards=True)(x)), (f.BACKWARDS_NOT_REVERSED,)),
    Wrong("backwards, reversed", recogniser(lambda x: flipped(rnn(go_backwards=True)(x))), (f.READS_BACKWARDS_ONLY,)),
    Wrong("forwards and the next frame", recogniser(lambda x: rnn()(layers.Conv1D(24, 2, padding="same")(x)))),
    Wrong("a convolution of the past", recogniser(lambda x: layers.Conv1D(24, 3, padding="causal")(x))),
    Wrong("each frame alone", recogniser(lambda x: layers.Dense(32, "tanh")(x)), (f.NO_RECURRENT_LAYER,)),
    Wrong("each frame alone, no hidden layer", recogniser(lambda x: x), (f.NO_RECURRENT_LAYER,)),
    Wrong(
        "the last state",
        recogniser(lambda x: layers.Bidirectional(rnn(return_sequences=False))(x)),
        (f.RETURNS_LAST_STATE,),
    ),
    Wrong("the mean state", recogniser(lambda x: layers.GlobalAveragePooling1D()(layers.Bidirectional(rnn())(x)))),
    Wrong("fixed outputs", recogniser(out=lambda _: 11), (f.FIXED_OUTPUTS.format(actual=11, argument="classes"),)),
    Wrong("one output too few", recogniser(out=lambda classes: classes - 1)),
    *wrong_outputs(recogniser, "frames"),
    Wrong("ReLU on top", recogniser(top="relu"), (f.ACTIVATION_ON_TOP.format(actual="relu"),)),
    *untrained(recogniser),
    Wrong(
        "forwards, not compiled",
        recogniser(lambda x: rnn()(x), compiled=False),
        (f.READS_FORWARDS_ONLY, f.NOT_COMPILED),
    ),
]

# ------------------------------------------------------------------------------- build_encoder_decoder


def translator(
    *,
    encode: Callable[[Any], Any] = lambda embedded: layers.SimpleRNN(64)(embedded),
    decode: Callable[[Any, Any], Any] = lambda embedded, state: decoder()(embedded, initial_state=state),
    shared: bool = False,
    inputs: Callable[[Any, Any], list] = lambda source, written: [source, written],
    reads: str = "written",
    out: Callable[[int], int] = lambda symbols: symbols,
    top: Any = None,
    after: tuple = (),
    loss: Any = None,
    optimizer: Any = None,
    compiled: bool = True,
    trainable: bool = True,
) -> Callable:
    def answer(symbols):
        source, written = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
        first = layers.Embedding(symbols, 24)
        second = first if shared else layers.Embedding(symbols, 24)
        state = encode(first(source))
        states = decode(second(written if reads == "written" else source), state)
        outputs = layers.Dense(out(symbols), activation=top)(states)
        for make in after:
            outputs = make()(outputs)
        model = keras.Model(inputs(source, written), outputs)
        model.trainable = trainable
        if compiled:
            own = optimizer() if optimizer else keras.optimizers.Adam(0.004, global_clipnorm=1.0)
            model.compile(optimizer=own, loss=loss() if loss else logits_loss())
        return model

    return answer


def decoder(**options: Any) -> Any:
    return layers.SimpleRNN(64, **{"return_sequences": True, **options})


def one_rnn(symbols):
    """Let one SimpleRNN be encoder and decoder."""
    source, written = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    shared = layers.SimpleRNN(64, return_sequences=True, return_state=True)
    _, state = shared(layers.Embedding(symbols, 24)(source))
    states, _ = shared(layers.Embedding(symbols, 24)(written), initial_state=state)
    model = keras.Model([source, written], layers.Dense(symbols)(states))
    model.compile(keras.optimizers.Adam(0.004, global_clipnorm=1.0), logits_loss())
    return model


def averaged_source(embedded: Any) -> Any:
    return layers.Dense(64)(layers.GlobalAveragePooling1D()(embedded))


def only_the_last_symbol(embedded: Any) -> Any:
    return layers.Dense(64, activation="tanh")(embedded[:, -1])


def without_recurrence(embedded: Any, state: Any) -> Any:
    return layers.Add()([layers.Dense(64)(embedded), layers.Reshape((1, 64))(state)])


def gated(cell: str) -> dict:
    return {
        "encode": lambda embedded: getattr(layers, cell)(64)(embedded),
        "decode": lambda embedded, state: getattr(layers, cell)(64, return_sequences=True)(
            embedded, initial_state=[state] * (2 if cell == "LSTM" else 1)
        ),
    }


OTHER_TRANSLATOR_LAYERS = (f.OTHER_LAYERS.format(expected="two Embedding, two SimpleRNN and one Dense"),)
TRANSLATOR = [
    Wrong("inputs swapped", translator(inputs=lambda source, written: [written, source]), (f.INPUTS_SWAPPED,)),
    Wrong("the decoder reads the source", translator(reads="source"), (f.WRITTEN_IGNORED,)),
    Wrong("the state is not handed over", translator(decode=lambda x, state: decoder()(x)), (f.SOURCE_IGNORED,)),
    Wrong("the source is averaged", translator(encode=averaged_source), (f.SOURCE_WITHOUT_ORDER,)),
    Wrong("only the source's last symbol", translator(encode=only_the_last_symbol), OTHER_TRANSLATOR_LAYERS),
    Wrong("no recurrence in the decoder", translator(decode=without_recurrence), (f.DECODER_WITHOUT_STATE,)),
    Wrong(
        "neither",
        translator(encode=averaged_source, decode=without_recurrence),
        (f.SOURCE_WITHOUT_ORDER, f.DECODER_WITHOUT_STATE),
    ),
    Wrong(
        "the decoder reads backwards",
        translator(decode=lambda x, state: decoder(go_backwards=True)(x, initial_state=state)),
    ),
    Wrong(
        "the decoder reads both ways",
        translator(decode=lambda x, state: layers.Bidirectional(decoder())(x, initial_state=[state, state])),
        (f.DECODER_LOOKS_AHEAD,),
    ),
    Wrong(
        "the last state only",
        translator(decode=lambda x, state: layers.SimpleRNN(64)(x, initial_state=state)),
        (f.RETURNS_LAST_STATE,),
    ),
    Wrong(
        "the mean state",
        translator(decode=lambda x, state: layers.GlobalAveragePooling1D()(decoder()(x, initial_state=state))),
    ),
    Wrong("fixed outputs", translator(out=lambda _: 11), (f.FIXED_OUTPUTS.format(actual=11, argument="symbols"),)),
    Wrong("one output too few", translator(out=lambda symbols: symbols - 1)),
    Wrong("one Embedding", translator(shared=True), (f.EMBEDDING_SHARED,)),
    Wrong("one SimpleRNN", one_rnn, (f.RECURRENT_LAYER_SHARED,)),
    Wrong("GRUs", translator(**gated("GRU")), OTHER_TRANSLATOR_LAYERS),
    Wrong("LSTMs", translator(**gated("LSTM")), OTHER_TRANSLATOR_LAYERS),
    Wrong(
        "two layers in the decoder",
        translator(decode=lambda x, state: decoder()(decoder()(x, initial_state=state))),
        OTHER_TRANSLATOR_LAYERS,
    ),
    Wrong(
        "ReLU in both",
        translator(
            encode=lambda x: layers.SimpleRNN(64, activation="relu")(x),
            decode=lambda x, state: decoder(activation="relu")(x, initial_state=state),
        ),
        (hidden("ReLU", "tanh"),),
    ),
    *wrong_outputs(translator, "steps"),
    *untrained(translator),
    Wrong(
        "no state handed over, not compiled",
        translator(decode=lambda x, state: decoder()(x), compiled=False),
        (f.SOURCE_IGNORED, f.NOT_COMPILED),
    ),
]

# ---------------------------------------------------------------------------------------------- sample


def softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - np.max(z))
    return powers / powers.sum()


def draw(law: Callable[[np.ndarray, float], np.ndarray], zero: Callable = np.argmax) -> Callable:
    def sample(logits, temperature, rng):
        if temperature == 0:
            return int(zero(logits))
        return int(rng.choice(len(logits), p=law(logits, temperature)))

    return sample


def without(special: str) -> Callable:
    """Return a sampler that leaves out one precaution."""

    def sample(logits, temperature, rng):
        if temperature == 0 and special != "zero":
            return int(np.argmax(logits))
        scaled = logits / temperature
        powers = np.exp(scaled if special == "shift" else scaled - scaled.max())
        return int(rng.choice(len(logits), p=powers / powers.sum()))

    return sample


def with_math(logits, temperature, rng):
    import math

    if temperature == 0:
        return int(np.argmax(logits))
    powers = [math.exp(z / temperature) for z in logits.tolist()]
    return int(rng.choice(len(logits), p=np.array(powers) / sum(powers)))


def like(actual: str) -> tuple[str, ...]:
    return (f.DRAWS_LIKE.format(actual=actual),)


SAMPLER = [
    Wrong("no temperature", draw(lambda z, t: softmax(z)), (f.IGNORES_TEMPERATURE,)),
    Wrong(
        "the temperature divides probabilities",
        draw(lambda z, t: (softmax(z) / t) / (softmax(z) / t).sum()),
        (f.IGNORES_TEMPERATURE,),
    ),
    Wrong("multiplied", draw(lambda z, t: softmax(z * t)), like("multiplied by the temperature")),
    Wrong("divided twice", draw(lambda z, t: softmax(z / t / t)), like("divided by the square of the temperature")),
    Wrong(
        "divided by the root",
        draw(lambda z, t: softmax(z / np.sqrt(t))),
        like("divided by the square root of the temperature"),
    ),
    Wrong(
        "probabilities squared",
        draw(lambda z, t: softmax(z / t) ** 2 / (softmax(z / t) ** 2).sum()),
        like("divided by the temperature and doubled"),
    ),
    Wrong("negated", draw(lambda z, t: softmax(-z / t)), like("divided by the temperature and negated")),
    Wrong("powers of two", draw(lambda z, t: 2 ** (z / t) / (2 ** (z / t)).sum()), (f.DRAWS_POWERS_OF_2,)),
    Wrong("softmax of softmax", draw(lambda z, t: softmax(softmax(z / t))), (f.DRAWS_SOFTMAX_OF_SOFTMAX,)),
    Wrong(
        "temperature between two softmaxes", draw(lambda z, t: softmax(softmax(z) / t)), (f.DRAWS_SOFTMAX_OF_SOFTMAX,)
    ),
    Wrong("uniform", draw(lambda z, t: np.full(len(z), 1 / len(z))), (f.DRAWS_UNIFORMLY,)),
    Wrong("absolute logits", draw(lambda z, t: np.abs(z) / np.abs(z).sum())),
    Wrong("reversed", draw(lambda z, t: softmax(z / t)[::-1])),
    Wrong("shifted by one", lambda z, t, rng: (draw(lambda z, t: softmax(z / t))(z, t, rng) + 1) % len(z)),
    Wrong("never the last", lambda z, t, rng: draw(lambda z, t: softmax(z / t))(z[:-1], t, rng)),
    Wrong("always the largest", lambda z, t, rng: int(np.argmax(z)), (f.ALWAYS_LARGEST,)),
    Wrong("always the first", lambda z, t, rng: 0, (f.ALWAYS_THE_SAME,)),
    Wrong(
        "a new generator each time", lambda z, t, rng: without("")(z, t, np.random.default_rng(3)), (f.ALWAYS_THE_SAME,)
    ),
    Wrong(
        "a generator without seed", lambda z, t, rng: without("")(z, t, np.random.default_rng()), (f.OTHER_RANDOMNESS,)
    ),
    Wrong(
        "NumPy's own generator",
        lambda z, t, rng: int(np.random.choice(len(z), p=softmax(z / t))) if t else int(np.argmax(z)),  # noqa: NPY002
        (f.OTHER_RANDOMNESS,),
    ),  # noqa: NPY002
    Wrong("the smallest at zero", draw(lambda z, t: softmax(z / t), zero=np.argmin)),
    Wrong("uniform at zero", lambda z, t, rng: without("")(z, t, rng) if t else int(rng.integers(len(z)))),
    Wrong("division by zero", without("zero"), (f.ZERO_FAILS,)),
    Wrong("overflow", without("shift"), (f.LARGE_LOGITS_FAIL,)),
    Wrong("overflow in math.exp", with_math, (f.LARGE_LOGITS_FAIL,)),
]

WRONG_MODELS = {
    "build_binary_classifier": BINARY,
    "RecurrentNetwork": NETWORK,
    "fit_with_early_stopping": EARLY_STOPPING,
    "train_forecaster": FORECASTER,
    "sample": SAMPLER,
    "build_language_model": LANGUAGE_MODEL,
    "build_recogniser": RECOGNISER,
    "build_encoder_decoder": TRANSLATOR,
}
