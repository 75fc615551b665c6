"""Watch many runs together, as values: which are due, what has to be known of each, and which can share a request.

The watch of a single run is in :mod:`.one`. Here many watches share requests: each request includes all runs that
are close to being due, so that after a poll or two, watches of the same interval are polled together. How to ask is
decided in :mod:`.changes` and :mod:`.ways`. No I/O, no clock, no randomness.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from operator import attrgetter
from statistics import median

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.one import Answer, Sleep, Unlisted, Watch, WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace, Seen

MOST_LOOKS = 2000
"""The most runs of one answer that are then counted, so that the next poll need not wait for it."""

_EARLY = 0.5
"""The part of its interval that has to pass before a run is included in a request for others."""

_GATHER = 1.0
"""The most seconds that a new watch waits for others that start at the same time."""

_JITTER = 0.05

_MOMENT = 0.1
"""Seconds."""

_LOOK = 0.5
"""The part of its tolerance after which a run that no answer has listed is looked for."""


def usual_seconds(runs: Iterable[Run]) -> float | None:
    """Return how long a job's successful runs take, in seconds (the median); None if none has succeeded."""
    took = [run.seconds for run in runs if run.is_success and run.seconds is not None]
    return median(took) if took else None


def shortened(dice: float) -> float:
    """Return the part of a pause to wait, so that simultaneous polls drift apart.

    :param dice: a random number from 0 to 1, one for each request, so that watches that share it stay together.
    """
    return 1 - _JITTER * dice


class Need(Enum):
    """What has to be known of a run next."""

    END = auto()
    """Whether it has ended."""
    PRESENCE = auto()
    """Whether it is there, although no list of ended runs has it."""
    STATE = auto()
    """Its state, as when it started."""
    ALONE = auto()
    """Its state, from its own address, since a list does not contain it."""


@dataclass(slots=True, eq=False)
class WatchEntry:
    """One watch of a run, and when to poll it: not before ``earliest``, not after ``due``.

    :param script: the watch, paused at its poll.
    :param look_every: seconds after which the run is looked for, if no answer has listed it.
    :param need: what to ask for at the next poll.
    :param needs_start: whether its start has to be known.
    :param outlived: an end of another run, at which this one was in progress; None if none is known.
    :param is_omitted: whether a list has just left it out.
    :param apart_until: until when not to look for it in lists.
    """

    run_id: int
    script: Watch
    earliest: float
    due: float
    look_every: float
    look_due: float
    need: Need = Need.END
    needs_start: bool = False
    outlived: float | None = None
    is_omitted: bool = False
    apart_until: float = -math.inf

    @classmethod
    def new(cls, run_id: int, script: Watch, pace: Pace, *, now: float) -> WatchEntry:
        """Start a watch. Many start at once, so the first poll waits briefly for others to share its request."""
        next(script)
        earliest = now + pace.first_poll
        due = earliest + min(pace.check_interval / 10, _GATHER)
        look = pace.tolerance * _LOOK
        need = Need.STATE if pace.needs_start else Need.END
        return cls(run_id, script, earliest, due, look, now + look, need, pace.needs_start)

    def answer(self, answer: Answer, now: float, asked: float | None = None) -> WatchOutcome | None:
        """Continue with an answer or an error. Return the outcome, or None if the run will be polled again.

        :param asked: when the request was sent, if earlier.
        :raises Exception: the given error, if the watch does not tolerate it.
        """
        self._note(answer, now)
        try:
            request = self.script.send(answer)
            pause = request.seconds if isinstance(request, Sleep) else 0.0
            next(self.script)
        except StopIteration as end:
            outcome: WatchOutcome = end.value
            return outcome
        # From poll to poll, not from answer to poll: but a slow platform is not asked without a pause.
        self.due = now + pause if asked is None else max(asked + pause, now + pause * _EARLY)
        self.earliest = self.due - pause * _EARLY
        return None

    def _note(self, answer: Answer, now: float) -> None:
        if isinstance(answer, Seen):
            self.needs_start &= answer.started_at is None
        if self.need is not Need.ALONE and (isinstance(answer, Seen) or answer is Unlisted.IN_PROGRESS):
            self.look_due = now + self.look_every
        self.need = Need.STATE if self.needs_start else Need.END
        if now < self.apart_until:
            self.need = Need.ALONE

    def ask_again(self, now: float, need: Need, *, apart: bool = False) -> None:
        """Poll again at once, because the last poll did not tell what has to be known.

        :param apart: for a run that is not listed: for how long not to look for it in lists is that of a look.
        """
        self.earliest = self.due = now
        self.need = need
        if need is Need.ALONE:
            self.is_omitted = True
            self.look_due = self.apart_until = now + self.look_every * apart

    def forget_omission(self) -> None:
        """Look for the run in lists again, since they are others now."""
        self.apart_until = -math.inf
        if self.need is Need.ALONE:
            self.need = Need.END

    def asked(self) -> None:
        """Take the watch out of the queue until there is an answer."""
        self.earliest = self.due = math.inf


_DUE = attrgetter("due")


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
        return min(map(_DUE, self._places), default=math.inf)

    def ready(self, now: float) -> Sequence[WatchEntry]:
        """Return the watches that need the same as the most urgent one, that one first; empty if none is due."""
        first = min(self._places, key=_DUE, default=None)
        if first is None or first.due > now:
            return ()
        if first.need is Need.ALONE:
            return (first,)
        ready = [place for place in self._places if place.earliest <= now and place.need is first.need]
        ready.sort(key=_DUE)
        return ready


def take(ready: Sequence[WatchEntry], most: int | None) -> Sequence[WatchEntry]:
    """Take watches, the first of them first, to poll their runs with one request.

    :param most: the most runs that one request can ask for; None for any number.
    """
    # Two tasks may watch one run: it is requested once, and both get the answer.
    runs = set(islice(dict.fromkeys(place.run_id for place in ready), most))
    chosen = [place for place in ready if place.run_id in runs]
    for place in chosen:
        place.asked()
    return chosen


def as_new_as_first(ready: Sequence[WatchEntry]) -> Sequence[WatchEntry]:
    """Choose the watches that, as the first one, have or lack a known end from which on a list can be read."""
    return [place for place in ready if (place.outlived is None) is (ready[0].outlived is None)]


def put_off(ready: Sequence[WatchEntry], now: float) -> None:
    """Let watches wait a moment for an answer that may be theirs, too."""
    for place in ready:
        place.earliest = place.due = now + _MOMENT


def to_look_for(unlisted: Sequence[WatchEntry], now: float) -> Sequence[WatchEntry]:
    """Return the watches whose runs to look for now: none, or as many as possible, so that they share requests."""
    if all(place.look_due > now for place in unlisted):
        return ()
    return sorted(unlisted, key=lambda place: place.look_due)[:MOST_LOOKS]
