"""Client of a submission's kernel: executes cells one by one, with bounded time and output, and detects its death."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import queue
import time
from collections.abc import Mapping
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import Integer, Type

from nbjudge.cell_result import GRACE, CellStatus, flood_status, is_valid, omission_notice, timeout_status
from nbjudge.execution.channels import Channel, Listener, ReplyChannel, UnreadableMessageError, largest_message
from nbjudge.execution.outputs import size_of
from nbjudge.execution.zmtp import Connection

_TIMEOUT = "CellTimeoutError"
ANSWER = 0.5  # seconds between requests to a kernel that is starting


class BoundedClient(NotebookClient):
    """Runs cells and keeps their outputs up to a size limit."""

    output_bytes = Integer(1 << 20, help="Of the outputs of one cell, what is kept.").tag(config=True)

    kept_size = 0
    dropped = 0
    timed_out = False

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process a message; beyond the size limit, only those that report the kernel's status."""
        kind = msg["msg_type"]
        if kind.startswith("comm"):
            return None  # widgets have no frontend to talk to
        if kind not in ("status", "execute_input"):
            size = size_of(msg["content"])
            if self.kept_size + size > self.output_bytes:
                self.dropped += size
                return None
            self.kept_size += size
        try:
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:  # the cell has ended
            raise
        except Exception:  # a malformed message, as only a submission sends it
            return None

    def create_kernel_manager(self) -> Any:
        manager: Any = super().create_kernel_manager()
        manager.output_bytes = self.output_bytes
        return manager

    async def _async_poll_kernel_alive(self) -> None:
        with contextlib.suppress(AssertionError):  # the kernel was stopped; nbclient forgets this task then
            await super()._async_poll_kernel_alive()

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> None | dict[str, Any]:
        self.timed_out = True
        return await super()._async_handle_timeout(timeout, cell)


class FastStartKernelClient(AsyncKernelClient):
    """Ready as soon as a kernel has answered on both channels; jupyter_client waits for 0.2 s of silence.

    There are no other channels and no ZMQ: messages are read in bounded memory. Its process shows whether it is alive.
    """

    shell_channel_class = Type(ReplyChannel)  # type: ignore[assignment]
    iopub_channel_class = Type(Channel)  # type: ignore[assignment]

    def start_channels(self, *_: Any, **__: Any) -> None:
        super().start_channels(stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        self.shell_channel.stop()
        self.iopub_channel.stop()

    def connect_shell(self, identity: bytes | None = None) -> Any:
        return self._connection("shell", "DEALER", identity or b"")

    def connect_iopub(self, identity: bytes | None = None) -> Any:
        return self._connection("iopub", "SUB", identity or b"")

    def _connection(self, channel: str, kind: str, identity: bytes) -> Connection:
        assert isinstance(self.parent, FastStartKernelManager)  # who made this client
        return Connection(self._make_url(channel), kind, largest_message(self.parent.output_bytes), identity)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until a started kernel is ready. Raises RuntimeError if it does not answer in time."""
        deadline = time.monotonic() + (math.inf if timeout is None else timeout)
        await self._next_message()  # ipykernel greets each subscriber
        while not await self._has_answered(self.kernel_info()):
            if not await self.is_alive():
                raise RuntimeError("The kernel ended before it was ready.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"The kernel was not ready after {timeout:.0f} s.")

    async def _has_answered(self, request: str) -> bool:
        """Return whether a kernel_info request was answered and its end announced on iopub."""
        while message := await self._next_message():
            is_idle = message["content"].get("execution_state") == "idle"
            if is_idle and message["parent_header"].get("msg_id") == request:
                with contextlib.suppress(queue.Empty):
                    self._handle_kernel_info_reply(await self.get_shell_msg(timeout=ANSWER))
                    return True
        return False

    async def _next_message(self) -> dict[str, Any] | None:
        with contextlib.suppress(queue.Empty):
            return await self.get_iopub_msg(timeout=ANSWER)
        return None


class FastStartKernelManager(AsyncKernelManager):
    """Polls often for the end of a kernel: one that is forked or killed ends at once."""

    client_factory = Type(FastStartKernelClient, klass=AsyncKernelClient)
    output_bytes = 0  # size limit for the outputs of one cell

    def _connect_control_socket(self) -> None:
        """Do nothing: kernels are ended by signals."""

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        await super()._async_wait(min(pollinterval, 0.005))


class Kernel:
    """A kernel with a client; `start` it, run cells, `stop` it. It can be restarted after its death.

    manager: class of its manager; settings: traits of BoundedClient
    folder: its working directory; variables: additions to the environment of this process
    """

    def __init__(
        self,
        manager: type[AsyncKernelManager],
        kernel_name: str,
        folder: str,
        variables: Mapping[str, str],
        **settings: Any,
    ):
        self.manager, self.kernel_name, self.folder, self.settings = manager, kernel_name, folder, settings
        self.variables = variables
        self.client: BoundedClient | None = None
        self.cpu_seconds = 0.0  # used by the previous kernels, as far as measured
        self._listener: Listener | None = None
        self.log = logging.Logger("cells", logging.CRITICAL)  # nbclient's own; `CellStatus` reports what matters

    @property
    def provisioner(self) -> Any:
        return self.client.km.provisioner if self.client and self.client.km else None

    async def start(self) -> None:
        """Start a new kernel and wait until it is ready. Raises the errors of jupyter_client."""
        client = self.client = BoundedClient(
            new_notebook(cells=[new_code_cell()]),
            kernel_manager_class=self.manager,
            kernel_name=self.kernel_name,
            allow_errors=True,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": _TIMEOUT, "evalue": "", "traceback": []},
            store_widget_state=False,
            shutdown_kernel="immediate",
            extra_arguments=["--HistoryManager.enabled=False"],
            log=self.log,
            **self.settings,
        )
        client.reset_execution_trackers()
        client.create_kernel_manager()
        await client.async_start_new_kernel(cwd=self.folder, env={**os.environ, **self.variables})
        await client.async_start_new_kernel_client()

    async def stop(self) -> None:
        """End the kernel, whatever its state."""
        self.cpu_seconds += getattr(self.provisioner, "cpu_seconds_used", 0.0)
        client, self.client = self.client, None
        self._stop_listening()
        if client and client.km:
            with contextlib.suppress(Exception):
                await client._async_cleanup_kernel()

    async def alive(self) -> bool:
        return bool(self.client and self.client.km and await ensure_async(self.client.km.is_alive()))

    async def run(self, source: str, seconds: float) -> tuple[NotebookNode, CellStatus]:
        """Run a cell and return it with its outputs and status; a kernel that hangs or dies is stopped."""
        client = self.client
        assert client is not None  # after start()
        self._stop_listening()
        iopub = self._kc().iopub_channel
        dropped_before = iopub.dropped
        cell = client.nb.cells[0] = new_code_cell(source)
        client._display_id_map.clear()
        client.timeout, client.kept_size, client.dropped, client.timed_out = max(1, int(seconds)), 0, 0, False
        start = time.monotonic()
        try:
            await client.async_execute_cell(cell, 0)
        except DeadKernelError:
            reason = self.exit_reason()
            await self.stop()
            return cell, CellStatus("died", reason)
        except Exception:  # a malformed reply, as only a submission sends it
            await self.stop()
            return cell, CellStatus("died", "it did not reply as a kernel does")
        cell.outputs = [output for output in cell.outputs if is_valid(output)]
        dropped = client.dropped + iopub.dropped - dropped_before
        if client.timed_out or time.monotonic() - start > seconds + GRACE:
            if not await self.responds():
                await self.stop()
            return cell, timeout_status(seconds)
        if dropped:
            return cell, flood_status(cell.outputs, dropped)
        return cell, CellStatus()

    def _kc(self) -> Any:
        assert self.client is not None  # after start()
        return self.client.kc

    async def send(self, source: str) -> str:
        """Send a line for silent execution and return the id of the request, for `reply`."""
        kc = self._kc()
        if self._listener is None:
            self._listener = Listener(kc.iopub_channel, self.settings["output_bytes"])
        request: str = await ensure_async(kc.execute(source, silent=True, store_history=False))
        self._listener.follow(request)
        return request

    async def reply(self, request: str, seconds: float) -> dict[str, Any] | None:
        """Return the content of the reply to a request, or None if there was none in time."""
        kc = self._kc()
        deadline = time.monotonic() + seconds
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                message = await ensure_async(kc.get_shell_msg(timeout=min(1.0, remaining)))
                if message["parent_header"].get("msg_id") == request:
                    content: dict[str, Any] = message["content"]
                    return content
            except queue.Empty:  # nothing within this second
                if not await self.alive():
                    return None
            except UnreadableMessageError:
                return None
            except Exception:  # malformed, as only a submission sends it
                continue
        return None

    async def collect_output(self, request: str) -> str:
        """Return the output of a finished request that no cell shows, such as that of C code, up to a limit."""
        if self._listener is None:
            return ""
        text, omitted = await self._listener.collect_output(request, GRACE)
        return f"{text}\n{omission_notice(omitted)}\n" if omitted else text

    def _stop_listening(self) -> None:
        if self._listener:
            self._listener.stop()
        self._listener = None

    async def run_silently(self, source: str, seconds: float) -> str:
        """Run a line and return "" on success, else the error."""
        content = await self.reply(await self.send(source), seconds)
        if content is None:
            return "there was no answer"
        return "" if content["status"] == "ok" else f"{content.get('ename')}: {content.get('evalue')}"

    async def evaluate(self, expression: str, seconds: float) -> Any:
        """Return the value of an expression that is a list; None if the kernel does not answer."""
        value = f"__import__('IPython.display', fromlist=['x']).JSON({expression})"
        request = await ensure_async(self._kc().execute("", silent=True, user_expressions={"value": value}))
        content = await self.reply(request, seconds) or {}
        return content.get("user_expressions", {}).get("value", {}).get("data", {}).get("application/json")

    async def modules(self) -> list[str]:
        """Return the names of the modules that a trusted kernel has imported; none if it does not answer."""
        modules: list[str] = await self.evaluate("sorted(__import__('sys').modules)", GRACE) or []
        return modules

    async def responds(self, request: str = "") -> bool:
        """Return whether the kernel becomes idle, by itself or after an interrupt.

        request: id of a pending request
        """
        if not await self.alive():
            return False
        request = request or await self.send("pass")
        for _ in range(2):
            if await self.reply(request, GRACE / 2) is not None:
                return True
            await self.interrupt()
        return await self.reply(request, GRACE) is not None

    async def interrupt(self) -> None:
        if self.client and self.client.km:
            with contextlib.suppress(Exception):
                await ensure_async(self.client.km.interrupt_kernel())

    def exit_reason(self) -> str:
        """Return why the kernel ended, as far as the provisioner can tell."""
        describe = getattr(self.provisioner, "exit_reason", None)
        return describe() if describe else "the process that it runs in ended"
