"""Probes for lesson 08: the classifier of two classes, the network as a class of its own, and a trained classifier."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnn_helpers.checks.claims import (
    ADAM,
    BETWEEN_0_AND_1,
    BIASES_MOVED,
    CLASSIFIER_PARAMETERS,
    COMPILED,
    CONFIG_HAS_SIZES,
    CROSS_ENTROPY,
    CUSTOM_SIZES,
    CUSTOM_SIZES_SURVIVE_SAVING,
    INPUT_SHAPE,
    LOSS_FALLS,
    LOSS_TAKES_PROBABILITIES,
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
from rnn_helpers.checks.colocate import beside
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.keras_probes import inspection, steps
from rnn_helpers.checks.keras_probes.inspection import say

STEPS, UNITS, BATCH = 10, 32, 32
PARAMETERS = UNITS + UNITS * UNITS + UNITS + UNITS + 1
ACCURATE = 0.8  # the trained classifier's threshold; benchmarks/thresholds.py shows what reaches it
FEWEST, MOST = 0.93, 3.13  # of ten epochs' steps: a batch left out is no mistake, nor are some epochs more


def binary_classifier(answer: Callable, seed: int) -> dict[str, str]:
    """Build the classifier of two classes and say of each claim "" or what is seen instead."""
    inspection.seed(answer, seed)
    model = inspection.checked_model(answer())
    arrays = inspection.weights(model)
    seen = _network_claims(model, arrays, seed) | _compiled_claims(model, seed) | _fresh_claims(arrays, answer)
    return seen | _step_claims(model, arrays, seen, seed)


def _network_claims(model: Any, arrays: list[np.ndarray], seed: int) -> dict[str, str]:
    shape = getattr(model, "input_shape", None) or (None, STEPS, 1)  # a class of one's own may not say
    fits = shape[-1] == 1 and shape[1] in (STEPS, None)
    seen = {
        INPUT_SHAPE: say(fits, f"it takes inputs of shape {shape}"),
        CLASSIFIER_PARAMETERS: say(inspection.parameters(model) == PARAMETERS, f"{inspection.parameters(model)}"),
    }
    if not fits:
        return seen
    xs = 3 * np.random.default_rng(seed).normal(size=(64, STEPS, 1))
    given = inspection.outputs(model, xs)
    seen |= {
        ONE_OUTPUT_PER_SEQUENCE: say(given.shape == (64, 1), f"for 64 sequences its shape is {given.shape}"),
        BETWEEN_0_AND_1: inspection.between_0_and_1(given),
        OUTPUTS_VARY: say(float(np.ptp(given)) > 1e-6, f"every sequence gets {given.flat[0]:.3g}"),
    }
    if given.shape == (64, 1) and inspection.are_network_weights(arrays) and len(arrays[0]) == 1:
        same = inspection.near(given, inspection.network_outputs(arrays, xs, "tanh", "sigmoid"))
        seen[TANH_SIGMOID_EQUATIONS] = say(same, "with its own weights, NumPy gets others")
    return seen


def _compiled_claims(model: Any, seed: int) -> dict[str, str]:
    seen = {COMPILED: say(model.compiled, "model.compile(...) is missing")}
    if not model.compiled:
        return seen
    name = model.optimizer.__class__.__name__
    seen[ADAM] = say(name in ("Adam", "AdamW", "Nadam"), f"it is {name}")
    probabilities = np.random.default_rng(seed).permutation([0.1, 0.3, 0.6, 0.8])[:, None]
    labels = np.array([[0.0], [1.0], [1.0], [0.0]])
    try:
        loss = float(model.compute_loss(y=labels.astype(np.float32), y_pred=probabilities.astype(np.float32)))
    except (ValueError, TypeError) as error:  # a name that Keras does not know, or a loss for other targets
        return seen | {CROSS_ENTROPY: _first_line(error)}
    true = _cross_entropy(probabilities, labels)
    as_logits = _cross_entropy(inspection.sigmoid(probabilities), labels)
    is_cross_entropy = min(abs(loss - true), abs(loss - as_logits)) < 1e-4
    seen[CROSS_ENTROPY] = say(is_cross_entropy, f"where a cross-entropy is {true:.3f}, it is {loss:.3f}")
    if is_cross_entropy:
        seen[LOSS_TAKES_PROBABILITIES] = say(abs(loss - true) < 1e-4, "it takes them for logits")
    return seen


def _lines(error: Exception) -> list[str]:
    return str(error).strip().splitlines() or ["no message"]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {_lines(error)[0][:160]}"


def _last_line(error: Exception) -> str:
    """Return an error's last line, which names the cause where Keras first says what it was doing."""
    return f"{type(error).__name__}: {_lines(error)[-1][:160]}"


def _step_claims(model: Any, arrays: list[np.ndarray], seen: dict[str, str], seed: int) -> dict[str, str]:
    """Train on one batch, without a graph; see what is reported, and what became of the weights. Changes the model."""
    if not model.compiled:
        return {}
    rng = np.random.default_rng(seed)
    xs, labels = 3 * rng.normal(size=(BATCH, STEPS, 1)).astype(np.float32), np.arange(BATCH)[:, None] % 2
    known = not seen.get(TANH_SIGMOID_EQUATIONS, "no")
    if known:  # so that the loss can be told by its gradient
        arrays = steps.far_apart(arrays, xs)
        model.set_weights(arrays)
    model.run_eagerly = True
    try:
        reported = list(model.train_on_batch(xs, labels, return_dict=True))
    except Exception as error:  # a wrong input shape ends in an error of TensorFlow's own
        return {REPORTS_ACCURACY: _first_line(error)}
    instead = f"it reports {', '.join(sorted(map(str, reported)))}"
    told = {REPORTS_ACCURACY: say("accuracy" in reported, instead)}
    return told | (_moved_claims(arrays, inspection.weights(model), xs, labels, seen) if known else {})


def _moved_claims(
    before: list[np.ndarray], after: list[np.ndarray], xs: np.ndarray, labels: np.ndarray, seen: dict[str, str]
) -> dict[str, str]:
    """Say of what the model says about its optimizer and its loss whether a step of training bears it out."""
    right, other = (steps.gradient(before, xs, labels, pull) for pull in (steps.of_probabilities, steps.of_logits))
    down, down_other = (steps.descends(before, after, slopes) for slopes in (right, other))
    borne_out = {
        ADAM: steps.is_even(before, after, right),
        CROSS_ENTROPY: down or down_other,
        LOSS_TAKES_PROBABILITIES: down,
    }
    instead = "a training step moved its weights in another way"
    return {claim: seen[claim] or say(holds, instead) for claim, holds in borne_out.items() if claim in seen}


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    chances = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.clip(chances, 1e-7, 1))))


def _fresh_claims(arrays: list[np.ndarray], answer: Callable) -> dict[str, str]:
    same = all(map(np.array_equal, arrays, inspection.weights(answer())))
    return {NEW_MODEL_PER_CALL: say(not same, "two calls give the same weights")}


def sequence_network(answer: Callable, trained: bool, seed: int) -> dict[str, str]:
    """Look at a class of networks: its outputs, its sizes, and whether it survives being saved and loaded.

    trained: look at what one step of training does, too
    """
    inspection.seed(answer, seed)
    xs = np.random.default_rng(seed).normal(size=(6, 20, 100)).astype(np.float32)
    model = answer()
    given = inspection.outputs(model, xs)
    model = inspection.checked_model(model) if model.weights else model
    shaped = given.shape == (6, 10)
    total = given.sum(axis=-1)
    seen = {
        OUTPUT_SHAPE: say(shaped, f"for a batch of 6 its shape is {given.shape}"),
        ROWS_SUM_TO_1: say(inspection.near(total, np.ones_like(total)), f"to {total.flat[0]:.3g}"),
        NETWORK_PARAMETERS: say(inspection.parameters(model) == 8060, f"{inspection.parameters(model)}"),
    }
    arrays = inspection.weights(model)
    if shaped and inspection.are_network_weights(arrays):
        same = inspection.near(given, inspection.network_outputs(arrays, xs, "relu", "softmax"))
        seen[RELU_SOFTMAX_EQUATIONS] = say(same, "with its own weights, NumPy gets others")
    seen |= _size_claims(answer, xs) | {SURVIVES_SAVING: _after_saving(model, given, xs)}
    return seen | _learning_claims(answer, xs) if trained and shaped else seen


def _size_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    try:
        small = answer(units=7, classes=3)
        given = inspection.outputs(small, xs)
    except (ValueError, TypeError) as error:
        return {CUSTOM_SIZES: _last_line(error)}
    return {
        CUSTOM_SIZES: say(
            inspection.parameters(small) == 780 and given.shape[-1] == 3,
            f"it has {inspection.parameters(small)} parameters (780 are right) and gives {given.shape[-1]} numbers",
        ),
        CONFIG_HAS_SIZES: _after_asking(small),
        CUSTOM_SIZES_SURVIVE_SAVING: _after_saving(small, given, xs),
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
    """Save and load a model; return "" when the copy gives the same outputs, else what happened.

    In between, the model's weights are all set to zero: a copy that is the model itself gives itself away.
    """
    kept = [inspection.as_numpy(array) for array in model.get_weights()]
    try:
        saved = beside(model, f"{__name__}:saved")(model)
        model.set_weights([0 * array for array in kept])
        again = inspection.outputs(beside(model, f"{__name__}:loaded")(saved, model), xs)
    except Exception as error:  # Keras and the student's own methods may raise anything: it is told, as it came
        return _last_line(error)
    finally:
        model.set_weights(kept)
    return say(inspection.near(again, given), "the copy's outputs are others")


def saved(model: Any) -> np.ndarray:
    """Return the file that a model is saved to, as an array of bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)


def loaded(file: np.ndarray, model: Any) -> Any:
    """Return the model that is in a file, of the same class as `model`."""
    from rnn_helpers.quietly import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(file.tobytes())
        return keras.models.load_model(path, custom_objects={type(model).__name__: type(model)})


def _learning_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    """Train a new network for one step on one batch; its loss must be smaller afterwards."""
    model, labels = answer(), np.arange(len(xs)) % 10
    given = inspection.outputs(model, xs)
    shapes = inspection.activations(inspection.weights(model), xs, given)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(xs, labels)
    later = inspection.network_outputs(inspection.weights(model), xs, *shapes) if shapes else given
    before, after = _surprise(given, labels), _surprise(later, labels)
    fell = f"from {before:.2f} to {after:.2f} in one step, with {inspection.parameters(model)} parameters"
    return {LOSS_FALLS: say(after < before, fell)}


def _surprise(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the cross-entropy as Keras has it of probabilities: clipped, and each row divided by its sum."""
    shares = np.clip(outputs, 1e-7, 1 - 1e-7)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(shares[np.arange(len(labels)), labels])))


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
    """Have a classifier trained on `given` sequences of a rule's data and look at what it does with `fresh` others.

    These others stay here: what the model would say of them is worked out from its weights.
    """
    inspection.seed(answer, seed)
    xs, labels = rule_data(seed, given + fresh)
    model = inspection.checked_model(answer(xs[:given].copy(), labels[:given].copy()))
    arrays = inspection.weights(model)
    asked = np.random.default_rng([seed, 2]).uniform(-3, 3, size=(64, STEPS, 1))
    said = inspection.outputs(model, asked)
    shaped = said.shape == (len(asked), 1)
    seen = {ONE_OUTPUT_PER_SEQUENCE: say(shaped, f"for {len(asked)} sequences its shape is {said.shape}")}
    if not shaped:
        return seen
    seen[BETWEEN_0_AND_1] = inspection.between_0_and_1(said)
    shapes = inspection.activations(arrays, asked, said)
    network = shapes is not None and arrays[1].shape == (UNITS, UNITS)
    seen[RECURRENT_WITH_32_UNITS] = say(network, _unlike_a_network(arrays))
    if shapes is None:
        return seen
    outputs = inspection.network_outputs(arrays, xs, *shapes)
    right = (outputs[:, 0] > 0.5) == labels
    old, new = float(right[:given].mean()), float(right[given:].mean())
    made = int(model.optimizer.iterations) if model.compiled else 0  # what the model says; its weights are the proof
    ten_epochs = 10 * -(-given // BATCH)
    trained = FEWEST * ten_epochs <= made <= MOST * ten_epochs
    seen[TRAINED_FOR_10_EPOCHS] = say(trained, f"10 epochs are {ten_epochs} steps; it has made {made}")
    moved = inspection.have_moved(arrays)
    seen |= {
        BIASES_MOVED: say(moved, "they are as they were built: was it trained?"),
    }
    if made < FEWEST * ten_epochs:
        return seen
    return seen | {
        TRAINING_ACCURACY: say(old >= ACCURATE, f"on {100 * old:.0f} %"),
        TEST_ACCURACY: say(new >= ACCURATE, f"on {100 * new:.0f} %"),
        NOT_INVERTED: say(new >= 0.3, f"it is right on {100 * new:.0f} %"),
    }


def _unlike_a_network(arrays: list[np.ndarray]) -> str:
    if not inspection.are_network_weights(arrays):
        return f"its weights have the shapes {[array.shape for array in arrays]}"
    units = len(arrays[1])
    return f"it has {units} units" if units != UNITS else "with its own weights, NumPy gets other outputs"
