# %% [markdown]
# # 03 · The loss: one number that says how wrong we are
#
# **After this lesson you can** turn logits into log-probabilities without overflowing, measure how surprised a network is by a
# sequence, with padding or without, and say in which direction each logit should move.
#
# **Time** about 75 minutes. **You need** lessons 01 and 02, logarithms, and the derivatives of $e^x$ and $\log x$.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import data, plots

# %% [markdown]
# ## From scores to chances
#
# At each step the readout of lesson 01 gives one number for each of $C$ classes, the **logits** $z_1 \ldots z_C$ ($y_t$ in lesson 01): any size, any
# sign. We want chances: positive, with sum 1. **Softmax** makes everything positive with $e^z$ and divides by the sum:
#
# $$p_c = \frac{e^{z_c}}{\sum_k e^{z_k}}$$
#
# | class | logit $z$ | $e^z$ | chance $p$ |
# |---|---|---|---|
# | a | 2 | 7.39 | 0.67 |
# | b | 1 | 2.72 | 0.24 |
# | c | 0 | 1 | 0.09 |

# %% [markdown]
# **Predict.** Three questions before the next cell:
#
# 1. All three logits grow by 500. What happens to the chances?
# 2. There is only *one* class. What is its chance, whatever the logit?
# 3. A logit is 1000. What does NumPy say to $e^{1000}$?


# %% tags=["demonstration"]
def naive_softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


with np.errstate(over="ignore", invalid="ignore"):  # NumPy would warn, and rightly
    print("2, 1, 0:      ", naive_softmax(np.array([2.0, 1.0, 0.0])).round(2))
    print("plus 500:     ", naive_softmax(np.array([502.0, 501.0, 500.0])).round(2))
    print("one class:    ", naive_softmax(np.array([-3.7])))
    print("1000, 1, 0:   ", naive_softmax(np.array([1000.0, 1.0, 0.0])))

# %% [markdown]
# 1. Nothing: a factor $e^{500}$ in every term cancels. Only *differences* of logits matter.
# 2. It is 1, always. A network with one softmax output says "yes" to everything and learns nothing. (It happens.)
# 3. $e^{1000}$ is too large for a float64. It becomes `inf`, `inf / inf` becomes `nan`, and one `nan` spoils everything after it.
#
# The first answer repairs the third: subtract each row's largest logit. The chances stay, and no exponent is above 0.

# %% [markdown]
# ## Half the work: a softmax that never overflows
#
# The line that subtracts the largest logit of each row is missing. `z.max(axis=-1, keepdims=True)` finds it and keeps the axis, so
# that shapes fit. (No points.)


# %% nbgrader={"grade_id": "safe_softmax", "solution": true}
def safe_softmax(z):
    # shifted = ...
    ### BEGIN SOLUTION
    shifted = z - z.max(axis=-1, keepdims=True)
    ### END SOLUTION
    weights = np.exp(shifted)
    return weights / weights.sum(axis=-1, keepdims=True)


# %% tags=["demonstration"]
print("expected: [1. 0. 0.]")
print("yours:   ", safe_softmax(np.array([1000.0, 1.0, 0.0])))

# %% [markdown] nbgrader={"grade_id": "log_softmax_task", "locked": true}
# ### Your turn: `log_softmax` (4 points)
#
# A loss needs the *logarithm* of the chances, and it pays to go there directly:
#
# $$\log p_c = z_c - \log \sum_k e^{z_k}$$
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
    """Return the logarithm of softmax over the last axis, the shape of logits."""
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
# ## Surprise
#
# The network gives the next letter a chance of $p$; then the letter comes. How surprised is it? The answer that works for everything is
# $-\log p$: zero when it was certain ($p = 1$), and larger and larger as $p$ goes to 0.
#
# | chance of what came | $-\log p$ |
# |---|---|
# | 1 | 0 |
# | 1/2 | 0.69 |
# | 1/29 (26 letters, space, comma, full stop) | 3.37 |
# | 1/1000 | 6.91 |
#
# (With natural logarithms the unit of surprise is called a **nat**.)
#
# Logarithms turn "and then" into "plus": the surprise at a whole sequence is the sum of the surprises at its steps.

# %% [markdown]
# ## The loss of a batch of sequences
#
# At step $t$ of a sequence let the **target** be $c_t$, the class that really came, and $p_t$ the chances that the network gave. The
# **cross-entropy** is the mean surprise over all $N$ real steps of the batch:
#
# $$L = \frac{1}{N} \sum_{\text{real steps } t} -\log p_t(c_t)$$
#
# Two things to keep apart. $y_t$ is what the network says (logits); the target is what is true. Some books write $y$ for both. And we
# take the *mean*: with the sum, long sequences would give larger gradients, and what suits one length would not suit
# another.

# %% tags=["demonstration"]
log_p = np.log([[[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]])  # (1 sequence, 2 steps, 3 classes)
targets = np.array([[0, 2]])  # class 0 came, then class 2
picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
print("chances of what came:", np.exp(picked).round(2))
print("loss:", -picked.mean().round(4), " by hand:", round(-(np.log(0.7) + np.log(0.8)) / 2, 4))

# %% [markdown] nbgrader={"grade_id": "sequence_cross_entropy_task", "locked": true}
# ### Your turn: `sequence_cross_entropy` (4 points)
#
# | argument | shape | | result |
# |---|---|---|---|
# | `logits` | (batch, steps, classes) | | the loss, one number |
# | `targets` | (batch, steps), whole numbers from 0 | | |
# | `mask` | (batch, steps), True where a step is real | | |
#
# The mean runs over the real steps of the whole batch: each real step counts once, wherever it stands.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "sequence_cross_entropy", "solution": true}
def sequence_cross_entropy(logits, targets, mask):
    """Return the mean of -log p(target) over the real steps, one number."""
    ### BEGIN SOLUTION
    log_p = log_softmax(logits)
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return -picked[mask].mean()
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "sequence_cross_entropy_test", "grade": true, "locked": true, "points": 4}
check(sequence_cross_entropy)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(sequence_cross_entropy)
### END HIDDEN TESTS

# %% [markdown]
# ## How many choices is that?
#
# A loss of 3.37 says little to a human. But a model that guesses among $V$ equal choices has the loss $\log V$; so $e^L$ says: *as
# unsure as somebody with so many equal choices*. That is the **perplexity**. Guessing among 29 characters gives 29;
# Shannon estimated in 1951 that people who guess English letter by letter get down to about 2.

# %% [markdown] nbgrader={"grade_id": "perplexity_task", "locked": true}
# ### Your turn: `perplexity` (3 points)
#
# `mean_nll` is the loss from above ("mean negative log-likelihood"), in natural logarithms. Return the perplexity, one number.


# %% nbgrader={"grade_id": "perplexity", "solution": true}
def perplexity(mean_nll):
    """Return the number of equal choices that would surprise as much."""
    ### BEGIN SOLUTION
    return np.exp(mean_nll)
    ### END SOLUTION


# %% nbgrader={"grade_id": "perplexity_test", "grade": true, "locked": true, "points": 3}
check(perplexity)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(perplexity)
### END HIDDEN TESTS

# %% [markdown]
# ## Where a text surprises
#
# Let us be surprised by real English: Python's own help texts. The simplest model that deserves the name counts, for each letter,
# which letter came next (a **bigram** table). The logarithms of the counts serve as logits. It has a memory of one letter.

# %% tags=["demonstration"]
manual = data.python_manual(200_000)
alphabet = "".join(sorted(set(manual)))
codes = np.array([alphabet.index(char) for char in manual])
counts = np.ones((len(alphabet), len(alphabet)))  # start at 1, so that nothing is impossible
np.add.at(counts, (codes[:-1], codes[1:]), 1)
bigram_logits = np.log(counts)  # row: the letter before; column: the letter that comes


def surprises(text):
    """Return -log p of each letter of the text after the first, by the bigram table."""
    letters = np.array([alphabet.index(char) for char in text])
    return -log_softmax(bigram_logits[letters[:-1]])[np.arange(len(text) - 1), letters[1:]]


# %% [markdown]
# **Predict.** In the sentence "the quick brown fox jumps over the lazy dog", which letters will surprise a bigram table most?
# And where will it be nearly certain?

# %% tags=["demonstration"]
sentence = "the quick brown fox jumps over the lazy dog."
ax = plots.text_strip(
    sentence[1:],
    surprises(sentence),
    title="A bigram table knows u after q, and is lost at rare letters",
    label="surprise, nats",
)
plots.show(
    ax,
    ("The sentence letter by letter. q, x, j and z are darkest; u after q and e after h are pale."),
)

# %% tags=["demonstration"]
for name, text in {"as it is": sentence, "backwards": sentence[::-1]}.items():
    one = surprises(text)[None]
    print(
        f"{name:>9}: mean surprise {one.mean():.2f} nats, perplexity {perplexity(one.mean()):.1f}"
    )

# %% [markdown]
# The rare q, x, j and z surprise most: no letter before them announces them. After q it is nearly certain, and after h it leans to e. Read
# backwards, every letter is still the same letter, yet the text is far more surprising, worse than guessing blindly among 29: the
# table has learnt the *order* of English, two letters of it. A recurrent network can learn more than two. For that it needs to know how to change.

# %% [markdown]
# ## Which way should each logit move?
#
# Take one step with target $c$. Its loss is
#
# $$\ell = -\log p_c = \log\Big(\sum_k e^{z_k}\Big) - z_c$$
#
# Turn up logit $j$ a little. The first part changes by $e^{z_j} / \sum_k e^{z_k} = p_j$. The second changes by 1 if $j$ is the target
# and not at all otherwise:
#
# $$\frac{\partial \ell}{\partial z_j} = p_j - [j = c] \qquad \text{where } [j = c] \text{ is 1 for the target and 0 for the others}$$
#
# That is all: *what you said minus what was true*. Push up the target, push down what took its chances. Few losses have a
# gradient so polite, and that is why softmax and cross-entropy go together.

# %% tags=["demonstration"]
z, c, eps = np.array([2.0, 1.0, 0.0]), 1, 1e-6
by_formula = np.exp(log_softmax(z)) - np.eye(3)[c]
wiggle = eps * np.eye(3)
by_difference = [(-log_softmax(z + w)[c] + log_softmax(z - w)[c]) / (2 * eps) for w in wiggle]
print("by formula:   ", by_formula.round(6))
print("by difference:", np.round(by_difference, 6))

# %% [markdown] nbgrader={"grade_id": "cross_entropy_gradient_task", "locked": true}
# ### Your turn: `cross_entropy_gradient` (5 points)
#
# The gradient of `sequence_cross_entropy` for every logit. Each real step has its own share of the mean, and the padding has none.
#
# | argument | shape | | result | shape |
# |---|---|---|---|---|
# | `logits` | (batch, steps, classes) | | $\partial L / \partial$ logits | (batch, steps, classes) |
# | `targets`, `mask` | (batch, steps) | | | |
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "cross_entropy_gradient", "solution": true}
def cross_entropy_gradient(logits, targets, mask):
    """Return the gradient of the mean loss for each logit, zero in the padding."""
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
# **Predict.** Add up the gradient over the classes at one step. What must come out, and why? (Think of the first of the three
# questions at the top.)

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
logits = rng.normal(size=(2, 3, 4))
targets = rng.integers(0, 4, size=(2, 3))
mask = np.array([[True, True, True], [True, False, False]])
print(
    "sums over the classes:\n",
    cross_entropy_gradient(logits, targets, mask).sum(axis=-1).round(12) + 0.0,
)

# %% [markdown]
# Zero: shifting all logits together changes nothing, so the slope in that direction is zero. A good check for a gradient is a
# question whose answer you know without computing.

# %% [markdown]
# ## Yes or no
#
# For a yes-or-no question one logit is enough, through the **sigmoid** $p = 1 / (1 + e^{-z})$, the chance of "yes". With target $c$
# (1 for yes, 0 for no) the surprise is $-\log p$ or $-\log(1 - p)$. Write the sigmoid out, and both lose their fractions:
#
# $$-\log p = \log(1 + e^{-z}), \qquad -\log(1 - p) = \log(1 + e^{z}) = \log(1 + e^{-z}) + z$$
#
# so for either target $\;\ell = \log(1 + e^{z}) - c z$. And since $1 = e^0$, `np.logaddexp(0, z)` is $\log(e^0 + e^z)$, computed so that
# it never overflows.

# %% tags=["demonstration"]
print("log(1 + e^1000), naively:  ", end="")
with np.errstate(over="ignore"):
    print(np.log(1 + np.exp(1000.0)))
print("np.logaddexp(0, 1000):     ", np.logaddexp(0, 1000.0))

# %% [markdown] nbgrader={"grade_id": "binary_cross_entropy_task", "locked": true}
# ### Your turn: `binary_cross_entropy` (4 points)
#
# | argument | shape | | result |
# |---|---|---|---|
# | `logits` | any | | the mean loss, one number |
# | `targets` | the same, 0 or 1 | | |
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "binary_cross_entropy", "solution": true}
def binary_cross_entropy(logits, targets):
    """Return the mean of log(1 + e^z) - c z, one number; z: the logits, c: the targets."""
    ### BEGIN SOLUTION
    return np.mean(np.logaddexp(0, logits) - targets * logits)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "binary_cross_entropy_test", "grade": true, "locked": true, "points": 4}
check(binary_cross_entropy)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(binary_cross_entropy)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** A sigmoid with logit $z$, or a softmax over the two logits $z$ and 0: which gives the larger loss when the answer is yes?

# %% tags=["demonstration"]
z = 1.3
print("sigmoid:", binary_cross_entropy(np.array([z]), np.array([1])))
print("softmax:", -log_softmax(np.array([z, 0.0]))[0])

# %% [markdown]
# They are the same thing. Which output goes with what?
#
# | you predict | outputs | chances | loss |
# |---|---|---|---|
# | one of $C$ classes | $C$ logits | softmax | cross-entropy |
# | yes or no | 1 logit | sigmoid | binary cross-entropy |
# | a number (a temperature) | 1 number | none, use it as it is | mean squared error |
#
# Always from logits: whoever first makes chances and then takes logarithms meets `log(0)` sooner or later.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - $-\log p$ is surprise; the loss is its mean over the *real* steps; $e^L$ is the perplexity, a number of equal choices.
# - Go straight from logits to log-probabilities, with the largest logit subtracted: no overflow, no `log(0)`.
# - The gradient for the logits is *what you said minus what was true*, shared among the real steps.
#
# *Next: 04 · Backpropagation through time.*
