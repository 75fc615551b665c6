"""The cursor reports no run twice, and omits none that dbt lists in time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger
from airflow_dbt_rerun.core.watch.ended_runs import LATE, Cursor, RunFilter, run_payload

START = 1_700_000_000.0
ALL = RunFilter()


def run(run_id: int, end: float | None, **fields: Any) -> Run:
    """Make a run that ended so many seconds after the start."""
    finished_at = None if end is None else str(datetime.fromtimestamp(START + end, UTC))
    return Run(**{"id": run_id, "job_id": 7, "status": 10, "finished_at": finished_at, **fields})


def told(cursor: Cursor, *runs: Run) -> tuple[list[int], Cursor]:
    """Read runs once; return what is reported, and the cursor after a round trip through JSON."""
    news = cursor.news(runs, ALL)
    kept = Cursor.from_dict(json.loads(json.dumps(cursor.after(runs, news).to_dict())))
    assert kept is not None
    return [each.id for each in news], kept


def test_ends_are_told_in_their_order() -> None:
    """The earliest end first, whatever order the list has."""
    assert told(Cursor.new(START), run(1, 9), run(2, 5), run(3, 5))[0] == [2, 3, 1]


def test_past_is_left_alone() -> None:
    """Runs that ended before the first start are not reported, however often they are read."""
    assert told(Cursor.new(START), run(1, -1), run(2, 0))[0] == [2]


def test_list_that_is_late_misses_nothing() -> None:
    """A run listed some minutes after later ends is still reported, and those are not reported again."""
    _, cursor = told(Cursor.new(START), run(1, 400))
    assert told(cursor, run(1, 400), run(2, 400 - LATE + 1))[0] == [2]
    assert told(cursor, run(3, 400 - LATE - 1))[0] == []


NO_CURSORS: list[Any] = [
    None,
    "x",
    7,
    [],
    {},
    {"start": "x", "until": 1, "told": {}},
    {"start": 1, "until": 1, "told": [1]},
]


@pytest.mark.parametrize("kept", NO_CURSORS, ids=str)
def test_what_is_no_cursor_is_known_as_such(kept: Any) -> None:
    """Foreign content is neither an error nor a cursor."""
    assert Cursor.from_dict(kept) is None


@pytest.mark.parametrize("end", [None, "soon"])
def test_run_without_an_end_is_not_told(end: str | None) -> None:
    """An unreadable end is skipped, and the other runs are reported."""
    odd = replace(run(1, 5), finished_at=end)
    assert told(Cursor.new(START), odd, run(2, 6))[0] == [2]


def test_going_run_is_not_told() -> None:
    """A status that is not terminal, or unknown, is not an end."""
    assert told(Cursor.new(START), run(1, 5, status=3), run(2, 5, status=77))[0] == []


def test_memory_stays_small() -> None:
    """What ended long before the latest end is forgotten; it is not read again either."""
    cursor = Cursor.new(START)
    for number in range(1, 1000):
        _, cursor = told(cursor, run(number, number * 60))
    assert len(cursor.told) == LATE / 60 + 1
    assert cursor.since == START + 999 * 60 - LATE


def test_restart_after_long_leaves_out_what_is_old() -> None:
    """``resumed`` sets the earliest end; a cursor that is younger than that stays as it is."""
    cursor = Cursor.new(START).resumed(START + 100)
    assert told(cursor, run(1, 99), run(2, 101))[0] == [2]
    assert Cursor.new(START).resumed(START - 100) == Cursor.new(START)


@pytest.mark.parametrize(
    ("selection", "fields", "has"),
    [
        (RunFilter(job_ids=[7]), {}, True),
        (RunFilter(job_ids=[8]), {}, False),
        (RunFilter(statuses=[20]), {}, False),
        (RunFilter(environment_id=3), {"environment_id": 3}, True),
        (RunFilter(environment_id=3), {}, False),
        (RunFilter(project_id=3), {"project_id": 4}, False),
        (ALL, {"trigger": RunTrigger("by hand", "rerun")}, False),
        (ALL, {"trigger": RunTrigger("[dbt-rerun 12>3] x", "api")}, False),
        (ALL, {"trigger": RunTrigger("not [dbt-rerun 12] x", "api")}, True),
        (ALL, {"retrying_run_id": 1}, False),
        (RunFilter(include_reruns=True), {"retrying_run_id": 1}, True),
    ],
)
def test_selection(selection: RunFilter, fields: dict[str, Any], *, has: bool) -> None:
    """Each condition for itself; a rerun is known by any of its three marks."""
    assert selection.has(run(1, 5, **fields)) is has


def test_payload_words() -> None:
    """The status is dbt's word, the moment ISO 8601 in UTC, whatever form dbt gave it."""
    payload = run_payload(
        run_id=1, job_id=2, job_name=None, status=30, finished_at="2024-05-27 12:42:16+02:00", url="u"
    )
    assert (payload["status"], payload["finished_at"]) == ("Cancelled", "2024-05-27T10:42:16+00:00")
    assert run_payload(run_id=1, job_id=2, job_name=None, status=3, finished_at=None)["status"] is None


@given(
    ends=some.lists(some.integers(0, 2000), max_size=30),
    lateness=some.lists(some.integers(0, int(LATE) - 1), min_size=30, max_size=30),
    polls=some.lists(some.integers(1, 700), min_size=1, max_size=12),
)
def test_whatever_the_moments_each_is_told_once(ends: list[int], lateness: list[int], polls: list[int]) -> None:
    """Any ends, listed less than five minutes late, read at any moments, the cursor kept in between: each once."""
    runs = [(run(number, end), end + late) for number, (end, late) in enumerate(zip(ends, lateness, strict=False))]
    cursor, now, seen = Cursor.new(START), 0, list[int]()
    for pause in [*polls, 4000]:
        now += pause
        listed = [each for each, since in runs if since <= now and (each.finished_at or "") >= _text(cursor.since)]
        news, cursor = told(cursor, *listed)
        seen += news
    assert sorted(seen) == [each.id for each, _ in runs]


def _text(moment: float) -> str:
    return str(datetime.fromtimestamp(moment, UTC))
