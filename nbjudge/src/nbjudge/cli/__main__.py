"""`python -m nbjudge.cli`, where the program `rnn-course` is not on the path."""

import sys

from nbjudge.cli import main

if __name__ == "__main__":
    sys.exit(main())
