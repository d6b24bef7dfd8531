"""The judge's IPython shell: runs a test cell, records whether it was completed, and captures its output.

What a cell earns is decided by the record alone (`CellRecord`), never by what the cell shows: outputs are bounded,
dropped and formatted, and IPython swallows some errors without showing anything.

To import this module makes the shell. A process that forks imports it once, and each of its children finds it made.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

LONGEST_MESSAGE = 20_000  # characters of an error's message that are kept, and of its traceback


@dataclass
class CellRecord:
    """What happened while a cell ran.

    statements: how many the cell has, None while it could not be compiled; completed: how many ran to their end
    errors: how many errors were reported, those that a magic reported and went on after too
    value: that of the cell's last line, if it is an expression
    """

    statements: int | None = None
    completed: int = 0
    errors: int = 0
    value: Any = None

    @property
    def is_complete(self) -> bool:
        """Tell whether every statement ran to its end."""
        return self.statements == self.completed and not self.errors

    def credit(self) -> dict[str, Any]:
        """Return {} for a last line without a value, {"points": number}, or {"kind": the type of what is no number}."""
        kind = type(self.value)
        if self.value is None:
            return {}
        if kind in (int, float) or (issubclass(kind, (np.integer, np.floating)) and kind.__module__ == "numpy"):
            try:
                return {"points": float(self.value)}
            except OverflowError:
                return {"points": float("inf")}
        return {"kind": kind.__name__}


class BoundedOutputs:
    """The outputs of one cell, bounded to `most` characters."""

    def __init__(self, most: int) -> None:
        self.most, self.size, self.dropped = most, 0, 0
        self._outputs: list[dict[str, Any]] = []
        self._named: dict[str, dict[str, Any]] = {}

    def print(self, stream: str, text: str) -> None:
        if text and self._fits(len(text)):
            last = self._outputs[-1] if self._outputs else {}
            if last.get("name") == stream:
                last["text"].append(text)
            else:
                self._outputs.append({"output_type": "stream", "name": stream, "text": [text]})

    def add_error(self, name: str, message: str, traceback: Sequence[str]) -> None:
        """Keep an error, cut to a length that is worth reading, however full the cell is."""
        lines = "\n".join(traceback)[-LONGEST_MESSAGE:].split("\n")
        error = {"ename": name, "evalue": message[:LONGEST_MESSAGE], "traceback": lines}
        self._outputs.append({"output_type": "error", **error})

    def add(self, output: dict[str, Any], name: str = "") -> None:
        """Keep an output; with a name, such as that of a display, it can be replaced."""
        if self._fits(len(json.dumps(output, default=str))):
            self._outputs.append(output)
            if name:
                self._named[name] = output

    def replace(self, name: str, output: dict[str, Any]) -> None:
        if name in self._named and self._fits(len(json.dumps(output, default=str))):
            self._named[name].update(output)

    def clear(self) -> None:
        self._outputs.clear()

    def outputs(self) -> list[dict[str, Any]]:
        return [{**one, "text": "".join(one["text"])} if "text" in one else one for one in self._outputs]

    def _fits(self, size: int) -> bool:
        if self.size + size > self.most:
            self.dropped += size
            return False
        self.size += size
        return True


class CapturingStream(io.TextIOBase):
    """Captures what is written to sys.stdout or sys.stderr."""

    encoding = "utf-8"

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def write(self, text: str) -> int:
        SHELL.kept.print(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number


class CapturingDisplayPublisher(DisplayPublisher):
    """Captures what is displayed."""

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,
        *,
        transient: Any = None,
        update: Any = False,
        **_: Any,
    ) -> None:
        output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
        name = (transient or {}).get("display_id", "")
        if update:
            SHELL.kept.replace(name, output)
        else:
            SHELL.kept.add(output, name)

    def clear_output(self, wait: bool = False) -> None:
        SHELL.kept.clear()


class CapturingDisplayHook(DisplayHook):
    """Captures the value of a cell's last line."""

    def __call__(self, result: Any = None) -> None:
        if result is not None and not self.quiet():
            SHELL.record.value = result  # before it is shown, which may fail
        super().__call__(result)

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        value = {"execution_count": self.prompt_count, "data": format_dict, "metadata": md_dict or {}}
        SHELL.kept.add({"output_type": "execute_result", **value})


class Shell(InteractiveShell):
    """IPython without a terminal, a history, settings and start-up files of anybody's."""

    displayhook_class = Type(CapturingDisplayHook)
    display_pub_class = Type(CapturingDisplayPublisher)
    kept = BoundedOutputs(0)
    record = CellRecord()

    def run(self, source: str, output_bytes: int) -> dict[str, Any]:
        """Run a cell; return what a notebook keeps of it, how many characters did not fit, and what is on record."""
        self.kept, self.record = kept, record = BoundedOutputs(output_bytes), CellRecord()
        result = self.run_cell(source, store_history=True)
        return {
            "outputs": kept.outputs(),
            "execution_count": result.execution_count,
            "dropped": kept.dropped,
            "complete": record.is_complete and result.success,
            "credit": record.credit(),
        }

    async def run_ast_nodes(self, nodelist: list[ast.stmt], *args: Any, **kwargs: Any) -> Any:
        self.record.statements = (self.record.statements or 0) + len(nodelist)
        return await super().run_ast_nodes(nodelist, *args, **kwargs)

    async def run_code(self, *args: Any, **kwargs: Any) -> Any:
        failed = await super().run_code(*args, **kwargs)
        self.record.completed += not failed
        return failed

    def enable_gui(self, gui: Any = None) -> None:
        """Do without windows."""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.record.errors += 1
        self.kept.add_error(etype.__name__, str(evalue), stb)


def _shell() -> Shell:
    config = Config({"HistoryManager": {"enabled": False}})
    with tempfile.TemporaryDirectory() as folder:  # for a profile, in which nothing is looked for later on
        return Shell.instance(config=config, ipython_dir=folder)


SHELL = _shell()
STREAMS = CapturingStream("stdout", 1), CapturingStream("stderr", 2)


def capture_streams() -> None:
    """Make the shell's namespace that of __main__, and capture the standard streams."""
    sys.modules["__main__"] = SHELL.user_module
    sys.stdout, sys.stderr = STREAMS
