"""Run a GRU over whole sequences, and backpropagate through time.

    z_t, r_t = sigmoid(x_t W_xh + h_{t-1} W_hh + b_h)                   the blocks z and r
    n_t = tanh(x_t W_xh + b_x + r_t (h_{t-1} W_hh + b_h))               the block n; reset_after: as Keras does it
    n_t = tanh(x_t W_xh + b_h + (r_t h_{t-1}) W_hh)                     without: as Cho and others wrote it
    h_t = z_t h_{t-1} + (1 - z_t) n_t

    name   shape                       what it is
    xs     (batch, steps, features)    inputs
    hs     (batch, steps, units)       states h_1 ... h_T
    h_0    (batch, units)              state before the first step
    W_xh   (features, 3 units)         in three blocks, in Keras' order: z, r, n (Keras calls n "h")
    W_hh   (units, 3 units)            the same
    b_h    (2, 3 units)                with reset_after: the biases of the inputs and of the state; else (3 units,)

Inside, arrays are gate-major as in `rnn_helpers.cells.lstm`: sequences are columns, and h_{t-1}, a 1 and x_t are
stacked, so that z and r are one product, and the two parts of n are products with the two ends of the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnn_helpers.cells.validation import (
    as_matching_array,
    gated_arguments,
    initial_state,
    require_current_cache,
    resolve_workspace,
)
from rnn_helpers.cells.workspace import GatedWorkspace, Gradients

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from rnn_helpers.cells.workspace import Array

GATES = 3


class Workspace(GatedWorkspace):
    """Own the arrays of a GRU. Gradients are always the caller's own.

    `BaseWorkspace` says how to use it and how long the states stay valid.
    """

    def __init__(self, batch: int, steps: int, features: int, units: int, dtype: DTypeLike) -> None:
        super().__init__(batch, steps, features, units, dtype)
        columns = units + 1 + features
        self.stacked[:, units] = 1  # between h_{t-1} and x_t
        self.halved = self.empty(2 * units, columns)  # z and r, for sigmoid(a) = (1 + tanh(a / 2)) / 2
        self.gates_T = self.empty(columns, 2 * units)  # z and r
        self.n_of_h, self.n_of_x = self.empty(units, units + 1), self.empty(units, 1 + features)
        self.n_of_h_T, self.n_of_x_T = self.empty(units + 1, units), self.empty(1 + features, units)
        self.gates = self.empty(steps, 2 * units, batch)
        self.candidates = self.empty(steps, units, batch)  # n_t
        # h's part of n_t; without reset_after, what r lets through, and a 1.
        self.recalled = self.empty(steps, units + 1, batch)
        self.recalled[:, -1] = 1
        self.das = self.empty(steps, 4 * units, batch)  # z, r, h's part of n, x's part of n
        self.dpart_of_h, self.dpart_of_x = self.empty(units + 1, batch), self.empty(1 + features, batch)
        self.slopes = self.empty(2 * units, batch)

        # One column per step and sequence, for the products over all steps.
        self.all_das = self.empty(4 * units, steps, batch)
        self.all_recalled = self.empty(units + 1, steps, batch)
        self.dgates = self.empty(2 * units, columns)
        self.dn_of_h, self.dn_of_x = self.empty(units, units + 1), self.empty(units, 1 + features)

        # Making a view costs as much as a small product, so the views of each step are made once.
        h = self.hs
        z, r = self.gates[:, :units], self.gates[:, units:]
        recalled = self.recalled[:, :units]
        self.forward_steps = list(
            zip(self.stacked[:-1], self.stacked[:-1, : units + 1], self.stacked[:-1, units:], self.gates, z, r,
                self.recalled, recalled, self.candidates, h[:-1], h[1:], strict=True)
        )  # fmt: skip
        da_zr, da_z, da_r = self.das[:, : 2 * units], self.das[:, :units], self.das[:, units : 2 * units]
        da_h, da_x = self.das[:, 2 * units : 3 * units], self.das[:, 3 * units :]
        dstacked = self.dstacked[:steps]
        self.backward_steps = list(
            zip(self.dhs, self.gates, z, r, recalled, self.candidates, h[:-1], da_zr, da_z, da_r, da_h, da_x,
                dstacked, dstacked[:, :units], dstacked[:, : units + 1], dstacked[:, units:], strict=True)
        )[::-1]  # fmt: skip


class Cache(NamedTuple):
    """Carry from `forward` to `backward` what it needs; nothing in it belongs to the caller's arrays."""

    workspace: Workspace
    number: int  # of this pass among the workspace's
    reset_after: bool


def forward(
    xs: Array,
    h_0: Array | None,
    W_xh: Array,
    W_hh: Array,
    b_h: Array,
    *,
    reset_after: bool = True,
    workspace: Workspace | None = None,
) -> tuple[Array, Cache]:
    """Run a GRU over a batch of sequences.

    xs: (batch, steps, features); h_0: (batch, units), or None for zeros
    W_xh: (features, 3 units); W_hh: (units, 3 units), in Keras' order of gates
    b_h: (2, 3 units) with reset_after, else (3 units,)
    reset_after: whether r_t is applied after the product with W_hh, as Keras does unless told otherwise
    workspace: None for results of their own; a `Workspace` of these sizes for speed, on the terms it states

    xs decides the precision: float32 and float64 stay, integers and booleans count as float64. No argument is changed.
    Returns hs: (batch, steps, units), and the cache for `backward`.
    Raises ValueError when shapes or workspace do not fit; TypeError when a dtype does not.
    Source: Cho and others (2014), Learning phrase representations using RNN encoder-decoder.
    """
    xs, W_xh, W_hh, b_h = gated_arguments(xs, W_xh, W_hh, b_h, GATES, biases=(2,) if reset_after else ())
    units = len(W_hh)
    h_0 = initial_state("h_0", h_0, xs, units)
    ws = resolve_workspace(workspace, Workspace, (*xs.shape, units), xs.dtype)
    ws.passes += 1
    ws.stacked[:-1, units + 1 :] = xs.transpose(1, 2, 0)
    ws.stacked[0, :units] = h_0.T
    _stack_weights(ws, W_xh, W_hh, b_h, reset_after)

    part = ws.part
    for stacked, with_h, with_x, gates, z, r, recall, recalled, n, h_before, h in ws.forward_steps:
        np.dot(ws.halved, stacked, out=gates)
        np.tanh(gates, out=gates)
        np.multiply(gates, 0.5, out=gates)
        np.add(gates, 0.5, out=gates)
        np.dot(ws.n_of_x, with_x, out=n)
        if reset_after:
            np.dot(ws.n_of_h, with_h, out=recalled)
            np.multiply(r, recalled, out=part)
        else:
            np.multiply(r, h_before, out=recalled)
            np.dot(ws.n_of_h, recall, out=part)
        np.add(n, part, out=n)
        np.tanh(n, out=n)
        np.subtract(h_before, n, out=part)
        np.multiply(z, part, out=part)
        np.add(n, part, out=h)

    return ws.hs_out.copy() if workspace is None else ws.hs_out, Cache(ws, ws.passes, reset_after)


def backward(dhs: Array, cache: Cache) -> Gradients:
    """Backpropagate through time: from dL/dh_t of every output to dL/d(argument) of `forward`.

    dL/dh_{t-1} = z_t dL/dh_t + the gradients through z_t, r_t and n_t; the first term involves no weights

    dhs: (batch, steps, units), the direct gradient of the loss with respect to h_t, without paths through later steps
    cache: what `forward` returned; it may be used again unless its workspace has run forward since

    Returns Gradients(dxs, dh_0, dW_xh, dW_hh, db_h), summed over the batch and in the precision of xs.
    Raises ValueError when dhs does not fit hs or the cache is out of date; TypeError when its dtype does not.
    """
    ws, reset_after = cache.workspace, cache.reset_after
    require_current_cache(cache.number, ws.passes)
    ws.dhs[:] = as_matching_array("dhs", dhs, ws.hs_out.shape, "hs", ws.hs_out).transpose(1, 2, 0)
    slopes, part, dh, dpart_of_h, dpart_of_x = ws.slopes, ws.part, ws.dh, ws.dpart_of_h, ws.dpart_of_x
    dh_later: Array | float = 0.0
    for (
        dh_t,
        gates,
        z,
        r,
        recalled,
        n,
        h_before,
        da,
        da_z,
        da_r,
        da_h,
        da_x,
        dst,
        dh_before,
        dwith_h,
        dwith_x,
    ) in ws.backward_steps:
        np.add(dh_t, dh_later, out=dh)
        np.subtract(h_before, n, out=part)
        np.multiply(dh, part, out=da_z)
        np.multiply(dh, z, out=part)
        np.subtract(dh, part, out=dh)  # now dL/dn_t; `part` is the gradient through z_t
        np.multiply(n, n, out=da_x)
        np.multiply(dh, da_x, out=da_x)
        np.subtract(dh, da_x, out=da_x)
        if reset_after:
            np.multiply(da_x, r, out=da_h)
            np.multiply(da_x, recalled, out=da_r)
            np.dot(ws.n_of_h_T, da_h, out=dpart_of_h)
        else:
            np.dot(ws.n_of_h_T, da_x, out=dpart_of_h)
            np.multiply(dpart_of_h[:-1], h_before, out=da_r)
            np.multiply(dpart_of_h[:-1], r, out=dpart_of_h[:-1])
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates, slopes, out=slopes)
        np.multiply(da, slopes, out=da)
        np.dot(ws.gates_T, da, out=dst)
        np.dot(ws.n_of_x_T, da_x, out=dpart_of_x)
        np.add(dwith_h, dpart_of_h, out=dwith_h)
        np.add(dwith_x, dpart_of_x, out=dwith_x)
        np.add(dh_before, part, out=dh_before)
        dh_later = dh_before
    return _gradients(ws, reset_after)


def _stack_weights(ws: Workspace, W_xh: Array, W_hh: Array, b_h: Array, reset_after: bool) -> None:
    """Stack the weights as the steps need them: those of h, a bias, those of x."""
    units = len(W_hh)
    of_gates, of_n = slice(0, 2 * units), slice(2 * units, None)
    bias_x, bias_h = b_h if reset_after else (b_h, np.zeros_like(b_h))
    ws.gates_T[:units] = W_hh[:, of_gates]
    ws.gates_T[units] = (bias_x + bias_h)[of_gates]
    ws.gates_T[units + 1 :] = W_xh[:, of_gates]
    np.multiply(ws.gates_T.T, 0.5, out=ws.halved)
    ws.n_of_h_T[:-1], ws.n_of_h_T[-1] = W_hh[:, of_n], bias_h[of_n]
    ws.n_of_x_T[1:], ws.n_of_x_T[0] = W_xh[:, of_n], bias_x[of_n]
    ws.n_of_h[:], ws.n_of_x[:] = ws.n_of_h_T.T, ws.n_of_x_T.T


def _gradients(ws: Workspace, reset_after: bool) -> Gradients:
    """Return the gradients, with those of the weights as products over all steps at once."""
    batch, steps, features, units = ws.sizes
    columns = steps * batch  # spelled out: reshape cannot work out a -1 where they are none
    ws.all_das[:] = ws.das.transpose(1, 0, 2)
    ws.all_stacked[:] = ws.stacked[:-1].transpose(1, 0, 2)
    das = ws.all_das.reshape(4 * units, columns)
    stacked = ws.all_stacked.reshape(units + 1 + features, columns)
    of_x = das[3 * units :]
    np.dot(das[: 2 * units], stacked.T, out=ws.dgates)
    np.dot(of_x, stacked[units:].T, out=ws.dn_of_x)
    if reset_after:
        np.dot(das[2 * units : 3 * units], stacked[: units + 1].T, out=ws.dn_of_h)
    else:
        ws.all_recalled[:] = ws.recalled.transpose(1, 0, 2)
        np.dot(of_x, ws.all_recalled.reshape(units + 1, columns).T, out=ws.dn_of_h)
    bias_x = np.concatenate([ws.dgates[:, units], ws.dn_of_x[:, 0]])
    bias_h = np.concatenate([ws.dgates[:, units], ws.dn_of_h[:, -1]])
    return Gradients(
        dxs=ws.dstacked[:steps, units + 1 :].transpose(2, 0, 1).copy(),
        dh_0=ws.dstacked[0, :units].T.copy(),
        dW_xh=np.concatenate([ws.dgates[:, units + 1 :], ws.dn_of_x[:, 1:]]).T,
        dW_hh=np.concatenate([ws.dgates[:, :units], ws.dn_of_h[:, :-1]]).T,
        db_h=np.stack([bias_x, bias_h]) if reset_after else bias_x,
    )
