"""Read dbt's webhooks, for those who have an endpoint of their own. Needs no Airflow and no web framework.

::

    event = receive(body, headers.get("Authorization"), secret)   # the raw body, before anything parsed it
    if inbox.accepts(event):
        act(event.payload)

dbt sends ``job.run.started``, ``job.run.errored`` (at once; artifacts may come later) and ``job.run.completed``
(for any end). Who subscribes to the last two gets both for one failed run, and each delivery up to five times more.
``accepts`` says yes once for each end of a run. The payload is that of
:class:`~airflow_dbt_rerun.triggers.asset_events.DbtCloudJobRunEventTrigger`, so one DAG can serve both.

::

    ValueError
    └── WebhookError
        ├── WebhookSignatureError     not from dbt, or for another secret: answer 401
        └── WebhookBodyError          signed, but not what dbt documents: answer 400
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Protocol, TypeVar

from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, epoch
from airflow_dbt_rerun.core.watch.ended_runs import run_payload

T = TypeVar("T")

STARTED = "job.run.started"
ERRORED = "job.run.errored"
COMPLETED = "job.run.completed"
ENDS = frozenset({ERRORED, COMPLETED})
"""The types of events that tell of a run's end."""


class WebhookError(ValueError):
    """A request that is no webhook of dbt's. Nothing of its body is in the message."""


class WebhookSignatureError(WebhookError):
    """The signature is missing, or is not that of this body with this secret."""


class WebhookBodyError(WebhookError):
    """The body is not what dbt documents. The message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """What dbt says in one webhook.

    ``status`` is dbt's number (3, 10, 20 or 30), ``finished_at`` the moment of the end or of the error. Timestamps
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
        """Whether it tells of a run's end."""
        return self.event_type in ENDS and self.status in TERMINAL_STATUSES

    @property
    def payload(self) -> dict[str, Any]:
        """What an asset event of this run would carry. A webhook knows neither category nor url: they are None."""
        return run_payload(
            run_id=self.run_id,
            job_id=self.job_id,
            job_name=self.job_name,
            status=self.status,
            finished_at=self.finished_at,
        )


def receive(body: bytes, authorization: str | None, secret: str) -> WebhookEvent:
    """Verify a request, then read it.

    :param body: as it came, byte for byte.
    :param authorization: the header of this name.
    :param secret: the webhook's secret, which dbt shows once, when the webhook is made.
    :raises WebhookSignatureError: if it was not signed with this secret.
    :raises WebhookBodyError: if it was, and is not what dbt documents.
    """
    verify(body, authorization, secret)
    return parse(body)


def verify(body: bytes, authorization: str | None, secret: str) -> None:
    """Check that dbt signed this body: HMAC-SHA256 of it, as hex, in the ``Authorization`` header.

    Takes the same time for any wrong signature. A body that was sent before has a good signature, too: dbt signs no
    moment. See :class:`Inbox`.

    :raises WebhookSignatureError: if not.
    :raises ValueError: if there is no secret, with which anybody could sign.
    """
    if not secret:
        raise ValueError("a webhook's secret must not be empty")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = (authorization or "").strip().lower()
    if not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
        raise WebhookSignatureError(
            "the Authorization header is missing" if not given else "the signature is wrong"
        )


def parse(body: bytes) -> WebhookEvent:
    """Read a body that was verified. Unknown fields and types of events are taken as they come.

    :raises WebhookBodyError: if it is not what dbt documents.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise WebhookBodyError("the body is no JSON") from None
    event = _Fields(content, "the body")
    data = _Fields(event.get("data"), "data")
    return WebhookEvent(
        event_id=event.text("eventId"),
        event_type=event.text("eventType"),
        account_id=event.number("accountId"),
        job_id=data.number("jobId"),
        run_id=data.number("runId"),
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
    """Remembers keys. Several processes with one endpoint need one that they share, for example in a database."""

    def add(self, key: str) -> bool:
        """Take in a key, atomically; tell whether it is new."""

    def discard(self, key: str) -> None:
        """Forget a key."""


class RecentlySeen:
    """Remembers the last so many keys, in this process. Threads may share it.

    :param most: how many.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def add(self, key: str) -> bool:
        """Take in a key; tell whether it is new."""
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
    """Says which webhooks to act on: each event once, and each run's end once, by whichever event comes first.

    The first is usually ``job.run.errored``, some seconds ahead of ``job.run.completed``; a delivery that failed
    may turn that round. A task of this package waits for late artifacts, so there is nothing to wait for here.

    :param seen: what remembers; by default this process, while it lives.
    """

    def __init__(self, seen: Seen | None = None) -> None:
        self._seen: Seen = RecentlySeen() if seen is None else seen

    def accepts(self, event: WebhookEvent) -> bool:
        """Tell whether to act on an event, and remember that it was accepted."""
        is_new = self._seen.add(_event_key(event))
        return is_new and (not event.is_end or self._seen.add(_end_key(event)))

    def put_back(self, event: WebhookEvent) -> None:
        """Forget an accepted event that could not be acted on: dbt's next delivery, or the other of a pair, may."""
        self._seen.discard(_event_key(event))
        if event.is_end:
            self._seen.discard(_end_key(event))


def _event_key(event: WebhookEvent) -> str:
    return f"event {event.account_id}/{event.event_id}"


def _end_key(event: WebhookEvent) -> str:
    return f"end {event.account_id}/{event.run_id}"


class _Fields:
    """Fields of a JSON object, read strictly: dbt writes ids as text, and "None" for nothing."""

    def __init__(self, content: Any, name: str) -> None:
        if not isinstance(content, Mapping):
            raise WebhookBodyError(f"{name} is no JSON object")
        self._content = content

    def get(self, name: str) -> Any:
        value = self._content.get(name)
        return None if value in ("", "None") else value

    def text(self, name: str) -> str:
        return _there(name, self.text_or_none(name))

    def text_or_none(self, name: str) -> str | None:
        value = self.get(name)
        if not isinstance(value, str | None):
            raise WebhookBodyError(f"{name} is no text")
        return value

    def number(self, name: str) -> int:
        return _there(name, self.number_or_none(name))

    def number_or_none(self, name: str) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_ID:
            raise WebhookBodyError(f"{name} is no id or number")
        return int(text)

    def moment(self, name: str) -> str:
        return _there(name, self.moment_or_none(name))

    def moment_or_none(self, name: str) -> str | None:
        value = self.text_or_none(name)
        try:
            epoch(value)
        except ValueError:
            raise WebhookBodyError(f"{name} is no moment") from None
        return value


_LONGEST_ID = 19
"""Digits of a 64-bit number."""


def _there(name: str, value: T | None) -> T:
    if value is None:
        raise WebhookBodyError(f"{name} is missing")
    return value
