"""Everything that nbjudge replaces inside other packages, each with its reason, upstream issue and supported versions.

tests/test_patches.py checks that each replaced attribute still exists with the signature that is relied on, so that an
upgrade that breaks a patch fails there and not while a class is graded. The supported ranges are the dependencies in
nbjudge's pyproject.toml.

Two replacements are made through an entry point of their own, where their class is defined:

- `autograde.converter.install_converter` replaces `Autograde` in `nbgrader.apps.autogradeapp` and `nbgrader.apps.api`:
  nbgrader has no setting for the class of a converter. Upstream: none filed. Versions: nbgrader 0.9.
- `sandbox.provisioner.use_sandbox` sets the `default_provisioner_name` of jupyter_client's
  `KernelProvisionerFactory`. Upstream: none filed. Versions: jupyter_client 8.

Another one changes NumPy, in the judge's process alone: `judge.empty_arrays.watch_comparisons` wraps `numpy.isclose`
and `numpy.testing._private.utils.assert_array_compare`, for which an empty array is close to everything. Upstream: none
filed; NumPy documents it as broadcasting. Versions: NumPy 2.

The submission's kernel and every worker import this module, some of them before anything else: only the standard
library is imported at the top.
"""

from __future__ import annotations

import glob
import importlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Modules of nbgrader that call glob.glob and look it up at each call: those that grade, and those of the exchange.
GRADING = ("nbgrader.converters.base", "nbgrader.apps.api", "nbgrader.utils")
EXCHANGE = tuple(
    f"nbgrader.exchange.default.{name}"
    for name in ("collect", "exchange", "fetch_assignment", "fetch_feedback", "list", "release_feedback")
)


@contextmanager
def temporary_attrs(target: Any, **values: Any) -> Iterator[None]:
    """Set attributes of a module or an object, and restore them on exit, after an error too.

    Replaces: nbgrader.utils.temp_attrs, which does not restore them after an error. In JupyterLab's server, where
    formgrader grades, they would stay until the server is restarted.
    Upstream: none filed. Versions: any.
    """
    before = {name: getattr(target, name) for name in values}
    try:
        for name, value in values.items():
            setattr(target, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)


def autograding() -> AbstractContextManager[None]:
    """Set $NBGRADER_EXECUTION to "autograde", as nbgrader does, and restore it on exit, after an error too.

    Replaces: nbgrader.utils.setenv, which does not restore it after an error (and saves the value of the variable that
    is named like the new value). In JupyterLab's server, every notebook opened later would be taken for a submission.
    Upstream: none filed; the variable comes from https://github.com/jupyter/nbgrader/pull/1425. Versions: nbgrader 0.9.
    """
    from nbjudge.environment import EXECUTION_VARIABLE, temporary_env

    return temporary_env(**{EXECUTION_VARIABLE: "autograde"})


def skip_rfc3987() -> None:
    """Hide rfc3987_syntax, an optional dependency of jsonschema that takes a second to import. Call it first.

    Replaces: the entry in sys.modules, before jsonschema._format imports it for a format (IRI) that no notebook has.
    Upstream: https://github.com/python-jsonschema/jsonschema/issues/1428 (closed) and
    https://github.com/jupyter-server/jupyter_server/issues/1559 (open). Versions: jsonschema 4.25 and later; others do
    not import it.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


@contextmanager
def cache_schema_validators() -> Iterator[None]:
    """Validate cells' nbgrader metadata without checking nbgrader's schema itself again for each cell.

    Replaces: nbgrader.nbgraderformat.common.jsonschema, of which nbgrader calls `validate` alone. The same metadata are
    valid, with the same errors otherwise.
    Upstream: none filed. Versions: nbgrader 0.9.
    """
    from nbgrader.nbgraderformat import common

    with temporary_attrs(common, jsonschema=SimpleNamespace(validate=_validate)):
        yield


def _validate(label: Any, schema: Mapping[str, Any]) -> None:
    """Do what jsonschema.validate does. Raises its ValidationError."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator(json.dumps(schema)).iter_errors(label))
    if error is not None:
        raise error


@cache
def _validator(schema: str) -> Any:
    from jsonschema.validators import validator_for

    loaded = json.loads(schema)
    validator_class = validator_for(loaded)
    validator_class.check_schema(loaded)
    return validator_class(loaded)


@contextmanager
def cache_engine() -> Iterator[None]:
    """Use one SQLAlchemy engine for each gradebook, with the statements that it has compiled.

    nbgrader creates an engine, and asks for every table, each time that it opens a gradebook: about ten times for a
    submission. Call gradebook.require_gradebook first, which checks that all tables exist.

    Replaces: nbgrader.api.create_engine, nbgrader.api.inspect and Base.metadata.create_all.
    Upstream: none filed. Versions: nbgrader 0.9 with SQLAlchemy 2.
    """
    import nbgrader.api

    cached = {"create_engine": cache(nbgrader.api.create_engine), "inspect": cache(nbgrader.api.inspect)}
    with (
        temporary_attrs(nbgrader.api, **cached),
        temporary_attrs(nbgrader.api.Base.metadata, create_all=lambda bind: None),
    ):
        yield


class LiteralGlob:
    """Replacement for the module glob that takes any part of a pattern that is an existing path literally."""

    def __getattr__(self, name: str) -> Any:
        return getattr(glob, name)

    def glob(self, pattern: str, **options: Any) -> list[str]:
        return glob.glob(escape_existing(pattern), **options)

    def iglob(self, pattern: str, **options: Any) -> Iterator[str]:
        return glob.iglob(escape_existing(pattern), **options)


def escape_existing(pattern: str) -> str:
    """Return the pattern with its longest prefix that is an existing path escaped."""
    parts = pattern.split(os.sep)
    for index, part in enumerate(parts):
        if part == "*" or not os.path.lexists(os.sep.join(parts[: index + 1]) or os.sep):
            return os.sep.join([*map(glob.escape, parts[:index]), *parts[index:]])
    return glob.escape(pattern)


def take_names_literally(modules: Iterable[str] = GRADING) -> None:
    """Have nbgrader find folders whose names contain characters of patterns, such as a student called `[abc]`.

    Replaces: the attribute `glob` of modules of nbgrader, for this process. Modules without it are skipped.
    Upstream: https://github.com/jupyter/nbgrader/issues/1843 and https://github.com/jupyter/nbgrader/issues/1965, for
    which https://github.com/jupyter/nbgrader/pull/1968 is open. Versions: nbgrader 0.9.
    """
    for name in modules:
        module: Any = importlib.import_module(name)
        if hasattr(module, "glob"):
            module.glob = LiteralGlob()


def take_path_literally(course: Path) -> None:
    """Take names literally in the exchange, which is slow to import, if the course's path contains such characters."""
    if glob.has_magic(str(course)):
        take_names_literally(EXCHANGE)


def ignore_subprocesses(kernel: Any) -> None:
    """Keep an ipykernel from searching all of /proc for subprocesses when it shuts down: the sandbox allows none.

    Replaces: Kernel._process_children of one kernel.
    Upstream: none filed; the search comes from https://github.com/ipython/ipykernel/pull/874. Versions: ipykernel 7.
    """
    kernel._process_children = list


def disable_system_commands(shell: Any) -> None:
    """Have `!ls` and the like print that they are not run, instead of ending the cell with an error about processes.

    Replaces: system, system_piped, system_raw and getoutput of one IPython shell.
    Upstream: none filed; only a sandbox needs it. Versions: IPython 9.
    """
    from IPython.utils.text import SList

    def explain(command: str, *_: Any, **__: Any) -> None:
        print(f"(!{command} is not run while the notebook is graded)")

    shell.system = shell.system_piped = shell.system_raw = explain
    shell.getoutput = lambda *_, **__: SList()
