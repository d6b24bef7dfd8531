"""Train the network of lesson 00 and write rnn_helpers/storyteller.npz: `python -m tools.storyteller`.

A simple RNN, the kind that lessons 01 to 05 build, learns to predict the next character of *Alice in Wonderland*. It
spells poorly, but it shows what the course's own equation can do. It takes a few minutes on one core.

Some units start as leaky buckets without a hole: each keeps its own value and is fed by no other unit. Training may
then change every weight. The idea is that of Mikolov et al. (2015) and of Le, Jaitly and Hinton (2015). It is why one
unit is readable: `python -m tools.storyteller --no-buckets` trains the same network without, writes nothing, and prints
how closely its best unit follows quotations.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_helpers import cells, data
from rnn_helpers.storyteller import HELD_OUT, PARAMETERS, WEIGHTS, inside_quotation

UNITS, BUCKETS = 256, 64
RECURRENT_GAIN = 0.7  # of the other units: below 1, so that old characters do not drown new ones
BATCH, STEPS, EPOCHS = 16, 80, 45  # STEPS is the length of a truncated window; the state is carried over
KEEP = 0.7  # dropout before the output layer: the share of units that stays
LEARNING_RATE, WARM_UP, MAX_NORM = 0.0015, 100, 1.0
BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8  # of Adam
SEED = 0

Array = NDArray[Any]
Parameters = dict[str, Array]


def main() -> None:
    """Train, choose the unit on the training text, and report both measures on held-out text."""
    buckets = 0 if "--no-buckets" in sys.argv else BUCKETS
    text = data.alice()
    alphabet = "".join(sorted(set(text)))
    cut = int(len(text) * (1 - HELD_OUT))
    codes = np.array([alphabet.index(character) for character in text])
    params = train(codes[:cut], len(alphabet), buckets)
    params = {name: values.astype(np.float16).astype(np.float32) for name, values in params.items()}  # as stored
    correlations = quote_correlations(params, codes[:cut], text[:cut])
    unit = int(np.argmax(np.abs(correlations)))
    held_out = quote_correlations(params, codes[cut:], text[cut:])[unit]
    print(f"held out: {bits_per_character(params, codes[cut:]):.3f} bits per character")
    print(f"unit {unit}: correlation with quotations {correlations[unit]:.3f}, held out {held_out:.3f}")
    if not buckets:
        return
    stored: dict[str, Any] = {name: params[name].astype(np.float16) for name in PARAMETERS}
    stored |= {"alphabet": alphabet, "quote_unit": unit, "quote_sign": int(np.sign(correlations[unit]))}
    np.savez_compressed(WEIGHTS, **stored)
    print(f"{WEIGHTS.stat().st_size} bytes in {WEIGHTS}")


def initial_parameters(characters: int, buckets: int, rng: np.random.Generator) -> Parameters:
    """Return the weights before training; the first units start as buckets."""
    recurrent_units = UNITS - buckets
    W_hh = np.eye(UNITS)
    W_hh[buckets:, buckets:] = RECURRENT_GAIN * np.linalg.qr(rng.normal(size=(recurrent_units, recurrent_units)))[0]
    scale = np.where(np.arange(UNITS) < buckets, 0.1, 0.8)  # small drops, so that a bucket is not full at once
    params = {
        "W_xh": rng.normal(size=(characters, UNITS)) * scale,
        "W_hh": W_hh,
        "b_h": np.zeros(UNITS),
        "W_hy": 0.05 * rng.normal(size=(UNITS, characters)),
        "b_y": np.zeros(characters),
    }
    return {name: values.astype(np.float32) for name, values in params.items()}


def train(codes: Array, characters: int, buckets: int) -> Parameters:
    """Return the trained parameters; the learning rate falls linearly to zero."""
    rng = np.random.default_rng(SEED)
    params = initial_parameters(characters, buckets, rng)
    moments = {name: (np.zeros_like(values), np.zeros_like(values)) for name, values in params.items()}
    workspace = cells.Workspace(BATCH, STEPS, characters, UNITS, np.float32)
    updates = EPOCHS * len(list(windows(codes, 0)))
    update = 0
    for epoch in range(EPOCHS):
        h, losses = np.zeros((BATCH, UNITS), np.float32), []
        for inputs, targets in windows(codes, int(rng.integers(len(codes)))):
            loss, gradients, h = loss_and_gradients(params, inputs, targets, h, rng, workspace)
            losses.append(loss)
            update += 1
            rate = LEARNING_RATE * min(1, update / WARM_UP) * (1 - update / (updates + 1))
            adam_step(params, gradients, moments, rate, update)
        print(f"epoch {epoch + 1}: {np.mean(losses):.3f} bits per character", flush=True)
    return params


def windows(codes: Array, shift: int) -> Iterator[tuple[Array, Array]]:
    """Yield inputs and targets of consecutive windows, (batch, steps) each; every row continues in the next window."""
    rolled = np.roll(codes, -shift)
    length = (len(codes) - 1) // BATCH // STEPS * STEPS
    inputs = rolled[: BATCH * length].reshape(BATCH, length)
    targets = rolled[1 : BATCH * length + 1].reshape(BATCH, length)
    for start in range(0, length, STEPS):
        yield inputs[:, start : start + STEPS], targets[:, start : start + STEPS]


def loss_and_gradients(
    params: Parameters, inputs: Array, targets: Array, h_0: Array, rng: np.random.Generator, workspace: cells.Workspace
) -> tuple[float, Parameters, Array]:
    """Return the mean loss in bits, its gradients (in nats), and the last hidden state."""
    one_hot = np.eye(len(params["b_y"]), dtype=np.float32)
    hs, cache = cells.forward(one_hot[inputs], h_0, *recurrent(params), workspace=workspace)
    last = hs[:, -1].copy()
    dropout = ((rng.random(hs.shape) < KEEP) / KEEP).astype(np.float32)
    rows = (hs * dropout).reshape(-1, UNITS)
    log_p = log_softmax(rows @ params["W_hy"] + params["b_y"])
    correct = (np.arange(len(rows)), targets.reshape(-1))
    dlogits = np.exp(log_p)
    dlogits[correct] -= 1
    dlogits /= len(rows)
    gradients = cells.backward((dlogits @ params["W_hy"].T).reshape(hs.shape) * dropout, cache)
    named = {"W_xh": gradients.dW_xh, "W_hh": gradients.dW_hh, "b_h": gradients.db_h}
    named |= {"W_hy": rows.T @ dlogits, "b_y": dlogits.sum(axis=0)}
    return -float(log_p[correct].mean()) / np.log(2), named, last


def adam_step(params: Parameters, gradients: Parameters, moments: dict[str, Any], rate: float, update: int) -> None:
    """Clip the gradients by their global norm and update the parameters in place with Adam."""
    norm = np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
    for name, gradient in gradients.items():
        clipped = gradient * np.float32(min(1, MAX_NORM / norm))
        mean, square = moments[name]
        mean += np.float32(1 - BETA_1) * (clipped - mean)
        square += np.float32(1 - BETA_2) * (clipped**2 - square)
        step = (mean / (1 - BETA_1**update)) / (np.sqrt(square / (1 - BETA_2**update)) + EPSILON)
        params[name] -= (rate * step).astype(np.float32)


def recurrent(params: Parameters) -> tuple[Array, Array, Array]:
    """Return W_xh, W_hh and b_h."""
    return params["W_xh"], params["W_hh"], params["b_h"]


def log_softmax(logits: Array) -> Array:
    """Return the logarithm of the softmax of each row."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def states(params: Parameters, codes: Array) -> Array:
    """Return the hidden states over one long sequence: (characters, units)."""
    one_hot = np.eye(len(params["b_y"]), dtype=np.float32)
    return cells.forward(one_hot[codes][None], None, *recurrent(params))[0][0]


def bits_per_character(params: Parameters, codes: Array) -> float:
    """Return the mean loss of the next character in bits."""
    log_p = log_softmax(states(params, codes[:-1]) @ params["W_hy"] + params["b_y"])
    return -float(log_p[np.arange(len(log_p)), codes[1:]].mean()) / np.log(2)


def quote_correlations(params: Parameters, codes: Array, text: str) -> Array:
    """Return each unit's correlation with being inside a quotation: (units,)."""
    inside = inside_quotation(text)
    return np.array([np.corrcoef(unit, inside)[0, 1] for unit in states(params, codes).T])


if __name__ == "__main__":
    main()
