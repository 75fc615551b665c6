"""The first DAG: run a dbt job, and resume it from its point of failure if it fails for a passing reason.

Needs the connection ``dbt_cloud_default`` and the Airflow Variable ``dbt_job_nightly`` with the job's id.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun import DbtCloudJobOperator

with DAG(dag_id="dbt_rerun_first", schedule=None, catchup=False, tags=["dbt"], doc_md=__doc__) as dag:
    DbtCloudJobOperator(task_id="nightly", job_id="{{ var.value.dbt_job_nightly }}", check_interval=5)
