"""What a person does in the browser on JupyterHub, over HTTP: log in, start the server, open and run a notebook."""

from __future__ import annotations

import http.cookiejar
import json
import re
import time
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

import websocket

PATIENCE_S = 120


@dataclass
class HubUser:
    """A person who is logged in. hub: the hub's address; login: the account's name."""

    hub: str
    login: str
    token: str = field(default="", repr=False)

    def log_in(self, password: str) -> None:
        """Fill in the log-in form, and ask for a token as the hub's page "Token" does."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        with browser.open(f"{self.hub}/hub/login", timeout=PATIENCE_S) as page:
            xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.read().decode()).group(1)
        form = {"username": self.login, "password": password, "_xsrf": xsrf}
        browser.open(f"{self.hub}/hub/login?next=/hub/token", urllib.parse.urlencode(form).encode()).close()
        (xsrf,) = [
            cookie.value
            for handler in browser.handlers
            for cookie in getattr(handler, "cookiejar", [])
            if cookie.name == "_xsrf" and cookie.path == "/hub/"
        ]
        where = f"{self.hub}/hub/api/users/{self.login}/tokens?_xsrf={urllib.parse.quote(xsrf)}"
        with browser.open(urllib.request.Request(where, b"{}", {"Content-Type": "application/json"})) as answer:
            self.token = json.load(answer)["token"]

    def start_server(self) -> None:
        self.ask(f"/hub/api/users/{self.login}/server", method="POST", data={})
        for _ in range(PATIENCE_S * 5):
            servers = self.ask(f"/hub/api/users/{self.login}")["servers"]
            if servers.get("", {}).get("ready"):
                return
            time.sleep(0.2)
        raise AssertionError(f"the server of {self.login} did not start within {PATIENCE_S} s")

    def ask(self, where: str, method: str = "GET", data: dict[str, Any] | None = None) -> Any:
        """Ask for a path of the hub, with JSON in both directions."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.hub + where, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def server(self, where: str, method: str = "GET", data: dict[str, Any] | None = None) -> Any:
        """Ask the person's own server."""
        return self.ask(f"/user/{self.login}/{where}", method, data)

    def click(self, action: str, lesson: str) -> list[dict[str, Any]]:
        """Click a button of the Assignment List: "fetch", "submit" or "fetch_feedback"; return the list."""
        reply = self.server(f"assignments/{action}", "POST", {"course_id": "rnn", "assignment_id": lesson})
        assert reply["success"], reply["value"]
        return reply["value"]

    def read_notebook(self, path: str) -> dict[str, Any]:
        return self.server(f"api/contents/{path}")["content"]

    def save_notebook(self, path: str, notebook: dict[str, Any]) -> None:
        self.server(f"api/contents/{path}", "PUT", {"type": "notebook", "content": notebook})

    def run(self, path: str, cells: list[str]) -> list[list[dict[str, Any]]]:
        """Run cells in the kernel of a notebook; return the outputs of each."""
        wanted = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = self.server("api/sessions", "POST", wanted)
        address = (
            f"{self.hub.replace('http', 'ws', 1)}/user/{self.login}/api/kernels/{session['kernel']['id']}/channels"
        )
        channels = websocket.create_connection(
            address, timeout=PATIENCE_S, header={"Authorization": f"token {self.token}"}
        )
        try:
            return [_execute(channels, source) for source in cells]
        finally:
            channels.close()
            self.server(f"api/sessions/{session['id']}", "DELETE")


def _execute(channels: websocket.WebSocket, source: str) -> list[dict[str, Any]]:
    ident = uuid.uuid4().hex
    header = {"msg_id": ident, "msg_type": "execute_request", "session": ident, "username": "", "version": "5.3"}
    content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channels.send(json.dumps({**message, "buffers": []}))
    outputs = []
    while True:
        reply = json.loads(channels.recv())
        if reply["parent_header"].get("msg_id") != ident or reply["channel"] != "iopub":
            continue
        if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            return outputs
        if reply["msg_type"] in ("stream", "display_data", "execute_result", "error"):
            outputs.append({"output_type": reply["msg_type"], **reply["content"]})
