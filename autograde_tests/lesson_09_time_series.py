"""Lesson 09: naive forecasts, windows, an honest split, a choice by validation, a network, recursion, differences."""

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

FLOAT32 = Tolerance(1e-5, "a mean of a few numbers near 1; in float32 when Keras computes it, which the task allows")
LEAST_SQUARES = Tolerance(1e-6, "least squares in float64, solved in different ways")
SCALED = Tolerance(1e-6, "float64; a tiny number added to the divisor, as many do, is harmless")

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
            rng.permutation(np.arange(1, 13 + extra)) - 5.5
        )  # all values differ, so that each position is identifiable
        return series, length, horizon

    return draw


def _any_cut(rng: Rng) -> tuple:
    """Draw a series with a few windows; the horizon may exceed the length of a window."""
    return _cut(int(rng.integers(2, 7)), int(rng.integers(1, 8)), extra=int(rng.integers(4, 9)))(rng)


make_windows = Exercise(
    name="make_windows",
    challenges=(
        Challenge("the next value", 0.75, _cut(4, 1)),
        Challenge("two steps ahead", 0.75, _cut(3, 2)),
        Challenge("windows of one value", 0.25, _cut(1, 1)),
        Challenge("another series", 0.75, _any_cut, hidden=True),
    ),
    oracle=_windows_oracle,
    mistakes=(
        Mistake(
            "Your target is the last value of its own window, so nothing is left to forecast.",
            lambda series, length, horizon=1: _windows(series, length, horizon, ahead=-horizon),
        ),
        Mistake("You ignore the horizon: your target is always the next value.", lambda s, n, h=1: _windows(s, n, 1)),
        Mistake("Your target lies one step too early.", lambda s, n, h=1: _windows(s, n, h, ahead=-1)),
        Mistake("Your target lies one step too late.", lambda s, n, h=1: _windows(s, n, h, ahead=1, short=1)),
        Mistake(
            "The last window is missing: check the end of your range.", lambda s, n, h=1: _windows(s, n, h, short=1)
        ),
        Mistake(
            "Your windows do not overlap: each should begin one step after the one before.",
            lambda s, n, h=1: _windows(s, n, h, stride=n),
        ),
        Mistake(
            "Your windows contain their targets: the network would only have to copy them.",
            lambda s, n, h=1: _windows(s, n, h, inside=True),
        ),
        Mistake(
            "The axis of features is missing: xs should have the shape (windows, length, 1).",
            lambda s, n, h=1: _windows(s, n, h, flat=True),
        ),
        Mistake(
            "Your windows are reversed: the oldest value should come first.",
            lambda s, n, h=1: _windows(s, n, h, turned=True),
        ),
    ),
    styles=(_windows, _with_view, _by_index),
    hints=(
        "With 12 values, windows of 4 and a horizon of 1: where does the last window begin?",
        "A window that begins at i ends at i + length - 1, and its target lies `horizon` steps later. How many such i are there?",
        "For i in range(len(series) - length - horizon + 1): series[i : i + length], and series[i + length + horizon - 1].",
    ),
    unchanged=0.5,
    promised=(
        ("horizon is always smaller than axis 0 of series", "a window needs a target"),
        ("length is always smaller than axis 0 of series", "a window needs a target"),
    ),
)

# -------------------------------------------------------------------------------------- split_and_scale


def _scaled(
    series,
    test_steps,
    *,
    fit: Callable = lambda train, series: train,
    test_fit: Callable | None = None,
    spread: Callable = np.std,
    centre: Callable = np.mean,
    front=False,
    scale_test=True,
):
    train, test = series[: len(series) - test_steps], series[len(series) - test_steps :]
    if front:
        test, train = series[:test_steps], series[test_steps:]
    basis = fit(train, series)
    mean, std = centre(basis), spread(basis)
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


def _scaled_to_unit_range(series, test_steps):
    train, test = series[:-test_steps], series[-test_steps:]
    parts = {"train": (train - train.min()) / np.ptp(train), "test": (test - train.min()) / np.ptp(train)}
    return {**parts, "mean": train.mean(), "std": train.std()}


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
        level = 3.0 * rng.choice([-1, 1])  # of the test part, so that a scale that it enters differs visibly
        return key, numbers(rng, steps) + np.where(np.arange(steps) >= steps - test_steps, level, 0.0), test_steps

    return draw


split_and_scale = Exercise(
    name="split_and_scale",
    challenges=(
        Challenge("the mean", 0.25, _splitting("mean", 12, 4)),
        Challenge("the standard deviation", 0.25, _splitting("std", 12, 4)),
        Challenge("the training part", 0.5, _splitting("train", 12, 4)),
        Challenge("the test part", 1.0, _splitting("test", 12, 4)),
        Challenge("the test part of another series", 0.5, _splitting("test", 17, 6), hidden=True),
    ),
    oracle=_scaled_oracle,
    tolerance=SCALED,
    mistakes=(
        Mistake(
            "You take mean and std from the whole series, so the test part leaks into the training: use the training part alone.",
            lambda *a: _scaled(*a, fit=lambda train, series: series),
        ),
        Mistake(
            "You scale the test part with its own mean and std: use those of the training part.",
            lambda *a: _scaled(*a, test_fit=np.mean),
        ),
        Mistake("You do not scale the test part.", lambda *a: _scaled(*a, scale_test=False)),
        Mistake(
            "You cut the test part from the beginning of the series: it should be the last test_steps values.",
            lambda *a: _scaled(*a, front=True),
        ),
        Mistake(
            "Parentheses are missing: you divide the mean by std before you subtract it.",
            lambda *a: _scaled_without_brackets(*a),
        ),
        Mistake(
            "You divide by the variance: divide by the standard deviation, which is its square root.",
            lambda *a: _scaled(*a, spread=np.var),
        ),
        Mistake(
            "You use the range (maximum minus minimum) in place of the standard deviation.",
            lambda *a: _scaled(*a, spread=np.ptp),
        ),
        Mistake(
            "You divide by n - 1 in the standard deviation: np.std divides by n.",
            lambda *a: _scaled(*a, spread=lambda values: np.std(values, ddof=1)),
        ),
        Mistake(
            "You cut after the first test_steps values: the training part is everything but the last test_steps values.",
            lambda series, test_steps: _scaled(series, len(series) - test_steps),
        ),
        Mistake(
            "You scale to the range from 0 to 1: subtract the mean and divide by the standard deviation instead.",
            _scaled_to_unit_range,
        ),
        Mistake(
            "You scale to the range from 0 to 1, and return minimum and range as mean and std: use np.mean and np.std.",
            lambda *a: _scaled(*a, spread=np.ptp, centre=np.min),
        ),
    ),
    styles=(_scaled, _scaled_whole, _scaled_by_variance),
    hints=(
        "At the end of the training part, which of these numbers can you know?",
        "Cut first, then take the mean and the standard deviation of the training part, and use them for both.",
        "train = series[:-test_steps]; mean, std = train.mean(), train.std(); (train - mean) / std, and the same for test.",
    ),
    probe="part",
    unchanged=0.5,
    promised=(("test_steps is always smaller than axis 0 of series", "there is a training part"),),
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
        targets = numbers(rng, n, scale=3.0)
        errors = rng.permutation(np.append(numbers(rng, n - 2), [3.0, -0.5]))  # some too high and some too low
        if (errors.sum() > 0) == (forecast_shape == "row"):  # too low on average in one check, too high in the other:
            errors = -errors  # this tells signed errors from the absolute value of their mean
        forecasts = targets + errors
        return targets, forecasts[:, None] if forecast_shape == "column" else forecasts

    return draw


mean_absolute_error = Exercise(
    name="mean_absolute_error",
    challenges=(
        Challenge("both of shape (n,)", 0.5, _errors("row")),
        Challenge("forecasts of shape (n, 1)", 0.5, _errors("column")),
        Challenge("other numbers", 0.5, _errors("column"), hidden=True),
    ),
    oracle=_mae_oracle,
    tolerance=FLOAT32,
    mistakes=(
        Mistake(
            "You compare every target with every forecast: in NumPy, (n,) minus (n, 1) has the shape (n, n).",
            lambda y, f: np.mean(np.abs(y - f)),
        ),
        Mistake("You square the errors: take their absolute values.", lambda y, f: np.mean((y - np.ravel(f)) ** 2)),
        Mistake(
            "You return the root of the mean squared error: average the absolute errors instead.",
            lambda y, f: np.sqrt(np.mean((y - np.ravel(f)) ** 2)),
        ),
        Mistake(
            "The absolute value is missing: you average target minus forecast, so that errors of opposite sign cancel.",
            lambda y, f: np.mean(y - np.ravel(f)),
        ),
        Mistake(
            "The absolute value is missing: you average forecast minus target, so that errors of opposite sign cancel.",
            lambda y, f: np.mean(np.ravel(f) - y),
        ),
        Mistake(
            "You take the absolute value of the mean error, where errors of opposite sign cancel: average the absolute errors.",
            lambda y, f: np.abs(np.mean(y - np.ravel(f))),
        ),
        Mistake(
            "You return the median of the absolute errors, not their mean.",
            lambda y, f: np.median(np.abs(y - np.ravel(f))),
        ),
        Mistake("You add up the absolute errors: return their mean.", lambda y, f: np.sum(np.abs(y - np.ravel(f)))),
        Mistake(
            "You divide each error by its target: the absolute errors themselves are averaged.",
            lambda y, f: np.mean(np.abs((y - np.ravel(f)) / y)),
        ),
        Mistake("You return the largest absolute error, not the mean.", lambda y, f: np.max(np.abs(y - np.ravel(f)))),
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
        "Bring both to the same shape first, for example with np.ravel. Then take the absolute errors, then their mean.",
        "np.mean(np.abs(np.ravel(targets) - np.ravel(forecasts))).",
    ),
    unchanged=0.5,
    promised=(("axis 1 of forecasts is always 1", "the task says so"),),
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
        Challenge("part of a season", 0.25, _season(11, 5, 3)),
        Challenge("more than two seasons", 0.75, _season(10, 4, 9)),
        Challenge("a period of one", 0.25, _season(7, 1, 3)),
        Challenge(
            "other numbers",
            0.5,
            lambda rng: (numbers(rng, 15), int(rng.integers(2, 7)), int(rng.integers(2, 25))),
            hidden=True,
        ),
    ),
    oracle=_naive_oracle,
    mistakes=(
        Mistake(
            "You repeat the last value whatever the period: that is the persistence forecast.",
            lambda s, p, h: np.full(h, s[-1]),
        ),
        Mistake("You repeat the first season of the series: repeat the last one.", lambda s, p, h: np.resize(s[:p], h)),
        Mistake(
            "Your season starts one step too late: the first forecast is the value exactly one period before it.",
            lambda s, p, h: np.resize(np.roll(s[-p:], -1), h),
        ),
        Mistake("You repeat the last season in reverse order.", lambda s, p, h: np.resize(s[-p:][::-1], h)),
        Mistake(
            "You repeat the mean of the last season: repeat its values.", lambda s, p, h: np.full(h, s[-p:].mean())
        ),
        Mistake(
            "After one season your forecast stays at the last value: the season should start again.",
            lambda s, p, h: np.array([s[-p:][min(k, p - 1)] for k in range(h)]),
        ),
        Mistake(
            "Your season starts one step too early: the first forecast is the value exactly one period before it.",
            lambda s, p, h: np.resize(s[-p - 1 : -1], h),
        ),
        Mistake(
            "You repeat each value of the season several times in a row: repeat the season as a whole, as np.tile does.",
            lambda s, p, h: np.repeat(s[-p:], -(-h // p))[:h],
        ),
        Mistake(
            "Every forecast of yours is the first value of the last season: the whole season should be repeated.",
            lambda s, p, h: np.full(h, s[-p]),
        ),
        Mistake(
            "You count the phase of the season from the start of the series: start with the value one period before its end.",
            lambda s, p, h: s[-p:][(len(s) + np.arange(h)) % p],
        ),
        Mistake(
            "You return one season at most: repeat it until there are `horizon` forecasts.", lambda s, p, h: s[-p:][:h]
        ),
        Mistake(
            "You repeat the average of all seasons: repeat the last season only.",
            lambda s, p, h: np.resize(s[-(len(s) // p) * p :].reshape(-1, p).mean(axis=0), h),
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
    unchanged=0.25,
    promised=(("period is always smaller than axis 0 of series", "there is a whole season to repeat"),),
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
        Challenge("one step", 0.25, _going_on(swing_on, 3, 1)),
        Challenge("a swing goes on", 0.5, _going_on(swing_on, 4, 5)),
        Challenge("a forecaster using the oldest value", 0.25, _going_on(oldest_first, 4, 4)),
        Challenge("the mean of the window", 0.25, _going_on(mean_of_all, 3, 6)),
        Challenge(
            "other numbers", 0.5, lambda rng: (oldest_first, numbers(rng, 5), int(rng.integers(6, 11))), hidden=True
        ),
    ),
    oracle=_ahead_oracle,
    mistakes=(
        Mistake("Your window never moves, so every step gets the first forecast.", lambda *a: _ahead(*a, frozen=True)),
        Mistake(
            "Your window grows: drop its oldest value whenever you append a forecast.",
            lambda *a: _ahead(*a, grows=True),
        ),
        Mistake(
            "You put the forecast at the front of the window: the newest value belongs at its end.",
            lambda *a: _ahead(*a, front=True),
        ),
        Mistake(
            "Your first result is the last value of the window, which is not a forecast.",
            lambda *a: _ahead(*a, late=True),
        ),
        Mistake(
            "You overwrite the newest value of the window: drop the oldest one instead.",
            lambda predict, window, steps: _ahead(predict, window, steps, overwrite=True),
        ),
        Mistake(
            "You build every new window from the original one: build it from the window before.",
            lambda predict, window, steps: _ahead(predict, window, steps, restart=True),
        ),
        Mistake("You return the forecast for the last step at all steps.", lambda *a: _ahead(*a, once=True)),
        Mistake("You change the caller's window in place: work on a copy.", _changing_the_window),
        Mistake(
            "You return the end of the window, which holds at most len(window) values: collect every forecast in a list.",
            lambda predict, window, steps: np.concatenate([window, _rolling(predict, window, steps)])[-len(window) :][
                -steps:
            ],
        ),
    ),
    styles=(_ahead, _rolling, _with_deque),
    hints=(
        "After the first forecast, which value leaves the window, and which one enters, at which end?",
        "In a loop: predict, store the forecast, then build a new window from window[1:] and the forecast.",
        "window = np.append(window[1:], forecast) makes the next window and leaves the caller's unchanged.",
    ),
    unchanged=0.25,
)

# ---------------------------------------------------------------------------------- validation_errors


def _by_least_squares(windows, targets):
    """Return a forecaster: weights for each lag and a constant."""
    columns = np.hstack([windows, np.ones((len(windows), 1))])
    weights = np.linalg.lstsq(columns, targets, rcond=None)[0]
    return lambda windows: np.hstack([windows, np.ones((len(windows), 1))]) @ weights


def _lagged(series, first, stop, order):
    """Return the windows that end before series[first], ..., series[stop - 1], and these values."""
    targets = np.arange(first, stop)
    return series[targets[:, None] - order + np.arange(order)], series[targets]


def _validation_oracle(series, orders, valid_from):
    """Solve the normal equations, target by target."""
    errors = []
    for order in orders:
        rows = [[*series[t - order : t].tolist(), 1.0] for t in range(order, valid_from)]
        gram, moment = np.zeros((order + 1, order + 1)), np.zeros(order + 1)
        for row, target in zip(rows, series[order:valid_from], strict=True):
            gram += np.outer(row, row)
            moment += np.array(row) * target
        weights = np.linalg.solve(gram, moment)
        misses = [
            abs(series[t] - np.dot([*series[t - order : t], 1.0], weights)) for t in range(valid_from, len(series))
        ]
        errors.append(sum(misses) / len(misses))
    return np.array(errors)


def _validated(
    series,
    orders,
    valid_from,
    *,
    fit=lambda valid_from, n: valid_from,
    judged=lambda order, valid_from, n: (valid_from, n),
    measure=lambda off: np.mean(np.abs(off)),
    extra=0,
    result=lambda errors, orders: np.array(errors),
):
    errors, n = [], len(series)
    for order in orders:
        lags = order + extra
        forecast = _by_least_squares(*_lagged(series, lags, fit(valid_from, n), lags))
        first, stop = judged(lags, valid_from, n)
        windows, targets = _lagged(series, first, stop, lags)
        errors.append(measure(targets - forecast(windows)))
    return result(errors, orders)


LONGER = ("axis 0 of series", "valid_from")
TRAINABLE = "there are training windows of every order"


def _fitted_on_validation(series, orders, valid_from, *, inside=False):
    def error(order):
        forecast = _by_least_squares(*_lagged(series, valid_from + inside * order, len(series), order))
        windows, targets = _lagged(series, valid_from, len(series), order)
        return np.mean(np.abs(targets - forecast(windows)))

    return np.array([error(order) for order in orders])


def _orders(orders: tuple[int, ...], train: int, valid: int):
    def draw(rng: Rng) -> tuple:
        """Draw a series on which the errors are sorted neither as they stand nor by the number of lags."""
        while True:
            args = numbers(rng, train + valid), orders, train
            errors = _validation_oracle(*args)
            by_size, by_order = np.sort(errors), errors[np.argsort(orders)]
            if len(orders) == 1 or not any(np.array_equal(a, b) for a, b in ((errors, by_size), (by_size, by_order))):
                return args

    return draw


def _any_orders(rng: Rng) -> tuple:
    orders = np.arange(3)
    while np.array_equal(orders, np.sort(orders)):
        orders = rng.permutation(np.arange(1, 7))[:3]
    return _orders(tuple(orders.tolist()), int(rng.integers(25, 35)), int(rng.integers(8, 14)))(rng)


validation_errors = Exercise(
    name="validation_errors",
    challenges=(
        Challenge("two orders", 0.5, _orders((2, 4), 20, 9)),
        Challenge("three orders", 1.0, _orders((3, 1, 5), 26, 10)),
        Challenge("other orders, another series", 1.0, _any_orders, hidden=True),
    ),
    oracle=_validation_oracle,
    tolerance=LEAST_SQUARES,
    mistakes=(
        Mistake(
            "You fit on the validation part as well: use the windows of series[:valid_from] alone.",
            lambda *a: _validated(*a, fit=lambda valid_from, n: n),
        ),
        Mistake("You fit on the validation part: fit on the windows of series[:valid_from].", _fitted_on_validation),
        Mistake(
            "You fit on windows of the validation part: fit on those of series[:valid_from].",
            lambda series, orders, valid_from: _fitted_on_validation(series, orders, valid_from, inside=True),
        ),
        Mistake(
            "Your training part is one value too long: it ends before series[valid_from].",
            lambda *a: _validated(*a, fit=lambda valid_from, n: valid_from + 1),
        ),
        Mistake(
            "You return the errors on the training part: forecast the values from valid_from on.",
            lambda *a: _validated(*a, judged=lambda order, valid_from, n: (order, valid_from)),
        ),
        Mistake(
            "You return the errors on the whole series: forecast the values from valid_from on.",
            lambda *a: _validated(*a, judged=lambda order, valid_from, n: (order, n)),
        ),
        Mistake(
            "Your windows lie in the validation part as a whole, so that each order forecasts other targets: they may begin before it.",
            lambda *a: _validated(*a, judged=lambda order, valid_from, n: (valid_from + order, n)),
        ),
        Mistake(
            "Your first target is one step too early: it is the last value of the training part.",
            lambda *a: _validated(*a, judged=lambda order, valid_from, n: (valid_from - 1, n)),
        ),
        Mistake(
            "Your first target is one step too late: the first one is series[valid_from].",
            lambda *a: _validated(*a, judged=lambda order, valid_from, n: (valid_from + 1, n)),
        ),
        Mistake(
            "You use one lag more than the order says.",
            lambda *a: _validated(*a, extra=1),
        ),
        Mistake(
            "You return mean squared errors: take the mean absolute error.",
            lambda *a: _validated(*a, measure=lambda off: np.mean(off**2)),
        ),
        Mistake(
            "You return root mean squared errors: take the mean absolute error.",
            lambda *a: _validated(*a, measure=lambda off: np.sqrt(np.mean(off**2))),
        ),
        Mistake(
            "The absolute value is missing, so that errors of opposite sign cancel.",
            lambda *a: _validated(*a, measure=np.mean),
        ),
        Mistake(
            "You return sums of absolute errors: return their means.",
            lambda *a: _validated(*a, measure=lambda off: np.sum(np.abs(off))),
        ),
        Mistake(
            "You return the best order: return the error of each order.",
            lambda *a: _validated(*a, result=lambda errors, orders: orders[int(np.argmin(errors))]),
        ),
        Mistake(
            "You return the smallest error: return the error of each order.",
            lambda *a: _validated(*a, result=lambda errors, orders: min(errors)),
        ),
        Mistake(
            "You return the errors sorted by size: return them in the order of `orders`.",
            lambda *a: _validated(*a, result=lambda errors, orders: np.sort(errors)),
        ),
        Mistake(
            "You return the errors sorted by the number of lags: return them in the order of `orders`.",
            lambda *a: _validated(*a, result=lambda errors, orders: np.array(errors)[np.argsort(orders)]),
        ),
    ),
    styles=(
        _validated,
        lambda series, orders, valid_from: [_validated(series, [order], valid_from)[0] for order in orders],
        lambda series, orders, valid_from: np.array(
            [np.abs(_validated(series, [order], valid_from, measure=np.array)[0]).mean() for order in orders]
        ),
    ),
    hints=(
        "For an order of 3 and valid_from = 20, which values are in the window whose target is series[20]?",
        "For each order: fit on make_windows(series[:valid_from], order), then forecast windows_from(series, valid_from, order).",
        "forecast = fit_autoregression(*make_windows(series[:valid_from], order)); xs, ys = windows_from(series, valid_from, order); mean_absolute_error(ys, forecast(xs)).",
    ),
    lists=True,
    unchanged=0.5,
    promised=(
        ("valid_from is always smaller than axis 0 of series", "there is a validation part"),
        *((f"orders[{k}] is always smaller than {longer}", TRAINABLE) for k in (0, 1) for longer in LONGER),
        *((f"{longer} is always larger than orders[2]", TRAINABLE) for longer in LONGER),
    ),
)

# ------------------------------------------------------------------------------------ undo_difference


def _undone_oracle(changes, history, lag=1):
    """Add up the changes of each phase of the season from its last known value."""
    history_length, values = len(history), np.zeros(len(changes))
    for k in range(len(changes)):
        values[k] = history[history_length - lag + k % lag] + sum(changes[j] for j in range(k % lag, k + 1, lag))
    return values


def _undone(changes, history, lag=1, *, base=None, sign=1, keep=0, from_known=False):
    values = [float(value) for value in history]
    for k, change in enumerate(changes):
        before = (
            values[len(history) - lag + (k % lag if from_known else k)] if base is None else base(values, history, k)
        )
        values.append(before + sign * change)
    return np.array(values[len(history) - keep :])


def _with_cumsum(changes, history, lag=1):
    padded = np.concatenate([changes, np.zeros(-len(changes) % lag)]).reshape(-1, lag)
    return (history[-lag:] + np.cumsum(padded, axis=0)).ravel()[: len(changes)]


def _in_a_buffer(changes, history, lag=1):
    values = np.concatenate([history, changes])
    for t in range(len(history), len(values)):
        values[t] += values[t - lag]
    return values[len(history) :]


def _to_undo(history_length: int, horizon: int, lag: int):
    return lambda rng: (numbers(rng, horizon), numbers(rng, history_length, scale=3.0), lag)


def _any_to_undo(rng: Rng) -> tuple:
    lag = int(rng.integers(2, 5))
    return _to_undo(lag + int(rng.integers(1, 6)), 2 * lag + int(rng.integers(1, 4)), lag)(rng)


undo_difference = Exercise(
    name="undo_difference",
    challenges=(
        Challenge("a lag of one", 0.5, _to_undo(5, 4, 1)),
        Challenge("part of a season", 0.25, _to_undo(7, 3, 4)),
        Challenge("more than two seasons", 0.5, _to_undo(5, 8, 3)),
        Challenge("other numbers", 0.5, _any_to_undo, hidden=True),
    ),
    oracle=_undone_oracle,
    mistakes=(
        Mistake(
            "You ignore the lag: each change is added to the value `lag` steps before.",
            lambda changes, history, lag=1: _undone(changes, history, 1),
        ),
        Mistake(
            "You add every change to the last known value: it builds on the value `lag` steps before, forecasts included.",
            lambda *a: _undone(*a, base=lambda values, history, k: history[-1]),
        ),
        Mistake(
            "After the first season your values build on the history again: they should build on your own forecasts.",
            lambda *a: _undone(*a, from_known=True),
        ),
        Mistake(
            "You add up the changes alone: the history is missing.",
            lambda changes, history, lag=1: np.cumsum(changes),
        ),
        Mistake(
            "You add up the changes of one season alone: the history is missing.",
            lambda changes, history, lag=1: _undone(changes, 0 * history, lag),
        ),
        Mistake("You subtract the changes: add them.", lambda *a: _undone(*a, sign=-1)),
        Mistake(
            "You return the history too: return the forecasts alone.",
            lambda changes, history, lag=1: _undone(changes, history, lag, keep=len(history)),
        ),
        Mistake(
            "Your result begins with the last season of the history: return the forecasts alone.",
            lambda changes, history, lag=1: _undone(changes, history, lag, keep=lag),
        ),
        Mistake(
            "You start from the beginning of the history: start from its end.",
            lambda changes, history, lag=1: _undone(changes, history[:lag], lag),
        ),
        Mistake(
            "You add each change to the value lag + 1 steps before: it should be `lag` steps.",
            lambda changes, history, lag=1: _undone(changes, history, lag + 1),
        ),
        Mistake("You return the changes as they are.", lambda changes, history, lag=1: changes.copy()),
    ),
    styles=(_undone, _with_cumsum, _in_a_buffer),
    hints=(
        "With a lag of 3, on which value does the first forecast build? And the fourth?",
        "Keep a list that begins with the last `lag` known values, and append each change plus the value `lag` places from its end.",
        "values = list(history[-lag:]); for change in changes: values.append(change + values[-lag]); then return values[lag:] as an array.",
    ),
    unchanged=0.25,
    promised=(("lag is always smaller than axis 0 of history", "the task says at most n"),),
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
        Claims("the model", 0.75, (ONE_FORECAST_PER_WINDOW, HIGH_AND_LOW_FORECASTS)),
        Claims("it was trained", 0.25, (MODEL_TRAINED, FORECASTS_CORRELATE)),
        Claims("it beats the baseline", 1.0, (BEATS_PERSISTENCE,)),
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
        "Input (None, 1), SimpleRNN(32), Dense(1) with no activation; Adam, the squared error; fit on xs and ys, with EarlyStopping.",
        "fit(xs, ys, validation_data=(xs_valid, ys_valid), epochs=60, batch_size=32, callbacks=[stop], verbose=0), then return model.",
    ),
    probe="trained_forecaster",
    seconds=8,
)

EXERCISES = [
    mean_absolute_error,
    seasonal_naive,
    make_windows,
    split_and_scale,
    validation_errors,
    train_forecaster,
    forecast_ahead,
    undo_difference,
]
