# %% [markdown]
# # 09 · Time series: baselines first
#
# **After this lesson you can** turn a series into windows, split and scale it without letting the future leak into the past, forecast with and
# without a network, and say honestly which was better.
#
# **Time** about 80 minutes. **You need** lesson 08.

# %%
try:
    from rnn_helpers import check, hint, progress
    from rnn_helpers.quietly import keras
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv"
    ) from None

import numpy as np

from rnn_helpers import data, plots

# %% [markdown]
# ## 235 years of sunspots
#
# There are monthly numbers of the dark spots on the sun back to 1749: each spot counts one, each group of spots ten more. The number
# rises and falls in a cycle of about eleven years; why some cycles are strong and some weak, nobody can say well in advance. (When there are many, power grids and
# satellites have bad days. People do want this forecast.)
#
# We average six months at a time. That keeps the cycle, calms the noise, and makes training quick.

# %% tags=["demonstration"]
months, monthly = data.sunspots()
sunspots = monthly.reshape(-1, 6).mean(axis=1)  # half-years
years = 1749.25 + np.arange(len(sunspots)) / 2
ax = plots.new_axes(width=9.0)
ax.plot(years, sunspots, linewidth=1.2)
ax.set(title="About every eleven years the sun has spots", xlabel="year", ylabel="sunspot number")
plots.show(
    ax,
    f"{len(sunspots)} half-years of sunspot numbers, between {sunspots.min():.0f} and {sunspots.max():.0f}, in waves of about 11 years.",
)

# %% [markdown]
# ## The error, in sunspots
#
# Before we forecast anything we agree on how to measure it. The **mean absolute error** has the unit of the series: "off by 15 sunspots" is
# something that one can picture.

# %% [markdown] nbgrader={"grade_id": "mean_absolute_error_task", "locked": true}
# ### Your turn: `mean_absolute_error` (2 points)
#
# | argument | | shape |
# |---|---|---|
# | `targets` | the actual values | (n,) |
# | `forecasts` | the forecasts | (n,), or (n, 1) as Keras returns them |
#
# Return the mean absolute error, one number. Note the two shapes.


# %% nbgrader={"grade_id": "mean_absolute_error", "solution": true}
def mean_absolute_error(targets, forecasts):
    """Return the mean of |target - forecast|."""
    ### BEGIN SOLUTION
    return np.mean(np.abs(np.ravel(targets) - np.ravel(forecasts)))
    ### END SOLUTION


# %% nbgrader={"grade_id": "mean_absolute_error_test", "grade": true, "locked": true, "points": 2}
check(mean_absolute_error)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(mean_absolute_error)
### END HIDDEN TESTS

# %% [markdown]
# ## Two forecasts that cost nothing
#
# - **Persistence**: tomorrow is like today.
# - **Seasonal naive**: it will be as it was one season ago. Our season has 22 half-years.
#
# Whoever cannot beat both has learnt nothing that is worth an electricity bill. So we build them first.

# %% [markdown] nbgrader={"grade_id": "seasonal_naive_task", "locked": true}
# ### Your turn: `seasonal_naive` (3 points)
#
# | argument | |
# |---|---|
# | `series` | (n,), everything known so far |
# | `period` | steps in a season |
# | `horizon` | how many steps to forecast; may be more than a season |
#
# Return the forecasts, (horizon,): the last season again, from its first step on, as often as needed. With a period of 1 this *is* persistence.


# %% nbgrader={"grade_id": "seasonal_naive", "solution": true}
def seasonal_naive(series, period, horizon):
    """Return the last season, repeated, as forecasts for the next `horizon` steps."""
    ### BEGIN SOLUTION
    return series[-period:][np.arange(horizon) % period]
    ### END SOLUTION


# %% nbgrader={"grade_id": "seasonal_naive_test", "grade": true, "locked": true, "points": 3}
check(seasonal_naive)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(seasonal_naive)
### END HIDDEN TESTS

# %% tags=["demonstration"]
known, later = sunspots[years < 1934], sunspots[years >= 1934]
horizon = 30
forecasts = {
    "what came": later[:horizon],
    "seasonal naive": seasonal_naive(known, 22, horizon),
    "persistence": seasonal_naive(known, 1, horizon),
}
ax = plots.curves(
    years[years >= 1934][:horizon],
    forecasts,
    title="Standing at the end of 1933, looking ahead",
    xlabel="year",
    ylabel="sunspot number",
)
plots.show(
    ax,
    "What came after 1934, a wave and the rise of the next; the seasonal naive forecast, a lower wave that comes later; persistence, a flat line.",
)

# %% [markdown]
# The wave is there, but its height is wrong and its time not quite right: no two cycles are equally strong, or equally long.
#
# ## From a series to windows
#
# A network, and linear regression too, wants examples: *this came in, that was right*. A window slides over the series, and what comes
# `horizon` steps after its end is its target:
#
# | window (length 3) | target, horizon 1 | target, horizon 2 |
# |---|---|---|
# | s0 s1 s2 | s3 | s4 |
# | s1 s2 s3 | s4 | s5 |
# | s2 s3 s4 | s5 | |

# %% [markdown] nbgrader={"grade_id": "make_windows_task", "locked": true}
# ### Your turn: `make_windows` (4 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `series` | (n,) | `xs`, all windows, oldest value first | (windows, length, 1) |
# | `length` | steps in a window | `ys`, their targets | (windows,) |
# | `horizon` | steps from a window's last value to its target, at least 1 | | |
#
# Every window that has a target, each beginning one step after the one before. Return `xs, ys`.


# %% nbgrader={"grade_id": "make_windows", "solution": true}
def make_windows(series, length, horizon=1):
    """Return (xs, ys): windows, shape (windows, length, 1), and the values `horizon` steps after them."""
    ### BEGIN SOLUTION
    starts = range(len(series) - length - horizon + 1)
    xs = np.array([series[i : i + length] for i in starts])[..., None]
    ys = np.array([series[i + length + horizon - 1] for i in starts])
    return xs, ys
    ### END SOLUTION


# %% nbgrader={"grade_id": "make_windows_test", "grade": true, "locked": true, "points": 4}
check(make_windows)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(make_windows)
### END HIDDEN TESTS

# %% [markdown]
# ## A split that respects the calendar
#
# The test must be *later* than the training. A random split would hand the network the half-year before and the half-year after each test value:
# that is filling gaps, not forecasting.
#
# Networks like numbers near zero, so we scale. **Predict.** We could subtract the mean of the whole series, all 235 years. What would
# that tell the training part that nobody could know at the time? (That the cycles to come are higher: a mean of 51, where so far it is 45.)
#
# Something from the future that gets into what a model may see is called a **leak**. (It has nothing to do with the leaky memories of lessons 00
# and 05.)

# %% [markdown] nbgrader={"grade_id": "split_and_scale_task", "locked": true}
# ### Your turn: `split_and_scale` (4 points)
#
# Cut off the last `test_steps` values as the test part. Scale both parts with the mean and the standard deviation (`np.std`) of the **training
# part alone**: subtract the one, divide by the other.
#
# Return a **dict** with `"train"` and `"test"`, scaled, and the numbers `"mean"` and `"std"`, to find the way back.


# %% nbgrader={"grade_id": "split_and_scale", "solution": true}
def split_and_scale(series, test_steps):
    """Return {"train", "test", "mean", "std"}: both parts scaled with the training part's mean and std."""
    ### BEGIN SOLUTION
    train, test = series[:-test_steps], series[-test_steps:]
    mean, std = train.mean(), train.std()
    return {"train": (train - mean) / std, "test": (test - mean) / std, "mean": mean, "std": std}
    ### END SOLUTION


# %% nbgrader={"grade_id": "split_and_scale_test", "grade": true, "locked": true, "points": 4}
check(split_and_scale)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(split_and_scale)
### END HIDDEN TESTS

# %% [markdown]
# ### Half the work: three parts
#
# We need three: one to learn from, one to *validate* with (when to stop, how large a network), and one that is opened once, at the very end. Windows
# may begin in the part before: by then, those values are known. (No points.)


# %% nbgrader={"grade_id": "three_parts", "solution": true}
def three_parts(scaled, length, horizon, valid_from, test_from):
    train = make_windows(scaled[:valid_from], length, horizon)
    valid = make_windows(scaled[valid_from - length - horizon + 1 : test_from], length, horizon)
    # test = make_windows(...)   its first target is scaled[test_from]
    ### BEGIN SOLUTION
    test = make_windows(scaled[test_from - length - horizon + 1 :], length, horizon)
    ### END SOLUTION
    return train, valid, test


# %% tags=["demonstration"]
part, length = 70, 22  # 70 half-years are 35 years; a window holds one cycle
test_from, valid_from = len(sunspots) - part, len(sunspots) - 2 * part  # from 1949, from 1914
parts = split_and_scale(sunspots, 2 * part)  # neither of the two may tell us its mean
scaled, mean, std = np.concatenate([parts["train"], parts["test"]]), parts["mean"], parts["std"]
for horizon in (1, 10):
    sets = three_parts(scaled, length, horizon, valid_from, test_from)
    print(f"horizon {horizon:>2}, windows:", *(len(xs) for xs, _ in sets), " first test target:", sets[2][1][0].round(3))
print("expected: 308 70 70, then 299 70 70, and both times the target", scaled[test_from].round(3))

# %% [markdown]
# From here on we look at the validation part only. The test part stays closed.
#
# ## A stronger baseline: linear autoregression
#
# A regression of the series on its own past: the next value as a weighted sum of the last 22, plus a constant. **Least squares** finds the 23 numbers that
# make the squared errors smallest, in a millisecond. It has been done since 1927, and for sunspots in fact. (Yule, *On a method of investigating
# periodicities in disturbed series*.)


# %% tags=["demonstration"]
def fit_autoregression(xs, ys):
    """Return a function that forecasts from windows (n, length, 1) with weights found by least squares."""
    with_one = lambda windows: np.column_stack([windows[..., 0], np.ones(len(windows))])
    weights = np.linalg.lstsq(with_one(xs), ys, rcond=None)[0]
    return lambda windows: with_one(windows) @ weights


train, valid, test = three_parts(scaled, length, 1, valid_from, test_from)
linear = fit_autoregression(*train)
season_before = scaled[valid_from - 22 : test_from - 22]
for name, forecast in (
    ("persistence", valid[0][:, -1, 0]),
    ("seasonal naive", season_before),
    ("linear autoregression", linear(valid[0])),
):
    print(f"{name:<22} off by {std * mean_absolute_error(valid[1], forecast):.1f} sunspots, 1914 to 1948")

# %% [markdown]
# That is the mark to beat. **Predict.** A recurrent network with 32 units has 1121 parameters, the autoregression 23. By how much
# will the network be better: not at all, a little, by half?

# %% [markdown] nbgrader={"grade_id": "train_forecaster_task", "locked": true}
# ### Your turn: `train_forecaster` (4 points)
#
# Build and train a Keras model that reads windows and forecasts one number each; return the model.
#
# | argument | | shape |
# |---|---|---|
# | `xs`, `ys` | windows and targets to learn from, scaled | (n, length, 1), (n,) |
# | `xs_valid`, `ys_valid` | to watch the training with, if you like; never to learn from | the same |
#
# A good start: `keras.Input((None, 1))` for windows of any length, `SimpleRNN(32)`, one output **without** activation; squared error (`"mse"`), Adam with
# a rate of 0.003 and `global_clipnorm=1.0`; 15 epochs in batches of 32, `verbose=0`.
#
# The check makes up a series, calls your function and tries later windows: the error must be at most 0.9 times that of persistence. Then it
# calls your function once more, with validation targets of the opposite sign, and the forecasts must not follow them. Together this takes about ten
# seconds. Any Keras model will do, trained in any way.


# %% nbgrader={"grade_id": "train_forecaster", "solution": true}
def train_forecaster(xs, ys, xs_valid, ys_valid):
    """Return a Keras model, trained on xs and ys, that makes (n, 1) of (n, length, 1)."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [keras.Input((None, 1)), keras.layers.SimpleRNN(32), keras.layers.Dense(1)]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss="mse")
    model.fit(xs, ys, epochs=15, batch_size=32, verbose=0)
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_forecaster_test", "grade": true, "locked": true, "points": 4}
check(train_forecaster)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(train_forecaster)
### END HIDDEN TESTS

# %% [markdown]
# One network is an anecdote: another random start, another result. So we train five, which takes ten seconds or so.

# %% tags=["demonstration"]
networks = []
for seed in range(5):
    keras.utils.set_random_seed(seed)
    networks.append(train_forecaster(*train, *valid))
errors = [std * mean_absolute_error(valid[1], network(valid[0]).numpy()) for network in networks]
print("five networks are off by", ", ".join(f"{error:.1f}" for error in errors))
print(f"linear autoregression by  {std * mean_absolute_error(valid[1], linear(valid[0])):.1f}")

# %% [markdown]
# A little better: by about one sunspot in ten. **If you had not fitted the line first, you would be proud of beating persistence by a quarter.** And is one sunspot
# more than luck? These are 70 half-years of one star. We will know more when the test part is opened.

# %% [markdown]
# ## Further ahead
#
# There are two ways to look ten half-years ahead: train for that horizon at once, or forecast one step, believe it, and go on from there.

# %% [markdown] nbgrader={"grade_id": "forecast_ahead_task", "locked": true}
# ### Your turn: `forecast_ahead` (3 points)
#
# | argument | | |
# |---|---|---|
# | `predict` | a function: window (length,) → the next value, one number | |
# | `window` | the last known values, newest last; leave it as it is | (length,) |
# | `steps` | how far to go | |
#
# Forecast one step, put the forecast at the end of the window, drop the oldest value, and so on. Return all forecasts, (steps,).


# %% nbgrader={"grade_id": "forecast_ahead", "solution": true}
def forecast_ahead(predict, window, steps):
    """Return `steps` forecasts, each made from a window that holds the ones before it."""
    ### BEGIN SOLUTION
    forecasts = []
    for _ in range(steps):
        forecasts.append(predict(window))
        window = np.append(window[1:], forecasts[-1])
    return np.array(forecasts)
    ### END SOLUTION


# %% nbgrader={"grade_id": "forecast_ahead_test", "grade": true, "locked": true, "points": 3}
check(forecast_ahead)
### BEGIN HIDDEN TESTS
from autograde_tests import grade

grade(forecast_ahead)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Five networks, one starting point in 1934, eleven years by their own forecasts. Will the five stay together? Where will they part?

# %% tags=["demonstration"]
start = int(np.argmax(years >= 1934))
window = scaled[start - length : start]
fan = [
    mean + std * forecast_ahead(lambda w: network(w[None, :, None]).numpy().item(), window, 22)
    for network in networks
]
line = mean + std * forecast_ahead(lambda w: linear(w[None, :, None])[0], window, 22)

seen = slice(start - 22, start + 22)
ax = plots.new_axes(width=8.0, height=3.4)
ax.plot(years[seen], sunspots[seen], color="black", linewidth=1.6, label="what came")
for number, path in enumerate(fan):
    label = "five networks" if number == 0 else None
    ax.plot(years[start : start + 22], path, color=plots.COLOURS[1], linewidth=1, label=label)
ax.plot(years[start : start + 22], line, "--", color=plots.COLOURS[0], label="linear autoregression")
ax.axvline(years[start] - 0.25, color="0.6", linewidth=1)
ax.legend(frameon=False, loc="upper left")
ax.set(title="Five networks agree on when, less on how high", xlabel="year", ylabel="sunspot number")
spread = np.std(fan, axis=0)
plots.show(
    ax,
    "What came (black), five networks and the line from 1934 on: all rise and fall with the cycle. "
    f"The networks spread by {spread[0]:.0f} sunspots at first, by up to {spread.max():.0f} near the maximum.",
)

# %% [markdown]
# That is a **forecast fan**. They part on the way up and meet again in the minimum: where all cycles are low, agreeing is easy. And the width is *not* the whole
# uncertainty, it is only what the random start contributes. Five networks can agree and be wrong together.
#
# ## The test part is opened, once
#
# **Predict.** Half a year and five years (ten steps) ahead, on 1949 to 1983: will the order of the four be the same as before?

# %% tags=["demonstration"]
near, far = ({}, {})
for horizon, table in ((1, near), (10, far)):
    learn, check_on, final = three_parts(scaled, length, horizon, valid_from, test_from)
    if horizon == 1:
        trained = networks
    else:  # networks that are trained for this horizon at once
        trained = []
        for seed in range(3):
            keras.utils.set_random_seed(seed)
            trained.append(train_forecaster(*learn, *check_on))
    fitted = fit_autoregression(*learn)
    for name, (xs, ys), first in (("valid", check_on, valid_from), ("test", final, test_from)):
        season = scaled[first - 22 : first - 22 + len(ys)]  # also ten steps ahead it looks back one whole season
        forecasts = {
            "persistence": [xs[:, -1, 0]],
            "seasonal naive": [season],
            "linear autoregression": [fitted(xs)],
            "networks (mean error)": [network(xs).numpy() for network in trained],
        }
        for method, several in forecasts.items():
            table[method, name] = std * np.mean([mean_absolute_error(ys, one) for one in several])

print("off by (sunspots)        half a year ahead    five years ahead")
print("                         1914-48   1949-83    1914-48   1949-83")
for method in ("persistence", "seasonal naive", "linear autoregression", "networks (mean error)"):
    numbers = [table[method, name] for table in (near, far) for name in ("valid", "test")]
    print(f"{method:<24}{numbers[0]:>8.1f}{numbers[1]:>10.1f}{numbers[2]:>11.1f}{numbers[3]:>10.1f}")

# %% [markdown]
# Read it twice. All four are worse on the later years, whose cycles are on average higher than those that anybody learnt from. Half a year ahead the networks keep a
# small lead. Five years ahead they were first on the part that we chose by, and are behind **the seasonal naive forecast, which costs nothing**, on the part that we had not
# looked at; the line only ties with it.
#
# So: which is best depends on the horizon and on the years, the network is nowhere far ahead, and what 35 years promised the next 35 did not keep. That is why the
# last part stays closed until everything is decided.

# %% [markdown]
# ## An honest null: what nobody can forecast
#
# A **random walk** adds a new random number at every step, as likely up as down; share prices come close to it. The best forecast, provably, is the last
# value.
#
# **Predict.** Persistence, the line and the network on a random walk: who wins, and who loses by how much?

# %% tags=["demonstration"]
rng = np.random.default_rng(1)
walk = np.cumsum(rng.normal(size=1000))
walk_parts = split_and_scale(walk, 450)
walk_scaled = np.concatenate([walk_parts["train"], walk_parts["test"]])
walk_train, walk_valid, walk_test = three_parts(walk_scaled, length, 1, 550, 700)
keras.utils.set_random_seed(0)
walk_network = train_forecaster(*walk_train, *walk_valid)
for name, forecast in (
    ("persistence", walk_test[0][:, -1, 0]),
    ("linear autoregression", fit_autoregression(*walk_train)(walk_test[0])),
    ("network", walk_network(walk_test[0]).numpy()),
):
    print(
        f"{name:<22} off by {walk_parts['std'] * mean_absolute_error(walk_test[1], forecast):.2f}"
    )

# %% [markdown]
# Nobody beats "as today". The network is even far off: the walk has wandered to depths that it never saw in training, and tanh units, which end at ±1,
# cannot follow. A network that "predicts the market" on a plot usually draws yesterday's price, one step late.

# %% [markdown]
# ## Too good to be true
#
# A colleague is more successful. On the *same random walk* he reports an error 40 % below persistence's. "I only removed some noise from the inputs", he says.
# His code:

# %% tags=["demonstration"]
values = walk[6:-6]
smooth = np.convolve(walk, np.ones(13) / 13, mode="valid")  # the mean of 13 values around each
inputs, _ = make_windows(smooth, length)
_, targets = make_windows(values, length)  # the walk itself, not smoothed
his_line = fit_autoregression(inputs[:666], targets[:666])
print(f"persistence  off by {mean_absolute_error(targets[666:], values[687:-1]):.2f}")
print(f"his line     off by {mean_absolute_error(targets[666:], his_line(inputs[666:])):.2f}")

# %% [markdown]
# You know that this cannot be: nothing beats persistence on a random walk. So something leaks. **Which of his lines is it?** Decide before you
# run the next cell, which changes that line and nothing else.

# %% tags=["demonstration"]
smooth = np.convolve(walk, np.ones(13) / 13, mode="full")[6 : len(values) + 6]  # the mean of the last 13 values
inputs, _ = make_windows(smooth, length)
honest_line = fit_autoregression(inputs[:666], targets[:666])
print(f"honest line  off by {mean_absolute_error(targets[666:], honest_line(inputs[666:])):.2f}")

# %% [markdown]
# It was the second line. A mean *around* each value holds six values that come later: the newest mean of a window has already seen the target. Windows, split,
# test: all correct, and all in vain. When a score is too good, look for the future in the inputs; and try your code on a random walk, where you know
# the answer.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## In three lines
#
# - Baselines first: persistence, the last season, a line by least squares. On sunspots networks and line took turns, and in no table was the network far ahead.
# - Split by the calendar, scale with the training part alone, and open the test part once.
# - A score that is too good is a leak until proven otherwise; a random walk is the place to prove it.
#
# *Next: 10 · A language model.*
