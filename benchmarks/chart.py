"""Draw ratios with their quartiles, and the goals beside them, into dist/benchmarks/."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1] / "dist" / "benchmarks"


class Ratio(NamedTuple):
    """One line of a chart: the median of a ratio and its quartiles; `goal` is None where there is none."""

    label: str
    low: float
    middle: float
    high: float
    goal: float | None = None


def draw(name: str, title: str, ratios: list[Ratio]) -> Path:
    """Write dist/benchmarks/NAME.svg, with a dot and a line for each ratio and a tick for its goal; return its path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.8 + 0.3 * len(ratios)), layout="constrained")
    axes = figure.subplots()
    places = range(len(ratios))
    axes.hlines(places, [each.low for each in ratios], [each.high for each in ratios], color="tab:blue", linewidth=2)
    axes.plot([each.middle for each in ratios], places, "o", color="tab:blue", label="median, quartiles")
    goals = [(each.goal, place) for place, each in enumerate(ratios) if each.goal is not None]
    if goals:
        axes.plot(*zip(*goals, strict=True), "|", color="tab:orange", markersize=14, markeredgewidth=3, label="goal")
    axes.axvline(1, color="gray", linewidth=0.8)
    axes.set_yticks(places, [each.label for each in ratios])
    axes.invert_yaxis()
    axes.set(title=title, xlabel="ratio", xscale="log")
    axes.legend()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path
