"""Short ways to write the past of a job in tests: runs with times in minutes after midnight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_dbt_rerun.backtest.collected import Collected, Details, Scope
from airflow_dbt_rerun.backtest.failures import PastFailure, past_failures
from airflow_dbt_rerun.backtest.history import created_at
from airflow_dbt_rerun.backtest.verdicts import Judged, judge_all
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunTrigger
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.core.builders import COMMANDS, RESET, SYNTAX, step, steps

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
COMMIT, OTHER_COMMIT = "a" * 40, "b" * 40
ORDERS = "model.shop.orders"
STEP = 5


def at(minutes: float) -> str:
    """The timestamp of a minute of the day."""
    return (MIDNIGHT + timedelta(minutes=minutes)).isoformat(sep=" ")


def run(run_id: int, begins: float, lasts: float = 2.0, *, status: int = RunStatus.SUCCESS, **changes: Any) -> Run:
    """A scheduled run of job 7."""
    ended = {"steps": (*steps("dbt seed", "dbt build", failed=False), step(6, "dbt docs generate"))}
    if status == RunStatus.ERROR:
        ended = {"steps": steps("dbt seed", "dbt build")}
    fields: dict[str, Any] = {
        "job_id": 7,
        "job_name": "nightly",
        "commands": COMMANDS,
        "job_commands": COMMANDS,
        "job_updated_at": at(-10_000),
        "git_sha": COMMIT,
        "git_branch": "main",
        "created_at": at(begins),
        "started_at": at(begins),
        "finished_at": at(begins + lasts),
        "trigger": RunTrigger("scheduled", "scheduled", {}),
        **ended,
    }
    return Run(run_id, status=status, **{**fields, **changes})


def red(run_id: int, begins: float, message: str = RESET, *, node: str = ORDERS, **changes: Any) -> Details:
    """A run that failed, with what its failed step wrote; today dbt says that it is not the latest."""
    changes = {"can_retry": False, "retry_not_supported_reason": "RETRY_NOT_LATEST_RUN", **changes}
    failed = run(run_id, begins, status=RunStatus.ERROR, **changes)
    nodes = (NodeResult(node, "error", message, STEP, 12.5), NodeResult("model.shop.report", "skipped", None, STEP))
    return Details(failed, (StepResults(STEP, nodes, "duckdb", run_id=run_id),))


def green(run_id: int, begins: float, **changes: Any) -> Details:
    """A run that succeeded."""
    return Details(run(run_id, begins, **changes))


def resumed(details: Details, run_id: int) -> Details:
    """The same run as the rerun from failure of another one; a green one did what that had left undone."""
    rerun = replace(details.run, retrying_run_id=run_id, trigger=RunTrigger("", "rerun", {}))
    results = details.results
    if rerun.is_success:
        nodes = (NodeResult(ORDERS, "success", None, STEP), NodeResult("model.shop.report", "success", None, STEP))
        results = (StepResults(STEP, nodes, "duckdb", run_id=rerun.id),)
    return Details(rerun, results)


def collected(*all_details: Details, listed: Sequence[Run] = (), hours: float = 240.0) -> Collected:
    """What was read: a list, in which runs have no steps and no job, and details."""
    runs = sorted((*(_as_listed(each.run) for each in all_details), *listed), key=lambda each: each.id)
    begin = created_at(runs[0])
    details = {each.run.id: each for each in all_details}
    return Collected("dbt.example", 1, Scope(), begin, begin + hours * 3600, tuple(runs), details, {})


def _as_listed(run: Run) -> Run:
    return replace(run, steps=(), commands=(), job_commands=(), job_name=None, job_updated_at=None, job_target=None)


def failures(*all_details: Details) -> list[PastFailure]:
    """The failures of a past."""
    return past_failures(collected(*all_details))


def judged(*all_details: Details, policy: RerunPolicy | None = None) -> Judged:
    """What a policy, the default one, would have done about the first failure of a past."""
    return judge_all(failures(*all_details)[:1], policy or RerunPolicy())[0]


__all__ = ["RESET", "SYNTAX"]
