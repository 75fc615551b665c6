"""``wait_for_termination=False``: the run is started once and left to a sensor, as the official operator does."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudRunSensor,
    DbtRunFailed,
    RerunPolicy,
)
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtUnauthorizedError
from tests.border import TaskInstance, fresh_copy, run_task
from tests.support import LocalPlatform

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed"}
IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    """Set ``deferrable``, which means nothing to a task that does not wait, as ``default_deferrable`` may."""
    return bool(request.param)


def trigger(platform: LocalPlatform, **more: Any) -> DbtCloudJobOperator:
    """Make a task that only starts the job."""
    return DbtCloudJobOperator(
        task_id="build", job_id=platform.jobs["nightly"], wait_for_termination=False, check_interval=0.1, **more
    )


def test_run_is_started_and_not_waited_for(
    simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """The id of a run in progress comes back, as a number, beside the XComs of the official operator."""
    simulated.trouble(HANGS)
    run_id = fresh_copy(trigger(simulated, deferrable=deferrable)).execute({"ti": instance})  # type: ignore[typeddict-item]
    run = simulated.get(f"runs/{run_id}/", include_related="trigger")
    assert not run["is_complete"]
    assert run["trigger"]["cause"].startswith("[dbt-rerun ")
    assert (instance.xcom("job_run_id"), type(run_id)) == (run_id, int)
    assert str(run_id) in instance.xcom("job_run_url")
    assert [key for key, _ in instance.pushed if key == "dbt_rerun_report"] == []
    simulated.cancel(run)


def test_next_try_returns_the_same_run(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2: the worker died after the POST; the next try posts nothing, whatever has become of the run."""
    simulated.trouble({**RESET, "times": -1})
    first = run_task(trigger(simulated), instance)
    assert run_task(trigger(simulated), instance) == first
    assert simulated.wait(simulated.get(f"runs/{first}/"))["status"] == 20
    assert run_task(trigger(simulated), instance) == first
    assert len(simulated.posts()) == 1
    simulated.trouble()
    simulated.run("nightly")


def test_lost_answer_starts_no_second_run(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2: the answer to the POST is lost, and the run is found by its marker."""
    simulated.fault("lost", method="POST", path="/run/")
    run_id = run_task(trigger(simulated), instance)
    assert simulated.wait(simulated.get(f"runs/{run_id}/"))["status"] == 10
    assert len(simulated.posts()) == 1


def test_cleared_task_starts_afresh(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A clear stops the run that was left in progress and starts a new one, as that of a task that waits."""
    simulated.trouble(HANGS)
    first = run_task(trigger(simulated), instance)
    simulated.until_troubled("orders")
    instance.max_tries = 1
    second = run_task(trigger(simulated), instance)
    assert second > first
    assert simulated.wait(simulated.get(f"runs/{first}/"))["status"] == 30
    simulated.wait(simulated.get(f"runs/{second}/"))


def test_wrong_token_is_told(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that starts nothing fails."""
    simulated.connect(monkeypatch, password="wrong")
    with pytest.raises(DbtUnauthorizedError):
        run_task(trigger(simulated), instance)


def test_sensor_on_the_output_heals_the_run(
    simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """The pair of most public DAGs: one task starts, another one waits, and by a policy heals."""
    simulated.trouble(RESET)
    started = run_task(trigger(simulated, policy=None), instance)
    watching = TaskInstance(run_id=instance.run_id, task_id="wait")
    common: dict[str, Any] = {
        "run_id": str(started),
        "deferrable": deferrable,
        "poke_interval": 0.05,
        "timeout": 60,
    }
    healed = run_task(DbtCloudRunSensor(task_id="wait", policy=IN_A_HURRY, **common), watching)
    assert simulated.get(f"runs/{healed}/")["retrying_run_id"] == started
    assert watching.xcom("dbt_rerun_report")["outcome"] == "healed"
    assert len(simulated.posts()) == 2


def test_deferred_wait_goes_on_in_a_fresh_process(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The sensor defers while the run goes on, instead of keeping a worker."""
    simulated.trouble(HANGS)
    started = run_task(trigger(simulated), instance)
    sensor = DbtCloudRunSensor(task_id="wait", run_id=started, deferrable=True, poke_interval=0.05)
    with pytest.raises(TaskDeferred):
        fresh_copy(sensor).execute({"ti": TaskInstance(run_id=instance.run_id, task_id="wait")})  # type: ignore[typeddict-item]
    simulated.cancel(simulated.get(f"runs/{started}/"))


# --- The official names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reuse_existing_run": True}, r"reuse_existing_run .*DbtCloudJobSensor waits for a run"),
        ({"openlineage_inject_parent_job_info": True}, r"openlineage_inject_parent_job_info .*trigger_reason"),
        ({"hook_params": {"retry_args": {"stop": None}}}, r"hook_params\['retry_args'\] .*give retry_limit"),
        ({"retry_from_failure": True, "policy": None}, r"give policy=RerunPolicy\(\)"),
        ({"retry_from_failure": False}, r"give policy=None"),
        ({"retry_from_failure": True, "wait_for_termination": False}, r"policy=RerunPolicy\(\) to the DbtCloudRun"),
        ({"wait_for_termination": "False"}, r"wait_for_termination takes True or False"),
    ],
)
def test_official_argument_is_refused_with_its_replacement(given: dict[str, Any], words: str) -> None:
    """What would mean something else here is named where the DAG is parsed, with what to write."""
    with pytest.raises(DbtConfigError, match=words):
        DbtCloudJobOperator(task_id="build", job_id=1, **given)


def test_official_argument_that_means_the_same_is_taken(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """``retry_from_failure=True`` is what a policy does; it needs no retry of Airflow for it."""
    simulated.trouble(RESET)
    job = DbtCloudJobOperator(
        task_id="build",
        job_id=simulated.jobs["nightly"],
        check_interval=0.1,
        wait_for_termination=True,
        retry_from_failure=True,
        reuse_existing_run=False,
        openlineage_inject_parent_job_info=False,
        hook_params={"retry_limit": 2, "retry_args": None},
    )
    run_id = run_task(job, instance)
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] is not None


def test_no_wait_needs_no_policy(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A run that failed at once is the sensor's to judge."""
    simulated.trouble({**RESET, "times": -1})
    task = trigger(simulated, policy=IN_A_HURRY)
    assert task.policy_in_force() is None
    started = run_task(task, instance)
    sensor = DbtCloudRunSensor(task_id="wait", run_id=started, poke_interval=0.05, timeout=60)
    with pytest.raises(DbtRunFailed, match="no policy was given"):
        run_task(sensor, TaskInstance(run_id=instance.run_id, task_id="wait"))
    assert len(simulated.posts()) == 1
    simulated.trouble()
    simulated.run("nightly")
