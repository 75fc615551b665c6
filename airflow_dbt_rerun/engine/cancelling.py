"""Cancel a run, and say what dbt's record says of it afterwards."""

from __future__ import annotations

from typing import Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, cancel_run, get_run
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.engine.reader import Sender
from airflow_dbt_rerun.exceptions import DbtApiError

T = TypeVar("T")


class AsyncSender(Protocol):
    """A client that sends an endpoint in an event loop. Its class is not imported: it brings two HTTP libraries."""

    async def send(self, endpoint: Endpoint[T]) -> T:
        """Send one request."""
        ...


def cancel(client: Sender, run_id: int, *, job_id: int | None = None, marker: Marker | None = None) -> str:
    """Cancel a run, read it again, and return what has become of it in words.

    :param job_id: the job that it has to be a run of; None where that has been checked.
    :param marker: that of the work which it has to be a run of, as far as its cause tells; None likewise.
    :raises DbtApiError: if dbt refused to cancel a run that is still in progress, or the run cannot be read.
    """
    refusal = None
    if job_id is not None and (known := _read(client, run_id)):
        if known.job_id != job_id:
            return f"Not cancelling dbt run {run_id}: it is one of job {known.job_id}, not of job {job_id}"
        if marker and marker.is_denied_by(known):
            return f"Not cancelling dbt run {run_id}: it was not started by this task"
    try:
        client.send(cancel_run(run_id))
    except DbtApiError as error:
        refusal = error
    return what_became_of(client.send(get_run(run_id)), refusal)


def _read(client: Sender, run_id: int) -> Run | None:
    """Read a run; None if it cannot be read: it was ours when it was started, and must not go on."""
    try:
        return client.send(get_run(run_id, include_related=("trigger",)))
    except DbtApiError:
        return None


async def cancel_async(client: AsyncSender, run_id: int) -> str:
    """Do the same in an event loop."""
    refusal = None
    try:
        await client.send(cancel_run(run_id))
    except DbtApiError as error:
        refusal = error
    return what_became_of(await client.send(get_run(run_id)), refusal)


def what_became_of(run: Run, refusal: DbtApiError | None = None) -> str:
    """Say what a cancelled run is, as read after the request: it may have ended by itself, or need a moment.

    :raises DbtApiError: the refusal of the request, if the run is still in progress.
    """
    if refusal is not None and not run.is_terminal:
        raise refusal
    if run.is_cancelled:
        return f"Cancelled dbt run {run.id}"
    if run.is_terminal:
        return f"dbt run {run.id} was to be cancelled, but had already ended in {run.status_name}"
    return f"Asked dbt to cancel run {run.id}, which is still {run.status_name}"
