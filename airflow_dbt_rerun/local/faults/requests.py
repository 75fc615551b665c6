"""Faults on demand: what networks and servers do to clients, when a test asks for it.

``/_control/`` (only where faults are allowed; needs the token):

- ``POST faults`` adds a fault, ``GET faults`` lists those with something left to do, ``DELETE faults`` forgets them
- ``GET requests`` lists the requests so far in order of arrival, ``DELETE requests`` forgets them; those over
  one connection have the same ``client``
- ``GET behaviour`` and ``POST behaviour``: see :mod:`.behaviour`
- ``jobs``, ``runs`` and ``account``: see :mod:`.mishaps`

A fault is a JSON object: ``kind`` (below), ``count`` (how many requests it meets; 1 if left out, -1 for ever),
``method`` and ``path`` (a regular expression searched in the path; all if left out), and by kind:

- ``status``: answer ``status`` without doing anything; with ``retry_after`` in seconds if given
- ``latency``: wait ``seconds`` first
- ``drop``: close the connection without doing anything
- ``lost``: do what was asked and close the connection without an answer; with ``status``, answer that (504) instead
- ``html``: do it, and answer 200 with a web page
- ``malformed``: do it, and answer with the first half of the JSON
- ``no_logs``: do it, and answer with empty step logs
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.server.envelope import Refusal, as_json, failure
from airflow_dbt_rerun.local.server.request_bodies import read_object

CONTROL = "/_control"
KINDS = ("status", "latency", "drop", "lost", "html", "malformed", "no_logs")

_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"
_MOST_REQUESTS = 100_000


@dataclass(slots=True)
class Fault:
    """One fault and how many requests it still has to meet; -1 is for ever."""

    kind: str
    count: int = 1
    method: str = ""
    path: str = ""
    status: int = 0
    retry_after: int | None = None
    seconds: float = 0.0

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Fault:
        """Read a request for a fault.

        :raises ValueError: if it has no meaning
        """
        if given.get("kind") not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {given.get('kind')!r}")
        try:
            re.compile(given.get("path", ""))
            return cls(**given)
        except (TypeError, re.error) as error:
            raise ValueError(str(error)) from error

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is one of those to meet; counts it if so."""
        if self.count == 0 or self.method not in ("", method) or not re.search(self.path, path):
            return False
        self.count -= 1 if self.count > 0 else 0
        return True


class Faults:
    """The faults that wait for requests, and the requests so far."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.requests: deque[dict[str, str]] = deque(maxlen=_MOST_REQUESTS)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application with faults before and behind it; control requests meet none."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"].startswith(CONTROL):
                await app(scope, receive, send)
                return
            method, path = scope["method"], scope["path"]
            self.requests.append(_seen(scope))
            fault = next((fault for fault in self.waiting if fault.meets(method, path)), None)
            if fault is None:
                await app(scope, receive, send)
            else:
                await _misbehave(fault, app, scope, receive, send)

        return faulty


def control_routes(platform: Platform, faults: Faults) -> list[Route]:
    """Return the routes of the control path."""

    async def control_faults(request: Request) -> Response:
        if request.method == "POST":
            with_meaning = await _read(request, Fault.from_json)
            faults.waiting.append(with_meaning)
        elif request.method == "DELETE":
            faults.waiting.clear()
        return as_json([asdict(fault) for fault in faults.waiting if fault.count])

    async def control_requests(request: Request) -> Response:
        if request.method == "DELETE":
            faults.requests.clear()
        return as_json(list(faults.requests))

    async def control_behaviour(request: Request) -> Response:
        if request.method == "POST":
            platform.behaviour = await _read(request, platform.behaviour.changed)
        return as_json(asdict(platform.behaviour))

    return [
        Route(f"{CONTROL}/faults", control_faults, methods=["GET", "POST", "DELETE"]),
        Route(f"{CONTROL}/requests", control_requests, methods=["GET", "DELETE"]),
        Route(f"{CONTROL}/behaviour", control_behaviour, methods=["GET", "POST"]),
    ]


async def _read(request: Request, meaning: Any) -> Any:
    try:
        return meaning(await read_object(request))
    except ValueError as error:
        raise Refusal(400, str(error)) from error


async def _misbehave(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.kind == "latency":
        await asyncio.sleep(fault.seconds)
        await app(scope, receive, send)
    elif fault.kind == "drop":
        await _drop(receive, send)
    elif fault.kind == "status":
        await _status(fault)(scope, receive, send)
    else:
        answer = await _answer_of(app, scope, receive)
        if fault.kind == "lost" and not fault.status:
            await _drop(receive, send)
        else:
            await _spoilt(fault, answer)(scope, receive, send)


def _seen(scope: Scope) -> dict[str, str]:
    return {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "client": ":".join(map(str, scope["client"] or ())),
    }


def _status(fault: Fault) -> Response:
    response = failure(fault.status, "Injected fault.")
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _spoilt(fault: Fault, answer: bytes) -> Response:
    if fault.kind == "lost":
        return HTMLResponse("<html><body>Gateway Time-out</body></html>", fault.status)
    if fault.kind == "html":
        return HTMLResponse(_PAGE)
    if fault.kind == "malformed":
        return Response(answer[: len(answer) // 2], media_type="application/json")
    return as_json(_without_logs(json.loads(answer)))


def _without_logs(value: Any) -> Any:
    """Empty every log, however deep."""
    if isinstance(value, list):
        return [_without_logs(part) for part in value]
    if isinstance(value, dict):
        return {name: "" if name.endswith("logs") else _without_logs(part) for name, part in value.items()}
    return value


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> bytes:
    """Let the application do its work and keep the body of its answer."""
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    return b"".join(parts)


async def _drop(receive: Receive, send: Send) -> None:
    """Close the connection as a dying server does: without a byte. ASGI has no word for that, uvicorn has."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass
