"""Draw attention: the path of a gradient with and without it, and how a query becomes a context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Circle, FancyBboxPatch

from rnn_helpers.graphs import ARROW, ROUNDED
from rnn_helpers.plots import COLOURS, GRADIENT, new_axes, new_row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOX, RADIUS = 0.62, 0.2  # width and height of a box, and the radius of a product, in data units
Point = tuple[float, float]


def path_lengths(steps: int) -> Axes:
    """Draw how a gradient at the last state reaches the first: along a chain of states, and through attention.

    steps: how many states there are; those in the middle are drawn as dots
    """
    chain, star = new_row(width=9.3, height=2.7, count=2)
    positions = [0.0, 1.15, 2.3, 4.1, 5.25]
    names = ["h_1", "h_2", "h_3", f"h_{{{steps - 1}}}", f"h_{{{steps}}}"]
    for ax in (chain, star):
        for x, name in zip(positions, names, strict=True):
            _box(ax, (x, 0.0), f"${name}$", COLOURS[0])
        ax.text(3.2, 0.0, "…", ha="center", va="center", fontsize=14)
        for before, after in ((0, 1), (1, 2), (3, 4)):
            _link(ax, (positions[before] + BOX / 2, 0.0), (positions[after] - BOX / 2, 0.0), "0.6")
        ax.set(xlim=(-0.6, 6.0), ylim=(-0.95, 2.1))
        ax.axis("off")
    for before, after in ((0, 1), (1, 2), (3, 4)):
        start, end = positions[after], positions[before]
        style = "arc3,rad=-0.35"
        _link(chain, (start, -BOX / 2), (end, -BOX / 2), GRADIENT, style)
    _box(chain, (positions[-1], 1.45), "loss", "0.25")
    _link(chain, (positions[-1], 1.45 - BOX / 2), (positions[-1], BOX / 2), GRADIENT)
    chain.text(
        (positions[0] + positions[1]) / 2, -0.85, "gradient", ha="center", va="center", fontsize=9, color=GRADIENT
    )
    chain.set_title(f"A chain: {steps - 1} steps back from $h_{{{steps}}}$ to $h_1$", loc="left", fontsize=10)
    _box(star, (positions[2], 1.45), "$c$", COLOURS[1])
    _box(star, (positions[-1], 1.45), "loss", "0.25")
    _link(star, (positions[-1] - BOX / 2, 1.45), (positions[2] + BOX / 2, 1.45), GRADIENT)
    for x in positions:
        _link(star, (positions[2] + 0.16 * (x - positions[2]) / 2.3, 1.45 - BOX / 2), (x, BOX / 2), GRADIENT)
    star.set_title("A star: one step from the context $c$ to every state", loc="left", fontsize=10)
    return chain


def attention(
    query: float, keys: Sequence[float], values: Sequence[float], weights: Sequence[float], names: Sequence[str]
) -> Axes:
    """Draw one query at work, with numbers: scores, softmax, weights and the context.

    names: of the keys, as they are printed, for numbers such as log 2
    """
    ax = new_axes(width=9.3, height=3.8)
    rows = {"keys": 3.0, "scores": 2.0, "weights": 1.0, "values": 0.0}
    pitch, value_offset = 2.2, 0.95
    for label, height in rows.items():
        ax.text(-3.2, height, "query, keys" if label == "keys" else label, ha="left", va="center", fontsize=10)
    _box(ax, (-1.3, rows["keys"]), "$q$", COLOURS[1])
    ax.text(-1.3 + 0.42, rows["keys"], f"{query:g}", va="center", fontsize=9)
    end = pitch * (len(keys) - 1)
    bottom = rows["values"] - 1.15
    for t, (key, value, weight) in enumerate(zip(keys, values, weights, strict=True)):
        x = pitch * t
        _box(ax, (x, rows["keys"]), f"$k_{t + 1}$", COLOURS[0])
        ax.text(x + 0.42, rows["keys"], names[t], va="center", fontsize=9)
        _box(ax, (x, rows["scores"]), f"{query * key:.2f}", "0.25")
        _box(ax, (x, rows["weights"]), f"{weight:.2f}", COLOURS[1])
        for above, below in (("keys", "scores"), ("scores", "weights")):
            _link(ax, (x, rows[above] - BOX / 2), (x, rows[below] + BOX / 2), "0.25")
        ax.add_patch(Circle((x, rows["values"]), RADIUS, facecolor="white", edgecolor="0.25", linewidth=1.4))
        ax.text(x, rows["values"], r"$\times$", ha="center", va="center")
        _link(ax, (x, rows["weights"] - BOX / 2), (x, rows["values"] + RADIUS), "0.25")
        _box(ax, (x + value_offset, rows["values"]), f"$v_{t + 1}$", COLOURS[0])
        ax.text(x + value_offset + 0.42, rows["values"], f"{value:g}", va="center", fontsize=9)
        _link(ax, (x + value_offset - BOX / 2, rows["values"]), (x + RADIUS, rows["values"]), "0.25")
        _link(ax, (x, -RADIUS), (end / 2 + 0.1 * (t - (len(keys) - 1) / 2), bottom + BOX / 2), "0.25")
    for height, text in (
        (rows["scores"], r"dot product with $q$, divided by $\sqrt{d}$"),
        (rows["weights"], "softmax: they sum to 1"),
        (rows["values"], "weight times value"),
        (bottom, "the sum"),
    ):
        ax.text(end + 2.0, height, text, va="center", fontsize=9)
    context = sum(value * weight for value, weight in zip(values, weights, strict=True))
    _box(ax, (end / 2, bottom), "$c$", COLOURS[1])
    ax.text(end / 2 + 0.42, bottom, f"{context:g}, the context", va="center", fontsize=9)
    ax.set(xlim=(-3.4, end + 5.2), ylim=(bottom - 0.45, 3.5))
    ax.axis("off")
    return ax


def _box(ax: Axes, centre: Point, text: str, colour: str) -> None:
    corner = centre[0] - BOX / 2, centre[1] - BOX / 2
    ax.add_patch(FancyBboxPatch(corner, BOX, BOX, boxstyle=ROUNDED, facecolor="0.96", edgecolor=colour))
    ax.text(*centre, text, ha="center", va="center", fontsize=10 if len(text) > 3 else 11)


def _link(ax: Axes, start: Point, end: Point, colour: str, style: str = "arc3") -> None:
    ax.annotate("", xy=end, xytext=start, arrowprops={**ARROW, "color": colour, "connectionstyle": style})
