"""The links of a task: to its current dbt run, and to the page that tells how it is healed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import AirflowPlugin, BaseOperatorLink, XCom, conf

XCOM_RUN_ID = "job_run_id"
XCOM_RUN_URL = "job_run_url"
XCOM_REPORT = "dbt_rerun_report"

HAS_PAGES = hasattr(AirflowPlugin, "react_apps")
"""Whether this Airflow can show our pages: 3.1 and newer."""

PAGES = "/dbt-rerun"
"""Where our pages are, below Airflow's own address."""


def page_path(path: str) -> str:
    """Return the path of one of our pages, with the prefix of Airflow's ``[api] base_url``."""
    base_url = str(conf.get("api", "base_url", fallback="") or "")
    return urlsplit(base_url).path.rstrip("/") + PAGES + path


class DbtCloudRunLink(BaseOperatorLink):
    """Open the newest dbt run of the task, even while the task is still running."""

    name = "dbt run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the URL from XCom. Airflow 2 calls this in the web server, Airflow 3 in the worker."""
        return XCom.get_value(key=XCOM_RUN_URL, ti_key=ti_key) or ""


class DbtRerunPageLink(BaseOperatorLink):
    """Open the page that tells how the task is healed: also for those who may not see plugins in Airflow's UI."""

    name = "dbt heal"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """Return the path of the page. It has no host, since a worker may know another one than a browser."""
        parts = (ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)
        return page_path("/task/" + "/".join(quote(str(part), safe="") for part in parts))


LINKS: tuple[BaseOperatorLink, ...] = (DbtCloudRunLink(), *((DbtRerunPageLink(),) if HAS_PAGES else ()))
"""The links of each task of this package."""
