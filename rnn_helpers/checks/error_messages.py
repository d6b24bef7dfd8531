"""Explanations of exceptions whose message alone says enough."""

# Patterns of messages and what they mean; {0}, {1} are the groups of the pattern.
MESSAGES = (
    (
        "'float' object cannot be interpreted as an integer|sequence of integers or a single integer",
        "An integer is needed here, and this is a float: `/` always gives a float, `//` an integer.",
    ),
    (
        "'tuple' object cannot be interpreted as an integer",
        "An integer is needed here, and this is a tuple: of a shape, take one entry, such as `xs.shape[1]`.",
    ),
    ("Cannot interpret '.*' as a data type", "The shape goes in as one tuple: `np.zeros((rows, columns))`."),
    (
        "numpy boolean (?:subtract|negative)",
        "`-` does not work on booleans: `~mask` is True where mask is False, and `1 - mask` gives numbers.",
    ),
    (
        "ufunc 'invert' not supported",
        "`~` needs booleans or integers, and these are floats: `1 - a` turns 0 and 1 around.",
    ),
    ("assignment destination is read-only", "This array is read-only; `.copy()` makes one that you can change."),
    (
        "only 0-dimensional arrays can be converted|only length-1 arrays can be converted",
        "A single number is needed here, and this is an array with several entries.",
    ),
    (
        r"concatenate list|multiply sequence|operand type\(s\) for .*'list'",
        "One side is a list, on which arithmetic works differently: `np.array(...)` makes an array of it.",
    ),
    ("^maximum recursion depth", "The function calls itself again and again, without an end."),
    ("array must be square|must be square", "This function needs a square matrix."),
    (
        r"boolean index did not match .* axis (\d+); size of axis is (\d+) but .* is (\d+)",
        "Along axis {0}, the boolean array that you index with has the size {2}, and the array itself {1}.",
    ),
    (
        r"indexing arrays could not be broadcast together with shapes (\([\d,]*\)) (\([\d,]*\))",
        "You index with two arrays of shapes {0} and {1}, which must match.",
    ),
    (
        r"^einstein sum subscripts string contains too many subscripts for operand (\d+)",
        "The einsum string has more letters for operand {0}, counted from 0, than that array has axes.",
    ),
    (
        r"^array split does not result in an equal division",
        "The array cannot be split into equal parts: the size of the axis is not a multiple of their number.",
    ),
    (r"^unhashable type: 'numpy", "An array can be neither a key of a dict nor an item of a set."),
    (r"^unhashable type: '(\w+)'", "A {0} can be neither a key of a dict nor an item of a set."),
    (r"^object of type 'NoneType' has no len", "`len` needs a list or an array, and gets None."),
    (
        r"^object of type '(?:int|float|[\w.]*64)' has no len",
        "`len` needs a list or an array, and gets a single number.",
    ),
    (
        r"^'(\w+)' object does not support item assignment",
        "Items of a {0} cannot be set; those of a list or an array can.",
    ),
    (r"^[Pp]robabilities do not sum to 1", "The probabilities do not add up to 1."),
    (r"^[Pp]robabilities contain NaN", "There is nan among the probabilities."),
    (r"^[Pp]robabilities are not non-negative", "There are negative numbers among the probabilities."),
    # Keras and TensorFlow
    (
        r"layer '(\w+)' is incompatible .* expected ndim=3, found ndim=2.* received: (\(.*\))",
        "The layer `{0}` needs (batch, steps, features) and gets {1}. A recurrent layer before it passes on every step "
        "only with return_sequences=True.",
    ),
    (
        r"axis -1 of input shape to have value (\d+), but received input with shape (\(.*\))",
        "The layer was built for {0} as the size of the last axis, and its input has the shape {1}.",
    ),
    (
        r"indices\[.*\] = (-?\d+) is not in \[0, (\d+)\)",
        "The Embedding has {1} rows, so its indices must be below {1}; one of them is {0}.",
    ),
    (
        r"label value of (-?\d+) which is outside the valid range of \[0, (\d+)\)",
        "One of the targets is {0}, and the number of the model's outputs is {1}: each class needs an output.",
    ),
    (
        r"Dimensions must be equal, but are \d+ and \d+ .* input shapes: (\[.*\])",
        "The arrays that are combined here have the shapes {0}, where ? is the batch.",
    ),
    (
        r"target\.shape=(\(.*?\)), output\.shape=(\(.*?\))",
        "The loss compares targets of shape {0} with outputs of shape {1}, which do not fit.",
    ),
    (
        "KerasTensor is symbolic|KerasTensor cannot be used as input to a TensorFlow",
        "In a model under construction there are no numbers yet: use a layer or keras.ops, such as keras.ops.tanh.",
    ),
    (
        r"weight shape (\(.*\)) is not compatible with provided weight shape (\(.*?\))",
        "The layer's weight has the shape {0}, and yours has {1}.",
    ),
)
