"""Import Keras or TensorFlow without the start-up log: `from rnn_helpers.quietly import keras`.

TensorFlow's C++ side writes greetings (oneDNN, CUDA, processor features) straight to the process' stderr, and its
TF_CPP_MIN_LOG_LEVEL does not hold back all of them. Should the import fail, what it wrote is shown after all.

Keras comes with the settings that the course was tested with: rnn_helpers.keras_settings.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec

from rnn_helpers.environment import (
    INSTALL_KERAS,
    LESSONS_WITH_KERAS,
    UnavailableHereError,
    in_browser,
    recheck_installation_on_error,
)
from rnn_helpers.keras_settings import apply_settings, drop_settings, without_settings_file

STDERR = 2  # the file descriptor that C++ writes to


@contextlib.contextmanager
def _quiet_descriptor() -> Iterator[None]:
    """Capture what is written to descriptor 2; print it if the block raises."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    try:
        captured = tempfile.TemporaryFile()  # noqa: SIM115  (closed below)
        before = os.dup(STDERR)
    except OSError:  # no stderr, or no space for a file: import without capturing
        yield
        return
    with captured:
        os.dup2(captured.fileno(), STDERR)
        try:
            yield
        except BaseException:
            os.dup2(before, STDERR)
            captured.seek(0)
            sys.stderr.write(captured.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(before, STDERR)
            os.close(before)


if in_browser():
    raise UnavailableHereError(
        "TensorFlow does not run in a browser. Skip this cell, since the lesson goes on without it, or open the lesson "
        "on your own machine.",
        name="tensorflow",
    )
if find_spec("tensorflow") is None:
    raise UnavailableHereError(
        f"This Python has no TensorFlow. Lessons {LESSONS_WITH_KERAS} need it, and {INSTALL_KERAS} installs it.",
        name="tensorflow",
    )
drop_settings(os.environ)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with recheck_installation_on_error(), _quiet_descriptor(), without_settings_file(os.environ):
    import keras  # noqa: E402
    import tensorflow  # noqa: E402

apply_settings(keras)
tensorflow.get_logger().setLevel("ERROR")  # a learner cannot act on warnings about retracing

set_random_seed = keras.utils.set_random_seed

__all__ = ["keras", "set_random_seed", "tensorflow"]
