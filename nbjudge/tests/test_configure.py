"""nbjudge.configure: what it sets, what it leaves, and that nothing is graded where it could not be applied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nbgrader_course import nbgrader
from tiny_course import LESSON, make_course, submit
from traitlets.config import Config

import nbjudge
from nbjudge import config as configuring
from nbjudge.autograde.converter import Grading
from nbjudge.config import find_package


@pytest.fixture(autouse=True)
def _process_as_before(monkeypatch: pytest.MonkeyPatch, kernels_as_before) -> None:
    monkeypatch.setattr(Grading, "refusal", "")
    monkeypatch.setattr(configuring, "prepare_environment", lambda course: None)
    for name in ("PATH", "PYTHONPATH", "JUPYTER_CONFIG_PATH", "OPENBLAS_NUM_THREADS"):
        if name in os.environ:
            monkeypatch.setenv(name, os.environ[name])


def test_two_lines_are_enough(tmp_path: Path) -> None:
    (tmp_path / "my_helpers").mkdir()
    settings = Config()
    nbjudge.configure(settings, packages=["my_helpers"], hidden=["my_tests"], course=tmp_path)
    assert settings.SandboxProvisioner.packages == [str(tmp_path / "my_helpers")]
    assert settings.SandboxProvisioner.hidden == ["my_tests"]
    assert settings.CourseDirectory.root == str(tmp_path)
    assert settings.Autograde.autograde_preprocessors[0] == "nbjudge.Run"
    assert Grading.refusal == ""


def test_what_the_course_has_set_is_left(tmp_path: Path) -> None:
    settings = Config()
    settings.SandboxProvisioner.required = True
    settings.HTMLExporter.sanitize_html = False
    nbjudge.configure(settings, course=tmp_path)
    assert settings.SandboxProvisioner.required
    assert not settings.HTMLExporter.sanitize_html


def test_packages_are_beside_the_settings_or_installed(tmp_path: Path) -> None:
    (tmp_path / "single.py").touch()
    assert find_package("single", tmp_path) == tmp_path / "single.py"
    assert find_package("numpy", tmp_path).name == "numpy"


@pytest.mark.parametrize(
    ("own", "packages", "sentence"),
    [
        ({}, ["no_such"], r"packages names 'no_such', which is neither in .* nor installed\."),
        (
            {"Autograde": {"autograde_preprocessors": ["grading.judge.run.Run"]}},
            [],
            r"c\.Autograde\.autograde_preprocessors names 'grading\.judge\.run\.Run'\.",
        ),
        ({"BoxedProvisioner": {"required": True}}, [], r"c\.BoxedProvisioner is now c\.SandboxProvisioner\."),
    ],
)
def test_settings_that_cannot_be_applied_say_why_and_nothing_is_graded(
    tmp_path: Path, own: dict, packages: list[str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        nbjudge.configure(Config(own), packages=packages, course=tmp_path)
    assert Grading.refusal.startswith("nbgrader_config.py could not be applied: ")


@pytest.mark.nbgrader
@pytest.mark.parametrize(
    "line", ["from grading.converter import put_in_place", "c.Autograde.x = 'grading.record.Record'"]
)
def test_old_names_end_with_one_sentence_and_no_submission_runs(tmp_path: Path, line: str) -> None:
    course = make_course(tmp_path / "course")
    submit(course, "ada", double="open('ran', 'w')")
    settings = course / "nbgrader_config.py"
    text = settings.read_text()
    assert "nbjudge.configure(" in text
    settings.write_text(text.replace("nbjudge.configure(", f"{line}\nnbjudge.configure("))
    printed = nbgrader(course, "autograde", LESSON, fails=True)
    assert "Nothing was graded." in printed
    assert printed.count("nbjudge.configure(get_config()") >= 1
    assert not list(course.rglob("ran"))
    assert not (course / "autograded").exists()
