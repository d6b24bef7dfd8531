"""Lesson 11: stacked layers, bidirectional layers, error rates of frames, CTC's last step, a recogniser of digits.

The oracles process one sequence at a time, cut to its length, so that they never see padding.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Claims, ClaimsExercise, Exercise, Mistake
from autograde_tests.lesson_01_recurrence import rnn_step_oracle
from autograde_tests.loops import REST_IS_ZERO, TOO_FEW, cut, with_zeros
from autograde_tests.sampling import Rng, numbers
from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    BEATS_FRAMEWISE,
    COMPILED,
    EARLIER_FRAMES_MATTER,
    LATER_FRAMES_MATTER,
    LOSS_TAKES_LOGITS,
    ONE_LOGIT_PER_CLASS,
    OUTPUT_PER_FRAME,
    UNBOUNDED,
)


def _weights(rng: Rng, features: int, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return numbers(rng, features, units, scale=0.6), numbers(rng, units, units, scale=0.6), numbers(rng, units)


def _alone(xs: np.ndarray, W_xh, W_hh, b_h) -> np.ndarray:
    """Return the states of one sequence, (steps, units), step by step from a state of zeros."""
    h, hs = np.zeros((1, len(b_h))), []
    for x_t in xs:
        h = rnn_step_oracle(x_t[None], h, W_xh, W_hh, b_h)
        hs.append(h[0])
    return np.array(hs)


# -------------------------------------------------------------------------------------- stack_forward


def stack_forward_oracle(xs, layers):
    """Return the states of the last layer, one sequence after the other."""
    rows = []
    for sequence in xs:
        row = sequence
        for weights in layers:
            row = _alone(row, *weights)
        rows.append(row)
    return np.array(rows)


def _stack_inputs(rng: Rng, batch: int, steps: int, widths: list[int]) -> tuple:
    layers = [_weights(rng, below, units) for below, units in zip(widths, widths[1:], strict=False)]
    return numbers(rng, batch, steps, widths[0]), layers


def _walk(xs, weights, h=None):
    W_xh, W_hh, b_h = weights
    h, states = np.zeros((len(xs), len(b_h))) if h is None else h, []
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
        states.append(h)
    return np.stack(states, axis=1)


def _stack(xs, layers):
    for weights in layers:
        xs = _walk(xs, weights)
    return xs


def _stack_step_by_step(xs, layers):
    states, top = [np.zeros((len(xs), len(b))) for _, _, b in layers], []
    for t in range(xs.shape[1]):
        below = xs[:, t]
        for number, (W_xh, W_hh, b_h) in enumerate(layers):
            below = states[number] = np.tanh(below @ W_xh + states[number] @ W_hh + b_h)
        top.append(below)
    return np.stack(top, axis=1)


def _stack_recursive(xs, layers):
    return _stack_recursive(_walk(xs, layers[0]), layers[1:]) if layers else xs


def _each_reads_the_input(xs, layers):
    """Feed the inputs to every layer; an error where their sizes do not match."""
    for weights in layers:
        hs = _walk(xs, weights)
    return hs


def _not_carried(xs, layers):
    for W_xh, _, b_h in layers:
        xs = np.tanh(xs @ W_xh + b_h)
    return xs


def _last_state_only(xs, layers):
    for weights in layers[:-1]:
        hs = _walk(xs, weights)
        xs = np.repeat(hs[:, -1:], hs.shape[1], axis=1)
    return _walk(xs, layers[-1])


def _handed_up(xs, layers):
    """Start each layer from the last state of the layer below; an error where their widths differ."""
    h = None
    for weights in layers:
        xs = _walk(xs, weights, h)
        h = xs[:, -1]
    return xs


def _added_up(xs, layers):
    for weights in layers:
        hs = _walk(xs, weights)
        xs = hs + xs if hs.shape == xs.shape else hs
    return xs


stack_forward = Exercise(
    name="stack_forward",
    challenges=(
        Challenge("a single layer", 0.5, lambda rng: _stack_inputs(rng, 2, 4, [3, 5])),
        Challenge("three layers of equal width", 1.0, lambda rng: _stack_inputs(rng, 2, 4, [3, 3, 3, 3])),
        Challenge("two layers of different widths", 1.0, lambda rng: _stack_inputs(rng, 2, 3, [4, 6, 5])),
        Challenge("a single step", 0.5, lambda rng: _stack_inputs(rng, 3, 1, [2, 4, 5])),
        Challenge("four layers, one sequence", 0.5, lambda rng: _stack_inputs(rng, 1, 7, [3, 4, 4, 2, 5]), hidden=True),
    ),
    oracle=stack_forward_oracle,
    mistakes=(
        Mistake(
            "Every layer reads the inputs: only the first one should, and each of the others reads the states of the layer below.",
            _each_reads_the_input,
        ),
        Mistake("The state is not carried over: in every layer, each step starts from zeros.", _not_carried),
        Mistake(
            "You apply the layers in reverse order: the first layer of the list reads the inputs.",
            lambda xs, layers: _stack(xs, layers[::-1]),
        ),
        Mistake(
            "You apply the first layer again and again: each layer has weights of its own.",
            lambda xs, layers: _stack(xs, [layers[0]] * len(layers)),
        ),
        Mistake(TOO_FEW, lambda xs, layers: _stack(cut(xs), layers)),
        Mistake(REST_IS_ZERO, lambda xs, layers: with_zeros(_stack(cut(xs), layers), xs.shape[1])),
        Mistake("You use the first layer only.", lambda xs, layers: _walk(xs, layers[0])),
        Mistake("You leave out the last layer.", lambda xs, layers: _stack(xs, layers[:-1] or layers)),
        Mistake(
            "Each layer reads only the last state of the layer below, at every step: at step t it should read the state of step t.",
            _last_state_only,
        ),
        Mistake("Each layer starts from the last state of the layer below: it should start from zeros.", _handed_up),
        Mistake("You add the input of a layer to its output: the output alone goes into the next layer.", _added_up),
        Mistake(
            "You return only the last state: return the states of all steps.",
            lambda xs, layers: _stack(xs, layers)[:, -1],
        ),
        Mistake(
            "You concatenate the states of all layers: return those of the last layer only.",
            lambda xs, layers: np.concatenate([_stack(xs, layers[: n + 1]) for n in range(len(layers))], axis=2),
        ),
        Mistake(
            "Your steps come first: the shape should be (batch, steps, units).",
            lambda xs, layers: _stack(xs, layers).swapaxes(0, 1),
        ),
    ),
    styles=(_stack, _stack_step_by_step, _stack_recursive),
    hints=(
        "What does the second layer read at step t, and which layer computed it?",
        "A layer turns (batch, steps, features) into (batch, steps, units), which can be the input of the next layer.",
        "for W_xh, W_hh, b_h in layers: run lesson 01's loop over xs from zeros (batch, units), and let its states be the next xs.",
    ),
    not_allowed=FROM_SCRATCH,
)

# ------------------------------------------------------------------------------- bidirectional_forward


def bidirectional_forward_oracle(xs, mask, forward, backward):
    """Return both directions' states side by side: each sequence is cut to its length, processed and reversed."""
    units, other = len(forward[2]), len(backward[2])
    hs = np.zeros((*mask.shape, units + other))
    for row, (sequence, on) in enumerate(zip(xs, mask, strict=True)):
        length = int(on.sum())
        ahead, back = _alone(sequence[:length], *forward), _alone(sequence[:length][::-1], *backward)[::-1]
        hs[row, :length] = np.concatenate([ahead, back], axis=1)
        hs[row, length:, :units] = ahead[-1]
    return hs


def _both_inputs(
    rng: Rng, lengths: list[int], features: int, units: int, *, other: int = 0, fill: float = 0.0
) -> tuple:
    steps = max(lengths)
    mask = np.arange(steps) < np.array(lengths)[:, None]
    xs = np.where(mask[..., None], numbers(rng, len(lengths), steps, features), fill)
    return xs, mask, _weights(rng, features, units), _weights(rng, features, other or units)


def _any_directions(rng: Rng) -> tuple:
    """Draw a batch in which every sequence has padding, with numbers in it."""
    features, units, other = rng.integers(1, 6, size=3).tolist()
    lengths = [*rng.integers(1, 6, size=int(rng.integers(2, 8))).tolist(), 6]
    xs, mask, forward, backward = _both_inputs(rng, lengths, features, units, other=other, fill=7.0)
    return xs[:-1], mask[:-1], forward, backward


def _masked(xs, mask, weights, *, reverse=False):
    W_xh, W_hh, b_h = weights
    h, hs = np.zeros((len(xs), len(b_h))), np.zeros((*mask.shape, len(b_h)))
    steps = range(xs.shape[1])
    for t in reversed(steps) if reverse else steps:
        h = hs[:, t] = np.where(mask[:, t, None], np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h), h)
    return hs


def _side_by_side(a, b):
    return np.concatenate([a, b], axis=2)


def _bidirectional(xs, mask, forward, backward):
    return _side_by_side(_masked(xs, mask, forward), _masked(xs, mask, backward, reverse=True))


def _bidirectional_turned(xs, mask, forward, backward):
    """Reverse the batch including the padding; the mask keeps the state at zero until the sequence begins."""
    back = _masked(xs[:, ::-1], mask[:, ::-1], backward)[:, ::-1]
    return np.dstack([_masked(xs, mask, forward), back])


def _bidirectional_by_index(xs, mask, forward, backward):
    """Reverse each sequence within its length, and its states in the same way."""
    lengths, steps = mask.sum(axis=1), np.arange(xs.shape[1])
    places = np.where(mask, lengths[:, None] - 1 - steps, steps)[..., None]
    back = _masked(np.take_along_axis(xs, places, axis=1), mask, backward)
    back = np.take_along_axis(back, places, axis=1) * mask[..., None]
    return np.concatenate((_masked(xs, mask, forward), back), axis=-1)


def _padding_read(xs, mask, forward, backward):
    everywhere = np.ones_like(mask)
    return _side_by_side(_masked(xs, mask, forward), _masked(xs, everywhere, backward, reverse=True))


def _not_turned_back(xs, mask, forward, backward):
    return _side_by_side(_masked(xs, mask, forward), _masked(xs[:, ::-1], mask[:, ::-1], backward))


def _whole_output_turned(xs, mask, forward, backward):
    """Reverse the sequences within their length, but the states including the padding."""
    lengths, steps = mask.sum(axis=1), np.arange(xs.shape[1])
    places = np.where(mask, lengths[:, None] - 1 - steps, steps)[..., None]
    back = _masked(np.take_along_axis(xs, places, axis=1), mask, backward)
    return _side_by_side(_masked(xs, mask, forward), back[:, ::-1])


def _goes_on(xs, mask, forward, backward):
    """Start the backward direction from the final state of the forward direction; an error where their widths differ."""
    ahead = _masked(xs, mask, forward)
    (W_xh, W_hh, b_h), h, hs = backward, ahead[:, -1], np.zeros_like(ahead)
    for t in reversed(range(xs.shape[1])):
        h = hs[:, t] = np.where(mask[:, t, None], np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h), h)
    return _side_by_side(ahead, hs)


def _padding_kept(xs, mask, forward, backward):
    """Reverse each sequence within its length, and leave in the padding what the loop kept there."""
    lengths, steps = mask.sum(axis=1), np.arange(xs.shape[1])
    places = np.where(mask, lengths[:, None] - 1 - steps, steps)[..., None]
    back = _masked(np.take_along_axis(xs, places, axis=1), mask, backward)
    return _side_by_side(_masked(xs, mask, forward), np.take_along_axis(back, places, axis=1))


bidirectional_forward = Exercise(
    name="bidirectional_forward",
    challenges=(
        Challenge("no padding at all", 0.75, lambda rng: _both_inputs(rng, [4, 4], 3, 5)),
        Challenge("sequences of three lengths", 1.25, lambda rng: _both_inputs(rng, [5, 3, 1], 2, 4)),
        Challenge("two directions of different widths", 0.25, lambda rng: _both_inputs(rng, [3, 2], 3, 5, other=4)),
        Challenge("a single step", 0.25, lambda rng: _both_inputs(rng, [1, 1], 3, 2)),
        Challenge(
            "other values in the padding",
            1.0,
            _any_directions,
            hidden=True,
        ),
    ),
    oracle=bidirectional_forward_oracle,
    mistakes=(
        Mistake(
            "Your backward direction reads the padding: where the mask is False, the state should stay as it is.",
            _padding_read,
        ),
        Mistake(
            "You do not reverse the states of the backward direction again: the state of the last step comes first.",
            _not_turned_back,
        ),
        Mistake(
            "You reverse each sequence within its own length, but its states over all steps, padding included.",
            _whole_output_turned,
        ),
        Mistake(
            "You ignore the mask in both directions.", lambda xs, m, f, b: _bidirectional(xs, np.ones_like(m), f, b)
        ),
        Mistake(
            "Both directions read forwards: the backward direction should start at the last real step.",
            lambda xs, m, f, b: _side_by_side(_masked(xs, m, f), _masked(xs, m, b)),
        ),
        Mistake(TOO_FEW, lambda xs, m, f, b: _bidirectional(cut(xs), cut(m), f, b)),
        Mistake(REST_IS_ZERO, lambda xs, m, f, b: with_zeros(_bidirectional(cut(xs), cut(m), f, b), xs.shape[1])),
        Mistake("Both directions use the weights `forward`.", lambda xs, m, f, b: _bidirectional(xs, m, f, f)),
        Mistake(
            "The weights are interchanged: the forward direction uses `backward`, and the backward direction uses `forward`.",
            lambda xs, m, f, b: _bidirectional(xs, m, b, f),
        ),
        Mistake(
            "You put the backward states first: the forward states come first.",
            lambda xs, m, f, b: np.roll(_bidirectional(xs, m, f, b), len(b[2]), axis=2),
        ),
        Mistake(
            "Your backward direction starts from the last state of the forward direction: it should start from zeros.",
            _goes_on,
        ),
        Mistake(
            "You add the states of the two directions: concatenate them along the last axis.",
            lambda xs, m, f, b: _masked(xs, m, f) + _masked(xs, m, b, reverse=True),
        ),
        Mistake(
            "You reverse the inputs of the backward direction, but not the mask.",
            lambda xs, m, f, b: _side_by_side(_masked(xs, m, f), _masked(xs[:, ::-1], m, b)[:, ::-1]),
        ),
        Mistake(
            "In the padding, the backward direction shows a state: it should show zeros, the state that it starts from.",
            _padding_kept,
        ),
        Mistake(
            "In the padding, your forward direction shows zeros: it should show the state that it keeps.",
            lambda xs, m, f, b: _bidirectional(xs, m, f, b) * m[..., None],
        ),
    ),
    styles=(_bidirectional, _bidirectional_turned, _bidirectional_by_index),
    hints=(
        "In which order does the backward direction read the steps of a sequence of length 3 in a batch of 5 steps? What should happen at the two steps of padding?",
        "Go through the steps from the last to the first, and keep the state (zeros) where the mask is False. Store each state at its own step.",
        "for t in reversed(range(steps)): h = np.where(mask[:, t, None], the step, h); hs[:, t] = h. Then np.concatenate([ahead, back], axis=2).",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(
        ("mask has no gaps", "the task says that padding is at the end"),
        ("mask is True at every first step", "the task says that padding is at the end"),
        ("mask is True somewhere in each row", "a sequence has at least one step"),
    ),
)

# ----------------------------------------------------------------------------------- frame_error_rate


def frame_error_rate_oracle(predicted, labels, mask):
    """Count the frames one by one."""
    wrong = real = 0
    for guess, label, on in zip(predicted.ravel(), labels.ravel(), mask.ravel(), strict=True):
        real += int(on)
        wrong += int(on and guess != label)
    return wrong / real


def _frames(rng: Rng, lengths: list[int], wrong: list[int], *, padding_right: bool) -> tuple:
    """Draw labels, and guesses with the given number of errors per sequence; in the padding all or none are correct."""
    steps = max(lengths)
    order = rng.permutation(len(lengths))
    lengths, wrong = [lengths[k] for k in order], [wrong[k] for k in order]
    mask = np.arange(steps) < np.array(lengths)[:, None]
    labels = np.where(mask, rng.integers(0, 11, size=mask.shape), 10)
    predicted = np.where(mask, labels, 10 if padding_right else rng.integers(0, 10, size=mask.shape))
    for row, (length, count) in enumerate(zip(lengths, wrong, strict=True)):
        places = rng.choice(length, size=count, replace=False)
        predicted[row, places] = (labels[row, places] + rng.integers(1, 11, size=count)) % 11
    return predicted, labels, mask


def _guessed(lengths: list[int], *, padding_right: bool):
    """Draw the number of wrong guesses in each sequence: some, but not all."""
    return lambda rng: _frames(rng, lengths, [int(rng.integers(1, n)) for n in lengths], padding_right=padding_right)


def _gapped(rng: Rng) -> tuple:
    """Draw more sequences than steps, with padding at any place."""
    frames = _guessed(rng.integers(3, 9, size=12).tolist(), padding_right=False)(rng)
    more = [
        np.concatenate([part, np.full((12, 1), value)], axis=1)
        for part, value in zip(frames, (3, 10, False), strict=True)
    ]
    order = rng.permutation(more[0].shape[1])
    predicted, labels, mask = (part[:, order] for part in more)
    return predicted, labels, mask.astype(bool)


def _by_sequence(predicted, labels, mask):
    return np.mean([np.mean(p[m] != y[m]) for p, y, m in zip(predicted, labels, mask, strict=True)])


frame_error_rate = Exercise(
    name="frame_error_rate",
    challenges=(
        Challenge(
            "no padding at all",
            0.25,
            lambda rng: _frames(rng, [6, 6], [3, 1], padding_right=True),
            fresh=_guessed([6, 6], padding_right=True),
        ),
        Challenge(
            "padding that was guessed right",
            0.5,
            lambda rng: _frames(rng, [9, 3, 2], [2, 2, 0], padding_right=True),
            fresh=_guessed([9, 3, 2], padding_right=True),
        ),
        Challenge(
            "padding that was guessed wrong",
            0.25,
            lambda rng: _frames(rng, [7, 2], [2, 1], padding_right=False),
            fresh=_guessed([7, 2], padding_right=False),
        ),
        Challenge("many frames", 0.5, _gapped, hidden=True),
    ),
    oracle=frame_error_rate_oracle,
    mistakes=(
        Mistake(
            "You count the padding as well: only frames where the mask is True count.", lambda p, y, m: np.mean(p != y)
        ),
        Mistake(
            "You divide by the number of all frames, padding included: divide by the number of real frames.",
            lambda p, y, m: np.mean((p != y) & m),
        ),
        Mistake(
            "You return the fraction of correct frames: return the fraction of wrong ones.",
            lambda p, y, m: np.mean((p == y)[m]),
        ),
        Mistake("You average the rates of the sequences: every real frame should count once.", _by_sequence),
        Mistake(
            "You return the number of wrong frames: divide it by the number of real frames.",
            lambda p, y, m: float(np.sum((p != y) & m)),
        ),
        Mistake("You return a percentage: return a fraction from 0 to 1.", lambda p, y, m: 100 * np.mean((p != y)[m])),
        Mistake(
            "Your mask is inverted: it is True where a frame is real.",
            lambda p, y, m: np.mean((p != y)[~m]) if not m.all() else 0.0,
        ),
        Mistake(
            "You average the differences between the label numbers: a label is either right or wrong.",
            lambda p, y, m: np.mean(np.abs(p - y)[m]),
        ),
        Mistake(
            "You count the wrong labels in the padding, although you divide by the number of real frames.",
            lambda p, y, m: np.sum(p != y) / m.sum(),
        ),
        Mistake(
            "You divide by the number of sequences: divide by the number of real frames.",
            lambda p, y, m: np.sum((p != y) & m) / len(m),
        ),
    ),
    styles=(
        lambda predicted, labels, mask: np.mean(predicted[mask] != labels[mask]),
        lambda predicted, labels, mask: float(((predicted != labels) * mask).sum() / mask.sum()),
        lambda predicted, labels, mask: np.average(predicted != labels, weights=mask),
    ),
    hints=(
        "How many frames are real? How many of those are wrong?",
        "predicted != labels is True where a prediction is wrong. Which of these entries should count?",
        "np.mean((predicted != labels)[mask]).",
    ),
    unchanged=0.5,
    promised=(("mask is True somewhere in each row", "a sequence has at least one frame"),),
)

# ---------------------------------------------------------------------------------------- ctc_collapse


def ctc_collapse_oracle(path, blank):
    """Take a frame's label when it is neither blank nor the label of the previous frame."""
    return [int(label) for before, label in zip([blank, *path], path, strict=False) if label not in (blank, before)]


def _grouped(path, blank):
    return [int(label) for label, _ in groupby(path) if label != blank]


def _by_difference(path, blank):
    path = np.asarray(path)
    new = np.append(True, path[1:] != path[:-1])
    return path[new & (path != blank)].tolist()


def _by_loop(path, blank):
    collapsed, last = [], None
    for label in path:
        if label not in (last, blank):
            collapsed.append(int(label))
        last = label
    return collapsed


def _merged_in_pairs(path, blank):
    merged, k = [], 0
    while k < len(path):
        merged.append(path[k])
        k += 2 if path[k : k + 2] == [path[k]] * 2 else 1
    return [label for label in merged if label != blank]


def _blanks_first(path, blank):
    return [label for label, _ in groupby(label for label in path if label != blank)]


def _path(rng: Rng, digits: list[int], blank: int, *, between: bool = True) -> tuple:
    """Draw a path that spells the digits, each over one to three frames, with blanks around it.

    between: without, a blank stands only where it must, and the path begins and ends with the same digit
    """
    path, digits = ([blank] * int(rng.integers(1, 3)), digits) if between else ([], [*digits, digits[0]])
    lasting = rng.permutation([1, 2, *rng.integers(1, 4, size=len(digits) - 2)])  # one digit is short, one is not
    for number, digit in enumerate(digits):
        path += [digit] * int(lasting[number])
        if between or (number + 1 < len(digits) and digits[number + 1] == digit):
            path += [blank] * int(rng.integers(1, 3))
    return path, blank


def _any_path(rng: Rng) -> tuple:
    """Draw runs of any labels, blanks included, of one to four frames each; a label may follow itself after a blank."""
    blank = int(rng.integers(0, 60))
    labels = rng.choice([blank, blank, *range(4)], size=12)
    return np.repeat(labels, rng.integers(1, 5, size=12)).tolist(), blank


def _digits(rng: Rng, count: int, blank: int) -> list[int]:
    """Draw digits of which the first two are the same, one repeats later, and none is the blank."""
    first, second, *more = rng.permutation([digit for digit in range(10) if digit != blank]).tolist()
    return [first, first, second, first, *more[: count - 4]]


ctc_collapse = Exercise(
    name="ctc_collapse",
    challenges=(
        Challenge(
            "three digits with blanks between them", 0.25, lambda rng: _path(rng, rng.permutation(9)[:3].tolist(), 10)
        ),
        Challenge("the same digit twice", 0.75, lambda rng: _path(rng, _digits(rng, 5, 10), 10)),
        Challenge(
            "a digit in the first frame",
            0.25,
            lambda rng: _path(rng, _digits(rng, 6, 10), 10, between=False),
        ),
        Challenge("another number for the blank", 0.25, lambda rng: _path(rng, _digits(rng, 5, 0), 0)),
        Challenge("a longer path", 0.5, _any_path, hidden=True),
    ),
    oracle=ctc_collapse_oracle,
    mistakes=(
        Mistake(
            "You drop the blanks before you merge, so that a digit said twice becomes one: merge first.",
            _blanks_first,
        ),
        Mistake(
            "You keep the blanks: drop them after merging.",
            lambda path, blank: [int(label) for label, _ in groupby(path)],
        ),
        Mistake("You do not merge equal neighbours.", lambda path, blank: [label for label in path if label != blank]),
        Mistake(
            "You keep every digit only once, however often it was said.",
            lambda path, blank: list(dict.fromkeys(_grouped(path, blank))),
        ),
        Mistake(
            "You sort the digits: keep them in the order in which they were said.",
            lambda path, blank: sorted(_grouped(path, blank)),
        ),
        Mistake("You always take 10 for the blank: use the argument `blank`.", lambda path, blank: _grouped(path, 10)),
        Mistake("You always take 0 for the blank: use the argument `blank`.", lambda path, blank: _grouped(path, 0)),
        Mistake("You return the digits in reverse order.", lambda path, blank: _grouped(path, blank)[::-1]),
        Mistake(
            "Your first frame never counts, although a path may begin with a digit: is it compared with the last one, or left out?",
            lambda path, blank: [h for b, h in zip(path, path[1:], strict=False) if h not in (b, blank)],
        ),
        Mistake(
            "You compare each frame with the one after it, so that the last run is lost, and you keep the blanks.",
            lambda path, blank: [h for h, n in zip(path, path[1:], strict=False) if h != n],
        ),
        Mistake(
            "You compare each frame with the one after it, so that the last run is lost.",
            lambda path, blank: [h for h, n in zip(path, path[1:], strict=False) if h not in (n, blank)],
        ),
        Mistake(
            "You drop labels that last a single frame: every run counts, however short it is.",
            lambda path, blank: [h for h, run in groupby(path) if h != blank and len(list(run)) > 1],
        ),
        Mistake("You merge equal neighbours in pairs: a longer run is a single label, too.", _merged_in_pairs),
    ),
    styles=(_grouped, _by_difference, _by_loop),
    hints=(
        "Collapse 3 3 – 3 5 5 by hand (– is the blank). How many threes were said?",
        "First merge runs of equal labels into one label, blanks too. Then drop the blanks.",
        "Go through the frames: keep a label when it differs from the frame before and is not the blank.",
    ),
    unchanged=0.0,
)

# ------------------------------------------------------------------------------------ build_recogniser


def _recogniser(
    features, classes, *, middle="both", top=None, loss="logits", compiled=True, sequences=True, out=None
) -> Any:
    from rnn_helpers.quietly import keras

    layers = keras.layers
    middles = {
        "both": lambda: layers.Bidirectional(layers.SimpleRNN(48, return_sequences=sequences)),
        "forwards": lambda: layers.SimpleRNN(64, return_sequences=True),
        "backwards": lambda: layers.SimpleRNN(64, return_sequences=True, go_backwards=True),
        "none": lambda: layers.Dense(128, activation="tanh"),
    }
    model = keras.Sequential(
        [keras.Input((None, features)), middles[middle](), layers.Dense(out or classes, activation=top)]
    )
    if compiled:
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=loss == "logits")
        model.compile(optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss=entropy)
    return model


def _deep(features, classes):
    from rnn_helpers.quietly import keras

    frames = keras.Input((None, features), name="frames")
    hs = frames
    for units in (40, 32):
        hs = keras.layers.Bidirectional(keras.layers.SimpleRNN(units, return_sequences=True))(hs)
    model = keras.Model(frames, keras.layers.TimeDistributed(keras.layers.Dense(classes))(hs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003, clipnorm=1.0), loss, metrics=["accuracy"])
    return model


def _with_gates(features, classes):
    from rnn_helpers.quietly import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(shape=(None, features)),
            layers.Dense(48, activation="relu"),
            layers.Bidirectional(layers.GRU(32, return_sequences=True), merge_mode="sum"),
            layers.Dense(classes, activation="linear"),
        ]
    )
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.005
    return model


def _never_reversed(features, classes):
    from rnn_helpers.quietly import keras

    layers = keras.layers
    frames = keras.Input((None, features))
    ahead = layers.SimpleRNN(64, return_sequences=True)(frames)
    back = layers.SimpleRNN(64, return_sequences=True, go_backwards=True)(frames)
    model = keras.Model(frames, layers.Dense(classes)(layers.Concatenate()([ahead, back])))
    model.compile(
        keras.optimizers.Adam(0.003, global_clipnorm=1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


build_recogniser = ClaimsExercise(
    name="build_recogniser",
    challenges=(
        Claims("what it outputs", 0.75, (OUTPUT_PER_FRAME, ONE_LOGIT_PER_CLASS, UNBOUNDED)),
        Claims("which frames it uses", 1.25, (EARLIER_FRAMES_MATTER, LATER_FRAMES_MATTER)),
        Claims("how it is compiled", 0.75, (COMPILED, LOSS_TAKES_LOGITS)),
        Claims("what it learns", 1.25, (BEATS_FRAMEWISE,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda features, classes: _recogniser(features, classes),
    threshold="the errors of a frame-wise network that is trained beside it: on 20 seeds reference and honest others make 0.17 to 0.67 of them",
    mistakes=(
        Mistake(findings.RETURNS_LAST_STATE, lambda *a: _recogniser(*a, sequences=False)),
        Mistake(
            findings.FIXED_OUTPUTS.format(actual=11, argument="classes"),
            lambda features, classes: _recogniser(features, classes, out=11),
        ),
        Mistake(findings.LOGITS_FOR_SOFTMAX, lambda *a: _recogniser(*a, top="softmax")),
        Mistake(findings.PROBABILITIES, lambda *a: _recogniser(*a, top="softmax", loss="probabilities")),
        Mistake(findings.FROM_LOGITS_MISSING, lambda *a: _recogniser(*a, loss="probabilities")),
        Mistake(findings.NO_RECURRENT_LAYER, lambda *a: _recogniser(*a, middle="none")),
        Mistake(findings.READS_FORWARDS_ONLY, lambda *a: _recogniser(*a, middle="forwards")),
        Mistake(findings.BACKWARDS_NOT_REVERSED, lambda *a: _recogniser(*a, middle="backwards")),
        Mistake(findings.NEVER_REVERSED, _never_reversed),
        Mistake(findings.NOT_COMPILED, lambda *a: _recogniser(*a, compiled=False)),
    ),
    styles=(lambda features, classes: _recogniser(features, classes), _deep, _with_gates),
    hints=(
        "Three layers: what takes any number of frames, what reads both ways, what makes one logit for each class?",
        "keras.layers.Bidirectional goes around a recurrent layer, which needs return_sequences=True; Dense(classes) comes last.",
        "keras.losses.SparseCategoricalCrossentropy(from_logits=True) is the loss; Adam(0.003, global_clipnorm=1.0) the optimizer.",
    ),
    probe="recogniser",
    seconds=13,
)

# ----------------------------------------------------------------------------------------- ctc_forward


def _with_blanks(text, blank):
    states = np.full(2 * len(text) + 1, blank)
    states[1::2] = text
    return states


def _lattice(
    probabilities,
    text,
    blank,
    *,
    skip=lambda states, s, blank: s >= 2 and states[s] not in (blank, states[s - 2]),
    stay=True,
    begin=2,
    combine=sum,
    current=True,
    blanks=None,
):
    states = _with_blanks(text, blank)
    labels = states if blanks is None else _with_blanks(text, blanks)
    alphas = np.zeros((len(probabilities), len(states)))
    alphas[0, :begin] = probabilities[0, labels[:begin]]
    for t in range(1, len(probabilities)):
        for s in range(len(states)):
            before = [alphas[t - 1, s]] if stay else []
            before += [alphas[t - 1, s - 1]] if s else []
            before += [alphas[t - 1, s - 2]] if skip(states, s, blank) else []
            alphas[t, s] = combine(before or [0.0]) * probabilities[t if current else t - 1, labels[s]]
    return alphas


def _ctc_oracle(probabilities, text, blank):
    """Add up the beginnings of paths one by one, as the definition says; a path is a row of states."""
    states = _with_blanks(text, blank).tolist()
    alphas = np.zeros((len(probabilities), len(states)))
    beginnings: list[tuple[tuple[int, ...], float]] = [((s,), float(probabilities[0, states[s]])) for s in (0, 1)]
    for t in range(len(probabilities)):
        for path, value in beginnings:
            alphas[t, path[-1]] += value
        if t + 1 == len(probabilities):
            return alphas
        longer: list[tuple[tuple[int, ...], float]] = []
        for path, value in beginnings:
            for s in range(path[-1], min(path[-1] + 3, len(states))):
                if s == path[-1] + 2 and states[s] in (blank, states[path[-1]]):
                    continue
                longer.append(((*path, s), value * float(probabilities[t + 1, states[s]])))
        beginnings = longer
    return alphas


def _by_matrix(probabilities, text, blank):
    states = _with_blanks(text, blank)
    count = len(states)
    moves = np.eye(count) + np.eye(count, k=1)
    for s in range(2, count):
        moves[s - 2, s] = float(states[s] != blank and states[s] != states[s - 2])
    alphas = np.zeros((len(probabilities), count))
    alphas[0, :2] = probabilities[0, states[:2]]
    for t in range(1, len(probabilities)):
        alphas[t] = alphas[t - 1] @ moves * probabilities[t, states]
    return alphas


def _with_shifts(probabilities, text, blank):
    states = _with_blanks(text, blank)
    skips = np.zeros(len(states))
    skips[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    alpha = np.where(np.arange(len(states)) < 2, probabilities[0, states], 0.0)
    rows = [alpha]
    for frame in probabilities[1:]:
        padded = np.concatenate([[0.0, 0.0], alpha])
        alpha = (alpha + padded[1:-1] + skips * padded[:-2]) * frame[states]
        rows.append(alpha)
    return np.stack(rows)


def _hearing(frames: int, text: list[int], classes: int, blank: int):
    def draw(rng: Rng) -> tuple:
        weights = rng.integers(1, 10, size=(frames, classes))
        return weights / weights.sum(axis=1, keepdims=True), text, blank

    return draw


def _any_hearing(rng: Rng) -> tuple:
    first, second, third, blank = (int(label) for label in rng.permutation(5)[:4])
    text = [first, second, second, third] if rng.random() < 0.5 else [first, first, third]
    return _hearing(int(rng.integers(6, 8)), text, 5, blank)(rng)


ctc_forward = Exercise(
    name="ctc_forward",
    challenges=(
        Challenge("two digits in four frames", 1.0, _hearing(4, [1, 2], 3, 0)),
        Challenge("the same digit twice", 0.75, _hearing(6, [2, 2, 1, 2], 3, 0)),
        Challenge("another number for the blank", 0.5, _hearing(5, [0, 2, 1], 4, 3)),
        Challenge("one digit", 0.25, _hearing(3, [2], 6, 4)),
        Challenge("a longer text", 1.0, _any_hearing, hidden=True),
    ),
    oracle=_ctc_oracle,
    mistakes=(
        Mistake(
            "You skip the blank between equal labels too: without it they would be merged.",
            lambda *a: _lattice(*a, skip=lambda states, s, blank: s >= 2 and states[s] != blank),
        ),
        Mistake(
            "You never skip a blank: between different labels a path may go on without one.",
            lambda *a: _lattice(*a, skip=lambda states, s, blank: False),
        ),
        Mistake(
            "You also skip labels, from blank to blank: a path may skip blanks only.",
            lambda *a: _lattice(
                *a, skip=lambda states, s, blank: s >= 2 and (s % 2 == 0 or states[s] != states[s - 2])
            ),
        ),
        Mistake(
            "Your paths cannot stay at a state: a label may last for several frames.",
            lambda *a: _lattice(*a, stay=False),
        ),
        Mistake(
            "Your paths start at the blank only: they may start at the first label, too.",
            lambda *a: _lattice(*a, begin=1),
        ),
        Mistake(
            "In the first frame all states are possible: a path can only start at the first blank or the first label.",
            lambda *a: _lattice(*a, begin=None),
        ),
        Mistake(
            "You take the largest of the previous values, as in the Viterbi algorithm: add them.",
            lambda *a: _lattice(*a, combine=max),
        ),
        Mistake(
            "You multiply by the probabilities of the previous frame: alpha_t takes those of frame t.",
            lambda *a: _lattice(*a, current=False),
        ),
        Mistake(
            "You return the probability of the text: return all alphas, (frames, states).",
            lambda *a: float(_lattice(*a)[-1, -2:].sum()),
        ),
        Mistake(
            "You return logarithms: return the probabilities.", lambda *a: np.log(np.maximum(_lattice(*a), 1e-300))
        ),
        Mistake("Your axes are swapped: frames come first.", lambda *a: _lattice(*a).T),
        Mistake(
            "You take class 0 for the blank: use `blank`.",
            lambda probabilities, text, blank: _lattice(probabilities, text, blank, blanks=0),
        ),
    ),
    styles=(_lattice, _by_matrix, _with_shifts),
    hints=(
        "With the states – 1 – 2 –: from which states of the frame before can a path come to the 2? And to the blank before it?",
        "Loop over the frames and the states. Add alpha of the state itself and of the one before it, and of the one two before it where a blank may be skipped.",
        "reached = alphas[t - 1, s] + alphas[t - 1, s - 1], plus alphas[t - 1, s - 2] if the label is neither the blank nor states[s - 2]; times probabilities[t, label]. For s = 0 only the first term exists.",
    ),
    unchanged=0.5,
    promised=(
        ("probabilities is always between -1 and 1", "they are probabilities"),
        ("probabilities is never negative", "they are probabilities"),
        ("blank is always smaller than axis 1 of probabilities", "it is one of the classes"),
        ("axis 0 of probabilities is always larger than axis 0 of text", "a label takes at least one frame"),
    ),
)

EXERCISES = [
    frame_error_rate,
    stack_forward,
    bidirectional_forward,
    build_recogniser,
    ctc_collapse,
    ctc_forward,
]
