"""End work without another run, since a person gave it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.lineage import Marker, chain, uncertain_in
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.engine.cancelling import cancel
from airflow_dbt_rerun.engine.reader import RunReader, Sender
from airflow_dbt_rerun.engine.starter import Work


def abandon(
    client: Sender,
    reader: RunReader,
    work: Work,
    lives: Sequence[Marker],
    *,
    now: float,
    signatures: Sequence[Signature],
    cancelled: Callable[[str], None],
) -> tuple[RerunSession, Run | None]:
    """Cancel what the work has in progress, and return what there was of it, for the report.

    :param lives: the markers of the task's lives, the newest first; the newest one with runs counts.
    :param now: epoch seconds.
    :param cancelled: called with what became of each run that was in progress.
    :raises DbtApiError: if the runs cannot be listed, read or cancelled.
    """
    listed = reader.newest_runs(work.job_id)
    found = next(filter(None, (chain(listed, life, after=work.of_run) for life in lives)), ())
    keep = work.theirs | uncertain_in(listed, found, after=work.of_run)
    for run in found:
        if not run.is_terminal and run.id not in keep:
            cancelled(cancel(client, run.id))
    ids = (*([work.of_run] if work.of_run else []), *(run.id for run in found))
    runs = [reader.read(run_id) for run_id in ids]
    return (_session(runs, work, reader, now, signatures), runs[-1]) if runs else (RerunSession(now), None)


def _session(
    runs: Sequence[Run], work: Work, reader: RunReader, now: float, signatures: Sequence[Signature]
) -> RerunSession:
    newest = runs[-1]
    session = RerunSession.of_chain(runs, now=now, deadline=None, given=work.of_run is not None).following(newest)
    session = session.with_current(status=newest.status_name, git_sha=newest.git_sha, seconds=newest.seconds)
    for run in runs:
        if run.is_error:
            session = session.recalling(diagnose(run, reader.results(run), signatures=signatures))
    return session
