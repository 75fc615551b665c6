"""The events of the nodes in one step, made by OpenLineage's own reader of dbt's artifacts, and put right.

That reader (``openlineage-integration-common``) counts skipped tests as failed, gives every node a new id each
time, dates tests and nodes that failed early to the moment of reading, and tells no error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import attr
from openlineage.client.event_v2 import RunEvent, RunState
from openlineage.common.provider.dbt import DbtCloudArtifactProcessor, ParentRunMetadata

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.openlineage.artifacts import StepArtifacts
from airflow_dbt_rerun.openlineage.facets import PRODUCER
from airflow_dbt_rerun.openlineage.parents import lasting_id
from airflow_dbt_rerun.openlineage.runs import error_facet, iso

log = logging.getLogger(__name__)

_TEST = "test"


class NodeEvents:
    """The events of the nodes of one dbt run.

    :param me: the identity of the dbt run, their parent.
    :param connection: the ``connection`` of the dbt project, which says where the datasets are; None if unknown.
    :param messages: the report's one-line message of a failed node, by unique id.
    """

    def __init__(
        self,
        run: Run,
        me: ParentRunMetadata,
        connection: Mapping[str, Any] | None,
        messages: Mapping[str, str],
    ) -> None:
        self._run = run
        self._me = me
        self._connection = connection
        self._messages = messages

    def of_step(self, step: StepArtifacts) -> Iterator[RunEvent]:
        """Yield the events of one step, all starts first.

        :raises Exception: whatever the reader raises on artifacts or connections that it does not know.
        """
        processor = DbtCloudArtifactProcessor(
            producer=PRODUCER,
            job_namespace=self._me.job_namespace,
            skip_errors=True,
            logger=log,
            manifest=_manifest(step),
            run_result={**step.results, "results": list(_results(step))},
            profile=self._profile(step.manifest),
            catalog=None,
        )
        processor.dbt_run_metadata = self._me
        errors = self._errors(step)
        for event in processor.parse().events():
            yield self._put_right(event, step, errors)

    def _profile(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Return the connection as the reader wants it; which adapter ran, the manifest knows better."""
        known = self._connection or {}
        adapter = manifest["metadata"].get("adapter_type") or known.get("type")
        return {"name": known.get("name"), "type": adapter, "details": known.get("details") or {}}

    def _put_right(self, event: RunEvent, step: StepArtifacts, errors: Mapping[tuple[bool, str], str]) -> RunEvent:
        facets = dict(event.run.facets or {})
        if event.eventType is RunState.FAIL and (error := errors.get(_about(event))):
            facets["errorMessage"] = error_facet(error)
        run_id = lasting_id(self._run, self._me.run_id, str(step.index), event.job.name)
        run = attr.evolve(event.run, runId=run_id, facets=facets)
        return attr.evolve(event, run=run, eventTime=self._within_run(event.eventTime))

    def _within_run(self, moment: str) -> str:
        at, ended = epoch(moment), epoch(self._run.finished_at)
        return iso(self._run.finished_at if at and ended and at > ended else moment)

    def _errors(self, step: StepArtifacts) -> dict[tuple[bool, str], str]:
        """Return the messages of failed nodes, by whether an event is about tests and the node that it names.

        OpenLineage has one event for all generic tests of a model, which names the model.
        """
        found: dict[tuple[bool, str], str] = {}
        parents = step.manifest.get("parent_map") or {}
        for node in filter(lambda node: node.is_failed, step.nodes.values()):
            is_test = node.resource_type == _TEST
            for subject in (node.unique_id, *(parents.get(node.unique_id, ()) if is_test else ())):
                earlier = found.get((is_test, subject))
                text = f"{node.name}: {self._message(node)}" if is_test else self._message(node)
                found[is_test, subject] = f"{earlier}\n{text}" if earlier else text
        return found

    def _message(self, node: NodeResult) -> str:
        return self._messages.get(node.unique_id) or clean(node.message or "") or f"dbt says: {node.status}"


def _about(event: RunEvent) -> tuple[bool, str]:
    facets: Any = event.job.facets or {}
    return facets["jobType"].jobType == "TEST", facets["dbt_node"].unique_id or ""


def _results(step: StepArtifacts) -> Iterator[dict[str, Any]]:
    """Yield the results of the nodes that ran, with statuses that the reader knows."""
    known = {**step.manifest["nodes"], **step.manifest["sources"]}
    for result in step.results["results"]:
        node = step.nodes[result["unique_id"]]
        if node.unique_id not in known or not (node.is_ok or node.is_failed):
            continue
        if node.resource_type == _TEST:
            yield result
        else:
            yield {**result, "status": "success" if node.is_ok else "error"}


def _manifest(step: StepArtifacts) -> dict[str, Any]:
    """Return the manifest; a test that only warned is of severity *warn*, as its ``warn_if`` may make it."""
    nodes = dict(step.manifest["nodes"])
    for unique_id in (node.unique_id for node in step.nodes.values() if node.status == "warn"):
        if unique_id in nodes:
            config = {**(nodes[unique_id].get("config") or {}), "severity": "warn"}
            nodes[unique_id] = {**nodes[unique_id], "config": config}
    return {**step.manifest, "nodes": nodes}
