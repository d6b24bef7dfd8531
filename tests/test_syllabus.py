"""The index of the course and the page of equations."""

from pathlib import Path

from rnn_helpers import equations, progress
from rnn_helpers.checks import fixtures, syllabus
from rnn_helpers.checks.equations import PAGE
from tools.lint import syllabus_is_one

ROOT = Path(__file__).resolve().parent.parent


def test_the_index_has_every_lesson_in_order():
    assert list(syllabus.LESSONS) == list(fixtures.lessons()) == sorted(syllabus.LESSONS)


def test_readme_and_sources_that_say_something_else_are_named(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "03_loss.py").write_text("# **Time** about 7 minutes.\n# *Next: 04 · BPTT.*\n")
    (tmp_path / "source" / "99_more.py").write_text("# **Time** about 7 minutes.")
    (tmp_path / "README.md").write_text("\n".join(syllabus.table()[1:]))
    first, *others = syllabus_is_one(tmp_path)
    assert "README.md: lacks the row '| 00 start here |" in first
    assert others == [
        "source/03_loss.py: states another time than rnn_helpers/checks/syllabus.py. Change one of them.",
        "source/03_loss.py: has no line `# *Next: 04 · Backpropagation through time.*`, "
        "which becomes the link to the next lesson.",
        "rnn_helpers/checks/syllabus.py: has no '99_more'. Add what it builds and its minutes.",
    ]


def test_the_index_links_to_the_lessons_that_lie_beside_this_one(tmp_path, monkeypatch, capsys):
    for name in ("00_start_here", "03_loss"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.ipynb").touch()
    monkeypatch.chdir(tmp_path / "00_start_here")
    shown = []
    monkeypatch.setattr("rnn_helpers.cards.show", shown.append)
    progress()
    html = shown[0]._repr_html_()
    assert html.count("<a href=") == 2
    linked, other = syllabus.LESSONS["03_loss"].minutes, syllabus.LESSONS["04_bptt"].minutes
    assert f"<a href='../03_loss/03_loss.ipynb'>03 the loss</a></b>, {linked} minutes" in html
    assert f"<b>04 backpropagation through time</b>, {other} minutes" in html


def test_every_lesson_derives_something_on_the_page_of_equations(capsys):
    equations()
    assert capsys.readouterr().out.strip() == PAGE.read_text(encoding="utf-8").strip()
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")][1:]
    assert {len(row) for row in rows} == {6}, "a bar inside a formula ends its column"
    assert sorted({row[-2].strip() for row in rows}) == [name[:2] for name in syllabus.LESSONS]
