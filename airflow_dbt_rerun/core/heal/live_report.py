"""The report while the work is in progress: what has happened so far, and what the task does at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_dbt_rerun.core.dbt.models import GOING_STATUSES, Run, RunStep
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, NextStep, Rerun, WaitForRun
from airflow_dbt_rerun.core.heal.report import summary
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.action_words import ACTION_WORDS, answer_label

IN_PROGRESS = "in progress"
"""The outcome of a report before the end."""


def live_report(
    session: RerunSession,
    step: NextStep,
    now: float,
    *,
    run: Run | None = None,
    job_id: int | None = None,
    policy: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report of work in progress, in the format of :func:`~airflow_dbt_rerun.core.heal.report.report`.

    :param step: what the task does next.
    :param now: epoch seconds.
    :param run: the watched run as just read, with its steps if they are known.
    :param job_id: the job.
    :param policy: the policy in words.
    """
    if run is not None and session.run_id == run.id:
        session = session.with_current(status=run.status_name, url=run.href or session.attempts[-1].url)
    doing, reason, until = _doing(session, step)
    return {
        **summary(session, now, job_id=job_id, policy=policy),
        "outcome": IN_PROGRESS,
        "verified": None,
        "reason": reason,
        "now": {
            "doing": doing,
            "since": round(now, 1),
            "until": until,
            "step": current_step(run),
            "question": _question(step),
        },
    }


def _question(step: NextStep) -> dict[str, Any] | None:
    """Return the answers that a person can give, and the one that is taken without one, as Airflow shows them."""
    if not isinstance(step, AskPerson):
        return None
    options = [answer_label(option) for option in step.question.options]
    return {"options": options, "default": answer_label(step.question.default)}


def _doing(session: RerunSession, step: NextStep) -> tuple[str, str, float | None]:
    """Return what the task does in one word and in a sentence, and until when (epoch seconds) if that is known."""
    match step:
        case WaitForRun(until=float() as until) if session.plan is not None:
            how = ACTION_WORDS[session.plan.action].how
            return "waiting", f"waiting before rerunning run {step.run_id} {how}", round(until, 1)
        case WaitForRun():
            return "watching", f"watching dbt run {step.run_id}", None
        case AskPerson(question=question):
            return "asking", f"asking a person what to do about run {step.run.id}", round(question.until, 1)
        case Rerun():
            return "starting", f"rerunning run {step.of_run} {ACTION_WORDS[step.action].how}", None
    return "starting", "starting the first run of the job", None


def current_step(run: Run | None) -> dict[str, Any] | None:
    """Return the step that dbt is executing; None if that is not known."""
    steps = run.steps if run is not None and not run.is_terminal else ()
    going = [step for step in steps if step.status in GOING_STATUSES]
    if not going:
        return None
    current = _first_begun(going)
    return {"index": current.index, "of": len(steps), "name": current.command or current.title}


def _first_begun(going: Sequence[RunStep]) -> RunStep:
    """Return the running step: dbt may list those after it as queued."""
    return max(going, key=lambda step: (step.status, -step.index))
