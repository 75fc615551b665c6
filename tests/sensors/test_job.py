"""DbtCloudJobSensor, in each of its modes, on a platform that simulates dbt: it waits, detects, and heals."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    TaskDeferred,
    conf,
)
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobSensor,
    DbtCloudRerunHook,
    DbtCloudRunArrivalTrigger,
    DbtRunCancelled,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunSensorTimeout,
    DbtRunUnwatchable,
    RerunPolicy,
)
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtJobUnusableError, DbtServerError, DbtUnauthorizedError
from airflow_dbt_rerun.testing import QUICK, set_testing
from tests.border import TaskInstance, TaskStore, first_event, fresh_copy, run_task
from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.dbt

IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed", "idle": "dbt seed"}
MODES: dict[str, dict[str, Any]] = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@pytest.fixture(autouse=True)
def _ended_well(connected: None, simulated: LocalPlatform) -> Iterator[None]:  # noqa: ARG001
    """Let the job succeed after each test: policies give up on one that failed too often in a row."""
    yield
    simulated.control("DELETE", "faults")
    simulated.trouble()
    simulated.run("nightly")


Make = Callable[..., DbtCloudJobSensor]


@pytest.fixture(params=list(MODES.values()), ids=list(MODES))
def sensor(request: pytest.FixtureRequest, simulated: LocalPlatform) -> Make:
    """Make a sensor of runs from now on, in one of the modes."""
    since = datetime.now(UTC)

    def make(**arguments: Any) -> DbtCloudJobSensor:
        defaults = {"job_id": simulated.jobs["nightly"], "since": since, "poke_interval": 0.05, "timeout": 30}
        return DbtCloudJobSensor(task_id="seen", **{**defaults, **request.param, **arguments})

    return make


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> TaskInstance:
    """Return separate work for each test in each mode."""
    return TaskInstance(run_id=request.node.name, task_id="seen")


def soon(deed: Callable[[], Any]) -> None:
    """Do something while the sensor waits already."""
    threading.Timer(0.1, deed).start()


# --- It waits, and detects


def test_run_that_comes_later_is_waited_for(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Without a run the sensor waits; it then watches the run until it ends, and returns its id."""
    begun = simulated.run("nightly")  # before the moment that counts
    soon(lambda: simulated.trigger("nightly"))
    run_id = run_task(sensor(since=datetime.now(UTC)), instance)
    assert run_id > begun["id"]
    assert simulated.get(f"runs/{run_id}/")["status"] == 10
    assert instance.xcom("job_run_id") == run_id
    assert str(run_id) in instance.xcom("job_run_url")
    assert instance.xcom("dbt_rerun_report")["outcome"] == "succeeded"
    assert len(simulated.posts()) == 2


def test_run_that_is_over_already_is_decided_upon_at_once(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """Neither a deferral nor a reschedule is spent on a run that is over."""
    run = simulated.run("nightly")
    assert sensor().execute({"ti": instance}) == run["id"]  # type: ignore[typeddict-item]


def test_rescheduled_sensor_keeps_no_worker_while_the_run_goes_on(
    simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """Between two pokes the slot is free, even after the run has started; its link is pushed."""
    since = datetime.now(UTC)
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    waiting = DbtCloudJobSensor(
        task_id="seen", job_id=simulated.jobs["nightly"], since=since, mode="reschedule", timeout=5
    )
    with pytest.raises(AirflowRescheduleException):
        waiting.execute({"ti": instance})  # type: ignore[typeddict-item]
    assert instance.xcom("job_run_id") == run["id"]
    simulated.cancel(run)


def test_without_a_policy_it_detects_only(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P4: the default reruns nothing; the error carries the diagnosis, and Airflow does not retry it."""
    simulated.trouble(RESET)
    soon(lambda: simulated.trigger("nightly"))
    with pytest.raises(DbtRunFailed, match="no policy was given") as caught:
        run_task(sensor(), instance)
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.verdict is Category.TRANSIENT
    assert len(simulated.posts()) == 1
    assert instance.xcom("dbt_rerun_report")["attempts"][0]["kind"] == "given"


def test_rerun_by_a_person_counts(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P7: the run failed and a person has healed it since: the work is done, and nothing is started."""
    simulated.trouble(RESET)
    healed = simulated.retry(simulated.run("nightly"))
    assert run_task(sensor(), instance) == healed["id"]
    assert len(simulated.posts()) == 2


# --- It heals


def test_policy_heals(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P3, P6: a run that dbt scheduled is resumed from its point of failure, in each mode."""
    simulated.trouble(RESET)
    soon(lambda: simulated.trigger("nightly"))
    run_id = run_task(sensor(policy=IN_A_HURRY), instance)
    failed = simulated.get(f"runs/{run_id}/")["retrying_run_id"]
    report = instance.xcom("dbt_rerun_report")
    assert [attempt["kind"] for attempt in report["attempts"]] == ["given", "rerun_from_failure"]
    assert [value for key, value in instance.pushed if key == "job_run_id"][-1] == run_id
    assert failed in [value for key, value in instance.pushed if key == "job_run_id"]
    assert report["attempts"][1]["verification"].startswith("verified")
    assert len(simulated.posts()) == 2


def test_next_try_goes_on_with_the_reruns_of_the_earlier_one(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P2, P5: an Airflow retry finds what the earlier try has started, resumes that, and counts it."""
    simulated.trouble({**RESET, "times": -1})
    first = simulated.run("nightly")
    policy = RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2))
    with pytest.raises(DbtRunExhausted):
        run_task(sensor(policy=policy), instance)
    simulated.trouble()
    run_id = run_task(sensor(policy=policy), instance)
    second = simulated.get(f"runs/{run_id}/")["retrying_run_id"]
    assert simulated.get(f"runs/{second}/")["retrying_run_id"] == first["id"]
    assert len(instance.xcom("dbt_rerun_report")["attempts"]) == 3
    assert len(simulated.posts()) == 3


def test_rerun_from_the_step_is_marked_and_found_by_the_next_try(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P2: marked reruns are found by their marker; ``latest`` does not match them."""
    simulated.trouble({**RESET, "times": -1})
    failed = simulated.run("nightly")
    policy = RerunPolicy.from_dict(
        {
            "rules": [{"when": {"any_node": "transient"}, "action": "rerun_from_step"}],
            "stop": {"stop_after_attempt": 2},
            "wait": {"wait_fixed": 0},
        }
    )
    for _ in range(2):
        with pytest.raises(DbtRunExhausted):
            run_task(sensor(policy=policy, match="latest"), instance)
    attempts = instance.xcom("dbt_rerun_report")["attempts"]
    assert [each["kind"] for each in attempts] == ["given", "rerun_from_step", "rerun_from_step"]
    assert attempts[0]["run_id"] == failed["id"]


# --- Which run


def test_latest_stays_with_the_run_that_it_found(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A run that starts while the chosen one is in progress does not replace it, or the wait might never end."""
    simulated.run("nightly")
    simulated.trouble({**HANGS, "seconds": 0.5})
    chosen = simulated.trigger("nightly")
    simulated.until_troubled("orders")
    soon(lambda: simulated.trigger("nightly"))
    assert run_task(sensor(match="latest"), instance, {"task_state_store": TaskStore()}) == chosen["id"]


def test_filters_choose_the_run(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """What others started for other reasons, or on other branches, is passed over."""
    simulated.run("nightly", git_branch="feature")
    wanted = simulated.run("nightly", git_branch="main")
    assert run_task(sensor(git_branch="main", cause_categories=["scheduled", "api"]), instance) == wanted["id"]
    with pytest.raises(DbtRunSensorTimeout, match="by cause category scheduled"):
        run_task(sensor(cause_categories="scheduled", timeout=0.2), instance)


@pytest.mark.parametrize("interval", [True, False], ids=["data interval", "none"])
def test_since_is_the_data_intervals_end_or_the_dag_runs_start(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance, *, interval: bool
) -> None:
    """In Airflow 3 a DAG run by hand or by an asset has no data interval: then its start counts."""
    simulated.run("nightly")
    due = datetime.now(UTC)
    run = simulated.run("nightly")
    later = datetime.now(UTC) + timedelta(hours=1)
    context = {"dag_run": SimpleNamespace(start_date=later if interval else due)}
    assert (
        run_task(sensor(since=None), instance, context | ({"data_interval_end": due} if interval else {}))
        == (run["id"])
    )


def test_no_moment_at_all(sensor: Make, instance: TaskInstance) -> None:
    """Without any moment any old run would do: that is refused."""
    with pytest.raises(DbtConfigError, match="give since"):
        run_task(sensor(since=None), instance, {"dag_run": SimpleNamespace(start_date=None)})


def test_names_are_resolved_once(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The names are resolved by three lists, once, however often the sensor polls."""
    project, environment = (simulated.get(f"{what}/")[0]["name"] for what in ("projects", "environments"))
    named = sensor(job_id=None, project_name=project, environment_name=environment, job_name="nightly")
    simulated.control("DELETE", "requests")
    soon(lambda: simulated.trigger("nightly"))
    assert run_task(named, instance, {"task_state_store": TaskStore()})
    assert len([path for path in simulated.paths() if path.endswith("/jobs/")]) == 1
    assert len([path for path in simulated.paths() if path.endswith("/runs/")]) >= 2


def test_ambiguous_name_lists_the_candidates(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """Two jobs of one name: the sensor fails at once, also softly, and says which they are."""
    project, environment = (simulated.get(f"{what}/")[0]["name"] for what in ("projects", "environments"))
    name = instance.run_id
    ids = [simulated.post("jobs/", {"name": name, "execute_steps": ["dbt seed"]})["id"] for _ in range(2)]
    named = {"project_name": project, "environment_name": environment, "job_name": name}
    with pytest.raises(DbtConfigError, match=f"ambiguous: it names {ids[0]}, {ids[1]}"):
        run_task(sensor(job_id=None, soft_fail=True, **named), instance)


def test_job_that_is_not_there(sensor: Make, instance: TaskInstance) -> None:
    """A sensor of a job that does not exist would wait for ever: it fails at once, also softly."""
    with pytest.raises(DbtJobUnusableError, match="job 4711 does not exist"):
        run_task(sensor(job_id=4711, soft_fail=True), instance)


# --- Time


def test_run_that_does_not_come_is_a_sensors_timeout(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P5: Airflow does not retry this error; its message names what was awaited, and the newest run."""
    newest = simulated.run("nightly")
    with pytest.raises(AirflowSensorTimeout, match=f"did not start in time; .* newest run is {newest['id']}"):
        run_task(sensor(since=datetime.now(UTC), timeout=0.3), instance)
    with pytest.raises(DbtRunSensorTimeout, match="the job has no run"):
        run_task(sensor(job_id=simulated.jobs["idle"], timeout=timedelta(seconds=0.1)), instance)


def test_run_that_does_not_end_is_left_going(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P5, P9: the time is up; a run that the sensor did not start continues."""
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    simulated.until_troubled("orders")
    with pytest.raises(DbtRunSensorTimeout, match=str(run["id"])) as caught:
        run_task(sensor(timeout=0.3, policy=IN_A_HURRY), instance)
    assert caught.value.run is not None
    assert simulated.get(f"runs/{run['id']}/")["status"] == 3
    simulated.cancel(run)


def test_retry_does_not_start_the_clock_anew(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P5: where Airflow keeps what tasks know (3.3), all tries have one timeout together."""
    context = {"task_state_store": TaskStore()}
    simulated.fault("status", path=r"/runs/$", status=500, count=-1)
    with pytest.raises((DbtServerError, DbtRunUnwatchable)):
        run_task(sensor(timeout=0.5, hook_params={"retry_limit": 1}, poll_tolerance=0.1), instance, context)
    simulated.control("DELETE", "faults")
    time.sleep(0.5)
    began = time.monotonic()
    with pytest.raises(DbtRunSensorTimeout):
        run_task(sensor(timeout=0.5, poke_interval=20), instance, context)
    assert time.monotonic() - began < 5
    cleared = TaskInstance(run_id=instance.run_id, task_id="seen", max_tries=1)
    simulated.run("nightly")
    run_task(sensor(timeout=0.5), cleared, context)


def test_deadline_goes_along_through_all_deferrals(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P5: the time that was spent waiting for the run is not given anew when it has come."""
    waiting = DbtCloudJobSensor(
        task_id="seen", job_id=simulated.jobs["nightly"], since=datetime.now(UTC), timeout=9, deferrable=True
    )
    arguments = deferred(waiting, instance)
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    event = {**arguments, "outcome": "arrived", "run_id": run["id"]}
    with pytest.raises(TaskDeferred) as caught:
        fresh_copy(waiting).resume_execution("execute_arrived", {"event": event}, {"ti": instance})  # type: ignore[typeddict-item]
    assert caught.value.trigger.serialize()[1]["deadline"] == arguments["deadline"]
    simulated.cancel(run)


# --- Soft failures


def test_soft_fail_skips_where_the_run_failed(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A verdict about the run is a skip in each mode, in words; the report says what happened."""
    simulated.trouble({**RESET, "times": -1})
    soon(lambda: simulated.trigger("nightly"))
    with pytest.raises(AirflowSkipException, match="Connection reset by peer"):
        run_task(sensor(soft_fail=True), instance)
    assert instance.xcom("dbt_rerun_report")["outcome"] == "failed"
    with pytest.raises(AirflowSkipException):  # its reruns are used up: in each mode alike
        run_task(
            sensor(soft_fail=True, policy=RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2))), instance
        )


def test_soft_fail_skips_where_the_run_does_not_come(sensor: Make, instance: TaskInstance) -> None:
    """The time is up: a skip, and its words."""
    with pytest.raises(AirflowSkipException, match="did not start in time"):
        run_task(sensor(soft_fail=True, timeout=0.2), instance)


def test_soft_fail_is_loud_where_nothing_is_known(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P1: an API that is down says nothing about the run: that must not pass for a skip, in no mode."""
    simulated.fault("status", path=r"/runs/$", status=500, count=-1)
    with pytest.raises((DbtServerError, DbtRunUnwatchable)):
        run_task(sensor(soft_fail=True, hook_params={"retry_limit": 1}, poll_tolerance=0.1), instance)


def test_many_that_wait_in_a_triggerer_look_together(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """One request an interval for all sensors, and a search only by the one whose job has a run."""
    jobs, interval = (simulated.jobs["nightly"], simulated.jobs["idle"]), 0.25
    with set_testing(True, pace=replace(QUICK, check_interval=interval)):
        waits = [
            deferred(
                DbtCloudJobSensor(
                    task_id="seen", job_id=job, since=datetime.now(UTC), poke_interval=interval, deferrable=True
                ),
                replace(instance, run_id=f"{number} {job}"),
            )
            for number in range(10)
            for job in jobs
        ]

    async def story() -> list[Json]:
        waiting = [asyncio.create_task(first_event(DbtCloudRunArrivalTrigger(**wait))) for wait in waits]
        await asyncio.sleep(8 * interval)
        await asyncio.to_thread(simulated.trigger, "nightly")
        done: set[asyncio.Task[Json]] = set()
        while len(done) < len(waits) / 2:
            done, _ = await asyncio.wait(waiting, timeout=interval)
        for task in waiting:
            task.cancel()
        return [task.result() for task in done]

    simulated.control("DELETE", "requests")
    began = time.monotonic()
    found = asyncio.run(asyncio.wait_for(story(), 60))
    looks = (time.monotonic() - began) / interval
    assert [event["awaited"]["job_id"] for event in found] == [jobs[0]] * (len(waits) // 2)
    assert len({event["run_id"] for event in found}) == 1
    # Each searches once at first, and those whose job has a run search once more.
    assert looks / 2 < len(simulated.paths()) <= len(waits) * 1.5 + looks + 5


# --- Trouble


def test_passing_trouble_goes_unnoticed(sensor: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Occasional API errors while the sensor waits do not fail it."""

    def trouble_then_run() -> None:
        simulated.fault("status", path=r"/runs/$", status=503, count=3)
        simulated.trigger("nightly")

    soon(trouble_then_run)
    run_id = run_task(sensor(hook_params={"retry_limit": 1}), instance)
    assert simulated.get(f"runs/{run_id}/")["status"] == 10


def test_silence_while_the_triggerer_waits_is_no_verdict(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P1: no readable answer for the tolerated time: an event that says so, and the task fails, also softly."""
    waiting = DbtCloudJobSensor(
        task_id="seen",
        job_id=simulated.jobs["nightly"],
        since=datetime.now(UTC),
        poke_interval=0.05,
        poll_tolerance=0.2,
        hook_params={"retry_limit": 1},
        soft_fail=True,
        deferrable=True,
    )
    arguments = deferred(waiting, instance)
    simulated.fault("status", path=r"/runs/$", status=503, count=-1)
    event = asyncio.run(asyncio.wait_for(first_event(DbtCloudRunArrivalTrigger(**arguments)), 5))
    assert event["outcome"] == "unwatchable"
    with pytest.raises(DbtRunUnwatchable, match="no readable answer for"):
        fresh_copy(waiting).resume_execution("execute_arrived", {"event": event}, {"ti": instance})  # type: ignore[typeddict-item]


def test_wrong_token_is_told_at_once(
    sensor: Make, simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor with a wrong token does not wait, and does not skip."""
    simulated.connect(monkeypatch, password="wrong")
    with pytest.raises(DbtUnauthorizedError):
        run_task(sensor(soft_fail=True), instance)


def test_new_token_goes_unnoticed_while_the_triggerer_waits(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is rotated before the run starts: the connection is read again."""
    since = datetime.now(UTC)
    arguments = deferred(
        DbtCloudJobSensor(task_id="seen", job_id=simulated.jobs["nightly"], since=since, deferrable=True), instance
    )
    look_up = DbtCloudRerunHook.async_client

    async def then_rotate(hook: DbtCloudRerunHook) -> Any:
        client = await look_up(hook)
        simulated.connect(monkeypatch)
        return client

    monkeypatch.setattr(DbtCloudRerunHook, "async_client", then_rotate)
    simulated.connect(monkeypatch, password="old")
    run = simulated.trigger("nightly")
    event = asyncio.run(first_event(DbtCloudRunArrivalTrigger(**arguments)))
    assert (event["outcome"], event["run_id"]) == ("arrived", run["id"])
    assert simulated.token not in json.dumps([arguments, event])


@pytest.mark.parametrize("event", [None, {}, {"outcome": "success"}, {"status": "error"}])
def test_event_that_says_nothing_is_neither_success_nor_failure(
    simulated: LocalPlatform, instance: TaskInstance, event: Json | None
) -> None:
    """P1: an event that is missing or unknown ends as unwatchable, before and after the run has come."""
    waiting = DbtCloudJobSensor(task_id="seen", job_id=1, deferrable=True, policy=IN_A_HURRY)
    for resume in (waiting.execute_arrived, waiting.execute_complete):
        with pytest.raises(DbtRunUnwatchable, match="no known outcome"):
            resume({"ti": instance}, event)  # type: ignore[typeddict-item]
    assert simulated.posts() == []


# --- Kill


def deferred(operator: DbtCloudJobSensor, instance: TaskInstance) -> Json:
    """Execute a deferrable sensor until it waits, and give what its trigger was made with."""
    with pytest.raises(TaskDeferred) as caught:
        fresh_copy(operator).execute({"ti": instance})  # type: ignore[typeddict-item]
    arguments: Json = caught.value.trigger.serialize()[1]
    return arguments


@pytest.fixture
def hanging_rerun(simulated: LocalPlatform) -> Json:
    """A failed run, and a person's rerun of it that is in progress."""
    simulated.trouble(RESET)
    failed = simulated.run("nightly")
    simulated.trouble(HANGS)
    rerun: Json = simulated.post(f"runs/{failed['id']}/retry/")
    simulated.until_troubled("orders")
    return rerun


@pytest.fixture(params=[None, IN_A_HURRY], ids=["no policy", "policy"])
def watching(request: pytest.FixtureRequest, simulated: LocalPlatform) -> Make:
    """Make a sensor of the runs of the last seconds, which only detects, or heals."""
    since = datetime.now(UTC)

    def make(**arguments: Any) -> DbtCloudJobSensor:
        defaults = {"job_id": simulated.jobs["nightly"], "since": since, "policy": request.param}
        return DbtCloudJobSensor(task_id="seen", poke_interval=0.05, **{**defaults, **arguments})

    return make


def test_kill_leaves_a_rerun_that_a_person_started(
    watching: Make, hanging_rerun: Json, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P9: such a rerun is watched, and never cancelled: by no kill, working, deferred or resumed."""
    arguments = deferred(watching(deferrable=True), instance)
    assert (arguments["run_id"], arguments["cancel_on_kill"]) == (hanging_rerun["id"], False)
    resumed = watching(deferrable=True)
    with pytest.raises(TaskDeferred):
        resumed.execute_complete({"ti": instance}, {**arguments, "outcome": "moment"})  # type: ignore[typeddict-item]
    resumed.on_kill()
    working = watching(timeout=0.5)
    threading.Timer(0.2, working.on_kill).start()
    with pytest.raises(DbtRunSensorTimeout):
        working.execute({"ti": instance})  # type: ignore[typeddict-item]
    assert simulated.get(f"runs/{hanging_rerun['id']}/")["status"] == 3
    simulated.cancel(hanging_rerun)


@pytest.fixture
def healing(simulated: LocalPlatform) -> Make:
    """Return a sensor whose rerun of a failed run takes long."""
    since = datetime.now(UTC)
    simulated.trouble(RESET)
    simulated.run("nightly")
    simulated.trouble(HANGS)

    def make(**arguments: Any) -> DbtCloudJobSensor:
        defaults = {"job_id": simulated.jobs["nightly"], "since": since, "policy": IN_A_HURRY}
        return DbtCloudJobSensor(task_id="seen", poke_interval=0.05, **{**defaults, **arguments})

    return make


def test_kill_of_a_worker_stops_our_rerun(healing: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P9: the rerun that the sensor started does not go on when the sensor is killed."""
    working = healing()

    def kill() -> None:
        simulated.until_troubled("orders")
        working.on_kill()

    threading.Thread(target=kill).start()
    with pytest.raises(DbtRunCancelled):
        working.execute({"ti": instance})  # type: ignore[typeddict-item]
    assert simulated.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30


def test_kill_of_a_deferred_or_resumed_sensor_stops_our_rerun(
    healing: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P9: the trigger cancels it on a kill, and a resumed worker recognises it as the task's run."""
    arguments = deferred(healing(deferrable=True), instance)
    assert (arguments["run_id"], arguments["cancel_on_kill"]) == (instance.xcom("job_run_id"), True)
    resumed = healing(deferrable=True)
    with pytest.raises(TaskDeferred):
        resumed.execute_complete({"ti": instance}, {**arguments, "outcome": "moment"})  # type: ignore[typeddict-item]
    resumed.on_kill()
    assert simulated.get(f"runs/{arguments['run_id']}/")["status"] == 30


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_timeout_stops_our_rerun(
    healing: Make, simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """P5, P9: the time is for all of it, the heal too; what we started then does not go on."""
    with pytest.raises(DbtRunSensorTimeout, match="stopped waiting") as caught:
        run_task(healing(timeout=0.7, deferrable=deferrable), instance)
    assert [attempt.kind for attempt in caught.value.attempts] == ["given", "rerun_from_failure"]
    assert simulated.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30


# --- What is wrong from the start, and what Airflow knows of it


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "DbtCloudJobSensor needs job_id, or all of project_name, environment_name and job_name"),
        ({"job_id": "x"}, "job_id must be a number"),
        ({"job_id": 1, "since": "yesterday"}, "since must be a datetime or ISO 8601 text, not 'yesterday'"),
        ({"job_id": 1, "since": 5}, "since must be a datetime or ISO 8601 text, not 5"),
        ({"job_id": 1, "match": "newest"}, "match must be one of first, latest, not 'newest'"),
        ({"job_id": 1, "poke_interval": 0}, "poke_interval takes a number of seconds above zero"),
        ({"job_id": 1, "timeout": timedelta(0)}, "timeout takes a number of seconds above zero"),
        ({"job_id": 1, "policy": "rules: [1]"}, "policy.rules[0]"),
    ],
)
def test_wrong_arguments_fail_while_the_dag_is_parsed(arguments: dict[str, Any], words: str) -> None:
    """What can be known to be wrong at parse time is refused there, with the argument's name."""
    with pytest.raises(DbtConfigError) as caught:
        DbtCloudJobSensor(task_id="seen", **arguments)
    assert words in str(caught.value)


def test_airflow_knows_it_for_a_sensor() -> None:
    """Airflow treats it as one: its defaults, its modes, and the moment of a rescheduled task."""
    made = DbtCloudJobSensor(task_id="seen", job_id=1, mode="reschedule")
    assert isinstance(made, BaseSensorOperator)
    assert (made.timeout, made.poke_interval, made.policy) == (
        conf.getfloat("sensors", "default_timeout"),
        60,
        None,
    )
    serialized: set[str] = DbtCloudJobSensor.get_serialized_fields()  # type: ignore[no-untyped-call]
    assert "reschedule" in serialized
    with pytest.raises((ValueError, AirflowException), match="mode must be one of"):
        DbtCloudJobSensor(task_id="seen", job_id=1, mode="poll")
