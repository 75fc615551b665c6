"""Watch one run, as values: the generator decides when to poll and what an answer means, its caller does the I/O.

The blocking and the deferrable mode share it, so both tolerate the same trouble for the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from airflow_dbt_rerun.core.watch.pace import Pace, Seen


@dataclass(frozen=True, slots=True)
class Poll:
    """Get the run now; send the answer, or the error, back into the generator."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait for this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Over:
    """The run has ended."""

    run_id: int
    status: int


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """The deadline passed while the run was still in progress."""

    run_id: int


@dataclass(frozen=True, slots=True)
class Unwatchable:
    """The run could not be read for too long. Whether it failed or succeeded is unknown."""

    run_id: int | None
    reason: str


WatchOutcome = Over | OutOfTime | Unwatchable
Watch = Generator[Poll | Sleep, "Seen | Exception | None", WatchOutcome]


def watch(
    run_id: int,
    pace: Pace,
    *,
    clock: Callable[[], float],
    bearable: Callable[[Exception], bool],
    shorten: Callable[[], float] = lambda: 1.0,
) -> Watch:
    """Poll a run until it ends, the deadline passes, or it has been unreadable for too long.

    :param pace: intervals and limits. Its tolerance is a time, not a count: an outage of the API lasts equally long
        for every poll interval. Its deadline is wall-clock time, since another machine may have set it.
    :param clock: returns epoch seconds.
    :param bearable: returns whether an error may pass by itself; any other is raised at once.
    :param shorten: returns the part of each pause to wait.
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
            if now - last_answer > pace.tolerance:
                return Unwatchable(run_id, f"no readable answer for {now - last_answer:.0f} s; last: {answer}")
        if pace.deadline is not None and now >= pace.deadline:
            return OutOfTime(run_id)
        pause = pace.pause(now, seen) * shorten()
        yield Sleep(pause if pace.deadline is None else min(pause, max(pace.deadline - now, 0.0)))
