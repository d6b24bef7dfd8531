"""Lesson 02: the gradient of a shared weight, padding with a mask, a masked forward pass, the last real state.

The oracles process one sequence at a time and never see padding.
"""

from __future__ import annotations

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Exercise, Mistake, Tolerance
from autograde_tests.lesson_01_recurrence import forward_inputs, rnn_step_oracle
from autograde_tests.loops import REST_IS_ZERO, TOO_FEW, cut, with_zeros
from autograde_tests.sampling import Rng, numbers, sizes

# --------------------------------------------------------------------------------------- shared_slope


def shared_slope_oracle(xs, h_0, cell, i, j):
    """Return (slopes, shared) by propagating the exact derivative forwards, one copy at a time."""
    slopes = np.array([_derivative(xs, h_0, cell, i, j, {copy}) for copy in range(xs.shape[1])])
    return slopes, slopes.sum()


def _derivative(xs, h_0, cell, i, j, copies, *, every_state=False):
    """Return ds/dW_hh[i, j] with W_hh varied in some copies; s sums the last state, or with `every_state` all."""
    W_hh = cell[1]
    h, dh, total = h_0, np.zeros_like(h_0), 0.0
    for t in range(xs.shape[1]):
        da = dh @ W_hh
        if t in copies:
            da[:, j] += h[:, i]
        h = rnn_step_oracle(xs[:, t], h, *cell)
        dh = (1 - h**2) * da
        total += dh.sum()
    return total if every_state else dh.sum()


def _slope_inputs(rng: Rng, batch: int, steps: int, features: int, units: int, *, zero_start: bool = False) -> tuple:
    """Draw (xs, h_0, cell, i, j) with i != j."""
    xs, h_0, *cell = forward_inputs(rng, batch, steps, features, units, zero_start=zero_start)
    i, j = rng.choice(units, size=2, replace=False)
    return xs, h_0, tuple(cell), int(i), int(j)


def _last_sum(xs, h, cells):
    for t, (U, W, b) in enumerate(cells):
        h = np.tanh(xs[:, t] @ U + h @ W + b)
    return h[:, :].sum()


def _by_difference(xs, h_0, cell, i, j, eps=1e-6):
    W_xh, W_hh, b_h = cell
    bump = np.zeros_like(W_hh)
    bump[i, j] = eps
    slopes = []
    for t in range(xs.shape[1]):
        ends = []
        for sign in (1, -1):
            cells = [cell] * xs.shape[1]
            cells[t] = (W_xh, W_hh + sign * bump, b_h)
            ends.append(_last_sum(xs, h_0, cells))
        slopes.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(slopes), sum(slopes)


def _by_complex_step(xs, h_0, cell, i, j):
    W_xh, W_hh, b_h = cell
    bumped = W_hh.astype(complex)
    bumped[i, j] += 1e-20j
    steps = range(xs.shape[1])
    slopes = [_last_sum(xs, h_0, [(W_xh, bumped if t == k else W_hh, b_h) for t in steps]).imag / 1e-20 for k in steps]
    return np.array(slopes), float(np.sum(slopes))


def _by_backpropagation(xs, h_0, cell, i, j):
    _, W_hh, _ = cell
    states = [h_0]
    for t in range(xs.shape[1]):
        states.append(np.tanh(xs[:, t] @ cell[0] + states[-1] @ W_hh + cell[2]))
    slopes, dh = np.zeros(xs.shape[1]), np.ones_like(h_0)
    for t in reversed(range(xs.shape[1])):
        da = (1 - states[t + 1] ** 2) * dh
        slopes[t] = states[t][:, i] @ da[:, j]
        dh = da @ W_hh.T
    return slopes, slopes.sum()


def _varied(copies):
    """Return a wrong answer whose k-th slope varies the weight in copies(k, steps)."""

    def solve(xs, h_0, cell, i, j):
        steps = xs.shape[1]
        slopes = np.array([_derivative(xs, h_0, cell, i, j, copies(k, steps)) for k in range(steps)])
        return slopes, slopes.sum()

    return solve


def _of_every_state(xs, h_0, cell, i, j):
    steps = range(xs.shape[1])
    slopes = np.array([_derivative(xs, h_0, cell, i, j, {k}, every_state=True) for k in steps])
    return slopes, slopes.sum()


def _combined(combine):
    """Return a wrong answer that combines the right slopes otherwise."""

    def solve(*args):
        slopes, _ = _by_backpropagation(*args)
        return slopes, combine(slopes)

    return solve


def _scaled(factor):
    """Return a wrong answer whose slopes are factor(xs, h_0) times the right ones."""

    def solve(xs, h_0, *args):
        slopes, shared = _by_backpropagation(xs, h_0, *args)
        return slopes * factor(xs, h_0), shared * factor(xs, h_0)

    return solve


shared_slope = Exercise(
    name="shared_slope",
    challenges=(
        Challenge("one sequence, from zero", 1.0, lambda rng: _slope_inputs(rng, 1, 4, 2, 3, zero_start=True)),
        Challenge("a start that is not zero", 1.0, lambda rng: _slope_inputs(rng, 1, 3, 2, 6)),
        Challenge("a batch of sequences", 1.0, lambda rng: _slope_inputs(rng, 3, 4, 2, 6)),
        Challenge("a single copy", 0.5, lambda rng: _slope_inputs(rng, 5, 1, 6, 4)),
        Challenge("other sizes", 1.0, lambda rng: _slope_inputs(rng, *sizes(rng, 4)), hidden=True),
    ),
    oracle=shared_slope_oracle,
    tolerance=Tolerance(1e-5, "central differences with eps from 1e-6 to 1e-3, and one-sided ones with 1e-6"),
    mistakes=(
        Mistake(
            "You change the weight in all copies at once, so that each of your slopes is already the whole sum.",
            _varied(lambda k, steps: set(range(steps))),
        ),
        Mistake(
            "The changes of the earlier copies are still there when you change the next one: start from unchanged copies each time.",
            _varied(lambda k, steps: set(range(k + 1))),
        ),
        Mistake(
            "You change one copy and all that follow it, not this copy alone.",
            _varied(lambda k, steps: set(range(k, steps))),
        ),
        Mistake(
            "Your slopes are in reverse order: the first one belongs to the last copy.",
            _varied(lambda k, steps: {steps - 1 - k}),
        ),
        Mistake("You return the mean of the slopes; the gradient of a shared weight is their sum.", _combined(np.mean)),
        Mistake(
            "You return the product of the slopes; the gradient of a shared weight is their sum.", _combined(np.prod)
        ),
        Mistake(
            "You return the slope of the last copy; the gradient of a shared weight is the sum over all copies.",
            _combined(lambda slopes: slopes[-1]),
        ),
        Mistake(
            "You change W_hh[j, i] instead of W_hh[i, j].",
            lambda xs, h_0, cell, i, j: _by_backpropagation(xs, h_0, cell, j, i),
        ),
        Mistake(
            "Your slopes are twice the right ones: between w + eps and w - eps the distance is 2 * eps.",
            _scaled(lambda xs, h_0: 2.0),
        ),
        Mistake(
            "Your slopes are half the right ones: with one perturbed value, w + eps, you divide by eps alone.",
            _scaled(lambda xs, h_0: 0.5),
        ),
        Mistake(
            "All your slopes are zero: w + eps and w - eps give the same result. Are they two separate copies of W_hh?",
            _scaled(lambda xs, h_0: 0.0),
        ),
        Mistake(
            "Your s is the sum of the states of all steps; it should be that of the last state alone.", _of_every_state
        ),
        Mistake(
            "Your s is the mean over the entries of the last state; it should be their sum.",
            _scaled(lambda xs, h_0: 1 / h_0.size),
        ),
        Mistake(
            "Your s is averaged over the batch; it should be the sum over all its sequences.",
            lambda xs, h_0, *args: _scaled(lambda xs, h_0: 1 / len(h_0))(xs, h_0, *args),
        ),
    ),
    styles=(_by_difference, _by_complex_step, _by_backpropagation),
    hints=(
        "Which entries of the list of cells differ from the others when you change copy 2 alone?",
        "Make a copy of W_hh, add eps to its entry [i, j], and put it into one of the cells only. The same with -eps.",
        "For each t: cells = [cell] * steps; cells[t] = (W_xh, perturbed, b_h); "
        "s = unroll(xs, h_0, cells)[:, -1].sum(). The slope is (s_plus - s_minus) / (2 * eps).",
    ),
    promised=(
        ("i is always smaller than axis 1 of h_0", "it is an index"),
        ("j is always smaller than axis 1 of h_0", "it is an index"),
    ),
)

# ------------------------------------------------------------------------------------------ pad_batch


def pad_batch_oracle(sequences):
    """Return (xs, mask), filled element-wise."""
    steps, features = max(len(s) for s in sequences), sequences[0].shape[1]
    xs = [[[s[t][d] if t < len(s) else 0.0 for d in range(features)] for t in range(steps)] for s in sequences]
    mask = [[t < len(s) for t in range(steps)] for s in sequences]
    return np.array(xs, dtype=float), np.array(mask)


def _sequences(rng: Rng, lengths: list[int], features: int) -> tuple:
    return ([numbers(rng, length, features) for length in lengths],)


def _different_lengths(rng: Rng) -> tuple:
    return _sequences(rng, sizes(rng, 3), 2)


def _with_a_step_of_zeros(rng: Rng) -> tuple:
    (sequences,) = _sequences(rng, [4, 2, 3], 2)
    sequences[0][1] = 0.0
    sequences[2][2] = 0.0
    return (sequences,)


def _pad(sequences, *, front=False, fill=0.0):
    steps = max(len(s) for s in sequences)
    xs = np.full((len(sequences), steps, sequences[0].shape[1]), float(fill))
    mask = np.zeros((len(sequences), steps), dtype=bool)
    for row, s in enumerate(sequences):
        part = slice(steps - len(s), steps) if front else slice(0, len(s))
        xs[row, part], mask[row, part] = s, True
    return xs, mask


def _pad_repeating_last(sequences):
    xs, mask = _pad(sequences)
    for row, s in enumerate(sequences):
        xs[row, len(s) :] = s[-1]
    return xs, mask


def _cut_to_shortest(sequences):
    steps = min(len(s) for s in sequences)
    return np.stack([s[:steps] for s in sequences]), np.ones((len(sequences), steps), dtype=bool)


def _pad_with_np_pad(sequences):
    steps = max(map(len, sequences))
    xs = np.stack([np.pad(s, ((0, steps - len(s)), (0, 0))) for s in sequences])
    return xs, np.arange(steps) < np.array([[len(s)] for s in sequences])


def _pad_with_lists(sequences):
    steps, features = max(len(s) for s in sequences), len(sequences[0][0])
    xs = [[list(s[t]) if t < len(s) else [0.0] * features for t in range(steps)] for s in sequences]
    return np.array(xs), np.array([[t < len(s) for t in range(steps)] for s in sequences])


def _pad_by_counting_steps(sequences):
    xs, _ = _pad(sequences)
    lengths = np.array([len(s) for s in sequences])
    return xs, np.less.outer(np.arange(xs.shape[1]), lengths).T


pad_batch = Exercise(
    name="pad_batch",
    challenges=(
        Challenge("three different lengths", 1.5, _different_lengths),
        Challenge("a real step of zeros", 1.0, _with_a_step_of_zeros),
        Challenge("equal lengths", 0.5, lambda rng: _sequences(rng, [3, 3], 2)),
        Challenge(
            "one sequence or one step",
            0.5,
            lambda rng: _sequences(rng, [1] if rng.random() < 0.5 else [1, 5], 3),
            hidden=True,
        ),
        Challenge("a large batch", 1.0, lambda rng: _sequences(rng, list(rng.integers(1, 12, size=9)), 4), hidden=True),
    ),
    oracle=pad_batch_oracle,
    mistakes=(
        Mistake(
            "You pad in front of the sequences; here the padding comes after them.",
            lambda seqs: _pad(seqs, front=True),
        ),
        Mistake(
            "Your mask is inverted: it should be True where a step is real.",
            lambda seqs: (_pad(seqs)[0], ~_pad(seqs)[1]),
        ),
        Mistake(
            "Your mask is False at a real step whose inputs are all zero. Take it from the lengths, not from the values.",
            lambda seqs: (_pad(seqs)[0], np.any(_pad(seqs)[0] != 0, axis=-1)),
        ),
        Mistake("You return the pair in the wrong order; it should be xs, mask.", lambda seqs: _pad(seqs)[::-1]),
        Mistake(
            "Your mask is True everywhere; it should be False in the padding.",
            lambda seqs: (_pad(seqs)[0], np.ones_like(_pad(seqs)[1])),
        ),
        Mistake("You cut every sequence to the length of the shortest one; pad them to the longest.", _cut_to_shortest),
        Mistake("You pad with the last input; the padding should be zeros.", _pad_repeating_last),
        Mistake("You pad with ones; the padding should be zeros.", lambda seqs: _pad(seqs, fill=1.0)),
    ),
    styles=(_pad_with_np_pad, _pad_with_lists, _pad_by_counting_steps),
    hints=(
        "How many steps must the array have so that the longest sequence fits?",
        "Make xs all zeros and mask all False, big enough; then each sequence fills the beginning of its row.",
        "For row, s in enumerate(sequences): xs[row, :len(s)] = s and mask[row, :len(s)] = True.",
    ),
)

# --------------------------------------------------------------------------------- rnn_forward_masked


def rnn_forward_masked_oracle(xs, mask, h_0, W_xh, W_hh, b_h):
    """Return hs: for each sequence alone, step where the mask is on and repeat the state where it is off."""
    hs = np.empty((*mask.shape, len(b_h)))
    for row in range(len(xs)):
        h = h_0[row : row + 1]
        for t in range(xs.shape[1]):
            if mask[row, t]:
                h = rnn_step_oracle(xs[row : row + 1, t], h, W_xh, W_hh, b_h)
            hs[row, t] = h[0]
    return hs


def _masked_inputs(
    rng: Rng, rows: list[str], features: int, units: int, *, zero_start: bool = True, fill: float = 0.0
) -> tuple:
    """Draw (xs, mask, h_0, W_xh, W_hh, b_h); a row of the mask is a string such as "1101"; the padding contains `fill`."""
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    xs, *inputs = forward_inputs(rng, len(rows), len(rows[0]), features, units, zero_start=zero_start)
    xs[~mask] = fill
    return (xs, mask, *inputs)


def _masked_walk(xs, mask, h, U, W, b, *, keep=None, show=None):
    """Return the states. keep(h, h_0): the state after a masked step; show(h): the value stored for it."""
    states, h_0 = [], h
    for t in range(xs.shape[1]):
        on = np.asarray(mask[:, t], dtype=bool)[:, None]
        stepped = np.tanh(xs[:, t] @ U + h @ W + b)
        h = np.where(on, stepped, h if keep is None else keep(h, h_0))
        states.append(h if show is None else np.where(on, h, show(h)))
    return np.stack(states, axis=1)


def _stores_the_step_not_taken(xs, mask, h, U, W, b):
    states = []
    for t in range(xs.shape[1]):
        stepped = np.tanh(xs[:, t] @ U + h @ W + b)
        h = np.where(mask[:, t, None], stepped, h)
        states.append(stepped)
    return np.stack(states, axis=1)


def _masked_by_arithmetic(xs, mask, h_0, W_xh, W_hh, b_h):
    h, hs = h_0, np.zeros((*mask.shape, b_h.size))
    for t in range(mask.shape[1]):
        m = mask[:, t : t + 1].astype(float)
        h = m * np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h) + (1 - m) * h
        hs[:, t] = h
    return hs


def _masked_by_rows(xs, mask, h_0, W_xh, W_hh, b_h):
    h, hs = h_0.copy(), np.empty((*mask.shape, len(b_h)))
    for t in range(mask.shape[1]):
        on = np.flatnonzero(mask[:, t])
        h[on] = np.tanh(xs[on, t] @ W_xh + h[on] @ W_hh + b_h)
        hs[:, t] = h
    return hs


def _masked_one_sequence_at_a_time(xs, mask, h_0, W_xh, W_hh, b_h):
    rows = []
    for x, m, start in zip(xs, mask, h_0, strict=True):
        h, row = start, []
        for x_t, m_t in zip(x, m, strict=True):
            h = np.tanh(x_t @ W_xh + h @ W_hh + b_h) if m_t else h
            row.append(h)
        rows.append(row)
    return np.array(rows)


def _carries_the_step_not_taken(xs, mask, h, U, W, b):
    states = []
    for t in range(xs.shape[1]):
        stepped = np.tanh(xs[:, t] @ U + h @ W + b)
        states.append(np.where(mask[:, t, None], stepped, h))
        h = stepped
    return np.stack(states, axis=1)


def _masked_without_carry(xs, mask, h_0, U, W, b):
    h, states = h_0, []
    for t in range(xs.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(xs[:, t] @ U + h_0 @ W + b), h)
        states.append(h)
    return np.stack(states, axis=1)


rnn_forward_masked = Exercise(
    name="rnn_forward_masked",
    challenges=(
        Challenge("no padding", 1.0, lambda rng: _masked_inputs(rng, ["111", "111"], 4, 5)),
        Challenge("padding at the end", 1.0, lambda rng: _masked_inputs(rng, ["1111", "1100", "1000"], 2, 5)),
        Challenge("a gap in the middle", 1.0, lambda rng: _masked_inputs(rng, ["1011", "1101"], 3, 5, fill=2.0)),
        Challenge(
            "a masked first step",
            0.5,
            lambda rng: _masked_inputs(rng, ["0111", "0010"], 3, 5, zero_start=False),
        ),
        Challenge(
            "arbitrary values in the padding",
            0.5,
            lambda rng: _masked_inputs(rng, ["1100", "1110", "0000", "0110", "1011"], 6, 3, fill=7.0, zero_start=False),
            hidden=True,
        ),
        Challenge(
            "one sequence, as many features as units",
            0.5,
            lambda rng: _masked_inputs(rng, ["110110"], 3, 3, zero_start=False),
            hidden=True,
        ),
    ),
    oracle=rnn_forward_masked_oracle,
    mistakes=(
        Mistake("You ignore the mask.", lambda xs, m, h, U, W, b: _masked_walk(xs, np.ones_like(m), h, U, W, b)),
        Mistake(TOO_FEW, lambda xs, m, h, U, W, b: _masked_walk(cut(xs), m, h, U, W, b)),
        Mistake(REST_IS_ZERO, lambda xs, m, h, *cell: with_zeros(_masked_walk(cut(xs), m, h, *cell), xs.shape[1])),
        Mistake(
            "You set the state to zero at a masked step; it should be kept.",
            lambda xs, m, h, U, W, b: _masked_walk(xs, m, h, U, W, b, keep=lambda h, h_0: 0 * h),
        ),
        Mistake(
            "You set the state back to h_0 at a masked step; the current state should be kept.",
            lambda xs, m, h, U, W, b: _masked_walk(xs, m, h, U, W, b, keep=lambda h, h_0: h_0),
        ),
        Mistake(
            "You use the mask inverted: your step is taken where the mask is False.",
            lambda xs, m, h, U, W, b: _masked_walk(xs, ~m, h, U, W, b),
        ),
        Mistake(
            "You mask only the input, so the state still changes at a masked step.",
            lambda xs, m, h, U, W, b: _masked_walk(xs * m[..., None], np.ones_like(m), h, U, W, b),
        ),
        Mistake(
            "You keep the state, but store the result of the step that is not taken; store the kept state.",
            _stores_the_step_not_taken,
        ),
        Mistake(
            "You store zeros at the masked steps; store the kept state.",
            lambda xs, m, h, U, W, b: _masked_walk(xs, m, h, U, W, b, show=lambda h: 0 * h),
        ),
        Mistake(
            "You ignore h_0: your state starts at zero.", lambda xs, m, h, U, W, b: _masked_walk(xs, m, 0 * h, U, W, b)
        ),
        Mistake(
            "You take a step only where all sequences have one; decide for each sequence by itself.",
            lambda xs, m, h, *cell: _masked_walk(xs, np.repeat(m.all(axis=0)[None], len(m), axis=0), h, *cell),
        ),
        Mistake(
            "You take a step for all sequences where any has one; decide for each sequence by itself.",
            lambda xs, m, h, *cell: _masked_walk(xs, np.repeat(m.any(axis=0)[None], len(m), axis=0), h, *cell),
        ),
        Mistake(
            "You use the mask of the first sequence for all of them.",
            lambda xs, m, h, *cell: _masked_walk(xs, np.repeat(m[:1], len(m), axis=0), h, *cell),
        ),
        Mistake(
            "You ignore the mask in the loop and set masked states to zero afterwards; keep the state inside the loop.",
            lambda xs, m, h, *cell: _masked_walk(xs, np.ones_like(m), h, *cell) * m[..., None],
        ),
        Mistake(
            "You store the kept state, but carry on with the step that is not taken; carry the kept state.",
            _carries_the_step_not_taken,
        ),
        Mistake(
            "You use the number of real steps as the length of a sequence; with a gap the mask says something else.",
            lambda xs, m, h, *cell: _masked_walk(xs, np.arange(m.shape[1]) < m.sum(axis=1, keepdims=True), h, *cell),
        ),
        Mistake(
            "You stop at the first masked step; later steps may be real, and masked ones keep the state.",
            lambda xs, m, h, *cell: (lambda before: _masked_walk(xs, before, h, *cell) * before[..., None])(
                np.cumprod(m, axis=1).astype(bool)
            ),
        ),
        Mistake("The state is not carried over: every step starts from h_0.", _masked_without_carry),
    ),
    styles=(_masked_by_arithmetic, _masked_by_rows, _masked_one_sequence_at_a_time),
    hints=(
        "A sequence has ended. What should happen to its state while the others go on?",
        "Compute the new state for all sequences, then choose row by row: new where the mask is True, old elsewhere.",
        "Inside the loop: h = np.where(mask[:, t, None], rnn_step(xs[:, t], h, ...), h).",
    ),
    not_allowed=FROM_SCRATCH,
)

# ----------------------------------------------------------------------------------------- last_state


def last_state_oracle(hs, mask):
    """Return each sequence's state at its last real step, searching backwards."""
    rows = []
    for states, marks in zip(hs, mask, strict=True):
        t = len(marks) - 1
        while not marks[t]:
            t -= 1
        rows.append(states[t])
    return np.array(rows)


def _last_inputs(rng: Rng, rows: list[str], units: int) -> tuple:
    mask = np.array([[mark == "1" for mark in row] for row in rows])
    return numbers(rng, *mask.shape, units), mask


def _many_rows(rng: Rng) -> tuple:
    """Draw more sequences than steps, with gaps anywhere."""
    steps = int(rng.integers(5, 8))
    mask = rng.random((9, steps)) < rng.uniform(0.2, 0.8, size=(9, 1))
    mask[np.arange(9), rng.integers(0, steps, size=9)] = True
    return numbers(rng, 9, steps, 3), mask


def _pick(hs, index):
    return hs[np.arange(len(hs)), index]


def _last_index(mask):
    return mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)


def _last_by_rows(hs, mask):
    return np.stack([states[np.flatnonzero(marks)[-1]] for states, marks in zip(hs, mask, strict=True)])


def _last_by_largest_index(hs, mask):
    return _pick(hs, np.max(np.where(mask, np.arange(mask.shape[1]), -1), axis=1))


def _last_by_overwriting(hs, mask):
    last = np.zeros_like(hs[:, 0])
    for t in range(mask.shape[1]):
        last = np.where(mask[:, t, None], hs[:, t], last)
    return last


last_state = Exercise(
    name="last_state",
    challenges=(
        Challenge("different lengths", 1.5, lambda rng: _last_inputs(rng, ["11100", "11000", "11110"], 4)),
        Challenge("a gap in the middle", 1.0, lambda rng: _last_inputs(rng, ["010110", "101000"], 3)),
        Challenge("no padding", 0.5, lambda rng: _last_inputs(rng, ["111", "111"], 2)),
        Challenge("one sequence, one step", 0.5, lambda rng: _last_inputs(rng, ["1"], 4), hidden=True),
        Challenge("many sequences", 1.0, _many_rows, hidden=True),
    ),
    oracle=last_state_oracle,
    mistakes=(
        Mistake("You take the last column for every sequence, whether it is padding or not.", lambda hs, m: hs[:, -1]),
        Mistake(
            "You take the state one step after the last real one.",
            lambda hs, m: _pick(hs, _last_index(m) + 1),
        ),
        Mistake(
            "You take the state one step before the last real one.",
            lambda hs, m: _pick(hs, np.maximum(_last_index(m) - 1, 0)),
        ),
        Mistake(
            "You use the number of real steps as the position of the last one; with a gap these differ.",
            lambda hs, m: _pick(hs, m.sum(axis=1) - 1),
        ),
        Mistake(
            "You average the states of all real steps; pick the last one.",
            lambda hs, m: (hs * m[..., None]).sum(axis=1) / m.sum(axis=1, keepdims=True),
        ),
        Mistake(
            "You count the position from the end, in the reversed mask, but use it from the start.",
            lambda hs, m: _pick(hs, np.argmax(m[:, ::-1], axis=1)),
        ),
        Mistake("You take the first real state; it should be the last.", lambda hs, m: _pick(hs, np.argmax(m, axis=1))),
        Mistake(
            "You multiply the padding by zero and then take the last column.", lambda hs, m: (hs * m[..., None])[:, -1]
        ),
        Mistake(
            "You take the state before the first False; there may be gaps, and rows without a False.",
            lambda hs, m: _pick(hs, np.argmin(m, axis=1) - 1),
        ),
        Mistake(
            "You take the same step for every sequence, the last real one of the batch.",
            lambda hs, m: hs[:, np.nonzero(m)[1].max()],
        ),
        Mistake(
            "You take the last real step of the first sequence for all of them.",
            lambda hs, m: hs[:, np.nonzero(m[0])[0][-1]],
        ),
        Mistake(
            "You use the number of real steps as an index: subtract 1, and mind the gaps.",
            lambda hs, m: _pick(hs, m.sum(axis=1)),
        ),
        Mistake(
            "You add up the states of all real steps; pick the last one.", lambda hs, m: (hs * m[..., None]).sum(axis=1)
        ),
    ),
    styles=(_last_by_rows, _last_by_largest_index, _last_by_overwriting),
    hints=(
        "Each row of the mask ends at another step. How do you find the last True in one row?",
        "Loop over the steps and remember: wherever the mask is True, the state seen now replaces the one remembered. "
        "Or let np.argmax find the first True of the reversed mask.",
        "With index (batch,) in hand, hs[np.arange(len(hs)), index] picks one state from each row.",
    ),
    promised=(("mask is True somewhere in each row", "the task says so"),),
)

EXERCISES = [shared_slope, pad_batch, rnn_forward_masked, last_state]
