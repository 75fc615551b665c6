"""Jobs, runs and steps as stored: a dataclass per table, and its fields in the order of the columns."""

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
    """A job. ``definition`` is a JSON object: the settings from its creation and its updates."""

    id: int
    name: str
    state: int
    definition: str
    created_at: str
    updated_at: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings from its creation and its updates."""
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
        """Whether its runs do not wait for each other: dbt does so for CI jobs, but not for merge jobs."""
        return self.job_type == "ci"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run.

    ``commands`` is a JSON array: its dbt commands, without built-in steps. ``overrides`` is a JSON object.
    ``freshness`` and ``docs`` tell whether the job's two checkboxes apply.
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
    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return self.status in TERMINAL_STATUSES

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.status == RunStatus.ERROR

    @property
    def ended_at(self) -> str | None:
        """The time of its end, even if the platform is set not to record ``finished_at``."""
        return self.finished_at or (self.updated_at if self.is_complete else None)

    @property
    def chain(self) -> tuple[str, ...]:
        """The commands in order; the run fails when one of them fails."""
        return tuple(json.loads(self.commands))

    @property
    def overridden(self) -> dict[str, Any]:
        """The overrides of its trigger."""
        return dict(json.loads(self.overrides))


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step. ``command`` is the dbt command that it runs or resumes; built-in steps have none.

    ``place`` is the position of the command among those of the run; steps of the checkboxes have none.
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
