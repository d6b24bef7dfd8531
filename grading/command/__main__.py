"""`python -m grading.command`, where the program `rnn-course` is not on the path."""

import sys

from grading.command import main

if __name__ == "__main__":
    sys.exit(main())
