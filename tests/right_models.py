"""Right models in styles that the reference solutions do not use; each must earn every point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from wrong_models import (
    binary,
    fit_forecaster,
    flipped,
    forecaster,
    from_logits,
    layers,
    letters_model,
    linear_forecaster,
    network,
    recogniser,
    rnn,
    softmax,
    stop_early,
    translator,
)

from rnn_helpers.quietly import keras


@dataclass(frozen=True)
class Right:
    """A right answer."""

    what: str
    answer: Callable


# ----------------------------------------------------------------------------- build_binary_classifier


class BinaryClassifier(keras.Model):
    """The classifier as a class of its own."""

    def __init__(self):
        super().__init__()
        self.rnn = layers.SimpleRNN(32)
        self.readout = layers.Dense(1, activation="sigmoid")

    def call(self, xs):
        return self.readout(self.rnn(xs))


def subclassed_binary():
    model = BinaryClassifier()
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model(np.zeros((1, 10, 1), np.float32))  # makes the weights
    return model


def seeded():
    """Start from the same weights at each call, in a new model."""
    keras.utils.set_random_seed(7)
    return binary()


BINARY = [
    Right("a class", subclassed_binary),
    Right("the same start each time", seeded),
    Right("a short name for the metric", lambda: binary(metrics=("acc",))),
    Right("a metric of another name", lambda: binary(metrics=(keras.metrics.BinaryAccuracy(name="right"),))),
    Right("more metrics", lambda: binary(metrics=("mae", keras.metrics.BinaryAccuracy(), "AUC"))),
    Right("a clipped Adam", lambda: binary(optimizer=keras.optimizers.Adam(0.003, clipnorm=1.0))),
    Right("any number of steps", lambda: binary(shape=(None, 1))),
    Right("logits and their loss", lambda: binary(top=None, loss=from_logits())),
    Right(
        "logits, with a threshold of 0",
        lambda: binary(
            top=None,
            loss=from_logits(),
            metrics=(keras.metrics.BinaryAccuracy(name="right", threshold=0.0),),
        ),
    ),
    Right("the loss as an object", lambda: binary(loss=keras.losses.BinaryCrossentropy())),
    Right("the loss as a function", lambda: binary(loss=keras.losses.binary_crossentropy)),
    Right("the activation as a layer", lambda: binary(top=None, more=(lambda: layers.Activation("sigmoid"),))),
    Right(
        "a sequence of states, cut",
        lambda: binary(
            lambda: [
                layers.SimpleRNN(32, return_sequences=True),
                layers.Lambda(lambda hs: hs[:, -1], output_shape=lambda shape: (shape[0], shape[2])),
            ]
        ),
    ),
]

# ------------------------------------------------------------------------------------ RecurrentNetwork

RNN = [
    Right("a configuration of the two sizes", network()),
    Right(
        "as asked for by the text",
        network(config=lambda self: {**keras.Model.get_config(self), "units": self.units, "classes": self.classes}),
    ),
    Right("the activation as a function", network(activation=keras.activations.relu)),
    Right("the softmax outside of the layer", network(top=None, after=keras.ops.softmax)),
]

# ---------------------------------------------------------------------------- fit_with_early_stopping


def with_checkpoint(model, xs, labels, xs_valid, labels_valid):
    """Train for all epochs, and load the best of the saved weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/best.weights.h5"
        best = keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_best_only=True)
        options = {"epochs": 100, "batch_size": len(xs), "callbacks": [best], "verbose": 0}
        history = model.fit(xs, labels, validation_data=(xs_valid, labels_valid), **options)
        model.load_weights(path)
    return np.argmin(history.history["val_loss"]) + 1


def callback_of_its_own(model, xs, labels, xs_valid, labels_valid):
    kept = {"loss": np.inf}

    def look(epoch, logs):
        if logs["val_loss"] < kept["loss"]:
            kept.update(loss=logs["val_loss"], weights=model.get_weights(), epoch=epoch + 1)

    watcher = keras.callbacks.LambdaCallback(on_epoch_end=look)
    options = {"epochs": 100, "batch_size": len(xs), "callbacks": [watcher], "verbose": 0}
    model.fit(xs, labels, validation_data=(xs_valid, labels_valid), **options)
    model.set_weights(kept["weights"])
    return kept["epoch"]


EARLY_STOPPING = [
    Right("a checkpoint", with_checkpoint),
    Right("a callback of its own", callback_of_its_own),
    Right("more patience", stop_early(stop={"patience": 30})),
    Right("as a float", stop_early(answer=lambda losses: float(np.argmin(losses) + 1))),
]

# ------------------------------------------------------------------------------------ train_forecaster


def least_squares(xs, ys, xs_valid, ys_valid):
    return linear_forecaster(np.linalg.lstsq(xs[..., 0], ys, rcond=None)[0])


def least_squares_without_bias(xs, ys, xs_valid, ys_valid):
    """Return a model that has no biases and was never compiled."""
    model = keras.Sequential([keras.Input(xs.shape[1:]), layers.Flatten(), layers.Dense(1, use_bias=False)])
    model.set_weights([np.linalg.lstsq(xs[..., 0], ys, rcond=None)[0][:, None]])
    return model


def own_loop(build: Callable[[], Any], epochs: int, rate: float, loss: Any) -> Callable:
    """Train without compile and without fit."""
    import tensorflow as tf

    def answer(xs, ys, *_validation):
        model, optimizer, rng = build(), keras.optimizers.Adam(rate), np.random.default_rng(0)
        targets = ys.astype(np.float32)[:, None]

        @tf.function
        def step(inputs, wanted):
            with tf.GradientTape() as tape:
                value = loss(wanted, model(inputs, training=True))
            optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

        for _ in range(epochs):
            order = rng.permutation(len(xs))
            for start in range(0, len(xs) - 31, 32):
                rows = order[start : start + 32]
                step(tf.constant(xs[rows]), tf.constant(targets[rows]))
        return model

    return answer


def stopped_early(patience: int, build: Callable[[], Any]) -> Callable:
    def answer(xs, ys, xs_valid, ys_valid):
        model = build()
        stop = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
        model.fit(xs, ys, validation_data=(xs_valid, ys_valid), epochs=20, batch_size=32, callbacks=[stop], verbose=0)
        return model

    return answer


def lstm() -> Any:
    return forecaster(lambda: [layers.LSTM(32)], optimizer=keras.optimizers.Adam(0.01), loss="mae")


FORECASTER = [
    Right("least squares", least_squares),
    Right("least squares without bias", least_squares_without_bias),
    Right("an LSTM, stopped early", stopped_early(4, lstm)),
    Right("a SimpleRNN, stopped early", stopped_early(3, forecaster)),
    Right("a loop of its own", own_loop(forecaster, 20, 0.003, keras.losses.MeanSquaredError())),
    Right("a GRU", fit_forecaster(lambda: forecaster(lambda: [layers.GRU(24)]))),
    Right(
        "a convolution",
        fit_forecaster(lambda: forecaster(lambda: [layers.Conv1D(16, 5, activation="relu"), layers.Flatten()])),
    ),
    Right("no biases", fit_forecaster(lambda: forecaster(lambda: [layers.SimpleRNN(32, use_bias=False)]))),
]

# ------------------------------------------------------------------------------------------------ others


def drawn_with_searchsorted(logits, temperature, rng):
    if temperature == 0:
        return np.argmax(logits)
    return np.searchsorted(np.cumsum(softmax(logits / temperature))[:-1], rng.random())


def with_multinomial(logits, temperature, rng):
    if not temperature:
        return int(np.asarray(logits).argmax())
    return int(rng.multinomial(1, softmax(logits / temperature)).argmax())


def with_exponentials(logits, temperature, rng):
    """Return the first of independent alarms with these rates."""
    if temperature == 0:
        return int(np.argmax(logits))
    return int(np.argmin(rng.exponential(size=len(logits)) / softmax(logits / temperature)))


SAMPLER = [
    Right("searchsorted", drawn_with_searchsorted),
    Right("multinomial", with_multinomial),
    Right("exponentials", with_exponentials),
]

LANGUAGE_MODEL = [
    Right("RMSprop", letters_model(optimizer=lambda: keras.optimizers.RMSprop(0.003))),
    Right("dropout between the layers", letters_model(after=(), dropout=0.1)),
    Right("metrics and a wide table", letters_model(width=lambda letters: 40)),
]


def reversed_by_hand(frames: Any) -> Any:
    return layers.Concatenate()([rnn()(frames), flipped(rnn(go_backwards=True)(frames))])


def turned_twice(frames: Any) -> Any:
    return layers.Concatenate()([rnn()(frames), flipped(rnn()(flipped(frames)))])


def norm_in_front(frames: Any) -> Any:
    return layers.Bidirectional(rnn())(layers.LayerNormalization()(frames))


RECOGNISER = [
    Right("reversed by hand", recogniser(reversed_by_hand)),
    Right("inputs and outputs reversed", recogniser(turned_twice)),
    Right(
        "LSTMs",
        recogniser(lambda x: layers.Bidirectional(rnn("LSTM"))(x), optimizer=lambda: keras.optimizers.Adam(0.01)),
    ),
    Right("no biases", recogniser(lambda x: layers.Bidirectional(rnn(use_bias=False))(x))),
    Right("normalised frames", recogniser(norm_in_front)),
    Right("RMSprop", recogniser(optimizer=lambda: keras.optimizers.RMSprop(0.003))),
]

TRANSLATOR = [
    Right("RMSprop", translator(optimizer=lambda: keras.optimizers.RMSprop(0.003))),
    Right(
        "an initial state in a list", translator(decode=lambda x, state: rnn_like_encoder()(x, initial_state=[state]))
    ),
    Right(
        "a schedule",
        translator(
            optimizer=lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.005, 1000, 0.9))
        ),
    ),
]


def rnn_like_encoder() -> Any:
    return layers.SimpleRNN(64, return_sequences=True)


RIGHT_MODELS = {
    "build_binary_classifier": BINARY,
    "RecurrentNetwork": RNN,
    "fit_with_early_stopping": EARLY_STOPPING,
    "train_forecaster": FORECASTER,
    "sample": SAMPLER,
    "build_language_model": LANGUAGE_MODEL,
    "build_recogniser": RECOGNISER,
    "build_encoder_decoder": TRANSLATOR,
}
