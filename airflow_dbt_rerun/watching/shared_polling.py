"""Watch any number of runs of one account with one session, and few requests.

All watchers of a connection in one event loop share a :class:`Hub`.
:mod:`airflow_dbt_rerun.core.watch.many` decides which runs to request when,
:mod:`airflow_dbt_rerun.core.watch.asking` how, and :mod:`airflow_dbt_rerun.core.watch.one` what an answer means for
one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.per_loop import PerLoop
from airflow_dbt_rerun.api.throttle import Throttle, throttle_of
from airflow_dbt_rerun.api.token_rotation import MakeClient, RotatingClient
from airflow_dbt_rerun.core.watch.asking import Asking
from airflow_dbt_rerun.core.watch.changes import Found, TooLongError
from airflow_dbt_rerun.core.watch.many import Need, WatchEntry, Watchlist, shortened
from airflow_dbt_rerun.core.watch.one import Answer, Missing, WatchOutcome, watch
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.core.watch.ways import Way
from airflow_dbt_rerun.exceptions import DbtNotFoundError, DbtUnreachableError, is_bearable
from airflow_dbt_rerun.watching.run_states import WayClosedError, found, run_states

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_AT_ONCE = 4
"""Most concurrent requests, and so connections, of one hub."""

MOST_A_MINUTE = 1000
"""Most requests of one hub a minute: a fifth of the account's limit, since others use the account, too."""

BURST = 60
"""Requests that may follow each other without a pause, so that runs added together are polled together."""

LONGEST = 120.0
"""Most seconds for the pages of one list: all who wait for it look at their deadlines after that."""

QUIET = 60.0
"""Seconds between two warnings of one hub about API errors."""

_SHARE = 60 / (MOST_A_MINUTE - BURST)
"""Seconds between two requests, on average."""

_hubs: PerLoop[Hub] = PerLoop()


def hub_of(key: Hashable, make_client: MakeClient) -> Hub:
    """Return the running loop's hub of a connection and account. It lives while it is referenced.

    :param key: identifies the connection, the account, and anything else that makes clients differ.
    :param make_client: see :class:`Hub`; that of the first caller is used.
    """
    return _hubs.get(key, lambda: Hub(make_client, throttle=throttle_of(key)))


async def rest(wake: asyncio.Event, seconds: float) -> None:
    """Sleep for the given seconds, which may be infinite, or until woken."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if math.isinf(seconds) else seconds):
            await wake.wait()


class Hub:
    """Watch the runs of one account in one event loop. Has a task and a session while it watches any.

    If the API does not answer, a deadline is noticed late: by twice the connection's timeout, the limit of one
    request (:class:`~airflow_dbt_rerun.api.limits.Limits`), and by :data:`LONGEST` where a list has many pages.

    :param make_client: reads the connection and returns a client. The client should not repeat requests
        (``retry_limit=1``), since the next poll does.
    :param throttle: the pause after a 429, shared with the other users of the connection.
    :param clock: returns the time in epoch seconds, for deadlines.
    :param timer: returns monotonic seconds, for everything else.
    :param rest: waits the given number of seconds, or until woken.
    :param dice: returns a random number from 0 to 1.
    """

    def __init__(
        self,
        make_client: MakeClient,
        *,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        rest: Callable[[asyncio.Event, float], Awaitable[None]] = rest,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._make_client = make_client
        self._clock = clock
        self._timer = timer
        self._rest = rest
        self._dice = dice
        self._list = Watchlist()
        self._outcomes: dict[WatchEntry, asyncio.Future[WatchOutcome]] = {}
        self._asking = Asking(self._list)
        self._wake = asyncio.Event()
        self._rests_until = -math.inf
        self._poller: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._lines = asyncio.Semaphore(MOST_AT_ONCE)
        self._shortening = 1.0
        self._free_from = -math.inf
        self._throttle = throttle or Throttle(timer)
        self._quiet_until = -math.inf

    # --- Interface

    def watch(self, run_id: int, pace: Pace) -> Awaitable[WatchOutcome]:
        """Wait until a run has ended, the deadline has passed, or the run can no longer be read.

        Works like :func:`airflow_dbt_rerun.core.watch.one.watch` and may be cancelled at any time. A request that
        is due for other runs may include this run early, after half of its interval, at no extra cost.

        :raises DbtApiError: an error that will not pass by itself, such as a 401 when the connection has no new
            token.
        :raises Exception: any error of ``make_client``, or a bug of the hub.
        """
        script = watch(run_id, pace, clock=self._clock, bearable=is_bearable, shorten=lambda: self._shortening)
        now = self._timer()
        entry = WatchEntry.new(run_id, script, pace, now=now)
        if len(self._list):  # the polls of others include a newcomer, so it need not have one of its own soon
            left = math.inf if pace.deadline is None else pace.deadline - self._clock()
            entry.due = max(entry.due, now + min(pace.check_interval, left))
        return self._stay(entry)  # a separate coroutine: thousands wait, and should not hold these arguments

    async def _stay(self, entry: WatchEntry) -> WatchOutcome:
        outcome = self._enter(entry)
        try:
            return await outcome
        finally:
            await self._leave(entry)

    def _enter(self, entry: WatchEntry) -> asyncio.Future[WatchOutcome]:
        outcome = self._outcomes[entry] = asyncio.get_running_loop().create_future()
        self._list.add(entry)
        if self._poller is None:
            # In an empty context: it logs about all runs, so its lines must not go to one task's log.
            self._poller = asyncio.create_task(
                self._poll(), name="dbt runs watched together", context=contextvars.Context()
            )
        if (
            entry.due < self._rests_until
        ):  # a thousand entries added one by one must not wake the poller a thousand times
            self._wake.set()
        return outcome

    async def _leave(self, entry: WatchEntry) -> None:
        self._list.remove(entry)
        del self._outcomes[entry]
        if self._poller and not self._outcomes:
            poller, self._poller = self._poller, None
            poller.cancel()
            await asyncio.wait([poller])

    # --- The polling task

    async def _poll(self) -> None:
        """Poll until no run is watched. However this ends, no watcher waits for ever."""
        client = RotatingClient(self._make_client)
        try:
            async with asyncio.TaskGroup() as requests:
                await self._dispatch(client, requests)
        except Exception as error:  # noqa: BLE001 - a bug of the hub, raised for all watchers
            self._abandon(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
        finally:
            self._abandon(RuntimeError("the watcher of dbt runs was stopped"))
            await client.close()

    def _abandon(self, error: Exception) -> None:
        if self._poller is not asyncio.current_task():
            return  # all watchers had left; the present ones have another poller
        self._poller = None
        for outcome in self._outcomes.values():
            if not outcome.done():
                outcome.set_exception(error)

    async def _dispatch(self, client: RotatingClient, requests: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            now = self._timer()
            is_full = len(self._requests) >= MOST_AT_ONCE
            free_from = self._free_from - BURST * _SHARE
            pause = math.inf if is_full else max(self._list.due(), free_from) - now
            self._rests_until = -math.inf if is_full else now + pause
            if pause > 0:
                await self._rest(self._wake, pause)
                continue
            way, entries = self._asking.take(now)
            if not entries:
                continue
            if throttled := self._throttle.error:
                self._answer(entries, throttled, now)  # deadlines and tolerances still apply
                await asyncio.sleep(0)
            else:
                request = requests.create_task(self._request(client, entries, way))
                self._requests.add(request)
                request.add_done_callback(self._request_done)

    # --- One request

    async def _request(self, client: RotatingClient, entries: Sequence[WatchEntry], way: Way) -> None:
        asked, ids = self._timer(), list(dict.fromkeys(entry.run_id for entry in entries))
        try:
            async with asyncio.timeout(LONGEST):
                answer = await self._ask(client, entries, ids, way)
        except WayClosedError as error:
            self._close_way(way, entries, error)
        except TooLongError:
            self._asking.too_long(entries, self._timer())
        except TimeoutError:
            problem = DbtUnreachableError(f"the list of {len(ids)} runs did not end within {LONGEST:g} s")
            self._fail(entries, problem, asked)
        except Exception as error:  # noqa: BLE001 - any error goes to the watchers of these runs
            self._fail(entries, error, asked)
        else:
            self._draw_shortening()
            self._asking.spread(answer, entries, way, self._timer(), partial(self._deliver, asked))

    async def _ask(
        self, client: RotatingClient, entries: Sequence[WatchEntry], ids: Sequence[int], way: Way
    ) -> Found:
        """Ask for runs, and return what was found, with the end that all runs in progress have outlived."""

        async def send(endpoint: Endpoint[T]) -> T:
            async with self._lines:
                self._free_from = max(self._free_from, self._timer()) + _SHARE
                return await client.send(endpoint)

        known = self._asking.known_end  # not one that becomes known meanwhile: the answer may be older
        questions = self._asking.questions(way, entries, ids, self._timer())
        try:
            answer = await found(send, questions) if questions else Found(await run_states(send, ids, way))
        finally:
            self._asking.read(way)
        return answer._replace(end=max(filter(None, (known, answer.end)), default=None))

    def _request_done(self, request: asyncio.Task[None]) -> None:
        self._requests.discard(request)
        self._wake.set()

    def _fail(self, entries: Sequence[WatchEntry], error: Exception, asked: float) -> None:
        self._note(error)
        self._answer(entries, error, asked)

    def _answer(self, entries: Sequence[WatchEntry], error: Exception, asked: float) -> None:
        self._draw_shortening()
        for entry in entries:
            self._deliver(asked, entry, Missing(error) if entry.need is Need.ALONE else error)

    def _deliver(self, asked: float, entry: WatchEntry, answer: Answer) -> None:
        outcome = self._outcomes.get(entry)
        if outcome is None or outcome.done():
            return  # its watcher has left meanwhile
        try:
            end = entry.answer(answer, self._timer(), asked)
        except Exception as error:  # noqa: BLE001 - not bearable: raised for the watcher of the run
            outcome.set_exception(error)
        else:
            if end:
                outcome.set_result(end)

    def _draw_shortening(self) -> None:
        self._shortening = shortened(self._dice())

    # --- Errors

    def _close_way(self, way: Way, entries: Sequence[WatchEntry], error: WayClosedError) -> None:
        if self._asking.closed(way, entries, self._timer(), is_misread=error.is_misread):
            log.info("dbt does not list runs %s; watching them in another way", way.name.lower().replace("_", " "))

    def _note(self, error: Exception) -> None:
        now = self._timer()
        self._throttle.note(error)
        may_pass = is_bearable(error) and not isinstance(error, DbtNotFoundError)
        if may_pass and now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.warning("%s. This may pass; %d watched runs wait for it", error, len(self._list))
