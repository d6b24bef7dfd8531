"""Keras computes with TensorFlow in float32, whatever the machine has set for other programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnn_course.environment import use_tensorflow
from rnn_helpers.keras_settings import WrongBackendError, apply_settings, drop_settings

LESSON = """
from rnn_helpers.quietly import keras
import json, os, numpy as np
model = keras.Sequential([keras.Input((None, 3)), keras.layers.SimpleRNN(2)])
model.compile("sgd", "mse")
epochs = len(model.fit(np.ones((4, 5, 3)), np.ones((4, 2)), epochs=2, verbose=0).history["loss"])
config = keras.config
print(json.dumps([config.backend(), config.floatx(), config.epsilon(), config.image_data_format(),
                  model.weights[0].dtype, epochs, os.environ.get("KERAS_HOME")]))
"""
EXPECTED = ["tensorflow", "float32", 1e-7, "channels_last", "float32", 2]
VARIABLES = [
    {},
    {"KERAS_BACKEND": "jax"},
    {"KERAS_BACKEND": "nonsense", "KERAS_NNX_ENABLED": "true"},
    {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "x"},
    {
        "XLA_FLAGS": "--no_such_flag=1",
        "TF_XLA_FLAGS": "--no_such_flag",
        "TF_USE_LEGACY_KERAS": "1",
        "TF2_BEHAVIOR": "0",
        "TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}',
        "TMPDIR": "/none",
    },
]
FILES = [
    None,
    '{"backend": "torch", "floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}',
    '{"floatx": "float99"}',
    '["no", "settings"]',
    "{",
]


def start(home: Path, **variables: str) -> list[object]:
    """Return what a lesson sees, in a home folder and beside these variables."""
    environ = os.environ | {"HOME": str(home), "KERAS_HOME": str(home / ".keras")} | variables
    ended = subprocess.run(
        [sys.executable, "-c", LESSON], cwd=home, env=environ, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(("variables", "text"), list(zip(VARIABLES, FILES, strict=True)))
def test_variables_of_other_programs_and_keras_json_change_nothing_and_tensorflow_starts_without_a_word(
    tmp_path: Path, variables: dict[str, str], text: str | None
) -> None:
    """Each start takes seconds, so it has both some variables and a file: neither can undo what the other does."""
    file = tmp_path / ".keras" / "keras.json"
    if text is not None:
        file.parent.mkdir()
        file.write_text(text)
    assert start(tmp_path, **variables) == [*EXPECTED, str(file.parent)]
    assert (file.read_text() if file.exists() else None) == text


def test_a_course_and_its_graders_drop_the_same_variables() -> None:
    environ = {"PATH": "/bin", "TF_CPP_MIN_LOG_LEVEL": "0", "TF_NUM_INTRAOP_THREADS": "2", "KERAS_HOME": "/home/ada"}
    environ |= {name: text for variables in VARIABLES for name, text in variables.items()}
    lessons, graders = dict(environ), dict(environ)
    drop_settings(lessons)
    use_tensorflow(graders)
    assert lessons == graders
    kept = {"PATH", "TMPDIR", "TF_CPP_MIN_LOG_LEVEL", "TF_NUM_INTRAOP_THREADS", "KERAS_HOME", "KERAS_BACKEND"}
    assert (set(lessons), lessons["KERAS_BACKEND"]) == (kept, "tensorflow")


def test_another_backend_that_was_imported_before_is_named() -> None:
    class Config:
        @staticmethod
        def backend() -> str:
            return "jax"

    class Keras:
        config = Config

    with pytest.raises(WrongBackendError, match="with the backend 'jax'; expected 'tensorflow'. Restart the kernel"):
        apply_settings(Keras)  # type: ignore[arg-type]
