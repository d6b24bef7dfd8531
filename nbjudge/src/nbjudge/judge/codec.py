"""Wire format between the judge and a submission's process: JSON and the raw bytes of arrays, no pickle.

A message is one tree of plain values. Numbers, texts, True, False and None stand for themselves; everything else is
{tag: content}. The bytes of arrays follow the tree, which holds their dtypes and shapes.

    frame = length of the tree (u32), number of buffers (u32), lengths of the buffers (u64 each), tree, buffers

All lengths come first, so that oversized messages are refused before any memory is allocated for them.
"""

from __future__ import annotations

import collections
import json
import keyword
import math
import re
import socket
import struct
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, TypeVar

import numpy as np

_TREE_BYTES = 4 << 20
_BUFFERS = 10_000
_TOTAL_BYTES = 256 << 20
_DEPTH = 40

_T = TypeVar("_T")
Tree = Any  # the result of json.loads

_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<Q")
_NUMBER = re.compile(r"-?(sNaN|NaN|Infinity|\d{1,4000}(/\d{1,4000}|(\.\d{1,4000})?(E[+-]?\d{1,6})?)?)")
_COLLECTIONS = (collections.OrderedDict, collections.Counter, collections.deque)
_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class WireError(Exception):
    """The received bytes are not a valid message: too large, malformed, or of a type that is not allowed."""


class NotSerializable(TypeError):  # noqa: N818  (students see the name)
    """A value cannot be serialized; the message tells the student which one and why."""


class Encoder:
    """Encodes values as a tree and buffers.

    refer: returns the tree of an object that is passed by reference, or raises NotSerializable
    """

    def __init__(self, refer: Callable[[Any], Tree]):
        self.refer = refer
        self.buffers: list[bytes] = []

    def tree(self, value: Any, depth: int = 0) -> Tree:  # noqa: PLR0911  (one type after the other, for speed)
        """Return the tree of `value`. Raises NotSerializable."""
        if depth > _DEPTH:
            raise NotSerializable(f"it is nested more than {_DEPTH} deep")
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            return (
                value
                if value.bit_length() < 10_000
                else self._too_large(f"a whole number of {value.bit_length()} bits")
            )
        if kind in _ENCODE:
            return _ENCODE[kind](self, value, depth + 1)
        if issubclass(kind, np.ma.MaskedArray) and np.ma.is_masked(value):
            return self.refer(value)  # without its mask it would be different data
        if issubclass(kind, np.ndarray):  # not isinstance, which trusts the object's __class__
            return self.array(value)
        if issubclass(kind, np.generic):
            return {"scalar": self.array(np.asarray(value))}
        if issubclass(kind, np.dtype):
            return {"dtype": _describe(value)}
        if issubclass(kind, tuple) and _is_namedtuple(kind):
            fields = list(value._fields)
            return {"namedtuple": [kind.__name__, fields, [self.tree(item, depth + 1) for item in value]]}
        if kind.__module__.startswith("tensorflow."):
            return self._tensorflow(kind, value)
        return self.refer(value)

    def array(self, array: np.ndarray) -> Tree:
        """Return the tree of an array of any dtype without Python objects, in its memory order."""
        if array.dtype.kind == "T":  # texts of any length
            array = np.array(array.tolist(), dtype=str)
        plain = np.asarray(array)
        if plain.dtype.hasobject:
            return self.refer(array)
        if plain.nbytes > _TOTAL_BYTES:
            self._too_large(f"an array of shape {plain.shape} with {plain.nbytes / 1e9:.1f} GB")
        order: Literal["F", "C"] = "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
        self.buffers.append(plain.tobytes(order))
        index = len(self.buffers) - 1
        return {"array": [_describe(plain.dtype), list(plain.shape), order, bool(plain.flags.writeable), index]}

    def _tensorflow(self, kind: type, value: Any) -> Tree:
        """Return the tree of an eager tensor, a shape or a dtype; their existence implies that TensorFlow is loaded."""
        tf = sys.modules["tensorflow"]
        if issubclass(kind, tf.Tensor) and hasattr(kind, "numpy"):
            return {"tensor": self.array(np.asarray(value))}
        if kind is tf.TensorShape and value.rank is not None:
            return {"tensor_shape": value.as_list()}
        return {"tensor_dtype": value.name} if kind is tf.DType else self.refer(value)

    def _too_large(self, what: str) -> Tree:
        raise NotSerializable(f"{what} is more than can be looked at")

    def sequence(self, tag: str, items: Any, depth: int) -> Tree:
        return {tag: [self.tree(item, depth) for item in items]}

    def pairs(self, items: Any, depth: int) -> Tree:
        return [[self.tree(key, depth), self.tree(value, depth)] for key, value in items]

    def _bytes(self, value: bytes, _depth: int) -> Tree:
        if len(value) > _TOTAL_BYTES:
            self._too_large(f"a text of {len(value) / 1e9:.1f} GB")
        self.buffers.append(bytes(value))
        return {"bytes": len(self.buffers) - 1}

    def _generator(self, value: np.random.Generator, depth: int) -> Tree:
        name = type(value.bit_generator).__name__
        if name not in _GENERATORS:
            return self.refer(value)
        return {"random": [name, self.tree(value.bit_generator.state, depth)]}

    def _bounds(self, value: Any, depth: int) -> Tree:
        return {type(value).__name__: [self.tree(part, depth) for part in (value.start, value.stop, value.step)]}


def _collection(encoder: Encoder, value: Any, depth: int) -> Tree:
    if isinstance(value, dict):
        return {"collection": [type(value).__name__, encoder.pairs(dict.items(value), depth)]}
    return {"collection": [type(value).__name__, [encoder.tree(item, depth) for item in value]]}


_ENCODE: dict[type, Callable[[Encoder, Any, int], Tree]] = {
    list: lambda e, v, d: e.sequence("list", v, d),
    tuple: lambda e, v, d: e.sequence("tuple", v, d),
    set: lambda e, v, d: e.sequence("set", v, d),
    frozenset: lambda e, v, d: e.sequence("frozenset", v, d),
    dict: lambda e, v, d: {"dict": e.pairs(v.items(), d)},
    collections.defaultdict: lambda e, v, d: {"dict": e.pairs(dict.items(v), d)},
    complex: lambda e, v, d: {"complex": [v.real, v.imag]},
    bytes: Encoder._bytes,
    bytearray: Encoder._bytes,
    slice: Encoder._bounds,
    range: Encoder._bounds,
    type(Ellipsis): lambda e, v, d: {"ellipsis": None},
    Fraction: lambda e, v, d: {"fraction": str(v)},
    Decimal: lambda e, v, d: {"decimal": str(v)},
    **{kind: lambda e, v, d: {type(v).__name__: v.isoformat()} for kind in (date, datetime, time)},
    timedelta: lambda e, v, d: {"timedelta": [v.days, v.seconds, v.microseconds]},
    np.random.Generator: Encoder._generator,
    **dict.fromkeys(_COLLECTIONS, _collection),
}


def _is_namedtuple(kind: type) -> bool:
    """Return whether collections.namedtuple made a class, rather than a subclass with methods of its own."""
    fields = getattr(kind, "_fields", None)
    return kind.__bases__ == (tuple,) and isinstance(fields, tuple) and all(isinstance(f, str) for f in fields)


def _describe(dtype: np.dtype) -> Tree:
    """Return the descriptor of a dtype in NumPy's file format, or the name of an ml_dtypes type."""
    if dtype.kind == "V" and dtype.names is None and dtype.type.__module__.startswith("ml_dtypes"):
        return {"ml_dtypes": dtype.name}
    return np.lib.format.dtype_to_descr(dtype)


class Decoder:
    """Decodes trees and buffers.

    referred: returns the value of a tag that is not data, from this decoder, the tag and its content, or raises
        WireError; without it such tags are refused
    empty_array: converts an array without elements
    """

    empty_array: Callable[[np.ndarray], np.ndarray] = staticmethod(lambda array: array)

    def __init__(self, buffers: list[bytearray], referred: Callable[[Decoder, str, Tree], Any] | None = None):
        self.buffers = buffers
        self.referred = referred

    def value(self, tree: Tree) -> Any:
        """Return the value. Raises WireError for anything that Encoder would not write."""
        try:
            return self._value(tree)
        except WireError:
            raise
        except Exception as error:  # a malformed tree fails somewhere; partial results are discarded
            raise WireError(f"{type(error).__name__}: {str(error)[:200]}") from None

    def _value(self, tree: Tree) -> Any:
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        [(tag, content)] = tree.items()
        decode = _DECODE.get(tag)
        if decode:
            return decode(self, content)
        if self.referred:
            return self.referred(self, tag, content)
        raise WireError(f"unknown tag {str(tag)[:40]!r}")

    def _items(self, content: Tree) -> list[Any]:
        return [self._value(item) for item in _require_type(content, list)]

    def _pairs(self, content: Tree) -> list[tuple[Any, Any]]:
        return [(self._value(key), self._value(value)) for key, value in _require_type(content, list)]

    def _array(self, content: Tree) -> np.ndarray:
        description, shape, order, writeable, index = content
        dtype = _dtype(description)
        if order not in ("C", "F") or len(_require_type(shape, list)) > 32:
            raise WireError("not an array of plain numbers")
        count = math.prod(_as_uint(size) for size in shape)
        buffer = self.buffers[_as_uint(index)]
        if count * dtype.itemsize != len(buffer):
            raise WireError(f"{len(buffer)} bytes for {count} numbers of {dtype.itemsize} bytes")
        array = np.frombuffer(buffer, dtype, count) if buffer else np.empty(count, dtype)
        array = array.reshape(shape, order=order)
        array.flags.writeable = bool(writeable)
        return array if count else self.empty_array(array)

    def _scalar(self, content: Tree) -> Any:
        array = self._array(content["array"])
        if array.ndim:
            raise WireError("a number with a shape")
        return array[()]

    def _tensor(self, content: Tree) -> Any:
        array = self._array(content["array"])
        tf = sys.modules.get("tensorflow")
        return array if tf is None else tf.constant(array)

    def _collection(self, content: Tree) -> Any:
        name, items = content
        [kind] = [kind for kind in _COLLECTIONS if kind.__name__ == name]
        return kind(self._items(items)) if kind is collections.deque else kind(dict(self._pairs(items)))

    def _namedtuple(self, content: Tree) -> Any:
        name, fields, items = content
        values = self._items(items)
        names = [_require_type(text, str) for text in (name, *fields)]
        if len(names) > 100 or any(not text.isidentifier() or keyword.iskeyword(text) for text in names):
            raise WireError("not the fields of a named tuple")
        return collections.namedtuple(name, fields)(*values)

    def _generator(self, content: Tree) -> np.random.Generator:
        name, state = content
        if name not in _GENERATORS:
            raise WireError("not a random generator")
        bits = getattr(np.random, name)(0)
        bits.state = _check_state(name, self._value(state))
        return np.random.Generator(bits)


_DECODE: dict[str, Callable[[Decoder, Tree], Any]] = {
    "list": Decoder._items,
    "tuple": lambda d, c: tuple(d._items(c)),
    "set": lambda d, c: set(d._items(c)),
    "frozenset": lambda d, c: frozenset(d._items(c)),
    "dict": lambda d, c: dict(d._pairs(c)),
    "collection": Decoder._collection,
    "namedtuple": Decoder._namedtuple,
    "complex": lambda d, c: complex(float(c[0]), float(c[1])),
    "bytes": lambda d, c: bytes(d.buffers[_as_uint(c)]),
    "slice": lambda d, c: slice(*d._items(c)),
    "range": lambda d, c: range(*d._items(c)),
    "ellipsis": lambda d, c: Ellipsis,
    "fraction": lambda d, c: Fraction(_as_number_text(c)),
    "decimal": lambda d, c: Decimal(_as_number_text(c)),
    "date": lambda d, c: date.fromisoformat(c),
    "datetime": lambda d, c: datetime.fromisoformat(c),
    "time": lambda d, c: time.fromisoformat(c),
    "timedelta": lambda d, c: timedelta(*c),
    "array": Decoder._array,
    "scalar": Decoder._scalar,
    "tensor": Decoder._tensor,
    "tensor_shape": lambda d, c: _of_tensorflow("TensorShape", _sizes(c), tuple(c)),
    "tensor_dtype": lambda d, c: _of_tensorflow("as_dtype", _require_type(c, str), c),
    "dtype": lambda d, c: _dtype(c),
    "random": Decoder._generator,
}


def _of_tensorflow(name: str, content: Any, otherwise: Any) -> Any:
    tf = sys.modules.get("tensorflow")
    return otherwise if tf is None else getattr(tf, name)(content)


def _sizes(content: Tree) -> list[int | None]:
    return [None if size is None else _as_uint(size) for size in _require_type(content, list)]


def _as_number_text(text: Tree) -> str:
    """Return the text if it is a number. Raises WireError otherwise, and for exponents as in 1e999999999."""
    number = _require_type(text, str)
    if not _NUMBER.fullmatch(number):
        raise WireError("not a number")
    return number


def _require_type(value: Any, kind: type[_T]) -> _T:
    """Return the value. Raises WireError if it has another type."""
    if not isinstance(value, kind):
        raise WireError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _as_uint(value: Any) -> int:
    """Return the value. Raises WireError if it is not a size or index."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise WireError(f"expected a size, got {str(value)[:40]}")
    return value


def _dtype(description: Tree) -> np.dtype:
    if isinstance(description, dict):
        import ml_dtypes  # comes with TensorFlow

        extension: np.dtype = np.dtype(getattr(ml_dtypes, _require_type(description["ml_dtypes"], str)))
        return extension
    dtype: np.dtype = np.lib.format.descr_to_dtype(_as_tuples(description))
    if dtype.hasobject:
        raise WireError("not a dtype of plain numbers")
    return dtype


def _as_tuples(description: Tree) -> Any:
    """Convert the fields of a structured dtype back to tuples, which JSON turned into lists."""
    if isinstance(description, list):
        return [tuple(_as_shape_or_dtype(part) for part in field) for field in description]
    return _require_type(description, str)


def _as_shape_or_dtype(part: Tree) -> Any:
    if isinstance(part, list):
        return tuple(part) if all(isinstance(size, int) for size in part) else _as_tuples(part)
    return part


def _check_state(name: str, state: Any) -> Any:
    """Return a generator's state. Raises WireError for positions out of bounds, which NumPy would trust and read at."""
    if name == "MT19937" and not (
        0 <= _as_uint(state["state"]["pos"]) <= 624 and np.shape(state["state"]["key"]) == (624,)
    ):
        raise WireError("not the state of MT19937")
    if name == "Philox" and not (0 <= _as_uint(state["buffer_pos"]) <= 4 and np.shape(state["buffer"]) == (4,)):
        raise WireError("not the state of Philox")
    return state


def pack(tree: Tree, buffers: list[bytes]) -> bytes:
    """Return the frame. Raises NotSerializable if the receiver would refuse it."""
    text = json.dumps(tree, separators=(",", ":")).encode("ascii")
    if len(text) > _TREE_BYTES or len(buffers) > _BUFFERS or sum(map(len, buffers)) > _TOTAL_BYTES:
        raise NotSerializable(
            f"all of it together is more than can be looked at (at most {_TOTAL_BYTES >> 20} MB of numbers)"
        )
    lengths = [_LENGTH.pack(len(buffer)) for buffer in buffers]
    return b"".join([_HEAD.pack(len(text), len(buffers)), *lengths, text, *buffers])


def receive(connection: socket.socket) -> tuple[Tree, list[bytearray]]:
    """Return the tree and the buffers of the next frame. Raises EOFError if the peer has disconnected, or WireError."""
    length, count = _HEAD.unpack(_receive_exactly(connection, _HEAD.size))
    if length > _TREE_BYTES or count > _BUFFERS:
        raise WireError(f"a tree of {length} bytes and {count} buffers is too large")
    lengths = [size for (size,) in _LENGTH.iter_unpack(_receive_exactly(connection, count * _LENGTH.size))]
    if sum(lengths) > _TOTAL_BYTES:
        raise WireError(f"{sum(lengths)} bytes of numbers are too many")
    text = _receive_exactly(connection, length)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {str(error)[:200]}") from None
    return tree, [_receive_exactly(connection, size) for size in lengths]


def _receive_exactly(connection: socket.socket, size: int) -> bytearray:
    """Read `size` bytes; memory grows with the bytes received, not with the announced size."""
    data = bytearray()
    while len(data) < size:
        chunk = connection.recv(min(size - len(data), 1 << 20))
        if not chunk:
            raise EOFError("the other side is gone")
        data += chunk
    return data
