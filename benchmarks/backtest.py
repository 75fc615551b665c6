"""Try the backtest on a simulated history whose truth is known: requests, seconds, and how right its verdicts are.

The truth (``history_truth.json``) says from when an identical rerun would have succeeded. Whether the reruns that
the backtest names would have healed follows from that alone: it is compared with what the backtest says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.backtest.cache import FolderCache
from airflow_dbt_rerun.backtest.collected import Collected, Scope
from airflow_dbt_rerun.backtest.collecting import Collector, Wish
from airflow_dbt_rerun.backtest.pacing import Gate
from airflow_dbt_rerun.backtest.replay import replay
from airflow_dbt_rerun.backtest.tried import Backtest, Tried, try_policies
from airflow_dbt_rerun.backtest.verdicts import Judged, Verdict, with_all_rerun
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.support import LocalPlatform, local_platform

POLICIES = {
    "default": RerunPolicy(),
    "patient": RerunPolicy(stop=stop_after_attempt(12), wait=wait_fixed(1800)),
    "none": RerunPolicy(rules=()),
}
HEALS, FAILS, DEPENDS, STOPPED = "heals", "fails", "depends on the minute", "a person stopped it"
TRUTHS = (HEALS, FAILS, DEPENDS, STOPPED)

RIGHT = {
    Verdict.HEALED: {HEALS, DEPENDS},
    Verdict.IN_VAIN: {FAILS, DEPENDS},
    Verdict.RIGHTLY_LEFT: {FAILS, DEPENDS, STOPPED},
    Verdict.WRONGLY_LEFT: {HEALS, DEPENDS},
    Verdict.NOT_KNOWN: set(TRUTHS),
}
"""What may be true of each verdict."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print requests, seconds and the table of verdicts against the truth; fail if a verdict is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks backtest")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(sys.argv[2:] if arguments is None else arguments)
    wrong = measure(options.days, options.jobs, options.seed)
    if wrong:
        raise SystemExit(f"{wrong} verdicts are wrong")


def measure(days: int, jobs: int, seed: int) -> int:
    """Serve a history, try the policies on it twice, and print the figures; return how many verdicts are wrong."""
    history = ("--simulate", "--history", str(days), "--history-jobs", str(jobs), "--history-seed", str(seed))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with local_platform(place, *history, jobs={}) as platform:
            for name in ("the first time", "the second time"):
                found = _timed(name, platform, place / "cache", days)
            methods = {request["method"] for request in platform.control("GET", "requests")}
            print(f"methods that the platform saw: {', '.join(sorted(methods))}")
        truth = read_truth(place / "platform" / "history_truth.json")
    return sum(_compare(tried, truth) for tried in found.tried)


def _timed(name: str, platform: LocalPlatform, cache: Path, days: int) -> Backtest:
    began = time.monotonic()
    past = collect(platform, cache, days)
    read = time.monotonic() - began
    found = try_policies(past, POLICIES)
    print(
        f"{name}: {len(past.runs):,} runs, {len(found.failures)} failures, {past.requests:,} requests, "
        f"{read:.1f} s to read, {time.monotonic() - began - read:.1f} s to judge {len(POLICIES)} policies"
    )
    return found


def collect(platform: LocalPlatform, cache: Path, days: int) -> Collected:
    """Read all runs of a platform, as the command does."""
    settings = Settings(platform.base_url, platform.account_id, platform.token, trust_env=False)
    kept = FolderCache(cache, host=settings.host, account_id=settings.account_id)
    collector = Collector(DbtClient(settings), kept, Gate(4_500))
    return collector.collect(Wish(Scope(), days), time.time())


def read_truth(path: Path) -> Mapping[int, Mapping[str, Any]]:
    """Read the truth about each failure, by the id of its run."""
    return {failure["run_id"]: failure for failure in json.loads(path.read_text())["failures"]}


def _compare(tried: Tried, truth: Mapping[int, Mapping[str, Any]]) -> int:
    """Print the table of a policy; return how many verdicts are wrong."""
    able = with_all_rerun(tried.policy)
    pairs = [(judged, true_outcome(judged, able, truth[judged.failure.run.id])) for judged in tried.judged]
    counts = Counter((judged.verdict, true) for judged, true in pairs)
    print(f"\npolicy {tried.name!r}: backtest down, truth across")
    print(f"{'':24}" + "".join(f"{true:>24}" for true in TRUTHS))
    for verdict in Verdict:
        print(f"{verdict:24}" + "".join(f"{counts[verdict, true]:24}" for true in TRUTHS))
    perhaps = [true for judged, true in pairs if judged.may_have_healed]
    print(f"of the {len(perhaps)} that may have healed, {perhaps.count(HEALS)} do")
    wrong = [(judged, true) for judged, true in pairs if true not in RIGHT[judged.verdict]]
    for judged, true in wrong[:20]:
        run = judged.failure.run
        print(f"WRONG: run {run.id} of {judged.failure.job_name}: {judged.verdict} ({judged.why}), but {true}")
    return len(wrong)


def true_outcome(judged: Judged, with_all: RerunPolicy, truth: Mapping[str, Any]) -> str:
    """Return what reruns would truly have done: those of the policy or, if it starts none, those it could have."""
    if truth["category"] == "cancelled":
        return STOPPED
    own = judged.replay.planned or replay(judged.failure, with_all).planned
    healable = epoch(truth["healable_at"])
    if healable is None or not own:
        return FAILS
    if any(planned.earliest >= healable and planned.certain for planned in own):
        return HEALS
    return DEPENDS if any(planned.latest >= healable for planned in own) else FAILS


if __name__ == "__main__":
    main()
