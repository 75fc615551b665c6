"""How slow a hostile message can make us: every built-in pattern against texts made to be hard for it.

First each pattern alone: the text that is hardest for it is grown to 100 KB, and a time that grows faster than the
text betrays a bad pattern. Then the hardest of those texts as messages of 1 MB, through all of ``match`` and
``clean``, which cut a message before they search it. ``python -m benchmarks patterns`` takes two or three minutes.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.cleaning import evidence
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.core.signatures import all_signatures
from airflow_dbt_rerun.core.signatures.signature import compiled
from benchmarks._hostile import GENERIC, units

FIRST_LOOK = 4000
"""Characters on which the texts for a pattern are compared: as much as a search sees of a message."""

SIZES = (12_500, 25_000, 50_000, 100_000)
WORTH_A_LOOK = 0.005
"""Seconds for the largest size, below which nothing can be said about growth."""

LINEAR = 1.35
"""The power of the text's size with which a time may grow; 1 is linear, 2 quadratic, the rest is noise."""

MESSAGE = 1_000_000
AIM = 0.2
"""Seconds for one message."""

MESSAGES = 300
"""Messages that are tried as a whole: those of the texts that took a pattern longest."""

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
    trials = [trial for pattern in built_in() for trial in hardest(pattern)]
    print_growth([on(SIZES[-1], trial) for trial in trials])
    generic = [Trial(0, unit, f"({title})") for title, unit in GENERIC.items()]
    print_slowest([*heapq.nlargest(MESSAGES, trials), *generic])


def built_in() -> Iterator[str]:
    """Give each pattern of the tables once, those of ``also``, too."""
    signatures = all_signatures()
    yield from dict.fromkeys(pattern for one in signatures for pattern in (one.pattern, one.also) if pattern)


def hardest(pattern: str) -> list[Trial]:
    """Find the texts that a pattern takes longest to search: one made from it, one made for the cleaning."""
    kinds = (units(pattern), GENERIC.values())
    return [max(on(FIRST_LOOK, Trial(0, unit, pattern)) for unit in kind) for kind in kinds]


def on(size: int, trial: Trial) -> Trial:
    """Search a trial's text of another size."""
    search = compiled(trial.pattern).search
    return Trial(seconds(search, of_size(trial.unit, size)), trial.unit, trial.pattern)


def print_growth(trials: Iterable[Trial]) -> None:
    """Print the slowest patterns, and each whose time outgrows the text."""
    slow = sorted((trial for trial in trials if trial.seconds > WORTH_A_LOOK), reverse=True)
    found = {trial.pattern: (power, trial) for trial in slow if (power := growth(trial)) > LINEAR}
    print(f"slower than linear up to {SIZES[-1]:,} characters: {len(found)} patterns")
    for power, trial in sorted(found.values(), reverse=True):
        print(f"  size^{power:.1f}, {trial}")
    print(f"the slowest patterns on {SIZES[-1]:,} characters (a search sees {FIRST_LOOK:,} of a message):")
    for trial in slow[:SHOWN]:
        print(f"  {trial}")


def growth(trial: Trial) -> float:
    """Give the power of the text's size with which a search's time grows."""
    first, *_, last = (min(on(size, trial).seconds for _ in range(2)) for size in SIZES)
    return math.log(last / max(first, 1e-6), SIZES[-1] / SIZES[0])


def print_slowest(trials: Iterable[Trial]) -> None:
    """Print the slowest whole messages, and the slowest single search of a message's bounded evidence."""
    found: dict[str, list[Trial]] = {"match": [], "clean": [], "its own pattern on its evidence": []}
    for trial in {trial.unit: trial for trial in trials}.values():
        message = of_size(trial.unit, MESSAGE)
        took = (
            seconds(match, message),
            seconds(clean, message),
            seconds(compiled(trial.pattern).search, evidence(message)),
        )
        for entries, each in zip(found.values(), took, strict=True):
            entries.append(Trial(each, trial.unit, trial.pattern))
    print(f"{len(found['match']):,} hostile messages of {MESSAGE / 1e6:.0f} MB each, aim {AIM} s each:")
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
