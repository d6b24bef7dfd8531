"""The two kernel channels that the grader uses: shell, with a reply to each request, and iopub, with its output.

Each reads messages of bounded size, in bytes and in items: a hundred bytes of JSON can become a thousand of objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from jupyter_client.session import Session

from nbjudge.execution.zmtp import Connection

_JSON_BYTES = 6  # at most for one character, as in \u001b
_ENVELOPE = 1 << 20  # bytes for headers and other content than output, such as a list of all modules


class UnreadableMessageError(Exception):
    """An expected message was discarded; a healthy kernel sends none that is too large."""


def largest_message(output_bytes: int) -> int:
    """Return the size limit in bytes of a message that holds up to `output_bytes` characters of output."""
    return _JSON_BYTES * output_bytes + _ENVELOPE


class Channel:
    """Channel for jupyter_client whose messages may be lost: iopub.

    dropped: bytes of the messages that were too large or unreadable
    """

    def __init__(self, socket: Connection, session: Session, loop: Any = None) -> None:
        self.socket, self.session = socket, session
        self.closed = False
        self._unreadable = 0

    @property
    def dropped(self) -> int:
        return self._unreadable + self.socket.dropped

    def start(self) -> None:
        """Do nothing: the constructor has opened the connection."""

    def stop(self) -> None:
        self.closed = True
        self.socket.close()

    close = stop

    def is_alive(self) -> bool:
        return not self.closed

    def send(self, message: dict[str, Any]) -> None:
        self.socket.send(self.session.serialize(message))

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message. Raises queue.Empty when there was none in time."""
        ends = None if timeout is None else monotonic() + timeout
        while True:
            parts = await self.socket.receive(None if ends is None else max(0.0, ends - monotonic()))
            if parts is not None and (message := self._decode(parts)) is not None:
                return message
            self._on_discarded()

    def _decode(self, parts: list[bytes]) -> dict[str, Any] | None:
        """Return the decoded message, or None if it is malformed, as only a submission can send it."""
        if sum(part.count(b",") for part in parts) <= self.socket.most // _JSON_BYTES:
            with suppress(Exception):  # RecursionError too, for what is nested too deeply
                return self.session.deserialize(self.session.feed_identities(parts)[1])
        self._unreadable += sum(map(len, parts))
        return None

    def _on_discarded(self) -> None:
        """Handle a discarded message: by default, ignore it."""


class ReplyChannel(Channel):
    """Channel of replies, each of which is awaited: shell. get_msg also raises UnreadableMessageError."""

    def _on_discarded(self) -> None:
        raise UnreadableMessageError


@dataclass
class _RequestOutput:
    """Output of one request, truncated to `most` characters."""

    request: str
    most: int
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    dropped: int = 0  # characters
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, message: Mapping[str, Any]) -> None:
        if message["parent_header"].get("msg_id") != self.request:
            return
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self.ended.set()
        elif message["msg_type"] == "stream":
            text = str(message["content"]["text"])
            piece = text[: self.most - self.size]
            self.dropped += len(text) - len(piece)
            if piece:
                self.pieces.append(piece)
                self.size += len(piece)


class Listener:
    """Consumes a kernel's output while no cell runs, so that none of it piles up: a test may take minutes.

    most: characters of output to keep of the most recent request
    """

    def __init__(self, iopub: Channel, most: int) -> None:
        self._iopub, self._most = iopub, most
        self._output = _RequestOutput("", most)
        self._dropped_before = iopub.dropped
        self._task: asyncio.Future[None] = asyncio.ensure_future(self._listen())

    def follow(self, request: str) -> None:
        """Collect the output of a request that has just been sent."""
        self._output, self._dropped_before = _RequestOutput(request, self._most), self._iopub.dropped

    def stop(self) -> None:
        self._task.cancel()

    async def collect_output(self, request: str, seconds: float) -> tuple[str, int]:
        """Return (output, characters omitted) of a request, once it has ended or `seconds` have passed."""
        output = self._output
        if output.request != request:
            return "", 0
        with suppress(TimeoutError):
            await asyncio.wait_for(output.ended.wait(), seconds)
        return "".join(output.pieces), output.dropped + self._iopub.dropped - self._dropped_before

    async def _listen(self) -> None:
        while True:
            message = await self._iopub.get_msg()
            with suppress(KeyError, TypeError, AttributeError):  # malformed, as only a submission sends it
                self._output.add(message)
