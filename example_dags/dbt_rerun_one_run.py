"""Rerun one failed dbt run, whatever started it: trigger this DAG with its id and the kind of rerun as parameters.

Needs the connection ``dbt_cloud_default``. With ``dry_run=True`` the task only publishes its plan.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun import DbtCloudRerunOperator

with DAG(
    dag_id="dbt_rerun_one_run",
    schedule=None,
    catchup=False,
    tags=["dbt"],
    doc_md=__doc__,
    params={"run_id": 0, "mode": "from_failure"},
) as dag:
    DbtCloudRerunOperator(
        task_id="again", run_id="{{ params.run_id }}", mode="{{ params.mode }}", deferrable=True, check_interval=10
    )
