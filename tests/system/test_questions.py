"""A task that waits for a person, on Airflow's own components: each row of the table in docs/rerunning.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_dbt_rerun.config.airflow_features import can_ask
from tests.support import LocalPlatform, local_platform
from tests.system.airflow_stack import AirflowStack, airflow_for, wait_until
from tests.system.database import NewDatabase

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(not can_ask(), reason="Airflow asks people from 3.1 on"),
]

DAGS = """
from datetime import datetime
from airflow.sdk import DAG
from airflow_dbt_rerun import DbtCloudJobOperator, Question, RerunPolicy, RerunRule, every

for name, job_id in {jobs}.items():
    question = Question(patience=1 if name == "expired" else 3600)
    with DAG(name, start_date=datetime(2026, 1, 1), schedule=None) as dag:
        DbtCloudJobOperator(
            task_id="build",
            job_id=job_id,
            check_interval=5,  # of a busy scheduler, Airflow loses tasks that resume sooner
            deferrable=name in ("answered", "failed"),
            policy=RerunPolicy(rules=[RerunRule(every("code"), "ask", question=question)]),
        )
    globals()[name] = dag
"""

NAMES = ("answered", "cleared", "expired", "failed")
JOBS = dict.fromkeys(NAMES, "dbt build --select +orders")
BUG = {"node": "orders", "times": -1, "message": 'syntax error at or near "selec"'}
WAITING = ("awaiting_input", "deferred")
"""In Airflow 3.3, and in 3.1 and 3.2."""


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform of our own, with a bug in the project."""
    with local_platform(tmp_path_factory.mktemp("questions"), "--simulate", jobs=JOBS) as platform:
        platform.trouble(BUG)
        yield platform


@pytest.fixture(scope="module")
def airflow(
    dbt: LocalPlatform, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[AirflowStack]:
    """One Airflow with a DAG for each thing that can happen to a question."""
    with airflow_for(dbt, DAGS, tmp_path_factory.mktemp("airflow"), new_database) as stack:
        yield stack


def question(airflow: AirflowStack, dag_id: str, run_id: str) -> dict[str, Any]:
    """Wait until Airflow shows the question, and read it."""

    def come() -> list[dict[str, Any]]:
        found = airflow._api("GET", f"dags/{dag_id}/dagRuns/{run_id}/hitlDetails").json()
        return [each for each in found.get("hitl_details", ()) if not each["response_received"]]

    asked: dict[str, Any] = wait_until(f"{dag_id} asks", come)[0]
    airflow.until(dag_id, run_id, "build", *WAITING)
    return asked


def answer(airflow: AirflowStack, dag_id: str, run_id: str, option: str) -> None:
    """Press one of the buttons."""
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/build/-1/hitlDetails"
    answered = airflow._api("PATCH", path, {"chosen_options": [option], "params_input": {}})
    assert answered.ok, answered.text


def runs(dbt: LocalPlatform, dag_id: str) -> list[tuple[int, bool]]:
    """Return status and whether it resumes another, of each run of a job, oldest first."""
    found = dbt.get("runs/", job_definition_id=dbt.jobs[dag_id], order_by="id")
    return [(run["status"], run["retrying_run_id"] is not None) for run in found]


def test_each_end_of_a_question(airflow: AirflowStack, dbt: LocalPlatform) -> None:
    """Clear, mark failed, expiry and answers, after a fix and before; nothing is started that nobody asked for."""
    run_ids = {name: airflow.trigger(name) for name in NAMES}
    airflow.ends("expired", run_ids["expired"], "build", "failed")
    asked = question(airflow, "answered", run_ids["answered"])
    assert asked["options"] == ["Rerun from failure", "Rerun from start", "Give up"]
    assert "model orders" in asked["body"]
    for name in ("cleared", "failed"):
        question(airflow, name, run_ids[name])
    airflow.mark("failed", run_ids["failed"], "build", "failed")
    airflow.clear("cleared", run_ids["cleared"], "build")
    wait_until("the cleared task fails anew", lambda: runs(dbt, "cleared") == [(20, False)] * 2)
    dbt.trouble()  # a person commits the fix
    question(airflow, "cleared", run_ids["cleared"])
    answer(airflow, "answered", run_ids["answered"], "Rerun from failure")
    answer(airflow, "cleared", run_ids["cleared"], "Give up")
    airflow.ends("answered", run_ids["answered"], "build", "success")
    airflow.ends("cleared", run_ids["cleared"], "build", "failed")
    assert airflow.state("failed", run_ids["failed"], "build") == "failed"
    assert {name: runs(dbt, name) for name in NAMES} == {
        "answered": [(20, False), (10, True)],
        "cleared": [(20, False), (20, False)],
        "expired": [(20, False)],
        "failed": [(20, False)],
    }
