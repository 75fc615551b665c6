"""Which runs belong to one piece of work."""

from __future__ import annotations

from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger
from airflow_dbt_rerun.core.heal.lineage import CAUSE_MAX_LENGTH, Marker, chain
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


def test_rerun_of_a_run_in_between_is_not_ours() -> None:
    """P3: only a job's newest run can be resumed, so a nameless rerun belongs to the run right before it."""
    assert ids(started_by(MINE, 1), started_by(OTHER, 2), rerun(3, None)) == [1]
    assert ids(started_by(MINE, 1), started_by(OTHER, 2), rerun(3, 1)) == [1, 3]


def test_order_does_not_matter() -> None:
    """The API may list newest first."""
    assert ids(rerun(3, 2), rerun(2, 1), started_by(MINE, 1)) == [1, 2, 3]
