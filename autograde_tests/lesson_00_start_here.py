"""Lesson 00: the leaky memory h_t = decay h_{t-1} + x_t."""

from __future__ import annotations

import numpy as np

from autograde_tests.exercise import Challenge, Exercise, Mistake
from autograde_tests.sampling import Rng, numbers


def leaky_memory_oracle(xs, decay):
    """Return each state as a sum over all inputs so far: h_t = sum_k decay^(t-k) x_k."""
    return np.array([sum(decay ** (t - k) * xs[k] for k in range(t + 1)) for t in range(len(xs))])


def _states(xs, advance):
    h, hs = 0.0, []
    for x_t in xs:
        h = advance(h, x_t)
        hs.append(h)
    return np.array(hs)


def _decay(rng: Rng) -> float:
    return float(rng.choice([0.3, 0.4, 0.6, 0.7, 0.8]))


def _pulse(rng: Rng) -> tuple:
    return np.array([1.0, 0.0, 0.0, 0.0, 0.0]), _decay(rng)


def _sequence(rng: Rng) -> tuple:
    return numbers(rng, int(rng.integers(4, 8))), _decay(rng)


def _edges(rng: Rng) -> tuple:
    return numbers(rng, int(rng.choice([1, 30]))), float(rng.choice([0.0, 0.5]))


def _with_own_array(xs, decay):
    hs = np.zeros(len(xs))
    for t in range(len(xs)):
        hs[t] = xs[t] + (decay * hs[t - 1] if t else 0.0)
    return hs


def _with_a_plain_list(xs, decay):
    return _states(xs, lambda h, x_t: decay * h + x_t).tolist()


def _with_a_matrix(xs, decay):
    lag = np.subtract.outer(np.arange(len(xs)), np.arange(len(xs)))
    return np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0) @ np.asarray(xs)


leaky_memory = Exercise(
    name="leaky_memory",
    challenges=(
        Challenge("a single pulse", 0.5, _pulse),
        Challenge("any sequence", 0.5, _sequence),
        Challenge("decay 1", 0.25, lambda rng: (numbers(rng, 5), 1.0)),
        Challenge("extreme decays and lengths", 0.25, _edges, hidden=True, edge=True),
    ),
    oracle=leaky_memory_oracle,
    mistakes=(
        Mistake("The state is not carried over: every state is just x_t.", lambda xs, decay: np.array(xs)),
        Mistake("Nothing leaks: you leave out the factor decay.", lambda xs, decay: np.cumsum(xs)),
        Mistake(
            "You multiply the new input by decay too; only the previous state leaks.",
            lambda xs, decay: _states(xs, lambda h, x: decay * (h + x)),
        ),
        Mistake(
            "You multiply the input by decay instead of the previous state.",
            lambda xs, decay: _states(xs, lambda h, x: h + decay * x),
        ),
        Mistake(
            "You weight the input with 1 - decay, which gives a moving average instead of a leaky sum.",
            lambda xs, decay: _states(xs, lambda h, x: decay * h + (1 - decay) * x),
        ),
        Mistake(
            "You add decay times the previous input, x_{t-1}; it should be decay times the previous state, h_{t-1}.",
            lambda xs, decay: np.array(xs) + decay * np.concatenate([[0.0], np.array(xs)[:-1]]),
        ),
        Mistake(
            "You return only the last state; the result needs one state for each step.",
            lambda xs, decay: _states(xs, lambda h, x: decay * h + x)[-1],
        ),
        Mistake(
            "You return only the first state. Is your `return` inside the loop?",
            lambda xs, decay: np.array(xs)[:1],
        ),
        Mistake(
            "Your result begins with h_0 = 0, so it has one state too many.",
            lambda xs, decay: np.concatenate([[0.0], leaky_memory_oracle(xs, decay)]),
        ),
        Mistake(
            "You keep the share 1 - decay of the previous state; it should be the share decay.",
            lambda xs, decay: leaky_memory_oracle(xs, 1 - decay),
        ),
        Mistake(
            "You store each state before its input is added, one step too early.",
            lambda xs, decay: np.concatenate([[0.0], _states(xs, lambda h, x: decay * h + x)[:-1]]),
        ),
    ),
    lists=True,
    styles=(_with_own_array, _with_a_plain_list, _with_a_matrix),
    hints=(
        "What is the state before anything has arrived? And after the first input?",
        "You need one variable that lives outside the loop and is rewritten inside it.",
        "Start with h = 0. For each x_t: the new h is decay times the old h, plus x_t; then append h to a list.",
    ),
    promised=(
        ("decay is never negative", "it is a share, from 0 to 1"),
        ("decay is always between -1 and 1", "it is a share, from 0 to 1"),
    ),
)

EXERCISES = [leaky_memory]
