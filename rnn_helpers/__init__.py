"""What the course's notebooks import: answers, hints, progress, equations, pictures, data and fast cells.

Nothing heavy is imported here. Pictures (`rnn_helpers.plots`), data (`rnn_helpers.data`) and the fast
cells (`rnn_helpers.cells`) are modules of their own, imported by the lessons that use them.
"""

from rnn_helpers.environment import doubting_the_installation

with doubting_the_installation():
    from rnn_helpers.checks.check import CheckFailed, check
    from rnn_helpers.checks.equations import equations
    from rnn_helpers.checks.friendly_errors import soften_errors
    from rnn_helpers.checks.hints import hint
    from rnn_helpers.checks.progress import progress

__all__ = ["CheckFailed", "check", "equations", "hint", "progress"]

soften_errors()
