"""What the tests do by night (`make test-night`) and by day only in part."""

import os

NIGHT = os.environ.get("TEST_TIER") == "night"
