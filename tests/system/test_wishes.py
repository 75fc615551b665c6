"""The buttons of our page, through Airflow's own components: what a person wants is done by the task's next try."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import Json, LocalPlatform, local_platform
from tests.system.airflow_stack import AIRFLOW_2, GENEROUS, AirflowStack, airflow_for, wait_until
from tests.system.database import NewDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no pages of ours")]

DAGS = """
from datetime import timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy
from tenacity import wait_fixed

with DAG("broken", schedule=None):
    DbtCloudJobOperator(task_id="build", job_id={jobs}["broken"], check_interval=1, retries=1)
for mode in ("blocking", "deferrable"):
    with DAG(mode, schedule=None) as dag:
        DbtCloudJobOperator(
            task_id="build",
            job_id={jobs}[mode],
            check_interval=1,
            deferrable=mode == "deferrable",
            policy=RerunPolicy(wait=wait_fixed(900)),
        )
    globals()[mode] = dag
"""

JOBS = dict.fromkeys(("broken", "blocking", "deferrable"), "dbt seed")
CODE = {"node": "raw_orders", "times": -1, "message": 'syntax error at or near "selct"'}
RESET = {"node": "raw_orders", "times": -1, "message": "Connection reset by peer"}


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform of their own for all tests here."""
    with local_platform(tmp_path_factory.mktemp("wishes"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(scope="module")
def airflow(
    dbt: LocalPlatform, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[AirflowStack]:
    """One Airflow for all tests here."""
    with airflow_for(dbt, DAGS, tmp_path_factory.mktemp("airflow"), new_database) as stack:
        yield stack


def ask(airflow: AirflowStack, dag_id: str, run_id: str, action: str | None = None, seen: str = "") -> Any:
    """Read what can be done about a task or, with an action, press its button."""
    url = f"http://127.0.0.1:{airflow.port}/dbt-rerun/api/wishes/{dag_id}/{quote(run_id, safe='')}/build/-1"
    body = None if action is None else {"action": action, "seen": seen}
    return airflow.session.request("GET" if action is None else "POST", url, json=body, timeout=GENEROUS)


def dag_run(airflow: AirflowStack, dag_id: str, run_id: str) -> Json:
    """Read a DAG run."""
    url = f"http://127.0.0.1:{airflow.port}/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    found: Json = airflow.session.get(url, timeout=GENEROUS).json()
    return found


def runs(dbt: LocalPlatform, job: str) -> list[Json]:
    """List a job's runs, oldest first."""
    return list(reversed(dbt.get("runs/", job_definition_id=dbt.jobs[job], order_by="-id")))


def test_a_person_reruns_what_the_policy_gave_up(airflow: AirflowStack, dbt: LocalPlatform) -> None:
    """P2: two people press at once; the failed run is resumed once, and the task is green."""
    dbt.trouble(CODE)
    run_id = airflow.trigger("broken")
    # Airflow's scheduler may end a DAG run by what it read of its tasks before a clear: nobody clears that fast.
    wait_until("the DAG run has failed", lambda: dag_run(airflow, "broken", run_id)["state"] == "failed")
    can = ask(airflow, "broken", run_id).json()
    if not can["has_store"]:
        pytest.skip("Airflow older than 3.3 keeps nothing across a clear")
    assert can["actions"] == ["rerun_from_failure", "rerun_from_start"]
    dbt.trouble()
    with ThreadPoolExecutor() as people:
        press = [people.submit(ask, airflow, "broken", run_id, "rerun_from_failure", can["seen"]) for _ in range(2)]
    assert sorted(each.result().status_code for each in press) == [200, 409]
    airflow.until("broken", run_id, "build", "success")
    first, second = runs(dbt, "broken")
    assert (second["retrying_run_id"], second["status"]) == (first["id"], 10)


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_a_person_gives_up_waiting(airflow: AirflowStack, dbt: LocalPlatform, mode: str) -> None:
    """A task that waits a quarter of an hour for its next attempt ends at once, without another run."""
    dbt.trouble(RESET)
    run_id = airflow.trigger(mode)
    airflow.until(mode, run_id, "build", "deferred" if mode == "deferrable" else "running")
    can = until_actions(airflow, mode, run_id)
    if not can["has_store"]:
        pytest.skip("Airflow older than 3.3 keeps nothing across a clear")
    assert ask(airflow, mode, run_id, "give_up", can["seen"]).status_code == 200
    airflow.until(mode, run_id, "build", "failed")
    assert len(runs(dbt, mode)) == 1
    assert ask(airflow, mode, run_id).json()["wish"]["action"] == "give_up"
    report = airflow.session.get(
        f"http://127.0.0.1:{airflow.port}/api/v2/dags/{mode}/dagRuns/{quote(run_id, safe='')}"
        "/taskInstances/build/xcomEntries/dbt_rerun_report",
        timeout=GENEROUS,
    ).json()["value"]
    assert (report["outcome"], len(report["attempts"])) == ("cancelled", 1)
    assert "asked" in report["reason"]


def until_actions(airflow: AirflowStack, dag_id: str, run_id: str) -> Any:
    """Wait until the page offers to give up while it waits for the next attempt."""

    def come() -> Any:
        can = ask(airflow, dag_id, run_id).json()
        return can if len(can["actions"]) == 3 or not can["has_store"] else None

    return wait_until("the task waits for its next attempt", come)
