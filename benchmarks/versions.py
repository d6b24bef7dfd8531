"""Compare the speed of grading with that of another version: `python -m benchmarks.versions FOLDER`.

FOLDER is a checkout of the other version, such as `git worktree add FOLDER COMMIT` makes. Both grade the same simulated
answers alternately, a whole class and then a single submission, after a first run that is not counted. The output is
the median with the quartiles; the ratios are those of the pairs. Scores are compared cell by cell.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.graded_class import ROOT, SALT, differences, print_row, scores
from benchmarks.grading import PROFILED
from tools.demo.simulated import simulate

COPY = "import sys; from pathlib import Path; from tools.demo.cycle import copy_course; "
COPY += "copy_course(*map(Path, sys.argv[1:3]), sys.argv[3])"


@dataclass(frozen=True)
class Version:
    """A version of the repository, and the course that it grades."""

    root: Path
    course: Path

    def run(self, *arguments: str) -> tuple[float, float]:
        """Run Python with the packages of this version; return wall time and processor time of all its processes.

        Raises SystemExit with the output when it fails.
        """
        paths = [self.course, self.root, self.root / "nbjudge" / "src"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "RNN_COURSE_SALT": SALT}
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        completed = subprocess.run(
            [sys.executable, *arguments], cwd=self.course, env=environment, capture_output=True, text=True, check=False
        )
        if completed.returncode:
            raise SystemExit(f"{self.root}: {' '.join(arguments)} failed:\n{completed.stdout}\n{completed.stderr}")
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def prepare(self, lesson: str, students: int) -> None:
        """Release the lesson, write submissions, and grade them once."""
        self.course.mkdir()
        self.run("-c", COPY, str(self.root), str(self.course), lesson)
        self.run("-m", "nbgrader", "generate_assignment", lesson)
        simulate(self.course, lesson, students, seed=10)
        self.run("-m", "nbjudge", "grade", lesson)


def main() -> None:
    """Measure the pairs and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="FOLDER", help="Checkout of the other version")
    parser.add_argument("--lesson", default=PROFILED)
    parser.add_argument("--students", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        other = Version(args.other.resolve(), Path(folder, "other"))
        this = Version(ROOT, Path(folder, "this"))
        for version in (other, this):
            version.prepare(args.lesson, args.students)
        print(f"{args.lesson}, {args.pairs} pairs: median (quartiles)")
        for label, options in ((f"{args.students} submissions", []), ("one submission", ["--student", "s001"])):
            command = ["-m", "nbjudge", "grade", args.lesson, "--force", "--jobs", "4", *options]
            pairs = [(other.run(*command), this.run(*command)) for _ in range(args.pairs)]
            for clock, name in ((0, "wall"), (1, "CPU")):
                print_row(f"{label}, {name}: the other, s", (first[clock] for first, _ in pairs))
                print_row(f"{label}, {name}: this, s", (second[clock] for _, second in pairs))
                print_row(f"{label}, {name}: this over the other", (b[clock] / a[clock] for a, b in pairs))
        wrong = differences(scores(other.course, args.lesson), scores(this.course, args.lesson))
        print(f"  {'scores that differ':<48} {wrong:8}")


if __name__ == "__main__":
    main()
