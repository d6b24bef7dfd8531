"""The specification of every exercise, in one module per lesson, and `grade`, which the hidden tests call."""

from autograde_tests.grade_answer import grade
from autograde_tests.registry import exercises, find

__all__ = ["exercises", "find", "grade"]
