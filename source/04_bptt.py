# %% [markdown]
# # 04 · Backpropagation through time
#
# **After this lesson you can** derive the gradient of a recurrent network with respect to
# every weight, write it in NumPy for batches with masks, check it in two ways, use it to
# train a network, and say how much of it comes from how far back in time.
#
# **Time** about 270 minutes, in parts of about 90, 100 and 80. **You need** lessons 01 to 03, the chain rule and the quotient rule.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import data, explorers, gradient_graphs, plots


def rnn_forward_masked(xs, mask, h_0, W_xh, W_hh, b_h):
    """Lesson 02's loop: all states; where the mask is False the state is kept."""
    h, states = h_0, []
    for t in range(xs.shape[1]):
        h = np.where(mask[:, t, None], np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h), h)
        states.append(h)
    return np.stack(states, axis=1)


def log_softmax(logits):
    """Lesson 03's log-probabilities over the last axis."""
    z = logits - logits.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def sequence_cross_entropy(logits, targets, mask):
    """Lesson 03's loss: the mean surprise at the targets over the real steps."""
    log_p = log_softmax(logits)
    return -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0][mask].mean()


def cross_entropy_gradient(logits, targets, mask):
    """Lesson 03's gradient of the loss with respect to the logits."""
    one_hot = np.eye(logits.shape[-1])[targets]
    return (np.exp(log_softmax(logits)) - one_hot) * mask[..., None] / mask.sum()


# %% [markdown]
# # Part 1: one step back
#
# *About 90 minutes.*
#
# A network has processed a sequence, and the loss says how wrong it was. For each weight
# we ask how the loss changes if the weight changes a little. All the answers together are
# the gradient, and learning means taking small steps against it.
#
# Lesson 02 measured such slopes with finite differences, which takes two forward passes for
# *each* weight. A network with a million weights would need two million. There is an
# algorithm that finds all of them in a single pass from the last step back to the first,
# **backpropagation through time**, or **BPTT**.

# %% [markdown]
# ## Three copies of a scalar network
#
# Suppose first that everything is a scalar: the input $x_t$, the state $h_t$, and the
# weights $w$ (for the input), $u$ (for the state) and $b$ (the bias). There are three
# steps, and a loss only at the end. It is half the squared error, because the half
# disappears when we differentiate:
#
# $$a_t = w x_t + u h_{t-1} + b, \qquad h_t = \tanh(a_t), \qquad h_0 = 0$$
#
# $$L = \tfrac12 (h_3 - \text{target})^2$$
#
# The number $a_t$ before tanh is called the **pre-activation**.

# %% tags=["demonstration"]
def scalar_forward(w, u, b, xs):
    """Return the states after each step, an array of the shape of xs."""
    h, states = 0.0, []
    for x in xs:
        h = np.tanh(w * x + u * h + b)
        states.append(h)
    return np.array(states)


w, u, b, target = 0.8, -0.5, 0.1, 0.3
xs = np.array([1.0, -0.4, 0.7])
scalar_states = scalar_forward(w, u, b, xs)
ax = gradient_graphs.scalar_chain(xs, scalar_states, u=u, target=target)
plots.show(ax, f"A chain from h_0 through the states {scalar_states.round(3)} to L.")

# %% [markdown]
# Such a drawing is called a **computational graph**. Each box is computed from the boxes
# whose arrows point to it. The **forward pass** fills it with numbers from left to right.
#
# To find the gradient we walk from right to left and ask at each box how the loss changes
# when the number in this box changes. Here only one path leads from each box to $L$, so the
# chain rule says that this is a product of one factor for each arrow on the path. There
# are three kinds of arrows.

# %% [markdown]
# ### The three factors
#
# - **From the loss to $h_3$.** The derivative of $\tfrac12 (h_3 - \text{target})^2$ is
#   $h_3 - \text{target}$.
# - **From $a_t$ to $h_{t-1}$.** In $a_t = w x_t + u h_{t-1} + b$ the state is multiplied
#   by $u$, so the factor is $u$.
# - **From $h_t$ to $a_t$.** This is the slope of tanh at $a_t$. Write
#   $\tanh a = \frac{s}{c}$ with $s = e^a - e^{-a}$ and $c = e^a + e^{-a}$. The derivative
#   of $s$ is $c$, and that of $c$ is $s$. The quotient rule gives
#
# $$\frac{c \cdot c - s \cdot s}{c^2} = 1 - \Big(\frac{s}{c}\Big)^2 = 1 - \tanh^2 a$$
#
# and since $\tanh a_t$ is $h_t$, the factor is $1 - h_t^2$.

# %% [markdown]
# **Predict.** A common mistake is to write the slope as $1 - \tanh^2(h_t)$, which applies
# tanh twice. Is that too large or too small? (Which of $a$ and $\tanh a$ is closer to zero,
# and where is tanh steepest?)

# %% tags=["demonstration"]
a, eps = 1.2, 1e-6
h = np.tanh(a)
print("by finite differences:", (np.tanh(a + eps) - np.tanh(a - eps)) / (2 * eps))
print("1 - h^2:              ", 1 - h**2)
print("1 - tanh(h)^2, wrong: ", 1 - np.tanh(h) ** 2)

# %% [markdown]
# It is too large. The slope belongs to the point $a$ at which tanh was applied, and $h$ is
# closer to zero, where tanh is steepest. We write $1 - h^2$ only because $h$ has been
# computed already.

# %% [markdown]
# ### One walk backwards
#
# Write $\textcolor{#D1368B}{e_t}$ for the derivative of the loss with respect to $a_t$,
# which we call the **error** at step $t$. Multiply the factors from the right:
#
# $$\textcolor{#D1368B}{e_3} = (h_3 - \text{target}) \, (1 - h_3^2)$$
# $$\textcolor{#D1368B}{e_2} = \textcolor{#D1368B}{e_3} \cdot u \cdot (1 - h_2^2)$$
# $$\textcolor{#D1368B}{e_1} = \textcolor{#D1368B}{e_2} \cdot u \cdot (1 - h_1^2)$$
#
# In the second line the error at step 3 passes through the arrow $u$ to $h_2$, and through
# tanh to $a_2$. The third line does the same one step earlier.

# %% [markdown]
# ### Warm-up: `scalar_errors`
#
# Complete the function, so that it returns the three errors in order, as an array
# `[e_1, e_2, e_3]`. In Python, `hs[0]` is $h_1$. (No points.)

# %% nbgrader={"grade_id": "scalar_errors", "solution": true}
def scalar_errors(u, hs, target):
    """Return the array [e_1, e_2, e_3]; hs: the three states."""
    e_3 = (hs[2] - target) * (1 - hs[2] ** 2)
    # e_2 = ...
    # e_1 = ...
    ### BEGIN SOLUTION
    e_2 = e_3 * u * (1 - hs[1] ** 2)
    e_1 = e_2 * u * (1 - hs[0] ** 2)
    ### END SOLUTION
    return np.array([e_1, e_2, e_3])


# %% tags=["demonstration"]
print("expected: [ 0.0179 -0.0733  0.2014]")
print("yours:   ", scalar_errors(u, scalar_states, target).round(4))

# %% [markdown]
# ### From errors to weights
#
# In copy $t$ the weight $w$ is multiplied by $x_t$ on its way into $a_t$. So its
# derivative is $\textcolor{#D1368B}{e_t} x_t$. By lesson 02 the gradient of a shared
# weight is the sum over its copies:
#
# $$\textcolor{#D1368B}{\frac{\partial L}{\partial w}} = \textcolor{#D1368B}{e_3} x_3 +
#   \textcolor{#D1368B}{e_2} x_2 + \textcolor{#D1368B}{e_1} x_1$$
#
# In code we write `dw` for $\partial L / \partial w$. (In lesson 02 $dw$ was a small change
# of $w$. From here on it is a gradient.)

# %% [markdown]
# Step through the backward pass with the slider. The errors are those of **your**
# function, and the sums below the graph grow with each step.
#
# **Predict.** What must $\textcolor{#D1368B}{e_t}$ be multiplied by for $u$, and what for
# $b$? The last step back, to $a_1$, changes `dw` and `db` but not `du`. Why?

# %% tags=["demonstration"]
explorers.backward_explorer(scalar_forward, scalar_errors, (w, u, b), xs, target)

# %% [markdown] nbgrader={"grade_id": "scalar_gradient_by_hand_task", "locked": true}
# ### Your turn: `scalar_gradient_by_hand` (3 points)
#
# Return the three derivatives `(dw, du, db)` for any three inputs, `xs` of shape (3,). You
# may call the functions above.
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
    dw = e_3 * xs[2] + e_2 * xs[1] + e_1 * xs[0]
    return dw, e_3 * h_2 + e_2 * h_1, e_3 + e_2 + e_1
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "scalar_gradient_by_hand_test", "grade": true, "locked": true, "points": 3}
check(scalar_gradient_by_hand)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(scalar_gradient_by_hand)
### END HIDDEN TESTS

# %% [markdown]
# The error travels from right to left. At each box $a_t$, the error times the number that a
# weight was multiplied by in the forward pass is added to the sum of this weight. For $u$
# this number is $h_{t-1}$, and $h_0 = 0$ adds nothing.

# %% [markdown]
# ## Two units, entry by entry
#
# With more than one unit, the only new thing is the matrix product. Take the part of the
# pre-activation that comes from the state, $a = h_{t-1} W_{hh}$, with two units. In this
# section an index counts units, and everything happens in one time step:
#
# $$h_{t-1} = \begin{pmatrix} 0.5 & -1 \end{pmatrix}, \qquad
#   W_{hh} = \begin{pmatrix} 1 & 2 \\ 0 & 3 \end{pmatrix}$$
#
# Suppose that the backward pass has already found how the loss depends on the two numbers
# in $a$, namely $\textcolor{#D1368B}{da} = (0.1, -0.2)$. A $d$ in front of a name always
# means the gradient *of the loss* with respect to it, so $\textcolor{#D1368B}{da}$ is what
# we called the error $\textcolor{#D1368B}{e}$ when there was only one unit.

# %% tags=["demonstration"]
h_prev, W_hh = np.array([[0.5, -1.0]]), np.array([[1.0, 2.0], [0.0, 3.0]])
da = np.array([[0.1, -0.2]])
ax = gradient_graphs.layer(h_prev[0], W_hh, da[0])
plots.show(ax, "Two units on either side. W_hh[i, j] is on the arrow from h_i to a_j.")

# %% [markdown]
# **With respect to the state.** $h_1$ affects *both* entries of $a$, through the two arrows
# that leave it, with the weights 1 and 2. The two effects add up:
#
# $$\textcolor{#D1368B}{dh_1} = 0.1 \cdot 1 + (-0.2) \cdot 2 = -0.3$$
# $$\textcolor{#D1368B}{dh_2} = 0.1 \cdot 0 + (-0.2) \cdot 3 = -0.6$$
#
# Each line uses a *row* of $W_{hh}$, while the forward pass uses its columns. Using rows
# in place of columns means multiplying by the **transpose**:
#
# $$\textcolor{#D1368B}{dh_{t-1}} = \textcolor{#D1368B}{da} \, W_{hh}^\top$$

# %% [markdown]
# **With respect to the weights.** The weight from $h_i$ to $a_j$ affects only $a_j$, and in
# the forward pass it is multiplied by $h_i$. So its gradient is
# $h_i \, \textcolor{#D1368B}{da_j}$:
#
# | | to $a_1$ (error 0.1) | to $a_2$ (error −0.2) |
# |---|---|---|
# | from $h_1 = 0.5$ | 0.05 | −0.1 |
# | from $h_2 = -1$ | −0.1 | 0.2 |
#
# A column times a row gives such a table: $\textcolor{#D1368B}{dW_{hh}} =
# h_{t-1}^\top \, \textcolor{#D1368B}{da}$.

# %% [markdown]
# **With a batch.** Suppose a second sequence has $h_{t-1} = (1, 2)$ and
# $\textcolor{#D1368B}{da} = (0.3, 0)$. Both sequences use the same weights, so their tables
# are added. The matrix product $h_{t-1}^\top \, \textcolor{#D1368B}{da}$ does this by
# itself, because it sums over the batch.
#
# The bias is added to every row, as if it were multiplied by 1 each time. So
# $\textcolor{#D1368B}{db}$ is the sum of the rows of $\textcolor{#D1368B}{da}$, here
# $(0.1 + 0.3, -0.2 + 0) = (0.4, -0.2)$.

# %% tags=["demonstration"]
h_prev, da = np.array([[0.5, -1.0], [1.0, 2.0]]), np.array([[0.1, -0.2], [0.3, 0.0]])
print("dh_prev =\n", da @ W_hh.T)
print("dW_hh =\n", h_prev.T @ da)
print("db_h =", da.sum(axis=0))

# %% [markdown]
# In summary, for every product of rows with a matrix, $a = x W$:
#
# $$\textcolor{#D1368B}{dx} = \textcolor{#D1368B}{da} \, W^\top, \qquad
#   \textcolor{#D1368B}{dW} = x^\top \textcolor{#D1368B}{da}$$
#
# A gradient always has the shape of the thing it belongs to, and often the shapes tell you
# which factor is transposed. They cannot help with $W_{hh}$, though, which is always square:
# $\textcolor{#D1368B}{da} \, W_{hh}$ fits as well as
# $\textcolor{#D1368B}{da} \, W_{hh}^\top$. There, remember the arrows, or check with finite
# differences.

# %% [markdown]
# ### Warm-up: back through the readout
#
# Apply the rule to the readout $y = h W_{hy} + b_y$ of lesson 01. You are given `dy`, the
# gradient of the loss with respect to $y$. Complete the missing line. (No points.)
#
# The cell below it checks the result with finite differences. For this it needs a number
# whose gradient with respect to $y$ is a given `dy`. The simplest is the sum of all entries
# of $\textcolor{#D1368B}{dy} \odot y$, where $\odot$ is the **element-wise** product.

# %% nbgrader={"grade_id": "readout_backward", "solution": true}
def readout_backward(dy, h, W_hy):
    """Return (dh, dW_hy, db_y) for y = h @ W_hy + b_y."""
    # dh = ...
    ### BEGIN SOLUTION
    dh = dy @ W_hy.T
    ### END SOLUTION
    dW_hy = h.T @ dy
    db_y = dy.sum(axis=0)  # the bias is added to every row
    return dh, dW_hy, db_y


# %% tags=["demonstration"]
rng = np.random.default_rng(1)
h, W_hy, dy = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
dh, dW_hy, db_y = readout_backward(dy, h, W_hy)
print("shapes, expected (2, 3) (3, 4) (4,):", dh.shape, dW_hy.shape, db_y.shape)


def finite_difference(f, array, place, eps=1e-6):
    """Return the slope of f at array when the entry at place changes."""
    plus, minus = array.copy(), array.copy()
    plus[place] += eps
    minus[place] -= eps
    return (f(plus) - f(minus)) / (2 * eps)


slope = finite_difference(lambda h: np.sum(dy * (h @ W_hy)), h, (1, 2))
print(f"dh[1, 2]: yours {dh[1, 2]:.6f}, by finite differences {slope:.6f}")

# %% [markdown]
# One more thing before you write a whole step. With several units, tanh is applied
# element-wise: each $h$ depends on its own $a$ only. So its factor is multiplied
# element-wise too:
#
# $$\textcolor{#D1368B}{da_t} = \textcolor{#D1368B}{dh_t} \odot (1 - h_t^2)$$

# %% [markdown] nbgrader={"grade_id": "step_backward_task", "locked": true}
# ### Your turn: `step_backward` (4 points)
#
# Go one step back. You are given `dh_t`, the gradient of the loss with respect to $h_t$, and
# `cache`, which holds what the forward step used and computed, the tuple
# `(x_t, h_prev, h_t, W_xh, W_hh)`. Return a **dict** with five gradients:
#
# | key | shape | with respect to |
# |---|---|---|
# | `"dx_t"` | (batch, features) | the input, which may come from another layer below |
# | `"dh_prev"` | (batch, units) | the previous state, which the step before needs |
# | `"dW_xh"`, `"dW_hh"` | as `W_xh`, `W_hh` | the weights in this copy |
# | `"db_h"` | (units,) | the bias in this copy |
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


# %% tags=["from-scratch"] nbgrader={"grade_id": "step_backward_test", "grade": true, "locked": true, "points": 4}
check(step_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(step_backward)
### END HIDDEN TESTS

# %% [markdown]
# ☕ *This is the end of Part 1. Part 2 puts the steps together, and can wait until tomorrow.
# (The gradient will still be there.)*

# %% [markdown]
# # Part 2: through time
#
# *About 100 minutes.*
#
# Usually there is an output, and so a loss, at every step. Then each state is used twice:
# by its own output, and by the next step.

# %% tags=["demonstration"]
plots.show(gradient_graphs.two_errors(), (
    "Three states in a chain, with a loss above each. Two arrows arrive at h_2 in the "
    "backward pass, one from its own loss and one from h_3."
))

# %% [markdown]
# (The index counts time steps again.) In the graph two backward arrows arrive at $h_2$, from
# the two paths on which it affects the total loss. The contributions of several paths are
# added, as they were for a unit with two arrows:
#
# $$\textcolor{#D1368B}{dh_t} =
#   \underbrace{\textcolor{#D1368B}{dh_t^{\text{out}}}}_{\text{from its own output}} +
#   \underbrace{\textcolor{#D1368B}{da_{t+1}} W_{hh}^\top}_{\text{from the next step}}$$
#
# This is all there is to backpropagation through time. Start at the last step, where there is
# no next step. Go backwards, hand `dh_prev` to the step before, and add up the
# gradients of the copies.

# %% [markdown]
# ### What about the mask?
#
# Where the mask is False, the forward pass sets $h_t = h_{t-1}$. The state bypasses the
# cell, and so does the gradient in the backward pass:

# %% tags=["demonstration"]
plots.show(gradient_graphs.mask_bypass(), (
    "Two drawings of one step. Where the mask is True, values and gradient go through "
    "the cell. Where it is False, both take a wire that leads past it, unchanged."
))

# %% [markdown]
# A masked step contributes nothing to the gradient of any weight or of $x_t$. It passes its
# own gradient on without $W_{hh}$ and without the slope of tanh. Let $m_t$ be 1 where the mask is True and 0
# where it is False, for each sequence of the batch. Then both cases fit into two formulas:
#
# $$\textcolor{#D1368B}{da_t} = m_t \, \textcolor{#D1368B}{dh_t} \odot (1 - h_t^2)$$
#
# $$\textcolor{#D1368B}{dh_{t-1}} = \textcolor{#D1368B}{dh_{t-1}^{\text{out}}} +
#   \textcolor{#D1368B}{da_t} W_{hh}^\top + (1 - m_t) \, \textcolor{#D1368B}{dh_t}$$
#
# (For $t = 1$ the first term is missing, since $h_0$ has no output.)

# %% [markdown]
# Follow an example with one unit, $W_{hh} = 0.5$, and a slope $1 - h_t^2$ of 0.8 at every
# step. The second of three steps is masked. Read the table from the top, which is the order
# of the backward pass:
#
# | step | mask | from its output | from the next step | $\textcolor{#D1368B}{dh_t}$ | $\textcolor{#D1368B}{da_t}$ |
# |---|---|---|---|---|---|
# | 3 | True | 0.1 | | 0.1 | 0.1 · 0.8 = 0.08 |
# | 2 | False | 0.2 | 0.08 · 0.5 = 0.04 | 0.24 | 0 |
# | 1 | True | 0 | 0.24, unchanged | 0.24 | 0.24 · 0.8 = 0.192 |

# %% [markdown] nbgrader={"grade_id": "rnn_backward_task", "locked": true}
# ### Your turn: `rnn_backward` (4 points)
#
# | argument | shape | |
# |---|---|---|
# | `dhs` | (batch, steps, units) | $\textcolor{#D1368B}{dh_t^{\text{out}}}$ of all steps. Do not modify this array. |
# | `cache` | | the tuple `(xs, mask, h_0, hs, W_xh, W_hh)` of the forward pass |
#
# Return a **dict** with the keys `"dxs"`, `"dh_0"`, `"dW_xh"`, `"dW_hh"` and `"db_h"`. Each
# gradient has the shape of the array it belongs to. In Python, where steps are counted from
# 0, the state before step `t` is `hs[:, t - 1]`, and before step 0 it is `h_0`. You may
# call `step_backward`.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "rnn_backward", "solution": true}
def rnn_backward(dhs, cache):
    """Return the gradients of a sequence as a dict: dxs, dh_0, dW_xh, dW_hh, db_h."""
    xs, mask, h_0, hs, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    dxs, dW_xh, dW_hh = np.zeros_like(xs), np.zeros_like(W_xh), np.zeros_like(W_hh)
    db_h, dh_next = np.zeros(len(W_hh)), np.zeros_like(h_0)
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


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_backward_test", "grade": true, "locked": true, "points": 4}
check(rnn_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(rnn_backward)
### END HIDDEN TESTS

# %% [markdown]
# ### Trust, but verify
#
# It is easy to get a gradient *almost* right, and a network with an almost correct gradient
# still learns, only badly. So let us compare it with finite differences, on a network with
# a mask and a gradient arriving from the output of every step.
#
# **Predict.** With $\epsilon = 10^{-6}$, how many digits will agree: about three, six or
# nine?

# %% tags=["demonstration"]
rng = np.random.default_rng(4)
batch, steps, features, units = 3, 6, 2, 4
inputs, h_0 = rng.normal(size=(batch, steps, features)), rng.normal(size=(batch, units))
weights = {
    "W_xh": rng.normal(size=(features, units)),
    "W_hh": 0.5 * rng.normal(size=(units, units)),
    "b_h": rng.normal(size=units),
}
mask = np.arange(steps) < np.array([[6], [4], [1]])
dhs = rng.normal(size=(batch, steps, units))
states = rnn_forward_masked(inputs, mask, h_0, **weights)
cache = (inputs, mask, h_0, states, weights["W_xh"], weights["W_hh"])
gradients = rnn_backward(dhs, cache)

def loss_with(name, array):
    """Return a loss whose gradient with respect to the states is dhs."""
    changed = {**weights, name: array}
    return np.sum(dhs * rnn_forward_masked(inputs, mask, h_0, **changed))


for name, array in weights.items():
    place = (1,) * array.ndim
    slope = finite_difference(lambda other: loss_with(name, other), array, place)
    print(f"d{name}{list(place)}")
    print(f"    yours:                 {gradients['d' + name][place]:+.12f}")
    print(f"    by finite differences: {slope:+.12f}")

# %% [markdown]
# Eight or nine digits agree. The finite difference has errors of its own: rounding errors
# of about $10^{-16} / \epsilon$, times the size of the loss, and a part proportional to
# $\epsilon^2$, which comes from the third derivative.

# %% [markdown]
# ## The gradient of a whole network
#
# Now you have all the parts of a network that can be trained: the forward pass of lessons 01
# and 02, the loss of lesson 03, and the backward pass. Put them together:
#
# $$\text{xs} \;\to\; \text{hs} \;\to\; \text{logits} = \text{hs} \, W_{hy} + b_y
#   \;\to\; L$$
#
# $$\textcolor{#D1368B}{d\,\text{xs}} \;\leftarrow\; \textcolor{#D1368B}{d\,\text{hs}}
#   \;\leftarrow\; \textcolor{#D1368B}{d\,\text{logits}} \;\leftarrow\; L$$
#
# The readout, too, is used at every step, so its gradient sums over the batch *and* the
# steps. One way is to merge the two axes first: `hs.reshape(-1, units)` has one row for each
# step of each sequence.

# %% [markdown] nbgrader={"grade_id": "network_gradient_task", "locked": true}
# ### Your turn: `network_gradient` (3 points)
#
# | argument | shape |
# |---|---|
# | `xs` | (batch, steps, features) |
# | `targets` | (batch, steps), integers from 0 |
# | `mask` | (batch, steps), True where a step is real |
# | `weights` | a dict with `W_xh`, `W_hh`, `b_h`, `W_hy`, `b_y` |
#
# Start from $h_0 = 0$. Return a **dict** with `"loss"`, the cross-entropy, and its gradients
# `"dW_xh"`, `"dW_hh"`, `"db_h"`, `"dW_hy"` and `"db_y"`. The functions of lessons 02 and 03
# are defined in the first code cell, so call them.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "network_gradient", "solution": true}
def network_gradient(xs, targets, mask, weights):
    """Return a dict with the loss and its gradients dW_xh, dW_hh, db_h, dW_hy, db_y."""
    ### BEGIN SOLUTION
    W_xh, W_hh, b_h = weights["W_xh"], weights["W_hh"], weights["b_h"]
    h_0 = np.zeros((len(xs), len(W_hh)))
    hs = rnn_forward_masked(xs, mask, h_0, W_xh, W_hh, b_h)
    logits = hs @ weights["W_hy"] + weights["b_y"]
    dlogits = cross_entropy_gradient(logits, targets, mask)
    dhs = dlogits @ weights["W_hy"].T
    back = rnn_backward(dhs, (xs, mask, h_0, hs, W_xh, W_hh))
    rows, drows = hs.reshape(-1, hs.shape[-1]), dlogits.reshape(-1, dlogits.shape[-1])
    return {
        "loss": sequence_cross_entropy(logits, targets, mask),
        "dW_xh": back["dW_xh"],
        "dW_hh": back["dW_hh"],
        "db_h": back["db_h"],
        "dW_hy": rows.T @ drows,
        "db_y": drows.sum(axis=0),
    }
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "network_gradient_test", "grade": true, "locked": true, "points": 3}
check(network_gradient)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(network_gradient)
### END HIDDEN TESTS

# %% [markdown]
# ### Can it learn to say "ello"?
#
# In lesson 03 the network reads "hell" and should predict "ello". Remember the difficulty:
# after the first l the target is l, and after the second it is o. Let us train a network
# with eight units. Each **update** moves every weight by a small step against its gradient:
#
# $$W \leftarrow W - 0.5 \, \textcolor{#D1368B}{dW}$$
#
# The factor 0.5 is called the **learning rate**, and the whole method **gradient descent**.
#
# **Predict.** What loss do you expect before the first update? (There are four classes.)
# How many updates will it take, roughly: 2, 20 or 200?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
alphabet, units = "ehlo", 8
xs_hello = data.one_hot("hell", alphabet)[None]
targets_hello = np.array([[alphabet.index(char) for char in "ello"]])
real = np.ones((1, 4), dtype=bool)
weights = {
    "W_xh": 0.1 * rng.normal(size=(4, units)),
    "W_hh": 0.1 * rng.normal(size=(units, units)),
    "b_h": np.zeros(units),
    "W_hy": 0.1 * rng.normal(size=(units, 4)),
    "b_y": np.zeros(4),
}

for update in range(201):
    gradient = network_gradient(xs_hello, targets_hello, real, weights)
    if update in (0, 5, 10, 20, 50, 100, 200):
        zeros = np.zeros((1, units))
        hidden = (weights["W_xh"], weights["W_hh"], weights["b_h"])
        hs_hello = rnn_forward_masked(xs_hello, real, zeros, *hidden)
        best = (hs_hello @ weights["W_hy"] + weights["b_y"]).argmax(axis=-1)[0]
        says = "".join(alphabet[i] for i in best)
        print(f"after {update:3} updates: loss {gradient['loss']:.3f}, says {says!r}")
    for name in weights:
        weights[name] = weights[name] - 0.5 * gradient["d" + name]

# %% [markdown]
# The loss starts at $\log 4 = 1.39$, that of a uniform guess. In the first few updates the
# network only learns the base rates: half of the targets are an l, and always predicting the
# base rates has the loss 1.04. Then it finds the differences between the steps, and after
# about twenty updates it says "ello", although it has to answer the same l in two ways. You
# have trained a recurrent network, with nothing but NumPy.
#
# (Why do the weights start at random numbers and not at zero? Try it: replace `0.1` by `0`.
# With zero weights no gradient reaches any matrix, and only $b_y$ learns.)

# %% [markdown]
# ### What does TensorFlow say?
#
# Libraries such as TensorFlow and PyTorch find gradients by themselves. They record every
# operation of the forward pass and then walk backwards through the recording, as you did. This
# is called **automatic differentiation**, and TensorFlow's recorder is a `GradientTape`. The
# next cell writes only the forward pass and the loss; the word `sparse` in TensorFlow's
# function means that targets are integers instead of one-hot vectors. (Importing TensorFlow
# takes a few seconds.)

# %% tags=["demonstration"]
from rnn_helpers.quietly import tensorflow as tf  # with less of its start-up log

rng = np.random.default_rng(4)
weights = {
    "W_xh": rng.normal(size=(2, 5)),
    "W_hh": 0.5 * rng.normal(size=(5, 5)),
    "b_h": rng.normal(size=5),
    "W_hy": rng.normal(size=(5, 3)),
    "b_y": rng.normal(size=3),
}
targets = rng.integers(0, 3, size=(batch, steps))
variables = {name: tf.Variable(array) for name, array in weights.items()}

with tf.GradientTape() as tape:
    h, losses = tf.zeros((batch, 5), tf.float64), []
    for t in range(steps):
        a = inputs[:, t] @ variables["W_xh"] + h @ variables["W_hh"] + variables["b_h"]
        h = tf.where(mask[:, t, None], tf.tanh(a), h)
        logits = h @ variables["W_hy"] + variables["b_y"]
        losses.append(
            tf.nn.sparse_softmax_cross_entropy_with_logits(targets[:, t], logits)
        )
    loss = tf.reduce_mean(tf.boolean_mask(tf.stack(losses, axis=1), mask))
theirs = tape.gradient(loss, variables)

yours = network_gradient(inputs, targets, mask, weights)
print(f"loss:  yours {yours['loss']:.15f}\n  TensorFlow's {loss.numpy():.15f}")
for name in weights:
    difference = np.abs(yours["d" + name] - theirs[name].numpy()).max()
    print(f"d{name:5} largest difference {difference:.0e}")

# %% [markdown]
# They agree to about 15 digits, which is all that a float64 has. Your gradient is exact up
# to rounding, unlike finite differences. From lesson 08 on we will let a library do this
# work, but you will know what it does.

# %% [markdown]
# ☕ *A good place for a second break. About 80 minutes are left: what the gradient costs, how
# the books write it, and how far back it reaches.*

# %% [markdown]
# ## What does it cost?
#
# **Time.** A forward step has two products with weight matrices. A backward step has four:
# two by transposed matrices, and two for $\textcolor{#D1368B}{dW_{xh}}$ and
# $\textcolor{#D1368B}{dW_{hh}}$. So the backward pass takes about twice as long as the
# forward pass, however many weights there are.
#
# **Memory.** The backward pass needs all states of the forward pass, so they must be stored.
# A batch of 64 sequences of 1000 steps with 512 units in 4-byte numbers takes
# $64 \cdot 1000 \cdot 512 \cdot 4 \approx 131$ million bytes, and twice as much for
# sequences twice as long.

# %% [markdown]
# If memory runs out, you have three options. You can stop the backward pass after a fixed
# number of steps (**truncated BPTT**, lesson 07). You can store only some states and
# recompute the others when they are needed (**checkpointing**). Or you can carry the
# derivatives of the state *forward*, together with the state (**real-time recurrent
# learning**, Williams and Zipser 1989), which needs no past at all, but for $n$ units a
# table of about $n^3$ numbers.

# %% [markdown]
# ## How the books write it: the double sum
#
# Return to the scalar weight $u$, now with a loss $L_t$ at each step and $L = \sum_t L_t$.
# Textbooks write its gradient as a sum over loss steps $t$ and copies $k$:
#
# $$\textcolor{#D1368B}{\frac{\partial L}{\partial u}} = \sum_{t=1}^{T} \sum_{k=1}^{t}
#   \frac{\partial L_t}{\partial h_t} \, \frac{\partial h_t}{\partial h_k} \,
#   \frac{\partial^{+} h_k}{\partial u}, \qquad
#   \frac{\partial h_t}{\partial h_k} = \prod_{i=k+1}^{t} u \, (1 - h_i^2)$$
#
# Each term is one path through the graph: from the loss at step $t$ back to step $k$, and
# there into the weight. BPTT computes the same sum, but it walks each arrow only once.

# %% [markdown]
# The little plus matters. $\partial^{+} h_k / \partial u = (1 - h_k^2) \, h_{k-1}$ is the
# **immediate** derivative: the effect of copy $k$ alone, with $h_{k-1}$ held fixed. The
# *total* derivative would include the effect of $u$ on $h_{k-1}$. But that is the effect of
# the earlier copies, which have terms of their own in the sum. (Be careful when you read
# Werbos, who writes $\partial^{+}$ for the total kind and calls it an *ordered derivative*.)
#
# **Predict.** If we overlook the plus and take the total derivative, is the gradient wrong
# by a rounding error, by a few per cent, or by a lot?

# %% tags=["demonstration"]
rng = np.random.default_rng(2)
T, u_8, weights_8 = 8, 0.9, (0.6, 0.1)  # eight steps, u, and (w, b)
drive, wanted = rng.normal(size=T), rng.normal(size=T)


def squared_errors(u):
    w, b = weights_8
    return 0.5 * np.sum((scalar_forward(w, u, b, drive) - wanted) ** 2)


w_8, b_8 = weights_8
h = np.append(0.0, scalar_forward(w_8, u_8, b_8, drive))  # h[t] is h_t
immediate, total = np.zeros(T + 1), np.zeros(T + 1)
for k in range(1, T + 1):
    immediate[k] = (1 - h[k] ** 2) * h[k - 1]
    total[k] = immediate[k] + (1 - h[k] ** 2) * u_8 * total[k - 1]


def double_sum(derivative):
    result = 0.0
    for t in range(1, T + 1):
        for k in range(1, t + 1):
            carried = np.prod(u_8 * (1 - h[k + 1 : t + 1] ** 2))  # dh_t/dh_k
            result += (h[t] - wanted[t - 1]) * carried * derivative[k]
    return result


slope = (squared_errors(u_8 + 1e-6) - squared_errors(u_8 - 1e-6)) / 2e-6
print("by finite differences:    ", slope)
print("double sum, immediate:    ", double_sum(immediate))
print("double sum, total (wrong):", double_sum(total))

# %% [markdown]
# It is wrong by a lot, because the same paths are counted two, three or more times. In a sum
# over copies each term must contain the effect of its own copy only.

# %% [markdown]
# ## The gradient, sorted by lag
#
# The double sum can be grouped by the **lag** $t - k$, the distance between a loss and a
# copy of the weight. Lag 0 is what a step contributes to its own loss, and lag 10 is what can
# be learned from ten steps earlier. If the terms with long lags are nearly zero, the updates
# contain almost nothing about what happened that long ago.

# %% [markdown] nbgrader={"grade_id": "gradient_by_lag_task", "locked": true}
# ### Your turn: `gradient_by_lag` (3 points)
#
# There is no mask here, and `cache` is `(xs, h_0, hs, W_xh, W_hh)`. As before, `dhs[:, t]` is
# the gradient of the loss at step `t` with respect to its own state. Return an array of shape
# (steps, units, units) whose entry `lag` is the part of `dW_hh` that comes from the loss at
# any step `t` and the copy at step `t - lag`, summed over `t`. All entries together sum to
# `dW_hh`. You may call `step_backward`.
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
# ### A map of the gradient
#
# The next figure shows, for each loss step (row) and lag (column), the size of the
# contribution to `dW_hh`, computed by **your** `gradient_by_lag`. On the left, $W_{hh}$ is 0.9
# times a matrix that preserves lengths, on the right it is twice such a matrix.
#
# **Predict.** How does the size change from left to right in the first map? Does the second
# differ much?

# %% tags=["demonstration"]
def sizes_by_lag(scale, units=16, T=20):
    """Return the size of dW_hh's part for each loss step and lag, (T, T)."""
    rng = np.random.default_rng(6)
    rotation, _ = np.linalg.qr(rng.normal(size=(units, units)))  # preserves lengths
    W_hh = scale * rotation
    xs, h_0 = 0.5 * rng.normal(size=(1, T, units)), 0.5 * rng.normal(size=(1, units))
    all_real, no_bias = np.ones((1, T), dtype=bool), np.zeros(units)
    hs = rnn_forward_masked(xs, all_real, h_0, np.eye(units), W_hh, no_bias)
    dhs, sizes = rng.normal(size=hs.shape), np.full((T, T), np.nan)
    for t in range(T):
        only_t = np.zeros_like(dhs)
        only_t[:, t] = dhs[:, t]
        parts = gradient_by_lag(only_t, (xs, h_0, hs, np.eye(units), W_hh))
        sizes[t, : t + 1] = np.linalg.norm(parts, axis=(1, 2))[: t + 1]
    return sizes


maps = {f"W_hh scaled by {scale}": sizes_by_lag(scale) for scale in (0.9, 2.0)}
ends = [f"{title}: {sizes[-1, [0, 5, 19]].round(4)}" for title, sizes in maps.items()]
plots.show(
    plots.gradient_maps(maps), f"Last row at lags 0, 5 and 19. {'; '.join(ends)}."
)

# %% [markdown]
# In the left map each step to the right costs a factor of about two thirds, of which 0.9 comes
# from the matrix and the rest from the slope of tanh. At lag 19 less than a thousandth is
# left. In the right map the larger weights make up for the slope of tanh. In many rows the
# long lags are even larger than the short ones. (In ten such networks, the last entry of the
# last row was 0.0003 to 0.003 times the first with 0.9, and 0.4 to 9 times with 2.)

# %% [markdown] nbgrader={"grade_id": "bptt_in_words_task", "locked": true}
# ### Your turn: in your own words (3 points, read by a human)
#
# A fellow student says: "My network's gradient has norm 60, so nothing vanishes. It should be
# able to learn that the first input determines the answer after 30 steps." In three or four
# sentences: what is missing in this argument, and what would you look at? Write your answer in
# the next cell (double-click it). Afterwards, `hint("bptt_in_words")` shows what a good answer
# contains.

# %% [markdown] nbgrader={"grade_id": "bptt_in_words", "grade": true, "solution": true, "points": 3}
# ### BEGIN SOLUTION
# The gradient is a sum over all lags, and its norm is dominated by the short ones. The term of lag 30 contains thirty factors, one for
# each step back, and may be smaller by many orders of magnitude, so the first input hardly affects the update of any weight. I would look
# at the gradient by lag, or at the size of the error after it has been carried back thirty steps.
#
# *Marks.*
#
# - 1 point: the norm of the whole gradient is dominated by the short lags.
# - 1 point: the term of a long lag has one factor per step, and may be tiny.
# - 1 point: look at the gradient by lag, at the error carried back, or at the product of the factors (half a point for a gradient check
#   alone).
# ### END SOLUTION

# %% [markdown]
# One hears that "the gradient vanishes". This is imprecise: only its **long-lag terms**
# vanish, and the gradient as a whole does not show it. Lesson 06 makes this exact.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - D. Rumelhart, G. Hinton and R. Williams, "Learning representations by back-propagating
#   errors" (1986): the paper that made backpropagation popular.
# - P. J. Werbos, "Backpropagation through time: what it does and how to do it" (1990).
# - C. Olah, "Calculus on computational graphs: backpropagation" (2015): paths, sums over
#   paths, and why walking backwards is fast.
# - I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning* (2016), sections 6.5 and 10.2.2.
# - A. Zhang, Z. Lipton, M. Li and A. Smola, *Dive into Deep Learning*, section 9.7:
#   backpropagation through time, with truncation.
# - R. Williams and D. Zipser, "A learning algorithm for continually running fully recurrent
#   neural networks" (1989).

# %% [markdown]
# ## In three lines
#
# - Back through a step: $da_t = dh_t \odot (1 - h_t^2)$, then $da_t W^\top$ for what was multiplied by $W$, and (what was multiplied)$^\top da_t$ for $W$ itself.
# - Back through time: the gradient of $h_t$ is the **sum** of what arrives from its own output and from the next step. The gradients of all copies add up, and a mask lets the gradient pass unchanged.
# - Sorted by **lag**, the gradient shows how far back a network can learn. Each step back contributes one more factor.
#
# *Next: 05 · Training.*
