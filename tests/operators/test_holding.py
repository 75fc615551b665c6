"""Shadow mode and the pause: the policy decides, nothing is started, and the task ends as without a policy."""

from __future__ import annotations

from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtCloudJobSensor,
    DbtConfigError,
    DbtRunFailed,
    RerunPolicy,
    RerunRule,
    every,
)
from airflow_dbt_rerun.config.airflow_features import can_ask
from airflow_dbt_rerun.config.holding import why_paused
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
WAITS = RerunPolicy(wait=wait_fixed(30))
PAUSE = "AIRFLOW_VAR_DBT_RERUN_PAUSE"


def build(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """A task whose policy waits for half a minute."""
    given = {"policy": WAITS, "check_interval": 0.05, **arguments}
    return DbtCloudJobOperator(task_id="build", job_id=platform.jobs["nightly"], **given)


@pytest.mark.parametrize("deferrable", [False, True])
def test_shadow_mode_only_says_what_it_would_do(
    simulated: LocalPlatform, instance: TaskInstance, *, deferrable: bool
) -> None:
    """At once, without the wait; log, report and exception agree."""
    simulated.trouble(RESET)
    with set_testing(True, keep_waits=True), pytest.raises(DbtRunFailed) as caught:
        run_task(build(simulated, policy_mode="shadow", deferrable=deferrable), instance)
    assert str(caught.value).startswith("model orders: Invalid Input Error: Connection reset by peer")
    assert "shadow mode starts nothing; the policy would rerun from failure after 30 s: rule 2" in str(caught.value)
    report = instance.xcom("dbt_rerun_report")
    assert (report["outcome"], report["reruns"]) == ("failed", 0)
    assert report["attempts"][0]["would"] == "rerun_from_failure"
    assert len(simulated.posts()) == 1


def test_shadow_mode_leaves_a_success_alone(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """And what the policy would not rerun fails as ever, without a word of shadows."""
    run_task(build(simulated, policy_mode="shadow"), instance)
    simulated.trouble({**RESET, "message": 'syntax error at or near "selec"'})
    with pytest.raises(DbtRunFailed) as caught:
        run_task(build(simulated, policy_mode="shadow"), TaskInstance(dag_id="another"))
    assert "shadow" not in str(caught.value)


@pytest.mark.skipif(not can_ask(), reason="Airflow asks people from 3.1 on")
def test_shadow_mode_asks_nobody(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A question is something that the policy does, too."""
    simulated.trouble({**RESET, "message": 'syntax error at or near "selec"'})
    asks = RerunPolicy(rules=[RerunRule(every("code"), "ask")])  # type: ignore[arg-type]
    with pytest.raises(DbtRunFailed, match="the policy would ask a person"):
        run_task(build(simulated, policy_mode="shadow", policy=asks), instance)


def test_whole_deployment_in_shadow_mode(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Airflow's configuration, for sensors, too; a task's own mode wins."""
    monkeypatch.setenv("AIRFLOW__DBT_RERUN__POLICY_MODE", "shadow")
    simulated.trouble(RESET)
    failed = simulated.run("nightly")
    job, since = simulated.jobs["nightly"], failed["created_at"]
    sensor = DbtCloudJobSensor(task_id="seen", job_id=job, since=since, policy=WAITS, poke_interval=0.05)
    with pytest.raises(DbtRunFailed, match="shadow mode starts nothing"):
        run_task(sensor, instance)
    simulated.trouble(RESET)
    run_task(build(simulated, policy_mode="heal"), TaskInstance(dag_id=f"{instance.dag_id} heals"))


def test_unknown_modes_are_refused(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At parse, with did-you-mean; that of the configuration before anything is started."""
    with pytest.raises(DbtConfigError, match="did you mean 'shadow'"):
        build(simulated, policy_mode="shadwo")
    monkeypatch.setenv("AIRFLOW__DBT_RERUN__POLICY_MODE", "shadwo")
    simulated.control("DELETE", "requests")
    with pytest.raises(DbtConfigError, match="policy_mode"):
        run_task(build(simulated), instance)
    assert simulated.posts() == []


def test_pause_stops_a_task_that_waits(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had begun before the pause: asked again when the wait is over, it starts nothing."""

    def pause(_: object) -> float:
        monkeypatch.setenv(PAUSE, "all")
        return 0.2

    simulated.trouble(RESET)
    policy = RerunPolicy(wait=pause)
    with set_testing(True, keep_waits=True), pytest.raises(DbtRunFailed) as caught:
        run_task(build(simulated, policy=policy), instance)
    assert "reruns are paused by the Airflow Variable dbt_rerun_pause (all)" in str(caught.value)
    assert len(simulated.posts()) == 1


def test_pause_stops_no_first_run(
    simulated: LocalPlatform, instance: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only reruns are paused, not the jobs."""
    monkeypatch.setenv(PAUSE, "all")
    run_task(build(simulated), instance)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (None, None),
        ("", None),
        ("false", None),
        ("[]", None),
        ("all", "all"),
        ("True", "all"),
        ('["all"]', "all"),
        ("[7, 8]", "job 7"),
        ('["7"]', "job 7"),
        ("7", "job 7"),
        ("[8, 9]", None),
        ('["dbt_prod"]', "connection dbt_prod"),
        ("dbt_prod", "connection dbt_prod"),
        ("- 7\n- dbt_other", "job 7"),
        ('["dbt_other"]', None),
        ("7,8", "job 7"),
        ("8, 7", "job 7"),
        ("8 9", None),
        ('"7,8"', "job 7"),
        ('["7,8"]', "job 7"),
        ("dbt_other,dbt_prod", "connection dbt_prod"),
        ("dbt_other, 8", None),
        ("stop", "all, since 'stop' is neither the id of a job nor a connection"),
        ("*", "all, since '*' is neither the id of a job nor a connection"),
        ("job 7", "job 7"),
        ("job 8", "all, since 'job' is neither the id of a job nor a connection"),
        ("8, ALL", "all"),
        ("[7", "all, since it cannot be understood"),
        ('{"jobs": [7]}', "all, since it is no list of jobs and connections"),
        ("[[7]]", "all, since it is no list of jobs and connections"),
    ],
)
@pytest.mark.parametrize("where", [PAUSE, "AIRFLOW__DBT_RERUN__PAUSE"])
def test_what_a_pause_concerns(
    monkeypatch: pytest.MonkeyPatch, where: str, value: str | None, part: str | None
) -> None:
    """Jobs and connections by their ids; what cannot be understood stops everything."""
    monkeypatch.setenv("AIRFLOW_CONN_DBT_OTHER", "dbt-cloud://")
    if value is not None:
        monkeypatch.setenv(where, value)
    why = why_paused(7, "dbt_prod")
    assert why is None if part is None else why is not None and why.endswith(f"({part})")


def test_pause_that_cannot_be_read_pauses_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away is no order; the log says so."""

    def fail(*_: object) -> None:
        raise OSError("away")

    monkeypatch.setattr("airflow_dbt_rerun.config.holding.Variable.get", fail)
    assert why_paused(7, "dbt_prod") is None
    assert "it pauses nothing: away" in caplog.text
