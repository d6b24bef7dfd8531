"""The probe for lesson 12: an encoder-decoder, looked at, trained to turn sequences around, tried on new ones.

Each symbol is written as another one. Which, only the training shows: the sources alone do not say what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks.claims import (
    CAUSAL,
    COMPILED,
    EARLIER_SYMBOLS_MATTER,
    LOSS_TAKES_LOGITS,
    ONE_LOGIT_PER_SYMBOL,
    OUTPUT_PER_STEP,
    REVERSES_NEW_SEQUENCES,
    SOURCE_MATTERS,
    SOURCE_ORDER_MATTERS,
    UNBOUNDED,
)
from rnn_helpers.checks.keras_probes import inspection
from rnn_helpers.checks.keras_probes.inspection import say

PAD, START, END = 0, 1, 2
SYMBOLS = 11  # eight to be read and written, besides these three
SHORTEST, LONGEST = 3, 5
LEARN_FROM, TRIED_ON, BATCH, READINGS = 1600, 200, 32, 5
EXACT = 0.8
NEEDED = (  # before training makes sense
    UNBOUNDED,
    SOURCE_MATTERS,
    SOURCE_ORDER_MATTERS,
    EARLIER_SYMBOLS_MATTER,
    CAUSAL,
    COMPILED,
    LOSS_TAKES_LOGITS,
)


def alphabet(seed: int) -> np.ndarray:
    """Return, for each symbol that is read, the one that is written for it: (SYMBOLS,)."""
    return np.append(np.arange(3), 3 + np.random.default_rng(seed).permutation(SYMBOLS - 3))


def turned_around(seed: int, number: int, written: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (sources, targets): sequences padded in front, and the same backwards, ended and padded behind.

    written: the symbol that is written for each one read
    """
    rng = np.random.default_rng(seed)
    sources, targets = np.full((number, LONGEST), PAD), np.full((number, LONGEST + 1), PAD)
    for source, target in zip(sources, targets, strict=True):
        length = rng.integers(SHORTEST, LONGEST + 1)
        source[LONGEST - length :] = rng.integers(3, SYMBOLS, size=length)
        target[:length], target[length] = written[source[LONGEST - length :][::-1]], END
    return sources, targets


def encoder_decoder(answer: Callable, seed: int) -> dict[str, str]:
    """Build an encoder-decoder, look at it, train it for a few readings and have it decode new sequences."""
    inspection.seed(answer, seed)
    model = inspection.checked_model(answer(SYMBOLS))
    rng = np.random.default_rng(seed)
    source, given = rng.integers(3, SYMBOLS, size=(4, 5)), rng.integers(3, SYMBOLS, size=(4, 7))
    out = _outputs(model, source, given)
    stepwise, more = out.shape[:-1] == (4, 7), _outputs(answer(SYMBOLS + 6), source, given).shape
    each = out.shape[-1] == SYMBOLS and more[-1] == SYMBOLS + 6
    shape = f"for 4 sources of 5 symbols and 7 symbols written its shape is {out.shape}"
    seen = {
        OUTPUT_PER_STEP: say(stepwise, shape),
        ONE_LOGIT_PER_SYMBOL: say(each, f"{shape}; with {SYMBOLS + 6} symbols it is {more}"),
    }
    if not (stepwise and each):
        return seen
    seen |= inspection.freedom_claim(model, lambda: _outputs(model, source, given))
    seen |= _reading_claims(model, source, given, out) | inspection.loss_claims(model, SYMBOLS, seed)
    if not seen.get(LOSS_TAKES_LOGITS, "no"):
        other, targets = answer(SYMBOLS), rng.integers(3, SYMBOLS, size=given.shape)
        seen |= inspection.learning_claim(other, [source, given], targets, lambda: _outputs(other, source, given))
    if any(seen.get(claim) for claim in NEEDED):
        return seen
    return seen | _trained_claims(model, seed)


def _outputs(model: Any, source: np.ndarray, given: np.ndarray) -> np.ndarray:
    from rnn_helpers.quietly import keras

    tensors = [keras.ops.convert_to_tensor(ids, dtype="int32") for ids in (source, given)]
    return inspection.as_numpy(model(tensors, training=False))


def _reading_claims(model: Any, source: np.ndarray, given: np.ndarray, out: np.ndarray) -> dict[str, str]:
    another, earlier, later = source.copy(), given.copy(), given.copy()
    another[:, 0] = 3 + (another[:, 0] - 2) % (SYMBOLS - 3)
    earlier[:, 1] = 3 + (earlier[:, 1] - 2) % (SYMBOLS - 3)
    later[:, 5:] = 3 + (later[:, 5:] - 2) % (SYMBOLS - 3)
    matters = not inspection.near(_outputs(model, another, given)[:, 0], out[:, 0])
    order = not inspection.near(_outputs(model, np.roll(source, 1, axis=1), given)[:, 0], out[:, 0])
    remembers = not inspection.near(_outputs(model, source, earlier)[:, 3], out[:, 3])
    causal = inspection.near(_outputs(model, source, later)[:, :5], out[:, :5])
    return {
        SOURCE_MATTERS: say(matters, "another source gives the same outputs"),
        SOURCE_ORDER_MATTERS: say(order, "the same symbols in another order give the same outputs"),
        EARLIER_SYMBOLS_MATTER: say(remembers, "only the last symbol written does"),
        CAUSAL: say(causal, "an earlier output changed with it"),
    }


def _trained_claims(model: Any, seed: int) -> dict[str, str]:
    """Train with teacher forcing, decode new sources one symbol at a time, and count those that are right entirely."""
    symbols = alphabet(seed)
    sources, targets = turned_around(seed, LEARN_FROM, symbols)
    given = np.concatenate([np.full((LEARN_FROM, 1), START), targets[:, :-1]], axis=1)
    real = (targets != PAD).astype(np.float32)
    rng = np.random.default_rng(seed)
    for _ in range(READINGS):
        for rows in rng.permutation(LEARN_FROM).reshape(-1, BATCH):
            model.train_on_batch([sources[rows], given[rows]], targets[rows], sample_weight=real[rows])
    sources, targets = turned_around(seed + 1, TRIED_ON, symbols)
    written = np.full((TRIED_ON, 1), START)
    for _ in range(targets.shape[1]):
        best = _outputs(model, sources, written)[:, -1:].argmax(axis=-1)
        written = np.concatenate([written, best], axis=1)
    right = float(np.all((written[:, 1:] == targets) | (targets == PAD), axis=1).mean())
    seen = f"of {TRIED_ON} new sequences it turns {right:.0%} around without a mistake"
    return {REVERSES_NEW_SEQUENCES: say(right >= EXACT, seen)}
