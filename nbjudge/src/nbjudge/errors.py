"""Errors shown to the user as one sentence, without a traceback."""


class CannotGrade(Exception):  # noqa: N818  (most are refusals, not errors of the program)
    """Grading cannot begin; the message states the reason and what to do."""
