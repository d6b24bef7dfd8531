"""Lesson 13: a step of an LSTM and its backward pass, the memory's Jacobian, a step of a GRU, the count of parameters.

The oracles of the steps compute one unit of one sequence at a time with math.exp; those of the gradients use the complex
step of lesson 04 in place of a backward pass.
"""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake
from autograde_tests.lesson_04_bptt import Gradients, complex_step
from autograde_tests.sampling import Rng, numbers, sizes


def _logistic(a):
    return 1 / (1 + np.exp(-a))


def _one_logistic(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def _sum(x, h, W_xh, W_hh, bias, column):
    """Return one number of x W_xh + h W_hh + bias, one product at a time."""
    from_x = math.fsum(x[j] * W_xh[j, column] for j in range(len(x)))
    return from_x + math.fsum(h[j] * W_hh[j, column] for j in range(len(h))) + bias


# ------------------------------------------------------------------------------------------ lstm_step


def lstm_step_oracle(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """Return (h_t, c_t), one unit of one sequence at a time."""
    h_t, c_t = np.empty(h_prev.shape), np.empty(h_prev.shape)
    units = h_prev.shape[1]
    for row, unit in np.ndindex(h_t.shape):
        i, f, g, o = (
            _sum(x_t[row], h_prev[row], W_xh, W_hh, b_h[block * units + unit], block * units + unit)
            for block in range(4)
        )
        c = _one_logistic(f) * c_prev[row, unit] + _one_logistic(i) * math.tanh(g)
        c_t[row, unit], h_t[row, unit] = c, _one_logistic(o) * math.tanh(c)
    return h_t, c_t


def _lstm_inputs(rng: Rng, batch: int, features: int, units: int, *, on: str = "xhcb") -> tuple:
    """Draw (x_t, h_prev, c_prev, W_xh, W_hh, b_h); the terms not named in `on` are zero."""
    return (
        numbers(rng, batch, features) * ("x" in on),
        numbers(rng, batch, units, scale=0.5) * ("h" in on),
        numbers(rng, batch, units) * ("c" in on),
        numbers(rng, features, 4 * units, scale=0.7),
        numbers(rng, units, 4 * units, scale=0.7),
        numbers(rng, 4 * units) * ("b" in on),
    )


def _wide(rng: Rng) -> tuple[int, int, int]:
    """Draw batch, features and units, of which the first two may be large beside the third."""
    return int(rng.integers(1, 15)), int(rng.integers(1, 15)), int(rng.integers(1, 4))


def _lstm(x, h, c, U, W, b, *, order=(0, 1, 2, 3), cut=None, memory=None, readout=None, squash=np.tanh, gate=_logistic):
    """Take an LSTM step. order: the blocks used as i, f, g, o; cut: (a, units) -> blocks; memory, readout: the last two lines."""
    a = x @ U + h @ W + b
    blocks = cut(a, h.shape[1]) if cut else np.split(a, 4, axis=1)
    i, f, g, o = (blocks[index] for index in order)
    i, f, g, o = gate(i), gate(f), squash(g), gate(o)
    c_t = memory(i, f, g, c) if memory else f * c + i * g
    return (readout(o, c_t) if readout else o * np.tanh(c_t)), c_t


def _blockwise_transposed(W):
    return np.hstack([block.T for block in np.split(W, 4, axis=1)])


def _shows_the_candidate(x, h, c, U, W, b):
    _, c_t = _lstm(x, h, c, U, W, b)
    _, _, g, o = np.split(x @ U + h @ W + b, 4, axis=1)
    return _logistic(o) * np.tanh(g), c_t


def _shows_the_old_memory(x, h, c, U, W, b):
    return _lstm(x, h, c, U, W, b, readout=lambda o, c_t: o * np.tanh(c))[0], _lstm(x, h, c, U, W, b)[1]


def _writes_over_c_prev(x, h, c, U, W, b):
    h_t, c[:] = _lstm(x, h, c, U, W, b)
    return h_t, c


def _lstm_in_four_products(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    n = c_prev.shape[-1]

    def part(k):
        columns = slice(k * n, (k + 1) * n)
        return x_t.dot(W_xh[:, columns]) + h_prev.dot(W_hh[:, columns]) + b_h[columns]

    c_t = _logistic(part(1)) * c_prev
    c_t += _logistic(part(0)) * np.tanh(part(2))
    return _logistic(part(3)) * np.tanh(c_t), c_t


def _lstm_joined(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    a = np.einsum("bk,kn->bn", np.concatenate([x_t, h_prev], axis=1), np.concatenate([W_xh, W_hh])) + b_h
    a = a.reshape(len(x_t), 4, -1)
    i, f, o = (0.5 + 0.5 * np.tanh(a[:, k] / 2) for k in (0, 1, 3))
    c_t = f * c_prev + i * np.tanh(a[:, 2])
    return [np.tanh(c_t) * o, c_t]


lstm_step = Exercise(
    name="lstm_step",
    challenges=(
        Challenge("the bias alone", 0.5, lambda rng: _lstm_inputs(rng, *sizes(rng, 3), on="b")),
        Challenge("the old memory alone", 0.5, lambda rng: _lstm_inputs(rng, *sizes(rng, 3), on="c")),
        Challenge("the input and the memory", 0.5, lambda rng: _lstm_inputs(rng, *sizes(rng, 3), on="xc")),
        Challenge("everything at once", 1.0, lambda rng: _lstm_inputs(rng, *sizes(rng, 3))),
        Challenge("other sizes", 0.5, lambda rng: _lstm_inputs(rng, *_wide(rng)), hidden=True),
        Challenge("as many features as units", 0.5, lambda rng: _lstm_inputs(rng, 3, 4, 4), hidden=True),
    ),
    oracle=lstm_step_oracle,
    mistakes=(
        Mistake(
            "You take the blocks in the order i, f, o, g: here their order is i, f, g, o.",
            lambda *a: _lstm(*a, order=(0, 1, 3, 2)),
        ),
        Mistake(
            "The input gate and the forget gate are interchanged: the first block is i, the second is f.",
            lambda *a: _lstm(*a, order=(1, 0, 2, 3)),
        ),
        Mistake(
            "You take every fourth column for a gate: the columns of each gate are adjacent.",
            lambda *a: _lstm(*a, cut=lambda s, n: [s[:, k::4] for k in range(4)]),
        ),
        Mistake(
            "You apply the sigmoid to the candidate g: it goes through tanh.",
            lambda *a: _lstm(*a, squash=_logistic),
        ),
        Mistake(
            "You apply no activation to the candidate g: it goes through tanh.",
            lambda *a: _lstm(*a, squash=lambda g: g),
        ),
        Mistake(
            "The input gate is missing: multiply the candidate g by i.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: f * c + g),
        ),
        Mistake(
            "The forget gate is missing: multiply the old memory c_prev by f.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: c + i * g),
        ),
        Mistake(
            "You multiply the old memory by 1 - i: multiply it by the forget gate f.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: (1 - i) * c + i * g),
        ),
        Mistake(
            "You leave out the old memory: c_t starts with f times c_prev.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: i * g),
        ),
        Mistake(
            "You multiply h_prev by the forget gate: multiply the old memory c_prev.",
            lambda x, h, c, U, W, b: _lstm(x, h, h, U, W, b),
        ),
        Mistake(
            "The output gate is missing: h_t is o times tanh(c_t).",
            lambda *a: _lstm(*a, readout=lambda o, c_t: np.tanh(c_t)),
        ),
        Mistake(
            "The tanh of the memory is missing: h_t is o times tanh(c_t).",
            lambda *a: _lstm(*a, readout=lambda o, c_t: o * c_t),
        ),
        Mistake("You leave out the bias b_h.", lambda x, h, c, U, W, b: _lstm(x, h, c, U, W, 0 * b)),
        Mistake(
            "You use each block of W_hh transposed.",
            lambda x, h, c, U, W, b: _lstm(x, h, c, U, _blockwise_transposed(W), b),
        ),
        Mistake(
            "You leave out h_prev: the gates depend on it as well as on the input.",
            lambda x, h, c, U, W, b: _lstm(x, 0 * h, c, U, W, b),
        ),
        Mistake("The two results are interchanged: return h_t first.", lambda *a: _lstm(*a)[::-1]),
        Mistake("You write the new memory over c_prev: work on a new array.", _writes_over_c_prev),
        Mistake(
            "You multiply the old memory by 1 - f: a forget gate of 1 keeps everything.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: (1 - f) * c + i * g),
        ),
        Mistake(
            "You multiply the candidate by 1 - f: multiply it by the input gate i.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: f * c + (1 - f) * g),
        ),
        Mistake(
            "The forget gate and the output gate are interchanged: the blocks are i, f, g, o.",
            lambda *a: _lstm(*a, order=(0, 3, 2, 1)),
        ),
        Mistake(
            "You apply the sigmoid to the memory: h_t is o times tanh(c_t).",
            lambda *a: _lstm(*a, readout=lambda o, c_t: o * _logistic(c_t)),
        ),
        Mistake(
            "You apply the sigmoid twice to the gates i, f and o.",
            lambda *a: _lstm(*a, gate=lambda s: _logistic(_logistic(s))),
        ),
        Mistake(
            "You apply the sigmoid twice to the input gate i.",
            lambda *a: _lstm(*a, memory=lambda i, f, g, c: f * c + _logistic(i) * g),
        ),
        Mistake("You compute h_t from the old memory c_prev: use the new one, c_t.", _shows_the_old_memory),
        Mistake("You apply no sigmoid to the gates i, f and o.", lambda *a: _lstm(*a, gate=lambda s: s)),
        Mistake("You apply tanh to the gates i, f and o: apply the sigmoid.", lambda *a: _lstm(*a, gate=np.tanh)),
        Mistake(
            "You take tanh after the output gate: h_t is o times tanh(c_t).",
            lambda *a: _lstm(*a, readout=lambda o, c_t: np.tanh(o * c_t)),
        ),
        Mistake(
            "You return the candidate in place of the memory: h_t is o times tanh(c_t).",
            lambda x, h, c, U, W, b: _shows_the_candidate(x, h, c, U, W, b),
        ),
    ),
    styles=(_lstm, _lstm_in_four_products, _lstm_joined),
    hints=(
        "Which of the four blocks goes through tanh, and which go through the sigmoid? What is each multiplied by?",
        "One sum gives a, of shape (batch, 4 * units), and np.split(a, 4, axis=1) cuts it into the blocks i, f, g, o.",
        "c_t is sigmoid(f) times c_prev plus sigmoid(i) times tanh(g); h_t is sigmoid(o) times tanh(c_t).",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("axis 1 of h_prev is always smaller than axis 1 of W_xh", "it is 4 units wide"),),
)

# ---------------------------------------------------------------------------------- lstm_step_backward


BACK_KEYS = ("da_i", "da_f", "da_g", "da_o", "dc_prev")


def lstm_step_backward_oracle(dh_t, dc_next, cache):
    """Return the gradients of sum(dh_t h_t + dc_next c_t) with respect to the pre-activations, which are recovered from the gates."""
    c_prev, i, f, g, o, _ = cache
    point = {name: np.log(gate / (1 - gate)) for name, gate in (("da_i", i), ("da_f", f), ("da_o", o))}

    def loss(name, moved):
        at = {**point, name: moved}
        c = _logistic(at["da_f"]) * at["dc_prev"] + _logistic(at["da_i"]) * np.tanh(at["da_g"])
        return np.sum(dh_t * _logistic(at["da_o"]) * np.tanh(c) + dc_next * c)

    point |= {"da_g": np.arctanh(g), "dc_prev": c_prev}
    return Gradients(loss, point)


def _back_case(key: str, *, on: str = "hc", batch: int = 0):
    def draw(rng: Rng) -> tuple:
        rows, units = sizes(rng, 2, 2, 5)
        shape = (batch or rows, units)
        i, f, o = (_logistic(numbers(rng, *shape)) for _ in range(3))
        g, c_prev = np.tanh(numbers(rng, *shape)), numbers(rng, *shape)
        cache = (c_prev, i, f, g, o, f * c_prev + i * g)
        return key, numbers(rng, *shape) * ("h" in on), numbers(rng, *shape) * ("c" in on), cache

    return draw


def _back(dh, dc_next, cache, *, through=1.0, later=1.0, slope=lambda c: 1 - np.tanh(c) ** 2, gate=lambda s: s * (1 - s),
          inner=lambda g: 1 - g**2, partner=False, old=True, forgets=True, output_gate=True, output="",
          total=True):  # fmt: skip
    c_prev, i, f, g, o, c_t = cache
    dc = later * dc_next + through * dh * (o if output_gate else 1) * slope(c_t)
    return {
        "da_i": dc * (i if partner else g) * gate(i),
        "da_f": dc * (c_prev if old else c_t) * gate(f),
        "da_g": dc * (g if partner else i) * inner(g),
        "da_o": (dc if output == "dc" else dh) * (c_t if output == "c_t" else np.tanh(c_t)) * gate(o),
        "dc_prev": (dc if total else dc_next) * (f if forgets else 1),
    }


def _negative_da_i(*a):
    back = _back(*a)
    return {**back, "da_i": -back["da_i"]}


def _back_in_order(dh_t, dc_next, cache):
    c_prev, i, f, g, o, c_t = cache
    s = np.tanh(c_t)
    ds, do = dh_t * o, dh_t * s
    dc = ds / np.cosh(c_t) ** 2
    dc += dc_next
    di, df, dg, dc_prev = dc * g, dc * c_prev, dc * i, dc * f
    da_i, da_f, da_o = di * (i - i * i), df * (f - f * f), do * (o - o**2)
    return {"dc_prev": dc_prev, "da_o": da_o, "da_g": dg - dg * g * g, "da_f": da_f, "da_i": da_i}


def _back_by_rows(dh_t, dc_next, cache):
    parts = [
        _back(dh_t[row : row + 1], dc_next[row : row + 1], [v[row : row + 1] for v in cache])
        for row in range(len(dh_t))
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in BACK_KEYS}


lstm_step_backward = Exercise(
    name="lstm_step_backward",
    challenges=(
        *(Challenge(f"the gradient {key}", 0.5, _back_case(key)) for key in BACK_KEYS),
        Challenge("a gradient through h_t alone", 0.5, _back_case("dc_prev", on="h")),
        Challenge("a gradient through c_t alone", 0.5, _back_case("da_f", on="c")),
        Challenge("the candidate, through h_t alone", 0.5, _back_case("da_g", on="h", batch=1), hidden=True),
        Challenge("the output gate, through c_t alone", 0.5, _back_case("da_o", on="c"), hidden=True, edge=True),
    ),
    oracle=lstm_step_backward_oracle,
    mistakes=(
        Mistake(
            "The gradient through h_t does not reach the memory: add dh_t o (1 - tanh(c_t)^2) to dc_next.",
            lambda *a: _back(*a, through=0.0),
        ),
        Mistake(
            "You subtract the two gradients of c_t: they arrive along two paths, so add them.",
            lambda *a: _back(*a, through=-1.0),
        ),
        Mistake("Your da_i has the wrong sign: i is a factor of i g, which is added.", _negative_da_i),
        Mistake("You leave out dc_next, the gradient from step t + 1.", lambda *a: _back(*a, later=0.0)),
        Mistake(
            "The derivative of tanh is missing between h_t and c_t: multiply by 1 - tanh(c_t)^2.",
            lambda *a: _back(*a, slope=lambda c: 1.0),
        ),
        Mistake(
            "You apply the sigmoid once more before you take its derivative: the cache holds the gates after the sigmoid.",
            lambda *a: _back(*a, gate=lambda s: _logistic(s) * (1 - _logistic(s))),
        ),
        Mistake(
            "The derivatives of the sigmoids are missing in da_i, da_f and da_o: multiply by s (1 - s), where s is the gate.",
            lambda *a: _back(*a, gate=lambda s: 1.0),
        ),
        Mistake(
            "You use the derivative of tanh for the gates i, f and o: that of the sigmoid is s (1 - s), where s is the gate.",
            lambda *a: _back(*a, gate=lambda s: 1 - s**2),
        ),
        Mistake(
            "You use the derivative of the sigmoid for the candidate: it goes through tanh, whose derivative is 1 - g^2.",
            lambda *a: _back(*a, inner=lambda g: g * (1 - g)),
        ),
        Mistake(
            "The derivative of tanh is missing in da_g: multiply by 1 - g^2.", lambda *a: _back(*a, inner=lambda g: 1.0)
        ),
        Mistake(
            "You multiply by i in da_i and by g in da_g: in the product i g, the factor of each is the other one.",
            lambda *a: _back(*a, partner=True),
        ),
        Mistake(
            "You use the new memory c_t in da_f: the forget gate multiplied the old one, c_prev.",
            lambda *a: _back(*a, old=False),
        ),
        Mistake("The forget gate is missing in dc_prev: multiply by f.", lambda *a: _back(*a, forgets=False)),
        Mistake(
            "You use 1 - c_t^2 for the derivative of tanh at c_t: it is 1 - tanh(c_t)^2.",
            lambda *a: _back(*a, slope=lambda c: 1 - c**2),
        ),
        Mistake(
            "You apply tanh to g once more in its derivative: the cache holds g after tanh, so the derivative is 1 - g^2.",
            lambda *a: _back(*a, inner=lambda g: 1 - np.tanh(g) ** 2),
        ),
        Mistake(
            "The output gate is missing between h_t and c_t: multiply dh_t by o.",
            lambda *a: _back(*a, output_gate=False),
        ),
        Mistake(
            "You use the gradient of c_t in da_o: the output gate acts on h_t alone, so its gradient comes from dh_t.",
            lambda *a: _back(*a, output="dc"),
        ),
        Mistake(
            "You use dc_next alone in dc_prev: the gradient through h_t reaches the old memory as well.",
            lambda *a: _back(*a, total=False),
        ),
        Mistake(
            "You multiply by c_t in da_o: the output gate multiplies tanh(c_t).", lambda *a: _back(*a, output="c_t")
        ),
        Mistake(
            "The derivatives of the activations are missing: you return the gradients with respect to the gates, not to a.",
            lambda *a: _back(*a, gate=lambda s: 1.0, inner=lambda g: 1.0),
        ),
    ),
    styles=(_back, _back_in_order, _back_by_rows),
    hints=(
        "How many paths lead from the loss to c_t, and by what does each multiply the gradient?",
        "Begin with dc, along both paths. Each factor of f c_prev + i g gets dc times the other factor, and then the derivative of its own activation.",
        "da_i is dc g i (1 - i); da_f takes c_prev and f; da_g takes i and 1 - g^2; da_o comes from dh_t and tanh(c_t).",
    ),
    probe="part",
    not_allowed=FROM_SCRATCH,
    promised=(
        ("cache[1] is always between -1 and 1", "gates are between 0 and 1"),
        ("cache[1] is never negative", "gates are between 0 and 1"),
        ("cache[2] is always between -1 and 1", "gates are between 0 and 1"),
        ("cache[2] is never negative", "gates are between 0 and 1"),
        ("cache[4] is always between -1 and 1", "gates are between 0 and 1"),
        ("cache[4] is never negative", "gates are between 0 and 1"),
        ("cache[3] is always between -1 and 1", "g is a tanh"),
    ),
)

# --------------------------------------------------------------------------------------- cell_jacobian


def cell_jacobian_oracle(x_t, h_prev, W_xh, W_hh, b_h):
    """Return dc_t / dc_{t-1} by the complex step, one row at a time."""
    units = len(h_prev)
    i, f, g, _ = (
        np.array([_sum(x_t, h_prev, W_xh, W_hh, b_h[k], k) for k in range(block * units, (block + 1) * units)])
        for block in range(4)
    )

    def memory(c_prev, unit):
        return (_logistic(f) * c_prev + _logistic(i) * np.tanh(g))[unit]

    return np.stack([complex_step(lambda c, unit=unit: memory(c, unit), np.ones(units)) for unit in range(units)])


def _jacobian_inputs(rng: Rng, features: int, units: int) -> tuple:
    x_t, h_prev, _, W_xh, W_hh, b_h = _lstm_inputs(rng, 1, features, units)
    return x_t[0], h_prev[0], W_xh, W_hh, b_h


def _gates(x, h, U, W, b):
    return np.split(x @ U + h @ W + b, 4)


def _with_a_matrix(x, h, U, W, b):
    return np.diag(_logistic(_gates(x, h, U, W, b)[1])) @ np.split(W, 4, axis=1)[1].T


cell_jacobian = Exercise(
    name="cell_jacobian",
    challenges=(
        Challenge("two features, three units", 0.5, lambda rng: _jacobian_inputs(rng, 2, 3)),
        Challenge("other sizes", 0.5, lambda rng: _jacobian_inputs(rng, *sizes(rng, 2))),
        Challenge("one unit", 0.5, lambda rng: _jacobian_inputs(rng, int(rng.integers(1, 9)), 1), hidden=True),
    ),
    oracle=cell_jacobian_oracle,
    mistakes=(
        Mistake(
            "You return a vector: each unit depends on its own old memory only, so put these numbers on the diagonal of a matrix.",
            lambda *a: _logistic(_gates(*a)[1]),
        ),
        Mistake(
            "You use the input gate: the old memory is multiplied by the forget gate, the second block.",
            lambda *a: np.diag(_logistic(_gates(*a)[0])),
        ),
        Mistake(
            "You take the forget gate from the third block: it is the second of i, f, g, o.",
            lambda *a: np.diag(_logistic(_gates(*a)[2])),
        ),
        Mistake("The sigmoid of the forget gate is missing.", lambda *a: np.diag(_gates(*a)[1])),
        Mistake(
            "You use the derivative of the sigmoid: the derivative with respect to c_{t-1} is the forget gate itself.",
            lambda *a: np.diag(_logistic(_gates(*a)[1]) * (1 - _logistic(_gates(*a)[1]))),
        ),
        Mistake(
            "You multiply by W_hh: with h_prev held fixed, the memory passes through no weight matrix.", _with_a_matrix
        ),
        Mistake("You leave out the bias b_h.", lambda x, h, U, W, b: np.diag(_logistic(_gates(x, h, U, W, 0 * b)[1]))),
        Mistake(
            "You fill the whole matrix: only the diagonal is different from zero.",
            lambda *a: np.tile(_logistic(_gates(*a)[1])[:, None], len(a[1])),
        ),
        Mistake(
            "You fill the whole matrix with the forget gate: only the diagonal is different from zero.",
            lambda *a: np.tile(_logistic(_gates(*a)[1]), (len(a[1]), 1)),
        ),
        Mistake(
            "You use the output gate: the old memory is multiplied by the forget gate, the second block.",
            lambda *a: np.diag(_logistic(_gates(*a)[3])),
        ),
        Mistake("You apply tanh to the forget gate: apply the sigmoid.", lambda *a: np.diag(np.tanh(_gates(*a)[1]))),
        Mistake(
            "You multiply by the output gate: the derivative of c_t is asked for, not that of h_t.",
            lambda *a: np.diag(_logistic(_gates(*a)[1]) * _logistic(_gates(*a)[3])),
        ),
        Mistake(
            "Your forget gate leaves out the input x_t: the gate depends on it as well as on h_prev.",
            lambda x, h, U, W, b: np.diag(_logistic(_gates(0 * x, h, U, W, b)[1])),
        ),
        Mistake(
            "Your forget gate leaves out h_prev: it is held fixed, but it still enters the gate.",
            lambda x, h, U, W, b: np.diag(_logistic(_gates(x, 0 * h, U, W, b)[1])),
        ),
    ),
    styles=(
        lambda *a: np.diag(_logistic(_gates(*a)[1])),
        lambda x, h, U, W, b: np.eye(len(h)) * _logistic((x[None] @ U + h[None] @ W + b)[0, len(h) : 2 * len(h)]),
        lambda x, h, U, W, b: np.diagflat(0.5 * (1 + np.tanh(0.5 * (x @ U + h @ W + b).reshape(4, -1)[1]))),
    ),
    hints=(
        "In c_t = f c_prev + i g, which part depends on c_prev when h_prev is held fixed?",
        "Only the first term does, and unit by unit: the Jacobian is diagonal.",
        "np.diag of the sigmoid of the second quarter of x_t @ W_xh + h_prev @ W_hh + b_h.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("axis 0 of h_prev is always smaller than axis 1 of W_xh", "it is 4 units wide"),
        ("h_prev is always between -1 and 1", "h is a gate times a tanh"),
    ),
)

# -------------------------------------------------------------------------------------------- gru_step


def gru_step_oracle(x_t, h_prev, W_xh, W_hh, b_h, reset_after=True):
    """Return h_t, one unit of one sequence at a time."""
    units = h_prev.shape[1]
    b_x, b_state = b_h if reset_after else (b_h, np.zeros(3 * units))
    h_t = np.empty(h_prev.shape)
    none = np.zeros(W_xh.shape[0])
    for row in range(len(x_t)):
        gates = [
            _one_logistic(_sum(x_t[row], h_prev[row], W_xh, W_hh, b_x[k] + b_state[k], k)) for k in range(2 * units)
        ]
        z, r = gates[:units], gates[units:]
        for unit in range(units):
            k = 2 * units + unit
            if reset_after:
                recalled = r[unit] * _sum(none, h_prev[row], W_xh, W_hh, b_state[k], k)
            else:
                recalled = _sum(none, [r[j] * h_prev[row, j] for j in range(units)], W_xh, W_hh, 0.0, k)
            n = math.tanh(_sum(x_t[row], np.zeros(units), W_xh, W_hh, b_x[k], k) + recalled)
            h_t[row, unit] = z[unit] * h_prev[row, unit] + (1 - z[unit]) * n
    return h_t


def _gru_inputs(rng: Rng, batch: int, features: int, units: int, *, after: bool, on: str = "xhb") -> tuple:
    """Draw (x_t, h_prev, W_xh, W_hh, b_h, reset_after); the terms not named in `on` are zero."""
    shape = (2, 3 * units) if after else (3 * units,)
    return (
        numbers(rng, batch, features) * ("x" in on),
        numbers(rng, batch, units, scale=0.8) * ("h" in on),
        numbers(rng, features, 3 * units, scale=0.7),
        numbers(rng, units, 3 * units, scale=0.7),
        numbers(rng, *shape) * ("b" in on),
        after,
    )


def _gru(x, h, U, W, b, after=True, *, order=(0, 1, 2), mixed=None, ignore=False, swap=False, squash=np.tanh):
    """Take a GRU step. order: the blocks used as z, r, n; ignore: no reset; swap: r as in the other version."""
    b_x, b_h = b if after else (b, 0 * b)
    from_x, from_h = (np.split(v, 3, axis=1) for v in (x @ U + b_x, h @ W + b_h))
    z, r = (_logistic(from_x[k] + from_h[k]) for k in order[:2])
    last = order[2]
    if ignore:
        recalled = from_h[last]
    elif after != swap:
        recalled = r * from_h[last]
    else:
        recalled = (r * h) @ np.split(W, 3, axis=1)[last] + np.split(b_h, 3)[last]
    n = squash(from_x[last] + recalled)
    return mixed(z, h, n) if mixed else z * h + (1 - z) * n


def _bias_outside(x, h, U, W, b, after=True):
    """Add the state's bias after the reset gate."""
    if not after:
        return _gru(x, h, U, W, b, after)
    units = h.shape[1]
    moved = b.copy()
    moved[0, 2 * units :] += moved[1, 2 * units :]
    moved[1, 2 * units :] = 0
    return _gru(x, h, U, W, moved, after)


def _one_bias(x, h, U, W, b, after=True):
    return _gru(x, h, U, W, b * np.array([[1.0], [0.0]]) if after else b, after)


def _gates_without_b_s(x, h, U, W, b, after=True):
    if not after:
        return _gru(x, h, U, W, b, after)
    bias = b.copy()
    bias[1, : 2 * h.shape[1]] = 0
    return _gru(x, h, U, W, bias, after)


def _candidate_without_b_s(x, h, U, W, b, after=True):
    if not after:
        return _gru(x, h, U, W, b, after)
    bias = b.copy()
    bias[1, 2 * h.shape[1] :] = 0
    return _gru(x, h, U, W, bias, after)


def _resets_the_sum(x, h, U, W, b, after=True):
    if not after:
        return _gru(x, h, U, W, b, after)
    from_x, from_h = (np.split(v, 3, axis=1) for v in (x @ U + b[0], h @ W + b[1]))
    z, r = _logistic(from_x[0] + from_h[0]), _logistic(from_x[1] + from_h[1])
    return z * h + (1 - z) * np.tanh(r * (from_x[2] + from_h[2]))


def _gru_by_blocks(x_t, h_prev, W_xh, W_hh, b_h, reset_after=True):
    H = h_prev.shape[1]
    Uz, Ur, Un = W_xh[:, :H], W_xh[:, H : 2 * H], W_xh[:, 2 * H :]
    Wz, Wr, Wn = W_hh[:, :H], W_hh[:, H : 2 * H], W_hh[:, 2 * H :]
    if reset_after:
        (bz, br, bn), (cz, cr, cn) = b_h[0].reshape(3, H), b_h[1].reshape(3, H)
    else:
        (bz, br, bn), (cz, cr, cn) = b_h.reshape(3, H), np.zeros((3, H))
    z = _logistic(x_t @ Uz + h_prev @ Wz + bz + cz)
    r = _logistic(x_t @ Ur + h_prev @ Wr + br + cr)
    n = np.tanh(x_t @ Un + bn + (r * (h_prev @ Wn + cn) if reset_after else (r * h_prev) @ Wn))
    return n + z * (h_prev - n)


def _gru_by_rows(x_t, h_prev, W_xh, W_hh, b_h, reset_after=True):
    return np.vstack(
        [_gru_by_blocks(x[None], h[None], W_xh, W_hh, b_h, reset_after) for x, h in zip(x_t, h_prev, strict=True)]
    )


gru_step = Exercise(
    name="gru_step",
    challenges=(
        Challenge(
            "reset after, the state alone", 0.5, lambda rng: _gru_inputs(rng, *sizes(rng, 3), after=True, on="h")
        ),
        Challenge(
            "reset after, the biases alone", 0.5, lambda rng: _gru_inputs(rng, *sizes(rng, 3), after=True, on="b")
        ),
        Challenge("reset after, everything at once", 1.0, lambda rng: _gru_inputs(rng, *sizes(rng, 3), after=True)),
        Challenge(
            "reset before, the state alone", 0.5, lambda rng: _gru_inputs(rng, *sizes(rng, 3), after=False, on="h")
        ),
        Challenge("reset before, everything at once", 1.0, lambda rng: _gru_inputs(rng, *sizes(rng, 3), after=False)),
        Challenge("reset after, other sizes", 0.5, lambda rng: _gru_inputs(rng, *_wide(rng), after=True), hidden=True),
        Challenge(
            "reset before, equal sizes",
            0.5,
            lambda rng: _gru_inputs(rng, 3, 4, 4, after=False),
            hidden=True,
        ),
    ),
    oracle=gru_step_oracle,
    mistakes=(
        Mistake(
            "z and 1 - z are interchanged: h_t is z times h_prev plus 1 - z times the candidate n.",
            lambda *a: _gru(*a, mixed=lambda z, h, n: (1 - z) * h + z * n),
        ),
        Mistake(
            "The update gate and the reset gate are interchanged: the first block is z, the second is r.",
            lambda *a: _gru(*a, order=(1, 0, 2)),
        ),
        Mistake(
            "You leave out the old state: add z times h_prev.", lambda *a: _gru(*a, mixed=lambda z, h, n: (1 - z) * n)
        ),
        Mistake(
            "You add the whole candidate: multiply it by 1 - z.",
            lambda *a: _gru(*a, mixed=lambda z, h, n: z * h + n),
        ),
        Mistake("You use the update gate z in place of the reset gate r.", lambda *a: _gru(*a, order=(0, 0, 2))),
        Mistake("You use the reset gate r in place of the update gate z.", lambda *a: _gru(*a, order=(1, 1, 2))),
        Mistake("You never use the reset gate r.", lambda *a: _gru(*a, ignore=True)),
        Mistake(
            "With reset_after you never apply the reset gate r: multiply h_prev @ W_hh + b_s of the candidate by it.",
            lambda x, h, U, W, b, after=True: _gru(x, h, U, W, b, after, ignore=after),
        ),
        Mistake(
            "Without reset_after you never apply the reset gate r: multiply h_prev by it before the product with W_hh.",
            lambda x, h, U, W, b, after=True: _gru(x, h, U, W, b, after, ignore=not after),
        ),
        Mistake(
            "You ignore reset_after: your reset gate is always applied after the product with W_hh.",
            lambda x, h, U, W, b, after=True: _gru(x, h, U, W, b, after, swap=not after),
        ),
        Mistake(
            "You ignore reset_after: your reset gate is always applied before the product with W_hh.",
            lambda x, h, U, W, b, after=True: _gru(x, h, U, W, b, after, swap=bool(after)),
        ),
        Mistake(
            "The two versions are interchanged: with reset_after, the reset gate is applied after the product with W_hh.",
            lambda *a: _gru(*a, swap=True),
        ),
        Mistake(
            "In the candidate you add the bias b_s outside the reset gate: it belongs inside, r * (h_prev @ W_hh + b_s).",
            _bias_outside,
        ),
        Mistake("You leave out the second bias, row 1 of b_h.", _one_bias),
        Mistake(
            "You apply no activation to the candidate n: it goes through tanh.", lambda *a: _gru(*a, squash=lambda n: n)
        ),
        Mistake(
            "You apply the sigmoid to the candidate n: it goes through tanh.", lambda *a: _gru(*a, squash=_logistic)
        ),
        Mistake("The bias b_s is missing in z and r: with two biases, both gates take both.", _gates_without_b_s),
        Mistake(
            "The bias b_s is missing in the candidate: it belongs inside the reset gate, h_prev @ W_hh + b_s.",
            _candidate_without_b_s,
        ),
        Mistake(
            "You leave out the first bias, row 0 of b_h.",
            lambda x, h, U, W, b, after=True: _gru(x, h, U, W, b * np.array([[0.0], [1.0]]) if after else b, after),
        ),
        Mistake(
            "You apply the reset gate to the whole sum of the candidate: it applies to the part of the state only.",
            _resets_the_sum,
        ),
    ),
    styles=(_gru, _gru_by_blocks, _gru_by_rows),
    hints=(
        "To which part of the candidate's sum does the reset gate apply in each of the two versions?",
        "Compute x_t @ W_xh + b_x and h_prev @ W_hh + b_s separately. z and r take the sum of both; n takes the second one through r.",
        "reset_after: n = tanh(x part + r * h part). Else: n = tanh(x part + (r * h_prev) @ the last block of W_hh). Then mix by z.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("axis 1 of h_prev is always smaller than axis 1 of W_xh", "it is 3 units wide"),
        ("axis 1 of W_xh is always at least axis 0 of b_h", "b_h has two rows or 3 units numbers"),
    ),
)

# ------------------------------------------------------------------------------- count_gate_parameters


def count_gate_parameters_oracle(cell, features, units):
    """Count the entries of the arrays that Keras creates."""
    shapes = {
        "SimpleRNN": [(features, units), (units, units), (units,)],
        "LSTM": [(features, 4 * units), (units, 4 * units), (4 * units,)],
        "GRU": [(features, 3 * units), (units, 3 * units), (2, 3 * units)],
    }[cell]
    return sum(int(np.prod(shape)) for shape in shapes)


def _count(cell, D, H, *, blocks=(1, 4, 3), biases=(1, 1, 2), back=True, inputs=True):
    index = ("SimpleRNN", "LSTM", "GRU").index(cell)
    return blocks[index] * H * (D * inputs + H * back + biases[index])


def _any_size(cell: str, low: int, high: int):
    return lambda rng: (cell, *sizes(rng, 2, low, high))


count_gate_parameters = Exercise(
    name="count_gate_parameters",
    challenges=(
        Challenge("an LSTM", 0.5, lambda rng: ("LSTM", 3, 5), fresh=_any_size("LSTM", 2, 9)),
        Challenge("a GRU", 0.5, lambda rng: ("GRU", 3, 5), fresh=_any_size("GRU", 2, 9)),
        Challenge("a simple RNN", 0.5, lambda rng: ("SimpleRNN", 4, 7), fresh=_any_size("SimpleRNN", 2, 9)),
        Challenge("other LSTMs", 0.25, _any_size("LSTM", 1, 90), hidden=True),
        Challenge("other GRUs", 0.25, _any_size("GRU", 1, 90), hidden=True),
    ),
    oracle=count_gate_parameters_oracle,
    mistakes=(
        Mistake("You leave out the biases.", lambda *a: _count(*a, biases=(0, 0, 0))),
        Mistake(
            "You count one bias for each block of the GRU: with reset_after, the default in Keras, it has two.",
            lambda *a: _count(*a, biases=(1, 1, 1)),
        ),
        Mistake("You leave out the recurrent weights.", lambda *a: _count(*a, back=False)),
        Mistake("You leave out the weights of the inputs.", lambda *a: _count(*a, inputs=False)),
        Mistake(
            "You count three blocks for the LSTM: the candidate has weights, too, in addition to the three gates.",
            lambda *a: _count(*a, blocks=(1, 3, 3)),
        ),
        Mistake(
            "You count two blocks for the GRU: the candidate has weights, too, in addition to the two gates.",
            lambda *a: _count(*a, blocks=(1, 4, 2)),
        ),
        Mistake(
            "You count every cell as a simple RNN: an LSTM has four blocks of weights, a GRU three.",
            lambda *a: _count(*a, blocks=(1, 1, 1), biases=(1, 1, 1)),
        ),
        Mistake(
            "You count one bias for a whole block: every unit has a bias of its own.",
            lambda cell, D, H: _count(cell, D, H, biases=(0, 0, 0)) + {"SimpleRNN": 1, "LSTM": 4, "GRU": 6}[cell],
        ),
        Mistake("Features and units are interchanged.", lambda cell, D, H: _count(cell, H, D)),
        Mistake(
            "You count two biases in every cell, as in PyTorch: in Keras, only the GRU has two.",
            lambda *a: _count(*a, biases=(2, 2, 2)),
        ),
        Mistake(
            "The counts of LSTM and GRU are interchanged: the LSTM has four blocks of weights, the GRU three.",
            lambda cell, D, H: _count({"LSTM": "GRU", "GRU": "LSTM"}.get(cell, cell), D, H),
        ),
        Mistake(
            "You count the parameters of a readout as well: count those of the recurrent layer alone.",
            lambda cell, D, H: _count(cell, D, H) + H + 1,
        ),
    ),
    styles=(
        _count,
        lambda cell, features, units: {
            "SimpleRNN": features * units + units * units + units,
            "LSTM": 4 * (features * units + units**2 + units),
            "GRU": 3 * (features * units + units**2 + 2 * units),
        }[cell],
        lambda cell, features, units: (
            {"S": 1, "L": 4, "G": 3}[cell[0]] * ((features + units + 1) * units) + 3 * units * (cell == "GRU")
        ),
    ),
    hints=(
        "How many blocks of weights does each cell have, and what are the shapes of one block's three arrays?",
        "A block has features * units, units * units and units parameters. A block of the GRU has a second bias.",
        "blocks * units * (features + units + biases), with 1, 4, 3 blocks and 1, 1, 2 biases.",
    ),
    unchanged=0.0,
)

EXERCISES = [lstm_step, lstm_step_backward, cell_jacobian, gru_step, count_gate_parameters]
