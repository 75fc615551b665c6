"""Read the ended runs of an account once for all asset watchers.

All watchers of a connection in one event loop share an :class:`EndedRunsFeed`. They read it at the same times; the
first one sends the request, and the others get its answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_dbt_rerun.api.endpoints import FULL_RUN, PAGE, Endpoint, Page, get_run, list_runs
from airflow_dbt_rerun.api.paging import Paging
from airflow_dbt_rerun.api.per_loop import PerLoop
from airflow_dbt_rerun.api.throttle import Throttle, throttle_of
from airflow_dbt_rerun.api.token_rotation import MakeClient, RotatingClient
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, Run, RunStatus
from airflow_dbt_rerun.core.watch.ended_runs import ended
from airflow_dbt_rerun.exceptions import DbtApiError, DbtRerunError
from airflow_dbt_rerun.watching.shared_polling import QUIET

log = logging.getLogger(__name__)

AHEAD = 86400.0
"""Seconds by which dbt's clock may be ahead of ours; a time range needs an upper bound."""

_feeds: PerLoop[EndedRunsFeed] = PerLoop()


def feed_of(key: Hashable, make_client: MakeClient) -> EndedRunsFeed:
    """Return the running loop's feed of a connection and account. It lives while it is referenced.

    :param key: identifies the connection, the account, and anything else that makes clients differ.
    :param make_client: see :class:`EndedRunsFeed`; that of the first caller is used.
    """
    return _feeds.get(key, lambda: EndedRunsFeed(make_client, throttle=throttle_of(key)))


@dataclass(frozen=True, slots=True)
class _Answer:
    """The latest answer. ``runs`` is None if they could not be read."""

    asked_at: float
    since: float
    runs: Sequence[Run] | None


class EndedRunsFeed:
    """Read the ended runs of one account. Has a session while there is a :meth:`reader`.

    :param make_client: reads the connection and returns a client; ``DbtCloudRerunHook(...).async_client`` does.
    :param throttle: the pause after a 429, shared with the other users of the connection.
    :param clock: returns the time in epoch seconds.
    :param timer: returns monotonic seconds.
    :param sleep: waits the given number of seconds.
    """

    def __init__(
        self,
        make_client: MakeClient,
        *,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._make_client = make_client
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._client: RotatingClient | None = None
        self._reading = asyncio.Lock()
        self._readers: dict[FeedReader, float] = {}
        self._answer: _Answer | None = None
        self._throttle = throttle or Throttle(timer)
        self._quiet_until = float("-inf")

    @asynccontextmanager
    async def reader(self, interval: float, *, cancelled: bool = False) -> AsyncIterator[FeedReader]:
        """Enter a reader with an interval in seconds; the last reader to leave closes the session."""
        reader = FeedReader(self, interval, cancelled=cancelled)
        self._readers[reader] = float("inf")
        try:
            yield reader
        finally:
            del self._readers[reader]
            if not self._readers and self._client:
                client, self._client = self._client, None
                await client.close()

    async def read(self, reader: FeedReader, since: float, asked_at: float) -> Sequence[Run] | None:
        """Return the runs that ended since a time (epoch seconds), read at ``asked_at`` or later; None on error."""
        self._readers[reader] = since
        async with self._reading:
            known = self._answer
            if known is None or known.asked_at < asked_at or (known.runs is not None and known.since > since):
                known = self._answer = await self._request(max(asked_at, self._timer()))
            return known.runs

    async def read_whole(self, run_id: int) -> Run | None:
        """Read one run with its steps; None on error."""
        if self._throttle.error:
            return None
        try:
            return await self._open_client().send(get_run(run_id, include_related=FULL_RUN))
        except DbtApiError as error:
            self._note(error)
            return None

    async def until_next(self, interval: float) -> float:
        """Sleep until the common reading time of this interval, and return it in the timer's seconds."""
        moment = (self._timer() // interval + 1) * interval
        await self._sleep(max(moment - self._timer(), 0))
        return moment

    async def _request(self, asked_at: float) -> _Answer:
        since = min(self._readers.values())
        if self._throttle.error:
            return _Answer(asked_at, since, None)
        try:
            return _Answer(asked_at, since, await self._collect(since))
        except Exception as error:  # noqa: BLE001 - the next read may succeed
            self._note(error)
            return _Answer(asked_at, since, None)

    async def _collect(self, since: float) -> Sequence[Run]:
        """Read all pages, newest first, so that no run is missed if others end meanwhile."""
        runs: list[Run] = []
        paging = Paging(self._ended_since(since))
        while paging.upcoming:
            new = paging.take(await self._open_client().send(paging.upcoming))
            runs += new
            if any((ended(run) or since) < since for run in new):  # dbt ignored the filter
                paging.stop()
        return [*runs, *(await self._cancelled_without_end(since))]

    async def _cancelled_without_end(self, since: float) -> Sequence[Run]:
        """Read the runs that were cancelled before they started, if a reader wants any: they have no end."""
        if not any(reader.cancelled for reader in self._readers):
            return ()
        page = await self._open_client().send(
            list_runs(
                status=RunStatus.CANCELLED,
                created_at=(_moment(since - AHEAD), _moment(max(since, self._clock()) + AHEAD)),
                include_related=("trigger", "job", "audit"),
                limit=PAGE,
            )
        )
        return [run for run in page if run.is_cancelled and not run.finished_at]

    def _ended_since(self, since: float) -> Endpoint[Page[Run]]:
        return list_runs(
            status_in=sorted(TERMINAL_STATUSES),
            finished_at=(_moment(since), _moment(max(since, self._clock()) + AHEAD)),
            include_related=("trigger", "job", "audit"),
            order_by="-finished_at",
            limit=PAGE,
        )

    def _open_client(self) -> RotatingClient:
        if self._client is None:
            self._client = RotatingClient(self._make_client)
        return self._client

    def _note(self, error: Exception) -> None:
        self._throttle.note(error)
        now = self._timer()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            unknown = None if isinstance(error, DbtRerunError) else error
            log.warning(
                "Cannot read the ended dbt runs: %s. Trying again at the next interval", error, exc_info=unknown
            )


class FeedReader:
    """Read a feed at an interval, in seconds."""

    def __init__(self, feed: EndedRunsFeed, interval: float, *, cancelled: bool = False) -> None:
        self.cancelled = cancelled
        self._feed = feed
        self._interval = interval

    async def next(self, since: float) -> Sequence[Run] | None:
        """Wait for the next reading time, and return the runs that ended since (epoch seconds); None on error."""
        asked_at = await self._feed.until_next(self._interval)
        return await self._feed.read(self, since, asked_at)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
