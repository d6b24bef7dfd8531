"""Probes for lesson 08: a binary classifier and a custom model class."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    ADAM,
    CLASSIFIER_PARAMETERS,
    COMPILED,
    CONFIG_HAS_SIZES,
    CROSS_ENTROPY,
    CUSTOM_SIZES,
    CUSTOM_SIZES_SURVIVE_SAVING,
    INPUT_SHAPE,
    LOSS_FALLS,
    LOSS_FITS_OUTPUTS,
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
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import computations, inspection, settings, training_step
from rnn_helpers.checks.keras_probes.inspection import error_text, failure_text, find_cause, guard

STEPS, UNITS, BATCH = 10, 32, 32
PARAMETERS = UNITS + UNITS * UNITS + UNITS + UNITS + 1
NETWORK_UNITS, NETWORK_COUNT = 50, 8060
NETWORK = computations.Computation("relu", top="softmax")
PROBABILITIES, LOGITS = "probabilities", "logits"  # what a loss takes
CLASSIFIERS = {
    PROBABILITIES: computations.Computation("tanh", top="sigmoid"),
    LOGITS: computations.Computation("tanh", top="linear"),
}
OF_OUTPUTS = (ONE_OUTPUT_PER_SEQUENCE, PROBABILITY_OR_LOGIT, OUTPUTS_VARY, TANH_SIGMOID_EQUATIONS)
NO_METRIC_REPORTED = "it reports the loss alone"
SHARED_WEIGHTS = "a change to the second model changes the first one"
OTHER_OPTIMIZERS = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Ftrl", "Lion", "Adafactor")
OTHER_CROSS_ENTROPIES = {
    "categoricalcrossentropy": "CategoricalCrossentropy",
    "sparsecategoricalcrossentropy": "SparseCategoricalCrossentropy",
}


def binary_classifier(answer: Callable, seed: int) -> dict[str, str]:
    """Build the binary classifier; return for each claim "" or what was observed instead."""
    inspection.set_seed(answer, seed)
    model = inspection.require_model(answer())
    arrays = inspection.with_biases(inspection.weights(model))
    results, loss_input = _compiled_claims(model, seed)
    results |= _network_claims(model, arrays, loss_input, seed) | _new_model_claims(model, answer)
    causes = {}
    if any(results.values()):
        causes = {FINDING: find_cause(lambda: _classifier_fault(model, arrays, loss_input, seed))}
    results |= _training_step_claims(model, arrays, results, seed)
    if not causes.get(FINDING):
        causes = {FINDING: _reported_fault(results)}
    return results | causes


def _reported_fault(results: dict[str, str]) -> str:
    """Return the finding that a claim itself measures, or ""."""
    if results.get(REPORTS_ACCURACY) == NO_METRIC_REPORTED:
        return findings.NO_METRICS
    return findings.SAME_MODEL if results.get(NEW_MODEL_PER_CALL) == SHARED_WEIGHTS else ""


def _network_claims(model: Any, arrays: list[np.ndarray], loss_input: str, seed: int) -> dict[str, str]:
    shape = _input_shape(model)
    fits = len(shape) == 3 and shape[2] == 1 and shape[1] in (STEPS, None)
    count = inspection.count_parameters(model)
    results = {
        INPUT_SHAPE: failure_text(fits, f"it takes inputs of shape {shape}"),
        CLASSIFIER_PARAMETERS: failure_text(count == PARAMETERS, f"it has {count}"),
    }
    return results | (guard(OF_OUTPUTS, lambda: _output_claims(model, arrays, loss_input, seed)) if fits else {})


def _input_shape(model: Any) -> tuple:
    """Return the shape of the inputs; a custom class may not know it, and is tried with the one that is asked for."""
    try:
        return tuple(model.input_shape)
    except Exception:  # Keras raises errors of several classes here
        return (None, STEPS, 1)


def _output_claims(model: Any, arrays: list[np.ndarray], loss_input: str, seed: int) -> dict[str, str]:
    xs = _classifier_inputs(seed)
    outputs = inspection.outputs(model, xs)
    shaped = outputs.shape == (64, 1)
    results = {
        ONE_OUTPUT_PER_SEQUENCE: failure_text(shaped, f"for 64 sequences its shape is {outputs.shape}"),
        PROBABILITY_OR_LOGIT: "" if loss_input == LOGITS else inspection.range_failure(outputs),
        OUTPUTS_VARY: failure_text(float(np.ptp(outputs)) > 1e-6, f"every sequence gets {outputs.flat[0]:.3g}"),
    }
    if shaped and inspection.are_network_weights(arrays) and len(arrays[0]) == 1:
        probabilities, logits = (inspection.network_outputs(arrays, xs, "tanh", top) for top in ("sigmoid", "linear"))
        are_probabilities, are_logits = (
            inspection.allclose(outputs, reference) for reference in (probabilities, logits)
        )
        same = are_probabilities or (are_logits and loss_input == LOGITS)
        results[TANH_SIGMOID_EQUATIONS] = failure_text(same, "with its own weights, NumPy gets others")
        if loss_input:
            fits = loss_input == (LOGITS if are_logits else PROBABILITIES)
            results[LOSS_FITS_OUTPUTS] = failure_text(fits, f"it takes {loss_input}")
    return results


def _classifier_inputs(seed: int) -> np.ndarray:
    return 3 * np.random.default_rng(seed).normal(size=(64, STEPS, 1))


def _classifier_fault(model: Any, arrays: list[np.ndarray], loss_input: str, seed: int) -> str:
    """Return what a measurement singles out about a wrong classifier, or ""."""
    shape = _input_shape(model)
    if tuple(shape[1:]) == (1, STEPS):
        return findings.STEPS_AND_FEATURES
    xs, layers = _classifier_inputs(seed), settings.layers_of(model)
    fits = len(shape) == 3 and shape[2] == 1 and shape[1] in (STEPS, None)
    return (
        _architecture_fault(model, layers)
        or (_returned_sequences(inspection.outputs(model, xs), layers) if fits else "")
        or (_classifier_computation_fault(model, arrays, xs, loss_input) if fits else "")
        or _compilation_fault(model, settings.top_activation(layers))
    )


def _architecture_fault(model: Any, layers: list[settings.Settings]) -> str:
    """Return what the layers and weights of a model say that should be one SimpleRNN(32) and Dense(1), or ""."""
    recurrent = settings.recurrent_layers(layers)
    if settings.lacks_recurrence(layers):
        return findings.NO_RECURRENT_LAYER
    cells = {layer["class"] for layer in recurrent}
    if cells in ({"LSTM"}, {"GRU"}):
        return findings.OTHER_CELL.format(actual=cells.pop())
    if [layer["class"] for layer in recurrent] != ["SimpleRNN"]:
        return ""
    if recurrent[0]["units"] != UNITS:
        return findings.WRONG_UNITS.format(actual=recurrent[0]["units"], expected=UNITS)
    return ""


def _returned_sequences(outputs: np.ndarray, layers: list[settings.Settings]) -> str:
    """Return the finding for outputs at every step where the recurrent layer returns all its states."""
    recurrent = settings.recurrent_layers(layers)
    if outputs.ndim == 3 and len(recurrent) == 1 and recurrent[0].get("return_sequences"):
        return findings.RETURNS_SEQUENCES
    return ""


def _classifier_computation_fault(model: Any, arrays: list[np.ndarray], xs: np.ndarray, loss_input: str) -> str:
    """Return the deviation from a sigmoid's outputs, or from logits if the loss takes them and there is no sigmoid."""
    as_probabilities = _computation_fault(model, arrays, xs, CLASSIFIERS[PROBABILITIES])
    if as_probabilities == findings.NO_TOP_ACTIVATION.format(expected="sigmoid"):
        if loss_input == PROBABILITIES:
            return findings.LOGITS_FOR_PROBABILITY_LOSS
        return as_probabilities if not loss_input else _computation_fault(model, arrays, xs, CLASSIFIERS[LOGITS])
    return as_probabilities


def _computation_fault(model: Any, arrays: list[np.ndarray], xs: np.ndarray, expected: computations.Computation) -> str:
    if not inspection.are_network_weights(arrays) or len(arrays[0]) != xs.shape[-1]:
        return ""
    deviation = computations.find_deviation(arrays, xs, inspection.outputs(model, xs), expected)
    if deviation:
        return deviation
    shapes = [array.ndim for array in inspection.weights(model)]
    if shapes[:3] != [2, 2, 1]:
        return findings.NO_HIDDEN_BIAS
    return findings.NO_OUTPUT_BIAS if shapes == [2, 2, 1, 2] else ""


def _compilation_fault(model: Any, top: str) -> str:
    """Return what is wrong with how a binary classifier is compiled, as far as its settings single it out."""
    training = settings.training_of(model)
    if not training["compiled"]:
        return findings.NOT_COMPILED
    if training["optimizer"] in OTHER_OPTIMIZERS:
        return findings.OTHER_OPTIMIZER.format(actual=training["optimizer"])
    names = {**settings.OTHER_LOSSES, **OTHER_CROSS_ENTROPIES}
    loss = training["loss"]
    if loss == "binarycrossentropy":
        return findings.LOGITS_FOR_SIGMOID if training["from_logits"] and top == "sigmoid" else ""
    return findings.OTHER_LOSS.format(actual=names[loss], expected="the binary cross-entropy") if loss in names else ""


def _compiled_claims(model: Any, seed: int) -> tuple[dict[str, str], str]:
    """Return the claims about compilation, and what the loss takes: PROBABILITIES, LOGITS or "" for another loss."""
    results = {COMPILED: failure_text(model.compiled, "it is not")}
    if not model.compiled:
        return results, ""
    name = model.optimizer.__class__.__name__
    results[ADAM] = failure_text(name in ("Adam", "AdamW", "Nadam"), f"it is {name}")
    probabilities = np.random.default_rng(seed).permutation([0.1, 0.3, 0.6, 0.8])[:, None]
    labels = np.array([[0.0], [1.0], [1.0], [0.0]])
    try:
        loss = float(model.compute_loss(y=labels.astype(np.float32), y_pred=probabilities.astype(np.float32)))
    except Exception as error:  # a name that Keras does not know, or a loss for other targets
        return results | {CROSS_ENTROPY: error_text(error)}, ""
    losses = {
        PROBABILITIES: _cross_entropy(probabilities, labels),
        LOGITS: _cross_entropy(inspection.sigmoid(probabilities), labels),
    }
    loss_input = next((kind for kind, value in losses.items() if abs(loss - value) < 1e-4), "")
    results[CROSS_ENTROPY] = failure_text(
        bool(loss_input), f"where that is {losses[PROBABILITIES]:.3f}, it is {loss:.3f}"
    )
    return results, loss_input


def _last_line(error: Exception) -> str:
    """Return an error's last line, where Keras names the cause of a failed load."""
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {lines[-1][:200]}"


def _training_step_claims(model: Any, arrays: list[np.ndarray], claimed: dict[str, str], seed: int) -> dict[str, str]:
    """Train eagerly on one batch; check the reported metrics and the weight update. Changes the model."""
    if not model.compiled:
        return {}
    rng = np.random.default_rng(seed)
    xs, labels = 3 * rng.normal(size=(BATCH, STEPS, 1)).astype(np.float32), np.arange(BATCH)[:, None] % 2
    equations_hold = not claimed.get(TANH_SIGMOID_EQUATIONS, "no")
    if equations_hold:  # so that the gradient reveals the loss
        arrays = training_step.with_confident_outputs(arrays, xs)
        model.set_weights(inspection.without_added(arrays, inspection.weights(model)))
    model.run_eagerly = True
    try:
        before = inspection.outputs(model, xs)
        reported = model.train_on_batch(xs, labels, return_dict=True)
        accuracies = [float(np.mean((before > threshold) == labels)) for threshold in (0.5, 0)]  # 0: of logits
        results = {REPORTS_ACCURACY: _metric_failure(dict(reported), accuracies)}
    except Exception as error:  # a loss for other targets, or a wrong input shape
        return {REPORTS_ACCURACY: f"a training step fails with {error_text(error)}"}
    return results | (_update_claims(arrays, inspection.weights(model), xs, labels, claimed) if equations_hold else {})


def _metric_failure(reported: dict[str, Any], accuracies: list[float]) -> str:
    """Return "" if one of the metrics is the accuracy, whatever it is called, else what is reported."""
    metrics = {str(name): float(value) for name, value in reported.items() if name != "loss"}
    if "accuracy" in metrics or any(
        abs(value - accuracy) < 1e-6 for value in metrics.values() for accuracy in accuracies
    ):
        return ""
    return f"it reports the loss and {', '.join(sorted(metrics))}" if metrics else NO_METRIC_REPORTED


def _update_claims(
    before: list[np.ndarray], after: list[np.ndarray], xs: np.ndarray, labels: np.ndarray, results: dict[str, str]
) -> dict[str, str]:
    """Check the model's statements about its optimizer and loss against the weight update of one training step."""
    expected, alternative = (
        inspection.without_added(training_step.gradient(before, xs, labels, of_logits), after)
        for of_logits in (training_step.gradient_from_probabilities, training_step.gradient_as_if_logits)
    )
    before = inspection.without_added(before, after)
    down, down_other = (training_step.descends(before, after, slopes) for slopes in (expected, alternative))
    borne_out = {
        ADAM: training_step.has_uniform_step(before, after, expected),
        CROSS_ENTROPY: down or down_other,
        LOSS_FITS_OUTPUTS: down,
    }
    instead = "a training step changed its weights in another way"
    return {
        claim: results[claim] or failure_text(holds, instead) for claim, holds in borne_out.items() if claim in results
    }


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    likelihoods = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.mean(np.log(np.clip(likelihoods, 1e-7, 1))))


def _new_model_claims(model: Any, answer: Callable) -> dict[str, str]:
    """Change the weights of a second model and check that those of the first stay as they are."""

    def look() -> dict[str, str]:
        other, before = answer(), model.get_weights()
        other.set_weights([array + 1 for array in before])
        same = all(map(inspection.allclose, model.get_weights(), before))
        model.set_weights(before)
        return {NEW_MODEL_PER_CALL: failure_text(same, SHARED_WEIGHTS)}

    return guard((NEW_MODEL_PER_CALL,), look)


def sequence_network(answer: Callable, seed: int) -> dict[str, str]:
    """Inspect a custom model class: its outputs, its sizes, saving and loading, and one step of training."""
    inspection.set_seed(answer, seed)
    xs = np.random.default_rng(seed).normal(size=(6, 20, 100)).astype(np.float32)
    model = answer()
    outputs = inspection.outputs(model, xs)
    model = inspection.require_model(model) if model.weights else model
    shaped = outputs.shape == (6, 10)
    total, count = outputs.sum(axis=-1), inspection.count_parameters(model)
    results = {
        OUTPUT_SHAPE: failure_text(shaped, f"for a batch of 6 its shape is {outputs.shape}"),
        ROWS_SUM_TO_1: failure_text(
            inspection.allclose(total, np.ones_like(total)), f"the first sums to {total.flat[0]:.3g}"
        ),
        NETWORK_PARAMETERS: failure_text(count == NETWORK_COUNT, f"it has {count}"),
    }
    arrays = inspection.with_biases(inspection.weights(model))
    if shaped and inspection.are_network_weights(arrays):
        same = inspection.allclose(outputs, inspection.network_outputs(arrays, xs, "relu", "softmax"))
        results[RELU_SOFTMAX_EQUATIONS] = failure_text(same, "with its own weights, NumPy gets others")
    results |= guard((CUSTOM_SIZES,), lambda: _size_claims(answer, xs))
    results[SURVIVES_SAVING] = _saving_failure(model, outputs, xs)
    if shaped:
        results |= guard((LOSS_FALLS,), lambda: _learning_claims(answer, xs))
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _network_fault(answer, model, xs, outputs))
    return results


def _network_fault(answer: Callable, model: Any, xs: np.ndarray, outputs: np.ndarray) -> str:
    """Return what a measurement singles out about a wrong class of networks, or ""."""
    if not model.weights:
        second_outputs = inspection.outputs(model, xs)
        return findings.LAYERS_MADE_IN_CALL if not inspection.allclose(second_outputs, outputs) else ""
    layers, arrays = settings.layers_of(model), inspection.with_biases(inspection.weights(model))
    recurrent = settings.recurrent_layers(layers)
    cells = {layer["class"] for layer in recurrent}
    if cells in ({"LSTM"}, {"GRU"}):
        return findings.OTHER_CELL.format(actual=cells.pop())
    if [layer["class"] for layer in recurrent] == ["SimpleRNN"] and recurrent[0]["units"] != NETWORK_UNITS:
        return findings.WRONG_UNITS.format(actual=recurrent[0]["units"], expected=NETWORK_UNITS)
    returned = _returned_sequences(outputs, layers)
    return returned or _computation_fault(model, arrays, xs, NETWORK) or _configuration_fault(answer, model, xs)


def _configuration_fault(answer: Callable, model: Any, xs: np.ndarray) -> str:
    from rnn_helpers.quietly import keras

    small = answer() if isinstance(model, keras.Sequential) else answer(units=7, classes=3)
    if isinstance(model, keras.Sequential) and "units" not in small.get_config():
        return findings.INHERITS_SEQUENTIAL
    shape = inspection.outputs(small, xs).shape
    if inspection.count_parameters(small) == NETWORK_COUNT and shape[-1] == 10:
        return findings.FIXED_SIZES
    config = small.get_config()
    return "" if {"units", "classes"} & set(config) else findings.CONFIG_WITHOUT_SIZES


def _size_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    small = answer(units=7, classes=3)
    outputs = inspection.outputs(small, xs)
    count = inspection.count_parameters(small)
    return {
        CUSTOM_SIZES: failure_text(
            count == 780 and outputs.shape[-1] == 3,
            f"it has {count} parameters (expected 780) and {outputs.shape[-1]} outputs (expected 3)",
        ),
        CONFIG_HAS_SIZES: _config_failure(small),
        CUSTOM_SIZES_SURVIVE_SAVING: _saving_failure(small, outputs, xs),
    }


def _config_failure(small: Any) -> str:
    """Return "" if get_config returns 7 units and 3 classes, else what it returns or raises."""
    try:
        config = small.get_config()
    except NotImplementedError:
        return "`raise NotImplementedError()` still stands in it"
    except Exception as error:  # the student's method may raise anything; report it unchanged
        return _last_line(error)
    if not isinstance(config, dict):
        return f"it returns {describe(config)}; expected a dict"
    sizes = {name: config.get(name, "nothing") for name in ("units", "classes")}
    returned = f"for units=7, classes=3 it returns {sizes['units']} for units and {sizes['classes']} for classes"
    return failure_text(sizes == {"units": 7, "classes": 3}, returned)


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
    return failure_text(inspection.allclose(reloaded_outputs, outputs), "its outputs differ")


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
        # A scope takes precedence over another class that was registered under the same name.
        names = {type(model).__name__, keras.saving.get_registered_name(type(model))}
        with keras.saving.custom_object_scope(dict.fromkeys(names, type(model))):
            return keras.models.load_model(path)


def _learning_claims(answer: Callable, xs: np.ndarray) -> dict[str, str]:
    """Train a new network for one step on one batch and check that the loss, of its weights, decreases."""
    model, labels = answer(), np.arange(len(xs)) % 10
    outputs = inspection.outputs(model, xs)
    shapes = inspection.find_activations(inspection.with_biases(inspection.weights(model)), xs, outputs)
    if shapes is None:  # what its weights compute is not known
        return {}
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(xs, labels)
    trained = inspection.with_biases(inspection.weights(model))
    later = inspection.network_outputs(trained, xs, *shapes)
    before, after = _clipped_cross_entropy(outputs, labels), _clipped_cross_entropy(later, labels)
    fell = f"it went from {before:.2f} to {after:.2f}"
    return {LOSS_FALLS: failure_text(after < before, fell)}


def _clipped_cross_entropy(outputs: np.ndarray, labels: np.ndarray) -> float:
    """Return the cross-entropy of probabilities as Keras computes it: clipped, with each row normalised."""
    shares = np.clip(outputs, 1e-7, 1 - 1e-7)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log(shares[np.arange(len(labels)), labels])))
