"""The hook in Python functions, imported where it is used."""

import json
from datetime import datetime

from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunException, DbtCloudJobRunStatus
from airflow.providers.standard.operators.python import PythonOperator


def run_job(job_id: int, **context) -> int:
    hook = DbtCloudHook("dbt", 60, 3)
    answer = hook.trigger_job_run(
        job_id=job_id, cause=f"by {context['dag'].dag_id}", additional_run_config={"threads_override": 4}
    )
    run_id = answer.json()["data"]["id"]
    try:
        hook.wait_for_job_run_status(
            run_id, expected_statuses=DbtCloudJobRunStatus.SUCCESS.value, check_interval=5, timeout=600
        )
    except DbtCloudJobRunException as error:
        raise AirflowException("dbt failed") from error
    return run_id


def count_nodes(run_id: str) -> int:
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook as Hook

    results = Hook(dbt_cloud_conn_id="dbt").get_job_run_artifact(run_id=int(run_id), path="run_results.json")
    print(json.dumps(results.json()["metadata"]))
    return len(results.json()["results"])


with DAG("hook_in_python", start_date=datetime(2022, 1, 1), schedule=None) as dag:
    PythonOperator(task_id="run_job", python_callable=run_job, op_args=[48617]) >> PythonOperator(
        task_id="count_nodes",
        python_callable=count_nodes,
        op_kwargs={"run_id": "{{ ti.xcom_pull(task_ids='run_job') }}"},
    )
