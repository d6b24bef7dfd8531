"""Find out what a simple RNN computes: compare its outputs with those of NumPy for every plausible variant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.keras_probes import inspection
from rnn_helpers.checks.keras_probes.inspection import sigmoid, softmax

HIDDEN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **inspection.ACTIVATIONS,
    "linear": lambda a: a,
    "softsign": lambda a: a / (1 + np.abs(a)),
    "elu": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "softplus": lambda a: np.logaddexp(a, 0),
}
READ_OUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "last state": lambda hs: hs[:, -1],
    "first state": lambda hs: hs[:, 0],
    "mean of all states": lambda hs: hs.mean(axis=1),
    "maximum of all states": lambda hs: hs.max(axis=1),
    "sum of all states": lambda hs: hs.sum(axis=1),
}
TOPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **inspection.OUTPUT_ACTIVATIONS,
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0.0),
    "softplus": lambda a: np.logaddexp(a, 0),
    "softmax over the batch": lambda a: softmax(a.T).T,
    "sigmoid twice": lambda a: sigmoid(sigmoid(a)),
    "softmax twice": lambda a: softmax(softmax(a)),
}
NAMES = {"relu": "ReLU"}


@dataclass(frozen=True)
class Computation:
    """One way to compute outputs from five weight arrays: names in HIDDEN, READ_OUTS and TOPS, and the direction."""

    hidden: str
    read_out: str = "last state"
    top: str = "linear"
    backwards: bool = False


def matching_computations(arrays: list[np.ndarray], xs: np.ndarray, outputs: np.ndarray) -> list[Computation]:
    """Return the computations that give `outputs` for `xs` with these weights, biases included."""
    matches = []
    for hidden, backwards in product(HIDDEN, (False, True)):
        with np.errstate(over="ignore", invalid="ignore"):
            hs = _states(arrays, xs[:, ::-1] if backwards else xs, HIDDEN[hidden])
            for read_out, top in product(READ_OUTS, TOPS):
                candidate = TOPS[top](READ_OUTS[read_out](hs) @ arrays[3].astype(float) + arrays[4])
                if inspection.allclose(outputs, candidate):
                    matches.append(Computation(hidden, read_out, top, backwards))
    return matches


def _states(arrays: list[np.ndarray], xs: np.ndarray, activation: Callable) -> np.ndarray:
    W_xh, W_hh, b_h = (array.astype(float) for array in arrays[:3])
    h, hs = np.zeros((len(xs), len(W_hh))), np.empty((*xs.shape[:2], len(W_hh)))
    for t in range(xs.shape[1]):
        h = hs[:, t] = activation(xs[:, t].astype(float) @ W_xh + h @ W_hh + b_h)
    return hs


def find_deviation(arrays: list[np.ndarray], xs: np.ndarray, outputs: np.ndarray, expected: Computation) -> str:
    """Return the finding in which all computations that match the outputs agree and differ from `expected`, or ""."""
    matches = matching_computations(arrays, xs, outputs)
    for aspect in ("top", "read_out", "hidden", "backwards"):
        values = {getattr(match, aspect) for match in matches}
        if matches and getattr(expected, aspect) not in values:
            sentence = _sentence(aspect, values, expected, arrays[3].shape[1])
            if sentence:
                return sentence
    return ""


def _sentence(aspect: str, values: set, expected: Computation, classes: int) -> str:
    if aspect == "top" and classes == 1 and values <= {"softmax", "softmax twice"}:
        return findings.SOFTMAX_OF_ONE
    if len(values) > 1:
        return ""
    (actual,) = values
    if aspect == "top":
        return _top_sentence(actual, expected.top)
    if aspect == "read_out":
        return findings.READS_OUT.format(actual=actual)
    if aspect == "hidden":
        names = (NAMES.get(name, name) for name in (actual, expected.hidden))
        return findings.HIDDEN_ACTIVATION.format(**dict(zip(("actual", "expected"), names, strict=True)))
    return findings.READS_BACKWARDS


def _top_sentence(actual: str, expected: str) -> str:
    if actual == "linear":
        return findings.NO_TOP_ACTIVATION.format(expected=expected)
    if actual == f"{expected} twice":
        return findings.APPLIED_TWICE.format(name=expected)
    if actual == "softmax over the batch":
        return findings.SOFTMAX_AXIS
    return findings.TOP_ACTIVATION.format(actual=NAMES.get(actual, actual), expected=expected)
