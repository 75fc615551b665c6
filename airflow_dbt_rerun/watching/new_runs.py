"""Tell those who wait for runs of jobs when to look: one request an interval for all, instead of one for each.

That request tells which jobs have a new run. It is a hint and nothing more: whether the run is the awaited one is
found out by a search of one's own, and such a search comes now and then without a hint, too.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, Page, list_runs, next_page
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.many import shortened
from airflow_dbt_rerun.core.watch.new_runs import NewRuns
from airflow_dbt_rerun.exceptions import DbtApiError
from airflow_dbt_rerun.watching.run_states import Send, is_refusal

T = TypeVar("T")

UNASKED = 600.0
"""Seconds, at most, between two searches, whatever the hints say."""


class NewRunsPoller:
    """Looks for new runs of an account, once for all who wait in an event loop.

    :param send: sends an endpoint.
    :param timer: gives seconds that only grow.
    """

    def __init__(self, send: Send, *, timer: Callable[[], float] = time.monotonic) -> None:
        self.timer = timer
        self.seen: NewRuns | None = None
        self._send = send
        self._looking = asyncio.Lock()
        self._looked_at = -math.inf
        self._trouble: Exception | None = None

    async def look(self, not_before: float) -> NewRuns:
        """Give what was seen not before a moment (the timer's seconds): the first to come looks, for all.

        :raises Exception: what went wrong with that look; the next one makes up for it.
        """
        async with self._looking:
            if self._looked_at < not_before:
                self._looked_at, self._trouble = self.timer(), await self._trouble_of_look()
            if self._trouble:
                raise self._trouble.with_traceback(None)  # or else each who hears of it would lengthen that
            assert self.seen
            return self.seen

    async def _trouble_of_look(self) -> Exception | None:
        try:
            await self._look()
        except Exception as error:  # noqa: BLE001 - for all who wanted this look
            return error
        return None

    async def _look(self) -> None:
        if self.seen is None:
            newest = await self._send(list_runs(limit=1))
            self.seen = NewRuns(max([run.id for run in newest], default=0))
        else:
            self.seen.see([(run.id, run.job_id) for run in await self._newer_than(self.seen.after)])

    async def _newer_than(self, run_id: int) -> Sequence[Run]:
        runs: list[Run] = []
        upcoming: Endpoint[Page[Run]] | None = list_runs(id_gt=run_id)
        while upcoming:
            page = await self._send(upcoming)
            runs += page
            is_past = any(run.id <= run_id for run in page)  # a filter that dbt did not understand
            upcoming = None if is_past else next_page(upcoming, page)
        return runs


class JobWatcher:
    """One who waits for a run of a job.

    :param interval: seconds between looks. All who have the same look at the same moments.
    :param alone: do without hints: what is waited for may come about after the run was created.
    :param dice: gives a random number from 0 to 1.
    """

    def __init__(
        self,
        lookout: NewRunsPoller,
        job_id: int,
        interval: float,
        *,
        alone: bool = False,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._lookout = lookout
        self._job_id = job_id
        self._interval = interval
        self._alone = alone
        self._dice = dice
        self._position: int | None = None
        self._is_due = True
        self._due_from = math.inf

    def pause(self) -> float:
        """Give the seconds until the next look."""
        if self._alone:
            return self._interval * shortened(self._dice())  # not at one moment with all others
        return self._interval - self._lookout.timer() % self._interval

    async def find(self, search: Callable[[], Awaitable[T | None]]) -> T | None:
        """Search, if there may be more to find than the last time. A search without an answer is to be repeated.

        :raises Exception: what looking or searching raises.
        """
        if not (self._alone or await self._is_worth_it()):
            return None
        found = await search()
        self._is_due = False
        self._due_from = self._lookout.timer() + UNASKED * shortened(self._dice())
        return found

    async def _is_worth_it(self) -> bool:
        try:
            jobs = await self._jobs()
        except DbtApiError as error:
            if not is_refusal(error):
                raise
            return True  # such lists are not for this token: everyone looks for himself
        self._is_due |= jobs is None or self._job_id in jobs or self._lookout.timer() >= self._due_from
        return self._is_due

    async def _jobs(self) -> Collection[int] | None:
        """Ask which jobs have a new run since the last time; None, if there was none: a search has to follow."""
        now, position = self._lookout.timer(), self._position
        seen = await self._lookout.look(now - now % self._interval)
        self._position = seen.now
        return None if position is None else seen.since(position)
