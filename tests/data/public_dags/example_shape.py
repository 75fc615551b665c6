"""All operators of the provider in one DAG, in the shape of its own example."""

from datetime import datetime

from airflow import DAG
from airflow.providers.dbt.cloud.operators.dbt import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
    DbtCloudRunJobOperator,
)
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG(
    dag_id="example_shape",
    default_args={"dbt_cloud_conn_id": "dbt", "account_id": 39151},
    start_date=datetime(2021, 1, 1),
    schedule=None,
    catchup=False,
) as dag:
    first = EmptyOperator(task_id="first")
    last = EmptyOperator(task_id="last")

    # waits
    build = DbtCloudRunJobOperator(
        task_id="build",
        job_id=48617,
        check_interval=10,
        timeout=300,
    )
    results = DbtCloudGetJobRunArtifactOperator(
        task_id="results", run_id=build.output, path="run_results.json"
    )

    # does not wait
    start = DbtCloudRunJobOperator(
        task_id="start",
        job_id=48618,
        wait_for_termination=False,
        additional_run_config={"threads_override": 8},
    )
    seen = DbtCloudJobRunSensor(task_id="seen", run_id=start.output, timeout=60)
    seen_deferred = DbtCloudJobRunSensor(
        task_id="seen_deferred", run_id=start.output, timeout=60, deferrable=True
    )

    by_names = DbtCloudRunJobOperator(
        task_id="by_names",
        project_name="my_dbt_project",
        environment_name="prod",
        job_name="my_dbt_job",
        check_interval=10,
        timeout=300,
    )

    jobs = DbtCloudListJobsOperator(task_id="jobs", account_id=39151, project_id=160645)
    runs = DbtCloudListJobRunsOperator(task_id="runs", account_id=39151, job_id=48618)

    first >> build
    first >> start
    [results, seen, seen_deferred, by_names, jobs, runs] >> last
