"""Somebody edits the job while a run of it waits to be rerun: what a run executed is what its own steps say.

The platform shows the commands of today with every run, old and new. A green run of other commands is not the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudRerunOperator,
    RerunAction,
    RerunPolicy,
    RerunRule,
    any_node,
)
from airflow_dbt_rerun.audit.auditor import audit
from airflow_dbt_rerun.exceptions import DbtRerunError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, run_task
from tests.support import Json, LocalPlatform

ORIGINAL = ["dbt seed", "dbt build --exclude resource_type:seed"]
SHORTER = ["dbt seed"]
NARROWER = ["dbt seed", "dbt build --exclude resource_type:seed orders customers daily_revenue top_customers"]
OTHER = ["dbt seed --full-refresh", "dbt run --select stg_orders"]
RESET = {"node": "orders", "times": 1, "seconds": 0.5, "message": "Connection reset by peer"}
JOBS = {"nightly": "; ".join(ORIGINAL)}
pytestmark = pytest.mark.usefixtures("connected")

Edit = Callable[[Sequence[str]], None]


@pytest.fixture
def job(simulated: LocalPlatform) -> int:
    """A job of one's own, since it is edited."""
    return int(simulated.post("jobs/", {"name": "edited", "execute_steps": ORIGINAL})["id"])


@pytest.fixture
def edit(simulated: LocalPlatform, job: int) -> Edit:
    """Give the job other commands."""

    def change(commands: Sequence[str]) -> None:
        definition = simulated.get(f"jobs/{job}/")
        simulated.post(f"jobs/{job}/", {**definition, "execute_steps": list(commands)})

    return change


def runs_of(platform: LocalPlatform, job: int) -> list[Json]:
    """The job's runs, oldest first."""
    found: list[Json] = platform.get("runs/", job_definition_id=job, order_by="id")
    return found


def heal(job: int, policy: RerunPolicy, meanwhile: Callable[[], None], name: str) -> tuple[str, TaskInstance]:
    """Run the job to its end, and do something as soon as its first run has failed; return how the task ended."""
    instance = TaskInstance(dag_id=name)
    thread = threading.Thread(target=meanwhile)
    thread.start()
    task = DbtCloudJobOperator(task_id="build", job_id=job, policy=policy, check_interval=0.05)
    try:
        with set_testing(True, keep_waits=True):  # the policy's wait is the moment in which somebody acts
            run_task(task, instance)
        end = "green"
    except DbtRerunError as error:
        end = f"{type(error).__name__}: {error}"
    thread.join()
    return end, instance


def after_failure(platform: LocalPlatform, job: int, act: Callable[[], Any]) -> Callable[[], None]:
    """Act once the job's first run has failed."""

    def wait_and_act() -> None:
        platform.until_troubled("orders")
        platform.wait(runs_of(platform, job)[0])
        act()

    return wait_and_act


def while_it_runs(platform: LocalPlatform, act: Callable[[], Any]) -> Callable[[], None]:
    """Act while the job's first run is in progress: it is not over before its failing node is."""

    def wait_and_act() -> None:
        platform.until_troubled("orders")
        act()

    return wait_and_act


def policy(action: str) -> RerunPolicy:
    """Rerun what is transient, after a moment in which somebody can act."""
    return RerunPolicy(rules=[RerunRule(any_node("transient"), RerunAction(action))], wait=wait_fixed(1.5))


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize("commands", [SHORTER, NARROWER], ids=["shorter", "narrower"])
def test_green_run_of_other_commands_is_not_adopted(
    simulated: LocalPlatform, job: int, edit: Edit, commands: Sequence[str], *, restored: bool
) -> None:
    """P1: a newer run of the edited job is green, also where the job is put back afterwards."""
    simulated.trouble(RESET)

    def person() -> None:
        edit(commands)
        simulated.wait(simulated.post(f"jobs/{job}/run/", {"cause": "a person"}))
        if restored:
            edit(ORIGINAL)

    name = f"adopt {commands} {restored}"
    end, instance = heal(job, policy("rerun_from_failure"), after_failure(simulated, job, person), name)
    first = runs_of(simulated, job)[0]["id"]
    found = audit(DbtCloudRerunHook().client, instance.xcom("job_run_id"), of_run=first)
    green = {"done", "not verifiable"}  # the second where the job was put back, and so edited
    assert str(found.finding) in green if end == "green" else not found.is_done, (end, found)
    if not restored:
        assert "no rerun is possible: the job was edited after this run had started" in end


@pytest.mark.parametrize("action", ["rerun_from_start", "rerun_from_step"])
@pytest.mark.parametrize("commands", [SHORTER, OTHER], ids=["shorter", "other"])
def test_edited_job_is_left_to_a_person(
    simulated: LocalPlatform, job: int, edit: Edit, action: str, commands: Sequence[str]
) -> None:
    """P1: the new commands are other work, and the old ones are what a person has just changed."""
    simulated.trouble(RESET)
    meanwhile = while_it_runs(simulated, lambda: edit(commands))
    end, _ = heal(job, policy(action), meanwhile, f"{action} {commands}")
    assert f"the job was edited after this run had started, and its commands were {'; '.join(ORIGINAL)}" in end
    assert len(runs_of(simulated, job)) == 1


def test_edited_job_is_still_resumed(simulated: LocalPlatform, job: int, edit: Edit) -> None:
    """A resumed run goes on with the commands of the run that failed, which are remembered from its start."""
    simulated.trouble(RESET)
    meanwhile = while_it_runs(simulated, lambda: edit(SHORTER))
    end, instance = heal(job, policy("rerun_from_failure"), meanwhile, "resumed")
    assert end == "green"
    assert instance.xcom("dbt_rerun_report")["verified"] == "verified"


def test_edited_target_is_not_claimed(simulated: LocalPlatform, job: int) -> None:
    """Whether a resumed run keeps the target that its job had is not documented."""
    simulated.trouble(RESET)

    def edit_target() -> None:
        definition = simulated.get(f"jobs/{job}/")
        settings = {**definition["settings"], "target_name": "elsewhere"}
        simulated.post(f"jobs/{job}/", {**definition, "settings": settings})

    end, instance = heal(job, policy("rerun_from_failure"), while_it_runs(simulated, edit_target), "target")
    report = instance.xcom("dbt_rerun_report")
    assert end == "green"
    assert report["verified"] == "not verifiable"
    assert "its target was" in report["attempts"][-1]["verification"]


def test_audit_of_a_failed_run_goes_by_its_own_steps(simulated: LocalPlatform, job: int, edit: Edit) -> None:
    """P14: the record said "done" of a run that had ended in Error, after its job was edited."""
    simulated.trouble(RESET)
    failed = simulated.wait(simulated.post(f"jobs/{job}/run/", {"cause": "a test"}))
    client = DbtCloudRerunHook().client
    before = audit(client, failed["id"])
    edit(SHORTER)
    after = audit(client, failed["id"])
    assert str(before.finding) == str(after.finding) == "not done"
    assert [each.command for each in after.commands] == ORIGINAL
    assert after.problem is not None
    assert "edited" in after.problem


@pytest.mark.parametrize("action", ["rerun_from_step", "rerun_from_start"])
def test_command_that_was_dropped_behind_the_failed_one_is_known(
    simulated: LocalPlatform, job: int, edit: Edit, action: str
) -> None:
    """P1: no step of the failed run tells that there had been a third command, but the job did at its start."""
    edit([*ORIGINAL, "dbt test"])
    simulated.trouble(RESET)
    meanwhile = while_it_runs(simulated, lambda: edit(ORIGINAL))
    end, _ = heal(job, policy(action), meanwhile, f"dropped {action}")
    assert "the job was edited" in end
    assert "its commands were" in end
    assert "dbt test" in end


@pytest.mark.parametrize("action", ["rerun_from_step", "rerun_from_start"])
def test_command_that_was_dropped_from_a_given_run_is_not_claimed(
    simulated: LocalPlatform, job: int, edit: Edit, action: str
) -> None:
    """P1: a run that somebody else started is first read after its job was edited."""
    edit([*ORIGINAL, "dbt test"])
    simulated.trouble(RESET)
    failed = simulated.wait(simulated.post(f"jobs/{job}/run/", {"cause": "a person"}))
    edit(ORIGINAL)
    instance = TaskInstance(dag_id=f"given {action}")
    task = DbtCloudRerunOperator(
        task_id="again", run_id=failed["id"], mode=action.removeprefix("rerun_"), check_interval=0.05
    )
    run_task(task, instance)
    assert instance.xcom("dbt_rerun_report")["verified"] == "not verifiable"
    found = audit(DbtCloudRerunHook().client, instance.xcom("job_run_id"), of_run=failed["id"])
    assert str(found.finding) == "not verifiable"
