"""`python -m nbjudge`, where the program `nbjudge` is not on the path."""

import sys

from nbjudge.cli import main

sys.exit(main())
