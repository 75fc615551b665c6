"""Import dbt once, then fork for every command: run by dbt's own Python, never imported.

Importing dbt costs seconds of processor time, far more than most commands. dbt also changes the state of its
modules while it works, so two commands must not share a process. A fork of a process that has only imported dbt
is quick and clean.

JSON lines in on stdin, JSON lines out on stdout; a request carries an ``id`` that the caller chose:

- out, once: ``{"ready": true}``, or ``{"error": "..."}`` and the end
- in: ``{"id": 1, "args": ["build"], "cwd": "/dir", "env": {...}, "log": "/file"}``
- out: ``{"id": 1, "exit": 0}`` (negative: killed by that signal), or ``{"id": 1, "error": "..."}``: not started
- in: ``{"id": 1, "signal": 2}``: send a signal to the command and its descendants; no effect once it has ended

The end of stdin ends everything. Only the standard library and dbt may be imported here.
"""

import ctypes
import importlib
import json
import os
import pkgutil
import selectors
import signal
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until stdin ends; in a forked child, be dbt instead."""
    replies = take_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for our parent to deal with
    try:
        import_dbt()
    except ImportError as error:
        reply(replies, {"error": str(error)})
        return
    reply(replies, {"ready": True})
    request = Server(replies).serve()
    if request is not None:
        be_dbt(request)


def take_stdout() -> int:
    """Keep stdout for replies; whatever prints goes to stderr."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def import_dbt() -> None:
    """Import dbt and everything it would import later: its adapters and its tasks."""
    importlib.import_module("dbt.cli.main")
    for name in ("dbt.adapters", "dbt.task"):
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            with suppress(Exception):  # a broken adapter is a problem of the command that uses it
                importlib.import_module(f"{name}.{module.name}")


def reply(replies: int, message: dict[str, Any]) -> None:
    """Write one line; a caller that is gone is noticed at the end of stdin."""
    with suppress(BrokenPipeError):
        os.write(replies, json.dumps(message).encode() + b"\n")


class Server:
    """One thread that waits for requests and for ends of children."""

    def __init__(self, replies: int) -> None:
        self.replies = replies
        self.children: dict[int, int] = {}  # process id -> request id
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the default would not wake us

    def serve(self) -> "dict[str, Any] | None":
        """Return None at the end of stdin and, in a forked child, the request to carry out."""
        waiting = selectors.DefaultSelector()
        waiting.register(0, selectors.EVENT_READ)
        waiting.register(self.wake_read, selectors.EVENT_READ)
        buffer = b""
        while True:
            ready = {key.fd for key, _ in waiting.select()}
            if self.wake_read in ready:
                self.reap()
            if 0 not in ready:
                continue
            chunk = os.read(0, 1 << 16)
            if not chunk:
                self.end_all()
                return None
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if "signal" in request:
                    self.send_signal(request["id"], request["signal"])
                elif self.start(request):
                    waiting.close()
                    return dict(request)

    def start(self, request: dict[str, Any]) -> bool:
        """Fork; true in the child."""
        server = os.getpid()
        try:
            os.scandir(request["cwd"]).close()
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            child = os.fork()
        except OSError as error:
            reply(self.replies, {"id": request["id"], "error": str(error)})
            return False
        if child == 0:
            self.leave(server, log)
            return True
        os.close(log)
        self.children[child] = request["id"]
        return False

    def leave(self, server: int, log: int) -> None:
        """In the child: let go of everything that is the server's."""
        os.setsid()
        die_with(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for pipe in (self.replies, self.wake_read, self.wake_write):
            os.close(pipe)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def reap(self) -> None:
        """Report every child that has ended."""
        with suppress(BlockingIOError):
            os.read(self.wake_read, 1 << 16)
        with suppress(ChildProcessError):
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    return
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)  # what dbt started must not outlive it
                message = {"id": self.children.pop(child), "exit": os.waitstatus_to_exitcode(status)}
                reply(self.replies, message)

    def send_signal(self, request_id: int, number: int) -> None:
        """Signal the process group of one request, if it is still going."""
        for child, of_request in self.children.items():
            if of_request == request_id:
                with suppress(ProcessLookupError):
                    os.killpg(child, number)

    def end_all(self) -> None:
        """Kill what is still going, and wait for its end."""
        for child in self.children:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def die_with(server: int) -> None:
    """Ask Linux to kill this process when the server is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def be_dbt(request: dict[str, Any]) -> NoReturn:
    """Do what the dbt executable does, so that output, exit code and clean-up are the same."""
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv = ["dbt", *request["args"]]
    sys.exit(importlib.import_module("dbt.cli.main").cli())


if __name__ == "__main__":
    main()
