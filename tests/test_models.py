"""A model that cannot be judged gets one clear sentence; TensorFlow is never imported by accident."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from autograde_tests.grade_answer import report_on
from rnn_helpers.checks import findings


def keras_module():
    from rnn_helpers.quietly import keras

    return keras


def classifier(*layers, compiled=True, shape=(10, 1)):
    """Return a model of the given layers, or of the right ones."""
    keras = keras_module()
    layers = layers or (keras.layers.SimpleRNN(32), keras.layers.Dense(1, activation="sigmoid"))
    model = keras.Sequential([keras.Input(shape), *layers] if shape else list(layers))
    if compiled:
        model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def with_nan():
    model = classifier()
    model.set_weights([np.full(array.shape, np.nan) for array in model.get_weights()])
    return model


def a_history(*_):
    return classifier().fit(np.zeros((4, 10, 1)), np.zeros(4), verbose=0)


UNFIT = [
    (lambda: None, "expected a Keras model, got None (did the function forget its return?)"),
    (lambda: keras_module().Sequential, "got the class Sequential itself, not an instance: call it with ()"),
    (lambda: classifier, "got a function, not its result"),
    (a_history, "got a History: that is what fit returns. Return the model itself"),
    (lambda: classifier(shape=None), "the model has no weights yet: begin it with keras.Input"),
    (with_nan, "hold nan or inf; such a model answers nothing"),
]


@pytest.mark.parametrize(("build", "sentence"), UNFIT, ids=[sentence for _, sentence in UNFIT])
def test_what_is_no_model_gets_one_sentence(build, sentence: str) -> None:
    report = report_on(build, "build_binary_classifier")
    assert report.points == 0
    assert sentence in report.problems[report.first_wrong].sentence


def test_a_wrong_input_shape_is_named() -> None:
    report = report_on(lambda: classifier(shape=(1, 10)), "build_binary_classifier")
    assert report.problems["sizes"].sentence == (
        "it should take 10 steps of 1 feature: it takes inputs of shape (None, 1, 10)"
    )


def test_a_wrong_output_shape_is_named() -> None:
    layers = keras_module().layers
    every_step = layers.SimpleRNN(32, return_sequences=True), layers.Dense(1, activation="sigmoid")
    report = report_on(lambda: classifier(*every_step), "build_binary_classifier")
    assert report.problems["sizes"].sentence.endswith("for 64 sequences its shape is (64, 10, 1)")


def test_an_untrained_model_is_called_that() -> None:
    report = report_on(lambda model, *data: 20, "fit_with_early_stopping")
    assert report.points == 0
    assert report.problems["it trains"].sentence.endswith("its weights are those that it started with")
    assert report.mistake == findings.MODEL_UNCHANGED


def test_a_class_that_waits_for_its_get_config_keeps_what_it_has() -> None:
    keras = keras_module()

    class RecurrentNetwork(keras.Model):
        def __init__(self, units=50, classes=10, **kwargs):
            super().__init__(**kwargs)
            self.rnn = keras.layers.SimpleRNN(units, activation="relu")
            self.readout = keras.layers.Dense(classes, activation="softmax")

        def call(self, xs):
            return self.readout(self.rnn(xs))

        def get_config(self):
            raise NotImplementedError()

    report = report_on(RecurrentNetwork, "RecurrentNetwork")
    assert not report.unsolved
    assert report.results["its outputs"]
    assert "`raise NotImplementedError()` still stands in it" in report.problems["its configuration"].sentence


def test_what_is_explained_first_is_wrong_and_not_only_to_be_looked_at_later() -> None:
    layers = keras_module().layers
    untrained = keras_module().Sequential([keras_module().Input((None, 1)), layers.SimpleRNN(4), layers.Dense(1)])
    report = report_on(lambda xs, ys, xs_valid, ys_valid: untrained, "train_forecaster")
    assert report.first_wrong == "it was trained"


def test_a_layer_may_not_stand_in_for_the_students_own_loop() -> None:
    def numpy_from_keras(layer, xs, mask=None, initial_state=None):
        return np.array(layer(xs, mask=mask, initial_state=initial_state))

    report = report_on(numpy_from_keras, "numpy_from_keras")
    assert report.points == 0
    assert "it may not use keras.src.layers.layer.Layer.__call__" in report.problems[report.first_wrong].sentence


def in_new_process(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120)


def test_what_is_written_before_a_failing_import_is_shown() -> None:
    ended = in_new_process(
        "import sys, os\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'keras':\n"
        "            os.write(2, b'a library is missing')\n"
        "            raise ImportError('no keras here')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "import rnn_helpers.quietly"
    )
    assert ended.returncode == 1
    assert "a library is missing" in ended.stderr
    assert "no keras here" in ended.stderr


def test_the_numpy_lessons_never_import_tensorflow() -> None:
    ended = in_new_process(
        "import sys\n"
        "from autograde_tests.grade_answer import report_on\n"
        "from autograde_tests import find\n"
        "assert report_on(find('rnn_step').oracle, 'rnn_step').passed\n"
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    assert ended.stdout.strip() == "[]", ended.stderr


def test_a_class_that_was_registered_again_under_its_name_is_loaded_as_itself() -> None:
    keras = keras_module()

    def network(works: bool):
        @keras.saving.register_keras_serializable()
        class RecurrentNetwork(keras.Model):
            def __init__(self, units=50, classes=10, **kwargs):
                super().__init__(**kwargs)
                if not works:
                    raise NotImplementedError()
                self.units, self.classes = units, classes
                self.rnn = keras.layers.SimpleRNN(units, activation="relu")
                self.readout = keras.layers.Dense(classes, activation="softmax")

            def call(self, xs):
                return self.readout(self.rnn(xs))

            def get_config(self):
                return super().get_config() | {"units": self.units, "classes": self.classes}

        return RecurrentNetwork

    answer = network(works=True)
    network(works=False)  # such as the stub of the same notebook, imported later
    report = report_on(answer, "RecurrentNetwork")
    assert report.passed, report.problems
