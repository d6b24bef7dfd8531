"""Draw architectures, unrolled over their steps: stacked, bidirectional, encoder-decoder; and the lattice of CTC."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch

from rnn_helpers.graphs import ARROW, ROUNDED
from rnn_helpers.plots import COLOURS, new_axes, new_row

BOX, PITCH = 0.62, 1.5  # width of a state, and from one step to the next, in data units
FORWARD, BACKWARD = COLOURS[0], COLOURS[1]
Point = tuple[float, float]


def stacked_and_bidirectional(steps: int = 3) -> Axes:
    """Draw a network of two layers, and one that reads in both directions, side by side."""
    stacked, bidirectional = new_row(width=9.3, height=3.0, count=2)
    _states(stacked, steps, (0.0, 0.0), "h^{(1)}", FORWARD)
    _states(stacked, steps, (0.0, 1.5), "h^{(2)}", FORWARD)
    shift = 0.3  # so that straight arrows pass the other direction's state
    _states(bidirectional, steps, (-shift, 0.0), r"\overrightarrow{h}", FORWARD)
    _states(bidirectional, steps, (shift, 1.5), r"\overleftarrow{h}", BACKWARD, backward=True)
    for t in range(steps):
        x = PITCH * t
        _arrow(stacked, (x, -0.75), (x, 0))
        _arrow(stacked, (x, BOX), (x, 1.5))
        _arrow(stacked, (x, 1.5 + BOX), (x, 2.9))
        _arrow(bidirectional, (x - 0.06, -0.75), (x - shift, 0))
        _arrow(bidirectional, (x + 0.06, -0.75), (x + shift, 1.5))
        _arrow(bidirectional, (x - shift, BOX), (x - 0.06, 2.9))
        _arrow(bidirectional, (x + shift, 1.5 + BOX), (x + 0.06, 2.9))
        for ax in (stacked, bidirectional):
            ax.text(x, -0.95, f"$x_{{{t + 1}}}$", ha="center", va="center")
            ax.text(x, 3.12, f"$y_{{{t + 1}}}$", ha="center", va="center")
    stacked.set_title("Stacked: the second layer reads the states of the first", fontsize=10)
    bidirectional.set_title("Bidirectional: one layer reads from the end", fontsize=10)
    for ax in (stacked, bidirectional):
        ax.set(xlim=(-1.2, PITCH * (steps - 1) + 1.2), ylim=(-1.25, 3.4))
        ax.axis("off")
    return stacked


def _states(ax: Axes, steps: int, first: Point, name: str, colour: str, *, backward: bool = False) -> None:
    """Draw a row of states, the first centred above `first`, with the arrows between them."""
    middle = first[1] + BOX / 2
    for t in range(steps):
        x = first[0] + PITCH * t
        _state(ax, (x, first[1]), colour)
        ax.text(x, middle, f"${name}_{{{t + 1}}}$", ha="center", va="center")
        before, after = (x - PITCH + BOX / 2, middle), (x - BOX / 2, middle)
        if not backward:
            _arrow(ax, before if t else (x - 0.85, middle), after)
        elif t:
            _arrow(ax, after, before)
    if backward:
        end = first[0] + PITCH * (steps - 1) + BOX / 2
        _arrow(ax, (end + 0.5, middle), (end, middle))


def _state(ax: Axes, below: Point, colour: str) -> None:
    """Draw the box of a state, centred above a point."""
    corner = below[0] - BOX / 2, below[1]
    ax.add_patch(FancyBboxPatch(corner, BOX, BOX, boxstyle=ROUNDED, facecolor="0.96", edgecolor=colour))


def _arrow(ax: Axes, start: Point, end: Point) -> None:
    ax.annotate("", xy=end, xytext=start, arrowprops=ARROW)


def encoder_decoder(source: str, target: str, *, training: bool) -> Axes:
    """Draw an encoder that reads `source` and a decoder that writes `target`.

    training: the decoder reads the right symbols; otherwise dashed arrows lead from each output to the next input
    """
    steps, pitch = len(source) + len(target) + 1, 0.95
    ax = new_axes(width=9.3, height=2.5)
    reads, writes = [*source, "start", *target], [*target, "end"]
    for t in range(steps):
        x, first = pitch * t, t - len(source)
        colour = FORWARD if first < 0 else BACKWARD
        _state(ax, (x, 0), colour)
        _arrow(ax, (x, -0.55), (x, 0))
        ax.text(x, -0.75, reads[t], ha="center", va="center", color="black" if first < 0 or training else BACKWARD)
        if t:
            _arrow(ax, (x - pitch + BOX / 2, BOX / 2), (x - BOX / 2, BOX / 2))
        if first >= 0:
            _arrow(ax, (x, BOX), (x, 1.15))
            ax.text(x, 1.33, writes[first], ha="center", va="center", color=BACKWARD)
        if first >= 0 and not training and t + 1 < steps:
            style = {**ARROW, "linestyle": "--", "color": BACKWARD, "linewidth": 0.9}
            ax.annotate("", xy=(x + pitch - 0.12, -0.6), xytext=(x + 0.14, 1.25), arrowprops=style)
    middle = pitch * (len(source) - 0.5)
    ax.text(middle, BOX / 2 + 0.12, "$c$", ha="center", va="bottom")
    ax.text(pitch * (len(source) - 1) / 2, 1.33, "encoder", ha="center", va="center", color=FORWARD)
    when = "Training: the decoder reads the right symbols" if training else "Generating: it reads what it has written"
    ax.set_title(when, loc="left", fontsize=10)
    ax.set(xlim=(-0.6, pitch * (steps - 1) + 0.6), ylim=(-1.0, 1.6))
    ax.axis("off")
    return ax


def ctc_lattice(alphas: np.ndarray, symbols: Sequence[str]) -> Axes:
    """Draw the lattice of CTC with the forward probability in each node.

    alphas: (frames, states), 0 where no path can be; symbols: (states,), the text with a blank around each label
    """
    frames, states = alphas.shape
    ax = new_axes(width=1.8 + 1.45 * frames, height=0.9 + 0.62 * states)
    reached = alphas > 0
    useful = reached & _can_finish(frames, symbols)
    for t in range(frames):
        ax.text(t, -0.75, f"frame {t + 1}", ha="center", va="center", fontsize=9)
        for s in range(states):
            for before in _predecessors(s, symbols):
                if t and useful[t - 1, before] and useful[t, s]:
                    thin = {**ARROW, "color": "0.5", "linewidth": 0.9}
                    ax.annotate("", xy=(t - 0.27, s), xytext=(t - 1 + 0.27, before), arrowprops=thin)
            colour = FORWARD if useful[t, s] else "0.85"
            ax.add_patch(Circle((t, s), 0.25, facecolor="white", edgecolor=colour, linewidth=1.6, zorder=3))
            if useful[t, s]:
                ax.text(t, s, f"{alphas[t, s]:.3f}", ha="center", va="center", fontsize=7.5, zorder=4)
    for s, symbol in enumerate(symbols):
        ax.text(-0.55, s, symbol, ha="center", va="center", fontsize=12)
    ax.set(xlim=(-0.8, frames - 0.5), ylim=(states - 0.5, -1.1))
    ax.axis("off")
    return ax


def _predecessors(state: int, symbols: Sequence[str]) -> list[int]:
    """Return the states from which a path may come to this one in the next frame."""
    skips = state >= 2 and symbols[state] not in (symbols[0], symbols[state - 2])
    return [s for s in (state, state - 1) if s >= 0] + ([state - 2] if skips else [])


def _can_finish(frames: int, symbols: Sequence[str]) -> np.ndarray:
    """Return (frames, states): whether a path can still end in one of the last two states."""
    states = len(symbols)
    possible = np.zeros((frames, states), dtype=bool)
    possible[-1, -2:] = True
    for t in range(frames - 2, -1, -1):
        for s in range(states):
            if possible[t + 1, s]:
                possible[t, _predecessors(s, symbols)] = True
    return possible
