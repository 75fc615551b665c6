"""Report each ended run once, as values: which runs are wanted, and which were already reported.

A run is recognised by its id and ordered by dbt's own ``finished_at``, so no local clock decides what is new. No
I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, Run, RunStatus
from airflow_dbt_rerun.core.heal.lineage import is_already_handled

LATE = 300.0
"""Seconds by which a list may be late with a run's end: each read goes back this far."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted. A None matches every run.

    :param include_reruns: also runs that are already handled: reruns, and runs that tasks of this package started.
    """

    job_ids: Collection[int] | None = None
    statuses: Collection[int] = TERMINAL_STATUSES
    environment_id: int | None = None
    project_id: int | None = None
    include_reruns: bool = False

    def has(self, run: Run) -> bool:
        """Return whether an ended run, read with its trigger, is wanted."""
        return (
            run.status in self.statuses
            and (self.job_ids is None or run.job_id in self.job_ids)
            and self.environment_id in (None, run.environment_id)
            and self.project_id in (None, run.project_id)
            and (self.include_reruns or not is_already_handled(run))
        )


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far ended runs have been reported. Times are epoch seconds of dbt's ``finished_at``.

    :param start: runs that ended earlier are not reported.
    :param until: the latest end that was seen, of any run, wanted or not.
    :param told: the wanted runs reported shortly before, with their ends: they are read again, but not reported
        again.
    """

    start: float
    until: float
    told: Mapping[int, float]

    @classmethod
    def new(cls, now: float) -> Cursor:
        """Return a cursor for the runs that end from now on."""
        return cls(now, now, {})

    @property
    def since(self) -> float:
        """The end from which runs have to be read."""
        return max(self.start, self.until - LATE)

    def resumed(self, earliest: float) -> Cursor:
        """Continue after a break: runs that ended before ``earliest`` are too old to be reported."""
        return replace(self, start=max(self.start, earliest))

    def news(self, runs: Iterable[Run], wanted: RunFilter) -> Sequence[Run]:
        """Return the runs to report, the earliest end first."""
        ends = {run.id: (end, run) for run in runs if (end := ended(run)) is not None}
        fresh = [each for each in ends.values() if each[0] >= self.since and each[1].id not in self.told]
        return [run for _, run in sorted(fresh, key=lambda each: (each[0], each[1].id)) if wanted.has(run)]

    def after(self, runs: Iterable[Run], told: Iterable[Run]) -> Cursor:
        """Advance past the runs that were read, some of them reported. Runs reported long ago are dropped."""
        until = max([self.until, *filter(None, map(ended, runs))])
        known = {**self.told, **{run.id: ended(run) or until for run in told}}
        since = max(self.start, until - LATE)
        return Cursor(self.start, until, {run_id: end for run_id, end in known.items() if end >= since})

    def to_dict(self) -> dict[str, Any]:
        """Return the cursor as plain JSON values."""
        return {
            "start": self.start,
            "until": self.until,
            "told": {str(run_id): end for run_id, end in self.told.items()},
        }

    @classmethod
    def from_dict(cls, data: Any) -> Cursor | None:
        """Read what :meth:`to_dict` returned; return None for anything else."""
        try:
            told = {int(run_id): float(end) for run_id, end in data["told"].items()}
            return cls(float(data["start"]), float(data["until"]), told)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def ended(run: Run) -> float | None:
    """Return a run's end in epoch seconds; None if it has none that can be read.

    A run that was cancelled before it started may lack ``finished_at``: then its last update counts.
    """
    if not run.is_terminal:
        return None
    try:
        return epoch(run.finished_at or (run.updated_at if run.is_cancelled else None))
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
    """Return an ended run as plain JSON values, the same for an asset event and for a webhook.

    :param status: dbt's number; the payload has its name, for example ``Error``.
    :param finished_at: any timestamp of dbt's; the payload has ISO 8601.
    :param category: of the failure, if it was diagnosed.
    :raises ValueError: if ``finished_at`` is not a timestamp.
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
