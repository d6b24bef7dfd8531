"""Run TensorFlow and Keras with the settings the course was tested with, whatever this machine sets for other programs.

Both read dozens of variables, and Keras a file in the home folder. Some say what the hardware is like and stay. The
others choose another backend or another precision, shorten training, wait for a cluster, or stop a kernel at a flag
that this release does not know.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

BACKEND = "tensorflow"
FLOATX, EPSILON, DATA_FORMAT = "float32", 1e-7, "channels_last"  # Keras' own
FRAMEWORKS = ("KERAS_", "TF_", "TF2_", "XLA_")
HARDWARE = ("KERAS_HOME", "TF_CPP_", "TF_NUM_", "TF_FORCE_GPU_", "TF_GPU_", "XLA_PYTHON_CLIENT_")


class WrongBackendError(ImportError):
    """Raised when Keras was already imported with another backend; the message says what to do."""


def drop_settings(environ: MutableMapping[str, str]) -> None:
    """Remove the variables that change what TensorFlow and Keras compute, and choose the backend."""
    for name in list(environ):
        if name.startswith(FRAMEWORKS) and not name.startswith(HARDWARE):
            del environ[name]
    environ["KERAS_BACKEND"] = BACKEND


@contextmanager
def without_settings_file(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Keep Keras from reading or writing keras.json while it is imported."""
    home = environ.get("KERAS_HOME")
    environ["KERAS_HOME"] = os.path.join(__file__, "none")  # a path below a file never exists
    try:
        yield
    finally:
        del environ["KERAS_HOME"]
        if home is not None:
            environ["KERAS_HOME"] = home


def apply_settings(keras: ModuleType) -> None:
    """Apply the settings the course was tested with to an imported Keras. Raises WrongBackendError."""
    if (backend := keras.config.backend()) != BACKEND:
        raise WrongBackendError(
            f"Keras was imported before, with the backend {backend!r}; expected {BACKEND!r}. Restart the kernel, and "
            "run the lesson's first cell before any other `import keras`."
        )
    keras.config.set_floatx(FLOATX)
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format(DATA_FORMAT)
    if keras.config.dtype_policy().name != FLOATX:
        keras.config.set_dtype_policy(FLOATX)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    # Keras keeps its downloads in the usual folder.
    config: Any = sys.modules.get("keras.src.backend.config")
    if getattr(config, "_KERAS_DIR", "").startswith(__file__):
        config._KERAS_DIR = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
