"""Probe for lesson 11: inspect a digit recogniser, train it, and evaluate it on unseen voices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers import speech
from rnn_helpers.checks.claims import (
    BEATS_FRAMEWISE,
    COMPILED,
    EARLIER_FRAMES_MATTER,
    LATER_FRAMES_MATTER,
    LOSS_TAKES_LOGITS,
    ONE_LOGIT_PER_CLASS,
    OUTPUT_PER_FRAME,
    UNBOUNDED,
)
from rnn_helpers.checks.keras_probes import inspection
from rnn_helpers.checks.keras_probes.inspection import failure_text

CLASSES = 11  # ten digits and silence
TRAIN_UTTERANCES, TEST_UTTERANCES, BATCH, EPOCHS = 192, 48, 16, 6
PREREQUISITES = (  # checked before training
    UNBOUNDED,
    EARLIER_FRAMES_MATTER,
    LATER_FRAMES_MATTER,
    COMPILED,
    LOSS_TAKES_LOGITS,
)


def framewise(features: int, classes: int) -> Any:
    """Return the baseline: a compiled network that classifies each frame separately."""
    from rnn_helpers.quietly import keras

    layers = [keras.Input((None, features)), keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(classes)])
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def recogniser(answer: Callable, seed: int) -> dict[str, str]:
    """Build a recogniser, inspect it, train it and the baseline, and evaluate both on unseen voices."""
    inspection.set_seed(answer, seed)
    model = inspection.require_model(answer(speech.BANDS, CLASSES))
    xs = np.random.default_rng(seed).normal(size=(3, 12, speech.BANDS)).astype(np.float32)
    outputs = inspection.outputs(model, xs)
    stepwise, other = outputs.shape[:-1] == (3, 12), inspection.outputs(answer(speech.BANDS, 4), xs).shape
    each = outputs.shape[-1] == CLASSES and other[-1] == 4
    shape = f"for 3 sounds of 12 frames and {CLASSES} classes its shape is {outputs.shape}"
    results = {
        OUTPUT_PER_FRAME: failure_text(stepwise, shape),
        ONE_LOGIT_PER_CLASS: failure_text(each, f"{shape}; for 4 classes it is {other}"),
    }
    if not (stepwise and each):
        return results
    results |= inspection.unbounded_claim(model, lambda: inspection.outputs(model, xs))
    results |= _context_claims(model, xs, outputs) | inspection.loss_claims(model, CLASSES, seed)
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        other, labels = answer(speech.BANDS, CLASSES), np.random.default_rng(seed).integers(CLASSES, size=(3, 12))
        results |= inspection.learning_claim(other, xs, labels, lambda: inspection.outputs(other, xs))
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | _trained_claims(model, seed)


def _context_claims(model: Any, xs: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    earlier, later = xs.copy(), xs.copy()
    earlier[:, 2] += 1.0
    later[:, 9] += 1.0
    before = not inspection.allclose(inspection.outputs(model, earlier)[:, 6], outputs[:, 6])
    after = not inspection.allclose(inspection.outputs(model, later)[:, 6], outputs[:, 6])
    return {
        EARLIER_FRAMES_MATTER: failure_text(before, "a frame's output does not depend on earlier frames"),
        LATER_FRAMES_MATTER: failure_text(after, "a frame's output does not depend on later frames"),
    }


def _trained_claims(model: Any, seed: int) -> dict[str, str]:
    training_batch = speech.batch(speech.utterances(TRAIN_UTTERANCES, speech.HEARD, seed))
    test_batch = speech.batch(speech.utterances(TEST_UTTERANCES, speech.UNHEARD, seed + 1))
    inspection.set_seed(framewise, seed)
    baseline = framewise(speech.BANDS, CLASSES)
    errors = []
    for network in (model, baseline):
        _train(network, *training_batch, seed)
        xs, mask, labels = test_batch
        errors.append(float(np.mean((inspection.outputs(network, xs).argmax(axis=-1) != labels)[mask])))
    actual = f"it is wrong in {errors[0]:.0%} of the frames, the frame-wise network in {errors[1]:.0%}"
    return {BEATS_FRAMEWISE: failure_text(errors[0] < errors[1], actual)}


def _train(model: Any, xs: np.ndarray, mask: np.ndarray, labels: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = rng.permutation(len(xs))
        for start in range(0, len(xs), BATCH):
            chosen = order[start : start + BATCH]
            model.train_on_batch(xs[chosen], labels[chosen], sample_weight=mask[chosen].astype(np.float32))
