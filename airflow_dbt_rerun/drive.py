"""Drive one piece of work to its end: show the loop what is there, and do what it decides.

One driver serves the operators, the sensor and the command line, blocking and deferrable. It holds no state of its
own: what is to be remembered is in the :class:`RerunSession`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from airflow_dbt_rerun.api.endpoints import get_run
from airflow_dbt_rerun.core.diagnosis import diagnose
from airflow_dbt_rerun.core.lineage import chain
from airflow_dbt_rerun.core.models import Run
from airflow_dbt_rerun.core.policy import RerunPolicy
from airflow_dbt_rerun.core.polling import Outcome, Poll, Unwatchable, watch
from airflow_dbt_rerun.core.report import tell
from airflow_dbt_rerun.core.session import (
    Fail,
    NoRun,
    NotReadable,
    Observation,
    Rerun,
    RerunSession,
    RunSeen,
    Succeed,
    Trigger,
    Wait,
    next_step,
)
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.exceptions import DbtApiError, is_bearable
from airflow_dbt_rerun.looks import Log, Looks, Sender
from airflow_dbt_rerun.posts import Posts, Work

DEFAULT_CHECK_INTERVAL = 60.0
"""Seconds between polls: the official operator's default."""

DEFAULT_TOLERANCE = 600.0
"""Seconds for which the API may give no readable answer while a run is watched."""


class Driver:
    """Drives one piece of work.

    :param client: sends requests to one account.
    :param work: what to run, and how its runs are recognised.
    :param policy: when to rerun; None never reruns.
    :param on_run: called with each run of this work as soon as its id is known, before anything else happens.
    :param check_interval: seconds between polls.
    :param tolerance: seconds for which the API may give no readable answer.
    :param clock: gives epoch seconds.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: Sender,
        work: Work,
        policy: RerunPolicy | None,
        *,
        signatures: Sequence[Signature] = (),
        on_run: Callable[[Run], None] = lambda _: None,
        check_interval: float = DEFAULT_CHECK_INTERVAL,
        tolerance: float = DEFAULT_TOLERANCE,
        log: Log | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._work = work
        self._policy = policy
        self._signatures = signatures
        self._on_run = on_run
        self._check_interval = check_interval
        self._tolerance = tolerance
        self._log: Log = log or logging.getLogger(__name__)
        self._clock = clock
        self._sleep = sleep
        self._looks = Looks(
            client,
            tolerance=tolerance,
            with_manifest=policy is not None and policy.needs_manifest,
            log=self._log,
            clock=clock,
            sleep=sleep,
        )
        self._posts = Posts(client, self._looks, work, on_run=on_run, log=self._log, sleep=sleep)

    def begin(self, *, deadline: float | None) -> tuple[RerunSession, Observation]:
        """Look before anything is posted: go on from the runs that an earlier try of this work left behind.

        :param deadline: epoch seconds after which to stop waiting, or None.
        """
        runs = chain(self._looks.newest_runs(self._work.job_id), self._work.marker)
        if not runs:
            return RerunSession(self._clock(), deadline), NoRun()
        self._log.info("Run %s was started by an earlier try of this task: going on from there", runs[-1].id)
        self._on_run(runs[-1])
        full = [self._looks.read(run.id) for run in runs]
        session = RerunSession.of_chain(full, now=self._clock(), deadline=deadline)
        for run in full[:-1]:  # why they failed counts on: it tells whether there is progress
            session = session.recalling(diagnose(run, self._looks.results(run), signatures=self._signatures))
        return session, self._looks.look(session, full[-1].id)

    def advance(self, session: RerunSession, seen: Observation) -> tuple[RerunSession, Wait | Succeed | Fail]:
        """Decide and act until there is something to wait for, or the end."""
        while True:
            before = session
            session, step = next_step(before, seen, self._policy, self._clock(), signatures=self._signatures)
            for line in tell(before, session, step):
                self._log.info("%s", line)
            if isinstance(step, Trigger):
                seen = self._with_evidence(session, self._posts.trigger())
            elif isinstance(step, Rerun):
                seen = self._with_evidence(session, self._posts.rerun(step))
            else:
                return session, step

    def wait(self, session: RerunSession, step: Wait) -> Observation:
        """Block until what ``step`` waits for has come, then look at the run again."""
        if step.until is not None:
            self._sleep(max(step.until - self._clock(), 0.0))
            return self._looks.look(session, step.run_id)
        return self.observe(session, self._watch(session, step.run_id))

    def observe(self, session: RerunSession, outcome: Outcome) -> Observation:
        """Turn the end of a watch into what the loop needs: a fresh look, unless nothing can be read."""
        if isinstance(outcome, Unwatchable):
            return NotReadable(f"dbt run {outcome.run_id} cannot be watched: {outcome.reason}")
        return self._looks.look(session, outcome.run_id)

    def _with_evidence(self, session: RerunSession, seen: Observation) -> Observation:
        """A run that is found after a lost answer may be over already: then it takes a proper look."""
        if isinstance(seen, RunSeen) and seen.run.is_terminal:
            return self._looks.look(session, seen.run.id)
        return seen

    def look(self, session: RerunSession, run_id: int) -> Observation:
        """Read a run now, with the evidence that its status calls for."""
        return self._looks.look(session, run_id)

    def _watch(self, session: RerunSession, run_id: int) -> Outcome:
        script = watch(
            run_id,
            interval=self._check_interval,
            tolerance=self._tolerance,
            deadline=session.deadline,
            clock=self._clock,
            bearable=is_bearable,
        )
        answer: Run | Exception | None = None
        while True:
            try:
                request = script.send(answer)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            if isinstance(request, Poll):
                answer = self._poll(request.run_id)
            else:
                answer = None
                self._sleep(request.seconds)

    def _poll(self, run_id: int) -> Run | Exception:
        try:
            return self._client.send(get_run(run_id))
        except DbtApiError as error:
            return error
