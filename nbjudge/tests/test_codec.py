"""What crosses between the judge and a submission: every kind of data arrives as it was, and nothing else arrives."""

from __future__ import annotations

import collections
import json
import math
import socket
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbjudge.judge import codec
from nbjudge.judge.codec import Decoder, Encoder, NotSerializable, WireError, pack, receive

Point = collections.namedtuple("Point", ["x", "y"])
STRUCTURED = np.array([(1, 2.5, "ab")], dtype=[("n", "i4"), ("v", "f8", (2,)), ("s", "U3")])

VALUES = [
    None,
    True,
    0,
    -(10**400),
    1.5,
    -0.0,
    math.inf,
    complex(1, -0.0),
    "",
    "ä\ud800\0",
    b"",
    bytes(range(256)),
    [1, [2.0, "x"], ()],
    {"a": {1: (2, 3)}, (1, "k"): None},
    {1, 2},
    frozenset({"a"}),
    slice(1, None, -1),
    range(2, 20, 3),
    ...,
    Point(1, [2]),
    collections.Counter("hello"),
    collections.OrderedDict(b=1, a=2),
    collections.deque([1, 2]),
    Fraction(-1, 3),
    Decimal("1.10"),
    Decimal("-1E+5"),
    Decimal("NaN"),
    date(2020, 1, 2),
    datetime(2020, 1, 2, 3, 4, 5, 6, UTC),
    time(1, 2),
    timedelta(-1, 2, 3),
    np.float32(0.1),
    np.int8(-3),
    np.bool_(True),
    np.str_("x"),
    np.datetime64("2020-01-02"),
    np.dtype("f4"),
]
ARRAYS = [
    *(
        np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("?", "i1", "u8", "f2", "f4", ">f8", "c8", "g", "S3", "U5")
    ),
    np.array(7.0),
    np.zeros((0, 3)),
    np.array([np.nan, -np.inf, -0.0]),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(["2020-01-02", "NaT"], dtype="M8[D]"),
    np.array([1, 2], dtype="m8[s]"),
    STRUCTURED,
    np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[::2],
]


def across(value: Any) -> Any:
    """Send a value through a socket and return what arrives."""
    encoder = Encoder(_refuse)
    frame = pack(encoder.tree(value), encoder.buffers)
    here, there = socket.socketpair()
    with here, there:
        here.sendall(frame)
        tree, buffers = receive(there)
    return Decoder(buffers).value(tree)


def _refuse(value: Any) -> Any:
    raise NotSerializable(f"a {type(value).__name__}")


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:40])
def test_data_arrives_with_its_value_and_its_type(value):
    arrived = across(value)
    assert type(arrived).__name__ == type(value).__name__
    assert repr(arrived) == repr(value)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_of_every_plain_dtype_arrive(array):
    arrived = across(array)
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert arrived.tobytes() == array.tobytes()
    assert arrived.flags.writeable
    assert arrived.flags.f_contiguous >= array.flags.f_contiguous


def test_a_read_only_array_stays_read_only():
    array = np.arange(3)
    array.flags.writeable = False
    assert not across(array).flags.writeable


def test_texts_of_any_length_arrive_as_texts():
    array = np.array(["a", "bcd"], dtype=np.dtypes.StringDType())
    assert across(array).tolist() == ["a", "bcd"]


@pytest.mark.parametrize("name", codec._GENERATORS)
def test_a_random_generator_goes_on_where_it_was(name):
    generator = np.random.Generator(getattr(np.random, name)(3))
    generator.normal(size=5)
    arrived = across(generator)
    assert np.array_equal(arrived.normal(size=700), generator.normal(size=700))


@pytest.mark.parametrize(
    "value", [object(), np.array([None, 1]), print, int, [1, {2: object()}]], ids=lambda value: type(value).__name__
)
def test_what_is_no_data_is_referred(value):
    with pytest.raises(NotSerializable):
        across(value)


def test_a_number_that_claims_to_equal_everything_is_no_number():
    class Liar(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = float.__hash__

    with pytest.raises(NotSerializable, match="Liar"):
        across(Liar(1))


def test_what_is_too_large_is_refused_before_it_is_copied():
    with pytest.raises(NotSerializable, match=r"8000000000.0 GB"):
        across(np.broadcast_to(np.float64(0), (10**9, 10**9)))
    with pytest.raises(NotSerializable, match="bits"):
        across(1 << 20_000)
    nested: list = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(NotSerializable, match="deep"):
        across(nested)


def array_tree(dtype: Any = "<f8", shape: Any = (2,), order: Any = "C", place: Any = 0) -> dict:
    return {"array": [dtype, list(shape) if isinstance(shape, tuple) else shape, order, True, place]}


@pytest.mark.parametrize(
    "tree",
    [
        array_tree("|O"),
        array_tree([["a", "|O"]]),
        array_tree("<f8", (3,)),
        array_tree("<f8", (1,)),
        array_tree("<f8", (-1,)),
        array_tree("<f8", (2.0,)),
        array_tree("<f8", (True, 2)),
        array_tree("<f8", (1 << 61, 8)),
        array_tree("<f8", "ab"),
        array_tree("<f8", (1,) * 40),
        array_tree("<f8", place=1),
        array_tree("<f8", place=-1),
        array_tree("<f8", order="K"),
        array_tree("V999999999999"),
        array_tree("nonsense"),
        array_tree({"ml_dtypes": "__file__"}),
        {"scalar": array_tree("<f8")},
        {"fraction": "1e999999999"},
        {"fraction": "1/0"},
        {"decimal": [0, [1], 999999999]},
        {"timedelta": ["x"]},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"set": [{"list": []}]},
        {"namedtuple": ["P", ["x; import os"], [1]]},
        {"namedtuple": ["P", ["class"], [1]]},
        {"namedtuple": ["P", ["x"], [1, 2]]},
        {"collection": ["Popen", [["args", "ls"]]]},
        {"random": ["default_rng", {"dict": []}]},
        {"random": ["PCG64", {"dict": []}]},
        {"object": [3, {}]},
        {"known": "os:system"},
        {"pickle": "gASVAAAA"},
        {"list": [], "tuple": []},
        {},
        [],
    ],
    ids=lambda tree: json.dumps(tree)[:60],
)
def test_a_malformed_tree_is_refused(tree):
    with pytest.raises(WireError):
        Decoder([bytearray(16)]).value(tree)


@pytest.mark.parametrize("position", [-1, 625, 10**9])
def test_a_generator_with_a_position_outside_its_memory_is_refused(position):
    state = np.random.MT19937(0).state
    state["state"]["pos"] = position
    encoder = Encoder(_refuse)
    tree = {"random": ["MT19937", encoder.tree(state)]}
    with pytest.raises(WireError):
        Decoder([bytearray(b) for b in encoder.buffers]).value(tree)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (struct.pack("<II", 1 << 31, 0), "tree"),
        (struct.pack("<II", 2, 1 << 31), "buffers"),
        (struct.pack("<IIQ", 2, 1, 1 << 62), "numbers"),
        (struct.pack("<IIQQ", 2, 2, 200 << 20, 200 << 20), "numbers"),
        (struct.pack("<II", 4, 0) + b"nope", "JSON"),
        (struct.pack("<II", 200_000, 0) + b"[" * 200_000, "JSON"),
        (struct.pack("<II", 5002, 0) + b"1" * 5002, "JSON"),
    ],
)
def test_a_frame_that_announces_too_much_is_refused_at_once(head, message):
    with pytest.raises(WireError, match=message):
        _received(head)


def test_a_frame_that_breaks_off_is_the_end():
    for head in (b"", b"\x01", struct.pack("<II", 10, 0) + b"[1", struct.pack("<IIQ", 2, 1, 8) + b"[]12"):
        with pytest.raises(EOFError):
            _received(head)


def _received(sent: bytes) -> Any:
    here, there = socket.socketpair()
    with here, there:
        here.sendall(sent)
        here.shutdown(socket.SHUT_WR)
        tree, buffers = receive(there)
    return Decoder(buffers).value(tree)


TAGS = st.sampled_from([*codec._DECODE, "object", "known", "instance", "function", "error"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["<f8", "|O", "C"])
)
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TAGS, inner, max_size=2))


@given(tree=TREES, buffer=st.binary(max_size=64))
def test_no_tree_does_more_than_become_data_or_be_refused(tree, buffer):
    try:
        value = Decoder([bytearray(buffer)]).value(tree)
    except WireError:
        return
    assert not callable(value)


@given(sent=st.binary(max_size=200))
def test_no_bytes_do_more_than_become_data_or_be_refused(sent):
    try:
        _received(sent)
    except (WireError, EOFError):
        return


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(value=DATA)
def test_all_data_arrives_as_it_was(value):
    assert across(value) == value
