"""DbtCloudJobOperator against a dbt platform: real HTTP, a simulated dbt, blocking and deferrable."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobOperator,
    DbtCloudJobSensor,
    DbtCloudRerunOperator,
    DbtRunCancelled,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunTimeout,
    DbtRunUnwatchable,
    RerunAction,
    RerunPolicy,
    RerunRule,
    any_node,
    node,
)
from airflow_dbt_rerun.exceptions import (
    DbtConfigError,
    DbtForbiddenError,
    DbtJobUnusableError,
    DbtRerunError,
    DbtUnauthorizedError,
    DbtUnreachableError,
)
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, fresh_copy, run_task
from tests.conftest import JOBS
from tests.support import LocalPlatform, local_platform

SIMULATED_BY_DAY = True

IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": -1, "message": "Table with name raw_refunds does not exist!"}


@pytest.fixture(scope="module")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for all tests here, with a simulated dbt; on real dbt see test_traps.py and test_crashes.py."""
    with local_platform(tmp_path_factory.mktemp("operators"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(scope="module")
def _seeded(shared_platform: LocalPlatform) -> None:
    """Build everything once, so that the short job finds its parents."""
    shared_platform.trouble()
    assert shared_platform.run("nightly")["status"] == 10


@pytest.fixture(autouse=True)
def _connected(
    platform: LocalPlatform,
    _seeded: None,
    monkeypatch: pytest.MonkeyPatch,
    test_mode: None,  # noqa: ARG001
) -> None:
    """Define the connection, and wait for nothing."""
    platform.connect(monkeypatch)


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def job(request: pytest.FixtureRequest, platform: LocalPlatform) -> Callable[..., DbtCloudJobOperator]:
    """Make a task of the short job, in one of the two modes."""

    def make(**arguments: Any) -> DbtCloudJobOperator:
        defaults = {"job_id": platform.jobs["staging"], "policy": IN_A_HURRY, "check_interval": 0.1}
        return DbtCloudJobOperator(task_id="build", deferrable=request.param, **{**defaults, **arguments})

    return make


Make = Callable[..., DbtCloudJobOperator]


def runs_of(platform: LocalPlatform, *, at_least: int) -> list[dict[str, Any]]:
    """List the newest runs of the short job, oldest first."""
    runs = platform.get(
        "runs/",
        job_definition_id=platform.jobs["staging"],
        order_by="-id",
        limit=at_least,
        include_related="['trigger']",
    )
    return list(reversed(runs))


# --- Promises of the main road


def test_success_is_one_run(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """A job that succeeds is started once, and its run id comes back."""
    run_id = run_task(job(), instance)
    assert platform.get(f"runs/{run_id}/")["status"] == 10
    assert [path.split("/")[-4:] for path in platform.posts()] == [
        ["jobs", str(platform.jobs["staging"]), "run", ""]
    ]
    assert instance.xcom("job_run_id") == run_id
    assert str(run_id) in instance.xcom("job_run_url")
    assert instance.xcom("dbt_rerun_report")["outcome"] == "succeeded"


def test_transient_failure_is_healed_from_failure(
    job: Make, platform: LocalPlatform, instance: TaskInstance
) -> None:
    """P3, P6, P7: the failed run itself is resumed, only what was left undone runs, and the task is green."""
    platform.trouble(RESET)
    run_id = run_task(job(), instance)
    first, second = runs_of(platform, at_least=2)
    assert (first["status"], second["status"], second["id"]) == (20, 10, run_id)
    assert second["retrying_run_id"] == first["id"]
    assert [path.rsplit("/", 3)[-3:] for path in platform.posts()] == [
        [str(platform.jobs["staging"]), "run", ""],
        [str(first["id"]), "retry", ""],
    ]
    before, after = platform.results(first), platform.results(second)
    assert set(after) == {name for name, status in before.items() if status in ("error", "skipped")}
    assert "stg_orders" in before
    assert [value for key, value in instance.pushed if key == "job_run_id"] == [first["id"], run_id]
    report = instance.xcom("dbt_rerun_report")
    assert report["outcome"] == "healed"
    assert [attempt["kind"] for attempt in report["attempts"]] == ["trigger", "rerun_from_failure"]
    assert report["attempts"][1]["verification"].startswith("verified")


@pytest.mark.parametrize(
    "behaviour",
    [
        {"retrying_run_id_filled": False},
        {"retry_step_name": "command"},
        {"retry_keeps_overrides": False},
        {"skipped_step_status": 1},
        {"skipped_step_status": 30},
    ],
    ids=str,
)
def test_heals_however_the_real_platform_behaves(
    platform: LocalPlatform, instance: TaskInstance, behaviour: dict[str, Any]
) -> None:
    """Where dbt's documents are silent the heal does not depend on the answer."""
    platform.behave(**behaviour)
    platform.trouble(RESET)
    operator = DbtCloudJobOperator(
        task_id="t",
        job_id=platform.jobs["staging"],
        steps_override=["dbt seed", "dbt run --select stg_orders+", "dbt run --select stg_payments"],
        policy=IN_A_HURRY,
        check_interval=0.1,
    )
    run_id = run_task(operator, instance)
    assert platform.get(f"runs/{run_id}/")["status"] == 10
    assert len(platform.posts()) == 2
    assert instance.xcom("dbt_rerun_report")["attempts"][1]["verification"].startswith("verified")


def test_permanent_failure_fails_at_once(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P4: a bug in the code is not rerun; the error says which node and why, and Airflow does not retry it."""
    platform.trouble(BROKEN)
    why = r"model orders: .*Table with name raw_refunds does not exist! \(code"
    with pytest.raises(DbtRunFailed, match=why) as caught:
        run_task(job(), instance)
    assert isinstance(caught.value, AirflowFailException)
    assert len(platform.posts()) == 1
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.verdict is Category.CODE
    assert [attempt.run_id for attempt in caught.value.attempts] == [instance.xcom("job_run_id")]
    assert instance.xcom("dbt_rerun_report")["outcome"] == "failed"


def test_failed_test_fails_at_once(platform: LocalPlatform, instance: TaskInstance) -> None:
    """Status fail is a failed test, whatever its text says: rerunning it would not change the data."""
    platform.trouble({"node": "every_payment_has_an_order", "times": 1, "failures": 3})
    operator = DbtCloudJobOperator(
        task_id="t", job_id=platform.jobs["nightly"], policy=IN_A_HURRY, check_interval=0.1
    )
    with pytest.raises(DbtRunFailed, match="test_failed"):
        run_task(operator, instance)
    assert len(platform.posts()) == 1


def test_limits_end_it(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P5: what does not heal is tried as often as the policy says; then Airflow's own retries may go on."""
    platform.trouble({**RESET, "times": -1})
    policy = RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2))
    with pytest.raises(DbtRunExhausted, match="limit reached: after 2 attempts in all") as caught:
        run_task(job(policy=policy), instance)
    assert not isinstance(caught.value, AirflowFailException)
    assert len(platform.posts()) == 2


def test_waits_between_attempts(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """The policy's wait is kept, in the worker or in the triggerer, and reported."""
    platform.trouble(RESET)
    with set_testing(True, keep_waits=True):
        run_task(job(policy=RerunPolicy(wait=wait_fixed(1))), instance)
    assert instance.xcom("dbt_rerun_report")["waited_seconds"] == 1.0


def test_without_policy_nothing_is_rerun(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """policy=None runs and diagnoses only."""
    platform.trouble(RESET)
    with pytest.raises(DbtRunFailed, match="no policy was given"):
        run_task(job(policy=None), instance)
    assert len(platform.posts()) == 1


def test_rule_of_your_own(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """A rule decides, also about what the default rules leave to a person."""
    platform.trouble({**BROKEN, "times": 1})
    rules = [RerunRule(any_node(Category.CODE))]
    run_id = run_task(job(policy=RerunPolicy(rules=rules, wait=wait_fixed(0))), instance)
    assert platform.get(f"runs/{run_id}/")["retrying_run_id"] is not None


HICCUP = {"node": "orders", "times": 1, "message": "the loader was not done"}


def test_policy_as_plain_data(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """A team's policy can come as a mapping, or as a text that a template renders on the worker."""
    data = {"rules": [{"when": {"message": "loader was not done"}}], "wait": {"wait_fixed": 0}}
    operator = job(policy="{{ var.value.dbt_rerun_policy }}")
    for policy in (data, json.dumps(data)):
        platform.trouble(HICCUP)
        operator.policy = policy
        run_id = run_task(operator, TaskInstance(run_id=f"{instance.run_id} {type(policy)}"))
        assert platform.get(f"runs/{run_id}/")["retrying_run_id"] is not None


def test_rule_about_a_nodes_tag_and_file(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """What only the manifest knows is read from the failed run's own artifact."""
    platform.trouble({**BROKEN, "times": 1})
    policy = RerunPolicy(rules=[RerunRule(node("model", tag="daily", path="models/marts"))], wait=wait_fixed(0))
    run_id = run_task(job(policy=policy), instance)
    assert platform.get(f"runs/{run_id}/")["retrying_run_id"] is not None
    assert any(path.endswith("manifest.json") for path in platform.paths())


def test_override_of_a_rule_reaches_dbt(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """A rerun that a resumed run could not carry is a new run of the failed command, with the override."""
    platform.trouble(RESET)
    rule = RerunRule(any_node(Category.TRANSIENT), overrides={"threads_override": 1})
    run_id = run_task(job(policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))), instance)
    newest = runs_of(platform, at_least=1)[0]
    assert (newest["id"], newest["trigger"]["threads_override"]) == (run_id, 1)


@pytest.mark.parametrize("where", ["code", "configuration"])
def test_signature_of_your_own(
    where: str, job: Make, platform: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that only this team knows heals by its signature, given in code or kept for all DAGs."""
    platform.trouble(HICCUP)
    known = {"category": "transient", "pattern": "loader was not done", "name": "loader late"}
    policy = RerunPolicy(rules=[RerunRule(any_node(Category.TRANSIENT))], wait=wait_fixed(0))
    if where == "configuration":
        monkeypatch.setenv("AIRFLOW__DBT_RERUN__SIGNATURES", json.dumps([known]))
    operator = job(policy=policy, signatures=[known] if where == "code" else None)
    run_task(operator, instance)
    first = instance.xcom("dbt_rerun_report")["attempts"][0]
    assert first["findings"][0]["signature"] == "loader late"


def test_wrong_signatures_of_the_team_start_nothing(
    job: Make, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken list is answered before the first run is started, by entry."""
    monkeypatch.setenv("AIRFLOW__DBT_RERUN__SIGNATURES", '[{"category": "transiant", "pattern": "x"}]')
    with pytest.raises(DbtConfigError, match=r"entry 1.*transiant"):
        run_task(job())
    assert platform.posts() == []


def test_next_try_knows_why_earlier_runs_failed(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P5: what is adopted is diagnosed again, so that the report is whole and standstill is seen."""
    platform.trouble({**RESET, "times": -1})
    policy = RerunPolicy(stop=stop_after_attempt(2), wait=wait_fixed(0))
    for tries in (policy, RerunPolicy(stop=stop_after_attempt(9), wait=wait_fixed(0))):
        with pytest.raises(DbtRunExhausted) as caught:
            run_task(job(policy=tries), instance)
    assert "no progress" in str(caught.value)
    attempts = instance.xcom("dbt_rerun_report")["attempts"]
    assert [attempt["verdict"] for attempt in attempts] == ["transient"] * 3


def test_overrides_reach_dbt(platform: LocalPlatform, instance: TaskInstance) -> None:
    """steps_override, schema_override and additional_run_config are what the run is triggered with."""
    operator = DbtCloudJobOperator(
        task_id="t",
        job_id=platform.jobs["staging"],
        steps_override=["dbt seed --select raw_orders"],
        schema_override="elsewhere",
        additional_run_config={"threads_override": 2},
        trigger_reason="the reason",
        check_interval=0.1,
    )
    run_task(operator, instance)
    trigger = runs_of(platform, at_least=1)[0]["trigger"]
    assert trigger["steps_override"] == ["dbt seed --select raw_orders"]
    assert (trigger["schema_override"], trigger["threads_override"]) == ("elsewhere", 2)
    assert trigger["cause"].startswith("[dbt-rerun ")
    assert trigger["cause"].endswith("] the reason")


def test_job_by_its_names(platform: LocalPlatform, instance: TaskInstance) -> None:
    """Names work instead of the id; an unknown name lists the nearest ones."""
    project = platform.get("projects/")[0]["name"]
    environment = platform.get("environments/")[0]["name"]
    names = {"project_name": project, "environment_name": environment, "job_name": "staging"}
    assert run_task(DbtCloudJobOperator(task_id="t", check_interval=0.1, **names), instance)
    wrong = DbtCloudJobOperator(task_id="t", **{**names, "job_name": "stag"})
    with pytest.raises(DbtConfigError, match="job_name='stag' was not found; the nearest names: 'staging'"):
        run_task(wrong, instance)


# --- Once, and only once


def test_next_try_takes_up_a_finished_run(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P2: an Airflow retry of the same life finds the run of the earlier try and starts none."""
    operator = job(retries=2)
    instance.max_tries = 2
    assert run_task(operator, instance) == run_task(fresh_copy(operator), instance)
    assert len(platform.posts()) == 1


def test_next_try_goes_on_with_a_failed_run(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P2: a try that ended after the failure was seen leaves its work to the next, which resumes that run."""
    platform.trouble(RESET)
    with pytest.raises(DbtRunFailed):
        run_task(job(policy=None), instance)
    run_id = run_task(job(), instance)
    assert platform.get(f"runs/{run_id}/")["retrying_run_id"] == instance.pushed[0][1]
    assert len(platform.posts()) == 2
    assert instance.xcom("dbt_rerun_report")["attempts"][1]["verification"].startswith("verified")


def test_next_try_verifies_a_heal_that_it_did_not_see(
    job: Make, platform: LocalPlatform, instance: TaskInstance
) -> None:
    """P6: a rerun that succeeded while no task watched it is verified nevertheless."""
    platform.trouble(RESET)
    with pytest.raises(DbtRunFailed):
        run_task(job(policy=None), instance)
    healed = platform.retry({"id": instance.xcom("job_run_id")})
    assert run_task(job(), instance) == healed["id"]
    assert instance.xcom("dbt_rerun_report")["attempts"][1]["verification"].startswith("verified")


def test_cleared_task_begins_a_new_life(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """A clear raises max_tries: the new life starts a new run."""
    first = run_task(job(), instance)
    second = run_task(job(), TaskInstance(run_id=instance.run_id, max_tries=1))
    assert first != second
    assert len(platform.posts()) == 2


@pytest.mark.parametrize("status", [None, 504], ids=["connection lost", "504"])
def test_lost_answer_to_the_trigger_starts_no_second_run(
    job: Make, platform: LocalPlatform, status: int | None, instance: TaskInstance
) -> None:
    """P2: when the answer to the POST is lost, the run is searched for and found, not started again."""
    platform.fault("lost", method="POST", path="/run/", **({"status": status} if status else {}))
    run_id = run_task(job(), instance)
    assert platform.get(f"runs/{run_id}/")["status"] == 10
    assert len(platform.posts()) == 1


@pytest.mark.parametrize("filled", [True, False], ids=["named", "null"])
def test_lost_answer_to_the_retry_starts_no_second_run(
    job: Make, platform: LocalPlatform, instance: TaskInstance, *, filled: bool
) -> None:
    """P2: the same for a retry, also where the platform leaves retrying_run_id null."""
    platform.behave(retrying_run_id_filled=filled)
    platform.trouble(RESET)
    platform.fault("lost", method="POST", path="/retry/")
    run_task(job(), instance)
    assert len(platform.posts()) == 2
    assert instance.xcom("dbt_rerun_report")["outcome"] == "healed"


# --- What cannot be resumed


def test_run_that_died_before_its_first_node_starts_from_its_failed_step(
    platform: LocalPlatform, instance: TaskInstance
) -> None:
    """Design 5: without node results the failed command and those after it run again, not those before it."""
    operator = DbtCloudJobOperator(
        task_id="t",
        job_id=platform.jobs["staging"],
        steps_override=["dbt seed --select raw_orders", "dbt run --select no_such_thing --target nowhere"],
        policy=RerunPolicy(rules=[RerunRule(lambda _: True)], wait=wait_fixed(0), stop=stop_after_attempt(2)),
        check_interval=0.1,
    )
    with pytest.raises(DbtRunExhausted):
        run_task(operator, instance)
    first, second = runs_of(platform, at_least=2)
    assert second["retry_not_supported_reason"] == "RETRY_NO_RUN_RESULTS"
    assert second["retrying_run_id"] is None
    assert second["trigger"]["steps_override"] == ["dbt run --select no_such_thing --target nowhere"]
    assert f">{first['id']}]" in second["trigger"]["cause"]


def test_cancelled_run_is_not_rerun(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P1: a run that a person cancelled ends the task for good."""
    platform.trouble({"node": "orders", "times": 1, "seconds": 60})
    cancel_when_troubled(platform)
    with pytest.raises(DbtRunCancelled) as caught:
        run_task(job(), instance)
    assert isinstance(caught.value, AirflowFailException)
    assert len(platform.posts()) == 2


def cancel_when_troubled(platform: LocalPlatform) -> None:
    """Cancel the newest run as soon as it hangs, as a person would."""

    def cancel() -> None:
        platform.until_troubled("orders")
        platform.cancel(runs_of(platform, at_least=1)[0], by="Ann")

    threading.Thread(target=cancel, daemon=True).start()


# --- Kill and time


def test_timeout_cancels_the_run(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P5, P9: work that is not over in time fails as a timeout, and its run does not go on."""
    platform.trouble({"node": "orders", "times": 1, "seconds": 60})
    with pytest.raises(DbtRunTimeout, match="stopped waiting"):
        run_task(job(timeout=2), instance)
    assert platform.wait({"id": instance.xcom("job_run_id"), "status": 3, "is_complete": False})["status"] == 30


def test_kill_cancels_our_run(platform: LocalPlatform, instance: TaskInstance) -> None:
    """P9: a worker that is stopped cancels the run it started."""
    platform.trouble({"node": "orders", "times": 1, "seconds": 60})
    operator = DbtCloudJobOperator(task_id="t", job_id=platform.jobs["staging"], check_interval=0.1)

    def kill() -> None:
        platform.until_troubled("orders")
        operator.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(DbtRerunError):
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    killer.join()
    assert platform.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30


def test_kill_of_a_resumed_worker_cancels_our_run(platform: LocalPlatform, instance: TaskInstance) -> None:
    """P9: a worker that resumed after a deferral and is stopped cancels the task's run."""
    platform.trouble({"node": "orders", "times": 1, "seconds": 60})
    operator = DbtCloudJobOperator(task_id="t", job_id=platform.jobs["staging"], deferrable=True)
    context: Any = {"ti": instance}
    with pytest.raises(TaskDeferred) as deferred:
        fresh_copy(operator).execute(context)
    _, arguments = deferred.value.trigger.serialize()
    resumed = fresh_copy(operator)
    with pytest.raises(TaskDeferred):
        resumed.execute_complete(context, {**arguments, "outcome": "moment"})
    resumed.on_kill()
    assert platform.get(f"runs/{instance.xcom('job_run_id')}/")["status"] == 30


# --- Trouble with the API


@pytest.mark.parametrize("event", [None, {}, {"outcome": "success"}, {"status": "error", "message": "x"}])
def test_event_that_says_nothing_is_neither_success_nor_failure(
    platform: LocalPlatform, instance: TaskInstance, event: dict[str, Any] | None
) -> None:
    """P1: an event that is missing or unknown ends as unwatchable; nothing is rerun (apache/airflow#69739)."""
    operator = DbtCloudJobOperator(task_id="t", job_id=platform.jobs["staging"], deferrable=True)
    with pytest.raises(DbtRunUnwatchable, match="nothing is rerun"):
        operator.execute_complete({"ti": instance}, event)  # type: ignore[typeddict-item]
    assert platform.posts() == []


def test_passing_trouble_while_watching_goes_unnoticed(
    job: Make, platform: LocalPlatform, instance: TaskInstance
) -> None:
    """Occasional API errors neither fail the task nor cause a rerun."""
    platform.fault("status", method="GET", path=r"/runs/\d+/$", status=503, count=2)
    platform.fault("malformed", method="GET", path=r"/runs/\d+/$", count=1)
    run_task(job(hook_params={"retry_delay": 0.1}), instance)
    assert len(platform.posts()) == 1


def test_unreadable_run_is_not_a_failed_run(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """P1: what cannot be read for too long ends as unwatchable; nothing is rerun, whatever the policy says."""
    platform.fault("html", method="GET", path=r"/runs/\d+/$", count=-1)
    with pytest.raises(DbtRunUnwatchable, match="cannot be"):
        run_task(job(poll_tolerance=0.5), instance)
    assert len(platform.posts()) == 1


def test_missing_artifacts_do_not_hide_the_failure(
    job: Make, platform: LocalPlatform, instance: TaskInstance
) -> None:
    """Without run_results.json the diagnosis comes from the step's log."""
    platform.trouble(BROKEN)
    platform.fault("status", path="/artifacts/", status=404, count=-1)
    with pytest.raises(DbtRunFailed, match="Table with name raw_refunds does not exist"):
        run_task(job(), instance)


def test_late_artifacts_are_waited_for(job: Make, platform: LocalPlatform, instance: TaskInstance) -> None:
    """Artifacts that come a moment after the run's end are still the best evidence."""
    platform.trouble(BROKEN)
    platform.fault("status", path="/artifacts/", status=404, count=5)
    with pytest.raises(DbtRunFailed):
        run_task(job(), instance)
    findings = instance.xcom("dbt_rerun_report")["attempts"][0]["findings"]
    assert findings[0]["subject"] == "model.corner_shop.orders"


# --- What is wrong from the start


def test_wrong_token(job: Make, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line, which names the host and does not hold the token."""
    platform.connect(monkeypatch, password="wrong-secret")
    with pytest.raises(DbtUnauthorizedError, match=r"127\.0\.0\.1") as caught:
        run_task(job())
    assert_one_clear_line(caught.value)
    assert "wrong-secret" not in str(caught.value)


def test_wrong_account(job: Make, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line that names the account."""
    platform.connect(monkeypatch, login="12345")
    with pytest.raises(DbtForbiddenError) as caught:
        run_task(job())
    assert_one_clear_line(caught.value)


def test_unknown_job(job: Make) -> None:
    """One clear line that names the job, and no retry of Airflow's: only a person can correct the number."""
    with pytest.raises(DbtJobUnusableError, match=r"^job 4711 does not exist") as caught:
        run_task(job(job_id=4711))
    assert_one_clear_line(caught.value)


def test_unreachable_host(job: Make, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear line that names the host."""
    platform.connect(monkeypatch, host="http://127.0.0.1:9")
    with pytest.raises(DbtUnreachableError, match=r"127\.0\.0\.1:9") as caught:
        run_task(job(hook_params={"retry_limit": 1}))
    assert_one_clear_line(caught.value)


def assert_one_clear_line(error: Exception) -> None:
    """An error a person reads at night is one line, of bounded length."""
    assert "\n" not in str(error)
    assert 20 < len(str(error)) < 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs job_id, or all of project_name, environment_name and job_name"),
        ({"project_name": "p", "job_name": "j"}, "needs job_id, or all of"),
        ({"job_id": 7, "job_name": "j"}, "takes job_id or job_name, not both"),
        ({"job_id": "nightly"}, "job_id must be a number, not 'nightly'"),
        ({"job_id": -3}, "job_id must be a number"),
        ({"job_id": 1, "account_id": "main"}, "account_id must be a number, not 'main'"),
        ({"job_id": 1, "policy": 3}, "policy takes a RerunPolicy, a mapping, a YAML or JSON text, or None, not 3"),
        ({"job_id": 1, "policy": {"rules": [{"when": {"any_nod": "x"}}]}}, "policy.rules[0].when"),
        ({"job_id": 1, "policy": "rules: [1]"}, "policy.rules[0]"),
        ({"job_id": 1, "signatures": [{"category": "code", "pattern": "("}]}, "signatures[0]: "),
        ({"job_id": 1, "timeout": 0}, "timeout takes a number of seconds above zero, not 0"),
        ({"job_id": 1, "poll_tolerance": -1}, "poll_tolerance takes a number of seconds above zero, not -1"),
        (
            {"job_id": 1, "quickest_check_interval": 0},
            "quickest_check_interval takes a number of seconds above zero, not 0",
        ),
        ({"job_id": 1, "quickest_check_interval": 61}, "at most check_interval, not 61"),
        ({"job_id": 1, "check_interval": "60"}, "check_interval takes a number of seconds above zero, not '60'"),
    ],
)
def test_wrong_arguments_fail_while_the_dag_is_parsed(arguments: dict[str, Any], words: str) -> None:
    """What can be known to be wrong at parse time is refused there, with the argument's name."""
    with pytest.raises(DbtConfigError) as caught:
        DbtCloudJobOperator(task_id="t", **arguments)
    assert words in str(caught.value)


def test_wrong_rendered_job_id(job: Make) -> None:
    """A template can render to no number: said before anything is sent."""
    operator = job(job_id="{{ var.value.job }}")
    operator.job_id = "nightly"
    with pytest.raises(DbtConfigError, match="job_id must be a number, not 'nightly'"):
        run_task(operator)


# --- Quiet


def test_no_token_anywhere(
    job: Make,
    platform: LocalPlatform,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    instance: TaskInstance,
) -> None:
    """P10: the token is in no log, XCom, trigger, exception or repr of a whole heal."""
    caplog.set_level(logging.DEBUG)
    platform.trouble(RESET)
    operator = job()
    run_task(operator, instance)
    hook = DbtCloudRerunHook()
    shown = [
        caplog.text,
        *capsys.readouterr(),
        json.dumps(instance.pushed),
        repr(operator),
        repr(hook),
        repr(hook.client),
    ]
    assert not [text for text in shown if platform.token in text]


def test_superseded_scheduled_run_is_no_red_task(platform: LocalPlatform, instance: TaskInstance) -> None:
    """A queued run that dbt's scheduler cancelled for the next one is followed, and that one does the work."""
    platform.behave(over_scheduling="cancel_older")
    platform.trouble({"node": "raw_orders", "times": 1, "seconds": 1})
    schedule = f"jobs/{platform.jobs['nightly']}/schedule"
    platform.control("POST", schedule)
    platform.until_troubled("raw_orders")
    queued, newest = platform.control("POST", schedule), platform.control("POST", schedule)
    task = DbtCloudJobSensor(
        task_id="seen", job_id=platform.jobs["nightly"], since=queued["created_at"], poke_interval=0.05
    )
    assert run_task(task, instance) == newest["id"]
    assert [each["kind"] for each in instance.xcom("dbt_rerun_report")["attempts"]] == ["given", "superseded_by"]


@pytest.mark.parametrize("verify", [True, False])
def test_green_run_with_a_failed_node_warns_where_its_results_are_read(
    job: Make, platform: LocalPlatform, instance: TaskInstance, *, verify: bool
) -> None:
    """A plain success costs no request for artifacts; verify_success reads them, and warns of what failed."""
    run_id = run_task(job(verify_success=verify), instance)
    read = [path for path in platform.paths() if "/artifacts/" in path]
    assert bool(read) is verify
    report = instance.xcom("dbt_rerun_report")
    assert (report["outcome"], report["job_run_id"]) == ("succeeded", run_id)


def test_partial_job_in_a_run_does_not_end_a_heal(
    job: Make, platform: LocalPlatform, instance: TaskInstance
) -> None:
    """Where a run's job lacks its commands, the job itself is asked."""
    platform.behave(job_embed="partial")
    platform.trouble(RESET)
    policy = RerunPolicy(rules=[RerunRule(any_node("transient"), RerunAction.RERUN_FROM_STEP)])
    run_task(job(policy=policy), instance)
    assert instance.xcom("dbt_rerun_report")["outcome"] == "healed"


@pytest.mark.parametrize("value", [None, "None", " ", ""])
def test_id_that_renders_to_nothing_is_named(platform: LocalPlatform, instance: TaskInstance, value: Any) -> None:
    """The template's parameter is named, and nothing is started."""
    tasks = [
        DbtCloudJobOperator(task_id="t", job_id="{{ x }}"),
        DbtCloudRerunOperator(task_id="t", run_id="{{ x }}"),
    ]
    for task, name in zip(tasks, ("job_id", "run_id"), strict=True):
        setattr(task, name, value)
        with pytest.raises(DbtConfigError, match=f"{name} is .* after rendering: check its template"):
            run_task(task, instance)
    assert platform.posts() == []
