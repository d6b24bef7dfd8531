"""`python -m nbjudge`, for when the program `nbjudge` is not on the path."""

import sys

from nbjudge.cli import main

sys.exit(main())
