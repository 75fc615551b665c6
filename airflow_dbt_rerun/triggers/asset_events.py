"""Tell Airflow of dbt runs that it did not start: a trigger for asset watchers (Airflow 3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers import base as airflow_triggers
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_rerun.api.endpoints import Id, number
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, Run
from airflow_dbt_rerun.core.watch.ended_runs import LATE, Cursor, RunFilter, run_payload
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.triggers.base import DbtCloudTriggerMixin
from airflow_dbt_rerun.triggers.cursor_store import Memory, key_of, recall
from airflow_dbt_rerun.watching.ended_runs import EndedRunsFeed, feed_of

STATUSES = {status.name.lower(): status for status in sorted(TERMINAL_STATUSES)}
"""The words for ``statuses``: how a run can end."""

SETTLE = 10.0
"""Seconds, at most, from an event to the note that it was told: Airflow takes one or two to store the event."""

_EventBase: Any = getattr(airflow_triggers, "BaseEventTrigger", None)


class DbtCloudJobRunEventTrigger(DbtCloudTriggerMixin, _EventBase or BaseTrigger):  # type: ignore[misc]  # Airflow 2 has only the latter
    """Fires once for each dbt run that has come to its end, whoever started it. For asset watchers; has no end.

    ::

        Asset("dbt_failures", watchers=[
            AssetWatcher(name="failures", trigger=DbtCloudJobRunEventTrigger(statuses=["error"])),
        ])

    The payload (``event.extra["payload"]``) has ``run_id``, ``job_id``, ``job_name``, ``status`` (``Success``,
    ``Error``, ``Cancelled``), ``category`` (of the failure; null for a success, or where the run could not be
    read), ``url`` and ``finished_at`` (ISO 8601, UTC). The category comes from the run's log, with the built-in
    signatures: the task that heals the run looks closer.

    **At least once.** What was told is noted outside the triggerer: in the asset's state store (Airflow 3.3), in an
    Airflow Variable ``dbt_rerun_cursor_...`` before. It is noted some seconds after the event (:data:`SETTLE`),
    when Airflow has stored that: a triggerer that dies in between tells those runs again, as does one that went on
    while another took its triggers over. So give the events to something that may be repeated:
    ``DbtCloudRerunOperator`` takes up the rerun that is there. Not told are runs that ended before the watcher's
    first start, that ended longer than ``lookback`` before a restart, that dbt lists later than five minutes after
    their end, or that have no ``finished_at``. Where nothing can be noted, a warning says so, and a restart misses
    what ended meanwhile.

    All watchers of a connection and account in one triggerer share one request an interval.

    :param dbt_cloud_conn_id: the connection to the dbt platform.
    :param account_id: the account, where it is not the connection's.
    :param job_ids: only runs of these jobs.
    :param statuses: only runs that ended so: ``success``, ``error``, ``cancelled``. By default all three.
    :param environment_id: only runs in this environment.
    :param project_id: only runs in this project.
    :param include_reruns: also reruns, and runs that tasks of this package started. By default they are left out,
        since somebody looks after them: an event for a rerun that failed would start the next one, without end.
    :param check_interval: seconds between requests.
    :param lookback: after a restart: seconds that a run's end may lie back to be told.
    :param hook_params: further arguments of the hook.
    :raises DbtConfigError: on Airflow 2, which has no asset watchers, and if an argument is wrong.
    """

    arguments = (
        "dbt_cloud_conn_id",
        "account_id",
        "job_ids",
        "statuses",
        "environment_id",
        "project_id",
        "include_reruns",
        "check_interval",
        "lookback",
        "hook_params",
    )

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str = DbtCloudRerunHook.default_conn_name,
        account_id: int | str | None = None,
        job_ids: Id | Sequence[Id] | None = None,
        statuses: str | Sequence[str] | None = None,
        environment_id: Id | None = None,
        project_id: Id | None = None,
        include_reruns: bool = False,
        check_interval: float = 60.0,
        lookback: float = 86400.0,
        hook_params: dict[str, Any] | None = None,
    ) -> None:
        if _EventBase is None:
            raise DbtConfigError("DbtCloudJobRunEventTrigger needs Airflow 3: Airflow 2 has no asset watchers")
        super().__init__()
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.job_ids = _numbers("job_ids", job_ids)
        self.statuses = _words(statuses)
        self.environment_id = None if environment_id is None else number("environment_id", environment_id)
        self.project_id = None if project_id is None else number("project_id", project_id)
        self.include_reruns = include_reruns
        self.check_interval = _seconds("check_interval", check_interval)
        self.lookback = _seconds("lookback", lookback)
        self.hook_params = hook_params
        self._hook()  # wrong hook_params fail where the DAG is parsed
        self._memory: Memory | None = None
        self._saved = Cursor.new(0)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each run that ends. Goes on through trouble: Airflow restarts what ends at once."""
        wanted = self._selection()
        feed = feed_of(self._connection, self._hook().async_client)
        cursor = await self._recalled()
        async with feed.reader(self.check_interval) as reader:
            while True:
                runs = await reader.next(cursor.since)
                if runs is None:
                    continue
                news = cursor.news(runs, wanted)
                for run in news:
                    yield TriggerEvent(await self._payload(feed, run))
                cursor = cursor.after(runs, news)
                if news:
                    await asyncio.sleep(min(SETTLE, self.check_interval))
                if news or cursor.until - self._saved.until >= LATE:
                    await self._save(cursor)

    # --- What is remembered

    async def _recalled(self) -> Cursor:
        """Find out how far an earlier triggerer came. Without knowing that, nothing is told."""
        key = key_of(
            self.dbt_cloud_conn_id,
            str(self.account_id),
            self.job_ids,
            self.statuses,
            self.environment_id,
            self.project_id,
            self.include_reruns,
        )
        while True:
            try:
                self._memory, kept = await recall(getattr(self, "asset_state_store", None), key)
                break
            except Exception:
                self.log.exception("Cannot read which dbt runs were told; trying again")
                await asyncio.sleep(self.check_interval)
        earlier = Cursor.from_dict(kept)
        if earlier is None:
            cursor = Cursor.new(time.time())
            await self._save(cursor)  # a restart before the first event must not begin anew
            return cursor
        self._saved = earlier
        return earlier.resumed(time.time() - self.lookback)

    async def _save(self, cursor: Cursor) -> None:
        assert self._memory
        try:
            await self._memory.save(cursor.to_dict())
        except Exception as error:  # noqa: BLE001 - the next time may go well; until then this goes on
            self.log.warning("Cannot note which dbt runs were told; a restart may miss or repeat some: %s", error)
        else:
            self._saved = cursor

    # --- What is told

    async def _payload(self, feed: EndedRunsFeed, run: Run) -> dict[str, Any]:
        return run_payload(
            run_id=run.id,
            job_id=run.job_id,
            job_name=run.job_name,
            status=run.status,
            finished_at=run.finished_at,
            category=await self._category(feed, run),
            url=run.href,
        )

    async def _category(self, feed: EndedRunsFeed, run: Run) -> Category | None:
        """Look at a failure, lightly. An event without a category is better than none."""
        if run.is_success:
            return None
        try:
            # Why a run was cancelled is in the list already; why it failed is in the logs of its steps.
            whole = run if run.is_cancelled else await feed.read_whole(run.id)
            return None if whole is None else await asyncio.to_thread(_verdict, whole)
        except Exception:
            self.log.exception("Cannot tell why dbt run %s failed", run.id)
            return None

    def _selection(self) -> RunFilter:
        return RunFilter(
            job_ids=None if self.job_ids is None else frozenset(self.job_ids),
            statuses=frozenset(STATUSES[word] for word in self.statuses),
            environment_id=self.environment_id,
            project_id=self.project_id,
            include_reruns=self.include_reruns,
        )


def _verdict(run: Run) -> Category:
    # A thousand signatures take longer to import than a trigger may hold up all others.
    from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose  # noqa: PLC0415

    return diagnose(run).verdict


def _numbers(name: str, values: Id | Sequence[Id] | None) -> list[int] | None:
    """Read ids in an order of their own: Airflow takes two triggers with the same arguments for one."""
    if values is None:
        return None
    given = [values] if isinstance(values, int | str) else values
    return sorted({number(name, value) for value in given})


def _words(statuses: str | Sequence[str] | None) -> list[str]:
    given = [statuses] if isinstance(statuses, str) else list(STATUSES) if statuses is None else statuses
    words = {str(word).lower() for word in given}
    if not words or words - STATUSES.keys():
        raise DbtConfigError(f"statuses are some of {', '.join(STATUSES)}, not {statuses!r}")
    return sorted(words)


def _seconds(name: str, value: float) -> float:
    if not value > 0:
        raise DbtConfigError(f"{name} must be above zero seconds, not {value!r}")
    return float(value)
