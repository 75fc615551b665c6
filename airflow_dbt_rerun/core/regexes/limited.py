"""Search a text for a user's pattern, for a limited time.

``re`` cannot be stopped from another thread, but every few thousand steps it looks for signals. So a timer of the
process's own CPU seconds interrupts it: Airflow does not use that timer, its time limits run on another one. Python
handles signals in the main thread only, where Airflow runs tasks. In other threads the length of the text and the
check of the pattern (:mod:`~airflow_dbt_rerun.core.regexes.lint`) are the only limits.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 1.0
"""CPU seconds for one search. A search of the longest text takes milliseconds."""


class TooSlowError(ValueError):
    """A search was stopped because it took too long."""


def found_in(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether a text contains a match.

    :raises TooSlowError: if the search takes more than :data:`SECONDS`.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGVTALRM) not in _FREE:
        return pattern.search(text) is not None
    with _limit(f"the pattern {pattern.pattern!r} was searched for more than {SECONDS:g} s in one message"):
        return pattern.search(text) is not None


_FREE = (signal.SIG_DFL, signal.SIG_IGN)
"""Nobody else uses the timer."""


@contextmanager
def _limit(message: str) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(message)

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
