"""The judge's IPython: runs a test cell and keeps what it shows, as the outputs of a cell in a notebook.

To import this module makes the shell. A process that forks imports it once, and each of its children finds it made.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config


class Kept:
    """The outputs of one cell, as far as they fit into `most` characters."""

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


class Stream(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr."""

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


class Publisher(DisplayPublisher):
    """Keeps what is displayed."""

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


class Hook(DisplayHook):
    """Keeps the value of a cell's last line."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        value = {"execution_count": self.prompt_count, "data": format_dict, "metadata": md_dict or {}}
        SHELL.kept.add({"output_type": "execute_result", **value})


class Shell(InteractiveShell):
    """IPython without a terminal, a history, settings and start-up files of anybody's."""

    displayhook_class = Type(Hook)
    display_pub_class = Type(Publisher)
    kept = Kept(0)

    def run(self, source: str, output_bytes: int) -> dict[str, Any]:
        """Run a cell; return what a notebook keeps of it, and how many characters did not fit."""
        self.kept = kept = Kept(output_bytes)
        result = self.run_cell(source, store_history=True)
        return {"outputs": kept.outputs(), "execution_count": result.execution_count, "dropped": kept.dropped}

    def enable_gui(self, gui: Any = None) -> None:
        """Do without windows."""

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        error = {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        self.kept.add({"output_type": "error", **error})


def _shell() -> Shell:
    config = Config({"HistoryManager": {"enabled": False}})
    with tempfile.TemporaryDirectory() as folder:  # for a profile, in which nothing is looked for later on
        return Shell.instance(config=config, ipython_dir=folder)


SHELL = _shell()
STREAMS = Stream("stdout", 1), Stream("stderr", 2)


def take_over() -> None:
    """Make the shell's names those of the program that runs, and have its streams kept."""
    sys.modules["__main__"] = SHELL.user_module
    sys.stdout, sys.stderr = STREAMS
