"""Verify and parse dbt's webhooks in your own HTTP endpoint. Needs neither Airflow nor a web framework.

::

    event = receive(body, headers.get("Authorization"), secret)   # the raw, unparsed body
    if inbox.accepts(event):
        act(event.payload)

dbt sends ``job.run.started``, ``job.run.errored`` (at once; artifacts may come later) and ``job.run.completed``
(for any end). With a subscription to the last two, one failed run causes both, and dbt may repeat each delivery up
to five times. ``accepts`` returns True once for each end of a run. The payload is that of
:class:`~airflow_dbt_rerun.triggers.DbtCloudJobRunEventTrigger`, so one DAG can serve both.

::

    ValueError
    └── WebhookError
        ├── WebhookSignatureError     not from dbt, or signed with another secret: answer 401
        ├── WebhookBodyError          signed, but not as dbt documents: answer 400
        └── WebhookTooOldError        signed long ago, perhaps recorded and sent again: answer 400
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES
from airflow_dbt_rerun.core.dbt.webhook_fields import Fields
from airflow_dbt_rerun.core.watch.ended_runs import run_payload

STARTED = "job.run.started"
ERRORED = "job.run.errored"
COMPLETED = "job.run.completed"
ENDS = frozenset({ERRORED, COMPLETED})
"""The types of events that report a run's end."""


class WebhookError(ValueError):
    """A request is not a webhook of dbt. The message quotes nothing of its body."""


class WebhookSignatureError(WebhookError):
    """The signature is missing or does not match this body and secret."""


class WebhookTooOldError(WebhookError):
    """The event is signed, but older than the endpoint accepts."""


class WebhookBodyError(WebhookError):
    """The body is not what dbt documents. The message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """The content of one webhook.

    ``status`` is dbt's number (3, 10, 20 or 30), ``finished_at`` the time of the end or of the error. Timestamps
    are dbt's own text.
    """

    event_id: str
    event_type: str
    account_id: int
    job_id: int
    run_id: int
    status: int
    timestamp: str
    job_name: str | None = None
    status_message: str | None = None
    reason: str | None = None
    project_id: int | None = None
    project_name: str | None = None
    environment_id: int | None = None
    environment_name: str | None = None
    dbt_version: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    webhook_id: str | None = None
    webhook_name: str | None = None

    @property
    def is_end(self) -> bool:
        """Whether the event reports a run's end."""
        return self.event_type in ENDS and self.status in TERMINAL_STATUSES

    @property
    def payload(self) -> dict[str, Any]:
        """The payload of an asset event of this run. A webhook has neither category nor url, so these are None."""
        return run_payload(
            run_id=self.run_id,
            job_id=self.job_id,
            job_name=self.job_name,
            status=self.status,
            finished_at=self.finished_at,
        )


def receive(
    body: bytes, authorization: str | bytes | None, secret: str, *, not_older_than: float | None = None
) -> WebhookEvent:
    """Verify a request, then parse it. How large a body may be is up to the web framework.

    :param body: the raw request body.
    :param authorization: the ``Authorization`` header.
    :param secret: the webhook's secret, which dbt shows once, when the webhook is created.
    :param not_older_than: seconds; an event whose signed ``timestamp`` is further from now is refused, so that a
        recorded request cannot be sent again after :class:`RecentlySeen` has forgotten it. dbt repeats a delivery
        up to five times with the same timestamp, so allow an hour at least.
    :raises WebhookSignatureError: if it was not signed with this secret.
    :raises WebhookBodyError: if it was, but does not have the documented fields.
    :raises WebhookTooOldError: if it is older than that.
    """
    verify(body, authorization, secret)
    event = parse(body)
    if not_older_than is not None:
        _check_age(event, not_older_than)
    return event


def verify(body: bytes, authorization: str | bytes | None, secret: str) -> None:
    """Check that dbt signed this body: HMAC-SHA256 of it, as hex, in the ``Authorization`` header.

    Compares in constant time. A repeated body has a valid signature, too: see :class:`Inbox` and ``not_older_than``
    of :func:`receive`.

    :raises WebhookSignatureError: if the signature is missing or wrong.
    :raises ValueError: if the secret is blank, since anyone could then sign.
    :raises TypeError: if an argument has another type than here.
    """
    if not isinstance(secret, str | None) or not isinstance(body, bytes | bytearray):
        raise TypeError("a webhook is verified by its raw body as bytes and the secret as text")
    if not isinstance(authorization, str | bytes | None):
        raise TypeError(f"authorization takes the text of one header, not {type(authorization).__name__}")
    if not secret or not secret.strip():
        raise ValueError("a webhook's secret must not be blank")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    text = authorization.decode("latin-1") if isinstance(authorization, bytes) else authorization
    given = (text or "").strip().lower()
    if not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
        raise WebhookSignatureError(
            "the Authorization header is missing" if not given else "the signature is wrong"
        )


def _check_age(event: WebhookEvent, limit: float) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < math.inf:
        raise ValueError(f"not_older_than takes a number of seconds above zero, not {limit!r}")
    sent_at = epoch(event.timestamp)
    if sent_at is None or abs(time.time() - sent_at) > limit:
        raise WebhookTooOldError(f"timestamp is more than {limit:g} s from now")


def parse(body: bytes) -> WebhookEvent:
    """Parse a verified body. Unknown fields and event types are accepted.

    :raises WebhookBodyError: if it does not have the documented fields.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookBodyError("the body is not JSON") from None
    try:
        return _event(content)
    except ValueError as error:
        raise WebhookBodyError(str(error)) from None


def _event(content: Any) -> WebhookEvent:
    event = Fields(content, "the body")
    data = Fields(event.get("data"), "data")
    return WebhookEvent(
        event_id=event.text("eventId"),
        event_type=event.text("eventType"),
        account_id=event.id("accountId"),
        job_id=data.id("jobId"),
        run_id=data.id("runId"),
        status=data.number("runStatusCode"),
        timestamp=event.moment("timestamp"),
        job_name=data.text_or_none("jobName"),
        status_message=data.text_or_none("runStatusMessage"),
        reason=data.text_or_none("runReason"),
        project_id=data.number_or_none("projectId"),
        project_name=data.text_or_none("projectName"),
        environment_id=data.number_or_none("environmentId"),
        environment_name=data.text_or_none("environmentName"),
        dbt_version=data.text_or_none("dbtVersion"),
        started_at=data.moment_or_none("runStartedAt"),
        finished_at=data.moment_or_none("runFinishedAt") or data.moment_or_none("runErroredAt"),
        webhook_id=event.text_or_none("webhookId") or event.text_or_none("webhooksID"),  # both are on record
        webhook_name=event.text_or_none("webhookName"),
    )


class Seen(Protocol):
    """Remember keys. Several processes that serve one endpoint must share one, for example in a database."""

    def add(self, key: str) -> bool:
        """Add a key, atomically, and return whether it is new."""

    def discard(self, key: str) -> None:
        """Forget a key."""


class RecentlySeen:
    """Remember the most recent keys in this process. Thread-safe.

    :param most: how many keys to remember.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def add(self, key: str) -> bool:
        """Add a key and return whether it is new."""
        with self._lock:
            is_new = key not in self._keys
            self._keys[key] = None
            if len(self._keys) > self._most:
                self._keys.popitem(last=False)
            return is_new

    def discard(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._keys.pop(key, None)


class Inbox:
    """Decide which webhooks to act on: each event once, and each run's end once, whichever event comes first.

    The first is usually ``job.run.errored``, some seconds before ``job.run.completed``; a repeated delivery may
    reverse the order. Tasks of this package wait for late artifacts, so there is no need to wait here.

    :param seen: remembers accepted events. Defaults to the memory of this process.
    :raises TypeError: if it is a set, whose ``add`` does not return whether the key is new.
    """

    def __init__(self, seen: Seen | None = None) -> None:
        if isinstance(seen, set):
            raise TypeError(
                "seen takes an object whose add() returns whether a key is new; a set's returns nothing"
            )
        self._seen: Seen = RecentlySeen() if seen is None else seen

    def accepts(self, event: WebhookEvent) -> bool:
        """Return whether to act on an event, and remember it as accepted."""
        is_new = self._seen.add(_event_key(event))
        return is_new and (not event.is_end or self._seen.add(_end_key(event)))

    def put_back(self, event: WebhookEvent) -> None:
        """Forget an accepted event after a failure, so that its next delivery or its pair is accepted."""
        self._seen.discard(_event_key(event))
        if event.is_end:
            self._seen.discard(_end_key(event))


def _event_key(event: WebhookEvent) -> str:
    return f"event {event.account_id}/{event.event_id}"


def _end_key(event: WebhookEvent) -> str:
    return f"end {event.account_id}/{event.run_id}"
