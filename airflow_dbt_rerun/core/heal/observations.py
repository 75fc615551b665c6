"""The input of the loop: one observation at a time. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.heal.lineage import FoundRerun


@dataclass(frozen=True, slots=True)
class NoRun:
    """A search found no run of this work."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run, just read from the API, with the evidence that its status calls for.

    ``results``: in Error, the node results of the failed steps; in Success, those of all dbt steps.
    ``before``: for a green rerun, the node results of the failed steps of the runs it repairs.
    ``newer``: the job's newer runs that may stand for this one, if it is superseded or was cancelled by no person.
    ``newest``: the job's newest run, in the same cases.
    ``rerun``: the rerun from failure that supersedes this run, if it was started outside this task.
    ``ours``: False if the task did not start it, or may not have.
    ``certain``: False if ``run`` may as well be the rerun of a run outside this work.
    ``facts``: what the project's manifest adds, if the policy needs it.
    ``still_there``: for a green rerun, the owed nodes without a result that are in the project; None if unknown.
    """

    run: Run
    results: tuple[StepResults, ...] = ()
    before: tuple[StepResults, ...] = ()
    newer: tuple[Run, ...] = ()
    newest: Run | None = None
    rerun: FoundRerun | None = None
    ours: bool = True
    certain: bool = True
    facts: ManifestFacts | None = None
    still_there: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform refused the rerun we posted, and no rerun of this run exists.

    ``final``: whether only a person can change that.
    """

    run: Run
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The answer to the POST of a rerun told nothing, and no rerun was found after it."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotReadable:
    """The run could not be read for too long, so nothing is known about it."""

    reason: str


Observation = NoRun | RunSeen | Refused | NotReadable
