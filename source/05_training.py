# %% [markdown]
# # 05 · Training: from a gradient to a network that writes
#
# **After this lesson you can** check any gradient, recognise common bugs by their
# symptoms, write a training step with gradient clipping and Adam, choose a learning rate,
# and judge a trained network by comparing it with simple baselines.
#
# **Time** about 210 minutes, with two breaks. **You need** lessons 03 and 04.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import bugs, data, plots, storyteller
from rnn_helpers.cards import Screen
from rnn_helpers.ngrams import ngram_perplexity


def log_softmax(logits):
    """Lesson 03's log-probabilities over the last axis."""
    z = logits - logits.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def adam_start(params):
    """Return the state of the optimiser Adam before its first step."""
    empty = {name: np.zeros_like(array) for name, array in params.items()}
    return {"t": 0, "m": empty, "v": empty}


# %%
from rnn_helpers import cells

# %% [markdown]
# ## Never trust a gradient
#
# A network with a slightly wrong gradient does not crash. It learns, a little worse than it
# should, and you may never find out why. So never derive a gradient without measuring it
# as well. In lesson 02 you measured slopes with central differences:
#
# $$\frac{\partial f}{\partial x_i} \approx
#   \frac{f(x + \epsilon e_i) - f(x - \epsilon e_i)}{2 \epsilon}$$
#
# where $e_i$ is 1 at entry $i$ and 0 elsewhere, so that one entry changes at a time.

# %% [markdown]
# How should we choose $\epsilon$? Near $x$, $f(x + \epsilon)$ is approximately
# $f(x) + f'(x)\,\epsilon + \frac12 f''(x)\,\epsilon^2 + \frac16 f'''(x)\,\epsilon^3$.
# Perturbing in one direction leaves an error of $\frac12 f''(x)\,\epsilon$. In the central
# difference the terms with $\epsilon^2$ cancel, and the error is only
# $\frac16 f'''(x)\,\epsilon^2$.
#
# **Predict.** That suggests an $\epsilon$ as small as possible, say $10^{-12}$. What goes
# wrong? (A float64 has about 16 digits, and we subtract two numbers that are nearly equal.)

# %% tags=["demonstration"]
f, x, exact = np.sin, 1.3, np.cos(1.3)
eps = 10.0 ** np.arange(-12, 0)
central = np.abs((f(x + eps) - f(x - eps)) / (2 * eps) - exact)
one_sided = np.abs((f(x + eps) - f(x)) / eps - exact)
ax = plots.curves(
    eps, {"central": central, "one-sided": one_sided},
    title="The error of a finite difference", xlabel="ε", ylabel="error", log=True,
)
ax.set_xscale("log")
least = {"central": central, "one-sided": one_sided}
words = [f"{name} {e.min():.0e} at {eps[e.argmin()]:.0e}" for name, e in least.items()]
plots.show(ax, f"Two V-shaped curves with their least errors: {', '.join(words)}.")

# %% [markdown]
# On the right of each curve, $\epsilon$ is too large and the function is not straight. On
# the left, $\epsilon$ is too small and rounding takes over: the difference of two numbers
# with 16 correct digits has few correct digits left, an error of about $10^{-16}/\epsilon$.
# The two are equal where $10^{-16}/\epsilon = \epsilon^2$, near $\epsilon = 10^{-5}$. There,
# central differences give more than ten correct digits, one-sided differences at best eight.

# %% [markdown] nbgrader={"grade_id": "numerical_gradient_task", "locked": true}
# ### Your turn: `numerical_gradient` (3 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `f` | a function from an array to one number | the gradient | as `x` |
# | `x` | an array of any shape; do not modify it | | |
# | `eps` | the size of the perturbation | | |
#
# (`for place in np.ndindex(x.shape)` visits all entries, and `x[place]` is one of them.)

# %% nbgrader={"grade_id": "numerical_gradient", "solution": true}
def numerical_gradient(f, x, eps=1e-6):
    """Return the gradient of f at x by central differences, in the shape of x."""
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += eps
        down[place] -= eps
        gradient[place] = (f(up) - f(down)) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade_id": "numerical_gradient_test", "grade": true, "locked": true, "points": 3}
check(numerical_gradient)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(numerical_gradient)
### END HIDDEN TESTS

# %% [markdown]
# ### Warm-up: `relative_error`
#
# Is a difference of 0.001 large? Between 1000 and 1000.001 it is negligible, and between
# 0.001 and 0.002 it is not. So we divide the difference by the size of the arrays. Write
# $\|a\|$ for the Euclidean **norm** of all entries of an array, `np.linalg.norm(a)`:
#
# $$\text{relative error} = \frac{\|a - b\|}{\|a\| + \|b\|}$$
#
# It is 0 for equal arrays and 1 for opposite ones. Complete the last line. (No points.)

# %% nbgrader={"grade_id": "relative_error", "solution": true}
def relative_error(a, b):
    """Return |a - b| / (|a| + |b|), and 0 when both are zero."""
    size = np.linalg.norm(a) + np.linalg.norm(b)
    if size == 0:
        return 0.0
    # return ...
    ### BEGIN SOLUTION
    return np.linalg.norm(a - b) / size
    ### END SOLUTION


# %% tags=["demonstration"]
print("expected: 0.2")
print("yours:   ", round(relative_error(np.array([2.0, 0.0]), np.array([3.0, 0.0])), 6))

# %% [markdown]
# How large may the relative error of a gradient be? A rule of thumb for float64 and central
# differences, after the course notes of Stanford's CS231n:
#
# | relative error | verdict |
# |---|---|
# | below $10^{-7}$ | correct |
# | up to $10^{-4}$ | acceptable only if the activation function has a kink |
# | up to $10^{-2}$ | suspicious: look for the bug |
# | above $10^{-2}$ | almost certainly wrong |

# %% [markdown]
# ## The bug hunt
#
# Eight colleagues, Ada to Helga, each wrote a backward pass: `bugs.ada(dhs, cache)` and so
# on, with `cache = (xs, h_0, hs, W_xh, W_hh)`. Each returns `(dW_xh, dW_hh, db_h)`. Their
# code runs and the shapes are right, but some of them are broken. Which?
#
# Do not read their code. Measure! For a gradient check any loss will do, so we take the
# simplest one whose gradient with respect to the states is known. It is the sum of
# $\text{dhs} \odot \text{hs}$ for a random array `dhs`, as in lesson 04. Here is one
# measurement:

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
xs, h_0 = rng.normal(size=(2, 4, 2)), rng.normal(size=(2, 3))  # 2 sequences of 4 steps
W_xh, W_hh, b_h = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
hs = bugs.forward(xs, h_0, W_xh, W_hh, b_h)
dhs = rng.normal(size=hs.shape)


def loss_of_W_xh(W):
    return np.sum(dhs * bugs.forward(xs, h_0, W, W_hh, b_h))


claimed = bugs.ada(dhs, (xs, h_0, hs, W_xh, W_hh))[0]
measured = numerical_gradient(loss_of_W_xh, W_xh)
print(f"Ada's dW_xh: relative error {relative_error(claimed, measured):.0e}")

# %% [markdown] nbgrader={"grade_id": "find_broken_task", "locked": true}
# ### Your turn: `find_broken` (4 points)
#
# `backwards` is a list of such functions. Return an array of True and False with one entry
# for each, True for the **broken** ones. Check all three gradients, on a network that you
# draw yourself, with several steps and several sequences. Think about the threshold: one
# of the bugs is small.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "find_broken", "solution": true}
def find_broken(backwards):
    """Return an array with True (broken) or False (correct) for each backward pass."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(1)
    xs, h_0 = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 4))
    weights = [rng.normal(size=(2, 4)), rng.normal(size=(4, 4)), rng.normal(size=4)]
    hs = bugs.forward(xs, h_0, *weights)
    dhs = rng.normal(size=hs.shape)

    def measured(which):
        def loss(moved):
            changed = [moved if i == which else w for i, w in enumerate(weights)]
            return np.sum(dhs * bugs.forward(xs, h_0, *changed))

        return numerical_gradient(loss, weights[which])

    truth = [measured(which) for which in range(3)]
    broken = []
    for backward in backwards:
        claimed = backward(dhs, (xs, h_0, hs, weights[0], weights[1]))
        broken.append(max(relative_error(c, t) for c, t in zip(claimed, truth)) > 1e-6)
    return np.array(broken)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "find_broken_test", "grade": true, "locked": true, "points": 4}
check(find_broken)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(find_broken)
### END HIDDEN TESTS

# %% [markdown]
# ### What did they do?
#
# An experienced engineer sees not only *that* a gradient is wrong but also *where*. The next
# cell prints the relative error of each gradient, first for sequences of four steps and then
# for sequences of one step.
#
# **Predict.** Match the patterns with these six bugs before you open the answer:
#
# 1. The mean over the batch in place of the sum, in one gradient.
# 2. $h_t$ in place of $h_{t-1}$.
# 3. $W_{hh}$ in place of its transpose.
# 4. A slope of $1 - \tanh^2(h_t)$.
# 5. A slope of $1 - h_t^2 + 0.001$, so that it "never vanishes".
# 6. Nothing is carried back from the second step to the first.

# %% tags=["demonstration"]
weights = {"W_xh": W_xh, "W_hh": W_hh, "b_h": b_h}


def errors_of(backward, steps):
    """Return the relative errors of dW_xh, dW_hh and db_h."""
    def loss_with(name, array):
        states = bugs.forward(xs[:, :steps], h_0, **{**weights, name: array})
        return np.sum(dhs[:, :steps] * states)

    claimed = backward(dhs[:, :steps], (xs[:, :steps], h_0, hs[:, :steps], W_xh, W_hh))
    errors = []
    for mine, (name, weight) in zip(claimed, weights.items()):
        measured = numerical_gradient(lambda array: loss_with(name, array), weight)
        errors.append(relative_error(mine, measured))
    return errors


print(f"{'':9}{'four steps':^27}  {'one step':^27}")
print(f"{'':9}" + 2 * f"{'dW_xh':>9}{'dW_hh':>9}{'db_h':>9}  ")
for candidate, backward in bugs.CANDIDATES.items():
    four, one = (
        "".join(f"{error:9.0e}" for error in errors_of(backward, steps))
        for steps in (4, 1)
    )
    print(f"{candidate:9}{four}  {one}")

# %% [markdown]
# <details><summary>The culprits</summary>
#
# - <b>Ada</b> forgot the transpose (3). Everything is wrong, but only if there are several steps.
# - <b>Chloe</b> applied tanh twice (4). Everything is wrong, for a single step too.
# - <b>Dora</b> took the mean (1). Only db_h is wrong, by exactly 1/3: half of a number against
#   the whole.
# - <b>Emil</b> used h_t (2). Only dW_hh is wrong, since only there the previous state is a factor.
# - <b>Gustav</b> cut the path from step 2 to step 1 (6). With a single step he is right. With
#   four, his errors are smaller than Ada's, because only one link of many is missing.
# - <b>Helga</b> added 0.001 (5). Her errors are below 0.1 per cent. Her network would train, and
#   you would never know.
#
# </details>

# %% [markdown]
# Bruno and Fatima are correct, although they wrote different code.

# %% [markdown]
# ## From a gradient to a step
#
# The simplest update moves all parameters, together called $\theta$, against the gradient
# $\textcolor{#D1368B}{g}$:
#
# $$\theta \leftarrow \theta - \eta \, \textcolor{#D1368B}{g}$$
#
# The factor $\eta$ is the learning rate. When the gradient comes from a part of the data, a
# **batch**, the method is called **stochastic gradient descent** (SGD).
#
# Its weakness is a narrow valley, where the loss is much steeper in one direction than in
# another. A learning rate that suits the flat direction is too large for the steep one. Two
# ideas help.

# %% [markdown]
# **Momentum** (Polyak 1964) remembers past gradients in a leaky memory, as in lesson 00.
# Gradients that keep pointing the same way add up, while those that change their sign cancel in
# the long run.
#
# **A rate for each parameter.** Keep a second leaky memory, of the *squared* gradient, and
# divide by its square root. A parameter with large gradients then takes smaller steps, and
# one with small gradients takes larger steps. This is RMSProp (Hinton 2012).

# %% [markdown]
# **Adam** (Kingma and Ba 2015) combines both. Its memories are $m$ and $v$, with decays
# $\beta_1 = 0.9$ and $\beta_2 = 0.999$, and $t$ counts the updates:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) \, \textcolor{#D1368B}{g}, \qquad
#   v \leftarrow \beta_2 v + (1 - \beta_2) \, \textcolor{#D1368B}{g}^2$$
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}, \qquad
#   \theta \leftarrow \theta - \eta \, \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

# %% [markdown]
# If the gradient of a parameter is constant, $\hat m / \sqrt{\hat v}$ is 1 or $-1$, however
# small the gradient is. If the gradient keeps changing its sign, $\hat m$ is close to 0, and
# so is the step. The tiny $\epsilon$ only prevents a division by zero. (It has nothing to do
# with the $\epsilon$ above.)
#
# Why the hats? Both memories start empty. After $t$ steps the weights of the gradients in $m$
# sum to $1 - \beta_1^t$ instead of 1, so dividing by this number makes $m$ a proper average.
# Without the hats, the first step would be $0.1 / \sqrt{0.001} \approx 3$ times too large.

# %% [markdown]
# ### Warm-up: the bias correction
#
# Take a constant gradient of 2. Complete the line with the hat. (No points.)

# %% nbgrader={"grade_id": "bias_correction", "solution": true}
def corrected_memory(g, beta, steps):
    """Return the pairs (m, m_hat) after each step, for a constant gradient g."""
    m, pairs = 0.0, []
    for t in range(1, steps + 1):
        m = beta * m + (1 - beta) * g
        # m_hat = ...
        ### BEGIN SOLUTION
        m_hat = m / (1 - beta**t)
        ### END SOLUTION
        pairs.append((m, m_hat))
    return np.array(pairs)


# %% tags=["demonstration"]
print("expected in the second column: always 2")
print(corrected_memory(2.0, 0.9, 4).round(3))

# %% [markdown] nbgrader={"grade_id": "adam_step_task", "locked": true}
# ### Your turn: `adam_step` (4 points)
#
# | argument | |
# |---|---|
# | `params`, `grads` | dicts with the same names: parameters and their gradients |
# | `state` | a dict: `"t"`, the number of steps taken so far; `"m"` and `"v"`, dicts with the same names |
# | `lr`, `beta_1`, `beta_2`, `eps` | $\eta, \beta_1, \beta_2, \epsilon$ |
#
# Return the pair `(new_params, new_state)` of new dicts, and do not modify the old ones. In
# `new_state`, `"t"` has increased by 1, and this is the $t$ of the formulas.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "adam_step", "solution": true}
def adam_step(params, grads, state, lr=0.001, beta_1=0.9, beta_2=0.999, eps=1e-8):
    """Return (params, state) after one step of Adam (Kingma and Ba 2015), new dicts."""
    ### BEGIN SOLUTION
    t = state["t"] + 1
    new_params, m, v = {}, {}, {}
    for name, g in grads.items():
        m[name] = beta_1 * state["m"][name] + (1 - beta_1) * g
        v[name] = beta_2 * state["v"][name] + (1 - beta_2) * g**2
        m_hat = m[name] / (1 - beta_1**t)
        v_hat = v[name] / (1 - beta_2**t)
        new_params[name] = params[name] - lr * m_hat / (np.sqrt(v_hat) + eps)
    return new_params, {"t": t, "m": m, "v": v}
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "adam_step_test", "grade": true, "locked": true, "points": 4}
check(adam_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(adam_step)
### END HIDDEN TESTS

# %% [markdown]
# ### Three paths through a valley
#
# The loss is $\frac12 (x^2 + 40 y^2)$, so the valley is 40 times as steep in $y$ as in $x$.
# Each optimiser takes 40 steps from the same point, with a learning rate that suits it. Then
# each gets a second valley, ten times as steep, with the *same* rate.
#
# **Predict.** What do the three paths look like? Which optimiser survives the second valley?

# %% tags=["demonstration"]
def valley(p, steepness=40):
    return 0.5 * (p[0] ** 2 + steepness * p[1] ** 2)


def descend(optimiser, lr, steepness=40, steps=40):
    """Return the path of an optimiser through the valley, (steps + 1, 2)."""
    p, velocity = np.array([-4.0, 1.0]), np.zeros(2)
    state, path = adam_start({"p": p}), [p]
    for _ in range(steps):
        g = p * np.array([1.0, steepness])
        if optimiser == "Adam":
            new, state = adam_step({"p": p}, {"p": g}, state, lr=lr)
            p = new["p"]
        else:
            velocity = (0.8 if optimiser == "momentum" else 0.0) * velocity - lr * g
            p = p + velocity
        path.append(p)
    return np.array(path)


rates = {"SGD": 0.046, "momentum": 0.049, "Adam": 0.137}
paths = {name: descend(name, lr) for name, lr in rates.items()}
x, y = np.linspace(-4.5, 2.5, 200), np.linspace(-1.3, 1.3, 120)
heights = valley(np.stack(np.meshgrid(x, y)))
ends = ", ".join(f"{name} {valley(path[-1]):.4f}" for name, path in paths.items())
plots.show(
    plots.descent_paths(x, y, heights, paths, xlabel="x", ylabel="y"),
    f"Contours of a valley with three paths. Loss after 40 steps: {ends}.",
)
print("loss after 40 steps:", ends)
for name, lr in rates.items():
    end = valley(descend(name, lr, steepness=400)[-1], steepness=400)
    print(f"in a valley ten times as steep, with the same rate: {name} {end:.2g}")

# %% [markdown]
# SGD bounces from wall to wall and then creeps along the floor. Momentum bounces too, and it even
# overshoots, but its progress along the floor adds up. Adam goes down diagonally, as if the
# valley were not narrow at all, since it divides each gradient by its usual size.
#
# Adam is not the fastest here. Its strength shows in the second valley: with the same rates,
# SGD and momentum are thrown out of it, and Adam does not even notice. In a network with
# 24,000 parameters, whose gradients differ widely in size, this saves a lot of tuning.

# %% [markdown]
# ☕ *A good place for the first break.*

# %% [markdown]
# ## The cliff
#
# Recurrent networks have a difficulty of their own: the loss has cliffs. The smallest
# example is one unit without input, $h_t = \tanh(u h_{t-1} + b)$, with $h_0 = 0.5$. After 50
# steps we would like $h_{50} = 0.7$, so the loss is $(h_{50} - 0.7)^2$. The next figure shows
# it for different $u$ and $b$, after Pascanu, Mikolov and Bengio (2013).
#
# Dark means a large loss. Gradient descent starts at the circle, on a plateau with a loss of
# 2.5. The white valley, where the loss is 0, is close.
#
# **Predict.** Which way will it go, and what could go wrong?

# %% tags=["demonstration"]
def loss_on_the_cliff(p):
    h = 0.5
    for _ in range(50):
        h = np.tanh(p[0] * h + p[1])
    return (h - 0.7) ** 2


def walk(clip=None, steps=100, lr=0.1):
    """Return (path, norms of the gradients); clip: your function, or None."""
    p, path, norms = np.array([1.4, -0.2]), [], []
    for _ in range(steps):
        path.append(p)
        grads = {"p": numerical_gradient(loss_on_the_cliff, p)}
        norms.append(np.linalg.norm(grads["p"]))
        if clip is not None:
            grads, _ = clip(grads, 0.5)
        p = p - lr * grads["p"]
    return np.array([*path, p]), np.array(norms)


path, norms = walk()
u, b = np.linspace(1.0, 1.8, 160), np.linspace(-0.45, 0.1, 160)
cliff = loss_on_the_cliff(np.stack(np.meshgrid(u, b)))
one_path = {"without clipping": path}
plots.show(
    plots.descent_paths(u, b, cliff, one_path, xlabel="u", ylabel="b"),
    f"A loss with a cliff. The path goes from (1.4, -0.2) to {path[-1].round(1)}.",
)
print(f"norm of the gradient: {norms[0]:.2f} at the start, {norms.max():.0f} at most")
end = path[-1]
print(f"the path ends at u, b = {end.round(1)}, loss {loss_on_the_cliff(end):.3f}")

# %% [markdown]
# The first step lands on the edge of the cliff. There the norm of the gradient is 271, and the
# second step throws the parameters out of the figure, to $u = 12.9$ and $b = 24.4$. The loss
# happens to be lower there, but tanh is saturated and the gradient is exactly 0, so it can
# never improve. In a real training run, one such step can destroy what took hours.
#
# Why is there a cliff? For $u > 1$ the state can settle at a positive or at a negative value,
# like the latch of lesson 01, and a tiny change of $b$ decides at which. After 50 steps, the
# tiny change has become a large one.

# %% [markdown]
# ### Gradient clipping
#
# The direction of the gradient at a cliff is still useful. Only its size is absurd. So we
# limit the size. Read all entries of all gradients as one long vector. If its norm, the
# square root of the sum of *all* squares, is larger than `max_norm`, multiply the whole
# vector by a factor that makes its norm equal to `max_norm`. This is **clipping by the
# global norm**.
#
# **Predict.** Why not limit each entry on its own? Draw the vector $(1, 20)$ on paper, and
# limit each of its entries to 1.

# %% tags=["demonstration"]
vector = np.array([1.0, 20.0])
for name, clipped in {
    "as it is": vector,
    "norm limited to 1": (vector / np.linalg.norm(vector)).round(2),
    "entries limited to 1": np.minimum(vector, 1.0),
}.items():
    angle = np.degrees(np.arctan2(clipped[1], clipped[0]))
    print(f"{name:<21} {clipped}  direction {angle:.0f}°")

# %% [markdown]
# If the entries are limited one by one, the vector turns. Limiting the norm keeps its
# direction. Keras has three kinds of clipping:
#
# | argument of a Keras optimiser | what is limited |
# |---|---|
# | `global_clipnorm` | the norm of all gradients together, as here |
# | `clipnorm` | the norm of each variable's gradient separately |
# | `clipvalue` | each entry separately |

# %% [markdown] nbgrader={"grade_id": "clip_by_global_norm_task", "locked": true}
# ### Your turn: `clip_by_global_norm` (3 points)
#
# | argument | | | result |
# |---|---|---|---|
# | `grads` | a dict, name → gradient; do not modify it | | the pair `(clipped, norm)` |
# | `max_norm` | the largest norm allowed | | `clipped` a new dict, `norm` the norm *before* clipping |
#
# Gradients whose norm is small enough are returned as they are.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "clip_by_global_norm", "solution": true}
def clip_by_global_norm(grads, max_norm):
    """Return (clipped gradients as a new dict, their common norm before clipping)."""
    ### BEGIN SOLUTION
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return {name: factor * g for name, g in grads.items()}, norm
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "clip_by_global_norm_test", "grade": true, "locked": true, "points": 3}
check(clip_by_global_norm)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(clip_by_global_norm)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** With your function and `max_norm` 0.5, the same walk starts at the same point.
# Will it avoid the cliff?

# %% tags=["demonstration"]
clipped_path, _ = walk(clip_by_global_norm)
both = {"without clipping": path, "with clipping": clipped_path}
plots.show(
    plots.descent_paths(u, b, cliff, both, xlabel="u", ylabel="b"),
    f"The same cliff. With clipping the path ends at {clipped_path[-1].round(2)}.",
)
print(f"loss without clipping {loss_on_the_cliff(path[-1]):.4f}")
print(f"loss with clipping    {loss_on_the_cliff(clipped_path[-1]):.4f}")

# %% [markdown]
# With clipping, no step is longer than 0.05. The path crosses the edge in a small step and
# settles in the valley, where the loss is 0. So clipping can decide between success and
# failure. Usually it is a seat belt: with good initial weights and a moderate learning rate it
# hardly ever acts, and you are glad to have it when it does.
#
# Adam limits the size of a step by itself. But a single huge gradient stays in its memory $v$
# for many updates and makes all of them tiny. So the two are used together.

# %% [markdown]
# ☕ *A good place for the second break.*

# %% [markdown]
# ## A network that writes
#
# Now you have all the parts. We take 300,000 characters of Python's help texts. The last
# tenth is **held out**: the network never trains on it, and it tells us how good the network
# really is. We cut the rest into 32 pieces and read them in parallel, 32 characters at a time.
# The state is carried over from one batch to the next, but the gradient is not, since it stops
# after 32 steps. (This is truncated BPTT, and lesson 07 says what it costs.) So one update uses
# $32 \cdot 32 = 1024$ characters, and about 260 updates make one **epoch**, a pass through the
# training text.

# %% tags=["demonstration"]
text = data.python_manual(300_000)
alphabet = "".join(sorted(set(text)))
codes = np.array([alphabet.index(char) for char in text])
train, held_out = codes[:270_000], codes[270_000:]


def new_network(units, characters=29, seed=0, dtype=np.float32):
    """Return random parameters; float32 is faster than float64, and exact enough."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(units, units)))  # lesson 07 says why
    params = {
        "W_xh": 0.3 * rng.normal(size=(characters, units)),
        "W_hh": rotation,
        "b_h": np.zeros(units),
        "W_hy": 0.05 * rng.normal(size=(units, characters)),
        "b_y": np.zeros(characters),
    }
    return {name: array.astype(dtype) for name, array in params.items()}

# %% [markdown]
# For the forward and the backward pass we use the course's `cells`. They contain the same
# mathematics as your `rnn_forward` and `rnn_backward`, tuned for speed:
#
# - `hs, cache = cells.forward(xs, h_0, W_xh, W_hh, b_h)`
# - `back = cells.backward(dhs, cache)`, with the results `back.dW_xh`, `back.dW_hh`,
#   `back.db_h`, `back.dxs` and `back.dh_0`
#
# Your part is what surrounds them. A row of `chars` holds one character more than there are
# steps, because at each step the target is the *next* character.

# %% [markdown] nbgrader={"grade_id": "loss_and_gradients_task", "locked": true}
# ### Your turn: `loss_and_gradients` (4 points)
#
# | argument | shape |
# |---|---|
# | `params` | a dict with `W_xh` (characters, units), `W_hh`, `b_h`, `W_hy`, `b_y` |
# | `chars` | (batch, steps + 1), integers: the characters of the text |
# | `h` | (batch, units): the state before the first step |
#
# Return three things: the mean cross-entropy over all steps, a dict of its gradients with
# the same names as `params`, and the state after the last step, (batch, units). One-hot
# vectors with the parameters' dtype are rows of
# `np.eye(len(params["W_xh"]), dtype=params["W_xh"].dtype)`. You may use `cells` and
# `log_softmax`.

# %% nbgrader={"grade_id": "loss_and_gradients", "solution": true}
def loss_and_gradients(params, chars, h):
    """Return (loss, gradients, last state) for predicting each next character."""
    ### BEGIN SOLUTION
    one_hot = np.eye(len(params["W_xh"]), dtype=params["W_xh"].dtype)
    xs, targets = one_hot[chars[:, :-1]], one_hot[chars[:, 1:]]
    hs, cache = cells.forward(xs, h, params["W_xh"], params["W_hh"], params["b_h"])
    log_p = log_softmax(hs @ params["W_hy"] + params["b_y"])
    count = chars[:, 1:].size
    dlogits = (np.exp(log_p) - targets) / count
    back = cells.backward(dlogits @ params["W_hy"].T, cache)
    grads = {
        "W_xh": back.dW_xh,
        "W_hh": back.dW_hh,
        "b_h": back.db_h,
        "W_hy": np.tensordot(hs, dlogits, axes=([0, 1], [0, 1])),
        "b_y": dlogits.sum(axis=(0, 1)),
    }
    return -(log_p * targets).sum() / count, grads, hs[:, -1]
    ### END SOLUTION


# %% nbgrader={"grade_id": "loss_and_gradients_test", "grade": true, "locked": true, "points": 4}
check(loss_and_gradients)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(loss_and_gradients)
### END HIDDEN TESTS

# %% [markdown]
# ### Three checks before you train
#
# **Check 1: the gradient.** You have a gradient, and you never trust one. Compare yours with
# `numerical_gradient` on a small network in float64.

# %% tags=["demonstration"]
small = new_network(units=5, characters=6, dtype=np.float64)
some_chars = np.random.default_rng(1).integers(0, 6, size=(3, 9))
some_state = np.random.default_rng(2).normal(size=(3, 5))
_, grads, _ = loss_and_gradients(small, some_chars, some_state)


def loss_of(changed):
    return loss_and_gradients({**small, **changed}, some_chars, some_state)[0]


for name, array in small.items():
    measured = numerical_gradient(lambda other: loss_of({name: other}), array)
    error = relative_error(grads[name], measured)
    print(f"{name:5} relative error {error:.0e}")

# %% [markdown]
# **Check 2: the loss before training.** **Predict** it before you run the cell. (There are
# 29 characters.)

# %% tags=["demonstration"]
def perplexity_of(params, codes, rows=20):
    """Return the perplexity on a text, cut into `rows` pieces side by side."""
    pieces = codes[: len(codes) // rows * rows].reshape(rows, -1)
    start = np.zeros((rows, len(params["b_h"])), dtype=params["b_h"].dtype)
    return float(np.exp(loss_and_gradients(params, pieces, start)[0]))


untrained = new_network(units=128)
perplexity = perplexity_of(untrained, held_out)
print(f"before training: loss {np.log(perplexity):.2f}, perplexity {perplexity:.1f}")

# %% [markdown]
# It is close to $\log 29 = 3.37$. If your loss starts far from this, look for the bug before you
# train: initial weights that are too large, or a sum where a mean belongs. (Misaligned targets
# do not show here. Before training, any target is as surprising as any other.)
#
# **Check 3: overfit one batch.** A network that cannot even memorise a single small batch has
# a bug. This test takes a second and needs your training step.

# %% [markdown] nbgrader={"grade_id": "train_step_task", "locked": true}
# ### Your turn: `train_step` (2 points)
#
# Put your functions together. Compute the loss and the gradients, clip them by their global
# norm, and take one step of Adam.
#
# | argument | |
# |---|---|
# | `params`, `chars`, `h` | as for `loss_and_gradients` |
# | `state` | the state of Adam |
# | `lr`, `max_norm` | the learning rate and the limit of the norm |
#
# Return four things: the loss (before the update), the new parameters, the new state of Adam,
# and the state after the last step, from which the next batch will start.

# %% nbgrader={"grade_id": "train_step", "solution": true}
def train_step(params, chars, h, state, lr, max_norm=1.0):
    """Return (loss, params, state, h) after one update on a batch."""
    ### BEGIN SOLUTION
    loss, grads, h = loss_and_gradients(params, chars, h)
    clipped, _ = clip_by_global_norm(grads, max_norm)
    params, state = adam_step(params, clipped, state, lr)
    return loss, params, state, h
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_step_test", "grade": true, "locked": true, "points": 2}
check(train_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(train_step)
### END HIDDEN TESTS

# %% tags=["demonstration"]
params = new_network(units=128)
state, batch = adam_start(params), train[:128].reshape(4, 32)
for update in range(201):
    start = np.zeros((4, 128), dtype=np.float32)
    loss, params, state, _ = train_step(params, batch, start, state, lr=0.006)
    if update in (0, 10, 50, 100, 200):
        print(f"after {update:3} updates: loss on this batch {loss:.3f}")

# %% [markdown]
# The loss goes to zero. The network has memorised 128 characters, which is useless in itself,
# but it shows that gradients, clipping and updates work together.

# %% [markdown]
# ### Choosing a learning rate
#
# The learning rate is the setting that matters most. The next cell trains three networks for
# 300 updates each, with rates that differ by factors of ten.
#
# **Predict.** What does a learning curve look like when the rate is too small? And when it is
# too large?

# %% tags=["demonstration"]
def training(updates, learning_rate, seed=0, batch=32, steps=32):
    """Train a network of 128 units; yield (update, params, loss) before each update.

    A function with `yield` hands out its values one after the other, to a for loop.
    """
    params = new_network(units=128, seed=seed)
    state, at, h = adam_start(params), 0, np.zeros((batch, 128), dtype=np.float32)
    rows = train[: len(train) // batch * batch].reshape(batch, -1)
    for update in range(updates):
        if at + steps + 1 > rows.shape[1]:  # end of an epoch: start again, with state 0
            at, h = 0, np.zeros_like(h)
        chars, before = rows[:, at : at + steps + 1], params
        lr = learning_rate(update)
        loss, params, state, h = train_step(params, chars, h, state, lr)
        yield update, before, loss
        at += steps
    yield updates, params, loss


losses = {
    f"rate {lr:g}": np.array([loss for *_, loss in training(300, lambda update: lr)])
    for lr in (0.06, 0.006, 0.0006)
}
ax = plots.curves(
    np.arange(301), losses, title="Three learning rates", xlabel="update",
    ylabel="training loss, nats", ylim=(1.4, 5.2),
)
ends = ", ".join(f"{name} {values[-20:].mean():.2f}" for name, values in losses.items())
plots.show(ax, f"Training loss of three networks. After 300 updates: {ends}.")

# %% [markdown]
# With 0.0006 the loss falls steadily but slowly. With 0.06 it first *rises*, and then remains
# far too high: each step overshoots. With 0.006 it falls fastest. (With five seeds, the
# perplexity on the held-out text after 300 updates was 5.8 to 6.0 with 0.006, 9.7 to 9.9 with
# 0.0006, and 14 to 18 with 0.06.) If you know nothing about a problem, try rates a factor of 3
# apart, find where training becomes unstable, and stay a little below.

# %% [markdown]
# ### The training run
#
# Now train for longer, 1800 updates or about seven epochs. The rate starts at 0.006 and falls
# linearly to zero, which is a simple **learning-rate schedule**: large steps first, fine
# adjustments at the end. The baselines are **n-gram** tables, which count how often each
# character follows the last $n - 1$. (Where they have seen too little, ours ask the table for
# $n - 1$.)
#
# To write, we draw the next character from the network's probabilities, feed it back in, and
# so on.

# %% tags=["demonstration"]
def write(params, length, seed, start="t"):
    """Return a text that the network writes, one random character after the other."""
    rng, h = np.random.default_rng(seed), np.zeros((1, len(params["b_h"])))
    one_hot, text = np.eye(len(alphabet)), start
    for _ in range(length):
        x = one_hot[[alphabet.index(text[-1])]]
        h = np.tanh(x @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
        p = np.exp(log_softmax(h @ params["W_hy"] + params["b_y"]))[0]
        text += alphabet[rng.choice(len(alphabet), p=p / p.sum())]
    return text


tables = {
    f"{n}-gram table": ngram_perplexity(train, held_out, len(alphabet), n)
    for n in (2, 3, 4, 5)
}
print("before training it writes:", write(untrained, 60, seed=1))

# %% [markdown]
# **Predict.** What will the network learn first: the frequencies of the characters, the
# lengths of words, or whole words? And which of the tables will it beat? Watch the figure
# while it trains, for about ten seconds on a quiet machine.

# %% tags=["demonstration"]
def learning_curve(curve):
    """Draw the perplexity on the held-out text so far, next to the n-gram tables."""
    updates, perplexities = np.array(curve).T
    ax = plots.curves(
        updates, {"network": perplexities}, title="Perplexity on the held-out text",
        xlabel="update", ylabel="perplexity", ylim=(3, 35),
    )
    plots.levels(ax, tables, right=1800)
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.set_yticks([3, 5, 10, 20, 30], labels=["3", "5", "10", "20", "30"])
    words = f"from {perplexities[0]:.1f} to {perplexities[-1]:.2f}"
    return plots.picture(ax, f"Perplexity falls in {updates[-1]:.0f} updates {words}.")


screen, curve, samples = Screen(), [], {}
for update, params, _ in training(1800, lambda update: 0.006 * (1 - update / 1800)):
    if update in (1, 10, 30, 100, 300, 1800):
        samples[update] = write(params, 60, seed=1)
    if update % 100 == 0:
        curve.append((update, perplexity_of(params, held_out)))
        screen.show(learning_curve(curve))

# %% tags=["demonstration"]
for update, sample in samples.items():
    print(f"after {update:>4} updates: {sample}")
print(f"\nperplexity: network {curve[-1][1]:.2f}", end="")
for name, value in tables.items():
    print(f", {name} {value:.2f}", end="")
print(f"\non the training text: network {perplexity_of(params, train[:27_000]):.2f}")
print("\n" + write(params, 400, seed=2))

# %% [markdown]
# First it learns how frequent each character is, including the space, then pairs of characters
# and the lengths of words, and then words. It has never been told what a word is.
#
# The network leaves the 2-gram and 3-gram tables far behind, and is about as good as the 4-gram
# table. (Five networks with other seeds ended between 4.32 and 4.35.) The 5-gram table beats
# it. These texts repeat their phrases, and the table remembers 33,000 different 5-grams, while
# the network has 24,000 parameters. An honest comparison says so: a small
# network, trained for ten seconds, is not magic. What it has that no table has is a memory of
# no fixed length. Lesson 06 asks how long this memory really is.

# %% [markdown]
# On the text that it was trained on, the network's perplexity is 3.3, clearly better than 4.3.
# The difference is called the **generalisation gap**, and a network with a large gap
# **overfits**. Always report the number for text that the network has not seen.
#
# We should be stricter still. If you choose the learning rate by the perplexity on the held-out
# text, this text is no longer unseen. Therefore one usually holds out two parts, a **validation
# set** for such choices and a **test set** for the final number. Lesson 09 does so.

# %% [markdown]
# ### What does a unit do?
#
# Among the 128 units we look for one whose value depends on a simple property of the text:
# is the current character the *first letter of a word*? The next cell picks the unit with the
# highest correlation on the training text, and shows it on held-out text.

# %% tags=["demonstration"]
def states_on(codes):
    xs = np.eye(len(alphabet), dtype=np.float32)[codes][None]
    hidden = (params["W_xh"], params["W_hh"], params["b_h"])
    return cells.forward(xs, np.zeros((1, 128), dtype=np.float32), *hidden)[0][0]


def is_first_letter(codes):
    separators = np.isin(codes, [alphabet.index(char) for char in " ,."])
    return ~separators & np.append(True, separators[:-1])


def correlations(codes):
    return np.corrcoef(states_on(codes).T, is_first_letter(codes))[-1, :-1]


on_train = correlations(train[:20_000])
unit = int(np.argmax(np.abs(on_train)))
sign = np.sign(on_train[unit])
on_held_out = abs(correlations(held_out)[unit])
print(f"unit {unit}: correlation {on_held_out:.2f} on held-out text")
shown = held_out[1000:1220]
words = "".join(alphabet[code] for code in shown)
storyteller.ColouredText(words, sign * states_on(shown)[:, unit])

# %% [markdown]
# We did not ask for such a unit, but to predict the next character it helps to know that a word
# has just begun. Be careful with such findings, though. Among 128 units of an *untrained*
# network, the best one already reaches a correlation of about 0.5, because the current character
# alone says a lot. Training raises it to about 0.7. (With five seeds, 0.48 to 0.53 before
# training and 0.68 to 0.74 after it.)

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015).
# - R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
#   networks" (2013): the cliff, and clipping.
# - A. Karpathy, "A recipe for training neural networks" (2019): the loss at the start, one
#   batch, and many more checks.
# - Stanford University, CS231n course notes, "Neural networks 3": gradient checks and
#   learning rates.
# - A. Zhang, Z. Lipton, M. Li and A. Smola, *Dive into Deep Learning*, chapter 12: from SGD to
#   Adam, with paths.

# %% [markdown]
# ## In three lines
#
# - Measure every gradient with **central differences** and the relative error, check the loss before training ($\log C$), and overfit one batch.
# - **Clip** the norm of the whole gradient, which keeps its direction. **Adam** gives each parameter a step size of its own, from two leaky memories.
# - Compare with the simplest baselines you know, on **held-out** data, and report who won.
#
# *Next: 06 · The gradient bound.*
