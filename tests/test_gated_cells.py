"""The LSTM and the GRU of rnn_helpers.cells against hand-worked values, Keras and central differences."""

import numpy as np
import pytest

from rnn_helpers.cells import gru, lstm

# All sizes different, then D = H, one step, one sequence: (batch, steps, features, units).
SIZES = [(2, 5, 3, 4), (2, 5, 4, 4), (2, 1, 3, 4), (1, 5, 3, 4)]
KINDS = ["lstm", "gru", "gru, reset before"]


def draw(kind, batch, steps, features, units, dtype=np.float64):
    """Return random arguments of the kind's forward, states before weights."""
    blocks = 4 if kind == "lstm" else 3
    bias = (2, blocks * units) if kind == "gru" else (blocks * units,)
    states = [(batch, units)] * (2 if kind == "lstm" else 1)
    shapes = [(batch, steps, features), *states, (features, blocks * units), (units, blocks * units), bias]
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.7, shape).astype(dtype) for shape in shapes]


def draw_dhs(batch, steps, features, units, dtype=np.float64):
    return np.random.default_rng(1).normal(size=(batch, steps, units)).astype(dtype)


def run(kind, arguments, **options):
    """Return (hs, cache) of the kind's forward."""
    if kind == "lstm":
        hs, _, cache = lstm.forward(*arguments, **options)
        return hs, cache
    return gru.forward(*arguments, reset_after=kind == "gru", **options)


def module(kind):
    return lstm if kind == "lstm" else gru


def keras_agrees(kind, size, dtype, tolerance):
    """Hold states and all gradients against Keras' layer and GradientTape."""
    import keras
    import tensorflow as tf

    arguments, dhs = draw(kind, *size, dtype), draw_dhs(*size, dtype)
    starts = 2 if kind == "lstm" else 1
    options = {} if kind == "lstm" else {"reset_after": kind == "gru"}
    make = keras.layers.LSTM if kind == "lstm" else keras.layers.GRU
    layer = make(size[3], return_sequences=True, dtype=np.dtype(dtype).name, **options)
    layer.build(arguments[0].shape)
    layer.set_weights(arguments[1 + starts :])
    given = [tf.constant(array) for array in arguments[: 1 + starts]]
    with tf.GradientTape() as tape:
        tape.watch(given)
        expected = layer(given[0], initial_state=given[1:] if starts == 2 else given[1])
    expected_grads = tape.gradient(expected, [*given, *layer.trainable_variables], output_gradients=tf.constant(dhs))
    hs, cache = run(kind, arguments)
    np.testing.assert_allclose(hs, expected, rtol=tolerance, atol=tolerance)
    for got, want in zip(module(kind).backward(dhs, cache), expected_grads, strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=10 * tolerance, atol=10 * tolerance)  # sums over steps and batch


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_equal_keras(kind, size):
    keras_agrees(kind, size, np.float64, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32_and_equals_keras(kind):
    keras_agrees(kind, (3, 6, 2, 5), np.float32, 1e-5)


def test_one_lstm_step_by_hand():
    # All pre-activations are 0 but that of g: every gate is 1/2, g = tanh(log 2) = 0.6, c = 2/2 + 0.6/2.
    _, cs, _ = lstm.forward([[[1.0]]], [[0.0]], [[2.0]], [[0, 0, np.log(2), 0]], [[0.0] * 4], [0.0] * 4)
    np.testing.assert_allclose(cs, [[[1.3]]], atol=1e-15)


def test_one_gru_step_by_hand():
    # z = 1/2, r = 1/2; n = tanh(0 + 1/2 * 2 log 2) = 0.6 with reset after: the state's bias is behind r.
    hs, _ = gru.forward([[[0.0]]], [[1.0]], [[0.0] * 3], [[0.0] * 3], [[0.0] * 3, [0, 0, 2 * np.log(2)]])
    np.testing.assert_allclose(hs, [[[0.8]]], atol=1e-15)


def test_an_open_forget_gate_keeps_the_memory_and_its_gradient():
    size = (1, 40, 1, 3)
    closed_in, open_ = [-1e3] * 3, [1e3] * 3
    bias = [*closed_in, *open_, 0, 0, 0, 0, 0, 0]
    c_0 = [[0.1, -0.2, 0.3]]
    _, cs, cache = lstm.forward(np.zeros(size[:3]), None, c_0, np.zeros((1, 12)), np.zeros((3, 12)), bias)
    np.testing.assert_allclose(cs[:, -1], c_0, atol=1e-15)
    dhs = np.zeros((1, 40, 3))
    dhs[:, -1] = 1
    expected = 0.5 * (1 - np.tanh(c_0) ** 2)  # o = 1/2, and nothing is lost on the way back
    np.testing.assert_allclose(lstm.backward(dhs, cache).dc_0, expected, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_a_workspace_changes_nothing_but_the_owner(kind):
    size = (2, 5, 3, 4)
    arguments, dhs = draw(kind, *size), draw_dhs(*size)
    hs, cache = run(kind, arguments)
    grads = module(kind).backward(dhs, cache)
    workspace = module(kind).Workspace(*size, dtype=np.float64)
    run(kind, [array[::-1] if array.ndim == 3 else array for array in arguments], workspace=workspace)
    again, cache = run(kind, arguments, workspace=workspace)
    np.testing.assert_array_equal(again, hs)
    for got, want in zip(module(kind).backward(dhs, cache), grads, strict=True):
        np.testing.assert_array_equal(got, want)
    assert not again.flags.writeable
    run(kind, arguments, workspace=workspace)
    with pytest.raises(ValueError, match="since run pass 3 over it"):
        module(kind).backward(dhs, cache)


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_are_left_alone(kind):
    arguments, dhs = draw(kind, 2, 5, 3, 4), draw_dhs(2, 5, 3, 4)
    kept = [array.copy() for array in (*arguments, dhs)]
    _, cache = run(kind, arguments)
    module(kind).backward(dhs, cache)
    for array, before in zip((*arguments, dhs), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_named(kind):
    xs, *states, W_xh, W_hh, b_h = draw(kind, 2, 5, 3, 4)
    with pytest.raises(ValueError, match=r"xs has shape \(5, 3\); expected \(batch, steps, features\)"):
        run(kind, [xs[0], *states, W_xh, W_hh, b_h])
    with pytest.raises(ValueError, match=r"W_hh has shape \(4, 4\); expected \(4, (12|16)\)"):
        run(kind, [xs, *states, W_xh, W_hh[:, :4], b_h])
    with pytest.raises(ValueError, match=r"W_xh has shape \((12|16), 3\); expected \(3, (12|16)\)"):
        run(kind, [xs, *states, W_xh.T, W_hh, b_h])
    with pytest.raises(ValueError, match=r"b_h has shape .* expected"):
        run(kind, [xs, *states, W_xh, W_hh, b_h[..., :-1]])
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 4\); expected \(2, 4\)"):
        run(kind, [xs, *[state[:1] for state in states], W_xh, W_hh, b_h])
    with pytest.raises(ValueError, match=r"The workspace is for \(2, 5, 3, 6\)"):
        run(kind, [xs, *states, W_xh, W_hh, b_h], workspace=module(kind).Workspace(2, 5, 3, 6, np.float64))
    _, cache = run(kind, [xs, *states, W_xh, W_hh, b_h])
    with pytest.raises(ValueError, match=r"dhs has shape \(2, 4\); expected \(2, 5, 4\)"):
        module(kind).backward(np.zeros((2, 4)), cache)


def test_the_other_bias_of_a_gru_is_named():
    arguments = draw("gru, reset before", 2, 5, 3, 4)
    with pytest.raises(ValueError, match=r"b_h has shape \(12,\); expected \(2, 12\)"):
        gru.forward(*arguments)


# No step, no sequence, no feature: (batch, steps, features, units).
EMPTY = [(3, 0, 2, 4), (0, 5, 2, 4), (0, 0, 2, 4), (3, 5, 0, 4), (3, 0, 0, 4), (3, 5, 2, 0)]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("size", EMPTY)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_empty_has_gradients_of_the_right_shapes(kind, size, shared):
    arguments, dhs = draw(kind, *size), draw_dhs(*size)
    options = {"workspace": module(kind).Workspace(*size, np.float64)} if shared else {}
    hs, cache = run(kind, arguments, **options)
    assert hs.shape == dhs.shape
    grads = module(kind).backward(dhs, cache)
    for gradient, argument in zip(grads, arguments, strict=True):
        assert gradient.shape == argument.shape
        assert np.all(np.isfinite(gradient))
        if not hs.size:  # the loss is a sum over hs, of which there is none
            assert not np.any(gradient)


@pytest.mark.parametrize("kind", KINDS)
def test_without_features_the_cell_hears_zeros(kind):
    xs, *others, W_xh, W_hh, b_h = draw(kind, 3, 5, 2, 4)
    hs, cache = run(kind, [xs[..., :0], *others, W_xh[:0], W_hh, b_h])
    expected, expected_cache = run(kind, [0 * xs, *others, W_xh, W_hh, b_h])
    np.testing.assert_allclose(hs, expected, rtol=1e-13)  # BLAS adds fewer zeros
    dhs = draw_dhs(3, 5, 2, 4)
    got, want = module(kind).backward(dhs, cache), module(kind).backward(dhs, expected_cache)
    np.testing.assert_allclose(got.dW_hh, want.dW_hh, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(got.dh_0, want.dh_0, rtol=1e-12, atol=1e-14)
