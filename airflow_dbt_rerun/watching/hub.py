"""Watch any number of runs of one account with one session, a hundred runs a request.

All watchers of a connection in one event loop share a :class:`Hub`. Which runs to request when is decided in
:mod:`airflow_dbt_rerun.core.watch.many`, and what an answer means for one run in
:mod:`airflow_dbt_rerun.core.watch.one`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.per_loop import PerLoop
from airflow_dbt_rerun.api.throttle import Throttle, throttle_of
from airflow_dbt_rerun.api.token_rotation import MakeClient, RotatingClient
from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.core.watch.many import WatchEntry, Watchlist, Way, Ways, shortened
from airflow_dbt_rerun.core.watch.one import WatchOutcome, watch
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.exceptions import DbtNotFoundError, is_bearable
from airflow_dbt_rerun.watching.run_states import WayClosedError, run_states

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_AT_ONCE = 4
"""Requests under way at one moment, and so connections."""

MOST_A_MINUTE = 1000
"""Requests of one hub: a fifth of what the platform allows an account, since others use it too."""

BURST = 60
"""Requests that may follow each other without a pause: so who came together is answered together."""

QUIET = 60.0
"""Seconds between two warnings of one hub."""

_SHARE = 60 / (MOST_A_MINUTE - BURST)
"""Seconds for each request, in the long run."""

_hubs: PerLoop[Hub] = PerLoop()


def hub_of(key: Hashable, make_client: MakeClient) -> Hub:
    """Give the running loop's hub of a connection and account: it lives as long as somebody holds it.

    :param key: names connection, account, and whatever else makes clients differ.
    :param make_client: see :class:`Hub`; that of the first caller counts.
    """
    return _hubs.get(key, lambda: Hub(make_client, throttle=throttle_of(key)))


async def rest(wake: asyncio.Event, seconds: float) -> None:
    """Sleep so many seconds, perhaps infinitely many, or until woken."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if math.isinf(seconds) else seconds):
            await wake.wait()


class Hub:
    """The watchers of one account in one event loop. Has a task and a session while there are any.

    While the API is silent instead of refusing, a deadline is noticed late, by the timeout of a request or a few.

    :param make_client: looks up the connection. Its clients should repeat nothing (``retry_limit=1``): here the
        next poll is the repetition.
    :param throttle: the pause at a 429, shared with others who ask.
    :param clock: gives epoch seconds, for deadlines.
    :param timer: gives seconds that only grow, for everything else.
    :param rest: waits so many seconds, or until woken.
    :param dice: gives a random number from 0 to 1.
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
        self._ways = Ways()
        self._wake = asyncio.Event()
        self._rests_until = -math.inf
        self._poller: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._shortening = 1.0
        self._free_from = -math.inf
        self._throttle = throttle or Throttle(timer)
        self._quiet_until = -math.inf

    # --- For those who watch

    def watch(self, run_id: int, pace: Pace) -> Awaitable[WatchOutcome]:
        """Wait until a run is over, the deadline passes, or the run cannot be read any more.

        Like :func:`airflow_dbt_rerun.core.watch.one.watch`; may be cancelled at any time. A request that is sent
        for other runs anyway may include this one early, after half of its interval, at no extra cost.

        :raises DbtApiError: what will not pass by itself, such as a 401 for which the connection has no new token.
        :raises Exception: what ``make_client`` raises, and what a bug in here raises.
        """
        script = watch(run_id, pace, clock=self._clock, bearable=is_bearable, shorten=lambda: self._shortening)
        place = WatchEntry.new(run_id, script, pace, now=self._timer())
        return self._stay(place)  # not in here: thousands wait, and should not carry all these arguments

    async def _stay(self, place: WatchEntry) -> WatchOutcome:
        outcome = self._enter(place)
        try:
            return await outcome
        finally:
            await self._leave(place)

    def _enter(self, place: WatchEntry) -> asyncio.Future[WatchOutcome]:
        outcome = self._outcomes[place] = asyncio.get_running_loop().create_future()
        self._list.add(place)
        if self._poller is None:
            # In nobody's context: what it logs is about all, and belongs into no one task's log.
            self._poller = asyncio.create_task(
                self._poll(), name="dbt runs watched together", context=contextvars.Context()
            )
        if place.due < self._rests_until:  # a thousand who come one by one wake nobody a thousand times
            self._wake.set()
        return outcome

    async def _leave(self, place: WatchEntry) -> None:
        self._list.remove(place)
        del self._outcomes[place]
        if self._poller and not self._outcomes:
            poller, self._poller = self._poller, None
            poller.cancel()
            await asyncio.wait([poller])

    # --- The one task

    async def _poll(self) -> None:
        """Ask until nobody watches. However this ends, nobody waits for ever."""
        client = RotatingClient(self._make_client)
        try:
            async with asyncio.TaskGroup() as requests:
                await self._dispatch(client, requests)
        except Exception as error:  # noqa: BLE001 - a bug in here, for all who wait
            self._abandon(error.exceptions[0] if isinstance(error, ExceptionGroup) else error)
        finally:
            self._abandon(RuntimeError("the watcher of dbt runs was stopped"))
            await client.close()

    def _abandon(self, error: Exception) -> None:
        if self._poller is not asyncio.current_task():
            return  # the last one has left, and whoever is there now has another poller
        self._poller = None
        for outcome in self._outcomes.values():
            if not outcome.done():
                outcome.set_exception(error)

    async def _dispatch(self, client: RotatingClient, requests: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            now = self._timer()
            is_full = len(self._asking) >= MOST_AT_ONCE
            free_from = self._free_from - BURST * _SHARE
            pause = math.inf if is_full else max(self._list.due(), free_from) - now
            self._rests_until = -math.inf if is_full else now + pause
            if pause > 0:
                await self._rest(self._wake, pause)
                continue
            way = self._ways.best(now)
            places = self._list.take(now, way.most)
            if throttled := self._throttle.error:
                self._answer(places, throttled)  # deadlines and tolerances go on meanwhile
                await asyncio.sleep(0)
            else:
                request = requests.create_task(self._ask(client, places, way))
                self._asking.add(request)
                request.add_done_callback(self._asked)

    # --- One request

    async def _ask(self, client: RotatingClient, places: Sequence[WatchEntry], way: Way) -> None:
        async def send(endpoint: Endpoint[T]) -> T:
            self._free_from = max(self._free_from, self._timer()) + _SHARE
            return await client.send(endpoint)

        ids = list(dict.fromkeys(place.run_id for place in places))
        try:
            states = await run_states(send, ids, way)
        except WayClosedError:
            self._give_up(way, places)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait for this answer
            self._note(error)
            self._answer(places, error)
        else:
            if len(ids) > 1:
                self._ways.trust(way, len(states.keys() & set(ids)))
            self._share_out(states, places, way)

    def _asked(self, request: asyncio.Task[None]) -> None:
        self._asking.discard(request)
        self._wake.set()

    def _share_out(self, states: Mapping[int, WatchedRun], places: Sequence[WatchEntry], way: Way) -> None:
        self._throw_dice()
        now = self._timer()
        for place in places:
            state = states.get(place.run_id)
            if state is None:
                place.ask_again(now, alone=True)  # a list that lacks a run proves nothing
                continue
            if place.alone and not (way is Way.BY_STATUS and state.is_terminal):
                self._ways.doubt(now)
            self._tell(place, state)

    def _answer(self, places: Sequence[WatchEntry], error: Exception) -> None:
        self._throw_dice()
        for place in places:
            self._tell(place, error)

    def _tell(self, place: WatchEntry, answer: WatchedRun | Exception) -> None:
        outcome = self._outcomes.get(place)
        if outcome is None or outcome.done():
            return  # left meanwhile
        try:
            end = place.answer(answer, self._timer())
        except Exception as error:  # noqa: BLE001 - not borne: it is raised where the run is watched
            outcome.set_exception(error)
        else:
            if end:
                outcome.set_result(end)

    def _throw_dice(self) -> None:
        self._shortening = shortened(self._dice())

    # --- Trouble

    def _give_up(self, way: Way, places: Sequence[WatchEntry]) -> None:
        now = self._timer()
        if self._ways.give_up(way, now):
            log.info("dbt does not list runs %s: asking otherwise", way.name.lower().replace("_", " "))
        for place in places:
            place.ask_again(now, alone=False)

    def _note(self, error: Exception) -> None:
        now = self._timer()
        self._throttle.note(error)
        passing = is_bearable(error) and not isinstance(error, DbtNotFoundError)
        if passing and now >= self._quiet_until:
            self._quiet_until = now + QUIET
            log.warning("%s. It may pass; %d tasks that watch runs wait for that", error, len(self._list))
