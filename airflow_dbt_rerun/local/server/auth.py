"""What every request passes first: one spelling of paths, and who may ask for what."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_dbt_rerun.local.account import Account
from airflow_dbt_rerun.local.server.envelope import INVALID_TOKEN, WRONG_ACCOUNT, failure

_GUARDED = ("/api/", "/_control/")
_ACCOUNT_IN_PATH = re.compile(r"/api/v\d+/accounts/([^/]+)")


class Gate:
    """ASGI middleware. Paths with and without a slash at the end are the same, with no redirect in between."""

    def __init__(self, app: ASGIApp, account: Account) -> None:
        self._app = app
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
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
        if not path.startswith(_GUARDED):
            return None
        kind, _, token = authorization.partition(" ")
        # Bytes, since a header may hold characters that compare_digest refuses to compare as text.
        same = secrets.compare_digest(token.strip().encode(), self._account.token.encode())
        if kind not in ("Token", "Bearer") or not same:
            return failure(401, INVALID_TOKEN)
        named = _ACCOUNT_IN_PATH.match(path)
        if named and named[1] != str(self._account.id):
            return failure(403, WRONG_ACCOUNT)
        return None
