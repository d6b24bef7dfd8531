"""ZMTP, the protocol of ZeroMQ, as far as a kernel's client needs it, in bounded memory.

A kernel that runs a submission may send what it likes. libzmq takes in whole what arrives: it can limit the size of a
part of a message, but not how many parts there are, so that one message fills the memory. Here the size of a message
is limited with all its parts; what is larger is skipped as it arrives, and the connection goes on. Who sends faster
than is read has to wait.

Source: https://rfc.zeromq.org/spec/23/ (version 3.0, with the mechanism NULL). Later versions understand it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import struct
from collections import deque
from collections.abc import Iterator, Sequence

MORE, LONG, COMMAND = 1, 2, 4  # bits of the flags of a frame
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
SUBSCRIBE_TO_ALL = b"\x01"
COST = 100  # bytes that an object of Python takes, so that many empty parts count too
RETRY_S = 0.01  # until a kernel has made its socket; usual are 0.1 s

_LONG_SIZE = struct.Struct(">Q")


class ProtocolError(Exception):
    """What arrived is no ZMTP."""


class Parser:
    """Takes messages out of a stream of bytes.

    most: of a message, the bytes of all its parts that are kept; a larger one is left out
    dropped: the bytes that were left out so far
    """

    def __init__(self, most: int) -> None:
        self.most, self.dropped = most, 0
        self.greeted = self.ready = False
        self._buffer = bytearray()
        self._skip = 0  # bytes of the frame that is being left out
        self._parts: list[bytes] = []
        self._size = 0  # of the message so far, what is left out of it too
        self._flags = 0

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """Yield the messages that end in these bytes. Raises ProtocolError."""
        self._buffer += data
        if not self.greeted and not self._greeting():
            return
        while self._frame():
            if self._flags & COMMAND:
                self.ready = True  # the first one is READY, others say nothing to a client
            elif not self._flags & MORE:
                parts, fits = self._parts, self._size <= self.most
                self._parts, self._size = [], 0
                if fits:
                    yield parts

    def _greeting(self) -> bool:
        if len(self._buffer) < len(GREETING):
            return False
        greeting = bytes(self._buffer[: len(GREETING)])
        if greeting[0] != GREETING[0] or greeting[9] != GREETING[9] or greeting[10] < 3:
            raise ProtocolError("the greeting is not of ZMTP 3")
        if greeting[12:32] != GREETING[12:32]:
            raise ProtocolError("the mechanism is not NULL")
        del self._buffer[: len(GREETING)]
        self.greeted = True
        return True

    def _frame(self) -> bool:
        """Take one frame off the stream; return False when it has not arrived as a whole."""
        if not self._skip:
            head = 9 if self._buffer and self._buffer[0] & LONG else 2
            if len(self._buffer) < head:
                return False
            self._flags = self._buffer[0]
            if self._flags & ~(MORE | LONG | COMMAND):
                raise ProtocolError(f"a frame has the flags {self._flags:#x}")
            size = _LONG_SIZE.unpack_from(self._buffer, 1)[0] if head == 9 else self._buffer[1]
            if self._size + size + COST <= self.most:
                if len(self._buffer) < head + size:
                    return False
                self._keep(bytes(memoryview(self._buffer)[head : head + size]))
                del self._buffer[: head + size]
                return True
            self._leave_out(size)
            del self._buffer[:head]
        gone = min(self._skip, len(self._buffer))
        del self._buffer[:gone]
        self._skip -= gone
        return not self._skip

    def _keep(self, part: bytes) -> None:
        if not self._flags & COMMAND:
            self._parts.append(part)
            self._size += len(part) + COST

    def _leave_out(self, size: int) -> None:
        self.dropped += size + sum(map(len, self._parts))
        self._parts.clear()
        self._skip = size
        if not self._flags & COMMAND:
            self._size = self.most + 1  # so are all other parts


class Connection(asyncio.Protocol):
    """A connection with one socket of a kernel, which may not be there yet.

    kind: of socket that this is, such as "DEALER"
    most: bytes of one message, and of those that wait to be read
    dropped: the bytes that were too much for one message
    """

    def __init__(self, address: str, kind: str, most: int, identity: bytes = b"") -> None:
        self.most = most
        self._parser = Parser(most)
        self._hello = _ready(kind, identity)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[list[bytes]] = deque()
        self._held = 0
        self._outgoing: list[bytes] = [_frames([SUBSCRIBE_TO_ALL])] if kind == "SUB" else []
        self._news = asyncio.Event()
        self._ended = False  # nothing more will come
        self._connecting = asyncio.ensure_future(self._connect(address))

    @property
    def dropped(self) -> int:
        return self._parser.dropped

    def send(self, parts: Sequence[bytes]) -> None:
        """Send a message, as soon as the other side is ready; to one that has gone, nothing is sent."""
        self._outgoing.append(_frames(parts))
        self._flush()

    async def receive(self, timeout: float | None = None) -> list[bytes] | None:
        """Return the next message, or None when one was left out. Raises queue.Empty when there was none in time."""
        dropped = self.dropped
        while not self._waiting:
            if self.dropped > dropped:
                return None
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), timeout)
            except TimeoutError:
                raise queue.Empty from None
        message = self._waiting.popleft()
        self._hold(-_cost(message))
        return message

    def close(self) -> None:
        self._connecting.cancel()
        self._end()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        greeted = self._parser.greeted
        try:
            for message in self._parser.feed(data):
                self._waiting.append(message)
                self._hold(_cost(message))
        except ProtocolError:
            self._end()  # like one that hangs up: whether the kernel is well shows elsewhere
        self._news.set()
        if self._parser.greeted and not greeted and self._transport:
            self._transport.write(self._hello)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    # And what it does

    async def _connect(self, address: str) -> None:
        scheme, _, place = address.partition("://")
        loop = asyncio.get_running_loop()
        while not self._ended:
            with contextlib.suppress(OSError):
                if scheme == "ipc":
                    await loop.create_unix_connection(lambda: self, place)
                else:
                    host, _, port = place.rpartition(":")
                    await loop.create_connection(lambda: self, host.strip("[]"), int(port))
                return
            await asyncio.sleep(RETRY_S)

    def _flush(self) -> None:
        if self._parser.ready and self._transport and not self._ended:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def _hold(self, more: int) -> None:
        """Count what waits to be read; have the other side wait while it is too much."""
        self._held += more
        if self._transport and not self._ended:
            if self._held > self.most:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _end(self) -> None:
        self._ended = True
        if self._transport:
            self._transport.abort()


def _cost(message: Sequence[bytes]) -> int:
    return COST + sum(len(part) + COST for part in message)


def _frames(parts: Sequence[bytes]) -> bytes:
    """Return a message as it is sent."""
    return b"".join(_frame(part, MORE if place < len(parts) else 0) for place, part in enumerate(parts, start=1))


def _frame(body: bytes, flags: int) -> bytes:
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + _LONG_SIZE.pack(len(body)) + body


def _ready(kind: str, identity: bytes) -> bytes:
    """Return the command with which a socket says what it is."""
    body = b"\x05READY"
    for name, value in {b"Socket-Type": kind.encode(), b"Identity": identity}.items():
        body += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return _frame(body, COMMAND)
