"""Pictures with a slider (ipywidgets). Where no widget can be shown, a still picture stands in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnn_helpers import cards, graphs, plots
from rnn_helpers.plots import Picture, picture


class Explorer:
    """A slider over whole numbers and the picture it chooses.

    draw: number -> Picture; low, high: the slider's ends; start: where it stands and what the still picture shows
    """

    def __init__(self, draw: Callable[[int], Picture], label: str, low: int, high: int, start: int):
        self.draw, self.label, self.range, self.start = draw, label, (low, high), start

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        still = self.draw(self.start)
        bundle = {"text/plain": repr(still), "text/html": still._repr_html_()}
        widget = self.widget(still)
        return bundle if widget is None else {**widget._repr_mimebundle_(), **bundle}

    def widget(self, first: Picture) -> Any:
        """Return the slider with its picture, or None when ipywidgets is not installed."""
        try:
            import ipywidgets
        except ModuleNotFoundError:
            return None
        slider = ipywidgets.IntSlider(
            value=self.start,
            min=self.range[0],
            max=self.range[1],
            description=self.label,
            continuous_update=False,
            style={"description_width": "initial"},
        )
        screen = ipywidgets.HTML(first._repr_html_())

        def redraw(change: dict) -> None:
            screen.value = self.draw(change["new"])._repr_html_()

        slider.observe(redraw, names="value")
        return ipywidgets.VBox([slider, screen])


def state_explorer(hs: np.ndarray, title: str, labels: Sequence[str] | None = None) -> None:
    """Show the heat map of one sequence's states with a slider that moves through the steps.

    hs: (steps, units), as your rnn_forward gave them: hs[0] of (batch, steps, units); labels: one for each step
    """
    states = np.asarray(hs)

    def draw(step: int) -> Picture:
        strongest = int(np.argmax(np.abs(states[step - 1])))
        ax = plots.heat_map(states, title=title, step=step, labels=labels)
        words = f"{title}. At step {step} unit {strongest + 1} is strongest, {states[step - 1, strongest]:.2f}."
        ax.set_xlabel(f"step t   (at t = {step} unit {strongest + 1} is strongest: {states[step - 1, strongest]:+.2f})")
        return picture(ax, words)

    cards.show(Explorer(draw, "step t", 1, len(states), len(states)))


def unroll_explorer(unroll: Callable, xs: np.ndarray, h_0: np.ndarray, cell: tuple, longest: int = 8) -> None:
    """Show the network unrolled over T steps, drawn from what your `unroll` computes, with a slider for T.

    xs: (1, steps, features); h_0: (1, units); cell: (W_xh, W_hh, b_h), used by every copy
    """
    longest = min(longest, xs.shape[1])

    def draw(steps: int) -> Picture:
        states = unroll(xs[:, :steps], h_0, [cell] * steps)[0]
        copies = "1 copy" if steps == 1 else f"{steps} copies"
        strips = "; ".join(f"h_{t}: {np.round(state, 1).tolist()}" for t, state in enumerate(states, start=1))
        words = f"{copies} of one cell in a row, y_{steps} above the last; the strips show {strips}."
        return picture(graphs.unrolled(states, room=longest), words)

    cards.show(Explorer(draw, "steps T", 1, longest, min(4, longest)))
