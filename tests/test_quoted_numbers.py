"""Numbers in the prose of lessons that carry an argument, computed again."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_helpers import data


def rnn(xs: np.ndarray, h: np.ndarray, W_xh: np.ndarray, W_hh: np.ndarray, b_h: np.ndarray) -> np.ndarray:
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
    return h


# --- lesson 01


def test_two_saturated_units_follow_the_light_for_as_long_as_one_likes() -> None:
    W_xh, W_hh, b_h = np.full((1, 2), 8.0), np.array([[4.0, 4.0], [-4.0, -4.0]]), np.array([-4.0, -12.0])
    button = np.random.default_rng(1).integers(0, 2, size=(20, 500, 1)).astype(float)
    h = rnn(button, np.zeros((20, 2)), W_xh, W_hh, b_h)
    assert np.abs((h[:, 0] - h[:, 1]) / 2 - button.sum(axis=(1, 2)) % 2).max() < 0.001


def test_the_latch_settles_where_the_fold_out_says() -> None:
    h = 1.0
    for _ in range(100):
        h = np.tanh(2 * h)
    assert h == pytest.approx(0.958, abs=0.0006)


# --- lesson 02


@pytest.fixture(scope="module")
def zen() -> tuple[np.ndarray, np.ndarray]:
    """Return the padded lines and their lengths."""
    lines = data.zen_lines()
    alphabet = "".join(sorted(set("".join(lines))))
    lengths = np.array([len(line) for line in lines])
    xs = np.zeros((len(lines), lengths.max(), len(alphabet)))
    for row, line in zip(xs, lines, strict=True):
        row[: len(line)] = data.one_hot(line, alphabet)
    return xs, lengths


def random_cell(features: int, units: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    W_xh = rng.normal(size=(features, units)) / np.sqrt(features)
    return W_xh, rng.normal(size=(units, units)) / np.sqrt(units), 0.1 * rng.normal(size=units)


def test_of_a_hundred_random_cells_half_forget_the_lines_after_69_zeros(zen) -> None:
    xs, _ = zen
    longer = np.concatenate([xs, np.zeros_like(xs)], axis=1)
    ends = [rnn(longer, np.zeros((19, 6)), *random_cell(xs.shape[2], 6, seed)) for seed in range(100)]
    assert sum(np.abs(end - end[0]).max() < 1e-3 for end in ends) == 54


def test_in_46_of_a_hundred_random_cells_the_same_two_lines_end_closest(zen) -> None:
    xs, lengths = zen
    count = 0
    for seed in range(100):
        cell = random_cell(xs.shape[2], 6, seed)
        ends = np.array(
            [rnn(x[None, :length], np.zeros((1, 6)), *cell)[0] for x, length in zip(xs, lengths, strict=True)]
        )
        distances = np.linalg.norm(ends[:, None] - ends[None], axis=2) + 9 * np.tri(19)
        i, j = np.unravel_index(np.argmin(distances), distances.shape)
        count += "to explain" in data.zen_lines()[i] and "to explain" in data.zen_lines()[j]
    assert count == 46


def test_padding_wastes_39_per_cent_and_9_in_batches_of_similar_lengths(zen) -> None:
    xs, lengths = zen
    assert (lengths.sum(), 19 * lengths.max()) == (804, 1311)
    ordered = np.sort(lengths)
    bucketed = sum(len(batch) * batch.max() for batch in np.split(ordered, range(5, 19, 5)))
    assert [round(1 - 804 / steps, 2) for steps in (1311, bucketed)] == [0.39, 0.09]


# --- lesson 03


@pytest.fixture(scope="module")
def manual() -> tuple[str, np.ndarray, np.ndarray]:
    """Return the alphabet of Python's help texts, the texts as class numbers, and the table of bigram probabilities."""
    text = data.python_manual(200_000)
    alphabet = "".join(sorted(set(text)))
    codes = np.array([alphabet.index(char) for char in text])
    counts = np.ones((len(alphabet), len(alphabet)))
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    return alphabet, codes, counts / counts.sum(axis=1, keepdims=True)


def test_one_character_of_context_narrows_18_choices_to_about_10(manual) -> None:
    alphabet, codes, table = manual
    rates = np.bincount(codes[1:]) / len(codes[1:])
    losses = np.log(len(alphabet)), -np.sum(rates * np.log(rates)), -np.log(table[codes[:-1], codes[1:]]).mean()
    assert np.round(np.exp(losses), 1).tolist() == [29.0, 18.0, 10.3]


def test_english_backwards_surprises_a_bigram_table_more_than_uniform_guessing(manual) -> None:
    alphabet, codes, table = manual
    fox = [alphabet.index(char) for char in "the quick brown fox jumps over the lazy dog."]
    forwards, backwards = (-np.log(table[text[:-1], text[1:]]).mean() for text in (fox, fox[::-1]))
    rates = np.bincount(codes) / len(codes)
    assert (round(forwards, 2), round(backwards, 2)) == (2.96, 4.20)
    assert -np.log(rates[fox[1:]]).mean() == pytest.approx(3.43, abs=0.005)
    assert table[alphabet.index("q"), alphabet.index("u")] == pytest.approx(0.84, abs=0.005)


def test_the_bigram_table_is_hardly_worse_on_texts_it_has_not_seen(manual) -> None:
    alphabet, _, table = manual
    unseen = data.python_manual(10**9)[200_000:]
    codes = np.array([alphabet.index(char) for char in unseen])
    assert -np.log(table[codes[:-1], codes[1:]]).mean() == pytest.approx(2.36, abs=0.005)


def test_the_loss_before_training_is_near_that_of_a_uniform_guess(manual) -> None:
    alphabet, codes, _ = manual
    characters, units, text = len(alphabet), 32, codes[:401]
    losses = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        W_xh, W_hh, b_h = random_cell(characters, units, seed)
        W_hy, h = 0.1 * rng.normal(size=(units, characters)), np.zeros((1, units))
        for char, following in zip(text[:-1], text[1:], strict=True):
            h = np.tanh(np.eye(characters)[[char]] @ W_xh + h @ W_hh + b_h)
            logits = (h @ W_hy)[0]
            losses.append(np.logaddexp.reduce(logits) - logits[following])
    assert np.mean(losses) == pytest.approx(np.log(29), abs=0.1)
