"""Reruns of one failed run, by task and from the terminal; callbacks, clears: on a platform that simulates dbt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from pytest_mock import MockerFixture
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobOperator,
    DbtCloudRerunHook,
    DbtCloudRerunOperator,
    DbtRunCancelled,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunTimeout,
    RerunAction,
    RerunPolicy,
    RerunRule,
    any_node,
    attempt_number,
    every,
)
from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.engine.cancelling import cancel, what_became_of
from airflow_dbt_rerun.exceptions import DbtConfigError
from tests.border import TaskInstance, first_event, fresh_copy, run_task
from tests.core.builders import run as a_run
from tests.support import Json, LocalPlatform

IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": 1, "message": "Table with name raw_refunds does not exist!"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
TEST = "every_payment_has_an_order"
JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed; dbt run --select customers"}
pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def failed(simulated: LocalPlatform) -> Json:
    """Start a run outside the task that fails on a bug."""
    simulated.trouble(BROKEN)
    return simulated.run("nightly")


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def again(request: pytest.FixtureRequest) -> Callable[..., DbtCloudRerunOperator]:
    """Make a task that reruns one run, in one of the two modes."""

    def make(**arguments: Any) -> DbtCloudRerunOperator:
        return DbtCloudRerunOperator(task_id="again", deferrable=request.param, check_interval=0.05, **arguments)

    return make


Make = Callable[..., DbtCloudRerunOperator]


# --- The task that reruns one run


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("from_failure", "retry"), ("from_step", "run"), ("from_start", "run")],
)
def test_reruns_in_the_mode_that_was_asked_for(
    again: Make, simulated: LocalPlatform, failed: Json, instance: TaskInstance, *, mode: str, kind: str
) -> None:
    """Whatever the failure was: a person asked. Exactly one rerun, of exactly this run, and it is watched."""
    run_id = run_task(again(run_id=str(failed["id"]), mode=mode), instance)
    run = simulated.get(f"runs/{run_id}/", include_related="['trigger']")
    assert run["status"] == 10
    assert [path.split("/")[-2] for path in simulated.posts()[1:]] == [kind]
    steps = run["trigger"]["steps_override"]
    commands = [part.strip() for part in JOBS["nightly"].split(";")]
    assert (steps or None) == (commands[1:] if mode == "from_step" else None) or mode == "from_failure"
    report = instance.xcom("dbt_rerun_report")
    assert [attempt["kind"] for attempt in report["attempts"]] == ["given", f"rerun_{mode}"]
    assert report["outcome"] == "healed"


def test_plan_is_told_before_anything_starts(
    simulated: LocalPlatform, failed: Json, instance: TaskInstance, again: Make
) -> None:
    """P4: a dry run names steps, nodes, kind and reason, and starts nothing."""
    plan: Any = again(run_id=failed["id"], dry_run=True).execute({"ti": instance})  # type: ignore[typeddict-item]
    assert plan["action"] == "rerun_from_failure"
    assert "dbt build" in plan["failed_step"]
    assert plan["skipped_steps"] == ["dbt run --select customers"]
    assert "model.corner_shop.orders" in plan["nodes"]
    assert plan["diagnosis"]["verdict"] == "code"
    assert plan == instance.xcom("dbt_rerun_plan")
    assert len(simulated.posts()) == 1


def test_latest_run_of_a_job(again: Make, simulated: LocalPlatform, failed: Json, instance: TaskInstance) -> None:
    """job_id stands for the job's latest run; a new try finds the rerun of the earlier one and starts no other."""
    operator = again(job_id=simulated.jobs["nightly"])
    run_id = run_task(operator, instance)
    assert simulated.get(f"runs/{run_id}/")["retrying_run_id"] == failed["id"]
    assert run_task(fresh_copy(operator), instance) == run_id
    assert len(simulated.posts()) == 2


def test_job_without_a_run(again: Make, simulated: LocalPlatform) -> None:
    """A job that never ran: one clear line, and nothing is started."""
    job = simulated.post("jobs/", {"name": "new", "execute_steps": ["dbt build"]})
    with pytest.raises(DbtConfigError, match=f"job {job['id']} has no run"):
        run_task(again(job_id=job["id"]))


def test_success_needs_no_rerun(again: Make, simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P1: only a failure is rerun."""
    run = simulated.run("nightly")
    assert run_task(again(run_id=run["id"], mode="from_start"), instance) == run["id"]
    assert len(simulated.posts()) == 1


def test_rerun_by_a_person_is_taken_up(
    again: Make, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """P2: whether a person or the task starts it first, there is one rerun."""
    theirs = simulated.retry(failed)
    assert run_task(again(run_id=failed["id"]), instance) == theirs["id"]
    assert len(simulated.posts()) == 2


def test_kill_leaves_a_rerun_by_a_person(simulated: LocalPlatform, failed: Json, instance: TaskInstance) -> None:
    """P9: it was there before the task, so the task only watches it: a kill does not stop it."""
    simulated.trouble(HANGS)
    theirs = simulated.post(f"runs/{failed['id']}/retry/")
    simulated.until_troubled("orders")
    operator = DbtCloudRerunOperator(task_id="again", run_id=failed["id"], deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is False
    operator.on_kill()
    assert simulated.get(f"runs/{theirs['id']}/")["status"] == 3
    simulated.cancel(theirs)


def test_rerun_that_fails_too_is_left_to_the_policy(
    again: Make, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """Without a policy one rerun is all; with one, its rules go on."""
    simulated.trouble({**RESET, "times": 1})
    with pytest.raises(DbtRunFailed, match="no rule covers"):
        run_task(again(run_id=failed["id"]), instance)
    assert len(simulated.posts()) == 2
    simulated.trouble({**RESET, "times": 1})
    other = simulated.run("nightly")
    simulated.trouble({**RESET, "times": 1})
    run_task(again(run_id=other["id"], policy=IN_A_HURRY), TaskInstance(run_id=f"{instance.run_id} 2"))
    assert len(simulated.posts()) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs run_id or job_id, and not both"),
        ({"run_id": 1, "job_id": 2}, "needs run_id or job_id, and not both"),
        ({"run_id": "x"}, "run_id must be a number"),
        ({"run_id": 1, "mode": "again"}, "mode must be one of from_failure, from_step, from_start, rebuild_tested"),
        ({"run_id": 1, "on_rerun": "mail"}, "on_rerun takes functions or notifiers, not 'mail'"),
    ],
)
def test_wrong_arguments_fail_while_the_dag_is_parsed(arguments: dict[str, Any], words: str) -> None:
    """What can be known to be wrong at parse time is refused there, with the argument's name."""
    with pytest.raises(DbtConfigError, match=words):
        DbtCloudRerunOperator(task_id="t", **arguments)


def test_failed_test_is_healed_by_building_what_it_tests(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """``rebuild_tested``: the tested models, the test, and what was skipped run again; then the rest of the job."""
    simulated.trouble({"node": TEST, "times": 1, "failures": 3})
    rule = RerunRule(every("test_failed"), RerunAction.REBUILD_TESTED)
    run_id = run_task(job(simulated, policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))), instance)
    build, after = simulated.get(f"runs/{run_id}/", include_related="['trigger']")["trigger"]["steps_override"]
    assert build.startswith("dbt build --exclude resource_type:seed --select fqn:corner_shop.")
    assert after == "dbt run --select customers"
    assert TEST in build
    report = instance.xcom("dbt_rerun_report")["attempts"][1]
    assert report["kind"] == "rebuild_tested"
    assert report["verification"].startswith("verified")


def test_what_a_silent_retry_left_out_is_still_owed(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P6: a later command that is rerun as a whole does not make the nodes of an earlier one disappear."""
    simulated.behave(retry_runs="nothing")
    simulated.trouble(RESET, {**RESET, "node": "customers"})
    policy = RerunPolicy(
        rules=[
            RerunRule(attempt_number(2), RerunAction.RERUN_FROM_STEP),
            RerunRule(any_node(Category.TRANSIENT)),
        ],
        stop=stop_after_attempt(9),
        wait=wait_fixed(0),
    )
    job = DbtCloudJobOperator(task_id="t", job_id=simulated.jobs["nightly"], policy=policy, check_interval=0.05)
    run_id = run_task(job, instance)
    attempts = instance.xcom("dbt_rerun_report")["attempts"]
    assert [attempt["kind"] for attempt in attempts] == [
        "trigger",
        "rerun_from_failure",
        "rerun_from_step",
        "rerun_from_step",
    ]
    assert attempts[2]["verification"].startswith("hollow")
    assert "model.corner_shop.orders" in attempts[2]["verification"]
    steps = simulated.get(f"runs/{run_id}/", include_related="['trigger']")["trigger"]["steps_override"]
    assert steps == [part.strip() for part in JOBS["nightly"].split(";")][1:]


# --- Callbacks


def job(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """Make a task that runs the job."""
    defaults = {"job_id": platform.jobs["nightly"], "policy": IN_A_HURRY, "check_interval": 0.05}
    return DbtCloudJobOperator(task_id="build", **{**defaults, **arguments})


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_each_rerun_is_told_once(simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool) -> None:
    """on_rerun gets the context and what happened; what it raises changes nothing."""
    told: list[dict[str, Any]] = []

    def broken(_: Any) -> None:
        raise RuntimeError("no mail today")

    simulated.trouble({**RESET, "times": 2})
    callbacks = [broken, lambda context: told.append(context["dbt_rerun"])]
    run_task(job(simulated, on_rerun=callbacks, deferrable=deferrable), instance)
    assert [each["attempt"] for each in told] == [2, 3]
    assert {each["kind"] for each in told} == {"rerun_from_failure"}
    assert {each["verdict"] for each in told} == {"transient"}
    assert told[-1]["run_id"] == instance.xcom("job_run_id")
    assert told[-1]["of_run"] == told[0]["run_id"]
    assert json.loads(json.dumps(told)) == told


def test_metrics_are_counted(simulated: LocalPlatform, instance: TaskInstance, mocker: MockerFixture) -> None:
    """Airflow's Stats count reruns and outcomes; a broken backend fails no task."""
    stats = mocker.patch("airflow.providers.common.compat.sdk.Stats", create=True)
    simulated.trouble(RESET)
    run_task(job(simulated), instance)
    assert [call.args[0] for call in stats.incr.call_args_list] == ["dbt_rerun.attempt", "dbt_rerun.healed"]
    tags = {"kind": "rerun_from_failure", "verdict": "transient", "signature": "general/connection-reset"}
    assert stats.incr.call_args_list[0].kwargs["tags"] == tags
    stats.incr.side_effect = OSError("statsd is gone")
    run_task(job(simulated), TaskInstance(run_id=f"{instance.run_id} 2"))


# --- Clears


def test_clear_stops_what_was_left_going(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P9: a cleared task starts afresh, and the run of its earlier life does not go on beside it."""
    simulated.trouble(HANGS)
    first = job(simulated, deferrable=True)
    with pytest.raises(TaskDeferred):
        first.execute({"ti": instance})  # type: ignore[typeddict-item]
    simulated.until_troubled("orders")
    old = instance.xcom("job_run_id")
    new = run_task(job(simulated), TaskInstance(run_id=instance.run_id, max_tries=1, task_id=instance.task_id))
    assert simulated.get(f"runs/{old}/")["status"] == 30
    assert new != old


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
@pytest.mark.parametrize("policy", [RerunPolicy(), None], ids=["policy", "no policy"])
def test_retry_goes_on_where_a_try_ran_out_of_time(
    simulated: LocalPlatform, instance: TaskInstance, policy: RerunPolicy | None, *, deferrable: bool
) -> None:
    """P2, P9: what a try of this task stopped itself was stopped by no person: the next try runs that command."""
    job = DbtCloudJobOperator(
        task_id="t",
        job_id=simulated.jobs["nightly"],
        policy=policy,
        deferrable=deferrable,
        timeout=2,
        check_interval=0.1,
    )
    simulated.trouble(HANGS)
    with pytest.raises(DbtRunTimeout):
        run_task(job, instance)
    simulated.trouble()
    job.timeout = 60
    done = run_task(job, instance)
    run = simulated.get(f"runs/{done}/", include_related="['trigger']")
    stopped, *after = JOBS["nightly"].split("; ")[1:]
    assert run["trigger"]["steps_override"] == [stopped, *after]
    assert [each["kind"] for each in instance.xcom("dbt_rerun_report")["attempts"]] == [
        "trigger",
        "rerun_from_step",
    ]
    assert "stopped" in instance.xcom("dbt_rerun_report")["attempts"][0]["decision"]


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_execution_timeout_counts_across_deferrals(
    simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """P5: Airflow itself forgets its limit while a task is deferred; ours is over in that time all the same."""
    job = DbtCloudJobOperator(
        task_id="t",
        job_id=simulated.jobs["nightly"],
        deferrable=deferrable,
        execution_timeout=timedelta(seconds=0.5),
        check_interval=0.1,
    )
    simulated.trouble(HANGS)
    with pytest.raises(DbtRunTimeout):
        run_task(job, instance)
    assert simulated.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30


def test_retry_leaves_what_a_person_stopped_between_two_tries(
    simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """P1: while no try of the task was at work, a person cancelled its run: nothing is rerun."""
    simulated.trouble(HANGS)
    job = DbtCloudJobOperator(task_id="t", job_id=simulated.jobs["nightly"], deferrable=True)
    with pytest.raises(TaskDeferred):
        job.execute({"ti": instance})  # type: ignore[typeddict-item]
    simulated.cancel({"id": instance.xcom("job_run_id")}, by="Ann")
    with pytest.raises(DbtRunCancelled, match="cancelled by Ann"):
        run_task(job, instance)
    assert len(simulated.posts()) == 2


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_polls_are_quick_where_the_end_is_near(
    simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """The job's newest runs show how long it takes: with an hour between polls its end is still noticed at once."""
    simulated.trouble()
    simulated.run("nightly")
    simulated.trouble({**HANGS, "seconds": 0.3})
    slow = job(simulated, deferrable=deferrable, check_interval=3600, quickest_check_interval=0.05, timeout=30)
    run_id = run_task(slow, instance)
    assert simulated.get(f"runs/{run_id}/")["status"] == 10


def test_event_of_before_a_clear_is_not_believed(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """P2: Airflow 3.0 resumes a cleared task with what its earlier life waited for; its new life runs the job."""
    simulated.trouble()
    operator = job(simulated, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    stale = asyncio.run(first_event(deferred.value.trigger))
    instance.max_tries += 1
    with pytest.raises(TaskDeferred):
        fresh_copy(operator).execute_complete({"ti": instance}, stale)  # type: ignore[typeddict-item]
    assert instance.xcom("job_run_id") != stale["run_id"]
    assert len(simulated.posts()) == 2
    simulated.wait(simulated.get(f"runs/{instance.xcom('job_run_id')}/"))


def test_clear_takes_up_a_failed_run_where_it_may(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """reattach="always": a cleared task resumes what had failed; after a success it starts afresh."""
    simulated.trouble(RESET)
    with pytest.raises(DbtRunFailed):
        run_task(job(simulated, policy=None), instance)
    failed = instance.xcom("job_run_id")
    cleared = TaskInstance(run_id=instance.run_id, max_tries=1, task_id=instance.task_id)
    healed = run_task(job(simulated, reattach="always"), cleared)
    assert simulated.get(f"runs/{healed}/")["retrying_run_id"] == failed
    once_more = TaskInstance(run_id=instance.run_id, max_tries=2, task_id=instance.task_id)
    assert run_task(job(simulated, reattach="always"), once_more) > healed
    assert len(simulated.posts()) == 3


# --- From the terminal


def test_plan_from_the_terminal(simulated: LocalPlatform, failed: Json, capsys: pytest.CaptureFixture[str]) -> None:
    """``plan`` says what a rerun would run, for people and for machines, and starts nothing."""
    assert main(["plan", str(failed["id"])]) == 0
    page = capsys.readouterr().out
    assert "Plan: rerun from failure" in page
    assert "skipped step: dbt run --select customers" in page
    assert main(["plan", str(failed["id"]), "--mode", "from_step", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["action"] == "rerun_from_step"
    assert len(simulated.posts()) == 1


def test_misspelt_mode_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The closest mode is suggested, before anything is read."""
    with pytest.raises(SystemExit):
        main(["rerun", "1", "--mode", "from_fail"])
    assert "not 'from_fail': did you mean 'from_failure'?" in capsys.readouterr().err


def test_rerun_from_the_terminal(
    simulated: LocalPlatform, failed: Json, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``rerun`` asks first, or needs --yes without a terminal; then it watches the run until it ends."""
    assert main(["rerun", str(failed["id"])]) == 1
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    assert main(["rerun", str(failed["id"])]) == 1
    assert len(simulated.posts()) == 1
    assert main(["rerun", str(failed["id"]), "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"resumed run {failed['id']} from its failed step" in said
    assert "Done: healed in 2 attempts" in said
    assert len(simulated.posts()) == 2
    assert main(["rerun", "1"]) == 1
    assert "1" in capsys.readouterr().err


# --- A rerun that failed, too


def fails_twice(simulated: LocalPlatform) -> tuple[Json, Json]:
    """Start a run outside any task that fails, and let its rerun by a person fail, too."""
    simulated.trouble({**BROKEN, "times": 2})
    run = simulated.run("nightly")
    return run, simulated.retry(run)


@pytest.mark.parametrize("by", ["id of the run", "id of its rerun", "job"])
def test_run_whose_rerun_failed_is_rerun_again(
    again: Make, simulated: LocalPlatform, instance: TaskInstance, by: str
) -> None:
    """A new DAG run is a new request: the attempts of an earlier one are not used up for it."""
    run, rerun = fails_twice(simulated)
    ids = {"id of the run": run["id"], "id of its rerun": rerun["id"]}
    which = {"run_id": ids[by]} if by in ids else {"job_id": simulated.jobs["nightly"]}
    done = run_task(again(**which), instance)
    assert simulated.get(f"runs/{done}/")["retrying_run_id"] == rerun["id"]
    assert len(simulated.posts()) == 3


def test_request_after_request_is_carried_out(
    again: Make, simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """Each DAG run reruns once, and a clear asks again; what is done is not done twice."""
    simulated.trouble({**BROKEN, "times": 3})
    run = simulated.run("nightly")
    with pytest.raises(DbtRunFailed, match="no rule covers"):
        run_task(again(run_id=run["id"]), instance)
    with pytest.raises(DbtRunFailed, match="no rule covers"):
        run_task(again(run_id=run["id"]), TaskInstance(run_id=f"{instance.run_id} 2"))
    cleared = TaskInstance(run_id=f"{instance.run_id} 2", max_tries=1, try_number=2)
    done = run_task(again(run_id=run["id"]), cleared)
    assert simulated.get(f"runs/{done}/")["status"] == 10
    assert len(simulated.posts()) == 4
    assert run_task(again(run_id=run["id"]), TaskInstance(run_id=f"{instance.run_id} 3")) == done
    assert len(simulated.posts()) == 4


@pytest.mark.parametrize(
    ("changes", "run_type"), [({"try_number": 2, "max_tries": 1}, "manual"), ({}, "asset_triggered")]
)
def test_retry_and_repeated_event_ask_for_nothing_new(
    again: Make, simulated: LocalPlatform, instance: TaskInstance, changes: dict[str, Any], run_type: str
) -> None:
    """Airflow's own retry goes on with what the earlier try has done; so does an event that comes twice."""
    run, _ = fails_twice(simulated)
    for name, value in changes.items():
        setattr(instance, name, value)
    with pytest.raises(DbtRunFailed, match="no rule covers"):
        run_task(
            again(run_id=run["id"], retries=instance.max_tries),
            instance,
            {"dag_run": SimpleNamespace(run_type=run_type)},
        )
    assert len(simulated.posts()) == 2


def test_run_whose_rerun_failed_is_rerun_again_from_the_terminal(
    simulated: LocalPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command is a request, too; its plan says so before."""
    run, rerun = fails_twice(simulated)
    assert main(["plan", str(run["id"])]) == 0
    assert "Plan: rerun from failure" in capsys.readouterr().out
    assert main(["rerun", str(run["id"]), "--yes"]) == 0
    assert f"resumed run {rerun['id']} from its failed step" in capsys.readouterr().out
    assert len(simulated.posts()) == 3


# --- Time, and what became of a cancel


@pytest.mark.parametrize("limit", [{"timeout": 1e-9}, {"execution_timeout": timedelta(microseconds=1)}])
@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_time_that_is_over_before_the_start_starts_nothing(
    simulated: LocalPlatform, instance: TaskInstance, limit: dict[str, Any], *, deferrable: bool
) -> None:
    """P2: neither a run nor a cancel is posted, and the message names the argument."""
    with pytest.raises(DbtRunTimeout, match=r"nothing was started: raise timeout, or execution_timeout"):
        run_task(job(simulated, deferrable=deferrable, **limit), instance)
    assert simulated.posts() == []
    assert instance.xcom("dbt_rerun_report")["outcome"] == "timeout"


def test_time_that_is_over_before_the_rerun_starts_nothing(
    again: Make, simulated: LocalPlatform, failed: Json, instance: TaskInstance
) -> None:
    """The given run has ended, so that there is nothing to cancel either."""
    with pytest.raises((DbtRunTimeout, DbtRunExhausted), match="timeout"):
        run_task(again(run_id=failed["id"], timeout=1e-9), instance)
    assert len(simulated.posts()) == 1


def test_cancel_says_what_became_of_the_run(simulated: LocalPlatform, failed: Json) -> None:
    """What is logged is dbt's record after the request, not the request."""
    hook = DbtCloudRerunHook()
    assert cancel(hook.client, failed["id"]).endswith("had already ended in Error")
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    simulated.until_troubled("orders")
    assert cancel(hook.client, run["id"]) == f"Cancelled dbt run {run['id']}"


@pytest.mark.parametrize(
    ("status", "words"),
    [(30, "Cancelled dbt run 5"), (10, "had already ended in Success"), (3, "run 5, which is still Running")],
)
def test_each_end_of_a_cancel_has_its_words(status: int, words: str) -> None:
    """Cancelled, ended by itself meanwhile, or not yet."""
    assert what_became_of(a_run(5, status=status)).endswith(words)
