"""Which runs belong to one piece of work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger
from airflow_dbt_rerun.core.heal.lineage import (
    CAUSE_MAX_LENGTH,
    FoundRerun,
    Marker,
    chain,
    find_rerun,
    uncertain_in,
)
from tests.core.builders import run

MINE, OTHER = Marker.of("dag", "run", "task", -1, 0), Marker.of("dag", "run", "task", -1, 1)


def started_by(marker: Marker, run_id: int, status: int = 20) -> Run:
    """A run that carries a marker."""
    return run(run_id, status, trigger=RunTrigger(marker.cause("because"), "api"))


def rerun(run_id: int, of_run: int | None, status: int = 20) -> Run:
    """A rerun from failure: no cause of ours, and its parent named or null."""
    return run(run_id, status, retrying_run_id=of_run, trigger=RunTrigger("", "rerun"))


def ids(*runs: Run) -> list[int]:
    """The ids of the chain among these runs."""
    return [each.id for each in chain(runs, MINE)]


def test_marker_is_the_same_for_the_same_work_only() -> None:
    """P2: the same dag, run, task, map index and life give the same marker, another life another one."""
    assert Marker.of("dag", "run", "task", -1, 0) == MINE
    assert MINE != OTHER
    assert Marker.of("ab", "c") != Marker.of("a", "bc")


def test_long_cause_keeps_its_marker() -> None:
    """The platform's 255 characters cut the words, never the marker."""
    cause = MINE.cause("x" * 500)
    assert len(cause) == CAUSE_MAX_LENGTH
    assert MINE.is_in(run(trigger=RunTrigger(cause)))


def test_only_marked_runs_are_ours() -> None:
    """P3: runs of other tasks, other lives and people are not ours."""
    assert ids(started_by(OTHER, 1), run(2), started_by(MINE, 3), run(4, trigger=None)) == [3]


def test_reruns_belong_to_the_run_they_resume() -> None:
    """A rerun from failure carries no cause: it is known by its parent's id."""
    assert ids(started_by(MINE, 1), rerun(2, 1), rerun(3, 2)) == [1, 2, 3]
    assert ids(started_by(MINE, 1), rerun(2, 77)) == [1]


def test_rerun_without_a_parent_is_known_by_its_cause_category() -> None:
    """Where the platform leaves retrying_run_id null, a newer run of cause category rerun is taken for it."""
    assert ids(started_by(MINE, 1), rerun(2, None)) == [1, 2]
    assert ids(started_by(MINE, 1, status=10), rerun(2, None)) == [1]
    assert ids(rerun(1, None)) == []


def refused(run: Run) -> Run:
    """A failed run that dbt does not resume since the job has a newer one, which has not succeeded."""
    return replace(run, can_retry=False, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")


def test_rerun_of_a_run_in_between_is_not_ours() -> None:
    """P3: where only a job's newest run can be resumed, a nameless rerun belongs to the run right before it."""
    assert ids(refused(started_by(MINE, 1)), started_by(OTHER, 2), rerun(3, None)) == [1]
    assert ids(refused(started_by(MINE, 1)), started_by(OTHER, 2), rerun(3, 1)) == [1, 3]


def test_rerun_that_may_be_ours_is_uncertain() -> None:
    """P2: where an older failed run can be resumed as well, a nameless rerun is ours or unclear."""
    runs = (started_by(MINE, 1), started_by(OTHER, 2), rerun(3, None))
    found = find_rerun(runs[0], runs)
    assert found == FoundRerun(runs[2], certain=False)
    assert uncertain_in(runs, chain(runs, MINE)) == {3}
    adjacent = (run(1, 20), started_by(MINE, 2), rerun(3, None))
    assert find_rerun(adjacent[1], adjacent) == FoundRerun(adjacent[2], certain=False)


def test_rerun_after_a_newer_success_is_not_ours() -> None:
    """Under both readings a run cannot be resumed once a newer one has succeeded."""
    success = run(2, 10, finished_at="2026-01-01 00:00:00+00:00")
    later = replace(rerun(4, None), created_at="2026-01-01 01:00:00+00:00")
    assert find_rerun(started_by(MINE, 1), (started_by(MINE, 1), success, run(3, 20), later)) is None
    earlier = replace(later, created_at="2025-12-31 23:00:00+00:00")
    assert find_rerun(started_by(MINE, 1), (started_by(MINE, 1), success, run(3, 20), earlier)) is not None


def test_rerun_with_other_overrides_is_not_ours() -> None:
    """What it shows of another schema rules it out."""
    elsewhere = replace(rerun(3, None), trigger=RunTrigger("", "rerun", {"schema_override": "client_b"}))
    assert find_rerun(started_by(MINE, 1), (started_by(MINE, 1), started_by(OTHER, 2), elsewhere)) is None


def test_order_does_not_matter() -> None:
    """The API may list newest first."""
    assert ids(rerun(3, 2), rerun(2, 1), started_by(MINE, 1)) == [1, 2, 3]


def at(minute: int) -> str:
    """A moment, as the API writes it."""
    return f"2026-01-01 00:{minute:02}:00+00:00"


@pytest.mark.parametrize("of_run", [1, None])
def test_newer_of_two_alike_reruns_counts(of_run: int | None) -> None:
    """A job's runs follow each other: what the last one did is what has become of the work."""
    older = replace(rerun(2, of_run), created_at=at(1), finished_at=at(5))
    newer = replace(rerun(3, of_run, status=3), created_at=at(2))
    runs = (started_by(MINE, 1), older, newer)
    assert find_rerun(runs[0], runs) == FoundRerun(newer)
    assert ids(*runs) == [1, 3]


@pytest.mark.parametrize("of_run", [2, None])
def test_rerun_of_a_rerun_is_found_step_by_step(of_run: int | None) -> None:
    """What resumes the first rerun is not a second rerun of the run before."""
    older = replace(rerun(2, of_run and 1), created_at=at(1), finished_at=at(5))
    newer = replace(rerun(3, of_run, status=3), created_at=at(6))
    runs = (started_by(MINE, 1), older, newer)
    assert find_rerun(runs[0], runs) == FoundRerun(older)
    assert ids(*runs) == [1, 2, 3]


def test_line_that_leads_to_the_newest_run_counts() -> None:
    """Somebody resumes the failed run again while our rerun fails: ours was resumed last."""
    assert ids(started_by(MINE, 1), rerun(2, 1), rerun(3, 1), rerun(4, 2)) == [1, 2, 4]


def test_run_that_the_work_repairs_is_not_part_of_its_chain() -> None:
    """Whoever started it: it is only where the chain begins."""
    runs = (started_by(MINE, 1), rerun(2, 1))
    assert [each.id for each in chain(runs, MINE, after=1)] == [2]
