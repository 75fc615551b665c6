"""What was decided about a failed run and has not been carried out yet: a rerun, or a question to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from airflow_dbt_rerun.core.policy.policy import RerunAction


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question to a person that has no answer yet."""

    options: tuple[RerunAction, ...]
    default: RerunAction
    asked_at: float
    """Epoch seconds."""
    until: float
    """Epoch seconds at which the default is the answer."""
    assigned_users: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a question from its JSON form."""
        options = tuple(map(RerunAction, data["options"]))
        users = tuple(data["assigned_users"])
        return cls(options, RerunAction(data["default"]), data["asked_at"], data["until"], users)


@dataclass(frozen=True, slots=True)
class PlannedRerun:
    """A rerun that was decided on and has not started yet."""

    run_id: int
    action: RerunAction
    not_before: float
    wait_seconds: float
    reason: str
    commands: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """What the rule changes for this rerun: fields of dbt's trigger request."""
    of_earlier_try: bool = False
    """Whether it was started before this try of the task began."""
    certain: bool = True
    """False if the rerun that carried it out may as well be that of a run outside this work."""
    by_other: bool = False
    """Whether dbt names somebody else for the rerun that carried it out than for the run that it resumes."""
    by_person: bool = False
    """Whether a person ordered it: a newer run that has failed does not stand for it then."""
    question: OpenQuestion | None = None
    """What a person is asked before anything is started."""

    @property
    def starter_unknown(self) -> bool:
        """Whether it was started before this try of the task began, and bears no marker."""
        return self.of_earlier_try and self.action is RerunAction.RERUN_FROM_FAILURE

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a plan from its JSON form."""
        question = data.get("question")
        read = {"action": RerunAction(data["action"]), "commands": tuple(data["commands"])}
        return cls(**{**data, **read, "question": OpenQuestion.from_dict(question) if question else None})
