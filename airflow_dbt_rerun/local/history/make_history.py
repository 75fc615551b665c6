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
from airflow_dbt_rerun.local.history.office_hours import DAY
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.history.world import Commit, Trouble, healable_at
from airflow_dbt_rerun.local.options import DEFAULT_HISTORY_JOBS
from airflow_dbt_rerun.local.runs.store import FIRST_ID
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

_FLAKY_NODES = 2


@dataclass(frozen=True, slots=True)
class History:
    """Runs of several jobs, oldest first, and the hidden world that they took place in.

    :param seed: what it was drawn from; the same values give the same history
    :param begins, ends: seconds since 1970
    :param troubles: all troubles that concern a job, by its number
    """

    seed: int
    days: int
    begins: float
    ends: float
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
    *, project: Path, until: datetime, days: int, jobs: int = DEFAULT_HISTORY_JOBS, seed: int = 0, head: str = "f" * 40
) -> History:
    """Draw a history.

    :param project: the dbt project whose nodes the jobs build
    :param until: the end of the history, with time zone; all runs are over by then
    :param days: its length
    :param jobs: how many jobs there are
    :param head: the newest commit
    :raises ProjectError: if the project cannot be read
    """
    rng = Random(seed)  # noqa: S311 - a simulation
    read = SimulatedProject(project)
    nodes = CommandNodes(read)
    ends = until.timestamp()
    begins = ends - days * DAY
    made = make_jobs(rng, nodes, jobs, begins, ends)
    world = make_world(rng, made, nodes, begins, ends, head)
    models = sorted(node for node in read.nodes if node.startswith("model."))
    flaky = rng.sample(models, min(_FLAKY_NODES, len(models)))
    numbers = count(len(world.troubles))
    lives = [
        JobLife(job, world, nodes, Random(rng.getrandbits(64)), flaky=flaky, numbers=numbers, profile=read.name)  # noqa: S311
        for job in made
    ]
    runs = [run for life in lives for run in life.live(begins, ends)]
    runs.sort(key=lambda run: (run.created, run.job.number))
    for number, run in enumerate(runs):
        run.id = FIRST_ID["runs"] + number
    return History(seed, days, begins, ends, made, world.commits, runs, [life.troubles for life in lives])
