"""A backtest as plain JSON values, for machines."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.backtest.failures import NextRun, PastFailure
from airflow_dbt_rerun.backtest.history import ended_at
from airflow_dbt_rerun.backtest.replay import Planned
from airflow_dbt_rerun.backtest.totals import Totals, by_job, by_kind, nodes_to_run, vain_seconds
from airflow_dbt_rerun.backtest.tried import Backtest, Tried
from airflow_dbt_rerun.backtest.verdicts import Judged, Verdict

DOCUMENT_VERSION = 1


def to_dict(backtest: Backtest) -> dict[str, Any]:
    """Return a backtest as plain JSON values."""
    past = backtest.past
    return {
        "version": DOCUMENT_VERSION,
        "host": past.host,
        "account_id": past.account_id,
        "scope": str(past.scope),
        "since": moment(past.since),
        "until": moment(past.until),
        "days": round(past.days, 2),
        "runs": len(past.runs),
        "failures": len(backtest.failures),
        "requests": past.requests,
        "unreadable": {str(run_id): why for run_id, why in past.unreadable.items()},
        "policies": [_tried(tried) for tried in backtest.tried],
    }


def moment(seconds: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(round(seconds), UTC).isoformat()


def _tried(tried: Tried) -> dict[str, Any]:
    return {
        "name": tried.name,
        "policy": tried.policy.words(),
        "totals": plain_totals(tried.totals),
        "by_job": {name: plain_totals(totals) for name, totals in by_job(tried.judged).items()},
        "by_signature": {name: plain_totals(totals) for name, totals in by_kind(tried.judged).items()},
        "failures": [_judged(judged) for judged in tried.judged],
    }


def plain_totals(totals: Totals) -> dict[str, Any]:
    """Return sums as plain JSON values."""
    plain = asdict(totals)
    plain["verdicts"] = {str(verdict): count for verdict, count in totals.verdicts.items()}
    plain["pages_avoided"] = list(totals.pages_avoided)
    plain["hours_earlier"] = [round(hours, 2) for hours in totals.hours_earlier]
    plain["vain_seconds"] = round(totals.vain_seconds, 1)
    return plain


def _judged(judged: Judged) -> dict[str, Any]:
    failure = judged.failure
    return {
        "run_id": failure.run.id,
        "url": failure.run.href,
        "job_id": failure.run.job_id,
        "job_name": failure.run.job_name,
        "status": failure.run.status_name,
        "git_sha": failure.run.git_sha,
        "failed_at": moment(failure.ended),
        "diagnosis": failure.diagnosis.to_dict(),
        "decision": judged.replay.action,
        "reason": judged.replay.reason,
        "reruns": [_planned(planned) for planned in judged.replay.planned],
        "gives_up": judged.replay.ended,
        "would_run": list(nodes_to_run(judged)),
        "next": _next(failure.next),
        "success": _success(failure),
        "verdict": str(judged.verdict),
        "case": str(judged.case),
        "why": judged.why,
        "proven_by": judged.proof.run.id if judged.proof else None,
        "may_have_healed": judged.may_have_healed,
        "seconds_earlier": [round(seconds, 1) for seconds in judged.earlier],
        "vain_seconds": round(vain_seconds(judged), 1) if judged.verdict is Verdict.IN_VAIN else 0.0,
    }


def _planned(planned: Planned) -> dict[str, Any]:
    return {
        "action": "follow" if planned.follows else str(planned.action),
        "earliest": moment(planned.earliest),
        "latest": moment(planned.latest),
        "commands": list(planned.commands),
        "reason": planned.reason,
        "why_not_wanted": planned.why_not_wanted,
        "follows": planned.follows,
        "certain": planned.certain,
    }


def _next(following: NextRun | None) -> dict[str, Any] | None:
    if following is None:
        return None
    run = following.run
    return {
        "run_id": run.id,
        "what": str(following.starter),
        "status": run.status_name,
        "git_sha": run.git_sha,
        "seconds_after": round(following.seconds, 1),
    }


def _success(failure: PastFailure) -> dict[str, Any] | None:
    success = failure.success
    if success is None:
        return None
    return {
        "run_id": success.run.id,
        "seconds_after": round(ended_at(success.run) - failure.ended, 1),
        "why": success.why,
    }
