"""Probe for lesson 10: inspect a character model, train it on a synthetic language, evaluate it on held-out text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks.claims import (
    BATCH_INDEPENDENT_WEIGHTS,
    BEATS_BIGRAMS,
    CAUSAL,
    COMPILED,
    KNOWS_ALL_LETTERS,
    LOSS_TAKES_LOGITS,
    NOT_PROBABILITIES,
    ONE_LOGIT_PER_LETTER,
    OUTPUT_PER_STEP,
    PAST_MATTERS,
    STATEFUL,
    UNBOUNDED,
)
from rnn_helpers.checks.keras_probes import inspection
from rnn_helpers.checks.keras_probes.inspection import failure_text
from rnn_helpers.ngrams import ngram_perplexity

LETTERS = 9  # eight letters and the space, which is number 0
BATCH, STEPS, SEGMENTS, EPOCHS = 8, 16, 60, 4
HELD_OUT = 1500  # characters, for the table of pairs
CONTEXTS, CONTEXT, GAP = 256, 24, 8  # held-out contexts, after each of which one character is to be guessed
PREREQUISITES = (  # before training makes sense
    NOT_PROBABILITIES,
    UNBOUNDED,
    PAST_MATTERS,
    COMPILED,
    LOSS_TAKES_LOGITS,
)


def synthetic_language(seed: int, characters: int) -> np.ndarray:
    """Return a text of twelve random words separated by spaces, as ids below LETTERS: (characters,)."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(1, LETTERS, size=length) for length in rng.integers(4, 8, size=12)]
    text: list[int] = []
    while len(text) < characters:
        text += [0, *words[rng.integers(12)]]
    return np.array(text[:characters])


def language_model(answer: Callable, seed: int) -> dict[str, str]:
    """Build a character model, inspect it, train it for a few epochs and evaluate it on unseen text."""
    inspection.set_seed(answer, seed)
    model = inspection.require_model(answer(LETTERS, BATCH))
    ids = np.random.default_rng(seed).integers(0, LETTERS, size=(BATCH, 6))
    outputs = _outputs(model, ids)
    stepwise, each = outputs.shape[:-1] == (BATCH, 6), outputs.shape[-1] == LETTERS
    shape = f"for a batch of {BATCH} with 6 steps and {LETTERS} letters its shape is {outputs.shape}"
    results = {OUTPUT_PER_STEP: failure_text(stepwise, shape), ONE_LOGIT_PER_LETTER: failure_text(each, shape)}
    if not (stepwise and each):
        return results
    results |= _letter_claims(answer) | _output_claims(model, ids, outputs) | _memory_claims(model, ids, outputs)
    results |= inspection.loss_claims(model, LETTERS, seed)
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        results |= _learning_claim(answer, ids)
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | _trained_claims(answer, model, seed)


def _letter_claims(answer: Callable) -> dict[str, str]:
    """Build a model with a larger alphabet than its embedding is wide, and feed it the last letter."""
    letters = 60
    try:
        outputs = _outputs(answer(letters, 2), np.full((2, 3), letters - 1))
    except Exception as error:  # TensorFlow has its own errors for an index outside the table
        return {KNOWS_ALL_LETTERS: f"asked for {letters} letters it fails at the last ({type(error).__name__})"}
    return {
        KNOWS_ALL_LETTERS: failure_text(
            outputs.shape == (2, 3, letters), f"for {letters} letters its shape is {outputs.shape}"
        )
    }


def _output_claims(model: Any, ids: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    total = outputs.sum(axis=-1)
    return {
        NOT_PROBABILITIES: failure_text(
            not inspection.allclose(total, np.ones_like(total), 1e-3), "each row adds up to 1"
        ),
        **inspection.unbounded_claim(model, lambda: _outputs(model, ids)),
    }


def _reset_states(model: Any) -> None:
    """Reset the state of every stateful layer."""
    for layer in model.layers:
        if hasattr(layer, "reset_state"):
            layer.reset_state()


def _outputs(model: Any, ids: np.ndarray, *, reset: bool = True) -> np.ndarray:
    """Return the model's outputs, by default from a reset state."""
    from rnn_helpers.quietly import keras

    if reset:
        _reset_states(model)
    return inspection.as_numpy(model(keras.ops.convert_to_tensor(ids, dtype="int32"), training=False))


def _memory_claims(model: Any, ids: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    changed = ids.copy()
    changed[:, 3:] = (changed[:, 3:] + 1) % LETTERS
    causal = inspection.allclose(_outputs(model, changed)[:, :3], outputs[:, :3])
    _outputs(model, ids[:, :3])
    carried = inspection.allclose(_outputs(model, ids[:, 3:], reset=False), outputs[:, 3:])
    earlier = ids.copy()
    earlier[:, 0] = (earlier[:, 0] + 1) % LETTERS
    remembers = not np.array_equal(_outputs(model, earlier)[:, 2], outputs[:, 2])
    return {
        PAST_MATTERS: failure_text(remembers, "only the last character does"),
        CAUSAL: failure_text(causal, "an earlier output changed with it"),
        STATEFUL: failure_text(carried, "the second call began with an empty memory"),
    }


def _learning_claim(answer: Callable, ids: np.ndarray) -> dict[str, str]:
    """Check that training lowers the loss, on another model, so that this one is not changed."""
    other = answer(LETTERS, BATCH)
    return inspection.learning_claim(other, ids[:, :-1], ids[:, 1:], lambda: _outputs(other, ids[:, :-1]))


def held_out_contexts(text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return disjoint contexts of a text and the character that follows each: (256, 24), (256,)."""
    positions = (CONTEXT + GAP) * np.arange(CONTEXTS)[:, None] + np.arange(CONTEXT + 1)
    rows = text[positions]
    return rows[:, :-1], rows[:, -1]


def _trained_claims(answer: Callable, model: Any, seed: int) -> dict[str, str]:
    """Train on consecutive batches, copy the weights to a model of another batch size, and compare it with bigrams."""
    learnt = BATCH * STEPS * SEGMENTS
    text = synthetic_language(seed, learnt + 1 + CONTEXTS * (CONTEXT + GAP))
    xs = text[:learnt].reshape(BATCH, SEGMENTS, STEPS).swapaxes(0, 1)
    ys = text[1 : learnt + 1].reshape(BATCH, SEGMENTS, STEPS).swapaxes(0, 1)
    for _ in range(EPOCHS):
        _reset_states(model)
        for x, y in zip(xs, ys, strict=True):
            model.train_on_batch(x, y)
    reader = answer(LETTERS, CONTEXTS)
    reader_shapes, model_shapes = [w.shape for w in reader.get_weights()], [w.shape for w in model.get_weights()]
    sizes = {
        BATCH_INDEPENDENT_WEIGHTS: failure_text(
            reader_shapes == model_shapes, f"{model_shapes}, and with a batch of {CONTEXTS} {reader_shapes}"
        )
    }
    if reader_shapes != model_shapes:
        return sizes
    reader.set_weights(model.get_weights())
    held_out = text[learnt + 1 :]
    contexts, following = held_out_contexts(held_out)
    perplexity = float(np.exp(inspection.mean_cross_entropy(_outputs(reader, contexts)[:, -1], following)))
    pairs = ngram_perplexity(text[:learnt], held_out[:HELD_OUT], LETTERS, 2)
    actual = f"its perplexity is {perplexity:.2f}, that of the table {pairs:.2f}"
    return sizes | {BEATS_BIGRAMS: failure_text(perplexity < pairs, actual)}
