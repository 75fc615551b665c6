"""Show a task's work to people and to Airflow: XComs, the link, callbacks, metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun import metrics
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.links import XCOM_REPORT, XCOM_RUN_ID, XCOM_RUN_URL, DbtCloudRunLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class Publisher:
    """Publishes what happens to one task.

    :param on_rerun: called at each rerun with the context and in it ``dbt_rerun``.
    :param log: the task's log.
    """

    def __init__(self, context: Context, on_rerun: Sequence[Callable[[Any], Any]], log: Any) -> None:
        self._context = context
        self._on_rerun = on_rerun
        self._log = log

    def show_run(self, run: Run) -> None:
        """Push id and address of the newest run as soon as they are known."""
        instance = self._context["ti"]
        instance.xcom_push(key=XCOM_RUN_ID, value=run.id)
        instance.xcom_push(key=XCOM_RUN_URL, value=run.href)
        # Airflow 3 stores links itself only at a task's end; pushed now, it shows while the task still runs.
        if key := getattr(DbtCloudRunLink(), "xcom_key", None):
            instance.xcom_push(key=key, value=run.href)

    def announce_rerun(self, happened: dict[str, Any], run: Run) -> None:
        """Count a rerun and call ``on_rerun``; what a callback raises is logged and changes nothing."""
        metrics.rerun(happened)
        told = {**happened, "run_id": run.id, "url": run.href}
        for callback in self._on_rerun:
            try:
                callback({**self._context, "dbt_rerun": told})
            except Exception:  # noqa: BLE001 - a callback is other people's code
                self._log.exception("on_rerun failed; the heal goes on")

    def report(self, report: dict[str, Any]) -> None:
        """Push the report of the whole work, and count its end."""
        self._context["ti"].xcom_push(key=XCOM_REPORT, value=report)
        metrics.ended(report)
