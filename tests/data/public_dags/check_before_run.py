"""Astronomer-style: the job runs only if it is not running already."""

from airflow.decorators import dag, task
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunStatus
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from pendulum import datetime

DBT_CLOUD_CONN_ID = "dbt"
JOB_ID = "48618"


@dag(
    start_date=datetime(2024, 2, 10),
    schedule=None,
    catchup=False,
)
def check_before_run():
    @task.short_circuit
    def check_job_is_not_running(job_id):
        """Take the newest run and stop here if that has not ended."""
        hook = DbtCloudHook(DBT_CLOUD_CONN_ID)
        runs = hook.list_job_runs(job_definition_id=job_id, order_by="-id")
        newest = runs[0].json()["data"][:1]  # none, at the first time

        return not newest or newest[0]["status"] in (
            DbtCloudJobRunStatus.SUCCESS.value,
            DbtCloudJobRunStatus.ERROR.value,
            DbtCloudJobRunStatus.CANCELLED.value,
        )

    trigger_job = DbtCloudRunJobOperator(
        task_id="trigger_dbt_cloud_job",
        dbt_cloud_conn_id=DBT_CLOUD_CONN_ID,
        job_id=JOB_ID,
        check_interval=60,
        timeout=360,
    )

    check_job_is_not_running(job_id=JOB_ID) >> trigger_job


dag = check_before_run()
