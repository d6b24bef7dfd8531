"""The grader's end of a kernel's sockets: it understands ZMQ, and what arrives takes no more memory than allowed."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from nbjudge.execution.channels import Channel, Listener, ReplyChannel, UnreadableMessageError
from nbjudge.execution.zmtp import COST, GREETING, Connection, Parser, ProtocolError, _frames, _ready

MOST = 10_000
HELLO = GREETING + _ready("PUB", b"")


def messages(stream: bytes, step: int = 1 << 20, most: int = MOST) -> tuple[list[list[bytes]], Parser]:
    """Return the messages in a stream that arrives in steps of so many bytes, and who took them out."""
    parser = Parser(most)
    arrived = [stream[place : place + step] for place in range(0, len(stream), step)]
    return [message for data in arrived for message in parser.feed(data)], parser


@pytest.mark.parametrize("step", [1, 7, 64, 65, 1 << 20])
def test_messages_are_whole_however_their_bytes_arrive(step):
    sent = [[b"one"], [b"", b"two", b"x" * 300], [b"three"]]
    assert messages(HELLO + b"".join(map(_frames, sent)), step)[0] == sent


TOO_LARGE = {
    "one part": [b"x" * (MOST + 1)],
    "many parts": [b"x" * 1000] * 100,
    "many empty parts": [b""] * (MOST // COST + 1),
    "the last of its parts": [b"x"] * 5 + [b"x" * MOST],
    "the first of its parts": [b"x" * MOST] + [b"x"] * 5,
}


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("what", TOO_LARGE)
def test_a_message_that_is_too_large_is_left_out_and_the_next_arrives(what, step):
    sent, parser = messages(HELLO + _frames([b"before"]) + _frames(TOO_LARGE[what]) + _frames([b"after"]), step)
    assert sent == [[b"before"], [b"after"]]
    assert parser.dropped == sum(map(len, TOO_LARGE[what]))


def test_a_part_of_a_size_that_no_memory_holds_takes_none():
    endless = HELLO + b"\x02" + (1 << 62).to_bytes(8, "big") + b"x" * 1_000_000
    sent, parser = messages(endless, 1 << 16)
    assert sent == []
    assert len(parser._buffer) == 0


@pytest.mark.parametrize("most", [MOST, 3 * MOST])
def test_a_message_that_just_fits_arrives(most):
    fits = [b"x" * (most - COST)]
    assert messages(HELLO + _frames(fits), most=most)[0] == [fits]


@pytest.mark.parametrize(
    "stream",
    [
        b"HTTP/1.1 400 Bad Request\r\n" * 3,
        GREETING[:10] + b"\x01" + GREETING[11:],
        GREETING.replace(b"NULL", b"CURV"),
        HELLO + b"\xff" * 20,
    ],
    ids=["other protocol", "other version", "other mechanism", "other flags"],
)
def test_what_is_no_zmtp_is_an_error(stream):
    with pytest.raises(ProtocolError):
        messages(stream)


# --- with ZMQ at the other end


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # the path of a socket may have 107 characters
        yield Path(short)


def bound(context: zmq.Context[Any], kind: int, address: str) -> zmq.Socket[Any]:
    one = context.socket(kind)
    one.linger = 0
    one.rcvtimeo = 30_000
    one.bind(address)
    return one


@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_zmq_takes_it_for_one_of_its_own(scheme, folder):
    async def main() -> list[Any]:
        with zmq.Context() as context:
            router = bound(context, zmq.ROUTER, f"ipc://{folder}/router" if scheme == "ipc" else "tcp://127.0.0.1:*")
            dealer = Connection(router.last_endpoint.rstrip(b"\0").decode(), "DEALER", 1 << 20, b"me")
            try:
                dealer.send([b"", b"x" * 1000])
                asked = await asyncio.to_thread(router.recv_multipart)
                router.send_multipart([b"me", b"answer", b"y" * 100_000])
                return [asked, await dealer.receive(30)]
            finally:
                dealer.close()
                router.close()

    assert asyncio.run(main()) == [[b"me", b"", b"x" * 1000], [b"answer", b"y" * 100_000]]


def test_a_socket_that_is_made_later_is_found_and_heard(folder):
    async def main() -> Any:
        subscriber = Connection(f"ipc://{folder}/later", "SUB", 1 << 20)
        with zmq.Context() as context:
            publisher = bound(context, zmq.XPUB, f"ipc://{folder}/later")
            try:
                assert await asyncio.to_thread(publisher.recv) == b"\x01"
                publisher.send_multipart([b"topic", b"news"])
                return await subscriber.receive(30)
            finally:
                subscriber.close()
                publisher.close()

    assert asyncio.run(main()) == [b"topic", b"news"]


def test_nothing_in_time_is_empty_and_one_who_hangs_up_is_silent(folder):
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen()
            one = Connection(f"ipc://{folder}/s", "SUB", MOST)
            with pytest.raises(Empty):
                await one.receive(0.01)
            (await asyncio.to_thread(listener.accept))[0].close()
            with pytest.raises(Empty):
                await one.receive(0.1)
            one.close()

    asyncio.run(main())


def test_who_sends_faster_than_is_read_waits(folder):
    chunk, sent, far = HELLO + _frames([b"x" * 5000]) * 2, [], []

    def flood(listener: socket.socket) -> None:
        far.append(listener.accept()[0])
        far[0].settimeout(1)  # seconds without any progress
        data = chunk
        try:
            while sum(sent) < 1 << 28:
                sent.append(far[0].send(data))
                data = _frames([b"x" * 5000])
        except OSError:
            pass

    async def main() -> int:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/s")
            listener.listen()
            one = Connection(f"ipc://{folder}/s", "SUB", MOST)
            flooding = threading.Thread(target=flood, args=(listener,))
            flooding.start()
            await asyncio.to_thread(flooding.join)
            waiting = one._buffered_size
            await one.receive(10)
            one.close()
            far[0].close()
            return waiting

    waiting = asyncio.run(main())
    assert waiting < MOST + (1 << 20), f"{waiting} bytes wait to be read, of {sum(sent)} sent"
    assert sum(sent) < 1 << 24


# --- channels


class Ready:
    """A connection on which messages have arrived; None for one that was left out."""

    def __init__(self, *arrived: list[bytes] | None, most: int = 600_000) -> None:
        self.arrived, self.most, self.dropped = list(arrived), most, 0

    async def receive(self, timeout: float | None = None) -> list[bytes] | None:
        if not self.arrived:
            raise Empty
        return self.arrived.pop(0)

    def close(self) -> None:
        pass


def packed(session: Session, content: Any) -> list[bytes]:
    return [b"topic", *session.serialize(session.msg("stream", content=content))]


NO_MESSAGES = {
    "left out": lambda _: None,
    "of many items": lambda session: packed(session, {"data": [[]] * 200_000}),
    "of many numbers": lambda session: packed(session, {"data": [0] * 200_000}),
    "of many empty dicts": lambda session: packed(session, {"data": [{}] * 150_000}),
    "nested too deeply": lambda session: [*packed(session, {})[:5], b"[" * 100_000 + b"]" * 100_000],
    "signed by somebody else": lambda _: packed(Session(key=b"other"), {}),
    "no message": lambda _: [b"x"],
    "no JSON": lambda session: [*packed(session, {})[:5], b"{"],
}


@pytest.mark.parametrize("what", NO_MESSAGES)
def test_of_what_is_shown_a_message_that_cannot_be_read_is_passed_over_and_of_replies_it_is_an_error(what):
    session = Session(key=b"key")
    arrived = NO_MESSAGES[what](session), packed(session, {"text": "next"})
    channel = Channel(Ready(*arrived), session)
    assert asyncio.run(channel.get_msg(1))["content"] == {"text": "next"}
    assert channel.dropped == sum(map(len, arrived[0] or []))
    with pytest.raises(UnreadableMessageError):
        asyncio.run(ReplyChannel(Ready(*arrived), session).get_msg(1))


def test_what_is_listened_to_is_kept_as_far_as_it_fits_and_the_rest_is_counted():
    async def main() -> tuple[str, int]:
        parent = {"parent_header": {"msg_id": "mine"}}
        shown = [{**parent, "msg_type": "stream", "content": {"text": "x" * 60}} for _ in range(3)]
        other = {"parent_header": {"msg_id": []}, "msg_type": "stream", "content": {"text": "not mine"}}
        broken = {**parent, "msg_type": "stream", "content": {}}
        idle = {**parent, "msg_type": "status", "content": {"execution_state": "idle"}}
        arrived = asyncio.Queue()
        for message in [other, broken, *shown, idle]:
            arrived.put_nowait(message)
        listener = Listener(SimpleNamespace(dropped=0, get_msg=arrived.get), most=100)  # type: ignore[arg-type]
        listener.follow("mine")
        try:
            return await listener.collect_output("mine", 30)
        finally:
            listener.stop()

    assert asyncio.run(main()) == ("x" * 100, 80)
