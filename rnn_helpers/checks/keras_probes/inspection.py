"""Inspect a Keras model: its weights, its outputs on chosen inputs, its loss and its optimizer.

While a class is graded the model lives in the submission's process, and so does all that it says of itself. What counts
is worked out here: from its weights, taken once as plain arrays, where the layers are known; else from its outputs on
inputs whose targets never leave the judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnn_helpers.checks.claims import COMPILED, LOSS_TAKES_LOGITS, UNBOUNDED
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.properties import UngradableAnswerError

FLOAT32 = 1e-5  # Keras computes in float32: seven digits, of which a few sums cost two
NO_EFFECT = 1e-6  # a smaller difference of outputs may be rounding
TRAINING_STEPS = 6  # on one batch: enough for any correctly configured optimizer to reduce the loss


def require_model(model: Any) -> Any:
    """Return `model` if it is a Keras model with finite weights; raise UngradableAnswerError otherwise."""
    from rnn_helpers.quietly import keras

    if isinstance(model, type):
        raise UngradableAnswerError(f"expected a model, got {describe(model)}")
    if isinstance(model, keras.callbacks.History):
        raise UngradableAnswerError(
            "expected a model, got a History: that is what fit returns. Return the model itself"
        )
    if not isinstance(model, keras.Model):
        raise UngradableAnswerError(f"expected a Keras model, got {describe(model)}")
    if not model.built or not model.weights:
        raise UngradableAnswerError("the model has no weights yet: begin it with keras.Input(shape=(steps, features))")
    for variable in model.weights:
        if not np.all(np.isfinite(as_numpy(variable))):
            raise UngradableAnswerError(
                f"weights of shape {variable.shape} hold nan or inf; such a model answers nothing"
            )
    return model


def set_seed(answer: Any, number: int) -> None:
    """Set the seeds of Python, NumPy and Keras in the answer's process.

    The seed is derived from `number`, not equal to it: the judge draws its data from `number`, and the answer must not.
    """
    run_colocated(
        answer, "rnn_helpers.quietly:set_random_seed", int(np.random.default_rng([number, 1]).integers(2**31))
    )


def as_numpy(tensor: Any) -> np.ndarray:
    """Return a copy of a Keras tensor or variable as an array."""
    return np.array(tensor)


def weights(model: Any) -> list[np.ndarray]:
    """Return the trainable weights as arrays, in the order in which the layers use them."""
    return [as_numpy(variable) for variable in model.trainable_weights]


def count_parameters(model: Any) -> int:
    """Return the number of parameters, trainable or not."""
    return sum(as_numpy(variable).size for variable in model.weights)


def with_biases(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the weights of a simple RNN and its readout with zeros for the biases that they leave out."""
    shapes = [array.ndim for array in arrays]
    if shapes in ([2, 2, 2], [2, 2, 2, 1]):
        arrays = [*arrays[:2], np.zeros(len(arrays[1])), *arrays[2:]]
    if [array.ndim for array in arrays] == [2, 2, 1, 2]:
        arrays = [*arrays, np.zeros(arrays[3].shape[1])]
    return arrays


def without_added(arrays: list[np.ndarray], model_arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return five arrays without the biases that a model with the weights `model_arrays` leaves out."""
    has_array = [True, True, model_arrays[2].ndim == 1, True, model_arrays[-1].ndim == 1]
    return [array for array, present in zip(arrays, has_array, strict=True) if present]


def biases_have_moved(arrays: list[np.ndarray]) -> bool:
    """Return whether training has moved the biases away from Keras' initial zeros; True if there are none."""
    biases = [array for array in arrays if array.ndim == 1 and array.size]
    return not biases or max(float(np.abs(array).max()) for array in biases) > 1e-6


def outputs(model: Any, xs: np.ndarray) -> np.ndarray:
    """Return the model's outputs for `xs` in inference mode, as an array."""
    actual_outputs = model(xs.astype(np.float32), training=False)
    if actual_outputs is None:
        raise UngradableAnswerError("calling the model gives None: is the return missing in its call method?")
    return as_numpy(actual_outputs)


def states_and_logits(arrays: list[np.ndarray], xs: np.ndarray, activation: str) -> tuple[np.ndarray, np.ndarray]:
    """Run a simple RNN and its readout with five weights (kernel, recurrent kernel, bias, readout, its bias)."""
    W_xh, W_hh, b_h, W_hy, b_y = (array.astype(float) for array in arrays)
    f = ACTIVATIONS[activation]
    h, hs = np.zeros((len(xs), len(W_hh))), np.empty((*xs.shape[:2], len(W_hh)))
    for t in range(xs.shape[1]):
        h = hs[:, t] = f(xs[:, t].astype(float) @ W_xh + h @ W_hh + b_h)
    return hs, hs @ W_hy + b_y


def are_network_weights(arrays: list[np.ndarray]) -> bool:
    """Return whether the arrays have the shapes of the equations: (D, H), (H, H), (H,), (H, C), (C,)."""
    if [array.ndim for array in arrays] != [2, 2, 1, 2, 1]:
        return False
    W_xh, W_hh, b_h, W_hy, b_y = arrays
    units = W_xh.shape[1]
    return W_hh.shape == (units, units) and b_h.shape == (units,) and W_hy.shape == (units, len(b_y))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-logits)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return exp(logits) over its sum along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0.0),
    "sigmoid": sigmoid,
}
OUTPUT_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": sigmoid,
    "softmax": softmax,
    "linear": lambda a: a,
}


def network_outputs(arrays: list[np.ndarray], xs: np.ndarray, activation: str, top: str) -> np.ndarray:
    """Return the outputs of a simple RNN with these weights after the last step: (batch, classes)."""
    return OUTPUT_ACTIVATIONS[top](states_and_logits(arrays, xs, activation)[1][:, -1])


def find_activations(arrays: list[np.ndarray], xs: np.ndarray, actual_outputs: np.ndarray) -> tuple[str, str] | None:
    """Return the activations (hidden, output) with which a simple RNN gives `actual_outputs` for `xs`, or None."""
    if not are_network_weights(arrays) or arrays[0].shape[0] != xs.shape[-1]:
        return None
    pairs = ((inside, top) for inside in ACTIVATIONS for top in OUTPUT_ACTIVATIONS)
    return next((pair for pair in pairs if allclose(actual_outputs, network_outputs(arrays, xs, *pair))), None)


def allclose(a: np.ndarray, b: np.ndarray, tolerance: float = FLOAT32) -> bool:
    """Return whether two arrays have the same shape and agree within `tolerance`, relative for large values."""
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= tolerance * (1 + np.abs(b))))


def range_failure(actual_outputs: np.ndarray) -> str:
    """Return "" if all outputs are between 0 and 1, else their range."""
    reach = f"they reach from {actual_outputs.min():.3g} to {actual_outputs.max():.3g}"
    return failure_text(bool(np.all((actual_outputs >= 0) & (actual_outputs <= 1))), reach)


def are_probabilities(outputs: np.ndarray) -> bool:
    """Return whether the last axis holds numbers that sum to 1."""
    total = outputs.sum(axis=-1)
    return allclose(total, np.ones_like(total), 1e-3) and float(outputs.min()) >= 0


def unbounded_claim(model: Any, ask: Callable[[], np.ndarray]) -> dict[str, str]:
    """Check that the outputs are unbounded: with ten times the weights, `ask()` must reach far in both directions."""
    weights = model.get_weights()
    model.set_weights([10 * array for array in weights])
    try:
        far = ask()
    finally:
        model.set_weights(weights)
    free = bool(far.min() < -1.5 and far.max() > 1.5)
    return {
        UNBOUNDED: failure_text(
            free, f"with weights ten times as large they still reach only from {far.min():.3g} to {far.max():.3g}"
        )
    }


def loss_claims(model: Any, classes: int, seed: int) -> dict[str, str]:
    """Check that the model is compiled with the cross-entropy of logits and integer targets."""
    results = {COMPILED: failure_text(model.compiled, "it is not")}
    if not model.compiled:
        return results
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(2, 5, classes)).astype(np.float32)
    targets = rng.integers(classes, size=(2, 5))
    true = mean_cross_entropy(logits, targets)
    try:
        loss = float(model.compute_loss(y=targets, y_pred=logits))
    except Exception as error:  # a loss for other targets; TensorFlow has errors of its own
        return results | {LOSS_TAKES_LOGITS: error_text(error)}
    wrong = f"for logits whose cross-entropy is {true:.3f} it gives {loss:.3f}"
    return results | {LOSS_TAKES_LOGITS: failure_text(abs(loss - true) < 1e-3, wrong)}


def learning_claim(model: Any, xs: Any, targets: np.ndarray, ask: Callable[[], np.ndarray]) -> dict[str, str]:
    """Train eagerly for a few steps on one batch and check that the loss decreases.

    ask: returns the model's outputs for `xs`; the loss is computed here
    """
    model.run_eagerly = True  # a graph would take longer to make than the steps
    before = mean_cross_entropy(ask(), targets)
    try:
        for _ in range(TRAINING_STEPS):
            model.train_on_batch(xs, targets)
    except Exception as error:  # Keras and TensorFlow may raise anything
        return {LOSS_TAKES_LOGITS: f"a training step failed with {error_text(error)}"}
    after = mean_cross_entropy(ask(), targets)
    actual = f"in {TRAINING_STEPS} training steps the cross-entropy of one batch went from {before:.3f} to {after:.3f}"
    return {LOSS_TAKES_LOGITS: failure_text(after < before - 1e-5, actual)}


def mean_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean cross-entropy of logits, in nats."""
    probabilities = np.take_along_axis(softmax(logits.astype(float)), targets[..., None], axis=-1)
    return float(-np.mean(np.log(np.maximum(probabilities, 1e-30))))


def effects(ask: Callable[[np.ndarray], np.ndarray], base: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Return how much each input of one sequence affects each output: (inputs, outputs).

    base: the sequence; changed: another with which it is replaced in one place at a time; ask: the model
    """
    rows = np.repeat(base[None], len(base) + 1, axis=0)
    for position in range(len(base)):
        rows[position + 1, position] = changed[position]
    answers = ask(rows).astype(float)
    return np.abs(answers[1:] - answers[:1]).max(axis=-1)


def missing_effect(table: np.ndarray, pairs: Iterator[tuple[int, int]], noun: str) -> str:
    """Return "" if every one of `pairs` (input, output) has an effect, else a sentence about the first without."""
    for i, t in pairs:
        if table[i, t] <= NO_EFFECT:
            return f"changing {noun} {i + 1} of {len(table)} changes nothing in output {t + 1}"
    return ""


def early_effect(table: np.ndarray, noun: str) -> str:
    """Return "" if no input affects an earlier output, else a sentence about the first that does."""
    for i, t in np.argwhere(table > FLOAT32):
        if i > t:
            return f"changing {noun} {i + 1} changes output {t + 1}"
    return ""


def guard(claims: tuple[str, ...], look: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return `look()`; if it raises, these claims fail with the error, and only these."""
    try:
        return look()
    except Exception as error:  # Keras, TensorFlow and the student's methods may raise anything
        return dict.fromkeys(claims, error_text(error))


def error_text(error: Exception) -> str:
    """Return an error as one line; of one from Keras or TensorFlow, the part that gives the reason."""
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]|\x1b\[[0-9;]*m", "", str(error))
    text = text.partition("Arguments received by")[0]
    lines = [line.strip() for line in text.splitlines()]
    reason = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    return f"{type(error).__name__}: {' '.join(reason)[:300].rstrip('.') or 'no message'}"


def find_cause(look: Callable[[], str]) -> str:
    """Return the finding that `look` measures; "" if it fails, because a model may be anything."""
    try:
        return look()
    except Exception:  # no cause is named then
        return ""


def failure_text(holds: bool, instead: str) -> str:
    """Return "" if a claim holds, else `instead`, what was observed."""
    return "" if holds else instead
