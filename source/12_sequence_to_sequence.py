# %% [markdown]
# # 12 · Sequence to sequence: one text in, another out
#
# **After this lesson you can** join an encoder and a decoder, train them with teacher forcing
# without leaking the answer, generate with greedy and with beam search, say how many answers are
# entirely right, and explain why one state is a bottleneck and what attention does about it.
#
# **Time** about 150 minutes. **You need** lessons 03, 08 and 10.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import architecture_graphs, plots
from rnn_helpers.cards import Screen

# %%
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

# %% [markdown]
# ## 57+78
#
# In lesson 10 the output was the input, shifted by one place. In lesson 11 it came in the same
# order as the sound. Now neither holds: `57+78` has five symbols, the answer `135` has three, and
# its digits depend on all that was read. The same is true of translations and summaries.
#
# In 2014 Cho and others and Sutskever and others proposed to use **two** recurrent networks. The
# **encoder** reads the source to its end. Its last state $c$ is all it passes on.
# The **decoder** starts from that state and writes one symbol at a time, reading each time what it
# has just written:
#
# $$p(y \mid x) = \prod_t p(y_t \mid y_1, \dots, y_{t-1}, c)$$

# %% tags=["demonstration"]
plots.show(
    architecture_graphs.encoder_decoder("57+78", "531", training=True),
    "Encoder boxes read 5 7 + 7 8; an arrow carries the last state to the decoder. It "
    "reads start 5 3 1 and outputs 5 3 1 end. In training it reads the target.",
)
plots.show(
    architecture_graphs.encoder_decoder("57+78", "531", training=False),
    "The same when generating: dashed arrows lead from each output to the next input.",
)

# %% [markdown]
# (The answer is written backwards, 531. You will see why.) Three symbols are special: 0 is padding,
# 1 means *start* and 2 means *end*. Sources are padded at the front, so that the last thing the
# encoder reads is always a real symbol. The padding is not masked: the encoder reads the same
# symbol a few times before the source begins, and learns to ignore it. Targets are padded at the
# end.

# %% tags=["demonstration"]
PAD, START, END = 0, 1, 2
SIGNS = "_<>0123456789+"  # how the symbols 0, 1, 2, ... are shown


def shown(ids):
    return "".join(SIGNS[symbol] for symbol in ids)


def as_arrays(texts, answers):
    """Return (sources, targets) as numbers; each target has END after it."""
    sources = np.zeros((len(texts), max(map(len, texts))), int)
    targets = np.zeros((len(texts), max(map(len, answers)) + 1), int)
    for row, text in zip(sources, texts):
        row[len(row) - len(text) :] = [SIGNS.index(sign) for sign in text]
    for row, answer in zip(targets, answers):
        row[: len(answer) + 1] = [*(SIGNS.index(sign) for sign in answer), END]
    return sources, targets


def random_digits(number, seed, shortest=3, longest=6):
    """Return texts of random digits."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, size=number)
    return ["".join(map(str, rng.integers(0, 10, size=length))) for length in lengths]


def reverse(texts):
    return [text[::-1] for text in texts]


texts = random_digits(2000, seed=0)
sources, targets = as_arrays(texts, reverse(texts))
for source, target in zip(sources[:3], targets[:3]):
    print(shown(source), "->", shown(target), "  ", source, "->", target)

# %% [markdown]
# ## Teacher forcing
#
# Our first task is to copy digits backwards, as above. What should the decoder read during
# training? Its own output would be rubbish at first, and so would everything that followed from it.
# So we show it the **right** symbols, whatever it would have written itself. This is called
# **teacher forcing**. At step $t$ it reads the right symbol of step $t-1$ and has to predict that of
# step $t$.
#
# Its inputs are therefore the targets, shifted to the right by one place, with the start symbol in
# front. If you forget the shift, you show the decoder the very answer it is supposed to predict.
# This is a **target leak**, and later we build one on purpose, so that you will recognise it.

# %% [markdown] nbgrader={"grade_id": "shift_right_task", "locked": true}
# ### Your turn: `shift_right` (2 points)
#
# `targets` has the shape (batch, steps), and `start` is the start symbol. Return a new array of the
# same shape: what the decoder reads at each step. Do not change `targets`.

# %% nbgrader={"grade_id": "shift_right", "solution": true}
def shift_right(targets, start):
    """Return the targets one step later, with the start symbol first."""
    ### BEGIN SOLUTION
    shifted = np.full_like(targets, start)
    shifted[:, 1:] = targets[:, :-1]
    return shifted
    ### END SOLUTION


# %% nbgrader={"grade_id": "shift_right_test", "grade": true, "locked": true, "points": 2}
check(shift_right)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(shift_right)
### END HIDDEN TESTS

# %% tags=["demonstration"]
print("reads: ", shown(shift_right(targets, START)[0]))
print("writes:", shown(targets[0]))

# %% [markdown]
# The loss is the cross-entropy of lesson 03, averaged over all symbols that have to be written. The
# end symbol counts, because stopping is part of the answer. Padding does not.

# %% [markdown] nbgrader={"grade_id": "teacher_forcing_loss_task", "locked": true}
# ### Your turn: `teacher_forcing_loss` (3 points)
#
# | argument | | shape |
# |---|---|---|
# | `logits` | the decoder's, at each step; may be large | (batch, steps, symbols) |
# | `targets` | the right symbols | (batch, steps) |
# | `pad` | the number of the padding symbol | |
#
# Return the mean of $-\log p$ (natural logarithm, $p$ from the softmax) over all targets that are not
# padding: over the whole batch, and not sequence by sequence.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "teacher_forcing_loss", "solution": true}
def teacher_forcing_loss(logits, targets, pad):
    """Return the mean surprise at the targets that are not padding, in nats."""
    ### BEGIN SOLUTION
    largest = logits.max(axis=-1, keepdims=True)
    shifted = logits - largest
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    surprise = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return surprise[targets != pad].mean()
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "teacher_forcing_loss_test", "grade": true, "locked": true, "points": 3}
check(teacher_forcing_loss)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(teacher_forcing_loss)
### END HIDDEN TESTS

# %% [markdown]
# ## Two networks, one state between them
#
# In Keras, a recurrent layer that is called with `initial_state=...` starts from that state. A model
# with two inputs gets them as a list:
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
# Return a new, compiled model for `symbols` different symbols with the inputs `[source, written]`,
# whole numbers, any number of steps:
#
# - **encoder**: an `Embedding(symbols, 32)` of the source, and a `SimpleRNN(128)` of which only the
#   last state is used;
# - **decoder**: an `Embedding(symbols, 32)` of its own for what was written, and a `SimpleRNN(128)`
#   that returns **all** its states and starts from the encoder's last one;
# - **output**: at every step of the decoder one **logit** per symbol;
# - **compiled** with Adam (0.003, `global_clipnorm=1.0`) and the cross-entropy for whole numbers,
#   *from logits*.

# %% [markdown] nbgrader={"grade_id": "build_encoder_decoder_layers", "locked": true}
# Use exactly these five layers, the `SimpleRNN`s with biases and their default activation, tanh:
# later you generate with their weights. 32 and 128 are suggestions. The check trains the model
# for a few seconds to reverse short sequences and tries it on unseen ones.

# %% nbgrader={"grade_id": "build_encoder_decoder", "solution": true}
def build_encoder_decoder(symbols):
    """Return a compiled model: [source, written] -> logits (batch, steps, symbols)."""
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
def trained(model, sources, targets, epochs):
    """Train with teacher forcing; the padding has no weight in the loss."""
    real = (targets != PAD).astype("float32")
    inputs = [sources, shift_right(targets, START)]
    model.fit(
        inputs, targets, sample_weight=real, batch_size=32, epochs=epochs, verbose=0
    )
    return model


keras.utils.set_random_seed(0)
backwards = trained(build_encoder_decoder(len(SIGNS)), sources, targets, epochs=6)
logits = backwards.predict([sources, shift_right(targets, START)], verbose=0)
loss = teacher_forcing_loss(logits, targets, PAD)
print(f"loss on the training data: {loss:.4f} nats")

# %% [markdown]
# ## Generating without a teacher
#
# With a new question there is no teacher. The decoder reads the start symbol and outputs logits;
# we take the largest; that symbol is what it reads next, and so on until it writes the end symbol.
# This is **greedy decoding**. A network that never writes the end would go on forever, so there is
# a limit of `most` symbols.
#
# Called once per step, Keras would spend most of its time on overhead. The decoder is *your*
# recurrence, so we generate in NumPy with its weights.

# %% [markdown] nbgrader={"grade_id": "greedy_decode_task", "locked": true}
# ### Your turn: `greedy_decode` (5 points)
#
# | argument | | shape |
# |---|---|---|
# | `h` | the encoder's last state, for one source | (units,) |
# | `weights` | the tuple `(table, W_xh, W_hh, b_h, W_hy, b_y)`; `table[symbol]` is the input vector of a symbol | (symbols, features), (features, units), (units, units), (units,), (units, symbols), (symbols,) |
# | `start`, `end` | the start and the end symbol | |
# | `most` | how many symbols it may write, not counting the end | |
#
# Return the list of symbols that were written, without start and end. If two logits are equally
# large, take the first.

# %% nbgrader={"grade_id": "greedy_decode", "solution": true}
def greedy_decode(h, weights, start, end, most):
    """Return the symbols that the decoder writes, starting from state h, as a list."""
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
    """Return (a function from sources to encoder states, the decoder's weights)."""
    kinds = keras.layers.Embedding, keras.layers.SimpleRNN, keras.layers.Dense
    tables, readers, dense = (
        [layer for layer in model.layers if isinstance(layer, kind)] for kind in kinds
    )
    if (len(tables), len(readers), len(dense)) != (2, 2, 1):
        raise ValueError("expected two Embedding, two SimpleRNN and one Dense layer")
    pieces = tables[1], readers[1], dense[0]
    weights = tuple(array for piece in pieces for array in piece.get_weights())

    def encode(sources):
        state = readers[0](tables[0](sources))
        return (state[-1] if isinstance(state, (list, tuple)) else state).numpy()

    return encode, weights


def answers_of(model, sources, most=12):
    """Return what the model writes for each source, as lists of symbols."""
    encode, weights = parts(model)
    return [greedy_decode(h, weights, START, END, most) for h in encode(sources)]


new_texts = random_digits(500, seed=1)
new_sources, new_targets = as_arrays(new_texts, reverse(new_texts))
for text, answer in zip(new_texts[:4], answers_of(backwards, new_sources[:4])):
    print(text, "->", shown(answer))

# %% [markdown]
# ## Exact match
#
# A sum with one wrong digit is wrong. So we do not count symbols but whole answers.
#
# **Warm-up: `exact_match`.** `written` and `wanted` are lists of the same length that contain lists
# of symbols. Return the share (0 to 1) of those that are equal: the same symbols, in the same order,
# and the same number of them. (No points.)

# %% nbgrader={"grade_id": "exact_match", "solution": true}
def exact_match(written, wanted):
    """Return the share of answers that are equal to the wanted ones."""
    # equal = ...   a list of True and False
    ### BEGIN SOLUTION
    equal = [list(one) == list(other) for one, other in zip(written, wanted)]
    ### END SOLUTION
    return float(np.mean(equal))


# %% tags=["demonstration"]
def wanted(targets):
    return [[one for one in row if one not in (PAD, END)] for row in targets.tolist()]


print("expected: 0.5")
print("yours:   ", exact_match([[3, 4], [5], [6, 7], []], [[3, 4], [5, 5], [7, 6], []]))
right = exact_match(answers_of(backwards, new_sources), wanted(new_targets))
print(f"unseen sequences reversed without an error: {right:.1%}")

# %% [markdown]
# ### The face of a leak
#
# Now the leak: the same network, but its inputs are *not* shifted.
#
# **Predict.** After two epochs, is its loss higher or lower than the honest one after six? How many
# sequences does it reverse?

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
leaking = build_encoder_decoder(len(SIGNS))
real = (targets != PAD).astype("float32")
leaking.fit([sources, targets], targets, sample_weight=real, epochs=2, verbose=0)
logits = leaking.predict([sources, targets], verbose=0)
right = exact_match(answers_of(leaking, new_sources), wanted(new_targets))
print(f"loss {teacher_forcing_loss(logits, targets, PAD):.4f} nats; "
      f"reversed without an error: {right:.1%}")

# %% [markdown]
# A wonderful loss and few right answers: that is what a leak looks like. A low loss alone is not a
# sign of one, since the honest network has a low loss as well, and the loss on unseen data would be
# wonderful, too. Only generating shows it.

# %% [markdown]
# ## Which way is harder?
#
# **Predict.** The decoder could also copy the digits *forwards*. Same network, same 2000 sequences,
# same six epochs: which direction is easier, and by how much?

# %% tags=["demonstration"]
def share_right(inputs, outputs, new_inputs, new_outputs, seed=0):
    """Train a network for six epochs; return its exact match on unseen sequences."""
    keras.utils.set_random_seed(seed)
    model = build_encoder_decoder(len(SIGNS))
    trained(model, *as_arrays(inputs, outputs), epochs=6)
    new_sources, new_targets = as_arrays(new_inputs, new_outputs)
    return exact_match(answers_of(model, new_sources), wanted(new_targets))


turned, new_turned = reverse(texts), reverse(new_texts)
for name, data in (
    ("backwards", (texts, turned, new_texts, new_turned)),
    ("forwards", (texts, texts, new_texts, new_texts)),
):
    print(f"{name:<10} {share_right(*data):.1%}")

# %% [markdown]
# Backwards is the *easy* direction, because the first digit to be written is the last one that was
# read. (Five seeds: 84 to 100 % backwards and 39 to 45 % forwards.)
#
# Sutskever and others found this in translation, where the order of the target cannot be chosen, and
# made it a trick: **reverse the source**. The average distance between a word and its translation
# stays the same, but the first words come close to each other, and a network that begins well
# continues well.

# %% [markdown]
# ☕ A good place for a break.

# %% [markdown]
# ## It learns to add
#
# Now sums of two numbers below 100, as text: `57+78` should become `531`. That is 135 written
# **backwards**, as on paper, units first, since the carry goes from right to left. The network
# might learn sums by heart. So we train on 4000 of all 10,000 and test on others. (For four in ten
# of the test sums it has seen the mirror image, `78+57` for `57+78`.)
#
# **Predict.** Nobody tells it what a digit is, what + means, or that there is a carry. How many of
# the new sums will be right: none, 30 %, 99 %?

# %% tags=["demonstration"]
def sums(pairs):
    """Return (texts, answers) for pairs of numbers, the answers backwards."""
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
screen, curve, epochs = Screen(), [], 24
for epoch in range(2, epochs + 1, 2):
    adder.optimizer.learning_rate = 0.003 if epoch <= 16 else 0.001
    trained(adder, add_sources, add_targets, epochs=2)
    curve.append(exact_match(answers_of(adder, test_sources), wanted(test_targets)))
    ax = plots.curves(
        np.arange(2, epoch + 1, 2), {"": np.array(curve)}, xlabel="epoch",
        title="It learns to add", ylabel="exact match, unseen sums", ylim=(0, 1.05),
    )
    ax.plot(np.arange(2, epoch + 1, 2), curve, "o", color=plots.COLOURS[0])
    ax.set_xlim(0, epochs + 1)
    words = f"from {curve[0]:.2f} to {curve[-1]:.2f}"
    screen.show(plots.picture(ax, f"The share of right sums rises {words}."))
print(f"{curve[-1]:.1%} of 1000 new sums are right")
print("and 123+45 =", sum_by(adder, "123+45"))

# %% [markdown]
# About 99 of 100, after 24 epochs with four in ten of all sums. It behaves as if it knew digits,
# columns and the carry. What it *knows* is another question: with three digits, which it has never
# met, it is lost.

# %% [markdown]
# ## When greedy is not best
#
# Greedy decoding takes the largest probability *per step*. That need not lead to the most probable
# *text*. Suppose that a model has these probabilities:
#
# | first symbol | then | text | probability |
# |---|---|---|---|
# | A 0.6 | B 0.5, C 0.5 | AB | 0.30 |
# | D 0.4 | E 0.9, F 0.1 | DE | **0.36** |
#
# Greedy starts with A and can reach 0.30 at best. **Beam search** keeps the `width` most probable
# beginnings at each step instead of one. With a width of 2 it keeps A and D, and finds DE.

# %% [markdown] nbgrader={"grade_id": "beam_search_task", "locked": true}
# ### Your turn: `beam_search` (5 points)
#
# | argument | |
# |---|---|
# | `next_probabilities` | a function: given the text so far, a list of symbols, it returns the probabilities of the next symbol, (symbols,) |
# | `width` | how many texts are kept |
# | `end` | the end symbol |
# | `most` | how many symbols may be written, here counting the end |
#
# Begin with the empty text, of probability 1. At each step replace every unfinished text by its
# continuations with each of the symbols, and multiply its probability by theirs. Texts that end with
# `end` are finished and stay as they are. Then keep the `width` most probable of all, finished or
# not. Stop when all kept texts are finished, or after `most` steps.
#
# Return the most probable of the kept texts, a list of symbols, with `end` if it is finished. (No
# two texts of the check are equally probable.)

# %% nbgrader={"grade_id": "beam_search", "solution": true}
def beam_search(next_probabilities, width, end, most):
    """Return the most probable text that a beam of this width finds, as a list."""
    ### BEGIN SOLUTION
    beam = [(1.0, [])]
    for _ in range(most):
        candidates = []
        for probability, text in beam:
            if text and text[-1] == end:
                candidates.append((probability, text))
                continue
            for symbol, p in enumerate(next_probabilities(text)):
                candidates.append((probability * p, [*text, symbol]))
        beam = sorted(candidates, key=lambda one: -one[0])[:width]
        if all(text[-1] == end for _, text in beam):
            break
    return beam[0][1]
    ### END SOLUTION


# %% nbgrader={"grade_id": "beam_search_test", "grade": true, "locked": true, "points": 5}
check(beam_search)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(beam_search)
### END HIDDEN TESTS

# %% [markdown]
# A beam as wide as the number of all texts would find the best one, and a beam of 1 is greedy
# decoding. Translation systems use 4 to 10. (Products of many probabilities are tiny, so real
# programs add logarithms.)
#
# **Predict.** Does a beam help our networks? Below is a network that reverses twelve digits and has
# been trained for six epochs only, so that it makes errors.

# %% tags=["demonstration"]
long_texts = random_digits(2500, seed=2, shortest=12, longest=12)
long_sources, long_targets = as_arrays(long_texts, reverse(long_texts))
keras.utils.set_random_seed(0)
beginner = build_encoder_decoder(len(SIGNS))
trained(beginner, long_sources[:2000], long_targets[:2000], epochs=6)
unseen, right = long_sources[2000:], long_targets[2000:]


def next_after(h, weights):
    """Return a function from a text to the probabilities of the next symbol."""
    table, W_xh, W_hh, b_h, W_hy, b_y = weights
    states = {(): np.tanh(table[START] @ W_xh + h @ W_hh + b_h)}

    def next_probabilities(text):
        key = tuple(text)
        if key not in states:
            states[key] = np.tanh(table[key[-1]] @ W_xh + states[key[:-1]] @ W_hh + b_h)
        powers = np.exp(states[key] @ W_hy + b_y)
        return powers / powers.sum()

    return next_probabilities


encode, weights = parts(beginner)
for width in (1, 2, 5):
    found = []
    for h in encode(unseen[:200]):
        text = beam_search(next_after(h, weights), width, END, most=14)
        found.append([symbol for symbol in text if symbol != END])
    print(f"width {width}: exact match {exact_match(found, wanted(right[:200])):.1%}")

# %% [markdown]
# A beam of two helps a little, with every one of five seeds: 44 to 54 % in place of 40 to 50 %. A
# width of 5 adds hardly anything (42 to 55 %). Beam search finds more probable texts, but it cannot
# know what the model does not know. (Since every further symbol lowers the probability, it also
# prefers short texts. Translation systems therefore divide the logarithm by the length.)

# %% [markdown]
# ## After the first error
#
# In training the decoder has only ever seen right symbols before it. When it generates, its first
# error puts it in a situation that it has never seen. That a model is never *exposed* to its own
# errors during training is called **exposure bias** (Ranzato and others 2016). **Scheduled sampling**
# (Bengio and others 2015) is a remedy: during training, let the decoder read its own output from
# time to time.
#
# Let us measure with the same network. How many symbols are right at each place when it reads the
# right ones, and when it reads its own?
#
# **Predict.** Which share is higher, and does the difference grow along the sequence? And which
# *exact match* is higher: with the teacher, or without?

# %% tags=["demonstration"]
def alone(model, sources, steps):
    """Return what the model writes when it reads its own symbols, (batch, steps)."""
    padding = [END] + [PAD] * steps
    answers = answers_of(model, sources, steps)
    return np.array([[*answer, *padding][:steps] for answer in answers])


inputs = [unseen, shift_right(right, START)]
forced = beginner.predict(inputs, verbose=0).argmax(axis=-1)
by_itself = alone(beginner, unseen, right.shape[1])
outputs = {"reads the right symbols": forced, "reads its own symbols": by_itself}
ax = plots.curves(
    1 + np.arange(right.shape[1]),
    {name: (output == right).mean(axis=0) for name, output in outputs.items()},
    title="Errors breed errors", xlabel="step", ylabel="share of right symbols",
    ylim=(0.7, 1.02),
)
plots.show(
    ax, "Share of right symbols at each of 13 steps: the same at first, then lower for "
    "the network that reads its own symbols.",
)
for name, output in outputs.items():
    print(f"{name:<24} symbols {(output == right).mean():.1%}   "
          f"exact match {(output == right).all(axis=1).mean():.1%}")

# %% [markdown]
# The difference grows along the sequence. (At the last step both rise, because there the right
# symbol is always the end.) Part of it is exposure bias, and part of it is that a right symbol
# helps.
#
# The exact match is the *same*, to the last digit. Until its first error, a network that reads its
# own symbols has read exactly what the teacher would have shown. So either both are right to the
# end, or both make their first error at the same place.

# %% [markdown]
# ## The bottleneck
#
# All that the decoder ever learns about the source is one state of 128 numbers. We train on
# sequences of three to ten digits and test each length separately, then lengths that it has never
# met.
#
# **Predict.** At which lengths does it fail?

# %% tags=["demonstration"]
mixed = random_digits(4000, seed=3, shortest=3, longest=10)
mixed_sources, mixed_targets = as_arrays(mixed, reverse(mixed))
keras.utils.set_random_seed(0)
plain = build_encoder_decoder(len(SIGNS))
trained(plain, mixed_sources, mixed_targets, epochs=8)
tests = {}
for length in range(3, 15):
    some = random_digits(200, seed=length, shortest=length, longest=length)
    some_sources, some_targets = as_arrays(some, reverse(some))
    in_front = [(0, 0), (max(0, 10 - length), 0)]  # padded as in training
    tests[length] = np.pad(some_sources, in_front), some_targets
by_length = {"one state": [
    exact_match(answers_of(plain, s, most=20), wanted(t)) for s, t in tests.values()
]}
print("digits:     ", *(f"{length:>5}" for length in tests))
print("exact match:", *(f"{share:>5.2f}" for share in by_length["one state"]))

# %% [markdown]
# Up to seven digits nearly all are right. From eight to ten it gets worse, although it has practised
# these lengths: with this much training, one state does not carry so much. At eleven and more it
# fails for another reason, since it has never met such lengths.

# %% [markdown]
# ## Looking back: attention
#
# Why should the decoder see only the *last* state, when the encoder had one at every step? Bahdanau,
# Cho and Bengio (2015) let it look at all of them; here is the simpler form of Luong and others
# (2015). At step $t$ the decoder's state makes a **query** $q_t$. It is compared with every encoder
# state $s$, which serves both as **key** $k_s$ and as **value** $v_s$:
#
# $$w_{ts} = \text{softmax}_s(q_t \cdot k_s), \qquad c_t = \sum_s w_{ts} v_s$$
#
# The weights say where the decoder looks, and are called the **alignment**. The **context** $c_t$ is
# concatenated with the decoder's state before the output layer. (Lesson 14 builds this by hand.)

# %% [markdown]
# **Predict.** What will the exact match be at ten digits? And where will the network look when it
# writes the first digit of the reversed sequence?

# %% tags=["demonstration"]
def build_with_attention(symbols, units=128):
    """Return (a model with attention, a model of its alignment)."""
    layers = keras.layers
    source, written = (keras.Input((None,), dtype="int32") for _ in range(2))
    encoder = layers.SimpleRNN(units, return_sequences=True, return_state=True)
    hs, last = encoder(layers.Embedding(symbols, 32)(source))
    decoder = layers.SimpleRNN(units, return_sequences=True)
    states = decoder(layers.Embedding(symbols, 32)(written), initial_state=last)
    queries = layers.Dense(units, use_bias=False)(states)
    attend = layers.Attention(use_scale=True)  # one learned factor sharpens the scores
    context, alignment = attend([queries, hs], return_attention_scores=True)
    logits = layers.Dense(symbols)(layers.Concatenate()([states, context]))
    model = keras.Model([source, written], logits)
    model.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model, keras.Model([source, written], alignment)


def exact_with_teacher(model, sources, targets):
    """Return the exact match, which is the same with the right symbols as without."""
    inputs = [sources, shift_right(targets, START)]
    output = model.predict(inputs, verbose=0).argmax(axis=-1)
    return float(np.all((output == targets) | (targets == PAD), axis=1).mean())


keras.utils.set_random_seed(0)
attentive, aligner = build_with_attention(len(SIGNS))
trained(attentive, mixed_sources, mixed_targets, epochs=8)
by_length["attention"] = [exact_with_teacher(attentive, *one) for one in tests.values()]
ax = plots.curves(
    list(tests), {name: np.array(shares) for name, shares in by_length.items()},
    title="Attention widens the bottleneck", xlabel="digits (trained on 3 to 10)",
    ylabel="exact match", ylim=(-0.03, 1.05),
)
words = [f"{name} {np.round(shares, 2).tolist()}" for name, shares in by_length.items()]
plots.show(ax, f"Exact match for 3 to 14 digits: {'; '.join(words)}.")
for name, shares in by_length.items():
    print(f"{name:<10}", *(f"{share:>5.2f}" for share in shares))

# %% tags=["demonstration"]
text = "4071526389"
source, target = as_arrays([text], reverse([text]))
alignment = aligner.predict([source, shift_right(target, START)], verbose=0)[0]
ax = plots.grid_map(
    alignment, title="The decoder looks through the source from right to left",
    xlabel="source", ylabel="written", label="weight",
)
ax.set_xticks(range(len(text)), list(text))
ax.set_yticks(range(len(text) + 1), [*text[::-1], "end"])
looks = alignment[:10].argmax(axis=1)
plots.show(ax, "Alignment of ten written with ten source digits; the largest weights "
           f"lie at source places {(looks + 1).tolist()}.")

# %% [markdown]
# The same small SimpleRNN now has most ten-digit sequences right (five seeds: 78 to 100 %, without
# attention 18 to 33 %), and even some eleven-digit sequences, a length that it has never met. Its
# weights move through the source from right to left, one place behind the digit that it writes: an
# encoder state knows not only its own digit but also the one before it. Nobody told it to look
# there.
#
# Gates, which make a state last longer and are the subject of lesson 13, help less here. In place of
# the SimpleRNN, and without attention, a GRU got 20 to 33 % and an LSTM 34 to 47 % of the ten-digit
# sequences right (five seeds).

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - I. Sutskever, O. Vinyals and Q. Le, "Sequence to Sequence Learning with Neural Networks", 2014.
# - K. Cho and others, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
#   Machine Translation", 2014, where the GRU appears, too.
# - D. Bahdanau, K. Cho and Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and
#   Translate", 2015; M. Luong, H. Pham and C. Manning, "Effective Approaches to Attention-based
#   Neural Machine Translation", 2015.
# - S. Bengio and others, "Scheduled Sampling for Sequence Prediction with Recurrent Neural
#   Networks", 2015; M. Ranzato and others, "Sequence Level Training with Recurrent Neural Networks",
#   2016.
# - W. Zaremba and I. Sutskever, "Learning to Execute", 2014: networks that add and run programs.

# %% [markdown]
# ## In three lines
#
# - The encoder passes its last state to the decoder, which writes until it outputs "end".
# - Teacher forcing shows the right symbols, one step late. Without the shift they *are* the answer:
#   a low loss and useless answers.
# - One state is a bottleneck for long sources. Attention lets the decoder look back at all states.
#
# *Next: 13 · Gates.*
