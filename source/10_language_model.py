# %% [markdown]
# # 10 · A language model: one character after the other
#
# **After this lesson you can** turn text into numbers and batches that follow each other, build and train a stateful character model, draw text
# from it at any temperature, and measure it in bits against rivals that need no training.
#
# **Time** about 80 minutes. **You need** lessons 03, 05 and 08.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import data, explorers, graphs, plots
from rnn_helpers.cards import Screen, show
from rnn_helpers.ngrams import ngram_perplexity

# %%
from rnn_helpers import cells
from rnn_helpers.quietly import keras  # `import keras`, without TensorFlow's start-up log

# %% [markdown]
# ## Guess what comes ne
#
# You read the missing letters without noticing. That is all a **language model** does: it gives, for everything that might come next, a chance. With
# it one can rank what a speaker may have said, compress a text, correct a typo, and write.
#
# Lesson 05 trained such a model by hand. This time Keras does the work, and we ask better questions: how good is it, in bits? What does it write, and
# how daring? Our text is again the help that every Python carries with it, in small letters.

# %% tags=["demonstration"]
text = data.python_manual(300_000)
alphabet = "".join(sorted(set(text)))
print(len(text), "characters,", len(alphabet), "different ones:", repr(alphabet))
print(text[1000:1200])

# %% [markdown] nbgrader={"grade_id": "encode_task", "locked": true}
# ### Your turn: `encode` (2 points)
#
# Return an array of whole numbers: the position of each character in the alphabet, counted from 0. (`text` is a string, `alphabet` a string without
# repetitions.)


# %% nbgrader={"grade_id": "encode", "solution": true}
def encode(text, alphabet):
    """Return the characters' places in the alphabet, shape (characters,)."""
    ### BEGIN SOLUTION
    place = {char: number for number, char in enumerate(alphabet)}
    return np.array([place[char] for char in text])
    ### END SOLUTION


# %% nbgrader={"grade_id": "encode_test", "grade": true, "locked": true, "points": 2}
check(encode)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(encode)
### END HIDDEN TESTS

# %% [markdown] nbgrader={"grade_id": "decode_task", "locked": true}
# ### Your turn: `decode` (2 points)
#
# And the other way round: return the string that the numbers in `ids` spell.


# %% nbgrader={"grade_id": "decode", "solution": true}
def decode(ids, alphabet):
    """Return the text whose characters have these places in the alphabet."""
    ### BEGIN SOLUTION
    return "".join(alphabet[number] for number in ids)
    ### END SOLUTION


# %% nbgrader={"grade_id": "decode_test", "grade": true, "locked": true, "points": 2}
check(decode)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(decode)
### END HIDDEN TESTS

# %% tags=["demonstration"]
ids = encode(text, alphabet)
train, held_out = ids[:280_000], ids[280_000:]  # the end is kept aside
print(ids[1000:1020], decode(ids[1000:1020], alphabet))

# %% [markdown]
# ## One long text, read in many places at once
#
# A batch of 64 random snippets would be easy, but each would begin with an empty memory. Better: cut the text into 64 long **rows** and read all rows side
# by side, 25 characters at a time. Piece 1 of a row goes on where its piece 0 ended, so that a stateful layer can keep its memory.

# %% tags=["demonstration"]
sentence = "a text that is cut into rows and read piece by piece."
rows = [sentence[0:24], sentence[24:48]]
ax = graphs.reading_plan([[row[start : start + 8] for row in rows] for start in (0, 8, 16)])
ax.set_title("Two rows, three pieces: each row goes on from piece to piece", fontsize=11)
plots.show(ax, "Two rows of 24 characters, each cut into pieces 0, 1 and 2 of 8 characters.")

# %% [markdown]
# The **target** at each place is the character after it. At the last place of a piece, that is the first character of the row's next piece.

# %% [markdown] nbgrader={"grade_id": "next_character_batches_task", "locked": true}
# ### Your turn: `next_character_batches` (5 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `ids` | (characters,) | `xs`: what is read | (pieces, batch, steps) |
# | `batch` | number of rows | `ys`: the characters after | (pieces, batch, steps) |
# | `steps` | characters in a piece | | |
#
# There are as many pieces as fit, the last target included: `(len(ids) - 1) // (batch * steps)`. Row `r` begins at character `r * pieces * steps`; what
# is left at the end is not used. Return `xs, ys`.


# %% nbgrader={"grade_id": "next_character_batches", "solution": true}
def next_character_batches(ids, batch, steps):
    """Return (xs, ys), each (pieces, batch, steps): pieces that follow each other, and their next characters."""
    ### BEGIN SOLUTION
    pieces = (len(ids) - 1) // (batch * steps)
    count = batch * pieces * steps
    xs = ids[:count].reshape(batch, pieces, steps).swapaxes(0, 1)
    ys = ids[1 : count + 1].reshape(batch, pieces, steps).swapaxes(0, 1)
    return xs, ys
    ### END SOLUTION


# %% nbgrader={"grade_id": "next_character_batches_test", "grade": true, "locked": true, "points": 5}
check(next_character_batches)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(next_character_batches)
### END HIDDEN TESTS

# %% tags=["demonstration"]
xs, ys = next_character_batches(train, batch=64, steps=25)
print("pieces, rows, steps:", xs.shape)
for piece in range(3):
    print(repr(decode(xs[piece, 0], alphabet)), "->", repr(decode(ys[piece, 0], alphabet)))

# %% [markdown]
# ## The model
#
# Three layers. One is new: an **embedding** keeps one learnt vector for each character, and looks it up. (It is a one-hot vector times a matrix, without
# the multiplication.)

# %% tags=["demonstration"]
embedding = keras.layers.Embedding(len(alphabet), 4)
print(embedding(np.array([[5, 6, 5]])).numpy().round(2))  # the first and the third row are the same

# %% [markdown] nbgrader={"grade_id": "build_language_model_task", "locked": true}
# ### Your turn: `build_language_model` (5 points)
#
# Return a new, compiled model for `letters` characters that reads `batch` rows:
#
# - **in**: `keras.Input(batch_shape=(batch, None))`, whole numbers, any number of steps; a stateful layer must know the batch;
# - an `Embedding`, then a `SimpleRNN` that is **stateful** and gives **all** its states; 24 numbers and 128 units are a good size;
# - **out**: at every step one **logit** for each letter, no activation;
# - **compiled** with Adam (a rate of 0.006, ten times more diverges; `global_clipnorm=1.0`) and the cross-entropy for whole numbers, *from
#   logits*: `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`.

# %% [markdown] nbgrader={"grade_id": "build_language_model_layers", "locked": true}
# Use exactly these three layers, the `SimpleRNN` with biases and with its default activation, tanh: later cells of this lesson read their six
# weight arrays with your own loop. (A GRU is left to lesson 13.) The check trains the model on a made-up language for a few seconds; it must beat a
# table of letter pairs.


# %% nbgrader={"grade_id": "build_language_model", "solution": true}
def build_language_model(letters, batch):
    """Return a compiled, stateful model that makes logits (batch, steps, letters) of ids (batch, steps)."""
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


# %% nbgrader={"grade_id": "build_language_model_test", "grade": true, "locked": true, "points": 5}
check(build_language_model)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(build_language_model)
### END HIDDEN TESTS

# %% [markdown]
# ## How many bits?
#
# Lesson 03 measured surprise in nats. Engineers count in **bits**: a character that had the chance $p$ costs $-\log_2 p$ of them, the number of
# yes-or-no questions that a perfect questioner needs. If all 29 characters were equally likely, each would need $\log_2 29 = 4.86$ bits. (And the
# perplexity of lesson 03 is 2 to the power of the bits, the same number as e to the power of the nats.)

# %% [markdown] nbgrader={"grade_id": "bits_per_character_task", "locked": true}
# ### Your turn: `bits_per_character` (2 points)
#
# `probabilities` (characters,) holds the probability that a model gave to each character that actually came. Return the mean number of bits.


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
# ## Draw, do not choose
#
# Writing means: take the logits for the next character, pick one, feed it back in. Always picking the likeliest is dull, it soon repeats itself. So we *draw*,
# and a **temperature** $\tau$ says how boldly:
#
# $$p_i = \frac{e^{z_i / \tau}}{\sum_j e^{z_j / \tau}}$$
#
# **Predict.** Which $\tau$ gives the likeliest character always: close to 0, 1, or very large? What does a very large one give?

# %% [markdown] nbgrader={"grade_id": "sample_task", "locked": true}
# ### Your turn: `sample` (4 points)
#
# | argument | | |
# |---|---|---|
# | `logits` | (letters,) | may be large: mind `exp` |
# | `temperature` | a number, 0 or more | 0 means: take the largest logit |
# | `rng` | a NumPy generator | draw from it, so that a seed repeats the text |
#
# Return the number of the character drawn, a whole number. (`rng.choice(n, p=...)` may help.)


# %% nbgrader={"grade_id": "sample", "solution": true}
def sample(logits, temperature, rng):
    """Return a whole number from 0 to letters - 1, drawn from the softmax of logits / temperature."""
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

# %% tags=["demonstration"]
logits, temperatures = np.array([2.0, 1.0, 0.5, 0.0, -1.0]), np.linspace(0.05, 4, 80)
powers = np.exp((logits - 2) / temperatures[:, None])
shares = powers / powers.sum(axis=1, keepdims=True)
entropy = -(shares * np.log2(np.maximum(shares, 1e-300))).sum(axis=1)
ax = plots.curves(
    temperatures,
    {"entropy": entropy, "all five equal": np.full(80, np.log2(5))},
    title="From certainty to a die with five sides",
    xlabel="temperature",
    ylabel="bits",
)
plots.show(
    ax,
    f"Entropy rises from 0 bits at temperature 0 towards {np.log2(5):.2f} bits, that of five equal chances.",
)

# %% [markdown]
# Close to 0 the likeliest is certain (at 0 the formula divides by zero, so the code takes the argmax); 1 leaves the chances as they are; a very large $\tau$ makes
# all equally likely. **Entropy** is the mean surprise of a draw, in bits: what it would cost to report.
#
# ## Train, and listen
#
# To write and to measure we use *your own* network: lesson 08 says that Keras' layer is your loop, so the trained weights go straight into NumPy. (One character at a
# time, Keras would spend most of its time on preparations.)


# %% tags=["demonstration"]
def read(weights, ids, h=None):
    """Return the logits after each of the ids, (steps, letters), and the last state."""
    if len(weights) != 6:
        raise ValueError(
            "expected the weights of Embedding, SimpleRNN and Dense; keep to these layers."
        )
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    h = np.zeros((1, len(W_hh)), np.float32) if h is None else h
    hs, _ = cells.forward(table[ids][None], h, W_xh, W_hh, b_h)
    return hs[0] @ W_hy + b_y, hs[:, -1]


def chances_of(weights, ids):
    """Return the chance that the model gave to each character after the first."""
    logits, _ = read(weights, ids[:-1])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True))[np.arange(len(ids) - 1), ids[1:]]


def write(weights, start, length, temperature, rng):
    """Return `length` characters that go on after the text `start`."""
    logits, h = read(weights, encode(start, alphabet))
    written = []
    for _ in range(length):
        written.append(sample(logits[-1].astype(float), temperature, rng))
        logits, h = read(weights, [written[-1]], h)
    return decode(np.array(written), alphabet)


# %% [markdown]
# Twelve readings of the text (twelve epochs), some 15 to 40 seconds, while the learning rate sinks from 0.006 to a fiftieth of that. At the beginning of each
# reading the memory is emptied; from piece to piece it goes on by itself.
#
# **Predict.** Write down how many bits per character you expect at the end. (4.86 is knowing nothing. People, who understand what they read, need about 1.)

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
readings = 12
model = build_language_model(len(alphabet), batch=64)
model.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
    0.006, readings * len(xs), alpha=0.02
)
memory = next(layer for layer in model.layers if hasattr(layer, "reset_state"))

screen, curve = Screen(), [bits_per_character(chances_of(model.get_weights(), held_out))]
for _ in range(readings):
    memory.reset_state()
    for x, y in zip(xs, ys):
        model.train_on_batch(x, y)
    weights = model.get_weights()
    curve.append(bits_per_character(chances_of(weights, held_out)))
    ax = plots.curves(
        np.arange(len(curve)),
        {
            "network": np.array(curve),
            "knowing nothing": np.full(len(curve), np.log2(len(alphabet))),
        },
        title="Bits per character, on text that was kept aside",
        xlabel="readings",
        ylabel="bits",
        ylim=(0, 6),
    )
    ax.set_xlabel(
        f"readings.   It writes: {write(weights, 'the ', 50, 0.5, np.random.default_rng(1))}"
    )
    screen.show(
        plots.picture(ax, f"Bits per character fall from {curve[0]:.2f} to {curve[-1]:.2f}.")
    )
print(f"{curve[-1]:.2f} bits per character, perplexity {2 ** curve[-1]:.2f}")

# %% [markdown]
# ## The honest table
#
# Rivals: tables that count which character follows the last $n - 1$ (lesson 05), and two programs for compressing files. Those are language models as
# well: what they expect becomes short. We count how many bits the kept text adds to a file that already holds the training text.
#
# **Predict.** bzip2 is from 1996 and knows nothing about neural networks. Does the network beat it?

# %% tags=["demonstration"]
import bz2
import lzma


def bits_added(compress):
    whole, known = (len(compress(decode(part, alphabet).encode())) for part in (ids, train))
    return 8 * (whole - known) / len(held_out)


table = {
    f"groups of {n}": np.log2(ngram_perplexity(train, held_out, len(alphabet), n))
    for n in range(1, 7)
}
table |= {"bzip2 (1996)": bits_added(bz2.compress), "lzma (7-Zip)": bits_added(lzma.compress)}
table["this network"] = curve[-1]
for name, bits in sorted(table.items(), key=lambda item: -item[1]):
    print(f"{name:<14} {bits:.2f} bits per character {'<-' if name == 'this network' else ''}")

# %% [markdown]
# No. It leaves the short tables behind, but groups of five know a little more, those of six about as much, and the compressors, which remember long phrases word for word, beat everything here. Our
# network has read for less than a minute and holds 24 thousand numbers. Today's large ones need below 1 bit, with the same loss, the same sampling and billions of numbers (and not with
# a SimpleRNN: lesson 13 begins the way there).

# %% [markdown]
# ## How daring?

# %% tags=["demonstration"]
for temperature in (0.0, 0.3, 0.7, 1.0, 1.5):
    print(f"{temperature}: {write(weights, 'the ', 110, temperature, np.random.default_rng(3))}")

# %% [markdown]
# At 0 it goes round in circles. At 0.3 it is safe and dull, but nearly every word exists; at 0.7 it is livelier and begins to invent words; at 1 it writes as
# variously as its own chances say, spelling mistakes included; and at 1.5 it raves. The network is the same each time.
#
# ### Type a word
#
# The bars are the chances for the next character, and under them it goes on by itself. Try `import`, `the met`, `qu`, your name. What happens to the bars at
# temperature 2, what at 0? (Before your word it reads forty characters of the manual. You will see in a moment why.)


# %% tags=["demonstration"]
def guess(text, temperature):
    text = decode(train[-40:], alphabet) + " " + text
    logits, _ = read(weights, encode(text, alphabet))
    sharpened = (logits[-1] - logits[-1].max()) / max(temperature, 0.01)
    powers = np.exp(sharpened)
    return powers / powers.sum(), write(weights, text, 50, temperature, np.random.default_rng(0))


explorers.guess_explorer(guess, alphabet)

# %% [markdown]
# ## What it does not know
#
# It has learnt which characters follow which, from some 150 pages, and nothing else. It does not know what a function is, nor that "the" refers to anything. How far
# back does it even look? We let it read 40 characters of true context, or 12, or 3, before each of 4000 guesses.
#
# **Predict.** From how many characters on does more context not help any more?

# %% tags=["demonstration"]
lengths, places = [1, 2, 3, 5, 8, 12, 20, 40], np.arange(100, 4100)
gain = []
for length in lengths:
    context = held_out[places[:, None] + np.arange(-length, 0)]
    table_, W_xh, W_hh, b_h, W_hy, b_y = weights
    hs, _ = cells.forward(
        table_[context], np.zeros((len(places), len(W_hh)), np.float32), W_xh, W_hh, b_h
    )
    logits = hs[:, -1] @ W_hy + b_y
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    gain.append(
        bits_per_character(
            (powers / powers.sum(axis=1, keepdims=True))[np.arange(len(places)), held_out[places]]
        )
    )
ax = plots.curves(
    lengths,
    {"network": np.array(gain)},
    title="Beyond two words it hardly looks back",
    xlabel="characters read before the guess",
    ylabel="bits per character",
)
plots.show(
    ax,
    "Bits per character against context: "
    + ", ".join(f"{n}: {b:.2f}" for n, b in zip(lengths, gain))
    + ".",
)

# %% [markdown]
# After some twelve characters, two words or so, the curve is flat. (It ends below the 2.08 of the training curve: these 4000 places are a little
# easier.) It *could* look back forever; lesson 06 told why it does not, and gates (lesson 13) push this further.
#
# On the left something else shows: after a single character it does worse than knowing nothing (4.86)! With an empty memory it is out of its depth. In training
# that was the case once in 4350 characters, at the beginning of a row.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Rows that go on from piece to piece, targets one character later, memory emptied once a reading: that is how a long text is read.
# - Bits per character on text kept aside, next to tables and compressors, say how good a language model is; samples only show its manners.
# - Temperature divides the logits: 0 repeats, 1 is honest, more raves.
#
# *Next: 11 · Speech.*
