"""Grade a class with nbgrader, after canary submissions have shown that the tests work."""
