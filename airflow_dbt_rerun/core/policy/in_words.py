"""A policy told to people, a sentence a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_dbt_rerun.core.policy.from_data import Superseded
from airflow_dbt_rerun.core.policy.rules import RerunAction, RerunRule
from airflow_dbt_rerun.core.policy.strategies import form

if TYPE_CHECKING:
    from airflow_dbt_rerun.core.policy.policy import RerunPolicy

ACTIONS = {
    RerunAction.RERUN_FROM_FAILURE: "rerun from the point of failure",
    RerunAction.RERUN_FROM_STEP: "run the failed command and those after it again",
    RerunAction.RERUN_FROM_START: "run everything again",
    RerunAction.REBUILD_TESTED: "build again what the failed tests look at, with the tests and what was skipped",
    RerunAction.FAIL: "do not rerun, a person is needed",
}

NEWER_RUN = {
    Superseded.ADOPT: "wait for that one and take its result",
    Superseded.ADOPT_AND_RERUN: "wait for that one, and rerun it by the same rules if it fails",
    Superseded.FAIL: ACTIONS[RerunAction.FAIL],
    Superseded.RERUN_FROM_START: ACTIONS[RerunAction.RERUN_FROM_START],
}


def policy_words(policy: RerunPolicy) -> list[str]:
    """Tell the rules by their numbers, then the limits, then what happens otherwise."""
    return [
        *(f"{number}. {rule_words(rule)}" for number, rule in enumerate(policy.rules, 1)),
        f"{'Otherwise' if policy.rules else 'Always'}: {ACTIONS[RerunAction.FAIL]}.",
        f"Wait before a rerun, unless its rule says otherwise: {form(policy.wait).words()}.",
        f"Stop {form(policy.stop).words()}.",
        _give_up(policy.give_up_after_failed_runs),
        f"If a run cannot be resumed: {ACTIONS[policy.fallback]}.",
        f"If the job has a newer run: {NEWER_RUN[policy.superseded]}.",
        f"If a run was cancelled, by nobody known and for no known reason: {ACTIONS[policy.on_unknown_cancel]}.",
    ]


def rule_words(rule: RerunRule) -> str:
    """Tell one rule."""
    changes = ", ".join(f"{name} = {value}" for name, value in rule.overrides.items())
    parts = [
        f"If {rule.condition.words}: {ACTIONS[rule.action]}",
        f"with {changes}" if changes else "",
        f"wait {form(rule.wait).words()}" if rule.wait is not None else "",
        f"stop {form(rule.stop).words()}" if rule.stop is not None else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def _give_up(limit: int | None) -> str:
    if limit is None:
        return "It does not matter how often the job has failed in a row."
    return f"Rerun nothing once the job has failed {limit} times in a row (dbt deactivates a job at 100)."
