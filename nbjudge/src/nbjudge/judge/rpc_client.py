"""RPC client of the judge: calls a submission's functions, and validates each reply before it is used."""

from __future__ import annotations

import builtins
import inspect
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbjudge.judge.codec import Decoder, Encoder, NotSerializable, Tree, WireError, pack, receive
from nbjudge.judge.empty_arrays import EmptyArray
from nbjudge.judge.introspection import known_name
from nbjudge.transport import connect

MOST_OBJECTS = 1_000_000
TEXT = 20_000  # characters of printed text that are taken over from one call

# Libraries end loops, skip tests or go on quietly at these: a submission's error of such a class would do it to a test.
CONTROL_FLOW = (StopIteration, StopAsyncIteration)
CONTROL_FLOW_MODULES = {"asyncio", "bdb", "concurrent", "doctest", "IPython", "nbjudge", "nose", "_pytest", "unittest"}
ENDS_A_LOOP = ("builtins:next", "builtins:iter")  # calls of which StopIteration is an ordinary answer
# Calls that only read an object; every other one may change what it is given.
READS = {
    *(f"builtins:{name}" for name in ("getattr", "len", "iter", "bool", "repr", "str", "format", "isinstance")),
    *(f"builtins:{name}" for name in ("abs", "float", "int", "complex", "round", "issubclass")),
    *(f"operator:{name}" for name in ("getitem", "index", "eq", "ne", "lt", "le", "gt", "ge", "contains")),
    "numpy:asanyarray",
}


@dataclass(frozen=True)
class Policy:
    """What calls of the submission's code may do to a test cell.

    changes: the arguments that they may change, as (called, place); None allows all
    empty_arrays: whether an empty array may be compared with one that has elements
    stop_iteration: whether a function may raise it, which ends a loop of the test's early
    """

    changes: frozenset[tuple[str, int]] | None = None
    empty_arrays: bool = False
    stop_iteration: bool = False


@dataclass
class Effects:
    """What calls of the submission's code have done to a test cell.

    changes: (called, place of the argument) of each argument that was changed; undo: puts them back, last first
    empty_arrays: whether an empty array was compared with one that has elements
    """

    changes: set[tuple[str, int]] = field(default_factory=set)
    undo: list[Callable[[], None]] = field(default_factory=list)
    empty_arrays: bool = False


class SubmissionError(Exception):
    """An error of the submission's, or one about it; every class made by `_error` is a kind of it.

    submitted_line: the submission's own line that raised it, or ""
    trace: where it came from in the submission's code
    """

    submitted_line = ""
    trace = ""

    def _render_traceback_(self) -> list[str]:  # IPython's hook: nothing of the test's own text is shown
        return [*self.trace.splitlines(), f"{type(self).__name__}: {self}"]


class EmptyComparison(SubmissionError, TypeError):
    """An empty array from the submission where a test compares it with something that has elements."""


class RpcClient:
    """The judge's connection to one process of a submission, open while a test cell runs.

    path: the socket on which that process waits
    make_proxy: makes what represents an object that stays there, from (link, number, what is told of it)
    number_of: gives the number back, or None for what is no stand-in
    """

    def __init__(
        self,
        path: str,
        make_proxy: Callable[[RpcClient, int, dict], Any],
        number_of: Callable[[Any], int | None],
    ):
        self.make_proxy = make_proxy
        self.number_of = number_of
        self.path = path
        self.functions: list[Callable] = []
        self.labels: dict[int, str] = {}  # of the submission's functions, by their names in the notebook
        self.owners: dict[int, int] = {}  # {number of a bound method or attribute: of the object that has it}
        self.arrays: dict[int, np.ndarray] = {}  # what objects are as arrays, from the first look on
        self.library_objects: set[int] = set()  # those of them that other calls may change, such as weights of a model
        self.policy, self.effects = Policy(), Effects()
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
        given = [*args, *kwargs.values()]
        self._forget_arrays(called, given)
        try:
            reply, buffers = self._reply(frame)
            decoder = self._decoder(buffers)
            self._repeat_printed(reply)
            if "error" in reply:
                raise self._error(reply["error"], called)
            value = decoder.value(reply["value"])
            for place, tree in reply["changed"]:
                self._change(self._label(called), place, given[place], tree, decoder)
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

    def _decoder(self, buffers: list[bytearray]) -> Decoder:
        decoder = Decoder(buffers, self._referred)
        decoder.empty_array = self._empty_array
        return decoder

    def _empty_array(self, array: np.ndarray) -> np.ndarray:
        empty = array.view(EmptyArray)
        empty.on_comparison = self.on_empty_comparison
        return empty

    def on_empty_comparison(self) -> None:
        """Note that something without elements is compared with what has some. Raises EmptyComparison."""
        self.effects.empty_arrays = True
        if not self.policy.empty_arrays:
            raise EmptyComparison("nothing came back: an array or a list without elements, where the test expects some")

    def _label(self, called: str | int) -> str:
        return self.labels.get(called, "an object") if isinstance(called, int) else called

    def _change(self, label: str, place: int, argument: Any, tree: Tree, decoder: Decoder) -> None:
        """Change an argument as the call has changed its copy, if that is allowed, and remember how to put it back."""
        if self.number_of(argument) is not None:
            return  # an object of the submission's own
        self.effects.changes.add((label, place))
        if self.policy.changes is None or (label, place) in self.policy.changes:
            self.effects.undo.append(undo_of(argument))
            update(argument, tree, decoder)

    def as_array(self, number: int, is_library: bool, read: Callable[[], np.ndarray]) -> np.ndarray:
        """Return what an object is as an array: `read` is asked once, until a call may have changed the object.

        is_library: it is of a class that the judge knows, such as a weight, which calls of others may change
        """
        if number not in self.arrays:
            self.arrays[number] = read()
            if is_library:
                self.library_objects.add(number)
        return self.arrays[number]

    def _forget_arrays(self, called: str | int, given: Iterable[Any]) -> None:
        """Forget what objects were as arrays that a call may change."""
        if called in READS or not self.arrays:
            return
        numbers = [number for value in given if (number := self.number_of(value)) is not None]
        if isinstance(called, int):
            numbers += [called, *self.library_objects]
        for number in numbers:
            self.arrays.pop(number, None)
            self.arrays.pop(self.owners.get(number, -1), None)

    def _error(self, told: Any, called: str | int) -> SubmissionError:
        """Return an exception of the same name, and of the first class in its order that a test may see."""
        classes, message = list(told["classes"])[:50], str(told["message"])
        name = str(classes[0]).rpartition(":")[2].rpartition(".")[2][:80]
        kinds = [kind for kind in map(known_class, classes) if kind is not None and issubclass(kind, Exception)]
        if any(map(_is_control_flow, kinds)) and not self._may_stop(kinds, called):
            kinds = []
        base = next((kind for kind in kinds if _can_be_raised(kind)), Exception)
        bases = (SubmissionError,) if base is Exception else (SubmissionError, base)
        error: SubmissionError = type(name if name.isidentifier() else "Error", bases, {})(message)
        error.submitted_line, error.trace = str(told["line"])[:500], str(told["trace"])[:5000]
        return error

    def _may_stop(self, kinds: list[type], called: str | int) -> bool:
        return kinds[0] is StopIteration and (self.policy.stop_iteration or called in ENDS_A_LOOP)

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
            raise NotSerializable(f"the test passes an object of type {place}, which cannot be sent to the submission")
        return {"instance": [place, encoder.tree(vars(value))]}

    def _referred(self, _decoder: Decoder, tag: str, content: Tree) -> Any:
        if tag == "object":
            number, told = content
            if type(number) is not int or not 0 <= number < MOST_OBJECTS or not isinstance(told, dict):
                raise WireError("not an object's number")
            return self.make_proxy(self, number, told)
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


def undo_of(value: Any) -> Callable[[], None]:
    """Return a function that puts a value back as it is now, in all that `update` may change."""
    kind = type(value)  # never isinstance: a stand-in says what it likes about its class
    if issubclass(kind, np.ndarray):
        return _array_undo(value)
    if issubclass(kind, np.random.Generator):
        bits, state = value.bit_generator, value.bit_generator.state
        return lambda: setattr(bits, "state", state)
    if issubclass(kind, (list, tuple, set, dict)):
        return _container_undo(value)
    if "__dict__" in dir(kind) and kind.__module__ != "builtins":
        return _container_undo(vars(value))
    return lambda: None


def _array_undo(array: np.ndarray) -> Callable[[], None]:
    copy, shape = array.copy(), array.shape

    def undo() -> None:
        if array.flags.writeable:
            array.shape = shape  # type: ignore[assignment]
            np.copyto(array, copy)

    return undo


def _container_undo(value: Any) -> Callable[[], None]:
    items = dict(value) if isinstance(value, dict) else list(value)
    inner = [undo_of(item) for item in (items.values() if isinstance(items, dict) else items)]

    def undo() -> None:
        if isinstance(value, list):
            value[:] = items
        elif not isinstance(value, tuple):
            value.clear()
            value.update(items)
        for one in inner:
            one()

    return undo


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


def _is_control_flow(kind: type) -> bool:
    return issubclass(kind, CONTROL_FLOW) or kind.__module__.partition(".")[0] in CONTROL_FLOW_MODULES


def _can_be_raised(kind: type) -> bool:
    """Tell whether a class can be combined with SubmissionError and made from a message alone."""
    try:
        type("Trial", (SubmissionError, kind), {})("message")
    except Exception:
        return False
    return True
