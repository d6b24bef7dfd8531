"""The course's packages for a browser: a wheel of rnn_helpers and the entries that tell Pyodide when to load what."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tools.installation import COURSE, project_tables

DATE = (2000, 1, 1, 0, 0, 0)  # an arbitrary constant, which keeps the wheel reproducible
# "ward.npz" is the data of lesson 14, which needs TensorFlow, and so does not run in a browser.
LEFT_OUT = ("__pycache__", "ward.npz")


def helpers_wheel(root: Path) -> tuple[str, bytes]:
    """Return the file name and the bytes of a wheel of rnn_helpers, without what only Keras lessons need."""
    version = project_tables(root)[COURSE]["version"]
    folder = f"rnn_helpers-{version}.dist-info"
    files = dict(_helper_files(root / "rnn_helpers"))
    files[f"{folder}/METADATA"] = f"Metadata-Version: 2.1\nName: rnn-helpers\nVersion: {version}\n".encode()
    files[f"{folder}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tools.site\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{folder}/RECORD"] = "\n".join([*record, f"{folder}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return f"rnn_helpers-{version}-py3-none-any.whl", buffer.getvalue()


def package_list(wheels: dict[str, bytes], needs: dict[str, list[str]]) -> bytes:
    """Return the entries for Pyodide's list of packages, as JSON.

    wheels: file name -> bytes; needs: the name of a package -> the packages that are loaded with it
    """
    entries = {}
    for file, content in wheels.items():
        name, version = file.split("-")[:2]
        entries[name.replace("_", "-")] = {
            "name": name.replace("_", "-"),
            "version": version,
            "file_name": file,
            "install_dir": "site",
            "sha256": hashlib.sha256(content).hexdigest(),
            "package_type": "package",
            "imports": [name],
            "depends": needs.get(name, []),
            "unvendored_tests": False,
        }
    return json.dumps(entries, indent=1, sort_keys=True).encode()


def _helper_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not set(LEFT_OUT) & set(relative.parts):
            yield f"rnn_helpers/{relative.as_posix()}", path.read_bytes()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
