"""Faults on demand: what networks and servers do to clients, when a test asks for it.

``/_control/`` (served only with ``--faults``; needs the token):

- ``POST faults`` adds a fault, ``GET faults`` lists those that are not used up, ``DELETE faults`` removes them all
- ``GET requests`` lists the requests so far in order of arrival, ``DELETE requests`` clears the list; requests over
  the same connection have the same ``client``
- ``GET behaviour`` and ``POST behaviour``: see :mod:`.behaviour`
- ``jobs``, ``runs`` and ``account``: see :mod:`.incidents`

A fault is a JSON object: ``kind`` (below), ``count`` (the number of requests it applies to; default 1, -1 for no
limit), ``method`` and ``path`` (a regular expression that is searched in the path; default: any), and by kind:

- ``status``: answer ``status`` without doing anything, with ``retry_after`` in seconds if given
- ``latency``: wait for ``seconds``, then carry out the request
- ``drop``: close the connection without doing anything
- ``lost``: carry out the request and close the connection without an answer, or answer ``status`` (504) if given
- ``html``: carry out the request and answer 200 with a web page
- ``malformed``: carry out the request and answer with the first half of the JSON
- ``no_logs``: carry out the request and answer with empty step logs
- ``mixed_up``: answer a GET with what an earlier GET of the same kind would be answered, for example about another
  run, as a faulty cache does; without such a GET it is answered as usual
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_dbt_rerun.core.regexes import check_pattern
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.server.envelope import Refusal, as_json, error_response
from airflow_dbt_rerun.local.server.request_bodies import read_object
from airflow_dbt_rerun.local.server.values import Check, typed, whole_number

T = TypeVar("T")

CONTROL = "/_control"
KINDS = ("status", "latency", "drop", "lost", "html", "malformed", "no_logs", "mixed_up")

_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"
_MOST_SECONDS = 86_400
_MAX_REQUESTS = 100_000
_NUMBER = re.compile(r"\d+")


def _path(value: Any) -> str | None:
    """Check a pattern: each request is compared with it, and one that never ends would stop the platform."""
    if not isinstance(value, str):
        return "must be a regular expression"
    try:
        check_pattern(value)
    except ValueError as error:
        return str(error)
    return None


def _seconds(value: Any) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if is_number and 0 <= value <= _MOST_SECONDS else f"must be from 0 to {_MOST_SECONDS} seconds"


_FIELDS: Mapping[str, Check] = {
    "count": whole_number(-1),
    "method": typed(str),
    "path": _path,
    "status": lambda value: None if value == 0 else whole_number(200, 599)(value),
    "retry_after": whole_number(0),
    "seconds": _seconds,
}


@dataclass(slots=True)
class Fault:
    """A fault and the number of requests that it still applies to; -1 for no limit."""

    kind: str
    count: int = 1
    method: str = ""
    path: str = ""
    status: int = 0
    retry_after: int | None = None
    seconds: float = 0.0

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Fault:
        """Read the JSON object that describes a fault.

        :raises ValueError: if the description is not valid
        """
        if given.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {given.get('kind')!r}")
        try:
            fault = cls(**given)
        except TypeError as error:
            raise ValueError(str(error)) from error
        for name, check in _FIELDS.items():
            if getattr(fault, name) is not None and (problem := check(getattr(fault, name))):
                raise ValueError(f"{name}: {problem}")
        return fault

    def applies_to(self, method: str, path: str) -> bool:
        """Return whether the fault applies to a request, and count the request if so."""
        if self.count == 0 or self.method not in ("", method) or not re.search(self.path, path):
            return False
        self.count -= 1 if self.count > 0 else 0
        return True


class Faults:
    """The faults that have been added, and the requests received so far."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.requests: deque[dict[str, str]] = deque(maxlen=_MAX_REQUESTS)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the application with faults injected; requests to the control path are exempt."""

        async def with_faults(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"].startswith(CONTROL):
                await app(scope, receive, send)
                return
            method, path = scope["method"], scope["path"]
            self.requests.append(_recorded(scope))
            fault = next((fault for fault in self.active if fault.applies_to(method, path)), None)
            if fault is None:
                await app(scope, receive, send)
            elif fault.kind == "mixed_up":
                await app(self._mixed_up(scope), receive, send)
            else:
                await _apply(fault, app, scope, receive, send)

        return with_faults

    def _mixed_up(self, scope: Scope) -> Scope:
        """Return the newest earlier GET that differs from this one only in its numbers and its query."""
        this = self.requests[-1]
        for earlier in reversed(self.requests):
            if earlier["method"] == this["method"] == "GET" and _differs_in_numbers(earlier, this):
                path, query = earlier["path"], earlier["query"].encode()
                return {**scope, "path": path, "raw_path": path.encode(), "query_string": query}
        return scope


def control_routes(platform: Platform, faults: Faults) -> list[Route]:
    """Return the control routes for faults, requests and behaviour."""

    async def control_faults(request: Request) -> Response:
        if request.method == "POST":
            faults.active.append(await _read(request, Fault.from_json))
        elif request.method == "DELETE":
            faults.active.clear()
        return as_json([asdict(fault) for fault in faults.active if fault.count])

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


async def _read(request: Request, parse: Callable[[dict[str, Any]], T]) -> T:
    try:
        return parse(await read_object(request))
    except ValueError as error:
        raise Refusal(400, str(error)) from error


async def _apply(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
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
            await _altered(fault, answer)(scope, receive, send)


def _recorded(scope: Scope) -> dict[str, str]:
    return {
        "at": f"{time.time():.3f}",
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "client": ":".join(map(str, scope["client"] or ())),
    }


def _differs_in_numbers(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether two requests are of the same kind, but about different things."""
    same_kind = _NUMBER.sub("", one["path"]) == _NUMBER.sub("", other["path"])
    return same_kind and (one["path"], one["query"]) != (other["path"], other["query"])


def _status(fault: Fault) -> Response:
    response = error_response(fault.status, "Injected fault.")
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _altered(fault: Fault, answer: bytes) -> Response:
    if fault.kind == "lost":
        return HTMLResponse("<html><body>Gateway Time-out</body></html>", fault.status)
    if fault.kind == "html":
        return HTMLResponse(_PAGE)
    if fault.kind == "malformed":
        return Response(answer[: len(answer) // 2], media_type="application/json")
    return as_json(_without_logs(json.loads(answer)))


def _without_logs(value: Any) -> Any:
    """Replace every log with an empty text, at any depth."""
    if isinstance(value, list):
        return [_without_logs(part) for part in value]
    if isinstance(value, dict):
        return {name: "" if name.endswith("logs") else _without_logs(part) for name, part in value.items()}
    return value


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> bytes:
    """Let the application carry out the request, and return the body of its answer."""
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    return b"".join(parts)


async def _drop(receive: Receive, send: Send) -> None:
    """Close the connection without sending a byte, as a crashing server does. ASGI cannot do that, uvicorn can."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass
