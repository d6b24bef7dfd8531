"""Probes for lesson 08: a binary classifier, a custom model class and a trained classifier."""

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
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.keras_probes import inspection, training_step
from rnn_helpers.checks.keras_probes.inspection import failure_text

STEPS, UNITS, BATCH = 10, 32, 32
PARAMETERS = UNITS + UNITS * UNITS + UNITS + UNITS + 1
MIN_ACCURACY = 0.8  # threshold of the trained classifier; see benchmarks/thresholds.py
MIN_STEPS, MAX_STEPS = (
    0.93,
    3.13,
)  # relative to the steps of ten epochs: a skipped batch and a few more epochs are accepted


def binary_classifier(answer: Callable, seed: int) -> dict[str, str]:
    """Build the binary classifier; return for each claim "" or what was observed instead."""
    inspection.set_seed(answer, seed)
    model = inspection.require_model(answer())
    arrays = inspection.weights(model)
    results = _network_claims(model, arrays, seed) | _compiled_claims(model, seed) | _new_model_claims(arrays, answer)
    return results | _training_step_claims(model, arrays, results, seed)


def _network_claims(model: Any, arrays: list[np.ndarray], seed: int) -> dict[str, str]:
    shape = getattr(model, "input_shape", None) or (None, STEPS, 1)  # a custom class may not have it
    fits = shape[-1] == 1 and shape[1] in (STEPS, None)
    results = {
        INPUT_SHAPE: failure_text(fits, f"it takes inputs of shape {shape}"),
        CLASSIFIER_PARAMETERS: failure_text(
            inspection.count_parameters(model) == PARAMETERS, f"{inspection.count_parameters(model)}"
        ),
    }
    if not fits:
        return results
    xs = 3 * np.random.default_rng(seed).normal(size=(64, STEPS, 1))
    outputs = inspection.outputs(model, xs)
    results |= {
        ONE_OUTPUT_PER_SEQUENCE: failure_text(
            outputs.shape == (64, 1), f"for 64 sequences its shape is {outputs.shape}"
        ),
        BETWEEN_0_AND_1: inspection.range_failure(outputs),
        OUTPUTS_VARY: failure_text(float(np.ptp(outputs)) > 1e-6, f"every sequence gets {outputs.flat[0]:.3g}"),
    }
    if outputs.shape == (64, 1) and inspection.are_network_weights(arrays) and len(arrays[0]) == 1:
        same = inspection.allclose(outputs, inspection.network_outputs(arrays, xs, "tanh", "sigmoid"))
        results[TANH_SIGMOID_EQUATIONS] = failure_text(same, "with its own weights, NumPy gets others")
    return results


def _compiled_claims(model: Any, seed: int) -> dict[str, str]:
    results = {COMPILED: failure_text(model.compiled, "model.compile(...) is missing")}
    if not model.compiled:
        return results
    name = model.optimizer.__class__.__name__
    results[ADAM] = failure_text(name in ("Adam", "AdamW", "Nadam"), f"it is {name}")
    probabilities = np.random.default_rng(seed).permutation([0.1, 0.3, 0.6, 0.8])[:, None]
    labels = np.array([[0.0], [1.0], [1.0], [0.0]])
    try:
        loss = float(model.compute_loss(y=labels.astype(np.float32), y_pred=probabilities.astype(np.float32)))
    except (ValueError, TypeError) as error:  # a name that Keras does not know, or a loss for other targets
        return results | {CROSS_ENTROPY: _first_line(error)}
    true = _cross_entropy(probabilities, labels)
    as_logits = _cross_entropy(inspection.sigmoid(probabilities), labels)
    is_cross_entropy = min(abs(loss - true), abs(loss - as_logits)) < 1e-4
    results[CROSS_ENTROPY] = failure_text(is_cross_entropy, f"where a cross-entropy is {true:.3f}, it is {loss:.3f}")
    if is_cross_entropy:
        results[LOSS_TAKES_PROBABILITIES] = failure_text(abs(loss - true) < 1e-4, "it takes them for logits")
    return results


def _lines(error: Exception) -> list[str]:
    return str(error).strip().splitlines() or ["no message"]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {_lines(error)[0][:160]}"


def _last_line(error: Exception) -> str:
    """Return an error's last line, where Keras names the cause."""
    return f"{type(error).__name__}: {_lines(error)[-1][:160]}"


def _training_step_claims(model: Any, arrays: list[np.ndarray], results: dict[str, str], seed: int) -> dict[str, str]:
    """Train eagerly on one batch; check the reported metrics and the weight update. Changes the model."""
    if not model.compiled:
        return {}
    rng = np.random.default_rng(seed)
    xs, labels = 3 * rng.normal(size=(BATCH, STEPS, 1)).astype(np.float32), np.arange(BATCH)[:, None] % 2
    equations_hold = not results.get(TANH_SIGMOID_EQUATIONS, "no")
    if equations_hold:  # so that the gradient reveals the loss
        arrays = training_step.with_confident_outputs(arrays, xs)
        model.set_weights(arrays)
    model.run_eagerly = True
    try:
        reported = list(model.train_on_batch(xs, labels, return_dict=True))
    except Exception as error:  # a wrong input shape raises one of TensorFlow's own errors
        return {REPORTS_ACCURACY: _first_line(error)}
    instead = f"it reports {', '.join(sorted(map(str, reported)))}"
    reported_claims = {REPORTS_ACCURACY: failure_text("accuracy" in reported, instead)}
    return reported_claims | (
        _update_claims(arrays, inspection.weights(model), xs, labels, results) if equations_hold else {}
    )


def _update_claims(
    before: list[np.ndarray], after: list[np.ndarray], xs: np.ndarray, labels: np.ndarray, results: dict[str, str]
) -> dict[str, str]:
    """Check the model's statements about its optimizer and loss against the weight update of one training step."""
    expected, alternative = (
        training_step.gradient(before, xs, labels, of_logits)
        for of_logits in (training_step.gradient_from_probabilities, training_step.gradient_as_if_logits)
    )
    down, down_other = (training_step.descends(before, after, slopes) for slopes in (expected, alternative))
    borne_out = {
        ADAM: training_step.has_uniform_step(before, after, expected),
        CROSS_ENTROPY: down or down_other,
        LOSS_TAKES_PROBABILITIES: down,
    }
    instead = "a training step moved its weights in another way"
    return {
        claim: results[claim] or failure_text(holds, instead) for claim, holds in borne_out.items() if claim in results
    }


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    likelihoods = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.clip(likelihoods, 1e-7, 1))))


def _new_model_claims(arrays: list[np.ndarray], answer: Callable) -> dict[str, str]:
    same = all(map(np.array_equal, arrays, inspection.weights(answer())))
    return {NEW_MODEL_PER_CALL: failure_text(not same, "two calls give the same weights")}


def sequence_network(answer: Callable, trained: bool, seed: int) -> dict[str, str]:
    """Inspect a custom model class: its outputs, its sizes, and whether it survives saving and loading.

    trained: look at what one step of training does, too
    """
    inspection.set_seed(answer, seed)
    xs = np.random.default_rng(seed).normal(size=(6, 20, 100)).astype(np.float32)
    model = answer()
    outputs = inspection.outputs(model, xs)
    model = inspection.require_model(model) if model.weights else model
    shaped = outputs.shape == (6, 10)
    total = outputs.sum(axis=-1)
    results = {
        OUTPUT_SHAPE: failure_text(shaped, f"for a batch of 6 its shape is {outputs.shape}"),
        ROWS_SUM_TO_1: failure_text(inspection.allclose(total, np.ones_like(total)), f"to {total.flat[0]:.3g}"),
        NETWORK_PARAMETERS: failure_text(
            inspection.count_parameters(model) == 8060, f"{inspection.count_parameters(model)}"
        ),
    }
    arrays = inspection.weights(model)
    if shaped and inspection.are_network_weights(arrays):
        same = inspection.allclose(outputs, inspection.network_outputs(arrays, xs, "relu", "softmax"))
        results[RELU_SOFTMAX_EQUATIONS] = failure_text(same, "with its own weights, NumPy gets others")
    results |= _size_claims(answer, xs) | {SURVIVES_SAVING: _saving_failure(model, outputs, xs)}
    return results | _learning_claims(answer, xs) if trained and shaped else results


def _size_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    try:
        small = answer(units=7, classes=3)
        outputs = inspection.outputs(small, xs)
    except (ValueError, TypeError) as error:
        return {CUSTOM_SIZES: _last_line(error)}
    count = inspection.count_parameters(small)
    return {
        CUSTOM_SIZES: failure_text(
            count == 780 and outputs.shape[-1] == 3,
            f"it has {count} parameters (780 are right) and gives {outputs.shape[-1]} numbers",
        ),
        CONFIG_HAS_SIZES: _config_failure(small),
        CUSTOM_SIZES_SURVIVE_SAVING: _saving_failure(small, outputs, xs),
    }


def _config_failure(small: Any) -> str:
    """Return "" if get_config reports 7 units and 3 classes, else what it returns or raises."""
    try:
        config = small.get_config()
    except NotImplementedError:
        return "`raise NotImplementedError()` still stands in it"
    except Exception as error:  # the student's method may raise anything; report it unchanged
        return _last_line(error)
    if not isinstance(config, dict):
        return f"it returns {describe(config)}; expected a dict"
    sizes = {name: config.get(name, "nothing") for name in ("units", "classes")}
    matches = sizes == {"units": 7, "classes": 3}
    reported_claims = f"for units=7, classes=3 it gives {sizes['units']} for units and {sizes['classes']} for classes"
    return failure_text(matches, reported_claims)


def _saving_failure(model: Any, outputs: np.ndarray, xs: np.ndarray) -> str:
    """Save and load a model; return "" if the copy gives the same outputs, else what went wrong.

    In between, the model's weights are all set to zero: a copy that is the model itself gives itself away.
    """
    weights = [inspection.as_numpy(array) for array in model.get_weights()]
    try:
        file = run_colocated(model, f"{__name__}:save_to_bytes", model)
        model.set_weights([0 * array for array in weights])
        reloaded_outputs = inspection.outputs(run_colocated(model, f"{__name__}:load_from_bytes", file, model), xs)
    except Exception as error:  # Keras and the student's methods may raise anything; report it unchanged
        return _last_line(error)
    finally:
        model.set_weights(weights)
    return failure_text(inspection.allclose(reloaded_outputs, outputs), "the copy's outputs are others")


def save_to_bytes(model: Any) -> np.ndarray:
    """Save a model to a file and return its contents as an array of bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)


def load_from_bytes(file: np.ndarray, model: Any) -> Any:
    """Load a model of the same class as `model` from the contents of a file."""
    from rnn_helpers.quietly import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(file.tobytes())
        return keras.models.load_model(path, custom_objects={type(model).__name__: type(model)})


def _learning_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    """Train a new network for one step on one batch and check that the loss decreases."""
    model, labels = answer(), np.arange(len(xs)) % 10
    outputs = inspection.outputs(model, xs)
    shapes = inspection.find_activations(inspection.weights(model), xs, outputs)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(xs, labels)
    later = inspection.network_outputs(inspection.weights(model), xs, *shapes) if shapes else outputs
    before, after = _clipped_cross_entropy(outputs, labels), _clipped_cross_entropy(later, labels)
    fell = f"from {before:.2f} to {after:.2f} in one step, with {inspection.count_parameters(model)} parameters"
    return {LOSS_FALLS: failure_text(after < before, fell)}


def _clipped_cross_entropy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the cross-entropy of probabilities as Keras computes it: clipped, with each row normalised."""
    shares = np.clip(outputs, 1e-7, 1 - 1e-7)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(shares[np.arange(len(labels)), labels])))


def rule_data(seed: int, sequences: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (xs, labels) of a learnable rule.

    A label says whether the sum of the first k steps is larger than that of the last k.
    xs: (sequences, 10, 1), between -3 and 3: in a wider range Adam learns it in fewer steps; labels: (sequences,) of
        0 and 1; the seed decides k, 3 to 5
    """
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 6))
    xs = rng.uniform(-3, 3, size=(sequences, STEPS, 1))
    return xs.astype(np.float32), (xs[:, :k].sum(axis=(1, 2)) > xs[:, -k:].sum(axis=(1, 2))).astype(int)


def trained_classifier(answer: Callable, seed: int, train_count: int, test_count: int) -> dict[str, str]:
    """Have a classifier trained on one part of a rule's data and evaluate it on the rest.

    The test sequences stay here: the model's outputs for them are computed from its weights.
    """
    inspection.set_seed(answer, seed)
    xs, labels = rule_data(seed, train_count + test_count)
    model = inspection.require_model(answer(xs[:train_count].copy(), labels[:train_count].copy()))
    arrays = inspection.weights(model)
    probe_xs = np.random.default_rng([seed, 2]).uniform(-3, 3, size=(64, STEPS, 1))
    actual = inspection.outputs(model, probe_xs)
    shaped = actual.shape == (len(probe_xs), 1)
    results = {
        ONE_OUTPUT_PER_SEQUENCE: failure_text(shaped, f"for {len(probe_xs)} sequences its shape is {actual.shape}")
    }
    if not shaped:
        return results
    results[BETWEEN_0_AND_1] = inspection.range_failure(actual)
    shapes = inspection.find_activations(arrays, probe_xs, actual)
    network = shapes is not None and arrays[1].shape == (UNITS, UNITS)
    results[RECURRENT_WITH_32_UNITS] = failure_text(network, _network_mismatch(arrays))
    if shapes is None:
        return results
    outputs = inspection.network_outputs(arrays, xs, *shapes)
    correct = (outputs[:, 0] > 0.5) == labels
    train_accuracy, test_accuracy = float(correct[:train_count].mean()), float(correct[train_count:].mean())
    steps = (
        int(model.optimizer.iterations) if model.compiled else 0
    )  # reported by the model; its weights are the evidence
    ten_epochs = 10 * -(-train_count // BATCH)
    trained = MIN_STEPS * ten_epochs <= steps <= MAX_STEPS * ten_epochs
    results[TRAINED_FOR_10_EPOCHS] = failure_text(trained, f"10 epochs are {ten_epochs} steps; it has made {steps}")
    moved = inspection.biases_have_moved(arrays)
    results[BIASES_MOVED] = failure_text(moved, "they are as they were built: was it trained?")
    if steps < MIN_STEPS * ten_epochs:
        return results
    return results | {
        TRAINING_ACCURACY: failure_text(train_accuracy >= MIN_ACCURACY, f"on {100 * train_accuracy:.0f} %"),
        TEST_ACCURACY: failure_text(test_accuracy >= MIN_ACCURACY, f"on {100 * test_accuracy:.0f} %"),
        NOT_INVERTED: failure_text(test_accuracy >= 0.3, f"it is right on {100 * test_accuracy:.0f} %"),
    }


def _network_mismatch(arrays: list[np.ndarray]) -> str:
    if not inspection.are_network_weights(arrays):
        return f"its weights have the shapes {[array.shape for array in arrays]}"
    units = len(arrays[1])
    return f"it has {units} units" if units != UNITS else "with its own weights, NumPy gets other outputs"
