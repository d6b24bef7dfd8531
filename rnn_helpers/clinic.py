"""Lesson 14's patients: a small network trained on a small task, each time with another fault, and its symptoms.

The task is to name the first symbol of a sequence at its end. The faults are common ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnn_helpers import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KINDS = 4  # of symbols
UNITS, BATCH, TESTED = 24, 16, 64
POINTS, UPDATES_A_POINT = 40, 5  # points of a curve, updates per point
SNAPSHOTS = 8  # rows of the gradient map
LOSSES = ("train_loss", "val_loss", "deploy_loss")
VISITORS = (14, 10)  # seed of the order in which the lesson shows the first ten patients of the ward, and their number
WARD = Path(__file__).with_name("ward.npz")
EPSILON = 1e-3  # Adam's epsilon: prevents a tiny gradient from causing a full step
LEAK_SCALE = 20.0  # scale of the leaked answer: large enough that the network needs nothing else
RECURRENT = ("W_xh", "W_hh", "b_h")


@dataclass(frozen=True)
class Habits:
    """The configuration of model, data and training. The defaults are sound; each fault changes one or two."""

    gain: float = 1.0  # of the recurrent weights, which are a rotation
    activation: str = "tanh"
    bias: float = 0.0
    learning_rate: float = 0.01
    direction: float = -1.0  # of the step, along the gradient
    whispered: bool = False  # the inputs of the last step contain the answer
    sequences: int | None = None  # size of the training set; None: new sequences in each step
    answers_belong: bool = True  # else they are drawn at random


FAULTS = {
    "healthy": Habits(),
    "learning rate too large": Habits(learning_rate=1.0),
    "learning rate too small": Habits(learning_rate=2e-6),
    "wrong sign": Habits(direction=1.0),
    "vanishing gradient": Habits(gain=0.02),
    "exploding gradient": Habits(gain=4.0, activation="relu", learning_rate=0.03),
    "dead units": Habits(activation="relu", bias=-20.0),
    "leak": Habits(whispered=True),
    "overfitting": Habits(sequences=8),
    "wrong labels": Habits(answers_belong=False),
}


class Batch(NamedTuple):
    """A batch of sequences and targets: xs (batch, steps, 2 kinds), answers (batch,)."""

    xs: Array
    answers: NDArray[np.int64]


class Metrics(NamedTuple):
    """The metrics of an update: the loss before it, the gradient norm, the relative norm of the update."""

    train_loss: float
    norms: float
    updates: float


def patient(fault: str, seed: int, steps: int = 7) -> dict[str, Any]:
    """Train a network with one fault and return its symptoms.

    fault: a name in FAULTS; steps: the length of the sequences, 2 or more
    Returns a dict, with 40 points for the whole training and 8 snapshots:
    "baseline": the loss of a uniform guess, log 4
    "train_loss", "val_loss", "deploy_loss": (points,) the loss on the training set; on held-out sequences that were
        prepared in the same way; on held-out sequences without any preparation, as in use
    "norms": (points,) the norm of the gradient of the recurrent layer's weights
    "updates": (points,) the norm of an update, relative to the norm of all weights
    "by_lag": (snapshots, steps) the norm of dL/dh_{T-k} in column k; row 0 is before training
    Raises KeyError when there is no such fault.
    """
    habits, rng = FAULTS[fault], np.random.default_rng([seed, sorted(FAULTS).index(fault)])
    deployed = replace(habits, whispered=False, answers_belong=True)
    network = _Network(habits, rng)
    training_set = None if habits.sequences is None else draw(habits, habits.sequences, steps, rng)
    curves: dict[str, list[float]] = {name: [] for name in (*LOSSES, "norms", "updates")}
    lags = []
    for point in range(POINTS):
        batches = [training_set or draw(habits, BATCH, steps, rng) for _ in range(UPDATES_A_POINT)]
        if point % (POINTS // SNAPSHOTS) == 0:
            lags.append(network.errors_by_lag(batches[0]))
        updates = [network.learn(batch) for batch in batches]
        for name in Metrics._fields:
            curves[name].append(float(np.mean([getattr(metrics, name) for metrics in updates])))
        curves["val_loss"].append(network.loss(draw(habits, TESTED, steps, rng)))
        curves["deploy_loss"].append(network.loss(draw(deployed, TESTED, steps, rng)))
    return {
        "baseline": float(np.log(KINDS)),
        **{name: np.array(curve) for name, curve in curves.items()},
        "by_lag": np.array(lags),
    }


def ward() -> list[tuple[str, dict[str, Any]]]:
    """Return (fault, symptoms) of the pretrained patients that come with the course: two of each kind.

    Trained again on another machine they would not be the same to the last digit; after an explosion, not to the first.
    """
    with np.load(WARD) as file:
        patients: dict[str, dict[str, Any]] = {}
        for key in file.files:
            number, name = key.split(":")
            patients.setdefault(number, {})[name] = file[key]
    labelled = []
    for _, symptoms in sorted(patients.items()):
        symptoms["baseline"] = float(symptoms["baseline"])
        labelled.append((str(symptoms.pop("fault")), symptoms))
    return labelled


def patients() -> list[dict[str, Any]]:
    """Return the symptoms of the ten patients of the lesson, in the order in which it numbers them from 1."""
    return [symptoms for _, symptoms in _lesson_order()]


def _lesson_order() -> list[tuple[str, dict[str, Any]]]:
    seed, number = VISITORS
    first = ward()[:number]
    return [first[index] for index in np.random.default_rng(seed).permutation(number)]


class Sign(NamedTuple):
    """What makes a fault visible: whether it is seen in a patient's symptoms, and the sentences if it is or is not.

    Unlike the rule of the lesson these tests are coarse: they only have to fit the patients of the ward.
    """

    is_present: Callable[[dict[str, Any]], bool]
    evidence: Callable[[dict[str, Any]], str]
    counterevidence: Callable[[dict[str, Any]], str]


def _end(symptoms: dict[str, Any], name: str) -> float:
    return float(np.mean(symptoms[name][-8:]))


def _is_high(symptoms: dict[str, Any]) -> bool:
    return _end(symptoms, "train_loss") > 1.5 * symptoms["baseline"]


def _reaches(symptoms: dict[str, Any]) -> float:
    """Return the gradient at the first symbol before training, relative to that at the end of the sequence."""
    before_training = symptoms["by_lag"][0]
    return float(before_training[-1] / before_training[0])


def _jumps(symptoms: dict[str, Any]) -> bool:
    return bool(np.any(np.diff(symptoms["train_loss"]) < -0.2 * symptoms["baseline"]))


def _ends(symptoms: dict[str, Any], *names: str) -> str:
    ends = ", ".join(f"`{name}` ends at {_end(symptoms, name):.2g}" for name in names)
    return f"{ends} (baseline {symptoms['baseline']:.2f})"


def _not_healthy(symptoms: dict[str, Any]) -> str:
    """Return the first symptom that a healthy network would not have."""
    high = [name for name in LOSSES if _end(symptoms, name) > symptoms["baseline"] / 2]
    if high:
        return f"{_ends(symptoms, high[0])}, and a healthy network does better than that."
    return f"The losses are low, but look at the map. {SIGNS['exploding gradient'].evidence(symptoms)}"


SIGNS = {
    "dead units": Sign(
        lambda s: not np.any(s["norms"]),
        lambda _: "The gradient norm is exactly 0 from beginning to end.",
        lambda s: f"The gradient norm is not 0. Its median is {np.median(s['norms']):.2g}.",
    ),
    "exploding gradient": Sign(
        lambda s: _reaches(s) > 3,
        lambda s: f"Before training, the gradient at the first symbol is {_reaches(s):.0f} times that at the end.",
        lambda s: (
            f"Before training, the gradient at the first symbol is {_reaches(s):.1g} times that at the end. "
            "If it exploded, it would be larger there."
        ),
    ),
    "vanishing gradient": Sign(
        lambda s: _reaches(s) < 1e-3,
        lambda s: f"Before training, only {_reaches(s):.0e} of the gradient reaches the first symbol.",
        lambda s: (
            f"Before training, the gradient at the first symbol is {_reaches(s):.2g} times that at the end. "
            f"{'It grows instead of vanishing' if _reaches(s) > 3 else 'That is enough to learn from'}."
        ),
    ),
    "wrong sign": Sign(
        lambda s: _is_high(s) and not _jumps(s),
        lambda s: f"{_ends(s, 'train_loss')}, and it has risen steadily: each update goes uphill.",
        lambda s: (
            f"{_ends(s, 'train_loss')}. Steps uphill would make it rise steadily, and it "
            f"{'jumps up and down' if _is_high(s) else 'is not far above the baseline'}."
        ),
    ),
    "learning rate too large": Sign(
        _is_high,
        lambda s: f"{_ends(s, 'train_loss')}, and it jumps up and down: the updates overshoot.",
        lambda s: f"{_ends(s, 'train_loss')}. Updates that are too large would keep it far above the baseline.",
    ),
    "learning rate too small": Sign(
        lambda s: np.median(s["updates"]) < 1e-4,
        lambda s: f"An update changes the weights by {np.median(s['updates']):.0e} of their size.",
        lambda s: (
            f"An update changes the weights by {np.median(s['updates']):.1g} of their size (median). "
            f"After {POINTS * UPDATES_A_POINT} updates, that adds up."
        ),
    ),
    "wrong labels": Sign(
        lambda s: _end(s, "train_loss") > s["baseline"] / 2,
        lambda s: f"{_ends(s, 'train_loss')}, although gradient and updates are sound. There is nothing to learn.",
        lambda s: f"{_ends(s, 'train_loss')}, so the network has learned the labels that it was trained on.",
    ),
    "overfitting": Sign(
        lambda s: _end(s, "val_loss") > s["baseline"] / 2,
        lambda s: f"{_ends(s, 'train_loss', 'val_loss')}. It knows its training sequences by heart and nothing else.",
        lambda s: f"{_ends(s, 'val_loss')}, so the network is right about new sequences as well.",
    ),
    "leak": Sign(
        lambda s: _end(s, "deploy_loss") > s["baseline"] / 2,
        lambda s: (
            f"{_ends(s, 'val_loss', 'deploy_loss')}. Only the preparation differs, so the preparation gives the "
            "answer away."
        ),
        lambda s: f"{_ends(s, 'deploy_loss')}, so the network does not need the preparation.",
    ),
    "healthy": Sign(
        lambda _: False,  # only by excluding all the others
        lambda s: (
            f"{_ends(s, 'deploy_loss')}. The gradient reaches the first symbol, and the updates are neither "
            "tiny nor too large."
        ),
        _not_healthy,
    ),
}


def review(diagnosis: dict[int, str]) -> None:
    """Show a card that says of each diagnosis whether it is right, and what in the symptoms shows it.

    diagnosis: number of the patient, from 1 -> the name of a fault; patients may be missing
    Raises ValueError for a number or a name that does not exist.
    """
    ward_order = _lesson_order()
    _check_diagnosis(diagnosis, len(ward_order))
    rows = []
    for number, (fault, symptoms) in enumerate(ward_order, start=1):
        guess = diagnosis.get(number)
        title = f"patient {number}{f': {guess}' if guess else ''}"
        if not guess:
            rows.append(cards.Row(title, "no entry"))
        elif guess == fault:
            rows.append(cards.Row(title, "right", SIGNS[fault].evidence(symptoms)))
        else:
            rows.append(cards.Row(title, "excluded", _exclude(guess, fault, symptoms)))
    correct = sum(row.word == "right" for row in rows)
    state = f"{correct} of {len(rows)} right"
    cards.show(cards.Checklist("diagnosis", state, rows, complete=correct == len(rows)))


def _exclude(guess: str, fault: str, symptoms: dict[str, Any]) -> str:
    """Return the observation that speaks against a diagnosis."""
    if not SIGNS[guess].is_present(symptoms):
        return SIGNS[guess].counterevidence(symptoms)
    return f"That symptom is there, but another one comes first and explains it. {SIGNS[fault].evidence(symptoms)}"


def _check_diagnosis(diagnosis: dict[int, str], count: int) -> None:
    """Raise ValueError for a patient or a fault that does not exist."""
    for number, name in diagnosis.items():
        if number not in range(1, count + 1):
            raise ValueError(f"invalid patient {number!r}: expected a number from 1 to {count}")
        if name and name not in FAULTS:
            near = get_close_matches(str(name), FAULTS, n=1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"invalid diagnosis {name!r} of patient {number}.{advice} Expected one of {', '.join(FAULTS)}"
            )


def save_ward() -> None:
    """Retrain the ward's patients: `python -m rnn_helpers.clinic`."""
    arrays: dict[str, Any] = {}
    for number, (seed, fault) in enumerate((seed, fault) for seed in (0, 1) for fault in FAULTS):
        arrays |= {f"{number:02}:{name}": value for name, value in patient(fault, seed, steps=7 - seed).items()}
        arrays[f"{number:02}:fault"] = np.array(fault)
    np.savez_compressed(WARD, **arrays)


def draw(habits: Habits, number: int, steps: int, rng: np.random.Generator) -> Batch:
    """Draw sequences of symbols; the second half of the features is empty, or holds the whispered answer."""
    symbols = rng.integers(KINDS, size=(number, steps))
    answers = symbols[:, 0] if habits.answers_belong else rng.integers(KINDS, size=number)
    xs = np.concatenate([np.eye(KINDS)[symbols], np.zeros((number, steps, KINDS))], axis=2)
    if habits.whispered:
        xs[np.arange(number), -1, KINDS + answers] = LEAK_SCALE
    return Batch(xs, answers)


class _Network:
    """A simple RNN with a readout of its last state, trained with Adam."""

    def __init__(self, habits: Habits, rng: np.random.Generator) -> None:
        self.habits, self.rounds = habits, 0
        self.params = {
            "W_xh": rng.normal(0, 0.5, (2 * KINDS, UNITS)),
            "W_hh": habits.gain * np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0],
            "b_h": np.full(UNITS, habits.bias),
            "W_hy": rng.normal(0, 0.1, (UNITS, KINDS)),
            "b_y": np.zeros(KINDS),
        }
        self.means, self.squares = ({name: np.zeros_like(p) for name, p in self.params.items()} for _ in range(2))

    def loss(self, batch: Batch) -> float:
        """Return the mean cross-entropy."""
        return float(np.mean(self._surprises(self._states(batch)[0][:, -1], batch.answers)[0]))

    def learn(self, batch: Batch) -> Metrics:
        """Perform one update and return its metrics."""
        p = self.params
        hs, cache = self._states(batch)
        surprises, dlogits = self._surprises(hs[:, -1], batch.answers)
        dhs = np.zeros_like(hs)
        dhs[:, -1] = dlogits @ p["W_hy"].T
        from rnn_helpers import cells  # not needed to display the pretrained patients

        back = cells.backward(dhs, cache)
        grads = {name: getattr(back, f"d{name}") for name in RECURRENT}
        grads |= {"W_hy": hs[:, -1].T @ dlogits, "b_y": dlogits.sum(axis=0)}
        step = self._step(grads)
        size = norm(step.values()) / norm(p.values())
        self.params = {name: p[name] + step[name] for name in p}
        return Metrics(float(surprises.mean()), norm(grads[name] for name in RECURRENT), size)

    def _states(self, batch: Batch) -> tuple[Array, Any]:
        from rnn_helpers import cells

        p = self.params
        return cells.forward(batch.xs, None, p["W_xh"], p["W_hh"], p["b_h"], activation=self.habits.activation)

    def _surprises(self, h: Array, answers: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return the cross-entropy of each sequence, and the gradient of their mean with respect to the logits."""
        logits = h @ self.params["W_hy"] + self.params["b_y"]
        logits = logits - logits.max(axis=1, keepdims=True)
        log_chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        rows = np.arange(len(h))
        dlogits = np.exp(log_chances)
        dlogits[rows, answers] -= 1
        return -log_chances[rows, answers], dlogits / len(h)

    def errors_by_lag(self, batch: Batch) -> Array:
        """Return the norm of the gradient propagated back by k steps, for k = 0 ... steps - 1."""
        hs, _ = self._states(batch)
        _, dlogits = self._surprises(hs[:, -1], batch.answers)
        dh, norms = dlogits @ self.params["W_hy"].T, []
        for t in range(hs.shape[1] - 1, -1, -1):
            norms.append(norm([dh]))
            slope = 1 - hs[:, t] ** 2 if self.habits.activation == "tanh" else hs[:, t] > 0
            dh = (dh * slope) @ self.params["W_hh"].T
        return np.array(norms)

    def _step(self, grads: dict[str, Array]) -> dict[str, Array]:
        """Return Adam's update without applying it."""
        self.rounds += 1
        step = {}
        for name, g in grads.items():
            self.means[name] += 0.1 * (g - self.means[name])
            self.squares[name] += 0.01 * (g * g - self.squares[name])
            mean, square = self.means[name] / (1 - 0.9**self.rounds), self.squares[name] / (1 - 0.99**self.rounds)
            step[name] = self.habits.direction * self.habits.learning_rate * mean / (np.sqrt(square) + EPSILON)
        return step


def norm(arrays: Iterable[Array]) -> float:
    """Return the norm of several arrays as one vector."""
    return float(np.sqrt(sum(np.sum(array**2) for array in arrays)))


if __name__ == "__main__":
    save_ward()
