"""The nine categories of failure, on which every decision is based."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """The kind of a failure, by what would have to change before a rerun can succeed."""

    TRANSIENT = "transient"
    """Nothing has to change: a dropped connection, a deadlock, a server that restarts."""
    THROTTLED = "throttled"
    """Time has to pass: a rate limit, a quota by the minute, all connections taken."""
    TIMED_OUT = "timed_out"
    """A time limit of the warehouse or the platform ended it."""
    TEST_FAILED = "test_failed"
    """The data is not what a test expects."""
    CODE = "code"
    """The project or its data has to change: SQL, YAML, Jinja, a type, a missing table or column."""
    ACCESS = "access"
    """A right or a credential has to change."""
    RESOURCES = "resources"
    """More memory, disk or budget is needed."""
    CANCELLED = "cancelled"
    """A person stopped it."""
    UNKNOWN = "unknown"
    """The text does not state the cause, or it is ambiguous."""

    @property
    def healable(self) -> bool:
        """Whether running the same thing again may succeed."""
        return self in (Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT)
