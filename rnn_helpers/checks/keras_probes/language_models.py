"""Probe for lesson 10: inspect a character model, train it on a synthetic language, evaluate it on held-out text."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
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
    READABLE_WEIGHTS,
    STATEFUL,
    UNBOUNDED,
)
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import computations, inspection, settings
from rnn_helpers.checks.keras_probes.inspection import error_text, failure_text, find_cause, guard
from rnn_helpers.ngrams import ngram_perplexity

LETTERS = 9  # eight letters and the space, which is number 0
BATCH, STEPS, SEGMENTS, EPOCHS = 8, 16, 60, 4
PROBED = BATCH - 1  # steps of the sequence that is changed in one place at a time
MANY_LETTERS = 60  # more than an embedding is wide
HELD_OUT = 1500  # characters, for the table of pairs
CONTEXTS, CONTEXT, GAP = 256, 24, 8  # held-out contexts, after each of which one character is to be guessed
READABLE = 1e-4  # logits of float32 networks agree to this with NumPy's
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
    ids = np.random.default_rng(seed).integers(0, LETTERS, size=(BATCH, PROBED))
    try:
        outputs = _outputs(model, ids)
    except Exception as error:  # such as an Embedding with too few rows; what does not need the outputs is still judged
        results = {KNOWS_ALL_LETTERS: f"it fails with {error_text(error)}"}
        results |= guard((COMPILED, LOSS_TAKES_LOGITS), lambda: inspection.loss_claims(model, LETTERS, seed))
        return results | {FINDING: find_cause(lambda: _table_fault(settings.layers_of(model), LETTERS))}
    results = _model_claims(answer, model, ids, outputs, seed)
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _fault(answer, ids, results))
    return results


def _model_claims(answer: Callable, model: Any, ids: np.ndarray, outputs: np.ndarray, seed: int) -> dict[str, str]:
    stepwise, each = outputs.shape[:-1] == ids.shape, outputs.shape[-1] == LETTERS
    shape = f"for a batch of {BATCH} with {PROBED} steps and {LETTERS} letters its shape is {outputs.shape}"
    results = {OUTPUT_PER_STEP: failure_text(stepwise, shape), ONE_LOGIT_PER_LETTER: failure_text(each, shape)}
    if not (stepwise and each):
        return results
    results |= guard((KNOWS_ALL_LETTERS,), lambda: _letter_claim(answer))
    results |= guard((NOT_PROBABILITIES, UNBOUNDED), lambda: _output_claims(model, ids, outputs))
    results |= guard((PAST_MATTERS, CAUSAL, STATEFUL), lambda: _dependence_claims(model, ids, outputs))
    results |= guard((READABLE_WEIGHTS,), lambda: _weights_claim(model, ids, outputs))
    results |= guard((COMPILED, LOSS_TAKES_LOGITS), lambda: inspection.loss_claims(model, LETTERS, seed))
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        results |= guard((LOSS_TAKES_LOGITS,), lambda: _learning_claim(answer, ids))
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | guard((BATCH_INDEPENDENT_WEIGHTS, BEATS_BIGRAMS), lambda: _trained_claims(answer, model, seed))


def _letter_claim(answer: Callable) -> dict[str, str]:
    """Build a model with a larger alphabet than its embedding is wide, and feed it the last letter."""
    try:
        outputs = _outputs(answer(MANY_LETTERS, 2), np.full((2, 3), MANY_LETTERS - 1))
    except Exception as error:  # TensorFlow has its own errors for an index outside the table
        return {KNOWS_ALL_LETTERS: f"one for {MANY_LETTERS} letters fails at the last letter with {error_text(error)}"}
    shaped = outputs.shape == (2, 3, MANY_LETTERS)
    return {KNOWS_ALL_LETTERS: failure_text(shaped, f"for {MANY_LETTERS} letters its shape is {outputs.shape}")}


def _output_claims(model: Any, ids: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    return {
        NOT_PROBABILITIES: failure_text(not inspection.are_probabilities(outputs), "each row sums to 1"),
        **inspection.unbounded_claim(model, lambda: _outputs(model, ids)),
    }


def _reset_states(model: Any) -> None:
    """Reset the state of every layer that has one; a Bidirectional raises AttributeError if it is not stateful."""
    for layer in model.layers:
        if hasattr(layer, "reset_state"):
            with contextlib.suppress(AttributeError):
                layer.reset_state()


def _outputs(model: Any, ids: np.ndarray, *, reset: bool = True) -> np.ndarray:
    """Return the model's outputs, by default from a reset state."""
    from rnn_helpers.quietly import keras

    if reset:
        _reset_states(model)
    return inspection.as_numpy(model(keras.ops.convert_to_tensor(ids, dtype="int32"), training=False))


def _dependence_claims(model: Any, ids: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    table = _effects(model, ids)
    neighbours = ((t - distance, t) for distance in (1, 2) for t in range(distance, PROBED))
    half = PROBED // 2
    _outputs(model, ids[:, :half])
    second = _outputs(model, ids[:, half:], reset=False)
    carried, restarted = (
        inspection.allclose(second, other) for other in (outputs[:, half:], _outputs(model, ids[:, half:]))
    )
    instead = "a second call gives the same outputs as from a zero state"
    return {
        PAST_MATTERS: inspection.missing_effect(table, neighbours, "character"),
        CAUSAL: inspection.early_effect(table, "character"),
        STATEFUL: failure_text(
            carried, instead if restarted else "two calls give other outputs than one call with both inputs"
        ),
    }


def _effects(model: Any, ids: np.ndarray) -> np.ndarray:
    """Return how much each character of one sequence affects each output: (characters, outputs)."""
    return inspection.effects(lambda rows: _outputs(model, rows), ids[0], (ids[0] + 1) % LETTERS)


def _weights_claim(model: Any, ids: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    """Compute the outputs as later cells do, from the six weight arrays."""
    arrays = [inspection.as_numpy(array) for array in model.get_weights()]
    if len(arrays) != 6 or arrays[0].ndim != 2 or not inspection.are_network_weights(arrays[1:]):
        return {READABLE_WEIGHTS: f"its weights have the shapes {_shapes(arrays)}"}
    same = inspection.allclose(outputs, _logits(arrays, ids, "tanh"), READABLE)
    return {READABLE_WEIGHTS: failure_text(same, "with its own weights, the loop of lesson 02 gets other outputs")}


def _logits(arrays: list[np.ndarray], ids: np.ndarray, activation: str) -> np.ndarray:
    table, *network = arrays
    return inspection.states_and_logits(network, table[ids], activation)[1].astype(np.float32)


def _shapes(arrays: list[np.ndarray]) -> str:
    return ", ".join(str(array.shape) for array in arrays)


def _fault(answer: Callable, ids: np.ndarray, results: dict[str, str]) -> str:
    """Return what a measurement singles out about a wrong character model, or ""; look at a new, untrained one."""
    model = answer(LETTERS, BATCH)
    layers, outputs = settings.layers_of(model), _outputs(model, ids)
    recurrent = settings.recurrent_layers(layers)
    if outputs.ndim == 2 and len(recurrent) == 1 and recurrent[0].get("return_sequences") is False:
        return findings.RETURNS_LAST_STATE
    if outputs.shape[:-1] != ids.shape:
        return ""
    size_fault = _size_fault(answer, layers, outputs)
    if size_fault or outputs.shape[-1] != LETTERS:
        return size_fault
    return (
        _reading_fault(model, layers, ids, outputs)
        or settings.find_compilation_fault(model, inspection.are_probabilities(outputs))
        or settings.find_top_fault(layers, outputs)
        or (_layer_fault(model, layers, ids, outputs) if results.get(READABLE_WEIGHTS) else "")
    )


def _size_fault(answer: Callable, layers: list[settings.Settings], outputs: np.ndarray) -> str:
    large = answer(MANY_LETTERS, 2)
    tables, large_tables = (
        [layer for layer in model_layers if layer["class"] == "Embedding"]
        for model_layers in (layers, settings.layers_of(large))
    )
    if len(tables) == len(large_tables) == 1:
        (small_table,), (large_table,) = tables, large_tables
        if (small_table["output_dim"], large_table["output_dim"]) == (LETTERS, MANY_LETTERS) and (
            small_table["input_dim"] == large_table["input_dim"]
        ):
            return findings.EMBEDDING_SWAPPED
    too_small = _table_fault(layers, LETTERS) or _table_fault(settings.layers_of(large), MANY_LETTERS)
    if too_small:
        return too_small
    size = _outputs(large, np.zeros((2, 3), dtype=int)).shape[-1]
    if size == outputs.shape[-1]:
        return findings.FIXED_OUTPUTS.format(actual=size, argument="letters")
    return ""


def _table_fault(layers: list[settings.Settings], letters: int) -> str:
    """Return the finding for an Embedding with fewer rows than letters, or ""."""
    rows = [layer["input_dim"] for layer in layers if layer["class"] == "Embedding"]
    if len(rows) == 1 and rows[0] < letters:
        return findings.EMBEDDING_TOO_SMALL.format(actual=rows[0], expected=letters)
    return ""


def _reading_fault(model: Any, layers: list[settings.Settings], ids: np.ndarray, outputs: np.ndarray) -> str:
    recurrent = settings.recurrent_layers(layers)
    reach = _effects(model, ids) > inspection.NO_EFFECT
    if settings.lacks_recurrence(layers) and np.array_equal(reach, np.eye(PROBED, dtype=bool)):
        return findings.NO_RECURRENT_LAYER
    ahead = bool(np.triu(reach.T, 1).any())  # some input affects an earlier output
    if ahead and any(layer["class"] == "Bidirectional" for layer in layers):
        return findings.LOOKS_AHEAD
    if ahead and len(recurrent) == 1 and recurrent[0].get("go_backwards"):
        return findings.READS_TEXT_BACKWARDS
    if not ahead and recurrent and not any(layer.get("stateful") for layer in recurrent):
        return findings.NOT_STATEFUL
    return ""


def _layer_fault(model: Any, layers: list[settings.Settings], ids: np.ndarray, outputs: np.ndarray) -> str:
    with_weights = [layer["class"] for layer in layers if layer["class"] in ("Embedding", "Dense", *settings.RECURRENT)]
    if with_weights != ["Embedding", "SimpleRNN", "Dense"]:
        return findings.OTHER_LAYERS.format(expected="one Embedding, one SimpleRNN and one Dense")
    arrays = [inspection.as_numpy(array) for array in model.get_weights()]
    if len(arrays) != 6:
        return ""
    for activation in inspection.ACTIVATIONS:
        if activation != "tanh" and inspection.allclose(outputs, _logits(arrays, ids, activation), READABLE):
            name = computations.NAMES.get(activation, activation)
            return findings.HIDDEN_ACTIVATION.format(actual=name, expected="tanh")
    return ""


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
            reader_shapes == model_shapes, f"they are {model_shapes}, and with a batch of {CONTEXTS} {reader_shapes}"
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
