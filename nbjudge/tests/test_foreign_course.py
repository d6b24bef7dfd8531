"""A course that knows nothing of this one, with NumPy, TensorFlow and plain assert cells, is graded as it stands."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from graded_class import rnn_course, said
from nbgrader.api import Gradebook
from tiny_course import LESSON, cell, release, submit

pytestmark = pytest.mark.nbgrader
GIVEN = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
rng = np.random.default_rng(0)
X = rng.normal(size=(8, 3)).astype("float32")

class Scaler:
    def __init__(self, factor):
        self.factor = factor
    def __call__(self, x):
        return self.factor * x
"""

RESCALE = """
def rescale(values, scaler):
    values *= 2
    return scaler(values)
"""
SLOPE = """
def slope(f, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x)
"""
BUILD = """
def build(units):
    layers = [keras.Input((3,)), keras.layers.Dense(units, activation='relu'), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer='sgd', loss='mse')
    return model
"""
RIGHT = {"rescale": RESCALE, "slope": SLOPE, "build": BUILD}
POINTS = 3

# name -> (the visible test, the hidden one)
TESTS = {
    "rescale": (
        "v = np.ones(3)\nassert np.allclose(rescale(v, Scaler(3.0)), 6)",
        "assert v.tolist() == [2, 2, 2], 'values are doubled in place'\n"
        "assert np.allclose(rescale(X.copy(), lambda x: x + 1), 2 * X + 1)",
    ),
    "slope": (
        "assert float(slope(tf.square, tf.constant(3.0))) == 6.0",
        "g = slope(tf.exp, tf.constant([0.0, 1.0]))\nassert g.shape == (2,)\n"
        "tf.debugging.assert_near(g, tf.exp([0.0, 1.0]))",
    ),
    "build": (
        "model = build(5)\nassert isinstance(model, keras.Model)\nassert model.count_params() == 26",
        """
assert model.layers[0].units == 5
assert model.layers[0].activation.__name__ == 'relu'
assert model(X).shape == (8, 1)
W, b, V, c = model.get_weights()
np.testing.assert_allclose(model.predict(X, verbose=0), np.maximum(X @ W + b, 0) @ V + c, rtol=1e-4, atol=1e-6)
history = model.fit(X, X.sum(axis=1), epochs=3, verbose=0).history
assert history['loss'][-1] < history['loss'][0]
assert model.get_config()['layers'][1]['config']['units'] == 5
assert len(model.trainable_variables) == 4
assert model.trainable_variables[0].shape == (3, 5)
""",
    ),
}

LIAR = """
class Liar(np.ndarray):
    __eq__ = lambda *_: True
    all = __eq__

def rescale(values, scaler):
    return np.zeros(3).view(Liar)
"""
FORGED = """
np.allclose = lambda *_, **__: True
tf.debugging.assert_near = print
def slope(f, x):
    return tf.zeros(2)
"""
MODEL = """
class Model(keras.Model):
    def count_params(self): return 26
def build(units): return Model()
"""
# TensorFlow prints when it is first imported; the function that does it is right.
LATE = "def slope(f, x):\n    import tensorflow\n    return 2 * x if x.shape == () else f(x)"
OWN_CLASS = "class Net(keras.Sequential):\n    pass\n" + BUILD.replace("keras.Sequential(", "Net(")
SUBMISSIONS = {
    "right": RIGHT,
    "blank": {},
    "late_import": {**RIGHT, "slope": LATE},
    "liar": {"rescale": LIAR, "slope": FORGED, "build": MODEL},
    "own_class": {**RIGHT, "build": OWN_CLASS},
}
WANTED = {
    "right": [3, 3, 3],
    "blank": [0, 0, 0],
    "late_import": [3, 3, 3],
    "liar": [0, 0, 0],
    "own_class": [3, 3, 3],
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade a class of it with the settings of this project."""
    cells = [nbformat.v4.new_code_cell(GIVEN, id="imports")]
    for name, (visible, hidden) in TESTS.items():
        cells.append(cell(name, f"### BEGIN SOLUTION\n{RIGHT[name]}\n### END SOLUTION", solution=True))
        test = f"{visible}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
        cells.append(cell(f"{name}_test", test, grade=True, locked=True, points=POINTS))
    cells.append(
        cell("essay", "### BEGIN SOLUTION\n# It depends.\n### END SOLUTION", grade=True, solution=True, points=2)
    )
    course = release(tmp_path_factory.mktemp("foreign") / "course", cells)
    for student, answers in SUBMISSIONS.items():
        submit(course, student, **answers)
    said(rnn_course(course, "grade", LESSON, "--jobs", "6"))
    return course


@pytest.mark.parametrize("student", SUBMISSIONS)
def test_each_gets_what_the_answers_deserve(graded, student):
    with Gradebook(f"sqlite:///{graded}/gradebook.db") as gradebook:
        [notebook] = gradebook.find_submission(LESSON, student).notebooks
        earned = {grade.name: grade.auto_score for grade in notebook.grades}
        by_hand = [grade.name for grade in notebook.grades if grade.needs_manual_grade]
    assert [earned[f"{name}_test"] for name in TESTS] == WANTED[student]
    assert by_hand == (["essay"] if earned["essay"] is None else [])
