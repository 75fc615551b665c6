"""Check the token and the account of every request, and normalise its path."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_dbt_rerun.local.account import LocalAccount
from airflow_dbt_rerun.local.server.envelope import INVALID_TOKEN, WRONG_ACCOUNT, error_response

_PROTECTED = ("/api/", "/_control/")
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
        refusal = self._refusal(path, Headers(scope=scope).get("authorization", ""))
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await self._app({**scope, "path": path}, receive, send)

    def _refusal(self, path: str, authorization: str) -> Response | None:
        if not path.startswith(_PROTECTED):
            return None
        kind, _, token = authorization.partition(" ")
        # Bytes, since compare_digest does not compare texts with characters beyond ASCII, which a header can hold.
        is_valid = secrets.compare_digest(token.strip().encode(), self._account.token.encode())
        if kind not in ("Token", "Bearer") or not is_valid:
            return error_response(401, INVALID_TOKEN)
        named = _ACCOUNT_IN_PATH.match(path)
        if named and named[1] != str(self._account.id):
            return error_response(403, WRONG_ACCOUNT)
        return None
