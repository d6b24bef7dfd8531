# %% [markdown]
# # 14 · Clinic: broken networks, and where attention starts
#
# **After this lesson you can** look at a training run that fails, say what is wrong with it and mend it; and shorten the way of an error from
# many steps to one, with attention.
#
# **Time** about 100 minutes. **You need** lessons 02 to 08, 10, 12 and 13.

# %%
try:
    from rnn_helpers import check, equations, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import clinic, explorers, plots
from rnn_helpers.cards import Screen

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, without TensorFlow's start-up log

# %% [markdown]
# ## Nothing crashed
#
# The worst faults in this field raise no error. The program runs, a number goes down or does not, and after a day nobody knows why. So do as a doctor
# does: look at *several* things, in a fixed order, and suspect the common before the rare.

# %% [markdown]
# Ten patients wait. Each is the same small network with the same task: symbols 0 to 3 go by, and at the end it is to say which was the **first**. One of
# the ten is healthy. What we see of each:
#
# | name | shape | what it is |
# |---|---|---|
# | `"baseline"` | one number | the loss of an even guess, $\log 4 = 1.386$ |
# | `"train"` | (40,) | the loss on the sequences that it learns from, during the training |
# | `"held"` | (40,) | the loss on **new** sequences that were prepared by the same program |
# | `"alone"` | (40,) | the loss on new sequences **as they come at the exam**: nobody has prepared anything |
# | `"norms"` | (40,) | the norm of the gradient of the recurrent layer's weights |
# | `"updates"` | (40,) | the norm of an update, divided by the norm of the weights |
# | `"by_lag"` | (8, steps) | the norm of $\partial L / \partial h_{T-k}$ in column $k$: row 0 is from **before** the first step of training |
# | `"said"`, `"right"` | (12,) | what it says at the exam in the end, and what is right |

# %% [markdown]
# **Predict.** Go through the patients with the slider, and write down for each what may be wrong. Who is healthy? (The last column of the map is the first
# symbol: that far the error has to travel.)

# %% tags=["demonstration"]
patients = clinic.ward()[:10]
order = np.random.default_rng(14).permutation(10)
explorers.patient_explorer([patients[k][1] for k in order])

# %% [markdown]
# ## The round
#
# Nine illnesses and health, in the order in which to ask for them; the first that applies is the diagnosis. "Ends at" means the mean of the last eight points.
#
# Is there a gradient, and is it sound **before** the first step? (`by_lag[0, 0]` is the error at the end of the sequence, `by_lag[0, -1]` what is left of it at the first
# symbol.)
#
# 1. `"dead units"`: all of `norms` is exactly 0.
# 2. `"exploding gradient"`: `by_lag[0, -1]` is more than 30 times `by_lag[0, 0]`.
# 3. `"vanishing gradient"`: it is less than a ten-thousandth of it.

# %% [markdown]
# Are the steps sound?
#
# 4. If `train` ends at more than 1.2 times the baseline, it is worse than guessing. Then it is the `"wrong sign"` if the loss rises **steadily**, since somebody walks *up* the slope:
#    cut `train` into thirds (`np.array_split(..., 3)`); the mean of each is more than 1.3 times that of the third before.
# 5. Else it jumps about, and it is the `"learning rate too large"`.
# 6. `"learning rate too small"`: all of `updates` is below 0.0001.

# %% [markdown]
# What remains has a sound gradient and sound steps. Then the fault is in the **data**:
#
# 7. `"wrong answers"`: `train` ends at more than half the baseline. It *could* learn, but the answers do not belong to the questions.
# 8. `"overfitting"`: `held` ends at more than half the baseline. It has learnt its few sequences by heart, whatever their answers were.
# 9. `"leak"`: `alone` ends at more than half the baseline. It masters new sequences, but not the exam: something in the preparation gives the answer away.
# 10. `"healthy"`: none of all this.

# %% [markdown] nbgrader={"grade_id": "diagnose_task", "locked": true}
# ### Your turn: `diagnose` (5 points)
#
# `symptoms` is a dict as above. Return one of the ten names, as text. Your function is tried on new patients as well, some of them close to a limit of
# the round. Their sequences may be shorter or longer, and they may have another number of symbols, and so another baseline.


# %% nbgrader={"grade_id": "diagnose", "solution": true}
def diagnose(symptoms):
    """Return the name of what is wrong with a training run, or "healthy"."""
    ### BEGIN SOLUTION
    baseline, at_start = symptoms["baseline"], symptoms["by_lag"][0]
    ends = {name: np.mean(symptoms[name][-8:]) for name in ("train", "held", "alone")}
    if np.max(symptoms["norms"]) == 0:
        return "dead units"
    if at_start[-1] > 30 * at_start[0]:
        return "exploding gradient"
    if at_start[-1] < 1e-4 * at_start[0]:
        return "vanishing gradient"
    if ends["train"] > 1.2 * baseline:
        thirds = [np.mean(part) for part in np.array_split(symptoms["train"], 3)]
        rises = thirds[1] > 1.3 * thirds[0] and thirds[2] > 1.3 * thirds[1]
        return "wrong sign" if rises else "learning rate too large"
    if np.max(symptoms["updates"]) < 1e-4:
        return "learning rate too small"
    if ends["train"] > 0.5 * baseline:
        return "wrong answers"
    if ends["held"] > 0.5 * baseline:
        return "overfitting"
    return "leak" if ends["alone"] > 0.5 * baseline else "healthy"
    ### END SOLUTION


# %% nbgrader={"grade_id": "diagnose_test", "grade": true, "locked": true, "points": 5}
check(diagnose)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(diagnose)
### END HIDDEN TESTS

# %% tags=["demonstration"]
for number, k in enumerate(order, start=1):
    print(f"patient {number:>2}: {diagnose(patients[k][1])}")

# %% [markdown]
# Compare with your notes. Three patients teach more than the others. The one whose gradient **explodes** at the start learns in the end all the same, and the one whose gradient
# **vanishes** has begun to: sequences of seven steps forgive much, those of a hundred do not. That is why the map is asked before the curves. And the **leak** learns faster than the healthy one,
# and looks just as good on training and on new sequences. *Whoever looks at these two curves only sends it home.*

# %% [markdown]
# ## The pharmacy
#
# Five faults from real programs. For each you see the broken code at work; write it right. None of them raises an error, and each has cost somebody a week.

# %% [markdown]
# ### 1. A shape that fits too well
#
# A model gives predictions of the shape (batch, 1), the targets are (batch,). NumPy is helpful:

# %% tags=["demonstration"]
def broken_error(predictions, targets):
    return np.mean((predictions - targets) ** 2)


truth = np.array([1.0, 2.0, 3.0])
print("perfect predictions, error:", broken_error(truth[:, None], truth))
print("always the mean, error:    ", broken_error(np.full((3, 1), 2.0), truth))

# %% [markdown] nbgrader={"grade_id": "repair_error_task", "locked": true}
# The perfect answer is *worse* than always saying the mean! The difference has the shape (3, 3): every prediction is compared with every target. A network
# trained on that learns the mean, and hangs at the baseline.
#
# #### Your turn: `repair_error` (2 points)
#
# `predictions` is (batch, 1), `targets` is (batch,). Return the mean squared error, one number; each prediction is compared with its own target only.


# %% nbgrader={"grade_id": "repair_error", "solution": true}
def repair_error(predictions, targets):
    """Return the mean squared error of predictions (batch, 1) against targets (batch,)."""
    ### BEGIN SOLUTION
    return np.mean((predictions[:, 0] - targets) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "repair_error_test", "grade": true, "locked": true, "points": 2}
check(repair_error)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(repair_error)
### END HIDDEN TESTS

# %% [markdown]
# ### 2. The answer in the question
#
# A language model is to say the **next** symbol. Somebody cuts the texts into inputs and targets:

# %% tags=["demonstration"]
def broken_pairs(ids):
    return ids[:, :-1], ids[:, :-1]


xs, ys = broken_pairs(np.array([[7, 8, 9, 5]]))
print("reads", xs[0], " is to say", ys[0])

# %% [markdown] nbgrader={"grade_id": "repair_pairs_task", "locked": true}
# At each step it is to say what it has just read. The loss falls to zero within minutes: a leak.
#
# #### Your turn: `repair_pairs` (2 points)
#
# `ids` has the shape (batch, steps + 1). Return the pair `xs, ys`, each (batch, steps), so that `ys[:, t]` is the symbol that comes right after
# `xs[:, t]`.


# %% nbgrader={"grade_id": "repair_pairs", "solution": true}
def repair_pairs(ids):
    """Return (inputs, targets), each (batch, steps), where each target is the symbol after its input."""
    ### BEGIN SOLUTION
    return ids[:, :-1], ids[:, 1:]
    ### END SOLUTION


# %% nbgrader={"grade_id": "repair_pairs_test", "grade": true, "locked": true, "points": 2}
check(repair_pairs)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(repair_pairs)
### END HIDDEN TESTS

# %% [markdown]
# ### 3. A glimpse of the future
#
# Inputs are brought to mean 0 and standard deviation 1, each feature by itself. The training data and the test data, of course. But with whose mean?

# %% tags=["demonstration"]
def broken_scaling(train, test):
    def scaled(xs):
        return (xs - xs.mean(axis=(0, 1))) / xs.std(axis=(0, 1))

    return scaled(train), scaled(test)


rng = np.random.default_rng(0)
calm = rng.normal(0.0, 1.0, (50, 6, 1))
storm = rng.normal(5.0, 1.0, (50, 6, 1))  # something has happened since
print(f"the storm, as the model sees it: mean {broken_scaling(calm, storm)[1].mean():.2f}")

# %% [markdown] nbgrader={"grade_id": "repair_scaling_task", "locked": true}
# The storm has disappeared. In real use there is no "mean of the test data": it would have to be known before the data are there. A thermometer that sets its
# zero anew every morning sees no winter.
#
# #### Your turn: `repair_scaling` (2 points)
#
# `train` is (n, steps, features), `test` is (m, steps, features). Bring both to the scale of the **training** data, each feature by itself, over sequences and
# steps. Return the pair.


# %% nbgrader={"grade_id": "repair_scaling", "solution": true}
def repair_scaling(train, test):
    """Return (train, test), scaled with the mean and the standard deviation that the training data have."""
    ### BEGIN SOLUTION
    mean, std = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    return (train - mean) / std, (test - mean) / std
    ### END SOLUTION


# %% nbgrader={"grade_id": "repair_scaling_test", "grade": true, "locked": true, "points": 2}
check(repair_scaling)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(repair_scaling)
### END HIDDEN TESTS

# %% [markdown]
# ### 4. Other people's memories
#
# A stateful network (lessons 08 and 10) hands its state from batch to batch. In some rows of the batch a text has ended, and another begins. The program
# knows which, and does this:

# %% tags=["demonstration"]
def broken_state(h, begins):
    if begins.any():
        h = np.zeros_like(h)
    return h


h = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
print(broken_state(h, np.array([False, True, False])))

# %% [markdown] nbgrader={"grade_id": "repair_state_task", "locked": true}
# One text begins, and **all** lose their memory. (Who does nothing at all makes the opposite mistake: a new text begins with the memories of another.)
#
# #### Your turn: `repair_state` (2 points)
#
# `h` is (batch, units), `begins` (batch,) holds `True` where a new text begins. Return the states from which to go on: zero where a text begins, else as they
# were. Leave `h` itself alone: it is still needed.


# %% nbgrader={"grade_id": "repair_state", "solution": true}
def repair_state(h, begins):
    """Return the states (batch, units) with those rows at zero in which a new text begins."""
    ### BEGIN SOLUTION
    return np.where(begins[:, None], 0.0, h)
    ### END SOLUTION


# %% nbgrader={"grade_id": "repair_state_test", "grade": true, "locked": true, "points": 2}
check(repair_state)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(repair_state)
### END HIDDEN TESTS

# %% [markdown]
# ### 5. A start that cannot remember
#
# "Start with small weights", somebody has read:

# %% tags=["demonstration"]
def broken_start(W_hh):
    return 0.01 * W_hh


W_hh = np.random.default_rng(0).normal(size=(24, 24))
radius = np.abs(np.linalg.eigvals(broken_start(W_hh))).max()
print(f"spectral radius {radius:.3f}; over 30 steps at rest: {radius**30:.0e}")

# %% [markdown] nbgrader={"grade_id": "repair_start_task", "locked": true}
# Lesson 06: at rest, what happens over many steps is decided by the **spectral radius**, the largest absolute value of all eigenvalues, which may be complex numbers.
#
# #### Your turn: `repair_start` (2 points)
#
# Return `W_hh`, (units, units), multiplied by one number, so that its spectral radius is exactly 1.


# %% nbgrader={"grade_id": "repair_start", "solution": true}
def repair_start(W_hh):
    """Return W_hh, rescaled to a spectral radius of 1."""
    ### BEGIN SOLUTION
    return W_hh / np.abs(np.linalg.eigvals(W_hh)).max()
    ### END SOLUTION


# %% nbgrader={"grade_id": "repair_start_test", "grade": true, "locked": true, "points": 2}
check(repair_start)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(repair_start)
### END HIDDEN TESTS

# %% [markdown]
# ## A shorter way
#
# Every illness of memory in this course has one cause: the error of the last step has to walk through **all** steps to reach the first. Rotations, gates, and
# clipping make the way safer. Nothing so far has made it shorter.
#
# Here is an idea that does. Do not read out only $h_T$. Keep *all* states, and at the end **look back**: give each state a score, turn the scores into **attention weights**
# that sum to 1, and take the mean of the states with these weights:
#
# $$s_t = \frac{q \cdot h_t}{\sqrt{H}}, \qquad \alpha_t = \frac{e^{s_t}}{\sum_k e^{s_k}}, \qquad \text{context} = \sum_t \alpha_t h_t$$

# %% [markdown]
# $q$ is the **query**, a vector with one number for each unit: what we are looking for. $\alpha$ says where we look: this is **attention**, as Bahdanau, Cho and
# Bengio used it in 2014 to let a translator look back at the source. (They worked the score out with a small network. The scaled product is from Vaswani and
# others, 2017; dividing by $\sqrt{H}$ keeps the scores from growing with the number of units, $H$.)
#
# Theirs is the decoder's state, and so another one at every word. Where there is no decoder, as in our experiment below, one query is learnt for all sequences.

# %% [markdown]
# **By hand**, one unit, three states 0, 0, $\log 2$, and $q = 1$. The scores are the states; $e^s$ is 1, 1, 2; so $\alpha = \frac14, \frac14, \frac12$, and the
# context is $\frac12 \log 2 = 0.347$.

# %% [markdown] nbgrader={"grade_id": "attention_pool_task", "locked": true}
# ### Your turn: `attention_pool` (3 points)
#
# | argument | shape | result | shape |
# |---|---|---|---|
# | `hs` | (batch, steps, units) | `context` | (batch, units) |
# | `query` | (batch, units) | `weights` | (batch, steps) |
# | `mask` | (batch, steps), `True` where a step is real | | |
#
# Return the pair `context, weights`. Padding gets an attention weight of exactly 0. Scores may be large (subtract the largest before `np.exp`, lesson 03). Each sequence has
# at least one real step.


# %% nbgrader={"grade_id": "attention_pool", "solution": true}
def attention_pool(hs, query, mask):
    """Return (context, weights): the mean of the states, weighted by how well they fit the query."""
    ### BEGIN SOLUTION
    scores = np.einsum("btu,bu->bt", hs, query) / np.sqrt(hs.shape[2])
    scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.einsum("bt,btu->bu", weights, hs), weights
    ### END SOLUTION


# %% nbgrader={"grade_id": "attention_pool_test", "grade": true, "locked": true, "points": 3}
check(attention_pool)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(attention_pool)
### END HIDDEN TESTS

# %% [markdown]
# ### How long is the way?
#
# The error of the context, $d$, reaches $h_t$ directly on two roads: through the mean, as $\alpha_t d$; and through the score $s_t$, whose gradient is
# $\alpha_t (d \cdot h_t - \sum_k \alpha_k \, d \cdot h_k)$, since the slope of softmax is $\partial \alpha_k / \partial s_t = \alpha_k ([k = t] - \alpha_t)$: lesson 03's gradient of
# $\log p$, times $p$.
#
# **Predict.** Recurrent weights that are 0.3 times a rotation, 40 steps, an error at the very end. How large, in powers of ten, is what arrives at $h_1$ when only the last
# state is read? And when all states are pooled?

# %% tags=["demonstration"]
def pool_backward(dcontext, hs, query, weights):
    """Return dL/dh_t of the pool at each step, (batch, steps, units)."""
    fits = np.einsum("btu,bu->bt", hs, dcontext)
    dscores = weights * (fits - (weights * fits).sum(axis=1, keepdims=True))
    return weights[..., None] * dcontext[:, None] + dscores[..., None] * query[:, None] / np.sqrt(hs.shape[2])


rng = np.random.default_rng(0)
steps, units = 40, 24
W_hh = 0.3 * np.linalg.qr(rng.normal(size=(units, units)))[0]
xs, query, dcontext = rng.normal(size=(1, steps, 4)), rng.normal(size=(1, units)), rng.normal(size=(1, units))
hs, _ = cells.forward(xs, None, 0.5 * rng.normal(size=(4, units)), W_hh, np.zeros(units))
_, weights = attention_pool(hs, query, np.ones((1, steps), bool))
only_last = np.zeros_like(hs)
only_last[:, -1] = dcontext

arrives = {}
for name, dhs in (("last state", only_last), ("attention", pool_backward(dcontext, hs, query, weights))):
    sizes, dh_later = [], np.zeros(units)
    for t in reversed(range(steps)):  # lesson 04
        dh = dhs[0, t] + dh_later
        sizes.append(np.log10(np.linalg.norm(dh)))
        dh_later = (dh * (1 - hs[0, t] ** 2)) @ W_hh.T
    arrives[name] = np.array(sizes)
ax = plots.curves(
    np.arange(steps), arrives, title="Attention makes the way one step long", xlabel="lag: steps back from the end", ylabel="log10 of the error"
)
plots.show(ax, "Size of the error at each lag. At lag 39: " + ", ".join(f"{k} 10^{v[-1]:.1f}" for k, v in arrives.items()))

# %% [markdown]
# The path length is 40 in one case and **1** in the other. Through the recurrence the error vanishes as before; it does not matter any more, because it need not go
# that way.

# %% [markdown]
# ### Does it learn?
#
# A hundred steps. At each a number and a mark, and exactly one step is marked, anywhere. At the end: the number that was marked. Two Keras models with the same `SimpleRNN(16)`. One reads out the
# last state; the other pools all states with attention, and learns the query. Guessing the mean gives a squared error of 1/12 = 0.083.
#
# **Predict.** Where do the two end after six readings of 4000 sequences?

# %% tags=["demonstration"]
def marked_number(n, steps, rng):
    xs = np.zeros((n, steps, 2), np.float32)
    xs[..., 0] = rng.random((n, steps))
    place = rng.integers(0, steps, size=n)
    xs[np.arange(n), place, 1] = 1
    return xs, xs[np.arange(n), place, 0], place


def reader(attention, steps):
    xs = keras.Input((steps, 2))
    if attention:
        hs = keras.layers.SimpleRNN(16, return_sequences=True)(xs)
        # No padding, so no mask; and no root of H: a query that is learnt finds its own size.
        scores = keras.layers.Dense(1, use_bias=False, name="query")(hs)  # q . h_t at each step
        weights = keras.layers.Softmax(axis=1, name="weights")(scores)
        h = keras.layers.Flatten()(keras.layers.Dot(axes=1)([weights, hs]))
    else:
        h = keras.layers.SimpleRNN(16)(xs)
    model = keras.Model(xs, keras.layers.Dense(1)(h))
    model.compile(optimizer=keras.optimizers.Adam(0.01, clipnorm=1.0), loss="mse")
    return model


xs, ys, _ = marked_number(4000, 100, np.random.default_rng(0))
test_xs, test_ys, places = marked_number(500, 100, np.random.default_rng(1))
readers = {}
for name, attention in (("last state", False), ("attention", True)):
    keras.utils.set_random_seed(0)
    readers[name] = reader(attention, 100)
    readers[name].fit(xs, ys, epochs=6, batch_size=50, verbose=0)
    error = readers[name].evaluate(test_xs, test_ys, verbose=0)
    print(f"{name:<11} squared error on new sequences {error:.4f}   (guessing the mean: 0.083)")

# %% [markdown]
# Reading the last state only is no better than guessing, after as many rounds. And where does the other one look? The attention weights of one new sequence; nobody told it what
# a mark is for.

# %% tags=["demonstration"]
model = readers["attention"]
seen = keras.Model(model.inputs, model.get_layer("weights").output).predict(test_xs, verbose=0)[..., 0]
ax = plots.curves(
    np.arange(1, 101), {"weight": seen[0]}, title=f"It looks at step {seen[0].argmax() + 1}; the mark was at step {places[0] + 1}", xlabel="step", ylabel="attention weight"
)
ax.axvline(places[0] + 1, color="grey", linestyle=":")
plots.show(ax, f"Shares over 100 steps; the largest is {seen[0].max():.2f} at step {seen[0].argmax() + 1}, the mark is at step {places[0] + 1}.")
behind = seen.argmax(axis=1) - places
print(f"steps from the mark to where it looks most: {np.median(behind):.0f} in the middle; from 0 to 4 in {np.mean((behind >= 0) & (behind <= 4)):.0%} of 500 new sequences")

# %% [markdown]
# Here it looks two steps behind the mark; with another seed it may be one, or none. Nothing forces it: the state still holds the number a moment later, and any of these places will
# do. Both parts do what they are good at. The recurrent network remembers for a moment, the attention over a hundred steps.

# %% [markdown]
# ## Where the field went
#
# If looking back does all that, why walk at all? In 2017 Vaswani and others left the recurrence out: in their **Transformer** every step looks at the others (when it writes, at the earlier
# ones). Each way is one step long, and while it learns or reads, all steps are worked out at once. The price: $T$ steps need $T^2$ scores, and to write the next word one
# must keep all that came before.

# %% [markdown]
# That price brought recurrence back. If the step is *linear* in the state, many steps can be taken in parallel, and what must be kept stays small: S4 (Gu, Goel and Ré,
# 2021), linear recurrent units (Orvieto and others, 2023), Mamba (Gu and Dao, 2023), and in part xLSTM, an LSTM for these times (Beck and others, 2024). What you have
# learnt here, states, gates, products of Jacobians, eigenvalues near 1, is what these papers are written in.

# %% [markdown] nbgrader={"grade_id": "clinic_in_words_task", "locked": true}
# ### Your turn: in your own words (2 points, read by a human)
#
# A friend shows you a forecasting model. Its loss is 0.01 in training and 0.01 on held-out data, where yesterday's value as a forecast has 0.20. When it is used on Monday, it is worse than
# yesterday's value. In three or four sentences: what do you suspect first, which experiment would tell, and which two illnesses of this lesson can you exclude, and why? Write into the next
# cell (double-click it). Afterwards, `hint("clinic_in_words")` shows what a good answer says.

# %% [markdown] nbgrader={"grade_id": "clinic_in_words", "grade": true, "solution": true, "points": 2}
# ### BEGIN SOLUTION
# A leak: something in the preparation gives the answer away, in training and held-out data alike, such as a window that contains its target or a scale computed from the whole
# series. I would prepare old data exactly as they arrive on Monday, without anything from the future, and measure the loss there. Overfitting is excluded, because the loss on
# held-out data is as low as in training; so are a wrong sign and steps that are too large or too small, because the loss fell far below the baseline.
#
# *Marks.*
#
# - 1 point: a leak, or data that have changed since, with an experiment on data as they arrive in use.
# - 1 point: two illnesses excluded, each for a valid reason (half a point for one). A vanishing gradient and wrong answers are *not* excluded: a leak hides both.
# ### END SOLUTION

# %% [markdown]
# And here is everything on one page, with the lesson that derives it:

# %% tags=["demonstration"]
equations()

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Look in order: the gradient before training, the loss against its baseline, the size of the steps, then the data: new sequences, and the exam.
# - The loss alone is no diagnosis: a leak looks as good as health, and comes sooner.
# - Attention pools all states: the way of an error is one step long, at the price of keeping everything.
#
# *Next: 15 · Recurrence returns.*
