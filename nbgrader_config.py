"""nbgrader's settings for this course. Run nbgrader's commands from the folder that holds this file."""

import os
from pathlib import Path

import nbjudge
from rnn_course.environment import SECRET, use_tensorflow

HERE = Path(__file__).resolve().parent
c = get_config()  # type: ignore[name-defined]  # noqa: F821  (nbgrader provides it)
use_tensorflow(os.environ)

# Where everything is: solutions -> lessons -> exchange -> work -> exchange -> submitted -> autograded -> feedback
c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.root = str(HERE)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "lessons"
c.Exchange.root = str(HERE / "exchange")
c.Exchange.assignment_dir = str(HERE / "work")
c.GenerateAssignment.force = True  # lessons/ is built and committed: it is always there and may always be replaced
c.ClearSolutions.code_stub = {"python": "# Your code goes here, instead of the next line.\nraise NotImplementedError()"}
c.ClearSolutions.text_stub = "YOUR ANSWER HERE"
c.Execute.timeout = 120  # seconds for one cell; a slow machine should not cost points
c.Run.total_seconds = 900  # for one notebook with all its cells

nbjudge.configure(
    c,
    packages=["rnn_helpers"],
    hidden=["autograde_tests"],
    withheld=["keras", "tensorflow", "torch", "rnn_helpers.cells"],  # from answers whose test is tagged from-scratch
    libraries=["tensorflow", "keras"],
    catalogue="autograde_tests:exercises",
    secret=SECRET,
)
