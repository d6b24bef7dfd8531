"""The command line of `nbjudge`: grade a class, report on it, and check the installation."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

from nbjudge import __version__
from nbjudge.bytecode import remove_own_damaged
from nbjudge.environment import provide_home
from nbjudge.errors import CannotGrade
from nbjudge.patches import skip_rfc3987

skip_rfc3987()  # before anything imports jsonschema

COMMANDS = {
    "doctor": "Check that this machine is ready to grade: packages, folders, gradebook, secret, sandbox, canaries",
    "grade": "Grade an assignment's submissions in parallel; when run again, continue where it stopped",
    "report": "Write a page about how the class did, with tables for Canvas and Moodle",
}


def _temporary_home() -> Path:
    from nbjudge.sandbox.scratch import scratch

    home = scratch() / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


def main(
    arguments: list[str] | None = None,
    program: str = "nbjudge",
    course_commands: Mapping[str, tuple[str, str]] | None = None,
) -> int:
    """Run a command and return its exit code: 0 on success, 1 with a message on stderr otherwise.

    program: the name under which it was called
    course_commands: a course's own commands, {name: (summary, module)}
    """
    provide_home(os.environ, _temporary_home)  # before Jupyter is imported
    parser = argparse.ArgumentParser(prog=program, description="Grade nbgrader assignments and report on a class.")
    parser.add_argument(
        "--version", action="version", version=f"nbjudge {__version__}", help="Show the version and exit"
    )
    parser.add_argument(
        "--course",
        metavar="FOLDER",
        type=Path,
        default=Path.cwd(),
        help="Use the course whose nbgrader_config.py is in FOLDER (default: the current folder)",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    arguments = sys.argv[1:] if arguments is None else arguments
    remove_own_damaged()  # before anything else of nbjudge is imported, also by workers
    commands = {name: (summary, f"nbjudge.cli.{name}") for name, summary in COMMANDS.items()} | dict(
        course_commands or {}
    )
    for name, (summary, module_name) in sorted(commands.items()):
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        if name in arguments:  # import only the module of the requested command
            module = importlib.import_module(module_name)
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    if not args.command:
        parser.error(f"missing COMMAND (choose from {', '.join(sorted(commands))})")
    args.course = args.course.resolve()
    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy's advice to nbgrader
    try:
        code: int = args.run(args)
        return code
    except CannotGrade as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
