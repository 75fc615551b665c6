"""Many jobs at once: one mapped task for each job id, waiting in the triggerer.

Needs the connection ``dbt_cloud_default`` and the Airflow Variable ``dbt_jobs``: a JSON list of job ids.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

from airflow_dbt_rerun import DbtCloudJobOperator

with DAG(
    dag_id="dbt_rerun_many",
    schedule=None,
    catchup=False,
    tags=["dbt"],
    doc_md=__doc__,
    render_template_as_native_obj=True,  # renders the Variable to a list instead of text
) as dag:

    @task
    def job_ids(jobs: list[int]) -> list[int]:
        """Return the jobs to run; here, all of the Variable."""
        return jobs

    DbtCloudJobOperator.partial(
        task_id="build",
        deferrable=True,
        check_interval=5,
        map_index_template="job {{ task.job_id }}",  # shown in the grid instead of 0, 1, 2
    ).expand(
        job_id=job_ids("{{ var.json.dbt_jobs }}")  # type: ignore[arg-type]
    )
