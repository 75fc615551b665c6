"""Sum up a backtest: over all failures, by job, and by what they failed of."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.backtest.replay import Planned
from airflow_dbt_rerun.backtest.verdicts import Judged, Verdict
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.policy.policy import RerunAction

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a policy would have done about some failures.

    :param failures: how many there were.
    :param verdicts: how many of them have each verdict.
    :param may_have_healed: how many of those that are not known would have been rerun, and were healthy later.
    :param pages_avoided: calls that would not have been needed, at the least and at the most.
    :param hours_earlier: by how many hours in all the work would have been done earlier, likewise.
    :param vain_reruns: reruns that would have failed.
    :param vain_seconds: seconds for which the warehouse would have worked for them, at the most.
    """

    failures: int
    verdicts: dict[Verdict, int]
    may_have_healed: int
    pages_avoided: tuple[int, int]
    hours_earlier: tuple[float, float]
    vain_reruns: int
    vain_seconds: float

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> Totals:
        """Sum up."""
        counts = Counter(each.verdict for each in judged)
        vain = [each for each in judged if each.verdict is Verdict.IN_VAIN]
        healed, perhaps = counts[Verdict.HEALED], sum(each.may_have_healed for each in judged)
        least, most = (sum(each.earlier[end] for each in judged) / HOUR for end in (0, 1))
        return cls(
            failures=len(judged),
            verdicts={verdict: counts[verdict] for verdict in Verdict},
            may_have_healed=perhaps,
            pages_avoided=(healed, healed + perhaps),
            hours_earlier=(least, most),
            vain_reruns=sum(len(each.replay.planned) for each in vain),
            vain_seconds=sum(map(vain_seconds, vain)),
        )


def by_job(judged: Sequence[Judged]) -> dict[str, Totals]:
    """Sum up by job, the one with the most failures first."""
    return _grouped(judged, lambda each: each.failure.job_name)


def by_kind(judged: Sequence[Judged]) -> dict[str, Totals]:
    """Sum up by what the runs failed of, the most frequent first."""
    return _grouped(judged, lambda each: each.failure.kind)


def _grouped(judged: Sequence[Judged], name: Callable[[Judged], str]) -> dict[str, Totals]:
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        groups[name(each)].append(each)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return {key: Totals.of(group) for key, group in ordered}


def nodes_to_run(judged: Judged) -> tuple[str, ...]:
    """Return the nodes that the first rerun would have run, by the failed run's results; empty if unknown."""
    if not judged.reruns:
        return ()
    return tuple(node.unique_id for node in _results_of(judged) if not node.is_ok)


def vain_seconds(judged: Judged) -> float:
    """Return the seconds for which the warehouse would have worked for reruns that fail."""
    return sum(rerun_seconds(judged, planned) for planned in judged.replay.planned)


def rerun_seconds(judged: Judged, planned: Planned) -> float:
    """Return the seconds for which the warehouse would work for one rerun that fails, by the failed run's nodes."""
    if planned.follows is not None:
        return 0.0
    if planned.action is RerunAction.RERUN_FROM_START:
        return judged.failure.run.seconds or 0.0
    resumed = planned.action is RerunAction.RERUN_FROM_FAILURE
    return sum(node.execution_time for node in _results_of(judged) if not (resumed and node.is_ok))


def _results_of(judged: Judged) -> tuple[NodeResult, ...]:
    run = judged.failure.run
    step = run.stopping_step.index if run.stopping_step else None
    return tuple(
        node for artifact in judged.failure.seen.results if artifact.step_index == step for node in artifact.nodes
    )
