"""Servers that answer without end, or with more than they seem to: one raw connection at a time."""

from __future__ import annotations

import contextlib
import functools
import gzip
import socket
import threading
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"

Play = Callable[[socket.socket, threading.Event], None]


def endless_body(peer: socket.socket, closing: threading.Event) -> None:
    """Send a body without a length, as fast as it is taken."""
    peer.sendall(OK + JSON + b"\r\n")
    while not closing.is_set():
        peer.sendall(b"[" * 65536)


def bomb(peer: socket.socket, _: threading.Event) -> None:
    """Send a small body that unpacks to a thousand times as much."""
    packed = _packed()
    peer.sendall(OK + JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


@functools.cache
def _packed() -> bytes:
    return gzip.compress(b"0" * 100_000_000, compresslevel=9)


def slow_body(peer: socket.socket, closing: threading.Event) -> None:
    """Promise a body and send one byte at a time, never silent for long."""
    peer.sendall(OK + JSON + b"Content-Length: 100000\r\n\r\n")
    while not closing.wait(0.1):
        peer.sendall(b"[")


def slow_headers(peer: socket.socket, closing: threading.Event) -> None:
    """Send one header after the other."""
    peer.sendall(OK)
    while not closing.wait(0.1):
        peer.sendall(b"X-More: 1\r\n")


def continues(peer: socket.socket, closing: threading.Event) -> None:
    """Say that it will go on, again and again."""
    while not closing.wait(0.02):
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def negative_length(peer: socket.socket, _: threading.Event) -> None:
    """Announce less than nothing."""
    peer.sendall(OK + JSON + b"Content-Length: -5\r\n\r\n[")


def many_headers(peer: socket.socket, _: threading.Event) -> None:
    """Send twenty thousand headers."""
    peer.sendall(OK + b"X-Header: 1\r\n" * 20_000 + b"Content-Length: 2\r\n\r\n{}")


HOSTILE: tuple[Play, ...] = (
    endless_body,
    bomb,
    slow_body,
    slow_headers,
    continues,
    negative_length,
    many_headers,
)


@contextlib.contextmanager
def playing(play: Play) -> Iterator[str]:
    """Serve one play to each connection; give the host and port."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, play, closing), daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        closing.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, play: Play, closing: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not closing.is_set():
            peer, _ = server.accept()
            threading.Thread(target=_serve, args=(peer, play, closing), daemon=True).start()


def _serve(peer: socket.socket, play: Play, closing: threading.Event) -> None:
    with contextlib.suppress(OSError), peer:
        peer.recv(65536)
        play(peer, closing)
