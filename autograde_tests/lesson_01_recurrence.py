"""Lesson 01: one step, a whole sequence, networks with chosen weights, the count of parameters, and the class.

The oracles sum one number at a time, so that they share no matrix product with the answers.
"""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Claims, ClaimsExercise, Exercise, Mistake
from autograde_tests.loops import REST_IS_ZERO, TOO_FEW, cut, with_zeros
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers.checks.claims import COUNTS_ONES, DELAYS_BY_TWO, KEEPS_COUNT, OFF_BEFORE_FIRST_1, ON_FROM_FIRST_1
from rnn_helpers.checks.findings import (
    COUNTER_DRIFTS,
    COUNTER_FLATTENS,
    COUNTER_LATCHES,
    COUNTER_LEAKS,
    COUNTER_REPEATS,
    COUNTER_TOGGLES,
    DELAY_SATURATES,
    DELAY_ZERO,
    LATCH_ALWAYS_ON,
    LATCH_FORGETS,
    LATCH_NEVER_ON,
    LATCH_REPEATS,
    LATCH_TOGGLES,
    SCALED_COUNT,
    SCALED_DELAY,
    WRONG_DELAY,
)
from rnn_helpers.checks.fixtures import relu


def _affine(x, W, b):
    """Return x W + b for x (rows, in), W (in, out), b (out,), one product at a time."""
    rows, outs = len(x), W.shape[1]
    sums = [[sum(x[r, i] * W[i, j] for i in range(len(W))) + b[j] for j in range(outs)] for r in range(rows)]
    return np.array(sums, dtype=float).reshape(rows, outs)


# ------------------------------------------------------------------------------------------- rnn_step


def rnn_step_oracle(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    """Return h_t as an explicit sum over features and units."""
    total = _affine(x_t, W_xh, b_h) + _affine(h_prev, W_hh, np.zeros(len(W_hh)))
    return np.array([[float(activation(np.float64(value))) for value in row] for row in total])


def step_inputs(rng: Rng, batch: int, features: int, units: int, *, on: str = "xhb") -> tuple:
    """Draw (x_t, h_prev, W_xh, W_hh, b_h); the terms not named in `on` are zero."""
    x_t = numbers(rng, batch, features) * ("x" in on)
    h_prev = numbers(rng, batch, units, scale=0.5) * ("h" in on)
    b_h = numbers(rng, units) * ("b" in on)
    return x_t, h_prev, numbers(rng, features, units, scale=0.5), numbers(rng, units, units, scale=0.5), b_h


def _with_einsum(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(np.einsum("bd,dh->bh", x_t, W_xh) + np.einsum("bg,gh->bh", h_prev, W_hh) + b_h)


def _with_loops_over_units(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    h_t = np.empty((len(x_t), len(b_h)))
    for row in range(len(x_t)):
        for unit in range(len(b_h)):
            h_t[row, unit] = activation(x_t[row] @ W_xh[:, unit] + h_prev[row] @ W_hh[:, unit] + b_h[unit])
    return h_t


def _into_own_buffer(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    a_t = np.matmul(x_t, W_xh)
    a_t += h_prev @ W_hh
    a_t += b_h
    return activation(a_t)


def _with_joined_weights(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    return activation(np.hstack([x_t, h_prev]) @ np.vstack([W_xh, W_hh]) + b_h)


def _writes_over_h_prev(x, h, U, W, b, f=np.tanh):
    h[:] = f(x @ U + h @ W + b)
    return h


rnn_step = Exercise(
    name="rnn_step",
    challenges=(
        Challenge("the input alone", 0.5, lambda rng: step_inputs(rng, *sizes(rng, 3), on="x")),
        Challenge("the previous state alone", 0.5, lambda rng: step_inputs(rng, *sizes(rng, 3), on="h")),
        Challenge("the bias alone", 0.5, lambda rng: step_inputs(rng, *sizes(rng, 3), on="b")),
        Challenge("all terms together", 0.5, lambda rng: step_inputs(rng, *sizes(rng, 3))),
        Challenge("ReLU as the activation", 0.25, lambda rng: (*step_inputs(rng, *sizes(rng, 3)), relu)),
        Challenge("one sequence, as many features as units", 0.25, lambda rng: step_inputs(rng, 1, 4, 4)),
        Challenge("as many features as units", 0.25, lambda rng: step_inputs(rng, 3, 4, 4), hidden=True),
    ),
    oracle=rnn_step_oracle,
    mistakes=(
        Mistake("You leave out the bias b_h.", lambda x, h, U, W, b, f=np.tanh: f(x @ U + h @ W)),
        Mistake("You use W_hh transposed.", lambda x, h, U, W, b, f=np.tanh: f(x @ U + h @ W.T + b)),
        Mistake("You leave out the activation.", lambda x, h, U, W, b, f=np.tanh: x @ U + h @ W + b),
        Mistake(
            "You apply the activation to h_prev @ W_hh alone; it should be applied to the whole sum.",
            lambda x, h, U, W, b, f=np.tanh: x @ U + f(h @ W) + b,
        ),
        Mistake(
            "You add the bias after the activation; it belongs inside.",
            lambda x, h, U, W, b, f=np.tanh: f(x @ U + h @ W) + b,
        ),
        Mistake("You ignore h_prev.", lambda x, h, U, W, b, f=np.tanh: f(x @ U + b)),
        Mistake(
            "You always use tanh; the function should use the `activation` that it is given.",
            lambda x, h, U, W, b, f=np.tanh: np.tanh(x @ U + h @ W + b),
        ),
        Mistake("You write the new state into h_prev, which belongs to the caller.", _writes_over_h_prev),
        Mistake(
            "You apply the activation to x_t @ W_xh alone; it should be applied to the whole sum.",
            lambda x, h, U, W, b, f=np.tanh: f(x @ U) + h @ W + b,
        ),
        Mistake(
            "You apply the activation to each term; it should be applied once, to their sum.",
            lambda x, h, U, W, b, f=np.tanh: f(x @ U) + f(h @ W) + f(b),
        ),
    ),
    styles=(_with_einsum, _with_loops_over_units, _into_own_buffer, _with_joined_weights),
    hints=(
        "Count the terms inside the activation in the equation. Now count yours: which one is missing or extra?",
        "A bias belongs to a unit, not to a sequence: NumPy adds a (units,) row to each row of a batch.",
        "Multiply x_t by W_xh with @, add h_prev @ W_hh, add b_h, and pass the whole sum to activation(...).",
    ),
    not_allowed=FROM_SCRATCH,
    unchanged=0.25,
)

# ---------------------------------------------------------------------------------------- rnn_forward


def rnn_forward_oracle(xs, h_0, W_xh, W_hh, b_h):
    """Return hs, one sequence and one step at a time."""
    hs = np.empty((*xs.shape[:2], len(b_h)))
    for row in range(len(xs)):
        h = h_0[row : row + 1]
        for t in range(xs.shape[1]):
            h = rnn_step_oracle(xs[row : row + 1, t], h, W_xh, W_hh, b_h)
            hs[row, t] = h[0]
    return hs


def forward_inputs(rng: Rng, batch: int, steps: int, features: int, units: int, *, zero_start: bool = False) -> tuple:
    """Draw (xs, h_0, W_xh, W_hh, b_h)."""
    _, h_0, W_xh, W_hh, b_h = step_inputs(rng, batch, features, units)
    return numbers(rng, batch, steps, features), h_0 * (not zero_start), W_xh, W_hh, b_h


def _loop(xs, h, U, W, b, *, carry=True):
    states, h_0 = [], h
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ U + (h if carry else h_0) @ W + b)
        states.append(h)
    return np.stack(states, axis=1)


def _preallocated(xs, h_0, W_xh, W_hh, b_h):
    hs, h = np.zeros((xs.shape[0], xs.shape[1], b_h.size)), h_0
    for t in range(xs.shape[1]):
        h = hs[:, t, :] = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
    return hs


def _inputs_first(xs, h_0, W_xh, W_hh, b_h):
    driven, states, h = xs @ W_xh + b_h, [], h_0.copy()
    for t in range(xs.shape[1]):
        h = np.tanh(driven[:, t] + h @ W_hh)
        states.append(h)
    return np.array(states).transpose(1, 0, 2)


def _one_sequence_at_a_time(xs, h_0, W_xh, W_hh, b_h):
    return np.array([_loop(xs[i : i + 1], h_0[i : i + 1], W_xh, W_hh, b_h)[0] for i in range(len(xs))])


rnn_forward = Exercise(
    name="rnn_forward",
    challenges=(
        Challenge("three steps from a zero state", 1.0, lambda rng: forward_inputs(rng, 2, 3, 4, 5, zero_start=True)),
        Challenge("a non-zero start", 1.0, lambda rng: forward_inputs(rng, *sizes(rng, 4))),
        Challenge("a sequence of one step", 0.5, lambda rng: forward_inputs(rng, 2, 1, 3, 4)),
        Challenge("a long sequence", 1.0, lambda rng: forward_inputs(rng, 3, 20, 2, 4), hidden=True),
        Challenge(
            "one sequence, as many features as units", 1.0, lambda rng: forward_inputs(rng, 1, 5, 3, 3), hidden=True
        ),
    ),
    oracle=rnn_forward_oracle,
    mistakes=(
        Mistake(
            "The state is not carried over: every step starts from h_0.",
            lambda xs, h, U, W, b: _loop(xs, h, U, W, b, carry=False),
        ),
        Mistake(TOO_FEW, lambda xs, h, U, W, b: _loop(cut(xs), h, U, W, b)),
        Mistake(REST_IS_ZERO, lambda xs, h, U, W, b: with_zeros(_loop(cut(xs), h, U, W, b), xs.shape[1])),
        Mistake("You ignore h_0: your state starts at zero.", lambda xs, h, U, W, b: _loop(xs, 0 * h, U, W, b)),
        Mistake(
            "You read the sequence backwards, from its last step to its first.",
            lambda xs, h, U, W, b: _loop(xs[:, ::-1], h, U, W, b),
        ),
        Mistake(
            "Your result has the steps first, (steps, batch, units); the batch should come first.",
            lambda xs, h, U, W, b: _loop(xs, h, U, W, b).transpose(1, 0, 2),
        ),
        Mistake(
            "You return only the last state; the result needs one state for each step.",
            lambda xs, h, U, W, b: _loop(xs, h, U, W, b)[:, -1],
        ),
        Mistake(
            "All your states equal the last one. Do you store the same array at every step and overwrite it?",
            lambda xs, h, U, W, b: np.repeat(_loop(xs, h, U, W, b)[:, -1:], xs.shape[1], axis=1),
        ),
        Mistake(
            "You return only the first state. Is your `return` inside the loop?",
            lambda xs, h, U, W, b: _loop(xs[:, :1], h, U, W, b),
        ),
        Mistake(
            "You store each state before its step is taken, so h_0 comes first and the last state is missing.",
            lambda xs, h, U, W, b: np.concatenate([h[:, None], _loop(xs, h, U, W, b)[:, :-1]], axis=1),
        ),
        Mistake(
            "Your result begins with h_0, so it has one state too many.",
            lambda xs, h, U, W, b: np.concatenate([h[:, None], _loop(xs, h, U, W, b)], axis=1),
        ),
        Mistake("You use W_hh transposed.", lambda xs, h, U, W, b: _loop(xs, h, U, W.T, b)),
        Mistake("You leave out the bias b_h.", lambda xs, h, U, W, b: _loop(xs, h, U, W, 0 * b)),
        Mistake(
            "You read the previous input, xs[:, t - 1]; step t reads xs[:, t].",
            lambda xs, h, U, W, b: _loop(np.roll(xs, 1, axis=1), h, U, W, b),
        ),
        Mistake(
            "You store h_0 as the first state and skip the first input.",
            lambda xs, h, U, W, b: (
                np.concatenate([h[:, None], _loop(xs[:, 1:], h, U, W, b)], axis=1) if xs.shape[1] > 1 else h[:, None]
            ),
        ),
        Mistake(
            "You reshape the list of states, which mixes sequences and steps; stack it along axis 1.",
            lambda xs, h, U, W, b: _loop(xs, h, U, W, b).swapaxes(0, 1).reshape(*xs.shape[:2], -1),
        ),
    ),
    styles=(_preallocated, _inputs_first, _one_sequence_at_a_time),
    hints=(
        "Look at the three written-out steps: which two arguments of rnn_step change from line to line?",
        "It is the leaky memory again: a state that lives outside the loop. The loop runs over the second axis of xs.",
        "Start with h = h_0. For t in range(steps): h = rnn_step(xs[:, t], h, ...), append it to a list. "
        "At the end np.stack(list, axis=1).",
    ),
    not_allowed=FROM_SCRATCH,
)

# -------------------------------------------------------------------------------------------- readout


def readout_oracle(hs, W_hy, b_y):
    """Return logits (batch, steps, classes), one product at a time."""
    return np.stack([_affine(row, W_hy, b_y) for row in hs])


# ---------------------------------------------------------------------- delay_line, latch and counter


def _network(W_xh, W_hh, W_hy, b_h=None, b_y=0.0):
    """Return a function without arguments that returns these weights as arrays."""
    inner = np.atleast_2d(np.array(W_hh, dtype=float))
    bias = np.zeros(len(inner)) if b_h is None else np.array(b_h, dtype=float)
    arrays = (np.reshape(W_xh, (1, -1)), inner, bias, np.reshape(W_hy, (-1, 1)), np.array([b_y]))
    return lambda: tuple(np.array(array, dtype=float) for array in arrays)


def _chain(units, small=0.01):
    """Return a delay line whose last unit is read out."""
    return _network(small * np.eye(units)[0], np.eye(units, k=1), np.eye(units)[-1] / small)


def _seed(rng: Rng) -> tuple:
    return (int(rng.integers(1 << 30)),)


delay_line = ClaimsExercise(
    name="delay_line",
    challenges=(Claims("the input of two steps before", 2.0, (DELAYS_BY_TWO,)),),
    draw=_seed,
    oracle=_chain(3),
    threshold="0.05: a chain of units with W_xh = 0.1 is off by 0.01, one with W_xh = 0.5 by 0.2",
    mistakes=(
        Mistake(WRONG_DELAY.format(actual="at once"), _chain(1)),
        Mistake(WRONG_DELAY.format(actual="one step later"), _chain(2)),
        Mistake(WRONG_DELAY.format(actual="3 steps later"), _chain(4)),
        Mistake(DELAY_ZERO, _network([0.01, 0, 0], np.eye(3, k=-1), [0, 0, 100])),
        Mistake(DELAY_SATURATES, _chain(3, small=1.0)),
        Mistake(SCALED_DELAY.format(factor="0.01"), _network([0.01, 0, 0], np.eye(3, k=1), [0, 0, 1])),
        Mistake(SCALED_DELAY.format(factor="-1"), _network([0.01, 0, 0], np.eye(3, k=1), [0, 0, -100])),
    ),
    styles=(
        _chain(3, small=0.1),
        lambda: [array.tolist() for array in _chain(3)()],
        _network([0, 0, 0.02], np.eye(3, k=-1), [50, 0, 0]),
        _network([0.01, 0, 0], 0.5 * np.eye(3, k=1), [0, 0, 400]),
    ),
    hints=(
        "In picture C the pulse moves on by one unit at each step. Which unit holds the input of two steps before?",
        "Three units in a row, unit 1 to unit 2 to unit 3. Keep the numbers in them small, so that tanh changes nothing.",
        "W_xh puts 0.01 times the input into unit 1, W_hh has a 1 at (1, 2) and at (2, 3), W_hy reads 100 times unit 3.",
    ),
    probe="delay_line",
)

latch = ClaimsExercise(
    name="latch",
    challenges=(Claims("off before the first 1, and on from there", 2.0, (OFF_BEFORE_FIRST_1, ON_FROM_FIRST_1)),),
    draw=_seed,
    oracle=_network([3.0], [[2.0]], [1.0]),
    threshold="0.5: the unit settles at 0.958; a decaying one falls below 0.5 within the 130 steps that follow",
    mistakes=(
        Mistake(LATCH_ALWAYS_ON, _network([3.0], [[2.0]], [1.0], b_h=[1.0])),
        Mistake(LATCH_NEVER_ON, _network([3.0], [[2.0]], [0.1])),
        Mistake(LATCH_REPEATS, _network([3.0], [[0.0]], [1.0])),
        Mistake(LATCH_TOGGLES, _network([8, 8], [[4, 4], [-4, -4]], [0.5, -0.5], b_h=[-4, -12])),
        Mistake(LATCH_FORGETS.format(steps=3), _network([3.0], [[0.9]], [1.0])),
        Mistake(LATCH_FORGETS.format(steps=5), _network([3.0], [[1.0]], [1.0])),
    ),
    styles=(
        _network([9.0], [[5.0]], [0.5], b_h=[-2.0], b_y=0.5),
        _network([0.001], [[1.0]], [900.0]),
        _network([2, 2], 3 * np.eye(2), [0.5, 0.5]),
        lambda: [array.tolist() for array in _network([3.0], [[2.0]], [1.0])()],
    ),
    hints=(
        "What should the state do when a 0 arrives: before the first 1, and after it?",
        "A unit that feeds itself strongly enough stays up: h = tanh(2 h) has the solution h = 0.958, besides 0.",
        "One unit: W_hh = 2, W_xh = 3, no biases, and read the state itself.",
    ),
    probe="latch",
)

counter = ClaimsExercise(
    name="counter",
    challenges=(Claims("the number of ones so far", 2.0, (COUNTS_ONES, KEEPS_COUNT)),),
    draw=_seed,
    oracle=_network([1e-4], [[1.0]], [1e4]),
    threshold="0.4: with W_xh = 0.001 a count of 20 is off by 0.2 after 60 steps, with 0.01 by 9",
    mistakes=(
        Mistake(COUNTER_REPEATS, _network([1e-4], [[0.0]], [1e4])),
        Mistake(COUNTER_LATCHES, _network([3.0], [[2.0]], [1.0])),
        Mistake(COUNTER_TOGGLES, _network([8, 8], [[4, 4], [-4, -4]], [0.5, -0.5], b_h=[-4, -12])),
        Mistake(SCALED_COUNT.format(factor="0.0001"), _network([1e-4], [[1.0]], [1.0])),
        Mistake(COUNTER_FLATTENS.format(count=4), _network([0.1], [[1.0]], [10.0])),
        Mistake(COUNTER_DRIFTS, _network([3e-3], [[1.0]], [1 / 3e-3])),
        Mistake(COUNTER_LEAKS, _network([1e-4], [[0.99]], [1e4])),
    ),
    styles=(
        _network([1e-3], [[1.0]], [1e3]),
        _network([1e-4, 1e-4], np.eye(2), [5e3, 5e3]),
        lambda: [array.tolist() for array in _network([1e-4], [[1.0]], [1e4])()],
    ),
    hints=(
        "With which decay does a leaky bucket never leak? What does tanh do to a bucket with twenty drops in it?",
        "Keep the state far below 1, where tanh(a) is almost a, and let the readout bring it back to size.",
        "One unit: W_xh = 0.0001, W_hh = 1, W_hy = 10000.",
    ),
    probe="counter",
)

# ----------------------------------------------------------------------------------- count_parameters


def count_parameters_oracle(features, units, classes):
    """Count the entries of arrays of the right shapes."""
    shapes = [(features, units), (units, units), (units,), (units, classes), (classes,)]
    return sum(math.prod(shape) for shape in shapes)


count_parameters = Exercise(
    name="count_parameters",
    challenges=(
        Challenge("the recurrence alone", 0.5, lambda rng: (3, 4, 0), fresh=lambda rng: (*sizes(rng, 2, 2, 30), 0)),
        Challenge("a few classes", 0.5, lambda rng: (3, 4, 2), fresh=lambda rng: tuple(sizes(rng, 3, 2, 9))),
        Challenge(
            "one feature and one class", 0.5, lambda rng: (1, 32, 1), fresh=lambda rng: (1, int(rng.integers(2, 60)), 1)
        ),
        Challenge("any other sizes", 0.5, lambda rng: tuple(sizes(rng, 3, 2, 60)), hidden=True),
    ),
    oracle=count_parameters_oracle,
    mistakes=(
        Mistake("You leave out the biases b_h and b_y.", lambda d, h, c: d * h + h * h + h * c),
        Mistake("You leave out W_hh.", lambda d, h, c: d * h + h + h * c + c),
        Mistake(
            "You count W_hh as one number per unit; it connects every unit with every unit, so it has units * units numbers.",
            lambda d, h, c: d * h + h + h + h * c + c,
        ),
        Mistake("You leave out the readout, W_hy and b_y.", lambda d, h, c: d * h + h * h + h),
        Mistake("You leave out the output bias b_y.", lambda d, h, c: d * h + h * h + h + h * c),
        Mistake("You leave out the hidden bias b_h.", lambda d, h, c: d * h + h * h + h * c + c),
        Mistake(
            "You count two hidden biases, as PyTorch has them; our equation has one.",
            lambda d, h, c: d * h + h * h + 2 * h + h * c + c,
        ),
        Mistake(
            "You give W_hh features * units numbers; it connects units with units, units * units.",
            lambda d, h, c: 2 * d * h + h + h * c + c,
        ),
        Mistake(
            "You give b_h one number per feature; it has one per unit.", lambda d, h, c: d * h + h * h + d + h * c + c
        ),
        Mistake(
            "You give b_y one number per unit; it has one per class.", lambda d, h, c: d * h + h * h + h + h * c + h
        ),
        Mistake(
            "You give W_hy features * classes numbers; it has units * classes.",
            lambda d, h, c: d * h + h * h + h + d * c + c,
        ),
        Mistake("You swap features and units.", lambda d, h, c: d * h + d * d + d + d * c + c),
    ),
    styles=(
        lambda features, units, classes: (features + units + 1) * units + (units + 1) * classes,
        lambda features, units, classes: np.int64(units) * (features + units + 1 + classes) + classes,
        lambda features, units, classes: sum(
            np.empty(s).size for s in [(features, units), (units, units), units, (units, classes), classes]
        ),
    ),
    hints=(
        "How many arrays of weights does the network have? Count them in the equations: three in one, two in the other.",
        "An array of shape (a, b) holds a * b numbers; a bias of shape (a,) holds a. All steps share the weights.",
        "W_xh holds features * units numbers. Write the same for the other four arrays, and add all five.",
    ),
    unchanged=0.0,
)

# ------------------------------------------------------------------------------------------ SimpleRNN


class _Network:
    """Sizes and weights, common to the oracle, the mistakes and the variants of SimpleRNN."""

    def __init__(self, features, units, classes, rng, scale=0.01):
        self.W_xh = scale * rng.normal(size=(features, units))
        self.W_hh = scale * rng.normal(size=(units, units))
        self.W_hy = scale * rng.normal(size=(units, classes))
        self.b_h, self.b_y = np.zeros(units), np.zeros(classes)

    def step(self, x_t, h_prev):
        h_t = np.tanh(x_t @ self.W_xh + h_prev @ self.W_hh + self.b_h)
        return h_t, h_t @ self.W_hy + self.b_y

    def forward(self, xs, h_0=None):
        h = np.zeros((len(xs), len(self.b_h))) if h_0 is None else h_0
        hs, ys = [], []
        for t in range(xs.shape[1]):
            h, y = self.step(xs[:, t], h)
            hs.append(h)
            ys.append(y)
        return np.stack(hs, axis=1), np.stack(ys, axis=1)


class SimpleRNNOracle(_Network):
    """The network composed of the other oracles of this module, one number at a time."""

    def step(self, x_t, h_prev):
        h_t = rnn_step_oracle(x_t, h_prev, self.W_xh, self.W_hh, self.b_h)
        return h_t, _affine(h_t, self.W_hy, self.b_y)

    def forward(self, xs, h_0=None):
        start = np.zeros((len(xs), len(self.b_h))) if h_0 is None else h_0
        hs = rnn_forward_oracle(xs, start, self.W_xh, self.W_hh, self.b_h)
        return hs, readout_oracle(hs, self.W_hy, self.b_y)


class _IgnoresStart(_Network):
    def forward(self, xs, h_0=None):
        return super().forward(xs)


class _KeepsStateBetweenCalls(_Network):
    last = None

    def forward(self, xs, h_0=None):
        hs, ys = super().forward(xs, self.last if h_0 is None and self.last is not None else h_0)
        self.last = hs[:, -1]
        return hs, ys


class _ReadsStateBeforeStep(_Network):
    def step(self, x_t, h_prev):
        return super().step(x_t, h_prev)[0], h_prev @ self.W_hy + self.b_y


class _SqueezesOutputs(_Network):
    def step(self, x_t, h_prev):
        h_t, y_t = super().step(x_t, h_prev)
        return h_t, np.tanh(y_t)


class _LosesOutputBias(_Network):
    def step(self, x_t, h_prev):
        h_t, y_t = super().step(x_t, h_prev)
        return h_t, y_t - self.b_y


class _NeverCarries(_Network):
    def forward(self, xs, h_0=None):
        each = [super(_NeverCarries, self).forward(xs[:, t : t + 1], h_0) for t in range(xs.shape[1])]
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*each, strict=True))


class _CountsSequences(_Network):
    def forward(self, xs, h_0=None):
        return super().forward(cut(xs), h_0)


class _LeavesZeros(_Network):
    def forward(self, xs, h_0=None):
        return tuple(with_zeros(part, xs.shape[1]) for part in super().forward(cut(xs), h_0))


class _SwapsResults(_Network):
    def step(self, x_t, h_prev):
        return super().step(x_t, h_prev)[::-1]

    def forward(self, xs, h_0=None):
        h = np.zeros((len(xs), len(self.b_h))) if h_0 is None else h_0
        hs = rnn_forward_oracle(xs, h, self.W_xh, self.W_hh, self.b_h)
        return hs @ self.W_hy + self.b_y, hs


class _Vectorised(_Network):
    def forward(self, xs, h_0=None):
        h = np.zeros((len(xs), len(self.b_h))) if h_0 is None else h_0
        hs = _inputs_first(xs, h, self.W_xh, self.W_hh, self.b_h)
        return hs, hs @ self.W_hy + self.b_y


class _ReturnsLists(_Network):
    def step(self, x_t, h_prev):
        return list(super().step(x_t, h_prev))

    def forward(self, xs, h_0=None):
        return list(super().forward(xs, h_0))


class _SmallMethods(_Network):
    def cell(self, x_t, h_prev):
        return np.tanh(x_t @ self.W_xh + h_prev @ self.W_hh + self.b_h)

    def step(self, x_t, h_prev):
        h_t = self.cell(x_t, h_prev)
        return h_t, self.b_y + h_t @ self.W_hy


def _network_inputs(rng: Rng, calls: str, *, start: bool = False, many: bool = False) -> tuple:
    """Draw (sizes, weights, calls) for the probe use_network. calls: "step" or "forward", several joined by "+".

    many: more sequences than steps; otherwise more steps, so that a loop over the wrong axis gives numbers and no error
    """
    batch, steps, features, units, classes = sizes(rng, 5)
    batch, steps = sorted((batch, steps), reverse=many)
    _, h, W_xh, W_hh, b_h = step_inputs(rng, batch, features, units)
    W_hy, b_y = numbers(rng, units, classes), numbers(rng, classes)
    weights = {"W_xh": W_xh, "W_hh": W_hh, "b_h": b_h, "W_hy": W_hy, "b_y": b_y}
    plan: dict[str, tuple] = {}
    for name in calls.split("+"):
        xs = numbers(rng, batch, steps, features)
        label = f"{name}, second call" if name in plan else name
        plan[label] = ("step", xs[:, 0], h) if name == "step" else ("forward", xs, h) if start else ("forward", xs)
    return (features, units, classes), weights, plan


SimpleRNN = Exercise(
    name="SimpleRNN",
    challenges=(
        Challenge("one step and its readout", 1.0, lambda rng: _network_inputs(rng, "step")),
        Challenge("forward from a zero state", 1.0, lambda rng: _network_inputs(rng, "forward")),
        Challenge("forward from a given h_0", 1.0, lambda rng: _network_inputs(rng, "forward", start=True)),
        Challenge("a second call of forward", 0.5, lambda rng: _network_inputs(rng, "forward+forward")),
        Challenge(
            "step and forward mixed",
            0.5,
            lambda rng: _network_inputs(rng, "forward+step+forward", many=True),
            hidden=True,
        ),
    ),
    oracle=SimpleRNNOracle,
    mistakes=(
        Mistake("Your forward ignores h_0.", _IgnoresStart),
        Mistake(
            "Your forward goes on from the last state of the previous call; it should start from zeros.",
            _KeepsStateBetweenCalls,
        ),
        Mistake(
            "You read the output from h_prev, the state before the step; it should be read from h_t.",
            _ReadsStateBeforeStep,
        ),
        Mistake("You apply tanh to the outputs; logits are not squashed.", _SqueezesOutputs),
        Mistake("You leave out the output bias b_y.", _LosesOutputBias),
        Mistake(
            "Your loop in forward runs once for each sequence, `xs.shape[0]`; the number of steps is `xs.shape[1]`.",
            _CountsSequences,
        ),
        Mistake(
            "Your loop in forward runs once for each sequence, `xs.shape[0]`, and leaves zeros in later steps; the number of steps is `xs.shape[1]`.",
            _LeavesZeros,
        ),
        Mistake("Your forward does not carry the state over from step to step.", _NeverCarries),
        Mistake("You return state and output in the wrong order; it should be (h_t, y_t) and (hs, ys).", _SwapsResults),
    ),
    styles=(_Vectorised, _ReturnsLists, _SmallMethods),
    hints=(
        "You have written everything already. Which of your functions makes h_t, and which makes y_t out of it?",
        "The weights live in self now: self.W_xh, self.b_y. Without an h_0, start from zeros of shape (batch, units).",
        "step: h_t from rnn_step(...), y_t = h_t @ self.W_hy + self.b_y, return both. "
        "forward: hs from rnn_forward(...), ys from readout(...), return both.",
    ),
    unchanged=0.0,
    probe="use_network",
    not_allowed=FROM_SCRATCH,
)

EXERCISES = [rnn_step, rnn_forward, delay_line, latch, counter, count_parameters, SimpleRNN]
