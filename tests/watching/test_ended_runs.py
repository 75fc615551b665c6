"""The feed: who reads at one moment shares one answer, and no answer leads to requests without end."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.api.client import AsyncDbtClient
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.watching.ended_runs import EndedRunsFeed, feed_of
from tests.api.scripted import Answer, ScriptedServer, error

NOW = 1_700_000_000.0
INTERVAL = 0.05


def page(*ends: float, total: int = 1, first: int = 1) -> Answer:
    """Answer with runs that ended so many seconds before now, and have the ids from ``first`` on."""
    runs = [
        {"id": place, "status": 10, "finished_at": str(datetime.fromtimestamp(NOW - end, UTC))}
        for place, end in enumerate(ends, start=first)
    ]
    return Answer(body=json.dumps({"data": runs, "extra": {"pagination": {"total_count": total}}}).encode())


class World:
    """A feed, and the clients that it made."""

    def __init__(self, settings: Settings) -> None:
        self.clients: list[AsyncDbtClient] = []
        self._settings = settings
        self.feed = EndedRunsFeed(self.make_client, clock=lambda: NOW)

    async def make_client(self) -> AsyncDbtClient:
        """Read the connection, as a hook does."""
        self.clients.append(AsyncDbtClient(self._settings, NO_RETRIES))
        return self.clients[-1]

    async def read(self, *pasts: float) -> list[Any]:
        """Have readers of different pasts read at one moment."""

        async def one(past: float) -> Any:
            async with self.feed.reader(INTERVAL) as reader:
                runs = await reader.next(NOW - past)
                return None if runs is None else [run.id for run in runs]

        return list(await asyncio.gather(*map(one, pasts)))


def test_readers_of_one_moment_share_an_answer(server: ScriptedServer, settings: Settings) -> None:
    """Three readers, one request."""
    server.script = [page(5, 50)]
    there = World(settings)
    assert asyncio.run(there.read(60, 60, 60)) == [[1, 2]] * 3
    assert len(server.asked) == 1
    assert "finished_at__range" in server.asked[0].path


def test_who_wants_more_of_the_past_gets_it(server: ScriptedServer, settings: Settings) -> None:
    """An answer that does not reach back far enough is not used; the next one reaches back for all readers."""
    server.script = [page(5), page(5, 500)]
    feed, now = World(settings).feed, time.monotonic()

    async def test() -> list[int | None]:
        async with feed.reader(INTERVAL) as one, feed.reader(INTERVAL) as other:
            first = [(one, 60, now), (other, 600, now), (one, 60, now)]
            later = [(one, 60, time.monotonic() + 60), (other, 600, now)]
            return [
                len(await feed.read(reader, NOW - past, moment) or ()) for reader, past, moment in first + later
            ]

    assert asyncio.run(test()) == [1, 2, 2, 2, 2]
    assert len(server.asked) == 3


def test_trouble_is_shared_too(server: ScriptedServer, settings: Settings) -> None:
    """In an outage the readers of one moment send one request, not one each."""
    server.script = [error(502, None)]
    assert asyncio.run(World(settings).read(60, 60, 60)) == [None, None, None]
    assert len(server.asked) == 1


def test_range_that_dbt_ignores_is_no_walk_through_history(server: ScriptedServer, settings: Settings) -> None:
    """The newest ends come first: at the first that is too old the reading stops, whatever is left."""
    server.script = [page(5, 50, 70, total=1_000_000)]
    assert asyncio.run(World(settings).read(60)) == [[1, 2, 3]]
    assert len(server.asked) == 1


def test_next_page_is_asked_for_until_the_end(server: ScriptedServer, settings: Settings) -> None:
    """What did not fit on a page is on the next."""
    server.script = [page(5, 6, total=3), page(7, total=3, first=3)]
    assert asyncio.run(World(settings).read(60)) == [[1, 2, 3]]
    assert "offset=2" in server.asked[1].path


def test_last_one_closes_the_session(server: ScriptedServer, settings: Settings) -> None:
    """Readers share one session; the last one closes it, and the next reader opens a new one."""
    server.script = [page(5)]
    there = World(settings)

    async def test() -> None:
        async with there.feed.reader(INTERVAL) as stays:
            await there.read(60)
            await stays.next(NOW - 60)
            assert len(there.clients) == 1
            assert "_session" in vars(there.clients[0])
        assert "_session" not in vars(there.clients[0])
        await there.read(60)

    asyncio.run(test())
    assert len(there.clients) == 2


def test_feed_is_one_for_a_connection(settings: Settings) -> None:
    """In one event loop, one key has one feed while it is referenced."""
    there = World(settings)

    async def test() -> None:
        one = feed_of("a", there.make_client)
        assert feed_of("a", there.make_client) is one
        assert feed_of("b", there.make_client) is not one

    asyncio.run(test())
