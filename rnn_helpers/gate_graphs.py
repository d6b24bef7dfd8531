"""Draw one step of gated cells: the LSTM in four stages, the paths of its gradient, and the GRU."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch

from rnn_helpers.graphs import ARROW, ROUNDED
from rnn_helpers.plots import COLOURS, GRADIENT, new_axes, new_grid

OLD, NEW = "0.25", COLOURS[1]  # what the stages before have shown, and what is new
RADIUS, HALF = 0.19, 0.29  # of an operation; half the width of a box
MEMORY, GATED, BOXES, INPUTS = 2.6, 1.85, 1.0, 0.1  # heights: the memory, products with gates, gates, the inputs
FORGET, INPUT, CANDIDATE, OUTPUT, SHOWN = 1.0, 2.1, 3.1, 4.3, 5.4  # from left to right
START, END = -0.2, 6.4
Point = tuple[float, float]

STAGES = (
    "1. Bucket: $c_t = 0.9\\,c_{t-1} + g_t$",
    "2. Forget gate: $c_t = f_t \\odot c_{t-1} + g_t$",
    "3. Input gate: $c_t = f_t \\odot c_{t-1} + i_t \\odot g_t$",
    "4. Output gate: $h_t = o_t \\odot \\tanh(c_t)$",
)


def lstm_stages() -> Axes:
    """Draw the LSTM in four stages, from the leaky bucket on; what a stage adds is orange."""
    axes = new_grid(width=9.6, height=6.0, rows=2, columns=2)
    for stage, (ax, title) in enumerate(zip(axes, STAGES, strict=True), start=1):
        _lstm(ax, stage)
        ax.set_title(title, loc="left", fontsize=11)
    return axes[0]


def lstm_gradients() -> Axes:
    """Draw a step of an LSTM with the paths on which its two gradients arrive and flow back."""
    ax = new_axes(width=7.4, height=3.4)
    _lstm(ax, 5)
    above, offset = MEMORY + 0.3, 0.16

    def flow(*points: Point) -> None:
        for start, end in zip(points[:-1], points[1:], strict=True):
            last = end == points[-1]
            style = {**ARROW, "color": GRADIENT, "arrowstyle": "-|>" if last else "-", "linewidth": 1.6}
            ax.annotate("", xy=end, xytext=start, arrowprops=style)

    def name(text: str, position: Point, ha: str = "center") -> None:
        ax.text(*position, text, color=GRADIENT, ha=ha, va="center", fontsize=11)

    flow((END, above), (SHOWN + 0.3, above))
    flow((SHOWN - 0.05, above), (FORGET + 0.3, above))
    flow((FORGET - 0.3, above), (START, above))
    name(r"$dc_{\mathrm{next}}$", (END + 0.1, above), "left")
    name(r"$dc$", ((CANDIDATE + SHOWN) / 2, above + 0.22))
    name(r"$dc \odot f_t$", (START + 0.05, above + 0.27))
    flow((END, BOXES - 0.25), (SHOWN + 0.3, BOXES - 0.25))
    name(r"$dh_t$", (END + 0.1, BOXES - 0.3), "left")
    flow((SHOWN + 0.3, BOXES + 0.3), (SHOWN + 0.3, MEMORY - 0.2))
    name(r"$dh_t \odot o_t \odot (1 - \tanh^2 c_t)$", (SHOWN + 0.4, 1.9), "left")
    flow((CANDIDATE + offset, MEMORY - 0.25), (CANDIDATE + offset, GATED + 0.25))
    flow((CANDIDATE + offset, GATED - 0.25), (CANDIDATE + offset, BOXES + 0.35))
    flow((CANDIDATE - 0.3, GATED + 0.14), (INPUT + offset, GATED + 0.14), (INPUT + offset, BOXES + 0.35))
    flow((FORGET + offset, MEMORY - 0.25), (FORGET + offset, BOXES + 0.35))
    flow((SHOWN - 0.3, BOXES - 0.17), (OUTPUT + 0.35, BOXES - 0.17))
    ax.set(xlim=(START - 0.55, END + 2.2), ylim=(INPUTS - 0.25, above + 0.5))
    ax.set_title("The gradient reaches the memory along two paths", loc="left", fontsize=11)
    return ax


def _lstm(ax: Axes, stage: int) -> None:
    """Draw what a stage has; its newest part is orange up to stage 4."""
    forget, gate, output = (NEW if part == stage else OLD for part in (2, 3, 4))
    _line(ax, (START, MEMORY), (FORGET - RADIUS, MEMORY), arrow=True)
    _line(ax, (FORGET + RADIUS, MEMORY), (CANDIDATE - RADIUS, MEMORY), arrow=True)
    _line(ax, (CANDIDATE + RADIUS, MEMORY), (END, MEMORY), arrow=True)
    ax.text(START - 0.1, MEMORY, "$c_{t-1}$", ha="right", va="center")
    ax.text(END + 0.1, MEMORY, "$c_t$", ha="left", va="center")

    _line(ax, (START, INPUTS), (CANDIDATE if stage < 4 else OUTPUT, INPUTS))
    ax.text(START - 0.1, INPUTS, "$x_t, h_{t-1}$", ha="right", va="center")

    _operation(ax, (FORGET, MEMORY), r"$\times$", forget)
    if stage == 1:
        ax.text(FORGET, BOXES, "0.9", ha="center", va="center")
        _line(ax, (FORGET, BOXES + 0.2), (FORGET, MEMORY - RADIUS), arrow=True)
    else:
        _gate(ax, FORGET, r"$\sigma$", "$f_t$", MEMORY - RADIUS, forget)
    _operation(ax, (CANDIDATE, MEMORY), "$+$", OLD)
    if stage < 3:
        _gate(ax, CANDIDATE, "tanh", "$g_t$", MEMORY - RADIUS, OLD)
    else:
        _gate(ax, CANDIDATE, "tanh", "$g_t$", GATED - RADIUS, OLD)
        _line(ax, (CANDIDATE, GATED + RADIUS), (CANDIDATE, MEMORY - RADIUS), arrow=True)
        _operation(ax, (CANDIDATE, GATED), r"$\times$", gate)
        _gate(ax, INPUT, r"$\sigma$", "$i_t$", GATED, gate, turn=CANDIDATE - RADIUS)
    _line(ax, (SHOWN, MEMORY), (SHOWN, GATED + 0.22))
    ax.text(SHOWN, GATED, "tanh", ha="center", va="center", fontsize=9, bbox=_box(OLD))
    if stage < 4:
        _line(ax, (SHOWN, GATED - 0.22), (SHOWN, BOXES), (END, BOXES), arrow=True)
    else:
        _line(ax, (SHOWN, GATED - 0.22), (SHOWN, BOXES + RADIUS), arrow=True)
        _gate(ax, OUTPUT, r"$\sigma$", "", None, output)
        _line(ax, (OUTPUT + HALF, BOXES), (SHOWN - RADIUS, BOXES), colour=output, arrow=True)
        ax.text((OUTPUT + HALF + SHOWN) / 2 - 0.12, BOXES + 0.22, "$o_t$", ha="center", va="center", color=output)
        _operation(ax, (SHOWN, BOXES), r"$\times$", output)
        _line(ax, (SHOWN + RADIUS, BOXES), (END, BOXES), arrow=True)
    ax.text(END + 0.1, BOXES, "$h_t$", ha="left", va="center")
    ax.set(xlim=(START - 1.1, END + 0.6), ylim=(INPUTS - 0.25, MEMORY + 0.4))
    ax.set_aspect("equal")
    ax.axis("off")


def gru() -> Axes:
    """Draw a step of a GRU, with the reset gate before the product with the recurrent weights."""
    ax = new_axes(width=6.4, height=3.8)
    update, reset, product, candidate, end = 1.0, 2.2, 3.05, 4.1, 5.4
    lowest = INPUTS - 0.4  # of the input; the old state is above it
    _line(ax, (START, MEMORY), (update - RADIUS, MEMORY), arrow=True)
    _line(ax, (update + RADIUS, MEMORY), (candidate - RADIUS, MEMORY), arrow=True)
    _line(ax, (candidate + RADIUS, MEMORY), (end, MEMORY), arrow=True)
    _line(ax, (START, INPUTS), (product, INPUTS), (product, BOXES - RADIUS), arrow=True)
    _line(ax, (START, lowest), (candidate, lowest), (candidate, INPUTS))
    for x in (update, reset):
        _line(ax, (x, lowest), (x, INPUTS))
        ax.plot([x, x], [lowest, INPUTS], "o", color=OLD, markersize=4)
    _gate(ax, update, r"$\sigma$", "$z_t$", MEMORY - RADIUS, NEW)
    _line(ax, (update, GATED), (candidate - RADIUS, GATED), colour=NEW, arrow=True)
    ax.text((update + candidate) / 2, GATED + 0.2, "$1 - z_t$", ha="center", va="center", color=NEW)
    _operation(ax, (update, MEMORY), r"$\times$", NEW)
    _gate(ax, reset, r"$\sigma$", "", None, COLOURS[0])
    _line(ax, (reset + HALF, BOXES), (product - RADIUS, BOXES), colour=COLOURS[0], arrow=True)
    ax.text(reset + HALF + 0.13, BOXES + 0.24, "$r_t$", ha="center", va="center", color=COLOURS[0])
    _operation(ax, (product, BOXES), r"$\times$", COLOURS[0])
    _line(ax, (product + RADIUS, BOXES), (candidate - HALF, BOXES), arrow=True)
    _gate(ax, candidate, "tanh", "$n_t$", GATED - RADIUS, OLD)
    _operation(ax, (candidate, GATED), r"$\times$", NEW)
    _line(ax, (candidate, GATED + RADIUS), (candidate, MEMORY - RADIUS), arrow=True)
    _operation(ax, (candidate, MEMORY), "$+$", OLD)
    for name, height in (("$h_{t-1}$", MEMORY), ("$h_{t-1}$", INPUTS), ("$x_t$", lowest)):
        ax.text(START - 0.1, height, name, ha="right", va="center")
    ax.text(end + 0.1, MEMORY, "$h_t$", ha="left", va="center")
    ax.set(xlim=(START - 0.8, end + 0.6), ylim=(lowest - 0.25, MEMORY + 0.4))
    ax.set_title("GRU: what the update gate does not keep, it replaces", loc="left", fontsize=11)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _line(ax: Axes, *points: Point, colour: str = OLD, arrow: bool = False) -> None:
    """Draw a line through the points, with an arrow at its end if asked for."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, color=colour, linewidth=1.3, solid_joinstyle="round", zorder=1)
    if arrow:
        ax.annotate("", xy=points[-1], xytext=points[-2], arrowprops={**ARROW, "color": colour})


def _box(colour: str) -> dict[str, object]:
    return {"boxstyle": "round,pad=0.25,rounding_size=0.2", "facecolor": "0.97", "edgecolor": colour}


def _gate(
    ax: Axes, x: float, squash: str, name: str, top: float | None, colour: str, *, turn: float | None = None
) -> None:
    """Draw a box over the inputs, with an arrow up to `top`, or up and to the right as far as `turn`."""
    _line(ax, (x, INPUTS), (x, BOXES - 0.25), colour=colour, arrow=True)
    corner = x - HALF, BOXES - 0.23
    ax.add_patch(FancyBboxPatch(corner, 2 * HALF, 0.46, boxstyle=ROUNDED, facecolor="0.97", edgecolor=colour))
    ax.text(x, BOXES, squash, ha="center", va="center", color=colour, fontsize=10)
    if top is None:
        return
    points = [(x, BOXES + 0.23), (x, top)] if turn is None else [(x, BOXES + 0.23), (x, top), (turn, top)]
    _line(ax, *points, colour=colour, arrow=True)
    ax.text(x - 0.12, BOXES + 0.45, name, ha="right", va="center", color=colour)


def _operation(ax: Axes, centre: Point, sign: str, colour: str) -> None:
    ax.add_patch(Circle(centre, RADIUS, facecolor="white", edgecolor=colour, linewidth=1.5, zorder=3))
    ax.text(*centre, sign, ha="center", va="center", color=colour, zorder=4)
