"""Asking only for ends, as values: what is asked, what is believed, and which list is the cheaper one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.core.watch.changes import (
    Changes,
    Found,
    Listed,
    MisreadError,
    Question,
    Questions,
    TooLongError,
    ended_of,
    ended_since,
    in_progress,
)
from airflow_dbt_rerun.core.watch.covered import Covered
from airflow_dbt_rerun.core.watch.ways import Way


def over(run_id: int, end: float | None) -> WatchedRun:
    """Give a run that has ended at a time, in epoch seconds."""
    at = None if end is None else datetime.fromtimestamp(end, UTC).isoformat()
    return WatchedRun(run_id, 10, None, at)


def asked(script: Questions, *answers: Sequence[Listed]) -> tuple[Found, list[Sequence[Question]]]:
    """Answer each turn of a script; return what it found, and what it asked."""
    questions = [next(script)]
    for answer in answers:
        try:
            questions.append(script.send(answer))
        except StopIteration as end:
            return end.value, questions
    raise AssertionError(f"it asks on: {questions[-1]}")


def page(*states: WatchedRun, total: int | None = None) -> Listed:
    """Give one page, by default the only one."""
    return Listed(states, len(states) if total is None else total)


def test_by_id_only_what_was_asked_for_is_believed() -> None:
    """P1: another run in the answer means that ``pk__in`` was ignored."""
    found, _ = asked(ended_of([7, 8]), [page(over(7, 50.0))])
    assert (list(found.states), found.end) == ([7], 50.0)
    with pytest.raises(MisreadError):
        asked(ended_of([7, 8]), [page(over(7, 50.0), over(9, 60.0))])


def test_the_first_list_has_all_that_are_not_older() -> None:
    """Without a known end, all ended runs from the lowest watched id on are read, the further pages at once."""
    states = [over(100 + n, 1000.0 + n) for n in range(250)]
    first, *rest = (page(*states[at : at + 100], total=250) for at in (0, 100, 200))
    found, questions = asked(ended_since([107, 101], None, 5), [first], rest)
    assert (len(found.states), found.end) == (250, 1249.0)
    assert (questions[0][0].after, questions[0][0].since) == (100, None)
    assert [question.offset for question in questions[1]] == [100, 200]


@pytest.mark.parametrize(
    "answer",
    [
        page(),
        page(over(1, 99.0)),
        page(over(1, 300.0), over(2, 200.0)),
        page(over(1, 200.0), WatchedRun(2, 3)),
        page(over(1, 200.0), total=2),
        page(over(1, None)),
        Listed((over(1, 200.0),), None),
    ],
    ids=["lacks the known end", "too early", "not in order", "in progress", "not whole", "no end", "no total"],
)
def test_a_list_that_does_not_keep_its_word_is_not_believed(answer: Listed) -> None:
    """P1: a filter or an order that is ignored, or a page that lacks a run: then nothing is concluded from it."""
    with pytest.raises(MisreadError):
        asked(ended_since([1, 2], 100.0, 5), [answer])


def test_a_list_that_is_too_long_is_left() -> None:
    """One page tells how many there are."""
    with pytest.raises(TooLongError):
        asked(ended_since([1], 100.0, 2), [page(over(1, 200.0), total=301)])


def test_only_a_right_count_proves_that_all_are_there() -> None:
    """One run is listed, and one of those that were asked for; the platform counts the others."""
    found, questions = asked(in_progress([7, 8]), [page(WatchedRun(8, 3), total=2)])
    assert (found.states, questions[0][0].limit) == ({}, 1)
    for wrong in (
        page(WatchedRun(8, 3), total=1),
        page(WatchedRun(9, 3), total=2),
        Listed((WatchedRun(8, 3),), None),
    ):
        with pytest.raises(MisreadError):
            asked(in_progress([7, 8]), [wrong])


def test_the_cheaper_list_is_read() -> None:
    """A hundred runs are asked for by id; for more, it depends on how many others have ended."""
    changes = Changes()
    assert changes.best(100, 0.0, by_id=True) is Way.ENDED_BY_ID
    assert changes.best(101, 0.0, by_id=True) is Way.ENDED_LIST
    found = Found({n: over(n, 200.0 + n) for n in range(60)}, 259.0, Question(statuses=(), since=100.0))
    changes.note_others(found, range(60), 0.0)
    assert changes.best(300, 10.0, by_id=True) is Way.ENDED_BY_ID
    assert changes.best(500, 10.0, by_id=True) is Way.ENDED_LIST
    assert changes.best(300, 10.0, by_id=False) is Way.ENDED_LIST
    assert changes.best(300, 2000.0, by_id=True) is Way.ENDED_LIST


def test_what_fails_gets_another_chance_after_an_hour() -> None:
    """A closed way is left out, and neither is better than one that is wrong."""
    changes = Changes()
    assert changes.close(Way.ENDED_LIST, 0.0)
    assert not changes.close(Way.ENDED_LIST, 1.0)
    assert changes.best(1000, 10.0, by_id=True) is Way.ENDED_BY_ID
    assert changes.best(1000, 10.0, by_id=False) is None
    assert changes.best(1000, 3602.0, by_id=True) is Way.ENDED_LIST


def test_the_list_is_read_again_as_far_back_as_it_was_late() -> None:
    """A run that ended before others, and was seen in progress after them, was listed late."""
    changes = Changes()
    assert changes.since([1000.0, 1010.0]) == 999.75
    assert changes.since([1000.0, None]) is None
    changes.learn(over(7, 990.0), 1000.0, 0.0)
    assert changes.since([1000.0]) == 980.0
    changes.learn(over(7, 100.0), 1000.0, 0.0)
    assert changes.best(1000, 1.0, by_id=True) is Way.ENDED_BY_ID


def test_a_run_without_an_end_closes_the_list() -> None:
    """It would never be listed, so the list of ends is no longer read."""
    changes = Changes()
    changes.learn(over(7, None), None, 0.0)
    assert changes.best(1000, 1e9, by_id=True) is Way.ENDED_BY_ID


@pytest.mark.parametrize("end", [-1e12, 253402300799.0])
def test_an_end_outside_the_calendar_is_harmless(end: float) -> None:
    """P12: whatever a platform writes, a request can be made of it."""
    since: Any = Changes().since([end])
    assert datetime.fromtimestamp(since, UTC)


def test_what_lists_have_told_holds_for_new_watches() -> None:
    """A new run with a higher id has outlived the last end that was read, unless it was listed itself."""
    covered = Covered()
    covered.start(100, [over(101, 50.0)], 50.0)
    covered.go_on(49.0, [over(102, 60.0)], 60.0)
    assert [covered.outlived(run_id) for run_id in (100, 101, 102, 103)] == [None, None, None, 60.0]
    covered.go_on(61.0, [], None)
    assert covered.outlived(103) is None
