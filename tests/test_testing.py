"""Test mode: users' own tests of their DAGs run without waiting, and decide the same."""

from __future__ import annotations

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.testing import is_testing, pace_in_force, policy_in_force, set_testing
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

RESET = {"node": "raw_orders", "times": 1, "message": "Connection reset by peer"}


def test_is_off_unless_switched_on() -> None:
    """Production keeps its pace and its policy."""
    pace, policy = Pace(check_interval=7.0), RerunPolicy()
    assert not is_testing()
    assert pace_in_force(pace) is pace
    assert policy_in_force(policy) is policy


def test_ends_with_its_block() -> None:
    """As a context manager it restores what was before."""
    with set_testing(True):
        assert is_testing()
    assert not is_testing()
    set_testing(True)
    with set_testing(False):
        assert not is_testing()
    assert is_testing()
    set_testing(False)


def test_keeps_what_decides() -> None:
    """Tolerance, deadline and the usual duration are the task's own; rules and limits stay."""
    policy = RerunPolicy(wait=wait_fixed(300))
    with set_testing(True):
        pace = pace_in_force(Pace(check_interval=60.0, quickest_check_interval=5.0, usual=600.0, deadline=9.0))
        quick = policy_in_force(policy)
    assert (pace.tolerance, pace.deadline, pace.usual) == (600.0, 9.0, 600.0)
    assert pace.check_interval == pace.quickest_check_interval == 0.05
    assert quick is not None
    assert quick.stop is policy.stop
    assert [rule.when for rule in quick.rules] == [rule.when for rule in policy.rules]
    assert [rule.wait for rule in quick.rules] == [None] * len(quick.rules)


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_heals_without_waiting(
    simulated: LocalPlatform, monkeypatch: pytest.MonkeyPatch, instance: TaskInstance, *, deferrable: bool
) -> None:
    """With the default policy a heal waits thirty seconds; in test mode it is planned with no wait at all."""
    simulated.connect(monkeypatch)
    simulated.trouble(RESET)
    task = DbtCloudJobOperator(task_id="build", job_id=simulated.jobs["seeds"], deferrable=deferrable)
    with set_testing(True):
        run_task(task, instance)
    report = instance.xcom("dbt_rerun_report")
    assert (report["outcome"], report["waited_seconds"]) == ("healed", 0.0)
