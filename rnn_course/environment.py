"""Environment variables of the course's libraries, for the processes that grade."""

from __future__ import annotations

from collections.abc import MutableMapping

SECRET = ("RNN_COURSE_SALT", ".course_salt")  # from which hidden tests draw their inputs
# Variables of TensorFlow and Keras, and those of them that describe the hardware.
FRAMEWORKS = ("KERAS_", "TF_", "TF2_", "XLA_")
HARDWARE = ("KERAS_HOME", "TF_CPP_", "TF_NUM_", "TF_FORCE_GPU_", "TF_GPU_", "XLA_PYTHON_CLIENT_")


def use_tensorflow(environ: MutableMapping[str, str]) -> None:
    """Select the TensorFlow backend, and remove variables that were set for other programs.

    A judge may import Keras before the course, so rnn_helpers.keras_settings would be too late.
    """
    for name in list(environ):
        if name.startswith(FRAMEWORKS) and not name.startswith(HARDWARE):
            del environ[name]
    environ["KERAS_BACKEND"] = "tensorflow"
