"""Check the token and the account of every request, or the host of a web page, and normalise the path."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_dbt_rerun.local.account import LocalAccount
from airflow_dbt_rerun.local.server.envelope import INVALID_TOKEN, NOT_FOUND, WRONG_ACCOUNT, error_response

_PROTECTED = ("/api/", "/_control/")
_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost\.?|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_ELSEWHERE = "The Host header names another machine than this one."
_LONGEST_PATH = 2_000
_ACCOUNT_IN_PATH = re.compile(r"/api/v\d+/accounts/([^/]+)")


class AuthMiddleware:
    """ASGI middleware. Paths with and without a trailing slash are equivalent; there is no redirect."""

    def __init__(self, app: ASGIApp, account: LocalAccount) -> None:
        self._app = app
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].rstrip("/") or "/"
        refusal = self._refusal(path, Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app({**scope, "path": path}, receive, send)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        is_odd = len(path) > _LONGEST_PATH or not path.isprintable()
        missing = error_response(404, NOT_FOUND) if is_odd else None
        if not path.startswith(_PROTECTED):
            return missing if _is_addressed_here(headers) else error_response(403, _ELSEWHERE)
        kind, _, token = headers.get("authorization", "").partition(" ")
        # Bytes, since compare_digest does not compare texts with characters beyond ASCII, which a header can hold.
        is_valid = secrets.compare_digest(token.strip().encode(), self._account.token.encode())
        if kind not in ("Token", "Bearer") or not is_valid:
            return error_response(401, INVALID_TOKEN)
        named = _ACCOUNT_IN_PATH.match(path)
        if named and named[1] != str(self._account.id):
            return error_response(403, WRONG_ACCOUNT)
        return missing


def _is_addressed_here(headers: Headers) -> bool:
    """Return whether a browser sent the request to this machine by name.

    The web pages need no token. A web site could let its own name point to 127.0.0.1 and read them as its own (DNS
    rebinding); the browser then sends that name.
    """
    return _LOOPBACK.fullmatch(headers.get("host", "")) is not None
