"""What stops the grading with a sentence instead of a traceback."""


class CannotGrade(Exception):
    """Grading cannot begin; the message says why, and the way out."""
