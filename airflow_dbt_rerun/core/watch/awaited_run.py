"""Choose the run of a job that a task waits for. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.lineage import repaired_run

FIRST, LATEST = "first", "latest"
MATCHES = (FIRST, LATEST)


@dataclass(frozen=True, slots=True)
class Awaited:
    """A run to wait for: the first or the latest run of a job that was created in time and fits.

    A rerun of a fitting run belongs to that run and is not counted separately.
    """

    job_id: int
    since: float
    """Epoch seconds; runs that were created earlier do not count."""
    cause_categories: tuple[str, ...] = ()
    """What may have started it, in dbt's own terms; empty for anything."""
    git_branch: str | None = None
    match: str = FIRST

    def choose(self, runs: Iterable[Run]) -> Run | None:
        """Choose among runs of the job, in any order; return None if there is none or it is not certain yet."""
        counted: set[int] = set()
        fitting: list[Run] = []
        previous: Run | None = None
        for run in sorted(filter(self._is_in_time, runs), key=lambda each: each.id):
            if repaired_run(run, previous) in counted:
                counted.add(run.id)
            elif self._may_fit(run):
                counted.add(run.id)
                fitting.append(run)
            previous = run
        chosen = fitting[-1 if self.match == LATEST else 0] if fitting else None
        # Do not fall back to the next run: one that has not cloned yet may turn out to be on the branch.
        return chosen if chosen is not None and self._is_on_branch(chosen) else None

    @property
    def is_known_at_creation(self) -> bool:
        """Whether a run that does not fit at its creation never will; its branch may become known later."""
        return self.git_branch is None

    def fits(self, run: Run) -> bool:
        """Return whether a run passes the filters on cause and branch, as far as that is known now."""
        return self._may_fit(run) and self._is_on_branch(run)

    def _is_in_time(self, run: Run) -> bool:
        created = epoch(run.created_at)
        return run.job_id == self.job_id and created is not None and created >= self.since

    def _may_fit(self, run: Run) -> bool:
        category = run.trigger.cause_category if run.trigger else None
        if self.cause_categories and category not in self.cause_categories:
            return False
        return self._is_on_branch(run) or (_branch(run) is None and not run.is_terminal)

    def _is_on_branch(self, run: Run) -> bool:
        return self.git_branch is None or _branch(run) == self.git_branch

    def to_dict(self) -> dict[str, Any]:
        """Return the value as plain JSON."""
        return {
            "job_id": self.job_id,
            "since": self.since,
            "cause_categories": list(self.cause_categories),
            "git_branch": self.git_branch,
            "match": self.match,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""
        return cls(**{**data, "cause_categories": tuple(data["cause_categories"])})

    def __str__(self) -> str:
        """Return it in words, for logs and errors."""
        by = f" by cause category {' or '.join(self.cause_categories)}" if self.cause_categories else ""
        on = f" on branch {self.git_branch}" if self.git_branch else ""
        return f"the {self.match} run of job {self.job_id} created at or after {in_words(self.since)}{by}{on}"


def in_words(moment: float) -> str:
    """Return epoch seconds in dbt's timestamp format."""
    return str(datetime.fromtimestamp(moment, UTC))


def _branch(run: Run) -> str | None:
    """Return a run's branch: None until dbt has cloned it, unless its trigger names one."""
    asked = (run.trigger.overrides or {}).get("git_branch") if run.trigger else None
    return run.git_branch or asked
