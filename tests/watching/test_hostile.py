"""Watching beside a hostile server: deadlines and tolerances are heard, whatever it sends."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from airflow_dbt_rerun.api.client import AsyncDbtClient
from airflow_dbt_rerun.api.limits import Limits
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.watch.one import OutOfTime, Unwatchable, WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.watching.shared_polling import MOST_AT_ONCE, Hub
from tests.api.hostile import HOSTILE, Play, playing

GENEROUS = 30.0


def hub(address: str, settings: Settings) -> Hub:
    """Watch through a server, with a small timeout."""
    there = replace(settings, base_url=f"http://{address}", timeout=0.5, limits=Limits(answer_mb=1))

    async def make_client() -> AsyncDbtClient:
        return AsyncDbtClient(there, NO_RETRIES)

    return Hub(make_client)


async def outcomes(watched: Hub, pace: Pace) -> set[type[WatchOutcome]]:
    """Watch more runs, one by one, than the hub sends requests at once."""
    runs = range(1, MOST_AT_ONCE + 3)
    async with asyncio.timeout(GENEROUS):
        return {type(each) for each in await asyncio.gather(*(watched.watch(run, pace) for run in runs))}


@pytest.mark.parametrize("play", HOSTILE, ids=lambda play: play.__name__)
def test_deadline_is_heard(settings: Settings, play: Play) -> None:
    """P7: a task whose time is over ends, also while its request hangs."""
    with playing(play) as address:
        pace = Pace(check_interval=0.2, deadline=time.time() + 0.5, tolerance=60.0)
        assert asyncio.run(outcomes(hub(address, settings), pace)) == {OutOfTime}


@pytest.mark.parametrize("play", HOSTILE, ids=lambda play: play.__name__)
def test_tolerance_is_heard(settings: Settings, play: Play) -> None:
    """P7: what cannot be read for too long is unwatchable, and neither failed nor done."""
    with playing(play) as address:
        pace = Pace(check_interval=0.2, tolerance=0.5)
        assert asyncio.run(outcomes(hub(address, settings), pace)) == {Unwatchable}
