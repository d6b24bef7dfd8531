"""Numbers in the prose of lesson 15, computed again with the functions of its notebook."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
import pytest
from lesson_code import definitions
from matplotlib import pyplot as plt

from rnn_helpers import scan_graphs

LESSON = definitions("solutions", "15_recurrence_returns")
SEEDS = range(5)


def wrong(answers: np.ndarray, vectors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return (answers @ vectors.T).argmax(axis=-1) != chosen


def test_two_steps_of_the_example_are_one() -> None:
    assert LESSON["combine"]((0.5, 1.0), (0.2, 3.0)) == pytest.approx((0.1, 3.2))


@pytest.mark.parametrize(("steps", "rounds"), [(1, 0), (2, 1), (8, 3), (9, 4), (1000, 10), (2**20, 20)])
def test_a_thousand_steps_take_ten_rounds_and_a_million_twenty(steps: int, rounds: int) -> None:
    assert rounds == ceil(log2(steps))
    if steps <= 1000:
        ones = np.ones((1, steps, 1))
        assert LESSON["scan"](ones, ones, np.zeros((1, 1)))[1] == rounds


def test_a_min_gru_has_192_weights_and_a_gru_3456() -> None:
    for kind, count in (("GRU", 3456), ("minGRU", 192)):
        layer = LESSON["new_layer"](kind, 2, 32, 4.0, np.random.default_rng(0))
        assert sum(array.size for array in layer.values()) == count


def test_a_bias_of_4_keeps_98_per_cent() -> None:
    assert LESSON["sigmoid"](4.0) == pytest.approx(0.98, abs=0.005)


def test_linear_attention_with_keys_of_size_16_and_more_and_more_pairs() -> None:
    shares: dict[int, list[float]] = {n: [] for n in (2, 4, 8, 16, 32, 64)}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for n, values in shares.items():
            values.append(LESSON["recall_errors"](n, 16, rng)["linear attention"])
    for n, least, most in ((16, 0.0, 0.03), (32, 0.09, 0.15), (64, 0.33, 0.36)):
        assert least - 0.005 <= min(shares[n]) <= max(shares[n]) <= most + 0.005, n


def test_softmax_attention_recalls_every_pair() -> None:
    for n, d in ((64, 16), (256, 64)):
        assert LESSON["recall_errors"](n, d, np.random.default_rng(0))["softmax attention"] == 0


def test_the_delta_rule_loses_the_first_pairs_and_keeps_the_last() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        keys, vectors = LESSON["unit_vectors"](rng, 50, 64, 16), LESSON["unit_vectors"](rng, 64, 64)
        chosen = rng.integers(64, size=(50, 64))
        linear = wrong(LESSON["read_by_linear_attention"](keys, vectors[chosen]), vectors, chosen)
        delta = wrong(keys @ LESSON["write_by_delta_rule"](keys, vectors[chosen]), vectors, chosen)
        assert 0.315 < linear[:, :16].mean() < 0.365
        assert 0.325 < linear[:, -4:].mean() < 0.405
        assert 0.965 < delta[:, :16].mean() < 0.985
        assert delta[:, -4:].mean() < 0.025


def test_the_delta_rule_overwrites_and_linear_attention_is_wrong_half_of_the_time() -> None:
    for d, n in ((16, 4), (64, 16)):
        for seed in SEEDS:
            rng = np.random.default_rng(seed)
            keys, vectors = LESSON["unit_vectors"](rng, 100, n, d), LESSON["unit_vectors"](rng, 64, 64)
            old, new = rng.integers(64, size=(2, 100, n))
            twice, values = np.concatenate([keys, keys], axis=1), vectors[np.concatenate([old, new], axis=1)]
            linear = wrong(LESSON["read_by_linear_attention"](twice, values)[:, n:], vectors, new)
            delta = wrong(keys @ LESSON["write_by_delta_rule"](twice, values), vectors, new)
            assert 0.455 <= linear.mean() <= 0.525, (d, seed)
            assert delta.mean() <= 0.035


@pytest.mark.slow
def test_the_gru_is_better_per_update_and_both_learn() -> None:
    gru, _ = LESSON["train"]("GRU")
    minimal, _ = LESSON["train"]("minGRU")
    assert gru[-50:].mean() < 0.001 < minimal[-50:].mean() < 0.01


@pytest.mark.parametrize(("steps", "rows"), [(1, 1), (5, 4), (8, 4)])
def test_the_picture_of_a_scan_has_a_row_for_each_round(steps: int, rows: int) -> None:
    ax = scan_graphs.rounds(steps)
    labels = [text.get_text() for text in ax.texts]
    plt.close(ax.figure)
    assert sum(label.startswith("round") for label in labels) == rows - 1
    assert steps == 1 or f"1 to {steps}" in labels
