"""The events of a dbt run as a whole: its start and, once it is over, its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from openlineage.client.event_v2 import Job, RunEvent, RunState
from openlineage.client.event_v2 import Run as LineageRun
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    documentation_job,
    error_message_run,
    job_type_job,
    processing_engine_run,
)
from openlineage.common.provider.dbt import ParentRunMetadata

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.messages import and_more
from airflow_dbt_rerun.openlineage.facets import ATTEMPT, PRODUCER, attempt_facet

_ENDS = {
    RunStatus.SUCCESS: RunState.COMPLETE,
    RunStatus.ERROR: RunState.FAIL,
    RunStatus.CANCELLED: RunState.ABORT,
}


class RunEvents:
    """The events of one dbt run.

    :param run: as dbt reports it.
    :param me: its own identity.
    :param task: the identity of the Airflow task, its parent.
    """

    def __init__(
        self,
        run: Run,
        me: ParentRunMetadata,
        task: ParentRunMetadata,
        report: Mapping[str, Any],
        attempt: Mapping[str, Any],
    ) -> None:
        self._run = run
        self._me = me
        self._attempt = attempt
        self._facets: dict[str, RunFacet] = {
            "parent": task.to_openlineage(),
            ATTEMPT: attempt_facet(report, attempt),
        }
        if run.dbt_version:
            self._facets["processing_engine"] = processing_engine_run.ProcessingEngineRunFacet(
                name="dbt", version=run.dbt_version, openlineageAdapterVersion=__version__
            )

    def start(self) -> RunEvent:
        """Return the event of the run's start; a run that was never started has one all the same."""
        return self._event(RunState.START, self._run.started_at or self._run.created_at, {})

    def end(self) -> RunEvent | None:
        """Return the event of the run's end; None if it is still in progress."""
        if not self._run.is_terminal:
            return None
        errors: dict[str, RunFacet] = {}
        if not self._run.is_success:
            errors["errorMessage"] = error_facet(_why(self._run, self._attempt))
        state = _ENDS[RunStatus(self._run.status)]
        return self._event(state, self._run.finished_at or self._run.updated_at, errors)

    def _event(self, state: RunState, at: str | None, more: Mapping[str, RunFacet]) -> RunEvent:
        return RunEvent(
            eventType=state,
            eventTime=iso(at),
            run=LineageRun(self._me.run_id, {**self._facets, **more}),
            job=Job(self._me.job_namespace, self._me.job_name, _job_facets(self._run)),
            producer=PRODUCER,
        )


def _job_facets(run: Run) -> dict[str, JobFacet]:
    kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="DBT", jobType="JOB", producer=PRODUCER)
    facets: dict[str, JobFacet] = {"jobType": kind}
    if run.job_name:
        facets["documentation"] = documentation_job.DocumentationJobFacet(run.job_name, producer=PRODUCER)
    return facets


def iso(moment: str | None) -> str:
    """Return a timestamp of dbt in the form that the spec asks for; now, if there is none."""
    seconds = epoch(moment)
    found = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return found.isoformat()


def error_facet(message: str) -> RunFacet:
    """Return the facet of an error, which is already cleaned of SQL and values."""
    return error_message_run.ErrorMessageRunFacet(message=message, programmingLanguage="sql", producer=PRODUCER)


def _why(run: Run, attempt: Mapping[str, Any]) -> str:
    findings = [str(Finding.from_dict(finding)) for finding in attempt["findings"]]
    left = (attempt["found"] or 0) - len(findings)
    lines = [*findings, and_more(left)] if left > 0 else findings
    return "\n".join(lines) or f"dbt run {run.id} ended in {run.status_name}"
