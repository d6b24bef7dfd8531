"""Check what one training step does to a network's weights against a gradient computed here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnn_helpers.checks.keras_probes import inspection

SIGNIFICANT = 1e-3  # of the largest entry: smaller ones of a gradient may have the other sign in float32
# Of the significant entries; a squared error agrees on about half of them, see `with_confident_outputs`.
MIN_SIGN_AGREEMENT = 0.97
# Smallest step over largest: Adam's first step has the same size for every weight, that of gradient descent has not.
MIN_STEP_RATIO = 0.6

LogitGradient = Callable[[np.ndarray, np.ndarray], np.ndarray]  # probabilities, labels -> dL/dlogits


def gradient_from_probabilities(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return dL/dlogits of the cross-entropy of probabilities."""
    return (p - labels) / len(p)


def gradient_as_if_logits(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return dL/dlogits when the cross-entropy mistakes the probabilities for logits."""
    return (inspection.sigmoid(p) - labels) * p * (1 - p) / len(p)


def with_confident_outputs(arrays: list[np.ndarray], xs: np.ndarray) -> list[np.ndarray]:
    """Return the weights with the readout scaled up: where the network is confident, the losses' gradients differ."""
    logits = inspection.states_and_logits(arrays, xs, "tanh")[1][:, -1]
    factor = 4.0 / max(float(np.abs(logits).mean()), 1e-3)
    return [*arrays[:3], (factor * arrays[3]).astype(arrays[3].dtype), arrays[4]]


def gradient(
    arrays: list[np.ndarray], xs: np.ndarray, labels: np.ndarray, logit_gradient: LogitGradient
) -> list[np.ndarray]:
    """Return dL/d(each weight) of a tanh network with a sigmoid on top, for labels (batch, 1)."""
    from rnn_helpers import cells  # imported only here, because it is rarely needed

    W_xh, W_hh, b_h, W_hy, b_y = (array.astype(float) for array in arrays)
    hs, cache = cells.forward(xs.astype(float), None, W_xh, W_hh, b_h)
    dlogits = logit_gradient(inspection.sigmoid(hs[:, -1] @ W_hy + b_y), labels)
    dhs = np.zeros_like(hs)
    dhs[:, -1] = dlogits @ W_hy.T
    back = cells.backward(dhs, cache)
    return [back.dW_xh, back.dW_hh, back.db_h, hs[:, -1].T @ dlogits, dlogits.sum(axis=0)]


def descends(before: list[np.ndarray], after: list[np.ndarray], gradients: list[np.ndarray]) -> bool:
    """Return whether the weights have moved against these gradients, element-wise."""
    step, slope = _flat(after) - _flat(before), _flat(gradients)
    clear = np.abs(slope) > SIGNIFICANT * np.abs(slope).max()
    return bool(np.mean(np.sign(step[clear]) == -np.sign(slope[clear])) >= MIN_SIGN_AGREEMENT)


def has_uniform_step(before: list[np.ndarray], after: list[np.ndarray], gradients: list[np.ndarray]) -> bool:
    """Return whether all weights with a significant gradient have moved equally far, as in Adam's first step."""
    step, slope = np.abs(_flat(after) - _flat(before)), np.abs(_flat(gradients))
    shortest, longest = np.quantile(step[slope > SIGNIFICANT * slope.max()], [0.05, 0.95])
    return bool(shortest > MIN_STEP_RATIO * longest > 0)


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.astype(float).ravel() for array in arrays])
