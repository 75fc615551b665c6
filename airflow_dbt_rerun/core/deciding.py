"""What to do about one failed run: the policy's answer, within the limits that no policy can lift."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.core.conditions import RerunState
from airflow_dbt_rerun.core.findings import Diagnosis
from airflow_dbt_rerun.core.memory import SUPERSEDED_BY, RerunSession
from airflow_dbt_rerun.core.models import Run
from airflow_dbt_rerun.core.policy import RerunAction, RerunDecision, RerunPolicy, RerunRule
from airflow_dbt_rerun.core.progress import Progress

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
    if session.attempts[-1].kind == SUPERSEDED_BY:
        return RerunDecision(RerunAction.FAIL, "this newer run of the job is not ours to rerun")
    if run.is_cancelled:
        policy = replace(policy, rules=[RerunRule(cancelled_by_nobody_known, policy.on_unknown_cancel)])
    if stuck := _no_progress(session, diagnosis):
        return RerunDecision(RerunAction.FAIL, stuck, exhausted=diagnosis.verdict.healable)
    decision = policy.decide(_state(session, run, diagnosis, now))
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


def _state(session: RerunSession, run: Run, diagnosis: Diagnosis, now: float) -> RerunState:
    return RerunState(
        run,
        diagnosis,
        attempt_number=len(session.attempts),
        seconds_since_start=max(now - session.started_at, 0.0),
        failed_runs=run.failed_runs,
        progress=progress(session, diagnosis),
    )


def cancelled_by_nobody_known(state: RerunState) -> bool:
    """Name the reason why a cancelled run is rerun: the policy's ``on_unknown_cancel``."""
    return state.run.is_cancelled and state.run.cancelled_by is None


def _no_progress(session: RerunSession, diagnosis: Diagnosis) -> str | None:
    """The same nodes failing with the same words again and again: more of the same will not help."""
    earlier = session.attempts[:-1][-NO_PROGRESS_LIMIT:]
    if len(earlier) < NO_PROGRESS_LIMIT or any(a.fingerprint != diagnosis.fingerprint for a in earlier):
        return None
    runs = " and ".join(f"{attempt.run_id} (fingerprint {attempt.fingerprint})" for attempt in earlier)
    return f"no progress: fingerprint {diagnosis.fingerprint}, the very same failure as in runs {runs}"
