"""The judge's IPython shell: runs a test cell, records whether it was completed, and captures its output.

The score of a cell depends on the record (`CellRecord`) alone, never on its output: outputs are bounded, dropped and
formatted, and IPython swallows some errors without showing anything.

Importing this module creates the shell. A fork server imports it once, and its children inherit the shell.
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

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from nbjudge.judge.credit import describe_credit

_LONGEST_MESSAGE = 20_000  # characters of an error's message that are kept, and of its traceback


@dataclass
class _CellRecord:
    """Record of the execution of a cell.

    statements: number of statements in the cell, None until it is compiled; completed: number that ran to completion
    errors: number of reported errors, including those that a magic reports without raising
    value: of the cell's last line, if it is an expression
    """

    statements: int | None = None
    completed: int = 0
    errors: int = 0
    value: Any = None

    @property
    def is_complete(self) -> bool:
        """Return whether every statement ran to completion."""
        return self.statements == self.completed and not self.errors

    def credit(self) -> dict[str, Any]:
        """Return the value as partial credit; see `describe_credit`."""
        return describe_credit(self.value)


class _BoundedOutputs:
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
        """Add an error, truncated to a readable length, even if the limit is reached."""
        lines = "\n".join(traceback)[-_LONGEST_MESSAGE:].split("\n")
        error = {"ename": name, "evalue": message[:_LONGEST_MESSAGE], "traceback": lines}
        self._outputs.append({"output_type": "error", **error})

    def add(self, output: dict[str, Any], name: str = "") -> None:
        """Add an output; if it has a name, such as a display id, it can be replaced later."""
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
        return [{**output, "text": "".join(output["text"])} if "text" in output else output for output in self._outputs]

    def _fits(self, size: int) -> bool:
        if self.size + size > self.most:
            self.dropped += size
            return False
        self.size += size
        return True


class _CapturingStream(io.TextIOBase):
    """Captures the text written to sys.stdout or sys.stderr."""

    encoding = "utf-8"

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def write(self, text: str) -> int:
        SHELL.captured.print(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.number


class _CapturingDisplayPublisher(DisplayPublisher):
    """Captures displayed objects."""

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
            SHELL.captured.replace(name, output)
        else:
            SHELL.captured.add(output, name)

    def clear_output(self, wait: bool = False) -> None:
        SHELL.captured.clear()


class _CapturingDisplayHook(DisplayHook):
    """Captures the value of a cell's last line."""

    def __call__(self, result: Any = None) -> None:
        if result is not None and not self.quiet():  # type: ignore[no-untyped-call]
            SHELL.record.value = result  # before it is displayed, which may fail
        super().__call__(result)  # type: ignore[no-untyped-call]

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        value = {"execution_count": self.prompt_count, "data": format_dict, "metadata": md_dict or {}}
        SHELL.captured.add({"output_type": "execute_result", **value})


class Shell(InteractiveShell):
    """IPython without a terminal, history, user settings and start-up files."""

    displayhook_class = Type(_CapturingDisplayHook)
    display_pub_class = Type(_CapturingDisplayPublisher)
    captured = _BoundedOutputs(0)
    record = _CellRecord()

    def run(self, source: str, output_bytes: int) -> dict[str, Any]:
        """Run a cell; return its outputs, the number of characters dropped, and its record."""
        self.captured, self.record = captured, record = _BoundedOutputs(output_bytes), _CellRecord()
        result = self.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        return {
            "outputs": captured.outputs(),
            "execution_count": result.execution_count,
            "dropped": captured.dropped,
            "complete": record.is_complete and result.success,
            "credit": record.credit(),
        }

    async def run_ast_nodes(self, nodelist: list[ast.stmt], *args: Any, **kwargs: Any) -> Any:
        self.record.statements = (self.record.statements or 0) + len(nodelist)
        return await super().run_ast_nodes(nodelist, *args, **kwargs)

    async def run_code(self, *args: Any, **kwargs: Any) -> Any:
        failed = await super().run_code(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.record.completed += not failed
        return failed

    def _format_exception_for_storage(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Return nothing for the history, which is off; it would format each traceback a second time."""
        return {}

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: there are no windows."""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.record.errors += 1
        self.captured.add_error(etype.__name__, str(evalue), stb)


def _shell() -> Shell:
    config = Config({"HistoryManager": {"enabled": False}})
    with tempfile.TemporaryDirectory() as folder:  # for a profile, which is not used later
        return Shell.instance(config=config, ipython_dir=folder)


SHELL = _shell()
_STREAMS = _CapturingStream("stdout", 1), _CapturingStream("stderr", 2)


def capture_streams() -> None:
    """Make the shell's namespace that of __main__, and capture the standard streams."""
    sys.modules["__main__"] = SHELL.user_module
    sys.stdout, sys.stderr = _STREAMS
