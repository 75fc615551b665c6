"""Download artifacts of a run and put them into a bucket; here the bucket is a folder."""

import os
import shutil
from datetime import datetime
from pathlib import Path

from airflow.decorators import dag, task
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudGetJobRunArtifactOperator, DbtCloudRunJobOperator  # noqa: E501

BUCKET = os.environ.get("BUCKET", "/tmp")


@dag(start_date=datetime(2023, 1, 1), schedule=None, catchup=False, default_args={"dbt_cloud_conn_id": "dbt"})
def artifact_to_bucket():
    run_job = DbtCloudRunJobOperator(task_id="run_job", job_id=48617, check_interval=20, timeout=3600)

    @task
    def upload(file_name: str) -> str:
        """Stand in for S3Hook().load_file(...)."""
        return str(shutil.copy(file_name, Path(BUCKET) / Path(file_name).name))

    for artifact in ("run_results.json", "manifest.json"):
        get = DbtCloudGetJobRunArtifactOperator(
            task_id=f"get_{artifact.partition('.')[0]}",
            run_id=run_job.output,
            path=artifact,
            output_file_name=f"{BUCKET}/downloads/{{{{ run_id | replace(':', '_') }}}}/{artifact}",
        )
        upload.override(task_id=f"upload_{artifact.partition('.')[0]}")(get.output)


dag = artifact_to_bucket()
