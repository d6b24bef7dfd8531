"""Wrong answers derived from right ones, each with a sentence that says what is wrong with it.

Operators (`operators`, `loops`, `arguments`) change the syntax tree of a right answer, or the arguments with which it
is called, and say in a sentence what they did. `versions` runs the results on the visible checks of an exercise and
keeps those that can be told apart, as fingerprints of their outputs. `make build` writes these to
rnn_helpers/fixtures/generated, so that `check` can name such a mistake without containing an answer.
"""

from autograde_tests.generated_mistakes.versions import GENERATED, lesson_file

__all__ = ["GENERATED", "lesson_file"]
