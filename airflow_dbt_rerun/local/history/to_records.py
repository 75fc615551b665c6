"""A history as the rows that the platform's store keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.history.job_life import FROM_FAILURE, FROM_START, SCHEDULED
from airflow_dbt_rerun.local.history.jobs import HistoricJob
from airflow_dbt_rerun.local.history.make_history import History
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.runs.create_runs import RERUN_CAUSE
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord, StepRecord
from airflow_dbt_rerun.local.runs.store import ACTIVE, FIRST_ID
from airflow_dbt_rerun.local.timestamps import format_timestamp

_CAUSES = {
    SCHEDULED: ("scheduled", "scheduled"),
    FROM_START: ("Kicked off from the UI by ann@example.com", "ui"),
    FROM_FAILURE: (RERUN_CAUSE, "rerun"),
}
"""What dbt records as cause and cause category."""


def job_records(history: History) -> Iterator[JobRecord]:
    """Yield the jobs."""
    created = stamp(history.period.begins - 3600)
    for job in history.jobs:
        yield JobRecord(history.job_id(job), job.name, ACTIVE, json.dumps(_definition(job)), created, created)


def run_records(history: History, dbt_version: str) -> Iterator[RunRecord]:
    """Yield the runs, oldest first."""
    for run in history.runs:
        yield _run(history, run, dbt_version)


def step_records(history: History) -> Iterator[StepRecord]:
    """Yield the steps of all runs."""
    number = FIRST_ID["steps"]
    for run in history.runs:
        for index, step in enumerate(run.steps, 1):
            began, ended = stamp(step.started), stamp(step.finished)
            yield StepRecord(
                number, run.id, index, step.name, step.command, step.place, step.status, began, ended, began, ended
            )
            number += 1


def stamp(moment: float) -> str:
    """Format seconds since 1970 as the platform does."""
    return format_timestamp(datetime.fromtimestamp(moment, UTC))


def _definition(job: HistoricJob) -> dict[str, object]:
    return {
        "name": job.name,
        "description": f"Builds on {job.adapter}.",
        "execute_steps": job.commands,
        "job_type": "scheduled",
        "triggers": {"schedule": job.retired_at is None},
        "schedule": {"cron": job.cron},
        "execution": {"timeout_seconds": job.timeout},
        "run_generate_sources": job.freshness,
        "generate_docs": job.docs,
    }


def _run(history: History, run: HistoricRun, dbt_version: str) -> RunRecord:
    cause, category = _CAUSES[run.by]
    began, ended = stamp(run.started), stamp(run.finished)
    assert run.commit is not None
    cloned = run.steps[0].status == RunStatus.SUCCESS
    has_docs = any(step.command == "dbt docs generate" for step in run.steps)
    has_sources = any(step.command == "dbt source freshness" for step in run.steps)
    return RunRecord(
        id=run.id,
        job_id=history.job_id(run.job),
        status=int(run.status),
        status_message=run.message,
        cause=cause,
        cause_category=category,
        commands=json.dumps(run.commands),
        overrides="{}",
        freshness=int(run.job.freshness and run.retry_of is None),
        docs=int(run.job.docs),
        dbt_version=dbt_version,
        git_branch="main" if cloned else None,
        git_sha=run.commit.sha if cloned else None,
        retrying_run_id=run.retry_of.id if run.retry_of else None,
        retried_step=run.retried_step,
        has_docs_generated=int(has_docs),
        has_sources_generated=int(has_sources),
        cancelled_by=run.cancelled_by,
        created_at=stamp(run.created),
        updated_at=ended,
        dequeued_at=began,
        started_at=began,
        finished_at=ended,
    )
