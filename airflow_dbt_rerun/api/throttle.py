"""Share a 429: it throttles the whole account, so it pauses all requests over the same connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from airflow_dbt_rerun.api.per_loop import PerLoop
from airflow_dbt_rerun.exceptions import DbtThrottledError

COOLDOWN = 300.0
"""Seconds to pause if the platform's 429 does not say how long."""


class Throttle:
    """A pause that the platform has asked for.

    :param timer: returns monotonic seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._until = float("-inf")
        self._error: DbtThrottledError | None = None

    def note(self, error: Exception) -> None:
        """Begin or prolong the pause if the error is a 429."""
        if not isinstance(error, DbtThrottledError):
            return
        until = self._timer() + (COOLDOWN if error.retry_after is None else error.retry_after)
        if until > self._until:
            self._until, self._error = until, error

    @property
    def error(self) -> DbtThrottledError | None:
        """The 429 that forbids requests now, or None."""
        return self._error if self._timer() < self._until else None


_throttles: PerLoop[Throttle] = PerLoop()


def throttle_of(key: Hashable) -> Throttle:
    """Return the running loop's throttle of a connection and account. It lives while it is referenced."""
    return _throttles.get(key, Throttle)
