"""`rnn-course`: grade a class fast, look at how it did, and see whether all is well."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path

from grading.errors import CannotGrade

# jsonschema takes what it finds to check formats with. This package takes 1.5 s to import, here and in each worker, and
# knows a format (IRI) that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

COMMANDS = ("doctor", "demo", "grade", "report")


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 when all is well, 1 with a sentence on stderr when not."""
    parser = argparse.ArgumentParser(prog="rnn-course", description="What an instructor does with a class.")
    parser.add_argument(
        "--course", type=Path, default=Path.cwd(), help="the folder with nbgrader_config.py (default: the current one)"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"grading.command.{name}")
        subparser = subparsers.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    args.course = args.course.resolve()
    warnings.filterwarnings("ignore", module="nbgrader")  # what SQLAlchemy would have it do otherwise
    try:
        return args.run(args)
    except CannotGrade as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
