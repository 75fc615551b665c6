"""One mapped task for each job."""

from datetime import datetime

from airflow.decorators import dag, task
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator


@dag(schedule=None, start_date=datetime(2024, 1, 1), catchup=False, tags=["dbt", "dynamic"])
def mapped():
    @task
    def choose() -> list[int]:
        return [48617, 48618]

    DbtCloudRunJobOperator.partial(
        task_id="run",
        dbt_cloud_conn_id="dbt",
        check_interval=30,
        reuse_existing_run=False,  # one run a day
        retry_from_failure=True,
    ).expand(job_id=choose())

    DbtCloudRunJobOperator.partial(task_id="again", dbt_cloud_conn_id="dbt").expand_kwargs(
        [{"job_id": 48618, "steps_override": ["dbt seed"]}]
    )


dag = mapped()
