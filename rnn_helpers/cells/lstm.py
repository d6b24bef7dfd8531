"""Run an LSTM over whole sequences, and backpropagate through time.

    i_t, f_t, o_t = sigmoid(...)    g_t = tanh(...)    each of x_t W_xh + h_{t-1} W_hh + b_h
    c_t = f_t c_{t-1} + i_t g_t     h_t = o_t tanh(c_t)

    name        shape                       what it is
    xs          (batch, steps, features)    inputs
    hs, cs      (batch, steps, units)       states h_1 ... h_T and memories c_1 ... c_T
    h_0, c_0    (batch, units)              both before the first step
    W_xh        (features, 4 units)         in four blocks, in Keras' order: i, f, g, o (Keras calls g "c")
    W_hh        (units, 4 units)            the same
    b_h         (4 units,)                  the same

Inside, arrays are gate-major: sequences are columns, so that each gate of a step is one block of memory, and the three
sigmoid gates are neighbours. h_{t-1}, x_t and a 1 are stacked, so that a step is one product with all the weights. And
sigmoid(a) = (1 + tanh(a / 2)) / 2: with those weights halved, one tanh serves all four gates.
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
from rnn_helpers.cells.workspace import GatedWorkspace

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from rnn_helpers.cells.workspace import Array

GATES = 4
INSIDE = (0, 1, 3, 2)  # the order i, f, o, g: the sigmoid gates first; it is its own inverse


class Gradients(NamedTuple):
    """Hold dL/d(argument) for every argument of `forward`, each in the shape of its argument."""

    dxs: Array
    dh_0: Array
    dc_0: Array
    dW_xh: Array
    dW_hh: Array
    db_h: Array


class Workspace(GatedWorkspace):
    """Own the arrays of an LSTM. Gradients are views of them, too, valid until the next `backward`.

    `BaseWorkspace` says how to use it and how long the states stay valid.
    """

    def __init__(self, batch: int, steps: int, features: int, units: int, dtype: DTypeLike) -> None:
        super().__init__(batch, steps, features, units, dtype)
        rows, columns = GATES * units, units + features + 1

        self.halved = self.empty(rows, columns)
        self.weights_T = self.empty(columns, rows)
        self.stacked[:, -1] = 1  # below h_{t-1} and x_t
        self.memories = self.empty(steps + 1, units, batch)  # begins with c_0
        self.squashed = self.empty(steps, units, batch)  # tanh(c_t)
        self.gates = self.empty(steps, rows, batch)
        self.das = self.empty(steps, rows, batch)
        self.slopes, self.dc = self.empty(rows, batch), self.empty(units, batch)

        # One column per step and sequence: what the product over all steps sees.
        self.all_das = self.empty(rows, steps, batch)
        self.dweights = self.empty(rows, columns)

        # Making a view costs as much as a small product, so the views of each step are made once.
        sigmoids = self.gates[:, : 3 * units]
        i, f, o, g = (self.gates[:, gate * units : (gate + 1) * units] for gate in range(GATES))
        c_before, c = self.memories[:-1], self.memories[1:]
        self.forward_steps = list(
            zip(
                self.stacked[:-1],
                self.gates,
                sigmoids,
                i,
                f,
                o,
                g,
                c_before,
                c,
                self.squashed,
                self.hs[1:],
                strict=True,
            )
        )
        da_i, da_f, da_o, da_g = (self.das[:, gate * units : (gate + 1) * units] for gate in range(GATES))
        dstacked = self.dstacked[:steps]
        self.backward_steps = list(
            zip(self.dhs, self.gates, i, f, o, g, c_before, self.squashed,
                self.das, da_i, da_f, da_o, da_g, dstacked, dstacked[:, :units], strict=True)
        )[::-1]  # fmt: skip

        self.cs_out = c.transpose(2, 0, 1)
        self.cs_out.flags.writeable = False  # `backward` still needs them
        self.gradients = Gradients(
            dxs=dstacked[:, units:-1].transpose(2, 0, 1),
            dh_0=self.dstacked[0, :units].T,
            dc_0=self.dc.T,
            dW_xh=self.empty(features, rows),
            dW_hh=self.empty(units, rows),
            db_h=self.empty(rows),
        )


class Cache(NamedTuple):
    """Carry from `forward` to `backward` what it needs; nothing in it belongs to the caller's arrays."""

    workspace: Workspace
    number: int  # of this pass among the workspace's
    shared: bool  # the workspace is the caller's


def forward(
    xs: Array,
    h_0: Array | None,
    c_0: Array | None,
    W_xh: Array,
    W_hh: Array,
    b_h: Array,
    *,
    workspace: Workspace | None = None,
) -> tuple[Array, Array, Cache]:
    """Run an LSTM over a batch of sequences.

    xs: (batch, steps, features); h_0, c_0: (batch, units), or None for zeros
    W_xh: (features, 4 units); W_hh: (units, 4 units); b_h: (4 units,), in Keras' order of gates
    workspace: None for results of their own; a `Workspace` of these sizes for speed, on the terms it states

    xs decides the precision: float32 and float64 stay, integers and booleans count as float64. No argument is changed.
    Returns hs, cs: (batch, steps, units), and the cache for `backward`.
    Raises ValueError when shapes or workspace do not fit; TypeError when a dtype does not.
    Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000).
    """
    xs, W_xh, W_hh, b_h = gated_arguments(xs, W_xh, W_hh, b_h, GATES)
    units = len(W_hh)
    h_0, c_0 = initial_state("h_0", h_0, xs, units), initial_state("c_0", c_0, xs, units)
    ws = resolve_workspace(workspace, Workspace, (*xs.shape, units), xs.dtype)
    ws.passes += 1
    ws.stacked[:-1, units:-1] = xs.transpose(1, 2, 0)
    ws.stacked[0, :units] = h_0.T
    ws.memories[0] = c_0.T
    for slot, gate in enumerate(INSIDE):
        block, inside = slice(gate * units, (gate + 1) * units), slice(slot * units, (slot + 1) * units)
        ws.weights_T[:units, inside] = W_hh[:, block]
        ws.weights_T[units:-1, inside] = W_xh[:, block]
        ws.weights_T[-1, inside] = b_h[block]
    ws.halved[:] = ws.weights_T.T
    ws.halved[: 3 * units] *= 0.5

    part = ws.part
    for stacked, gates, sigmoids, i, f, o, g, c_before, c, squashed, h in ws.forward_steps:
        np.dot(ws.halved, stacked, out=gates)
        np.tanh(gates, out=gates)
        np.multiply(sigmoids, 0.5, out=sigmoids)
        np.add(sigmoids, 0.5, out=sigmoids)
        np.multiply(f, c_before, out=c)
        np.multiply(i, g, out=part)
        np.add(c, part, out=c)
        np.tanh(c, out=squashed)
        np.multiply(o, squashed, out=h)

    if workspace is None:
        return ws.hs_out.copy(), ws.cs_out.copy(), Cache(ws, ws.passes, shared=False)
    return ws.hs_out, ws.cs_out, Cache(ws, ws.passes, shared=True)


def backward(dhs: Array, cache: Cache) -> Gradients:
    """Backpropagate through time: from dL/dh_t of every output to dL/d(argument) of `forward`.

    dL/dc_t = dL/dh_t o_t (1 - tanh(c_t)^2) + dL/dc_{t+1} f_{t+1}: a memory is handed back through its forget gate alone

    dhs: (batch, steps, units), the direct gradient of the loss with respect to h_t, without paths through later steps
    cache: what `forward` returned; it may be used again unless its workspace has run forward since

    Returns Gradients(dxs, dh_0, dc_0, dW_xh, dW_hh, db_h), summed over the batch and in the precision of xs.
    Raises ValueError when dhs does not fit hs or the cache is out of date; TypeError when its dtype does not.
    """
    ws = cache.workspace
    require_current_cache(cache.number, ws.passes)
    batch, steps, features, units = ws.sizes
    ws.dhs[:] = as_matching_array("dhs", dhs, ws.hs_out.shape, "hs", ws.hs_out).transpose(1, 2, 0)
    slopes, part, dh, dc = ws.slopes, ws.part, ws.dh, ws.dc
    sigmoid_slopes, tanh_slopes = slopes[: 3 * units], slopes[3 * units :]
    dc[:] = 0
    dh_later: Array | float = 0.0
    for (
        dh_t,
        gates,
        i,
        f,
        o,
        g,
        c_before,
        squashed,
        da,
        da_i,
        da_f,
        da_o,
        da_g,
        dstacked,
        dh_before,
    ) in ws.backward_steps:
        np.add(dh_t, dh_later, out=dh)
        np.multiply(dh, squashed, out=da_o)
        np.multiply(dh, o, out=dh)  # from here on dL/dtanh(c_t)
        np.multiply(squashed, squashed, out=part)
        np.multiply(dh, part, out=part)
        np.subtract(dh, part, out=dh)
        np.add(dc, dh, out=dc)
        np.multiply(dc, g, out=da_i)
        np.multiply(dc, c_before, out=da_f)
        np.multiply(dc, i, out=da_g)
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates[: 3 * units], sigmoid_slopes, out=sigmoid_slopes)
        np.subtract(1, tanh_slopes, out=tanh_slopes)
        np.multiply(da, slopes, out=da)
        np.dot(ws.weights_T, da, out=dstacked)
        np.multiply(dc, f, out=dc)
        dh_later = dh_before

    ws.all_das[:] = ws.das.transpose(1, 0, 2)
    ws.all_stacked[:] = ws.stacked[:-1].transpose(1, 0, 2)
    columns = steps * batch  # spelled out: reshape cannot work out a -1 where they are none
    stacked = ws.all_stacked.reshape(units + features + 1, columns)
    np.dot(ws.all_das.reshape(GATES * units, columns), stacked.T, out=ws.dweights)
    grads = ws.gradients
    for slot, gate in enumerate(INSIDE):
        block = slice(gate * units, (gate + 1) * units)
        of_gate = ws.dweights[slot * units : (slot + 1) * units].T
        grads.dW_hh[:, block], grads.dW_xh[:, block], grads.db_h[block] = (
            of_gate[:units],
            of_gate[units:-1],
            of_gate[-1],
        )
    return grads if cache.shared else Gradients(*(gradient.copy() for gradient in grads))
