"""Who started what: the DAG run the task, the task the dbt runs, each dbt run its nodes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attr
from airflow.providers.openlineage.plugins import macros
from openlineage.client.uuid import generate_static_uuid
from openlineage.common.provider.dbt import ParentRunMetadata

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run


def task_as_parent(instance: Any) -> ParentRunMetadata:
    """Return a task instance as the parent of what it started; the root is its DAG run, or that one's own root."""
    return ParentRunMetadata(
        run_id=macros.lineage_run_id(instance),
        job_name=macros.lineage_job_name(instance),
        job_namespace=macros.lineage_job_namespace(),
        root_parent_run_id=macros.lineage_root_run_id(instance),
        root_parent_job_name=macros.lineage_root_job_name(instance),
        root_parent_job_namespace=macros.lineage_root_job_namespace(instance),
    )


def run_as_parent(run: Run, account: str, task: ParentRunMetadata) -> ParentRunMetadata:
    """Return a dbt run as the parent of its nodes.

    :param account: tells the runs of several dbt accounts apart.
    :param task: the parent of the run, which has the same root.
    """
    return attr.evolve(
        task,
        run_id=lasting_id(run, account),
        job_name=f"dbt-cloud-job-{run.job_id}",
    )


def lasting_id(run: Run, *parts: str) -> str:
    """Return the id of an OpenLineage run that is the same whenever it is emitted.

    An Airflow retry continues with the dbt runs of earlier tries, and emits them, too: an earlier try may have been
    killed before it could. With the same ids, what is emitted twice counts once.
    """
    created = datetime.fromtimestamp(epoch(run.created_at) or 0.0, UTC)
    return str(generate_static_uuid(created, "/".join((*parts, str(run.id))).encode()))
