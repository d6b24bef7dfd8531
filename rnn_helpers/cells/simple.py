"""Run a simple RNN over whole sequences, and backpropagate through time.

    a_t = x_t W_xh + h_{t-1} W_hh + b_h        h_t = f(a_t)

    name   shape                       what it is
    xs     (batch, steps, features)    inputs
    hs     (batch, steps, units)       states h_1 ... h_T
    h_0    (batch, units)              state before the first step
    W_xh   (features, units)           weights from the input to the state
    W_hh   (units, units)              recurrent weights
    b_h    (units,)                    bias
    mask   (batch, steps)              True or 1 where a step is real; elsewhere the state is copied

A gradient is named after its variable: `dW_hh` is dL/dW_hh, `das` holds dL/da_t.

Only `h_{t-1} W_hh` depends on the previous step. Everything else is one product over all steps at once,
so arrays are time-major inside: the states of one step lie next to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnn_helpers.cells.validation import (
    as_matching_array,
    as_real_array,
    as_sequences,
    initial_state,
    require_current_cache,
    resolve_workspace,
)
from rnn_helpers.cells.workspace import BaseWorkspace, Gradients

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from rnn_helpers.cells.workspace import Array


class Activation(NamedTuple):
    """Hold f as `value(a, out)` and its derivative, read off h = f(a), as `slope(h, out)`."""

    value: Callable[[Array, Array], object]
    slope: Callable[[Array, Array], object]


def _tanh_slope(h: Array, out: Array) -> None:
    np.multiply(h, h, out=out)
    np.subtract(1, out, out=out)


def _relu(a: Array, out: Array) -> None:
    np.maximum(a, 0, out=out)


def _relu_slope(h: Array, out: Array) -> None:
    np.greater(h, 0, out=out)


def _logistic(a: Array, out: Array) -> None:
    # 1 / (1 + exp(-a)) overflows for large negative a; the same function written with tanh does not.
    np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, 0.5, out=out)


def _logistic_slope(h: Array, out: Array) -> None:
    np.subtract(1, h, out=out)
    np.multiply(out, h, out=out)


ACTIVATIONS = {
    "tanh": Activation(np.tanh, _tanh_slope),
    "relu": Activation(_relu, _relu_slope),
    "logistic": Activation(_logistic, _logistic_slope),
}


class Workspace(BaseWorkspace):
    """Own the arrays of a simple RNN. Gradients are views of them, too, valid until the next `backward`.

    `BaseWorkspace` says how to use it and how long the states stay valid.
    """

    def __init__(self, batch: int, steps: int, features: int, units: int, dtype: DTypeLike) -> None:
        super().__init__(batch, steps, features, units, dtype)
        rows = steps * batch

        self.xs = self.empty(steps, batch, features)
        self.hs = self.empty(steps + 1, batch, units)  # begins with h_0
        self.das = self.empty(steps, batch, units)  # first a_t without memory, later dL/da_t
        self.slopes = self.empty(steps, batch, units)
        self.skip = np.zeros((steps, batch, 1), np.bool_)
        self.dh = self.empty(batch, units)
        self.W_xh_T = self.empty(units, features)
        self.W_hh_T = self.empty(units, units)

        # One row per step and sequence, for the products over all steps.
        self.x_rows = self.xs.reshape(rows, features)
        self.h_prev_rows = self.hs[:-1].reshape(rows, units)
        self.da_rows = self.das.reshape(rows, units)
        self.dx_rows = self.empty(rows, features)
        self.ones = np.ones(rows, self.dtype)

        # Making a view costs as much as a small product, so the views of each step are made once.
        self.forward_steps = list(zip(self.das, self.hs[:-1], self.hs[1:], self.skip, strict=True))
        self.backward_steps = list(zip(self.das, self.slopes, self.skip, strict=True))[::-1]

        self.hs_out = self.hs[1:].transpose(1, 0, 2)
        self.hs_out.flags.writeable = False  # `backward` still needs them
        self.gradients = Gradients(
            dxs=self.dx_rows.reshape(steps, batch, features).transpose(1, 0, 2),
            dh_0=self.empty(batch, units),
            dW_xh=self.empty(features, units),
            dW_hh=self.empty(units, units),
            db_h=self.empty(units),
        )


class Cache(NamedTuple):
    """Carry from `forward` to `backward` what it needs; nothing in it belongs to the caller's arrays."""

    workspace: Workspace
    number: int  # of this pass among the workspace's
    activation: Activation
    masked: bool
    shared: bool  # the workspace is the caller's


def forward(
    xs: Array,
    h_0: Array | None,
    W_xh: Array,
    W_hh: Array,
    b_h: Array,
    *,
    activation: str | Callable[..., Any] = "tanh",
    mask: Array | None = None,
    workspace: Workspace | None = None,
) -> tuple[Array, Cache]:
    """Run a simple RNN over a batch of sequences.

    h_t = f(x_t W_xh + h_{t-1} W_hh + b_h); where the mask is 0, h_t = h_{t-1} and x_t is never looked at

    xs: (batch, steps, features); h_0: (batch, units), or None for zeros
    W_xh: (features, units); W_hh: (units, units); b_h: (units,)
    activation: "tanh" (or np.tanh), "relu" or "logistic"
    mask: (batch, steps) of True/False or 1/0; None means that every step is real
    workspace: None for results of their own; a `Workspace` of these sizes for speed, on the terms it states

    xs decides the precision: float32 and float64 stay, integers and booleans count as float64; the other arguments
    are converted to it. No argument is changed, and the cache holds copies, so changing one later is harmless.

    Returns hs: (batch, steps, units), and the cache for `backward`.
    Raises ValueError when shapes, mask, activation or workspace do not fit; TypeError when a dtype does not.
    Source: Elman (1990), Finding structure in time, as row vectors; masked steps as in Keras, except that Keras
    shows zeros, not h_0, as the output of masked steps before the first real one.
    """
    f = _activation(activation)
    xs, h_0, W_xh, W_hh, b_h, mask = _validate_arguments(xs, h_0, W_xh, W_hh, b_h, mask)
    ws = resolve_workspace(workspace, Workspace, (*xs.shape, W_xh.shape[1]), xs.dtype)
    ws.passes += 1
    ws.xs[:] = xs.transpose(1, 0, 2)
    ws.hs[0] = h_0
    ws.W_xh_T[:] = W_xh.T
    ws.W_hh_T[:] = W_hh.T
    if mask is not None:
        np.equal(mask.T[:, :, None], 0, out=ws.skip)
        np.copyto(ws.xs, 0, where=ws.skip)  # or a NaN in the padding would reach dW_xh as 0 * NaN

    np.dot(ws.x_rows, W_xh, out=ws.da_rows)
    np.add(ws.da_rows, b_h, out=ws.da_rows)
    for a_t, h_prev, h_t, skip_t in ws.forward_steps:
        np.dot(h_prev, W_hh, out=h_t)
        np.add(h_t, a_t, out=h_t)
        f.value(h_t, h_t)
        if mask is not None:
            np.copyto(h_t, h_prev, where=skip_t)

    shared = workspace is not None
    return ws.hs_out if shared else ws.hs_out.copy(), Cache(ws, ws.passes, f, mask is not None, shared)


def backward(dhs: Array, cache: Cache) -> Gradients:
    """Backpropagate through time: from dL/dh_t of every output to dL/d(argument) of `forward`.

    dL/dh_t = dhs_t + dL/da_{t+1} W_hh^T;  dL/da_t = dL/dh_t * f'(a_t), with f'(a_t) read off h_t
    dL/dW_hh = sum_t h_{t-1}^T dL/da_t;    dL/dW_xh = sum_t x_t^T dL/da_t;    dL/db_h = sum_t dL/da_t
    A masked step hands dL/dh_t to the step before it, unchanged.

    dhs: (batch, steps, units), the direct gradient of the loss with respect to h_t, without paths through later steps
    cache: what `forward` returned; it may be used again unless its workspace has run forward since

    Returns Gradients(dxs, dh_0, dW_xh, dW_hh, db_h), summed over the batch and in the precision of xs.
    Raises ValueError when dhs does not fit hs or the cache is out of date; TypeError when its dtype does not.
    Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
    """
    ws = cache.workspace
    require_current_cache(cache.number, ws.passes)
    ws.das[:] = as_matching_array("dhs", dhs, ws.hs_out.shape, "hs", ws.hs_out).transpose(1, 0, 2)
    cache.activation.slope(ws.hs[1:], ws.slopes)
    if cache.masked:
        np.copyto(ws.slopes, 0, where=ws.skip)

    grads = ws.gradients
    dh, dh_prev = ws.dh, grads.dh_0  # the gradient passed to the previous step ends as dL/dh_0
    dh_prev[:] = 0
    for da_t, slope_t, skip_t in ws.backward_steps:
        np.add(da_t, dh_prev, out=dh)
        np.multiply(dh, slope_t, out=da_t)
        np.dot(da_t, ws.W_hh_T, out=dh_prev)
        if cache.masked:
            np.copyto(dh_prev, dh, where=skip_t)

    np.dot(ws.da_rows, ws.W_xh_T, out=ws.dx_rows)
    np.dot(ws.x_rows.T, ws.da_rows, out=grads.dW_xh)
    np.dot(ws.h_prev_rows.T, ws.da_rows, out=grads.dW_hh)
    np.dot(ws.ones, ws.da_rows, out=grads.db_h)  # a sum, but faster and better rounded than np.sum over rows
    return grads if cache.shared else Gradients(*(gradient.copy() for gradient in grads))


def _activation(choice: str | Callable[..., Any]) -> Activation:
    name = "tanh" if choice is np.tanh else choice
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"activation is {choice!r}; expected one of {', '.join(map(repr, ACTIVATIONS))}.")
    return ACTIVATIONS[name]


def _validate_arguments(xs: Any, h_0: Any, W_xh: Any, W_hh: Any, b_h: Any, mask: Any) -> tuple[Any, ...]:
    """Return the same six as arrays of one precision that fit each other; only the mask may still be None."""
    xs = as_sequences(xs)
    batch, steps, features = xs.shape

    W_xh = as_real_array("W_xh", W_xh, xs.dtype)
    if W_xh.ndim != 2 or len(W_xh) != features:
        raise ValueError(
            f"W_xh has shape {W_xh.shape}; expected ({features}, units) to fit xs with shape {xs.shape}. "
            "Weights of PyTorch, or in column notation, need .T."
        )
    units = W_xh.shape[1]
    W_hh = as_matching_array("W_hh", W_hh, (units, units), "W_xh", W_xh)
    W_hh = np.ascontiguousarray(W_hh)  # BLAS would copy a strided one at every step
    b_h = as_matching_array("b_h", b_h, (units,), "W_xh", W_xh)
    h_0 = initial_state("h_0", h_0, xs, units)
    if mask is not None:
        mask = as_matching_array("mask", mask, (batch, steps), "xs", xs)
        strange = mask[(mask != 0) & (mask != 1)]
        if strange.size:
            raise ValueError(f"mask holds {strange[0]}; expected True or 1 where a step is real, else False or 0.")
    return xs, h_0, W_xh, W_hh, b_h, mask
