"""A DAG with the official provider's operator; Airflow's own retry reruns the job from failure."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor

with DAG("official_operator", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
    build = DbtCloudRunJobOperator(
        task_id="build",
        job_id=int(os.environ["JOB_ID"]),
        deferrable=os.environ["DEFERRABLE"] == "yes",
        check_interval=1,
        retry_from_failure=True,
        retries=1,
        retry_delay=timedelta(0),
    )
    run_id: Any = build.output
    DbtCloudJobRunSensor(task_id="built", run_id=run_id, poke_interval=1, timeout=60)
