"""Heal jobs that dbt itself schedules: each failed run is an asset event, and the event starts this DAG.

Needs Airflow 3, a triggerer, and the connection ``dbt_cloud_default``. Runs that fail at about the same time may
start one DAG run with several events, so the task that heals is mapped. What no rerun can heal fails a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_dbt_rerun import Category, DbtCloudJobRunEventTrigger, DbtCloudRerunOperator, RerunPolicy

MAY_PASS = {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT, Category.UNKNOWN, None}
"""What a rerun may heal. None: the run could not be read when the event was created."""


def payloads(events: Mapping[Any, Sequence[Any]] | None) -> list[dict[str, Any]]:
    """Return what the events say of the runs that failed."""
    return [event.extra["payload"] for one in (events or {}).values() for event in one]


failures = Asset(
    "dbt_failed_runs",
    watchers=[AssetWatcher(name="failures", trigger=DbtCloudJobRunEventTrigger(statuses=["error"]))],
)

with DAG(dag_id="dbt_rerun_on_event", schedule=[failures], catchup=False, tags=["dbt"], doc_md=__doc__) as dag:

    @task
    def failed_runs(triggering_asset_events: Mapping[Any, Sequence[Any]] | None = None) -> list[int]:
        """Return the ids of the runs to heal, each once."""
        return sorted({run["run_id"] for run in payloads(triggering_asset_events) if run["category"] in MAY_PASS})

    @task
    def left_to_people(triggering_asset_events: Mapping[Any, Sequence[Any]] | None = None) -> None:
        """Fail, so that Airflow calls somebody, if a run failed in a way that no rerun heals."""
        left = [run for run in payloads(triggering_asset_events) if run["category"] not in MAY_PASS]
        if left:
            names = (f"{run['job_name']}, run {run['run_id']} ({run['category']}): {run['url']}" for run in left)
            raise AirflowFailException("No rerun heals " + "; ".join(names))

    DbtCloudRerunOperator.partial(
        task_id="heal",
        mode="from_failure",
        policy=RerunPolicy(),
        deferrable=True,
        check_interval=10,
        map_index_template="run {{ task.run_id }}",
    ).expand(run_id=failed_runs())
    left_to_people()
