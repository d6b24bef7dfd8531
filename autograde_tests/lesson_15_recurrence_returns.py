"""Lesson 15: linear steps and their scan, minGRU, linear attention and the delta rule."""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake
from autograde_tests.loops import TOO_FEW, counted
from autograde_tests.sampling import Rng, numbers, sizes

# ---------------------------------------------------------------------------------------------- combine


def combine_oracle(first, second):
    """Take both steps from two states; a line is known by its values at 0 and 1."""
    (a_1, b_1), (a_2, b_2) = first, second

    def apply_steps(h):
        return a_2 * (a_1 * h + b_1) + b_2

    return apply_steps(1.0) - apply_steps(0.0), apply_steps(0.0)


def _steps(*shape: int, only: str = ""):
    """Return a draw of two pairs: `only` "a" has no additions, `only` "b" keeps the whole state."""

    def draw(rng: Rng) -> tuple:
        pairs = [(numbers(rng, *shape), numbers(rng, *shape)) for _ in range(2)]
        if only == "a":
            pairs = [(a, np.zeros(shape)) for a, _ in pairs]
        if only == "b":
            pairs = [(np.ones(shape), b) for _, b in pairs]
        return tuple(pairs)

    return draw


def _any_steps(rng: Rng) -> tuple:
    return _steps(*sizes(rng, int(rng.integers(1, 4)), 2, 7))(rng)


def _as_matrices(first, second):
    shape = np.shape(first[0])
    matrices = [
        np.array([[[a, b], [0.0, 1.0]] for a, b in zip(np.ravel(a), np.ravel(b), strict=True)])
        for a, b in (first, second)
    ]
    product = matrices[1] @ matrices[0]
    return product[:, 0, 0].reshape(shape), product[:, 0, 1].reshape(shape)


combine = Exercise(
    name="combine",
    challenges=(
        Challenge("steps that only multiply", 0.5, _steps(4, only="a")),
        Challenge("steps that only add", 0.5, _steps(5, only="b")),
        Challenge("two steps of several units", 1.0, _steps(3)),
        Challenge("other shapes", 0.5, _any_steps, hidden=True),
    ),
    oracle=combine_oracle,
    mistakes=(
        Mistake(
            "You combine the steps in the wrong order: the second step acts on what the first one leaves, so a_2 multiplies b_1.",
            lambda f, s: (s[0] * f[0], f[0] * s[1] + f[1]),
        ),
        Mistake("You add b_1 as it is; the second step multiplies it by a_2.", lambda f, s: (s[0] * f[0], f[1] + s[1])),
        Mistake(
            "You multiply b_1 by a_1; the first step adds b_1 after that, and the second step multiplies it by a_2.",
            lambda f, s: (s[0] * f[0], f[0] * f[1] + s[1]),
        ),
        Mistake(
            "You add the two decays; a state is multiplied by one and then by the other.",
            lambda f, s: (s[0] + f[0], s[0] * f[1] + s[1]),
        ),
        Mistake("You leave out b_2, which the second step adds.", lambda f, s: (s[0] * f[0], s[0] * f[1])),
        Mistake("You leave out b_1; the second step only multiplies it by a_2.", lambda f, s: (s[0] * f[0], s[1])),
        Mistake(
            "You multiply b_2 by a_2 as well; the second step adds it after it has multiplied.",
            lambda f, s: (s[0] * f[0], s[0] * (f[1] + s[1])),
        ),
        Mistake(
            "You multiply b_1 by both decays; only a_2 acts after b_1 has been added.",
            lambda f, s: (s[0] * f[0], s[0] * f[0] * f[1] + s[1]),
        ),
        Mistake("You return b before a; the pair should be (a, b).", lambda f, s: (s[0] * f[1] + s[1], s[0] * f[0])),
        Mistake(
            "You return the decay of the second step alone; it should be the product of both.",
            lambda f, s: (s[0].copy(), s[0] * f[1] + s[1]),
        ),
    ),
    styles=(
        lambda first, second: (first[0] * second[0], second[1] + second[0] * first[1]),
        _as_matrices,
        lambda first, second: tuple(second[0] * part + add for part, add in zip(first, (0.0, second[1]), strict=True)),
    ),
    hints=(
        "Take a state h. What is it after the first step, and what after the second?",
        "The second step gives a_2 (a_1 h + b_1) + b_2. Multiply out: what multiplies h, and what remains?",
        "Return a_2 * a_1 and a_2 * b_1 + b_2, as a pair.",
    ),
)

# ------------------------------------------------------------------------------------------------- scan


def scan_oracle(a, b, h_0):
    """Return each state as a sum over all earlier steps, and the least number of doublings that reaches step 1."""
    steps = a.shape[1]
    hs = np.empty_like(b)
    for t in range(steps):
        decays = [np.prod(a[:, s + 1 : t + 1], axis=1) for s in range(-1, t + 1)]
        added = [h_0, *(b[:, s] for s in range(t + 1))]
        hs[:, t] = sum(k * x for k, x in zip(decays, added, strict=True))
    return hs, float(next(r for r in range(64) if 2**r >= steps))  # a float, so that 3.0 counts as 3


def _sequence(steps: int, *, calm: bool = False):
    def draw(rng: Rng) -> tuple:
        batch, units = (int(size) for size in rng.choice([2, 3, 4, 5, 9], size=2, replace=False))
        shape = (batch, steps, units)
        return numbers(rng, *shape), numbers(rng, *shape), numbers(rng, batch, units) * (not calm)

    return draw


def _any_sequence(rng: Rng) -> tuple:
    return _sequence(int(rng.choice([5, 6, 7, 9, 11, 12, 13, 18, 21])))(rng)


def _finish(A, B, a, h_0, start):
    """Return the states from the pairs; start: what becomes of the state before the first step."""
    return {
        "right": lambda: A * h_0[:, None] + B,
        "none": lambda: B,
        "added": lambda: B + h_0[:, None],
        "once": lambda: a * h_0[:, None] + B,
    }[start]()


def _scan(
    a, b, h_0, *, grow=lambda reach: 2 * reach, more=lambda reach, steps: reach < steps, order="right", start="right"
):
    A, B, reach, rounds = a.copy(), b.copy(), 1, 0
    steps = a.shape[1]
    while more(reach, steps):
        A_before, B_before = A[:, :-reach].copy(), B[:, :-reach].copy()
        if order == "a first":
            A[:, reach:] *= A_before
        if order == "swapped":
            B[:, reach:] = A_before * B[:, reach:] + B_before
        else:
            B[:, reach:] += A[:, reach:] * B_before
        if order not in ("a first", "a kept"):
            A[:, reach:] *= A_before
        reach, rounds = grow(reach), rounds + 1
    return _finish(A, B, a, h_0, start), rounds


def _scan_in_place(a, b, h_0):
    """Use entries of the current round that were already combined."""
    A, B, reach, rounds = a.copy(), b.copy(), 1, 0
    while reach < a.shape[1]:
        for t in range(reach, a.shape[1]):
            B[:, t] += A[:, t] * B[:, t - reach]
            A[:, t] *= A[:, t - reach]
        reach, rounds = 2 * reach, rounds + 1
    return A * h_0[:, None] + B, rounds


def _scan_by_steps(a, b, h_0, *, rounds=lambda steps: steps):
    h, hs = h_0, []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        hs.append(h)
    return np.stack(hs, axis=1), rounds(a.shape[1])


def _scan_from_last(a, b, h_0):
    """Overwrite from the last entry to the first, so that no entry is read after its own update."""
    A, B, reach, rounds = a.copy(), b.copy(), 1, 0
    while reach < a.shape[1]:
        for t in range(a.shape[1] - 1, reach - 1, -1):
            B[:, t] = A[:, t] * B[:, t - reach] + B[:, t]
            A[:, t] = A[:, t] * A[:, t - reach]
        reach *= 2
        rounds += 1
    return A * h_0[:, None] + B, rounds


def _scan_start_inside(a, b, h_0):
    A, B = a.copy(), b.copy()
    B[:, 0] = a[:, 0] * h_0 + b[:, 0]
    rounds = math.ceil(math.log2(a.shape[1]))
    for number in range(rounds):
        reach = 2**number
        A_next, B_next = A.copy(), B.copy()
        B_next[:, reach:] = A[:, reach:] * B[:, :-reach] + B[:, reach:]
        A_next[:, reach:] = A[:, reach:] * A[:, :-reach]
        A, B = A_next, B_next
    return B, rounds


def _scan_padded(a, b, h_0):
    A, B, reach, rounds = a, b, 1, 0
    while reach < a.shape[1]:
        A_before, B_before = np.ones_like(A), np.zeros_like(B)
        A_before[:, reach:], B_before[:, reach:] = A[:, :-reach], B[:, :-reach]
        A, B = A * A_before, A * B_before + B
        reach, rounds = reach * 2, rounds + 1
    return np.einsum("btu,bu->btu", A, h_0) + B, rounds


scan = Exercise(
    name="scan",
    challenges=(
        Challenge("eight steps", 1.0, _sequence(8)),
        Challenge("six steps", 1.0, _sequence(6)),
        Challenge("from the zero state", 0.75, _sequence(10, calm=True)),
        Challenge("a single step", 0.5, _sequence(1), edge=True),
        Challenge("other lengths", 1.25, _any_sequence, hidden=True),
    ),
    oracle=scan_oracle,
    mistakes=(
        Mistake(
            "You leave out h_0: the pair at step t should be applied to it at the end.",
            lambda *x: _scan(*x, start="none"),
        ),
        Mistake(
            "You add h_0 as it is; by step t it has been multiplied by all decays up to t.",
            lambda *x: _scan(*x, start="added"),
        ),
        Mistake(
            "You multiply h_0 by the decay of step t alone; use the combined one, the product of all decays up to t.",
            lambda *x: _scan(*x, start="once"),
        ),
        Mistake(
            "You combine in the wrong order: the entry `reach` steps before is the first step, and the entry itself the second.",
            lambda *x: _scan(*x, order="swapped"),
        ),
        Mistake(
            "You update a before b in a round, so that b is computed with the new a; use the values from before the round.",
            lambda *x: _scan(*x, order="a first"),
        ),
        Mistake(
            "You combine the additions but keep the decays of the single steps; both of a pair change in every round.",
            lambda *x: _scan(*x, order="a kept"),
        ),
        Mistake(
            "You overwrite entries that are still needed in the same round; use the values from before the round.",
            _scan_in_place,
        ),
        Mistake(
            "You increase `reach` by 1 after each round; it should double.", lambda *x: _scan(*x, grow=lambda r: r + 1)
        ),
        Mistake(
            "You stop one round too early: go on as long as `reach` is smaller than the number of steps.",
            lambda *x: _scan(*x, more=lambda r, steps: 2 * r < steps),
        ),
        Mistake(
            "You need one round too many when the number of steps is a power of two: stop when `reach` equals it.",
            lambda *x: _scan(*x, more=lambda r, steps: r <= steps),
        ),
        Mistake(
            "Your states are correct, but you need one round for each step; double `reach` instead.", _scan_by_steps
        ),
        Mistake(
            "Your states are correct, but you need one round for each step after the first; double `reach` instead.",
            lambda *x: _scan_by_steps(*x, rounds=lambda steps: steps - 1),
        ),
        Mistake(
            "You return the last `reach` in place of the number of rounds.",
            lambda a, b, h_0: (_scan(a, b, h_0)[0], 2 ** _scan(a, b, h_0)[1]),
        ),
    ),
    styles=(_scan, _scan_padded, _scan_from_last, _scan_start_inside),
    hints=(
        "After a round with `reach`, how many steps does each entry cover? And which entries have none to be combined with?",
        "The entries from `reach` on are the second steps, a[:, reach:], and the entries up to the last `reach` are the first ones, a[:, :-reach]. The first `reach` entries stay.",
        "While reach < steps: combine (a[:, :-reach], b[:, :-reach]) with (a[:, reach:], b[:, reach:]), put the first `reach` entries in front, double reach. At the end: a * h_0[:, None] + b.",
    ),
    not_allowed=FROM_SCRATCH,
)

# ---------------------------------------------------------------------------------------------- min_gru


def _logistic(a):
    return 1 / (1 + np.exp(-a))


def min_gru_oracle(xs, h_0, W_xh, b_h):
    """Compute one unit after the other, with sums written out."""
    batch, steps, features = xs.shape
    units = len(b_h) // 2
    hs = np.zeros((batch, steps, units))
    for i in range(batch):
        for unit in range(units):
            h = h_0[i, unit]
            for t in range(steps):
                a_z, a_n = (
                    math.fsum([b_h[k], *(xs[i, t, j] * W_xh[j, k] for j in range(features))])
                    for k in (unit, units + unit)
                )
                z = 1 / (1 + math.exp(-a_z))
                h = z * h + (1 - z) * a_n
                hs[i, t, unit] = h
    return hs


def _min_gru_inputs(batch: int, steps: int, features: int, units: int, *, calm: bool = False, bias: bool = True):
    def draw(rng: Rng) -> tuple:
        return (
            numbers(rng, batch, steps, features),
            numbers(rng, batch, units) * (not calm),
            numbers(rng, features, 2 * units),
            numbers(rng, 2 * units) * bias,
        )

    return draw


def _any_min_gru(rng: Rng) -> tuple:
    batch, features, units = sizes(rng, 3, 2, 14)
    return _min_gru_inputs(batch, int(rng.integers(2, 8)), features, units)(rng)


def _min_gru(
    xs,
    h_0,
    W,
    b,
    *,
    gate=_logistic,
    candidate=lambda n: n,
    swap=False,
    flip=False,
    share=True,
    bias=True,
    start=True,
    carry=True,
    steps=None,
):
    T = steps(xs) if steps else xs.shape[1]
    z, n = np.split(xs @ W + b * bias, 2, axis=-1)
    if swap:
        z, n = n, z
    z, n = gate(z), candidate(n)
    h, hs = h_0 * start, []
    for t in range(T):
        z_t = 1 - z[:, t] if flip else z[:, t]
        new = z_t * h + ((1 - z_t) * n[:, t] if share else n[:, t])
        hs.append(new)
        h = new if carry else h
    return np.stack(hs, axis=1)


def _min_gru_by_sums(xs, h_0, W_xh, b_h):
    units = W_xh.shape[1] // 2
    z = 0.5 * (1 + np.tanh(0.5 * (xs @ W_xh[:, :units] + b_h[:units])))
    n = xs @ W_xh[:, units:] + b_h[units:]
    return scan_oracle(z, (1 - z) * n, h_0)[0]


def _min_gru_step_by_step(xs, h_0, W_xh, b_h):
    batch, steps, _ = xs.shape
    units = h_0.shape[1]
    hs = np.zeros((batch, steps, units))
    h = h_0
    for t in range(steps):
        a = xs[:, t] @ W_xh + b_h
        z = 1 / (1 + np.exp(-a[:, :units]))
        h = a[:, units:] + z * (h - a[:, units:])
        hs[:, t] = h
    return hs


min_gru = Exercise(
    name="min_gru",
    challenges=(
        Challenge("one step", 0.5, _min_gru_inputs(3, 1, 2, 4)),
        Challenge("several steps", 1.0, _min_gru_inputs(7, 5, 3, 2)),
        Challenge("from the zero state", 0.5, _min_gru_inputs(2, 4, 5, 3, calm=True)),
        Challenge("without a bias", 0.5, _min_gru_inputs(4, 6, 9, 2, bias=False)),
        Challenge("other sizes", 1.0, _any_min_gru, hidden=True),
    ),
    oracle=min_gru_oracle,
    mistakes=(
        Mistake(
            "You keep the share 1 - z of the old state, as the paper does; here z is the share that is kept.",
            lambda *a: _min_gru(*a, flip=True),
        ),
        Mistake(
            "You apply tanh to the candidate; in the minGRU it is used as it is.",
            lambda *a: _min_gru(*a, candidate=np.tanh),
        ),
        Mistake("You do not apply the sigmoid to z.", lambda *a: _min_gru(*a, gate=lambda z: z)),
        Mistake(
            "You apply the sigmoid to the candidate as well; only z is a gate.",
            lambda *a: _min_gru(*a, candidate=_logistic),
        ),
        Mistake("You mix up the blocks: first comes that of z, then that of n.", lambda *a: _min_gru(*a, swap=True)),
        Mistake(
            "You add the whole candidate; multiply it by 1 - z, the share that is not kept.",
            lambda *a: _min_gru(*a, share=False),
        ),
        Mistake("You leave out the bias b_h.", lambda *a: _min_gru(*a, bias=False)),
        Mistake("You start from zeros; the state before the first step is h_0.", lambda *a: _min_gru(*a, start=False)),
        Mistake(
            "You do not carry the state from step to step: every step starts from h_0.",
            lambda *a: _min_gru(*a, carry=False),
        ),
        Mistake("You use tanh for the gate z; it should be the sigmoid.", lambda *a: _min_gru(*a, gate=np.tanh)),
        Mistake(
            "You return the last state only; return the states of all steps.",
            lambda *a: _min_gru(*a)[:, -1],
        ),
        Mistake(TOO_FEW, lambda *a: _min_gru(*a, steps=counted)),
    ),
    styles=(_min_gru, _min_gru_by_sums, _min_gru_step_by_step),
    hints=(
        "Which of z_t, n_t and h_t can you compute for all steps at once, before any loop?",
        "xs @ W_xh + b_h has the shape (batch, steps, 2 units). Split its last axis in two. Then a_t = z_t, and what is b_t?",
        "z, n = np.split(xs @ W_xh + b_h, 2, axis=-1); z = sigmoid(z); the states are the first result of scan(z, (1 - z) * n, h_0).",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("axis 1 of h_0 is always smaller than axis 1 of W_xh", "it is 2 units wide"),),
)

# ------------------------------------------------------------------------------------- linear_attention


def linear_attention_oracle(qs, ks, vs, decay=1.0):
    """Add the value of each earlier step, weighted by its product of query and key, and by its age."""
    batch, steps, size = vs.shape
    ys = np.zeros((batch, steps, size))
    for i in range(batch):
        for t in range(steps):
            for s in range(t + 1):
                ys[i, t] += decay ** (t - s) * math.fsum(qs[i, t] * ks[i, s]) * vs[i, s]
    return ys


def _attention_inputs(steps: int | None, *, decays: bool = True):
    def draw(rng: Rng) -> tuple:
        batch, d, m = sizes(rng, 3, 2, 6)
        T = steps or int(rng.integers(3, 9))
        arrays = numbers(rng, batch, T, d), numbers(rng, batch, T, d), numbers(rng, batch, T, m)
        return (*arrays, float(np.round(rng.uniform(0.3, 0.9), 2))) if decays else arrays

    return draw


def _attention_loop(
    qs, ks, vs, decay=1.0, *, read="after", decays="before", carry=True, steps=None, write="add", scale=1.0
):
    S, ys = np.zeros((len(ks), ks.shape[2], vs.shape[2])), []
    for t in range(steps(qs) if steps else qs.shape[1]):
        old, new = S, np.einsum("bd,bm->bdm", ks[:, t], vs[:, t])
        if decays == "before":
            S = decay * S + new
        elif decays == "after":
            S = decay * (S + new)
        elif decays == "mean":
            S = decay * S + (1 - decay) * new
        else:
            S = S + new
        ys.append(np.einsum("bd,bdm->bm", qs[:, t], {"after": S, "before": old}[read]) * scale)
        S = S if carry else old
    return np.stack(ys, axis=1)


def _attention_by_table(qs, ks, vs, decay=1.0, *, allowed=lambda lag: lag >= 0, soft=False, age=lambda lag: lag):
    t = np.arange(qs.shape[1])
    lag = t[:, None] - t
    weights = qs @ ks.transpose(0, 2, 1)
    if soft:
        weights = np.where(allowed(lag), weights, -np.inf)
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
    return (weights * np.where(allowed(lag), decay ** np.abs(age(lag)), 0)) @ vs


def _attention_one_output_each(qs, ks, vs, decay=1.0):
    ys = np.zeros_like(vs)
    for t in range(qs.shape[1]):
        ages = decay ** np.arange(t, -1, -1)
        scores = np.einsum("bd,bsd->bs", qs[:, t], ks[:, : t + 1]) * ages
        ys[:, t] = np.einsum("bs,bsm->bm", scores, vs[:, : t + 1])
    return ys


linear_attention = Exercise(
    name="linear_attention",
    challenges=(
        Challenge("one step", 0.5, _attention_inputs(1)),
        Challenge("several steps without a decay", 1.5, _attention_inputs(5, decays=False)),
        Challenge("several steps with a decay", 1.5, _attention_inputs(6)),
        Challenge("other sizes", 1.0, _attention_inputs(None), hidden=True),
    ),
    oracle=linear_attention_oracle,
    mistakes=(
        Mistake(
            "You let every step look at all steps, later ones included; step t may look at the steps up to t only.",
            lambda *a: _attention_by_table(*a, allowed=lambda lag: lag > -1000),
        ),
        Mistake(
            "You let each step look at itself and the later ones; it should look at itself and the earlier ones.",
            lambda *a: _attention_by_table(*a, allowed=lambda lag: lag <= 0),
        ),
        Mistake(
            "You read the state before you write: step t should write its own pair first.",
            lambda *a: _attention_loop(*a, read="before"),
        ),
        Mistake(
            "You leave out the pair of step t itself in the table: s = t is included.",
            lambda qs, ks, vs, decay=1.0: decay * _attention_loop(qs, ks, vs, decay, read="before"),
        ),
        Mistake(
            "You apply a softmax to the products of queries and keys; here they are the weights themselves.",
            lambda *a: _attention_by_table(*a, soft=True),
        ),
        Mistake(
            "You divide by the square root of d, as softmax attention does; here the products are the weights.",
            lambda *a: _attention_loop(*a, scale=1 / np.sqrt(a[0].shape[2])),
        ),
        Mistake(
            "You multiply the new pair by the decay as well; it should shrink only what was in the state before.",
            lambda *a: _attention_loop(*a, decays="after"),
        ),
        Mistake("You do not use `decay`.", lambda *a: _attention_loop(*a, decays="none")),
        Mistake(
            "You multiply the new pair by 1 - decay; it is added as it is.",
            lambda qs, ks, vs, decay=1.0: _attention_loop(qs, ks, vs, decay, decays="mean"),
        ),
        Mistake(
            "You do not carry the state from step to step: every step sees its own pair only.",
            lambda *a: _attention_loop(*a, carry=False),
        ),
        Mistake(
            "You multiply by the decay once, whatever the distance; a pair written t - s steps ago counts decay ** (t - s).",
            lambda *a: _attention_by_table(*a, age=np.sign),
        ),
        Mistake(TOO_FEW, lambda *a: _attention_loop(*a, steps=counted)),
    ),
    styles=(_attention_loop, _attention_by_table, _attention_one_output_each),
    hints=(
        "What is the shape of S for one sequence? And which product of k_t and v_t has this shape?",
        "Begin with S of zeros, (batch, d, m). In each step: shrink S, add the outer product of key and value, read with the query.",
        "S = decay * S + ks[:, t, :, None] * vs[:, t, None]; y_t is (qs[:, t, None] @ S)[:, 0]; stack the y_t along axis 1.",
    ),
    promised=(
        ("decay is never negative", "the task says so"),
        ("decay is always between -1 and 1", "the task says so"),
    ),
)

# ------------------------------------------------------------------------------------------- delta_step


def delta_step_oracle(S_prev, k_t, v_t, beta_t):
    """Multiply by the matrix I - beta k^T k, one sequence at a time."""
    states = []
    for S, k, v, beta in zip(S_prev, k_t, v_t, beta_t, strict=True):
        states.append((np.eye(len(k)) - beta * np.outer(k, k)) @ S + beta * np.outer(k, v))
    return np.array(states)


def _delta_inputs(*, empty: bool = False, beta_one: bool = False):
    def draw(rng: Rng) -> tuple:
        batch, d, m = sizes(rng, 3, 2, 7)
        S = numbers(rng, batch, d, m) * (not empty)
        return S, numbers(rng, batch, d), numbers(rng, batch, m), np.ones(batch) if beta_one else numbers(rng, batch)

    return draw


def _delta(S, k, v, beta, *, difference=lambda v, answer: v - answer, normalise=False, share="both", add_state=True):
    if normalise:
        k = k / np.linalg.norm(k, axis=1, keepdims=True)
    answer = np.einsum("bd,bdm->bm", k, S)
    if share == "value":
        change = beta[:, None] * v - answer
    elif share == "none":
        change = difference(v, answer)
    elif share == "answer":
        change = v - beta[:, None] * answer
    else:
        change = beta[:, None] * difference(v, answer)
    return S * add_state + np.einsum("bd,bm->bdm", k, change)


def _delta_after(S, k, v, beta):
    """Read the state after the value has been added."""
    added = S + np.einsum("bd,bm->bdm", k, v)
    return S + np.einsum("b,bd,bm->bdm", beta, k, v - np.einsum("bd,bdm->bm", k, added))


def _delta_decayed(S, k, v, beta):
    return (1 - beta)[:, None, None] * S + np.einsum("b,bd,bm->bdm", beta, k, v)


def _delta_by_sums(S_prev, k_t, v_t, beta_t):
    S_t = S_prev.copy()
    for i in range(len(S_prev)):
        S_t[i] += beta_t[i] * np.outer(k_t[i], v_t[i] - k_t[i] @ S_prev[i])
    return S_t


delta_step = Exercise(
    name="delta_step",
    challenges=(
        Challenge("a state of zeros", 0.5, _delta_inputs(empty=True)),
        Challenge("beta 1", 0.5, _delta_inputs(beta_one=True)),
        Challenge("any state and beta", 1.0, _delta_inputs()),
        Challenge("other sizes", 0.5, _delta_inputs(), hidden=True),
    ),
    oracle=delta_step_oracle,
    mistakes=(
        Mistake(
            "You add the whole value, as linear attention does; subtract what the state already answers, k_t S_{t-1}.",
            lambda *a: _delta(*a, difference=lambda v, answer: v),
        ),
        Mistake("You leave out beta_t.", lambda *a: _delta(*a, share="none")),
        Mistake(
            "You use the beta_t of the first sequence for all of them; each sequence has its own.",
            lambda S, k, v, beta: _delta(S, k, v, np.full_like(beta, beta[0])),
        ),
        Mistake(
            "You multiply only the value by beta_t; it multiplies the whole difference.",
            lambda *a: _delta(*a, share="value"),
        ),
        Mistake(
            "You multiply only the answer by beta_t; it multiplies the whole difference.",
            lambda *a: _delta(*a, share="answer"),
        ),
        Mistake(
            "You write the difference with the wrong sign: it is the value minus the answer.",
            lambda *a: _delta(*a, difference=lambda v, answer: answer - v),
        ),
        Mistake("You add the answer to the value; subtract it.", lambda *a: _delta(*a, difference=np.add)),
        Mistake(
            "You read the state after you have written the value; the answer comes from S_{t-1}.",
            _delta_after,
        ),
        Mistake("You scale the keys to length 1; use them as they are.", lambda *a: _delta(*a, normalise=True)),
        Mistake("You return the change alone; add it to the state.", lambda *a: _delta(*a, add_state=False)),
        Mistake(
            "You shrink the whole state by 1 - beta_t; only what is stored in the direction of the key should change.",
            _delta_decayed,
        ),
    ),
    styles=(_delta, _delta_by_sums, lambda S_prev, k_t, v_t, beta_t: delta_step_oracle(S_prev, k_t, v_t, beta_t)),
    hints=(
        "What does the state answer to k_t before anything is written? Which shape does this answer have?",
        "Read the answer k_t S_{t-1} for each sequence, subtract it from v_t, multiply by beta_t, and add the outer product of k_t with that.",
        "answer = (k_t[:, None] @ S_prev)[:, 0]; the result is S_prev + k_t[:, :, None] * (beta_t[:, None] * (v_t - answer))[:, None].",
    ),
)

EXERCISES = [combine, scan, min_gru, linear_attention, delta_step]
