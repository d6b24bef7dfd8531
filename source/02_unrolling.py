# %% [markdown]
# # 02 · Unrolling: one cell, many copies
#
# **After this lesson you can** draw a recurrent network as a chain of copies, explain
# what sharing weights means for the gradient, measure that gradient, and process sequences
# of *different* lengths together in one batch.
#
# **Time** about 110 minutes. **You need** lesson 01.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import data, explorers, graphs, plots


def rnn_step(x_t, h_prev, W_xh, W_hh, b_h):
    """Lesson 01's step: h_t = tanh(x_t W_xh + h_prev W_hh + b_h)."""
    return np.tanh(x_t @ W_xh + h_prev @ W_hh + b_h)


def random_cell(features, units, rng):
    """Return random weights (W_xh, W_hh, b_h) of a moderate size."""
    W_xh = rng.normal(size=(features, units)) / np.sqrt(features)
    W_hh = rng.normal(size=(units, units)) / np.sqrt(units)
    return W_xh, W_hh, 0.1 * rng.normal(size=units)


# %% [markdown]
# ## From a loop to a chain
#
# A loop is the natural way to *compute* a recurrence. To *train* a network, we will have
# to ask of every weight how much the output changes when the weight changes a little.
# These rates of change, for all weights together, are called the **gradient** of the
# output. A loop hides the answer, because one weight acts at every step.
#
# So we write out every step. For three steps:
#
# $$h_1 = \tanh(x_1 W_{xh} + h_0 W_{hh} + b_h)$$
# $$h_2 = \tanh(x_2 W_{xh} + h_1 W_{hh} + b_h)$$
# $$h_3 = \tanh(x_3 W_{xh} + h_2 W_{hh} + b_h)$$

# %% [markdown]
# This is called **unrolling** the network. The computation has not changed, but there is
# no loop any more: we see three copies of one **cell**, and values flow from each copy to
# the next. A network without loops is called **feed-forward**. One matrix product with
# its activation function is a **layer**, and a network with many layers is **deep**. So
# an unrolled network is a deep feed-forward network with two peculiarities: there is a
# new input at each layer, and all layers share the same weights.

# %% [markdown]
# ### What if the copies were different?
#
# Nothing in the three equations forces the copies to be equal. For a moment, let each
# have weights of its own: $W_{hh}^{(1)}, W_{hh}^{(2)}, W_{hh}^{(3)}$, and so on. The
# recurrent network is the special case in which they are equal in all copies. Weights
# that are kept equal are called **shared** or **tied**.
#
# Untying the weights lets us ask a question that the loop hides: what does the weight do
# *in copy 2*? Paul Werbos used this idea to derive gradients in the 1970s, and in lesson 04 it gives us
# backpropagation through time.

# %% [markdown]
# ### Warm-up: `unroll`
#
# `cells` is a list with one triple `(W_xh, W_hh, b_h)` for each time step. Complete the
# loop, so that step `t` uses the weights in `cells[t]`. (No points. In Python
# `f(*triple)` passes the three items as three arguments.)

# %% nbgrader={"grade_id": "unroll", "solution": true}
def unroll(xs, h_0, cells):
    """Return all states, (batch, steps, units); step t uses the weights cells[t]."""
    h = h_0
    states = []
    for t, cell in enumerate(cells):
        # update h here
        ### BEGIN SOLUTION
        h = rnn_step(xs[:, t], h, *cell)
        ### END SOLUTION
        states.append(h)
    return np.stack(states, axis=1)


# %% tags=["demonstration"]
two_cells = [(np.array([[w]]), np.array([[1.0]]), np.zeros(1)) for w in (0.5, 0.1)]
print("expected: [0.462 0.51 ]")
two_states = unroll(np.ones((1, 2, 1)), np.zeros((1, 1)), two_cells)
print("yours:   ", two_states.ravel().round(3))

# %% [markdown]
# ## The unrolled network, drawn from your code
#
# The coloured strips are the states that **your** `unroll` computes, orange for negative
# and purple for positive values.
#
# **Predict.** When you move the slider from 4 to 5 steps, do the first four strips
# change? Run the cell and try it.

# %% tags=["demonstration"]
rng = np.random.default_rng(5)
cell = random_cell(2, 5, rng)
xs = rng.normal(size=(1, 8, 2))
explorers.unroll_explorer(unroll, xs, np.zeros((1, 5)), cell)

# %% [markdown]
# They do not change, since $h_4$ depends on $x_1, \ldots, x_4$ only. A network whose
# state never depends on later inputs is called **causal**. (Lesson 11 builds one that is
# not causal, by also reading the sequence from its end.)

# %% [markdown]
# ## Five ways to use a chain
#
# What goes in and what comes out can be arranged in several ways. Here are the five that
# cover nearly all applications, after a figure by Andrej Karpathy (2015):

# %% tags=["demonstration"]
plots.show(graphs.patterns(), (
    "Five small diagrams of inputs below, states in the middle and outputs above. One "
    "to one: one of each, not recurrent. One to many: one input, three states, three "
    "outputs. Many to one: three inputs, one output at the end. Many to many: three of "
    "each, with an output at each step. Sequence to sequence: three inputs are read "
    "first, then two outputs are written."
))

# %% [markdown]
# | pattern | example | lesson |
# |---|---|---|
# | one to one | classify an image; not recurrent | |
# | one to many | describe an image in words | |
# | **many to one** | is this review friendly? | 08 |
# | **many to many** | what is the next character, at each step? | 03 to 05, 10, 11 |
# | **sequence to sequence** | translate a sentence | 12 |

# %% [markdown]
# ## The gradient of a shared weight
#
# Take one weight $w$ of the recurrent matrix, and one number that depends on it: let $s$ be
# the sum of the last state's units. (From lesson 03 on that number will be the **loss**,
# which says how wrong the network is.) With untied copies we can change the weight in
# copy 2 only. Call the rate at which $s$ then changes $g_2$; it is the derivative of $s$
# with respect to that copy's weight, written $\partial s / \partial w^{(2)}$, with all
# other copies held fixed.

# %% [markdown]
# What if the weights of *all* copies change, each by a little $dw^{(t)}$? Small changes
# add up:
#
# $$ds = g_1 \, dw^{(1)} + g_2 \, dw^{(2)} + \ldots + g_T \, dw^{(T)}$$
#
# For a shared weight all $dw^{(t)}$ are the same $dw$, and so
# $ds / dw = g_1 + g_2 + \ldots + g_T$.

# %% [markdown]
# **The gradient of a shared weight is the sum of the gradients of its copies.** The same
# rule holds for anything that is used more than once. Take $u \cdot v$ with both factors
# equal to $w$: the derivative with respect to $u$ is $v = w$, the one with respect to $v$
# is $u = w$, and the derivative of $w^2$ is $w + w$.
#
# You are now going to check this with numbers, for a network.

# %% [markdown]
# A rate of change can be measured with a **finite difference**. Perturb the weight by a
# small $\epsilon$ in both directions, and divide the difference of the results by the
# distance:
#
# $$\frac{\partial s}{\partial w} \approx \frac{s(w + \epsilon) - s(w - \epsilon)}{2\epsilon}$$
#
# For example, $w^2$ at $w = 3$ with $\epsilon = 0.1$ gives $(9.61 - 8.41) / 0.2 = 6$, the
# exact slope. Perturbing in both directions (a **central** difference) is much more accurate
# than $(s(w + \epsilon) - s(w)) / \epsilon$, which would give 6.1. An $\epsilon$ of about
# $10^{-5}$ works well. With a much larger one the function does not look like a straight
# line any more, and with a much smaller one the difference drowns in rounding errors.

# %% [markdown] nbgrader={"grade_id": "shared_slope_task", "locked": true}
# ### Your turn: `shared_slope` (5 points)
#
# Measure $\partial s / \partial W_{hh}[i, j]$ for each copy alone, with your `unroll` and
# central differences, where $s$ is the sum of all entries of the *last* state. Then add
# the results up. Do not modify the inputs: perturb `W_hh.copy()`.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `slopes`, one for each copy | (steps,) |
# | `h_0` | (batch, units) | | `shared`, their sum | one number |
# | `cell` | the triple (`W_xh`, `W_hh`, `b_h`) of all copies | | | |
# | `i`, `j` | integers, counted from 0 | | | |
#
# Return the pair `slopes, shared`.

# %% nbgrader={"grade_id": "shared_slope", "solution": true}
def shared_slope(xs, h_0, cell, i, j):
    """Return (slopes, shared): ds/dW_hh[i, j] for each copy alone, and their sum."""
    ### BEGIN SOLUTION
    steps, eps = xs.shape[1], 1e-5
    W_xh, W_hh, b_h = cell

    def s(t, change):
        perturbed = W_hh.copy()
        perturbed[i, j] += change
        cells = [cell] * steps
        cells[t] = (W_xh, perturbed, b_h)
        return unroll(xs, h_0, cells)[:, -1].sum()

    slopes = np.array([(s(t, eps) - s(t, -eps)) / (2 * eps) for t in range(steps)])
    return slopes, slopes.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "shared_slope_test", "grade": true, "locked": true, "points": 5}
check(shared_slope)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(shared_slope)
### END HIDDEN TESTS

# %% [markdown]
# Now compare your sum with the rate that you get when the weight changes in all copies at
# once.
#
# **Predict.** The network starts from $h_0 = 0$. One of the four slopes is exactly zero.
# Which one, and why?

# %% tags=["demonstration"]
def s_of_shared_weight(change, steps=4):
    W_xh, W_hh, b_h = cell
    perturbed = W_hh.copy()
    perturbed[0, 1] += change
    cells = [(W_xh, perturbed, b_h)] * steps
    return unroll(xs[:, :steps], np.zeros((1, 5)), cells)[:, -1].sum()


slopes, shared = shared_slope(xs[:, :4], np.zeros((1, 5)), cell, 0, 1)
for t, value in enumerate(slopes, start=1):
    print(f"copy {t} alone:  {value:+.6f}")
print(f"their sum:     {shared:+.6f}")
in_all_copies = (s_of_shared_weight(1e-5) - s_of_shared_weight(-1e-5)) / 2e-5
print(f"all at once:   {in_all_copies:+.6f}")

# %% [markdown]
# The two agree. The slope of copy 1 is zero, because its $W_{hh}$ is multiplied by $h_0$,
# which is zero. Changing it has no effect.

# %% [markdown]
# ## Sequences of different lengths
#
# In lesson 01 we read the first line of *The Zen of Python*. The poem has nineteen lines
# of different lengths, but the rows of an array all have the same length.

# %% tags=["demonstration"]
lines = data.zen_lines()
alphabet = "".join(sorted(set("".join(lines))))
sequences = [data.one_hot(line, alphabet) for line in lines]  # (characters, alphabet)
lengths = [len(sequence) for sequence in sequences]
shortest, longest, together = min(lengths), max(lengths), sum(lengths)
print(f"{len(lines)} lines, {shortest} to {longest} characters, {together} together")

# %% [markdown]
# The usual solution has two parts. First, copy the sequences into one array with room for
# the longest, and fill the rest with zeros, which is called **padding**. Second, record
# in another array, the **mask**, which steps are real. Here are the sequences [5, 6, 7]
# and [8], with one feature whose axis is not drawn:

# %% tags=["demonstration"]
small_xs = np.array([[5, 6, 7], [8, 0, 0]])
small_mask = np.array([[1, 1, 1], [1, 0, 0]], dtype=bool)
plots.show(graphs.padded(small_xs, small_mask), (
    "Two grids of two rows and three columns. xs: 5, 6, 7 and 8, 0, 0, the two zeros "
    "in grey. mask: True, True, True and True, False, False."
))

# %% [markdown] nbgrader={"grade_id": "pad_batch_task", "locked": true}
# ### Your turn: `pad_batch` (5 points)
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `sequences` | a list of arrays (steps, features), each with its own number of steps | | `xs` | (batch, longest, features) |
# | | | | `mask` | (batch, longest), `dtype=bool`, True where a step is real |
#
# The padding comes after the end of a sequence, and it is zero. Return the pair
# `xs, mask`.

# %% nbgrader={"grade_id": "pad_batch", "solution": true}
def pad_batch(sequences):
    """Return (xs, mask): the padded sequences, and which steps are real."""
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
# ## Does padding change the state?
#
# **Predict.** The shortest line has 19 characters, so 50 padded steps of zeros follow it.
# The input is zero there. Is the state after the last padded step still the state after
# the last character?

# %% tags=["demonstration"]
units = 6
zen_cell = random_cell(len(alphabet), units, np.random.default_rng(8))
padded, mask = pad_batch(sequences)
short = int(np.argmin(lengths))

one, all_lines = np.zeros((1, units)), np.zeros((len(lines), units))  # states h_0
alone = unroll(sequences[short][None], one, [zen_cell] * lengths[short])
with_padding = unroll(padded, all_lines, [zen_cell] * padded.shape[1])
print(repr(lines[short]))
print("after the last character:  ", alone[0, -1].round(2))
print("after the last padded step:", with_padding[short, -1].round(2))

# %% [markdown]
# It is not, because a step with a zero input still computes $\tanh(h_{t-1} W_{hh} + b_h)$, and the
# state keeps changing. What it becomes depends on the weights. With these, the states of
# all nineteen lines converge to the same values if the zeros go on for long enough. We
# also fed 69 more zeros to each of a hundred random cells. In 54 of them all lines had
# then reached one state, to three decimals. In the others they had not: some were still
# on their way, some kept circulating, and some had settled in different places. In any
# case, it is no longer the state after the last character.

# %% [markdown]
# A mask is needed for another reason, too. In many data sets a row of zeros is a genuine
# input, and without a mask it cannot be told from padding.

# %% [markdown]
# The solution is to **keep the state as it is wherever the mask is False**:
#
# $$h_t = \begin{cases} \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h) & \text{where the mask is True} \\ h_{t-1} & \text{where it is False}
# \end{cases}$$
#
# At a given step this differs from sequence to sequence, so a single `if` for the whole
# batch cannot do it.
# `np.where(condition, a, b)` takes an entry of `a` where the condition is True, and of
# `b` elsewhere. With a condition of shape (batch, 1) it chooses whole rows, and
# `mask[:, t, None]` has that shape: `None` adds an axis of length 1.

# %% tags=["demonstration"]
new, old = np.array([[7, 7, 7], [8, 8, 8]]), np.array([[1, 1, 1], [2, 2, 2]])
small_mask = np.array([[True, True], [True, False]])           # (batch, steps)
t = 1
print("condition of shape", small_mask[:, t, None].shape)
print(np.where(small_mask[:, t, None], new, old))

# %% [markdown] nbgrader={"grade_id": "rnn_forward_masked_task", "locked": true}
# ### Your turn: `rnn_forward_masked` (5 points)
#
# Write the forward pass with a mask. Where the mask is False the state is kept, and the
# kept state is what `hs` contains there. Write it with NumPy only: no Keras, no
# `rnn_helpers.cells`.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `hs` | (batch, steps, units) |
# | `mask` | (batch, steps), True where real | | | |
# | `h_0` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | as before | | | |

# %% nbgrader={"grade_id": "rnn_forward_masked", "solution": true}
def rnn_forward_masked(xs, mask, h_0, W_xh, W_hh, b_h):
    """Return all states; where the mask is False the state is kept."""
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
# Now all nineteen lines can be processed in one batch. Below are the states of the shortest
# line, without and with the mask; a frame marks its last character.

# %% tags=["demonstration"]
all_states = rnn_forward_masked(padded, mask, np.zeros((len(lines), units)), *zen_cell)
short_line = {"without the mask": with_padding, "with the mask": all_states}
both_states = {title: states[short] for title, states in short_line.items()}
ax = plots.heat_maps(both_states, step=lengths[short])
plots.show(ax, (
    "Two heat maps of six units over 69 steps, equal up to step 19. Without the mask "
    "the colours drift for about ten steps and then rest at other values. With the "
    "mask every row keeps its colour to the end."
))
difference = np.abs(all_states[short, -1] - alone[0, -1]).max()
print(f"with the mask, largest difference from the line on its own: {difference:.0e}")

# %% [markdown]
# ### What padding costs
#
# The lines have 804 characters, and the padded array has 19 · 69 = 1311 steps: 39 % of
# the work is wasted. If you sort the lines by length, shortest first, and form batches of
# five, only 9 % is wasted. Grouping sequences of similar lengths is known as
# **bucketing** (no leak involved). In Keras a `Masking` layer hands the mask to the
# layers after it (lesson 08); PyTorch's `pack_padded_sequence` skips the padded steps
# altogether.

# %% [markdown]
# ## The last real state
#
# With our masked loop, `hs[:, -1]` contains the final state of every sequence, because it
# is carried to the end. Some libraries leave zeros or other values at the padded steps
# instead, and then you need the *index* of the last real step.

# %% [markdown] nbgrader={"grade_id": "last_state_task", "locked": true}
# ### Your turn: `last_state` (5 points)
#
# Return each sequence's state at its last real step, the last True in its row of the
# mask. There may be gaps before it, as when a sensor fails for a moment. Every sequence
# has at least one real step.
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
# ## Many to one
#
# Nineteen lines of different lengths have become nineteen states of six numbers each. States can
# be compared: which two lines leave this untrained network in the most similar states?
#
# **Predict.** What could an untrained network find similar about two lines: their length,
# their meaning, or their last characters? The second cell below puts it to the test: it
# changes the first letter of a line, or its last seven characters.

# %% tags=["demonstration"]
ends = last_state(all_states, mask)
pairs = [(i, j) for i in range(len(lines)) for j in range(i)]
distances = np.array([np.linalg.norm(ends[i] - ends[j]) for i, j in pairs])
print(f"median distance between two lines: {np.median(distances):.2f}")
for nearest in np.argsort(distances)[:2]:
    i, j = pairs[nearest]
    print(f"{distances[nearest]:.3f}  {lines[j]} | {lines[i]}")

# %% tags=["demonstration"]
def final_state(text):
    xs = data.one_hot(text, alphabet)[None]
    return unroll(xs, np.zeros((1, units)), [zen_cell] * len(text))[0, -1]


line = next(text for text in lines if "hard to explain" in text)
for change, text in {
    "its first letter changed": "A" + line[1:],
    "its last seven characters changed": line[:-7] + "hmm yes",
}.items():
    distance = np.linalg.norm(final_state(text) - final_state(line))
    print(f"{change}: the state moves by {distance:.0e}")

# %% [markdown]
# The two closest lines, about explanations that are hard and easy, agree in their last
# seven characters, and the next two end in "ly." (Of the 171 pairs, the same one is
# closest in 46 of the hundred random cells from above.) The test settles it: the first
# letter leaves no trace, while the last seven characters matter as much as anything can.
# With random weights the final state mostly reflects how a line *ends*. Anything more
# useful has to be learned, and for that we need a loss, which is the subject of lesson 03.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - P. J. Werbos, "Backpropagation through time: what it does and how to do it" (1990):
#   the chain of copies, by the pioneer who made it known.
# - A. Karpathy, "The unreasonable effectiveness of recurrent neural networks" (2015): the
#   five patterns, and what they can do.
# - I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning* (2016), sections 10.1 and
#   10.2: unfolding computational graphs.
# - A. Zhang, Z. Lipton, M. Li and A. Smola, *Dive into Deep Learning*, chapter 9: the
#   same ideas in other frameworks.

# %% [markdown]
# ## In three lines
#
# - An **unrolled** recurrent network is a deep feed-forward network whose layers share one set of weights.
# - The gradient of a shared weight is the **sum** of the gradients of its copies.
# - Sequences of different lengths need padding **and** a mask: where the mask is False, the state is kept.
#
# *Next: 03 · The loss.*
