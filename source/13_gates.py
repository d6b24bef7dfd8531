# %% [markdown]
# # 13 · Gates: a memory that is opened and closed
#
# **After this lesson you can** write an LSTM and a GRU from their equations, number for number as
# Keras computes them, backpropagate through a gated step, say which gate does what and what it is
# worth, initialise a memory for a given number of steps, and judge when gates pay.
#
# **Time** about 190 minutes, in two parts. **You need** lessons 04, 06 and 07.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import explorers, gate_graphs, plots
from rnn_helpers.cards import Screen


def sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * a))  # the logistic function, without overflow

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

# %% [markdown]
# ## The trouble with rewriting everything
#
# "The keys that I left on the table beside the old lamp ..." Should the next word be *is* or *are*?
# The noun that decides, *keys*, is ten words back, and nothing since then has changed your mind. A
# simple RNN has no way to leave a decision alone. It sends its whole state through $W_{hh}$ and through
# tanh at every step, and lesson 06 showed what becomes of it.
#
# It would be better to keep a memory as it is, and to *decide* when to change it. In 1997 Sepp Hochreiter and
# Jürgen Schmidhuber built a network that does this, and called it **long short-term memory**, or
# **LSTM**. We build it up from something that you know.

# %% [markdown]
# ## From the bucket to the LSTM
#
# In lesson 00 a leaky bucket remembered: $h_t = 0.9\,h_{t-1} + x_t$. Here is the same bucket inside a
# network. Beside its hidden state $h_t$ the network has a **cell state** $c_t$, the memory. At every
# step, nine tenths of it stay, and a **candidate** $g_t$ is added. What the network shows is tanh of
# the memory (a superscript names a block of weights):
#
# $$c_t = 0.9\,c_{t-1} + g_t, \qquad g_t = \tanh(x_t W^g_{xh} + h_{t-1} W^g_{hh} + b^g), \qquad h_t = \tanh(c_t)$$
#
# Such a bucket forgets everything at the same speed, and everything that comes along flows in. Three
# changes make an LSTM of it.

# %% tags=["demonstration"]
plots.show(
    gate_graphs.lstm_stages(),
    "Four drawings of one step. 1: the memory is multiplied by 0.9, a candidate is "
    "added, tanh of the memory is shown. 2: a forget gate replaces 0.9. 3: an input "
    "gate multiplies the candidate. 4: an output gate multiplies tanh of the memory.",
)

# %% [markdown]
# In stage 2 the network chooses how much of the memory stays. The **forget gate** $f_t$ has one number
# per unit, computed from the input and the state at every step. A **gate** is a door for numbers: at 0
# it is closed, at 1 it is open, and most of the time it is somewhere in between. Mind the name: an
# *open* forget gate, $f_t = 1$, keeps everything.

# %% [markdown]
# In stage 3 the network chooses how much of the candidate enters, with the **input gate** $i_t$. With
# $f_t = 1$ and $i_t = 0$ the memory does not change at all. This is what a simple RNN cannot do.
#
# In stage 4 it chooses how much of the memory is shown, with the **output gate** $o_t$. (In the drawings a
# large box is a layer with weights. The small tanh has none.)

# %% [markdown]
# What sets the gates? Each is a small layer with weights of its own, and a **sigmoid**
# $\sigma(a) = 1 / (1 + e^{-a})$ keeps it between 0 and 1. The candidate has tanh:
#
# $$a = x_t W_{xh} + h_{t-1} W_{hh} + b_h, \qquad i_t = \sigma(a^i), \quad f_t = \sigma(a^f), \quad g_t = \tanh(a^g), \quad o_t = \sigma(a^o)$$
#
# The four blocks stand next to each other, so $W_{xh}$ is `(features, 4 * units)`, $W_{hh}$ is
# `(units, 4 * units)`, and $a$ is `(batch, 4 * units)`: first all numbers of $i$, then all of $f$, of
# $g$ (Keras calls it c) and of $o$. With $\odot$ for the element-wise product, the LSTM is
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)$$

# %% [markdown]
# ### Which gate earns its weights?
#
# We train all four stages on the **adding problem** of lesson 07: two marked numbers among forty, and
# the target is their sum. Holding a gate at 1 removes it. Such a comparison, in which one part after the
# other is taken away, is called an **ablation**. The last variant has no weights for the input gate. It
# is **coupled** to the forget gate, $i_t = 1 - f_t$: what leaves makes room for what enters.
#
# The next cell is long, but you can run it without reading it. You know all its parts: the task,
# backpropagation, clipping and Adam. The cells are the course's fast ones and compute what you are
# about to write.

# %% tags=["demonstration"]
BLOCKS = {  # in the order of the columns
    "SimpleRNN": ["state"],
    "LSTM": ["input", "forget", "candidate", "output"],
    "GRU": ["update", "reset", "candidate"],
}
CELLS = {"SimpleRNN": cells, "LSTM": cells.lstm, "GRU": cells.gru}


def adding_problem(n, steps, rng):
    """Return (xs, targets): values with two marks, and the sums of the marked ones."""
    marks, rows = np.zeros((n, steps)), np.arange(n)
    marks[rows, rng.integers(steps // 2, size=n)] = 1
    marks[rows, rng.integers(steps // 2, steps, size=n)] = 1
    values = rng.random((n, steps))
    return np.stack([values, marks], axis=-1), np.sum(values * marks, axis=1)


def blocks_of(kind, array):
    """Return views of the blocks of a weight array, by name."""
    names = BLOCKS[kind]
    return dict(zip(names, np.split(array, len(names), axis=-1)))


def restrict(kind, arrays, constant, coupled):
    """Set the blocks of constant gates to 0, and couple the input gate, in place."""
    for name in ("W_xh", "W_hh", "b_h"):
        blocks = blocks_of(kind, arrays[name])
        for gate in constant:
            blocks[gate][:] = 0
        if coupled:  # 1 - sigmoid(a) is sigmoid(-a)
            blocks["forget"][:] = (blocks["forget"] - blocks["input"]) / 2
            blocks["input"][:] = -blocks["forget"]


def start(kind, units, bias, constant, coupled, rng):
    """Return the weights at the start; W_hh's blocks are rotations, unless coupled."""
    count = len(BLOCKS[kind])
    rotations = [np.linalg.qr(rng.normal(size=(units, units)))[0] for _ in range(count)]
    params = {
        "W_xh": rng.uniform(-0.4, 0.4, size=(2, count * units)),
        "W_hh": np.hstack(rotations),
        "b_h": np.zeros((2, 3 * units) if kind == "GRU" else count * units),
        "W_hy": 0.06 * rng.normal(size=(units, 1)),
        "b_y": np.zeros(1),
    }
    for gate, number in bias.items():
        blocks_of(kind, params["b_h"])[gate][:] = number
    restrict(kind, params, constant, coupled)
    for gate, number in constant.items():
        blocks_of(kind, params["b_h"])[gate][:] = number
    return {name: array.astype(np.float32) for name, array in params.items()}


def squared_error(kind, params, xs, targets, workspace):
    """Return (mean squared error of the sum at the last step, gradients)."""
    hidden = {name: params[name] for name in ("W_xh", "W_hh", "b_h")}
    states = [None, None] if kind == "LSTM" else [None]
    hs, *_, cache = CELLS[kind].forward(
        xs.astype(np.float32), *states, **hidden, workspace=workspace
    )
    off = hs[:, -1] @ params["W_hy"] + params["b_y"] - targets[:, None]
    dy, dhs = 2 * off / len(off), np.zeros_like(hs)
    dhs[:, -1] = dy @ params["W_hy"].T
    back = CELLS[kind].backward(dhs, cache)
    grads = {name: getattr(back, f"d{name}") for name in hidden}
    return np.mean(off**2), grads | {"W_hy": hs[:, -1].T @ dy, "b_y": dy.sum(axis=0)}


def train(kind, units=32, steps=40, updates=600, lr=0.01, seed=0,
          bias=None, constant=None, coupled=False):
    """Train on the adding problem; return (error of each update, weights).

    bias: gate -> its bias at the start; constant: gate -> the bias it keeps
    """
    rng, constant = np.random.default_rng(seed), constant or {}
    params, errors = start(kind, units, bias or {}, constant, coupled, rng), []
    m, v = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    workspace = CELLS[kind].Workspace(64, steps, 2, units, np.float32)  # for speed
    for update in range(1, updates + 1):
        data = adding_problem(64, steps, rng)
        error, grads = squared_error(kind, params, *data, workspace)
        restrict(kind, grads, constant, coupled)
        norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
        for name, g in grads.items():
            g = g * min(1, 1 / norm)
            m[name] += 0.1 * (g - m[name])
            v[name] += 0.001 * (g**2 - v[name])
            step = m[name] / (1 - 0.9**update)
            step /= np.sqrt(v[name] / (1 - 0.999**update)) + 1e-8
            params[name] = (params[name] - lr * step).astype(np.float32)
        errors.append(float(error))
    return np.array(errors), params


def smooth(errors, window=30):
    """Return the mean of the last `window` errors at each update from there on."""
    return np.convolve(errors, np.ones(window) / window, mode="valid")

# %% [markdown]
# **Predict.** Always answering 1, the mean sum, gives an error of 1/6. Which of the five variants will
# get below it in 600 updates? Which gate is the first whose addition helps?

# %% tags=["demonstration"]
OPEN = 30  # sigmoid(30) is 1
LEAK = np.log(9)  # sigmoid(log 9) is 0.9
kept = {"forget": 1}  # all but the bucket begin with a forget gate of sigmoid(1) = 0.73
variants = {
    "bucket": {"constant": {"forget": LEAK, "input": OPEN, "output": OPEN}},
    "with forget gate": {"bias": kept, "constant": {"input": OPEN, "output": OPEN}},
    "with input gate, too": {"bias": kept, "constant": {"output": OPEN}},
    "LSTM": {"bias": kept},
    "coupled": {"bias": {"forget": 1, "input": -1}, "coupled": True},
}
screen, lines, learned = Screen(), {}, {}
for name, options in variants.items():
    errors, learned[name] = train("LSTM", **options)
    lines[name] = smooth(errors)
    ax = plots.curves(
        np.arange(30, 601), lines, title="Two numbers out of forty, with more gates",
        xlabel="update", ylabel="squared error", ylim=(2e-4, 0.5), log=True,
        colours=(*plots.COLOURS, "black"),
    )
    ends = ", ".join(f"{name} {line[-1]:.4f}" for name, line in lines.items())
    screen.show(plots.picture(ax, f"Error over 600 updates. At the end: {ends}."))
print("\n".join(f"{name:<21} {line[-1]:.4f}" for name, line in lines.items()))

# %% [markdown]
# On this task the **input gate** earns its weights. Without it, the candidate itself would have to be
# near 0 at the thirty-eight steps that do not matter, and in 600 updates no network learned this. A
# forget gate alone is no help. With five seeds, both variants without an input gate stayed at the
# baseline (0.167 to 0.178), and the other three variants always ended below 0.004.

# %% [markdown]
# The output gate changes hardly anything here, because nothing is read before the last step. And the
# coupled network, with a quarter of the weights left out, is the best of all: 0.0003 to 0.0005, where
# the LSTM reached 0.0010 to 0.0025. (An LSTM whose input gate starts from the same bias, -1, came to
# 0.0008 to 0.0017.)
#
# One task is not all tasks. Greff and others (2017) compared eight variants of the LSTM on speech,
# handwriting and music. Of the gates, the forget gate mattered most there, removing the input or
# the output gate did harm on some tasks, and coupling the gates did none. Remember it, for it comes
# back as the GRU.

# %% [markdown]
# And the forget gate? The LSTM of 1997 had none. With $f_t = 1$, all five seeds solve this task, too
# (0.0015 to 0.0057). A memory that never forgets works as long as every sequence starts with an empty
# one. On a stream without end it fills up, and so Gers, Schmidhuber and Cummins added the forget gate
# in 2000. Ever since, "LSTM" means the version with three gates, and now you write it.
#
# **A step by hand**, one unit. Let $c_{t-1} = 2$ and $a = (a^i, a^f, a^g, a^o) = (0, 0, \log 2, 0)$.
# Then $\sigma(0) = 1/2$ and $\tanh(\log 2) = 0.6$, so $c_t = 0.5 \cdot 2 + 0.5 \cdot 0.6 = 1.3$ and
# $h_t = 0.5 \tanh(1.3) = 0.431$.

# %% [markdown] nbgrader={"grade_id": "lstm_step_task", "locked": true}
# ### Your turn: `lstm_step` (4 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `x_t` | (batch, features) | `h_t` | (batch, units) |
# | `h_prev`, `c_prev` | (batch, units) | `c_t` | (batch, units) |
# | `W_xh` | (features, 4 * units) | | |
# | `W_hh` | (units, 4 * units) | | |
# | `b_h` | (4 * units,) | | |
#
# The blocks come in the order i, f, g, o. Return the pair `h_t, c_t`. (`np.split(a, 4, axis=1)` cuts
# an array into four blocks of columns, and `sigmoid` is defined above. Later a cell passes complex
# numbers through your function, so do not fill an array that you have created with `np.empty`.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "lstm_step", "solution": true}
def lstm_step(x_t, h_prev, c_prev, W_xh, W_hh, b_h):
    """Advance an LSTM by one step and return (h_t, c_t), each (batch, units)."""
    ### BEGIN SOLUTION
    i, f, g, o = np.split(x_t @ W_xh + h_prev @ W_hh + b_h, 4, axis=1)
    c_t = sigmoid(f) * c_prev + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c_t), c_t
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "lstm_step_test", "grade": true, "locked": true, "points": 4}
check(lstm_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(lstm_step)
### END HIDDEN TESTS

# %% [markdown]
# ### Warm-up: a whole sequence
#
# The state is a *pair* now, and both parts are passed on. (Keras returns them as `[h, c]`.) One of the
# three lines in the loop is missing. (No points.)


# %% nbgrader={"grade_id": "lstm_forward", "solution": true}
def lstm_forward(xs, h_0, c_0, W_xh, W_hh, b_h):
    """Return (hs, cs), each (batch, steps, units)."""
    h, c, hs, cs = h_0, c_0, [], []
    for t in range(xs.shape[1]):
        # h, c = ...   one step from h and c
        ### BEGIN SOLUTION
        h, c = lstm_step(xs[:, t], h, c, W_xh, W_hh, b_h)
        ### END SOLUTION
        hs.append(h)
        cs.append(c)
    return np.stack(hs, axis=1), np.stack(cs, axis=1)


# %% [markdown]
# **Predict.** Keras' own layer with the same weights, twenty steps, float64: how many digits will
# agree?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
xs = rng.normal(size=(3, 20, 5))
layer = keras.layers.LSTM(4, return_sequences=True, dtype="float64")
layer.build(xs.shape)
layer.set_weights([rng.normal(size=array.shape) for array in layer.get_weights()])
h_0, c_0 = np.zeros((3, 4)), np.zeros((3, 4))
hs, cs = lstm_forward(xs, h_0, c_0, *layer.get_weights())
print(f"largest difference from Keras: {np.abs(layer(xs).numpy() - hs).max():.1e}")

# %% [markdown]
# ## Backpropagation through a gated step
#
# The loss depends on $c_t$ along two paths: through $h_t$, and through $c_{t+1}$, which was computed
# from $c_t$. Backpropagation has two gradients to combine when it arrives at step $t$:
#
# - $\textcolor{#D1368B}{dh_t}$, the whole gradient of the loss with respect to $h_t$, as in lesson 04;
# - $\textcolor{#D1368B}{dc_{\text{next}}}$, the part of the gradient with respect to $c_t$ that comes back
#   from step $t + 1$.

# %% tags=["demonstration"]
plots.show(
    gate_graphs.lstm_gradients(),
    "One LSTM step with gradients in pink. dc_next arrives from the right along the "
    "memory, dh_t at the output; it passes the output gate and tanh, and together they "
    "are dc. From dc, gradients flow to the input gate, the candidate and the forget "
    "gate, and dc times f to c_{t-1}.",
)

# %% [markdown]
# The first path passes $h_t = o_t \odot \tanh(c_t)$, whose derivative with respect to $c_t$ is
# $o_t \odot (1 - \tanh^2 c_t)$. The total gradient with respect to $c_t$ is therefore
#
# $$\textcolor{#D1368B}{dc} = \textcolor{#D1368B}{dc_{\text{next}}} + \textcolor{#D1368B}{dh_t} \odot o_t \odot (1 - \tanh^2 c_t)$$
#
# From there each factor of $c_t = f_t \odot c_{t-1} + i_t \odot g_t$ receives $dc$ times its partner. For
# instance, $i_t$ receives $dc \odot g_t$, and $c_{t-1}$ receives $dc \odot f_t$. The output gate is a factor
# of $h_t$, so it receives $dh_t \odot \tanh c_t$.
#
# The last part, which is not drawn, leads back through $\sigma$ and tanh to $a$. Their derivatives, written with
# their outputs, are $\sigma' = \sigma (1 - \sigma)$ and $\tanh' = 1 - \tanh^2$.

# %% [markdown]
# **By hand**, for the step from above with $dh_t = 1$ and $dc_{\text{next}} = 0$. Since
# $\tanh(1.3) = 0.862$, we get $dc = 0.5\,(1 - 0.743) = 0.129$. The candidate receives
# $0.129 \cdot i = 0.064$; times its derivative $1 - 0.6^2 = 0.64$, this is $da^g = 0.041$.

# %% [markdown] nbgrader={"grade_id": "lstm_step_backward_task", "locked": true}
# ### Your turn: `lstm_step_backward` (5 points)
#
# | argument | what it is | shape |
# |---|---|---|
# | `dh_t` | the whole gradient with respect to $h_t$ | (batch, units) |
# | `dc_next` | the part of the gradient with respect to $c_t$ that comes from step $t + 1$ | (batch, units) |
# | `cache` | the tuple `(c_prev, i, f, g, o, c_t)`, with the gates *after* their activation | (batch, units) each |
#
# Return a dict with the gradients `"da_i"`, `"da_f"`, `"da_g"`, `"da_o"` with respect to the four blocks
# of $a$, and `"dc_prev"` with respect to $c_{t-1}$; each (batch, units). (The path from $a$ to $h_{t-1}$ and to the
# weights is the matrix product of lesson 04. It comes afterwards.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "lstm_step_backward", "solution": true}
def lstm_step_backward(dh_t, dc_next, cache):
    """Return a dict of the gradients with respect to the blocks of a and to c_{t-1}."""
    c_prev, i, f, g, o, c_t = cache
    ### BEGIN SOLUTION
    shown = np.tanh(c_t)
    dc = dc_next + dh_t * o * (1 - shown**2)
    return {
        "da_i": dc * g * i * (1 - i),
        "da_f": dc * c_prev * f * (1 - f),
        "da_g": dc * i * (1 - g**2),
        "da_o": dh_t * shown * o * (1 - o),
        "dc_prev": dc * f,
    }
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "lstm_step_backward_test", "grade": true, "locked": true, "points": 5}
check(lstm_step_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(lstm_step_backward)
### END HIDDEN TESTS

# %% [markdown]
# The rest is lesson 04. The four blocks side by side are `da`; `da @ W_hh.T` goes to the state of the
# step before, and each weight adds up its contributions. Here is the whole backward pass with your
# step in it, compared with central differences for one weight of each array (lesson 05).


# %% tags=["demonstration"]
def lstm_backward(dhs, xs, h_0, c_0, W_xh, W_hh, b_h):
    """Return (dW_xh, dW_hh, db_h), with lstm_step_backward at every step."""
    hs, cs = lstm_forward(xs, h_0, c_0, W_xh, W_hh, b_h)
    grads = [np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h)]
    dh_next, dc_next = np.zeros_like(h_0), np.zeros_like(c_0)
    for t in reversed(range(xs.shape[1])):
        h_prev, c_prev = (hs[:, t - 1], cs[:, t - 1]) if t else (h_0, c_0)
        i, f, g, o = np.split(xs[:, t] @ W_xh + h_prev @ W_hh + b_h, 4, axis=1)
        cache = (c_prev, sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o), cs[:, t])
        back = lstm_step_backward(dhs[:, t] + dh_next, dc_next, cache)
        da = np.hstack([back[name] for name in ("da_i", "da_f", "da_g", "da_o")])
        for grad, part in zip(grads, (xs[:, t].T @ da, h_prev.T @ da, da.sum(axis=0))):
            grad += part
        dh_next, dc_next = da @ W_hh.T, back["dc_prev"]
    return grads


weights = layer.get_weights()
dhs = rng.normal(size=hs.shape)
yours = lstm_backward(dhs, xs, h_0, c_0, *weights)
for name, number, place in (("W_xh", 0, (1, 6)), ("W_hh", 1, (2, 3)), ("b_h", 2, (9,))):
    losses = []
    for step in (1e-6, -1e-6):
        perturbed = [array.copy() for array in weights]
        perturbed[number][place] += step
        losses.append(np.sum(dhs * lstm_forward(xs, h_0, c_0, *perturbed)[0]))
    difference = (losses[0] - losses[1]) / 2e-6
    print(f"{name}{list(place)}: yours {yours[number][place]:+.8f}   "
          f"by differences {difference:+.8f}")

# %% [markdown]
# The most tedious part is done. What follows explains why it was worth it.
#
# ## The direct path
#
# Look at your `dc_prev`, which is $dc \odot f_t$. In a simple RNN the gradient passes $W_{hh}^\top$
# and a derivative at every step. Along the memory of an LSTM it passes **one number per unit**, the
# forget gate. In 1997 that number was exactly 1, and Hochreiter and Schmidhuber called this the
# **constant error carousel**. Today it is $f_t$, which is always less than 1. Along this path a
# gradient can vanish, but it can never explode.

# %% [markdown]
# This is not the only path. $c_{t-1}$ also determines $h_{t-1} = o_{t-1} \odot \tanh(c_{t-1})$, and
# $h_{t-1}$ enters all four blocks of step $t$. The **total derivative** therefore has two terms:
#
# $$\frac{d c_t}{d c_{t-1}} = \underbrace{\text{diag}(f_t)}_{\text{direct path}} + \underbrace{\frac{\partial c_t}{\partial h_{t-1}}\, \text{diag}\big(o_{t-1} \odot (1 - \tanh^2 c_{t-1})\big)}_{\text{through } h_{t-1},\ \text{with } W_{hh}}$$
#
# (Over many steps these sums are not just multiplied, because $c_{t-2}$ also reaches $c_t$ through
# $o_{t-1}$. So we shall measure the total.)

# %% [markdown] nbgrader={"grade_id": "cell_jacobian_task", "locked": true}
# ### Your turn: `cell_jacobian` (2 points)
#
# Compute the first term, the Jacobian of the direct path, for a single sequence. `x_t` is (features,),
# `h_prev` is (units,), and the weights are as above. Return the matrix (units, units) whose entry
# $(j, k)$ is the derivative of $c_t[j]$ with respect to $c_{t-1}[k]$ when $h_{t-1}$ is held fixed. (The
# result does not depend on $c_{t-1}$, so it is not among the arguments.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "cell_jacobian", "solution": true}
def cell_jacobian(x_t, h_prev, W_xh, W_hh, b_h):
    """Return dc_t / dc_{t-1} with h_{t-1} held fixed, shape (units, units)."""
    ### BEGIN SOLUTION
    units = len(W_hh)
    forget = slice(units, 2 * units)
    a_forget = x_t @ W_xh[:, forget] + h_prev @ W_hh[:, forget] + b_h[forget]
    return np.diag(sigmoid(a_forget))
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "cell_jacobian_test", "grade": true, "locked": true, "points": 2}
check(cell_jacobian)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(cell_jacobian)
### END HIDDEN TESTS

# %% [markdown]
# "LSTMs solve the vanishing gradient problem," many texts say. Do they? We take fifty steps of an LSTM
# that has learned nothing yet, with weights as Keras draws them, and ask how strongly $c_{50}$ still
# depends on $c_0$. Only the bias of the forget gate varies. With a bias of $b$ the gate starts near
# $\sigma(b)$: 0.5, 0.73 or 0.993 for 0, 1 and 5.

# %% [markdown]
# To measure the total derivative we give $c_0$ an imaginary part of $\varepsilon = 10^{-30}$. Since
# $f(c + i\varepsilon) \approx f(c) + i\varepsilon f'(c)$, the imaginary part of $c_{50}$, divided by
# $\varepsilon$, is the derivative. This is called the **complex step**. It subtracts nothing, so it is exact
# up to rounding even for tiny derivatives.
#
# **Predict** two norms for each bias: along the direct path, for which a calculator is enough, and in
# total. And how does a simple RNN that starts from a rotation compare with an LSTM with a bias of 0?


# %% tags=["demonstration"]
def memory_gradients(bias, steps=50, units=32, seed=0):
    """Return the norms of dc_t / dc_0 for t = 1 ... steps: (in total, direct path)."""
    rng = np.random.default_rng(seed)
    W_xh = rng.uniform(-1, 1, size=(4, 4 * units)) * np.sqrt(6 / (4 + 4 * units))
    W_hh = np.linalg.qr(rng.normal(size=(4 * units, units)))[0].T
    b_h = np.zeros(4 * units)
    b_h[units : 2 * units] = bias
    # One row per unit: in row k, only c_0[k] has an imaginary part.
    h, c = np.zeros((units, units)), 1e-30j * np.eye(units)
    product, total, direct = np.eye(units), [], []
    for x in rng.normal(size=(steps, 4)):
        product = cell_jacobian(x, h[0].real, W_xh, W_hh, b_h) @ product
        h, c = lstm_step(np.tile(x, (units, 1)), h, c, W_xh, W_hh, b_h)
        total.append(np.linalg.norm(c.imag, 2) / 1e-30)
        direct.append(np.linalg.norm(product, 2))
    return np.array(total), np.array(direct)


ax = plots.new_axes(width=7.6, height=3.6)
words = []
for bias, colour in zip((5, 1, 0), plots.COLOURS):
    total, direct = memory_gradients(bias)
    ax.semilogy(np.arange(1, 51), total, color=colour)
    ax.semilogy(np.arange(1, 51), direct, "--", color=colour)
    ax.text(51, total[-1], f"LSTM, bias {bias}", color=colour, va="center")
    words.append(f"bias {bias}: total {total[-1]:.1e}, direct path {direct[-1]:.1e}")

rng = np.random.default_rng(0)
rotation, h = np.linalg.qr(rng.normal(size=(32, 32)))[0], np.zeros(32)
W_xh = rng.uniform(-1, 1, size=(4, 32)) * np.sqrt(6 / 36)
product, simple = np.eye(32), []
for x in rng.normal(size=(50, 4)):
    h = np.tanh(x @ W_xh + h @ rotation)
    product = np.diag(1 - h**2) @ rotation.T @ product  # lesson 06
    simple.append(np.linalg.norm(product, 2))
ax.semilogy(np.arange(1, 51), simple, "-.", color=plots.COLOURS[3])
ax.text(51, simple[-1], "simple RNN", color=plots.COLOURS[3], va="center")
words.append(f"simple RNN from a rotation: {simple[-1]:.1e}")
ax.set(title="What is left of the first state (dashed: along the direct path)",
       xlabel="step t", ylabel="norm of the derivative", xlim=(0, 63))
plots.show(ax, f"Solid: total derivative, dashed: direct path. {'; '.join(words)}.")
print("after 50 steps", *words, sep="\n")

# %% [markdown]
# Along the direct path the norm is about $\sigma(b)^{50}$. The rest arrives through $h$, where there *is* a
# matrix. With a bias of 5 the total even grows, and nearly all of the growth comes through the
# candidate: $c_{t-1}$ changes $h_{t-1}$, this changes $g_t$ through $W_{hh}$, and the open forget gate
# accumulates what is added at every step. That is why the gradients of LSTMs are clipped, too. And with
# a bias of 0, an untrained LSTM forgets **more** than the simple RNN with its rotation. Halving fifty
# times leaves $10^{-15}$ on the direct path.

# %% [markdown]
# So nothing is *solved*, but it has become **easier to learn**. What a simple RNN remembers depends on a
# whole matrix (lesson 06). The factor along the memory of an LSTM is one number per unit, and a bias
# can set it.

# %% [markdown]
# ## How far to open the gate at the start
#
# Keras starts the forget gate with a bias of 1 (`unit_forget_bias=True`), as Jozefowicz and others
# recommended in 2015. That is a memory of a few steps. Suppose that your data need $T$ steps. A unit
# that keeps a share of $f$ per step has a **time constant** of about $1 / (1 - f)$ steps, so set
# $f = 1 - 1/T$. And from $\sigma(b) = 1 - 1/T$ follows $e^{-b} = 1/(T - 1)$, which means
#
# $$b^f = \log(T - 1)$$

# %% [markdown]
# Tallec and Ollivier (2018) derived this and went one step further. With $i = 1 - f = 1/T$, the memory is
# a weighted mean of the candidates and stays between -1 and 1. Since $\sigma(-b) = 1 - \sigma(b)$, this
# means $b^i = -\log(T - 1)$. (They draw a different $T$ for each unit, from 2 up to the longest. We take
# one for all.)
#
# **Predict.** The adding problem with 100 steps: Keras' start, the forget gate's bias alone, the input
# gate's alone, or both. Which of the four will have left the baseline after 400 updates?

# %% tags=["demonstration"]
b = np.log(99)
starts = {
    "bias 1": {"forget": 1},
    "forget gate log 99": {"forget": b},
    "input gate -log 99": {"forget": 1, "input": -b},
    "both": {"forget": b, "input": -b},
}
screen, lines = Screen(), {}
for name, bias in starts.items():
    errors, _ = train("LSTM", steps=100, updates=400, bias=bias)
    lines[name] = smooth(errors)
    ax = plots.curves(
        np.arange(30, 401), lines, title="A hundred steps, from four different starts",
        xlabel="update", ylabel="squared error", ylim=(3e-4, 0.5), log=True,
    )
    ends = ", ".join(f"{name} {line[-1]:.4f}" for name, line in lines.items())
    screen.show(plots.picture(ax, f"Error over 400 updates. At the end: {ends}."))
print("\n".join(f"{name:<20} {line[-1]:.4f}" for name, line in lines.items()))

# %% [markdown]
# Only both together work reliably: with five seeds they reached 0.0016 to 0.0049. The input gate's bias
# alone came down once, to 0.0075, and the other two starts never left the baseline. A forget gate that
# is open from the start keeps everything, at first including a hundred candidates of which two are
# needed. Nearly closing the input gate keeps the rest out. (The hump in one of the curves is a single
# bad batch, which stays in the mean of thirty updates for thirty updates.)
#
# This is the end of part 1. ☕

# %% [markdown]
# ## Two gates will do: the GRU
#
# The ablation has shown that one gate can do the work of two if what leaves makes room for what
# enters. In 2014 Cho and others built a cell on this idea, the **gated recurrent unit**, or **GRU**. It
# has no separate memory: the state $h_t$ itself is kept or replaced. The **update gate** $z_t$ says how
# much of the old state stays, and $1 - z_t$ how much of the candidate $n_t$ enters:
#
# $$h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$$
#
# The **reset gate** $r_t$ says how much of the old state the candidate may look at.

# %% tags=["demonstration"]
plots.show(
    gate_graphs.gru(),
    "One step of a GRU. The update gate z multiplies the old state, 1 - z multiplies "
    "the candidate, and both are added. The reset gate r multiplies the old state "
    "before it enters the candidate.",
)

# %% [markdown]
# Both gates are $\sigma$ of the usual sum, each with its own block of weights. Two versions of the
# candidate are in use, and both are called GRU. They differ in where the reset gate stands:
#
# - **before** the product with $W^n_{hh}$, as in the drawing and in the published paper:
#   $n_t = \tanh\big(x_t W^n_{xh} + (r_t \odot h_{t-1})\, W^n_{hh} + b^n\big)$
# - **after** it, which is faster on graphics cards and the default in Keras:
#   $n_t = \tanh\big(x_t W^n_{xh} + b^n_x + r_t \odot (h_{t-1} W^n_{hh} + b^n_s)\big)$

# %% [markdown]
# In the second version the reset gate stands *between* two sums, so each of them has a bias of its own:
# $b_x$ for the inputs and $b_s$ for the state. Only the block $n$ needs both. Keras keeps two everywhere,
# and in $z$ and $r$ they just add up.

# %% [markdown]
# **By hand**, one unit, reset after the product: let $h_{t-1} = 1$, and let all sums be 0 except
# $h_{t-1} W^n_{hh} + b^n_s = 2 \log 2$. Then $z = r = 1/2$, $n = \tanh(\log 2) = 0.6$, and $h_t =
# 0.5 \cdot 1 + 0.5 \cdot 0.6 = 0.8$.
#
# A warning about books: many of them interchange $z$ and $1 - z$. PyTorch orders the blocks r, z, n, and
# has two biases in its LSTM as well. Always compare a new layer, number for number, with one you trust.

# %% [markdown] nbgrader={"grade_id": "gru_step_task", "locked": true}
# ### Your turn: `gru_step` (5 points)
#
# | argument | shape |
# |---|---|
# | `x_t`, `h_prev` | (batch, features), (batch, units) |
# | `W_xh`, `W_hh` | (features, 3 * units), (units, 3 * units), in the order z, r, n |
# | `b_h`, if `reset_after` is true | (2, 3 * units): row 0 is $b_x$, row 1 is $b_s$ |
# | `b_h`, if it is false | (3 * units,) |
#
# Return `h_t`, (batch, units). With two biases, $z$ and $r$ take both.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "gru_step", "solution": true}
def gru_step(x_t, h_prev, W_xh, W_hh, b_h, reset_after=True):
    """Advance a GRU by one step and return h_t, (batch, units)."""
    ### BEGIN SOLUTION
    units = h_prev.shape[1]
    b_x, b_state = b_h if reset_after else (b_h, 0 * b_h)
    from_x, from_h = x_t @ W_xh + b_x, h_prev @ W_hh + b_state
    z, r = np.split(sigmoid(from_x + from_h)[:, : 2 * units], 2, axis=1)
    W_n = W_hh[:, 2 * units :]
    recalled = r * from_h[:, 2 * units :] if reset_after else (r * h_prev) @ W_n
    n = np.tanh(from_x[:, 2 * units :] + recalled)
    return z * h_prev + (1 - z) * n
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "gru_step_test", "grade": true, "locked": true, "points": 5}
check(gru_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(gru_step)
### END HIDDEN TESTS

# %% tags=["demonstration"]
for reset_after in (True, False):
    layer = keras.layers.GRU(
        4, return_sequences=True, reset_after=reset_after, dtype="float64"
    )
    layer.build(xs.shape)
    layer.set_weights([rng.normal(size=array.shape) for array in layer.get_weights()])
    h, hs = np.zeros((3, 4)), []
    for t in range(xs.shape[1]):
        h = gru_step(xs[:, t], h, *layer.get_weights(), reset_after=reset_after)
        hs.append(h)
    off = np.abs(layer(xs).numpy() - np.stack(hs, axis=1)).max()
    print(f"reset_after={reset_after}: largest difference from Keras {off:.1e}")

# %% [markdown]
# ### Backward through a GRU
#
# In $h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$ the old state occurs four times: as the state that is
# kept, in $z_t$, in $n_t$, and in the $r_t$ inside $n_t$. Each occurrence contributes a term, in this
# order. With $m = h_{t-1} W^n_{hh} + b^n_s$, reset after the product, and the index $t$ left out:
#
# $$\begin{aligned}\frac{\partial h_t}{\partial h_{t-1}} ={}& \text{diag}(z) + \text{diag}\big((h_{t-1} - n)\, z (1 - z)\big)\, W_{hh}^{z\top} \\
# &+ \text{diag}\big((1 - z)(1 - n^2)\big) \Big[\text{diag}(r)\, W_{hh}^{n\top} + \text{diag}\big(m\, r (1 - r)\big)\, W_{hh}^{r\top}\Big]\end{aligned}$$

# %% [markdown]
# The first term is the direct path, as $\text{diag}(f_t)$ was in the LSTM. So a GRU remembers while its
# update gate is open, and its other three paths pass a matrix. (You will not need this formula again.
# Check it below, and keep the first term in mind.)

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
x, h, W_xh, W_hh, b_h = (
    rng.normal(size=shape) for shape in ((1, 5), (1, 4), (5, 12), (4, 12), (2, 12))
)
W_z, W_r, W_n = np.split(W_hh, 3, axis=1)
from_x = np.split(x @ W_xh + b_h[0], 3, axis=1)
m = np.split(h @ W_hh + b_h[1], 3, axis=1)
z, r = sigmoid(from_x[0] + m[0])[0], sigmoid(from_x[1] + m[1])[0]
m = m[2][0]
n = np.tanh(from_x[2][0] + r * m)
through_n = np.diag((1 - z) * (1 - n**2))
terms = {
    "direct path": np.diag(z),
    "through z": np.diag((h[0] - n) * z * (1 - z)) @ W_z.T,
    "through n": through_n @ np.diag(r) @ W_n.T,
    "through r": through_n @ np.diag(m * r * (1 - r)) @ W_r.T,
}
copies, nudge = np.tile(x, (4, 1)), 1e-5 * np.eye(4)  # in row k, only h[k] is perturbed
up, down = (gru_step(copies, h + sign * nudge, W_xh, W_hh, b_h) for sign in (1, -1))
measured = (up - down).T / 2e-5
for name, term in terms.items():
    print(f"{name:<12} norm {np.linalg.norm(term, 2):.3f}")
off = abs(sum(terms.values()) - measured).max()
print(f"their sum and central differences differ by at most {off:.1e}")

# %% [markdown]
# ## What gates cost
#
# Each gate is another block of weights. Count before you compare two networks: at the same number of
# units, an LSTM has exactly four times the parameters of a simple RNN, and a fair comparison takes
# this into account.

# %% [markdown] nbgrader={"grade_id": "count_gate_parameters_task", "locked": true}
# ### Your turn: `count_gate_parameters` (2 points)
#
# `cell` is `"SimpleRNN"`, `"LSTM"` or `"GRU"`. Return the number of trainable parameters of Keras' layer
# with `units` units and `features` features, with Keras' default options and without a readout.


# %% nbgrader={"grade_id": "count_gate_parameters", "solution": true}
def count_gate_parameters(cell, features, units):
    """Return the number of trainable parameters of a recurrent layer."""
    ### BEGIN SOLUTION
    blocks = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[cell]
    biases = 2 if cell == "GRU" else 1
    return blocks * units * (features + units + biases)
    ### END SOLUTION


# %% nbgrader={"grade_id": "count_gate_parameters_test", "grade": true, "locked": true, "points": 2}
check(count_gate_parameters)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(count_gate_parameters)
### END HIDDEN TESTS

# %% tags=["demonstration"]
for cell, units in (("SimpleRNN", 32), ("GRU", 32), ("LSTM", 32), ("SimpleRNN", 65)):
    count = count_gate_parameters(cell, 2, units)
    print(f"{cell:<9} {units} units: {count:>5} parameters")

# %% [markdown]
# ## Do gates pay?
#
# First on the adding problem. The simple RNN gets 65 units, so that it has about as many parameters as
# the LSTM with 32. It also gets a learning rate that suits it better, 0.001, and 1500 updates in place
# of 600. (Lesson 07's IRNN, with ReLU, learns this task as well. Here all three have tanh.)
#
# **Predict.** Where does it end?

# %% tags=["demonstration"]
runs = {
    "simple RNN (65 units)": train("SimpleRNN", units=65, updates=1500, lr=0.001),
    "LSTM (32)": train("LSTM", bias={"forget": 1}),
    "GRU (32)": train("GRU"),
}
ax = plots.new_axes()
for (name, (errors, _)), colour in zip(runs.items(), plots.COLOURS):
    line = smooth(errors)
    ax.semilogy(np.arange(30, 30 + len(line)), line, color=colour)
    ax.text(40 + len(line), line[-1], name, color=colour, va="center")
ax.set(title="The adding problem with forty steps, three cells", xlabel="update",
       ylabel="squared error", xlim=(0, 1950), ylim=(3e-4, 0.5))
ends = ", ".join(f"{name} {smooth(run[0])[-1]:.4f}" for name, run in runs.items())
plots.show(ax, f"Squared error by update. At the end: {ends}.")
print(ends)

# %% [markdown]
# The simple RNN is not hopeless. With five seeds it came down to 0.02 to 0.06, far below the baseline,
# but the GRU was at 0.0004 to 0.0008 after less than half of the updates.
#
# And the tasks of lessons 10 to 12? We took their networks, replaced the recurrent layer, and chose
# its size so that *all networks of a row have nearly the same number of weights*. Everything else
# is as in those lessons: data, learning rate, epochs. (This is a quarter of an hour of training, so
# you find the results below. `python -m benchmarks.gates` repeats them.)
#
# **Predict** before you open the table: rank the three cells for each task.

# %% [markdown]
# <details><summary>The table</summary>
#
# | task | measure | simple RNN | GRU | LSTM |
# |---|---|---|---|---|
# | language model (10) | bits per character | 2.19 (128 units) | **2.17** (75) | 2.38 (65) |
# | speech, one bidirectional layer (11) | frame error | 15.7 % (64) | **9.4 %** (34) | 10.9 % (29) |
# | reversing ten digits (12) | exact match | **28 %** (128) | 11 % (68) | 17 % (57) |
#
# Means over five seeds. The order was the same with every seed, except that the simple RNN and the
# GRU tied once in the language model.
#
# </details>

# %% [markdown]
# In **speech**, gates help with every seed. A likely reason is that a digit lasts dozens of frames,
# and what was heard at one end has to last to the other. In the **language model** there is little
# to gain, because even a table of 5-grams does slightly better than the network (lesson 10): the
# memory that pays is short. When **reversing digits**, gates lose at equal weights. With 128 units
# each, the LSTM was ahead in lesson 12 (34 to 47 %), so the units that it gives up here cost it
# something. Why the simple RNN wins, the table does not say.

# %% [markdown]
# A caution: learning rate and epochs are those of lessons 10 to 12, which chose them for the simple RNN.
# Why the LSTM is behind on the text, the table does not say.
#
# So gates are no magic ingredient. If your task has to hold something over many steps, take a GRU
# or an LSTM. Neither wins in general, as Jozefowicz and others (2015) found as well. If you are not
# sure, measure, with equal numbers of weights.

# %% [markdown]
# ## The gates at work
#
# What has the LSTM learned to do with its gates? One sequence of forty steps. In the upper panel each
# row is one number over the forty steps, dark for 0 and bright for 1. The lower panel shows the unit's
# memory. Move the slider through the units.
#
# **Predict.** How far does the input gate open at a mark, and how far elsewhere? And the forget gate?

# %% tags=["demonstration"]
def gates_of(xs, params):
    """Return {name: (steps, units)} for one sequence xs (steps, 2)."""
    W_xh, W_hh, b_h = (params[name].astype(float) for name in ("W_xh", "W_hh", "b_h"))
    zeros = np.zeros((1, len(W_hh)))
    hs, cs = lstm_forward(xs[None], zeros, zeros, W_xh, W_hh, b_h)
    before = np.vstack([zeros, hs[0, :-1]])
    i, f, _, o = np.split(sigmoid(xs @ W_xh + before @ W_hh + b_h), 4, axis=1)
    return {"input gate": i, "forget gate": f, "output gate": o, "memory": cs[0]}


sequences, _ = adding_problem(40, 40, np.random.default_rng(5))
seen = [gates_of(xs, runs["LSTM (32)"][1]) for xs in sequences]
changes = np.array([abs(np.diff(gates["memory"], axis=0, prepend=0)) for gates in seen])
marked = sequences[..., 1] == 1
ratio = changes[marked].mean(axis=0) / changes[~marked].mean(axis=0)
values = sequences[..., 0][marked].reshape(40, 2)
shown = int(np.argmax(np.ptp(values, axis=1)))  # a large and a small value
explorers.gate_explorer(sequences[shown], seen[shown], start=int(np.argmax(ratio)) + 1)

# %% [markdown]
# The slider begins at the unit whose memory changes most at marks, compared with all other steps. Its
# forget gate is nearly always open, so it keeps what it has. Its input gate is nearly closed, except
# during the first steps and at the marks, where it lets the candidate in. What enters depends on the
# value: in this sequence the large value lowers the memory and the small one raises it. Training found
# all this by itself.
#
# With four of five seeds there was such a unit. On average over 40 sequences its input gate stood at
# 0.76 to 0.78 at marks and at 0.02 to 0.03 elsewhere. Other units do other things, and some do nothing
# that we can name.

# %% [markdown] nbgrader={"grade_id": "gates_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A classmate says: "I use an LSTM, so the gradient cannot vanish." Answer in three or four sentences.
# What does the derivative along the direct path consist of? When does it vanish all the same? What would you
# do at the start of training if your data need a memory of 500 steps? Write into the next cell
# (double-click it). Afterwards, `hint("gates_in_words")` shows what a good answer says.

# %% [markdown] nbgrader={"grade_id": "gates_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# Along the direct path, the derivative of c_t with respect to c_0 is the product of the forget gates:
# one number per unit and step, and no matrix. If the gates are around 1/2, it is 2^-t, and after fifty
# steps nothing is left. It survives only where the forget gate stays close to 1. For 500 steps I would
# start with a forget bias of log 499 = 6.2, which leaves about 0.998^500 = 0.37, with an input bias of
# -6.2, and measure.
#
# *Marks.*
#
# - 1 point: along the direct path, the derivative is the product of the forget gates, which vanishes if
#   they are clearly below 1.
# - 1 point: open the forget gate at the start by its bias (half a point for "train longer" or "clip").
# ### END SOLUTION

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", 1997; F. Gers, J. Schmidhuber and
#   F. Cummins, "Learning to Forget: Continual Prediction with LSTM", 2000.
# - K. Cho and others, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
#   Machine Translation", 2014: the GRU.
# - R. Jozefowicz, W. Zaremba and I. Sutskever, "An Empirical Exploration of Recurrent Network
#   Architectures", 2015: ten thousand variants, and the forget bias of 1.
# - K. Greff and others, "LSTM: A Search Space Odyssey", 2017: what can be left out.
# - C. Tallec and Y. Ollivier, "Can Recurrent Neural Networks Warp Time?", 2018.
# - C. Olah, "Understanding LSTM Networks", 2015, a much-loved essay with drawings.

# %% [markdown]
# ## In three lines
#
# - $c_t = f_t \odot c_{t-1} + i_t \odot g_t$: on its direct path a gradient meets no matrix, only the forget
#   gate; in a GRU, the update gate.
# - Gates make a long memory easy to learn, not certain: with a forget bias of 0 an untrained LSTM forgets
#   more than a simple RNN with a rotation. For $T$ steps, start from $b^f = \log(T - 1) = -b^i$.
# - An LSTM has four blocks of weights and a GRU three. Measure whether they pay, with equal numbers of
#   weights.
#
# *Next: 14 · Clinic.*
