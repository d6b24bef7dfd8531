"""Grades a class of attacks, with honest students among them, in one run; says what came of it.

Attack n is student `a00n`; honest ones, `a00n_honest`, come after it. When a run leaves honest students ungraded, the
attack before the first of them is blamed and taken out, and nbgrader is run again, so that one flaw hides no other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader_course import ROOT, nbgrader, surroundings
from sqlalchemy.exc import SQLAlchemyError

from .corpus import ALONE, Attack
from .outcomes import Outcome, Report

SETTINGS = """
# For the corpus: small limits, but enough time to import TensorFlow on a busy machine.
c.Execute.timeout = 20
c.SandboxProvisioner.memory_mb = 2000
c.SandboxProvisioner.disk_mb = 300
c.SandboxProvisioner.files = 5000
c.Run.total_seconds = 90
"""
JUDGED_INSIDE = "c.Run.judging = {'*': 'inside'}\n"
CLASSMATE = "classmate"
BY_NBGRADER = ("nbgrader", "autograde")
IN_PARALLEL = ("nbjudge", "grade", "--jobs", "4")  # more than there are processors: many attacks sleep until a limit


@contextmanager
def listening() -> Iterator[tuple[int, socket.socket]]:
    """Listen on this machine, in the place of a machine that somebody sends answers to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener.getsockname()[1], listener


class Classroom:
    """A course in a folder of its own, which is open to every user of the machine, so that only the box protects it."""

    def __init__(self, folder: Path, attacks: list[Attack], settings: str, command: tuple[str, ...], port: int = 9):
        self.folder, self.attacks, self.port = folder, attacks, port
        self.course, self.drop = folder / "course", folder / "drop"
        self.plan = import_module(f".{attacks[0].course}", __package__)
        self.lesson, self.points, self.secrets = self.plan.LESSON, self.plan.POINTS, self.plan.SECRETS
        self.drop.mkdir()
        for path in (folder, self.drop):
            path.chmod(0o777)
        self.plan.write(self.course, settings)
        nbgrader(self.course, "generate_assignment", self.lesson)
        self.command = command
        self.students = {f"a{number:03}": attack for number, attack in enumerate(attacks)}
        self.honest: list[str] = []
        self._enrol()

    def _enrol(self) -> None:
        first, *_ = self.plan.RIGHT
        marked = f"# {self.secrets['another submission']}\n{self.plan.RIGHT[first]}"
        fill = Attack("fill", self.plan.RIGHT | {first: marked})
        self._submit("a", fill)  # the first of all
        self.honest.append("a")
        for number, (student, attack) in enumerate(self.students.items()):
            self._submit(student, attack)
            if attack.family in ALONE or number % 5 == 4 or number == len(self.students) - 1:
                self.honest.append(f"{student}_honest")
                self._submit(self.honest[-1], fill)
        with Gradebook(f"sqlite:///{self.course}/gradebook.db") as gradebook:
            gradebook.update_or_create_student(CLASSMATE, first_name=self.secrets["gradebook"])
        self.before = self._hashes()

    def _submit(self, student: str, attack: Attack) -> None:
        folder = self.course / "submitted" / student / self.lesson
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (self.drop / student).mkdir(exist_ok=True)
        (self.drop / student).chmod(0o777)
        notebook = json.loads((self.course / "lessons" / self.lesson / f"{self.lesson}.ipynb").read_text())
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            if name in attack.answers:
                cell["source"] = self._filled(attack.answers[name], student)
        if attack.edit:
            attack.edit(notebook)
        raw = json.dumps(notebook).encode()
        (folder / f"{self.lesson}.ipynb").write_bytes(attack.raw(raw) if attack.raw else raw)
        for name, content in attack.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            text = self._filled(content, student).encode() if isinstance(content, str) else content
            (folder / name).write_bytes(text)
        if attack.folder:
            attack.folder(folder, self.course)

    def _filled(self, text: str, student: str) -> str:
        known = {"@COURSE@": self.course, "@DROP@": self.drop / student, "@PORT@": self.port}
        for mark, value in known.items():
            text = text.replace(mark, str(value))
        return text

    # Grading

    def grade(self) -> Report:
        """Grade all of them, second submissions too, and look at what came of it."""
        outcomes = {student: Outcome(attack) for student, attack in self.students.items()}
        said = self._until_all_are_graded(outcomes)
        again = {student: attack.then for student, attack in self.students.items() if attack.then}
        for student, second in again.items():
            self._submit(student, second)
        if again:
            self.before = self._hashes()
            said += self._until_all_are_graded(outcomes, "--force")
        harm = self._harm()
        nbgrader_says = self._run("nbgrader", "generate_feedback", self.lesson)
        for student, outcome in outcomes.items():
            if not outcome.aborted:
                self._look(student, outcome)
            outcome.leaks += self._leaks(student)
        return Report(list(outcomes.values()), harm, f"{said}\n{nbgrader_says.stdout}")

    def _until_all_are_graded(self, outcomes: dict[str, Outcome], *options: str) -> str:
        said, self.since = "", time.time()
        for _ in range(len(self.attacks) + 1):
            ended = self._run(*self.command, self.lesson, *options)
            said += f"{ended.stdout}\n[ended with {ended.returncode}]\n"
            ungraded = [student for student in self.honest if not self._graded(student)]
            if not ungraded:
                break
            suspects = [s for s in outcomes if s < ungraded[0] and not outcomes[s].aborted]
            if not suspects:
                break
            outcomes[suspects[-1]].aborted = True
            shutil.rmtree(self.course / "submitted" / suspects[-1], ignore_errors=True)
        self.ended_with = ended.returncode
        return said

    def _run(self, *command: str) -> subprocess.CompletedProcess:
        seconds = 120 + 20 * len(self.attacks)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.course,
                env=surroundings(self.course, HOME=str(self.folder)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            output.seek(0)
            return subprocess.CompletedProcess(command, code, output.read())

    # What came of it

    def _graded(self, student: str) -> bool:
        graded = self.course / "autograded" / student / self.lesson / f"{self.lesson}.ipynb"
        return graded.is_file() and graded.stat().st_mtime > self.since

    def _scores(self, student: str) -> dict[str, float] | None:
        """Return the points of each cell, all that somebody added included, or None for who is not there."""
        try:
            with Gradebook(f"sqlite:///{self.course}/gradebook.db") as gradebook:
                [notebook] = gradebook.find_submission(self.lesson, student).notebooks
                return {
                    grade.name: (grade.score or 0) + (grade.extra_credit or 0)
                    for grade in notebook.grades
                    if grade.score or grade.extra_credit or grade.name in self.points
                }
        except (MissingEntry, SQLAlchemyError, ValueError):
            return None

    def _look(self, student: str, outcome: Outcome) -> None:
        scores = self._scores(student)
        if scores is None:
            outcome.missing = True
            return
        last = outcome.attack.then or outcome.attack
        outcome.scores = scores
        outcome.undeserved = sum(max(0.0, score - last.most.get(cell, 0)) for cell, score in scores.items())
        outcome.denied = sum(max(0.0, points - scores.get(cell, 0)) for cell, points in last.least.items())

    def _leaks(self, student: str) -> list[str]:
        """Return what a submission got hold of: in its notebook (but for the tests), its files and its feedback."""
        folders = [self.drop / student, self.course / "autograded" / student, self.course / "feedback" / student]
        files = [f for folder in folders for f in folder.rglob("*") if f.is_file()]
        text = "".join(self._text(file) for file in files)
        found = [kind for kind, secret in self.secrets.items() if secret in text]
        return found + (["world outside"] if "undeserved" in text else [])

    def _text(self, file: Path) -> str:
        raw = file.read_bytes()
        if file.suffix == ".ipynb" and "autograded" in file.parts and file.stem == self.lesson:
            cells = json.loads(raw)["cells"]
            cells = [c for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") not in self.points]
            return json.dumps([cell.get("outputs") for cell in cells])
        return raw.decode("utf-8", "replace")

    def _harm(self) -> list[str]:
        """Return what was done to others."""
        harm = [] if self.ended_with == 0 else [f"the last run ended with {self.ended_with}"]
        for student in self.honest:
            scores = self._scores(student) or {}
            if {cell: scores.get(cell) for cell in self.points} != self.points or sum(
                scores.values()
            ) != self.plan.FULL:
                harm.append(f"{student}, who is honest, has {scores or 'no scores'}{self._after(student)}")
        try:
            with Gradebook(f"sqlite:///{self.course}/gradebook.db") as gradebook:
                unchanged = gradebook.find_student(CLASSMATE).first_name == self.secrets["gradebook"]
        except (MissingEntry, SQLAlchemyError):
            unchanged = False
        if not unchanged:
            harm.append("what stood in the gradebook before was changed")
        now = self._hashes()
        aborted = {student for student in self.students if not (self.course / "submitted" / student).exists()}
        harm += [
            f"{name} was changed or removed"
            for name, digest in self.before.items()
            if now.get(name) != digest and aborted.isdisjoint(Path(name).parts)
        ]
        harm += [f"{name} was planted" for name in sorted(set(now) - set(self.before))]
        return harm

    def _after(self, student: str) -> str:
        """Return whom an honest student comes after."""
        attack = self.students.get(student.removesuffix("_honest"))
        return f" after {attack.name} ({attack.family})" if attack else ""

    def _hashes(self) -> dict[str, Any]:
        """Return {path: hash} of what no submission may change, beside the gradebook."""
        kept = ("solutions", "lessons", "submitted", ".ipython", "nbgrader_config.py", ".course_salt")
        places = [self.course / name for name in kept]
        files = [f for place in places for f in ([place] if place.is_file() else sorted(place.rglob("*")))]
        return {
            str(f.relative_to(self.course)): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in files
            if f.is_file() and not f.is_symlink() and os.stat(f).st_nlink == 1
        }


@contextmanager
def classroom(attacks: list[Attack], settings: str, command: tuple[str, ...]) -> Iterator[Classroom]:
    """Make a class in a temporary folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="attacks-", ignore_cleanup_errors=True) as folder, listening() as heard:
        yield Classroom(Path(folder), attacks, settings, command, heard[0])


def try_out(attacks: list[Attack], settings: str = "", *, inside: bool = False) -> Report:
    """Grade these attacks in as few classes as can be, and return what came of them.

    settings: those of an unprotected course, in place of the usual ones; inside: judge the tests beside the answers

    Those with a second submission are a class of their own, because then everybody in it is graded twice: by nbgrader's
    own command, as in a course with other settings. All other classes are graded in parallel.
    """
    report, classes = Report(), defaultdict(list)
    usual = (ROOT / "nbgrader_config.py").read_text() + SETTINGS + JUDGED_INSIDE * inside
    for attack in attacks:
        classes[attack.course, attack.then is None].append(attack)
    for together in classes.values():
        command = BY_NBGRADER if settings or together[0].then else IN_PARALLEL
        with classroom(mixed(together), settings or usual, command) as room:
            report += room.grade()
    return report


def can_be_judged_inside(attack: Attack) -> bool:
    """Return whether the tests of an attack's course import nothing that a submission may not read."""
    return attack.course != "real_course"


def mixed(attacks: list[Attack]) -> list[Attack]:
    """Return them in an order in which those of a family, which strain the same thing, are far from each other."""
    families = defaultdict(list)
    for attack in attacks:
        families[attack.family].append(attack)
    ranked = [(place / len(family), attack) for family in families.values() for place, attack in enumerate(family)]
    return [attack for _, attack in sorted(ranked, key=itemgetter(0))]
