"""Draw a scan: which steps each entry covers after each round, and which two entries are combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.patches import FancyBboxPatch

from rnn_helpers.graphs import ARROW
from rnn_helpers.plots import COLOURS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DROP = 0.74, 0.36, 1.15  # of a node, and from row to row, in data units
ROUNDED = "round,pad=0,rounding_size=0.1"


def rounds(steps: int, *, ax: Axes | None = None) -> Axes:
    """Draw the rounds of a scan over `steps` steps, one row below the other, with the steps that each entry covers.

    A blue entry covers all steps from the first one, so it is finished.
    """
    needed = (steps - 1).bit_length()
    ax = ax or new_axes(width=1.4 + 0.95 * steps, height=1.2 + 0.8 * needed)
    for number in range(needed + 1):
        reach = 2**number
        for t in range(1, steps + 1):
            _entry(ax, t, -number * DROP, first=max(1, t - reach + 1))
        name = f"round {number}, reach {reach // 2}" if number else "the steps"
        ax.text(0.4, -number * DROP, name, ha="right", va="center", fontsize=9)
    for number in range(needed):
        for t in range(1, steps + 1):
            _combine(ax, t, number)
    ax.set_title(f"After {needed} rounds every entry reaches back to step 1 (blue)", loc="left")
    ax.set(xlim=(-1.6, steps + 0.6), ylim=(-needed * DROP - 0.4, 0.4))
    ax.axis("off")
    return ax


def _entry(ax: Axes, t: int, height: float, first: int) -> None:
    finished = first == 1
    ax.add_patch(
        FancyBboxPatch(
            (t - WIDTH / 2, height - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle=ROUNDED,
            facecolor="#C6DBEF" if finished else "0.96",
            edgecolor=COLOURS[0] if finished else "0.25",
        )
    )
    ax.text(t, height, f"{first}" if first == t else f"{first} to {t}", ha="center", va="center", fontsize=9)


def _combine(ax: Axes, t: int, number: int) -> None:
    """Draw an arrow from the entry above, and one from the entry that it is combined with."""
    top, bottom = -number * DROP - HEIGHT / 2, -(number + 1) * DROP + HEIGHT / 2
    ax.annotate("", xy=(t, bottom), xytext=(t, top), arrowprops={**ARROW, "color": "0.6"})
    if t > 2**number:
        start = (t - 2**number, top)
        ax.annotate("", xy=(t - 0.12, bottom), xytext=start, arrowprops={**ARROW, "color": COLOURS[1], "linewidth": 1})
