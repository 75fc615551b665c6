"""Run the example DAGs by ``airflow dags test``, with a separate database."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.receivers import HttpReceiver, serving
from tests.support import LocalPlatform
from tests.system.airflow_shell import AirflowShell, airflow_shell
from tests.system.database import NewDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.dbt]

EXAMPLES = Path(__file__).parents[2] / "example_dags"

RunDag = Callable[..., dict[tuple[str, int], str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Path:
    """Make an Airflow of one's own."""
    home = tmp_path_factory.mktemp("airflow")
    new_database(home)
    return home


@pytest.fixture(scope="module")
def shell(home: Path) -> Iterator[AirflowShell]:
    """Start a process that runs all the DAGs."""
    with airflow_shell(home) as started:
        yield started


def environment(home: Path) -> dict[str, str]:
    """Configure that Airflow, and nothing of another one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
    }


def labels(home: Path, dag_id: str) -> set[str]:
    """Return what the grid shows instead of the map indexes."""
    with sqlite3.connect(home / "airflow.db") as database:
        query = "select rendered_map_index from task_instance where dag_id = ? and map_index >= 0"
        return {label for (label,) in database.execute(query, (dag_id,))}


@pytest.fixture
def run_dag(home: Path, shell: AirflowShell, platform: LocalPlatform) -> RunDag:
    """Run an example and give the state of each task, by name and map index."""
    connection = {"host": platform.base_url, "login": str(platform.account_id), "password": platform.token}
    variables = {
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({"conn_type": "dbt_cloud", **connection}),
        "AIRFLOW_VAR_DBT_JOB_NIGHTLY": str(platform.jobs["nightly"]),
        "AIRFLOW_VAR_DBT_JOBS": json.dumps([platform.jobs["seeds"], platform.jobs["nightly"]]),
    }

    def run(
        dag_id: str, *date: str, connections: Mapping[str, Any] | None = None, status: int = 0, **more: int
    ) -> dict[tuple[str, int], str]:
        jobs = {f"AIRFLOW_VAR_{name.upper()}": str(job_id) for name, job_id in more.items()}
        others = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(to) for name, to in (connections or {}).items()}
        env = {**environment(home), **variables, **jobs, **others}
        ended, printed = shell.run("dags", "test", dag_id, *date, env=env)
        assert ended == status, printed[-10_000:]
        with sqlite3.connect(home / "airflow.db") as database:
            rows = database.execute(
                "select task_id, map_index, state from task_instance where dag_id = ?", (dag_id,)
            )
            return {(task_id, map_index): state for task_id, map_index, state in rows}

    return run


def test_first_example(run_dag: RunDag, platform: LocalPlatform) -> None:
    """The README's first DAG: one task, green after one run."""
    assert run_dag("dbt_rerun_first") == {("nightly", -1): "success"}
    assert len(platform.posts()) == 1


@pytest.mark.nightly
def test_mapped_example(run_dag: RunDag, platform: LocalPlatform, home: Path) -> None:
    """One mapped task for each job, each with its own work: two tasks, two runs, no adoption across them."""
    states = run_dag("dbt_rerun_many")
    assert states == {("job_ids", -1): "success", ("build", 0): "success", ("build", 1): "success"}
    assert labels(home, "dbt_rerun_many") == {f"job {platform.jobs[name]}" for name in ("seeds", "nightly")}
    assert len(platform.posts()) == 2


def test_sensor_example(run_dag: RunDag, platform: LocalPlatform) -> None:
    """A run that Airflow did not start has failed since the day began: the sensor finds and heals it."""
    job = platform.post("jobs/", {"name": "scheduled", "execute_steps": ["dbt seed --select raw_orders"]})
    platform.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    today = datetime.now(UTC).date().isoformat()
    failed = platform.wait(platform.post(f"jobs/{job['id']}/run/", {"cause": "scheduled"}))
    states = run_dag("dbt_rerun_sensor", today, dbt_job_scheduled=job["id"])
    assert states == {("nightly", -1): "success", ("tell", -1): "success"}
    (healed,) = platform.get("runs/", job_definition_id=job["id"], order_by="-id", limit=1)
    assert (healed["retrying_run_id"], healed["status"]) == (failed["id"], 10)
    assert len(platform.posts()) == 3


@pytest.mark.nightly
def test_notifying_example(run_dag: RunDag, platform: LocalPlatform) -> None:
    """Airflow's own context has what the texts need; a pager without a connection does not stop the others."""
    pytest.importorskip("airflow.providers.slack")
    pytest.importorskip("airflow.providers.pagerduty")
    platform.trouble({"node": "raw_orders", "times": 1, "message": 'syntax error at or near "selec"'})
    with serving(HttpReceiver()) as web:
        webhook = {"conn_type": "slackwebhook", "host": web.url, "password": "T/B/secret"}
        given = {"connections": {"slack_default": webhook}, "dbt_job_nightly": platform.jobs["seeds"]}
        states = run_dag("dbt_rerun_notify", status=1, **given)
    assert states == {("nightly", -1): "failed"}
    (body,) = web.bodies
    assert body["text"].splitlines()[0] == "dbt failed: dbt_rerun_notify.nightly"
    links = [part for part in body["blocks"][1]["elements"][-1]["elements"] if part["type"] == "link"]
    assert [link["url"].startswith("http") for link in links] == [True, True]
