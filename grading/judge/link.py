"""The judge's side of the conversation with a submission's process: what comes back is checked before it is used."""

from __future__ import annotations

import builtins
import inspect
import socket
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from grading.judge.describing import known_name
from grading.judge.sockets import connect
from grading.judge.wire import CannotCross, Decoder, Encoder, Tree, WireError, pack, receive

MOST_OBJECTS = 1_000_000
TEXT = 20_000  # characters of printed text that are taken over from one call


class SubmissionError(Exception):
    """An error of the submission's, or one about it; every class made by `_error` is a kind of it.

    submitted_line: the submission's own line that raised it, or ""
    trace: where it came from in the submission's code
    """

    submitted_line = ""
    trace = ""

    def _render_traceback_(self) -> list[str]:  # IPython's hook: nothing of the test's own text is shown
        return [*self.trace.splitlines(), f"{type(self).__name__}: {self}"]


class Link:
    """What the judge has to do with one process of a submission; connected while a test cell runs.

    path: the socket on which that process waits
    stand_in: makes what represents an object that stays there, from (link, number, what is told of it)
    number_of: gives the number back, or None for what is no stand-in
    """

    def __init__(
        self,
        path: str,
        stand_in: Callable[[Link, int, dict], Any],
        number_of: Callable[[Any], int | None],
    ):
        self.stand_in = stand_in
        self.number_of = number_of
        self.path = path
        self.functions: list[Callable] = []
        self.broken = "it belongs to a process that has ended"
        self.connection: socket.socket | None = None

    def open(self) -> None:
        """Connect. Raises OSError when nobody waits there."""
        self.connection = connect(self.path)
        self.broken = ""

    def close(self) -> None:
        """Hang up, which ends the other side's answering."""
        self.broken = "it is asked outside of a test"
        if self.connection:
            self.connection.close()

    def call(self, called: str | int, *args: Any, **kwargs: Any) -> Any:
        """Call "module:name", or the object of a number, in the other process and return the result.

        Arguments are copied; what the call changed in them is changed here too.
        Raises SubmissionError, which is also of the class that was raised there, if Python or a module has it.
        """
        if self.broken:
            raise SubmissionError(self.broken)
        encoder = Encoder(lambda value: self._lent(value, encoder))
        frame = pack({"call": called, "arguments": encoder.tree([args, kwargs])}, encoder.buffers)
        try:
            reply, buffers = self._reply(frame)
            decoder = Decoder(buffers, self._referred)
            self._repeat_printed(reply)
            if "error" in reply:
                raise _error(reply["error"])
            value = decoder.value(reply["value"])
            given = [*args, *kwargs.values()]
            for place, tree in reply["changed"]:
                update(given[place], tree, decoder)
            return value
        except SubmissionError:
            raise
        except (EOFError, OSError):
            self.broken = "the code ended the process that it runs in, so there is nobody left to ask"
        except WireError as error:
            self.broken = f"what came back cannot be read: {error}"
        except KeyboardInterrupt:  # the answer may still come, and would be taken for the next one
            self.broken = "there was no answer in time"
            raise
        except Exception as error:  # a malformed reply fails somewhere
            self.broken = f"what came back cannot be read: {type(error).__name__}"
        raise SubmissionError(self.broken)

    def _reply(self, frame: bytes) -> tuple[dict, list[bytearray]]:
        assert self.connection is not None  # or it is broken
        self.connection.sendall(frame)
        while True:
            reply, buffers = receive(self.connection)
            if "back" not in reply:
                return reply, buffers
            self.connection.sendall(self._called_back(reply, buffers))

    def _called_back(self, request: dict, buffers: list[bytearray]) -> bytes:
        """Call one of the functions that were passed as arguments, and return the frame with its result."""
        args, kwargs = Decoder(buffers, self._referred).value(request["arguments"])
        function = self.functions[request["back"]]
        encoder = Encoder(lambda value: self._lent(value, encoder))
        try:
            return pack({"value": encoder.tree(function(*args, **kwargs))}, encoder.buffers)
        except Exception as error:
            return pack({"error": f"{type(error).__name__}: {str(error)[:1000]}"}, [])

    def _lent(self, value: Any, encoder: Encoder) -> Tree:
        """Return how an object goes over: by its number, by its name, as its attributes, or as a function to call."""
        number = self.number_of(value)
        if number is not None:
            return {"object": number}
        name = known_name(value) or _importable(value)
        if name:
            return {"known": name}
        if callable(value):
            self.functions.append(value)
            return {"function": len(self.functions) - 1}
        place = f"{type(value).__module__}:{type(value).__qualname__}"
        if type(value).__module__ == "builtins" or not hasattr(value, "__dict__"):
            raise CannotCross(f"the test passes an object of type {place}, which cannot be sent to the submission")
        return {"instance": [place, encoder.tree(vars(value))]}

    def _referred(self, _decoder: Decoder, tag: str, content: Tree) -> Any:
        if tag == "object":
            number, told = content
            if type(number) is not int or not 0 <= number < MOST_OBJECTS or not isinstance(told, dict):
                raise WireError("not an object's number")
            return self.stand_in(self, number, told)
        if tag == "known":
            return _harmless(content)
        raise WireError(f"unknown tag {str(tag)[:40]!r}")

    def _repeat_printed(self, reply: dict) -> None:
        sys.stdout.write(str(reply["printed"])[:TEXT])
        sys.stderr.write(str(reply["complained"])[:TEXT])


def update(old: Any, tree: Tree, decoder: Decoder) -> None:
    """Change an argument as the call has changed its copy: arrays, lists, dicts, generators, attributes."""
    if isinstance(tree, dict) and "instance" in tree and hasattr(old, "__dict__"):
        return _merge(vars(old), decoder.value(tree["instance"]))
    return _merge(old, decoder.value(tree))


def _merge(old: Any, new: Any) -> None:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.dtype == new.dtype and old.flags.writeable:
        if old.shape != new.shape and old.size == new.size:
            old.shape = new.shape  # type: ignore[assignment]
        if old.shape == new.shape:
            np.copyto(old, new)
    elif isinstance(old, np.random.Generator) and isinstance(new, np.random.Generator):
        if type(old.bit_generator) is type(new.bit_generator):
            old.bit_generator.state = new.bit_generator.state
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = [_kept(*pair) for pair in zip(old, new, strict=False)] + new[len(old) :]
    elif isinstance(old, dict) and isinstance(new, dict):
        merged = {key: _kept(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(merged)
    elif isinstance(old, set) and isinstance(new, set):
        old.intersection_update(new)
        old.update(new)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        for pair in zip(old, new, strict=False):
            _kept(*pair)


def _kept(old: Any, new: Any) -> Any:
    """Return the old value, changed into the new one where its kind allows, so that other names for it see it too."""
    alike = type(old) is type(new) and isinstance(old, (np.ndarray, list, dict, set, np.random.Generator))
    if not alike or (isinstance(old, np.ndarray) and (old.dtype, old.shape) != (new.dtype, new.shape)):
        return new
    _merge(old, new)
    return old


def _importable(value: Any) -> str:
    """Return "module:name" for a function or class of an installed package, which the other process has too."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if (
        not isinstance(module, str)
        or not isinstance(name, str)
        or not inspect.isroutine(value) | inspect.isclass(value)
    ):
        return ""
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None) or "site-packages"  # a built-in module has none
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is value and "site-packages" in file else ""


def _harmless(name: Tree) -> Any:
    """Return a type of Python or NumPy, or a ufunc: nothing that does more than that when a test calls it."""
    module, _, attribute = str(name).partition(":")
    found = vars({"builtins": builtins, "numpy": np}.get(module, object)).get(attribute)
    if found is None or known_name(found) != name:
        raise WireError(f"{str(name)[:80]!r} is not a type")
    return found


def known_class(place: Any) -> type | None:
    """Return the class that "module:name" is here, if its module is loaded; nothing is imported for a submission."""
    module, _, name = str(place).partition(":")
    if module == "builtins" and name in _UNNAMED:
        return _UNNAMED[name]
    found: Any = sys.modules.get(module) if module != "__main__" else None
    for part in name.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    return found if isinstance(found, type) else None


_UNNAMED = {kind.__name__: kind for kind in (type(lambda: 0), type(len), type(known_class.__get__(0)), type(sys))}
_UNNAMED["generator"] = type(_ for _ in ())


def _error(told: Any) -> SubmissionError:
    """Return an exception of the same name, and of the first class in its order that is known here."""
    classes, message = list(told["classes"])[:50], str(told["message"])
    name = str(classes[0]).rpartition(":")[2].rpartition(".")[2][:80]
    kinds = [kind for kind in map(known_class, classes) if kind is not None and issubclass(kind, Exception)]
    base = next((kind for kind in kinds if _can_be_raised(kind)), Exception)
    bases = (SubmissionError,) if base is Exception else (SubmissionError, base)
    error: SubmissionError = type(name if name.isidentifier() else "Error", bases, {})(message)
    error.submitted_line, error.trace = str(told["line"])[:500], str(told["trace"])[:5000]
    return error


def _can_be_raised(kind: type) -> bool:
    """Tell whether a class can be combined with SubmissionError and made from a message alone."""
    try:
        type("Trial", (SubmissionError, kind), {})("message")
    except Exception:
        return False
    return True
