"""How far a watched run is: asked for with the polls that are sent anyway, and told when it has changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from airflow_dbt_rerun.core.dbt.models import Run

TELL_EVERY = 30.0
"""Seconds between two tellings, at least: each is written to Airflow's database."""


class PolledProgress:
    """Tell of changes of one watched run.

    :param tell: called with the run and its steps.
    :param clock: returns epoch seconds.
    """

    def __init__(self, tell: Callable[[Run], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._asked_at = -math.inf  # the first poll asks at once: a short run is over before the next time
        self._asks = False
        self._told: object = None

    def related(self) -> Sequence[str]:
        """Return what the next poll has to ask for: steps make an answer large, so not each poll does."""
        now = self._clock()
        self._asks = now - self._asked_at >= TELL_EVERY
        if self._asks:
            self._asked_at = now
        return ("run_steps",) if self._asks else ()

    def polled(self, answer: Run | Exception) -> None:
        """Take the answer of a poll, and tell of it if it has steps and says something new."""
        if not self._asks or not isinstance(answer, Run) or answer.is_terminal:
            return
        seen = (answer.status, [(step.index, step.status) for step in answer.steps])
        if seen != self._told:
            self._told = seen
            self._tell(answer)
