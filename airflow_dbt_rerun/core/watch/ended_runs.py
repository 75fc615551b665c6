"""Tell each run that has come to its end once, as values: which runs are wanted, and what was told already.

A run is recognised by its id and placed by dbt's own ``finished_at``, so no clock of ours decides what is new. No
I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, Run, RunStatus, epoch
from airflow_dbt_rerun.core.heal.lineage import is_already_handled

LATE = 300.0
"""Seconds that a list may be late with a run's end: so far back the past is read again, each time."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted. What is None is not looked at.

    :param include_reruns: also runs that somebody looks after: reruns, and what tasks of this package started.
    """

    job_ids: Collection[int] | None = None
    statuses: Collection[int] = TERMINAL_STATUSES
    environment_id: int | None = None
    project_id: int | None = None
    include_reruns: bool = False

    def has(self, run: Run) -> bool:
        """Whether a run that is over, read with its trigger, is wanted."""
        return (
            run.status in self.statuses
            and (self.job_ids is None or run.job_id in self.job_ids)
            and self.environment_id in (None, run.environment_id)
            and self.project_id in (None, run.project_id)
            and (self.include_reruns or not is_already_handled(run))
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the ends of runs were told. Moments are epoch seconds of dbt's ``finished_at``.

    :param start: what ended before is not told.
    :param until: the latest end that was seen, be it of a wanted run or not.
    :param told: the wanted runs that ended shortly before, with their ends: read again, and not told again.
    """

    start: float
    until: float
    told: Mapping[int, float]

    @classmethod
    def new(cls, now: float) -> Cursor:
        """Start with the runs that end from now on."""
        return cls(now, now, {})

    @property
    def since(self) -> float:
        """From when on runs have to be read."""
        return max(self.start, self.until - LATE)

    def resumed(self, earliest: float) -> Cursor:
        """Go on after nobody looked for a while; what ended before ``earliest`` is too old to be told."""
        return replace(self, start=max(self.start, earliest))

    def news(self, runs: Iterable[Run], wanted: RunFilter) -> Sequence[Run]:
        """Choose what is to be told, the earliest end first."""
        ends = {run.id: (end, run) for run in runs if (end := ended(run)) is not None}
        fresh = [each for each in ends.values() if each[0] >= self.since and each[1].id not in self.told]
        return [run for _, run in sorted(fresh, key=lambda each: (each[0], each[1].id)) if wanted.has(run)]

    def after(self, runs: Iterable[Run], told: Iterable[Run]) -> Cursor:
        """Move on past what was read, some of which was told. Who was told long ago is forgotten."""
        until = max([self.until, *filter(None, map(ended, runs))])
        known = {**self.told, **{run.id: ended(run) or until for run in told}}
        since = max(self.start, until - LATE)
        return Cursor(self.start, until, {run_id: end for run_id, end in known.items() if end >= since})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "start": self.start,
            "until": self.until,
            "told": {str(run_id): end for run_id, end in self.told.items()},
        }

    @classmethod
    def from_dict(cls, data: Any) -> Cursor | None:
        """Read what :meth:`to_dict` gave; None, if it is something else."""
        try:
            told = {int(run_id): float(end) for run_id, end in data["told"].items()}
            return cls(float(data["start"]), float(data["until"]), told)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def ended(run: Run) -> float | None:
    """Return the moment of a run's end, in epoch seconds; None, if it has none that can be read."""
    try:
        return epoch(run.finished_at) if run.is_terminal else None
    except (ValueError, TypeError):
        return None


def run_payload(
    *,
    run_id: int,
    job_id: int,
    job_name: str | None,
    status: int,
    finished_at: str | None,
    category: Category | None = None,
    url: str | None = None,
) -> dict[str, Any]:
    """Say in plain JSON values which run came to what end: the same for an asset event and for a webhook.

    :param status: dbt's number; the payload has its word, for example ``Error``.
    :param finished_at: any timestamp of dbt's; the payload has ISO 8601.
    :param category: of the failure, where it was looked at.
    :raises ValueError: if ``finished_at`` is no timestamp.
    """
    end = epoch(finished_at)
    return {
        "run_id": run_id,
        "job_id": job_id,
        "job_name": job_name,
        "status": RunStatus(status).name.capitalize() if status in TERMINAL_STATUSES else None,
        "category": None if category is None else str(category),
        "url": url,
        "finished_at": None if end is None else datetime.fromtimestamp(end, UTC).isoformat(),
    }
