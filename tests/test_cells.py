"""The cells against hand-worked values, limit cases, central differences and Keras."""

import numpy as np
import pytest

from rnn_helpers.cells import Workspace, backward, forward

ACTIVATIONS = ["tanh", "relu", "logistic"]
# All sizes different, then D = H, one step, one sequence: (batch, steps, features, units).
SIZES = [(2, 5, 3, 4), (2, 5, 4, 4), (2, 1, 3, 4), (1, 5, 3, 4)]
ARGUMENTS = ["xs", "h_0", "W_xh", "W_hh", "b_h"]


def draw(batch, steps, features, units, dtype=np.float64, seed=0):
    """Return random (xs, h_0, W_xh, W_hh, b_h) in which every term of the equation weighs something."""
    shapes = [(batch, steps, features), (batch, units), (features, units), (units, units), (units,)]
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.7, shape).astype(dtype) for shape in shapes]


def draw_dhs(batch, steps, features, units, dtype=np.float64):
    return np.random.default_rng(1).normal(size=(batch, steps, units)).astype(dtype)


def draw_mask(batch, steps):
    """Return a mask with a gap at the end, in the middle and at the start of some sequence, as far as there is room."""
    mask = np.ones((batch, steps), bool)
    mask[-1, -1] = False
    mask[0, steps // 2] = False
    mask[-1, 0] = False
    return mask


def largest_difference(got, expected):
    """Return the largest |got - expected| as a share of the largest |expected|."""
    return np.abs(np.asarray(got) - expected).max() / np.abs(expected).max()


# Values worked by hand


def test_two_relu_steps_by_hand():
    # a_1 = 2*3 + 0.5*4 + 1 = 9, a_2 = 2*(-1) + 0.5*9 + 1 = 3.5
    xs, h_0, W_xh, W_hh, b_h = [[[3.0], [-1.0]]], [[4.0]], [[2.0]], [[0.5]], [1.0]
    hs, cache = forward(xs, h_0, W_xh, W_hh, b_h, activation="relu")
    assert hs.tolist() == [[[9.0], [3.5]]]
    # L = h_2: dL/da_2 = 1, dL/da_1 = 0.5
    grads = backward([[[0.0], [1.0]]], cache)
    assert grads.dxs.tolist() == [[[1.0], [2.0]]]  # W_xh times each
    assert grads.dh_0.tolist() == [[0.25]]  # 0.5 * 0.5
    assert grads.dW_xh.tolist() == [[0.5]]  # 3 * 0.5 - 1 * 1
    assert grads.dW_hh.tolist() == [[11.0]]  # 4 * 0.5 + 9 * 1
    assert grads.db_h.tolist() == [1.5]


@pytest.mark.parametrize(
    ("activation", "h", "slope"), [("tanh", 0.6, 0.64), ("relu", np.log(2), 1.0), ("logistic", 2 / 3, 2 / 9)]
)
def test_one_step_at_log_2_by_hand(activation, h, slope):
    # With e^a = 2: tanh = (4 - 1) / (4 + 1), logistic = 1 / (1 + 1/2).
    hs, cache = forward([[[np.log(2)]]], None, [[1.0]], [[5.0]], [0.0], activation=activation)
    assert hs.item() == pytest.approx(h, rel=1e-15)  # one rounding or two
    assert backward([[[1.0]]], cache).db_h.item() == pytest.approx(slope, rel=1e-15)


def test_zero_weights_leave_only_the_bias():
    xs, h_0, W_xh, W_hh, b_h = draw(2, 5, 3, 4)
    hs, _ = forward(xs, h_0, 0 * W_xh, 0 * W_hh, b_h)
    np.testing.assert_array_equal(hs, np.broadcast_to(np.tanh(b_h), hs.shape))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(2, 0, 3, 4), (0, 5, 3, 4), (0, 0, 3, 4), (2, 5, 0, 4), (2, 0, 0, 4), (2, 5, 3, 0)])
def test_what_is_empty_has_gradients_of_the_right_shapes(sizes, masked, shared):
    arguments, mask = draw(*sizes), np.ones(sizes[:2]) if masked else None
    workspace = Workspace(*sizes, np.float64) if shared else None
    hs, cache = forward(*arguments, mask=mask, workspace=workspace)
    assert hs.shape == (*sizes[:2], sizes[3])
    for gradient, argument in zip(backward(np.ones(hs.shape), cache), arguments, strict=True):
        assert gradient.shape == argument.shape
        assert np.all(np.isfinite(gradient))
        if not hs.size:  # the loss is a sum over hs, of which there is none
            assert not np.any(gradient)


@pytest.mark.parametrize("sizes", [(2, 3, 3, 4), (1, 3, 3, 4)])
def test_where_no_step_is_real_the_start_is_kept(sizes):
    arguments = draw(*sizes)
    hs, cache = forward(*arguments, mask=np.zeros(sizes[:2]))
    np.testing.assert_array_equal(hs, np.repeat(arguments[1][:, None], sizes[1], axis=1))
    grads = backward(np.ones(hs.shape), cache)
    np.testing.assert_array_equal(grads.dh_0, np.full(arguments[1].shape, sizes[1]))
    assert not any(np.any(gradient) for gradient in (grads.dxs, grads.dW_xh, grads.dW_hh, grads.db_h))


def test_the_first_state_depends_on_h_0():
    xs, h_0, W_xh, W_hh, b_h = draw(2, 5, 3, 4)
    hs, _ = forward(xs, h_0, W_xh, W_hh, b_h)
    expected = np.tanh(xs[:, 0] @ W_xh + h_0 @ W_hh + b_h)
    np.testing.assert_allclose(hs[:, 0], expected, rtol=1e-14)  # the same sum in another order
    assert largest_difference(forward(xs, None, W_xh, W_hh, b_h)[0][:, 0], expected) > 0.1


@pytest.mark.filterwarnings("error")
def test_logistic_is_exact_and_silent_far_out():
    xs = np.array([[[-1e4], [0.0], [1e4]]], np.float32)
    hs, _ = forward(xs, None, np.eye(1), np.zeros((1, 1)), np.zeros(1), activation="logistic")
    assert hs.ravel().tolist() == [0.0, 0.5, 1.0]


# Gradients against central differences


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_agree_with_central_differences(activation, sizes, masked):
    arguments, dhs = draw(*sizes), draw_dhs(*sizes)
    mask = draw_mask(*sizes[:2]) if masked else None

    def loss():
        return np.sum(forward(*arguments, activation=activation, mask=mask)[0] * dhs)

    grads = backward(dhs, forward(*arguments, activation=activation, mask=mask)[1])
    for name, argument, gradient in zip(ARGUMENTS, arguments, grads, strict=True):
        numerical = central_differences(loss, argument)
        # The step 1e-5 leaves 1e-10 from the third derivative and 1e-11 from rounding; ten thousand times that is
        # room for small gradients beside large losses, and still far below what any wrong term would do.
        off = np.abs(gradient - numerical).max() / max(np.abs(numerical).max(), 1e-3)
        assert off <= 1e-6, f"d{name}: {gradient} against {numerical}"


def central_differences(loss, argument, eps=1e-5):
    """Return dloss/dargument, one entry at a time, changing the argument in place and back."""
    gradient = np.zeros_like(argument)
    for index in np.ndindex(argument.shape):
        kept = argument[index]
        argument[index] = kept + eps
        above = loss()
        argument[index] = kept - eps
        below = loss()
        argument[index] = kept
        gradient[index] = (above - below) / (2 * eps)
    return gradient


# Against Keras


def keras_states_and_gradients(arguments, dhs, activation, mask):
    """Return Keras' hs and the gradients of sum(hs * dhs), in the order of forward's arguments."""
    import keras
    import tensorflow as tf

    xs, h_0, *weights = arguments
    name = {"logistic": "sigmoid"}.get(activation, activation)
    layer = keras.layers.SimpleRNN(len(weights[1]), name, return_sequences=True, dtype=xs.dtype.name)
    layer.build(xs.shape)
    layer.set_weights(weights)
    xs, h_0 = tf.constant(xs), tf.constant(h_0)
    with tf.GradientTape() as tape:
        tape.watch([xs, h_0])
        hs = layer(xs, initial_state=h_0, mask=mask)
    grads = tape.gradient(hs, [xs, h_0, *layer.trainable_variables], output_gradients=tf.constant(dhs))
    return hs.numpy(), [gradient.numpy() for gradient in grads]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("dtype", "states_tolerance", "gradients_tolerance"),
    # float64 and float32 round at 1e-16 and 6e-8. A state sums a dozen terms of size 1; a gradient sums over
    # the steps after it as well, which costs float32 up to another digit.
    [(np.float64, 1e-12, 1e-12), (np.float32, 1e-6, 1e-5)],
)
def test_states_and_gradients_agree_with_keras(dtype, states_tolerance, gradients_tolerance, activation, masked):
    sizes = (3, 7, 2, 4)
    arguments, dhs = draw(*sizes, dtype=dtype), draw_dhs(*sizes, dtype=dtype)
    mask = draw_mask(*sizes[:2]) if masked else None
    seen = slice(None)
    if masked:
        # Before a sequence's first real step Keras puts out zeros where the cells put out h_0: leave those out.
        seen = np.logical_or.accumulate(mask, axis=1)
        dhs[~seen] = 0
    hs, cache = forward(*arguments, activation=activation, mask=mask)
    keras_hs, keras_grads = keras_states_and_gradients(arguments, dhs, activation, mask)
    assert np.abs(hs[seen] - keras_hs[seen]).max() <= states_tolerance
    for name, gradient, expected in zip(ARGUMENTS, backward(dhs, cache), keras_grads, strict=True):
        assert largest_difference(gradient, expected) <= gradients_tolerance, f"d{name}"


# The mask


def test_a_masked_step_carries_the_state_through():
    arguments = draw(2, 5, 3, 4)
    mask = np.array([[0, 1, 1, 0, 0], [1, 1, 0, 1, 1]])
    hs, _ = forward(*arguments, mask=mask)
    np.testing.assert_array_equal(hs[0, 0], arguments[1][0])  # h_0
    np.testing.assert_array_equal(hs[0, 3:], hs[0, [2, 2]])
    np.testing.assert_array_equal(hs[1, 2], hs[1, 1])


@pytest.mark.parametrize("filler", [7.0, np.nan, np.inf])
def test_what_stands_in_the_padding_changes_nothing(filler):
    xs, *others = draw(2, 5, 3, 4)
    mask, dhs = draw_mask(2, 5), draw_dhs(2, 5, 3, 4)
    hs, cache = forward(xs, *others, mask=mask)
    hs_filled, cache_filled = forward(np.where(mask[:, :, None], xs, filler), *others, mask=mask)
    np.testing.assert_array_equal(hs_filled, hs)
    for got, expected in zip(backward(dhs, cache_filled), backward(dhs, cache), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_padded_sequences_give_what_they_give_alone():
    xs, h_0, *weights = draw(2, 5, 3, 4)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool)
    hs, cache = forward(xs, h_0, *weights, mask=mask)
    dhs = np.where(mask[:, :, None], draw_dhs(2, 5, 3, 4), 0)
    alone, cache_alone = forward(xs[1:, :3], h_0[1:], *weights)
    grads, grads_alone = backward(dhs, cache), backward(dhs[1:, :3], cache_alone)
    # Equal but for the order in which BLAS adds up four units: batches of one and two take different ways.
    np.testing.assert_allclose(hs[1:, :3], alone, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(grads.dxs[1:, :3], grads_alone.dxs, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(grads.dh_0[1:], grads_alone.dh_0, rtol=1e-12, atol=1e-14)
    assert not grads.dxs[1, 3:].any()


def test_a_mask_of_ones_is_no_mask():
    arguments = draw(2, 5, 3, 4)
    for mask in (np.ones((2, 5), bool), np.ones((2, 5), int), np.ones((2, 5), np.float32)):
        np.testing.assert_array_equal(forward(*arguments, mask=mask)[0], forward(*arguments)[0])


# Precision, and whose arrays are whose


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_precision_follows_xs(activation, dtype):
    xs, *others = draw(2, 5, 3, 4)  # the others stay float64
    hs, cache = forward(xs.astype(dtype), *others, activation=activation)
    assert {hs.dtype, *(gradient.dtype for gradient in backward(hs, cache))} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_whole_numbers_count_as_float64(dtype):
    xs, *others = draw(2, 5, 3, 4)
    xs = (xs > 0).astype(dtype)
    hs, _ = forward(xs, *others)
    assert hs.dtype == np.float64
    np.testing.assert_array_equal(hs, forward(xs.astype(np.float64), *others)[0])


def test_np_tanh_is_taken_for_its_name():
    arguments = draw(2, 5, 3, 4)
    np.testing.assert_array_equal(forward(*arguments, activation=np.tanh)[0], forward(*arguments)[0])


def test_arguments_are_never_changed():
    arguments, mask, dhs = draw(2, 5, 3, 4), draw_mask(2, 5), draw_dhs(2, 5, 3, 4)
    for array in (*arguments, mask, dhs):
        array.flags.writeable = False
    before = [array.tobytes() for array in (*arguments, mask, dhs)]
    for workspace in (None, Workspace(2, 5, 3, 4, np.float64)):
        backward(dhs, forward(*arguments, mask=mask, workspace=workspace)[1])
    assert before == [array.tobytes() for array in (*arguments, mask, dhs)]


def test_changing_arguments_or_states_after_forward_changes_no_gradient():
    arguments, mask, dhs = draw(2, 5, 3, 4), draw_mask(2, 5), draw_dhs(2, 5, 3, 4)
    expected = backward(dhs, forward(*arguments, mask=mask)[1])
    hs, cache = forward(*arguments, mask=mask)
    for array in (*arguments, mask, hs):
        array[...] = 1
    for got, want in zip(backward(dhs, cache), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_gradients_of_two_losses_stand_side_by_side():
    _, cache = forward(*draw(2, 5, 3, 4))
    dhs = draw_dhs(2, 5, 3, 4)
    once, twice = backward(dhs, cache), backward(2 * dhs, cache)
    for one, two in zip(once, twice, strict=True):
        assert one.any()
        np.testing.assert_array_equal(two, 2 * one)  # doubling is exact in binary


def test_arrays_in_any_memory_order_give_the_same():
    arguments, dhs = draw(2, 5, 3, 4), draw_dhs(2, 5, 3, 4)
    strided = [np.repeat(array, 2, axis=-1)[..., ::2] for array in arguments]
    expected = backward(dhs, forward(*arguments)[1])
    got = backward(np.asfortranarray(dhs), forward(*strided)[1])
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)  # BLAS adds in another order


# The workspace


def test_a_workspace_gives_the_same_numbers_each_time_it_is_used():
    workspace = Workspace(2, 5, 3, 4, np.float64)
    dhs = draw_dhs(2, 5, 3, 4)
    for seed, mask, activation in [(0, None, "tanh"), (1, draw_mask(2, 5), "relu"), (2, None, "logistic")]:
        arguments = draw(2, 5, 3, 4, seed=seed)
        expected, fresh_cache = forward(*arguments, mask=mask, activation=activation)
        hs, cache = forward(*arguments, mask=mask, activation=activation, workspace=workspace)
        np.testing.assert_array_equal(hs, expected)
        for got, want in zip(backward(dhs, cache), backward(dhs, fresh_cache), strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_workspace_can_carry_its_last_state_into_the_next_chunk():
    xs, h_0, *weights = draw(2, 10, 3, 4)
    workspace = Workspace(2, 5, 3, 4, np.float64)
    first, _ = forward(xs[:, :5], h_0, *weights, workspace=workspace)
    second, _ = forward(xs[:, 5:], first[:, -1], *weights, workspace=workspace)
    np.testing.assert_allclose(second, forward(xs, h_0, *weights)[0][:, 5:], rtol=1e-13)  # BLAS adds in another order


def test_states_in_a_workspace_cannot_be_overwritten_by_accident():
    hs, _ = forward(*draw(2, 5, 3, 4), workspace=Workspace(2, 5, 3, 4, np.float64))
    with pytest.raises(ValueError, match="read-only"):
        hs *= 2


def test_a_cache_that_was_overwritten_is_refused():
    workspace = Workspace(2, 5, 3, 4, np.float64)
    hs, cache = forward(*draw(2, 5, 3, 4), workspace=workspace)
    forward(*draw(2, 5, 3, 4, seed=1), workspace=workspace)
    with pytest.raises(ValueError, match="pass 1 of its workspace, which has since run pass 2"):
        backward(hs, cache)


@pytest.mark.parametrize("workspace", [Workspace(2, 6, 3, 4, np.float64), Workspace(2, 5, 3, 4, np.float32)])
def test_a_workspace_of_another_size_or_precision_is_refused(workspace):
    with pytest.raises(ValueError, match=r"Make one with Workspace\(2, 5, 3, 4, 'float64'\)"):
        forward(*draw(2, 5, 3, 4), workspace=workspace)


# What does not fit


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("xs", (3,), r"xs has shape \(3,\); expected \(batch, steps, features\)"),
        ("xs", (5, 3), r"xs has shape \(5, 3\).*xs\[None\]"),
        ("W_xh", (4, 3), r"W_xh has shape \(4, 3\); expected \(3, units\) to fit xs with shape \(2, 5, 3\)"),
        ("W_hh", (3, 4), r"W_hh has shape \(3, 4\); expected \(4, 4\) to fit W_xh with shape \(3, 4\)"),
        ("b_h", (1, 4), r"b_h has shape \(1, 4\); expected \(4,\) to fit W_xh with shape \(3, 4\)"),
        ("h_0", (4,), r"h_0 has shape \(4,\); expected \(2, 4\) to fit xs with shape \(2, 5, 3\)"),
        ("mask", (5, 2), r"mask has shape \(5, 2\); expected \(2, 5\) to fit xs with shape \(2, 5, 3\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_named_with_its_partner(name, shape, message):
    arguments = dict(zip(ARGUMENTS, draw(2, 5, 3, 4), strict=True))
    with pytest.raises(ValueError, match=message):
        forward(**{**arguments, name: np.ones(shape)})


def test_dhs_of_another_shape_is_named_with_hs():
    _, cache = forward(*draw(2, 5, 3, 4))
    with pytest.raises(ValueError, match=r"dhs has shape \(2, 4\); expected \(2, 5, 4\) to fit hs with shape"):
        backward(np.ones((2, 4)), cache)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        (np.complex128, "xs has dtype complex128; expected real numbers"),
        (object, "xs has dtype object; expected real numbers"),
        (np.float16, r"xs has dtype float16; expected float32 or float64.*astype"),
    ],
)
def test_a_dtype_that_cannot_be_used_is_named(dtype, message):
    xs, *others = draw(2, 5, 3, 4)
    with pytest.raises(TypeError, match=message):
        forward(xs.astype(dtype), *others)


@pytest.mark.parametrize("activation", ["sigmoid", np.sin, None])
def test_an_unknown_activation_is_named_beside_the_known(activation):
    with pytest.raises(ValueError, match="activation is .*; expected one of 'tanh', 'relu', 'logistic'"):
        forward(*draw(2, 5, 3, 4), activation=activation)


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_a_mask_of_anything_but_zeros_and_ones_is_refused(value):
    mask = np.ones((2, 5))
    mask[1, 3] = value
    with pytest.raises(ValueError, match=f"mask holds {float(value)}; expected True or 1"):
        forward(*draw(2, 5, 3, 4), mask=mask)
