"""Decide how to ask for the runs on a watchlist, and what an answer means for each, as values. No I/O, no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from airflow_dbt_rerun.core.watch.changes import Changes, Found, Questions, ended_of, ended_since, in_progress
from airflow_dbt_rerun.core.watch.many import (
    Need,
    WatchEntry,
    Watchlist,
    as_new_as_first,
    put_off,
    take,
    to_look_for,
)
from airflow_dbt_rerun.core.watch.one import Answer, Unlisted
from airflow_dbt_rerun.core.watch.ways import Way, Ways

Deliver = Callable[[WatchEntry, Answer], None]
"""Tells a watch what an answer says of its run."""

_MOST_READING = 60.0
"""Seconds for which watches wait for a list of ends that is being read for others: it tells of their runs, too."""


class Asking:
    """Choose the way of each request, and learn from its answer.

    A run is first looked for among those that have ended. One that is not among them is in progress, or not there:
    now and then such runs are counted, and where the count is wrong, listed, and where one is not listed, requested
    by its own address.
    """

    def __init__(self, watched: Watchlist) -> None:
        self._watched = watched
        self._ways = Ways()
        self._changes = Changes()
        self._reading_until = -math.inf

    @property
    def known_end(self) -> float | None:
        """The latest end of any run, as far as answers have told it; note it before a request is sent."""
        return self._changes.end

    def take(self, now: float) -> tuple[Way, Sequence[WatchEntry]]:
        """Take the watches of the next request, and choose its way. A single run has an address of its own."""
        full = self._ways.best(now)
        ready = self._watched.ready(now)
        if not ready:
            return full, ()
        way = self._partial(ready, now) or full
        if way is Way.ENDED_LIST:
            if now < self._reading_until:
                put_off(ready, now)
                return way, ()
            ready = self._placed(ready)
        chosen = take(ready, way.most)
        return (way if _is_of_many(chosen) else full), chosen

    def _placed(self, ready: Sequence[WatchEntry]) -> Sequence[WatchEntry]:
        """Take what lists have told of each run meanwhile into account, and choose those that can share a list."""
        for entry in ready:
            told = self._changes.outlived(entry.run_id)
            if told is not None and (entry.outlived is None or told > entry.outlived):
                entry.outlived = told
        return as_new_as_first(ready)

    def _partial(self, ready: Sequence[WatchEntry], now: float) -> Way | None:
        if ready[0].need is Need.END:
            return self._changes.best(len({entry.run_id for entry in ready}), now, by_id=self._by_id(now))
        return Way.COUNTED if ready[0].need is Need.PRESENCE and self._by_id(now) else None

    def _by_id(self, now: float) -> bool:
        return self._ways.best(now) is Way.BY_ID

    def questions(
        self, way: Way, entries: Sequence[WatchEntry], ids: Sequence[int], now: float
    ) -> Questions | None:
        """Return what to ask; None if the state of each run is wanted."""
        if way is Way.ENDED_BY_ID:
            return ended_of(ids)
        if way is Way.ENDED_LIST:
            self._reading_until = now + _MOST_READING
            since = self._changes.since(entry.outlived for entry in entries)
            return ended_since(ids, since, self._changes.pages(len(self._watched), now, by_id=self._by_id(now)))
        return in_progress(ids) if way is Way.COUNTED else None

    def read(self, way: Way) -> None:
        """Note that a request has ended, however it did."""
        if way is Way.ENDED_LIST:
            self._reading_until = -math.inf

    def spread(self, answer: Found, entries: Sequence[WatchEntry], way: Way, now: float, deliver: Deliver) -> None:
        """Tell the watches what an answer says of their runs, or let them ask again at once.

        :param answer: its ``end`` is the one that all runs in progress have outlived.
        """
        self._learn(answer, entries, way, now)
        unlisted = [entry for entry in entries if entry.run_id not in answer.states]
        again, need = self._again(unlisted, way, now)
        is_of_few = way is Way.BY_ID and 2 * len(again) <= len(entries)  # else the list is at fault, not the run
        for entry in again:
            entry.ask_again(now, need, apart=is_of_few)
        waiting = set(again)
        word = Unlisted.IN_PROGRESS if way is Way.COUNTED else Unlisted.NOT_OVER
        for entry in entries:
            if entry not in waiting:
                entry.outlived = answer.end
                deliver(entry, answer.states.get(entry.run_id, word))
        if way is Way.ENDED_LIST:
            self._spread_more(answer, entries, now, deliver)

    def _spread_more(self, answer: Found, asked: Sequence[WatchEntry], now: float, deliver: Deliver) -> None:
        """Tell the other watches, too: a list of all ends need not be read twice."""
        asked_ids = {entry.run_id for entry in asked}
        others = {run_id: state for run_id, state in answer.states.items() if run_id not in asked_ids}
        told = [entry for entry in self._watched if entry.run_id in others] if others else []
        for entry in told:
            deliver(entry, others[entry.run_id])
        strangers = others.keys() - {entry.run_id for entry in told}
        self._changes.note_others(answer, strangers, now)

    def _again(self, unlisted: Sequence[WatchEntry], way: Way, now: float) -> tuple[Sequence[WatchEntry], Need]:
        if way is Way.COUNTED:
            return (), Need.END
        if not way.lists_ended_only:
            return unlisted, Need.ALONE  # a run that is missing from a list may still exist
        if way is Way.ENDED_BY_ID and not self._changes.is_proven:
            return unlisted, Need.PRESENCE
        return to_look_for(unlisted, now), Need.PRESENCE

    def _learn(self, answer: Found, entries: Sequence[WatchEntry], way: Way, now: float) -> None:
        if way.lists_ended_only:
            self._changes.note(answer, way)
        elif way is Way.COUNTED:
            self._changes.count(now, is_right=True)
        elif _is_of_many(entries):
            self._ways.trust(way, len({entry.run_id for entry in entries} & answer.states.keys()))
        for entry in entries:
            state = answer.states.get(entry.run_id)
            if state is None:
                continue
            if state.is_terminal and way is not Way.ENDED_LIST:
                self._changes.learn(state, entry.outlived, now)
            if entry.is_omitted and not (way is Way.BY_STATUS and state.is_terminal) and self._ways.doubt(now):
                self._forget_omissions()
            entry.is_omitted = False

    def closed(self, way: Way, entries: Sequence[WatchEntry], now: float, *, is_misread: bool) -> bool:
        """Note that the platform refused or misread a request. Return whether that closes the way anew."""
        if way is Way.COUNTED:
            self._changes.count(now, is_right=False)
            self._ask_again(entries, Need.STATE, now)
            return False
        is_news = self._changes.close(way, now) if way.lists_ended_only else self._give_up(way, now)
        if way is Way.ENDED_BY_ID and is_misread:
            self._give_up(Way.BY_ID, now)
        self._ask_again(entries, Need.END, now)
        return is_news

    def too_long(self, entries: Sequence[WatchEntry], now: float) -> None:
        """Note that the list of ends has too many runs for so few watches."""
        self._changes.too_long(now)
        self._ask_again(entries, Need.END, now)

    def _give_up(self, way: Way, now: float) -> bool:
        is_news = self._ways.give_up(way, now)
        if is_news:
            self._forget_omissions()
        return is_news

    def _forget_omissions(self) -> None:
        for entry in self._watched:
            entry.forget_omission()

    def _ask_again(self, entries: Sequence[WatchEntry], need: Need, now: float) -> None:
        for entry in entries:
            entry.ask_again(now, need)


def _is_of_many(entries: Sequence[WatchEntry]) -> bool:
    return len({entry.run_id for entry in entries}) > 1
