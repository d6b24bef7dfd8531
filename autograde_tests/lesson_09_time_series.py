"""Lesson 09: windows, a split in time with honest scaling, naive forecasts, forecasts of forecasts, a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograde_tests.exercise import Challenge, Claims, ClaimsExercise, Exercise, Mistake, Tolerance
from autograde_tests.sampling import Rng, numbers
from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    BEATS_PERSISTENCE,
    FORECASTS_CORRELATE,
    HIGH_AND_LOW_FORECASTS,
    MODEL_TRAINED,
    NO_VALIDATION_LEAK,
    ONE_FORECAST_PER_WINDOW,
)
from rnn_helpers.checks.fixtures import mean_of_all, oldest_first, swing_on

SAME = Tolerance(1e-10, "float64, a few sums")
SCALED = Tolerance(1e-6, "float64; a tiny number added to the divisor, as many do, is harmless")
COPIED = Tolerance(0.0, "the numbers are copied, nothing is computed")

# ------------------------------------------------------------------------------------------ make_windows


def _windows(series, length, horizon=1, *, ahead=0, short=0, stride=1, inside=False, flat=False, turned=False):
    length_seen = length + horizon if inside else length
    count = len(series) - length - horizon + 1 - short
    starts = range(0, count, stride)
    xs = np.array([series[i : i + length_seen] for i in starts])
    ys = np.array([series[i + length - 1 + horizon + ahead] for i in starts])
    return (xs[:, :: -1 if turned else 1] if flat else xs[:, :: -1 if turned else 1, None]), ys


def _windows_oracle(series, length, horizon=1):
    """Iterate over the series with a queue; the window of each value ends `horizon` values before it."""
    xs, ys = [], []
    for target, value in enumerate(series):
        end = target - horizon
        if end >= length - 1:
            xs.append([[series[k]] for k in range(end - length + 1, end + 1)])
            ys.append(value)
    return np.array(xs), np.array(ys)


def _with_view(series, length, horizon=1):
    view = np.lib.stride_tricks.sliding_window_view(series, length)
    return view[: len(series) - length - horizon + 1, :, np.newaxis], series[length + horizon - 1 :]


def _by_index(series, length, horizon=1):
    n = series.shape[0] - length - horizon + 1
    positions = np.arange(n).reshape(-1, 1) + np.arange(length).reshape(1, -1)
    return np.expand_dims(series[positions], axis=2), series[positions[:, -1] + horizon]


def _cut(length: int, horizon: int, extra: int = 0):
    def draw(rng: Rng) -> tuple:
        series = (
            rng.permutation(np.arange(1, 13 + extra)) + 0.5
        )  # all values differ, so that each position is identifiable
        return series, length, horizon

    return draw


make_windows = Exercise(
    name="make_windows",
    challenges=(
        Challenge("the next value", 1.0, _cut(4, 1)),
        Challenge("two steps ahead", 1.0, _cut(3, 2)),
        Challenge("windows of one value", 0.5, _cut(1, 1)),
        Challenge("another series", 1.0, _cut(5, 3, extra=6), hidden=True),
    ),
    oracle=_windows_oracle,
    tolerance=COPIED,
    mistakes=(
        Mistake(
            "the target is the last value of its own window: there is nothing left to forecast",
            lambda series, length, horizon=1: _windows(series, length, horizon, ahead=-horizon),
        ),
        Mistake("the horizon is ignored: the target is always the next value", lambda s, n, h=1: _windows(s, n, 1)),
        Mistake("the target lies one step too early", lambda s, n, h=1: _windows(s, n, h, ahead=-1)),
        Mistake("the target lies one step too late", lambda s, n, h=1: _windows(s, n, h, ahead=1, short=1)),
        Mistake(
            "the last window is missing: look at the end of your range", lambda s, n, h=1: _windows(s, n, h, short=1)
        ),
        Mistake(
            "the windows do not overlap; each begins one step after the one before",
            lambda s, n, h=1: _windows(s, n, h, stride=n),
        ),
        Mistake(
            "the target stands inside its window: the network would only have to copy it",
            lambda s, n, h=1: _windows(s, n, h, inside=True),
        ),
        Mistake(
            "the axis of features is missing: (windows, length, 1) is what Keras reads",
            lambda s, n, h=1: _windows(s, n, h, flat=True),
        ),
        Mistake(
            "the windows are turned around: the oldest value comes first",
            lambda s, n, h=1: _windows(s, n, h, turned=True),
        ),
    ),
    styles=(_windows, _with_view, _by_index),
    hints=(
        "With 12 values, windows of 4 and a horizon of 1: where does the last window begin?",
        "A window beginning at i ends at i + length - 1; its target stands `horizon` steps later. How many i are there?",
        "For i in range(len(series) - length - horizon + 1): series[i : i + length], and series[i + length + horizon - 1].",
    ),
    unchanged=0.5,
    not_allowed=(),
)

# -------------------------------------------------------------------------------------- split_and_scale


def _scaled(
    series,
    test_steps,
    *,
    fit: Callable = lambda train, series: train,
    test_fit: Callable | None = None,
    spread: Callable = np.std,
    front=False,
    scale_test=True,
):
    train, test = series[: len(series) - test_steps], series[len(series) - test_steps :]
    if front:
        test, train = series[:test_steps], series[test_steps:]
    basis = fit(train, series)
    mean, std = np.mean(basis), spread(basis)
    test_mean, test_std = (np.mean(test), spread(test)) if test_fit else (mean, std)
    scaled = (test - test_mean) / test_std if scale_test else test
    return {"train": (train - mean) / std, "test": scaled, "mean": mean, "std": std}


def _scaled_oracle(series, test_steps):
    """Compute with sums, one value at a time."""
    values = [float(value) for value in series]
    train, test = values[:-test_steps], values[-test_steps:]
    mean = sum(train) / len(train)
    std = (sum((value - mean) ** 2 for value in train) / len(train)) ** 0.5
    return {
        "train": np.array([(value - mean) / std for value in train]),
        "test": np.array([(value - mean) / std for value in test]),
        "mean": mean,
        "std": std,
    }


def _scaled_without_brackets(series, test_steps):
    train, test = series[:-test_steps], series[-test_steps:]
    mean, std = train.mean(), train.std()
    return {"train": train - mean / std, "test": test - mean / std, "mean": mean, "std": std}


def _scaled_whole(series, test_steps):
    cut = series.shape[0] - test_steps
    mean, std = series[:cut].mean(), series[:cut].std()
    z = (series - mean) / std
    return dict(train=z[:cut], test=z[cut:], mean=mean, std=std)  # noqa: C408, as students write it


def _scaled_by_variance(series, test_steps):
    train, test = np.split(series, [-test_steps])
    mean = train.mean()
    std = np.sqrt(np.mean((train - mean) ** 2))
    return {"mean": float(mean), "std": float(std), "train": (train - mean) / std, "test": (test - mean) / std}


def _splitting(key: str, steps: int, test_steps: int):
    def draw(rng: Rng) -> tuple:
        series = numbers(rng, steps) + np.where(
            np.arange(steps) >= steps - test_steps, 3.0, 0.0
        )  # a new level at the end
        return key, series, test_steps

    return draw


split_and_scale = Exercise(
    name="split_and_scale",
    challenges=(
        Challenge("mean", 0.5, _splitting("mean", 12, 4)),
        Challenge("std", 0.5, _splitting("std", 12, 4)),
        Challenge("train", 1.0, _splitting("train", 12, 4)),
        Challenge("test", 1.0, _splitting("test", 12, 4)),
        Challenge("test, another series", 0.5, _splitting("test", 17, 6), hidden=True),
    ),
    oracle=_scaled_oracle,
    tolerance=SCALED,
    mistakes=(
        Mistake(
            "mean and std are taken from the whole series: what comes later leaks into the training",
            lambda *a: _scaled(*a, fit=lambda train, series: series),
        ),
        Mistake(
            "the test part is scaled with its own mean and std; in use nobody knows them yet",
            lambda *a: _scaled(*a, test_fit=np.mean),
        ),
        Mistake("the test part is not scaled", lambda *a: _scaled(*a, scale_test=False)),
        Mistake("the test part is cut from the beginning; it is what comes last", lambda *a: _scaled(*a, front=True)),
        Mistake(
            "brackets are missing: the mean is divided by std, and only then subtracted",
            lambda *a: _scaled_without_brackets(*a),
        ),
        Mistake("it is divided by the variance, not by its root", lambda *a: _scaled(*a, spread=np.var)),
        Mistake("it is divided by the range, not by the standard deviation", lambda *a: _scaled(*a, spread=np.ptp)),
        Mistake(
            "the standard deviation is divided by n - 1; np.std divides by n",
            lambda *a: _scaled(*a, spread=lambda values: np.std(values, ddof=1)),
        ),
    ),
    styles=(_scaled, _scaled_whole, _scaled_by_variance),
    hints=(
        "On the last day of the training part, which of these numbers could you know?",
        "Cut first, then take the mean and the standard deviation of the training part, and use them for both.",
        "train = series[:-test_steps]; mean, std = train.mean(), train.std(); (train - mean) / std, and the same for test.",
    ),
    probe="part",
    unchanged=0.5,
    not_allowed=(),
)

# -------------------------------------------------------------------------------- mean_absolute_error


def _mae_oracle(targets, forecasts):
    """Accumulate the distances one by one."""
    pairs = zip(np.ravel(targets).tolist(), np.ravel(forecasts).tolist(), strict=True)
    distances = [abs(target - forecast) for target, forecast in pairs]
    return sum(distances) / len(distances)


def _errors(forecast_shape: str):
    def draw(rng: Rng) -> tuple:
        n = int(rng.integers(4, 9))
        targets, forecasts = numbers(rng, n, scale=3.0), numbers(rng, n, scale=3.0)
        forecasts[:2] = targets[:2] + [3.0, -0.5]  # one too high, one too low
        return targets, forecasts[:, None] if forecast_shape == "column" else forecasts

    return draw


mean_absolute_error = Exercise(
    name="mean_absolute_error",
    challenges=(
        Challenge("both (n,)", 0.5, _errors("row")),
        Challenge("forecasts as Keras gives them, (n, 1)", 0.5, _errors("column")),
        Challenge("other numbers", 0.5, _errors("column"), hidden=True),
    ),
    oracle=_mae_oracle,
    tolerance=SAME,
    mistakes=(
        Mistake(
            "(n,) minus (n, 1) is (n, n) in NumPy: every target is compared with every forecast",
            lambda y, f: np.mean(np.abs(y - f)),
        ),
        Mistake("the errors are squared", lambda y, f: np.mean((y - np.ravel(f)) ** 2)),
        Mistake("it is the root of the mean squared error", lambda y, f: np.sqrt(np.mean((y - np.ravel(f)) ** 2))),
        Mistake("the absolute value is missing: too high and too low cancel", lambda y, f: np.mean(y - np.ravel(f))),
        Mistake("the errors are added up, not averaged", lambda y, f: np.sum(np.abs(y - np.ravel(f)))),
        Mistake("it is the largest error, not the mean", lambda y, f: np.max(np.abs(y - np.ravel(f)))),
    ),
    styles=(
        lambda targets, forecasts: np.mean(np.abs(targets - forecasts.reshape(targets.shape))),
        lambda targets, forecasts: float(np.abs(np.squeeze(forecasts) - targets).sum() / len(targets)),
        lambda targets, forecasts: np.average(
            np.absolute(np.asarray(forecasts).flatten() - np.asarray(targets).flatten())
        ),
    ),
    hints=(
        "What is the shape of np.zeros(3) - np.zeros((3, 1))? Try it.",
        "Bring both into one shape first, for example with np.ravel; then distances, then their mean.",
        "np.mean(np.abs(np.ravel(targets) - np.ravel(forecasts))).",
    ),
    unchanged=0.5,
    not_allowed=(),
)

# -------------------------------------------------------------------------------------- seasonal_naive


def _naive_oracle(series, period, horizon):
    """Append one value at a time: each repeats the value one period earlier, forecasts included."""
    values = [float(value) for value in series]
    for _ in range(horizon):
        values.append(values[len(values) - period])
    return np.array(values[len(series) :])


def _season(steps: int, period: int, horizon: int):
    return lambda rng: (numbers(rng, steps), period, horizon)


seasonal_naive = Exercise(
    name="seasonal_naive",
    challenges=(
        Challenge("part of a season", 0.5, _season(11, 5, 3)),
        Challenge("more than two seasons", 1.0, _season(10, 4, 9)),
        Challenge("a period of one: persistence", 0.5, _season(7, 1, 3)),
        Challenge("other numbers", 0.5, lambda rng: (numbers(rng, 15), int(rng.integers(3, 7)), 12), hidden=True),
    ),
    oracle=_naive_oracle,
    tolerance=COPIED,
    mistakes=(
        Mistake(
            "the last value is repeated: that is persistence, whatever the period", lambda s, p, h: np.full(h, s[-1])
        ),
        Mistake("the first season is repeated; the last one is nearer", lambda s, p, h: np.resize(s[:p], h)),
        Mistake(
            "it begins one step too late; the first forecast should be what stood a whole period before it",
            lambda s, p, h: np.resize(np.roll(s[-p:], -1), h),
        ),
        Mistake("the last season is turned around", lambda s, p, h: np.resize(s[-p:][::-1], h)),
        Mistake("the mean of the last season is repeated", lambda s, p, h: np.full(h, s[-p:].mean())),
        Mistake(
            "after one season it stays at the last value; the season begins again",
            lambda s, p, h: np.array([s[-p:][min(k, p - 1)] for k in range(h)]),
        ),
    ),
    styles=(
        lambda series, period, horizon: np.tile(series[-period:], -(-horizon // period))[:horizon],
        lambda series, period, horizon: series[len(series) - period + np.arange(horizon) % period],
        lambda series, period, horizon: np.resize(series[-period:], horizon),
    ),
    hints=(
        "With a period of 4, what is the forecast for the step after the end? And for five steps after it?",
        "Forecast k (counted from 0) is the value number k % period of the last season.",
        "series[-period:][np.arange(horizon) % period].",
    ),
    unchanged=0.5,
    not_allowed=(),
)

# -------------------------------------------------------------------------------------- forecast_ahead


def _ahead(
    predict,
    window,
    steps,
    *,
    frozen=False,
    grows=False,
    front=False,
    late=False,
    once=False,
    overwrite=False,
    restart=False,
):
    history = [float(value) for value in window]
    length, forecasts = len(history), []
    for _ in range(steps):
        value = float(predict(np.array(history if grows else (history[:length] if front else history[-length:]))))
        forecasts.append(value)
        if overwrite:
            history = [*history[:-1], value]
        elif restart:
            history = [*[float(value) for value in window], value]
        elif not frozen:
            history = [value, *history] if front else [*history, value]
    if late:
        return np.array([window[-1], *forecasts[:-1]])
    return np.array(forecasts[-1:] * steps if once else forecasts)


def _changing_the_window(predict, window, steps):
    forecasts = []
    for _ in range(steps):
        forecasts.append(float(predict(window)))
        window[:-1] = window[1:]
        window[-1] = forecasts[-1]
    return np.array(forecasts)


def _ahead_oracle(predict, window, steps):
    """Use one long array and its last `length` values."""
    length = len(window)
    values = np.concatenate([window, np.full(steps, np.nan)])
    for index in range(length, length + steps):
        values[index] = predict(values[index - length : index].copy())
    return values[length:]


def _rolling(predict, window, steps):
    window, forecasts = window.copy(), np.empty(steps)
    for k in range(steps):
        forecasts[k] = predict(window)
        window = np.append(window[1:], forecasts[k])
    return forecasts


def _with_deque(predict, window, steps):
    from collections import deque

    recent: Any = deque(window.tolist(), maxlen=len(window))
    out: list = []
    while len(out) < steps:
        out.append(predict(np.array(recent)))
        recent.append(out[-1])
    return np.array(out)


def _going_on(predict: Callable, length: int, steps: int):
    return lambda rng: (predict, numbers(rng, length), steps)


forecast_ahead = Exercise(
    name="forecast_ahead",
    challenges=(
        Challenge("one step", 0.5, _going_on(swing_on, 3, 1)),
        Challenge("a swing goes on", 0.5, _going_on(swing_on, 4, 5)),
        Challenge("a forecaster that looks at the oldest value", 0.5, _going_on(oldest_first, 4, 4)),
        Challenge("the mean of the window", 0.5, _going_on(mean_of_all, 3, 6)),
        Challenge(
            "other numbers", 0.5, lambda rng: (oldest_first, numbers(rng, 5), int(rng.integers(6, 11))), hidden=True
        ),
    ),
    oracle=_ahead_oracle,
    tolerance=SAME,
    mistakes=(
        Mistake("the window never moves: every step gets the first forecast", lambda *a: _ahead(*a, frozen=True)),
        Mistake(
            "the window grows; its oldest value must go when a forecast comes in", lambda *a: _ahead(*a, grows=True)
        ),
        Mistake(
            "the forecast enters the window in front; the newest value stands last", lambda *a: _ahead(*a, front=True)
        ),
        Mistake("the first result is the window's last value, which is no forecast", lambda *a: _ahead(*a, late=True)),
        Mistake(
            "the newest value is overwritten; the oldest one must go",
            lambda predict, window, steps: _ahead(predict, window, steps, overwrite=True),
        ),
        Mistake(
            "every new window is made from the first one; it must be made from the one before",
            lambda predict, window, steps: _ahead(predict, window, steps, restart=True),
        ),
        Mistake("the forecast for the last step stands at all steps", lambda *a: _ahead(*a, once=True)),
        Mistake("the caller's window is changed in place; work on a copy", _changing_the_window),
    ),
    styles=(_ahead, _rolling, _with_deque),
    hints=(
        "After the first forecast, which value leaves the window, and which one enters, at which end?",
        "In a loop: predict, note the forecast, then a new window from window[1:] and the forecast.",
        "window = np.append(window[1:], forecast) makes the next window and leaves the caller's alone.",
    ),
    unchanged=0.5,
    not_allowed=(),
)

# ------------------------------------------------------------------------------------- train_forecaster


def _network(*, sequences=False, activation=None, lr=0.003, layer="SimpleRNN") -> Any:
    from rnn_helpers.quietly import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None, 1)),
            getattr(layers, layer)(32, return_sequences=sequences),
            layers.Dense(1, activation=activation),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(lr, global_clipnorm=1.0), loss="mse")
    return model


def _fitted(xs, ys, xs_valid, ys_valid, *, change=lambda *four: four[:2], epochs=15, **options):
    model = _network(**options)
    if epochs:
        model.fit(*change(xs, ys, xs_valid, ys_valid), epochs=epochs, batch_size=32, verbose=0)
    return model


def _stopped_early(xs, ys, xs_valid, ys_valid):
    from rnn_helpers.quietly import keras

    model = _network()
    stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
    model.fit(xs, ys, validation_data=(xs_valid, ys_valid), epochs=25, batch_size=32, callbacks=[stop], verbose=0)
    return model


def _with_both(xs, ys, xs_valid, ys_valid):
    return np.concatenate([xs, xs_valid]), np.concatenate([ys, ys_valid])


train_forecaster = ClaimsExercise(
    name="train_forecaster",
    challenges=(
        Claims("the model", 1.0, (ONE_FORECAST_PER_WINDOW, HIGH_AND_LOW_FORECASTS)),
        Claims("it was trained", 0.5, (MODEL_TRAINED, FORECASTS_CORRELATE)),
        Claims("it beats the baseline", 1.5, (BEATS_PERSISTENCE,)),
        Claims("it was trained on the right part", 1.0, (NO_VALIDATION_LEAK,)),
    ),
    draw=lambda rng: (int(rng.integers(2**62)),),
    oracle=lambda xs, ys, xs_valid, ys_valid: _fitted(xs, ys, xs_valid, ys_valid),
    threshold="0.9 of persistence's error on 300 later windows: on 20 seeds the reference is at 0.29 to 0.68 of it, honest others at most 0.84, targets shuffled apart at 2.6 to 5.2; only what learns from the validation windows follows targets of the opposite sign",
    mistakes=(
        Mistake(findings.NEVER_TRAINED, lambda *a: _fitted(*a, epochs=0)),
        Mistake(findings.LEARNS_FROM_VALIDATION, lambda *a: _fitted(*a, change=_with_both)),
        Mistake(findings.ACTIVATION_ON_TOP.format(actual="sigmoid"), lambda *a: _fitted(*a, activation="sigmoid")),
        Mistake(findings.RETURNS_SEQUENCES, lambda *a: _fitted(*a, sequences=True)),
        Mistake(findings.RATE_ZERO, lambda *a: _fitted(*a, lr=0.0)),
    ),
    styles=(_fitted, _stopped_early, lambda *a: _fitted(*a, lr=0.001, epochs=20, layer="GRU")),
    hints=(
        "What does the model read, and how many numbers does it give? May a forecast be negative?",
        "Input (None, 1), SimpleRNN(32), Dense(1) with no activation; Adam, the squared error; then fit on xs and ys alone.",
        'compile(optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss="mse"), fit(xs, ys, epochs=15, batch_size=32, verbose=0), return model.',
    ),
    probe="trained_forecaster",
    seconds=8,
)

EXERCISES = [make_windows, split_and_scale, mean_absolute_error, seasonal_naive, forecast_ahead, train_forecaster]
