"""Draw networks: units and their weights, the loop, and the unrolled graph with the states that were computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from rnn_helpers.plots import COLOURS, STATES, glyph, new_axes, new_row

BOX, GAP = 1.0, 0.7  # width of a copy and of the space between two, in data units
ROUNDED = "round,pad=0,rounding_size=0.12"
ARROW = {"arrowstyle": "-|>", "linewidth": 1.3, "color": "0.25", "shrinkA": 0, "shrinkB": 0}


def unrolled(
    states: np.ndarray, *, outputs: bool | str = "last", room: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the network unrolled over its steps; each copy shows its state as a strip of colours.

    states: (steps, units), the states of one sequence
    outputs: "last" draws y above the last copy only (many-to-one), "all" above each (many-to-many), False none
    room: leave space for so many copies, so that pictures of different lengths can be compared
    """
    states = np.asarray(states)
    steps, units = states.shape
    room = max(steps, room or 0)
    ax = ax or new_axes(width=float(np.clip(1.6 + 1.05 * room, 4.5, 9.3)), height=2.6 if outputs else 2.0)
    for t in range(steps):
        left_edge = t * (BOX + GAP)
        _copy(ax, left_edge, states[t], t + 1)
        _arrow(ax, (left_edge - GAP, 0.5), (left_edge, 0.5), "$W_{hh}$")
        _arrow(ax, (left_edge + BOX / 2, -0.75), (left_edge + BOX / 2, 0), "$W_{xh}$", label_beside=True)
        ax.text(left_edge + BOX / 2, -0.95, f"$x_{{{t + 1}}}$", ha="center", va="top")
        if outputs == "all" or (outputs == "last" and t == steps - 1):
            _arrow(ax, (left_edge + BOX / 2, 1.0), (left_edge + BOX / 2, 1.7), "$W_{hy}$", label_beside=True)
            ax.text(left_edge + BOX / 2, 1.8, f"$y_{{{t + 1}}}$", ha="center", va="bottom")
    ax.text(-GAP - 0.1, 0.5, "$h_0$", ha="right", va="center")
    copies = "copy" if steps == 1 else "copies"
    ax.set_title(f"{steps} {copies} of one cell, one set of weights", loc="left")
    ax.set(xlim=(-GAP - 0.6, room * (BOX + GAP)), ylim=(-1.5, 2.4 if outputs else 1.3))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _copy(ax: Axes, left_edge: float, state: np.ndarray, t: int) -> None:
    ax.add_patch(_box(left_edge))
    ax.text(left_edge + BOX / 2, 0.72, f"$h_{{{t}}}$", ha="center", va="center")
    width = 0.84 * BOX / len(state)
    for unit, value in enumerate(state):
        colour = colormaps[STATES]((float(value) + 1) / 2)
        ax.add_patch(
            Rectangle(
                (left_edge + 0.08 * BOX + unit * width, 0.14),
                width,
                0.3,
                facecolor=colour,
                edgecolor="0.4",
                linewidth=0.4,
            )
        )


def _box(left_edge: float) -> FancyBboxPatch:
    return FancyBboxPatch((left_edge, 0), BOX, 1.0, boxstyle=ROUNDED, facecolor="0.96", edgecolor="0.25")


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], label: str, *, label_beside: bool = False
) -> None:
    ax.annotate("", xy=end, xytext=start, arrowprops=ARROW)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    if label_beside:
        ax.text(middle[0] + 0.08, middle[1], label, ha="left", va="center", fontsize=9)
    else:
        ax.text(middle[0], middle[1] + 0.12, label, ha="center", va="bottom", fontsize=9)


def looped(*, outputs: bool = True, ax: Axes | None = None) -> Axes:
    """Draw the recurrent network as one cell whose state flows back into it. outputs: whether y_t is drawn."""
    ax = ax or new_axes(width=3.4, height=2.6 if outputs else 1.8)
    ax.add_patch(_box(0.0))
    ax.text(BOX / 2, 0.5, "$h_t$", ha="center", va="center")
    _arrow(ax, (BOX / 2, -0.75), (BOX / 2, 0), "$W_{xh}$", label_beside=True)
    ax.text(BOX / 2, -0.95, "$x_t$", ha="center", va="top")
    if outputs:
        _arrow(ax, (BOX / 2, 1.0), (BOX / 2, 1.7), "$W_{hy}$", label_beside=True)
        ax.text(BOX / 2, 1.8, "$y_t$", ha="center", va="bottom")
    loop = {**ARROW, "connectionstyle": "arc,angleA=0,armA=22,rad=9,angleB=0,armB=22"}
    ax.annotate("", xy=(BOX, 0.25), xytext=(BOX, 0.75), arrowprops=loop)
    ax.text(BOX + 0.5, 0.5, "$W_{hh}$, one step later", ha="left", va="center", fontsize=9)
    ax.set(xlim=(-0.4, 3.4), ylim=(-1.5, 2.4 if outputs else 1.2))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def units(W_hh: np.ndarray, W_xh: np.ndarray | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw units as circles, with an arrow for each weight that is not zero.

    W_hh: (units, units), entry (i, j) is the arrow from unit i to unit j; W_xh: (1, units), one input, or None
    Two units stand side by side, more on a ring, clockwise from the upper left.
    """
    count = len(W_hh)
    ax = ax or new_axes(width=4.6, height=2.6)
    centres = _unit_places(count)
    for i, j in np.argwhere(np.asarray(W_hh) != 0):
        if i == j:
            _self_arrow(ax, centres[i], f"{W_hh[i, i]:g}")
        else:
            _unit_arrow(ax, centres[i], centres[j], f"{W_hh[i, j]:g}", bend=0.28 if count == 2 else 0.0)
    for number, (x, y) in enumerate(centres, start=1):
        ax.add_patch(Circle((x, y), RADIUS, facecolor="0.96", edgecolor="0.25"))
        ax.text(x, y, str(number), ha="center", va="center")
    low = -0.75
    if W_xh is not None:
        source, low = (0.0, -1.25), -1.65
        ax.text(*source, "$x_t$", ha="center", va="center")
        for centre, weight in zip(centres, np.ravel(W_xh), strict=True):
            if weight:
                _unit_arrow(ax, source, centre, f"{weight:g}", bend=0.0, label_side=1 if centre[0] < 0 else -1)
    ax.set(xlim=(-1.9, 1.9), ylim=(low if count == 2 else -1.9, 1.2 if count == 2 else 1.9))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def units_side_by_side(matrices: dict[str, np.ndarray]) -> Axes:
    """Draw several recurrent matrices next to each other as units and arrows.

    matrices: title -> (units, units)
    """
    row = new_row(width=2.3 * len(matrices), height=2.5, count=len(matrices))
    for ax, (title, matrix) in zip(row, matrices.items(), strict=True):
        units(matrix, ax=ax).set_title(title)
    return row[0]


RADIUS = 0.28  # of a unit's circle, in data units


def _unit_places(count: int) -> list[tuple[float, float]]:
    if count == 2:
        return [(-0.9, 0.0), (0.9, 0.0)]
    angles = 0.75 * np.pi - 2 * np.pi * np.arange(count) / count
    return [(1.2 * float(np.cos(angle)), 1.2 * float(np.sin(angle))) for angle in angles]


def _unit_arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], label: str, *, bend: float, label_side: int = 1
) -> None:
    """Draw an arrow between two circles, bent to its left, with its weight to its left (1) or right (-1)."""
    (x_0, y_0), (x_1, y_1) = start, end
    length = float(np.hypot(x_1 - x_0, y_1 - y_0))
    along = np.array([x_1 - x_0, y_1 - y_0]) / length
    normal = np.array([-along[1], along[0]])
    offset = RADIUS * 0.75 * normal * (bend > 0)
    tail = np.array(start) + offset + RADIUS * (0.9 if bend else 1.1) * along
    head = np.array(end) + offset - RADIUS * (0.9 if bend else 1.1) * along
    style = {**ARROW, "connectionstyle": f"arc3,rad={-bend}"}
    ax.annotate("", xy=tuple(head), xytext=tuple(tail), arrowprops=style)
    middle = (tail + head) / 2 + label_side * (bend * length / 2 + 0.17 + 0.12 * abs(normal[0])) * normal
    ax.text(float(middle[0]), float(middle[1]), label, ha="center", va="center", fontsize=9)


def _self_arrow(ax: Axes, centre: tuple[float, float], label: str) -> None:
    """Draw an arrow from a circle to itself, on the side away from the middle of the picture."""
    outwards = np.array(centre) / np.hypot(*centre)
    if abs(centre[1]) < RADIUS:
        outwards = np.array([0.0, 1.0])  # units side by side: the inputs come from below
    across = np.array([outwards[1], -outwards[0]])
    tail, head = (np.array(centre) + RADIUS * (0.85 * outwards + sign * 0.5 * across) for sign in (-1, 1))
    style = {**ARROW, "connectionstyle": "arc3,rad=-1.9"}
    ax.annotate("", xy=tuple(head), xytext=tuple(tail), arrowprops=style)
    label_position = np.array(centre) + 2.55 * RADIUS * outwards
    ax.text(float(label_position[0]), float(label_position[1]), label, ha="center", va="center", fontsize=9)


# Of each pattern: its title, the steps with an input, the steps with an output, and the number of steps.
PATTERNS = (
    ("one to one", (0,), (0,), 1),
    ("one to many", (0,), (0, 1, 2), 3),
    ("many to one", (0, 1, 2), (2,), 3),
    ("many to many", (0, 1, 2), (0, 1, 2), 3),
    ("sequence to sequence", (0, 1, 2), (3, 4), 5),
)


def patterns() -> Axes:
    """Draw five arrangements of inputs and outputs along a chain of states."""
    widths = [steps + 0.6 for *_, steps in PATTERNS]
    row = new_row(width=9.3, height=2.2, count=len(PATTERNS), shares=widths)
    for ax, (title, inputs, outputs, steps) in zip(row, PATTERNS, strict=True):
        for t in range(steps):
            _node(ax, t, 1.0, "0.82")
            if t in inputs:
                _node(ax, t, 0.0, "#F3C9A5")
                _link(ax, (t, 0.0), (t, 1.0))
            if t in outputs:
                _node(ax, t, 2.0, "#A9CBE3")
                _link(ax, (t, 1.0), (t, 2.0))
            if t:
                _link(ax, (t - 1, 1.0), (t, 1.0))
        ax.set(xlim=(-0.8, steps - 0.2), ylim=(-0.5, 2.5))
        ax.set_title(title, fontsize=9.5)
        ax.set_aspect("equal")
        ax.axis("off")
    for height, name in enumerate(("input", "state", "output")):
        row[0].text(-0.45, height, name, ha="right", va="center", fontsize=9)
    return row[0]


NODE = 0.44  # side of a node in `patterns`


def _node(ax: Axes, x: float, y: float, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.08"
    corner = (x - NODE / 2, y - NODE / 2)
    ax.add_patch(FancyBboxPatch(corner, NODE, NODE, boxstyle=style, facecolor=colour, edgecolor="0.25"))


def _link(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow from the edge of one node to the edge of the next."""
    along = np.sign(np.subtract(end, start)) * NODE / 2
    ax.annotate("", xy=tuple(np.subtract(end, along)), xytext=tuple(np.add(start, along)), arrowprops=ARROW)


def padded(xs: np.ndarray, mask: np.ndarray) -> Axes:
    """Draw a padded batch next to its mask: padded steps are grey.

    xs: (batch, steps), one feature; mask: (batch, steps)
    """
    batch, steps = xs.shape
    row = new_row(width=2.6 + 0.95 * steps, height=0.9 + 0.42 * batch, count=2, shares=(1, 1.5))
    texts = {"xs": xs.astype(str), "mask": mask.astype(str)}
    for ax, (title, entries) in zip(row, texts.items(), strict=True):
        for (sequence, step), text in np.ndenumerate(entries):
            real = mask[sequence, step]
            ax.add_patch(Rectangle((step, sequence), 1, 1, facecolor="white" if real else "0.85", edgecolor="0.4"))
            colour = "black" if real else "0.45"
            ax.text(step + 0.5, sequence + 0.5, text, ha="center", va="center", color=colour, fontsize=9)
        ax.set(xlim=(0, steps), ylim=(batch, 0), xlabel="step")
        ax.set_xticks(np.arange(steps) + 0.5, labels=np.arange(1, steps + 1))
        ax.set_yticks(np.arange(batch) + 0.5, labels=[f"sequence {number}" for number in range(1, batch + 1)])
        ax.tick_params(length=0)
        ax.set_title(title)
    row[1].set_yticks([])
    return row[0]


def buckets(xs: Sequence[float], decay: float) -> Axes:
    """Draw a leaky bucket after each step: what flows in from the tap, the level, and what leaks before the next step.

    xs: (steps,), what flows in; decay: the share of the water that stays from one step to the next
    """
    ax = new_axes(width=1.9 * len(xs), height=2.9)
    h, full = 0.0, 2.6  # full: the level, in drops, at which a bucket would be full
    for t, x_t in enumerate(xs, start=1):
        remaining = decay * h
        h = remaining + x_t
        _bucket(ax, 2.0 * t, remaining / full, h / full)
        _tap(ax, 2.0 * t, x_t)
        height = 0.5 * h / full if h / full > 0.3 else h / full + 0.13  # above the water where it is shallow
        ax.text(2.0 * t, height, f"$h_{t}$ = {h:g}", ha="center", va="center")
        ax.text(2.0 * t, -0.62, f"step {t}", ha="center", va="center")
        if t < len(xs):
            _leak(ax, 2.0 * t, (1 - decay) * h)
    ax.set_title("Dark: water that stayed; light: water that has just arrived", loc="left")
    ax.set(xlim=(1.0, 2.0 * len(xs) + 1.2), ylim=(-0.8, 2.05))
    ax.axis("off")
    return ax


def _bucket(ax: Axes, centre: float, remaining: float, level: float) -> None:
    """Draw one bucket; the water that stayed is darker than the water that has just arrived."""
    ax.add_patch(Rectangle((centre - 0.5, 0), 1.0, remaining, facecolor=COLOURS[3], linewidth=0))
    ax.add_patch(Rectangle((centre - 0.5, remaining), 1.0, level - remaining, facecolor="#C6DBEF", linewidth=0))
    ax.plot([centre - 0.5, centre - 0.5, centre + 0.38], [1.1, 0, 0], color="0.25", linewidth=2)
    ax.plot([centre + 0.5, centre + 0.5], [0, 1.1], color="0.25", linewidth=2)  # the hole is at the right


def _tap(ax: Axes, centre: float, x_t: float) -> None:
    ax.add_patch(Rectangle((centre - 0.3, 1.62), 0.36, 0.11, facecolor="0.4", linewidth=0))
    ax.add_patch(Rectangle((centre - 0.05, 1.5), 0.11, 0.23, facecolor="0.4", linewidth=0))
    ax.text(centre, 1.88, f"in: {x_t:g}", ha="center", va="center", color=COLOURS[0])
    if x_t:
        ax.annotate("", xy=(centre, 1.12), xytext=(centre, 1.5), arrowprops={**ARROW, "color": COLOURS[0]})


def _leak(ax: Axes, centre: float, lost: float) -> None:
    ax.annotate("", xy=(centre + 0.62, -0.34), xytext=(centre + 0.44, 0.0), arrowprops={**ARROW, "color": COLOURS[1]})
    ax.text(centre + 0.68, -0.3, f"out: {lost:g}", ha="left", va="center", color=COLOURS[1], fontsize=9)


def weights_in_equation(weights: Sequence[np.ndarray], names: Sequence[str]) -> Axes:
    """Draw h_t = tanh(x_t W_xh + h_{t-1} W_hh + b_h) as an equation of heat maps.

    weights: (features, units), (units, units) and (units,); names: what the library calls each of them
    """
    W_xh, W_hh, b_h = (np.atleast_2d(array) for array in weights)
    largest = max(float(np.abs(array).max()) for array in (W_xh, W_hh, b_h))
    units, unit = W_hh.shape[1], 0.3  # inches per number
    ax = new_axes(width=4.6 + 3 * unit * units, height=1.3 + unit * max(len(W_xh), units))
    right_edge = 0.0
    before = {"$h_t = \\tanh(\\; x_t$": 4.6, "$+\\;\\; h_{t-1}$": 3.2, "$+$": 1.3}  # text -> its width
    for array, name, (text, room) in zip((W_xh, W_hh, b_h), names, before.items(), strict=True):
        left_edge = right_edge + room
        ax.text(left_edge - 0.25, 0, text, ha="right", va="center", fontsize=15)
        rows, columns = array.shape
        extent = (left_edge, left_edge + columns, -rows / 2, rows / 2)
        image = ax.imshow(array, cmap=STATES, vmin=-largest, vmax=largest, extent=extent)
        ax.add_patch(Rectangle((left_edge, -rows / 2), columns, rows, fill=False, edgecolor="0.3"))
        shape = f"({rows}, {columns})" if name != names[-1] else f"({columns},)"
        ax.text(left_edge + columns / 2, -rows / 2 - 0.3, f"{name}\n{shape}", ha="center", va="top", fontsize=9)
        right_edge = left_edge + columns
    ax.text(right_edge + 0.25, 0, "$)$", ha="left", va="center", fontsize=15)
    ax.figure.colorbar(image, ax=ax, label="weight", fraction=0.02, pad=0.01)
    high = max(len(W_xh), units) / 2
    ax.set(xlim=(0, right_edge + 0.8), ylim=(-high - 1.6, high + 0.3))
    ax.axis("off")
    return ax


def layers_with_shapes(model: Any) -> Axes:
    """Draw a Keras model, a stack of layers, as boxes in a row with the shapes of what passes between them."""
    width, gap = 2.3, 1.9
    ax = new_axes(width=9.3, height=1.5)
    for number, layer in enumerate(model.layers):
        left_edge = number * (width + gap)
        _shape_arrow(ax, left_edge - gap, left_edge, layer.input.shape)
        box = FancyBboxPatch((left_edge, 0), width, 1, boxstyle=ROUNDED, facecolor="0.96", edgecolor="0.25")
        ax.add_patch(box)
        activation = layer.get_config().get("activation", "")
        text = f"{type(layer).__name__}({layer.units})\n{activation}, {layer.count_params():,} parameters"
        ax.text(left_edge + width / 2, 0.5, text, ha="center", va="center", fontsize=9)
    end = len(model.layers) * (width + gap) - gap
    _shape_arrow(ax, end, end + gap, model.output_shape)
    ax.set(xlim=(-gap - 0.1, end + gap + 0.1), ylim=(-0.3, 1.3))
    ax.axis("off")
    return ax


def _shape_arrow(ax: Axes, start: float, end: float, shape: tuple) -> None:
    ax.annotate("", xy=(end - 0.08, 0.5), xytext=(start + 0.08, 0.5), arrowprops=ARROW)
    sizes = ", ".join("batch" if size is None else str(size) for size in shape)
    ax.text((start + end) / 2, 0.62, f"({sizes})", ha="center", va="bottom", fontsize=9)


def reading_plan(
    xs: Sequence[Sequence[str]], *, targets: Sequence[Sequence[str]] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how a text is split into batches: a row of characters per sequence, shaded by segment.

    xs: for each segment, one string for each row: xs[segment][row]; targets: the same for the next characters, which
        are drawn below their inputs
    """
    segments, batch, steps = len(xs), len(xs[0]), len(xs[0][0])
    room = 1.0 if targets is None else 1.8  # the height of a row
    ax = ax or new_axes(width=1.4 + 0.17 * segments * steps, height=1.0 + 0.34 * batch * room)
    for segment in range(segments):
        left_edge = segment * steps
        colour = "#E8EEF4" if segment % 2 == 0 else "#FBE3CF"
        ax.text(left_edge + steps / 2, -0.25, f"segment {segment}", ha="center", va="bottom", fontsize=9)
        for row in range(batch):
            ax.add_patch(Rectangle((left_edge, row * room), steps, 1, facecolor=colour, edgecolor="0.6"))
            _characters(ax, xs[segment][row], left_edge, row * room + 0.5, "black")
            if targets is not None:
                _characters(ax, targets[segment][row], left_edge, row * room + 1.35, COLOURS[1])
    for row in range(batch):
        ax.text(-0.4, row * room + 0.5, f"row {row}", ha="right", va="center", fontsize=9)
        if targets is not None:
            ax.text(-0.4, row * room + 1.35, "targets", ha="right", va="center", fontsize=9, color=COLOURS[1])
    ax.set(xlim=(-5, segments * steps + 0.2), ylim=(batch * room + 0.1, -1.1))
    ax.axis("off")
    return ax


def _characters(ax: Axes, text: str, left_edge: float, height: float, colour: str) -> None:
    """Draw a text with one character in each cell."""
    for step, char in enumerate(text):
        centre = left_edge + step + 0.5, height
        ax.text(*centre, glyph(char), ha="center", va="center", family="monospace", fontsize=9, color=colour)
