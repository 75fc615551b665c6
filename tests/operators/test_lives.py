"""The lives of a task instance, and the runs that may be of this one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_dbt_rerun import DbtCloudJobOperator
from airflow_dbt_rerun.operators.lives import began, markers
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")


def build(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """A task that only runs a job."""
    return DbtCloudJobOperator(task_id="build", job_id=platform.jobs["seeds"], check_interval=0.05, **arguments)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_another_number_of_retries_begins_no_life(
    simulated: LocalPlatform, instance: TaskInstance, retries: int
) -> None:
    """P2: somebody deploys it between two tries; Airflow keeps ``max_tries``, and so the run is found again."""
    first = replace(instance, max_tries=2, pushed=[])
    started = run_task(build(simulated, retries=2), first)
    second = replace(first, try_number=2, pushed=[])
    assert run_task(build(simulated, retries=retries), second) == started
    assert len(simulated.posts()) == 1


def test_clear_begins_a_life(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Airflow raises ``max_tries`` then."""
    started = run_task(build(simulated, retries=2), replace(instance, max_tries=2, pushed=[]))
    cleared = replace(instance, max_tries=3, try_number=2, pushed=[])
    assert run_task(build(simulated, retries=2), cleared) == started + 1


def test_markers_of_all_lives_differ() -> None:
    """Each of them is searched for."""
    found = [marker.key for marker in markers(TaskInstance(max_tries=3))]
    assert len(set(found)) == len(found) == 4


def test_dag_run_with_the_id_of_a_deleted_one_starts_a_run(
    simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P1: what an earlier DAG run of the same id did is not the work of this one."""
    started = run_task(build(simulated), instance)
    later = datetime.now(UTC) + timedelta(hours=1)
    again = replace(instance, pushed=[])
    assert run_task(build(simulated), again, {"dag_run": SimpleNamespace(start_date=later)}) == started + 1


def test_retry_finds_its_run_behind_a_hundred_others(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2: a busy job has a page of newer runs before the next try begins."""
    begin = datetime.now(UTC) - timedelta(minutes=1)
    dag_run = {"dag_run": SimpleNamespace(start_date=begin)}
    started = run_task(build(simulated), replace(instance, max_tries=1, pushed=[]), dag_run)
    for number in range(101):
        simulated.post(f"jobs/{simulated.jobs['seeds']}/run/", {"cause": f"another, {number}"})
    retry = replace(instance, max_tries=1, try_number=2, pushed=[])
    assert run_task(build(simulated, retries=1), retry, dag_run) == started


def test_begin_of_a_dag_run() -> None:
    """Epoch seconds; None where Airflow does not say."""
    assert began({"dag_run": SimpleNamespace(start_date=datetime(1970, 1, 2, tzinfo=UTC))}) == 86_400.0
    assert began({"dag_run": SimpleNamespace(start_date=None)}) is None
    assert began({}) is None
