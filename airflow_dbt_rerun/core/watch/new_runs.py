"""Which jobs have a new run, as values: told in the order in which the runs were seen. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MOST = 10_000
"""Runs that are remembered. Who has not asked for so long has to look for himself."""


class NewRuns:
    """The runs that were seen since the beginning, and for each who asks: what is new since the last time.

    A list can show a run later than another with a higher id. So each look reads again what came since the look
    before the last one; what was seen already is no news.
    """

    def __init__(self, newest: int) -> None:
        self.after = newest
        """The next look has to read the runs with a higher id than this."""
        self._newest = newest
        self._known: set[int] = set()
        self._jobs: list[int] = []
        self._forgotten = 0

    def see(self, runs: Iterable[tuple[int, int]]) -> None:
        """Take in what a look has found: ids of runs, and of their jobs. It may be more than was asked for."""
        fresh = {run: job for run, job in sorted(runs) if run > self.after and run not in self._known}
        self._jobs += fresh.values()
        self.after, self._newest = self._newest, max([self._newest, *fresh])
        self._known = {run for run in self._known | fresh.keys() if run > self.after}
        self._forget(len(self._jobs) - MOST)

    def _forget(self, count: int) -> None:
        if count > 0:
            del self._jobs[:count]
            self._forgotten += count

    @property
    def now(self) -> int:
        """The present position, for :meth:`since`."""
        return self._forgotten + len(self._jobs)

    def since(self, position: int) -> Collection[int] | None:
        """Return the jobs that have a new run since a position; None, if that is too long ago."""
        return None if position < self._forgotten else set(self._jobs[position - self._forgotten :])
