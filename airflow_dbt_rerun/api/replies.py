"""Turn the outcome of one request into a value, or an error of :mod:`airflow_dbt_rerun.exceptions`.

These functions are pure: both clients turn the results of their libraries into a :class:`Reply` or a
:class:`Failure`. Each branch decides whether the request may have been carried out. For a POST that is often
unknown; the error is then :class:`~airflow_dbt_rerun.exceptions.DbtAnswerLostError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.core.dbt.fields import FieldError, one_line
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import (
    DbtAnswerLostError,
    DbtApiError,
    DbtBadAnswerError,
    DbtForbiddenError,
    DbtNotFoundError,
    DbtRefusedError,
    DbtServerError,
    DbtThrottledError,
    DbtUnauthorizedError,
    DbtUnreachableError,
)

T = TypeVar("T")

TIMEOUT_STATUS = 408
THROTTLED_STATUS = 429
_MESSAGE_LENGTH = 300

LONGEST_RETRY_AFTER = 900.0
"""Most seconds that a server can make this package wait; dbt's own cooldown is five minutes."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""All that a body can make its parser raise: JSON 100,000 levels deep is a ``RecursionError``."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. Header names are lower case; headers and body are not in the repr."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    received: datetime = field(default_factory=lambda: datetime.now(UTC), repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether the platform reports success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    @property
    def is_server_failure(self) -> bool:
        """Whether a server or gateway failed, so that the request may or may not have been carried out."""
        return self.status >= 500 or self.status == TIMEOUT_STATUS  # noqa: PLR2004 - as above

    @property
    def is_throttled(self) -> bool:
        """Whether the platform asks for fewer requests."""
        return self.status == THROTTLED_STATUS

    @property
    def is_html(self) -> bool:
        """Whether the body is a web page instead of JSON."""
        return self.body.lstrip()[:1] == b"<"

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait by ``Retry-After``, at most 15 minutes; None if it is missing or malformed."""
        seconds = self._seconds_asked_for()
        return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)

    def _seconds_asked_for(self) -> float | None:
        """Read ``Retry-After``: a number or a date."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
            return (moment.replace(tzinfo=moment.tzinfo or UTC) - self.received).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came.

    :param reason: what went wrong, without secrets.
    :param sent: whether the request may have reached the platform.
    :param hopeless: whether trying again is useless, as with an untrusted certificate.
    :param unreadable: whether an answer came that cannot be read.
    """

    reason: str
    sent: bool
    hopeless: bool = False
    unreadable: bool = False


RequestOutcome = Reply | Failure


def read(
    endpoint: Endpoint[T],
    outcome: RequestOutcome,
    *,
    host: str,
    account_id: int | None = None,
    tries: int = 1,
    mask: Callable[[str], str] = lambda text: text,
) -> T:
    """Return the endpoint's value from an outcome.

    :param account_id: the account that was asked, if that matters; a run of another one is no answer.
    :param mask: takes secrets out of the platform's words.
    :raises DbtApiError: the subclass for the failure; see :mod:`airflow_dbt_rerun.exceptions`.
    """
    if isinstance(outcome, Failure):
        raise _no_answer(endpoint, outcome, host, tries)
    if not outcome.is_ok:
        raise _not_ok(endpoint, outcome, host, tries, mask)
    try:
        return _of_account(account_id, endpoint.parse(outcome.body))
    except UNREADABLE as error:
        problem = _problem(outcome, error)
    # Raised outside the except block: a decoder's error holds the whole body and must not be chained to ours.
    raise _unreadable(endpoint, outcome, host, problem)


def _of_account(account_id: int | None, found: T) -> T:
    """Check that an answer is one of the account that was asked.

    :raises FieldError: if it names a run of another account.
    """
    for each in found if isinstance(found, Page) else (found,):
        if account_id is not None and isinstance(each, Run) and each.account_id not in (None, account_id):
            raise FieldError("'account_id' is that of another account")
    return found


def _no_answer(endpoint: Endpoint[Any], failure: Failure, host: str, tries: int) -> DbtApiError:
    if failure.sent and not endpoint.is_repeatable:
        return _lost(endpoint, f"no answer from {host} ({failure.reason})")
    if failure.unreadable:
        return DbtBadAnswerError(f"{endpoint}: {host} sent {failure.reason}", endpoint=str(endpoint))
    return DbtUnreachableError(
        f"{endpoint}: {host} cannot be reached: {failure.reason}{_after(tries)}", endpoint=str(endpoint)
    )


def _not_ok(
    endpoint: Endpoint[Any], reply: Reply, host: str, tries: int, mask: Callable[[str], str]
) -> DbtApiError:
    said = mask(user_message(reply) or "") or None
    if reply.is_server_failure and not endpoint.is_repeatable:
        return _lost(endpoint, f"HTTP {reply.status} from {host}", status_code=reply.status, user_message=said)
    what = f"{endpoint}: {host} answered {reply.status}{_after(tries)}"
    details: dict[str, Any] = {"endpoint": str(endpoint), "status_code": reply.status, "user_message": said}
    quoted = f": {said}" if said else ": an HTML page, so this is not the API" if reply.is_html else ""
    match reply.status:
        case 401:
            return DbtUnauthorizedError(f"{what}{quoted} {_WRONG_TOKEN}", **details)
        case 403:
            return DbtForbiddenError(f"{what}{quoted} {_WRONG_ACCOUNT}", **details)
        case 404:
            return DbtNotFoundError(f"{what}{quoted} {_what_to_check(endpoint, reply)}", **details)
        case 429:
            return DbtThrottledError(f"{what}{quoted}: too many requests", retry_after=reply.retry_after, **details)
    if reply.is_server_failure:
        return DbtServerError(f"{what}{quoted}", **details)
    if reply.status < 200:  # noqa: PLR2004 - HTTP's own numbers
        return DbtBadAnswerError(f"{what}: {_INTERIM}", **details)
    if reply.status < 400:  # noqa: PLR2004 - HTTP's own numbers
        return DbtBadAnswerError(f"{what}: {_ELSEWHERE}", **details)
    if not endpoint.is_repeatable:
        return DbtRefusedError(f"{endpoint}: refused by {host} ({reply.status}){quoted}", **details)
    return DbtApiError(f"{what}{quoted}", **details)


_WRONG_TOKEN = (
    "(a host of another region or account refuses valid tokens, too: compare the connection's host with "  # noqa: S105
    "the access URL in dbt's account settings, then check the token)"
)
_WRONG_ACCOUNT = "(the token is known; check the account id, then the token's permissions)"
_NOT_THERE = "(it does not exist, was deleted, or the token may not see it)"
_NO_ACCOUNT = "(the account does not exist here, or the token may not see it: check the account id, then the host)"
_NOT_DBT = "(compare the connection's host with the access URL in dbt's account settings)"
_INTERIM = "an interim answer, and no final one: look at the proxies between Airflow and dbt"
_ELSEWHERE = "a redirect, so this host is not the API: compare it with the access URL in dbt's account settings"


def _what_to_check(endpoint: Endpoint[Any], reply: Reply) -> str:
    """Say what a 404 calls for: a list is not missing, unless its account is."""
    if reply.is_html:
        return _NOT_DBT
    return _NOT_THERE if any(part.isdigit() for part in endpoint.path.split("/")) else _NO_ACCOUNT


def _unreadable(endpoint: Endpoint[Any], reply: Reply, host: str, problem: str) -> DbtApiError:
    message = f"{host} answered {reply.status} with {problem}"
    if not endpoint.is_repeatable:
        return _lost(endpoint, message, status_code=reply.status)
    return DbtBadAnswerError(f"{endpoint}: {message}", endpoint=str(endpoint), status_code=reply.status)


def _lost(endpoint: Endpoint[Any], what: str, **details: Any) -> DbtAnswerLostError:
    return DbtAnswerLostError(
        f"{endpoint}: {what}: the request may or may not have been carried out, so it is not sent again",
        endpoint=str(endpoint),
        **details,
    )


def _after(tries: int) -> str:
    return f" ({tries} tries)" if tries > 1 else ""


def _problem(reply: Reply, error: Exception) -> str:
    if reply.is_html:
        return "an HTML page: check that the connection's host is dbt's access URL"
    if not reply.body.strip():
        return "an empty body"
    if isinstance(error, KeyError):
        return f"an object without {error.args[0]!r}"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "malformed JSON"
    # Only our own message: that of another parser may quote what the answer holds.
    return f"an undocumented structure ({error if isinstance(error, FieldError) else type(error).__name__})"


def user_message(reply: Reply) -> str | None:
    """Return the platform's words about an error: ``status.user_message`` or ``developer_message``."""
    try:
        status = json.loads(reply.body)["status"]
        said = status.get("user_message") or status.get("developer_message")
    except UNREADABLE:
        return None
    return _shortened(str(said)) if said else None


def _shortened(text: str) -> str:
    line = " ".join(one_line(text).split())
    return line if len(line) <= _MESSAGE_LENGTH else f"{line[:_MESSAGE_LENGTH]}..."
