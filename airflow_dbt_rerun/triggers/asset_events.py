"""Emit asset events for dbt runs that Airflow did not start: a trigger for asset watchers (Airflow 3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from airflow.triggers import base as airflow_triggers
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_rerun.api.endpoints import Id
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.ended_runs import LATE, Cursor, RunFilter, run_payload
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.triggers.base import DbtCloudTriggerMixin
from airflow_dbt_rerun.triggers.cursor_store import CursorStore, key_of, recall
from airflow_dbt_rerun.triggers.takes import EVENTS, STATUSES
from airflow_dbt_rerun.watching.ended_runs import EndedRunsFeed, feed_of

SETTLE = 10.0
"""Most seconds between an event and saving the cursor past it. Airflow stores the event in one or two."""

_EventBase: Any = getattr(airflow_triggers, "BaseEventTrigger", None)


class DbtCloudJobRunEventTrigger(DbtCloudTriggerMixin, _EventBase or BaseTrigger):  # type: ignore[misc]  # Airflow 2 has only the latter
    """Fire once for each dbt run that has ended, whatever started it. For asset watchers; never stops.

    ::

        Asset("dbt_failures", watchers=[
            AssetWatcher(name="failures", trigger=DbtCloudJobRunEventTrigger(statuses=["error"])),
        ])

    The payload (``event.extra["payload"]``) has ``run_id``, ``job_id``, ``job_name``, ``status`` (``Success``,
    ``Error``, ``Cancelled``), ``category`` (of the failure; null for a success, or if the run could not be
    read), ``url`` and ``finished_at`` (ISO 8601, UTC). The category comes from the run's log, by the built-in
    signatures; the task that heals the run diagnoses it from all evidence.

    **At least once.** A cursor outside the triggerer records which runs have had their event: in the asset's state
    store (Airflow 3.3), or in an Airflow Variable ``dbt_rerun_cursor_...`` (before). It is saved up to
    :data:`SETTLE` seconds after an event, once Airflow has stored the event. A triggerer that dies in between emits
    those events again, as does one that keeps running while another has taken over its triggers. The consumer must
    therefore tolerate repetition; ``DbtCloudRerunOperator`` does, since it continues with an existing rerun.

    There is no event for runs that ended before the watcher's first start, that ended more than ``lookback``
    seconds before a restart, that dbt lists more than five minutes after their end, or that have no
    ``finished_at``. If the cursor cannot be saved, a warning is logged, and a restart misses what ended meanwhile.

    All watchers of a connection and account in one triggerer share one request an interval.

    :param dbt_cloud_conn_id: the connection to the dbt platform.
    :param account_id: the account, if it differs from the connection's.
    :param job_ids: only runs of these jobs.
    :param statuses: only runs with these ends: ``success``, ``error``, ``cancelled``. Defaults to all three.
    :param environment_id: only runs in this environment.
    :param project_id: only runs in this project.
    :param include_reruns: include reruns, and runs that tasks of this package started. By default they are left
        out, because a task takes care of them: an event for a failed rerun would start another rerun, without end.
    :param check_interval: seconds between requests.
    :param lookback: after a restart, the greatest age in seconds of a run's end that still causes an event.
    :param hook_params: further arguments of the hook.
    :raises DbtConfigError: on Airflow 2, which has no asset watchers, or if an argument is wrong.
    """

    takes = EVENTS
    job_ids: list[int] | None
    statuses: Sequence[str]
    environment_id: int | None
    project_id: int | None
    include_reruns: bool
    check_interval: float
    lookback: float
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
        self._check(
            dbt_cloud_conn_id=dbt_cloud_conn_id,
            account_id=account_id,
            job_ids=job_ids,
            statuses=_lower(statuses),
            environment_id=environment_id,
            project_id=project_id,
            include_reruns=include_reruns,
            check_interval=check_interval,
            lookback=lookback,
            hook_params=hook_params,
        )
        self.statuses = sorted(set(self.statuses or STATUSES))
        self._store: CursorStore | None = None
        self._saved = Cursor.new(0)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each run that ends. Errors do not end it: Airflow would restart it at once."""
        wanted = self._selection()
        feed = feed_of(self._connection, self._hook().async_client)
        cursor = await self._load_cursor()
        async with feed.reader(self.check_interval, cancelled="cancelled" in self.statuses) as reader:
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

    # --- The cursor

    async def _load_cursor(self) -> Cursor:
        """Return the cursor of an earlier triggerer. Wait until it can be read: without it, events would repeat."""
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
                self._store, kept = await recall(getattr(self, "asset_state_store", None), key)
                break
            except Exception:
                self.log.exception(
                    "Cannot read the cursor of the dbt run events; trying again in %.0f s", self.check_interval
                )
                await asyncio.sleep(self.check_interval)
        earlier = Cursor.from_dict(kept)
        if earlier is None:
            cursor = Cursor.new(time.time())
            await self._save(cursor)  # a restart before the first event must not skip runs
            return cursor
        self._saved = earlier
        return earlier.resumed(time.time() - self.lookback)

    async def _save(self, cursor: Cursor) -> None:
        assert self._store
        try:
            await self._store.save(cursor.to_dict())
        except Exception as error:  # noqa: BLE001 - the next save may succeed; events continue meanwhile
            self.log.warning(
                "Cannot save the cursor of the dbt run events; a restart may miss or repeat some: %s", error
            )
        else:
            self._saved = cursor

    # --- The payload

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
        """Classify a failure from its logs; None if that fails, since an event without a category beats none."""
        if run.is_success:
            return None
        try:
            # The list says why a run was cancelled; why it failed is in the logs of its steps.
            whole = run if run.is_cancelled else await feed.read_whole(run.id)
            return None if whole is None else await asyncio.to_thread(_verdict, whole)
        except Exception:
            self.log.exception("Cannot classify the failure of dbt run %s; its event has no category", run.id)
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
    # Importing a thousand signatures takes longer than a trigger may block the event loop.
    from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose  # noqa: PLC0415

    return diagnose(run).verdict


def _lower(statuses: object) -> object:
    """Return the words in lower case; anything else is left for the check."""
    if isinstance(statuses, str):
        return statuses.lower()
    if not isinstance(statuses, (list, tuple, set, frozenset)):
        return statuses
    return [each.lower() if isinstance(each, str) else each for each in statuses]
