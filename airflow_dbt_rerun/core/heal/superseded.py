"""What to do about a run because of newer runs of its job: follow one that does the same work, or say why not."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.core.dbt.executed import executed
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run, RunTrigger
from airflow_dbt_rerun.core.heal.next_steps import NextStep, WaitForRun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.same_work import differences, stand_in
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy, Superseded

ADOPTS = frozenset({Superseded.ADOPT, Superseded.ADOPT_AND_RERUN})


def follow_superseding(
    session: RerunSession, seen: RunSeen, policy: RerunPolicy
) -> tuple[RerunSession, NextStep] | None:
    """Follow the run that does this one's work, if the policy allows it and there is one."""
    if policy.superseded not in ADOPTS:
        return None
    session = replace(session, plan=None)
    if seen.rerun is not None:  # it has to do what this run left undone
        rerun = seen.rerun.run
        session = session.planning(
            rerun, after=seen.run, why="it was resumed outside this task", certain=seen.rerun.certain
        )
        session = session.following(rerun).with_current(ours=False)
        return replace(session, adopted=False), WaitForRun(rerun.id)
    found = stand_in(_as_asked_for(session, seen.run), seen.newer, session.executed)
    return (session.following(found), WaitForRun(found.id)) if found else None


def follow_replacing(
    session: RerunSession, seen: RunSeen, policy: RerunPolicy | None
) -> tuple[RerunSession, NextStep] | None:
    """Follow a newer run of the same work and the same trigger, because of which dbt cancelled this one.

    dbt's scheduler cancels a queued run when the next one is queued (docs.getdbt.com/docs/deploy/job-scheduler):
    that is no failure, so it needs no policy. A run that had begun its commands was not in the queue.
    """
    if executed(seen.run) or (policy is not None and policy.superseded not in ADOPTS):
        return None
    category = seen.run.trigger.cause_category if seen.run.trigger else None
    newer = [run for run in seen.newer if run.trigger and run.trigger.cause_category == category]
    found = stand_in(_as_asked_for(session, seen.run), newer, session.executed)
    if found is None:
        return None
    session = session.with_current(decision=f"follow run {found.id}: dbt cancelled this one for it")
    return replace(session, plan=None).following(found), WaitForRun(found.id)


def why_not_followed(session: RerunSession, seen: RunSeen) -> str | None:
    """Say why a superseded run can neither be resumed nor left to a newer one; None if it is not superseded."""
    if seen.run.retry_not_supported_reason != RetryNotSupported.NOT_LATEST_RUN:
        return None
    if seen.newest is None:
        return "dbt says that the job has a newer run, but does not list it"
    other = differences(_as_asked_for(session, seen.run), seen.newest, session.executed)
    same = f"which does not stand for this one: its status is {seen.newest.status_name}"
    did = f"which did other work ({'; '.join(other)})" if other else same
    return f"the job has a newer run, {seen.newest.id}, {did}"


def _as_asked_for(session: RerunSession, run: Run) -> Run:
    """Return a run with the overrides and commands of attempt 1: those define the work."""
    trigger = replace(run.trigger or RunTrigger(), overrides=session.overrides)
    defined = session.definition.commands if session.definition else ()
    commands = tuple(session.overrides.get("steps_override") or defined or run.job_commands or run.commands)
    return replace(
        run, trigger=trigger, commands=commands, steps=run.steps if run.id == session.attempts[0].run_id else ()
    )
