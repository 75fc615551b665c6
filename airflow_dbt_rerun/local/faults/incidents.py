"""What befalls jobs, runs and the account and is no client's doing, when a test asks for it.

``/_control/`` (only where faults are allowed; needs the token):

- ``POST jobs/ID``: ``{"deactivated": true}``, as dbt does after 100 failed runs in a row; ``false`` activates it
- ``POST jobs/ID/schedule``: dbt's scheduler queues a run of the job; the answer is the run. Whether this cancels
  queued runs that it queued before is the switch ``over_scheduling`` of :mod:`.behaviour`
- ``DELETE runs/ID``: the run is stopped and gone
- ``POST account``: ``locked``, ``lock_reason``, ``lock_cause``, ``run_locked_until``, ``queue_limit``;
  ``DELETE account`` forgets them. A queue is limited only where this says so.

A deactivated job, a locked account and a full queue refuse every run that a client asks for. The real platform's
words and status are on no record: the status is the switch ``refused_start_status`` of :mod:`.behaviour`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.faults.requests import CONTROL
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import schedule, superseded_by
from airflow_dbt_rerun.local.runs.lifecycle import Engine
from airflow_dbt_rerun.local.runs.records import JobRecord
from airflow_dbt_rerun.local.runs.store import DELETED
from airflow_dbt_rerun.local.server.envelope import Refusal, as_json, not_found
from airflow_dbt_rerun.local.server.request_bodies import read_object
from airflow_dbt_rerun.local.server.response_bodies import ON_POST, run_shape
from airflow_dbt_rerun.local.timestamps import now, stamp
from airflow_dbt_rerun.local.timestamps import parse as moment

T = TypeVar("T")

_OF_ACCOUNT = frozenset({"locked", "lock_reason", "lock_cause", "run_locked_until", "queue_limit"})
_FAILURES = 100
"""Failed runs in a row, after which dbt deactivates a job."""

_DELETED_BY = "Control path"


def check_standing(platform: Platform, job: JobRecord) -> None:
    """Let a run of this job start, or refuse it.

    :raises Refusal: if the job is deleted or deactivated, the account is locked, or the queue is full
    """
    if job.state == DELETED:
        raise not_found()
    words = _why_not_started(platform, job)
    if words is not None:
        raise Refusal(platform.behaviour.refused_start_status, words)


def _why_not_started(platform: Platform, job: JobRecord) -> str | None:
    standing = platform.account.standing
    if job.settings.get("deactivated"):
        return "This job is not active."
    until = standing.get("run_locked_until")
    if standing.get("locked") or (until and stamp(moment(until)) > now()):
        return "This account cannot start runs."
    limit = standing.get("queue_limit")
    if limit is not None and len(platform.store.queued_runs()) >= limit:
        return "The run queue of this account is full."
    return None


def mishap_routes(platform: Platform, engine: Engine) -> list[Route]:
    """Return the routes that let things happen."""

    async def of_job(request: Request) -> Response:
        job = _there(platform.store.job, request.path_params["job_id"])
        off = (await read_object(request)).get("deactivated") is True
        changes = {"deactivated": off, "run_failure_count": _FAILURES if off else None}
        return as_json(platform.store.update_job(job.id, changes).settings)

    async def by_schedule(request: Request) -> Response:
        job = _there(platform.store.job, request.path_params["job_id"])
        check_standing(platform, job)
        run = schedule(platform, job)
        for older in superseded_by(platform, run):
            engine.supersede(older)
        engine.submit(run)
        return as_json(run_shape(platform, run, ON_POST))

    async def of_run(request: Request) -> Response:
        run = _there(platform.store.run, request.path_params["run_id"])
        engine.cancel(run, _DELETED_BY)
        platform.store.delete_run(run.id)
        return as_json({})

    async def of_account(request: Request) -> Response:
        standing = platform.account.standing
        if request.method == "DELETE":
            standing.clear()
        else:
            standing.update(_known(await read_object(request)))
        return as_json(standing)

    return [
        Route(f"{CONTROL}/jobs/{{job_id:int}}", of_job, methods=["POST"]),
        Route(f"{CONTROL}/jobs/{{job_id:int}}/schedule", by_schedule, methods=["POST"]),
        Route(f"{CONTROL}/runs/{{run_id:int}}", of_run, methods=["DELETE"]),
        Route(f"{CONTROL}/account", of_account, methods=["POST", "DELETE"]),
    ]


def _there(find: Callable[[int], T], number: int) -> T:
    try:
        return find(number)
    except KeyError as error:
        raise not_found() from error


def _known(body: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(body.keys() - _OF_ACCOUNT)
    if unknown:
        raise Refusal(400, f"{', '.join(unknown)}: the account has {', '.join(sorted(_OF_ACCOUNT))}")
    return body
