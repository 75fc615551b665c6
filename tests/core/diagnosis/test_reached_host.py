"""A host that cannot be resolved: passing where the same command has reached its warehouse."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose

UNKNOWN_HOST = 'could not translate host name "db.acme" to address: Name or service not known'
STEP = {"id": 1, "index": 1, "name": "Invoke dbt with `dbt build`", "status": 20}


def run(logs: str = "") -> Run:
    """A failed run of one step."""
    return Run.from_api({"id": 1, "job_definition_id": 7, "status": 20, "run_steps": [{**STEP, "logs": logs}]})


def results(*statuses: tuple[str, str]) -> StepResults:
    """Results of models with these statuses and messages."""
    rows = [
        {"unique_id": f"model.shop.m{place}", "status": status, "message": message}
        for place, (status, message) in enumerate(statuses)
    ]
    return StepResults.from_artifact({"metadata": {}, "results": rows}, step_index=1, run_id=1)


def test_unknown_host_alone_is_unknown() -> None:
    """A misspelt host and a resolver in trouble answer alike."""
    assert diagnose(run(), [results(("error", UNKNOWN_HOST))]).verdict is Category.UNKNOWN


def test_unknown_host_after_work_was_done_is_transient() -> None:
    """Another node of the command did its work: the host exists."""
    found = diagnose(run(), [results(("success", "SELECT 1"), ("error", UNKNOWN_HOST))])
    assert found.verdict is Category.TRANSIENT


@pytest.mark.parametrize(
    ("done", "category"),
    [("04:00:01  1 of 2 OK created sql table model m0", Category.TRANSIENT), ("", Category.UNKNOWN)],
)
def test_the_log_tells_it_too(done: str, category: Category) -> None:
    """Where no results could be read."""
    error = f"04:00:02  Completed with 1 error\n  Database Error in model m1 (models/m1.sql)\n  {UNKNOWN_HOST}"
    assert diagnose(run(f"{done}\n{error}")).verdict is category


def test_other_unknown_errors_stay_unknown() -> None:
    """Work that was done says nothing about an error that is not about the host."""
    assert diagnose(run(), [results(("success", "ok"), ("error", "no idea"))]).verdict is Category.UNKNOWN
