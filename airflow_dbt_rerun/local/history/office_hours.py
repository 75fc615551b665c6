"""When people work: on weekdays from nine to five, in UTC. Moments are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

HOUR = 3600.0
DAY = 24 * HOUR

_OPENS, _CLOSES = 9, 17
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a history covers."""

    begins: float
    ends: float

    @property
    def length(self) -> float:
        """Its length in seconds."""
        return self.ends - self.begins


def is_open(moment: float) -> bool:
    """Return whether people are at work."""
    at = datetime.fromtimestamp(moment, UTC)
    return at.weekday() < _SATURDAY and _OPENS <= at.hour < _CLOSES


def next_morning(moment: float, *, weekends: bool = False) -> float:
    """Return the next nine o'clock after a moment at which people begin to work.

    :param weekends: whether somebody also looks on Saturdays and Sundays
    """
    at = datetime.fromtimestamp(moment, UTC)
    morning = at.replace(hour=_OPENS, minute=0, second=0, microsecond=0)
    while morning <= at or (not weekends and morning.weekday() >= _SATURDAY):
        morning += timedelta(days=1)
    return morning.timestamp()


def spread(rng: Random, period: Period, per_quarter: float) -> list[float]:
    """Return moments in order: so many in 90 days, one in each of as many equal parts of the period.

    Spread this way the number depends on the period only, not on the seed.
    """
    count = round(per_quarter * period.length / (90 * DAY))
    part = period.length / max(count, 1)
    return [period.begins + (number + rng.random()) * part for number in range(count)]
