"""Merge the node results of a chain of runs: a rerun's artifact contains only the nodes that it ran again."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults


def merged(results: Iterable[StepResults]) -> dict[str, NodeResult]:
    """Return the latest result of each node.

    :param results: artifacts of one run or of a whole chain, oldest first.
    """
    return {node.unique_id: node for artifact in results for node in artifact.nodes}


def undone(results: Iterable[StepResults]) -> tuple[str, ...]:
    """Return the nodes that are not done after all these results, in the order of their first appearance."""
    return tuple(name for name, node in merged(results).items() if not node.is_ok)
