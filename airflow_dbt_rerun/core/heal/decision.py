"""What to do about one failed run: the policy's answer, within the limits that no policy can lift."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.progress import Progress
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.rerun_kind import could_not_resume
from airflow_dbt_rerun.core.heal.session import SUPERSEDED_BY, RerunSession
from airflow_dbt_rerun.core.policy.conditions import RerunState
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunDecision, RerunPolicy, RerunRule, Superseded

NO_PROGRESS_LIMIT = 2
"""A run that fails just like this many before it, in a row, is the last."""


def decide(
    session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> RerunDecision:
    """Decide about one failed or cancelled run.

    :param session: the attempts so far; the newest is this run.
    :param policy: None reruns nothing.
    :param now: epoch seconds.
    """
    if policy is None:
        return RerunDecision(RerunAction.FAIL, "no policy was given, so the failure is only reported")
    if session.attempts[-1].kind == SUPERSEDED_BY and policy.superseded is not Superseded.ADOPT_AND_RERUN:
        return RerunDecision(RerunAction.FAIL, "this newer run of the job is not ours to rerun")
    if stuck := _no_progress(session, diagnosis):
        return RerunDecision(RerunAction.FAIL, stuck, exhausted=diagnosis.verdict.healable)
    policy = replace(policy, rules=_rules(session, run, diagnosis, policy))
    decision = policy.decide(rerun_state(session, run, diagnosis, now))
    starts = decision.action is not RerunAction.FAIL
    if starts and session.deadline is not None and now + decision.wait_seconds >= session.deadline:
        late = f"{decision.reason}, but the next attempt would start after the timeout"
        return RerunDecision(RerunAction.FAIL, late, exhausted=True)
    return decision


def progress(session: RerunSession, diagnosis: Diagnosis) -> Progress | None:
    """Tell what the newest attempt healed of what the one before it left undone; None where nobody counted."""
    if len(session.attempts) < 2:  # noqa: PLR2004 - it takes two to compare
        return None
    owed = (session.attempts[-2].diagnosis or {}).get("undone")
    return None if owed is None or diagnosis.undone is None else Progress(owed, diagnosis.undone)


def rerun_state(session: RerunSession, run: Run, diagnosis: Diagnosis, now: float) -> RerunState:
    """Collect what conditions, stops and waits may look at."""
    return RerunState(
        run,
        diagnosis,
        attempt_number=len(session.counted),
        seconds_since_start=max(now - session.started_at, 0.0),
        failed_runs=run.failed_runs,
        progress=progress(session, diagnosis),
    )


def _rules(session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy) -> tuple[RerunRule, ...]:
    """Give the policy's rules, unless this is no failure of the work at all."""
    if run.is_cancelled and diagnosis.verdict is Category.UNKNOWN:
        return (RerunRule(cancelled_by_nobody_known, policy.on_unknown_cancel),)
    resumed = session.attempts[-1].kind == RerunAction.RERUN_FROM_FAILURE
    if resumed and could_not_resume(diagnosis):
        return (RerunRule(dbt_could_not_resume, policy.fallback),)
    return tuple(policy.rules)


def cancelled_by_nobody_known(state: RerunState) -> bool:
    """Name the reason why a cancelled run is rerun: the policy's ``on_unknown_cancel``."""
    return state.run.is_cancelled and state.run.cancelled_by is None


def dbt_could_not_resume(state: RerunState) -> bool:
    """Name the reason why a resumed run that dbt refused to resume is run anew: the policy's ``fallback``."""
    return could_not_resume(state.diagnosis) is not None


def _no_progress(session: RerunSession, diagnosis: Diagnosis) -> str | None:
    """The same nodes failing with the same words again and again: more of the same will not help."""
    earlier = session.counted[:-1][-NO_PROGRESS_LIMIT:]
    if len(earlier) < NO_PROGRESS_LIMIT or any(a.fingerprint != diagnosis.fingerprint for a in earlier):
        return None
    runs = " and ".join(f"{attempt.run_id} (fingerprint {attempt.fingerprint})" for attempt in earlier)
    return f"no progress: fingerprint {diagnosis.fingerprint}, the very same failure as in runs {runs}"
