"""Read a finished chain of runs from the API, and say whether its work is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import FULL_RUN, Endpoint, Id, get_job, get_run, get_step_results, list_runs
from airflow_dbt_rerun.api.whereabouts import read_still_there
from airflow_dbt_rerun.audit.ledger import Audit, Ledger, where_of
from airflow_dbt_rerun.audit.records import Record, StepRecord
from airflow_dbt_rerun.core.dbt.executed import executed, is_of_another_definition, was_edited_since
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.exceptions import DbtNotFoundError

EDITED = "the job was edited after the first run had started: what it had not executed yet is not known"

T = TypeVar("T")


class Sender(Protocol):
    """Sends an endpoint and returns its parsed answer."""

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send one request."""
        ...


def audit(client: Sender, run_id: Id, *, of_run: Id | None = None) -> Audit:
    """Say whether the work that a run finished is done, by what dbt has on record. Sends GETs only.

    :param client: sends requests to one account, for example ``DbtCloudRerunHook().client``.
    :param run_id: the run that finished the work, or any other run of its chain.
    :param of_run: the run that defines the work, where ``run_id`` is another run of the job that stands for it.
    :raises DbtApiError: if a run cannot be read.
    """
    chain = _Chain(client, None if of_run is None else int(of_run)).up_to(int(run_id))
    records = [_record(client, run) for run in chain]
    root = records[0].run
    root = root if root.commands else replace(root, commands=get_commands(client, root))
    edited = is_of_another_definition(root)
    commands = executed(root) if edited else root.commands
    ledger = Ledger(commands, records[0].place, where_of(root), still_there=partial(read_still_there, client.send))
    for record in records:
        ledger.enter(record)
    unfinished = [run.id for run in chain if not run.is_terminal]
    edited = edited or was_edited_since(root, root.created_at)
    doubt = EDITED if edited and not root.is_success else ledger.doubt
    problem = f"runs {unfinished} are still in progress" if unfinished else doubt
    return Audit(tuple(run.id for run in chain), ledger.close(), problem)


def get_commands(client: Sender, run: Run) -> tuple[str, ...]:
    """Return the commands of a run's job, where the run itself does not name them."""
    return client.send(get_job(run.job_id)).execute_steps


class _Chain:
    """Follows a run back to the run that defines its work.

    :param root: the run that defines the work, if it is known.
    """

    def __init__(self, client: Sender, root: int | None) -> None:
        self._client = client
        self._root = root

    def up_to(self, run_id: int) -> list[Run]:
        """Return the runs of the work, oldest first, up to this one."""
        runs: list[Run] = []
        wanted: int | None = run_id
        while wanted is not None and wanted not in [run.id for run in runs]:
            runs.append(self._client.send(get_run(wanted, include_related=FULL_RUN)))
            wanted = None if wanted == self._root else self._repaired(runs[-1])
        if self._root is not None and runs[-1].id != self._root:
            runs.append(self._client.send(get_run(self._root, include_related=FULL_RUN)))
        return runs[::-1]

    def _repaired(self, run: Run) -> int | None:
        """Return which run a run repairs, by dbt's record or by the marker in its cause."""
        record = Record(run)
        if record.resumes is not None or record.repairs is not None:
            return record.resumes if record.resumes is not None else record.repairs
        return self._resumed_without_record(run) if record.is_resumed else None

    def _resumed_without_record(self, rerun: Run) -> int | None:
        """Return which run an unnamed *rerun* resumes: the last of this work (or of all) that had failed."""
        newest = self._client.send(list_runs(job_id=rerun.job_id, include_related=("trigger",)))
        listed = sorted(newest, key=lambda run: run.id)
        work = {self._root}
        for run in listed:
            record = Record(run)
            unnamed = record.is_unnamed_rerun and record.place == Record(rerun).place
            if unnamed or {record.repairs, record.resumes} & (work - {None}):
                work.add(run.id)
        failed = (run.id for run in reversed(listed) if run.is_error and _ended_before(run, rerun))
        return next((run_id for run_id in failed if run_id in work or self._root is None), None)


def _ended_before(run: Run, rerun: Run) -> bool:
    """Return whether a run had ended when *rerun* was created; true if dbt does not say."""
    ended, created = epoch(run.finished_at), epoch(rerun.created_at)
    return run.id < rerun.id and (ended is None or created is None or ended <= created)


def _record(client: Sender, run: Run) -> Record:
    return Record(run, tuple(_step_record(client, run, step) for step in run.steps if step.command))


def _step_record(client: Sender, run: Run, step: RunStep) -> StepRecord:
    for path in ("run_results.json", "sources.json"):
        with suppress(DbtNotFoundError):
            asked = get_step_results(run.id, step=step.index, path=path, created_at=run.created_at)
            results = client.send(asked).of_step(step.command)
            return StepRecord(step, {node.unique_id: node for node in results.nodes}, results.kept_options)
    return StepRecord(step)


def lines(found: Audit) -> Iterator[str]:
    """Return an audit as lines for people."""
    chain = ", ".join(map(str, found.run_ids))
    yield f"Work of run {found.run_ids[0]}: {found.finding} (runs read: {chain})"
    if found.problem:
        yield f"  {found.problem}"
    for each in found.commands:
        yield f"  {each.finding}: {each.command}: {each.evidence}"
        yield from (f"    warning: {warning}" for warning in each.warnings)
