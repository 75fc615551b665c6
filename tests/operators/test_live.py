"""What a task shows while it is in progress."""

from __future__ import annotations

from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy
from airflow_dbt_rerun.testing import QUICK, set_testing
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

JOBS = {"seeds": "dbt seed"}
RESET = {"node": "raw_orders", "times": 1, "seconds": 0.5, "message": "Connection reset by peer"}

pytestmark = pytest.mark.usefixtures("connected")


def reports(instance: TaskInstance) -> list[Any]:
    """Return all reports that a task pushed, oldest first."""
    return [value for key, value in instance.pushed if key == "dbt_rerun_report"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_each_change_is_shown(simulated: LocalPlatform, instance: TaskInstance, deferrable: bool) -> None:  # noqa: FBT001
    """From the first run to the end, the XCom holds what is known, and no report repeats the one before."""
    simulated.trouble(RESET)
    policy = RerunPolicy(wait=wait_fixed(0.2))
    task = DbtCloudJobOperator(
        task_id="build", job_id=simulated.jobs["seeds"], policy=policy, deferrable=deferrable
    )
    with set_testing(True, pace=QUICK, keep_waits=True):
        run_task(task, instance)
    *live, end = reports(instance)
    told = [(each["now"]["doing"], len(each["attempts"])) for each in live]
    assert list(dict.fromkeys(told)) == [("watching", 1), ("waiting", 1), ("starting", 1), ("watching", 2)]
    assert {each["outcome"] for each in live} == {"in progress"}
    assert end["outcome"] == "healed"
    assert end["now"] is None
    assert end["job_id"] == simulated.jobs["seeds"]
    assert end["policy"] == policy.words()


def test_a_failing_database_does_not_end_the_heal(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress that cannot be shown is logged; the work goes on."""

    def push(self: TaskInstance, key: str, value: Any) -> None:
        if key == "dbt_rerun_report" and value["outcome"] == "in progress":
            raise OSError("the database is away")
        self.pushed.append((key, value))

    monkeypatch.setattr(TaskInstance, "xcom_push", push)
    run_task(DbtCloudJobOperator(task_id="build", job_id=simulated.jobs["seeds"]), instance)
    assert [each["outcome"] for each in reports(instance)] == ["succeeded"]
