"""What OpenLineage asks an operator for, after its task has ended."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_dbt_rerun.hooks import DbtCloudRerunHook


class LineageMixin(BaseOperator):
    """Emits the lineage of every dbt run of the work, each once, when the task ends: see ``docs/lineage.md``.

    OpenLineage's listener calls these methods in a process or thread of its own, which it stops after
    ``[openlineage] execution_timeout``. Nobody else imports what they need.
    """

    _ended_with: dict[str, Any] | None = None
    """The report of the work. Not read from XCom: a retry may have cleared that already."""

    @property
    @abstractmethod
    def hook(self) -> DbtCloudRerunHook:
        """The hook of this task's connection."""

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Emit the lineage of a task that succeeded or was skipped."""
        return self._lineage(task_instance)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """Emit the lineage of a task that failed: what its dbt runs have built is there all the same."""
        return self._lineage(task_instance)

    def _lineage(self, instance: Any) -> Any:
        from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415 - an extra

        if self._ended_with is not None:
            try:
                self._emit(self._ended_with, instance)
            except Exception as error:  # noqa: BLE001 - lineage must not cost the task more than a line of its log
                self.log.warning("No lineage of the dbt runs of this task: %s", error)
        return OperatorLineage()

    def _emit(self, report: dict[str, Any], instance: Any) -> None:
        from airflow.providers.openlineage import conf  # noqa: PLC0415 - an extra
        from airflow.providers.openlineage.api import is_openlineage_active  # noqa: PLC0415

        if not is_openlineage_active():
            return
        from airflow_dbt_rerun.api.client import DbtClient  # noqa: PLC0415 - as in the hook
        from airflow_dbt_rerun.openlineage.emission import emit_lineage  # noqa: PLC0415

        # A session of one's own: this is a fork, and the parent's connections are the parent's.
        with DbtClient(self.hook.client.settings, self.hook.retries) as client:
            client.give_up_after(conf.execution_timeout())
            emit_lineage(report, instance, client, self.log)
