"""The failures of the past with all that is known of them: what a policy would have seen, and what came after.

They do not depend on a policy, so two policies are compared over the same values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_dbt_rerun.backtest.aftermath import Later, Tells, aftermath
from airflow_dbt_rerun.backtest.collected import Collected, Details
from airflow_dbt_rerun.backtest.history import (
    JobHistory,
    as_then,
    ended_at,
    failures_of,
    histories,
    to_be_diagnosed,
)
from airflow_dbt_rerun.core.dbt.executed import is_of_another_definition
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.lineage import is_already_handled
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.signatures import Signature


class Starter(StrEnum):
    """What a later run was, as far as dbt tells."""

    PERSON = "started by hand"
    RERUN = "a rerun"
    SCHEDULE = "started by the schedule"
    PROGRAM = "started by a program"


@dataclass(frozen=True, slots=True)
class NextRun:
    """The first run of the job after a failure.

    :param seconds: from the end of the failure to its end.
    """

    run: Run
    starter: Starter
    seconds: float


@dataclass(frozen=True, slots=True)
class PastFailure:
    """A run that failed, and was not the rerun of another one.

    :param seen: what an operator would have seen at its end.
    :param later: what the later runs of the job tell, oldest first, up to the first that did the work.
    :param next: the job's next run; None if there was none.
    :param why_unknown: why no policy can be tried on it, if that is so.
    """

    seen: RunSeen
    diagnosis: Diagnosis
    history: JobHistory
    later: tuple[Later, ...]
    next: NextRun | None
    why_unknown: str | None = None

    @property
    def run(self) -> Run:
        """The run that failed."""
        return self.seen.run

    @property
    def job_name(self) -> str:
        """The job's name or, if it is not known, its number."""
        return self.run.job_name or f"job {self.run.job_id}"

    @property
    def ended(self) -> float:
        """When it failed, in epoch seconds."""
        return ended_at(self.run)

    @property
    def success(self) -> Later | None:
        """The first later run that did the work; None if none did until the end of the time that was read."""
        return next((each for each in self.later if each.is_success), None)

    @property
    def last_seen(self) -> float:
        """When its cause was certainly still there, in epoch seconds."""
        return max((each.moment for each in self.later if each.tells is Tells.STILL_THERE), default=self.ended)

    @property
    def kind(self) -> str:
        """What it failed of: the id of the known error that decides the verdict, or else the category."""
        verdict = self.diagnosis.verdict
        first = next(each for each in self.diagnosis.findings if each.category is verdict)
        return first.signature_id or first.signature or f"{verdict} (no known error)"


def past_failures(found: Collected, signatures: Sequence[Signature] = ()) -> list[PastFailure]:
    """Return the failures of the time that was read, oldest first.

    :param signatures: the team's own error signatures, tried first.
    """
    diagnoses = {
        run.id: diagnose(details.run, details.results, signatures=signatures, facts=details.facts)
        for run in to_be_diagnosed(found)
        if (details := found.details.get(run.id)) is not None
    }
    names = {details.run.job_id: details.run.job_name for details in found.details.values() if details.run.job_name}
    failures = [
        _failure(failed, history, found, diagnoses, names.get(history.job_id))
        for history in histories(found.runs).values()
        for failed in failures_of(history)
    ]
    return sorted(failures, key=lambda failure: failure.run.id)


def _failure(
    listed: Run,
    history: JobHistory,
    found: Collected,
    diagnoses: Mapping[int, Diagnosis],
    job_name: str | None,
) -> PastFailure:
    details = found.details.get(listed.id) or Details(replace(listed, job_name=job_name))
    later = aftermath(details, history, found, diagnoses)
    diagnosis = diagnoses.get(listed.id) or diagnose(listed)
    why = found.unreadable.get(listed.id) or _why_unknown(details.run)
    return PastFailure(as_then(details, history), diagnosis, history, later, _next(details.run, history), why)


def _why_unknown(run: Run) -> str | None:
    if is_of_another_definition(run):
        return "the job was edited after this run, and dbt shows its commands of today only"
    return None


def _next(failed: Run, history: JobHistory) -> NextRun | None:
    run = next(iter(history.after(failed)), None)
    if run is None:
        return None
    return NextRun(run, _starter(run), max(ended_at(run) - ended_at(failed), 0.0))


def _starter(run: Run) -> Starter:
    category = run.trigger.cause_category if run.trigger else None
    if is_already_handled(run):
        return Starter.RERUN
    known = {"ui": Starter.PERSON, "scheduled": Starter.SCHEDULE}
    return known.get(category or "", Starter.PROGRAM)
