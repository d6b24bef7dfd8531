"""Lesson 07: orthogonal initialisation, truncated backpropagation, the adding problem, the copy task's baseline."""

from __future__ import annotations

import math

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake
from autograde_tests.lesson_04_bptt import Gradients, _sequence_bias, _sequence_inputs, _walk
from autograde_tests.loops import TOO_FEW, counted
from autograde_tests.sampling import Rng, sizes

# ------------------------------------------------------------------------------------------ orthogonal


def _haar(units, rng):
    Q, R = np.linalg.qr(rng.normal(size=(units, units)))
    return Q * np.sign(np.diag(R))


def _gram_schmidt(units, rng):
    rows: list[np.ndarray] = []
    for drawn in rng.normal(size=(units, units)):
        v = drawn
        for _ in range(2):  # twice, because of rounding in the last rows
            for row in rows:
                v = v - (v @ row) * row
        rows.append(v / np.linalg.norm(v))
    return np.array(rows)


def _from_svd(units, rng):
    U, _, V = np.linalg.svd(rng.normal(size=(units, units)))
    return U @ V


def _random_every_time(units, rng):
    return _haar(units, np.random.default_rng())


def _columns_only(units, rng):
    W = rng.normal(size=(units, units))
    return W / np.linalg.norm(W, axis=0)


orthogonal = Exercise(
    name="orthogonal",
    challenges=(
        Challenge("five units", 2.0, lambda rng: (5, 3)),
        Challenge("two units", 1.0, lambda rng: (2, 8)),
        Challenge("other sizes", 2.0, lambda rng: (int(rng.integers(3, 20)), int(rng.integers(100))), hidden=True),
    ),
    oracle=_gram_schmidt,
    mistakes=(
        Mistake(
            "the matrix is random but not orthogonal: its columns do not stand at right angles",
            lambda n, rng: rng.normal(size=(n, n)) / np.sqrt(n),
        ),
        Mistake("the columns have length 1 but do not stand at right angles", _columns_only),
        Mistake(
            "the rows have length 1 but do not stand at right angles", lambda n, rng: _columns_only(n, rng).T.copy()
        ),
        Mistake("the generator is not used: every call gives the same matrix", lambda n, rng: np.eye(n)),
        Mistake(
            "numbers come from somewhere else than the generator, so that nobody can repeat the experiment",
            _random_every_time,
        ),
        Mistake("the matrix is a rotation times a factor; lengths should be kept", lambda n, rng: 0.9 * _haar(n, rng)),
    ),
    styles=(_haar, _from_svd, lambda units, rng: np.linalg.qr(rng.standard_normal((units, units)))[0]),
    hints=(
        "Which factorisation of a matrix gives one factor with orthonormal columns?",
        "np.linalg.qr(A) returns Q and R with A = Q R, and Q is orthogonal. Which A is as good as any other?",
        "Draw rng.normal(size=(units, units)), take Q of its QR factorisation.",
    ),
    probe="orthogonal",
    unchanged=0.0,
)

# -------------------------------------------------------------------------------------- truncated_bptt


def truncated_bptt_oracle(dhs, cache, K):
    """Return the gradients of each piece's loss with the state before the piece held fixed, by the complex step."""
    xs, h_0, hs, W_xh, W_hh = cache
    real = np.ones(xs.shape[:2], dtype=bool)
    point = {"dW_xh": W_xh, "dW_hh": W_hh, "db_h": _sequence_bias(xs, real, h_0, hs, W_xh, W_hh)}

    def loss(name, array):
        weights = {**point, name: array}.values()
        total = 0.0
        for start in range(0, xs.shape[1], K):
            piece = slice(start, start + K)
            before = hs[:, start - 1] if start else h_0
            states = _walk(xs[:, piece], real[:, piece], before, *weights)
            total += sum(np.sum(dhs[:, start + i] * h) for i, h in enumerate(states))
        return total

    return Gradients(loss, point)


def _pieces(key: str, steps: int, K: int, batch: int = 2):
    def draw(rng: Rng) -> tuple:
        dhs, (xs, _, h_0, hs, W_xh, W_hh) = _sequence_inputs(rng, ["1" * steps] * batch, 3, 4)
        return key, dhs, (xs, h_0, hs, W_xh, W_hh), K

    return draw


def _truncated(
    dhs, cache, K, *, cut=lambda t, K, T: t % K == 0, forget=False, last=False, share=1.0, restart=False, steps=None
):
    """Backpropagate; the carried error is dropped after step t if cut(t, K, T)."""
    xs, h_0, hs, W_xh, W_hh = cache
    T = steps(xs) if steps else xs.shape[1]
    dW_xh, dW_hh, db_h, carried = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros(len(W_hh)), np.zeros_like(h_0)
    for t in reversed(range(T)):
        if last and t < (T - 1) // K * K:
            break
        da = (dhs[:, t] + carried) * (1 - hs[:, t] ** 2)
        before = h_0 if t == 0 or (restart and t % K == 0) else hs[:, t - 1]
        dW_xh += share * xs[:, t].T @ da
        dW_hh += share * (0.0 if forget and t % K == 0 else 1.0) * before.T @ da
        db_h += share * da.sum(axis=0)
        carried = da @ W_hh.T * (not cut(t, K, T))
    return {"dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h}


def _sliding(dhs, cache, K):
    """Backpropagate the loss of each step over K copies."""
    xs, h_0, hs, W_xh, W_hh = cache
    g = {"dW_xh": np.zeros_like(W_xh), "dW_hh": np.zeros_like(W_hh), "db_h": np.zeros(len(W_hh))}
    for t in range(xs.shape[1]):
        dh = dhs[:, t]
        for k in range(t, max(t - K, -1), -1):
            da = dh * (1 - hs[:, k] ** 2)
            g["dW_xh"] += xs[:, k].T @ da
            g["dW_hh"] += (hs[:, k - 1] if k else h_0).T @ da
            g["db_h"] += da.sum(axis=0)
            dh = da @ W_hh.T
    return g


def _piece_by_piece(dhs, cache, K):
    xs, h_0, hs, W_xh, W_hh = cache
    total = {"dW_xh": 0.0, "dW_hh": 0.0, "db_h": 0.0}
    for start in range(0, xs.shape[1], K):
        piece = slice(start, start + K)
        before = hs[:, start - 1] if start else h_0
        part = _truncated(dhs[:, piece], (xs[:, piece], before, hs[:, piece], W_xh, W_hh), K)
        total = {name: total[name] + part[name] for name in total}
    return total


def _errors_first(dhs, cache, K):
    xs, h_0, hs, _, W_hh = cache
    das, carried = np.empty_like(hs), np.zeros_like(h_0)
    for t in range(xs.shape[1] - 1, -1, -1):
        das[:, t] = (dhs[:, t] + carried) * (1 - hs[:, t] ** 2)
        carried = np.zeros_like(h_0) if t % K == 0 else das[:, t] @ W_hh.T
    before = np.concatenate([h_0[:, None], hs[:, :-1]], axis=1)
    return {
        "dW_xh": np.einsum("btd,bth->dh", xs, das),
        "dW_hh": np.einsum("bti,btj->ij", before, das),
        "db_h": das.sum(axis=(0, 1)),
    }


truncated_bptt = Exercise(
    name="truncated_bptt",
    challenges=(
        Challenge("db_h, pieces of 3", 1.0, _pieces("db_h", 7, 3)),
        Challenge("dW_xh, pieces of 3", 1.0, _pieces("dW_xh", 7, 3)),
        Challenge("dW_hh, pieces of 3", 1.0, _pieces("dW_hh", 7, 3)),
        Challenge("one piece: the whole gradient", 0.5, _pieces("dW_hh", 4, 4)),
        Challenge("pieces of one step", 0.5, _pieces("dW_hh", 4, 1), hidden=True),
        Challenge("pieces of two, one sequence", 0.5, _pieces("dW_hh", 6, 2, batch=1), hidden=True),
    ),
    oracle=truncated_bptt_oracle,
    mistakes=(
        Mistake("nothing is cut: this is the whole gradient", lambda *a: _truncated(*a, cut=lambda t, K, T: False)),
        Mistake(
            "the cut comes one step too early: the error still crosses into the first step of a piece",
            lambda *a: _truncated(*a, cut=lambda t, K, T: (t - 1) % K == 0),
        ),
        Mistake(
            "the state is forgotten at the cut as well; only the error is dropped, the state before the piece stays",
            lambda *a: _truncated(*a, forget=True),
        ),
        Mistake(
            "every piece begins from h_0; forwards the state crosses the cut, so it is the last state of the piece before",
            lambda *a: _truncated(*a, restart=True),
        ),
        Mistake(
            "the pieces are counted from the end; they begin at step 0",
            lambda *a: _truncated(*a, cut=lambda t, K, T: (T - t) % K == 0),
        ),
        Mistake(TOO_FEW, lambda *a: _truncated(*a, steps=counted)),
        Mistake("only the last piece is counted", lambda *a: _truncated(*a, last=True)),
        Mistake("each step's loss is followed back over K copies; here the sequence is cut into pieces", _sliding),
        Mistake(
            "the pieces are averaged; their gradients add up",
            lambda d, c, K: (
                _truncated(d, c, K, share=1 / -(-d.shape[1] // K)) if d.shape[1] > K else _truncated(d, c, K)
            ),
        ),
    ),
    styles=(_truncated, _piece_by_piece, _errors_first),
    hints=(
        "What does the first step of a piece do with the error it would hand to the step before?",
        "It is rnn_backward with one change: after the first step of each piece the carried error starts again from zero.",
        "Walking backwards, with t counted from 0: after step t set dh_next to zeros when t % K == 0.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
)

# -------------------------------------------------------------------------------------- adding_problem


def _marks(n, steps, rng, *, anywhere=False, same=False, coincide=False, late=False):
    marks = np.zeros((n, steps))
    rows, half = np.arange(n), steps // 2
    first, second = rng.integers(half, size=n), rng.integers(half, steps, size=n)
    if anywhere:
        first, second = np.argsort(rng.random((n, steps)), axis=1)[:, :2].T
    if coincide:
        first, second = rng.integers(steps, size=(2, n))
        second[0] = first[0]
    if same:
        first, second = np.full(n, first[0]), np.full(n, second[0])
    if late:
        first = np.zeros(n, dtype=int)
    marks[rows, first] = marks[rows, second] = 1.0
    return marks


def _adding(n, steps, rng, *, values=None, target=None, **marks_options):
    v = rng.random((n, steps)) if values is None else values(rng, (n, steps))
    marks = _marks(n, steps, rng, **marks_options)
    targets = (v * marks).sum(axis=1) if target is None else target(v, marks)
    return np.stack([v, marks], axis=-1), targets


def _adding_by_loops(n, steps, rng):
    xs, targets = np.zeros((n, steps, 2)), np.zeros(n)
    for row in range(n):
        xs[row, :, 0] = rng.uniform(0, 1, steps)
        for t in (rng.integers(0, steps // 2), rng.integers(steps // 2, steps)):
            xs[row, t, 1] = 1
            targets[row] += xs[row, t, 0]
    return xs, targets


def _adding_by_permutation(n, steps, rng):
    half = steps // 2
    firsts = rng.permuted(np.eye(half)[np.zeros(n, dtype=int)], axis=1)
    seconds = rng.permuted(np.eye(steps - half)[np.zeros(n, dtype=int)], axis=1)
    xs = np.stack([rng.uniform(size=(n, steps)), np.hstack([firsts, seconds])], axis=2)
    return xs, xs.prod(axis=2).sum(axis=1)


adding_problem = Exercise(
    name="adding_problem",
    challenges=(
        Challenge("inputs", 0.5, lambda rng: ("inputs", 30, 8, 1)),
        Challenge("marks", 1.5, lambda rng: ("marks", 300, 8, 2)),
        Challenge("targets", 1.5, lambda rng: ("targets", 30, 7, 3)),
        Challenge("the generator decides", 0.5, lambda rng: ("random", 20, 6, 4)),
        Challenge(
            "marks, other sizes",
            1.0,
            lambda rng: ("marks", 400, int(rng.integers(5, 11)), int(rng.integers(99))),
            hidden=True,
        ),
    ),
    oracle=_adding_by_loops,
    mistakes=(
        Mistake("both marks may stand in the same half; there is one in each", lambda *a: _adding(*a, anywhere=True)),
        Mistake(
            "both marks may fall on the same step, so that only one is left", lambda *a: _adding(*a, coincide=True)
        ),
        Mistake("all sequences have the same marks", lambda *a: _adding(*a, same=True)),
        Mistake(
            "some steps are never marked: look at the ends of your ranges (rng.integers leaves out its upper end)",
            lambda *a: _adding(*a, late=True),
        ),
        Mistake(
            "the target is the mean of the two marked values, not their sum",
            lambda *a: _adding(*a, target=lambda v, m: (v * m).sum(axis=1) / 2),
        ),
        Mistake(
            "the target adds up all values, marked or not", lambda *a: _adding(*a, target=lambda v, m: v.sum(axis=1))
        ),
        Mistake(
            "the values are drawn from the normal distribution; they are uniform between 0 and 1",
            lambda *a: _adding(*a, values=lambda rng, size: rng.normal(size=size)),
        ),
        Mistake(
            "numbers come from somewhere else than the generator, so that nobody can repeat the experiment",
            lambda n, steps, rng: _adding(n, steps, np.random.default_rng()),
        ),
    ),
    styles=(_adding, _adding_by_permutation, lambda n, steps, rng: tuple(_adding(n, steps, rng))),
    hints=(
        "What does one sequence look like, drawn by hand, with 6 steps?",
        "rng.random((n, steps)) gives the values. For the marks draw one place from range(0, steps // 2) and one from range(steps // 2, steps), for each row.",
        "marks[np.arange(n), places] = 1 sets one mark in each row; the target is (values * marks).sum(axis=1); np.stack(..., axis=-1).",
    ),
    probe="adding",
    unchanged=0.0,
)

# --------------------------------------------------------------------------------------- copy_baseline


def copy_baseline_oracle(delay, length=10, symbols=8):
    """Return the mean loss of the best predictor without memory, step by step."""
    certain = [0.0] * (delay + length)  # the target is blank while the symbols arrive and during the delay
    guessed = [math.log(symbols)] * length
    losses = certain + guessed
    return math.fsum(losses) / len(losses)


copy_baseline = Exercise(
    name="copy_baseline",
    challenges=(
        Challenge("a long delay", 1.5, lambda rng: (100, 10, 8), fresh=lambda rng: (int(rng.integers(80, 300)), 10, 8)),
        Challenge("a short delay", 1.0, lambda rng: (7, 5, 4), fresh=lambda rng: tuple(sizes(rng, 3, 2, 9))),
        Challenge("no delay", 0.5, lambda rng: (0, 5, 4), fresh=lambda rng: (0, *sizes(rng, 2, 2, 20))),
        Challenge("other numbers", 2.0, lambda rng: tuple(int(v) for v in rng.integers(2, 60, size=3)), hidden=True),
    ),
    oracle=copy_baseline_oracle,
    mistakes=(
        Mistake(
            "it is the loss of the whole sequence; take the mean over its steps", lambda d, n=10, s=8: n * math.log(s)
        ),
        Mistake("it is averaged over the symbols only; the blanks are steps too", lambda d, n=10, s=8: math.log(s)),
        Mistake(
            "the steps are delay + length; but the symbols take length steps to arrive and length to be repeated",
            lambda d, n=10, s=8: n * math.log(s) / (d + n),
        ),
        Mistake(
            "the logarithm has base 2; here it is the natural one", lambda d, n=10, s=8: n * math.log2(s) / (d + 2 * n)
        ),
        Mistake(
            "the blank is counted among the guesses; whoever knows the task never guesses it there",
            lambda d, n=10, s=8: n * math.log(s + 1) / (d + 2 * n),
        ),
        Mistake(
            "the delay is left out of the steps: its blanks are steps too",
            lambda d, n=10, s=8: n * math.log(s) / (2 * n),
        ),
    ),
    styles=(
        lambda delay, length=10, symbols=8: length * np.log(symbols) / (delay + 2 * length),
        lambda delay, length=10, symbols=8: np.mean(np.r_[np.zeros(delay + length), np.full(length, np.log(symbols))]),
        lambda delay, length=10, symbols=8: float(np.log(float(symbols) ** length) / (delay + length + length)),
    ),
    hints=(
        "At which steps does somebody without memory know what to write? At which must they guess, and among how many?",
        "Blanks cost nothing. Each of the `length` symbols at the end costs log(symbols).",
        "length * np.log(symbols), divided by the number of all steps: delay + 2 * length.",
    ),
    unchanged=0.0,
)

EXERCISES = [orthogonal, truncated_bptt, adding_problem, copy_baseline]
