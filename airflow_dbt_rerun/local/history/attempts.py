"""Let one run go through its steps, and meet what the world has in store for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.history.causes import Cause, causes
from airflow_dbt_rerun.local.history.jobs import CommandNodes
from airflow_dbt_rerun.local.history.outcomes import Blocking
from airflow_dbt_rerun.local.history.runs import Ending, HistoricRun, HistoricStep
from airflow_dbt_rerun.local.history.world import Trouble, World
from airflow_dbt_rerun.local.runs.execution import FAILED, invoke
from airflow_dbt_rerun.local.runs.lifecycle import CANCELLED_BY_USER, timed_out
from airflow_dbt_rerun.local.runs.retry_rules import DOCS, FRESHNESS

START = "start"
"""Stands for the start of a command where a victim is named by its node."""

_NOTICED_LATER = 60.0
"""Seconds that a command needs to find out that it cannot connect."""

_SMOOTH = Ending()


@dataclass(frozen=True, slots=True)
class Fate:
    """What is drawn for one run alone.

    :param victims: what strikes a node, or the start of a command, when the run gets there
    :param stuck_at: the share of its usual duration after which it hangs until its time limit ends it
    :param cancelled_at: the share of its usual duration after which a person cancels it
    """

    victims: Mapping[str, Cause]
    stuck_at: float | None = None
    cancelled_at: float | None = None
    person: str = ""


@dataclass(frozen=True, slots=True)
class _Stop:
    """The end that comes from outside dbt: nothing finishes after ``hangs``, and the run ends at ``ends``."""

    hangs: float
    ends: float
    cause: str
    message: str
    person: str | None


@dataclass(frozen=True, slots=True)
class _Planned:
    """A command that a run is to run.

    :param ending: how it ends if nothing happens to it
    """

    place: int
    command: str
    name: str
    nodes: tuple[str, ...]
    ending: Ending = _SMOOTH


class Attempts:
    """Lets the runs of one job happen, one after the other.

    :param troubles: what this job can meet; the list grows while its runs happen
    :param add: adds a trouble that only this job meets: a cause, its begin, its end and its node
    """

    def __init__(
        self,
        world: World,
        nodes: CommandNodes,
        rng: Random,
        troubles: Sequence[Trouble],
        add: Callable[[Cause, float, float, str | None], Trouble],
    ) -> None:
        self._world = world
        self._nodes = nodes
        self._rng = rng
        self._troubles = troubles
        self._add = add
        self._connect = f"Create profile from connection {nodes.project.name}"
        self._clock = 0.0

    def go(self, run: HistoricRun, fate: Fate, taken_up: tuple[str, ...] | None = None) -> HistoricRun:
        """Fill in the steps and the end of a run.

        :param taken_up: the nodes that a retry resumes with its first command
        """
        planned = self._planned(run, taken_up)
        run.nodes = frozenset(node for each in planned for node in each.nodes)
        run.commit = self._world.commit_at(run.started)
        self._clock, self._fate = run.started, fate
        self._near = [trouble for trouble in self._troubles if _is_near(trouble, run)]
        self._pace = self._seconds_per_weight(run)
        self._stop = self._planned_stop(run, sum(self._weight(each.nodes) for each in planned) * self._pace)
        if self._prepare(run) and all(self._command(run, each) for each in planned) and run.job.docs:
            self._step(run, invoke(DOCS), self._rng.uniform(8, 30), DOCS)
        run.finished = self._clock
        return run

    def _planned(self, run: HistoricRun, taken_up: tuple[str, ...] | None) -> list[_Planned]:
        planned = [
            _Planned(place, command, invoke(command), self._nodes(command))
            for place, command in enumerate(run.commands)
        ]
        if taken_up is not None:
            planned[0] = _Planned(0, run.commands[0], invoke("dbt retry"), taken_up, Ending(nodes=taken_up))
        return planned

    # --- the steps

    def _prepare(self, run: HistoricRun) -> bool:
        cloned = self._outside(run, "Clone git repository", "clone", self._rng.uniform(1.5, 6))
        if not cloned:
            return False
        self._step(run, self._connect, self._rng.uniform(0.1, 0.9))
        if not self._outside(run, invoke("dbt deps"), "deps", self._rng.uniform(2, 8)):
            return False
        if run.job.freshness and run.retry_of is None:
            self._step(run, invoke(FRESHNESS), self._rng.uniform(3, 15), FRESHNESS)
        return True

    def _outside(self, run: HistoricRun, name: str, where: str, seconds: float) -> bool:
        """Add a step that works without nodes, and return whether it succeeded."""
        met = self._met(run, where, self._clock, self._clock + seconds)
        self._step(run, name, seconds, failed=met is not None)
        if met is not None:
            self._fail(run, met, Ending(cause=met.cause.id))
        return met is None

    def _command(self, run: HistoricRun, planned: _Planned) -> bool:
        """Run a command and return whether it succeeded."""
        began, overhead = self._clock, self._rng.uniform(3, 9)
        met = self._met(run, START, began, began + overhead)
        if met is not None:
            self._clock += overhead + self._rng.uniform(1, _NOTICED_LATER)
            self._record(run, planned, RunStatus.ERROR, began)
            self._fail(run, met, replace(planned.ending, cause=met.cause.id))
            return False
        self._clock += overhead
        failures, done = self._run_nodes(run, planned)
        ending = replace(planned.ending, failures=failures, done=done)
        status = RunStatus.CANCELLED if done is not None else RunStatus.ERROR if failures else RunStatus.SUCCESS
        self._record(run, planned, status, began)
        if ending != _SMOOTH:
            run.endings[len(run.steps)] = ending
        if status == RunStatus.ERROR:
            run.status, run.message = status, FAILED
        return status == RunStatus.SUCCESS

    def _run_nodes(self, run: HistoricRun, planned: _Planned) -> tuple[dict[str, str], int | None]:
        """Run nodes one after the other; return what failed and, if the run was stopped, how many had ended."""
        failures: dict[str, str] = {}
        blocking = Blocking(self._nodes.project, tests_block=self._nodes.tests_block(planned.command))
        for position, node in enumerate(planned.nodes):
            if blocking.blocks(node):
                continue
            ends = self._clock + self._nodes.weight(node) * self._pace
            if self._stop and ends > self._stop.hangs:
                self._end_from_outside(run, self._stop)
                return failures, position
            met = self._met(run, node, self._clock, ends)
            if met is not None:
                failures[node] = met.cause.id
                run.troubles.append(met)
                blocking.fail(node)
            self._clock = ends
        return failures, None

    def _end_from_outside(self, run: HistoricRun, stop: _Stop) -> None:
        """End a run by its time limit or by a person. A rerun would not meet that again."""
        self._clock = max(stop.ends, self._clock + 1)
        run.status, run.message, run.cancelled_by = RunStatus.CANCELLED, stop.message, stop.person
        run.troubles.append(self._add(causes()[stop.cause], run.started, self._clock, None))

    # --- meeting trouble

    def _met(self, run: HistoricRun, place: str, begins: float, ends: float) -> Trouble | None:
        """Return the trouble that is met at a node, at a command's start or at a step outside dbt."""
        assert run.commit is not None
        where = place if place in ("clone", "deps", START) else "node"
        there = [
            trouble
            for trouble in self._near
            if trouble.cause.where == where
            and trouble.node in (None, place)
            and trouble.meets(begins, ends, run.commit)
            if where != "node" or not trouble.cause.is_test_failure or place.startswith("test.")
        ]
        if there:
            return max(there, key=lambda trouble: trouble.length)
        cause = self._fate.victims.get(place)
        if cause is None:
            return None
        lasts = self._rng.uniform(*cause.lasts or (0, 0))
        return self._add(cause, begins, ends + lasts, None if place == START else place)

    def _planned_stop(self, run: HistoricRun, usual: float) -> _Stop | None:
        limit = run.started + run.job.timeout
        if self._fate.stuck_at is not None:
            return _Stop(
                run.started + usual * self._fate.stuck_at, limit, "run_timed_out", timed_out(run.job.timeout), None
            )
        if self._fate.cancelled_at is not None:
            at = run.started + 20 + usual * self._fate.cancelled_at
            return _Stop(at, at, "cancelled_by_person", CANCELLED_BY_USER, self._fate.person)
        return None

    # --- recording

    def _fail(self, run: HistoricRun, met: Trouble, ending: Ending) -> None:
        run.endings[len(run.steps)] = ending
        run.troubles.append(met)
        run.status, run.message = RunStatus.ERROR, FAILED

    def _step(
        self, run: HistoricRun, name: str, seconds: float, command: str | None = None, *, failed: bool = False
    ) -> None:
        """Add a step that is not one of the run's own commands."""
        began, self._clock = self._clock, self._clock + seconds
        status = RunStatus.ERROR if failed else RunStatus.SUCCESS
        run.steps.append(HistoricStep(name, command, None, status, began, self._clock))

    def _record(self, run: HistoricRun, planned: _Planned, status: int, began: float) -> None:
        """Add the step of a command that ends now."""
        step = HistoricStep(planned.name, planned.command, planned.place, status, began, self._clock)
        run.steps.append(step)

    # --- durations

    def _seconds_per_weight(self, run: HistoricRun) -> float:
        whole = sum(self._weight(self._nodes(command)) for command in run.job.commands)
        return run.job.minutes * 60 / max(whole, 1) * self._rng.lognormvariate(0, 0.15)

    def _weight(self, nodes: Sequence[str]) -> int:
        return sum(map(self._nodes.weight, nodes))


def _is_near(trouble: Trouble, run: HistoricRun) -> bool:
    """Return whether a run can meet a trouble; a run never takes longer than its time limit."""
    latest = run.started + run.job.timeout
    assert run.commit is not None
    return trouble.cause.where != "run" and trouble.meets(run.started, latest, run.commit)
