"""DAGs made from a table of jobs."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

JOBS = {
    "full": {"job_id": 48617},
    "seeds": {"job_id": 48618, "schema_override": "sandbox", "steps_override": ["dbt seed --full-refresh"]},
}


def tell(context):
    print("failed:", context["exception"])


def make_dag(name: str, arguments: dict) -> DAG:
    with DAG(
        dag_id=f"factory_{name}",
        start_date=datetime(2023, 1, 1),
        schedule=None,
        catchup=False,
        dagrun_timeout=timedelta(hours=2),
    ) as made:
        DbtCloudRunJobOperator(
            task_id="run",
            dbt_cloud_conn_id="dbt",
            retries=2,
            on_failure_callback=tell,
            execution_timeout=timedelta(hours=1),
            hook_params={"timeout_seconds": 60, "retry_limit": 3},
            **arguments,
            # resume what failed
            retry_from_failure=True,
        )
    return made


for name, arguments in JOBS.items():
    globals()[f"dag_{name}"] = make_dag(name, arguments)
