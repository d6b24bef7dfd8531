# %% [markdown]
# # 11 · Speech: what was said, and when
#
# **After this lesson you can** turn sound into frames, stack recurrent layers and read a
# sequence in both directions without tripping over the padding, train a recogniser of spoken
# digits, and compute the loss that lets it write down what was said although nobody told it
# when.
#
# **Time** about 165 minutes. **You need** lessons 02, 03, 08 and 10. Headphones, if others work
# beside you.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import itertools

import numpy as np
from IPython.display import Audio

from rnn_helpers import architecture_graphs, plots, speech
from rnn_helpers.cards import Screen

# %%
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

# %% [markdown]
# ## Listen
#
# Somebody reads out a number. Press play.

# %% tags=["demonstration"]
spoken = speech.say([4, 0, 7, 7], voice=5, rng=np.random.default_rng(4))
print(len(spoken.sound), "numbers, six of them from the first word:")
print(spoken.sound[2000:2006].round(3))
Audio(spoken.sound, rate=speech.RATE)

# %% [markdown]
# To a computer, sound is a series of numbers, or **samples**, each saying where the loudspeaker's
# cone should be. Ours has a **sampling rate** of 8000 per second. The voices come from a speech synthesiser, so that no real person's voice had to be used:
# 36 of them, with seven accents of English. (`rnn_helpers/sounds/README.md` says how they were
# made.)

# %% [markdown]
# ## From sound to frames
#
# A recurrent network could read these numbers one by one, but lesson 06 showed what happens to a
# gradient over 8000 steps. Your ear hears *how much of which pitch there is*, and we compute just
# that, every 25 milliseconds (the **hop**):
#
# 1. Cut out a **frame** of 32 ms, which overlaps with the next one by 7 ms, and let it fade in
#    and out (a **Hann window**).
# 2. Its Fourier transform gives the energy at each frequency.
# 3. Add up the energies in 20 **mel bands**, which are narrow at low pitches and wide at high
#    ones, like the resolution of the ear.
# 4. Take the logarithm, as the ear does with loudness, and subtract each band's mean.

# %% tags=["demonstration"]
def frames_of(sound):
    """Return the log mel spectrogram of a sound, shape (frames, 20)."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, speech.WINDOW)
    windows = windows[:: speech.HOP] * np.hanning(speech.WINDOW)
    energies = np.abs(np.fft.rfft(windows)) ** 2
    logs = np.log(energies @ speech.mel_bands() + 1e-4)
    return logs - logs.mean(axis=0)


number = 14  # a frame within the "four"
wave = spoken.sound[number * speech.HOP :][: speech.WINDOW]
energy = np.abs(np.fft.rfft(wave * np.hanning(speech.WINDOW))) ** 2
axes = plots.new_row(width=9.3, height=2.4, count=3)
axes[0].plot(1000 * np.arange(speech.WINDOW) / speech.RATE, wave, linewidth=1)
axes[0].set(title="1. One frame", xlabel="time (ms)", ylabel="amplitude")
axes[1].semilogy(np.fft.rfftfreq(speech.WINDOW, 1 / speech.RATE), energy, linewidth=1)
axes[1].set(title="2. Its energy by frequency", xlabel="frequency (Hz)")
axes[2].bar(np.arange(1, 21), frames_of(spoken.sound)[number])
axes[2].set(title="3. and 4. Its 20 numbers", xlabel="mel band")
axes[2].set_ylabel("logarithm, minus mean")
plots.show(axes[0], "A frame of the vowel of four as a wave, as energies by frequency "
           "with a peak below 1000 Hz, and as 20 bars.")

# %% [markdown]
# All frames side by side make a **spectrogram**. (The course's own function also divides by the
# standard deviation.)

# %% tags=["demonstration"]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"]
WORDS += ["nine", ""]  # 10 is silence
SECONDS = speech.HOP / speech.RATE  # from one frame to the next


def words(labels):
    return [WORDS[label] for label in labels]


frames = spoken.frames
print("frames:", frames.shape, " labels:", spoken.labels.shape, spoken.labels[:24])
ax = plots.spectrogram(
    frames, {"said": words(spoken.labels)},
    title="Each digit has its own pattern", hop_s=SECONDS,
)
plots.show(
    ax, f"A spectrogram of {len(frames)} frames in 20 bands, with the digit spoken in "
    "each frame: four, zero, seven, seven.",
)

# %% [markdown]
# Above the picture is a **label** for each frame, the digit that is being spoken or 10 for
# silence. Bright colours are loud. Look at the beginning of "seven". It is labelled before anything
# can be seen: much of an s lies above 4000 Hz, which 8000 samples per second cannot carry, and the
# rest drowns in the noise that we added, as on a bad telephone line. You heard it all the same,
# didn't you? Keep that in mind.
#
# ## How many frames are wrong?
#
# First the measure, then the models. The **frame error rate** is the share of frames that get a
# wrong label. Since sounds differ in length, a batch is padded (lesson 02), and a network outputs
# something for the padding too. That must not count.

# %% [markdown] nbgrader={"grade_id": "frame_error_rate_task", "locked": true}
# ### Your turn: `frame_error_rate` (2 points)
#
# | argument | | shape |
# |---|---|---|
# | `predicted` | the label that the network gives, a whole number | (batch, steps) |
# | `labels` | the right label | (batch, steps) |
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


# %% nbgrader={"grade_id": "frame_error_rate_test", "grade": true, "locked": true, "points": 2}
check(frame_error_rate)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(frame_error_rate)
### END HIDDEN TESTS

# %% [markdown]
# ## One frame at a time
#
# We train on 24 voices and hold out the other 12. What counts is how a network does on a voice that
# it has never heard. There are 320 numbers of three to five digits for training and 100 for
# testing. Our first network has two ordinary layers and sees one frame at a time, 20 numbers in
# and 11 logits out.
#
# **Predict.** A frame is 32 milliseconds long. Could *you* tell from a single one which digit it
# belongs to? In how many of 100 frames will the network be wrong? (Always answering "silence" is
# wrong in 78.)

# %% tags=["demonstration"]
xs, mask, labels = speech.batch(speech.utterances(320, speech.HEARD, seed=0))
unheard = speech.utterances(100, speech.UNHEARD, seed=1)
xs_new, mask_new, labels_new = speech.batch(unheard)
print("training:", xs.shape, " test:", xs_new.shape)


def compiled(*layers):
    """Return a network of these layers with 11 logits per frame."""
    model = keras.Sequential(
        [keras.Input((None, speech.BANDS)), *layers, keras.layers.Dense(11)]
    )
    model.compile(
        keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def trained(model, epochs=6):
    """Train the network; the padding has no weight in the loss."""
    weight = mask.astype("float32")
    model.fit(xs, labels, sample_weight=weight, batch_size=16, epochs=epochs, verbose=0)
    return model


def error_of(model):
    predicted = model.predict(xs_new, verbose=0).argmax(axis=-1)
    return frame_error_rate(predicted, labels_new, mask_new)


keras.utils.set_random_seed(0)
dense = keras.layers.Dense
framewise = trained(compiled(dense(128, "relu"), dense(128, "relu")))
print(f"wrong in {error_of(framewise):.0%} of the frames")

# %% [markdown]
# It is wrong in half of them. Some vowels give their digit away. But the s of "six" and the s of "seven" look
# the same, and there one frame cannot tell. Neither could you.
#
# ## Deeper
#
# A recurrent layer knows how the word began. And layers can be stacked: a second layer reads the
# *states* of the first as its inputs, step by step. Such a **deep** recurrent network has one
# state per layer:
#
# $$h^{(1)}_t = \tanh(x_t W^{(1)}_{xh} + h^{(1)}_{t-1} W^{(1)}_{hh} + b^{(1)})$$
#
# $$h^{(2)}_t = \tanh(h^{(1)}_t W^{(2)}_{xh} + h^{(2)}_{t-1} W^{(2)}_{hh} + b^{(2)})$$
#
# The superscript in parentheses numbers the layer; it is neither a power nor a time step.
# Otherwise nothing is new, since each layer is the loop of lesson 01.

# %% [markdown] nbgrader={"grade_id": "stack_forward_task", "locked": true}
# ### Your turn: `stack_forward` (4 points)
#
# | argument | | shape |
# |---|---|---|
# | `xs` | the inputs | (batch, steps, features) |
# | `layers` | a list with one tuple `(W_xh, W_hh, b_h)` per layer, the lowest first | each of its own size |
# | *result* | the states of the **last** layer | (batch, steps, its units) |
#
# Every layer starts from a state of zeros.
#
# Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "stack_forward", "solution": true}
def stack_forward(xs, layers):
    """Return the states of the last of several recurrent layers."""
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
# ## In both directions
#
# "Six" and "seven" begin with the same s, which can hardly be heard. While the s lasts, no memory,
# however good, can tell which word it will be. But our sound is recorded, and we may look at what
# comes *later*. (So did you a moment ago. The brain fills in what it has missed.)
#
# In a **bidirectional** network (Schuster and Paliwal 1997) a second layer reads the sequence from
# the end to the beginning, and at each step the two states are concatenated:
#
# $$\overrightarrow{h}_t = \tanh(x_t \overrightarrow{W}_{xh} + \overrightarrow{h}_{t-1} \overrightarrow{W}_{hh} + \overrightarrow{b})$$
#
# $$\overleftarrow{h}_t = \tanh(x_t \overleftarrow{W}_{xh} + \overleftarrow{h}_{t+1} \overleftarrow{W}_{hh} + \overleftarrow{b})$$

# %% tags=["demonstration"]
plots.show(
    architecture_graphs.stacked_and_bidirectional(),
    "Left, a stacked network: x feeds the states of layer 1, these feed the states of "
    "layer 2, these the outputs. Right, a bidirectional one: x feeds a row of states "
    "with arrows to the right and one with arrows to the left; both feed the outputs.",
)

# %% [markdown]
# A bidirectional network can only be used when the end is known. Live captions cannot wait for the
# end of the talk; they use one direction, or look ahead by a fraction of a second.
#
# **Predict.** In a batch, short sequences have padding at the end. The backward layer meets it
# *first*. What goes wrong if it reads it? (The biases are not zero.)

# %% [markdown]
# The padding would move its state before the last real frame is reached. What is heard in one
# recording would then depend on how long the *others* in its batch are. So both layers must keep
# their state where the mask is False. For a sequence of two real steps and one step of padding:
#
# | | step 1 | step 2 | padding |
# |---|---|---|---|
# | forward | $\overrightarrow{h}_1$ | $\overrightarrow{h}_2$ | $\overrightarrow{h}_2$ again |
# | backward | $\overleftarrow{h}_1$, computed last | $\overleftarrow{h}_2$, computed first | still 0 |

# %% [markdown] nbgrader={"grade_id": "bidirectional_forward_task", "locked": true}
# ### Your turn: `bidirectional_forward` (4 points)
#
# | argument | | shape |
# |---|---|---|
# | `xs`, `mask` | inputs; True where there is a step (padding is at the end) | (batch, steps, features), (batch, steps) |
# | `forward` | the tuple `(W_xh, W_hh, b_h)` of the forward layer | |
# | `backward` | that of the backward layer, which may have another number of units | |
# | *result* | at each step both states, forward first | (batch, steps, units forward + units backward) |
#
# Both layers start from zeros and keep their state where the mask is False, as in the table
# above; the backward states, too, are stored at their own step. Write it with NumPy only: no Keras, no `rnn_helpers.cells`.

# %% nbgrader={"grade_id": "bidirectional_forward", "solution": true}
def bidirectional_forward(xs, mask, forward, backward):
    """Return the joined states of both directions, (batch, steps, all units)."""
    ### BEGIN SOLUTION
    steps, both = range(xs.shape[1]), []
    for (W_xh, W_hh, b_h), order in ((forward, steps), (backward, reversed(steps))):
        h, hs = np.zeros((len(xs), len(b_h))), np.zeros((*mask.shape, len(b_h)))
        for t in order:
            new = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
            h = np.where(mask[:, t, None], new, h)
            hs[:, t] = h
        both.append(hs)
    return np.concatenate(both, axis=2)
    ### END SOLUTION


# %% tags=["from-scratch"] nbgrader={"grade_id": "bidirectional_forward_test", "grade": true, "locked": true, "points": 4}
check(bidirectional_forward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(bidirectional_forward)
### END HIDDEN TESTS

# %% tags=["demonstration"]
layer = keras.layers.Bidirectional(keras.layers.SimpleRNN(5, return_sequences=True))
short = xs[:4, :60]
on = np.arange(60) < np.array([60, 41, 25, 7])[:, None]
by_keras = layer(short, mask=on).numpy()
weights = layer.get_weights()
by_you = bidirectional_forward(short, on, weights[:3], weights[3:])
print("largest difference at real steps:", np.abs(by_keras - by_you)[on].max())

# %% [markdown]
# At real steps Keras' `Bidirectional` computes the same. (In the padding it outputs zeros in both
# directions, which are not used.)

# %% [markdown] nbgrader={"grade_id": "build_recogniser_task", "locked": true}
# ### Your turn: `build_recogniser` (4 points)
#
# Return a new, compiled network for `features` numbers per frame and `classes` labels:
#
# - **input**: `keras.Input((None, features))`, any number of frames;
# - **hidden**: something **bidirectional** with its states at **every** frame, so that each output
#   depends on all frames; one layer
#   `keras.layers.Bidirectional(keras.layers.SimpleRNN(64, return_sequences=True))` is enough;
# - **output**: at every frame one **logit** per class, without an activation;
# - **compiled** with Adam (0.003, `global_clipnorm=1.0`) and the cross-entropy for whole numbers,
#   *from logits* (lesson 10).
#
# The check trains it for some seconds next to a network that sees one frame at a time, and tries
# both on unheard voices. Yours must make fewer mistakes.

# %% nbgrader={"grade_id": "build_recogniser", "solution": true}
def build_recogniser(features, classes):
    """Return a compiled model: frames (batch, steps, features) to logits per frame."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [
            keras.Input((None, features)),
            keras.layers.Bidirectional(
                keras.layers.SimpleRNN(64, return_sequences=True)
            ),
            keras.layers.Dense(classes),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "build_recogniser_test", "grade": true, "locked": true, "points": 4}
check(build_recogniser)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(build_recogniser)
### END HIDDEN TESTS

# %% [markdown]
# ## Which one hears best?
#
# **Predict.** Five networks with 6 to 22 thousand weights get the same sounds for six epochs. Put
# them in order: one frame at a time; one layer; two layers; bidirectional; two bidirectional
# layers.

# %% tags=["demonstration"]
def simple(units):
    return keras.layers.SimpleRNN(units, return_sequences=True)


def both_ways(units):
    return keras.layers.Bidirectional(simple(units))


networks = {
    "one layer": lambda: compiled(simple(64)),
    "two layers": lambda: compiled(simple(64), simple(64)),
    "bidirectional (yours)": lambda: build_recogniser(speech.BANDS, 11),
    "two bidirectional": lambda: compiled(both_ways(48), both_ways(48)),
}
print(f"{'one frame at a time':<22} wrong in {error_of(framewise):5.1%} of the frames")
models = {}
for name, build in networks.items():
    keras.utils.set_random_seed(0)
    models[name] = trained(build())
    print(f"{name:<22} wrong in {error_of(models[name]):5.1%} of the frames")

# %% [markdown]
# Five seeds gave, in this order, means of 49.2, 29.6, 23.3, 15.7 and 11.5 %. Reading in both
# directions halves the errors. It also doubles the weights of a layer, but that is not all of it:
# two layers in one direction have more weights than one bidirectional layer, and make more
# errors.
#
# These networks got no mask. They read the padding and had to learn that it means nothing. With a
# `keras.layers.Masking()` layer in front, the bidirectional networks come down to 14.6 and 10.8 %:
# ignoring the mask costs one frame in a hundred. We leave it out below, since Keras' CTC loss
# takes no mask; there, the network has to learn blanks for the padding.

# %% tags=["demonstration"]
stranger = speech.say([6, 7, 2, 9], voice=30, rng=np.random.default_rng(8))
rows = {"said": words(stranger.labels)}
best = models["bidirectional (yours)"]
for name, model in (("both ways", best), ("one frame", framewise)):
    heard = model.predict(stranger.frames[None], verbose=0)[0].argmax(axis=-1)
    rows[name] = words(heard)
ax = plots.spectrogram(
    stranger.frames, rows, title="A voice that neither has heard", hop_s=SECONDS
)
plots.show(
    ax, "A spectrogram of six, seven, two, nine with three rows of labels: what is "
    "said; what the bidirectional network hears, six and seven from the beginning, and "
    "one for most of two; and what the frame-wise network hears, in short pieces.",
)

# %% [markdown]
# Look at the beginnings of "six" and "seven". The frame-wise network calls the soft s silence. The
# bidirectional one labels it correctly, because it knows what follows. (It hears most of "two" as
# "one", though.)
#
# ☕ A good place for a break. Next, the labels for the frames disappear.

# %% [markdown]
# ## But who tells it when?
#
# So far every frame came with its label. In real life nobody writes 40 labels for each second of
# sound. What one has is a recording and its text, "4077", without a word about *when*.
#
# The solution is **CTC** (**connectionist temporal classification**, Graves and others 2006). The
# network may give each frame a digit or a **blank**, which means "nothing new here". (It is not
# silence: a blank may stand in the middle of a word.) Such a row of labels is a **path** or
# alignment. To read it, merge equal neighbours, then drop the blanks (written –):
#
# | path | merged | read |
# |---|---|---|
# | – 4 4 4 – – 0 7 7 – 7 – | – 4 – 0 7 – 7 – | 4 0 7 7 |
# | 4 – 0 0 0 7 – – 7 7 7 7 | 4 – 0 7 – 7 | 4 0 7 7 |
#
# Both say the same, at different times. And only the blank makes "77" possible.

# %% [markdown] nbgrader={"grade_id": "ctc_collapse_task", "locked": true}
# ### Your turn: `ctc_collapse` (2 points)
#
# `path` is a list of whole numbers, one per frame, and `blank` is the number of the blank. Return
# the list of labels that the path reads. (A path may begin and end with a digit.)

# %% nbgrader={"grade_id": "ctc_collapse", "solution": true}
def ctc_collapse(path, blank):
    """Return the labels of a path: equal neighbours merged, then blanks dropped."""
    ### BEGIN SOLUTION
    merged = [label for label, _ in itertools.groupby(path)]
    return [int(label) for label in merged if label != blank]
    ### END SOLUTION


# %% nbgrader={"grade_id": "ctc_collapse_test", "grade": true, "locked": true, "points": 2}
check(ctc_collapse)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(ctc_collapse)
### END HIDDEN TESTS

# %% [markdown]
# ## The loss: all paths together
#
# The probability of a path is the product of the probabilities that the network gives to its
# labels, frame by frame. (CTC assumes that the labels at different frames are **conditionally
# independent** given the sound, which is why it needs a language model to spell well.) The probability of the text "1 2" is
# the sum over **all** paths that read it, and the loss is minus its logarithm. No path is
# preferred, so that *when* is left to the network.
#
# Let us apply the definition literally, for a sound of four frames and two digits, 1 and 2. (Keras
# keeps 0 for the blank.)
#
# **Predict.** There are $3^4 = 81$ paths. How many of them read "1 2"?

# %% tags=["demonstration"]
logits = np.random.default_rng(0).normal(size=(1, 4, 3))
p = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
every = itertools.product(range(3), repeat=4)
paths = [path for path in every if ctc_collapse(list(path), 0) == [1, 2]]
total = sum(np.prod(p[range(4), path]) for path in paths)
print(len(paths), "paths, such as", *paths[:3])
print(f"minus the logarithm of their sum: {-np.log(total):.6f}")
loss = keras.losses.CTC()(np.array([[1, 2]]), logits)
print(f"keras.losses.CTC:                 {float(loss):.6f}")

# %% [markdown]
# 15 paths of 81, and Keras computes the same number. But a sound of 100 frames has $11^{100}$
# paths. We cannot list them, and need not.
#
# Write the text with a blank around each label, – 1 – 2 –, and move through it from left to right. At each frame a path is at one of these five
# **states**, and from there it may
#
# - stay, which repeats the label,
# - go on to the next state,
# - or skip a blank, if the labels on its two sides differ.

# %% [markdown]
# Let $\alpha_t(s)$ be the probability of all path prefixes that end in state $s$ at frame $t$, with
# states and frames counted from 0. It is the sum of $\alpha_{t-1}$ over the states from which $s$
# can be reached, times the probability of its label $\ell_s$:
#
# $$\alpha_t(s) = \big(\alpha_{t-1}(s) + \alpha_{t-1}(s-1) + [\text{skip allowed}]\, \alpha_{t-1}(s-2)\big)\, p_t(\ell_s)$$

# %% [markdown]
# Outside the lattice $\alpha$ is 0. The last term counts only if $\ell_s$ is not a blank and differs from $\ell_{s-2}$. A path
# starts at the first blank or the first label, $\alpha_0(s) = p_0(\ell_s)$ for these two states
# and 0 for the others. It may end at the last label or the last blank, so that the probability of
# the text is the sum of the last two $\alpha$ in the last frame.
#
# This is the **forward algorithm**, on a **lattice** of frames and states. It needs a few thousand
# additions instead of $11^{100}$, and it is differentiable like everything else here. (For long
# sounds the products underflow, and so libraries compute with logarithms.)

# %% [markdown] nbgrader={"grade_id": "ctc_forward_task", "locked": true}
# ### Your turn: `ctc_forward` (4 points)
#
# | argument | | shape |
# |---|---|---|
# | `probabilities` | of each label at each frame | (frames, classes) |
# | `text` | the labels, a list such as `[1, 2]` with at least one; neighbours may be equal | |
# | `blank` | the number of the blank | |
#
# Return all $\alpha$ as an array, (frames, states). There are `2 * len(text) + 1` states.

# %% nbgrader={"grade_id": "ctc_forward", "solution": true}
def ctc_forward(probabilities, text, blank):
    """Return the forward probabilities of CTC, shape (frames, 2 * len(text) + 1)."""
    ### BEGIN SOLUTION
    states = [blank]
    for label in text:
        states += [label, blank]
    alphas = np.zeros((len(probabilities), len(states)))
    alphas[0, :2] = probabilities[0, states[:2]]
    for t in range(1, len(probabilities)):
        for s, label in enumerate(states):
            reached = alphas[t - 1, s]
            if s >= 1:
                reached += alphas[t - 1, s - 1]
            if s >= 2 and label not in (blank, states[s - 2]):
                reached += alphas[t - 1, s - 2]
            alphas[t, s] = reached * probabilities[t, label]
    return alphas
    ### END SOLUTION


# %% nbgrader={"grade_id": "ctc_forward_test", "grade": true, "locked": true, "points": 4}
check(ctc_forward)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(ctc_forward)
### END HIDDEN TESTS

# %% tags=["demonstration"]
alphas = ctc_forward(p, [1, 2], blank=0)
ax = architecture_graphs.ctc_lattice(alphas, ["–", "1", "–", "2", "–"])
ax.set_title("Every way along the arrows is a path that reads 1 2", fontsize=11)
plots.show(
    ax, "A lattice of four frames and the states blank, 1, blank, 2, blank. "
    f"The last two probabilities are {alphas[-1, -2]:.3f} and {alphas[-1, -1]:.3f}.",
)
print(f"sum over the 15 paths: {total:.6f}")
print(f"from the lattice:      {alphas[-1, -2:].sum():.6f}")

# %% [markdown]
# Pale states cannot be reached in time, or cannot reach the end in time.

# %% [markdown]
# ## It writes down what it hears
#
# We take the same network, *your* `build_recogniser`, with new weights. It is told nothing but the
# numbers that were said. Beware of the labels:
#
# | | digit $d$ | nothing |
# |---|---|---|
# | frame labels (so far) | $d$ | 10, silence |
# | CTC classes (from now on) | $d + 1$ | 0, the blank |
#
# How wrong is "4 7 7" for "4 0 7 7"? The **edit distance** is the smallest number of
# **insertions, deletions and substitutions** between the two, here one deletion. Divided by the
# number of digits that were said, it is the **digit error rate**, which can exceed 1, since a
# network that babbles inserts too many. (With words in place of digits it is the **word error
# rate**, the usual measure of speech recognition.)

# %% tags=["demonstration"]
def edit_distance(heard, said):
    """Return the fewest insertions, deletions and substitutions between two lists."""
    row = list(range(len(said) + 1))  # distances from an empty list
    for i, digit in enumerate(heard, start=1):
        corner, row[0] = row[0], i
        for j, right in enumerate(said, start=1):
            substitution = corner + (digit != right)
            corner, row[j] = row[j], min(substitution, row[j] + 1, row[j - 1] + 1)
    return row[-1]


for heard, said in (([4, 7, 7], [4, 0, 7, 7]), ([4, 0, 1, 7], [4, 0, 7, 7]), ([], [5])):
    print(heard, "for", said, "->", edit_distance(heard, said))

# %% [markdown]
# We train for sixteen epochs, half a minute or less. After every second one, the network
# transcribes a hundred numbers of unheard voices.
#
# To read a network's output we take the most probable class in each frame and collapse. This is
# **best path decoding**; a beam search, which adds up several paths of the same text, is a little
# better.
#
# **Predict.** What will the network learn first? And what will the labels of a word look like in
# the end: spread over the whole word, as in the figure above, or a short spike?

# %% tags=["demonstration"]
to_learn = speech.utterances(320, speech.HEARD, seed=0)
texts = np.zeros((len(to_learn), 5), int)  # Keras reads 0 as the end
for row, one in zip(texts, to_learn):
    row[: len(one.digits)] = np.array(one.digits) + 1


def probabilities_of(model, frames):
    """Return the probability of each class at each frame, shape (frames, 11)."""
    logits = model(frames[None].astype("float32")).numpy()[0]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def transcribe(model, frames):
    """Return the digits that are heard in frames (steps, bands)."""
    path = probabilities_of(model, frames).argmax(axis=-1)
    return [label - 1 for label in ctc_collapse(path.tolist(), 0)]


def digit_error_rate(model):
    paths = model.predict(xs_new, verbose=0).argmax(axis=-1)
    wrong = 0
    for path, on, one in zip(paths, mask_new, unheard):
        heard = [label - 1 for label in ctc_collapse(path[on].tolist(), 0)]
        wrong += edit_distance(heard, one.digits)
    return wrong / sum(len(one.digits) for one in unheard)


keras.utils.set_random_seed(0)
listener = build_recogniser(speech.BANDS, 11)
listener.compile(keras.optimizers.Adam(0.003, global_clipnorm=1.0), keras.losses.CTC())
screen, curve, seen = Screen(), [], {}
for epochs in range(2, 17, 2):
    listener.fit(xs, texts, batch_size=16, epochs=2, verbose=0)
    curve.append(digit_error_rate(listener))
    seen[epochs] = probabilities_of(listener, stranger.frames)
    ax = plots.curves(
        np.arange(2, epochs + 1, 2), {"": np.array(curve)},
        title="Most is learned in the first ten epochs", xlabel="epoch",
        ylabel="digit error rate, unheard voices", ylim=(0, 1.1),
    )
    ax.plot(np.arange(2, epochs + 1, 2), curve, "o", color=plots.COLOURS[0])
    ax.set_xlim(0, 17)
    words_now = f"from {curve[0]:.2f} to {curve[-1]:.2f}"
    screen.show(plots.picture(ax, f"The digit error rate goes {words_now}."))
    print(f"{epochs:>2} epochs: {unheard[0].digits} is heard as",
          transcribe(listener, unheard[0].frames))
print(f"digit error rate {curve[-1]:.1%}")

# %% [markdown]
# About 7 of 100 digits are wrong (with five seeds 5 to 10), after half a minute, on unheard voices,
# and nobody ever said when.
#
# How did it get there? The next figure shows the probability of each class in each frame of "six,
# seven, two, nine" after 2, 4, 8 and 16 epochs.

# %% tags=["demonstration"]
axes = plots.new_column(9.0, 6.4, (1, 1, 1, 1))
for ax, epochs in zip(axes, (2, 4, 8, 16)):
    times = SECONDS * np.arange(len(stranger.labels))
    ax.plot(times, seen[epochs][:, 0], color="0.7", linewidth=1.2)
    for label in range(1, 11):
        ax.plot(times, seen[epochs][:, label], linewidth=1.4)
        peak = int(seen[epochs][:, label].argmax())
        if seen[epochs][peak, label] > 0.5:
            ax.text(times[peak], 1.03, WORDS[label - 1], ha="center", fontsize=8)
    ax.set(ylim=(0, 1.2), ylabel=f"{epochs} epochs")
axes[-1].set_xlabel("time (s)")
axes[0].set_title("First the blank rises everywhere (grey), then spikes grow")
high = {k: float((seen[k][:, 0] > 0.5).mean()) for k in (2, 4, 8, 16)}
shares = ", ".join(f"{share:.0%}" for share in high.values())
plots.show(axes[0], "Probabilities of the blank (grey) and the digits over time, after "
           f"2, 4, 8, 16 epochs. The blank exceeds one half in {shares} of the frames.")

# %% [markdown]
# Before the network can tell digits apart, the best it can do is to output the same in every frame.
# Then the loss is smallest if the blank gets 96 %: four frames of 100 are enough for four digits.
# So the blank rises first, everywhere. Only afterwards does it pay to say *which* digit, and where.
#
# In the end there is one short spike per word. One frame is enough to read a digit, and blanks are
# the safe choice everywhere else.

# %% [markdown]
# ### Your own number
#
# Change the digits, the voice (24 to 35 are unheard) and the noise. How much noise can it take
# before it fails? What does it hear when a digit is said ten times?

# %% tags=["demonstration"]
mine = speech.say([8, 1, 5, 0, 9], voice=27, rng=np.random.default_rng(0), noise=0.02)
print("said: ", mine.digits)
print("heard:", transcribe(listener, mine.frames))
Audio(mine.sound, rate=speech.RATE)

# %% [markdown]
# ## What came next
#
# Our network knows ten words from synthetic voices, one word at a time, in an even hiss. Real
# recognisers grew from here. *Listen, Attend and Spell* (Chan and others 2016) replaced the CTC
# paths with attention (lesson 14). The **RNN transducer** (Graves 2012) drops the
# independence of the frames: a second recurrent network reads the labels written so far. It works
# while you speak and runs on many phones. The **conformer** (Gulati and others 2020) combines
# convolution and attention. **wav2vec 2.0** (Baevski and others 2020) first learns from unlabelled
# speech and is then trained with CTC. **Whisper** (Radford and others 2022) is an encoder-decoder
# trained on 680,000 hours. Frames and mel bands are still the input of most of them.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - A. Graves, S. Fernández, F. Gomez and J. Schmidhuber, "Connectionist Temporal Classification:
#   Labelling Unsegmented Sequence Data with Recurrent Neural Networks", 2006.
# - A. Hannun, "Sequence Modeling with CTC", Distill, 2017, with wonderful pictures.
# - M. Schuster and K. Paliwal, "Bidirectional Recurrent Neural Networks", 1997.
# - A. Graves, A. Mohamed and G. Hinton, "Speech Recognition with Deep Recurrent Neural Networks",
#   2013, which stacked bidirectional LSTMs.
# - A. Radford and others, "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.

# %% [markdown]
# ## In three lines
#
# - Sound becomes frames of log energies in mel bands. Layers stack, and they read in both
#   directions where the end is known. Padding must not move a state.
# - What counts is a voice that was never heard.
# - CTC sums over all paths that read a text, on a lattice. Merge repeats, then drop blanks.
#
# *Next: 12 · Sequence to sequence.*
