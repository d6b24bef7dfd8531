"""Build the course's website into dist/site.

    python -m tools.site                  every lesson
    python -m tools.site 01_recurrence    a site of one lesson, in dist/site as well
    python -m tools.site --book           only the pages, without the lessons that run in the browser

The solved lessons are executed once; their outputs are kept in build/site/outputs. The first build takes some minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.lint import read_lessons
from tools.site.browser_lessons import BrowserLessonsError
from tools.site.builder import SiteError, build_site
from tools.site.execution import ExecutionError
from tools.site.leaks import LeakError

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "dist" / "site"
BUILD = ROOT / "build" / "site"


def main(arguments: list[str]) -> int:
    """Build the site and return the exit code."""
    lessons = read_lessons(ROOT)
    names = [lesson.name for lesson in lessons]
    book_only = "--book" in arguments
    chosen = [argument for argument in arguments if argument != "--book"] or names
    if unknown := sorted(set(chosen) - set(names)):
        print(f"No lesson is called {', '.join(unknown)}; lessons/ has {', '.join(names)}.", file=sys.stderr)
        return 1
    try:
        build_site(ROOT, [lesson for lesson in lessons if lesson.name in chosen], BUILD, SITE, book_only=book_only)
    except (ExecutionError, SiteError, BrowserLessonsError, LeakError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nStopped by Ctrl-C. Finished lessons are kept; run the same command again to continue.", file=sys.stderr
        )
        return 130
    files = [path for path in SITE.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"wrote {SITE.relative_to(ROOT).as_posix()}: {len(files)} files, {size:.1f} MB. See it: {_server()}")
    return 0


def _server() -> str:
    return f"{Path(sys.executable).name} -m http.server --bind 127.0.0.1 --directory dist/site 8080"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
