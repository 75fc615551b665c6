"""How long troubles lasted, as far as the record tells: it never tells a moment, only bounds.

A trouble was there when the run failed. A later run of the same work that failed in the same way tells that it was
*still there at* that moment; the first green one of the same commit tells that it was *gone by* then
(:mod:`airflow_dbt_rerun.backtest.aftermath`). In between, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.backtest.aftermath import Tells
from airflow_dbt_rerun.backtest.failures import PastFailure

FEWEST = 5
"""Cases below which nothing is proposed."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """When the trouble behind a failure ended, in seconds after the run failed.

    :param still_there_at: the last moment at which it was seen; 0 if it was not seen again.
    :param gone_by: the first moment at which it was seen to be gone; None if it was not, or a commit mended it.
    """

    still_there_at: float
    gone_by: float | None


def bounds(failure: PastFailure) -> Bounds:
    """Return what the later runs tell about the end of a trouble."""
    gone = next((each.moment for each in failure.later if each.tells is Tells.GONE), None)
    seen = [each.moment for each in failure.later if each.tells is Tells.STILL_THERE]
    last = max(seen, default=failure.ended) - failure.ended
    return Bounds(max(last, 0.0), None if gone is None else max(gone - failure.ended, 0.0))


@dataclass(frozen=True)
class Evidence:
    """Failures of one kind, and how long their troubles lasted."""

    failures: tuple[PastFailure, ...]
    bounds: tuple[Bounds, ...]

    @classmethod
    def of(cls, failures: Sequence[PastFailure]) -> Evidence:
        """Read the bounds of each failure."""
        return cls(tuple(failures), tuple(map(bounds, failures)))

    def __len__(self) -> int:
        """Return how many failures there are."""
        return len(self.failures)

    def passed_within(self, seconds: float) -> list[float]:
        """Return after how many seconds each trouble was seen to be gone that was within a time, shortest first."""
        return sorted(each.gone_by for each in self.bounds if each.gone_by is not None and each.gone_by <= seconds)

    def gone_by(self, seconds: float) -> int:
        """Return how many were certainly gone."""
        return len(self.passed_within(seconds))

    def still_there_at(self, seconds: float) -> int:
        """Return how many were certainly still there."""
        return sum(each.still_there_at >= seconds for each in self.bounds)

    def only(self, choose: Callable[[PastFailure], bool]) -> Evidence:
        """Return the part of it that is about some failures."""
        return Evidence.of([failure for failure in self.failures if choose(failure)])
