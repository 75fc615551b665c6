"""Emit the lineage of a whole heal, once it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.providers.openlineage.api import emit
from openlineage.client.event_v2 import RunEvent
from openlineage.common.provider.dbt import ParentRunMetadata

from airflow_dbt_rerun.api.answers import as_answer
from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import FULL_RUN, get_project, get_run
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.messages import counted
from airflow_dbt_rerun.engine.reader import Log
from airflow_dbt_rerun.exceptions import DbtApiError
from airflow_dbt_rerun.openlineage.artifacts import step_artifacts
from airflow_dbt_rerun.openlineage.nodes import NodeEvents
from airflow_dbt_rerun.openlineage.parents import run_as_parent, task_as_parent
from airflow_dbt_rerun.openlineage.runs import RunEvents


def emit_lineage(report: Mapping[str, Any], instance: Any, client: DbtClient, log: Log) -> None:
    """Emit the events of every dbt run in a report, oldest first: its start, its nodes, its end.

    What cannot be read or understood is left out, with a warning.

    :param report: the XCom ``dbt_rerun_report``.
    :param instance: the task instance.
    """
    lineage = _Lineage(report, task_as_parent(instance), client, log)
    count = 0
    for attempt in report["attempts"]:
        try:
            for event in lineage.of_attempt(attempt):
                emit(event)
                count += 1
        except Exception as error:  # noqa: BLE001 - lineage must not cost the task more than a line of its log
            log.warning("The lineage of dbt run %s is incomplete: %s", attempt["run_id"], error)
    runs = counted(len(report["attempts"]), "dbt run")
    log.info("Emitted %s of OpenLineage for %s", counted(count, "event"), runs)


class _Lineage:
    """Make the events of one heal."""

    def __init__(self, report: Mapping[str, Any], task: ParentRunMetadata, client: DbtClient, log: Log) -> None:
        self._report = report
        self._task = task
        self._client = client
        self._log = log
        self._connections: dict[int, Mapping[str, Any] | None] = {}

    def of_attempt(self, attempt: Mapping[str, Any]) -> Iterator[RunEvent]:
        """Yield the events of one attempt."""
        run = self._client.send(get_run(attempt["run_id"], include_related=FULL_RUN))
        settings = self._client.settings
        me = run_as_parent(run, f"{settings.host}/{settings.account_id}", self._task)
        whole = RunEvents(run, me, self._task, self._report, attempt)
        yield whole.start()
        if end := whole.end():
            yield from self._of_nodes(run, me, attempt)
            yield end

    def _of_nodes(self, run: Run, me: ParentRunMetadata, attempt: Mapping[str, Any]) -> Iterator[RunEvent]:
        messages = {finding["subject"]: finding["message"] for finding in attempt["findings"]}
        nodes = NodeEvents(run, me, self._connection(run), messages)
        for step in step_artifacts(self._client, run, self._log):
            try:
                yield from nodes.of_step(step)
            except Exception as error:  # noqa: BLE001 - another dbt version or adapter than the reader knows
                text = "No lineage of the nodes in step %s of dbt run %s: OpenLineage's reader raised %r"
                self._log.warning(text, step.index, run.id, error)

    def _connection(self, run: Run) -> Mapping[str, Any] | None:
        """Return the connection of the run's project, which says where its datasets are."""
        if run.project_id is None:
            return None
        if run.project_id not in self._connections:
            try:
                answer = self._client.send(as_answer(get_project(run.project_id)))
                self._connections[run.project_id] = answer.json()["data"].get("connection")
            except DbtApiError as error:
                self._log.warning("dbt does not say what project %s connects to: %s", run.project_id, error)
                self._connections[run.project_id] = None
        return self._connections[run.project_id]
