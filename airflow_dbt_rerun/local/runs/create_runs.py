"""Create runs: for a trigger, a retry of a run, a rerun of a job, or dbt's scheduler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_dbt_rerun.local.account import DEFAULT_RUN_TIMEOUT
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord
from airflow_dbt_rerun.local.runs.retry_rules import find_failed_step, why_not_retryable

RERUN_CAUSE = "Rerun from failure"
_SCHEDULED = "scheduled"
"""Cause and cause category of the runs that dbt's scheduler queues."""


class NotRetryableError(RuntimeError):
    """The platform refuses to resume a run; the message is shown to the user."""


def trigger(
    platform: Platform, job: JobRecord, cause: str, overrides: Mapping[str, Any], *, category: str = "api"
) -> RunRecord:
    """Queue a run of all commands."""
    settings = job.settings
    docs_override = overrides.get("generate_docs_override")
    commands = overrides.get("steps_override") or settings.get("execute_steps") or []
    return platform.store.add_run(
        {
            "job_id": job.id,
            "cause": cause,
            "cause_category": category,
            "commands": json.dumps(commands),
            "overrides": json.dumps(overrides),
            "freshness": int(bool(settings.get("run_generate_sources"))),
            "docs": int(bool(settings.get("generate_docs") if docs_override is None else docs_override)),
            "dbt_version": _version(platform, job, overrides),
        }
    )


def retry(platform: Platform, run: RunRecord) -> RunRecord:
    """Queue a run that resumes a failed one.

    :raises NotRetryableError: if the run cannot be retried
    """
    reason = why_not_retryable(platform, run)
    if reason is not None:
        raise NotRetryableError(f"This run cannot be retried: {reason}")
    failed = find_failed_step(platform.store, run)
    assert failed is not None
    overrides = run.overridden if platform.behaviour.retry_keeps_overrides else {}
    return platform.store.add_run(
        {
            "job_id": run.job_id,
            "cause": RERUN_CAUSE,
            "cause_category": "rerun",
            "commands": json.dumps([failed.step.command, *failed.skipped]),
            "overrides": json.dumps(overrides),
            "freshness": 0,
            "docs": run.docs,
            "dbt_version": run.dbt_version,
            "retrying_run_id": run.id,
            "retried_step": failed.step.index,
        }
    )


def rerun(platform: Platform, job: JobRecord) -> RunRecord:
    """Resume the job's newest run if it failed, else queue a run of all commands.

    :raises NotRetryableError: if it cannot be resumed and the platform is set to refuse in that case
    """
    latest = platform.store.latest_run(job.id)
    if latest is not None and latest.is_error:
        retryable = why_not_retryable(platform, latest) is None
        if retryable or platform.behaviour.rerun_when_not_retryable == "refuse":
            return retry(platform, latest)
    return trigger(platform, job, RERUN_CAUSE, {})


def schedule(platform: Platform, job: JobRecord) -> RunRecord:
    """Queue a run of all commands as dbt's scheduler does."""
    return trigger(platform, job, _SCHEDULED, {}, category=_SCHEDULED)


def superseded_by(platform: Platform, scheduled: RunRecord) -> list[RunRecord]:
    """Return the queued runs that dbt's scheduler cancels because it queued a newer one.

    Only runs of the same job that the scheduler queued are superseded; those that a client asked for are not.
    """
    if platform.behaviour.over_scheduling != "cancel_older":
        return []
    queued = [run for run in platform.store.queued_runs() if run.job_id == scheduled.job_id]
    return [run for run in queued if run.cause_category == _SCHEDULED and run.id < scheduled.id]


def timeout_of(job: JobRecord, run: RunRecord) -> int:
    """Return the seconds that a run may take."""
    configured = (job.settings.get("execution") or {}).get("timeout_seconds")
    return int(run.overridden.get("timeout_seconds_override") or configured or DEFAULT_RUN_TIMEOUT)


def _version(platform: Platform, job: JobRecord, overrides: Mapping[str, Any]) -> str:
    """Return the version that a run reports; the installed dbt runs it in any case."""
    return str(overrides.get("dbt_version_override") or job.settings.get("dbt_version") or platform.dbt_version)
