"""One dbt run for a piece of work, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_dbt_rerun.core.policy.policy import RerunAction

SUPERSEDED_BY = "superseded_by"

RUNS_EVERYTHING = frozenset({RerunAction.RERUN_FROM_START, SUPERSEDED_BY})
"""Kinds of rerun that run all nodes, and so owe no particular one."""

TRIGGERED = "trigger"
GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dbt run for this work, and its result."""

    run_id: int
    kind: str
    """``trigger``, ``given`` (there before: started outside this task, or the run that a person asked to rerun),
    ``superseded_by``, or the :class:`RerunAction`.
    """
    url: str | None = None
    ours: bool = True
    """Whether we started it, and so may cancel it."""
    of_run: int | None = None
    resumes: tuple[str, ...] = ()
    """The commands that a rerun runs or resumes: the failed one and those after it; empty if from start."""
    git_sha: str | None = None
    status: str | None = None
    diagnosis: Mapping[str, Any] | None = None
    fingerprint: str | None = None
    progress: str | None = None
    """What this rerun healed of what the previous attempt had left undone."""
    decision: str | None = None
    asked_by: str | None = None
    """Who asked, by a button, to rerun this run, which the task has from before its clear."""
    by_person: bool = False
    """Whether a person decided about this run, by an answer or a button."""
    would: str | None = None
    """What the policy would have done, if it was held back: a :class:`RerunAction`."""
    waited: float = 0.0
    proof: str | None = None
    """Of a green rerun: ``verified``, ``not verifiable`` or ``hollow``."""
    verification: str | None = None
    """The same in words, with the evidence."""
    warnings: tuple[str, ...] = ()
    """What a person should know of a green run, for example nodes that failed in it."""
    hollow: bool = False
    """Whether dbt reported success although the owed work was not done."""
    seconds: float | None = None
    """How long dbt ran, from start to end."""
    nodes_run: int | None = None
    nodes_saved: int | None = None
    certain: bool = True
    """False if dbt does not record which run this one resumes, and another one is possible."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read an attempt from plain JSON values."""
        lists = {name: tuple(data.get(name) or ()) for name in ("resumes", "warnings")}
        return cls(**{**data, **lists})
