"""Write constraints.txt anew: the newest releases that fit pyproject.toml, as pip resolves them here.

Run it as `python -m tools.pins`; nothing is installed. Run the tests afterwards: a pin says "tested", and only
they make it true.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# The releases the course was tested with; `make pins` writes this file.
# A pin says which release, never that it is needed: what a system does not need is not installed there.
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        if subprocess.call([*command, "--report", str(report), "--editable", ".[dev]"], cwd=ROOT) != 0:
            print("constraints.txt is unchanged: pip could not resolve the dependencies, see above.", file=sys.stderr)
            return 1
        pins = read_pins(json.loads(report.read_text(encoding="utf-8")))
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8", newline="\n")
    print(f"constraints.txt pins {len(pins)} packages. Now run the tests.")
    return 0


def read_pins(report: dict) -> list[str]:
    """Return "name==version" of everything in pip's report but the course itself, in alphabetical order."""
    packages = (entry["metadata"] for entry in report["install"])
    pins = {package["name"].lower(): package["version"] for package in packages}
    del pins["rnn-course"]
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


if __name__ == "__main__":
    sys.exit(main())
