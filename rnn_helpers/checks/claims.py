"""The claims that evaluate exercises with many correct answers; each sentence is defined only here.

A probe (`properties`, `keras_probes`) returns for each claim whether it holds; an exercise in `autograde_tests` gives
points for claims. Of a model, what causes a failure is measured, too: `findings`. Students see the sentences, and
fixtures contain them.
"""

# Lesson 01, networks whose weights the student chooses
DELAYS_BY_TWO = "its output is the input of two steps before, within 0.05"
OFF_BEFORE_FIRST_1 = "its output is below 0.5 until the first 1"
ON_FROM_FIRST_1 = "its output is above 0.5 from the first 1 on"
COUNTS_ONES = "when a 1 arrives, its output is the number of ones so far"
KEEPS_COUNT = "while zeros arrive, its output stays at that number"

# Lesson 06, vanishes_despite_large_norm
NORM_AT_LEAST_2 = "the spectral norm is at least 2"
POWER_VANISHES = "the 50th power is below 1e-6"
RADIUS_BELOW_1 = "so the spectral radius is below 1"
FROBENIUS_NORM_AT_LEAST_2 = "so the Frobenius norm is at least 2"

# Lesson 06, grows_despite_small_radius
RADIUS_AT_MOST_0_9 = "the spectral radius is at most 0.9"
SQUARE_HAS_NORM_10 = "W @ W has a norm of at least 10"
NORM_AT_LEAST_3 = "so W has a norm of at least 3"

# Lesson 07, orthogonal
ORTHOGONAL_COLUMNS = "the columns stand at right angles"
UNIT_COLUMNS = "each column has length 1"
UNIT_ROWS = "each row has length 1"
SAME_GENERATOR_SAME_MATRIX = "the same generator gives the same matrix"
OTHER_GENERATOR_OTHER_MATRIX = "another generator gives another matrix"

# Lesson 07, adding_problem
VALUES_BETWEEN_0_AND_1 = "all values are between 0 and 1"
VALUES_DIFFER = "the values differ"
MARKS_ARE_0_OR_1 = "marks are 0 or 1"
TWO_MARKS = "each sequence has two marks"
ONE_MARK_PER_HALF = "one mark in each half"
MARKS_VARY = "the marks stand elsewhere in each sequence"
ANY_STEP_CAN_BE_MARKED = "any step can be marked"
TARGET_IS_MARKED_SUM = "a target is the sum of the marked values"
TARGETS_ARE_NOT_MEANS = "the targets are not the means of the marked values"
TARGETS_ARE_NOT_PRODUCTS = "the targets are not the products of the marked values"
TARGETS_AT_MOST_2 = "no target is above 2"
SAME_GENERATOR_SAME_TASK = "the same generator gives the same task"
OTHER_GENERATOR_OTHER_TASK = "another generator gives another task"

# Lessons 08 to 12, several models
COMPILED = "it should be compiled"
MODEL_TRAINED = "it should be trained"
ONE_OUTPUT_PER_SEQUENCE = "it should output one number per sequence"
UNBOUNDED = "its outputs should be logits, which have no bounds"
LOSS_TAKES_LOGITS = "its loss should be the cross-entropy of logits and integer targets"
OUTPUT_PER_STEP = "it should output logits at every step"
CAUSAL = "an output should not depend on later inputs"

# Lesson 08, build_binary_classifier
INPUT_SHAPE = "it should take 10 steps of 1 feature"
CLASSIFIER_PARAMETERS = "it should have 1121 parameters"
OUTPUTS_VARY = "its outputs should differ between sequences"
PROBABILITY_OR_LOGIT = "its output should be a probability between 0 and 1, or a logit if its loss takes logits"
TANH_SIGMOID_EQUATIONS = (
    "its outputs should be those of the equations, with tanh inside and a sigmoid, in the model or in its loss"
)
ADAM = "its optimizer should be Adam"
CROSS_ENTROPY = "its loss should be the binary cross-entropy"
LOSS_FITS_OUTPUTS = "its loss should take what the model outputs: probabilities, or logits"
REPORTS_ACCURACY = "fit should report the accuracy"
NEW_MODEL_PER_CALL = "each call should return a new model"

# Lesson 08, RecurrentNetwork
OUTPUT_SHAPE = "it should map (batch, 20, 100) to (batch, 10)"
ROWS_SUM_TO_1 = "each row of its outputs should sum to 1"
NETWORK_PARAMETERS = "it should have 8060 parameters"
RELU_SOFTMAX_EQUATIONS = "its outputs should be those of the equations, with ReLU inside and a softmax on top"
CUSTOM_SIZES = "RecurrentNetwork(units=7, classes=3) should have these sizes"
CONFIG_HAS_SIZES = "get_config should return units and classes"
SURVIVES_SAVING = "a saved and loaded copy should give the same outputs"
CUSTOM_SIZES_SURVIVE_SAVING = "so should a copy with other sizes"
LOSS_FALLS = "a training step should lower its loss"

# Lesson 08, fit_with_early_stopping
BEST_WEIGHTS_RESTORED = "the model should end with the weights of its best epoch"
BEST_EPOCH_RETURNED = "the number of that epoch should be returned"

# Lesson 09, train_forecaster
ONE_FORECAST_PER_WINDOW = "it should output one number per window"
FORECASTS_CORRELATE = "its forecasts should rise and fall with the actual values"
HIGH_AND_LOW_FORECASTS = "its forecasts should include both high and low values"
NO_VALIDATION_LEAK = "it should not learn from the validation windows"
BEATS_PERSISTENCE = "on later windows its error should be at most 0.9 times that of persistence"

# Lesson 10, sample
TEMPERATURE_1 = "at temperature 1, each character should be drawn as often as the softmax says"
TEMPERATURE_0_5 = "at temperature 0.5, each character should be drawn as often as the softmax of logits / 0.5 says"
TEMPERATURE_2 = "at temperature 2, each character should be drawn as often as the softmax of logits / 2 says"
HIGHER_IS_NOT_SHARPER = "a temperature of 2 should favour the most likely character less than 0.5 does"
TEMPERATURE_0 = "a temperature of 0 should pick the largest logit"
SHIFT_INVARIANT = "adding 1000 to all logits should change nothing"
SAME_GENERATOR_SAME_DRAWS = "generators with the same seed should give the same draws"
OTHER_GENERATOR_OTHER_DRAWS = "generators with different seeds should give different draws"

# Lesson 10, build_language_model
ONE_LOGIT_PER_LETTER = "it should output one logit per letter"
KNOWS_ALL_LETTERS = "it should accept every letter"
NOT_PROBABILITIES = "its outputs should be logits, not probabilities"
PAST_MATTERS = "an output should depend on earlier characters"
STATEFUL = "its state should carry over from one call to the next"
READABLE_WEIGHTS = "its six weight arrays should be those of an Embedding, a SimpleRNN with tanh and a Dense layer, which later cells read"
BATCH_INDEPENDENT_WEIGHTS = "the shapes of its weights should not depend on the batch size"
BEATS_BIGRAMS = "after four epochs it should beat a table of letter pairs on held-out text"

# Lesson 11, build_recogniser
OUTPUT_PER_FRAME = "it should output logits at every frame"
ONE_LOGIT_PER_CLASS = "it should output one logit per class"
EARLIER_FRAMES_MATTER = "every output should depend on all earlier frames"
LATER_FRAMES_MATTER = "every output should depend on all later frames"
BEATS_FRAMEWISE = "on unseen voices it should make fewer mistakes than the frame-wise network"

# Lesson 12, build_encoder_decoder
ONE_LOGIT_PER_SYMBOL = "it should output one logit per symbol"
SOURCE_MATTERS = "the outputs should depend on the source"
SOURCE_ORDER_MATTERS = "the outputs should depend on the order of the source"
EARLIER_SYMBOLS_MATTER = "an output should depend on all symbols written so far"
READABLE_LAYERS = (
    "later cells should be able to read its two Embedding layers, two SimpleRNN layers with tanh and one Dense layer"
)
REVERSES_NEW_SEQUENCES = "it should reverse eight of ten unseen sequences, written in other symbols"
