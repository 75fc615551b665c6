"""The lives of a task instance: each clear begins a new one, and each marks its dbt runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_dbt_rerun.core.heal.lineage import Marker


def markers(instance: Any) -> Iterator[Marker]:
    """Yield the marker of this life of a task instance, then those that its earlier lives may have, newest first.

    An Airflow retry continues a life; a clear begins a new one. Airflow sets ``max_tries`` when it creates the task
    instance and raises it on a clear, so that number names the life. The task's ``retries`` do not count: somebody
    may deploy another number between two tries.
    """
    life = int(getattr(instance, "max_tries", 0) or 0)
    identity = (instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
    yield Marker.of(*identity, life)
    yield from (Marker.of(*identity, earlier) for earlier in range(life - 1, -1, -1))


def began(context: Mapping[str, Any]) -> float | None:
    """Return when the DAG run began, in epoch seconds; None if Airflow does not say.

    A clear of a finished DAG run sets it anew, which also begins a new life of the task.
    """
    moment = getattr(context.get("dag_run"), "start_date", None)
    return moment.timestamp() if isinstance(moment, datetime) else None
