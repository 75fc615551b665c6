"""What a person asked for by a button of our page, carried out by the next try of the task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudJobSensor,
    DbtCloudRerunOperator,
    DbtRunCancelled,
    DbtRunFailed,
    RerunPolicy,
)
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.operators.wishes import KEY, Wish
from tests.border import TaskInstance, TaskStore, run_task
from tests.core.builders import state
from tests.support import Json, LocalPlatform

JOBS = {"seeds": "dbt seed"}
CODE = {"node": "raw_orders", "times": -1, "message": 'syntax error at or near "selct"'}

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    """Both modes."""
    return bool(request.param)


def job(platform: LocalPlatform, **more: Any) -> DbtCloudJobOperator:
    """Return the task that gives up at an error of the code."""
    return DbtCloudJobOperator(task_id="build", job_id=platform.jobs["seeds"], **more)


def give_up(platform: LocalPlatform, task: Any, instance: TaskInstance) -> Json:
    """Let the task fail for good; return its dbt run, with the cause mended since."""
    platform.trouble(CODE)
    with pytest.raises(DbtRunFailed):
        run_task(task, instance)
    platform.trouble()
    platform.control("DELETE", "requests")
    run: Json = platform.get(f"runs/{instance.xcom('job_run_id')}/")
    return run


def wish(action: str, run: Json, **more: Any) -> dict[str, TaskStore]:
    """Return the context with what the API server has recorded at the clear of the first try."""
    store = TaskStore()
    said = {
        "action": action,
        "run_id": run["id"],
        "by": "ada",
        "at": 1_796_000_000.0,
        "after_try": 1,
        "max_tries": 1,
    }
    store.set(KEY, {**said, **more})
    return {"task_state_store": store}


def cleared(instance: TaskInstance, **more: Any) -> TaskInstance:
    """Return the task instance as the first try after a clear sees it."""
    return replace(instance, **{"max_tries": 1, "try_number": 2, "pushed": [], **more})


@pytest.mark.parametrize(("action", "posts"), [("rerun_from_failure", ["retry"]), ("rerun_from_start", ["run"])])
def test_the_failed_run_is_rerun_as_wished(
    simulated: LocalPlatform,
    instance: TaskInstance,
    deferrable: bool,  # noqa: FBT001
    action: str,
    posts: list[str],
) -> None:
    """A clear alone would start afresh; by the wish, the run that the person saw is rerun."""
    task = job(simulated, deferrable=deferrable)
    failed = give_up(simulated, task, instance)
    again = cleared(instance)
    run_id = run_task(task, again, wish(action, failed))
    assert [path.split("/")[-2] for path in simulated.posts()] == posts
    report = again.xcom("dbt_rerun_report")
    assert [(each["run_id"], each["kind"]) for each in report["attempts"]] == [
        (failed["id"], "given"),
        (run_id, action),
    ]
    assert "a person asked for it" in report["attempts"][0]["decision"]
    # The task had started it itself, before its clear: it is not said to come from outside.
    assert report["attempts"][0]["summary"] == "is the run that ada asked to rerun"
    assert (report["outcome"], report["job_name"]) == ("healed", "seeds")


def test_rules_keep_their_numbers_beside_a_wish() -> None:
    """A reason counts rules as the policy does: the wish comes first, and is not one of them."""
    wished = Wish("rerun_from_failure", 101, "ada", 0.0).applied_to_policy(RerunPolicy())
    assert wished is not None
    assert wished.decide(state(Category.CODE)).reason == "a person asked for it: 1 model (code)"
    assert wished.decide(state(Category.TRANSIENT, attempt=2)).reason.startswith("rule 2 (at least one failure is")


def test_the_next_try_continues_what_the_wish_has_started(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2: a worker that is killed after its POST leaves a rerun, and the next try takes that one."""
    task = job(simulated)
    context = wish("rerun_from_start", give_up(simulated, task, instance))
    first = run_task(task, cleared(instance), context)
    assert run_task(task, cleared(instance, try_number=3), context) == first
    assert len(simulated.posts()) == 1


def test_a_wish_ends_with_the_next_clear(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """Who clears the task later, without a button, gets what a clear always does: a fresh run."""
    task = job(simulated)
    failed = give_up(simulated, task, instance)
    later = cleared(instance, max_tries=2, try_number=3)
    run_task(task, later, wish("rerun_from_failure", failed))
    assert [each["kind"] for each in later.xcom("dbt_rerun_report")["attempts"]] == ["trigger"]


@pytest.mark.parametrize("max_tries", [0, 1])
def test_a_wish_for_a_running_task_counts(simulated: LocalPlatform, instance: TaskInstance, max_tries: int) -> None:
    """Airflow raises max_tries of a running task only when its process has ended, or not at all."""
    task = job(simulated)
    context = wish("rerun_from_failure", give_up(simulated, task, instance), max_tries=0)
    run_task(task, cleared(instance, max_tries=max_tries), context)
    assert [path.split("/")[-2] for path in simulated.posts()] == ["retry"]


BROKEN = (
    {"action": "drop_table"},
    {"run_id": "1"},
    {"at": None},
    {"after_try": "x"},
    {"after_try": 0, "max_tries": 7},
)


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_no_wish_is_ignored(simulated: LocalPlatform, instance: TaskInstance, broken: Json) -> None:
    """Whoever may edit the task's store can write anything into it."""
    task = job(simulated)
    failed = give_up(simulated, task, instance)
    run_task(task, cleared(instance), wish(**{"action": "rerun_from_failure", "run": failed, **broken}))
    assert [path.split("/")[-2] for path in simulated.posts()] == ["run"]


def test_giving_up_starts_nothing(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The task fails for good, and its report tells who gave up and what had failed."""
    task = job(simulated)
    failed = give_up(simulated, task, instance)
    again = cleared(instance)
    with pytest.raises(DbtRunCancelled, match=r"ada asked at 2026-11-30 .* UTC to give up") as raised:
        run_task(task, again, wish("give_up", failed))
    assert isinstance(raised.value, AirflowFailException)
    assert simulated.posts() == []
    report = again.xcom("dbt_rerun_report")
    assert (report["outcome"], report["job_run_id"]) == ("cancelled", failed["id"])
    assert report["attempts"][0]["findings"][0]["category"] == "code"


def test_giving_up_cancels_what_is_in_progress(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P9: nothing that this task has started goes on."""
    task = job(simulated)
    run_task(task, instance)
    simulated.trouble({"node": "raw_orders", "times": -1, "seconds": 300})
    going = simulated.post(
        f"jobs/{simulated.jobs['seeds']}/run/",
        {
            "cause": simulated.get(f"runs/{instance.xcom('job_run_id')}/", include_related="['trigger']")[
                "trigger"
            ]["cause"]
        },
    )
    simulated.wait(going, 3)
    with pytest.raises(DbtRunCancelled):
        run_task(task, cleared(instance), wish("give_up", going))
    assert simulated.get(f"runs/{going['id']}/")["status"] == 30


def test_other_tasks_obey_too(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A sensor without a policy, and the rerun of one run."""
    simulated.trouble(CODE)
    failed = simulated.run("seeds")
    job_id = simulated.jobs["seeds"]
    sensor = DbtCloudJobSensor(task_id="seen", job_id=job_id, since="2020-01-01T00:00:00Z", match="latest")
    give_up(simulated, sensor, instance)
    run_id = run_task(sensor, cleared(instance), wish("rerun_from_failure", failed))
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] == failed["id"]
    simulated.trouble(CODE)
    failed = simulated.run("seeds")
    rerun = DbtCloudRerunOperator(task_id="again", run_id=failed["id"], policy=None)
    other = replace(instance, task_id="again", pushed=[])
    failed = give_up(simulated, rerun, other)
    run_id = run_task(rerun, cleared(other), wish("rerun_from_failure", failed))
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] == failed["id"]
