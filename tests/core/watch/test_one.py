"""Watching one run: intervals, deadline, and trouble that is borne for a time."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.one import OutOfTime, Over, Poll, Sleep, Unwatchable, WatchOutcome, watch
from airflow_dbt_rerun.core.watch.pace import Pace
from tests.core.builders import run


def play(
    answers: list[Run | Exception], *, tolerance: float = 100.0, deadline: float | None = None
) -> tuple[WatchOutcome, list[float]]:
    """Drive the watch with these answers, the last one for ever; give its outcome and its pauses."""
    now, pauses = 0.0, []
    script = watch(
        101,
        Pace(check_interval=10.0, tolerance=tolerance, deadline=deadline),
        clock=lambda: now,
        bearable=lambda error: isinstance(error, ConnectionError),
    )
    request, remaining = next(script), list(answers)
    try:
        while True:
            if isinstance(request, Poll):
                request = script.send(remaining.pop(0) if len(remaining) > 1 else remaining[0])
            else:
                assert isinstance(request, Sleep)
                pauses.append(request.seconds)
                now += request.seconds
                request = next(script)
    except StopIteration as end:
        outcome: WatchOutcome = end.value
        return outcome, pauses


@pytest.mark.parametrize("status", [10, 20, 30])
def test_ends_with_the_run(status: int) -> None:
    """The watch polls first, then at its interval, until the run is over."""
    outcome, pauses = play([run(status=3), run(status=3), run(status=status)])
    assert outcome == Over(101, status)
    assert pauses == [10.0, 10.0]


def test_short_trouble_goes_unnoticed() -> None:
    """An outage shorter than the tolerance does not fail the watch."""
    outcome, _ = play([run(status=3), *[ConnectionError("down")] * 9, run(status=10)])
    assert outcome == Over(101, 10)


def test_long_trouble_is_unwatchable() -> None:
    """P1: after the tolerance the run counts as unwatchable, with the last error; never as failed."""
    outcome, pauses = play([run(status=3), ConnectionError("down")])
    assert isinstance(outcome, Unwatchable)
    assert "down" in outcome.reason
    assert sum(pauses) <= 100.0 + 20.0


def test_each_answer_renews_the_tolerance() -> None:
    """Only time without any answer counts."""
    trouble: list[Run | Exception] = [*[ConnectionError("down")] * 9, run(status=3)]
    outcome, _ = play([*trouble, *trouble, run(status=10)])
    assert outcome == Over(101, 10)


def test_other_errors_are_raised() -> None:
    """An error that will not pass by itself (401, a bug) is not borne."""
    with pytest.raises(KeyError):
        play([KeyError("bug")])


def test_deadline_is_kept() -> None:
    """P5: the watch ends at its deadline, with a last poll at that moment."""
    outcome, pauses = play([run(status=3)], deadline=25.0)
    assert outcome == OutOfTime(101)
    assert pauses == [10.0, 10.0, 5.0]
