"""ELT in task groups, with default_args for all tasks."""
from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG
from airflow.decorators import task
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor as WaitForDbt
from airflow.utils.task_group import TaskGroup

default_args = {
    "owner": "data-platform",
    "dbt_cloud_conn_id": "dbt",
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
    "wait_for_termination": False,
}

with DAG("task_groups", start_date=datetime(2023, 1, 1), schedule=None, catchup=False, default_args=default_args) as dag:

    @task
    def extract():
        return ["orders", "customers"]

    with TaskGroup("transform") as transform:
        for name in ("staging", "marts"):
            with TaskGroup(name):
                run = DbtCloudRunJobOperator(task_id="run", job_id=48618, trigger_reason=f"{name} of {{{{ ds }}}}")
                wait = WaitForDbt(task_id="wait", run_id=run.output, poke_interval=10, mode="reschedule")

    extract() >> transform
