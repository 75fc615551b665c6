"""Search for awaited runs only when their job has a new run: one request an interval lists new runs for all.

That list is only a hint: a waiter then searches for its own run. Without a hint it does so every
:data:`LONGEST_WITHOUT_SEARCH` seconds.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import list_runs
from airflow_dbt_rerun.api.paging import Paging
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.many import shortened
from airflow_dbt_rerun.core.watch.new_runs import NewRuns
from airflow_dbt_rerun.exceptions import DbtApiError
from airflow_dbt_rerun.watching.run_states import Send, is_refusal

T = TypeVar("T")

LONGEST_WITHOUT_SEARCH = 600.0
"""Most seconds between two searches, whatever the hints say."""

_MOST_PAGES = 50
"""Five thousand new runs between two polls: a list without an end must not keep all waiters from their ends."""


class NewRunsPoller:
    """List the new runs of an account, once for all waiters in an event loop.

    :param send: sends an endpoint.
    :param timer: returns monotonic seconds.
    """

    def __init__(self, send: Send, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.timer = timer
        self.seen: NewRuns | None = None
        self._send = send
        self._listing = asyncio.Lock()
        self._listed_at = -math.inf
        self._error: Exception | None = None

    async def poll(self, not_before: float) -> NewRuns:
        """Return the new runs, listed at ``not_before`` (timer seconds) or later; the first caller lists them.

        :raises Exception: any error of the listing; the next one covers what it missed.
        """
        async with self._listing:
            if self._listed_at < not_before:
                self._listed_at, self._error = self.timer(), await self._try_to_list()
            if self._error:
                raise self._error.with_traceback(None)  # each caller would lengthen the traceback
            assert self.seen
            return self.seen

    async def _try_to_list(self) -> Exception | None:
        try:
            await self._list()
        except Exception as error:  # noqa: BLE001 - raised for all who wait for this list
            return error
        return None

    async def _list(self) -> None:
        if self.seen is None:
            newest = await self._send(list_runs(limit=1))
            self.seen = NewRuns(max([run.id for run in newest], default=0))
        else:
            self.seen.see([(run.id, run.job_id) for run in await self._newer_than(self.seen.after)])

    async def _newer_than(self, run_id: int) -> Sequence[Run]:
        runs: list[Run] = []
        paging = Paging(list_runs(id_gt=run_id), most=_MOST_PAGES)
        while paging.upcoming:
            runs += paging.take(await self._send(paging.upcoming))
            if runs and runs[-1].id <= run_id:  # dbt ignored the filter
                paging.stop()
        return runs


class JobWatcher:
    """Wait for a run of a job.

    :param interval: seconds between polls. Waiters with the same interval poll at the same times.
    :param alone: search at each interval, without hints: the run may match only some time after its creation.
    :param dice: returns a random number from 0 to 1.
    """

    def __init__(
        self,
        poller: NewRunsPoller,
        job_id: int,
        interval: float,
        *,
        alone: bool = False,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._poller = poller
        self._job_id = job_id
        self._interval = interval
        self._alone = alone
        self._dice = dice
        self._position: int | None = None
        self._is_due = True
        self._due_from = math.inf

    def pause(self) -> float:
        """Return the seconds until the next poll."""
        if self._alone:
            return self._interval * shortened(self._dice())  # not at the same time as all others
        return self._interval - self._poller.timer() % self._interval

    async def find(self, search: Callable[[], Awaitable[T | None]]) -> T | None:
        """Search, unless nothing has changed since the last search. After an error, the next call searches again.

        :raises Exception: any error of listing or searching.
        """
        if not (self._alone or await self._should_search()):
            return None
        found = await search()
        self._is_due = False
        self._due_from = self._poller.timer() + LONGEST_WITHOUT_SEARCH * shortened(self._dice())
        return found

    async def _should_search(self) -> bool:
        try:
            jobs = await self._jobs()
        except DbtApiError as error:
            if not is_refusal(error):
                raise
            return True  # the token may not list all runs: search without hints
        self._is_due |= jobs is None or self._job_id in jobs or self._poller.timer() >= self._due_from
        return self._is_due

    async def _jobs(self) -> Collection[int] | None:
        """Return the jobs with a new run since the last call; None at the first call, which must search."""
        now, position = self._poller.timer(), self._position
        seen = await self._poller.poll(now - now % self._interval)
        self._position = seen.now
        return None if position is None else seen.since(position)
