"""Find an awaited run, page by page, with one search for workers and event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta

from airflow_dbt_rerun.api.endpoints import Endpoint, Page, list_runs
from airflow_dbt_rerun.api.paging import Paging
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.awaited_run import LATEST, Awaited

SLACK = timedelta(days=1)
"""How far the requested range reaches into the future, since dbt's clock may be ahead of ours."""

_MOST_PAGES = 50
"""Five thousand runs of one job: a list without an end must not keep a waiting task from its deadline."""

Runs = Endpoint[Page[Run]]
Search = Generator[Runs, Page[Run], Run | None]


def search(awaited: Awaited, now: float) -> Search:
    """Yield the requests to send, and return the run, or None if it does not exist yet.

    :param now: the time in epoch seconds.
    """
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (awaited.since, max(now, awaited.since)))
    paging = Paging(
        list_runs(
            job_id=awaited.job_id,
            created_at=(since, until + SLACK),
            include_related=("trigger",),
            order_by="-id" if awaited.match == LATEST else "id",
        ),
        most=_MOST_PAGES,
    )
    listed: list[Run] = []
    while paging.upcoming is not None:
        page = yield paging.upcoming
        listed += paging.take(page)
        found = awaited.choose(listed)
        if found is not None:
            return found
    return None


def find(send: Callable[[Runs], Page[Run]], awaited: Awaited, now: float) -> Run | None:
    """Search, blocking.

    :raises DbtApiError: any error of ``send``.
    """
    script = search(awaited, now)
    try:
        request = next(script)
        while True:
            request = script.send(send(request))
    except StopIteration as end:
        found: Run | None = end.value
        return found


async def find_async(send: Callable[[Runs], Awaitable[Page[Run]]], awaited: Awaited, now: float) -> Run | None:
    """Search in an event loop.

    :raises DbtApiError: any error of ``send``.
    """
    script = search(awaited, now)
    try:
        request = next(script)
        while True:
            request = script.send(await send(request))
    except StopIteration as end:
        found: Run | None = end.value
        return found
