"""Read runs from the platform, and the evidence needed to judge them. Sends GETs only."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import (
    FULL_RUN,
    PAGE,
    Endpoint,
    RetryPreview,
    get_job,
    get_json_artifact,
    get_run,
    get_step_results,
    list_runs,
    preview_retry,
)
from airflow_dbt_rerun.api.whereabouts import read_still_there
from airflow_dbt_rerun.core.dbt.executed import is_whole, unfinished_step
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.merging import done_for, undone
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run, RunStep
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.heal.lineage import find_rerun
from airflow_dbt_rerun.core.heal.observations import NotReadable, Observation, RunSeen
from airflow_dbt_rerun.core.heal.owed_work import WHOLE_COMMANDS, other_commands
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import verify
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.exceptions import BEARABLE, DbtApiError, DbtBadAnswerError, DbtNotFoundError

T = TypeVar("T")

_LAST_ATTEMPTS = 3
"""How often a run is still asked for after the deadline: it may have ended just in time."""

_MOST_LISTED = 10_000
"""Runs of a job that are searched, at most."""

_CANDIDATES = 5
"""Newer runs that are read, to find one that stands for a superseded run."""
ReadResults = Callable[[], StepResults | None]


class Sender(Protocol):
    """A client that sends an endpoint and returns the parsed answer."""

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send one request."""
        ...


class Log(Protocol):
    """A logger, of the standard library or of Airflow."""

    def info(self, message: str, /, *values: Any) -> None:
        """Log progress."""

    def warning(self, message: str, /, *values: Any) -> None:
        """Log a problem that may need attention."""

    def error(self, message: str, /, *values: Any) -> None:
        """Log why the work ends without success."""


class RunReader:
    """Read the runs of one account, or of one of its jobs.

    :param client: sends requests.
    :param job_id: the job; a run of another job is then no answer. None reads the runs of any job.
    :param pace: how long API errors are tolerated, and the pauses between reads.
    :param with_manifest: whether to read a failed run's ``manifest.json`` as well; it can be large.
    :param fits: whether another run of the job may stand for a superseded one, for example by a sensor's filter.
    :param verify_success: whether to read the node results of a run that succeeds and repairs nothing.
    :param clock: returns the time in epoch seconds.
    :param sleep: waits the given number of seconds.
    """

    def __init__(
        self,
        client: Sender,
        job_id: int | None = None,
        *,
        pace: Pace = Pace(),  # noqa: B008 - an immutable value
        with_manifest: bool = False,
        fits: Callable[[Run], bool] = lambda _: True,
        verify_success: bool = False,
        log: Log | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._job_id = job_id
        self._pace = pace
        self._with_manifest = with_manifest
        self._fits = fits
        self._verify_success = verify_success
        self._deadline: float | None = None
        self._log: Log = log or logging.getLogger(__name__)
        self._clock = clock
        self._sleep = sleep

    def observe(self, session: RerunSession, run_id: int) -> Observation:
        """Read a run now, with the evidence that its status calls for."""
        self._deadline = session.deadline
        try:
            run = self._settled(self.read(run_id))
            if run.is_error:
                run, results = self._evidence(run)
                return self._superseded(RunSeen(run, results, facts=self.facts(run)))
            if run.is_cancelled and run.cancelled_by is None:
                return self._superseded(RunSeen(run))
            if run.is_success and (earlier := session.continued_by(run_id)):
                return self._with_whereabouts(session, self._with_proof(run, earlier))
            if run.is_success and self._verify_success:
                return RunSeen(run, self.all_results(run))
        except BEARABLE as error:
            return NotReadable(f"dbt run {run_id} cannot be read: {error}")
        return RunSeen(run)

    def read(self, run_id: int) -> Run:
        """Read a run with its steps, job, trigger and audit.

        :raises DbtApiError: if it cannot be read, or is a run of another job.
        """
        run = self.patiently(lambda: self._client.send(get_run(run_id, include_related=FULL_RUN)))
        if self._job_id not in (None, run.job_id):
            raise DbtBadAnswerError(f"dbt run {run_id} is one of job {run.job_id}, not of job {self._job_id}")
        return run if run.job_commands else self._with_commands(run)

    def _settled(self, run: Run) -> Run:
        """Read a green run again while a step of it is shown as in progress: the record may be a little late."""
        for pause in self._pace.artifact_pauses:
            if not (run.is_success and unfinished_step(run)):
                break
            self._sleep(pause)
            run = self.read(run.id)
        return run

    def read_at_once(self, run: Run) -> Run:
        """Read a run with its job by one request; return it as it is if that fails."""
        try:
            return self._client.send(get_run(run.id, include_related=FULL_RUN))
        except DbtApiError as error:
            self._log.info("Cannot read what run %s was started to do; continuing without: %s", run.id, error)
            return run

    def _with_commands(self, run: Run) -> Run:
        """Read the job's commands from the job itself, where the run's answer holds only a part of it."""
        try:
            commands = self._client.send(get_job(run.job_id)).execute_steps
        except DbtApiError as error:
            self._log.warning("Cannot read the commands of job %s: %s", run.job_id, error)
            return run
        return replace(run, job_commands=commands, commands=run.commands or commands)

    def newest_runs(
        self,
        job_id: int,
        *,
        include_related: Sequence[str] = ("trigger",),
        goes_on: Callable[[Run], bool] = lambda _: False,
    ) -> list[Run]:
        """List a job's newest runs, newest first, with their triggers.

        :param goes_on: called with the oldest run of a page: whether older ones are wanted, too.
        :raises DbtBadAnswerError: if the list proves nothing: it names runs of another job, leaves out their
            triggers, or does not end. A run that exists might be started again.
        :raises DbtApiError: any other error of the request.
        """
        runs = self._pages_of_runs(job_id, include_related, goes_on)
        if other := next((run for run in runs if run.job_id != job_id), None):
            raise DbtBadAnswerError(f"the list of runs of job {job_id} names run {other.id} of job {other.job_id}")
        causes = [run.trigger.cause for run in runs if run.trigger]
        if "trigger" in include_related and runs and not any(causes):
            raise DbtBadAnswerError(f"the list of runs of job {job_id} does not tell what started them")
        return runs

    def _pages_of_runs(
        self, job_id: int, include_related: Sequence[str], goes_on: Callable[[Run], bool]
    ) -> list[Run]:
        """Read pages until older runs are not wanted, or none is left: a short page alone does not prove that.

        :raises DbtBadAnswerError: if a full page comes again instead of the next one, so older runs are hidden.
        """
        runs: dict[int, Run] = {}
        offset = 0
        while len(runs) <= _MOST_LISTED:
            page = self._client.send(list_runs(job_id=job_id, include_related=include_related, offset=offset))
            new = [run for run in page if run.id not in runs]
            runs.update((run.id, run) for run in new)
            if not new and len(page) >= PAGE:
                raise DbtBadAnswerError(f"the list of runs of job {job_id} does not go on after run {min(runs)}")
            offset += len(page)
            if not new or offset >= (page.total or math.inf) or not goes_on(new[-1]):
                return list(runs.values())
        raise DbtBadAnswerError(f"the list of runs of job {job_id} does not end: it has more than {_MOST_LISTED}")

    def root_of_latest(self, job_id: int) -> int | None:
        """Return a job's latest run or, if that is a rerun, the run that it repairs; None if the job has no run."""
        runs = {run.id: run for run in self.patiently(lambda: self.newest_runs(job_id))}
        root = max(runs, default=None)
        while root in runs and (repaired := runs.pop(root).retrying_run_id):  # each run once
            root = repaired
        return root

    def preview_retry(self, run: Run) -> RetryPreview | None:
        """Ask the platform which steps a retry would run; None if it does not answer that."""
        try:
            return self._client.send(preview_retry(run.id)) if run.is_error else None
        except DbtApiError as error:
            self._log.info("dbt does not say what a retry of run %s would run; planning without: %s", run.id, error)
            return None

    def _superseded(self, seen: RunSeen) -> RunSeen:
        """Add the job's newer runs, if dbt refuses to resume this one because of them or cancelled it by itself."""
        run = seen.run
        if not run.is_cancelled and run.retry_not_supported_reason != RetryNotSupported.NOT_LATEST_RUN:
            return seen
        runs = self._listed_with_newer(run)
        newer = tuple(each for each in runs if each.id > run.id)
        fitting = tuple(filter(self._fits, newer))[:_CANDIDATES]
        read = {each.id: self._with_steps(each) for each in (*newer[:1], *fitting)}
        newest = read[newer[0].id] if newer else None
        return replace(
            seen, newer=tuple(read[each.id] for each in fitting), newest=newest, rerun=find_rerun(run, runs)
        )

    def _with_steps(self, run: Run) -> Run:
        """Read a listed run with its steps: they, and not the job of today, say what it executed."""
        return self.read(run.id) if is_whole(run) else run

    def _listed_with_newer(self, run: Run) -> list[Run]:
        """List the job's runs; where dbt says that there is a newer one, wait a little until it is listed."""
        related = ("trigger", "job")
        for pause in (*self._pace.artifact_pauses, None):
            runs = self.patiently(lambda: self.newest_runs(run.job_id, include_related=related))
            if pause is None or run.is_cancelled or any(each.id > run.id for each in runs):
                break
            self._sleep(pause)
        return runs

    def _evidence(self, run: Run) -> tuple[Run, tuple[StepResults, ...]]:
        """Fetch the results of the failed steps; wait a little for late artifacts, then continue without them."""
        for pause in self._pace.artifact_pauses:
            results = self.results(run)
            if _is_enough(run, results):
                return run, results
            self._sleep(pause)
            run = self.read(run.id)
        return run, self.results(run)

    def facts(self, run: Run) -> ManifestFacts | None:
        """Read the manifest of the failed step, if the policy needs it."""
        step = run.stopping_step
        if not self._with_manifest or step is None or step.command is None:
            return None
        try:
            return ManifestFacts.from_artifact(
                self._client.send(get_json_artifact(run.id, "manifest.json", step=step.index))
            )
        except DbtApiError as error:
            self._log.warning(
                "Continuing without manifest.json, so conditions on tags or paths cannot match: %s", error
            )
            return None

    def _with_proof(self, run: Run, resumed: Sequence[int]) -> RunSeen:
        """Read what a successful rerun did of the owed work; if some seems missing, wait for late artifacts."""
        for pause in (*self._pace.artifact_pauses, None):
            seen = RunSeen(run, self.all_results(run), before=self._results_of_runs(resumed))
            checked = verify(seen.before, seen.results)
            if pause is None or not seen.before or (checked.checked and not checked.is_hollow):
                break
            self._sleep(pause)
        return seen

    def _with_whereabouts(self, session: RerunSession, seen: RunSeen) -> RunSeen:
        """Look up in the project which owed nodes without a result still exist: commands may select other ones now.

        Only where commands ran as a whole does a missing result say anything else than "not done".
        """
        done = done_for(seen.before, seen.results, other_commands(session, seen.run))
        absent = frozenset(name for name in undone(seen.before) if name not in done)
        if not absent or session.kind_of(seen.run.id) not in WHOLE_COMMANDS:
            return seen
        return replace(seen, still_there=read_still_there(self._client.send, seen.run.id, absent))

    def _results_of_runs(self, run_ids: Sequence[int]) -> tuple[StepResults, ...]:
        """Fetch the node results of these failed runs, in their order.

        Successful steps are included: a rerun may have done owed work before it failed in a later step.
        """
        runs = [self.read(run_id) for run_id in run_ids]
        return tuple(result for run in runs for result in self.all_results(run))

    def results(self, run: Run) -> tuple[StepResults, ...]:
        """Read the node results of a run's failed steps, as far as they exist by now."""
        return self._of_steps(run, run.failed_steps, self._read_or_skip)

    def all_results(self, run: Run) -> tuple[StepResults, ...]:
        """Read the node results of all steps, outlasting outages: a gap would make done work look undone."""
        return self._of_steps(
            run,
            run.steps,
            lambda read: self._read_or_skip(lambda: self.patiently(partial(self._readable, read)), BEARABLE),
        )

    def _readable(self, read: ReadResults) -> StepResults | None:
        """Read again what cannot be understood, as a gateway's page; an artifact that stays so is none."""
        for pause in self._pace.artifact_pauses:
            try:
                return read()
            except DbtBadAnswerError as error:
                self._log.warning("Cannot understand the node results of a step, reading them again: %s", error)
                self._sleep(pause)
        try:
            return read()
        except DbtBadAnswerError:
            return None

    def _of_steps(
        self, run: Run, steps: Sequence[RunStep], get: Callable[[ReadResults], StepResults | None]
    ) -> tuple[StepResults, ...]:
        reads = [partial(self._step_results, run, step) for step in steps if step.command]
        return tuple(results for results in map(get, reads) if results is not None)

    def _read_or_skip(self, read: ReadResults, fatal: tuple[type[DbtApiError], ...] = ()) -> StepResults | None:
        """Read the results of a step; None if they are unreadable, so that the run's failure is still judged.

        :raises DbtApiError: if the error is of a ``fatal`` kind.
        """
        try:
            return read()
        except fatal:
            raise
        except DbtApiError as error:
            self._log.warning("Continuing without the node results of a step: %s", error)
            return None

    def _step_results(self, run: Run, step: RunStep) -> StepResults | None:
        """Read a step's node results; None if it wrote none."""
        for path in ("run_results.json", "sources.json"):
            with suppress(DbtNotFoundError):
                asked = get_step_results(run.id, step=step.index, path=path, created_at=run.created_at)
                return self._client.send(asked).of_step(step.command)
        return None

    @property
    def _is_too_late(self) -> bool:
        grace = _LAST_ATTEMPTS * self._pace.trouble_pause
        return self._deadline is not None and self._clock() >= self._deadline + grace

    def patiently(self, ask: Callable[[], T]) -> T:
        """Call ``ask`` again while the API returns errors that may pass, within tolerance and deadline."""
        began = self._clock()
        while True:
            try:
                return ask()
            except BEARABLE as error:
                if self._clock() - began >= self._pace.tolerance or self._is_too_late:
                    raise
                self._log.warning("dbt API error, asking again in %.0f s: %s", self._pace.trouble_pause, error)
                self._sleep(self._pace.trouble_pause)


def _is_enough(run: Run, results: Sequence[StepResults]) -> bool:
    """Return whether waiting longer cannot improve the evidence."""
    step = run.stopping_step
    if step is None or any(result.step_index == step.index for result in results):
        return True
    expects_none = step.command is None or run.retry_not_supported_reason == RetryNotSupported.NO_RUN_RESULTS
    return expects_none and bool(step.logs)
