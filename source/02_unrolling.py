# %% [markdown]
# # 02 · Unrolling: one cell, many copies
#
# **After this lesson you can** read a recurrent network as a long chain of copies, say what sharing weights does to a
# gradient, and run sequences of *different* lengths through a network together, without the short ones noticing.
#
# **Time** about 75 minutes. **You need** lesson 01.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError("Wrong kernel: use `make lab`, or choose the Python in .venv") from None

import numpy as np

from rnn_helpers import data, explorers, graphs, plots


def rnn_step(x_t, h_prev, W_xh, W_hh, b_h):
    """Lesson 01's step: h_t = tanh(x_t W_xh + h_prev W_hh + b_h)."""
    return np.tanh(x_t @ W_xh + h_prev @ W_hh + b_h)


def random_cell(features, units, rng):
    """Return weights (W_xh, W_hh, b_h) of a size that neither fades nor explodes at once."""
    W_xh = rng.normal(size=(features, units)) / np.sqrt(features)
    W_hh = rng.normal(size=(units, units)) / np.sqrt(units)
    return W_xh, W_hh, 0.1 * rng.normal(size=units)


# %% [markdown]
# ## The loop, pulled straight
#
# A loop is a good way to *compute* a recurrence. But to learn, we will have to ask of every weight: if I turn it up a little, what
# happens in the end? (The answer, for all weights together, is called the **gradient**.) For that question a loop is a bad picture. So
# we pull it straight: instead of one cell that is used three times, we write three copies.

# %% [markdown]
# $$h_1 = \tanh(x_1 W_{xh} + h_0 W_{hh} + b_h)$$
# $$h_2 = \tanh(x_2 W_{xh} + h_1 W_{hh} + b_h)$$
# $$h_3 = \tanh(x_3 W_{xh} + h_2 W_{hh} + b_h)$$
#
# Nothing was computed differently. But there is no loop any more: values only flow forwards, from copy to copy. Such a chain is called a
# *feed-forward network*, its copies *layers*; this one has a new input at each layer and the *same weights in every layer*.
# Pulling the loop straight is called **unrolling**.

# %% [markdown]
# ### A thought that pays off later
#
# Who says that the copies must be equal? For a moment let each have its own weights: $W_{hh}^{(1)}, W_{hh}^{(2)}, W_{hh}^{(3)}$.
# That is an ordinary deep network. A recurrent network is the special case where somebody keeps all copies equal.
#
# With different copies we can ask a question that the loop hides: *what does the weight in copy 2 do*? In lesson 04 the
# answer turns into backpropagation through time.

# %% [markdown]
# ## Half the work: two copies
#
# Two copies, each with its own cell. A cell is a triple `(W_xh, W_hh, b_h)`, and `rnn_step(x_t, h, *cell)` unpacks it.
# The second copy is missing. (No points.)

# %% nbgrader={"grade_id": "two_copies", "solution": true}
def two_copies(xs, h_0, cells):
    h_1 = rnn_step(xs[:, 0], h_0, *cells[0])
    # h_2 = ...
    ### BEGIN SOLUTION
    h_2 = rnn_step(xs[:, 1], h_1, *cells[1])
    ### END SOLUTION
    return np.stack([h_1, h_2], axis=1)


# %% tags=["demonstration"]
first = (np.array([[0.5]]), np.array([[1.0]]), np.zeros(1))
second = (np.array([[0.1]]), np.array([[1.0]]), np.zeros(1))
print("expected: [0.462 0.51 ]")
print("yours:   ", two_copies(np.ones((1, 2, 1)), np.zeros((1, 1)), [first, second]).ravel().round(3))

# %% [markdown] nbgrader={"grade_id": "unroll_task", "locked": true}
# ### Your turn: `unroll` (5 points)
#
# Run as many copies as there are cells, each with its own weights, and return all the states.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `hs` | (batch, steps, units) |
# | `h_0` | (batch, units) | | | |
# | `cells` | a list of `steps` triples (`W_xh`, `W_hh`, `b_h`) | | | |

# %% nbgrader={"grade_id": "unroll", "solution": true}
def unroll(xs, h_0, cells):
    """Return all states, (batch, steps, units); step t of the loop uses the weights cells[t]."""
    ### BEGIN SOLUTION
    h = h_0
    states = []
    for t, (W_xh, W_hh, b_h) in enumerate(cells):
        h = rnn_step(xs[:, t], h, W_xh, W_hh, b_h)
        states.append(h)
    return np.stack(states, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "unroll_test", "grade": true, "locked": true, "points": 5}
check(unroll)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(unroll)
### END HIDDEN TESTS

# %% [markdown]
# ## The picture everybody draws, from your own code
#
# The coloured strips are the states that **your** `unroll` computes, one strip for each copy, orange for negative and purple for
# positive.
#
# **Predict.** When the slider goes from 4 to 5, do the first four strips change? Then run the cell and move the slider.

# %% tags=["demonstration"]
rng = np.random.default_rng(5)
cell = random_cell(2, 5, rng)
xs = rng.normal(size=(1, 8, 2))
explorers.unroll_explorer(unroll, xs, np.zeros((1, 5)), cell)

# %% [markdown]
# They do not: $h_4$ was made from $x_1 \ldots x_4$ and cannot know that more is coming. A recurrent network is **causal**. (Lesson
# 11 builds one that is not, by reading the sequence backwards as well.)
#
# The picture above gives one answer at the end: **many-to-one**, as in "is this review friendly?". With a readout above each copy
# it is **many-to-many**, as in "what is the next letter?":

# %% tags=["demonstration"]
ax = graphs.unrolled(unroll(xs[:, :5], np.zeros((1, 5)), [cell] * 5)[0], outputs="all")
plots.show(ax, (
    "Five copies of the cell in a row, each with an input from below, an output above, and an "
    "arrow to the next copy."
))

# %% [markdown]
# ## What sharing does to a gradient
#
# Wiggle one weight of the *shared* $W_{hh}$: all copies move at once. Wiggle it in copy 2 only: the other copies stay. Let $s$ be the sum
# of the last state's units: one number to watch. (In lesson 03 it will be the *loss*, a number that says how wrong we are.)
#
# **Predict.** How does the slope of $s$ for the shared weight relate to the slopes for the four copies: is it their mean, their sum,
# or their product?

# %% tags=["demonstration"]
def s_when_wiggled(copies, eps, steps=4):
    """Return s with eps added to entry (0, 1) of W_hh in the given copies only."""
    W_xh, W_hh, b_h = cell
    wiggled = W_hh.copy()
    wiggled[0, 1] += eps
    cells = [(W_xh, wiggled if t in copies else W_hh, b_h) for t in range(steps)]
    return unroll(xs[:, :steps], np.zeros((1, 5)), cells)[:, -1].sum()


def slope(copies, eps=1e-6):
    """Return ds/dW by a central difference: (s(W + eps) - s(W - eps)) / (2 eps)."""
    return (s_when_wiggled(copies, eps) - s_when_wiggled(copies, -eps)) / (2 * eps)


# %% tags=["demonstration"]
slopes = [slope({t}) for t in range(4)]
for t, value in enumerate(slopes, start=1):
    print(f"copy {t} alone: {value:+.6f}")
print(f"their sum:    {sum(slopes):+.6f}")
print(f"all together: {slope({0, 1, 2, 3}):+.6f}")

# %% [markdown]
# The sum. **The gradient of a shared weight is the sum of the gradients of its copies.** It is the chain rule for anything that
# is used twice: take $u \cdot v$ with both equal to $w$. Wiggling $u$ alone gives slope $v = w$, wiggling $v$ alone gives $u = w$, and
# the slope of $w^2$ is $w + w$.
#
# Look at copy 1: with $h_0 = 0$ its $W_{hh}$ multiplies zeros, so its slope is 0. In lesson 04 this sum over copies *is*
# backpropagation through time.

# %% [markdown]
# ## Sequences of different lengths
#
# In lesson 01 we read the first line of *The Zen of Python*. The poem has nineteen lines. Their lengths differ, and an array has no room
# for that:

# %% tags=["demonstration"]
lines = data.zen_lines()
alphabet = "".join(sorted(set("".join(lines))))
sequences = [data.one_hot(line, alphabet) for line in lines]      # a list of (characters, letters)
lengths = [len(s) for s in sequences]
print(f"{len(lines)} lines, the shortest has {min(lengths)} characters, the longest {max(lengths)}")

# %% [markdown]
# We lay them into one box as long as the longest and fill the rest with zeros: **padding**. Then we remember what is real, in a
# **mask** of True and False. One without the other is worthless: a row of zeros could be an input too.
#
# For example the two sequences [5, 6, 7] and [8]:
#
# | | `xs` | `mask` |
# |---|---|---|
# | first | 5, 6, 7 | True, True, True |
# | second | 8, **0, 0** | True, **False, False** |

# %% [markdown] nbgrader={"grade_id": "pad_batch_task", "locked": true}
# ### Your turn: `pad_batch` (5 points)
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `sequences` | a list of arrays (its own steps, features) | | `xs` | (batch, longest steps, features) |
# | | | | `mask` | (batch, longest steps), `dtype=bool`, True where a step is real |
#
# Padding comes after the sequence, and is zero. Return the pair `xs, mask`.

# %% nbgrader={"grade_id": "pad_batch", "solution": true}
def pad_batch(sequences):
    """Return (xs, mask): the sequences in one array, zeros after their ends, and where they are real."""
    ### BEGIN SOLUTION
    steps = max(len(s) for s in sequences)
    features = sequences[0].shape[1]
    xs = np.zeros((len(sequences), steps, features))
    mask = np.zeros((len(sequences), steps), dtype=bool)
    for row, s in enumerate(sequences):
        xs[row, :len(s)] = s
        mask[row, :len(s)] = True
    return xs, mask
    ### END SOLUTION


# %% nbgrader={"grade_id": "pad_batch_test", "grade": true, "locked": true, "points": 5}
check(pad_batch)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(pad_batch)
### END HIDDEN TESTS

# %% [markdown]
# ## Is padding silence?
#
# **Predict.** A short line is followed by 50 padded steps of zeros. Its input is zero there, so the network "hears nothing". Is the
# state at the end of the box still the state at the end of the line?

# %% tags=["demonstration"]
rng = np.random.default_rng(8)
units = 6
zen_cell = random_cell(len(alphabet), units, rng)
padded, mask = pad_batch(sequences)

short = int(np.argmin(lengths))
alone = unroll(sequences[short][None], np.zeros((1, units)), [zen_cell] * lengths[short])
in_the_box = unroll(padded[short:short + 1], np.zeros((1, units)), [zen_cell] * padded.shape[1])
print(repr(lines[short]))
print("end of the line:", alone[0, -1].round(2))
print("end of the box: ", in_the_box[0, -1].round(2))

longer_box = np.concatenate([padded, np.zeros_like(padded)], axis=1)
rest = unroll(longer_box, np.zeros((len(lines), units)), [zen_cell] * longer_box.shape[1])[:, -1]
print(f"after 69 more zeros all lines differ by {np.abs(rest - rest[0]).max():.0e} at most, zero up to rounding")

# %% tags=["demonstration"]
end = lengths[short]
ax = plots.heat_map(in_the_box[0], title=f"The line ends at step {end}; the memory goes on without it", step=end)
plots.show(ax, (
    "States of six units. After the framed last real step the colours drift for some ten steps, "
    "although the input is zero, and then rest at other values."
))

# %% [markdown]
# It is not. With a zero input the step still computes $\tanh(h_{t-1} W_{hh} + b_h)$: the memory keeps rewriting itself until it
# rests at a state that knows nothing of the line, the same for all nineteen. Zeros are an input like any other.
#
# The cure: where the mask is False, **keep the state as it is**.
#
# $$h_t = \begin{cases} \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h) & \text{where the mask is True} \\ h_{t-1} & \text{where it is False}
# \end{cases}$$
#
# The choice is made for each sequence of the batch separately. `np.where(condition, a, b)` picks from `a` or `b`, number by number; a
# condition of shape (batch, 1) picks whole rows.

# %% tags=["demonstration"]
old = np.array([[1, 1, 1], [2, 2, 2]])
new = np.array([[7, 7, 7], [8, 8, 8]])
on = np.array([True, False])
print(np.where(on[:, None], new, old))           # on[:, None] has shape (2, 1)

# %% [markdown] nbgrader={"grade_id": "rnn_forward_masked_task", "locked": true}
# ### Your turn: `rnn_forward_masked` (5 points)
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `hs` | (batch, steps, units) |
# | `mask` | (batch, steps), True where real | | | |
# | `h_0` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | as always | | | |
#
# At a masked step the state is kept, and the kept state is what `hs` shows there.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "rnn_forward_masked", "solution": true}
def rnn_forward_masked(xs, mask, h_0, W_xh, W_hh, b_h):
    """Return all states, (batch, steps, units); where the mask is False the state stays as it was."""
    ### BEGIN SOLUTION
    h = h_0
    states = []
    for t in range(xs.shape[1]):
        h = np.where(mask[:, t, None], rnn_step(xs[:, t], h, W_xh, W_hh, b_h), h)
        states.append(h)
    return np.stack(states, axis=1)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_forward_masked_test", "grade": true, "locked": true, "points": 5}
check(rnn_forward_masked)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(rnn_forward_masked)
### END HIDDEN TESTS

# %% [markdown]
# Now all nineteen lines go through together, and the short one does not notice:

# %% tags=["demonstration"]
all_states = rnn_forward_masked(padded, mask, np.zeros((len(lines), units)), *zen_cell)
difference = np.abs(all_states[short, -1] - alone[0, -1]).max()
print(f"largest difference to the line on its own: {difference:.0e}, zero up to rounding")

title = "With the mask, the memory holds still after the last letter"
ax = plots.heat_map(all_states[short], title=title, step=lengths[short])
plots.show(ax, (
    "States of six units. After the framed last real step every row keeps its colour to the end "
    "of the box."
))

# %% [markdown]
# ## The last real state
#
# With our masked loop the last column holds the answer for everybody. Not every library stores it that way, and for outputs at each
# step one needs the place, not only the state. So: where does each row of the mask end?

# %% [markdown] nbgrader={"grade_id": "last_state_task", "locked": true}
# ### Your turn: `last_state` (5 points)
#
# Pick each sequence's state at its last real step: the last True in its row of the mask. There may be gaps before it (a sensor
# that failed for a moment, say). Every sequence has at least one real step.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `hs` | (batch, steps, units) | | the last real states | (batch, units) |
# | `mask` | (batch, steps) | | | |

# %% nbgrader={"grade_id": "last_state", "solution": true}
def last_state(hs, mask):
    """Return hs at the last True of each row of the mask, shape (batch, units)."""
    ### BEGIN SOLUTION
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    return hs[np.arange(len(hs)), last]
    ### END SOLUTION


# %% nbgrader={"grade_id": "last_state_test", "grade": true, "locked": true, "points": 5}
check(last_state)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(last_state)
### END HIDDEN TESTS

# %% [markdown]
# ## Many-to-one, for real
#
# Nineteen lines of any length, nineteen states of six numbers: every line has become a point of the same size. Which two lines end
# most alike for a network that has learnt nothing?
#
# **Predict.** What could such a network possibly find similar in two lines: their length, their meaning, or their last letters?

# %% tags=["demonstration"]
ends = last_state(all_states, mask)
pairs = [(i, j) for i in range(len(lines)) for j in range(i)]
distances = np.array([np.linalg.norm(ends[i] - ends[j]) for i, j in pairs])
print(f"half of all pairs are further apart than {np.median(distances):.2f}")
for nearest in np.argsort(distances)[:2]:
    i, j = pairs[nearest]
    print(f"{distances[nearest]:.3f}  {lines[j]} | {lines[i]}")

# %% [markdown]
# Two lines that mean the opposite sit closest together, because they end in the same letters; and so do the next two. With these
# random weights a memory hears mostly how a line *ends*. All that makes it useful is learnt, and to learn we need a loss. That is
# lesson 03.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - **Unrolled**, a recurrent network is a deep feed-forward network whose layers share one set of weights.
# - The gradient of a shared weight is the **sum** over its copies.
# - Different lengths need padding **and** a mask: where the mask is False, the state is kept.
#
# *Next: 03 · The loss.*
