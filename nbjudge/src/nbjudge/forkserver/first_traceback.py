"""Format one traceback while this module is imported.

The first traceback of a process compiles the expressions that highlight Python code, and looks up the file of every
module: a tenth of a second that processes forked afterwards do not spend again.
"""

from __future__ import annotations

import sys

from IPython.core.ultratb import AutoFormattedTB


def _format_one() -> None:
    try:
        raise ValueError
    except ValueError:
        AutoFormattedTB(mode="Context").structured_traceback(*sys.exc_info())


_format_one()
