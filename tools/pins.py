"""Update constraints.txt to the newest releases that satisfy pyproject.toml, as pip resolves them here.

Run it as `python -m tools.pins`; nothing is installed. Run the tests afterwards, because a pin stands for a tested
release.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.installation import COURSE, listed_requirements, project_tables

ROOT = Path(__file__).resolve().parent.parent
# The oldest supported Python with its patch level: some releases exclude 3.11.2, which Debian 12 has.
OLDEST_PYTHON = "3.11.0"
HEADER = """\
# The releases the course was tested with; `make pins` writes this file.
# A pin says which release, never that it is needed: what a system does not need is not installed there.
"""


def main() -> int:
    """Write the pins and return the exit code."""
    projects = project_tables(ROOT)
    requirements = listed_requirements(projects, COURSE, ["dev", "hub"])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        # pip resolves for another Python only with wheels and another target folder.
        command += ["--python-version", OLDEST_PYTHON, "--only-binary", ":all:", "--target", folder]
        if subprocess.call([*command, "--report", str(report), *requirements]) != 0:
            print("constraints.txt is unchanged: pip could not resolve the dependencies, see above.", file=sys.stderr)
            return 1
        pins = read_pins(json.loads(report.read_text(encoding="utf-8")))
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8", newline="\n")
    print(f"constraints.txt pins {len(pins)} packages. Now run the tests.")
    return 0


def read_pins(report: dict) -> list[str]:
    """Return "name==version" of everything in pip's report, in alphabetical order."""
    pins = {entry["metadata"]["name"].lower(): entry["metadata"]["version"] for entry in report["install"]}
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


if __name__ == "__main__":
    sys.exit(main())
