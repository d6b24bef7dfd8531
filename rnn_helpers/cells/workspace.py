"""The workspace and the gradients that the cells have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[Any]


class Gradients(NamedTuple):
    """Hold dL/d(argument) for every argument of a cell's `forward`, each in the shape of its argument."""

    dxs: Array
    dh_0: Array
    dW_xh: Array
    dW_hh: Array
    db_h: Array


class BaseWorkspace:
    """Own the arrays for one problem size, so that a training loop allocates nothing.

    Pass it to `forward`; `backward` finds it in the cache. The states that `forward` returns are then read-only views
    of these arrays, valid until the next `forward` with the same workspace. Copy what has to live longer.
    """

    def __init__(self, batch: int, steps: int, features: int, units: int, dtype: DTypeLike) -> None:
        self.sizes = (batch, steps, features, units)
        self.dtype = np.dtype(dtype)
        self.passes = 0  # lets `backward` notice a cache that a later `forward` has overwritten

    def empty(self, *shape: int) -> Array:
        """Return a new array of the workspace's precision, with arbitrary contents."""
        return np.empty(shape, self.dtype)


class GatedWorkspace(BaseWorkspace):
    """Own the arrays that an LSTM and a GRU both need; the subclass adds those of its gates.

    Arrays are gate-major: sequences are columns, so that each gate of a step is one block of memory. The state
    h_{t-1}, the input x_t and a 1 are stacked, in the cell's own order, so that one product serves all of them.
    """

    def __init__(self, batch: int, steps: int, features: int, units: int, dtype: DTypeLike) -> None:
        super().__init__(batch, steps, features, units, dtype)
        columns = units + features + 1
        self.stacked = self.empty(steps + 1, columns, batch)
        # Without a step, nothing writes its first row: then dL/dh_0 is zero.
        self.dstacked = np.zeros((max(steps, 1), columns, batch), self.dtype)
        self.dhs, self.dh = self.empty(steps, units, batch), self.empty(units, batch)
        self.part = self.empty(units, batch)
        # One column per step and sequence, for the products over all steps.
        self.all_stacked = self.empty(columns, steps, batch)
        self.hs = self.stacked[:, :units]  # begins with h_0
        self.hs_out = self.hs[1:].transpose(2, 0, 1)
        self.hs_out.flags.writeable = False  # `backward` still needs them
