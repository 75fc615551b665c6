"""A real HTTP server that gives scripted answers, one a request, and records the requests."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request as the server saw it. Header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Answer | Callable[["ScriptedServer", "_Handler"], None]


def data(value: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with the API's envelope around ``value``."""
    return Answer(status, json.dumps({"status": {"code": status}, "data": value}).encode(), headers)


def error(status: int, message: str | None, **headers: str) -> Answer:
    """Answer with the API's error envelope."""
    envelope = {"code": status, "is_success": False, "user_message": message, "developer_message": None}
    return Answer(status, json.dumps({"status": envelope, "data": None}).encode(), headers)


def html(status: int = 200) -> Answer:
    """Answer with a web page."""
    return Answer(status, b"<!doctype html><html><body>Sign in</body></html>", {"Content-Type": "text/html"})


def drop(_: ScriptedServer, handler: _Handler) -> None:
    """Take the request, then close the connection without a word."""
    handler.close_connection = True


def drop_halfway(_: ScriptedServer, handler: _Handler) -> None:
    """Promise a body, send a part of it, then close."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    handler.close_connection = True


def babble(_: ScriptedServer, handler: _Handler) -> None:
    """Answer in something that is not HTTP."""
    handler.wfile.write(b"hello\r\n\r\n")
    handler.close_connection = True


def hang(server: ScriptedServer, handler: _Handler) -> None:
    """Take the request and stay silent until the server is closed."""
    server.closing.wait(60)
    handler.close_connection = True


class ScriptedServer(ThreadingHTTPServer):
    """Answers request n with line n of the script; the last line is for all that follow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Script] = []
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_port}"

    def answers(self, *script: Script) -> None:
        """Set the server's answers, from the next request on."""
        self.script = list(script)

    def next_line(self, asked: Asked) -> Script:
        """Note the request, and take the line for it."""
        with self._lock:
            self.asked.append(asked)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        line = self.server.next_line(Asked(self.command, self.path, headers, body))
        if isinstance(line, Answer):
            self._send(line)
        else:
            line(self.server, self)

    do_GET = do_POST = do_CONNECT = handle_any  # noqa: N815 - the names the base calls

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Say nothing."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """Run a server for the length of a ``with`` block."""
    with ScriptedServer() as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
