"""Hold back what the policy has decided to do about a failure: in shadow mode, or while reruns are paused.

The task then ends as it would without a policy, and says what the policy would have done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from airflow_dbt_rerun.core.heal.loop import diagnosed
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Rerun, WaitForRun
from airflow_dbt_rerun.core.heal.observations import Observation, RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.action_words import imperative
from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.signatures import Signature

SHADOW = "shadow mode starts nothing"


def acts(step: NextStep, seen: Observation) -> TypeGuard[Rerun | AskPerson | WaitForRun]:
    """Return whether a step starts a rerun, waits for one, asks a person about one, or follows another run.

    :param seen: what the step was decided on.
    """
    if isinstance(step, WaitForRun):
        return step.until is not None or _follows(step, seen)
    return isinstance(step, (Rerun, AskPerson))


def _follows(step: WaitForRun, seen: Observation) -> bool:
    """Return whether a step takes another run for one that failed: without a policy, the failure would count."""
    return isinstance(seen, RunSeen) and seen.run.is_error and step.run_id != seen.run.id


def held_back(
    session: RerunSession,
    step: Rerun | AskPerson | WaitForRun,
    seen: Observation,
    why: str,
    signatures: Sequence[Signature] = (),
) -> tuple[RerunSession, Fail]:
    """Return the end of a task whose next rerun is held back.

    :param step: what the policy has decided.
    :param why: why nothing is started, for example :data:`SHADOW`.
    """
    if isinstance(step, WaitForRun) and _follows(step, seen):
        session = replace(session, attempts=session.attempts[:-1])
        action, words = None, f"follow run {step.run_id}, a newer run of the job"
    else:
        action, words = _would(session, step)
    said = f"{why}; the policy would {words}"
    session = replace(session, plan=None).with_current(decision=f"fail: {said}", would=action and str(action))
    run = seen.run if isinstance(seen, RunSeen) else None
    diagnosis = diagnosed(seen, signatures) if isinstance(seen, RunSeen) and not seen.run.is_success else None
    headline = diagnosis.headline if diagnosis else None
    what = f"{headline}. " if headline else ""
    reason = f"{what}dbt run {session.run_id} is not rerun: {said}"
    return session, Fail(reason, "failed", False, run, diagnosis, said)


def _would(session: RerunSession, step: Rerun | AskPerson | WaitForRun) -> tuple[RerunAction, str]:
    plan = session.plan
    if isinstance(step, AskPerson):
        return RerunAction.ASK, f"{imperative(RerunAction.ASK)}: {plan.reason if plan else 'a rule says so'}"
    if isinstance(step, Rerun):
        return step.action, f"{imperative(step.action)}: {step.reason}"
    assert plan is not None
    return plan.action, f"{imperative(plan.action)} after {plan.wait_seconds:.0f} s: {plan.reason}"
