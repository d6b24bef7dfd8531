"""A plain NumPy course, as an instructor writes one who knows nbgrader and nothing of how it grades here."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

LESSON = "measuring"
POINTS = {"mean_test": 2.0, "normalise_test": 3.0, "account_test": 3.0, "windows_test": 2.0, "largest_test": 4.0}
FULL = sum(POINTS.values())

# What nobody but the instructor should see. Each is looked for in all that a submission leaves behind.
SECRETS = {
    "hidden tests": "secret-of-the-hidden-tests-8d1f",
    "solutions": "secret-of-the-solutions-41c7",
    "gradebook": "secret-of-the-gradebook-77ab",
    "salt": "5a175a175a175a175a175a175a175a17",
    "another submission": "secret-of-a-classmate-0be2",
}

RIGHT = {
    "mean": "def mean(values):\n    return float(np.sum(values)) / len(values)",
    "normalise": "def normalise(values):\n    return (values - np.mean(values)) / np.std(values)",
    "account": """class Account:
    def __init__(self, owner):
        self.owner = owner
        self.balance = 0

    def deposit(self, amount):
        if amount < 0:
            raise ValueError("An amount is at least 0.")
        self.balance += amount
        return self.balance""",
    "windows": """def windows(values, size):
    for start in range(len(values) - size + 1):
        yield values[start : start + size]""",
    "largest": "def largest(values):\n    return max(range(len(values)), key=lambda place: values[place])",
}
WRONG = {
    "mean": "def mean(values):\n    return -1.0",
    "normalise": "def normalise(values):\n    return np.full(np.shape(values), 5.0)",
    "account": """class Account:
    def __init__(self, owner):
        self.owner, self.balance = 'nobody', -1

    def deposit(self, amount):
        return -1""",
    "windows": "def windows(values, size):\n    yield [-1]",
    "largest": "def largest(values):\n    return -1",
}
TESTS = {
    "mean": (
        "assert mean([1, 2, 3]) == 2",
        "assert abs(mean(heights) - 1.7075) < 1e-9\nassert mean([4.5]) == 4.5\nassert mean(np.arange(10.0)) == 4.5",
    ),
    "normalise": (
        "z = normalise(heights)\nassert z.shape == heights.shape\nnp.testing.assert_allclose(z.mean(), 0, atol=1e-12)",
        "np.testing.assert_allclose(normalise(np.array([1.0, 3.0])), [-1, 1])\n"
        "assert np.allclose(np.std(normalise(heights)), 1)\n"
        "expected = (heights - heights.mean()) / heights.std()\nnp.testing.assert_array_almost_equal(z, expected)",
    ),
    "account": (
        "account = Account('Ada')\naccount.deposit(5)\nassert account.balance == 5",
        "assert account.owner == 'Ada'\nassert account.deposit(7) == 12\n"
        "try:\n    account.deposit(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('accepted -1')",
    ),
    "windows": (
        "assert [list(w) for w in windows([1, 2, 3], 2)] == [[1, 2], [2, 3]]",
        "first = next(windows(heights, 3))\nassert np.array_equal(first, heights[:3])\n"
        "assert len(list(windows(range(10), 4))) == 7",
    ),
    "largest": (
        "credit = 0\nif largest([1, 5, 2]) == 1:\n    credit += 1",
        "if largest(heights) == 3:\n    credit += 1\nif largest([-3, -9]) == 0:\n    credit += 2",
    ),
}


def cells() -> list[nbformat.NotebookNode]:
    """Return the cells of the instructor's notebook."""
    made = [
        new_markdown_cell("# Measuring", id="title"),
        new_code_cell("import math\nimport numpy as np", id="imports"),
        _cell("data", "heights = np.array([1.62, 1.71, 1.68, 1.82])", locked=True),
    ]
    for name, answer in RIGHT.items():
        solution = f"### BEGIN SOLUTION\n{answer}\n# {SECRETS['solutions']}\n### END SOLUTION"
        visible, hidden = TESTS[name]
        test = f"{visible}\n### BEGIN HIDDEN TESTS\n# {SECRETS['hidden tests']}\n{hidden}\n### END HIDDEN TESTS"
        if name == "largest":
            test += "\ncredit"
        made.append(_cell(name, solution, solution=True))
        made.append(_cell(f"{name}_test", test, grade=True, locked=True, points=POINTS[f"{name}_test"]))
    return [*made, _cell("plot", "# Plot the heights.", grade=True, solution=True, points=5)]


def write(course: Path, settings: str) -> None:
    """Write the course's files: its settings, the instructor's notebook, the salt."""
    (course / "solutions" / LESSON).mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(settings)
    (course / ".course_salt").write_text(SECRETS["salt"] + "\n")
    notebook = new_notebook(cells=cells())
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, course / "solutions" / LESSON / f"{LESSON}.ipynb")


def _cell(name: str, source: str, **flags: object) -> nbformat.NotebookNode:
    settings = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(source, id=name, metadata={"nbgrader": {**settings, "grade_id": name, **flags}})
