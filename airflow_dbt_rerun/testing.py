"""Run DAGs in tests without waiting: intervals and pauses shrink to hundredths of a second, policies do not wait.

::

    from airflow_dbt_rerun.testing import set_testing

    with set_testing(True):
        dag.test()

Decisions stay the same: the same rules, the same number of attempts, the same limits. The mode applies to the
process that sets it, and to processes forked from it.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Self

from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.watch.pace import Pace

QUICK = Pace(
    check_interval=0.05,
    first_poll_after=0.02,
    artifact_pauses=(0.01, 0.01, 0.01),
    lost_answer_pauses=(0.01, 0.01, 0.01, 0.01, 0.01),
    trouble_pause=0.05,
)
"""The intervals and pauses of test mode."""

_active: Pace | None = None
_keeps_waits = False


class set_testing:  # noqa: N801 - reads as the function that it is
    """Switch test mode on or off; as a context manager, until the end of the block.

    :param testing: whether test mode is on.
    :param pace: intervals and pauses to use instead of :data:`QUICK`. Its tolerance and deadline are ignored; those
        of the task apply.
    :param keep_waits: keep the policy's waits between attempts.
    """

    def __init__(self, testing: bool, *, pace: Pace = QUICK, keep_waits: bool = False) -> None:  # noqa: FBT001
        global _active, _keeps_waits
        self._before = _active, _keeps_waits
        _active, _keeps_waits = (pace if testing else None), keep_waits

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _active, _keeps_waits
        _active, _keeps_waits = self._before


def is_testing() -> bool:
    """Return whether test mode is on."""
    return _active is not None


def pace_in_force(pace: Pace) -> Pace:
    """Return a task's pace, shortened in test mode."""
    if _active is None:
        return pace
    quickest = pace.quickest_check_interval
    interval = min(pace.check_interval, _active.check_interval)
    return replace(
        _active,
        check_interval=interval,
        quickest_check_interval=None if quickest is None else min(quickest, interval),
        usual=pace.usual,
        tolerance=pace.tolerance,
        deadline=pace.deadline,
    )


def policy_in_force(policy: RerunPolicy | None) -> RerunPolicy | None:
    """Return a task's policy, without its waits in test mode."""
    keeps = _active is None or _keeps_waits
    return policy if keeps or policy is None else policy.without_waits()
