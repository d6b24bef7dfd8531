"""Probe for lesson 11: inspect a digit recogniser, train it, and evaluate it on unseen voices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers import speech
from rnn_helpers.checks import findings
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
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import inspection, settings
from rnn_helpers.checks.keras_probes.inspection import failure_text, find_cause, guard

CLASSES = 11  # ten digits and silence
OTHER_CLASSES, FRAMES = 4, 8
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
    xs = np.random.default_rng(seed).normal(size=(3, FRAMES, speech.BANDS)).astype(np.float32)
    outputs = inspection.outputs(model, xs)
    results = _model_claims(answer, model, xs, outputs, seed)
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _fault(answer, xs))
    return results


def _model_claims(answer: Callable, model: Any, xs: np.ndarray, outputs: np.ndarray, seed: int) -> dict[str, str]:
    stepwise = outputs.shape[:-1] == xs.shape[:2]
    shape = f"for 3 sounds of {FRAMES} frames and {CLASSES} classes its shape is {outputs.shape}"
    results = {OUTPUT_PER_FRAME: failure_text(stepwise, shape)}
    results |= guard((ONE_LOGIT_PER_CLASS,), lambda: _class_claim(answer, xs, outputs))
    if any(results.values()):
        return results
    results |= guard((UNBOUNDED,), lambda: inspection.unbounded_claim(model, lambda: inspection.outputs(model, xs)))
    results |= guard((EARLIER_FRAMES_MATTER, LATER_FRAMES_MATTER), lambda: _context_claims(model, xs))
    results |= guard((COMPILED, LOSS_TAKES_LOGITS), lambda: inspection.loss_claims(model, CLASSES, seed))
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        results |= guard((LOSS_TAKES_LOGITS,), lambda: _learning_claim(answer, xs, seed))
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | guard((BEATS_FRAMEWISE,), lambda: _trained_claims(model, seed))


def _class_claim(answer: Callable, xs: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    other = inspection.outputs(answer(speech.BANDS, OTHER_CLASSES), xs).shape
    each = (outputs.shape[-1], other[-1]) == (CLASSES, OTHER_CLASSES)
    instead = f"for {CLASSES} classes its shape is {outputs.shape}, for {OTHER_CLASSES} classes {other}"
    return {ONE_LOGIT_PER_CLASS: failure_text(each, instead)}


def _learning_claim(answer: Callable, xs: np.ndarray, seed: int) -> dict[str, str]:
    other, labels = answer(speech.BANDS, CLASSES), np.random.default_rng(seed).integers(CLASSES, size=xs.shape[:2])
    return inspection.learning_claim(other, xs, labels, lambda: inspection.outputs(other, xs))


def _effects(model: Any, xs: np.ndarray) -> np.ndarray:
    """Return how much each frame of one sound affects each output: (frames, outputs)."""
    return inspection.effects(lambda rows: inspection.outputs(model, rows), xs[0], xs[1])


def _context_claims(model: Any, xs: np.ndarray) -> dict[str, str]:
    """Change each frame: in a network that reads both ways, it affects all outputs before and after it."""
    table = _effects(model, xs)
    pairs = list(np.ndindex(table.shape))
    return {
        EARLIER_FRAMES_MATTER: inspection.missing_effect(table, ((i, t) for i, t in pairs if i < t), "frame"),
        LATER_FRAMES_MATTER: inspection.missing_effect(table, ((i, t) for i, t in pairs if i > t), "frame"),
    }


def _fault(answer: Callable, xs: np.ndarray) -> str:
    """Return what a measurement singles out about a wrong recogniser, or ""; look at a new, untrained one."""
    model = answer(speech.BANDS, CLASSES)
    layers, outputs = settings.layers_of(model), inspection.outputs(model, xs)
    recurrent = settings.recurrent_layers(layers)
    if outputs.ndim == 2 and recurrent and recurrent[-1].get("return_sequences") is False:
        return findings.RETURNS_LAST_STATE
    if outputs.shape[:-1] != xs.shape[:2]:
        return ""
    other = inspection.outputs(answer(speech.BANDS, OTHER_CLASSES), xs).shape
    if other[-1] == outputs.shape[-1]:
        return findings.FIXED_OUTPUTS.format(actual=other[-1], argument="classes")
    if outputs.shape[-1] != CLASSES:
        return ""
    return (
        _reach_fault(_effects(model, xs) > inspection.NO_EFFECT, layers)
        or settings.find_compilation_fault(model, inspection.are_probabilities(outputs))
        or settings.find_top_fault(layers, outputs)
    )


def _reach_fault(reach: np.ndarray, layers: list[settings.Settings]) -> str:
    """Return the finding for one of the well-known tables of which frames affect which outputs, or ""."""
    frame, output = np.indices(reach.shape)
    forwards, unreversed = frame <= output, frame >= FRAMES - 1 - output
    if settings.lacks_recurrence(layers) and np.array_equal(reach, frame == output):
        return findings.NO_RECURRENT_LAYER
    if not settings.recurrent_layers(layers):
        return ""
    patterns = (
        (forwards, findings.READS_FORWARDS_ONLY),
        (frame >= output, findings.READS_BACKWARDS_ONLY),
        (unreversed, findings.BACKWARDS_NOT_REVERSED),
        (forwards | unreversed, findings.NEVER_REVERSED),
    )
    return next((sentence for pattern, sentence in patterns if np.array_equal(reach, pattern)), "")


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
