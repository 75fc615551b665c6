"""The rerun loop as a function of values: an observation goes in, the next step comes out.

``next_step(session, observation, policy, now) -> (session, step)`` makes every decision. The blocking operator, the
deferrable operator and the command line all drive this one function; it never sleeps and does no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.decision import count_post, decide, progress
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Rerun, StartRun, WaitForRun
from airflow_dbt_rerun.core.heal.observations import NoRun, NotReadable, Observation, Refused, RunSeen
from airflow_dbt_rerun.core.heal.on_success import on_success
from airflow_dbt_rerun.core.heal.planned import OpenQuestion, PlannedRerun
from airflow_dbt_rerun.core.heal.possible_rerun import RerunChoice, choose_kind
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.superseded import follow_replacing, follow_superseding, why_not_followed
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunDecision, RerunPolicy, Superseded
from airflow_dbt_rerun.core.signatures import Signature

LONGEST_QUESTION = 7 * 24 * 60 * 60.0
"""Seconds that a question waits if nothing else limits it."""


def next_step(
    session: RerunSession,
    seen: Observation,
    policy: RerunPolicy | None,
    now: float,
    *,
    signatures: Sequence[Signature] = (),
) -> tuple[RerunSession, NextStep]:
    """Return the next step for one piece of work, and the session that remembers it.

    :param session: what has happened so far.
    :param seen: what was just read.
    :param policy: when to rerun; with None, failures are only diagnosed.
    :param now: epoch seconds.
    :param signatures: the user's own error signatures, tried first.
    """
    if isinstance(seen, NotReadable):
        return session, _on_not_readable(session, seen, now)
    if isinstance(seen, NoRun):
        return _on_no_run(session)
    if isinstance(seen, Refused):
        return _on_refused(session, seen)

    run = seen.run
    found_cancelled = session.adopted and session.run_id != run.id and run.cancelled_by_starter
    session = _record(session, seen)
    run = session.as_defined(run)
    seen = replace(seen, run=run)
    if run.is_success:
        return on_success(session, seen, policy, now)
    if run.is_cancelled or run.is_error:
        diagnosis = diagnosed(seen, signatures)
        if found_cancelled:
            return _on_own_cancel(session, seen, diagnosis, policy, now)
        on = _on_cancelled if run.is_cancelled else _on_failure
        return on(session, seen, diagnosis, policy, now)
    if session.deadline is not None and now >= session.deadline:
        return session, Fail(_out_of_time(session, run), kind="timeout", retryable=True, run=run)
    return session, WaitForRun(run.id)


def diagnosed(seen: RunSeen, signatures: Sequence[Signature] = ()) -> Diagnosis:
    """Diagnose why an observed run failed."""
    return diagnose(seen.run, seen.results, signatures=signatures, facts=seen.facts)


def _on_not_readable(session: RerunSession, seen: NotReadable, now: float) -> Fail:
    if session.deadline is None or now < session.deadline:
        return Fail(seen.reason, kind="unwatchable", retryable=True)
    allowed = session.deadline - session.started_at
    return Fail(f"stopped waiting after {allowed:.0f} s; {seen.reason}", kind="timeout", retryable=True)


def _on_no_run(session: RerunSession) -> tuple[RerunSession, NextStep]:
    if session.current is None:
        return session, StartRun()
    reason = f"run {session.run_id} no longer exists, or the token lost the permission to read it"
    return session, Fail(reason, kind="unwatchable", retryable=False)


def _on_refused(session: RerunSession, seen: Refused) -> tuple[RerunSession, NextStep]:
    reason = f"the platform refused to rerun run {seen.run.id}: {seen.message}"
    kind = "failed" if seen.final else "exhausted"
    return replace(session, plan=None), Fail(reason, kind=kind, retryable=not seen.final, run=seen.run)


def _record(session: RerunSession, seen: RunSeen) -> RerunSession:
    """Record the run's newest status, as a new attempt if the run is one."""
    run = seen.run
    if session.run_id != run.id:
        session = replace(session.following(run), open_posts=max(session.open_posts - 1, 0))
        if not seen.certain:
            session = session.with_current(certain=False)
        if not (seen.certain and seen.ours):
            session = session.with_current(ours=False)
    current = session.attempts[-1]
    session = replace(session, job_name=run.job_name or session.job_name)
    return session.remembering(run).with_current(
        status=run.status_name,
        url=run.href or current.url,
        git_sha=run.git_sha or current.git_sha,
        seconds=run.seconds,
    )


def _on_cancelled(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """Fail if a person cancelled the run; let the policy decide if a timeout or the platform did."""
    run, actor = seen.run, seen.run.cancelled_by
    if actor is None:
        replaced = follow_replacing(session, seen, policy)
        return replaced or _on_failure(session, seen, diagnosis, policy, now)
    session = session.with_current(diagnosis=diagnosis.to_dict(), decision="fail: cancelled by a person")
    reason = f"run {run.id} was cancelled by {actor}; a run that a person cancels is not rerun"
    return session, Fail(reason, "cancelled", run=run, diagnosis=diagnosis)


def _on_own_cancel(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    """Rerun the commands of a run that an earlier try cancelled when it was killed or timed out.

    Airflow started this try, so the work has to continue.
    """
    policy = policy or RerunPolicy(rules=())
    whole = policy.fallback is RerunAction.RERUN_FROM_START
    action = RerunAction.RERUN_FROM_START if whole else RerunAction.RERUN_FROM_STEP
    plan = PlannedRerun(seen.run.id, action, now, 0.0, "an earlier try of this task stopped it")
    session = session.with_current(diagnosis=diagnosis.to_dict(), decision=f"{action}: {plan.reason}")
    return _carry_out(replace(session.renewed(now), plan=plan), seen, diagnosis, policy, now)


def _on_failure(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, NextStep]:
    if session.plan is None or session.plan.run_id != seen.run.id:
        session, stop = _decide(session, seen.run, diagnosis, policy, now)
        if stop is not None:
            return session, stop
    plan = session.plan
    assert plan is not None
    if plan.question is not None:
        return session, AskPerson(seen.run, plan.question, diagnosis)
    if now < plan.not_before:
        return session, WaitForRun(seen.run.id, until=plan.not_before)
    assert policy is not None
    return _carry_out(session, seen, diagnosis, policy, now)


def _decide(
    session: RerunSession, run: Run, diagnosis: Diagnosis, policy: RerunPolicy | None, now: float
) -> tuple[RerunSession, Fail | None]:
    """Ask the policy once per failed run, and store its answer as a plan."""
    decision = decide(session, run, diagnosis, policy, now)
    if decision.exhausted and session.adopted:
        # An earlier try of the task reached its limits here. The author configured Airflow's retries, so a new
        # try gets limits of its own.
        session = session.renewed(now)
        decision = decide(session, run, diagnosis, policy, now)
    healed = progress(session, diagnosis)
    session = session.with_current(
        diagnosis=diagnosis.to_dict(),
        fingerprint=diagnosis.fingerprint,
        progress=str(healed) if healed else None,
        decision=f"{decision.action}: {decision.reason}",
        by_person=decision.by_person,
    )
    if decision.action is not RerunAction.FAIL:
        not_before = now + decision.wait_seconds
        plan = PlannedRerun(
            run.id,
            decision.action,
            not_before,
            decision.wait_seconds,
            decision.reason,
            overrides=dict(decision.overrides),
            by_person=decision.by_person,
            question=_question(session, decision, policy, now),
        )
        return replace(session, plan=plan), None
    ended = "cancelled" if run.is_cancelled else "failed"
    kind = "exhausted" if decision.exhausted else ended
    reason = _failure_text(run, diagnosis, decision.reason)
    return session, Fail(reason, kind, decision.exhausted, run, diagnosis, decision.reason)


def _question(
    session: RerunSession, decision: RerunDecision, policy: RerunPolicy | None, now: float
) -> OpenQuestion | None:
    """Return the question to ask. It ends with its patience, the policy's limit or the task's timeout."""
    asked = decision.question
    if asked is None or policy is None:
        return None
    limit = policy.longest
    left = None if limit is None else max(session.started_at + limit - now, 0.0)
    patience = left if asked.patience is None else asked.patience
    ends = [end for end in (None if patience is None else now + patience, session.deadline) if end is not None]
    until = min(ends, default=now + LONGEST_QUESTION)
    return OpenQuestion(tuple(asked.options), asked.default, now, until, tuple(asked.assigned_users))


def _carry_out(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy, now: float
) -> tuple[RerunSession, NextStep]:
    run, plan = seen.run, session.plan
    assert plan is not None
    if plan.action is RerunAction.FAIL:
        return _end(session, seen, diagnosis, plan.reason)
    if run.retry_not_supported_reason == RetryNotSupported.NOT_LATEST_RUN:
        followed = follow_superseding(session, seen, policy)
        if followed and not (plan.by_person and _has_ended_badly(seen)):
            return followed
    choice = _choose(session, plan, seen, diagnosis, policy)
    action = choice.action
    if action is RerunAction.FAIL:
        return _end(session, seen, diagnosis, f"no rerun is possible: {choice.why_not_wanted}")
    session, limit = count_post(session, run, diagnosis, policy, now)
    if limit:
        return _end(session, seen, diagnosis, limit, exhausted=True)
    commands = () if action is RerunAction.RERUN_FROM_START else choice.commands
    session = replace(session, plan=replace(plan, action=action, commands=commands))
    overrides = session.overrides_of(action, commands, plan.overrides)
    return session, Rerun(action, run.id, plan.reason, overrides, choice.why_not_wanted)


def _has_ended_badly(seen: RunSeen) -> bool:
    """Return whether the newest run of the job is over without success: it is no answer to a person's order."""
    return seen.newest is not None and seen.newest.is_terminal and not seen.newest.is_success


def _end(
    session: RerunSession, seen: RunSeen, diagnosis: Diagnosis, why: str, *, exhausted: bool = False
) -> tuple[RerunSession, NextStep]:
    """Give up a planned rerun."""
    session = replace(session.with_current(decision=f"fail: {why}"), plan=None)
    reason = _failure_text(seen.run, diagnosis, why)
    return session, Fail(reason, "exhausted" if exhausted else "failed", exhausted, seen.run, diagnosis, why)


def _choose(
    session: RerunSession, plan: PlannedRerun, seen: RunSeen, diagnosis: Diagnosis, policy: RerunPolicy
) -> RerunChoice:
    """Pick the kind of rerun; that of a superseded run by the policy's ``superseded``."""
    why_superseded = why_not_followed(session, seen)
    if why_superseded and policy.superseded is Superseded.RERUN_FROM_START:
        return RerunChoice(RerunAction.RERUN_FROM_START, why_superseded)
    if why_superseded and (policy.superseded is Superseded.FAIL or seen.newest is None):
        return RerunChoice(RerunAction.FAIL, why_superseded)
    resumed = session.attempts[-1].resumes
    return choose_kind(
        plan.action,
        seen.run,
        diagnosis,
        policy.fallback,
        plan.overrides,
        resumed=resumed,
        facts=seen.facts,
        why_superseded=why_superseded,
        edited=session.edited(seen.run),
    )


def _failure_text(run: Run, diagnosis: Diagnosis, why: str) -> str:
    """Say what failed before anything else: a reader at night sees the first words only."""
    what = f"{diagnosis.headline}. " if diagnosis.headline else ""
    return f"{what}dbt run {run.id}, which ended in {run.status_name}, is not rerun: {why}"


def _out_of_time(session: RerunSession, run: Run) -> str:
    allowed = (session.deadline or 0.0) - session.started_at
    behind = f", behind run {', '.join(map(str, run.blocked_by))} of the same job" if run.blocked_by else ""
    return f"stopped waiting for dbt run {run.id} after {allowed:.0f} s; it was {run.status_name}{behind}"
