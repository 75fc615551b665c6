"""One client for many who ask for themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_dbt_rerun.api.endpoints import get_run
from airflow_dbt_rerun.api.throttle import COOLDOWN
from airflow_dbt_rerun.exceptions import DbtThrottledError
from airflow_dbt_rerun.watching.shared_client import SharedClient, shared_client


class Client:
    """A sender that can be made to fail."""

    settings = "the settings"

    def __init__(self) -> None:
        self.asked = 0
        self.closed = 0
        self.error: Exception | None = None

    async def prepare(self) -> None:
        """Need nothing."""

    async def send(self, _: object) -> str:
        """Answer, or fail."""
        self.asked += 1
        if self.error:
            raise self.error
        return "answer"

    async def close(self) -> None:
        """Count it."""
        self.closed += 1


def maker(made: list[Client]) -> Any:
    """Give a function that makes clients, and remembers them."""

    async def make() -> Client:
        made.append(Client())
        return made[-1]

    return make


def test_who_asks_over_one_connection_shares_a_session() -> None:
    """One client for one key, another for another; the last who leaves closes it, and the next gets a new one."""
    made: list[Client] = []

    async def wait(key: str) -> None:
        async with shared_client(key, maker(made)) as client:
            await client.send(get_run(1))
            await asyncio.sleep(0.01)
            await client.send(get_run(1))

    async def all_of_them() -> None:
        await asyncio.gather(wait("one"), wait("one"), wait("other"))
        assert ([client.asked for client in made], [client.closed for client in made]) == ([4, 2], [1, 1])
        await wait("one")
        assert len(made) == 3

    asyncio.run(all_of_them())


@pytest.mark.parametrize("retry_after", [7.0, None])
def test_throttling_holds_up_all(retry_after: float | None) -> None:
    """After a 429 no request is sent for as long as it says, or for five minutes; then requests continue."""
    made: list[Client] = []
    now = 0.0
    shared = SharedClient(maker(made), timer=lambda: now)

    async def ask() -> str:
        answer: Any = await shared.send(get_run(1))
        return str(answer)

    assert asyncio.run(ask()) == "answer"
    made[0].error = DbtThrottledError("too many", retry_after=retry_after)
    for _ in range(3):
        with pytest.raises(DbtThrottledError):
            asyncio.run(ask())
    assert made[0].asked == 2
    made[0].error, now = None, (COOLDOWN if retry_after is None else retry_after)
    assert asyncio.run(ask()) == "answer"
