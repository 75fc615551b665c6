"""What was read of the past: the runs of a time, and of some of them all details. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults

DAY = 24 * 60 * 60.0


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose runs to read: those of some jobs, of an environment, or all that the token may see."""

    job_ids: Sequence[int] = ()
    environment_id: int | None = None

    def __str__(self) -> str:
        """Return the scope in words."""
        if self.job_ids:
            return ("job " if len(self.job_ids) == 1 else "jobs ") + ", ".join(map(str, self.job_ids))
        return "all jobs" if self.environment_id is None else f"environment {self.environment_id}"

    def queries(self) -> dict[str, dict[str, Any]]:
        """Return the lists that hold these runs: the filters of each, by a name for the cache."""
        if self.job_ids:
            return {f"job-{job_id}": {"job_id": job_id} for job_id in dict.fromkeys(self.job_ids)}
        if self.environment_id is not None:
            return {f"environment-{self.environment_id}": {"environment_id": self.environment_id}}
        return {"all": {}}


@dataclass(frozen=True, slots=True)
class Details:
    """A run as read one by one: with its steps, trigger, job and audit, and the node results of its steps."""

    run: Run
    results: tuple[StepResults, ...] = ()
    """Of a failed run those of its failed steps; of a green one those of all steps."""
    facts: ManifestFacts | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """The runs of a time.

    :param since: epoch seconds; runs that were created before are not known.
    :param until: epoch seconds; later ones are not known either.
    :param runs: as listed, with trigger and audit, oldest first.
    :param details: of the runs that failed, and of those whose success has to be proven.
    :param unreadable: why a run that should be in ``details`` is not, by its id.
    :param requests: how many requests it took; none if all was in the cache.
    """

    host: str
    account_id: int
    scope: Scope
    since: float
    until: float
    runs: tuple[Run, ...]
    details: Mapping[int, Details]
    unreadable: Mapping[int, str]
    requests: int = 0

    @property
    def days(self) -> float:
        """How many days it covers."""
        return (self.until - self.since) / DAY
