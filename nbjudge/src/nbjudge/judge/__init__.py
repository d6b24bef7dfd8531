"""Judging from outside: the submission in one kernel, the tests in another, plain data between them."""
