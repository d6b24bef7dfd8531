# %% [markdown]
# # 13 · Gates: a memory that is opened and closed
#
# **After this lesson you can** write LSTM and GRU from their equations, number for number as Keras has them, follow an error back through their
# gates, count their parameters, and say exactly when they keep a memory and when they do not.
#
# **Time** about 100 minutes. **You need** lessons 04, 06 and 07.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import explorers, plots
from rnn_helpers.cards import Screen


def sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * a))  # the logistic function; nothing overflows this way

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, without TensorFlow's start-up log

# %% [markdown]
# ## The trouble with always rewriting
#
# A simple RNN rewrites its whole state at every step: whatever it knew goes through $W_{hh}$ and through tanh, once at every step. Lesson 06
# said what becomes of it. Yet in a text, most words change little. Better to leave the memory alone, and to *decide* when to change it.

# %% [markdown]
# In 1997 Hochreiter and Schmidhuber gave the network such a memory, $c_t$, beside its state $h_t$. Doors stand around it: numbers between 0 (shut) and
# 1 (open), one for each unit, worked out anew at each step. In today's form, with the forget gate of Gers and others (2000), this is the **LSTM**:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t \qquad\qquad h_t = o_t \odot \tanh(c_t)$$

# %% [markdown]
# ($\odot$: number by number.) The **forget gate** $f_t$ says how much of the old memory stays, the **input gate** $i_t$ how much of the new
# **candidate** $g_t$ comes in, the **output gate** $o_t$ how much of the memory is shown. Mind the name: an *open* forget gate, $f = 1$, keeps everything; shut,
# it forgets. With $f_t = 1$ and $i_t = 0$ nothing happens at all, and that is the point.

# %% [markdown]
# Who works the doors? The same kind of sum as always, with weights of its own for each:
#
# $$a = x_t W_{xh} + h_{t-1} W_{hh} + b_h, \qquad i_t = \sigma(a^i), \quad f_t = \sigma(a^f), \quad g_t = \tanh(a^g), \quad o_t = \sigma(a^o)$$
#
# The four are kept side by side, so `W_xh` has the shape (features, 4 units), `W_hh` (units, 4 units), and `a` (batch, 4 units): first the block $a^i$ with all
# numbers of $i$, then all of $f$, of $g$ (Keras calls it c), and of $o$.

# %% [markdown]
# **A step by hand**, one unit. Let $c_{t-1} = 2$ and $a = (a^i, a^f, a^g, a^o) = (0, 0, \log 2, 0)$. $\sigma(0) = 1/2$ and $\tanh(\log 2) = 0.6$. So
# $c_t = 0.5 \cdot 2 + 0.5 \cdot 0.6 = 1.3$, and $h_t = 0.5 \tanh(1.3) = 0.431$.

# %% [markdown] nbgrader={"grade_id": "lstm_step_task", "locked": true}
# ### Your turn: `lstm_step` (4 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `x_t` | (batch, features) | `h_t` | (batch, units) |
# | `h_prev`, `c_prev` | (batch, units) | `c_t` | (batch, units) |
# | `W_xh`, `W_hh` | (features, 4 units), (units, 4 units) | | |
# | `b_h` | (4 units,) | | |
#
# The blocks stand in the order i, f, g, o. Return the pair `h_t, c_t`. (`np.split(a, 4, axis=1)` cuts into four. `sigmoid` is defined above.)
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
# ### Half the work: a whole sequence
#
# The state is a *pair* now, and both are carried on (Keras hands on `[h, c]`). One of the three lines in the loop is missing. (No points.)


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
# **Predict.** Keras' own layer, the same weights, twenty steps, float64. How many digits will agree?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
xs = rng.normal(size=(3, 20, 5))
layer = keras.layers.LSTM(4, return_sequences=True, dtype="float64")
layer.build(xs.shape)
layer.set_weights([rng.normal(size=weights.shape) for weights in layer.get_weights()])
h_0, c_0 = np.zeros((3, 4)), np.zeros((3, 4))
hs, cs = lstm_forward(xs, h_0, c_0, *layer.get_weights())
print(f"largest difference from Keras: {np.abs(layer(xs).numpy() - hs).max():.1e}")

# %% [markdown]
# ## The way back
#
# An error reaches $c_t$ on two roads: through $h_t$, and from the step after it, which has used $c_t$ as its old memory. Call what arrives
# there `dh_t` and `dc_t`; so `dc_t` comes from later steps **only**. *All* that the loss says about $c_t$ is then
#
# $$dc = dc_t + dh_t \odot o_t \odot (1 - \tanh^2 c_t)$$
#
# From there every factor of $c_t = f_t \odot c_{t-1} + i_t \odot g_t$ gets its share: $i_t$ gets $dc \odot g_t$, and $g_t$ gets $dc \odot i_t$. The output gate
# stands in the other equation: it gets $dh_t \odot \tanh c_t$. Last, back through $\sigma$ and tanh: their slopes are $\sigma (1 - \sigma)$ and $1 - \tanh^2$.

# %% [markdown]
# **By hand**, the step from above, with $dh_t = 1$ and $dc_t = 0$. $\tanh(1.3) = 0.862$, so $dc = 0.5\,(1 - 0.743) = 0.129$. The candidate's share is
# $0.129 \cdot i = 0.064$, times its slope $1 - 0.6^2 = 0.64$: $da^g = 0.041$.

# %% [markdown] nbgrader={"grade_id": "lstm_step_backward_task", "locked": true}
# ### Your turn: `lstm_step_backward` (5 points)
#
# | argument | | shape |
# |---|---|---|
# | `dh_t`, `dc_t` | the gradient for $h_t$; that for $c_t$ from later steps only | (batch, units) |
# | `cache` | `(c_prev, i, f, g, o, c_t)`, the gates *after* their squash | six of (batch, units) |
#
# Return a **dict**: `"da_i"`, `"da_f"`, `"da_g"`, `"da_o"`, the gradients for the four parts of $a$, and `"dc_prev"`, that for $c_{t-1}$; each (batch,
# units). ($h_{t-1}$ gets its error through $a$, as ever: that is a matrix product, and comes afterwards.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "lstm_step_backward", "solution": true}
def lstm_step_backward(dh_t, dc_t, cache):
    """Return the gradients for the four parts of a and for c_{t-1}, as a dict."""
    c_prev, i, f, g, o, c_t = cache
    ### BEGIN SOLUTION
    seen = np.tanh(c_t)
    dc = dc_t + dh_t * o * (1 - seen**2)
    return {
        "da_i": dc * g * i * (1 - i),
        "da_f": dc * c_prev * f * (1 - f),
        "da_g": dc * i * (1 - g**2),
        "da_o": dh_t * seen * o * (1 - o),
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
# The rest is lesson 04: `da` is the four side by side; `da @ W_hh.T` goes to the step before, and each weight adds up its shares. Here is the whole way
# back with your step in it, held against central differences, one weight at a time (lesson 05).


# %% tags=["demonstration"]
def side_by_side(back):
    return np.hstack([back["da_i"], back["da_f"], back["da_g"], back["da_o"]])


def lstm_backward(dhs, xs, h_0, c_0, W_xh, W_hh, b_h):
    """Return (dW_xh, dW_hh, db_h), with lstm_step_backward at every step."""
    hs, cs = lstm_forward(xs, h_0, c_0, W_xh, W_hh, b_h)
    grads = [np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros_like(b_h)]
    dh_later, dc_later = np.zeros_like(h_0), np.zeros_like(c_0)
    for t in reversed(range(xs.shape[1])):
        h_prev, c_prev = (hs[:, t - 1], cs[:, t - 1]) if t else (h_0, c_0)
        i, f, g, o = np.split(xs[:, t] @ W_xh + h_prev @ W_hh + b_h, 4, axis=1)
        cache = (c_prev, sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o), cs[:, t])
        back = lstm_step_backward(dhs[:, t] + dh_later, dc_later, cache)
        da = side_by_side(back)
        for grad, share in zip(grads, (xs[:, t].T @ da, h_prev.T @ da, da.sum(axis=0))):
            grad += share
        dh_later, dc_later = da @ W_hh.T, back["dc_prev"]
    return grads


weights = layer.get_weights()
dhs = rng.normal(size=hs.shape)
by_you = lstm_backward(dhs, xs, h_0, c_0, *weights)
for name, number, place in (("W_xh", 0, (1, 6)), ("W_hh", 1, (2, 3)), ("b_h", 2, (9,))):
    moved = [[w.copy() for w in weights] for _ in range(2)]
    moved[0][number][place] += 1e-6
    moved[1][number][place] -= 1e-6
    up, down = (np.sum(dhs * lstm_forward(xs, h_0, c_0, *w)[0]) for w in moved)
    print(f"{name}[{place}]: yours {by_you[number][place]:+.8f}   measured {(up - down) / 2e-6:+.8f}")

# %% [markdown]
# ## The road without a matrix
#
# Look at your `dc_prev`: it is $dc \odot f_t$. In the simple RNN the error had to pass $W_{hh}^\top$ and a slope at every step. Along the memory it
# passes **one number for each unit**, the forget gate. In 1997 there was no such gate: the number was exactly 1, always, and its inventors called this the constant
# error carousel. Today $f_t$ stands in its place. It is never quite 1, so along this road an error can fade, but it can never explode.

# %% [markdown] nbgrader={"grade_id": "cell_jacobian_task", "locked": true}
# ### Your turn: `cell_jacobian` (2 points)
#
# The **immediate** Jacobian of the memory, for a single sequence: `h_prev` is held fixed, as if it had nothing to do with $c_{t-1}$. (So `c_prev` is no argument: the
# answer does not depend on it.) `x_t` is (features,), `h_prev` is (units,), the weights
# are as above. Return the matrix (units, units) whose entry $(i, j)$ is the derivative of $c_t[i]$ with respect to $c_{t-1}[j]$.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "cell_jacobian", "solution": true}
def cell_jacobian(x_t, h_prev, W_xh, W_hh, b_h):
    """Return dc_t / dc_{t-1} with h_{t-1} held fixed, shape (units, units)."""
    ### BEGIN SOLUTION
    units = len(W_hh)
    forget = slice(units, 2 * units)
    return np.diag(sigmoid(x_t @ W_xh[:, forget] + h_prev @ W_hh[:, forget] + b_h[forget]))
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "cell_jacobian_test", "grade": true, "locked": true, "points": 2}
check(cell_jacobian)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(cell_jacobian)
### END HIDDEN TESTS

# %% [markdown]
# "LSTMs solve the vanishing gradient," says many a text. Do they? Fifty steps of an LSTM that has learnt nothing yet, with weights as Keras draws them. How
# much does $c_{50}$ still feel of $c_0$? Only one thing varies: the bias of the forget gate. At a bias of $b$ the gate stands near $\sigma(b)$: 0.5, 0.73 or 0.993
# for 0, 1 and 5.
#
# **Predict** two numbers for each bias: the norm of $\partial c_{50} / \partial c_0$ along the memory alone, which you can work out in your head; and with **all** roads,
# those through $h$ and the doors as well. And a simple RNN that begins with a rotation: does it remember more, or less?


# %% tags=["demonstration"]
def memory_gradients(bias, steps=50, units=32, seed=0):
    """Return the norms of dc_t / dc_0 for t = 1 ... steps: (all roads, the memory alone)."""
    rng = np.random.default_rng(seed)
    W_xh = rng.uniform(-1, 1, size=(4, 4 * units)) * np.sqrt(6 / (4 + 4 * units))
    W_hh = np.linalg.qr(rng.normal(size=(4 * units, units)))[0].T
    b_h = np.zeros(4 * units)
    b_h[units : 2 * units] = bias
    h, c, all_roads, alone = np.zeros(units), np.zeros(units), [], []
    none, each = np.zeros((units, units)), np.eye(units)
    dh_dc_0, dc_dc_0, product = none, each, each
    for x in rng.normal(size=(steps, 4)):
        product = cell_jacobian(x, h, W_xh, W_hh, b_h) @ product
        i, f, g, o = np.split(x @ W_xh + h @ W_hh + b_h, 4)
        c_prev = c
        h, c = (result[0] for result in lstm_step(x[None], h[None], c[None], W_xh, W_hh, b_h))
        # A batch with one copy for each unit: row k asks what c_t[k], or h_t[k], feels.
        copies = [np.tile(v, (units, 1)) for v in (c_prev, sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o), c)]
        of_h, of_c = lstm_step_backward(each, none, copies), lstm_step_backward(none, each, copies)
        dh_dc_0, dc_dc_0 = (
            side_by_side(of) @ W_hh.T @ dh_dc_0 + of["dc_prev"] @ dc_dc_0 for of in (of_h, of_c)
        )
        all_roads.append(np.linalg.norm(dc_dc_0, 2))
        alone.append(np.linalg.norm(product, 2))
    return np.array(all_roads), np.array(alone)


lines = {}
for bias in (5, 1, 0):
    all_roads, alone = memory_gradients(bias)
    lines[f"bias {bias}"], lines[f"bias {bias}, memory alone"] = np.log10(all_roads), np.log10(alone)
    print(f"forget bias {bias}: all roads {all_roads[-1]:.1e}   along the memory alone {alone[-1]:.1e}")

rng = np.random.default_rng(0)
rotation, h, product = np.linalg.qr(rng.normal(size=(32, 32)))[0], np.zeros(32), np.eye(32)
for x in rng.normal(size=(50, 4)) @ rng.uniform(-1, 1, size=(4, 32)) * np.sqrt(6 / 36):
    h = np.tanh(x + h @ rotation)
    product = np.diag(1 - h**2) @ rotation.T @ product  # lesson 06
print(f"simple RNN, started with a rotation: {np.linalg.norm(product, 2):.1e}")
ax = plots.curves(
    np.arange(1, 51), lines, title="An LSTM remembers while its forget gate is open", xlabel="t", ylabel="log10 of the norm"
)
ends = ", ".join(f"{name} 10^{line[-1]:.1f}" for name, line in lines.items())
plots.show(ax, f"Three pairs of lines for dc_t / dc_0; after 50 steps: {ends}.")

# %% [markdown]
# Along the memory alone it is about $\sigma(b)^{50}$, as you may have worked out. The rest comes round through $h$ and the doors, where there *is* a matrix; at a
# bias of 5 it even makes the whole grow. (So people clip the gradients of LSTMs, too.) And with a bias of 0 an untrained LSTM forgets **more** than the simple RNN with its rotation: a
# door that is half open, fifty times in a row.

# %% [markdown]
# So nothing is *solved*; it has become **easy to learn**. A simple RNN must keep a whole matrix near the edge of lesson 06 to remember. An LSTM needs to learn that
# a door stays open, one number for each unit. That is why Keras starts the forget bias at 1 (`unit_forget_bias=True`). A rule of thumb for longer memories: for $T$ steps
# the gate should stand near $1 - 1/T$, which is a bias of about $\log T$.

# %% [markdown]
# ## Two doors will do: the GRU
#
# In 2014 Cho and others found a leaner way, the **GRU**. There is no second memory: $h_t$ itself is kept or replaced. The **update gate** $z_t$ says how
# much of the old state stays, and whatever it lets go is filled with the new candidate. The **reset gate** $r_t$ says how much of the old state the
# candidate may look at:
#
# $$h_t = z_t \odot h_{t-1} + (1 - z_t) \odot n_t$$

# %% [markdown]
# $z_t$ and $r_t$ are $\sigma$ of the usual sum, each with its own block of weights. For the candidate $n_t$, with the block $n$ of the weights, there are two versions,
# and both are called GRU:
#
# - **reset before** the product, as Cho and others published it in 2014 (the first version of their preprint had it after): $n_t = \tanh\big(x_t W^n_{xh} + (r_t \odot h_{t-1})\, W^n_{hh} + b^n\big)$
# - **reset after** it, which is faster on graphics cards, and what Keras does unless told otherwise:
#   $n_t = \tanh\big(x_t W^n_{xh} + b^n_x + r_t \odot (h_{t-1} W^n_{hh} + b^n_s)\big)$

# %% [markdown]
# In the second the reset gate stands *between* two sums, so that each needs a bias of its own, $b_x$ for the inputs and $b_s$ for the state. Only the block $n$ needs the
# second one; Keras keeps two everywhere, and in $z$ and $r$ they just add up.

# %% [markdown]
# **By hand**, one unit: $h_{t-1} = 1$, and all sums are 0 but that of the candidate's state, $h_{t-1} W^n_{hh} + b^n_s = 2 \log 2$. Then $z = r = 1/2$,
# $n = \tanh(\log 2) = 0.6$, and $h_t = 0.5 \cdot 1 + 0.5 \cdot 0.6 = 0.8$.
#
# A warning about books: many exchange $z$ and $1 - z$; PyTorch has the order r, z, n, and two biases in its LSTM as well. Always hold a new layer against one you
# trust, number for number.

# %% [markdown] nbgrader={"grade_id": "gru_step_task", "locked": true}
# ### Your turn: `gru_step` (5 points)
#
# | argument | shape |
# |---|---|
# | `x_t`, `h_prev` | (batch, features), (batch, units) |
# | `W_xh`, `W_hh` | (features, 3 units), (units, 3 units), in the order z, r, n |
# | `b_h`, when `reset_after` is true | (2, 3 units): row 0 is $b_x$, row 1 is $b_s$ |
# | `b_h`, when it is false | (3 units,) |
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
    recalled = r * from_h[:, 2 * units :] if reset_after else (r * h_prev) @ W_hh[:, 2 * units :]
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
    layer = keras.layers.GRU(4, return_sequences=True, reset_after=reset_after, dtype="float64")
    layer.build(xs.shape)
    layer.set_weights([rng.normal(size=weights.shape) for weights in layer.get_weights()])
    h, hs = np.zeros((3, 4)), []
    for t in range(xs.shape[1]):
        h = gru_step(xs[:, t], h, *layer.get_weights(), reset_after=reset_after)
        hs.append(h)
    off = np.abs(layer(xs).numpy() - np.stack(hs, axis=1)).max()
    print(f"reset_after={reset_after}: largest difference from Keras {off:.1e}")

# %% [markdown]
# And the way back through a GRU? Along the state the error passes $z_t$, as it passed $f_t$ in the LSTM; the rest comes round through the doors and the matrix. So a GRU
# remembers while its update gate is open.
#
# ## What doors cost
#
# Each door is another block of weights. Before you compare two networks, count: an LSTM has exactly four times the parameters of a simple RNN with as many units, and a
# fair comparison says so.

# %% [markdown] nbgrader={"grade_id": "count_gate_parameters_task", "locked": true}
# ### Your turn: `count_gate_parameters` (2 points)
#
# `cell` is `"SimpleRNN"`, `"LSTM"` or `"GRU"`; return the number of trainable parameters of Keras' layer with `units` units on `features` features, with
# Keras' default options and without a readout.


# %% nbgrader={"grade_id": "count_gate_parameters", "solution": true}
def count_gate_parameters(cell, features, units):
    """Return how many numbers a recurrent layer learns."""
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
    print(f"{cell:<9} {units} units: {count_gate_parameters(cell, 2, units):>5} parameters")

# %% [markdown]
# ## The adding problem again
#
# Lesson 07's task: two marked numbers among many, what is their sum? This time sixty steps. Everybody starts with rotations (one in each block), the
# LSTM with a forget bias of 1; the same Adam, the same clipping. The simple RNN gets 65 units, so that it has about as many parameters as the LSTM with 32.
# The three cells are the course's fast ones; what they compute is what you wrote.


# %% tags=["demonstration"]
def adding(n, steps, rng):
    xs, rows = np.zeros((n, steps, 2)), np.arange(n)
    xs[..., 0] = rng.random((n, steps))
    for low, high in ((0, steps // 2), (steps // 2, steps)):
        xs[rows, rng.integers(low, high, size=n), 1] = 1
    return xs.astype(np.float32), xs.prod(axis=2).sum(axis=1).astype(np.float32)


def new_parameters(kind, units, rng):
    blocks = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]
    params = {
        "W_xh": rng.uniform(-0.4, 0.4, size=(2, blocks * units)),
        "W_hh": np.hstack([np.linalg.qr(rng.normal(size=(units, units)))[0] for _ in range(blocks)]),
        "b_h": np.zeros((2, 3 * units) if kind == "GRU" else blocks * units),
        "W_hy": 0.06 * rng.normal(size=(units, 1)),
        "b_y": np.zeros(1),
    }
    if kind == "LSTM":
        params["b_h"][units : 2 * units] = 1
    return {name: p.astype(np.float32) for name, p in params.items()}


def train(kind, units, steps=60, rounds=700, seed=0, batch=64, lr=0.01):
    """Train on the adding problem; return (squared error of each round, parameters)."""
    rng = np.random.default_rng(seed)
    module = {"SimpleRNN": cells, "GRU": cells.gru, "LSTM": cells.lstm}[kind]
    starts = (None, None) if kind == "LSTM" else (None,)
    params = new_parameters(kind, units, rng)
    workspace = module.Workspace(batch, steps, 2, units, np.float32)
    m, v = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    dhs, errors = np.zeros((batch, steps, units), np.float32), []
    for t in range(1, rounds + 1):
        xs, targets = adding(batch, steps, rng)
        weights = params["W_xh"], params["W_hh"], params["b_h"]
        hs, *_, cache = module.forward(xs, *starts, *weights, workspace=workspace)
        off = hs[:, -1] @ params["W_hy"] + params["b_y"] - targets[:, None]
        errors.append(float(np.mean(off**2)))
        dhs[:, -1] = (2 / batch) * off @ params["W_hy"].T
        back = module.backward(dhs, cache)
        grads = {"W_xh": back.dW_xh, "W_hh": back.dW_hh, "b_h": back.db_h}
        grads |= {"W_hy": (2 / batch) * hs[:, -1].T @ off, "b_y": (2 / batch) * off.sum(axis=0)}
        norm = np.sqrt(sum(float(np.sum(g.astype(float) ** 2)) for g in grads.values()))
        for name in params:  # clipping and lesson 05's Adam, in place
            g = grads[name] * min(1.0, 1.0 / max(norm, 1e-12))
            m[name] += 0.1 * (g - m[name])
            v[name] += 0.001 * (g * g - v[name])
            params[name] -= lr * (m[name] / (1 - 0.9**t)) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8)
    return np.array(errors), params


# %% [markdown]
# **Predict.** The baseline is 0.167. Who gets below it in 700 rounds?

# %% tags=["demonstration"]
def smooth(errors, window=50):
    return np.convolve(errors, np.ones(window) / window, mode="valid")


screen, lines, learnt = Screen(), {}, {}
for kind, units in (("SimpleRNN", 65), ("GRU", 32), ("LSTM", 32)):
    errors, learnt[kind] = train(kind, units)
    lines[kind] = smooth(errors)
    rounds = np.arange(50, 50 + len(lines[kind]))
    shown = {**lines, "baseline": np.full(len(rounds), 1 / 6)}
    ax = plots.curves(
        rounds, shown, title="Sixty steps: the doors make the difference", xlabel="rounds", ylabel="squared error", ylim=(0, 0.25)
    )
    screen.show(plots.picture(ax, "Error at the end: " + ", ".join(f"{k} {line[-1]:.4f}" for k, line in shown.items())))

# %% [markdown]
# With as many parameters or more, the simple RNN hangs at the baseline, and the two with doors solve the task. It is not that there are more weights. It is what
# they are for.
#
# Is the simple RNN hopeless? No. With a tenth of this learning rate and 1500 rounds it comes down to 0.09 or 0.15, depending on the seed. The GRU is at 0.005 by then.

# %% [markdown]
# ## The gates at work
#
# What has the LSTM learnt to do with its doors? One sequence of sixty steps. Each row is one number over the sixty steps, dark for 0, bright for 1; below, the unit's memory.
# Move the slider through the units.
#
# **Predict.** At a marked step, which door opens?

# %% tags=["demonstration"]
def gates_of(xs, params):
    """Return {name: (steps, units)} for one sequence xs (steps, 2)."""
    W_xh, W_hh, b_h = (params[name].astype(float) for name in ("W_xh", "W_hh", "b_h"))
    nothing = np.zeros((1, len(W_hh)))
    hs, cs = (v[0] for v in lstm_forward(xs[None], nothing, nothing, W_xh, W_hh, b_h))
    before = np.vstack([np.zeros(len(W_hh)), hs[:-1]])
    i, f, _, o = (sigmoid(part) for part in np.split(xs @ W_xh + before @ W_hh + b_h, 4, axis=1))
    return {"input gate": i, "forget gate": f, "output gate": o, "memory": cs}


sequences, targets = adding(40, 60, np.random.default_rng(5))
seen = [gates_of(xs.astype(float), learnt["LSTM"]) for xs in sequences]
moves = np.array([np.abs(np.diff(gates["memory"], axis=0, prepend=0)) for gates in seen])
marked = sequences[..., 1] == 1
stands_out = moves[marked].mean(axis=0) / moves[~marked].mean(axis=0)
one = int(np.argmax(targets))  # where there is most to see
explorers.gate_explorer(sequences[one], seen[one], start=int(np.argmax(stands_out)) + 1)

# %% [markdown]
# The slider begins at the unit whose memory moves most at marks, compared with all other steps. Its forget gate is open nearly always: it keeps. Its input gate
# is nearly shut, except at the marks, where it lets the value in. Nobody told it so; the error did. (Other units do other things, and some do nothing at all.
# They were not asked to be readable.)

# %% [markdown] nbgrader={"grade_id": "gates_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A classmate says: "I use an LSTM, so the gradient cannot vanish." In three or four sentences: what does the derivative along the memory consist of, when
# does it vanish all the same, and what would you do at the start of training if your data need a memory of 500 steps? Write into the next cell
# (double-click it). Afterwards, `hint("gates_in_words")` shows what a good answer says.

# %% [markdown] nbgrader={"grade_id": "gates_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# Along the memory, the derivative of c_t with respect to c_0 is the product of the forget gates: one number per unit and step, and no matrix. If the gates
# are around 1/2, that is 2^-t, and after fifty steps nothing is left. It survives only where the forget gate stays close to 1. For 500 steps I would
# start with a forget bias of about log 500 = 6, which leaves about 0.998^500 = 0.37, and measure.
#
# *Marks.*
#
# - 1 point: along the memory, the derivative is the product of the forget gates, which vanishes if they are clearly below 1.
# - 1 point: open the forget gate at the start by its bias (half a point for "train longer" or "clip").
# ### END SOLUTION

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - $c_t = f_t \odot c_{t-1} + i_t \odot g_t$: along the memory an error meets no matrix, only the forget gate; in a GRU, the update gate.
# - Gates make a long memory easy to learn, not certain: with a forget bias of 0 an untrained LSTM forgets more than a simple RNN with a rotation.
# - An LSTM has four blocks of weights, a GRU three; Keras' GRU has two biases, since its reset gate comes after the product.
#
# *Next: 14 · Clinic.*
