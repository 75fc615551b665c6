"""Values that the commands share: a failure with its evidence, and the opinion about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.observations import RunSeen


class UnreadableError(Exception):
    """A target, or a file named by an option, cannot be read. The message is one line that names it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One target of the command line, read."""

    source: str
    """The target as given on the command line."""
    seen: RunSeen
    """The run with its evidence. A file gets a made-up run, whose id is 0."""
    nothing: str | None = None
    """Why there is nothing to diagnose, in words."""
    job: Job | None = None
    written_at: str | None = None
    """When dbt wrote the file, from the file itself."""

    @property
    def is_file(self) -> bool:
        """Whether this was read from a file instead of the platform."""
        return self.seen.run.id == 0


@dataclass(frozen=True, slots=True)
class Advice:
    """What the policy would do, and why."""

    action: str
    """One of dbt's reruns, ``fail``, or ``adopt`` for watching the newer run of the job."""
    reason: str
    wait_seconds: float = 0.0
    exhausted: bool = False
    why_not_wanted: str | None = None
    """Why this is not the kind of rerun that the rule asked for; None if it is."""
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
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
    """A case, why it failed, and what to do about it; both are None if nothing failed."""

    case: Case
    diagnosis: Diagnosis | None = None
    advice: Advice | None = None
