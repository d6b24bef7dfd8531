"""Lesson 04's gradients, checked three ways: central differences, automatic differentiation, and their own parts."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_code import definitions

NAMES = ("W_xh", "W_hh", "b_h")
SIZES = (3, 6, 2, 5)  # batch, steps, features, units


@pytest.fixture(scope="module")
def lesson() -> dict:
    return definitions("solutions", "04_bptt")


@pytest.fixture(scope="module")
def network() -> dict:
    rng = np.random.default_rng(8)
    batch, steps, features, units = SIZES
    return {
        "xs": rng.normal(size=(batch, steps, features)),
        "mask": np.arange(steps) < np.array([[6], [4], [1]]),
        "h_0": rng.normal(size=(batch, units)),
        "W_xh": rng.normal(size=(features, units)),
        "W_hh": 0.7 * rng.normal(size=(units, units)),
        "b_h": rng.normal(size=units),
        "dhs": rng.normal(size=(batch, steps, units)),
    }


def student_gradients(lesson: dict, network: dict) -> dict:
    n = network
    hs = lesson["rnn_forward_masked"](n["xs"], n["mask"], n["h_0"], n["W_xh"], n["W_hh"], n["b_h"])
    return lesson["rnn_backward"](n["dhs"], (n["xs"], n["mask"], n["h_0"], hs, n["W_xh"], n["W_hh"]))


@pytest.mark.parametrize("name", [*NAMES, "h_0", "xs"])
def test_central_differences_agree(lesson: dict, network: dict, name: str) -> None:
    """Rounding leaves 1e-16 / eps = 1e-10 and the curve eps^2 = 1e-12, so 1e-6 has room to spare."""
    gradient = student_gradients(lesson, network)["d" + name]

    def total(moved: np.ndarray) -> float:
        n = {**network, name: moved}
        hs = lesson["rnn_forward_masked"](n["xs"], n["mask"], n["h_0"], n["W_xh"], n["W_hh"], n["b_h"])
        return float(np.sum(network["dhs"] * hs))

    training = definitions("solutions", "05_training")
    measured = training["numerical_gradient"](total, network[name])
    assert training["relative_error"](gradient, measured) <= 1e-6


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own imports
def test_tensorflow_differentiates_keras_own_layer_to_the_same_numbers(lesson: dict, network: dict) -> None:
    import keras
    import tensorflow as tf

    n = network
    layer = keras.layers.SimpleRNN(SIZES[3], return_sequences=True, dtype="float64")
    layer.build(n["xs"].shape)
    variables = dict(zip(NAMES, (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias), strict=True))
    for name, variable in variables.items():
        variable.assign(n[name])
    with tf.GradientTape() as tape:
        states = layer(tf.constant(n["xs"]), initial_state=tf.constant(n["h_0"]), mask=tf.constant(n["mask"]))
        loss = tf.reduce_sum(states * n["dhs"])
    taped = tape.gradient(loss, [variable.value for variable in variables.values()])
    ours = student_gradients(lesson, network)
    for name, gradient in zip(NAMES, taped, strict=True):
        assert np.abs(ours["d" + name] - gradient.numpy()).max() <= 1e-12 * np.abs(gradient.numpy()).max(), name


def test_the_lags_add_up_to_the_whole(lesson: dict, network: dict) -> None:
    n = {**network, "mask": np.ones_like(network["mask"])}
    hs = lesson["rnn_forward_masked"](n["xs"], n["mask"], n["h_0"], n["W_xh"], n["W_hh"], n["b_h"])
    by_lag = lesson["gradient_by_lag"](n["dhs"], (n["xs"], n["h_0"], hs, n["W_xh"], n["W_hh"]))
    whole = student_gradients(lesson, n)["dW_hh"]
    assert np.abs(by_lag.sum(axis=0) - whole).max() <= 1e-13 * np.abs(whole).max()


def test_the_loss_gradient_is_the_slope_of_the_loss() -> None:
    loss, training = definitions("solutions", "03_loss"), definitions("solutions", "05_training")
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(2, 4, 3)), rng.integers(0, 3, size=(2, 4))
    mask = np.arange(4) < np.array([[4], [2]])
    measured = training["numerical_gradient"](lambda z: loss["sequence_cross_entropy"](z, targets, mask), logits)
    ours = loss["cross_entropy_gradient"](logits, targets, mask)
    assert training["relative_error"](ours, measured) <= 1e-6


def test_two_hundred_random_networks_obey_the_bound() -> None:
    names = definitions("solutions", "06_gradient_bound")
    rng = np.random.default_rng(4)
    for _ in range(200):
        W_hh = rng.uniform(0.1, 3) * rng.normal(size=(6, 6)) / np.sqrt(6)
        hs = names["states"](W_hh, rng.normal(size=(8, 6)))
        norm = np.linalg.norm(names["jacobian_product"](hs, 0, 8, W_hh), 2)
        assert norm <= names["gradient_bound"](W_hh, 1.0, 8) * (1 + 1e-12)


def test_the_bound_is_reached_by_a_rotation_at_rest() -> None:
    names, remedies = definitions("solutions", "06_gradient_bound"), definitions("solutions", "07_remedies")
    W_hh = 1.3 * remedies["orthogonal"](6, np.random.default_rng(0))
    norm = np.linalg.norm(names["jacobian_product"](np.zeros((9, 6)), 0, 9, W_hh), 2)
    assert norm == pytest.approx(names["gradient_bound"](W_hh, 1.0, 9), rel=1e-12)
