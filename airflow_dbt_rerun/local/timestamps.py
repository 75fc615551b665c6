"""Moments and durations in the platform's spellings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)
_NONE = timedelta()


def stamp(moment: datetime) -> str:
    """Spell a moment as runs and steps do: ``2024-05-27 10:42:16.179903+00:00``.

    All stamps have the same length and zone, so they sort as text.
    """
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def now() -> str:
    """Return the stamp of this moment."""
    return stamp(datetime.now(UTC))


def parse(text: str) -> datetime:
    """Read an ISO 8601 moment; one without a zone is UTC.

    :raises ValueError: if it is none
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def between(start: str | None, end: str | None) -> timedelta:
    """Return the time from one stamp to another, or to this moment if there is no end. No start, no time."""
    if start is None:
        return _NONE
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(last - datetime.fromisoformat(start), _NONE)


def clock(duration: timedelta) -> str:
    """Spell a duration as ``24:00:36``: hours may exceed a day."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def humanized(duration: timedelta) -> str:
    """Spell a duration as ``2 weeks, 3 days``: the largest unit, and the next smaller one if it is not zero."""
    left = int(duration.total_seconds())
    for place, (name, size) in enumerate(_UNITS):
        count, rest = divmod(left, size)
        if count:
            return ", ".join([_counted(count, name), *_next_unit(place + 1, rest)])
    return "0 minutes"


def _next_unit(place: int, left: int) -> list[str]:
    if place == len(_UNITS):
        return []
    name, size = _UNITS[place]
    return [_counted(left // size, name)] if left >= size else []


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
