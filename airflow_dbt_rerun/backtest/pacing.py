"""Space requests out: a bounded number a minute for all threads together, and none while a 429 is in force."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

MINUTE = 60.0


class Gate:
    """Let requests pass one by one, at most so many a minute. Threads share it.

    :param per_minute: requests a minute. dbt allows an account 5,000, which all its users share.
    :param clock: returns monotonic seconds.
    :param sleep: waits the given number of seconds.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._spacing = MINUTE / per_minute
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self.passed = 0

    def wait_for_turn(self) -> None:
        """Wait until the next request may be sent, and count it."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, now)
            self._next = turn + self._spacing
            self.passed += 1
        if turn > now:
            self._sleep(turn - now)

    def pause(self, seconds: float) -> None:
        """Hold back all requests for a while, as a 429 or an outage asks for, then let one be sent again."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
        self.wait_for_turn()
