# %% [markdown]
# # 03 · The loss: one number that says how wrong we are
#
# **After this lesson you can** say what the target of each time step is, turn logits into
# log-probabilities without overflow, compute the cross-entropy of a batch of padded
# sequences and compare it with a baseline, and say in which direction each logit should
# move.
#
# **Time** about 125 minutes. **You need** lessons 01 and 02, logarithms, the derivatives of $e^x$ and $\log x$, and the chain rule.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import data, explorers, plots

# %% [markdown]
# ## What should the network have said?
#
# In lesson 01 the readout gave one vector of numbers at each time step. To say how wrong
# these numbers are, we need the right answer for every step, which is called
# the **target**. Suppose the network reads the word "hello":
#
# | step $t$ | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|
# | input | h | e | l | l |
# | target, if the task is to predict the **next character** | e | l | l | o |
# | target, if the task is to **label** vowels | no | yes | no | no |

# %% [markdown]
# A network that predicts the next character is called a **language model**. Its targets are
# its own inputs, shifted by one step, so any text is training data, without a label written by
# hand. When we label each step, nothing is shifted.
#
# Look at steps 3 and 4. The input is the same, an "l", but the targets differ. A network
# that sees only the current character cannot get both right. A recurrent network can,
# because its hidden state is different the second time.
#
# In both tasks a target is one of $C$ **classes**, written as an integer from 0 to $C - 1$.

# %% [markdown]
# ## From logits to probabilities
#
# At each step the readout of lesson 01 gives one number for each class, of any size and
# any sign. Such unnormalised scores are called **logits**. We write them
# $z_0, \ldots, z_{C-1}$ (in lesson 01 they were the entries of $y_t$). We want
# probabilities: positive numbers that sum to 1. The **softmax** function makes the logits
# positive with $e^z$ and divides by the sum:
#
# $$p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}$$
#
# | class | logit $z$ | $e^z$ | probability $p$ |
# |---|---|---|---|
# | a | 2 | 7.39 | 0.67 |
# | b | 1 | 2.72 | 0.24 |
# | c | 0 | 1 | 0.09 |

# %% [markdown]
# **Predict.** Three questions before you run the next cell:
#
# 1. All three logits increase by 500. What happens to the probabilities?
# 2. There is only *one* class. What is its probability, whatever the logit?
# 3. One logit is 1000. What does NumPy return for $e^{1000}$?

# %% tags=["demonstration"]
def naive_softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


with np.errstate(over="ignore", invalid="ignore"):  # without NumPy's warnings
    print("2, 1, 0:      ", naive_softmax(np.array([2.0, 1.0, 0.0])).round(2))
    print("plus 500:     ", naive_softmax(np.array([502.0, 501.0, 500.0])).round(2))
    print("one class:    ", naive_softmax(np.array([-3.7])))
    print("1000, 1, 0:   ", naive_softmax(np.array([1000.0, 1.0, 0.0])))

# %% [markdown]
# 1. Nothing happens. Every term gets the same factor $e^{500}$, which cancels. Only the
#    *differences* between logits matter.
# 2. It is always 1. A network with a single softmax output is perfectly confident, never
#    changes its mind, and learns nothing. (If this reminds you of someone, be kind.)
# 3. $e^{1000}$ is too large for a float64, so NumPy returns `inf`. Then `inf / inf` gives
#    `nan`, and one `nan` spoils everything computed from it. This is called **overflow**.
#
# The first answer tells us how to fix the third. If we subtract the largest logit of each
# row, the probabilities stay the same, and no exponent is greater than 0. The largest
# logit itself contributes $e^0 = 1$, so the sum that we divide by is at least 1.

# %% [markdown]
# ### Warm-up: `safe_softmax`
#
# Complete the line that subtracts the largest logit of each row. (No points.
# `z.max(axis=-1, keepdims=True)` keeps the last axis with length 1, so that the result
# broadcasts against `z`.)

# %% nbgrader={"grade_id": "safe_softmax", "solution": true}
def safe_softmax(z):
    # shifted = ...
    ### BEGIN SOLUTION
    shifted = z - z.max(axis=-1, keepdims=True)
    ### END SOLUTION
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


# %% tags=["demonstration"]
print("expected: [1. 0. 0.]")
print("yours:   ", safe_softmax(np.array([1000.0, 1.0, 0.0])))

# %% [markdown]
# ## How surprised should the network be?
#
# Suppose the network assigned probability $p$ to the character that actually came next. How
# bad was the prediction? We would like a number, the **surprise**, such that
#
# - a character that was certain ($p = 1$) causes no surprise,
# - a less probable character causes more surprise, and
# - surprises add up: the surprise of a whole text is the sum over its characters.

# %% [markdown]
# The third requirement is decisive. The probability of a text is a *product*: the
# probability of its first character, times that of the second after the first, and so on.
# So we need a function that turns products into sums. Among the functions that meet the
# first two requirements, only $-\log p$ does, up to a constant factor.
#
# | probability of what came | surprise $-\log p$ |
# |---|---|
# | 1 | 0 |
# | 1/2 | 0.69 |
# | 1/29 (26 letters, space, comma, full stop) | 3.37 |
# | 1/1000 | 6.91 |
#
# The constant factor is a choice of unit. With the natural logarithm, as here, the unit
# is the **nat**; with the logarithm to base 2 it is the bit, which lesson 10 uses.

# %% tags=["demonstration"]
p = np.linspace(0.002, 1, 500)
ax = plots.curves(
    p,
    {"": -np.log(p)},
    title="A confident mistake is expensive",
    xlabel="probability p of the character that came",
    ylabel="surprise −log p, nats",
)
plots.show(ax, "A curve falls from 6.2 at p = 0.002 to 0 at p = 1.")

# %% [markdown]
# The curve has no upper end: halving $p$ always adds $\log 2 = 0.69$. A network that gives
# a probability of 0 to something that happens is infinitely surprised, and deserves it.

# %% [markdown] nbgrader={"grade_id": "log_softmax_task", "locked": true}
# ### Your turn: `log_softmax` (4 points)
#
# The surprise needs the *logarithm* of a probability. Computing the probability first is
# risky: if it is tiny it is rounded to 0, and the logarithm of 0 is `-inf`. Instead, take
# the logarithm of the softmax formula:
#
# $$\log p_j = z_j - \log \sum_k e^{z_k}$$
#
# As it stands this formula overflows too, and the remedy is the same as above.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `logits` | (..., classes) | | log-probabilities | (..., classes) |
#
# It must work for logits of $\pm 1000$, and for any number of axes before the last.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "log_softmax", "solution": true}
def log_softmax(logits):
    """Return the logarithm of softmax over the last axis, in the shape of logits."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "log_softmax_test", "grade": true, "locked": true, "points": 4}
check(log_softmax)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(log_softmax)
### END HIDDEN TESTS

# %% [markdown]
# ## The loss of a batch of sequences
#
# A long text has a larger total surprise than a short one, so we compare averages. Let
# $c_t$ be the target of step $t$, and $p_t$ the probabilities that the network computed
# for this step. The **cross-entropy** is the mean surprise over all $N$ real steps of all
# sequences in the batch:
#
# $$L = \frac{1}{N} \sum_{\text{real steps}} -\log p_t(c_t)$$
#
# It is the number that we will minimise, so it is our **loss**. Padded steps must not
# contribute. Their targets are arbitrary, usually 0, which looks exactly like a real class.

# %% [markdown]
# For example, take a batch of two sequences, the second of them padded:
#
# | | step 1 | step 2 |
# |---|---|---|
# | sequence 1: $p_t(c_t)$ | 0.7 | 0.8 |
# | sequence 2: $p_t(c_t)$ | 0.5 | *padding* |
# | surprises | 0.36 and 0.69 | 0.22 |
#
# There are $N = 3$ real steps, so $L = (0.36 + 0.69 + 0.22) / 3 = 0.42$.
#
# Making $L$ small makes the sum of the log-probabilities large, and with it the probability
# that the network assigns to all targets, given the inputs. This principle is called
# **maximum likelihood**, and $L$ is also known as the mean **negative log-likelihood**
# (NLL).

# %% [markdown]
# ### Picking one number from each row
#
# The loss needs one log-probability per step, that of the target. NumPy has a function for
# this, `np.take_along_axis`. Here it looks up what we paid for fruit on two days.

# %% tags=["demonstration"]
prices = np.array([[10, 20, 30],      # day 1: prices of apple, banana, cherry
                   [11, 21, 31]])     # day 2
bought = np.array([2, 0])             # on day 1 fruit number 2, on day 2 number 0
column = bought[:, None]              # shape (2, 1): as many axes as prices
print("indices:", column.tolist())
print("picked: ", np.take_along_axis(prices, column, axis=-1).tolist())
print("flat:   ", np.take_along_axis(prices, column, axis=-1)[:, 0].tolist())

# %% [markdown]
# The index array must have as many axes as the array that we pick from, so `[:, None]`
# appends an axis of length 1, and `[:, 0]` removes it afterwards. For an array of shape
# (batch, steps, classes) and indices of shape (batch, steps), write `[..., None]` and
# `[..., 0]`, where the dots stand for all other axes.

# %% [markdown] nbgrader={"grade_id": "sequence_cross_entropy_task", "locked": true}
# ### Your turn: `sequence_cross_entropy` (5 points)
#
# | argument | shape | | result |
# |---|---|---|---|
# | `logits` | (batch, steps, classes) | | the loss $L$, one number |
# | `targets` | (batch, steps), integers from 0 | | |
# | `mask` | (batch, steps), True where a step is real | | |
#
# Take the mean over the real steps of the whole batch, so that each real step counts once,
# whether its sequence is long or short.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "sequence_cross_entropy", "solution": true}
def sequence_cross_entropy(logits, targets, mask):
    """Return the mean surprise at the targets over the real steps, one number."""
    ### BEGIN SOLUTION
    log_p = log_softmax(logits)
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return -picked[mask].mean()
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "sequence_cross_entropy_test", "grade": true, "locked": true, "points": 5}
check(sequence_cross_entropy)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(sequence_cross_entropy)
### END HIDDEN TESTS

# %% [markdown]
# ## Is 3.37 good or bad?
#
# A loss in nats is hard to interpret, so it is often turned into a number of choices. A
# model that spreads its probability evenly over $C$ classes is surprised by $\log C$ every
# time. Turn this around: if the loss is $L$, how many equally probable classes would
# surprise as much? This number is called the **perplexity**.
#
# ### Warm-up: `perplexity`
#
# Complete the function, which inverts $L = \log C$. (No points.)

# %% nbgrader={"grade_id": "perplexity", "solution": true}
def perplexity(mean_nll):
    """Return the number of equally probable classes that would surprise as much."""
    ### BEGIN SOLUTION
    return np.exp(mean_nll)
    ### END SOLUTION


# %% tags=["demonstration"]
print("expected: 29.0")
print("yours:   ", round(perplexity(np.log(29)), 6))

# %% [markdown]
# While the weights of a network are still small and random, its logits are close to each
# other, so its loss on a text with 29 different characters is about $\log 29 = 3.37$. If
# your own loss starts much higher, something is wrong. This is the first thing to look at
# when you train a network.
#
# At the other end, Claude Shannon estimated in 1951 from people's guesses that English has
# between 0.6 and 1.3 bits per character, a perplexity between $2^{0.6} = 1.5$ and
# $2^{1.3} = 2.5$.

# %% [markdown]
# ### The first baseline
#
# A loss below $\log C$ does not mean that a network has understood anything. If 95 % of
# the targets are "no", a model that always assigns 0.95 to "no" and never looks at its
# input has the loss
#
# $$-0.95 \log 0.95 - 0.05 \log 0.05 = 0.20$$
#
# which looks excellent next to $\log 2 = 0.69$. The frequencies of the classes are called
# **base rates**, and a model that predicts them at every step is the first baseline that a
# network has to beat.

# %% [markdown] nbgrader={"grade_id": "base_rate_loss_task", "locked": true}
# ### Your turn: `base_rate_loss` (3 points)
#
# Count how often each class occurs among the targets of the real steps. Return the
# cross-entropy, on these same targets, of a model that predicts the frequencies at every
# step. Classes that never occur do not contribute.
#
# | argument | shape | | result |
# |---|---|---|---|
# | `targets` | (batch, steps), integers from 0 | | the loss, one number |
# | `mask` | (batch, steps), True where a step is real | | |
#
# (`np.unique` with `return_counts=True` and `np.bincount` both count. For a class that never
# occurs, `np.bincount` returns 0, and `0 * np.log(0)` is `nan`.)

# %% nbgrader={"grade_id": "base_rate_loss", "solution": true}
def base_rate_loss(targets, mask):
    """Return the loss of a model that predicts the frequencies at every step."""
    ### BEGIN SOLUTION
    _, counts = np.unique(targets[mask], return_counts=True)
    p = counts / counts.sum()
    return -(p * np.log(p)).sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "base_rate_loss_test", "grade": true, "locked": true, "points": 3}
check(base_rate_loss)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(base_rate_loss)
### END HIDDEN TESTS

# %% [markdown]
# This number is called the **entropy** of the frequencies. What if a model always predicts
# other probabilities $p$, while the true frequencies are $q$? Its loss is
# $-\sum_j q_j \log p_j$, the *cross*-entropy of $q$ and $p$, from which our loss has its
# name. It is never smaller than the entropy, $-\sum_j q_j \log q_j$, and equal to it only
# for $p = q$. So the base rates are the best *constant* prediction. To do better, a model
# has to look at its input.

# %% [markdown]
# ## Which characters are surprising?
#
# Now for some real English, Python's own help texts. We compare the base rates with the
# simplest model that looks at its input: a **bigram** table counts, for each character,
# which character came next. It remembers one character and no more. The logarithms of the
# counts serve as its logits, because softmax undoes the logarithm and divides by the sum.
#
# We start counting at 1 instead of 0, so that no pair of characters is impossible. This
# trick is called **add-one smoothing**.

# %% tags=["demonstration"]
manual = data.python_manual(200_000)
alphabet = "".join(sorted(set(manual)))
codes = np.array([alphabet.index(char) for char in manual])
inputs, targets = codes[None, :-1], codes[None, 1:]      # shifted by one step
mask = np.ones(targets.shape, dtype=bool)

counts = np.ones((len(alphabet), len(alphabet)))
np.add.at(counts, (inputs, targets), 1)  # unlike +=, it counts repeated pairs each time
# one row of logits for each character: bigram_logits[inputs] has shape (1, steps, 29)
bigram_logits = np.log(counts)           # row: this character, column: the next one

for name, loss in {
    "uniform": np.log(len(alphabet)),
    "base rates": base_rate_loss(targets, mask),
    "bigrams": sequence_cross_entropy(bigram_logits[inputs], targets, mask),
}.items():
    print(f"{name:>10}: loss {loss:.2f} nats, perplexity {perplexity(loss):4.1f}")

# %% [markdown]
# Knowing how common each character is narrows 29 choices to 18, and knowing one character
# of context narrows them to about 10. (Both models were scored on the text they were counted
# from. On a part of the help texts that it has not seen, the table's loss is 2.36 instead of
# 2.34, so little harm is done here. Lesson 05 looks at this more carefully.)
#
# **Predict.** In the sentence "the quick brown fox jumps over the lazy dog", which
# characters will surprise the bigram table most? Which will it predict with confidence?

# %% tags=["demonstration"]
def surprises(text):
    """Return -log p of each character after the first, by the bigram table."""
    chars = np.array([alphabet.index(char) for char in text])
    return -log_softmax(bigram_logits[chars[:-1]])[np.arange(len(text) - 1), chars[1:]]


sentence = "the quick brown fox jumps over the lazy dog."
ax = plots.text_strip(
    sentence[1:], surprises(sentence), title="Each character's surprise", label="nats"
)
most = sorted(zip(surprises(sentence).round(1).tolist(), sentence[1:]), reverse=True)
plots.show(ax, f"The sentence, each character on its colour. Darkest: {most[:4]}.")

# %% tags=["demonstration"]
for name, text in {"as it is": sentence, "backwards": sentence[::-1]}.items():
    mean = surprises(text).mean()
    print(f"{name:>9}: loss {mean:.2f} nats, perplexity {perplexity(mean):.1f}")
after_q = np.exp(log_softmax(bigram_logits[alphabet.index("q")]))
print(f"p(u | q) = {after_q[alphabet.index('u')]:.2f}")

# %% [markdown]
# The letters q, j and z are rare, and nothing announces them. The x is not rare in these
# texts, but it nearly always follows an e, and here it follows an o. After q the table
# expects a u with a probability of 0.84, and after h it leans towards e. The sentence contains
# every letter of the alphabet, so it has more rare letters than usual: its loss is 2.96, and
# that of the base rates would be 3.43.

# %% [markdown]
# Backwards, every character is as frequent as before, and yet the loss is 4.20, worse than
# the 3.37 of uniform guessing. The table has learned the *order* of English, though only one
# character at a time, and it is confident about the wrong order. A recurrent network can
# learn much longer contexts. To do so, it needs to know how to change.

# %% [markdown]
# ☕ *A good place for a break. What follows turns the loss into a direction.*

# %% [markdown]
# ## In which direction should each logit move?
#
# We need the derivative of the loss with respect to each logit. Take one step with target
# $c$. By the formula for $\log p_c$ its loss is
#
# $$\ell = -\log p_c = \log S - z_c \qquad \text{with } S = \sum_k e^{z_k}$$
#
# Now differentiate with respect to one logit $z_j$, where $j$ may be the target or not.
#
# - **The first term.** By the chain rule the derivative of $\log S$ is $\frac{1}{S}$ times
#   the derivative of $S$. In the sum $S$ only the term $e^{z_j}$ depends on $z_j$, and its
#   derivative is $e^{z_j}$ itself. Together: $e^{z_j} / S$, which is the probability $p_j$.
# - **The second term.** The derivative of $-z_c$ is $-1$ if $j = c$, and 0 otherwise.

# %% [markdown]
# So the gradient of the loss with respect to the logits is
#
# $$\textcolor{#D1368B}{\frac{\partial \ell}{\partial z_j}} = p_j - [j = c]
#   \qquad \text{where } [j = c] \text{ is 1 for the target and 0 for all other classes}$$
#
# In words: *what was predicted minus what was true*. From here on, gradients are
# pink in formulas and figures.
#
# The numbers $[j = c]$ are the one-hot vector of the target, as in lesson 01.

# %% [markdown]
# For the three logits above, 2, 1 and 0, and target b, the gradient is
# $(0.67, 0.24 - 1, 0.09) = (0.67, -0.76, 0.09)$. To reduce the loss, move against the
# gradient: raise b, lower the others, and lower a most, since it wrongly took the largest
# share. The simplicity of this gradient is one reason why softmax and cross-entropy are used
# together.

# %% tags=["demonstration"]
z, c, eps = np.array([2.0, 1.0, 0.0]), 1, 1e-6
by_formula = np.exp(log_softmax(z)) - np.eye(3)[c]
by_finite_differences = [
    (-log_softmax(z + step)[c] + log_softmax(z - step)[c]) / (2 * eps)
    for step in eps * np.eye(3)
]
print("by formula:           ", by_formula.round(6))
print("by finite differences:", np.round(by_finite_differences, 6))

# %% [markdown]
# The figure shows the logits on the left, with arrows against the gradient, then the
# probabilities, and on the right the surprise at the target. (The arrows are drawn at twice
# their length. The numbers below them are exact.)
#
# **Predict.** How can you make all three arrows short? How can you make them long, and how
# long can they become?

# %% tags=["demonstration"]
explorers.softmax_explorer(log_softmax, ["a", "b", "c"])

# %% [markdown]
# The arrows become short when the target has nearly all the probability, and they are
# longest when another class has it. Each is the difference between two probabilities, so
# none of the numbers exceeds 1 in size: even the most embarrassing mistake pulls at the
# logits with a limited force.

# %% [markdown] nbgrader={"grade_id": "cross_entropy_gradient_task", "locked": true}
# ### Your turn: `cross_entropy_gradient` (5 points)
#
# Return the gradient of `sequence_cross_entropy` with respect to all logits of a batch.
# Each real step has the weight $1 / N$ in the mean. Which weight does a padded step have?
# (`np.eye(3)[[2, 0]]` has the one-hot vectors of classes 2 and 0 as its rows.)
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `logits` | (batch, steps, classes) | | $\textcolor{#D1368B}{\partial L / \partial \text{logits}}$ | (batch, steps, classes) |
# | `targets` | (batch, steps), integers from 0 | | | |
# | `mask` | (batch, steps), True where a step is real | | | |
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "cross_entropy_gradient", "solution": true}
def cross_entropy_gradient(logits, targets, mask):
    """Return the gradient of the loss with respect to the logits, in their shape."""
    ### BEGIN SOLUTION
    p = np.exp(log_softmax(logits))
    one_hot = np.eye(logits.shape[-1])[targets]
    return (p - one_hot) * mask[..., None] / mask.sum()
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "cross_entropy_gradient_test", "grade": true, "locked": true, "points": 5}
check(cross_entropy_gradient)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(cross_entropy_gradient)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Add up the gradient over the classes of one step. What must the sum be, and
# why? (Think of the first of the three questions about softmax.)

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
example = (
    rng.normal(size=(2, 3, 4)),                                   # logits
    rng.integers(0, 4, size=(2, 3)),                              # targets
    np.array([[True, True, True], [True, False, False]]),         # mask
)
sums = cross_entropy_gradient(*example).sum(axis=-1)
print("largest sum over the classes:", np.abs(sums).max().round(12))

# %% [markdown]
# The sum is zero up to rounding. Shifting all logits of a step by the same amount does not
# change the loss, so the slope in this direction is zero. (The formula agrees: the
# probabilities sum to 1, and so does the one-hot vector.) It is good practice to test a
# gradient with a question whose answer you know without computing.

# %% [markdown]
# ## Yes or no
#
# When there are only two classes, one logit is enough. The **sigmoid** function turns it
# into the probability of "yes":
#
# $$p = \sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# If the target is yes, the loss is $-\log p$. Insert the formula, and the fraction
# disappears: $-\log p = \log(1 + e^{-z})$. If the target is no, it is $-\log(1 - p)$, and
# you can simplify it in the same way.
#
# Evaluated as written, such formulas overflow too. The function `np.logaddexp(a, b)` returns
# $\log(e^a + e^b)$ without overflow.

# %% tags=["demonstration"]
with np.errstate(over="ignore"):
    print("log(1 + e^1000):        ", np.log(1 + np.exp(1000.0)))
print("log(e^2 + e^1):         ", np.log(np.exp(2) + np.exp(1)))
print("np.logaddexp(2, 1):     ", np.logaddexp(2, 1))
print("np.logaddexp(1000, 1):  ", np.logaddexp(1000, 1))

# %% [markdown] nbgrader={"grade_id": "binary_cross_entropy_task", "locked": true}
# ### Your turn: `binary_cross_entropy` (3 points)
#
# | argument | shape | | result |
# |---|---|---|---|
# | `logits` | any | | the mean loss, one number |
# | `targets` | the same: 1 for yes, 0 for no | | |
#
# It must work for logits of $\pm 1000$. (How do you write 1 as a power of $e$?)
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "binary_cross_entropy", "solution": true}
def binary_cross_entropy(logits, targets):
    """Return the mean surprise at the targets, one number."""
    ### BEGIN SOLUTION
    return np.mean(np.logaddexp(0, logits) - targets * logits)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "binary_cross_entropy_test", "grade": true, "locked": true, "points": 3}
check(binary_cross_entropy)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(binary_cross_entropy)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** A sigmoid is a softmax over two logits in disguise. If the sigmoid's logit is
# $z$, which two logits are they: $z$ and $-z$, $z$ and $0$, or $z$ and $1 - z$?

# %% tags=["demonstration"]
z = 1.3
print("sigmoid:            ", binary_cross_entropy(np.array([z]), np.array([1])))
for other in (-z, 0.0, 1 - z):
    print(f"softmax of z and {other:4.1f}:", -log_softmax(np.array([z, other]))[0])

# %% [markdown]
# The second logit is 0. Divide numerator and denominator of the softmax by $e^z$:
#
# $$\frac{e^z}{e^z + e^0} = \frac{1}{1 + e^{-z}} = \sigma(z)$$
#
# So the gradient is again the prediction minus the truth, $\sigma(z) - 1$ if the answer is
# yes and $\sigma(z) - 0$ if it is no.

# %% [markdown]
# ### Why not the squared error?
#
# The answer is no, so the probability $p = \sigma(z)$ of "yes" should be small. We could
# measure how far it is from 0 by the squared error $p^2$ instead of the cross-entropy
# $-\log(1 - p)$. The slope of the sigmoid is $p (1 - p)$, so by the chain rule the
# derivative of $p^2$ is $2p \cdot p (1 - p)$. That of the cross-entropy is $p$.
#
# **Predict.** At $z = 8$ the network is confidently wrong. Which of the two gradients is
# larger there, and by which factor: about 10, about 100, or more than 1000?

# %% tags=["demonstration"]
z = np.linspace(-8, 8, 200)
p = 1 / (1 + np.exp(-z))
left, right = plots.new_row(width=9.3, height=2.8, count=2)
losses = {"cross-entropy": -np.log(1 - p), "squared error": p**2}
plots.curves(z, losses, title="Loss", xlabel="logit z", ylabel="loss", ax=left)
slopes = {"cross-entropy": p, "squared error": 2 * p**2 * (1 - p)}
plots.curves(z, slopes, title="Gradient", xlabel="logit z", ylabel="dloss/dz", ax=right)
ends = ", ".join(f"{name} {slope[-1]:.4f}" for name, slope in slopes.items())
plots.show(left, f"Two losses and their gradients. Gradients at z = 8: {ends}.")
print(f"At z = 8: {ends}")

# %% [markdown]
# The factor is about 1500. The gradient of the cross-entropy is close to 1 when the network is
# confidently wrong and close to 0 only when it is confidently right. The squared error is
# flat at both ends: the worst mistakes would be corrected most slowly.

# %% [markdown]
# ## Which output, which loss?
#
# | you predict | outputs | probabilities | loss |
# |---|---|---|---|
# | one of $C$ classes | $C$ logits | softmax | cross-entropy |
# | yes or no | 1 logit | sigmoid | binary cross-entropy |
# | a number, such as a temperature | 1 number | none | mean squared error |
#
# Always start from the logits. If you compute probabilities first and take their logarithm
# afterwards, you will meet `log(0)` sooner or later.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - C. E. Shannon, "Prediction and entropy of printed English" (1951): people guess the next
#   letter, and the entropy of English follows.
# - I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning* (2016), sections 3.13, 5.5 and
#   6.2: entropy, maximum likelihood, and output units with their losses.
# - A. Zhang, Z. Lipton, M. Li and A. Smola, *Dive into Deep Learning*, section 4.1: softmax
#   regression from an information theorist's point of view.
# - A. Karpathy, "The unreasonable effectiveness of recurrent neural networks" (2015): the
#   word "hello" as inputs and targets.

# %% [markdown]
# ## In three lines
#
# - The **target** of a language model at step $t$ is the next character. The loss, **cross-entropy**, is the mean of $-\log p$ of the targets over the *real* steps.
# - Compute log-probabilities directly from the **logits**, with the largest logit of each row subtracted, and compare every loss with $\log C$ and the base rates.
# - The gradient with respect to the logits is the prediction minus the truth, **softmax minus one-hot**, divided by the number of real steps.
#
# *Next: 04 · Backpropagation through time.*
