"""What Airflow's database keeps of this package outlives upgrades: class paths, and triggers' arguments."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun import DbtCloudRunLink
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.links import DbtRerunPageLink
from airflow_dbt_rerun.provider_info import get_provider_info
from airflow_dbt_rerun.triggers import DbtCloudJobRunEventTrigger, DbtCloudRunArrivalTrigger, DbtCloudRunTrigger
from tests.support import LocalPlatform
from tests.system.airflow_stack import AIRFLOW_2

ROWS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "trigger_rows.json").read_text())
"""Rows of Airflow's table ``trigger``, written before the triggers moved to their own folder."""

AWAITED = {"job_id": 1, "since": 0.0, "cause_categories": [], "git_branch": None, "match": "first"}


def load(path: str) -> Any:
    """Import a class as Airflow's triggerer does."""
    module, name = path.rsplit(".", 1)
    return getattr(import_module(module), name)


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        (DbtCloudRunTrigger, {"run_id": 1}, "airflow_dbt_rerun.triggers.DbtCloudRunTrigger"),
        (
            DbtCloudRunArrivalTrigger,
            {"awaited": AWAITED},
            "airflow_dbt_rerun.triggers.DbtCloudRunArrivalTrigger",
        ),
        pytest.param(
            DbtCloudJobRunEventTrigger,
            {},
            "airflow_dbt_rerun.triggers.DbtCloudJobRunEventTrigger",
            marks=pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers"),
        ),
    ],
)
def test_triggers_are_stored_by_their_public_paths(kind: Any, arguments: dict[str, Any], path: str) -> None:
    """These strings are in users' databases: changing one breaks the tasks that are deferred at the upgrade."""
    stored, _ = kind(dbt_cloud_conn_id="dbt_cloud_default", **arguments).serialize()
    assert stored == path
    assert load(stored) is kind


def test_link_and_hook_are_known_by_their_public_paths() -> None:
    """Serialised DAGs hold the link's path, and Airflow's registry the hook's."""
    info = get_provider_info()
    links = ["airflow_dbt_rerun.links.DbtCloudRunLink", "airflow_dbt_rerun.links.DbtRerunPageLink"]
    assert info["extra-links"] == links
    assert [load(link) for link in links] == [DbtCloudRunLink, DbtRerunPageLink]
    assert info["connection-types"][0]["hook-class-name"] == "airflow_dbt_rerun.hooks.DbtCloudRerunHook"
    assert load("airflow_dbt_rerun.hooks.DbtCloudRerunHook") is DbtCloudRerunHook


async def first_payload(trigger: Any) -> dict[str, Any]:
    """Run a trigger until its first event."""
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("no event")


def restored(name: str, **changes: Any) -> Any:
    """Rebuild a stored trigger, with the ids and moments of this test."""
    path, arguments = copy.deepcopy(ROWS[name])
    return load(path)(**{**arguments, **changes})


def test_row_of_a_deferred_task_still_runs(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that was deferred by the version before hears of its run."""
    platform.connect(monkeypatch)
    run = platform.trigger("seeds")
    trigger = restored("run", run_id=run["id"], check_interval=0.1)
    payload = asyncio.run(first_payload(trigger))
    assert (payload["outcome"], payload["run_id"]) == ("over", run["id"])
    assert payload["session"] == ROWS["run"][1]["session"]


def test_row_of_a_deferred_sensor_still_runs(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sensor that was deferred by the version before finds its run."""
    platform.connect(monkeypatch)
    run = platform.trigger("seeds")
    awaited = {**ROWS["arrival"][1]["awaited"], "job_id": platform.jobs["seeds"], "match": "latest"}
    payload = asyncio.run(first_payload(restored("arrival", awaited=awaited, check_interval=0.1)))
    assert (payload["outcome"], payload["run_id"]) == ("arrived", run["id"])


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers")
def test_row_of_an_asset_watcher_is_the_same_watcher() -> None:
    """The stored arguments mean what they meant."""
    trigger = restored("asset_events")
    assert isinstance(trigger, DbtCloudJobRunEventTrigger)
    assert trigger.serialize()[1] == ROWS["asset_events"][1]


def test_misspelt_argument_is_named() -> None:
    """An unknown argument is refused where the trigger is made."""
    with pytest.raises(TypeError, match="there is no argument 'tollerance'; did you mean 'tolerance'"):
        DbtCloudRunTrigger(dbt_cloud_conn_id="x", run_id=1, tollerance=5, deadline=time.time())
