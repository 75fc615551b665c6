"""Describe a policy in words, one sentence per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_dbt_rerun.core.policy.action_words import answer_label, imperative
from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.policy.question import Question
from airflow_dbt_rerun.core.policy.rules import RerunRule, StopStrategy, Superseded, WaitStrategy
from airflow_dbt_rerun.core.policy.strategies import form
from airflow_dbt_rerun.core.policy.tenacity_table import duration

NEWER_RUN = {
    Superseded.ADOPT: "wait for that one and take its result",
    Superseded.ADOPT_AND_RERUN: "wait for that one, and rerun it by the same rules if it fails",
    Superseded.FAIL: imperative(RerunAction.FAIL),
    Superseded.RERUN_FROM_START: imperative(RerunAction.RERUN_FROM_START),
}


def policy_words(
    rules: Sequence[RerunRule], stop: StopStrategy, wait: WaitStrategy, settings: Mapping[str, Any]
) -> list[str]:
    """Return the numbered rules, then the limits, then what happens in special cases.

    :param settings: the policy's other arguments, by the names in ``SETTINGS``.
    """
    return [
        *(f"{number}. {rule_words(rule)}" for number, rule in enumerate(rules, 1)),
        f"{'Otherwise' if rules else 'Always'}: {imperative(RerunAction.FAIL)}.",
        f"Wait before a rerun, unless its rule says otherwise: {form(wait).words()}.",
        f"Stop {form(stop).words()}.",
        _give_up(settings["give_up_after_failed_runs"]),
        f"If a run cannot be resumed: {imperative(settings['fallback'])}.",
        f"If the job has a newer run: {NEWER_RUN[settings['superseded']]}.",
        f"If dbt records neither who cancelled a run nor why: {imperative(settings['on_unknown_cancel'])}.",
    ]


def rule_words(rule: RerunRule) -> str:
    """Return one rule in words."""
    changes = ", ".join(f"{name} = {value}" for name, value in rule.overrides.items())
    parts = [
        f"If {rule.condition.words}: {imperative(rule.action)}",
        _question_words(rule.question) if rule.question else "",
        f"with {changes}" if changes else "",
        f"wait {form(rule.wait).words()}" if rule.wait is not None else "",
        f"stop {form(rule.stop).words()}" if rule.stop is not None else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def _question_words(question: Question) -> str:
    options = ", ".join(answer_label(option).lower() for option in question.options)
    patience = "in time" if question.patience is None else f"within {duration(question.patience)}"
    users = f"; only {', '.join(question.assigned_users)} may answer" if question.assigned_users else ""
    return f"{options}; without an answer {patience}: {answer_label(question.default).lower()}{users}"


def _give_up(limit: int | None) -> str:
    if limit is None:
        return "There is no limit on how often the job may fail in a row."
    return f"Rerun nothing once the job has failed {limit} times in a row (dbt deactivates a job at 100)."
