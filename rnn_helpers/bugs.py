"""Backward passes for the bug hunt in lesson 05: two correct ones and six with one bug each.

Each takes (dhs, cache), cache = (xs, h_0, hs, W_xh, W_hh), and returns (dW_xh, dW_hh, db_h). Their names say
nothing; only a gradient check can tell them apart. (Reading this file would spoil the fun.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Cache = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Backward = Callable[[np.ndarray, Cache], tuple[np.ndarray, np.ndarray, np.ndarray]]


def forward(xs: np.ndarray, h_0: np.ndarray, W_xh: np.ndarray, W_hh: np.ndarray, b_h: np.ndarray) -> np.ndarray:
    """Return the states (batch, steps, units) of the forward pass that belongs to the backward passes below."""
    h, states = h_0, []
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
        states.append(h)
    return np.stack(states, axis=1)


def _walk(dhs: np.ndarray, cache: Cache, bug: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    xs, h_0, hs, W_xh, W_hh = cache
    dW_xh, dW_hh, db_h = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros(len(W_hh))
    dh_next = np.zeros_like(h_0)
    for t in reversed(range(xs.shape[1])):
        dh = dhs[:, t] + dh_next
        slope = 1 - np.tanh(hs[:, t]) ** 2 if bug == "slope" else 1 - hs[:, t] ** 2
        da = dh * (slope + 1e-3 if bug == "offset" else slope)  # an offset keeps the slope from vanishing
        before = hs[:, t] if bug == "shift" else hs[:, t - 1] if t else h_0
        dW_xh += xs[:, t].T @ da
        dW_hh += before.T @ da
        db_h += da.mean(axis=0) if bug == "mean" else da.sum(axis=0)
        dh_next = da @ (W_hh if bug == "transpose" else W_hh.T)
        if bug == "last" and t == 1:
            dh_next = np.zeros_like(h_0)  # the first step receives no gradient from later steps
    return dW_xh, dW_hh, db_h


def _all_at_once(dhs: np.ndarray, cache: Cache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    xs, h_0, hs, _, W_hh = cache
    das, dh = np.empty_like(hs), np.zeros_like(h_0)
    for t in reversed(range(xs.shape[1])):
        das[:, t] = (dhs[:, t] + dh) * (1 - hs[:, t] ** 2)
        dh = das[:, t] @ W_hh.T
    before = np.concatenate([h_0[:, None], hs[:, :-1]], axis=1)
    return np.einsum("btd,bth->dh", xs, das), np.einsum("bti,btj->ij", before, das), das.sum(axis=(0, 1))


def _with_name(name: str, bug: str) -> Backward:
    def backward(dhs: np.ndarray, cache: Cache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _walk(dhs, cache, bug)

    backward.__name__ = backward.__qualname__ = name
    return backward


ada, bruno, chloe = _with_name("ada", "transpose"), _with_name("bruno", ""), _with_name("chloe", "slope")
dora, emil, fatima, gustav = (
    _with_name("dora", "mean"),
    _with_name("emil", "shift"),
    _all_at_once,
    _with_name("gustav", "last"),
)
helga = _with_name("helga", "offset")
CANDIDATES: dict[str, Backward] = {
    "ada": ada, "bruno": bruno, "chloe": chloe, "dora": dora, "emil": emil, "fatima": fatima, "gustav": gustav,
    "helga": helga,
}  # fmt: skip
