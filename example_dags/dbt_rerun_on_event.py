"""Heal jobs that dbt itself schedules: each failed run is an asset event, and the event starts this DAG.

Needs Airflow 3, a triggerer, and the connection ``dbt_cloud_default``. Runs that fail at about the same time may
start one DAG run with several events, so the task that heals is mapped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_dbt_rerun import Category, DbtCloudJobRunEventTrigger, DbtCloudRerunOperator, RerunPolicy

MAY_PASS = {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT, Category.UNKNOWN, None}
"""What a rerun may heal. None: the run could not be read when the event was created."""

failures = Asset(
    "dbt_failed_runs",
    watchers=[AssetWatcher(name="failures", trigger=DbtCloudJobRunEventTrigger(statuses=["error"]))],
)

with DAG(dag_id="dbt_rerun_on_event", schedule=[failures], catchup=False, tags=["dbt"], doc_md=__doc__) as dag:

    @task
    def failed_runs(triggering_asset_events: Mapping[Any, Sequence[Any]] | None = None) -> list[int]:
        """Return the ids of the runs to heal, each once."""
        events = [event for one in (triggering_asset_events or {}).values() for event in one]
        payloads = [event.extra["payload"] for event in events]
        return sorted({run["run_id"] for run in payloads if run["category"] in MAY_PASS})

    DbtCloudRerunOperator.partial(
        task_id="heal", mode="from_failure", policy=RerunPolicy(), deferrable=True, check_interval=10
    ).expand(run_id=failed_runs())
