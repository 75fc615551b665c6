"""A custom policy for two jobs that wait in the triggerer.

The first rule that matches decides. A failure that no rule covers fails the task at once: a person is
needed. Needs the connection ``dbt_cloud_default`` and the Airflow Variables ``dbt_job_nightly`` and
``dbt_job_finance`` with the jobs' ids.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG
from tenacity import stop_after_attempt, stop_after_delay, wait_exponential, wait_fixed, wait_random

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobOperator,
    RerunPolicy,
    RerunRule,
    any_node,
    every,
    message,
)

POLICY = RerunPolicy(
    rules=[
        RerunRule(any_node(Category.THROTTLED), wait=wait_fixed(300)),
        RerunRule(message(r"(?i)deadlock|lock timeout") | any_node(Category.TRANSIENT)),
        RerunRule(every(Category.UNKNOWN), stop=stop_after_attempt(2)),
    ],
    stop=stop_after_attempt(5) | stop_after_delay(7200),
    wait=wait_exponential(multiplier=5, max=600) + wait_random(0, 2),
)

with DAG(dag_id="dbt_rerun_policy", schedule=None, catchup=False, tags=["dbt"], doc_md=__doc__) as dag:
    nightly, finance = (
        DbtCloudJobOperator(
            task_id=name,
            job_id="{{ var.value.dbt_job_" + name + " }}",
            policy=POLICY,
            check_interval=5,
            timeout=4 * 60 * 60,
            deferrable=True,
        )
        for name in ("nightly", "finance")
    )
    nightly >> finance
