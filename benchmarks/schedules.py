"""Live through thousands of random schedules of faults with parallel tasks, and count what must never happen.

Strangers run and rerun the job (also elsewhere, also in part), answers get lost, workers die, and dbt is read both
ways where its documents differ. A duplicate is a second run for the same work; a false green is a green task that
the independent auditor does not confirm.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.scenarios.siblings import live_together
from tests.scenarios.simulated_platform import Deed, End, Fate, Schedule, SimulatedPlatform, Trouble
from tests.scenarios.test_schedules import TRIES, audited, first_of
from tests.scenarios.test_siblings import TENANTS, broken_promises, cancelled_by_others, story, work_of

COUNT = 5000
ENDS = (
    End.SUCCESS,
    End.TRANSIENT,
    End.TRANSIENT,
    End.STRANGE,
    End.NO_NODES,
    End.NO_CLONE,
    End.HOLLOW,
    End.PERMANENT,
)


@dataclass
class Figures:
    """What came of all schedules."""

    schedules: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    posts: int = 0
    broken: list[str] = field(default_factory=list)
    false_greens: int = 0

    def lines(self) -> list[str]:
        """Return the figures as a table."""
        ends = ", ".join(f"{count} {kind}" for kind, count in self.tasks.most_common())
        return [
            f"schedules                 {self.schedules:>8,}",
            f"tasks                     {sum(self.tasks.values()):>8,}   ({ends})",
            f"dbt runs, POSTs           {self.runs:>8,} / {self.posts:,}",
            f"broken promises           {len(self.broken):>8,}   (duplicates, runs elsewhere, false greens)",
            f"greens unconfirmed        {self.false_greens:>8,}   (by the auditor)",
        ]


def random_schedule(dice: random.Random) -> Schedule:
    """Draw one schedule."""
    fates = [
        Fate(dice.choice(ENDS), dice.randrange(5), dice.choice([30.0, 90.0, 400.0]))
        for _ in range(dice.randrange(1, 6))
    ]
    kills = dict.fromkeys(dice.sample(range(60), dice.randrange(3)), Trouble.KILLED_BEFORE)
    return Schedule(
        fates=fates,
        posts={dice.randrange(6): dice.choice(list(Trouble)) for _ in range(dice.randrange(4))},
        gets=kills,
        deeds={dice.randrange(60): dice.choice(list(Deed)) for _ in range(dice.randrange(4))},
        names_resumed_run=dice.random() < 0.5,
        keeps_overrides=dice.random() < 0.5,
        shows_retry=dice.random() < 0.5,
        latest=dice.choice(["any_newer", "newer_success"]),
    )


def live(seed: int, figures: Figures) -> None:
    """Live through one schedule and book what came of it."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    platform = SimulatedPlatform(random_schedule(dice))
    count = dice.randrange(1, len(TENANTS) + 1)
    stories = [story(number, deferrable=dice.random() < 0.5) for number in range(count)]
    ends = live_together(platform, stories, [dice.randrange(8) for _ in range(12)])
    figures.schedules += 1
    figures.runs += len(platform.runs)
    figures.posts += len(platform.posts)
    figures.broken += cancelled_by_others(platform)
    for number, ended in enumerate(ends):
        figures.tasks[ended.kind] += 1
        figures.broken += broken_promises(platform, number, ended)
        if ended.run_id is not None:
            first = first_of(platform, work_of(number).marker)
            figures.false_greens += not audited(platform, ended.run_id, first).is_done


def main() -> int:
    """Print the figures; return 1 if anything happened that must not."""
    figures, began = Figures(), time.monotonic()
    for seed in range(COUNT):
        live(seed, figures)
    print("\n".join(figures.lines()))
    print(f"({time.monotonic() - began:.0f} s; up to {TRIES} tries a task)")
    for each in figures.broken[:10]:
        print("  ", each)
    return int(bool(figures.broken or figures.false_greens))
