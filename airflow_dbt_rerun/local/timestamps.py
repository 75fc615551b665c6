"""Timestamps and durations in the formats of the dbt platform."""

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
_ZERO = timedelta()


def format_timestamp(moment: datetime) -> str:
    """Format a datetime as in runs and steps: ``2024-05-27 10:42:16.179903+00:00``.

    All timestamps have the same length and time zone, so they sort as text.
    """
    return moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")


def now() -> str:
    """Return the current time as a timestamp."""
    return format_timestamp(datetime.now(UTC))


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 timestamp; UTC is assumed if it has no time zone.

    :raises ValueError: if it is not ISO 8601
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def elapsed(start: str | None, end: str | None) -> timedelta:
    """Return the time between two timestamps: up to now without an end, zero without a start."""
    if start is None:
        return _ZERO
    last = datetime.fromisoformat(end) if end else datetime.now(UTC)
    return max(last - datetime.fromisoformat(start), _ZERO)


def format_clock(duration: timedelta) -> str:
    """Format a duration as ``24:00:36``; the hours may exceed a day."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def humanize(duration: timedelta) -> str:
    """Format a duration as ``2 weeks, 3 days``: the largest unit, and the next smaller one unless it is zero."""
    left = int(duration.total_seconds())
    for level, (name, size) in enumerate(_UNITS):
        count, rest = divmod(left, size)
        if count:
            return ", ".join([_counted(count, name), *_next_unit(level + 1, rest)])
    return "0 minutes"


def _next_unit(level: int, left: int) -> list[str]:
    if level == len(_UNITS):
        return []
    name, size = _UNITS[level]
    return [_counted(left // size, name)] if left >= size else []


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
