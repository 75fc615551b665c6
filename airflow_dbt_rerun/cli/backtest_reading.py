"""Read the past for ``backtest``, with a progress bar. The only module of that command that imports Airflow."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.backtest.cache import Cache, FolderCache, NoCache
from airflow_dbt_rerun.backtest.collected import Collected, Scope
from airflow_dbt_rerun.backtest.collecting import Collector, Report, Wish
from airflow_dbt_rerun.backtest.pacing import Gate
from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.runs import connected, logs_on_stderr, without_connection
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.exceptions import DbtForbiddenError, DbtRerunError, DbtUnauthorizedError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook

_LOG = logging.getLogger(__name__)

_PERMISSION = (
    "; reading runs and artifacts takes a token with permission to view jobs, such as Read-Only or Job Admin"
)


def read_past(options: argparse.Namespace, policies: Sequence[RerunPolicy]) -> tuple[Collected, list[Signature]]:
    """Read the past that the options ask for, and the team's signatures from this machine's Airflow.

    :raises UnreadableError: if there is no connection, or dbt does not answer; the message says what to do.
    """
    with logs_on_stderr(), _as_one_line(options.conn_id):
        client = connected(DbtCloudRerunHook(options.conn_id, options.account_id))
        with client, _bar() as report:
            collector = Collector(client, _cache(options, client), Gate(options.requests_per_minute), report=report)
            return collector.collect(_wish(options, policies), time.time()), list(
                team_signatures(_LOG, strict=False)
            )


def _wish(options: argparse.Namespace, policies: Sequence[RerunPolicy]) -> Wish:
    scope = Scope(tuple(options.job_id or ()), options.environment_id)
    needs_manifest = any(policy.needs_manifest for policy in policies)
    return Wish(scope, options.days, with_manifest=needs_manifest, refresh=options.refresh, until=options.until)


def _cache(options: argparse.Namespace, client: DbtClient) -> Cache:
    if options.cache is None:
        return NoCache()
    return FolderCache(options.cache, host=client.settings.host, account_id=client.settings.account_id)


@contextlib.contextmanager
def _bar() -> Iterator[Report]:
    """Show how far the reading is, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("reading", total=None)

        def report(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield report


@contextlib.contextmanager
def _as_one_line(conn_id: str) -> Iterator[None]:
    """Turn any error into one line that says what to do."""
    try:
        yield
    except (DbtForbiddenError, DbtUnauthorizedError) as error:
        raise UnreadableError(f"{error}{_PERMISSION}") from error
    except DbtRerunError as error:
        raise UnreadableError(str(error)) from error
    except Exception as error:  # a secrets backend or a database may raise anything
        raise UnreadableError(without_connection(conn_id, error)) from error
