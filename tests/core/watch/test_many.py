"""Watching many runs, as values: rhythm, company, and the way to ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest

from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.core.watch.many import Need, WatchEntry, Watchlist, shortened, take, to_look_for
from airflow_dbt_rerun.core.watch.one import Missing, Over, Unlisted, Unwatchable, watch
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.core.watch.ways import PAGE, Way, Ways


def place(run_id: int = 7, *, now: float = 0.0, first_after: float = 0.0, interval: float = 10.0) -> WatchEntry:
    """Watch a run, with a tolerance of a hundred seconds from ``now``."""
    pace = Pace(check_interval=interval, tolerance=100.0, first_poll_after=first_after)
    script = watch(run_id, pace, clock=lambda: now, bearable=lambda error: isinstance(error, ConnectionError))
    return WatchEntry.new(run_id, script, pace, now=now)


def watchlist(*places: WatchEntry) -> Watchlist:
    """Put places on a list."""
    made = Watchlist()
    for each in places:
        made.add(each)
    return made


def taken(watched: Watchlist, now: float, most: int | None = PAGE) -> Sequence[WatchEntry]:
    """Take what is due."""
    return take(watched.ready(now), most)


def running(run_id: int = 7, started_at: str | None = None) -> WatchedRun:
    """A run that is not over."""
    return WatchedRun(run_id, 3, started_at)


# --- How often


def test_jitter_never_lengthens() -> None:
    """Chance takes a twentieth at most off a pause, and adds nothing."""
    assert (shortened(0.0), shortened(1.0)) == (1.0, 0.95)


# --- Who is asked for, and when


def test_newcomers_wait_for_company() -> None:
    """The first poll comes after ``first_after`` and at most a second, and leaves most of a short interval."""
    assert (place(first_after=5.0).earliest, place(first_after=5.0).due) == (5.0, 6.0)
    assert place(interval=1.0).due == 0.1


def test_no_run_is_requested_twice_at_once() -> None:
    """Who was taken is not taken again before the answer has come."""
    watched = watchlist(place())
    assert not taken(watched, 0.5)
    assert len(taken(watched, 1.0)) == 1
    assert taken(watched, 1e9) == []
    assert watched.due() == math.inf


def test_an_answer_sets_the_next_poll() -> None:
    """An interval after the answer at the latest, half of it at the earliest."""
    watched = place()
    assert watched.answer(running(), now=3.0) is None
    assert (watched.earliest, watched.due) == (8.0, 13.0)


def test_an_answer_can_be_the_end() -> None:
    """What the run's own watch concludes is passed on."""
    assert place().answer(WatchedRun(7, 20), now=3.0) == Over(7, 20)


def test_errors_are_borne_as_the_watch_bears_them() -> None:
    """Trouble that passes means another poll, trouble that does not is raised."""
    watched = place()
    assert watched.answer(ConnectionError(), now=3.0) is None
    assert watched.due == 13.0
    with pytest.raises(KeyError):
        watched.answer(KeyError(), now=13.0)


def test_tolerance_is_that_of_the_watch() -> None:
    """P1: a place hears that its run is unwatchable when its own tolerance is over."""
    now = iter([0.0, 50.0, 101.0])
    pace = Pace(check_interval=10.0, tolerance=100.0, first_poll_after=0.0)
    script = watch(7, pace, clock=lambda: next(now), bearable=lambda _: True)
    watched = WatchEntry.new(7, script, pace, now=0.0)
    assert watched.answer(ConnectionError("down"), now=0.0) is None
    assert isinstance(watched.answer(ConnectionError("down"), now=0.0), Unwatchable)


def test_company_is_taken_along() -> None:
    """When a watch is due, all that are past half of their interval are included, the most urgent first."""
    first, half, fresh = (place(number, interval=10.0) for number in (1, 2, 3))
    first.answer(running(1), now=0.0)
    half.answer(running(2), now=4.0)
    fresh.answer(running(3), now=6.0)
    watched = watchlist(fresh, half, first)
    assert taken(watched, 9.0) == []
    assert taken(watched, 10.0) == [first, half]
    assert watched.due() == 16.0


def test_a_page_holds_a_hundred_runs() -> None:
    """Runs count, not those who watch them; the most urgent go first, the others stay due."""
    places = [place(number % 150, now=number / 1000) for number in range(300)]
    watched = watchlist(*reversed(places))
    page = taken(watched, 2.0)
    assert {each.run_id for each in page} == set(range(100))
    assert len(page) == 200
    assert {each.run_id for each in taken(watched, 2.0)} == set(range(100, 150))


def test_a_list_of_all_takes_all() -> None:
    """Where a request can ask for any number, it does."""
    assert len(taken(watchlist(*map(place, range(1, 300))), 1.0, None)) == 299


def test_who_must_be_asked_for_alone_is() -> None:
    """A run that no list has goes by itself, at once, and once; the others go without it."""
    alone, others = place(1), [place(2), place(3)]
    watched = watchlist(alone, *others)
    alone.ask_again(1.5, Need.ALONE)
    assert taken(watched, 1.5) == others
    assert taken(watched, 1.5) == [alone]
    alone.answer(running(1), now=1.5)
    assert alone.need is Need.END


def test_who_is_in_no_list_is_not_looked_for_in_lists() -> None:
    """A single run that a list lacks is requested by its address until the next look."""
    watched = place()
    watched.ask_again(10.0, Need.ALONE, apart=True)
    watched.answer(running(), now=10.0)
    assert watched.need is Need.ALONE
    watched.answer(Missing(ConnectionError()), now=59.0)
    assert watched.need is Need.ALONE
    watched.answer(running(), now=60.0)
    assert (watched.need, watched.look_due) == (Need.END, 60.0)


def test_lists_that_changed_get_another_chance() -> None:
    """Where another list is read from now on, it may hold what the old one lacked."""
    watched = place()
    watched.ask_again(10.0, Need.ALONE, apart=True)
    watched.forget_omission()
    watched.answer(running(), now=10.0)
    assert watched.need is Need.END


def test_a_start_has_to_be_known_where_the_pauses_follow_it() -> None:
    """An adaptive interval needs the run's start, once; after that its end is all that is asked for."""
    pace = Pace(check_interval=60.0, quickest_check_interval=5.0, usual=600.0)
    script = watch(7, pace, clock=lambda: 0.0, bearable=lambda _: True)
    watched = WatchEntry.new(7, script, pace, now=0.0)
    watched.answer(WatchedRun(7, 1), now=5.0)
    assert watched.needs_start
    watched.answer(WatchedRun(7, 3, "2026-01-01 00:00:00+00:00"), now=65.0)
    assert watched.need is Need.END


def test_who_was_not_listed_for_long_is_looked_for_with_all() -> None:
    """Half of its tolerance after a run was seen it is looked for, with all the others."""
    early, late = place(1), place(2, now=20.0)
    early.answer(Unlisted.NOT_OVER, now=30.0)
    assert to_look_for([late, early], 49.0) == ()
    assert to_look_for([late, early], 50.0) == [early, late]
    early.answer(Unlisted.IN_PROGRESS, now=50.0)
    assert early.look_due == 100.0


def test_a_slow_platform_is_not_asked_without_pause() -> None:
    """Polls keep their rhythm from request to request, and half of a pause after a late answer."""
    prompt, slow = place(), place()
    prompt.answer(running(), now=3.0, asked=1.0)
    slow.answer(running(), now=30.0, asked=1.0)
    assert (prompt.due, slow.due) == (11.0, 35.0)


def test_singly_means_one() -> None:
    """Where only single requests work, the most urgent run goes."""
    assert taken(watchlist(place(1, now=0.5), place(2)), 5.0, 1)[0].run_id == 2


def test_who_left_is_not_asked_for() -> None:
    """A place that was freed is free."""
    gone, there = place(1), place(2)
    watched = watchlist(gone, there)
    watched.remove(gone)
    assert len(watched) == 1
    assert taken(watched, 5.0) == [there]


@pytest.mark.parametrize("count", [1, 99, 150, 1000, 1001])
def test_requests_grow_with_the_hundreds(count: int) -> None:
    """However they came, N runs soon cost N/100 requests an interval, and none waits longer than an interval."""
    watched = watchlist(*(place(number, now=(number * 7919) % 1000 / 100) for number in range(count)))
    asked: list[float] = []
    last = dict.fromkeys(watched, 0.0)
    while (now := watched.due()) < 120:
        for each in taken(watched, now):
            assert now - last[each] <= 12
            last[each] = now
            each.answer(running(each.run_id), now)
        asked.append(now)
    assert len([moment for moment in asked if moment >= 20]) <= 10 * math.ceil(count / PAGE) + 1
    assert all(earlier <= later for earlier, later in pairwise(asked))


# --- Which way works


def test_ways_are_tried_from_the_cheapest() -> None:
    """By id, then by status, then one by one; the last is never given up."""
    ways, seen = Ways(), []
    for _ in range(4):
        seen.append(ways.best(0.0))
        ways.give_up(seen[-1], 0.0)
    assert seen == [Way.BY_ID, Way.BY_STATUS, Way.SINGLY, Way.SINGLY]


def test_many_may_find_out_at_once() -> None:
    """Four requests under way meet the same refusal: that is one step down, and one piece of news."""
    ways = Ways()
    assert [ways.give_up(Way.BY_ID, 0.0) for _ in range(4)] == [True, False, False, False]
    assert ways.best(0.0) is Way.BY_STATUS


def test_the_cheapest_way_gets_another_chance() -> None:
    """An hour later what was refused is tried again."""
    ways = Ways()
    ways.give_up(Way.BY_ID, 100.0)
    assert ways.best(3700.0) is Way.BY_STATUS
    assert ways.best(3701.0) is Way.BY_ID


def test_a_list_that_leaves_out_what_is_there_is_given_up() -> None:
    """A page of runs that were left out is too many; lists that hold what they are asked for make up for some."""
    ways = Ways()
    for _ in range(1000):
        ways.doubt(0.0)
        ways.trust(Way.BY_ID, 1)
    assert ways.best(0.0) is Way.BY_ID
    for _ in range(PAGE + 1):
        assert ways.best(0.0) is Way.BY_ID
        ways.doubt(0.0)
    assert ways.best(0.0) is Way.BY_STATUS
    ways.doubt(0.0)
    assert ways.best(0.0) is Way.BY_STATUS
