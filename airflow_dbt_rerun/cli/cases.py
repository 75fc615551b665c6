"""What the commands pass on to each other: a failure with its evidence, and what is thought of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.dbt.models import Job
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.observations import RunSeen


class UnreadableError(Exception):
    """A target, or a file named by an option, cannot be read. The message is one line that names it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One target of the command line, read."""

    source: str
    """The target as it was given."""
    seen: RunSeen
    """The run with its evidence. For files a run is made up: its id is 0."""
    nothing: str | None = None
    """Why there is nothing to diagnose, in words."""
    job: Job | None = None
    written_at: str | None = None
    """When dbt wrote the file, as it says itself."""

    @property
    def is_file(self) -> bool:
        """Whether this was read from a file and not from the platform."""
        return self.seen.run.id == 0


@dataclass(frozen=True, slots=True)
class Advice:
    """What the policy would do, and why, in words."""

    action: str
    """One of dbt's reruns, ``fail``, or ``adopt`` for watching the newer run of the job."""
    reason: str
    wait_seconds: float = 0.0
    exhausted: bool = False
    why_not_wanted: str | None = None
    """Why it is not the kind of rerun that the rule asked for, if it is not."""
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {
            "action": self.action,
            "reason": self.reason,
            "wait_seconds": round(self.wait_seconds, 1),
            "exhausted": self.exhausted,
            "why_not_wanted": self.why_not_wanted,
            "overrides": dict(self.overrides),
        }


@dataclass(frozen=True, slots=True)
class Opinion:
    """A case, why it failed, and what to do about it; both are None where nothing failed."""

    case: Case
    diagnosis: Diagnosis | None = None
    advice: Advice | None = None
