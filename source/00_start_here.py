# %% [markdown]
# # 00 · Start here: a memory made of one number
#
# **After this lesson you can** use the three helpers that come with the course (`check`, `hint`, `progress`), and build the
# simplest memory there is: one number that remembers a whole sequence, a little.
#
# **Time** about 20 minutes. **You need** Python loops and NumPy arrays. No machine learning yet.
#
# **What it is all for.** Text, speech, the weather, a heartbeat: they come one piece at a time, and what a piece means depends on what
# came before. A *recurrent neural network* reads piece by piece and keeps a memory. In this course you build one from nothing.

# %% [markdown]
# ## How this works
#
# A lesson is a notebook: text, code, and cells that wait for you. Run a cell with **Shift + Enter** and go on downwards.
#
# - **Predict** means: write your guess down first, on real paper if you have some. A wrong guess that you wrote down teaches
#   more than a right answer that you read.
# - **Your turn** means: replace `raise NotImplementedError()` with your own code, run the cell, then run the `check(...)`
#   below it. It answers at once, as often as you like, and never holds a wrong answer against you.
# - Stuck? Type `hint("leaky_memory")` into any cell and run it: first a question, then an idea, then the line in words.
#
# First, is everything installed?

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError("Wrong kernel: use `make lab`, or choose the Python in .venv") from None

import numpy as np

from rnn_helpers import data, plots
from rnn_helpers.environment import check_environment

check_environment();

# %% [markdown]
# ## A bucket with a hole
#
# Imagine a bucket under a dripping tap. At each step some water arrives, $x_t$, and some of what was in the bucket leaks
# away. What is left, $h_t$, depends on *everything that ever dripped*, but old drops count less than new ones:
#
# $$h_t = \text{decay} \cdot h_{t-1} + x_t, \qquad h_0 = 0$$
#
# | symbol | in code | shape | what it is |
# |---|---|---|---|
# | $x_t$ | `xs[t - 1]` | one number | what arrives at step $t$ |
# | $h_t$ | `hs[t - 1]` | one number | what is remembered after step $t$ |
# | decay | `decay` | one number from 0 to 1 | the share that *stays*: with 0.9, 90 % are still there one step later |
#
# Formulas count steps from 1, Python counts from 0; that is the only reason for the `- 1`.

# %% [markdown]
# ### By hand, once
#
# Take `decay = 0.5` and the inputs 1, 0, 0, 2.
#
# | step $t$ | $x_t$ | $h_t = 0.5 \, h_{t-1} + x_t$ |
# |---|---|---|
# | 1 | 1 | 0.5 · 0 + 1 = **1** |
# | 2 | 0 | 0.5 · 1 + 0 = **0.5** |
# | 3 | 0 | 0.5 · 0.5 + 0 = **0.25** |
# | 4 | 2 | 0.5 · 0.25 + 2 = **2.125** |
#
# Look at step 4: the 2 has just arrived, and 0.125 of the 1 from step 1 is still in there. One number holds both.

# %% [markdown]
# ## Worked example: a bucket without a hole
#
# With `decay = 1` nothing leaks, and the memory is a running total. Read the loop line by line: a variable that lives
# *outside* the loop, is rewritten *inside* it, and is written down after each step. Every recurrent network in this
# course has this shape.

# %% tags=["demonstration"]
def running_total(xs):
    h = 0.0            # the memory before anything arrived
    hs = []
    for x_t in xs:
        h = h + x_t    # rewrite the memory
        hs.append(h)   # write it down
    return np.array(hs)


print(running_total([1, 0, 0, 2]))

# %% [markdown]
# ## Half the work: a memory for the record
#
# Another memory of one number: the highest value so far. Everything is given but the line that rewrites `h`. Python's
# `max(a, b)` returns the larger of two numbers. (This one has no points. It is a warm-up.)

# %% nbgrader={"grade_id": "running_record", "solution": true}
def running_record(xs):
    h = -np.inf        # lower than anything that can arrive
    hs = []
    for x_t in xs:
        # rewrite h here
        ### BEGIN SOLUTION
        h = max(h, x_t)
        ### END SOLUTION
        hs.append(h)
    return np.array(hs)


# %% tags=["demonstration"]
print("expected: [3. 3. 4. 4. 5.]")
print("yours:   ", running_record([3.0, 1.0, 4.0, 1.0, 5.0]))

# %% [markdown] nbgrader={"grade_id": "leaky_memory_task", "locked": true}
# ### Your turn: `leaky_memory` (2 points)
#
# Write the bucket with a hole. Return all the states $h_1, h_2, \ldots, h_T$, and leave `xs` as you found it.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `xs` | (steps,) | | `hs` | (steps,) |
# | `decay` | one number | | | |

# %% nbgrader={"grade_id": "leaky_memory", "solution": true}
def leaky_memory(xs, decay):
    """Return the states h_t = decay * h_{t-1} + x_t with h_0 = 0, shape (steps,)."""
    ### BEGIN SOLUTION
    h = 0.0
    hs = []
    for x_t in xs:
        h = decay * h + x_t
        hs.append(h)
    return np.array(hs)
    ### END SOLUTION


# %% nbgrader={"grade_id": "leaky_memory_test", "grade": true, "locked": true, "points": 2}
check(leaky_memory)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(leaky_memory)
### END HIDDEN TESTS

# %% [markdown]
# ## How long is a memory?
#
# One drop at step 1, then silence for 29 steps: with a big hole (decay 0.5), a small one (0.9), none (1.0), and a bucket that,
# by magic, makes a little water of its own (1.05).
#
# **Predict.** How much is left after ten more steps with 0.5: half, a tenth, or less than a thousandth? With 0.9: nine tenths, a third,
# or a tenth? And what does 1.05 do? Write all three down, then run the cell.

# %% tags=["demonstration"]
pulse = np.zeros(30)
pulse[0] = 1.0
fading = {f"decay {decay}": leaky_memory(pulse, decay) for decay in (0.5, 0.9, 1.0, 1.05)}
steps = np.arange(1, 31)
ax = plots.curves(
    steps, fading, title="Below 1 a memory fades, above 1 it explodes", xlabel="step t", ylabel="what is left, $h_t$"
)
plots.show(ax, (
    "Four curves that begin at 1. Decay 0.5 is nearly zero after six steps, 0.9 falls slowly to "
    "0.05 at step 30, 1.0 stays, 1.05 climbs to 4."
))
print("left after ten more steps:", {name: round(float(hs[10]), 5) for name, hs in fading.items()})

# %% [markdown]
# After $k$ more steps, $\text{decay}^k$ is left: $0.5^{10}$ is less than a thousandth, $0.9^{10}$ about a third. A number
# slightly below 1, multiplied by itself again and again, vanishes; slightly above 1, it explodes. Keep this picture.
# Lesson 06 is about nothing else.

# %% [markdown]
# ## What a leaky memory is good for: the Nile
#
# Each year from 1871 to 1970 somebody wrote down how much water the Nile carried at Aswan. Single years jump about.
# Did something *change*?
#
# **Predict.** We feed the memory each year's difference from the average of all the years. If the river had changed for good
# at some point, what would the memory look like before and after?

# %% tags=["demonstration"]
years, flow = data.nile()
difference = flow - flow.mean()
memory = leaky_memory(difference, 0.9)
ax = plots.curves(
    years, {"this year": difference, "memory": memory},
    title="One wet year means little; the memory sees an era end", xlabel="year", ylabel="10⁸ m³ above average",
)
ax.axhline(0, color="0.6", linewidth=0.8)
plots.show(ax, (
    "The yearly difference jumps around zero. The memory climbs to a peak in 1896, falls "
    "through zero around 1910, and stays at or below zero to the end."
))
print("the memory was at its highest in", years[np.argmax(memory)])

# %% [markdown]
# The memory rises when a year brings more than the tenth that leaks away, and falls when it brings less. From 1899 on the river
# carried less, on the whole and for good, and the memory shows at a glance what the jumpy yearly values hide. (We helped a little: the average
# that we subtracted knows all hundred years.) Apart from that it saw one number at a time, and kept one.
#
# **Try it.** Change 0.9 to 0.5, then to 0.99. What does a memory lose when it is too short? What when it is too long?

# %% [markdown]
# ## The whole course
#
# `progress()` is its index: what you build in each lesson, how long that takes, and what you have solved. Click on a lesson to open it. (When a formula has slipped your
# mind later on: `from rnn_helpers import equations`, then `equations()`, shows all of them on one page.)

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - A **state** is what survives from step to step: $h_t$ is made from $h_{t-1}$ and $x_t$, by the same rule each time.
# - With decay below 1, what arrived $k$ steps ago counts $\text{decay}^k$: a memory has a *length*.
# - In lesson 01 the number $h_t$ becomes a whole row of numbers, and decay becomes a matrix. That is all an RNN is.
#
# *Next: 01 · The recurrence.*
