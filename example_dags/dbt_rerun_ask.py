"""Ask a person about failures that no rerun heals: someone commits the fix, then presses *Rerun from failure*.

Needs Airflow 3.1 or newer, the connection ``dbt_cloud_default`` and the Airflow Variable ``dbt_job_nightly``: a
job id. The question waits under *Required Actions*, without a worker.
"""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_dbt_rerun import (
    DEFAULT_RULES,
    DbtCloudJobOperator,
    Question,
    RerunAction,
    RerunPolicy,
    RerunRule,
    every,
)

policy = RerunPolicy(
    rules=[
        *DEFAULT_RULES,  # what may pass is rerun without a question
        RerunRule(
            every("code", "access", "test_failed"),
            RerunAction.ASK,
            question=Question(patience=8 * 3600),  # until the team is at work
        ),
    ]
)

with DAG(dag_id="dbt_rerun_ask", schedule=None, catchup=False, tags=["dbt"], doc_md=__doc__) as dag:
    DbtCloudJobOperator(
        task_id="nightly",
        job_id="{{ var.value.dbt_job_nightly }}",
        policy=policy,
        deferrable=True,
        check_interval=10,
    )
