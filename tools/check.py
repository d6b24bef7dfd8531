"""Check style, types, import contracts and that the notebooks are up to date: `python -m tools.check`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import lint
from tools.build import Fixture, course_fixture, lesson_names, render
from tools.release import ReleaseError
from tools.sources import SourceError

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports", "--no-cache", "--no-logo"],
]
BUILT = ["solutions", "lessons", "rnn_helpers/fixtures"]


def main() -> int:
    """Run all checks, print the problems and return the exit code."""
    failed = [" ".join(command) for command in COMMANDS if not _succeeds(command)]
    problems = [*course_problems(ROOT, course_fixture, course_points()), *lint.syllabus_is_one(ROOT)]
    print("\n".join(problems))
    for command in failed:
        print(
            f"{command}: failed, see above. `ruff check --fix .` and `ruff format .` fix many problems automatically."
        )
    if failed or problems:
        return 1
    print("make check: ok")
    return 0


def course_problems(root: Path, fixture: Fixture, exercises: lint.Exercises) -> Iterator[str]:
    """Yield one sentence for each problem with the notebooks below root."""
    yield from stale_files(root, fixture)
    yield from lint.no_outputs(root)
    lessons = lint.read_lessons(root)
    yield from lint.grade_ids_are_unique(lessons)
    for lesson in lessons:
        yield from lint.no_solutions(lesson)
        yield from lint.tests_belong(lesson, exercises)
        yield from lint.points_add_up(lesson)


def stale_files(root: Path, fixture: Fixture) -> Iterator[str]:
    """Build everything in memory and yield a sentence for each file that differs."""
    expected: dict[str, bytes] = {}
    for lesson in lesson_names(root):
        try:
            expected |= render(root, lesson, fixture)
        except (SourceError, ReleaseError) as error:
            yield str(error)
            return
    for name, content in expected.items():
        path = root / name
        if not path.exists():
            yield f"{name}: is missing. Run `make build`."
        elif path.read_bytes() != content:
            yield f"{name}: differs from the build. Edit source/ or autograde_tests/, then run `make build`."
    for name in sorted(_built(root) - expected.keys()):
        yield f"{name}: has no source in source/. Delete it."


def course_points() -> dict[str, dict[str, float]]:
    """Return the points of each exercise: lesson -> exercise -> points."""
    from autograde_tests import exercises

    return {lesson: {name: ex.points for name, ex in by_name.items()} for lesson, by_name in exercises().items()}


def _built(root: Path) -> set[str]:
    """Return the files in the built folders, except those of notebook servers and Python."""
    paths = (path for folder in BUILT for path in (root / folder).rglob("*"))
    names = {path.relative_to(root).as_posix() for path in paths if path.is_file()}
    return {name for name in names if ".ipynb_checkpoints" not in name and "__pycache__" not in name}


def _succeeds(command: list[str]) -> bool:
    print("$", *command, flush=True)
    program = Path(sys.executable).with_name(command[0])  # of this environment, not of the PATH
    return subprocess.call([str(program), *command[1:]], cwd=ROOT) == 0


if __name__ == "__main__":
    sys.exit(main())
