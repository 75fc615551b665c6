"""The text of a question to a person: what failed, and what each answer would do. Markdown, as Airflow shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding
from airflow_dbt_rerun.core.heal.next_steps import AskPerson
from airflow_dbt_rerun.core.messages import and_more, counted
from airflow_dbt_rerun.core.policy.action_words import answer_label
from airflow_dbt_rerun.core.policy.actions import RerunAction

_SHOWN = 10

_OUTDATED = (
    "Airflow keeps this text: if a rerun fails as well and the task asks a second time, you read it again, "
    "although the question is about the newer run. Its tab *dbt heal* and its log show that one."
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~-])")
"""Characters that Markdown gives a meaning: a message of a database must not draw a link or a table."""


def question_subject(task_id: str) -> str:
    """Return the subject. It names nothing that changes: Airflow keeps the first one of a try."""
    return f"{task_id}: its dbt job failed. What shall be done?"


def question_body(step: AskPerson) -> str:
    """Return what failed, what each answer would do, and what happens without one."""
    run, question = step.run, step.question
    name = f"[{run.id}]({run.href})" if run.href else str(run.id)
    of_job = f" of job {escaped(run.job_name)}" if run.job_name else ""
    until = datetime.fromtimestamp(question.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return "\n".join(
        [
            f"dbt run {name}{of_job} ended in {run.status_name}.",
            "",
            *_findings(step.diagnosis),
            "",
            *(f"* **{answer_label(option)}** {_effect(option, step.diagnosis)}" for option in question.options),
            "",
            f"Without an answer until {until}: **{answer_label(question.default)}**.",
            "",
            f"Asked about run {run.id}. {_OUTDATED}",
        ]
    )


def escaped(text: str) -> str:
    """Return a text with everything escaped that Markdown would take for its own."""
    return _SPECIAL.sub(r"\\\1", text)


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.findings:
        return
    yield "| what failed | error | kind |"
    yield "|---|---|---|"
    yield from (_row(finding) for finding in diagnosis.findings[:_SHOWN])
    if len(diagnosis.findings) > _SHOWN:
        yield f"| {escaped(and_more(len(diagnosis.findings) - _SHOWN))} | | |"


def _row(finding: Finding) -> str:
    where = f" ({escaped(finding.path)})" if finding.path else ""
    what = f"{finding.resource_type} {escaped(finding.name)}{where}"
    return f"| {what} | {escaped(finding.message)} | {escaped(str(finding.category))} |"


def _effect(answer: RerunAction, diagnosis: Diagnosis) -> str:
    match answer:
        case RerunAction.RERUN_FROM_FAILURE if diagnosis.undone:
            nodes = counted(diagnosis.undone, "failed or skipped node")
            return f"runs the {nodes} again, and the commands after them"
        case RerunAction.RERUN_FROM_FAILURE:
            return "resumes the run where it failed"
        case RerunAction.RERUN_FROM_STEP:
            return "runs the failed command and those after it again, as a whole"
        case RerunAction.RERUN_FROM_START:
            return "runs the whole job again"
        case RerunAction.REBUILD_TESTED:
            return "rebuilds what the failed tests check, and runs what was skipped"
    return "fails this task"
