"""Lesson 06: Jacobians and their products, the bound, the Lyapunov exponent, two counter-examples to build.

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


jacobian_product = Exercise(
    name="jacobian_product",
    challenges=(
        Challenge("one step", 1.0, lambda rng: _walk_and_matrix(rng, 4, 3, 2, 3)),
        Challenge("three steps", 1.0, lambda rng: _walk_and_matrix(rng, 6, 3, 2, 5)),
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

# -------------------------------------------------------------------------------------- gradient_bound


def gradient_bound_oracle(W_hh, gamma, lag):
    """Return (gamma ||W||_2)^lag; the norm is the square root of the largest eigenvalue of W^T W."""
    norm = math.sqrt(max(np.linalg.eigvalsh(W_hh.T @ W_hh)))
    return math.prod([gamma * norm] * lag)


def _bound_inputs(rng: Rng, lag: int, gamma: float, units: int = 3) -> tuple:
    return numbers(rng, units, units, scale=0.7), gamma, lag


def _norm2(W):
    return np.linalg.norm(W, 2)


gradient_bound = Exercise(
    name="gradient_bound",
    challenges=(
        Challenge("one step, tanh", 0.5, lambda rng: _bound_inputs(rng, 1, 1.0)),
        Challenge("five steps, tanh", 1.0, lambda rng: _bound_inputs(rng, 5, 1.0)),
        Challenge("four steps, logistic", 0.5, lambda rng: _bound_inputs(rng, 4, 0.25)),
        Challenge("other numbers", 0.5, lambda rng: _bound_inputs(rng, 7, 0.6, int(rng.integers(2, 7))), hidden=True),
    ),
    oracle=gradient_bound_oracle,
    mistakes=(
        Mistake(
            "You use the Frobenius norm; the bound needs the largest singular value, np.linalg.norm(W_hh, 2).",
            lambda W, g, k: (g * np.linalg.norm(W)) ** k,
        ),
        Mistake(
            "You use the spectral radius, the largest absolute eigenvalue; the bound needs the largest singular value.",
            lambda W, g, k: (g * np.abs(np.linalg.eigvals(W)).max()) ** k,
        ),
        Mistake(
            "You use the largest entry; the bound needs the largest singular value.",
            lambda W, g, k: (g * np.abs(W).max()) ** k,
        ),
        Mistake("You multiply by gamma once; it acts at every step.", lambda W, g, k: g * _norm2(W) ** k),
        Mistake("You leave out gamma.", lambda W, g, k: _norm2(W) ** k),
        Mistake("You multiply by the lag; it should be the exponent.", lambda W, g, k: g * _norm2(W) * k),
        Mistake("You have one factor too many: the exponent is lag.", lambda W, g, k: (g * _norm2(W)) ** (k + 1)),
        Mistake(
            "You take the norm of the power; the bound is the power of the norm.",
            lambda W, g, k: g**k * _norm2(np.linalg.matrix_power(W, k)),
        ),
    ),
    styles=(
        lambda W_hh, gamma, lag: (gamma * np.linalg.norm(W_hh, 2)) ** lag,
        lambda W_hh, gamma, lag: gamma**lag * np.linalg.svd(W_hh, compute_uv=False)[0] ** lag,
        lambda W_hh, gamma, lag: float(np.exp(lag * np.log(gamma * np.linalg.svd(W_hh)[1].max()))),
    ),
    hints=(
        "By how much can one factor D W stretch a vector at most? First W, then D.",
        "W by its largest singular value, np.linalg.norm(W, 2); D by the largest slope, gamma. That happens at each of lag steps.",
        "(gamma * np.linalg.norm(W_hh, 2)) ** lag",
    ),
    promised=(
        ("gamma is never negative", "it is the largest slope of a squashing function"),
        ("gamma is always between -1 and 1", "it is the largest slope of a squashing function"),
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
    gradient_bound,
    lyapunov_exponent,
    vanishes_despite_large_norm,
    grows_despite_small_radius,
]
