"""Whether a failed run can be resumed, and what its retry would run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.models import RetryNotSupported
from airflow_dbt_rerun.local.dbt.commands import RETRYABLE, subcommand
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import RunRecord, StepRecord
from airflow_dbt_rerun.local.runs.store import Store

DOCS = "dbt docs generate"
FRESHNESS = "dbt source freshness"

_MIN_VERSION = (1, 6)
_NUMBERED_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class FailedStep:
    """The step that failed a run, and the commands that were skipped after it."""

    step: StepRecord
    skipped: tuple[str, ...]


def find_failed_step(store: Store, run: RunRecord) -> FailedStep | None:
    """Return the step that failed a run; None if the run did not fail, or failed outside its steps.

    It is the last failed step, except that steps of the job's checkboxes can fail without failing the run.
    """
    if not run.is_error:
        return None
    stopping = [step for step in store.steps(run.id) if step.is_error and not _is_optional(step)]
    if not stopping:
        return None
    place = stopping[-1].place
    skipped = run.chain if place is None else run.chain[place + 1 :]
    return FailedStep(stopping[-1], skipped)


def why_not_retryable(platform: Platform, run: RunRecord) -> RetryNotSupported | None:
    """Return why the platform refuses to resume a run, or None if it does not."""
    if not run.is_error:
        return RetryNotSupported.NOT_FAILED_RUN
    by_success_only = platform.behaviour.latest == "newer_success"
    if platform.store.is_superseded(run, by_success_only=by_success_only):
        return RetryNotSupported.NOT_LATEST_RUN
    if _is_too_old(run.dbt_version):
        return RetryNotSupported.UNSUPPORTED_VERSION
    failed = find_failed_step(platform.store, run)
    if failed is None or failed.step.command is None:
        return RetryNotSupported.NO_RUN_RESULTS
    if subcommand(failed.step.command) not in RETRYABLE[platform.engine]:
        return RetryNotSupported.UNSUPPORTED_CMD
    if not platform.step_files(run.id, failed.step.index).has_run_results:
        return RetryNotSupported.NO_RUN_RESULTS
    return None


def _is_optional(step: StepRecord) -> bool:
    return step.command is not None and step.place is None


def _is_too_old(version: str) -> bool:
    """Return whether a version cannot retry; release tracks (``latest``) have no number and always can."""
    numbers = _NUMBERED_VERSION.match(version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < _MIN_VERSION
