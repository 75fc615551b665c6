"""A 429 pauses all requests over the connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_dbt_rerun.api.endpoints import get_run
from airflow_dbt_rerun.api.throttle import COOLDOWN, Throttle, throttle_of
from airflow_dbt_rerun.core.watch.one import OutOfTime, Unwatchable
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.exceptions import DbtServerError, DbtThrottledError
from airflow_dbt_rerun.watching.ended_runs import feed_of
from airflow_dbt_rerun.watching.shared_client import shared_client
from airflow_dbt_rerun.watching.shared_polling import hub_of


def test_pause_is_as_long_as_the_longest_429_says() -> None:
    """Where it does not say: five minutes. A shorter one that comes later does not end it."""
    moments = iter([0.0, 0.0, 10.0, COOLDOWN - 0.1, COOLDOWN])
    throttle = Throttle(lambda: next(moments))
    long, short = DbtThrottledError("much too many"), DbtThrottledError("too many", retry_after=7.0)
    throttle.note(DbtServerError("down"))
    before = throttle.error
    throttle.note(long)
    throttle.note(short)
    assert (before, throttle.error, throttle.error) == (None, long, None)


def test_there_is_one_for_each_connection_and_loop() -> None:
    """It is shared while it is referenced, and not longer."""

    async def story() -> Throttle:
        held = throttle_of("a")
        held.note(DbtThrottledError("too many", retry_after=60.0))
        assert throttle_of("a") is held
        assert throttle_of("b").error is None
        return held

    held = asyncio.run(story())
    assert held.error is not None
    assert asyncio.run(story()) is not held


class Client:
    """The border: what sends. The platform throttles, or is down."""

    settings = "the settings"

    def __init__(self, asked: list[str], error: Exception) -> None:
        self.asked = asked
        self.error = error

    async def prepare(self) -> None:
        """Need nothing."""

    async def send(self, endpoint: Any) -> Any:
        """Fail."""
        self.asked.append(endpoint.path)
        raise self.error

    async def close(self) -> None:
        """Have nothing."""


@pytest.mark.parametrize("first", ["sensor", "run", "event"])
def test_one_429_holds_up_sensors_runs_and_events(first: str) -> None:
    """Whichever of them meets it, the other two do not ask, and those of another connection do."""
    asked: list[str] = []

    async def make() -> Any:
        return Client(asked, DbtThrottledError("too many", retry_after=60.0))

    async def sensor(key: str) -> None:
        async with shared_client(key, make) as client:
            with pytest.raises(DbtThrottledError):
                await client.send(get_run(1))

    async def run(key: str) -> None:
        outcome = await hub_of(key, make).watch(1, Pace(check_interval=0.01, tolerance=0.03, first_poll_after=0.0))
        assert isinstance(outcome, Unwatchable | OutOfTime)

    async def event(key: str) -> None:
        async with feed_of(key, make).reader(0.01) as reader:
            assert await reader.next(0.0) is None

    who = {"sensor": sensor, "run": run, "event": event}

    async def story() -> None:
        kept = throttle_of("a")  # as long as one of them waits
        await who[first]("a")
        met = len(asked)
        assert met == 1
        for ask in who.values():
            await ask("a")
        assert len(asked) == met
        assert kept.error
        for ask in who.values():
            await ask("b")
        assert len(asked) == met + 1  # and the first of these holds up the others of that connection

    asyncio.run(story())
