"""What a green run is worth: done, or a failure in disguise."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.core.dbt.commands import warns_as_errors
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.decision import rerun_state
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Rerun, Succeed
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.owed_work import WHOLE_COMMANDS, is_uncounted, out_of_reach, owed_commands
from airflow_dbt_rerun.core.heal.session import GIVEN, SUPERSEDED_BY, Attempt, PlannedRerun, RerunSession
from airflow_dbt_rerun.core.heal.verify import Verification, hollow_diagnosis, verify
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy


def on_success(
    session: RerunSession, seen: RunSeen, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """Verify a heal: the task is done if what was owed is, and only then.

    :param session: with the run as its newest attempt.
    :param now: epoch seconds.
    """
    run, current = seen.run, session.attempts[-1]
    if not session.repaired_by(run.id):
        return session, Succeed(run.id, _why_done(current))
    checked = verify(
        seen.before,
        seen.results,
        whole_commands=current.kind in WHOLE_COMMANDS,
        warnings_fail=current.kind == RerunAction.RERUN_FROM_FAILURE
        and any(map(warns_as_errors, current.resumes[:1])),
        out_of_reach=out_of_reach(session),
        uncounted=is_uncounted(session),
    )
    session = session.with_current(
        verification=checked.summary,
        hollow=checked.is_hollow,
        nodes_run=checked.nodes_run,
        nodes_saved=checked.nodes_saved,
    )
    if checked.is_hollow:
        return _on_hollow(session, seen, checked, policy, now)
    return session, Succeed(run.id, checked.summary)


def _why_done(current: Attempt) -> str:
    if current.kind == GIVEN:
        return "dbt says success: there is nothing to rerun"
    return "dbt says success"


def _on_hollow(
    session: RerunSession, seen: RunSeen, checked: Verification, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """A green run that left owed work undone is a failure in disguise: what it owes runs once as a whole."""
    run, commands = seen.run, owed_commands(session)
    diagnosis = hollow_diagnosis(run, checked)
    session = session.with_current(diagnosis=diagnosis.to_dict(), fingerprint=diagnosis.fingerprint)
    reason = f"dbt run {run.id} is {checked.summary}"
    why_not = _why_not_once_more(session, diagnosis, seen, policy, now)
    if why_not:
        session = session.with_current(decision=f"fail: {why_not}")
        return session, Fail(f"{reason}; {why_not}", kind="hollow", run=run, diagnosis=diagnosis)
    action = RerunAction.RERUN_FROM_STEP
    plan = PlannedRerun(run.id, action, now, 0.0, "the resumed run was hollow", commands)
    session = replace(session.with_current(decision=f"{action}: {plan.reason}"), plan=plan)
    return session, Rerun(action, run.id, plan.reason, session.overrides_of(action, commands, {}))


def _why_not_once_more(
    session: RerunSession, diagnosis: Diagnosis, seen: RunSeen, policy: RerunPolicy | None, now: float
) -> str | None:
    if policy is None:
        return "no policy was given, so nothing is rerun"
    if session.attempts[-1].kind == SUPERSEDED_BY:
        return "the job's newer run did other work, and is not ours to repeat"
    if any(attempt.hollow for attempt in session.attempts[:-1]):
        return "that has happened before"
    if not owed_commands(session):
        return "the commands of the job could not be read"
    return policy.stopped(rerun_state(session, seen.run, diagnosis, now))
