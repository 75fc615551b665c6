"""A client that survives the rotation of its token: after a 401 it reads the connection again, once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.exceptions import DbtUnauthorizedError

if TYPE_CHECKING:
    from airflow_dbt_rerun.api.client import AsyncDbtClient

T = TypeVar("T")
MakeClient = Callable[[], Awaitable["AsyncDbtClient"]]


class RotatingClient:
    """Create the client at the first request, and again if its token is refused and the connection has changed.

    :param make_client: reads the connection and returns a client; ``DbtCloudRerunHook(...).async_client`` does.
    """

    def __init__(self, make_client: MakeClient) -> None:
        self._make_client = make_client
        self._making = asyncio.Lock()
        self._client: AsyncDbtClient | None = None
        self._in_use: Counter[AsyncDbtClient] = Counter()

    async def send(self, endpoint: Endpoint[T]) -> T:
        """Send a request and return the parsed answer.

        :raises DbtApiError: the subclass for the failure.
        :raises Exception: any error of ``make_client``.
        """
        client = await self._client_after(None)
        try:
            return await self._send(client, endpoint)
        except DbtUnauthorizedError:
            renewed = await self._client_after(client)
            if renewed is client:
                raise
        return await self._send(renewed, endpoint)

    async def close(self) -> None:
        """Close the session, if it is open."""
        if self._client:
            await self._client.close()

    async def _client_after(self, refused: AsyncDbtClient | None) -> AsyncDbtClient:
        """Return the current client, or a new one if ``refused`` is current; concurrent callers share it."""
        async with self._making:
            if self._client is refused:
                await self._renew()
            assert self._client
            return self._client

    async def _renew(self) -> None:
        fresh = await self._make_client()
        refused = self._client
        if refused and fresh.settings == refused.settings:
            return
        await fresh.prepare()
        self._client = fresh
        if refused:
            await self._close_unused(refused)

    async def _send(self, client: AsyncDbtClient, endpoint: Endpoint[T]) -> T:
        self._in_use[client] += 1
        try:
            return await client.send(endpoint)
        finally:
            self._in_use[client] -= 1
            await self._close_unused(client)

    async def _close_unused(self, client: AsyncDbtClient) -> None:
        if client is not self._client and not self._in_use[client]:
            del self._in_use[client]
            await client.close()
