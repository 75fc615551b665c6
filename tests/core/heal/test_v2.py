"""dbt v2: a resume that silently leaves work out is hollow, and one whole step heals it. From recorded commands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import NextStep, Rerun, Succeed
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import Proof
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.core.builders import run
from tests.core.diagnosis.v2_samples import STEP, Sample, sample

POLICY = RerunPolicy(rules=[RerunRule(lambda _: True)], wait=wait_fixed(0), stop=stop_after_attempt(9))


def failed(each: Sample) -> RunSeen:
    """The run of a recorded command that failed."""
    return RunSeen(replace(each.run(), job_id=7), each.results)


def of_retry(name: str, run_id: int) -> tuple[StepResults, ...]:
    """The results of a recorded retry, as another run has them."""
    return tuple(replace(each, run_id=run_id, step_index=STEP) for each in sample(name).results)


def resumed_by_a_person(first: Sample, retry: str) -> tuple[RerunSession, NextStep]:
    """Somebody presses Rerun, and dbt is green."""
    seen = failed(first)
    session, _ = next_step(RerunSession(0.0), seen, POLICY, 1.0)
    session = replace(session, plan=None).planning(run(2, retrying_run_id=1), after=seen.run)
    green = RunSeen(run(2, 10), of_retry(retry, 2), before=first.results)
    return next_step(session, green, POLICY, 1.0)


@pytest.mark.parametrize(
    ("first", "retry"),
    [
        ("microbatch_downstream/1-run", "microbatch_downstream/2-retry"),
        ("parse_error_retry_fixed/2-build", "parse_error_retry_fixed/3-retry-fixed"),
        ("retry_vars/1-build", "retry_vars/2-retry"),
    ],
)
def test_resume_that_left_something_out_is_hollow_and_healed_by_one_whole_step(first: str, retry: str) -> None:
    """P6: a model that no result names, models that were never recorded, variables that were forgotten."""
    each = sample(first)
    session, answer = resumed_by_a_person(each, retry)
    assert session.attempts[-1].proof is Proof.HOLLOW
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert answer.overrides["steps_override"] == [each.command]
    whole = RunSeen(run(3, 10), of_retry(retry, 3), before=each.results)
    session, ended = next_step(session, whole, POLICY, 1.0)
    assert isinstance(ended, Succeed)
    assert session.attempts[-1].proof is Proof.VERIFIED


@pytest.mark.parametrize(
    ("first", "retry"),
    [
        ("pg_refused/1-build", "pg_refused/3-retry-healed"),
        ("pg_terminate/1-build", "pg_terminate/2-retry"),
        ("fail_fast/1-build", "fail_fast/2-retry"),
        ("retry_state_dir/1-build", "retry_state_dir/2-retry"),
    ],
)
def test_resume_of_what_is_all_recorded_is_verified(first: str, retry: str) -> None:
    """P6: the placeholders are owed, and the retry did them all."""
    session, answer = resumed_by_a_person(sample(first), retry)
    assert isinstance(answer, Succeed)
    assert session.attempts[-1].proof is Proof.VERIFIED
