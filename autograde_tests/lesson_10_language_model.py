"""Lesson 10: consecutive batches, a model, bits per character, sampling with temperature and top-p, generation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograde_tests.exercise import Challenge, Claims, ClaimsExercise, Exercise, Mistake, Tolerance
from autograde_tests.sampling import Rng
from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    BATCH_INDEPENDENT_WEIGHTS,
    BEATS_BIGRAMS,
    CAUSAL,
    COMPILED,
    HIGHER_IS_NOT_SHARPER,
    KNOWS_ALL_LETTERS,
    LOSS_TAKES_LOGITS,
    NOT_PROBABILITIES,
    ONE_LOGIT_PER_LETTER,
    OTHER_GENERATOR_OTHER_DRAWS,
    OUTPUT_PER_STEP,
    PAST_MATTERS,
    READABLE_WEIGHTS,
    SAME_GENERATOR_SAME_DRAWS,
    SHIFT_INVARIANT,
    STATEFUL,
    TEMPERATURE_0,
    TEMPERATURE_0_5,
    TEMPERATURE_1,
    TEMPERATURE_2,
    UNBOUNDED,
)
from rnn_helpers.checks.fixtures import least_likely, most_likely, read_character

SAME = Tolerance(
    1e-5, "a few logarithms, in float32 when Keras takes them; a tiny number added before the logarithm is harmless"
)

# ------------------------------------------------------------------------------ next_character_batches


def _rows(ids, batch, steps, *, shift=1):
    """Return (batch, segments, steps) of inputs and targets; each row is a stretch of the text."""
    segments = (len(ids) - 1) // (batch * steps)
    count = batch * segments * steps
    return tuple(ids[s : s + count].reshape(batch, segments, steps) for s in (0, shift))


def _batches_oracle(ids, batch, steps):
    """Fill both arrays one character at a time."""
    segments = (len(ids) - 1) // batch // steps
    xs, ys = np.zeros((2, segments, batch, steps), dtype=int)
    for row in range(batch):
        for position in range(segments * steps):
            segment, step = divmod(position, steps)
            xs[segment, row, step] = ids[row * segments * steps + position]
            ys[segment, row, step] = ids[row * segments * steps + position + 1]
    return xs, ys


def _following(ids, batch, steps, **options):
    return tuple(part.swapaxes(0, 1) for part in _rows(ids, batch, steps, **options))


def _in_reading_order(ids, batch, steps):
    return tuple(part.reshape(-1, batch, steps) for part in _rows(ids, batch, steps))


def _interleaved(ids, batch, steps):
    segments = (len(ids) - 1) // (batch * steps)
    count = batch * segments * steps
    return tuple(ids[s : s + count].reshape(segments, steps, batch).swapaxes(1, 2) for s in (0, 1))


def _wrapping(ids, batch, steps):
    xs, _ = _following(ids, batch, steps)
    return xs, np.roll(xs, -1, axis=2)


def _wrapping_rows(ids, batch, steps):
    segments = (len(ids) - 1) // (batch * steps)
    rows = ids[: batch * segments * steps].reshape(batch, -1)
    return tuple(part.reshape(batch, segments, steps).swapaxes(0, 1) for part in (rows, np.roll(rows, -1, axis=1)))


def _spread_rows(ids, batch, steps, *, shorter=False):
    length = len(ids) // batch
    segments = (length - 1) // steps if shorter else (len(ids) - 1) // (batch * steps)
    places = np.arange(batch)[:, None] * length + np.arange(segments * steps)
    return tuple(ids[places + s].reshape(batch, segments, steps).swapaxes(0, 1) for s in (0, 1))


def _rolled(ids, batch, steps):
    segments = len(ids) // (batch * steps)
    count = batch * segments * steps
    pairs = (ids[:count], np.roll(ids, -1)[:count])
    return tuple(part.reshape(batch, segments, steps).swapaxes(0, 1) for part in pairs)


def _by_slices(ids, batch, steps):
    segments = (len(ids) - 1) // (batch * steps)
    starts = np.arange(batch) * segments * steps
    xs = [[ids[s + k * steps : s + (k + 1) * steps] for s in starts] for k in range(segments)]
    ys = [[ids[s + k * steps + 1 : s + (k + 1) * steps + 1] for s in starts] for k in range(segments)]
    return np.array(xs), np.array(ys)


def _by_places(ids, batch, steps):
    segments = (len(ids) - 1) // (batch * steps)
    segment, row, step = np.meshgrid(np.arange(segments), np.arange(batch), np.arange(steps), indexing="ij")
    places = row * segments * steps + segment * steps + step
    return ids[places], ids[places + 1]


def _text(characters: int, batch: int, steps: int):
    return lambda rng: (rng.permutation(characters), batch, steps)  # every character has a different id


next_character_batches = Exercise(
    name="next_character_batches",
    challenges=(
        Challenge("two rows, three segments", 1.0, _text(25, 2, 4)),
        Challenge("a remainder that does not fit", 0.5, _text(23, 3, 2)),
        Challenge("one row", 0.25, _text(13, 1, 3)),
        Challenge("no target for the last character", 0.5, _text(24, 2, 4)),
        Challenge("another text", 1.25, lambda rng: (rng.integers(0, 30, size=67), 4, 5), hidden=True),
    ),
    oracle=_batches_oracle,
    mistakes=(
        Mistake(
            "Your rows do not continue from segment to segment: row 0 of the next segment should begin where row 0 of this segment ends.",
            _in_reading_order,
        ),
        Mistake(
            "Your targets are the inputs themselves: the target is the next character.",
            lambda *a: _following(*a, shift=0),
        ),
        Mistake(
            "The last target of each segment is the first character of that segment: it should be the next character of the text.",
            _wrapping,
        ),
        Mistake(
            "Your last target is the first character of the text, as np.roll wraps around: the last character has no target.",
            _rolled,
        ),
        Mistake(
            "Your last target is the first character of the text: take the targets from `ids[1:]`, without np.roll.",
            lambda ids, batch, steps: _rolled(ids[: (len(ids) - 1) // (batch * steps) * batch * steps], batch, steps),
        ),
        Mistake(
            "The last target of each row is the first character of that row: it should be the next character of the text.",
            _wrapping_rows,
        ),
        Mistake(
            "Your rows begin len(ids) // batch characters apart: row r should begin at character r * segments * steps.",
            _spread_rows,
        ),
        Mistake(
            "You cut the text into rows of len(ids) // batch characters first, with the last target inside: row r should "
            "begin at character r * segments * steps.",
            lambda *a: _spread_rows(*a, shorter=True),
        ),
        Mistake(
            "Your rows take every batch-th character: each row should be a continuous stretch of the text.",
            _interleaved,
        ),
        Mistake("Your rows come first: the shape should be (segments, batch, steps).", _rows),
        Mistake("Your first segment is missing.", lambda *a: tuple(part[1:] for part in _following(*a))),
        Mistake("Inputs and targets are interchanged: return xs first, then ys.", lambda *a: _following(*a)[::-1]),
    ),
    styles=(_following, _by_slices, _by_places),
    hints=(
        "Write 25 characters on paper in two rows. Which part of each row belongs to segment 0, and which to segment 1?",
        "Reshape the first batch * segments * steps characters to (batch, segments, steps), then move the segments to the front.",
        "segments = (len(ids) - 1) // (batch * steps); ids[:n].reshape(batch, segments, steps).swapaxes(0, 1), and the same for ids[1 : n + 1].",
    ),
    unchanged=0.5,
    promised=(
        ("batch is always smaller than axis 0 of ids", "at least one segment fits"),
        ("steps is always smaller than axis 0 of ids", "at least one segment fits"),
    ),
)

# ---------------------------------------------------------------------------------------------- sample


def _softmax(logits):
    powers = np.exp(logits - np.max(logits))
    return powers / powers.sum()


def _draw(logits, temperature, rng, *, zero=True, safe=True, scale=lambda logits, t: logits / t):
    if zero and temperature == 0:
        return int(np.argmax(logits))
    scaled = scale(logits, temperature)
    powers = np.exp(scaled - scaled.max()) if safe else np.exp(scaled)
    return int(rng.choice(len(logits), p=powers / powers.sum()))


def _gumbel(logits, temperature, rng):
    if temperature == 0:
        return np.argmax(logits)
    return np.argmax(logits / temperature + rng.gumbel(size=logits.shape))


def _by_staircase(logits, temperature, rng):
    if temperature < 1e-6:
        return logits.argmax()
    steps = np.cumsum(_softmax(logits / temperature))
    return min(int(np.searchsorted(steps, rng.random())), len(logits) - 1)


sample = ClaimsExercise(
    name="sample",
    challenges=(
        Claims("temperature 1", 1.0, (TEMPERATURE_1,)),
        Claims("temperatures 0.5 and 2", 1.0, (TEMPERATURE_0_5, TEMPERATURE_2, HIGHER_IS_NOT_SHARPER)),
        Claims("temperature 0", 0.5, (TEMPERATURE_0,)),
        Claims("large logits", 0.5, (SHIFT_INVARIANT,)),
        Claims("the generator decides", 1.0, (SAME_GENERATOR_SAME_DRAWS, OTHER_GENERATOR_OTHER_DRAWS)),
    ),
    draw=lambda rng: (int(rng.integers(4, 8)), int(rng.integers(2**62))),
    oracle=_gumbel,
    threshold="shares of 2000 draws within five standard deviations: a right answer fails once in a million times",
    mistakes=(
        Mistake(findings.IGNORES_TEMPERATURE, lambda *a: _draw(*a, scale=lambda logits, t: logits)),
        Mistake(
            findings.DRAWS_LIKE.format(actual="multiplied by the temperature"),
            lambda *a: _draw(*a, scale=lambda logits, t: logits * t),
        ),
        Mistake(findings.ALWAYS_LARGEST, lambda logits, t, rng: int(np.argmax(logits))),
        Mistake(
            findings.ALWAYS_THE_SAME,
            lambda logits, t, rng: _draw(logits, t, np.random.default_rng(0)),
        ),
        Mistake(
            findings.DRAWS_UNIFORMLY,
            lambda logits, t, rng: int(rng.integers(len(logits))) if t else int(np.argmax(logits)),
        ),
        Mistake(
            findings.DRAWS_LIKE.format(actual="divided by the temperature and doubled"),
            lambda *a: _draw(*a, scale=lambda logits, t: 2 * logits / t),
        ),
        Mistake(findings.DRAWS_SOFTMAX_OF_SOFTMAX, lambda *a: _draw(*a, scale=lambda logits, t: _softmax(logits / t))),
        Mistake(findings.ZERO_FAILS, lambda *a: _draw(*a, zero=False)),
        Mistake(findings.LARGE_LOGITS_FAIL, lambda *a: _draw(*a, safe=False)),
        Mistake(findings.OTHER_RANDOMNESS, lambda logits, t, rng: _draw(logits, t, np.random.default_rng())),
    ),
    styles=(_draw, _gumbel, _by_staircase),
    hints=(
        "How do logits become probabilities, and where does the temperature come in: before or after?",
        "Divide the logits by the temperature, take the softmax (lesson 03: subtract the largest first), draw with these probabilities.",
        "rng.choice(len(logits), p=probabilities); and before all that: if temperature == 0, return the argmax.",
    ),
    probe="sampling",
)

# ---------------------------------------------------------------------------------- bits_per_character


def _probabilities(n: int):
    return lambda rng: (np.round(rng.uniform(0.02, 0.9, size=n), 2),)


bits_per_character = Exercise(
    name="bits_per_character",
    challenges=(
        Challenge(
            "equal probabilities",
            0.5,
            lambda rng: (np.full(3, 0.125),),
            fresh=lambda rng: (np.full(rng.integers(2, 6), 1 / rng.integers(2, 60)),),
        ),
        Challenge("mixed probabilities", 0.5, _probabilities(6)),
        Challenge("a single character", 0.5, _probabilities(1)),
        Challenge("more characters", 0.5, _probabilities(40), hidden=True),
    ),
    oracle=lambda probabilities: -sum(float(np.log(p)) for p in probabilities) / len(probabilities) / float(np.log(2)),
    tolerance=SAME,
    mistakes=(
        Mistake(
            "You use the natural logarithm, which counts nats: bits need the logarithm to base 2.",
            lambda p: -np.mean(np.log(p)),
        ),
        Mistake("You add up the bits: return their mean.", lambda p: -np.sum(np.log2(p))),
        Mistake(
            "You average the probabilities before you take the logarithm: take the logarithm first.",
            lambda p: -np.log2(np.mean(p)),
        ),
        Mistake(
            "The minus sign is missing: the logarithm of a probability is negative.", lambda p: np.mean(np.log2(p))
        ),
        Mistake(
            "You return the perplexity, which is 2 to the power of the number of bits.",
            lambda p: 2 ** -np.mean(np.log2(p)),
        ),
        Mistake(
            "You return the sum of -p log2(p), as for an entropy: average -log2(p), where each character counts once.",
            lambda p: -np.sum(p * np.log2(p)),
        ),
        Mistake(
            "You weight the bits with the probabilities themselves, as for an entropy: each character counts once.",
            lambda p: -np.mean(p * np.log2(p)),
        ),
    ),
    styles=(
        lambda probabilities: -np.mean(np.log2(probabilities)),
        lambda probabilities: np.log2(np.exp(-np.log(probabilities).mean())),
        lambda probabilities: float(np.log2(1 / np.asarray(probabilities)).sum() / len(probabilities)),
    ),
    hints=(
        "How many yes-or-no questions does it take to find one thing among eight?",
        "A character that had the probability p costs -log2(p) bits. Average over all characters.",
        "-np.mean(np.log2(probabilities)).",
    ),
    unchanged=0.0,
    promised=(
        ("probabilities is always between -1 and 1", "they are probabilities"),
        ("probabilities is never negative", "they are probabilities"),
    ),
)

# -------------------------------------------------------------------------------- build_language_model


def _model(
    letters,
    batch,
    *,
    stateful=True,
    top=None,
    loss="logits",
    both_ways=False,
    memory=True,
    sequences=True,
    compiled=True,
    out=None,
    swapped=False,
) -> Any:
    from rnn_helpers.quietly import keras

    layers = keras.layers
    rnn = layers.SimpleRNN(64, return_sequences=sequences, stateful=stateful)
    middle = layers.Bidirectional(rnn) if both_ways else rnn if memory else layers.Dense(64, activation="tanh")
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(batch, None)),
            layers.Embedding(*((16, letters) if swapped else (letters, 16))),
            middle,
            layers.Dense(out or letters, activation=top),
        ]
    )
    if compiled:
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=loss == "logits")
        model.compile(optimizer=keras.optimizers.Adam(0.006, global_clipnorm=1.0), loss=entropy)
    return model


def _with_gru(letters, batch):
    from rnn_helpers.quietly import keras

    ids = keras.Input(batch_shape=(batch, None), dtype="int32")
    vectors = keras.layers.Embedding(letters, 24, name="letters")(ids)
    states = keras.layers.GRU(48, return_sequences=True, stateful=True)(vectors)
    model = keras.Model(ids, keras.layers.Dense(letters)(states))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.optimizer.learning_rate = 0.005
    return model


def _functional(letters, batch):
    from rnn_helpers.quietly import keras

    ids = keras.Input(batch_shape=(batch, None), dtype="int32")
    vectors = keras.layers.Embedding(letters, 24, name="letters")(ids)
    states = keras.layers.SimpleRNN(64, return_sequences=True, stateful=True)(vectors)
    model = keras.Model(ids, keras.layers.Dense(letters)(states))
    model.compile("rmsprop", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.optimizer.learning_rate = 0.003
    return model


def _with_one_hot(letters, batch):
    from rnn_helpers.quietly import keras

    model = keras.Sequential(
        [
            keras.Input(batch_shape=(batch, None), dtype="int32"),
            keras.layers.Embedding(letters, letters, embeddings_initializer="identity", trainable=False),
            keras.layers.SimpleRNN(100, return_sequences=True, stateful=True),
            keras.layers.TimeDistributed(keras.layers.Dense(letters)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.004, clipnorm=1.0), loss=loss)
    return model


build_language_model = ClaimsExercise(
    name="build_language_model",
    challenges=(
        Claims(
            "what it outputs",
            0.75,
            (OUTPUT_PER_STEP, ONE_LOGIT_PER_LETTER, KNOWS_ALL_LETTERS, NOT_PROBABILITIES, UNBOUNDED),
        ),
        Claims("how it reads", 0.75, (PAST_MATTERS, CAUSAL, STATEFUL)),
        Claims("its layers", 0.25, (READABLE_WEIGHTS,)),
        Claims("how it is compiled", 0.75, (COMPILED, LOSS_TAKES_LOGITS)),
        Claims("what it learns", 1.5, (BATCH_INDEPENDENT_WEIGHTS, BEATS_BIGRAMS)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda letters, batch: _model(letters, batch),
    threshold="the perplexity of a table of pairs on 1500 characters, against that of the model after 256 contexts of 24: on 5 seeds reference and honest others are at 0.26 to 0.36 of it",
    mistakes=(
        Mistake(findings.NOT_STATEFUL, lambda *a: _model(*a, stateful=False)),
        Mistake(findings.LOGITS_FOR_SOFTMAX, lambda *a: _model(*a, top="softmax")),
        Mistake(findings.PROBABILITIES, lambda *a: _model(*a, top="softmax", loss="probabilities")),
        Mistake(findings.FROM_LOGITS_MISSING, lambda *a: _model(*a, loss="probabilities")),
        Mistake(findings.ACTIVATION_ON_TOP.format(actual="tanh"), lambda *a: _model(*a, top="tanh")),
        Mistake(findings.LOOKS_AHEAD, lambda *a: _model(*a, both_ways=True)),
        Mistake(findings.NO_RECURRENT_LAYER, lambda *a: _model(*a, memory=False)),
        Mistake(findings.RETURNS_LAST_STATE, lambda *a: _model(*a, sequences=False)),
        Mistake(
            findings.FIXED_OUTPUTS.format(actual=29, argument="letters"),
            lambda letters, batch: _model(letters, batch, out=29),
        ),
        Mistake(findings.EMBEDDING_SWAPPED, lambda *a: _model(*a, swapped=True)),
        Mistake(findings.OTHER_LAYERS.format(expected="one Embedding, one SimpleRNN and one Dense"), _with_gru),
        Mistake(findings.NOT_COMPILED, lambda *a: _model(*a, compiled=False)),
    ),
    styles=(lambda letters, batch: _model(letters, batch), _functional, _with_one_hot),
    hints=(
        "Three layers: what turns numbers into vectors, what remembers, what makes one logit for each letter?",
        "keras.Input(batch_shape=(batch, None)), Embedding, SimpleRNN with return_sequences and stateful, Dense(letters) without activation.",
        "keras.losses.SparseCategoricalCrossentropy(from_logits=True) is the loss; Adam(0.006, global_clipnorm=1.0) the optimizer.",
    ),
    probe="language_model",
    seconds=6,
)

# ----------------------------------------------------------------------------------------------- top_p


def _nucleus(probabilities, p, *, order=lambda probabilities: np.argsort(-probabilities), more=1, rescale=True):
    chosen = order(probabilities)
    nucleus = chosen[: np.count_nonzero(np.cumsum(probabilities[chosen]) < p) + more]
    out = np.zeros(len(probabilities))
    out[nucleus] = probabilities[nucleus]
    return out / out.sum() if rescale and out.sum() else out


def _nucleus_oracle(probabilities, p):
    """Add the most likely of the rest until the share is reached."""
    remaining, nucleus = dict(enumerate(probabilities.tolist())), dict[int, float]()
    while sum(nucleus.values()) < p:
        number = max(remaining, key=lambda k: remaining[k])
        nucleus[number] = remaining.pop(number)
    total = sum(nucleus.values())
    return np.array([nucleus.get(number, 0.0) / total for number in range(len(probabilities))])


def _by_threshold(probabilities, p):
    ranked = np.sort(probabilities)[::-1]
    least = ranked[np.argmax(np.cumsum(ranked) >= p)]
    nucleus = np.where(probabilities >= least, probabilities, 0)
    return nucleus / nucleus.sum()


def _even(probabilities, p):
    nucleus = _nucleus(probabilities, p) > 0
    return nucleus / nucleus.sum()


def _sorted_nucleus(probabilities, p):
    return -np.sort(-_nucleus(probabilities, p))


def _distribution(letters: int, p: float):
    def draw(rng: Rng) -> tuple:
        """Draw probabilities whose sums stay away from `p`; the most and the least likely differ from the first."""
        while True:
            weights = rng.choice(np.arange(1, 60), size=letters, replace=False)
            probabilities = weights / weights.sum()
            sums = np.cumsum(np.sort(probabilities)[::-1])
            orders = (np.argsort(-probabilities), np.argsort(probabilities), np.arange(letters))
            masks = [_nucleus(probabilities, p, order=lambda _, order=order: order) > 0 for order in orders]
            if (
                np.abs(sums - p).min() > 0.01
                and len({mask.tobytes() for mask in masks}) == 3
                and not any(map(np.all, masks))
            ):
                return probabilities, p

    return draw


def _all_kept(rng: Rng) -> tuple:
    weights = rng.choice(np.arange(1, 30), size=4, replace=False)
    return weights / weights.sum(), 1 - 1e-6


def _falling(rng: Rng) -> tuple:
    probabilities, p = _distribution(7, 0.7)(rng)
    return np.sort(probabilities)[::-1].copy(), p


top_p = Exercise(
    name="top_p",
    challenges=(
        Challenge("a few are kept", 1.0, _distribution(6, 0.8)),
        Challenge("in falling order", 0.25, _falling),
        Challenge("all are kept", 0.25, _all_kept, edge=True),
        Challenge("more characters", 1.0, _distribution(20, 0.9), hidden=True),
    ),
    oracle=_nucleus_oracle,
    mistakes=(
        Mistake(
            "You keep one character too few: the set has to reach p, so the character that crosses it belongs to it.",
            lambda *a: _nucleus(*a, more=0),
        ),
        Mistake(
            "You keep one character too many: stop at the first one that reaches p.", lambda *a: _nucleus(*a, more=2)
        ),
        Mistake("You do not rescale: the kept probabilities should sum to 1.", lambda *a: _nucleus(*a, rescale=False)),
        Mistake(
            "You keep the least likely characters: keep the most likely ones.",
            lambda *a: _nucleus(*a, order=np.argsort),
        ),
        Mistake(
            "You add up the probabilities in the order of the alphabet: start with the most likely character.",
            lambda *a: _nucleus(*a, order=lambda probabilities: np.arange(len(probabilities))),
        ),
        Mistake(
            "You return the probabilities sorted: each should stay at the place of its character.", _sorted_nucleus
        ),
        Mistake("All kept characters get the same probability: rescale their own probabilities.", _even),
        Mistake(
            "You return the probabilities unchanged: set those outside the smallest set to 0.",
            lambda probabilities, p: probabilities.copy(),
        ),
        Mistake(
            "You keep the most likely character only: keep the smallest set that reaches p.",
            lambda probabilities, p: (probabilities == probabilities.max()).astype(float),
        ),
    ),
    styles=(
        _nucleus,
        _by_threshold,
        lambda probabilities, p: _nucleus(probabilities, p, order=lambda q: q.argsort()[::-1]),
    ),
    hints=(
        "With 0.5, 0.25, 0.15, 0.08 and 0.02: which characters are needed to reach 0.8?",
        "Sort from the most to the least likely, add up with np.cumsum, and count how many sums are still below p. One more is needed.",
        "order = np.argsort(probabilities)[::-1]; count = np.sum(np.cumsum(probabilities[order]) < p) + 1; keep order[:count], and divide by their sum.",
    ),
    unchanged=0.5,
    promised=(
        ("probabilities is always between -1 and 1", "they are probabilities"),
        ("probabilities is never negative", "they are probabilities"),
        ("p is always between -1 and 1", "it is a share"),
        ("p is never negative", "it is a share"),
    ),
)

# --------------------------------------------------------------------------------------------- generate


def _generated(
    step,
    start,
    length,
    choose,
    *,
    carry=True,
    update=True,
    prime=lambda start: start,
    feed=True,
    keep=0,
    skip=0,
):
    state, logits, read = None, None, [int(number) for number in start]
    for number in prime(read):
        logits, state = step(number, state)
    written: list[int] = []
    for _ in range(length + skip):
        written.append(int(choose(logits)))
        logits, new = step(written[-1] if feed else read[-1], state if carry else None)
        state = new if update else state
    return np.array(([*read] if keep else []) + written[skip:])


def _generate_oracle(step, start, length, choose):
    """Read the whole text again before each new character."""
    text = [int(number) for number in start]
    for _ in range(length):
        state = None
        for number in text:
            logits, state = step(number, state)
        text.append(int(choose(logits)))
    return np.array(text[len(start) :])


def _in_one_loop(step, start, length, choose):
    text, state = list(start), None
    for position in range(len(start) + length - 1):
        logits, state = step(int(text[position]), state)
        if position + 1 >= len(text):
            text.append(choose(logits))
    return np.array(text[len(start) :])


def _with_generator(step, start, length, choose):
    def characters():
        state = None
        for number in start[:-1]:
            _, state = step(number, state)
        number = start[-1]
        while True:
            logits, state = step(number, state)
            number = choose(logits)
            yield number

    return np.fromiter(characters(), dtype=int, count=length)


def _without_reading_first(step, start, length, choose):
    return _generated(step, start, length, choose, prime=lambda read: read[-1:])


def _fresh_after_start(step, start, length, choose):
    state, logits = None, None
    for number in start:
        logits, state = step(int(number), state)
    written, state = [], None
    for _ in range(length):
        written.append(int(choose(logits)))
        logits, state = step(written[-1], state)
    return np.array(written)


def _choosing_all_at_once(step, start, length, choose):
    return np.full(length, _generate_oracle(step, start, 1, choose)[0])


def _to_generate(characters: int, length: int, choose: Callable):
    return lambda rng: (read_character, rng.integers(0, 9, size=characters), length, choose)


def _any_to_generate(rng: Rng) -> tuple:
    choose = (most_likely, least_likely)[int(rng.integers(2))]
    return _to_generate(int(rng.integers(3, 7)), int(rng.integers(14, 20)), choose)(rng)


generate = Exercise(
    name="generate",
    challenges=(
        Challenge("after one character", 0.5, _to_generate(1, 12, most_likely)),
        Challenge("after several characters", 0.75, _to_generate(5, 12, most_likely)),
        Challenge("another rule of choice", 0.5, _to_generate(14, 11, least_likely)),
        Challenge("another text", 0.75, _any_to_generate, hidden=True),
    ),
    oracle=_generate_oracle,
    mistakes=(
        Mistake(
            "Only the last character of `start` affects what you write: read all of them, and carry the state.",
            _without_reading_first,
        ),
        Mistake(
            "You do not carry the state while you write: pass the state of the last step to the next one.",
            lambda *a: _generated(*a, carry=False),
        ),
        Mistake(
            "While you write, `step` always gets the state after `start`: keep the state that it returns.",
            lambda *a: _generated(*a, update=False),
        ),
        Mistake("You start writing with an empty state: carry on with the state after `start`.", _fresh_after_start),
        Mistake(
            "You do not feed the chosen characters back: each one is the next input.",
            lambda *a: _generated(*a, feed=False),
        ),
        Mistake("You return `start` too: return the new characters alone.", lambda *a: _generated(*a, keep=1)),
        Mistake("Your first chosen character is missing from the result.", lambda *a: _generated(*a, skip=1)),
        Mistake("You repeat the first chosen character: choose again after each step.", _choosing_all_at_once),
        Mistake(
            "You write one character too many.",
            lambda step, start, length, choose: _generated(step, start, length + 1, choose),
        ),
        Mistake(
            "You write one character too few.",
            lambda step, start, length, choose: _generated(step, start, length - 1, choose),
        ),
        Mistake(
            "You read the first character of `start` only: read all of them.",
            lambda *a: _generated(*a, prime=lambda read: read[:1]),
        ),
    ),
    styles=(_generated, _in_one_loop, _with_generator),
    hints=(
        "After which call of `step` do you know the logits for the first new character?",
        "One loop reads `start` and keeps the last logits and the state; a second loop chooses, stores, and calls step on what it chose.",
        "state = None; for number in start: logits, state = step(number, state). Then, length times: choose(logits), append, step.",
    ),
    unchanged=0.5,
    lists=True,
)

EXERCISES = [next_character_batches, build_language_model, bits_per_character, sample, top_p, generate]
