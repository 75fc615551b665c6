"""A link from the task to its current dbt run."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

XCOM_RUN_ID = "job_run_id"
XCOM_RUN_URL = "job_run_url"
XCOM_REPORT = "dbt_rerun_report"


class DbtCloudRunLink(BaseOperatorLink):
    """Opens the newest run of the task's chain in dbt, also while the task still runs."""

    name = "dbt run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Read the address from XCom: in Airflow 2 in the web server, in Airflow 3 in the worker."""
        return XCom.get_value(key=XCOM_RUN_URL, ti_key=ti_key) or ""
