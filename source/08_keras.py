# %% [markdown]
# # 08 · Keras: the same network, number for number
#
# **After this lesson you can** carry weights between your network and Keras, build, train, save and load Keras models of three kinds, read
# a text in pieces with a stateful layer, and tell learning from memorising.
#
# **Time** about 90 minutes. **You need** lessons 01 to 03 and 05; lesson 07 explains two of the things you will see.

# %%
try:
    from rnn_helpers import check, hint, progress
    from rnn_helpers.quietly import keras  # `import keras`, less TensorFlow's start-up log
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import graphs, plots

# %% [markdown]
# ## What is inside the box?
#
# For seven lessons you built everything yourself. Today you meet the library that does it for you, and the first thing to do with a library is
# to look whether it does what you think. A Keras layer is made with its number of units, and gets its weights when it learns how many features
# come in:

# %% tags=["demonstration"]
layer = keras.layers.SimpleRNN(5, dtype="float64")
layer.build((None, None, 3))  # (batch, steps, features): any batch, any steps, 3 features
for variable in layer.weights:
    print(f"{variable.name:<17}{variable.shape}")

# %% [markdown]
# Three arrays, and you know all three. In the order in which `layer.get_weights()` gives them:
#
# | ours | Keras | shape |
# |---|---|---|
# | `W_xh` | `kernel` | (features, units) |
# | `W_hh` | `recurrent_kernel` | (units, units) |
# | `b_h` | `bias` | (units,) |
#
# **Predict.** The layer is new; nobody has trained it. One of the three holds only zeros, and one is a rotation, perhaps with a mirror
# (lesson 07 knows why that is a good start). Which is which?

# %% tags=["demonstration"]
ax = graphs.weights_in_equation(layer.get_weights(), [weight.name for weight in layer.weights])
ax.set_title("A new layer's weights, laid over the equation", fontsize=11)
plots.show(
    ax,
    "h_t = tanh(x_t kernel + h_(t-1) recurrent_kernel + bias), each array as a map of colour; the bias is blank.",
)
W_hh = layer.get_weights()[1]
print("recurrent_kernel keeps lengths:", np.allclose(W_hh.T @ W_hh, np.eye(5)))

# %% [markdown] nbgrader={"grade_id": "weights_to_keras_task", "locked": true}
# ### Your turn: `weights_to_keras` (3 points)
#
# Put your weights into a Keras layer. The function changes the layer and returns nothing.
#
# | argument | |
# |---|---|
# | `layer` | a `keras.layers.SimpleRNN` with as many units as `W_hh` has |
# | `W_xh`, `W_hh`, `b_h` | the arrays, as in lesson 01 |
#
# The layer may not have weights yet: `layer.built` tells, and `layer.build(...)`, as above, makes them.


# %% nbgrader={"grade_id": "weights_to_keras", "solution": true}
def weights_to_keras(layer, W_xh, W_hh, b_h):
    """Put the weights into the layer, in place of those it has."""
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
# ## The same to the last digit?
#
# Here is lesson 01's network and a Keras layer with the same weights, on the same input. `.numpy()` makes an array of Keras' answer.
#
# **Predict.** By how much do they differ when both count in float64 (16 digits)? In float32, which is what Keras uses unless told otherwise?


# %% tags=["demonstration"]
def rnn_forward(xs, h_0, W_xh, W_hh, b_h):
    h, hs = h_0, []
    for t in range(xs.shape[1]):
        h = np.tanh(xs[:, t] @ W_xh + h @ W_hh + b_h)
        hs.append(h)
    return np.stack(hs, axis=1)


rng = np.random.default_rng(0)
xs, h_0 = rng.normal(size=(4, 20, 3)), np.zeros((4, 5))
cell = 0.5 * rng.normal(size=(3, 5)), 0.5 * rng.normal(size=(5, 5)), 0.5 * rng.normal(size=5)
for dtype in ("float64", "float32"):
    layer = keras.layers.SimpleRNN(5, return_sequences=True, dtype=dtype)
    weights_to_keras(layer, *cell)
    theirs = layer(xs.astype(dtype)).numpy()
    ours = rnn_forward(*(array.astype(dtype) for array in (xs, h_0, *cell)))
    print(f"{dtype}: largest difference {np.abs(ours - theirs).max():.0e}")

# %% [markdown]
# Nothing but rounding. There is no magic in the box: it is your loop.
#
# ## And back again
#
# A layer has switches. These change what comes out:
#
# | setting | what Keras does |
# |---|---|
# | `activation` | `layer.get_config()["activation"]` is its name: `"tanh"`, `"relu"` (`np.maximum(a, 0)`), `"sigmoid"` (lesson 03) |
# | `return_sequences` | `True`: all states (batch, steps, units); `False`: only the last (batch, units) |
# | `return_state` | `True`: a pair, what comes out and the last state |
# | `go_backwards` | `True`: reads from the last step to the first; the states come in the order in which they were *read* |
#
# And with the call: `mask` (batch, steps), in the order of `xs`, where `False` means that the state is carried on; and `initial_state` (batch,
# units). (A quirk: before the first real step that it reads, Keras shows zeros, even with an `initial_state`. No check asks for that.)

# %% tags=["demonstration"]
layer = keras.layers.SimpleRNN(4, activation="relu", return_sequences=True)
print(
    layer.get_config()["activation"], layer.return_sequences, layer.return_state, layer.go_backwards
)

# %% [markdown]
# ### Half the work: in which order?
#
# Which steps does a layer read, one after the other? (No points.)


# %% nbgrader={"grade_id": "reading_order", "solution": true}
def reading_order(layer, steps):
    order = list(range(steps))
    # if ...: order = ...
    ### BEGIN SOLUTION
    if layer.go_backwards:
        order = order[::-1]
    ### END SOLUTION
    return order


# %% tags=["demonstration"]
print("expected: [3, 2, 1, 0]")
print("yours:   ", reading_order(keras.layers.SimpleRNN(2, go_backwards=True), 4))

# %% [markdown] nbgrader={"grade_id": "numpy_from_keras_task", "locked": true}
# ### Your turn: `numpy_from_keras` (5 points)
#
# Compute in NumPy what `layer(xs, mask=mask, initial_state=initial_state)` returns. You may ask the layer for its weights and its settings, but
# do not call it or another Keras layer, and use no `rnn_helpers.cells`.
#
# | argument | | shape |
# |---|---|---|
# | `layer` | a built `SimpleRNN` with any of the switches above | |
# | `xs` | inputs | (batch, steps, features) |
# | `mask` | `None`, or `True` where a step is real; it may have gaps | (batch, steps) |
# | `initial_state` | `None` (zeros), or the state before the first step *read* | (batch, units) |
#
# `return_state` makes the result a pair; the other switches decide its shapes. Your `reading_order` may help.


# %% nbgrader={"grade_id": "numpy_from_keras", "solution": true}
def numpy_from_keras(layer, xs, mask=None, initial_state=None):
    """Return what layer(xs, mask=mask, initial_state=initial_state) returns, computed in NumPy."""
    ### BEGIN SOLUTION
    W_xh, W_hh, b_h = layer.get_weights()
    activation = {
        "tanh": np.tanh,
        "relu": lambda a: np.maximum(a, 0),
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    }[layer.get_config()["activation"]]
    h = np.zeros((len(xs), len(W_hh)), dtype=xs.dtype) if initial_state is None else initial_state
    hs = []
    for t in reading_order(layer, xs.shape[1]):
        h_new = activation(xs[:, t] @ W_xh + h @ W_hh + b_h)
        h = h_new if mask is None else np.where(mask[:, t : t + 1], h_new, h)
        hs.append(h)
    out = np.stack(hs, axis=1) if layer.return_sequences else h
    return (out, h) if layer.return_state else out
    ### END SOLUTION


# %% nbgrader={"grade_id": "numpy_from_keras_test", "grade": true, "locked": true, "points": 5}
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
    ("backwards", {"go_backwards": True, "return_sequences": True}, {}),
    ("mask", {"return_sequences": True}, {"mask": mask}),
    ("backwards, mask", {"go_backwards": True, "return_sequences": True}, {"mask": mask}),
    ("initial state", {}, {"initial_state": rng.normal(size=(4, 5))}),
]
print("largest difference     float64   float32")
for name, options, call in settings:
    differences = []
    for dtype in ("float64", "float32"):
        layer = keras.layers.SimpleRNN(5, dtype=dtype, **options)
        weights_to_keras(layer, *cell)
        inputs = {key: a if key == "mask" else a.astype(dtype) for key, a in call.items()}
        theirs = layer(xs.astype(dtype), **inputs).numpy()
        differences.append(
            np.abs(numpy_from_keras(layer, xs.astype(dtype), **inputs) - theirs).max()
        )
    print(f"{name:<22} {differences[0]:.0e}     {differences[1]:.0e}")

# %% [markdown]
# ## Three ways to write a model
#
# A model is layers plus what training needs. Here is one that tells ten kinds of sequences apart: 20 steps of 100 features come in, 50 ReLU
# units read them, ten probabilities come out. `Dense(10)` is the readout of lesson 01, and its `activation` is what the logits go through. **Sequential** is a
# list of layers, one feeding the next.
#
# **Predict.** On paper: how many parameters has it, and how many of them are in `recurrent_kernel`?

# %% tags=["demonstration"]
sequential = keras.Sequential(
    [
        keras.Input(shape=(20, 100)),  # steps and features; the batch is left out
        keras.layers.SimpleRNN(50, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
for variable in sequential.weights:
    print(f"{variable.name:<17}{str(variable.shape):<12}{np.prod(variable.shape):>5}")
print("together:", sequential.count_params())

# %% [markdown]
# (You may meet `input_shape=` inside a layer in older texts. Today's Keras warns about it; `keras.Input` says the same.)
#
# **Functional** names what flows, so that it can also branch and join:

# %% tags=["demonstration"]
xs_in = keras.Input(shape=(20, 100))
h = keras.layers.SimpleRNN(50, activation="relu")(xs_in)
chances = keras.layers.Dense(10, activation="softmax")(h)
functional = keras.Model(inputs=xs_in, outputs=chances)

functional.set_weights(sequential.get_weights())
some = rng.normal(size=(2, 20, 100)).astype("float32")
print("the same network:", np.allclose(functional(some).numpy(), sequential(some).numpy()))

# %% [markdown]
# The third way, a class of your own, comes later in this lesson. First a complete model, and three words that Keras uses for training:
#
# - `compile` says *how* to learn: the optimizer, the loss, and the **metrics**, numbers to watch. `"accuracy"` is the share of right answers.
# - `fit` learns: it shows the data in batches, and one look at all of them is one **epoch**.
# - `evaluate` only looks: it gives the loss and the metrics.

# %% [markdown] nbgrader={"grade_id": "build_binary_classifier_task", "locked": true}
# ### Your turn: `build_binary_classifier` (4 points)
#
# A yes-or-no question about a sequence. Return a new, compiled model:
#
# - **in**: 10 steps of 1 feature;
# - **inside**: one `SimpleRNN` with 32 units and its default settings;
# - **out**: one unit with a sigmoid, the probability of "yes", computed from the last state;
# - **compiled** with Adam, binary cross-entropy, and the metric `"accuracy"`.
#
# `model.compile(optimizer=..., loss=..., metrics=[...])` takes names in quotes, here `"adam"` and
# `"binary_crossentropy"`. Sequential or functional, as you like: the check looks at
# what the model computes, not at how you wrote it.


# %% nbgrader={"grade_id": "build_binary_classifier", "solution": true}
def build_binary_classifier():
    """Return a compiled model that makes one probability of 10 steps of 1 feature."""
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


# %% nbgrader={"grade_id": "build_binary_classifier_test", "grade": true, "locked": true, "points": 4}
check(build_binary_classifier)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(build_binary_classifier)
### END HIDDEN TESTS

# %% [markdown]
# ### Clip what?
#
# Lesson 05 clipped all gradients together and kept their direction. In Keras that is `global_clipnorm`. The more famous `clipnorm` clips each
# variable by itself, and so turns the direction.
#
# **Predict.** Two variables have gradients of 3 and 4 (together 5). The limit is 1. How long are both after `global_clipnorm`? After `clipnorm`?

# %% tags=["demonstration"]
for option in ("global_clipnorm", "clipnorm"):
    a, b = keras.Variable([0.0]), keras.Variable([0.0])
    optimizer = keras.optimizers.SGD(learning_rate=1.0, **{option: 1.0})
    optimizer.apply([keras.ops.array([3.0]), keras.ops.array([4.0])], [a, b])
    print(f"{option:<16} steps of {-float(a[0]):.2f} and {-float(b[0]):.2f}")

# %% [markdown]
# 0.6 to 0.8 is still 3 to 4: shorter, same direction. 1 to 1 is another direction.
#
# ## Nothing to find: labels thrown like coins
#
# Tutorials like to show a first model on random numbers with random labels, to see that the code runs. It runs. What does it learn?
#
# **Predict.** 1000 random sequences, each with a label that a coin decided. Ten epochs, batches of 32. How often is the model right on these
# 1000, and how often on 500 fresh ones?

# %% tags=["demonstration"]
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
noise, coins = rng.random((1500, 10, 1)).astype("float32"), rng.integers(0, 2, size=1500)
model = build_binary_classifier()
history = model.fit(
    noise[:1000],
    coins[:1000],
    validation_data=(noise[1000:], coins[1000:]),  # looked at after each epoch, never learnt from
    epochs=10,
    batch_size=32,
    verbose=0,
)
print({name: round(values[-1], 2) for name, values in history.history.items()})

# %% [markdown]
# A little above one half on what it was given (it begins to memorise), one half on what is fresh: there is no rule, and it has found none. But
# watch what happens when we give it only 100 of the sequences, show them 400 times, and take larger steps.

# %% tags=["demonstration"]
model = build_binary_classifier()
model.optimizer.learning_rate = 0.01
history = model.fit(
    np.tile(noise[:100], (20, 1, 1)),  # one "epoch" is 20 looks at the same 100 sequences
    np.tile(coins[:100], 20),
    validation_data=(noise[1000:], coins[1000:]),
    epochs=20,
    batch_size=100,
    verbose=0,
).history
looks = 20 * np.arange(1, 21)
metric = next(name for name in history if "loss" not in name)  # "accuracy", or what you call it
ax = plots.curves(
    looks,
    {"given": np.array(history[metric]), "fresh": np.array(history[f"val_{metric}"])},
    title="Coins can be memorised, not learnt",
    xlabel="looks at the same 100 sequences",
    ylabel="share that is right",
    ylim=(0.3, 1.05),
)
plots.show(
    ax,
    f"Share right: given rises to {history[metric][-1]:.2f}, fresh stays at {history[f'val_{metric}'][-1]:.2f}.",
)
print(f"loss on fresh sequences: {history['val_loss'][-1]:.2f}; a coin's: {np.log(2):.2f}")

# %% [markdown]
# Perfect on what it was given, a coin on everything else, and far *worse* than a coin in its loss: it is wrong with great confidence. A training
# curve alone proves nothing. Always keep something fresh.

# %% [markdown] nbgrader={"grade_id": "train_classifier_task", "locked": true}
# ### Your turn: `train_classifier` (2 points)
#
# Now a rule that *can* be learnt. Build your classifier, train it on **all** of the given sequences for 10 epochs in batches of 32, and return the model.
#
# | argument | | shape |
# |---|---|---|
# | `xs` | sequences | (sequences, 10, 1) |
# | `labels` | 0 or 1 | (sequences,) |
#
# The check makes up a rule (do the first few steps add up to more than the last few?), has your function train on 480 sequences, and tries
# the model on 500 that it has not seen: it should be right on 80 % of both. This takes a few seconds. Pass `verbose=0` to keep the output short.


# %% nbgrader={"grade_id": "train_classifier", "solution": true}
def train_classifier(xs, labels):
    """Return a binary classifier, trained for 10 epochs in batches of 32."""
    ### BEGIN SOLUTION
    model = build_binary_classifier()
    model.fit(xs, labels, epochs=10, batch_size=32, verbose=0)
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_classifier_test", "grade": true, "locked": true, "points": 2}
check(train_classifier)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(train_classifier)
### END HIDDEN TESTS

# %% tags=["demonstration"]
rule = (noise[:, :5].sum(axis=(1, 2)) > noise[:, 5:].sum(axis=(1, 2))).astype(int)
model = train_classifier(noise[:1000], rule[:1000])
said_yes = model(noise).numpy()[:, 0] > 0.5
right = said_yes == rule
print(
    f"the same sequences, a rule for labels: given {right[:1000].mean():.2f}, fresh {right[1000:].mean():.2f}"
)

# %% [markdown]
# The same sequences, the same model, the same ten epochs. Only the labels have a reason now, and fresh sequences are nearly as
# good as the old ones. *That* is what learning looks like.

# %% [markdown]
# ## A class that survives being saved
#
# Training costs hours; models are saved. This is how an often copied tutorial writes its network. **Predict.** What happens when it is loaded
# again?


# %% tags=["demonstration"]
class Copied(keras.Sequential):
    def __init__(self):
        super().__init__()
        self.add(keras.Input(shape=(20, 100)))
        self.add(keras.layers.SimpleRNN(50, activation="relu"))
        self.add(keras.layers.Dense(10, activation="softmax"))


import tempfile

folder = tempfile.TemporaryDirectory()
Copied().save(f"{folder.name}/copied.keras")
try:
    keras.models.load_model(f"{folder.name}/copied.keras", custom_objects={"Copied": Copied})
except Exception as error:
    print(type(error).__name__, "-", str(error).splitlines()[-1])

# %% [markdown]
# Saving works, and *loading* fails: the worst moment to hear of it. To load, Keras asks the class for a new object, with the arguments that
# `get_config` noted down when it was saved, and then fills in the weights. This class cannot take them. The cure:
#
# 1. inherit from `keras.Model`, make the layers in `__init__`, use them in `call`;
# 2. take the sizes as arguments, keep them (`self.units = units`), and pass the rest (`**kwargs`: a name, for example) on to `super().__init__`;
# 3. return those sizes from `get_config`, together with what the parent's `super().get_config()` returns. Two dicts become one like
#    this: `{**{"a": 1}, "b": 2}` is `{"a": 1, "b": 2}`.

# %% [markdown] nbgrader={"grade_id": "RecurrentNetwork_task", "locked": true}
# ### Your turn: `RecurrentNetwork` (4 points)
#
# The network from above as a class: `RecurrentNetwork(units=50, classes=10)` reads (batch, 20, 100) with one `SimpleRNN` of `units` ReLU units
# and maps its last state to (batch, classes) probabilities, with a softmax. It survives `save` and `load_model`, whatever its sizes, and a training
# step lowers its loss.


# %% nbgrader={"grade_id": "RecurrentNetwork", "solution": true}
class RecurrentNetwork(keras.Model):
    def __init__(self, units=50, classes=10, **kwargs):
        """Make the layers and keep the sizes."""
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
        """Return what __init__ takes, as a dict."""
        ### BEGIN SOLUTION
        return {**super().get_config(), "units": self.units, "classes": self.classes}
        ### END SOLUTION


# %% nbgrader={"grade_id": "RecurrentNetwork_test", "grade": true, "locked": true, "points": 4}
check(RecurrentNetwork)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(RecurrentNetwork)
### END HIDDEN TESTS

# %% [markdown]
# Let it work. Ten instruments, each with a spectrum of 100 frequencies. In 20 steps of noise one of them plays, for six steps, somewhere.
# Which one was it? Guessing gives 0.1.

# %% tags=["demonstration"]
keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
spectra = rng.normal(size=(10, 100))


def recordings(count):
    which, start = rng.integers(0, 10, size=count), rng.integers(0, 15, size=count)
    playing = (np.arange(20) >= start[:, None]) & (np.arange(20) < start[:, None] + 6)
    sound = rng.normal(size=(count, 20, 100)) + playing[..., None] * spectra[which][:, None]
    return sound.astype("float32"), which


(sounds, which), (fresh_sounds, fresh_which) = recordings(1500), recordings(500)
network = RecurrentNetwork()
network.compile(
    optimizer=keras.optimizers.Adam(global_clipnorm=1.0),
    loss="sparse_categorical_crossentropy",  # labels are the numbers 0 to 9
    metrics=["accuracy"],
)
network.fit(sounds, which, epochs=8, batch_size=32, verbose=0)
print(f"right on fresh recordings: {network.evaluate(fresh_sounds, fresh_which, verbose=0)[1]:.2f}")

# %% tags=["demonstration"]
network.save(f"{folder.name}/network.keras")
copy = keras.models.load_model(
    f"{folder.name}/network.keras", custom_objects={"RecurrentNetwork": RecurrentNetwork}
)
again = copy(fresh_sounds).numpy()
print(
    "the loaded copy says the same:", np.allclose(again, network(fresh_sounds).numpy(), atol=1e-6)
)

# %% [markdown]
# ## Reading in pieces: a stateful layer
#
# A layer forgets everything between two calls. With `stateful=True` it does not: sequence 3 of this call goes on where sequence 3 of the call
# before ended. (So the number of sequences must stay the same, and the layer is told so when it is built.) That is how a long
# text is read in pieces, as lesson 07 cut it. One thing is yours to remember: **when a new text begins, `layer.reset_state()`**.
#
# **Predict.** Below, the same three steps are read three times. When does the answer repeat itself?

# %% tags=["demonstration"]
reader = keras.layers.SimpleRNN(1, stateful=True)
reader.build((1, None, 1))  # one sequence at a time
reader.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.zeros(1)])
piece = np.full((1, 3, 1), 0.1, dtype="float32")
print(f"first call   {reader(piece).numpy().item():.4f}")
print(f"second call  {reader(piece).numpy().item():.4f}")
reader.reset_state()
print(f"after reset  {reader(piece).numpy().item():.4f}")

# %% [markdown] nbgrader={"grade_id": "stateful_run_task", "locked": true}
# ### Your turn: `stateful_run` (2 points)
#
# Read one long input that comes in pieces, as if it were in one piece.
#
# | argument | | shape |
# |---|---|---|
# | `layer` | a built `SimpleRNN` with `stateful=True` and `return_sequences=True`; it may have read something else before | |
# | `chunks` | the pieces, in order; their lengths may differ | each (batch, steps, features) |
#
# Return all states as one array, (batch, all steps together, units).


# %% nbgrader={"grade_id": "stateful_run", "solution": true}
def stateful_run(layer, chunks):
    """Return the states of all chunks, read one after the other as one text."""
    ### BEGIN SOLUTION
    layer.reset_state()
    return np.concatenate([layer(chunk).numpy() for chunk in chunks], axis=1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "stateful_run_test", "grade": true, "locked": true, "points": 2}
check(stateful_run)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(stateful_run)
### END HIDDEN TESTS

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - `kernel`, `recurrent_kernel`, `bias` are `W_xh`, `W_hh`, `b_h`; Keras' SimpleRNN is your loop, up to rounding.
# - A network can memorise coins: only what it does with fresh data counts, and a baseline beside it.
# - A class survives saving when `get_config` returns what `__init__` takes; a stateful layer is reset when a new text begins.
#
# *Next: 09 · Time series.*
