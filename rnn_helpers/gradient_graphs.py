"""Draw computational graphs of lesson 04: values forwards in black, gradients backwards in orange."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from rnn_helpers.plots import GRADIENT, new_axes, new_row

FORWARD = {"arrowstyle": "-|>", "linewidth": 1.3, "color": "0.25", "shrinkA": 0, "shrinkB": 0}
BACKWARD = {"arrowstyle": "-|>", "linewidth": 2.0, "color": GRADIENT, "shrinkA": 0, "shrinkB": 0}
SIDE = 0.8  # of a node, in data units
Point = tuple[float, float]


def scalar_chain(
    xs: Sequence[float],
    hs: Sequence[float],
    errors: Sequence[float] = (),
    *,
    u: float,
    target: float,
) -> Axes:
    """Draw a scalar network over its steps with all values, and the backward pass as far as there are errors.

    xs: inputs; hs: states after each step; errors: dL/da of the last steps, in order; u: the recurrent weight
    Under the graph the sums for dw, du and db grow with each step back.
    """
    steps, steps_back = len(xs), len(errors)
    errors = [0.0] * (steps - steps_back) + list(errors)
    ax = new_axes(width=9.3, height=3.6)
    before = [0.0, *hs]
    h_places = [3.6 * t for t in range(steps + 1)]
    a_places = [3.6 * t + 1.8 for t in range(steps)]
    end = h_places[-1] + 1.75

    _node(ax, (0, 0), "$h_0$", 0.0)
    for t in range(steps):
        a = float(np.arctanh(np.clip(hs[t], -1 + 1e-12, 1 - 1e-12)))
        _node(ax, (a_places[t], 0), f"$a_{t + 1}$", a)
        _node(ax, (h_places[t + 1], 0), f"$h_{t + 1}$", hs[t])
        _forward(ax, (h_places[t], 0), (a_places[t], 0), "$u$")
        _forward(ax, (a_places[t], 0), (h_places[t + 1], 0), "tanh")
        for shift, source, weight in ((-0.2, f"$x_{t + 1}$ = {_number(xs[t])}", "$w$"), (0.2, "1", "$b$")):
            x_position = a_places[t] + shift
            ax.annotate("", xy=(x_position, -SIDE / 2), xytext=(x_position, -1.35), arrowprops=FORWARD)
            side = "right" if shift < 0 else "left"
            ax.text(x_position + 0.4 * shift, -1.1, weight, ha=side, va="center", fontsize=9)
            ax.text(x_position, -1.6, source, ha=side, va="center", fontsize=9)
    _node(ax, (end, 0), "$L$", 0.5 * (hs[-1] - target) ** 2)
    _forward(ax, (h_places[-1], 0), (end, 0), "")

    if steps_back:
        _backward(ax, (end, 0), (h_places[-1], 0), f"{_number(hs[-1] - target)}")
    for t in range(steps - 1, steps - 1 - steps_back, -1):
        _backward(ax, (h_places[t + 1], 0), (a_places[t], 0), f"×{_number(1 - hs[t] ** 2)}")
        ax.text(
            a_places[t],
            0.75,
            f"$e_{t + 1}$ = {_number(errors[t])}",
            ha="center",
            color=GRADIENT,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
        if t > steps - steps_back:
            _backward(ax, (a_places[t], 0), (h_places[t], 0), f"×{_number(u)}")
    _sums(ax, xs, before, errors, steps_back)
    ax.set(xlim=(-0.7, end + 0.7), ylim=(-3.7, 1.3))
    ax.axis("off")
    return ax


def _sums(ax: Axes, xs: Sequence[float], before: Sequence[float], errors: Sequence[float], steps_back: int) -> None:
    """Write the sums for dw, du and db over the steps that have been taken back; the terms are shown for dw only."""
    steps = range(len(xs) - 1, len(xs) - 1 - steps_back, -1)
    sums = {
        "dw": sum(errors[t] * xs[t] for t in steps),
        "du": sum(errors[t] * before[t] for t in steps),
        "db": sum(errors[t] for t in steps),
    }
    terms = " + ".join(f"$e_{t + 1}\\,x_{t + 1}$" for t in steps) + " = "
    for row, (name, value) in enumerate(sums.items()):
        text = f"{name} = {terms if name == 'dw' else ''}{_number(value)}" if steps_back else f"{name} = ?"
        ax.text(-0.4, -2.4 - 0.5 * row, text, ha="left", va="center", color=GRADIENT)


def two_errors() -> Axes:
    """Draw three copies with a loss above each: the gradient of h_2 arrives from its own loss and from step 3."""
    ax = new_axes(width=7.5, height=3.0)
    for t in (1, 2, 3):
        x = 2.6 * t
        _node(ax, (x, 0), f"$h_{t}$")
        _node(ax, (x, 1.7), f"$L_{t}$")
        _link(ax, (x - 0.12, 0), (x - 0.12, 1.7), FORWARD)
        _link(ax, (x + 0.12, 1.7), (x + 0.12, 0), BACKWARD)
        if t > 1:
            _link(ax, (x - 2.6, 0.12), (x, 0.12), FORWARD)
            _link(ax, (x, -0.12), (x - 2.6, -0.12), BACKWARD)
    ax.text(5.45, 0.9, "$dh_2^{out}$", ha="left", va="center", color=GRADIENT)
    ax.text(6.5, -0.4, "$da_3\\, W_{hh}^{\\top}$", ha="center", va="center", color=GRADIENT)
    ax.set(xlim=(1.9, 8.5), ylim=(-0.8, 2.3))
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def mask_bypass() -> Axes:
    """Draw a real step and a masked one: where the mask is False, the gradient takes the wire past the cell."""
    row = new_row(width=8.5, height=2.7, count=2)
    for ax, real in zip(row, (True, False), strict=True):
        _node(ax, (0, 0), "$h_{t-1}$")
        _node(ax, (2.0, 0), "cell", faint=not real)
        _node(ax, (4.2, 0), "$h_t$")
        faint = {**FORWARD, "color": "0.8"}
        on, off = (FORWARD, faint) if real else (faint, FORWARD)
        _link(ax, (0, 0.12), (2.0, 0.12), on)
        _link(ax, (2.0, 0.12), (4.2, 0.12), on)
        _wire(ax, off, 1.0)
        if real:
            _link(ax, (4.2, -0.12), (2.0, -0.12), BACKWARD)
            _link(ax, (2.0, -0.12), (0, -0.12), BACKWARD)
            ax.text(2.0, -0.75, "$da_t\\, W_{hh}^{\\top}$", ha="center", va="center", color=GRADIENT)
        else:
            _wire(ax, BACKWARD, 1.3, back=True)
            ax.text(2.1, 1.55, "$dh_t$, unchanged", ha="center", va="bottom", color=GRADIENT)
        ax.set_title("the mask is True" if real else "the mask is False")
        ax.set(xlim=(-0.7, 4.9), ylim=(-1.1, 2.1))
        ax.set_aspect("equal")
        ax.axis("off")
    return row[0]


def layer(h: Sequence[float], W: np.ndarray, da: Sequence[float]) -> Axes:
    """Draw a product a = h W with two units on either side, its values, and the gradients of a and of h.

    h: (2,); W: (2, 2); da: (2,), the gradient with respect to a
    """
    a, dh = np.asarray(h) @ W, W @ np.asarray(da)
    ax = new_axes(width=6.5, height=3.2)
    lefts, rights = [(0.0, 1.5), (0.0, -1.5)], [(5.0, 1.5), (5.0, -1.5)]
    for i, start in enumerate(lefts):
        for j, end in enumerate(rights):
            _link(ax, start, end, FORWARD)
            along = 0.27
            x, y = np.add(start, along * np.subtract(end, start))
            ax.text(
                x,
                y,
                f"{W[i, j]:g}",
                ha="center",
                va="center",
                fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
            )
    for i, centre in enumerate(lefts):
        _node(ax, centre, f"$h_{i + 1}$", h[i])
        ax.text(-0.65, centre[1], f"$dh_{i + 1}$ = {_number(dh[i])}", ha="right", va="center", color=GRADIENT)
    for j, centre in enumerate(rights):
        _node(ax, centre, f"$a_{j + 1}$", a[j])
        ax.text(5.65, centre[1], f"$da_{j + 1}$ = {_number(da[j])}", ha="left", va="center", color=GRADIENT)
    ax.set(xlim=(-2.6, 7.6), ylim=(-2.1, 2.1))
    ax.axis("off")
    return ax


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _node(ax: Axes, centre: Point, name: str, value: float | None = None, *, faint: bool = False) -> None:
    style = "round,pad=0,rounding_size=0.12"
    corner = (centre[0] - SIDE / 2, centre[1] - SIDE / 2)
    edge = "0.75" if faint else "0.25"
    ax.add_patch(FancyBboxPatch(corner, SIDE, SIDE, boxstyle=style, facecolor="0.96", edgecolor=edge, zorder=2))
    lift = 0.16 if value is not None else 0.0
    ax.text(centre[0], centre[1] + lift, name, ha="center", va="center", color=edge if faint else "black", zorder=3)
    if value is not None:
        ax.text(centre[0], centre[1] - 0.2, _number(value), ha="center", va="center", fontsize=8, zorder=3)


def _link(ax: Axes, start: Point, end: Point, style: dict) -> None:
    """Draw an arrow between the edges of two nodes."""
    along = np.subtract(end, start)
    along = along / np.abs(along).max() * SIDE / 2
    ax.annotate("", xy=tuple(np.subtract(end, along)), xytext=tuple(np.add(start, along)), arrowprops=style, zorder=1)


def _forward(ax: Axes, start: Point, end: Point, label: str) -> None:
    _link(ax, (start[0], 0.1), (end[0], 0.1), FORWARD)
    ax.text((start[0] + end[0]) / 2, 0.25, label, ha="center", va="bottom", fontsize=9)


def _backward(ax: Axes, start: Point, end: Point, label: str) -> None:
    _link(ax, (start[0], -0.15), (end[0], -0.15), BACKWARD)
    ax.text((start[0] + end[0]) / 2, -0.3, label, ha="center", va="top", fontsize=9, color=GRADIENT)


def _wire(ax: Axes, style: dict, height: float, *, back: bool = False) -> None:
    """Draw the wire past the cell, from h_{t-1} to h_t or back."""
    inset = -0.12 if back else 0.12
    start, end = (0.0 + inset, SIDE / 2), (4.2 - inset, SIDE / 2)
    if back:
        start, end = end, start
    ax.plot(
        [start[0], start[0], end[0]], [start[1], height, height], color=style["color"], linewidth=style["linewidth"]
    )
    ax.annotate("", xy=end, xytext=(end[0], height), arrowprops=style)
