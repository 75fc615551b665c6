"""How slow a hostile message can make us: every built-in pattern against texts made to be hard for it.

First each pattern alone on growing texts: a time that grows faster than the text betrays a bad pattern. Then the
text that was hardest for each pattern as a message of 1 MB, through all of ``match`` and ``clean``.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.cleaning import evidence
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.core.signatures import all_signatures
from airflow_dbt_rerun.core.signatures.signature import compiled
from benchmarks._hostile import GENERIC, units

SIZE = 1_000_000
AIM = 0.2
"""Seconds for one message."""

SIZES = (1000, 2000, 4000, 8000)
WORTH_A_LOOK = 0.001
"""Seconds for the largest size, below which nothing can be said about growth."""

LINEAR = 1.35
"""The power of the text's size with which a time may grow; 1 is linear, 2 quadratic, the rest is noise."""

SHOWN = 5


@dataclass(frozen=True, order=True)
class Trial:
    """One search: how long it took, and for what."""

    seconds: float
    unit: str
    pattern: str

    def __str__(self) -> str:
        """Show what was repeated, and the pattern that it was made from."""
        return f"{self.seconds * 1000:.1f} ms: {self.unit[:60]!r}, made from {self.pattern[:90]!r}"


def main() -> None:
    """Print all patterns that are slower than linear, and the slowest messages."""
    patterns = [one.pattern for one in all_signatures()]
    own = [hardest(pattern, units(pattern)) for pattern in patterns]
    print_growth([*own, *(hardest(pattern, GENERIC.values()) for pattern in patterns)])
    generic = [Trial(0, unit, f"({title})") for title, unit in GENERIC.items()]
    print_slowest({trial.unit: trial for trial in (*own, *generic)}.values())


def hardest(pattern: str, candidates: Iterable[str]) -> Trial:
    """Find the unit that a pattern takes longest to search, alone and without the bound on evidence."""
    search = compiled(pattern).search
    return max(Trial(seconds(search, of_size(unit, SIZES[-1])), unit, pattern) for unit in candidates)


def print_growth(trials: Iterable[Trial]) -> None:
    """Print each pattern whose time outgrows the text."""
    found = {trial.pattern: (power, trial) for trial in trials if (power := growth(trial)) > LINEAR}
    print(f"slower than linear on {SIZES[0]:,} to {SIZES[-1]:,} characters: {len(found)} patterns")
    for power, trial in sorted(found.values(), reverse=True):
        print(f"  size^{power:.1f}, {trial}")


def growth(trial: Trial) -> float:
    """Give the power of the text's size with which a search's time grows; 0 where it is too short to tell."""
    if trial.seconds < WORTH_A_LOOK:
        return 0
    search = compiled(trial.pattern).search
    first, *_, last = (min(seconds(search, of_size(trial.unit, size)) for _ in range(3)) for size in SIZES)
    return math.log(last / first, SIZES[-1] / SIZES[0])


def print_slowest(trials: Iterable[Trial]) -> None:
    """Print the slowest whole messages, and the slowest single search of a message's bounded evidence."""
    found: dict[str, list[Trial]] = {"match": [], "clean": [], "its own pattern on its evidence": []}
    for trial in trials:
        message = of_size(trial.unit, SIZE)
        took = (
            seconds(match, message),
            seconds(clean, message),
            seconds(compiled(trial.pattern).search, evidence(message)),
        )
        for entries, each in zip(found.values(), took, strict=True):
            entries.append(Trial(each, trial.unit, trial.pattern))
    print(f"{len(found['match']):,} hostile messages of {SIZE / 1e6:.0f} MB each, aim {AIM} s each:")
    for name, entries in found.items():
        worst, late = max(entries).seconds, sum(entry.seconds > AIM for entry in entries)
        print(f"{name}: {worst:.3f} s at the most{f' - {late} TOO SLOW' if late else ''}")
        for entry in heapq.nlargest(SHOWN, entries):
            print(f"  {entry}")


def of_size(unit: str, size: int) -> str:
    """Repeat a text up to a size."""
    return (unit * (size // len(unit) + 1))[:size]


def seconds(work: Callable[..., object], *arguments: object) -> float:
    """Measure CPU seconds: what else the machine does is not counted."""
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began


if __name__ == "__main__":
    main()
