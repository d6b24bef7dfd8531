# %% [markdown]
# # 00 · Start here: a memory made of one number
#
# **After this lesson you can** explain what a *hidden state* is, write the simplest one,
# a single number that remembers a whole sequence, and use the course's three helpers:
# `check`, `hint` and `progress`.
#
# **Time** about 35 minutes. **You need** Python loops and NumPy arrays. No machine
# learning yet.
#
# Run each code cell with **Shift + Enter** and work down the page. The first one loads what
# the lesson needs and tells you whether everything is installed.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import data, graphs, plots, storyteller
from rnn_helpers.environment import check_environment

check_environment();

# %% [markdown]
# ## A network that writes
#
# Here is what this course is about. We trained a small **recurrent neural network** on one
# book, Lewis Carroll's *Alice in Wonderland*. It reads one **character** at a time and gives
# each possible next character a probability. **Training** adjusted the numbers inside it until
# these guesses were good. If we draw a character at random by its probabilities and feed it
# back in as the next input, the network writes. The `seed` fixes the random draws, so another
# seed gives another story.

# %% tags=["demonstration"]
network = storyteller.load()
story = storyteller.write(network, characters=400, seed=230)
print(story)

# %% [markdown]
# It is nonsense, though not much stranger than the book. But look at what is right. We never
# told the network that words are separated by spaces, that a sentence starts with a capital,
# or that Alice is a name. It picked up such habits from 127,000 characters, always asked the
# same question: *which character comes next?*

# %% [markdown]
# ### What does it remember?
#
# At each moment the network is shown a single character. All it knows about the earlier ones
# is in 256 numbers that it updates with each character: its **hidden state**. Each of the
# numbers is the value of one **unit**, between -1 and 1.
#
# **Predict.** The next cell colours the story by the value of *one* unit after each
# character. What might this unit be tracking? Write your guess down, then run.

# %% tags=["demonstration"]
storyteller.show_unit(story, storyteller.unit_values(network, story))

# %% [markdown]
# The unit is high inside quotations and low outside. That is how the network can know, a
# hundred characters later, that one is still open. (We searched for this unit among the 256,
# and for a story with both speech and narration.)
#
# How reliable is the unit? Training used the first nine tenths of the book. On the last tenth,
# which the network has never seen, the unit is above zero at 98 % of the characters inside a
# quotation, and at 12 % of those outside. The correlation between the two is 0.82, where 1
# would be perfect and 0 would be chance. Few units are so easy to read: the next best reaches
# 0.64 in size, and all others less than 0.31.

# %% [markdown]
# **Try it.** Change the sentence and run the cell again. What happens if you forget to close
# the quotation? The network knows letters and the usual punctuation, but no digits, and
# the marks must be “ and ”, so copy them from here.

# %% tags=["demonstration"]
sentence = "The Cat said: “I like it here, but the tea is cold,” and went away."
storyteller.show_unit(sentence, storyteller.unit_values(network, sentence))

# %% [markdown]
# <details><summary>What happens without the closing ”</summary>
#
# The unit stays high to the end, even in <em>and went away</em>. It follows the punctuation,
# not the meaning.
#
# </details>
#
# **Why this matters.** Text, speech, weather records and heartbeats all arrive one piece at
# a time, and what each piece means depends on what came before it. By the end of lesson 05
# you will have built such a network from scratch, from its equation to its training.

# %% [markdown]
# ## How the course works
#
# - **Predict** means that you write down a guess before you run the cell, on real paper if
#   you have some. You notice what surprises you only if you expected something else.
# - **Your turn** means that you replace `raise NotImplementedError()` with your own code, run
#   that cell, then run the `check(...)` below it. It answers at once. Use it as often as you
#   like; wrong attempts cost nothing.
# - If you are stuck, type `hint("leaky_memory")` into any cell. The first call asks you a
#   question, the second gives an idea, and the third describes the missing line.

# %% [markdown]
# ## A bucket with a hole
#
# How can a number remember? Imagine a bucket under a dripping tap, with a hole in it. At
# each **time step** $t$, some of the water from the step before leaks away, and then new
# water $x_t$ arrives. The new water does not leak until the next step.

# %% tags=["demonstration"]
plots.show(graphs.buckets([1, 0, 0, 2], decay=0.5), (
    "A bucket under a tap, after each of four time steps. Inflow 1, 0, 0 and 2; half "
    "of the water leaks out between two steps. The levels are 1, 0.5, 0.25 and 2.125."
))

# %% [markdown]
# The water level after step $t$ is the **state** $h_t$. It depends on *everything that ever
# dripped*, but old drops count less than new ones:
#
# $$h_t = \text{decay} \cdot h_{t-1} + x_t, \qquad h_0 = 0$$
#
# | symbol | in code | what it is |
# |---|---|---|
# | $x_t$ | `x_t` | a number, the **input** at step $t$ |
# | $h_t$ | `h` | a number, the state after step $t$; $h_0$ is the empty bucket |
# | decay | `decay` | a number, usually from 0 to 1: the share that is *kept* |

# %% [markdown]
# **Watch the name.** In this course `decay` is the share that *stays*, not the share that is
# lost: with a decay of 0.9, 90 % is still there one step later.
#
# An equation that computes each state from the one before it is a **recurrence**, and this is
# what makes a network recurrent. A number such as decay, which is the same
# at every step, is a **parameter**. Here we choose it; a network learns its own.

# %% [markdown]
# ### By hand, once
#
# Take a decay of 0.5 and the inputs 1, 0, 0, 2, as in the picture.
#
# | step $t$ | $x_t$ | $h_t = 0.5 \, h_{t-1} + x_t$ |
# |---|---|---|
# | 1 | 1 | 0.5 · 0 + 1 = **1** |
# | 2 | 0 | 0.5 · 1 + 0 = **0.5** |
# | 3 | 0 | 0.5 · 0.5 + 0 = **0.25** |
# | 4 | 2 | 0.5 · 0.25 + 2 = **2.125** |
#
# Look at step 4. The 2 has just arrived, and 0.125 of the 1 from step 1 is still there. One
# number holds both.

# %% [markdown]
# ## Worked example: a bucket without a hole
#
# With a decay of 1 nothing leaks, and the state is a running total. Read the loop line by
# line. The variable `h` is created *before* the loop, updated once *in each step*, and
# appended to a list after each update. Every recurrent network in this course has this shape.

# %% tags=["demonstration"]
def running_total(xs):
    h = 0.0            # h_0, the state before anything arrived
    hs = []
    for x_t in xs:
        h = h + x_t    # update the state
        hs.append(h)   # keep a record of it
    return np.array(hs)


print(running_total([1, 0, 0, 2]))

# %% [markdown]
# ## Warm-up: complete the loop
#
# Here is another memory of one number, the highest value so far. Everything is written except
# the line that updates `h`. Python's `max(a, b)` returns the larger of two numbers. This
# exercise has no points.

# %% nbgrader={"grade_id": "running_record", "solution": true}
def running_record(xs):
    h = -np.inf        # lower than anything that can arrive
    hs = []
    for x_t in xs:
        # update h here
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
# Implement the leaky bucket. Return all the states $h_1, h_2, \ldots, h_T$ as one array, where
# $T$ is the number of steps, and do not modify `xs`.
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
# Put in one drop at step 1 and nothing for the next 19 steps. We compare four buckets: a big
# hole (decay 0.5), a small hole (0.9), no hole (1.0), and a magic bucket whose water grows by
# 5 % in each step (1.05).
#
# **Predict.** How much is left after ten more steps with 0.5: half, a tenth, or less than a
# thousandth? With 0.9: nine tenths, a third, or a tenth? And with 1.05? Write it down.

# %% tags=["demonstration"]
pulse = np.zeros(20)
pulse[0] = 1.0
remaining = {f"decay {d}": leaky_memory(pulse, d) for d in (0.5, 0.9, 1.0, 1.05)}
ax = plots.curves(
    np.arange(1, 21), remaining, title="One drop in four buckets",
    xlabel="time step t", ylabel="state $h_t$",
)
ax.set_xticks([1, 5, 10, 15, 20])
plots.show(ax, "Four curves, one for each decay: the state from step 1 to step 20.")
for name, hs in remaining.items():
    print(f"{name}: {hs[10]:.5f} is left after ten more steps")

# %% [markdown]
# After $k$ more steps, $\text{decay}^k$ is left, because each step multiplies by decay once
# more. (`hs[0]` is the state after step 1, so `hs[10]` is ten steps later.) $0.5^{10}$ is less
# than a thousandth, $0.9^{10}$ is about a third, and $1.05^{10}$ is 1.6. After a hundred steps
# the difference is dramatic: $0.9^{100} = 0.00003$, but $1.05^{100} = 131$. A number slightly
# below 1, multiplied by itself again and again, **vanishes**; slightly above 1, it
# **explodes**.
#
# Remember this. Vanishing and exploding are the main difficulty in training recurrent
# networks, as lesson 06 will show.

# %% [markdown]
# ### Back to the network
#
# When the training of the network above began, 64 of its 256 units were buckets with a decay
# of 1, whose values were kept between -1 and 1. Training then changed them, and connected
# every unit with every other. The unit that you saw began as one of these buckets.
#
# Did that matter? We trained a second network in the same way, except that all its units began
# with a shrinking memory. None of them follows quotations: the one that did best on the
# training text reaches a correlation of only 0.08 on the unseen tenth.

# %% [markdown]
# ## What a leaky memory is good for: the Nile
#
# From 1871 to 1970, the yearly flow of the Nile was recorded at Aswan. Individual years vary a
# great deal. Did something *change*?
#
# **Predict.** We give the memory each year's difference from the hundred-year average. If the
# flow had dropped for good at some point, what would the memory look like before and after it?

# %% tags=["demonstration"]
decay = 0.9
years, flow = data.nile()
difference = flow - flow.mean()
memory = (1 - decay) * leaky_memory(difference, decay)
ax = plots.curves(
    years, {"this year": difference, "memory": memory}, title="The Nile at Aswan",
    xlabel="year", ylabel="difference (10⁸ m³)",
)
ax.axhline(0, color="0.6", linewidth=0.8)
plots.show(ax, "Two curves from 1871 to 1970: each year's difference, and its memory.")
print("the memory is highest in", years[np.argmax(memory)])

# %% [markdown]
# Why the factor `1 - decay`? The state is a *sum* of past years, with the weights 1, 0.9, 0.81
# and so on, which add up to 10. Multiplied by 0.1 it becomes an average, so that both curves
# share one scale.
#
# The memory peaks in 1896 and then falls. In 1897 and 1898 the flow was still above average,
# but by less than the memory itself, so they pulled it down. From 1899 on, most years were
# below average.

# %% [markdown]
# These data are a classic of **change-point detection**. Cobb (1978) placed the change near
# 1898, and later methods agree. The mean flow is 1098 up to 1898 and 850 afterwards, in units
# of 10⁸ m³. The first Aswan dam is often named as the cause, but its construction began only
# in 1899 and was completed in 1902. The flow is thought to vary mainly with the rainfall over the Ethiopian highlands (Riehl and
# others, 1979).
#
# The memory **lags**. It falls below zero for good only in 1912 (and barely touches zero in
# 1964). We also cheated slightly: the average that we subtracted was computed from all
# hundred years, including the future.

# %% [markdown]
# **Try it.** Change the decay to 0.5, then to 0.99. What is wrong with a memory that is too
# short? And with one that is too long?
#
# <details><summary>Answer</summary>
#
# With 0.5 the memory follows single years, and is nearly as noisy as the river: it crosses zero
# 17 times. With 0.99 it is smooth but slow: it starts at zero, rises only a little before 1898,
# and falls below zero only in 1941, more than forty years too late. A decay is a compromise between noise and delay.
#
# </details>

# %% [markdown]
# ## Find your way
#
# `progress()` is an index of the course. It shows what you build in each lesson, how long it
# takes, and what you have solved. Click on a lesson to open it.
#
# If you forget a formula later, `from rnn_helpers import equations` and then `equations()` shows
# them all on one page.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - A. Karpathy (2015), *The Unreasonable Effectiveness of Recurrent Neural Networks*. Networks
#   that write, and the first quotation unit that became famous.
# - A. Karpathy, J. Johnson and L. Fei-Fei (2015), *Visualizing and Understanding Recurrent
#   Networks*, arXiv:1506.02078. More units that can be read.
# - J. L. Elman (1990), *Finding Structure in Time*, Cognitive Science 14. The network of this
#   course, trained on letters and words.
# - T. Mikolov and others (2015), *Learning Longer Memory in Recurrent Neural Networks*,
#   arXiv:1412.7753. Buckets inside a network.
# - G. W. Cobb (1978), *The Problem of the Nile: Conditional Solution to a Change-Point
#   Problem*, Biometrika 65.
# - H. Riehl, M. El-Bakry and J. Meitín (1979), *Nile River Discharge*, Monthly Weather
#   Review 107.

# %% [markdown]
# ## In three lines
#
# - A **hidden state** is what is kept from one time step to the next: a recurrence computes
#   $h_t$ from $h_{t-1}$ and $x_t$, by the same rule at every step.
# - What arrived $k$ steps ago counts $\text{decay}^k$: below 1 it vanishes, above 1 it explodes.
# - In lesson 01 the number $h_t$ becomes a vector and decay becomes a matrix. Add a function
#   that keeps the values between -1 and 1, and you have a recurrent neural network.
#
# *Next: 01 · The recurrence.*
