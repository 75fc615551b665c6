"""One client for all in an event loop who ask for themselves: one session for a connection, one pause at a 429."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.throttle import Throttle, throttle_of
from airflow_dbt_rerun.api.token_rotation import MakeClient, RotatingClient
from airflow_dbt_rerun.exceptions import DbtThrottledError
from airflow_dbt_rerun.watching.new_runs import NewRunsPoller

T = TypeVar("T")


class SharedClient:
    """A client that asks nothing while dbt throttles the account.

    :param make_client: looks up the connection.
    :param throttle: the pause at a 429, shared with others who ask.
    :param timer: gives seconds that only grow.
    """

    def __init__(
        self,
        make_client: MakeClient,
        *,
        throttle: Throttle | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = RotatingClient(make_client)
        self.new_runs = NewRunsPoller(self.send, timer=timer)
        self.users = 0
        self._throttle = throttle or Throttle(timer)

    async def send(self, endpoint: Endpoint[T]) -> T:
        """Ask, and read the answer.

        :raises DbtThrottledError: also without asking, as long as the last 429 says.
        :raises DbtApiError: the subclass that fits.
        """
        if throttled := self._throttle.error:
            raise throttled.with_traceback(None)  # or else it would grow as long as the pause lasts
        try:
            return await self.client.send(endpoint)
        except DbtThrottledError as error:
            self._throttle.note(error)
            raise


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, SharedClient]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(key: Hashable, make_client: MakeClient) -> AsyncIterator[SharedClient]:
    """Use the running loop's client of a connection; the last one who leaves closes its session.

    :param key: names connection, account, and whatever else makes clients differ.
    :param make_client: looks up the connection; that of the first caller counts.
    """
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    shared = clients.get(key)
    if shared is None:
        shared = clients[key] = SharedClient(make_client, throttle=throttle_of(key))
    shared.users += 1
    try:
        yield shared
    finally:
        shared.users -= 1
        if not shared.users:
            del clients[key]
            await shared.client.close()
