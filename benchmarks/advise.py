"""Let ``advise`` propose a policy from the first 60 of 90 days, and try it on the next 30, whose truth is known.

Proposals are made from what dbt shows; the truth (``history_truth.json``) only scores them: from when an identical
rerun would have succeeded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.advice.advise import advise
from airflow_dbt_rerun.backtest.collected import DAY, Collected
from airflow_dbt_rerun.backtest.period import as_of
from airflow_dbt_rerun.backtest.totals import Totals, rerun_seconds
from airflow_dbt_rerun.backtest.tried import Tried, try_policies
from airflow_dbt_rerun.backtest.verdicts import Case, Judged, Verdict
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from benchmarks.backtest import DEPENDS, FAILS, HEALS, collect, read_truth
from tests.support import local_platform

NEXT = 30
Truths = Mapping[int, Mapping[str, Any]]

_HEAD = (
    f"{'seed':>4} {'policy':9} {'failures':>8} | {'healed':>6} {'perhaps':>7} {'in vain':>7} {'not known':>9} "
    f"{'vain s':>7} | {'healed':>6} {'own':>4} {'depends':>7} {'vain reruns':>11} {'vain s':>8}"
)


@dataclass(frozen=True, slots=True)
class Truly:
    """What a policy's reruns would truly have done about one failure.

    :param by_own: whether its own rerun did it, and not the job's next run that it waited for.
    :param vain: the reruns that would certainly have failed.
    """

    outcome: str
    by_own: bool = False
    vain: int = 0
    vain_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """What a policy would truly have done about all failures."""

    healed: int
    by_own: int
    depends: int
    vain: int
    vain_seconds: float

    @classmethod
    def of(cls, judged: Sequence[Judged], truth: Truths) -> Score:
        """Sum up."""
        each = [truly(one, epoch(truth[one.failure.run.id]["healable_at"])) for one in judged]
        outcomes = Counter(one.outcome for one in each)
        own, vain = sum(one.by_own for one in each), sum(one.vain for one in each)
        return cls(outcomes[HEALS], own, outcomes[DEPENDS], vain, sum(one.vain_seconds for one in each))

    def beats(self, other: Score) -> bool:
        """Return whether it heals more, and wastes less of both reruns and time of the warehouse."""
        return self.healed > other.healed and self.vain < other.vain and self.vain_seconds < other.vain_seconds


def truly(judged: Judged, healable: float | None) -> Truly:
    """Return what a policy's reruns would truly have done.

    :param healable: epoch seconds from which an identical rerun would succeed; None if none would.
    """
    outcome, vain, seconds = FAILS, 0, 0.0
    for planned in judged.replay.planned:
        if planned.follows is not None:
            followed = HEALS if judged.case is Case.FOLLOWED_TO_SUCCESS else outcome
            return Truly(followed, vain=vain, vain_seconds=seconds)
        if healable is not None and planned.certain and planned.earliest >= healable:
            return Truly(HEALS, by_own=True, vain=vain, vain_seconds=seconds)
        if healable is not None and planned.latest >= healable:
            outcome = DEPENDS
        else:
            vain, seconds = vain + 1, seconds + rerun_seconds(judged, planned)
    return Truly(outcome, vain=vain, vain_seconds=seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, two lines a seed; fail if a proposal does not heal more and waste less than the default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks advise")
    parser.add_argument("--days", type=int, default=90, help="the last 30 are tried (default: 90)")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(sys.argv[2:] if arguments is None else arguments)
    print(f"{'':23} | {'by the backtest':40} | by the truth")
    print(_HEAD, flush=True)
    lost = [seed for seed in options.seeds if not _wins(*history(options.days, options.jobs, seed), seed)]
    if lost:
        raise SystemExit(f"the proposal does not beat the default policy on seed {', '.join(map(str, lost))}")


def history(days: int, jobs: int, seed: int) -> tuple[Collected, Truths]:
    """Serve a history and read it over HTTP; return what dbt shows of it, and the truth."""
    options = ("--simulate", "--history", str(days), "--history-jobs", str(jobs), "--history-seed", str(seed))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with local_platform(place, *options, jobs={}) as platform:
            past = collect(platform, place / "cache", days)
        return past, read_truth(place / "platform" / "history_truth.json")


def scores(past: Collected, truth: Truths) -> list[tuple[Tried, Sequence[Judged], Score]]:
    """Propose a policy from the days before the last 30, and try it and the default one on these."""
    middle = past.until - NEXT * DAY
    proposed = advise(as_of(past, past.since, middle)).policy
    found = try_policies(as_of(past, middle, past.until), {"default": RerunPolicy(), "proposed": proposed})
    return [(tried, tried.judged, Score.of(tried.judged, truth)) for tried in found.tried]


def _wins(past: Collected, truth: Truths, seed: int) -> bool:
    found = scores(past, truth)
    for tried, judged, score in found:
        print(_line(seed, tried.name, judged, score), flush=True)
    return found[1][2].beats(found[0][2])


def _line(seed: int, name: str, judged: Sequence[Judged], score: Score) -> str:
    totals = Totals.of(judged)
    counts = totals.verdicts
    return (
        f"{seed:4} {name:9} {len(judged):8} | {counts[Verdict.HEALED]:6} {totals.may_have_healed:7} "
        f"{counts[Verdict.IN_VAIN]:7} {counts[Verdict.NOT_KNOWN]:9} {totals.vain_seconds:7,.0f} | {score.healed:6} "
        f"{score.by_own:4} {score.depends:7} {score.vain:11} {score.vain_seconds:8,.0f}"
    )


__all__ = ["history", "main", "scores", "truly"]


if __name__ == "__main__":
    main()
