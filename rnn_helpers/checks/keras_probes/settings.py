"""Read what a model says of its layers and its training. Only the words of a card depend on it, never points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnn_helpers.checks import findings
from rnn_helpers.checks.colocate import run_colocated
from rnn_helpers.checks.keras_probes import inspection

OPTIONS = ("units", "return_sequences", "go_backwards", "stateful", "use_bias", "input_dim", "output_dim", "activation")
CELLS = ("SimpleRNN", "LSTM", "GRU")
RECURRENT = (*CELLS, "RNN", "SimpleRNNCell", "LSTMCell", "GRUCell", "ConvLSTM1D")
ACTIVATION_LAYERS = {"Softmax": "softmax", "ReLU": "ReLU", "LeakyReLU": "leaky ReLU", "ELU": "elu"}
OTHER_LOSSES = {  # name in lower case without underscores -> name in Keras
    "meansquarederror": "MeanSquaredError",
    "meanabsoluteerror": "MeanAbsoluteError",
    "meanabsolutepercentageerror": "MeanAbsolutePercentageError",
    "meansquaredlogarithmicerror": "MeanSquaredLogarithmicError",
    "huber": "Huber",
    "logcosh": "LogCosh",
    "hinge": "Hinge",
    "squaredhinge": "SquaredHinge",
    "categoricalhinge": "CategoricalHinge",
    "kldivergence": "KLDivergence",
    "poisson": "Poisson",
    "cosinesimilarity": "CosineSimilarity",
    "binarycrossentropy": "BinaryCrossentropy",
}
Settings = dict[str, Any]


def layers_of(model: Any) -> list[Settings]:
    """Return the class and the OPTIONS of each layer, those inside other layers included, in order."""
    settings: list[Settings] = run_colocated(model, f"{__name__}:read_layers", model)
    return settings


def read_layers(model: Any) -> list[Settings]:
    """Read the layers in the process of the model, and "custom" for each whose class is not one of Keras' own.

    calls: how often the layer is called in a functional model
    """
    model_itself, *layers = [_read_layer(layer) for layer in _flat(model)]
    return [*([model_itself] if model_itself["custom"] else []), *layers]


def _flat(layer: Any) -> Iterator[Any]:
    yield layer
    if any(kind.__name__ in CELLS for kind in type(layer).__mro__):
        return
    inner = list(getattr(layer, "layers", [])) or [
        getattr(layer, name) for name in ("forward_layer", "backward_layer", "layer", "cell") if hasattr(layer, name)
    ]
    for child in inner:
        yield from _flat(child)


def _read_layer(layer: Any) -> Settings:
    read = {name: getattr(layer, name) for name in OPTIONS if hasattr(layer, name)}
    if "activation" in read:
        read["activation"] = getattr(read["activation"], "__name__", "")
    layer_class, *parents = [kind for kind in type(layer).__mro__ if kind is not object]
    of_keras = next((kind for kind in (layer_class, *parents) if _is_of_keras(kind)), layer_class)
    calls = len(getattr(layer, "_inbound_nodes", ()))
    return {"class": of_keras.__name__, "custom": not _is_of_keras(layer_class), "calls": calls, **read}


def _is_of_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


def training_of(model: Any) -> Settings:
    """Return how a model is compiled and was fitted: see `read_training`."""
    settings: Settings = run_colocated(model, f"{__name__}:read_training", model)
    return settings


def read_training(model: Any) -> Settings:
    """Return the loss, the optimizer and the last fit of a model, read in its process.

    loss: its name in lower case without underscores; from_logits: of a loss that has it, else False
    optimizer: its class; rate: the learning rate, None for a schedule; iterations: training steps recorded
    epochs, steps: epochs that the last fit ran, and training steps in each; 0 if there was none
    """
    if not model.compiled:
        return {"compiled": False}
    loss, optimizer = model.loss, model.optimizer
    history = getattr(model, "history", None)
    return {
        "compiled": True,
        "loss": _loss_name(loss),
        "from_logits": bool(_loss_config(loss).get("from_logits", False)),
        "optimizer": type(optimizer).__name__,
        "rate": _constant_rate(optimizer),
        "iterations": int(optimizer.iterations),
        "trainable": len(model.trainable_weights),
        "epochs": len(getattr(history, "epoch", ())),
        "steps": int((getattr(history, "params", None) or {}).get("steps") or 0),
    }


def _constant_rate(optimizer: Any) -> float | None:
    """Return the learning rate; None for a schedule, which may begin at 0."""
    from rnn_helpers.quietly import keras

    rate = getattr(optimizer, "_learning_rate", None)
    is_schedule = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    return None if is_schedule else float(optimizer.learning_rate)


def _loss_name(loss: Any) -> str:
    from rnn_helpers.quietly import keras

    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", "") or type(loss).__name__
    return name.replace("_", "").lower()


def _loss_config(loss: Any) -> dict:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return config if isinstance(config, dict) else {}


def find_compilation_fault(model: Any, outputs_are_probabilities: bool) -> str:
    """Return what is wrong with how a model for integer targets is compiled, as far as its settings single it out."""
    training = training_of(model)
    if not training["compiled"]:
        return findings.NOT_COMPILED
    loss = training["loss"]
    if loss == "categoricalcrossentropy":
        return findings.LOSS_TAKES_ONE_HOT
    if loss in OTHER_LOSSES:
        return findings.OTHER_LOSS.format(actual=OTHER_LOSSES[loss], expected="SparseCategoricalCrossentropy")
    if loss == "sparsecategoricalcrossentropy":
        if outputs_are_probabilities:
            return findings.LOGITS_FOR_SOFTMAX if training["from_logits"] else findings.PROBABILITIES
        if not training["from_logits"]:
            return findings.FROM_LOGITS_MISSING
    return find_frozen_training(training)


def find_frozen_training(training: Settings) -> str:
    """Return why training cannot change a compiled model, as far as its settings say so."""
    if training["trainable"] == 0:
        return findings.NOTHING_TRAINABLE
    return findings.RATE_ZERO if training["rate"] == 0 else ""


def recurrent_layers(layers: list[Settings]) -> list[Settings]:
    """Return those layers that are recurrent."""
    return [layer for layer in layers if layer["class"] in RECURRENT]


def lacks_recurrence(layers: list[Settings]) -> bool:
    """Return whether a model has no recurrent layer, and none whose class is not known."""
    return not recurrent_layers(layers) and not any(layer["custom"] or layer["class"] == "Lambda" for layer in layers)


def top_activation(layers: list[Settings]) -> str:
    """Return the activation of the last layer, "" if it has none or is not known."""
    last = layers[-1]
    if last["class"] in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[last["class"]]
    return "" if last.get("activation", "linear") == "linear" else last["activation"]


def find_top_fault(layers: list[Settings], outputs: np.ndarray) -> str:
    """Return what stands between the logits and the outputs (batch, steps, classes), as far as it is known."""
    if inspection.allclose(outputs.sum(axis=1), np.ones_like(outputs[:, 0]), 1e-3):
        return findings.SOFTMAX_OVER_STEPS
    activation = top_activation(layers)
    return findings.ACTIVATION_ON_TOP.format(actual=activation) if activation else ""
