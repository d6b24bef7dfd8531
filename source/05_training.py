# %% [markdown]
# # 05 · Training: from a gradient to something that has learnt
#
# **After this lesson you can** check any gradient, find bugs with the check, keep steps from exploding, take them with Adam, and
# train a network that writes (something like) English, with nothing but NumPy.
#
# **Time** about 90 minutes. **You need** lessons 03 and 04.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import bugs, data, plots
from rnn_helpers.cards import Screen
from rnn_helpers.ngrams import ngram_perplexity

# %%
from rnn_helpers import cells

# %% [markdown]
# ## Never trust a gradient
#
# A network with a slightly wrong gradient does not crash. It learns, a little worse than it should, and nobody knows why. So whoever
# derives a gradient also measures it: move one number a little up, then a little down, and see what the loss does.
#
# $$\frac{\partial f}{\partial x_i} \approx \frac{f(x + \varepsilon e_i) - f(x - \varepsilon e_i)}{2 \varepsilon}$$
#
# where $e_i$ moves entry $i$ only. **Predict.** For $f(x) = x^3$ at $x = 2$ the slope is 12. With $\varepsilon = 0.1$, how far off is the
# formula above? And the cheaper one that moves up only?

# %% tags=["demonstration"]
f, x, eps = (lambda x: x**3), 2.0, 0.1
print("both sides:", (f(x + eps) - f(x - eps)) / (2 * eps))
print("one side:  ", (f(x + eps) - f(x)) / eps)

# %% [markdown]
# Both sides: off by $\varepsilon^2 = 0.01$. One side: off by 0.61, since half a curvature times $\varepsilon$ remains. Moving to both sides
# costs one more call and buys far more digits.

# %% tags=["demonstration"]
exact = 12.0
widths = 10.0 ** np.arange(-12, 0)
off = {
    "both sides": np.array([abs((f(x + e) - f(x - e)) / (2 * e) - exact) + 1e-16 for e in widths]),
    "one side": np.array([abs((f(x + e) - f(x)) / e - exact) + 1e-16 for e in widths]),
}
ax = plots.curves(
    np.log10(widths),
    {n: np.log10(o) for n, o in off.items()},
    title="Too large an eps bends, too small an eps rounds",
    xlabel="log10 of eps",
    ylabel="log10 of the error",
)
plots.show(
    ax,
    (
        "Two V-shaped curves. Both sides: lowest near eps 1e-5, error about 1e-10. One side: lowest "
        "near 1e-8, error about 1e-7."
    ),
)

# %% [markdown] nbgrader={"grade_id": "numerical_gradient_task", "locked": true}
# ### Your turn: `numerical_gradient` (4 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `f` | a function from an array to one number | the gradient | as `x` |
# | `x` | an array of any shape; leave it as you found it | | |
# | `eps` | how far to move | | |


# %% nbgrader={"grade_id": "numerical_gradient", "solution": true}
def numerical_gradient(f, x, eps=1e-6):
    """Return the gradient of f at x by central differences, the shape of x."""
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += eps
        down[place] -= eps
        gradient[place] = (f(up) - f(down)) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade_id": "numerical_gradient_test", "grade": true, "locked": true, "points": 4}
check(numerical_gradient)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(numerical_gradient)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "relative_error_task", "locked": true}
# ### Your turn: `relative_error` (3 points)
#
# Is a difference of 0.001 much? Between 1000 and 1000.001 it is nothing, between 0.001 and 0.002 it is everything. With $|a|$ the length of
# all numbers of an array together (`np.linalg.norm(a)`):
#
# $$\text{relative error} = \frac{|a - b|}{|a| + |b|}$$
#
# It is 0 for equal arrays and 1 for opposite ones. Two arrays of zeros are equal: return 0 then, not `nan`.


# %% nbgrader={"grade_id": "relative_error", "solution": true}
def relative_error(a, b):
    """Return |a - b| / (|a| + |b|), and 0 when both are zero; one number."""
    ### BEGIN SOLUTION
    size = np.linalg.norm(a) + np.linalg.norm(b)
    return np.linalg.norm(a - b) / size if size > 0 else 0.0
    ### END SOLUTION


# %% nbgrader={"grade_id": "relative_error_test", "grade": true, "locked": true, "points": 3}
check(relative_error)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(relative_error)
### END HIDDEN TESTS

# %% [markdown]
# ## The bug hunt
#
# Eight colleagues, Ada to Helga, wrote a backward pass each: `bugs.ada(dhs, cache)` and so on, with `cache = (xs, h_0, hs, W_xh, W_hh)`.
# Each returns `(dW_xh, dW_hh, db_h)`. Their code runs, the shapes are right, and six of the eight are wrong. Which?
#
# Do not read their code. Measure. Here is one measurement for Ada, on one weight:

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
xs, h_0 = (
    rng.normal(size=(2, 4, 2)),
    rng.normal(size=(2, 3)),
)  # 2 sequences, 4 steps, 2 features; 3 units
W_xh, W_hh, b_h = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
hs = bugs.forward(xs, h_0, W_xh, W_hh, b_h)
dhs = rng.normal(size=hs.shape)  # the loss is sum(dhs * hs), so this is its gradient

measured = numerical_gradient(lambda W: np.sum(dhs * bugs.forward(xs, h_0, W, W_hh, b_h)), W_xh)
claimed = bugs.ada(dhs, (xs, h_0, hs, W_xh, W_hh))[0]
print("Ada's dW_xh: relative error", relative_error(claimed, measured))

# %% [markdown] nbgrader={"grade_id": "find_broken_task", "locked": true}
# ### Your turn: `find_broken` (4 points)
#
# `backwards` is a list of such functions. Return an array of True and False, one for each: True for the **broken** ones. Check all three
# weights, on a network that you draw yourself (several steps, several sequences). What error separates right from wrong? A right one
# agrees to about $10^{-9}$.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "find_broken", "solution": true}
def find_broken(backwards):
    """Return an array of True (broken) and False (right), one for each backward pass in the list."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(1)
    xs, h_0 = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 4))
    weights = [rng.normal(size=(2, 4)), rng.normal(size=(4, 4)), rng.normal(size=4)]
    hs = bugs.forward(xs, h_0, *weights)
    dhs = rng.normal(size=hs.shape)

    def measured(which):
        def loss(moved):
            return np.sum(
                dhs
                * bugs.forward(
                    xs, h_0, *[moved if i == which else w for i, w in enumerate(weights)]
                )
            )

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

# %% tags=["demonstration"]
for name, guilty in zip(bugs.CANDIDATES, find_broken(list(bugs.CANDIDATES.values()))):
    print(f"{name:<7} {'broken' if guilty else 'right'}")

# %% [markdown]
# ## Steps that explode
#
# Gradients of recurrent networks are usually tame and can suddenly be a thousand times too long: lesson 06 says why. One such step can throw
# away what an hour of training has built. The cure is crude and works: write all numbers of all gradients into one long list and
# read it as one arrow. Its length, the **norm**, is the root of the sum of *all* squares. If it is longer than `max_norm`, shorten **the
# whole arrow**.
#
# **Predict.** Why not shorten each weight's gradient on its own? Draw an arrow (3, 4) on paper, and cut each of its two parts to 1.

# %% tags=["demonstration"]
arrow = np.array([3.0, 4.0])
for name, cut in {
    "as it is": arrow,
    "whole arrow to 1": arrow / 5,
    "each part to 1": np.minimum(arrow, 1.0),
}.items():
    print(f"{name:<17} {cut}  slope {cut[1] / cut[0]:.2f}")

# %% [markdown]
# Cut on their own, the parts point somewhere else. The whole arrow keeps its direction and loses only length. (Keras has both:
# `global_clipnorm` is this one; `clipnorm` cuts each weight on its own.)

# %% [markdown] nbgrader={"grade_id": "clip_by_global_norm_task", "locked": true}
# ### Your turn: `clip_by_global_norm` (4 points)
#
# | argument | | | result |
# |---|---|---|---|
# | `grads` | a dict, name → gradient; leave it as you found it | | the pair `(clipped, norm)` |
# | `max_norm` | the longest that is allowed | | `clipped` a new dict, `norm` the length *before* clipping |
#
# Arrows that are short enough stay as they are.
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


# %% tags=["from-scratch"] nbgrader={"grade_id": "clip_by_global_norm_test", "grade": true, "locked": true, "points": 4}
check(clip_by_global_norm)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(clip_by_global_norm)
### END HIDDEN TESTS

# %% [markdown]
# ## Adam
#
# The plainest step is $\theta - \eta \, g$: against the gradient $g$, with a rate $\eta$. But some weights get gradients of 0.0001 and others
# of 10, and one rate suits neither. **Adam** keeps two leaky memories (lesson 00!) for each weight: $m$ of its gradient, $v$ of its
# square. Then $m / \sqrt{v}$ is about 1 for a weight whose gradient always points the same way, however small, and near 0 for one that
# trembles.
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2$$
# $$\hat m = \frac{m}{1 - \beta_1^t}, \qquad \hat v = \frac{v}{1 - \beta_2^t}, \qquad \theta \leftarrow \theta - \eta \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$

# %% [markdown]
# Why the hats? Both memories begin empty. After one step, with the usual $\beta_1 = 0.9$, $m$ is only $(1 - \beta_1) g = 0.1 g$: ten times too small. Dividing by
# $1 - \beta_1^t$, which is 0.1 at $t = 1$ and nearly 1 later, repairs exactly that.
#
# ### Half the work: watch the repair
#
# A constant gradient of 2. The line with the hat is missing. (No points.)


# %% nbgrader={"grade_id": "bias_correction", "solution": true}
def corrected_memory(g, beta, steps):
    m, seen = 0.0, []
    for t in range(1, steps + 1):
        m = beta * m + (1 - beta) * g
        # m_hat = ...
        ### BEGIN SOLUTION
        m_hat = m / (1 - beta**t)
        ### END SOLUTION
        seen.append((m, m_hat))
    return np.array(seen)


# %% tags=["demonstration"]
print("expected in the second column: 2, always")
print(corrected_memory(2.0, 0.9, 4).round(3))

# %% [markdown] nbgrader={"grade_id": "adam_step_task", "locked": true}
# ### Your turn: `adam_step` (5 points)
#
# | argument | |
# |---|---|
# | `params`, `grads` | dicts with the same names: weights and their gradients |
# | `state` | a dict: `"t"`, the number of steps taken so far; `"m"` and `"v"`, dicts with the same names |
# | `lr`, `beta_1`, `beta_2`, `eps` | $\eta, \beta_1, \beta_2, \epsilon$ |
#
# Return the pair `(new_params, new_state)`, new dicts; leave the old ones alone. In `new_state`, `"t"` is one more, and it is the $t$ of
# the formulas.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "adam_step", "solution": true}
def adam_step(params, grads, state, lr=0.001, beta_1=0.9, beta_2=0.999, eps=1e-8):
    """Return (params, state) after one step of Adam (Kingma and Ba, 2015), as new dicts."""
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


# %% tags=["from-scratch"] nbgrader={"grade_id": "adam_step_test", "grade": true, "locked": true, "points": 5}
check(adam_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(adam_step)
### END HIDDEN TESTS

# %% [markdown]
# ## A network that writes
#
# Everything is there. We take 300 000 letters of Python's help texts, keep the last tenth aside to be judged on, and train a network of
# 128 units to guess the next letter. Thirty-two places of the text are read side by side, 32 letters at a time, and the state is handed
# on from one piece to the next. For speed the forward and backward pass are the course's `cells`: the same mathematics as yours in
# lesson 04, tuned.

# %% tags=["demonstration"]
text = data.python_manual(300_000)
alphabet = "".join(sorted(set(text)))
codes = np.array([alphabet.index(char) for char in text])
train, held_out = codes[:270_000], codes[270_000:]
one_hot = np.eye(len(alphabet), dtype=np.float32)

units, batch, steps, rounds = 128, 32, 32, 1800
rng = np.random.default_rng(0)
rotation = np.linalg.qr(rng.normal(size=(units, units)))[
    0
]  # lesson 07 says why a rotation is a good start
params = {
    "W_xh": 0.3 * rng.normal(size=(len(alphabet), units)),
    "W_hh": rotation,
    "b_h": np.zeros(units),
    "W_hy": 0.05 * rng.normal(size=(units, len(alphabet))),
    "b_y": np.zeros(len(alphabet)),
}
params = {name: p.astype(np.float32) for name, p in params.items()}

# %% [markdown]
# One round: forward; loss and its gradient for the logits (lesson 03); back through the readout and through time (lesson 04); clip; step.


# %% tags=["demonstration"]
def log_softmax(z):
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def loss_and_gradients(params, letters, h):
    """Return (mean loss, gradients, last state) for letters (batch, steps + 1): each step guesses the letter after it."""
    hs, cache = cells.forward(
        one_hot[letters[:, :-1]], h, params["W_xh"], params["W_hh"], params["b_h"]
    )
    log_p = log_softmax(hs @ params["W_hy"] + params["b_y"])
    target = one_hot[letters[:, 1:]]
    dlogits = (np.exp(log_p) - target) / target[..., 0].size
    back = cells.backward(dlogits @ params["W_hy"].T, cache)
    grads = {
        "W_xh": back.dW_xh,
        "W_hh": back.dW_hh,
        "b_h": back.db_h,
        "W_hy": np.tensordot(hs, dlogits, axes=([0, 1], [0, 1])),
        "b_y": dlogits.sum(axis=(0, 1)),
    }
    return -(log_p * target).sum() / target[..., 0].size, grads, hs[:, -1]


def perplexity_of(params, codes, rows=20):
    """Return the perplexity on a text, read in `rows` pieces side by side."""
    pieces = codes[: len(codes) // rows * rows].reshape(rows, -1)
    return np.exp(loss_and_gradients(params, pieces, np.zeros((rows, units), np.float32))[0])


# %% [markdown]
# And a sample: begin with a letter, draw the next one from the network's own chances, feed it back in, and so on.


# %% tags=["demonstration"]
def write(params, length, rng, start="t"):
    h, text = np.zeros((1, units), np.float32), start
    for _ in range(length):
        x = one_hot[[alphabet.index(text[-1])]]
        h = np.tanh(x @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
        chances = np.exp(log_softmax(h @ params["W_hy"] + params["b_y"]))[0].astype(float)
        text += alphabet[rng.choice(len(alphabet), p=chances / chances.sum())]
    return text


print(write(params, 100, np.random.default_rng(0)))

# %% [markdown]
# That is what it writes before it has learnt anything.
#
# **Predict.** What will it learn first: the most frequent letters, the spaces between words, or whole words? Watch the sample below the
# curve while it trains (some ten to thirty seconds).


# %% tags=["demonstration"]
def sketch(curve, params):
    """Draw the curve so far and write a sample under it."""
    points = np.array(curve)
    ax = plots.curves(
        points[:, 0],
        {"network": points[:, 1]},
        title="Perplexity on text that was kept aside",
        xlabel="rounds",
        ylabel="equal choices",
        ylim=(0, 30),
    )
    ax.set_xlabel(f"rounds.   It writes: {write(params, 60, np.random.default_rng(1))}")
    return plots.picture(
        ax,
        f"Perplexity falls from {points[0, 1]:.1f} to {points[-1, 1]:.1f} after {points[-1, 0]:.0f} rounds.",
    )


state = {
    "t": 0,
    "m": {n: np.zeros_like(p) for n, p in params.items()},
    "v": {n: np.zeros_like(p) for n, p in params.items()},
}
places = np.arange(batch) * (len(train) // batch)
screen, curve, samples, norms, h, at = Screen(), [], {}, [], np.zeros((batch, units), np.float32), 0
for turn in range(rounds):
    if (
        at + steps + 1 > len(train) // batch
    ):  # the text is through: begin again, with an empty memory
        at, h = 0, np.zeros((batch, units), np.float32)
    letters = train[places[:, None] + at + np.arange(steps + 1)]
    loss, grads, h = loss_and_gradients(params, letters, h)
    grads, norm = clip_by_global_norm(grads, 1.0)
    params, state = adam_step(params, grads, state, lr=0.006 * (1 - turn / rounds))
    at, norms = at + steps, [*norms, float(norm)]
    if turn + 1 in (1, 10, 30, 100, 300, rounds):
        samples[turn + 1] = write(params, 60, np.random.default_rng(1))
    if turn % 200 == 0 or turn == rounds - 1:
        curve.append((turn, float(perplexity_of(params, held_out))))
        screen.show(sketch(curve, params))

# %% tags=["demonstration"]
for turn, sample in samples.items():
    print(f"after {turn:>4} rounds: {sample}")

# %% [markdown]
# First it learns how often each letter comes, with spaces among them; then pairs and the lengths of words; then words. The handing-on of the
# state lets it use what it read before the piece; the gradient stops at the piece's edge (lesson 07 says what that costs).

# %% tags=["demonstration"]
print(write(params, 400, np.random.default_rng(2)))
print(
    "gradients that were too long and got clipped:",
    sum(norm > 1.0 for norm in norms),
    "of",
    rounds,
    " the longest:",
    round(max(norms), 1),
)

# %% [markdown]
# Words, spaces after commas, endings that fit. It has never seen a word as such: only one letter at a time, and its own memory. (And
# clipping had hardly anything to do: with a good start the arrows stay short. It is a seat belt. Lesson 07 has a crash.)
#
# ### Honest rivals
#
# How good is that? A table that counts which letter follows the last $n - 1$ letters needs no training at all. (Where it has seen too
# little, ours asks the next shorter table.)
#
# **Predict.** Which tables does the network beat: pairs, triples, groups of four, of five?

# %% tags=["demonstration"]
network = curve[-1][1]
for order in range(1, 7):
    table = ngram_perplexity(train, held_out, len(alphabet), order)
    near = abs(table / network - 1) < 0.02
    winner = "about equal" if near else "the network wins" if network < table else "the table wins"
    print(f"table, groups of {order}: {table:6.2f}   {winner}")
print(f"network of {sum(p.size for p in params.values()):,} numbers: {network:.2f}")

# %% [markdown]
# The network leaves pairs and triples far behind, and is about as good as groups of four. A table of five letters still beats it, and so does one of six: this text repeats its
# phrases, and a table just remembers them: more than ten thousand different groups of four letters, more than fifty thousand of six. We trained for seconds and count it honestly: a small
# network is not magic. What it has and a table has not is a memory without a fixed length. Lesson 06 asks how long it really is.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - A gradient that was not measured is a rumour: central differences, relative error, all weights, several steps.
# - Clip the whole arrow, never its parts; Adam gives each weight a rate of its own from two leaky memories.
# - Compare with the simplest rival you know, on text that was kept aside, and say who won.
#
# *Next: 06 · The gradient bound.*
