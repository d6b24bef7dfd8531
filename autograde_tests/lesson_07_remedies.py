"""Lesson 07: the adding problem, orthogonal initialisation, truncated backpropagation and overlapping windows."""

from __future__ import annotations

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
        Challenge("five units", 1.0, lambda rng: (5, 3)),
        Challenge("two units", 0.5, lambda rng: (2, 8)),
        Challenge("other sizes", 1.5, lambda rng: (int(rng.integers(3, 20)), int(rng.integers(100))), hidden=True),
    ),
    oracle=_gram_schmidt,
    mistakes=(
        Mistake(
            "The columns of your matrix are neither at right angles to each other nor of length 1.",
            lambda n, rng: rng.normal(size=(n, n)) / np.sqrt(n),
        ),
        Mistake(
            "The columns of your matrix have length 1, but they are not at right angles to each other.", _columns_only
        ),
        Mistake(
            "The rows of your matrix have length 1, but they are not at right angles to each other.",
            lambda n, rng: _columns_only(n, rng).T.copy(),
        ),
        Mistake(
            "Every generator gives the same matrix: draw the numbers from the argument `rng`.", lambda n, rng: np.eye(n)
        ),
        Mistake(
            "Two generators with the same seed give different matrices: draw every number from the argument `rng`.",
            _random_every_time,
        ),
        Mistake(
            "The columns of your matrix are at right angles, but their length is not 1: an orthogonal matrix preserves lengths.",
            lambda n, rng: 0.9 * _haar(n, rng),
        ),
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


def _pieces(key: str, steps: int, K: int, batch: int = 2, features: int = 3, units: int = 4):
    def draw(rng: Rng) -> tuple:
        dhs, (xs, _, h_0, hs, W_xh, W_hh) = _sequence_inputs(rng, ["1" * steps] * batch, features, units)
        return key, dhs, (xs, h_0, hs, W_xh, W_hh), K

    return draw


def _any_pieces(rng: Rng) -> tuple:
    """Draw a few sequences and a K that need not divide their length, and may exceed it."""
    features, units = sizes(rng, 2, 2, 12)
    return _pieces(
        "dW_hh", int(rng.integers(5, 10)), int(rng.integers(2, 13)), int(rng.integers(1, 13)), features, units
    )(rng)


def _truncated(
    dhs, cache, K, *, cut=lambda t, K, T: t % K == 0, forget=False, last=False, share=1.0, restart=False, steps=None,
    final=True,
):  # fmt: skip
    """Backpropagate; the carried error is dropped after step t if cut(t, K, T)."""
    xs, h_0, hs, W_xh, W_hh = cache
    T = steps(xs) if steps else xs.shape[1]
    dW_xh, dW_hh, db_h, carried = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros(len(W_hh)), np.zeros_like(h_0)
    for t in reversed(range(T)):
        if last and t < (T - 1) // K * K:
            break
        if not final and t >= T // K * K > 0:
            continue
        da = (dhs[:, t] + carried) * (1 - hs[:, t] ** 2)
        before = h_0 if t == 0 or (restart and t % K == 0) else hs[:, t - 1]
        dW_xh += share * xs[:, t].T @ da
        dW_hh += share * (0.0 if forget and t % K == 0 else 1.0) * before.T @ da
        db_h += share * da.sum(axis=0)
        carried = da @ W_hh.T * (not cut(t, K, T))
    return {"dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h}


def _loss_by_loss(dhs, cache, K, stride=1):
    """Follow each loss on its own, as far back as its window of K steps reaches; windows end after every `stride`."""
    xs, h_0, hs, W_xh, W_hh = cache
    steps = xs.shape[1]
    g = {"dW_xh": np.zeros_like(W_xh), "dW_hh": np.zeros_like(W_hh), "db_h": np.zeros(len(W_hh))}
    for t in range(steps):
        end = min((t // stride + 1) * stride, steps)
        dh = dhs[:, t]
        for k in range(t, max(end - K, 0) - 1, -1):
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
        Challenge("db_h for segments of 3", 0.75, _pieces("db_h", 7, 3)),
        Challenge("dW_xh for segments of 3", 0.75, _pieces("dW_xh", 7, 3)),
        Challenge("dW_hh for segments of 3", 0.75, _pieces("dW_hh", 7, 3)),
        Challenge("a single segment", 0.5, _pieces("dW_hh", 4, 4, batch=5, units=5)),
        Challenge("segments of one step", 0.25, _pieces("dW_hh", 4, 1), hidden=True),
        Challenge("segments of other lengths", 0.5, _any_pieces, hidden=True),
    ),
    oracle=truncated_bptt_oracle,
    mistakes=(
        Mistake(
            "You never cut the error: this is the gradient of full backpropagation through time.",
            lambda *a: _truncated(*a, cut=lambda t, K, T: False),
        ),
        Mistake(
            "Your cut is one step off: the error is dropped between the first two steps of a segment, and still crosses into the segment before.",
            lambda *a: _truncated(*a, cut=lambda t, K, T: (t - 1) % K == 0),
        ),
        Mistake(
            "You drop the state before each segment as well, so that its share of dW_hh is missing: only the error stops at the cut.",
            lambda *a: _truncated(*a, forget=True),
        ),
        Mistake(
            "You take h_0 as the state before every segment: it should be the last state of the segment before.",
            lambda *a: _truncated(*a, restart=True),
        ),
        Mistake(
            "You count the segments from the end of the sequence: the first segment should begin at step 0.",
            lambda *a: _truncated(*a, cut=lambda t, K, T: (T - t) % K == 0),
        ),
        Mistake(
            "Your cut is one step off: the error is dropped between the last two steps of a segment, and still crosses into the segment before.",
            lambda *a: _truncated(*a, cut=lambda t, K, T: (t + 1) % K == 0),
        ),
        Mistake(
            "The last segment is missing when it is shorter than K: its steps count as well.",
            lambda *a: _truncated(*a, final=False),
        ),
        Mistake(TOO_FEW, lambda *a: _truncated(*a, steps=counted)),
        Mistake(
            "Only the last segment contributes to your gradient: the gradients of all segments add up.",
            lambda *a: _truncated(*a, last=True),
        ),
        Mistake(
            "You follow the loss of each step back over K steps: here the sequence is cut into fixed segments of K steps instead.",
            _loss_by_loss,
        ),
        Mistake(
            "You average the gradients of the segments: they should be added up.",
            lambda d, c, K: (
                _truncated(d, c, K, share=1 / -(-d.shape[1] // K)) if d.shape[1] > K else _truncated(d, c, K)
            ),
        ),
    ),
    styles=(_truncated, _piece_by_piece, _errors_first),
    hints=(
        "What should the first step of a segment do with the error that it would pass to the step before it?",
        "It is rnn_backward with one change: after the first step of each segment, the carried error starts again from zero.",
        "Walking backwards, with t counted from 0: after step t set dh_next to zeros when t % K == 0.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(("cache[2] is always between -1 and 1", "hs is a tanh"),),
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


def _marked_everywhere(n, steps, rng):
    """Set the marks of all sequences in each of them: a slice and an array of places do not go together row by row."""
    xs = np.zeros((n, steps, 2))
    xs[:, :, 0] = rng.random((n, steps))
    xs[:, rng.integers(0, steps // 2, size=n), 1] = 1
    xs[:, rng.integers(steps // 2, steps, size=n), 1] = 1
    return xs, (xs[..., 0] * xs[..., 1]).sum(axis=1)


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
        Challenge("the values", 0.5, lambda rng: ("inputs", 30, 8, 1)),
        Challenge("the marks", 1.5, lambda rng: ("marks", 300, 7, 2)),
        Challenge("the targets", 1.5, lambda rng: ("targets", 300, 7, 3)),
        Challenge("draws from the generator", 0.5, lambda rng: ("random", 20, 6, 4)),
        Challenge(
            "the marks for other sizes",
            1.0,
            lambda rng: ("marks", 400, int(rng.integers(4, 11)), int(rng.integers(2**30))),
            hidden=True,
        ),
    ),
    oracle=_adding_by_loops,
    mistakes=(
        Mistake(
            "Both of your marks can fall into the same half: there should be exactly one in each half.",
            lambda *a: _adding(*a, anywhere=True),
        ),
        Mistake(
            "Some of your sequences do not have two marks: make sure that both cannot fall on the same step.",
            lambda *a: _adding(*a, coincide=True),
        ),
        Mistake(
            "All of your sequences have the same two marks: draw new places for each sequence.",
            lambda *a: _adding(*a, same=True),
        ),
        Mistake(
            "Some steps are never marked: check both ends of your ranges (rng.integers excludes its upper end).",
            lambda *a: _adding(*a, late=True),
        ),
        Mistake(
            "Your target is the mean of the two marked values: it should be their sum.",
            lambda *a: _adding(*a, target=lambda v, m: (v * m).sum(axis=1) / 2),
        ),
        Mistake(
            "Your target adds up all values: only the two marked ones count.",
            lambda *a: _adding(*a, target=lambda v, m: v.sum(axis=1)),
        ),
        Mistake(
            "Some of your values are not between 0 and 1: draw them uniformly from that range, as rng.random does.",
            lambda *a: _adding(*a, values=lambda rng, size: rng.normal(size=size)),
        ),
        Mistake(
            "Two generators with the same seed give different tasks: draw every number from the argument `rng`.",
            lambda n, steps, rng: _adding(n, steps, np.random.default_rng()),
        ),
        Mistake(
            "Every generator gives the same task: draw every number from the argument `rng`.",
            lambda n, steps, rng: _adding(n, steps, np.random.default_rng(0)),
        ),
        Mistake(
            "Your target is the product of the two marked values: it should be their sum.",
            lambda *a: _adding(*a, target=lambda v, m: np.prod(np.where(m == 1, v, 1.0), axis=1)),
        ),
        Mistake(
            "The values and the marks are interchanged: the values belong in xs[..., 0], the marks in xs[..., 1].",
            lambda *a: tuple(part[..., ::-1] if part.ndim == 3 else part for part in _adding(*a)),
        ),
        Mistake(
            "Every sequence has the same marks, and more than two of them: `xs[:, places, 1] = 1` marks all places in all "
            "rows, `xs[np.arange(n), places, 1] = 1` one place in each row.",
            _marked_everywhere,
        ),
    ),
    styles=(_adding, _adding_by_permutation, lambda n, steps, rng: tuple(_adding(n, steps, rng))),
    hints=(
        "What does a sequence of 6 steps look like when you write it down by hand?",
        "rng.random((n, steps)) gives the values. For the marks draw one place from range(0, steps // 2) and one from range(steps // 2, steps) for each row.",
        "marks[np.arange(n), places] = 1 sets one mark in each row; the target is (values * marks).sum(axis=1); np.stack(..., axis=-1).",
    ),
    probe="adding",
    unchanged=0.0,
    promised=(("input 1 is always larger than input 2", "it takes many sequences to see which steps are marked"),),
)

# ---------------------------------------------------------------------------------------- sliding_bptt


def sliding_bptt_oracle(dhs, cache, K, stride):
    """Return the gradients of each window's loss with the state before the window held fixed, by the complex step."""
    xs, h_0, hs, W_xh, W_hh = cache
    real = np.ones(xs.shape[:2], dtype=bool)
    point = {"dW_xh": W_xh, "dW_hh": W_hh, "db_h": _sequence_bias(xs, real, h_0, hs, W_xh, W_hh)}

    def loss(name, array):
        weights = {**point, name: array}.values()
        total = 0.0
        for first in range(0, xs.shape[1], stride):
            end = min(first + stride, xs.shape[1])
            start = max(end - K, 0)
            before = hs[:, start - 1] if start else h_0
            states = _walk(xs[:, start:end], real[:, start:end], before, *weights)
            total += sum(np.sum(dhs[:, t] * states[t - start]) for t in range(first, end))
        return total

    return Gradients(loss, point)


def _windows(key: str, steps: int, K: int, stride: int, batch: int = 2, features: int = 3, units: int = 4):
    def draw(rng: Rng) -> tuple:
        key_, dhs, cache, _ = _pieces(key, steps, K, batch, features, units)(rng)
        return key_, dhs, cache, K, stride

    return draw


def _any_windows(rng: Rng) -> tuple:
    features, units = sizes(rng, 2, 2, 12)
    K = int(rng.integers(2, 13))
    stride = int(rng.integers(1, K + 1))
    return _windows("dW_hh", int(rng.integers(5, 10)), K, stride, int(rng.integers(1, 13)), features, units)(rng)


def _slide(
    dhs,
    cache,
    K,
    stride,
    *,
    start=lambda first, end, K: end - K,
    every_loss=False,
    partial=True,
    restart=False,
    wraps=False,
    share=lambda windows: 1.0,
    steps=None,
):
    """Go back from the end of each window. start: where the window begins; every_loss: whether all its losses count."""
    xs, h_0, hs, W_xh, W_hh = cache
    T = steps(xs) if steps else xs.shape[1]
    firsts = [first for first in range(0, T, stride) if partial or first + stride <= T]
    g = {"dW_xh": np.zeros_like(W_xh), "dW_hh": np.zeros_like(W_hh), "db_h": np.zeros(len(W_hh))}
    for first in firsts:
        end = min(first + stride, T)
        begin, dh = max(start(first, end, K), -T if wraps else 0), np.zeros_like(h_0)
        for t in range(end - 1, begin - 1, -1):
            if every_loss or t >= first:
                dh = dh + dhs[:, t]
            da = dh * (1 - hs[:, t] ** 2)
            before = h_0 if t <= 0 or (restart and t == begin) else hs[:, t - 1]
            g["dW_xh"] += xs[:, t].T @ da
            g["dW_hh"] += before.T @ da
            g["db_h"] += da.sum(axis=0)
            dh = da @ W_hh.T
    return {name: share(len(firsts)) * array for name, array in g.items()}


def _slide_by_truncation(dhs, cache, K, stride):
    """Backpropagate through each window whole, with the earlier losses set to zero."""
    xs, h_0, hs, W_xh, W_hh = cache
    total = {"dW_xh": 0.0, "dW_hh": 0.0, "db_h": 0.0}
    for first in range(0, xs.shape[1], stride):
        end = min(first + stride, xs.shape[1])
        begin = max(0, end - K)
        window = slice(begin, end)
        window_dhs = dhs[:, window] * (np.arange(begin, end) >= first)[None, :, None]
        before = hs[:, begin - 1] if begin else h_0
        part = _truncated(window_dhs, (xs[:, window], before, hs[:, window], W_xh, W_hh), end - begin)
        total = {name: total[name] + part[name] for name in total}
    return total


sliding_bptt = Exercise(
    name="sliding_bptt",
    challenges=(
        Challenge("db_h for windows of 5 with stride 2", 1.0, _windows("db_h", 8, 5, 2)),
        Challenge(
            "dW_xh for windows of 5 with stride 2", 0.5, _windows("dW_xh", 8, 5, 2, batch=9, features=5, units=2)
        ),
        Challenge("dW_hh for windows of 5 with stride 2", 1.0, _windows("dW_hh", 8, 5, 2)),
        Challenge("a shorter last window", 0.5, _windows("dW_hh", 8, 4, 3, batch=3, features=2, units=6)),
        Challenge("stride 1", 0.5, _windows("dW_hh", 6, 3, 1, batch=5, units=5)),
        Challenge("stride K", 0.5, _windows("dW_hh", 6, 8, 8), hidden=True),
        Challenge("other windows", 0.5, _any_windows, hidden=True),
    ),
    oracle=sliding_bptt_oracle,
    mistakes=(
        Mistake(
            "You count the losses of all steps of each window; count only those of its last `stride` steps.",
            lambda *a: _slide(*a, every_loss=True),
        ),
        Mistake(
            "Your windows do not overlap: go back K steps from the end of each window, not only to its first own loss.",
            lambda *a: _slide(*a, start=lambda first, end, K: first),
        ),
        Mistake(
            "Your windows reach one step too far back: they hold K steps, their own included.",
            lambda *a: _slide(*a, start=lambda first, end, K: end - K - 1),
        ),
        Mistake(
            "Your windows are one step too short: they hold K steps, their own included.",
            lambda *a: _slide(*a, start=lambda first, end, K: min(first, end - K + 1)),
        ),
        Mistake(
            "You go back K steps from the first loss of each window; go back K steps from its end.",
            lambda *a: _slide(*a, start=lambda first, end, K: first - K),
        ),
        Mistake(
            "You go back to the beginning of the sequence: this is full backpropagation through time.",
            lambda *a: _slide(*a, start=lambda first, end, K: 0),
        ),
        Mistake(
            "The last window is missing when it has fewer than `stride` losses: its losses count as well.",
            lambda *a: _slide(*a, partial=False),
        ),
        Mistake(
            "Your first windows begin before step 0, so that a negative t picks steps from the end: stop at step 0.",
            lambda *a: _slide(*a, wraps=True),
        ),
        Mistake(
            "You take h_0 as the state before every window: it should be the state of the step before.",
            lambda *a: _slide(*a, restart=True),
        ),
        Mistake(
            "You average the gradients of the windows: they should be summed.",
            lambda *a: _slide(*a, share=lambda windows: 1 / windows),
        ),
        Mistake(TOO_FEW, lambda *a: _slide(*a, steps=counted)),
    ),
    styles=(_slide, _slide_by_truncation, _loss_by_loss),
    hints=(
        "Which losses belong to the window that ends before step `end`? And how far back do their errors go?",
        "Loop over the first own step of each window: 0, stride, 2 stride, ... From its end go backwards over K steps, and add dhs[:, t] only where t is one of its own steps.",
        "end = min(first + stride, steps); for t from end - 1 down to max(end - K, 0): if t >= first, dh = dh + dhs[:, t]; then one backward step as in truncated_bptt.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=FROM_SCRATCH,
    promised=(
        ("cache[2] is always between -1 and 1", "hs is a tanh"),
        ("K is always at least stride", "the task says so"),
    ),
)

EXERCISES = [adding_problem, orthogonal, truncated_bptt, sliding_bptt]
