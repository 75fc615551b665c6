"""Intervals, and how they cross to the triggerer."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.models import WatchedRun
from airflow_dbt_rerun.core.watch.pace import Pace

STARTED = "1970-01-01 00:16:40+00:00"
"""Epoch second 1000, as dbt writes it."""

NEAR_THE_END = Pace(check_interval=60.0, quickest_check_interval=5.0, usual=600.0)


def running(started_at: str | None = None) -> WatchedRun:
    """Make a run in progress."""
    return WatchedRun(7, 3, started_at)


@pytest.mark.parametrize(
    ("now", "pause"),
    [
        (1000, 60.0),  # ten minutes to go
        (1400, 50.0),  # a quarter of what is left
        (1500, 25.0),
        (1590, 5.0),  # the user's lower bound
        (1600, 5.0),
        (1640, 10.0),  # overdue, and perhaps for long
        (2600, 60.0),
    ],
)
def test_the_nearer_the_end_the_more_often(now: float, pause: float) -> None:
    """The pause is a part of the time to the usual end, within the user's bounds, on both sides of it."""
    assert NEAR_THE_END.pause(now, running(started_at=STARTED)) == pause


@pytest.mark.parametrize("more", [{}, {"quickest_check_interval": 5.0}, {"usual": 600.0}], ids=repr)
def test_without_all_three_the_interval_is_constant(more: dict[str, Any]) -> None:
    """The interval alone is the interval, near the usual end too."""
    assert Pace(check_interval=60.0, **more).pause(1600, running(started_at=STARTED)) == 60.0


@pytest.mark.parametrize("seen", [None, running(), running(started_at="soon"), running(started_at=5)], ids=str)  # type: ignore[arg-type]
def test_a_run_that_has_not_started_has_no_end_yet(seen: WatchedRun | None) -> None:
    """Not seen, queued, or with an unreadable start: the slow interval, and no error."""
    assert NEAR_THE_END.pause(1600, seen) == 60.0


@pytest.mark.parametrize("bounds", [(0.0, None), (-1.0, None), (60.0, 0.0), (math.nan, None)], ids=str)
def test_an_interval_is_above_zero(bounds: tuple[float, float | None]) -> None:
    """Asking without a pause is refused."""
    with pytest.raises(ValueError) as caught:
        Pace(check_interval=bounds[0], quickest_check_interval=bounds[1])
    assert "above zero" in str(caught.value)


@pytest.mark.parametrize(
    "pace", [Pace(), NEAR_THE_END, Pace(deadline=1e9, artifact_pauses=(), tolerance=1.5)], ids=str
)
def test_crosses_to_the_triggerer_as_json(pace: Pace) -> None:
    """A pace comes back equal, and its defaults take no room in Airflow's database."""
    data = json.loads(json.dumps(pace.to_dict()))
    assert Pace.from_dict(data) == pace
    assert all(getattr(Pace(), name) != getattr(pace, name) for name in data)


def test_unknown_argument_is_named() -> None:
    """A misspelt argument of a trigger is answered with the one that was meant."""
    with pytest.raises(TypeError, match="there is no argument 'check_intervall'; did you mean 'check_interval'"):
        Pace.from_dict({"check_intervall": 5})
