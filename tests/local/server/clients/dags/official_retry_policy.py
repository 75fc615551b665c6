"""A DAG with the official provider's operator, whose retries our policy decides."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

from airflow_dbt_rerun import DbtRetryPolicy

JOB_ID = os.environ.get("JOB_ID")
if JOB_ID is not None:  # Airflow parses each file of the folder for each DAG
    with DAG("official_retry_policy", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
        DbtCloudRunJobOperator(
            task_id="build",
            job_id=int(JOB_ID),
            deferrable=os.environ["DEFERRABLE"] == "yes",
            check_interval=1,
            retry_from_failure=True,
            retries=1,
            retry_delay=timedelta(hours=1),  # the policy waits less
            retry_policy=DbtRetryPolicy(
                {"wait": {"wait_fixed": 1}}, dbt_cloud_conn_id=os.environ.get("READS_BY", "dbt_cloud_default")
            ),
        )
