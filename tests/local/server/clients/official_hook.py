"""Run a job that fails, and rerun it, with the official hook. Arguments: job id, job name, report file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunException

JOB_ID, JOB_NAME, REPORT = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
hook: Any = DbtCloudHook()


def run(*, retry_from_failure: bool) -> tuple[int, bool]:
    """Run the job; return the id of the run, and whether the hook reports success."""
    answer = hook.trigger_job_run(JOB_ID, "a test", retry_from_failure=retry_from_failure)
    run_id = answer.json()["data"]["id"]
    try:
        return run_id, hook.wait_for_job_run_status(run_id, check_interval=1, timeout=120)
    except DbtCloudJobRunException:
        return run_id, False


def results(run_id: int) -> dict[str, str]:
    """Return the statuses of the models of the last step."""
    found = hook.get_job_run_artifact(run_id, "run_results.json").json()["results"]
    models = [node for node in found if node["unique_id"].startswith("model.")]
    return {node["unique_id"].split(".")[2]: node["status"] for node in models}


def job_by_name() -> int:
    """Return the id of the job, looked up by name as the operator does."""
    (project,) = hook.list_projects()[0].json()["data"]
    (environment,) = hook.list_environments(project["id"])[0].json()["data"]
    names = {"project_name": project["name"], "environment_name": environment["name"]}
    return int(hook.get_job_by_name(**names, job_name=JOB_NAME)["id"])


first, first_succeeded = run(retry_from_failure=False)
second, second_succeeded = run(retry_from_failure=True)
REPORT.write_text(
    json.dumps(
        {
            "connected": hook.test_connection(),
            "job_by_name": job_by_name(),
            "succeeded": [first_succeeded, second_succeeded],
            "statuses": [hook.get_job_run_status(first), hook.get_job_run_status(second)],
            "models": [results(first), results(second)],
            "artifacts": hook.list_job_run_artifacts(second).json()["data"],
            "runs_listed": len(hook.list_job_runs(job_definition_id=JOB_ID)[0].json()["data"]),
        }
    )
)
