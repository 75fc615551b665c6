"""The loop, as values: what was seen goes in, what to do next comes out.

``next_step(session, observation, policy, now) -> (session, step)`` is the only place that decides. The blocking
operator, the deferrable one and the command line drive this one function; it never sleeps and never calls out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.deciding import decide, progress
from airflow_dbt_rerun.core.diagnosis import diagnose
from airflow_dbt_rerun.core.findings import Diagnosis
from airflow_dbt_rerun.core.kinds import choose_kind, commands_from_failed_step
from airflow_dbt_rerun.core.memory import SUPERSEDED_BY, Attempt, Plan, RerunSession
from airflow_dbt_rerun.core.models import Run
from airflow_dbt_rerun.core.policy import RerunAction, RerunPolicy, Superseded
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.steps import (
    Fail,
    NoRun,
    NotReadable,
    Observation,
    Refused,
    Rerun,
    RunSeen,
    Step,
    Succeed,
    Trigger,
    Wait,
)
from airflow_dbt_rerun.core.verify import verify

__all__ = [
    "Attempt",
    "Fail",
    "NoRun",
    "NotReadable",
    "Observation",
    "Plan",
    "Refused",
    "Rerun",
    "RerunSession",
    "RunSeen",
    "Step",
    "Succeed",
    "Trigger",
    "Wait",
    "next_step",
]


def next_step(
    session: RerunSession,
    seen: Observation,
    policy: RerunPolicy | None,
    now: float,
    *,
    signatures: Sequence[Signature] = (),
) -> tuple[RerunSession, Step]:
    """Say what to do next about one piece of work.

    :param session: what happened so far.
    :param seen: what was read a moment ago.
    :param policy: when to rerun; None only diagnoses.
    :param now: epoch seconds.
    :param signatures: the user's own error signatures, tried first.
    """
    if isinstance(seen, NotReadable):
        return session, Fail(seen.reason, kind="unwatchable", retryable=True)
    if isinstance(seen, NoRun):
        return _on_no_run(session)
    if isinstance(seen, Refused):
        reason = f"the platform refused to rerun run {seen.run.id}: {seen.message}"
        return replace(session, plan=None), Fail(reason, kind="exhausted", retryable=True, run=seen.run)

    run = seen.run
    session = _note(session, run)
    if run.is_success:
        return _on_success(session, seen)
    if run.is_cancelled or run.is_error:
        diagnosis = diagnose(run, seen.results, signatures=signatures, facts=seen.facts)
        on = _on_cancelled if run.is_cancelled else _on_failure
        return on(session, seen, diagnosis, policy, now)
    if session.deadline is not None and now >= session.deadline:
        return session, Fail(_out_of_time(session, run), kind="timeout", retryable=True, run=run)
    return session, Wait(run.id)


def _on_no_run(session: RerunSession) -> tuple[RerunSession, Step]:
    if session.current is None:
        return session, Trigger()
    reason = f"run {session.run_id} is not there any more: it was deleted, or the token lost its permission"
    return session, Fail(reason, kind="unwatchable", retryable=False)


def _note(session: RerunSession, run: Run) -> RerunSession:
    """Remember the run: as a new attempt if it is one, and its newest status."""
    if session.run_id != run.id:
        session = session.following(run)
    current = session.attempts[-1]
    return session.with_current(
        status=run.status_name, url=run.href or current.url, git_sha=run.git_sha or current.git_sha
    )


def _on_success(session: RerunSession, seen: RunSeen) -> tuple[RerunSession, Step]:
    run, current = seen.run, session.attempts[-1]
    if current.kind != RerunAction.RERUN_FROM_FAILURE:
        words = "a newer run of the job did the work" if current.kind == SUPERSEDED_BY else "dbt says success"
        return session, Succeed(run.id, words)
    checked = verify(seen.before, seen.results)
    session = session.with_current(
        verification=checked.summary, nodes_run=checked.nodes_run, nodes_saved=checked.nodes_saved
    )
    if checked.is_hollow:  # a green run that did not do the owed work is a failure in disguise
        return session, Fail(f"dbt run {run.id} is {checked.summary}", kind="hollow", run=run)
    return session, Succeed(run.id, checked.summary)


def _on_cancelled(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, Step]:
    """A cancelled run is over for good, unless the policy says what to do when nobody knows who cancelled it."""
    run, who = seen.run, seen.run.cancelled_by
    unexplained = who is None and diagnosis.verdict is Category.UNKNOWN
    if unexplained and policy is not None and policy.on_unknown_cancel is not RerunAction.FAIL:
        return _on_failure(session, seen, diagnosis, policy, now)
    session = session.with_current(diagnosis=diagnosis.to_dict(), decision="fail: a cancelled run is not rerun")
    why = f"cancelled by {who}" if who else f"cancelled: {run.status_message or 'no reason given'}"
    reason = f"run {run.id} was {why}; a cancelled run is not rerun"
    return session, Fail(reason, "cancelled", retryable=who is None, run=run, diagnosis=diagnosis)


def _on_failure(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, Step]:
    if session.plan is None or session.plan.run_id != seen.run.id:
        session, stop = _decide(session, seen.run, diagnosis, policy, now)
        if stop is not None:
            return session, stop
    plan = session.plan
    assert plan is not None
    if now < plan.not_before:
        return session, Wait(seen.run.id, until=plan.not_before)
    assert policy is not None
    return _carry_out(session, plan, seen, diagnosis, policy)


def _decide(
    session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, Fail | None]:
    """Ask the policy once for each failed run, and remember the answer as a plan."""
    decision = decide(session, run, diagnosis, policy, now)
    came = progress(session, diagnosis)
    session = session.with_current(
        diagnosis=diagnosis.to_dict(),
        fingerprint=diagnosis.fingerprint,
        progress=str(came) if came else None,
        decision=f"{decision.action}: {decision.reason}",
    )
    if decision.action is not RerunAction.FAIL:
        not_before = now + decision.wait_seconds
        plan = Plan(
            run.id,
            decision.action,
            not_before,
            decision.wait_seconds,
            decision.reason,
            overrides=dict(decision.overrides),
        )
        return replace(session, plan=plan), None
    kind = "exhausted" if decision.exhausted else "failed"
    reason = _tell(run, diagnosis, decision.reason)
    return session, Fail(reason, kind, decision.exhausted, run, diagnosis)


def _carry_out(
    session: RerunSession, plan: Plan, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy
) -> tuple[RerunSession, Step]:
    run = seen.run
    choice = choose_kind(plan.action, run, diagnosis, policy.fallback, plan.overrides)
    if choice.superseded and policy.superseded is not Superseded.RERUN_FROM_START:
        return _on_superseded(session, seen, diagnosis, policy)
    action = RerunAction.RERUN_FROM_START if choice.superseded else choice.action
    if action is RerunAction.FAIL:
        reason = _tell(run, diagnosis, f"no rerun is possible: {choice.why_not_wanted}")
        return replace(session, plan=None), Fail(reason, run=run, diagnosis=diagnosis)
    commands = commands_from_failed_step(run, session.attempts[-1].resumes)
    if action is RerunAction.RERUN_FROM_STEP and not commands:
        reason = _tell(run, diagnosis, "no rerun is possible: the commands of the job could not be read")
        return replace(session, plan=None), Fail(reason, run=run, diagnosis=diagnosis)
    resumes = commands if action is RerunAction.RERUN_FROM_FAILURE else ()
    session = replace(session, plan=replace(plan, action=action, commands=resumes))
    overrides = _overrides(session, action, commands, plan.overrides)
    return session, Rerun(action, run.id, plan.reason, overrides, choice.why_not_wanted)


def _on_superseded(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy
) -> tuple[RerunSession, Step]:
    session = replace(session, plan=None)
    if policy.superseded is Superseded.ADOPT and seen.rerun is not None:  # it owes what this run left undone
        session = session.planning(seen.rerun, after=seen.run).following(seen.rerun)
        return session.with_current(ours=False), Wait(seen.rerun.id)
    if policy.superseded is Superseded.ADOPT and seen.newest is not None and seen.newest.id != seen.run.id:
        return session.following(seen.newest), Wait(seen.newest.id)
    newer = f" (run {seen.newest.id})" if seen.newest else ""
    reason = _tell(seen.run, diagnosis, f"the job has a newer run{newer}, so this one cannot be resumed")
    return session, Fail(reason, run=seen.run, diagnosis=diagnosis)


def _overrides(
    session: RerunSession, action: RerunAction, commands: tuple[str, ...], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Carry over what attempt 1 was triggered with, and what the rule adds; a resumed run takes nothing."""
    if action is RerunAction.RERUN_FROM_FAILURE:
        return {}
    from_step = {"steps_override": list(commands)} if action is RerunAction.RERUN_FROM_STEP else {}
    return {**session.overrides, **from_step, **wanted}


def _tell(run: Run, diagnosis: Diagnosis, why: str) -> str:
    first = f". {diagnosis.findings[0]}" if diagnosis.findings else ""
    return f"dbt run {run.id} ended in {run.status_name}: {why}{first}"


def _out_of_time(session: RerunSession, run: Run) -> str:
    allowed = (session.deadline or 0.0) - session.started_at
    return f"stopped waiting for dbt run {run.id} after {allowed:.0f} s; it was {run.status_name}"
