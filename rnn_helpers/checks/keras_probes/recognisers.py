"""The probe for lesson 11: a recogniser of digits, looked at, trained, and tried on voices that it has never heard."""

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
from rnn_helpers.checks.keras_probes.inspection import say

CLASSES = 11  # ten digits and silence
LEARN_FROM, TRIED_ON, BATCH, READINGS = 192, 48, 16, 6
NEEDED = (  # before training makes sense
    UNBOUNDED,
    EARLIER_FRAMES_MATTER,
    LATER_FRAMES_MATTER,
    COMPILED,
    LOSS_TAKES_LOGITS,
)


def framewise(features: int, classes: int) -> Any:
    """Return the rival: a compiled network that hears one frame at a time."""
    from rnn_helpers.quietly import keras

    layers = [keras.Input((None, features)), keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(classes)])
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def recogniser(answer: Callable, seed: int) -> dict[str, str]:
    """Build a recogniser, look at it, train it next to its rival, and try both on new voices."""
    inspection.seed(answer, seed)
    model = inspection.checked_model(answer(speech.BANDS, CLASSES))
    xs = np.random.default_rng(seed).normal(size=(3, 12, speech.BANDS)).astype(np.float32)
    given = inspection.outputs(model, xs)
    stepwise, other = given.shape[:-1] == (3, 12), inspection.outputs(answer(speech.BANDS, 4), xs).shape
    each = given.shape[-1] == CLASSES and other[-1] == 4
    shape = f"for 3 sounds of 12 frames and {CLASSES} classes its shape is {given.shape}"
    seen = {
        OUTPUT_PER_FRAME: say(stepwise, shape),
        ONE_LOGIT_PER_CLASS: say(each, f"{shape}; for 4 classes it is {other}"),
    }
    if not (stepwise and each):
        return seen
    seen |= inspection.freedom_claim(model, lambda: inspection.outputs(model, xs))
    seen |= _hearing_claims(model, xs, given) | inspection.loss_claims(model, CLASSES, seed)
    if not seen.get(LOSS_TAKES_LOGITS, "no"):
        other, labels = answer(speech.BANDS, CLASSES), np.random.default_rng(seed).integers(CLASSES, size=(3, 12))
        seen |= inspection.learning_claim(other, xs, labels, lambda: inspection.outputs(other, xs))
    if any(seen.get(claim) for claim in NEEDED):
        return seen
    return seen | _trained_claims(model, seed)


def _hearing_claims(model: Any, xs: np.ndarray, given: np.ndarray) -> dict[str, str]:
    earlier, later = xs.copy(), xs.copy()
    earlier[:, 2] += 1.0
    later[:, 9] += 1.0
    before = not inspection.near(inspection.outputs(model, earlier)[:, 6], given[:, 6])
    after = not inspection.near(inspection.outputs(model, later)[:, 6], given[:, 6])
    return {
        EARLIER_FRAMES_MATTER: say(before, "a frame's output does not depend on earlier frames"),
        LATER_FRAMES_MATTER: say(after, "a frame's output does not depend on later frames"),
    }


def _trained_claims(model: Any, seed: int) -> dict[str, str]:
    heard = speech.batch(speech.utterances(LEARN_FROM, speech.HEARD, seed))
    unheard = speech.batch(speech.utterances(TRIED_ON, speech.UNHEARD, seed + 1))
    inspection.seed(framewise, seed)
    rival = framewise(speech.BANDS, CLASSES)
    errors = []
    for one in (model, rival):
        _train(one, *heard, seed)
        xs, mask, labels = unheard
        errors.append(float(np.mean((inspection.outputs(one, xs).argmax(axis=-1) != labels)[mask])))
    seen = f"it is wrong in {errors[0]:.0%} of the frames, the frame-wise network in {errors[1]:.0%}"
    return {BEATS_FRAMEWISE: say(errors[0] < errors[1], seen)}


def _train(model: Any, xs: np.ndarray, mask: np.ndarray, labels: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(READINGS):
        order = rng.permutation(len(xs))
        for start in range(0, len(xs), BATCH):
            chosen = order[start : start + BATCH]
            model.train_on_batch(xs[chosen], labels[chosen], sample_weight=mask[chosen].astype(np.float32))
