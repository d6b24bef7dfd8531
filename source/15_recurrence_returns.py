# %% [markdown]
# # 15 · Recurrence returns: linear steps, and what they cost
#
# **After this lesson you can** compute a linear recurrence in $\log_2 T$ rounds, turn a GRU
# into a minGRU, write attention as a recurrent network, explain what a fixed state cannot hold
# and what a linear step cannot compute, and read the equations of Mamba and its relatives.
#
# **Time** about 130 minutes. **You need** lessons 00, 07, 13 and 14.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import time

import numpy as np

from rnn_helpers import plots, scan_graphs, speech
from rnn_helpers.cards import Screen


def sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * a))  # nothing overflows this way


# %%
from rnn_helpers import cells

# %% [markdown]
# ## The bucket again
#
# In lesson 14 we met the Transformer, which looks back at all earlier steps and needs no
# recurrence. All its steps can be trained at once. In return, it must keep everything it has
# read. A recurrent network keeps only its state, but it computes one step after the other. A
# GPU can do thousands of multiplications at once, but it must wait for each step.
#
# Can we have both, a small state and parallel steps? The answer begins with the leaky bucket of
# lesson 00:
#
# $$h_t = \text{decay} \cdot h_{t-1} + x_t$$

# %% [markdown]
# We change two things. Every unit has its own decay, and the *input* chooses it at each step,
# as a gate does. We write $a_t$ for the decay and $b_t$ for whatever is added:
#
# $$h_t = a_t \odot h_{t-1} + b_t$$
#
# This is a **linear recurrence**: for given $a_t$ and $b_t$, the new state is a linear function
# of the old one (plus a constant). There is no tanh around it and no matrix $W_{hh}$ in it.

# %% [markdown]
# Take one unit and two steps, $(a_1, b_1) = (0.5, 1)$ and $(a_2, b_2) = (0.2, 3)$. From a state
# $h$ we get $0.5 h + 1$, and then
#
# $$0.2 \, (0.5 h + 1) + 3 = 0.1 h + 3.2$$
#
# The two steps together are one step of the same form, with $a = 0.1$ and $b = 3.2$.

# %% [markdown]
# With tanh this does not work, because $\tanh(w \tanh(w h + x_1) + x_2)$ has no shorter form:
# you must compute the inner tanh first.
#
# In general, step $(a_2, b_2)$ after step $(a_1, b_1)$ is the single step
#
# $$(a_2, b_2) \circ (a_1, b_1) = (a_2 \, a_1, \;\; a_2 \, b_1 + b_2)$$

# %% [markdown] nbgrader={"grade_id": "combine_task", "locked": true}
# ### Your turn: `combine` (3 points)
#
# | argument | | result | |
# |---|---|---|---|
# | `first` | the pair $(a_1, b_1)$ of the earlier step | a pair $(a, b)$ | the two steps as one |
# | `second` | the pair $(a_2, b_2)$ of the later step | | |
#
# All are arrays of one shape, which can be any shape, and everything is element-wise.

# %% nbgrader={"grade_id": "combine", "solution": true}
def combine(first, second):
    """Return the pair (a, b) of the one step that is `second` after `first`."""
    ### BEGIN SOLUTION
    a_1, b_1 = first
    a_2, b_2 = second
    return a_2 * a_1, a_2 * b_1 + b_2
    ### END SOLUTION


# %% nbgrader={"grade_id": "combine_test", "grade": true, "locked": true, "points": 3}
check(combine)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(combine)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Three steps can be combined in two ways: the first two first, or the last two
# first. Will the results agree? And does it matter which of two steps comes first?

# %% tags=["demonstration"]
one, two, three = (0.5, 1.0), (0.2, 3.0), (-1.0, 2.0)
print("(1 and 2) and 3:", np.round(combine(combine(one, two), three), 6).tolist())
print("1 and (2 and 3):", np.round(combine(one, combine(two, three)), 6).tolist())
print("1, then 2:      ", np.round(combine(one, two), 6).tolist())
print("2, then 1:      ", np.round(combine(two, one), 6).tolist())

# %% [markdown]
# The grouping does not matter: the operation is **associative**. The order does matter, so it
# is not commutative. Associativity is all we need. A sum of a thousand numbers can be computed
# from the left, but also in pairs, then pairs of pairs, and so on, and the same now holds for a
# thousand time steps.

# %% [markdown]
# ## All states in a few rounds
#
# We need not only the last state but all of them. Kogge and Stone (1973) solved linear recurrences
# by **recursive doubling**, which Hillis and Steele (1986) describe for plain sums ($a_t = 1$).
# In each round, every entry adds the one that is `reach`
# places to its left, and then `reach` doubles:
#
# | | step 1 | step 2 | step 3 | step 4 |
# |---|---|---|---|---|
# | start | 1 | 2 | 3 | 4 |
# | after round 1, `reach` 1 | 1 | 3 | 5 | 7 |
# | after round 2, `reach` 2 | 1 | 3 | 6 | 10 |
#
# After round 1 each entry covers two steps, after round 2 four steps. The last row contains all
# sums from the start. This is called a **scan**, or prefix sum.

# %% tags=["demonstration"]
plots.show(scan_graphs.rounds(8), (
    "Eight steps in a row, and three rounds below. In round 1 each step is combined "
    "with the one before it, in round 2 with the one two before, in round 3 with the "
    "one four before. The last row covers the steps 1 to 1, 1 to 2, up to 1 to 8."
))

# %% [markdown]
# Put `combine` in place of the addition, and the entry at step $t$ ends as one pair
# $(A_t, B_t)$ that does what the steps 1 to $t$ do. So $h_t = A_t \odot h_0 + B_t$.
#
# All entries of a round can be computed at the same time, and there are
# $\lceil \log_2 T \rceil$ rounds: 10 for a thousand steps, 20 for a million. Martin and Cundy
# (2018) trained recurrent networks in this way.

# %% [markdown] nbgrader={"grade_id": "scan_task", "locked": true}
# ### Your turn: `scan` (5 points)
#
# | argument | shape |
# |---|---|
# | `a`, `b` | (batch, steps, units) |
# | `h_0` | (batch, units) |
#
# Return the pair `hs, rounds`: the states $h_1$ to $h_T$, (batch, steps, units), and how many
# rounds you needed. `reach` begins at 1 and doubles after each round, as long as it
# is smaller than the number of steps. A single step needs no round. In a round, every entry
# that has an entry `reach` steps before it is combined with that one, and *all* of them use the
# values from before the round. The first `reach` entries stay as they are, and `h_0` comes in at
# the end. The arguments stay unchanged.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "scan", "solution": true}
def scan(a, b, h_0):
    """Return (hs, rounds): the states of h_t = a_t h_{t-1} + b_t, and the rounds."""
    ### BEGIN SOLUTION
    reach, rounds = 1, 0
    while reach < a.shape[1]:
        before = a[:, :-reach], b[:, :-reach]
        new_a, new_b = combine(before, (a[:, reach:], b[:, reach:]))
        a = np.concatenate([a[:, :reach], new_a], axis=1)
        b = np.concatenate([b[:, :reach], new_b], axis=1)
        reach, rounds = 2 * reach, rounds + 1
    return a * h_0[:, None] + b, rounds
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "scan_test", "grade": true, "locked": true, "points": 5}
check(scan)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(scan)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Here is the loop as well. It needs 1000 steps where your scan needs 10 rounds. By
# which factor is the scan faster on your machine: for one unit, for 64 units, and for a batch
# of 32 sequences with 64 units each?

# %% tags=["demonstration"]
def loop(a, b, h_0):
    h, hs = h_0, []
    for t in range(a.shape[1]):
        h = a[:, t] * h + b[:, t]
        hs.append(h)
    return np.stack(hs, axis=1)


def milliseconds(function, *arguments):
    """Return the median time of seven calls."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        function(*arguments)
        times.append(1000 * (time.perf_counter() - start))
    return np.median(times)


rng = np.random.default_rng(0)
for batch, units in ((1, 1), (1, 64), (32, 64)):
    a, b = rng.random((batch, 1000, units)), rng.normal(size=(batch, 1000, units))
    h_0 = np.zeros((batch, units))
    hs, rounds = scan(a, b, h_0)
    difference = np.abs(hs - loop(a, b, h_0)).max()
    times = [milliseconds(function, a, b, h_0) for function in (loop, scan)]
    print(f"batch {batch:2}, {units:2} units: loop {times[0]:6.2f} ms, "
          f"scan {times[1]:6.2f} ms in {rounds} rounds, difference {difference:.0e}")

# %% [markdown]
# The states agree up to rounding. On our machine the scan was about 25 times as fast for one
# unit and twice as fast for 64, because the loop spends its time in Python and not in
# arithmetic. For the large batch it was 8 times as *slow*. A scan does more work: each round
# touches nearly all steps, so there are about $T \log_2 T$ combinations instead of $T$ steps.
# One core has to do them one after another.
#
# The scan pays off on hardware that computes a whole round at once, such as a GPU. Blelloch (1990)
# describes a variant with about $2T$ combinations in $2 \log_2 T$ rounds.

# %% [markdown]
# ## A GRU without its past
#
# Can a network that we know be written as $h_t = a_t \odot h_{t-1} + b_t$? Look at the GRU of
# lesson 13:
#
# $$h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$$
#
# It has the right form, but $z_t$ and $n_t$ depend on $h_{t-1}$ themselves. Feng and others
# (2024) cross that dependence out, as Martin and Cundy had done in 2018 for a similar cell. The gate $r_t$ then has nothing to do. The state becomes a
# weighted mean of candidates that do not depend on it, so it cannot explode, and they omit tanh
# as well:
#
# | | GRU | minGRU |
# |---|---|---|
# | $z_t$ | $\sigma(x_t W_{xh}^z + b_x^z + h_{t-1} W_{hh}^z + b_s^z)$ | $\sigma(x_t W_{xh}^z + b_h^z)$ |
# | $n_t$ | $\tanh(x_t W_{xh}^n + b_x^n + r_t \odot (h_{t-1} W_{hh}^n + b_s^n))$ | $x_t W_{xh}^n + b_h^n$ |
# | weights | $W_{xh}$, $W_{hh}$, $b_h$ | $W_{xh}$, $b_h$ |

# %% [markdown]
# Now $a_t = z_t$ and $b_t = (1 - z_t) \odot n_t$ can be computed for all steps at once, before
# the recurrence begins.
#
# **A step by hand.** One unit, $x_t W + b = (0, 3)$ and $h_{t-1} = 1$: $z_t = \sigma(0) = 0.5$
# and $n_t = 3$, so $h_t = 0.5 \cdot 1 + 0.5 \cdot 3 = 2$.
#
# **Watch the name.** Here, as in lesson 13, $z_t$ is the share of the old state that is *kept*.
# The paper calls the share of the *candidate* $z_t$. Both conventions are common.

# %% [markdown] nbgrader={"grade_id": "min_gru_task", "locked": true}
# ### Your turn: `min_gru` (4 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `xs` | (batch, steps, features) | `hs`, all states | (batch, steps, units) |
# | `h_0` | (batch, units) | | |
# | `W_xh` | (features, 2 units): first the block of z, then that of n | | |
# | `b_h` | (2 units,), in the same order | | |
#
# Use your `scan`, or a loop over the steps. (`np.split` and `sigmoid` work as in lesson 13.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "min_gru", "solution": true}
def min_gru(xs, h_0, W_xh, b_h):
    """Return the states of a minGRU, (batch, steps, units)."""
    ### BEGIN SOLUTION
    z, n = np.split(xs @ W_xh + b_h, 2, axis=-1)
    z = sigmoid(z)
    hs, _ = scan(z, (1 - z) * n, h_0)
    return hs
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "min_gru_test", "grade": true, "locked": true, "points": 4}
check(min_gru)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(min_gru)
### END HIDDEN TESTS

# %% [markdown]
# ### The backward pass is a scan as well
#
# The gradient of the loss with respect to $h_t$ has two parts: one from the output at step $t$,
# and one from step $t + 1$, where $h_t$ was multiplied by $a_{t+1}$:
#
# $$\textcolor{#D1368B}{dh_t} = \textcolor{#D1368B}{dh_t^{\text{out}}} + a_{t+1} \odot \textcolor{#D1368B}{dh_{t+1}}$$
#
# This is the same linear recurrence, read from the last step to the first. The rest is
# element-wise, $\textcolor{#D1368B}{db_t} = \textcolor{#D1368B}{dh_t}$ and
# $\textcolor{#D1368B}{da_t} = \textcolor{#D1368B}{dh_t} \odot h_{t-1}$. So training runs in
# $\log_2 T$ rounds too. By lesson 06, the gradient along the state is a product of the $a_t$
# alone, and with all of them between 0 and 1 it can vanish but not explode.

# %% [markdown]
# ### Does it still learn?
#
# We train a GRU and a minGRU, with 32 units each, on lesson 07's adding problem with 100 steps.
# Both start with a bias of 4 at $z$, so that they keep 98 % of their state per step, for the
# reason that lesson 13 gave. Besides its output layer the GRU has 3456 weights, the minGRU 192.
# Always answering 1 has an error of 0.167.
#
# **Predict.** Which of them has the smaller error after 600 updates, and which of them is
# faster? The next cell takes about five seconds on a quiet machine.

# %% tags=["demonstration"]
def adding_problem(n, steps, rng):
    """Lesson 07's task: return (xs, targets), the values with marks and their sums."""
    marks = np.zeros((n, steps))
    marks[np.arange(n), rng.integers(steps // 2, size=n)] = 1
    marks[np.arange(n), rng.integers(steps // 2, steps, size=n)] = 1
    values = rng.random((n, steps))
    return np.stack([values, marks], axis=-1), np.sum(values * marks, axis=1)


def new_layer(kind, features, units, bias, rng):
    """Return the weights of a recurrent layer at the start. bias: of z."""
    blocks = 3 if kind == "GRU" else 2
    W_xh = rng.normal(size=(features, blocks * units)) / np.sqrt(2 * features)
    layer = {"W_xh": W_xh}
    if kind == "GRU":
        layer["W_hh"] = np.linalg.qr(rng.normal(size=(3 * units, units)))[0].T
    b_h = np.repeat([bias] + [0.0] * (blocks - 1), units)
    layer["b_h"] = np.stack([b_h, 0 * b_h]) if kind == "GRU" else b_h
    return {name: array.astype(np.float32) for name, array in layer.items()}


def new_readout(units, outputs, rng):
    """Return the weights of the output layer at the start."""
    W_hy = rng.normal(size=(units, outputs)) / np.sqrt(units)
    return {"W_hy": W_hy.astype(np.float32), "b_y": np.zeros(outputs, np.float32)}


def squared_error(params, xs, targets):
    """Return (mean squared error at the last step, gradients)."""
    cell = cells.gru if "W_hh" in params else cells.min_gru
    hidden = {name: params[name] for name in params if name not in ("W_hy", "b_y")}
    hs, cache = cell.forward(xs.astype(np.float32), None, **hidden)
    off = hs[:, -1] @ params["W_hy"] + params["b_y"] - targets[:, None]
    dy, dhs = 2 * off / len(off), np.zeros_like(hs)
    dhs[:, -1] = dy @ params["W_hy"].T
    back = cell.backward(dhs, cache)
    grads = {name: getattr(back, f"d{name}") for name in hidden}
    return np.mean(off**2), grads | {"W_hy": hs[:, -1].T @ dy, "b_y": dy.sum(axis=0)}


class Adam:
    """Lesson 05's optimiser, with clipping at a norm of 1."""

    def __init__(self, params, lr):
        self.params, self.lr, self.updates = params, lr, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def update(self, grads):
        """Change the parameters in place."""
        self.updates += 1
        norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
        for name, g in grads.items():
            g, m, v = g * min(1, 1 / norm), self.m[name], self.v[name]
            m += 0.1 * (g - m)
            v += 0.001 * (g**2 - v)
            step = m / (1 - 0.9**self.updates)
            step /= np.sqrt(v / (1 - 0.999**self.updates)) + 1e-8
            self.params[name] -= self.lr * step


def train(kind, updates=600, steps=100, units=32, seed=0, lr=0.01):
    """Return (error of each update, seconds)."""
    rng = np.random.default_rng(seed)
    params = new_layer(kind, 2, units, 4.0, rng) | new_readout(units, 1, rng)
    optimiser, errors, begin = Adam(params, lr), [], time.perf_counter()
    for _ in range(updates):
        error, grads = squared_error(params, *adding_problem(64, steps, rng))
        optimiser.update(grads)
        errors.append(float(error))
    return np.array(errors), time.perf_counter() - begin


screen, lines = Screen(), {}
for kind in ("GRU", "minGRU"):
    errors, seconds = train(kind)
    lines[kind] = np.convolve(errors, np.ones(20) / 20, "valid")
    print(f"{kind:7} error {errors[-50:].mean():.4f} at the end, {seconds:.1f} s")
ax = plots.curves(
    np.arange(20, 601), lines, title="Adding two numbers out of a hundred steps",
    xlabel="update", ylabel="mean squared error", log=True, ylim=(1e-4, 1),
)
ends = ", ".join(f"{kind} {line[-1]:.4f}" for kind, line in lines.items())
screen.show(plots.picture(ax, f"Errors over 600 updates. At the end: {ends}."))

# %% [markdown]
# Per update the GRU is better, and the minGRU takes about half the time. With five seeds the
# GRU ended at 0.0004 to 0.0007 and the minGRU at 0.003 to 0.005. Given 1400 updates, which took
# about as long as 600 of the GRU, the minGRU ended at 0.0004 to 0.0005 with three seeds. On
# this task the two are about equal for equal time, and the minGRU has far fewer weights.

# %% [markdown]
# Our minGRU is faster because it has no products with $W_{hh}$, and not because of parallel
# rounds. With a batch of 64, one core is better off with the loop, and `cells.min_gru` uses it.
# On a GPU the rounds count: Feng and others report that on one a minGRU trains 175 times as fast as
# a GRU, on sequences of 512 steps.

# %% [markdown]
# ### And on speech?
#
# In lesson 11 a bidirectional network named the digit in each frame of a recording. Here are the
# same data, with a GRU and with minGRUs in both directions.
#
# Something is lost when the gates no longer see the state: a minGRU decides what to keep from a
# single frame. Feng and others therefore stack several layers, so that the second one decides from
# what the first has gathered.
#
# **Predict.** How do one minGRU layer, two minGRU layers and one GRU layer compare, in error and in
# time? (Two minGRU layers have 39,819 weights, a little more than the GRU's 34,443.)

# %% tags=["demonstration"]
def both_ways(kind, xs, layer):
    """Return (states in both directions, caches) for one layer of a recogniser."""
    cell = cells.gru if kind == "GRU" else cells.min_gru
    forwards, cache = cell.forward(xs, None, **layer["forwards"])
    backwards, other = cell.forward(xs[:, ::-1].copy(), None, **layer["backwards"])
    return np.concatenate([forwards, backwards[:, ::-1]], axis=-1), (cache, other)


def train_recogniser(kind, depth, units=64, epochs=6, seed=0, lr=0.003):
    """Return (share of wrong frames of unheard voices, number of weights, seconds)."""
    rng = np.random.default_rng(seed)
    cell = cells.gru if kind == "GRU" else cells.min_gru
    widths = [speech.BANDS] + [2 * units] * (depth - 1)
    layers = [
        {
            "forwards": new_layer(kind, width, units, 1.0, rng),
            "backwards": new_layer(kind, width, units, 1.0, rng),
        }
        for width in widths
    ]
    readout = new_readout(2 * units, 11, rng)
    params = dict(readout)  # every array under a name of its own
    for number, layer in enumerate(layers):
        for way, arrays in layer.items():
            params |= {(number, way, name): array for name, array in arrays.items()}
    optimiser, begin = Adam(params, lr), time.perf_counter()

    def logits(xs):
        caches = []
        for layer in layers:
            xs, both = both_ways(kind, xs, layer)
            caches.append(both)
        return xs, xs @ readout["W_hy"] + readout["b_y"], caches

    orders = [rng.permutation(320).reshape(-1, 16) for _ in range(epochs)]
    for rows in np.concatenate(orders):
        xs, mask, labels = (array[rows] for array in heard)
        hs, a, caches = logits(xs)
        p = np.exp(a - a.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        da = (p - np.eye(11, dtype=np.float32)[labels]) * mask[..., None] / mask.size
        grads = {"W_hy": np.einsum("btu,btc->uc", hs, da), "b_y": da.sum(axis=(0, 1))}
        dhs = (da @ readout["W_hy"].T).astype(np.float32)
        for number in reversed(range(depth)):
            there = cell.backward(dhs[..., :units].copy(), caches[number][0])
            back = cell.backward(dhs[:, ::-1, units:].copy(), caches[number][1])
            for way, result in (("forwards", there), ("backwards", back)):
                for name in layers[number][way]:
                    grads[number, way, name] = getattr(result, f"d{name}")
            dhs = there.dxs + back.dxs[:, ::-1]
        optimiser.update(grads)
    seconds = time.perf_counter() - begin
    xs, mask, labels = unheard
    wrong = (logits(xs)[1].argmax(axis=-1) != labels)[mask]
    return wrong.mean(), sum(array.size for array in params.values()), seconds


heard = speech.batch(speech.utterances(320, speech.HEARD, seed=0))
unheard = speech.batch(speech.utterances(100, speech.UNHEARD, seed=1))
for kind, depth in (("minGRU", 1), ("minGRU", 2), ("GRU", 1)):
    wrong, weights, seconds = train_recogniser(kind, depth)
    print(f"{depth} x {kind:<7} {wrong:5.1%} of the frames wrong   "
          f"{weights:>5} weights   {seconds:.1f} s")

# %% [markdown]
# With five seeds one minGRU layer named 18.5 to 20.9 % of the frames wrongly, two layers 7.5 to 8.1 %
# and the GRU 7.1 to 7.6 %. What the gates lost when they lost sight of the state, a second layer brings
# back nearly whole, in about the same time and with about as many weights. So minGRUs come in stacks,
# and so do all the layers at the end of this lesson. (A SimpleRNN in both directions was wrong in 16 %,
# in lesson 11.)

# %% [markdown]
# ☕ *A good place for a break.*

# %% [markdown]
# ## Attention, one step at a time
#
# In lesson 14 a decoder looked back at an encoder. In a Transformer every step has its own
# **query** $q_t = x_t W_q$, and offers a **key** $k_t = x_t W_k$, by which it can be found, and a
# **value** $v_t = x_t W_v$, which is what is then read. Step $t$ looks at all steps $s \le t$.
# Katharopoulos and others (2020) replaced the softmax. In the simplest form, the weights are the
# products $q_t \cdot k_s$ themselves:
#
# $$y_t = \sum_{s \le t} (q_t \cdot k_s) \, v_s$$
#
# For all pairs of steps, that is a $T \times T$ table. They also apply a positive function $\varphi$ to
# $q$ and $k$ and divide by the sum of the weights; we omit both.

# %% [markdown]
# Without the softmax, we can rearrange. Let vectors be rows, as always. Then
# $(q_t \cdot k_s) \, v_s = q_t \, (k_s^\top v_s)$, and $q_t$ does not depend on $s$:
#
# $$y_t = q_t \, S_t, \qquad S_t = \sum_{s \le t} k_s^\top v_s = S_{t-1} + k_t^\top v_t$$
#
# The sum is a *state*, and **linear attention** is a recurrent network. Its state $S_t$ is a
# matrix. Its size does not depend on $T$, while the Transformer must keep all keys and values.
# Schmidhuber (1991) called such a matrix, written by one network and read by another, **fast
# weights**.

# %% [markdown]
# **By hand.** Keys and values of size 1, $k = (1, 2)$, $v = (3, 5)$, $q_2 = 1$. The table gives
# $y_2 = 1 \cdot 1 \cdot 3 + 1 \cdot 2 \cdot 5 = 13$. The state is $S_1 = 3$, then
# $S_2 = 3 + 10 = 13$, and $y_2 = 1 \cdot 13$.

# %% [markdown]
# Nothing is ever forgotten in this state. So the successors add a decay $\gamma$, our $a_t$
# again:
#
# $$S_t = \gamma \, S_{t-1} + k_t^\top v_t$$
#
# A pair that was written $t - s$ steps ago then counts $\gamma^{t-s}$. RetNet (Sun and others,
# 2023) uses one fixed number for each **head**, which is one of several such states side by
# side. Mamba-2 (Dao and Gu, 2024) lets the input choose it.

# %% [markdown] nbgrader={"grade_id": "linear_attention_task", "locked": true}
# ### Your turn: `linear_attention` (5 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `qs`, `ks` | (batch, steps, d) | `ys` | (batch, steps, m) |
# | `vs` | (batch, steps, m) | | |
# | `decay` | a number from 0 to 1 | | |
#
# $S_0$ is zero. Step $t$ first writes its own pair into the state and then reads, so that
# $s = t$ is included. Use the loop or the table; the numbers are the same. For a batch, $k^\top v$
# is `k[:, :, None] * v[:, None]`, (batch, d, m), and $q S$ is `(q[:, None] @ S)[:, 0]`. In the
# table, `decay` needs an exponent for every pair of steps, and the future must not count.

# %% nbgrader={"grade_id": "linear_attention", "solution": true}
def linear_attention(qs, ks, vs, decay=1.0):
    """Return y_t = q_t S_t with S_t = decay S_{t-1} + k_t^T v_t, (batch, steps, m)."""
    ### BEGIN SOLUTION
    S, ys = np.zeros((len(ks), ks.shape[2], vs.shape[2])), []
    for t in range(ks.shape[1]):
        S = decay * S + ks[:, t, :, None] * vs[:, t, None]
        ys.append((qs[:, t, None] @ S)[:, 0])
    return np.stack(ys, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "linear_attention_test", "grade": true, "locked": true, "points": 5}
check(linear_attention)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(linear_attention)
### END HIDDEN TESTS

# %% [markdown]
# Here is the table as a picture: the weights with which each step looks at the earlier ones,
# for a decay of 0.8. The cell also computes the outputs from it.

# %% tags=["demonstration"]
def attention_table(qs, ks, decay):
    """Return the weights of all pairs of steps, (batch, steps, steps)."""
    t = np.arange(qs.shape[1])
    lag = t[:, None] - t
    ages = np.where(lag >= 0, decay ** np.maximum(lag, 0), 0)
    return ages * (qs @ ks.transpose(0, 2, 1))


rng = np.random.default_rng(0)
qs, ks, vs = rng.normal(size=(3, 1, 12, 4))
table = attention_table(qs, ks, 0.8)
difference = np.abs(table @ vs - linear_attention(qs, ks, vs, 0.8)).max()
print(f"largest difference between the table and your function: {difference:.0e}")
ax = plots.grid_map(
    np.where(np.tri(12, dtype=bool), table[0], np.nan), title="No step looks ahead",
    xlabel="step s that is looked at", ylabel="step t that looks", label="weight",
)
plots.show(ax, "Weights of 12 by 12 pairs of steps. All above the diagonal are empty.")

# %% [markdown]
# The table needs about $T^2 (d + m)$ multiplications and can be computed all at once. The loop
# needs about $2 T d m$. Real implementations use both: they cut the sequence into **chunks**,
# use the table within a chunk, and hand the state from chunk to chunk.

# %% [markdown]
# ### Correcting instead of adding
#
# Suppose the same key is written twice, first with the value $v_1$ and later with $v_2$. Linear
# attention then answers with the sum $v_1 + v_2$ (for a key of length 1). A memory should
# rather answer with the newer value. So before we write, let us read what the state answers
# now, which is $k_t S_{t-1}$, and write only the *difference*:
#
# $$S_t = S_{t-1} + \beta_t \, k_t^\top (v_t - k_t S_{t-1})$$
#
# This is the **delta rule** of Widrow and Hoff (1960). Schlag, Irie and Schmidhuber (2021) put
# it into linear attention, which became DeltaNet. The number $\beta_t$, usually between 0 and
# 1, says how much of the difference is written: 0 leaves the state as it is.

# %% [markdown]
# With $\beta_t = 1$ and a key of length 1, reading with the same key afterwards gives
#
# $$k_t S_t = k_t S_{t-1} + k_t k_t^\top (v_t - k_t S_{t-1}) = v_t$$
#
# because $k_t k_t^\top = 1$. Multiplied out, the step is again linear in the state,
#
# $$S_t = (I - \beta_t k_t^\top k_t) \, S_{t-1} + \beta_t \, k_t^\top v_t$$
#
# but its decay is now a matrix. It removes what is stored in the direction of $k_t$ and leaves
# all perpendicular directions alone.

# %% [markdown] nbgrader={"grade_id": "delta_step_task", "locked": true}
# ### Your turn: `delta_step` (3 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `S_prev` | (batch, d, m) | `S_t` | (batch, d, m) |
# | `k_t` | (batch, d) | | |
# | `v_t` | (batch, m) | | |
# | `beta_t` | (batch,), one number for each sequence | | |
#
# Return $S_t$ of the delta rule. The keys need not have length 1, and you should not change
# their length.

# %% nbgrader={"grade_id": "delta_step", "solution": true}
def delta_step(S_prev, k_t, v_t, beta_t):
    """Advance the state by one step of the delta rule, (batch, d, m)."""
    ### BEGIN SOLUTION
    answer = (k_t[:, None] @ S_prev)[:, 0]
    change = beta_t[:, None] * (v_t - answer)
    return S_prev + k_t[:, :, None] * change[:, None]
    ### END SOLUTION


# %% nbgrader={"grade_id": "delta_step_test", "grade": true, "locked": true, "points": 3}
check(delta_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(delta_step)
### END HIDDEN TESTS

# %% [markdown]
# ## What a fixed state cannot hold
#
# How much fits into a state of fixed size? In **associative recall** the network reads $n$
# pairs of a key and a value, and is then asked for the value of each key. No training is needed
# to see the limit. Take random keys of length 1 and size $d$, and for each a value out of 64
# random vectors. Write all pairs, read with each key, and choose the nearest of the 64 vectors.
#
# We compare linear attention, the delta rule with $\beta = 1$, and softmax attention with the
# scores $50 \, q \cdot k$, which keeps all pairs.
#
# **Predict.** With $d = 16$, how many pairs can be recalled with few errors? And with $d = 64$?

# %% tags=["demonstration"]
def unit_vectors(rng, *shape):
    vectors = rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def write_by_delta_rule(keys, values):
    S = np.zeros((len(keys), keys.shape[2], values.shape[2]))
    for t in range(keys.shape[1]):
        S = delta_step(S, keys[:, t], values[:, t], np.ones(len(keys)))
    return S


def read_by_linear_attention(keys, values):
    """Write all pairs first, and then read with each key."""
    no_key, no_value = np.zeros_like(keys), np.zeros_like(values)
    qs = np.concatenate([no_key, keys], axis=1)
    ks = np.concatenate([keys, no_key], axis=1)
    vs = np.concatenate([values, no_value], axis=1)
    return linear_attention(qs, ks, vs)[:, keys.shape[1] :]


def read_by_softmax(keys, values, sharpness=50):
    scores = sharpness * keys @ keys.transpose(0, 2, 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ values


def recall_errors(n, d, rng, batch=10):
    """Return each memory's share of wrong answers, n pairs with keys of size d."""
    keys, vectors = unit_vectors(rng, batch, n, d), unit_vectors(rng, 64, 64)
    chosen = rng.integers(64, size=(batch, n))
    answers = {
        "linear attention": read_by_linear_attention(keys, vectors[chosen]),
        "delta rule": keys @ write_by_delta_rule(keys, vectors[chosen]),
        "softmax attention": read_by_softmax(keys, vectors[chosen]),
    }
    return {
        name: np.mean((ys @ vectors.T).argmax(axis=-1) != chosen)
        for name, ys in answers.items()
    }


counts = 2 ** np.arange(1, 9)
row = plots.new_row(width=9.3, height=3.2, count=2)
words = []
for ax, d in zip(row, (16, 64)):
    rng = np.random.default_rng(0)
    measured = [recall_errors(n, d, rng) for n in counts]
    lines = {name: np.array([m[name] for m in measured]) for name in measured[0]}
    plots.curves(
        counts, lines, title=f"Keys of size {d}", xlabel="pairs n",
        ylabel="share of wrong answers", ylim=(-0.05, 1.05), ax=ax,
    )
    ax.set_xscale("log", base=2)
    for name, line in lines.items():
        words.append(f"d = {d}, {name}: {line.round(2).tolist()}")
        print(words[-1])
plots.show(row[0], f"Wrong answers for 2, 4, 8 ... 256 pairs. {'; '.join(words)}.")

# %% [markdown]
# Softmax attention makes no errors, at the price of keeping all pairs. The other two have a
# limit, which grows with $d$. Reading linear attention with key $k_i$ gives
#
# $$k_i S = v_i + \sum_{j \ne i} (k_i \cdot k_j) \, v_j$$
#
# and for random keys each of the products $k_i \cdot k_j$ is about $\pm 1 / \sqrt d$ in size.
# The wanted value is covered by a noise that grows as $\sqrt{n / d}$. (With five seeds and
# $d = 16$, linear attention was wrong at 0 to 3 % of 16 pairs, at 9 to 15 % of 32 and at 33 to
# 36 % of 64.)
#
# Should the delta rule not be the better memory? It makes *more* errors here.
#
# **Predict.** Which pairs does it lose?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
keys, vectors = unit_vectors(rng, 50, 64, 16), unit_vectors(rng, 64, 64)
chosen = rng.integers(64, size=(50, 64))
answers = {
    "linear attention": read_by_linear_attention(keys, vectors[chosen]),
    "delta rule": keys @ write_by_delta_rule(keys, vectors[chosen]),
}
for name, ys in answers.items():
    wrong = (ys @ vectors.T).argmax(axis=-1) != chosen
    print(f"{name:16} wrong at {wrong[:, :16].mean():.0%} of the first 16 of 64 pairs, "
          f"at {wrong[:, -4:].mean():.0%} of the last 4")

# %% [markdown]
# Linear attention spreads its errors evenly. The delta rule remembers the latest pairs almost
# perfectly and loses the oldest. Each new pair first erases whatever the state holds in the
# direction of its key, and a random key is perpendicular to none of the others. The limit is not
# the room in the state alone: for 16 pairs and $d = 16$ some matrix answers all keys correctly,
# but one pass through the pairs does not find it.
#
# (With five seeds, linear attention was wrong at 32 to 36 % of the first 16 pairs and at 33 to
# 40 % of the last 4, the delta rule at 97 to 98 % and at 0 to 2 %.)

# %% [markdown]
# ### Overwriting
#
# **Predict.** Now every key is written twice: first with a value that is later out of date, and
# then, in the same order, with its final value. We ask for the final values. Which of the two
# memories suffers?

# %% tags=["demonstration"]
for d, n in ((16, 4), (64, 16)):
    rng = np.random.default_rng(1)
    keys, vectors = unit_vectors(rng, 100, n, d), unit_vectors(rng, 64, 64)
    old, new = rng.integers(64, size=(2, 100, n))
    keys_twice = np.concatenate([keys, keys], axis=1)
    values = vectors[np.concatenate([old, new], axis=1)]
    answers = {
        "linear attention": read_by_linear_attention(keys_twice, values)[:, n:],
        "delta rule": keys @ write_by_delta_rule(keys_twice, values),
    }
    for name, ys in answers.items():
        wrong = (ys @ vectors.T).argmax(axis=-1) != new
        print(f"d = {d}, {n:2} keys, {name:16}: wrong at {wrong.mean():.0%}")

# %% [markdown]
# Linear attention answers with the sum of the old and the new value, and is wrong about half of
# the time. The delta rule has replaced the old value. (With five seeds: 46 to 52 % against 0 to
# 3 %.) This is what a memory needs when facts change, and why DeltaNet and its successors are
# in use.

# %% [markdown]
# ## What a linear step cannot compute
#
# The **parity** of a sequence of bits says whether the number of ones is even or odd. It is the
# light of lesson 01, which every push of the button switches on or off, and two tanh units can
# follow it. Can a linear recurrence whose decays lie strictly between 0 and 1, such as the
# minGRU?

# %% [markdown]
# Suppose only ones arrive. The input never changes, so neither do $a$ and $b$, and the state
# converges to $b / (1 - a)$. Two successive states come closer by a factor $a$ at every step,
# although their parities are opposite. Beyond some length they are equal in all digits that a
# computer stores, and then no readout can tell even from odd. The same happens to several
# units, each with its own decay.

# %% [markdown]
# **Predict.** What would happen with a decay of $-1$ for each one, $+1$ for each zero, and
# $b = 0$?

# %% tags=["demonstration"]
ones = np.ones((1, 20, 1))
settling, _ = scan(0.8 * ones, 0.2 * ones, np.zeros((1, 1)))
minus, _ = scan(-ones, 0 * ones, np.ones((1, 1)))
ax = plots.curves(
    np.arange(1, 21), {"decay 0.8": settling[0, :, 0], "decay -1": minus[0, :, 0]},
    title="Only ones: one state settles, the other alternates", xlabel="number of ones",
    ylabel="state",
)
ax.set_xticks([1, 5, 10, 15, 20])
plots.show(ax, "With a decay of 0.8 the state rises to 1; with -1 it alternates.")
for n in (5, 10, 20):
    gap = settling[0, n - 1, 0] - settling[0, n - 2, 0]
    print(f"decay 0.8: states after {n - 1} and {n} ones differ by {gap:.0e}")
bits = np.random.default_rng(0).integers(2, size=(1, 100_000, 1))
hs, rounds = scan(1.0 - 2 * bits, np.zeros(bits.shape), np.ones((1, 1)))
right = np.mean((hs < 0) == (bits.cumsum(axis=1) % 2 == 1))
print(f"decay -1 or +1: right at {right:.0%} of 100,000 bits, in {rounds} rounds")

# %% [markdown]
# A decay of $-1$ computes the parity exactly, for any length, and still in $\log_2 T$ rounds.
# So linearity is not to blame for parity, but the *range* of the decays is. Sarrof and others
# (2024) proved this for models such as Mamba. Grazzi and others (2024) extended the result to
# DeltaNet, and the range to include $-1$. In DeltaNet it is enough to let $\beta$ go up to 2: for a key of length 1 the matrix
# $I - 2 k^\top k$ is a reflection, whose eigenvalues are $1$ and $-1$.
#
# Lesson 01 showed that without tanh no network can follow the light. There the factors were the
# same at every step. Here the input chooses them.

# %% tags=["demonstration"]
S, key = np.ones((1, 1, 1)), np.ones((1, 1))
states = []
for bit in (1, 0, 1, 1):
    S = delta_step(S, key, np.zeros((1, 1)), np.array([2.0 * bit]))
    states.append(int(S[0, 0, 0]))
print("bits 1, 0, 1, 1; delta rule with beta = 2 for each one (-1: odd):", states)

# %% [markdown]
# Other problems remain. Put a coin under one of five cups and swap cups again and again: where is
# it? Merrill, Petty and Sabharwal (2024) showed that models in which each unit has its own decay
# cannot track this for long sequences, with a fixed number of layers and under an assumption that
# most computer scientists believe. An RNN with tanh can.

# %% [markdown]
# ## One page of names
#
# Each row is $h_t = a_t \, h_{t-1} + b_t$ with another choice of $a_t$ and $b_t$. "A number"
# means one for each channel (unit), and "constant" means the same at every step. Gates, keys and
# values are computed from $x_t$, and so are the $B_t$ and $\Delta_t$ of Mamba, whose $A$ is diagonal
# and negative.
#
# | model | $a_t$ | $b_t$ | state |
# |---|---|---|---|
# | S4 (Gu, Goel and Ré 2021) | a constant matrix $\bar A$, from a differential equation | $\bar B x_t$ | a vector per channel |
# | LRU (Orvieto and others 2023) | constant complex numbers, $\lvert a \rvert < 1$ | $\gamma \odot B x_t$, at the start $\gamma = \sqrt{1 - \lvert a \rvert^2}$ | a complex vector |
# | RWKV-4 (Peng and others 2023) | $e^{-w}$, constant | $e^{k_t} v_t$, and $e^{k_t}$ | two numbers, whose quotient is read, with an extra weight for the current step |
# | Mamba (Gu and Dao 2023) | $\exp(\Delta_t A)$, $\Delta_t$ from the input | $\Delta_t B_t x_t$ (in its code) | a vector per channel |
# | RG-LRU in Griffin (De and others 2024) | $\sigma(\Lambda)^{8 r_t}$, gate $r_t$ | $\sqrt{1 - a_t^2} \, (i_t \odot x_t)$ | a number |
# | minGRU (Feng and others 2024) | $z_t$ | $(1 - z_t) \odot n_t$ | a number |
# | linear attention (Katharopoulos and others 2020) | 1 | $\varphi(k_t)^\top v_t$ | a matrix $S$, and a vector to normalise by |
# | RetNet (Sun and others 2023) | $\gamma$, constant | $k_t^\top v_t$ | a matrix $S$ |
# | mLSTM in xLSTM (Beck and others 2024) | $f_t$ | $i_t \, k_t^\top v_t$, $i_t = \exp(\cdot)$ | a matrix, and a vector to normalise by |
# | DeltaNet (Schlag and others 2021; Yang and others 2024) | $I - \beta_t k_t^\top k_t$ | $\beta_t k_t^\top v_t$ | a matrix $S$ |
# | Gated DeltaNet (Yang, Kautz and Hatamizadeh 2024) | $\alpha_t (I - \beta_t k_t^\top k_t)$ | $\beta_t k_t^\top v_t$ | a matrix $S$ |

# %% [markdown]
# The other half of xLSTM, the sLSTM, keeps $h_{t-1}$ in its gates. It can track states as the
# LSTM does, and it cannot be computed in parallel.
#
# **Hybrids** combine the two kinds of memory. Some layers are linear and have a small state,
# and others are attention and look back exactly. Griffin mixes the RG-LRU with attention to a
# local window, and Jamba (Lieber and others 2024) mixes Mamba with full attention. Which
# mixture is best is still an open question.

# %% [markdown]
# **When should you choose which?** Take an LSTM or GRU for small models and short sequences on
# a CPU, and where states must be tracked. Take a linear recurrence for long sequences on
# parallel hardware, or for endless streams with little memory. Take attention where the model
# must look up what it has read, word for word.

# %% [markdown]
# ## Full circle
#
# Lesson 00 began with a bucket, one number that leaks, and asked how a number can remember. Set
# $a_t$ to 0.5 and $b_t$ to $x_t$, and your scan gives the very table that you computed by hand
# there:

# %% tags=["demonstration"]
xs = np.array([1.0, 0.0, 0.0, 2.0]).reshape(1, 4, 1)
levels, rounds = scan(np.full_like(xs, 0.5), xs, np.zeros((1, 1)))
print("levels:", levels.ravel().tolist(), "in", rounds, "rounds")

# %% [markdown]
# All that has been added since are better choices: what to keep, what to add, and how to read.
# You have built each of them yourself and checked it number for number.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - W. D. Hillis and G. L. Steele, "Data parallel algorithms" (1986): the scan, and much else in
#   $\log_2 T$ rounds.
# - P. Kogge and H. Stone, "A parallel algorithm for the efficient solution of a general class of
#   recurrence equations" (1973).
# - E. Martin and C. Cundy, "Parallelizing linear recurrent neural nets over sequence length" (2018).
# - A. Katharopoulos and others, "Transformers are RNNs" (2020): linear attention.
# - A. Gu and T. Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023).
# - L. Feng and others, "Were RNNs all we needed?" (2024): minGRU and minLSTM.
# - R. Grazzi and others, "Unlocking state-tracking in linear RNNs through negative eigenvalues" (2024).

# %% [markdown]
# ## In three lines
#
# - Two linear steps are one: $(a_2 a_1, \; a_2 b_1 + b_2)$. So all $T$ states of $h_t = a_t \odot h_{t-1} + b_t$ need only $\lceil \log_2 T \rceil$ rounds, in exchange for more work.
# - **minGRU**, **linear attention**, the **delta rule** and Mamba are such steps, with other choices of $a_t$, $b_t$ and the state.
# - A state of fixed size loses pairs where attention keeps them all, and with decays strictly between 0 and 1 it cannot compute the parity of long sequences.
#
# *This was the last lesson. You have built every part yourself and checked it against another one.*
