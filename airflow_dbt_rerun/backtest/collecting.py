"""Read the runs of a time, and the evidence of those that failed: politely, and each thing once.

What is read: the list of all runs in pages of 100, then of each failed run what the operators would read of it.
Then, of the green runs that came after, only those whose success has to be proven.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import get_job
from airflow_dbt_rerun.backtest.cache import Cache, NoCache
from airflow_dbt_rerun.backtest.collected import DAY, Collected, Details, Scope
from airflow_dbt_rerun.backtest.history import to_be_diagnosed, to_be_proven
from airflow_dbt_rerun.backtest.listing import list_time
from airflow_dbt_rerun.backtest.pacing import Gate
from airflow_dbt_rerun.backtest.period import as_of
from airflow_dbt_rerun.backtest.reading import ReadingClient, Recording
from airflow_dbt_rerun.core.dbt.executed import is_whole
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.reader import RunReader, Sender
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtConfigError,
    DbtNotFoundError,
    DbtThrottledError,
    DbtUnauthorizedError,
    DbtUnreachableError,
)

PER_MINUTE = 1_000
"""Requests a minute: a fifth of what dbt allows an account, whose other programs go on meanwhile."""

THREADS = 4
"""Runs that are read at once, since most of the time is spent waiting for answers."""

FATAL = (DbtUnauthorizedError, DbtThrottledError, DbtUnreachableError)
"""Errors that every other run would meet as well."""

Report = Callable[[str, int, int], None]
"""Called with what is read, how many of it are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to read.

    :param days: how many days to go back.
    :param with_manifest: whether a policy needs tags or paths, and so the manifest of each failed run.
    :param refresh: whether to add what is new since the cache was filled.
    :param until: epoch seconds; the days are those before it, and nothing later is known. None means now.
    """

    scope: Scope
    days: float
    with_manifest: bool = False
    refresh: bool = False
    until: float | None = None

    def days_before(self, now: float) -> float:
        """Return how many days to go back from now."""
        return self.days if self.until is None else self.days + max(now - self.until, 0.0) / DAY


@dataclass(slots=True)
class Collector:
    """Reads one account.

    :param client: gives host, account and token; each thread gets a connection of its own.
    :param cache: where to keep what was read.
    :param report: told how far it is.
    """

    client: DbtClient
    cache: Cache = field(default_factory=NoCache)
    gate: Gate = field(default_factory=lambda: Gate(PER_MINUTE))
    report: Report = lambda *_: None
    _own: threading.local = field(default_factory=threading.local)
    _clients: list[ReadingClient] = field(default_factory=list)

    def collect(self, wish: Wish, now: float) -> Collected:
        """Read what is wished for.

        :param now: epoch seconds.
        :raises DbtConfigError: if the scope names a job that is not there.
        :raises DbtApiError: if dbt does not answer at all. A single run that cannot be read is left out, with the
            reason in ``unreadable``.
        """
        before = self.gate.passed
        try:
            found = self._listed(wish, now)
            found = self._with_details(found, to_be_diagnosed(found), wish, what="failed runs")
            found = self._with_details(found, to_be_proven(found), wish, what="later runs")
        finally:
            while self._clients:
                self._clients.pop().close()
        return replace(found, requests=self.gate.passed - before)

    def _listed(self, wish: Wish, now: float) -> Collected:
        client, runs, since, until = self._client(), {}, now, now
        queries = wish.scope.queries()
        for place, (name, filters) in enumerate(queries.items()):
            self.report("lists of runs", place, len(queries))
            listing = list_time(
                client, self.cache, name, filters, days=wish.days_before(now), now=now, refresh=wish.refresh
            )
            if not listing.runs and "job_id" in filters:
                _check_job(client, filters["job_id"])
            runs.update({listed.id: listed.run() for listed in listing.runs.values()})
            since, until = min(since, listing.since), min(until, listing.until)
        ordered = tuple(runs[run_id] for run_id in sorted(runs))
        settings = self.client.settings
        found = Collected(settings.host, settings.account_id, wish.scope, since, until, ordered, {}, {})
        return found if wish.until is None else as_of(found, wish.until - wish.days * DAY, wish.until)

    def _with_details(self, found: Collected, runs: Sequence[Run], wish: Wish, *, what: str) -> Collected:
        details: dict[int, Details] = dict(found.details)
        unreadable: dict[int, str] = dict(found.unreadable)
        with ThreadPoolExecutor(THREADS) as pool:
            futures = {pool.submit(self._details, run, wish): run for run in runs}
            try:
                for done, future in enumerate(as_completed(futures)):
                    self.report(what, done, len(futures))
                    _sort(futures[future].id, future.result(), details, unreadable)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return replace(found, details=details, unreadable=unreadable)

    def _details(self, run: Run, wish: Wish) -> Details | str:
        """Read one run with its evidence; return why not if dbt does not give it."""
        name = f"runs/{run.id}"
        kept = self.cache.load(name)
        recording = Recording(self.client.settings.account_id, self._client(), dict(kept or {}))
        try:
            return _read(recording, run, wish)
        except FATAL:
            raise
        except DbtApiError as error:
            return str(error)
        finally:
            if recording.has_new:
                self.cache.save(name, recording.answers)

    def _client(self) -> Sender:
        """Return this thread's client."""
        if not hasattr(self._own, "client"):
            self._own.client = ReadingClient(self.client, self.gate)
            self._clients.append(self._own.client)
        client: ReadingClient = self._own.client
        return client


def _read(client: Sender, run: Run, wish: Wish) -> Details:
    """Read a run as the operators do, except that nothing is waited for: it ended long ago."""
    reader = RunReader(client, pace=Pace(tolerance=0.0, artifact_pauses=()), with_manifest=wish.with_manifest)
    full = reader.read(run.id)
    # A rerun may have done owed work in steps that succeeded; of a whole green run, its steps say enough.
    results = reader.results(full) if is_whole(full) else reader.all_results(full)
    return Details(full, results, reader.facts(full) if full.is_error else None)


def _sort(run_id: int, found: Details | str, details: dict[int, Details], unreadable: dict[int, str]) -> None:
    if isinstance(found, str):
        unreadable[run_id] = found
    else:
        details[run_id] = found


def _check_job(client: Sender, job_id: int) -> None:
    """Tell an unknown job from one without runs."""
    try:
        client.send(get_job(job_id))
    except DbtNotFoundError as error:
        raise DbtConfigError(
            f"there is no job {job_id} in this account, or the token may not see it: "
            "the number is in the job's address in dbt, after /jobs/"
        ) from error
