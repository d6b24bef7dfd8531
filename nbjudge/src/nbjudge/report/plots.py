"""Draw the plots as inline SVG: reproducible bytes, colours from the page's style sheet, and a text alternative."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nbjudge.report.formatting import name, number
from nbjudge.report.item_analysis import ItemMeasure, ScoreMap, histogram, summary

# Placeholders for the colours of the page's style sheet, which has a light and a dark theme.
COLOURS = {"#010101": "currentColor", "#020202": "var(--bar)", "#030303": "var(--mark)", "#040404": "var(--grid)"}
_INK, _BAR, MARK, _GRID = COLOURS
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: smaller, searchable, in the page's own type
    "font.family": "sans-serif",
    "font.size": 11.0,
    "text.parse_math": False,  # a student's name may hold a $
    "text.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _GRID,
    "axes.axisbelow": True,
}
WIDTH = 5.4  # inches at 72 points: legible on a phone
_LETTER = 0.09  # inches, average width of a character
_LONGEST_LABEL = 26  # characters
_MOST_LABELS = 60  # rows of a map up to which each is labelled
_MOST_NUMBERS = 40  # rows of a map up to which each cell shows its number
_PALETTE = matplotlib.colormaps["cividis"]


def scores(values: list[float], possible: float) -> Markup:
    """Return the histogram of the total scores."""
    counts, edges = histogram(values, 0.0, max(possible, *values, 1e-9))
    statistics = summary(values)
    with matplotlib.rc_context(SETTINGS):
        figure, axes = _figure(2.9)
        _bars(axes, counts, edges)
        axes.set_xlabel(f"points of {number(possible)}")
        for value, style, text in ((statistics["median"], "-", "median"), (statistics["mean"], ":", "mean")):
            axes.axvline(value, color=MARK, linestyle=style, linewidth=2, label=f"{text} {number(value)}")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
        words = "; ".join(_bin(edges, index, points) for index, points in enumerate(counts) if points)
        return _svg(figure, "scores", "Distribution of the scores", f"Points and students: {words}.")


def times(seconds: list[float]) -> Markup:
    """Return the histogram of the grading times."""
    # A few slow ones would squeeze all others into one bar, so the last bar collects the outliers.
    top = max(min(max(seconds), 4 * float(np.quantile(seconds, 0.9))), 1e-3)
    counts, edges = histogram(seconds, 0.0, top)
    beyond = sum(value > edges[-1] for value in seconds)
    with matplotlib.rc_context(SETTINGS):
        figure, axes = _figure(2.6)
        _bars(axes, counts, edges, "submissions")
        axes.set_xlabel(f"seconds{f'; the last bar holds {beyond} slower ones' if beyond else ''}")
        words = "; ".join(_bin(edges, index, points) for index, points in enumerate(counts) if points)
        return _svg(figure, "times", "Grading times", f"Seconds and submissions: {words}.")


def difficulty(measures: list[ItemMeasure]) -> Markup:
    """Return the plot of difficulty (bars) and discrimination (dots), one line per exercise."""
    lines = list(reversed(measures))
    with matplotlib.rc_context(SETTINGS):
        names = [_label(measure.exercise.label) for measure in lines]
        width = _LETTER * max(map(len, names)) + 4.6
        figure = Figure(figsize=(width, 0.9 + 0.36 * len(lines)), layout="constrained")
        bars, dots = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        positions = np.arange(len(lines))
        bars.barh(positions, [measure.difficulty or 0.0 for measure in lines], color=_BAR, height=0.62)
        for position, measure in enumerate(lines):
            is_known = measure.difficulty is not None
            bars.text(
                (measure.difficulty or 0.0) + 0.02,
                position,
                f"{100 * (measure.difficulty or 0):.0f} %" if is_known else "waits",
                va="center",
            )
            if measure.discrimination is None:
                dots.text(0.05, position, "none", va="center")
            else:
                dots.plot(measure.interval, [position, position], color=_GRID, linewidth=3)
                dots.plot(measure.discrimination, position, "o", color=MARK, markersize=8)
        bars.set_yticks(positions, names)
        bars.set_xlim(0, 1.18)
        bars.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        bars.set_title("mean share of the points", fontsize=11)
        dots.axvline(0, color=_INK, linewidth=0.8)
        dots.axvline(0.2, color=_GRID, linestyle="--")
        lowest = [measure.interval[0] - 0.1 for measure in lines if measure.discrimination is not None]
        dots.set_xlim(max(min([-0.1, *lowest]), -1.05), 1.05)
        dots.set_title("discrimination (95 %)", fontsize=11)
        dots.tick_params(axis="y", length=0)
        words = "; ".join(_describe_item(measure) for measure in measures)
        return _svg(figure, "difficulty", "Difficulty and discrimination of each exercise", f"{words}.")


def class_map(score_map: ScoreMap, exercises: list[str]) -> Markup:
    """Return the heat map of scores: a row per student or bin, the best on top, and a column per exercise."""
    rows, columns = score_map.shares.shape
    row_height = 0.26 if rows <= _MOST_NUMBERS else 0.2 if rows <= _MOST_LABELS else 0.035
    with matplotlib.rc_context(SETTINGS):
        titles, names = [_label(text) for text in exercises], [_label(text) for text in score_map.labels]
        named = rows <= _MOST_LABELS
        # Names are on the left and, slanted, on top, where the last one extends beyond the last column.
        title, longest = max(map(len, titles)), max(map(len, names)) if named else 6
        width = _LETTER * (longest + 0.8 * title) + 0.62 * columns
        height = _LETTER * 0.7 * title + max(0.8, row_height * rows) + 0.9
        figure = Figure(figsize=(max(WIDTH, width), height), layout="constrained")
        axes = figure.subplots()
        palette = _PALETTE.with_extremes(bad=_GRID)
        masked = np.ma.masked_invalid(score_map.shares)
        mesh = axes.pcolormesh(masked, cmap=palette, vmin=0, vmax=1, edgecolors="face", linewidth=0.2)
        if rows <= _MOST_NUMBERS:
            _print_shares(axes, score_map.shares)
        axes.invert_yaxis()
        axes.set_xticks(np.arange(columns) + 0.5, titles, rotation=40, ha="left")
        axes.xaxis.tick_top()
        _label_rows(axes, score_map, names if named else [])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(mesh, ax=axes, location="bottom", shrink=0.6, aspect=30, pad=0.15 / height)
        bar.set_ticks([0, 0.5, 1], labels=["0", "50 %", "100 % of the points"])
        bar.outline.set_visible(False)
        return _svg(figure, "map", "Students and exercises", _describe_map(score_map, exercises))


def width(plot: Markup) -> float:
    """Return the width of a plot in pixels, at its smallest."""
    return float(re.findall(r"--width: ([\d.]+)px", plot)[0])


def _label_rows(axes: Axes, score_map: ScoreMap, names: list[str]) -> None:
    """Label the rows; without names, number every tenth."""
    rows = len(score_map.labels)
    if names:
        axes.set_yticks(np.arange(rows) + 0.5, names)
    else:
        labelled_rows = sorted({0, rows - 1, *range(9, rows - 4, 10)})
        axes.set_yticks(np.array(labelled_rows) + 0.5, [str(row + 1) for row in labelled_rows])
        axes.set_ylabel("students, the best first")


def _print_shares(axes: Axes, shares: np.ndarray) -> None:
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share):
            axes.text(column + 0.5, row + 0.5, "?", ha="center", va="center", fontsize=9)
        else:
            colour = "#ffffff" if share < 0.48 else "#000000"
            axes.text(column + 0.5, row + 0.5, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=9)


def _describe_map(score_map: ScoreMap, exercises: list[str]) -> str:
    """Describe the mean share of each exercise in the best, the middle and the last third."""
    thirds = [part for part in np.array_split(score_map.shares, min(3, len(score_map.shares))) if len(part)]
    titles = {1: [""], 2: ["best half ", "other half "], 3: ["best third ", "middle third ", "last third "]}[
        len(thirds)
    ]
    descriptions = []
    for column, exercise in enumerate(exercises):
        parts = [part[:, column][~np.isnan(part[:, column])] for part in thirds]
        means = [
            f"{title}{100 * part.mean():.0f} %" if len(part) else f"{title}waits"
            for title, part in zip(titles, parts, strict=True)
        ]
        descriptions.append(f"{name(exercise)}: {', '.join(means)}")
    return f"Mean share of the points. {'; '.join(descriptions)}."


def _describe_item(measure: ItemMeasure) -> str:
    title = name(measure.exercise.label)
    if measure.difficulty is None:
        return f"{title}: {measure.why_not}"
    discrimination = measure.why_not
    if measure.discrimination is not None:
        low, high = map(number, measure.interval)
        discrimination = f"{number(measure.discrimination)} ({low} to {high})"
    return f"{title}: {100 * measure.difficulty:.0f} %, discrimination: {discrimination}"


def _label(text: str) -> str:
    return name(text, _LONGEST_LABEL)


def _bin(edges: np.ndarray, index: int, points: int) -> str:
    return f"{number(edges[index])} to {number(edges[index + 1])}: {points}"


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def _bars(axes: Axes, counts: np.ndarray, edges: np.ndarray, what: str = "students") -> None:
    axes.bar((edges[:-1] + edges[1:]) / 2, counts, 0.92 * np.diff(edges), color=_BAR)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel(what)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.grid(axis="y")


def _svg(figure: Figure, title: str, heading: str, words: str) -> Markup:
    """Return the figure as an SVG element whose ids begin with `title`."""
    stream = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.hashsalt": title}):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the browser has the glyph
        # Omit the date and the version of Matplotlib to keep the bytes reproducible.
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(stream, metadata=metadata)  # type: ignore[no-untyped-call]
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|"#|url\(#)', lambda match: f"{match[1]}{title}-", text)
    for placeholder, colour in COLOURS.items():
        text = text.replace(placeholder, colour)
    opening = text[: text.index(">") + 1]
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', opening)[0]
    description = f'<title id="{title}-title">{escape(heading)}</title><desc id="{title}-desc">{escape(words)}</desc>'
    start = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-labelledby="{title}-title {title}-desc" viewBox="0 0 {width} {height}" style="--width: {width}px">'
    )
    return Markup(start + description + text[len(opening) :])
