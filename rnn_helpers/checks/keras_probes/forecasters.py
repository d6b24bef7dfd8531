"""Probe for lesson 09: train a forecaster on the first part of a series and evaluate it on a later part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnn_helpers.checks.claims import (
    BEATS_PERSISTENCE,
    BIASES_MOVED,
    FORECASTS_CORRELATE,
    HIGH_AND_LOW_FORECASTS,
    NO_VALIDATION_LEAK,
    ONE_FORECAST_PER_WINDOW,
)
from rnn_helpers.checks.keras_probes import inspection
from rnn_helpers.checks.keras_probes.inspection import failure_text

WINDOW = 22
TRAIN, VALID, LATER = 400, 1200, 300  # windows for training, validation and testing
# Added to every validation target, so that a model trained on them is detected. There are three times as many of them
# as training targets, so that the shift can be too small to disturb early stopping, which is legitimate.
SHIFT = 0.4
MAX_BIAS = 0.15  # a larger bias shows training on validation data; see benchmarks/thresholds.py
MIN_CORRELATION = 0.7  # correlation with the actual values; forecasts that cannot go below zero still reach about 0.85
MAX_ERROR_RATIO = 0.9  # relative to the error of persistence


def oscillating_series(seed: int, steps: int) -> np.ndarray:
    """Return a noisy oscillation around 0 with unit standard deviation: (steps,); the seed sets its period, 16 to 26.

    x_t = 2 r cos(w) x_{t-1} - r^2 x_{t-2} + noise, a linear autoregression of order 2 with r = 0.98
    """
    rng = np.random.default_rng(seed)
    angle, r, noise = 2 * np.pi / rng.uniform(16, 26), 0.98, rng.normal(size=steps + 200)
    x = np.zeros(steps + 200)
    for t in range(2, len(x)):
        x[t] = 2 * r * np.cos(angle) * x[t - 1] - r * r * x[t - 2] + noise[t]
    return x[200:] / x[200:].std()


def windows(series: np.ndarray, first: int, count: int, stride: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` windows, starting at `first`, and the value after each: (count, 22, 1), (count,).

    stride: from one window to the next; WINDOW + 1 or more, so that no target is part of another window
    """
    rows = first + stride * np.arange(count)[:, None] + np.arange(WINDOW)
    return series[rows][..., None].astype(np.float32), series[rows[:, -1] + 1].astype(np.float32)


def trained_forecaster(answer: Callable, seed: int) -> dict[str, str]:
    """Have a forecaster trained on the beginning of a series and evaluate it on the end."""
    inspection.set_seed(answer, seed)
    stride, later = WINDOW + 3, TRAIN + VALID + 2 * WINDOW
    series = oscillating_series(seed, later + LATER * stride)
    xs, ys = windows(series, 0, TRAIN)
    xs_valid, ys_valid = windows(series, TRAIN + WINDOW, VALID)
    xs_later, ys_later = windows(series, later, LATER, stride)
    order = np.random.default_rng(seed).permutation(LATER)
    xs_later, ys_later = xs_later[order], ys_later[order]
    model = inspection.require_model(answer(xs, ys, xs_valid, ys_valid + np.float32(SHIFT)))
    outputs = inspection.outputs(model, xs_later)
    shaped = outputs.shape == (LATER, 1)
    results = {ONE_FORECAST_PER_WINDOW: failure_text(shaped, f"for {LATER} windows its shape is {outputs.shape}")}
    if not shaped:
        return results
    forecasts = outputs[:, 0].astype(float)
    error, naive = np.abs(forecasts - ys_later).mean(), np.abs(xs_later[:, -1, 0] - ys_later).mean()
    bias = float(np.mean(forecasts - ys_later))
    wide = bool(forecasts.min() < -0.3 and forecasts.max() > 0.3)
    moved = inspection.biases_have_moved(inspection.weights(model))
    results[BIASES_MOVED] = failure_text(moved, "they are as they were built: was it trained?")
    if not moved:
        return results
    correlation = float(np.corrcoef(forecasts, ys_later)[0, 1])
    results[FORECASTS_CORRELATE] = failure_text(
        correlation > MIN_CORRELATION, f"their correlation is {correlation:.2f}"
    )
    if not correlation > MIN_CORRELATION:
        return results
    reach = f"they reach from {forecasts.min():.2f} to {forecasts.max():.2f}"
    results[HIGH_AND_LOW_FORECASTS] = failure_text(wide, reach)
    if not wide:
        return results
    results[NO_VALIDATION_LEAK] = failure_text(
        bias < MAX_BIAS, f"its forecasts are {bias:+.2f} off, towards validation targets that were shifted"
    )
    if bias >= MAX_BIAS:
        return results
    return results | {
        BEATS_PERSISTENCE: failure_text(
            bool(error <= MAX_ERROR_RATIO * naive), f"it is off by {error:.3f}, persistence by {naive:.3f}"
        )
    }
