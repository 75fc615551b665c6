"""Heal a job that dbt's own schedule starts: wait for today's run in the triggerer, and rerun it if it fails.

The sensor waits for the first run of the job since the end of the DAG run's data interval, or since ``since``.
Without ``policy`` the sensor only detects. Needs the connection ``dbt_cloud_default`` and the Airflow Variable
``dbt_job_scheduled`` with the job's id.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task
from tenacity import wait_exponential

from airflow_dbt_rerun import DbtCloudJobSensor, RerunPolicy

with DAG(
    dag_id="dbt_rerun_sensor",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["dbt"],
    doc_md=__doc__,
) as dag:

    @task
    def tell(finished_by: int) -> None:
        """Go on with what dbt has built."""
        print(f"dbt run {finished_by} finished the work")  # noqa: T201 - the task's log

    nightly = DbtCloudJobSensor(
        task_id="nightly",
        job_id="{{ var.value.dbt_job_scheduled }}",
        policy=RerunPolicy(wait=wait_exponential(multiplier=5, max=600)),
        poke_interval=5,
        timeout=6 * 60 * 60,
        deferrable=True,
    )
    tell(nightly.output)  # type: ignore[arg-type]
