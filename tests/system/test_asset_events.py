"""The example DAG of asset events through Airflow's own components: dbt's schedule fails, Airflow heals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Json, LocalPlatform, local_platform
from tests.system.airflow_stack import AIRFLOW_2, COMPONENTS, AirflowStack, airflow_stack, wait_until
from tests.system.database import NewDatabase

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers"),
]

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "dbt_rerun_on_event.py"
JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed"}
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform of our own."""
    with local_platform(tmp_path_factory.mktemp("event_stack"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, dbt: LocalPlatform, new_database: NewDatabase
) -> Iterator[AirflowStack]:
    """An Airflow with nothing but the example, which asks each second."""
    home = tmp_path_factory.mktemp("airflow")
    dags = home / "dags"
    dags.mkdir()
    quick = EXAMPLE.read_text().replace('statuses=["error"]', 'statuses=["error"], check_interval=1')
    (dags / EXAMPLE.name).write_text(quick.replace("check_interval=10", "check_interval=1"))
    fields = {"conn_type": "dbt_cloud", "host": dbt.base_url, "login": str(dbt.account_id)}
    connection = json.dumps({**fields, "password": dbt.token})
    variables = {"AIRFLOW_CONN_DBT_CLOUD_DEFAULT": connection, "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"}
    new_database(home)
    with airflow_stack(home, dags, variables) as stack:
        yield stack


def told(airflow: AirflowStack) -> list[int]:
    """List the dbt runs that have an asset event, in the order of the events."""
    events: list[Any] = airflow._api("GET", "assets/events?order_by=timestamp").json()["asset_events"]
    return [event["extra"]["payload"]["run_id"] for event in events]


def reruns(dbt: LocalPlatform, failed: Json) -> list[Json]:
    """List the runs that resume a run and succeeded."""
    runs: list[Json] = dbt.get("runs/", status=10)
    return [run for run in runs if run["retrying_run_id"] == failed["id"]]


def fail(dbt: LocalPlatform) -> Json:
    """Start a run outside Airflow that fails for a passing reason."""
    dbt.trouble(RESET)
    failed = dbt.run("nightly")
    assert failed["status"] == 20
    return failed


def test_failures_are_healed_across_a_death_of_the_triggerer(airflow: AirflowStack, dbt: LocalPlatform) -> None:
    """Each failed run becomes one asset event and one rerun: before, during and after the triggerer's absence."""
    wait_until("the watcher asks dbt", lambda: any(path.endswith("/runs/") for path in dbt.paths()))
    before = fail(dbt)
    wait_until("the first is healed", lambda: reruns(dbt, before))
    airflow.kill("triggerer")
    during = fail(dbt)
    airflow.start("triggerer", dict(COMPONENTS)["triggerer"])
    wait_until("what failed meanwhile is healed", lambda: reruns(dbt, during))
    after = fail(dbt)
    wait_until("the last is healed", lambda: reruns(dbt, after))
    assert list(dict.fromkeys(told(airflow))) == [before["id"], during["id"], after["id"]]
    assert [len(reruns(dbt, run)) for run in (before, during, after)] == [1, 1, 1]
    assert sum(path.endswith("/retry/") for path in dbt.posts()) == 3
