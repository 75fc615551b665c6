"""The life of runs: Queued, Starting, Running, and one of three ends."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local import timestamps as moments
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import seconds_allowed
from airflow_dbt_rerun.local.runs.execution import FAILED, Execution, Runner
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord

CANCELLED_BY_USER = "Cancelled by user."
SUPERSEDED = "The run was canceled because a newer run of this job was queued."
STOPPED = "The platform was stopped while this run was going."

_log = logging.getLogger(__name__)


class Engine:
    """Process runs: those of one job in turn, unless it is a CI job, and those of different jobs side by side."""

    def __init__(self, platform: Platform, runner: Runner) -> None:
        self._platform = platform
        self._runner = runner
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._warehouse = asyncio.Lock()
        self._lives: dict[int, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Take up what an earlier server left behind."""
        self._platform.store.give_up_what_was_going(STOPPED)
        for run in self._platform.store.queued_runs():
            self.submit(run)

    def submit(self, run: RunRecord) -> None:
        """Give a queued run its turn when it comes."""
        life = asyncio.create_task(self._live(run))
        self._lives[run.id] = life
        life.add_done_callback(lambda _: self._lives.pop(run.id, None))

    def cancel(self, run: RunRecord, actor: str) -> None:
        """Cancel a run for a user; dbt ends within seconds. A run that is over stays as it is."""
        self._cancel(run, CANCELLED_BY_USER, actor)

    def supersede(self, run: RunRecord) -> None:
        """Cancel a queued run as dbt's scheduler does: no actor is recorded."""
        self._cancel(run, SUPERSEDED, None)

    async def close(self) -> None:
        """Stop what is going, which is then an Error; queued runs stay queued for the next server."""
        lives = list(self._lives.values())
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        await self._runner.close()

    def _cancel(self, run: RunRecord, message: str, actor: str | None) -> None:
        if self._finish(run, RunStatus.CANCELLED, message, cancelled_by=actor) and run.id in self._lives:
            self._lives[run.id].cancel()

    async def _live(self, run: RunRecord) -> None:
        async with self._turn(self._platform.store.job(run.job_id)):
            try:
                await self._run(self._platform.store.job(run.job_id), run)
            except asyncio.CancelledError:
                self._finish(run, RunStatus.ERROR, STOPPED)  # no effect if it was cancelled by a user
                raise
            except Exception as error:  # noqa: BLE001 - a run must end, whatever goes wrong
                _log.exception("run %s", run.id)
                self._finish(run, RunStatus.ERROR, f"The platform failed: {error}")

    def _turn(self, job: JobRecord) -> AbstractAsyncContextManager[object]:
        return nullcontext() if job.runs_in_parallel else self._turns[job.id]

    async def _run(self, job: JobRecord, run: RunRecord) -> None:
        change = self._platform.store.change_run
        change(run.id, status=RunStatus.STARTING, dequeued_at=moments.now())
        await self._runner.start()
        change(run.id, status=RunStatus.RUNNING, started_at=moments.now())
        limit = asyncio.timeout(seconds_allowed(job, run))
        try:
            async with limit:
                succeeded = await Execution(self._platform, self._runner, self._warehouse, job, run).go()
        except TimeoutError:
            if not limit.expired():
                raise
            self._finish(run, RunStatus.CANCELLED, _timed_out(seconds_allowed(job, run)))
        else:
            self._finish(run, *((RunStatus.SUCCESS, None) if succeeded else (RunStatus.ERROR, FAILED)))

    def _finish(
        self, run: RunRecord, status: RunStatus, message: str | None, *, cancelled_by: str | None = None
    ) -> bool:
        """End a run unless it is over; return whether this ended it."""
        has_end = status != RunStatus.CANCELLED or self._platform.behaviour.cancelled_finished_at_filled
        finished = moments.now() if has_end else None
        return self._platform.store.change_run(
            run.id, status=status, status_message=message, finished_at=finished, cancelled_by=cancelled_by
        )


def _timed_out(seconds: int) -> str:
    allowed = moments.humanized(timedelta(seconds=seconds))
    limit = f"the configured timeout of {seconds} seconds"
    return f"This run timed out after running for {allowed}, which exceeded {limit}."
