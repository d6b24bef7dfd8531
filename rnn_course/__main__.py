"""`python -m rnn_course`, where the program `rnn-course` is not on the path."""

import sys

from rnn_course import main

sys.exit(main())
