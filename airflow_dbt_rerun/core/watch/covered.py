"""Remember which runs the list of ends has had: of a new watch, it may be known what it has outlived. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_dbt_rerun.core.dbt.models import WatchedRun

MOST = 50_000
"""Runs that are remembered; the memory starts anew after that."""


class Covered:
    """All ended runs with an id above a certain one, up to a certain end.

    It starts with a list of all ended runs with higher ids, and grows with each list that continues it.
    """

    def __init__(self) -> None:
        self._after: int | None = None
        self._end: float | None = None
        self._listed: set[int] = set()

    def outlived(self, run_id: int) -> float | None:
        """Return an end that this run has outlived; None if it has ended, or nothing is known of it."""
        is_covered = self._after is not None and run_id > self._after
        return self._end if is_covered and run_id not in self._listed else None

    def start(self, after: int, states: Iterable[WatchedRun], end: float | None) -> None:
        """Note a list of all ended runs with an id above ``after``."""
        if self._after is None or after <= self._after:
            self._after, self._end, self._listed = after, end, set()
            self._add(states, end)

    def go_on(self, since: float, states: Iterable[WatchedRun], end: float | None) -> None:
        """Note a list of all runs that ended since a time."""
        if self._end is None or since > self._end:
            self._after = None  # some may have ended in between
        else:
            self._add(states, end)

    def _add(self, states: Iterable[WatchedRun], end: float | None) -> None:
        self._listed.update(state.id for state in states)
        self._end = max(filter(None, (self._end, end)), default=None)
        if len(self._listed) > MOST:
            self._after = None
