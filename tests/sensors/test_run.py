"""DbtCloudRunSensor: one given run, in each mode of a sensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, BaseOperator, BaseSensorOperator
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobSensor, DbtCloudRunSensor, DbtRunFailed, DbtRunSensorTimeout, RerunPolicy
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtNotFoundError, DbtRunUnwatchable
from tests.border import TaskInstance, fresh_copy, run_task
from tests.support import LocalPlatform

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed"}
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": 1, "message": "Table with name raw_refunds does not exist!"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
MODES: dict[str, dict[str, Any]] = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}

pytestmark = pytest.mark.usefixtures("connected")
Make = Callable[..., DbtCloudRunSensor]


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> TaskInstance:
    """Return separate work for each test in each mode."""
    return TaskInstance(run_id=request.node.name, task_id="wait")


@pytest.fixture(params=list(MODES.values()), ids=list(MODES))
def sensor(request: pytest.FixtureRequest) -> Make:
    """Make a sensor in one of the modes."""

    def make(**arguments: Any) -> DbtCloudRunSensor:
        return DbtCloudRunSensor(
            task_id="wait", **{"poke_interval": 0.05, "timeout": 30, **request.param, **arguments}
        )

    return make


def test_run_is_waited_for(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A run in progress is watched until its end, and its id comes back as a number."""
    run = simulated.trigger("nightly")
    assert run_task(sensor(run_id=str(run["id"])), instance) == run["id"]
    assert simulated.get(f"runs/{run['id']}/")["status"] == 10
    assert instance.xcom("job_run_id") == run["id"]
    assert instance.xcom("dbt_rerun_report")["outcome"] == "succeeded"


def test_failed_run_is_diagnosed(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Without a policy it detects only, and the message says why."""
    simulated.trouble(BROKEN)
    run = simulated.run("nightly")
    with pytest.raises(DbtRunFailed, match="raw_refunds does not exist"):
        run_task(sensor(run_id=run["id"]), instance)
    assert len(simulated.posts()) == 1
    with pytest.raises(AirflowSkipException):
        run_task(sensor(run_id=run["id"], soft_fail=True), instance)


def test_failed_run_is_healed_once(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2, P6: with a policy exactly this run is resumed; the next try finds that rerun and posts nothing."""
    simulated.trouble(RESET)
    run = simulated.run("nightly")
    healing = sensor(run_id=run["id"], policy=RerunPolicy(wait=wait_fixed(0)))
    healed = run_task(healing, instance)
    assert simulated.get(f"runs/{healed}/")["retrying_run_id"] == run["id"]
    assert run_task(healing, instance) == healed
    assert len(simulated.posts()) == 2


def test_run_of_others_is_left_going_when_the_time_is_up(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A sensor's timeout, which Airflow does not retry; the run is not cancelled."""
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    simulated.until_troubled("orders")
    with pytest.raises(DbtRunSensorTimeout, match=str(run["id"])):
        run_task(sensor(run_id=run["id"], timeout=0.5), instance)
    assert not simulated.get(f"runs/{run['id']}/")["is_complete"]
    simulated.cancel(run)


def test_run_that_answers_late_is_borne(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """About one run in a hundred answers 404 just after it was triggered."""
    run = simulated.run("nightly")
    simulated.fault("status", path=rf"/runs/{run['id']}/$", status=404, count=2)
    assert run_task(DbtCloudRunSensor(task_id="wait", run_id=run["id"]), instance) == run["id"]


def test_run_that_is_not_there(sensor: Make, instance: TaskInstance) -> None:
    """A wrong id is no endless wait."""
    with pytest.raises(DbtNotFoundError, match="runs/999999/"):
        run_task(sensor(run_id=999999, poll_tolerance=0.1), instance)


def test_rescheduled_sensor_keeps_no_worker(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Between two pokes the slot is free."""
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    sensor = DbtCloudRunSensor(task_id="wait", run_id=run["id"], mode="reschedule")
    with pytest.raises(AirflowRescheduleException):
        fresh_copy(sensor).execute({"ti": instance})  # type: ignore[typeddict-item]
    simulated.cancel(run)


def test_event_about_another_run_is_not_acted_upon(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The task's argument says which run it is about, not what the triggerer sends."""
    run = simulated.run("nightly")
    event = {"outcome": "over", "run_id": 1, "session": {"attempts": [{"run_id": 1}]}}
    sensor = DbtCloudRunSensor(task_id="wait", run_id=run["id"], deferrable=True)
    with pytest.raises(DbtRunUnwatchable, match="about another run"):
        sensor.execute_complete({"ti": instance}, event)  # type: ignore[typeddict-item]


def test_output_of_another_task_is_taken() -> None:
    """``run_id=trigger.output`` makes the dependency, as in the official sensor."""
    with DAG(dag_id="d", schedule=None):
        before = BaseOperator(task_id="before")
        sensor = DbtCloudRunSensor(task_id="wait", run_id=before.output)  # type: ignore[arg-type]
    assert sensor.upstream_task_ids == {"before"}
    assert isinstance(sensor, BaseSensorOperator)


def test_id_that_renders_to_nothing_is_named(instance: TaskInstance) -> None:
    """The task that should have pushed the id did not."""
    sensor = DbtCloudRunSensor(task_id="wait", run_id="{{ ti.xcom_pull('trigger') }}")
    sensor.run_id = "None"
    with pytest.raises(DbtConfigError, match=r"^run_id is 'None' after rendering"):
        run_task(sensor, instance)


def test_job_sensor_names_the_sensor_of_one_run() -> None:
    """A given run is another question than a job's next one."""
    with pytest.raises(DbtConfigError, match="for one given run, use DbtCloudRunSensor"):
        DbtCloudJobSensor(task_id="wait", run_id=1)
