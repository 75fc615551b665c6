"""A day of watching: what it takes grows with the ends, and hardly with the runs that are watched."""

from __future__ import annotations

from benchmarks import watch_day


def test_a_day_takes_little_more_than_it_must() -> None:
    """Each end is told within an interval; requests stay near one a poll, and answers near one run an end."""
    day = watch_day.simulated(2000, others=2000)
    assert len(day.delays) == 2000
    assert max(day.delays) <= watch_day.INTERVAL
    assert day.requests <= 1.5 * (len(day.polled) + 20)
    assert day.listed <= 1.5 * 2000
