"""Lesson 05: check a gradient, hunt bugs with the check, step with Adam, clip by the global norm, and train."""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake, Tolerance
from autograde_tests.lesson_04_bptt import complex_step, surprises
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers import bugs
from rnn_helpers.checks.fixtures import products, sum_of_cubes, sum_of_squares

# ---------------------------------------------------------------------------------- numerical_gradient


def numerical_gradient_oracle(f, x, eps=1e-6):
    """Return the central differences of the three known functions in closed form."""
    if f is sum_of_squares:
        return 2.0 * x
    if f is sum_of_cubes:
        return 3.0 * x**2 + eps**2
    flat = x.ravel()
    neighbours = np.concatenate([[0.0], flat[:-1]]) + np.concatenate([flat[1:], [0.0]])
    return neighbours.reshape(x.shape)


def _differences(f, x, eps=1e-6, *, up=1.0, down=1.0, over=2.0):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[index] += up * eps
        low[index] -= down * eps
        gradient[index] = (f(high) - f(low)) / (over * eps)
    return gradient


def _leaves_x_moved(f, x, eps=1e-6):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += eps
        high = f(x)
        x[index] -= 2 * eps
        gradient[index] = (high - f(x)) / (2 * eps)
    return gradient


def _all_entries_at_once(f, x, eps=1e-6):
    return np.full(x.shape, (f(x + eps) - f(x - eps)) / (2 * eps))


def _moving_x_and_back(f, x, eps=1e-6):
    x, gradient = np.array(x), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        old = x[index]
        x[index] = old + eps
        high = f(x)
        x[index] = old - eps
        gradient[index] = (high - f(x)) / (2 * eps)
        x[index] = old
    return gradient


def _with_unit_matrices(f, x, eps=1e-6):
    moves = eps * np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(f(x + move) - f(x - move)) / (2 * eps) for move in moves]).reshape(x.shape)


def _whole_rows(f, x, eps=1e-6):
    gradient = np.zeros(x.shape)
    for index in range(len(x)):
        high, low = x.copy(), x.copy()
        high[index] += eps
        low[index] -= eps
        gradient[index] = (f(high) - f(low)) / (2 * eps)
    return gradient


numerical_gradient = Exercise(
    name="numerical_gradient",
    challenges=(
        Challenge("a sum of squares", 0.5, lambda rng: (sum_of_squares, numbers(rng, 4), 1e-3)),
        Challenge("a sum of cubes, with a large eps", 0.75, lambda rng: (sum_of_cubes, numbers(rng, 3), 0.1)),
        Challenge(
            "a matrix with interacting entries", 0.75, lambda rng: (products, numbers(rng, *sizes(rng, 2)), 1e-3)
        ),
        Challenge("three axes", 0.5, lambda rng: (products, numbers(rng, *sizes(rng, 3, 2, 4)), 1e-2), hidden=True),
    ),
    oracle=numerical_gradient_oracle,
    mistakes=(
        Mistake(
            "You perturb to one side only, f(x + eps) - f(x); central differences, to both sides, are far more exact.",
            lambda *a: _differences(*a, down=0.0, over=1.0),
        ),
        Mistake("You divide by eps; x + eps and x - eps are 2 eps apart.", lambda *a: _differences(*a, over=1.0)),
        Mistake("Your result has the opposite sign.", lambda *a: -_differences(*a)),
        Mistake("You perturb all entries together; perturb one at a time.", _all_entries_at_once),
        Mistake(
            "Your differences are all zero. Are the two perturbed arrays the same array? Take x.copy() for each.",
            lambda f, x, eps=1e-6: np.zeros(x.shape),
        ),
        Mistake("You do not restore the entry of x after perturbing it.", _leaves_x_moved),
        Mistake(
            "You divide a one-sided difference, f(x + eps) - f(x), by 2 eps.", lambda *a: _differences(*a, down=0.0)
        ),
        Mistake(
            "You multiply by eps instead of dividing by it: write / (2 * eps).",
            lambda f, x, eps=1e-6: _differences(f, x, eps) * eps**2,
        ),
        Mistake(
            "You perturb a whole row at a time; perturb one entry at a time, with np.ndindex(x.shape).", _whole_rows
        ),
    ),
    styles=(_differences, _moving_x_and_back, _with_unit_matrices),
    hints=(
        "How would you measure the slope of f in one entry of x, if you could only evaluate f?",
        "Perturb one entry by eps, up and down, in copies of x. np.ndindex(x.shape) iterates over all indices.",
        "For each index: (f(x with + eps there) - f(x with - eps there)) / (2 eps), stored at that index.",
    ),
    promised=(
        ("eps is never negative", "it is the size of the perturbation"),
        ("eps is always between -1 and 1", "it is small"),
    ),
)

# -------------------------------------------------------------------------------------- relative_error


def relative_error_oracle(a, b):
    """Return |a - b| / (|a| + |b|) with Euclidean lengths, 0 when both are zero, one number at a time."""
    length = [math.sqrt(math.fsum(float(v) ** 2 for v in array.ravel())) for array in (a - b, a, b)]
    return length[0] / (length[1] + length[2]) if length[1] + length[2] else 0.0


# ----------------------------------------------------------------------------------------- find_broken


def find_broken_oracle(backwards):
    """Compare each candidate with a correct one, on one network."""
    rng = np.random.default_rng(0)
    xs, h_0, weights = rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 3)), _weights(rng)
    hs = bugs.forward(xs, h_0, *weights)
    dhs, cache = rng.normal(size=hs.shape), (xs, h_0, hs, weights[0], weights[1])
    reference = bugs.bruno(dhs, cache)
    return np.array([not all(map(np.allclose, backward(dhs, cache), reference)) for backward in backwards])


def _weights(rng: Rng) -> list[np.ndarray]:
    return [rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)]


def _stranger(name: str):
    """Return a candidate without its name, so that it can only be identified by its gradients."""
    return lambda dhs, cache: bugs.CANDIDATES[name](dhs, cache)


def _suspects(*names: str):
    return lambda rng: ([bugs.CANDIDATES[name] for name in names],)


def _strangers(count: int, without: str = ""):
    """Draw a list of candidates that no visible check contains: the same bugs in random order."""
    names = sorted(bugs.CANDIDATES.keys() - {without})
    return lambda rng: ([_stranger(name) for name in rng.permutation(names)[:count]],)


def _checks(backwards, *, tolerance=1e-6, parts=(0, 1, 2), steps=4, batch=2, first=None):
    """Check candidates by central differences. parts: which of dW_xh, dW_hh, db_h; first: only this entry."""
    rng = np.random.default_rng(0)
    xs, h_0 = rng.normal(size=(batch, steps, 2)), rng.normal(size=(batch, 3))
    weights = _weights(rng)
    hs = bugs.forward(xs, h_0, *weights)
    dhs = rng.normal(size=hs.shape)

    def loss(part, moved):
        changed = [moved if i == part else w for i, w in enumerate(weights)]
        return np.sum(dhs * bugs.forward(xs, h_0, *changed))

    answers = []
    for backward in backwards:
        gradients = backward(dhs, (xs, h_0, hs, *weights[:2]))
        errors = [
            relative_error_oracle(gradients[part], _differences(lambda w, part=part: loss(part, w), weights[part]))
            for part in parts
        ]
        answers.append(max(errors) > tolerance)
    return np.array(answers)


find_broken = Exercise(
    name="find_broken",
    challenges=(
        # Without dora, the only one with a bug in db_h: an answer that ignores db_h keeps this point on every draw.
        Challenge("two candidates", 1.0, _suspects("ada", "bruno"), fresh=_strangers(2, without="dora")),
        Challenge("three candidates", 1.0, _suspects("bruno", "chloe", "dora"), fresh=_strangers(3)),
        Challenge("four more candidates", 1.0, _suspects("emil", "fatima", "gustav", "helga"), fresh=_strangers(4)),
        Challenge("all candidates, reordered", 1.0, _strangers(8), hidden=True),
    ),
    oracle=find_broken_oracle,
    mistakes=(
        Mistake("Your answers are inverted: True is for the broken ones.", lambda bs: ~_checks(bs)),
        Mistake(
            "You call every backward pass broken. Is your threshold too small? Numerical gradients are never exact.",
            lambda bs: _checks(bs, tolerance=1e-15),
        ),
        Mistake("You miss some of the bugs. Is your threshold too large?", lambda bs: _checks(bs, tolerance=0.65)),
        Mistake(
            "You miss a bug that changes the gradient by less than 1 %. Is your threshold too large?",
            lambda bs: _checks(bs, tolerance=0.02),
        ),
        Mistake(
            "You miss a bug that shows only in db_h: look at all three weights, with more than one sequence.",
            lambda bs: _checks(bs, parts=(0, 1)),
        ),
        Mistake(
            "You miss the bugs that show only between steps: draw a sequence of several steps.",
            lambda bs: _checks(bs, steps=1),
        ),
        Mistake(
            "You miss bugs that do not show in dW_xh: all three gradients must agree, so the largest error decides.",
            lambda bs: _checks(bs, parts=(0,)),
        ),
    ),
    styles=(
        _checks,
        lambda backwards: np.array([bool(_checks([backward], tolerance=1e-5)[0]) for backward in backwards]),
        lambda backwards: _checks(backwards, steps=6, batch=3, tolerance=1e-4),
    ),
    hints=(
        "What would a correct backward pass agree with, and how closely?",
        "Draw a small network with several steps and several sequences. For each of the three weights compare what the candidate "
        "returns with numerical_gradient of the same loss.",
        "The loss is np.sum(dhs * forward(...)) with one weight perturbed. Broken means: some relative_error above 1e-6 or so.",
    ),
    unchanged=0.0,
    not_allowed=FROM_SCRATCH,
)

# ------------------------------------------------------------------------------- clip_by_global_norm


def clip_by_global_norm_oracle(grads, max_norm):
    """Return (clipped, norm), one number at a time."""
    norm = math.sqrt(math.fsum(float(v) ** 2 for g in grads.values() for v in g.ravel()))
    factor = max_norm / norm if norm > max_norm else 1.0
    return {name: np.array([v * factor for v in g.ravel()]).reshape(g.shape) for name, g in grads.items()}, norm


def _grads(rng: Rng, scale: float = 1.0) -> dict:
    a, b, c = sizes(rng, 3)
    return {
        "dW_xh": numbers(rng, a, b, scale=scale),
        "dW_hh": numbers(rng, b, b, scale=scale),
        "db_h": numbers(rng, c, scale=scale),
    }


def _norm_of(grads):
    return np.sqrt(sum(np.sum(g**2) for g in grads.values()))


def _scaled(grads, factor):
    return {name: factor * g for name, g in grads.items()}


def _clip_each(grads, max_norm):
    return {n: g * min(1.0, max_norm / np.linalg.norm(g)) for n, g in grads.items()}, _norm_of(grads)


def _clip_in_place(grads, max_norm):
    norm = _norm_of(grads)
    for g in grads.values():
        g *= min(1.0, max_norm / norm)  # noqa: PLW2901 (changing the caller's arrays is the point)
    return grads, norm


def _clip_joined(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))
    return {n: g / max(1.0, norm / max_norm) for n, g in grads.items()}, norm


clip_by_global_norm = Exercise(
    name="clip_by_global_norm",
    challenges=(
        Challenge("a norm above max_norm", 1.0, lambda rng: (_grads(rng), 0.5)),
        Challenge("a norm below max_norm", 0.5, lambda rng: (_grads(rng, 0.1), 50.0)),
        Challenge("a single weight", 0.5, lambda rng: ({"dw": numbers(rng, 5)}, 0.3)),
        Challenge("other sizes", 0.5, lambda rng: (_grads(rng, 10.0), 1.0), hidden=True),
    ),
    oracle=clip_by_global_norm_oracle,
    tolerance=Tolerance(1e-6, "PyTorch divides by norm + 1e-6, which is harmless"),
    mistakes=(
        Mistake(
            "You clip each array by its own norm, as Keras' clipnorm does; that changes the direction of the step.",
            _clip_each,
        ),
        Mistake(
            "You clip single numbers, as Keras' clipvalue does; that changes the direction of the step.",
            lambda g, m: ({n: np.clip(a, -m, m) for n, a in g.items()}, _norm_of(g)),
        ),
        Mistake(
            "You also stretch gradients that are shorter than max_norm.",
            lambda g, m: (_scaled(g, m / _norm_of(g)), _norm_of(g)),
        ),
        Mistake(
            "You add up the norms of the arrays; the global norm is the square root of the sum of all squares.",
            lambda g, m: (lambda n: (_scaled(g, min(1.0, m / n)), n))(sum(np.linalg.norm(a) for a in g.values())),
        ),
        Mistake(
            "You leave out the square root: this is the squared norm.",
            lambda g, m: (lambda n: (_scaled(g, min(1.0, m / n)), n))(_norm_of(g) ** 2),
        ),
        Mistake(
            "You return the norm after clipping; it should be the norm before.",
            lambda g, m: (_scaled(g, min(1.0, m / _norm_of(g))), min(m, _norm_of(g))),
        ),
        Mistake("You change the caller's gradients in place.", _clip_in_place),
        Mistake(
            "You shorten to length 1; shorten to max_norm.",
            lambda g, m: (_scaled(g, min(1.0, 1 / _norm_of(g))), _norm_of(g)),
        ),
    ),
    styles=(
        _clip_joined,
        lambda grads, max_norm: (
            _scaled(grads, 1.0 if _norm_of(grads) <= max_norm else max_norm / _norm_of(grads)),
            float(_norm_of(grads)),
        ),
        lambda grads, max_norm: (
            {n: g * np.minimum(1.0, max_norm / _norm_of(grads)) for n, g in grads.items()},
            np.sqrt(sum(np.vdot(g, g) for g in grads.values())),
        ),
    ),
    hints=(
        "If all entries of all gradients form one long vector, what is its norm?",
        "The norm is the square root of the sum of all squares of all arrays. If it is too large, every array gets the same factor.",
        "factor = min(1, max_norm / norm); return a new dict with factor * g for each, and the norm.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("max_norm is never negative", "it is a norm"),),
)

# ------------------------------------------------------------------------------------------ adam_step


def adam_step_oracle(params, grads, state, lr=0.001, beta_1=0.9, beta_2=0.999, eps=1e-8):
    """Return (params, state) after one step of Kingma and Ba (2015), algorithm 1, one number at a time."""
    t = state["t"] + 1
    new = {"t": t, "m": {}, "v": {}}
    moved = {}
    for name, param in params.items():
        m = np.empty(param.shape)
        v, p = np.empty(param.shape), np.empty(param.shape)
        for index in np.ndindex(param.shape):
            g = float(grads[name][index])
            m[index] = beta_1 * float(state["m"][name][index]) + (1 - beta_1) * g
            v[index] = beta_2 * float(state["v"][name][index]) + (1 - beta_2) * g * g
            m_hat, v_hat = m[index] / (1 - beta_1**t), v[index] / (1 - beta_2**t)
            p[index] = float(param[index]) - lr * m_hat / (math.sqrt(v_hat) + eps)
        new["m"][name], new["v"][name], moved[name] = m, v, p  # type: ignore[index]
    return moved, new


def _adam_inputs(rng: Rng, *, t: int, lr: float = 0.1, betas: tuple = (0.9, 0.95), eps: float = 1e-8) -> tuple:
    a, b = sizes(rng, 2, 2, 4)
    params, grads = ({"W": numbers(rng, a, b), "b": numbers(rng, b)} for _ in range(2))
    m = {name: numbers(rng, *p.shape) * (t > 0) for name, p in params.items()}
    v = {name: numbers(rng, *p.shape) ** 2 * (t > 0) for name, p in params.items()}
    return params, grads, {"t": t, "m": m, "v": v}, lr, *betas, eps


def _adam_other_rates(rng: Rng) -> tuple:
    betas = float(rng.uniform(0.5, 0.95)), float(rng.uniform(0.5, 0.95))
    return _adam_inputs(rng, t=int(rng.integers(1, 50)), lr=float(rng.uniform(0.01, 3)), betas=betas)


def _adam(
    params,
    grads,
    state,
    lr=0.001,
    b1=0.9,
    b2=0.999,
    eps=1e-8,
    *,
    correct=(True, True),
    sign=-1,
    root=np.sqrt,
    inside=False,
    square=np.square,
    tick=1,
    swap=False,
    fresh=False,
):
    t = state["t"] + tick
    c1, c2 = (b2, b1) if swap else (b1, b2)
    m = {n: c1 * state["m"][n] * (not fresh) + (1 - c1) * grads[n] for n in params}
    v = {n: c2 * state["v"][n] * (not fresh) + (1 - c2) * square(grads[n]) for n in params}
    k1, k2 = (1 - c**t if on else 1.0 for c, on in zip((c1, c2), correct, strict=True))
    bottom = {n: root(v[n] / k2 + eps) if inside else root(v[n] / k2) + eps for n in params}
    return {n: params[n] + sign * lr * (m[n] / k1) / bottom[n] for n in params}, {"t": t, "m": m, "v": v}


def _adam_in_place(params, grads, state, *settings):
    moved, new = _adam(params, grads, state, *settings)
    for name in params:
        params[name][...] = moved[name]
    return params, new


def _adam_counts_in_place(params, grads, state, *settings):
    result = _adam(params, grads, state, *settings)
    state["t"] += 1
    return result


def _adam_one_loop(params, grads, state, lr=0.001, beta_1=0.9, beta_2=0.999, eps=1e-8):
    t, m, v, out = state["t"] + 1, {}, {}, {}
    for name, g in grads.items():
        m[name] = state["m"][name] + (1 - beta_1) * (g - state["m"][name])
        v[name] = state["v"][name] + (1 - beta_2) * (g * g - state["v"][name])
        out[name] = params[name] - lr * (m[name] / (1 - beta_1**t)) / (np.sqrt(v[name] / (1 - beta_2**t)) + eps)
    return out, {"t": t, "m": m, "v": v}


def _adam_scaled_rate(params, grads, state, lr=0.001, beta_1=0.9, beta_2=0.999, eps=1e-8):
    """Apply both corrections to the learning rate and to eps, as in section 2 of the paper."""
    t = state["t"] + 1
    m = {n: beta_1 * state["m"][n] + (1 - beta_1) * g for n, g in grads.items()}
    v = {n: beta_2 * state["v"][n] + (1 - beta_2) * np.square(g) for n, g in grads.items()}
    root = np.sqrt(1 - beta_2**t)
    rate = lr * root / (1 - beta_1**t)
    return {n: p - rate * m[n] / (np.sqrt(v[n]) + eps * root) for n, p in params.items()}, {"v": v, "m": m, "t": t}


def _adam_stores_corrected(params, grads, state, lr=0.001, b1=0.9, b2=0.999, eps=1e-8):
    moved, new = _adam(params, grads, state, lr, b1, b2, eps)
    m = {name: value / (1 - b1 ** new["t"]) for name, value in new["m"].items()}
    v = {name: value / (1 - b2 ** new["t"]) for name, value in new["v"].items()}
    return moved, {"t": new["t"], "m": m, "v": v}


def _adam_with_beta_1_for_v(params, grads, state, lr=0.001, b1=0.9, b2=0.999, eps=1e-8):
    """Use beta_1 in the average of squares, but beta_2 in its correction."""
    t = state["t"] + 1
    m = {n: b1 * state["m"][n] + (1 - b1) * g for n, g in grads.items()}
    v = {n: b1 * state["v"][n] + (1 - b1) * g**2 for n, g in grads.items()}
    moved = {n: params[n] - lr * m[n] / (1 - b1**t) / (np.sqrt(v[n] / (1 - b2**t)) + eps) for n in params}
    return moved, {"t": t, "m": m, "v": v}


def _adam_multiplies_by_t(params, grads, state, lr=0.001, b1=0.9, b2=0.999, eps=1e-8):
    _, new = _adam(params, grads, state, lr, b1, b2, eps)
    t, m, v = new["t"], new["m"], new["v"]
    moved = {n: params[n] - lr * m[n] / (1 - b1 * t) / (np.sqrt(v[n] / (1 - b2 * t)) + eps) for n in params}
    return moved, new


adam_step = Exercise(
    name="adam_step",
    challenges=(
        Challenge("the first step", 1.0, lambda rng: _adam_inputs(rng, t=0)),
        Challenge("a later step", 1.0, lambda rng: _adam_inputs(rng, t=4)),
        Challenge("a large eps", 0.5, lambda rng: _adam_inputs(rng, t=2, eps=0.5)),
        Challenge("other rates", 1.0, _adam_other_rates, hidden=True),
    ),
    oracle=adam_step_oracle,
    mistakes=(
        Mistake(
            "You leave out the bias correction: divide m by 1 - beta_1^t and v by 1 - beta_2^t.",
            lambda *a: _adam(*a, correct=(False, False)),
        ),
        Mistake('You use the old t; it should be state["t"] + 1.', lambda *a: _adam(*a, tick=0)),
        Mistake("Your step goes uphill: subtract it.", lambda *a: _adam(*a, sign=1)),
        Mistake("You leave out the square root of v.", lambda *a: _adam(*a, root=lambda v: v)),
        Mistake("You add eps inside the square root; it belongs outside.", lambda *a: _adam(*a, inside=True)),
        Mistake(
            "Your v averages the absolute values of the gradients; it should average their squares.",
            lambda *a: _adam(*a, square=np.abs),
        ),
        Mistake("You swap beta_1 and beta_2.", lambda *a: _adam(*a, swap=True)),
        Mistake("You ignore the old m and v.", lambda *a: _adam(*a, fresh=True)),
        Mistake("You change t in the caller's state; return a new dict.", _adam_counts_in_place),
        Mistake("You change the caller's params in place.", _adam_in_place),
        Mistake(
            "You correct m but not v: divide v by 1 - beta_2^t as well.", lambda *a: _adam(*a, correct=(True, False))
        ),
        Mistake("You store the corrected m_hat and v_hat in the state; store m and v.", _adam_stores_corrected),
        Mistake("You use beta_1 for v; it should be beta_2.", _adam_with_beta_1_for_v),
        Mistake("You do not square the gradient in v.", lambda *a: _adam(*a, square=lambda g: g)),
        Mistake("You multiply beta by t in the correction; it should be the power, 1 - beta^t.", _adam_multiplies_by_t),
    ),
    styles=(_adam, _adam_one_loop, _adam_scaled_rate),
    hints=(
        "What does Adam remember of the earlier gradients? Two averages, both leaky memories as in lesson 00.",
        "m is a leaky mean of g, v of g squared. Both begin at zero and so are too small at first: dividing by 1 - beta^t corrects this.",
        "t = state['t'] + 1; new m and v for each name; then param - lr * m_hat / (np.sqrt(v_hat) + eps). Return new dicts.",
    ),
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(
        ("state[v][W] is never negative", "v is a mean of squares"),
        ("state[v][b] is never negative", "v is a mean of squares"),
        ("lr is never negative", "it is a learning rate"),
        ("beta_1 is never negative", "it is a share"),
        ("beta_1 is always between -1 and 1", "it is a share"),
        ("beta_2 is never negative", "it is a share"),
        ("beta_2 is always between -1 and 1", "it is a share"),
        ("eps is never negative", "it guards the division"),
        ("eps is always between -1 and 1", "it is small"),
    ),
)

# ---------------------------------------------------------------------------------- loss_and_gradients


NETWORK = ("W_xh", "W_hh", "b_h", "W_hy", "b_y")


def _network_loss(params, chars, h):
    """Return the mean of -log p(next character), and the last state; works for complex parameters too."""
    total = 0.0
    for t in range(chars.shape[1] - 1):
        h = np.tanh(params["W_xh"][chars[:, t]] + h @ params["W_hh"] + params["b_h"])
        total = total + np.sum(surprises(h @ params["W_hy"] + params["b_y"], chars[:, t + 1]))
    return total / chars[:, 1:].size, h


def loss_and_gradients_oracle(params, chars, h):
    """Return the loss, its gradients by the complex step, and the last state."""
    loss, last = _network_loss(params, chars, h)
    gradients = {
        name: complex_step(lambda changed, name=name: _network_loss({**params, name: changed}, chars, h)[0], array)
        for name, array in params.items()
    }
    return float(loss), gradients, last


def _language_inputs(rng: Rng, batch: int, steps: int, characters: int, units: int, *, fresh: bool = False) -> tuple:
    """Draw (params, chars, h); fresh: a state of zeros, as at the start of a text."""
    shapes = {
        "W_xh": (characters, units),
        "W_hh": (units, units),
        "b_h": (units,),
        "W_hy": (units, characters),
        "b_y": (characters,),
    }
    params = {name: numbers(rng, *shape, scale=0.7) for name, shape in shapes.items()}
    chars = rng.integers(0, characters, size=(batch, steps + 1))
    return params, chars, np.zeros((batch, units)) if fresh else np.tanh(numbers(rng, batch, units))


def _loss_and_gradients(
    params,
    chars,
    h,
    *,
    inputs=lambda chars: chars[:, :-1],
    targets=lambda chars: chars[:, 1:],
    count=lambda targets: targets.size,
    loss_count=lambda targets: targets.size,
    dlogits=lambda p, one_hot: p - one_hot,
    state=lambda h: h,
    last=lambda states: states[:, -1],
    share=lambda batch: 1.0,
    reach=None,
):
    """Compute the loss and the gradients with a fault. reach: scales the gradient of the states, (batch, steps, units)."""
    W_hh, W_hy = params["W_hh"], params["W_hy"]
    eye = np.eye(len(params["W_xh"]))
    input_ids, target_ids, start = inputs(chars), targets(chars), state(h)
    xs, one_hot = eye[input_ids], eye[target_ids]
    states = [start]
    for t in range(xs.shape[1]):
        states.append(np.tanh(xs[:, t] @ params["W_xh"] + states[-1] @ W_hh + params["b_h"]))
    hs = np.stack(states[1:], axis=1)
    logits = hs @ W_hy + params["b_y"]
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    d = dlogits(np.exp(log_p), one_hot) / count(target_ids)
    dhs = d @ W_hy.T
    if reach is not None:
        dhs = dhs * reach(hs)
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    dh = np.zeros_like(start)
    for t in range(xs.shape[1] - 1, -1, -1):
        da = (dhs[:, t] + dh) * (1 - hs[:, t] ** 2)
        grads["W_xh"] += xs[:, t].T @ da
        grads["W_hh"] += states[t].T @ da
        grads["b_h"] += da.sum(axis=0)
        dh = da @ W_hh.T
    grads["W_hy"] = share(len(chars)) * np.einsum("bth,btc->hc", hs, d)
    grads["b_y"] = share(len(chars)) * d.sum(axis=(0, 1))
    return -(log_p * one_hot).sum() / loss_count(target_ids), grads, last(hs)


def _last_step_only(hs):
    return (np.arange(hs.shape[1]) == hs.shape[1] - 1)[None, :, None]


loss_and_gradients = Exercise(
    name="loss_and_gradients",
    challenges=(
        Challenge("one step of one sequence", 0.5, lambda rng: _language_inputs(rng, 1, 1, 4, 3, fresh=True)),
        Challenge("a sequence of several steps", 1.0, lambda rng: _language_inputs(rng, 1, 4, 3, 5, fresh=True)),
        Challenge("several sequences", 0.5, lambda rng: _language_inputs(rng, 3, 5, 4, 2, fresh=True)),
        Challenge("a state that is carried over", 1.0, lambda rng: _language_inputs(rng, 2, 3, 5, 4)),
        Challenge("other sizes", 0.5, lambda rng: _language_inputs(rng, 5, 2, 2, 6), hidden=True),
    ),
    oracle=loss_and_gradients_oracle,
    mistakes=(
        Mistake(
            "Your targets are the inputs themselves; the target of each step is the next character, chars[:, 1:].",
            lambda *a: _loss_and_gradients(*a, targets=lambda chars: chars[:, :-1]),
        ),
        Mistake(
            "You predict the previous character: read chars[:, :-1] and predict chars[:, 1:].",
            lambda *a: _loss_and_gradients(*a, inputs=lambda chars: chars[:, 1:], targets=lambda chars: chars[:, :-1]),
        ),
        Mistake(
            "You return the sum of the losses; it should be their mean over all steps of all sequences.",
            lambda *a: _loss_and_gradients(*a, loss_count=lambda targets: 1, count=lambda targets: 1),
        ),
        Mistake(
            "Your gradients are those of the sum of the losses; divide dlogits by the number of steps of all sequences.",
            lambda *a: _loss_and_gradients(*a, count=lambda targets: 1),
        ),
        Mistake(
            "You divide by the number of sequences; divide by the number of steps of all sequences.",
            lambda *a: _loss_and_gradients(*a, loss_count=len, count=len),
        ),
        Mistake(
            "You divide the gradients by the number of sequences; divide by the number of steps of all sequences.",
            lambda *a: _loss_and_gradients(*a, count=len),
        ),
        Mistake(
            "You use softmax as the gradient of the logits; subtract the one-hot targets.",
            lambda *a: _loss_and_gradients(*a, dlogits=lambda p, one_hot: p),
        ),
        Mistake(
            "Your gradients have the opposite sign.",
            lambda *a: _loss_and_gradients(*a, dlogits=lambda p, one_hot: one_hot - p),
        ),
        Mistake(
            "You start from a state of zeros; start from the h that is passed in.",
            lambda *a: _loss_and_gradients(*a, state=np.zeros_like),
        ),
        Mistake(
            "You return all states; return the last one, hs[:, -1].",
            lambda *a: _loss_and_gradients(*a, last=lambda hs: hs),
        ),
        Mistake(
            "You return the first state; return the last one, hs[:, -1].",
            lambda *a: _loss_and_gradients(*a, last=lambda hs: hs[:, 0]),
        ),
        Mistake(
            "You average the gradients of the readout over the batch; they should be sums.",
            lambda *a: _loss_and_gradients(*a, share=lambda batch: 1 / batch),
        ),
        Mistake(
            "Only the loss of the last step reaches your recurrent weights; pass the gradient of all states to cells.backward.",
            lambda *a: _loss_and_gradients(*a, reach=_last_step_only),
        ),
        Mistake(
            "You go back through tanh before cells.backward, which does so itself: pass dlogits @ W_hy.T.",
            lambda *a: _loss_and_gradients(*a, reach=lambda hs: 1 - hs**2),
        ),
    ),
    styles=(
        _loss_and_gradients,
        lambda *a: tuple(_loss_and_gradients(*a)),
        lambda params, chars, h: (lambda loss, grads, last: [np.float64(loss), dict(reversed(grads.items())), last])(
            *_loss_and_gradients(params, chars, h)
        ),
    ),
    hints=(
        "Which characters does the network read, and which does it have to predict?",
        "Read chars[:, :-1], predict chars[:, 1:]. dlogits is (softmax minus one-hot) / number of predictions; dhs is dlogits @ W_hy.T.",
        "hs, cache = cells.forward(...); back = cells.backward(dhs, cache); W_hy: np.tensordot(hs, dlogits, axes=([0, 1], [0, 1])); b_y: the sum of dlogits over axes 0 and 1.",
    ),
    promised=(("h is always between -1 and 1", "it is a tanh"),),
)

# ------------------------------------------------------------------------------------------ train_step


def _clipped(grads, max_norm):
    norm = math.sqrt(sum(float(np.sum(np.square(g))) for g in grads.values()))
    return {name: g * min(1.0, max_norm / norm) for name, g in grads.items()}


def train_step_oracle(params, chars, h, state, lr, max_norm=1.0):
    """Return (loss, params, state, h) from the oracles of the three parts."""
    loss, grads, last = loss_and_gradients_oracle(params, chars, h)
    moved, new = adam_step_oracle(params, _clipped(grads, max_norm), state, lr)
    return loss, moved, new, last


def _step_inputs(rng: Rng, sizes_: tuple, max_norm: float, *, first: bool = False) -> tuple:
    params, chars, h = _language_inputs(rng, *sizes_)
    m = {name: 1.5 * numbers(rng, *p.shape) * (not first) for name, p in params.items()}
    v = {name: 2 * numbers(rng, *p.shape) ** 2 * (not first) for name, p in params.items()}
    state = {"t": 0 if first else int(rng.integers(1, 30)), "m": m, "v": v}
    return params, chars, h, state, float(rng.uniform(0.01, 2.0)), max_norm


def _train(params, chars, h, state, lr, max_norm=1.0, *, clip=_clipped, fit=_adam, after=lambda old, new: new):
    loss, grads, last = _loss_and_gradients(params, chars, h)
    moved, new = fit(params, clip(grads, max_norm), state, lr)
    return loss, moved, new, after(h, last)


def _descend(params, grads, state, lr):
    return {name: p - lr * grads[name] for name, p in params.items()}, state


def _clip_each_alone(grads, max_norm):
    return {name: _clipped({name: g}, max_norm)[name] for name, g in grads.items()}


def _loss_after_the_update(params, chars, h, state, lr, max_norm=1.0):
    _, moved, new, last = _train(params, chars, h, state, lr, max_norm)
    return _loss_and_gradients(moved, chars, h)[0], moved, new, last


train_step = Exercise(
    name="train_step",
    challenges=(
        Challenge("a gradient that is clipped", 0.5, lambda rng: _step_inputs(rng, (2, 2, 4, 6), 0.02)),
        Challenge("a gradient that is not clipped", 0.5, lambda rng: _step_inputs(rng, (5, 3, 3, 4), 50.0)),
        Challenge(
            "the first step of a training run",
            0.5,
            lambda rng: _step_inputs(rng, (1, 3, 5, 2), 0.1, first=True),
            hidden=True,
        ),
    ),
    oracle=train_step_oracle,
    mistakes=(
        Mistake("You do not clip the gradients.", lambda *a: _train(*a, clip=lambda grads, max_norm: grads)),
        Mistake(
            "You clip each gradient by its own norm; clip them by their global norm.",
            lambda *a: _train(*a, clip=_clip_each_alone),
        ),
        Mistake(
            "You limit each entry of the gradients; clip them by their global norm.",
            lambda *a: _train(*a, clip=lambda grads, m: {name: np.clip(g, -m, m) for name, g in grads.items()}),
        ),
        Mistake("Your update is plain gradient descent; use adam_step.", lambda *a: _train(*a, fit=_descend)),
        Mistake(
            "You use Adam's usual learning rate, 0.001, in place of lr.",
            lambda *a: _train(*a, fit=lambda params, grads, state, lr: _adam(params, grads, state)),
        ),
        Mistake(
            "You return the state h that was passed in; return the one after the last step.",
            lambda *a: _train(*a, after=lambda old, new: old),
        ),
        Mistake(
            "You return a state of zeros; return the one after the last step.",
            lambda *a: _train(*a, after=lambda old, new: np.zeros_like(new)),
        ),
        Mistake(
            "You return the old parameters; return those after the update.",
            lambda params, *a: (lambda loss, moved, new, last: (loss, params, new, last))(*_train(params, *a)),
        ),
        Mistake(
            "You return Adam's old state; return the new one.",
            lambda params, chars, h, state, *a: (lambda loss, moved, new, last: (loss, moved, state, last))(
                *_train(params, chars, h, state, *a)
            ),
        ),
        Mistake(
            "You return the loss after the update; return the one before it, which loss_and_gradients gave.",
            _loss_after_the_update,
        ),
    ),
    styles=(
        _train,
        lambda *a: list(_train(*a)),
        lambda *a: _train(*a, fit=_adam_one_loop),
    ),
    hints=(
        "Which of your functions gives the gradients, which makes them smaller, and which uses them?",
        "loss_and_gradients, then clip_by_global_norm, then adam_step. Each returns more than one thing.",
        "loss, grads, h = loss_and_gradients(params, chars, h); clipped, _ = clip_by_global_norm(grads, max_norm); params, state = adam_step(params, clipped, state, lr).",
    ),
    promised=(
        ("h is always between -1 and 1", "it is a tanh"),
        ("lr is never negative", "it is a learning rate"),
        ("max_norm is never negative", "it is a norm"),
        ("state[v][W_hh] has its largest eigenvalue first", "a positive matrix has, in NumPy's order"),
        *((f"state[v][{name}] is never negative", "v is a mean of squares") for name in NETWORK),
    ),
)

EXERCISES = [
    numerical_gradient,
    find_broken,
    adam_step,
    clip_by_global_norm,
    loss_and_gradients,
    train_step,
]
