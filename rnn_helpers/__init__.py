"""Public interface of the course's notebooks: `check`, `hint`, `progress` and `equations`.

Lessons import what else they need by module: figures (`rnn_helpers.plots`), data (`rnn_helpers.data`), fast cells
(`rnn_helpers.cells`) and others. Nothing here takes long to import.
"""

import logging
import os

from rnn_helpers.environment import in_browser, recheck_installation_on_error
from rnn_helpers.threads import use_one_thread

use_one_thread(os.environ)  # before NumPy is imported
if in_browser():  # Matplotlib lists its fonts at each start there, and warns each time that this takes a moment
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

with recheck_installation_on_error():
    from rnn_helpers.checks.check import CheckFailed, check
    from rnn_helpers.checks.equations import equations
    from rnn_helpers.checks.friendly_errors import install_friendly_errors
    from rnn_helpers.checks.hints import hint
    from rnn_helpers.checks.progress import progress

__all__ = ["CheckFailed", "check", "equations", "hint", "progress"]

install_friendly_errors()
