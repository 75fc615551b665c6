"""Run a job that fails, and rerun it, with dbtc. Arguments: account id, job id, report file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dbtc import dbtCloudClient

ACCOUNT_ID, JOB_ID, REPORT = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
cloud: Any = dbtCloudClient().cloud  # host and token come from environment variables


def results(run_id: int) -> dict[str, str]:
    """Return the statuses of the models of the last step."""
    found = cloud.get_run_artifact(ACCOUNT_ID, run_id, "run_results.json")["results"]
    models = [node for node in found if node["unique_id"].startswith("model.")]
    return {node["unique_id"].split(".")[2]: node["status"] for node in models}


first = cloud.trigger_job(ACCOUNT_ID, JOB_ID, {"cause": "a test"}, poll_interval=1)["data"]
second = cloud.trigger_job_from_failure(ACCOUNT_ID, JOB_ID, poll_interval=1)["data"]
latest = cloud.get_most_recent_run(ACCOUNT_ID, job_definition_id=JOB_ID)["data"]
REPORT.write_text(
    json.dumps(
        {
            "statuses": [first["status"], second["status"]],
            "models": [results(first["id"]), results(second["id"])],
            "jobs": [job["id"] for job in cloud.list_jobs(ACCOUNT_ID)["data"]],
            "latest_run": latest["id"] == second["id"],
        }
    )
)
