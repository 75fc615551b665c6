"""What a run was defined to do, kept while the job that is shown with it is still the one that started it.

dbt shows a job as it is defined now with every run of it, old and new. So the definition is remembered when the run
is read for the first time, if dbt says that the job was not changed after the run had been created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run


@dataclass(frozen=True, slots=True)
class Definition:
    """The commands and the target that a run was started with."""

    commands: tuple[str, ...]
    target: str | None = None

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Return the definition of a run that was read with its job; None if the job may have changed since."""
        changed, created = epoch(run.job_updated_at), epoch(run.created_at)
        if changed is None or created is None or changed > created or not run.commands:
            return None
        return cls(run.commands, run.job_target)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a definition from plain JSON values."""
        return cls(tuple(data["commands"]), data["target"])

    def edited(self, run: Run, overrides: Mapping[str, Any]) -> str | None:
        """Say how the job that is shown with a run differs from this definition; None if it does not.

        :param run: any run of the job, read with its job.
        :param overrides: those of the defined run, which apply whatever the job says.
        """
        if not run.job_commands:
            return None
        if "steps_override" not in overrides and run.job_commands != self.commands:
            return f"its commands were {'; '.join(self.commands)}"
        return self.moved(run, overrides)

    def moved(self, run: Run, overrides: Mapping[str, Any]) -> str | None:
        """Say how the target of the job that is shown with a run differs; None if it does not."""
        if not run.job_commands or "target_name_override" in overrides or run.job_target == self.target:
            return None
        return f"its target was {self.target or 'the default one'}"
