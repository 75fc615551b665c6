"""Start runs, each exactly once: search before each POST, and again when its answer is unclear."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, retry_run, trigger_job
from airflow_dbt_rerun.core.dbt.fields import CLOCK_SKEW, epoch
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.lineage import FoundRerun, Marker, find_rerun
from airflow_dbt_rerun.core.heal.next_steps import Rerun
from airflow_dbt_rerun.core.heal.observations import NotStarted, Observation, Refused, RunSeen
from airflow_dbt_rerun.core.heal.wording import cause_of
from airflow_dbt_rerun.core.policy.policy import RerunAction
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.reader import Log, RunReader, Sender
from airflow_dbt_rerun.engine.refusals import REFUSALS, Explanation, explain
from airflow_dbt_rerun.exceptions import DbtAnswerLostError, DbtApiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """What to run, and how to recognise its runs."""

    job_id: int
    marker: Marker
    reason: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    of_run: int | None = None
    """The failed run to repair, which this life of the task did not start; None to start a new run of the job."""
    asked_by: str | None = None
    """Who asked, by a button, to rerun ``of_run``: then the task may have started it before its clear."""
    is_new_request: bool = False
    """Whether a person asks for the repair now: a rerun of ``of_run`` that has failed before is rerun itself."""
    earlier: tuple[Marker, ...] = ()
    """Markers of the task's earlier lives, the newest first."""
    reattach: bool = False
    """Whether to continue a run of an earlier life, unless it succeeded; if not, one in progress is cancelled."""
    fits: Callable[[Run], bool] = lambda _: True
    """Whether another run of the job may stand for ours when it is superseded: a sensor's filter."""
    since: float | None = None
    """Epoch seconds at which the DAG run began, if it is known: what is older is not of this work."""
    may_have_runs: bool = True
    """Whether an earlier try may have started runs: then the search goes back as far as the DAG run's begin."""
    theirs: frozenset[int] = frozenset()
    """Runs of this work that this task did not start; they are never cancelled."""

    def may_be_ours(self, run: Run) -> bool:
        """Return whether a run is young enough for this work: a DAG run may bear the id of one that was deleted."""
        created = epoch(run.created_at)
        return self.since is None or created is None or created >= self.since - CLOCK_SKEW

    def goes_on(self, oldest: Run) -> bool:
        """Return whether runs of this work may be older than a page of the list of the job's runs."""
        if self.of_run is not None:
            return oldest.id > self.of_run
        return self.may_have_runs and self.may_be_ours(oldest)


def _bears_marker_of(sent: str, told: str) -> bool:
    """Return whether an answer's cause, if it has one, begins with the marker of the cause that was sent."""
    return not told or told.startswith(sent.partition("]")[0])


class RunStarter:
    """Start the runs of one piece of work.

    :param on_run: called with each run as soon as its id is known, before anything else happens.
    """

    def __init__(
        self,
        client: Sender,
        reader: RunReader,
        work: Work,
        *,
        on_run: Callable[[Run], None],
        log: Log,
        pace: Pace = Pace(),  # noqa: B008 - an immutable value
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._reader = reader
        self._work = work
        self._on_run = on_run
        self._log = log
        self._pace = pace
        self._sleep = sleep

    def start(self) -> Observation:
        """Start the first run.

        :raises DbtApiError: if the platform refuses it; the message explains why, as far as that can be found out.
        """
        cause = self._work.marker.cause(self._work.reason)
        started = self._start(cause, self._work.overrides, of_run=None)
        if isinstance(started, Explanation):
            raise started.as_error()
        return self._started(started)

    def rerun(self, step: Rerun) -> Observation | NotStarted:
        """Start a rerun of the kind that the loop decided on."""
        if step.action is RerunAction.RERUN_FROM_FAILURE:
            return self._retry(step)
        why = cause_of(step.action, step.of_run, step.why_not_wanted or step.reason)
        cause = self._work.marker.cause(why, of_run=step.of_run)
        try:
            started = self._start(cause, step.overrides, of_run=step.of_run)
        except DbtAnswerLostError as lost:
            return NotStarted(str(lost))
        if isinstance(started, Explanation):
            return Refused(self._reader.read(step.of_run), started.words, started.final)
        return self._started(started)

    def _start(self, cause: str, overrides: Mapping[str, Any], *, of_run: int | None) -> Run | Explanation:
        """Post a new run of the job, unless a search finds that it exists already."""

        def find(runs: Sequence[Run]) -> Run | None:
            ours = filter(self._work.may_be_ours, runs)
            return next((run for run in ours if self._work.marker.repairs(run, of_run)), None)

        known = self._listed()
        existing = find(known)
        if existing is None:
            try:
                trigger = trigger_job(self._work.job_id, cause=cause, overrides=overrides)
                existing = self._post(trigger, known, of_run=of_run)
            except REFUSALS as refusal:
                return explain(self._client, self._work.job_id, refusal)
            except DbtAnswerLostError:
                existing = self._find_after_lost_answer(find)
                if existing is None:
                    raise
        return existing

    def _retry(self, step: Rerun) -> Observation | NotStarted:
        """Post a retry of exactly the failed run, unless a search finds that it exists already."""
        failed = self._reader.read(step.of_run)
        known, ours = self._listed(), True
        existing = find_rerun(failed, known)
        if existing is None:
            try:
                existing = FoundRerun(self._post(retry_run(step.of_run), known, of_run=step.of_run))
            except REFUSALS as refusal:
                # A second retry of the same run is refused, too: search again before this counts as a refusal.
                existing = find_rerun(failed, self._listed())
                if existing is None:
                    return self._refused(self._reader.read(step.of_run), refusal)
                ours = False  # what was refused started nothing
            except DbtAnswerLostError as lost:
                existing = self._find_after_lost_answer(partial(find_rerun, failed))
                if existing is None:
                    return NotStarted(str(lost))
                ours = self._may_be_ours(failed, existing.run)
        else:
            ours = self._may_be_ours(failed, existing.run)
        if not existing.certain:
            self._log.warning(
                "dbt does not record which run %s resumes; it may be run %s, so nothing is posted",
                existing.run.id,
                step.of_run,
            )
        return self._started(existing.run, certain=existing.certain, ours=ours)

    def _may_be_ours(self, failed: Run, found: Run) -> bool:
        """Return whether a rerun that bears no marker can be ours: dbt must not name somebody else for it.

        Of a run that this work did not start, nothing tells who we are.
        """
        if self._work.of_run is not None:
            return False
        by = self._reader.read(found.id).started_by
        return not (by and failed.started_by) or by == failed.started_by

    def _listed(self) -> list[Run]:
        return self._reader.patiently(
            lambda: self._reader.newest_runs(self._work.job_id, goes_on=self._work.goes_on)
        )

    def _post(self, endpoint: Endpoint[Run], known: Sequence[Run], *, of_run: int | None) -> Run:
        """Post once. An answer that names a run from before tells nothing.

        :param known: the job's newest runs before.
        :param of_run: the run to repair, which may be too old, or too new, to be listed.
        :raises DbtAnswerLostError: if the answer is missing, unreadable or of that kind.
        """
        run = self._client.send(endpoint)
        if run.id <= max(of_run or 0, *(each.id for each in known), 0):
            raise DbtAnswerLostError(f"{endpoint}: the answer names run {run.id}, which existed before")
        if endpoint.json and run.trigger and not _bears_marker_of(endpoint.json["cause"], run.trigger.cause):
            raise DbtAnswerLostError(
                f"{endpoint}: the answer names run {run.id}, which was started for another reason"
            )
        if run.job_id not in (0, self._work.job_id):
            raise DbtAnswerLostError(f"{endpoint}: the answer names run {run.id} of job {run.job_id}")
        return run

    def _refused(self, run: Run, refusal: DbtApiError) -> Refused:
        if run.retry_not_supported_reason:  # the run itself explains the refusal
            return Refused(run, refusal.user_message or str(refusal))
        explanation = explain(self._client, self._work.job_id, refusal)
        return Refused(run, explanation.words, explanation.final)

    def _started(self, run: Run, *, certain: bool = True, ours: bool = True) -> Observation:
        self._on_run(run)
        if run.blocked_by:
            ahead = ", ".join(map(str, run.blocked_by))
            self._log.info("Run %s is queued behind run %s of the same job", run.id, ahead)
        return RunSeen(run, certain=certain, ours=ours)

    def _find_after_lost_answer(self, find: Callable[[Sequence[Run]], T | None]) -> T | None:
        self._log.warning("The answer to the POST was lost: searching for the run before posting again")
        for pause in self._pace.lost_answer_pauses:
            self._sleep(pause)
            found = find(self._listed())
            if found is not None:
                self._log.info("The run was started although its answer was lost: continuing with it")
                return found
        return None
