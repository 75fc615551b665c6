"""What people and broken machines do to a task, through Airflow's own components: our run ends when it should.

Each row of the table "When a task is killed" in docs/rerunning.md, on whichever Airflow the tests run with.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Json, LocalPlatform, local_platform
from tests.system.airflow_stack import COMPONENTS, AirflowStack, airflow_for, wait_until
from tests.system.database import NewDatabase

pytestmark = pytest.mark.airflow

DAGS = """
from datetime import datetime, timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_dbt_rerun import DbtCloudJobOperator

for mode in ("blocking", "deferrable"):
    with DAG(mode, start_date=datetime(2026, 1, 1), schedule=None) as dag:
        DbtCloudJobOperator(
            task_id="build",
            job_id={jobs}[mode],
            check_interval=1,
            deferrable=mode == "deferrable",
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
    globals()[mode] = dag
"""

JOBS = {"blocking": "dbt seed", "deferrable": "dbt seed"}
CANCELLED, SUCCESS = 30, 10
LONG = {"node": "raw_orders", "times": -1, "seconds": 300}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform of their own for all tests here."""
    with local_platform(tmp_path_factory.mktemp("kills"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(scope="module")
def airflow(
    dbt: LocalPlatform, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[AirflowStack]:
    """One Airflow for all tests here."""
    with airflow_for(dbt, DAGS, tmp_path_factory.mktemp("airflow"), new_database) as stack:
        yield stack


@pytest.fixture(params=["blocking", "deferrable"])
def mode(request: pytest.FixtureRequest) -> str:
    """The DAG of a task that works in one of the two modes."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _clean(dbt: LocalPlatform) -> Iterator[None]:
    """Runs go on until they are stopped, and none is left."""
    dbt.trouble(LONG)
    dbt.control("DELETE", "requests")
    yield
    for run in dbt.get("runs/", status__in="[1,2,3]"):
        dbt.post(f"runs/{run['id']}/cancel/")


def begin(airflow: AirflowStack, dbt: LocalPlatform, mode: str) -> tuple[str, Json]:
    """Start the task and wait until it waits for its dbt run; give the DAG run's id and the dbt run."""
    run_id = airflow.trigger(mode)
    airflow.until(mode, run_id, "build", "deferred" if mode == "deferrable" else "running")
    run = wait_until("a dbt run is going", lambda: going(dbt, mode))[0]
    # A task that no triggerer has taken up yet can be killed without anybody hearing of it.
    # The worker that starts a run reads it once, so the second reading is that of whoever watches it.
    wait_until("somebody watches it", lambda: sum(path.endswith(f"/runs/{run['id']}/") for path in dbt.paths()) > 1)
    return run_id, run


def going(dbt: LocalPlatform, job: str) -> list[Json]:
    """List the runs of a job that are in progress."""
    runs: list[Json] = dbt.get("runs/", job_definition_id=dbt.jobs[job], status__in="[3]", order_by="-id")
    return runs


def until_cancelled(dbt: LocalPlatform, run: Json) -> None:
    """Wait until dbt says that a run was cancelled."""
    wait_until(f"run {run['id']} is cancelled", lambda: dbt.get(f"runs/{run['id']}/")["status"] == CANCELLED)


@pytest.mark.parametrize("state", ["failed", pytest.param("success", marks=pytest.mark.nightly)])
def test_marked_task_stops_its_run(airflow: AirflowStack, dbt: LocalPlatform, mode: str, state: str) -> None:
    """P9: a person ends the task, working or deferred: its dbt run does not go on."""
    run_id, run = begin(airflow, dbt, mode)
    airflow.mark(mode, run_id, "build", state)
    until_cancelled(dbt, run)
    assert airflow.state(mode, run_id, "build") == state
    assert len(dbt.posts()) == 2


def test_ended_dag_run_stops_its_run(airflow: AirflowStack, dbt: LocalPlatform, mode: str) -> None:
    """P9: the same, for a whole DAG run."""
    run_id, run = begin(airflow, dbt, mode)
    airflow.mark_run(mode, run_id, "failed")
    until_cancelled(dbt, run)


def test_cleared_task_stops_its_run_and_starts_another(
    airflow: AirflowStack, dbt: LocalPlatform, mode: str
) -> None:
    """P2: a clear is a new life: the earlier life's run is cancelled, and only that one."""
    run_id, run = begin(airflow, dbt, mode)
    dbt.trouble()
    airflow.clear(mode, run_id, "build")
    until_cancelled(dbt, run)
    airflow.until(mode, run_id, "build", "success")
    assert [path.split("/")[-2] for path in dbt.posts()].count("run") == 2


def test_death_of_the_triggerer_is_no_kill(airflow: AirflowStack, dbt: LocalPlatform) -> None:
    """P9: a triggerer that dies leaves the run alone, and the next one watches it to its end."""
    dbt.trouble({**LONG, "seconds": 15})
    run_id, run = begin(airflow, dbt, "deferrable")
    airflow.kill("triggerer")
    airflow.start("triggerer", dict(COMPONENTS)["triggerer"])
    airflow.until("deferrable", run_id, "build", "success")
    assert dbt.wait(run)["status"] == SUCCESS
    assert len(dbt.posts()) == 1
