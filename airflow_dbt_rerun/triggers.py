"""Wait in the triggerer, cheaply: until a run is over, or until a moment has come.

A trigger only waits; it decides nothing and posts nothing, since Airflow may run the same one twice. It yields one
event and returns at once. Deadlines are wall-clock and live here: ``execution_timeout`` does not span a deferral.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_rerun.api.endpoints import cancel_run, get_run
from airflow_dbt_rerun.core.models import Run
from airflow_dbt_rerun.core.polling import Outcome, OutOfTime, Over, Poll, Unwatchable, watch
from airflow_dbt_rerun.exceptions import DbtApiError, is_bearable
from airflow_dbt_rerun.hooks import DbtCloudRerunHook

if TYPE_CHECKING:
    from airflow_dbt_rerun.api.client import AsyncDbtClient

OUTCOMES = ("over", "moment", "out_of_time", "unwatchable")
"""What an event can say of a wait. None of them says that the run failed: the worker reads that afresh."""

FIRST_POLL_AFTER = 5.0
"""Seconds before the first poll: very short deferrals can be lost in a race of Airflow's scheduler."""


class DbtCloudRunTrigger(BaseTrigger):
    """Fires once: when the dbt run is over, when ``until`` has come, or when the run cannot be watched.

    The event's payload is ``{"outcome": ..., "run_id": ..., "reason": ..., "session": ...}``, with one of
    :data:`OUTCOMES`.

    :param dbt_cloud_conn_id: the connection to the dbt platform.
    :param account_id: the account, where it is not the connection's.
    :param run_id: the run to wait for.
    :param session: the memory of the heal as plain JSON; it travels on in the event.
    :param until: epoch seconds to wait for instead of the run's end.
    :param check_interval: seconds between polls.
    :param tolerance: seconds for which the API may give no readable answer.
    :param deadline: epoch seconds after which to stop waiting.
    :param cancel_on_kill: cancel the run when a person kills the deferred task.
    :param hook_params: further arguments of the hook.
    """

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str,
        run_id: int,
        account_id: int | str | None = None,
        session: dict[str, Any] | None = None,
        until: float | None = None,
        check_interval: float = 60.0,
        tolerance: float = 600.0,
        deadline: float | None = None,
        cancel_on_kill: bool = False,
        hook_params: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.run_id = run_id
        self.account_id = account_id
        self.session = session
        self.until = until
        self.check_interval = check_interval
        self.tolerance = tolerance
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self.hook_params = hook_params
        self._fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give the class path and the arguments, all plain JSON."""
        arguments = (
            "dbt_cloud_conn_id",
            "run_id",
            "account_id",
            "session",
            "until",
            "check_interval",
            "tolerance",
            "deadline",
            "cancel_on_kill",
            "hook_params",
        )
        return (
            f"{DbtCloudRunTrigger.__module__}.{DbtCloudRunTrigger.__qualname__}",
            {name: getattr(self, name) for name in arguments},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event."""
        try:
            event = await self._wait()
        except Exception as error:
            self.log.exception("Watching dbt run %s went wrong", self.run_id)
            event = self._event("unwatchable", f"{type(error).__name__}: {error}")
        self._fired = True
        yield event

    async def _wait(self) -> TriggerEvent:
        if self.until is not None:
            await asyncio.sleep(max(self.until - time.time(), FIRST_POLL_AFTER))
            return self._event("moment")
        async with await self._hook().async_client() as client:
            await asyncio.sleep(min(self.check_interval, FIRST_POLL_AFTER))
            match await self._watch(client):
                case Over():
                    return self._event("over")
                case OutOfTime():
                    return self._event("out_of_time")
                case Unwatchable(reason=reason):
                    return self._event("unwatchable", reason)

    async def _watch(self, client: AsyncDbtClient) -> Outcome:
        script = watch(
            self.run_id,
            interval=self.check_interval,
            tolerance=self.tolerance,
            deadline=self.deadline,
            clock=time.time,
            bearable=is_bearable,
        )
        answer: Run | Exception | None = None
        while True:
            try:
                request = script.send(answer)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            if isinstance(request, Poll):
                answer = await self._poll(client)
            else:
                answer = None
                await asyncio.sleep(request.seconds)

    async def _poll(self, client: AsyncDbtClient) -> Run | Exception:
        try:
            return await client.send(get_run(self.run_id))
        except DbtApiError as error:
            return error

    def _event(self, outcome: str, reason: str | None = None) -> TriggerEvent:
        return TriggerEvent({"outcome": outcome, "run_id": self.run_id, "reason": reason, "session": self.session})

    def _hook(self) -> DbtCloudRerunHook:
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **(self.hook_params or {}))

    async def on_kill(self) -> None:
        """Cancel the dbt run when a person killed the deferred task (Airflow 3.3 and newer call this).

        Airflow also calls it when the trigger merely moved to another triggerer; then the task is still deferred,
        and its run must go on (apache/airflow#73454).
        """
        if self._fired or not self.cancel_on_kill or await self._is_still_deferred():
            return
        async with await self._hook().async_client() as client:
            run = await client.send(get_run(self.run_id))
            if not run.is_terminal:
                await client.send(cancel_run(self.run_id))
                self.log.info("Cancelled dbt run %s, since its task was killed", self.run_id)

    async def _is_still_deferred(self) -> bool:
        instance = self.task_instance
        if instance is None:
            return False
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415
        from asgiref.sync import sync_to_async  # noqa: PLC0415 - only Airflow 3.3 and newer get here

        states = await sync_to_async(RuntimeTaskInstance.get_task_states)(
            dag_id=instance.dag_id,
            task_ids=[instance.task_id],
            run_ids=[instance.run_id],
            map_index=instance.map_index,
        )
        return "deferred" in (states.get(instance.run_id) or {}).values()
