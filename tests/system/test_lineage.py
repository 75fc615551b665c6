"""The lineage of a heal in a real Airflow on real dbt, next to that of the official operator.

One DAG run, written by OpenLineage's file transport. In task *ours* the model ``orders`` fails once; in *official*
``payment_summary`` fails once, and Airflow's retry resumes the run; in *broken*, which defers, ``daily_revenue``
always fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("openlineage.common", reason="the extra openlineage is not installed")

from tests.openlineage.shape import check_shape
from tests.support import GENEROUS, Json, LocalPlatform, local_platform
from tests.system.database import NewDatabase
from tests.tls import certificate

pytestmark = [pytest.mark.airflow, pytest.mark.dbt, pytest.mark.nightly]

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
JOBS = {
    "ours": "dbt build --select +orders",
    "official": "dbt build --select +payment_summary --exclude resource_type:seed",
    "broken": "dbt build --select daily_revenue",
}
TROUBLE = [
    {"node": "orders", "times": 1, "message": "Connection reset by peer"},
    {"node": "payment_summary", "times": 1, "message": "Connection reset by peer"},
    {"node": "daily_revenue", "times": -1, "message": "Table with name raw_refunds does not exist!"},
]
DAG = """
import os
from datetime import UTC, datetime, timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from tenacity import wait_fixed
from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy

with DAG("lineage", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
    official = DbtCloudRunJobOperator(
        task_id="official", job_id=int(os.environ["JOB_OFFICIAL"]), check_interval=1,
        retry_from_failure=True, retries=1, retry_delay=timedelta(0),
    )
    ours = DbtCloudJobOperator(
        task_id="ours", job_id=int(os.environ["JOB_OURS"]), check_interval=0.5,
        policy=RerunPolicy(wait=wait_fixed(0)),
    )
    broken = DbtCloudJobOperator(
        task_id="broken", job_id=int(os.environ["JOB_BROKEN"]), check_interval=0.5, deferrable=True,
    )
    ours >> official >> broken
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Serve a platform of one's own with TLS, which the official hook insists on."""
    folder = tmp_path_factory.mktemp("lineage")
    cert, key = certificate(folder)
    tls = ("--tls-cert", str(cert), "--tls-key", str(key))
    with local_platform(folder, *tls, jobs=JOBS, verify=str(cert)) as platform:
        yield platform


@pytest.fixture(scope="module")
def emitted(
    secured: LocalPlatform, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> list[Json]:
    """Run the DAG and return what OpenLineage wrote."""
    home = tmp_path_factory.mktemp("airflow")
    file = home / "events.jsonl"
    (home / "dags").mkdir()
    (home / "dags" / "lineage.py").write_text(DAG)
    secured.trouble(*TROUBLE)
    env = environment(secured, home, file)
    new_database(home)
    done = subprocess.run(
        [AIRFLOW, "dags", "test", "lineage"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * GENEROUS,
    )
    print(done.stdout[-20_000:], done.stderr[-5_000:])  # noqa: T201 - for whom a test fails
    return [json.loads(line) for line in file.read_text().splitlines()]


def environment(platform: LocalPlatform, home: Path, file: Path) -> dict[str, str]:
    """Configure that Airflow, and nothing of another one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    host = platform.base_url.removeprefix("https://")
    login = {"host": host, "login": str(platform.account_id), "password": platform.token}
    return {
        **inherited,
        "REQUESTS_CA_BUNDLE": str(platform.session.verify),
        "SSL_CERT_FILE": str(platform.session.verify),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "shop",
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": str(GENEROUS),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(file), "append": True}),
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({"conn_type": "dbt_cloud", **login}),
        **{f"JOB_{name.upper()}": str(job_id) for name, job_id in platform.jobs.items()},
    }


def below(events: list[Json], run_ids: set[str]) -> list[Json]:
    """Return the events whose parent is one of these runs."""
    parents = [(event["run"]["facets"].get("parent"), event) for event in events]
    return [event for parent, event in parents if parent and parent["run"]["runId"] in run_ids]


def of_task(events: list[Json], task_id: str) -> list[Json]:
    """Return the events of a task itself, in all its tries."""
    return [event for event in events if event["job"]["name"] == f"lineage.{task_id}"]


def run_ids(events: list[Json]) -> set[str]:
    """Return the ids of the runs that these events are about."""
    return {event["run"]["runId"] for event in events}


def ends(events: list[Json]) -> dict[str, str]:
    """Return how each node ended, by the last part of its name before the kind."""
    names = [(event["job"]["name"].partition("corner_shop.")[2], event["eventType"]) for event in events]
    return {name: state for name, state in names if state != "START"}


def test_a_heal_has_complete_lineage(emitted: list[Json]) -> None:
    """DAG run, task, dbt runs, nodes: those that the first run built, and those that the rerun built."""
    task = of_task(emitted, "ours")
    assert task[-1]["eventType"] == "COMPLETE"
    (dag_run,) = run_ids([event for event in emitted if event["job"]["name"] == "lineage"])
    dbt_runs = below(emitted, run_ids(task))
    assert [event["eventType"] for event in dbt_runs] == ["START", "FAIL", "START", "COMPLETE"]
    failed, healed = (event for event in dbt_runs if event["eventType"] != "START")
    first, second = (ends(below(emitted, run_ids([run]))) for run in (failed, healed))
    assert first["orders.build.run"] == "FAIL"
    assert set(first.values()) - {first["orders.build.run"]} == {"COMPLETE"}  # no test failed
    assert second == {"orders.build.run": "COMPLETE", "orders.build.test": "COMPLETE"}
    for event in (*dbt_runs, *below(emitted, run_ids(dbt_runs))):
        assert event["run"]["facets"]["parent"]["root"]["run"]["runId"] == dag_run


def test_a_failed_model_tells_its_error(emitted: list[Json]) -> None:
    """So does the dbt run, and the task that fails has its lineage all the same."""
    dbt_runs = below(emitted, run_ids(of_task(emitted, "broken")))
    (model,) = (event for event in below(emitted, run_ids(dbt_runs)) if event["eventType"] == "FAIL")
    message = "Invalid Input Error: Table with name raw_refunds does not exist!"
    assert model["run"]["facets"]["errorMessage"]["message"].startswith(message)
    assert message in dbt_runs[-1]["run"]["facets"]["errorMessage"]["message"]
    assert dbt_runs[-1]["run"]["facets"]["dbtRerun_attempt"]["outcome"] == "failed"
    assert of_task(emitted, "broken")[-1]["eventType"] == "FAIL"


def test_datasets_are_those_of_the_official_operator(emitted: list[Json]) -> None:
    """A table that both have built has one name, and so has the job that built it."""
    ours = {event["job"]["name"]: event for event in built(emitted) if is_ours(event)}
    official = {event["job"]["name"]: event for event in built(emitted) if not is_ours(event)}
    assert ours["warehouse.main.corner_shop.orders.build.run"]
    for name in ours.keys() & official.keys():
        mine, theirs = (
            [(each["namespace"], each["name"]) for each in event["outputs"]]
            for event in (ours[name], official[name])
        )
        assert mine == theirs
    assert ours.keys() & official.keys()


def built(events: list[Json]) -> list[Json]:
    """Return the events of models that were built."""
    return [event for event in events if event["eventType"] == "COMPLETE" and event["outputs"]]


def is_ours(event: Json) -> bool:
    """Return whether an event comes from this package."""
    return "airflow-provider-dbt-rerun" in event["producer"]


def test_the_official_operator_tells_nothing_of_a_resumed_run(emitted: list[Json]) -> None:
    """It has the nodes of the run that failed. Should this fail with a newer one, docs/lineage.md has to change."""
    tries = of_task(emitted, "official")
    (failed,) = (event for event in tries if event["eventType"] == "FAIL")
    (healed,) = (event for event in tries if event["eventType"] == "COMPLETE")
    assert ends(below(emitted, run_ids([failed])))["payment_summary.build.run"] == "FAIL"
    assert below(emitted, run_ids([healed])) == []


def test_the_shape(emitted: list[Json]) -> None:
    """Every event is one of the specification."""
    ours = list(filter(is_ours, emitted))
    assert ours
    for event in ours:
        check_shape(event)
