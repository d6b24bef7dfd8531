"""The public face of nbjudge: what it lists can be imported and is documented, and costs nothing before it is used."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import nbjudge


@pytest.mark.parametrize("name", nbjudge.__all__)
def test_a_public_name_can_be_imported_and_has_a_docstring(name: str) -> None:
    value = getattr(nbjudge, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__
    else:
        assert f"`{name}`" in nbjudge.__doc__


def test_the_public_face_is_small_and_lists_what_it_can_import() -> None:
    assert len(nbjudge.__all__) <= 40
    lazy = {name for names in nbjudge._MODULES.values() for name in names}
    assert lazy == {*nbjudge.__all__} - {"__version__", "configure"}
    assert dir(nbjudge) == sorted(nbjudge.__all__)


def test_the_settings_run_before_any_other_module_is_imported() -> None:
    program = "import sys, nbjudge; print(*sorted(name for name in sys.modules if name.split('.')[0] == 'nbjudge'))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["nbjudge"]


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Box'"):
        nbjudge.Box  # noqa: B018
