"""The server that the tests of watching use."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from tests.watching.runs_server import ACCOUNT, RunsServer, Time


class Falsy(web.Response):
    """An answer without a body, as aiohttp 3.10 counts it."""

    def __bool__(self) -> bool:
        return False


def test_an_injected_answer_is_sent_even_if_it_is_empty() -> None:
    """Otherwise a test of an outage passes without one, with the oldest aiohttp that the package allows."""

    async def trouble(_: web.Request) -> web.StreamResponse | None:
        return Falsy(status=503)

    async def story() -> int:
        server = RunsServer(Time(), trouble=trouble)
        async with server.serving(), aiohttp.ClientSession() as session:
            url, headers = f"{server.base_url}/api/v2/accounts/{ACCOUNT}/runs/", {"Authorization": "Token first"}
            async with session.get(url, headers=headers) as answer:
                return answer.status

    assert asyncio.run(story()) == 503
