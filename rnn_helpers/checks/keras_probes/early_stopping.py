"""Probe for lesson 08: training that stops in time, evaluated by the weights that it leaves behind.

With all sequences in one batch, training is deterministic: the judge repeats it in NumPy, epoch by epoch, and compares
the model's weights with those of every epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import BEST_EPOCH_RETURNED, BEST_WEIGHTS_RESTORED, MODEL_TRAINED
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.comparison import describe
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import inspection, settings, training_step
from rnn_helpers.checks.keras_probes.inspection import failure_text, find_cause

UNITS, STEPS = 8, 10
TRAIN, VALID = 64, 200  # sequences
NOISE = 0.2  # the share of labels that are wrong, so that learning them by heart increases the validation loss
RATE, MAX_EPOCHS, PATIENCE = 0.01, 100, 10
FIRST_BEST, LAST_BEST = 15, 60  # the best epoch of a usable seed
MIN_RISE = 0.01  # of the validation loss within PATIENCE epochs after the best one
SAME_LOSS = 1e-5  # float32 on Keras' side costs 1e-6; neighbouring epochs near the best differ by 1e-4
MIN_DECREASE = 0.01  # of the loss on the training data; the first two epochs of the training reach it
SAME_WEIGHTS = 1e-3  # one step of Adam changes a weight by up to RATE
Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Trajectory:
    """The weights after each epoch, beginning with those before training, and the validation loss of each."""

    weights: list[Arrays]
    losses: np.ndarray

    @property
    def best(self) -> int:
        """Return the epoch with the lowest validation loss, counted from 1; the start does not count."""
        return int(np.argmin(self.losses[1:])) + 1

    def find_epoch(self, arrays: Arrays) -> int | None:
        """Return the epoch that has these weights, 0 for the start, or None."""
        if [array.shape for array in arrays] != [array.shape for array in self.weights[0]]:
            return None
        distances = [
            max(np.abs(a - b).max() for a, b in zip(arrays, epoch_weights, strict=True))
            for epoch_weights in self.weights
        ]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] < SAME_WEIGHTS else None


def noisy_data(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (xs, labels, xs_valid, labels_valid): does the sum of the last three steps exceed 0, with wrong labels.

    xs: (sequences, 10, 1); labels: (sequences,) of 0 and 1
    """
    rng, count = np.random.default_rng(seed), TRAIN + VALID
    xs = rng.uniform(-2, 2, size=(count, STEPS, 1)).astype(np.float32)
    wrong = rng.random(count) < NOISE
    labels = ((xs[:, -3:].sum(axis=(1, 2)) > 0) ^ wrong).astype(int)
    return xs[:TRAIN], labels[:TRAIN], xs[TRAIN:], labels[TRAIN:]


def initial_weights(seed: int) -> Arrays:
    """Return the weights that the model starts with, as float32: kernel, recurrent kernel, bias, readout, its bias."""
    rng = np.random.default_rng([seed, 1])
    orthogonal, _ = np.linalg.qr(rng.normal(size=(UNITS, UNITS)))
    kernel, readout = rng.uniform(-0.8, 0.8, size=(1, UNITS)), rng.uniform(-0.8, 0.8, size=(UNITS, 1))
    arrays = [kernel, orthogonal, np.zeros(UNITS), readout, np.zeros(1)]
    return [array.astype(np.float32) for array in arrays]


def build_model(arrays: Arrays) -> Any:
    """Return the compiled model that the answer trains, with these weights."""
    from rnn_helpers.quietly import keras

    model = keras.Sequential(
        [
            keras.Input((STEPS, 1)),
            keras.layers.SimpleRNN(UNITS),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy", metrics=["accuracy"])
    model.set_weights(arrays)
    return model


def cross_entropy(arrays: Arrays, xs: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean binary cross-entropy, in nats."""
    logits = inspection.states_and_logits(arrays, xs, "tanh")[1][:, -1, 0]
    return float(np.mean(np.logaddexp(0, logits) - labels * logits))


def train_in_numpy(
    arrays: Arrays, xs: np.ndarray, labels: np.ndarray, xs_valid: np.ndarray, labels_valid: np.ndarray
) -> Trajectory:
    """Train for MAX_EPOCHS with all sequences in one batch and Adam as Keras computes it."""
    current = [array.astype(float) for array in arrays]
    mean, square = [np.zeros_like(array) for array in current], [np.zeros_like(array) for array in current]
    trajectory = [current]
    for step in range(1, MAX_EPOCHS + 1):
        slopes = training_step.gradient(current, xs, labels[:, None], training_step.gradient_from_probabilities)
        mean = [0.9 * m + 0.1 * g for m, g in zip(mean, slopes, strict=True)]
        square = [0.999 * s + 0.001 * g**2 for s, g in zip(square, slopes, strict=True)]
        rate = RATE * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        current = [w - rate * m / (np.sqrt(s) + 1e-7) for w, m, s in zip(current, mean, square, strict=True)]
        trajectory.append(current)
    return Trajectory(
        trajectory, np.array([cross_entropy(epoch_weights, xs_valid, labels_valid) for epoch_weights in trajectory])
    )


@lru_cache(maxsize=4)
def expected_training(seed: int) -> Trajectory:
    """Return the training that the task asks for, without stopping."""
    return train_in_numpy(initial_weights(seed), *noisy_data(seed))


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a seed whose validation loss has one clear minimum, which early stopping finds."""
    while True:
        seed = int(rng.integers(2**31))
        trajectory = expected_training(seed)
        losses, best = trajectory.losses, trajectory.best
        if not FIRST_BEST <= best <= LAST_BEST or losses[best + PATIENCE] - losses[best] < MIN_RISE:
            continue
        so_far = np.minimum.accumulate(losses[1 : best + 1])
        since = np.diff(np.flatnonzero(np.diff(so_far) < 0), prepend=-1, append=best - 1)
        if since.max() < PATIENCE - 2:  # no earlier pause comes near the patience
            return seed


def trained_with_early_stopping(answer: Callable, seed: int) -> dict[str, str]:
    """Let the answer train a model; compare the weights that it leaves with those of each epoch."""
    inspection.set_seed(answer, seed)
    data, trajectory = noisy_data(seed), expected_training(seed)
    model = run_colocated(answer, f"{__name__}:build_model", initial_weights(seed))
    returned = answer(model, *(part.copy() for part in data))
    arrays = inspection.weights(model)
    epoch = trajectory.find_epoch(arrays)
    results = {MODEL_TRAINED: _untrained(arrays, epoch, trajectory, data)}
    if not results[MODEL_TRAINED]:
        results |= _best_claims(arrays, epoch, returned, trajectory, data)
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _fault(model, arrays, epoch, returned, seed))
    return results


def _untrained(arrays: Arrays, epoch: int | None, trajectory: Trajectory, data: tuple) -> str:
    """Return "" if the model was trained, in whatever way, else what was observed instead."""
    if epoch == 0:
        return "its weights are those that it started with"
    if [array.shape for array in arrays] != [array.shape for array in trajectory.weights[0]]:
        return f"its weights have the shapes {[array.shape for array in arrays]}"
    before, after = (cross_entropy(weights, *data[:2]) for weights in (trajectory.weights[0], arrays))
    return failure_text(
        after < before - MIN_DECREASE, f"its loss on the training data is {after:.3f}, {before:.3f} at first"
    )


def _best_claims(arrays: Arrays, epoch: int | None, returned: Any, trajectory: Trajectory, data: tuple) -> dict:
    lowest = float(trajectory.losses[trajectory.best])
    actual = cross_entropy(arrays, *data[2:])
    restored = epoch is not None and actual - lowest < SAME_LOSS
    ended = f"its validation loss is {actual:.4f}; the lowest one, after epoch {trajectory.best}, is {lowest:.4f}"
    number = _whole_number(returned)
    in_range = number is not None and 1 <= number <= MAX_EPOCHS
    correct = in_range and bool(trajectory.losses[number] - lowest < SAME_LOSS)
    got = f"it is {trajectory.best}; you return {describe(returned) if number is None else number}"
    return {BEST_WEIGHTS_RESTORED: failure_text(restored, ended), BEST_EPOCH_RETURNED: failure_text(correct, got)}


def _whole_number(returned: Any) -> int | None:
    """Return a whole number as an int, None for anything else."""
    try:
        value = float(returned)
    except (TypeError, ValueError):
        return None
    return int(value) if value.is_integer() else None


def _fault(model: Any, arrays: Arrays, epoch: int | None, returned: Any, seed: int) -> str:
    """Return what a measurement singles out about wrong training, or ""."""
    trajectory = expected_training(seed)
    if epoch == 0:
        return findings.MODEL_UNCHANGED
    if epoch is None:
        return _other_training(model, arrays, seed)
    if trajectory.losses[epoch] - trajectory.losses[trajectory.best] >= SAME_LOSS:
        return _other_epoch(model, epoch, trajectory.best)
    return _wrong_number(_whole_number(returned), trajectory.best)


def _other_epoch(model: Any, epoch: int, best: int) -> str:
    """Return the finding for a model with the weights of this epoch, which is not the best one."""
    if epoch == MAX_EPOCHS:
        return findings.LAST_EPOCH_KEPT.format(epochs=MAX_EPOCHS)
    if abs(epoch - best - PATIENCE) <= 1:
        return findings.STOPPED_WITHOUT_RESTORING
    ended = settings.training_of(model)["iterations"] == epoch
    return findings.TRAINING_TOO_SHORT if ended and epoch < best else findings.WEIGHTS_OF_OTHER_EPOCH


def _wrong_number(number: int | None, best: int) -> str:
    """Return the finding for a model with its best weights and this number of the epoch, or ""."""
    if number == best - 1:
        return findings.EPOCH_FROM_0
    return findings.STOPPING_EPOCH if number is not None and abs(number - best - PATIENCE) <= 1 else ""


def _other_training(model: Any, arrays: Arrays, seed: int) -> str:
    """Return what was trained on, where the weights are those of no epoch of the training that was asked for."""
    xs, labels, xs_valid, labels_valid = noisy_data(seed)
    start = initial_weights(seed)
    for other_xs, other_labels in (
        (np.concatenate([xs, xs_valid]), np.concatenate([labels, labels_valid])),
        (xs_valid, labels_valid),
    ):
        other = train_in_numpy(start, other_xs, other_labels, xs_valid, labels_valid)
        if other.find_epoch(arrays):
            return findings.TRAINED_ON_VALIDATION
    steps = settings.training_of(model)["steps"]
    return findings.MANY_BATCHES if steps > 1 else ""
