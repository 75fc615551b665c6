"""Three ways to get a failed job green again, one after the other; ``benchmarks/heal.py`` compares their costs."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy

JOB: dict[str, Any] = {"job_id": int(os.environ["JOB_ID"]), "check_interval": 1}
RETRIED_ONCE: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}

with DAG("three_ways", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False) as dag:
    (
        DbtCloudJobOperator(task_id="ours", **JOB, policy=RerunPolicy(wait=wait_fixed(0)))
        >> DbtCloudRunJobOperator(task_id="official_retry", **JOB, **RETRIED_ONCE, retry_from_failure=True)
        >> DbtCloudRunJobOperator(task_id="official_from_start", **JOB, **RETRIED_ONCE)
    )
