"""Read cases from the dbt platform: a run by its id, with the evidence that the operator would see.

This is the only module of the commands that imports Airflow, which takes a second or two: import it only for runs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property

from airflow.providers.common.compat.sdk import AirflowException

from airflow_dbt_rerun import testing
from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import get_job, get_run, list_runs
from airflow_dbt_rerun.audit import Audit, audit
from airflow_dbt_rerun.cli.cases import Case, UnreadableError
from airflow_dbt_rerun.cli.run_target import RunTarget
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.observations import NotReadable, Observation, RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.reader import Log, RunReader
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtApiError, DbtConfigError, DbtRerunError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook

PATIENCE = {"retry_limit": 3, "retry_total": 20.0}
"""A person waits at the terminal, so API errors are reported after seconds instead of minutes."""

PACE = Pace(check_interval=10.0)
"""Polls are quicker than a task's, since a person watches."""

_PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""Airflow 3's variable for what a process may read; Airflow's own ``connections`` commands set it, too."""

_LOG = logging.getLogger(__name__)


class RunSource:
    """Read runs of one dbt account for the command line.

    :param conn_id: the Airflow connection.
    :param account_id: the account, if it differs from the connection's.
    :param with_manifest: whether to read a failed run's ``manifest.json`` as well.
    """

    def __init__(self, conn_id: str, account_id: int | None = None, *, with_manifest: bool = False) -> None:
        self._conn_id = conn_id
        self._account_id = account_id
        self._with_manifest = with_manifest

    def read_case(self, target: RunTarget) -> Case:
        """Read a run and its evidence.

        :raises UnreadableError: if there is no connection, it is one to another host or account, or the API does
            not return the run.
        """
        with logs_on_stderr(), self._naming(f"dbt run {target.run_id}"):
            self._check(target)
            seen = self._reader.observe(RerunSession(0.0), target.run_id)
            return self._case(seen, target.run_id)

    def failed_runs(self, most: int) -> Sequence[Run]:
        """List the account's runs that failed last, newest first, with their jobs' names: one request.

        :raises UnreadableError: if there is no connection, or the API does not return the list.
        """
        with logs_on_stderr(), self._naming("the list of failed runs"):
            wanted = list_runs(status=RunStatus.ERROR, include_related=("job",), limit=most)
            return connected(self._hook).send(wanted).items

    def driver(self, target: RunTarget, policy: RerunPolicy, log: Log) -> Driver:
        """Return a driver that plans and carries out a rerun of a run.

        :raises UnreadableError: if there is no connection, or the API does not return the run.
        """
        run_id = target.run_id
        with logs_on_stderr(), self._naming(f"dbt run {run_id}"):
            client = self._check(target)
            run = client.send(get_run(run_id))
            marker = Marker.of("command line", run_id, time.time())
            work = Work(run.job_id, marker, "Rerun by airflow-dbt-rerun", of_run=run_id, is_new_request=True)
            return Driver(
                client, work, policy, signatures=self.signatures(), pace=testing.pace_in_force(PACE), log=log
            )

    def audit(self, target: RunTarget, *, of: RunTarget | None = None) -> Audit:
        """Check whether the work that a run finished is done.

        :raises UnreadableError: if there is no connection, or a run cannot be read.
        """
        with logs_on_stderr(), self._naming(f"dbt run {target.run_id}"):
            client = self._check(target)
            if of is not None:
                self._check(of)
            return audit(client, target.run_id, of_run=of.run_id if of else None)

    def signatures(self) -> tuple[Signature, ...]:
        """Read the team's signatures from this machine's Airflow."""
        with logs_on_stderr():
            return team_signatures(_LOG, strict=False)

    def _check(self, target: RunTarget) -> DbtClient:
        """Return the client, if its connection is one to the host and the account of the target."""
        client = connected(self._hook)
        why = target.foreign(client.settings.host, client.settings.account_id, self._conn_id)
        if why is not None:
            raise DbtConfigError(why)
        return client

    def _case(self, seen: Observation, run_id: int) -> Case:
        if isinstance(seen, NotReadable):
            raise UnreadableError(seen.reason)
        assert isinstance(seen, RunSeen)
        return Case(str(run_id), seen, _nothing_to_diagnose(seen.run), self._job(seen.run))

    def _job(self, run: Run) -> Job | None:
        """Read the job, for its name only; None if that fails."""
        with contextlib.suppress(DbtApiError):
            return self._hook.send(get_job(run.job_id))
        return None

    @cached_property
    def _hook(self) -> DbtCloudRerunHook:
        return DbtCloudRerunHook(self._conn_id, self._account_id, **PATIENCE)  # type: ignore[arg-type]

    @cached_property
    def _reader(self) -> RunReader:
        once = Pace(tolerance=0.0)
        return RunReader(connected(self._hook), pace=once, with_manifest=self._with_manifest, log=_LOG)

    @contextlib.contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Turn any error into one line that names what is read."""
        try:
            yield
        except UnreadableError:
            raise
        except DbtRerunError as error:
            raise UnreadableError(f"{what} cannot be read: {error}") from error
        except Exception as error:  # a secrets backend or a database may raise anything
            raise UnreadableError(f"{what} cannot be read: {without_connection(self._conn_id, error)}") from error


def connected(hook: DbtCloudRerunHook) -> DbtClient:
    """Return the hook's client, whose connection is in the environment, a secrets backend or Airflow's database.

    Airflow 3 lets a process read the database only if it declares itself to be part of the server.
    """
    try:
        return hook.client
    except DbtRerunError:
        raise
    except AirflowException:
        if _PROCESS_CONTEXT in os.environ:
            raise
    os.environ[_PROCESS_CONTEXT] = "server"
    return hook.client


def without_connection(conn_id: str, error: Exception) -> str:
    """Say that there is no connection, and how to define it."""
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    fields = '{"conn_type": "dbt_rerun", "host": "cloud.getdbt.com", "login": "ACCOUNT_ID", "password": "TOKEN"}'
    first = str(error).strip().partition("\n")[0]
    return (
        f"no connection {conn_id!r} ({first or type(error).__name__}); "
        f"run this where Airflow's database is, or set {variable}='{fields}'"
    )


def _nothing_to_diagnose(run: Run) -> str | None:
    if run.is_error or run.is_cancelled:
        return None
    if run.is_success:
        return f"dbt run {run.id} succeeded: there is nothing to diagnose."
    return f"dbt run {run.id} has not ended: its status is {run.status_name}. Try again when it has."


@contextlib.contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Keep standard output for the result: Airflow logs to standard error, errors only, one line each."""
    handlers, airflow = tuple(logging.getLogger().handlers), logging.getLogger("airflow")
    level = airflow.level
    airflow.setLevel(logging.ERROR)
    for handler in handlers:
        handler.addFilter(_without_trace)
    try:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        airflow.setLevel(level)
        for handler in handlers:
            handler.removeFilter(_without_trace)


def _without_trace(record: logging.LogRecord) -> bool:
    """Drop the traceback: a missing database causes two long ones, and the command says what to do."""
    record.exc_info = record.exc_text = None
    return True
