"""A link from the task to its current dbt run."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

XCOM_RUN_ID = "job_run_id"
XCOM_RUN_URL = "job_run_url"
XCOM_REPORT = "dbt_rerun_report"


class DbtCloudRunLink(BaseOperatorLink):
    """Open the newest dbt run of the task, even while the task is still running."""

    name = "dbt run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the URL from XCom. Airflow 2 calls this in the web server, Airflow 3 in the worker."""
        return XCom.get_value(key=XCOM_RUN_URL, ti_key=ti_key) or ""
