"""Run a minGRU over whole sequences, and backpropagate through time.

    z_t = sigmoid(x_t W_xh + b_h)            the block z: the share of the state that is kept, as in `cells.gru`
    n_t = x_t W_xh + b_h                     the block n: the candidate, without tanh
    h_t = z_t h_{t-1} + (1 - z_t) n_t

It is a GRU whose gate and candidate do not depend on h_{t-1}. So the recurrence is linear, and both passes are a
`scan`: the forward pass from the first step to the last, the backward pass from the last to the first.

    name   shape                       what it is
    xs     (batch, steps, features)    inputs
    hs     (batch, steps, units)       states h_1 ... h_T
    h_0    (batch, units)              state before the first step
    W_xh   (features, 2 units)         in two blocks: z, n
    b_h    (2 units,)                  the same
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnn_helpers.cells.linear import scan
from rnn_helpers.cells.validation import as_matching_array, as_real_array, as_sequences, initial_state

if TYPE_CHECKING:
    from rnn_helpers.cells.workspace import Array

BLOCKS = 2


class Gradients(NamedTuple):
    """Hold dL/d(argument) for each array argument of `forward`, in its order."""

    dxs: Array
    dh_0: Array
    dW_xh: Array
    db_h: Array


class Cache(NamedTuple):
    """Carry from `forward` to `backward` what it needs."""

    xs: Array
    h_0: Array
    W_xh: Array
    z: Array
    n: Array
    hs: Array


def forward(xs: Array, h_0: Array | None, W_xh: Array, b_h: Array) -> tuple[Array, Cache]:
    """Run a minGRU over a batch of sequences.

    xs: (batch, steps, features); h_0: (batch, units), or None for zeros
    W_xh: (features, 2 units); b_h: (2 units,), in the order z, n

    xs decides the precision: float32 and float64 stay, integers and booleans count as float64. No argument is changed.
    Returns hs: (batch, steps, units), and the cache for `backward`, which must not be changed.
    Raises ValueError when shapes do not fit; TypeError when a dtype does not.
    Source: Feng and others (2024), Were RNNs all we needed?
    """
    xs = as_sequences(xs)
    b_h = as_real_array("b_h", b_h, xs.dtype)
    if b_h.ndim != 1 or len(b_h) % BLOCKS:
        raise ValueError(f"b_h has shape {b_h.shape}; expected (2 units,), the blocks z and n side by side.")
    W_xh = as_matching_array("W_xh", W_xh, (xs.shape[2], len(b_h)), "xs and b_h", b_h)
    units = len(b_h) // BLOCKS
    h_0 = initial_state("h_0", h_0, xs, units)
    weighted = xs @ W_xh + b_h
    z, n = 0.5 + 0.5 * np.tanh(0.5 * weighted[..., :units]), weighted[..., units:]
    hs = scan(z, n - z * n, h_0)
    return hs, Cache(xs, h_0, W_xh, z, n, hs)


def backward(dhs: Array, cache: Cache) -> Gradients:
    """Backpropagate through time: from dL/dh_t of every output to dL/d(argument) of `forward`.

    The errors satisfy a linear recurrence as well, dL/dh_t = dhs_t + z_{t+1} dL/dh_{t+1}, which runs backwards.

    dhs: (batch, steps, units), the direct gradient of the loss with respect to h_t, without paths through later steps
    cache: what `forward` returned

    Returns Gradients(dxs, dh_0, dW_xh, db_h), summed over the batch and in the precision of xs.
    Raises ValueError when dhs does not fit hs; TypeError when its dtype does not.
    """
    xs, h_0, W_xh, z, n, hs = cache
    dhs = as_matching_array("dhs", dhs, hs.shape, "hs", hs)
    batch, steps, features = xs.shape
    later = np.concatenate([z[:, 1:], np.zeros_like(z[:, :1])], axis=1)[:, :steps]
    dh = scan(later[:, ::-1], dhs[:, ::-1])[:, ::-1]
    h_before = np.concatenate([h_0[:, None], hs], axis=1)[:, :steps]
    da = np.concatenate([dh * (h_before - n) * z * (1 - z), dh * (1 - z)], axis=2)
    rows = batch * steps  # spelled out: reshape cannot work out a -1 where they are none
    return Gradients(
        dxs=da @ W_xh.T,
        dh_0=z[:, 0] * dh[:, 0] if steps else np.zeros_like(h_0),
        dW_xh=xs.reshape(rows, features).T @ da.reshape(rows, da.shape[2]),
        db_h=da.sum(axis=(0, 1)),
    )
