"""Draw time series: their parts, the windows that slide over them, autocorrelations and forecasts with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from rnn_helpers.plots import COLOURS, new_axes, new_row

TRAIN, VALID, TEST = "0.35", COLOURS[0], "0.6"


def parts(times: np.ndarray, values: np.ndarray, valid_from: int, test_from: int, *, title: str, ylabel: str) -> Axes:
    """Draw a series up to its test part, which is hatched and shows no values.

    times, values: (n,); valid_from, test_from: the first index of each part
    """
    ax = new_axes(width=9.0)
    ax.plot(times[: valid_from + 1], values[: valid_from + 1], linewidth=1.2, color=TRAIN)
    ax.plot(times[valid_from:test_from], values[valid_from:test_from], linewidth=1.2, color=VALID)
    ax.axvspan(times[test_from], times[-1], facecolor="0.95", edgecolor=TEST, hatch="//", linewidth=0)
    before_test = values[:test_from]
    top = float(before_test.max()) + 0.02 * float(np.ptp(before_test))
    starts = {"training": (0, TRAIN), "validation": (valid_from, VALID), "test (closed)": (test_from, "0.25")}
    for name, (first, colour) in starts.items():
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        ax.text(times[first], top, f" {name}", color=colour, ha="left", va="bottom", fontsize=9, bbox=box)
    ax.margins(x=0.01)
    ax.set(title=title, xlabel="year", ylabel=ylabel, ylim=(None, top + 0.1 * float(np.ptp(before_test))))
    return ax


def windows_at_a_border(length: int, horizon: int, border: int, steps: int) -> Axes:
    """Draw the first windows that belong to a part: each as a row of boxes, a gap and a target.

    border: the index of the first value of the part; steps: how many values of the series are drawn
    """
    rows = min(3, steps - border)
    ax = new_axes(width=9.0, height=0.5 + 0.45 * (rows + 1))
    for t in range(steps):
        colour = VALID if t >= border else TRAIN
        ax.text(t + 0.5, 0.5, f"$s_{{{t}}}$", ha="center", va="center", color=colour, fontsize=10)
    for row in range(rows):
        target, height = border + row, -1.0 - row
        for t in range(target - horizon - length + 1, target - horizon + 1):
            ax.add_patch(Rectangle((t + 0.06, height + 0.12), 0.88, 0.76, facecolor="0.82", edgecolor="0.4"))
        ax.add_patch(Rectangle((target + 0.06, height + 0.12), 0.88, 0.76, facecolor=VALID, edgecolor=VALID))
    ax.axvline(border, color=VALID, linewidth=1.5)
    ax.set_title(f"Windows of {length} values with a horizon of {horizon}: grey window, coloured target", loc="left")
    ax.set(xlim=(0, steps), ylim=(-rows - 0.2, 1.1))
    ax.axis("off")
    return ax


def autocorrelations(series: dict[str, tuple[np.ndarray, int]], *, xlabels: Sequence[str]) -> Axes:
    """Draw autocorrelation functions as bars in a row, with the band in which 95 % of those of pure noise would lie.

    series: title -> (autocorrelations from lag 0 on, number of values they were computed from); xlabels: with units
    """
    axes = new_row(width=9.3, height=2.8, count=len(series))
    for ax, (title, (values, count)), xlabel in zip(axes, series.items(), xlabels, strict=True):
        band = 1.96 / np.sqrt(count)
        ax.axhspan(-band, band, color="0.9", zorder=0)
        ax.bar(np.arange(1, len(values)), values[1:], width=0.55, color=COLOURS[0])
        ax.axhline(0, color="0.3", linewidth=0.8)
        ax.set(title=title, xlabel=xlabel, ylabel="autocorrelation", ylim=(-1, 1))
    return axes[0]


def with_interval(
    times: np.ndarray,
    actual: np.ndarray,
    forecast: np.ndarray,
    interval: Sequence[np.ndarray],
    *,
    title: str,
    ylabel: str,
) -> Axes:
    """Draw actual values, a forecast and the band between the two ends of its interval; each array is (n,)."""
    low, high = interval
    ax = new_axes(width=9.0, height=3.2)
    ax.fill_between(times, low, high, color=COLOURS[1], alpha=0.25, linewidth=0, label="80 % interval")
    ax.plot(times, forecast, color=COLOURS[1], linewidth=1.2, label="forecast")
    outside = (actual < low) | (actual > high)
    ax.plot(times, actual, color="black", linewidth=1.2, label="actual")
    ax.plot(times[outside], actual[outside], "o", color="black", markersize=4, label="outside")
    ax.legend(frameon=False, fontsize=8, ncols=4, loc="upper left")
    ax.set(title=title, xlabel="year", ylabel=ylabel, ylim=(None, 1.15 * float(max(actual.max(), high.max()))))
    return ax
