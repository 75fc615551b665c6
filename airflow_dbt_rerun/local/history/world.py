"""The hidden world behind a history: commits, and troubles that begin and end whether or not a run meets them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.local.history.causes import Cause
from airflow_dbt_rerun.local.history.office_hours import DAY


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit to the project's main branch."""

    at: float
    sha: str


@dataclass(frozen=True, slots=True, eq=False)
class Trouble:
    """Something that makes runs fail for a while. Each has a number, so that the runs that met it can be grouped.

    :param ends: the moment from which it is over for every commit; None if only a commit ends it
    :param jobs: the numbers of the jobs that it concerns
    :param node: the only node that it concerns; None if it concerns all
    :param by_commit: whether it came with a commit, so that earlier commits do not have it
    :param mended_at: the commit from which on the project is free of it
    """

    number: int
    cause: Cause
    begins: float
    ends: float | None
    jobs: frozenset[int]
    node: str | None = None
    by_commit: bool = False
    mended_at: float | None = None
    chronic: bool = False

    def meets(self, begins: float, ends: float, commit: Commit) -> bool:
        """Return whether it is there at any time of a period, for a commit."""
        if self.by_commit and commit.at < self.begins:
            return False
        if self.mended_at is not None and commit.at >= self.mended_at:
            return False
        return self.begins <= ends and (self.ends is None or self.ends > begins)

    def concerns(self, nodes: Iterable[str]) -> bool:
        """Return whether it can fail a run of these nodes."""
        return self.cause.where != "run" and (self.node is None or self.node in nodes)

    @property
    def length(self) -> float:
        """How long it lasts, in seconds."""
        return float("inf") if self.ends is None else self.ends - self.begins


class World:
    """All commits, oldest first, all troubles that do not depend on what runs, and the people.

    :param quiet_days: the days, counted from 1970, on which nobody looks after failed runs
    """

    def __init__(
        self, commits: Sequence[Commit], troubles: Sequence[Trouble], quiet_days: Collection[int] = ()
    ) -> None:
        self.commits = commits
        self.troubles = troubles
        self._quiet_days = frozenset(quiet_days)
        self._times = [commit.at for commit in commits]

    def commit_at(self, moment: float) -> Commit:
        """Return the newest commit at a moment."""
        return self.commits[max(bisect_right(self._times, moment) - 1, 0)]

    def is_quiet(self, moment: float) -> bool:
        """Return whether nobody looks after failed runs on this day."""
        return int(moment // DAY) in self._quiet_days

    def troubles_of(self, job: int) -> list[Trouble]:
        """Return the troubles that concern a job, given by its number."""
        return [trouble for trouble in self.troubles if job in trouble.jobs]


def healable_at(troubles: Iterable[Trouble], nodes: frozenset[str], commit: Commit, since: float) -> float | None:
    """Return the first moment since which a run of the same nodes at the same commit would succeed.

    Troubles that have not begun by then are not foreseen: a rerun can meet them as any run can.

    :returns: None if only another commit helps
    """
    possible = [trouble for trouble in troubles if trouble.concerns(nodes)]
    moment = since
    while True:
        ends = [trouble.ends for trouble in possible if trouble.meets(moment, moment, commit)]
        if not ends:
            return moment
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return None
        moment = max(known)
