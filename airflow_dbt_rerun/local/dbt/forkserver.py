"""Import dbt once, then fork for every command. dbt's own Python runs this file as a script; it is never imported.

Importing dbt costs seconds of processor time, far more than most commands. dbt also changes the state of its
modules while it runs, so two commands must not share a process. Forking a process that has only imported dbt
is quick, and each command starts from a clean state.

Requests are JSON lines on stdin, replies are JSON lines on stdout; the caller chooses the ``id`` of a request:

- out, once: ``{"ready": true}``, or ``{"error": "..."}`` before the server ends
- in: ``{"id": 1, "args": ["build"], "cwd": "/dir", "env": {...}, "log": "/file"}``
- out: ``{"id": 1, "exit": 0}`` (negative: killed by that signal), or ``{"id": 1, "error": "..."}`` if not started
- in: ``{"id": 1, "signal": 2}``: send a signal to the command and its descendants; no effect if it has ended

The server and all commands end at the end of stdin. Only the standard library and dbt may be imported here.
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
    """Serve until the end of stdin; in a forked child, run dbt."""
    replies = redirect_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C in the terminal
    try:
        import_dbt()
    except ImportError as error:
        reply(replies, {"error": str(error)})
        return
    reply(replies, {"ready": True})
    request = Server(replies).serve()
    if request is not None:
        run_dbt(request)


def redirect_stdout() -> int:
    """Reserve stdout for replies, redirect other output to stderr, and return the descriptor for replies."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def import_dbt() -> None:
    """Import dbt together with the adapters and tasks that it would import later."""
    importlib.import_module("dbt.cli.main")
    for name in ("dbt.adapters", "dbt.task"):
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__):
            with suppress(Exception):  # a broken adapter fails the commands that use it
                importlib.import_module(f"{name}.{module.name}")


def reply(replies: int, message: dict[str, Any]) -> None:
    """Write one line. A broken pipe is ignored: the end of stdin follows."""
    with suppress(BrokenPipeError):
        os.write(replies, json.dumps(message).encode() + b"\n")


class Server:
    """Serves requests and reaps children in one thread."""

    def __init__(self, replies: int) -> None:
        self.replies = replies
        self.children: dict[int, int] = {}  # process id -> request id
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # the default action would not wake the selector

    def serve(self) -> "dict[str, Any] | None":
        """Return None at the end of stdin, or in a forked child the request to carry out."""
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
                self.kill_all()
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
        """Fork for a request, and return whether this is the child."""
        server = os.getpid()
        try:
            os.scandir(request["cwd"]).close()
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            child = os.fork()
        except OSError as error:
            reply(self.replies, {"id": request["id"], "error": str(error)})
            return False
        if child == 0:
            self.detach(server, log)
            return True
        os.close(log)
        self.children[child] = request["id"]
        return False

    def detach(self, server: int, log: int) -> None:
        """Release the resources of the server, in the child."""
        os.setsid()
        end_with_parent(server)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for pipe in (self.replies, self.wake_read, self.wake_write):
            os.close(pipe)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def reap(self) -> None:
        """Report the children that have ended."""
        with suppress(BlockingIOError):
            os.read(self.wake_read, 1 << 16)
        with suppress(ChildProcessError):
            while True:
                child, status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    return
                with suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)  # processes that dbt started must not outlive it
                message = {"id": self.children.pop(child), "exit": os.waitstatus_to_exitcode(status)}
                reply(self.replies, message)

    def send_signal(self, request_id: int, number: int) -> None:
        """Send a signal to the process group of a request, if it is still running."""
        for child, of_request in self.children.items():
            if of_request == request_id:
                with suppress(ProcessLookupError):
                    os.killpg(child, number)

    def kill_all(self) -> None:
        """Kill all children and wait for their end."""
        for child in self.children:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def end_with_parent(server: int) -> None:
    """Let Linux kill this process when the server ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def run_dbt(request: dict[str, Any]) -> NoReturn:
    """Run dbt as its executable does, with the same output, exit code and clean-up."""
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.argv = ["dbt", *request["args"]]
    sys.exit(importlib.import_module("dbt.cli.main").cli())


if __name__ == "__main__":
    main()
