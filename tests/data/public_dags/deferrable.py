# Everything defers; modules are imported instead of names.
import pendulum
import airflow.providers.dbt.cloud.operators.dbt as dbt_cloud
import airflow.providers.dbt.cloud.sensors.dbt
from airflow.sdk import DAG

with DAG(dag_id="deferrable", start_date=pendulum.datetime(2024, 5, 1, tz="UTC"), schedule=None) as dag:
    nightly = dbt_cloud.DbtCloudRunJobOperator(
        task_id="nightly", dbt_cloud_conn_id="dbt", job_id=48617,
        deferrable=True, check_interval=5, retry_from_failure=True)
    started = dbt_cloud.DbtCloudRunJobOperator(
        task_id="started",
        dbt_cloud_conn_id="dbt",
        job_id=48618,
        wait_for_termination=False,
        openlineage_inject_parent_job_info=False
    )
    waited = airflow.providers.dbt.cloud.sensors.dbt.DbtCloudJobRunSensor(
        task_id="waited", dbt_cloud_conn_id="dbt", run_id="{{ ti.xcom_pull(task_ids='started') }}", deferrable=True
    )
    nightly >> started >> waited
