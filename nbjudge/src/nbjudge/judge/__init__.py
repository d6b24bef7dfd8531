"""The trusted side: runs the tests in a process of its own and exchanges plain data with the submission's kernel."""
