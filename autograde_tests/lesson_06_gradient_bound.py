"""Lesson 06: Jacobians and their products, a decision by the bound, the Lyapunov exponent, two counterexamples.

Column form: entry (i, j) of a Jacobian is the derivative of unit i of h_t with respect to unit j of h_{t-1}. The oracles
of the first two measure it with the complex step on the recurrence itself.
"""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import Challenge, Exercise, Mistake, Tolerance
from autograde_tests.lesson_04_bptt import EPS
from autograde_tests.sampling import Rng, numbers

# --------------------------------------------------------------------------------------------- jacobian


def jacobian_oracle(h_t, W_hh):
    """Perturb each unit of h_{t-1} by a tiny imaginary number, around a state that leads to h_t."""
    units = len(h_t)
    a_t = np.arctanh(h_t)
    columns = [np.tanh(a_t + 1j * EPS * np.eye(units)[j] @ W_hh).imag / EPS for j in range(units)]
    return np.stack(columns, axis=1)


def _state_and_matrix(rng: Rng, units: int, *, calm: bool = False) -> tuple:
    h_t = np.round(np.tanh(numbers(rng, units)), 2) * (not calm)
    return h_t, numbers(rng, units, units)


def _slope(h):
    return 1 - np.asarray(h) ** 2


def _jacobian_loops(h_t, W_hh):
    units = len(h_t)
    return np.array([[(1 - h_t[i] ** 2) * W_hh[j, i] for j in range(units)] for i in range(units)])


jacobian = Exercise(
    name="jacobian",
    challenges=(
        Challenge("the zero state", 0.5, lambda rng: _state_and_matrix(rng, 3, calm=True)),
        Challenge("any state", 1.5, lambda rng: _state_and_matrix(rng, 4)),
        Challenge("two units", 0.5, lambda rng: _state_and_matrix(rng, 2), hidden=True),
    ),
    oracle=jacobian_oracle,
    mistakes=(
        Mistake(
            "You do not transpose W_hh: entry (i, j) depends on the weight from unit j to unit i, W_hh[j, i].",
            lambda h, W: _slope(h)[:, None] * W,
        ),
        Mistake(
            "Your slopes scale the columns; they belong to the new state, so they scale the rows.",
            lambda h, W: W.T * _slope(h),
        ),
        Mistake(
            "Your result is transposed: it is the matrix that carries errors backwards.", lambda h, W: W * _slope(h)
        ),
        Mistake("You leave out the slope of tanh, 1 - h^2.", lambda h, W: W.T.copy()),
        Mistake(
            "You apply tanh to h again in its slope: use 1 - h^2, not 1 - tanh(h)^2.",
            lambda h, W: (1 - np.tanh(h) ** 2)[:, None] * W.T,
        ),
        Mistake(
            "You use 1 - h as the slope of tanh; the square is missing: 1 - h^2.", lambda h, W: (1 - h)[:, None] * W.T
        ),
    ),
    styles=(lambda h_t, W_hh: np.diag(1 - h_t**2) @ W_hh.T, _jacobian_loops, lambda h_t, W_hh: (W_hh * _slope(h_t)).T),
    hints=(
        "h_t = tanh(a_t) and a_t = h_{t-1} W_hh + ... What does unit i of h_t do when unit j of h_{t-1} increases?",
        "It changes by slope i times the weight from j to i, which is W_hh[j, i]: so entry (i, j) is (1 - h_t[i]^2) W_hh[j, i].",
        "np.diag(1 - h_t**2) @ W_hh.T",
    ),
    promised=(("h_t is always between -1 and 1", "h_t is a tanh"),),
)

# ------------------------------------------------------------------------------------ jacobian_product


def jacobian_product_oracle(hs, k, t, W_hh):
    """Multiply the measured Jacobians of steps k + 1 to t, later ones from the left."""
    product = np.eye(len(W_hh))
    for step in range(k + 1, t + 1):
        product = jacobian_oracle(hs[step - 1], W_hh) @ product
    return product


def _walk_and_matrix(rng: Rng, steps: int, units: int, k: int, t: int) -> tuple:
    return np.round(np.tanh(0.7 * numbers(rng, steps, units)), 2), k, t, numbers(rng, units, units)


def _product(hs, k, t, W, *, first=1, last=0, on_left=True, J=lambda h, W: np.diag(_slope(h)) @ W.T):
    product = np.eye(len(W))
    for step in range(k + first, t + 1 + last):
        factor = J(hs[step - 1], W)
        product = factor @ product if on_left else product @ factor
    return product


def _product_reduce(hs, k, t, W_hh):
    from functools import reduce

    factors = [_slope(h)[:, None] * W_hh.T for h in hs[k:t]]
    return reduce(lambda product, factor: factor @ product, factors, np.eye(len(W_hh)))


def _product_columns(hs, k, t, W_hh):
    columns = []
    for unit in np.eye(len(W_hh)):
        v = unit
        for h in hs[k:t]:
            v = _slope(h) * (v @ W_hh)
        columns.append(v)
    return np.stack(columns, axis=1)


def _product_element_wise(hs, k, t, W):
    product = np.eye(len(W))
    for step in range(k + 1, t + 1):
        product = jacobian_oracle(hs[step - 1], W) * product
    return product


jacobian_product = Exercise(
    name="jacobian_product",
    challenges=(
        Challenge("one step", 0.5, lambda rng: _walk_and_matrix(rng, 4, 3, 2, 3)),
        Challenge("three steps", 0.5, lambda rng: _walk_and_matrix(rng, 6, 3, 2, 5)),
        Challenge("a product from h_0", 0.5, lambda rng: _walk_and_matrix(rng, 3, 4, 0, 2)),
        Challenge("no steps, k = t", 0.5, lambda rng: _walk_and_matrix(rng, 3, 2, 3, 3), edge=True),
        Challenge(
            "many steps", 0.5, lambda rng: _walk_and_matrix(rng, 12, 3, int(rng.integers(1, 8)), 12), hidden=True
        ),
    ),
    oracle=jacobian_product_oracle,
    mistakes=(
        Mistake(
            "You multiply the factors in the wrong order: later steps go to the left.",
            lambda *a: _product(*a, on_left=False),
        ),
        Mistake("You leave out step t, the last factor.", lambda *a: _product(*a, last=-1)),
        Mistake("Your product starts one step too late, at k + 2.", lambda *a: _product(*a, first=2)),
        Mistake("You do not transpose W_hh.", lambda *a: _product(*a, J=lambda h, W: np.diag(_slope(h)) @ W)),
        Mistake(
            "Your result is transposed: it is the matrix that carries errors backwards.",
            lambda *a: _product(*a).T.copy(),
        ),
        Mistake(
            "You leave out the slopes of tanh: this is a power of the transposed W_hh.",
            lambda *a: _product(*a, J=lambda h, W: W.T),
        ),
        Mistake(
            "You take the states one step too late: h_t is hs[t - 1].",
            lambda hs, k, t, W: _product(np.roll(hs, -1, axis=0), k, t, W),
        ),
        Mistake("You multiply the factors element-wise; multiply the matrices with @.", _product_element_wise),
        Mistake(
            "Your product starts one step too early: the first factor belongs to step k + 1.",
            lambda *a: _product(*a, first=0),
        ),
        Mistake(
            "Your factors are those of the steps k to t - 1; they should be k + 1 to t.",
            lambda *a: _product(*a, first=0, last=-1),
        ),
        Mistake(
            "You use the last Jacobian for every step; each step has its own.",
            lambda hs, k, t, W: np.linalg.matrix_power(jacobian_oracle(hs[t - 1], W), t - k),
        ),
    ),
    styles=(_product, _product_reduce, _product_columns),
    hints=(
        "How many factors are there between h_k and h_t? None when k = t, one when t = k + 1.",
        "Begin with the identity. Each further step multiplies from the left. The state after step s is hs[s - 1].",
        "product = np.eye(units); for s in range(k + 1, t + 1): product = jacobian(hs[s - 1], W_hh) @ product.",
    ),
    promised=(
        ("hs is always between -1 and 1", "hs is a tanh"),
        ("k is always at most t", "the task says so"),
        ("k is always at most axis 0 of hs", "there are no further steps"),
        ("t is always at most axis 0 of hs", "there are no further steps"),
    ),
)

# ------------------------------------------------------------------------------------ gradient_horizon


def gradient_horizon_oracle(W_hh, gamma, smallest, longest):
    """Return the first lag up to `longest` with (gamma ||W||_2)^lag < smallest, by logarithms, or -1."""
    factor = gamma * math.sqrt(max(np.linalg.eigvalsh(W_hh.T @ W_hh)))
    lag = math.floor(math.log(smallest) / math.log(factor)) + 1 if factor < 1 else longest + 1
    return float(lag if lag <= longest else -1)  # a float, so that 12.0 counts as 12


def _horizon_inputs(rng: Rng, factor: float, gamma: float, *, enough: bool = True) -> tuple:
    """Draw (W_hh, gamma, smallest, longest) with gamma ||W_hh||_2 = factor, not close to a whole number of lags.

    enough: whether the bound falls below `smallest` within `longest` steps, if the factor is below 1
    """
    units = int(rng.integers(4, 12))  # so that the Frobenius norm is clearly larger
    W_hh = numbers(rng, units, units)
    W_hh *= factor / gamma / np.linalg.norm(W_hh, 2)
    shrinks = min(factor, 0.9)
    lag = int(rng.uniform(2, 5) * np.log(10) / -np.log(shrinks))  # smallest: 0.01 to 0.00001
    smallest = float(shrinks ** (lag + rng.uniform(0.2, 0.8)))
    return W_hh, gamma, smallest, lag + int(rng.integers(30, 80)) if enough else max(0, lag - int(rng.integers(0, 3)))


def _horizon(W, gamma, smallest, longest, *, norm=lambda W: np.linalg.norm(W, 2), shift=0, bound=None):
    bound = bound or (lambda lag: (gamma * norm(W)) ** lag)
    lags = [lag for lag in range(longest + 1) if bound(lag) < smallest]
    return lags[0] + shift if lags else -1


def _horizon_by_trying(W_hh, gamma, smallest, longest):
    factor, bound = gamma * np.linalg.svd(W_hh, compute_uv=False)[0], 1.0
    for lag in range(longest + 1):
        if bound < smallest:
            return lag
        bound *= factor
    return -1


def _horizon_by_logarithms(W_hh, gamma, smallest, longest):
    factor = gamma * np.linalg.norm(W_hh, 2)
    if factor >= 1:
        return -1
    lag = np.ceil(np.log(smallest) / np.log(factor))
    return lag if lag <= longest else -1


gradient_horizon = Exercise(
    name="gradient_horizon",
    challenges=(
        Challenge("tanh", 1.0, lambda rng: _horizon_inputs(rng, float(rng.uniform(0.7, 0.9)), 1.0)),
        Challenge("sigmoid", 1.0, lambda rng: _horizon_inputs(rng, float(rng.uniform(0.12, 0.21)), 0.25)),
        Challenge(
            "a norm above the threshold",
            0.5,
            lambda rng: _horizon_inputs(rng, float(rng.uniform(2.0, 5.0)), 1.0),
            edge=True,
        ),
        Challenge(
            "sequences that are too short",
            0.5,
            lambda rng: _horizon_inputs(rng, float(rng.uniform(0.02, 0.6)), 0.5, enough=False),
            edge=True,
        ),
        Challenge(
            "other slopes",
            0.5,
            lambda rng: _horizon_inputs(rng, float(rng.uniform(0.4, 0.9)), float(rng.uniform(0.3, 2.0))),
            hidden=True,
        ),
    ),
    oracle=gradient_horizon_oracle,
    mistakes=(
        Mistake(
            "You use the Frobenius norm; the bound needs the largest singular value, np.linalg.norm(W_hh, 2).",
            lambda *a: _horizon(*a, norm=np.linalg.norm),
        ),
        Mistake(
            "You use the spectral radius, the largest absolute eigenvalue; the bound needs the largest singular value.",
            lambda *a: _horizon(*a, norm=lambda W: np.abs(np.linalg.eigvals(W)).max()),
        ),
        Mistake(
            "You use the largest entry; the bound needs the largest singular value.",
            lambda *a: _horizon(*a, norm=lambda W: np.abs(W).max()),
        ),
        Mistake("You leave out gamma.", lambda W, gamma, *a: _horizon(W, 1.0, *a)),
        Mistake(
            "You multiply by gamma once; it acts at every step.",
            lambda W, gamma, *a: _horizon(W, gamma, *a, bound=lambda lag: gamma * np.linalg.norm(W, 2) ** lag),
        ),
        Mistake(
            "You return the last lag at which the bound is not yet below `smallest`; return the next one.",
            lambda *a: _horizon(*a, shift=-1),
        ),
        Mistake("Your lag is one too large: return the first one below `smallest`.", lambda *a: _horizon(*a, shift=1)),
    ),
    styles=(_horizon, _horizon_by_trying, _horizon_by_logarithms),
    hints=(
        "At which lag is the bound below `smallest` for the first time? And which lags can occur at all?",
        "Try the lags 0, 1, 2, ... up to `longest` in a loop, with gradient_bound, and return the first one that is below.",
        "for lag in range(longest + 1): if gradient_bound(W_hh, gamma, lag) < smallest: return lag. After the loop: return -1.",
    ),
    promised=(
        ("gamma is never negative", "it is the largest slope of a squashing function"),
        ("smallest is never negative", "the task says so"),
        ("smallest is always between -1 and 1", "the task says so"),
    ),
)

# ----------------------------------------------------------------------------------- lyapunov_exponent


def lyapunov_exponent_oracle(hs, W_hh, v):
    """Return the mean log growth, with exponents separate from the vector, to avoid under- and overflow."""
    total, v = 0.0, v / np.sqrt(np.sum(v**2))
    for h in hs:
        v = np.array([(1 - h[i] ** 2) * sum(v[j] * W_hh[j, i] for j in range(len(v))) for i in range(len(v))])
        size = math.sqrt(math.fsum(v**2))
        total += math.log(size)
        v = v / size
    return total / len(hs)


def _lyapunov_inputs(rng: Rng, steps: int, units: int, scale: float = 1.0) -> tuple:
    hs = np.round(np.tanh(0.5 * numbers(rng, steps, units)), 2)
    return hs, numbers(rng, units, units, scale=scale), numbers(rng, units)


def _far(rng: Rng) -> tuple:
    hs, _, v = _lyapunov_inputs(rng, 130, 2)
    return 0.0 * hs, np.array([[0.001, 0.0005], [-0.0005, 0.002]]), v


def _lyapunov(hs, W, v, *, J=lambda h, W: np.diag(_slope(h)) @ W.T, log=np.log, mean=True):
    total, v = 0.0, v / np.linalg.norm(v)
    for h in hs:
        v = J(h, W) @ v
        total += log(np.linalg.norm(v))
        v = v / np.linalg.norm(v)
    return total / len(hs) if mean else total


def _never_renewed(hs, W, v):
    start = np.linalg.norm(v)
    for h in hs:
        v = _slope(h) * (v @ W)
    return np.log(np.linalg.norm(v) / start) / len(hs)


def _start_not_normed(hs, W, v):
    return _lyapunov(hs, W, v) + np.log(np.linalg.norm(v)) / len(hs)


def _lyapunov_rows(hs, W_hh, v):
    logs = []
    for h in hs:
        new = _slope(h) * (v @ W_hh)
        logs.append(np.log(np.linalg.norm(new) / np.linalg.norm(v)))
        v = new / np.linalg.norm(new)
    return np.mean(logs)


def _lyapunov_scaled(hs, W_hh, v):
    exponent, v = 0.0, v / np.linalg.norm(v)
    for h in hs:
        v = _slope(h) * (W_hh.T @ v)
        top = np.abs(v).max()
        exponent, v = exponent + np.log(top), v / top
    return (exponent + np.log(np.linalg.norm(v))) / len(hs)


def _running_logarithm(hs, W, v):
    total, v = 0.0, v / np.linalg.norm(v)
    for h in hs:
        v = _slope(h) * (v @ W)
        total += np.log(np.linalg.norm(v))
    return total / len(hs)


lyapunov_exponent = Exercise(
    name="lyapunov_exponent",
    challenges=(
        Challenge("one step", 0.5, lambda rng: _lyapunov_inputs(rng, 1, 3)),
        Challenge("a few steps", 1.0, lambda rng: _lyapunov_inputs(rng, 5, 3)),
        Challenge("a product that underflows", 1.0, _far),
        Challenge("many steps", 1.0, lambda rng: _lyapunov_inputs(rng, 60, 4), hidden=True),
    ),
    oracle=lyapunov_exponent_oracle,
    tolerance=Tolerance(1e-6, "1e-9 added to a length of 0.001, before dividing by it, is harmless"),
    mistakes=(
        Mistake(
            "You never bring the vector back to length 1, so it underflows over many steps.",
            _never_renewed,
        ),
        Mistake(
            "You return the sum of the logarithms; it should be their mean over the steps.",
            lambda *a: _lyapunov(*a, mean=False),
        ),
        Mistake(
            "You use the logarithm to base 2; here it should be the natural logarithm.",
            lambda *a: _lyapunov(*a, log=np.log2),
        ),
        Mistake("You do not transpose W_hh.", lambda *a: _lyapunov(*a, J=lambda h, W: np.diag(_slope(h)) @ W)),
        Mistake("You leave out the slopes of tanh.", lambda *a: _lyapunov(*a, J=lambda h, W: W.T)),
        Mistake(
            "You do not bring the start vector to length 1, so its own length counts as growth.", _start_not_normed
        ),
        Mistake(
            "You take the logarithm of the mean growth factor; it should be the mean of the logarithms.",
            lambda *a: np.log(_lyapunov(*a, log=lambda x: x)),
        ),
        Mistake(
            "You add the logarithm of the whole length at every step, but never bring v back to length 1.",
            _running_logarithm,
        ),
        Mistake(
            "The logarithm has base 10; here it should be the natural logarithm.",
            lambda *a: _lyapunov(*a, log=np.log10),
        ),
        Mistake(
            "You multiply by the transposed Jacobian; forwards it is jacobian(h, W_hh) @ v.",
            lambda *a: _lyapunov(*a, J=lambda h, W: (np.diag(_slope(h)) @ W.T).T),
        ),
        Mistake("You go through the steps backwards.", lambda hs, W, v: _lyapunov(hs[::-1], W, v)),
        Mistake("You leave out the logarithm.", lambda *a: _lyapunov(*a, log=lambda x: x)),
        Mistake(
            "You average the spectral norms of the single Jacobians; follow one vector through their product.",
            lambda hs, W, v: np.mean([np.log(np.linalg.norm(np.diag(_slope(h)) @ W.T, 2)) for h in hs]),
        ),
    ),
    styles=(_lyapunov, _lyapunov_rows, _lyapunov_scaled),
    hints=(
        "After 1000 steps a product may be 1e-500, which float64 cannot represent. Which number can you keep instead?",
        "Take a vector of length 1. At each step apply the Jacobian, note the log of its new length, and bring it back to length 1.",
        "total += np.log(np.linalg.norm(v)); v = v / np.linalg.norm(v), with v = jacobian(h, W_hh) @ v before. Return total / steps.",
    ),
    promised=(("hs is always between -1 and 1", "hs is a tanh"),),
)

# ------------------------------------------------------------------------------------ counter-examples


def _nothing(rng: Rng) -> tuple:
    return ()


def _matrix(*rows):
    return lambda: np.array(rows, dtype=float)


vanishes_despite_large_norm = Exercise(
    name="vanishes_despite_large_norm",
    challenges=(Challenge("norm and powers", 2.0, _nothing),),
    oracle=_matrix([0.5, 10.0], [0.0, 0.5]),
    mistakes=(
        Mistake("Your matrix vanishes, but its norm is below 2.", _matrix([0.5, 0.0], [0.0, 0.5])),
        Mistake(
            "Your powers do not vanish: an eigenvalue is 1 or more in absolute value.", _matrix([2.0, 0.0], [0.0, 0.5])
        ),
        Mistake(
            "Your powers fade, but too slowly: make the spectral radius smaller.", _matrix([0.95, 5.0], [0.0, 0.95])
        ),
        Mistake(
            "Your Frobenius norm is at least 2, but the spectral norm is not, and the powers do not vanish.",
            lambda: 1.5 * np.eye(4),
        ),
        Mistake("Your norm is below 2, and the powers do not vanish.", _matrix([0.0, 1.0], [-1.0, 0.0])),
    ),
    styles=(
        _matrix([0.0, 3.0], [0.0, 0.0]),
        lambda: 2 * np.eye(5, k=1),
        lambda: np.array([[0.1, 0.0, 50.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3]]),
    ),
    hints=(
        "Which number decides how W^50 behaves: the largest singular value or the largest eigenvalue?",
        "The eigenvalues of a triangular matrix are its diagonal entries. The entries beside the diagonal change only the norm.",
        "Two by two: small numbers on the diagonal, one large number above it.",
    ),
    probe="vanishing",
    unchanged=0.0,
)

grows_despite_small_radius = Exercise(
    name="grows_despite_small_radius",
    challenges=(Challenge("radius and square", 2.0, _nothing),),
    oracle=_matrix([0.5, 10.0], [0.0, 0.5]),
    mistakes=(
        Mistake(
            "Your matrix grows because an eigenvalue is 1 or more in absolute value; the radius must be at most 0.9.",
            _matrix([4.0, 0.0], [0.0, 0.5]),
        ),
        Mistake(
            "Your spectral radius is at most 0.9, but two steps in a row do not reach 10.",
            _matrix([0.5, 0.0], [0.0, 0.5]),
        ),
        Mistake(
            "Your matrix stretches a vector by 3 or more in one step, but two steps in a row do not reach 10.",
            _matrix([0.5, 5.0], [0.0, 0.5]),
        ),
        Mistake("Your spectral radius is below 1 but above 0.9.", _matrix([0.95, 20.0], [0.0, 0.95])),
        Mistake(
            "Your spectral radius is 1 or more, and two steps in a row do not reach 10.",
            _matrix([1.0, 0.0], [0.0, 1.0]),
        ),
    ),
    styles=(
        _matrix([0.9, 6.0], [0.0, 0.9]),
        lambda: 4 * np.eye(3, k=1),
        lambda: np.array([[0.0, 1.0, 0.0], [0.0, 0.5, 30.0], [0.0, 0.0, 0.5]]),
    ),
    hints=(
        "Eigenvalues determine what happens in the long run. What can happen before?",
        "Again a triangular matrix. Work out the entry above the diagonal of W @ W for rows (a, b) and (0, a).",
        "It is 2 a b. With a = 0.5, which b makes it 10?",
    ),
    probe="growing",
    unchanged=0.0,
)

EXERCISES = [
    jacobian,
    jacobian_product,
    gradient_horizon,
    lyapunov_exponent,
    vanishes_despite_large_norm,
    grows_despite_small_radius,
]
