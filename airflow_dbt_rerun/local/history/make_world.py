"""Draw a world from a seed: what is committed, and what breaks when."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from airflow_dbt_rerun.local.history.causes import Cause, causes_of
from airflow_dbt_rerun.local.history.jobs import ADAPTERS, CommandNodes, HistoricJob
from airflow_dbt_rerun.local.history.office_hours import DAY, HOUR, Period, is_open, next_morning, spread
from airflow_dbt_rerun.local.history.world import Commit, Trouble, World

_SHARED = {"throttling": 6, "outage": 4, "credential": 2, "resources": 4}
"""Troubles of all jobs on one warehouse, by sort: how many there are in 90 days."""

_OF_A_NODE = {"grant": 2, "data": 6}
"""Troubles of one node in all jobs that build it, by sort: how many there are in 90 days."""

_OUTSIDE = {"git": 2, "hub": 2}
"""Troubles of all jobs, by sort."""

_BREAKING_COMMITS, _UNPARSEABLE_COMMITS, _CHANGED_SOURCES = 4, 2, 2
_ON_CALL = 0.5
"""The share of broken weekends on which somebody mends what is broken."""

_QUIET = 0.15
"""The share of days on which nobody looks after failed runs."""

_CHRONIC_NIGHTS = 0.47
"""14 of 30 nights."""


def make_world(rng: Random, jobs: Sequence[HistoricJob], nodes: CommandNodes, period: Period, head: str) -> World:
    """Draw a world.

    :param head: the commit that is the newest when the history ends
    """
    draft = _Draft(rng, jobs, nodes, period)
    draft.commit_daily()
    draft.add_shared()
    draft.add_of_a_node()
    draft.add_chronic()
    draft.add_by_commit()
    draft.add_changed_sources()
    draft.retire()
    moments = sorted(moment for moment in draft.moments if moment <= period.ends)
    shas = [f"{rng.getrandbits(160):040x}" for _ in moments[:-1]]
    commits = [Commit(moment, sha) for moment, sha in zip(moments, [*shas, head], strict=True)]
    days = range(int(period.begins // DAY), int(period.ends // DAY) + 1)
    return World(commits, draft.troubles, [day for day in days if rng.random() < _QUIET])


@dataclass
class _Draft:
    rng: Random
    jobs: Sequence[HistoricJob]
    nodes: CommandNodes
    period: Period
    moments: list[float] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def commit_daily(self) -> None:
        """Add the commits of each working day."""
        self.moments.append(self.period.begins - HOUR)
        day = self.period.begins - self.period.begins % DAY
        while day < self.period.ends:
            hours = (self.rng.uniform(9.5, 17) for _ in range(self.rng.choice((0, 1, 2, 2, 3, 4))))
            moments = [day + hour * HOUR for hour in hours]
            self.moments += [moment for moment in moments if moment > self.period.begins and is_open(moment)]
            day += DAY
        self.moments.sort()

    def add_shared(self) -> None:
        """Add the troubles of a warehouse, and those outside dbt."""
        for sort, count in {**_SHARED, **_OUTSIDE}.items():
            for moment in spread(self.rng, self.period, count):
                adapter = self.rng.choice(ADAPTERS[: len(self.jobs)])
                on_it = frozenset(job.number for job in self.jobs if job.adapter == adapter)
                everyone = frozenset(job.number for job in self.jobs)
                self._add_faces(sort, adapter, moment, everyone if sort in _OUTSIDE else on_it)

    def add_of_a_node(self) -> None:
        """Add missing grants and wrong data."""
        for sort, count in _OF_A_NODE.items():
            for moment in spread(self.rng, self.period, count):
                self._add_to_node(sort, moment)

    def add_chronic(self) -> None:
        """Add what one nightly job in twenty meets on half of all nights, at the hour at which it runs."""
        for job in [job for job in self.jobs if job.every == DAY][1::12]:
            node, cause = self._one_of(self._built(job)), self.rng.choice(causes_of("chronic", job.adapter))
            slot = self.period.begins - self.period.begins % DAY + job.offset
            while slot < self.period.ends:
                if self.rng.random() < _CHRONIC_NIGHTS:
                    ends = slot + job.minutes * 60 * 1.5 + self.rng.uniform(*cause.lasts or (0, 0))
                    self._add(cause, slot - 600, ends, frozenset({job.number}), node=node, chronic=True)
                slot += DAY

    def add_by_commit(self) -> None:
        """Break some commits: each fails the jobs that build the node, until another commit mends it."""
        for sort, count in (("code", _BREAKING_COMMITS), ("parsing", _UNPARSEABLE_COMMITS)):
            for moment in spread(self.rng, self.period, count):
                place = bisect_left(self.moments, moment)
                if place < len(self.moments):
                    self._add_broken(sort, self.moments[place], by_commit=True)

    def add_changed_sources(self) -> None:
        """Change what a node reads, for good, at any hour."""
        for moment in spread(self.rng, self.period, _CHANGED_SOURCES):
            self._add_broken("code", moment, by_commit=False)

    def retire(self) -> None:
        """Break the job that is retired, for ever."""
        for job in self.jobs:
            if job.retired_at is not None:
                cause, node = self.rng.choice(causes_of("code", job.adapter)), self._one_of(self._built(job))
                self._add(cause, job.retired_at, None, frozenset({job.number}), node=node)

    # --- one trouble

    def _add_faces(self, sort: str, adapter: str, moment: float, jobs: frozenset[int]) -> None:
        """Add a trouble with what it says at each place that it can fail."""
        faces = causes_of(sort, adapter)
        places = {cause.where for cause in faces} if sort == "outage" else {self.rng.choice(faces).where}
        chosen = [self.rng.choice([face for face in faces if face.where == place]) for place in sorted(places)]
        lasts = self.rng.uniform(*chosen[0].lasts or (0, 0))
        number = len(self.troubles)
        for cause in chosen:
            self._add(cause, moment, moment + lasts, jobs, number=number)

    def _add_to_node(self, sort: str, moment: float) -> None:
        kind = ("test",) if sort == "data" else ("model", "seed")
        node = self._rarely_built(kind)
        if node is None:
            return
        jobs = self._jobs_with(node)
        cause = self.rng.choice(causes_of(sort, self.jobs[min(jobs)].adapter))
        same = frozenset(job for job in jobs if self.jobs[job].adapter in (cause.adapters or ADAPTERS))
        if cause.lasts is None:
            mended = self._mended_after(moment)
            self._add(cause, moment, None, same, node=node, mended_at=mended)
        else:
            self._add(cause, moment, moment + self.rng.uniform(*cause.lasts), same, node=node)

    def _add_broken(self, sort: str, moment: float, *, by_commit: bool) -> None:
        """Break a node, in the words of each warehouse; what keeps the project from being parsed breaks all."""
        node = self._rarely_built(("model",)) if sort == "code" else None
        jobs = frozenset(range(len(self.jobs))) if node is None else self._jobs_with(node)
        if sort == "code" and node is None:
            return
        mended = self._mended_after(moment) if node is not None else self._reverted_after(moment)
        number = len(self.troubles)
        for adapter in ADAPTERS:
            on_it = frozenset(job for job in jobs if self.jobs[job].adapter == adapter)
            cause = self.rng.choice(causes_of(sort, adapter))
            details: dict[str, Any] = {"by_commit": by_commit, "mended_at": mended, "number": number}
            if on_it:
                self._add(cause, moment, None, on_it, node=node, **details)

    def _mended_after(self, moment: float) -> float:
        """Commit what mends the project, when somebody has noticed and is at work."""
        mended = moment + self.rng.uniform(0.6, 5) * HOUR
        if not is_open(mended):
            mended = next_morning(mended, weekends=self.rng.random() < _ON_CALL) + self.rng.uniform(0.3, 3) * HOUR
        return self._commit(mended)

    def _reverted_after(self, moment: float) -> float:
        """Commit what mends the project at once, since nothing can run."""
        return self._commit(moment + self.rng.uniform(0.3, 2) * HOUR)

    def _commit(self, mended: float) -> float:
        self.moments.append(mended)
        self.moments.sort()
        return mended

    def _add(
        self,
        cause: Cause,
        begins: float,
        ends: float | None,
        jobs: frozenset[int],
        *,
        number: int | None = None,
        **details: Any,
    ) -> None:
        chosen = len(self.troubles) if number is None else number
        self.troubles.append(Trouble(chosen, cause, begins, ends, jobs, **details))

    # --- nodes

    def _built(self, job: HistoricJob) -> list[str]:
        """Return the models and seeds that a job builds."""
        every = dict.fromkeys(node for command in job.commands for node in self.nodes(command))
        return [node for node in every if not node.startswith("test.")]

    def _jobs_with(self, node: str) -> frozenset[int]:
        return frozenset(
            job.number for job in self.jobs if any(node in self.nodes(command) for command in job.commands)
        )

    def _rarely_built(self, kinds: tuple[str, ...]) -> str | None:
        """Return a node that some job builds; of a few candidates the one that the fewest jobs build."""
        built = sorted(
            {node for job in self.jobs for command in job.commands for node in self.nodes(command)}
            & {node for node in self.nodes.project.nodes if node.startswith(kinds)}
        )
        if not built:
            return None
        return min((self.rng.choice(built) for _ in range(3)), key=lambda node: len(self._jobs_with(node)))

    def _one_of(self, nodes: Sequence[str]) -> str | None:
        return self.rng.choice(nodes) if nodes else None
