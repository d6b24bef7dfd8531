"""What a probe can measure about a wrong model; each sentence is defined only here.

A probe returns a finding only where a measurement singles it out: by layer settings, by the course's equations with the
model's own weights, or by the effect of single inputs on single outputs. Otherwise it names no cause, and the card
shows what was observed. Students see the sentences, so each must be true of every model that it is returned for.
"""

FINDING = "finding"  # the key of a probe's result under which the sentence stands

# Lesson 01, networks whose weights the student chooses
WRONG_DELAY = "Your network repeats its input {actual}; it should be two steps later."
DELAY_SATURATES = (
    "Your network delays small inputs correctly, but tanh flattens those near 1: make W_xh smaller, and W_hy larger."
)
DELAY_ZERO = "Your output is always 0: the input never reaches a unit that W_hy reads."
SCALED_DELAY = "Your output is the right one times {factor}: change W_hy."
LATCH_ALWAYS_ON = "Your output is above 0.5 from the first step on, before any 1 has arrived."
LATCH_NEVER_ON = "Your output never exceeds 0.5."
LATCH_REPEATS = "Your output is above 0.5 only while a 1 arrives: the state has to keep itself alive, through W_hh."
LATCH_TOGGLES = "The first 1 switches your output on, and a later 1 switches it off again."
LATCH_FORGETS = "After a single 1 your output stays above 0.5 for {steps} steps, and then falls below: the state fades."
COUNTER_REPEATS = "Your output is the current input: the state has to carry the count, through W_hh."
COUNTER_LATCHES = "Your output stops at 1: it tells that a 1 has arrived, and not how many."
COUNTER_TOGGLES = "Your output changes between 0 and 1 with each 1: it is the light of this lesson."
SCALED_COUNT = "Your output is the right count times {factor}: change W_hy."
COUNTER_FLATTENS = (
    "Your count is right up to {count}; then tanh flattens the state. Keep the state small: W_xh smaller, W_hy larger."
)
COUNTER_DRIFTS = (
    "Your count is right at first, and then falls slowly, because tanh takes a little from the state at every step: "
    "make the state even smaller."
)
COUNTER_LEAKS = "Your count falls while zeros arrive, like a leaky bucket: no part of the state may get lost in a step."

# Layers
HIDDEN_ACTIVATION = "Your recurrent layer's activation is {actual}; it should be {expected}."
TOP_ACTIVATION = "Your outputs come from the activation {actual}; it should be {expected}."
NO_TOP_ACTIVATION = "Your outputs have no activation; they should go through a {expected}."
SOFTMAX_OF_ONE = "You apply a softmax to a single unit, which always gives 1: use a sigmoid."
SOFTMAX_AXIS = "Your softmax runs over the batch: it should run over the classes, the last axis."
SOFTMAX_OVER_STEPS = "Your outputs sum to 1 over the steps. Return logits, without a softmax."
APPLIED_TWICE = "Your model applies its {name} twice; once is enough."
READS_OUT = "Your output is computed from the {actual}; it should be computed from the last state."
READS_BACKWARDS = "Your recurrent layer reads the sequence backwards, from the last step to the first."
WRONG_UNITS = "Your recurrent layer has {actual} units; it should have {expected}."
NO_HIDDEN_BIAS = "Your recurrent layer has no bias."
NO_OUTPUT_BIAS = "Your Dense layer has no bias."
OTHER_CELL = "Your recurrent layer is keras.layers.{actual}; it should be SimpleRNN."
NO_RECURRENT_LAYER = "Your model has no recurrent layer."
STEPS_AND_FEATURES = "You swapped steps and features: keras.Input takes (steps, features), here (10, 1)."
RETURNS_SEQUENCES = "Your recurrent layer returns all its states; leave out return_sequences=True."
RETURNS_LAST_STATE = "Your recurrent layer returns only its last state: set return_sequences=True."
ACTIVATION_ON_TOP = "Your last layer has the activation {actual}; it should have none."
SAME_MODEL = "Your function returns the same model at every call; build a new one inside the function."

# Compilation and training
NOT_COMPILED = "You do not compile the model."
OTHER_OPTIMIZER = "Your optimizer is {actual}; it should be Adam."
OTHER_LOSS = "Your loss is {actual}; it should be {expected}."
LOSS_TAKES_ONE_HOT = "Your loss, CategoricalCrossentropy, takes one-hot targets. The targets here are integers: use SparseCategoricalCrossentropy."
FROM_LOGITS_MISSING = "Your loss treats the logits as probabilities: set from_logits=True."
LOGITS_FOR_SIGMOID = "Your last layer applies a sigmoid, but the loss expects logits: leave out from_logits=True."
LOGITS_FOR_PROBABILITY_LOSS = "Your outputs have no activation, and your loss takes probabilities: add a sigmoid, or compile with keras.losses.BinaryCrossentropy(from_logits=True)."
LOGITS_FOR_SOFTMAX = (
    "Your model outputs probabilities, but the loss expects logits (from_logits=True): leave out the softmax."
)
PROBABILITIES = "Your model outputs probabilities. Output logits, and let the loss apply the softmax: from_logits=True."
NO_METRICS = 'You compile the model without a metric: metrics=["accuracy"] is missing.'
RATE_ZERO = "The learning rate is 0, so training changes nothing."
NOTHING_TRAINABLE = "None of the weights is trainable."
NEVER_TRAINED = "Your model looks untrained: its optimizer has made no step, and its biases are still zero."
LEARNS_FROM_VALIDATION = (
    "Your model learns from the validation windows: with the opposite validation targets, its forecasts change sign."
)

# Lesson 08, fit_with_early_stopping
MODEL_UNCHANGED = "The model has the weights that it started with: call model.fit."
LAST_EPOCH_KEPT = "The model keeps the weights of the last of {epochs} epochs, long after the best one: stop in time."
STOPPED_WITHOUT_RESTORING = (
    "You stop in time, but keep the weights of the last epoch instead of the best one: set restore_best_weights=True."
)
TRAINING_TOO_SHORT = "Your training ends before the validation loss has reached its minimum."
WEIGHTS_OF_OTHER_EPOCH = (
    "The model ends with the weights of another epoch than the one with the lowest validation loss."
)
EPOCH_FROM_0 = "Your number is one too small: argmin counts from 0, but the first epoch is number 1."
STOPPING_EPOCH = "You return the epoch after which training stopped; the best epoch came before it."
TRAINED_ON_VALIDATION = "You train on the validation sequences: pass them to fit as validation_data."
MANY_BATCHES = "Your training takes several steps per epoch; with batch_size=len(xs) it takes one."

# Lesson 08, RecurrentNetwork
LAYERS_MADE_IN_CALL = "Your class keeps no weights, and two calls on the same input give different outputs: create the layers in __init__ and use them in call."
FIXED_SIZES = "Your layers have 50 units and 10 classes, whatever __init__ is given."
INHERITS_SEQUENTIAL = "Your class inherits from keras.Sequential, whose get_config lists the layers. Inherit from keras.Model, and return units and classes."
CONFIG_WITHOUT_SIZES = "Your get_config returns neither units nor classes."

# Lesson 10
IGNORES_TEMPERATURE = "The temperature has no effect on your draws: divide the logits by it before np.exp."
DRAWS_LIKE = "You draw as if the logits were {actual}; they should be divided by the temperature."
DRAWS_UNIFORMLY = "You draw all characters equally often: use the softmax of the logits."
DRAWS_SOFTMAX_OF_SOFTMAX = "You draw as if the softmax were applied twice."
DRAWS_POWERS_OF_2 = "You draw as if powers of 2 stood in place of np.exp."
ALWAYS_LARGEST = "You always return the index of the largest logit, whatever the temperature."
ALWAYS_THE_SAME = (
    "Every call with the same logits returns the same number: draw with rng, and create no generator of your own."
)
ZERO_FAILS = "Your function fails at temperature 0, where it should return the index of the largest logit."
LARGE_LOGITS_FAIL = "Your function fails for large logits: subtract the largest logit before np.exp."
OTHER_RANDOMNESS = "Some of your random numbers do not come from rng: two runs with the same seed differ."
NOT_STATEFUL = "Your recurrent layer is not stateful: set stateful=True."
LOOKS_AHEAD = "Your model reads in both directions, so it sees the characters that it should predict."
READS_TEXT_BACKWARDS = "Your recurrent layer reads backwards: set go_backwards=False."
EMBEDDING_SWAPPED = (
    "You swapped the arguments of Embedding: the number of letters comes first, then the size of a vector."
)
EMBEDDING_TOO_SMALL = "Your Embedding has {actual} rows; it needs one for each of the {expected} letters."
FIXED_OUTPUTS = "Your model has {actual} outputs, whatever the argument {argument} is."
OTHER_LAYERS = (
    "Your model does not consist of {expected} layer; later cells of this lesson read the weights of exactly these."
)

# Lesson 11
READS_FORWARDS_ONLY = "Your model reads forwards only: wrap the recurrent layer in keras.layers.Bidirectional."
READS_BACKWARDS_ONLY = "Your model reads backwards only: wrap the recurrent layer in keras.layers.Bidirectional."
NEVER_REVERSED = "The outputs of your backward layer are not reversed again: its first output belongs to the last frame. keras.layers.Bidirectional reverses them."
BACKWARDS_NOT_REVERSED = (
    "Your model reads backwards only, and its outputs are not reversed again: the first belongs to the last frame."
)

# Lesson 12
INPUTS_SWAPPED = "You swapped the inputs: expected keras.Model([source, written], ...)."
WRITTEN_IGNORED = "Your model ignores its second input, the symbols written so far."
SOURCE_IGNORED = "Your outputs do not depend on the source: the decoder should start from the encoder's last state."
SOURCE_WITHOUT_ORDER = "Your encoder ignores the order of the source: use a recurrent layer."
DECODER_WITHOUT_STATE = "Your decoder sees only the last symbol written: use a recurrent layer."
DECODER_LOOKS_AHEAD = "Your decoder reads in both directions, so it sees the symbols that it should predict."
EMBEDDING_SHARED = (
    "Your encoder and decoder share one Embedding; give each its own, since later cells of this lesson read both."
)
RECURRENT_LAYER_SHARED = (
    "Your encoder and decoder share one SimpleRNN; give each its own, since later cells of this lesson read both."
)
