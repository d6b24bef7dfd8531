"""Put a new copy of a lesson into work/ and keep the old one as a backup: `python -m tools.fresh 01_recurrence`."""

import sys
from datetime import datetime
from pathlib import Path

from tools.workspace import UnknownLessonError, fresh_copy, lesson_names

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Copy the lesson and return the exit code."""
    if len(arguments) != 1:
        print(f"Name one lesson: make fresh LESSON=NAME, one of {', '.join(lesson_names(ROOT))}.", file=sys.stderr)
        return 2
    try:
        backup = fresh_copy(ROOT, arguments[0], datetime.now())
    except UnknownLessonError as error:
        print(error, file=sys.stderr)
        return 1
    if backup:
        print(f"Your old copy is kept as {backup.relative_to(ROOT).as_posix()}.")
    print(f"A new copy is at work/{arguments[0]}/{arguments[0]}.ipynb.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
