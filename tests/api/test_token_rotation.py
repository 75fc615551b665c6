"""The client survives a new token: it reads the connection once, and breaks off no request."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Any

import pytest
from aiohttp import web
from pytest_mock import MockerFixture

from airflow_dbt_rerun.api.client import AsyncDbtClient
from airflow_dbt_rerun.api.endpoints import get_run_state
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.api.token_rotation import RotatingClient
from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.exceptions import DbtUnauthorizedError, DbtUnreachableError
from tests.watching.runs_server import story, when, world

STARTED = "2023-11-14 22:13:20+00:00"


@story
async def test_nothing_is_looked_up_before_it_is_needed() -> None:
    """A client that sends nothing knows no connection, and has nothing to close."""
    async with world() as there:
        client = RotatingClient(there.make_client)
        await client.close()
        assert there.looked_up == 0


@story
async def test_many_refusals_are_one_look_at_the_connection() -> None:
    """Ten concurrent requests meet the new token: the connection is read once, and each is sent again."""
    async with world(ends={7: 5.0}) as there:
        client = RotatingClient(there.make_client)
        await client.send(get_run_state(7))
        there.server.token = there.token = "second"
        answers = await asyncio.gather(*(client.send(get_run_state(7)) for _ in range(10)))
        assert answers == [WatchedRun(7, 3, STARTED)] * 10
        assert there.looked_up == 2
        await client.close()


@story
async def test_a_token_that_is_not_new_is_not_tried_again() -> None:
    """The connection still has the token that was refused: the refusal stands, without another request."""
    async with world(ends={7: 5.0}, token="another") as there:
        client = RotatingClient(there.make_client)
        with pytest.raises(DbtUnauthorizedError):
            await client.send(get_run_state(7))
        assert (there.server.refusals, there.looked_up) == (1, 2)
        await client.close()


@story
async def test_certificates_are_not_read_in_the_loop(mocker: MockerFixture) -> None:
    """Each new client reads its certificates in a thread: the loop has other triggers to run."""
    read, threads = ssl.create_default_context, []

    def note(**options: Any) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return read(**options)

    async def make_client() -> AsyncDbtClient:
        return AsyncDbtClient(Settings("https://127.0.0.1:9", 1, "token"), NO_RETRIES)

    mocker.patch("ssl.create_default_context", note)
    client = RotatingClient(make_client)
    with pytest.raises(DbtUnreachableError):
        await client.send(get_run_state(7))
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    await client.close()


@story
async def test_a_session_is_closed_when_its_last_request_is_done() -> None:
    """What is under way with the old token is not broken off; then its connection is closed."""
    is_free = asyncio.Event()

    async def trouble(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/9/"):
            return None
        await is_free.wait()
        return web.json_response({"data": {"id": 9, "status": 10}})

    async with world(ends={7: 5.0}, trouble=trouble) as there:
        client = RotatingClient(there.make_client)
        slow = asyncio.create_task(client.send(get_run_state(9)))
        await when(lambda: there.server.connections == 1)
        there.server.token = there.token = "second"
        await client.send(get_run_state(7))
        is_free.set()
        assert await slow == WatchedRun(9, 10)
        await when(lambda: there.server.connections == 1)
        assert await client.send(get_run_state(7)) == WatchedRun(7, 3, STARTED)
        await client.close()
        await when(lambda: there.server.connections == 0)
