"""The commonest slip in a loop over time: `range(xs.shape[0])`, which counts the sequences, in place of the steps.

Where there are more sequences than steps it ends in an IndexError; elsewhere it reads too few steps.
"""

from __future__ import annotations

import numpy as np

TOO_FEW = "the loop counts the sequences, `xs.shape[0]`; the steps are `xs.shape[1]`"
REST_IS_ZERO = (
    "the loop counts the sequences, `xs.shape[0]`, so that later steps keep the zeros that were there; "
    "the steps are `xs.shape[1]`"
)


def counted(xs: np.ndarray) -> int:
    """Return how many steps the wrong loop takes: one for each sequence. Raises IndexError where there are fewer."""
    batch, steps = xs.shape[:2]
    if batch > steps:
        raise IndexError(f"index {steps} is out of bounds for axis 1 with size {steps}")
    return batch


def cut(xs: np.ndarray) -> np.ndarray:
    """Return the steps that the wrong loop reads."""
    return xs[:, : counted(xs)]


def with_zeros(states: np.ndarray, steps: int) -> np.ndarray:
    """Return the states with zeros for the steps that the wrong loop did not come to."""
    missing = np.zeros((len(states), steps - states.shape[1], states.shape[2]))
    return np.concatenate([states, missing], axis=1)
