"""The hub: many watch, few ask. Real HTTP, and a clock that leaps from poll to poll."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import math
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from airflow_dbt_rerun.api.client import AsyncDbtClient
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.watch.one import OutOfTime, Over, Unwatchable, WatchOutcome
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtForbiddenError, DbtUnauthorizedError
from airflow_dbt_rerun.watching.shared_polling import MOST_A_MINUTE, MOST_AT_ONCE, Hub, hub_of, rest
from tests.support import local_platform
from tests.watching.runs_server import START, Trouble, World, at_once, story, when, world

FOREIGN = dict.fromkeys(range(5000, 5130), 1e9) | dict.fromkeys(range(5130, 5200), 0.0)
"""Runs of the account that are not watched, newer than all others."""


def ends(count: int, *, after: float = 5.0, apart: float = 1.0) -> dict[int, float]:
    """Lay down runs 1, 2, ... that end one after the other."""
    return {number: after + apart * number for number in range(1, count + 1)}


def until(moment: float, there: World, answer: Callable[[web.Request], web.StreamResponse]) -> Trouble:
    """Trouble from 30 seconds after the start until a moment."""

    async def trouble(request: web.Request) -> web.StreamResponse | None:
        return answer(request) if 30 <= there.time.passed < moment else None

    return trouble


def status(code: int, **headers: str) -> Callable[[web.Request], web.StreamResponse]:
    """Answer with a status and nothing else."""
    return lambda _: web.Response(status=code, headers={k.replace("_", "-"): v for k, v in headers.items()})


def drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    assert request.transport
    request.transport.abort()
    return web.Response()


# --- Many share, each gets what it wants


@story
async def test_each_hears_of_its_run_within_an_interval() -> None:
    """250 runs end at 250 times: each watcher knows within its interval, by a request for each hundred runs."""
    async with world(ends=ends(250)) as there:
        heard = await there.watch(*there.server.ends)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in there.server.ends]
        delays = [moment - end for (_, moment), end in zip(heard, there.server.ends.values(), strict=True)]
        assert 0 <= min(delays) <= max(delays) <= 10 + 1
        polls = [sum(end > 10 * poll - 10 for end in there.server.ends.values()) for poll in range(27)]
        assert len(there.server.asked) <= sum(math.ceil(watched / 100) for watched in polls) + 3


@story
async def test_who_came_together_is_answered_together() -> None:
    """A few dozen requests follow without a pause: the last hundred runs wait no longer than the first."""
    async with world(ends=dict.fromkeys(range(1, 2001), 60.0), by_end="refused") as there:
        await there.watch(*there.server.ends)
        first_poll = [asked for asked in there.server.asked if asked.moment < 8]
        assert len({asked.moment for asked in first_poll}) == 1
        assert {run_id for asked in first_poll for run_id in asked.ids} == set(there.server.ends)


@story
async def test_newcomers_do_not_wake_the_poller_one_by_one() -> None:
    """Entries due after the next poll cost nothing: the list is not searched for each of them."""
    async with world(ends=ends(200)) as there:
        rests = 0

        async def counted(wake: asyncio.Event, seconds: float) -> None:
            nonlocal rests
            rests += 1
            await asyncio.sleep(0)
            if rests > 1:
                await there.time.rest(wake, seconds)
            else:
                await wake.wait()

        there.hub._rest = counted
        tasks = there.start(1)
        await when(lambda: rests > 0)
        for run_id in range(2, 201):
            tasks += there.start(run_id)
            await asyncio.sleep(0)
        assert rests == 1
        tasks += there.start(1, check_interval=0.5)
        await asyncio.gather(*tasks)


@story
async def test_who_comes_later_joins_in() -> None:
    """Watchers that come at different moments soon ask together: no request of their own for each."""
    async with world(ends=dict.fromkeys(range(1, 41), 200.0)) as there:
        tasks = []
        for run_id in there.server.ends:
            tasks += there.start(run_id)
            await there.time.reaches(there.time.passed + 1)
        await asyncio.gather(*tasks)
        sizes = [len(asked.ids) for asked in there.server.asked if 20 <= asked.moment < 200]
        assert sizes == list(range(3, 21))


@story
async def test_who_comes_need_not_wait_for_who_is_there() -> None:
    """A newcomer in the middle of a long pause is asked for in its own time."""
    async with world(ends={7: 2000.0, 8: 5.0}) as there:
        slow = there.start(7, check_interval=1000.0)
        await when(lambda: bool(there.server.asked) and not there.hub._requests)
        ((outcome, moment),) = await there.watch(8)
        assert (outcome, moment) == (Over(8, 10), 11.0)
        await asyncio.gather(*slow)


@story
async def test_one_run_costs_a_get_a_poll() -> None:
    """P8: a single watched run is asked for by its own address, once an interval."""
    async with world(ends={7: 35.0}) as there:
        assert await there.watch(7) == [(Over(7, 10), 41.0)]
        assert [asked.moment for asked in there.server.asked] == [1.0, 11.0, 21.0, 31.0, 41.0]
        assert there.server.times("one") == 5


@story
async def test_two_tasks_may_watch_one_run() -> None:
    """A run is requested once for all its watchers."""
    async with world(ends={7: 5.0, 8: 5.0}) as there:
        assert [outcome for outcome, _ in await there.watch(7, 7, 8)] == [Over(7, 10), Over(7, 10), Over(8, 10)]
        assert [sorted(asked.ids) for asked in there.server.asked] == [[7, 8]] * 3
        assert [asked.limit for asked in there.server.asked] == [2, 1, 2]  # the second counts them


@story
async def test_each_has_its_own_interval() -> None:
    """Who wants to know every minute is not asked for every ten seconds, nor later than in a minute."""
    async with world(ends={7: 300.0, 8: 300.0}) as there:
        slow = there.start(8, check_interval=60.0)
        quick = there.start(7, check_interval=10.0)
        await asyncio.gather(*slow, *quick)
        moments = sorted({asked.moment for asked in there.server.asked if 8 in asked.ids})
        gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
        assert gaps
        assert all(30 <= gap <= 60 for gap in gaps)


@story
async def test_asks_often_where_the_end_is_near() -> None:
    """With the job's usual duration the interval follows the run: slow in its middle, quick at its end."""
    async with world(ends={7: 601.0}) as there:
        ((outcome, moment),) = await there.watch(7, check_interval=60.0, quickest_check_interval=5.0, usual=600.0)
        assert outcome == Over(7, 10)
        assert moment <= 601 + 5
        moments = [asked.moment for asked in there.server.asked]
        gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(moments)]
        assert (max(gaps), min(gaps)) == (60.0, 5.0)
        assert gaps == sorted(gaps, reverse=True)


@story
async def test_the_first_poll_can_wait() -> None:
    """Very short deferrals can be lost in a race of Airflow's scheduler: no poll before ``first_poll_after``."""
    async with world(ends={7: 1.0, 8: 1.0, 9: 99.0}) as there:
        others = there.start(9, check_interval=2.0)
        assert [moment >= 5 for _, moment in await there.watch(7, 8, first_poll_after=5.0)] == [True, True]
        await asyncio.gather(*others)
        assert min(asked.moment for asked in there.server.asked if 7 in asked.ids) >= 5


@story
async def test_polls_drift_apart() -> None:
    """Two triggerers that started at the same time drift apart; no watcher waits longer for it."""
    async with world(ends={7: 100.0}) as there:
        there.dice = 1.0
        await there.watch(7)
        assert [round(asked.moment, 3) for asked in there.server.asked[:4]] == [1.0, 10.5, 20.0, 29.5]


@story
async def test_deadlines_are_kept() -> None:
    """P5: each watch ends at its own deadline, with a last poll."""
    async with world(ends=dict.fromkeys((7, 8, 9), 1e9)) as there:
        tasks = there.start(7, deadline=START + 25) + there.start(8, deadline=START + 38)
        assert [await task for task in tasks] == [(OutOfTime(7), 25.0), (OutOfTime(8), 38.0)]
        assert {asked.moment for asked in there.server.asked} >= {25.0, 38.0}


@story
async def test_few_connections_however_many_watch() -> None:
    """A thousand runs need ten requests a poll: four under way at one moment, on four connections."""

    async def slowly(_: web.Request) -> None:
        await asyncio.sleep(0.002)

    async with world(ends=dict.fromkeys(range(1, 1001), 25.0), by_end="refused", trouble=slowly) as there:
        tasks = there.start(*there.server.ends)
        while len(there.server.asked) < 15:
            await asyncio.sleep(0.001)
            assert there.server.connections <= MOST_AT_ONCE
        await asyncio.gather(*tasks)
        assert there.server.most_at_once == MOST_AT_ONCE
        assert len(there.server.asked) <= 55


# --- What the platform makes of the filters


@pytest.mark.parametrize("by_id", ["ignored", "refused", "forbidden", "unknown", "first only"])
@story
async def test_falls_back_to_the_runs_that_are_going(by_id: str) -> None:
    """``pk__in`` is ignored, refused or misread: runs in progress are listed, and the missing ones requested."""
    async with world(ends=ends(150) | FOREIGN, by_id=by_id) as there:
        heard = await there.watch(*range(1, 151))
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in range(1, 151)]
        assert all(moment - end <= 11 for (_, moment), end in zip(heard, ends(150).values(), strict=True))
        assert there.server.times("id") <= 6
        misread = 148 if by_id == "first only" else 0
        assert there.server.times("one") <= 150 + misread
        assert there.server.times("status") <= 3 * 17 + 3


@story
async def test_no_more_pages_than_runs() -> None:
    """Two runs among a thousand in progress: after two pages single requests are cheaper."""
    crowd = dict.fromkeys(range(5000, 6000), 1e9)
    async with world(ends={1: 45.0, 2: 45.0} | crowd, by_id="refused", by_end="refused") as there:
        assert [outcome for outcome, _ in await there.watch(1, 2)] == [Over(1, 10), Over(2, 10)]
        assert (there.server.times("status"), there.server.times("one")) == (12, 12)


@story
async def test_no_more_pages_than_needed() -> None:
    """Newest runs come first: a page that has all that are watched is the last one."""
    crowd = dict.fromkeys(range(5000, 6000), 1e9)
    runs = crowd | dict.fromkeys(range(9000, 9020), 45.0)
    async with world(ends=runs, by_id="refused", by_end="refused") as there:
        await there.watch(*range(9000, 9020))
        assert sum(asked.by == "status" and asked.moment < 45 for asked in there.server.asked) == 5


@story
async def test_many_ends_at_once_are_no_reason_to_distrust_a_list() -> None:
    """An ended run that is missing from the list of runs in progress does not discredit that list."""
    many, few = dict.fromkeys(range(1, 201), 50.0), dict.fromkeys(range(201, 221), 150.0)
    async with world(ends=many | few | FOREIGN, by_id="refused", by_end="refused") as there:
        await there.watch(*many, *few)
        assert {asked.by for asked in there.server.asked if 70 < asked.moment < 150} == {"status"}


@story
async def test_many_ends_at_once_are_heard_of_at_once() -> None:
    """Also where ``pk__in`` is not understood: those that ended last are listed, a hundred a request."""
    foreign = {5000 + number: 44.0 + number / 1000 for number in range(50)}
    async with world(ends=ends(2000, after=40, apart=0.002) | foreign | FOREIGN, by_id="ignored") as there:
        heard = await there.watch(*range(1, 2001))
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in range(1, 2001)]
        assert max(moment for _, moment in heard) < 44 + 11
        assert there.server.times("end") <= 2 * 21
        assert there.server.times("one") <= 2


@pytest.mark.parametrize("by_end", ["ignored", "refused", "forbidden", "unknown"])
@story
async def test_those_that_ended_are_asked_for_singly_where_they_are_not_listed(by_end: str) -> None:
    """That list is only a saving: where it is of no use, it costs one request a poll, and no end is missed."""
    async with world(ends=ends(30) | FOREIGN, by_id="refused", by_end=by_end) as there:
        heard = await there.watch(*range(1, 31))
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in range(1, 31)]
        assert all(moment - end <= 11 for (_, moment), end in zip(heard, ends(30).values(), strict=True))
        assert there.server.times("one") <= 30
        assert there.server.times("end") <= there.server.times("status")


@pytest.mark.parametrize("lists", ["ignored", "refused"])
@story
async def test_falls_back_to_single_requests(lists: str) -> None:
    """No filter is understood: each run is asked for by itself, and never more often than an account can bear."""
    runs = ends(200, after=60, apart=0.0) | FOREIGN
    async with world(ends=runs, by_id=lists, by_status=lists, by_end=lists) as there:
        heard = await there.watch(*range(1, 201), check_interval=2.0)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in range(1, 201)]
        assert sum(there.server.times(by) for by in ("id", "status", "end")) <= 8
        assert there.server.times("one") >= 1000
        in_a_minute = sum(asked.moment < 60 for asked in there.server.asked)
        assert in_a_minute <= MOST_A_MINUTE + MOST_AT_ONCE


@story
async def test_a_list_is_asked_for_again_after_an_hour() -> None:
    """A refusal may have been a gateway's bad day: the cheap way gets another chance."""
    runs = dict.fromkeys(range(1, 21), 8000.0)
    async with world(ends=runs, by_id="refused", by_end="refused") as there:
        tasks = there.start(*there.server.ends, check_interval=60.0)
        await there.time.reaches(600)
        there.server.by_id = "understood"
        await asyncio.gather(*tasks)
        assert {asked.by for asked in there.server.asked if 30 < asked.moment < 3600} == {"status"}
        assert {asked.by for asked in there.server.asked if asked.moment > 3700} == {"id"}


@story
async def test_a_missing_run_is_asked_for_before_it_is_believed() -> None:
    """P1: a list that lacks a run says nothing about it: at the same moment it is asked for by its address."""
    async with world(ends=dict.fromkeys((7, 8, 9), 1495.0), unlisted={7}) as there:
        assert {outcome for outcome, _ in await there.watch(7, 8, 9)} == {Over(7, 10), Over(8, 10), Over(9, 10)}
        singly = [asked.ids for asked in there.server.asked if asked.by == "one"]
        assert singly == [[7]] * 151
        in_lists = [asked.moment for asked in there.server.asked if asked.by == "id" and 7 in asked.ids]
        assert len(set(in_lists)) == 5  # every five minutes it has another chance
        assert there.server.times("id") <= 151 + 5 * 3


@story
async def test_a_run_that_is_not_there_yet_is_borne() -> None:
    """About one run in a hundred answers 404 just after it was triggered; that passes."""
    async with world(ends={8: 50.0}) as there:
        tasks = there.start(7, 8)
        await there.time.reaches(30)
        there.server.ends[7] = 45.0
        assert [(await task)[0] for task in tasks] == [Over(7, 10), Over(8, 10)]


@story
async def test_a_run_that_is_nowhere_is_unwatchable(caplog: pytest.LogCaptureFixture) -> None:
    """P1: a lasting 404 means that the run's end is unknown. It affects no other watcher and logs no warning."""
    async with world(ends={8: 800.0}) as there:
        (lost, moment), (found, _) = await there.watch(7, 8, tolerance=100.0)
        assert isinstance(lost, Unwatchable)
        assert "404" in lost.reason
        assert 100 < moment < 125
        assert found == Over(8, 10)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# --- Only what has changed


@story
async def test_a_run_crosses_the_wire_once() -> None:
    """A thousand runs, of which most are in progress for long: each is listed at its end, and hardly again."""
    async with world(ends=ends(1000, after=30, apart=0.35)) as there:
        heard = await there.watch(*there.server.ends)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in there.server.ends]
        assert all(moment - there.server.ends[outcome.run_id] <= 11 for outcome, moment in heard)
        assert there.server.listed <= 1000 * 1.15
        polls = len({asked.moment for asked in there.server.asked})
        assert len(there.server.asked) <= (polls + 10) * 1.5


@story
async def test_runs_of_others_are_not_read_where_there_are_many() -> None:
    """The list of ends has thousands of runs that nobody watches: the watched ones are asked for by their ids."""
    strangers = {5000 + number: number / 10 for number in range(3000)}
    async with world(ends=ends(300, after=100, apart=0.1) | strangers) as there:
        heard = await there.watch(*range(1, 301))
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in range(1, 301)]
        assert there.server.times("end") <= 5
        assert there.server.listed <= 300 + 500


@pytest.mark.parametrize("trouble", ["endless", "late"])
@story
async def test_an_end_that_is_not_in_the_list_is_found(trouble: str) -> None:
    """A run cancelled in the queue may have no end, or an end may be listed late: a look finds it, once."""
    runs = ends(300, after=20, apart=0.1) | dict.fromkeys(range(301, 501), 700.0)
    changes: dict[str, Any] = {"endless": set(range(1, 501))} if trouble == "endless" else {"late": 30.0}
    async with world(ends=runs, **changes) as there:
        heard = await there.watch(*runs)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in runs]
        delays = [moment - there.server.ends[outcome.run_id] for outcome, moment in heard]
        assert max(delays[:300]) <= 300 + 11
        assert max(delays[300:]) <= 30 + 11


@story
async def test_a_deleted_run_is_noticed() -> None:
    """P1: a run that vanishes is in no list of ends; it is unwatchable when it was last seen its tolerance ago."""
    async with world(ends=dict.fromkeys(range(1, 151), 2000.0)) as there:
        tasks = there.start(*there.server.ends)
        await there.time.reaches(400)
        del there.server.ends[7]
        lost, moment = await tasks[6]
        assert isinstance(lost, Unwatchable)
        assert 600 < moment - 300 < 700
        assert {type(outcome) for outcome, _ in await asyncio.gather(*tasks[7:])} == {Over}


@story
async def test_a_filter_that_hides_ends_is_noticed() -> None:
    """``status__in`` beside ``pk__in`` lets nothing through: the first look finds out, and no end is late."""
    runs = ends(30, after=20)
    async with world(ends=runs, by_end="refused", by_id_and_status="ignored") as there:
        heard = await there.watch(*runs)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in runs]
        assert all(moment - runs[outcome.run_id] <= 11 for outcome, moment in heard)


@story
async def test_a_run_that_ends_meanwhile_is_no_reason_to_distrust_a_list() -> None:
    """A run ends between the platform's search and its answer: it is listed as ended among those in progress."""
    runs = dict.fromkeys(range(1, 201), 1000.0)
    async with world(ends=runs, by_id="refused", by_end="refused") as there:
        found = there.server._found

        def with_an_ended_one(query: Any, wanted: list[int], by: Any, how: Any) -> list[int]:
            there.server.ends[9000] = 0.0
            return [9000, *found(query, wanted, by, how)]

        there.server._found = with_an_ended_one  # type: ignore[method-assign]
        await there.watch(*runs)
        assert {asked.by for asked in there.server.asked if 10 < asked.moment < 1000} == {"status"}


# --- Trouble


@pytest.mark.parametrize("answer", [status(503), drop], ids=["503", "dropped"])
@story
async def test_a_short_outage_is_a_warning_a_minute(
    answer: Callable[[web.Request], web.StreamResponse], caplog: pytest.LogCaptureFixture
) -> None:
    """Eight minutes without the API: no task notices, and the log has a line a minute, not one for each run."""
    async with world(ends=ends(250, after=600, apart=0.1)) as there:
        there.server.trouble = until(510, there, answer)
        heard = await there.watch(*there.server.ends)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in there.server.ends]
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 8
    assert "250 watched runs" in warnings[0].getMessage()


@story
async def test_a_long_outage_is_unwatchable() -> None:
    """P1: after its own tolerance each watcher hears that nothing is known, with the last error."""
    async with world(ends=dict.fromkeys((7, 8), 1e9)) as there:
        there.server.trouble = until(1e9, there, status(503))
        (first, early), (second, late) = await asyncio.gather(
            *there.start(7, tolerance=60.0), *there.start(8, tolerance=300.0)
        )
        assert isinstance(first, Unwatchable)
        assert isinstance(second, Unwatchable)
        assert "503" in first.reason
        assert 80 < early < 105
        assert 320 < late < 345


@pytest.mark.parametrize(("headers", "pause"), [({"Retry_After": "120"}, 120), ({}, 300)], ids=["told", "untold"])
@story
async def test_throttling_pauses_the_whole_account(headers: dict[str, str], pause: int) -> None:
    """A 429 pauses all requests for ``Retry-After`` seconds, or five minutes; no watcher fails."""
    async with world(ends=ends(350, after=600, apart=0.1)) as there:
        there.server.trouble = until(32, there, status(429, **headers))
        troubled = []

        async def trouble(request: web.Request) -> web.StreamResponse | None:
            answer = await until(32, there, status(429, **headers))(request)
            troubled.extend([] if answer is None else [there.time.passed])
            return answer

        there.server.trouble = trouble
        heard = await there.watch(*there.server.ends)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in there.server.ends]
        assert 1 <= len(troubled) <= MOST_AT_ONCE
        after = [asked.moment for asked in there.server.asked if asked.moment > troubled[-1]]
        assert troubled[0] + pause <= after[0] <= troubled[-1] + pause + 10


@story
async def test_deadlines_are_kept_while_the_account_pauses() -> None:
    """P5: a pause of five minutes does not hold up a deadline."""
    async with world(ends=dict.fromkeys((7, 8), 1e9)) as there:
        there.server.trouble = until(1e9, there, status(429))
        tasks = there.start(7, deadline=START + 70) + there.start(8, deadline=START + 95)
        assert [await task for task in tasks] == [(OutOfTime(7), 70.0), (OutOfTime(8), 95.0)]


@story
async def test_a_new_token_goes_unnoticed() -> None:
    """The token is rotated: the connection is read once more, for all, and the old session is closed."""
    async with world(ends=ends(350, after=60, apart=0.1)) as there:
        tasks = there.start(*there.server.ends)
        await there.time.reaches(30)
        there.server.token = there.token = "second"
        heard = await asyncio.gather(*tasks)
        assert [outcome for outcome, _ in heard] == [Over(run_id, 10) for run_id in there.server.ends]
        assert there.looked_up == 2


@story
async def test_a_token_that_stays_refused_is_raised() -> None:
    """A 401 does not pass by itself: after reading the connection once more it is raised to each watcher."""
    async with world(ends=ends(150), token="another") as there:
        heard = await there.watch(*there.server.ends)
        assert {type(error) for error, _ in heard} == {DbtUnauthorizedError}
        assert (there.server.refusals, there.looked_up) == (1, 1 + 1)


@story
async def test_what_does_not_pass_is_raised_to_those_it_is_about() -> None:
    """A run that may not be read is its watcher's trouble alone."""

    async def trouble(request: web.Request) -> web.StreamResponse | None:
        return web.Response(status=403) if request.path.endswith("/7/") else None

    async with world(ends={7: 35.0, 8: 35.0, 9: 35.0}, unlisted={7}, trouble=trouble) as there:
        (refused, _), *others = await there.watch(7, 8, 9)
        assert isinstance(refused, DbtForbiddenError)
        assert [outcome for outcome, _ in others] == [Over(8, 10), Over(9, 10)]


@story
async def test_a_wrong_connection_reaches_the_watcher() -> None:
    """P1: what goes wrong before the first request is raised as it is."""

    async def make_client() -> AsyncDbtClient:
        raise DbtConfigError("no such connection")

    with pytest.raises(DbtConfigError):
        await Hub(make_client).watch(7, at_once(0.01))


@story
async def test_a_crash_reaches_everybody() -> None:
    """A bug in the hub is heard by all who wait; who comes back, even before all have left, starts afresh."""
    errors = []
    async with world(ends=ends(250, after=100)) as there:

        async def watch_again(run_id: int) -> WatchOutcome:
            try:
                return await there.hub.watch(run_id, at_once(10.0))
            except TypeError as error:
                errors.append(error)
                there.dice = 0.0
                return await there.hub.watch(run_id, at_once(10.0))

        tasks = [asyncio.create_task(watch_again(run_id)) for run_id in there.server.ends]
        await when(lambda: len(there.server.asked) >= 7)
        there.dice = "loaded"  # type: ignore[assignment]
        assert await asyncio.gather(*tasks) == [Over(run_id, 10) for run_id in there.server.ends]
    assert len(errors) == 250


@story
async def test_the_end_of_the_task_reaches_everybody() -> None:
    """If the polling task is cancelled, no watcher waits for ever."""
    async with world(ends=ends(3, after=100)) as there:
        tasks = there.start(*there.server.ends)
        await when(lambda: bool(there.server.asked))
        assert there.hub._poller
        there.hub._poller.cancel()
        assert {str(error) for error, _ in await asyncio.gather(*tasks)} == {"the watcher of dbt runs was stopped"}


# --- Joining and leaving


@story
async def test_who_leaves_disturbs_nobody() -> None:
    """A cancelled watcher leaves at once, even during its request; the others get their outcomes."""
    async with world(ends=ends(60)) as there:
        tasks = there.start(*there.server.ends)
        await when(lambda: bool(there.server.asked))
        cancel(tasks[::2])
        heard = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in heard[::2])
        assert [each[0] for each in heard[1::2] if isinstance(each, tuple)] == [
            Over(run_id, 10) for run_id in range(2, 61, 2)
        ]
        assert all(asked.ids[0] % 2 == 0 for asked in there.server.asked[1:])


@story
async def test_an_answer_for_somebody_who_just_left_disturbs_nobody() -> None:
    """A watcher cancelled while its answer arrives leaves, and the others get their outcomes."""
    async with world(ends=dict.fromkeys(range(1, 11), 0.0)) as there:
        tasks = there.start(*there.server.ends)

        def dice() -> float:
            cancel(tasks[::2])
            return 0.0

        there.hub._dice = dice
        heard = await asyncio.gather(*tasks, return_exceptions=True)
        assert [each[0] for each in heard if isinstance(each, tuple)] == [Over(n, 10) for n in (2, 4, 6, 8, 10)]


@story
async def test_an_error_for_somebody_who_just_left_is_no_noise() -> None:
    """Cancelled in the moment of an error, a watcher hears nothing of it, and neither does the log."""
    async with world(ends=ends(5), token="another") as there:
        tasks = there.start(*there.server.ends)
        outcomes = there.hub._outcomes
        await when(lambda: any(outcome.done() for outcome in outcomes.values()))
        cancel(tasks)
        heard = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in heard} == {asyncio.CancelledError}


@story
async def test_leaving_at_any_moment_leaves_nothing_behind() -> None:
    """The last one may leave while a request is about to begin, or to end: the next one's are not held up by it."""
    async with world(ends=dict.fromkeys(range(1, 1001), 5.0)) as there:
        for turns, gap in itertools.product(range(0, 40, 4), range(5)):
            tasks = there.start(*range(1, 1001, 9))
            await rounds(turns)
            cancel(tasks)
            await rounds(gap)
            assert {outcome for outcome, _ in await there.watch(7, 8)} == {Over(7, 10), Over(8, 10)}
            await when(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@story
async def test_the_last_one_closes_the_session() -> None:
    """Without watchers there is no task and no connection. The next watcher opens a new session."""
    async with world(ends={7: 5.0, 8: 15.0}) as there:
        for turn in (1, 2):
            await there.watch(7, 8)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await no_connections(there)
            assert there.looked_up == turn


async def no_connections(there: World) -> None:
    """Wait until the server has noticed that its connections are closed."""
    async with asyncio.timeout(10):
        await when(lambda: not there.server.connections)


async def rounds(count: int) -> None:
    """Let everything that is ready go on, so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks, as Airflow cancels triggers."""
    for task in tasks:
        task.cancel()


def open_files() -> int:
    """Count this process's open files, sockets among them."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux shows them")
@story
async def test_ten_thousand_watchers_leave_nothing() -> None:
    """Ten times a thousand: some hear of their run, some run out of time, some are cancelled. All is as before."""
    everybody = range(1, 1001)
    async with world(ends={run_id: 1e9 if run_id % 3 else 30.0 for run_id in everybody}) as there:
        await there.watch(3)
        await no_connections(there)
        gc.collect()  # what earlier tests left open is not ours
        files, kept = open_files(), weakref.ref(there.hub)
        for _ in range(10):
            tasks = there.start(*everybody, deadline=there.time.now + 20)
            asyncio.get_running_loop().call_later(0.01, cancel, tasks[::4])
            await asyncio.wait(tasks)
        await no_connections(there)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert open_files() == files
        assert (len(there.hub._list), len(there.hub._outcomes)) == (0, 0)
        there.time.is_busy = bool
        del there.hub, tasks
        gc.collect()
        assert kept() is None


@story
async def test_a_loop_has_one_hub_for_each_key() -> None:
    """Users of one connection and account share a hub, which is dropped when it is no longer referenced."""
    there = World()
    hub = hub_of(("conn", 1), there.make_client)
    assert hub_of(("conn", 1), there.make_client) is hub
    assert hub_of(("conn", 2), there.make_client) is not hub
    gone = weakref.ref(hub)
    del hub
    gc.collect()
    assert gone() is None


@story
async def test_what_all_share_is_in_nobodys_context() -> None:
    """Airflow sorts log lines into tasks' logs by the context they come from: the hub's belong to no task."""
    task = ContextVar("task", default="none")
    seen: list[str] = []
    async with world(ends=ends(1)) as there:
        make_client = there.make_client

        async def noting() -> AsyncDbtClient:
            seen.append(task.get())
            return await make_client()

        there.hub._make_client = noting
        task.set("the first that watches")
        await there.watch(1)
    assert seen == ["none"]


def test_loops_share_nothing() -> None:
    """``dag.test`` runs each trigger in a new event loop: two loops have two hubs."""
    hubs: list[Hub] = []
    both = threading.Barrier(2)

    def live() -> None:
        async def take() -> None:
            hubs.append(hub_of("key", World().make_client))
            both.wait(10)

        asyncio.run(take())

    threads = [threading.Thread(target=live) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hubs) == 2
    assert hubs[0] is not hubs[1]


@story
async def test_rest_ends_when_woken_or_in_time() -> None:
    """The real rest: it can be woken from an endless sleep, and wakes up by itself from any other."""
    wake = asyncio.Event()
    asyncio.get_running_loop().call_soon(wake.set)
    await rest(wake, math.inf)
    await rest(asyncio.Event(), 0.001)


@pytest.mark.parametrize("understood", [True, False])
def test_against_the_local_platform(tmp_path: Path, *, understood: bool) -> None:
    """The documented filters, as a platform that knows dbt's documentation reads them, in real time."""
    jobs = dict.fromkeys(("first", "second", "third", "somebody else's"), "dbt seed; dbt run")
    with local_platform(tmp_path, "--simulate", jobs=jobs) as platform:
        platform.behave(pk_in_understood=understood)
        platform.trouble({"node": "raw_orders", "times": 4, "seconds": 0.5})
        *runs, _ = [platform.trigger(job)["id"] for job in jobs]

        async def make_client() -> AsyncDbtClient:
            return AsyncDbtClient(Settings(platform.base_url, platform.account_id, platform.token), NO_RETRIES)

        async def watch_all() -> list[object]:
            hub = hub_of("local", make_client)
            return await asyncio.gather(*(hub.watch(run_id, at_once(0.1)) for run_id in runs))

        assert asyncio.run(watch_all()) == [Over(run_id, 10) for run_id in runs]
        queries = [request["query"] for request in platform.control("GET", "requests")]
        by_id = sum("pk__in" in query for query in queries)
        assert by_id > 3 if understood else 1 <= by_id <= 3
        assert any("id__gt" in query for query in queries) is not understood
