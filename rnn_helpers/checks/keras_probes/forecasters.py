"""Probe for lesson 09: train a forecaster on the first part of a series and evaluate it on a later part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.claims import (
    BEATS_PERSISTENCE,
    FORECASTS_CORRELATE,
    HIGH_AND_LOW_FORECASTS,
    MODEL_TRAINED,
    NO_VALIDATION_LEAK,
    ONE_FORECAST_PER_WINDOW,
)
from rnn_helpers.checks.findings import FINDING
from rnn_helpers.checks.keras_probes import inspection, settings
from rnn_helpers.checks.keras_probes.inspection import failure_text, find_cause, guard

WINDOW = 22
# Windows for training, validation and testing. There are three times as many for validation as for training, so that
# a model trained on both follows the validation targets when they are replaced by their opposites.
TRAIN, VALID, LATER = 400, 1200, 300
MIN_LEAK = -0.3  # correlation of forecasts with the actual values below which they follow the opposite targets
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
    """Have a forecaster trained on the beginning of a series and evaluate it on the end.

    It is trained a second time beside validation targets of the opposite sign. Early stopping that looks at them stops
    at another epoch, but only a model that learns from them gives forecasts of the opposite sign.
    """
    inspection.set_seed(answer, seed)
    stride, later = WINDOW + 3, TRAIN + VALID + 2 * WINDOW
    series = oscillating_series(seed, later + LATER * stride)
    xs_later, ys_later = windows(series, later, LATER, stride)
    order = np.random.default_rng(seed).permutation(LATER)
    xs_later, ys_later = xs_later[order], ys_later[order]
    model = inspection.require_model(answer(*windows(series, 0, TRAIN), *windows(series, TRAIN + WINDOW, VALID)))
    results = _forecast_claims(model, xs_later, ys_later)
    if (
        results.get(HIGH_AND_LOW_FORECASTS) == ""
    ):  # the last but one of the claims before, so its forecasts are sensible
        results |= guard((NO_VALIDATION_LEAK,), lambda: _leak_claim(answer, series, xs_later, ys_later))
    if any(results.values()):
        results[FINDING] = find_cause(lambda: _fault(model, results, xs_later))
    return results


def _forecast_claims(model: Any, xs_later: np.ndarray, ys_later: np.ndarray) -> dict[str, str]:
    outputs = inspection.outputs(model, xs_later)
    shaped = outputs.shape == (LATER, 1)
    results = {ONE_FORECAST_PER_WINDOW: failure_text(shaped, f"for {LATER} windows its shape is {outputs.shape}")}
    if not shaped:
        return results
    forecasts = outputs[:, 0].astype(float)
    error, naive = np.abs(forecasts - ys_later).mean(), np.abs(xs_later[:, -1, 0] - ys_later).mean()
    beats_persistence = bool(error <= MAX_ERROR_RATIO * naive)
    moved = inspection.biases_have_moved(inspection.weights(model)) or beats_persistence
    results[MODEL_TRAINED] = failure_text(moved, "its biases are still zero, as they were at the start")
    if not moved:
        return results
    correlation = _correlation(forecasts, ys_later)
    results[FORECASTS_CORRELATE] = failure_text(
        correlation > MIN_CORRELATION, f"their correlation is {correlation:.2f}"
    )
    if not correlation > MIN_CORRELATION:
        return results
    wide = bool(forecasts.min() < -0.3 and forecasts.max() > 0.3)
    reach = f"they reach from {forecasts.min():.2f} to {forecasts.max():.2f}"
    results[HIGH_AND_LOW_FORECASTS] = failure_text(wide, reach)
    if not wide:
        return results
    actual = f"it is off by {error:.3f}, persistence by {naive:.3f}"
    return results | {BEATS_PERSISTENCE: failure_text(beats_persistence, actual)}


def _leak_claim(answer: Callable, series: np.ndarray, xs_later: np.ndarray, ys_later: np.ndarray) -> dict[str, str]:
    xs_valid, ys_valid = windows(series, TRAIN + WINDOW, VALID)
    model = inspection.require_model(answer(*windows(series, 0, TRAIN), xs_valid, -ys_valid))
    correlation = _correlation(inspection.outputs(model, xs_later).reshape(-1).astype(float), ys_later)
    instead = f"beside validation targets of the opposite sign, their correlation is {correlation:.2f}"
    return {NO_VALIDATION_LEAK: failure_text(not correlation < MIN_LEAK, instead)}


def _correlation(forecasts: np.ndarray, actual: np.ndarray) -> float:
    """Return the correlation, 0 for forecasts that are all the same."""
    return float(np.corrcoef(forecasts, actual)[0, 1]) if np.ptp(forecasts) > 0 else 0.0


def _fault(model: Any, results: dict[str, str], xs_later: np.ndarray) -> str:
    """Return what a measurement singles out about a wrong forecaster, or ""."""
    if results.get(NO_VALIDATION_LEAK):
        return findings.LEARNS_FROM_VALIDATION
    layers, training = settings.layers_of(model), settings.training_of(model)
    recurrent = settings.recurrent_layers(layers)
    if inspection.outputs(model, xs_later).ndim == 3 and len(recurrent) == 1 and recurrent[0].get("return_sequences"):
        return findings.RETURNS_SEQUENCES
    if training["compiled"] and not training["iterations"] and results.get(MODEL_TRAINED):
        return findings.NEVER_TRAINED
    constant = np.ptp(inspection.outputs(model, xs_later)) == 0
    if (results.get(HIGH_AND_LOW_FORECASTS) or constant) and settings.top_activation(layers):
        return findings.ACTIVATION_ON_TOP.format(actual=settings.top_activation(layers))
    return settings.find_frozen_training(training) if training["compiled"] and results.get(MODEL_TRAINED) else ""
