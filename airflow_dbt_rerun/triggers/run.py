"""Wait in the triggerer until a run has ended, or until a given time.

A trigger decides nothing and posts nothing, since Airflow may run the same one twice. It yields one event and
returns. Deadlines are wall-clock times and are checked here, since ``execution_timeout`` does not span a deferral.
The triggers of a connection poll together: one session, and one request for each hundred runs that end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_dbt_rerun.api.endpoints import get_run
from airflow_dbt_rerun.core.watch.one import OutOfTime, Over, Unwatchable, WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.cancelling import cancel_async
from airflow_dbt_rerun.triggers.base import DbtCloudTriggerMixin, hook_of
from airflow_dbt_rerun.triggers.takes import RUN
from airflow_dbt_rerun.triggers.task_state import is_over
from airflow_dbt_rerun.watching.shared_polling import Hub, hub_of

OUTCOMES = ("over", "moment", "out_of_time", "unwatchable")
"""Outcomes of a wait. None of them says that the run failed: the worker reads the run again."""

JOB = "job"
"""Key, in the session of a deferred task, of the id of its job: no run of another one is cancelled."""

KILL_TIMEOUT = 25.0
"""Seconds allowed for cancelling the run of a killed task; Airflow allows 30 (``[triggerer] on_kill_timeout``)."""


class Payload(dict[str, Any]):
    """An event's payload that prints in short: Airflow logs every event, and the session can take pages."""

    def __repr__(self) -> str:
        """Return what a reader of the triggerer's log needs."""
        shown = {name: self[name] for name in ("outcome", "run_id", "reason") if self.get(name) is not None}
        return repr(shown)


class DbtCloudRunTrigger(DbtCloudTriggerMixin, BaseTrigger):
    """Fire once: when the dbt run has ended, at ``until``, at the deadline, or if the run cannot be watched.

    The event's payload is ``{"outcome": ..., "run_id": ..., "reason": ..., "session": ...}``, with one of
    :data:`OUTCOMES`.

    :param dbt_cloud_conn_id: the connection to the dbt platform.
    :param account_id: the account, if it differs from the connection's.
    :param run_id: the run to wait for.
    :param session: the state of the heal as plain JSON, passed on in the event.
    :param until: the time to wait for instead of the run's end, in epoch seconds.
    :param cancel_on_kill: cancel the run when a person kills the deferred task.
    :param hook_params: further arguments of the hook. While a run is watched, ``retry_limit`` is 1 whatever they
        say, since the next poll repeats a failed one.
    :param pace: the fields of :class:`~airflow_dbt_rerun.core.watch.pace.Pace`, each by its name; ``usual`` is
        passed on in the event.
    """

    takes = RUN
    run_id: int
    session: dict[str, Any] | None
    until: float | None
    cancel_on_kill: bool
    arguments = ("dbt_cloud_conn_id", "run_id", "account_id", "session", "until", "cancel_on_kill", "hook_params")

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str,
        run_id: int,
        account_id: int | str | None = None,
        session: dict[str, Any] | None = None,
        until: float | None = None,
        cancel_on_kill: bool = False,
        hook_params: dict[str, Any] | None = None,
        **pace: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check(run_id=run_id, session=session, until=until, cancel_on_kill=cancel_on_kill)
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.hook_params = hook_params  # the hook checks these: if they are wrong, the event says so
        self.pace = Pace.from_dict(pace)
        self._fired = False

    def _serialized(self) -> dict[str, Any]:
        return {**super()._serialized(), **self.pace.to_dict()}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event."""
        try:
            event = await self._wait()
        except asyncio.CancelledError:
            await self._on_stop()
            raise
        except Exception as error:
            self.log.exception("Watching dbt run %s failed; its task fails as unwatchable", self.run_id)
            event = self._event("unwatchable", f"{type(error).__name__}: {error}")
        self._fired = True
        yield event

    async def _wait(self) -> TriggerEvent:
        if self.until is not None:
            await asyncio.sleep(max(self.until - time.time(), self.pace.first_poll_after))
            return self._event("moment")
        match await self._watch():
            case Over():
                return self._event("over")
            case OutOfTime():
                return self._event("out_of_time")
            case Unwatchable(reason=reason):
                return self._event("unwatchable", reason)

    def _watch(self) -> Awaitable[WatchOutcome]:
        return self._hub().watch(self.run_id, self.pace)

    def _hub(self) -> Hub:
        """Return the hub shared by all triggers with the same connection; the first of them makes its client."""
        # Thousands of triggers share one client: only the one that makes it needs a hook, and the hub no trigger.
        connection = self.dbt_cloud_conn_id, self.account_id, self.hook_params
        return hub_of(self._connection, lambda: hook_of(*connection, retry_limit=1).async_client())

    def _event(self, outcome: str, reason: str | None = None) -> TriggerEvent:
        return TriggerEvent(
            Payload(
                outcome=outcome,
                run_id=self.run_id,
                reason=reason,
                session=self.session,
                usual=self.pace.usual,
            )
        )

    async def on_kill(self) -> None:
        """Cancel the dbt run if a person ended the deferred task, or log why not. Called by Airflow 3.3 and newer.

        Of an error that is raised here, Airflow logs no more than that there was one. It also calls this when the
        trigger merely moves to another triggerer, and after a clear: see
        :func:`~airflow_dbt_rerun.triggers.task_state.is_over`.
        """
        if self._fired or not self.cancel_on_kill:
            return
        try:
            await finish(self._cancel_if_task_is_over(), seconds=KILL_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - the trigger ends in any case
            why = str(error) or type(error).__name__
            self.log.warning("Could not cancel dbt run %s of a killed task; cancel it in dbt: %s", self.run_id, why)

    async def _cancel_if_task_is_over(self) -> None:
        if not await self._is_task_over():
            return
        async with await self._hook().async_client() as client:
            run = await client.send(get_run(self.run_id))
            job_id = (self.session or {}).get(JOB, run.job_id)
            if run.job_id != job_id:
                self.log.warning("Not cancelling dbt run %s: it is not one of job %s", self.run_id, job_id)
            elif not run.is_terminal:
                self.log.info("%s: its task was killed", await cancel_async(client, self.run_id))

    async def _on_stop(self) -> None:
        """Call :meth:`on_kill` on Airflow before 3.3, which only cancels the trigger."""
        if not hasattr(BaseTrigger, "on_kill"):
            await self.on_kill()

    async def _is_task_over(self) -> bool:
        instance = self.task_instance
        return instance is None or await is_over(instance)


async def finish(work: Coroutine[Any, Any, None], *, seconds: float) -> None:
    """Await a coroutine to its end, although Airflow 3 cancels a stopping trigger again each second.

    :param seconds: how long it may take.
    :raises TimeoutError: if it takes longer.
    """
    task = asyncio.ensure_future(asyncio.wait_for(work, seconds))
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.result()
