# %% [markdown]
# # 10 · A language model: one character after the other
#
# **After this lesson you can** build and train a stateful character model, measure it in bits
# against rivals that need no training, generate text from it and decide how boldly, and look
# inside to see what its units know and how far back it remembers.
#
# **Time** about 150 minutes. **You need** lessons 03, 05 and 08.

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
from rnn_helpers.cards import Screen
from rnn_helpers.ngrams import ngram_perplexity

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

# %% [markdown]
# ## Guess the next character
#
# You can probably finis this sentence, and you read "finish" without noticing. To do so you
# need a sense of which characters are likely to come next. A **language model** makes that
# precise: it assigns a probability to every possible continuation.
#
# The probability of a whole text follows from the **chain rule** of probability:
#
# $$p(x_1, x_2, \dots, x_T) = \prod_{t=1}^{T} p(x_t \mid x_1, \dots, x_{t-1})$$
#
# A recurrent network fits this factorisation exactly. Its hidden state $h_{t-1}$ stands for
# everything that came before, and its softmax is $p(x_t \mid h_{t-1})$.

# %% [markdown]
# What is it good for? A speech recogniser proposes several sentences, and the model *ranks* them
# by their probability. A keyboard *corrects* a typo to a more probable word. A program
# *compresses* a text by giving probable characters short codes. And if you draw one character
# after the other from the model's probabilities, it *writes*.
#
# Lesson 05 trained such a model by hand. Now Keras does the work, and we ask better questions.
# Our text is *Alice's Adventures in Wonderland* (Lewis Carroll, 1865), which the network of lesson
# 00 had read.

# %% tags=["demonstration"]
text = data.alice()
alphabet = "".join(sorted(set(text)))
print(len(text), "characters,", len(alphabet), "different ones:", repr(alphabet))
print(text[:300])

# %% [markdown]
# ### Warm-up: text to numbers and back
#
# Complete the two functions. `encode` returns the position of each character in the alphabet,
# counted from 0, and `decode` the text that such numbers spell. (No points.)

# %% nbgrader={"grade_id": "encode", "solution": true}
def encode(text, alphabet):
    """Return the positions of the characters in the alphabet, (characters,)."""
    position = {char: number for number, char in enumerate(alphabet)}
    # numbers = ...   the position of each character of the text, as a list
    ### BEGIN SOLUTION
    numbers = [position[char] for char in text]
    ### END SOLUTION
    return np.array(numbers)


def decode(ids, alphabet):
    """Return the text whose characters have these positions in the alphabet."""
    # characters = ...   a list
    ### BEGIN SOLUTION
    characters = [alphabet[number] for number in ids]
    ### END SOLUTION
    return "".join(characters)


# %% tags=["demonstration"]
print("expected: [3 0 1] cab")
print("yours:   ", encode("dab", "abcd"), decode(np.array([2, 0, 1]), "abcd"))
ids = encode(text, alphabet)
train, held_out = ids[:127_000], ids[127_000:]  # the last tenth is held out

# %% [markdown]
# ## One long text, read in many places at once
#
# A batch of 32 random snippets would be easy to draw, but each of them would start from an empty
# state. Instead we cut the text into 32 long **rows** and read all rows side by side, 25
# characters at a time. Each **segment** of a row continues where the previous segment of that
# row stopped, so that a stateful layer can carry its state across. (The gradient does not cross:
# this is truncated backpropagation through time, as in lesson 07.)
#
# The **target** at each place is the next character. For the last place of a segment, this is
# the first character of the next one.

# %% tags=["demonstration"]
sentence = "a text that is cut into rows and read in segments."
inputs, targets = ([sentence[k : k + 24], sentence[k + 24 : k + 48]] for k in (0, 1))
in_segments, next_ones = (
    [[row[k : k + 8] for row in rows] for k in (0, 8, 16)] for rows in (inputs, targets)
)
ax = graphs.reading_plan(in_segments, targets=next_ones)
ax.set_title("Each row continues from segment to segment", fontsize=11)
plots.show(
    ax, "Two rows of 24 characters, each cut into three segments of 8; under each "
    "character stands its target, the next character.",
)

# %% [markdown] nbgrader={"grade_id": "next_character_batches_task", "locked": true}
# ### Your turn: `next_character_batches` (4 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `ids` | (characters,) | `xs`: the inputs | (segments, batch, steps) |
# | `batch` | number of rows | `ys`: the next characters | (segments, batch, steps) |
# | `steps` | characters in a segment | | |
#
# Every input needs a target after it, so that only `len(ids) - 1` characters can be inputs. Use as
# many segments as fit, `(len(ids) - 1) // (batch * steps)`. Row `r` begins at character
# `r * segments * steps`, and what is left at the end is not used. `xs[s]` is one batch for
# training: segment `s` of all rows. Return `xs, ys`.

# %% nbgrader={"grade_id": "next_character_batches", "solution": true}
def next_character_batches(ids, batch, steps):
    """Return inputs xs and next characters ys, each (segments, batch, steps)."""
    ### BEGIN SOLUTION
    segments = (len(ids) - 1) // (batch * steps)
    count = batch * segments * steps
    xs = ids[:count].reshape(batch, segments, steps).swapaxes(0, 1)
    ys = ids[1 : count + 1].reshape(batch, segments, steps).swapaxes(0, 1)
    return xs, ys
    ### END SOLUTION


# %% nbgrader={"grade_id": "next_character_batches_test", "grade": true, "locked": true, "points": 4}
check(next_character_batches)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(next_character_batches)
### END HIDDEN TESTS

# %% tags=["demonstration"]
xs, ys = next_character_batches(train, batch=32, steps=25)
print("segments, rows, steps:", xs.shape)
for segment in range(3):
    first_row, its_targets = (decode(part[segment, 0], alphabet) for part in (xs, ys))
    print(repr(first_row), "->", repr(its_targets))

# %% [markdown]
# ## The model
#
# It has three layers, one of which is new. An **embedding**, `Embedding(characters, features)`,
# keeps one learned vector per character, the rows of a table, and looks it up. That gives the same
# as a one-hot vector times the table, without multiplying by all the zeros:

# %% tags=["demonstration"]
embedding = keras.layers.Embedding(4, 3)
looked_up = embedding(np.array([[2, 0, 2]])).numpy()[0]
(table,) = embedding.get_weights()
print("looked up:\n", looked_up.round(3))
print("one-hot @ table:\n", (np.eye(4)[[2, 0, 2]] @ table).round(3))

# %% [markdown] nbgrader={"grade_id": "build_language_model_task", "locked": true}
# ### Your turn: `build_language_model` (4 points)
#
# Return a new, compiled model for `letters` different characters that reads `batch` rows:
#
# - **input**: `keras.Input(batch_shape=(batch, None))`, whole numbers, any number of steps; a
#   stateful layer must know the batch size;
# - **hidden**: an `Embedding`, then a `SimpleRNN` that is **stateful** and returns **all** states;
#   24 features and 128 units are a good size;
# - **output**: one **logit** per character at every step, without an activation;
# - **compiled** with Adam (learning rate 0.006, `global_clipnorm=1.0`) and the cross-entropy for
#   whole numbers, from logits: `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.

# %% [markdown] nbgrader={"grade_id": "build_language_model_layers", "locked": true}
# Use exactly these three layers, and the `SimpleRNN` with biases and its default activation:
# later cells read the six weight arrays with your own loop. The check trains the model on a
# made-up language for a few seconds, after which it must beat a 2-gram table.

# %% nbgrader={"grade_id": "build_language_model", "solution": true}
def build_language_model(letters, batch):
    """Return a compiled, stateful model from ids (batch, steps) to logits."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(batch, None)),
            keras.layers.Embedding(letters, 24),
            keras.layers.SimpleRNN(128, return_sequences=True, stateful=True),
            keras.layers.Dense(letters),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.006, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "build_language_model_test", "grade": true, "locked": true, "points": 4}
check(build_language_model)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(build_language_model)
### END HIDDEN TESTS

# %% [markdown]
# ## How many bits?
#
# Lesson 03 measured the surprise $-\log p$ in nats. With the logarithm to base 2 the unit is the
# **bit**. To find out which of 8 equally likely characters comes next, you need three yes-or-no
# questions, and $-\log_2 \frac{1}{8} = 3$. A character with probability 0.4 carries 1.32 bits. You
# cannot ask 1.32 questions, but for a whole text there is a code, **arithmetic coding**, that
# needs at most two bits more than the sum. Fewer bits per character therefore mean a shorter
# file.
#
# If all 66 characters were equally likely, each would need $\log_2 66 = 6.04$ bits. (The
# perplexity of lesson 03 is $2^{\text{bits}}$, the same number as $e^{\text{nats}}$.)

# %% [markdown] nbgrader={"grade_id": "bits_per_character_task", "locked": true}
# ### Your turn: `bits_per_character` (2 points)
#
# `probabilities`, shape (characters,), holds the probability that a model gave to each character
# that actually came. Return the mean number of bits.

# %% nbgrader={"grade_id": "bits_per_character", "solution": true}
def bits_per_character(probabilities):
    """Return the mean of -log2(probability)."""
    ### BEGIN SOLUTION
    return -np.mean(np.log2(probabilities))
    ### END SOLUTION


# %% nbgrader={"grade_id": "bits_per_character_test", "grade": true, "locked": true, "points": 2}
check(bits_per_character)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(bits_per_character)
### END HIDDEN TESTS

# %% [markdown]
# ## Sampling
#
# To write, the model needs a rule that picks the next character. Always picking the most likely
# one, **greedy decoding**, is dull: the text soon repeats itself. So we draw at random from the
# softmax, and a **temperature** $\tau$ sets how boldly:
#
# $$p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}$$
#
# **Predict.** Below are five logits: 2, 1, 0.5, 0 and -1. What do their probabilities look like
# for $\tau = 0.2$, 1 and 4?

# %% tags=["demonstration"]
logits = np.array([2.0, 1.0, 0.5, 0.0, -1.0])
axes = plots.new_row(width=9.3, height=2.4, count=3)
words = []
for ax, tau in zip(axes, (0.2, 1.0, 4.0)):
    p = np.exp(logits / tau) / np.exp(logits / tau).sum()
    entropy = -np.sum(p * np.log2(p))
    ax.bar(np.arange(1, 6), p, color=plots.COLOURS[0])
    ax.set(title=f"temperature {tau:g}, entropy {entropy:.2f} bits", ylim=(0, 1))
    ax.set_xlabel("character")
    words.append(f"temperature {tau:g}: {p.round(2)}")
axes[0].set_ylabel("probability")
plots.show(axes[0], f"Bars of five probabilities. {'; '.join(words)}.")

# %% [markdown]
# Close to 0 the most likely character is certain; 1 leaves the probabilities as they are; a very
# large temperature makes all of them equal. The **entropy** above each panel is the mean surprise
# of a draw: 0 bits for certainty, $\log_2 5 = 2.32$ bits for five equal probabilities.

# %% [markdown] nbgrader={"grade_id": "sample_task", "locked": true}
# ### Your turn: `sample` (4 points)
#
# | argument | | |
# |---|---|---|
# | `logits` | (letters,) | may be large: beware of overflow in `exp` |
# | `temperature` | a number, 0 or more | 0 means: take the largest logit |
# | `rng` | a NumPy generator | draw from it, so that a seed repeats the text |
#
# Return the number of the character drawn, a whole number. (`rng.choice(n, p=...)` may help.)

# %% nbgrader={"grade_id": "sample", "solution": true}
def sample(logits, temperature, rng):
    """Return a number below `letters`, drawn from softmax(logits / temperature)."""
    ### BEGIN SOLUTION
    if temperature == 0:
        return int(np.argmax(logits))
    powers = np.exp((logits - logits.max()) / temperature)
    return int(rng.choice(len(logits), p=powers / powers.sum()))
    ### END SOLUTION


# %% nbgrader={"grade_id": "sample_test", "grade": true, "locked": true, "points": 4}
check(sample)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(sample)
### END HIDDEN TESTS

# %% [markdown]
# Temperature has a weakness. Even a good model gives a little probability to each of the many
# absurd characters, and over a long text one of them will be drawn. **Top-p sampling**, also
# called nucleus sampling (Holtzman and others 2020), cuts off this tail. It keeps only the
# smallest set of most likely characters whose probabilities add up to at least $p$.
#
# | character | e | a | o | i | u |
# |---|---|---|---|---|---|
# | probability | 0.5 | 0.25 | 0.15 | 0.08 | 0.02 |
# | kept for $p = 0.8$, rescaled | 0.556 | 0.278 | 0.167 | 0 | 0 |

# %% [markdown] nbgrader={"grade_id": "top_p_task", "locked": true}
# ### Your turn: `top_p` (3 points)
#
# | argument | | shape |
# |---|---|---|
# | `probabilities` | they sum to 1, in any order, all different | (letters,) |
# | `p` | the share to keep, above 0 and at most 1 | |
#
# Return new probabilities, (letters,), in the same order: 0 outside the smallest set of most
# likely characters that reaches `p`, and rescaled to a sum of 1 inside. (`np.argsort` and
# `np.cumsum` may help.)

# %% nbgrader={"grade_id": "top_p", "solution": true}
def top_p(probabilities, p):
    """Return the probabilities of top-p sampling, shape (letters,)."""
    ### BEGIN SOLUTION
    order = np.argsort(probabilities)[::-1]
    total = np.cumsum(probabilities[order])
    count = np.sum(total < p) + 1  # the last one kept reaches p
    kept = np.zeros_like(probabilities)
    kept[order[:count]] = probabilities[order[:count]]
    return kept / kept.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "top_p_test", "grade": true, "locked": true, "points": 3}
check(top_p)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(top_p)
### END HIDDEN TESTS

# %% [markdown]
# ## The loop that writes
#
# Generating text means: read the beginning, which today is called the **prompt**, choose the next
# character, feed it back as the next input, and so on. This loop is called **autoregressive**
# generation, and the largest chat models write with the same one.

# %% [markdown] nbgrader={"grade_id": "generate_task", "locked": true}
# ### Your turn: `generate` (3 points)
#
# | argument | |
# |---|---|
# | `step` | a function: `step(number, state)` reads one character and returns `(logits, new_state)`; the state before the first character is `None` |
# | `start` | (n,), the numbers of the characters to begin with, at least one |
# | `length` | how many characters to write, at least one |
# | `choose` | a function: `choose(logits)` returns the number of the next character |
#
# Read all of `start` first. The logits after its last character are those for the first new one:
# choose it, feed it back, and so on. Return the characters that were chosen, without `start`: an
# array of whole numbers, (length,).

# %% nbgrader={"grade_id": "generate", "solution": true}
def generate(step, start, length, choose):
    """Return `length` characters that continue `start`, as numbers."""
    ### BEGIN SOLUTION
    state = None
    for number in start:
        logits, state = step(number, state)
    written = []
    for _ in range(length):
        written.append(choose(logits))
        logits, state = step(written[-1], state)
    return np.array(written)
    ### END SOLUTION


# %% nbgrader={"grade_id": "generate_test", "grade": true, "locked": true, "points": 3}
check(generate)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(generate)
### END HIDDEN TESTS

# %% [markdown]
# ☕ A good place for a break. Next you train the model and let it write.
#
# ## Train, and listen
#
# To write and to measure we use *your own* network: since Keras' layer is your loop, the trained
# weights go straight into NumPy. (Called once per character, Keras would spend most of its time
# on overhead.)

# %% tags=["demonstration"]
def states_and_logits(weights, ids, h=None):
    """Return all states (steps, units) and logits (steps, letters)."""
    if len(weights) != 6:
        raise ValueError("expected the weights of Embedding, SimpleRNN and Dense")
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    h = np.zeros((1, len(W_hh)), np.float32) if h is None else h
    hs, _ = cells.forward(table[ids][None], h, W_xh, W_hh, b_h)
    return hs[0], hs[0] @ W_hy + b_y


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def probabilities_of(weights, ids):
    """Return the probability that the model gave to each character after the first."""
    _, logits = states_and_logits(weights, ids[:-1])
    return softmax(logits)[np.arange(len(ids) - 1), ids[1:]]


def write(weights, start, length, choose):
    """Return a text that continues `start`; choose: a function of the logits."""
    def step(number, state):
        hs, logits = states_and_logits(weights, [number], state)
        return logits[-1].astype(float), hs[-1:]

    return decode(generate(step, encode(start, alphabet), length, choose), alphabet)


# %% [markdown]
# We train for twenty epochs, 15 to 30 seconds in all. The learning rate decays along a cosine
# from 0.006 to a fiftieth of that. At the start of each epoch the state is reset; from segment
# to segment it is carried over. After some of the epochs the network writes 60 characters.
#
# **Predict.** How many bits per character do you expect at the end? (Knowing nothing costs 6.04.
# People, who understand what they read, need 0.6 to 1.3, as Shannon found in 1951.)

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
epochs = 20
model = build_language_model(len(alphabet), batch=32)
model.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
    0.006, epochs * len(xs), alpha=0.02
)
untrained = model.get_weights()
recurrent = next(layer for layer in model.layers if hasattr(layer, "reset_state"))
screen, curves, samples = Screen(), {"training": [], "held out": []}, []
for epoch in range(1, epochs + 1):
    recurrent.reset_state()
    for x, y in zip(xs, ys):
        model.train_on_batch(x, y)  # one update
    weights = model.get_weights()
    for name, part in (("training", train[:20_000]), ("held out", held_out)):
        curves[name].append(bits_per_character(probabilities_of(weights, part)))
    if epoch in (1, 2, 3, 5, 10, 20):
        rng = np.random.default_rng(1)
        line = write(weights, "Alice ", 60, lambda logits: sample(logits, 0.5, rng))
        samples.append(f"{epoch:>2}  {line!r}")
    ax = plots.curves(
        np.arange(1, epoch + 1), {name: np.array(c) for name, c in curves.items()},
        title="The gap between the curves grows", xlabel="epoch",
        ylabel="bits per character", ylim=(1.8, 3.2),
    )
    ax.set_xticks(range(0, epochs + 1, 5))
    words = [f"{name} from {c[0]:.2f} to {c[-1]:.2f}" for name, c in curves.items()]
    screen.show(plots.picture(ax, f"Bits per character fall: {', '.join(words)}."))
print("epoch  after 'Alice ', at temperature 0.5", *samples, sep="\n")
end = curves["held out"][-1]
print(f"held out: {end:.2f} bits per character, perplexity {2**end:.2f}")

# %% [markdown]
# First it learns short words, then longer ones, names and quotation marks. The two curves
# separate more and more: the network begins to memorise its text.

# %% [markdown]
# ## The honest table
#
# The rivals are **n-gram** tables (lesson 05), which count what follows the last $n - 1$ characters
# and mix in the shorter contexts for what they have rarely seen, and two programs that compress
# files. A compressor is a language model too: what it expects, it stores in few bits. We count
# how much the held-out text adds to a file that already contains the training text.
#
# **Predict.** bzip2 is from 1996. Does the network beat it?

# %% tags=["demonstration"]
import bz2
import lzma


def bits_added(compress):
    """Return how many bits each held-out character adds to a compressed file."""
    known = len(compress(decode(train, alphabet).encode()))
    return 8 * (len(compress(text.encode())) - known) / len(held_out)


table = {
    f"{n}-grams": np.log2(ngram_perplexity(train, held_out, len(alphabet), n))
    for n in range(1, 7)
}
table["bzip2 (1996)"] = bits_added(bz2.compress)
table["lzma (7-Zip)"] = bits_added(lzma.compress)
table["this network"] = curves["held out"][-1]
for name, bits in sorted(table.items(), key=lambda item: -item[1]):
    mark = " <-" if name == "this network" else ""
    print(f"{name:<14} {bits:.2f} bits per character{mark}")

# %% [markdown]
# No. The network beats the 4-grams and even lzma. (Five seeds end at 2.19 to 2.21 bits.) But the
# 5-grams know a little more, and bzip2, which groups characters by the context that follows them,
# is the best of all. It has one advantage: it goes on learning while it reads the held-out text,
# and the others do not. Our network trained for less than a minute, on one book. Large language
# models are pretrained with the same loss and write with the same loop, but they have billions of
# weights and no SimpleRNN; lesson 13 begins the way there.

# %% [markdown]
# ### Where is it surprised?

# %% tags=["demonstration"]
bits = -np.log2(probabilities_of(weights, held_out))  # of all characters but the first
ax = plots.text_strip(
    decode(held_out[1001:1241], alphabet).replace("\n", " "), bits[1000:1240],
    title="Names and rare words surprise it", label="bits",
)
letter = np.array([char.isalpha() for char in decode(held_out, alphabet)])
first = letter[1:] & ~letter[:-1]
means = {
    "first letters of words": bits[first].mean(),
    "their other letters": bits[letter[1:] & ~first].mean(),
    "spaces, punctuation": bits[~letter[1:]].mean(),
}
plots.show(ax, "A passage, darker where surprise is high. Means on held-out text: "
           + ", ".join(f"{name} {value:.1f}" for name, value in means.items()) + ".")
for name, value in means.items():
    print(f"{name:<24} {value:.1f} bits")

# %% [markdown]
# The first letters of words are the hardest to guess.

# %% [markdown]
# ## How boldly?
#
# **Predict.** What do the texts look like at temperatures of 0, 0.5, 1 and 1.5, and at a
# temperature of 1 with $p = 0.8$?

# %% tags=["demonstration"]
def with_top_p(logits, p, rng):
    return int(rng.choice(len(logits), p=top_p(softmax(logits), p)))


for temperature in (0.0, 0.5, 1.0, 1.5):
    rng = np.random.default_rng(3)
    line = write(weights, "Alice ", 120, lambda z: sample(z, temperature, rng))
    print(f"{temperature}:     {line!r}")
rng = np.random.default_rng(3)
print(f"top-p:   {write(weights, 'Alice ', 120, lambda z: with_top_p(z, 0.8, rng))!r}")

# %% [markdown]
# At 0 it goes round in circles. At 0.5 it is safe and dull, but most words exist. At 1 it writes as
# variously as its own probabilities say, spelling mistakes included. At 1.5 it babbles. Top-p is
# less varied than a temperature of 1 and makes fewer mistakes, because the long tail is gone. The
# network is the same each time.

# %% [markdown]
# ### Type a word
#
# The bars show the probabilities of the next character, and below them the network goes on. Try
# `the s`, `the q`, `“I `, your name. (Before your words it reads forty characters of the book.
# You will soon see why.)

# %% tags=["demonstration"]
def guess(typed, temperature):
    start = decode(train[-40:], alphabet) + "\n" + typed
    _, logits = states_and_logits(weights, encode(start, alphabet))
    rng = np.random.default_rng(0)
    rest = write(weights, start, 50, lambda z: sample(z, temperature, rng))
    return softmax(logits[-1] / max(temperature, 0.01)), rest.replace("\n", " ")


explorers.guess_explorer(guess, alphabet, start="the s")

# %% [markdown]
# ## Look inside
#
# What do the 128 units know? Here is a passage with each character coloured by the state of one
# unit after reading it. Move the slider through the units.
#
# **Find** a unit that tells letters from everything else. Can you find one that recognises vowels?
# One that knows whether somebody is speaking, that is, whether it is between “ and ”? (Karpathy,
# Johnson and Fei-Fei found units for quotations in LSTMs in 2015.)

# %% tags=["demonstration"]
hs, _ = states_and_logits(weights, held_out[:1241])
explorers.unit_explorer(decode(held_out[1001:1241], alphabet), hs[1001:])

# %% [markdown]
# With 128 units, eyes get tired, and a computer can look for us. For each property of the text,
# which unit has the highest correlation with it? We choose the unit on training text and measure
# it on the held-out text. For comparison we ask the *untrained* network, and a **linear probe**: a
# weighted sum of all units, fitted by least squares.

# %% tags=["demonstration"]
def properties(text):
    """Return properties of each character: name -> array of 0 and 1."""
    spoken, now = [], False
    for char in text:
        now = char == "“" or (now and char not in "”\n")
        spoken.append(now)
    return {
        "a letter": np.array([char.isalpha() for char in text]),
        "a vowel": np.array([char in "aeiouAEIOU" for char in text]),
        "a capital": np.array([char.isupper() for char in text]),
        "inside speech": np.array(spoken),
    }


def best_unit(weights, name):
    """Return the unit chosen on training text, and its correlation on held-out text."""
    learn, judge = (states_and_logits(weights, part)[0] for part in parts)
    sizes = [abs(np.corrcoef(unit, there[name])[0, 1]) for unit in learn.T]
    unit = int(np.argmax(sizes))
    return unit, abs(np.corrcoef(judge[:, unit], here[name])[0, 1])


def probe(weights, name):
    """Return the correlation of a linear probe on held-out text."""
    learn, judge = (states_and_logits(weights, part)[0] for part in parts)
    w = np.linalg.lstsq(np.c_[learn, np.ones(len(learn))], there[name], rcond=None)[0]
    return np.corrcoef(judge @ w[:-1], here[name])[0, 1]


parts = train[:30_000], held_out
there, here = (properties(decode(part, alphabet)) for part in parts)
print("property        best unit   untrained   linear probe")
for name in there:
    unit, size = best_unit(weights, name)
    _, before = best_unit(untrained, name)
    linear = probe(weights, name)
    print(f"{name:<14}{unit + 1:>5}: {size:.2f}{before:>12.2f}{linear:>13.2f}")

# %% [markdown]
# Training has made units for letters and for vowels (with five seeds 0.68 to 0.86 and 0.56 to
# 0.67), and all units together know both almost perfectly. What the network knows about capitals
# is spread over several units. Whether somebody is speaking it hardly knows, even with all units
# together.
#
# The network of lesson 00, which read the same book, has one unit for it. The reason is how some of
# its units began: as leaky buckets that do not leak, the identity start of lesson 07.

# %% [markdown]
# ## How far back does it look?
#
# Whether somebody is speaking is decided by a character that may lie a hundred places back. How
# far back does this network look at all? We let it guess 4000 held-out characters. Before each
# guess it reads the true last $k$ characters. In one case these are preceded by forty characters
# from elsewhere in the book (a *wrong history*), in the other by nothing, so that the state starts
# at zero (*no history*).
#
# **Predict.** From which $k$ on does more true context stop helping?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
places = np.arange(200, 4200)
elsewhere = rng.integers(200, len(held_out) - 1, size=4000)
lengths, costs = [1, 2, 3, 4, 5, 8, 12, 16, 20], {"wrong history": [], "no history": []}
table_, W_xh, W_hh, b_h, W_hy, b_y = weights
for k in lengths:
    true = held_out[places[:, None] + np.arange(-k, 0)]
    other = held_out[elsewhere[:, None] + np.arange(-40, 0)]
    both = np.hstack([other, true])
    for name, context in (("wrong history", both), ("no history", true)):
        hs, _ = cells.forward(table_[context], None, W_xh, W_hh, b_h)
        p = softmax(hs[:, -1] @ W_hy + b_y)[np.arange(4000), held_out[places]]
        costs[name].append(bits_per_character(p))
ax = plots.curves(
    lengths,
    {name: np.array(several) for name, several in costs.items()},
    title="It looks back about ten characters", ylabel="bits per character",
    xlabel="true characters before the guess",
)
words = ", ".join(f"{k}: {b:.2f}" for k, b in zip(lengths, costs["wrong history"]))
plots.show(ax, f"Bits by number of true characters, with a wrong history: {words}.")
print("true characters", *(f"{k:>5}" for k in lengths))
for name, several in costs.items():
    print(f"{name:<15}", *(f"{bits:>5.2f}" for bits in several))

# %% [markdown]
# After about ten characters, two words or so, the curve is flat, and with five seeds it was the
# same. In principle the state could reach further. With segments of 8 and of 100 characters the
# curve becomes flat at the same place, so the truncation is not to blame. Vanishing gradients
# (lesson 06) and the small book are the suspects: 6-grams gain nothing over 5-grams either.
#
# Look at the left end, too. With a single true character after a wrong history the network needs
# nearly 6 bits, where a 2-gram table needs 3.4: it trusts its memory too much. From two characters
# on a wrong history is better than none, because the network hardly ever started from an empty
# state in training.

# %% [markdown]
# ## Tokens
#
# Large language models do not read characters. They read **tokens**, frequent pieces of words from
# a vocabulary of 30,000 to 250,000 entries, which is itself learned from text, for example by
# **byte-pair encoding** (Sennrich, Haddow and Birch 2016): start from single characters, and
# again and again merge the most frequent pair into a new token. A token is about four characters of
# English, so that the same number of steps spans four times as much text. The price is a larger
# embedding and a larger softmax, and models that find spelling hard.
#
# Everything else in this lesson stays the same: the factorisation, the loss, the loop that writes.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - C. Shannon, "Prediction and Entropy of Printed English", 1951: people guess the next letter.
# - Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin, "A Neural Probabilistic Language Model", 2003.
# - T. Mikolov and others, "Recurrent Neural Network Based Language Model", 2010; I. Sutskever, J.
#   Martens and G. Hinton, "Generating Text with Recurrent Neural Networks", 2011, with characters.
# - A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015, a blog post;
#   with J. Johnson and L. Fei-Fei, "Visualizing and Understanding Recurrent Networks", 2015.
# - A. Holtzman and others, "The Curious Case of Neural Text Degeneration", 2020 (top-p sampling).
# - R. Sennrich, B. Haddow and A. Birch, "Neural Machine Translation of Rare Words with Subword
#   Units", 2016 (byte-pair encoding).

# %% [markdown]
# ## In three lines
#
# - A language model factorises the probability of a text; the hidden state stands for the past.
#   To train it on a long text, cut the text into rows that continue from batch to batch.
# - Bits per character on held-out text, next to n-grams and compressors, say how good it is.
# - To write, choose a character and feed it back; temperature and top-p decide how boldly.
#
# *Next: 11 · Speech.*
