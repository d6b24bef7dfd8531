"""Proxies for a submission's functions, classes and objects, in the judge's process.

A proxy forwards each operation. Results that are data are copied and compared here: an object that claims to equal
everything equals nothing.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from nbjudge.judge.rpc_client import RpcClient, SubmissionError, known_class

# Names by which libraries probe what an object can do. A proxy does not forward them.
_UNASKED = ("_repr_", "_ipython_", "__array_", "__wrapped__", "__html__", "__await__", "__reduce", "__getstate__")


_T = TypeVar("_T")

_ARRAY_ATTRIBUTES = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))
_NUMBERS = (int, float, complex)  # their subclasses may define equality, so they are not compared here


class RemoteProxy:  # noqa: D101  (__doc__ is the remote object's)
    # An object in a submission's process. `_remote` holds the link, its number and its description; `_trust` is "class"
    # for a class that an exercise asks for, and "made" for an instance that a test made from such a class.
    __slots__ = ("_trust", "_remote")
    __doc__ = property(lambda self: self.__getattr__("__doc__"))

    def __init__(self, link: RpcClient, number: int, description: dict[str, Any]):
        object.__setattr__(self, "_remote", (link, number, description))
        object.__setattr__(self, "_trust", "")

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance(model, keras.Model) asks for this
        classes = list(self._remote[2].get("classes") or [])[:50]
        local_class = next((kind for kind in map(known_class, classes) if kind not in (None, object)), None)
        return local_class or type(_name(self), (), {})

    @property
    def __signature__(self) -> inspect.Signature:
        parameters = self._remote[2].get("parameters")
        if not isinstance(parameters, list):
            raise AttributeError("__signature__")
        return inspect.Signature([_parameter(*map(_simple, parameter)) for parameter in parameters])

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_UNASKED):
            raise AttributeError(name)
        if name in _ARRAY_ATTRIBUTES and _is_array(self):
            return getattr(self.__array__(), name)
        value = _ask(self, "builtins:getattr", name)
        if _is_proxy(value):
            link, number, _ = self._remote
            link.owners[value._remote[1]] = number
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "builtins:setattr", name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self, "builtins:delattr", name)

    def __iter__(self) -> Any:
        return iter(self.__array__()) if _is_array(self) else Iterator(_ask(self, "builtins:iter"))

    def __next__(self) -> Any:
        return _ask(self, "builtins:next")

    def __len__(self) -> int:
        return len(self.__array__()) if _is_array(self) else _ask(self, "builtins:len")

    def __bool__(self) -> bool:
        return bool(self.__array__()) if _is_array(self) else _data(_ask(self, "builtins:bool"), bool)

    def __getitem__(self, key: Any) -> Any:
        return self.__array__()[key] if _is_array(self) else _ask(self, "operator:getitem", key)

    def __contains__(self, value: Any) -> bool:
        if self._trust == "made":
            return _data(_ask(self, "operator:contains", value), bool)
        return any(value == item for item in self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        link, number, _ = self._remote
        array = link.as_array(number, _is_of_a_library(self), self._read_array)
        copied: np.ndarray = array.astype(dtype or array.dtype)  # which a test may modify
        return copied

    def _read_array(self) -> np.ndarray:
        array = _data(_ask(self, "numpy:asanyarray"), np.ndarray)
        if not array.size and not self._remote[0].policy.empty_arrays:  # such as of a mock, which has no length
            raise NotData(f"expected an array, got an object of type {_name(self)} without elements")
        return array

    def __dir__(self) -> list[str]:
        return [name for name in _data(_ask(self, "builtins:dir"), list) if type(name) is str]

    def __enter__(self) -> Any:
        return self.__getattr__("__enter__")()

    def __exit__(self, *_exception: object) -> Any:
        return self.__getattr__("__exit__")(None, None, None)

    def __instancecheck__(self, value: Any) -> bool:
        return _data(_ask_about(self, "builtins:isinstance", value), bool)

    def __subclasscheck__(self, value: Any) -> bool:
        return _data(_ask_about(self, "builtins:issubclass", value), bool)

    def __hash__(self) -> int:
        return hash(("stand-in", self._remote[1]))

    def __repr__(self) -> str:
        return _data(_ask(self, "builtins:repr"), str)

    def __str__(self) -> str:
        return _data(_ask(self, "builtins:str"), str)

    def __format__(self, spec: str) -> str:
        return _data(_ask(self, "builtins:format", spec), str)

    def __copy__(self) -> Any:
        return _ask(self, "copy:copy")

    def __deepcopy__(self, _memo: dict[int, Any]) -> Any:
        return _ask(self, "copy:deepcopy")

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("an object of a submission's cannot be pickled")

    def _call_colocated(self, function: str) -> Callable[..., Any]:
        """Return a function that calls "module:name" in this object's process."""
        link = self._remote[0]
        return lambda *args, **kwargs: link.call(function, *args, **kwargs)


class CallableProxy(RemoteProxy):  # noqa: D101  (__doc__ is the remote object's)
    # A proxy for a callable object.
    __slots__ = ()
    __doc__ = RemoteProxy.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        link, number, _ = self._remote
        result = link.call(number, *args, **kwargs)
        if self._trust == "class" and _is_proxy(result):
            object.__setattr__(result, "_trust", "made")
        return result


def make_proxy(link: RpcClient, number: int, description: dict[str, Any]) -> RemoteProxy:
    """Return a proxy for the object with this number, callable if the object is."""
    return (CallableProxy if description.get("callable") is True else RemoteProxy)(link, number, description)


class NotData(SubmissionError, TypeError):  # noqa: N818  (students see the name)
    """An object where a test asks for data."""


class Iterator:
    """Iterates over an iterator in a submission's process; for any other object, next() raises that object's error."""

    def __init__(self, remote: Any):
        self.remote = remote

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        try:
            return next(self.remote)
        except StopIteration as end:  # a SubmissionError of that class
            raise StopIteration from end


def proxy_number(value: Any) -> int | None:
    """Return the number of a proxy, None for anything else."""
    return value._remote[1] if _is_proxy(value) else None


def _is_proxy(value: Any) -> bool:
    return issubclass(type(value), RemoteProxy)  # isinstance would query the other process


def _is_array(value: RemoteProxy) -> bool:
    """Return whether an object of the submission's own class claims to be an array; it is then treated as one."""
    description = value._remote[2]
    return description.get("array") is True and not value._trust and not _is_of_a_library(value)


def _is_of_a_library(value: RemoteProxy) -> bool:
    classes = list(value._remote[2].get("classes") or [])[:1]
    return any(known_class(path) for path in classes)


def trust_class(value: Any) -> None:
    """Trust a class that an exercise asks for: its instances, made by a test, may define their own equality."""
    if _is_proxy(value):
        object.__setattr__(value, "_trust", "class")


def _ask(value: RemoteProxy, function: str, *args: Any) -> Any:
    return value._remote[0].call(function, value, *args)


def _ask_about(value: RemoteProxy, function: str, subject: Any) -> Any:
    return value._remote[0].call(function, subject, value)


def _data(value: Any, kind: type[_T]) -> _T:
    """Return the value. Raises NotData if it is not of the required type."""
    if type(value) is not kind:
        raise NotData(f"expected {kind.__name__}, got an object of type {_name(value)}")
    data: _T = value
    return data


def _name(value: Any) -> str:
    classes = value._remote[2].get("classes") if _is_proxy(value) else None
    return str((classes or [type(value).__name__])[0]).rpartition(":")[2].rpartition(".")[2][:80]


def _parameter(name: Any, kind: Any, default: Any) -> inspect.Parameter:
    shown_default = inspect.Parameter.empty if default is None else _Default(default)
    return inspect.Parameter(name, inspect._ParameterKind(kind), default=shown_default)


def _simple(part: Any) -> Any:
    return part[:200] if isinstance(part, str) else part


class _Default(str):
    """A default value, as its repr in the submission's process."""

    def __repr__(self) -> str:
        return str(self)


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    """Return the method for an operator: remote between the submission's objects, local with a value of the test.

    Expected values are never sent: an answer could learn them from its operators, such as __sub__.
    """

    def apply(self: RemoteProxy, other: Any) -> Any:
        if _is_proxy(other) or self._trust == "made":
            pair = (other, self) if reflected else (self, other)
            return self._remote[0].call(f"operator:{name}", *pair)
        try:
            if isinstance(other, (list, tuple, dict, set, str)) or issubclass(self.__class__, _NUMBERS):
                raise NotData
            array = self.__array__()[()]
        except NotData:
            raise NotData(f"expected {type(other).__name__}, got an object of type {_name(self)}") from None
        return getattr(operator, name)(*((other, array) if reflected else (array, other)))

    return apply


def _unary(function: str) -> Callable[..., Any]:
    return lambda self, *args: _ask(self, function, *args)


for _name_of in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift", "xor"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(_name_of))
    setattr(RemoteProxy, f"__r{_name_of}__", _operator(_name_of, reflected=True))
for _name_of in ("and", "or"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(f"{_name_of}_"))
    setattr(RemoteProxy, f"__r{_name_of}__", _operator(f"{_name_of}_", reflected=True))
for _name_of in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(_name_of))
for _name_of in ("setitem", "delitem", "neg", "pos", "invert"):
    setattr(RemoteProxy, f"__{_name_of}__", _unary(f"operator:{_name_of}"))
for _name_of in ("abs", "float", "int", "complex", "round", "reversed"):
    setattr(RemoteProxy, f"__{_name_of}__", _unary(f"builtins:{_name_of}"))
RemoteProxy.__index__ = _unary("operator:index")  # type: ignore[attr-defined]
