"""A DAG for each wave of a soak: operators and sensors, blocking and deferrable, mapped and single."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import Category, DbtCloudJobOperator, RerunPolicy, RerunRule, every
from airflow_dbt_rerun.core.policy.rules import DEFAULT_RULES
from airflow_dbt_rerun.sensors import DbtCloudJobSensor

PLAN = json.loads(Path(os.environ["SOAK_PLAN"]).read_text())

# A restart of the platform ends runs with an error that nothing is known about, more than once if it has bad luck.
UNKNOWN = RerunRule(every(Category.UNKNOWN), stop=stop_after_attempt(5))
COMMON: dict[str, Any] = {
    "policy": RerunPolicy(rules=[UNKNOWN, *DEFAULT_RULES], stop=stop_after_attempt(5), wait=wait_fixed(2)),
    "retries": PLAN["retries"],
    "retry_delay": timedelta(seconds=3),
}
HOW: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "deferrable": (DbtCloudJobOperator, {"deferrable": True, "check_interval": 5}),
    "blocking": (DbtCloudJobOperator, {"check_interval": 2}),
    "sensor_deferrable": (DbtCloudJobSensor, {"deferrable": True, "poke_interval": 5}),
    "sensor_poke": (DbtCloudJobSensor, {"mode": "poke", "poke_interval": 2}),
    "sensor_reschedule": (DbtCloudJobSensor, {"mode": "reschedule", "poke_interval": 10}),
}


def add(task_id: str, job_ids: list[int]) -> None:
    """Add a mapped task, or a single one."""
    of, arguments = HOW[task_id.removeprefix("single_").rstrip("_0123456789")]
    if of is DbtCloudJobSensor:
        arguments = {**arguments, "since": PLAN["began"], "timeout": 3_600}
    if task_id.startswith("single"):
        of(task_id=task_id, job_id=job_ids[0], **arguments, **COMMON)
    else:
        of.partial(task_id=task_id, **arguments, **COMMON).expand(job_id=job_ids)


for dag_id, tasks in PLAN["dags"].items():
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False) as dag:
        for name, ids in tasks.items():
            add(name, ids)
    globals()[dag_id] = dag
