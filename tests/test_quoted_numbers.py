"""Numbers in the prose of lessons that carry an argument, computed again."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_code import definitions, notebook

from autograde_tests.lesson_14_clinic import LATE, MIXED, TWICE, script_with
from rnn_helpers import bugs, cells, clinic, data
from rnn_helpers.ngrams import ngram_perplexity


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


# --- lesson 04


def test_hello_is_learned_after_about_twenty_updates() -> None:
    updates = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shapes = {"W_xh": (4, 8), "W_hh": (8, 8), "b_h": (8,), "W_hy": (8, 4), "b_y": (4,)}
        weights = {name: 0.1 * rng.normal(size=shape) * name.startswith("W") for name, shape in shapes.items()}
        updates.append(_updates_until_hello_is_right(weights))
    assert 10 < min(updates) <= np.median(updates) < 30, updates
    assert max(updates) < 60, updates


def _updates_until_hello_is_right(weights: dict[str, np.ndarray]) -> int:
    xs, targets = np.eye(4)[[1, 0, 2, 2]], [0, 2, 2, 3]  # of the alphabet "ehlo"
    for update in range(200):
        hs = [np.zeros(8)]
        for x in xs:
            hs.append(np.tanh(x @ weights["W_xh"] + hs[-1] @ weights["W_hh"] + weights["b_h"]))
        states = np.array(hs[1:])
        exponentials = np.exp(states @ weights["W_hy"] + weights["b_y"])
        if (exponentials.argmax(axis=1) == targets).all():
            return update
        dlogits = (exponentials / exponentials.sum(axis=1, keepdims=True) - np.eye(4)[targets]) / 4
        gradient = {name: np.zeros_like(array) for name, array in weights.items()}
        gradient["W_hy"], gradient["b_y"] = states.T @ dlogits, dlogits.sum(axis=0)
        dh = np.zeros(8)
        for t in (3, 2, 1, 0):
            da = (dlogits[t] @ weights["W_hy"].T + dh) * (1 - states[t] ** 2)
            gradient["W_xh"] += np.outer(xs[t], da)
            gradient["W_hh"] += np.outer(hs[t], da)
            gradient["b_h"] += da
            dh = da @ weights["W_hh"].T
        weights = {name: weights[name] - 0.5 * gradient[name] for name in weights}
    raise AssertionError("not learned")


def test_the_gradient_by_lag_loses_a_third_with_each_step_or_hardly_anything() -> None:
    ends = {scale: np.array([_last_row_by_lag(scale, seed) for seed in range(10)]) for scale in (0.9, 2.0)}
    factors = (ends[0.9][:, -1] / ends[0.9][:, 0]) ** (1 / 19)
    assert 0.64 < factors.min() <= factors.max() < 0.74
    assert 0.0003 < (ends[0.9][:, -1] / ends[0.9][:, 0]).min() <= (ends[0.9][:, -1] / ends[0.9][:, 0]).max() < 0.003
    kept = ends[2.0][:, -1] / ends[2.0][:, 0]
    assert (round(kept.min(), 1), round(kept.max())) == (0.4, 9)


def _last_row_by_lag(scale: float, seed: int, units: int = 16, steps: int = 20) -> list[float]:
    """Return the norm of the part of dW_hh for the loss of the last step and each lag."""
    rng = np.random.default_rng(seed)
    W_hh = scale * np.linalg.qr(rng.normal(size=(units, units)))[0]
    xs, hs = 0.5 * rng.normal(size=(steps, units)), [0.5 * rng.normal(size=units)]
    for x in xs:
        hs.append(np.tanh(x + hs[-1] @ W_hh))
    dh, norms = rng.normal(size=(steps, units))[-1], []
    for t in range(steps, 0, -1):
        da = dh * (1 - hs[t] ** 2)
        norms.append(float(np.linalg.norm(hs[t - 1]) * np.linalg.norm(da)))
        dh = da @ W_hh.T
    return norms


# --- lesson 05


def test_the_bugs_show_where_the_fold_out_says() -> None:
    rng = np.random.default_rng(0)
    xs, h_0 = rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 3))
    weights = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    hs = bugs.forward(xs, h_0, *weights)
    dhs, cache = rng.normal(size=hs.shape), (xs, h_0, hs, *weights[:2])
    truth = bugs.bruno(dhs, cache)
    errors = {
        name: np.array([norm(c - t) / (norm(c) + norm(t)) for c, t in zip(backward(dhs, cache), truth, strict=True)])
        for name, backward in bugs.CANDIDATES.items()
    }
    wrong = {name: tuple(error > 1e-6) for name, error in errors.items()}
    everywhere, nowhere = (True,) * 3, (False,) * 3
    assert wrong == {
        "ada": everywhere, "bruno": nowhere, "chloe": everywhere, "dora": (False, False, True),
        "emil": (False, True, False), "fatima": nowhere, "gustav": everywhere, "helga": everywhere,
    }  # fmt: skip
    assert errors["dora"][2] == pytest.approx(1 / 3)
    assert (
        errors["helga"].max() < 0.001 < 0.01 < errors["gustav"].min() < errors["gustav"].max() < errors["chloe"].min()
    )


norm = np.linalg.norm


def cliff(p: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the loss (h_50 - 0.7)^2 of h_t = tanh(u h_{t-1} + b), and its gradient for (u, b)."""
    u, b = p
    hs = [0.5]
    for _ in range(50):
        hs.append(float(np.tanh(u * hs[-1] + b)))
    error, gradient = 2 * (hs[-1] - 0.7), np.zeros(2)
    for t in range(50, 0, -1):
        da = error * (1 - hs[t] ** 2)
        gradient += da * np.array([hs[t - 1], 1.0])
        error = da * u
    return (hs[-1] - 0.7) ** 2, gradient


def test_without_clipping_one_step_leaves_the_cliff_for_good() -> None:
    ends, largest = {}, {}
    for limit in (np.inf, 0.5):
        p, norms = np.array([1.4, -0.2]), []
        assert cliff(p)[0] == pytest.approx(2.5, abs=0.05)
        for _ in range(100):
            gradient = cliff(p)[1]
            norms.append(norm(gradient))
            p = p - 0.1 * gradient * min(1.0, limit / max(norms[-1], 1e-300))
        ends[limit], largest[limit] = p, max(norms)
    assert round(largest[np.inf]) == 271
    assert ends[np.inf].round(1).tolist() == [12.9, 24.4]
    assert not cliff(ends[np.inf])[1].any()
    assert cliff(ends[0.5])[0] < 1e-4


def test_the_tables_are_as_good_as_the_text_says() -> None:
    text = data.python_manual(300_000)
    alphabet = "".join(sorted(set(text)))
    codes = np.array([alphabet.index(char) for char in text])
    tables = [ngram_perplexity(codes[:270_000], codes[270_000:], 29, n) for n in (2, 3, 4, 5)]
    assert np.round(tables, 2).tolist() == [10.59, 6.33, 4.29, 3.88]


# --- lesson 06


def silent_states(W: np.ndarray, h: np.ndarray, steps: int) -> np.ndarray:
    hs = []
    for _ in range(steps):
        h = np.tanh(h @ W)
        hs.append(h)
    return np.array(hs)


def exponent(hs: np.ndarray, W: np.ndarray, v: np.ndarray) -> float:
    total = 0.0
    for h in hs:
        v = (1 - h**2) * (v @ W)
        total += np.log(norm(v))
        v = v / norm(v)
    return total / len(hs)


def test_gain_2_is_chaotic_and_gain_08_is_not_for_five_random_matrices() -> None:
    exponents: dict[float, list[float]] = {0.8: [], 2.0: []}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        W = rng.normal(size=(64, 64)) / 8
        start = 0.1 * rng.normal(size=64)
        for gain, values in exponents.items():
            values.append(exponent(silent_states(gain * W, start, 2000)[200:], gain * W, start))
    assert 0.06 < min(exponents[2.0]) <= max(exponents[2.0]) < 0.14
    assert max(exponents[0.8]) < -0.1


def test_a_latch_is_robust_or_has_a_gradient() -> None:
    rng = np.random.default_rng(0)
    factors, kept = {}, {}
    for u in (1.05, 2.0):
        rest = silent_states(np.array([[u]]), np.array([1.0]), 5000)[-1, 0]
        factors[u] = u * (1 - rest**2)
        h = np.full(2000, rest)
        for _ in range(50):
            h = np.tanh(u * h + 0.3 * rng.normal(size=2000))
        kept[u] = np.mean(h > 0)
    assert factors[1.05] ** 50 > 1e-3
    assert factors[2.0] ** 50 < 1e-38
    assert kept[1.05] == pytest.approx(0.5, abs=0.05)
    assert kept[2.0] > 0.99


# --- lesson 07


def gradient_with_windows(W_hh: np.ndarray, drive: np.ndarray, noise: np.ndarray, K: int, stride: int) -> np.ndarray:
    """Return dW_hh of windows of K steps, `stride` apart, for inputs that enter each unit directly."""
    batch, steps, units = drive.shape
    states = [np.zeros((batch, units))]
    for t in range(steps):
        states.append(np.tanh(drive[:, t] + states[-1] @ W_hh))
    total = np.zeros_like(W_hh)
    for first in range(0, steps, stride):
        end, dh = min(first + stride, steps), np.zeros((batch, units))
        for t in range(end - 1, max(end - K, 0) - 1, -1):
            da = (dh + noise[:, t] * (t >= first)) * (1 - states[t + 1] ** 2)
            total += states[t].T @ da
            dh = da @ W_hh.T
    return total


def test_a_cut_at_10_costs_a_forgetful_network_15_per_cent_and_overlapping_windows_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    drive, noise = rng.normal(size=(8, 60, 32)), rng.normal(size=(8, 60, 32))
    Q, R = np.linalg.qr(rng.normal(size=(32, 32)))
    W_fast = 0.5 * Q * np.sign(np.diag(R))
    whole = gradient_with_windows(W_fast, 0.3 * drive, noise, 60, 60)
    errors = {
        stride: norm(gradient_with_windows(W_fast, 0.3 * drive, noise, 10, stride) - whole) / norm(whole)
        for stride in (10, 5, 1)
    }
    assert [round(100 * error, 2) for error in errors.values()] == [15.09, 0.43, 0.04]


# --- lesson 09


@pytest.fixture(scope="module")
def series_lesson() -> dict:
    return definitions("solutions", "09_time_series")


@pytest.fixture(scope="module")
def sunspots() -> np.ndarray:
    """Return the half-yearly sunspot numbers; the validation part begins at 330, the test part at 400."""
    return data.sunspots()[1].reshape(-1, 6).mean(axis=1)


def test_the_validation_part_chooses_twenty_lags_and_the_minimum_is_flat(series_lesson, sunspots) -> None:
    mean, std = sunspots[:330].mean(), sunspots[:330].std()
    errors = std * series_lesson["validation_errors"]((sunspots[:400] - mean) / std, np.arange(1, 41), 330)
    assert int(np.argmin(errors)) + 1 == 20
    assert errors[[3, 19, 39]] == pytest.approx([10.76, 10.57, 12.15], abs=0.006)


def test_ten_steps_ahead_twenty_lags_are_better_than_four(series_lesson, sunspots) -> None:
    errors = {}
    for lags in (4, 20):
        forecast = series_lesson["fit_autoregression"](*series_lesson["make_windows"](sunspots[:330], lags, 10))
        xs, ys = series_lesson["windows_from"](sunspots[:400], 330, lags, 10)
        errors[lags] = np.abs(ys - forecast(xs)).mean()
    assert list(errors.values()) == pytest.approx([24.0, 19.5], abs=0.06)


def test_five_years_ahead_the_autoregression_ties_with_the_seasonal_naive_forecast(series_lesson, sunspots) -> None:
    forecast = series_lesson["fit_autoregression"](*series_lesson["make_windows"](sunspots[:400], 20))
    xs, ys = series_lesson["windows_from"](sunspots, 400, 20)
    near = np.abs(ys - forecast(xs)).mean()
    ahead = series_lesson["forecast_ahead"]
    windows = (sunspots[end - 20 : end] for end in range(391, 461))
    tenth = [ahead(lambda w: float(forecast(w[None, :, None])[0]), window, 10)[-1] for window in windows]
    far, naive = (np.abs(sunspots[400:] - one).mean() for one in (np.array(tenth), sunspots[379:-21]))
    assert (near, far, naive) == pytest.approx((14.2, 29.5, 29.1), abs=0.06)


def test_intervals_of_eighty_per_cent_contain_seventy(series_lesson, sunspots) -> None:
    windows_from, make_windows = series_lesson["windows_from"], series_lesson["make_windows"]
    before, refit = (series_lesson["fit_autoregression"](*make_windows(sunspots[:end], 20)) for end in (330, 400))
    xs, ys = windows_from(sunspots, 400, 20)
    shares = []
    for errors_xs, errors_ys in (windows_from(sunspots[:400], 330, 20), make_windows(sunspots[:330], 20)):
        low, high = np.quantile(errors_ys - before(errors_xs), [0.1, 0.9])
        shares.append(series_lesson["coverage"](ys, refit(xs) + low, refit(xs) + high))
    assert shares == pytest.approx([0.70, 0.54], abs=0.006)


def test_the_latest_yearly_change_forecasts_co2_as_well_as_the_networks() -> None:
    ppm = data.co2()[1]
    yearly = ppm[12:] - ppm[:-12]
    season_ago, actual = ppm[-72:-12], ppm[-60:]
    assert np.abs(actual - season_ago).mean() == pytest.approx(1.65, abs=0.006)
    assert np.abs(actual - season_ago - yearly[-61:-1]).mean() == pytest.approx(0.34, abs=0.006)


# --- lesson 13


@pytest.fixture(scope="module")
def gates_lesson() -> dict:
    names = definitions("solutions", "13_gates")
    names["BLOCKS"] = {"LSTM": ["input", "forget", "candidate", "output"]}
    names["CELLS"] = {"LSTM": cells.lstm}
    return names


def test_the_steps_by_hand(gates_lesson) -> None:
    zeros, a = np.zeros((1, 1)), np.array([0, 0, np.log(2), 0])
    h, c = gates_lesson["lstm_step"](zeros, zeros, zeros + 2, np.zeros((1, 4)), np.zeros((1, 4)), a)
    assert (c.item(), h.item()) == pytest.approx((1.3, 0.431), abs=0.0006)
    half = zeros + 0.5
    back = gates_lesson["lstm_step_backward"](zeros + 1, zeros, (zeros + 2, half, half, zeros + 0.6, half, c))
    assert (2 * back["dc_prev"].item(), back["da_g"].item()) == pytest.approx((0.129, 0.041), abs=0.0006)
    b_h = np.array([[0, 0, 0], [0, 0, 2 * np.log(2)]])
    assert gates_lesson["gru_step"](zeros, zeros + 1, np.zeros((1, 3)), np.zeros((1, 3)), b_h) == pytest.approx(0.8)


@pytest.mark.parametrize("bias", [0, 1, 5])
def test_along_the_direct_path_the_gradient_is_the_forget_gate_to_the_power_of_fifty(gates_lesson, bias) -> None:
    total, direct = gates_lesson["memory_gradients"](bias)
    assert np.log(direct[-1]) / 50 == pytest.approx(np.log(1 / (1 + np.exp(-bias))), abs=0.05)
    assert total[-1] > direct[-1]
    assert (total[-1] > 1) == (bias == 5)


def test_only_the_variants_with_an_input_gate_solve_the_adding_problem(gates_lesson) -> None:
    train, always_open = gates_lesson["train"], {"input": 30, "output": 30}
    without, _ = train("LSTM", bias={"forget": 1}, constant=always_open, updates=400)
    coupled, params = train("LSTM", bias={"forget": 1, "input": -1}, coupled=True, updates=400)
    assert without[-30:].mean() > 0.15
    assert coupled[-30:].mean() < 0.005
    blocks = gates_lesson["blocks_of"]("LSTM", params["W_hh"])
    assert np.array_equal(blocks["input"], -blocks["forget"])


def test_a_bias_for_five_hundred_steps() -> None:
    bias = np.log(499)
    assert bias == pytest.approx(6.2, abs=0.05)
    assert (1 + np.exp(-bias)) ** -500 == pytest.approx(0.37, abs=0.006)


# --- lesson 14


@pytest.fixture(scope="module")
def forecasting() -> dict:
    (cell,) = (c.source for c in notebook("solutions", "14_clinic").cells if c.source.startswith("LR, CLIP"))
    names: dict = {"np": np, "data": data}
    exec(cell, names)
    return names


def medians(names: dict, *faults: str) -> tuple[float, float, float]:
    """Return the medians of five seeds: training loss at the end, validation error, one batch after 100 updates."""
    train, results = script_with(*faults), []
    for seed in range(5):
        start, order = names["fresh_start"](seed)
        settings = names["LR"], names["CLIP"]
        params, losses, _ = train(names["xs"], names["targets"], start, order, *settings)
        rows = [np.arange(len(names["valid_xs"]))]
        error = train(names["valid_xs"], names["valid_targets"], params, rows, 0.0, 1.0)[1][0]
        one = train(names["xs"], names["targets"], start, np.repeat(order[:1], 101, axis=0), *settings)[1][100]
        results.append((losses[-50:].mean(), error, one))
    first, second, third = np.median(np.nan_to_num(results, nan=np.inf), axis=0)
    return float(first), float(second), float(third)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("faults", "quoted"),
    [
        ((MIXED, TWICE, LATE), (1.05, 1.21, 0.87)),
        ((MIXED, TWICE), (1.05, 1.21, 0.87)),
        ((MIXED,), (1.06, 1.23, 0.14)),
        ((TWICE, LATE), (0.50, 0.46, 0.34)),
        ((TWICE,), (0.50, 0.46, 0.34)),
        ((), (0.33, 0.40, 0.06)),
    ],
)
def test_the_repairs_have_the_quoted_effects(forecasting: dict, faults: tuple, quoted: tuple) -> None:
    assert medians(forecasting, *faults) == pytest.approx(quoted, abs=0.0051)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_without_clipping_the_right_average_explodes(forecasting: dict) -> None:
    train, validation, one = medians(forecasting, MIXED, LATE)
    assert (train, validation) == pytest.approx((1.06, 1.54), abs=0.006)
    assert one > 1e50
    assert min(medians(forecasting, LATE)) > 1e50


def test_the_leak_halves_its_loss_sooner_than_the_healthy_patient() -> None:
    faults = dict(clinic.ward()[:10])
    halved = {name: int(np.argmax(faults[name]["train_loss"] < np.log(4) / 2)) + 1 for name in ("leak", "healthy")}
    assert halved == {"leak": 2, "healthy": 6}
