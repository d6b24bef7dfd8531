"""ZMTP, the protocol of ZeroMQ, as far as a kernel's client needs it, in bounded memory.

A kernel that runs a submission may send anything. libzmq buffers whole messages: it can limit the size of a message
part but not the number of parts, so one message can fill the memory. Here the total size of a message is limited; a
larger one is skipped as it arrives, and the connection stays open. A sender that is faster than the reader has to wait.

Source: https://rfc.zeromq.org/spec/23/ (version 3.0, with the mechanism NULL). Later versions understand it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import struct
from collections import deque
from collections.abc import Iterator, Sequence

_MORE, _LONG, COMMAND = 1, 2, 4  # bits of the flags of a frame
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_SUBSCRIBE_TO_ALL = b"\x01"
COST = 100  # bytes of overhead per Python object, so that many empty parts count too
_RETRY_S = 0.01  # between connection attempts until the kernel has bound its socket (ZeroMQ default: 0.1 s)

_LONG_SIZE = struct.Struct(">Q")


class ProtocolError(Exception):
    """The received bytes are not ZMTP."""


class Parser:
    """Parses messages from a stream of bytes.

    most: size limit of a message, all parts included; a larger one is discarded
    dropped: bytes discarded so far
    """

    def __init__(self, most: int) -> None:
        self.most, self.dropped = most, 0
        self.greeted = self.ready = False
        self._buffer = bytearray()
        self._skip = 0  # bytes of the current frame still to be skipped
        self._parts: list[bytes] = []
        self._size = 0  # of the message so far, including skipped parts
        self._flags = 0

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """Yield the messages that end in these bytes. Raises ProtocolError."""
        self._buffer += data
        if not self.greeted and not self._greeting():
            return
        while self._frame():
            if self._flags & COMMAND:
                self.ready = True  # the first command is READY; a client ignores others
            elif not self._flags & _MORE:
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
        """Consume one frame of the stream; return False if it has not arrived completely."""
        if not self._skip:
            head = 9 if self._buffer and self._buffer[0] & _LONG else 2
            if len(self._buffer) < head:
                return False
            self._flags = self._buffer[0]
            if self._flags & ~(_MORE | _LONG | COMMAND):
                raise ProtocolError(f"a frame has the flags {self._flags:#x}")
            size = _LONG_SIZE.unpack_from(self._buffer, 1)[0] if head == 9 else self._buffer[1]
            if self._size + size + COST <= self.most:
                if len(self._buffer) < head + size:
                    return False
                self._keep(bytes(memoryview(self._buffer)[head : head + size]))
                del self._buffer[: head + size]
                return True
            self._skip_frame(size)
            del self._buffer[:head]
        skipped = min(self._skip, len(self._buffer))
        del self._buffer[:skipped]
        self._skip -= skipped
        return not self._skip

    def _keep(self, part: bytes) -> None:
        if not self._flags & COMMAND:
            self._parts.append(part)
            self._size += len(part) + COST

    def _skip_frame(self, size: int) -> None:
        self.dropped += size + sum(map(len, self._parts))
        self._parts.clear()
        self._skip = size
        if not self._flags & COMMAND:
            self._size = self.most + 1  # discards all other parts too


class Connection(asyncio.Protocol):
    """Connection to one socket of a kernel, which may not exist yet.

    kind: ZeroMQ type of this socket, such as "DEALER"
    most: size limit in bytes of one message, and of the unread messages together
    dropped: bytes of the messages that were too large
    """

    def __init__(self, address: str, kind: str, most: int, identity: bytes = b"") -> None:
        self.most = most
        self._parser = Parser(most)
        self._hello = _ready(kind, identity)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[list[bytes]] = deque()
        self._buffered_size = 0
        self._outgoing: list[bytes] = [_frames([_SUBSCRIBE_TO_ALL])] if kind == "SUB" else []
        self._news = asyncio.Event()
        self._ended = False  # no more messages will arrive
        self._connecting = asyncio.ensure_future(self._connect(address))

    @property
    def dropped(self) -> int:
        return self._parser.dropped

    def send(self, parts: Sequence[bytes]) -> None:
        """Send a message as soon as the peer is ready; do nothing if it has disconnected."""
        self._outgoing.append(_frames(parts))
        self._flush()

    async def receive(self, timeout: float | None = None) -> list[bytes] | None:
        """Return the next message, or None if one was discarded. Raises queue.Empty if there was none in time."""
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
        self._adjust_buffered(-_cost(message))
        return message

    def close(self) -> None:
        self._connecting.cancel()
        self._end()

    # Callbacks of asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        greeted = self._parser.greeted
        try:
            for message in self._parser.feed(data):
                self._waiting.append(message)
                self._adjust_buffered(_cost(message))
        except ProtocolError:
            self._end()  # as if it had disconnected: the kernel's health is checked elsewhere
        self._news.set()
        if self._parser.greeted and not greeted and self._transport:
            self._transport.write(self._hello)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    # Internals

    async def _connect(self, address: str) -> None:
        scheme, _, target = address.partition("://")
        loop = asyncio.get_running_loop()
        while not self._ended:
            with contextlib.suppress(OSError):
                if scheme == "ipc":
                    await loop.create_unix_connection(lambda: self, target)
                else:
                    host, _, port = target.rpartition(":")
                    await loop.create_connection(lambda: self, host.strip("[]"), int(port))
                return
            await asyncio.sleep(_RETRY_S)

    def _flush(self) -> None:
        if self._parser.ready and self._transport and not self._ended:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def _adjust_buffered(self, more: int) -> None:
        """Update the size of the unread messages; pause the peer while it is over the limit."""
        self._buffered_size += more
        if self._transport and not self._ended:
            if self._buffered_size > self.most:
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
    """Encode a message."""
    return b"".join(_frame(part, _MORE if number < len(parts) else 0) for number, part in enumerate(parts, start=1))


def _frame(body: bytes, flags: int) -> bytes:
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | _LONG]) + _LONG_SIZE.pack(len(body)) + body


def _ready(kind: str, identity: bytes) -> bytes:
    """Return the READY command, which announces the type of a socket."""
    body = b"\x05READY"
    for name, value in {b"Socket-Type": kind.encode(), b"Identity": identity}.items():
        body += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return _frame(body, COMMAND)
