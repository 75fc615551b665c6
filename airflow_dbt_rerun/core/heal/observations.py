"""What the loop is shown: one observation each time. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults


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
