"""Share one client among the triggers of an event loop: one session, and one pause after a 429."""

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
    """A client that sends nothing while dbt throttles the account.

    :param make_client: reads the connection and returns a client.
    :param throttle: the pause after a 429, shared with the other users of the connection.
    :param timer: returns monotonic seconds.
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
        """Send a request and return the parsed answer.

        :raises DbtThrottledError: also without a request, during the pause after a 429.
        :raises DbtApiError: the subclass for the failure.
        """
        if throttled := self._throttle.error:
            raise throttled.with_traceback(None)  # each raise would lengthen the traceback
        try:
            return await self.client.send(endpoint)
        except DbtThrottledError as error:
            self._throttle.note(error)
            raise


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, SharedClient]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_client(key: Hashable, make_client: MakeClient) -> AsyncIterator[SharedClient]:
    """Enter the running loop's client of a connection; the last user to leave closes its session.

    :param key: identifies the connection, the account, and anything else that makes clients differ.
    :param make_client: reads the connection and returns a client; that of the first caller is used.
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
