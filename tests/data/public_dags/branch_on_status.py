"""Start a run, look at its status in Python, and branch."""

import time
from datetime import datetime

from airflow.decorators import dag, task
from airflow.providers.dbt.cloud.hooks import dbt as dbt_hook
from airflow.providers.dbt.cloud.operators import dbt
from airflow.providers.standard.operators.empty import EmptyOperator

CONN = "dbt"


@dag(dag_id="branch_on_status", start_date=datetime(2023, 6, 1), schedule=None, catchup=False)
def branch_on_status():
    start = dbt.DbtCloudRunJobOperator(
        task_id="start", dbt_cloud_conn_id=CONN, job_id=48618, wait_for_termination=False
    )

    @task.branch
    def look(dbt_run_id: int) -> str:
        hook = dbt_hook.DbtCloudHook(dbt_cloud_conn_id=CONN)
        while (status := hook.get_job_run_status(dbt_run_id)) < dbt_hook.DbtCloudJobRunStatus.SUCCESS.value:
            time.sleep(0.2)
        return "good" if status == dbt_hook.DbtCloudJobRunStatus.SUCCESS.value else "bad"

    look(start.output) >> [EmptyOperator(task_id="good"), EmptyOperator(task_id="bad")]


dag = branch_on_status()
