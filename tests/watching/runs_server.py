"""A dbt platform that knows when runs end and no more: real HTTP in the test's own loop, on the test's clock."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, ParamSpec

from aiohttp import web

from airflow_dbt_rerun.api.client import AsyncDbtClient
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.watch.one import WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.watching.shared_polling import Hub

P = ParamSpec("P")
ACCOUNT = 70403103922125
GENEROUS = 60
START = 1_700_000_000.0

By = Literal["one", "id", "status", "end"]
SUCCESS = 10
Filter = Literal["understood", "ignored", "refused", "forbidden", "unknown", "first only"]
REFUSALS = {"refused": 400, "forbidden": 403, "unknown": 404}
Trouble = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class Time:
    """Stands still while requests are under way, and leaps to the next moment when there is nothing to do."""

    def __init__(self) -> None:
        self.now = START
        self.is_busy: Callable[[], bool] = bool

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return self.now - START

    async def reaches(self, seconds: float) -> None:
        """Let everything go on until so many seconds have passed."""
        await when(lambda: self.passed >= seconds)

    def clock(self) -> float:
        """Give epoch seconds."""
        return self.now

    async def rest(self, wake: asyncio.Event, seconds: float) -> None:
        """Rest as a hub does, without waiting."""
        for _ in range(5):
            await asyncio.sleep(0)  # let the notified tasks run first
        if self.is_busy() or math.isinf(seconds):
            await wake.wait()
        elif not wake.is_set():
            self.now += seconds


@dataclass
class Asked:
    """One request: the moment, the runs that were named, and the filter."""

    moment: float
    by: By
    ids: list[int]
    limit: int | None = None


@dataclass
class RunsServer:
    """Answers for runs that end at laid down moments (seconds from the start), with status 10.

    :param by_id: what it makes of ``pk__in``.
    :param by_status: what it makes of ``status__in``, where that names the runs that are going.
    :param by_end: what it makes of it, where that names those that are over.
    :param by_id_and_status: what it makes of ``status__in`` beside another filter.
    :param unlisted: runs that no list has.
    :param endless: runs that have no ``finished_at``, as if they were cancelled in the queue.
    :param late: seconds from a run's end to the first answer that says so.
    :param trouble: answers in the place of the server, if it answers.
    """

    time: Time
    ends: dict[int, float] = field(default_factory=dict)
    by_id: Filter = "understood"
    by_status: Filter = "understood"
    by_end: Filter = "understood"
    by_id_and_status: Filter = "understood"
    unlisted: set[int] = field(default_factory=set)
    endless: set[int] = field(default_factory=set)
    late: float = 0.0
    listed: int = 0
    trouble: Trouble | None = None
    token: str = "first"
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    refusals: int = 0
    base_url: str = ""
    _under_way: int = 0
    _runner: web.AppRunner | None = None

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve for the length of a ``with`` block."""
        application = web.Application()
        application.router.add_get(f"/api/v2/accounts/{ACCOUNT}/runs/", self._counted(self._list))
        application.router.add_get(f"/api/v2/accounts/{ACCOUNT}/runs/{{id}}/", self._counted(self._one))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        yield
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        assert self._runner
        assert self._runner.server
        return len(self._runner.server.connections)

    def times(self, by: str) -> int:
        """Count the requests of one kind."""
        return sum(asked.by == by for asked in self.asked)

    def _counted(
        self, answer: Callable[[web.Request], web.StreamResponse]
    ) -> Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            try:
                troubled = await self.trouble(request) if self.trouble else None
                if troubled is None and request.headers["Authorization"] != f"Token {self.token}":
                    self.refusals += 1
                    return web.Response(status=401)
                return answer(request) if troubled is None else troubled
            finally:
                self._under_way -= 1

        return handle

    def _one(self, request: web.Request) -> web.StreamResponse:
        run_id = int(request.match_info["id"])
        self.asked.append(Asked(self.time.passed, "one", [run_id]))
        return _json(self._state(run_id)) if run_id in self.ends else web.Response(status=404)

    def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = json.loads(request.query.get("pk__in", "[]"))
        ended = SUCCESS in json.loads(request.query.get("status__in", "[]"))
        by: By = "id" if wanted else "end" if ended else "status"
        self.asked.append(Asked(self.time.passed, by, wanted, limit=int(request.query["limit"])))
        how = {"id": self.by_id, "status": self.by_status, "end": self.by_end}[by]
        if how in REFUSALS:
            return web.Response(status=REFUSALS[how])
        found = self._found(request.query, wanted, by, how)
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        page = [self._state(run_id) for run_id in found[offset : offset + limit]]
        self.listed += len(page)
        return _json(page, len(found))

    def _found(self, query: Mapping[str, str], wanted: list[int], by: By, how: Filter) -> list[int]:
        runs = sorted(self.ends.keys() - self.unlisted, reverse=True)
        if how == "ignored" and by != "id":
            return runs
        if by == "id" and how != "ignored":
            chosen = wanted[:1] if how == "first only" else wanted
            runs = [run_id for run_id in runs if run_id in set(chosen)]
        if (statuses := json.loads(query.get("status__in", "[]"))) and self.by_id_and_status == "understood":
            runs = [run_id for run_id in runs if self._is_over(run_id) is (SUCCESS in statuses)]
        if ends := json.loads(query.get("finished_at__range", "[]")):
            runs = [run_id for run_id in runs if self._is_within(run_id, *ends)]
        runs = [run_id for run_id in runs if run_id > int(query.get("id__gt", 0))]
        if query["order_by"].endswith("finished_at"):
            runs.sort(key=lambda run_id: self.ends[run_id], reverse=query["order_by"].startswith("-"))
        return runs

    def _is_over(self, run_id: int) -> bool:
        return self.ends[run_id] + self.late <= self.time.passed

    def _is_within(self, run_id: int, first: str, last: str) -> bool:
        end = self._finished_at(run_id)
        return end is not None and datetime.fromisoformat(first) <= end <= datetime.fromisoformat(last)

    def _finished_at(self, run_id: int) -> datetime | None:
        has_end = self._is_over(run_id) and run_id not in self.endless
        return datetime.fromtimestamp(START + self.ends[run_id], UTC) if has_end else None

    def _state(self, run_id: int) -> dict[str, Any]:
        end = self._finished_at(run_id)
        return {
            "id": run_id,
            "status": SUCCESS if self._is_over(run_id) else 3,
            "started_at": "2023-11-14 22:13:20+00:00",
            "finished_at": None if end is None else end.isoformat(sep=" "),
        }


def _json(data: Any, total: int = 1) -> web.Response:
    return web.json_response({"data": data, "extra": {"pagination": {"total_count": total}}})


class World:
    """A server, a connection that knows its token, and a hub, all on one clock."""

    def __init__(self) -> None:
        self.time = Time()
        self.server = RunsServer(self.time)
        self.token = "first"
        self.looked_up = 0
        self.dice = 0.0
        self.hub = self.new_hub()

    def new_hub(self) -> Hub:
        """Return an unused hub."""
        clock, rest = self.time.clock, self.time.rest
        hub = Hub(self.make_client, clock=clock, timer=clock, rest=rest, dice=lambda: self.dice)
        self.time.is_busy = lambda: bool(hub._requests)
        return hub

    async def make_client(self) -> AsyncDbtClient:
        """Read the connection, as a hook does."""
        self.looked_up += 1
        return AsyncDbtClient(Settings(self.server.base_url, ACCOUNT, self.token), NO_RETRIES)

    def start(self, *run_ids: int, **options: Any) -> list[asyncio.Task[tuple[Any, float]]]:
        """Watch runs, each in a separate task, as triggers do."""
        return [
            asyncio.create_task(self._watch(run_id, **{"check_interval": 10.0, **options})) for run_id in run_ids
        ]

    async def watch(self, *run_ids: int, **options: Any) -> list[tuple[Any, float]]:
        """Watch runs, each for itself, to their ends: outcomes or errors, and seconds from the start."""
        return await asyncio.gather(*self.start(*run_ids, **options))

    async def _watch(self, run_id: int, **options: Any) -> tuple[WatchOutcome | Exception, float]:
        try:
            return await self.hub.watch(run_id, Pace(**{"first_poll_after": 0.0, **options})), self.time.passed
        except Exception as error:  # noqa: BLE001 - checked by the test
            return error, self.time.passed


def at_once(check_interval: float) -> Pace:
    """Make a pace whose first poll comes at once."""
    return Pace(check_interval=check_interval, first_poll_after=0.0)


async def when(condition: Callable[[], bool]) -> None:
    """Let everything go on until a condition holds."""
    while not condition():  # noqa: ASYNC110 - the condition has no event
        await asyncio.sleep(0)


def story(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in a new event loop. It must leave no task and no unretrieved error."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        unheard: list[dict[str, Any]] = []

        async def watched() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
            async with asyncio.timeout(GENEROUS):
                await test(*args, **kwargs)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(watched())
        gc.collect(1)
        assert not unheard

    return run


@contextlib.asynccontextmanager
async def world(**server: Any) -> AsyncIterator[World]:
    """Create a world whose server behaves as scripted."""
    made = World()
    for name, value in server.items():
        setattr(made.server, name, value)
    async with made.server.serving():
        yield made
