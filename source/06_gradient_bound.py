# %% [markdown]
# # 06 · The gradient bound: why memory fades, exactly
#
# **After this lesson you can** say how much a gradient can shrink or grow over many steps, what is certain about it and what is not, and
# take apart the sentence "norm below 1 vanishes, norm above 1 explodes".
#
# **Time** about 90 minutes. **You need** lesson 04, matrices, and a notion of eigenvalues.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import explorers, plots


def states(W_hh, inputs, h=None):
    """Return h_1 ... h_T, (steps, units), of h_t = tanh(input_t + h_{t-1} W_hh)."""
    h, hs = np.zeros(len(W_hh)) if h is None else h, []
    for x in inputs:
        h = np.tanh(x + h @ W_hh)
        hs.append(h)
    return np.array(hs)


# %% [markdown]
# ## One step
#
# How does the new state feel the old one? Turn unit $j$ of $h_{t-1}$ up a little. Then $a_t = \ldots + h_{t-1} W_{hh}$ moves in unit $i$ by
# $W_{hh}[j, i]$, and the squash multiplies by its slope $1 - h_t[i]^2$. All these numbers together are the **Jacobian**:
#
# $$\frac{\partial h_t}{\partial h_{t-1}} = D_t W, \qquad D_t = \text{diag}(1 - h_t^2), \qquad W = W_{hh}^\top$$
#
# This is the textbooks' column form: row $i$ for what is moved, column $j$ for what moves it. In this lesson $W$ is $W_{hh}^\top$; its norm
# and its eigenvalues are those of $W_{hh}$.

# %% [markdown]
# (A reminder. *Singular values* say how much a matrix stretches in one go. *Eigenvalues* say what happens to the few directions that it only
# stretches and does not turn, and so what its high powers do. A complex pair belongs to a plane, which it turns, and stretches by the pair's
# absolute value.)

# %% [markdown] nbgrader={"grade_id": "jacobian_task", "locked": true}
# ### Your turn: `jacobian` (3 points)
#
# For a single sequence: `h_t` has the shape (units,), `W_hh` is the matrix of all lessons, and the result has the shape (units, units).


# %% nbgrader={"grade_id": "jacobian", "solution": true}
def jacobian(h_t, W_hh):
    """Return dh_t / dh_{t-1} in column form: entry (i, j) says how unit i feels unit j."""
    ### BEGIN SOLUTION
    return np.diag(1 - h_t**2) @ W_hh.T
    ### END SOLUTION


# %% nbgrader={"grade_id": "jacobian_test", "grade": true, "locked": true, "points": 3}
check(jacobian)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(jacobian)
### END HIDDEN TESTS

# %% [markdown]
# ## Many steps
#
# By the chain rule the Jacobians multiply, and the latest stands on the left:
#
# $$\frac{\partial h_t}{\partial h_k} = D_t W \; D_{t-1} W \; \cdots \; D_{k+1} W$$
#
# Two factors, from $h_1$ to $h_3$, against a measurement:

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
W_hh, inputs = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
hs = states(W_hh, inputs)  # hs[0] is h_1, hs[2] is h_3
by_product = jacobian(hs[2], W_hh) @ jacobian(hs[1], W_hh)

move = 1e-6 * np.eye(3)
measured = [
    (states(W_hh, inputs[1:], hs[0] + m)[-1] - states(W_hh, inputs[1:], hs[0] - m)[-1]) / 2e-6
    for m in move
]
print("entry (0, 2): product", by_product[0, 2], " measured", np.array(measured).T[0, 2])

# %% [markdown] nbgrader={"grade_id": "jacobian_product_task", "locked": true}
# ### Your turn: `jacobian_product` (4 points)
#
# | argument | | result |
# |---|---|---|
# | `hs` | (steps, units): the states, `hs[0]` is $h_1$ | $\partial h_t / \partial h_k$, (units, units) |
# | `k`, `t` | whole numbers, $0 \le k \le t$; $k = 0$ means $h_0$ | |
# | `W_hh` | (units, units) | |
#
# When $k = t$ nothing happened in between: the result is the identity.


# %% nbgrader={"grade_id": "jacobian_product", "solution": true}
def jacobian_product(hs, k, t, W_hh):
    """Return dh_t / dh_k, the product of the Jacobians of the steps k + 1 to t."""
    ### BEGIN SOLUTION
    product = np.eye(len(W_hh))
    for step in range(k + 1, t + 1):
        product = jacobian(hs[step - 1], W_hh) @ product
    return product
    ### END SOLUTION


# %% nbgrader={"grade_id": "jacobian_product_test", "grade": true, "locked": true, "points": 4}
check(jacobian_product)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(jacobian_product)
### END HIDDEN TESTS

# %% [markdown]
# ## How large can it be?
#
# The **spectral norm** $\|W\|_2$ of a matrix is the most by which it can stretch a vector: its largest singular value,
# `np.linalg.norm(W, 2)`. Two stretches in a row stretch at most by the product of the two:
#
# $$\Big\| \frac{\partial h_t}{\partial h_k} \Big\| \;\le\; \prod_{i=k+1}^{t} \|D_i\| \, \|W\| \;\le\; \big(\gamma \, \|W\|_2\big)^{t-k}$$
#
# where $\gamma$ is the steepest slope that the activation has anywhere: 1 for tanh and for ReLU, $\max(a, 0)$; 1/4 for the sigmoid of lesson 03, also
# called logistic function.

# %% [markdown]
# Read it with care. It says *at most*.
#
# - If $\gamma \|W\|_2 < 1$, the product goes to zero, whatever happens. That is **sufficient** to vanish.
# - If $\gamma \|W\|_2 > 1$, the bound grows, and says nothing: the product *may* grow. A norm above 1 is **necessary** to explode, not
#   sufficient.
#
# "Norm below 1 vanishes, above 1 explodes" is half of the truth, and many books print it as the whole.

# %% [markdown] nbgrader={"grade_id": "gradient_bound_task", "locked": true}
# ### Your turn: `gradient_bound` (3 points)
#
# Return the right-hand side, one number, for `lag` $= t - k$ steps.


# %% nbgrader={"grade_id": "gradient_bound", "solution": true}
def gradient_bound(W_hh, gamma, lag):
    """Return (gamma ||W||_2)^lag, the most that the norm of dh_t / dh_{t - lag} can be."""
    ### BEGIN SOLUTION
    return (gamma * np.linalg.norm(W_hh, 2)) ** lag
    ### END SOLUTION


# %% nbgrader={"grade_id": "gradient_bound_test", "grade": true, "locked": true, "points": 3}
check(gradient_bound)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(gradient_bound)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Two hundred random networks, ten steps each. We divide the measured norm by the bound. What is the largest ratio that can
# come out? And what will a typical one be: 0.9, 0.5, or below 0.01?

# %% tags=["demonstration"]
rng = np.random.default_rng(1)
ratios = []
for _ in range(200):
    W_hh = rng.uniform(0.2, 2) * rng.normal(size=(8, 8)) / np.sqrt(8)
    hs = states(W_hh, 0.5 * rng.normal(size=(10, 8)))
    ratios.append(
        np.linalg.norm(jacobian_product(hs, 0, 10, W_hh), 2) / gradient_bound(W_hh, 1.0, 10)
    )
print(f"largest ratio {max(ratios):.4f}, median {np.median(ratios):.1e}")

rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]  # perhaps with a mirror: it keeps lengths
at_rest = np.zeros((10, 8))  # h = 0: all slopes are 1, as in a linear network
print(
    "1.2 times a rotation, at rest:",
    np.linalg.norm(jacobian_product(at_rest, 0, 10, 1.2 * rotation), 2),
    " bound:",
    gradient_bound(1.2 * rotation, 1.0, 10),
)

# %% [markdown]
# All two hundred obey, all by a wide margin: the direction that one step stretches most is not the one the next step stretches most, and
# tanh takes its share. When nothing is lost, as with a rotation at rest, the bound is exact. A bound that holds with equality somewhere cannot
# be improved by anybody who knows only $\gamma$, the norm and the lag; but it is a ceiling, not a forecast.

# %% [markdown]
# ## Four tests for the rule
#
# **Predict** for each: vanish or explode, over 50 steps?
#
# 1. One unit, $W = 1.5$, tanh, started at 0.1. (Norm above 1.)
# 2. Fifty units, all entries of $W$ equal to 0.1, tanh: at rest, and started at 0.01. (Every number far below 1.)
# 3. $W = 1.5$ times a rotation, with small inputs (0.1), and with large ones (1).
# 4. Sigmoid units instead of tanh, $\|W\|_2 = 3$.

# %% tags=["demonstration"]
one = states(np.array([[1.5]]), np.zeros((50, 1)), np.array([0.1]))
print(
    "1. W = 1.5, tanh:           ",
    np.linalg.norm(jacobian_product(one, 0, 50, np.array([[1.5]])), 2),
)
even = np.full((50, 50), 0.1)
for name, start in (("at rest: ", 0.0), ("from 0.01:", 0.01)):
    hs = states(even, np.zeros((50, 50)), np.full(50, start))
    print(f"2. all entries 0.1, {name}", np.linalg.norm(jacobian_product(hs, 0, 50, even), 2))

rng = np.random.default_rng(0)
spun = 1.5 * np.linalg.qr(rng.normal(size=(64, 64)))[0]
for size in (0.1, 1.0):
    hs = states(spun, size * rng.normal(size=(50, 64)))
    print(
        f"3. 1.5 x rotation, inputs {size}:", np.linalg.norm(jacobian_product(hs, 0, 50, spun), 2)
    )
print("4. sigmoid, norm 3: at most ", gradient_bound(3 * rotation, 0.25, 50))

# %% [markdown]
# 1. Vanishes: the unit runs into a corner of tanh, where it is flat. 2. Small numbers add up: the norm is 5, and at rest the
# product explodes. But nudge it, and all fifty units run into the flat corners together, and it vanishes. 3. The *same matrix* explodes
# with small inputs and vanishes with large ones: the data decide, through the slopes. 4. Vanishes with certainty: $3/4$ to the power of 50.
#
# So neither the entries nor the norm alone tell. Try it:

# %% tags=["demonstration"]
rng = np.random.default_rng(5)
weights, noise = (
    rng.normal(size=(64, 64)) / 8,
    rng.normal(size=(100, 64)),
)  # radius about 1, norm about 2
explorers.gradient_explorer(lambda W, size: states(W, size * noise), jacobian, weights)

# %% [markdown]
# Three lines: the bound, the spectral radius (the largest $|\text{eigenvalue}|$, what a *power* of $W$ would do in the long run), and what is
# measured. With no input the network rests, and the measured line runs beside the radius, with the same slope; with large inputs it drops
# below, for units in the flat parts of tanh pass little on. The bound is never crossed.

# %% [markdown]
# ## The number that does tell
#
# How fast does a small difference grow or fade *per step*, on the path that the network really takes? Take a vector, push it through
# the Jacobians one after the other, and average the logarithm of its growth:
#
# $$\lambda = \frac{1}{T} \log \frac{\| D_T W \cdots D_1 W \, v \|}{\|v\|}$$
#
# For large $T$ this is the (largest) **Lyapunov exponent**, whatever $v$ we begin with, nearly. Below 0 differences fade by $e^{\lambda}$ a step, above 0 they explode. There is one catch:
# after some hundred steps the product may be $10^{-400}$, which a float64 cannot hold. So we bring $v$ back to length 1 at every step, and
# add up the logarithms of what we divided by.

# %% [markdown] nbgrader={"grade_id": "lyapunov_exponent_task", "locked": true}
# ### Your turn: `lyapunov_exponent` (4 points)
#
# | argument | | result |
# |---|---|---|
# | `hs` | (steps, units): the states | $\lambda$, one number: mean growth per step, natural logarithm |
# | `W_hh` | (units, units) | |
# | `v` | (units,): the vector to begin with, of any length; only its direction counts | |


# %% nbgrader={"grade_id": "lyapunov_exponent", "solution": true}
def lyapunov_exponent(hs, W_hh, v):
    """Return the mean log growth per step of v pushed through the Jacobians, brought back to length 1 at every step."""
    ### BEGIN SOLUTION
    v = v / np.linalg.norm(v)
    total = 0.0
    for h in hs:
        v = jacobian(h, W_hh) @ v
        total += np.log(np.linalg.norm(v))
        v = v / np.linalg.norm(v)
    return total / len(hs)
    ### END SOLUTION


# %% nbgrader={"grade_id": "lyapunov_exponent_test", "grade": true, "locked": true, "points": 4}
check(lyapunov_exponent)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(lyapunov_exponent)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** A map: gain (how much the matrix is multiplied by) to the right, size of the inputs upwards, and your exponent as colour.
# Where is it zero, on a vertical line at gain 1, or somewhere else?

# %% tags=["demonstration"]
gains, input_sizes = np.linspace(0.4, 2.1, 15), np.linspace(0.0, 1.5, 13)
small, short = weights[:32, :32] * np.sqrt(2), rng.normal(size=(300, 32))
exponents = np.array(
    [
        [
            lyapunov_exponent(
                states(g * small, s * short, 0.01 * noise[0, :32]), g * small, noise[1, :32]
            )
            for g in gains
        ]
        for s in input_sizes
    ]
)
ax = plots.contour_map(
    gains,
    input_sizes,
    exponents,
    title="More input tames a large gain: the edge bends to the right",
    xlabel="gain",
    ylabel="size of the inputs",
    label="growth per step, nats",
)
plots.show(
    ax,
    (
        "A map of the exponent. Left of a curve it is negative, right of it positive; the curve "
        "starts near gain 1 without input and bends to the right as inputs grow."
    ),
)

# %% [markdown]
# The black curve is where differences neither fade nor grow: the edge on which long memory lives. It is not a matter of the matrix alone.
# A network that is to remember has to be *kept near that edge*, by its weights for the inputs that it gets. That is what lesson 07 does,
# and what the gates of lesson 13 do better.

# %% [markdown]
# ## Build the counter-examples
#
# The best way to lose a wrong rule is to break it yourself. No network here, only matrices: at rest all slopes are 1, and the product is a
# power of $W$.

# %% [markdown] nbgrader={"grade_id": "vanishes_despite_large_norm_task", "locked": true}
# ### Your turn: `vanishes_despite_large_norm` (2 points)
#
# Return a square matrix with $\|W\|_2 \ge 2$ whose 50th power has a norm below $10^{-6}$. Every matrix with these properties is right.


# %% nbgrader={"grade_id": "vanishes_despite_large_norm", "solution": true}
def vanishes_despite_large_norm():
    """Return a matrix of spectral norm at least 2 whose powers vanish."""
    ### BEGIN SOLUTION
    return np.array([[0.5, 10.0], [0.0, 0.5]])
    ### END SOLUTION


# %% nbgrader={"grade_id": "vanishes_despite_large_norm_test", "grade": true, "locked": true, "points": 2}
check(vanishes_despite_large_norm)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(vanishes_despite_large_norm)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "grows_despite_small_radius_task", "locked": true}
# ### Your turn: `grows_despite_small_radius` (2 points)
#
# Now the other way round: a square matrix with all eigenvalues at most 0.9 in size, and still $\|W W\|_2 \ge 10$: two steps stretch something
# tenfold, before it fades in the long run.


# %% nbgrader={"grade_id": "grows_despite_small_radius", "solution": true}
def grows_despite_small_radius():
    """Return a matrix of spectral radius at most 0.9 whose square has a norm of at least 10."""
    ### BEGIN SOLUTION
    return np.array([[0.9, 6.0], [0.0, 0.9]])
    ### END SOLUTION


# %% nbgrader={"grade_id": "grows_despite_small_radius_test", "grade": true, "locked": true, "points": 2}
check(grows_despite_small_radius)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(grows_despite_small_radius)
### END HIDDEN TESTS

# %% tags=["demonstration"]
lags = np.arange(1, 41)
norms = {
    "first matrix": [
        np.linalg.norm(np.linalg.matrix_power(vanishes_despite_large_norm(), k), 2) for k in lags
    ],
    "second matrix": [
        np.linalg.norm(np.linalg.matrix_power(grows_despite_small_radius(), k), 2) for k in lags
    ],
}
ax = plots.curves(
    lags,
    {n: np.log10(np.where(np.array(v) > 0, v, np.nan)) for n, v in norms.items()},
    title="First the norm speaks, in the end the radius: the slope on the right",
    xlabel="power",
    ylabel="log10 of the norm",
)
plots.show(
    ax,
    (
        "The norms of the powers of your two matrices: large at first, then falling for good, in "
        "step with the spectral radius."
    ),
)

# %% [markdown]
# The singular value speaks for one step, the eigenvalue for the long run, and in between lies a bump. (A matrix whose square is zero leaves
# the picture: the logarithm of nothing.) A gradient can explode for ten steps
# and vanish over a hundred, in the same network.

# %% [markdown] nbgrader={"grade_id": "bound_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A blog says: "We keep $\|W_{hh}\|_2$ at 1.1 during training. Since that is above 1, our tanh network cannot suffer from vanishing
# gradients." In three or four sentences: is that so? What does the bound say for a norm of 1.1, and what could you measure to find out?
# Write into the next cell (double-click it).

# %% [markdown] nbgrader={"grade_id": "bound_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# No. The bound is from above only: a norm above 1 is necessary to explode, but it does not exclude vanishing, since the slopes of tanh
# are below 1 and most directions are stretched less than the norm says. On the network's own data I would measure the Lyapunov
# exponent, or the norm of the product of Jacobians over many steps.
#
# *Marks.* 1 point: the bound is one-sided; above 1 is necessary to explode, not sufficient to survive. 1 point: measure on the network's
# own data: Lyapunov exponent, product of Jacobians, or gradient by lag.
# ### END SOLUTION

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - $\|\partial h_t / \partial h_k\| \le (\gamma \|W\|_2)^{t-k}$: below 1 it *must* vanish, above 1 it *may* explode; exact for a rotation at rest.
# - The norm speaks for one step, the spectral radius for many at rest, the Lyapunov exponent for the path really taken.
# - Inputs matter: they push units into the flat parts of tanh, and the same matrix can explode with small and vanish with large ones.
#
# *Next: 07 · Remedies.*
