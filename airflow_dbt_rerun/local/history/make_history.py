"""Draw a whole history from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random

from airflow_dbt_rerun.local.history.job_life import JobLife
from airflow_dbt_rerun.local.history.jobs import CommandNodes, HistoricJob, make_jobs
from airflow_dbt_rerun.local.history.make_world import make_world
from airflow_dbt_rerun.local.history.office_hours import DAY, Period
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.history.world import Commit, Trouble, healable_at
from airflow_dbt_rerun.local.options import DEFAULT_HISTORY_JOBS
from airflow_dbt_rerun.local.runs.store import FIRST_ID
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

EXAMPLE_PROJECT = Path(__file__).parents[1] / "example_project"

_FLAKY_NODES = 2


@dataclass(frozen=True, slots=True)
class History:
    """Runs of several jobs, oldest first, and the hidden world that they took place in.

    :param seed: what it was drawn from; the same values give the same history
    :param troubles: all troubles that concern a job, by its number
    """

    seed: int
    days: int
    period: Period
    jobs: Sequence[HistoricJob]
    commits: Sequence[Commit]
    runs: Sequence[HistoricRun]
    troubles: Sequence[Sequence[Trouble]]

    @property
    def failures(self) -> list[HistoricRun]:
        """The runs that did not succeed."""
        return [run for run in self.runs if not run.is_success]

    def job_id(self, job: HistoricJob) -> int:
        """Return the id that a job has on the platform."""
        return FIRST_ID["jobs"] + job.number

    def healable_at(self, run: HistoricRun) -> float | None:
        """Return the moment from which an identical rerun of a failed run would succeed.

        Identical means: the same commit and the same nodes. None if only another commit helps.
        """
        assert run.commit is not None
        return healable_at(self.troubles[run.job.number], run.nodes, run.commit, run.finished)


def make_history(
    *,
    days: int,
    until: datetime,
    jobs: int = DEFAULT_HISTORY_JOBS,
    seed: int = 0,
    project: Path = EXAMPLE_PROJECT,
    head: str = "f" * 40,
) -> History:
    """Draw a history. The same arguments give the same history.

    ::

        history = make_history(days=90, until=datetime(2026, 11, 30, tzinfo=UTC), seed=7)
        truth(history)["failures"]

    :param days: its length
    :param until: its end, with time zone; all runs are over by then
    :param jobs: how many jobs there are
    :param project: the dbt project whose nodes the jobs build
    :param head: the newest commit
    :raises ProjectError: if the project cannot be read
    """
    rng = Random(seed)  # noqa: S311 - a simulation
    read = SimulatedProject(project)
    nodes = CommandNodes(read)
    period = Period(until.timestamp() - days * DAY, until.timestamp())
    made = make_jobs(rng, nodes, jobs, period)
    world = make_world(rng, made, nodes, period, head)
    models = sorted(node for node in read.nodes if node.startswith("model."))
    flaky = rng.sample(models, min(_FLAKY_NODES, len(models)))
    numbers = count(len(world.troubles))
    lives = [
        JobLife(job, world, nodes, Random(rng.getrandbits(64)), flaky=flaky, numbers=numbers)  # noqa: S311
        for job in made
    ]
    runs = [run for life in lives for run in life.live(period)]
    runs.sort(key=lambda run: (run.created, run.job.number))
    for number, run in enumerate(runs):
        run.id = FIRST_ID["runs"] + number
    return History(seed, days, period, made, world.commits, runs, [life.troubles for life in lives])
