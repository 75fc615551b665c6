"""Find the run that somebody waits for: one search for workers and for event loops, page after page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta

from airflow_dbt_rerun.api.endpoints import Endpoint, Page, list_runs, next_page
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.awaited_run import LATEST, Awaited

SLACK = timedelta(days=1)
"""The range that is asked for ends in the future: dbt's clock need not be ours."""

Runs = Endpoint[Page[Run]]
Search = Generator[Runs, Page[Run], Run | None]


def search(awaited: Awaited, now: float) -> Search:
    """Say what to ask, and give the run in the end, or None if it is not there yet.

    :param now: epoch seconds.
    """
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (awaited.since, max(now, awaited.since)))
    upcoming: Runs | None = list_runs(
        job_id=awaited.job_id,
        created_at=(since, until + SLACK),
        include_related=("trigger",),
        order_by="-id" if awaited.match == LATEST else "id",
    )
    listed: list[Run] = []
    while upcoming is not None:
        page = yield upcoming
        listed.extend(page)
        found = awaited.choose(listed)
        if found is not None:
            return found
        upcoming = next_page(upcoming, page)
    return None


def find(send: Callable[[Runs], Page[Run]], awaited: Awaited, now: float) -> Run | None:
    """Search, blocking.

    :raises DbtApiError: what ``send`` raises.
    """
    script = search(awaited, now)
    try:
        asked = next(script)
        while True:
            asked = script.send(send(asked))
    except StopIteration as end:
        found: Run | None = end.value
        return found


async def find_async(send: Callable[[Runs], Awaitable[Page[Run]]], awaited: Awaited, now: float) -> Run | None:
    """Search in an event loop.

    :raises DbtApiError: what ``send`` raises.
    """
    script = search(awaited, now)
    try:
        asked = next(script)
        while True:
            asked = script.send(await send(asked))
    except StopIteration as end:
        found: Run | None = end.value
        return found
