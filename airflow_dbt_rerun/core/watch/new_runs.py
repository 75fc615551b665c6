"""Track which jobs have a new run, as values, in the order in which the runs were seen. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MOST = 10_000
"""Runs that are remembered. A client whose position is older has to query its own job."""


class NewRuns:
    """The runs that were seen since the start, and for each client what is new since its last position.

    A list can show a run later than another with a higher id. So each read goes back to the position before the
    previous read, and skips runs that were already seen.
    """

    def __init__(self, newest: int) -> None:
        self.after = newest
        """The next read has to return the runs with a higher id than this."""
        self._newest = newest
        self._known: set[int] = set()
        self._jobs: list[int] = []
        self._forgotten = 0

    def see(self, runs: Iterable[tuple[int, int]]) -> None:
        """Record the result of a read: ids of runs and of their jobs. It may contain more than was asked for."""
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
        """The current position, for :meth:`since`."""
        return self._forgotten + len(self._jobs)

    def since(self, position: int) -> Collection[int] | None:
        """Return the jobs with a new run since a position; None if the position is no longer remembered."""
        return None if position < self._forgotten else set(self._jobs[position - self._forgotten :])
