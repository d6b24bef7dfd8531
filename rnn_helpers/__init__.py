"""What the course's notebooks import: answers, hints, progress, equations, pictures, data and fast cells.

Nothing heavy is imported here. Pictures (`rnn_helpers.plots`), data (`rnn_helpers.data`) and the fast
cells (`rnn_helpers.cells`) are modules of their own, imported by the lessons that use them.
"""

from rnn_helpers.environment import doubting_the_installation

with doubting_the_installation():
    from rnn_helpers.checking import CheckFailed, check
    from rnn_helpers.equations import equations
    from rnn_helpers.hints import hint
    from rnn_helpers.progress import progress
    from rnn_helpers.softening import soften_errors

__all__ = ["CheckFailed", "check", "equations", "hint", "progress"]

soften_errors()
