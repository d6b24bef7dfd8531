"""`nbjudge`: grade a class fast, look at how it did, and see whether all is well."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

from nbjudge import __version__
from nbjudge.bytecode import remove_damaged
from nbjudge.environment import provide_home
from nbjudge.errors import CannotGrade
from nbjudge.patches import skip_rfc3987

skip_rfc3987()  # before anything imports jsonschema

COMMANDS = {
    "doctor": "Check that this machine is ready to grade: packages, folders, gradebook, secret, sandbox, canaries",
    "grade": "Grade an assignment's submissions in parallel; run again, it continues where it stopped",
    "report": "Write a page about how the class did, with tables for Canvas and Moodle",
}


def _temporary_home() -> Path:
    from nbjudge.sandbox.scratch import scratch

    home = scratch() / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


def main(
    arguments: list[str] | None = None, program: str = "nbjudge", more: Mapping[str, tuple[str, str]] | None = None
) -> int:
    """Run a command and return its exit code: 0 when all is well, 1 with a sentence on stderr when not.

    program: the name under which it was called; more: a course's own commands, {name: (summary, module)}
    """
    provide_home(os.environ, _temporary_home)  # before Jupyter is imported
    parser = argparse.ArgumentParser(prog=program, description="Grade nbgrader assignments and report on a class.")
    parser.add_argument("--version", action="version", version=f"nbjudge {__version__}")
    parser.add_argument(
        "--course", type=Path, default=Path.cwd(), help="folder with nbgrader_config.py (default: the current one)"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    arguments = sys.argv[1:] if arguments is None else arguments
    remove_damaged(Path(__file__).parents[1])  # before anything else of it is imported, by workers too
    commands = {name: (summary, f"nbjudge.cli.{name}") for name, summary in COMMANDS.items()} | dict(more or {})
    for name, (summary, module_name) in sorted(commands.items()):
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name in arguments:  # the others need not be imported
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    if not args.command:
        parser.error(f"missing COMMAND (choose from {', '.join(sorted(commands))})")
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
