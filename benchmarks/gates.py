"""Compare SimpleRNN, GRU and LSTM with equal numbers of weights on the tasks of lessons 10, 11 and 12.

    python -m benchmarks.gates [seeds]

Everything but the recurrent layer is as in the lessons: data, learning rates, epochs. Each model has at most as many
weights as the one with SimpleRNN, so a gated layer has fewer units. Prints a row per task, cell and seed, and then the
table of lesson 13. About three minutes per seed.
"""

from __future__ import annotations

import bisect
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from rnn_helpers import data, speech
from rnn_helpers.quietly import keras

CELLS = ("SimpleRNN", "GRU", "LSTM")
SYMBOLS, START, END = 14, 1, 2  # lesson 12: 0 is padding, the digit d is 3 + d, 13 is unused here


def compiled(model: keras.Model, rate: float) -> keras.Model:
    """Compile a model that returns logits as the lessons do."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=loss)
    return model


def language_model(cell: str, units: int, batch: int = 32) -> keras.Model:
    """Return lesson 10's model."""
    layer = getattr(keras.layers, cell)(units, return_sequences=True, stateful=True)
    layers = [keras.Input(batch_shape=(batch, None)), keras.layers.Embedding(66, 24), layer, keras.layers.Dense(66)]
    return compiled(keras.Sequential(layers), 0.006)


def recogniser(cell: str, units: int) -> keras.Model:
    """Return lesson 11's bidirectional model."""
    layer = keras.layers.Bidirectional(getattr(keras.layers, cell)(units, return_sequences=True))
    return compiled(keras.Sequential([keras.Input((None, speech.BANDS)), layer, keras.layers.Dense(11)]), 0.003)


def encoder_decoder(cell: str, units: int) -> keras.Model:
    """Return lesson 12's model without attention."""
    layers, kind = keras.layers, getattr(keras.layers, cell)
    source, written = (keras.Input((None,), dtype="int32") for _ in range(2))
    _, *state = kind(units, return_state=True)(layers.Embedding(SYMBOLS, 32)(source))
    decoder = kind(units, return_sequences=True)
    states = decoder(layers.Embedding(SYMBOLS, 32)(written), initial_state=state if cell == "LSTM" else state[0])
    return compiled(keras.Model([source, written], layers.Dense(SYMBOLS)(states)), 0.003)


def units_for(build: Callable[[str, int], keras.Model], cell: str, weights: int) -> int:
    """Return the largest number of units with which the model has at most so many weights."""
    return bisect.bisect_right(range(1, 256), weights, key=lambda units: build(cell, units).count_params())


def held_out_bits(model: keras.Model, train: np.ndarray, held_out: np.ndarray, epochs: int = 20) -> float:
    """Train as lesson 10 does; return the bits per character on the held-out tenth of the text."""
    rows, steps = 32, 25
    length = (len(train) - 1) // rows // steps * steps
    xs, ys = (train[k : k + rows * length].reshape(rows, -1, steps).swapaxes(0, 1) for k in (0, 1))
    model.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(0.006, epochs * len(xs), alpha=0.02)
    for _ in range(epochs):
        model.layers[1].reset_state()
        for x, y in zip(xs, ys, strict=True):
            model.train_on_batch(x, y)
    layer = model.layers[1]
    reader = language_model(type(layer).__name__, layer.units, batch=1)
    reader.set_weights(model.get_weights())
    logits = np.concatenate(
        [reader.predict_on_batch(part[None])[0] for part in np.split(held_out[:-1], range(1000, len(held_out), 1000))]
    )
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(log_p)), held_out[1:]].mean() / np.log(2))


def frame_error(model: keras.Model, heard: tuple, unheard: tuple) -> float:
    """Train as lesson 11 does; return the share of wrong frames of unheard voices, in percent."""
    xs, mask, labels = heard
    model.fit(xs, labels, sample_weight=mask.astype("float32"), batch_size=16, epochs=6, verbose=0)
    xs, mask, labels = unheard
    return 100 * float((model.predict(xs, verbose=0).argmax(axis=-1) != labels)[mask].mean())


def reversed_digits(number: int, shortest: int, longest: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return ([sources, shifted targets], targets) of lesson 12's task, both padded to ten digits."""
    rng = np.random.default_rng(seed)
    sources, targets = np.zeros((number, 10), int), np.zeros((number, 11), int)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        digits = 3 + rng.integers(0, 10, size=shortest + row % (longest - shortest + 1))
        source[10 - len(digits) :] = digits
        target[: len(digits) + 1] = [*digits[::-1], END]
    shifted = np.roll(targets, 1, axis=1)
    shifted[:, 0] = START
    return [sources, shifted], targets


def exact_match(model: keras.Model, seed: int) -> float:
    """Train as lesson 12 does; return the share of ten-digit sequences reversed without an error, in percent."""
    inputs, targets = reversed_digits(4000, 3, 10, seed)
    model.fit(inputs, targets, sample_weight=(targets != 0).astype("float32"), batch_size=32, epochs=8, verbose=0)
    inputs, targets = reversed_digits(500, 10, 10, 1000 + seed)
    # With the right symbols as inputs, exactly the same answers are right as with its own (lesson 12).
    return 100 * float((model.predict(inputs, verbose=0).argmax(axis=-1) == targets).all(axis=1).mean())


def main(seeds: int) -> None:
    """Print a row per task, cell and seed, and the table."""
    text = data.alice()
    ids = np.unique(list(text), return_inverse=True)[1]
    heard = speech.batch(speech.utterances(320, speech.HEARD, seed=0))
    unheard = speech.batch(speech.utterances(100, speech.UNHEARD, seed=1))
    tasks: dict[str, tuple[Callable, int, Callable]] = {
        "language model, bits per character": (
            language_model,
            128,
            lambda m, _: held_out_bits(m, ids[:127_000], ids[127_000:]),
        ),
        "speech, frame error in %": (recogniser, 64, lambda m, _: frame_error(m, heard, unheard)),
        "ten digits reversed, exact match in %": (encoder_decoder, 128, exact_match),
    }
    results: dict[tuple[str, str], list[float]] = {}
    for seed in range(seeds):
        for task, (build, simple_units, measure) in tasks.items():
            weights = build("SimpleRNN", simple_units).count_params()
            for cell in CELLS:
                units = units_for(build, cell, weights)
                keras.utils.set_random_seed(seed)
                model, start = build(cell, units), time.perf_counter()
                results.setdefault((task, cell), []).append(measure(model, seed))
                print(
                    f"seed {seed}  {task}: {cell}({units}), {model.count_params()} weights: "
                    f"{results[task, cell][-1]:.2f}  ({time.perf_counter() - start:.0f} s)",
                    flush=True,
                )
    for (task, cell), values in results.items():
        print(f"{task:<38} {cell:<10} mean {statistics.mean(values):6.2f}   {min(values):.2f} to {max(values):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
