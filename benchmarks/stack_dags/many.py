"""Many dbt jobs as one mapped task; ``benchmarks/stack.py`` runs it on a whole Airflow."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun import DbtCloudJobOperator

with DAG("many", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC), catchup=False) as dag:
    DbtCloudJobOperator.partial(task_id="build", deferrable=True, check_interval=10).expand(
        job_id=json.loads(os.environ["JOB_IDS"])
    )
