"""When the platform refuses, or an object no longer exists: each case over real HTTP, with simulated dbt."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudRerunOperator,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunTimeout,
    DbtRunUnwatchable,
    RerunPolicy,
)
from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtJobUnusableError,
    DbtNotFoundError,
    DbtRefusedError,
    DbtRerunError,
    DbtThrottledError,
)
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from tests.border import TaskInstance, first_event, fresh_copy, run_task
from tests.support import Json, LocalPlatform

IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
JOBS = {"nightly": "dbt seed; dbt build"}
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
ACCOUNT = r"/accounts/\d+/$"
JOB = r"/jobs/\d+/$"
RUN = r"/runs/\d+/$"
TRIGGER = r"/jobs/\d+/run/$"
RETRY = r"/runs/\d+/retry/$"


@pytest.fixture(autouse=True, params=["any_newer", "newer_success"])
def _left_idle(
    request: pytest.FixtureRequest,
    connected: None,  # noqa: ARG001
    simulated: LocalPlatform,
) -> Iterator[None]:
    """Try both readings of what makes a run the latest; leave an active job, and no run in progress."""
    simulated.behave(latest=request.param)
    yield
    simulated.control("POST", f"jobs/{simulated.jobs['nightly']}", {"deactivated": False})
    for run in simulated.get("runs/", status__in="[1,2,3]"):
        simulated.post(f"runs/{run['id']}/cancel/")


@pytest.fixture
def failed(simulated: LocalPlatform) -> Json:
    """A failed run that the task did not start."""
    simulated.trouble(RESET)
    run = simulated.run("nightly")
    simulated.control("DELETE", "requests")
    return run


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    """Say in which of the two modes."""
    return bool(request.param)


@pytest.fixture
def job(deferrable: bool, simulated: LocalPlatform) -> Callable[..., DbtCloudJobOperator]:  # noqa: FBT001
    """Make a task that runs the job."""

    def make(**arguments: Any) -> DbtCloudJobOperator:
        defaults = {"job_id": simulated.jobs["nightly"], "policy": IN_A_HURRY, "check_interval": 0.05}
        return DbtCloudJobOperator(task_id="build", deferrable=deferrable, **{**defaults, **arguments})

    return make


@pytest.fixture
def again(deferrable: bool) -> Callable[..., DbtCloudRerunOperator]:  # noqa: FBT001
    """Make a task that reruns one run."""

    def make(**arguments: Any) -> DbtCloudRerunOperator:
        return DbtCloudRerunOperator(task_id="again", deferrable=deferrable, check_interval=0.05, **arguments)

    return make


Make = Callable[..., DbtCloudJobOperator]
Again = Callable[..., DbtCloudRerunOperator]


def deactivate(platform: LocalPlatform) -> None:
    """Do to the job what dbt does after a hundred failed runs in a row."""
    platform.control("POST", f"jobs/{platform.jobs['nightly']}", {"deactivated": True})


def is_final(error: BaseException) -> bool:
    """Whether Airflow would not retry it."""
    return isinstance(error, AirflowFailException)


def questions(platform: LocalPlatform) -> list[str]:
    """List what was asked of the job and of the account, shortened."""
    account = f"/api/v2/accounts/{platform.account_id}/"
    asked = [path.removeprefix(account) for path in platform.paths()]
    return [path for path in asked if path == "" or path.startswith("jobs/")]


# --- The job


def test_good_path_asks_nothing_of_job_and_account(
    job: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A heal without a refusal sends no request to explain one."""
    simulated.trouble(RESET)
    run_task(job(), instance)
    assert len(simulated.posts()) == 2
    assert questions(simulated) == []


@pytest.mark.parametrize("status", [400, 403, 409])
def test_deactivated_job(job: Make, simulated: LocalPlatform, instance: TaskInstance, status: int) -> None:
    """Whatever the status of the refusal: job, reason and fix are named, Airflow must not retry, nothing runs."""
    simulated.behave(refused_start_status=status)
    deactivate(simulated)
    job_id = simulated.jobs["nightly"]
    with pytest.raises(DbtJobUnusableError) as caught:
        run_task(job(), instance)
    assert str(caught.value).startswith(
        f"job {job_id} 'nightly' is deactivated after 100 failed runs in a row: "
        "activate it in dbt, then clear this task"
    )
    assert f"dbt answered {status}: This job is not active." in str(caught.value)
    assert (is_final(caught.value), caught.value.status_code) == (True, status)
    assert len(simulated.posts()) == 1
    assert questions(simulated) == [f"jobs/{job_id}/"]


@pytest.mark.parametrize("mode", ["from_failure", "from_step", "from_start"])
def test_rerun_of_a_deactivated_job(
    again: Again, simulated: LocalPlatform, failed: Json, instance: TaskInstance, mode: str
) -> None:
    """The job was deactivated after its run failed: the same message, final, and the report has the attempts."""
    deactivate(simulated)
    with pytest.raises(DbtRunFailed, match=r"'nightly' is deactivated after 100 .*: activate it in dbt") as caught:
        run_task(again(run_id=failed["id"], mode=mode), instance)
    assert caught.value.run is not None
    assert caught.value.run.id == failed["id"]
    report = instance.xcom("dbt_rerun_report")
    assert (report["outcome"], report["job_run_id"], len(report["attempts"])) == ("failed", failed["id"], 1)
    assert len(simulated.posts()) == 1


def test_run_that_cannot_be_resumed_is_rerun_from_its_step_once(
    again: Again, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A refusal of a whole command is an end, also where the run says that it cannot be resumed."""
    simulated.trouble()
    dead = simulated.run("nightly", steps_override=["dbt no-such-command"])
    simulated.control("DELETE", "requests")
    deactivate(simulated)
    with pytest.raises(DbtRunFailed, match="is deactivated"):
        run_task(again(run_id=dead["id"]), instance)
    assert len(simulated.posts()) == 1


@pytest.mark.parametrize("status", [404, 200])
def test_deleted_job(job: Make, simulated: LocalPlatform, instance: TaskInstance, status: int) -> None:
    """A deleted job, still listed or not: the message has its id and the fix, and Airflow does not retry."""
    simulated.behave(deleted_job_status=status)
    gone = simulated.post("jobs/", {"name": "old", "execute_steps": ["dbt build"]})["id"]
    simulated.send("DELETE", f"jobs/{gone}/")
    words = rf"job {gone} does not exist, or the token may not see it: correct job_id"
    with pytest.raises(DbtJobUnusableError, match=words) as caught:
        run_task(job(job_id=gone), instance)
    assert is_final(caught.value)


def test_rerun_of_a_deleted_job(again: Again, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Its runs outlive a deleted job, and cannot be rerun."""
    gone = simulated.post("jobs/", {"name": "old", "execute_steps": ["dbt build"]})["id"]
    simulated.trouble(RESET)
    run = simulated.wait(simulated.post(f"jobs/{gone}/run/", {"cause": "a test"}))
    simulated.send("DELETE", f"jobs/{gone}/")
    with pytest.raises(DbtRunFailed, match=rf"job {gone} does not exist, or the token may not"):
        run_task(again(run_id=run["id"]), instance)


def test_one_404_is_no_proof(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A job that exists after all, or that the token may start but not read, is not reported as deleted."""
    simulated.fault("status", status=404, method="POST", path=TRIGGER)
    with pytest.raises(DbtNotFoundError, match=r"POST jobs/\d+/run/: .* answered 404: Injected fault") as caught:
        run_task(job(), instance)
    assert not is_final(caught.value)
    simulated.fault("status", status=409, method="POST", path=TRIGGER)
    simulated.fault("status", status=404, method="GET", path=JOB)
    with pytest.raises(DbtRefusedError, match=r"the token may not see it.*dbt answered 409: Injected") as refused:
        run_task(job(), instance)
    assert not is_final(refused.value)


# --- The account


def lock(platform: LocalPlatform, **standing: Any) -> None:
    """Lock the account."""
    platform.control("POST", "account", standing)


@pytest.mark.parametrize("status", [400, 402, 403])
def test_locked_account(job: Make, simulated: LocalPlatform, instance: TaskInstance, status: int) -> None:
    """The reason is read from the account; Airflow may retry, and starts one run when the account is unlocked."""
    simulated.behave(refused_start_status=status)
    lock(simulated, locked=True, lock_reason="Invoice 17 is overdue", lock_cause="unpaid")
    with pytest.raises(DbtApiError) as caught:
        run_task(job(), instance)
    assert str(caught.value).startswith(
        f"account {simulated.account_id} is locked (Invoice 17 is overdue; unpaid): "
        "no run starts until it is unlocked in dbt's account settings"
    )
    assert f"dbt answered {status}: This account cannot start runs." in str(caught.value)
    assert (is_final(caught.value), caught.value.status_code) == (False, status)
    simulated.control("DELETE", "account")
    simulated.control("DELETE", "requests")
    run_task(job(), instance)
    assert len(simulated.posts()) == 1


def test_runs_locked_until_a_moment(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """``run_locked_until`` counts while it is to come; what is past explains no refusal."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    lock(simulated, run_locked_until=tomorrow)
    with pytest.raises(DbtRefusedError) as caught:
        run_task(job(), instance)
    assert f"account {simulated.account_id} is locked until {tomorrow}: " in str(caught.value)
    lock(simulated, run_locked_until="2020-01-01T00:00:00Z", queue_limit=0)
    with pytest.raises(DbtRefusedError) as full:
        run_task(job(), instance)
    assert "locked" not in str(full.value)


def test_account_that_the_token_may_not_read(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Then the platform's own words are all there is, and they are shown; the question's 403 is not."""
    lock(simulated, locked=True)
    simulated.fault("status", status=403, method="GET", path=ACCOUNT)
    with pytest.raises(
        DbtRefusedError, match=r"refused by .* \(400\): This account cannot start runs\.$"
    ) as caught:
        run_task(job(), instance)
    assert not is_final(caught.value)
    assert questions(simulated)[-1] == ""


def test_rerun_in_a_locked_account(
    again: Again, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """Retryable: the next try of the task resumes the failed run when it may."""
    lock(simulated, locked=True, lock_cause="unpaid")
    with pytest.raises(DbtRunExhausted, match=r"account \d+ is locked \(unpaid\)"):
        run_task(again(run_id=failed["id"]), instance)
    simulated.control("DELETE", "account")
    run_id = run_task(again(run_id=failed["id"]), instance)
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] == failed["id"]


@pytest.mark.parametrize("status", [400, 429])
def test_full_queue(job: Make, simulated: LocalPlatform, instance: TaskInstance, status: int) -> None:
    """The limit and the platform's own words are shown; Airflow may retry, and starts one run later."""
    simulated.behave(refused_start_status=status)
    lock(simulated, queue_limit=0)
    with pytest.raises(DbtApiError) as caught:
        run_task(job(), instance)
    words = str(caught.value)
    assert words.startswith(f"the queue of account {simulated.account_id} is full (queue_limit 0): let queued runs")
    assert f"dbt answered {status}: The run queue of this account is full." in words
    assert (type(caught.value), is_final(caught.value)) == (
        DbtThrottledError if status == 429 else DbtRefusedError,
        False,
    )
    lock(simulated, queue_limit=50)
    simulated.control("DELETE", "requests")
    run_task(job(), instance)
    assert len(simulated.posts()) == 1


def test_full_queue_of_an_account_that_the_token_may_not_read(
    job: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """The queue is known from the platform's words only; the message then omits its limit."""
    lock(simulated, queue_limit=0)
    simulated.fault("status", status=403, method="GET", path=ACCOUNT)
    with pytest.raises(DbtRefusedError, match=r"^the account's queue is full: let queued runs"):
        run_task(job(), instance)


def test_too_many_requests_cost_no_more_requests(
    job: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """A 429 that says nothing of a queue is a rate limit: nothing more is asked, and Airflow may retry."""
    simulated.fault("status", status=429, retry_after=77, method="POST", path=TRIGGER)
    with pytest.raises(DbtThrottledError, match=r"Injected fault\.: too many requests") as caught:
        run_task(job(), instance)
    assert (is_final(caught.value), caught.value.retry_after) == (False, 77.0)
    assert questions(simulated) == []


def test_rerun_that_is_throttled(
    again: Again, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """A rerun that met a 429 ends with its report, and the next try of the task resumes the run."""
    simulated.fault("status", status=429, method="POST", path=RETRY)
    with pytest.raises(DbtRunExhausted, match="too many requests"):
        run_task(again(run_id=failed["id"]), instance)
    assert instance.xcom("dbt_rerun_report")["outcome"] == "exhausted"
    run_id = run_task(again(run_id=failed["id"]), instance)
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] == failed["id"]


# --- The run


def test_run_that_is_not_there_yet(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """About one run in a hundred answers 404 just after its trigger: it is waited for, and started once."""
    simulated.fault("status", status=404, method="GET", path=RUN, count=3)
    run_id = run_task(job(), instance)
    assert simulated.get(f"runs/{run_id}/")["status"] == 10
    assert len(simulated.posts()) == 1


def test_run_deleted_while_it_is_watched(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P1: after poll_tolerance it is unwatchable, the message says why, and nothing is rerun."""
    simulated.trouble(HANGS)

    def delete() -> None:
        simulated.until_troubled("orders")
        simulated.control("DELETE", f"runs/{instance.xcom('job_run_id')}")

    deleter = threading.Thread(target=delete)
    deleter.start()
    with pytest.raises(DbtRunUnwatchable) as caught:
        run_task(job(poll_tolerance=0.3), instance)
    deleter.join()
    assert f"dbt run {instance.xcom('job_run_id')} cannot be watched: no readable answer for" in str(caught.value)
    assert "answered 404" in str(caught.value)
    assert "(it does not exist, was deleted, or the token may not see it)" in str(caught.value)
    assert "check the run in dbt, then clear this task" in str(caught.value)
    assert len(simulated.posts()) == 1


def test_run_deleted_between_two_tries(job: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The new try cannot continue a deleted run: it starts the job afresh, once."""
    simulated.trouble(RESET)
    with pytest.raises(DbtRunFailed):
        run_task(job(policy=None), instance)
    simulated.control("DELETE", f"runs/{instance.xcom('job_run_id')}")
    run_id = run_task(job(), instance)
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] is None
    assert [path.split("/")[-2] for path in simulated.posts()] == ["run", "run"]


def test_given_run_deleted_between_two_tries(
    again: Again, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """A given run that was deleted is named in the error, and nothing is started in its place."""
    simulated.control("DELETE", f"runs/{failed['id']}")
    with pytest.raises(DbtNotFoundError, match=rf"GET runs/{failed['id']}/: .* \(it does not exist, was deleted"):
        run_task(again(run_id=failed["id"]), instance)
    assert simulated.posts() == []


class DeletesBeforeRetry(DbtClient):
    """A client with bad luck: the run is deleted the moment before its retry is posted."""

    platform: LocalPlatform

    def send(self, endpoint: Endpoint[Any]) -> Any:
        """Delete, then send."""
        if endpoint.method == "POST":
            self.platform.control("DELETE", f"runs/{endpoint.path.split('/')[1]}")
        return super().send(endpoint)


def test_run_deleted_just_before_its_rerun(simulated: LocalPlatform, failed: Json) -> None:
    """P1: a refused rerun of a deleted run is unwatchable, not exhausted."""
    client = DeletesBeforeRetry(DbtCloudRerunHook().client.settings)
    client.platform = simulated
    work = Work(failed["job_id"], Marker.of("deleted"), "a test", of_run=failed["id"])
    driver = Driver(client, work, IN_A_HURRY, pace=Pace(tolerance=0.2), sleep=lambda _: None)
    session, seen = driver.begin(deadline=None)
    session, step = driver.advance(session, seen)
    while not isinstance(step, Fail):
        session, step = driver.advance(session, driver.wait(session, step))  # type: ignore[arg-type]
    assert step.kind == "unwatchable"
    assert step.reason.startswith(f"dbt run {failed['id']} cannot be rerun: ")
    assert "deleted" in step.reason
    assert len(simulated.posts()) == 1


# --- The queue of one job


@pytest.fixture
def going(simulated: LocalPlatform) -> Json:
    """A run of the job that the task did not start, in progress until it is cancelled."""
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    simulated.until_troubled("orders")
    return run


def test_queued_run_counts_against_the_timeout(
    job: Make,
    simulated: LocalPlatform,
    going: Json,
    instance: TaskInstance,
    *,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The log names the run ahead of ours; at the timeout ours is cancelled, and the other run continues."""
    caplog.set_level(logging.INFO)
    with pytest.raises(DbtRunTimeout, match=f"it was Queued, behind run {going['id']} of the same job"):
        run_task(job(timeout=0.4), instance)
    ours = instance.xcom("job_run_id")
    captured = capsys.readouterr()
    logged = caplog.text + captured.out + captured.err
    assert f"Run {ours} is queued behind run {going['id']} of the same job" in logged
    assert simulated.get(f"runs/{ours}/")["status"] == 30
    assert simulated.get(f"runs/{going['id']}/")["status"] == 3


def test_queued_run_is_cancelled_when_its_task_is_killed(
    simulated: LocalPlatform, going: Json, instance: TaskInstance
) -> None:
    """P9, blocking: our run leaves the queue, the one ahead of it continues."""
    operator = DbtCloudJobOperator(task_id="build", job_id=simulated.jobs["nightly"], check_interval=0.05)

    def kill() -> None:
        while not simulated.get("runs/", status=1):
            time.sleep(0.02)
        operator.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DbtRerunError):
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    killer.join()
    assert simulated.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30
    assert simulated.get(f"runs/{going['id']}/")["status"] == 3


def test_queued_run_is_cancelled_when_its_deferred_task_is_killed(
    simulated: LocalPlatform, going: Json, instance: TaskInstance
) -> None:
    """P9, deferrable: the trigger does the same."""
    operator = DbtCloudJobOperator(task_id="build", job_id=simulated.jobs["nightly"], deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        fresh_copy(operator).execute({"ti": instance})  # type: ignore[typeddict-item]
    trigger: Any = deferred.value.trigger
    asyncio.run(trigger.on_kill())
    assert simulated.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30
    assert simulated.get(f"runs/{going['id']}/")["status"] == 3
    assert asyncio.run(first_event(trigger))["outcome"] == "over"
