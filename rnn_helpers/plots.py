"""The course's figures: one style, readable with colour blindness, and text alternatives for screen readers.

Each helper draws on an `ax` (its own when none is given) and returns it; `show(ax, alt)` puts the figure into the
notebook with its alternative text.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.layout_engine import ConstrainedLayoutEngine

from rnn_helpers import cards

STYLE = "tableau-colorblind10"
STATES = "PuOr"  # diverging, the same for every kind of colour vision; white is a state of zero
COLOURS = ("#006BA4", "#C85200", "#595959", "#5F9ED1")  # of that style, the four dark enough for text
LINES = ("-", "--", ":", "-.")
PATHS = (COLOURS[0], COLOURS[1], "black")  # on grey
GRADIENT = "#D1368B"  # of gradients, in figures and in formulas, and of nothing else
LABEL_GAP = 0.09  # of the height of the axes, between two names
DPI = 100  # CSS pixels per inch
DENSITY = 2  # image pixels per CSS pixel, for sharp figures on high-density screens
PADDING = 0.08  # inches around a figure


def new_axes(width: float = 7.0, height: float = 2.8) -> Axes:
    """Return the axes of a new figure in the course's style; width and height in inches."""
    (ax,) = new_column(width, height, (1.0,))
    return ax


def new_column(width: float, height: float, shares: Sequence[float]) -> list[Axes]:
    """Return stacked axes of a new figure with the given height ratios."""
    return new_grid(width, height, len(shares), 1, height_ratios=shares)


def new_row(width: float, height: float, count: int, shares: Sequence[float] | None = None) -> list[Axes]:
    """Return axes side by side in a new figure. shares: their width ratios."""
    return new_grid(width, height, 1, count, width_ratios=shares)


def new_grid(
    width: float,
    height: float,
    rows: int,
    columns: int,
    *,
    height_ratios: Sequence[float] | None = None,
    width_ratios: Sequence[float] | None = None,
) -> list[Axes]:
    """Return the axes of a new figure, row by row, in the course's style."""
    size = (width, height)
    with plt.style.context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)
        _, grid = plt.subplots(
            rows,
            columns,
            figsize=size,
            layout=layout,
            squeeze=False,
            height_ratios=height_ratios,
            width_ratios=width_ratios,
        )
    axes: list[Axes] = grid.ravel().tolist()
    _apply_style(axes)
    return axes


def new_mosaic(width: float, height: float, layout: str) -> dict[str, Axes]:
    """Return the axes of a new figure by name. layout: a letter for each cell, rows separated by ";", as in "ab;cc"."""
    with plt.style.context(STYLE):
        engine = ConstrainedLayoutEngine(w_pad=PADDING, h_pad=PADDING)
        _, axes = plt.subplot_mosaic(layout, figsize=(width, height), layout=engine)
    _apply_style(axes.values())
    return axes


def _apply_style(axes: Iterable[Axes]) -> None:
    """Give axes the course's colours and only two spines."""
    for ax in axes:
        ax.set_prop_cycle(color=COLOURS)
        ax.spines[["top", "right"]].set_visible(False)


def curves(
    x: Sequence | np.ndarray,
    ys: dict[str, np.ndarray],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    colours: Sequence[str] = COLOURS,
    ax: Axes | None = None,
) -> Axes:
    """Draw lines, each labelled at its right end. x: (points,); ys: name -> (points,); ylim: (bottom, top).

    A single line needs no name; "" draws it without a label. log: whether the vertical axis is logarithmic
    colours: of the lines, in order, where a name must keep its colour from figure to figure
    """
    ax = ax or new_axes()
    for number, (name, y) in enumerate(ys.items()):
        style, colour = LINES[number % len(LINES)], colours[number % len(colours)]
        ax.plot(x, y, style, color=colour, linewidth=1.6, label=name or "_nameless")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if log:
        ax.set_yscale("log")
    if ylim is not None:
        ax.set_ylim(*ylim)
    _name_lines(ax)
    return ax


def heat_map(
    states: np.ndarray,
    *,
    title: str,
    step: int | None = None,
    labels: Sequence[str] | None = None,
    colour_bar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a heat map of one sequence's states: a column per step, a row per unit, colours from -1 to 1.

    states: (steps, units); step: counted from 1, framed; labels: one for each step, such as the letters read
    Raises ValueError when `states` has a batch axis.
    """
    states = np.asarray(states)
    if states.ndim != 2:
        raise ValueError(f"states has shape {states.shape}; expected (steps, units). Take one sequence: hs[0].")
    steps, units = states.shape
    ax = ax or new_axes(height=1.2 + 0.28 * min(units, 12))
    image = ax.imshow(
        states.T, cmap=STATES, vmin=-1, vmax=1, aspect="auto", extent=(0.5, steps + 0.5, units + 0.5, 0.5)
    )
    if colour_bar:
        ax.figure.colorbar(image, ax=ax, label="state", fraction=0.04, pad=0.02, ticks=[-1, 0, 1])
    if step is not None:
        ax.add_patch(plt.Rectangle((step - 0.5, 0.5), 1, units, fill=False, linewidth=2.5 if steps <= 30 else 1.2))
    ax.set(title=title, xlabel="step t", ylabel="unit")
    if labels is None:
        ax.set_xticks(_whole_ticks(steps))
    else:
        ax.set_xticks(np.arange(1, steps + 1), labels=list(labels))
    ax.set_yticks(_whole_ticks(units))
    return ax


def heat_maps(states: dict[str, np.ndarray], *, step: int | None = None) -> Axes:
    """Draw several heat maps of equal size one above the other, with one colour bar.

    states: title -> (steps, units); step: counted from 1, framed in each
    """
    shapes = {title: np.shape(values) for title, values in states.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"the states have the shapes {shapes}; expected one shape (steps, units) for all.")
    (steps, units), *_ = shapes.values()
    column = new_column(7.0, (0.9 + 0.28 * min(units, 12)) * len(states), (1.0,) * len(states))
    for ax, (title, values) in zip(column, states.items(), strict=True):
        heat_map(values, title=title, step=step, ax=ax, colour_bar=False)
        ax.set_xlabel("step t" if ax is column[-1] else "")
    column[0].figure.colorbar(column[0].images[0], ax=column, label="state", fraction=0.04, pad=0.02, ticks=[-1, 0, 1])
    return column[0]


def describe_states(states: np.ndarray, active: float = 0.3) -> str:
    """Return a text alternative for a heat map of states (steps, units): which units are active at which steps.

    Computed from the states, it does not give away the figure to someone who reads the code first.
    """
    parts = []
    for unit, column in enumerate(active < np.abs(np.asarray(states)).T, start=1):
        steps = [str(step) for step in np.flatnonzero(column) + 1]
        when = f"at step{'s' if len(steps) > 1 else ''} {', '.join(steps)}" if steps else "at no step"
        parts.append(f"unit {unit} is active {when}")
    return f"Heat map of the states, a column for each step: {'; '.join(parts)}."


def show(ax: Axes, alt: str) -> None:
    """Show the figure of `ax` in the notebook with the alternative text `alt`, and close it."""
    cards.show(picture(ax, alt))


def picture(ax: Axes, alt: str) -> Picture:
    """Render and close the figure of `ax`."""
    buffer = io.BytesIO()
    figure = ax.figure.canvas.figure  # the whole figure, with any release of Matplotlib
    figure.savefig(buffer, format="png", dpi=DENSITY * DPI)
    plt.close(figure)
    return Picture(buffer.getvalue(), alt)


class Picture:
    """A rendered figure: an HTML image with alternative text, or the text alone outside HTML."""

    def __init__(self, png: bytes, alt: str):
        self.png, self.alt = png, alt

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        width = int.from_bytes(self.png[16:20], "big") // DENSITY  # the PNG header states the width in image pixels
        return (
            f'<img width="{width}" style="max-width:100%;height:auto" '
            f'alt="{html.escape(self.alt, quote=True)}" src="data:image/png;base64,{data}">'
        )

    def __repr__(self) -> str:
        return f"[picture] {self.alt}"


def _name_lines(ax: Axes) -> None:
    """Label each line at its right end, moving close labels apart; heights are shares of the axes."""
    named = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    low, high = ax.get_ylim()
    logarithmic = ax.get_yscale() == "log"
    scale = np.log if logarithmic else float
    ends = []
    for line in named:
        y = min(max(float(np.asarray(line.get_ydata())[-1]), low), high)
        ends.append(((scale(y) - scale(low)) / (scale(high) - scale(low)), line))
    height = -np.inf
    for share, line in sorted(ends, key=lambda end: end[0]):
        x = float(np.asarray(line.get_xdata())[-1])
        height = max(share, height + LABEL_GAP)
        where = scale(low) + height * (scale(high) - scale(low))
        anchor = (x, float(np.exp(where)) if logarithmic else where)
        ax.annotate(f" {line.get_label()}", anchor, color=line.get_color(), va="center", annotation_clip=False)


def _whole_ticks(count: int) -> np.ndarray:
    if count <= 12:
        return np.arange(1, count + 1)
    stride = next(stride for stride in (2, 5, 10, 20, 50, 100, 10**9) if count / stride <= 12)
    return np.array([1, *range(stride, count + 1, stride)])


def glyph(char: str) -> str:
    """Return what is drawn for a character: itself, or a sign for a space or a line break."""
    return {" ": "␣", "\n": "¶"}.get(char, char)


def text_strip(
    text: str,
    values: np.ndarray,
    *,
    title: str,
    label: str,
    width: int = 60,
    signed: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw a text with each character on a square coloured by its value.

    values: (characters,), from 0 up; label: what they are, with their unit; width: characters in a line
    signed: the values are states, between -1 and 1
    """
    width = min(width, len(text))
    lines = -(-len(text) // width)
    ax = ax or new_axes(width=1.5 + 0.16 * width, height=0.9 + 0.42 * lines)
    grid = np.full((lines, width), np.nan)
    grid.flat[: len(text)] = values
    if signed:
        image = ax.imshow(grid, cmap=STATES, vmin=-1, vmax=1, aspect="auto")
    else:
        image = ax.imshow(grid, cmap="Blues", vmin=0, aspect="auto")
    dark = 0.7 if signed else 0.55 * np.nanmax(grid)
    for index, char in enumerate(text):
        row, column = divmod(index, width)
        colour = "white" if abs(values[index]) > dark else "black"
        ax.text(column, row, glyph(char), ha="center", va="center", color=colour, family="monospace")
    ax.figure.colorbar(image, ax=ax, label=label, fraction=0.03, pad=0.01)
    ax.set_title(title)
    ax.axis("off")
    return ax


def grid_map(
    values: np.ndarray,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    label: str,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix as a heat map, with rows and columns counted from 0; NaN stays blank.

    values: (rows, columns); label: what the colour is, with its unit; log: whether the colours are logarithmic
    """
    ax = ax or new_axes(width=6.0, height=4.4)
    image = ax.imshow(values, cmap="cividis", aspect="auto", interpolation="nearest", norm="log" if log else "linear")
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.locator_params(integer=True)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return ax


def gradient_progress(ax: Axes, size: np.ndarray) -> None:
    """Draw the gradient by lag at several moments of a training. size: (moments, steps), the log10 of its norm."""
    image = ax.imshow(size, cmap="cividis", aspect="auto", interpolation="nearest", vmin=-14, vmax=2)
    bar = ax.figure.colorbar(image, ax=ax, ticks=[-12, -8, -4, 0])
    bar.ax.set_yticklabels(["$10^{-12}$", "$10^{-8}$", "$10^{-4}$", "1"], fontsize=8)
    bar.set_label("|∂L/∂h|", fontsize=8)
    ax.set_yticks([0, len(size) - 1], ["before", "end"], fontsize=8)
    ax.set_xticks(range(size.shape[1]))
    ax.tick_params(axis="x", labelsize=8)
    ax.set_title("by_lag", family="monospace", fontsize=9)
    ax.set_xlabel("steps back from the end", fontsize=8)
    ax.set_ylabel("training progress", fontsize=8)


def ellipses(matrices: dict[str, np.ndarray]) -> Axes:
    """Draw the unit circle and its image under each matrix, three in a row. matrices: title -> (2, 2)."""
    largest = max(1.0, *(float(np.linalg.norm(matrix, 2)) for matrix in matrices.values()))
    rows = -(-len(matrices) // 3)
    axes = new_grid(8.0, 2.6 * rows, rows, 3)
    for ax, (title, matrix) in zip(axes, matrices.items(), strict=True):
        image_of_circle(ax, matrix)
        ax.set(title=title, xlim=(-1.1 * largest, 1.1 * largest), ylim=(-1.1 * largest, 1.1 * largest))
    return axes[0]


def circle(radius: float = 1.0) -> np.ndarray:
    """Return points on a circle, (2, points)."""
    angles = np.linspace(0, 2 * np.pi, 200)
    return radius * np.stack([np.cos(angles), np.sin(angles)])


def image_of_circle(ax: Axes, matrix: np.ndarray) -> None:
    """Draw the unit circle in grey, its image under a matrix (2, 2), and the longest half-axis of the image."""
    image = matrix @ circle()
    longest = image[:, np.argmax(np.linalg.norm(image, axis=0))]
    ax.plot(*circle(), color="0.6", linewidth=1)
    ax.plot(*image, color=COLOURS[0], linewidth=2)
    ax.plot([0, longest[0]], [0, longest[1]], color=COLOURS[1], linewidth=2)
    ax.set_aspect("equal")


def eigenvalues(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> Axes:
    """Draw the eigenvalues of matrices before (hollow) and after (filled) in the complex plane, with the unit circle.

    pairs: title -> (matrix before, matrix after)
    """
    row = new_row(width=9.3, height=3.3, count=len(pairs))
    spectra = {title: [np.linalg.eigvals(matrix) for matrix in pair] for title, pair in pairs.items()}
    room = 1.1 * max(1.0, *(float(np.abs(values).max()) for pair in spectra.values() for values in pair))
    for ax, (title, (before, after)) in zip(row, spectra.items(), strict=True):
        ax.plot(*circle(), color="0.7", linewidth=1)
        ax.plot(before.real, before.imag, "o", color=COLOURS[1], fillstyle="none", markersize=5, label="before")
        ax.plot(after.real, after.imag, ".", color=COLOURS[0], markersize=6, label="after")
        ax.set(title=title, xlim=(-room, room), ylim=(-room, room), xlabel="real part")
        ax.set_aspect("equal")
    row[0].set_ylabel("imaginary part")
    row[0].legend(loc="lower left", fontsize=8)
    return row[0]


def histograms(values: dict[str, np.ndarray], *, xlabel: str, bins: np.ndarray) -> Axes:
    """Draw histograms side by side with equal axes. values: title -> any shape; bins: their edges."""
    row = new_row(width=8.0, height=2.4, count=len(values))
    shares = [np.histogram(part, bins)[0] / np.size(part) for part in values.values()]
    for ax, title, share in zip(row, values, shares, strict=True):
        ax.bar(bins[:-1], share, width=np.diff(bins), align="edge", color=COLOURS[0], edgecolor="white")
        ax.set(title=title, xlabel=xlabel, ylim=(0, 1.1 * max(map(np.max, shares))))
    row[0].set_ylabel("share of units")
    return row[0]


def descent_paths(
    x: np.ndarray,
    y: np.ndarray,
    loss: np.ndarray,
    paths: dict[str, np.ndarray],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
) -> Axes:
    """Draw the paths of optimisers over a loss of two parameters; dark is a large loss, a circle marks the start.

    x: (columns,); y: (rows,); loss: (rows, columns), positive; paths: name -> (steps, 2); where a path leaves the
    figure, its line does too
    """
    ax = new_axes(width=7.5, height=3.6)
    light = colormaps["Greys"](np.linspace(0, 0.55, 256))
    least = float(loss.max()) * 1e-5
    scale = LogNorm(least, float(loss.max()))
    image = ax.pcolormesh(x, y, np.maximum(loss, least), cmap=ListedColormap(light), norm=scale, shading="gouraud")
    ax.figure.colorbar(image, ax=ax, label="loss", fraction=0.04, pad=0.02)
    for number, (name, path) in enumerate(paths.items()):
        colour = PATHS[number % len(PATHS)]
        ax.plot(
            path[:, 0], path[:, 1], LINES[number], color=colour, linewidth=1.6, marker=".", markersize=4, label=name
        )
    ax.plot(*next(iter(paths.values()))[0], "o", color="black", fillstyle="none", markersize=8)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend(loc="upper right", framealpha=0.95)
    return ax


def levels(ax: Axes, values: dict[str, float], right: float) -> None:
    """Draw named horizontal lines up to `right`, with the names above them, the lowest below."""
    for name, value in values.items():
        ax.plot([0, right], [value, value], color="0.6", linewidth=1, linestyle=":", label="_nameless")
        side = "top" if value == min(values.values()) else "bottom"
        ax.text(0.25 * right, value, name, color="0.35", fontsize=8, ha="left", va=side)


def gradient_maps(sizes: dict[str, np.ndarray]) -> Axes:
    """Draw the size of the gradient for each loss step (row) and lag (column), one map beside the other.

    sizes: title -> (steps, steps), nan where a lag reaches back beyond the first step
    """
    row = new_row(width=9.3, height=3.6, count=len(sizes))
    every = np.concatenate([values[np.isfinite(values)] for values in sizes.values()])
    scale = LogNorm(every.min(), every.max())
    for ax, (title, values) in zip(row, sizes.items(), strict=True):
        steps = len(values)
        extent = (-0.5, steps - 0.5, steps + 0.5, 0.5)
        image = ax.imshow(values, aspect="auto", cmap="RdPu", norm=scale, extent=extent)
        ax.set(title=title, xlabel="lag, steps between loss and copy")
        ax.set_xticks(np.arange(0, steps, 5))
        ax.set_yticks(_whole_ticks(steps))
    row[0].set_ylabel("loss step t")
    row[0].figure.colorbar(image, ax=row, label="size of the part of dW_hh", fraction=0.04, pad=0.02)
    return row[0]


def contour_map(
    x: np.ndarray,
    y: np.ndarray,
    values: np.ndarray,
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    label: str,
    limit: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw values over a plane as colours, with a black contour at zero.

    x: (columns,); y: (rows,); values: (rows, columns); label: what the colour is, with its unit
    limit: the largest absolute value that the colours tell apart; the largest of all unless given
    """
    ax = ax or new_axes(width=6.5, height=4.0)
    largest = limit or float(np.max(np.abs(values)))
    image = ax.pcolormesh(x, y, values, cmap=STATES, vmin=-largest, vmax=largest, shading="gouraud")
    ax.contour(x, y, values, levels=[0.0], colors="black", linewidths=2)
    ax.figure.colorbar(image, ax=ax, label=label, extend="both" if limit else "neither")
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return ax


def spectrogram(
    frames: np.ndarray, rows: dict[str, Sequence[str]], *, title: str, hop_s: float, ax: Axes | None = None
) -> Axes:
    """Draw a spectrogram, and above it a line of words for each of `rows`.

    frames: (steps, bands); rows: name -> what is said in each frame, "" for nothing; hop_s: seconds a frame
    """
    steps, bands = frames.shape
    ax = ax or new_axes(width=9.0, height=2.6 + 0.3 * len(rows))
    ax.imshow(frames.T, origin="lower", aspect="auto", cmap="cividis", extent=(0, steps * hop_s, 0, bands))
    height = 0.13 * bands
    for number, (name, words) in enumerate(rows.items()):
        bottom = bands + 0.4 + number * height
        ax.text(-0.01 * steps * hop_s, bottom + height / 2, name, ha="right", va="center", fontsize=9)
        for first, end, word in _runs(words):
            if word:
                ax.add_patch(plt.Rectangle((first * hop_s, bottom), (end - first) * hop_s, 0.85 * height, fill=False))
            if word and _has_room(words, first, end):
                ax.text((first + end) / 2 * hop_s, bottom + 0.42 * height, word, ha="center", va="center", fontsize=9)
    ax.set_ylim(0, bands + 0.4 + len(rows) * height)
    ax.set_yticks([0, bands], ["low", "high"])
    ax.set(title=title, xlabel="seconds")
    return ax


def _runs(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (first, end, word) for each run of equal words."""
    starts = [index for index, word in enumerate(words) if index == 0 or words[index - 1] != word]
    return [(first, end, words[first]) for first, end in zip(starts, [*starts[1:], len(words)], strict=True)]


def _has_room(words: Sequence[str], first: int, end: int) -> bool:
    """Return whether a word fits into its box, or may overlap the edges because the neighbours are empty."""
    neighbours = [*words[max(0, first - 3) : first], *words[end : end + 3]]
    return end - first > len(words) / 25 or not any(neighbours)
