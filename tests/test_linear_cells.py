"""The linear cells, `cells.scan` and `cells.min_gru`, against values worked by hand, loops and central differences."""

import numpy as np
import pytest

from rnn_helpers import cells
from rnn_helpers.cells import linear

# (batch, steps, units): few numbers in a step and many, lengths around powers of two, one step.
SIZES = [(1, 1, 1), (1, 2, 3), (2, 7, 3), (2, 8, 3), (1, 65, 4), (3, 17, 40)]


def draw(batch, steps, units, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(batch, steps, units), (batch, steps, units), (batch, units)]
    return [rng.normal(0, 0.8, shape).astype(dtype) for shape in shapes]


def loop(a, b, h_0):
    h, hs = h_0, []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        hs.append(h)
    return np.stack(hs, axis=1)


def test_the_leaky_bucket_of_lesson_00():
    xs = np.array([1.0, 0, 0, 2])[None, :, None]
    assert cells.scan(0.5 * np.ones_like(xs), xs).ravel().tolist() == [1, 0.5, 0.25, 2.125]


@pytest.mark.parametrize("size", SIZES)
def test_all_ways_agree_with_the_loop(size):
    a, b, h_0 = draw(*size)
    for states in (linear._step_by_step, linear._by_doubling, cells.scan):
        np.testing.assert_allclose(states(a, b, h_0), loop(a, b, h_0), rtol=1e-12, atol=1e-12)


def test_scan_takes_doubling_for_few_numbers_and_steps_for_many(monkeypatch):
    taken = []
    monkeypatch.setattr(linear, "_by_doubling", lambda a, b, h_0: taken.append("doubling"))
    monkeypatch.setattr(linear, "_step_by_step", lambda a, b, h_0: taken.append("steps"))
    for units in (linear.FEW, linear.FEW + 1):
        cells.scan(*draw(1, 5, units))
    assert taken == ["doubling", "steps"]


@pytest.mark.parametrize("size", [(2, 0, 3), (0, 5, 3), (2, 5, 0)])
def test_what_is_empty_has_states_of_the_right_shape(size):
    assert cells.scan(*draw(*size)).shape == size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("units", [2, 80])
def test_scan_keeps_the_precision_and_its_arguments(units, dtype):
    arguments = draw(1, 9, units, dtype)
    copies = [array.copy() for array in arguments]
    assert cells.scan(*arguments).dtype == dtype
    for array, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_scan_says_what_does_not_fit():
    a, b, h_0 = draw(2, 5, 3)
    with pytest.raises(ValueError, match="a has shape"):
        cells.scan(a[:, 1:], b, h_0)
    with pytest.raises(ValueError, match="h_0 has shape"):
        cells.scan(a, b, h_0[:1])
    with pytest.raises(TypeError, match="expected real numbers"):
        cells.scan(a * 1j, b, h_0)


# minGRU


def draw_min_gru(batch, steps, features, units, dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = [(batch, steps, features), (batch, units), (features, 2 * units), (2 * units,)]
    return [rng.normal(0, 0.7, shape).astype(dtype) for shape in shapes]


def test_a_min_gru_step_by_hand():
    # z = sigmoid(0) = 0.5 and n = 3, so h = 0.5 * 1 + 0.5 * 3
    hs, _ = cells.min_gru.forward([[[1.0]]], [[1.0]], [[0.0, 3.0]], [0.0, 0.0])
    assert hs.tolist() == [[[2.0]]]


@pytest.mark.parametrize("sizes", [(2, 5, 3, 4), (2, 1, 3, 4), (1, 6, 2, 2), (3, 4, 2, 20)])
def test_gradients_agree_with_central_differences(sizes):
    arguments = draw_min_gru(*sizes)
    hs, cache = cells.min_gru.forward(*arguments)
    dhs = np.random.default_rng(1).normal(size=hs.shape)
    for argument, gradient in zip(arguments, cells.min_gru.backward(dhs, cache), strict=True):
        assert gradient.shape == argument.shape
        for index in np.ndindex(argument.shape):
            kept, losses = argument[index], []
            for moved in (kept + 1e-5, kept - 1e-5):
                argument[index] = moved
                losses.append(np.sum(dhs * cells.min_gru.forward(*arguments)[0]))
            argument[index] = kept
            assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("sizes", [(2, 0, 3, 4), (0, 5, 3, 4), (2, 5, 0, 4), (2, 5, 3, 0)])
def test_what_is_empty_has_gradients_of_the_right_shapes(sizes):
    arguments = draw_min_gru(*sizes)
    hs, cache = cells.min_gru.forward(*arguments)
    assert hs.shape == (*sizes[:2], sizes[3])
    for gradient, argument in zip(cells.min_gru.backward(np.ones(hs.shape), cache), arguments, strict=True):
        assert gradient.shape == argument.shape


def test_min_gru_keeps_float32():
    hs, cache = cells.min_gru.forward(*draw_min_gru(2, 5, 3, 4, np.float32))
    assert {array.dtype for array in (hs, *cells.min_gru.backward(np.ones_like(hs), cache))} == {np.dtype(np.float32)}


def test_min_gru_says_what_does_not_fit():
    xs, h_0, W_xh, b_h = draw_min_gru(2, 5, 3, 4)
    with pytest.raises(ValueError, match="W_xh has shape"):
        cells.min_gru.forward(xs, h_0, W_xh[:, 1:], b_h)
    with pytest.raises(ValueError, match="b_h has shape"):
        cells.min_gru.forward(xs, h_0, W_xh, b_h[1:])
    with pytest.raises(ValueError, match="h_0 has shape"):
        cells.min_gru.forward(xs, h_0[:, 1:], W_xh, b_h)
    hs, cache = cells.min_gru.forward(xs, h_0, W_xh, b_h)
    with pytest.raises(ValueError, match="dhs has shape"):
        cells.min_gru.backward(hs[:, 1:], cache)


def test_the_student_functions_of_lesson_15_agree_with_the_cells():
    from lesson_code import definitions

    solution = definitions("solutions", "15_recurrence_returns")
    np.testing.assert_allclose(
        solution["min_gru"](*draw_min_gru(3, 9, 2, 4)), cells.min_gru.forward(*draw_min_gru(3, 9, 2, 4))[0], rtol=1e-12
    )
    np.testing.assert_allclose(solution["scan"](*draw(3, 9, 2))[0], cells.scan(*draw(3, 9, 2)), rtol=1e-12, atol=1e-14)
