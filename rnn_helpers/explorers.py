"""Interactive figures with sliders (ipywidgets); where widgets are unavailable, static figures are shown instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnn_helpers import cards, clinic, gradient_graphs, graphs, plots
from rnn_helpers.plots import Picture, picture


class Range(NamedTuple):
    """The range, the initial value and the step size of a slider."""

    low: float
    high: float
    start: float
    step: float = 1


class TextInput(NamedTuple):
    """A text field and its initial content."""

    start: str


class Explorer:
    """Sliders, optionally a text field, and the figure that they control.

    draw: their values, in order -> Picture
    sliders: label -> Range (whole numbers when the step is 1) or TextInput
    stills: values for the figures that are shown where there are no widgets; the initial ones if there are none
    """

    def __init__(
        self, draw: Callable[..., Picture], sliders: dict[str, Range | TextInput], stills: Sequence[tuple] = ()
    ):
        self.draw, self.sliders, self.stills = draw, sliders, stills

    def initial_figure(self) -> Picture:
        """Return the figure for the initial values of the sliders."""
        return self.draw(*(slider.start for slider in self.sliders.values()))

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        stills = [self.draw(*values) for values in self.stills] or [self.initial_figure()]
        bundle = {
            "text/plain": "\n".join(map(repr, stills)),
            "text/html": "<br>".join(still._repr_html_() for still in stills),
        }
        widget = self.widget(self.initial_figure() if self.stills else stills[0])
        return bundle if widget is None else {**widget._repr_mimebundle_(), **bundle}

    def widget(self, first: Picture) -> Any:
        """Return a widget with the sliders above the figure, or None when ipywidgets is not installed."""
        try:
            import ipywidgets
        except ModuleNotFoundError:
            return None
        screen = ipywidgets.HTML(first._repr_html_())
        sliders = []
        for label, control in self.sliders.items():
            options = {"description": label, "continuous_update": False, "style": {"description_width": "initial"}}
            if isinstance(control, TextInput):
                sliders.append(ipywidgets.Text(value=control.start, **options))
                continue
            low, high, start, step = control
            kind = ipywidgets.IntSlider if step == 1 else ipywidgets.FloatSlider
            sliders.append(kind(value=start, min=low, max=high, step=step, **options))

        def redraw(_change: dict) -> None:
            screen.value = self.draw(*(slider.value for slider in sliders))._repr_html_()

        for slider in sliders:
            slider.observe(redraw, names="value")
        return ipywidgets.VBox([*sliders, screen])


def state_explorer(hs: np.ndarray, title: str, labels: Sequence[str] | None = None) -> None:
    """Show the heat map of one sequence's states with a slider that moves through the steps.

    hs: (steps, units), as your rnn_forward gave them: hs[0] of (batch, steps, units); labels: one for each step
    """
    states = np.asarray(hs)

    def draw(step: int) -> Picture:
        strongest = int(np.argmax(np.abs(states[step - 1])))
        ax = plots.heat_map(states, title=title, step=step, labels=labels)
        words = f"{title}. At step {step} unit {strongest + 1} is strongest, {states[step - 1, strongest]:.2f}."
        after = f", after {labels[step - 1]!r}," if labels is not None else ""
        strength = f"{states[step - 1, strongest]:+.2f}".replace("-", "−")
        ax.set_xlabel(f"step t   (at t = {step}{after} unit {strongest + 1} is strongest: {strength})")
        return picture(ax, words)

    cards.show(Explorer(draw, {"step t": Range(1, len(states), 1)}))


def unroll_explorer(unroll: Callable, xs: np.ndarray, h_0: np.ndarray, cell: tuple, longest: int = 8) -> None:
    """Show the network unrolled over T steps, drawn from what your `unroll` computes, with a slider for T.

    xs: (1, steps, features); h_0: (1, units); cell: (W_xh, W_hh, b_h), used by every copy
    """
    longest = min(longest, xs.shape[1])

    def draw(steps: int) -> Picture:
        states = unroll(xs[:, :steps], h_0, [cell] * steps)[0]
        copies = "1 copy" if steps == 1 else f"{steps} copies"
        strips = "; ".join(f"h_{t}: {np.round(state, 1).tolist()}" for t, state in enumerate(states, start=1))
        words = f"{copies} of one cell in a row; the strips show {strips}."
        return picture(graphs.unrolled(states, outputs=False, room=longest), words)

    cards.show(Explorer(draw, {"steps T": Range(1, longest, min(4, longest))}))


def backward_explorer(
    forward: Callable, errors: Callable, weights: tuple[float, float, float], xs: Sequence[float], target: float
) -> None:
    """Show the backward pass through a scalar network, with a slider for the steps that have been taken back.

    forward: (w, u, b, xs) -> the states; errors: your function of (u, states, target); weights: (w, u, b)
    """
    w, u, b = weights
    hs = forward(w, u, b, xs)
    all_errors = [float(error) for error in errors(u, hs, target)]

    def draw(steps_back: int) -> Picture:
        last_errors = all_errors[len(xs) - steps_back :]
        ax = gradient_graphs.scalar_chain(xs, hs, last_errors, u=u, target=target)
        names = [f"e_{len(xs) - steps_back + 1 + index} = {error:.4f}" for index, error in enumerate(last_errors)]
        words = ", ".join(reversed(names)) or "none yet"
        return picture(ax, f"A chain of {len(xs)} steps. States: {np.round(hs, 3).tolist()}. Errors: {words}.")

    control = Range(0, len(xs), 0)
    cards.show(Explorer(draw, {"steps back": control}, stills=[(steps,) for steps in range(1, len(xs) + 1)]))


def ellipse_explorer(product: Callable, W: np.ndarray, steps: int) -> None:
    """Show what has become of a circle of perturbations after t steps, with a slider for t.

    product: t -> dh_t/dh_0, (2, 2), from your functions; W: the matrix whose norm and radius are drawn as circles
    """
    norm, radius = float(np.linalg.norm(W, 2)), float(np.abs(np.linalg.eigvals(W)).max())

    def draw(t: int) -> Picture:
        matrix = np.asarray(product(t))
        actual = float(np.linalg.norm(matrix, 2))
        ax = plots.new_axes(width=4.6, height=4.2)
        plots.image_of_circle(ax, matrix)
        for size, line in ((norm**t, "--"), (radius**t, ":")):
            ax.plot(*plots.circle(size), line, color="0.35", linewidth=1.2)
        room = 1.25 * max(1.0, 1.6 * actual)
        count = "1 step" if t == 1 else f"{t} steps"
        ax.set(title=f"after {count}", xlim=(-room, room), ylim=(-room, room))
        ax.set_xlabel(f"longest half-axis {actual:.2g}, norm^t {norm**t:.2g}, radius^t {radius**t:.2g}")
        words = f"longest half-axis {actual:.3g}; bound {norm**t:.3g}, dashed; spectral radius {radius**t:.3g}, dotted"
        return picture(ax, f"A circle of perturbations after {t} steps is an ellipse: {words}.")

    cards.show(Explorer(draw, {"steps t": Range(0, steps, 1)}, stills=[(1,), (3,), (steps,)]))


def gradient_explorer(run: Callable, jacobian: Callable, weights: np.ndarray, steps: int = 60) -> None:
    """Show how dh_t/dh_0 grows or vanishes, with sliders for the gain and the size of the inputs.

    run: (gain * weights, input size) -> states (steps, units); jacobian: your function of (h_t, W_hh)
    weights: (units, units), multiplied by the gain
    """
    norm = np.linalg.norm(weights, 2)
    radius = np.abs(np.linalg.eigvals(weights)).max()
    lags = np.arange(1, steps + 1)

    def draw(gain: float, size: float) -> Picture:
        product, products = np.eye(len(weights)), []
        for h_t in run(gain * weights, size)[:steps]:
            product = jacobian(h_t, gain * weights) @ product
            products.append(product)
        measured = np.linalg.svd(np.array(products), compute_uv=False)[:, 0]
        lines = {
            "bound": (gain * norm) ** lags,
            "spectral radius": (gain * radius) ** lags,
            "measured": np.maximum(measured, 1e-300),
        }
        title = f"gain {gain:.2f}, inputs of size {size:.2f}"
        ax = plots.curves(lags, lines, title=title, xlabel="lag", ylabel="norm of ∂h(t)/∂h(0)", log=True)
        ends = ", ".join(f"{name} {line[-1]:.1e}" for name, line in lines.items())
        return picture(ax, f"{title}. After {steps} steps: {ends}.")

    cards.show(Explorer(draw, {"gain": Range(0.2, 2.5, 1.0, 0.1), "size of the inputs": Range(0.0, 2.0, 0.1, 0.1)}))


def guess_explorer(guess: Callable, alphabet: str, start: str = "the fun") -> None:
    """Show a language model's next-character probabilities after a typed text, with a slider for the temperature.

    guess: (text, temperature) -> (probabilities, continuation): (len(alphabet),) for the next character, and a text
    alphabet: the characters of the model; others are skipped, as the figure states
    """

    def draw(typed: str, temperature: float) -> Picture:
        typed = typed if any(char.isupper() for char in alphabet) else typed.lower()
        text = "".join(char for char in typed if char in alphabet)
        unknown = sorted(set(typed) - set(alphabet))
        text = text or " "
        probabilities, continuation = guess(text, temperature)
        end = text if len(text) <= 30 else "…" + text[-30:]
        likely = [int(index) for index in np.argsort(probabilities)[::-1][:3]]
        ax = plots.new_axes(width=8.0, height=2.6)
        ax.bar(np.arange(len(alphabet)), probabilities, color=plots.COLOURS[0])
        ax.set_xticks(np.arange(len(alphabet)), labels=[plots.glyph(char) for char in alphabet])
        ax.tick_params(axis="x", labelsize=7 if len(alphabet) > 40 else 10, length=0)
        without = f"\nomitted, unknown here: {' '.join(unknown[:12])}" if unknown else ""
        ax.set(title=f"What comes after “{end}”?", ylabel="probability", ylim=(0, 1))
        ax.set_xlabel(f"it goes on: {end}|{continuation}{without}", family="monospace", fontsize=9)
        words = ", ".join(f"{alphabet[index]!r} {100 * probabilities[index]:.0f} %" for index in likely)
        return picture(ax, f"After {text!r} at temperature {temperature:g}: {words}. It goes on: {continuation!r}.")

    cards.show(Explorer(draw, {"type a word": TextInput(start), "temperature": Range(0.0, 2.0, 0.5, 0.1)}))


def unit_explorer(text: str, states: np.ndarray, start: int = 1) -> None:
    """Show a text coloured by the state of one unit after each character, with a slider for the unit.

    states: (characters, units), between -1 and 1; start: the unit at which the slider begins, counted from 1
    """

    def draw(unit: int) -> Picture:
        values = states[:, unit - 1]
        ax = plots.text_strip(text, values, title=f"Unit {unit} after each character", label="state", signed=True)
        ends = f"highest after {text[int(values.argmax())]!r}, lowest after {text[int(values.argmin())]!r}"
        return picture(ax, f"Unit {unit}: mean {values.mean():.2f}, standard deviation {values.std():.2f}; {ends}.")

    cards.show(Explorer(draw, {"unit": Range(1, states.shape[1], start)}))


def gate_explorer(xs: np.ndarray, gates: dict[str, np.ndarray], start: int = 1) -> None:
    """Show the gates of one unit on a sequence of the adding problem, with a slider for the unit.

    xs: (steps, 2), values and marks; gates: name -> (steps, units), each between 0 and 1, and "memory": (steps, units)
    start: the unit at which the slider begins, counted from 1
    """
    steps, units = gates["memory"].shape
    gate_names = [name for name in gates if name != "memory"]
    marked = np.flatnonzero(xs[:, 1]).tolist()

    def draw(unit: int) -> Picture:
        rows = np.array([xs[:, 0], xs[:, 1], *(gates[name][:, unit - 1] for name in gate_names)])
        memory = gates["memory"][:, unit - 1]
        ax, below = plots.new_column(9.0, 4.4, (3, 2))
        ax.imshow(rows, aspect="auto", cmap="cividis", vmin=0, vmax=1, extent=(0.5, steps + 0.5, len(rows) - 0.5, -0.5))
        ax.set_yticks(range(len(rows)), ["value", "mark", *gate_names])
        ax.set_xticks([])
        ax.set_title(f"Unit {unit}: what its gates do, and what its memory holds")
        below.plot(np.arange(1, steps + 1), memory, color=plots.COLOURS[0])
        for index in marked:
            below.axvline(index + 1, color="grey", linestyle=":", linewidth=1)
        below.set(xlim=(0.5, steps + 0.5), xlabel="step", ylabel="memory")
        at_marks = "; ".join(
            f"at step {index + 1} (value {xs[index, 0]:.2f}) the memory goes from {memory[index - 1]:.2f} to "
            f"{memory[index]:.2f}, input gate {rows[2, index]:.2f}"
            for index in marked
        )
        mean = ", ".join(f"{name} {gates[name][:, unit - 1].mean():.2f}" for name in gate_names)
        return picture(ax, f"Unit {unit}. Mean over the sequence: {mean}. {at_marks}.")

    cards.show(Explorer(draw, {"unit": Range(1, units, start)}))


def patient_explorer(patients: Sequence[dict[str, Any]], *, thresholds: bool = False) -> None:
    """Show the symptoms of one training run at a time, a panel for each, with a slider for the patient.

    patients: what `rnn_helpers.clinic.patient` returns, for each
    thresholds: whether to draw the limits of the lesson's rule into the panels
    """

    def draw(number: int) -> Picture:
        symptoms = patients[number - 1]
        panels = plots.new_mosaic(9.3, 4.6, "abcd;effg")
        limits = LIMITS if thresholds else {}
        points = np.arange(1, len(symptoms["updates"]) + 1)
        for letter, name in zip("abc", clinic.LOSSES, strict=True):
            shares = [share * symptoms["baseline"] for share in limits.get(name, ())]
            _symptom(panels[letter], points, symptoms[name], (1e-3, 1e2), name, "loss (nats)", shares)
            panels[letter].axhline(symptoms["baseline"], color="0.45", linestyle=":", linewidth=1.1)
        sizes = symptoms["updates"], symptoms["norms"]
        _symptom(panels["d"], points, sizes[0], (1e-7, 1e1), "updates", "relative norm", limits.get("updates", ()))
        _symptom(panels["e"], points, sizes[1], (1e-9, 1e3), "norms", "norm of the gradient")
        for letter in "abcde":
            panels[letter].set_xlabel("training progress")
        plots.gradient_progress(panels["f"], np.log10(np.maximum(symptoms["by_lag"], 1e-14)))
        before = symptoms["by_lag"][0] / symptoms["by_lag"][0, 0]
        lags = np.arange(len(before))
        _symptom(panels["g"], lags, before, (1e-13, 1e5), "by_lag[0]", "relative to the end", limits.get("by_lag", ()))
        panels["g"].set_xlabel("steps back from the end")
        for letter in "eg":
            panels[letter].lines[0].set_color(plots.GRADIENT)
        panels["a"].figure.suptitle(f"Patient {number}", x=0.01, ha="left", fontsize=12)
        ends = ", ".join(f"{name} {symptoms[name][-1]:.2g}" for name in clinic.LOSSES)
        medians = ", ".join(f"{name} {np.median(symptoms[name]):.1g}" for name in ("updates", "norms"))
        words = f"Patient {number}. Losses at the end: {ends}; baseline {symptoms['baseline']:.2f}. Medians: {medians}."
        reached = " ".join(f"{share:.1g}" for share in before)
        return picture(panels["a"], f"{words} Before training, gradient by steps back, relative to the end: {reached}.")

    cards.show(Explorer(draw, {"patient": Range(1, len(patients), 1)}))


# Of the rule in lesson 14. Losses: shares of the baseline; by_lag: relative to the gradient at the end.
LIMITS: dict[str, tuple[float, ...]] = {
    "train_loss": (0.5, 1.2),
    "val_loss": (0.5,),
    "deploy_loss": (0.5,),
    "updates": (1e-4,),
    "by_lag": (1e-4, 30),
}


def _symptom(
    ax: Any,
    x: np.ndarray,
    y: np.ndarray,
    ylim: tuple[float, float],
    title: str,
    ylabel: str,
    limits: Sequence[float] = (),
) -> None:
    """Draw one symptom on a logarithmic axis; values below its end, and exact zeros, lie on its lower edge."""
    ax.plot(x, np.clip(y, *ylim), color=plots.COLOURS[0], linewidth=1.6)
    for limit in limits:
        ax.axhline(limit, color=plots.COLOURS[1], linestyle="--", linewidth=1.1)
    ax.set(yscale="log", ylim=ylim)
    ax.set_title(title, family="monospace", fontsize=9)
    ax.set_ylabel(ylabel, fontsize=8)
    ax.tick_params(labelsize=8)
    ax.xaxis.label.set_size(8)
    if not np.any(y):
        ax.text(0.5, 0.1, "exactly 0", transform=ax.transAxes, ha="center", color=plots.COLOURS[0])


def softmax_explorer(log_softmax: Callable, classes: Sequence[str], target: int = 2) -> None:
    """Show logits, probabilities and the surprise at the target, with a slider for each logit and one for the target.

    Arrows against the gradient start at the logits; they are drawn from what your `log_softmax` computes.

    classes: their names; target: the class at which its slider begins, counted from 1
    """
    indices = range(len(classes))
    curve = np.linspace(0.002, 1, 300)
    starts = np.linspace(2.0, 0.0, len(classes)).round().tolist()

    def draw(*values: float) -> Picture:
        logits, chosen = np.array(values[:-1], dtype=float), int(values[-1]) - 1
        p = np.exp(log_softmax(logits))
        gradient = p - np.eye(len(classes))[chosen]
        surprise = -float(log_softmax(logits)[chosen])
        logit_ax, probability_ax, surprise_ax = plots.new_row(width=9.3, height=3.2, count=3)
        shades = ["0.6" if index == chosen else "0.85" for index in indices]

        logit_ax.bar(indices, logits, color=shades)
        for index, logit, slope in zip(indices, logits, gradient, strict=True):
            if abs(slope) > 0.02:
                arrow = {"arrowstyle": "-|>", "color": plots.GRADIENT, "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0}
                logit_ax.annotate("", xy=(index, logit - 2 * slope), xytext=(index, logit), arrowprops=arrow)
            logit_ax.text(index, -6.3, f"{-slope:+.2f}".replace("-", "−"), ha="center", color=plots.GRADIENT)
        logit_ax.axhline(0, color="0.25", linewidth=0.8)
        logit_ax.set(title="logits, and where to move them", ylabel="logit z", ylim=(-6.8, 6.8))

        probability_ax.bar(indices, p, color=shades)
        for index, value in zip(indices, p, strict=True):
            probability_ax.text(index, value + 0.02, f"{value:.2f}", ha="center")
        probability_ax.set(title="probabilities", ylabel="p", ylim=(0, 1.12))

        surprise_ax.plot(curve, -np.log(curve), color=plots.COLOURS[0])
        surprise_ax.plot(p[chosen], surprise, "o", color=plots.COLOURS[0])
        surprise_ax.set(title=f"surprise at {classes[chosen]}: {surprise:.2f} nats", xlabel="p", ylabel="−log p")
        for ax in (logit_ax, probability_ax):
            ax.set_xticks(
                indices, labels=[f"{name}\n(target)" if i == chosen else name for i, name in enumerate(classes)]
            )
        parts = ", ".join(
            f"{name}: logit {z:g}, p {q:.2f}, moves by {-g:+.2f}"
            for name, z, q, g in zip(classes, logits, p, gradient, strict=True)
        )
        return picture(logit_ax, f"Target {classes[chosen]}, surprise {surprise:.2f} nats. {parts}.")

    sliders = {f"logit {name}": Range(-4.0, 4.0, start, 0.5) for name, start in zip(classes, starts, strict=True)}
    cards.show(Explorer(draw, {**sliders, "target": Range(1, len(classes), target)}))
