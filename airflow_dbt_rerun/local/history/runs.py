"""Runs, steps and what happened in them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.history.jobs import HistoricJob
from airflow_dbt_rerun.local.history.world import Commit, Trouble


@dataclass(frozen=True, slots=True)
class Ending:
    """What distinguishes a step from one whose command ran all its nodes successfully.

    :param nodes: the nodes that a retry took up; None if the command says which
    :param failures: the id of the cause of each node that failed
    :param cause: the id of the cause that failed the step before its first node
    :param done: how many nodes had ended when the step was stopped; None if it was not
    """

    nodes: tuple[str, ...] | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    cause: str | None = None
    done: int | None = None


@dataclass(frozen=True, slots=True)
class HistoricStep:
    """A step. Moments are seconds since 1970."""

    name: str
    command: str | None
    place: int | None
    status: int
    started: float
    finished: float


@dataclass(slots=True, eq=False)
class HistoricRun:
    """A run that has ended.

    :param by: what started it: "scheduled", "person_from_start" or "person_from_failure"
    :param commands: its commands; in a retry the first is the one that it resumes
    :param nodes: all nodes that it was to run
    :param endings: by the index of the step
    :param troubles: what it met
    :param following: the next run of the job
    """

    job: HistoricJob
    by: str
    created: float
    started: float
    commands: tuple[str, ...]
    retry_of: HistoricRun | None = None
    retried_step: int | None = None
    commit: Commit | None = None
    nodes: frozenset[str] = frozenset()
    status: int = RunStatus.SUCCESS
    message: str | None = None
    cancelled_by: str | None = None
    finished: float = 0.0
    steps: list[HistoricStep] = field(default_factory=list)
    endings: dict[int, Ending] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    following: HistoricRun | None = None
    id: int = 0

    @property
    def is_error(self) -> bool:
        """Whether it failed."""
        return self.status == RunStatus.ERROR

    @property
    def is_success(self) -> bool:
        """Whether it succeeded."""
        return self.status == RunStatus.SUCCESS

    @property
    def main_trouble(self) -> Trouble:
        """Of the troubles that it met, the one that stopped it or, if none did, the one that lasts longest.

        :raises IndexError, ValueError: if it met none
        """
        if self.status == RunStatus.CANCELLED:
            return self.troubles[-1]
        return max(self.troubles, key=lambda trouble: trouble.length)

    @property
    def failed_nodes(self) -> Mapping[str, str]:
        """The id of the cause of each node that failed."""
        return {node: cause for ending in self.endings.values() for node, cause in ending.failures.items()}
