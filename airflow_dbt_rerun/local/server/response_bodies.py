"""Jobs, runs and steps as the API shows them.

Fields, types and formats follow dbt's OpenAPI document and recorded answers; the latter have nulls in fields that
the document does not call nullable.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID, USER_ID, USER_NAME
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord, StepRecord
from airflow_dbt_rerun.local.runs.retry_rules import why_not_retryable
from airflow_dbt_rerun.local.server.request_bodies import TRIGGER_FIELDS
from airflow_dbt_rerun.local.timestamps import elapsed, format_clock, humanize

JsonObject = dict[str, Any]

ON_POST = ("trigger", "job")
"""The related objects that the answer to a POST shows without being asked."""

_COLOURS = {RunStatus.SUCCESS: "#00CC6A", RunStatus.ERROR: "#E2001A"}
_GREY = "#A2A2A2"
_TRIGGER_ID_OFFSET = 3
"""The id of a trigger is the id of its run plus this, as in recorded answers."""

_TRUNCATED = "This log output is truncated. You can download the full log from the dbt Cloud UI.\n...\n\n"
_TRUNCATED_TO = 4000


# --- runs


def run_json(platform: Platform, run: RunRecord, include: Collection[str] = ()) -> JsonObject:
    """Return a run with the related objects that ``include`` names."""
    shown = _run_fields(platform, run) | _run_status(run) | _run_times(run) | _run_retry(platform, run)
    store = platform.store
    if "trigger" in include:
        shown["trigger"] = trigger_json(run)
    if "job" in include:
        shown["job"] = _job_of_run(platform, store.job(run.job_id))
    if "environment" in include:
        shown["environment"] = platform.account.as_environment()
    if "run_steps" in include:
        shown["run_steps"] = [step_json(platform, step, include) for step in store.steps(run.id)]
    if "audit" in include:
        shown["audit"] = _audit(run)
    return shown


def trigger_json(run: RunRecord) -> JsonObject:
    """Return the trigger of a run."""
    overrides = run.overridden
    return {
        "id": run.id + _TRIGGER_ID_OFFSET,
        "cause": run.cause,
        "cause_category": run.cause_category,
        "cause_humanized": run.cause,
        "job_definition_id": run.job_id,
        "created_at": run.created_at,
        "job": None,
        **{name: overrides.get(name) for name in TRIGGER_FIELDS},
    }


def _run_fields(platform: Platform, run: RunRecord) -> JsonObject:
    saved = run.is_complete and run.started_at is not None
    return {
        "id": run.id,
        "trigger_id": run.id + _TRIGGER_ID_OFFSET,
        "account_id": platform.account.id,
        "environment_id": ENVIRONMENT_ID,
        "project_id": PROJECT_ID,
        "job_definition_id": run.job_id,
        "job_id": run.job_id,
        "dbt_version": run.dbt_version,
        "git_branch": run.git_branch,
        "git_sha": run.git_sha,
        "owner_thread_id": None,
        "executed_by_thread_id": None if run.started_at is None else "local",
        "deferring_run_id": None,
        "artifacts_saved": saved,
        "artifact_s3_path": f"local/runs/{run.id}/artifacts/target" if saved else None,
        "has_docs_generated": bool(run.has_docs_generated),
        "has_sources_generated": bool(run.has_sources_generated),
        "notifications_sent": run.is_complete,
        "blocked_by": _blockers(platform, run),
        "trigger": None,
        "job": None,
        "environment": None,
        "run_steps": [],
        "audit": None,
        "deprecation": None,
        "href": platform.account.run_url(run.id),
        "used_repo_cache": None,
    }


def _blockers(platform: Platform, run: RunRecord) -> list[int]:
    if run.status != RunStatus.QUEUED or platform.store.job(run.job_id).runs_in_parallel:
        return []
    return platform.store.blockers(run)


def _run_status(run: RunRecord) -> JsonObject:
    return {
        "status": run.status,
        "status_humanized": _status_name(run.status),
        "status_message": run.status_message,
        "in_progress": not run.is_complete,
        "is_complete": run.is_complete,
        "is_success": run.status == RunStatus.SUCCESS,
        "is_error": run.is_error,
        "is_cancelled": run.status == RunStatus.CANCELLED,
        "is_running": None,
    }


def _run_times(run: RunRecord) -> JsonObject:
    whole = elapsed(run.created_at, run.ended_at)
    queued = elapsed(run.created_at, run.started_at or run.ended_at)
    running = elapsed(run.started_at, run.ended_at)
    return {
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "dequeued_at": run.dequeued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "last_checked_at": run.dequeued_at and run.updated_at,
        "last_heartbeat_at": run.started_at and run.updated_at,
        "should_start_at": None,
        "duration": format_clock(whole),
        "queued_duration": format_clock(queued),
        "run_duration": format_clock(running),
        "duration_humanized": humanize(whole),
        "queued_duration_humanized": humanize(queued),
        "run_duration_humanized": humanize(running),
        "created_at_humanized": f"{humanize(elapsed(run.created_at, None))} ago",
        "finished_at_humanized": f"{humanize(elapsed(run.finished_at, None))} ago"
        if run.finished_at
        else "0 minutes from now",
    }


def _run_retry(platform: Platform, run: RunRecord) -> JsonObject:
    reason = why_not_retryable(platform, run)
    return {
        "retrying_run_id": run.retrying_run_id if platform.behaviour.retrying_run_id_filled else None,
        "can_retry": reason is None,
        "retry_not_supported_reason": reason,
    }


def _audit(run: RunRecord) -> JsonObject:
    """Return who triggered and who cancelled a run. Timeouts and dbt's scheduler are not recorded as actors."""
    return {
        "trigger": _actor(USER_NAME),
        "cancellation": _actor(run.cancelled_by) if run.cancelled_by else None,
    }


def _actor(name: str) -> JsonObject:
    return {
        "actor": {"id": str(USER_ID if name == USER_NAME else USER_ID + len(name)), "type": "user", "name": name}
    }


# --- steps


def step_json(platform: Platform, step: StepRecord, include: Collection[str] = ()) -> JsonObject:
    """Return a step with its logs."""
    files = platform.step_files(step.run_id, step.index)
    took = elapsed(step.started_at, step.finished_at)
    debug = files.debug_output(last=_TRUNCATED_TO) or files.output(last=_TRUNCATED_TO)
    return {
        "id": step.id,
        "run_id": step.run_id,
        "account_id": platform.account.id,
        "index": step.index,
        "name": step.name,
        "status": step.status,
        "status_humanized": _status_name(step.status),
        "status_color": _COLOURS.get(RunStatus(step.status), _GREY),
        "logs": files.output(),
        "debug_logs": files.debug_output() if "debug_logs" in include else None,
        "truncated_debug_logs": _TRUNCATED + debug,
        "log_path": None,
        "debug_log_path": None,
        "log_location": "legacy",
        "created_at": step.created_at,
        "updated_at": step.updated_at,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "duration": format_clock(took),
        "duration_humanized": humanize(took),
        "run_step_command": None,
        "run_step_invocation": None,
    }


# --- jobs


def job_json(platform: Platform, job: JobRecord, include: Collection[str] = ()) -> JsonObject:
    """Return a job: its settings, and defaults for the rest."""
    shown = _merged(_job_defaults(), job.settings) | _job_fields(platform, job)
    if "environment" in include:
        shown["environment"] = platform.account.as_environment()
    if "most_recent_run" in include:
        shown["most_recent_run"] = _latest(platform, job, complete=False)
    if "most_recent_completed_run" in include:
        shown["most_recent_completed_run"] = _latest(platform, job, complete=True)
    return shown


def _latest(platform: Platform, job: JobRecord, *, complete: bool) -> JsonObject | None:
    run = platform.store.latest_run(job.id, complete=complete)
    return run_json(platform, run) if run else None


def _job_of_run(platform: Platform, job: JobRecord) -> JsonObject:
    """Return a job as a run embeds it: parts of its schedule are single words there, not objects."""
    shown = job_json(platform, job)
    schedule = shown["schedule"]
    words = {name: schedule[name]["type"] for name in ("date", "time")}
    if platform.behaviour.job_embed == "partial":
        del shown["execute_steps"]
    return shown | {"schedule": {"cron": schedule["cron"], **words}}


def _merged(defaults: JsonObject, given: JsonObject) -> JsonObject:
    """Return the defaults with the given values over them, also inside objects, of which clients send parts."""
    objects = [name for name, value in given.items() if isinstance(value, dict)]
    return defaults | given | {name: _merged(defaults.get(name) or {}, given[name]) for name in objects}


def _job_fields(platform: Platform, job: JobRecord) -> JsonObject:
    return {
        "id": job.id,
        "account_id": platform.account.id,
        "project_id": PROJECT_ID,
        "environment_id": ENVIRONMENT_ID,
        "name": job.name,
        "state": job.state,
        "job_type": job.job_type,
        "run_failure_count": job.settings.get("run_failure_count") or platform.store.consecutive_failures(job.id),
        "created_at": job.created_at.replace(" ", "T"),
        "updated_at": job.updated_at.replace(" ", "T"),
    }


def _job_defaults() -> JsonObject:
    unknown = (
        "dbt_version",
        "raw_dbt_version",
        "deferring_job_definition_id",
        "deferring_environment_id",
        "lifecycle_webhooks_url",
        "job_completion_trigger_condition",
        "fusion_readiness",
        "account",
        "project",
        "environment",
        "next_run",
        "next_run_humanized",
        "cron_humanized",
    )
    off = (
        "generate_docs",
        "run_generate_sources",
        "generate_sources",
        "run_compare_changes",
        "run_lint",
        "errors_on_lint_failure",
        "lifecycle_webhooks",
        "triggers_on_draft_pr",
        "is_deferrable",
        "deactivated",
    )
    return {
        "description": "",
        "execute_steps": [],
        "execution": {"timeout_seconds": 0},
        "settings": {"threads": 1, "target_name": "default"},
        "triggers": dict.fromkeys(("github_webhook", "git_provider_webhook", "schedule", "on_merge"), False),
        "schedule": {
            "cron": "0 * * * 0,1,2,3,4,5,6",
            "date": {"type": "days_of_week", "days": [0, 1, 2, 3, 4, 5, 6]},
            "time": {"type": "every_hour", "interval": 1},
        },
        "compare_changes_flags": "--select state:modified",
        "cost_optimization_features": [],
        **dict.fromkeys(unknown),
        **dict.fromkeys(off, False),
    }


def _status_name(status: int) -> str:
    return RunStatus(status).name.capitalize()
