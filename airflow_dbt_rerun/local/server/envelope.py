"""The envelope of every answer, and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

NOT_FOUND = "The requested resource was not found. Please check that you have the proper permissions."
INVALID_TOKEN = "Invalid token."  # noqa: S105 - a message
WRONG_ACCOUNT = "Access denied: Token is not scoped to account."

_SUCCESS = {"code": 200, "is_success": True, "user_message": "Success!", "developer_message": ""}


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """An answer other than 200.

    :param status: the HTTP status
    :param message: the message to the user
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def not_found() -> Refusal:
    """Return the refusal for an object or path that does not exist."""
    return Refusal(404, NOT_FOUND)


def as_json(content: Any, *, status: int = 200) -> Response:
    """Return JSON without the envelope."""
    return Response(json.dumps(content), status, media_type="application/json")


def success(data: Any, *, extra: Mapping[str, Any] | None = None) -> Response:
    """Return data in the envelope; lists add ``extra``."""
    envelope = {"status": _SUCCESS, "data": data}
    return as_json(envelope if extra is None else {**envelope, "extra": extra})


async def refusal_response(_: Request, error: Exception) -> Response:
    """Return a refusal in the envelope."""
    assert isinstance(error, Refusal)
    return error_response(error.status, error.message)


def error_response(code: int, message: str) -> Response:
    """Return the envelope of an error.

    As recorded, the developer message is empty in a 404 and null otherwise.
    """
    developer_message = "" if code == 404 else None  # noqa: PLR2004 - as recorded
    status = {"code": code, "is_success": False, "user_message": message, "developer_message": developer_message}
    return as_json({"status": status, "data": None}, status=code)
