"""Merge the node results of a chain of runs: a rerun's artifact contains only the nodes that it ran again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from airflow_dbt_rerun.core.dbt.commands import words_of
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults

RETRY = ("dbt", "retry")


def merged(results: Iterable[StepResults]) -> dict[str, NodeResult]:
    """Return the latest result of each node.

    Compiling a node says nothing about whether it is built: ``dbt docs generate`` records a success for a model
    that the build before it has skipped.

    :param results: artifacts of one run or of a whole chain, oldest first.
    """
    latest: dict[str, NodeResult] = {}
    for node in (node for artifact in results for node in artifact.nodes):
        before = latest.get(node.unique_id)
        if before is None or before.not_built or not node.not_built:
            latest[node.unique_id] = node
    return latest


def done_for(
    before: Sequence[StepResults], after: Sequence[StepResults], others: Collection[tuple[str, ...]] = ()
) -> dict[str, NodeResult]:
    """Return the latest result of each node that counts for what earlier runs have left undone.

    A node that was to be built is not done by compiling it, and what one command of a job owes is not done by
    another one, which may build the same node elsewhere: ``dbt run; dbt run --target staging``.

    :param before: results of the earlier runs, oldest first.
    :param after: results of the run that repairs them.
    :param others: the words of those commands of the work that the repair runs besides the resumed one.
    """
    earlier, owing = merged(before), _owing(before)

    def counts(artifact: StepResults, node: NodeResult) -> bool:
        known = earlier.get(node.unique_id)
        if node.not_built and not (known and known.not_built):
            return False
        words = words_of(artifact.command) if artifact.command else ()
        return words not in others or owing.get(node.unique_id, words) in (words, ())

    return merged(
        replace(artifact, nodes=tuple(node for node in artifact.nodes if counts(artifact, node)))
        for artifact in after
    )


def _owing(results: Iterable[StepResults]) -> dict[str, tuple[str, ...]]:
    """Return the words of the command that first left each node undone; none of them if only a retry did."""
    found: dict[str, tuple[str, ...]] = {}
    for artifact in results:
        words = words_of(artifact.command) if artifact.command else ()
        for node in artifact.nodes:
            if not node.is_ok:
                found.setdefault(node.unique_id, () if words[:2] == RETRY else words)
    return found


def undone(results: Iterable[StepResults]) -> tuple[str, ...]:
    """Return the nodes that are not done after all these results, in the order of their first appearance."""
    return tuple(name for name, node in merged(results).items() if not node.is_ok)
