"""One or more policies tried on the failures of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from airflow_dbt_rerun.backtest.collected import Collected
from airflow_dbt_rerun.backtest.failures import PastFailure, past_failures
from airflow_dbt_rerun.backtest.totals import Totals
from airflow_dbt_rerun.backtest.verdicts import Judged, judge_all
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature


@dataclass(frozen=True)
class Tried:
    """A policy, and what it would have done about each failure, oldest first."""

    name: str
    policy: RerunPolicy
    judged: tuple[Judged, ...]

    @cached_property
    def totals(self) -> Totals:
        """The sums over all failures."""
        return Totals.of(self.judged)


@dataclass(frozen=True)
class Backtest:
    """What was read, and the policies that were tried on it.

    :param failures: the same ones for each policy, oldest first.
    """

    past: Collected
    failures: tuple[PastFailure, ...]
    tried: tuple[Tried, ...]


def try_policies(
    past: Collected, policies: Mapping[str, RerunPolicy], signatures: Sequence[Signature] = ()
) -> Backtest:
    """Try policies on the failures of the past.

    :param policies: by their names, in the order in which they are shown.
    :param signatures: the team's own error signatures, tried first.
    """
    failures = tuple(past_failures(past, signatures))
    tried = (Tried(name, policy, judge_all(failures, policy, signatures)) for name, policy in policies.items())
    return Backtest(past, failures, tuple(tried))
