"""Decide about one failed run: the policy's answer, within limits that no policy can lift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.progress import Progress
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.attempt import SUPERSEDED_BY
from airflow_dbt_rerun.core.heal.possible_rerun import could_not_resume
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.messages import counted
from airflow_dbt_rerun.core.policy.conditions import RerunState
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunDecision, RerunPolicy, RerunRule, Superseded

NO_PROGRESS_LIMIT = 2
"""After this many consecutive attempts with the same failure, one more identical failure ends the reruns."""

MOST_OPEN_POSTS = 3
"""Most POSTs of one try that no new run follows, for policies that do not limit the attempts."""

UNCERTAIN = "dbt does not record which run this one resumes, so it may not be part of this work and is not rerun"


def decide(
    session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> RerunDecision:
    """Decide about one failed or cancelled run.

    :param session: the attempts so far; the newest is this run.
    :param policy: when to rerun; None reruns nothing.
    :param now: epoch seconds.
    """
    if policy is None:
        return RerunDecision(RerunAction.FAIL, "no policy was given, so the failure is only reported")
    if session.attempts[-1].kind == SUPERSEDED_BY and policy.superseded is not Superseded.ADOPT_AND_RERUN:
        return RerunDecision(RerunAction.FAIL, "this newer run of the job was started outside this task")
    if not session.attempts[-1].certain:
        return RerunDecision(RerunAction.FAIL, UNCERTAIN)
    if stuck := _no_progress(session, diagnosis):
        return RerunDecision(RerunAction.FAIL, stuck, exhausted=diagnosis.verdict.healable)
    rules = _rules(session, run, diagnosis, policy)
    policy = policy if rules is policy.rules else replace(policy, rules=rules)  # which checks all of it again
    decision = policy.decide(rerun_state(session, run, diagnosis, now))
    starts = decision.action is not RerunAction.FAIL
    if starts and session.deadline is not None and now + decision.wait_seconds >= session.deadline:
        late = f"{decision.reason}, but the next attempt would start after the timeout"
        return RerunDecision(RerunAction.FAIL, late, exhausted=True)
    return decision


def count_post(
    session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy, now: float
) -> tuple[RerunSession, str | None]:
    """Count the POST of a planned rerun before it is sent; return why not if the limits allow no other one.

    Whatever the platform answers, no heal posts more often than its policy allows: a POST that no new run follows
    stays counted.
    """
    if session.open_posts:
        limit = policy.stopped(rerun_state(session, run, diagnosis, now))
        if limit or session.open_posts >= MOST_OPEN_POSTS:
            found_none = f"{counted(session.open_posts, 'POST')} started no run that can be found"
            return session, f"{found_none}; {limit}" if limit else found_none
    return replace(session, open_posts=session.open_posts + 1), None


def progress(session: RerunSession, diagnosis: Diagnosis) -> Progress | None:
    """Return what the newest attempt healed of what the previous one left undone; None if that is unknown."""
    if len(session.attempts) < 2:  # noqa: PLR2004 - a comparison needs two attempts
        return None
    owed = (session.attempts[-2].diagnosis or {}).get("undone")
    return None if owed is None or diagnosis.undone is None else Progress(owed, diagnosis.undone)


def rerun_state(session: RerunSession, run: Run, diagnosis: Diagnosis, now: float) -> RerunState:
    """Collect the facts that conditions, stops and waits can use."""
    return RerunState(
        run,
        diagnosis,
        attempt_number=session.attempt_number,
        seconds_since_start=max(now - session.started_at, 0.0),
        failed_runs=run.failed_runs,
        progress=progress(session, diagnosis),
    )


def _rules(session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy) -> Sequence[RerunRule]:
    """Return the policy's rules, or one rule made from a setting where the work itself did not fail."""
    if run.is_cancelled and diagnosis.verdict is Category.UNKNOWN:
        return (RerunRule(cancelled_without_known_actor, policy.on_unknown_cancel),)
    resumed = session.attempts[-1].kind == RerunAction.RERUN_FROM_FAILURE
    if resumed and could_not_resume(diagnosis):
        return (RerunRule(dbt_could_not_resume, policy.fallback),)
    return policy.rules


def cancelled_without_known_actor(state: RerunState) -> bool:
    """Match a cancelled run without a recorded actor: the policy's ``on_unknown_cancel`` applies."""
    return state.run.is_cancelled and state.run.cancelled_by is None


setattr(cancelled_without_known_actor, "words", "dbt records neither who cancelled the run nor why")  # noqa: B010


def dbt_could_not_resume(state: RerunState) -> bool:
    """Match a resumed run that dbt itself could not resume: the policy's ``fallback`` applies."""
    return could_not_resume(state.diagnosis) is not None


setattr(dbt_could_not_resume, "words", "dbt itself could not resume the run")  # noqa: B010


def _no_progress(session: RerunSession, diagnosis: Diagnosis) -> str | None:
    """Return why to stop if the same nodes keep failing with the same messages; else None."""
    earlier = session.counted[:-1][-NO_PROGRESS_LIMIT:]
    if len(earlier) < NO_PROGRESS_LIMIT or any(a.fingerprint != diagnosis.fingerprint for a in earlier):
        return None
    runs = " and ".join(str(attempt.run_id) for attempt in earlier)
    return f"no progress: the same failure as in runs {runs} (fingerprint {diagnosis.fingerprint})"
