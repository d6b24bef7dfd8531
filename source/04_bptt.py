# %% [markdown]
# # 04 · Backpropagation through time
#
# **After this lesson you can** derive and write the gradient of a recurrent network for every weight, with biases, batches and
# masks; check it; and say which part of it comes from how far back.
#
# **Time** about 120 minutes, in two evenings: the break is in the middle. **You need** lessons 02 and 03, and the chain rule.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import plots


def rnn_forward_masked(xs, mask, h_0, W_xh, W_hh, b_h):
    """Lesson 02's loop: all states, (batch, steps, units); where the mask is False the state is kept."""
    h, states = h_0, []
    for t in range(xs.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h), h)
        states.append(h)
    return np.stack(states, axis=1)


# %% [markdown]
# ## The question
#
# A network has read a sequence, and the loss says how wrong it was. For each weight we ask: *if I turn it up a little, how does the loss
# change?* All the answers together are the gradient, and learning means taking a small step against it.
#
# The weights act at every step, and what they do at step 1 is felt at every step after it. Backpropagation through time (**BPTT**) is
# nothing but bookkeeping for this: lesson 02's sum over copies, done in one walk from the last step to the first.

# %% [markdown]
# ## Three copies of one number
#
# Begin with everything a single number: input $x_t$, state $h_t$, weights $w$ (input), $u$ (memory), bias $b$; three steps; and a
# loss at the end only:
#
# $$a_t = w x_t + u h_{t-1} + b, \qquad h_t = \tanh(a_t), \qquad h_0 = 0, \qquad L = \tfrac12 (h_3 - \text{target})^2$$
#
# Two slopes are needed again and again. First, how the loss feels the last state: $\partial L / \partial h_3 = h_3 - \text{target}$.
# Second, how $h_t$ feels $a_t$: the slope of $\tanh$, which happens to be $1 - \tanh^2(a_t)$, that is, $1 - h_t^2$.

# %% [markdown]
# **Predict.** Somebody writes the slope as $1 - \tanh^2(h_t)$: tanh's slope, taken at $h_t$. Too large or too small? (Which of $a$ and
# $h = \tanh(a)$ is closer to zero?)

# %% tags=["demonstration"]
a, eps = 1.2, 1e-6
h = np.tanh(a)
print("by difference:       ", (np.tanh(a + eps) - np.tanh(a - eps)) / (2 * eps))
print("1 - h^2:             ", 1 - h**2)
print("1 - tanh(h)^2, wrong:", 1 - np.tanh(h) ** 2)

# %% [markdown]
# Too large, for $h$ is closer to zero, where tanh is steepest. This one is in print in more than one place. The slope is taken at
# $a_t$, where the squash happened; we only *write* it with $h_t$, because $h_t$ is at hand.

# %% [markdown]
# ### Walk backwards once
#
# Let $e_t$ be the error at $a_t$: how the loss changes when $a_t$ is turned up. At the end, and then one copy earlier at a time:
#
# $$e_3 = (h_3 - \text{target})(1 - h_3^2)$$
# $$e_2 = e_3 \cdot u \cdot (1 - h_2^2)$$
# $$e_1 = e_2 \cdot u \cdot (1 - h_1^2)$$
#
# Read the second line from left to right: the error at $a_3$, back through the weight $u$ that brought $h_2$ there, back through the
# squash that made $h_2$. The same two factors at each copy.

# %% [markdown]
# Copy $t$ of $w$ multiplies $x_t$ on its way into $a_t$, so turning it up moves $a_t$ by $x_t$, and the loss by $e_t x_t$. And by lesson
# 02 the gradient of a shared weight is the sum over its copies:
#
# $$\frac{\partial L}{\partial w} = e_3 x_3 + e_2 x_2 + e_1 x_1$$
#
# For $u$, copy $t$ multiplies $h_{t-1}$. For $b$, it multiplies 1. Let us see it in numbers before you write it.

# %% tags=["demonstration"]
w, u, b, target = 0.8, -0.5, 0.1, 0.3
x_1, x_2, x_3 = 1.0, -0.4, 0.7


def loss_of(w):
    h_1 = np.tanh(w * x_1 + b)
    h_2 = np.tanh(w * x_2 + u * h_1 + b)
    h_3 = np.tanh(w * x_3 + u * h_2 + b)
    return 0.5 * (h_3 - target) ** 2, h_1, h_2, h_3


_, h_1, h_2, h_3 = loss_of(w)
e_3 = (h_3 - target) * (1 - h_3**2)
e_2 = e_3 * u * (1 - h_2**2)
e_1 = e_2 * u * (1 - h_1**2)
print("dL/dw by the three errors:", e_3 * x_3 + e_2 * x_2 + e_1 * x_1)
print("dL/dw by difference:      ", (loss_of(w + 1e-6)[0] - loss_of(w - 1e-6)[0]) / 2e-6)

# %% [markdown] nbgrader={"grade_id": "scalar_gradient_by_hand_task", "locked": true}
# ### Your turn: `scalar_gradient_by_hand` (4 points)
#
# Return the three slopes `(dw, du, db)` for any three inputs, `xs` of shape (3,). Three errors, three sums; written out or in a loop, as
# you like.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "scalar_gradient_by_hand", "solution": true}
def scalar_gradient_by_hand(w, u, b, xs, target):
    """Return (dw, du, db) of the loss 0.5 (h_3 - target)^2, three numbers."""
    ### BEGIN SOLUTION
    h_1 = np.tanh(w * xs[0] + b)
    h_2 = np.tanh(w * xs[1] + u * h_1 + b)
    h_3 = np.tanh(w * xs[2] + u * h_2 + b)
    e_3 = (h_3 - target) * (1 - h_3**2)
    e_2 = e_3 * u * (1 - h_2**2)
    e_1 = e_2 * u * (1 - h_1**2)
    return e_3 * xs[2] + e_2 * xs[1] + e_1 * xs[0], e_3 * h_2 + e_2 * h_1, e_3 + e_2 + e_1
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "scalar_gradient_by_hand_test", "grade": true, "locked": true, "points": 4}
check(scalar_gradient_by_hand)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(scalar_gradient_by_hand)
### END HIDDEN TESTS

# %% [markdown]
# ## The same with matrices
#
# Now rows and matrices. Write $dh_t$ for the gradient of the loss for $h_t$: one number for each unit and sequence, so it has the shape
# of $h_t$, (batch, units). In code it is `dh_t`. What comes through the squash is
#
# $$da_t = dh_t \odot (1 - h_t^2)$$
#
# where $\odot$ multiplies number by number. And $a_t = x_t W_{xh} + h_{t-1} W_{hh} + b_h$ contains two products. For every product of a
# row with a matrix, $a = x W$, there is one rule with two halves:
#
# $$dx = da \, W^\top, \qquad dW = x^\top da$$

# %% [markdown]
# Why the transpose? Entry $W_{ij}$ carries $x_i$ into $a_j$. So $x_i$ feels all the $a_j$ through its own row of $W$: $dx_i = \sum_j da_j
# W_{ij}$. That is $da$ times the *transpose*. And $W_{ij}$ moves only $a_j$, by $x_i$: $dW_{ij} = x_i \, da_j$, summed over the sequences of
# the batch, since they all share $W$. If you forget the rule: there is only one way to make the shapes fit, unless two sizes are equal.

# %% tags=["demonstration"]
rng = np.random.default_rng(1)
x, W, da = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))


def s(x, W):
    return np.sum(da * (x @ W))  # a number whose gradient for a = x W is da


def difference(f, array, place, eps=1e-6):
    up, down = array.copy(), array.copy()
    up[place] += eps
    down[place] -= eps
    return (f(up) - f(down)) / (2 * eps)


print("dx[1, 2]:", (da @ W.T)[1, 2], " by difference:", difference(lambda x: s(x, W), x, (1, 2)))
print("dW[0, 3]:", (x.T @ da)[0, 3], " by difference:", difference(lambda W: s(x, W), W, (0, 3)))

# %% [markdown]
# ### Half the work: through a readout
#
# The same rule for the readout $y = h W_{hy} + b_y$ of lesson 01. Given is `dy`, the gradient for $y$ (for cross-entropy that is
# lesson 03's "what you said minus what was true"). One of the three lines is missing. (No points.)


# %% nbgrader={"grade_id": "readout_backward", "solution": true}
def readout_backward(dy, h, W_hy):
    # dh = ...
    ### BEGIN SOLUTION
    dh = dy @ W_hy.T
    ### END SOLUTION
    dW_hy = h.T @ dy
    db_y = dy.sum(axis=0)  # the bias is added to every sequence: a sum again
    return dh, dW_hy, db_y


# %% tags=["demonstration"]
dh, dW_hy, db_y = readout_backward(da, x, W)
print("shapes, expected (2, 3) (3, 4) (4,):", dh.shape, dW_hy.shape, db_y.shape)
print("dh[1, 2]:", dh[1, 2])

# %% [markdown] nbgrader={"grade_id": "step_backward_task", "locked": true}
# ### Your turn: `step_backward` (5 points)
#
# One step back. `cache` is what the forward step knew: the tuple `(x_t, h_prev, h_t, W_xh, W_hh)`. Return a **dict** with these five
# keys:
#
# | key | shape | |
# |---|---|---|
# | `"dx_t"` | (batch, features) | for the input |
# | `"dh_prev"` | (batch, units) | for the state before: this is what walks on |
# | `"dW_xh"`, `"dW_hh"` | as `W_xh`, `W_hh` | this copy's share |
# | `"db_h"` | (units,) | this copy's share |
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "step_backward", "solution": true}
def step_backward(dh_t, cache):
    """Return the gradients of one step as a dict: dx_t, dh_prev, dW_xh, dW_hh, db_h."""
    x_t, h_prev, h_t, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    da_t = dh_t * (1 - h_t**2)
    return {
        "dx_t": da_t @ W_xh.T,
        "dh_prev": da_t @ W_hh.T,
        "dW_xh": x_t.T @ da_t,
        "dW_hh": h_prev.T @ da_t,
        "db_h": da_t.sum(axis=0),
    }
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "step_backward_test", "grade": true, "locked": true, "points": 5}
check(step_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(step_backward)
### END HIDDEN TESTS

# %% [markdown]
# ☕ *A good place for a break. What follows puts the steps together.*

# %% [markdown]
# ## Through time
#
# Usually there is an output, and so an error, at every step. State $h_t$ is used twice: by its own output, and by the next step. What
# is used twice collects its gradient from both:
#
# $$dh_t = \underbrace{dh_t^{\text{out}}}_{\text{from its own output}} + \underbrace{da_{t+1} W_{hh}^\top}_{\text{from the future}}$$
#
# That is the whole of backpropagation through time: begin at the last step with nothing from the future, walk backwards, hand
# `dh_prev` on, and **add up** the shares of the copies.

# %% [markdown]
# ### And the mask?
#
# Where the mask is off, $h_t = h_{t-1}$: the step did nothing. So backwards it does nothing either: no share for any weight, no
# gradient for $x_t$, and the error passes to $h_{t-1}$ *unchanged*, not through $W_{hh}$. With $m$ the mask's 0 or 1 for each sequence,
# this replaces the formulas above:
#
# $$da_t = m \, dh_t \odot (1 - h_t^2), \qquad dh_{t-1} \mathrel{+}= da_t W_{hh}^\top + (1 - m) \, dh_t$$

# %% [markdown] nbgrader={"grade_id": "rnn_backward_task", "locked": true}
# ### Your turn: `rnn_backward` (5 points)
#
# | argument | shape | |
# |---|---|---|
# | `dhs` | (batch, steps, units) | $dh_t^{\text{out}}$, the errors from the outputs; it belongs to the caller, do not change it |
# | `cache` | | the tuple `(xs, mask, h_0, hs, W_xh, W_hh)` of the forward pass |
#
# Return a **dict** with the keys `"dxs"`, `"dh_0"`, `"dW_xh"`, `"dW_hh"`, `"db_h"`, each of the shape of what it is the gradient for.
# The state before step 0 of the loop is `h_0`, after that `hs[:, t - 1]`.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "rnn_backward", "solution": true}
def rnn_backward(dhs, cache):
    """Return the gradients of a whole sequence as a dict: dxs, dh_0, dW_xh, dW_hh, db_h."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    dxs, dW_xh, dW_hh, db_h = (
        np.zeros_like(xs),
        np.zeros_like(W_xh),
        np.zeros_like(W_hh),
        np.zeros(len(W_hh)),
    )
    dh_next = np.zeros_like(h_0)
    for t in reversed(range(xs.shape[1])):
        m = mask[:, t, None]
        h_prev = hs[:, t - 1] if t > 0 else h_0
        dh = dhs[:, t] + dh_next
        share = step_backward(m * dh, (xs[:, t], h_prev, hs[:, t], W_xh, W_hh))
        dxs[:, t] = share["dx_t"]
        dW_xh += share["dW_xh"]
        dW_hh += share["dW_hh"]
        db_h += share["db_h"]
        dh_next = share["dh_prev"] + (1 - m) * dh
    return {"dxs": dxs, "dh_0": dh_next, "dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h}
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_backward_test", "grade": true, "locked": true, "points": 5}
check(rnn_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(rnn_backward)
### END HIDDEN TESTS

# %% [markdown]
# ### Trust is good
#
# A gradient is easy to get *almost* right, and almost right still learns, badly. So here it is held against plain differences, on a
# network with a mask and with an error at every step.
#
# **Predict.** With $\varepsilon = 10^{-6}$, how many digits will agree: three, six, or nine?

# %% tags=["demonstration"]
rng = np.random.default_rng(4)
batch, steps, features, units = 3, 6, 2, 4
xs, h_0 = rng.normal(size=(batch, steps, features)), rng.normal(size=(batch, units))
weights = {
    "W_xh": rng.normal(size=(features, units)),
    "W_hh": 0.5 * rng.normal(size=(units, units)),
    "b_h": rng.normal(size=units),
}
mask = np.arange(steps) < np.array([[6], [4], [1]])
dhs = rng.normal(size=(batch, steps, units))


def total(name, array):
    """A loss whose gradient for hs is dhs."""
    return np.sum(dhs * rnn_forward_masked(xs, mask, h_0, **{**weights, name: array}))


hs = rnn_forward_masked(xs, mask, h_0, **weights)
gradients = rnn_backward(dhs, (xs, mask, h_0, hs, weights["W_xh"], weights["W_hh"]))
for name, array in weights.items():
    place = (1,) * array.ndim
    by_difference = difference(lambda moved, name=name: total(name, moved), array, place)
    print(
        f"d{name}{list(place)}:  yours {gradients['d' + name][place]:+.12f}   by difference {by_difference:+.12f}"
    )

# %% [markdown]
# Eight or nine. The difference has an error of its own: about $10^{-16} / \varepsilon$, times the size of the loss, from rounding, and
# $\varepsilon^2$ from the curve.

# %% [markdown]
# ## How the books write it: the double sum
#
# Back to the single number $u$, with a loss $L_t$ at each step and $L = \sum_t L_t$. Textbooks write the gradient as a sum over loss steps
# $t$ and copies $k$:
#
# $$\frac{\partial L}{\partial u} = \sum_{t=1}^{T} \sum_{k=1}^{t} \frac{\partial L_t}{\partial h_t} \, \frac{\partial h_t}{\partial h_k} \,
# \frac{\partial^{+} h_k}{\partial u}, \qquad \frac{\partial h_t}{\partial h_k} = \prod_{i=k+1}^{t} u \, (1 - h_i^2)$$
#
# The little plus matters. $\partial^{+} h_k / \partial u = (1 - h_k^2) \, h_{k-1}$ is the **immediate** derivative: what copy $k$ does
# *itself*, with $h_{k-1}$ held fixed. The total derivative would let $h_{k-1}$ move as well; but that is copy $k - 1$'s doing, and the sum
# over $k$ counts it already.

# %% [markdown]
# **Predict.** If somebody drops the plus and takes the total derivative, is the gradient wrong by a rounding error, by some per cent, or
# by much?

# %% tags=["demonstration"]
rng = np.random.default_rng(2)
T, u, w, b = 8, 0.9, 0.6, 0.1
inputs, wanted = rng.normal(size=T), rng.normal(size=T)


def states_of(u):
    h = [0.0]
    for x in inputs:
        h.append(np.tanh(w * x + u * h[-1] + b))
    return np.array(h)  # h[0] is h_0, h[t] is h_t


def double_sum(inner):
    """Sum dL_t/dh_t * dh_t/dh_k * inner[k] over t and k <= t, with L_t = 0.5 (h_t - wanted_t)^2."""
    h = states_of(u)
    return sum(
        (h[t] - wanted[t - 1]) * np.prod(u * (1 - h[k + 1 : t + 1] ** 2)) * inner[k]
        for t in range(1, T + 1)
        for k in range(1, t + 1)
    )


# %% tags=["demonstration"]
h = states_of(u)
immediate = np.concatenate([[0.0], (1 - h[1:] ** 2) * h[:-1]])
whole = np.zeros(T + 1)
for k in range(1, T + 1):
    whole[k] = immediate[k] + u * (1 - h[k] ** 2) * whole[k - 1]  # the total derivative dh_k/du

by_difference = (
    sum(0.5 * ((states_of(u + 1e-6)[1:] - wanted) ** 2 - (states_of(u - 1e-6)[1:] - wanted) ** 2))
    / 2e-6
)
print("by difference:             ", by_difference)
print("double sum, immediate:     ", double_sum(immediate))
print("double sum, total (wrong): ", double_sum(whole))

# %% [markdown]
# By much: paths are counted twice, three times, and more. When a formula has a sum over copies, each term must speak for its own copy
# only.

# %% [markdown]
# ### The order of the product
#
# With matrices, $\partial h_t / \partial h_k$ is a product of matrices, and their order counts. One step, in the column form of the
# textbooks (entry $(i, j)$: how unit $i$ of $h_t$ feels unit $j$ of $h_{t-1}$), is $D_t W$, with $D_t$ the diagonal matrix of the slopes
# $1 - h_t^2$ and $W = W_{hh}^\top$. So
#
# $$\frac{\partial h_t}{\partial h_k} = D_t W \; D_{t-1} W \cdots D_{k+1} W$$
#
# the latest step on the *left*. The product $W^\top D_{k+1} \cdots W^\top D_t$, which is often printed for it, is its transpose: that is the
# operator which carries *errors backwards*, the one you have written.

# %% tags=["demonstration"]
rng = np.random.default_rng(3)
units, T = 3, 4
W_hh, h_start, drive = (
    rng.normal(size=(units, units)),
    rng.normal(size=(1, units)),
    rng.normal(size=(1, T, units)),
)
ones = np.ones((1, T), dtype=bool)


def last(h_0):
    return rnn_forward_masked(drive, ones, h_0, np.eye(units), W_hh, np.zeros(units))[0, -1]


states = rnn_forward_masked(drive, ones, h_start, np.eye(units), W_hh, np.zeros(units))[0]
forward_product, backward_product = np.eye(units), np.eye(units)
for h_t in states:  # from the first step to the last
    D, W = np.diag(1 - h_t**2), W_hh.T
    forward_product = D @ W @ forward_product  # later steps go to the left
    backward_product = backward_product @ W.T @ D  # the printed product

moves = 1e-6 * np.eye(units)
measured = np.stack([(last(h_start + m) - last(h_start - m)) / 2e-6 for m in moves], axis=1)
print("measured minus D W ... D W:      ", np.abs(measured - forward_product).max())
print("measured minus W^T D ... W^T D:  ", np.abs(measured - backward_product).max())
print("measured minus its transpose:    ", np.abs(measured - backward_product.T).max())

# %% [markdown]
# ## Sorted by distance
#
# Regroup the double sum by the **lag** $t - k$: how far in the past is the copy whose share this is? Lag 0 is what a step contributes to
# its own loss; lag 10, what was learnt from ten steps earlier. If the long lags are nearly zero, the network cannot learn long
# connections, however good the total looks.

# %% [markdown] nbgrader={"grade_id": "gradient_by_lag_task", "locked": true}
# ### Your turn: `gradient_by_lag` (3 points)
#
# No mask here. `cache` is `(xs, h_0, hs, W_xh, W_hh)`. Return an array of shape (steps, units, units): entry `lag` is the part of
# `dW_hh` that comes from loss steps $t$ and copies $t - \text{lag}$, summed over $t$. All entries together give `dW_hh`.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "gradient_by_lag", "solution": true}
def gradient_by_lag(dhs, cache):
    """Return dW_hh split by lag, shape (steps, units, units)."""
    xs, h_0, hs, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    steps = xs.shape[1]
    by_lag = np.zeros((steps, *W_hh.shape))
    for t in range(steps):
        dh = dhs[:, t]
        for lag in range(t + 1):
            k = t - lag
            h_prev = hs[:, k - 1] if k > 0 else h_0
            share = step_backward(dh, (xs[:, k], h_prev, hs[:, k], W_xh, W_hh))
            by_lag[lag] += share["dW_hh"]
            dh = share["dh_prev"]
    return by_lag
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "gradient_by_lag_test", "grade": true, "locked": true, "points": 3}
check(gradient_by_lag)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(gradient_by_lag)
### END HIDDEN TESTS

# %% [markdown]
# ### A map of where the gradient comes from
#
# Twenty steps, with an error at every step. For each loss step (row) and lag (column) the map shows how large the share of `dW_hh` is,
# computed by **your** `gradient_by_lag`, one loss step at a time.
#
# **Predict.** Where will the shares be large, where small? Do they change along a row, along a column, or both?

# %% tags=["demonstration"]
rng = np.random.default_rng(6)
units, T = 16, 20
W_hh = 0.9 * np.linalg.qr(rng.normal(size=(units, units)))[0]  # 0.9 times a matrix that keeps lengths
W_xh, xs, h_0 = (
    np.eye(units),
    0.5 * rng.normal(size=(1, T, units)),
    0.5 * rng.normal(size=(1, units)),
)
hs = rnn_forward_masked(xs, np.ones((1, T), dtype=bool), h_0, W_xh, W_hh, np.zeros(units))
dhs = rng.normal(size=hs.shape)

sizes = np.full((T, T), np.nan)
for t in range(T):
    only_t = np.zeros_like(dhs)
    only_t[:, t] = dhs[:, t]
    sizes[t, : t + 1] = np.linalg.norm(
        gradient_by_lag(only_t, (xs, h_0, hs, W_xh, W_hh)), axis=(1, 2)
    )[: t + 1]

# %% tags=["demonstration"]
ax = plots.grid_map(
    np.log10(sizes),
    title="Most of the gradient comes from the last few steps",
    xlabel="lag: steps between copy and loss",
    ylabel="loss step t",
    label="log10 of the size",
)
plots.show(
    ax,
    (
        "A triangle: lags from 0 to t in row t. Columns on the left, small lags, are large; the "
        "size falls steadily to the right, by a factor of a thousand or so."
    ),
)
print(
    "by lag, summed:  ", np.abs(gradient_by_lag(dhs, (xs, h_0, hs, W_xh, W_hh)).sum(axis=0)).sum()
)
print(
    "by rnn_backward: ",
    np.abs(
        rnn_backward(dhs, (xs, np.ones((1, T), dtype=bool), h_0, hs, W_xh, W_hh))["dW_hh"]
    ).sum(),
)

# %% [markdown]
# It changes along each row and hardly along a column: the lag decides. Each step back costs a factor, here about two thirds: 0.9 from the matrix, the rest from tanh. Twenty steps back, hardly anything arrives. Yet
# the *whole* gradient is not small, for the short lags carry it. "The gradient vanishes" is loosely said: its **long-lag terms** do.
# Lesson 06 makes that exact.

# %% [markdown] nbgrader={"grade_id": "bptt_in_words_task", "locked": true}
# ### Your turn: in your own words (3 points, read by a human)
#
# A fellow student says: "My network has a gradient of norm 60, so nothing vanishes, and it should learn that the first input decides
# the answer after 30 steps." In three or four sentences: what is missing in the argument, and what would you look at? Write into the
# next cell (double-click it).

# %% [markdown] nbgrader={"grade_id": "bptt_in_words", "grade": true, "solution": true, "points": 3}
# ### BEGIN SOLUTION
# The norm of the whole gradient is a sum over all lags, and the short lags carry it. The term of lag 30 has thirty factors $D_t W$ and
# may be smaller by many orders of magnitude, so the first input hardly changes any weight. I would look at the gradient by lag, or at
# the size of the error after it was carried thirty steps back.
#
# *Marks.* 1 point: the whole norm is carried by the short lags. 1 point: the long-lag term has a factor for each step and may be tiny.
# 1 point: look at the gradient by lag, the carried error or the product of Jacobians (half a point for a gradient check alone).
# ### END SOLUTION

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Backwards through a step: $da_t = dh_t \odot (1 - h_t^2)$, then $da \, W^\top$ for what came in and $(\text{what came in})^\top da$ for the weight.
# - Through time: the error of $h_t$ is its own output's plus the future's; the shares of all copies **add up**; a mask passes errors through.
# - Sorted by lag the gradient shows how far back it reaches, and with each step back it has one more factor $D_t W$.
#
# *Next: 05 · Training.*
