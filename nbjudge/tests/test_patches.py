"""What nbjudge replaces and overrides in other packages is still there: an upgrade that breaks a patch fails here."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from typing import Any

import nbgrader.api
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Base
from nbgrader.nbgraderformat import MetadataValidator, ValidationError, common
from nbgrader_course import ROOT
from packaging.requirements import Requirement
from traitlets.config import Config

from nbjudge import patches
from nbjudge.environment import EXECUTION_VARIABLE, temporary_env
from nbjudge.patches import cache_engine, cache_schema_validators

# What a patch replaces: (its place, the parameters that are relied on).
REPLACED = {
    "nbgrader.utils:temp_attrs": ["app", "newvals"],
    "nbgrader.utils:setenv": ["kwargs"],
    "jsonschema:validate": ["instance", "schema", "cls", "args", "kwargs"],
    "nbgrader.api:create_engine": ["url", "kwargs"],
    "nbgrader.api:inspect": ["subject", "raiseerr"],
    "nbgrader.api:Base.metadata.create_all": ["bind", "tables", "checkfirst"],
    "nbgrader.apps.autogradeapp:Autograde": ["coursedir", "kwargs"],
    "nbgrader.apps.api:Autograde": ["coursedir", "kwargs"],
    "ipykernel.kernelbase:Kernel._process_children": ["self"],
    "ipykernel.zmqshell:ZMQInteractiveShell.system": ["self", "cmd"],
    "ipykernel.zmqshell:ZMQInteractiveShell.system_piped": ["self", "cmd"],
    "IPython.core.interactiveshell:InteractiveShell.system_raw": ["self", "cmd"],
    "IPython.core.interactiveshell:InteractiveShell.getoutput": ["self", "cmd", "split", "depth"],
    "numpy:isclose": ["a", "b", "rtol", "atol", "equal_nan"],
    "numpy._core.numeric:isclose": ["a", "b", "rtol", "atol", "equal_nan"],
}
# Private methods that subclasses in nbjudge override or call.
OVERRIDDEN = {
    "nbgrader.converters.base:BaseConverter._format_source": ["self", "assignment_id", "student_id", "escape"],
    "nbgrader.converters.base:BaseConverter._format_dest": ["self", "assignment_id", "student_id", "escape"],
    "nbgrader.converters.autograde:Autograde._init_preprocessors": ["self"],
    "nbgrader.exchange.default.release_feedback:ExchangeReleaseFeedback.copy_files": ["self"],
    "nbclient:NotebookClient._async_poll_kernel_alive": ["self"],
    "nbclient:NotebookClient._async_handle_timeout": ["self", "timeout", "cell"],
    "nbclient:NotebookClient._async_cleanup_kernel": ["self"],
    "jupyter_client:AsyncKernelClient._make_url": ["self", "channel"],
    "jupyter_client:AsyncKernelClient._handle_kernel_info_reply": ["self", "msg"],
    "jupyter_client:AsyncKernelManager._connect_control_socket": ["self"],
    "jupyter_client:AsyncKernelManager._async_wait": ["self", "pollinterval"],
    "IPython.core.interactiveshell:InteractiveShell._showtraceback": ["self", "etype", "evalue", "stb"],
}
PATCHED = [
    *("ipykernel", "ipython", "jsonschema", "jupyter_client", "nbclient", "nbconvert", "nbgrader", "numpy"),
    "sqlalchemy",
]


def look_up(place: str) -> Any:
    module, _, names = place.partition(":")
    found: Any = import_module(module)
    for name in names.split("."):
        assert hasattr(found, name), f"{place} is gone: see what takes its place upstream, and adapt the patch"
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("place", [*REPLACED, *OVERRIDDEN])
def test_what_is_replaced_exists_with_the_signature_that_is_relied_on(place: str) -> None:
    expected = (REPLACED | OVERRIDDEN)[place]
    parameters = list(inspect.signature(look_up(place)).parameters)
    assert parameters == expected, f"{place} takes other arguments now: compare it with the patch in nbjudge/patches.py"


@pytest.mark.parametrize("name", ["create_engine", "inspect"])
def test_nbgrader_takes_its_engine_from_sqlalchemy(name: str) -> None:
    assert look_up(f"nbgrader.api:{name}") is look_up(f"sqlalchemy:{name}")


def test_numpys_comparisons_rest_on_the_function_that_the_judge_wraps() -> None:
    compare = look_up("numpy.testing._private.utils:assert_array_compare")
    assert list(inspect.signature(compare).parameters)[:3] == ["comparison", "x", "y"]


def test_nbgrader_validates_labels_through_jsonschemas_public_function() -> None:
    source = inspect.getsource(import_module("nbgrader.nbgraderformat.common"))
    assert "import jsonschema\n" in source
    assert source.count("jsonschema.") == source.count("jsonschema.validate(") == 1


@pytest.mark.parametrize("module", patches.GRADING)
def test_nbgrader_looks_up_glob_at_each_call(module: str) -> None:
    source = inspect.getsource(import_module(module))
    assert "import glob\n" in source, f"{module} no longer imports the module glob: take_names_literally misses it"
    assert "glob.glob(" in source


def test_the_exchange_still_has_modules_that_search_with_glob() -> None:
    searching = {name for name in patches.EXCHANGE if hasattr(import_module(name), "glob")}
    assert {name.rpartition(".")[2] for name in searching} >= {"collect", "exchange", "list"}


def test_the_factory_of_provisioners_takes_another_default() -> None:
    factory = look_up("jupyter_client.provisioning:KernelProvisionerFactory")(parent=None, config=Config())
    assert isinstance(factory.provisioners, dict)
    assert "default_provisioner_name" in factory.trait_names()


def test_jsonschema_does_without_the_package_that_is_skipped() -> None:
    program = (
        "import sys; from nbjudge.patches import skip_rfc3987; assert 'jsonschema' not in sys.modules; skip_rfc3987(); "
        "import jsonschema; assert sys.modules['rfc3987_syntax'] is None; "
        "jsonschema.validate('x', {'type': 'string', 'format': 'iri'}, format_checker=jsonschema.FormatChecker())"
    )
    path = {"PYTHONPATH": str(ROOT / "nbjudge" / "src")}
    result = subprocess.run(
        [sys.executable, "-P", "-c", program], env={**os.environ, **path}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", PATCHED)
def test_the_installed_version_is_in_the_supported_range(name: str) -> None:
    project = tomllib.loads((ROOT / "nbjudge" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    assert name in declared, f"nbjudge/pyproject.toml declares no range for {name}, of which a private name is used"
    assert declared[name].contains(version(name)), (
        f"{name} {version(name)} is not in {declared[name]}: check each patch of it, then widen the range"
    )


# --- what is set for a while


def fail_in(context: Any, seen: dict[str, str | None]) -> None:
    with context:
        seen.update({name: os.environ.get(name) for name in seen})
        raise ZeroDivisionError


def test_variables_are_restored_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHES_SET", "before")
    monkeypatch.setenv("PATCHES_GONE", "before")
    monkeypatch.delenv("PATCHES_NEW", raising=False)
    seen = dict.fromkeys(["PATCHES_SET", "PATCHES_GONE", "PATCHES_NEW"])
    with pytest.raises(ZeroDivisionError):
        fail_in(temporary_env(PATCHES_SET="x", PATCHES_GONE=None, PATCHES_NEW="y"), seen)
    assert seen == {"PATCHES_SET": "x", "PATCHES_GONE": None, "PATCHES_NEW": "y"}
    assert [os.environ.get(name) for name in seen] == ["before", "before", None]


def test_autograding_is_over_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EXECUTION_VARIABLE, raising=False)
    seen = dict.fromkeys([EXECUTION_VARIABLE])
    with pytest.raises(ZeroDivisionError):
        fail_in(patches.autograding(), seen)
    assert seen == {EXECUTION_VARIABLE: "autograde"}
    assert EXECUTION_VARIABLE not in os.environ


# The caches: nbgrader's schema validation and its database engine

LABEL: dict[str, Any] = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False}
LABEL |= {"grade_id": "double_test", "points": 4}
INVALID_FIELDS: list[dict[str, Any]] = [
    {"points": "four"},
    {"points": -1},
    {"grade": "yes"},
    {"grade_id": "no spaces"},
    {"locked": None, "points": []},
]


def validation_error(label: dict[str, Any]) -> str:
    notebook = new_notebook(cells=[new_code_cell("1", metadata={"nbgrader": label})])
    with pytest.raises(ValidationError) as caught:
        MetadataValidator().validate_nb(notebook)
    return str(caught.value)


def test_valid_metadata_pass_the_cached_validator():
    with cache_schema_validators():
        MetadataValidator().validate_nb(new_notebook(cells=[new_code_cell("1", metadata={"nbgrader": LABEL})]))


@pytest.mark.parametrize("change", INVALID_FIELDS, ids=str)
def test_invalid_metadata_get_nbgraders_own_error(change):
    by_nbgrader = validation_error({**LABEL, **change})
    with cache_schema_validators():
        assert validation_error({**LABEL, **change}) == by_nbgrader


def test_caches_are_removed_after_an_error():
    before = common.jsonschema, nbgrader.api.create_engine, nbgrader.api.inspect
    with pytest.raises(AttributeError), cache_engine(), cache_schema_validators():
        Base.metadata.create_all(bind=None).tables  # noqa: B018  (nothing is made for a while, and None has no tables)
    assert (common.jsonschema, nbgrader.api.create_engine, nbgrader.api.inspect) == before
    memory = nbgrader.api.create_engine("sqlite://")
    Base.metadata.create_all(bind=memory)
    assert nbgrader.api.inspect(memory).has_table("grade")
