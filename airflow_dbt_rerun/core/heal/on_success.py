"""Judge a green run: the work is done, or the success is hollow."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.core.dbt.commands import warns_as_errors
from airflow_dbt_rerun.core.dbt.executed import (
    contradicting_step,
    did_not_finish,
    executed,
    is_of_another_definition,
    leaves_out,
    unfinished_step,
    was_edited_since,
)
from airflow_dbt_rerun.core.dbt.merging import undone
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.attempt import GIVEN, RUNS_EVERYTHING, TRIGGERED, Attempt
from airflow_dbt_rerun.core.heal.decision import count_post, rerun_state
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Rerun, Succeed
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.owed_work import (
    WHOLE_COMMANDS,
    is_uncounted,
    other_commands,
    out_of_reach,
    owed_commands,
)
from airflow_dbt_rerun.core.heal.planned import PlannedRerun
from airflow_dbt_rerun.core.heal.same_work import chose_its_code, moved_by
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import Proof, Verification, hollow_diagnosis, verify
from airflow_dbt_rerun.core.messages import counted, listed
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy

_SHOWN = 5

EDITED = (
    "the job was edited after the first run had started, so the commands that were left are not known; "
    "dbt's own status counts"
)


def on_success(
    session: RerunSession, seen: RunSeen, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """Verify a rerun: the task is done only if all owed work is.

    :param session: with the run as its newest attempt.
    :param now: epoch seconds.
    """
    run, current = seen.run, session.attempts[-1]
    session = session.with_current(warnings=_warnings(seen))
    if step := contradicting_step(run):
        return _on_contradiction(session, run, step)
    if why := _why_other_work(session, run):
        return _on_other_work(session, run, why)
    if not session.repaired_by(run.id) and not undone(seen.before):
        return _doubting(_ran_whole(session, run), run), Succeed(run.id, _why_done(current))
    checked = verify(
        seen.before,
        seen.results,
        whole_commands=current.kind in WHOLE_COMMANDS,
        warnings_fail=current.kind == RerunAction.RERUN_FROM_FAILURE
        and any(map(warns_as_errors, current.resumes[:1])),
        out_of_reach=out_of_reach(session),
        uncounted=is_uncounted(session),
        still_there=seen.still_there,
        others=other_commands(session, run),
    )
    session = session.with_current(
        proof=checked.proof,
        verification=checked.summary,
        hollow=checked.is_hollow,
        nodes_run=checked.nodes_run,
        nodes_saved=checked.nodes_saved,
    )
    if checked.is_hollow:
        return _on_hollow(session, seen, checked, policy, now)
    session = _doubting(session, run)
    return session, Succeed(run.id, session.attempts[-1].verification or checked.summary)


def _on_contradiction(session: RerunSession, run: Run, step: RunStep) -> tuple[RerunSession, NextStep]:
    """Refuse a success that the run's own steps contradict: a person has to look."""
    ended = "Error" if step.is_error else "Cancelled"
    why = f"dbt reports that run {run.id} succeeded, but that its step {step.index} ({step.title}) ended in {ended}"
    session = session.with_current(
        proof=Proof.HOLLOW,
        verification=f"hollow: {why}",
        hollow=True,
        decision="fail: dbt's record contradicts itself",
    )
    return session, Fail(f"{why}: look at the run in dbt, then clear this task", kind="hollow", run=run)


def _ran_whole(session: RerunSession, run: Run) -> RerunSession:
    """Record what a run of the whole job proves: its steps, and not its status alone, tell that it ran."""
    if session.attempts[-1].kind in (TRIGGERED, GIVEN):
        return session
    proof, why = Proof.VERIFIED, "the commands ran as a whole"
    if not executed(run):
        proof, why = Proof.NOT_VERIFIABLE, f"no step of run {run.id} can be read, so dbt's own status counts"
    return session.with_current(proof=proof, verification=f"{proof}: {why}")


def _doubting(session: RerunSession, run: Run) -> RerunSession:
    """Claim less where what was left of attempt 1 is not known, or not shown as done.

    How dbt names the steps of a resumed run is not documented, so a difference there is no proof either.
    """
    why, owed = _what_is_not_on_record(run), session.attempts[-1].resumes
    if len(session.attempts) > 1:
        why = _what_was_edited(session, run) or why
    if session.attempts[0].kind == TRIGGERED and did_not_finish(owed, run):
        why = f"the steps of run {run.id} do not show all of {'; '.join(owed)}"
    if why is None:
        return session
    return session.with_current(proof=Proof.NOT_VERIFIABLE, verification=f"{Proof.NOT_VERIFIABLE}: {why}")


def _what_is_not_on_record(run: Run) -> str | None:
    """Say which of its steps a green run does not show as done; None if it shows all."""
    if step := unfinished_step(run):
        return f"dbt reports that run {run.id} succeeded while its step {step.index} ({step.title}) is in progress"
    if is_of_another_definition(run):
        return f"the steps of run {run.id} do not show all of {'; '.join(run.commands)}"
    return None


def _what_was_edited(session: RerunSession, run: Run) -> str | None:
    """Say what is not known because the job was edited; None if what this run had to do is known."""
    if session.definition is None:
        return EDITED if was_edited_since(run, session.created_at) else None
    moved = session.definition.moved(run, session.overrides)
    return f"the job was edited after the first run had started: {moved}" if moved else None


def _why_other_work(session: RerunSession, run: Run) -> str | None:
    """Say how a green run differs from the one that failed, as it does if the job was edited meanwhile."""
    if elsewhere := _where_else(session, run):
        return elsewhere
    if not session.repaired_by(run.id) and len(session.attempts) > 1 and (wanted := _left_out(session, run)):
        return f"executed {'; '.join(executed(run))}, and not {'; '.join(wanted)}"
    owed, kind = session.attempts[-1].resumes, session.attempts[-1].kind
    was_cut = kind == RerunAction.RERUN_FROM_STEP or session.edited(run)
    if was_cut and did_not_finish(owed, run):
        return f"executed {'; '.join(executed(run))}, and not all of {'; '.join(owed)}"
    return None


def _where_else(session: RerunSession, run: Run) -> str | None:
    """Say in which other place a run built, as far as dbt names both."""
    for what, there, here in (
        ("environment", session.environment_id, run.environment_id),
        ("project", session.project_id, run.project_id),
        ("branch", session.git_branch, run.git_branch),
    ):
        if None not in (there, here) and there != here and not (what == "branch" and chose_its_code(run)):
            return f"ran in {what} {here}, and not in {there}"
    if session.attempts[-1].kind == RerunAction.RERUN_FROM_FAILURE and (moved := moved_by(session.overrides, run)):
        return f"was started with other overrides ({', '.join(moved)}), and not in the same place"
    return None


def _left_out(session: RerunSession, run: Run) -> tuple[str, ...]:
    """Return the commands of the work, if a whole run of it executed other ones."""
    if session.definition is None:
        return session.executed if leaves_out(session.executed, run) else ()
    commands = session.definition.commands
    return commands if is_of_another_definition(replace(run, commands=commands)) else ()


def _on_other_work(session: RerunSession, run: Run, difference: str) -> tuple[RerunSession, NextStep]:
    """Refuse a green run that did not do what had failed, as happens where the job was edited meanwhile."""
    why = f"dbt run {run.id} {difference} as the run that failed"
    is_known = session.edited(run) or was_edited_since(run, session.created_at)
    cause = "the job was edited meanwhile" if is_known else "the job may have been edited meanwhile"
    session = session.with_current(
        proof=Proof.HOLLOW,
        verification=f"hollow: {why}",
        hollow=True,
        decision=f"fail: {cause}",
    )
    hint = f"{cause}: clear this task to run the job as it is now"
    return session, Fail(f"{why}; {hint}", kind="hollow", run=run)


def _warnings(seen: RunSeen) -> tuple[str, ...]:
    """Name the nodes that failed in a run that dbt calls a success, as far as its results were read."""
    failed = [node.name for artifact in seen.results for node in artifact.nodes if node.is_failed]
    if not failed:
        return ()
    return (f"dbt reports success, but {counted(len(failed), 'node')} failed: {listed(failed, _SHOWN)}",)


def _why_done(current: Attempt) -> str:
    if current.kind == GIVEN:
        return "dbt reports success, so there is nothing to rerun"
    return "dbt reports success"


def _on_hollow(
    session: RerunSession, seen: RunSeen, checked: Verification, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """Run the owed commands once more as a whole after a green run that left owed work undone."""
    run, commands = seen.run, owed_commands(session)
    diagnosis = hollow_diagnosis(run, checked)
    session = session.with_current(diagnosis=diagnosis.to_dict(), fingerprint=diagnosis.fingerprint)
    reason = f"dbt run {run.id} is {checked.summary}"
    why_not = _why_not_once_more(session, diagnosis, seen, policy, now)
    if checked.left_out:
        why_not = "another run of the same commands would leave them out again: change the job, or run them in dbt"
    if why_not is None and policy is not None:
        session, why_not = count_post(session, run, diagnosis, policy, now)
    if why_not:
        session = session.with_current(decision=f"fail: {why_not}")
        return session, Fail(f"{reason}; {why_not}", kind="hollow", run=run, diagnosis=diagnosis)
    action, current = RerunAction.RERUN_FROM_STEP, session.attempts[-1]
    # A run that may be somebody else's is not the one that is repaired.
    of_run = run.id if current.certain or current.of_run is None else current.of_run
    plan = PlannedRerun(of_run, action, now, 0.0, "the resumed run was hollow", commands)
    session = replace(session.with_current(decision=f"{action}: {plan.reason}"), plan=plan)
    return session, Rerun(action, of_run, plan.reason, session.overrides_of(action, commands, {}))


def _why_not_once_more(
    session: RerunSession, diagnosis: Diagnosis, seen: RunSeen, policy: RerunPolicy | None, now: float
) -> str | None:
    if policy is None:
        return "no policy was given, so nothing is rerun"
    if any(attempt.hollow for attempt in session.attempts[:-1]):
        return "an earlier run was hollow too"
    if session.attempts[-1].kind in RUNS_EVERYTHING:
        return "the whole job ran, and another run of it can be expected to do the same"
    if not owed_commands(session):
        return "the job's commands could not be read"
    return policy.stopped(rerun_state(session, seen.run, diagnosis, now))
