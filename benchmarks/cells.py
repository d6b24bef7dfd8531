"""Measure rnn_helpers.cells beside NumPy's own products, Keras and PyTorch: `python -m benchmarks.cells`.

Every contender runs a tanh RNN, an LSTM or a GRU forwards and backwards once, float32, one thread, and gives the
gradients of the weights and of the inputs. Rounds are interleaved, so that a busy moment of the machine hits all
contenders alike, and ratios are taken within a round. Before anything is timed, all contenders must agree on states
and gradients. A second table has `cells.scan` beside a loop over the steps, and minGRU beside GRU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from benchmarks.chart import Ratio, draw
from rnn_helpers import cells

Array = np.ndarray[Any, np.dtype[Any]]
Contender = Callable[[], Any]

ROUNDS = 15
SECONDS_PER_ROUND = 0.01  # a contender runs at least this long in each round, so that its caches are warm
AGREEMENT = 1e-4  # of the largest value: float32 carries 7 digits, sums over 12800 rows in another order cost 2 or 3


class Size(NamedTuple):
    """Hold one problem size and its goals: the cells' time over the products', Keras' time over the cells'."""

    batch: int
    steps: int
    features: int
    units: int
    at_most: float | None
    keras_at_least: float | None


class Kind(NamedTuple):
    """Hold one kind of cell: its blocks of weights, its module here, the name of Keras' layer, its sizes and goals."""

    blocks: int
    module: Any
    keras: str
    sizes: list[Size]


GATED = [
    Size(32, 20, 100, 50, at_most=None, keras_at_least=1.0),
    Size(32, 100, 64, 128, at_most=1.45, keras_at_least=1.0),
]
KINDS = {
    "tanh RNN": Kind(
        1,
        cells,
        "SimpleRNN",
        [
            Size(1, 1000, 16, 32, at_most=None, keras_at_least=1.0),
            Size(32, 10, 1, 32, at_most=3.2, keras_at_least=5.0),
            Size(32, 20, 100, 50, at_most=1.6, keras_at_least=2.5),
            Size(32, 100, 64, 128, at_most=1.35, keras_at_least=1.4),
            Size(64, 200, 128, 256, at_most=1.15, keras_at_least=1.0),
        ],
    ),
    "LSTM": Kind(4, cells.lstm, "LSTM", GATED),
    "GRU": Kind(3, cells.gru, "GRU", GATED),
}


class Problem(NamedTuple):
    """The inputs of every contender; `dhs` is dL/dh_t of a loss that is linear in the states."""

    xs: Array
    W_xh: Array
    W_hh: Array
    b_h: Array
    dhs: Array


def make_problem(kind: Kind, size: Size, rng: np.random.Generator) -> Problem:
    """Draw inputs and weights with which the states neither vanish nor saturate."""
    batch, steps, features, units = size[:4]
    width = kind.blocks * units

    def normal(*shape: int, scale: float = 1.0) -> Array:
        return rng.normal(0, scale, shape).astype(np.float32)

    return Problem(
        xs=normal(batch, steps, features),
        W_xh=normal(features, width, scale=features**-0.5),
        W_hh=normal(units, width, scale=units**-0.5),
        b_h=normal(2, width, scale=0.1) if kind.keras == "GRU" else normal(width, scale=0.1),
        dhs=normal(batch, steps, units),
    )


def bare_products(problem: Problem) -> Contender:
    """Return the matrix products that the algorithm needs, into preallocated arrays."""
    batch, steps, features = problem.xs.shape
    units, width = problem.W_hh.shape
    W_xh, W_hh = problem.W_xh, problem.W_hh
    W_xh_T, W_hh_T = W_xh.T.copy(), W_hh.T.copy()
    xs = problem.xs.transpose(1, 0, 2).reshape(-1, features)
    hs = np.tanh(problem.dhs.transpose(1, 0, 2).reshape(-1, units))
    das = np.tile(hs, width // units)
    h_steps = list(hs.reshape(steps, batch, units))
    da_steps = list(das.reshape(steps, batch, width))
    a, dxs, dW_xh, dW_hh = np.empty_like(das), np.empty_like(xs), np.empty_like(W_xh), np.empty_like(W_hh)
    a_t, dh_t = np.empty_like(da_steps[0]), np.empty_like(h_steps[0])

    def run() -> None:
        np.matmul(xs, W_xh, out=a)
        for h_t in h_steps:
            np.matmul(h_t, W_hh, out=a_t)
        for da_t in da_steps:
            np.matmul(da_t, W_hh_T, out=dh_t)
        np.matmul(das, W_xh_T, out=dxs)
        np.matmul(xs.T, das, out=dW_xh)
        np.matmul(hs.T, das, out=dW_hh)

    return run


def our_cells(kind: Kind, problem: Problem, workspace: Any) -> Contender:
    """Return this course's forward and backward pass."""
    module, starts = kind.module, (None, None) if kind.module is cells.lstm else (None,)

    def run() -> tuple[Array, ...]:
        hs, *_, cache = module.forward(
            problem.xs, *starts, problem.W_xh, problem.W_hh, problem.b_h, workspace=workspace
        )
        grads = module.backward(problem.dhs, cache)
        return hs, grads.dxs, grads.dW_xh, grads.dW_hh, grads.db_h

    return run


def keras_layer(kind: Kind, problem: Problem) -> Contender:
    """Return Keras' layer and its gradients in one compiled function, with inputs as tensors."""
    import keras
    import tensorflow as tf

    layer = getattr(keras.layers, kind.keras)(len(problem.W_hh), return_sequences=True)
    layer.build(problem.xs.shape)
    layer.set_weights([problem.W_xh, problem.W_hh, problem.b_h])
    xs, dhs = tf.constant(problem.xs), tf.constant(problem.dhs)

    @tf.function
    def step(xs: Any, dhs: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(xs)
            hs = layer(xs)
        return [hs, *tape.gradient(hs, [xs, *layer.trainable_variables], output_gradients=dhs)]

    return lambda: step(xs, dhs)


def torch_layer(kind: Kind, problem: Problem) -> Contender | None:
    """Return PyTorch's RNN and its gradients; of its two biases the second is zero and has the same gradient.

    Its LSTM and GRU have other orders of blocks, so that only the plain cell is compared.
    """
    if kind.blocks > 1 or not find_spec("torch"):
        return None
    import torch  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    layer = torch.nn.RNN(problem.xs.shape[2], len(problem.W_hh), batch_first=True)
    weights = [problem.W_xh.T, problem.W_hh.T, problem.b_h, np.zeros_like(problem.b_h)]
    with torch.no_grad():
        for parameter, weight in zip(layer.parameters(), weights, strict=True):
            parameter.copy_(torch.tensor(weight))
    xs, dhs = torch.tensor(problem.xs, requires_grad=True), torch.tensor(problem.dhs)
    W_ih, W_hh, b_ih, _ = layer.parameters()

    def run() -> list[Any]:
        hs = layer(xs)[0]
        dxs, dW_ih, dW_hh, db_ih = torch.autograd.grad(hs, [xs, W_ih, W_hh, b_ih], dhs)
        return [hs.detach(), dxs, dW_ih.T, dW_hh.T, db_ih]

    return run


def contenders(kind: Kind, size: Size) -> dict[str, Contender]:
    """Return all contenders on one problem, after making sure that they compute the same."""
    problem = make_problem(kind, size, np.random.default_rng(0))
    workspace = kind.module.Workspace(*size[:4], dtype=np.float32)
    competing = {
        "cells": our_cells(kind, problem, workspace),
        "fresh": our_cells(kind, problem, None),
        "Keras": keras_layer(kind, problem),
    }
    if torch := torch_layer(kind, problem):
        competing["PyTorch"] = torch
    expected = [value.copy() for value in competing["cells"]()]
    for name, run in competing.items():
        for want, got in zip(expected, run(), strict=True):
            off = np.abs(np.asarray(got) - want).max() / np.abs(want).max()
            assert off <= AGREEMENT, f"{name} differs from cells by {off:.1e} of the largest value, at {size[:4]}"
    return {"products": bare_products(problem), **competing}


def seconds_per_run(run: Contender, repeats: int) -> float:
    """Return the mean time of `repeats` runs after one warm-up run."""
    run()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def measure(competing: dict[str, Contender]) -> dict[str, Array]:
    """Return for each contender its seconds per run in each round."""
    repeats = {name: 1 + int(SECONDS_PER_ROUND / seconds_per_run(run, 1)) for name, run in competing.items()}
    rounds = [{name: seconds_per_run(run, repeats[name]) for name, run in competing.items()} for _ in range(ROUNDS)]
    return {name: np.array([times[name] for times in rounds]) for name in competing}


def ratio(numerator: Array, denominator: Array) -> str:
    """Return the median of the rounds' ratios, with their quartiles."""
    each = charted("", numerator, denominator)
    return f"{each.middle:.2f} ({each.low:.2f}-{each.high:.2f})"


def charted(label: str, numerator: Array, denominator: Array, goal: float | None = None) -> Ratio:
    """Return the same as a line of the chart."""
    return Ratio(label, *np.percentile(numerator / denominator, [25, 50, 75]), goal)


def row(name: str, size: Size, times: dict[str, Array]) -> list[str]:
    """Return one line of the table."""
    products, cell_times = times["products"], times["cells"]
    return [
        name,
        str(size[:4]),
        f"{np.median(products) * 1e6:.0f}",
        f"{np.median(cell_times) * 1e6:.0f}",
        ratio(cell_times, products),
        f"<= {size.at_most}" if size.at_most else "-",
        ratio(times["fresh"], products),
        ratio(times["Keras"], cell_times),
        f">= {size.keras_at_least}" if size.keras_at_least else "-",
        ratio(times["PyTorch"], cell_times) if "PyTorch" in times else "-",
    ]


HEADINGS = [
    "cell",
    "(B, T, D, H)",
    "products, us",
    "cells, us",
    "cells/products",
    "goal",
    "fresh/products",
    "Keras/cells",
    "goal",
    "PyTorch/cells",
]


SCAN_SIZES = [(1, 1000, 1), (1, 1000, 16), (1, 1000, 32), (1, 1000, 64), (32, 100, 64), (32, 1000, 64)]
MIN_GRU_SIZES = [Size(*size[:4], at_most=None, keras_at_least=None) for size in GATED]


def loop(a: Array, b: Array, h_0: Array) -> Array:
    """Return the states of h_t = a_t h_{t-1} + b_t as a lesson would compute them."""
    h, hs = h_0, []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        hs.append(h)
    return np.stack(hs, axis=1)


def jax_scan(a: Array, b: Array, h_0: Array) -> Contender | None:
    """Return the compiled loop of JAX on the same numbers, or None where JAX is not installed."""
    if not find_spec("jax"):
        return None
    import jax  # type: ignore[import-not-found]

    def step(h: Any, pair: Any) -> Any:
        h = pair[0] * h + pair[1]
        return h, h

    run = jax.jit(lambda a, b, h: jax.lax.scan(step, h, (a, b))[1])
    arguments = [jax.device_put(array) for array in (a.swapaxes(0, 1), b.swapaxes(0, 1), h_0)]
    return lambda: run(*arguments).block_until_ready()


def scan_rows(size: tuple[int, int, int]) -> list[list[str]]:
    """Return lines of the second table: `cells.scan` beside the loop, and beside JAX's where it is installed."""
    batch, steps, units = size
    rng = np.random.default_rng(0)
    a, b = rng.random((batch, steps, units)).astype(np.float32), rng.normal(size=size).astype(np.float32)
    h_0 = np.zeros((batch, units), np.float32)
    off = np.abs(cells.scan(a, b, h_0) - loop(a, b, h_0)).max()
    assert off <= AGREEMENT, f"scan differs from the loop by {off:.1e} at {size}"
    competing: dict[str, Contender] = {"scan": lambda: cells.scan(a, b, h_0), "loop": lambda: loop(a, b, h_0)}
    if compiled := jax_scan(a, b, h_0):
        off = np.abs(np.asarray(compiled()).swapaxes(0, 1) - cells.scan(a, b, h_0)).max()
        assert off <= AGREEMENT, f"jax.lax.scan differs from scan by {off:.1e} at {size}"
        competing["jax.lax.scan"] = compiled
    times = measure(competing)
    scan = times.pop("scan")
    middle = f"{np.median(scan) * 1e6:.0f}"
    return [["scan", str(size), middle, other, ratio(its, scan)] for other, its in times.items()]


def min_gru_row(size: Size) -> list[str]:
    """Return one line of the second table: minGRU beside GRU, both forwards and backwards."""
    gru = make_problem(KINDS["GRU"], size, np.random.default_rng(0))
    width = 2 * size.units

    def run() -> None:
        _, cache = cells.min_gru.forward(gru.xs, None, gru.W_xh[:, :width], gru.b_h[0, :width])
        cells.min_gru.backward(gru.dhs, cache)

    workspace = cells.gru.Workspace(*size[:4], dtype=np.float32)
    times = measure({"minGRU": run, "GRU": our_cells(KINDS["GRU"], gru, workspace)})
    middle = np.median(times["minGRU"]) * 1e6
    return ["minGRU", str(size[:4]), f"{middle:.0f}", "GRU", ratio(times["GRU"], times["minGRU"])]


def print_table(table: list[list[str]]) -> None:
    """Print lines of cells in columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main() -> None:
    """Measure every size and print the tables."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("forward and backward with dxs, float32, one thread; median (quartiles) of interleaved rounds")
    print("products: the bare np.matmul calls; cells: with a Workspace; fresh: without one")
    if not find_spec("torch"):
        print("PyTorch is not installed, so its column is empty.")
    table, of_products, of_cells = [HEADINGS], [], []
    for name, kind in KINDS.items():
        for size in kind.sizes:
            times = measure(contenders(kind, size))
            table.append(row(name, size, times))
            label = f"{name} {size[:4]}"
            of_products.append(charted(label, times["cells"], times["products"], size.at_most))
            of_cells.append(charted(f"Keras, {label}", times["Keras"], times["cells"], size.keras_at_least))
    print_table(table)
    print(draw("products", "Time of the cells over that of NumPy's products", of_products))
    print(draw("keras", "Time of Keras over that of the cells", of_cells))
    linear = [["cell", "size", "cells, us", "beside", "its time/cells"]]
    print_table(
        linear + [row for size in SCAN_SIZES for row in scan_rows(size)] + [min_gru_row(size) for size in MIN_GRU_SIZES]
    )


if __name__ == "__main__":
    main()
