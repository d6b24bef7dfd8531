"""Perplexity of a smoothed n-gram model: the classic language model, and a fair baseline for a small RNN."""

from __future__ import annotations

import numpy as np

SMOOTHING = 5.0  # pseudocounts from the shorter context


def ngram_perplexity(train: np.ndarray, held_out: np.ndarray, letters: int, order: int) -> float:
    """Return the perplexity on `held_out` of an n-gram model that conditions on the order - 1 characters before each.

    Probabilities are smoothed with the next lower order: p_n = (count + s p_{n-1}) / (count of the context + s).

    train, held_out: (characters,) of whole numbers below `letters`, the size of the alphabet
    order: n; 2 for bigrams
    Raises ValueError when `order` is below 1.
    Source: additive smoothing towards the shorter context, as in Witten and Bell (1991), with a fixed weight.
    """
    if order < 1:
        raise ValueError(f"order is {order}; expected 1 or more: 1 counts letters, 2 pairs of letters.")
    probabilities = np.full(len(held_out) - order + 1, 1.0 / letters)
    for length in range(1, order + 1):
        contexts, pairs = _keys(train, length, letters)
        seen_contexts, seen_pairs = _keys(held_out[order - length :], length, letters)
        probabilities = (_count(pairs, seen_pairs) + SMOOTHING * probabilities) / (
            _count(contexts, seen_contexts) + SMOOTHING
        )
    return float(np.exp(-np.mean(np.log(probabilities))))


def _keys(text: np.ndarray, length: int, letters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return integer ids of the contexts, and of the contexts with their next character, at each position."""
    positions = len(text) - length + 1
    contexts = np.zeros(positions, dtype=np.int64)
    for offset in range(length - 1):
        contexts = contexts * letters + text[offset : offset + positions]
    return contexts, contexts * letters + text[length - 1 : length - 1 + positions]


def _count(keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return how often each of `queries` occurs in `keys`."""
    values, counts = np.unique(keys, return_counts=True)
    indices = np.minimum(np.searchsorted(values, queries), len(values) - 1)
    return np.where(values[indices] == queries, counts[indices], 0)
