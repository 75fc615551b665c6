"""Watch many runs together, as values: who is due, who can be asked along, and which way of asking works.

One run's watch is :mod:`.polling`'s. Here many of them share requests: one that has to be sent takes along whom
it can, so that after a poll or two those who ask equally often ask together. No I/O, no clock, no dice.
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
"""Runs that one request can ask for: a page of the platform's list."""

_EARLY = 0.5
"""Part of its interval that has to pass before a run is asked for along with others."""

_GATHER = 1.0
"""Seconds, at most, that a newcomer waits for others who are about to come."""

_JITTER = 0.05

_RECONSIDER = 3600.0
"""Seconds after which a way that did not work is tried again: it may have been a gateway's bad day."""


def usual_seconds(runs: Iterable[Run]) -> float | None:
    """Tell how long a job's runs usually take, from those that succeeded; None if none has."""
    took = [run.seconds for run in runs if run.is_success and run.seconds is not None]
    return median(took) if took else None


def shortened(dice: float) -> float:
    """Return the part of a pause to wait, so that those who asked at one moment do not for ever.

    :param dice: a random number from 0 to 1, one for each request: who asked together stays together.
    """
    return 1 - _JITTER * dice


@dataclass(slots=True, eq=False)
class WatchEntry:
    """One who watches a run, and when to ask for it: not before ``earliest``, not after ``due``.

    :param script: the watch, at its poll.
    :param alone: whether to ask by the run's own address: a list does not have it.
    """

    run_id: int
    script: Watch
    earliest: float
    due: float
    alone: bool = False

    @classmethod
    def new(cls, run_id: int, script: Watch, pace: Pace, *, now: float) -> WatchEntry:
        """Start a watch. Many start at once, so the first poll waits a little for company."""
        next(script)
        earliest = now + pace.first_poll
        return cls(run_id, script, earliest, earliest + min(pace.check_interval / 10, _GATHER))

    def answer(self, answer: Seen | Exception, now: float) -> WatchOutcome | None:
        """Go on with an answer, or with what came instead: the outcome, or None and a next poll.

        :raises Exception: the one that came, if it cannot be borne.
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
        """Ask once more at once: this time nothing was learnt."""
        self.earliest = self.due = now
        self.alone = alone

    def asked(self) -> None:
        """Leave the queue until there is an answer."""
        self.earliest = self.due = math.inf


class Watchlist:
    """All who watch. Moments are those of any one clock, in seconds."""

    def __init__(self) -> None:
        self._places: dict[WatchEntry, None] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[WatchEntry]:
        return iter(self._places)

    def add(self, place: WatchEntry) -> None:
        """Take one in."""
        self._places[place] = None

    def remove(self, place: WatchEntry) -> None:
        """Let one go."""
        del self._places[place]

    def due(self) -> float:
        """Return the moment when somebody has to be asked for: infinite, if nobody has to."""
        return min((place.due for place in self._places), default=math.inf)

    def take(self, now: float, most: int | None) -> Sequence[WatchEntry]:
        """Take those to ask for with one request; empty, if nobody is due.

        :param most: runs that one request can ask for; None is any number.
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
        # Two tasks may watch one run: it is asked for once, and both are told.
        runs = set(islice(dict.fromkeys(place.run_id for place in ready), most))
        return [place for place in ready if place.run_id in runs]


class Way(Enum):
    """How to ask for many runs, the cheapest first."""

    BY_ID = auto()
    """``pk__in``: a request for each hundred."""
    BY_STATUS = auto()
    """``status__in``: all runs of the account that are going; who is missing gets a request of its own."""
    SINGLY = auto()
    """A request for each run."""

    @property
    def most(self) -> int | None:
        """Runs that one request can ask for; None is any number."""
        return {Way.BY_ID: PAGE, Way.BY_STATUS: None, Way.SINGLY: 1}[self]


class Ways:
    """Which way works here. ``pk__in`` is documented, but no client is known to use it: it may be ignored."""

    def __init__(self) -> None:
        self._way = Way.BY_ID
        self._since = 0.0
        self._doubts = 0

    def best(self, now: float) -> Way:
        """Return the cheapest way that is not known not to work."""
        if self._way is not Way.BY_ID and now - self._since > _RECONSIDER:
            self._change(Way.BY_ID, now)
        return self._way

    def give_up(self, way: Way, now: float) -> bool:
        """Note that a way does not work; tell whether that is news, since several requests may find it out."""
        is_news = way is self._way and way is not Way.SINGLY
        if is_news:
            self._change(Way.BY_STATUS if way is Way.BY_ID else Way.SINGLY, now)
        return is_news

    def trust(self, way: Way, found: int) -> None:
        """Note that a list had so many of the runs it was asked for."""
        if way is self._way:
            self._doubts = max(self._doubts - found, 0)

    def doubt(self, now: float) -> None:
        """Note that a list left out a run that is there. A few may be too new; a page of them is too many."""
        self._doubts += 1
        if self._doubts > PAGE:
            self.give_up(self._way, now)

    def _change(self, way: Way, now: float) -> None:
        self._way, self._since, self._doubts = way, now, 0
