"""Run a linear recurrence with one decay for each unit over whole sequences: h_t = a_t h_{t-1} + b_t.

Two steps in a row are one step of the same form, (a_2, b_2) after (a_1, b_1) = (a_2 a_1, a_2 b_1 + b_2), so that the
states need not be computed one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnn_helpers.cells.validation import as_matching_array, as_sequences, initial_state

if TYPE_CHECKING:
    from rnn_helpers.cells.workspace import Array

FEW = 64  # numbers in a step, batch * units, up to which doubling is faster than single steps (benchmarks/cells.py)


def scan(a: Array, b: Array, h_0: Array | None = None) -> Array:
    """Return all states of h_t = a_t h_{t-1} + b_t.

    a: (batch, steps, units), the factor of the state at each step
    b: (batch, steps, units), what is added at each step
    h_0: (batch, units), the state before the first step, or None for zeros

    Where a step holds few numbers, Python's time for each step exceeds that of the arithmetic, and the states are
    computed in log2(steps) rounds, which do more arithmetic in fewer calls. Other states are computed one by one.
    b decides the precision: float32 and float64 stay, integers and booleans count as float64. No argument is changed.
    Returns hs: (batch, steps, units).
    Raises ValueError when shapes do not fit; TypeError when a dtype does not.
    Source: Hillis and Steele (1986), Data parallel algorithms.
    """
    b = as_sequences(b)
    a = as_matching_array("a", a, b.shape, "b", b)
    h_0 = initial_state("h_0", h_0, b, b.shape[2])
    batch, _, units = b.shape
    return (_by_doubling if batch * units <= FEW else _step_by_step)(a, b, h_0)


def _step_by_step(a: Array, b: Array, h_0: Array) -> Array:
    """Advance by one step at a time, on copies in which the numbers of a step lie next to each other."""
    factors, hs = a.swapaxes(0, 1).copy(), b.swapaxes(0, 1).copy()
    h, product = h_0, np.empty_like(h_0)
    for a_t, h_t in zip(factors, hs, strict=True):
        np.multiply(a_t, h, out=product)
        np.add(h_t, product, out=h_t)
        h = h_t
    return hs.swapaxes(0, 1).copy()


def _by_doubling(a: Array, b: Array, h_0: Array) -> Array:
    """Combine each step with the one before it, each two steps with the two before them, and so on."""
    factors, hs = a.copy(), b.copy()
    hs[:, :1] += factors[:, :1] * h_0[:, None]
    length = 1
    while length < b.shape[1]:
        hs[:, length:] += factors[:, length:] * hs[:, :-length]
        factors[:, length:] *= factors[:, :-length]
        length *= 2
    return hs
