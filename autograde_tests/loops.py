"""The most common error in a loop over time: `range(xs.shape[0])`, the number of sequences instead of steps.

It raises an IndexError when there are more sequences than steps, and reads too few steps otherwise.
"""

from __future__ import annotations

import numpy as np

TOO_FEW = "Your loop runs once for each sequence, `xs.shape[0]`; the number of steps is `xs.shape[1]`."
REST_IS_ZERO = (
    "Your loop runs once for each sequence, `xs.shape[0]`, and leaves zeros in later steps; "
    "the number of steps is `xs.shape[1]`."
)


def counted(xs: np.ndarray) -> int:
    """Return the number of steps of the wrong loop, one per sequence. Raises IndexError when there are fewer steps."""
    batch, steps = xs.shape[:2]
    if batch > steps:
        raise IndexError(f"index {steps} is out of bounds for axis 1 with size {steps}")
    return batch


def cut(xs: np.ndarray) -> np.ndarray:
    """Return the steps that the wrong loop reads."""
    return xs[:, : counted(xs)]


def with_zeros(states: np.ndarray, steps: int) -> np.ndarray:
    """Return the states, padded with zeros for the steps that the wrong loop does not reach."""
    missing = np.zeros((len(states), steps - states.shape[1], states.shape[2]))
    return np.concatenate([states, missing], axis=1)
