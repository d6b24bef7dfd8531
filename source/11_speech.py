# %% [markdown]
# # 11 · Speech: who said what, and when
#
# **After this lesson you can** turn sound into frames, stack recurrent layers, read a sequence both ways without tripping over the padding, train a
# recogniser of spoken digits, and let it write down what was said although nobody told it when.
#
# **Time** about 90 minutes. **You need** lessons 02, 03, 08 and 10. Headphones, if others work beside you.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import itertools

import numpy as np
from IPython.display import Audio

from rnn_helpers import plots, speech
from rnn_helpers.cards import Screen

# %%
from rnn_helpers.quietly import keras  # `import keras`, without TensorFlow's start-up log

# %% [markdown]
# ## Listen
#
# Somebody reads out a number. Press play.

# %% tags=["demonstration"]
spoken = speech.say([4, 0, 7, 7], voice=5, rng=np.random.default_rng(4))
print(len(spoken.sound), "numbers, six of them from within the first word:", spoken.sound[2000:2006].round(3))
Audio(spoken.sound, rate=speech.RATE)

# %% [markdown]
# To a computer that is 8000 numbers a second: where the membrane of your loudspeaker should be. The voices come from a speech synthesiser, so that
# nobody's own voice had to be put into a course: 36 of them, with seven accents of English. (`rnn_helpers/sounds/README.md` says how they were made.)

# %% [markdown]
# A recurrent network could read these numbers one by one. Lesson 06 says what would become of a gradient over 8000 steps; besides, your ear does not
# do it either. It hears *how much of which pitch there is*. So we cut the sound into **frames** of 32 milliseconds, a new one every 25 (they overlap
# a little), and measure in each how loud it is in 20 bands from low to high: as a logarithm, and compared with the mean of the band. The result is
# called a spectrogram.

# %% tags=["demonstration"]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", ""]


def words(labels):
    return [WORDS[label] for label in labels]


frames = spoken.frames
print("frames:", frames.shape, " labels:", spoken.labels.shape, spoken.labels[:24])
ax = plots.spectrogram(
    frames,
    {"said": words(spoken.labels)},
    title="Four digits: yellow is loud",
    hop_s=speech.HOP / speech.RATE,
)
plots.show(
    ax,
    f"A spectrogram of {len(frames)} frames in 20 bands, with the digit that is spoken in each frame: four, zero, seven, seven.",
)

# %% [markdown]
# Vowels are bright, pauses are dark. Over it stands a **label** for each frame: the digit that is being spoken, or 10 for "nobody speaks". Look at
# the beginning of "seven": it is labelled before anything can be seen. The soft s drowns in the noise that we added, as it does on a bad telephone
# line. You heard it all the same, did you not? Keep that in mind.

# %% [markdown]
# ## How many frames are wrong?
#
# First the measure, then the models. The **frame error rate** is the share of frames that get the wrong label. Sounds are of different length, so a
# batch is padded (lesson 02), and a network says something about the padding too. That must not count.

# %% [markdown] nbgrader={"grade_id": "frame_error_rate_task", "locked": true}
# ### Your turn: `frame_error_rate` (3 points)
#
# | argument | | shape |
# |---|---|---|
# | `predicted` | the label that the network gives, a whole number | (batch, steps) |
# | `labels` | the label that is right | (batch, steps) |
# | `mask` | True where there is a frame, False in the padding | (batch, steps) |
#
# Return one number from 0 to 1. Every real frame counts once.


# %% nbgrader={"grade_id": "frame_error_rate", "solution": true}
def frame_error_rate(predicted, labels, mask):
    """Return the share of real frames whose label is wrong."""
    ### BEGIN SOLUTION
    wrong = (predicted != labels) & mask
    return wrong.sum() / mask.sum()
    ### END SOLUTION


# %% nbgrader={"grade_id": "frame_error_rate_test", "grade": true, "locked": true, "points": 3}
check(frame_error_rate)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(frame_error_rate)
### END HIDDEN TESTS

# %% [markdown]
# ## One frame at a time
#
# 24 voices are for learning, the 12 others are kept aside: what counts is a voice that was never heard. Here are 320 numbers of three to five digits
# for learning and 100 for testing. Our first listener has two ordinary layers, and hears one frame at a time: 20 numbers in, 11 logits out.
#
# **Predict.** A frame is 32 milliseconds. Could *you* tell from one alone which digit it belongs to? In how many of 100 frames will the network be
# wrong? (Always saying "nobody speaks" is wrong in 78.)

# %% tags=["demonstration"]
xs, mask, labels = speech.batch(speech.utterances(320, speech.HEARD, seed=0))
xs_new, mask_new, labels_new = speech.batch(speech.utterances(100, speech.UNHEARD, seed=1))
print("for learning:", xs.shape, " for testing:", xs_new.shape)


def compiled(*layers):
    """Return a network of these layers that gives 11 logits for each frame."""
    model = keras.Sequential([keras.Input((None, speech.BANDS)), *layers, keras.layers.Dense(11)])
    model.compile(
        keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def trained(model, readings=6):
    """Train the network; the padding has no weight in the loss."""
    model.fit(xs, labels, sample_weight=mask.astype("float32"), batch_size=16, epochs=readings, verbose=0)
    return model


def error_of(model):
    return frame_error_rate(model.predict(xs_new, verbose=0).argmax(axis=-1), labels_new, mask_new)


keras.utils.set_random_seed(0)
framewise = trained(compiled(keras.layers.Dense(128, "relu"), keras.layers.Dense(128, "relu")))
print(f"wrong in {error_of(framewise):.0%} of the frames")

# %% [markdown]
# In half of them. That is better than pauses alone: even if it gets all of those (22 of 100), more than a third of the spoken frames must be right
# too, where guessing would give a tenth. Some vowels give their digit away. But the s of "six" and the s of "seven" look the same; there one frame
# cannot tell, and neither could you.

# %% [markdown]
# ## Memory, and more of it
#
# A recurrent layer has heard how the word began. And one can build higher: a second layer reads the *states* of the first as if they were its inputs,
# one step at a time. Such a **deep** network has a state for each layer:
#
# $$h^{(1)}_t = \tanh(x_t W^{(1)}_{xh} + h^{(1)}_{t-1} W^{(1)}_{hh} + b^{(1)}), \qquad h^{(2)}_t = \tanh(h^{(1)}_t W^{(2)}_{xh} + h^{(2)}_{t-1} W^{(2)}_{hh} + b^{(2)})$$
#
# The number in brackets counts layers; it is no power, and no step. Nothing else is new: each layer is the loop of lesson 01.

# %% [markdown] nbgrader={"grade_id": "stack_forward_task", "locked": true}
# ### Your turn: `stack_forward` (4 points)
#
# | argument | | shape |
# |---|---|---|
# | `xs` | the inputs | (batch, steps, features) |
# | `layers` | a list with one tuple `(W_xh, W_hh, b_h)` for each layer, the lowest first | each of its own size |
# | *result* | the states of the **last** layer | (batch, steps, its units) |
#
# Every layer begins with a state of zeros.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "stack_forward", "solution": true}
def stack_forward(xs, layers):
    """Return the states of the last of several recurrent layers, (batch, steps, units)."""
    ### BEGIN SOLUTION
    for W_xh, W_hh, b_h in layers:
        h, states = np.zeros((len(xs), len(b_h))), []
        for t in range(xs.shape[1]):
            h = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
            states.append(h)
        xs = np.stack(states, axis=1)
    return xs
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "stack_forward_test", "grade": true, "locked": true, "points": 4}
check(stack_forward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(stack_forward)
### END HIDDEN TESTS

# %% [markdown]
# ## Both ways
#
# "Six" and "seven" begin with the same s, which can hardly be heard. While it lasts nobody can know which it will be, however good the memory. But
# our sound is recorded: we may look at what comes *later*. (So did you, a moment ago. The brain fills in what it has missed.)

# %% [markdown]
# So a second network reads it from the end to the beginning, and at each step the two states stand side by side:
#
# $$\overrightarrow{h}_t = \tanh(x_t \overrightarrow{W}_{xh} + \overrightarrow{h}_{t-1} \overrightarrow{W}_{hh} + \overrightarrow{b}), \qquad
#   \overleftarrow{h}_t = \tanh(x_t \overleftarrow{W}_{xh} + \overleftarrow{h}_{t+1} \overleftarrow{W}_{hh} + \overleftarrow{b})$$
#
# Such a network is called **bidirectional**. (It can only be used when the end is known. A live caption cannot wait for the end of the talk.)
#
# **Predict.** In a batch the short sequences have padding at the end. The way back meets it *first*. What goes wrong if it just reads it? (The biases
# are not zero.)

# %% [markdown] nbgrader={"grade_id": "bidirectional_forward_task", "locked": true}
# ### Your turn: `bidirectional_forward` (5 points)
#
# | argument | | shape |
# |---|---|---|
# | `xs`, `mask` | inputs; True where there is a step (padding is at the end) | (batch, steps, features), (batch, steps) |
# | `forward` | the tuple `(W_xh, W_hh, b_h)` of the way forward | |
# | `backward` | the tuple of the way back, which may have another number of units | |
# | *result* | at each step both states, the way forward first | (batch, steps, units forward + units back) |
#
# Both ways begin with zeros, and both keep their state where the mask is False (lesson 02). The kept state is what the result shows there: on the way
# forward the last real one, on the way back still zeros.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.


# %% nbgrader={"grade_id": "bidirectional_forward", "solution": true}
def bidirectional_forward(xs, mask, forward, backward):
    """Return the states of both ways side by side, (batch, steps, units of both)."""
    ### BEGIN SOLUTION
    steps, both = range(xs.shape[1]), []
    for (W_xh, W_hh, b_h), order in ((forward, steps), (backward, reversed(steps))):
        h, hs = np.zeros((len(xs), len(b_h))), np.zeros((*mask.shape, len(b_h)))
        for t in order:
            h = np.where(mask[:, t, None], np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h), h)
            hs[:, t] = h
        both.append(hs)
    return np.concatenate(both, axis=2)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "bidirectional_forward_test", "grade": true, "locked": true, "points": 5}
check(bidirectional_forward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(bidirectional_forward)
### END HIDDEN TESTS

# %% [markdown]
# Keras' layer for this is `Bidirectional(SimpleRNN(...))`. Does it compute the same? (Only real steps are compared: in the padding Keras gives zeros
# both ways. Nobody looks there.)

# %% tags=["demonstration"]
layer = keras.layers.Bidirectional(keras.layers.SimpleRNN(5, return_sequences=True))
short = xs[:4, :60]
on = np.arange(60) < np.array([60, 41, 25, 7])[:, None]
by_keras = layer(short, mask=on).numpy()
weights = layer.get_weights()
by_you = bidirectional_forward(short, on, weights[:3], weights[3:])
print("largest difference at real steps:", np.abs(by_keras - by_you)[on].max())  # float32

# %% [markdown]
# So much for the question: without a mask, the padding would move the state before the last real frame is reached, and what is heard in one sound
# would depend on how long the *others* in its batch are. (Only if inputs and biases are zero does $\tanh(0) = 0$ leave a state of zeros alone.)
#
# The networks below get no mask, for simplicity and speed. They read the padding, and have to learn that it means nothing; only the loss of the
# frames and the error rates leave it out.

# %% [markdown] nbgrader={"grade_id": "build_recogniser_task", "locked": true}
# ### Your turn: `build_recogniser` (5 points)
#
# Return a new, compiled network for `features` numbers a frame and `classes` labels:
#
# - **in**: `keras.Input((None, features))`: any number of frames;
# - something **bidirectional** that gives its states at **every** frame: one layer of `keras.layers.Bidirectional(keras.layers.SimpleRNN(64, return_sequences=True))` is enough;
# - **out**: at every frame one **logit** for each class, no activation;
# - **compiled** with Adam (0.003, `global_clipnorm=1.0`) and the cross-entropy for whole numbers, *from logits* (lesson 10).
#
# The check trains it for some seconds, next to a network that hears one frame at a time, and tries both on voices that neither has heard. Yours must
# make fewer mistakes.


# %% nbgrader={"grade_id": "build_recogniser", "solution": true}
def build_recogniser(features, classes):
    """Return a compiled model that makes logits (batch, steps, classes) of frames (batch, steps, features)."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [
            keras.Input((None, features)),
            keras.layers.Bidirectional(keras.layers.SimpleRNN(64, return_sequences=True)),
            keras.layers.Dense(classes),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "build_recogniser_test", "grade": true, "locked": true, "points": 5}
check(build_recogniser)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(build_recogniser)
### END HIDDEN TESTS

# %% [markdown]
# ## Who hears best?
#
# Five networks of 6 to 22 thousand weights, the same sounds, the same six readings.
#
# **Predict.** Put them in order: one frame at a time; one layer; two layers; both ways; two layers both ways.

# %% tags=["demonstration"]
def simple(units):
    return keras.layers.SimpleRNN(units, return_sequences=True)


def both_ways(units):
    return keras.layers.Bidirectional(simple(units))


networks = {
    "one layer": lambda: compiled(simple(64)),
    "two layers": lambda: compiled(simple(64), simple(64)),
    "both ways (yours)": lambda: build_recogniser(speech.BANDS, 11),
    "two layers, both ways": lambda: compiled(both_ways(48), both_ways(48)),
}
print(f"{'one frame at a time':<22} wrong in {error_of(framewise):5.1%} of the frames")
models = {}
for name, build in networks.items():
    keras.utils.set_random_seed(0)
    models[name] = trained(build())
    print(f"{name:<22} wrong in {error_of(models[name]):5.1%} of the frames")

# %% [markdown]
# One frame alone is wrong in half of the cases, one layer with a memory in 30 of 100, two layers in 24. Looking both ways, with the same number of
# layers, halves the mistakes, to some 16 (if yours has one layer of 64) and 11. It also takes more weights (with one layer, twice as many), but that is not all of it: two layers
# one way have more weights than one layer both ways, and make more mistakes. (Your numbers may differ by a few: another processor adds in another
# order, and training magnifies such differences.)

# %% tags=["demonstration"]
stranger = speech.say([6, 7, 2, 9], voice=30, rng=np.random.default_rng(8))
rows = {"said": words(stranger.labels)}
for name, model in (("both ways", models["both ways (yours)"]), ("one frame", framewise)):
    rows[name] = words(model.predict(stranger.frames[None], verbose=0)[0].argmax(axis=-1))
ax = plots.spectrogram(
    stranger.frames,
    rows,
    title="A voice that neither has heard",
    hop_s=speech.HOP / speech.RATE,
)
plots.show(
    ax,
    "A spectrogram of six, seven, two, nine with three rows of labels: what is said, what the network that reads both ways hears, nearly the same, and what the frame-wise network hears, in many short pieces.",
)

# %% [markdown]
# ## But who tells it when?
#
# So far every frame came with its label. In real life nobody writes 40 labels for each second of sound. What one has is a recording and its text:
# "4077", and no word about *when*.
#
# The way out is called **CTC** (connectionist temporal classification; Graves and others, 2006). The network may give each frame a digit or a
# **blank**: "nothing new here" (not silence, which was our label 10: a blank may stand in the middle of a word). Such a row of labels is a **path**.
# To read it, first merge equal neighbours into one, then drop the blanks (written –):
#
# | path | merged | read |
# |---|---|---|
# | – 4 4 4 – – 0 7 7 – 7 – | – 4 – 0 7 – 7 – | 4 0 7 7 |
# | 4 – 0 0 0 7 – – 7 7 7 7 | 4 – 0 7 – 7 | 4 0 7 7 |
#
# Both say the same, at different times. And the blank is what makes "77" possible at all.

# %% [markdown] nbgrader={"grade_id": "ctc_collapse_task", "locked": true}
# ### Your turn: `ctc_collapse` (3 points)
#
# `path` is a list of whole numbers, one for each frame; `blank` is the number that stands for the blank. Return the list of what is read. (A path may
# begin and end with a digit.)


# %% nbgrader={"grade_id": "ctc_collapse", "solution": true}
def ctc_collapse(path, blank):
    """Return what a path says: equal neighbours merged, then the blanks dropped."""
    ### BEGIN SOLUTION
    merged = [label for label, _ in itertools.groupby(path)]
    return [int(label) for label in merged if label != blank]
    ### END SOLUTION


# %% nbgrader={"grade_id": "ctc_collapse_test", "grade": true, "locked": true, "points": 3}
check(ctc_collapse)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(ctc_collapse)
### END HIDDEN TESTS

# %% [markdown]
# The chance of a path is the product of the chances that the network gives, frame by frame, to its labels. The chance that it says "4077" is the sum
# of the chances of **all** paths that read so, and the loss is minus its logarithm. No path is preferred: *when* is left to the network. Let us take
# the definition at its word, for a sound of four frames and a language of two digits, 1 and 2. (Keras keeps 0 for the blank.)
#
# **Predict.** There are $3^4 = 81$ paths. How many of them say "1 2"?

# %% tags=["demonstration"]
rng = np.random.default_rng(0)
logits = rng.normal(size=(1, 4, 3))
chances = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
paths = [path for path in itertools.product(range(3), repeat=4) if ctc_collapse(list(path), 0) == [1, 2]]
total = sum(np.prod(chances[range(4), path]) for path in paths)
print(len(paths), "paths, such as", *paths[:3])
print("minus the logarithm of their sum:", -np.log(total))
print("keras.losses.CTC:                ", float(keras.losses.CTC()(np.array([[1, 2]]), logits)))

# %% [markdown]
# 15 paths of 81, and the same number (Keras computes in float32). In a sound of 100 frames there are $11^{100}$ paths, so nobody lists them: going
# from frame to frame one only has to know *how far the text has been said*, and whether the last frame was a blank, and adds up what arrives there.
# That is some thousand additions, and differentiable like everything else here.

# %% [markdown]
# ## It writes down what it hears
#
# The same network once more, *your* `build_recogniser`, with fresh weights. From now on class 0 is the blank and class $d + 1$ is the digit $d$; and
# it is told nothing but the numbers that were said.
#
# How wrong is "4 7 7" for "4 0 7 7"? The **edit distance** is the smallest number of digits that must be put in, left out or changed; here it is 1.
# Divided by the number of digits that were said it is the **digit error rate**, which can exceed 1: who babbles puts in too many. (With words instead
# of digits it is the word error rate, the usual measure of speech recognition.)


# %% tags=["demonstration"]
def edit_distance(read, said):
    """Return how many digits must be put in, left out or changed to make one list from the other."""
    row = list(range(len(said) + 1))  # from nothing to the first j digits: put in j
    for i, digit in enumerate(read, start=1):
        corner, row[0] = row[0], i
        for j, wanted in enumerate(said, start=1):
            change = corner + (digit != wanted)
            corner, row[j] = row[j], min(change, row[j] + 1, row[j - 1] + 1)
    return row[-1]


print(edit_distance([4, 7, 7], [4, 0, 7, 7]), edit_distance([4, 0, 1, 7], [4, 0, 7, 7]), edit_distance([], [5]))

# %% [markdown]
# Sixteen readings, half a minute or less. After every second one the network transcribes a hundred numbers of voices that it has never heard.
#
# **Predict.** In the first readings it will babble, and then say next to nothing. Why is "blank" an easy first answer for CTC? And what will the
# labels of a word look like in the end: spread over the whole word, as in the figure above, or a short spike?

# %% tags=["demonstration"]
to_learn = speech.utterances(320, speech.HEARD, seed=0)
to_try = speech.utterances(100, speech.UNHEARD, seed=1)
texts = np.zeros((len(to_learn), 5), int)  # 0 after the end
for row, one in zip(texts, to_learn):
    row[: len(one.digits)] = np.array(one.digits) + 1


def transcribe(model, frames):
    """Return the digits that are heard in frames (steps, bands)."""
    path = model(frames[None].astype("float32")).numpy()[0].argmax(axis=-1)
    return [label - 1 for label in ctc_collapse(path.tolist(), 0)]


def digit_error_rate(model):
    paths = model.predict(xs_new, verbose=0).argmax(axis=-1)
    read = [[label - 1 for label in ctc_collapse(path[on].tolist(), 0)] for path, on in zip(paths, mask_new)]
    wrong = sum(edit_distance(one, other.digits) for one, other in zip(read, to_try))
    return wrong / sum(len(one.digits) for one in to_try)


keras.utils.set_random_seed(0)
listener = build_recogniser(speech.BANDS, 11)
listener.compile(keras.optimizers.Adam(0.003, global_clipnorm=1.0), keras.losses.CTC())
screen, curve = Screen(), []
for _ in range(8):
    listener.fit(xs, texts, batch_size=16, epochs=2, verbose=0)
    curve.append(digit_error_rate(listener))
    ax = plots.curves(
        2 + 2 * np.arange(len(curve)),
        {"digits wrong": np.array(curve)},
        title="Digit error rate, on voices that it has not heard",
        xlabel="readings",
        ylabel="share",
        ylim=(0, 1.1),
    )
    ax.set_xlabel(f"readings.   {to_try[0].digits} is heard as {transcribe(listener, to_try[0].frames)}")
    screen.show(plots.picture(ax, f"The digit error rate falls from {curve[0]:.2f} to {curve[-1]:.2f}."))
print(f"{curve[-1]:.1%} of the digits are wrong")

# %% [markdown]
# About 7 of 100 digits are wrong, after half a minute, from voices that it has never heard, and nobody ever told it when a digit was said. Why blanks
# first? Before it can tell digits apart, the best it can do is to say the same in every frame. A text of four digits needs only four frames with a
# digit, so in the paths that say it blanks are more frequent than any one digit: the blank's chance rises first, everywhere. Only then does it pay to
# say *which* digit, and where.

# %% tags=["demonstration"]
path = listener(stranger.frames[None].astype("float32")).numpy()[0].argmax(axis=-1)
spikes = [WORDS[label - 1] if label else "" for label in path]
ax = plots.spectrogram(
    stranger.frames,
    {"said": words(stranger.labels), "CTC": spikes},
    title=f"It hears {transcribe(listener, stranger.frames)}",
    hop_s=speech.HOP / speech.RATE,
)
plots.show(
    ax,
    f"Over the spectrogram of six, seven, two, nine: the words as they are said, and the frames, {np.count_nonzero(path)} of {len(path)}, in which the network gives a digit and not the blank.",
)

# %% [markdown]
# A short spike for each word. One frame is enough to say a digit, and blanks are the safe choice everywhere else. Where the spike stands is left to
# the network; here it is mostly within the word.
#
# ### Your own number
#
# Change the digits, the voice (24 to 35 are strangers), the noise. Which digits does it confuse? From which noise on does it fail? And what does it
# make of a digit that is said ten times?

# %% tags=["demonstration"]
mine = speech.say([8, 1, 5, 0, 9], voice=27, rng=np.random.default_rng(0), noise=0.02)
print("said: ", mine.digits)
print("heard:", transcribe(listener, mine.frames))
Audio(mine.sound, rate=speech.RATE)

# %% [markdown]
# ## What it cannot do
#
# It knows ten words, from voices that one program made, one word at a time, in an even hiss, in no room. It knows no other word, and it has never
# heard you. What changes for real speech is the size: thousands of hours, many layers, and gates (lesson 13) or attention (lesson 14) in the place of
# the plain recurrence. The frames, the bands, the layers, the two directions and this very loss have all been used in real speech recognisers.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Sound becomes frames; layers stack (each reads the states below), and read both ways when the end is known. Padding must not move the state.
# - What counts are voices that were never heard.
# - CTC adds up all the ways to say a text, so that nobody has to say when; merge, then drop the blanks.
#
# *Next: 12 · Sequence to sequence.*
