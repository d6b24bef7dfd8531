"""The probe for lesson 10: a character model, looked at, trained on a made-up language, tried on text kept aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.models import seeing
from rnn_helpers.models.seeing import say
from rnn_helpers.ngrams import ngram_perplexity

LETTERS = 9  # eight letters and the space, which is number 0
BATCH, STEPS, PIECES, READINGS = 8, 16, 60, 4
HELD_OUT = 1500  # characters


def made_up_language(seed: int, characters: int) -> np.ndarray:
    """Return a text of twelve made-up words with spaces between them, as numbers below LETTERS: (characters,)."""
    rng = np.random.default_rng(seed)
    words = [rng.integers(1, LETTERS, size=length) for length in rng.integers(4, 8, size=12)]
    text: list[int] = []
    while len(text) < characters:
        text += [0, *words[rng.integers(12)]]
    return np.array(text[:characters])


def language_model(answer: Callable, seed: int) -> dict[str, str]:
    """Build a character model, look at it, train it for a few readings and try it on text it has not seen."""
    from rnn_helpers.quietly import keras

    keras.utils.set_random_seed(seed)
    model = seeing.checked_model(answer(LETTERS, BATCH))
    ids = np.random.default_rng(seed).integers(0, LETTERS, size=(BATCH, 6))
    given = _read(model, ids)
    shaped = given.shape == (BATCH, 6, LETTERS)
    shape = "it makes (batch, steps, letters) of (batch, steps)"
    seen = {shape: say(shaped, f"for a batch of {BATCH} with 6 steps and {LETTERS} letters: {given.shape}")}
    if not shaped:
        return seen
    seen |= _reading_claims(model, ids, given) | _loss_claims(model)
    if seen["its outputs are logits"] or seen["it is compiled"]:
        return seen
    return seen | _trained_claims(answer, model, seed)


def _read(model: Any, ids: np.ndarray, *, fresh: bool = True) -> np.ndarray:
    """Return the model's outputs; `fresh`: with its memory emptied before."""
    from rnn_helpers.quietly import keras

    if fresh:
        for layer in model.layers:
            if hasattr(layer, "reset_state"):
                layer.reset_state()
    return seeing.as_numpy(model(keras.ops.convert_to_tensor(ids, dtype="int32"), training=False))


def _reading_claims(model: Any, ids: np.ndarray, given: np.ndarray) -> dict[str, str]:
    changed = ids.copy()
    changed[:, 3:] = (changed[:, 3:] + 1) % LETTERS
    causal = seeing.near(_read(model, changed)[:, :3], given[:, :3])
    _read(model, ids[:, :3])
    carried = seeing.near(_read(model, ids[:, 3:], fresh=False), given[:, 3:])
    total = given.sum(axis=-1)
    return {
        "its outputs are logits": say(
            not seeing.near(total, np.ones_like(total), 1e-3), "each row adds up to 1: those are probabilities"
        ),
        "what comes later does not change what was said before": say(causal, "an earlier output changed with it"),
        "its memory goes on from one call to the next": say(carried, "the second call began with an empty memory"),
    }


def _loss_claims(model: Any) -> dict[str, str]:
    compiled = bool(getattr(model, "compiled", False))
    seen = {"it is compiled": say(compiled, "model.compile(...) is missing")}
    if not compiled:
        return seen
    logits = np.random.default_rng(1).normal(size=(BATCH, 3, LETTERS)).astype(np.float32)
    targets = np.arange(BATCH * 3).reshape(BATCH, 3) % LETTERS
    true = _mean_surprise(logits, targets)
    try:
        loss = float(model.compute_loss(y=targets, y_pred=logits))
    except (ValueError, TypeError) as error:  # such as a loss for one-hot targets
        return seen | {"its loss takes logits and whole numbers": str(error).splitlines()[0][:160]}
    wrong = f"for logits whose cross-entropy is {true:.3f} it is {loss:.3f}"
    return seen | {"its loss takes logits and whole numbers": say(abs(loss - true) < 1e-3, wrong)}


def _mean_surprise(logits: np.ndarray, targets: np.ndarray) -> float:
    chances = np.take_along_axis(seeing.softmax(logits.astype(float)), targets[..., None], axis=-1)
    return float(-np.mean(np.log(np.maximum(chances, 1e-30))))


def _trained_claims(answer: Callable, model: Any, seed: int) -> dict[str, str]:
    """Train on batches that follow each other, hand the weights to a model for one text, and try that."""
    learnt = BATCH * STEPS * PIECES
    text = made_up_language(seed, learnt + 1 + HELD_OUT)
    xs = text[:learnt].reshape(BATCH, PIECES, STEPS).swapaxes(0, 1)
    ys = text[1 : learnt + 1].reshape(BATCH, PIECES, STEPS).swapaxes(0, 1)
    for _ in range(READINGS):
        for layer in model.layers:
            if hasattr(layer, "reset_state"):
                layer.reset_state()
        for x, y in zip(xs, ys, strict=True):
            model.train_on_batch(x, y)
    reader = answer(LETTERS, 1)
    own, other = [w.shape for w in reader.get_weights()], [w.shape for w in model.get_weights()]
    sizes = {"its weights do not depend on the batch": say(own == other, f"{other}, and with a batch of 1 {own}")}
    if own != other:
        return sizes
    reader.set_weights(model.get_weights())
    held_out = text[learnt + 1 :]
    logits = _read(reader, held_out[None, :-1])
    perplexity = float(np.exp(_mean_surprise(logits[0], held_out[1:])))
    pairs = ngram_perplexity(text[:learnt], held_out, LETTERS, 2)
    seen = f"its perplexity is {perplexity:.2f}, that of the table {pairs:.2f}"
    return sizes | {"after four readings it beats a table of pairs on text kept aside": say(perplexity < pairs, seen)}
