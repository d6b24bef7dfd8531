# %% [markdown]
# # 09 · Time series: baselines first
#
# **After this lesson you can** look at a series before you model it, turn it into windows,
# split and scale it without letting the future leak into the past, choose between forecasters
# on a validation part, say how uncertain a forecast is, and admit when a network does not help.
#
# **Time** about 215 minutes, with a good place for a break in the middle. **You need** lesson 08.

# %%
try:
    from rnn_helpers import check, hint, progress
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "Wrong kernel: use `make lab`, or choose the Python in .venv. On a JupyterHub, "
        "ask your instructor to install rnn-course for the students' kernels."
    ) from None

import numpy as np

from rnn_helpers import data, plots, series_plots
from rnn_helpers.quietly import keras

# %% [markdown]
# ## 235 years of sunspots
#
# Monthly sunspot numbers go back to 1749. Each dark spot on the sun counts 1, and each group of
# spots adds 10. The number rises and falls in a cycle of about eleven years, and nobody can yet
# predict far ahead how strong a cycle will be. People would like to know: when there are many
# spots, power grids and satellites have bad days.
#
# We average six months at a time, which keeps the cycle, reduces the noise and makes training
# quick. (These are the classic numbers to 1983. The series was revised in 2015.)

# %% [markdown]
# The last 35 years are the **test part**. We do not look at them until everything is decided,
# and so the figure hides them. The 35 years before are the **validation part**, for decisions.

# %% tags=["demonstration"]
months, monthly = data.sunspots()
sunspots = monthly.reshape(-1, 6).mean(axis=1)  # half-years
years = 1749.25 + np.arange(len(sunspots)) / 2
test_from = len(sunspots) - 70  # 70 half-years are 35 years: from 1949
valid_from = test_from - 70  # from 1914
ax = series_plots.parts(
    years, sunspots, valid_from, test_from, ylabel="sunspot number",
    title="Cycles of about eleven years, of very different heights",
)
plots.show(
    ax, "Sunspot numbers from 1749 to 1948 in waves of about eleven years, between 0 "
    f"and {sunspots[:test_from].max():.0f}; the years from 1949 on are hatched.",
)

# %% [markdown]
# ## The error, in sunspots
#
# Before we forecast anything we agree on how to measure it. The **mean absolute error** (MAE) has
# the unit of the series, so that "15 sunspots off on average" means something. The squared
# error, with which the networks are trained, punishes large errors more.

# %% [markdown] nbgrader={"grade_id": "mean_absolute_error_task", "locked": true}
# ### Your turn: `mean_absolute_error` (2 points)
#
# | argument | | shape |
# |---|---|---|
# | `targets` | the actual values | (n,) |
# | `forecasts` | the forecasts | (n,), or (n, 1) as Keras returns them |
#
# Return the mean absolute error, one number. Beware of the two shapes: (n,) minus (n, 1) is
# (n, n).

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
# ## Cycle or season?
#
# A **season** has a fixed, known period, such as the year. A **cycle** rises and falls without
# a fixed period: between the minima of the sunspot number lie 9 to 14 years. Trends, seasons and
# cycles need different treatment, so look before you model.
#
# For comparison we take a series with a true season: the amount of carbon dioxide (CO2) in the
# air at Mauna Loa, Hawaii, in parts per million (ppm). Charles David Keeling began the
# measurements in 1958; from 1965 on no month is missing. Every spring and summer the forests of
# the northern hemisphere take up CO2, and in autumn they release it.

# %% tags=["demonstration"]
co2_months, ppm = data.co2()
co2_test_from, co2_valid_from = len(ppm) - 60, len(ppm) - 120  # from 1997, from 1992
ax = series_plots.parts(
    co2_months, ppm, co2_valid_from, co2_test_from,
    title="A season of twelve months on a rising trend", ylabel="CO2 (ppm)",
)
plots.show(
    ax, "CO2 from 1965 to 1996: a wave of one year, about 6 ppm high, on a trend that "
    "rises from 320 to 363 ppm; the years from 1997 on are hatched.",
)

# %% [markdown]
# The **autocorrelation function** (ACF) shows how similar a series is to itself a number of
# steps (the **lag**) later. With deviations $d_t = s_t - \bar s$ from the mean it is
#
# $$r_k = \frac{\sum_t d_t \, d_{t-k}}{\sum_t d_t^2}$$
#
# It is 1 at lag 0. For pure noise, 95 % of the values lie within $\pm 1.96 / \sqrt{n}$, the grey
# band. A trend would make every value large, and so for CO2 we look at the *changes* from month
# to month.
#
# **Predict.** At which lags do the two functions have their first high peak, and which of the
# two keeps its height at two, three and four periods?

# %%
def autocorrelation(series, lags):
    """Return the autocorrelations at lags 0 to `lags`, shape (lags + 1,)."""
    d = series - series.mean()
    return np.array([d[lag:] @ d[: len(d) - lag] for lag in range(lags + 1)]) / (d @ d)


# %% tags=["demonstration"]
changes = np.diff(ppm[:co2_test_from])
acf = {
    "A cycle loses its rhythm": (autocorrelation(sunspots[:test_from], 60), test_from),
    "A season keeps it": (autocorrelation(changes, 60), len(changes)),
}
labels = ("lag (half-years), sunspots", "lag (months), changes of CO2")
plots.show(
    series_plots.autocorrelations(acf, xlabels=labels),
    "Bars of two autocorrelation functions. Sunspots: a peak at lag 21 and a lower, "
    "broader one after it. Changes of CO2: high peaks at lags 12, 24, 36, 48 and 60.",
)
for (values, _), name, period in zip(acf.values(), ("sunspots", "CO2"), (21, 12)):
    for first in (period // 2, period + period // 2):
        peak = first + int(np.argmax(values[first : first + period]))
        print(f"{name:<9} peak of {values[peak]:.2f} at lag {peak}")

# %% [markdown]
# A season returns on the dot, again and again. A cycle drifts out of step with itself, and its
# second peak is low and broad.

# %% [markdown]
# ## Two forecasts that cost nothing
#
# - **Persistence**: the next value is the last one.
# - **Seasonal naive**: the next value is the one a season ago (or a cycle ago).
#
# A model that cannot beat both is not worth the electricity. So we build them first.

# %% [markdown] nbgrader={"grade_id": "seasonal_naive_task", "locked": true}
# ### Your turn: `seasonal_naive` (2 points)
#
# | argument | |
# |---|---|
# | `series` | (n,), everything known so far |
# | `period` | steps in a season |
# | `horizon` | how many steps to forecast; may be more than a season |
#
# Return the forecasts, (horizon,): the last season again, from its first step on, as often as
# needed. With a period of 1 this *is* persistence.

# %% nbgrader={"grade_id": "seasonal_naive", "solution": true}
def seasonal_naive(series, period, horizon):
    """Return the last season, repeated, as forecasts for the next `horizon` steps."""
    ### BEGIN SOLUTION
    return series[-period:][np.arange(horizon) % period]
    ### END SOLUTION


# %% nbgrader={"grade_id": "seasonal_naive_test", "grade": true, "locked": true, "points": 2}
check(seasonal_naive)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(seasonal_naive)
### END HIDDEN TESTS

# %% tags=["demonstration"]
left, right = plots.new_row(width=9.3, height=3.0, count=2)
for ax, title, series, first, period, horizon in (
    (left, "Sunspots: the height is wrong", sunspots, valid_from, 21, 30),
    (right, "CO2: only the trend is missing", ppm, co2_valid_from, 12, 36),
):
    plots.curves(
        np.arange(1, horizon + 1),
        {
            "actual": series[first : first + horizon],
            "seasonal": seasonal_naive(series[:first], period, horizon),
            "persistence": seasonal_naive(series[:first], 1, horizon),
        },
        title=title, ax=ax,
        xlabel="half-years from 1914" if period == 21 else "months from 1992",
        ylabel="sunspot number" if period == 21 else "CO2 (ppm)",
        colours=["black", plots.COLOURS[1], plots.COLOURS[0]],
    )
plots.show(
    left, "Forecasts from the start of the validation parts. Sunspots: a wave that is "
    "too low. CO2: the same wave, which falls further and further behind.",
)

# %% [markdown]
# ## From a series to windows
#
# A network, like linear regression, needs pairs of inputs and targets. A window slides over the
# series, and its target is the value `horizon` steps after its end:
#
# | window (length 3) | target, horizon 1 | target, horizon 2 |
# |---|---|---|
# | $s_0$ $s_1$ $s_2$ | $s_3$ | $s_4$ |
# | $s_1$ $s_2$ $s_3$ | $s_4$ | $s_5$ |
# | $s_2$ $s_3$ $s_4$ | $s_5$ | |

# %% [markdown] nbgrader={"grade_id": "make_windows_task", "locked": true}
# ### Your turn: `make_windows` (3 points)
#
# | argument | | result | shape |
# |---|---|---|---|
# | `series` | (n,) | `xs`, all windows, oldest value first | (windows, length, 1) |
# | `length` | steps in a window | `ys`, their targets | (windows,) |
# | `horizon` | steps from a window's last value to its target, at least 1 | | |
#
# Use every window that has a target; each begins one step after the one before. Return
# `xs, ys`.

# %% nbgrader={"grade_id": "make_windows", "solution": true}
def make_windows(series, length, horizon=1):
    """Return xs (windows, length, 1) and ys (windows,), `horizon` steps after them."""
    ### BEGIN SOLUTION
    starts = range(len(series) - length - horizon + 1)
    xs = np.array([series[i : i + length] for i in starts])[..., None]
    ys = np.array([series[i + length + horizon - 1] for i in starts])
    return xs, ys
    ### END SOLUTION


# %% nbgrader={"grade_id": "make_windows_test", "grade": true, "locked": true, "points": 3}
check(make_windows)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(make_windows)
### END HIDDEN TESTS

# %% [markdown]
# Keras has a function for this, too. It returns a `tf.data.Dataset` of batches, and its
# `targets` are the values that belong to the *first* step of each window, so that you shift
# the series yourself:

# %% tags=["demonstration"]
series, length, horizon = np.arange(8.0), 3, 2
dataset = keras.utils.timeseries_dataset_from_array(
    series[:-horizon], series[length + horizon - 1 :],
    sequence_length=length, batch_size=100,
)
theirs = next(iter(dataset))
xs, ys = make_windows(series, length, horizon)
print("the same windows:", np.array_equal(theirs[0], xs[..., 0]))
print("the same targets:", np.array_equal(theirs[1], ys))

# %% [markdown]
# ## A split that respects the calendar
#
# The test part must be *later* than the training part. A random split would hand the network
# the half-year before and the half-year after each test value. Filling gaps is not forecasting.
#
# Networks like numbers near zero, so we scale.
#
# **Predict.** For CO2, suppose we subtract the mean of training *and* validation part. What would
# that tell the training part that nobody could know at the time?

# %% tags=["demonstration"]
print(f"mean of the training part   {ppm[:co2_valid_from].mean():.1f} ppm")
print(f"with the validation part    {ppm[:co2_test_from].mean():.1f} ppm")

# %% [markdown]
# It would reveal that the values to come are higher. Information from the future that gets into
# what a model may see is called a **data leak**. (It has nothing to do with the leaky memory of
# lesson 00.)

# %% [markdown] nbgrader={"grade_id": "split_and_scale_task", "locked": true}
# ### Your turn: `split_and_scale` (3 points)
#
# Cut off the last `test_steps` values as the test part. Standardise both parts with the mean and
# the standard deviation (`np.std`) of the **training part alone**: subtract the mean, then divide
# by the standard deviation.
#
# Return a **dict** with `"train"` and `"test"`, scaled, and the numbers `"mean"` and `"std"`, with
# which the forecasts are turned back into sunspots.

# %% nbgrader={"grade_id": "split_and_scale", "solution": true}
def split_and_scale(series, test_steps):
    """Return {"train", "test", "mean", "std"}, scaled with the training part alone."""
    ### BEGIN SOLUTION
    train, test = series[:-test_steps], series[-test_steps:]
    mean, std = train.mean(), train.std()
    scaled = {"train": (train - mean) / std, "test": (test - mean) / std}
    return {**scaled, "mean": mean, "std": std}
    ### END SOLUTION


# %% nbgrader={"grade_id": "split_and_scale_test", "grade": true, "locked": true, "points": 3}
check(split_and_scale)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(split_and_scale)
### END HIDDEN TESTS

# %% [markdown]
# ### Warm-up: windows across a border
#
# The windows of the validation part may begin in the training part, because at that time those
# values are known. Only the *targets* must lie in the validation part. In the figure a part
# begins at $s_6$. (No points.)

# %% tags=["demonstration"]
plots.show(
    series_plots.windows_at_a_border(length=3, horizon=2, border=6, steps=10),
    "Three rows: the window s2 s3 s4 has the target s6, the window s3 s4 s5 the target "
    "s7, and s4 s5 s6 the target s8. The border lies before s6.",
)

# %% nbgrader={"grade_id": "windows_from", "solution": true}
def windows_from(series, first, length, horizon=1):
    """Return the windows whose targets are series[first], series[first + 1], ..."""
    # start = ...   the index at which the first window begins
    ### BEGIN SOLUTION
    start = first - length - horizon + 1
    ### END SOLUTION
    return make_windows(series[start:], length, horizon)


# %% tags=["demonstration"]
xs, ys = windows_from(np.arange(10.0), first=6, length=3, horizon=2)
print("expected: [2. 3. 4.] [6. 7. 8. 9.]")
print("yours:   ", xs[0, :, 0], ys)

# %% tags=["demonstration"]
parts = split_and_scale(sunspots[:test_from], 70)  # "test": the validation part, here
mean, std = parts["mean"], parts["std"]
scaled = np.concatenate([parts["train"], parts["test"]])  # until the end of 1948

# %% [markdown]
# ## A stronger baseline: linear autoregression
#
# An **autoregression** (AR) is a regression of the series on its own past: the next value is a
# weighted sum of the last $p$ values, plus a constant. **Least squares** finds the weights with
# the smallest squared error in a millisecond. Udny Yule invented the autoregression in 1927, and
# for sunspots.
#
# Its one decision is the number of lags $p$, its **order**.

# %%
def fit_autoregression(xs, ys):
    """Return a function that forecasts from windows (n, length, 1) by least squares."""
    def with_one(windows):
        return np.column_stack([windows[..., 0], np.ones(len(windows))])

    weights = np.linalg.lstsq(with_one(xs), ys, rcond=None)[0]
    return lambda windows: with_one(windows) @ weights


# %% [markdown] nbgrader={"grade_id": "validation_errors_task", "locked": true}
# ### Your turn: `validation_errors` (3 points)
#
# Measure how well autoregressions of several orders forecast the validation part, one step
# ahead.
#
# | argument | |
# |---|---|
# | `series` | (n,), scaled |
# | `orders` | the numbers of lags to try, for example `(1, 2, 3)` |
# | `valid_from` | the index of the first validation value |
#
# For each order, fit an autoregression on the windows of the training part, the values before
# `valid_from`. Then forecast every value from `valid_from` on. Return the mean absolute errors in
# scaled units, (len(orders),), in the order of `orders`. All orders must be judged on the *same*
# targets. Your `windows_from` and `mean_absolute_error` help.

# %% nbgrader={"grade_id": "validation_errors", "solution": true}
def validation_errors(series, orders, valid_from):
    """Return the mean absolute error of each order on series[valid_from:]."""
    ### BEGIN SOLUTION
    errors = []
    for order in orders:
        forecast = fit_autoregression(*make_windows(series[:valid_from], order))
        xs, ys = windows_from(series, valid_from, order)
        errors.append(mean_absolute_error(ys, forecast(xs)))
    return np.array(errors)
    ### END SOLUTION


# %% nbgrader={"grade_id": "validation_errors_test", "grade": true, "locked": true, "points": 3}
check(validation_errors)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(validation_errors)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** One more lag can never raise the squared error on the training part. What does the
# error on the validation part do between 1 and 40 lags?

# %% tags=["demonstration"]
orders = np.arange(1, 41)
on_training = []
for order in orders:
    xs, ys = make_windows(scaled[:valid_from], order)
    xs, ys = xs[40 - order :], ys[40 - order :]  # the same targets for every order
    on_training.append(std * mean_absolute_error(ys, fit_autoregression(xs, ys)(xs)))
on_validation = std * validation_errors(scaled, orders, valid_from)
best = int(orders[np.argmin(on_validation)])
ax = plots.curves(
    orders, {"training": np.array(on_training), "validation": on_validation},
    title="Only the validation error says when to stop", xlabel="order (lags)",
    ylabel="MAE (sunspots)", ylim=(6, 14),
)
ax.plot(best, on_validation.min(), "o", color=plots.COLOURS[1])
plots.show(
    ax, f"Training error falls from {on_training[0]:.1f} to {on_training[-1]:.1f}; "
    f"validation error falls quickly to 11, is lowest at {best} lags, then rises.",
)
for order in (1, 4, best, 40):
    print(f"order {order:>2}: validation error {on_validation[order - 1]:.2f}")
valid = sunspots[valid_from:test_from]
for period in range(19, 24):
    season_ago = sunspots[valid_from - period : test_from - period]
    error = mean_absolute_error(valid, season_ago)
    print(f"seasonal naive, period {period}: {error:.1f}")

# %% [markdown]
# The training error asks for 40 lags, as it would for 400. The validation error bends upwards:
# beyond 25 lags, the autoregression fits the noise of the training years. Its minimum, at 20
# lags, is very flat. With 4 lags it is worse by only 0.2 sunspots, which on 70 values is within
# chance, and one would prefer the simpler model. But we also want to look ten steps ahead.
# There, an autoregression fitted for that horizon has a validation error of 24.0 with 4 lags and
# of 19.5 with 20. We choose 20.
#
# For the seasonal naive forecast, the periods 20 and 21 are equally good here. The
# autocorrelation, which has seen more years, has its peak at 21. We choose 21.

# %% tags=["demonstration"]
print("1914 to 1948, one half-year ahead, MAE in sunspots")
for name, lag in (("persistence", 1), ("seasonal naive (21)", 21)):
    forecast = sunspots[valid_from - lag : test_from - lag]
    print(f"{name:<20} {mean_absolute_error(valid, forecast):.1f}")
print(f"autoregression (20)  {on_validation[19]:.1f}")

# %% [markdown]
# That is the mark to beat. **Predict.** A recurrent network with 32 units has 1121 parameters,
# the autoregression 21. By how much will the network be better: not at all, a little, by half?

# %% [markdown] nbgrader={"grade_id": "train_forecaster_task", "locked": true}
# ### Your turn: `train_forecaster` (3 points)
#
# Build, train and return a Keras model that reads windows and outputs one forecast each.
#
# | argument | | shape |
# |---|---|---|
# | `xs`, `ys` | windows and targets to learn from, scaled | (n, length, 1), (n,) |
# | `xs_valid`, `ys_valid` | to decide when to stop; never to learn from | the same |
#
# A good start: `keras.Input((None, 1))` for windows of any length, `SimpleRNN(32)` and one
# output **without** activation; the squared error (`"mse"`) and Adam with a rate of 0.003 and
# `global_clipnorm=1.0`; at most 60 epochs in batches of 32, stopped early with a patience of 10
# and the best weights restored.
#
# The check makes up a series and tries your model on later windows, where its error must be at
# most 0.9 times that of persistence. Then it trains again with validation targets of the
# opposite sign, and the forecasts must not follow them. It takes about ten seconds. Any model is
# accepted, but later cells expect that `fit` trained it.

# %% nbgrader={"grade_id": "train_forecaster", "solution": true}
def train_forecaster(xs, ys, xs_valid, ys_valid):
    """Return a Keras model, trained on xs and ys: (n, length, 1) in, (n, 1) out."""
    ### BEGIN SOLUTION
    model = keras.Sequential(
        [keras.Input((None, 1)), keras.layers.SimpleRNN(32), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss="mse")
    stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    model.fit(
        xs,
        ys,
        validation_data=(xs_valid, ys_valid),
        epochs=60,
        batch_size=32,
        callbacks=[stop],
        verbose=0,
    )
    return model
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_forecaster_test", "grade": true, "locked": true, "points": 3}
check(train_forecaster)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(train_forecaster)
### END HIDDEN TESTS

# %% [markdown]
# One network is an anecdote, because another random start gives another result. So we train
# five, with windows of 12 half-years. It takes about fifteen seconds.

# %% tags=["demonstration"]
length = 12
train_windows = make_windows(scaled[:valid_from], length)
valid_windows = windows_from(scaled, valid_from, length)
networks = []
for seed in range(5):
    keras.utils.set_random_seed(seed)
    networks.append(train_forecaster(*train_windows, *valid_windows))
xs, ys = valid_windows
errors = [std * mean_absolute_error(ys, network(xs).numpy()) for network in networks]
print("five networks:       ", ", ".join(f"{error:.1f}" for error in errors))
print(f"autoregression (20):  {on_validation[19]:.1f}")

# %% [markdown]
# All five are better than the autoregression, by about one sunspot, or 10 %. Windows of 6 or 22
# half-years give the same to within 0.2 sunspots (five seeds each). **If you had not fitted the
# autoregression first, you would be proud of beating persistence by almost a third.** And is one
# sunspot more than luck? These are only 70 half-years, and the networks were stopped where they
# were best on exactly these. The test part will tell.

# %% [markdown]
# ☕ A good place for a break. You have four forecasters for the next half-year. Now we look
# further ahead, ask how sure we are, and open the test part.
#
# ## Further ahead
#
# There are three ways to forecast several steps:
#
# - **recursive**: forecast one step, treat the forecast as known, and go on from there;
# - **direct**: train one model for each horizon;
# - **multi-output**: one model with an output for each horizon, such as `Dense(22)`.
#
# The recursive forecaster needs only one model, but it feeds on its own errors. The other two do
# not, but need more models or more parameters.

# %% [markdown] nbgrader={"grade_id": "forecast_ahead_task", "locked": true}
# ### Your turn: `forecast_ahead` (2 points)
#
# | argument | | |
# |---|---|---|
# | `predict` | a function: window (length,) → the next value, one number | |
# | `window` | the last known values, newest last; leave it unchanged | (length,) |
# | `steps` | how far to go | |
#
# Forecast one step, append the forecast to the window, drop the oldest value, and so on. Return
# all forecasts, (steps,).

# %% nbgrader={"grade_id": "forecast_ahead", "solution": true}
def forecast_ahead(predict, window, steps):
    """Return `steps` forecasts; each window ends with the forecasts before it."""
    ### BEGIN SOLUTION
    forecasts = []
    for _ in range(steps):
        forecasts.append(predict(window))
        window = np.append(window[1:], forecasts[-1])
    return np.array(forecasts)
    ### END SOLUTION


# %% nbgrader={"grade_id": "forecast_ahead_test", "grade": true, "locked": true, "points": 2}
check(forecast_ahead)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(forecast_ahead)
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** Five networks start in 1934 and run for eleven years on their own forecasts. Where
# will they agree, and where will they diverge?

# %% tags=["demonstration"]
def one_step(model):
    """Return a function from one window (length,) to one number."""
    return lambda window: float(np.ravel(model(window[None, :, None]))[0])


start = int(np.argmax(years >= 1934))
recent = scaled[start - 12 : start]
paths = [mean + std * forecast_ahead(one_step(each), recent, 22) for each in networks]
line = fit_autoregression(*make_windows(scaled[:valid_from], 20))
straight = forecast_ahead(one_step(line), scaled[start - 20 : start], 22)
seen, ahead = slice(start - 22, start + 22), years[start : start + 22]
ax = plots.new_axes(width=8.0, height=3.4)
ax.plot(years[seen], sunspots[seen], color="black", linewidth=1.6, label="actual")
for number, path in enumerate(paths):
    name = "five networks" if number == 0 else None
    ax.plot(ahead, path, color=plots.COLOURS[1], linewidth=1, label=name)
ax.plot(
    ahead, mean + std * straight, "--",
    color=plots.COLOURS[0], label="autoregression (20)",
)
ax.axvline(years[start] - 0.25, color="0.6", linewidth=1)
ax.legend(frameon=False, loc="upper left")
ax.set(title="Four networks agree, one is slow", xlabel="year", ylabel="sunspot number")
spread = np.std(paths, axis=0)
plots.show(
    ax, "Actual numbers (black), five networks and the autoregression from 1934 on. "
    f"The networks spread by {spread[0]:.0f}, then by up to {spread.max():.0f}.",
)
print("standard deviation of the five, by half-year:", spread.round().astype(int))

# %% [markdown]
# Four agree, one is slow, and all stay below the actual maximum of 117. (Their spread is small
# again in 1940 only because the curves cross there.) Several models for the same forecast are
# called an **ensemble**, and the average of their forecasts is usually better than most of them.

# %% [markdown]
# Now four forecasters, among them all three strategies, look further ahead. From each of 49
# starting points in the validation part, the **origins**, they forecast the next 22 half-years.
#
# **Predict.** At which horizon is persistence worst, and at which does it recover? Which of the
# others is best at ten half-years?

# %% tags=["demonstration"]
def multi_output(xs, ys, epochs=60, **options):
    """Return a network with one output per horizon; ys has the shape (n, horizons)."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((None, 1)), layers.SimpleRNN(32), layers.Dense(ys.shape[1])]
    )
    model.compile(keras.optimizers.Adam(0.003, global_clipnorm=1.0), loss="mse")
    model.fit(xs, ys, epochs=epochs, batch_size=32, verbose=0, **options)
    return model


def many_targets(series, length, horizons=22):
    """Return windows and the next `horizons` values after each, (n, horizons)."""
    xs, _ = make_windows(series, length, horizons)
    starts = np.arange(length, length + len(xs))
    return xs, series[starts[:, None] + np.arange(horizons)]


keras.utils.set_random_seed(0)
stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
multi = multi_output(
    *many_targets(scaled[:valid_from], 12), callbacks=[stop],
    validation_data=many_targets(scaled[valid_from - 12 :], 12),
)
origins = range(valid_from, test_from - 21)
actual = np.array([sunspots[first : first + 22] for first in origins])
recent = np.array([scaled[first - 12 : first] for first in origins])[..., None]
forecasts = {
    "persistence": [seasonal_naive(sunspots[:first], 1, 22) for first in origins],
    "seasonal": [seasonal_naive(sunspots[:first], 21, 22) for first in origins],
    "AR, recursive": [
        mean + std * forecast_ahead(one_step(line), scaled[first - 20 : first], 22)
        for first in origins
    ],
    "network": mean + std * multi.predict(recent, verbose=0),
}
longer = np.array([scaled[first - 20 : first] for first in origins])[..., None]
by_step = [
    fit_autoregression(*make_windows(scaled[:valid_from], 20, horizon))(longer)
    for horizon in range(1, 23)
]
forecasts["AR, direct"] = mean + std * np.stack(by_step, axis=1)
by_horizon = {
    name: np.abs(np.array(several) - actual).mean(axis=0)
    for name, several in forecasts.items()
}
lines = {name: errors for name, errors in by_horizon.items() if name != "persistence"}
ax = plots.curves(
    np.arange(1, 23), lines, xlabel="horizon (half-years)", ylabel="MAE (sunspots)",
    title="On the validation part the network leads at 2 to 8 years", ylim=(0, 30),
    colours=["black", plots.COLOURS[0], plots.COLOURS[1], plots.COLOURS[2]],
)
texts = [f"{name} {errors[9]:.0f}" for name, errors in by_horizon.items()]
plots.show(ax, "Errors of four forecasters by horizon, between 10 and 25 sunspots. "
           f"At a horizon of 10: {', '.join(texts)}.")
for name, errors in by_horizon.items():
    print(f"{name:<14} MAE at horizons 1, 5, 10, 20:", errors[[0, 4, 9, 19]].round(1))

# %% [markdown]
# Persistence is worst at half a cycle and recovers at a whole one. Recursive and direct
# autoregression are about as good as the seasonal naive forecast from two years on. The
# multi-output network is the best of all at two to eight years: with five seeds its error at ten
# half-years was 12.2 to 13.1, that of the seasonal naive forecast 15.8. Remember this, and
# remember too that the 49 origins overlap, and that the network was stopped early on these years.

# %% [markdown]
# ### One validation part is one sample
#
# A split gives one verdict, from 35 years. **Rolling origin** evaluation, also called
# time series cross-validation, gives several: choose an origin, fit on everything before it,
# forecast what follows, move the origin on. It costs one fit per origin, which for an
# autoregression is nothing.

# %% tags=["demonstration"]
decades = np.arange(1850, 1931, 10)
table = {"seasonal": [], "AR (20)": [], "persistence": []}
for year in decades:
    first = int(np.argmax(years >= year))
    past, future = sunspots[:first], sunspots[first : first + 20]
    model = fit_autoregression(*make_windows(past, 20))
    table["seasonal"].append(mean_absolute_error(future, seasonal_naive(past, 21, 20)))
    by_line = forecast_ahead(one_step(model), past[-20:], 20)
    table["AR (20)"].append(mean_absolute_error(future, by_line))
    table["persistence"].append(mean_absolute_error(future, np.full(20, past[-1])))
ax = plots.curves(
    decades, {name: np.array(errors) for name, errors in table.items()},
    title="The winner changes from origin to origin", xlabel="origin (year)",
    ylabel="MAE (sunspots)", ylim=(0, 60),
)
plots.show(ax, "Errors from nine origins. Seasonal naive and AR cross four times.")
for name, errors in table.items():
    print(f"{name:<12} mean {np.mean(errors):.1f}, std {np.std(errors, ddof=1):.1f}")

# %% [markdown]
# On average the autoregression and the seasonal naive forecast are equally good, and which of
# them wins changes from origin to origin: five times the seasonal naive forecast, four times the
# autoregression. A single split could have made either look superior.

# %% [markdown]
# ## How sure are we?
#
# A forecast without a statement of its uncertainty is half a forecast. An 80 % **prediction
# interval** should contain the actual value in 80 % of all cases. A simple way to get one is to
# look at the **forecast errors**, actual minus forecast, on data that the model was not fitted
# to, and to add their 10 % and 90 % quantiles to the forecast. (On data that it *was* fitted to,
# they are called **residuals**.) The share of actual values that do lie inside is the
# **coverage**.
#
# ### Warm-up: `coverage`
#
# Return the share of `targets` between `low` and `high`, ends included. (No points.)

# %% nbgrader={"grade_id": "coverage", "solution": true}
def coverage(targets, low, high):
    """Return the share of targets with low <= target <= high; all are (n,)."""
    # inside = ...   an array of True and False
    ### BEGIN SOLUTION
    inside = (targets >= low) & (targets <= high)
    ### END SOLUTION
    return np.mean(inside)


# %% tags=["demonstration"]
print("expected: 0.5")
low, high = np.array([0, 2, 2, 0]), np.array([0, 3, 3, 2])
print("yours:   ", coverage(np.arange(4.0), low, high))

# %% [markdown]
# (The spread of the five networks above is *not* such an interval. It measures only what the
# random start contributes. Five networks can agree and be wrong together.)
#
# ## The test part is opened, once
#
# All decisions are made: orders, windows, epochs, the period, the way to get intervals. Before
# the test we **refit** the chosen models on everything before 1949. A forecaster of 1949 would
# not throw away the last 35 years.
#
# **Predict.** Half a year and five years (ten steps) ahead, from 1949 to 1983: will the order of
# the methods be the same as on the validation part? Will the intervals cover 80 %?

# %% tags=["demonstration"]
def refit(network, xs, ys):
    """Train a new network for as many epochs as early stopping chose for this one."""
    losses = network.history.history.get("val_loss", network.history.history["loss"])
    again = keras.models.clone_model(network)
    again.compile(keras.optimizers.Adam(0.003, global_clipnorm=1.0), "mse")
    again.fit(xs, ys, epochs=int(np.argmin(losses)) + 1, batch_size=32, verbose=0)
    return again


final = split_and_scale(sunspots, 70)  # scaled with everything before 1949
z, m, s = np.concatenate([final["train"], final["test"]]), final["mean"], final["std"]
test = sunspots[test_from:]
near, far = {}, {}  # method -> forecasts of the test part, one list entry per network
near["persistence"] = [sunspots[test_from - 1 : -1]]
far["persistence"] = [sunspots[test_from - 10 : -10]]
cycle_ago = sunspots[test_from - 21 : -21]
near["seasonal naive (21)"] = far["seasonal naive (21)"] = [cycle_ago]
line_2 = fit_autoregression(*make_windows(z[:test_from], 20))
near["autoregression (20)"] = [m + s * line_2(windows_from(z, test_from, 20)[0])]
ends = range(test_from - 9, len(z) - 9)  # where the windows for ten steps ahead end
tenth = [forecast_ahead(one_step(line_2), z[end - 20 : end], 10)[-1] for end in ends]
far["autoregression (20)"] = [m + s * np.array(tenth)]
near["five networks"], far["five networks"] = [], []
one_ahead, _ = windows_from(z, test_from, 12)
ten_ahead, _ = windows_from(z, test_from, 12, horizon=10)
for seed, network in enumerate(networks):
    keras.utils.set_random_seed(seed)
    again = refit(network, *make_windows(z[:test_from], 12))
    near["five networks"].append(m + s * again.predict(one_ahead, verbose=0))
    keras.utils.set_random_seed(seed)
    again = refit(multi, *many_targets(z[:test_from], 12))
    far["five networks"].append(m + s * again.predict(ten_ahead, verbose=0)[:, 9])
near["their average"] = [np.mean(near["five networks"], axis=0)]
far["their average"] = [np.mean(far["five networks"], axis=0)]
scale = np.abs(np.diff(sunspots[:test_from])).mean()
print("test part, 1949-83        half a year ahead     five years ahead")
print("                            MAE     MASE          MAE     MASE")
for method in near:
    cells = []
    for table in (near, far):
        error = np.mean([mean_absolute_error(test, one) for one in table[method]])
        cells.append(f"{error:>8.1f}{error / scale:>9.2f}")
    print(f"{method:<22}", "     ".join(cells))
for name, table in (("half a year", near), ("five years", far)):
    each = [mean_absolute_error(test, one) for one in table["five networks"]]
    print(f"each network, {name}:", np.round(each, 1))

# %% [markdown]
# MASE is the **mean absolute scaled error** (Hyndman and Koehler 2006): the MAE divided by that of
# one-step persistence on the training data. It has no unit, so that series can be compared. All
# values are above 1 here, because the test years vary more than the training years.
#
# Every method is worse than on the validation part. Half a year ahead, the lead of the networks
# has almost vanished: 14.1 against 14.2. Five years ahead they were *first* on the validation
# part, with every seed. On the test part, with every seed, they are behind **the seasonal naive
# forecast, which costs nothing**. The autoregression merely ties with it.

# %% [markdown]
# The test years have cycles of up to 214, higher than any before, and a network that has never
# seen such a cycle may not follow it up there. That is a guess; but what holds for 35 years need
# not hold for the next 35. That is why the test part stays closed until everything is decided,
# and why you must not go back now and choose again.

# %% tags=["demonstration"]
xs, ys = windows_from(scaled, valid_from, 20)
misses = std * (ys - line(xs))  # on the validation part, to which `line` was not fitted
low, high = np.quantile(misses, [0.1, 0.9])
forecast = near["autoregression (20)"][0]
ax = series_plots.with_interval(
    years[test_from:], test, forecast, (np.maximum(forecast + low, 0), forecast + high),
    title="Three values in ten lie outside the 80 % intervals", ylabel="sunspot number",
)
inside = coverage(test, forecast + low, forecast + high)
plots.show(ax, "The test years, the autoregression's forecasts and their intervals. "
           f"{inside:.0%} of the actual values lie inside.")
print(f"forecast {low:+.0f} to {high:+.0f} sunspots: coverage {inside:.2f}")
xs, ys = make_windows(scaled[:valid_from], 20)
low, high = np.quantile(std * (ys - line(xs)), [0.1, 0.9])
inside = coverage(test, forecast + low, forecast + high)
print(f"with training residuals {low:+.0f} to {high:+.0f}: coverage {inside:.2f}")

# %% [markdown]
# The intervals were meant to contain 80 % and contain 70 %; with 70 values, that share is uncertain
# by about 5 points. With residuals of the *training* part it would have been 54 %. Residuals are
# too small, because the model was fitted to them, and above all the training years were quieter.
# An interval is only as good as the assumption that the future resembles the past.
#
# Since errors grow with the level, one could forecast the *square root* of the number instead.
# But we would now choose this because of the test part, and the next test would have to be a new
# one.

# %% [markdown]
# ## An honest null: the random walk
#
# A **random walk** adds a new random number at every step, as likely up as down. Share prices
# come close to it. The best forecast, provably, is the last value.
#
# **Predict.** Persistence, an autoregression and a network on a random walk: who wins, and who
# loses by how much?

# %% tags=["demonstration"]
rng = np.random.default_rng(1)
walk = np.cumsum(rng.normal(size=1000))
WALK_VALID, WALK_TEST = 550, 700


def forecast_test(series):
    """Return two forecasts of series[700:], by an AR (12) and by a network."""
    scale = split_and_scale(series, len(series) - WALK_VALID)
    z = np.concatenate([scale["train"], scale["test"]])
    learn = make_windows(z[:WALK_VALID], 12)
    watch = windows_from(z[:WALK_TEST], WALK_VALID, 12)
    xs, _ = windows_from(z, WALK_TEST, 12)
    keras.utils.set_random_seed(0)
    network = train_forecaster(*learn, *watch)
    both = fit_autoregression(*learn)(xs), network.predict(xs, verbose=0)[:, 0]
    return [scale["mean"] + scale["std"] * one for one in both]


by_line, by_network = forecast_test(walk)
for name, forecast in (
    ("persistence", walk[WALK_TEST - 1 : -1]),
    ("autoregression (12)", by_line),
    ("network", by_network),
):
    print(f"{name:<20} MAE {mean_absolute_error(walk[WALK_TEST:], forecast):.2f}")
ax = plots.curves(
    np.arange(WALK_TEST, 1000), {"actual": walk[WALK_TEST:], "network": by_network},
    title="The network cannot follow where it has never been", xlabel="step",
    ylabel="value", colours=["black", plots.COLOURS[1]],
)
ax.axhline(walk[:WALK_VALID].min(), color="0.6", linewidth=1)
ax.text(1000, walk[:WALK_VALID].min(), "lowest training value", ha="right", va="bottom")
plots.show(ax, "The walk falls below everything seen in training (grey line); the "
           "network's forecasts flatten out far above it.")

# %% [markdown]
# Nothing beats persistence, and the network is far off. This walk has wandered to depths that
# never occurred in training. The network's tanh units end at ±1, and it cannot follow. With four
# other, tamer walks its error was 0.8 to 1.4, that of persistence 0.8. (A network that "predicts
# the market" in a figure usually draws yesterday's price, one step late.)

# %% [markdown]
# ## Differencing
#
# The remedy is older than neural networks. Do not forecast the value, forecast its *change*,
# $d_t = s_t - s_{t-1}$. A random walk has no level to return to, but its changes have the same
# distribution at every time: they are **stationary**. For a seasonal series one takes the change
# against the *season before*, $d_t = s_t - s_{t-12}$ for months, the **seasonal difference**.
# Afterwards the forecasts of the changes must be turned back into values.

# %% [markdown] nbgrader={"grade_id": "undo_difference_task", "locked": true}
# ### Your turn: `undo_difference` (2 points)
#
# | argument | | shape |
# |---|---|---|
# | `changes` | the forecast changes $d_n, d_{n+1}, \dots$ after the end of the series | (horizon,) |
# | `history` | the series so far, $s_0 \dots s_{n-1}$ | (n,) |
# | `lag` | the lag of the differences, 1 or a season; at most n | |
#
# Return the forecast values, (horizon,), from $s_t = d_t + s_{t-\text{lag}}$. For a lag of 3, the
# first three values build on the history and the fourth builds on the first forecast.

# %% nbgrader={"grade_id": "undo_difference", "solution": true}
def undo_difference(changes, history, lag=1):
    """Return the values after `history` whose differences are `changes`."""
    ### BEGIN SOLUTION
    values = list(history[-lag:])
    for change in changes:
        values.append(change + values[-lag])
    return np.array(values[lag:])
    ### END SOLUTION


# %% nbgrader={"grade_id": "undo_difference_test", "grade": true, "locked": true, "points": 2}
check(undo_difference)
### BEGIN HIDDEN TESTS
from autograde_tests import grade
grade(undo_difference)
### END HIDDEN TESTS

# %% [markdown]
# One step ahead, undoing the difference means adding the last known value. **Predict.** How
# good is the same network on the changes of the same walk?

# %% tags=["demonstration"]
steps = np.diff(walk, prepend=walk[0])
for name, forecast in zip(("autoregression (12)", "network"), forecast_test(steps)):
    values = walk[WALK_TEST - 1 : -1] + forecast
    print(f"{name:<20} MAE {mean_absolute_error(walk[WALK_TEST:], values):.2f}")

# %% [markdown]
# The network's error falls from 5.87 to 0.83. It does not beat persistence, since on average
# nothing can, but it no longer does harm. On all five walks it was within 0.05 of persistence.
#
# The trend of the CO2 series is the same trap: every value of the test part is higher than every
# value of the training part. **Predict.** What do an autoregression and a network make of it, once
# from the values and once from seasonal differences?

# %% tags=["demonstration"]
yearly = ppm[12:] - ppm[:-12]  # yearly[i] leads to ppm[i + 12]
actual, season_ago = ppm[co2_test_from:], ppm[co2_test_from - 12 : -12]
rows = {
    "persistence": ppm[co2_test_from - 1 : -1],
    "seasonal naive": season_ago,
    "seasonal naive + last change": season_ago + yearly[co2_test_from - 13 : -1],
}
for name, series, shift, base in (
    ("values", ppm, 0, 0.0), ("seasonal differences", yearly, 12, season_ago),
):
    cut, end = co2_valid_from - shift, co2_test_from - shift
    scale = split_and_scale(series, len(series) - cut)
    z = np.concatenate([scale["train"], scale["test"]])
    learn, watch = make_windows(z[:cut], 13), windows_from(z[:end], cut, 13)
    xs, _ = windows_from(z, end, 13)
    keras.utils.set_random_seed(0)
    network = train_forecaster(*learn, *watch)
    for model, one in (
        ("AR (13)", fit_autoregression(*learn)(xs)),
        ("network", network.predict(xs, verbose=0)[:, 0]),
    ):
        rows[f"{model}, {name}"] = base + scale["mean"] + scale["std"] * one
print("CO2 one month ahead, 1997 to 2001")
for name, forecast in rows.items():
    print(f"{name:<30} MAE {mean_absolute_error(actual, forecast):.2f} ppm")

# %% [markdown]
# From the values, the network is three times worse than the seasonal naive forecast. From seasonal
# differences, the same network is good (five seeds: 4.3 to 6.6 and 0.35 to 0.39 ppm). But look at
# the third row: last year's value plus the latest yearly change has 0.34 and trains nothing.
# Differencing did the work, and the network only ties with it. The autoregression, which is linear
# and so can follow a trend anyway, wins once more.

# %% [markdown]
# ## Too good to be true
#
# A colleague is more successful. On the *same random walk* he reports an error 40 % below that
# of persistence. "I only removed some noise from the inputs", he says. His code:

# %% tags=["demonstration"]
half = 6  # values on each side
smooth = np.convolve(walk, np.ones(2 * half + 1) / (2 * half + 1), mode="valid")
values = walk[half:-half]  # the values at the centres of those means
inputs, _ = make_windows(smooth, length=22)
_, targets = make_windows(values, length=22)  # the walk itself, not smoothed
split = 666  # two thirds of the windows
model = fit_autoregression(inputs[:split], targets[:split])
last_values = values[split + 21 : -1]  # the last value of each test window
print(f"persistence  MAE {mean_absolute_error(targets[split:], last_values):.2f}")
his_error = mean_absolute_error(targets[split:], model(inputs[split:]))
print(f"his model    MAE {his_error:.2f}")

# %% [markdown]
# You know that this cannot be: nothing beats persistence on a random walk. Something must be
# leaking. **Which of his lines is it?** Decide before you run the next cell, which changes that
# line and nothing else.

# %% tags=["demonstration"]
smooth = np.convolve(walk, np.ones(2 * half + 1) / (2 * half + 1), mode="full")
smooth = smooth[half : half + len(values)]  # now the mean of the *last* 13 values
inputs, _ = make_windows(smooth, length=22)
model = fit_autoregression(inputs[:split], targets[:split])
honest_error = mean_absolute_error(targets[split:], model(inputs[split:]))
print(f"without leak MAE {honest_error:.2f}")

# %% [markdown]
# It was the first line with `smooth`. A mean *around* each value contains six values that come later,
# so that the newest mean in a window has already seen the target. Windows, split and test were
# all correct, and all in vain. When a score is too good, look for the future in the inputs, and
# try your code on a random walk, where you know the answer.

# %% tags=["demonstration"]
progress()

# %% [markdown]
# ## Further reading
#
# - R. J. Hyndman and G. Athanasopoulos, *Forecasting: Principles and Practice*, third edition,
#   2021, free at otexts.com/fpp3: the best introduction to everything in this lesson but networks.
# - G. U. Yule, "On a Method of Investigating Periodicities in Disturbed Series", 1927.
# - R. J. Hyndman and A. B. Koehler, "Another Look at Measures of Forecast Accuracy", 2006 (MASE).
# - S. Makridakis, E. Spiliotis and V. Assimakopoulos, "The M4 Competition", 2020: 100,000 series
#   and 61 methods. The winner combined exponential smoothing with a recurrent network.
# - H. Hewamalage, C. Bergmeir and K. Bandara, "Recurrent Neural Networks for Time Series
#   Forecasting: Current Status and Future Directions", 2021.
#
# The CO2 series: C. D. Keeling and T. P. Whorf, Scripps Institution of Oceanography, 2004.

# %% [markdown]
# ## In three lines
#
# - Baselines first: persistence, the last season, an autoregression. On sunspots the networks
#   were never far ahead, and five years ahead they lost to a forecast that costs nothing.
# - Split by the calendar, scale with the training part, decide on the validation part, refit,
#   and open the test part once.
# - Difference a series that does not stay where it was; and a score that is too good is a leak
#   until proven otherwise.
#
# *Next: 10 · A language model.*
