"""Watch one run, as values: the generator decides when to poll and what an answer means, its caller does the I/O.

The blocking and the deferrable mode share it, so both tolerate the same trouble for the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto

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


class Unlisted(Enum):
    """What an answer says of a run that it covers without listing it."""

    NOT_OVER = auto()
    """It is not among those that have ended."""
    IN_PROGRESS = auto()
    """It is one of those in progress, which were counted and are all there."""


@dataclass(frozen=True, slots=True)
class Missing:
    """No list contains the run, and requesting it by its own address failed."""

    error: Exception


WatchOutcome = Over | OutOfTime | Unwatchable
Answer = Seen | Unlisted | Missing | Exception
Watch = Generator[Poll | Sleep, "Answer | None", WatchOutcome]


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
    last_answer = last_seen = clock()
    seen: Seen | None = None
    while True:
        answer = yield Poll(run_id)
        now = clock()
        if isinstance(answer, Seen):
            last_answer, last_seen, seen = now, now, answer
            if answer.is_terminal:
                return Over(run_id, answer.status)
        elif isinstance(answer, Unlisted):
            last_answer, last_seen = now, last_seen if answer is Unlisted.NOT_OVER else now
        elif answer is not None:
            # Lists without the run do not prove that it exists: for a missing one, count from when it was seen.
            error, since = (answer.error, last_seen) if isinstance(answer, Missing) else (answer, last_answer)
            if not bearable(error):
                raise error
            if now - since > pace.tolerance:
                return Unwatchable(run_id, f"no readable answer for {now - since:.0f} s; last: {error}")
        if pace.deadline is not None and now >= pace.deadline:
            return OutOfTime(run_id)
        pause = pace.pause(now, seen) * shorten()
        yield Sleep(pause if pace.deadline is None else min(pause, max(pace.deadline - now, 0.0)))
