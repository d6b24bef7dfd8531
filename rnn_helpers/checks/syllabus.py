"""Title, content and duration of each lesson.

They are the source for the README's table, `progress()`, the start page and the links between lessons.
"""

from __future__ import annotations

from typing import NamedTuple


class Lesson(NamedTuple):
    """A row of the README's table.

    title: as in the README, without the number; builds: what students build; minutes: the approximate duration
    """

    title: str
    builds: str
    minutes: int


LESSONS = {
    "00_start_here": Lesson("start here", "a memory made of one number", 35),
    "01_recurrence": Lesson(
        "the recurrence", "one step, whole sequences, a delay line, a latch and a counter, `class SimpleRNN`", 150
    ),
    "02_unrolling": Lesson("unrolling", "the gradient of a shared weight, padding and masks, the last real state", 110),
    "03_loss": Lesson("the loss", "log-softmax, cross-entropy over time and its gradient, baselines", 125),
    "04_bptt": Lesson(
        "backpropagation through time", "the gradient of a step, a sequence, a network, and its parts by lag", 270
    ),
    "05_training": Lesson(
        "training", "a gradient checker, a bug hunt, Adam, clipping, the training step; a network that writes", 210
    ),
    "06_gradient_bound": Lesson(
        "the gradient bound", "Jacobians, a decision by the bound, the Lyapunov exponent, two counterexamples", 170
    ),
    "07_remedies": Lesson(
        "remedies", "the adding problem, orthogonal starts, truncated BPTT, overlapping windows, an experiment", 165
    ),
    "08_keras": Lesson(
        "Keras",
        "weights both ways, a layer's answer in NumPy, models that stop in time, save and load, stateful layers",
        190,
    ),
    "09_time_series": Lesson(
        "time series",
        "naive forecasts first, windows, an honest split, a choice by validation, a network on sunspots, differences",
        215,
    ),
    "10_language_model": Lesson(
        "a language model",
        "batches that continue each other, a stateful model, bits per character, sampling, the loop that writes",
        150,
    ),
    "11_speech": Lesson(
        "speech",
        "frame error rates, stacked and bidirectional layers, a recogniser of spoken digits, CTC's forward sum",
        165,
    ),
    "12_sequence_to_sequence": Lesson(
        "sequence to sequence",
        "teacher forcing without a leak, an encoder-decoder that learns to add, greedy and beam search, attention",
        150,
    ),
    "13_gates": Lesson(
        "gates",
        "LSTM and GRU step by step, backpropagation through gates, which gate earns its weights, when gates pay",
        190,
    ),
    "14_clinic": Lesson(
        "clinic",
        "a diagnosis from the symptoms, a script with three faults, attention and its gradients, alignments",
        190,
    ),
    "15_recurrence_returns": Lesson(
        "recurrence returns",
        "a scan in log2 T rounds, minGRU, linear attention, the delta rule; what they hold and what they cannot do",
        130,
    ),
}


def short_title(name: str) -> str:
    """Return the title of a lesson in lists: "01 · The recurrence"."""
    title = LESSONS[name].title
    return f"{name[:2]} · {title[0].upper()}{title[1:]}"


def next_lesson(name: str) -> str:
    """Return the name of the lesson after this one, or "" if there is none."""
    names = list(LESSONS)
    return names[names.index(name) + 1] if name in names[:-1] else ""


def table() -> list[str]:
    """Return the rows of the README's table."""
    return [f"| {name[:2]} {lesson.title} | {lesson.builds} | {lesson.minutes} |" for name, lesson in LESSONS.items()]
