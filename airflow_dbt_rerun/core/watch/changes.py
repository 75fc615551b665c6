"""Ask only which runs have ended, as values: an end crosses the wire once, and a run in progress need not at all.

Two lists tell which have ended. *By id*, a request names up to a hundred watched runs. The *list of ends* is read
from the latest known end on; it takes a request for each hundred ends of the account, however many are watched.
:class:`Changes` chooses the cheaper one by what the last answers held, and drops one that does not keep its word.
No I/O, no clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import GOING_STATUSES, TERMINAL_STATUSES, WatchedRun
from airflow_dbt_rerun.core.watch.covered import Covered
from airflow_dbt_rerun.core.watch.ways import PAGE, RECONSIDER, Way

LATE = 300.0
"""Seconds by which the list of ends may be late with a run before it is left out."""

_OVERLAP = 0.25
"""Seconds before the latest known end from which the list is read, so that simultaneous ends are not lost."""

_REQUEST = 20
"""Other runs in an answer that cost about as much as a request."""

_LAST = 2.0**33
"""Epoch seconds, in the year 2242: a later end is a mistake, and one may be out of the calendar."""

_MOST_PAGES = 50
_MEMORY = 1800.0
"""Seconds for which the number of others counts: later answers may hold fewer."""

_STRIKES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A page of a list of runs, the earliest end first.

    :param after: only runs with a higher id.
    :param since: only runs that ended at this time or later, in epoch seconds.
    """

    statuses: Collection[int]
    ids: Sequence[int] | None = None
    after: int | None = None
    since: float | None = None
    limit: int = PAGE
    offset: int = 0


class Listed(NamedTuple):
    """The answer to a question. ``total`` is the number of runs on all pages, None if the platform omits it."""

    states: Sequence[WatchedRun]
    total: int | None


class Found(NamedTuple):
    """The runs that have ended, others among them, and the end up to which that is all; None if none is known."""

    states: Mapping[int, WatchedRun]
    end: float | None = None
    question: Question | None = None


class MisreadError(Exception):
    """The platform ignores a filter or the order, or its list is not complete."""


class TooLongError(Exception):
    """The list of ends has more pages than it is worth."""


Questions = Generator[Sequence[Question], Sequence[Listed], Found]
"""Yields the questions to ask at once, takes their answers, and returns what was found."""


def ended_of(ids: Sequence[int]) -> Questions:
    """Ask for those of these runs that have ended.

    :raises MisreadError: if others are listed.
    """
    (page,) = yield [Question(ids=ids, statuses=TERMINAL_STATUSES, limit=len(ids))]
    states = _of(ids, page.states)
    if len(states) < len(page.states):
        raise MisreadError
    return Found(states, latest(states.values()))


def ended_since(ids: Sequence[int], since: float | None, most: int) -> Questions:
    """Ask for all runs that ended since a time; None for all those that are not older than the first of these runs.

    :param most: the most further pages to read.
    :raises MisreadError: also if the list lacks the run whose end ``since`` is taken from.
    :raises TooLongError: if there are more pages.
    """
    first = Question(statuses=TERMINAL_STATUSES, since=since, after=min(ids) - 1 if since is None else None)
    pages = yield [first]
    total = pages[0].total
    if total is None or (since is not None and not total):
        raise MisreadError
    rest = range(PAGE, total, PAGE)
    if len(rest) > most:
        raise TooLongError
    if rest:
        pages = [*pages, *(yield [replace(first, offset=offset) for offset in rest])]
    states = {state.id: state for page in pages for state in page.states}
    _check(list(states.values()), total, since)
    return Found(states, latest(states.values()), first)


def in_progress(ids: Sequence[int]) -> Questions:
    """Count those of these runs that are in progress: only one crosses the wire.

    :raises MisreadError: if they are not all of them, so that each has to be listed.
    """
    (page,) = yield [Question(ids=ids, statuses=GOING_STATUSES, limit=1)]
    if page.total != len(ids) or len(_of(ids, page.states)) != 1:
        raise MisreadError
    return Found({})


def _check(listed: Sequence[WatchedRun], total: int, since: float | None) -> None:
    ends = [end for state in listed if (end := ended_at(state)) is not None]
    is_whole = len(listed) >= total and all(state.is_terminal for state in listed)
    # A list that changes while its pages are read loses none only if new runs come last.
    is_in_order = all(one <= other for one, other in pairwise(ends))
    is_in_range = since is None or (len(ends) == len(listed) and ends[0] >= since - 0.001)
    if not (is_whole and is_in_order and is_in_range):
        raise MisreadError


def _of(ids: Sequence[int], states: Iterable[WatchedRun]) -> Mapping[int, WatchedRun]:
    wanted = set(ids)
    return {state.id: state for state in states if state.id in wanted}


def ended_at(state: WatchedRun) -> float | None:
    """Return a run's end in epoch seconds; None if it has not ended, or lacks its end."""
    return epoch(state.finished_at) if state.is_terminal else None


def latest(states: Iterable[WatchedRun]) -> float | None:
    """Return the latest end, None if there is none."""
    return max(filter(None, map(ended_at, states)), default=None)


class Changes:
    """Choose how to ask for ends. All that it knows comes from answers.

    Without evidence to the contrary the list of ends is read, where that is cheaper; asking by id has to be proven.
    """

    def __init__(self) -> None:
        self.end: float | None = None
        """The latest known end: a run that was in progress after it was known has a later one."""
        self.is_proven = False
        """Whether runs that were asked for by id, and not listed as ended, were all counted as in progress."""
        self._covered = Covered()
        self._overlap = _OVERLAP
        self._others, self._counted = 0.0, -math.inf
        self._strikes = 0
        self._shut: dict[Way, float] = {}

    def best(self, watched: int, now: float, *, by_id: bool) -> Way | None:
        """Return the cheaper way; None if neither works.

        :param by_id: whether runs can be asked for by id.
        """
        others = self._others if now - self._counted < _MEMORY else 0
        by_id = by_id and self._is_open(Way.ENDED_BY_ID, now)
        of_ids = math.ceil(watched / PAGE) if by_id else _MOST_PAGES * PAGE / _REQUEST
        of_list = 1 + others / _REQUEST if self._is_open(Way.ENDED_LIST, now) else math.inf
        if of_list < of_ids:
            return Way.ENDED_LIST
        return Way.ENDED_BY_ID if by_id else None

    def pages(self, watched: int, now: float, *, by_id: bool) -> int:
        """Return the most further pages to read of the list of ends: no more than requests by id would be."""
        return math.ceil(watched / PAGE) + 1 if by_id and self._is_open(Way.ENDED_BY_ID, now) else _MOST_PAGES

    def outlived(self, run_id: int) -> float | None:
        """Return an end that a run has outlived, by what lists have told; None if none is known."""
        return self._covered.outlived(run_id)

    def since(self, ends: Iterable[float | None]) -> float | None:
        """Return the time from which to read the list, given the end that each run is known to have outlived."""
        known = list(ends)
        if None in known:
            return None
        return min(max(min(filter(None, known)) - self._overlap, 0.0), _LAST)

    def close(self, way: Way, now: float) -> bool:
        """Leave out a way for an hour. Return whether that was new."""
        was_open = self._is_open(way, now)
        self._shut[way] = max(now + RECONSIDER, self._shut.get(way, 0.0))
        self.is_proven &= way is not Way.ENDED_BY_ID
        return was_open

    def note(self, found: Found, way: Way) -> None:
        """Learn from a list of ended runs."""
        self.end = max(filter(None, (self.end, found.end)), default=None)
        if (question := found.question) and question.since is not None:
            self._covered.go_on(question.since, found.states.values(), found.end)
        elif question and question.after is not None:
            self._covered.start(question.after, found.states.values(), found.end)
        if way is Way.ENDED_BY_ID and found.states:
            self._strikes = 0

    def note_others(self, found: Found, others: Iterable[int], now: float) -> None:
        """Note how many runs that nobody watches have ended since the last list."""
        if found.question and found.question.since is not None:
            last = found.question.since + self._overlap
            ends = [ended_at(found.states[run_id]) or 0.0 for run_id in others]
            self._others, self._counted = sum(end > last for end in ends), now

    def too_long(self, now: float) -> None:
        """Note that the list of ends is not worth reading, and leave it out until that is forgotten."""
        self._others, self._counted = math.inf, now

    def count(self, now: float, *, is_right: bool) -> None:
        """Note whether the runs asked for by id, and not listed as ended, were all counted as in progress."""
        self.is_proven |= is_right
        self._strikes = 0 if is_right else self._strikes + 1
        if self._strikes > _STRIKES:
            self.close(Way.ENDED_BY_ID, now)

    def learn(self, state: WatchedRun, outlived: float | None, now: float) -> None:
        """Compare an end that was read in another way with what the list of ends would have held.

        :param outlived: the end after whose time the run was found in progress.
        """
        end = ended_at(state)
        self.end = max(filter(None, (self.end, end)), default=None)
        if end is None:  # as of a run that was cancelled before it started: the list of ends lacks it
            self._shut[Way.ENDED_LIST] = math.inf
        elif outlived is not None and end < outlived - self._overlap:
            self._overlap = min(2 * (outlived - end), LATE)
            if outlived - end > LATE:
                self.end = None  # it may be wrong: a run that ended far in the future, as it seems
                self.close(Way.ENDED_LIST, now)

    def _is_open(self, way: Way, now: float) -> bool:
        return now >= self._shut.get(way, -math.inf)
