"""When a soak does what: the same seed gives the same schedule, though not the same timing of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.support import Json

ONE_FAULT_IN = 3.0
"""Seconds."""

WAVES_END, FAULTS_END = 0.7, 0.85
"""Of the whole time: after that no wave starts, and nothing goes wrong any more."""


@dataclass(frozen=True, order=True)
class Event:
    """Something that the soak does at a moment, in seconds after its start."""

    moment: float
    what: str
    details: Json = field(default_factory=dict, compare=False)


def schedule(minutes: float, waves: int, dice: Random) -> list[Event]:
    """Lay down all that happens, in order."""
    length = minutes * 60
    starts = [Event(length * WAVES_END * wave / waves, "wave", {"wave": wave}) for wave in range(waves)]
    return sorted([*starts, *faults(length, dice), *violence(minutes, dice)])


def faults(length: float, dice: Random) -> Iterator[Event]:
    """Lay down the faults of the API."""
    moment = dice.expovariate(1 / ONE_FAULT_IN)
    while moment < length * FAULTS_END:
        yield Event(moment, "fault", fault(dice))
        moment += dice.expovariate(1 / ONE_FAULT_IN)


def fault(dice: Random) -> Json:
    """Throw one fault of the API."""
    few = dice.randint(1, 6)
    return dice.choice(
        [
            {"kind": "status", "status": dice.choice([500, 502, 503]), "count": few},
            {"kind": "status", "status": 429, "retry_after": dice.randint(1, 5), "count": few},
            {"kind": "status", "status": 504, "method": "POST"},
            {"kind": "lost", "method": "POST"},
            {"kind": "lost", "method": "POST", "status": 504},
            {"kind": "drop", "method": "POST"},
            {"kind": "drop", "count": few},
            {"kind": "latency", "seconds": round(dice.uniform(1, 14), 1), "count": few},
            {"kind": "malformed", "count": dice.randint(1, 3)},
            {"kind": "malformed", "method": "POST"},
            {"kind": "html", "count": dice.randint(1, 3)},
            {"kind": "html", "method": "POST"},
            {"kind": "no_logs", "count": few},
        ]
    )


def violence(minutes: float, dice: Random) -> Iterator[Event]:
    """Lay down kills, clicks, restarts, and times in which dbt's retries do nothing."""
    length = minutes * 60
    often = {"kill_child": minutes, "mark": minutes / 2, "clear": minutes / 2}
    for what, times in often.items():
        for _ in range(max(2, round(times))):
            yield Event(dice.uniform(0.1, FAULTS_END) * length, what)
    for part in (0.25, 0.45, 0.65):
        yield Event(part * length, "kill_triggerer")
    for part in (0.2, 0.4, 0.6, 0.8):
        yield Event(part * length, "hollow")
        yield Event((part + 0.08) * length, "whole")
    yield Event(0.35 * length, "restart")
    yield Event(0.55 * length, "rotate")
    yield Event(0.75 * length, "restart", {"crash": True})
