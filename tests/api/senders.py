"""Both senders behind one face, so that every test of the client runs on both."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from airflow_dbt_rerun.api.client import AsyncDbtClient, DbtClient
from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.api.paging import Listed
from airflow_dbt_rerun.api.retries import Retries
from airflow_dbt_rerun.api.settings import Settings

T = TypeVar("T")
L = TypeVar("L", bound=Listed)


class Blocking:
    """Send by :class:`DbtClient`; note the waits instead of waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def send(self, settings: Settings, *endpoints: Endpoint[T], retries: Retries | None = None) -> T:
        """Send the endpoints one after the other through one client; return the last value."""
        with DbtClient(settings, retries, sleep=self.waits.append, dice=lambda: 0.0) as client:
            return [client.send(endpoint) for endpoint in endpoints][-1]

    def collect(self, settings: Settings, endpoint: Endpoint[Page[L]]) -> tuple[L, ...]:
        """Send a list endpoint to its last page."""
        with DbtClient(settings) as client:
            return client.collect(endpoint)


class Async(Blocking):
    """Send by :class:`AsyncDbtClient`, in a new event loop."""

    def send(self, settings: Settings, *endpoints: Endpoint[T], retries: Retries | None = None) -> T:
        """Send the endpoints one after the other through one client; return the last value."""

        async def note(seconds: float) -> None:
            self.waits.append(seconds)

        async def talk() -> T:
            async with AsyncDbtClient(settings, retries, sleep=note, dice=lambda: 0.0) as client:
                return [await client.send(endpoint) for endpoint in endpoints][-1]

        return asyncio.run(talk())

    def collect(self, settings: Settings, endpoint: Endpoint[Page[L]]) -> tuple[L, ...]:
        """Send a list endpoint to its last page."""

        async def talk() -> tuple[L, ...]:
            async with AsyncDbtClient(settings) as client:
                return await client.collect(endpoint)

        return asyncio.run(talk())
