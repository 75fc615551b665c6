"""Publish a task's progress: XComs, the link, callbacks and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun import metrics
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.links import XCOM_REPORT, XCOM_RUN_ID, XCOM_RUN_URL, DbtCloudRunLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class Publisher:
    """Publish the progress of one task.

    :param on_rerun: called after each rerun has started, with the context and ``dbt_rerun`` in it.
    :param log: the task's log.
    """

    def __init__(self, context: Context, on_rerun: Sequence[Callable[[Any], Any]], log: Any) -> None:
        self._context = context
        self._on_rerun = on_rerun
        self._log = log

    def show_run(self, run: Run) -> None:
        """Push the id and URL of the newest run as soon as they are known."""
        instance = self._context["ti"]
        instance.xcom_push(key=XCOM_RUN_ID, value=run.id)
        instance.xcom_push(key=XCOM_RUN_URL, value=run.href)
        # Airflow 3 itself stores links only when a task ends; pushed now, the link works while the task runs.
        if key := getattr(DbtCloudRunLink(), "xcom_key", None):
            instance.xcom_push(key=key, value=run.href)

    def announce_rerun(self, happened: dict[str, Any], run: Run) -> None:
        """Count a rerun and call ``on_rerun``; errors of a callback are logged and change nothing."""
        metrics.rerun(happened)
        announced = {**happened, "run_id": run.id, "url": run.href}
        for callback in self._on_rerun:
            try:
                callback({**self._context, "dbt_rerun": announced})
            except Exception:  # noqa: BLE001 - a callback is the user's code
                self._log.exception("The callback on_rerun failed; the heal continues")

    def report(self, report: dict[str, Any]) -> None:
        """Push the report of the whole work and count its outcome."""
        self._context["ti"].xcom_push(key=XCOM_REPORT, value=report)
        metrics.ended(report)
