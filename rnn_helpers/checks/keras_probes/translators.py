"""Probe for lesson 12: inspect an encoder-decoder, train it to reverse sequences, evaluate it on unseen ones.

Each symbol is written as another one. Which, only the training shows: the sources alone do not say what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    CAUSAL,
    COMPILED,
    EARLIER_SYMBOLS_MATTER,
    LOSS_TAKES_LOGITS,
    ONE_LOGIT_PER_SYMBOL,
    OUTPUT_PER_STEP,
    READABLE_LAYERS,
    REVERSES_NEW_SEQUENCES,
    SOURCE_MATTERS,
    SOURCE_ORDER_MATTERS,
    UNBOUNDED,
)
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import computations, inspection, settings
from rnn_helpers.checks.keras_probes.inspection import failure_text, find_cause, guard

PAD, START, END = 0, 1, 2
SYMBOLS = 11  # eight ordinary symbols and these three
MIN_LENGTH, MAX_LENGTH = 3, 5
TRAIN_PAIRS, TEST_PAIRS, BATCH, EPOCHS = 1600, 200, 32, 5
MIN_EXACT_MATCH = 0.8
SOURCE_STEPS, WRITTEN_STEPS, LARGER = 5, 7, SYMBOLS + 6
READABLE = 1e-4  # logits of float32 networks agree to this with NumPy's
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
    source = rng.integers(3, SYMBOLS, size=(WRITTEN_STEPS + 1, SOURCE_STEPS))
    written = rng.integers(3, SYMBOLS, size=(len(source), WRITTEN_STEPS))
    outputs = _outputs(model, source, written)
    results = _model_claims(answer, model, source, written, outputs, seed)
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _fault(answer, source, written, results))
    return results


def _model_claims(
    answer: Callable, model: Any, source: np.ndarray, written: np.ndarray, outputs: np.ndarray, seed: int
) -> dict[str, str]:
    stepwise = outputs.shape[:-1] == written.shape
    inputs = f"{len(source)} sources of {SOURCE_STEPS} symbols and {WRITTEN_STEPS} symbols written"
    shape = f"for {inputs} its shape is {outputs.shape}"
    results = {OUTPUT_PER_STEP: failure_text(stepwise, shape)}
    results |= guard((ONE_LOGIT_PER_SYMBOL,), lambda: _symbol_claim(answer, source, written, outputs))
    if any(results.values()):
        return results
    ask = partial(_outputs, model, source, written)
    results |= guard((UNBOUNDED,), lambda: inspection.unbounded_claim(model, ask))
    dependence = (SOURCE_MATTERS, SOURCE_ORDER_MATTERS, EARLIER_SYMBOLS_MATTER, CAUSAL)
    results |= guard(dependence, lambda: _dependence_claims(model, source, written))
    results |= guard((READABLE_LAYERS,), lambda: _layers_claim(model, source, written, outputs))
    results |= guard((COMPILED, LOSS_TAKES_LOGITS), lambda: inspection.loss_claims(model, SYMBOLS, seed))
    if not results.get(LOSS_TAKES_LOGITS, "no"):
        results |= guard((LOSS_TAKES_LOGITS,), lambda: _learning_claim(answer, source, written, seed))
    if any(results.get(claim) for claim in PREREQUISITES):
        return results
    return results | guard((REVERSES_NEW_SEQUENCES,), lambda: _trained_claims(model, seed))


def _symbol_claim(answer: Callable, source: np.ndarray, written: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    larger = _outputs(answer(LARGER), source, written).shape
    each = (outputs.shape[-1], larger[-1]) == (SYMBOLS, LARGER)
    instead = f"for {SYMBOLS} symbols its shape is {outputs.shape}, for {LARGER} symbols {larger}"
    return {ONE_LOGIT_PER_SYMBOL: failure_text(each, instead)}


def _learning_claim(answer: Callable, source: np.ndarray, written: np.ndarray, seed: int) -> dict[str, str]:
    other, source, written = answer(SYMBOLS), source[:4], written[:4]
    targets = np.random.default_rng(seed).integers(3, SYMBOLS, size=written.shape)
    return inspection.learning_claim(other, [source, written], targets, partial(_outputs, other, source, written))


def _outputs(model: Any, source: np.ndarray, written: np.ndarray) -> np.ndarray:
    from rnn_helpers.quietly import keras

    tensors = [keras.ops.convert_to_tensor(ids, dtype="int32") for ids in (source, written)]
    return inspection.as_numpy(model(tensors, training=False))


def _next_symbol(ids: np.ndarray) -> np.ndarray:
    """Return ids that all differ from `ids`, each an ordinary symbol."""
    return 3 + (ids - 2) % (SYMBOLS - 3)


def _written_effects(model: Any, source: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Return how much each written symbol affects each output, for one source: (symbols, outputs)."""
    sources = np.repeat(source[:1], WRITTEN_STEPS + 1, axis=0)
    return inspection.effects(lambda rows: _outputs(model, sources, rows), written[0], _next_symbol(written[0]))


def _source_effects(model: Any, source: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Return how much each symbol of one source affects each output: (symbols, outputs)."""
    same = np.repeat(written[:1], SOURCE_STEPS + 1, axis=0)
    return inspection.effects(lambda rows: _outputs(model, rows, same), source[0], _next_symbol(source[0]))


def _dependence_claims(model: Any, source: np.ndarray, written: np.ndarray) -> dict[str, str]:
    of_source, of_written = _source_effects(model, source, written), _written_effects(model, source, written)
    neighbours = ((t - distance, t) for distance in (1, 2) for t in range(distance, WRITTEN_STEPS))
    every_symbol = ((i, 0) for i in range(SOURCE_STEPS))
    original, rolled = (_outputs(model, ids, written) for ids in (source, np.roll(source, 1, axis=1)))
    return {
        SOURCE_MATTERS: inspection.missing_effect(of_source, every_symbol, "source symbol"),
        SOURCE_ORDER_MATTERS: failure_text(
            not inspection.allclose(rolled, original), "the same symbols in another order give the same outputs"
        ),
        EARLIER_SYMBOLS_MATTER: inspection.missing_effect(of_written, neighbours, "written symbol"),
        CAUSAL: inspection.early_effect(of_written, "written symbol"),
    }


def _readable_layers(model: Any) -> tuple[list, list, list]:
    """Return the layers that later cells look for: Embedding, SimpleRNN and Dense, in order."""
    from rnn_helpers.quietly import keras

    kinds = keras.layers.Embedding, keras.layers.SimpleRNN, keras.layers.Dense
    layers = list(model.layers)
    tables, readers, dense = ([layer for layer in layers if isinstance(layer, kind)] for kind in kinds)
    return tables, readers, dense


def _layers_claim(model: Any, source: np.ndarray, written: np.ndarray, outputs: np.ndarray) -> dict[str, str]:
    """Compute the outputs as later cells do, from the weights of the layers."""
    layers = _readable_layers(model)
    counts = [len(group) for group in layers]
    if counts != [2, 2, 1]:
        instead = "it has {} Embedding, {} SimpleRNN and {} Dense among its layers".format(*counts)
        return {READABLE_LAYERS: instead}
    same = inspection.allclose(outputs, _logits(layers, source, written, "tanh"), READABLE)
    return {READABLE_LAYERS: failure_text(same, "with their weights, NumPy gets other outputs")}


def _logits(layers: tuple[list, list, list], source: np.ndarray, written: np.ndarray, activation: str) -> np.ndarray:
    """Return the logits that the equations give with these layers' weights, the encoder's first."""
    tables, readers, (dense,) = ([_arrays(layer) for layer in group] for group in layers)
    step = inspection.ACTIVATIONS[activation]
    h = np.zeros((len(source), len(readers[0][1])))
    states: list[np.ndarray] = []
    for (table,), (W_xh, W_hh, b_h), ids in zip(tables, readers, (source, written), strict=True):
        states = []
        for symbols in ids.T:
            h = step(table[symbols] @ W_xh + h @ W_hh + b_h)
            states.append(h)
    W_hy, b_y = dense
    return (np.stack(states, axis=1) @ W_hy + b_y).astype(np.float32)


def _arrays(layer: Any) -> list[np.ndarray]:
    return [inspection.as_numpy(array).astype(float) for array in layer.get_weights()]


def _fault(answer: Callable, source: np.ndarray, written: np.ndarray, results: dict[str, str]) -> str:
    """Return what a measurement singles out about a wrong encoder-decoder, or ""; look at a new, untrained one."""
    model = answer(SYMBOLS)
    layers, outputs = settings.layers_of(model), _outputs(model, source, written)
    shape_fault = _shape_fault(answer, model, layers, source, written, outputs)
    if shape_fault or outputs.shape != (*written.shape, SYMBOLS):
        return shape_fault
    return (
        _dependence_fault(model, layers, source, written)
        or settings.find_compilation_fault(model, inspection.are_probabilities(outputs))
        or settings.find_top_fault(layers, outputs)
        or (_layer_fault(model, layers, source, written, outputs) if results.get(READABLE_LAYERS) else "")
    )


def _shape_fault(
    answer: Callable,
    model: Any,
    layers: list[settings.Settings],
    source: np.ndarray,
    written: np.ndarray,
    outputs: np.ndarray,
) -> str:
    recurrent = settings.recurrent_layers(layers)
    if outputs.ndim == 2 and recurrent and not any(layer.get("return_sequences") for layer in recurrent):
        return findings.RETURNS_LAST_STATE
    if outputs.shape[:-1] == source.shape:
        if inspection.allclose(_outputs(model, source, _next_symbol(written)), outputs, inspection.NO_EFFECT):
            return findings.WRITTEN_IGNORED
        exchanged = _dependence_claims(_Exchanged(model), source, written)
        return "" if any(exchanged.values()) else findings.INPUTS_SWAPPED
    larger = _outputs(answer(LARGER), source, written).shape
    if outputs.ndim == 3 and larger == outputs.shape:
        return findings.FIXED_OUTPUTS.format(actual=larger[-1], argument="symbols")
    return ""


class _Exchanged:
    """A model that takes its two inputs in the other order."""

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, pair: list, training: bool) -> Any:
        return self.model(pair[::-1], training=training)


def _dependence_fault(model: Any, layers: list[settings.Settings], source: np.ndarray, written: np.ndarray) -> str:
    of_source = _source_effects(model, source, written) > inspection.NO_EFFECT
    of_written = _written_effects(model, source, written) > inspection.NO_EFFECT
    if not of_source.any():
        return findings.SOURCE_IGNORED
    original, rolled = (_outputs(model, ids, written) for ids in (source, np.roll(source, 1, axis=1)))
    recurrent = settings.recurrent_layers(layers)
    if inspection.allclose(original, rolled) and len(recurrent) < 2:
        return findings.SOURCE_WITHOUT_ORDER
    if np.array_equal(of_written, np.eye(WRITTEN_STEPS, dtype=bool)) and len(recurrent) < 2:
        return findings.DECODER_WITHOUT_STATE
    ahead = bool(np.triu(of_written.T, 1).any())  # some symbol affects an earlier output
    bidirectional = [layer for layer in layers if layer["class"] == "Bidirectional"]
    if ahead and len(bidirectional) == 1 and bidirectional[0].get("return_sequences"):
        return findings.DECODER_LOOKS_AHEAD
    return ""


def _layer_fault(
    model: Any, layers: list[settings.Settings], source: np.ndarray, written: np.ndarray, outputs: np.ndarray
) -> str:
    called_twice = {layer["class"] for layer in layers if layer["calls"] == 2}
    if called_twice & {"Embedding", "SimpleRNN"}:
        return findings.EMBEDDING_SHARED if "Embedding" in called_twice else findings.RECURRENT_LAYER_SHARED
    readable = _readable_layers(model)
    if [len(group) for group in readable] != [2, 2, 1]:
        return findings.OTHER_LAYERS.format(expected="two Embedding, two SimpleRNN and one Dense")
    for activation in inspection.ACTIVATIONS:
        if activation != "tanh" and inspection.allclose(
            outputs, _logits(readable, source, written, activation), READABLE
        ):
            name = computations.NAMES.get(activation, activation)
            return findings.HIDDEN_ACTIVATION.format(actual=name, expected="tanh")
    return ""


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
    actual = f"of {TEST_PAIRS} unseen sequences it reverses {exact_share:.0%} without a mistake"
    return {REVERSES_NEW_SEQUENCES: failure_text(exact_share >= MIN_EXACT_MATCH, actual)}
