"""Jobs, runs and steps as the API shows them.

Fields, types and spellings follow dbt's OpenAPI document and recorded answers, which also have nulls where the
document has none.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID, USER_ID, USER_NAME
from airflow_dbt_rerun.local.dbt.paths import text_of
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord, StepRecord
from airflow_dbt_rerun.local.runs.retry_rules import why_not_retryable
from airflow_dbt_rerun.local.server.request_bodies import TRIGGER_FIELDS
from airflow_dbt_rerun.local.timestamps import between, clock, humanized

Shape = dict[str, Any]

ON_POST = ("trigger", "job")
"""The related objects that the answer to a POST shows without being asked."""

_COLOURS = {RunStatus.SUCCESS: "#00CC6A", RunStatus.ERROR: "#E2001A"}
_GREY = "#A2A2A2"
_TRIGGERS_AFTER = 3
"""How far the id of a trigger is above that of its run, as in recorded answers."""

_TRUNCATED = "This log output is truncated. You can download the full log from the dbt Cloud UI.\n...\n\n"
_TRUNCATED_TO = 4000


# --- runs


def run_shape(platform: Platform, run: RunRecord, include: Collection[str] = ()) -> Shape:
    """Show a run; ``include`` names the related objects to fill in."""
    shape = _run_itself(platform, run) | _run_status(run) | _run_times(run) | _run_retry(platform, run)
    store = platform.store
    if "trigger" in include:
        shape["trigger"] = trigger_shape(run)
    if "job" in include:
        shape["job"] = _job_of_run(platform, store.job(run.job_id))
    if "environment" in include:
        shape["environment"] = platform.account.as_environment()
    if "run_steps" in include:
        shape["run_steps"] = [step_shape(platform, step, include) for step in store.steps(run.id)]
    if "audit" in include:
        shape["audit"] = _audit(run)
    return shape


def trigger_shape(run: RunRecord) -> Shape:
    """Show what started a run."""
    overrides = run.overridden
    return {
        "id": run.id + _TRIGGERS_AFTER,
        "cause": run.cause,
        "cause_category": run.cause_category,
        "cause_humanized": run.cause,
        "job_definition_id": run.job_id,
        "created_at": run.created_at,
        "job": None,
        **{name: overrides.get(name) for name in TRIGGER_FIELDS},
    }


def _run_itself(platform: Platform, run: RunRecord) -> Shape:
    saved = run.is_over and run.started_at is not None
    return {
        "id": run.id,
        "trigger_id": run.id + _TRIGGERS_AFTER,
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
        "notifications_sent": run.is_over,
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


def _run_status(run: RunRecord) -> Shape:
    return {
        "status": run.status,
        "status_humanized": _status_name(run.status),
        "status_message": run.status_message,
        "in_progress": not run.is_over,
        "is_complete": run.is_over,
        "is_success": run.status == RunStatus.SUCCESS,
        "is_error": run.is_error,
        "is_cancelled": run.status == RunStatus.CANCELLED,
        "is_running": None,
    }


def _run_times(run: RunRecord) -> Shape:
    whole = between(run.created_at, run.ended_at)
    queued = between(run.created_at, run.started_at or run.ended_at)
    running = between(run.started_at, run.ended_at)
    return {
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "dequeued_at": run.dequeued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "last_checked_at": run.dequeued_at and run.updated_at,
        "last_heartbeat_at": run.started_at and run.updated_at,
        "should_start_at": None,
        "duration": clock(whole),
        "queued_duration": clock(queued),
        "run_duration": clock(running),
        "duration_humanized": humanized(whole),
        "queued_duration_humanized": humanized(queued),
        "run_duration_humanized": humanized(running),
        "created_at_humanized": f"{humanized(between(run.created_at, None))} ago",
        "finished_at_humanized": f"{humanized(between(run.finished_at, None))} ago"
        if run.finished_at
        else "0 minutes from now",
    }


def _run_retry(platform: Platform, run: RunRecord) -> Shape:
    reason = why_not_retryable(platform, run)
    return {
        "retrying_run_id": run.retrying_run_id if platform.behaviour.retrying_run_id_filled else None,
        "can_retry": reason is None,
        "retry_not_supported_reason": reason,
    }


def _audit(run: RunRecord) -> Shape:
    """Show who did what. A timeout is nobody's deed: such a run has no cancelling actor."""
    return {
        "trigger": _deed_of(USER_NAME),
        "cancellation": _deed_of(run.cancelled_by) if run.cancelled_by else None,
    }


def _deed_of(name: str) -> Shape:
    return {
        "actor": {"id": str(USER_ID if name == USER_NAME else USER_ID + len(name)), "type": "user", "name": name}
    }


# --- steps


def step_shape(platform: Platform, step: StepRecord, include: Collection[str] = ()) -> Shape:
    """Show a step with its logs."""
    folder = platform.folders.step(step.run_id, step.index)
    took = between(step.started_at, step.finished_at)
    debug = text_of(folder.debug_log, last=_TRUNCATED_TO) or text_of(folder.stdout, last=_TRUNCATED_TO)
    return {
        "id": step.id,
        "run_id": step.run_id,
        "account_id": platform.account.id,
        "index": step.index,
        "name": step.name,
        "status": step.status,
        "status_humanized": _status_name(step.status),
        "status_color": _COLOURS.get(RunStatus(step.status), _GREY),
        "logs": text_of(folder.stdout),
        "debug_logs": text_of(folder.debug_log) if "debug_logs" in include else None,
        "truncated_debug_logs": _TRUNCATED + debug,
        "log_path": None,
        "debug_log_path": None,
        "log_location": "legacy",
        "created_at": step.created_at,
        "updated_at": step.updated_at,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "duration": clock(took),
        "duration_humanized": humanized(took),
        "run_step_command": None,
        "run_step_invocation": None,
    }


# --- jobs


def job_shape(platform: Platform, job: JobRecord, include: Collection[str] = ()) -> Shape:
    """Show a job: what was set, and the platform's defaults for the rest."""
    shape = _completed(_job_defaults(), job.settings) | _job_itself(platform, job)
    if "environment" in include:
        shape["environment"] = platform.account.as_environment()
    if "most_recent_run" in include:
        shape["most_recent_run"] = _latest(platform, job, over=False)
    if "most_recent_completed_run" in include:
        shape["most_recent_completed_run"] = _latest(platform, job, over=True)
    return shape


def _latest(platform: Platform, job: JobRecord, *, over: bool) -> Shape | None:
    run = platform.store.latest_run(job.id, over=over)
    return run_shape(platform, run) if run else None


def _job_of_run(platform: Platform, job: JobRecord) -> Shape:
    """Show a job inside a run: there a schedule is told in single words, not in objects."""
    shape = job_shape(platform, job)
    schedule = shape["schedule"]
    words = {name: schedule[name]["type"] for name in ("date", "time")}
    if platform.behaviour.job_embed == "partial":
        del shape["execute_steps"]
    return shape | {"schedule": {"cron": schedule["cron"], **words}}


def _completed(defaults: Shape, given: Shape) -> Shape:
    """Put what is given over the defaults, and inside objects too: clients send parts of them."""
    both_objects = [name for name, value in given.items() if isinstance(value, dict)]
    return defaults | given | {name: _completed(defaults.get(name) or {}, given[name]) for name in both_objects}


def _job_itself(platform: Platform, job: JobRecord) -> Shape:
    return {
        "id": job.id,
        "account_id": platform.account.id,
        "project_id": PROJECT_ID,
        "environment_id": ENVIRONMENT_ID,
        "name": job.name,
        "state": job.state,
        "job_type": job.job_type,
        "run_failure_count": job.settings.get("run_failure_count") or platform.store.failures_in_a_row(job.id),
        "created_at": job.created_at.replace(" ", "T"),
        "updated_at": job.updated_at.replace(" ", "T"),
    }


def _job_defaults() -> Shape:
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
