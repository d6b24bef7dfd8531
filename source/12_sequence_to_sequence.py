# %% [markdown]
# # 12 · Sequence to sequence: a text in, another out
#
# **After this lesson you can** join two recurrent networks so that one reads and the other writes, train them with teacher forcing without leaking
# the answer, let them write one symbol at a time, and say how many of their answers are entirely right.
#
# **Time** about 80 minutes. **You need** lessons 03, 08 and 10.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import plots
from rnn_helpers.cards import Screen

# %%
from rnn_helpers.quietly import keras  # `import keras`, without TensorFlow's start-up log

# %% [markdown]
# ## 57+78
#
# In lesson 10 the output was the input, one place later. In lesson 11 it came in the same order as the sound. Now neither holds: `57+78` has five
# symbols, the answer `135` has three, and its first digit depends on the last ones that were read. Translation is like this, and so are summaries,
# answers to questions, and sums.
#
# Cho and others, and Sutskever and others, had similar ideas in 2014: take **two** networks. The **encoder** reads the source to its end; its last
# state is all that it has to say. Here the **decoder** begins with that state and writes, one symbol at a time, each time reading what it has just
# written.

# %% [markdown]
# Three symbols are special: 0 is padding, 1 says "start", 2 says "the end". Our first task is to write digits **backwards**: harmless, but the last
# digit read is the first one to be written, so that nothing can be written until all has been read. Sources are padded in front, so that the last thing read
# is always a digit; targets are padded behind.

# %% tags=["demonstration"]
PAD, START, END = 0, 1, 2
SIGNS = "_<>0123456789+"  # how the symbols 0, 1, 2, ... are shown


def shown(ids):
    return "".join(SIGNS[symbol] for symbol in ids)


def as_arrays(texts, answers):
    """Return (sources, targets) as numbers; each target has END after it."""
    longest, most = max(map(len, texts)), max(map(len, answers)) + 1
    sources, targets = np.zeros((2, len(texts), max(longest, most)), int)
    sources, targets = sources[:, :longest], targets[:, :most]
    for row, text in zip(sources, texts):
        row[longest - len(text) :] = [SIGNS.index(sign) for sign in text]
    for row, answer in zip(targets, answers):
        row[: len(answer) + 1] = [*(SIGNS.index(sign) for sign in answer), END]
    return sources, targets


def digits_to_turn(number, rng, shortest=3, longest=6):
    """Return (texts, answers): digits, and the same backwards."""
    texts = ["".join(map(str, rng.integers(0, 10, size=rng.integers(shortest, longest + 1)))) for _ in range(number)]
    return texts, [text[::-1] for text in texts]


sources, targets = as_arrays(*digits_to_turn(2000, np.random.default_rng(0)))
for source, target in zip(sources[:3], targets[:3]):
    print(shown(source), "->", shown(target), "  ", source, "->", target)

# %% [markdown]
# ## The teacher dictates
#
# What does the decoder read while it learns? What it wrote itself would be rubbish at first, and so would be all that comes after. So it is shown the
# **right** symbols, whatever it would have said: this is **teacher forcing**. At step $t$ it reads the right symbol of step $t-1$, and is to guess
# that of step $t$.

# %% [markdown]
# So its inputs are the targets, moved to the right by one place, with the start symbol in front. Whoever forgets to move them shows the decoder the
# very answer it is to guess. It will copy, the loss will be wonderful, and at the exam, when nobody dictates, it will know nothing. This is a
# **target leak**. Further down we build one, to know its face.

# %% [markdown] nbgrader={"grade_id": "shift_right_task", "locked": true}
# ### Your turn: `shift_right` (3 points)
#
# `targets` has the shape (batch, steps); `start` is the start symbol. Return a new array of the same shape: what the decoder reads at each step.


# %% nbgrader={"grade_id": "shift_right", "solution": true}
def shift_right(targets, start):
    """Return the decoder's inputs: the targets one step later, with the start symbol first."""
    ### BEGIN SOLUTION
    given = np.full_like(targets, start)
    given[:, 1:] = targets[:, :-1]
    return given
    ### END SOLUTION


# %% nbgrader={"grade_id": "shift_right_test", "grade": true, "locked": true, "points": 3}
check(shift_right)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(shift_right)
### END HIDDEN TESTS

# %% tags=["demonstration"]
print("reads: ", shown(shift_right(targets, START)[0]))
print("writes:", shown(targets[0]))

# %% [markdown]
# The loss is the mean surprise of lesson 03, over all symbols that are to be written. The end symbol counts: to stop is part of the answer. Padding
# does not.

# %% [markdown] nbgrader={"grade_id": "teacher_forcing_loss_task", "locked": true}
# ### Your turn: `teacher_forcing_loss` (4 points)
#
# | argument | | shape |
# |---|---|---|
# | `logits` | the decoder's, at each step; may be large | (batch, steps, symbols) |
# | `targets` | the symbols that are right | (batch, steps) |
# | `pad` | the number of the padding symbol | |
#
# Return the mean of minus the logarithm (the natural one) of the probability (softmax) of the right symbol, over all targets that are not padding. Each symbol counts once.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "teacher_forcing_loss", "solution": true}
def teacher_forcing_loss(logits, targets, pad):
    """Return the mean surprise at the targets that are not padding, in nats."""
    ### BEGIN SOLUTION
    largest = logits.max(axis=-1, keepdims=True)
    log_chances = logits - largest - np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True))
    surprise = -np.take_along_axis(log_chances, targets[..., None], axis=-1)[..., 0]
    return surprise[targets != pad].mean()
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "teacher_forcing_loss_test", "grade": true, "locked": true, "points": 4}
check(teacher_forcing_loss)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(teacher_forcing_loss)
### END HIDDEN TESTS

# %% [markdown]
# ## Two networks, one state between them
#
# In Keras a recurrent layer that is called with `initial_state=...` begins there. A model with two inputs gets them as a list:
#
# ```python
# source = keras.Input((None,), dtype="int32")
# written = keras.Input((None,), dtype="int32")
# ...
# model = keras.Model([source, written], logits)
# ```

# %% [markdown] nbgrader={"grade_id": "build_encoder_decoder_task", "locked": true}
# ### Your turn: `build_encoder_decoder` (5 points)
#
# Return a new, compiled model for `symbols` different symbols, with the inputs `[source, written]`, whole numbers, any number of steps:
#
# - **encoder**: an `Embedding(symbols, 32)` of the source, and a `SimpleRNN(128)` of which only the last state is kept;
# - **decoder**: an `Embedding(symbols, 32)` of its own for what was written, and a `SimpleRNN(128)` that gives **all** its states and begins with the encoder's last one;
# - **out**: at every step of the decoder one **logit** for each symbol;
# - **compiled** with Adam (0.003, `global_clipnorm=1.0`) and the cross-entropy for whole numbers, *from logits*.

# %% [markdown] nbgrader={"grade_id": "build_encoder_decoder_layers", "locked": true}
# Use exactly these five layers, the `SimpleRNN`s with biases and with their default activation, tanh: later cells of this lesson read their
# weights. The sizes are yours to choose. The check trains the model for a few seconds to reverse short sequences, and tries it on unseen ones.


# %% nbgrader={"grade_id": "build_encoder_decoder", "solution": true}
def build_encoder_decoder(symbols):
    """Return a compiled model that makes logits (batch, steps, symbols) of [source, written]."""
    ### BEGIN SOLUTION
    source = keras.Input((None,), dtype="int32")
    written = keras.Input((None,), dtype="int32")
    state = keras.layers.SimpleRNN(128)(keras.layers.Embedding(symbols, 32)(source))
    decoder = keras.layers.SimpleRNN(128, return_sequences=True)
    states = decoder(keras.layers.Embedding(symbols, 32)(written), initial_state=state)
    model = keras.Model([source, written], keras.layers.Dense(symbols)(states))
    model.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "build_encoder_decoder_test", "grade": true, "locked": true, "points": 5}
check(build_encoder_decoder)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(build_encoder_decoder)
### END HIDDEN TESTS

# %% tags=["demonstration"]
def trained(model, sources, targets, readings):
    """Train with teacher forcing; the padding has no weight. (Keras divides by all places: a smaller number, no other aim.)"""
    real = (targets != PAD).astype("float32")
    model.fit(
        [sources, shift_right(targets, START)],
        targets,
        sample_weight=real,
        batch_size=32,
        epochs=readings,
        verbose=0,
    )
    return model


keras.utils.set_random_seed(0)
backwards = trained(build_encoder_decoder(len(SIGNS)), sources, targets, readings=6)
logits = backwards.predict([sources, shift_right(targets, START)], verbose=0)
print(f"mean surprise for each real symbol, in training: {teacher_forcing_loss(logits, targets, PAD):.4f} nats")

# %% [markdown]
# ## Nobody dictates any more
#
# To answer a new question there is no teacher. The decoder reads the start symbol, gives logits, we take the largest (this is called **greedy**), and
# that symbol is what it reads next, until it says "the end". A network that never says so would write forever, so there is a limit: it may write
# `most` symbols and no more.
#
# One step at a time, Keras would spend its time on preparations. The decoder is *your* recurrence, so we write in NumPy, with its weights.

# %% [markdown] nbgrader={"grade_id": "greedy_decode_task", "locked": true}
# ### Your turn: `greedy_decode` (5 points)
#
# | argument | | shape |
# |---|---|---|
# | `h` | the encoder's last state, for one source | (units,) |
# | `weights` | the tuple `(table, W_xh, W_hh, b_h, W_hy, b_y)`; `table[symbol]` is what the recurrence reads for a symbol | (symbols, features), (features, units), (units, units), (units,), (units, symbols), (symbols,) |
# | `start`, `end` | the start and the end symbol | |
# | `most` | how many symbols it may write, the end not counted | |
#
# Return the list of symbols that were written, without start and end. If two logits are equally large, take the first.


# %% nbgrader={"grade_id": "greedy_decode", "solution": true}
def greedy_decode(h, weights, start, end, most):
    """Return the symbols that the decoder writes, beginning with state h, as a list of whole numbers."""
    ### BEGIN SOLUTION
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    written, symbol = [], start
    for _ in range(most):
        h = np.tanh(table[symbol] @ W_xh + h @ W_hh + b_h)
        symbol = int(np.argmax(h @ W_hy + b_y))
        if symbol == end:
            break
        written.append(symbol)
    return written
    ### END SOLUTION


# %% nbgrader={"grade_id": "greedy_decode_test", "grade": true, "locked": true, "points": 5}
check(greedy_decode)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(greedy_decode)
### END HIDDEN TESTS

# %% tags=["demonstration"]
def parts(model):
    """Return (a function that makes the encoder's states of sources, the decoder's weights)."""
    tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    readers = [layer for layer in model.layers if isinstance(layer, keras.layers.SimpleRNN)]
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if (len(tables), len(readers), len(dense)) != (2, 2, 1):
        raise ValueError("expected two Embedding, two SimpleRNN and one Dense layer; keep to these.")
    weights = (*tables[1].get_weights(), *readers[1].get_weights(), *dense[0].get_weights())

    def encode(sources):
        state = readers[0](tables[0](sources))
        return (state[-1] if isinstance(state, (list, tuple)) else state).numpy()

    return encode, weights


def answers_of(model, sources, most=12):
    """Return what the model writes for each source, as lists of symbols."""
    encode, weights = parts(model)
    return [greedy_decode(h, weights, START, END, most) for h in encode(sources)]


new_texts, new_answers = digits_to_turn(500, np.random.default_rng(1))
new_sources, new_targets = as_arrays(new_texts, new_answers)
for text, answer in zip(new_texts[:4], answers_of(backwards, new_sources[:4])):
    print(text, "->", shown(answer))

# %% [markdown]
# ## Right is right
#
# A sum with one wrong digit is wrong. So we do not count symbols but whole answers: the **exact match**.

# %% [markdown] nbgrader={"grade_id": "exact_match_task", "locked": true}
# ### Your turn: `exact_match` (3 points)
#
# `written` and `wanted` are lists of the same length that hold lists of symbols. Return the share (0 to 1) of those that are equal: the same symbols,
# in the same order, and as many.


# %% nbgrader={"grade_id": "exact_match", "solution": true}
def exact_match(written, wanted):
    """Return the share of texts that are as wanted, symbol for symbol."""
    ### BEGIN SOLUTION
    return np.mean([list(one) == list(other) for one, other in zip(written, wanted)])
    ### END SOLUTION


# %% nbgrader={"grade_id": "exact_match_test", "grade": true, "locked": true, "points": 3}
check(exact_match)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(exact_match)
### END HIDDEN TESTS

# %% tags=["demonstration"]
def wanted(targets):
    return [[symbol for symbol in row if symbol not in (PAD, END)] for row in targets.tolist()]


right = exact_match(answers_of(backwards, new_sources), wanted(new_targets))
print(f"new sequences turned around without a mistake: {right:.1%}")

# %% [markdown]
# And now the leak: the same network, but what it reads is not shifted.
#
# **Predict.** After two readings, is its loss higher or lower than the honest one after six? How many sequences does it turn around?

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
leaking = build_encoder_decoder(len(SIGNS))
leaking.fit([sources, targets], targets, sample_weight=(targets != PAD).astype("float32"), epochs=2, verbose=0)
loss = teacher_forcing_loss(leaking.predict([sources, targets], verbose=0), targets, PAD)
right = exact_match(answers_of(leaking, new_sources), wanted(new_targets))
print(f"mean surprise {loss:.4f} nats; turned around without a mistake: {right:.1%}")

# %% [markdown]
# A wonderful loss, and answers of which hardly any is right: that is the face of a leak. (A low loss alone is none. The honest network has one as well, but its answers are
# right.)

# %% [markdown]
# ## It learns to add
#
# Now sums of two numbers below 100, as text: `57+78` is to become `531`. That is 135 written **backwards**, as on paper: units first, since the carry
# goes from right to left. (It could know sums by heart. So 4000 of all 10 000 are for learning, and it is tested on others. Of four in ten of those
# it has met the twin, `78+57` for `57+78`.)
#
# **Predict.** Nobody tells it what a digit is, what + means, or that there is a carry. How many of the new sums will be right: none, 30 %, 99 %?

# %% tags=["demonstration"]
def sums(pairs):
    """Return (texts, answers) for pairs of numbers; the answers are written backwards."""
    return [f"{a:02d}+{b:02d}" for a, b in pairs], [str(a + b)[::-1] for a, b in pairs]


def sum_by(model, text):
    """Return what the model writes for one sum, the right way round."""
    return shown(answers_of(model, as_arrays([text], [""])[0])[0])[::-1]


order = np.random.default_rng(0).permutation(10_000)
pairs = np.stack([order // 100, order % 100], axis=1)
add_sources, add_targets = as_arrays(*sums(pairs[:4000]))
test_sources, test_targets = as_arrays(*sums(pairs[4000:5000]))

keras.utils.set_random_seed(0)
adder = build_encoder_decoder(len(SIGNS))
screen, curve, readings = Screen(), [], 24
for reading in range(0, readings, 2):
    adder.optimizer.learning_rate = 0.003 if reading < 0.7 * readings else 0.001  # smaller steps at the end
    trained(adder, add_sources, add_targets, readings=2)
    curve.append(exact_match(answers_of(adder, test_sources), wanted(test_targets)))
    ax = plots.curves(
        2 + 2 * np.arange(len(curve)),
        {"sums right": np.array(curve)},
        title="Sums that it has never seen",
        xlabel="readings",
        ylabel="exact match",
        ylim=(0, 1.05),
    )
    ax.set_xlabel(f"readings.   57+78 = {sum_by(adder, '57+78')}")
    screen.show(plots.picture(ax, f"The share of right sums rises from {curve[0]:.2f} to {curve[-1]:.2f}."))
print(f"{curve[-1]:.1%} of 1000 new sums are right")
print("and 123+45 =", sum_by(adder, "123+45"))

# %% [markdown]
# About 99 of 100, after 24 readings of four in ten of all sums. It behaves as if it knew digits, columns and the carry. What it *knows* is another
# question: with three digits, which it has never met, it is lost.

# %% [markdown]
# ### Watch it write
#
# One column for each step, one row for each sign it may write; bright is likely. What is picked in one column is read in the next.


# %% tags=["demonstration"]
def chances_while_writing(model, text):
    """Return the decoder's chances at each step of its own writing, (steps, symbols), and what it wrote."""
    encode, weights = parts(model)
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    h = encode(as_arrays([text], [""])[0])[0]
    written = greedy_decode(h, weights, START, END, 12)
    rows = []
    for symbol in [START, *written]:
        h = np.tanh(table[symbol] @ W_xh + h @ W_hh + b_h)
        powers = np.exp(h @ W_hy + b_y)
        rows.append(powers / powers.sum())
    return np.array(rows), written


chances, written = chances_while_writing(adder, "57+78")
ax = plots.grid_map(
    chances.T,
    title=f"57+78: it writes {shown(written)}, and then the end",
    xlabel="step",
    ylabel="sign",
    label="chance",
)
ax.set_yticks(range(len(SIGNS)), ["pad", "start", "end", *SIGNS[3:]])
plots.show(
    ax,
    f"Chances of 14 signs at {len(chances)} steps; the likeliest are {', '.join(shown(written))} and the end.",
)

# %% [markdown]
# ## After the first mistake
#
# In training the decoder has only ever seen right symbols before it. When it writes by itself, a first mistake brings it into a situation that it was
# never in. To be trained in one situation and used in another is called **exposure bias**. Let us measure, with longer sequences, so that there are
# mistakes: twelve digits, and only six readings. In how many places is it right when the teacher dictates, and in how many when it reads its own
# symbols?
#
# **Predict.** Which is higher, and does the difference grow along the sequence? And which *exact match* is higher: with the teacher, or without?


# %% tags=["demonstration"]
def alone(model, sources, steps):
    """Return what the model writes when it reads its own symbols, (batch, steps), filled up with END and padding."""
    encode, weights = parts(model)
    return np.array([(answer + [END] + [PAD] * steps)[:steps] for answer in map(list, answers_of(model, sources, steps))])


long_texts, long_answers = digits_to_turn(2500, np.random.default_rng(2), shortest=12, longest=12)
long_sources, long_targets = as_arrays(long_texts, long_answers)
keras.utils.set_random_seed(0)
beginner = trained(build_encoder_decoder(len(SIGNS)), long_sources[:2000], long_targets[:2000], readings=6)
unseen, right = long_sources[2000:], long_targets[2000:]
dictated = beginner.predict([unseen, shift_right(right, START)], verbose=0).argmax(axis=-1)
by_itself = alone(beginner, unseen, right.shape[1])
ax = plots.curves(
    1 + np.arange(right.shape[1]),
    {
        "the teacher dictates": (dictated == right).mean(axis=0),
        "it reads what it wrote": (by_itself == right).mean(axis=0),
    },
    title="The same network, the same sequences",
    xlabel="step",
    ylabel="right symbols",
    ylim=(0, 1.05),
)
plots.show(
    ax,
    "Share of right symbols at each of 13 steps: with and without the teacher the same at first, then lower without.",
)
for name, output in (("the teacher dictates", dictated), ("it reads what it wrote", by_itself)):
    print(f"{name:<24} symbols {(output == right).mean():.1%}   exact match {(output == right).all(axis=1).mean():.1%}")

# %% [markdown]
# The difference grows: none up to step five, some seven in a hundred at steps eleven and twelve. (At the last step both rise: there the right symbol
# is always the end.) Part of it is exposure bias, for it has never learnt to go on after a mistake; part of it is that a dictated symbol
# helps.
#
# And the exact match is the *same*, to the last digit. Until its first mistake, a network that writes by itself has read exactly what the teacher
# would have dictated. So either both are right to the end, or both make their first mistake at the same place.

# %% [markdown]
# ## Where it breaks
#
# All that the decoder ever learns about the source is one state of 128 numbers. We train on sequences of three to ten digits, and look at each length
# by itself; then at lengths that it has never met.
#
# **Predict.** At which lengths does it fail?

# %% tags=["demonstration"]
texts, answers = digits_to_turn(4000, np.random.default_rng(3), 3, 10)
keras.utils.set_random_seed(0)
longer = trained(build_encoder_decoder(len(SIGNS)), *as_arrays(texts, answers), readings=8)
lengths, shares = range(3, 15), []
for length in lengths:
    some_sources, some_targets = as_arrays(*digits_to_turn(200, np.random.default_rng(length), length, length))
    some_sources = np.pad(some_sources, [(0, 0), (max(0, 10 - length), 0)])  # padded as in training
    shares.append(exact_match(answers_of(longer, some_sources, most=20), wanted(some_targets)))
ax = plots.curves(
    list(lengths),
    {"turned around": np.array(shares)},
    title="Trained on 3 to 10 digits",
    xlabel="digits",
    ylabel="exact match",
    ylim=(0, 1.05),
)
plots.show(ax, "Exact match by length: " + ", ".join(f"{n}: {s:.2f}" for n, s in zip(lengths, shares)) + ".")

# %% [markdown]
# Up to seven digits nearly all are right. From eight to ten it gets worse, though it has practised these lengths: more has to fit into one state, has
# to be carried further (lesson 06), and has to be learnt in eight readings. At eleven and more it fails for another reason: it has never met them.
# (Above, a network of the same size that had practised twelve digits got four in ten of them right.)
#
# Against the first there are two remedies. Gates, which carry better, are the next lesson. And why should the decoder see only the *last* state, when
# the encoder had one at every step? To look back at all of them is called attention: lesson 14.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - One network reads, its last state is all that the other one gets, and that one writes until it says "the end".
# - Teacher forcing shows the right symbols, one step late. Shown without the shift they *are* the answer: a low loss, useless answers.
# - Whole answers count. Just as many are right with the teacher as without; what differs is what happens after the first mistake.
#
# *Next: 13 · Gates.*
