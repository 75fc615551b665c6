"""The life cycle of runs: Queued, Starting, Running, then Success, Error or Cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local import timestamps
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import timeout_of
from airflow_dbt_rerun.local.runs.execution import FAILED, Execution, Runner
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord

CANCELLED_BY_USER = "Cancelled by user."
SUPERSEDED = "The run was canceled because a newer run of this job was queued."
STOPPED = "The platform was stopped while this run was in progress."

_log = logging.getLogger(__name__)


class RunLifecycle:
    """Processes runs: those of one job in turn, unless it is a CI job; those of different jobs side by side."""

    def __init__(self, platform: Platform, runner: Runner) -> None:
        self._platform = platform
        self._runner = runner
        self._job_locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._warehouse = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Fail the runs that an earlier server interrupted, and submit those that it left in the queue."""
        self._platform.store.fail_interrupted_runs(STOPPED)
        for run in self._platform.store.queued_runs():
            self.submit(run)

    def submit(self, run: RunRecord) -> None:
        """Process a queued run as soon as its job allows it."""
        task = asyncio.create_task(self._process(run))
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(run.id, None))

    def cancel(self, run: RunRecord, actor: str) -> None:
        """Cancel a run for a user; dbt ends within seconds. No effect on a complete run."""
        self._cancel(run, CANCELLED_BY_USER, actor)

    def supersede(self, run: RunRecord) -> None:
        """Cancel a queued run as dbt's scheduler does: no actor is recorded."""
        self._cancel(run, SUPERSEDED, None)

    async def close(self) -> None:
        """Stop the runs in progress, which end as Error; queued runs stay queued for the next server."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.close()

    def _cancel(self, run: RunRecord, message: str, actor: str | None) -> None:
        if self._finish(run, RunStatus.CANCELLED, message, cancelled_by=actor) and run.id in self._tasks:
            self._tasks[run.id].cancel()

    async def _process(self, run: RunRecord) -> None:
        async with self._job_lock(self._platform.store.job(run.job_id)):
            try:
                await self._run(self._platform.store.job(run.job_id), run)
            except asyncio.CancelledError:
                self._finish(run, RunStatus.ERROR, STOPPED)  # no effect on a run that was cancelled
                raise
            except Exception as error:  # noqa: BLE001 - every error must end the run
                _log.exception("Run %s failed because of an error of the platform", run.id)
                self._finish(run, RunStatus.ERROR, f"The platform failed: {error}")

    def _job_lock(self, job: JobRecord) -> AbstractAsyncContextManager[object]:
        return nullcontext() if job.runs_in_parallel else self._job_locks[job.id]

    async def _run(self, job: JobRecord, run: RunRecord) -> None:
        change = self._platform.store.change_run
        change(run.id, status=RunStatus.STARTING, dequeued_at=timestamps.now())
        await self._runner.start()
        change(run.id, status=RunStatus.RUNNING, started_at=timestamps.now())
        limit = asyncio.timeout(timeout_of(job, run))
        try:
            async with limit:
                succeeded = await Execution(self._platform, self._runner, self._warehouse, job, run).run()
        except TimeoutError:
            if not limit.expired():
                raise
            self._finish(run, RunStatus.CANCELLED, timed_out(timeout_of(job, run)))
        else:
            self._finish(run, *((RunStatus.SUCCESS, None) if succeeded else (RunStatus.ERROR, FAILED)))

    def _finish(
        self, run: RunRecord, status: RunStatus, message: str | None, *, cancelled_by: str | None = None
    ) -> bool:
        """End a run unless it is complete; return whether this ended it."""
        has_end = status != RunStatus.CANCELLED or self._platform.behaviour.cancelled_finished_at_filled
        finished = timestamps.now() if has_end else None
        return self._platform.store.change_run(
            run.id, status=status, status_message=message, finished_at=finished, cancelled_by=cancelled_by
        )


def timed_out(seconds: int) -> str:
    """Return the status message of a run that its time limit ended."""
    allowed = timestamps.humanize(timedelta(seconds=seconds))
    limit = f"the configured timeout of {seconds} seconds"
    return f"This run timed out after running for {allowed}, which exceeded {limit}."
