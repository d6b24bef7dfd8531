# %% [markdown]
# # 06 · The gradient bound: how far back a network can learn
#
# **After this lesson you can** compute how a small change of the state grows or shrinks over
# many steps, bound it, say what follows from the bound and what does not, recognise chaos,
# and explain why a network that stores a bit reliably must have vanishing gradients.
#
# **Time** about 170 minutes. **You need** lesson 04, and matrices as linear maps.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
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
# ## Two ways to measure a matrix
#
# In lesson 04 the parts of the gradient with long lags vanished in one network and not in
# another. Each step back multiplied the error by a matrix. So what does a matrix do to a
# vector, once and many times?
#
# Take all vectors of length 1 in the plane, which form a circle. A matrix turns the circle into
# an ellipse. The length of its longest half-axis is the most by which the matrix can stretch
# a vector. It is called the **spectral norm** $\|W\|_2$, or the largest **singular value**.

# %% [markdown]
# An **eigenvector** is a nonzero vector that the matrix stretches or reverses without turning
# it, $W v = \mu v$, and the factor $\mu$ is its **eigenvalue**. The largest $|\mu|$ is the
# **spectral radius**. Applied $k$ times, the matrix stretches $v$ by $\mu^k$, so the spectral
# radius governs *high powers* of the matrix, as the norm governs a single step.
#
# (Eigenvalues can be complex. Then there is a plane in which the matrix rotates vectors and
# stretches them by $|\mu|$ on average.)
#
# **Predict.** The figure shows a circle and its images under $W$, $W^2$ and $W^{20}$, for a
# rotation scaled by 0.9 and for the matrix $\begin{pmatrix} 0.8 & 1.5 \\ 0 & 0.8
# \end{pmatrix}$. Which of the six images are larger than the circle?

# %% tags=["demonstration"]
rotation = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])
shear = np.array([[0.8, 1.5], [0.0, 0.8]])
powers = {
    f"{name}, power {k}": np.linalg.matrix_power(matrix, k)
    for name, matrix in (("rotation", rotation), ("shear", shear))
    for k in (1, 2, 20)
}
sizes = [f"{np.linalg.norm(matrix, 2):.2f}" for matrix in powers.values()]
plots.show(plots.ellipses(powers), f"Images of a circle. Longest half-axes: {sizes}.")
for name, matrix in (("rotation", rotation), ("shear", shear)):
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    norm = np.linalg.norm(matrix, 2)
    print(f"{name}: spectral norm {norm:.2f}, spectral radius {radius:.2f}")

# %% [markdown]
# The rotation has norm and radius 0.9, and its images shrink from the beginning. The shear
# has the radius 0.8 but the norm 1.85. Its images grow at first, and shrink only in the long
# run. For such a matrix, one number does not tell the story.

# %% [markdown]
# ## One step of the network
#
# Perturb unit $j$ of $h_{t-1}$ by a small amount. Then $a_t = \ldots + h_{t-1} W_{hh}$ changes
# in unit $i$ by $W_{hh}[j, i]$ times this amount, and tanh multiplies it by its slope
# $1 - h_t[i]^2$. All these factors together form the **Jacobian**:
#
# $$\frac{\partial h_t}{\partial h_{t-1}} = D_t W, \qquad D_t = \text{diag}(1 - h_t^2),
#   \qquad W = W_{hh}^\top$$
#
# This is the column form of the textbooks. Row $i$ belongs to the unit that responds, column
# $j$ to the unit that was perturbed. So in this lesson $W$ stands for $W_{hh}^\top$, which has
# the same norm and the same eigenvalues as $W_{hh}$.

# %% [markdown] nbgrader={"grade_id": "jacobian_task", "locked": true}
# ### Your turn: `jacobian` (3 points)
#
# For a single sequence: `h_t` has shape (units,), `W_hh` is the matrix of all lessons, and
# the result has shape (units, units).

# %% nbgrader={"grade_id": "jacobian", "solution": true}
def jacobian(h_t, W_hh):
    """Return dh_t / dh_{t-1} in column form, (units, units)."""
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
# By the chain rule, the Jacobians of several steps are multiplied. In column form a matrix
# acts on the vector to its right, so the *first* step stands on the right and the latest on
# the left:
#
# $$\frac{\partial h_t}{\partial h_k} = D_t W \; D_{t-1} W \; \cdots \; D_{k+1} W$$
#
# The order matters. You will also find the product
# $W^\top D_{k+1} \cdots W^\top D_t$ in print. It is the transpose of ours, and it is the one
# that BPTT applies to errors, from step $t$ back to step $k$. Transposed matrices have the
# same norm, so everything we say about one holds for the other.

# %% [markdown] nbgrader={"grade_id": "jacobian_product_task", "locked": true}
# ### Your turn: `jacobian_product` (3 points)
#
# | argument | | result |
# |---|---|---|
# | `hs` | (steps, units): the states, `hs[0]` is $h_1$ | $\partial h_t / \partial h_k$, (units, units) |
# | `k`, `t` | integers, $0 \le k \le t$; $k = 0$ means $h_0$ | |
# | `W_hh` | (units, units) | |
#
# For $k = t$ there is no step in between, and the result is the identity matrix.

# %% nbgrader={"grade_id": "jacobian_product", "solution": true}
def jacobian_product(hs, k, t, W_hh):
    """Return dh_t / dh_k, the product of the Jacobians of the steps k + 1 to t."""
    ### BEGIN SOLUTION
    product = np.eye(len(W_hh))
    for step in range(k + 1, t + 1):
        product = jacobian(hs[step - 1], W_hh) @ product
    return product
    ### END SOLUTION


# %% nbgrader={"grade_id": "jacobian_product_test", "grade": true, "locked": true, "points": 3}
check(jacobian_product)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(jacobian_product)
### END HIDDEN TESTS

# %% [markdown]
# Check it against a measurement, and the order at the same time. **Predict.** Which of the
# three products below agrees?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
W_hh, inputs = rng.normal(size=(3, 3)), rng.normal(size=(4, 3))
hs = states(W_hh, inputs)
ours = jacobian_product(hs, 1, 4, W_hh)  # from h_1 to h_4

def h_4(h_1):
    return states(W_hh, inputs[1:], h_1)[-1]


columns = [(h_4(hs[0] + e) - h_4(hs[0] - e)) / 2e-6 for e in 1e-6 * np.eye(3)]
measured = np.stack(columns, axis=1)
backwards = np.eye(3)
for h_t in hs[1:]:
    backwards = backwards @ W_hh @ np.diag(1 - h_t**2)
print("largest difference from the measurement")
for name, product in {
    "D W ... D W": ours, "W^T D ... W^T D": backwards, "its transpose": backwards.T
}.items():
    print(f"    {name:16} {np.abs(measured - product).max():.0e}")

# %% [markdown]
# Ours agrees up to rounding. The other product is a different matrix, and its transpose is ours.
#
# Now watch your product at work. The figure shows a small circle of perturbations of $h_0$ and
# what has become of it after $t$ steps, in a network of two units with small inputs. The
# straight line is the longest half-axis.
#
# **Predict.** $W$ is the shear from above. Will the ellipse stay inside the dotted circle,
# whose radius is (spectral radius)$^t$? Inside the dashed one, (norm)$^t$?

# %% tags=["demonstration"]
small_inputs = 0.2 * np.random.default_rng(3).normal(size=(12, 2))
shear_states = states(shear.T, small_inputs)  # W_hh is the transpose of W
explorers.ellipse_explorer(
    lambda t: jacobian_product(shear_states, 0, t, shear.T), shear, steps=12
)

# %% [markdown]
# The ellipse leaves the circle of the spectral radius at once, and is outside it again at the
# end. It never leaves the circle of the norm. This can be proved.

# %% [markdown]
# ## How large can it be?
#
# - If $B$ stretches a vector at most by $\|B\|$, and $A$ the result at most by $\|A\|$, then both
#   together stretch it at most by the product: $\|A B\| \le \|A\| \, \|B\|$.
# - A diagonal matrix stretches a vector at most by its largest entry. The entries of $D_i$
#   are slopes of the activation function. Let $\gamma$ be its steepest slope anywhere, so that
#   $\|D_i\| \le \gamma$. It is 1 for tanh and for ReLU, $\max(a, 0)$, and 1/4 for the sigmoid.
#
# Together:
#
# $$\Big\| \frac{\partial h_t}{\partial h_k} \Big\| \;\le\; \prod_{i=k+1}^{t} \|D_i\| \, \|W\|
#   \;\le\; \big(\gamma \, \|W\|_2\big)^{t-k}$$

# %% [markdown]
# This factor appears in every term of lesson 04's double sum. Let
# $\textcolor{#D1368B}{dh_k^{(t)}}$ be the part of $\textcolor{#D1368B}{dh_k}$ that comes from the
# loss of step $t$. It is a row, so it stands on the left of the matrix:
#
# $$\textcolor{#D1368B}{dh_k^{(t)}} = \textcolor{#D1368B}{dh_t^{\text{out}}} \,
#   \frac{\partial h_t}{\partial h_k}, \qquad \text{so} \qquad
#   \|\textcolor{#D1368B}{dh_k^{(t)}}\| \le \|\textcolor{#D1368B}{dh_t^{\text{out}}}\| \,
#   (\gamma \|W\|_2)^{t-k}$$
#
# The part of $\textcolor{#D1368B}{dW_{hh}}$ with lag $t - k$ shrinks with it. So the bound tells
# us how far back a network *cannot* learn.

# %% [markdown]
# Note that it is only an upper bound. The threshold for the norm is $1/\gamma$, which is 1 for
# tanh and 4 for the sigmoid.
#
# - **Below the threshold**, the bound goes to zero, and the gradient with it. This is a
#   *sufficient* condition for vanishing.
# - **Above the threshold**, the bound grows, and the gradient may grow or vanish. So a norm
#   above the threshold is *necessary* for exploding, but not sufficient.
# - **At the threshold**, the gradient cannot explode, but it may still vanish.
#
# The rule "norm below 1 vanishes, above 1 explodes" is often quoted, and it is only half true.

# %% [markdown]
# ### Warm-up: `gradient_bound`
#
# Return the right-hand side for `lag` $= t - k$ steps. (No points. `np.linalg.norm(W, 2)` is
# the spectral norm.)

# %% nbgrader={"grade_id": "gradient_bound", "solution": true}
def gradient_bound(W_hh, gamma, lag):
    """Return the largest norm that dh_t / dh_{t - lag} can have."""
    ### BEGIN SOLUTION
    return (gamma * np.linalg.norm(W_hh, 2)) ** lag
    ### END SOLUTION


# %% tags=["demonstration"]
print("expected: 0.25")
print("yours:   ", gradient_bound(2 * np.eye(3), 0.25, 2))

# %% [markdown]
# **Predict.** We run two hundred random networks for ten steps each and divide the measured
# norm by the bound. What is the largest ratio that can occur? What is a typical one: about
# 0.9, about 0.5, or below 0.01?

# %% tags=["demonstration"]
rng = np.random.default_rng(1)
ratios = []
for _ in range(200):
    W_hh = rng.uniform(0.2, 2) * rng.normal(size=(8, 8)) / np.sqrt(8)
    hs = states(W_hh, 0.5 * rng.normal(size=(10, 8)))
    actual = np.linalg.norm(jacobian_product(hs, 0, 10, W_hh), 2)
    ratios.append(actual / gradient_bound(W_hh, 1.0, 10))
print(f"largest ratio {max(ratios):.4f}, median {np.median(ratios):.1e}")

orthogonal, _ = np.linalg.qr(rng.normal(size=(8, 8)))  # preserves lengths
at_rest = np.zeros((10, 8))  # h = 0: all slopes are 1, as in a linear network
actual = np.linalg.norm(jacobian_product(at_rest, 0, 10, 1.2 * orthogonal), 2)
bound = gradient_bound(1.2 * orthogonal, 1.0, 10)
print(f"1.2 x orthogonal, h = 0: {actual:.4f}, bound {bound:.4f}")

# %% [markdown]
# No ratio can exceed 1, and most are far below. The direction that one step stretches most
# is not the one that the next step stretches most, and tanh shrinks everything a little. For
# an orthogonal matrix at $h = 0$ nothing is lost, and the bound is exact. So it cannot be
# improved without knowing more about the network. But it is a ceiling, not a forecast.

# %% [markdown]
# ### A decision
#
# A colleague wants to train a network in which the answer depends on an input up to 100 steps
# earlier. She considers a gradient useless if this factor has shrunk it to less than a
# millionth. Before she spends a week on it, can you tell her from the weights alone whether it
# is hopeless at the start?

# %% [markdown] nbgrader={"grade_id": "gradient_horizon_task", "locked": true}
# ### Your turn: `gradient_horizon` (4 points)
#
# Return the smallest lag at which the bound guarantees that $\|\partial h_t / \partial
# h_{t - \text{lag}}\|$ is **below** `smallest`. Only lags from 0 to `longest` occur. If the
# bound guarantees it for none of them, return $-1$.
#
# | argument | | result |
# |---|---|---|
# | `W_hh` | (units, units) | the lag, an integer, or −1 |
# | `gamma` | the steepest slope of the activation function | |
# | `smallest` | a number between 0 and 1 | |
# | `longest` | an integer, the largest lag | |

# %% nbgrader={"grade_id": "gradient_horizon", "solution": true}
def gradient_horizon(W_hh, gamma, smallest, longest):
    """Return the first lag up to longest whose bound is below smallest, or -1."""
    ### BEGIN SOLUTION
    for lag in range(longest + 1):
        if gradient_bound(W_hh, gamma, lag) < smallest:
            return lag
    return -1
    ### END SOLUTION


# %% nbgrader={"grade_id": "gradient_horizon_test", "grade": true, "locked": true, "points": 4}
check(gradient_horizon)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(gradient_horizon)
### END HIDDEN TESTS

# %% tags=["demonstration"]
trials = (("tanh", 1.0, 0.8), ("sigmoid", 0.25, 0.8), ("tanh", 1.0, 1.2))
for name, gamma, norm in trials:
    lag = gradient_horizon(norm * orthogonal, gamma, 1e-6, 100)
    print(f"{name:8} norm {norm}: {lag}")

# %% [markdown]
# With a norm of 0.8 everything beyond lag 62 is hopeless, at least until training has changed
# the weights. With the sigmoid, 9 steps are enough to lose everything, which is one reason why
# tanh replaced it. For a norm of 1.2 the bound promises nothing, and you would have to measure.

# %% [markdown]
# ## Four tests for the rule
#
# **Predict** for each: does the product vanish or explode over 50 steps?
#
# 1. One unit, $W = 1.5$, tanh, started at 0.1. (The norm is above 1.)
# 2. Fifty units, all entries of $W$ equal to 0.1, tanh, once exactly at $h = 0$ and once
#    started at 0.01. (Every entry is far below 1.)
# 3. $W = 1.5$ times an orthogonal matrix, with small inputs (0.1) and with large ones (1).
# 4. Sigmoid units instead of tanh, $\|W\|_2 = 3$. (Here the bound is enough, without a run.)

# %% tags=["demonstration"]
def norm_after_50(W_hh, hs):
    return np.linalg.norm(jacobian_product(hs, 0, 50, W_hh), 2)


one_unit = np.array([[1.5]])
one = states(one_unit, np.zeros((50, 1)), np.array([0.1]))
print(f"1. W = 1.5:              {norm_after_50(one_unit, one):.0e}")
print(f"   last state {one[-1, 0]:.2f}, slope there {1 - one[-1, 0] ** 2:.2f}")
even = np.full((50, 50), 0.1)
for name, start in (("at 0:   ", 0.0), ("from 0.01:", 0.01)):
    hs = states(even, np.zeros((50, 50)), np.full(50, start))
    print(f"2. all 0.1, {name:12} {norm_after_50(even, hs):.0e}")

rng = np.random.default_rng(0)
spun = 1.5 * np.linalg.qr(rng.normal(size=(64, 64)))[0]
slopes = {}
for size in (0.1, 1.0):
    hs = states(spun, size * rng.normal(size=(50, 64)))
    slopes[f"inputs of size {size}"] = 1 - hs[10:] ** 2  # without the first steps
    print(f"3. 1.5 x orthogonal, {size}: {norm_after_50(spun, hs):.0e}")
print(f"4. sigmoid, norm 3:  at most {gradient_bound(3 * orthogonal, 0.25, 50):.0e}")

# %% tags=["demonstration"]
medians = {name: float(np.median(values).round(2)) for name, values in slopes.items()}
plots.show(
    plots.histograms(slopes, xlabel="slope of tanh", bins=np.linspace(0, 1, 21)),
    f"Two histograms of slopes for test 3. Medians: {medians}.",
)

# %% [markdown]
# 1. It vanishes. The state settles at 0.86, where the slope of tanh is 0.26. Each step
#    multiplies by $1.5 \cdot 0.26 = 0.39$.
# 2. Small entries add up: the norm of this matrix is 5. Exactly at $h = 0$ the product explodes,
#    but the network cannot stay there, like a pencil on its tip. Started at 0.01, all
#    fifty units saturate together, and the product vanishes.
# 3. The *same matrix* explodes with small inputs and vanishes with large ones. Large inputs push
#    units towards the flat parts of tanh, as the histogram shows.
# 4. It vanishes with certainty, since $(3/4)^{50} = 6 \cdot 10^{-7}$ although the norm is 3.
#
# Neither the entries nor the norm alone decide the matter.

# %% [markdown]
# **Predict.** In the next figure the gain multiplies a random matrix. With inputs of size 0, at
# which gain does the measured curve neither rise nor fall? What do larger inputs change?

# %% tags=["demonstration"]
rng = np.random.default_rng(5)
weights = rng.normal(size=(64, 64)) / 8  # spectral radius about 1, norm about 2
noise = rng.normal(size=(100, 64))
explorers.gradient_explorer(lambda W, size: states(W, size * noise), jacobian, weights)

# %% [markdown]
# With inputs of size 0 the state stays at $h = 0$, and after about twenty steps the measured curve
# has the slope of the spectral radius. (For a gain above 1 this is the pencil on its tip again.) With large inputs
# it falls, because saturated units let little through. It never crosses the bound.

# %% [markdown]
# ☕ *A good place for a break.*

# %% [markdown]
# ## The number that decides
#
# How fast does a small perturbation grow or shrink *per step*, on the path that the network
# really takes? Push a vector $v$ through the Jacobians one after the other, and average the
# logarithm of its growth:
#
# $$\lambda = \frac{1}{T} \log \frac{\| D_T W \cdots D_1 W \, v \|}{\|v\|}$$
#
# As $T$ grows, this tends to the largest **Lyapunov exponent**, for almost every starting
# vector $v$. If $\lambda < 0$, perturbations shrink by $e^{\lambda}$ per step. If
# $\lambda > 0$, they grow. Errors travel through the transpose of the same product, so they
# shrink or grow at the same rate.

# %% [markdown]
# There is one difficulty. After a few hundred steps the product may be $10^{-400}$, which a
# float64 cannot hold. So we divide $v$ by its length after *every* step, and add up the
# logarithms of these lengths.

# %% [markdown] nbgrader={"grade_id": "lyapunov_exponent_task", "locked": true}
# ### Your turn: `lyapunov_exponent` (4 points)
#
# | argument | | result |
# |---|---|---|
# | `hs` | (steps, units): the states | $\lambda$, one number: mean growth per step, natural logarithm |
# | `W_hh` | (units, units) | |
# | `v` | (units,): the starting vector, of any length; only its direction counts | |

# %% nbgrader={"grade_id": "lyapunov_exponent", "solution": true}
def lyapunov_exponent(hs, W_hh, v):
    """Return the mean log growth per step of v, normalised after every step."""
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
# ### Chaos
#
# A positive exponent has a name. Start the same network twice, without any input, from two
# states that differ by $10^{-9}$ in a single unit.
#
# **Predict.** The matrix is random, with spectral radius about 0.8 in one network and about 2
# in the other. How far apart are the two runs after 200 steps?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
random_matrix, start = rng.normal(size=(64, 64)) / 8, 0.1 * rng.normal(size=64)
distances = {}
for gain in (0.8, 2.0):
    silence = np.zeros((200, 64))
    h = states(gain * random_matrix, silence, start)[-1]  # after the first transient
    nudged = h + 1e-9 * np.eye(64)[0]
    first, second = (states(gain * random_matrix, silence, s) for s in (h, nudged))
    distances[f"gain {gain}"] = np.linalg.norm(first - second, axis=1)
    exponent = lyapunov_exponent(first, gain * random_matrix, np.ones(64))
    end = distances[f"gain {gain}"][-1]
    print(f"gain {gain}: exponent {exponent:+.2f}, distance at the end {end:.0e}")
ax = plots.curves(
    np.arange(1, 201), distances, title="Two runs that begin close together",
    xlabel="step", ylabel="distance", ylim=(1e-28, 1e3), log=True,
)
ends = [f"{distance[-1]:.0e}" for distance in distances.values()]
plots.show(ax, f"Distances of two pairs of runs, at the end {ends}.")

# %% [markdown]
# With gain 0.8 the two runs meet. With gain 2 they part at a constant rate, until they have
# nothing to do with each other. A system whose states stay bounded, and which is so sensitive
# to tiny changes, is called **chaotic**. A positive exponent is the usual definition. (With five
# random matrices the exponent was between 0.06 and 0.14 for gain 2, and below $-0.1$ for gain
# 0.8.) Sompolinsky, Crisanti and Sommers found this transition in 1988.
#
# In a chaotic network the loss after 200 steps depends on the tiniest change, so over long lags
# the gradient explodes and is useless. (The cliff of lesson 05 was a simpler case, the border
# between two resting states. In a chaotic network there are cliffs everywhere.)

# %% [markdown]
# **Predict.** The next figure is a map. The gain increases to the right, the size of random
# inputs upwards, and the colour is your exponent (beyond ±0.3 the colours do not change any
# more). Where is it zero: on a vertical line at gain 1, or somewhere else?

# %% tags=["demonstration"]
rng = np.random.default_rng(3)
gains, input_sizes = np.linspace(0.4, 2.2, 19), np.linspace(0.0, 1.4, 8)
matrix = rng.normal(size=(100, 100)) / 10  # spectral radius about 1
drive, start = rng.normal(size=(200, 100)), 0.1 * rng.normal(size=100)


def exponent_at(gain, size):
    hs = states(gain * matrix, size * drive, start)
    return lyapunov_exponent(hs[50:], gain * matrix, start)  # after the first transient


rows = [[exponent_at(gain, size) for gain in gains] for size in input_sizes]
exponents = np.array(rows)
ax = plots.contour_map(
    gains, input_sizes, exponents, title="The Lyapunov exponent",
    xlabel="gain", ylabel="size of the inputs", label="log growth per step", limit=0.3,
)
borders = [f"{gains[row > 0].min():.1f}" for row in exponents if (row > 0).any()]
plots.show(ax, f"A map. From the bottom up, it is positive from gain {borders} on.")

# %% [markdown]
# The border is not vertical. The larger the inputs, the larger the gain may be, because inputs
# push units towards the flat parts of tanh. With inputs of size 1 it is near 2. (Without input,
# theory puts the border of very large networks at gain 1. Six networks of 100 units had it
# between 1.0 and 1.5.)
#
# On the black curve perturbations
# neither shrink nor grow, which is the *edge of chaos*. A network whose gradient must reach far
# back has to be near it, and whether it gets there depends on its weights and on its inputs
# together. Lesson 07 chooses the weights accordingly.

# %% [markdown]
# ## Why a reliable memory has vanishing gradients
#
# Could a network be trained to stay at the edge and store a bit there for a thousand steps? In
# 1994 Bengio, Simard and Frasconi gave a sobering answer. Take the latch of lesson 01, one unit
# with $h_t = \tanh(u h_{t-1})$ and $u > 1$. It has two resting states, one positive and one
# negative, so it stores a bit. Now add noise to its input at each step.
#
# **Predict.** Which latch keeps its bit best, one with $u = 1.05$ or one with $u = 2$? And
# through which can a gradient travel back 50 steps?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
print("   u  rests at  factor there  after 50 steps  bits kept, noise 0.1  noise 0.3")
for u in (1.05, 1.2, 1.5, 2.0):
    rest = states(np.array([[u]]), np.zeros((5000, 1)), np.array([1.0]))[-1, 0]
    factor = u * (1 - rest**2)
    kept = []
    for size in (0.1, 0.3):
        h = np.full(2000, rest)  # 2000 latches that all store a 1
        for _ in range(50):
            h = np.tanh(u * h + size * rng.normal(size=2000))
        kept.append(np.mean(h > 0))
    gradient = f"{rest:9.2f} {factor:13.2f} {factor**50:15.0e}"
    print(f"{u:4.2f} {gradient} {kept[0]:20.0%} {kept[1]:10.0%}")

# %% [markdown]
# A latch that keeps its bit under noise does so because each disturbance *shrinks*: the factor
# per step is below 1. But the gradient is multiplied by the same factor. What makes a memory
# robust is what makes its gradient vanish. And the closer the factor is to 1, the more easily
# noise flips the bit.
#
# Note what this says and what it does not. The network *remembers* perfectly well. What it
# cannot do is *learn* to remember, since the gradient does not reach the step at which the bit
# was stored. This holds for every network that stores a bit by falling into a resting state. The
# gates of lesson 13 are a way out: one keeps the memory constant, another keeps noise out.

# %% [markdown]
# ## Build the counterexamples
#
# The best way to unlearn a wrong rule is to break it yourself. Here there is no network, only a
# matrix. At $h = 0$ all slopes are 1, so the product is a power of $W$.

# %% [markdown] nbgrader={"grade_id": "vanishes_despite_large_norm_task", "locked": true}
# ### Your turn: `vanishes_despite_large_norm` (2 points)
#
# Return a square matrix with $\|W\|_2 \ge 2$ whose 50th power has a norm below $10^{-6}$. Any
# matrix with these properties is accepted.

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
# Now the other way round: return a square matrix whose eigenvalues are all at most 0.9 in
# absolute value, and still $\|W W\|_2 \ge 10$. So two steps can stretch a vector tenfold,
# although in the long run every vector shrinks.

# %% nbgrader={"grade_id": "grows_despite_small_radius", "solution": true}
def grows_despite_small_radius():
    """Return a matrix of radius at most 0.9 whose square has norm 10 or more."""
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
def norms_of_powers(matrix, lags, floor=1e-12):
    """Return the norms of the powers; what is below `floor` is drawn there."""
    powers = [np.linalg.norm(np.linalg.matrix_power(matrix, int(k)), 2) for k in lags]
    return np.maximum(powers, floor)


lags = np.arange(1, 121)
norms = {
    "0.9 x rotation": norms_of_powers(rotation, lags),
    "your first matrix": norms_of_powers(vanishes_despite_large_norm(), lags),
    "your second matrix": norms_of_powers(grows_despite_small_radius(), lags),
}
ax = plots.curves(
    lags, norms, title="Norms of powers", xlabel="power", ylabel="norm", log=True
)

words = [f"{name} from {n.max():.0f} to {n[-1]:.0e}" for name, n in norms.items()]
plots.show(ax, f"Norms of the powers of three matrices. {'; '.join(words)}.")

# %% [markdown]
# Early powers follow the norm and late powers follow the spectral radius, with a bump in
# between. (A curve at the lower edge of the figure has reached zero, for example if your matrix
# squares to zero.) So a gradient can explode over ten steps and vanish over a hundred, in the
# same network.

# %% [markdown] nbgrader={"grade_id": "bound_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A blog says: "We keep $\|W_{hh}\|_2$ at 1.1 during training. Since that is above 1, our tanh
# network cannot suffer from vanishing gradients." In three or four sentences: is that true? What
# does the bound say for a norm of 1.1, and what could you measure to find out? Write your answer
# in the next cell (double-click it). Afterwards, `hint("bound_in_words")` shows what a good
# answer contains.

# %% [markdown] nbgrader={"grade_id": "bound_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# No. The bound is an upper bound only: a norm above 1 is necessary for the gradient to explode, but it does not prevent vanishing, because
# the slopes of tanh are below 1 and most directions are stretched by less than the norm. On the network's own data I would measure the
# Lyapunov exponent, or the norm of the product of Jacobians over many steps.
#
# *Marks.*
#
# - 1 point: the bound is one-sided; a norm above 1 is necessary for exploding and does not prevent vanishing.
# - 1 point: measure on the network's own data: the Lyapunov exponent, the product of Jacobians, or the gradient by lag.
# ### END SOLUTION

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - Y. Bengio, P. Simard and P. Frasconi, "Learning long-term dependencies with gradient descent
#   is difficult" (1994): why storing a bit makes gradients vanish.
# - R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
#   networks" (2013): the bound, with its sufficient and its necessary condition.
# - S. Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen" (1991): the first analysis of
#   vanishing gradients, a diploma thesis in German.
# - H. Sompolinsky, A. Crisanti and H.-J. Sommers, "Chaos in random neural networks" (1988).
# - S. Strogatz, *Nonlinear Dynamics and Chaos*, chapter 9: exponents and sensitivity, for a first
#   course.

# %% [markdown]
# ## In three lines
#
# - $\|\partial h_t / \partial h_k\| \le (\gamma \|W\|_2)^{t-k}$. With a norm below $1/\gamma$ the gradient *must* vanish, above it *may* explode.
# - The **spectral norm** governs one step, the **spectral radius** many steps at $h = 0$, and the **Lyapunov exponent** the path that the network really takes. A positive exponent means **chaos**.
# - What makes a stored bit robust makes its gradient vanish. A good initialisation (lesson 07) lets the gradient survive at the start, and gates (lesson 13) are a way out.
#
# *Next: 07 · Remedies.*
