# %% [markdown]
# # 01 · The recurrence: a memory made of many numbers
#
# **After this lesson you can** write a recurrent network from its equation: one step, a whole batch of sequences, the
# outputs, and a class that holds it all. You can count its parameters, and read it in other people's notation.
#
# **Time** about 90 minutes, better in two evenings: there is a break in the middle. **You need** lesson 00 and the matrix
# product `@`.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError("Wrong kernel: use `make lab`, or choose the Python in .venv") from None

import numpy as np

from rnn_helpers import data, explorers, graphs, plots

# %% [markdown]
# ## From a bucket to a bathroom
#
# In lesson 00 one number remembered a sequence: $h_t = \text{decay} \cdot h_{t-1} + x_t$. In one bucket everything gets mixed. So
# we take several, call them **units**, and let every bucket leak into every other one.

# %% [markdown]
# What changes:
#
# - the state $h_t$ is now a *row* of numbers, one for each unit, and the input $x_t$ a row of **features** (what we measure at a step);
# - decay becomes a *matrix* $W_{hh}$: entry $(i, j)$ says how unit $i$ of the old state flows into unit $j$ of the new one;
# - a matrix $W_{xh}$ pours the features into the units, and each unit gets a constant of its own, the **bias** $b_h$;
# - `tanh` squashes each sum $a_t$ to between -1 and 1, so nothing ever overflows.

# %% [markdown]
# In one line:
#
# $$a_t = x_t W_{xh} + h_{t-1} W_{hh} + b_h, \qquad h_t = \tanh(a_t)$$

# %% tags=["demonstration"]
a = np.linspace(-4, 4, 101)
ax = plots.curves(
    a, {"tanh(a)": np.tanh(a)}, title="tanh keeps small numbers and flattens large ones", xlabel="a", ylabel="tanh(a)"
)
plots.show(ax, (
    "An S-shaped curve: close to a straight line of slope 1 around zero, flat at -1 and 1 "
    "beyond about 2."
))

# %% tags=["demonstration"]
plots.show(graphs.looped(), (
    "One box, h_t: an arrow from x_t enters below, y_t leaves above, and a loop W_hh leads from "
    "the box back into it."
))

# %% [markdown]
# | symbol | in code | shape | what it is |
# |---|---|---|---|
# | $x_t$ | `x_t` | (batch, features) | this step's input, one row for each sequence |
# | $h_{t-1}$ | `h_prev` | (batch, units) | what each sequence remembers |
# | $W_{xh}$ | `W_xh` | (features, units) | how the input writes into the memory |
# | $W_{hh}$ | `W_hh` | (units, units) | how the memory rewrites itself |
# | $b_h$ | `b_h` | (units,) | a constant push for each unit |
# | $a_t$ | `a_t` | (batch, units) | the sum before the squash |
# | $h_t$ | `h_t` | (batch, units) | the new memory |
#
# (The output $y_t$ and its $W_{hy}$ come after the break.)
#
# A **batch** is a pile of sequences that we process side by side. They never talk to each other: each has its own row, and all
# of them share the **weights**, the common name for $W_{xh}$, $W_{hh}$ and $b_h$. Read $W_{xh}$ as "from $x$ to $h$".

# %% [markdown]
# Learning will mean: finding weights that make the memory useful. That begins in lesson 03. Until then we choose them by hand or by
# dice, to see what the machine does before anybody has taught it anything.

# %% [markdown]
# ### By hand, once
#
# One sequence, one feature, two units. Multiply rows by columns, add, squash:
#
# | | unit 1 | unit 2 |
# |---|---|---|
# | $x_t W_{xh}$ with $x_t = 1$ and $W_{xh} = (1 \;\; 0.5)$ | 1 | 0.5 |
# | $h_{t-1} W_{hh}$ with $h_{t-1} = (0.2 \;\; {-0.4})$ and rows $(0 \;\; 1)$, $({-1} \;\; 0)$ | 0.4 | 0.2 |
# | $b_h$ | 0 | 0.1 |
# | the sum, $a_t$ | **1.4** | **0.8** |
# | $h_t = \tanh(a_t)$ | 0.885 | 0.664 |
#
# Is it so?

# %% tags=["demonstration"]
x_t = np.array([[1.0]])                          # (1 sequence, 1 feature)
h_prev = np.array([[0.2, -0.4]])                 # (1 sequence, 2 units)
W_xh = np.array([[1.0, 0.5]])                    # (1 feature, 2 units)
W_hh = np.array([[0.0, 1.0], [-1.0, 0.0]])       # (2 units, 2 units)
b_h = np.array([0.0, 0.1])                       # (2 units,)

a_t = x_t @ W_xh + h_prev @ W_hh + b_h
print("a_t =", a_t, "  h_t =", np.tanh(a_t).round(3))

# %% [markdown]
# ### What does NumPy make of it?
#
# **Predict.** The next cell adds an array of shape (3,) to one of shape (5, 1). An error, shape (5, 1), or something else?
# And is `h_prev * W_hh` the same as `h_prev @ W_hh`?

# %% tags=["demonstration"]
print("(3,) + (5, 1) gives", (np.zeros(3) + np.zeros((5, 1))).shape)
print("h_prev @ W_hh =", h_prev @ W_hh)
print("h_prev * W_hh =\n", h_prev * W_hh + 0.0)

# %% [markdown]
# No error in either case! NumPy quietly stretches both arrays until they fit ("broadcasting"), and `*` multiplies number by
# number. Traps that make no noise. That is why we write shapes next to everything, keep states as rows of shape (batch, units), and use `@`.

# %% [markdown]
# ## Half the work: the sum before the squash
#
# Here the three terms get names. One of them is missing. (No points; the exercise below asks for all three.)

# %% nbgrader={"grade_id": "three_terms", "solution": true}
def three_terms(x_t, h_prev, W_xh, W_hh, b_h):
    from_input = x_t @ W_xh
    # from_memory = ...
    ### BEGIN SOLUTION
    from_memory = h_prev @ W_hh
    ### END SOLUTION
    return from_input + from_memory + b_h


# %% tags=["demonstration"]
print("expected: [[1.4 0.8]]")
print("yours:   ", three_terms(x_t, h_prev, W_xh, W_hh, b_h))

# %% [markdown] nbgrader={"grade_id": "rnn_step_task", "locked": true}
# ### Your turn: `rnn_step` (4 points)
#
# Write one step for a whole batch at once: no loop over sequences. The squashing function comes in as `activation`; it is
# `np.tanh` unless the caller says otherwise. Leave the inputs as you found them.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `x_t` | (batch, features) | | `h_t` | (batch, units) |
# | `h_prev` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | (features, units), (units, units), (units,) | | | |
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "rnn_step", "solution": true}
def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    """Return h_t = activation(x_t W_xh + h_prev W_hh + b_h), shape (batch, units)."""
    ### BEGIN SOLUTION
    return activation(x_t @ W_xh + h_prev @ W_hh + b_h)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_step_test", "grade": true, "locked": true, "points": 4}
check(rnn_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(rnn_step)
### END HIDDEN TESTS

# %% [markdown]
# ## A whole sequence is the same step, again and again
#
# A batch of sequences is an array `xs` of shape (batch, steps, features). What arrives at step $t$ is the slice
# `xs[:, t - 1]`, of shape (batch, features): all sequences, one moment. (In a loop whose `t` counts from 0 it is `xs[:, t]`.)
# Three steps, written out:

# %% tags=["demonstration"]
xs = np.array([[[1.0], [0.0], [-1.0]]])          # (1 sequence, 3 steps, 1 feature)
h_0 = np.zeros((1, 2))                           # memory starts empty

h_1 = rnn_step(xs[:, 0], h_0, W_xh, W_hh, b_h)   # step 1 reads x_1 and h_0
h_2 = rnn_step(xs[:, 1], h_1, W_xh, W_hh, b_h)   # step 2 reads x_2 and h_1
h_3 = rnn_step(xs[:, 2], h_2, W_xh, W_hh, b_h)   # step 3 reads x_3 and h_2

hs = np.stack([h_1, h_2, h_3], axis=1)           # (1 sequence, 3 steps, 2 units)
print("shape", hs.shape)
print(hs[0].round(3))

# %% [markdown]
# The weights are the same in each line; only $x_t$ and the state change. And `np.stack(..., axis=1)` lays the states side by
# side with *steps* as the second axis, as in `xs`.

# %% [markdown] nbgrader={"grade_id": "rnn_forward_task", "locked": true}
# ### Your turn: `rnn_forward` (5 points)
#
# Run the step over all the steps and return every state. It is the loop of lesson 00, with your `rnn_step` inside.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `hs` | (batch, steps, units) |
# | `h_0` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | as above | | | |
#
# `hs[:, 0]` is the state *after* the first input, $h_1$.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "rnn_forward", "solution": true}
def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
    """Return the states h_1 ... h_T of a batch of sequences, shape (batch, steps, units)."""
    ### BEGIN SOLUTION
    h = h_0
    states = []
    for t in range(xs.shape[1]):
        h = rnn_step(xs[:, t], h, W_xh, W_hh, b_h)
        states.append(h)
    return np.stack(states, axis=1)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_forward_test", "grade": true, "locked": true, "points": 5}
check(rnn_forward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(rnn_forward)
### END HIDDEN TESTS

# %% [markdown]
# ## What does the matrix do?
#
# One pulse at step 1, then silence, and four units. Only $W_{hh}$ differs between the three pictures:
#
# 1. all zeros;
# 2. 0.9 on the diagonal, zero elsewhere;
# 3. entries (1, 2), (2, 3), (3, 4) and (4, 1) are 1.3, the others zero. (1.3, not 1, to make up for what `tanh` takes away.)
#
# **Predict.** The pulse arrives in unit 1. Where is it at step 2, and at step 5, in each of the three? Sketch, then run.

# %% tags=["demonstration"]
pulse = np.zeros((1, 12, 1))
pulse[0, 0] = 1.0
into_first_unit = np.array([[2.0, 0.0, 0.0, 0.0]])
cycle = 1.3 * np.roll(np.eye(4), 1, axis=1)


def states_after_pulse(W_hh):
    return rnn_forward(pulse, np.zeros((1, 4)), into_first_unit, W_hh, np.zeros(4))[0]


# %% tags=["demonstration"]
hs = states_after_pulse(np.zeros((4, 4)))
ax = plots.heat_map(hs, title="Without $W_{hh}$, memory lasts exactly one step")
plots.show(ax, "Unit 1 is dark at step 1; everything else is blank.")

# %% tags=["demonstration"]
hs = states_after_pulse(0.9 * np.eye(4))
ax = plots.heat_map(hs, title="0.9 on the diagonal: a leaky bucket, and tanh takes a little more")
plots.show(ax, "Unit 1 is dark at step 1 and fades slowly to the right. The other units stay blank.")

# %% tags=["demonstration"]
ax = plots.heat_map(states_after_pulse(cycle), title="A cycle hands the pulse from unit to unit")
plots.show(ax, (
    "A dark square walks from unit 1 to unit 2, 3, 4 and back to 1, along diagonals, hardly "
    "fading."
))

# %% [markdown]
# The matrix decides what memory *is*: nothing, a leaky bucket, or a walk. From the last picture you can even tell *when* the pulse
# came: at step 12 unit 4 is on, so it came 11 steps ago (or 7, or 3: a cycle of four forgets which round it is in).

# %% [markdown]
# ## Dog bites man
#
# Count the words in *dog bites man* and in *man bites dog*: the counts are equal, yet one of them is news. A network that only
# counts cannot tell. Ours reads one word at a time.
#
# **Predict.** Will the two last states be equal, nearly equal, or clearly different?

# %% tags=["demonstration"]
rng = np.random.default_rng(3)
features, units = 3, 6
W_xh = rng.normal(size=(features, units))
W_hh = rng.normal(size=(units, units)) / np.sqrt(units)
b_h = np.zeros(units)

dog, bites, man = np.eye(3)
both = np.array([[dog, bites, man], [man, bites, dog]])        # (2 sentences, 3 words, 3 features)
hs = rnn_forward(both, np.zeros((2, units)), W_xh, W_hh, b_h)
print("word counts:    ", both.sum(axis=1).tolist())
print("dog bites man:  ", hs[0, -1].round(2))
print("man bites dog:  ", hs[1, -1].round(2))

# %% [markdown]
# The weights are random, nothing has been learnt, and still the two sentences end in different states. Order is built into the
# recurrence; learning only has to make it *useful*.

# %% [markdown]
# ## Watch a memory read
#
# Now a longer text: the first line of *The Zen of Python*, which every Python carries in its module `this`. Each letter becomes
# a row with a single 1 ("one-hot"). Below are the states of eight units, computed by **your** `rnn_forward`.
#
# **Predict.** The letter *t* comes four times. Will its column look the same each time? Move the slider and compare.

# %% tags=["demonstration"]
line = data.zen_lines()[0]
alphabet = "".join(sorted(set(line)))
letters = data.one_hot(line, alphabet)[None]                   # (1, characters, letters of the alphabet)
rng = np.random.default_rng(0)
units = 8
reading = rnn_forward(
    letters, np.zeros((1, units)), rng.normal(size=(len(alphabet), units)),
    0.8 * rng.normal(size=(units, units)) / np.sqrt(units), np.zeros(units),
)
print(line)
explorers.state_explorer(reading[0], "Eight units read a line, letter by letter", labels=line)

# %% [markdown]
# The four *t* stand at steps 5, 16, 17 and 21, and no two columns are alike, because a state is the letter *and what came before it*.
# That is the whole difference between a recurrent network and a look-up table, which gives the same numbers for the same letter.
#
# ☕ *A good place for a break.*

# %% [markdown]
# ## The readout
#
# A state is the network's private language. To say something to us, it needs one more matrix, applied at every step:
#
# $$y_t = h_t W_{hy} + b_y$$
#
# with $W_{hy}$ of shape (units, classes) and $b_y$ of shape (classes,). These raw numbers are called **logits**: they may be
# any size and sign. Turning them into probabilities (by sigmoid or softmax) is the loss function's business, in lesson 03;
# for plain numbers, such as a temperature, they are used as they are.

# %% [markdown] nbgrader={"grade_id": "readout_task", "locked": true}
# ### Your turn: `readout` (3 points)
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `hs` | (batch, steps, units) | | logits | (batch, steps, classes) |
# | `W_hy`, `b_y` | (units, classes), (classes,) | | | |

# %% nbgrader={"grade_id": "readout", "solution": true}
def readout(hs, W_hy, b_y):
    """Return the logits y_t = h_t W_hy + b_y of every step, shape (batch, steps, classes)."""
    ### BEGIN SOLUTION
    return hs @ W_hy + b_y
    ### END SOLUTION


# %% nbgrader={"grade_id": "readout_test", "grade": true, "locked": true, "points": 3}
check(readout)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(readout)
### END HIDDEN TESTS

# %% [markdown]
# ## How many numbers are there to learn?
#
# **Predict.** A network with 3 features, 4 units and 2 classes reads a sequence of 10 steps. Then one of 10 000 steps. By what
# factor does the number of its parameters grow?
#
# Write it down before you go on. The answer is in the equations: look for a $t$ on any of the weights.

# %% [markdown] nbgrader={"grade_id": "count_parameters_task", "locked": true}
# ### Your turn: `count_parameters` (3 points)
#
# Return how many numbers the five arrays $W_{xh}$, $W_{hh}$, $b_h$, $W_{hy}$ and $b_y$ hold together, as a whole number.

# %% nbgrader={"grade_id": "count_parameters", "solution": true}
def count_parameters(features, units, classes):
    """Return the number of parameters of the recurrence and the readout together."""
    ### BEGIN SOLUTION
    recurrence = features * units + units * units + units
    return recurrence + units * classes + classes
    ### END SOLUTION


# %% nbgrader={"grade_id": "count_parameters_test", "grade": true, "locked": true, "points": 3}
check(count_parameters)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(count_parameters)
### END HIDDEN TESTS

# %% [markdown]
# The factor is 1: no weight carries a $t$. The same few numbers serve sequences of any length. This **parameter sharing** is what
# makes recurrent networks small, and what makes them hard to train; lessons 02 to 06 are about that second half.

# %% [markdown]
# ## Other people's notation
#
# We write states as *rows* and batches first, as Keras does. Most textbooks write *columns*, and PyTorch stores the transposes.
# It is all one network. Here the notations stand side by side; where a later lesson writes columns, it says so:
#
# | here | shape | textbooks (columns) | Keras `SimpleRNN` | PyTorch `nn.RNN` |
# |---|---|---|---|---|
# | $x_t W_{xh}$ | (features, units) | $W_{hx} x_t$ with $W_{hx} = W_{xh}^\top$ | `kernel` | `weight_ih_l0`, transposed |
# | $h_{t-1} W_{hh}$ | (units, units) | $W h_{t-1}$ with $W = W_{hh}^\top$ | `recurrent_kernel` | `weight_hh_l0`, transposed |
# | $b_h$ | (units,) | $b_h$ | `bias` | `bias_ih_l0 + bias_hh_l0` |
# | `xs` | (batch, steps, features) | | the same | the same with `batch_first=True` |
#
# PyTorch keeps two biases where one would do; only their sum matters. Careful with names: some books write $W_{xh}$ for our
# $W_{xh}^\top$. When in doubt, look at the shape.
#
# **Predict.** One step in columns, one in rows, with the same weights: how large will the largest difference be?

# %% tags=["demonstration"]
x_column = np.array([[1.0]])                                   # (1 feature, 1)
h_column = np.array([[0.2], [-0.4]])                           # (2 units, 1)
from_x, from_h, b = np.array([[1.0, 0.5]]), np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([0.0, 0.1])

in_columns = np.tanh(from_x.T @ x_column + from_h.T @ h_column + b[:, None])
in_rows = rnn_step(x_column.T, h_column.T, from_x, from_h, b)
print("columns:", in_columns.ravel().round(3), "  rows:", in_rows.ravel().round(3))
print("largest difference:", np.abs(in_columns.T - in_rows).max())

# %% [markdown] nbgrader={"grade_id": "SimpleRNN_task", "locked": true}
# ## Everything in one place
#
# ### Your turn: `class SimpleRNN` (5 points)
#
# The constructor is written: it draws small random weights from the generator you hand it. You write
#
# - `step(x_t, h_prev)`, which returns the pair `(h_t, y_t)`: the new state and its logits;
# - `forward(xs, h_0=None)`, which returns the pair `(hs, ys)` for whole sequences. When `h_0` is None the memory starts as zeros;
#   every call of `forward` starts afresh.
#
# Use the functions that you have written; the weights are in `self`. Each method is two to four lines. The number of units is
# `len(self.b_h)`.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "SimpleRNN", "solution": true}
class SimpleRNN:
    """A recurrent network: its weights, one step, and whole sequences."""

    def __init__(self, features, units, classes, rng, scale=0.01):
        self.W_xh = scale * rng.normal(size=(features, units))
        self.W_hh = scale * rng.normal(size=(units, units))
        self.W_hy = scale * rng.normal(size=(units, classes))
        self.b_h = np.zeros(units)
        self.b_y = np.zeros(classes)

    def step(self, x_t, h_prev):
        """Return (h_t, y_t), shapes (batch, units) and (batch, classes)."""
        ### BEGIN SOLUTION
        h_t = rnn_step(x_t, h_prev, self.W_xh, self.W_hh, self.b_h)
        return h_t, h_t @ self.W_hy + self.b_y
        ### END SOLUTION

    def forward(self, xs, h_0=None):
        """Return (hs, ys), shapes (batch, steps, units) and (batch, steps, classes)."""
        ### BEGIN SOLUTION
        if h_0 is None:
            h_0 = np.zeros((len(xs), len(self.b_h)))
        hs = rnn_forward(xs, h_0, self.W_xh, self.W_hh, self.b_h)
        return hs, readout(hs, self.W_hy, self.b_y)
        ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "SimpleRNN_test", "grade": true, "locked": true, "points": 5}
check(SimpleRNN)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(SimpleRNN)
### END HIDDEN TESTS

# %% [markdown]
# ## How far back does a new network remember?
#
# The weights above are drawn with `scale=0.01`, as many tutorials do. Four inputs arrive; we swap the first two and look at the
# last output.
#
# **Predict.** By how many per cent does $y_4$ change: about 50, about 5, or less than a tenth of one? And with `scale=0.5`?

# %% tags=["demonstration"]
rng = np.random.default_rng(42)
xs = rng.normal(size=(200, 4, 3))                # 200 sequences, to be sure
swapped = xs[:, [1, 0, 2, 3]]

for scale in (0.01, 0.5):
    network = SimpleRNN(3, 5, 2, np.random.default_rng(7), scale=scale)
    y_4, y_4_swapped = network.forward(xs)[1][:, -1], network.forward(swapped)[1][:, -1]
    change = np.linalg.norm(y_4 - y_4_swapped) / np.linalg.norm(y_4)
    norm = np.linalg.norm(network.W_hh, 2)
    print(f"scale {scale}: y_4 changes by {100 * change:.4f} %,  norm of W_hh: {norm:.3f}")

# %% [markdown]
# The *norm* printed beside it is the most by which $W_{hh}$ can stretch any row. With `scale=0.01` it is about 0.03: a state keeps at
# most 3 % of its size in a step, and a thousandth after two. That is a recurrent network in name only. Its hole is as big as the
# bucket.
#
# With 0.5 the first inputs still matter at the fourth step. Choosing the size of $W_{hh}$ well is an art; lessons 06 and 07 are
# about it.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - One step: $h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h)$, and a sequence is that step in a loop with the same weights.
# - The state is *input and history*: order matters, and how long history lasts is decided by $W_{hh}$.
# - A readout $y_t = h_t W_{hy} + b_y$ makes logits; the number of parameters does not depend on the number of steps.
#
# *Next: 02 · Unrolling.*
