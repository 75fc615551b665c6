"""The trigger on its own: it waits, says what it saw, and lets go."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger
from pytest_mock import MockerFixture

from airflow_dbt_rerun.triggers import DbtCloudRunTrigger
from tests.border import first_event
from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.dbt


@pytest.fixture(autouse=True)
def _connected(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """Define the connection, and poll at once."""
    fields = {"host": platform.base_url, "login": str(platform.account_id), "password": platform.token}
    monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps({"conn_type": "dbt_cloud", **fields}))
    mocker.patch("airflow_dbt_rerun.triggers.FIRST_POLL_AFTER", 0.05)


@pytest.fixture
def hanging(platform: LocalPlatform) -> Json:
    """A run that goes on until it is stopped."""
    platform.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    run = platform.trigger("seeds")
    platform.until_troubled("raw_orders")
    return run


def trigger(run: Json, **arguments: Any) -> DbtCloudRunTrigger:
    """Watch a run every tenth of a second."""
    defaults = {"dbt_cloud_conn_id": "dbt_cloud_default", "check_interval": 0.1}
    return DbtCloudRunTrigger(run_id=run["id"], **{**defaults, **arguments})


def wait(**arguments: Any) -> dict[str, Any]:
    """Run a trigger to its one event."""
    return asyncio.run(first_event(trigger(**arguments)))


def test_fires_when_the_run_is_over(platform: LocalPlatform) -> None:
    """One event, with the session as it was given; it does not say how the run ended."""
    run = platform.trigger("seeds")
    event = wait(run=run, session={"version": 1})
    assert event == {"outcome": "over", "run_id": run["id"], "reason": None, "session": {"version": 1}}
    assert platform.get(f"runs/{run['id']}/")["is_complete"]


def test_fires_when_the_moment_has_come(platform: LocalPlatform) -> None:
    """A wait between attempts asks the API nothing."""
    moment = time.time() + 0.5
    assert wait(run={"id": 1}, until=moment)["outcome"] == "moment"
    assert time.time() >= moment
    assert platform.control("GET", "requests") == []


def test_fires_at_its_deadline(hanging: Json, platform: LocalPlatform) -> None:
    """P5: the deadline is wall-clock and lives in the trigger."""
    assert wait(run=hanging, deadline=time.time() + 0.5)["outcome"] == "out_of_time"
    platform.post(f"runs/{hanging['id']}/cancel/")


WRONG = [{"dbt_cloud_conn_id": "nowhere"}, {"account_id": "main"}, {"hook_params": {"x": 1}}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_goes_wrong_is_an_event_too(wrong: dict[str, Any]) -> None:
    """P1: an error inside the trigger reaches the worker as unwatchable, with its words."""
    event = wait(run={"id": 1}, **wrong)
    assert event["outcome"] == "unwatchable"
    assert event["reason"]


def test_kill_of_a_deferred_task_cancels_the_run(hanging: Json, platform: LocalPlatform) -> None:
    """P9: a person killed the task while it was deferred: our run does not go on."""
    asyncio.run(trigger(hanging, cancel_on_kill=True).on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 30


def test_kill_leaves_a_run_that_is_not_ours(hanging: Json, platform: LocalPlatform) -> None:
    """P9: a run that is only watched goes on."""
    asyncio.run(trigger(hanging).on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 3
    platform.post(f"runs/{hanging['id']}/cancel/")


def test_hand_over_to_another_triggerer_is_no_kill(
    hanging: Json, platform: LocalPlatform, mocker: MockerFixture
) -> None:
    """A trigger that moves to another triggerer gets on_kill, its task still deferred (apache/airflow#73454)."""
    if not hasattr(BaseTrigger, "on_kill"):
        pytest.skip("before 3.3 Airflow never calls on_kill of a trigger")
    states = {"run": {"task": "deferred"}}
    mocker.patch("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", return_value=states)
    moved = trigger(hanging, cancel_on_kill=True)
    moved._task_instance = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1)
    asyncio.run(moved.on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 3
    states["run"]["task"] = "failed"
    asyncio.run(moved.on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 30
