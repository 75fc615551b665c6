"""The auditor on recorded commands of dbt v2: a resume settles only what the record covers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dbt_rerun.audit.ledger import Audit, Finding, Ledger
from airflow_dbt_rerun.audit.records import Record, StepRecord
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep, RunTrigger
from tests.core.diagnosis.v2_samples import STEP, Sample, sample


def record(each: Sample, run_id: int, *, resumes: int | None = None) -> Record:
    """A recorded command as a run with one step."""
    status = RunStatus.SUCCESS if not each.right else RunStatus.ERROR
    command = each.command if resumes is None else "dbt retry"
    step = RunStep(1, STEP, f"Invoke dbt with `{command}`", status, each.log())
    nodes = {node.unique_id: node for artifact in each.results for node in artifact.nodes}
    kept = next((artifact.kept_options for artifact in each.results), None)
    run = Run(run_id, 7, status, retrying_run_id=resumes, trigger=RunTrigger("", "rerun" if resumes else "api"))
    return Record(run, (StepRecord(step, nodes if each.results else None, kept),))


def audited(first: Sample, *later: Record) -> Audit:
    """Book a failed command and what came after it."""
    ledger = Ledger((first.command,), {})
    for each in (record(first, 1), *later):
        ledger.enter(each)
    return Audit((1,), ledger.close(), ledger.doubt)


@pytest.mark.parametrize(
    ("first", "retry", "finding"),
    [
        ("pg_refused/1-build", "pg_refused/3-retry-healed", Finding.DONE),
        ("pg_terminate/1-build", "pg_terminate/2-retry", Finding.DONE),
        ("fail_fast/1-build", "fail_fast/2-retry", Finding.DONE),
        ("microbatch_downstream/1-run", "microbatch_downstream/2-retry", Finding.NOT_DONE),
        ("parse_error_retry_fixed/2-build", "parse_error_retry_fixed/3-retry-fixed", Finding.NOT_DONE),
        ("retry_vars/1-build", "retry_vars/2-retry", Finding.NOT_DONE),
        ("int_pg/1-build", "int_pg/2-retry", Finding.NOT_DONE),
        ("int_cut/1-build", "tiny_success/1-build", Finding.NOT_DONE),
        ("int_test/1-build", "tiny_success/1-build", Finding.NOT_DONE),
        ("tiny_fail_fast/1-build", "tiny_success/1-build", Finding.DONE),
    ],
)
def test_resume_settles_what_is_on_record(first: str, retry: str, finding: Finding) -> None:
    """Variables that were forgotten, models that no result names, and what an interruption cut off stay owed."""
    assert audited(sample(first), record(sample(retry), 2, resumes=1)).finding is finding


@pytest.mark.parametrize("first", ["microbatch_downstream/1-run", "retry_vars/1-build", "pg_refused/1-build"])
def test_whole_command_settles_everything(first: str) -> None:
    """A green run of the same command."""
    again = replace(sample("success/1-build"), command=sample(first).command)
    assert audited(sample(first), record(again, 2)).is_done
