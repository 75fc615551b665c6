"""Read a finished chain of runs from the API, and say whether its work is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import FULL_RUN, Endpoint, Id, get_job, get_run, get_step_results, list_runs
from airflow_dbt_rerun.audit.ledger import Audit, Ledger
from airflow_dbt_rerun.audit.records import Record, StepRecord
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.exceptions import DbtNotFoundError

T = TypeVar("T")


class Sender(Protocol):
    """Sends an endpoint and returns its parsed answer."""

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send one request."""
        ...


def audit(client: Sender, run_id: Id, *, of_run: Id | None = None) -> Audit:
    """Say whether the work that a run finished is done, by what dbt has on record. Only reads.

    :param client: sends requests to one account, for example ``DbtCloudRerunHook().client``.
    :param run_id: the run that finished the work, or any other run of its chain.
    :param of_run: the run that defines the work, where ``run_id`` is another run of the job that stands for it.
    :raises DbtApiError: if a run cannot be read.
    """
    chain = _chain(client, int(run_id))
    if of_run is not None and int(of_run) not in [run.id for run in chain]:
        chain = [*_chain(client, int(of_run)), *chain]
    records = [_record(client, run) for run in chain]
    commands = records[0].run.commands or get_commands(client, records[0].run)
    ledger = Ledger(commands, records[0].place)
    for record in records:
        ledger.enter(record)
    unfinished = [run.id for run in chain if not run.is_terminal]
    problem = f"runs {unfinished} are still in progress" if unfinished else ledger.doubt
    return Audit(tuple(run.id for run in chain), ledger.close(), problem)


def get_commands(client: Sender, run: Run) -> tuple[str, ...]:
    """Return the commands of a run's job, where the run itself does not name them."""
    return client.send(get_job(run.job_id)).execute_steps


def _chain(client: Sender, run_id: int) -> list[Run]:
    """Return the run and those before it that it repairs, oldest first."""
    runs: list[Run] = []
    wanted: int | None = run_id
    while wanted is not None and wanted not in [run.id for run in runs]:
        runs.append(client.send(get_run(wanted, include_related=FULL_RUN)))
        wanted = _repaired(client, runs[-1])
    return runs[::-1]


def _repaired(client: Sender, run: Run) -> int | None:
    """Return which run a run repairs: by its record, or else the failed run just before a *rerun*."""
    record = Record(run)
    if record.resumes is not None or record.repairs is not None:
        return record.resumes if record.resumes is not None else record.repairs
    if not record.is_resumed:
        return None
    earlier = [each.id for each in client.send(list_runs(job_id=run.job_id)) if each.id < run.id]
    return max(earlier, default=None)


def _record(client: Sender, run: Run) -> Record:
    return Record(run, tuple(StepRecord(step, _nodes(client, run, step)) for step in run.steps if step.command))


def _nodes(client: Sender, run: Run, step: RunStep) -> dict[str, NodeResult] | None:
    for path in ("run_results.json", "sources.json"):
        with suppress(DbtNotFoundError):
            results = client.send(get_step_results(run.id, step=step.index, path=path))
            return {node.unique_id: node for node in results.nodes}
    return None


def lines(found: Audit) -> Iterator[str]:
    """Return an audit as lines for people."""
    chain = ", ".join(map(str, found.run_ids))
    yield f"Work of run {found.run_ids[0]}: {found.finding} (runs read: {chain})"
    if found.problem:
        yield f"  {found.problem}"
    for each in found.commands:
        yield f"  {each.finding}: {each.command}: {each.evidence}"
        yield from (f"    warning: {warning}" for warning in each.warnings)
