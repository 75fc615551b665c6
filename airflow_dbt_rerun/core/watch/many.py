"""Watch many runs together, as values: which are due, which can share their request, and which kind of list works.

The watch of a single run is in :mod:`.one`. Here many watches share requests: each request includes all runs that
are close to being due, so that after a poll or two, watches of the same interval are polled together. No I/O, no
clock, no randomness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from statistics import median

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.one import Sleep, Watch, WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace, Seen

PAGE = 100
"""The most runs that one request can return: a page of the platform's list."""

_EARLY = 0.5
"""The part of its interval that has to pass before a run is included in a request for others."""

_GATHER = 1.0
"""The most seconds that a new watch waits for others that start at the same time."""

_JITTER = 0.05

_RECONSIDER = 3600.0
"""Seconds after which a way that did not work is tried again: the cause may have been a temporary fault."""


def usual_seconds(runs: Iterable[Run]) -> float | None:
    """Return how long a job's successful runs take, in seconds (the median); None if none has succeeded."""
    took = [run.seconds for run in runs if run.is_success and run.seconds is not None]
    return median(took) if took else None


def shortened(dice: float) -> float:
    """Return the part of a pause to wait, so that simultaneous polls drift apart.

    :param dice: a random number from 0 to 1, one for each request, so that watches that share it stay together.
    """
    return 1 - _JITTER * dice


@dataclass(slots=True, eq=False)
class WatchEntry:
    """One watch of a run, and when to poll it: not before ``earliest``, not after ``due``.

    :param script: the watch, paused at its poll.
    :param alone: whether to request the run by its own URL, since a list does not contain it.
    """

    run_id: int
    script: Watch
    earliest: float
    due: float
    alone: bool = False

    @classmethod
    def new(cls, run_id: int, script: Watch, pace: Pace, *, now: float) -> WatchEntry:
        """Start a watch. Many start at once, so the first poll waits briefly for others to share its request."""
        next(script)
        earliest = now + pace.first_poll
        return cls(run_id, script, earliest, earliest + min(pace.check_interval / 10, _GATHER))

    def answer(self, answer: Seen | Exception, now: float) -> WatchOutcome | None:
        """Continue with an answer or an error. Return the outcome, or None if the run will be polled again.

        :raises Exception: the given error, if the watch does not tolerate it.
        """
        self.alone = False
        try:
            request = self.script.send(answer)
            pause = request.seconds if isinstance(request, Sleep) else 0.0
            next(self.script)
        except StopIteration as end:
            outcome: WatchOutcome = end.value
            return outcome
        self.earliest, self.due = now + pause * _EARLY, now + pause
        return None

    def ask_again(self, now: float, *, alone: bool) -> None:
        """Poll again at once, because the last poll returned nothing about the run."""
        self.earliest = self.due = now
        self.alone = alone

    def asked(self) -> None:
        """Take the watch out of the queue until there is an answer."""
        self.earliest = self.due = math.inf


class Watchlist:
    """All watches. Times are those of any one clock, in seconds."""

    def __init__(self) -> None:
        self._places: dict[WatchEntry, None] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[WatchEntry]:
        return iter(self._places)

    def add(self, place: WatchEntry) -> None:
        """Add a watch."""
        self._places[place] = None

    def remove(self, place: WatchEntry) -> None:
        """Remove a watch."""
        del self._places[place]

    def due(self) -> float:
        """Return the time of the next poll; infinite if none is due."""
        return min((place.due for place in self._places), default=math.inf)

    def take(self, now: float, most: int | None) -> Sequence[WatchEntry]:
        """Take the watches to poll with one request; empty if none is due.

        :param most: the most runs that one request can ask for; None for any number.
        """
        first = min(self._places, key=lambda place: place.due, default=None)
        if first is None or first.due > now:
            return ()
        chosen = [first] if first.alone or most == 1 else self._company(now, most)
        for place in chosen:
            place.asked()
        return chosen

    def _company(self, now: float, most: int | None) -> list[WatchEntry]:
        ready = [place for place in self._places if place.earliest <= now and not place.alone]
        ready.sort(key=lambda place: place.due)
        # Two tasks may watch one run: it is requested once, and both get the answer.
        runs = set(islice(dict.fromkeys(place.run_id for place in ready), most))
        return [place for place in ready if place.run_id in runs]


class Way(Enum):
    """How to ask for many runs, the cheapest first."""

    BY_ID = auto()
    """``pk__in``: one request for each hundred runs."""
    BY_STATUS = auto()
    """``status__in``: all runs of the account that are in progress; a run that is missing is requested singly."""
    SINGLY = auto()
    """A request for each run."""

    @property
    def most(self) -> int | None:
        """The most runs that one request can ask for; None for any number."""
        return {Way.BY_ID: PAGE, Way.BY_STATUS: None, Way.SINGLY: 1}[self]


class Ways:
    """Track which way works. ``pk__in`` is documented, but no client is known to use it, so it may be ignored."""

    def __init__(self) -> None:
        self._way = Way.BY_ID
        self._since = 0.0
        self._doubts = 0

    def best(self, now: float) -> Way:
        """Return the cheapest way that is not known to fail."""
        if self._way is not Way.BY_ID and now - self._since > _RECONSIDER:
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

    def doubt(self, now: float) -> None:
        """Record that a list omitted an existing run. A few may be too new; more than a page means it fails."""
        self._doubts += 1
        if self._doubts > PAGE:
            self.give_up(self._way, now)

    def _change(self, way: Way, now: float) -> None:
        self._way, self._since, self._doubts = way, now, 0
