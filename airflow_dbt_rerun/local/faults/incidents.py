"""Server-side events that no client causes, when a test asks for them.

``/_control/`` (served only with ``--faults``; needs the token):

- ``POST jobs/ID``: ``{"deactivated": true}`` deactivates a job, as dbt does after 100 failed runs in a row;
  ``false`` activates it again
- ``POST jobs/ID/schedule``: dbt's scheduler queues a run of the job; the answer is the run. Whether it then cancels
  its older queued runs of the job is the switch ``over_scheduling`` of :mod:`.behaviour`
- ``DELETE runs/ID``: stop and delete a run
- ``POST account``: set ``locked``, ``lock_reason``, ``lock_cause``, ``run_locked_until`` or ``queue_limit``;
  ``DELETE account`` clears them. The queue is limited only if ``queue_limit`` was set this way.

A deactivated job, a locked account and a full queue refuse every run that a client asks for. How the real platform
words this is not documented; its HTTP status is the switch ``refused_start_status`` of :mod:`.behaviour`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.faults.requests import CONTROL
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import schedule, superseded_by
from airflow_dbt_rerun.local.runs.lifecycle import RunLifecycle
from airflow_dbt_rerun.local.runs.records import JobRecord
from airflow_dbt_rerun.local.runs.store import DELETED
from airflow_dbt_rerun.local.server.envelope import Refusal, as_json, not_found
from airflow_dbt_rerun.local.server.request_bodies import checked, read_object
from airflow_dbt_rerun.local.server.response_bodies import ON_POST, run_json
from airflow_dbt_rerun.local.server.values import Check, typed, whole_number
from airflow_dbt_rerun.local.timestamps import format_timestamp, now, parse_timestamp

T = TypeVar("T")

_FAILURES = 100
"""Failed runs in a row after which dbt deactivates a job."""

_DELETED_BY = "Control path"


def check_may_start(platform: Platform, job: JobRecord) -> None:
    """Check that a run of a job may be started.

    :raises Refusal: if the job is deleted or deactivated, the account is locked, or the queue is full
    """
    if job.state == DELETED:
        raise not_found()
    message = _why_not_started(platform, job)
    if message is not None:
        raise Refusal(platform.behaviour.refused_start_status, message)


def _why_not_started(platform: Platform, job: JobRecord) -> str | None:
    restrictions = platform.account.restrictions
    if job.settings.get("deactivated"):
        return "This job is not active."
    until = restrictions.get("run_locked_until")
    if restrictions.get("locked") or (until and format_timestamp(parse_timestamp(until)) > now()):
        return "This account cannot start runs."
    limit = restrictions.get("queue_limit")
    if limit is not None and len(platform.store.queued_runs()) >= limit:
        return "The run queue of this account is full."
    return None


class IncidentRoutes:
    """The part of the control path that makes incidents happen."""

    def __init__(self, platform: Platform, lifecycle: RunLifecycle) -> None:
        self._platform = platform
        self._lifecycle = lifecycle

    def routes(self) -> list[Route]:
        """Return the routes."""
        job = f"{CONTROL}/jobs/{{job_id:int}}"
        return [
            Route(job, self.activate, methods=["POST"]),
            Route(f"{job}/schedule", self.schedule, methods=["POST"]),
            Route(f"{CONTROL}/runs/{{run_id:int}}", self.delete_run, methods=["DELETE"]),
            Route(f"{CONTROL}/account", self.restrict, methods=["POST"]),
            Route(f"{CONTROL}/account", self.clear_restrictions, methods=["DELETE"]),
        ]

    async def activate(self, request: Request) -> Response:
        """Deactivate or activate a job."""
        job = self._job(request)
        off = (await read_object(request)).get("deactivated") is True
        changes = {"deactivated": off, "run_failure_count": _FAILURES if off else None}
        return as_json(self._platform.store.update_job(job.id, changes).settings)

    async def schedule(self, request: Request) -> Response:
        """Queue a run as dbt's scheduler does."""
        job = self._job(request)
        check_may_start(self._platform, job)
        run = schedule(self._platform, job)
        for older in superseded_by(self._platform, run):
            self._lifecycle.supersede(older)
        self._lifecycle.submit(run)
        return as_json(run_json(self._platform, run, ON_POST))

    async def delete_run(self, request: Request) -> Response:
        """Stop and delete a run."""
        run = _found(self._platform.store.run, request.path_params["run_id"])
        self._lifecycle.cancel(run, _DELETED_BY)
        self._platform.store.delete_run(run.id)
        return as_json({})

    async def restrict(self, request: Request) -> Response:
        """Restrict the account."""
        self._platform.account.restrictions.update(_checked(await read_object(request)))
        return as_json(self._platform.account.restrictions)

    async def clear_restrictions(self, _: Request) -> Response:
        """Restore the account to good standing."""
        self._platform.account.restrictions.clear()
        return as_json({})

    def _job(self, request: Request) -> JobRecord:
        return _found(self._platform.store.job, request.path_params["job_id"])


def _found(find: Callable[[int], T], number: int) -> T:
    try:
        return find(number)
    except KeyError as error:
        raise not_found() from error


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(body.keys() - _ACCOUNT_FIELDS.keys())
    if unknown:
        raise Refusal(400, f"{', '.join(unknown)}: the account has only {', '.join(sorted(_ACCOUNT_FIELDS))}")
    checked(body, _ACCOUNT_FIELDS)
    return body


def _moment(value: Any) -> str | None:
    try:
        format_timestamp(parse_timestamp(value))
    except (TypeError, ValueError, OverflowError):
        return "must be an ISO 8601 timestamp"
    return None


_ACCOUNT_FIELDS: Mapping[str, Check] = {
    "locked": typed(bool),
    "lock_reason": typed(str),
    "lock_cause": typed(str),
    "run_locked_until": _moment,
    "queue_limit": whole_number(0),
}
