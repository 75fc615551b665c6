"""What callbacks and notifiers are told, as plain JSON values: a rerun, a question, a heal, or its end without one.

All have the same keys, so that one template serves all: ``{{ dbt_rerun.headline }}: {{ dbt_rerun.reason }}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.heal.attempt import Attempt
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, Rerun, Succeed
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.action_words import answer_label


def happened(session: RerunSession, step: Rerun) -> dict[str, Any]:
    """Return a rerun that was just started; ``run_id`` and ``url`` are those of the new run, added by the caller.

    :param session: as it was when the rerun was decided on; its newest attempt is the failed run.
    """
    failed = session.attempts[-1]
    return {
        **_facts("rerun", session, failed),
        "attempt": len(session.attempts) + 1,
        "kind": str(step.action),
        "of_run": step.of_run,
        "of_run_url": failed.url,
        "reason": step.reason,
        "why_not_wanted": step.why_not_wanted,
        "waited_seconds": round(session.plan.wait_seconds, 1) if session.plan else 0.0,
    }


def asked(session: RerunSession, step: AskPerson) -> dict[str, Any]:
    """Return a question to a person; ``options`` are its answers, ``until`` is when it ends (ISO 8601)."""
    failed, question = session.attempts[-1], step.question
    return {
        **_facts("question", session, failed),
        "reason": failed.decision,
        "options": [answer_label(option) for option in question.options],
        "default": answer_label(question.default),
        "until": datetime.fromtimestamp(question.until, UTC).isoformat(),
    }


def healed(session: RerunSession, step: Succeed) -> dict[str, Any]:
    """Return a heal that succeeded; ``headline`` and ``findings`` are those of the first failure."""
    first = next((attempt for attempt in session.attempts if attempt.diagnosis), session.attempts[0])
    facts = _facts("healed", session, first)
    return {**facts, "run_id": step.run_id, "url": session.attempts[-1].url, "reason": step.reason}


def gave_up(session: RerunSession, step: Fail) -> dict[str, Any]:
    """Return the end without success; ``kind`` is that of the task's error."""
    failed = session.attempts[-1] if session.attempts else None
    return {**_facts("gave_up", session, failed), "kind": step.kind, "reason": step.why or step.reason}


def _facts(event: str, session: RerunSession, failed: Attempt | None) -> dict[str, Any]:
    """Return what all announcements have in common."""
    diagnosis: Mapping[str, Any] = (failed.diagnosis if failed else None) or {}
    first = session.attempts[0] if session.attempts else None
    return {
        "event": event,
        "attempt": len(session.attempts),
        "kind": None,
        "of_run": first.run_id if first else None,
        "of_run_url": first.url if first else None,
        "run_id": failed.run_id if failed else None,
        "url": failed.url if failed else None,
        "verdict": diagnosis.get("verdict"),
        "headline": _headline(diagnosis),
        "findings": list(diagnosis.get("findings", ())),
        "found": diagnosis.get("found"),
    }


def _headline(diagnosis: Mapping[str, Any]) -> str | None:
    """Return the finding that decides the verdict on one line."""
    findings = diagnosis.get("findings") or ()
    first = next((each for each in findings if each["category"] == diagnosis["verdict"]), None)
    return str(Finding.from_dict(first)) if first else None
