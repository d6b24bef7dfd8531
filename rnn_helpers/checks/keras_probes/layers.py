"""Probes for answers that take a Keras layer: build the layer from plain data, then pass it to the answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.keras_probes.inspection import as_numpy
from rnn_helpers.checks.properties import UngradableAnswerError

VARIABLES = ("kernel", "recurrent_kernel", "bias")
ZERO_INITIALIZERS = {
    "kernel_initializer": "zeros",
    "recurrent_initializer": "zeros",
}  # drawing a rotation would take most of the time of a build


def build_layer(spec: dict) -> Any:
    """Return a SimpleRNN layer.

    spec: "weights" (W_xh, W_hh, b_h), which decide the sizes; "options" for the layer, such as {"activation": "relu"};
        "batch" where the layer is stateful; "built": False leaves it without weights; "used": True leaves a stateful
        layer in a nonzero state, as after a batch
    """
    from rnn_helpers.quietly import keras

    W_xh, W_hh, b_h = spec["weights"]
    with _profiling_paused():
        layer = keras.layers.SimpleRNN(
            len(W_hh), **{"dtype": "float64", **ZERO_INITIALIZERS, **spec.get("options", {})}
        )
        if not spec.get("built", True):
            return layer
        layer.build((spec.get("batch"), None, len(W_xh)))
        layer.set_weights([W_xh, W_hh, b_h])
        if spec.get("used"):
            layer.states[0].assign(np.full((spec["batch"], len(W_hh)), 0.5))
    return layer


@contextlib.contextmanager
def _profiling_paused() -> Iterator[None]:
    """Suspend call monitoring while Keras builds a layer, which takes thousands of calls."""
    watching = sys.getprofile()
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(watching)


def fixed_inputs(features: int) -> np.ndarray:
    """Return the fixed input of `into_layer`, (2, 2, features): two steps involve all three weights."""
    return np.cos(np.arange(4.0 * features)).reshape(2, 2, features)


def _layer_for(answer: Callable, spec: dict) -> Any:
    return run_colocated(answer, f"{__name__}:build_layer", spec)


def with_layer(answer: Callable, spec: dict, *args: Any) -> Any:
    """Call a function on a layer and its other arguments."""
    return answer(_layer_for(answer, spec), *args)


def into_layer(answer: Callable, look: str, spec: dict, W_xh: np.ndarray, W_hh: np.ndarray, b_h: np.ndarray) -> Any:
    """Let a function set a layer's weights and return what `look` names: one of VARIABLES, or "states".

    The states are the layer's answer to a fixed input.
    """
    layer = _layer_for(answer, spec)
    answer(layer, W_xh, W_hh, b_h)
    if not layer.built:
        raise UngradableAnswerError("the layer still has no weights: layer.build((None, None, features)) makes them")
    if look != "states":
        return as_numpy(getattr(layer.cell, look))
    return as_numpy(layer(fixed_inputs(len(W_xh))))
