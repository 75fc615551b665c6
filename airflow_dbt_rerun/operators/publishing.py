"""Publish a task's progress: XComs, the link, callbacks and metrics."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun import metrics
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.announcements import asked, gave_up, healed
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, Succeed
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.links import (
    HAS_PAGES,
    XCOM_REPORT,
    XCOM_RUN_ID,
    XCOM_RUN_URL,
    DbtCloudRunLink,
    DbtRerunPageLink,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class Publisher:
    """Publish the progress of one task.

    :param callbacks: by the argument's name (``on_rerun``, ...); called with the context and ``dbt_rerun`` in it.
    :param log: the task's log.
    """

    def __init__(self, context: Context, callbacks: Mapping[str, Sequence[Callable[[Any], Any]]], log: Any) -> None:
        self._context = context
        self._callbacks = callbacks
        self._log = log
        self._shown: object = None
        self._doing: tuple[object, float] | None = None

    def show_run(self, run: Run) -> None:
        """Push the id and URL of the newest run as soon as they are known."""
        instance = self._context["ti"]
        instance.xcom_push(key=XCOM_RUN_ID, value=run.id)
        instance.xcom_push(key=XCOM_RUN_URL, value=run.href)
        # Airflow 3 itself stores links only when a task ends; pushed now, the link works while the task runs.
        if key := getattr(DbtCloudRunLink(), "xcom_key", None):
            instance.xcom_push(key=key, value=run.href)
        if HAS_PAGES:
            page = DbtRerunPageLink()
            instance.xcom_push(key=page.xcom_key, value=page.get_link(None, ti_key=instance))

    def announce_rerun(self, happened: dict[str, Any], run: Run) -> None:
        """Count a rerun and call ``on_rerun``."""
        metrics.rerun(happened)
        self._announce("on_rerun", {**happened, "run_id": run.id, "url": run.href})

    def announce_question(self, session: RerunSession, step: AskPerson) -> None:
        """Call ``on_question``."""
        self._announce("on_question", asked(session, step))

    def announce_end(self, session: RerunSession, step: Succeed | Fail) -> None:
        """Call ``on_healed`` or ``on_gave_up``, if it came to either: a first success is neither."""
        if isinstance(step, Fail):
            self._announce("on_gave_up", gave_up(session, step))
        elif len(session.attempts) > 1:
            self._announce("on_healed", healed(session, step))

    def _announce(self, name: str, facts: dict[str, Any]) -> None:
        """Call the callbacks of an argument; their errors are logged and change nothing."""
        for callback in self._callbacks.get(name, ()):
            try:
                # A notifier renders its own fields, for good: each message needs a fresh one.
                copy.copy(callback)({**self._context, "dbt_rerun": facts})
            except (Exception, SystemExit):  # noqa: BLE001 - a callback is the user's code
                self._log.exception("The callback %s failed; the heal continues", name)

    def progress(self, report: dict[str, Any]) -> None:
        """Push the report of work in progress, if it says something new. An error is logged and changes nothing."""
        report = {**report, "now": {**report["now"], "since": self._since(report)}}
        news = {**report, "seconds": None}
        if news == self._shown:
            return
        self._shown = news
        try:
            self._context["ti"].xcom_push(key=XCOM_REPORT, value=report)
        except Exception as error:  # noqa: BLE001 - whatever it is, the heal must not end for want of a picture of it
            self._log.warning("Could not show the progress in Airflow's UI: %s", error)

    def _since(self, report: dict[str, Any]) -> float:
        """Return since when the task does what it does now: a later report may only know more about it."""
        what = (report["now"]["doing"], report["job_run_id"])
        if self._doing is None or self._doing[0] != what:
            self._doing = what, report["now"]["since"]
        return self._doing[1]

    def report(self, report: dict[str, Any]) -> None:
        """Push the report of the whole work and count its outcome."""
        self._context["ti"].xcom_push(key=XCOM_REPORT, value=report)
        metrics.ended(report)
