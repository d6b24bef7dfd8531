"""RPC server in the submission's kernel: answers the judge's calls.

Nothing here is trusted. The judge's only request is a call: of something importable, such as operator:getitem, or of an
object that it received before, with copied arguments. The answer is data, or the number of an object that stays here. A
function among the arguments may be the judge's own: calling it sends a request back.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import Any

from nbjudge.judge.codec import Decoder, Encoder, NotSerializable, Tree, WireError, pack, receive
from nbjudge.judge.introspection import describe_error, describe_object, known_name, resolve_name
from nbjudge.transport import listen

_PRINTED = 20_000  # characters of a call's output to send back
NAMESPACE = 0  # the number of the object that holds the submission's names


class RpcServer:
    """Listens for the judge on a socket in the kernel's private folder, and answers while a test cell runs."""

    def __init__(self, path: str, namespace: dict[str, Any]):
        self.waiting = listen(path)
        self.objects: list[Any] = [namespace]  # NAMESPACE is the first; kept alive for later tests
        self.lent: dict[int, Any] = {}  # {id: copy of an instance of the judge}
        self.connection = self.waiting
        self.spare = self._dup()

    def serve(self) -> None:
        """Answer the calls of one test cell, until the judge disconnects."""
        if self.spare >= 0:  # the submission may have left no other descriptor for the connection
            os.close(self.spare)
            self.spare = -1
        self.connection, _ = self.waiting.accept()
        self._answer_calls()
        self.spare = self._dup()

    def _dup(self) -> int:
        """Return a spare descriptor, or -1 if the process has none left."""
        with contextlib.suppress(OSError):
            return os.dup(self.waiting.fileno())
        return -1

    def _answer_calls(self) -> None:
        with self.connection, contextlib.suppress(EOFError, OSError):
            while True:
                self.answer(*receive(self.connection))

    def answer(self, request: Tree, buffers: list[bytearray]) -> None:
        """Execute one call and send its result, its changes to arguments, and its output."""
        printed, complained = io.StringIO(), io.StringIO()
        encoder = Encoder(self._refer)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            try:
                reply = self._call(request, buffers, encoder)
            except BaseException as error:  # any exception of the submission is an answer, even SystemExit
                encoder.buffers.clear()
                reply = {"error": describe_error(error)}
        texts = {"printed": printed.getvalue()[:_PRINTED], "complained": complained.getvalue()[:_PRINTED]}
        try:
            frame = pack(reply | texts, encoder.buffers)
        except NotSerializable as error:
            frame = pack({"error": describe_error(error)} | texts, [])
        self.connection.sendall(frame)

    def _call(self, request: Tree, buffers: list[bytearray], encoder: Encoder) -> Tree:
        args, kwargs = Decoder(buffers, self._decode_reference).value(request["arguments"])
        values = [*args, *kwargs.values()]
        before = [self._snapshot(value) for value in values]
        target = request["call"]
        function = self.objects[target] if isinstance(target, int) else resolve_name(target, self.objects[NAMESPACE])
        value = encoder.tree(function(*args, **kwargs))
        changed = [index for index, value in enumerate(values) if self._snapshot(value) != before[index]]
        return {"value": value, "changed": [[index, self._encode_change(values[index], encoder)] for index in changed]}

    def _snapshot(self, value: Any) -> tuple[Tree, list[bytes]]:
        """Return a snapshot that shows whether an argument was changed; an empty one for references."""
        encoder = Encoder(lambda inner: self._encode_lent(inner, encoder))
        try:
            return encoder.tree(value), encoder.buffers
        except NotSerializable:
            return None, []

    def _encode_change(self, value: Any, encoder: Encoder) -> Tree:
        inside = Encoder(lambda inner: self._encode_lent(inner, inside) or self._refer(inner))
        inside.buffers = encoder.buffers
        return inside.tree(value)

    def _encode_lent(self, value: Any, encoder: Encoder) -> Tree:
        return {"instance": encoder.tree(vars(value))} if id(value) in self.lent else None

    def _refer(self, value: Any) -> Tree:
        """Keep an object here and return its description for the judge."""
        name = known_name(value)
        if name:
            return {"known": name}
        self.objects.append(value)
        return {"object": [len(self.objects) - 1, describe_object(value)]}

    def _decode_reference(self, decoder: Decoder, tag: str, content: Tree) -> Any:
        if tag == "object":
            return self.objects[content]
        if tag == "known":
            return resolve_name(content, self.objects[NAMESPACE])
        if tag == "function":
            return self._callback(content)
        if tag == "instance":
            path, attributes = content
            instance = object.__new__(resolve_name(path, self.objects[NAMESPACE]))
            vars(instance).update(decoder.value(attributes))
            self.lent[id(instance)] = instance
            return instance
        raise WireError(f"unknown tag {tag!r}")

    def _callback(self, number: int) -> Callable[..., Any]:
        """Return a function that calls a function of the judge."""

        def ask(*args: Any, **kwargs: Any) -> Any:
            encoder = Encoder(self._refer)
            request = {"back": number, "arguments": encoder.tree([args, kwargs])}
            self.connection.sendall(pack(request, encoder.buffers))
            while True:
                reply, buffers = receive(self.connection)
                if "call" not in reply:
                    break
                self.answer(reply, buffers)  # the judge's function calls one of ours
            if "error" in reply:
                raise RuntimeError(reply["error"])
            return Decoder(buffers, self._decode_reference).value(reply["value"])

        return ask
