# %% [markdown]
# # 08 · Keras: the same network, number for number
#
# **After this lesson you can** move weights between your network and Keras, define a model
# in three ways, train it, stop at the right moment, save and load it, handle padding with
# masks, read a long text in pieces, and tell learning from memorising.
#
# **Time** about 190 minutes. **You need** lessons 01 to 03 and 05. Lesson 07 explains one
# thing that you will see.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import tempfile

import numpy as np

from rnn_helpers import graphs, plots
from rnn_helpers.quietly import keras  # `import keras`, minus the start-up log

folder = tempfile.TemporaryDirectory()  # for the models that we save

# %% [markdown]
# ## What is inside the box?
#
# For seven lessons you built everything yourself. Today you meet the library that does it for
# you, and the first thing to do with a library is to check that it does what you think. You
# create a Keras layer by giving its number of units. Its weights are created once it knows
# the number of input features:

# %% tags=["demonstration"]
layer = keras.layers.SimpleRNN(5, dtype="float64")
layer.build((None, None, 3))  # (batch, steps, features); None: any number
for variable in layer.weights:
    print(f"{variable.name:<17}{variable.shape}")

# %% [markdown]
# You know all three arrays. In the order in which `layer.get_weights()` returns them and
# `layer.set_weights([...])` takes them:
#
# | ours | Keras | shape |
# |---|---|---|
# | `W_xh` | `kernel` | (features, units) |
# | `W_hh` | `recurrent_kernel` | (units, units) |
# | `b_h` | `bias` | (units,) |
#
# **Predict.** This layer is untrained. One of the three arrays contains only zeros,
# and one is orthogonal (lesson 07 says why that is a good start). Which is which?

# %% tags=["demonstration"]
names = [weight.name for weight in layer.weights]
ax = graphs.weights_in_equation(layer.get_weights(), names)
ax.set_title("The weights of a new layer in the equation", fontsize=11)
plots.show(
    ax,
    "h_t = tanh(x_t kernel + h_(t-1) recurrent_kernel + bias), "
    "each array as a map of colour; the bias is blank.",
)
W_hh = layer.get_weights()[1]
print("recurrent_kernel is orthogonal:", np.allclose(W_hh.T @ W_hh, np.eye(5)))

# %% [markdown] nbgrader={"grade_id": "weights_to_keras_task", "locked": true}
# ### Your turn: `weights_to_keras` (3 points)
#
# Copy your weights into a Keras layer. The function changes the layer in place and returns
# nothing.
#
# | argument | |
# |---|---|
# | `layer` | a `keras.layers.SimpleRNN` with as many units as `W_hh` has |
# | `W_xh`, `W_hh`, `b_h` | the arrays, as in lesson 01 |
#
# The layer may still have no weights. Its attribute `layer.built` is then `False`, and
# `layer.build(...)`, as above, creates them.

# %% nbgrader={"grade_id": "weights_to_keras", "solution": true}
def weights_to_keras(layer, W_xh, W_hh, b_h):
    """Replace the weights of the layer."""
    ### BEGIN SOLUTION
    if not layer.built:
        layer.build((None, None, W_xh.shape[0]))
    layer.set_weights([W_xh, W_hh, b_h])
    ### END SOLUTION


# %% nbgrader={"grade_id": "weights_to_keras_test", "grade": true, "locked": true, "points": 3}
check(weights_to_keras)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(weights_to_keras)
### END HIDDEN TESTS

# %% [markdown]
# ## Who does the arithmetic?
#
# Keras only describes networks. The arithmetic is done by a **backend**, which can be
# TensorFlow (as in this course), JAX or PyTorch. The environment variable `KERAS_BACKEND`
# chooses it, and must be set before the first `import keras`.
#
# A layer returns a **tensor** of its backend. With TensorFlow, `.numpy()` turns it into an
# array, and `keras.ops.convert_to_numpy` does so with every backend.

# %% tags=["demonstration"]
print("Keras", keras.__version__, "with the backend", keras.backend.backend())
tensor = keras.ops.ones(3)
print(type(tensor).__name__, "->", keras.ops.convert_to_numpy(tensor))

# %% [markdown]
# ## The same to the last digit?
#
# Here are lesson 01's network and a Keras layer with the same weights, on the same input.
#
# **Predict.** How much do they differ when both compute in float64 (16 digits)? And in
# float32, which Keras uses by default?

# %% tags=["demonstration"]
def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
    """Lesson 01's network: return all states, (batch, steps, units)."""
    hs = [h_0]
    for x in xs.swapaxes(0, 1):
        hs.append(np.tanh(x @ W_xh + hs[-1] @ W_hh + b_h))
    return np.stack(hs[1:], axis=1)


rng = np.random.default_rng(0)
xs, h_0 = rng.normal(size=(4, 20, 3)), np.zeros((4, 5))
W_xh, W_hh = 0.5 * rng.normal(size=(3, 5)), 0.5 * rng.normal(size=(5, 5))
b_h = 0.5 * rng.normal(size=5)
for dtype in ("float64", "float32"):
    layer = keras.layers.SimpleRNN(5, return_sequences=True, dtype=dtype)
    weights_to_keras(layer, W_xh, W_hh, b_h)
    theirs = layer(xs.astype(dtype)).numpy()
    ours = rnn_forward(*(array.astype(dtype) for array in (xs, h_0, W_xh, W_hh, b_h)))
    print(f"{dtype}: largest difference {np.abs(ours - theirs).max():.0e}")

# %% [markdown]
# The difference is rounding and nothing else. There is no magic in the box: it is your loop.
#
# ## And back again
#
# These settings change what a layer returns:
#
# | setting | effect |
# |---|---|
# | `activation` | `layer.get_config()["activation"]` is its name: `"tanh"`, `"relu"` for `np.maximum(a, 0)`, or `"sigmoid"` |
# | `return_sequences` | `True`: all states (batch, steps, units); `False`: the last one (batch, units) |
# | `return_state` | `True`: a pair, the output and the last state |
#
# Two arguments can be passed in the call. `initial_state` (batch, units) replaces the zeros
# before the first step, and `mask` (batch, steps) is `False` at padded steps, where the state
# is carried over unchanged and output once more, as in lesson 02. (Before the first *real* step
# of a sequence, Keras outputs zeros even if there is an initial state. The check avoids this
# case.)

# %% [markdown] nbgrader={"grade_id": "numpy_from_keras_task", "locked": true}
# ### Your turn: `numpy_from_keras` (4 points)
#
# Compute in NumPy what `layer(xs, mask=mask, initial_state=initial_state)` returns. You may
# read the layer's weights and settings, but you may not call the layer or another Keras
# layer, and you may not use `rnn_helpers.cells`.
#
# | argument | | shape |
# |---|---|---|
# | `layer` | a built `SimpleRNN` with any of the settings above | |
# | `xs` | the inputs | (batch, steps, features) |
# | `mask` | `None`, or `True` where a step is real; there may be gaps | (batch, steps) |
# | `initial_state` | `None` for zeros, or the state before the first step | (batch, units) |
#
# `layer.return_sequences` and `layer.return_state` are `True` or `False`.

# %% nbgrader={"grade_id": "numpy_from_keras", "solution": true}
def numpy_from_keras(layer, xs, mask=None, initial_state=None):
    """Return what layer(xs, mask=mask, initial_state=initial_state) returns."""
    ### BEGIN SOLUTION
    W_xh, W_hh, b_h = layer.get_weights()
    activation = {
        "tanh": np.tanh,
        "relu": lambda a: np.maximum(a, 0),
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    }[layer.get_config()["activation"]]
    h = initial_state
    if h is None:
        h = np.zeros((len(xs), len(W_hh)), dtype=xs.dtype)
    hs = []
    for t in range(xs.shape[1]):
        h_new = activation(xs[:, t] @ W_xh + h @ W_hh + b_h)
        h = h_new if mask is None else np.where(mask[:, t : t + 1], h_new, h)
        hs.append(h)
    out = np.stack(hs, axis=1) if layer.return_sequences else h
    return (out, h) if layer.return_state else out
    ### END SOLUTION


# %% nbgrader={"grade_id": "numpy_from_keras_test", "grade": true, "locked": true, "points": 4}
check(numpy_from_keras)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(numpy_from_keras)
### END HIDDEN TESTS

# %% tags=["demonstration"]
mask = np.arange(20) < np.array([[20], [12], [3], [1]])
settings = [
    ("all states", {"return_sequences": True}, {}),
    ("ReLU", {"activation": "relu"}, {}),
    ("sigmoid", {"activation": "sigmoid"}, {}),
    ("mask", {"return_sequences": True}, {"mask": mask}),
    ("initial state", {}, {"initial_state": rng.normal(size=(4, 5))}),
]
print("largest difference     float64   float32")
for name, options, call in settings:
    differences = []
    for dtype in ("float64", "float32"):
        layer = keras.layers.SimpleRNN(5, dtype=dtype, **options)
        weights_to_keras(layer, W_xh, W_hh, b_h)
        inputs = {
            key: a if key == "mask" else a.astype(dtype) for key, a in call.items()
        }
        theirs = layer(xs.astype(dtype), **inputs).numpy()
        ours = numpy_from_keras(layer, xs.astype(dtype), **inputs)
        differences.append(np.abs(ours - theirs).max())
    print(f"{name:<22} {differences[0]:.0e}     {differences[1]:.0e}")

# %% [markdown]
# One setting was left out: `go_backwards=True` makes a layer read from the last step to the
# first. Lesson 11 needs it.
#
# ## Mask propagation
#
# Passing `mask=` by hand is rare in practice. Usually the model starts with a **`Masking`**
# layer, which marks every step whose features all equal `mask_value` as padding. For integer
# inputs, such as characters, `Embedding(..., mask_zero=True)` marks the number 0. Keras
# attaches the mask to the tensor and hands it on from layer to layer. This is called **mask
# propagation**.
#
# **Predict.** Three sequences with 5, 3 and 1 real steps are padded with zeros. How far are a
# layer's last states from those of the unpadded sequences, with and without `Masking`?

# %% tags=["demonstration"]
lengths = (5, 3, 1)
padded = np.zeros((3, 5, 2), dtype="float32")
for row, length in enumerate(lengths):
    padded[row, :length] = rng.normal(size=(length, 2))

masking, rnn = keras.layers.Masking(mask_value=0.0), keras.layers.SimpleRNN(4)
print(masking.compute_mask(padded).numpy().astype(int))
alone = [rnn(padded[row : row + 1, :n]).numpy()[0] for row, n in enumerate(lengths)]
for name, states in (("without", rnn(padded)), ("with", rnn(masking(padded)))):
    print(f"{name:<7} Masking: largest difference {np.abs(states - alone).max():.1f}")

# %% [markdown]
# With `Masking`, padding has no effect. The mask goes on through every layer that keeps the
# steps (a `SimpleRNN` with `return_sequences=True`, `Dense`, `Dropout`), and at the end it
# reaches the loss, which then averages over real steps only, as you did by hand in lesson 03.
# It ends at a layer that returns only the last state, where there are no steps left.
#
# One trap remains. `Masking` cannot know what you meant: a *real* step whose features are all
# zero is masked as well. If zeros can occur in your data, pad with a value that cannot.

# %% [markdown]
# ## Three ways to define a model
#
# Our example has to say which of ten instruments plays in a noisy recording. It receives 20
# steps of 100 features, reads them with 50 ReLU units and outputs ten probabilities.
#
# | way | you write | use it for |
# |---|---|---|
# | **Sequential** | a list of layers, each feeding the next | a plain stack |
# | **functional** | layers called on symbolic tensors, placeholders with a shape but no numbers | branches, several inputs or outputs |
# | **subclassing** | a class with `__init__` and `call` | everything else, such as your own loop |
#
# **Predict.** On paper: how many parameters does it have, and how many of them are in
# `recurrent_kernel`?

# %% tags=["demonstration"]
sequential = keras.Sequential(
    [
        keras.Input(shape=(20, 100)),  # steps and features, without the batch
        keras.layers.SimpleRNN(50, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
sequential.summary()
plots.show(
    graphs.layers_with_shapes(sequential),
    "Boxes in a row: (batch, 20, 100) goes into SimpleRNN, (batch, 50) into Dense, "
    "(batch, 10) comes out.",
)

# %% [markdown]
# `summary` is the first thing to look at in any model. `None` stands for the batch size, which
# is left open. 100 · 50 + 50 · 50 + 50 = 7550 parameters belong to the recurrence, 2500 of them
# to `recurrent_kernel`, and 50 · 10 + 10 = 510 to the readout.
#
# In the **functional** way you call each layer on the output of another. Because every
# intermediate result has a name, it can be used twice. The readout below sees the last state
# *and* the mean of all states:

# %% tags=["demonstration"]
frames = keras.Input(shape=(20, 100))
rnn = keras.layers.SimpleRNN(
    50, activation="relu", return_sequences=True, return_state=True
)
hs, last = rnn(frames)
mean = keras.layers.GlobalAveragePooling1D()(hs)
both = keras.layers.Concatenate()([last, mean])
branching = keras.Model(frames, keras.layers.Dense(10, activation="softmax")(both))
print("shapes:", hs.shape, last.shape, mean.shape, both.shape, branching.output_shape)

# %% [markdown]
# `Dense` applied to (batch, steps, units) works on the last axis, and so at every step, with
# the same weights: that is a many-to-many readout. For layers that cannot do this, such as an
# image layer on the frames of a video, there is `keras.layers.TimeDistributed(layer)`.

# %% [markdown]
# ### A class that survives being saved
#
# Training can take hours, so models are saved. Here is a network as an often-copied tutorial
# defines it. **Predict.** What happens when it is loaded again? (`custom_objects` tells
# `load_model` which class belongs to the name in the file.)

# %% tags=["demonstration"]
class Copied(keras.Sequential):
    def __init__(self):
        super().__init__()
        self.add(keras.Input(shape=(20, 100)))
        self.add(keras.layers.SimpleRNN(50, activation="relu"))
        self.add(keras.layers.Dense(10, activation="softmax"))


path = f"{folder.name}/copied.keras"
Copied().save(path)
try:
    keras.models.load_model(path, custom_objects={"Copied": Copied})
except Exception as error:
    print(type(error).__name__, "-", str(error).splitlines()[-1])

# %% [markdown]
# Saving works and *loading* fails, which is the worst moment to find out. To load a model,
# Keras calls the class with the arguments that `get_config` returned when the model was saved,
# and then fills in the weights. This class cannot take those arguments. Four rules help:
#
# 1. Inherit from `keras.Model`, create the layers in `__init__` and use them in `call`.
# 2. Take the sizes as arguments, store them (`self.units = units`), and pass the remaining
#    `**kwargs`, such as a name, to `super().__init__`.
# 3. Return the sizes from `get_config`, added to what `super().get_config()` returns: the name
#    and the dtype.
# 4. Decorate the class with `@keras.saving.register_keras_serializable()`, so that
#    `load_model` finds it without `custom_objects`.

# %% [markdown] nbgrader={"grade_id": "RecurrentNetwork_task", "locked": true}
# ### Your turn: `RecurrentNetwork` (4 points)
#
# Write the network from above as a class. `RecurrentNetwork(units=50, classes=10)` maps
# (batch, 20, 100) to (batch, classes). One `SimpleRNN` of `units` ReLU units reads the steps,
# and a `Dense` layer with a softmax maps its last state to probabilities. The model must
# survive `save` and `load_model` whatever its sizes, and a training step must lower its loss.
#
# Two dictionaries can be merged: `{"a": 1} | {"b": 2}` is `{"a": 1, "b": 2}`.

# %% nbgrader={"grade_id": "RecurrentNetwork", "solution": true}
@keras.saving.register_keras_serializable()
class RecurrentNetwork(keras.Model):
    def __init__(self, units=50, classes=10, **kwargs):
        """Create the layers and store the sizes."""
        super().__init__(**kwargs)
        ### BEGIN SOLUTION
        self.units, self.classes = units, classes
        self.rnn = keras.layers.SimpleRNN(units, activation="relu")
        self.readout = keras.layers.Dense(classes, activation="softmax")
        ### END SOLUTION

    def call(self, xs):
        """Return probabilities, shape (batch, classes)."""
        ### BEGIN SOLUTION
        return self.readout(self.rnn(xs))
        ### END SOLUTION

    def get_config(self):
        """Return the arguments of __init__ as a dict."""
        ### BEGIN SOLUTION
        return super().get_config() | {"units": self.units, "classes": self.classes}
        ### END SOLUTION


# %% nbgrader={"grade_id": "RecurrentNetwork_test", "grade": true, "locked": true, "points": 4}
check(RecurrentNetwork)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(RecurrentNetwork)
### END HIDDEN TESTS

# %% [markdown]
# ☕ A good place for a break. You can now define models; next you train them.
#
# ## From a model to a trained model
#
# Four methods do the work that you wrote yourself in lesson 05:
#
# - `compile` sets *how* to learn: the optimiser, the loss, and the **metrics**, which are
#   numbers to watch. `"accuracy"` is the share of correct answers.
# - `fit` trains for a number of epochs, in batches.
# - `evaluate` returns the loss and the metrics on data that you hand over, without training.
# - `predict` returns the outputs as an array. It works batch by batch, so that intermediate
#   results do not fill the memory.
#
# You can call the model directly, `model(xs)`, for one small batch; it returns a tensor.

# %% [markdown]
# ### Probabilities or logits?
#
# Lesson 03 warned you: always compute the cross-entropy from logits, because log(0) is waiting.
# And yet most Keras models end in a sigmoid or a softmax. Who is right?
#
# **Predict.** A model outputs a probability. Its logit is 10, 50 or 100, and the label is 0.
# What is the cross-entropy of the *probability* in float32, and what does Keras report?

# %% tags=["demonstration"]
one = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
one.set_weights([np.ones((1, 1)), np.zeros(1)])  # its logit is its input
one.compile(loss="binary_crossentropy")
label = np.zeros((1, 1))
print("logit   from the probability   reported by Keras")
for logit in (10.0, 50.0, 100.0):
    x = np.array([[logit]])
    separate = keras.losses.binary_crossentropy(label, one(x).numpy())
    reported = one.evaluate(x, label, verbose=0)
    print(f"{logit:>5.0f}{separate.numpy()[0]:>19.2f}{reported:>22.2f}")

# %% [markdown]
# From the probability alone, the loss stops at 15.94: Keras clips probabilities at
# $10^{-7}$ to avoid log(0), and beyond the clip the gradient is zero. The reported losses are
# right. With TensorFlow, Keras notices the sigmoid right in front of the loss, goes back to the
# logit and computes the loss from there. If you prefer not to rely on that, omit the activation
# and say so:
#
# ```python
# keras.layers.Dense(1)
# model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True), ...)
# ```
#
# The model then outputs logits. Beware: the metric `"accuracy"` still compares the output with
# 0.5, and for logits the threshold is 0: `keras.metrics.BinaryAccuracy(threshold=0.0)`.
#
# | targets | loss |
# |---|---|
# | 0 or 1 | `BinaryCrossentropy` |
# | integers 0, 1, 2, ... | `SparseCategoricalCrossentropy` |
# | one-hot rows | `CategoricalCrossentropy` |

# %% [markdown] nbgrader={"grade_id": "build_binary_classifier_task", "locked": true}
# ### Your turn: `build_binary_classifier` (3 points)
#
# The model answers a yes-or-no question about a sequence. Return a new, compiled model:
#
# - **input**: 10 steps of 1 feature;
# - **hidden**: one `SimpleRNN` with 32 units and its default settings;
# - **output**: one unit, computed from the last state, with a sigmoid. (Logits with the loss
#   above are accepted too.)
# - **compiled** with Adam, the binary cross-entropy and the metric `"accuracy"`.
#
# `model.compile(optimizer=..., loss=..., metrics=[...])` accepts names in quotes, such as
# `"adam"` and `"binary_crossentropy"`. Define the model in whichever way you like: the check
# looks at what it computes.

# %% nbgrader={"grade_id": "build_binary_classifier", "solution": true}
def build_binary_classifier():
    """Return a compiled model: 10 steps of 1 feature in, one probability out."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [
            keras.Input(shape=(10, 1)),
            keras.layers.SimpleRNN(32),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "build_binary_classifier_test", "grade": true, "locked": true, "points": 3}
check(build_binary_classifier)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(build_binary_classifier)
### END HIDDEN TESTS

# %% [markdown]
# ### Which clipping?
#
# Lesson 05 clipped all gradients together and kept their direction. In Keras this is
# `global_clipnorm`. The better-known `clipnorm` clips each variable separately and so can change
# the direction of the step.
#
# **Predict.** Two variables have gradients of 3 and 4, with a joint norm of 5. The limit is 1.
# How long are the two steps with `global_clipnorm`, and with `clipnorm`?

# %% tags=["demonstration"]
for option in ("global_clipnorm", "clipnorm"):
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer = keras.optimizers.SGD(learning_rate=1.0, **{option: 1.0})
    optimizer.apply([keras.ops.array([3.0]), keras.ops.array([4.0])], [a, b])
    print(f"{option:<16} steps of {-float(a[0]):.2f} and {-float(b[0]):.2f}")

# %% [markdown]
# 0.6 to 0.8 is still 3 to 4, a shorter step in the same direction. 1 to 1 is another direction.
#
# ## Nothing to learn: labels decided by coin flips
#
# Tutorials like to show a first model on random numbers with random labels, to see that the
# code runs. It runs. But what does it learn?
#
# **Predict.** There are 1000 random sequences, each with a label decided by a coin flip. We
# train for ten epochs in batches of 32. What will the accuracy be on these 1000, and on 1000
# others?

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
noise = rng.random((2000, 10, 1)).astype("float32")
coins = rng.integers(0, 2, size=2000)
model = build_binary_classifier()
history = model.fit(
    noise[:1000], coins[:1000],
    validation_data=(noise[1000:], coins[1000:]),  # evaluated after each epoch
    epochs=10, batch_size=32, verbose=0,
)
print({name: round(values[-1], 2) for name, values in history.history.items()})

# %% [markdown]
# About half on both: there was no rule to find, and the model found none. Now let us make
# memorising easy. We give it only 100 sequences, 300 epochs and a larger learning rate.
# `validation_freq=10` evaluates only every tenth epoch, to save time.

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
model = build_binary_classifier()
model.optimizer.learning_rate = 0.01
history = model.fit(
    noise[:100], coins[:100], validation_data=(noise[1000:], coins[1000:]),
    epochs=300, batch_size=100, validation_freq=10, verbose=0,
).history
metric = next(name for name in history if "loss" not in name)  # the name you gave it
ends = {name: values[-1] for name, values in history.items()}
axes = plots.new_row(width=9.3, height=3.0, count=2)
for ax, quantity, label, title in (
    (axes[0], metric, "accuracy", "Memorised, not learned"),
    (axes[1], "loss", "loss (nats)", "Wrong with great confidence"),
):
    lines = {
        "training": np.array(history[quantity])[9::10],
        "validation": np.array(history[f"val_{quantity}"]),
    }
    level = 0.5 if label == "accuracy" else np.log(2)
    plots.curves(
        10 * np.arange(1, 31), lines | {"coin": np.full(30, level)},
        title=title, xlabel="epoch", ylabel=label, ax=ax,
    )
plots.show(
    axes[0],
    f"Accuracy: training rises to {ends[metric]:.2f}, validation stays at "
    f"{ends[f'val_{metric}']:.2f}. Loss: training falls to {ends['loss']:.2f}, "
    f"validation rises to {ends['val_loss']:.2f}.",
)
print({name: round(value, 2) for name, value in ends.items()})

# %% [markdown]
# The model is perfect on the data it was trained on and no better than a coin on everything
# else. Look at the right-hand panel too: its validation *loss* is far worse than a coin's
# 0.69, because it is wrong with great confidence. Accuracy alone hides that. A training curve
# alone proves nothing, so always hold some data back.
#
# **Predict.** Now the same sequences get labels with a *rule*: is the sum of the first five
# steps larger than that of the last five? Everything else stays as in the first run. What
# will the two accuracies be?

# %% tags=["demonstration"]
rule = (noise[:, :5].sum(axis=(1, 2)) > noise[:, 5:].sum(axis=(1, 2))).astype(int)
keras.utils.set_random_seed(0)
model = build_binary_classifier()
model.fit(noise[:1000], rule[:1000], epochs=10, batch_size=32, verbose=0)
for name, part in (("training", slice(0, 1000)), ("unseen", slice(1000, 2000))):
    accuracy = model.evaluate(noise[part], rule[part], verbose=0)[1]
    print(f"{name:<9} accuracy {accuracy:.2f}")
probabilities = model.predict(noise[:5], verbose=0)[:, 0]
print("five outputs:", probabilities.round(2), "labels:", rule[:5])

# %% [markdown]
# The accuracy on unseen sequences is nearly as good as on the old ones. *That* is what
# learning looks like.

# %% [markdown]
# ## Stop at the right moment
#
# Most data lie in between: there is a rule, and there is noise. A network first picks up the
# rule, and both losses fall. Then it begins to memorise the noise, and the validation loss
# rises. The best network is somewhere on the way. **Early stopping** means watching the
# validation loss, stopping once it has not improved for a number of epochs (the **patience**),
# and going back to the best weights.
#
# In Keras this is the job of a **callback**, an object that `fit` calls at fixed moments, such
# as after every epoch. `EarlyStopping` stops; `ModelCheckpoint`, below, saves to a file.
#
# **Predict.** The labels below follow a rule, but 20 % of them are wrong. Sketch the two
# curves over 100 epochs.

# %% tags=["demonstration"]
def noisy_rule(count, rng):
    """Return (xs, labels): is the sum of the last 3 steps above 0? 20 % are wrong."""
    xs = rng.uniform(-2, 2, size=(count, 10, 1)).astype("float32")
    wrong = rng.random(count) < 0.2
    return xs, ((xs[:, -3:].sum(axis=(1, 2)) > 0) ^ wrong).astype(int)


rng = np.random.default_rng(3)
train_set, valid_set = noisy_rule(128, rng), noisy_rule(400, rng)
keras.utils.set_random_seed(3)
model = build_binary_classifier()
model.optimizer.learning_rate = 0.003
checkpoint = keras.callbacks.ModelCheckpoint(
    f"{folder.name}/best.weights.h5", save_weights_only=True,
    save_best_only=True, monitor="val_loss",
)
history = model.fit(
    *train_set, validation_data=valid_set, epochs=100, batch_size=128,
    callbacks=[checkpoint], verbose=0,
).history
losses = {"training": history["loss"], "validation": history["val_loss"]}
best = int(np.argmin(losses["validation"])) + 1
ax = plots.curves(
    np.arange(1, 101), {name: np.array(values) for name, values in losses.items()},
    title="First the rule, then the noise", xlabel="epoch", ylabel="loss (nats)",
)
ax.axvline(best, color="0.6", linewidth=1)
plots.show(
    ax, f"The training loss falls all the way; the validation loss falls until "
    f"epoch {best} and then rises.",
)
loss, _ = model.evaluate(*valid_set, verbose=0)
print(f"validation loss after epoch 100: {loss:.2f}")
model.load_weights(f"{folder.name}/best.weights.h5")
loss, _ = model.evaluate(*valid_set, verbose=0)
print(f"after epoch {best}, loaded again: {loss:.2f}")

# %% [markdown] nbgrader={"grade_id": "fit_with_early_stopping_task", "locked": true}
# ### Your turn: `fit_with_early_stopping` (4 points)
#
# Train a compiled model with early stopping. Train for at most 100 epochs, monitor the
# validation loss with a patience of 10 epochs, and leave the model with the weights of its
# best epoch. Return the number of that epoch; the first one is number 1.
#
# | argument | | shape |
# |---|---|---|
# | `model` | a compiled classifier, to be trained in place | |
# | `xs`, `labels` | for training | (n, 10, 1), (n,) |
# | `xs_valid`, `labels_valid` | for validation only | (m, 10, 1), (m,) |
#
# Use all training sequences as one batch, `batch_size=len(xs)`, which makes the training
# reproducible. `keras.callbacks.EarlyStopping` has the arguments `monitor`, `patience` and
# `restore_best_weights`, and it restores the best weights even if all 100 epochs run. `fit`
# takes a list of `callbacks` and returns a history like the one above. Pass `verbose=0` to keep
# the output short.

# %% nbgrader={"grade_id": "fit_with_early_stopping", "solution": true}
def fit_with_early_stopping(model, xs, labels, xs_valid, labels_valid):
    """Train the model, restore its best weights and return the best epoch, from 1."""
    ### BEGIN SOLUTION
    stop = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=10, restore_best_weights=True
    )
    history = model.fit(
        xs,
        labels,
        validation_data=(xs_valid, labels_valid),
        epochs=100,
        batch_size=len(xs),
        callbacks=[stop],
        verbose=0,
    )
    return int(np.argmin(history.history["val_loss"])) + 1
    ### END SOLUTION


# %% nbgrader={"grade_id": "fit_with_early_stopping_test", "grade": true, "locked": true, "points": 4}
check(fit_with_early_stopping)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(fit_with_early_stopping)
### END HIDDEN TESTS

# %% [markdown]
# The validation data have now influenced the training, if only through the decision when to
# stop. The validation loss is therefore a little too good, and a final judgement needs a third
# part that decided nothing, the **test set**. Lesson 09 uses one.

# %% [markdown]
# ## Which instrument is playing?
#
# Let us put your class to work. There are ten instruments, each with a spectrum of 100
# frequencies. In 20 steps of noise one of them plays for six steps, at a random time. Which
# one was it? Guessing has an accuracy of 0.1.
#
# Data often arrive as a **`tf.data.Dataset`** rather than an array. It delivers batches,
# shuffles them in each epoch, and with `prefetch` prepares the next ones while the model trains.
# `fit` accepts it in place of arrays, and no batch size is needed.

# %% tags=["demonstration"]
import tensorflow as tf

rng = np.random.default_rng(1)
spectra = rng.normal(size=(10, 100))


def recordings(count):
    """Return (sounds, instruments), shapes (count, 20, 100) and (count,)."""
    which, start = rng.integers(0, 10, size=count), rng.integers(0, 15, size=count)
    since = np.arange(20) - start[:, None]
    playing = ((since >= 0) & (since < 6))[..., None]
    noise = rng.normal(size=(count, 20, 100))
    sounds = noise + playing * spectra[which][:, None]
    return sounds.astype("float32"), which


train_data, valid_data = recordings(1500), recordings(500)
batches = tf.data.Dataset.from_tensor_slices(train_data).shuffle(1500, seed=1).batch(32)

keras.utils.set_random_seed(1)
network = RecurrentNetwork()
network.compile(
    optimizer=keras.optimizers.Adam(global_clipnorm=1.0),
    loss="sparse_categorical_crossentropy",  # the targets are integers
    metrics=["accuracy"],
)
history = network.fit(
    batches.prefetch(2), validation_data=valid_data,
    epochs=8, shuffle=False, verbose=0,  # the dataset shuffles
).history
ax = plots.curves(
    np.arange(1, 9),
    {
        "training": np.array(history["accuracy"]),
        "validation": np.array(history["val_accuracy"]),
    },
    title="Ten instruments in noise", xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02),
)
end = history["val_accuracy"][-1]
plots.show(ax, f"Both accuracies rise; validation ends at {end:.2f}.")
print("validation accuracy:", [round(value, 2) for value in history["val_accuracy"]])

# %% [markdown]
# Now save it. A `.keras` file holds the configuration, the weights and the optimiser's state,
# so that training can go on. To load it elsewhere you also need the code of your class.
# `save_weights` writes the weights alone, to a smaller `.weights.h5` file like the checkpoint
# above, and loading them requires a model that has been built.

# %% tags=["demonstration"]
network.save(f"{folder.name}/network.keras")
copy = keras.models.load_model(f"{folder.name}/network.keras")
ours, theirs = (m.predict(valid_data[0], verbose=0) for m in (network, copy))
print("the loaded copy gives the same outputs:", np.allclose(ours, theirs, atol=1e-6))

# %% [markdown]
# ## Dropout
#
# Early stopping is one remedy for memorising. **Dropout** (Srivastava and others 2014) is
# another: in every training step each unit is set to zero with a certain probability p, so that
# no unit can rely on a particular other one. The rest is multiplied by 1/(1 - p) to keep the
# sum. When the model is used, nothing is dropped.
#
# Recurrent layers have two such settings. `dropout` drops inputs, and `recurrent_dropout` drops
# parts of the state, with the *same* units dropped at every step of a sequence (Gal and
# Ghahramani 2016). If they were drawn again at every step, a unit could hardly remember
# anything for long.
#
# **Predict.** The layer below reads the same input three times. When do the outputs differ?

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
layer = keras.layers.SimpleRNN(2, dropout=0.5)
x = np.ones((1, 3, 4), dtype="float32")
for training in (False, False, True):
    print(f"training={training!s:<6}", layer(x, training=training).numpy().round(3))

# %% [markdown]
# `fit` sets `training=True`; `evaluate`, `predict` and a plain call do not. Does dropout help?
# We train on only 300 recordings. **Predict** which of the three models has the highest
# accuracy on the training data, and which on the validation data.

# %% tags=["demonstration"]
few = train_data[0][:300], train_data[1][:300]
for name, options in (
    ("no dropout", {}),
    ("dropout=0.3", {"dropout": 0.3}),
    ("recurrent_dropout=0.3", {"recurrent_dropout": 0.3}),
):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((20, 100)),
            keras.layers.SimpleRNN(50, activation="relu", **options),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*few, epochs=100, verbose=0)
    ends = [model.evaluate(*part, verbose=0)[1] for part in (few, valid_data)]
    print(f"{name:<22} accuracy: training {ends[0]:.2f}, validation {ends[1]:.2f}")

# %% [markdown]
# All three fit the training data, and only `dropout=0.3` works on new recordings. With five
# seeds it raised the validation accuracy every time, from 0.58 to 0.96 on average. It needs
# patience, though: after 25 epochs the average was still 0.49. `recurrent_dropout=0.3` lowered
# the average to 0.20, because to remember an instrument until the end is the very thing that
# this task asks for. So dropout is no law, but one more number to choose on validation data.

# %% [markdown]
# ## Reading in pieces: a stateful layer
#
# A layer forgets its state between two calls. With `stateful=True` it does not: sequence 3 of
# this call picks up where sequence 3 of the previous call left off. For this the batch size
# must stay the same, and the layer has to know it when it is built. That is how a
# long text is read in pieces, as lesson 07 cut it. The state crosses from one call to the
# next, and the gradient does not. What remains for you is to call **`layer.reset_state()` when
# a new text begins**.
#
# **Predict.** Below, the same three steps are read three times. When does an answer repeat?

# %% tags=["demonstration"]
reader = keras.layers.SimpleRNN(1, stateful=True)
reader.build((1, None, 1))  # one sequence at a time
reader.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
segment = np.full((1, 3, 1), 0.1, dtype="float32")
print(f"first call   {reader(segment).numpy().item():.4f}")
print(f"second call  {reader(segment).numpy().item():.4f}")
reader.reset_state()
print(f"after reset  {reader(segment).numpy().item():.4f}")

# %% [markdown] nbgrader={"grade_id": "stateful_run_task", "locked": true}
# ### Your turn: `stateful_run` (2 points)
#
# Read one long input that arrives in segments, as if it had arrived in one.
#
# | argument | | shape |
# |---|---|---|
# | `layer` | a built `SimpleRNN` with `stateful=True` and `return_sequences=True`; it may have read something else before | |
# | `segments` | in order; their lengths may differ | each (batch, steps, features) |
#
# Return all states as one array, (batch, all steps together, units).

# %% nbgrader={"grade_id": "stateful_run", "solution": true}
def stateful_run(layer, segments):
    """Return the states of all segments, read one after the other as one text."""
    ### BEGIN SOLUTION
    layer.reset_state()
    return np.concatenate([layer(segment).numpy() for segment in segments], axis=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "stateful_run_test", "grade": true, "locked": true, "points": 2}
check(stateful_run)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(stateful_run)
### END HIDDEN TESTS

# %% [markdown]
# Training a stateful model with `fit` has a classic trap. By default `fit` shuffles the
# sequences, so that row 3 of a batch continues a stranger's text. Order the data so that each
# row continues the same row of the previous batch, define the model with
# `keras.Input(batch_shape=(batch, steps, features))`, use that batch size and `shuffle=False` in
# `fit`, and reset the state at the start of each epoch:
#
# ```python
# reset = keras.callbacks.LambdaCallback(
#     on_epoch_begin=lambda epoch, logs: layer.reset_state()
# )
# ```
#
# Lesson 10 trains one, with batches that continue each other.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - F. Chollet and M. Watson, *Deep Learning with Python*, third edition, 2025, by the author of
#   Keras; and the guides on keras.io, above all "Masking and padding" and "Working with RNNs".
# - A. Géron, *Hands-On Machine Learning*, for learning curves, callbacks and checkpoints.
# - L. Prechelt, "Early Stopping - But When?", in *Neural Networks: Tricks of the Trade*, 1998.
# - N. Srivastava and others, "Dropout: A Simple Way to Prevent Neural Networks from
#   Overfitting", 2014; for recurrent layers, Y. Gal and Z. Ghahramani, "A Theoretically Grounded
#   Application of Dropout in Recurrent Neural Networks", 2016.
# - C. Zhang and others, "Understanding Deep Learning Requires Rethinking Generalization", 2017,
#   trains large networks on random labels.

# %% [markdown]
# ## In three lines
#
# - `kernel`, `recurrent_kernel` and `bias` are `W_xh`, `W_hh` and `b_h`, and Keras' `SimpleRNN` is
#   your loop, up to rounding.
# - A network can memorise coin flips: watch the validation loss, stop at its minimum and go
#   back to the best weights.
# - A class survives saving when `get_config` returns what `__init__` takes; a stateful layer is
#   reset when a new text begins.
#
# *Next: 09 · Time series.*
