"""Lesson 12: shifted targets, the loss with teacher forcing, greedy decoding, exact matches, a translator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograde_tests.exercise import FROM_SCRATCH, Challenge, Claims, ClaimsExercise, Exercise, Mistake
from autograde_tests.lesson_01_recurrence import rnn_step_oracle
from autograde_tests.sampling import Rng, numbers, sizes
from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    CAUSAL,
    COMPILED,
    EARLIER_SYMBOLS_MATTER,
    LOSS_TAKES_LOGITS,
    ONE_LOGIT_PER_SYMBOL,
    OUTPUT_PER_STEP,
    READABLE_LAYERS,
    REVERSES_NEW_SEQUENCES,
    SOURCE_MATTERS,
    SOURCE_ORDER_MATTERS,
    UNBOUNDED,
)
from rnn_helpers.checks.fixtures import TEXT_MODELS

PAD, START, END = 0, 1, 2

# ---------------------------------------------------------------------------------------- shift_right


def shift_right_oracle(targets, start):
    """Fill element-wise: each position holds the symbol of the previous one."""
    return np.array([[row[step - 1] if step else start for step in range(len(row))] for row in targets])


def _targets(rng: Rng, lengths: list[int]) -> np.ndarray:
    targets = np.full((len(lengths), max(lengths) + 1), PAD)
    for row, length in zip(targets, lengths, strict=True):
        row[:length], row[length] = rng.permutation(np.arange(3, 3 + max(length, 7)))[:length], END
    return targets


def _shifted(targets, start):
    return np.concatenate([np.full((len(targets), 1), start), targets[:, :-1]], axis=1)


def _shifted_by_roll(targets, start):
    shifted = np.roll(targets, 1, axis=1)
    shifted[:, 0] = start
    return shifted


def _shifted_in_place(targets, start):
    shifted = np.full_like(targets, start)
    shifted[:, 1:] = targets[:, :-1]
    return shifted


def _zero_start(targets, start):
    shifted = np.zeros_like(targets)
    shifted[:, 1:] = targets[:, :-1]
    return shifted


shift_right = Exercise(
    name="shift_right",
    challenges=(
        Challenge("targets of equal length", 0.5, lambda rng: (_targets(rng, [3, 3]), START)),
        Challenge("targets of three lengths", 0.25, lambda rng: (_targets(rng, [5, 2, 1]), START)),
        Challenge("another number for the start", 0.25, lambda rng: (_targets(rng, [4, 2]), 9)),
        Challenge(
            "other targets",
            0.5,
            lambda rng: (_targets(rng, rng.integers(1, 4, size=rng.integers(1, 9)).tolist()), int(rng.integers(1, 60))),
            hidden=True,
        ),
    ),
    oracle=shift_right_oracle,
    mistakes=(
        Mistake(
            "You do not shift the targets: the decoder would read the very symbol that it should predict.",
            lambda t, s: t.copy(),
        ),
        Mistake(
            "You shift to the left: the decoder would read the symbol after the one that it should predict.",
            lambda t, s: np.concatenate([t[:, 1:], np.full((len(t), 1), s)], axis=1),
        ),
        Mistake(
            "The last symbol of each target wraps around to the front: put the start symbol there.",
            lambda t, s: np.roll(t, 1, axis=1),
        ),
        Mistake(
            "Your result holds the start symbol at every step: only the first step reads it.",
            lambda t, s: np.full_like(t, s),
        ),
        Mistake(
            "You always put 1 at the front: use the argument `start`.",
            lambda t, s: _shifted(t, 1),
        ),
        Mistake("You put a zero at the front: put the start symbol there.", _zero_start),
        Mistake(
            "Your result is one step longer than the targets: drop the last symbol.",
            lambda t, s: np.concatenate([np.full((len(t), 1), s), t], axis=1),
        ),
        Mistake(
            "You shift along the batch: shift along the steps.",
            lambda t, s: np.concatenate([np.full((1, t.shape[1]), s), t[:-1]], axis=0),
        ),
        Mistake(
            "You overwrite the first symbol with the start symbol: move all symbols by one place instead.",
            lambda t, s: np.concatenate([np.full((len(t), 1), s), t[:, 1:]], axis=1),
        ),
    ),
    styles=(_shifted, _shifted_by_roll, _shifted_in_place),
    hints=(
        "At step 0 nothing has been written yet. What does the decoder read instead? And at step 1?",
        "A column of starts, then all columns of targets but the last.",
        "np.concatenate([np.full((batch, 1), start), targets[:, :-1]], axis=1).",
    ),
    unchanged=0.5,
)

# -------------------------------------------------------------------------------- teacher_forcing_loss


def teacher_forcing_loss_oracle(logits, targets, pad):
    """Accumulate the surprise of the real symbols one by one."""
    surprises = []
    for rows, symbols in zip(logits, targets, strict=True):
        for row, symbol in zip(rows, symbols, strict=True):
            if symbol != pad:
                largest = max(row)
                surprises.append(largest - row[symbol] + math.log(sum(math.exp(z - largest) for z in row)))
    return math.fsum(surprises) / len(surprises)


def _loss_inputs(rng: Rng, lengths: list[int], symbols: int, *, scale: float = 1.5, pad: int = PAD) -> tuple:
    targets = np.full((len(lengths), max(lengths)), pad)
    for row, length in zip(targets, lengths, strict=True):
        row[:length] = rng.choice([s for s in range(symbols) if s != pad], size=length)
    return numbers(rng, *targets.shape, symbols, scale=scale), targets, pad


def _larger_batch(rng: Rng) -> tuple:
    return _loss_inputs(rng, rng.integers(1, 6, size=9).tolist(), int(rng.integers(3, 9)))


def _large_logits(rng: Rng) -> tuple:
    """Draw logits for which each way of working without the largest logit goes wrong in its own way."""
    while True:
        logits, targets, pad = _loss_inputs(rng, [3, 2], 4, scale=800.0)
        chosen = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0][targets != pad]
        below = (logits.max(axis=-1)[targets != pad] - chosen).max()
        if chosen.max() > 720 and below > 760:  # e^720 overflows, and e^-760 underflows
            return logits, targets, pad


def _log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _surprise(logits, targets):
    return -np.take_along_axis(_log_softmax(logits), targets[..., None], axis=-1)[..., 0]


def _forced(logits, targets, pad):
    real = targets != pad
    return (_surprise(logits, targets) * real).sum() / real.sum()


def _forced_one_hot(logits, targets, pad):
    chosen = np.eye(logits.shape[-1])[targets] * (targets != pad)[..., None]
    return -np.sum(chosen * _log_softmax(logits)) / np.count_nonzero(targets != pad)


def _forced_flat(logits, targets, pad):
    rows = logits[targets != pad]
    largest = rows.max(axis=1)
    everything = largest + np.log(np.exp(rows - largest[:, None]).sum(axis=1))
    return float(np.mean(everything - rows[np.arange(len(rows)), targets[targets != pad]]))


def _by_row(logits, targets, pad):
    real = targets != pad
    return np.mean((_surprise(logits, targets) * real).sum(axis=1) / real.sum(axis=1))


def _one_later(logits, targets, pad):
    real = targets[:, 1:] != pad
    return (_surprise(logits[:, :-1], targets[:, 1:]) * real).sum() / max(real.sum(), 1)


def _without_the_last(logits, targets, pad):
    real = targets != pad
    real[:, :-1] &= real[:, 1:]
    real[:, -1] = False
    return (_surprise(logits, targets) * real).sum() / max(real.sum(), 1)


def _log_of_softmax(logits, targets, pad):
    with np.errstate(all="ignore"):
        surprise = -np.log(np.exp(_log_softmax(logits)))
    return np.mean(np.take_along_axis(surprise, targets[..., None], -1)[..., 0][targets != pad])


def _probability_in_place_of_logarithm(logits, targets, pad):
    return 1 - np.mean(np.exp(-_surprise(logits, targets)[targets != pad]))


def _unsafe(logits, targets, pad):
    with np.errstate(all="ignore"):
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        return float(
            np.mean(-np.log(np.take_along_axis(probabilities, targets[..., None], -1)[..., 0][targets != pad]))
        )


teacher_forcing_loss = Exercise(
    name="teacher_forcing_loss",
    challenges=(
        Challenge("targets of equal length", 0.75, lambda rng: _loss_inputs(rng, [3, 3], 5)),
        Challenge("targets of three lengths", 0.75, lambda rng: _loss_inputs(rng, [5, 3, 1], 6)),
        Challenge("another number for the padding", 0.25, lambda rng: _loss_inputs(rng, [4, 2], 6, pad=5)),
        Challenge("large logits", 0.25, _large_logits),
        Challenge("a larger batch", 0.5, lambda rng: _larger_batch(rng), hidden=True),
    ),
    oracle=teacher_forcing_loss_oracle,
    mistakes=(
        Mistake(
            "You count the padding as well: only targets that are not padding count.",
            lambda z, t, pad: np.mean(_surprise(z, t)),
        ),
        Mistake(
            "You divide by the number of all places, padding included: divide by the number of real symbols.",
            lambda z, t, pad: np.mean(_surprise(z, t) * (t != pad)),
        ),
        Mistake(
            "You add up the losses of the real symbols: return their mean.",
            lambda z, t, pad: np.sum(_surprise(z, t) * (t != pad)),
        ),
        Mistake("You average the means of the sequences: every real symbol should count once.", _by_row),
        Mistake(
            "You compare the logits of each step with the target of the next step: the inputs were shifted already.",
            _one_later,
        ),
        Mistake("You always take 0 for the padding: use the argument `pad`.", lambda z, t, pad: _forced(z, t, 0)),
        Mistake(
            "The minus sign is missing: the logarithm of a probability is negative.",
            lambda z, t, pad: -_forced(z, t, pad),
        ),
        Mistake(
            "You return one minus the mean probability: average minus the logarithm of each probability.",
            _probability_in_place_of_logarithm,
        ),
        Mistake(
            "Your loss becomes nan for large logits: use logits - largest - np.log(np.exp(logits - largest).sum(...)), without a softmax in between.",
            _unsafe,
        ),
        Mistake(
            "Your loss becomes infinite for large logits: use logits - largest - np.log(np.exp(logits - largest).sum(...)), "
            "without a softmax in between.",
            _log_of_softmax,
        ),
        Mistake(
            "You use the logarithm to base 2: the natural logarithm is required.",
            lambda z, t, pad: _forced(z, t, pad) / np.log(2),
        ),
        Mistake(
            "You divide by the number of sequences: divide by the number of real symbols.",
            lambda z, t, pad: (_surprise(z, t) * (t != pad)).sum() / len(t),
        ),
        Mistake(
            "You leave out the last real symbol of each sequence: it counts as well, even if it is the end symbol.",
            _without_the_last,
        ),
        Mistake(
            "You return the perplexity, the exponential of the loss: return the loss itself.",
            lambda z, t, pad: np.exp(_forced(z, t, pad)),
        ),
    ),
    styles=(_forced, _forced_one_hot, _forced_flat),
    hints=(
        "Which entry of the log-softmax at a step shows how surprised the network was? Which steps count?",
        "Take the log-softmax of lesson 03, pick the entry of the target at each step, and change the sign. Then average over the targets that are not padding.",
        "np.take_along_axis(log_softmax, targets[..., None], axis=-1)[..., 0] picks; [targets != pad] keeps what counts.",
    ),
    not_allowed=FROM_SCRATCH,
    promised=(("pad is always smaller than axis 2 of logits", "it is one of the symbols"),),
)

# --------------------------------------------------------------------------------------- greedy_decode


def greedy_decode_oracle(h, weights, start, end, most):
    """Generate the symbols one by one with the step oracle of lesson 01."""
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    written: list[int] = []
    symbol, state = start, h[None]
    while len(written) < most:
        state = rnn_step_oracle(table[symbol][None], state, W_xh, W_hh, b_h)
        logits = (state @ W_hy + b_y)[0].tolist()
        symbol = logits.index(max(logits))
        if symbol == end:
            break
        written.append(symbol)
    return written


def _decoder(
    rng: Rng,
    *,
    length: tuple[int, int] = (3, 6),
    different: int = 3,
    most: int = 9,
    start: int = START,
    end: int = END,
    tied: bool = False,
    units: int = 0,
    width: int = 0,
) -> tuple:
    """Draw (h, weights, start, end, most) of a decoder that generates the given number of symbols, some of them distinct.

    tied: two symbols always have the same logit, and it is the largest one at some step
    units, width: the sizes of h and of a row of the table; 0 to draw them
    """
    symbols, features, drawn = (int(rng.integers(*span)) for span in ((6, 9), (2, 10), (4, 9)))
    units, width = units or drawn, width or features
    while True:
        weights = (
            numbers(rng, symbols, width, scale=1.2),
            numbers(rng, width, units, scale=0.9),
            numbers(rng, units, units, scale=rng.uniform(0.2, 0.8)),
            numbers(rng, units, scale=0.5),
            numbers(rng, units, symbols),
            numbers(rng, symbols, scale=0.5),
        )
        h = numbers(rng, units)
        first, second = np.sort(rng.choice([s for s in range(symbols) if s not in (start, end)], 2, replace=False))
        if tied:  # with weights of zero, so that rounding cannot break the tie
            weights[4][:, [first, second]], weights[5][[first, second]] = 0.0, 1.0
        written = greedy_decode_oracle(h, weights, start, end, most)
        goes_on = len(greedy_decode_oracle(h, weights, start, end, most + 1)) > most
        fits = length[0] <= len(written) <= length[1] and len(set(written)) >= different
        if fits and goes_on == (len(written) == most) and (not tied or first in written):
            return h, weights, start, end, most


def _any_decoder(rng: Rng) -> tuple:
    start, end = sizes(rng, 2, 0, 5)
    return _decoder(rng, length=(6, 12), most=14, start=start, end=end)


def _write(
    h,
    weights,
    start,
    end,
    most,
    *,
    stop=True,
    keep_end=False,
    carry=True,
    feed="own",
    first=None,
    pick=np.argmax,
    late=0,
):
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    written, symbol, h_0 = [], start if first is None else first, h
    for _ in range(most + late):
        fed = start if feed == "start" else symbol
        h = np.tanh(table[fed] @ W_xh + (h if carry else h_0) @ W_hh + b_h)
        symbol = int(pick(h @ W_hy + b_y))
        if stop and symbol == end:
            if keep_end:
                written.append(symbol)
            break
        written.append(symbol)
    return written


def _write_with_stacked_weights(h, weights, start, end, most):
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    inputs, written = table @ W_xh + b_h, [start]
    while len(written) <= most:
        h = np.tanh(inputs[written[-1]] + h @ W_hh)
        best = np.argmax(h @ W_hy + b_y)
        if best == end:
            break
        written.append(int(best))
    return written[1:]


def _write_recursively(h, weights, start, end, most):
    if most == 0:
        return []
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    h = np.tanh(np.concatenate([table[start], h]) @ np.vstack([W_xh, W_hh]) + b_h)
    symbol = int((h @ W_hy + b_y).argmax())
    return [] if symbol == end else [symbol, *_write_recursively(h, weights, symbol, end, most - 1)]


def _reads_state_before(h, weights, start, end, most):
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    written, symbol = [], start
    for _ in range(most):
        logits = h @ W_hy + b_y
        h = np.tanh(table[symbol] @ W_xh + h @ W_hh + b_h)
        symbol = int(np.argmax(logits))
        if symbol == end:
            break
        written.append(symbol)
    return written


greedy_decode = Exercise(
    name="greedy_decode",
    challenges=(
        Challenge("a stop at the end symbol", 1.0, lambda rng: _decoder(rng)),
        Challenge(
            "a stop after `most` symbols",
            1.0,
            lambda rng: _decoder(rng, length=(4, 4), most=4, start=2, end=5, units=6),
        ),
        Challenge("two equally large logits", 0.5, lambda rng: _decoder(rng, tied=True)),
        Challenge(
            "other numbers for start and end",
            1.0,
            lambda rng: _decoder(rng, start=5, end=0, most=4, length=(3, 3), units=4, width=3),
        ),
        Challenge(
            "an end at the first step",
            0.5,
            lambda rng: _decoder(rng, length=(0, 0), different=0, end=5, units=4),
            edge=True,
        ),
        Challenge("a longer text", 0.5, _any_decoder, hidden=True),
    ),
    oracle=greedy_decode_oracle,
    mistakes=(
        Mistake(
            "Your result contains the end symbol: stop before you append it.", lambda *a: _write(*a, keep_end=True)
        ),
        Mistake(
            "You leave the end symbol out of the result, but you go on writing after it: stop there.",
            lambda *a: [symbol for symbol in _write(*a, stop=False) if symbol != a[3]],
        ),
        Mistake("You do not stop at the end symbol.", lambda *a: _write(*a, stop=False)),
        Mistake(
            "The state is not carried over: every step starts from the state of the encoder.",
            lambda *a: _write(*a, carry=False),
        ),
        Mistake(
            "You read the start symbol at every step: from the second step on, read the symbol just written.",
            lambda *a: _write(*a, feed="start"),
        ),
        Mistake(
            "You read the end symbol at the first step: read the start symbol.",
            lambda h, w, s, e, m: _write(h, w, s, e, m, first=e),
        ),
        Mistake(
            "You compute the logits from the state before the symbol is read: update the state first.",
            _reads_state_before,
        ),
        Mistake("You write one symbol more than `most` when no end symbol comes.", lambda *a: _write(*a, late=1)),
        Mistake(
            "Of two equally large logits you pick the last: pick the first.",
            lambda *a: _write(*a, pick=lambda logits: len(logits) - 1 - np.argmax(logits[::-1])),
        ),
        Mistake("You write one symbol less than `most` when no end symbol comes.", lambda *a: _write(*a, late=-1)),
        Mistake("You pick the smallest logit: pick the largest.", lambda *a: _write(*a, pick=np.argmin)),
        Mistake("Your result contains the start symbol.", lambda h, w, s, e, m: [s, *_write(h, w, s, e, m)]),
        Mistake(
            "You start from a state of zeros: start from h, the last state of the encoder.",
            lambda h, *a: _write(0 * h, *a),
        ),
    ),
    styles=(_write, _write_with_stacked_weights, _write_recursively),
    hints=(
        "What is read at the first step? And at the second? When does the loop end?",
        "In a loop: look the symbol up in the table, take one step of the recurrence, compute the logits, take the argmax. That symbol is read next.",
        "h = np.tanh(table[symbol] @ W_xh + h @ W_hh + b_h); symbol = int(np.argmax(h @ W_hy + b_y)); stop at end, else append.",
    ),
    unchanged=0.5,
    promised=(
        ("end is always smaller than axis 0 of weights[0]", "it is one of the symbols"),
        ("start is always smaller than axis 0 of weights[0]", "it is one of the symbols"),
    ),
)

# ----------------------------------------------------------------------------------------- beam_search


def _beam(
    next_probabilities,
    width,
    end,
    most,
    *,
    score=lambda probability, p: probability * p,
    finished_stay=True,
    drop_finished=False,
    smallest=False,
    last=False,
    keep_end=True,
    result=lambda beam: beam[0][1],
):
    beam: list[tuple[float, list[int]]] = [(score(1.0, 1.0), [])]
    for _ in range(most):
        candidates = []
        for probability, text in beam:
            if finished_stay and text and text[-1] == end:
                candidates += [] if drop_finished else [(probability, text)]
                continue
            candidates += [
                (float(p) if last else score(probability, float(p)), [*text, symbol])
                for symbol, p in enumerate(next_probabilities(text))
            ]
        candidates.sort(key=lambda candidate: candidate[0] if smallest else -candidate[0])
        beam = candidates[:width] or beam
        if finished_stay and all(text[-1] == end for _, text in beam):
            break
    text = result(beam)
    return text if keep_end or not text or text[-1] != end else text[:-1]


def _beam_oracle(next_probabilities, width, end, most):
    """Keep dictionaries from texts to probabilities."""
    beam: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(most):
        grown: dict[tuple[int, ...], float] = {}
        for text, probability in beam.items():
            if text[-1:] == (end,):
                grown[text] = probability
            else:
                for symbol, p in enumerate(next_probabilities(list(text)).tolist()):
                    grown[(*text, symbol)] = probability * p
        best = sorted(grown, key=lambda text: grown[text], reverse=True)[:width]
        beam = {text: grown[text] for text in best}
        if all(text[-1] == end for text in beam):
            break
    best_text, _ = max(beam.items(), key=lambda item: item[1])
    return list(best_text)


def _with_logarithms(next_probabilities, width, end, most):
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(most):
        if all(text[-1:] == [end] for _, text in beam):
            break
        grown = []
        for value, text in beam:
            if text[-1:] == [end]:
                grown.append((value, text))
            else:
                logs = np.log(next_probabilities(text))
                grown += [(value + logs[k], [*text, k]) for k in range(len(logs))]
        beam = sorted(grown, reverse=True)[:width]
    return [int(symbol) for symbol in max(beam)[1]]


def _beam_with_arrays(next_probabilities, width, end, most):
    texts: list[list[int]] = [[]]
    scores = np.array([1.0])
    for _ in range(most):
        candidates, values = [], []
        for text, value in zip(texts, scores, strict=True):
            if text and text[-1] == end:
                candidates.append(text)
                values.append(value)
            else:
                for symbol, p in enumerate(next_probabilities(text)):
                    candidates.append([*text, symbol])
                    values.append(value * p)
        order = np.argsort(values)[::-1][:width]
        texts, scores = [candidates[k] for k in order], np.array(values)[order]
        if all(text[-1] == end for text in texts):
            break
    return texts[int(np.argmax(scores))]


def _search(width: int, most: int, *, lowest_end: int = 0, limit: bool = False, other: bool = True):
    def draw(rng: Rng) -> tuple:
        """Draw a search with a short text; other: another one than greedy decoding finds; limit: it is not finished."""
        while True:
            model, end = list(TEXT_MODELS.values())[rng.integers(len(TEXT_MODELS))], int(rng.integers(lowest_end, 5))
            args = model, width, end, most
            decoded, greedy = (_beam_oracle(model, k, end, most) for k in (width, 1))
            fits = len(decoded) >= 2 and (decoded[-1] != end) == limit
            added = _beam(*args, score=lambda probability, p: probability + p)
            if fits and (not other or (decoded != greedy and (limit or added != _beam(*args, drop_finished=True)))):
                return args

    return draw


def _any_search(rng: Rng) -> tuple:
    return _search(int(rng.integers(2, 5)), int(rng.integers(5, 9)))(rng)


beam_search = Exercise(
    name="beam_search",
    challenges=(
        Challenge("a width of one", 0.5, _search(1, 7, other=False)),
        Challenge("a width of two", 1.0, _search(2, 6)),
        Challenge("a width of three", 1.0, _search(3, 6)),
        Challenge("a wide beam", 1.0, _search(6, 5)),
        Challenge("a limit", 0.5, _search(2, 3, lowest_end=4, limit=True)),
        Challenge("another search", 1.0, _any_search, hidden=True),
    ),
    oracle=_beam_oracle,
    mistakes=(
        Mistake(
            "You decode greedily: keep the `width` most probable texts at each step.",
            lambda nxt, width, end, most: _beam(nxt, 1, end, most),
        ),
        Mistake(
            "You add the probabilities of the symbols: multiply them, or add their logarithms.",
            lambda *a: _beam(*a, score=lambda probability, p: probability + p),
        ),
        Mistake(
            "You compare the probabilities of the last symbols alone: compare those of the whole texts.",
            lambda *a: _beam(*a, last=True),
        ),
        Mistake(
            "You drop finished texts: they stay in the beam, with the probability that they have.",
            lambda *a: _beam(*a, drop_finished=True),
        ),
        Mistake(
            "You go on after the end symbol: finished texts stay as they are.",
            lambda *a: _beam(*a, finished_stay=False),
        ),
        Mistake("You keep the least probable texts.", lambda *a: _beam(*a, smallest=True)),
        Mistake(
            "You omit the end symbol from the result: a finished text contains it.",
            lambda *a: _beam(*a, keep_end=False),
        ),
        Mistake(
            "You return all kept texts: return the most probable one.",
            lambda *a: _beam(*a, result=lambda beam: [text for _, text in beam]),
        ),
        Mistake(
            "You return the least probable of the kept texts: return the most probable one.",
            lambda *a: _beam(*a, result=lambda beam: beam[-1][1]),
        ),
        Mistake(
            "You take one step too many: stop after `most` symbols.",
            lambda nxt, width, end, most: _beam(nxt, width, end, most + 1),
        ),
        Mistake(
            "You take one step too few: `most` symbols may be written, the end symbol included.",
            lambda nxt, width, end, most: _beam(nxt, width, end, most - 1),
        ),
    ),
    styles=(_beam, _with_logarithms, _beam_with_arrays),
    hints=(
        "In the table with A and D: which two texts are kept after the first symbol, and which after the second?",
        "Keep a list of pairs (probability, text). At each step build a list of candidates, sort it by probability, and keep the first `width`.",
        "candidates += [(probability * p, [*text, symbol]) for symbol, p in enumerate(next_probabilities(text))], but (probability, text) itself where the text is finished; then sorted(candidates, key=lambda one: -one[0])[:width].",
    ),
    unchanged=0.0,
)

# ------------------------------------------------------------------------------- build_encoder_decoder


def _translator(
    symbols,
    *,
    cell="SimpleRNN",
    units=96,
    handed=True,
    encoder="recurrent",
    decoder="recurrent",
    sequences=True,
    top=None,
    loss="logits",
    compiled=True,
    out=None,
    shared=False,
    exchanged=False,
) -> Any:
    from rnn_helpers.quietly import keras

    layers = keras.layers
    Cell = getattr(layers, cell)
    source, decoder_input = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    table = layers.Embedding(symbols, 24)
    read, written = table(source), (table if shared else layers.Embedding(symbols, 24))(decoder_input)
    if encoder == "recurrent":
        state = Cell(units)(read)
    else:
        state = layers.Dense(units, activation="tanh")(layers.GlobalAveragePooling1D()(read))
    start = state if handed else None
    if decoder == "recurrent":
        states = Cell(units, return_sequences=sequences)(written, initial_state=start)
    elif decoder == "both ways":
        layer = layers.Bidirectional(Cell(units, return_sequences=True))
        states = layer(written, initial_state=[state, state])
    else:
        mixed = layers.Add()([layers.Dense(units)(written), layers.Reshape((1, units))(state)])
        states = layers.Activation("tanh")(mixed)
    inputs = [decoder_input, source] if exchanged else [source, decoder_input]
    model = keras.Model(inputs, layers.Dense(out or symbols, activation=top)(states))
    if compiled:
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=loss == "logits")
        model.compile(optimizer=keras.optimizers.Adam(0.004, global_clipnorm=1.0), loss=entropy)
    return model


def _with_a_named_state(symbols):
    """Take the encoder's state from return_state, and mask the padding."""
    from rnn_helpers.quietly import keras

    layers = keras.layers
    written, source = (keras.Input((None,), dtype="int32", name=name) for name in ("written", "source"))
    _, state = layers.SimpleRNN(128, return_state=True)(layers.Embedding(symbols, 32, mask_zero=True)(source))
    embedded = layers.Embedding(symbols, 32)(written)
    states = layers.SimpleRNN(128, return_sequences=True)(embedded, initial_state=[state])
    model = keras.Model([source, written], layers.Dense(symbols)(states))
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


build_encoder_decoder = ClaimsExercise(
    name="build_encoder_decoder",
    challenges=(
        Claims("what it outputs", 1.0, (OUTPUT_PER_STEP, ONE_LOGIT_PER_SYMBOL, UNBOUNDED)),
        Claims("how it reads and writes", 1.0, (SOURCE_MATTERS, SOURCE_ORDER_MATTERS, EARLIER_SYMBOLS_MATTER, CAUSAL)),
        Claims("its layers", 0.5, (READABLE_LAYERS,)),
        Claims("how it is compiled", 1.0, (COMPILED, LOSS_TAKES_LOGITS)),
        Claims("what it learns", 1.5, (REVERSES_NEW_SEQUENCES,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda symbols: _translator(symbols),
    threshold="eight of ten of 200 new sequences of three to five symbols: the reference reverses all of them on 20 seeds",
    mistakes=(
        Mistake(findings.SOURCE_IGNORED, lambda symbols: _translator(symbols, handed=False)),
        Mistake(findings.SOURCE_WITHOUT_ORDER, lambda symbols: _translator(symbols, encoder="average")),
        Mistake(findings.DECODER_WITHOUT_STATE, lambda symbols: _translator(symbols, decoder="none")),
        Mistake(findings.DECODER_LOOKS_AHEAD, lambda symbols: _translator(symbols, decoder="both ways")),
        Mistake(findings.RETURNS_LAST_STATE, lambda symbols: _translator(symbols, sequences=False)),
        Mistake(
            findings.FIXED_OUTPUTS.format(actual=11, argument="symbols"),
            lambda symbols: _translator(symbols, out=11),
        ),
        Mistake(findings.INPUTS_SWAPPED, lambda symbols: _translator(symbols, exchanged=True)),
        Mistake(findings.EMBEDDING_SHARED, lambda symbols: _translator(symbols, shared=True)),
        Mistake(
            findings.OTHER_LAYERS.format(expected="two Embedding, two SimpleRNN and one Dense"),
            lambda symbols: _translator(symbols, cell="GRU", units=128),
        ),
        Mistake(findings.LOGITS_FOR_SOFTMAX, lambda symbols: _translator(symbols, top="softmax")),
        Mistake(findings.PROBABILITIES, lambda symbols: _translator(symbols, top="softmax", loss="probabilities")),
        Mistake(findings.FROM_LOGITS_MISSING, lambda symbols: _translator(symbols, loss="probabilities")),
        Mistake(findings.NOT_COMPILED, lambda symbols: _translator(symbols, compiled=False)),
    ),
    styles=(
        lambda symbols: _translator(symbols),
        lambda symbols: _translator(symbols, units=128),
        _with_a_named_state,
    ),
    hints=(
        "Two recurrent layers: which of them gives only its last state, and which needs all of them? What connects the two?",
        "state = SimpleRNN(128)(embedded source); the decoder is SimpleRNN(128, return_sequences=True), called with initial_state=state.",
        "keras.Model([source, written], Dense(symbols)(states)), compiled with SparseCategoricalCrossentropy(from_logits=True).",
    ),
    probe="encoder_decoder",
    seconds=14,
)

EXERCISES = [shift_right, teacher_forcing_loss, build_encoder_decoder, greedy_decode, beam_search]
