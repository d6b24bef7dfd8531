"""The two kernel channels that the grader uses: shell, with a reply to each request, and iopub, with its output.

Each reads messages of bounded size, in bytes and in items: a hundred bytes of JSON can be a thousand bytes of objects.
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

JSON_BYTES = 6  # that a character takes at most, as in \u001b
ENVELOPE = 1 << 20  # bytes for headers, and for what is no output, such as a list of all modules


class Unreadable(Exception):
    """A message was left out that somebody waits for; a kernel that is well sends none that is too large."""


def largest_message(output_bytes: int) -> int:
    """Return the bytes of a message that may hold so many characters of output."""
    return JSON_BYTES * output_bytes + ENVELOPE


class Channel:
    """What jupyter_client wants of a channel, for messages that may be lost: iopub.

    dropped: the bytes of messages that were too large, or unreadable
    """

    def __init__(self, socket: Connection, session: Session, loop: Any = None) -> None:
        self.socket, self.session = socket, session
        self.closed = False
        self._unreadable = 0

    @property
    def dropped(self) -> int:
        return self._unreadable + self.socket.dropped

    def start(self) -> None:
        """Do nothing: the connection was begun when it was made."""

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
            if parts is not None and (message := self._decoded(parts)) is not None:
                return message
            self._without_one()

    def _decoded(self, parts: list[bytes]) -> dict[str, Any] | None:
        """Return a message; None for what only a submission could have made up."""
        if sum(part.count(b",") for part in parts) <= self.socket.most // JSON_BYTES:
            with suppress(Exception):  # RecursionError too, for what is nested too deeply
                return self.session.deserialize(self.session.feed_identities(parts)[1])
        self._unreadable += sum(map(len, parts))
        return None

    def _without_one(self) -> None:
        """Go on after a message that was left out."""


class ReplyChannel(Channel):
    """The channel of replies, each of which somebody waits for: shell. Reading from it raises Unreadable, too."""

    def _without_one(self) -> None:
        raise Unreadable


@dataclass
class Heard:
    """What a request printed, as far as it is kept."""

    request: str
    most: int
    pieces: list[str] = field(default_factory=list)
    kept: int = 0
    dropped: int = 0  # characters
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, message: Mapping[str, Any]) -> None:
        if message["parent_header"].get("msg_id") != self.request:
            return
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            self.ended.set()
        elif message["msg_type"] == "stream":
            text = str(message["content"]["text"])
            piece = text[: self.most - self.kept]
            self.dropped += len(text) - len(piece)
            if piece:
                self.pieces.append(piece)
                self.kept += len(piece)


class Listener:
    """Reads what a kernel shows while no cell runs, so that nothing of it piles up: a test may take minutes.

    most: of what a request prints, the characters that are kept; of the last request only
    """

    def __init__(self, iopub: Channel, most: int) -> None:
        self._iopub, self._most = iopub, most
        self._heard = Heard("", most)
        self._dropped_before = iopub.dropped
        self._task: asyncio.Future[None] = asyncio.ensure_future(self._listen())

    def follow(self, request: str) -> None:
        """Keep what a request prints that was sent just now."""
        self._heard, self._dropped_before = Heard(request, self._most), self._iopub.dropped

    def stop(self) -> None:
        self._task.cancel()

    async def heard(self, request: str, seconds: float) -> tuple[str, int]:
        """Return (what a request printed, characters that are left out), after its end or after some seconds."""
        heard = self._heard
        if heard.request != request:
            return "", 0
        with suppress(TimeoutError):
            await asyncio.wait_for(heard.ended.wait(), seconds)
        return "".join(heard.pieces), heard.dropped + self._iopub.dropped - self._dropped_before

    async def _listen(self) -> None:
        while True:
            message = await self._iopub.get_msg()
            with suppress(KeyError, TypeError, AttributeError):  # in what only a submission could have made up
                self._heard.take(message)
