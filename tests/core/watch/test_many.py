"""Watching many runs, as values: rhythm, company, and the way to ask."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.core.watch.many import PAGE, WatchEntry, Watchlist, Way, Ways, shortened
from airflow_dbt_rerun.core.watch.one import Over, Unwatchable, watch
from airflow_dbt_rerun.core.watch.pace import Pace


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
    assert watched.take(0.5, PAGE) == ()
    assert len(watched.take(1.0, PAGE)) == 1
    assert watched.take(1e9, PAGE) == ()
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
    assert watched.take(9.0, PAGE) == ()
    assert watched.take(10.0, PAGE) == [first, half]
    assert watched.due() == 16.0


def test_a_page_holds_a_hundred_runs() -> None:
    """Runs count, not those who watch them; the most urgent go first, the others stay due."""
    places = [place(number % 150, now=number / 1000) for number in range(300)]
    watched = watchlist(*reversed(places))
    page = watched.take(2.0, PAGE)
    assert {each.run_id for each in page} == set(range(100))
    assert len(page) == 200
    assert {each.run_id for each in watched.take(2.0, PAGE)} == set(range(100, 150))


def test_a_list_of_all_takes_all() -> None:
    """Where a request can ask for any number, it does."""
    assert len(watchlist(*map(place, range(1, 300))).take(1.0, None)) == 299


def test_who_must_be_asked_for_alone_is() -> None:
    """A run that no list has goes by itself, at once, and once; the others go without it."""
    alone, others = place(1), [place(2), place(3)]
    watched = watchlist(alone, *others)
    alone.ask_again(1.5, alone=True)
    assert watched.take(1.5, PAGE) == others
    assert watched.take(1.5, PAGE) == [alone]
    alone.answer(running(1), now=1.0)
    assert not alone.alone


def test_singly_means_one() -> None:
    """Where only single requests work, the most urgent run goes."""
    assert watchlist(place(1, now=0.5), place(2)).take(5.0, 1)[0].run_id == 2


def test_who_left_is_not_asked_for() -> None:
    """A place that was freed is free."""
    gone, there = place(1), place(2)
    watched = watchlist(gone, there)
    watched.remove(gone)
    assert len(watched) == 1
    assert watched.take(5.0, PAGE) == [there]


@pytest.mark.parametrize("count", [1, 99, 150, 1000, 1001])
def test_requests_grow_with_the_hundreds(count: int) -> None:
    """However they came, N runs soon cost N/100 requests an interval, and none waits longer than an interval."""
    watched = watchlist(*(place(number, now=(number * 7919) % 1000 / 100) for number in range(count)))
    asked: list[float] = []
    last = dict.fromkeys(watched, 0.0)
    while (now := watched.due()) < 120:
        for each in watched.take(now, PAGE):
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
