"""Starting runs exactly once, against the real platform."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.next_steps import Rerun
from airflow_dbt_rerun.core.heal.observations import Refused, RunSeen
from airflow_dbt_rerun.core.policy.policy import RerunAction
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.engine.starter import RunStarter, Work
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from tests.support import Json, LocalPlatform

SIMULATED_BY_DAY = True

LOG = logging.getLogger(__name__)


@pytest.fixture
def seen(platform: LocalPlatform) -> Iterator[list[Run]]:
    """Collect the reported runs, and let them end before the next test causes failures."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        platform.wait(platform.get(f"runs/{run.id}/"))


@pytest.fixture
def starter(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, seen: list[Run]
) -> RunStarter:
    """Start runs of the job of seeds, as work of this test."""
    platform.connect(monkeypatch)
    client = DbtCloudRerunHook().client
    work = Work(platform.jobs["seeds"], Marker.of(request.node.name), "a test")
    return RunStarter(client, RunReader(client), work, on_run=seen.append, log=LOG, sleep=lambda _: None)


@pytest.fixture
def failed(platform: LocalPlatform) -> Json:
    """A run of the job of seeds that failed once."""
    platform.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    run = platform.run("seeds")
    platform.control("DELETE", "requests")
    return run


def test_first_run_is_posted_once(starter: RunStarter, platform: LocalPlatform, seen: list[Run]) -> None:
    """P2: starting the first run again finds the existing one."""
    first, second = starter.start(), starter.start()
    assert isinstance(first, RunSeen)
    assert isinstance(second, RunSeen)
    assert first.run.id == second.run.id
    assert len(platform.posts()) == 1
    assert [run.id for run in seen] == [first.run.id] * 2


@pytest.mark.parametrize("action", [RerunAction.RERUN_FROM_FAILURE, RerunAction.RERUN_FROM_STEP])
def test_rerun_is_posted_once(
    starter: RunStarter, platform: LocalPlatform, failed: Json, action: RerunAction
) -> None:
    """P2: rerunning the same run again finds the existing rerun."""
    rerun = Rerun(action, failed["id"], "because", {"steps_override": ["dbt seed"]})
    first, second = starter.rerun(rerun), starter.rerun(rerun)
    assert isinstance(first, RunSeen)
    assert isinstance(second, RunSeen)
    assert first.run.id == second.run.id
    assert len(platform.posts()) == 1


def test_rerun_of_another_run_is_another_rerun(starter: RunStarter, failed: Json) -> None:
    """P3: what repairs one run is not taken for the repair of another."""
    seeds = {"steps_override": ["dbt seed"]}
    one = starter.rerun(Rerun(RerunAction.RERUN_FROM_STEP, failed["id"], "because", seeds))
    other = starter.rerun(Rerun(RerunAction.RERUN_FROM_STEP, 4711, "because", seeds))
    assert isinstance(one, RunSeen)
    assert isinstance(other, RunSeen)
    assert one.run.id != other.run.id


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_refusal_is_told(starter: RunStarter, platform: LocalPlatform, failed: Json, status: int) -> None:
    """A retry that the platform refuses, with any status code, is reported as refused instead of an API error."""
    platform.behave(refused_retry_status=status)
    platform.run("seeds")
    platform.control("DELETE", "requests")
    answer = starter.rerun(Rerun(RerunAction.RERUN_FROM_FAILURE, failed["id"], "because"))
    assert isinstance(answer, Refused)
    assert "RETRY_NOT_LATEST_RUN" in answer.message
    assert answer.run.retry_not_supported_reason == "RETRY_NOT_LATEST_RUN"
    assert len(platform.posts()) == 1
