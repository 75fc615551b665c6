"""Jobs, runs and steps as they are kept: one dataclass a table, one field a column, in order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, RunStatus

JOB_TYPES = ("ci", "scheduled", "other", "merge", "exposure_sync", "adaptive", "hybrid")

_TYPES_BY_TRIGGER = {
    "github_webhook": "ci",
    "git_provider_webhook": "ci",
    "on_merge": "merge",
    "schedule": "scheduled",
}
"""The type of a job that was created without one, by the first of its triggers that is on."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job. ``definition`` is the JSON object of what was set when it was created or updated."""

    id: int
    name: str
    state: int
    definition: str
    created_at: str
    updated_at: str

    @property
    def settings(self) -> dict[str, Any]:
        """What was set."""
        return dict(json.loads(self.definition))

    @property
    def job_type(self) -> str:
        """The job's type: the one that was set, else the one that follows from its triggers."""
        settings = self.settings
        triggers = settings.get("triggers") or {}
        inferred = (kind for trigger, kind in _TYPES_BY_TRIGGER.items() if triggers.get(trigger))
        return str(settings.get("job_type") or next(inferred, "other"))

    @property
    def runs_in_parallel(self) -> bool:
        """Whether its runs do not wait for each other, as those of dbt's CI jobs. Merge jobs run one at a time."""
        return self.job_type == "ci"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run, and what it was asked to do.

    ``commands`` is a JSON array: the job's chain, without built-in steps. ``overrides`` is a JSON object.
    ``freshness`` and ``docs`` say whether the job's two checkboxes apply.
    In a retry, the first command resumes step ``retried_step`` of run ``retrying_run_id``.
    """

    id: int
    job_id: int
    status: int
    status_message: str | None
    cause: str
    cause_category: str
    commands: str
    overrides: str
    freshness: int
    docs: int
    dbt_version: str
    git_branch: str | None
    git_sha: str | None
    retrying_run_id: int | None
    retried_step: int | None
    has_docs_generated: int
    has_sources_generated: int
    cancelled_by: str | None
    created_at: str
    updated_at: str
    dequeued_at: str | None
    started_at: str | None
    finished_at: str | None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in TERMINAL_STATUSES

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.status == RunStatus.ERROR

    @property
    def ended_at(self) -> str | None:
        """When the run ended, even if the platform is set not to show it."""
        return self.finished_at or (self.updated_at if self.is_over else None)

    @property
    def chain(self) -> tuple[str, ...]:
        """The commands whose failure fails the run, in order."""
        return tuple(json.loads(self.commands))

    @property
    def overridden(self) -> dict[str, Any]:
        """What the trigger changed for this run alone."""
        return dict(json.loads(self.overrides))


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step. ``command`` is the dbt command it runs or resumes; built-in steps have none.

    ``place`` is the position of the command in the run's chain; the checkboxes' steps have none.
    """

    id: int
    run_id: int
    index: int
    name: str
    command: str | None
    place: int | None
    status: int
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.status == RunStatus.ERROR
