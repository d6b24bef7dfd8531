"""Lesson 10: characters and ids, consecutive batches, sampling, bits per character, a model."""

from __future__ import annotations

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

SAME = Tolerance(
    1e-5, "a few logarithms, in float32 when Keras takes them; a tiny number added before the logarithm is harmless"
)

ALPHABET = " ,.abcdefghijklmnopqrstuvwxyz"

# ---------------------------------------------------------------------------------------------- encode


def _encode_oracle(text, alphabet):
    """Count, for each character, the characters of the alphabet before it."""
    return np.array([len(alphabet.split(char)[0]) for char in text])


def _by_table(text, alphabet):
    index_of = {char: number for number, char in enumerate(alphabet)}
    return np.array([index_of[char] for char in text])


def _by_bytes(text, alphabet):
    table = np.zeros(256, dtype=int)
    table[list(alphabet.encode())] = np.arange(len(alphabet))
    return table[np.frombuffer(text.encode(), dtype=np.uint8)]


def _words(rng: Rng, length: int, alphabet: str) -> str:
    return "".join(rng.choice(list(alphabet), size=length))


SHORT = "xs a"  # an alphabet that is not sorted


def _any_alphabet(rng: Rng) -> str:
    return "".join(rng.permutation(list(ALPHABET)))


def _long_text(rng: Rng) -> tuple:
    return _words(rng, 60, ALPHABET), _any_alphabet(rng)


encode = Exercise(
    name="encode",
    challenges=(
        Challenge("a small alphabet", 0.5, lambda rng: ("a" + _words(rng, 5, SHORT), SHORT)),
        Challenge("a larger alphabet", 0.5, lambda rng: (_words(rng, 9, ALPHABET) + "z", ALPHABET)),
        Challenge(
            "one character", 0.5, lambda rng: ("s", SHORT), fresh=lambda rng: (_words(rng, 1, ALPHABET), ALPHABET)
        ),
        Challenge("a longer text", 0.5, _long_text, hidden=True),
    ),
    oracle=_encode_oracle,
    mistakes=(
        Mistake("You count the alphabet from 1: count from 0.", lambda text, a: _by_table(text, a) + 1),
        Mistake(
            "You return Unicode code points (ord): return positions in the alphabet.",
            lambda text, a: np.array([ord(c) for c in text]),
        ),
        Mistake(
            "You sort the alphabet first: its own order counts.", lambda text, a: _by_table(text, "".join(sorted(a)))
        ),
        Mistake(
            "You count the positions from the end of the alphabet: count from its beginning.",
            lambda text, a: _by_table(text, a[::-1]),
        ),
        Mistake(
            "You count the characters of the text: look each of them up in the alphabet.",
            lambda text, a: np.arange(len(text)),
        ),
        Mistake(
            "You return positions in the text: return positions in the alphabet.",
            lambda text, a: np.array([text.index(c) for c in text]),
        ),
        Mistake(
            "You number the characters that occur in the text: number those of the alphabet.",
            lambda text, a: _by_table(text, "".join(sorted(set(text)))),
        ),
        Mistake(
            "You return one-hot vectors: return one whole number for each character.",
            lambda text, a: np.eye(len(a), dtype=int)[_by_table(text, a)],
        ),
    ),
    styles=(
        _by_table,
        _by_bytes,
        lambda text, alphabet: np.array([alphabet.index(char) for char in text]),
        lambda text, alphabet: np.fromiter(map(alphabet.find, text), dtype=np.int32),
    ),
    hints=(
        'In the alphabet "xs a", which number does the space have? And "x"?',
        "alphabet.index(char) is the position of a character. Do that for each character of the text.",
        "np.array([alphabet.index(char) for char in text]); a dict made once is faster on long texts.",
    ),
    unchanged=0.0,
)

# ---------------------------------------------------------------------------------------------- decode


def _ids(rng: Rng, length: int, letters: int) -> np.ndarray:
    return rng.integers(0, letters, size=length)


def _decode_oracle(ids, alphabet):
    text = ""
    for number in ids.tolist():
        text = text + alphabet[number]
    return text


decode = Exercise(
    name="decode",
    challenges=(
        Challenge("a small alphabet", 0.5, lambda rng: (np.append(_ids(rng, 5, 4), [3, 1, 2]), SHORT)),
        Challenge("a larger alphabet", 0.5, lambda rng: (np.append(_ids(rng, 9, 29), [28, 4]), ALPHABET)),
        Challenge(
            "one character", 0.5, lambda rng: (np.array([1]), SHORT), fresh=lambda rng: (_ids(rng, 1, 29), ALPHABET)
        ),
        Challenge("a longer text", 0.5, lambda rng: (_ids(rng, 60, 29), _any_alphabet(rng)), hidden=True),
    ),
    oracle=_decode_oracle,
    mistakes=(
        Mistake("You count the alphabet from 1: count from 0.", lambda ids, a: "".join(a[i - 1] for i in ids)),
        Mistake(
            "You put spaces between the characters: join them with the empty string.",
            lambda ids, a: " ".join(a[i] for i in ids),
        ),
        Mistake(
            "You return the characters with these Unicode code points (chr): take those of the alphabet.",
            lambda ids, a: "".join(chr(i) for i in ids),
        ),
        Mistake("You return the text in reverse order.", lambda ids, a: "".join(a[i] for i in ids[::-1])),
        Mistake("You return the first character only.", lambda ids, a: a[ids[0]]),
        Mistake("You return the last character only: join all of them.", lambda ids, a: a[ids[-1]]),
        Mistake(
            "You sort the alphabet first: its own order counts.", lambda ids, a: "".join(sorted(a)[i] for i in ids)
        ),
        Mistake(
            "You return the list as text, with brackets and quotation marks: join the characters.",
            lambda ids, a: str([a[i] for i in ids]),
        ),
    ),
    styles=(
        lambda ids, alphabet: "".join(alphabet[i] for i in ids),
        lambda ids, alphabet: "".join(np.array(list(alphabet))[ids]),
        lambda ids, alphabet: "".join(map(alphabet.__getitem__, ids.tolist())),
    ),
    hints=(
        'In the alphabet "xs a", what do the numbers 3 and 1 spell?',
        "alphabet[number] is one character. How can you join many characters to a string?",
        '"".join(alphabet[i] for i in ids).',
    ),
    unchanged=0.0,
)

# ------------------------------------------------------------------------------ next_character_batches


def _rows(ids, batch, steps, *, shift=1):
    """Return (batch, pieces, steps) of inputs and targets; each row is a stretch of the text."""
    pieces = (len(ids) - 1) // (batch * steps)
    count = batch * pieces * steps
    return tuple(ids[s : s + count].reshape(batch, pieces, steps) for s in (0, shift))


def _batches_oracle(ids, batch, steps):
    """Fill both arrays one character at a time."""
    pieces = (len(ids) - 1) // batch // steps
    xs, ys = np.zeros((2, pieces, batch, steps), dtype=int)
    for row in range(batch):
        for position in range(pieces * steps):
            piece, step = divmod(position, steps)
            xs[piece, row, step] = ids[row * pieces * steps + position]
            ys[piece, row, step] = ids[row * pieces * steps + position + 1]
    return xs, ys


def _following(ids, batch, steps, **options):
    return tuple(part.swapaxes(0, 1) for part in _rows(ids, batch, steps, **options))


def _in_reading_order(ids, batch, steps):
    return tuple(part.reshape(-1, batch, steps) for part in _rows(ids, batch, steps))


def _interleaved(ids, batch, steps):
    pieces = (len(ids) - 1) // (batch * steps)
    count = batch * pieces * steps
    return tuple(ids[s : s + count].reshape(pieces, steps, batch).swapaxes(1, 2) for s in (0, 1))


def _wrapping(ids, batch, steps):
    xs, _ = _following(ids, batch, steps)
    return xs, np.roll(xs, -1, axis=2)


def _wrapping_rows(ids, batch, steps):
    pieces = (len(ids) - 1) // (batch * steps)
    rows = ids[: batch * pieces * steps].reshape(batch, -1)
    return tuple(part.reshape(batch, pieces, steps).swapaxes(0, 1) for part in (rows, np.roll(rows, -1, axis=1)))


def _spread_rows(ids, batch, steps, *, shorter=False):
    length = len(ids) // batch
    pieces = (length - 1) // steps if shorter else (len(ids) - 1) // (batch * steps)
    places = np.arange(batch)[:, None] * length + np.arange(pieces * steps)
    return tuple(ids[places + s].reshape(batch, pieces, steps).swapaxes(0, 1) for s in (0, 1))


def _rolled(ids, batch, steps):
    pieces = len(ids) // (batch * steps)
    count = batch * pieces * steps
    pairs = (ids[:count], np.roll(ids, -1)[:count])
    return tuple(part.reshape(batch, pieces, steps).swapaxes(0, 1) for part in pairs)


def _by_slices(ids, batch, steps):
    pieces = (len(ids) - 1) // (batch * steps)
    starts = np.arange(batch) * pieces * steps
    xs = [[ids[s + k * steps : s + (k + 1) * steps] for s in starts] for k in range(pieces)]
    ys = [[ids[s + k * steps + 1 : s + (k + 1) * steps + 1] for s in starts] for k in range(pieces)]
    return np.array(xs), np.array(ys)


def _by_places(ids, batch, steps):
    pieces = (len(ids) - 1) // (batch * steps)
    piece, row, step = np.meshgrid(np.arange(pieces), np.arange(batch), np.arange(steps), indexing="ij")
    places = row * pieces * steps + piece * steps + step
    return ids[places], ids[places + 1]


def _text(characters: int, batch: int, steps: int):
    return lambda rng: (rng.permutation(characters), batch, steps)  # every character has a different id


next_character_batches = Exercise(
    name="next_character_batches",
    challenges=(
        Challenge("two rows, three pieces", 1.5, _text(25, 2, 4)),
        Challenge("a remainder that does not fit", 0.5, _text(23, 3, 2)),
        Challenge("one row", 0.5, _text(13, 1, 3)),
        Challenge("no target for the last character", 0.5, _text(24, 2, 4)),
        Challenge("another text", 1.5, lambda rng: (rng.integers(0, 30, size=67), 4, 5), hidden=True),
    ),
    oracle=_batches_oracle,
    mistakes=(
        Mistake(
            "Your rows do not continue from piece to piece: row 0 of the next piece should begin where row 0 of this piece ends.",
            _in_reading_order,
        ),
        Mistake(
            "Your targets are the inputs themselves: the target is the next character.",
            lambda *a: _following(*a, shift=0),
        ),
        Mistake(
            "The last target of each piece is the first character of that piece: it should be the next character of the text.",
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
            "Your rows begin len(ids) // batch characters apart: row r should begin at character r * pieces * steps.",
            _spread_rows,
        ),
        Mistake(
            "You cut the text into rows of len(ids) // batch characters first, with the last target inside: row r should "
            "begin at character r * pieces * steps.",
            lambda *a: _spread_rows(*a, shorter=True),
        ),
        Mistake(
            "Your rows take every batch-th character: each row should be a continuous stretch of the text.",
            _interleaved,
        ),
        Mistake("Your rows come first: the shape should be (pieces, batch, steps).", _rows),
        Mistake("Your first piece is missing.", lambda *a: tuple(part[1:] for part in _following(*a))),
        Mistake("Inputs and targets are interchanged: return xs first, then ys.", lambda *a: _following(*a)[::-1]),
    ),
    styles=(_following, _by_slices, _by_places),
    hints=(
        "Write 25 characters on paper in two rows. Which part of each row belongs to piece 0, and which to piece 1?",
        "Reshape the first batch * pieces * steps characters to (batch, pieces, steps), then move the pieces to the front.",
        "pieces = (len(ids) - 1) // (batch * steps); ids[:n].reshape(batch, pieces, steps).swapaxes(0, 1), and the same for ids[1 : n + 1].",
    ),
    unchanged=0.5,
    promised=(
        ("batch is always smaller than axis 0 of ids", "at least one piece fits"),
        ("steps is always smaller than axis 0 of ids", "at least one piece fits"),
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
        "How do logits become chances, and where does the temperature come in: before or after?",
        "Divide the logits by the temperature, take the softmax (lesson 03: subtract the largest first), draw with these chances.",
        "rng.choice(len(logits), p=chances); and before all that: if temperature == 0, return the argmax.",
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
            1.0,
            (OUTPUT_PER_STEP, ONE_LOGIT_PER_LETTER, KNOWS_ALL_LETTERS, NOT_PROBABILITIES, UNBOUNDED),
        ),
        Claims("how it reads", 1.0, (PAST_MATTERS, CAUSAL, STATEFUL)),
        Claims("its layers", 0.5, (READABLE_WEIGHTS,)),
        Claims("how it is compiled", 1.0, (COMPILED, LOSS_TAKES_LOGITS)),
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

EXERCISES = [encode, decode, next_character_batches, build_language_model, bits_per_character, sample]
