# %% [markdown]
# # 01 · The recurrence: a hidden state of many numbers
#
# **After this lesson you can** write a recurrent neural network from its equation: one
# time step, whole batches of sequences, the outputs, and a class that holds it all. You
# can say why it needs a nonlinearity, set its weights by hand so that it delays, latches
# or counts, and read it in other people's notation.
#
# **Time** about 150 minutes, best in two sittings: there is a break in the middle.
# **You need** lesson 00 and the matrix product `@`.

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

# %% [markdown]
# ## A light with one button
#
# The light in the hallway has a single push button. A push (1) flips the light, and no
# push (0) leaves it as it is:
#
# | time step | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# |---|---|---|---|---|---|---|---|
# | button $x_t$ | 0 | 1 | 0 | 0 | 1 | 1 | 0 |
# | light | off | **on** | **on** | **on** | off | **on** | **on** |
#
# **Predict.** Could a program that sees only the last three values of the button always
# know whether the light is on? Could one leaky bucket?

# %% [markdown]
# A **fixed window** of three values cannot know what happened before it, and whether the
# light is on depends on all pushes since the beginning. A longer window only postpones
# the problem. Besides, a model that reads a window treats each position in it separately,
# so the effect of a push has to be described once for every position. What is needed is a
# state that carries the past along.

# %% [markdown]
# The leaky bucket has a state, but it can only add: the second push raises the level,
# as the first one did. For the light, the second push must *undo* the first, so its effect
# depends on the state it meets. For this we need something other than addition, and it
# turns out that we also need more than one number.

# %% [markdown]
# ## From one bucket to many units
#
# A **neural network** is a function made of sums, products with adjustable numbers (its
# **weights**), and one simple curve. A **simple recurrent network** changes the
# recurrence $h_t = \text{decay} \cdot h_{t-1} + x_t$ in four ways:

# %% [markdown]
# - The state $h_t$ becomes a row of numbers, one for each **unit**. It is called the
#   **hidden state**, because it is neither the input nor the output. That is what the
#   letter $h$ stands for.
# - The input $x_t$ becomes a row of **features**, the numbers that describe one step.
#   The matrix $W_{xh}$ ("from $x$ to $h$") carries them into the units.
# - The decay becomes a matrix $W_{hh}$, from the hidden state to the hidden state. Each
#   unit also gets a constant, its **bias** in $b_h$.
# - An **activation function** is applied to the sum, element-wise. Ours is $\tanh$.

# %% [markdown]
# Together:
#
# $$a_t = x_t W_{xh} + h_{t-1} W_{hh} + b_h, \qquad h_t = \tanh(a_t)$$
#
# | symbol | in code | shape | what it is |
# |---|---|---|---|
# | $x_t$ | `x_t` | (batch, features) | the input at this time step |
# | $h_{t-1}$ | `h_prev` | (batch, units) | the hidden state before it |
# | $W_{xh}$, $W_{hh}$ | `W_xh`, `W_hh` | (features, units), (units, units) | the weights |
# | $b_h$ | `b_h` | (units,) | the bias |
# | $a_t$, $h_t$ | `a_t`, `h_t` | (batch, units) | the sum, and the new hidden state |
#
# A **batch** is a set of sequences that are processed together, one in each row. The rows
# do not affect each other. They share the weights, and one large matrix product is much
# faster than many small ones.

# %% tags=["demonstration"]
plots.show(graphs.looped(outputs=False), (
    "One box, h_t. An arrow from x_t enters it from below, and a loop labelled W_hh "
    "leads from the box back into it, one time step later."
))

# %% [markdown]
# ### One step by hand
#
# Here are two units and one feature. Entry $(i, j)$ of $W_{hh}$ is the weight of the
# arrow from unit $i$ to unit $j$, so row $i$ holds what unit $i$ sends and column $j$
# holds what unit $j$ receives.

# %%
W_xh = np.array([[1.0, 0.5]])                    # (1 feature, 2 units)
W_hh = np.array([[0.5, 1.0], [-1.0, 0.5]])       # (2 units, 2 units)
b_h = np.array([0.0, 0.1])                       # (2 units,)

# %% tags=["demonstration"]
plots.show(graphs.units(W_hh, W_xh), (
    "Two circles, unit 1 and unit 2. The input reaches unit 1 with weight 1 and unit 2 "
    "with weight 0.5. Each unit has an arrow to itself with weight 0.5. The arrow from "
    "unit 1 to unit 2 has weight 1, the one from unit 2 to unit 1 has weight -1."
))

# %% [markdown]
# Suppose that the old state is $h_{t-1} = (0.2 \;\; {-0.4})$ and the input is $x_t = 1$.
# Follow the arrows into each unit:
#
# | | unit 1 | unit 2 |
# |---|---|---|
# | from the input | 1 · 1 = 1 | 1 · 0.5 = 0.5 |
# | from unit 1, which is 0.2 | 0.2 · 0.5 = 0.1 | 0.2 · 1 = 0.2 |
# | from unit 2, which is −0.4 | −0.4 · (−1) = 0.4 | −0.4 · 0.5 = −0.2 |
# | bias | 0 | 0.1 |
# | the sum $a_t$ | **1.5** | **0.6** |
# | $h_t = \tanh(a_t)$ | 0.905 | 0.537 |
#
# Both units use the *old* state of the other one; the new state is used only in the next
# step.

# %% [markdown]
# ### Two lines to try
#
# **Predict.** The first line below adds an array of shape (3,) to one of shape (5, 1).
# Is the result an error, an array of shape (5, 1), or something else? And does
# `h * W` equal `h @ W`?

# %% tags=["demonstration"]
print("(3,) + (5, 1) gives", (np.zeros(3) + np.zeros((5, 1))).shape)
h_example = np.array([[0.2, -0.4]])
print("h @ W =", h_example @ W_hh)
print("h * W =", (h_example * W_hh).tolist())

# %% [markdown]
# There is no error in either case. NumPy stretches arrays until their shapes agree
# (**broadcasting**), and `*` multiplies element-wise. Such mistakes are silent, and the
# wrong numbers surface much later. This is why the course writes shapes next to
# everything, keeps states as rows of shape (batch, units), and uses `@`.

# %% [markdown] nbgrader={"grade_id": "rnn_step_task", "locked": true}
# ### Your turn: `rnn_step` (3 points)
#
# Write one time step for a whole batch at once, without a loop over the sequences. The
# argument `activation` is a function (in Python you can pass functions like any other
# value); apply it where the equation has $\tanh$. Do not modify the inputs. Write it with NumPy only:
# no Keras, no `rnn_helpers.cells`.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `x_t` | (batch, features) | | `h_t` | (batch, units) |
# | `h_prev` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | (features, units), (units, units), (units,) | | | |

# %% nbgrader={"grade_id": "rnn_step", "solution": true}
def rnn_step(x_t, h_prev, W_xh, W_hh, b_h, activation=np.tanh):
    """Return h_t = activation(x_t W_xh + h_prev W_hh + b_h), shape (batch, units)."""
    ### BEGIN SOLUTION
    return activation(x_t @ W_xh + h_prev @ W_hh + b_h)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "rnn_step_test", "grade": true, "locked": true, "points": 3}
check(rnn_step)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(rnn_step)
### END HIDDEN TESTS

# %% [markdown]
# ## Why there is a tanh
#
# What would the network be without its activation function? The next cell takes two
# steps with `activation` set to a function that returns its argument unchanged, and
# without a bias. Nothing is left but matrix products and sums; such a function is called
# **linear**.
#
# **Predict.** Below, a *single* matrix is multiplied by both inputs, side by side. Can it
# do what two linear steps do?

# %% tags=["demonstration"]
def unchanged(a):
    return a


rng = np.random.default_rng(0)
x_1, x_2 = rng.normal(size=(2, 1, 3))                          # two inputs, 3 features
into, within = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
no_bias = np.zeros(4)
h_first = rnn_step(x_1, np.zeros((1, 4)), into, within, no_bias, unchanged)
h_second = rnn_step(x_2, h_first, into, within, no_bias, unchanged)

both_inputs = np.hstack([x_1, x_2])                            # (1, 6)
one_matrix = np.vstack([into @ within, into])                  # (6, 4)
print("two linear steps :", h_second.round(4))
print("one matrix       :", (both_inputs @ one_matrix).round(4))

# %% [markdown]
# They are the same, because a linear map of a linear map is a linear map:
#
# $$h_2 = (x_1 W_{xh})\, W_{hh} + x_2 W_{xh}
#       = (x_1 \;\; x_2) \begin{pmatrix} W_{xh} W_{hh} \\ W_{xh} \end{pmatrix}$$
#
# However many steps it takes, a linear network can only *add up* its inputs, each with a
# fixed weight. (A bias adds a constant.) Whatever $x_1$ was, a push at step 2 changes
# $h_2$ by the same amount. The light needs the opposite: the second push must do something
# different from the first. So no linear network whose output is a weighted sum of its
# state can follow the light, however many units it has and however long it is trained.

# %% tags=["demonstration"]
a = np.linspace(-4, 4, 101)
ax = plots.curves(
    a, {"tanh(a)": np.tanh(a)}, xlabel="a", ylabel="activation",
    title="tanh is almost the identity near 0 and saturates beyond 2",
)
ax.plot([-1.4, 1.4], [-1.4, 1.4], ":", color="0.4")
ax.text(1.45, 1.4, "a", color="0.4", va="center")
plots.show(ax, (
    "An S-shaped curve. Around zero it runs along the dotted line of slope 1; beyond "
    "about 2 it is nearly flat, at 1 on the right and at -1 on the left."
))

# %% [markdown]
# With $\tanh$ the effect of an input does depend on the state. Near zero, $\tanh(a)$ is almost
# $a$, and the unit works like a bucket. Beyond 2 it is **saturated**: it hardly moves,
# whatever arrives. A unit can therefore ask a question such as "was the light on *and*
# was the button pushed?", and answer close to 1 or −1. (It also keeps every state between
# −1 and 1, so nothing overflows.)

# %% [markdown]
# Two such units are enough for the light. Let the light be read off as
# $(h_1 - h_2)/2$, which is 1 when it is on and 0 when it is off. Unit 1 answers whether the
# light was on *or* the button is pushed, unit 2 whether *both* are true:
#
# $$a_1 = k\,(\text{light} + x - 0.5), \qquad a_2 = k\,(\text{light} + x - 1.5)$$
#
# | light before | button | light + x | $h_1$ | $h_2$ | light after |
# |---|---|---|---|---|---|
# | 0 | 0 | 0 | −1 | −1 | 0 |
# | 0 | 1 | 1 | 1 | −1 | **1** |
# | 1 | 0 | 1 | 1 | −1 | **1** |
# | 1 | 1 | 2 | 1 | 1 | 0 |
#
# Insert $\text{light} = 0.5\,h_1 - 0.5\,h_2$, and the factors are the weights: 0.5 from
# unit 1 and −0.5 from unit 2, 1 from the button, and the biases −0.5 and −1.5, all times
# $k$. (One unit would not do: with no push it has to keep its value, with a push it has
# to reverse it, and both through the same weight.)

# %%
k = 8.0                                          # large, so that both units saturate
W_xh_light = k * np.array([[1.0, 1.0]])
W_hh_light = k * np.array([[0.5, 0.5], [-0.5, -0.5]])
b_h_light = k * np.array([-0.5, -1.5])

button = np.random.default_rng(1).integers(0, 2, size=40).astype(float)
h, light = np.zeros((1, 2)), []
for x in button:
    h = rnn_step(np.array([[x]]), h, W_xh_light, W_hh_light, b_h_light)
    light.append((h[0, 0] - h[0, 1]) / 2)        # 1 when on, 0 when off

print("button:", *button[:20].astype(int))
print("light: ", *np.round(light[:20]).astype(int))
print("largest error in 40 steps:", np.abs(light - button.cumsum() % 2).max().round(4))

# %% [markdown]
# This network was not trained: we chose its eight numbers by hand. Training can find such
# numbers, too, and we turn to it in lesson 03. First, let us see what there is to find.
# The next sections look at what the weights do.

# %% [markdown]
# ## A sequence is the same step, repeated
#
# A batch of sequences is an array `xs` of shape (batch, steps, features). Everything that
# arrives at one time step is in the slice `xs[:, t]`, of shape (batch, features). In code
# all counting starts at 0, that of units, too, so the first input $x_1$ is `xs[:, 0]`.
# Here are three steps:

# %% tags=["demonstration"]
three = np.array([[[1.0], [0.0], [-1.0]]])          # (1 sequence, 3 steps, 1 feature)
h_0 = np.zeros((1, 2))                              # the initial hidden state

h_1 = rnn_step(three[:, 0], h_0, W_xh, W_hh, b_h)   # reads x_1 and h_0
h_2 = rnn_step(three[:, 1], h_1, W_xh, W_hh, b_h)   # reads x_2 and h_1
h_3 = rnn_step(three[:, 2], h_2, W_xh, W_hh, b_h)   # reads x_3 and h_2

states = np.stack([h_1, h_2, h_3], axis=1)          # (1 sequence, 3 steps, 2 units)
print("shape", states.shape)
print(states[0].round(3))

# %% [markdown]
# Only the input and the state change from line to line; the weights are the same. At the
# end, `np.stack(..., axis=1)` makes a new second axis for the steps, so that `states` is
# laid out like `xs`.

# %% [markdown] nbgrader={"grade_id": "rnn_forward_task", "locked": true}
# ### Your turn: `rnn_forward` (5 points)
#
# Run the recurrence over all time steps, from the initial state `h_0`, and return every
# hidden state. This is the **forward pass**. Use your `rnn_step`. Write it with NumPy
# only: no Keras, no `rnn_helpers.cells`.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (batch, steps, features) | | `hs` | (batch, steps, units) |
# | `h_0` | (batch, units) | | | |
# | `W_xh`, `W_hh`, `b_h` | as above | | | |
#
# The first state in the result, `hs[:, 0]`, is $h_1$, the state *after* the first input.

# %% nbgrader={"grade_id": "rnn_forward", "solution": true}
def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
    """Return the hidden states h_1 ... h_T, shape (batch, steps, units)."""
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
# ## What the recurrent matrix does
#
# Below are three ways to connect four units. In each case, a single pulse enters unit 1
# at step 1, and nothing arrives after that.

# %% tags=["demonstration"]
nothing = np.zeros((4, 4))
to_itself = 0.9 * np.eye(4)
ring = 1.3 * np.roll(np.eye(4), 1, axis=1)  # 1.3, to make up for what tanh takes away
plots.show(graphs.units_side_by_side({"A": nothing, "B": to_itself, "C": ring}), (
    "Three drawings of four units. A: no arrows. B: each unit has an arrow to itself, "
    "weight 0.9. C: arrows from unit 1 to 2, 2 to 3, 3 to 4 and 4 to 1, weight 1.3."
))

# %% [markdown]
# **Predict.** Which units are active at step 2, and which at step 5, in A, in B and in C?
# Sketch the three pictures (steps to the right, units downwards) before you run the next
# cells.

# %% tags=["demonstration"]
pulse = np.zeros((1, 12, 1))
pulse[0, 0] = 1.0
into_first_unit = np.array([[2.0, 0.0, 0.0, 0.0]])


def states_after_pulse(matrix):
    return rnn_forward(pulse, np.zeros((1, 4)), into_first_unit, matrix, np.zeros(4))[0]


def show_pulse(name, matrix):
    states = states_after_pulse(matrix)
    plots.show(plots.heat_map(states, title=name), plots.describe_states(states))


show_pulse("A", nothing)

# %% tags=["demonstration"]
show_pulse("B", to_itself)

# %% tags=["demonstration"]
show_pulse("C", ring)

# %% [markdown]
# In A the state is gone after one step. B is a leaky bucket in unit 1, and tanh makes it
# leak a little more. In C the pulse travels from unit to unit and hardly fades. The recurrent
# matrix determines what kind of memory a network has.
#
# From C you can even read off *when* the pulse came: at step 12 unit 4 is active, so it
# came 11 steps ago. (Or 7, or 3: a ring of four cannot tell which round it is in.)

# %% [markdown]
# ## Dog bites man
#
# Count the words in *dog bites man* and in *man bites dog*: the counts are equal, yet only
# the second is news. A model that only counts words cannot tell them apart. Ours reads
# one word at a time.
#
# **Predict.** The weights are random. Will the two final states be equal, nearly equal, or
# clearly different?

# %% tags=["demonstration"]
def read_sentences(units=6, seed=3):
    dog, bites, man = np.eye(3)
    both = np.array([[dog, bites, man], [man, bites, dog]])  # (2 sentences, 3 words, 3)
    rng = np.random.default_rng(seed)
    random_W_xh = rng.normal(size=(3, units))
    random_W_hh = rng.normal(size=(units, units)) / np.sqrt(units)
    weights = random_W_xh, random_W_hh, np.zeros(units)
    return both, rnn_forward(both, np.zeros((2, units)), *weights)


sentences, sentence_states = read_sentences()
print("word counts:   ", sentences.sum(axis=1).tolist())
print("dog bites man: ", sentence_states[0, -1].round(2))
print("man bites dog: ", sentence_states[1, -1].round(2))

# %% [markdown]
# Nothing has been learned here, and still the two sentences end in different states.
# Sensitivity to order is built into the recurrence. Learning only has to make it
# *useful*.

# %% [markdown]
# ## Watch a network read
#
# The next text is the first line of *The Zen of Python*, which ships with every Python
# installation (`import this`). Each character is represented by a row with a single 1,
# its **one-hot vector**. The figure shows eight units with random weights, computed by **your**
# `rnn_forward`.
#
# **Predict.** The letter *t* appears four times. Will the state after it look the same
# each time? Move the slider and compare.

# %% tags=["demonstration"]
def read_line(line, units=8, seed=0):
    alphabet = "".join(sorted(set(line)))
    letters = data.one_hot(line, alphabet)[None]             # (1, characters, alphabet)
    rng = np.random.default_rng(seed)
    random_W_xh = rng.normal(size=(len(alphabet), units))
    random_W_hh = 0.8 * rng.normal(size=(units, units)) / np.sqrt(units)
    weights = random_W_xh, random_W_hh, np.zeros(units)
    return rnn_forward(letters, np.zeros((1, units)), *weights)[0]


line = data.zen_lines()[0]
line_states = read_line(line)
print(line)
explorers.state_explorer(line_states, "Eight units read a line", labels=line)

# %% tags=["demonstration"]
t_steps = [step for step, letter in enumerate(line) if letter == "t"]
ax = plots.heat_map(
    line_states[t_steps], title='The state after each of the four letters "t"',
    labels=[f"step {step + 1}" for step in t_steps],
)
ax.set_xlabel("")
plots.show(ax, f"Four columns, one for each t: {line_states[t_steps].round(1)}")

# %% [markdown]
# No two columns are alike, because a state depends on the current input *and on everything before it*.
# A look-up table gives the same numbers for the same letter every time. That is the whole
# difference.
#
# ☕ *A good place for a break.*

# %% [markdown]
# ## The readout
#
# The hidden state is internal. To get an output, we apply one more matrix at every step,
# the **readout**:
#
# $$y_t = h_t W_{hy} + b_y$$
#
# with $W_{hy}$ of shape (units, outputs) and $b_y$ of shape (outputs,). For numbers such
# as a temperature, $y_t$ is the output itself. For classes it holds one **logit** for each
# class: a score of any size and sign, which lesson 03 turns into a probability.

# %% [markdown]
# ### Warm-up: `readout`
#
# Write the readout for all steps at once. (No points, and no loop: `@` works on the last
# axis and leaves the others alone.)

# %% nbgrader={"grade_id": "readout", "solution": true}
def readout(hs, W_hy, b_y):
    """Return y_t = h_t W_hy + b_y for every step, shape (batch, steps, outputs)."""
    ### BEGIN SOLUTION
    return hs @ W_hy + b_y
    ### END SOLUTION


# %% tags=["demonstration"]
ys = readout(np.ones((2, 5, 4)), np.eye(4)[:, :3], np.array([0.5, 0.0, -0.5]))
print("expected: (2, 5, 3) [1.5 1.  0.5]")
print("yours:   ", ys.shape, ys[0, 0])

# %% [markdown]
# ## You choose the weights
#
# Now it is your turn to build memories by hand, as we did for the light. In each of the
# next three exercises a network with one feature and one output is given a job, and you
# return its five arrays, with as many units as you like. The check runs the network and
# looks only at what it does, so every solution that works is right.
#
# `run_network` lets you try it out. It takes the inputs of one sequence and returns the
# outputs.

# %%
def run_network(weights, inputs):
    W_xh, W_hh, b_h, W_hy, b_y = weights
    xs = np.reshape(inputs, (1, -1, 1))
    hs = rnn_forward(xs, np.zeros((1, len(b_h))), W_xh, W_hh, b_h)
    return readout(hs, W_hy, b_y)[0, :, 0]

# %% [markdown] nbgrader={"grade_id": "delay_line_task", "locked": true}
# ### Your turn: `delay_line` (2 points)
#
# Return weights for a network that repeats its input **two steps later**: $y_t = x_{t-2}$,
# and 0 for the first two steps. The inputs are numbers between −1 and 1, and the outputs
# may be off by at most 0.05.
#
# The result is the tuple `(W_xh, W_hh, b_h, W_hy, b_y)`, with shapes (1, units),
# (units, units), (units,), (units, 1) and (1,). Picture C is half of the idea. The other
# half is where $\tanh(a)$ is almost $a$.

# %% nbgrader={"grade_id": "delay_line", "solution": true}
def delay_line():
    """Return (W_xh, W_hh, b_h, W_hy, b_y) such that y_t = x_{t-2}."""
    ### BEGIN SOLUTION
    W_xh = np.array([[0.01, 0.0, 0.0]])          # small, where tanh is the identity
    W_hh = np.eye(3, k=1)                        # unit 1 to unit 2 to unit 3
    W_hy = np.array([[0.0], [0.0], [100.0]])
    return W_xh, W_hh, np.zeros(3), W_hy, np.zeros(1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "delay_line_test", "grade": true, "locked": true, "points": 2}
check(delay_line)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(delay_line)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "latch_task", "locked": true}
# ### Your turn: `latch` (2 points)
#
# A smoke alarm does not stop when the smoke is gone. Return weights for a network that
# outputs less than 0.5 until the first 1 arrives, and more than 0.5 from then on, for a
# hundred steps and more. The inputs are 0 or 1. One unit is enough; plot
# `run_network(latch(), ...)` if you want to see what it does.

# %% nbgrader={"grade_id": "latch", "solution": true}
def latch():
    """Return (W_xh, W_hh, b_h, W_hy, b_y) of a network that stays on after a 1."""
    ### BEGIN SOLUTION
    W_xh, W_hh = np.array([[3.0]]), np.array([[2.0]])
    return W_xh, W_hh, np.zeros(1), np.array([[1.0]]), np.zeros(1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "latch_test", "grade": true, "locked": true, "points": 2}
check(latch)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(latch)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "counter_task", "locked": true}
# ### Your turn: `counter` (2 points)
#
# Return weights for a network whose output is **how many 1s have arrived so far**, off by
# less than 0.4. The inputs are 0 or 1; there are at most 20 ones in a sequence of 60
# steps.

# %% nbgrader={"grade_id": "counter", "solution": true}
def counter():
    """Return (W_xh, W_hh, b_h, W_hy, b_y) of a network whose y_t counts the ones."""
    ### BEGIN SOLUTION
    small = 1e-4
    W_xh, W_hh = np.array([[small]]), np.array([[1.0]])
    return W_xh, W_hh, np.zeros(1), np.array([[1 / small]]), np.zeros(1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "counter_test", "grade": true, "locked": true, "points": 2}
check(counter)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(counter)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>What the three have in common, and what they do not (open it when you
# are done)</summary>
#
# The delay line and the counter work where $\tanh$ is nearly linear, and store numbers.
# Nothing corrects a small error in such a number. A latch works where $\tanh$
# saturates. With $W_{hh} = 2$ and no bias, for example, its state is pulled towards 0.958,
# a solution of $h = \tanh(2h)$, and a small error there disappears within a few steps.
# Such a state to which a network returns is called an **attractor**. Remembering one bit
# *reliably* needs one. Keep this in mind for lesson 06, which shows what saturation does
# to gradients.
# </details>

# %% [markdown]
# ## How many parameters are there?
#
# The numbers that training will choose, all weights and biases, are the **parameters** of
# the network.
#
# **Predict.** A network with 3 features, 4 units and 2 outputs reads a sequence of 10
# steps. Then it reads one of 10,000 steps. By what factor does the number of its
# parameters grow?

# %% [markdown] nbgrader={"grade_id": "count_parameters_task", "locked": true}
# ### Your turn: `count_parameters` (2 points)
#
# Return the total number of entries in the five arrays $W_{xh}$, $W_{hh}$, $b_h$,
# $W_{hy}$ and $b_y$, as an integer. For 3 features, 4 units and 2 classes it is 42.

# %% nbgrader={"grade_id": "count_parameters", "solution": true}
def count_parameters(features, units, classes):
    """Return the number of parameters of the recurrence and the readout together."""
    ### BEGIN SOLUTION
    recurrence = features * units + units * units + units
    return recurrence + units * classes + classes
    ### END SOLUTION


# %% nbgrader={"grade_id": "count_parameters_test", "grade": true, "locked": true, "points": 2}
check(count_parameters)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(count_parameters)
### END HIDDEN TESTS

# %% [markdown]
# The factor is 1, since no weight carries a $t$. The same parameters serve sequences of
# any length. This **parameter sharing** keeps recurrent networks small, and it lets them
# recognise a pattern wherever it occurs. It also makes them hard to train: the state is
# multiplied by the same $W_{hh}$ at every step, so whatever that matrix does to a signal,
# it does again and again. Lessons 04 to 07 are about this.

# %% [markdown]
# ## Other people's notation
#
# We write states as *rows* and put the batch first, as does Keras, the library of lesson
# 08. Most textbooks write columns, and another library, PyTorch, stores transposed
# matrices:
#
# | here | shape | textbooks (columns) | Keras `SimpleRNN` | PyTorch `nn.RNN` |
# |---|---|---|---|---|
# | $W_{xh}$ in $x_t W_{xh}$ | (features, units) | $W_{hx} x_t$ with $W_{hx} = W_{xh}^\top$ | `kernel` | `weight_ih_l0`, transposed |
# | $W_{hh}$ in $h_{t-1} W_{hh}$ | (units, units) | $W h_{t-1}$ with $W = W_{hh}^\top$ | `recurrent_kernel` | `weight_hh_l0`, transposed |
# | $b_h$ | (units,) | $b_h$ | `bias` | `bias_ih_l0 + bias_hh_l0` |
# | `xs` | (batch, steps, features) | | the same | the same with `batch_first=True` |
#
# PyTorch keeps two biases where one would do; only their sum matters. Some books also put input and
# state side by side, $[x_t, h_{t-1}]$, and use a single matrix with $W_{xh}$ on top of
# $W_{hh}$. Papers on gates (lesson 13) often use that form.

# %% [markdown]
# The next cell computes one step in rows, one in columns, and one with the stacked matrix,
# and prints the largest difference:

# %% tags=["demonstration"]
x_row, h_row = np.array([[1.0]]), np.array([[0.2, -0.4]])
in_rows = rnn_step(x_row, h_row, W_xh, W_hh, b_h)
in_columns = np.tanh(W_xh.T @ x_row.T + W_hh.T @ h_row.T + b_h[:, None])
stacked = np.tanh(np.hstack([x_row, h_row]) @ np.vstack([W_xh, W_hh]) + b_h)

print("rows:", in_rows.round(3), " columns:", in_columns.round(3).tolist())
differences = np.stack([in_columns.T - in_rows, stacked - in_rows])
print("largest difference:", np.abs(differences).max())

# %% [markdown] nbgrader={"grade_id": "SimpleRNN_task", "locked": true}
# ## Everything in one class
#
# ### Your turn: `class SimpleRNN` (4 points)
#
# The constructor is given: it draws small random weights with the generator `rng`. Write
#
# - `step(x_t, h_prev)`, which returns the pair `(h_t, y_t)`: the new state and its output;
# - `forward(xs, h_0=None)`, which returns the pair `(hs, ys)` for whole sequences. If
#   `h_0` is None, the initial state is all zeros, with one row for each sequence. Each
#   call starts from there; nothing is kept from the call before.
#
# Use the functions that you have written, with the weights in `self`. The number of units
# is `len(self.b_h)`. Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

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


# %% tags=["from-scratch"] nbgrader={"grade_id": "SimpleRNN_test", "grade": true, "locked": true, "points": 4}
check(SimpleRNN)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(SimpleRNN)
### END HIDDEN TESTS

# %% [markdown]
# ## How far back does an untrained network remember?
#
# The constructor draws its weights with `scale=0.01`, as many tutorials do. Four inputs
# arrive; we swap the first two and look at the last output.
#
# **Predict.** By what percentage does $y_4$ change: about 50, about 5, or less than 0.1?
# And with `scale=0.5`? (The cell also prints the **spectral norm** of $W_{hh}$, the largest
# factor by which the matrix can stretch a row.)

# %% tags=["demonstration"]
def effect_of_swapping(scale):
    xs = np.random.default_rng(42).normal(size=(200, 4, 3))  # 200 sequences, to average
    network = SimpleRNN(3, 5, 2, np.random.default_rng(7), scale=scale)
    y_4 = network.forward(xs)[1][:, -1]
    y_4_swapped = network.forward(xs[:, [1, 0, 2, 3]])[1][:, -1]
    change = np.linalg.norm(y_4 - y_4_swapped) / np.linalg.norm(y_4)
    return 100 * change, np.linalg.norm(network.W_hh, 2)


for scale in (0.01, 0.5):
    change, norm = effect_of_swapping(scale)
    print(f"scale {scale}: y_4 changes by {change:.4f} %,  spectral norm {norm:.3f}")

# %% [markdown]
# With `scale=0.01` the norm is 0.034, so at most 3.4 % of a state survives one step, and
# about a thousandth survives two. This is a recurrent network in name only.
#
# With 0.5 the first inputs still matter at the fourth step. How large the recurrent weights
# should be at the start is an important question, and lessons 06 and 07 answer it.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - J. L. Elman, "Finding structure in time" (1990): the simple recurrent network, and
#   what its hidden state learns about words.
# - M. I. Jordan, "Serial order: a parallel distributed processing approach" (1986): an
#   earlier network, whose output is fed back instead of the hidden state.
# - H. T. Siegelmann and E. D. Sontag, "On the computational power of neural nets" (1995):
#   with enough units and exact numbers, weights can be chosen for *any* computation.
# - I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning* (2016), chapter 10: the
#   same equations, in columns.

# %% [markdown]
# ## In three lines
#
# - One time step is $h_t = \tanh(x_t W_{xh} + h_{t-1} W_{hh} + b_h)$, and a sequence is that step repeated with the same weights.
# - The hidden state depends on the input *and its history*. The matrix $W_{hh}$ determines what is remembered and for how long, and without the nonlinearity the network could only add.
# - The readout $y_t = h_t W_{hy} + b_y$ gives the output. The number of parameters does not depend on the number of steps.
#
# *Next: 02 · Unrolling.*
