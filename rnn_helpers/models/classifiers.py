"""Probes for lesson 08: the classifier of two classes, the network as a class of its own, and a trained classifier."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnn_helpers.beside import beside
from rnn_helpers.comparing import describe
from rnn_helpers.models import seeing
from rnn_helpers.models.seeing import say

STEPS, UNITS, BATCH = 10, 32, 32
PARAMETERS = UNITS + UNITS * UNITS + UNITS + UNITS + 1
ACCURATE = 0.8  # the trained classifier's threshold; benchmarks/thresholds.py shows what reaches it
FEWEST, MOST = 0.93, 3.13  # of ten epochs' steps: a batch left out is no mistake, nor are some epochs more


def binary_classifier(answer: Callable) -> dict[str, str]:
    """Build the classifier of two classes and say of each claim "" or what is seen instead."""
    seeing.seed(answer, 1)
    model = seeing.checked_model(answer())
    seen = _network_claims(model) | _compiled_claims(model) | _fresh_claims(model, answer)
    return seen | _reporting_claims(model)


def _network_claims(model: Any) -> dict[str, str]:
    shape = getattr(model, "input_shape", None) or (None, STEPS, 1)  # a class of one's own may not say
    fits = shape[-1] == 1 and shape[1] in (STEPS, None)
    seen = {
        "it takes 10 steps of 1 feature": say(fits, f"it takes inputs of shape {shape}"),
        f"it has {PARAMETERS} parameters": say(model.count_params() == PARAMETERS, f"{model.count_params()}"),
    }
    if not fits:
        return seen
    xs = 3 * np.random.default_rng(1).normal(size=(64, STEPS, 1))
    given, arrays = seeing.outputs(model, xs), seeing.weights(model)
    seen |= {
        "it gives one number a sequence": say(given.shape == (64, 1), f"for 64 sequences its shape is {given.shape}"),
        "its outputs are between 0 and 1": seeing.between_0_and_1(given),
        "its outputs differ from sequence to sequence": say(
            float(np.ptp(given)) > 1e-6, f"every sequence gets {given.flat[0]:.3g}"
        ),
    }
    if given.shape == (64, 1) and seeing.are_network_weights(arrays):
        _, logits = seeing.states_and_logits(arrays, xs, "tanh")
        same = seeing.near(given, seeing.sigmoid(logits[:, -1]))
        seen["its outputs are those of the equations, tanh inside and sigmoid on top"] = say(
            same, "with its own weights, NumPy gets others"
        )
    return seen


def _compiled_claims(model: Any) -> dict[str, str]:
    seen = {"it is compiled": say(model.compiled, "model.compile(...) is missing")}
    if not model.compiled:
        return seen
    name = model.optimizer.__class__.__name__
    seen["its optimizer is Adam"] = say(name in ("Adam", "AdamW", "Nadam"), f"it is {name}")
    probabilities, labels = np.array([[0.3], [0.6], [0.9]]), np.array([[0.0], [1.0], [1.0]])
    try:
        loss = float(model.compute_loss(y=labels.astype(np.float32), y_pred=probabilities.astype(np.float32)))
    except (ValueError, TypeError) as error:  # a name that Keras does not know, or a loss for other targets
        return seen | {"its loss is a cross-entropy": _first_line(error)}
    true = _cross_entropy(probabilities, labels)
    as_logits = _cross_entropy(seeing.sigmoid(probabilities), labels)
    is_cross_entropy = min(abs(loss - true), abs(loss - as_logits)) < 1e-4
    seen["its loss is a cross-entropy"] = say(
        is_cross_entropy, f"where a cross-entropy is {true:.3f}, it is {loss:.3f}"
    )
    if is_cross_entropy:
        seen["its loss takes probabilities, not logits"] = say(abs(loss - true) < 1e-4, "it takes them for logits")
    return seen


def _lines(error: Exception) -> list[str]:
    return str(error).strip().splitlines() or ["no message"]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {_lines(error)[0][:160]}"


def _last_line(error: Exception) -> str:
    """Return an error's last line, which names the cause where Keras first says what it was doing."""
    return f"{type(error).__name__}: {_lines(error)[-1][:160]}"


def _reporting_claims(model: Any) -> dict[str, str]:
    """Train on one batch, without a graph, and see which numbers are reported. Changes the model."""
    claim = "fit will report its accuracy"
    if not model.compiled:
        return {}
    model.run_eagerly = True
    try:
        reported = model.train_on_batch(np.zeros((2, STEPS, 1), np.float32), np.array([0, 1]), return_dict=True)
    except Exception as error:  # a wrong input shape ends in an error of TensorFlow's own
        return {claim: _first_line(error)}
    return {claim: say("accuracy" in reported, f"it reports {', '.join(sorted(reported))}")}


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    chances = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.clip(chances, 1e-7, 1))))


def _fresh_claims(model: Any, answer: Callable) -> dict[str, str]:
    other = answer()
    same = other is model or all(map(np.array_equal, seeing.weights(model), seeing.weights(other)))
    return {"each call gives a new model": say(not same, "two calls give the same weights")}


def sequence_network(answer: Callable, trained: bool) -> dict[str, str]:
    """Look at a class of networks: its outputs, its sizes, and whether it survives being saved and loaded.

    trained: look at what one step of training does, too
    """
    seeing.seed(answer, 1)
    xs = np.random.default_rng(2).normal(size=(6, 20, 100)).astype(np.float32)
    model = answer()
    given = seeing.outputs(model, xs)
    model = seeing.checked_model(model) if model.weights else model
    shaped = given.shape == (6, 10)
    total = given.sum(axis=-1)
    seen = {
        "it makes (batch, 10) of (batch, 20, 100)": say(shaped, f"for a batch of 6 its shape is {given.shape}"),
        "each row of its outputs adds up to 1": say(seeing.near(total, np.ones_like(total)), f"to {total.flat[0]:.3g}"),
        "it has 8060 parameters": say(model.count_params() == 8060, f"{model.count_params()}"),
    }
    arrays = seeing.weights(model)
    if shaped and seeing.are_network_weights(arrays):
        _, logits = seeing.states_and_logits(arrays, xs, "relu")
        seen["its outputs are those of the equations, ReLU inside and softmax on top"] = say(
            seeing.near(given, seeing.softmax(logits[:, -1])), "with its own weights, NumPy gets others"
        )
    seen |= _size_claims(answer, xs) | {"a saved and loaded copy computes the same": _after_saving(model, given, xs)}
    return seen | _learning_claims(answer, xs) if trained and shaped else seen


def _size_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    sizes = "RecurrentNetwork(units=7, classes=3) has these sizes"
    try:
        small = answer(units=7, classes=3)
        given = seeing.outputs(small, xs)
    except (ValueError, TypeError) as error:
        return {sizes: _last_line(error)}
    return {
        sizes: say(
            small.count_params() == 780 and given.shape[-1] == 3,
            f"it has {small.count_params()} parameters (780 are right) and gives {given.shape[-1]} numbers",
        ),
        "get_config gives units and classes": _after_asking(small),
        "one of other sizes survives it too": _after_saving(small, given, xs),
    }


def _after_asking(small: Any) -> str:
    """Return "" when get_config of a network with 7 units and 3 classes says so, else what it says or raises."""
    try:
        config = small.get_config()
    except NotImplementedError:
        return "`raise NotImplementedError()` still stands in it"
    except Exception as error:  # the student's own method may raise anything: it is told, as it came
        return _last_line(error)
    if not isinstance(config, dict):
        return f"it returns {describe(config)}; expected a dict"
    sizes = {name: config.get(name, "nothing") for name in ("units", "classes")}
    right = sizes == {"units": 7, "classes": 3}
    told = f"for units=7, classes=3 it gives {sizes['units']} for units and {sizes['classes']} for classes"
    return say(right, told)


def _after_saving(model: Any, given: np.ndarray, xs: np.ndarray) -> str:
    """Save and load a model; return "" when the copy gives the same outputs, else what happened."""
    try:
        copy = beside(model, f"{__name__}:saved_and_loaded")(model)
        again = seeing.outputs(copy, xs)
    except Exception as error:  # Keras and the student's own methods may raise anything: it is told, as it came
        return _last_line(error)
    return say(seeing.near(again, given), "the copy's outputs are others")


def saved_and_loaded(model: Any) -> Any:
    """Return what comes back when a model is saved to a file and loaded again."""
    from rnn_helpers.quietly import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return keras.models.load_model(path, custom_objects={type(model).__name__: type(model)})


def _learning_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    """Train a new network for one step on one batch; its loss must be smaller afterwards."""
    model, labels = answer(), np.arange(len(xs)) % 10
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", run_eagerly=True)
    before = float(model.train_on_batch(xs, labels))
    after = float(model.compute_loss(y=labels, y_pred=seeing.outputs(model, xs)))
    fell = f"from {before:.2f} to {after:.2f} in one step, with {model.count_params()} parameters"
    return {"training makes its loss fall": say(bool(model.weights) and after < before, fell)}


def rule_data(seed: int, sequences: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (xs, labels) of a rule that can be learnt: do the first k steps add up to more than the last k?

    xs: (sequences, 10, 1), between -3 and 3: in a wider range Adam learns it in fewer steps; labels: (sequences,) of
        0 and 1; the seed decides k, 3 to 5
    """
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 6))
    xs = rng.uniform(-3, 3, size=(sequences, STEPS, 1))
    return xs.astype(np.float32), (xs[:, :k].sum(axis=(1, 2)) > xs[:, -k:].sum(axis=(1, 2))).astype(int)


def trained_classifier(answer: Callable, seed: int, given: int, fresh: int) -> dict[str, str]:
    """Have a classifier trained on `given` sequences of a rule's data and look at what it does with `fresh` others."""
    seeing.seed(answer, seed)
    xs, labels = rule_data(seed, given + fresh)
    model = seeing.checked_model(answer(xs[:given].copy(), labels[:given].copy()))
    arrays = seeing.weights(model)
    outputs = seeing.outputs(model, xs)
    shaped = outputs.shape == (len(xs), 1)
    seen = {"it gives one number a sequence": say(shaped, f"for {len(xs)} sequences its shape is {outputs.shape}")}
    if not shaped:
        return seen
    network = seeing.are_network_weights(arrays) and arrays[1].shape == (UNITS, UNITS)
    right = (outputs[:, 0] > 0.5) == labels
    old, new = float(right[:given].mean()), float(right[given:].mean())
    steps = int(model.optimizer.iterations) if model.compiled else 0
    ten_epochs = 10 * -(-given // BATCH)
    trained = FEWEST * ten_epochs <= steps <= MOST * ten_epochs
    seen["it was trained for 10 epochs in batches of 32"] = say(
        trained, f"10 epochs are {ten_epochs} steps; it has made {steps}"
    )
    moved = seeing.has_moved(model)
    seen |= {
        "its outputs are between 0 and 1": seeing.between_0_and_1(outputs),
        "it is a recurrent network of 32 units": say(network, f"its weights have {[a.shape for a in arrays]}"),
        "training has moved its biases away from zero": say(moved, "they are as they were built: was it trained?"),
    }
    if steps < FEWEST * ten_epochs:
        return seen
    return seen | {
        "it is right on 80 % of the sequences it was given": say(old >= ACCURATE, f"on {100 * old:.0f} %"),
        "it is right on 80 % of sequences it has not seen": say(new >= ACCURATE, f"on {100 * new:.0f} %"),
        "it does not answer the other way round": say(new >= 0.3, f"it is right on {100 * new:.0f} %"),
    }
