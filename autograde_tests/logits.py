"""What the exercises share that ask for a compiled model whose outputs are logits, one for each class at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograde_tests.exercise import Mistake

ANY = "its outputs may be any number"
COMPILED, LOSS = "it is compiled", "its loss takes logits and whole numbers"


def compiled(model: Any, rate: float, loss: str = "logits") -> Any:
    """Compile a model as the lessons ask for it, and return it. loss: what it takes outputs for, or "probabilities"."""
    from rnn_helpers.quietly import keras

    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=loss == "logits")
    model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0), loss=entropy)
    return model


def output_mistakes(build: Callable, bounded: tuple[str, ...], learnt: tuple[str, ...]) -> tuple[Mistake, ...]:
    """Return what can be wrong between the outputs and the loss.

    build: makes the model; takes `top`, an activation, and `loss`, as in `compiled`
    bounded: the claims that fail for outputs that are probabilities; learnt: those that fail for want of training
    """
    return (
        Mistake(
            "a softmax stands on top and the loss takes its outputs for logits: the softmax is applied twice",
            lambda *a: build(*a, top="softmax"),
            (*bounded, *learnt),
        ),
        Mistake(
            "the model gives probabilities; logits are asked for, and a loss with from_logits=True",
            lambda *a: build(*a, top="softmax", loss="probabilities"),
            (*bounded, LOSS, *learnt),
        ),
        Mistake(
            "the loss takes the logits for probabilities: from_logits=True is missing",
            lambda *a: build(*a, loss="probabilities"),
            (LOSS, *learnt),
        ),
    )
