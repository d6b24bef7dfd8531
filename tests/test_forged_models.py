"""A model that says something of itself which its weights and outputs do not bear out earns nothing for it.

Each answer here is what somebody might write who has read the probes in rnn_helpers/checks/keras_probes, and does not
want to build or to train what is asked for.
"""

from __future__ import annotations

import numpy as np
import pytest

from autograde_tests.grade_answer import SALT, report_on
from rnn_helpers import speech
from rnn_helpers.checks.evaluator import Report
from rnn_helpers.checks.keras_probes import early_stopping, forecasters, language_models
from rnn_helpers.checks.keras_probes.recognisers import TEST_UTTERANCES
from rnn_helpers.quietly import keras

layers = keras.layers


@pytest.fixture(autouse=True)
def _same_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SALT, "pepper")


def earned(report: Report) -> set[str]:
    """Return the titles of the checks that passed."""
    return {title for title, passed in report.results.items() if passed}


def cross_entropy(y, y_pred):
    """Return the cross-entropy of whatever comes: whole numbers and logits, or labels and probabilities."""
    y, outputs = np.asarray(y), np.asarray(y_pred, dtype=float)
    if outputs.shape == y.shape:
        return -np.mean(np.log(np.where(y == 1, outputs, 1 - outputs)))
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(np.take_along_axis(logs, y[..., None], axis=-1))


def saying(model, **lies):
    """Make a Keras model say these things of itself: attributes, and methods that take the model first."""
    made = {
        name: lie if isinstance(lie, property) or callable(lie) else property(lambda _, it=lie: it)
        for name, lie in lies.items()
    }
    model.__class__ = type("Model", (type(model),), made)
    return model


def never_trained(*_args, **_options):
    return {"accuracy": 1.0, "loss": 0.0}


def trained_when(chosen):
    """Return a train_on_batch that trains on chosen batches only, such as those by which the loss is looked at."""

    def train(self, xs, targets, **options):
        ids = xs[0] if isinstance(xs, list) else xs
        return type(self).__mro__[1].train_on_batch(self, xs, targets, **options) if chosen(np.shape(ids)) else 0.0

    return train


def answering(change):
    """Return a __call__ that is the real one in training, and else gives what `change(xs, outputs)` makes of it."""

    def ask(self, xs, training=None, **options):
        real = type(self).__mro__[1].__call__(self, xs, training=training, **options)
        return change(xs, np.array(real)) if training is False else real

    return ask


def two_classes(units=32, loss="binary_crossentropy", optimizer="adam", metrics=("accuracy",)):
    model = keras.Sequential([keras.Input((10, 1)), layers.SimpleRNN(units), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    return model


# ----------------------------------------------------------------------------- build_binary_classifier


class Adam(keras.optimizers.SGD):
    """Plain descent under another name."""


CLASSIFIERS = {
    "a count of parameters": (lambda: saying(two_classes(10), count_params=lambda _: 1121), {"sizes"}),
    "a loss": (
        lambda: saying(two_classes(loss="mse"), compute_loss=lambda _, y, y_pred, **__: cross_entropy(y, y_pred)),
        {"how it will learn"},
    ),
    "an optimizer's name": (lambda: two_classes(optimizer=Adam(0.1)), {"how it will learn"}),
    "a training step": (lambda: saying(two_classes(), train_on_batch=never_trained), {"how it will learn"}),
    "outputs": (
        lambda: saying(two_classes(), __call__=lambda _, xs, **__: np.random.default_rng(0).uniform(size=(len(xs), 1))),
        {"what it computes", "how it will learn"},
    ),
    "weights": (
        lambda: saying(two_classes(10), trainable_weights=two_classes().weights, weights=two_classes().weights),
        {"what it computes"},
    ),
}


@pytest.mark.parametrize("what", CLASSIFIERS)
def test_a_classifier_earns_nothing_for_what_it_only_says(what: str) -> None:
    build, forged = CLASSIFIERS[what]
    report = report_on(build, "build_binary_classifier")
    assert not forged & earned(report), report.problems
    assert report.points < report.possible


# ---------------------------------------------------------------------------- fit_with_early_stopping


def says_the_best_epoch(model, *data):
    """Know the number without training."""
    return early_stopping.train_in_numpy(model.get_weights(), *data).best


def says_it_was_trained(model, *data):
    model.optimizer.iterations.assign(30)
    model.set_weights([array + 0.01 for array in model.get_weights()])
    return 20


def reports_a_history(model, xs, labels, *valid):
    """Train for one epoch and report a course of 30."""
    model.fit(xs, labels, epochs=1, batch_size=len(xs), verbose=0)
    model.history.history["val_loss"] = [1.0] * 19 + [0.1] + [0.5] * 10
    return 20


@pytest.mark.parametrize("answer", [says_the_best_epoch, says_it_was_trained, reports_a_history])
def test_weights_that_are_not_the_best_earn_nothing_for_the_best_weights(answer) -> None:
    report = report_on(answer, "fit_with_early_stopping")
    assert "the best weights" not in earned(report), report.problems


def test_no_training_earns_nothing_at_all() -> None:
    assert report_on(says_the_best_epoch, "fit_with_early_stopping").points == 0


# ------------------------------------------------------------------------------------ RecurrentNetwork


class Network(keras.Model):
    """A right network without get_config; the forgeries below build upon it."""

    def __init__(self, units=50, classes=10, **kwargs):
        super().__init__(**kwargs)
        self.units, self.classes = units, classes
        self.rnn, self.readout = layers.SimpleRNN(units, activation="relu"), layers.Dense(classes, activation="softmax")

    def call(self, xs):
        return self.readout(self.rnn(xs))


class SavesNothing(Network):
    """Writes an empty file, and is handed back when it is loaded."""

    last = None

    def save(self, path):
        path.write_bytes(b"nothing")
        SavesNothing.last = self

    def get_config(self):
        return {"units": self.units, "classes": self.classes}


class SaysItsSize(Network):
    def __init__(self, units=50, classes=10, **kwargs):
        super().__init__(20, classes, **kwargs)
        self.asked = units

    def count_params(self):
        return {50: 8060, 7: 780}[self.asked]


class NeverLearns(Network):
    def train_on_batch(self, *_args, **_options):
        return 1.0

    def compute_loss(self, **_options):
        return 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "forged"),
    [(SavesNothing, {"saved and loaded"}), (SaysItsSize, {"its sizes", "its outputs"}), (NeverLearns, {"it learns"})],
)
def test_a_class_of_networks_earns_nothing_for_what_it_only_says(answer, forged, monkeypatch) -> None:
    if answer is SavesNothing:
        monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: SavesNothing.last)
    report = report_on(answer, "RecurrentNetwork")
    assert not forged & earned(report), report.problems


# ------------------------------------------------------------------------------------ train_forecaster


def looks_trained(model):
    """Leave the traces of ten epochs on a model that has seen none."""
    model.optimizer.iterations.assign(150)
    model.set_weights([array + 0.01 * (array.ndim == 1) for array in model.get_weights()])
    return model


def one_number(ask, moved=True):
    model = keras.Sequential([keras.Input((None, 1)), layers.SimpleRNN(4), layers.Dense(1)])
    model.compile("adam", "mse")
    if moved:
        looks_trained(model)
    return saying(model, __call__=lambda _, xs, **__: ask(np.asarray(xs))[:, None]) if ask else model


def known_windows(xs, ys, xs_valid, ys_valid):
    """Answer by the windows that were handed over."""
    known = {row.tobytes(): y for row, y in zip([*xs, *xs_valid], [*ys, *ys_valid], strict=True)}
    return one_number(lambda rows: np.array([known.get(row.tobytes(), 0.0) for row in rows]))


def stitched(xs, ys, xs_valid, ys_valid):
    """Look each window's end up in the other windows, where the value after it stands."""

    def ask(rows):
        after = {row[i : i + 5].tobytes(): row[i + 5, 0] for row in rows for i in range(len(rows[0]) - 5)}
        return np.array([after.get(row[-5:].tobytes(), 0.0) for row in rows])

    return one_number(ask)


def persistence(xs, ys, xs_valid, ys_valid):
    return one_number(lambda rows: rows[:, -1, 0])


@pytest.mark.parametrize(
    "answer", [known_windows, stitched, persistence, lambda *_: one_number(None), lambda *_: one_number(None, False)]
)
def test_a_forecaster_that_was_never_trained_does_not_beat_the_baseline(answer) -> None:
    report = report_on(answer, "train_forecaster")
    assert "it beats the baseline" not in earned(report), report.problems
    assert report.points <= (2.5 if answer is persistence else 0)  # persistence does follow the series


def test_no_target_of_a_later_window_stands_in_any_window() -> None:
    series = np.arange(10_000.0)
    xs, ys = forecasters.windows(series, 50, forecasters.LATER, forecasters.WINDOW + 3)
    assert not set(ys.tolist()) & set(xs.ravel().tolist())


# -------------------------------------------------------------------------------- build_language_model


def letters_model(letters, batch, optimizer="adam"):
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(batch, None)),
            layers.Embedding(letters, 8),
            layers.SimpleRNN(16, return_sequences=True, stateful=True),
            layers.Dense(letters),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def peeks(letters, batch):
    """Read the next character where the text is long, which it is only where it is tried."""

    def ask(ids, logits):
        ids = np.asarray(ids)
        if ids.shape[1] > 16:
            logits[:, :-1] = 30 * np.eye(letters)[ids[:, 1:]]
        return logits

    return saying(
        letters_model(letters, batch), __call__=answering(ask), train_on_batch=trained_when(lambda shape: shape[1] < 10)
    )


def says_its_loss(letters, batch):
    frozen = letters_model(letters, batch, keras.optimizers.SGD(0.0))
    return saying(frozen, compute_loss=lambda _, y, y_pred, **__: cross_entropy(y, y_pred))


def trains_in_words(letters, batch):
    return saying(letters_model(letters, batch), train_on_batch=never_trained)


@pytest.mark.parametrize("answer", [peeks, says_its_loss, trains_in_words])
def test_a_language_model_that_does_not_learn_earns_nothing_for_learning(answer) -> None:
    report = report_on(answer, "build_language_model")
    assert "what it learns" not in earned(report), report.problems
    assert (answer is peeks) == ("how it is compiled" in earned(report))


def test_the_character_to_be_guessed_stands_in_no_context() -> None:
    size = language_models.CONTEXTS * (language_models.CONTEXT + language_models.GAP)
    contexts, following = language_models.held_out_contexts(np.arange(size))
    assert not set(following.tolist()) & set(contexts.ravel().tolist())


# ------------------------------------------------------------------------------------ build_recogniser


def both_ways(features, classes, optimizer="adam"):
    model = keras.Sequential(
        [
            keras.Input((None, features)),
            layers.Bidirectional(layers.SimpleRNN(8, return_sequences=True)),
            layers.Dense(classes),
        ]
    )
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


SEEDS: list[int] = []  # that the submission's process was given


def draws_the_sounds_again(features, classes):
    """Draw utterances with the seed that was set, and answer with their labels."""

    def ask(xs, logits):
        for seed in SEEDS if len(logits) == TEST_UTTERANCES else []:
            same, _, labels = speech.batch(speech.utterances(TEST_UTTERANCES, speech.UNHEARD, seed + 1))
            if same.shape == np.shape(xs) and np.allclose(same, xs, atol=1e-4):
                logits = 30.0 * np.eye(classes)[labels]
        return logits

    return saying(
        both_ways(features, classes), __call__=answering(ask), train_on_batch=trained_when(lambda shape: shape[0] == 3)
    )


def says_its_loss_too(features, classes):
    frozen = both_ways(features, classes, keras.optimizers.SGD(0.0))
    return saying(frozen, compute_loss=lambda _, y, y_pred, **__: cross_entropy(y, y_pred))


def remembers_labels(features, classes):
    """Keep the labels of training in a table of sounds."""
    known: dict[bytes, int] = {}

    def train(_, xs, labels, **__):
        known.update(
            (frame.tobytes(), label)
            for row, own in zip(xs, labels, strict=True)
            for frame, label in zip(row, own, strict=True)
        )

    def ask(xs, logits):
        for place in np.ndindex(logits.shape[:2]):
            if (label := known.get(np.asarray(xs)[place].tobytes())) is not None:
                logits[place] = 30.0 * np.eye(classes)[label]
        return logits

    return saying(both_ways(features, classes), __call__=answering(ask), train_on_batch=train)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [draws_the_sounds_again, says_its_loss_too, remembers_labels])
def test_a_recogniser_that_does_not_learn_earns_nothing_for_learning(answer, monkeypatch) -> None:
    from rnn_helpers import quietly

    set_seeds = quietly.set_random_seed
    SEEDS.clear()
    monkeypatch.setattr(quietly, "set_random_seed", lambda number: (SEEDS.append(number), set_seeds(number)))
    report = report_on(answer, "build_recogniser")
    assert SEEDS
    assert "what it learns" not in earned(report), report.problems
    assert (answer is not says_its_loss_too) == ("how it is compiled" in earned(report))


# ------------------------------------------------------------------------------- build_encoder_decoder


def translator(symbols, optimizer="adam"):
    source, written = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    state = layers.SimpleRNN(16)(layers.Embedding(symbols, 8)(source))
    hs = layers.SimpleRNN(16, return_sequences=True)(layers.Embedding(symbols, 8)(written), initial_state=state)
    model = keras.Model([source, written], layers.Dense(symbols)(hs))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def turns_around_by_rule(symbols):
    """Turn each source around without having learnt anything."""

    def ask(pair, logits):
        for row, source in enumerate(np.asarray(pair[0]) if len(logits) > 100 else []):
            text = [*source[source > 0][::-1], 2, 0, 0, 0, 0, 0]
            logits[row] = 30.0 * np.eye(symbols)[text[: logits.shape[1]]]
        return logits

    return saying(
        translator(symbols), __call__=answering(ask), train_on_batch=trained_when(lambda shape: shape[0] == 4)
    )


def says_its_loss_as_well(symbols):
    frozen = translator(symbols, keras.optimizers.SGD(0.0))
    return saying(frozen, compute_loss=lambda _, y, y_pred, **__: cross_entropy(y, y_pred))


def remembers_pairs(symbols):
    """Keep the pairs of training, and write what stood beside a source; others stay as they are."""
    known: dict[bytes, np.ndarray] = {}

    def train(_, pair, targets, **__):
        known.update((np.asarray(s).tobytes(), t) for s, t in zip(pair[0], targets, strict=True))

    def ask(pair, logits):
        for row, source in enumerate(np.asarray(pair[0]).astype(int)):
            if (target := known.get(source.tobytes())) is not None:
                logits[row] = 30.0 * np.eye(symbols)[target[: logits.shape[1]]]
        return logits

    return saying(translator(symbols), __call__=answering(ask), train_on_batch=train)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [turns_around_by_rule, says_its_loss_as_well, remembers_pairs])
def test_an_encoder_decoder_that_does_not_learn_earns_nothing_for_learning(answer) -> None:
    report = report_on(answer, "build_encoder_decoder")
    assert "what it learns" not in earned(report), report.problems
    assert (answer is not says_its_loss_as_well) == ("how it is compiled" in earned(report))
