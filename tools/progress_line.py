"""Show the progress of pip or uv in one line, which is rewritten in place on a terminal.

Like tools/environment.py, this file imports only the standard library and has the syntax of Python 3.6.
"""

# ruff: noqa: UP006, UP035, UP045 (names of types that Python 3.6 knows)
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set

TICK_S = 0.5  # between two versions of the line on a terminal
LINE_S = 20.0  # between two lines where there is no terminal
UNITS_MB = {"k": 1e-3, "Ki": 2**10 / 1e6, "M": 1.0, "Mi": 2**20 / 1e6, "G": 1e3, "Gi": 2**30 / 1e6}

_SIZE = re.compile(r"Downloading (?P<name>\S+).*\((?P<number>[\d.]+) ?(?P<unit>[kMG]i?)B\)")
_FOUND = re.compile(r"(Collecting|Processing|Obtaining|Requirement already satisfied:) ")
_COUNTED = re.compile(r"(?P<done>Resolved|Prepared|Installed) (?P<number>\d+) package")
STAGE_AFTER = {"Resolved": "Downloading", "Prepared": "Installing", "Installed": "Compiling"}
_TO_INSTALL = "Installing collected packages: "
_DOWNLOADED = re.compile(r" Downloaded (?P<name>\S+)")


class Progress:
    """What an installation has reached, read from the lines that pip or uv prints.

    stage: what it does at present; found: packages found so far; total: packages to install, 0 while that is unknown
    """

    def __init__(self) -> None:
        self.stage = "Looking for packages"
        self.found = 0
        self.total = 0
        self.sizes_mb: Dict[str, float] = {}
        self.downloaded: Set[str] = set()

    def read(self, line: str) -> None:
        """Take note of a line."""
        size, downloaded, counted = _SIZE.search(line), _DOWNLOADED.match(line), _COUNTED.match(line)
        if size:
            self.sizes_mb[size.group("name")] = float(size.group("number")) * UNITS_MB[size.group("unit")]
        elif downloaded:
            self.downloaded.add(downloaded.group("name"))
        elif _FOUND.match(line):
            self.found += 1
        elif counted:
            self.stage, self.total = STAGE_AFTER[counted.group("done")], int(counted.group("number"))
        elif line.startswith(_TO_INSTALL):
            self.stage, self.total = "Installing", line.count(",") + 1

    def sentence(self, installed: int, seconds: float) -> str:
        """Return the line to show; installed: the number of packages that were added to the environment."""
        packages = self.total or self.found
        of = f"{min(max(installed, 0), packages)} of " if self.stage == "Installing" else ""
        parts = [f"{self.stage}: {of}{packages} packages" if packages else self.stage]
        megabytes = sum(self.sizes_mb.values())
        if megabytes >= 1:
            downloaded_mb = sum(self.sizes_mb.get(name, 0.0) for name in self.downloaded)
            parts.append(
                f"{downloaded_mb:.0f} of {megabytes:.0f} MB" if self.stage == "Downloading" else f"{megabytes:.0f} MB"
            )
        return ", ".join([*parts, f"{seconds:.0f} s"])


def run_with_progress(command: List[str], folder: Path, environ: Dict[str, str], log: Path, python: Path) -> int:
    """Run pip or uv in a folder, append what it prints to the log and return its exit code.

    python: the interpreter of the environment in which packages are installed
    """
    started, before, progress, status_line = time.time(), _installed(python), Progress(), _Line()
    with log.open("ab") as stream:
        stream.write(f"$ {' '.join(command)}\n".encode(errors="replace"))
        try:
            process = subprocess.Popen(
                command, cwd=str(folder), env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            stream.write(f"{error}\n".encode(errors="replace"))
            return 1
        try:
            for line in _lines_and_ticks(process):
                stream.write(line)
                progress.read(line.decode(errors="replace"))
                status_line.show(progress.stage, progress.sentence(_installed(python) - before, time.time() - started))
            status = process.wait()
        finally:
            process.kill()
            status_line.end()
    if status == 0 and progress.total:
        print(f"Installed {progress.total} packages in {time.time() - started:.0f} s.", flush=True)
    return status


def _lines_and_ticks(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield the lines that a process prints, and an empty one whenever nothing has come for a moment."""
    lines: queue.Queue[Optional[bytes]] = queue.Queue()

    def read() -> None:
        if process.stdout is not None:
            for line in process.stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=TICK_S)
        except queue.Empty:
            line = b""
        if line is None:
            return
        yield line


def _installed(python: Path) -> int:
    """Return the number of packages in an environment."""
    pattern = "Lib/site-packages/*.dist-info" if python.suffix else "lib/python*/site-packages/*.dist-info"
    return sum(1 for _ in python.parent.parent.glob(pattern))


class _Line:
    """A line that is rewritten in place on a terminal, and printed again now and then elsewhere."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.at, self.stage, self.width = -LINE_S, "", 0

    def show(self, stage: str, sentence: str) -> None:
        now = time.time()
        if not self.terminal:
            if now - self.at >= LINE_S or stage != self.stage:
                print(sentence, flush=True)
                self.at, self.stage = now, stage
        elif now - self.at >= TICK_S:
            sentence = sentence[: shutil.get_terminal_size().columns - 1]
            print("\r" + sentence.ljust(self.width), end="", flush=True)
            self.at, self.width = now, len(sentence)

    def end(self) -> None:
        if self.terminal and self.width:
            print(flush=True)
