"""Drive one piece of work to its end: pass observations to the rerun loop and carry out its decisions.

The operators, the sensor and the command line share this driver, in blocking and deferrable mode. What has to
survive a deferral is in the :class:`RerunSession`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from logging import ERROR, WARNING
from typing import Any

from airflow_dbt_rerun.core.dbt.fields import one_line
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.announcements import happened
from airflow_dbt_rerun.core.heal.attempt import TRIGGERED
from airflow_dbt_rerun.core.heal.held import acts, held_back
from airflow_dbt_rerun.core.heal.lineage import Marker, chain, uncertain_in
from airflow_dbt_rerun.core.heal.live_report import current_step
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Pause, Rerun, StartRun, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.observations import NoRun, NotReadable, NotStarted, Observation, Refused, RunSeen
from airflow_dbt_rerun.core.heal.plan import RerunPlan, plan_rerun
from airflow_dbt_rerun.core.heal.report import Line, tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.watch.many import usual_seconds
from airflow_dbt_rerun.core.watch.one import Unwatchable, WatchOutcome
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.abandoning import abandon
from airflow_dbt_rerun.engine.blocking_watch import watch_run
from airflow_dbt_rerun.engine.cancelling import cancel
from airflow_dbt_rerun.engine.reader import Log, RunReader, Sender
from airflow_dbt_rerun.engine.starter import RunStarter, Work
from airflow_dbt_rerun.exceptions import DbtAnswerLostError, DbtNotFoundError, DbtRunUnwatchable


class Driver:
    """Drive one piece of work.

    :param client: sends requests to one account.
    :param work: what to run, and how to recognise its runs.
    :param policy: when to rerun; None never reruns.
    :param on_run: called with each run of this work as soon as its id is known, before anything else happens.
    :param on_rerun: called after each rerun has started, with the facts about it and the new run.
    :param on_progress: called with each decision before it is carried out and, while a run is watched here, with
        the run and its steps whenever they have changed, at most every 30 seconds (``TELL_EVERY``).
    :param hold: called before a rerun is waited for, asked about or started; returns why it must not be, or None.
    :param pace: polling intervals and tolerances. :meth:`begin` fills in ``usual`` from the job's newest runs.
    :param verify_success: whether to read the node results of a first run that succeeds.
    :param clock: returns the time in epoch seconds.
    :param sleep: waits the given number of seconds.
    """

    def __init__(
        self,
        client: Sender,
        work: Work,
        policy: RerunPolicy | None,
        *,
        signatures: Sequence[Signature] = (),
        on_run: Callable[[Run], None] = lambda _: None,
        on_rerun: Callable[[dict[str, Any], Run], None] = lambda *_: None,
        on_progress: Callable[[RerunSession, NextStep, Run | None], None] = lambda *_: None,
        hold: Callable[[], str | None] = lambda: None,
        pace: Pace = Pace(),  # noqa: B008 - an immutable value
        verify_success: bool = False,
        log: Log | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._work = work
        self._policy = policy
        self._hold = hold
        self._signatures = signatures
        self._on_run = on_run
        self._on_rerun = on_rerun
        self._on_progress = on_progress
        self.pace = pace
        self._log: Log = log or logging.getLogger(__name__)
        self._clock = clock
        self._sleep = sleep
        self._reader = RunReader(
            client,
            work.job_id,
            pace=pace,
            with_manifest=policy is not None and policy.needs_manifest,
            fits=work.fits,
            verify_success=verify_success,
            log=self._log,
            clock=clock,
            sleep=sleep,
        )
        self._starter = RunStarter(client, self._reader, work, on_run=on_run, log=self._log, pace=pace, sleep=sleep)

    @property
    def work(self) -> Work:
        """The work, including what :meth:`begin` has learnt about its runs."""
        return self._work

    def begin(self, *, deadline: float | None) -> tuple[RerunSession, Observation]:
        """Search for runs that earlier tries of this work started, and continue from them; post nothing.

        :param deadline: epoch seconds after which to stop waiting, or None.
        """
        session, seen = self._begin(deadline)
        if isinstance(seen, RunSeen):
            known = session if session.run_id == seen.run.id else session.following(seen.run)
            self._work = replace(self._work, theirs=known.theirs)
        if isinstance(seen, RunSeen) and seen.run.id != self._work.of_run:
            by = "an earlier try of this task" if self._work.marker.is_in(seen.run) else "a rerun from failure"
            self._log.info("Found run %s, started by %s: continuing with it", seen.run.id, by)
            self._on_run(seen.run)
        return session, seen

    def _begin(self, deadline: float | None) -> tuple[RerunSession, Observation]:
        listed = self._runs()
        runs = self._earlier_runs(listed)
        if not runs:
            return self._begin_afresh(deadline)
        given = self._work.of_run
        full = [self._reader.read(run_id) for run_id in (*([given] if given else []), *(run.id for run in runs))]
        session = RerunSession.of_chain(
            full,
            now=self._clock(),
            deadline=deadline,
            given=given is not None,
            asked_by=self._work.asked_by,
            uncertain=uncertain_in(listed, runs, after=given),
        )
        for run in full[:-1]:  # earlier failures show whether the heal makes progress
            session = session.recalling(diagnose(run, self._reader.results(run), signatures=self._signatures))
        if self._work.is_new_request and full[-1].is_error:
            session = session.asked_again(self._clock())
        return session, self._reader.observe(session, full[-1].id)

    def _earlier_runs(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        """Return the runs to continue from; otherwise cancel what an earlier life left in progress."""
        self.pace = replace(self.pace, usual=usual_seconds(runs))
        ours = self._ours(runs)
        if ours:
            return ours
        for marker in self._work.earlier:
            found = chain(runs, marker)
            if found and self._work.reattach and not found[-1].is_success:
                return found
            uncertain = uncertain_in(runs, found)
            self._stop([run for run in found if run.id not in uncertain], "its task was cleared")
        return ()

    def abandon(self, lives: Sequence[Marker], why: str) -> tuple[RerunSession, Run | None]:
        """Cancel what the work has in progress, and return what there was of it: see :mod:`.abandoning`."""
        return abandon(
            self._client,
            self._reader,
            self._work,
            lives,
            now=self._clock(),
            signatures=self._signatures,
            cancelled=lambda done: self._log.info("%s: %s", done, why),
        )

    def plan(self) -> RerunPlan:
        """Plan the rerun of the work as it is now. Sends GETs only.

        :raises DbtRunUnwatchable: if the run cannot be read.
        """
        session, seen = self._begin(deadline=None)
        if not isinstance(seen, RunSeen):
            raise DbtRunUnwatchable(
                seen.reason if isinstance(seen, NotReadable) else "the job has no run of this work yet"
            )
        details = self._reader.preview_retry(seen.run)
        return plan_rerun(
            session,
            seen,
            self._policy,
            self._clock(),
            signatures=self._signatures,
            failed_step=details.failed_step if details else None,
            skipped_steps=details.skipped_steps if details else (),
        )

    def _begin_afresh(self, deadline: float | None) -> tuple[RerunSession, Observation]:
        if self._work.of_run is None:
            return RerunSession(self._clock(), deadline), NoRun()
        run = self._reader.read(self._work.of_run)
        session = RerunSession.of_given(run, now=self._clock(), deadline=deadline, asked_by=self._work.asked_by)
        return session, self._reader.observe(session, run.id)

    def _runs(self) -> list[Run]:
        # Not repeated: a wrong host or token must be reported at once, and a killed task has no time.
        return self._reader.newest_runs(self._work.job_id, goes_on=self._work.goes_on)

    def _ours(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        """Return the runs that this task has started, in this try or an earlier one, oldest first."""
        known = [run for run in runs if run.id == self._work.of_run or self._work.may_be_ours(run)]
        return chain(known, self._work.marker, after=self._work.of_run)

    def cancel(self) -> None:
        """Cancel all runs of this work in progress, including one whose POST was cut off before its id came."""
        listed = self._runs()
        work = self._ours(listed)
        theirs = self._work.theirs | uncertain_in(listed, work, after=self._work.of_run)
        self._stop([run for run in work if run.id not in theirs], "its task was killed")

    def _stop(self, runs: Sequence[Run], why: str) -> None:
        for run in runs:
            if not run.is_terminal:
                self._log.info("%s: %s", cancel(self._client, run.id), why)

    def advance(self, session: RerunSession, seen: Observation) -> tuple[RerunSession, Pause | Succeed | Fail]:
        """Decide and act until there is something to wait for, or the work has ended."""
        while True:
            before = session
            session, step = next_step(before, seen, self._policy, self._clock(), signatures=self._signatures)
            if isinstance(step, (StartRun, Rerun)) and self._is_too_late(session):
                step = _too_late(session, seen)
            if acts(step, seen) and (why := self._hold()):
                session, step = held_back(session, step, seen, why, self._signatures)
            for line in tell(before, session, step):
                self._say(line)
            self._on_progress(session, step, None)
            if isinstance(step, StartRun):
                seen = self._with_evidence(session, self._with_definition(self._starter.start()))
            elif isinstance(step, Rerun):
                seen = self._rerun(session, step)
            else:
                return session, step

    def _say(self, line: Line) -> None:
        say = {ERROR: self._log.error, WARNING: self._log.warning}.get(line.level, self._log.info)
        say("%s", one_line(line.text))  # it may quote a command, which is kept as it is

    def _is_too_late(self, session: RerunSession) -> bool:
        return session.deadline is not None and self._clock() >= session.deadline

    def wait(self, session: RerunSession, step: WaitForRun) -> Observation:
        """Block until the run has ended or the moment has come, then read the run again."""
        if step.until is not None:
            self._sleep(max(step.until - self._clock(), 0.0))
            return self._reader.observe(session, step.run_id)
        return self.observe_after(session, self._watch(session, step.run_id))

    def observe_after(self, session: RerunSession, outcome: WatchOutcome) -> Observation:
        """Turn the outcome of a watch into an observation: read the run again, unless it is unreadable."""
        if isinstance(outcome, Unwatchable):
            what = f"dbt run {outcome.run_id} cannot be watched: {outcome.reason}"
            return NotReadable(f"{what}: check the run in dbt, then clear this task")
        return self._believed(session, self._reader.observe(session, outcome.run_id))

    def _rerun(self, session: RerunSession, step: Rerun) -> Observation:
        """Start a rerun. If the run itself explains a refusal, return it, so that the loop decides again."""
        try:
            seen = self._starter.rerun(step)
        except DbtNotFoundError as error:
            return NotReadable(f"dbt run {step.of_run} cannot be rerun: {error}")
        if isinstance(seen, NotStarted):
            self._log.warning("%s. No rerun of run %s was found after it: deciding again", seen.reason, step.of_run)
            return self._reader.observe(session, step.of_run)
        if isinstance(seen, RunSeen) and not (seen.ours and seen.certain):
            self._work = replace(self._work, theirs=self._work.theirs | {seen.run.id})
        elif isinstance(seen, RunSeen):
            self._on_rerun(happened(session, step), seen.run)
        resumed = step.action is RerunAction.RERUN_FROM_FAILURE
        if isinstance(seen, Refused) and resumed and seen.run.retry_not_supported_reason:
            self._log.warning("dbt refused to rerun run %s, deciding again: %s", step.of_run, seen.message)
            return self._reader.observe(session, step.of_run)
        return self._with_evidence(session, seen)

    def _with_evidence(self, session: RerunSession, seen: Observation) -> Observation:
        """Read the evidence of a run that has ended already, as one found after a lost answer may have."""
        if not isinstance(seen, RunSeen) or not seen.run.is_terminal:
            return seen
        read = self._reader.observe(session, seen.run.id)
        return replace(read, certain=seen.certain, ours=seen.ours) if isinstance(read, RunSeen) else read

    def _with_definition(self, seen: Observation) -> Observation:
        """Read the run that was just started with its job, which somebody may edit before the run is over."""
        if self._policy is None or not isinstance(seen, RunSeen) or seen.run.is_terminal:
            return seen
        read = self._reader.read_at_once(seen.run)
        if self._work.marker.is_denied_by(read):
            raise DbtAnswerLostError(f"dbt answered the start with run {read.id}, which bears another cause")
        return replace(seen, run=read)

    def _believed(self, session: RerunSession, seen: Observation) -> Observation:
        """Refuse a first run that bears another cause: dbt has answered our POST with a run of somebody else."""
        first = session.attempts[0]
        if not isinstance(seen, RunSeen) or (first.run_id, first.kind) != (seen.run.id, TRIGGERED):
            return seen
        lives = (self._work.marker, *self._work.earlier)
        if self._work.of_run is not None or not all(life.is_denied_by(seen.run) for life in lives):
            return seen
        return NotReadable(f"dbt run {seen.run.id} was not started by this task: it bears another cause")

    def observe(self, session: RerunSession, run_id: int) -> Observation:
        """Read a run now, with the evidence that its status calls for."""
        return self._reader.observe(session, run_id)

    def _watch(self, session: RerunSession, run_id: int) -> WatchOutcome:
        """Poll a run until it ends; log and pass on how far it is."""

        def tell(run: Run) -> None:
            if step := current_step(run):
                self._log.info(
                    "dbt run %s is in step %d of %d: %s", run.id, step["index"], step["of"], step["name"]
                )
            self._on_progress(session, WaitForRun(run_id), run)

        pace = replace(self.pace, deadline=session.deadline)
        return watch_run(self._client, run_id, pace, tell=tell, clock=self._clock, sleep=self._sleep)


def _too_late(session: RerunSession, seen: Observation) -> Fail:
    """Return the end of work whose time was over before the next run was started."""
    allowed = max((session.deadline or 0.0) - session.started_at, 0.0)
    what = "the rerun" if session.attempts else "the run"
    return Fail(
        f"the {allowed:.0f} s allowed for this task were over before {what} was started, so nothing was started: "
        "raise timeout, or execution_timeout if that is shorter",
        kind="timeout",
        retryable=True,
        run=seen.run if isinstance(seen, RunSeen) else None,
    )
