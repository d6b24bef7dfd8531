"""The claims that evaluate exercises with many correct answers; each sentence is defined only here.

A probe (`properties`, `keras_probes`) returns for each claim whether it holds; an exercise in `autograde_tests` gives
points for claims, and recognises a mistake by those that fail. Students see the sentences, and fixtures contain them.
"""

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
COMPILED = "it is compiled"
BIASES_MOVED = "training has moved its biases away from zero"
ONE_OUTPUT_PER_SEQUENCE = "it gives one number a sequence"
BETWEEN_0_AND_1 = "its outputs are between 0 and 1"
UNBOUNDED = "its outputs may be any number"
LOSS_TAKES_LOGITS = "its loss takes logits and whole numbers"
OUTPUT_PER_STEP = "every step gives an output"
CAUSAL = "what comes later does not change what was said before"

# Lesson 08, build_binary_classifier
INPUT_SHAPE = "it takes 10 steps of 1 feature"
CLASSIFIER_PARAMETERS = "it has 1121 parameters"
OUTPUTS_VARY = "its outputs differ from sequence to sequence"
TANH_SIGMOID_EQUATIONS = "its outputs are those of the equations, tanh inside and sigmoid on top"
ADAM = "its optimizer is Adam"
CROSS_ENTROPY = "its loss is a cross-entropy"
LOSS_TAKES_PROBABILITIES = "its loss takes probabilities, not logits"
REPORTS_ACCURACY = "fit will report its accuracy"
NEW_MODEL_PER_CALL = "each call gives a new model"

# Lesson 08, RecurrentNetwork
OUTPUT_SHAPE = "it makes (batch, 10) of (batch, 20, 100)"
ROWS_SUM_TO_1 = "each row of its outputs adds up to 1"
NETWORK_PARAMETERS = "it has 8060 parameters"
RELU_SOFTMAX_EQUATIONS = "its outputs are those of the equations, ReLU inside and softmax on top"
CUSTOM_SIZES = "RecurrentNetwork(units=7, classes=3) has these sizes"
CONFIG_HAS_SIZES = "get_config gives units and classes"
SURVIVES_SAVING = "a saved and loaded copy computes the same"
CUSTOM_SIZES_SURVIVE_SAVING = "one of other sizes survives it too"
LOSS_FALLS = "training makes its loss fall"

# Lesson 08, train_classifier
RECURRENT_WITH_32_UNITS = "it is a recurrent network of 32 units"
TRAINED_FOR_10_EPOCHS = "it was trained for 10 epochs in batches of 32"
TRAINING_ACCURACY = "it is right on 80 % of the sequences it was given"
TEST_ACCURACY = "it is right on 80 % of sequences it has not seen"
NOT_INVERTED = "it does not answer the other way round"

# Lesson 09, train_forecaster
ONE_FORECAST_PER_WINDOW = "it gives one number a window"
FORECASTS_CORRELATE = "its forecasts rise and fall with what comes"
HIGH_AND_LOW_FORECASTS = "it can forecast both high and low values"
NO_VALIDATION_LEAK = "it has not learnt from the validation windows"
BEATS_PERSISTENCE = "on later windows it is off by at most 0.9 of what persistence is"

# Lesson 10, sample
TEMPERATURE_1 = "at temperature 1 each character comes as often as the softmax says"
TEMPERATURE_0_5 = "at 0.5 each comes as often as it should"
TEMPERATURE_2 = "at 2 each comes as often as it should"
HIGHER_IS_NOT_SHARPER = "2 is not surer than 0.5"
TEMPERATURE_0 = "a temperature of 0 takes the largest logit"
SHIFT_INVARIANT = "adding 1000 to all logits changes nothing"
SAME_GENERATOR_SAME_DRAWS = "the same generator draws the same"
OTHER_GENERATOR_OTHER_DRAWS = "another generator draws something else"

# Lesson 10, build_language_model
ONE_LOGIT_PER_LETTER = "one number for each letter"
KNOWS_ALL_LETTERS = "it knows all letters"
NOT_PROBABILITIES = "its outputs are no probabilities"
PAST_MATTERS = "what came before matters"
STATEFUL = "its memory goes on from one call to the next"
BATCH_INDEPENDENT_WEIGHTS = "its weights do not depend on the batch"
BEATS_BIGRAMS = "after four readings it beats a table of pairs on text kept aside"

# Lesson 11, build_recogniser
OUTPUT_PER_FRAME = "every frame gets an output"
ONE_LOGIT_PER_CLASS = "one number for each class"
EARLIER_FRAMES_MATTER = "what was heard before matters"
LATER_FRAMES_MATTER = "what is heard later matters"
BEATS_FRAMEWISE = "it beats the frame-wise network on voices it has not heard"

# Lesson 12, build_encoder_decoder
ONE_LOGIT_PER_SYMBOL = "one number for each symbol"
SOURCE_MATTERS = "what was read matters"
SOURCE_ORDER_MATTERS = "the order of what was read matters"
EARLIER_SYMBOLS_MATTER = "what was written before matters"
REVERSES_NEW_SEQUENCES = "it turns eight of ten new sequences around, in other symbols"
