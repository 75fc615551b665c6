"""Find what fails again and again: a node of a job, or a job as a whole. No rerun mends it, so people must know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.advice.evidence import FEWEST, Evidence
from airflow_dbt_rerun.advice.kinds import KINDS, kind_of
from airflow_dbt_rerun.backtest.collected import DAY
from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.backtest.history import created_at
from airflow_dbt_rerun.core.categories import Category

OFTEN = 0.2
"""The share of a job's runs, or of all days, above which a trouble is chronic."""


@dataclass(frozen=True, slots=True)
class Chronic:
    """What fails in a fifth of a job's runs or more.

    :param node: the node's name; None if the job fails before its nodes.
    :param runs: how many runs the job had, without reruns.
    """

    job_id: int
    job_name: str
    node: str | None
    evidence: Evidence
    runs: int

    @property
    def categories(self) -> list[Category]:
        """What the failures were."""
        return sorted({kind for failure in self.evidence.failures if (kind := kind_of(failure))}, key=KINDS.index)

    @property
    def healed(self) -> int:
        """How many of them were followed by a success of the same work, of any commit."""
        return sum(failure.success is not None for failure in self.evidence.failures)


@dataclass(frozen=True, slots=True)
class Flaky:
    """A node that fails on a fifth of all days or more, in any job.

    :param days: on how many days.
    :param of_days: of how many.
    :param jobs: in how many jobs.
    """

    node: str
    days: int
    of_days: int
    jobs: int
    failures: int
    kind: str


def chronic_troubles(failures: Sequence[PastFailure]) -> list[Chronic]:
    """Return the chronic troubles, the most frequent first. A failure belongs to one of them at the most."""
    groups: defaultdict[tuple[int, str | None], list[PastFailure]] = defaultdict(list)
    for failure in failures:
        for name in _places(failure):
            groups[failure.run.job_id, name].append(failure)
    found, covered = [], set[int]()
    for (job_id, name), own in sorted(groups.items(), key=lambda group: (-len(group[1]), str(group[0]))):
        left = [failure for failure in own if failure.run.id not in covered]
        runs = _whole_runs(own[0])
        if len(left) >= max(FEWEST, OFTEN * runs):
            found.append(Chronic(job_id, own[0].job_name, name, Evidence.of(left), runs))
            covered |= {failure.run.id for failure in left}
    return found


def flaky_nodes(failures: Sequence[PastFailure], days: float, known: Sequence[Chronic]) -> list[Flaky]:
    """Return the nodes that fail on many days, without those of the chronic troubles; the most frequent first.

    :param days: how many days were read.
    """
    covered = {failure.run.id for chronic in known for failure in chronic.evidence.failures}
    groups: defaultdict[str, list[PastFailure]] = defaultdict(list)
    for failure in failures:
        for name in _places(failure):
            if name is not None and failure.run.id not in covered:
                groups[name].append(failure)
    flaky = (_flaky(name, own, days) for name, own in groups.items() if len(own) >= FEWEST)
    return sorted((each for each in flaky if each.days >= OFTEN * days), key=lambda each: (-each.days, each.node))


def _flaky(name: str, failures: Sequence[PastFailure], days: float) -> Flaky:
    kinds = [failure.kind for failure in failures]
    return Flaky(
        name,
        days=len({created_at(failure.run) // DAY for failure in failures}),
        of_days=round(days),
        jobs=len({failure.run.job_id for failure in failures}),
        failures=len(failures),
        kind=max(sorted(set(kinds)), key=kinds.count),
    )


def _places(failure: PastFailure) -> Iterator[str | None]:
    """Yield the nodes whose failure can pass by itself; None if a step failed as a whole."""
    kinds = [finding for finding in failure.diagnosis.findings if finding.category in KINDS]
    yield from dict.fromkeys(finding.name if finding.is_node else None for finding in kinds)


def _whole_runs(failure: PastFailure) -> int:
    history = failure.history
    return sum(run.is_terminal and run.id not in history.repairs for run in history.runs)
