"""RPC server in the submission's kernel: answers the judge's calls.

Nothing here is trusted by anyone. The judge's only request is a call: of something importable, such as
operator:getitem, or of an object that it was shown before, with arguments that are copied. The answer is data, or the
number of an object that stays here. A function among the arguments may be the judge's own: calling it asks back.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from nbjudge.judge.codec import Decoder, Encoder, NotSerializable, Tree, WireError, pack, receive
from nbjudge.judge.introspection import describe_error, describe_object, imported, known_name
from nbjudge.transport import listen

PRINTED = 20_000  # characters of what a call prints that travel back
NAMESPACE = 0  # the number of the object that holds the submission's names


class RpcServer:
    """Listens for the judge on a socket in the kernel's private folder, and answers while a test cell runs."""

    def __init__(self, path: str, namespace: dict[str, Any]):
        self.waiting = listen(path)
        self.objects: list[Any] = [namespace]  # NAMESPACE is the first; kept, so that tests can use them later on
        self.lent: dict[int, Any] = {}  # by id: instances of the judge's, rebuilt here
        self.connection = self.waiting

    def serve(self) -> None:
        """Answer one test cell: until the judge hangs up."""
        self.connection, _ = self.waiting.accept()
        with self.connection, contextlib.suppress(EOFError, OSError):
            while True:
                self.answer(*receive(self.connection))

    def answer(self, request: Tree, buffers: list[bytearray]) -> None:
        """Do one call and send its result, what it changed among its arguments, and what it printed."""
        printed, complained = io.StringIO(), io.StringIO()
        encoder = Encoder(self._refer)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            try:
                reply = self._called(request, buffers, encoder)
            except BaseException as error:  # whatever the submission raises is an answer, quit() too
                encoder.buffers.clear()
                reply = {"error": describe_error(error)}
        texts = {"printed": printed.getvalue()[:PRINTED], "complained": complained.getvalue()[:PRINTED]}
        try:
            frame = pack(reply | texts, encoder.buffers)
        except NotSerializable as error:
            frame = pack({"error": describe_error(error)} | texts, [])
        self.connection.sendall(frame)

    def _called(self, request: Tree, buffers: list[bytearray], encoder: Encoder) -> Tree:
        args, kwargs = Decoder(buffers, self._referred).value(request["arguments"])
        given = [*args, *kwargs.values()]
        before = [self._seen(value) for value in given]
        target = request["call"]
        function = self.objects[target] if isinstance(target, int) else imported(target, self.objects[NAMESPACE])
        value = encoder.tree(function(*args, **kwargs))
        changed = [place for place, value in enumerate(given) if self._seen(value) != before[place]]
        return {"value": value, "changed": [[place, self._changed(given[place], encoder)] for place in changed]}

    def _seen(self, value: Any) -> tuple[Tree, list[bytes]]:
        """Return what tells whether an argument was changed; nothing for what is only named."""
        encoder = Encoder(lambda inner: self._lent_tree(inner, encoder))
        try:
            return encoder.tree(value), encoder.buffers
        except NotSerializable:
            return None, []

    def _changed(self, value: Any, encoder: Encoder) -> Tree:
        inside = Encoder(lambda inner: self._lent_tree(inner, inside) or self._refer(inner))
        inside.buffers = encoder.buffers
        return inside.tree(value)

    def _lent_tree(self, value: Any, encoder: Encoder) -> Tree:
        return {"instance": encoder.tree(vars(value))} if id(value) in self.lent else None

    def _refer(self, value: Any) -> Tree:
        """Keep an object here and return what the judge is told about it."""
        name = known_name(value)
        if name:
            return {"known": name}
        self.objects.append(value)
        return {"object": [len(self.objects) - 1, describe_object(value)]}

    def _referred(self, decoder: Decoder, tag: str, content: Tree) -> Any:
        if tag == "object":
            return self.objects[content]
        if tag == "known":
            return imported(content, self.objects[NAMESPACE])
        if tag == "function":
            return self._asking_back(content)
        if tag == "instance":
            place, attributes = content
            instance = object.__new__(imported(place, self.objects[NAMESPACE]))
            vars(instance).update(decoder.value(attributes))
            self.lent[id(instance)] = instance
            return instance
        raise WireError(f"unknown tag {tag!r}")

    def _asking_back(self, number: int) -> Callable:
        """Return a function that calls one of the judge's."""

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
            return Decoder(buffers, self._referred).value(reply["value"])

        return ask
