"""A task asks a person: what Airflow is given, and what each answer does. Airflow is a mock here, dbt is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudJobSensor,
    DbtCloudRunSensor,
    DbtConfigError,
    DbtRunFailed,
    Question,
    RerunPolicy,
    RerunRule,
    every,
)
from airflow_dbt_rerun.config.airflow_features import can_ask
from airflow_dbt_rerun.operators.base import HealingOperator
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, fresh_copy, run_task
from tests.support import LocalPlatform

needs_airflow_3_1 = pytest.mark.skipif(not can_ask(), reason="Airflow asks people from 3.1 on")
pytestmark = pytest.mark.usefixtures("connected")

BUG = {"node": "orders", "times": 1, "message": 'syntax error at or near "selec"'}
ASKS = RerunPolicy(rules=[RerunRule(every("code"), "ask", question=Question(patience=3600))])  # type: ignore[arg-type]
PERSON = {"id": "op", "name": "Olga"}


@pytest.fixture
def put(mocker: MockerFixture) -> Any:
    """What Airflow is asked to show."""
    return mocker.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail")


@pytest.fixture(autouse=True)
def _asks_for_real(test_mode: None) -> Any:  # noqa: ARG001 - it is to be switched off once it is on
    """Test mode would answer by itself."""
    with set_testing(False):
        yield


def until_asked(operator: HealingOperator, instance: TaskInstance, method: str = "execute", **given: Any) -> Any:
    """Run a task until it waits for a person; return how it waits."""
    context: Any = {"ti": instance}
    with pytest.raises(BaseException) as caught:
        getattr(operator, method)(context, **given)
    assert type(caught.value).__name__ in ("TaskAwaitingInput", "TaskDeferred"), caught.value
    return caught.value


def answer(operator: HealingOperator, instance: TaskInstance, waits: Any, event: dict[str, Any]) -> Any:
    """Resume the task on another worker."""
    context: Any = {"ti": instance}
    resumed = fresh_copy(operator)
    return resumed.resume_execution(waits.method_name, {**waits.kwargs, "event": event}, context)


def build(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """A task that asks about bugs."""
    return DbtCloudJobOperator(
        **{
            "task_id": "build",
            "job_id": platform.jobs["nightly"],
            "policy": ASKS,
            "check_interval": 0.05,
            **arguments,
        }
    )


@needs_airflow_3_1
def test_answer_is_carried_out(simulated: LocalPlatform, instance: TaskInstance, put: Any) -> None:
    """From failure, on another worker; the report and the log's decision name who answered."""
    simulated.trouble(BUG)
    task = build(simulated)
    waits = until_asked(task, instance)
    asked = put.call_args.kwargs
    assert asked["options"] == ["Rerun from failure", "Rerun from start", "Give up"]
    assert asked["defaults"] == ["Give up"]
    assert "build" in asked["subject"]
    assert "model orders" in asked["body"]
    event = {"chosen_options": ["Rerun from failure"], "responded_by_user": PERSON, "timedout": False}
    run_id = answer(task, instance, waits, event)
    report = instance.xcom("dbt_rerun_report")
    assert (report["outcome"], report["job_run_id"], report["reruns"]) == ("healed", run_id, 1)
    assert report["attempts"][0]["decision"] == "rerun_from_failure: Olga answered: rerun from failure"
    assert len(simulated.posts()) == 2


@needs_airflow_3_1
@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"chosen_options": ["Give up"], "responded_by_user": PERSON}, "Olga answered: give up"),
        ({"chosen_options": ["Give up"], "timedout": True}, "nobody answered in time, so: give up"),
        ({"error": "too late", "error_type": "timeout"}, "nobody answered in time, so: give up"),
        ({"error": "gone", "error_type": "unknown"}, "the question could not be asked: gone"),
        ({"chosen_options": ["Rebuild"], "responded_by_user": PERSON}, "'Rebuild', which is not among the answers"),
        ({}, "not among the answers"),
    ],
)
def test_other_ends_of_a_question(
    simulated: LocalPlatform, instance: TaskInstance, put: Any, event: dict[str, Any], why: str
) -> None:
    """Nothing is started, and the task fails for good with who or what decided."""
    simulated.trouble(BUG)
    task = build(simulated)
    waits = until_asked(task, instance)
    with pytest.raises(DbtRunFailed, match=why):
        answer(task, instance, waits, event)
    assert put.called
    assert len(simulated.posts()) == 1


@needs_airflow_3_1
def test_timeout_takes_the_default(simulated: LocalPlatform, instance: TaskInstance, put: Any) -> None:
    """Also where Airflow still shows the options of an earlier question."""
    simulated.trouble(BUG)
    question = Question(options=["rerun_from_start", "fail"], default="rerun_from_start", patience=60)  # type: ignore[list-item, arg-type]
    policy = RerunPolicy(rules=[RerunRule(every("code"), "ask", question=question)])  # type: ignore[arg-type]
    task = build(simulated, policy=policy)
    waits = until_asked(task, instance)
    assert put.call_args.kwargs["defaults"] == ["Rerun from start"]
    answer(task, instance, waits, {"chosen_options": ["Give up"], "timedout": True})
    assert instance.xcom("dbt_rerun_report")["attempts"][1]["kind"] == "rerun_from_start"


@needs_airflow_3_1
def test_lost_memory_asks_again(simulated: LocalPlatform, instance: TaskInstance, put: Any) -> None:
    """The memory of another version, or of before a clear, is not acted upon: dbt's record is read."""
    simulated.trouble(BUG)
    task = build(simulated)
    waits = until_asked(task, instance)
    waits.kwargs["session"]["version"] = 0
    event = {"chosen_options": ["Rerun from failure"], "responded_by_user": PERSON}
    again = until_asked(fresh_copy(task), instance, "answered", event=event, **waits.kwargs)
    assert again.kwargs["session"]["attempts"] != []
    assert put.call_count == 2
    assert len(simulated.posts()) == 1


@needs_airflow_3_1
@pytest.mark.parametrize("given", [False, True], ids=["of a job", "given"])
def test_sensor_asks_too(simulated: LocalPlatform, instance: TaskInstance, put: Any, *, given: bool) -> None:
    """About a run that it did not start; the answer is carried out on that run."""
    simulated.trouble(BUG)
    failed = simulated.run("nightly")
    common: dict[str, Any] = {"task_id": "seen", "policy": ASKS, "poke_interval": 0.05}
    sensor: HealingOperator = DbtCloudRunSensor(run_id=failed["id"], **common)
    if not given:
        sensor = DbtCloudJobSensor(job_id=simulated.jobs["nightly"], since=failed["created_at"], **common)
    waits = until_asked(sensor, instance)
    assert str(failed["id"]) in put.call_args.kwargs["body"]
    answer(sensor, instance, waits, {"chosen_options": ["Rerun from failure"], "responded_by_user": PERSON})
    healed = simulated.get("runs/", job_definition_id=simulated.jobs["nightly"], order_by="-id", limit=1)[0]
    assert (healed["retrying_run_id"], healed["status"]) == (failed["id"], 10)


def test_people_are_told(simulated: LocalPlatform, instance: TaskInstance, mocker: MockerFixture) -> None:
    """``on_question`` is called before the task waits, with what failed and until when an answer counts."""
    if not can_ask():
        pytest.skip("Airflow asks people from 3.1 on")
    mocker.patch("airflow.sdk.execution_time.hitl.upsert_hitl_detail")
    simulated.trouble(BUG)
    told: list[dict[str, Any]] = []
    tell: Callable[[Any], None] = lambda context: told.append(context["dbt_rerun"])  # noqa: E731
    until_asked(build(simulated, on_question=tell), instance)
    assert [(each["event"], each["default"]) for each in told] == [("question", "Give up")]
    assert "model orders" in told[0]["headline"]


@needs_airflow_3_1
def test_test_mode_answers_with_the_default(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A user's own ``dag.test()`` has no UI to answer in."""
    simulated.trouble(BUG)
    with set_testing(True), pytest.raises(DbtRunFailed, match="nobody is asked in test mode"):
        run_task(build(simulated), instance)


@pytest.mark.parametrize(
    "policy", [ASKS, ASKS.to_dict(), '{"rules": [{"when": {"every": "code"}, "action": "ask"}]}']
)
def test_airflow_that_cannot_ask_is_told_at_parse(policy: Any, mocker: MockerFixture) -> None:
    """Below 3.1 a question would never be seen."""
    mocker.patch("airflow_dbt_rerun.config.argument_kinds.can_ask", return_value=False)
    with pytest.raises(DbtConfigError, match=r"asks a person, which needs Airflow 3\.1 or newer"):
        DbtCloudJobOperator(task_id="build", job_id=1, policy=policy)
