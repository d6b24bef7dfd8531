"""Lesson 01's table of notations, held against Keras' own layer and against columns."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_code import definitions

SIZES = {"batch": 4, "steps": 7, "features": 3, "units": 5}


def inputs(dtype: str) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(11)
    batch, steps, features, units = SIZES.values()
    shapes = [(batch, steps, features), (batch, units), (features, units), (units, units), (units,)]
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def keras_states(xs, h_0, W_xh, W_hh, b_h, mask=None) -> np.ndarray:
    import keras

    layer = keras.layers.SimpleRNN(SIZES["units"], return_sequences=True, dtype=xs.dtype.name)
    layer.build(xs.shape)
    layer.cell.kernel.assign(W_xh)
    layer.cell.recurrent_kernel.assign(W_hh)
    layer.cell.bias.assign(b_h)
    return np.asarray(layer(xs, initial_state=h_0, mask=mask))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
def test_keras_gives_the_same_states_with_the_same_weights(dtype: str, tolerance: float) -> None:
    """float32 carries 7 digits and states are below 1; float64 carries 16 and seven steps lose few of them."""
    given = inputs(dtype)
    states = definitions("solutions", "01_recurrence")["rnn_forward"](*given)
    assert np.abs(states - keras_states(*given)).max() <= tolerance


def test_keras_keeps_the_state_where_the_mask_is_off() -> None:
    xs, h_0, *weights = inputs("float64")
    mask = np.arange(SIZES["steps"]) < np.array([[7], [5], [2], [1]])
    states = definitions("solutions", "02_unrolling")["rnn_forward_masked"](xs, mask, h_0, *weights)
    assert np.abs(states - keras_states(xs, h_0, *weights, mask=mask)).max() <= 1e-12


def test_columns_are_the_transpose_of_rows() -> None:
    xs, h_0, W_xh, W_hh, b_h = inputs("float64")
    step = definitions("solutions", "01_recurrence")["rnn_step"]
    columns = np.tanh(W_xh.T @ xs[:, 0].T + W_hh.T @ h_0.T + b_h[:, None])
    assert np.abs(columns.T - step(xs[:, 0], h_0, W_xh, W_hh, b_h)).max() <= 1e-14


def test_our_cells_agree_with_the_students() -> None:
    from rnn_helpers import cells

    given = inputs("float64")
    states, _ = cells.forward(*given)
    assert np.abs(states - definitions("solutions", "01_recurrence")["rnn_forward"](*given)).max() <= 1e-14


SWITCHES = ("return_sequences", "return_state", "mask", "initial_state")


def settings() -> list[tuple[str, ...]]:
    """Return every set of switches."""
    return [tuple(name for bit, name in enumerate(SWITCHES) if number >> bit & 1) for number in range(16)]


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_lesson_08_gives_what_keras_gives_whatever_the_switches(activation: str, dtype: str, tolerance: float) -> None:
    """The same tolerances as above; ReLU states are kept near 1 by smaller weights."""
    from rnn_helpers.checks.keras_probes.inspection import as_numpy
    from rnn_helpers.quietly import keras

    lesson = definitions("solutions", "08_keras")
    xs, h_0, *cell = inputs(dtype)
    cell = [0.3 * array for array in cell]
    mask = np.arange(SIZES["steps"]) < np.array([[7], [5], [2], [1]])
    for on in settings():
        options = {name: True for name in on if name in SWITCHES[:2]}
        layer = keras.layers.SimpleRNN(SIZES["units"], activation=activation, dtype=dtype, **options)
        lesson["weights_to_keras"](layer, *cell)
        call = {name: value for name, value in (("mask", mask), ("initial_state", h_0)) if name in on}
        theirs, ours = layer(xs, **call), lesson["numpy_from_keras"](layer, xs, **call)
        pairs = zip(theirs, ours, strict=True) if "return_state" in on else [(theirs, ours)]
        for their, our in pairs:
            assert our.dtype == dtype
            assert our.shape == tuple(their.shape)
            assert np.abs(as_numpy(their) - our).max() <= tolerance, on
