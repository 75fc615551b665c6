"""All that runs during a soak: the platform, PostgreSQL, Redis, and an Airflow with Celery and two triggerers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._many_jobs import write_project
from benchmarks._services import Database, own_database, own_redis
from benchmarks._soak.plan import Piece, trouble
from benchmarks._soak.platform import RestartedPlatform, restarted_platform
from tests.support import Json
from tests.system.airflow_stack import AirflowStack, airflow_stack, wait_until

DAGS = Path(__file__).parents[1] / "soak_dags"
WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
SLOTS = 4
RETRIES = 5
CONNECTION = "dbt_cloud_default"

TRIGGERER = ["triggerer", "--skip-serve-logs"]
COMPONENTS = [
    ("scheduler", ["scheduler", "--skip-serve-logs"]),
    ("dag-processor", ["dag-processor"]),
    *((name, ["celery", "worker", "--skip-serve-logs", "-H", name, "-c", str(SLOTS)]) for name in WORKERS),
    *((name, TRIGGERER) for name in TRIGGERERS),
]


@dataclass
class Stack:
    """What the soak acts on, and what it has done so far."""

    airflow: AirflowStack
    database: Database
    dbt: RestartedPlatform
    pieces: Sequence[Piece]
    home: Path
    dag_runs: dict[str, str] = field(default_factory=dict)
    """The run of each DAG that has started."""

    def click(self, method: str, path: str, body: Any) -> bool:
        """Ask Airflow for something, as a person's browser does; return whether it agreed."""
        return self.airflow._api(method, path, body).ok  # noqa: SLF001 - it has no name for this request

    def set_token(self, method: str, path: str, token: str) -> None:
        """Write the connection, as a person does."""
        platform = self.dbt.now
        fields = {"host": platform.base_url, "login": str(platform.account_id), "password": token}
        extra = json.dumps({"timeout": 10})
        body = {"connection_id": CONNECTION, "conn_type": "dbt_cloud", "extra": extra, **fields}
        assert self.click(method, path, body), "the connection could not be written"

    def instances(self) -> dict[tuple[str, str, int], tuple[str | None, int]]:
        """Read the state and the number of tries of each task."""
        rows = self.database.rows("select dag_id, task_id, map_index, state, try_number from task_instance")
        return {(dag, task, index): (state, tries) for dag, task, index, state, tries in rows}

    def is_over(self) -> bool:
        """Whether all waves have started and ended."""
        going = self.database.value("select count(*) from dag_run where state not in ('success', 'failed')")
        return len(self.dag_runs) == len({piece.dag_id for piece in self.pieces}) and going == 0


@contextmanager
def soak_stack(folder: Path, pieces: Sequence[Piece]) -> Iterator[Stack]:
    """Start all of it, each part with nothing in it."""
    home = folder / "airflow"
    home.mkdir()
    write_project(folder / "project", len(pieces))
    (folder / "project" / "models" / "first.sql").write_text("select 1 as a\n")
    jobs = {piece.node: f"dbt run --select first; dbt run --select {piece.node}" for piece in pieces}
    with own_database() as database, own_redis() as broker, restarted_platform(folder, jobs) as dbt:
        dbt.now.trouble(*trouble(pieces))
        plan = folder / "plan.json"
        plan.write_text(json.dumps(plan_of(pieces, dbt)))
        with airflow_stack(home, DAGS, variables(plan, database.url, broker), COMPONENTS) as airflow:
            stack = Stack(airflow, database, dbt, pieces, home)
            stack.set_token("POST", "connections", dbt.token)
            wait_until("all DAGs are parsed", lambda: are_parsed(stack))
            yield stack


def plan_of(pieces: Sequence[Piece], dbt: RestartedPlatform) -> Json:
    """Give what the DAG file has to know."""
    dags: dict[str, dict[str, list[int]]] = {}
    for piece in pieces:
        dags.setdefault(piece.dag_id, {}).setdefault(piece.task_id, []).append(dbt.now.jobs[piece.node])
    return {"began": datetime.now(UTC).isoformat(), "retries": RETRIES, "dags": dags}


def are_parsed(stack: Stack) -> bool:
    """Whether Airflow knows the DAG of each wave."""
    return bool(stack.database.value("select count(*) from dag") == len({piece.dag_id for piece in stack.pieces}))


def variables(plan: Path, database: str, broker: str) -> dict[str, str]:
    """Configure Celery over the two servers; a lost worker or triggerer is noticed within a minute."""
    return {
        "SOAK_PLAN": str(plan),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "32",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "5",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
    }
