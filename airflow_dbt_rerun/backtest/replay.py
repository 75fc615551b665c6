"""Replay one failure under a policy: the loop of the operators, over recorded observations.

``next_step`` makes every decision, as in the operators. It is shown the run as it was when it failed, and told that
each rerun that it starts fails in the same way: so it names all moments at which this policy would have tried.
What would have become of them is decided elsewhere (:mod:`.verdicts`). Nothing here has a client.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest

from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.backtest.history import with_job_of
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, RunTrigger
from airflow_dbt_rerun.core.heal.lineage import find_rerun
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Rerun, WaitForRun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature

NOTICED_AFTER = 60.0
"""Seconds after which an operator notices at the latest that a run has ended: its polling interval."""

MOST_ATTEMPTS = 50
"""Attempts that are replayed, for policies that stop by time only."""

_MADE_UP = 10**15
"""Ids of the reruns that never were begin above those of dbt."""

CANDIDATES = 5
"""Newer runs that the loop is shown, as many as the operators read."""

FAIL, FOLLOW = str(RerunAction.FAIL), "follow"


@dataclass(frozen=True, slots=True)
class Planned:
    """One rerun that the policy would have started, if those before it had failed.

    How long those would have taken to fail is not known: at the least no time, at the most that of the failed run.

    :param earliest: epoch seconds.
    :param latest: epoch seconds.
    :param certain: whether it would have been started however long the ones before it took.
    """

    action: RerunAction
    earliest: float
    latest: float
    reason: str
    commands: tuple[str, ...] = ()
    why_not_wanted: str | None = None
    follows: int | None = None
    """The run of the job that was there already by then, which the policy would have waited for instead."""
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy would have done about one failure.

    :param action: its first decision: a kind of rerun, ``fail``, ``ask``, or ``follow`` for the job's newer run.
    :param reason: why, in the policy's words.
    :param planned: the reruns, in their order, if each failed in the same way.
    :param ended: why it would have given up then.
    """

    action: str
    reason: str
    planned: tuple[Planned, ...] = ()
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class _Tempo:
    """How late a failure is noticed, and how long a rerun takes to fail."""

    notice: float
    seconds: float


def replay(failure: PastFailure, policy: RerunPolicy, signatures: Sequence[Signature] = ()) -> Replay:
    """Return what a policy would have done about a failure.

    :param signatures: the team's own error signatures, tried first.
    """
    with _repeatable(failure.run.id):
        quick = _Driver(failure, policy, signatures, _Tempo(0.0, 0.0)).drive()
    if not quick.planned:
        return quick
    with _repeatable(failure.run.id):
        slow = _Driver(failure, policy, signatures, _Tempo(NOTICED_AFTER, failure.run.seconds or 0.0)).drive()
    return replace(quick, planned=tuple(_between(quick.planned, slow.planned)))


def _between(quick: Sequence[Planned], slow: Sequence[Planned]) -> Iterator[Planned]:
    for one, other in zip_longest(quick, slow):
        if one is None or other is None:
            yield replace(one or other, certain=False)
        elif (one.action, one.follows) != (other.action, other.follows):
            yield replace(one, latest=max(one.earliest, other.earliest), certain=False)
        else:
            yield replace(one, latest=max(one.earliest, other.earliest))


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Let a policy's jitter be the same each time, so that two backtests say the same."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


class _Driver:
    """Drives the loop from the end of the failed run until the policy gives up."""

    def __init__(
        self, failure: PastFailure, policy: RerunPolicy, signatures: Sequence[Signature], tempo: _Tempo
    ) -> None:
        self._failure = failure
        self._policy = policy
        self._signatures = signatures
        self._tempo = tempo
        self._now = failure.ended + tempo.notice
        self._planned: list[Planned] = []
        self._first: tuple[str, str] | None = None

    def drive(self) -> Replay:
        session, seen = RerunSession(self._now), self._superseded(self._failure.seen)
        while len(self._planned) < MOST_ATTEMPTS:
            session, step = next_step(session, seen, self._policy, self._now, signatures=self._signatures)
            self._remember(session)
            if isinstance(step, WaitForRun) and step.until is not None:
                self._now = step.until
                seen = self._superseded(seen)
            elif isinstance(step, WaitForRun):
                return self._following(step.run_id)
            elif isinstance(step, Rerun):
                seen = self._rerun(session, seen, step)
            else:
                return self._ended(step, session)
        return self._result(f"more than {MOST_ATTEMPTS} attempts")

    def _remember(self, session: RerunSession) -> None:
        """Keep the first decision: the loop writes it as ``action: reason``."""
        if self._first is None:
            action, _, reason = (session.attempts[0].decision or "").partition(": ")
            self._first = (action, reason) if action in set(RerunAction) else None

    def _rerun(self, session: RerunSession, seen: RunSeen, step: Rerun) -> RunSeen:
        plan = session.plan
        commands = plan.commands if plan else ()
        self._planned.append(Planned(step.action, self._now, self._now, step.reason, commands, step.why_not_wanted))
        self._now += self._tempo.seconds + self._tempo.notice
        return self._failed_again(seen, step, commands)

    def _failed_again(self, seen: RunSeen, step: Rerun, commands: tuple[str, ...]) -> RunSeen:
        """Make up the rerun that fails as the run before it did."""
        resumed = step.action is RerunAction.RERUN_FROM_FAILURE
        run = replace(
            seen.run,
            id=_MADE_UP + len(self._planned),
            trigger=RunTrigger("", "rerun" if resumed else "api", step.overrides),
            commands=commands or seen.run.commands,
            retrying_run_id=step.of_run if resumed else None,
            failed_runs=None if seen.run.failed_runs is None else seen.run.failed_runs + 1,
        )
        return replace(seen, run=run)

    def _superseded(self, seen: RunSeen) -> RunSeen:
        """Show the newer runs of the job that were there at the moment, as the platform would have.

        What a person started because of the failure is left out: nobody has to, where a policy is at work.
        """
        failed = self._failure.run
        there = self._failure.history.without_help(failed, self._now)
        newer = tuple(run for run in there if run.id > failed.id)
        if seen.run.id != failed.id or not newer:
            return seen
        shown = [with_job_of(run, failed) for run in reversed(newer)]
        run = seen.run
        if run.is_error:
            run = replace(run, can_retry=False, retry_not_supported_reason=str(RetryNotSupported.NOT_LATEST_RUN))
        return replace(
            seen, run=run, newer=tuple(shown[:CANDIDATES]), newest=shown[0], rerun=find_rerun(failed, there)
        )

    def _following(self, run_id: int) -> Replay:
        """End with the run that the policy would have waited for: how it ended is on record."""
        self._planned.append(
            Planned(RerunAction.FAIL, self._now, self._now, "the job had a newer run", follows=run_id)
        )
        self._first = self._first or (FOLLOW, f"the job had a newer run, {run_id}, of the same work")
        return self._result(f"it would have waited for run {run_id}, which was there already")

    def _ended(self, step: NextStep, session: RerunSession) -> Replay:
        if isinstance(step, AskPerson):
            self._first = self._first or (str(RerunAction.ASK), session.attempts[-1].decision or "")
            return self._result("a person is asked")
        if isinstance(step, Fail):
            self._first = self._first or (FAIL, step.why or step.reason)
            return self._result(step.why or step.reason)
        raise AssertionError(f"the loop answered a failed run with {step!r}")

    def _result(self, ended: str) -> Replay:
        action, reason = self._first or (FAIL, ended)
        if not self._planned and action not in (FAIL, RerunAction.ASK):
            action, reason = FAIL, ended  # it wanted to, but could not
        return Replay(action, reason, tuple(self._planned), ended)
