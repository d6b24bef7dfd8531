"""Draw inputs for challenges: distinct sizes, and numbers with few digits."""

from __future__ import annotations

import numpy as np

Rng = np.random.Generator


def numbers(rng: Rng, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Return normal numbers of the given shape with two decimals, never exactly zero."""
    drawn = np.round(scale * rng.normal(size=shape), 2)
    return np.where(drawn == 0, 0.01, drawn)


def sizes(rng: Rng, count: int, low: int = 2, high: int = 6) -> list[int]:
    """Return `count` sizes in [low, high], all different, so that no two axes can be confused."""
    return [int(size) for size in rng.choice(np.arange(low, high + 1), size=count, replace=False)]
