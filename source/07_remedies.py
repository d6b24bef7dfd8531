# %% [markdown]
# # 07 · Remedies: what helps a memory live, and what it costs
#
# **After this lesson you can** start a network so that it remembers, tell when a network has learnt nothing, cut backpropagation into
# pieces and say what the cut costs.
#
# **Time** about 75 minutes. **You need** lessons 04, 05 and 06.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import plots
from rnn_helpers.cards import Screen

# %%
from rnn_helpers import cells

# %% [markdown]
# ## A task for a memory
#
# Before we repair anything we need a task that *only* a memory can solve, and whose difficulty we can turn up. The **adding problem**: at
# each step two numbers arrive, a random value between 0 and 1 and a mark, 0 or 1. Exactly two steps are marked, one in each half. At the
# very end: what is the sum of the two marked values?
#
# | step | 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|
# | value | 0.3 | **0.8** | 0.5 | 0.1 | 0.9 | **0.4** |
# | mark | 0 | **1** | 0 | 0 | 0 | **1** |
#
# The answer is 1.2. With 50 steps, the first value must survive for up to 49.

# %% [markdown] nbgrader={"grade_id": "adding_problem_task", "locked": true}
# ### Your turn: `adding_problem` (5 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `n` | number of sequences | `xs`: values in `xs[..., 0]`, marks in `xs[..., 1]` | (n, steps, 2) |
# | `steps` | their length, at least 2 | `targets`: the sums | (n,) |
# | `rng` | a NumPy generator; draw everything from it | | |
#
# One mark anywhere in the first `steps // 2` steps, one anywhere in the rest, every place equally likely, drawn separately for each
# sequence. The values are uniform between 0 and 1. Return the pair `xs, targets`.


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
# **Predict.** Somebody who looks at nothing always gives the same answer. Which number is best, and what is its mean squared error?
# (The variance of one uniform number is 1/12.)

# %% tags=["demonstration"]
_, targets = adding_problem(100_000, 50, np.random.default_rng(0))
print(
    "best constant:", targets.mean().round(3), "  its mean squared error:", targets.var().round(4)
)

# %% [markdown]
# Always answering 1 gives an error of 0.167. That is the **baseline**. A network whose error hangs at 0.167 has learnt that the answer
# is about 1, and nothing else, whatever its curve looks like. Know your baseline before you train.

# %% [markdown]
# ## Another baseline: copying
#
# In the **copy task** a few symbols arrive, then a long silence, then the network must repeat them. With `length` symbols out of `symbols`
# kinds and a silence of `delay` steps, there are `delay + 2 * length` steps: at the first `delay + length` the right answer is "blank",
# at the last `length` it is a symbol. Somebody without memory knows *when* to write a symbol, but must guess which.

# %% [markdown] nbgrader={"grade_id": "copy_baseline_task", "locked": true}
# ### Your turn: `copy_baseline` (5 points)
#
# Return the cross-entropy, as the mean over **all** steps and in natural logarithms, of the best guesser without memory: certain of the
# blanks, guessing evenly among the symbols where one is due.


# %% nbgrader={"grade_id": "copy_baseline", "solution": true}
def copy_baseline(delay, length=10, symbols=8):
    """Return the mean loss per step of the best guesser without memory on the copy task."""
    ### BEGIN SOLUTION
    return length * np.log(symbols) / (delay + 2 * length)
    ### END SOLUTION


# %% nbgrader={"grade_id": "copy_baseline_test", "grade": true, "locked": true, "points": 5}
check(copy_baseline)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(copy_baseline)
### END HIDDEN TESTS

# %% tags=["demonstration"]
for delay in (0, 100, 1000):
    print(
        f"delay {delay:>4}: a loss of {copy_baseline(delay):.4f} means that nothing is remembered"
    )

# %% [markdown]
# Look at the last line: a loss of 0.02 *looks* splendid, and is complete ignorance. Averages over many easy steps flatter.

# %% [markdown]
# ## First remedy: begin with a rotation
#
# Lesson 06 said: long memory lives near the edge, where the Jacobians neither shrink nor stretch. A matrix that keeps every length is called
# **orthogonal**: a rotation, perhaps with a mirror. All its singular values are 1, and near rest, where tanh has slope 1, so is the norm of
# the whole product. At least at the beginning of training, errors arrive.
#
# ### Half the work: is it orthogonal?
#
# $Q$ is orthogonal when its columns have length 1 and stand at right angles, in short $Q^\top Q = I$. (No points.)


# %% nbgrader={"grade_id": "is_orthogonal", "solution": true}
def is_orthogonal(Q):
    # off = ...   how far Q.T @ Q is from the identity
    ### BEGIN SOLUTION
    off = Q.T @ Q - np.eye(len(Q))
    ### END SOLUTION
    return np.abs(off).max() < 1e-9


# %% tags=["demonstration"]
print("expected: True False")
print(
    "yours:   ",
    is_orthogonal(np.array([[0.0, 1.0], [-1.0, 0.0]])),
    is_orthogonal(np.array([[1.0, 1.0], [0.0, 1.0]])),
)

# %% [markdown] nbgrader={"grade_id": "orthogonal_task", "locked": true}
# ### Your turn: `orthogonal` (5 points)
#
# Return a *random* orthogonal matrix of shape (units, units), drawn from the generator `rng`: the same generator, the same matrix.
# (`np.linalg.qr` may help. It returns two matrices.)


# %% nbgrader={"grade_id": "orthogonal", "solution": true}
def orthogonal(units, rng):
    """Return a random orthogonal matrix, shape (units, units)."""
    ### BEGIN SOLUTION
    Q, R = np.linalg.qr(rng.normal(size=(units, units)))
    return Q * np.sign(np.diag(R))  # the signs make every rotation equally likely
    ### END SOLUTION


# %% nbgrader={"grade_id": "orthogonal_test", "grade": true, "locked": true, "points": 5}
check(orthogonal)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(orthogonal)
### END HIDDEN TESTS

# %% [markdown]
# ## One switch, three networks
#
# The same task, the same 64 units, the same Adam, the same clipping. Only one switch differs:
#
# - **small**: tanh, $W_{hh}$ random with spectral radius about 0.5, a common start;
# - **rotation**: tanh, $W_{hh}$ your random orthogonal matrix;
# - **identity**: ReLU in place of tanh, $W_{hh}$ the identity.


# %% tags=["demonstration"]
def train(kind, steps, rounds, seed=0, units=64, batch=64, lr=0.001, max_norm=1.0):
    """Train on the adding problem and return the squared error of each round. max_norm=None does not clip."""
    rng = np.random.default_rng(seed)
    W_hh = {
        "small": 0.5 * rng.normal(size=(units, units)) / np.sqrt(units),
        "rotation": orthogonal(units, rng),
        "identity": np.eye(units),
    }[kind]
    activation, into = ("relu", 0.1) if kind == "identity" else ("tanh", 0.3)
    params = {
        "W_xh": into * rng.normal(size=(2, units)),
        "W_hh": W_hh,
        "b_h": np.zeros(units),
        "W_hy": 0.06 * rng.normal(size=(units, 1)),
        "b_y": np.zeros(1),
    }
    params = {name: p.astype(np.float32) for name, p in params.items()}
    m, v = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    dhs, h_0, errors = (
        np.zeros((batch, steps, units), np.float32),
        np.zeros((batch, units), np.float32),
        [],
    )
    for t in range(1, rounds + 1):
        xs, targets = adding_problem(batch, steps, rng)
        hs, cache = cells.forward(
            xs.astype(np.float32),
            h_0,
            params["W_xh"],
            params["W_hh"],
            params["b_h"],
            activation=activation,
        )
        off = hs[:, -1] @ params["W_hy"] + params["b_y"] - targets[:, None].astype(np.float32)
        errors.append(float(np.mean(off**2)))
        dhs[:, -1] = (2 / batch) * off @ params["W_hy"].T
        back = cells.backward(dhs, cache)
        grads = {
            "W_xh": back.dW_xh,
            "W_hh": back.dW_hh,
            "b_h": back.db_h,
            "W_hy": (2 / batch) * hs[:, -1].T @ off,
            "b_y": (2 / batch) * off.sum(axis=0),
        }
        norm = np.sqrt(sum(float(np.sum(g.astype(float) ** 2)) for g in grads.values()))
        factor = 1.0 if max_norm is None else min(1.0, max_norm / max(norm, 1e-12))
        for name in params:  # lesson 05's Adam, in place
            g = factor * grads[name]
            m[name] += 0.1 * (g - m[name])
            v[name] += 0.001 * (g * g - v[name])
            params[name] -= (
                lr * (m[name] / (1 - 0.9**t)) / (np.sqrt(v[name] / (1 - 0.999**t)) + 1e-8)
            )
    return np.array(errors)


# %% [markdown]
# **Predict.** At 50 steps, with 1200 rounds for each: which of the three gets below the baseline of 0.167? In which order? Write it down; the
# next cell takes some ten to twenty seconds.


# %% tags=["demonstration"]
def smooth(errors, window=100):
    return np.convolve(errors, np.ones(window) / window, mode="valid")


def compare(runs, title):
    rounds = np.arange(100, 100 + len(smooth(next(iter(runs.values())))))
    lines = {name: smooth(errors) for name, errors in runs.items()}
    lines["baseline"] = np.full(len(rounds), 1 / 6)
    ax = plots.curves(
        rounds, lines, title=title, xlabel="rounds", ylabel="squared error", ylim=(0, 0.25)
    )
    ends = ", ".join(f"{name} {line[-1]:.3f}" for name, line in lines.items())
    return plots.picture(ax, f"{title}. Error at the end: {ends}.")


screen, runs = Screen(), {}
for kind in ("small", "rotation", "identity"):
    runs[kind] = train(kind, steps=50, rounds=1200)
    screen.show(compare(runs, "50 steps, three starts"))
print({kind: round(float(errors[-200:].mean()), 4) for kind, errors in runs.items()})

# %% [markdown]
# One switch. With the small start the first mark's error arrives as dust (remember: $0.5^{49}$ is $10^{-15}$), and for a long time the
# network learns only that the answer is about 1. The rotation lets the error through and learns. The identity with ReLU is the best: it
# starts as a plain accumulator, what comes in stays, and the task *is* accumulating. (Given more rounds, the small network wakes up as
# well. It is not doomed, only very slow to begin.)

# %% [markdown]
# ### Turn up the difficulty
#
# **Predict.** Double the length, for the two that did well. Does the rotation still get below 0.167 in as many rounds? Does the identity?

# %% tags=["demonstration"]
longer = {kind: train(kind, steps=100, rounds=1200) for kind in ("rotation", "identity")}
Screen().show(compare(longer, "100 steps, two starts"))
print({kind: round(float(errors[-200:].mean()), 4) for kind, errors in longer.items()})

# %% [markdown]
# The honest picture: in this time the rotation hardly leaves the baseline. tanh takes a little at every step, and a hundred times a little is
# a lot. The identity still learns. Is it the better network, then? Let it take larger steps, once with its seat belt on, once without.
#
# **Predict.** Does clipping prevent the crash, or does it help afterwards?

# %% tags=["demonstration"]
for name, max_norm in (("with clipping", 1.0), ("without clipping", None)):
    errors = train("identity", steps=50, rounds=400, lr=0.01, max_norm=max_norm)
    print(
        f"{name:<17} largest error {errors.max():.1e} in round {errors.argmax() + 1},  mean of the last 100 rounds {errors[-100:].mean():.3f}"
    )

# %% [markdown]
# Both crash, in the very first rounds: ReLU has no ceiling, and if $W_{hh}$ stretches something by 1.1 a step, then $1.1^{50}$ is more than 100.
# Clipping cannot prevent it, since the size of Adam's first step does not depend on the size of the gradient. It changes what comes *after*. Without it, one gigantic gradient sits in Adam's leaky memory $v$ for a thousand rounds, and every
# step is divided by it: the network is frozen where it crashed, worse than the baseline. With it, the network drives on.
#
# Every remedy has its price:
#
# | remedy | what it buys | what it costs |
# |---|---|---|
# | clipping | drives on after steep places | next to nothing; it does not lengthen memory |
# | rotation at the start | errors arrive, at first | training may destroy it; tanh still takes its share |
# | identity and ReLU | very long memory for sums | states and gradients can explode |
# | gates (lesson 13) | memory that is opened and closed | four times the weights |

# %% [markdown]
# ## Long texts: cutting the gradient into pieces
#
# A text has a million letters. Nobody carries errors back over a million steps: all the states would have to be kept. So the sequence is
# cut into pieces of $K$ steps. Forwards nothing changes, the state is handed from piece to piece. Backwards, the error stops at the
# beginning of its piece. That is **truncated BPTT**; lesson 05 did it with $K = 32$.

# %% [markdown] nbgrader={"grade_id": "truncated_bptt_task", "locked": true}
# ### Your turn: `truncated_bptt` (5 points)
#
# | argument | | |
# |---|---|---|
# | `dhs` | (batch, steps, units) | the errors from the outputs |
# | `cache` | | `(xs, h_0, hs, W_xh, W_hh)`, no mask |
# | `K` | | steps in a piece; the first piece is steps 0 to K - 1, and the last one may be shorter |
#
# Return a **dict** with `"dW_xh"`, `"dW_hh"` and `"db_h"`, added up over all pieces. The state before a piece is the last one of the piece before; only
# the error stops. `W_xh`, `W_hh` and `hs` belong to a tanh network, as in lesson 04. Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "truncated_bptt", "solution": true}
def truncated_bptt(dhs, cache, K):
    """Return the gradients for the weights when no error crosses into the piece before, as a dict."""
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


# %% tags=["from-scratch"] nbgrader={"grade_id": "truncated_bptt_test", "grade": true, "locked": true, "points": 5}
check(truncated_bptt)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(truncated_bptt)
### END HIDDEN TESTS

# %% [markdown]
# ### What does the cut cost?
#
# The truncated gradient is not a noisy version of the true one, it is **biased**: the long lags are missing, every time.
#
# **Predict.** Two networks with an error at each of 60 steps: one fades fast (0.5 times a rotation), one slowly (a rotation with small inputs).
# How far off is a cut at $K = 10$ for each?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
T, units, Ks = 60, 32, np.array([1, 2, 3, 5, 10, 15, 20, 30, 60])
drive, noise = rng.normal(size=(8, T, units)), rng.normal(size=(8, T, units))
bias = {}
for name, gain, size in (("fades fast", 0.5, 0.3), ("fades slowly", 1.0, 0.1)):
    W_hh = gain * orthogonal(units, rng)
    hs, _ = cells.forward(size * drive, np.zeros((8, units)), np.eye(units), W_hh, np.zeros(units))
    cache = (size * drive, np.zeros((8, units)), hs, np.eye(units), W_hh)
    whole = truncated_bptt(noise, cache, T)["dW_hh"]
    bias[name] = np.array(
        [
            np.linalg.norm(truncated_bptt(noise, cache, K)["dW_hh"] - whole) / np.linalg.norm(whole)
            for K in Ks
        ]
    )
    print(f"{name}: off by {100 * bias[name][Ks == 10][0]:.1f} % at K = 10")

ax = plots.curves(
    Ks,
    bias,
    title="What a cut leaves out",
    xlabel="K, steps in a piece",
    ylabel="share of the gradient that is off",
)
missing = ", ".join(f"{name} {100 * line[Ks == 10][0]:.0f} %" for name, line in bias.items())
plots.show(ax, f"Two curves that fall to zero at K = 60. Share of the gradient that is off at K = 10: {missing}.")

# %% [markdown]
# A network that forgets quickly loses less: there was less to cut. The one that *could* learn long connections is the one that the cut
# hurts. Truncation is cheap exactly where memory is short. And forwards the state still crosses the cut, so a network can *use* a memory
# that is longer than $K$; it is just never taught to.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Know the baseline: 0.167 for adding; for copying `length * log(symbols) / (delay + 2 * length)`. A curve at the baseline is ignorance.
# - A start that keeps lengths (rotation, identity) lets errors arrive; clipping keeps the steep places survivable; neither changes what tanh takes.
# - Truncated BPTT is biased: it leaves out the long lags, which costs most where memory is long.
#
# *Next: 08 · Keras.*
