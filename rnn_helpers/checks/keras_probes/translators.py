"""Probe for lesson 12: inspect an encoder-decoder, train it to reverse sequences, evaluate it on unseen ones.

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
from rnn_helpers.checks.keras_probes.inspection import failure_text

PAD, START, END = 0, 1, 2
SYMBOLS = 11  # eight ordinary symbols and these three
MIN_LENGTH, MAX_LENGTH = 3, 5
TRAIN_PAIRS, TEST_PAIRS, BATCH, EPOCHS = 1600, 200, 32, 5
MIN_EXACT_MATCH = 0.8
PREREQUISITES = (  # checked before training
    UNBOUNDED,
    SOURCE_MATTERS,
    SOURCE_ORDER_MATTERS,
    EARLIER_SYMBOLS_MATTER,
    CAUSAL,
    COMPILED,
    LOSS_TAKES_LOGITS,
)


def substitution(seed: int) -> np.ndarray:
    """Return the target symbol for each source symbol: (SYMBOLS,)."""
    return np.append(np.arange(3), 3 + np.random.default_rng(seed).permutation(SYMBOLS - 3))


def reversed_pairs(seed: int, number: int, written: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (sources, targets): left-padded sequences, and the same reversed, with END and right padding.

    written: the target symbol for each source symbol
    """
    rng = np.random.default_rng(seed)
    sources, targets = np.full((number, MAX_LENGTH), PAD), np.full((number, MAX_LENGTH + 1), PAD)
    for source, target in zip(sources, targets, strict=True):
        length = rng.integers(MIN_LENGTH, MAX_LENGTH + 1)
        source[MAX_LENGTH - length :] = rng.integers(3, SYMBOLS, size=length)
        target[:length], target[length] = written[source[MAX_LENGTH - length :][::-1]], END
    return sources, targets


def encoder_decoder(answer: Callable, seed: int) -> dict[str, str]:
    """Build an encoder-decoder, inspect it, train it for a few epochs and decode unseen sequences."""
    inspection.set_seed(answer, seed)
    model = inspection.require_model(answer(SYMBOLS))
    rng = np.random.default_rng(seed)
    source, decoder_input = rng.integers(3, SYMBOLS, size=(4, 5)), rng.integers(3, SYMBOLS, size=(4, 7))
    outputs = _outputs(model, source, decoder_input)
    stepwise, larger_shape = outputs.shape[:-1] == (4, 7), _outputs(answer(SYMBOLS + 6), source, decoder_input).shape
    each = outputs.shape[-1] == SYMBOLS and larger_shape[-1] == SYMBOLS + 6
    shape = f"for 4 sources of 5 symbols and 7 symbols written its shape is {outputs.shape}"
    results = {
        OUTPUT_PER_STEP: failure_text(stepwise, shape),
        ONE_LOGIT_PER_SYMBOL: failure_text(each, f"{shape}; with {SYMBOLS + 6} symbols it is {larger_shape}"),
    }
    if not (stepwise and each):
        return results
    results |= inspection.unbounded_claim(model, lambda: _outputs(model, source, decoder_input))
    results |= _dependence_claims(model, source, decoder_input, outputs) | inspection.loss_claims(model, SYMBOLS, seed)
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        other, targets = answer(SYMBOLS), rng.integers(3, SYMBOLS, size=decoder_input.shape)
        results |= inspection.learning_claim(
            other, [source, decoder_input], targets, lambda: _outputs(other, source, decoder_input)
        )
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | _trained_claims(model, seed)


def _outputs(model: Any, source: np.ndarray, decoder_input: np.ndarray) -> np.ndarray:
    from rnn_helpers.quietly import keras

    tensors = [keras.ops.convert_to_tensor(ids, dtype="int32") for ids in (source, decoder_input)]
    return inspection.as_numpy(model(tensors, training=False))


def _dependence_claims(
    model: Any, source: np.ndarray, decoder_input: np.ndarray, outputs: np.ndarray
) -> dict[str, str]:
    another, earlier, later = source.copy(), decoder_input.copy(), decoder_input.copy()
    another[:, 0] = 3 + (another[:, 0] - 2) % (SYMBOLS - 3)
    earlier[:, 1] = 3 + (earlier[:, 1] - 2) % (SYMBOLS - 3)
    later[:, 5:] = 3 + (later[:, 5:] - 2) % (SYMBOLS - 3)
    matters = not inspection.allclose(_outputs(model, another, decoder_input)[:, 0], outputs[:, 0])
    order = not inspection.allclose(_outputs(model, np.roll(source, 1, axis=1), decoder_input)[:, 0], outputs[:, 0])
    remembers = not inspection.allclose(_outputs(model, source, earlier)[:, 3], outputs[:, 3])
    causal = inspection.allclose(_outputs(model, source, later)[:, :5], outputs[:, :5])
    return {
        SOURCE_MATTERS: failure_text(matters, "another source gives the same outputs"),
        SOURCE_ORDER_MATTERS: failure_text(order, "the same symbols in another order give the same outputs"),
        EARLIER_SYMBOLS_MATTER: failure_text(remembers, "only the last symbol written does"),
        CAUSAL: failure_text(causal, "an earlier output changed with it"),
    }


def _trained_claims(model: Any, seed: int) -> dict[str, str]:
    """Train with teacher forcing, decode unseen sources greedily, and count exact matches."""
    symbols = substitution(seed)
    sources, targets = reversed_pairs(seed, TRAIN_PAIRS, symbols)
    decoder_input = np.concatenate([np.full((TRAIN_PAIRS, 1), START), targets[:, :-1]], axis=1)
    real = (targets != PAD).astype(np.float32)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for rows in rng.permutation(TRAIN_PAIRS).reshape(-1, BATCH):
            model.train_on_batch([sources[rows], decoder_input[rows]], targets[rows], sample_weight=real[rows])
    sources, targets = reversed_pairs(seed + 1, TEST_PAIRS, symbols)
    written = np.full((TEST_PAIRS, 1), START)
    for _ in range(targets.shape[1]):
        best = _outputs(model, sources, written)[:, -1:].argmax(axis=-1)
        written = np.concatenate([written, best], axis=1)
    exact_share = float(np.all((written[:, 1:] == targets) | (targets == PAD), axis=1).mean())
    actual = f"of {TEST_PAIRS} new sequences it turns {exact_share:.0%} around without a mistake"
    return {REVERSES_NEW_SEQUENCES: failure_text(exact_share >= MIN_EXACT_MATCH, actual)}
