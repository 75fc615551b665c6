"""What the loop takes and gives: observations in, steps out. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.policy.policy import RerunAction

# --- Observations: what was read a moment ago


@dataclass(frozen=True, slots=True)
class NoRun:
    """We looked for a run of this work and there is none."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run, read from the API a moment ago, with the evidence that its status calls for.

    ``results``: in Error, the node results of the failed steps; in Success, those of all dbt steps.
    ``before``: for a green rerun, the node results of the failed steps of the runs it repairs.
    ``newest``: the job's newest run, where this one is superseded.
    ``rerun``: the rerun from failure of this one, where it is superseded by one that somebody else started.
    ``facts``: what the project's manifest adds, where the policy asks about tags or files.
    """

    run: Run
    results: tuple[StepResults, ...] = ()
    before: tuple[StepResults, ...] = ()
    newest: Run | None = None
    rerun: Run | None = None
    facts: ManifestFacts | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform said no to the rerun we posted, and no rerun of this run exists.

    ``final``: whether only a person can change that.
    """

    run: Run
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class NotReadable:
    """The run could not be read for too long. Nothing is known about it."""

    reason: str


Observation = NoRun | RunSeen | Refused | NotReadable


# --- Steps: what to do next


@dataclass(frozen=True, slots=True)
class Trigger:
    """Start the first run."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for the run to end, or, with ``until``, for a moment (epoch seconds); then look at the run again."""

    run_id: int
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Rerun:
    """Start a rerun of ``of_run``: look whether it exists already, then post once."""

    action: RerunAction
    of_run: int
    reason: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    why_not_wanted: str | None = None
    """Why it is not the kind of rerun that the policy asked for, if it is not."""


@dataclass(frozen=True, slots=True)
class Succeed:
    """The work is done."""

    run_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The work is not done and nothing more will be tried.

    ``retryable``: whether Airflow's own ``retries`` may take it up. ``kind`` names the error to raise.
    """

    reason: str
    kind: str = "failed"
    retryable: bool = False
    run: Run | None = None
    diagnosis: Diagnosis | None = None


Step = Trigger | Wait | Rerun | Succeed | Fail
