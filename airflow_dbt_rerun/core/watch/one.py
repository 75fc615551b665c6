"""Watch one run, as values: the caller sends the polls and sleeps, this says when and what it means.

One generator serves the blocking and the deferrable mode, so both tolerate the same trouble for the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.models import Run, RunState


@dataclass(frozen=True, slots=True)
class Poll:
    """Get the run now; send the answer, or the error, back into the generator."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Over:
    """The run has come to its end."""

    run_id: int
    status: int


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """The deadline passed while the run was still going."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Unwatchable:
    """The run could not be read for too long. Nothing is known about it: not failed, not succeeded."""

    run_id: int | None
    reason: str


Outcome = Over | OutOfTime | Unwatchable
Seen = Run | RunState
Watch = Generator[Poll | Sleep, "Seen | Exception | None", Outcome]
Interval = Callable[[float, "Seen | None"], float]
"""Gives seconds until the next poll, from the moment (epoch seconds) and the run as it was last seen."""


def watch(
    run_id: int,
    *,
    interval: float | Interval,
    tolerance: float,
    deadline: float | None,
    clock: Callable[[], float],
    bearable: Callable[[Exception], bool],
) -> Watch:
    """Poll a run until it is over, the deadline passes, or it cannot be read any more.

    :param interval: seconds between polls, or what gives them.
    :param tolerance: seconds for which polls may go wrong before the run counts as unwatchable. A time, not a
        count: an outage of the API lasts as long for everyone, however often they ask.
    :param deadline: wall-clock epoch seconds after which to stop waiting, or None. Wall-clock, because the
        deadline may have been made on another machine.
    :param clock: gives epoch seconds.
    :param bearable: whether an error may pass by itself; any other is raised at once.
    """
    last_answer = clock()
    seen: Seen | None = None
    while True:
        answer = yield Poll(run_id)
        now = clock()
        if isinstance(answer, Seen):
            last_answer, seen = now, answer
            if answer.is_terminal:
                return Over(run_id, answer.status)
        elif isinstance(answer, Exception):
            if not bearable(answer):
                raise answer
            if now - last_answer > tolerance:
                return Unwatchable(run_id, f"no readable answer for {now - last_answer:.0f} s; last: {answer}")
        if deadline is not None and now >= deadline:
            return OutOfTime(run_id)
        pause = interval(now, seen) if callable(interval) else interval
        yield Sleep(pause if deadline is None else min(pause, max(deadline - now, 0.0)))
