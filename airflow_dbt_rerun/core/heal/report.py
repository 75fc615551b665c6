"""Report what happened: as plain JSON for XCom, and as lines for the task's log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from logging import ERROR, INFO, WARNING
from typing import Any, NamedTuple

from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.heal.attempt import Attempt
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Rerun, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import Proof
from airflow_dbt_rerun.core.heal.wording import did
from airflow_dbt_rerun.core.messages import and_more, counted
from airflow_dbt_rerun.core.policy.action_words import ACTION_WORDS, answer_label, decision_words

REPORT_VERSION = 4
"""The version of the report's format: ``docs/report.schema.json``."""


def report(
    session: RerunSession, end: Succeed | Fail, now: float, *, job_id: int | None = None, policy: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a summary of one heal as plain JSON values, which is pushed to XCom as ``dbt_rerun_report``.

    :param now: epoch seconds.
    :param job_id: the job.
    :param policy: the policy in words.
    """
    return {
        **summary(session, now, job_id=job_id, policy=policy),
        "outcome": _outcome(session, end),
        "verified": session.attempts[-1].proof if session.attempts else None,
        "reason": end.reason,
    }


def summary(session: RerunSession, now: float, *, job_id: int | None, policy: Sequence[str]) -> dict[str, Any]:
    """Return what a report says at any time, also before the end. See :func:`report`."""
    return {
        "version": REPORT_VERSION,
        "job_id": job_id,
        "job_name": session.job_name,
        "job_run_id": session.run_id,
        "reruns": max(len(session.attempts) - 1, 0),
        "waited_seconds": round(sum(attempt.waited for attempt in session.attempts), 1),
        "seconds": round(max(now - session.began_at, 0.0), 1),
        "attempts": [_attempt(number, attempt) for number, attempt in enumerate(session.attempts, start=1)],
        "now": None,
        "policy": list(policy),
    }


def _outcome(session: RerunSession, end: Succeed | Fail) -> str:
    if isinstance(end, Fail):
        return end.kind
    return "healed" if len(session.attempts) > 1 else "succeeded"


def _attempt(number: int, attempt: Attempt) -> dict[str, Any]:
    diagnosis = attempt.diagnosis or {}
    return {
        "attempt": number,
        "run_id": attempt.run_id,
        "url": attempt.url,
        "kind": attempt.kind,
        "of_run": attempt.of_run,
        "summary": did(attempt.kind, attempt.of_run, attempt.asked_by),
        "status": attempt.status,
        "git_sha": attempt.git_sha,
        "verdict": diagnosis.get("verdict"),
        "findings": list(diagnosis.get("findings", ())),
        "found": diagnosis.get("found"),
        "skipped": diagnosis.get("skipped"),
        "fingerprint": attempt.fingerprint,
        "progress": attempt.progress,
        "decision": attempt.decision,
        "by_person": attempt.by_person,
        "would": attempt.would,
        "waited_seconds": round(attempt.waited, 1),
        "seconds": None if attempt.seconds is None else round(attempt.seconds, 1),
        "verified": attempt.proof,
        "verification": attempt.verification,
        "warnings": list(attempt.warnings),
        "nodes_run": attempt.nodes_run,
        "nodes_saved": attempt.nodes_saved,
    }


class Line(NamedTuple):
    """One line of the task's log."""

    level: int
    """One of :mod:`logging`'s."""
    text: str


def tell(before: RerunSession, after: RerunSession, step: NextStep) -> Iterator[Line]:
    """Yield what one turn of the loop found and decided, as log lines: the error itself first.

    What failed is an error where the heal ends with it, and a warning where it is rerun.

    :param before: the session as it went into ``next_step``.
    :param after: the session as it came out, with ``step``.
    """
    old, new = before.current, after.current
    bad = ERROR if isinstance(step, Fail) else WARNING
    is_next = new is not None and (old is None or old.run_id != new.run_id)
    if new is not None and new.of_run and is_next:
        yield Line(INFO, f"Run {new.run_id} {did(new.kind, new.of_run)}")
    if new is not None and new.diagnosis and (old is None or old.diagnosis != new.diagnosis):
        yield from _failure_lines(after, new, new.diagnosis, bad)
        if not isinstance(step, Fail):  # its line says the same
            yield Line(bad, f"Decision: {decision_words(new.decision)}")
    elif new is not None and new.status and (is_next or (old is not None and old.status != new.status)):
        yield Line(INFO, f"{_attempt_line(after, new)}: {new.url}")
    if new is not None and new.verification and (old is None or old.verification != new.verification):
        level = {Proof.VERIFIED: INFO, Proof.NOT_VERIFIABLE: WARNING}.get(Proof(new.proof or Proof.HOLLOW), bad)
        yield Line(level, f"Run {new.run_id} is {new.verification}")
        yield from (Line(INFO, text) for text in _commit_lines(after.attempts))
    if new is not None and new.warnings and (old is None or old.warnings != new.warnings):
        yield from (Line(WARNING, f"Run {new.run_id}: {warning}") for warning in new.warnings)
    yield from _step_lines(after, step)


def _commit_lines(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield whether a rerun picked up newer commits: dbt's documentation contradicts itself on this."""
    new = attempts[-1]
    old = next((attempt for attempt in attempts if attempt.run_id == new.of_run), None)
    if old is None or not old.git_sha or not new.git_sha:
        return
    if old.git_sha == new.git_sha:
        yield f"Run {new.run_id} ran the same code as run {old.run_id} (commit {new.git_sha[:7]})"
    else:
        commits = f"{new.git_sha[:7]} instead of {old.git_sha[:7]}"
        yield f"Run {new.run_id} ran newer code than run {old.run_id}: commit {commits}"


def _attempt_line(session: RerunSession, attempt: Attempt) -> str:
    return f"Attempt {len(session.attempts)}: dbt run {attempt.run_id} is {attempt.status}"


def _failure_lines(
    session: RerunSession, attempt: Attempt, diagnosis: Mapping[str, Any], level: int
) -> Iterator[Line]:
    """Yield each error with its node, then the run and the kind of its failure."""
    findings, found, skipped = diagnosis["findings"], diagnosis["found"], diagnosis["skipped"]
    yield from (Line(level, str(Finding.from_dict(finding))) for finding in findings)
    if found > len(findings):
        yield Line(level, and_more(found - len(findings)))
    if skipped:
        yield Line(level, f"{counted(skipped, 'downstream node')} skipped")
    known = f"{diagnosis['verdict']}, by {diagnosis['evidence']}"
    run = f"Attempt {len(session.attempts)}: dbt run {attempt.run_id} ended in {attempt.status}"
    yield Line(level, f"{run} ({known}): {attempt.url}")
    if attempt.progress:
        yield Line(INFO, f"Run {attempt.run_id} {attempt.progress}")


def _step_lines(session: RerunSession, step: NextStep) -> Iterator[Line]:
    match step:
        case WaitForRun(until=float()) if session.plan is not None:
            how = ACTION_WORDS[session.plan.action].how
            yield Line(INFO, f"Waiting {session.plan.wait_seconds:.0f} s before rerunning run {step.run_id} {how}")
        case Rerun():
            yield Line(INFO, f"Rerunning run {step.of_run} {ACTION_WORDS[step.action].how}")
            if step.why_not_wanted:
                yield Line(INFO, f"  not as the policy asked: {step.why_not_wanted}")
        case AskPerson():
            options = ", ".join(answer_label(option).lower() for option in step.question.options)
            until = datetime.fromtimestamp(step.question.until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            default = answer_label(step.question.default).lower()
            yield Line(WARNING, f"Asking a person until {until}: {options} (without an answer: {default})")
        case Succeed():
            healed = f"healed in {len(session.attempts)} attempts" if len(session.attempts) > 1 else step.reason
            yield Line(INFO, f"Done: {healed}")
        case Fail():
            yield Line(ERROR, _last_line(session, step))


def _last_line(session: RerunSession, step: Fail) -> str:
    """Say what failed by its names, and why no more is tried: the messages stand above, and in the exception."""
    given_up = f"Giving up ({counted(len(session.attempts), 'attempt')})"
    if step.diagnosis is None or step.why is None:
        return f"{given_up}: {step.reason}"
    failed = f"{step.diagnosis.names} failed" if step.diagnosis.findings else "the run failed"
    return f"{given_up}: {failed}. Not rerun: {step.why}"
