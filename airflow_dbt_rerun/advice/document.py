"""A proposed policy as plain JSON values, for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_dbt_rerun.advice.advise import Advice
from airflow_dbt_rerun.advice.chronic import Chronic
from airflow_dbt_rerun.advice.rules import ProposedRule
from airflow_dbt_rerun.backtest.document import moment, plain_totals
from airflow_dbt_rerun.backtest.totals import Totals

DOCUMENT_VERSION = 1


def to_dict(advice: Advice, compared: Mapping[str, Totals]) -> dict[str, Any]:
    """Return a proposed policy and its evidence as plain JSON values. ``policy`` is a policy as it can be used."""
    past = advice.past
    return {
        "version": DOCUMENT_VERSION,
        "host": past.host,
        "account_id": past.account_id,
        "scope": str(past.scope),
        "since": moment(past.since),
        "until": moment(past.until),
        "runs": len(past.runs),
        "failures": len(advice.failures),
        "policy": advice.policy_data,
        "rules": [_rule(rule) for rule in advice.rules],
        "kept": [{"category": str(kept.kind), "cases": kept.cases, "why": kept.why} for kept in advice.kept],
        "left_to_people": {str(category): count for category, count in advice.left.items()},
        "chronic": [_chronic(each, why) for each, why in advice.chronic],
        "flaky": [asdict(each) for each in advice.flaky],
        "unheard": [{**asdict(each), "run_ids": list(each.run_ids)} for each in advice.unheard],
        "on_these_failures": {name: plain_totals(totals) for name, totals in compared.items()},
    }


def _rule(rule: ProposedRule) -> dict[str, Any]:
    return {
        "rule": rule.data,
        "reruns_after": list(rule.reruns),
        "limit": rule.limit,
        "evidence": [asdict(count) for count in (*rule.counts, *rule.details)],
    }


def _chronic(chronic: Chronic, why_no_rule: str | None) -> dict[str, Any]:
    return {
        "job_id": chronic.job_id,
        "job_name": chronic.job_name,
        "node": chronic.node,
        "categories": [str(category) for category in chronic.categories],
        "failures": len(chronic.evidence),
        "runs": chronic.runs,
        "healed": chronic.healed,
        "why_no_rule": why_no_rule,
        "run_ids": [failure.run.id for failure in chronic.evidence.failures],
    }
