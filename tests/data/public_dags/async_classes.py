"""From the time when deferrable operators were classes of their own, in astronomer-providers."""

from datetime import datetime

from airflow import DAG
from astronomer.providers.dbt.cloud.operators.dbt import (
    DbtCloudRunJobOperatorAsync,
)
from astronomer.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensorAsync
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

with DAG(dag_id="async_classes", start_date=datetime(2022, 1, 1), schedule=None) as dag:
    run = DbtCloudRunJobOperatorAsync(
        task_id="run",  # waits in the triggerer
        dbt_cloud_conn_id="dbt",
        job_id=48617,
        check_interval=10,
    )
    start = DbtCloudRunJobOperator(
        task_id="start", dbt_cloud_conn_id="dbt", job_id=48618, wait_for_termination=False
    )
    wait = DbtCloudJobRunSensorAsync(task_id="wait", dbt_cloud_conn_id="dbt", run_id=start.output)

    run >> start >> wait
