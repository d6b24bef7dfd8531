"""Lesson 04: backpropagation through time, by hand, for a step, a sequence, a network, and sorted by lag.

The oracles never backpropagate. They use the complex step: for a function f composed of +, * and tanh, the imaginary
part of f(w + i eps) / eps is the derivative to machine precision, because no nearly equal numbers are subtracted.
"""

from __future__ import annotations

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake
from autograde_tests.lesson_01_recurrence import step_inputs
from autograde_tests.loops import TOO_FEW, counted
from autograde_tests.sampling import Rng, numbers, sizes

EPS = 1e-30  # arbitrarily small, because the complex step has no cancellation


def complex_step(function, array):
    """Return d function / d array, the shape of array. function: maps an array, possibly complex, to a number."""
    gradient = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        moved = array.astype(complex)
        moved[index] += 1j * EPS
        gradient[index] = function(moved).imag / EPS
    return gradient


class Gradients(dict):
    """Gradients by name, each computed on access by the complex step, because a row of the rubric needs only one."""

    def __init__(self, loss, point):
        super().__init__(point)
        self.loss = loss

    def __getitem__(self, name):
        return complex_step(lambda array: self.loss(name, array), super().__getitem__(name))


# ----------------------------------------------------------------------------- scalar_gradient_by_hand


def scalar_gradient_by_hand_oracle(w, u, b, xs, target):
    """Return (dw, du, db) of 0.5 (h_3 - target)^2 by the complex step."""

    def loss(parameters):
        h = 0.0
        for x in xs:
            h = np.tanh(parameters[0] * x + parameters[1] * h + parameters[2])
        return 0.5 * (h - target) ** 2

    return tuple(float(g) for g in complex_step(loss, np.array([w, u, b])))


def _scalar_inputs(rng: Rng, *, first: bool = False, scale: float = 0.7) -> tuple:
    w, u, b, target = (float(value) for value in numbers(rng, 4, scale=scale))
    xs = numbers(rng, 3)
    return w, u, b, xs * np.array([1, 0, 0]) if first else xs, target


def _by_hand(w, u, b, xs, target, *, slope=lambda h: 1 - h**2, carry=True, factor=1.0, before=True, immediate=False):
    hs = [0.0]
    for x in xs:
        hs.append(np.tanh(w * x + u * hs[-1] + b))
    dh, dw, du, db = factor * (hs[3] - target), 0.0, 0.0, 0.0
    for t in (3,) if immediate else (3, 2, 1):
        da = dh * slope(hs[t])
        dw, du, db = dw + da * xs[t - 1], du + da * hs[t - 1 if before else t], db + da
        dh = da * u if carry else da
    return dw, du, db


def _by_hand_forward_mode(w, u, b, xs, target):
    h, slopes = 0.0, np.zeros(3)
    for x in xs:
        new = np.tanh(w * x + u * h + b)
        slopes = (1 - new**2) * (np.array([x, h, 1.0]) + u * slopes)
        h = new
    return tuple((h - target) * slopes)


def _by_hand_written_out(w, u, b, xs, target):
    h1 = np.tanh(w * xs[0] + b)
    h2 = np.tanh(w * xs[1] + u * h1 + b)
    h3 = np.tanh(w * xs[2] + u * h2 + b)
    a3 = (h3 - target) * (1 - h3**2)
    a2 = a3 * u * (1 - h2**2)
    a1 = a2 * u * (1 - h1**2)
    return a3 * xs[2] + a2 * xs[1] + a1 * xs[0], a3 * h2 + a2 * h1, a3 + a2 + a1


def _by_hand_matrix(w, u, b, xs, target):
    gradients = _by_hand(w, u, b, xs, target)
    return [np.float64(g) for g in gradients]


def _written_out(w, u, b, xs, target, *, through=1, slopes=(3, 2, 1), start=lambda h, target: h - target):
    """Go back with one factor between steps. through: 0 for w, 1 for u; slopes: the steps at which they are taken."""
    hs = [0.0]
    for x in xs:
        hs.append(np.tanh(w * x + u * hs[-1] + b))
    error, errors = start(hs[3], target), []
    for step in slopes:
        error = error * (1 if step is None else 1 - hs[step] ** 2)
        errors.append(error)
        error = error * (w, u)[through]
    e_3, e_2, e_1 = errors
    return e_3 * xs[2] + e_2 * xs[1] + e_1 * xs[0], e_3 * hs[2] + e_2 * hs[1], e_3 + e_2 + e_1


scalar_gradient_by_hand = Exercise(
    name="scalar_gradient_by_hand",
    challenges=(
        Challenge(
            "no recurrence, u = 0",
            0.5,
            lambda rng: (lambda w, u, b, xs, target: (w, 0.0, b, xs, target))(*_scalar_inputs(rng)),
        ),
        Challenge("the first input alone", 0.5, lambda rng: _scalar_inputs(rng, first=True)),
        Challenge("all terms together", 1.0, _scalar_inputs),
        Challenge("other numbers", 0.5, lambda rng: _scalar_inputs(rng, scale=1.2), hidden=True),
    ),
    oracle=scalar_gradient_by_hand_oracle,
    mistakes=(
        Mistake(
            "You count only the last step; the weights act at steps 1 and 2 as well.",
            lambda *args: _by_hand(*args, immediate=True),
        ),
        Mistake(
            "You apply tanh to h again in its slope: use 1 - h^2, not 1 - tanh(h)^2.",
            lambda *args: _by_hand(*args, slope=lambda h: 1 - np.tanh(h) ** 2),
        ),
        Mistake("You leave out the slope of tanh, 1 - h^2.", lambda *args: _by_hand(*args, slope=lambda h: 1.0)),
        Mistake("You carry the error back without the factor u.", lambda *args: _by_hand(*args, carry=False)),
        Mistake("You use h_t in du; it should be h_{t-1}.", lambda *args: _by_hand(*args, before=False)),
        Mistake(
            "You return dw and du in the wrong order; it should be (dw, du, db).",
            lambda *args: (lambda dw, du, db: (du, dw, db))(*_by_hand(*args)),
        ),
        Mistake(
            "Your gradients have the opposite sign: the error is h_3 - target.",
            lambda *args: _by_hand(*args, factor=-1.0),
        ),
        Mistake(
            "Your gradients are twice too large: the loss has the factor 1/2.",
            lambda *args: _by_hand(*args, factor=2.0),
        ),
        Mistake(
            "You use 1 - h as the slope of tanh; the square is missing: 1 - h^2.",
            lambda *args: _by_hand(*args, slope=lambda h: 1 - h),
        ),
        Mistake(
            "You return 1 for db; b acts on every a_t, so db is the sum of the errors at a_t.",
            lambda *args: (*_by_hand(*args)[:2], 1),
        ),
        Mistake(
            "You return e_3 for db; b acts at all three steps, so db is e_1 + e_2 + e_3.",
            lambda *args: (*_by_hand(*args)[:2], _by_hand(*args, immediate=True)[2]),
        ),
        Mistake(
            "You carry the error back with w; it goes from h_t to h_{t-1} through u.",
            lambda *args: _written_out(*args, through=0),
        ),
        Mistake(
            "You use each slope of tanh one step too early: e_2 needs 1 - h_2^2.",
            lambda *args: _written_out(*args, slopes=(3, 3, 2)),
        ),
        Mistake("You leave out the slope of tanh in e_3.", lambda *args: _written_out(*args, slopes=(None, 2, 1))),
        Mistake(
            "You start from the loss; start from its derivative, h_3 - target.",
            lambda *args: _written_out(*args, start=lambda h, target: 0.5 * (h - target) ** 2),
        ),
        Mistake(
            "You leave out the bias in the forward pass.",
            lambda w, u, b, xs, target: _written_out(w, u, 0.0, xs, target),
        ),
    ),
    styles=(_by_hand_forward_mode, _by_hand_written_out, _by_hand_matrix),
    hints=(
        "By how many paths does w reach the loss? Follow each copy to the end.",
        "Start at the end: the error at a_3 is (h_3 - target)(1 - h_3^2). One copy earlier it is that, times u, times (1 - h_2^2).",
        "With the three errors e_3, e_2, e_1: dw sums e_t x_t, du sums e_t h_{t-1}, db sums e_t.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("axis 0 of xs is always 3", "the network is written out for three steps"),),
)

# -------------------------------------------------------------------------------------- step_backward

STEP_KEYS = ("db_h", "dW_xh", "dW_hh", "dh_prev", "dx_t")


def _step(x_t, h_prev, W_xh, W_hh, b_h):
    return np.tanh(x_t @ W_xh + h_prev @ W_hh + b_h)


def _bias(x_t, h_prev, h_t, W_xh, W_hh):
    """Return the b_h that explains h_t; one row is enough, all rows share it."""
    return (np.arctanh(h_t) - x_t @ W_xh - h_prev @ W_hh)[0]


def step_backward_oracle(dh_t, cache):
    """Return all five gradients of sum(dh_t * h_t) by the complex step."""
    x_t, h_prev, h_t, W_xh, W_hh = cache
    point = {"dx_t": x_t, "dh_prev": h_prev, "dW_xh": W_xh, "dW_hh": W_hh, "db_h": _bias(*cache)}

    def loss(name, array):
        return np.sum(dh_t * _step(*{**point, name: array}.values()))

    return Gradients(loss, point)


def _step_case(key: str, *, alike: bool = False):
    def draw(rng: Rng) -> tuple:
        batch, features, units = (1, 3, 3) if alike else sizes(rng, 3, 2, 5)
        x_t, h_prev, W_xh, W_hh, b_h = step_inputs(rng, batch, features, units)
        cache = (x_t, h_prev, _step(x_t, h_prev, W_xh, W_hh, b_h), W_xh, W_hh)
        return key, numbers(rng, batch, units), cache

    return draw


def _step_backward(
    dh_t,
    cache,
    *,
    slope=lambda h: 1 - h**2,
    W=lambda W: W.T,
    memory=lambda h_prev, h_t: h_prev,
    bias=np.sum,
    scale=lambda batch: 1.0,
):
    x_t, h_prev, h_t, W_xh, W_hh = cache
    da = dh_t * slope(h_t)
    share = scale(len(x_t))
    return {
        "dx_t": da @ W_xh.T,
        "dh_prev": da @ W(W_hh),
        "dW_xh": share * (x_t.T @ da),
        "dW_hh": share * (memory(h_prev, h_t).T @ da),
        "db_h": share * bias(da, axis=0),
    }


def _step_backward_transposed_weights(dh_t, cache):
    gradients = _step_backward(dh_t, cache)
    return {**gradients, "dW_hh": gradients["dW_hh"].T}


def _step_backward_in_place(dh_t, cache):
    dh_t *= 1 - cache[2] ** 2
    return _step_backward(dh_t, cache, slope=lambda h: 1.0)


def _step_backward_unsquashed_memory(dh_t, cache):
    return {**_step_backward(dh_t, cache), "dh_prev": dh_t @ cache[4].T}


def _step_with_einsum(dh_t, cache):
    x_t, h_prev, h_t, W_xh, W_hh = cache
    da = np.multiply(dh_t, 1 - np.square(h_t))
    return {
        "dx_t": np.einsum("bh,dh->bd", da, W_xh),
        "dh_prev": np.einsum("bj,ij->bi", da, W_hh),
        "dW_xh": np.einsum("bd,bh->dh", x_t, da),
        "dW_hh": np.einsum("bi,bj->ij", h_prev, da),
        "db_h": np.einsum("bh->h", da),
    }


def _step_row_by_row(dh_t, cache):
    x_t, h_prev, h_t, W_xh, W_hh = cache
    parts = [
        _step_backward(dh_t[i : i + 1], (x_t[i : i + 1], h_prev[i : i + 1], h_t[i : i + 1], W_xh, W_hh))
        for i in range(len(x_t))
    ]
    joined = {key: np.concatenate([p[key] for p in parts]) for key in ("dx_t", "dh_prev")}
    return joined | {key: sum(p[key] for p in parts) for key in ("dW_xh", "dW_hh", "db_h")}


def _step_joined(dh_t, cache):
    x_t, h_prev, h_t, W_xh, W_hh = cache
    da = dh_t - dh_t * h_t * h_t
    back = da @ np.vstack([W_xh, W_hh]).T
    weights = np.hstack([x_t, h_prev, np.ones((len(x_t), 1))]).T @ da
    D = x_t.shape[1]
    return {
        "dx_t": back[:, :D],
        "dh_prev": back[:, D:],
        "dW_xh": weights[:D],
        "dW_hh": weights[D:-1],
        "db_h": weights[-1],
    }


step_backward = Exercise(
    name="step_backward",
    challenges=(
        *(Challenge(key, 0.55, _step_case(key)) for key in STEP_KEYS),
        *(
            Challenge(f"{key}: one sequence, as many features as units", 0.25, _step_case(key, alike=True), hidden=True)
            for key in STEP_KEYS[1:4]
        ),
    ),
    oracle=step_backward_oracle,
    mistakes=(
        Mistake("You do not transpose W_hh in the backward pass.", lambda dh, c: _step_backward(dh, c, W=lambda W: W)),
        Mistake(
            "You apply tanh to h again in its slope: use 1 - h^2, not 1 - tanh(h)^2.",
            lambda dh, c: _step_backward(dh, c, slope=lambda h: 1 - np.tanh(h) ** 2),
        ),
        Mistake("You leave out the slope of tanh, 1 - h^2.", lambda dh, c: _step_backward(dh, c, slope=lambda h: 1.0)),
        Mistake(
            "You use h_t in dW_hh; it should be h_prev.",
            lambda dh, c: _step_backward(dh, c, memory=lambda h_prev, h_t: h_t),
        ),
        Mistake(
            "You average db_h over the batch; it should be a sum.", lambda dh, c: _step_backward(dh, c, bias=np.mean)
        ),
        Mistake(
            "You average the gradients of the weights over the batch; they should be sums.",
            lambda dh, c: _step_backward(dh, c, scale=lambda n: 1 / n),
        ),
        Mistake("Your dW_hh is transposed; it should be h_prev.T @ da.", _step_backward_transposed_weights),
        Mistake(
            "You compute dh_prev from dh_t; it should be computed from da, after the slope of tanh.",
            _step_backward_unsquashed_memory,
        ),
        Mistake("You multiply into dh_t itself, which belongs to the caller.", _step_backward_in_place),
        Mistake("You do not sum db_h over the batch.", lambda dh, c: _step_backward(dh, c, bias=lambda da, axis: da)),
        Mistake(
            "You use dh_t for the gradients of the weights; use da, after the slope of tanh.",
            lambda dh, c: {
                **_step_backward(dh, c),
                **{key: _step_backward(dh, c, slope=lambda h: 1.0)[key] for key in ("dW_xh", "dW_hh")},
            },
        ),
    ),
    styles=(_step_with_einsum, _step_row_by_row, _step_joined),
    hints=(
        "First get from h_t back to a_t. Which factor does tanh contribute?",
        "da = dh_t * (1 - h_t**2). Every product x @ W in the forward step gives two gradients: da @ W.T for x, and x.T @ da for W.",
        "dx_t = da @ W_xh.T, dh_prev = da @ W_hh.T, dW_xh = x_t.T @ da, dW_hh = h_prev.T @ da, and db_h is da summed over the batch.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(("cache[2] is always between -1 and 1", "h_t is a tanh"),),
)

# -------------------------------------------------------------------------------------- rnn_backward


def _walk(xs, mask, h, W_xh, W_hh, b_h):
    """Return the list of states; W_hh may be a list, one for each step, as in lesson 02."""
    states = []
    for t in range(xs.shape[1]):
        W = W_hh[t] if isinstance(W_hh, list) else W_hh
        m = mask[:, t, None]
        h = m * np.tanh(xs[:, t] @ W_xh + h @ W + b_h) + (1 - m) * h
        states.append(h)
    return states


def _sequence_bias(xs, mask, h_0, hs, W_xh, W_hh):
    """Return the b_h that explains the states."""
    row, t = np.argwhere(mask)[0]
    before = hs[row, t - 1] if t else h_0[row]
    return np.arctanh(hs[row, t]) - xs[row, t] @ W_xh - before @ W_hh


def rnn_backward_oracle(dhs, cache):
    """Return all five gradients of sum(dhs * hs) by the complex step."""
    xs, mask, h_0, _, W_xh, W_hh = cache
    point = {"dxs": xs, "dh_0": h_0, "dW_xh": W_xh, "dW_hh": W_hh, "db_h": _sequence_bias(*cache)}

    def loss(name, array):
        xs, h_0, W_xh, W_hh, b_h = {**point, name: array}.values()
        states = _walk(xs, mask, h_0, W_xh, W_hh, b_h)
        return sum(np.sum(dhs[:, t] * states[t]) for t in range(len(states)))

    return Gradients(loss, point)


def _sequence_inputs(rng: Rng, rows: list[str], features: int, units: int) -> tuple:
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    _, h_0, W_xh, W_hh, b_h = step_inputs(rng, len(rows), features, units)
    xs = numbers(rng, *mask.shape, features)
    hs = np.stack(_walk(xs, mask, h_0, W_xh, W_hh, b_h), axis=1)
    return numbers(rng, *hs.shape), (xs, mask, h_0, hs, W_xh, W_hh)


def _sequence_case(key: str, rows: list[str], features: int, units: int):
    return lambda rng: (key, *_sequence_inputs(rng, rows, features, units))


def _backward(
    dhs,
    cache,
    *,
    slope=lambda h: 1 - h**2,
    W=lambda W: W.T,
    shift=True,
    carry=True,
    keep=True,
    masked=True,
    share=1.0,
    start=True,
    pile=False,
    steps=lambda xs: xs.shape[1],
):
    """Walk back with a fault. keep: whether a masked step passes the error on; None: every step does."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    g = {
        "dxs": np.zeros_like(xs),
        "dW_xh": np.zeros_like(W_xh),
        "dW_hh": np.zeros_like(W_hh),
        "db_h": np.zeros(len(W_hh)),
    }
    dh_next = np.zeros_like(h_0)
    for t in reversed(range(steps(xs))):
        m = mask[:, t, None] if masked else np.ones_like(mask[:, t, None])
        before = hs[:, t - 1] if t else h_0 * start
        dh = dhs[:, t] + (dh_next if carry else 0.0)
        da = m * dh * slope(hs[:, t])
        g["dxs"][:, t] = da @ W_xh.T
        g["dW_xh"] += share * (xs[:, t].T @ da)
        g["dW_hh"] += share * ((before if shift else hs[:, t]).T @ da)
        g["db_h"] += share * da.sum(axis=0)
        dh_carried = dh if keep is None else (1 - m) * dh if keep else 0.0
        dh_next = da @ W(W_hh) + dh_carried + (dh_next if pile else 0.0)
    return {**g, "dh_0": dh_next}


def _backward_first_step_only(dhs, cache):
    """Assign the weights' gradients in the loop instead of accumulating them."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    full, tail = (
        _backward(dhs, cache),
        _backward(dhs[:, 1:], (xs[:, 1:], mask[:, 1:], hs[:, 0], hs[:, 1:], W_xh, W_hh)),
    )
    return {**full, **{key: full[key] - tail[key] for key in ("dW_xh", "dW_hh", "db_h")}} if xs.shape[1] > 1 else full


def _backward_into_dhs(dhs, cache):
    """Add the carried error to dhs in place: the results are correct, but the input is changed."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    gradients = _backward(dhs, cache)
    for t in reversed(range(1, xs.shape[1])):
        dhs[:, t - 1] += (dhs[:, t] * (1 - hs[:, t] ** 2)) @ W_hh.T
    return gradients


def _backward_all_at_once(dhs, cache):
    xs, mask, h_0, hs, W_xh, W_hh = cache
    steps, das, dh = xs.shape[1], np.empty_like(hs), np.zeros_like(h_0)
    for t in range(steps - 1, -1, -1):
        dh = dh + dhs[:, t]
        das[:, t] = np.where(mask[:, t, None], dh * (1 - hs[:, t] ** 2), 0.0)
        dh = np.where(mask[:, t, None], das[:, t] @ W_hh.T, dh)
    before = np.concatenate([h_0[:, None], hs[:, :-1]], axis=1)
    return {
        "dxs": das @ W_xh.T,
        "dh_0": dh,
        "dW_xh": np.einsum("btd,bth->dh", xs, das),
        "dW_hh": np.einsum("bti,btj->ij", before, das),
        "db_h": das.sum(axis=(0, 1)),
    }


def _backward_recursive(dhs, cache):
    xs, mask, h_0, hs, W_xh, W_hh = cache
    states = [h_0, *np.swapaxes(hs, 0, 1)]
    total = {"dW_xh": 0.0, "dW_hh": 0.0, "db_h": 0.0}
    dxs: list[np.ndarray] = []
    dh = np.zeros_like(h_0)
    for t in range(len(states) - 1, 0, -1):
        dh = dh + dhs[:, t - 1]
        on = mask[:, t - 1, None].astype(float)
        step_grads = _step_backward(on * dh, (xs[:, t - 1], states[t - 1], states[t], W_xh, W_hh))
        total = {key: total[key] + step_grads[key] for key in total}
        dxs.insert(0, step_grads["dx_t"])
        dh = step_grads["dh_prev"] + (1 - on) * dh
    return {**total, "dxs": np.stack(dxs, axis=1), "dh_0": dh}


REAL, PADDED = ["111", "111"], ["1110", "1011"]


def _backward_forwards(dhs, cache):
    """Loop from the first step to the last, with the state before each step as it should be."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    dh_next, parts, dxs = np.zeros_like(h_0), [], np.zeros_like(xs)
    for t in range(xs.shape[1]):
        m, dh = mask[:, t, None], dhs[:, t] + dh_next
        step_grads = _step_backward(m * dh, (xs[:, t], hs[:, t - 1] if t else h_0, hs[:, t], W_xh, W_hh))
        parts.append(step_grads)
        dxs[:, t], dh_next = step_grads["dx_t"], step_grads["dh_prev"] + (1 - m) * dh
    return {"dxs": dxs, "dh_0": dh_next} | {key: sum(part[key] for part in parts) for key in ("dW_xh", "dW_hh", "db_h")}


rnn_backward = Exercise(
    name="rnn_backward",
    challenges=(
        Challenge("db_h", 0.25, _sequence_case("db_h", REAL, 4, 5)),
        Challenge("dW_xh", 0.25, _sequence_case("dW_xh", REAL, 4, 5)),
        Challenge("dW_hh", 0.5, _sequence_case("dW_hh", REAL, 4, 5)),
        Challenge("dh_0", 0.25, _sequence_case("dh_0", REAL, 4, 5)),
        Challenge("dxs", 0.25, _sequence_case("dxs", REAL, 4, 5)),
        Challenge("dW_hh with a mask", 0.5, _sequence_case("dW_hh", PADDED, 3, 5)),
        Challenge("dh_0 with a mask", 0.5, _sequence_case("dh_0", PADDED, 3, 5)),
        Challenge("dxs with a mask", 0.5, _sequence_case("dxs", PADDED, 3, 5)),
        Challenge("sequences of one step", 0.25, _sequence_case("dW_hh", [*"1101111"], 5, 3), hidden=True),
        Challenge("longer sequences", 0.25, _sequence_case("dW_hh", ["0111111101", "0000000000"], 2, 3), hidden=True),
    ),
    oracle=rnn_backward_oracle,
    mistakes=(
        Mistake("You carry no error back from step t + 1 to step t.", lambda d, c: _backward(d, c, carry=False)),
        Mistake(TOO_FEW, lambda d, c: _backward(d, c, steps=counted)),
        Mistake("You do not transpose W_hh in the backward pass.", lambda d, c: _backward(d, c, W=lambda W: W)),
        Mistake(
            "You apply tanh to h again in its slope: use 1 - h^2, not 1 - tanh(h)^2.",
            lambda d, c: _backward(d, c, slope=lambda h: 1 - np.tanh(h) ** 2),
        ),
        Mistake("You leave out the slope of tanh, 1 - h^2.", lambda d, c: _backward(d, c, slope=lambda h: 1.0)),
        Mistake("You use h_t in dW_hh; it should be h_{t-1}.", lambda d, c: _backward(d, c, shift=False)),
        Mistake(
            "In dW_hh you use zeros as the state before the first step; it should be h_0.",
            lambda d, c: _backward(d, c, start=False),
        ),
        Mistake(
            "You keep the gradients of the weights from the first step only; they should be summed over all steps, with +=.",
            _backward_first_step_only,
        ),
        Mistake(
            "You average the gradients of the weights over the batch; they should be sums.",
            lambda d, c: _backward(d, c, share=1 / len(d)),
        ),
        Mistake("You ignore the mask.", lambda d, c: _backward(d, c, masked=False, keep=False)),
        Mistake(
            "Your error stops at a masked step; a kept state passes it back unchanged.",
            lambda d, c: _backward(d, c, keep=False),
        ),
        Mistake("You add the carried error into dhs itself, which belongs to the caller.", _backward_into_dhs),
        Mistake(
            "You use the last state, hs[:, -1], as the state before step 0; it is h_0.",
            lambda d, c: _backward(d, (*c[:2], c[3][:, -1], *c[3:])),
        ),
        Mistake(
            "You loop forwards over the steps; the errors come from the end, so loop backwards.", _backward_forwards
        ),
        Mistake(
            "You use only the error of the last output; each step adds its own dhs[:, t].",
            lambda d, c: _backward(d * (np.arange(d.shape[1]) == d.shape[1] - 1)[:, None], c),
        ),
        Mistake(
            "You mask dhs[:, t] before you carry it on; at a masked step it belongs to the state before.",
            lambda d, c: _backward(d * c[1][..., None], c),
        ),
        Mistake(
            "Your carried error piles up: dh_next is replaced at each step, not added to.",
            lambda d, c: _backward(d, c, pile=True),
        ),
        Mistake(
            "You return the last dh as dh_0; it still has to go through step 0.",
            lambda d, c: {
                **_backward(d, c),
                "dh_0": _backward(d[:, 1:], (c[0][:, 1:], c[1][:, 1:], c[3][:, 0], c[3][:, 1:], *c[4:]))["dh_0"]
                + d[:, 0],
            },
        ),
        Mistake(
            "You pass the error on twice at a real step: the term dh belongs to masked steps only, (1 - m) * dh.",
            lambda d, c: _backward(d, c, keep=None),
        ),
        Mistake(
            "Your mask is inverted: a step has a gradient where the mask is True.",
            lambda d, c: _backward(d, (c[0], ~c[1], *c[2:])),
        ),
    ),
    styles=(_backward_all_at_once, _backward_recursive, lambda dhs, cache: _backward(dhs.copy(), cache)),
    hints=(
        "Two errors arrive at h_t: one from its own output, one from the future. What do you do with them?",
        "Loop backwards over t. dh = dhs[:, t] + dh_next; then one step_backward; its dh_prev is the next dh_next.",
        "With m = mask[:, t, None], pass m * dh to step_backward; dh_next = its dh_prev + (1 - m) * dh. Weights' gradients: += at each step.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(("cache[3] is always between -1 and 1", "hs is a tanh"),),
)

# ------------------------------------------------------------------------------------ network_gradient


def surprises(logits, targets):
    """Return -log p(target) for each row; works for complex logits too. logits: (batch, classes); targets: (batch,)."""
    shift = logits.real.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - shift).sum(axis=1)) + shift[:, 0]
    return log_sum - logits[np.arange(len(logits)), targets]


def _network_loss(xs, targets, mask, W_xh, W_hh, b_h, W_hy, b_y):
    """Return the mean of -log p(target) over the real steps; works for complex weights too."""
    states = _walk(xs, mask, np.zeros((len(xs), len(W_hh))), W_xh, W_hh, b_h)
    total = 0.0
    for t, h in enumerate(states):
        total += np.sum(mask[:, t] * surprises(h @ W_hy + b_y, targets[:, t]))
    return total / mask.sum()


class _LossAndGradients(Gradients):
    def __getitem__(self, name):
        return float(self.loss("", None)) if name == "loss" else super().__getitem__(name)


def network_gradient_oracle(xs, targets, mask, weights):
    """Return the loss, and all five gradients by the complex step."""
    point = {f"d{name}": array for name, array in weights.items()}

    def loss(name, array):
        changed = point | ({name: array} if name else {})
        return _network_loss(xs, targets, mask, **{key[1:]: value for key, value in changed.items()})

    return _LossAndGradients(loss, point | {"loss": None})


def _network_case(key: str, rows: list[str], features: int, units: int, classes: int):
    def draw(rng: Rng) -> tuple:
        mask = np.array([[mark == "1" for mark in row] for row in rng.permutation(rows)])
        _, _, W_xh, W_hh, b_h = step_inputs(rng, len(rows), features, units)
        weights = {"W_xh": W_xh, "W_hh": W_hh, "b_h": b_h}
        weights |= {"W_hy": numbers(rng, units, classes), "b_y": numbers(rng, classes)}
        return key, numbers(rng, *mask.shape, features), rng.integers(0, classes, size=mask.shape), mask, weights

    return draw


def _network_gradient(
    xs,
    targets,
    mask,
    weights,
    *,
    W=lambda W: W.T,
    forward_mask=lambda mask: mask,
    loss_mask=lambda mask: mask,
    gradient_mask=lambda mask: mask,
    dlogits=lambda p, one_hot: p - one_hot,
    count=lambda mask: mask.sum(),
    readout_mean=False,
    readout_steps=slice(None),
    with_bias=True,
    backward=_backward,
):
    """Compute the gradients with a fault."""
    W_xh, W_hh, b_h, W_hy, b_y = (weights[name] for name in ("W_xh", "W_hh", "b_h", "W_hy", "b_y"))
    h_0, on, used = np.zeros((len(xs), len(W_hh))), forward_mask(mask), gradient_mask(mask)
    hs = np.stack(_walk(xs, on, h_0, W_xh, W_hh, b_h), axis=1)
    logits = hs @ W_hy + (b_y if with_bias else 0.0)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = exponentials / exponentials.sum(axis=-1, keepdims=True)
    one_hot = np.eye(len(b_y))[targets]
    d = dlogits(p, one_hot) * used[..., None] / count(used)
    back = backward(d @ W(W_hy), (xs, on, h_0, hs, W_xh, W_hh))
    share = 1 / len(xs) if readout_mean else 1.0
    part = d[:, readout_steps]
    return {
        "loss": -np.average(np.log((p * one_hot).sum(axis=-1)), weights=loss_mask(mask)),
        "dW_xh": back["dW_xh"],
        "dW_hh": back["dW_hh"],
        "db_h": back["db_h"],
        "dW_hy": share * np.einsum("bth,btc->hc", hs[:, readout_steps], part),
        "db_y": share * part.sum(axis=(0, 1)),
    }


def _back_from_the_logits(xs, targets, mask, weights):
    states = np.stack(_walk(xs, mask, np.zeros((len(xs), len(weights["W_hh"]))), *list(weights.values())[:3]), axis=1)
    logits = states @ weights["W_hy"] + weights["b_y"]
    correct_gradients = _network_gradient(xs, targets, mask, weights)
    back = _network_gradient(xs, targets, mask, weights, backward=lambda d, c: _backward(logits @ weights["W_hy"].T, c))
    return back | {key: correct_gradients[key] for key in ("loss", "dW_hy", "db_y")}


def _network_step_by_step(xs, targets, mask, weights):
    """Walk back with the readout inside the loop."""
    W_xh, W_hh, W_hy, b_y = (weights[name] for name in ("W_xh", "W_hh", "W_hy", "b_y"))
    zero = np.zeros((len(xs), len(W_hh)))
    states = [zero, *_walk(xs, mask, zero, W_xh, W_hh, weights["b_h"])]
    total = {f"d{name}": np.zeros_like(array) for name, array in weights.items()}
    loss, dh_next, n = 0.0, zero, mask.sum()
    for t in range(xs.shape[1] - 1, -1, -1):
        logits = states[t + 1] @ W_hy + b_y
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        m = mask[:, t, None].astype(float)
        one_hot = np.eye(len(b_y))[targets[:, t]]
        loss -= (log_p * one_hot * m).sum() / n
        dy = (np.exp(log_p) - one_hot) * m / n
        dh = dy @ W_hy.T + dh_next
        step_grads = _step_backward(m * dh, (xs[:, t], states[t], states[t + 1], W_xh, W_hh))
        for key in ("dW_xh", "dW_hh", "db_h"):
            total[key] = total[key] + step_grads[key]
        total["dW_hy"] += states[t + 1].T @ dy
        total["db_y"] += dy.sum(axis=0)
        dh_next = step_grads["dh_prev"] + (1 - m) * dh
    return {**total, "loss": loss}


NETWORK_ROWS = ["1110", "1011", "0111"]

network_gradient = Exercise(
    name="network_gradient",
    challenges=(
        Challenge("the loss", 0.25, _network_case("loss", NETWORK_ROWS, 3, 5, 4)),
        Challenge("db_y", 0.25, _network_case("db_y", [*"1110111"], 3, 4, 5)),
        Challenge("dW_hy", 0.5, _network_case("dW_hy", NETWORK_ROWS, 3, 5, 4)),
        Challenge("db_h", 0.25, _network_case("db_h", ["1111", "0000"], 6, 5, 2)),
        Challenge("dW_xh", 0.25, _network_case("dW_xh", NETWORK_ROWS, 3, 5, 4)),
        Challenge("dW_hh", 0.5, _network_case("dW_hh", NETWORK_ROWS, 3, 5, 4)),
        Challenge(
            "dW_hh, as many classes as units",
            0.5,
            _network_case("dW_hh", ["10110", "11111", "01111", "11000"], 4, 3, 3),
            hidden=True,
        ),
    ),
    oracle=network_gradient_oracle,
    mistakes=(
        Mistake(
            "You ignore the mask in the loss and its gradient; pass it to the functions of lesson 03.",
            lambda *a: _network_gradient(*a, loss_mask=np.ones_like, gradient_mask=np.ones_like),
        ),
        Mistake(
            "You ignore the mask in the gradient of the loss; pass it to cross_entropy_gradient.",
            lambda *a: _network_gradient(*a, gradient_mask=np.ones_like),
        ),
        Mistake(
            "You ignore the mask in the loss; pass it to sequence_cross_entropy.",
            lambda *a: _network_gradient(*a, loss_mask=np.ones_like),
        ),
        Mistake("You go back from the logits themselves; go back from their gradient, dlogits.", _back_from_the_logits),
        Mistake(
            "You ignore the mask in the recurrent part; pass it to rnn_forward_masked and to rnn_backward.",
            lambda *a: _network_gradient(*a, forward_mask=np.ones_like),
        ),
        Mistake(
            "You use softmax as the gradient of the logits; subtract the one-hot targets.",
            lambda *a: _network_gradient(*a, dlogits=lambda p, one_hot: p),
        ),
        Mistake(
            "Your gradients have the opposite sign.",
            lambda *a: _network_gradient(*a, dlogits=lambda p, one_hot: one_hot - p),
        ),
        Mistake(
            "Your gradients are those of the sum of the losses; the loss is their mean over the real steps.",
            lambda *a: _network_gradient(*a, count=lambda mask: 1),
        ),
        Mistake(
            "Your gradients are divided by the number of real steps twice.",
            lambda *a: _network_gradient(*a, count=lambda mask: mask.sum() ** 2),
        ),
        Mistake(
            "The readout's gradients contain the last step only; sum over all steps.",
            lambda *a: _network_gradient(*a, readout_steps=slice(-1, None)),
        ),
        Mistake(
            "You average the readout's gradients over the batch; they should be sums.",
            lambda *a: _network_gradient(*a, readout_mean=True),
        ),
        Mistake("You leave out the bias b_y.", lambda *a: _network_gradient(*a, with_bias=False)),
        Mistake(
            "You carry no error back from step t + 1 to step t.",
            lambda *a: _network_gradient(*a, backward=lambda d, c: _backward(d, c, carry=False)),
        ),
        Mistake(
            "Only the loss of the last step reaches your recurrent weights; pass the gradient of all states, dhs.",
            lambda *a: _network_gradient(
                *a, backward=lambda d, c: _backward(d * (np.arange(d.shape[1]) == d.shape[1] - 1)[:, None], c)
            ),
        ),
        Mistake(
            "You go back through tanh before rnn_backward, which does so itself: dhs is dlogits @ W_hy.T.",
            lambda *a: _network_gradient(*a, backward=lambda d, c: _backward(d * (1 - c[3] ** 2), c)),
        ),
    ),
    styles=(
        _network_gradient,
        _network_step_by_step,
        lambda *a: {key: np.asarray(value) for key, value in _network_gradient(*a).items()},
    ),
    hints=(
        "Which three backward steps are there, from the loss to the logits, to the states, and to the weights?",
        "cross_entropy_gradient gives dlogits; the readout gives dhs = dlogits @ W_hy.T; rnn_backward does the rest.",
        "With rows = hs.reshape(-1, units) and drows = dlogits.reshape(-1, classes): dW_hy = rows.T @ drows, db_y = drows.sum(axis=0).",
    ),
    probe="part",
    not_allowed=FROM_SCRATCH,
    promised=(),
)

# ----------------------------------------------------------------------------------- gradient_by_lag


def gradient_by_lag_oracle(dhs, cache):
    """Return (steps, units, units): entry k sums, over loss steps t, the gradient of the copy of W_hh at step t - k."""
    xs, h_0, hs, W_xh, W_hh = cache
    steps, real = xs.shape[1], np.ones(xs.shape[:2])
    b_h = _sequence_bias(xs, real.astype(bool), h_0, hs, W_xh, W_hh)
    by_lag = np.zeros((steps, *W_hh.shape))
    for t in range(steps):
        for copy in range(t + 1):

            def loss(W, t=t, copy=copy):
                copies = [W if step == copy else W_hh for step in range(steps)]
                return np.sum(dhs[:, t] * _walk(xs[:, : t + 1], real, h_0, W_xh, copies, b_h)[t])

            by_lag[t - copy] += complex_step(loss, W_hh)
    return by_lag


def _lag_inputs(rng: Rng, batch: int, steps: int, features: int, units: int) -> tuple:
    dhs, (xs, _, h_0, hs, W_xh, W_hh) = _sequence_inputs(rng, ["1" * steps] * batch, features, units)
    return dhs, (xs, h_0, hs, W_xh, W_hh)


def _by_lag(
    dhs,
    cache,
    *,
    slope=lambda h: 1 - h**2,
    where=lambda t, lag: lag,
    last=False,
    back=lambda dh, da, W: da @ W.T,
    steps=lambda xs: xs.shape[1],
):
    xs, h_0, hs, _, W_hh = cache
    before = [h_0, *np.swapaxes(hs, 0, 1)]
    by_lag = np.zeros((xs.shape[1], *W_hh.shape))
    for t in range(steps(xs)):
        if last and t < xs.shape[1] - 1:
            continue
        dh = dhs[:, t]
        for lag in range(t + 1):
            da = dh * slope(hs[:, t - lag])
            by_lag[where(t, lag)] += before[t - lag].T @ da
            dh = back(dh, da, W_hh)
    return by_lag


def _by_lag_through_backward(dhs, cache):
    """Run the backward pass repeatedly: with the loss at t alone and the copies from t - lag on."""
    xs, h_0, hs, W_xh, W_hh = cache
    steps = xs.shape[1]
    states = np.concatenate([h_0[:, None], hs], axis=1)
    by_lag = np.zeros((steps, *W_hh.shape))
    for t in range(steps):
        previous = 0.0
        for lag in range(t + 1):
            span = slice(t - lag, t + 1)
            only = np.zeros_like(dhs[:, span])
            only[:, -1] = dhs[:, t]
            mask = np.ones(only.shape[:2], dtype=bool)
            total = _backward(only, (xs[:, span], mask, states[:, t - lag], hs[:, span], W_xh, W_hh))["dW_hh"]
            by_lag[lag] += total - previous
            previous = total
    return by_lag


def _by_lag_diagonals(dhs, cache):
    """Propagate all loss steps together, one lag at a time."""
    xs, h_0, hs, _, W_hh = cache
    steps, before, dh, result = xs.shape[1], np.concatenate([h_0[:, None], hs[:, :-1]], axis=1), dhs, []
    for lag in range(steps):
        da = dh * (1 - hs[:, : steps - lag] ** 2)
        result.append(np.einsum("bti,btj->ij", before[:, : steps - lag], da))
        dh = (da @ W_hh.T)[:, 1:]
    return np.stack(result)


def _by_distance_to_the_end(dhs, cache):
    xs, h_0, hs, W_xh, W_hh = cache
    parts, dh = [], np.zeros_like(h_0)
    for t in reversed(range(xs.shape[1])):
        before = hs[:, t - 1] if t else h_0
        step_grads = _step_backward(dh + dhs[:, t], (xs[:, t], before, hs[:, t], W_xh, W_hh))
        parts.append(step_grads["dW_hh"])
        dh = step_grads["dh_prev"]
    return np.stack(parts)


def _by_lag_with_errors_on_the_way(dhs, cache):
    xs, h_0, hs, _, W_hh = cache
    before = [h_0, *np.swapaxes(hs, 0, 1)]
    by_lag = np.zeros((xs.shape[1], *W_hh.shape))
    for t in range(xs.shape[1]):
        dh = dhs[:, t]
        for lag in range(t + 1):
            da = dh * (1 - hs[:, t - lag] ** 2)
            by_lag[lag] += before[t - lag].T @ da
            dh = da @ W_hh.T + (dhs[:, t - lag - 1] if lag < t else 0.0)
    return by_lag


gradient_by_lag = Exercise(
    name="gradient_by_lag",
    challenges=(
        Challenge("a single step", 0.5, lambda rng: _lag_inputs(rng, 2, 1, 3, 4)),
        Challenge("three steps", 1.0, lambda rng: _lag_inputs(rng, 2, 3, 4, 3)),
        Challenge("five steps", 1.0, lambda rng: _lag_inputs(rng, 4, 5, 2, 3), hidden=True),
    ),
    oracle=gradient_by_lag_oracle,
    mistakes=(
        Mistake(
            "You sort by the step of the copy; sort by the lag between the copy and the loss.",
            lambda d, c: _by_lag(d, c, where=lambda t, lag: t - lag),
        ),
        Mistake(
            "You sort by the step of the loss; sort by the lag between the copy and the loss.",
            lambda d, c: _by_lag(d, c, where=lambda t, lag: t),
        ),
        Mistake(
            "Only the loss at the last step contributes to your result. Do you sum over all loss steps, with +=?",
            lambda d, c: _by_lag(d, c, last=True),
        ),
        Mistake(TOO_FEW, lambda d, c: _by_lag(d, c, steps=counted)),
        Mistake("You return the lags in reverse order; lag 0 comes first.", lambda d, c: _by_lag(d, c)[::-1]),
        Mistake(
            "You do not transpose W_hh in the backward pass.", lambda d, c: _by_lag(d, c, back=lambda dh, da, W: da @ W)
        ),
        Mistake(
            "You apply tanh to h again in its slope: use 1 - h^2, not 1 - tanh(h)^2.",
            lambda d, c: _by_lag(d, c, slope=lambda h: 1 - np.tanh(h) ** 2),
        ),
        Mistake(
            "Your entry k contains all lags up to k; it should contain lag k alone.",
            lambda d, c: np.cumsum(_by_lag(d, c), axis=0),
        ),
        Mistake(
            "You follow one walk from the end and sort by the distance to the end; sort by the lag between each copy and each loss step.",
            _by_distance_to_the_end,
        ),
        Mistake(
            "You leave out the slope of tanh where the error goes back from step to step.",
            lambda d, c: _by_lag(d, c, back=lambda dh, da, W: dh @ W.T),
        ),
        Mistake(
            "You do not carry the error back: each lag needs it one step earlier.",
            lambda d, c: _by_lag(d, c, back=lambda dh, da, W: dh),
        ),
        Mistake(
            "You use the last state, hs[:, -1], as the state before step 0; it is h_0.",
            lambda d, c: _by_lag(d, (c[0], c[2][:, -1], *c[2:])),
        ),
        Mistake(
            "You add the errors of the earlier outputs on the way; follow the loss at one step t alone.",
            _by_lag_with_errors_on_the_way,
        ),
    ),
    styles=(_by_lag, _by_lag_through_backward, _by_lag_diagonals),
    hints=(
        "Take the loss at one step t only. Which copies of W_hh does it reach, and how far back are they?",
        "Two loops: over t, and from there backwards over lag = 0, 1, ... t. The error goes back one step for each lag.",
        "Inside: da = dh * (1 - hs[:, t - lag]**2); by_lag[lag] += (state before step t - lag).T @ da; dh = da @ W_hh.T.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("cache[2] is always between -1 and 1", "hs is a tanh"),),
)

EXERCISES = [scalar_gradient_by_hand, step_backward, rnn_backward, network_gradient, gradient_by_lag]
