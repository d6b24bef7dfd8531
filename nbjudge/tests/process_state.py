"""Fixtures of the engine's tests and the course's: how a process of tests begins, and that no test leaves a trace."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory

from nbjudge.patches import skip_rfc3987

skip_rfc3987()  # before jsonschema is imported

from nbgrader_course import ROOT  # noqa: E402

__all__ = ["_no_process_survives", "_no_variable_survives", "_umask_as_before", "kernels_as_before", "root"]
# Set before NumPy starts its threads: two on small matrices are slower than one, and slower still beside xdist.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in what a shell runs in the background; programs inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def kernels_as_before() -> Iterator[None]:
    """How this process starts kernels is not what a test before made of it, nor is what this test makes of it kept."""
    KernelProvisionerFactory.clear_instance()
    yield
    KernelProvisionerFactory.clear_instance()


@pytest.fixture(scope="module", autouse=True)
def _no_process_survives() -> Iterator[None]:
    """What kernels are forked from ends with the module that needed it."""
    yield
    if forking := sys.modules.get("nbjudge.forkserver.client"):
        forking.close_all()


@pytest.fixture(scope="module", autouse=True)
def _no_variable_survives() -> Iterator[None]:
    """A variable that says "grading" would turn every notebook of the modules after it into a submission."""
    yield
    assert "NBGRADER_EXECUTION" not in os.environ


@pytest.fixture(scope="module", autouse=True)
def _umask_as_before() -> Iterator[None]:
    """Settings that a module has read restrict the umask of this process; the next module finds it as it was."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
