"""Wait in the triggerer until the run that a sensor awaits exists. The trigger sends GETs only and fires once.

All triggers on a connection share one session and one request that lists new runs; a trigger queries its own job
only when that list mentions it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.awaited_run import Awaited
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.exceptions import DbtApiError, is_bearable
from airflow_dbt_rerun.triggers.base import DbtCloudTriggerMixin
from airflow_dbt_rerun.triggers.takes import ARRIVAL
from airflow_dbt_rerun.watching.new_runs import JobWatcher
from airflow_dbt_rerun.watching.search import find_async
from airflow_dbt_rerun.watching.shared_client import SharedClient, shared_client

ARRIVED, OUT_OF_TIME, UNWATCHABLE = "arrived", "out_of_time", "unwatchable"
ARRIVAL_OUTCOMES = (ARRIVED, OUT_OF_TIME, UNWATCHABLE)
"""Outcomes of a wait. None of them says how the run ended: the worker reads the run again."""


class DbtCloudRunArrivalTrigger(DbtCloudTriggerMixin, BaseTrigger):
    """Fire once: when the awaited run exists, at the deadline, or when dbt can no longer be read.

    The event's payload is ``{"outcome": ..., "run_id": ..., "reason": ..., "awaited": ..., "deadline": ...}``, with
    one of :data:`ARRIVAL_OUTCOMES`.

    :param dbt_cloud_conn_id: the connection to the dbt platform.
    :param account_id: the account, if it differs from the connection's.
    :param awaited: the run to wait for, as returned by
        :meth:`~airflow_dbt_rerun.core.watch.awaited_run.Awaited.to_dict`.
    :param hook_params: further arguments of the hook.
    :param pace: the fields of :class:`~airflow_dbt_rerun.core.watch.pace.Pace`, each by its name.
    """

    takes = ARRIVAL
    awaited: dict[str, Any]
    arguments = ("dbt_cloud_conn_id", "awaited", "account_id", "hook_params")

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str,
        awaited: dict[str, Any],
        account_id: int | str | None = None,
        hook_params: dict[str, Any] | None = None,
        **pace: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check(awaited=awaited)
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.hook_params = hook_params  # the hook checks these: if they are wrong, the event says so
        self.pace = Pace.from_dict(pace)

    def _serialized(self) -> dict[str, Any]:
        return {**super()._serialized(), **self.pace.to_dict()}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event."""
        try:
            async with shared_client(self._connection, self._hook().async_client) as client:
                event = await self._wait(client)
        except Exception as error:
            self.log.exception("Waiting for a dbt run failed; the task fails as unwatchable")
            event = self._event(UNWATCHABLE, reason=f"{type(error).__name__}: {error}")
        yield event

    async def _wait(self, client: SharedClient) -> TriggerEvent:
        awaited = Awaited.from_dict(self.awaited)
        watcher = JobWatcher(
            client.new_runs, awaited.job_id, self.pace.check_interval, alone=not awaited.is_known_at_creation
        )

        async def search() -> Run | None:
            return await find_async(client.send, awaited, time.time())

        await asyncio.sleep(self.pace.first_poll)
        last_answer = time.time()
        while True:
            try:
                run = await watcher.find(search)
            except DbtApiError as error:
                silence = time.time() - last_answer
                if not is_bearable(error):
                    raise
                if silence > self.pace.tolerance:
                    return self._event(UNWATCHABLE, reason=f"no readable answer for {silence:.0f} s; last: {error}")
            else:
                last_answer = time.time()
                if run is not None:
                    return self._event(ARRIVED, run_id=run.id)
            if self._time_left() <= 0:
                return self._event(OUT_OF_TIME)
            await asyncio.sleep(min(watcher.pause(), self._time_left()))

    def _time_left(self) -> float:
        return math.inf if self.pace.deadline is None else max(self.pace.deadline - time.time(), 0.0)

    def _event(self, outcome: str, *, run_id: int | None = None, reason: str | None = None) -> TriggerEvent:
        payload = {"outcome": outcome, "run_id": run_id, "reason": reason}
        return TriggerEvent({**payload, "awaited": self.awaited, "deadline": self.pace.deadline})
