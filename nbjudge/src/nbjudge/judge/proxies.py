"""Proxies (stand-ins) for a submission's functions, classes and objects, in the judge's process.

A stand-in passes on whatever is done to it. What comes back as data is data here, and all comparing is done here: an
object that says it equals everything equals nothing.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from nbjudge.judge.rpc_client import RpcClient, SubmissionError, known_class

# Names that libraries look up to find out what an object can do. A stand-in answers by being called, not by these.
UNASKED = ("_repr_", "_ipython_", "__array_", "__wrapped__", "__html__", "__await__", "__reduce", "__getstate__")


ARRAY_ATTRIBUTES = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))
NUMBERS = (int, float, complex)  # of a class of their own: what they say of themselves is not to be believed


class RemoteProxy:
    # An object in a submission's process. `_there` holds the link, its number, and what it is said to be; `_asked_for`
    # whether it is a class that an exercise asks for ("class"), or was made by a test from such a class ("made").
    __slots__ = ("_asked_for", "_there")
    __doc__ = property(lambda self: self.__getattr__("__doc__"))  # type: ignore[assignment]

    def __init__(self, link: RpcClient, number: int, told: dict):
        object.__setattr__(self, "_there", (link, number, told))
        object.__setattr__(self, "_asked_for", "")

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance(model, keras.Model) asks for this
        classes = list(self._there[2].get("classes") or [])[:50]
        known = next((kind for kind in map(known_class, classes) if kind not in (None, object)), None)
        return known or type(_name(self), (), {})

    @property
    def __signature__(self) -> inspect.Signature:
        parameters = self._there[2].get("parameters")
        if not isinstance(parameters, list):
            raise AttributeError("__signature__")
        return inspect.Signature([_parameter(*map(_simple, parameter)) for parameter in parameters])

    def __getattr__(self, name: str) -> Any:
        if name.startswith(UNASKED):
            raise AttributeError(name)
        if name in ARRAY_ATTRIBUTES and _is_array(self):
            return getattr(self.__array__(), name)
        value = _ask(self, "builtins:getattr", name)
        if _is_proxy(value):
            link, number, _ = self._there
            link.owners[value._there[1]] = number
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

    def __getitem__(self, place: Any) -> Any:
        return self.__array__()[place] if _is_array(self) else _ask(self, "operator:getitem", place)

    def __contains__(self, value: Any) -> bool:
        if self._asked_for == "made":
            return _data(_ask(self, "operator:contains", value), bool)
        return any(value == item for item in self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        link, number, _ = self._there
        array = link.as_array(number, _is_of_a_library(self), self._read_array)
        return array.astype(dtype or array.dtype)  # a copy, whatever a test does to it

    def _read_array(self) -> np.ndarray:
        array = _data(_ask(self, "numpy:asanyarray"), np.ndarray)
        if not array.size and not self._there[0].policy.empty_arrays:  # of an object that has no length, such as a mock
            raise NotData(f"expected an array, got an object of type {_name(self)} without elements")
        return array

    def __enter__(self) -> Any:
        return self.__getattr__("__enter__")()

    def __exit__(self, *_exception: object) -> Any:
        return self.__getattr__("__exit__")(None, None, None)

    def __instancecheck__(self, value: Any) -> bool:
        return _data(_ask_about(self, "builtins:isinstance", value), bool)

    def __subclasscheck__(self, value: Any) -> bool:
        return _data(_ask_about(self, "builtins:issubclass", value), bool)

    def __hash__(self) -> int:
        return hash(("stand-in", self._there[1]))

    def __repr__(self) -> str:
        return _data(_ask(self, "builtins:repr"), str)

    def __str__(self) -> str:
        return _data(_ask(self, "builtins:str"), str)

    def __format__(self, spec: str) -> str:
        return _data(_ask(self, "builtins:format", spec), str)

    def __copy__(self) -> Any:
        return _ask(self, "copy:copy")

    def __deepcopy__(self, _memo: dict) -> Any:
        return _ask(self, "copy:deepcopy")

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("an object of a submission's cannot be pickled")

    def _beside(self, place: str) -> Callable:
        """Return "module:name" as a function that runs where this object is."""
        link = self._there[0]
        return lambda *args, **kwargs: link.call(place, *args, **kwargs)


class CallableProxy(RemoteProxy):
    # One that can be called.
    __slots__ = ()
    __doc__ = RemoteProxy.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        link, number, _ = self._there
        result = link.call(number, *args, **kwargs)
        if self._asked_for == "class" and _is_proxy(result):
            object.__setattr__(result, "_asked_for", "made")
        return result


def make_proxy(link: RpcClient, number: int, told: dict) -> RemoteProxy:
    """Return a proxy for the object with this number, callable if the object is."""
    return (CallableProxy if told.get("callable") is True else RemoteProxy)(link, number, told)


class NotData(SubmissionError, TypeError):
    """An object where a test asks for data."""


class Iterator:
    """Goes through an iterator in a submission's process; what is not one ends at once with its own error."""

    def __init__(self, there: Any):
        self.there = there

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        try:
            return next(self.there)
        except StopIteration as end:  # a SubmissionError of that class
            raise StopIteration from end


def number_of(value: Any) -> int | None:
    """Return the number of a stand-in, None for anything else."""
    return value._there[1] if _is_proxy(value) else None


def _is_proxy(value: Any) -> bool:
    return issubclass(type(value), RemoteProxy)  # isinstance would ask the other process


def _is_array(value: RemoteProxy) -> bool:
    """Tell whether an object of a class of the submission's own says that it is an array: then it is one, for good."""
    told = value._there[2]
    return told.get("array") is True and not value._asked_for and not _is_of_a_library(value)


def _is_of_a_library(value: RemoteProxy) -> bool:
    classes = list(value._there[2].get("classes") or [])[:1]
    return any(known_class(place) for place in classes)


def trust_class(value: Any) -> None:
    """Trust a class that an exercise asks for: its instances, made by a test, may define their own equality."""
    if _is_proxy(value):
        object.__setattr__(value, "_asked_for", "class")


def _ask(value: RemoteProxy, function: str, *args: Any) -> Any:
    return value._there[0].call(function, value, *args)


def _ask_about(value: RemoteProxy, function: str, subject: Any) -> Any:
    return value._there[0].call(function, subject, value)


def _data(value: Any, kind: type) -> Any:
    """Return what came back, if it is data of the kind that Python asks for here."""
    if type(value) is not kind:
        raise NotData(f"expected {kind.__name__}, got an object of type {_name(value)}")
    return value


def _name(value: Any) -> str:
    classes = value._there[2].get("classes") if _is_proxy(value) else None
    return str((classes or [type(value).__name__])[0]).rpartition(":")[2].rpartition(".")[2][:80]


def _parameter(name: Any, kind: Any, default: Any) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is None else _Default(default)
    return inspect.Parameter(name, inspect._ParameterKind(kind), default=given)


def _simple(part: Any) -> Any:
    return part[:200] if isinstance(part, str) else part


class _Default(str):
    """A default as the submission's process shows it."""

    def __repr__(self) -> str:
        return str(self)


def _operator(name: str, swapped: bool = False) -> Callable:
    """Return what an operator does: there, between objects of the submission's; here, with a value of the test's.

    What a test expects is never sent, or an answer could ask for it by being subtracted.
    """

    def apply(self: RemoteProxy, other: Any) -> Any:
        if _is_proxy(other) or self._asked_for == "made":
            pair = (other, self) if swapped else (self, other)
            return self._there[0].call(f"operator:{name}", *pair)
        try:
            if isinstance(other, (list, tuple, dict, set, str)) or issubclass(self.__class__, NUMBERS):
                raise NotData
            own = self.__array__()[()]
        except NotData:
            raise NotData(f"expected {type(other).__name__}, got an object of type {_name(self)}") from None
        return getattr(operator, name)(*((other, own) if swapped else (own, other)))

    return apply


def _unary(function: str) -> Callable:
    return lambda self, *args: _ask(self, function, *args)


for _name_of in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "lshift", "rshift", "xor"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(_name_of))
    setattr(RemoteProxy, f"__r{_name_of}__", _operator(_name_of, swapped=True))
for _name_of in ("and", "or"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(f"{_name_of}_"))
    setattr(RemoteProxy, f"__r{_name_of}__", _operator(f"{_name_of}_", swapped=True))
for _name_of in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(RemoteProxy, f"__{_name_of}__", _operator(_name_of))
for _name_of in ("setitem", "delitem", "neg", "pos", "invert"):
    setattr(RemoteProxy, f"__{_name_of}__", _unary(f"operator:{_name_of}"))
for _name_of in ("abs", "float", "int", "complex", "round", "reversed"):
    setattr(RemoteProxy, f"__{_name_of}__", _unary(f"builtins:{_name_of}"))
RemoteProxy.__index__ = _unary("operator:index")  # type: ignore[attr-defined]
