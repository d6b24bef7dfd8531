"""Validate a cell's arguments: convert them to arrays of one precision, or raise an error that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from rnn_helpers.cells.workspace import Array, BaseWorkspace

W = TypeVar("W", bound="BaseWorkspace")


def as_sequences(xs: Any) -> Array:
    """Return xs as an array (batch, steps, features) of float32 or float64. Raises TypeError and ValueError."""
    xs = as_real_array("xs", xs)
    if xs.dtype.kind != "f":
        xs = xs.astype(np.float64)
    if xs.dtype not in (np.float32, np.float64):
        raise TypeError(f"xs has dtype {xs.dtype}; expected float32 or float64. Convert it: xs.astype(np.float32).")
    if xs.ndim != 3:
        way_out = " Add the batch axis with xs[None]." if xs.ndim == 2 else ""
        raise ValueError(f"xs has shape {xs.shape}; expected (batch, steps, features).{way_out}")
    return xs


def as_real_array(name: str, values: Any, dtype: DTypeLike | None = None) -> Array:
    """Return values as an array of real numbers. Raises TypeError."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected real numbers. "
            f"Look at what is in it, then convert: np.asarray({name}, dtype=np.float64)."
        )
    return np.asarray(array, dtype) if dtype else array


def as_matching_array(name: str, values: Any, expected: tuple[int, ...], other_name: str, other: Array) -> Array:
    """Return values as an array of the shape `expected` and of the other's precision. Raises ValueError, TypeError."""
    array = as_real_array(name, values, other.dtype)
    if array.shape != expected:
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected} to fit {other_name} with shape {other.shape}."
        )
    return array


def initial_state(name: str, values: Any, xs: Array, units: int) -> Array:
    """Return the state before the first step, (batch, units): zeros when it is None. Raises ValueError, TypeError."""
    shape = (len(xs), units)
    return as_matching_array(name, np.zeros(shape) if values is None else values, shape, "xs", xs)


def gated_arguments(
    xs: Any, W_xh: Any, W_hh: Any, b_h: Any, blocks: int, biases: tuple[int, ...] = ()
) -> tuple[Array, ...]:
    """Return inputs and weights of a cell whose weights consist of one block per gate.

    biases: (2,) when b_h has two rows
    Raises ValueError when shapes do not fit, TypeError when a dtype does not.
    """
    xs = as_sequences(xs)
    W_hh = as_matching_array("W_hh", W_hh, (len(W_hh), blocks * len(W_hh)), "xs", xs)
    width = W_hh.shape[1]
    W_xh = as_matching_array("W_xh", W_xh, (xs.shape[2], width), "W_hh", W_hh)
    return xs, W_xh, W_hh, as_matching_array("b_h", b_h, (*biases, width), "W_hh", W_hh)


def resolve_workspace(workspace: W | None, make: type[W], sizes: tuple[int, int, int, int], dtype: DTypeLike) -> W:
    """Return the caller's workspace if it fits, or a new one if there is none. Raises ValueError.

    make: the cell's Workspace; sizes: batch, steps, features, units
    """
    dtype = np.dtype(dtype)
    if workspace is None:
        return make(*sizes, dtype)
    if (workspace.sizes, workspace.dtype) != (sizes, dtype):
        raise ValueError(
            f"The workspace is for {workspace.sizes}, {workspace.dtype}; these arrays are {sizes}, {dtype}, "
            f"in the order batch, steps, features, units. Make one with Workspace{(*sizes, dtype.name)}."
        )
    return workspace


def require_current_cache(number: int, passes: int) -> None:
    """Raise ValueError when a workspace has run forward since the pass that a cache is from."""
    if number != passes:
        raise ValueError(
            f"The cache is from pass {number} of its workspace, which has since run pass {passes} over it. "
            "Call backward before the next forward, or give each its own Workspace."
        )
