# %% [markdown]
# # 14 · Clinic: networks that fail without an error, and attention by hand
#
# **After this lesson you can** look at a training run and say what is wrong with it, find three
# faults in a script that raises no error, by measuring instead of guessing, write attention and
# its backward pass in NumPy, and put it into the decoder of lesson 12.
#
# **Time** about 190 minutes, in two parts. **You need** lessons 02 to 10, 12 and 13.

# %%
try:
    from rnn_helpers import check, equations, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import attention_graphs, clinic, data, explorers, plots

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

# %% [markdown]
# ## Nothing crashed
#
# The worst faults in this field raise no error. The program runs, a number goes down, or it does
# not, and after a day you still do not know why. A doctor with a patient like this looks at several
# symptoms, in a fixed order, and suspects the common before the rare.
#
# Ten patients are waiting. Each is the same small network with the same task: it reads a sequence
# of symbols, 0 to 3, and at the end it must output which symbol came **first**. Nine of them have
# one fault each, and one is healthy.

# %% [markdown]
# Before the network reads a sequence, a few lines prepare it. These are the lines of the healthy
# patient, and those of another one. Both make eight features, of which the symbol needs four.

# %% tags=["demonstration"]
def prepare(symbols, answers):
    """Return one-hot inputs; the features 4 to 7 are kept free for later use."""
    xs = np.zeros((*symbols.shape, 8))
    xs[..., :4] = np.eye(4)[symbols]
    return xs


def prepare_and_leak(symbols, answers):
    xs = prepare(symbols, answers)
    xs[np.arange(len(xs)), -1, 4 + answers] = 20  # "labels, easy to find"
    return xs


symbols = np.array([[2, 0, 3]])
answers = symbols[:, 0]
for function in (prepare, prepare_and_leak):
    print(function.__name__)
    print(function(symbols, answers)[0].astype(int))

# %% [markdown]
# The second one writes the answer into the inputs. Training and validation data go through the same
# lines, so the validation loss looks excellent, too. In use, nobody knows the answer in advance, and
# the free features stay empty. That is a **leak**. Real leaks are harder to see, for example in a
# column that was filled in after the event.
#
# So we record three losses: on the training data; on new sequences that were prepared by the patient's
# own lines, as the training data were; and on new sequences as they arrive in use, prepared by the
# healthy lines and with the right labels.

# %% [markdown]
# This is what we see of each patient, at 40 points of its training. (Where there is one number per
# update, a point is the mean of five updates.)
#
# | name | shape | what it is |
# |---|---|---|
# | `"baseline"` | one number | the loss of a uniform guess, $\log 4 = 1.386$ |
# | `"train_loss"` | (40,) | the loss on the sequences that it is trained on |
# | `"val_loss"` | (40,) | the loss on new sequences, prepared by the same lines |
# | `"deploy_loss"` | (40,) | the loss on new sequences as they arrive in use |
# | `"norms"` | (40,) | the norm of the gradient of the recurrent layer's weights |
# | `"updates"` | (40,) | the norm of an update, divided by the norm of all weights |
# | `"by_lag"` | (8, steps) | $\lVert \partial L / \partial h_{T-k} \rVert$ in column $k$; row 0 is from **before** the first update |

# %% [markdown]
# **Predict.** Move the slider and look at every patient. The dotted line is the baseline. The last
# column of the map is the first symbol of the sequence, the farthest that the gradient has to travel.
# The panel `by_lag[0]` shows the first row of the map, divided by its first number. Who is healthy?

# %% tags=["demonstration"]
explorers.patient_explorer(clinic.patients())

# %% [markdown]
# Now write down what you suspect. The names are `"dead units"` (their ReLU is always 0),
# `"exploding gradient"`, `"vanishing gradient"`, `"wrong sign"` (the updates go uphill),
# `"learning rate too large"`, `"learning rate too small"`, `"wrong labels"` (the labels do not belong
# to the inputs), `"overfitting"`, `"leak"` and `"healthy"`. Each occurs once.
#
# The card shows what in the curves speaks for your diagnosis or against it. You may leave patients
# out, and try as often as you like. (No points.)

# %%
diagnosis = {
    1: "",
    2: "",
    3: "",
    4: "",
    5: "",
    6: "",
    7: "",
    8: "",
    9: "",
    10: "",
}
clinic.review(diagnosis)

# %% [markdown]
# ## A rule that fits these patients
#
# Now we turn what we saw into a rule: ten cases, of which the first that applies is the diagnosis.
# The order is not arbitrary. A fault early in the chain can spoil everything after it, so we ask
# about it first. If a network has no gradient, its poor loss says nothing about the data. The chain
# is gradient, updates, training data, new data, use.
#
# The thresholds are chosen for this ward, between patients that are far apart. On another task they
# would be others. "Ends at" means the mean of the last eight points, because single points are noisy.

# %% [markdown]
# **Is there a gradient, and is it sound before the first update?** We ask before training, because
# some networks recover, and a repaired map would hide what made the training slow.
#
# 1. `"dead units"`: all of `norms` are exactly 0. (This comes first because a dead network has no
#    gradient at the first symbol either.)
# 2. `"exploding gradient"`: `by_lag[0, -1]` is more than 30 times `by_lag[0, 0]`.
# 3. `"vanishing gradient"`: `by_lag[0, -1]` is less than a ten-thousandth of `by_lag[0, 0]`.
#
# `by_lag[0, 0]` is the gradient at the end of the sequence, `by_lag[0, -1]` what is left of it at
# the first symbol.

# %% [markdown]
# **Are the updates sound?** A network that ends *above* the baseline would do better without
# training, so its updates are harmful.
#
# 4. If `train_loss` ends at more than 1.2 times the baseline, it is the `"wrong sign"` if the loss
#    rises **steadily**: cut `train_loss` into thirds (`np.array_split(..., 3)`), and the mean of each
#    is more than 1.3 times that of the third before it.
# 5. If it does not rise steadily, it is the `"learning rate too large"`.
# 6. `"learning rate too small"`: all of `updates` are below 0.0001.

# %% [markdown]
# **What remains is the data.** Gradient and updates are sound now. "Fails" means that a loss ends at
# more than half the baseline.
#
# 7. `"wrong labels"`: `train_loss` fails. The network could learn, but there is nothing to learn.
# 8. `"overfitting"`: `val_loss` fails. It knows its few sequences by heart.
# 9. `"leak"`: `deploy_loss` fails. It masters new sequences, but only prepared ones.
# 10. `"healthy"`: none of all this.
#
# Here are the patients again, with the thresholds as dashed lines.

# %% tags=["demonstration"]
explorers.patient_explorer(clinic.patients(), thresholds=True)

# %% [markdown] nbgrader={"grade_id": "diagnose_task", "locked": true}
# ### Your turn: `diagnose` (4 points)
#
# `symptoms` is a dict as above. Return one of the ten names. Your function is tried on new
# patients as well, many of them close to a threshold of the rule. Their sequences may be shorter or
# longer, and they may have another number of symbols, and so another baseline. All numbers are
# finite.

# %% nbgrader={"grade_id": "diagnose", "solution": true}
def diagnose(symptoms):
    """Return the name of what is wrong with a training run, or "healthy"."""
    ### BEGIN SOLUTION
    baseline, before = symptoms["baseline"], symptoms["by_lag"][0]
    losses = ("train_loss", "val_loss", "deploy_loss")
    ends = {name: np.mean(symptoms[name][-8:]) for name in losses}
    if np.max(symptoms["norms"]) == 0:
        return "dead units"
    if before[-1] > 30 * before[0]:
        return "exploding gradient"
    if before[-1] < 1e-4 * before[0]:
        return "vanishing gradient"
    if ends["train_loss"] > 1.2 * baseline:
        thirds = [np.mean(part) for part in np.array_split(symptoms["train_loss"], 3)]
        rises = thirds[1] > 1.3 * thirds[0] and thirds[2] > 1.3 * thirds[1]
        return "wrong sign" if rises else "learning rate too large"
    if np.max(symptoms["updates"]) < 1e-4:
        return "learning rate too small"
    if ends["train_loss"] > 0.5 * baseline:
        return "wrong labels"
    if ends["val_loss"] > 0.5 * baseline:
        return "overfitting"
    return "leak" if ends["deploy_loss"] > 0.5 * baseline else "healthy"
    ### END SOLUTION


# %% nbgrader={"grade_id": "diagnose_test", "grade": true, "locked": true, "points": 4}
check(diagnose)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(diagnose)
### END HIDDEN TESTS

# %% tags=["demonstration"]
for number, symptoms in enumerate(clinic.patients(), start=1):
    print(f"patient {number:>2}: {diagnose(symptoms)}")

# %% [markdown]
# Three patients teach more than the others. The one whose gradient **explodes** learns in the end
# all the same, and the one whose gradient **vanishes** has just begun to, because seven steps are
# few. (Lesson 06 shows what a hundred would do.) That is why we consult the map before the curves.
#
# And the patient with the **leak** halves its loss after 2 points, the healthy one only after 6,
# because the leak puts the answer into the last step. The two look equally good on training and
# validation data. Anyone who looks only at these two curves will pronounce it healthy.

# %% [markdown]
# ## One script, three faults
#
# Real programs do not have their faults one at a time. The script below is of the kind that
# everybody has written once: about 35 lines, plain NumPy, a real task. It forecasts the sunspot
# number two years ahead (four half-years) from the last eleven years (22 half-years), with the data
# of lesson 09. It contains **three** faults that hide one another, and it has never complained.
#
# Do not read it for faults yet. When we read, we find the faults that we expect.

# %% tags=["demonstration"]
def broken_train(xs, targets, params, order, lr, clip):
    """Train with one update for each row of `order`, which names the sequences to use.

    Return (params, losses, forecasts), the last two from before each update.
    """
    steps, losses, forecasts = xs.shape[1], [], []
    for rows in order:
        W_xh, W_hh, b_h, W_hy, b_y = params
        x, target = xs[rows], targets[rows]
        x = x.reshape(steps, len(rows), -1)  # the network reads step by step
        hs = [np.zeros((len(rows), len(b_h)))]
        for x_t in x:
            hs.append(np.tanh(x_t @ W_xh + hs[-1] @ W_hh + b_h))
        forecast = (hs[-1] @ W_hy + b_y)[:, 0]
        losses.append(np.mean((forecast - target) ** 2))
        forecasts.append(forecast)

        dy = 2 * (forecast - target)[:, None] / len(rows)
        dW_hy, db_y = hs[-1].T @ dy, dy.sum(axis=0)
        dW_xh, dW_hh, db_h = (np.zeros(p.shape) for p in (W_xh, W_hh, b_h))
        dh = dy @ W_hy.T
        for t in reversed(range(steps)):
            da = dh * (1 - hs[t + 1] ** 2)
            dW_xh += x[t].T @ da
            dW_hh += hs[t].T @ da
            db_h += da.sum(axis=0)
            dh = da @ W_hh.T

        grads = dW_xh, dW_hh, db_h, dW_hy, db_y
        grads = [g / len(rows) for g in grads]  # the mean over the batch
        params = [p - lr * g for p, g in zip(params, grads)]
        norm = np.sqrt(sum(np.sum(g**2) for g in grads))
        grads = [g * min(1, clip / norm) for g in grads]  # lesson 05
    return params, np.array(losses), np.array(forecasts)

# %% [markdown]
# Most of the measurements are from a well-known essay, "A Recipe for Training Neural Networks"
# (Andrej Karpathy, 2019), whose message is that training fails silently, so you build up
# trust in small steps. **First: fix the seed**, so that two runs differ only by what you changed.
# Here the start and the order of the data are arguments, so nothing is left to chance.
#
# **Second: look at the data** that go into the script.

# %% tags=["demonstration"]
LR, CLIP, BATCH, UNITS, AHEAD, STEPS = 0.35, 0.3, 32, 16, 4, 22
sunspots = data.sunspots()[1].reshape(-1, 6).mean(axis=1)  # half-years, as in lesson 09
valid_from, test_from = len(sunspots) - 140, len(sunspots) - 70
mean, std = sunspots[:valid_from].mean(), sunspots[:valid_from].std()
scaled = (sunspots[:test_from] - mean) / std  # with the training part's mean and std
windows = np.lib.stride_tricks.sliding_window_view(scaled, STEPS + AHEAD)
count = valid_from - STEPS - AHEAD + 1  # windows that end within the training part
xs, targets = windows[:count, :STEPS, None], windows[:count, -1]
valid_xs, valid_targets = windows[count:, :STEPS, None], windows[count:, -1]


def fresh_start(seed):
    """Return (parameters, order): the weights at the start and 300 batches."""
    rng = np.random.default_rng(seed)
    params = [
        rng.normal(0, 0.5, (1, UNITS)),
        np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0],  # a rotation: lesson 07
        np.zeros(UNITS),
        rng.normal(0, 0.1, (UNITS, 1)),
        np.zeros(1),
    ]
    batches = [rng.choice(len(xs), BATCH, replace=False) for _ in range(300)]
    return params, np.array(batches)


start, order = fresh_start(seed=0)
print("inputs", xs.shape, " targets", targets.shape)
print("the first window:", np.round(xs[0, -6:, 0], 2), "->", np.round(targets[0], 2))
print("in the series:   ", np.round(scaled[16:22], 2), "->", np.round(scaled[25], 2))
print(f"mean {xs.mean():.2f}, standard deviation {xs.std():.2f}")

# %% [markdown]
# The target is the fourth value after the window, as it should be, and the inputs are scaled. The
# data are in order. (What the script does with them, this does not show.)
#
# **Third: know the numbers to beat.** An untrained network outputs about 0, so its loss should be the
# mean square of the targets, as $\log C$ would be for $C$ classes. And two baselines need no network:
# always the mean, and the last value.
#
# **Predict.** By how much does the script beat the baselines?

# %% tags=["demonstration"]
def error_on(train, params, inputs, wanted):
    """Return the mean squared error; the script computes it, in an update of size 0."""
    rows = np.arange(len(inputs))
    return train(inputs, wanted, params, [rows], 0.0, CLIP)[1][0]


params, losses, _ = broken_train(xs, targets, start, order, LR, CLIP)
square = np.mean(targets[order[0]] ** 2)
print(f"loss at the start {losses[0]:.2f}, mean square of the targets {square:.2f}")
print("validation errors:")
print(f"always the mean  {np.mean((valid_targets - targets.mean()) ** 2):.2f}")
print(f"the last value   {np.mean((valid_targets - valid_xs[:, -1, 0]) ** 2):.2f}")
print(f"the script       {error_on(broken_train, params, valid_xs, valid_targets):.2f}")
smooth = np.convolve(losses, np.ones(20) / 20, "valid")
ax = plots.curves(
    np.arange(20, 301), {"": smooth}, title="300 updates without effect",
    xlabel="update", ylabel="mean squared error", ylim=(0, 1.6),
)
ax.axhline(np.mean(targets**2), color="grey", linestyle=":")
ax.text(20, 1.3, "dotted: always answering 0", color="grey")
plots.show(ax, f"The training loss stays near {smooth[-1]:.2f}, like an answer of 0.")

# %% [markdown]
# The start is as it should be. But after 300 updates the script is no better than the mean, which
# an untrained network outputs for nothing.
#
# **Fourth: an input-independent baseline.** Train again with all inputs set to zero. If the loss is
# the same, the network makes nothing of its inputs.
#
# **Fifth: overfit one batch.** A sound script learns 32 sequences by heart when it gets the same
# ones again and again. If it cannot do that, more data will not help.
#
# **Predict.** What will the two show?

# %% tags=["demonstration"]
def fit_measurements(train):
    """Print the losses with inputs, without, and on one batch that is repeated."""
    one = np.repeat(order[:1], 101, axis=0)
    with np.errstate(all="ignore"):
        with_inputs = train(xs, targets, start, order, LR, CLIP)[1][-50:].mean()
        without = train(0 * xs, targets, start, order, LR, CLIP)[1][-50:].mean()
        batch = train(xs, targets, start, one, LR, CLIP)[1]
    print(f"training loss {with_inputs:.3g}, with inputs of zero {without:.3g}")
    print(f"one batch: {batch[0]:.3g} at the start, {batch[100]:.3g} after 100 updates")


fit_measurements(broken_train)

# %% [markdown]
# The inputs might as well be zero. And a hundred updates on the same 32 sequences have hardly any
# effect. This points to two different faults.
#
# **Sixth: check the gradient** (lesson 05). We need not look inside the script. With a learning rate
# of 1 and a clipping limit of infinity, an update *is* the gradient that the script uses.

# %% tags=["demonstration"]
def gradient_ratio(train, eps=1e-5):
    """Return the gradient that is used divided by the measured one, for W_hh[0, 0]."""
    new = train(xs, targets, start, order[:1], 1.0, np.inf)[0]
    used = start[1][0, 0] - new[1][0, 0]
    losses = []
    for sign in (1, -1):
        moved = [p.copy() for p in start]
        moved[1][0, 0] += sign * eps
        losses.append(train(xs, targets, moved, order[:1], 0.0, CLIP)[1][0])
    return used / ((losses[0] - losses[1]) / (2 * eps))


print(f"used gradient / measured gradient: {gradient_ratio(broken_train):.5f}")

# %% [markdown]
# It should be 1. It is 0.03125, and such a number is a signature: $1/32$, and 32 is the size of a
# batch.
#
# **Seventh: which inputs does an output depend on?** The forecast for one sequence should depend on
# that sequence and on no other. Karpathy suggests measuring it with a gradient: take the output of
# *one* sequence and differentiate it with respect to *every* input in the batch. Wherever the
# gradient is not 0, something flows. The same measurement shows whether a language model can see the
# future.

# %% [markdown] nbgrader={"grade_id": "input_dependence_task", "locked": true}
# ### Your turn: `input_dependence` (3 points)
#
# | argument | |
# |---|---|
# | `predict` | a function from inputs (batch, steps, features) to outputs (batch,) |
# | `xs` | the inputs, (batch, steps, features) |
# | `row` | the number of a sequence in the batch |
# | `eps` | a small positive number |
#
# Return an array (batch, steps): the norm, over the features, of the gradient of output number `row`
# with respect to each step of each sequence. Since we cannot look inside `predict`, use central
# differences, one number of `xs` at a time: $(y(x + \epsilon) - y(x - \epsilon)) / 2\epsilon$, as in
# lesson 05. Do not change `xs`.

# %% nbgrader={"grade_id": "input_dependence", "solution": true}
def input_dependence(predict, xs, row, eps):
    """Return (batch, steps): how strongly output `row` depends on each step."""
    ### BEGIN SOLUTION
    slopes = np.zeros(xs.shape)
    for index in np.ndindex(*xs.shape):
        up, down = xs.copy(), xs.copy()
        up[index] += eps
        down[index] -= eps
        slopes[index] = (predict(up)[row] - predict(down)[row]) / (2 * eps)
    return np.sqrt(np.sum(slopes**2, axis=-1))
    ### END SOLUTION


# %% nbgrader={"grade_id": "input_dependence_test", "grade": true, "locked": true, "points": 3}
check(input_dependence)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(input_dependence)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Eight windows, each row of the map is one of them. We ask about the forecast for the
# first. What will the map look like?

# %% tags=["demonstration"]
def dependence_map(train):
    """Draw on which inputs of eight windows the first forecast depends."""
    some, eight = xs[::40][:8], np.arange(8)[None]

    def predict(inputs):
        return train(inputs, np.zeros(8), start, eight, 0.0, CLIP)[2][0]

    norms = input_dependence(predict, some, 0, 1e-4)
    others = np.sum(norms[1:] > 1e-9)
    ax = plots.grid_map(
        np.where(norms > 1e-9, norms, np.nan),  # blank where nothing flows
        title=f"The first forecast depends on {others} inputs of other windows",
        xlabel="step", ylabel="window", label="norm of the gradient (blank: 0)",
        log=True,
    )
    own = np.sum(norms[0] > 1e-9)
    plots.show(ax, f"Map of 8 windows by {STEPS} steps. The output of window 0 depends "
               f"on {own} of its own inputs and {others} inputs of others.")


dependence_map(broken_train)

# %% [markdown]
# A forecast reads three inputs of its own window and 19 of other windows. In training, with 32
# windows, at most one is its own. From such inputs the network cannot learn anything that holds for
# other windows.
#
# Now you know what to look for: a factor of 1/32, a mixture of sequences, and one fault that none of
# the measurements has shown. One of the other two hides it.

# %% [markdown] nbgrader={"grade_id": "repaired_train_task", "locked": true}
# ### Your turn: `repaired_train` (4 points)
#
# Copy `broken_train`, call the copy `repaired_train`, and repair it. Arguments and results stay as
# they are. `params` is `W_xh, W_hh, b_h, W_hy, b_y`, `order` is (updates, batch), and the gradients
# of an update, all of them together, have at most the norm `clip`.
#
# **One change at a time.** After each one, run the cell with `examine` below on your function, and
# expect a surprise: a correct repair can make the numbers *worse*. Then it has uncovered the next
# fault, and you do not take it back.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "repaired_train", "solution": true}
def repaired_train(xs, targets, params, order, lr, clip):
    """Train with one update for each row of `order`, which names the sequences to use.

    Return (params, losses, forecasts), the last two from before each update.
    """
    ### BEGIN SOLUTION
    steps, losses, forecasts = xs.shape[1], [], []
    for rows in order:
        W_xh, W_hh, b_h, W_hy, b_y = params
        x, target = xs[rows], targets[rows]
        x = x.transpose(1, 0, 2)
        hs = [np.zeros((len(rows), len(b_h)))]
        for x_t in x:
            hs.append(np.tanh(x_t @ W_xh + hs[-1] @ W_hh + b_h))
        forecast = (hs[-1] @ W_hy + b_y)[:, 0]
        losses.append(np.mean((forecast - target) ** 2))
        forecasts.append(forecast)

        dy = 2 * (forecast - target)[:, None] / len(rows)
        dW_hy, db_y = hs[-1].T @ dy, dy.sum(axis=0)
        dW_xh, dW_hh, db_h = (np.zeros(p.shape) for p in (W_xh, W_hh, b_h))
        dh = dy @ W_hy.T
        for t in reversed(range(steps)):
            da = dh * (1 - hs[t + 1] ** 2)
            dW_xh += x[t].T @ da
            dW_hh += hs[t].T @ da
            db_h += da.sum(axis=0)
            dh = da @ W_hh.T

        grads = dW_xh, dW_hh, db_h, dW_hy, db_y
        norm = np.sqrt(sum(np.sum(g**2) for g in grads))
        grads = [g * min(1, clip / norm) for g in grads]
        params = [p - lr * g for p, g in zip(params, grads)]
    return params, np.array(losses), np.array(forecasts)
    ### END SOLUTION


# %% tags=["demonstration"]
def examine(train):
    """Print the measurements that can change with a repair."""
    fit_measurements(train)
    with np.errstate(all="ignore"):
        params = train(xs, targets, start, order, LR, CLIP)[0]
        error = error_on(train, params, valid_xs, valid_targets)
        one = train(xs, targets, start, order[:1], LR, 1e-3)[0]
    print(f"validation error {error:.3g}")
    print(f"used gradient / measured gradient: {gradient_ratio(train):.5f}")
    length = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(one, start)))
    print(f"with a clipping limit of 0.001, an update is {length / (LR * 1e-3):.2f} "
          "times as long as it may be")
    dependence_map(train)


examine(repaired_train)

# %% tags=["from-scratch"] nbgrader={"grade_id": "repaired_train_test", "grade": true, "locked": true, "points": 4}
check(repaired_train)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(repaired_train)
### END HIDDEN TESTS

# %% [markdown]
# What happens depends on the order in which you repair. Medians of five seeds (always answering the
# mean has a validation error of 1.25):
#
# | repaired | training | validation | one batch, 100 updates |
# |---|---|---|---|
# | nothing, or only the clipping | 1.05 | 1.21 | 0.87 |
# | the average | 1.06 | 1.54 | explodes |
# | average and clipping | 1.06 | 1.23 | 0.14 |
# | the reading, with or without the clipping | 0.50 | 0.46 | 0.34 |
# | reading and average | explodes | explodes | explodes |
# | all three | 0.33 | 0.40 | 0.06 |
#
# Repairing the average makes the validation error worse and one batch explode, until the clipping
# works. Repairing the clipping changes none of these numbers until the average is right. If you
# undo a repair because the numbers did not improve, you never get to the last row.

# %% [markdown]
# Each measurement is blind to something. The gradient check does not see the mixture, because the
# gradient is right: it is the gradient of the wrong function. And with updates that are 32 times
# too small nothing explodes, so the clipping is not missed. None of the measurements so far showed
# it. `examine` therefore adds one: with a very small limit, the length of an update must be the
# learning rate times the limit.
#
# The repaired script is still a small one: 16 units, 300 updates, plain gradient descent. Karpathy's
# recipe goes on from here, and in this order: a larger model, until it overfits, then
# regularisation, and only then tuning.

# %% [markdown]
# This is the end of part 1. ☕

# %% [markdown]
# ## A shorter path
#
# A gradient vanishes on a long path: that of the last step must travel through **every** step to
# reach the first. Rotations, gates and clipping make the path safer. Only connections that skip
# steps (lesson 07) made it shorter.
#
# Attention goes further. In lesson 12 a Keras layer let the decoder look back at all states of the
# encoder. Then the loss is connected to each of these states directly.

# %% tags=["demonstration"]
plots.show(
    attention_graphs.path_lengths(40),
    "Left: a chain of states h1 to h40; the gradient walks back from h40 to h1 in 39 "
    "steps. Right: a context c above the states; an arrow leads from it to each state.",
)

# %% [markdown]
# Now we build it by hand. Think of a dictionary in which no entry matches exactly. What we look for
# is the **query** $q$. Every step offers a **key** $k_s$, by which it can be found, and a **value**
# $v_s$, which is what we then read. A **score** says how well key and query fit, softmax turns the
# scores into **attention weights** that sum to 1, and the **context** is the weighted sum of the
# values:
#
# $$e_{ts} = \frac{q_t \cdot k_s}{\sqrt d}, \qquad w_{ts} = \frac{\exp e_{ts}}{\sum_r \exp e_{tr}}, \qquad c_t = \sum_s w_{ts} \, v_s$$
#
# Here $t$ counts the queries, one for each output step, $d$ is the size of queries and keys, and
# $c_t$ is the context, not lesson 13's memory.

# %% [markdown]
# Bahdanau, Cho and Bengio (2014, published in 2015) introduced attention into translation. Their query
# is the decoder's previous state, so it changes with every output word, and a small network computes
# the score: $e_{ts} = \tanh(q_t W_q + k_s W_k) \, u$ with a learned vector $u$, the **additive** score.
# Luong and others (2015) used the **dot product**. Vaswani and others (2017) divided it by $\sqrt d$ and
# made the names query, key and value standard.
#
# **By hand.** One query $q = 1$, so $d = 1$, three keys $0, 0, \log 2$ and three values $4, 8, 2$. The
# exponentials of the scores are $1, 1, 2$, the weights $\frac14, \frac14, \frac12$, and the context is
# $1 + 2 + 1 = 4$.

# %% tags=["demonstration"]
plots.show(
    attention_graphs.attention(
        1.0, keys=[0.0, 0.0, np.log(2)], values=[4.0, 8.0, 2.0],
        weights=[0.25, 0.25, 0.5], names=["0", "0", "log 2"],
    ),
    "Three columns. Keys 0, 0, log 2 give the scores 0, 0, 0.69 with the query 1, then "
    "the weights 0.25, 0.25, 0.5, which multiply the values 4, 8, 2; the context is 4.",
)

# %% [markdown]
# Why the square root?
#
# **Predict.** Twenty random keys and a random query. How large is the largest weight for $d = 4$, 64
# and 1024, with the square root and without?

# %% tags=["demonstration"]
def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


rng = np.random.default_rng(0)
for d in (4, 64, 1024):
    some_queries, some_keys = rng.normal(size=(500, d)), rng.normal(size=(500, 20, d))
    scores = np.einsum("nd,nsd->ns", some_queries, some_keys)
    plain = softmax(scores).max(axis=1).mean()
    divided = softmax(scores / np.sqrt(d)).max(axis=1).mean()
    print(f"d = {d:4}: largest weight {plain:.2f}, with the root {divided:.2f} (mean)")

# %% [markdown]
# If the entries of $q$ and $k$ are independent, with mean 0 and variance 1, then $q \cdot k$ is a sum of
# $d$ products of variance 1, so its variance is $d$. With large scores softmax chooses a single step, and
# its gradient vanishes, as the derivation below shows. Dividing by $\sqrt d$ brings the variance back to
# 1, and the largest weight stays near 0.2, whatever $d$ is.

# %% [markdown] nbgrader={"grade_id": "attention_task", "locked": true}
# ### Your turn: `attention` (4 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `queries` | (batch, out_steps, d) | `context` | (batch, out_steps, v) |
# | `keys` | (batch, steps, d) | `weights` | (batch, out_steps, steps) |
# | `values` | (batch, steps, v) | | |
# | `mask` | (batch, steps), `True` where a step is real | | |
#
# Return the pair `context, weights`. Padding gets a weight of exactly 0, for all queries of a sequence.
# Each sequence has at least one real step. Scores can be 1000 and more: subtract the largest score of
# each query before `np.exp`, as in lesson 03.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "attention", "solution": true}
def attention(queries, keys, values, mask):
    """Return (context, weights) of scaled dot-product attention."""
    ### BEGIN SOLUTION
    scores = queries @ keys.transpose(0, 2, 1) / np.sqrt(queries.shape[-1])
    scores = np.where(mask[:, None, :], scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return weights @ values, weights
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "attention_test", "grade": true, "locked": true, "points": 4}
check(attention)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(attention)
### END HIDDEN TESTS

# %% [markdown]
# ## Back through attention
#
# We know $\textcolor{#D1368B}{dc_t}$, the gradient of the loss with respect to the context, and walk
# back through the three equations. For one query, omitting $t$:
#
# **The sum.** $c = \sum_s w_s v_s$ is a product of weights and values, and each factor gets the
# gradient times the other one:
#
# $$\textcolor{#D1368B}{dv_s} = w_s \, \textcolor{#D1368B}{dc}, \qquad \textcolor{#D1368B}{dw_s} = \textcolor{#D1368B}{dc} \cdot v_s$$

# %% [markdown]
# **Softmax.** Raising one score raises its own weight and lowers all the others, because they sum to
# 1. The quotient rule gives the Jacobian $\partial w_r / \partial e_s = w_r ([r = s] - w_s)$. Summed over
# all weights $r$ that $e_s$ affects:
#
# $$\textcolor{#D1368B}{de_s} = \sum_r \textcolor{#D1368B}{dw_r} \, w_r ([r = s] - w_s) = w_s \Big( \textcolor{#D1368B}{dw_s} - \sum_r w_r \, \textcolor{#D1368B}{dw_r} \Big)$$
#
# The sum is the weighted mean of the $\textcolor{#D1368B}{dw_r}$. A score has a gradient only if its
# $\textcolor{#D1368B}{dw_s}$ differs from this mean and its weight is not 0, and the
# $\textcolor{#D1368B}{de_s}$ of a query sum to 0.

# %% [markdown]
# **The scores.** $e_{ts} = q_t \cdot k_s / \sqrt d$ is a product again. A query meets all keys, and a key
# meets all queries, so the contributions add up:
#
# $$\textcolor{#D1368B}{dq_t} = \frac{1}{\sqrt d} \sum_s \textcolor{#D1368B}{de_{ts}} \, k_s, \qquad \textcolor{#D1368B}{dk_s} = \frac{1}{\sqrt d} \sum_t \textcolor{#D1368B}{de_{ts}} \, q_t$$
#
# **By hand**, with the numbers from above and $\textcolor{#D1368B}{dc} = 1$:
# $\textcolor{#D1368B}{dv} = (\frac14, \frac14, \frac12)$. The $\textcolor{#D1368B}{dw}$ are the
# values, $(4, 8, 2)$, with the weighted mean 4, so $\textcolor{#D1368B}{de} = (0, 1, -1)$. Hence
# $\textcolor{#D1368B}{dq} = -\log 2 = -0.693$ and $\textcolor{#D1368B}{dk} = (0, 1, -1)$.

# %% [markdown] nbgrader={"grade_id": "attention_backward_task", "locked": true}
# ### Your turn: `attention_backward` (3 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `dcontext` | (batch, out_steps, v) | `dqueries` | as `queries` |
# | `queries` | (batch, out_steps, d) | `dkeys` | as `keys` |
# | `keys` | (batch, steps, d) | `dvalues` | as `values` |
# | `values` | (batch, steps, v) | | |
# | `weights` | (batch, out_steps, steps), from `attention` | | |
#
# Return the three gradients of the loss, in this order. The mask needs no extra line: where a weight is 0,
# so is the gradient of its score.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "attention_backward", "solution": true}
def attention_backward(dcontext, queries, keys, values, weights):
    """Return (dqueries, dkeys, dvalues), the gradients of the loss."""
    ### BEGIN SOLUTION
    dvalues = weights.transpose(0, 2, 1) @ dcontext
    dweights = dcontext @ values.transpose(0, 2, 1)
    mean = np.sum(weights * dweights, axis=-1, keepdims=True)
    dscores = weights * (dweights - mean) / np.sqrt(queries.shape[-1])
    return dscores @ keys, dscores.transpose(0, 2, 1) @ queries, dvalues
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "attention_backward_test", "grade": true, "locked": true, "points": 3}
check(attention_backward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(attention_backward)
### END HIDDEN TESTS

# %% tags=["demonstration"]
numbers = [1.0], [0.0, 0.0, np.log(2)], [4.0, 8.0, 2.0]
q, k, v = (np.reshape(one, (1, -1, 1)) for one in numbers)
context, weights = attention(q, k, v, np.ones((1, 3), bool))
print("weights", weights.ravel().round(3), " context", context.ravel().round(3))
gradients = attention_backward(np.ones((1, 1, 1)), q, k, v, weights)
for name, gradient in zip(("dq", "dk", "dv"), gradients):
    print(name, gradient.ravel().round(3))

# %% [markdown]
# ### 39 steps or one
#
# Now measure the two paths of the drawing. A network with recurrent weights of 0.3 times a rotation
# reads 40 steps. Either the loss depends on the last state alone, or on the context of one query,
# with the states as keys and values.
#
# **Predict.** How large, in powers of ten, is the gradient that arrives at $h_1$ in each case?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
steps, units = 40, 24
W_hh = 0.3 * np.linalg.qr(rng.normal(size=(units, units)))[0]
inputs = rng.normal(size=(1, steps, 4))
query, dcontext = rng.normal(size=(1, 1, units)), rng.normal(size=(1, 1, units))
W_xh = 0.5 * rng.normal(size=(4, units))
hs, _ = cells.forward(inputs, None, W_xh, W_hh, np.zeros(units))

only_last = np.zeros_like(hs)
only_last[:, -1] = dcontext[:, 0]
_, weights = attention(query, hs, hs, np.ones((1, steps), bool))
_, dkeys, dvalues = attention_backward(dcontext, query, hs, hs, weights)

arrives = {}
for name, dhs in (("last state", only_last), ("attention", dkeys + dvalues)):
    sizes, dh_later = [], np.zeros(units)
    for t in reversed(range(steps)):  # lesson 04
        dh = dhs[0, t] + dh_later
        sizes.append(np.linalg.norm(dh))
        dh_later = (dh * (1 - hs[0, t] ** 2)) @ W_hh.T
    arrives[name] = np.array(sizes)
ax = plots.curves(
    np.arange(steps), arrives, title="Attention makes the path one step long", log=True,
    xlabel="steps back from the end", ylabel="norm of the gradient",
)
ends = ", ".join(f"{name} {line[-1]:.0e}" for name, line in arrives.items())
plots.show(ax, f"Norm of the gradient by steps back. At 39 steps: {ends}.")
print("at the first state:", ends)

# %% [markdown]
# The recurrent path still vanishes. Its matrix alone contributes $0.3^{39} \approx 4 \cdot 10^{-21}$, and
# tanh shrinks the gradient further. The other path does not depend on the distance, only on the
# attention weight of the step.

# %% [markdown]
# ## Your attention in a trained decoder
#
# Lesson 12's network, with half the units to save time: a `SimpleRNN` reads three to ten digits, another
# one writes them **backwards**, and Keras' `Attention(use_scale=True)` connects the two. It uses
# the plain dot product times one learned factor in place of $1 / \sqrt d$. We train it, and a second one
# that copies **forwards**. (About 30 seconds.)

# %% tags=["demonstration"]
PAD, START, END = 0, 1, 2
SIGNS = "_<>0123456789+"  # how the symbols 0, 1, 2, ... are shown


def as_arrays(texts, answers):
    """Return (sources, targets), padded as in lesson 12."""
    found = np.zeros((len(texts), max(map(len, texts))), int)
    wanted = np.zeros((len(texts), max(map(len, answers)) + 1), int)
    for row, text in zip(found, texts):
        row[len(row) - len(text) :] = [SIGNS.index(sign) for sign in text]
    for row, answer in zip(wanted, answers):
        row[: len(answer) + 1] = [*(SIGNS.index(sign) for sign in answer), END]
    return found, wanted


def digits(number, seed, shortest, longest, backwards):
    """Return arrays of random digits and what should be written."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, size=number)
    texts = ["".join(map(str, rng.integers(0, 10, size=length))) for length in lengths]
    return as_arrays(texts, [text[::-1] for text in texts] if backwards else texts)


def read(targets):
    """Return what the decoder reads: the targets, one step late."""
    return np.concatenate([np.full((len(targets), 1), START), targets[:, :-1]], axis=1)


def attentive_model(units=64):
    layers, symbols = keras.layers, len(SIGNS)
    source, written = (keras.Input((None,), dtype="int32") for _ in range(2))
    encoder = layers.SimpleRNN(units, return_sequences=True, return_state=True)
    hs, last = encoder(layers.Embedding(symbols, 32)(source))
    decoder = layers.SimpleRNN(units, return_sequences=True)
    states = decoder(layers.Embedding(symbols, 32)(written), initial_state=last)
    queries = layers.Dense(units, use_bias=False)(states)
    context = layers.Attention(use_scale=True)([queries, hs])
    logits = layers.Dense(symbols)(layers.Concatenate()([states, context]))
    model = keras.Model([source, written], logits)
    model.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


models = {}
for name in ("backwards", "forwards"):
    sources, wanted = digits(4000, 3, 3, 10, name == "backwards")
    keras.utils.set_random_seed(0)
    models[name] = attentive_model()
    real = (wanted != PAD).astype("float32")
    models[name].fit(
        [sources, read(wanted)], wanted, sample_weight=real, epochs=8, verbose=0
    )

# %% [markdown]
# Now we take the weights and compute everything in NumPy, with `cells.forward` for the two recurrent
# layers and *your* `attention` between them. The query is $q_t = s_t W_q$, where $s_t$ is the decoder's
# state. The encoder's states are keys and values at once. Lesson 12 did not mask the padding,
# so every step counts as real. Your function divides by $\sqrt d$ and Keras multiplies by its factor, so
# we multiply the queries by both.
#
# **Predict.** How closely will the logits agree?

# %% tags=["demonstration"]
def by_hand(model, sources, written):
    """Return (logits, attention weights) of the Keras model, without Keras."""

    def weights_of(kind):
        return [one.get_weights() for one in model.layers if isinstance(one, kind)]

    (table,), (written_table,) = weights_of(keras.layers.Embedding)
    encoder, decoder = weights_of(keras.layers.SimpleRNN)
    (W_q,), (W_hy, b_y) = weights_of(keras.layers.Dense)
    ((scale,),) = weights_of(keras.layers.Attention)
    hs, _ = cells.forward(table[sources], None, *encoder)
    states, _ = cells.forward(written_table[written], hs[:, -1], *decoder)
    queries = scale * np.sqrt(hs.shape[-1]) * (states @ W_q)
    context, weights = attention(queries, hs, hs, np.ones(sources.shape, bool))
    return np.concatenate([states, context], axis=-1) @ W_hy + b_y, weights


for name, model in models.items():
    sources, wanted = digits(200, 10, 10, 10, name == "backwards")
    logits, _ = by_hand(model, sources, read(wanted))
    from_keras = model.predict([sources, read(wanted)], verbose=0)
    difference = np.abs(logits - from_keras).max()
    right = np.all(logits.argmax(axis=-1) == wanted, axis=1).mean()
    print(f"{name:<10} largest difference of a logit {difference:.0e}, of logits "
          f"up to {np.abs(logits).max():.0f}; exact match at ten digits {right:.0%}")

# %% [markdown]
# The differences are those of float32, so this *is* the Keras model. (We feed the decoder the right
# symbols. If every prediction is right, it would have written the same symbols by itself, so this
# exact match is that of greedy decoding.)
#
# With five seeds, these models wrote 93 to 100 % of the ten-digit sequences backwards without an error,
# and 98 to 100 % forwards. Without attention, the same networks reached 20 to 43 % backwards and none
# at all forwards, where the first digit to write is the one that was read longest ago.

# %% [markdown]
# **Predict.** Next we draw where the two decoders look when they write ten digits, with a row for
# each written digit and a column for each source digit. How will the two maps differ?

# %% tags=["demonstration"]
text = "4071526389"
maps, looks = plots.new_row(width=9.3, height=4.0, count=2), {}
for ax, (name, model) in zip(maps, models.items()):
    answer = text[::-1] if name == "backwards" else text
    source, wanted = as_arrays([text], [answer])
    _, weights = by_hand(model, source, read(wanted))
    plots.grid_map(
        weights[0], title=f"Written {name}", xlabel="source", ylabel="written",
        label="attention weight", ax=ax,
    )
    ax.set_xticks(range(len(text)), list(text))
    ax.set_yticks(range(len(text) + 1), [*answer, "end"])
    looks[name] = (weights[0, :10].argmax(axis=1) + 1).tolist()
words = "; ".join(f"{name} at source places {places}" for name, places in looks.items())
plots.show(maps[0], f"Two alignments of ten digits. The largest weights: {words}.")

# %% [markdown]
# Written backwards, the weights run along the anti-diagonal, and forwards along the diagonal. Such
# a map is called an **alignment**, since in a translation it shows which word was made from which.
# Nobody told the network where to look. It need not even look at the digit that it writes, because
# the next state still holds it: in lesson 12, the weights lay one place beside the anti-diagonal.
# (In the rows named "end" there is no digit to look up, and the weights are arbitrary.)

# %% [markdown]
# ## Every step asks
#
# If attention does all that, do we still need the recurrence? In the **Transformer** (Vaswani and others,
# 2017) there is none left. *Every* step makes a query, a key and a value from its own input, and looks
# at all steps, itself included. This is **self-attention**, and with a row for each step it is one equation:
#
# $$Q = X W_q, \quad K = X W_k, \quad V = X W_v, \qquad C = \text{softmax}\Big( \frac{Q K^\top}{\sqrt d} \Big) V$$

# %% [markdown]
# A sum does not know the order of its terms, so an encoding of the position is added to each
# input. A **causal mask** hides the future from a model that writes. During training all steps are
# computed at once. The price is $T^2$ scores for $T$ steps, and when the model writes, it must keep the
# keys and values of everything it has read, the **key-value cache**, which grows with each step.
#
# A recurrent network keeps one state of fixed size. Whether it, too, can be trained in parallel, and what
# that costs, is the subject of lesson 15.

# %% [markdown] nbgrader={"grade_id": "clinic_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A friend shows you a forecasting model. Its loss is 0.01 on the training data and 0.01 on the
# validation data, where yesterday's value as a forecast has 0.20. When it is used on Monday, it is worse
# than yesterday's value. In three or four sentences: what do you suspect first, which measurement would
# show it, and which two of the nine faults can you exclude, and why? Write into the next cell
# (double-click it). Afterwards, `hint("clinic_in_words")` shows what a good answer says.

# %% [markdown] nbgrader={"grade_id": "clinic_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# A leak: the preparation gives the answer away, in training and validation data alike, for example with
# a window that contains its target or a column that was filled in afterwards. I would prepare old
# data exactly as they arrive on Monday and measure the loss there, or measure which inputs the forecast
# depends on: one that is not known on Monday should have a gradient of 0. Overfitting is excluded,
# because the validation loss is as low as the training loss. So are a wrong sign and a wrong learning rate,
# because the loss fell far below the baseline.
#
# *Marks.*
#
# - 1 point: a leak, or data that have changed since, with a measurement that would show it (data as they arrive in use, or the input dependence).
# - 1 point: two faults excluded, each for a valid reason (half a point for one). A vanishing gradient and wrong labels are *not* excluded: a leak hides both.
# ### END SOLUTION

# %% [markdown]
# And here are the equations of the course on one page, with the lesson that derives each:

# %% tags=["demonstration"]
equations()

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - A. Karpathy, "A Recipe for Training Neural Networks", 2019: the checklist in full, as an essay.
# - D. Bahdanau, K. Cho and Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and
#   Translate", 2014, ICLR 2015: attention, with the additive score and alignments.
# - M. Luong, H. Pham and C. Manning, "Effective Approaches to Attention-based Neural Machine
#   Translation", 2015: the dot product.
# - A. Vaswani and others, "Attention Is All You Need", 2017: queries, keys and values, the square root, the
#   Transformer.
# - C. Olah and S. Carter, "Attention and Augmented Recurrent Neural Networks", Distill, 2016: alignments to
#   explore with the mouse.

# %% [markdown]
# ## In three lines
#
# - Look in order: gradient, updates, training data, new data, use. A leak looks as good as health
#   until you measure on data as they arrive.
# - Measure: the loss at the start, a baseline, one batch, a gradient check, the input
#   dependence. Change one thing at a time, since a repair can uncover the next fault.
# - Attention compares a query with all keys and returns a weighted sum of the values. Each step is one
#   step away from the loss, at the price of keeping all of them.
#
# *Next: 15 · Recurrence returns.*
