"""Merge the node results of a chain of runs: a rerun's artifact contains only the nodes that it ran again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults


def merged(results: Iterable[StepResults]) -> dict[str, NodeResult]:
    """Return the latest result of each node.

    Compiling a node says nothing about whether it is built: ``dbt docs generate`` records a success for a model
    that the build before it has skipped.

    :param results: artifacts of one run or of a whole chain, oldest first.
    """
    latest: dict[str, NodeResult] = {}
    for node in (node for artifact in results for node in artifact.nodes):
        before = latest.get(node.unique_id)
        if before is None or before.only_compiled or not node.only_compiled:
            latest[node.unique_id] = node
    return latest


def done_for(owed: Mapping[str, NodeResult], results: Iterable[StepResults]) -> dict[str, NodeResult]:
    """Return the latest result of each node, without those that were compiled only though more was owed.

    :param owed: the earlier results, by node.
    """

    def counts(node: NodeResult) -> bool:
        earlier = owed.get(node.unique_id)
        return not node.only_compiled or (earlier is not None and earlier.only_compiled)

    return {name: node for name, node in merged(results).items() if counts(node)}


def undone(results: Iterable[StepResults]) -> tuple[str, ...]:
    """Return the nodes that are not done after all these results, in the order of their first appearance."""
    return tuple(name for name, node in merged(results).items() if not node.is_ok)
