"""What is new since the last time."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.watch import new_runs as newcomers
from airflow_dbt_rerun.core.watch.new_runs import NewRuns


def test_each_run_is_told_once_to_each() -> None:
    """Two who ask at their own pace hear of the same jobs, and of none twice."""
    seen = NewRuns(100)
    often = seldom = seen.now
    seen.see([(102, 7), (101, 8)])
    assert seen.since(often) == {7, 8}
    often = seen.now
    seen.see([(103, 9), (102, 7), (101, 8)])
    assert (seen.since(often), seen.since(seldom)) == ({9}, {7, 8, 9})
    assert seen.since(seen.now) == set()


def test_what_was_there_before_is_no_news() -> None:
    """A filter on ids may be ignored: older runs are none of the new ones."""
    seen = NewRuns(100)
    seen.see([(101, 1), (100, 2), (99, 3)])
    assert seen.since(0) == {1}


def test_a_run_may_be_listed_later_than_a_newer_one() -> None:
    """The next read goes back that far, and reports the late run as new."""
    seen = NewRuns(100)
    seen.see([(105, 1)])
    assert seen.after < 104
    position = seen.now
    seen.see([(105, 1), (104, 2)])
    assert seen.since(position) == {2}


def test_what_is_read_again_does_not_grow() -> None:
    """Each read that finds nothing new reads less, in the end nothing."""
    seen = NewRuns(100)
    seen.see([(number, 1) for number in range(101, 200)])
    seen.see([(number, 1) for number in range(101, 200)])
    assert seen.after == 199
    seen.see([])
    assert (seen.after, seen.now) == (199, 99)


def test_who_did_not_ask_for_long_has_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten; that is said, and not taken for "nothing new"."""
    monkeypatch.setattr(newcomers, "MOST", 3)
    seen = NewRuns(0)
    start = seen.now
    seen.see([(1, 10), (2, 20), (3, 30)])
    middle = seen.now
    assert seen.since(start) == {10, 20, 30}
    seen.see([(4, 40)])
    assert seen.since(start) is None
    assert seen.since(middle) == {40}
