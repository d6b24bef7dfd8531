# %% [markdown]
# # 07 · Remedies: what helps a memory, and what it costs
#
# **After this lesson you can** test whether a network has learned anything at all,
# initialise it so that errors reach far back, name the remedies for vanishing and exploding
# gradients with their authors, truncate backpropagation and say exactly what is lost.
#
# **Time** about 165 minutes. **You need** lessons 04, 05 and 06.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import plots
from rnn_helpers.cards import Screen


def clip_by_global_norm(grads, max_norm):
    """Lesson 05's clipping: return (clipped gradients, their norm before)."""
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    scale = min(1.0, max_norm / max(norm, 1e-30))
    return {name: scale * g for name, g in grads.items()}, norm


def adam_step(params, grads, state, lr):
    """Lesson 05's optimiser: return (params, state) after one step of Adam."""
    t, m, v, new = state["t"] + 1, {}, {}, {}
    for name, g in grads.items():
        m[name] = 0.9 * state["m"][name] + 0.1 * g
        v[name] = 0.999 * state["v"][name] + 0.001 * g**2
        m_hat, v_hat = m[name] / (1 - 0.9**t), v[name] / (1 - 0.999**t)
        new[name] = params[name] - lr * m_hat / (np.sqrt(v_hat) + 1e-8)
    return new, {"t": t, "m": m, "v": v}


# %%
from rnn_helpers import cells

# %% [markdown]
# ## A task for a memory
#
# Before we repair anything, we need a task that *only* a memory can solve, and whose
# difficulty we can adjust. In the **adding problem** (Hochreiter and Schmidhuber 1997) each
# step brings two numbers, a random value between 0 and 1 and a mark, which is 0 or 1. Exactly
# two steps are marked, one in each half. At the end, the network must output the sum of the
# two marked values.
#
# | step | 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|
# | value | 0.3 | **0.8** | 0.5 | 0.1 | 0.9 | **0.4** |
# | mark | 0 | **1** | 0 | 0 | 0 | **1** |
#
# Here the answer is 1.2. With 50 steps, the first value may have to survive for 49.

# %% [markdown] nbgrader={"grade_id": "adding_problem_task", "locked": true}
# ### Your turn: `adding_problem` (5 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `n` | number of sequences | `xs`: values in `xs[..., 0]`, marks in `xs[..., 1]` | (n, steps, 2) |
# | `steps` | their length, at least 2 | `targets`: the sums | (n,) |
# | `rng` | a NumPy generator; draw everything from it | | |
#
# Put one mark anywhere in the first `steps // 2` steps and one anywhere in the rest. All
# places are equally probable, and they are drawn separately for each sequence. The values are
# uniform between 0 and 1. Return the pair `xs, targets`.

# %% nbgrader={"grade_id": "adding_problem", "solution": true}
def adding_problem(n, steps, rng):
    """Return (xs, targets) of the adding problem, shapes (n, steps, 2) and (n,)."""
    ### BEGIN SOLUTION
    xs = np.zeros((n, steps, 2))
    xs[..., 0] = rng.random((n, steps))
    rows = np.arange(n)
    xs[rows, rng.integers(0, steps // 2, size=n), 1] = 1
    xs[rows, rng.integers(steps // 2, steps, size=n), 1] = 1
    return xs, (xs[..., 0] * xs[..., 1]).sum(axis=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "adding_problem_test", "grade": true, "locked": true, "points": 5}
check(adding_problem)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(adding_problem)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** A model that ignores its input can only output a constant. Which constant is
# best, and what is its mean squared error? (The variance of one uniform number is 1/12.)

# %% tags=["demonstration"]
_, sums = adding_problem(100_000, 50, np.random.default_rng(0))
print(f"best constant {sums.mean():.3f}, its mean squared error {sums.var():.4f}")

# %% [markdown]
# Always answering 1 has an error of 0.167. This is the **baseline**. A network stuck at 0.167
# has learned that the answer is about 1 and nothing more, however nice its curve looks.

# %% [markdown]
# ### A second task: copying
#
# In the **copy task** a few symbols arrive, followed by a long silence. From a "go" signal on, the
# network must repeat the symbols. At all earlier steps the target is *blank*. With two
# symbols out of a, b, c and a silence of three steps:
#
# | step | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# |---|---|---|---|---|---|---|---|
# | input | c | a | | | | go | |
# | target | blank | blank | blank | blank | blank | c | a |
#
# **Warm-up: `copy_baseline`.** A model that knows *when* to output a symbol but not which one
# is certain of the blanks and guesses evenly among the `symbols` kinds at the last `length`
# steps. There are `delay + 2 * length` steps. Return its mean cross-entropy per step, in
# nats. (No points.)

# %% nbgrader={"grade_id": "copy_baseline", "solution": true}
def copy_baseline(delay, length=10, symbols=8):
    """Return the mean loss per step of a guesser without memory for symbols."""
    ### BEGIN SOLUTION
    return length * np.log(symbols) / (delay + 2 * length)
    ### END SOLUTION


# %% tags=["demonstration"]
print("expected: 1.0397 0.1733")
print(f"yours:    {copy_baseline(0):.4f} {copy_baseline(100):.4f}")
print(f"delay 1000: a loss of {copy_baseline(1000):.4f} is complete ignorance")

# %% [markdown]
# A loss of 0.02 looks splendid, and yet it can mean complete ignorance: averaging over many
# easy steps hides the hard ones. Know your baseline before you train.

# %% [markdown]
# ## First remedy: an orthogonal start
#
# By lesson 06, a gradient survives when the Jacobians neither shrink nor stretch it. A matrix
# that preserves all lengths is called **orthogonal**. It is a rotation, possibly combined with
# a reflection. All its singular values are 1, and near $h = 0$, where tanh has slope 1, the
# product of the Jacobians therefore preserves lengths too. Saxe, McClelland and Ganguli (2014)
# recommended such a start for deep networks, and Keras uses it for recurrent layers.
#
# ### Warm-up: is it orthogonal?
#
# The columns of an orthogonal matrix have length 1 and are perpendicular to each other, in
# short $Q^\top Q = I$. Complete the line. (No points.)

# %% nbgrader={"grade_id": "is_orthogonal", "solution": true}
def is_orthogonal(Q):
    # off = ...   how far Q.T @ Q is from the identity
    ### BEGIN SOLUTION
    off = Q.T @ Q - np.eye(len(Q))
    ### END SOLUTION
    return bool(np.abs(off).max() < 1e-9)


# %% tags=["demonstration"]
turn, shear = np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])
print("expected: True False")
print("yours:   ", is_orthogonal(turn), is_orthogonal(shear))

# %% [markdown] nbgrader={"grade_id": "orthogonal_task", "locked": true}
# ### Your turn: `orthogonal` (3 points)
#
# Return a *random* orthogonal matrix of shape (units, units), drawn from the generator `rng`.
# The same generator must give the same matrix. (NumPy's linear algebra module has several
# factorisations with an orthogonal factor. Its signs do not matter here.)

# %% nbgrader={"grade_id": "orthogonal", "solution": true}
def orthogonal(units, rng):
    """Return a random orthogonal matrix, shape (units, units)."""
    ### BEGIN SOLUTION
    Q, R = np.linalg.qr(rng.normal(size=(units, units)))
    return Q * np.sign(np.diag(R))  # the signs make every rotation equally likely
    ### END SOLUTION


# %% nbgrader={"grade_id": "orthogonal_test", "grade": true, "locked": true, "points": 3}
check(orthogonal)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(orthogonal)
### END HIDDEN TESTS

# %% [markdown]
# ## One switch, three networks
#
# We train three networks on the adding problem. The first two differ only in $W_{hh}$. The third
# also has another activation function and smaller input weights:
#
# - **small**: tanh, $W_{hh}$ random with spectral radius about 0.5. (PyTorch's default for
#   its `RNN` has about 0.58.)
# - **orthogonal**: tanh, $W_{hh}$ your random orthogonal matrix.
# - **identity**: ReLU in place of tanh, $W_{hh}$ the identity matrix. This is the **IRNN** of
#   Le, Jaitly and Hinton (2015).

# %% tags=["demonstration"]
def start(kind, units=64, seed=0):
    """Return (params, generator) of a network for the adding problem."""
    rng = np.random.default_rng(seed)
    W_hh = {
        "small": 0.5 * rng.normal(size=(units, units)) / np.sqrt(units),
        "orthogonal": orthogonal(units, rng),
        "identity": np.eye(units),
    }[kind]
    params = {
        "W_xh": (0.1 if kind == "identity" else 0.3) * rng.normal(size=(2, units)),
        "W_hh": W_hh,
        "b_h": np.zeros(units),
        "W_hy": 0.06 * rng.normal(size=(units, 1)),
        "b_y": np.zeros(1),
    }
    return {name: array.astype(np.float32) for name, array in params.items()}, rng


def squared_error(params, xs, targets, kind):
    """Return (mean squared error, gradients) at the last step."""
    hidden = (params["W_xh"], params["W_hh"], params["b_h"])
    activation = "relu" if kind == "identity" else "tanh"
    xs = xs.astype(np.float32)
    hs, cache = cells.forward(xs, None, *hidden, activation=activation)
    wanted = targets[:, None].astype(np.float32)
    off = hs[:, -1] @ params["W_hy"] + params["b_y"] - wanted
    dy, dhs = 2 * off / len(off), np.zeros_like(hs)
    dhs[:, -1] = dy @ params["W_hy"].T
    back = cells.backward(dhs, cache)
    grads = {"W_xh": back.dW_xh, "W_hh": back.dW_hh, "b_h": back.db_h}
    grads |= {"W_hy": hs[:, -1].T @ dy, "b_y": dy.sum(axis=0)}
    return float(np.mean(off**2)), grads


def train(kind, steps, updates, seed=0, lr=0.001, max_norm=1.0):
    """Train on the adding problem; return (errors, params at the start, at the end)."""
    first, rng = start(kind, seed=seed)
    params, errors = first, []
    empty = {name: np.zeros_like(array) for name, array in params.items()}
    state = {"t": 0, "m": empty, "v": empty}
    for _ in range(updates):
        error, grads = squared_error(params, *adding_problem(64, steps, rng), kind)
        grads, _ = clip_by_global_norm(grads, max_norm)
        params, state = adam_step(params, grads, state, lr)
        errors.append(error)
    return np.array(errors), first, params


# %% [markdown]
# **Predict.** With 50 steps and 1200 updates each, which of the three will get clearly below
# the baseline of 0.167, and in which order? Write it down. The next cell takes about fifteen
# seconds on a quiet machine.

# %% tags=["demonstration"]
COLOURS = {"small": 3, "orthogonal": 1, "identity": 0, "baseline": 2}


def curves_of(runs, title):
    window = np.ones(50) / 50
    lines = {kind: np.convolve(run[0], window, "valid") for kind, run in runs.items()}
    updates = np.arange(50, 50 + len(next(iter(lines.values()))))
    lines["baseline"] = np.full(len(updates), 1 / 6)
    ax = plots.curves(
        updates, lines, title=title, xlabel="update", ylabel="mean squared error",
        ylim=(0, 0.3), colours=[plots.COLOURS[COLOURS[name]] for name in lines],
    )
    ends = ", ".join(f"{name} {line[-1]:.3f}" for name, line in lines.items())
    return plots.picture(ax, f"{title}. Errors at the end: {ends}.")


screen, runs = Screen(), {}
for kind in ("small", "orthogonal", "identity"):
    runs[kind] = train(kind, steps=50, updates=1200)
    screen.show(curves_of(runs, "50 steps"))
print({kind: round(float(run[0][-200:].mean()), 3) for kind, run in runs.items()})

# %% [markdown]
# One switch decides. With the small start the network learns only that the answer is about 1.
# (Given more updates it would wake up. It is not doomed, only very slow to begin.) The
# orthogonal start lets it learn. The identity with ReLU is best: it starts as a plain
# accumulator that keeps whatever comes in, and the task is nearly that.
#
# One seed is not a law. With three seeds the identity ended at 0.006 to 0.007 and the small start
# at 0.162 to 0.165. The orthogonal start ended at 0.04 and 0.05 with two of them, and with the
# third it had not left the baseline yet.

# %% [markdown]
# ### Why? The errors on their way back
#
# The claim was that an orthogonal start lets errors reach far back. Let us look. The next
# figure shows the norm of $\textcolor{#D1368B}{dh_t}$, the gradient of the loss with respect to
# the state at step $t$, before and after training.
#
# **Predict.** Which curve falls fastest from right to left before training? What has training
# done to the network with the small start?

# %% tags=["demonstration"]
def error_norms(params, kind, steps=50):
    """Return the norms of dh_t over a batch of the adding problem, (steps,)."""
    xs, targets = adding_problem(64, steps, np.random.default_rng(7))
    h, hs = np.zeros((64, 64)), []
    for t in range(steps):
        a = xs[:, t] @ params["W_xh"] + h @ params["W_hh"] + params["b_h"]
        h = np.maximum(a, 0) if kind == "identity" else np.tanh(a)
        hs.append(h)
    dh = (h @ params["W_hy"] + params["b_y"] - targets[:, None]) @ params["W_hy"].T / 32
    norms = []
    for h in reversed(hs):
        norms.append(np.linalg.norm(dh))
        dh = (dh * ((h > 0) if kind == "identity" else 1 - h**2)) @ params["W_hh"].T
    return np.array(norms[::-1])


before = {kind: error_norms(first, kind) for kind, (_, first, _) in runs.items()}
after = {kind: error_norms(last, kind) for kind, (_, _, last) in runs.items()}
left, right = plots.new_row(width=9.3, height=3.0, count=2)
for ax, when, norms in ((left, "before", before), (right, "after", after)):
    plots.curves(
        np.arange(1, 51), norms, title=f"{when} training",
        xlabel="step t", ylabel="norm", log=True, ylim=(1e-16, 10), ax=ax,
        colours=[plots.COLOURS[COLOURS[name]] for name in norms],
    )
words = {kind: f"{before[kind][0]:.0e} and {after[kind][0]:.0e}" for kind in runs}
plots.show(left, f"Norms of the errors over time. At step 1, before, after: {words}.")
print("norm at step 1, before and after training:", words)

# %% [markdown]
# Before training, the error of the network with the small start is more than $10^{15}$ times
# smaller at the first step than at the last: nothing of it is left. The orthogonal start loses a
# factor of several hundred to the slopes of tanh, and the identity loses nothing. After training, the
# two successful networks let errors pass almost undamped. Training has worked on the memory
# of the small network too, but it has not been enough yet.

# %% [markdown]
# Training changes the matrices as well. The **eigenvalues** of $W_{hh}$ as points in the complex
# plane show how:

# %% tags=["demonstration"]
pairs = {kind: (first["W_hh"], last["W_hh"]) for kind, (_, first, last) in runs.items()}
radii = {
    kind: [f"{np.abs(np.linalg.eigvals(matrix)).max():.2f}" for matrix in pair]
    for kind, pair in pairs.items()
}
plots.show(plots.eigenvalues(pairs), f"Eigenvalues. Spectral radii: {radii}.")
print("spectral radius before and after:", radii)

# %% [markdown]
# An orthogonal matrix has all its eigenvalues on the unit circle, and the identity has all of them
# at 1. Training moves a few of them outwards, which makes up for what tanh takes away, and it
# does not preserve orthogonality. In the small network it has moved only a few of them towards
# the circle. Arjovsky, Shah and Bengio (2016) therefore keep the matrix
# **unitary**, the counterpart of orthogonal for complex matrices, *during* training.

# %% [markdown]
# ### Increase the difficulty
#
# **Predict.** Double the length, for the two that did well. Does the orthogonal start still get
# below 0.167 within 1200 updates? Does the identity?

# %% tags=["demonstration"]
longer = {kind: train(kind, 100, updates=1200) for kind in ("orthogonal", "identity")}
Screen().show(curves_of(longer, "100 steps"))
print({kind: round(float(run[0][-200:].mean()), 3) for kind, run in longer.items()})

# %% [markdown]
# At 100 steps the orthogonal start hardly leaves the baseline in this time. tanh shrinks the error
# a little at every step, and a hundred small losses compound. The identity still learns. (The
# jumps in its curve, which averages over 50 updates, are explosions that training survived
# thanks to clipping.) With three seeds the orthogonal start
# ended at 0.15 to 0.17, and the identity at 0.01 to 0.04.
#
# So is the identity the better network? Let it take larger steps, once with clipping and once
# without.
#
# **Predict.** What will happen with clipping, and what without?

# %% tags=["demonstration"]
for name, max_norm in (("with clipping", 1.0), ("without clipping", np.inf)):
    errors, _, _ = train("identity", steps=50, updates=400, lr=0.01, max_norm=max_norm)
    worst = f"largest error {errors.max():.0e} at update {errors.argmax() + 1}"
    print(f"{name:17} {worst}, mean of the last 100: {errors[-100:].mean():.3f}")

# %% [markdown]
# Both crash at the second update. ReLU has no upper limit: if $W_{hh}$ stretches a state by 1.2 per
# step, then after 50 steps it is 9100 times as large. Clipping cannot prevent this, since the
# size of Adam's first step does not depend on the size of the gradient. It matters
# *afterwards*. Without clipping, one gigantic gradient stays in Adam's memory $v$ for a thousand
# updates, and every step is divided by its size: the network is frozen where it crashed. With
# clipping, training recovers. (With three seeds: 0.02 to 0.03 with clipping, 0.2 to 1.3
# without.)

# %% [markdown]
# ### Does it help with copying too?
#
# Now the copy task with three symbols out of four and a silence of 20 steps, with a softmax at
# every step. Its baseline is a loss of 0.16.
#
# **Predict.** Will the orthogonal start beat the small one again?

# %% tags=["demonstration"]
def copy_task(n, delay, length, symbols, rng):
    """Return (xs, targets): one-hot inputs with blank and go, and target classes."""
    drawn = rng.integers(1, symbols + 1, size=(n, length))  # 0 is blank
    codes = np.zeros((n, delay + 2 * length), dtype=int)
    targets = np.zeros_like(codes)
    codes[:, :length], targets[:, -length:] = drawn, drawn
    codes[:, delay + length] = symbols + 1  # go
    return np.eye(symbols + 2, dtype=np.float32)[codes], targets


def train_copying(kind, delay=20, updates=1500, seed=0, units=64, lr=0.003):
    """Return the loss of each update."""
    params, rng = start(kind, units, seed)
    params["W_xh"] = (0.3 * rng.normal(size=(6, units))).astype(np.float32)
    params["W_hy"] = (0.06 * rng.normal(size=(units, 5))).astype(np.float32)
    params["b_y"] = np.zeros(5, dtype=np.float32)
    empty = {name: np.zeros_like(array) for name, array in params.items()}
    state, losses = {"t": 0, "m": empty, "v": empty}, []
    for _ in range(updates):
        xs, targets = copy_task(64, delay, 3, 4, rng)
        hidden = (params["W_xh"], params["W_hh"], params["b_h"])
        hs, cache = cells.forward(xs, None, *hidden)
        exponentials = np.exp(hs @ params["W_hy"] + params["b_y"])
        p = exponentials / exponentials.sum(axis=-1, keepdims=True)
        one_hot = np.eye(5, dtype=np.float32)[targets]
        losses.append(float(-np.log((p * one_hot).sum(axis=-1)).mean()))
        dy = (p - one_hot) / targets.size
        back = cells.backward(dy @ params["W_hy"].T, cache)
        grads = {"W_xh": back.dW_xh, "W_hh": back.dW_hh, "b_h": back.db_h}
        grads["W_hy"] = np.tensordot(hs, dy, axes=([0, 1], [0, 1]))
        grads["b_y"] = dy.sum(axis=(0, 1))
        grads, _ = clip_by_global_norm(grads, 1.0)
        params, state = adam_step(params, grads, state, lr)
    return np.array(losses)


baseline = copy_baseline(20, length=3, symbols=4)
for kind in ("small", "orthogonal"):
    losses = train_copying(kind)
    print(f"{kind:10} loss {losses[-50:].mean():.3f}, baseline {baseline:.3f}")

# %% [markdown]
# It does, though the small start usually learns as well, only more slowly. (With five seeds the orthogonal
# start was better each time. Its loss ended at 4 to 18 % of the baseline, that of the small
# start at 17 to 100 %.) For a task of this length both memories suffice in principle. What
# differs is how fast the errors can teach them.

# %% [markdown]
# ## A catalogue of remedies
#
# | remedy | idea | source |
# |---|---|---|
# | gradient clipping | survive cliffs; does not lengthen memory | Pascanu, Mikolov and Bengio 2013 |
# | orthogonal initialisation | errors survive at the start | Saxe, McClelland and Ganguli 2014 |
# | identity and ReLU (IRNN) | the state accumulates; it can explode | Le, Jaitly and Hinton 2015 |
# | unitary networks | keep $W_{hh}$ orthogonal during training | Arjovsky, Shah and Bengio 2016 |
# | a regulariser | penalise errors that shrink or grow | Pascanu, Mikolov and Bengio 2013 |
# | layer normalisation | keep pre-activations in tanh's steep part | Ba, Kiros and Hinton 2016 |
# | connections that skip steps | a shorter path for the error | El Hihi and Bengio 1996 |
# | gates (lesson 13) | a state that changes only when it should | Hochreiter and Schmidhuber 1997 |
#
# Each of the first seven has its price, or helps only at the start. Gates let the network decide
# when to keep its state, which is why they won out.

# %% [markdown] nbgrader={"grade_id": "remedies_in_words_task", "locked": true}
# ### Your turn: an experiment of your own (3 points, read by a human)
#
# Choose one question, change the cell below, and run it with at least three seeds. (1200
# updates at 50 steps take a few seconds.)
#
# - Up to which length does the identity get below half the baseline in 1200 updates?
# - Is the success of the identity due to the matrix or to ReLU? (Add a fourth kind to `start`,
#   with another matrix, and to the two places that choose ReLU.)
# - Does a larger learning rate rescue the orthogonal start at 100 steps?
#
# Then write three or four sentences into the cell after it: what you compared, what you found,
# and what you can conclude. `hint("remedies_in_words")` then shows what a good answer contains.

# %% tags=["demonstration"]
for seed in (0,):
    errors, _, _ = train("identity", steps=50, updates=300, seed=seed)
    print(f"seed {seed}: mean error of the last 100 updates {errors[-100:].mean():.3f}")

# %% [markdown] nbgrader={"grade_id": "remedies_in_words", "grade": true, "solution": true, "points": 3}
# ### BEGIN SOLUTION
# I asked whether a larger learning rate rescues the orthogonal start at 100 steps. I trained it with rates 0.001 and 0.003 and three seeds
# each, for 1200 updates, with everything else equal. I report the mean error of the last 100 updates for each seed next to the baseline of
# 0.167. If the error is below the baseline for all seeds with one rate and for none with the other, the rate matters in this setting. The
# experiment says nothing about other lengths, more updates or other tasks.
#
# *Marks.*
#
# - 1 point: one thing is changed and everything else is kept equal, including the number of updates.
# - 1 point: results for at least three seeds, compared with the baseline.
# - 1 point: a conclusion that the numbers support, and a limit of it.
# ### END SOLUTION

# %% [markdown]
# ☕ *A good place for a break.*

# %% [markdown]
# ## Long texts: truncated BPTT
#
# A text has a million characters. Carrying errors back over a million steps would require all
# states to be stored. So the sequence is cut into **segments** of $K$ steps. In the forward
# pass nothing changes, and the state is handed from segment to segment. In the backward pass,
# the error stops at the beginning of its segment. This is **truncated BPTT**, and lesson 05 used
# it with $K = 32$.

# %% [markdown] nbgrader={"grade_id": "truncated_bptt_task", "locked": true}
# ### Your turn: `truncated_bptt` (4 points)
#
# | argument | | |
# |---|---|---|
# | `dhs` | (batch, steps, units) | the gradients from the outputs, $dh_t^{\text{out}}$ |
# | `cache` | | `(xs, h_0, hs, W_xh, W_hh)` of a tanh network; there is no mask |
# | `K` | | steps in a segment; the first one is steps 0 to K − 1, the last may be shorter |
#
# Return a **dict** with `"dW_xh"`, `"dW_hh"` and `"db_h"`, summed over all segments. The state
# before a segment is the last state of the segment before it. Only the error stops. (Your
# `rnn_backward` of lesson 04 is a good start: copy it with `step_backward`, and remove the
# mask.)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "truncated_bptt", "solution": true}
def truncated_bptt(dhs, cache, K):
    """Return the gradients of the weights when no error crosses a segment boundary."""
    xs, h_0, hs, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    dW_xh, dW_hh, db_h = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros(len(W_hh))
    dh_next = np.zeros_like(h_0)
    for t in reversed(range(xs.shape[1])):
        da = (dhs[:, t] + dh_next) * (1 - hs[:, t] ** 2)
        h_prev = hs[:, t - 1] if t > 0 else h_0
        dW_xh += xs[:, t].T @ da
        dW_hh += h_prev.T @ da
        db_h += da.sum(axis=0)
        dh_next = np.zeros_like(h_0) if t % K == 0 else da @ W_hh.T
    return {"dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h}
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "truncated_bptt_test", "grade": true, "locked": true, "points": 4}
check(truncated_bptt)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(truncated_bptt)
### END HIDDEN TESTS

# %% [markdown]
# ### What does the cut cost?
#
# **Predict.** Take a network that forgets quickly: $W_{hh}$ is half an orthogonal matrix, so
# after ten steps only $0.5^{10}$, a thousandth, is left of any error. We cut its gradient at
# $K = 10$. By how much is it wrong: about 0.1 %, 1 % or 10 %?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
T, units = 60, 32
drive, noise = rng.normal(size=(8, T, units)), rng.normal(size=(8, T, units))
W_fast = 0.5 * orthogonal(units, rng)
hs, _ = cells.forward(0.3 * drive, None, np.eye(units), W_fast, np.zeros(units))
fast = (0.3 * drive, np.zeros((8, units)), hs, np.eye(units), W_fast)


def relative_difference(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


whole = truncated_bptt(noise, fast, T)["dW_hh"]
for K in (5, 10, 20, 60):
    error = relative_difference(truncated_bptt(noise, fast, K)["dW_hh"], whole)
    print(f"K = {K:2}: dW_hh is wrong by {error:.1%}")

# %% [markdown]
# About 15 %. Why so much, when the network has forgotten everything after ten steps? The cut does
# not only remove the lags of ten and more. A segment loses *every* path that crosses its
# boundary. In a long sequence one in ten of the paths with lag 1 crosses a boundary, two in ten of
# those with lag 2, and so on: of a lag $l$ below $K$ the share $l/K$ is lost. Here it is, sorted
# by lag:

# %% tags=["demonstration"]
def parts_by_lag(dhs, cache, K):
    """Return the norms of dW_hh's parts by lag: kept inside segments, and lost."""
    xs, h_0, hs, W_xh, W_hh = cache
    kept, lost = (np.zeros((12, *W_hh.shape)) for _ in range(2))
    for t in range(xs.shape[1]):
        dh = dhs[:, t]
        for lag in range(min(t + 1, 12)):
            k = t - lag
            da = dh * (1 - hs[:, k] ** 2)
            part = (hs[:, k - 1] if k > 0 else h_0).T @ da
            (kept if k // K == t // K else lost)[lag] += part
            dh = da @ W_hh.T
    return np.linalg.norm(kept, axis=(1, 2)), np.linalg.norm(lost, axis=(1, 2))


kept, lost = parts_by_lag(noise, fast, 10)
ax = plots.curves(
    np.arange(12), {"kept": np.maximum(kept, 1e-2), "lost": np.maximum(lost, 1e-2)},
    title="dW_hh with a cut at K = 10, by lag", xlabel="lag", ylabel="norm", log=True,
)
plots.show(ax, f"By lag, kept {kept.round(2).tolist()}, lost {lost.round(2)}.")
short = np.sqrt(np.sum(lost[1:3] ** 2) / np.sum(lost**2))
print(f"lost with lags 1 and 2: {short:.0%} of all that is lost")

# %% [markdown]
# (At the lower edge of the figure, read zero.) Nearly all of the damage is done to lags 1 and 2,
# the largest parts of the gradient after lag 0, which no cut can lose. At lag 5, half of $K$, as
# much is lost as is kept. So a truncated gradient is not a noisy version of the true one. It is
# **biased**, systematically wrong: the paths across the boundaries are missing every time, the
# long lags completely and the short ones in part.

# %% [markdown]
# ### The cure: overlapping windows
#
# Move the window forward by only `stride` steps, but still go back `K` steps each time (Williams
# and Peng 1990). Each window counts only the losses that no earlier window has counted, usually
# those of its last `stride` steps:
#
# | window | errors come from the losses of steps | and are carried back to step |
# |---|---|---|
# | first, `stride` = 2, `K` = 5 | 0, 1 | 0 |
# | second | 2, 3 | 0 |
# | third | 4, 5 | 1 |
# | fourth | 6, 7 | 3 |
#
# With `stride` = `K` this is truncated BPTT, and with `stride` = 1 every loss is carried back
# over exactly `K` steps, so all lags below `K` are complete.

# %% [markdown] nbgrader={"grade_id": "sliding_bptt_task", "locked": true}
# ### Your turn: `sliding_bptt` (5 points)
#
# The arguments `dhs` and `cache` are those of `truncated_bptt`. A window ends after every
# `stride` steps, and after the last step of the sequence. It goes back `K` steps from its end,
# or to step 0. `stride` is at most `K`. Return the same **dict** with `"dW_xh"`, `"dW_hh"` and
# `"db_h"`, summed over all windows.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "sliding_bptt", "solution": true}
def sliding_bptt(dhs, cache, K, stride):
    """Return the gradients of the weights from windows of K steps, `stride` apart."""
    xs, h_0, hs, W_xh, W_hh = cache
    ### BEGIN SOLUTION
    steps = xs.shape[1]
    dW_xh, dW_hh, db_h = np.zeros_like(W_xh), np.zeros_like(W_hh), np.zeros(len(W_hh))
    for first in range(0, steps, stride):
        end = min(first + stride, steps)
        dh = np.zeros_like(h_0)
        for t in range(end - 1, max(end - K, 0) - 1, -1):
            if t >= first:
                dh = dh + dhs[:, t]
            da = dh * (1 - hs[:, t] ** 2)
            h_prev = hs[:, t - 1] if t > 0 else h_0
            dW_xh += xs[:, t].T @ da
            dW_hh += h_prev.T @ da
            db_h += da.sum(axis=0)
            dh = da @ W_hh.T
    return {"dW_xh": dW_xh, "dW_hh": dW_hh, "db_h": db_h}
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "sliding_bptt_test", "grade": true, "locked": true, "points": 5}
check(sliding_bptt)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(sliding_bptt)
### END HIDDEN TESTS

# %% tags=["demonstration"]
W_slow = orthogonal(units, np.random.default_rng(1))
hs, _ = cells.forward(0.1 * drive, None, np.eye(units), W_slow, np.zeros(units))
slow = (0.1 * drive, np.zeros((8, units)), hs, np.eye(units), W_slow)
for name, cache in (("forgets quickly", fast), ("forgets slowly", slow)):
    whole = truncated_bptt(noise, cache, T)["dW_hh"]
    for stride in (10, 5, 2, 1):
        windows = sliding_bptt(noise, cache, 10, stride)["dW_hh"]
        error = relative_difference(windows, whole)
        print(f"{name}, K = 10, stride {stride:2}: wrong by {error:.2%}")

# %% [markdown]
# For the network that forgets quickly, overlapping windows cure the damage almost completely. With
# a stride of 1 the error is 0.04 %, which is what the lags of ten and more really contribute.
# The price is time, since each step is visited $K$ / `stride` times.
#
# For the network that forgets slowly, the windows give the short lags back, but the long ones are
# still missing. Truncation is cheap exactly where memory is short. In the forward pass the
# state crosses all boundaries, so a network can *use* a memory that is longer than $K$, as the
# quotation unit of lesson 00 does. But no gradient rewards it directly.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - S. Hochreiter and J. Schmidhuber, "Long short-term memory" (1997): the adding problem, and
#   the remedy that won.
# - Q. V. Le, N. Jaitly and G. E. Hinton, "A simple way to initialize recurrent networks of
#   rectified linear units" (2015).
# - M. Arjovsky, A. Shah and Y. Bengio, "Unitary evolution recurrent neural networks" (2016).
# - R. J. Williams and J. Peng, "An efficient gradient-based algorithm for on-line training of
#   recurrent network trajectories" (1990): overlapping windows.
# - C. Tallec and Y. Ollivier, "Unbiasing truncated backpropagation through time" (2017): what
#   the cut does on average, and a random cut that is right on average.

# %% [markdown]
# ## In three lines
#
# - Know the baseline: 0.167 for the adding problem, $\text{length} \cdot \log(\text{symbols}) / (\text{delay} + 2 \, \text{length})$ for copying. A curve at the baseline means that nothing has been learned that needs a memory.
# - An **orthogonal** start or an **IRNN** lets errors reach far back, and **clipping** survives cliffs. Training changes the matrix, so these are starts, not guarantees.
# - **Truncated BPTT** loses every lag of $K$ or more, and of a shorter lag $l$ the share $l / K$ that crosses a boundary. Overlapping windows give the short lags back.
#
# *Next: 08 · Keras.*
