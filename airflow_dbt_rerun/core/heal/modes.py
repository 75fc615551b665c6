"""The kinds of rerun that a person can request, and the policy that carries one out."""

from __future__ import annotations

from dataclasses import replace

from tenacity import stop_after_attempt, wait_none

from airflow_dbt_rerun.core.messages import not_among
from airflow_dbt_rerun.core.policy.conditions import attempt_number
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule

MODES = {
    "from_failure": RerunAction.RERUN_FROM_FAILURE,
    "from_step": RerunAction.RERUN_FROM_STEP,
    "from_start": RerunAction.RERUN_FROM_START,
    "rebuild_tested": RerunAction.REBUILD_TESTED,
}


def action_of(mode: str) -> RerunAction:
    """Return the action of a mode.

    :raises ValueError: if the mode does not exist.
    """
    if not isinstance(mode, str) or mode not in MODES:
        raise ValueError(not_among("mode", mode, MODES))
    return MODES[mode]


def first_in_mode(mode: str, policy: RerunPolicy | None) -> RerunPolicy:
    """Return a policy that reruns the first failure at once in this mode, no matter what failed.

    :param policy: for the attempts after that; None reruns nothing more.
    :raises ValueError: if the mode does not exist.
    """
    once = policy or RerunPolicy(rules=(), stop=stop_after_attempt(2))
    rule = RerunRule(attempt_number(1), action_of(mode), wait=wait_none())
    return replace(once, rules=(rule, *once.rules), give_up_after_failed_runs=None)
