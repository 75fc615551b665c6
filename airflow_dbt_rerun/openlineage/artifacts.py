"""What dbt wrote about each step of a run: its node results, and the manifest that explains them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.api.endpoints import get_json_artifact
from airflow_dbt_rerun.core.dbt.fields import FieldError, part
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.engine.reader import Log, Sender
from airflow_dbt_rerun.exceptions import DbtApiError, DbtNotFoundError


@dataclass(frozen=True, slots=True)
class StepArtifacts:
    """The artifacts of one step, as dbt wrote them, and its node results as values."""

    index: int
    results: dict[str, Any] = field(repr=False)
    manifest: dict[str, Any] = field(repr=False)
    nodes: dict[str, NodeResult] = field(repr=False)
    """By unique id."""


def step_artifacts(client: Sender, run: Run, log: Log) -> Iterator[StepArtifacts]:
    """Read the artifacts of every step that ran nodes, whatever its command was: ``dbt retry`` as well.

    Where a step wrote no results, dbt may answer with those of an earlier step. Those come once.
    """
    invocations: set[object] = set()
    for step in run.steps:
        if step.command is None:
            continue
        try:
            found = _artifacts(client, run.id, step.index, invocations)
        except (DbtApiError, FieldError) as error:
            log.warning("No lineage of the nodes in step %s of dbt run %s: %s", step.index, run.id, error)
        else:
            if found is not None:
                yield found


def _artifacts(client: Sender, run_id: int, index: int, invocations: set[object]) -> StepArtifacts | None:
    try:
        results = client.send(get_json_artifact(run_id, "run_results.json", step=index))
    except DbtNotFoundError:  # of deps, docs, or a step that died before its first node
        return None
    nodes = {node.unique_id: node for node in StepResults.from_artifact(results, run_id=run_id).nodes}
    invocation = part(results, "metadata").get("invocation_id")
    if not nodes or invocation in invocations:
        return None
    invocations.add(invocation)
    manifest = client.send(get_json_artifact(run_id, "manifest.json", step=index))
    return StepArtifacts(index, results, manifest, nodes)
