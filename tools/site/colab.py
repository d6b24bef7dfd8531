"""Notebooks for Google Colab: the released lessons, with a first cell that installs the course's package."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.installation import COURSE, project_tables
from tools.lint import Lesson
from tools.next_lesson import change_link

INSTALL_ID = "install_the_course"


def colab_notebook(lesson: Lesson, requirement: str) -> NotebookNode:
    """Return the released lesson with a cell below its title that installs a requirement such as "rnn-course~=1.0".

    Colab has TensorFlow, so the extra `keras` is not asked for: it would replace Colab's own, which knows its GPUs.
    """
    notebook = copy.deepcopy(lesson.released)
    for cell in notebook.cells:  # Colab opens one notebook, with no other beside it
        cell.source = change_link(cell.source, lambda name: "")
    install = nbformat.v4.new_code_cell(f'%pip install --quiet "{requirement}"', id=INSTALL_ID)
    notebook.cells.insert(1, install)
    return notebook


def own_requirement(root: Path) -> str:
    """Return the requirement of a release that fits the lessons of this folder."""
    major, minor, *_ = project_tables(root)[COURSE]["version"].split(".")
    return f"{COURSE}~={major}.{minor}"


def write_colab_notebooks(root: Path, lessons: list[Lesson], folder: Path) -> None:
    """Write one notebook for each lesson."""
    folder.mkdir(parents=True, exist_ok=True)
    requirement = own_requirement(root)
    for lesson in lessons:
        nbformat.write(colab_notebook(lesson, requirement), folder / f"{lesson.name}.ipynb")
