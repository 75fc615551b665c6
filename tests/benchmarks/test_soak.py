"""The soak judges rightly. Its figures are printed by ``make soak``."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks._soak import memory
from benchmarks._soak.judge import Ending, problems, work_of
from benchmarks._soak.plan import SHAPES, Piece, pieces, trouble
from benchmarks._soak.schedule import FAULTS_END, schedule
from tests.support import Json

HEALABLE = Piece(1, 0, "blocking", 0, "passes", 3.0)
HOPELESS = Piece(2, 0, "single_blocking_0", -1, "lasting", 3.0)


def dice(seed: int) -> Random:
    """Throw what a seed says."""
    return Random(seed)  # noqa: S311 - a schedule, no secret


def run(number: int, cause: str = "", *, resumes: int | None = None, status: int = 20) -> Json:
    """Give a run as the platform lists it."""
    of = {"retrying_run_id": resumes, "trigger": {"cause": cause}}
    return {"id": number, "is_complete": status >= 10, "status": status, **of}


FIRST, AGAIN = run(1, "[dbt-rerun 0a] by a task"), run(2, resumes=1, status=10)
HEALED = Ending(HEALABLE, "success", 1, "done", runs=[FIRST, AGAIN])


def test_healed_task_and_explained_reds_are_right() -> None:
    """A red task is right if it was laid down so, or if a person marked it."""
    laid_down = Ending(HOPELESS, "failed", 1, runs=[FIRST])
    marked = Ending(HEALABLE, "failed", 1, marked=True, runs=[FIRST])
    assert problems([HEALED, laid_down, marked]) == []


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(HEALABLE, "success", 1, "not done", runs=[FIRST]), "green, but its work is not done"),
        (Ending(HEALABLE, "success", 1, "not verifiable", runs=[FIRST]), "green, but its work is not verifiable"),
        (Ending(HEALABLE, "failed", 7, runs=[FIRST]), "red after 7 tries, though a rerun could heal it"),
        (Ending(HOPELESS, "failed", 1, runs=[FIRST, AGAIN]), "red, though one of its runs succeeded"),
        (Ending(HEALABLE, "deferred", 1, runs=[FIRST]), "left deferred"),
        (Ending(HEALABLE, None, 0), "left None"),
        (Ending(HOPELESS, "failed", 1, runs=[run(1, status=3)]), "dbt runs [1] are still in progress"),
    ],
)
def test_what_is_wrong_is_named(ending: Ending, words: str) -> None:
    """With the task, as Airflow names it."""
    [line] = problems([ending])
    assert line.startswith("wave_00.")
    assert line.endswith(words)


@pytest.mark.parametrize(
    "twice",
    [
        [FIRST, AGAIN, run(3, resumes=1, status=10)],
        [FIRST, run(2, "[dbt-rerun 0a>1] once"), run(3, "[dbt-rerun 0a>1] again")],
    ],
)
def test_work_that_is_started_twice_is_counted(twice: list[Json]) -> None:
    """A second retry of a run, and a second repair of one."""
    [line] = problems([Ending(HEALABLE, "success", 1, "done", runs=twice)])
    assert "started 2 times" in line


def test_each_clear_permits_one_more_first_run() -> None:
    """A cleared task begins afresh; without a clear that is a second start of the same work."""
    lives = [FIRST, run(2, "[dbt-rerun 0b] by a task", status=10)]
    assert problems([Ending(HEALABLE, "success", 1, "done", clears=1, runs=lives)]) == []
    [line] = problems([Ending(HEALABLE, "success", 1, "done", runs=lives)])
    assert line.endswith("begun 2 times, but cleared 0 times")


def test_work_is_named_by_what_it_is_for() -> None:
    """What a run resumes says more than its cause."""
    named = [work_of(each) for each in (FIRST, AGAIN, run(3, "[dbt-rerun 0a>1] why"), run(4, "scheduled"))]
    assert named == ["first run for 0a", "retry of run 1", "repair of run 1 for 0a", "scheduled by dbt"]


def test_flat_memory_is_told_from_growing() -> None:
    """The first third does not count, a short life is not judged, and a leak is named."""
    imports = [50.0 * number for number in range(10)] + [500.0] * 20
    leak = [500.0 + 10 * number for number in range(30)]
    samples = {("worker", 1): imports, ("scheduler", 2): leak, ("triggerer", 3): leak[: memory.LEAST_SAMPLES - 1]}
    assert memory.growing(samples) == ["scheduler, process 2: its RSS grew from 645 to 745 MB"]


def test_the_same_seed_lays_down_the_same() -> None:
    """Tasks of all shapes, and events in order that end before the soak does."""
    laid_down = pieces(300, dice(1))
    assert laid_down == pieces(300, dice(1)) != pieces(300, dice(2))
    assert {piece.task_id.rstrip("_0123456789") for piece in laid_down} == set(SHAPES)
    assert len({piece.place for piece in laid_down}) == 300
    assert len({each["node"] for each in trouble(laid_down)}) == 300
    events = schedule(30, 10, dice(1))
    assert events == schedule(30, 10, dice(1)) == sorted(events)
    assert max(event.moment for event in events) <= 1_800 * (FAULTS_END + 0.05)
