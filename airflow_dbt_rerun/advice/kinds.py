"""Sort failures by what a rule can tell apart: the category that can pass by itself."""

from __future__ import annotations

from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.core.categories import Category

PASSING = (Category.THROTTLED, Category.TRANSIENT, Category.TIMED_OUT)
"""Categories that may pass by themselves, in the order of their rules: as in the default policy."""

KINDS = (*PASSING, Category.UNKNOWN)
"""What rules are proposed for. The rest needs people: code, rights, memory."""


def kind_of(failure: PastFailure) -> Category | None:
    """Return the category whose rule decides about a failure: any node that can pass, or every one unknown."""
    found = {finding.category for finding in failure.diagnosis.findings}
    passing = next((category for category in PASSING if category in found), None)
    return passing or (Category.UNKNOWN if found == {Category.UNKNOWN} else None)


def can_be_judged(failure: PastFailure) -> bool:
    """Return whether a failure says anything about reruns: it could be read, and no person had stopped it."""
    return not failure.why_unknown and not failure.run.cancelled_by
