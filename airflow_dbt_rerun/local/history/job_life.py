"""One job from the first to the last day: its schedule, and the people who look after it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random

from airflow_dbt_rerun.local.dbt.commands import RETRYABLE_BY_CORE, subcommand
from airflow_dbt_rerun.local.history.attempts import START, Attempts, Fate
from airflow_dbt_rerun.local.history.causes import Cause, causes_of
from airflow_dbt_rerun.local.history.jobs import CommandNodes, HistoricJob
from airflow_dbt_rerun.local.history.office_hours import DAY, Period, is_open, next_morning
from airflow_dbt_rerun.local.history.outcomes import RAN, outcomes
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.history.world import Trouble, World

SCHEDULED, FROM_START, FROM_FAILURE = "scheduled", "person_from_start", "person_from_failure"
PEOPLE = ("Ann Okafor", "Bela Kovacs", "Chiara Rossi", "Deniz Kaya")

_MINUTE = 60.0
_BLIP, _FLAKY, _STUCK, _CANCELLED = 0.0105, 0.010, 0.0009, 0.003
"""How probable each is in one run; a flaky node fails in so many of the runs that build it."""

_SEEN_AT_WORK, _SEEN_IN_THE_MORNING, _WEEKEND = 0.4, 0.85, 0.15
_TRIED_AGAIN = 0.5
_WAITS_FOR_THE_MEND = 0.7
_FROM_FAILURE = 0.62
_KICKED_OFF_AFTER_CANCEL = 0.4


class JobLife:
    """All runs of one job.

    :param flaky: the nodes that fail now and then
    :param numbers: numbers of troubles
    """

    def __init__(
        self,
        job: HistoricJob,
        world: World,
        nodes: CommandNodes,
        rng: Random,
        *,
        flaky: Sequence[str],
        numbers: Iterator[int],
    ) -> None:
        self._job = job
        self._nodes = nodes
        self._rng = rng
        self._world = world
        self._flaky = [node for node in flaky if any(node in nodes(command) for command in job.commands)]
        self._numbers = numbers
        self.troubles = world.troubles_of(job.number)
        self._attempts = Attempts(world, nodes, rng, self.troubles, self._add)
        self._events: list[tuple[float, int, HistoricRun | None]] = []
        self._order = count()
        self._free = 0.0

    def live(self, period: Period) -> list[HistoricRun]:
        """Return its runs that are over by the end, oldest first."""
        runs: list[HistoricRun] = []
        self._push(self._first_slot(period.begins), None)
        while self._events and self._events[0][0] < period.ends:
            moment, _, seen = heapq.heappop(self._events)
            run = self._next(moment, seen, runs)
            if run is None:
                continue
            if run.finished >= period.ends:
                break
            if runs:
                runs[-1].following = run
            runs.append(run)
            if not run.is_success:
                self._react(run)
                if self._job.retired_at is not None and run.created >= self._job.retired_at:
                    break
        return runs

    # --- what happens next

    def _next(self, moment: float, seen: HistoricRun | None, runs: Sequence[HistoricRun]) -> HistoricRun | None:
        """Run what is due: the schedule's next run or, if a person saw a failed run, its rerun."""
        if seen is None:
            self._push(moment + self._job.every, None)
            run = self._run(SCHEDULED, moment + self._rng.uniform(0, 3))
        elif seen is not runs[-1] or moment < self._free:
            return None
        else:
            run = self._rerun(seen, moment)
        self._free = run.finished
        return run

    def _run(self, by: str, created: float) -> HistoricRun:
        run = HistoricRun(self._job, by, created, self._started(created), self._job.commands)
        return self._attempts.go(run, self._fate(run))

    def _rerun(self, seen: HistoricRun, moment: float) -> HistoricRun:
        step = _resumable(seen)
        if step is None or self._rng.random() > _FROM_FAILURE:
            return self._run(FROM_START, moment)
        failed = seen.steps[step - 1]
        assert failed.command is not None
        assert failed.place is not None
        commands = failed.command, *seen.commands[failed.place + 1 :]
        run = HistoricRun(self._job, FROM_FAILURE, moment, self._started(moment), commands, seen, step)
        return self._attempts.go(run, self._fate(run), self._unfinished(seen, step))

    def _unfinished(self, run: HistoricRun, step: int) -> tuple[str, ...]:
        """Return the nodes that dbt retry takes up: those that failed or were skipped."""
        ending, command = run.endings[step], run.steps[step - 1].command
        assert command is not None
        blocks = self._nodes.tests_block(command)
        nodes = ending.nodes if ending.nodes is not None else self._nodes(command)
        found = outcomes(self._nodes.project, nodes, ending.failures, tests_block=blocks)
        return self._nodes.in_order(frozenset(node for node, how in found if how != RAN), tests_block=blocks)

    # --- people

    def _react(self, run: HistoricRun) -> None:
        moment = self._noticed(run)
        if moment is not None and not self._world.is_quiet(moment):
            self._push(moment, run)

    def _noticed(self, run: HistoricRun) -> float | None:
        """Return when a person reruns a failed run; None if nobody does."""
        rng = self._rng
        if run.cancelled_by:
            wants = rng.random() < _KICKED_OFF_AFTER_CANCEL
            return run.finished + rng.uniform(4, 60) * _MINUTE if wants else None
        if run.by != SCHEDULED and rng.random() > _TRIED_AGAIN:
            return None
        if is_open(run.finished) and rng.random() < _SEEN_AT_WORK:
            seen = run.finished + rng.uniform(6, 50) * _MINUTE
        elif rng.random() < _SEEN_IN_THE_MORNING:
            seen = next_morning(run.finished, weekends=rng.random() < _WEEKEND) + rng.uniform(0, 45) * _MINUTE
        else:
            return None
        trouble = run.main_trouble
        over = trouble.mended_at if trouble.ends is None else trouble.ends
        waits = over is not None and rng.random() < _WAITS_FOR_THE_MEND
        return max(seen, over + rng.uniform(3, 25) * _MINUTE) if over is not None and waits else seen

    # --- chance

    def _fate(self, run: HistoricRun) -> Fate:
        rng = self._rng
        return Fate(
            victims=self._victims(run),
            stuck_at=rng.uniform(0.1, 0.8) if rng.random() < _STUCK else None,
            cancelled_at=rng.uniform(0.1, 0.8) if rng.random() < _CANCELLED else None,
            person=rng.choice(PEOPLE),
        )

    def _victims(self, run: HistoricRun) -> dict[str, Cause]:
        rng, found = self._rng, {}
        if rng.random() < _BLIP:
            cause = rng.choice(causes_of("blip", run.job.adapter))
            nodes = [node for command in run.commands for node in self._nodes(command)]
            found[START if cause.where == START or not nodes else rng.choice(nodes)] = cause
        for node in self._flaky:
            if rng.random() < _FLAKY:
                found[node] = rng.choice(causes_of("flaky", run.job.adapter))
        return found

    def _add(self, cause: Cause, begins: float, ends: float, node: str | None) -> Trouble:
        jobs = frozenset({self._job.number})
        trouble = Trouble(next(self._numbers), cause, begins, ends, jobs, node)
        self.troubles.append(trouble)
        return trouble

    # --- time

    def _started(self, created: float) -> float:
        """Return when a run starts: never before the job's last run has ended."""
        return max(created + self._rng.uniform(4, 40), self._free + self._rng.uniform(2, 6))

    def _first_slot(self, begins: float) -> float:
        slot = begins - begins % DAY + self._job.offset
        return slot + -((slot - begins) // self._job.every) * self._job.every if slot < begins else slot

    def _push(self, moment: float, seen: HistoricRun | None) -> None:
        heapq.heappush(self._events, (moment, next(self._order), seen))


def _resumable(run: HistoricRun) -> int | None:
    """Return the index of the step that dbt can resume; None if it cannot resume the run."""
    if not run.is_error:
        return None
    last = len(run.steps)
    command, ending = run.steps[-1].command, run.endings[last]
    if command is None or ending.cause is not None or subcommand(command) not in RETRYABLE_BY_CORE:
        return None
    return last
