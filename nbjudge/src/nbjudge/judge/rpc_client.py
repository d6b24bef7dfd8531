"""RPC client of the judge: calls a submission's functions, and validates each reply before it is used."""

from __future__ import annotations

import builtins
import inspect
import re
import socket
import sys
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbjudge.judge.codec import Decoder, Encoder, NotSerializable, Tree, WireError, pack, receive
from nbjudge.judge.empty_arrays import EmptyArray
from nbjudge.judge.introspection import known_name
from nbjudge.transport import connect

_MOST_OBJECTS = 1_000_000
TEXT = 20_000  # characters of output replayed from one call

# Libraries end loops, skip tests or silently continue at these; a submission's error of such a class would do the same.
_CONTROL_FLOW = (StopIteration, StopAsyncIteration)
_CONTROL_FLOW_MODULES = {"asyncio", "bdb", "concurrent", "doctest", "IPython", "nbjudge", "nose", "_pytest", "unittest"}
_ENDS_A_LOOP = ("builtins:next", "builtins:iter")  # calls that may raise StopIteration
# Calls that only read an object; any other may change its arguments.
_READS = {
    *(f"builtins:{name}" for name in ("getattr", "dir", "len", "iter", "bool", "repr", "str", "format", "isinstance")),
    *(f"builtins:{name}" for name in ("abs", "float", "int", "complex", "round", "issubclass")),
    *(f"operator:{name}" for name in ("getitem", "index", "eq", "ne", "lt", "le", "gt", "ge", "contains")),
    "numpy:asanyarray",
}


@dataclass(frozen=True)
class Policy:
    """Permitted effects of calls of the submission's code on a test cell.

    changes: the arguments that they may change, as (called, index); None allows all
    empty_arrays: whether an empty array may be compared with one that has elements
    stop_iteration: whether a function may raise it, which would end a loop of the test early
    """

    changes: frozenset[tuple[str, int]] | None = None
    empty_arrays: bool = False
    stop_iteration: bool = False


@dataclass
class Effects:
    """Effects of calls of the submission's code on a test cell.

    changes: (called, index) of each changed argument; undo: functions that restore them, to be called in reverse
    empty_arrays: whether an empty array was compared with one that has elements
    """

    changes: set[tuple[str, int]] = field(default_factory=set)
    undo: list[Callable[[], None]] = field(default_factory=list)
    empty_arrays: bool = False


class SubmissionError(Exception):
    """An error of the submission, or one about it; base of every class that `_error` creates.

    submitted_line: the submission's own line that raised it, or ""
    trace: its traceback in the submission's code
    remark: a sentence about its cause, or ""
    """

    submitted_line = ""
    trace = ""
    remark = ""

    def _render_traceback_(self) -> list[str]:  # IPython's hook: shows nothing of the test's source
        return [*self.trace.splitlines(), f"{type(self).__name__}: {self}", *filter(None, [self.remark])]


class _EmptyComparison(SubmissionError, TypeError):  # noqa: N818  (students see the name)
    """A test compares an empty array from the submission with something that has elements."""


class RpcClient:
    """The judge's connection to one process of a submission, open while a test cell runs.

    path: the socket on which that process listens
    make_proxy: returns the proxy for an object that stays there, from (link, number, description)
    proxy_number: returns the number of a proxy, or None for other values
    """

    def __init__(
        self,
        path: str,
        make_proxy: Callable[[RpcClient, int, dict[str, Any]], Any],
        proxy_number: Callable[[Any], int | None],
    ):
        self.make_proxy = make_proxy
        self.proxy_number = proxy_number
        self.path = path
        self.functions: list[Callable[..., Any]] = []
        self.given: set[str] = set()  # names of the instructor's, which the other process has too
        self.labels: dict[int, str] = {}  # {number of a function of the submission: its name in the notebook}
        self.owners: dict[int, int] = {}  # {number of a bound method or attribute: number of its object}
        self.arrays: dict[int, np.ndarray] = {}  # {number of an object: its value as an array}
        self.library_objects: set[int] = set()  # those that other calls may change, such as weights of a model
        self.policy, self.effects = Policy(), Effects()
        self.broken = "it belongs to a process that has ended"
        self.connection: socket.socket | None = None

    def open(self) -> None:
        """Connect. Raises OSError if the process does not listen."""
        self.connection = connect(self.path)
        self.broken = ""

    def close(self) -> None:
        """Disconnect, which makes the server return."""
        self.broken = "it is asked outside of a test"
        if self.connection:
            self.connection.close()

    def call(self, called: str | int, *args: Any, **kwargs: Any) -> Any:
        """Call "module:name", or the object with a number, in the other process and return the result.

        Arguments are copied; changes that the call makes to them are applied here too.
        Raises SubmissionError, also of the class that was raised there if a module loaded here has it.
        """
        if self.broken:
            raise SubmissionError(self.broken)
        encoder = Encoder(lambda value: self._encode_reference(value, encoder))
        frame = pack({"call": called, "arguments": encoder.tree([args, kwargs])}, encoder.buffers)
        values = [*args, *kwargs.values()]
        self._forget_arrays(called, values)
        try:
            reply, buffers = self._reply(frame)
            decoder = self._decoder(buffers)
            self._replay_output(reply)
            if "error" in reply:
                raise self._error(reply["error"], called)
            value = decoder.value(reply["value"])
            for index, tree in reply["changed"]:
                self._change(self._label(called), index, values[index], tree, decoder)
            return value
        except SubmissionError:
            raise
        except (EOFError, OSError):
            self.broken = "the code ended the process that it runs in, so it cannot be asked any more"
        except WireError as error:
            self.broken = f"what came back cannot be read: {error}"
        except KeyboardInterrupt:  # the answer may still arrive, and would be taken for the next one
            self.broken = "there was no answer in time"
            raise
        except Exception as error:  # a malformed reply fails somewhere
            self.broken = f"what came back cannot be read: {type(error).__name__}"
        raise SubmissionError(self.broken)

    def _reply(self, frame: bytes) -> tuple[dict[str, Any], list[bytearray]]:
        assert self.connection is not None  # otherwise it is broken
        self.connection.sendall(frame)
        while True:
            reply, buffers = receive(self.connection)
            if "back" not in reply:
                return reply, buffers
            self.connection.sendall(self._call_back(reply, buffers))

    def _call_back(self, request: dict[str, Any], buffers: list[bytearray]) -> bytes:
        """Call one of the functions that were passed as arguments, and return the frame with its result."""
        args, kwargs = Decoder(buffers, self._decode_reference).value(request["arguments"])
        function = self.functions[request["back"]]
        encoder = Encoder(lambda value: self._encode_reference(value, encoder))
        try:
            return pack({"value": encoder.tree(function(*args, **kwargs))}, encoder.buffers)
        except Exception as error:
            return pack({"error": f"{type(error).__name__}: {str(error)[:1000]}"}, [])

    def _decoder(self, buffers: list[bytearray]) -> Decoder:
        decoder = Decoder(buffers, self._decode_reference)
        decoder.empty_array = self._empty_array
        return decoder

    def _empty_array(self, array: np.ndarray) -> np.ndarray:
        empty = array.view(EmptyArray)
        empty.on_comparison = self.on_empty_comparison
        return empty

    def on_empty_comparison(self) -> None:
        """Record that something empty is compared with something that is not. Raises EmptyComparison."""
        self.effects.empty_arrays = True
        if not self.policy.empty_arrays:
            raise _EmptyComparison(
                "nothing came back: an array or a list without elements, where the test expects some"
            )

    def _label(self, called: str | int) -> str:
        return self.labels.get(called, "an object") if isinstance(called, int) else called

    def _change(self, label: str, index: int, argument: Any, tree: Tree, decoder: Decoder) -> None:
        """Apply a call's change of an argument, if the policy allows it, and record how to undo it."""
        if self.proxy_number(argument) is not None:
            return  # an object of the submission
        self.effects.changes.add((label, index))
        if self.policy.changes is None or (label, index) in self.policy.changes:
            self.effects.undo.append(_make_undo(argument))
            update(argument, tree, decoder)

    def as_array(self, number: int, is_library: bool, read: Callable[[], np.ndarray]) -> np.ndarray:
        """Return an object as an array: `read` is called once, until a call may have changed the object.

        is_library: it is of a class that the judge knows, such as a weight, which calls of others may change
        """
        if number not in self.arrays:
            self.arrays[number] = read()
            if is_library:
                self.library_objects.add(number)
        return self.arrays[number]

    def _forget_arrays(self, called: str | int, values: Iterable[Any]) -> None:
        """Drop the cached arrays of objects that a call may change."""
        if called in _READS or not self.arrays:
            return
        numbers = [number for value in values if (number := self.proxy_number(value)) is not None]
        if isinstance(called, int):
            numbers += [called, *self.library_objects]
        for number in numbers:
            self.arrays.pop(number, None)
            self.arrays.pop(self.owners.get(number, -1), None)

    def _error(self, description: Any, called: str | int) -> SubmissionError:
        """Return an exception of the same name, and of the first class in its MRO that a test may see."""
        classes, message = list(description["classes"])[:50], str(description["message"])
        name = str(classes[0]).rpartition(":")[2].rpartition(".")[2][:80]
        kinds = [kind for kind in map(known_class, classes) if kind is not None and issubclass(kind, Exception)]
        if any(map(_is_control_flow, kinds)) and not self._may_stop(kinds, called):
            kinds = []
        base = next((kind for kind in kinds if _can_be_raised(kind)), Exception)
        bases = (SubmissionError,) if base is Exception else (SubmissionError, base)
        error: SubmissionError = type(name if name.isidentifier() else "Error", bases, {})(message)
        error.submitted_line, error.trace = str(description["line"])[:500], str(description["trace"])[:5000]
        error.remark = _undefined_name_remark(message) if issubclass(base, NameError) else ""
        return error

    def _may_stop(self, kinds: list[type], called: str | int) -> bool:
        return kinds[0] is StopIteration and (self.policy.stop_iteration or called in _ENDS_A_LOOP)

    def _encode_reference(self, value: Any, encoder: Encoder) -> Tree:
        """Encode an object as its number, its name, its attributes, or a function to call back."""
        number = self.proxy_number(value)
        if number is not None:
            return {"object": number}
        name = known_name(value) or _importable(value, self.given)
        if name:
            return {"known": name}
        if callable(value):
            self.functions.append(value)
            return {"function": len(self.functions) - 1}
        path = f"{type(value).__module__}:{type(value).__qualname__}"
        if type(value).__module__ == "builtins" or not hasattr(value, "__dict__"):
            raise NotSerializable(f"the test passes an object of type {path}, which cannot be sent to the submission")
        return {"instance": [path, encoder.tree(vars(value))]}

    def _decode_reference(self, _decoder: Decoder, tag: str, content: Tree) -> Any:
        if tag == "object":
            number, description = content
            if type(number) is not int or not 0 <= number < _MOST_OBJECTS or not isinstance(description, dict):
                raise WireError("not an object's number")
            return self.make_proxy(self, number, description)
        if tag == "known":
            return _known_object(content)
        raise WireError(f"unknown tag {str(tag)[:40]!r}")

    def _replay_output(self, reply: dict[str, Any]) -> None:
        sys.stdout.write(str(reply["printed"])[:TEXT])
        sys.stderr.write(str(reply["complained"])[:TEXT])


def update(old: Any, tree: Tree, decoder: Decoder) -> None:
    """Apply a call's change of an argument: arrays, lists, dicts, generators, attributes."""
    if isinstance(tree, dict) and "instance" in tree and hasattr(old, "__dict__"):
        return _merge(vars(old), decoder.value(tree["instance"]))
    return _merge(old, decoder.value(tree))


def _merge(old: Any, new: Any) -> None:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.dtype == new.dtype and old.flags.writeable:
        if old.shape != new.shape and old.size == new.size:
            old.shape = new.shape
        if old.shape == new.shape:
            np.copyto(old, new)
    elif isinstance(old, np.random.Generator) and isinstance(new, np.random.Generator):
        if type(old.bit_generator) is type(new.bit_generator):
            old.bit_generator.state = new.bit_generator.state
    elif isinstance(old, list) and isinstance(new, list):
        old[:] = [_merge_item(*pair) for pair in zip(old, new, strict=False)] + new[len(old) :]
    elif isinstance(old, dict) and isinstance(new, dict):
        merged = {key: _merge_item(old[key], value) if key in old else value for key, value in new.items()}
        old.clear()
        old.update(merged)
    elif isinstance(old, set) and isinstance(new, set):
        old.intersection_update(new)
        old.update(new)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        for pair in zip(old, new, strict=False):
            _merge_item(*pair)


def _make_undo(value: Any) -> Callable[[], None]:
    """Return a function that restores the current state of a value, as far as `update` may change it."""
    kind = type(value)  # never isinstance: a proxy may claim any __class__
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
            array.shape = shape
            np.copyto(array, copy)

    return undo


def _container_undo(value: Any) -> Callable[[], None]:
    items = dict(value) if isinstance(value, dict) else list(value)
    inner = [_make_undo(item) for item in (items.values() if isinstance(items, dict) else items)]

    def undo() -> None:
        if isinstance(value, list):
            value[:] = items
        elif not isinstance(value, tuple):
            value.clear()
            value.update(items)
        for undo_item in inner:
            undo_item()

    return undo


def _merge_item(old: Any, new: Any) -> Any:
    """Return the old value, updated in place where its type allows, so that other references see the change."""
    alike = type(old) is type(new) and isinstance(old, (np.ndarray, list, dict, set, np.random.Generator))
    if not alike or (isinstance(old, np.ndarray) and (old.dtype, old.shape) != (new.dtype, new.shape)):
        return new
    _merge(old, new)
    return old


def _importable(value: Any, provided: Set[str]) -> str:
    """Return "module:name" for a function or class that the other process has too, else "".

    That is one of an installed package, or one in __main__ with a name in `provided`: not one that the test defines.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if (
        not isinstance(module, str)
        or not isinstance(name, str)
        or not inspect.isroutine(value) | inspect.isclass(value)
    ):
        return ""
    if module == "__main__" and name.partition(".")[0] not in provided:
        return ""
    target: Any = sys.modules.get(module)
    file = getattr(target, "__file__", None) or "site-packages"  # a built-in module has none
    for part in name.split("."):
        target = getattr(target, part, None)
    return f"{module}:{name}" if target is value and "site-packages" in file else ""


def _known_object(name: Tree) -> Any:
    """Return a built-in or NumPy type, or a ufunc, all harmless for a test to call."""
    module, _, attribute = str(name).partition(":")
    target = vars({"builtins": builtins, "numpy": np}.get(module, object)).get(attribute)
    if target is None or known_name(target) != name:
        raise WireError(f"{str(name)[:80]!r} is not a type")
    return target


def known_class(path: Any) -> type | None:
    """Return the class that "module:name" refers to here, if its module is loaded; never import for a submission."""
    module, _, name = str(path).partition(":")
    if module == "builtins" and name in _UNNAMED:
        return _UNNAMED[name]
    target: Any = sys.modules.get(module) if module != "__main__" else None
    for part in name.split("."):
        target = vars(target).get(part) if hasattr(target, "__dict__") else None
    return target if isinstance(target, type) else None


_UNNAMED = {kind.__name__: kind for kind in (type(lambda: 0), type(len), type(known_class.__get__(0)), type(sys))}
_UNNAMED["generator"] = type(_ for _ in ())


def _undefined_name_remark(message: str) -> str:
    """Return a sentence if a name that an answer lacks is one that only the test defines, or ""."""
    name = re.fullmatch(r"name '(\w+)' is not defined.*", message, re.DOTALL)
    if not name or name[1] not in vars(sys.modules["__main__"]):
        return ""
    return f"The answer reads `{name[1]}`, which only the test defines: an answer sees the names of its own notebook."


def _is_control_flow(kind: type) -> bool:
    return issubclass(kind, _CONTROL_FLOW) or kind.__module__.partition(".")[0] in _CONTROL_FLOW_MODULES


def _can_be_raised(kind: type) -> bool:
    """Return whether a class can be combined with SubmissionError and constructed from a message alone."""
    try:
        type("Trial", (SubmissionError, kind), {})("message")
    except Exception:
        return False
    return True
