"""The attacks that gain points when the tests are judged inside the sandbox, each with what that mode does not promise.

The promises are rows of the table in docs/threat_model.md. Any other attack must gain nothing in this mode either.
"""

EXPECTED_VALUES = "expected values stay out of the submission's reach"
PROCESS = "replaced functions of NumPy, `builtins` or `assert`'s helpers, and trace functions, change nothing"
RESULTS = "an object that claims to equal everything, or differs at each look, earns nothing"
CREDIT = "partial credit comes from the test alone"

GAINS_INSIDE = {
    "replace optimised": PROCESS,
    "replace settrace": PROCESS,
    "replace monitoring": PROCESS,
    "equal to everything": RESULTS,
    "equal float": RESULTS,
    "equal array": RESULTS,
    "equal list": RESULTS,
    "equal int": RESULTS,
    "equal text": RESULTS,
    "equal class": RESULTS,
    "any": RESULTS,
    "many axes": RESULTS,
    "lazy": RESULTS,
    "account equal to all": RESULTS,
    "another array at each look": RESULTS,
    "numbers of the class that is asked for": RESULTS,
    "caller's constants": EXPECTED_VALUES,
    "credit that lies": CREDIT,
    "credit of everything": CREDIT,
    "credit of its own class": CREDIT,
    "set credit in the caller": CREDIT,
}
