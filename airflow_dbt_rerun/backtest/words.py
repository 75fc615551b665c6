"""A backtest in words: what the terminal and the page say alike."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_dbt_rerun.backtest.tried import Backtest
from airflow_dbt_rerun.backtest.verdicts import Verdict
from airflow_dbt_rerun.core.messages import counted

VERDICTS = {
    Verdict.HEALED: "would have healed",
    Verdict.IN_VAIN: "would have rerun in vain",
    Verdict.RIGHTLY_LEFT: "rightly left to people",
    Verdict.WRONGLY_LEFT: "wrongly left to people",
    Verdict.NOT_KNOWN: "not known",
}

MEANING = {
    Verdict.HEALED: "a later run of the same work proves that the cause was gone when the policy would have rerun",
    Verdict.IN_VAIN: "a later run proves that the cause was still there after the policy's last attempt",
    Verdict.RIGHTLY_LEFT: "the policy leaves it to people, and no rerun would have helped",
    Verdict.WRONGLY_LEFT: "the policy leaves it to people, but a rerun within its limits would have healed it",
    Verdict.NOT_KNOWN: "dbt's record does not tell",
}

MAY_HAVE_HEALED = (
    "May have healed: the policy would have rerun, and the first success after the failure was of the same work "
    "and commit. Whether the cause was gone early enough for the policy's attempts, dbt's record does not tell."
)

PATIENCE = (
    "The time from a failure to the first run of the same work and commit that succeeded. The cause was gone by "
    "then; since when, nobody knows. That a policy heals is proven only where an attempt of it comes later."
)


def verdict_words(verdict: Verdict) -> str:
    """Return a verdict in words."""
    return VERDICTS[verdict]


def headline(backtest: Backtest) -> str:
    """Say what was read."""
    past = backtest.past
    day = datetime.fromtimestamp(past.until, UTC)
    failures, runs = counted(len(backtest.failures), "failure"), len(past.runs)
    of_runs = f"{runs:,} runs" if runs != 1 else "1 run"
    read = f"{counted(past.requests, 'request')}" if past.requests else "no request, all from the cache"
    return (
        f"{failures} in {of_runs} of {past.scope} on {past.host}, in the {past.days:.0f} days before "
        f"{day:%Y-%m-%d %H:%M} UTC ({read})"
    )


def range_of(bounds: tuple[float, float]) -> str:
    """Return ``12 to 31``, or one number if both are the same."""
    least, most = (f"{bound:,.0f}" for bound in bounds)
    return least if least == most else f"{least} to {most}"


def span(seconds: float) -> str:
    """Return ``40 s``, ``12 min``, ``3.5 h``, ``2 d``."""
    if seconds < 100:  # noqa: PLR2004 - below two minutes, seconds read better
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * 86400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} d"
