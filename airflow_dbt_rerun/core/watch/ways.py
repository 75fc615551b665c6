"""The ways of asking for many runs, and which of them works. No I/O, no clock."""

from __future__ import annotations

from enum import Enum, auto

PAGE = 100
"""The most runs that one request can return: a page of the platform's list."""

RECONSIDER = 3600.0
"""Seconds after which a way that did not work is tried again: the cause may have been a temporary fault."""


class Way(Enum):
    """How to ask for many runs."""

    ENDED_BY_ID = auto()
    """``pk__in`` and ``status__in``: those that have ended, one request for each hundred watched runs."""
    ENDED_LIST = auto()
    """``finished_at__range``: all runs of the account that ended since the last poll."""
    COUNTED = auto()
    """``total_count``: whether a hundred runs are all in progress."""
    BY_ID = auto()
    """``pk__in``: the state of each run, one request for each hundred."""
    BY_STATUS = auto()
    """``status__in``: all runs of the account that are in progress; a run that is missing is requested singly."""
    SINGLY = auto()
    """A request for each run."""

    @property
    def most(self) -> int | None:
        """The most runs that one request can ask for; None for any number."""
        return {Way.ENDED_LIST: None, Way.BY_STATUS: None, Way.SINGLY: 1}.get(self, PAGE)

    @property
    def lists_ended_only(self) -> bool:
        """Whether a run that is not listed has not ended."""
        return self in (Way.ENDED_BY_ID, Way.ENDED_LIST)


class Ways:
    """Track which way tells the state of each run, the cheapest first.

    ``pk__in`` is documented, but no client is known to use it, so it may be ignored.
    """

    def __init__(self) -> None:
        self._way = Way.BY_ID
        self._since = 0.0
        self._doubts = 0

    def best(self, now: float) -> Way:
        """Return the cheapest way that is not known to fail."""
        if self._way is not Way.BY_ID and now - self._since > RECONSIDER:
            self._change(Way.BY_ID, now)
        return self._way

    def give_up(self, way: Way, now: float) -> bool:
        """Record that a way does not work. Return whether that was new: several requests may find it out."""
        is_news = way is self._way and way is not Way.SINGLY
        if is_news:
            self._change(Way.BY_STATUS if way is Way.BY_ID else Way.SINGLY, now)
        return is_news

    def trust(self, way: Way, found: int) -> None:
        """Record that a list contained ``found`` of the requested runs."""
        if way is self._way:
            self._doubts = max(self._doubts - found, 0)

    def doubt(self, now: float) -> bool:
        """Record that a list omitted an existing run. Return whether it was one too many: a few may be too new."""
        self._doubts += 1
        return self._doubts > PAGE and self.give_up(self._way, now)

    def _change(self, way: Way, now: float) -> None:
        self._way, self._since, self._doubts = way, now, 0
