"""Execute submissions on an existing dask.distributed cluster, whose workers need only the installed packages.

Packed jobs are sent, and JSON comes back. When a worker is lost, Dask reassigns its submissions to another. The
cluster's machines are trusted: they see hidden tests and the course's secret.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import socket
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config

from nbjudge.errors import CannotGrade
from nbjudge.patches import skip_rfc3987
from nbjudge.settings import resolved

skip_rfc3987()  # a worker begins with this module

from nbjudge.execution.job import find_package, run_packed_job  # noqa: E402

_SECONDS_TO_CONNECT = 15
_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
LIBRARIES = ("numpy", "nbgrader", "nbclient", "ipykernel", "ipython")  # may decide a score


class ClusterWorkers(AbstractContextManager["ClusterWorkers"]):
    """Workers of a Dask cluster, each thread of which runs one submission at a time.

    address: address of the scheduler, such as tcp://10.0.0.5:8786
    packages: the course's own packages, by name or folder; libraries: installed distributions that it uses; all
        machines must have the same versions
    Raises CannotGrade if the scheduler cannot be reached, has no workers, or they have other versions installed.
    """

    def __init__(self, address: str, packages: Iterable[str] = (), libraries: Iterable[str] = ()):
        try:
            from distributed import Client
        except ImportError as error:
            raise CannotGrade(
                "The package distributed is not installed here. Run: pip install 'nbgrader-judge[cluster]'"
            ) from error
        for name in ("distributed", "distributed.client", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # the grader reports losses itself
        try:
            _probe_scheduler(address)
            self._client: Any = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise CannotGrade(
                f"No scheduler answers at {address} ({error or type(error).__name__}). Start one with "
                "`dask scheduler`, which prints its address, and make sure that this machine can reach it."
            ) from error
        try:
            self.at_once = 2 * self._threads() + 1
            self._require_same([*packages, "nbjudge"], [*LIBRARIES, *libraries])
        except BaseException:
            self._client.close()
            raise
        self._executor = self._client.get_executor(pure=False)

    def submit(self, packed: bytes) -> Future[bytes]:
        remote_future: Future[bytes] = self._executor.submit(run_packed_job, packed)
        future: Future[bytes] = Future()
        # Not a closure over `remote_future`: the cycle would keep the result until a garbage collection.
        remote_future.add_done_callback(lambda finished: _chain_future(finished, future))
        return future

    def __exit__(self, *_: object) -> None:
        self._client.close()  # cancels pending futures

    def _threads(self) -> int:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        number: int = sum(worker["nthreads"] for worker in workers.values())
        if not number:
            raise CannotGrade("The cluster has no workers. Start some with `dask worker ADDRESS`, then run this again.")
        return number

    def _require_same(self, packages: list[str], libraries: list[str]) -> None:
        """Raise CannotGrade if a worker has other versions installed: scores would depend on the worker."""
        local_versions = installed(packages, libraries)
        try:
            workers = self._client.run(installed, packages, libraries)
        except Exception as error:
            raise CannotGrade(
                f"The cluster's workers cannot load this course ({type(error).__name__}: {error}). Install there what "
                "is installed here: the same packages, in the same versions."
            ) from error
        for worker, versions in sorted(workers.items()):
            for name, local_version in local_versions.items():
                if versions.get(name) != local_version:
                    raise CannotGrade(
                        f"The worker {worker} has {name} {versions.get(name, 'not installed')}, and here it is "
                        f"{local_version}. Install the same on all machines: scores must not depend on who ran what."
                    )


def _probe_scheduler(address: str) -> None:
    """Raise ValueError for an invalid address, OSError if nothing listens; a Client would log at length."""
    parts = urlsplit(address)
    if parts.scheme not in _SCHEMES or not (parts.hostname and parts.port):
        raise ValueError("expected an address such as tcp://10.0.0.5:8786")
    if parts.scheme in ("tcp", "tls"):
        socket.create_connection((parts.hostname, parts.port), _SECONDS_TO_CONNECT).close()


def _chain_future(source: Future[bytes], target: Future[bytes]) -> None:
    """Copy the outcome of one future to another; Dask cancels all of them when it loses the scheduler."""
    if source.cancelled():
        sentence = "The cluster's scheduler was lost. Start it and its workers, then run this again: it goes on."
        target.set_exception(CannotGrade(sentence))
    elif error := source.exception():
        target.set_exception(error)
    else:
        target.set_result(source.result())


def course_packages(settings: Config) -> list[str]:
    """Return the packages that a course's settings name: those its lessons import, and its hidden tests."""
    sandbox = settings.SandboxProvisioner
    return [package for name in ("packages", "hidden") for package in resolved(sandbox.get(name, []), [])]


def course_libraries(settings: Config) -> list[str]:
    """Return the installed distributions that a course's settings name."""
    return list(settings.Grading.get("libraries", []))


def installed(packages: Iterable[str], libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return {name: version} of everything installed that can affect a score; for packages, a hash of the content."""
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in libraries:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    for package in packages:
        if folder := find_package(package):
            digest = hashlib.sha256()
            for file in sorted(folder.rglob("*.py")):
                digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
            versions[folder.name] = digest.hexdigest()[:12]
    return versions
