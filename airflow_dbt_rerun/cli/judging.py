"""Diagnose a case and decide about it, with the same function that the operator uses."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from airflow_dbt_rerun.cli.cases import Advice, Case, Opinion
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.attempt import TRIGGERED, Attempt
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, Rerun, WaitForRun
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature

ADOPT = "adopt"


def judge(case: Case, policy: RerunPolicy, *, attempt: int = 1, signatures: Sequence[Signature] = ()) -> Opinion:
    """Return why a run failed and what the policy would do about it.

    :param attempt: the number of the attempt that the run stands for, 1-based; it counts as just ended.
    :param signatures: the user's error signatures, tried first.
    """
    if case.nothing is not None:
        return Opinion(case)
    seen = case.seen
    diagnosis = diagnose(seen.run, seen.results, signatures=signatures, facts=seen.facts)
    advice = _advice(case, policy, attempt, signatures)
    if case.is_file:  # a file's steps were not counted
        diagnosis = replace(diagnosis, evidence=diagnosis.evidence.partition(" of step")[0])
    return Opinion(case, diagnosis, advice)


def _advice(case: Case, policy: RerunPolicy, attempt: int, signatures: Sequence[Signature]) -> Advice:
    now = time.time()
    session, step = next_step(_session(case.seen.run, attempt, now), case.seen, policy, now, signatures=signatures)
    if isinstance(step, WaitForRun) and session.plan is not None:  # a rerun is planned: see how it would go on
        then = session.plan.not_before
        session, step = next_step(session, case.seen, policy, then, signatures=signatures)
    match step:
        case Rerun():
            return Advice(
                str(step.action),
                step.reason,
                wait_seconds=session.plan.wait_seconds if session.plan else 0.0,
                why_not_wanted=step.why_not_wanted,
                overrides={} if case.is_file else step.overrides,
            )
        case WaitForRun():
            return Advice(ADOPT, f"the job has a newer run ({step.run_id}): how it ends decides")
        case AskPerson():
            return Advice(str(RerunAction.ASK), session.attempts[-1].decision or "")
        case Fail():
            return Advice(str(RerunAction.FAIL), step.why or step.reason, exhausted=step.kind == "exhausted")
    raise AssertionError(f"the loop answered a failed run with {step!r}")


def _session(run: Run, attempt: int, now: float) -> RerunSession:
    """Make up a session in which this run is the n-th attempt, and nothing is known of those before it."""
    overrides = dict(run.trigger.overrides or {}) if run.trigger else {}
    attempts = (Attempt(0, TRIGGERED),) * (attempt - 1) + (Attempt(run.id, TRIGGERED, run.href),)
    return RerunSession(now, attempts=attempts, overrides=overrides)
