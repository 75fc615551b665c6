"""Servers that receive what notifiers send, on this machine: one for HTTP, one for e-mail."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeVar

AnyServer = TypeVar("AnyServer", bound=socketserver.BaseServer)

ANSWER = json.dumps({"ok": True, "status": "success", "dedup_key": "as sent"}).encode()
"""What satisfies the clients of Slack's API and of PagerDuty; the others look at the status only."""


class HttpReceiver(ThreadingHTTPServer):
    """Keeps the JSON bodies of all POSTs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.paths: list[str] = []
        self.bodies: list[Any] = []


class _Post(BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        """Keep the body and answer that all is well."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.server.bodies.append(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class MailReceiver(socketserver.ThreadingTCPServer):
    """Keeps all e-mails (RFC 5321, as much of it as a client needs)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.port = self.server_address[1]
        self.mails: list[Message] = []


class _Mail(socketserver.StreamRequestHandler):
    server: MailReceiver

    def handle(self) -> None:
        """Accept everything."""
        self._say("220 ready")
        for line in self.rfile:
            command = line.split()[0].upper()
            if command == b"DATA":
                self._say("354 go on")
                self.server.mails.append(message_from_bytes(self._message()))
            self._say("250 fine")
            if command == b"QUIT":
                return

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())

    def _message(self) -> bytes:
        """Read up to the line with a dot only; a dot that begins another line was doubled."""
        lines = iter(self.rfile.readline, b".\r\n")
        return b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)


@contextmanager
def serving(server: AnyServer) -> Iterator[AnyServer]:
    """Serve in a thread, and end that."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
