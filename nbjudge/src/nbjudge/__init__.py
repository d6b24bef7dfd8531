"""The instructor's side of nbgrader: knows notebooks and gradebooks, and nothing of what a course teaches."""
