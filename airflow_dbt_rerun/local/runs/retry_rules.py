"""Whether a failed run may be resumed, and what that would run."""

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

_OLDEST_VERSION = (1, 6)
_NUMBERED_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a run failed: the step that stopped it, and the commands of the chain that never ran."""

    step: StepRecord
    skipped: tuple[str, ...]


def failure_of(store: Store, run: RunRecord) -> Failure | None:
    """Return where a run failed; None if it did not, or if it was the platform itself that failed.

    A failed checkbox step did not stop the run, so the last failed step did, unless it is one of those.
    """
    if not run.is_error:
        return None
    stopping = [step for step in store.steps(run.id) if step.is_error and not _may_fail(step)]
    if not stopping:
        return None
    place = stopping[-1].place
    skipped = run.chain if place is None else run.chain[place + 1 :]
    return Failure(stopping[-1], skipped)


def why_not_retryable(platform: Platform, run: RunRecord) -> RetryNotSupported | None:
    """Return why the platform refuses to resume a run, or None if it does not."""
    if not run.is_error:
        return RetryNotSupported.NOT_FAILED_RUN
    by_success_only = platform.behaviour.latest == "newer_success"
    if platform.store.is_superseded(run, by_success_only=by_success_only):
        return RetryNotSupported.NOT_LATEST_RUN
    if _is_too_old(run.dbt_version):
        return RetryNotSupported.UNSUPPORTED_VERSION
    failure = failure_of(platform.store, run)
    if failure is None or failure.step.command is None:
        return RetryNotSupported.NO_RUN_RESULTS
    if subcommand(failure.step.command) not in RETRYABLE:
        return RetryNotSupported.UNSUPPORTED_CMD
    if not platform.folders.step(run.id, failure.step.index).has_run_results:
        return RetryNotSupported.NO_RUN_RESULTS
    return None


def _may_fail(step: StepRecord) -> bool:
    return step.command is not None and step.place is None


def _is_too_old(version: str) -> bool:
    """Release tracks have names (``latest``) and are never too old."""
    numbers = _NUMBERED_VERSION.match(version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < _OLDEST_VERSION
