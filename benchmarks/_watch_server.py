"""A dbt platform that does one thing: say over TLS, quickly and for many, whether a run is over.

A process of its own. Runs are as large as recorded ones; what travels is counted on the wire, handshakes included.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import ssl
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

ACCOUNT = 70403103922125
FIRST_RUN = 70403110300000

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "api" / "01_runs_list.json"
GOLDEN = (math.sqrt(5) - 1) / 2
BACKLOG = 4096
LONG_AGO = 1_700_000_000.0
OTHERS = 100
"""Runs of the account that nobody watches: newer, and over."""

SUCCESS, RUNNING = 10, 3


def end_of(number: int, seconds: float) -> float:
    """Give the seconds after the start at which a run ends: spread evenly, and neighbours far apart."""
    return (0.5 + number * GOLDEN) % 1 * seconds


@dataclass
class Traffic:
    """What reached the server, and what left it."""

    requests: int = 0
    connections: int = 0
    bytes: int = 0


@dataclass
class Platform:
    """Runs that end within so many seconds after the beginning; before it, they are all over.

    :param knows_pk_in: whether ``pk__in`` is a filter here, or ignored as any unknown one.
    :param latency: seconds from a request to its answer.
    """

    count: int
    seconds: float
    knows_pk_in: bool = True
    latency: float = 0.0
    began: float = -math.inf

    def __post_init__(self) -> None:
        """Write both kinds of run once."""
        self.traffic = Traffic()
        self._going, self._over = as_bytes(run(is_over=False)), as_bytes(run(is_over=True))

    def begin(self) -> float:
        """Let the runs start now, and count from here on."""
        self.began, self.traffic = time.time(), Traffic()
        return self.began

    def answer(self, path: str) -> bytes:
        """Give the body of an answer to a GET."""
        self.traffic.requests += 1
        now = time.time()
        where = urlsplit(path)
        last = where.path.rstrip("/").rpartition("/")[2]
        if last != "runs":
            return envelope(self._run(int(last), now), 1)
        chosen, page = self._list({name: value[-1] for name, value in parse_qs(where.query).items()}, now)
        return envelope(b"[" + b", ".join(self._run(run_id, now) for run_id in page) + b"]", len(chosen))

    def _list(self, query: dict[str, str], now: float) -> tuple[Sequence[int], Sequence[int]]:
        chosen = self._chosen(query, now)
        offset = int(query.get("offset", 0))
        return chosen, chosen[offset : offset + int(query.get("limit", 100))]

    def _chosen(self, query: dict[str, str], now: float) -> Sequence[int]:
        """Return the ids of the runs that pass the filters."""
        chosen: Sequence[int] = range(FIRST_RUN + self.count + OTHERS - 1, FIRST_RUN - 1, -1)
        if "pk__in" in query and self.knows_pk_in:
            chosen = json.loads(query["pk__in"])
        if "id__gt" in query:
            chosen = [run_id for run_id in chosen if run_id > int(query["id__gt"])]
        if "status__in" in query:
            of_those_over = SUCCESS in json.loads(query["status__in"])
            chosen = [run_id for run_id in chosen if (now >= self._end(run_id)) is of_those_over]
        if "finished_at__range" in query:
            first, last = (
                datetime.fromisoformat(text).timestamp() for text in json.loads(query["finished_at__range"])
            )
            chosen = [run_id for run_id in chosen if first <= self._end(run_id) <= min(last, now)]
        if query.get("order_by", "").endswith("finished_at"):
            chosen = sorted(chosen, key=self._end, reverse=query["order_by"].startswith("-"))
        return chosen

    def _end(self, run_id: int) -> float:
        number = run_id - FIRST_RUN
        return self.began + end_of(number, self.seconds) if number < self.count else LONG_AGO

    def _run(self, run_id: int, now: float) -> bytes:
        end = self._end(run_id)
        if now < end:
            return self._going.replace(b"#id#", str(run_id).encode())
        ended = datetime.fromtimestamp(max(end, LONG_AGO), UTC).isoformat(sep=" ", timespec="microseconds")
        return self._over.replace(b"#id#", str(run_id).encode()).replace(b"#end#", ended.encode())


def run(*, is_over: bool) -> dict[str, Any]:
    """Give a run as the platform sends it: a recorded one, with what a newer platform has besides."""
    recorded: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))["data"][0]
    ends = {"finished_at": "#end#"} if is_over else dict.fromkeys(("finished_at", "finished_at_humanized"))
    return {
        **recorded,
        **ends,
        "id": "#id#",
        "status": SUCCESS if is_over else RUNNING,
        "status_humanized": "Success" if is_over else "Running",
        "status_message": None,
        "in_progress": not is_over,
        "is_complete": is_over,
        "is_success": is_over,
        "is_cancelled": False,
        "href": recorded["href"].replace(str(recorded["id"]), "#id#"),
        "trigger": {
            "id": recorded["trigger_id"],
            "cause": "Triggered via Apache Airflow by task 'nightly' in the shop DAG.",
            "cause_category": "api",
            "job_definition_id": recorded["job_definition_id"],
            "created_at": recorded["created_at"],
            **dict.fromkeys(("git_branch", "git_sha", "schema_override", "steps_override", "threads_override")),
        },
    }


def as_bytes(shape: dict[str, Any]) -> bytes:
    """Write a run, with a place for its id."""
    return json.dumps(shape).replace('"#id#"', "#id#").encode()


def envelope(data: bytes, total: int) -> bytes:
    """Wrap data as all answers are."""
    status = b'{"status": {"code": 200, "is_success": true, "user_message": "Success!", "developer_message": ""}'
    return b'%b, "data": %b, "extra": {"pagination": {"total_count": %d}}}' % (status, data, total)


class Connection(asyncio.Protocol):
    """One connection. TLS is spoken in memory: so its bytes can be counted, and it is cheap."""

    def __init__(self, platform: Platform, tls: ssl.SSLContext) -> None:
        self._platform = platform
        self._traffic = platform.traffic
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._arrived, self._leaving, server_side=True)
        self._is_secure = False
        self._text = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport = cast("asyncio.Transport", transport)
        self._traffic.connections += 1

    def data_received(self, data: bytes) -> None:
        """Go on as far as that gets."""
        self._traffic.bytes += len(data)
        self._arrived.write(data)
        try:
            self._go_on()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # it was closed, or it does not trust us
            self._transport.close()
        self._send()

    def _go_on(self) -> None:
        if not self._is_secure:
            self._tls.do_handshake()
            self._is_secure = True
        while chunk := self._tls.read(65536):
            self._text += chunk
            while b"\r\n\r\n" in self._text:
                head, _, self._text = self._text.partition(b"\r\n\r\n")
                body = self._answer(head.split(b" ", 2)[1].decode())
                if self._platform.latency:
                    asyncio.get_running_loop().call_later(self._platform.latency, self._write, body)
                else:
                    self._write(body)

    def _write(self, body: bytes) -> None:
        fields = b"Content-Type: application/json\r\nContent-Length: %d" % len(body)
        self._tls.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (fields, body))
        self._send()

    def _answer(self, path: str) -> bytes:
        if path == "/begin":
            self._traffic = Traffic()  # what is said about the measurement is no part of it
            return json.dumps(self._platform.begin()).encode()
        if path == "/traffic":
            return json.dumps(asdict(self._platform.traffic)).encode()
        return self._platform.answer(path)

    def _send(self) -> None:
        if data := self._leaving.read():
            self._traffic.bytes += len(data)
            self._transport.write(data)


async def serve(platform: Platform, cert: str, key: str) -> None:
    """Serve until killed; the first line of the output is the port."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(platform, tls), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cert")
    parser.add_argument("key")
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--ignores-pk-in", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0)
    given = parser.parse_args()
    platform = Platform(given.count, given.seconds, knows_pk_in=not given.ignores_pk_in, latency=given.latency)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(platform, given.cert, given.key))


if __name__ == "__main__":
    main()
