"""One job, five tenants at once: mapped tasks that differ in their schema only, over real HTTP (P2, P11)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_dbt_rerun import DbtCloudJobOperator, DbtCloudRerunHook
from airflow_dbt_rerun.audit import audit
from tests.border import TaskInstance, run_task
from tests.support import Json, LocalPlatform

TENANTS = ("client_a", "client_b", "client_c", "client_d", "client_e")
pytestmark = pytest.mark.usefixtures("test_mode")
FAILS_TWICE = {"node": "raw_orders", "times": 2, "message": "Connection reset by peer"}


def run_all(platform: LocalPlatform, job: str, dag_run: str, *, deferrable: bool = False) -> list[TaskInstance]:
    """Run one mapped task for each tenant, all at once."""
    instances = [TaskInstance(run_id=dag_run, task_id="tenant", map_index=place) for place in range(len(TENANTS))]

    def run(place: int) -> None:
        task = DbtCloudJobOperator(
            task_id="tenant",
            job_id=platform.jobs[job],
            schema_override=TENANTS[place],
            deferrable=deferrable,
        )
        run_task(task, instances[place])

    with ThreadPoolExecutor(len(TENANTS)) as pool:
        list(pool.map(run, range(len(TENANTS))))
    return instances


def schemas(platform: LocalPlatform, run_id: int) -> set[str]:
    """Return the schemas that a run built into, by dbt's own artifacts."""
    found: set[str] = set()
    for step in platform.steps({"id": run_id}):
        answer = platform.send("GET", f"runs/{run_id}/artifacts/run_results.json", params={"step": step["index"]})
        results: list[Json] = answer.json()["results"] if answer.ok else []
        found |= {each["relation_name"].split(".")[-2].strip('"') for each in results if each.get("relation_name")}
    return found


def all_runs(platform: LocalPlatform, job: str) -> list[Json]:
    """Return all runs of a job with their triggers, oldest first."""
    runs: list[Json] = platform.get(
        "runs/", job_definition_id=platform.jobs[job], order_by="id", limit=100, include_related="['trigger']"
    )
    return runs


def check(platform: LocalPlatform, instances: list[TaskInstance]) -> None:
    """Each task is green by a run in its own schema, and the auditor confirms it."""
    client = DbtCloudRerunHook().client
    for tenant, instance in zip(TENANTS, instances, strict=True):
        report: dict[str, Any] = instance.xcom("dbt_rerun_report")
        assert report["outcome"] in ("succeeded", "healed")
        first, last = report["attempts"][0]["run_id"], report["job_run_id"]
        assert audit(client, last, of_run=first).is_done
        for attempt in report["attempts"]:
            trigger = platform.get(f"runs/{attempt['run_id']}/", include_related="['trigger']")["trigger"]
            assert trigger["schema_override"] == tenant


@pytest.mark.dbt
@pytest.mark.nightly
def test_each_tenant_heals_on_its_own(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of five fail once: all green, each tenant's tables are built, and seven runs in all, on real dbt."""
    platform.connect(monkeypatch)
    before = {run["id"] for run in all_runs(platform, "nightly")}
    platform.trouble({**FAILS_TWICE, "node": "orders"})
    instances = run_all(platform, "nightly", "real dbt", deferrable=True)
    check(platform, instances)
    assert len({run["id"] for run in all_runs(platform, "nightly")} - before) == 7
    for tenant, instance in zip(TENANTS, instances, strict=True):
        assert schemas(platform, instance.xcom("job_run_id")) == {tenant}


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("latest", ["any_newer", "newer_success"])
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("names", [True, False])
def test_count_is_exact_whatever_dbt_does(
    simulated: LocalPlatform, request: pytest.FixtureRequest, latest: str, *, keeps: bool, names: bool
) -> None:
    """Both readings of "latest", with and without recorded parents and overrides of a rerun."""
    simulated.behave(latest=latest, retry_keeps_overrides=keeps, retrying_run_id_filled=names)
    before = len(all_runs(simulated, "seeds"))
    simulated.trouble(FAILS_TWICE)
    check(simulated, run_all(simulated, "seeds", request.node.name))
    assert len(all_runs(simulated, "seeds")) - before == 7


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_lost_answers_start_nothing_twice(
    simulated: LocalPlatform, request: pytest.FixtureRequest, *, deferrable: bool
) -> None:
    """The first three POSTs create runs, but their answers are lost."""
    before = len(all_runs(simulated, "seeds"))
    simulated.trouble(FAILS_TWICE)
    simulated.fault("lost", method="POST", count=3)
    check(simulated, run_all(simulated, "seeds", request.node.name, deferrable=deferrable))
    assert len(all_runs(simulated, "seeds")) - before == 7
